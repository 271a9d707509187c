/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each reason has an event, a level and a limit of its own, so that a flood of one kind hides no
 * other. Each source has a share of what is refused, so that its flood does not hide what others
 * did; each node one of what is granted, so that one that moves a thousand times a second fills no
 * disk. What a node is refused is a notice (RFC 5944 §3.8.2.1 and RFC 5265 §4.3 want it logged as a
 * security exception); what it does by right is an info; renewals are for debugging.
 */
#include "ha-core/ha_log.h"

#include "common/log.h"
#include "ha-core/log_source.h"
#include "ha-core/tunnel/encap.h"
#include "ha-core/wire/revocation.h"

#include <stdio.h>

#define BURST                20 /* four sources at full blast: see log_source.h */
#define INTERVAL_MS          200
#define ACCEPTED_BURST       1000
#define ACCEPTED_INTERVAL_MS 10
#define NODE_BURST           20

static struct log_limit limits[REG_REASON_CNT];
static struct log_source_table sources, nodes;
static struct log_limit expired_limit = {
	.burst = ACCEPTED_BURST,
	.interval_ms = ACCEPTED_INTERVAL_MS,
	.event = "expired",
};

static struct log_limit *limit_of(const struct reg_outcome *outcome)
{
	struct log_limit *limit = &limits[outcome->reason];
	bool accepted = outcome->verdict == REG_ACCEPT;

	if (limit->interval_ms == 0) {
		limit->burst = accepted ? ACCEPTED_BURST : BURST;
		limit->interval_ms = accepted ? ACCEPTED_INTERVAL_MS : INTERVAL_MS;
		limit->event = reg_reason_name(outcome->reason);
	}
	return limit;
}

static enum log_level level_of(const struct reg_outcome *outcome)
{
	if (outcome->verdict != REG_ACCEPT)
		return LOG_LEVEL_NOTICE;
	return outcome->reason == REG_REASON_RENEWED ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
}

/* " nai=alice@corp.example", or nothing. */
static const char *nai_pair(const struct sa_peer *node, char *buf, size_t size)
{
	buf[0] = '\0';
	if (node && sa_peer_nai(node))
		(void)snprintf(buf, size, " nai=%s",
			       log_value(sa_peer_nai(node), sa_peer_nai_len(node)).s);
	return buf;
}

/* What only one kind of outcome has to say. */
static const char *details(const struct engine_result *res, char *buf, size_t size)
{
	const struct reg_grant *grant = &res->grant;

	buf[0] = '\0';
	switch (res->outcome.verdict) {
	case REG_ACCEPT:
		if (grant->lifetime_s == 0) /* something has ended */
			break;
		(void)snprintf(buf, size, " spi=%u lifetime=%u tunnel=%s reverse-tunnel=%s",
			       res->spi, grant->lifetime_s,
			       grant->udp ? "udp" : encap_mode_name(grant->encap),
			       grant->reverse ? "true" : "false");
		break;
	case REG_DENY:
		(void)snprintf(buf, size, " spi=%u code=%u%s", res->spi, res->outcome.code,
			       res->reply_len > 0 ? "" : " answered=false");
		break;
	case REG_DISCARD:
		if (res->spi != 0)
			(void)snprintf(buf, size, " spi=%u", res->spi);
		break;
	}
	return buf;
}

/* A message of a foreign agent's may be of many nodes, and names none. */
static bool is_within_share(const struct engine_result *res, const struct reg_origin *from,
			    const struct clock *now)
{
	const enum reg_reason reason = res->outcome.reason;

	if (res->outcome.verdict != REG_ACCEPT)
		return log_source_take(&sources, from->src, reason, LOG_SOURCE_BURST,
				       now->mono_ms * 1000);
	return !res->has_request ||
	       log_source_take(&nodes, res->req.home_addr, reason, NODE_BURST, now->mono_ms * 1000);
}

void ha_log_result(const struct engine_result *res, const struct reg_origin *from,
		   const struct clock *now)
{
	enum log_level level = level_of(&res->outcome);
	char more[128], nai[300];

	if (!log_enabled(level))
		return;
	if (!is_within_share(res, from, now)) {
		log_suppress(limit_of(&res->outcome), level);
		return;
	}
	if (!log_take(limit_of(&res->outcome), now->mono_ms, level))
		return;
	log_write_taken(limit_of(&res->outcome), level, reg_reason_text(res->outcome.reason),
			"event=%s src=%s port=%u interface=%s home-address=%s care-of=%s%s%s",
			reg_reason_name(res->outcome.reason), addr_text(from->src).s,
			from->src_port, from->interface[0] ? from->interface : "-",
			res->has_request ? addr_text(res->req.home_addr).s : "-",
			res->has_request ? addr_text(res->req.care_of).s : "-",
			details(res, more, sizeof(more)), nai_pair(res->node, nai, sizeof(nai)));
}

void ha_log_expired(const struct binding *b, const struct clock *now)
{
	char nai[300];

	if (!log_take(&expired_limit, now->mono_ms, LOG_LEVEL_INFO))
		return;
	log_write_taken(&expired_limit, LOG_LEVEL_INFO, "binding expired",
			"event=expired home-address=%s care-of=%s lifetime=%u%s",
			addr_text(b->key.home_addr).s, addr_text(b->care_of).s, b->lifetime_s,
			nai_pair(b->node, nai, sizeof(nai)));
}

void ha_log_ended(const struct binding *b, const char *why, const struct clock *now)
{
	static struct log_limit limit = { .burst = ACCEPTED_BURST,
					  .interval_ms = ACCEPTED_INTERVAL_MS,
					  .event = "binding-ended" };
	char nai[300];

	if (!log_take(&limit, now->mono_ms, LOG_LEVEL_INFO))
		return;
	log_write_taken(&limit, LOG_LEVEL_INFO, "binding ended by the new configuration",
			"event=binding-ended home-address=%s care-of=%s reason=%s%s",
			addr_text(b->key.home_addr).s, addr_text(b->care_of).s, why,
			nai_pair(b->node, nai, sizeof(nai)));
}

void ha_log_sent(const uint8_t *msg, size_t len, struct in_addr dst, uint16_t port,
		 const struct clock *now)
{
	static struct log_limit limit = { .burst = ACCEPTED_BURST,
					  .interval_ms = ACCEPTED_INTERVAL_MS,
					  .event = "revocation-sent" };
	struct wire_reader r = wire_reader(msg, len);
	struct revocation_message m;

	if (revocation_message_decode(&r, &m) < 0)
		return;
	log_write_limited(&limit, now->mono_ms, LOG_LEVEL_INFO, "revocation sent",
			  "event=revocation-sent dst=%s port=%u home-address=%s care-of=%s "
			  "identifier=%u",
			  addr_text(dst).s, port, addr_text(m.home_addr).s,
			  addr_text(m.foreign_domain).s, m.ident);
}

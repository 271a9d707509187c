/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registration as a mobile node does it (RFC 5944 §3.6): co-located care-of address (D), reverse
 * tunnel (T, RFC 3024), UDP tunnel (RFC 3519 §4.4), timestamps and nonces (§5.7).
 *
 * A reply counts only if its low 32 bits of Identification are those of the latest request, it
 * has exactly one Mobile-Home Authentication extension, and that verifies (§3.6.2.1). Whatever
 * stands behind that extension is not under it, so the Trusted Networks Configured extension
 * (RFC 5265 §3.4) and the UDP Tunnel Reply are looked for ahead of it only.
 */
#include "test/mn/agent.h"

#include "common/err.h"
#include "ha-core/wire/mobile_network.h"
#include "ha-core/wire/udp_tunnel.h"

#define TNC_LEN      2
#define TNC_SUB_TYPE 0
#define HALF_SECOND  (UINT64_C(1) << 31) /* NTP 32.32 */

/* What a walk through a reply's extensions finds. */
struct reply_parts {
	unsigned int auth_cnt;
	struct reg_auth auth;
	bool tnc;
	bool has_udp;
	struct udp_tunnel_reply udp;
	size_t network_cnt;
};

void agent_init(struct agent *a, const struct agent_conf *conf)
{
	*a = (struct agent){ .conf = *conf, .address = conf->address, .last_code = -1 };
}

void agent_moved(struct agent *a, bool by_foreign_agent)
{
	a->pending.active = false;
	a->grant = (struct agent_grant){ 0 };
	a->by_foreign_agent = by_foreign_agent;
}

void agent_take_over(struct agent *a, const struct agent *from)
{
	a->last_ident = from->last_ident;
	a->clock_offset = from->clock_offset;
	a->nonce = from->nonce;
	a->nonce_low = from->nonce_low;
}

/*
 * Each timestamp exceeds the one before (§5.7.1); what the clock cannot supply is random. Nonces:
 * the agent's in the high half, ours in the low half, other than last time (§5.7.2).
 */
static uint64_t next_ident(struct agent *a, uint32_t random, const struct clock *now)
{
	uint64_t ident;

	if (a->conf.nonces) {
		if (random == a->nonce_low)
			random++;
		a->nonce_low = random;
		return (uint64_t)a->nonce << 32 | random;
	}
	ident = ((now->ntp + a->clock_offset) & ~UINT64_C(0xff)) | (random & 0xff);
	if (clock_ntp_diff(ident, a->last_ident) <= 0 && a->last_ident != 0)
		ident = a->last_ident + 1;
	a->last_ident = ident;
	return ident;
}

static void put_extensions(struct wire_writer *w, const struct agent *a, bool dereg)
{
	const struct agent_conf *conf = &a->conf;
	size_t nai_len = conf->nai ? strlen(conf->nai) : 0;

	if (nai_len > UINT8_MAX) {
		w->failed = true;
		return;
	}
	if (nai_len > 0) {
		ext_put_header(w, EXT_NAI, (uint8_t)nai_len);
		wire_put_bytes(w, conf->nai, nai_len);
	}
	if (conf->udp != AGENT_UDP_OFF && !dereg && !a->by_foreign_agent) {
		udp_tunnel_request_encode(
			w, &(struct udp_tunnel_request){ .forced = conf->udp == AGENT_UDP_FORCED });
	}
}

/* RFC 5177 §5.1: each network that is to stay is named in each request; leaving names none. */
static void put_networks(struct wire_writer *w, const struct agent_conf *conf)
{
	size_t i;

	for (i = 0; i < conf->network_cnt; i++)
		mobile_network_encode(w,
				      &(struct mobile_network){ .type = MOBILE_NETWORK_REQUEST,
								.prefix_len = conf->networks[i].len,
								.prefix = conf->networks[i].addr });
}

static int sign(struct wire_writer *w, const struct agent_conf *conf)
{
	size_t auth_len = mac_len(mac_algorithm(conf->mac));
	size_t covered;
	uint8_t *out;

	ext_put_header(w, EXT_MOBILE_HOME_AUTH, (uint8_t)(sizeof(conf->spi) + auth_len));
	wire_put_u32(w, conf->spi);
	covered = wire_len(w);
	out = wire_room(w, auth_len);
	if (!out)
		return ERR_NO_SPACE;
	mac_sign(conf->mac, w->start, covered, out);
	return 0;
}

int agent_request(struct agent *a, struct in_addr care_of, bool dereg, uint32_t random,
		  const struct clock *now, const uint8_t **ret_message)
{
	struct agent_pending *p = &a->pending;
	uint8_t flags =
		(a->by_foreign_agent ? 0 : REG_FLAG_D) | (a->conf.reverse_tunnel ? REG_FLAG_T : 0);
	struct reg_request req = {
		.flags = dereg ? 0 : flags,
		.lifetime_s = dereg ? 0 : a->conf.lifetime_s,
		.home_addr = a->conf.home_addr,
		.home_agent = a->address,
		.care_of = dereg && !a->by_foreign_agent ? a->conf.home_addr : care_of,
	};
	struct wire_writer w = wire_writer(p->message, sizeof(p->message));
	int err;

	if (a->conf.nonces && p->active && p->dereg == dereg && addr_eq(p->care_of, req.care_of)) {
		p->sent_ms = now->mono_ms;
		a->count.requests++;
		*ret_message = p->message;
		return (int)p->len;
	}
	p->active = false;
	req.ident = next_ident(a, random, now);
	reg_request_encode(&w, &req);
	put_extensions(&w, a, dereg);
	if (!dereg)
		put_networks(&w, &a->conf);
	err = sign(&w, &a->conf);
	if (err < 0)
		return err;

	p->active = true;
	p->dereg = dereg;
	p->ident = req.ident;
	p->sent_ms = now->mono_ms;
	p->care_of = req.care_of;
	p->len = wire_len(&w);
	a->count.requests++;
	*ret_message = p->message;
	return (int)p->len;
}

static bool is_tnc(const struct ext *ext)
{
	return ext->len == TNC_LEN && ext->data[0] == TNC_SUB_TYPE; /* data[1] is reserved */
}

static bool is_granted_network(const struct ext *ext)
{
	struct mobile_network net;

	return ext->type == EXT_MOBILE_NETWORK && mobile_network_decode(ext, &net) == 0 &&
	       net.type != MOBILE_NETWORK_REQUEST && net.code == MOBILE_NETWORK_OK;
}

static int walk_extensions(const uint8_t *message, struct wire_reader *r, struct reply_parts *parts)
{
	struct ext ext;
	int more;

	while ((more = ext_next(r, &ext)) > 0) {
		if (ext.type == EXT_MOBILE_HOME_AUTH) {
			int err = reg_auth_decode(message, &ext, &parts->auth);

			if (err < 0)
				return err;
			parts->auth_cnt++;
		}
		if (ext.type == EXT_FA_ERROR) /* RFC 4636: not for this instrument */
			return ERR_UNKNOWN_EXT;
		if (parts->auth_cnt > 0)
			continue;
		if (ext.type == EXT_TRUSTED_NETWORKS && is_tnc(&ext))
			parts->tnc = true;
		parts->network_cnt += is_granted_network(&ext);
		if (ext.type == EXT_UDP_TUNNEL_REPLY &&
		    udp_tunnel_reply_decode(&ext, &parts->udp) == 0)
			parts->has_udp = true;
	}
	return more;
}

static int check_reply(struct agent *a, const uint8_t *message, size_t len,
		       struct reg_reply *ret_reply, struct reply_parts *ret_parts)
{
	struct wire_reader r = wire_reader(message, len);
	struct reply_parts parts = { 0 };
	int err;

	err = reg_reply_decode(&r, ret_reply);
	if (err < 0)
		return err;
	err = walk_extensions(message, &r, &parts);
	if (err < 0)
		return err;
	if (!a->pending.active || (uint32_t)ret_reply->ident != (uint32_t)a->pending.ident ||
	    !addr_eq(ret_reply->home_addr, a->conf.home_addr))
		return ERR_NOT_FOUND;
	if (parts.auth_cnt != 1 || parts.auth.spi != a->conf.spi)
		return ERR_AUTH;
	err = mac_verify(a->conf.mac, message, parts.auth.covered_len, parts.auth.mac,
			 parts.auth.mac_len);
	if (err < 0)
		return err;
	*ret_parts = parts;
	return 0;
}

/*
 * The high half of the reply: under nonces the next one to use, in every reply; with code 133
 * under timestamps the agent's seconds. Their fraction is unknown, so aim for the middle.
 */
static bool resync(struct agent *a, const struct reg_reply *reply, const struct clock *now)
{
	uint64_t theirs = (reply->ident & ~UINT64_C(0xffffffff)) | HALF_SECOND;

	if (a->conf.nonces) {
		a->nonce = (uint32_t)(reply->ident >> 32);
	} else if (reply->code == REG_IDENT_MISMATCH) {
		a->clock_offset = theirs - now->ntp;
		a->last_ident = 0;
	}
	return reply->code == REG_IDENT_MISMATCH;
}

int agent_reply(struct agent *a, const uint8_t *message, size_t len, const struct clock *now,
		struct agent_result *ret_result)
{
	struct agent_result res = { 0 };
	struct reg_reply reply;
	struct reply_parts parts;
	int err;

	err = len <= sizeof(a->last_reply) ? check_reply(a, message, len, &reply, &parts)
					   : ERR_TOO_BIG;
	if (err < 0) {
		a->count.ignored++;
		return err;
	}
	a->count.replies++;
	a->pending.active = false;
	a->last_code = reply.code;
	memcpy(a->last_reply, message, len);
	a->last_reply_len = len;

	res.dereg = a->pending.dereg;
	res.code = reply.code;
	res.sent_ms = a->pending.sent_ms;
	res.tnc = parts.tnc;
	res.udp_offered = parts.has_udp;
	res.nat_seen =
		parts.has_udp && parts.udp.code < UDP_TUNNEL_REPLY_DECLINE && !parts.udp.forced;
	res.resynced = resync(a, &reply, now);
	if (reply.code == REG_UNKNOWN_HOME_AGENT && addr_is_unicast(reply.home_agent)) {
		res.redirected = !addr_eq(reply.home_agent, a->address);
		a->address = reply.home_agent;
	}
	if (agent_code_accepts(reply.code) && !res.dereg) {
		/* A lifetime above what was asked for does not bind us (§3.4). */
		res.lifetime_s = reply.lifetime_s < a->conf.lifetime_s ? reply.lifetime_s
								       : a->conf.lifetime_s;
		a->grant = (struct agent_grant){
			.held = res.lifetime_s > 0,
			.lifetime_s = res.lifetime_s,
			.tnc = parts.tnc,
			.udp = parts.has_udp && parts.udp.code < UDP_TUNNEL_REPLY_DECLINE &&
			       !a->by_foreign_agent,
			.keepalive_s = parts.udp.keepalive_s,
			.network_cnt = parts.network_cnt,
		};
	} else if (agent_code_accepts(reply.code)) {
		a->grant = (struct agent_grant){ 0 };
	}
	*ret_result = res;
	return 0;
}

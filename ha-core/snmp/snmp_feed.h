/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The daemon's end of SNMP: starts the child that speaks to the master agent, answers it with
 * pages of rows, tells it what to notify of, and never waits for it.
 */
#ifndef HA_CORE_SNMP_SNMP_FEED_H
#define HA_CORE_SNMP_SNMP_FEED_H

#include "common/loop.h"
#include "ha-core/snmp/snmp_source.h"

struct snmp_feed;

struct snmp_feed_conf {
	bool enabled;
	const char *name;    /* "ihad" */
	const char *agentx;  /* as snmp.agentx */
	const char *context; /* and heName; NULL: name */
	bool default_context;
	bool notifications;
	uint32_t notification_interval_s; /* one of a kind in this time */
	/** Called in the child: forgets what it must not hold, gives up what it must not have. */
	void (*forget)(void *ctx);
	/** Is a thread at work that a child would be a copy of? Asked before one is forked. */
	bool (*is_busy)(void *ctx);
	void *ctx;
};

/**
 * Makes the feed and, if it is enabled, starts the child: to be called before anything is opened
 * that a child should not have. Returns in the parent only.
 * @retval -ENOMEM, -errno of fork(2) or socketpair(2)
 */
int snmp_feed_start(const struct snmp_feed_conf *conf, struct snmp_feed **ret_feed);

/** From now on the child is answered. @param src  fields of the caller's; copied. */
int snmp_feed_open(struct snmp_feed *f, struct loop *loop, const struct snmp_source *src);

/** Ends the child. Takes NULL, returns NULL. */
struct snmp_feed *snmp_feed_close(struct snmp_feed *f);

/** How the child stands with the master agent, in words for an operator. */
const char *snmp_feed_link(const struct snmp_feed *f);

/** The rows' source: the caller keeps its settings up to date. */
struct snmp_source *snmp_feed_source(struct snmp_feed *f);

/** Takes over what a reload may change. */
void snmp_feed_reloaded(struct snmp_feed *f, const struct snmp_feed_conf *conf);

/** What came of a request: rates, use of the trusted networks, notifications. */
void snmp_feed_request(struct snmp_feed *f, const struct engine_result *res,
		       const struct reg_origin *from, uint64_t took_ns, const struct clock *now);

/** No network is trusted; the data path is not the one asked for. */
void snmp_feed_trusted_empty(struct snmp_feed *f);
void snmp_feed_degraded(struct snmp_feed *f);

/** Once a second: rates. */
void snmp_feed_tick(struct snmp_feed *f, const struct clock *now);

#endif

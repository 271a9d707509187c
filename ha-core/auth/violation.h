/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Who broke a rule of security, how often, and how the last time (RFC 5944 §3.8.2.1 and RFC 5265
 * §4.3 want it logged as a security exception; RFC 2006 shows it as a table). Sources are what a
 * stranger chooses, so their number is bounded: a new one takes the place of the one that has been
 * quiet for longest. The total counts them all.
 */
#ifndef HA_CORE_AUTH_VIOLATION_H
#define HA_CORE_AUTH_VIOLATION_H

#include "common/addr.h"
#include "common/hash.h"
#include "common/order.h"

#define VIOLATION_PEERS 1024

/** One violation, as it is seen. */
struct violation_event {
	struct in_addr peer; /* source address of the packet */
	uint16_t port;
	unsigned int reason; /* enum reg_reason */
	uint32_t spi;        /* as received; 0: none */
	uint64_t ident;      /* as received; 0: none */
	struct in_addr home_addr, care_of;
};

struct violation {
	struct hash_node link;
	struct violation *newer, *older; /* by the last violation of each */
	struct violation_event last;
	uint32_t cnt;
	uint64_t first_ms, last_ms; /* monotonic */
};

struct violation_table {
	struct hash by_peer;
	struct order order; /* of peers, addr_host() */
	struct violation *rows;
	size_t cnt; /* rows in use; the first ones */
	struct violation *newest, *oldest;
	uint64_t total; /* violations of all peers, those forgotten included */
};

/** @retval -ENOMEM */
int violation_init(struct violation_table *t);
void violation_done(struct violation_table *t);

/** Counts one. Without memory for a new peer it is in the total only. */
void violation_note(struct violation_table *t, const struct violation_event *event,
		    uint64_t now_ms);

/** NULL: none, or forgotten. */
const struct violation *violation_find(const struct violation_table *t, struct in_addr peer);

/** Forgets all peers; the total stays. @return how many there were */
size_t violation_clear(struct violation_table *t);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * What ICMP told us of the tunnels' paths: the path MTU to a tunnel's end, and whether it can be
 * reached (RFC 2003 §5). Pure: the clock is the caller's. Bounded: a table of fixed size.
 */
#ifndef HA_CORE_TUNNEL_SOFT_STATE_H
#define HA_CORE_TUNNEL_SOFT_STATE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOFT_STATE_CNT 4096 /* tunnel ends remembered; of more, the soonest to be forgotten go */

/** No path MTU below this is believed: it is what every host takes (RFC 791), and blunts lies. */
#define SOFT_STATE_MTU_FLOOR 576

#define SOFT_STATE_MTU_MS         (10 * 60 * 1000) /* RFC 1191 §6.3; MUST NOT be below 5 min */
#define SOFT_STATE_UNREACHABLE_MS (10 * 1000)      /* routing mends itself in seconds */

struct soft_state_entry {
	uint64_t mtu_until_ms;         /* 0: no MTU is known */
	uint64_t unreachable_until_ms; /* 0: reachable, as far as we know */
	struct in_addr peer;
	uint16_t mtu;
};

struct soft_state {
	struct soft_state_entry *entries; /* owned; SOFT_STATE_CNT */
	uint32_t seed;
	uint64_t until_ms; /* from here on nothing is known: the common case costs one compare */
};

/** @param seed  random: strangers are not to choose whom we forget. @retval -ENOMEM */
int soft_state_init(struct soft_state *s, uint32_t seed);

void soft_state_done(struct soft_state *s);

/**
 * The path MTU to a tunnel's end: the longest outer packet.
 * @param most  what it is if nothing else is known
 */
uint32_t soft_state_mtu(const struct soft_state *s, struct in_addr peer, uint32_t most,
			uint64_t now_ms);

/**
 * "Fragmentation needed" came back. The path MTU is lowered and the time it is held for begins
 * anew; it is never raised (RFC 1191 §4).
 *
 * @param most      as for soft_state_mtu()
 * @param mtu       what ICMP said; 0 by a router older than RFC 1191, and then the next plateau
 *                  below the packet's length is taken (§7.1)
 * @param sent_len  Total Length of the packet in question, as it was quoted
 * @return the path MTU from now on
 */
uint32_t soft_state_too_big(struct soft_state *s, struct in_addr peer, uint32_t most, uint16_t mtu,
			    uint16_t sent_len, uint64_t now_ms);

/** Is this end said to be out of reach? */
bool soft_state_is_unreachable(const struct soft_state *s, struct in_addr peer, uint64_t now_ms);

void soft_state_unreachable(struct soft_state *s, struct in_addr peer, uint64_t now_ms);

/** Something came from there: it is not out of reach. */
void soft_state_heard(struct soft_state *s, struct in_addr peer, uint64_t now_ms);

#endif

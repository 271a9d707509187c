/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Agent advertisements and solicitations: ICMP router discovery (RFC 1256) with the Mobility Agent
 * Advertisement extension (RFC 5944 §2.1). ICMP messages without their checksum, which whoever
 * puts them into a packet computes. No I/O.
 */
#ifndef HA_CORE_WIRE_ADVERT_H
#define HA_CORE_WIRE_ADVERT_H

#include "common/addr.h"
#include "ha-core/wire/wire.h"

#define ADVERT_ICMP_TYPE          9
#define ADVERT_SOLICITATION_TYPE  10
#define ADVERT_SOLICITATION_MIN   8
#define ADVERT_CODE_ROUTER        0  /* routes common traffic, too */
#define ADVERT_CODE_AGENT         16 /* does not: hosts are not to use it */
#define ADVERT_ROUTERS_MAX        2
#define ADVERT_PREFERENCE_DEFAULT 0
#define ADVERT_PREFERENCE_NEVER   0x80000000u /* nobody's default router (RFC 1256 §3) */

enum { /* flags of the extension */
       ADVERT_FLAG_H = 0x2000,
       ADVERT_FLAG_M = 0x0800,
       ADVERT_FLAG_G = 0x0400,
       ADVERT_FLAG_T = 0x0100,
};

struct advert_router {
	struct in_addr addr;
	uint32_t preference; /* two's complement */
};

/** A home agent's, which lists no care-of address. */
struct advert {
	uint8_t code;
	uint16_t lifetime_s; /* of the advertisement; 0: we are going */
	struct advert_router routers[ADVERT_ROUTERS_MAX];
	uint8_t router_cnt;
	uint16_t sequence;
	uint16_t registration_lifetime_s; /* the longest granted */
	uint16_t flags;
	bool has_prefix_lengths;
	uint8_t prefix_lengths[ADVERT_ROUTERS_MAX]; /* one for each router */
};

/** Of even length; the checksum is left zero. */
void advert_encode(struct wire_writer *w, const struct advert *advert);

/** After 0xffff comes 256, so that a fall below 256 says that the agent restarted (§2.3.2). */
uint16_t advert_next_sequence(uint16_t sequence);

/** Is an ICMP message, whose checksum was right, a solicitation (RFC 1256 §4.2)? */
bool advert_is_solicitation(const uint8_t *icmp, size_t len);

#endif

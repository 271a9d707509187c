/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * First fragments that a filter has let pass, so that it knows what the later ones belong to. Pure:
 * the clock is the caller's. Bounded: a table of fixed size.
 */
#ifndef HA_CORE_TUNNEL_FRAGMENTS_H
#define HA_CORE_TUNNEL_FRAGMENTS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAGMENTS_CNT 1024  /* packets in pieces at a time; of more, the oldest are forgotten */
#define FRAGMENTS_MS  30000 /* as long as a receiver waits for the rest (Linux; RFC 1122 §3.3.2) */

struct fragments_entry {
	uint64_t until_ms; /* 0: never used */
	struct in_addr src, dst;
	uint16_t ident;
	uint8_t protocol;
	uint32_t end; /* octets of the whole packet behind its header; 0: not known */
};

struct fragments {
	struct fragments_entry *entries; /* owned; FRAGMENTS_CNT */
	uint32_t seed;
};

/** @param seed  random: strangers are not to choose whom we forget. @retval -ENOMEM */
int fragments_init(struct fragments *f, uint32_t seed);

void fragments_done(struct fragments *f);

/**
 * This one, the first of its packet, has passed.
 * @param packet  well formed, see encap_check_ipv4()
 * @param end     octets of the whole packet behind its header; 0: not known
 */
void fragments_begin(struct fragments *f, const uint8_t *packet, uint32_t end, uint64_t now_ms);

/**
 * What is known of the packet that this later fragment is of; NULL: its first has not passed, or
 * too long ago. Valid until the next call.
 */
const struct fragments_entry *fragments_find(const struct fragments *f, const uint8_t *packet,
					     uint64_t now_ms);

#endif

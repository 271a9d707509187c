/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Agent advertisements and solicitations (RFC 5944 §2, RFC 1256). No I/O.
 */
#ifndef TEST_FA_ADVERT_H
#define TEST_FA_ADVERT_H

#include "common/addr.h"

#define ADVERT_PACKET_MAX 64

enum advert_flag {
	ADVERT_FLAG_R = 0x8000, /* registration required, even with a co-located address */
	ADVERT_FLAG_B = 0x4000, /* busy */
	ADVERT_FLAG_F = 0x1000, /* foreign agent */
	ADVERT_FLAG_T = 0x0100, /* reverse tunnelling */
	ADVERT_FLAG_U = 0x0080, /* UDP tunnelling, RFC 3519 §3.4 */
};

struct advert {
	struct in_addr care_of;
	uint16_t sequence;
	uint16_t lifetime_s;              /* of the advertisement, RFC 1256 */
	uint16_t registration_lifetime_s; /* the longest that we pass on */
	uint16_t flags;
};

/**
 * The whole IPv4 packet, from the care-of address.
 * @param packet  ADVERT_PACKET_MAX octets
 * @return its length
 */
size_t advert_build(const struct advert *a, struct in_addr dst, uint8_t *packet);

/** After 0xffff comes 256: what is below tells of a reboot (RFC 5944 §2.3.2). */
uint16_t advert_next_sequence(uint16_t sequence);

/** Is it a valid solicitation, ICMP type 10? @param packet  well formed, see encap_check_ipv4() */
bool advert_is_solicitation(const uint8_t *packet, size_t len);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Agent advertisements as a home agent sends them on a home link (RFC 5944 §2.1), and the check of
 * solicitations. home_link.c says when; nothing here lives longer than a call.
 *
 * A pure home agent sets H, never F, R or B, and lists no care-of address. U (RFC 3519) is for
 * foreign agents behind a NAT, X (RFC 3543) for agents that take part in revocation.
 */
#include "ha-core/wire/advert.h"

#define ENTRY_WORDS        2 /* 32-bit words of each router's entry */
#define EXT_PADDING        0
#define EXT_AGENT          16
#define EXT_AGENT_LEN      6 /* without care-of addresses */
#define EXT_PREFIX_LENGTHS 19

uint16_t advert_next_sequence(uint16_t sequence)
{
	return sequence == 0xffff ? 256 : (uint16_t)(sequence + 1);
}

void advert_encode(struct wire_writer *w, const struct advert *advert)
{
	uint8_t i;

	wire_put_u8(w, ADVERT_ICMP_TYPE);
	wire_put_u8(w, advert->code);
	wire_put_u16(w, 0);
	wire_put_u8(w, advert->router_cnt);
	wire_put_u8(w, ENTRY_WORDS);
	wire_put_u16(w, advert->lifetime_s);
	for (i = 0; i < advert->router_cnt; i++) {
		wire_put_addr(w, advert->routers[i].addr);
		wire_put_u32(w, advert->routers[i].preference);
	}
	wire_put_u8(w, EXT_AGENT);
	wire_put_u8(w, EXT_AGENT_LEN);
	wire_put_u16(w, advert->sequence);
	wire_put_u16(w, advert->registration_lifetime_s);
	wire_put_u16(w, advert->flags);
	if (advert->has_prefix_lengths && advert->router_cnt > 0) {
		wire_put_u8(w, EXT_PREFIX_LENGTHS);
		wire_put_u8(w, advert->router_cnt);
		wire_put_bytes(w, advert->prefix_lengths, advert->router_cnt);
	}
	/* One octet of padding, last, where the length would be odd (§2.1.3). */
	if (wire_len(w) % 2 != 0)
		wire_put_u8(w, EXT_PADDING);
}

bool advert_is_solicitation(const uint8_t *icmp, size_t len)
{
	return len >= ADVERT_SOLICITATION_MIN && icmp[0] == ADVERT_SOLICITATION_TYPE &&
	       icmp[1] == 0;
}

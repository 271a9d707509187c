/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An ICMP router advertisement without router addresses (Num Addrs 0 is allowed, RFC 5944 §2.1)
 * and with the Mobility Agent Advertisement extension that makes it an agent's. Code 16: it is no
 * offer to route common traffic.
 */
#include "test/fa/advert.h"

#include "ha-core/tunnel/ipv4.h"
#include "ha-core/wire/wire.h"

#define ICMP_ROUTER_ADVERTISEMENT 9
#define ICMP_ROUTER_SOLICITATION  10
#define CODE_AGENT_ONLY           16
#define ADDR_ENTRY_SIZE           2
#define MOBILITY_AGENT_EXT        16
#define MOBILITY_AGENT_LEN        10 /* 6 + 4 for one care-of address */
#define ICMP_CHECKSUM             2
#define SOLICITATION_LEN          8
#define IPV4_VERSION_5_WORDS      0x45
#define SEQUENCE_AFTER_WRAP       256

size_t advert_build(const struct advert *a, struct in_addr dst, uint8_t *packet)
{
	uint8_t *icmp = packet + IPV4_HEADER_MIN;
	struct wire_writer w = wire_writer(icmp, ADVERT_PACKET_MAX - IPV4_HEADER_MIN);

	wire_put_u8(&w, ICMP_ROUTER_ADVERTISEMENT);
	wire_put_u8(&w, CODE_AGENT_ONLY);
	wire_put_u16(&w, 0); /* checksum, below */
	wire_put_u8(&w, 0);  /* Num Addrs */
	wire_put_u8(&w, ADDR_ENTRY_SIZE);
	wire_put_u16(&w, a->lifetime_s);
	wire_put_u8(&w, MOBILITY_AGENT_EXT);
	wire_put_u8(&w, MOBILITY_AGENT_LEN);
	wire_put_u16(&w, a->sequence);
	wire_put_u16(&w, a->registration_lifetime_s);
	wire_put_u16(&w, a->flags);
	wire_put_addr(&w, a->care_of);
	ipv4_put_checksum(icmp, wire_len(&w), ICMP_CHECKSUM);

	memset(packet, 0, IPV4_HEADER_MIN);
	packet[0] = IPV4_VERSION_5_WORDS;
	ipv4_put16(packet + IPV4_LENGTH, (uint16_t)(IPV4_HEADER_MIN + wire_len(&w)));
	packet[IPV4_TTL] = 1; /* §2.3: MUST */
	packet[IPV4_PROTOCOL] = IPPROTO_ICMP;
	ipv4_put_addr(packet + IPV4_SRC, a->care_of);
	ipv4_put_addr(packet + IPV4_DST, dst);
	ipv4_finish_header(packet);
	return IPV4_HEADER_MIN + wire_len(&w);
}

uint16_t advert_next_sequence(uint16_t sequence)
{
	return sequence == UINT16_MAX ? SEQUENCE_AFTER_WRAP : (uint16_t)(sequence + 1);
}

bool advert_is_solicitation(const uint8_t *packet, size_t len)
{
	size_t header_len = ipv4_header_len(packet);
	const uint8_t *icmp = packet + header_len;

	/* The source need not be a neighbour's: RFC 5944 §2.3 overrides RFC 1256 §4.2. */
	return packet[IPV4_PROTOCOL] == IPPROTO_ICMP && !ipv4_is_fragment(packet) &&
	       len >= header_len + SOLICITATION_LEN && icmp[0] == ICMP_ROUTER_SOLICITATION &&
	       icmp[1] == 0 && ipv4_sum_is_right(icmp, len - header_len);
}

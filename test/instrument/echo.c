/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Echo requests as keepalives (RFC 792, RFC 3519 §4.9). Their identifier tells the replies from
 * those to echo requests of a user.
 */
#include "test/instrument/echo.h"

#include "ha-core/tunnel/ipv4.h"

#include <netinet/ip_icmp.h>

enum { ECHO_CHECKSUM = 2, ECHO_IDENT = 4, ECHO_SEQUENCE = 6, ECHO_LEN = 8 };

#define KEEPALIVE_IDENT      3519
#define IPV4_VERSION_5_WORDS 0x45

_Static_assert(ECHO_PACKET_LEN == IPV4_HEADER_MIN + ECHO_LEN, "an echo request without data");

void echo_build(uint8_t *packet, struct in_addr src, struct in_addr dst, uint16_t sequence)
{
	uint8_t *icmp = packet + IPV4_HEADER_MIN;

	memset(packet, 0, ECHO_PACKET_LEN);
	packet[0] = IPV4_VERSION_5_WORDS;
	ipv4_put16(packet + IPV4_LENGTH, ECHO_PACKET_LEN);
	ipv4_put16(packet + IPV4_IDENT, sequence);
	packet[IPV4_TTL] = IPV4_TTL_DEFAULT;
	packet[IPV4_PROTOCOL] = IPPROTO_ICMP;
	ipv4_put_addr(packet + IPV4_SRC, src);
	ipv4_put_addr(packet + IPV4_DST, dst);
	ipv4_finish_header(packet);
	icmp[0] = ICMP_ECHO;
	ipv4_put16(icmp + ECHO_IDENT, KEEPALIVE_IDENT);
	ipv4_put16(icmp + ECHO_SEQUENCE, sequence);
	ipv4_put_checksum(icmp, ECHO_LEN, ECHO_CHECKSUM);
}

bool echo_is_reply(const uint8_t *packet, size_t len, struct in_addr from)
{
	const uint8_t *icmp = packet + ipv4_header_len(packet);

	return packet[IPV4_PROTOCOL] == IPPROTO_ICMP && !ipv4_is_fragment(packet) &&
	       len >= ipv4_header_len(packet) + ECHO_LEN &&
	       ipv4_get_addr(packet + IPV4_SRC).s_addr == from.s_addr &&
	       icmp[0] == ICMP_ECHOREPLY && ipv4_get16(icmp + ECHO_IDENT) == KEEPALIVE_IDENT;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MSS clamping. A TCP connection whose segments fit the tunnel needs no fragments and no path MTU
 * discovery, which many a firewall breaks. No standard asks for it: RFC 4459 §3.2 describes it as
 * what is done. The tiers that carry packets in user space call it, on packets to a node and on
 * those from it: each end of a connection then hears of a size that fits.
 *
 * RFC 9293 §3.1 (header), §3.2 (options), RFC 1624 (checksum by difference).
 */
#include "ha-core/tunnel/mss.h"

#include "ha-core/tunnel/ipv4.h"

#define TCP_HEADER_MIN 20
#define TCP_OFFSET     12 /* upper half: header length in units of four octets */
#define TCP_FLAGS      13
#define TCP_CHECKSUM   16
#define TCP_SYN        0x02
#define OPTION_END     0
#define OPTION_NOP     1
#define OPTION_MSS     2
#define OPTION_MSS_LEN 4

bool mss_is_syn(const uint8_t *packet, size_t len)
{
	size_t header_len = ipv4_header_len(packet);

	return packet[IPV4_PROTOCOL] == IPPROTO_TCP && !ipv4_is_later_fragment(packet) &&
	       len >= header_len + TCP_HEADER_MIN && packet[header_len + TCP_FLAGS] & TCP_SYN;
}

/* Offset of the option's value in the TCP header; 0: none, or the options are broken. */
static size_t find_mss(const uint8_t *tcp, size_t len)
{
	size_t end = (size_t)(tcp[TCP_OFFSET] >> 4) * 4, at = TCP_HEADER_MIN;

	if (end > len) /* cut off by fragmentation: what is there is not all */
		return 0;
	while (at < end && tcp[at] != OPTION_END) {
		if (tcp[at] == OPTION_NOP) {
			at++;
			continue;
		}
		if (at + 2 > end || tcp[at + 1] < 2 || at + tcp[at + 1] > end)
			return 0;
		if (tcp[at] == OPTION_MSS)
			return tcp[at + 1] == OPTION_MSS_LEN ? at + 2 : 0;
		at += tcp[at + 1];
	}
	return 0;
}

static uint16_t swapped(uint16_t v)
{
	return (uint16_t)(v << 8 | v >> 8);
}

bool mss_clamp(uint8_t *packet, size_t len, uint16_t mss)
{
	size_t header_len = ipv4_header_len(packet), at;
	uint8_t *tcp = packet + header_len;
	uint32_t sum;
	uint16_t old;

	at = find_mss(tcp, len - header_len);
	if (at == 0)
		return false;
	old = ipv4_get16(tcp + at);
	if (old <= mss)
		return false;
	ipv4_put16(tcp + at, mss);
	if (at % 2 != 0) { /* it lies across two words of the sum: RFC 1071 §2 (B) */
		old = swapped(old);
		mss = swapped(mss);
	}
	sum = (uint16_t)~ipv4_get16(tcp + TCP_CHECKSUM);
	sum += (uint16_t)~old;
	sum += mss;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ipv4_put16(tcp + TCP_CHECKSUM, (uint16_t)~sum);
	return true;
}

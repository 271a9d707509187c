/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP errors and echo replies, as octets. The tiers that carry packets in user space call it.
 * RFC 792 (formats), RFC 1812 §4.3.2 (what a router may say, about what, how often), RFC 1191 §4
 * (the MTU in "fragmentation needed").
 */
#include "ha-core/tunnel/icmp.h"

#include "common/addr.h"
#include "ha-core/tunnel/ipv4.h"

#define ICMP_HEADER_LEN          8
#define TYPE_ECHO_REPLY          0
#define TYPE_UNREACHABLE         3
#define TYPE_SOURCE_QUENCH       4
#define TYPE_REDIRECT            5
#define TYPE_ECHO_REQUEST        8
#define TYPE_TIME_EXCEEDED       11
#define TYPE_PARAMETER_PROBLEM   12
#define TOS_INTERNETWORK_CONTROL 0xc0 /* RFC 1812 §4.3.2.5 */

bool icmp_is_error(const uint8_t *packet, size_t len)
{
	size_t header_len = ipv4_header_len(packet);

	if (packet[IPV4_PROTOCOL] != IPPROTO_ICMP || ipv4_is_later_fragment(packet) ||
	    len <= header_len)
		return false;
	switch (packet[header_len]) {
	case TYPE_UNREACHABLE:
	case TYPE_SOURCE_QUENCH:
	case TYPE_REDIRECT:
	case TYPE_TIME_EXCEEDED:
	case TYPE_PARAMETER_PROBLEM:
		return true;
	default:
		return false;
	}
}

/* RFC 1812 §4.3.2.7: about these there is never an error. */
static bool is_beyond_errors(const uint8_t *packet, size_t len)
{
	struct in_addr src = ipv4_src(packet), dst = ipv4_dst(packet);

	return icmp_is_error(packet, len) || ipv4_is_later_fragment(packet) ||
	       addr_is_multicast(dst) || addr_is_broadcast(dst) || !addr_is_unicast(src);
}

size_t icmp_build_error(uint8_t *out, enum icmp_error error, uint16_t mtu, struct in_addr from,
			const uint8_t *packet, size_t len)
{
	uint8_t *icmp = out + IPV4_HEADER_MIN;
	size_t quote = ICMP_ERROR_MAX - IPV4_HEADER_MIN - ICMP_HEADER_LEN;

	if (is_beyond_errors(packet, len))
		return 0;
	if (quote > len)
		quote = len;

	memset(icmp, 0, ICMP_HEADER_LEN);
	ipv4_put16(icmp, (uint16_t)error);
	ipv4_put16(icmp + 6, mtu);
	memcpy(icmp + ICMP_HEADER_LEN, packet, quote);
	ipv4_put_checksum(icmp, ICMP_HEADER_LEN + quote, 2);

	memset(out, 0, IPV4_HEADER_MIN);
	out[0] = 0x45;
	out[IPV4_TOS] = TOS_INTERNETWORK_CONTROL;
	ipv4_put16(out + IPV4_LENGTH, (uint16_t)(IPV4_HEADER_MIN + ICMP_HEADER_LEN + quote));
	out[IPV4_TTL] = IPV4_TTL_DEFAULT;
	out[IPV4_PROTOCOL] = IPPROTO_ICMP;
	ipv4_put_addr(out + IPV4_SRC, from);
	ipv4_put_addr(out + IPV4_DST, ipv4_src(packet));
	ipv4_finish_header(out);
	return IPV4_HEADER_MIN + ICMP_HEADER_LEN + quote;
}

bool icmp_is_echo_request(const uint8_t *packet, size_t len)
{
	size_t header_len = ipv4_header_len(packet);

	return packet[IPV4_PROTOCOL] == IPPROTO_ICMP && !ipv4_is_fragment(packet) &&
	       len >= header_len + ICMP_HEADER_LEN && packet[header_len] == TYPE_ECHO_REQUEST &&
	       packet[header_len + 1] == 0 &&
	       ipv4_sum_is_right(packet + header_len, len - header_len);
}

size_t icmp_echo_reply(uint8_t *packet, size_t len, uint16_t ident, uint8_t **ret_reply)
{
	size_t options_len = ipv4_header_len(packet) - IPV4_HEADER_MIN;
	uint8_t *reply = packet + options_len;
	uint8_t header[IPV4_HEADER_MIN] = { 0x45 };

	len -= options_len;
	header[IPV4_TOS] = packet[IPV4_TOS] & (uint8_t)~IPV4_ECN_MASK;
	ipv4_put16(header + IPV4_LENGTH, (uint16_t)len);
	ipv4_put16(header + IPV4_IDENT, ident);
	header[IPV4_TTL] = IPV4_TTL_DEFAULT;
	header[IPV4_PROTOCOL] = IPPROTO_ICMP;
	ipv4_put_addr(header + IPV4_SRC, ipv4_dst(packet));
	ipv4_put_addr(header + IPV4_DST, ipv4_src(packet));
	memcpy(reply, header, sizeof(header));
	ipv4_finish_header(reply);

	reply[IPV4_HEADER_MIN] = TYPE_ECHO_REPLY;
	ipv4_put_checksum(reply + IPV4_HEADER_MIN, len - IPV4_HEADER_MIN, 2);
	*ret_reply = reply;
	return len;
}

bool icmp_limit_allows(struct icmp_limit *l, uint64_t now_ms)
{
	uint64_t full = (uint64_t)l->burst * 1000;
	uint64_t elapsed_ms = now_ms > l->filled_ms ? now_ms - l->filled_ms : 0;

	if (!l->primed || elapsed_ms >= full) { /* long ago: and the product cannot overflow */
		l->tokens = full;
		l->primed = true;
	} else {
		l->tokens += elapsed_ms * l->per_second;
		if (l->tokens > full)
			l->tokens = full;
	}
	l->filled_ms = now_ms;
	if (l->tokens < 1000)
		return false;
	l->tokens -= 1000;
	return true;
}

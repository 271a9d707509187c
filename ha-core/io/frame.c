/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv4 in Ethernet, to and from packet sockets; home_link.c is the caller. The kernel adds and
 * checks nothing on that way, so the checksums are ours (RFC 791, RFC 768, RFC 792).
 */
#include "ha-core/io/frame.h"

#include "common/err.h"
#include "ha-core/tunnel/ipv4.h"

#define ETHERTYPE_IPV4 0x0800
#define UDP_HEADER     8
#define UDP_CHECKSUM   6
#define ICMP_CHECKSUM  2

int frame_decode(const uint8_t *frame, size_t len, struct frame_packet *ret_packet)
{
	const uint8_t *ip = frame + FRAME_ETHER_LEN;
	struct frame_packet packet;
	size_t header_len, total_len;

	if (len < FRAME_ETHER_LEN + IPV4_HEADER_MIN)
		return ERR_TRUNCATED;
	if (ipv4_get16(frame + 2 * ARP_MAC_LEN) != ETHERTYPE_IPV4 || ip[0] >> 4 != 4 ||
	    ipv4_is_fragment(ip))
		return ERR_UNSUPPORTED;
	header_len = ipv4_header_len(ip);
	total_len = ipv4_get16(ip + IPV4_LENGTH); /* behind it is Ethernet's padding */
	if (header_len < IPV4_HEADER_MIN || total_len < header_len)
		return ERR_MALFORMED;
	if (total_len > len - FRAME_ETHER_LEN)
		return ERR_TRUNCATED;
	if (!ipv4_sum_is_right(ip, header_len))
		return ERR_MALFORMED;
	memcpy(packet.ends.mac_dst, frame, ARP_MAC_LEN);
	memcpy(packet.ends.mac_src, frame + ARP_MAC_LEN, ARP_MAC_LEN);
	packet.ends.src = ipv4_src(ip);
	packet.ends.dst = ipv4_dst(ip);
	packet.protocol = ip[IPV4_PROTOCOL];
	packet.ttl = ip[IPV4_TTL];
	packet.payload = ip + header_len;
	packet.len = total_len - header_len;
	*ret_packet = packet;
	return 0;
}

/* @return where the payload goes, or NULL: there is no room */
static uint8_t *put_headers(uint8_t frame[FRAME_MAX], const struct frame_ends *ends,
			    uint8_t protocol, uint8_t ttl, uint16_t ident, size_t payload_len)
{
	uint8_t *ip = frame + FRAME_ETHER_LEN;

	if (payload_len > FRAME_MAX - FRAME_ETHER_LEN - IPV4_HEADER_MIN)
		return NULL;
	memcpy(frame, ends->mac_dst, ARP_MAC_LEN);
	memcpy(frame + ARP_MAC_LEN, ends->mac_src, ARP_MAC_LEN);
	ipv4_put16(frame + 2 * ARP_MAC_LEN, ETHERTYPE_IPV4);
	memset(ip, 0, IPV4_HEADER_MIN);
	ip[0] = 0x45;
	ipv4_put16(ip + IPV4_LENGTH, (uint16_t)(IPV4_HEADER_MIN + payload_len));
	ipv4_put16(ip + IPV4_IDENT, ident);
	ip[IPV4_TTL] = ttl;
	ip[IPV4_PROTOCOL] = protocol;
	ipv4_put_addr(ip + IPV4_SRC, ends->src);
	ipv4_put_addr(ip + IPV4_DST, ends->dst);
	ipv4_finish_header(ip);
	return ip + IPV4_HEADER_MIN;
}

size_t frame_put_icmp(uint8_t frame[FRAME_MAX], const struct frame_ends *ends, uint16_t ident,
		      const uint8_t *icmp, size_t len)
{
	uint8_t *p = put_headers(frame, ends, IPPROTO_ICMP, 1, ident, len);

	if (!p)
		return 0;
	memcpy(p, icmp, len);
	ipv4_put_checksum(p, len, ICMP_CHECKSUM);
	return (size_t)(p - frame) + len;
}

size_t frame_put_udp(uint8_t frame[FRAME_MAX], const struct frame_ends *ends, uint16_t src_port,
		     uint16_t dst_port, const uint8_t *data, size_t len)
{
	uint8_t *udp = put_headers(frame, ends, IPPROTO_UDP, IPV4_TTL_DEFAULT, 0, UDP_HEADER + len);
	uint8_t pseudo[12] = { 0 };
	uint16_t sum;

	if (!udp)
		return 0;
	ipv4_put16(udp, src_port);
	ipv4_put16(udp + 2, dst_port);
	ipv4_put16(udp + 4, (uint16_t)(UDP_HEADER + len));
	ipv4_put16(udp + UDP_CHECKSUM, 0);
	memcpy(udp + UDP_HEADER, data, len);

	ipv4_put_addr(pseudo, ends->src);
	ipv4_put_addr(pseudo + 4, ends->dst);
	pseudo[9] = IPPROTO_UDP;
	ipv4_put16(pseudo + 10, (uint16_t)(UDP_HEADER + len));
	sum = ipv4_checksum(ipv4_sum(udp, UDP_HEADER + len, ipv4_sum(pseudo, sizeof(pseudo), 0)));
	if (sum == 0)
		sum = 0xffff; /* zero says that there is none (RFC 768) */
	memcpy(udp + UDP_CHECKSUM, &sum, sizeof(sum));
	return (size_t)(udp - frame) + UDP_HEADER + len;
}

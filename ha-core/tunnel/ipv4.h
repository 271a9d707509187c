/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The fields of an IPv4 header where they lie in a packet (RFC 791 §3.1), and the Internet
 * checksum (RFC 1071). Nothing here checks lengths: encap_check_ipv4() comes first.
 */
#ifndef HA_CORE_TUNNEL_IPV4_H
#define HA_CORE_TUNNEL_IPV4_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Offsets */
enum {
	IPV4_TOS = 1,
	IPV4_LENGTH = 2,
	IPV4_IDENT = 4,
	IPV4_FRAGMENT = 6, /* flags and offset */
	IPV4_TTL = 8,
	IPV4_PROTOCOL = 9,
	IPV4_CHECKSUM = 10,
	IPV4_SRC = 12,
	IPV4_DST = 16,
	IPV4_OPTIONS = 20,
};

#define IPV4_HEADER_MIN  20
#define IPV4_HEADER_MAX  60
#define IPV4_DF          0x4000
#define IPV4_MF          0x2000
#define IPV4_OFFSET_MASK 0x1fff /* in units of eight octets */
#define IPV4_TTL_DEFAULT 64
#define IPV4_ECN_MASK    0x03 /* of the TOS octet */

static inline uint16_t ipv4_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline void ipv4_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline struct in_addr ipv4_get_addr(const uint8_t *p)
{
	struct in_addr a;

	memcpy(&a.s_addr, p, sizeof(a.s_addr));
	return a;
}

static inline void ipv4_put_addr(uint8_t *p, struct in_addr a)
{
	memcpy(p, &a.s_addr, sizeof(a.s_addr));
}

static inline size_t ipv4_header_len(const uint8_t *packet)
{
	return (size_t)(packet[0] & 0x0f) * 4;
}

static inline struct in_addr ipv4_src(const uint8_t *packet)
{
	return ipv4_get_addr(packet + IPV4_SRC);
}

static inline struct in_addr ipv4_dst(const uint8_t *packet)
{
	return ipv4_get_addr(packet + IPV4_DST);
}

static inline bool ipv4_df(const uint8_t *packet)
{
	return ipv4_get16(packet + IPV4_FRAGMENT) & IPV4_DF;
}

static inline bool ipv4_is_fragment(const uint8_t *packet)
{
	return ipv4_get16(packet + IPV4_FRAGMENT) & (IPV4_MF | IPV4_OFFSET_MASK);
}

/** A fragment behind the first: what it holds begins in the middle of something. */
static inline bool ipv4_is_later_fragment(const uint8_t *packet)
{
	return ipv4_get16(packet + IPV4_FRAGMENT) & IPV4_OFFSET_MASK;
}

/**
 * Adds octets to a one's complement sum, in the machine's own order: the sum does not mind (RFC
 * 1071 §2). All but the last run of octets must be even in number.
 */
static inline uint64_t ipv4_sum(const uint8_t *p, size_t len, uint64_t sum)
{
	uint32_t word;
	uint16_t half;

	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		sum += word;
	}
	if (len >= sizeof(half)) {
		memcpy(&half, p, sizeof(half));
		sum += half;
		p += sizeof(half);
		len -= sizeof(half);
	}
	if (len > 0) {
		half = 0;
		memcpy(&half, p, 1);
		sum += half;
	}
	return sum;
}

/** The checksum of a sum, in the machine's order: to be copied into a packet as it is. */
static inline uint16_t ipv4_checksum(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/** Is the sum of octets that hold their own checksum as it should be? */
static inline bool ipv4_sum_is_right(const uint8_t *p, size_t len)
{
	return ipv4_checksum(ipv4_sum(p, len, 0)) == 0;
}

/** Computes the checksum of a run of octets anew; it lies at `at` within them. */
static inline void ipv4_put_checksum(uint8_t *p, size_t len, size_t at)
{
	uint16_t sum;

	memset(p + at, 0, sizeof(sum));
	sum = ipv4_checksum(ipv4_sum(p, len, 0));
	memcpy(p + at, &sum, sizeof(sum));
}

/** Of the header; after any change in it. */
static inline void ipv4_finish_header(uint8_t *packet)
{
	ipv4_put_checksum(packet, ipv4_header_len(packet), IPV4_CHECKSUM);
}

#endif

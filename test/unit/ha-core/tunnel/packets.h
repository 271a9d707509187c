/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets for the tests of this directory: from hexadecimal text, or made to measure. */
#ifndef TEST_UNIT_HA_CORE_TUNNEL_PACKETS_H
#define TEST_UNIT_HA_CORE_TUNNEL_PACKETS_H

#include "ha-core/tunnel/encap.h"
#include "ha-core/tunnel/ipv4.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* A packet with headroom before it. */
struct test_packet {
	uint8_t buf[ENCAP_HEADROOM + ENCAP_PACKET_MAX];
	uint8_t *data;
	size_t len;
};

static inline struct in_addr test_addr(const char *text)
{
	struct in_addr addr;

	assert_int_equal(inet_pton(AF_INET, text, &addr), 1);
	return addr;
}

static inline void test_from_hex(struct test_packet *p, const char *hex)
{
	unsigned int octet;

	p->data = p->buf + ENCAP_HEADROOM;
	for (p->len = 0; hex[p->len * 2] != '\0'; p->len++) {
		assert_int_equal(sscanf(hex + p->len * 2, "%2x", &octet), 1);
		p->data[p->len] = (uint8_t)octet;
	}
}

/* An IPv4 packet of `len` octets whose payload counts up from 0. */
static inline void test_make(struct test_packet *p, size_t len, uint8_t protocol, const char *src,
			     const char *dst, uint16_t fragment)
{
	size_t i;

	p->data = p->buf + ENCAP_HEADROOM;
	p->len = len;
	memset(p->data, 0, IPV4_HEADER_MIN);
	for (i = IPV4_HEADER_MIN; i < len; i++)
		p->data[i] = (uint8_t)(i - IPV4_HEADER_MIN);
	p->data[0] = 0x45;
	ipv4_put16(p->data + IPV4_LENGTH, (uint16_t)len);
	ipv4_put16(p->data + IPV4_IDENT, 0x4711);
	ipv4_put16(p->data + IPV4_FRAGMENT, fragment);
	p->data[IPV4_TTL] = 63;
	p->data[IPV4_PROTOCOL] = protocol;
	ipv4_put_addr(p->data + IPV4_SRC, test_addr(src));
	ipv4_put_addr(p->data + IPV4_DST, test_addr(dst));
	ipv4_finish_header(p->data);
}

/* The same octets on the heap, with nothing behind them: a read too far is seen. */
static inline uint8_t *test_exact(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	memcpy(copy, data, len);
	return copy;
}

#endif

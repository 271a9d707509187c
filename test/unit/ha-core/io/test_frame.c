/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What goes straight onto a home link, octet for octet: advertisement A1, solicitation A2 (RFC 5944
 * §2, RFC 1256), and a reply to a node that is at home (§3.8.3.1).
 */
#include "ha-core/io/frame.h"

#include "common/err.h"
#include "ha-core/wire/advert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct frame_ends ends = {
	.mac_src = { 2, 0, 0, 0, 0, 0x01 },
	.mac_dst = { 1, 0, 0x5e, 0, 0, 1 },
};

static int set_addresses(void **state)
{
	(void)state;
	ends.src.s_addr = htonl(0xc0000201); /* 192.0.2.1 */
	ends.dst.s_addr = htonl(0xe0000001); /* 224.0.0.1 */
	return 0;
}

static const uint8_t a1[] = { 0x45, 0x00, 0x00, 0x30, 0x77, 0x77, 0x00, 0x00, 0x01, 0x01, 0xa0,
			      0x53, 192, 0, 2, 1, 224, 0, 0, 1, 0x09, 0x00, 0xbe, 0xe4, 0x01, 0x02,
			      0x07, 0x08, 192, 0, 2, 1, 0, 0, 0, 0,
			      /* Mobility Agent Advertisement: sequence 0, 1800 s, H M G */
			      0x10, 0x06, 0x00, 0x00, 0x07, 0x08, 0x2c, 0x00,
			      /* Prefix-Lengths: /24; one octet of padding */
			      0x13, 0x01, 0x18, 0x00 };

static const uint8_t a2[] = { 2,    0,    0,    0,    0,    1,    2,    0,    0,    0,
			      0,    0x10, 8,    0, /* Ethernet */
			      0x45, 0x00, 0x00, 0x1c, 0x77, 0x78, 0x00, 0x00, 0x01, 0x01,
			      0xa0, 0x53, 192,  0,    2,    10,   224,  0,    0,    11,
			      0x0a, 0x00, 0xf5, 0xff, 0,    0,    0,    0 };

static struct advert advert_of_a1(void)
{
	return (struct advert){
		.code = ADVERT_CODE_ROUTER,
		.lifetime_s = 1800,
		.routers = { { .addr = ends.src } },
		.router_cnt = 1,
		.registration_lifetime_s = 1800,
		.flags = ADVERT_FLAG_H | ADVERT_FLAG_M | ADVERT_FLAG_G,
		.has_prefix_lengths = true,
		.prefix_lengths = { 24 },
	};
}

static void a1_is_what_a_home_agent_advertises(void **state)
{
	const struct advert advert = advert_of_a1();
	uint8_t frame[FRAME_MAX], icmp[64];
	struct wire_writer w = wire_writer(icmp, sizeof(icmp));

	(void)state;
	advert_encode(&w, &advert);
	assert_false(w.failed);
	assert_int_equal(frame_put_icmp(frame, &ends, 0x7777, icmp, wire_len(&w)),
			 FRAME_ETHER_LEN + sizeof(a1));
	assert_memory_equal(frame, ends.mac_dst, ARP_MAC_LEN);
	assert_memory_equal(frame + FRAME_ETHER_LEN, a1, sizeof(a1));
}

static void padding_only_makes_the_length_even(void **state)
{
	struct advert advert = advert_of_a1();
	uint8_t icmp[64];
	struct wire_writer w = wire_writer(icmp, sizeof(icmp));

	(void)state;
	advert.router_cnt = 2; /* 2 + 2 octets of Prefix-Lengths */
	advert_encode(&w, &advert);
	assert_int_equal(wire_len(&w), 8 + 16 + 8 + 4);
	advert.has_prefix_lengths = false;
	w = wire_writer(icmp, sizeof(icmp));
	advert_encode(&w, &advert);
	assert_int_equal(wire_len(&w), 8 + 16 + 8);
}

static void sequence_numbers_below_256_say_restart(void **state)
{
	(void)state;
	assert_int_equal(advert_next_sequence(0), 1);
	assert_int_equal(advert_next_sequence(255), 256);
	assert_int_equal(advert_next_sequence(0xfffe), 0xffff);
	assert_int_equal(advert_next_sequence(0xffff), 256);
}

static void a2_is_a_solicitation(void **state)
{
	struct frame_packet packet;

	(void)state;
	assert_int_equal(frame_decode(a2, sizeof(a2), &packet), 0);
	assert_int_equal(packet.protocol, IPPROTO_ICMP);
	assert_int_equal(packet.ends.src.s_addr, htonl(0xc000020a));
	assert_int_equal(packet.ends.dst.s_addr, htonl(0xe000000b));
	assert_int_equal(packet.ends.mac_src[5], 0x10);
	assert_true(advert_is_solicitation(packet.payload, packet.len));
}

static void a_solicitation_has_code_0_and_eight_octets(void **state)
{
	uint8_t icmp[9] = { ADVERT_SOLICITATION_TYPE };

	(void)state;
	assert_true(advert_is_solicitation(icmp, 8));
	assert_true(advert_is_solicitation(icmp, 9));
	assert_false(advert_is_solicitation(icmp, 7));
	icmp[1] = 1;
	assert_false(advert_is_solicitation(icmp, 8));
	icmp[1] = 0;
	icmp[0] = ADVERT_ICMP_TYPE;
	assert_false(advert_is_solicitation(icmp, 8));
}

static void a_reply_carries_the_checksum_of_its_pseudo_header(void **state)
{
	/* 3 octets, so that the last one is summed alone: computed by hand (RFC 768). */
	static const uint8_t data[] = { 0x03, 0x00, 0x07 };
	static const uint8_t udp[] = {
		0x01, 0xb2, 0x9c, 0x40, 0, 11, 0xb5, 0xe2, 0x03, 0x00, 0x07
	};
	uint8_t frame[FRAME_MAX];
	struct frame_packet packet;
	size_t len;

	(void)state;
	len = frame_put_udp(frame, &ends, 434, 40000, data, sizeof(data));
	assert_int_equal(frame_decode(frame, len, &packet), 0);
	assert_int_equal(packet.protocol, IPPROTO_UDP);
	assert_int_equal(packet.ttl, 64);
	assert_int_equal(packet.len, sizeof(udp));
	assert_memory_equal(packet.payload, udp, sizeof(udp));
}

static void a_packet_longer_than_a_frame_is_not_built(void **state)
{
	static const uint8_t data[FRAME_MAX];
	uint8_t frame[FRAME_MAX];

	(void)state;
	assert_int_equal(frame_put_udp(frame, &ends, 1, 2, data, 1472), FRAME_MAX);
	assert_int_equal(frame_put_udp(frame, &ends, 1, 2, data, 1473), 0);
}

static void a_frame_that_contradicts_itself_is_no_packet(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		int rc;
	} rows[] = {
		{ 13, 0xdd, ERR_UNSUPPORTED }, /* not IPv4 */
		{ 14, 0x65, ERR_UNSUPPORTED }, /* nor here */
		{ 14, 0x44, ERR_MALFORMED },   /* header of 16 octets */
		{ 17, 19, ERR_MALFORMED },     /* a total less than the header */
		{ 17, 29, ERR_TRUNCATED },     /* more than there is */
		{ 20, 0x20, ERR_UNSUPPORTED }, /* more fragments */
		{ 21, 1, ERR_UNSUPPORTED },    /* a later one */
		{ 24, 0, ERR_MALFORMED },      /* checksum */
	};
	uint8_t frame[sizeof(a2)];
	struct frame_packet packet;
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		memcpy(frame, a2, sizeof(a2));
		frame[rows[i].at] = rows[i].value;
		assert_int_equal(frame_decode(frame, sizeof(frame), &packet), rows[i].rc);
	}
	for (len = 0; len < sizeof(a2); len++)
		assert_int_equal(frame_decode(a2, len, &packet), ERR_TRUNCATED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a1_is_what_a_home_agent_advertises),
		cmocka_unit_test(padding_only_makes_the_length_even),
		cmocka_unit_test(sequence_numbers_below_256_say_restart),
		cmocka_unit_test(a2_is_a_solicitation),
		cmocka_unit_test(a_solicitation_has_code_0_and_eight_octets),
		cmocka_unit_test(a_reply_carries_the_checksum_of_its_pseudo_header),
		cmocka_unit_test(a_packet_longer_than_a_frame_is_not_built),
		cmocka_unit_test(a_frame_that_contradicts_itself_is_no_packet),
	};

	return cmocka_run_group_tests(tests, set_addresses, NULL);
}

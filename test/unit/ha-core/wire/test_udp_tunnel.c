/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP Tunnel Request and Reply, octet for octet (RFC 3519 §3.1, §3.2). */
#include "ha-core/wire/udp_tunnel.h"

#include "common/err.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct ext ext_of(const uint8_t *octets, size_t len)
{
	struct wire_reader r = wire_reader(octets, len);
	struct ext ext;

	assert_int_equal(ext_next(&r, &ext), 1);
	return ext;
}

static void requests_stand_as_the_standard_draws_them(void **state)
{
	static const struct {
		uint8_t octets[8];
		struct udp_tunnel_request req;
	} rows[] = {
		{ { 0x90, 6, 0, 0, 0, 0, 0, 0 }, { false, false, 0 } },
		{ { 0x90, 6, 0, 0, 0x80, 0, 0, 0 }, { true, false, 0 } },
		{ { 0x90, 6, 0, 0, 0x40, 0, 0, 0 }, { false, true, 0 } },
		{ { 0x90, 6, 0, 0, 0xc0, 4, 0, 0 }, { true, true, 4 } },
		{ { 0x90, 6, 0, 0, 0, 47, 0, 0 }, { false, false, 47 } },
		{ { 0x90, 6, 0, 0, 0, 55, 0, 0 }, { false, false, 55 } },
		{ { 0x90, 6, 0, 0, 0, 255, 0, 0 }, { false, false, 255 } },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ext ext = ext_of(rows[i].octets, 8);
		struct udp_tunnel_request req;
		uint8_t buf[8];
		struct wire_writer w = wire_writer(buf, sizeof(buf));

		assert_int_equal(udp_tunnel_request_decode(&ext, &req), 0);
		assert_int_equal(req.forced, rows[i].req.forced);
		assert_int_equal(req.registered_fa, rows[i].req.registered_fa);
		assert_int_equal(req.encapsulation, rows[i].req.encapsulation);
		udp_tunnel_request_encode(&w, &rows[i].req);
		assert_int_equal(wire_len(&w), 8);
		assert_memory_equal(buf, rows[i].octets, 8);
	}
}

static void reserved_1_and_2_are_ignored(void **state)
{
	static const uint8_t octets[] = { 0x90, 6, 0, 0xff, 0x3f, 0, 0, 0 };
	struct ext ext = ext_of(octets, sizeof(octets));
	struct udp_tunnel_request req;

	(void)state;
	assert_int_equal(udp_tunnel_request_decode(&ext, &req), 0);
	assert_false(req.forced);
	assert_false(req.registered_fa);
}

static void reserved_3_and_sub_types_are_not_understood(void **state)
{
	static const uint8_t rows[][8] = {
		{ 0x90, 6, 0, 0, 0, 0, 0, 1 },
		{ 0x90, 6, 0, 0, 0, 0, 0x80, 0 },
		{ 0x90, 6, 1, 0, 0, 0, 0, 0 },
		{ 0x90, 6, 255, 0, 0, 0, 0, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ext ext = ext_of(rows[i], 8);
		struct udp_tunnel_request req = { .encapsulation = 77 };

		assert_int_equal(udp_tunnel_request_decode(&ext, &req), ERR_UNSUPPORTED);
		assert_int_equal(req.encapsulation, 77);
	}
}

static void another_length_is_malformed(void **state)
{
	uint8_t octets[257] = { 0x90 };
	struct udp_tunnel_request req;
	struct udp_tunnel_reply reply;
	unsigned int len;

	(void)state;
	for (len = 0; len < 256; len++) {
		struct ext ext;

		octets[1] = (uint8_t)len;
		ext = ext_of(octets, 2 + len);
		assert_int_equal(udp_tunnel_request_decode(&ext, &req),
				 len == 6 ? 0 : ERR_MALFORMED);
		assert_int_equal(udp_tunnel_reply_decode(&ext, &reply),
				 len == 6 ? 0 : ERR_MALFORMED);
	}
}

static void replies_stand_as_the_standard_draws_them(void **state)
{
	static const struct {
		uint8_t octets[8];
		struct udp_tunnel_reply reply;
	} rows[] = {
		{ { 0x2c, 6, 0, 0, 0, 0, 0, 0x6e }, { 0, false, 110 } },
		{ { 0x2c, 6, 0, 0, 0x80, 0, 0, 0x6e }, { 0, true, 110 } },
		{ { 0x2c, 6, 0, 0, 0, 0, 0, 0 }, { 0, false, 0 } },
		{ { 0x2c, 6, 0, 64, 0, 0, 0, 0 }, { 64, false, 0 } },
		{ { 0x2c, 6, 0, 0, 0, 0, 0xff, 0xfe }, { 0, false, 65534 } },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ext ext = ext_of(rows[i].octets, 8);
		struct udp_tunnel_reply reply;
		uint8_t buf[8];
		struct wire_writer w = wire_writer(buf, sizeof(buf));

		assert_int_equal(udp_tunnel_reply_decode(&ext, &reply), 0);
		assert_int_equal(reply.code, rows[i].reply.code);
		assert_int_equal(reply.forced, rows[i].reply.forced);
		assert_int_equal(reply.keepalive_s, rows[i].reply.keepalive_s);
		udp_tunnel_reply_encode(&w, &rows[i].reply);
		assert_int_equal(wire_len(&w), 8);
		assert_memory_equal(buf, rows[i].octets, 8);
	}
}

static void reserved_bits_of_a_reply_are_ignored(void **state)
{
	static const uint8_t octets[] = { 0x2c, 6, 0, 0, 0x7f, 0xff, 0, 60 };
	struct ext ext = ext_of(octets, sizeof(octets));
	struct udp_tunnel_reply reply;

	(void)state;
	assert_int_equal(udp_tunnel_reply_decode(&ext, &reply), 0);
	assert_false(reply.forced);
	assert_int_equal(reply.keepalive_s, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_stand_as_the_standard_draws_them),
		cmocka_unit_test(reserved_1_and_2_are_ignored),
		cmocka_unit_test(reserved_3_and_sub_types_are_not_understood),
		cmocka_unit_test(another_length_is_malformed),
		cmocka_unit_test(replies_stand_as_the_standard_draws_them),
		cmocka_unit_test(reserved_bits_of_a_reply_are_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

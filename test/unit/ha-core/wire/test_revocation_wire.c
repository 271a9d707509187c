/* SPDX-License-Identifier: BSD-2-Clause */
/* Revocation Support, Revocation and its acknowledgement, octet for octet (RFC 3543 §3). */
#include "ha-core/wire/revocation.h"

#include "common/addr.h"
#include "common/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void support_stands_as_the_standard_draws_it(void **state)
{
	static const struct {
		uint8_t octets[8];
		struct revocation_support support;
	} rows[] = {
		{ { 0x89, 6, 0, 0, 0xcb, 0xff, 0x82, 0xc0 }, { false, 0xcbff82c0 } },
		{ { 0x89, 6, 0x80, 0, 0xcb, 0xff, 0x82, 0xc0 }, { true, 0xcbff82c0 } },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct wire_reader r = wire_reader(rows[i].octets, 8);
		uint8_t buf[8];
		struct wire_writer w = wire_writer(buf, sizeof(buf));
		struct revocation_support support;
		struct ext ext;

		assert_int_equal(ext_next(&r, &ext), 1);
		assert_int_equal(ext.type, EXT_REVOCATION_SUPPORT);
		assert_int_equal(revocation_support_decode(&ext, &support), 0);
		assert_int_equal(support.inform, rows[i].support.inform);
		assert_int_equal(support.timestamp, rows[i].support.timestamp);
		revocation_support_encode(&w, &support);
		assert_int_equal(wire_len(&w), 8);
		assert_memory_equal(buf, rows[i].octets, 8);
	}
}

static void support_may_be_longer_but_not_shorter(void **state)
{
	static const uint8_t octets[] = { 0x80, 0, 0, 0, 0, 1, 0xff };
	struct ext ext = { .type = EXT_REVOCATION_SUPPORT, .data = octets };
	struct revocation_support support;

	(void)state;
	for (ext.len = 0; ext.len < 6; ext.len++)
		assert_int_equal(revocation_support_decode(&ext, &support), ERR_TRUNCATED);
	for (; ext.len <= sizeof(octets); ext.len++) {
		assert_int_equal(revocation_support_decode(&ext, &support), 0);
		assert_int_equal(support.timestamp, 1);
	}
}

/* The fixed parts of E3b and E4, and of E21 and E22, whose bits are set. */
static const uint8_t e3b[] = { 7,   0, 0x80, 0, 198, 51, 100,  50,   198,  51,
			       100, 2, 203,  0, 113, 7,  0xcb, 0xff, 0x83, 0x24 };
static const uint8_t e4[] = { 15, 0, 0, 0, 198, 51, 100, 50, 0xcb, 0xff, 0x83, 0x24 };
static const uint8_t e21[] = { 7, 0, 0x40, 0, 10, 1, 0,    50,   10,   1,
			       0, 2, 10,   3, 0,  1, 0xcb, 0xff, 0x83, 0x05 };
static const uint8_t e22[] = { 15, 0, 0x80, 0, 10, 1, 0, 50, 0xcb, 0xff, 0x83, 0x05 };

static void assert_message(const uint8_t *octets, bool from_home_agent, bool inform, uint32_t ident)
{
	struct wire_reader r = wire_reader(octets, REVOCATION_LEN);
	uint8_t buf[REVOCATION_LEN];
	struct wire_writer w = wire_writer(buf, sizeof(buf));
	struct revocation_message m;
	size_t len;

	assert_int_equal(revocation_message_decode(&r, &m), 0);
	assert_int_equal(m.from_home_agent, from_home_agent);
	assert_int_equal(m.inform, inform);
	assert_memory_equal(&m.home_addr, octets + 4, 4);
	assert_memory_equal(&m.home_domain, octets + 8, 4);
	assert_memory_equal(&m.foreign_domain, octets + 12, 4);
	assert_int_equal(m.ident, ident);
	revocation_message_encode(&w, &m);
	assert_int_equal(wire_len(&w), REVOCATION_LEN);
	assert_memory_equal(buf, octets, REVOCATION_LEN);
	for (len = 0; len < REVOCATION_LEN; len++) {
		r = wire_reader(octets, len);
		assert_int_equal(revocation_message_decode(&r, &m), ERR_TRUNCATED);
	}
}

static void assert_ack(const uint8_t *octets, bool inform, uint32_t ident)
{
	struct wire_reader r = wire_reader(octets, REVOCATION_ACK_LEN);
	uint8_t buf[REVOCATION_ACK_LEN];
	struct wire_writer w = wire_writer(buf, sizeof(buf));
	struct revocation_ack ack;
	size_t len;

	assert_int_equal(revocation_ack_decode(&r, &ack), 0);
	assert_int_equal(ack.inform, inform);
	assert_memory_equal(&ack.home_addr, octets + 4, 4);
	assert_int_equal(ack.ident, ident);
	revocation_ack_encode(&w, &ack);
	assert_int_equal(wire_len(&w), REVOCATION_ACK_LEN);
	assert_memory_equal(buf, octets, REVOCATION_ACK_LEN);
	for (len = 0; len < REVOCATION_ACK_LEN; len++) {
		r = wire_reader(octets, len);
		assert_int_equal(revocation_ack_decode(&r, &ack), ERR_TRUNCATED);
	}
}

static void messages_stand_as_the_standard_draws_them(void **state)
{
	(void)state;
	assert_message(e3b, true, false, 0xcbff8324);
	assert_message(e21, false, true, 0xcbff8305);
	assert_ack(e4, false, 0xcbff8324);
	assert_ack(e22, true, 0xcbff8305);
}

static void one_is_not_the_other(void **state)
{
	struct wire_reader r = wire_reader(e21, sizeof(e21));
	struct revocation_message m;
	struct revocation_ack ack;
	uint8_t long_ack[REVOCATION_LEN] = { 15 };

	(void)state;
	assert_int_equal(revocation_ack_decode(&r, &ack), ERR_INVALID);
	r = wire_reader(long_ack, sizeof(long_ack));
	assert_int_equal(revocation_message_decode(&r, &m), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(support_stands_as_the_standard_draws_it),
		cmocka_unit_test(support_may_be_longer_but_not_shorter),
		cmocka_unit_test(messages_stand_as_the_standard_draws_them),
		cmocka_unit_test(one_is_not_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The cursors: big-endian, never past the end, and a failure that stays. */
#include "ha-core/wire/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* A heap block of exactly this size, so that a sanitizer sees each octet too far. */
static uint8_t *block(const void *data, size_t len)
{
	uint8_t *p = malloc(len ? len : 1);

	assert_non_null(p);
	if (data)
		memcpy(p, data, len);
	return p;
}

static void numbers_are_big_endian(void **state)
{
	static const uint8_t octets[] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,
					  0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e,
					  0x0f, 192,  0,    2,    1 };
	struct wire_reader r = wire_reader(octets, sizeof(octets));

	(void)state;
	assert_int_equal(wire_u8(&r), 0x01);
	assert_int_equal(wire_u16(&r), 0x0203);
	assert_int_equal(wire_u32(&r), 0x04050607);
	assert_true(wire_u64(&r) == 0x08090a0b0c0d0e0fu);
	assert_int_equal(wire_addr(&r).s_addr, htonl(0xc0000201));
	assert_int_equal(wire_left(&r), 0);
	assert_false(r.failed);
}

static void all_bits_of_a_number_survive(void **state)
{
	static const uint8_t octets[] = { 0xff, 0xff, 0xff, 0xfe, 0xfd, 0xfc, 0x80,
					  0,    0,    0,    0,    0,    0,    0x01 };
	struct wire_reader r = wire_reader(octets, sizeof(octets));

	(void)state;
	assert_int_equal(wire_u16(&r), 0xffff);
	assert_true(wire_u32(&r) == 0xfffefdfcu);
	assert_true(wire_u64(&r) == 0x8000000000000001u);
}

static void a_failed_reader_gives_zeros_and_stays_failed(void **state)
{
	static const uint8_t octets[] = { 1, 2, 3 };
	struct wire_reader r = wire_reader(octets, sizeof(octets));

	(void)state;
	assert_int_equal(wire_u32(&r), 0);
	assert_true(r.failed);
	/* There are octets left, and still nothing comes. */
	assert_int_equal(wire_left(&r), 3);
	assert_int_equal(wire_u8(&r), 0);
	assert_int_equal(wire_u16(&r), 0);
	assert_true(wire_u64(&r) == 0);
	assert_int_equal(wire_addr(&r).s_addr, 0);
	assert_null(wire_bytes(&r, 0));
	assert_int_equal(wire_left(&r), 3);
}

static void reading_stops_at_every_possible_end(void **state)
{
	static const uint8_t octets[19] = { 0xff, 0xff, 0xff, 0xff };
	size_t len;

	(void)state;
	for (len = 0; len <= sizeof(octets); len++) {
		uint8_t *p = block(octets, len);
		struct wire_reader r = wire_reader(p, len);

		wire_u8(&r);
		wire_u16(&r);
		wire_u32(&r);
		wire_u64(&r);
		wire_addr(&r);
		assert_int_equal(r.failed, len < sizeof(octets));
		assert_true(r.pos >= p && r.pos <= r.end);
		free(p);
	}
}

static void bytes_lie_in_place(void **state)
{
	static const uint8_t octets[] = { 1, 2, 3 };
	struct wire_reader r = wire_reader(octets, sizeof(octets));

	(void)state;
	assert_ptr_equal(wire_bytes(&r, 0), octets);
	assert_ptr_equal(wire_bytes(&r, 2), octets);
	assert_ptr_equal(wire_bytes(&r, 1), octets + 2);
	assert_non_null(wire_bytes(&r, 0));
	assert_null(wire_bytes(&r, 1));
	assert_true(r.failed);
}

static void a_length_near_the_end_of_memory_does_not_wrap(void **state)
{
	static const uint8_t octets[4];
	struct wire_reader r = wire_reader(octets, sizeof(octets));
	uint8_t out[4];
	struct wire_writer w = wire_writer(out, sizeof(out));

	(void)state;
	wire_u8(&r);
	assert_null(wire_bytes(&r, SIZE_MAX));
	assert_true(r.failed);
	wire_put_u8(&w, 1);
	assert_null(wire_room(&w, SIZE_MAX));
	assert_true(w.failed);
}

static void what_was_written_is_read_back(void **state)
{
	const struct in_addr addr = { .s_addr = htonl(0x0a320007) };
	uint8_t buf[22];
	struct wire_writer w = wire_writer(buf, sizeof(buf));
	struct wire_reader r;

	(void)state;
	wire_put_u8(&w, 0xfe);
	wire_put_u16(&w, 0xfedc);
	wire_put_u32(&w, 0xfedcba98u);
	wire_put_u64(&w, 0xfedcba9876543210u);
	wire_put_addr(&w, addr);
	wire_put_bytes(&w, "abc", 3);
	assert_false(w.failed);
	assert_int_equal(wire_len(&w), sizeof(buf));

	r = wire_reader(buf, wire_len(&w));
	assert_int_equal(wire_u8(&r), 0xfe);
	assert_int_equal(wire_u16(&r), 0xfedc);
	assert_true(wire_u32(&r) == 0xfedcba98u);
	assert_true(wire_u64(&r) == 0xfedcba9876543210u);
	assert_int_equal(wire_addr(&r).s_addr, addr.s_addr);
	assert_memory_equal(wire_bytes(&r, 3), "abc", 3);
	assert_false(r.failed);
}

static void writing_stops_at_every_possible_end(void **state)
{
	static const struct in_addr any;
	size_t size;

	(void)state;
	for (size = 0; size <= 19; size++) {
		uint8_t *p = block(NULL, size);
		struct wire_writer w = wire_writer(p, size);

		wire_put_u8(&w, 1);
		wire_put_u16(&w, 2);
		wire_put_u32(&w, 3);
		wire_put_u64(&w, 4);
		wire_put_addr(&w, any);
		assert_int_equal(w.failed, size < 19);
		assert_true(w.pos >= p && w.pos <= w.end);
		free(p);
	}
}

static void a_failed_writer_writes_no_more(void **state)
{
	uint8_t buf[4] = { 9, 9, 9, 9 };
	struct wire_writer w = wire_writer(buf, sizeof(buf));

	(void)state;
	wire_put_u8(&w, 1);
	wire_put_bytes(&w, "abcd", 4);
	assert_true(w.failed);
	wire_put_u8(&w, 2);
	wire_put_bytes(&w, "", 0);
	assert_int_equal(wire_len(&w), 1);
	assert_int_equal(buf[0], 1);
	assert_int_equal(buf[1], 9);
}

static void nothing_at_all_can_be_read_and_written(void **state)
{
	struct wire_reader r = wire_reader(NULL, 0);
	struct wire_writer w = wire_writer(NULL, 0);

	(void)state;
	assert_int_equal(wire_left(&r), 0);
	assert_int_equal(wire_u8(&r), 0);
	assert_true(r.failed);
	wire_put_bytes(&w, NULL, 0);
	assert_false(w.failed);
	wire_put_u8(&w, 0);
	assert_true(w.failed);
	assert_int_equal(wire_len(&w), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_big_endian),
		cmocka_unit_test(all_bits_of_a_number_survive),
		cmocka_unit_test(a_failed_reader_gives_zeros_and_stays_failed),
		cmocka_unit_test(reading_stops_at_every_possible_end),
		cmocka_unit_test(bytes_lie_in_place),
		cmocka_unit_test(a_length_near_the_end_of_memory_does_not_wrap),
		cmocka_unit_test(what_was_written_is_read_back),
		cmocka_unit_test(writing_stops_at_every_possible_end),
		cmocka_unit_test(a_failed_writer_writes_no_more),
		cmocka_unit_test(nothing_at_all_can_be_read_and_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

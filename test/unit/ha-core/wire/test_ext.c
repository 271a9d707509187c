/* SPDX-License-Identifier: BSD-2-Clause */
/* The extension walk (RFC 5944 §1.8-1.11). */
#include "ha-core/wire/ext.h"

#include "common/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static int first(const uint8_t *octets, size_t len, struct ext *ret_ext)
{
	struct wire_reader r = wire_reader(octets, len);

	return ext_next(&r, ret_ext);
}

static void nothing_is_the_end(void **state)
{
	struct ext ext;

	(void)state;
	assert_int_equal(first((const uint8_t *)"", 0, &ext), 0);
}

static void padding_is_one_octet_without_a_length(void **state)
{
	static const uint8_t octets[] = { 0, 0, 200, 1, 7, 0 };
	struct wire_reader r = wire_reader(octets, sizeof(octets));
	struct ext ext;

	(void)state;
	assert_int_equal(ext_next(&r, &ext), 1);
	assert_int_equal(ext.type, EXT_PADDING);
	assert_null(ext.data);
	assert_int_equal(ext.len, 0);
	assert_ptr_equal(ext.start, octets);
	assert_int_equal(ext_next(&r, &ext), 1);
	assert_ptr_equal(ext.start, octets + 1);
	assert_int_equal(ext_next(&r, &ext), 1);
	assert_int_equal(ext.type, 200);
	assert_ptr_equal(ext.start, octets + 2);
	assert_ptr_equal(ext.data, octets + 4);
	assert_int_equal(ext.len, 1);
	assert_int_equal(ext_next(&r, &ext), 1);
	assert_int_equal(ext.type, EXT_PADDING);
	assert_int_equal(ext_next(&r, &ext), 0);
}

/* Types 1..127 that we know; all others condemn the message. */
static bool is_ours(unsigned int type)
{
	return type == 32 || type == 33 || type == 34 || type == 38 || type == 44 || type == 45;
}

static void types_below_128_that_we_do_not_know_condemn_the_message(void **state)
{
	unsigned int type;

	(void)state;
	for (type = 1; type < 128; type++) {
		const uint8_t octets[] = { (uint8_t)type, 2, 0, 0 }; /* of any layout */
		struct ext ext = { .len = 77 };
		int rc = first(octets, sizeof(octets), &ext);

		assert_int_equal(rc, is_ours(type) ? 1 : ERR_UNKNOWN_EXT);
		if (rc < 0)
			assert_int_equal(ext.len, 77);
	}
}

static void types_from_128_on_are_returned_known_or_not(void **state)
{
	unsigned int type;

	(void)state;
	for (type = 128; type < 256; type++) {
		const uint8_t octets[] = { (uint8_t)type, 2, 5, 6, 99 };
		struct ext ext;

		assert_int_equal(first(octets, sizeof(octets), &ext), 1);
		assert_int_equal(ext.type, type);
		assert_int_equal(ext.len, 2);
		assert_ptr_equal(ext.data, octets + 2);
	}
}

static void lengths_of_zero_and_of_255_are_in_order(void **state)
{
	static const uint8_t empty[] = { 150, 0 };
	uint8_t full[257] = { 150, 255 };
	struct ext ext;

	(void)state;
	assert_int_equal(first(empty, sizeof(empty), &ext), 1);
	assert_int_equal(ext.len, 0);
	assert_int_equal(first(full, sizeof(full), &ext), 1);
	assert_int_equal(ext.len, 255);
	assert_int_equal(first(full, sizeof(full) - 1, &ext), ERR_TRUNCATED);
}

static void what_runs_past_the_end_is_truncated_at_every_octet(void **state)
{
	static const uint8_t octets[] = { 32, 20, 0, 0, 1,  0,  1,  2,  3,  4,  5,
					  6,  7,  8, 9, 10, 11, 12, 13, 14, 15, 16 };
	size_t len;

	(void)state;
	for (len = 1; len < sizeof(octets); len++) {
		uint8_t *p = malloc(len);
		struct ext ext;

		assert_non_null(p);
		memcpy(p, octets, len);
		assert_int_equal(first(p, len, &ext), ERR_TRUNCATED);
		free(p);
	}
}

/* RFC 4433 drew type 139 in the long layout, its erratum 898 took that back; both are about. */
static void type_139_is_walked_over_in_both_layouts(void **state)
{
	static const uint8_t short_form[] = { 139, 5, 1, 198, 51, 100, 2, 0 };
	static const uint8_t drawn[] = { 139, 1, 0, 4, 198, 51, 100, 2, 0 };
	struct wire_reader r = wire_reader(short_form, sizeof(short_form));
	struct ext ext;
	size_t len;

	(void)state;
	assert_int_equal(ext_next(&r, &ext), 1);
	assert_int_equal(wire_left(&r), 1);
	r = wire_reader(drawn, sizeof(drawn));
	assert_int_equal(ext_next(&r, &ext), 1);
	assert_int_equal(wire_left(&r), 1);
	for (len = 4; len < sizeof(drawn) - 1; len++) {
		uint8_t *p = malloc(len);

		assert_non_null(p);
		memcpy(p, drawn, len);
		assert_int_equal(first(p, len, &ext), ERR_TRUNCATED);
		free(p);
	}
}

static void a_walk_over_anything_ends_and_stays_inside(void **state)
{
	unsigned int seed = 1, round;

	(void)state;
	for (round = 0; round < 20000; round++) {
		uint8_t octets[64];
		size_t len, i;
		uint8_t *p;
		struct wire_reader r;
		struct ext ext;
		unsigned int steps = 0;

		seed = seed * 1103515245u + 12345u;
		len = seed >> 16 & 63;
		for (i = 0; i < len; i++) {
			seed = seed * 1103515245u + 12345u;
			octets[i] = (uint8_t)(seed >> 16);
			if (i % 3 == 1)
				octets[i] &= 7;
		}
		p = malloc(len ? len : 1);
		assert_non_null(p);
		memcpy(p, octets, len);
		r = wire_reader(p, len);
		while (ext_next(&r, &ext) > 0) {
			assert_true(ext.start >= p && ext.start < p + len);
			assert_true(!ext.data || ext.data + ext.len <= p + len);
			assert_true(++steps <= len);
		}
		free(p);
	}
}

static void a_header_is_type_and_length(void **state)
{
	uint8_t buf[2];
	struct wire_writer w = wire_writer(buf, sizeof(buf));

	(void)state;
	ext_put_header(&w, EXT_TRUSTED_NETWORKS, 2);
	assert_int_equal(buf[0], 149);
	assert_int_equal(buf[1], 2);
	ext_put_header(&w, EXT_NAI, 0);
	assert_true(w.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_the_end),
		cmocka_unit_test(padding_is_one_octet_without_a_length),
		cmocka_unit_test(types_below_128_that_we_do_not_know_condemn_the_message),
		cmocka_unit_test(types_from_128_on_are_returned_known_or_not),
		cmocka_unit_test(lengths_of_zero_and_of_255_are_in_order),
		cmocka_unit_test(what_runs_past_the_end_is_truncated_at_every_octet),
		cmocka_unit_test(type_139_is_walked_over_in_both_layouts),
		cmocka_unit_test(a_walk_over_anything_ends_and_stays_inside),
		cmocka_unit_test(a_header_is_type_and_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The extensions of RFC 4433, in the layout of its erratum and in that of its figure. */
#include "ha-core/wire/dynamic_ha.h"

#include "common/err.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t requested[] = { 0x8b, 5, 1, 0xc6, 0x33, 0x64, 2 };
static const uint8_t requested_drawn[] = { 0x8b, 1, 0, 4, 0xc6, 0x33, 0x64, 2 };
static const uint8_t redirected[] = { 0x8b, 5, 2, 0xc6, 0x33, 0x64, 3 };
static const uint8_t redirected_drawn[] = { 0x8b, 2, 0, 4, 0xc6, 0x33, 0x64, 3 };

/* Through the walk, as in a message; the octets lie in a buffer of their exact size. */
static int decode(const uint8_t *octets, size_t len, struct dynamic_ha *ret)
{
	uint8_t *copy = malloc(len);
	struct wire_reader r;
	struct ext ext;
	int rc;

	assert_non_null(copy);
	memcpy(copy, octets, len);
	r = wire_reader(copy, len);
	rc = ext_next(&r, &ext);
	if (rc == 1)
		rc = dynamic_ha_decode(&ext, ret);
	free(copy);
	return rc;
}

static void expect(const uint8_t *octets, size_t len, uint8_t type, const char *addr)
{
	struct dynamic_ha ha;

	assert_int_equal(decode(octets, len, &ha), 0);
	assert_int_equal(ha.type, type);
	assert_int_equal(ha.addr.s_addr, inet_addr(addr));
}

static void both_layouts_are_read(void **state)
{
	(void)state;
	expect(requested, sizeof(requested), DYNAMIC_HA_REQUESTED, "198.51.100.2");
	expect(requested_drawn, sizeof(requested_drawn), DYNAMIC_HA_REQUESTED, "198.51.100.2");
	expect(redirected, sizeof(redirected), DYNAMIC_HA_REDIRECTED, "198.51.100.3");
	expect(redirected_drawn, sizeof(redirected_drawn), DYNAMIC_HA_REDIRECTED, "198.51.100.3");
}

static void both_layouts_are_written(void **state)
{
	const struct dynamic_ha ha = { DYNAMIC_HA_REDIRECTED, { inet_addr("198.51.100.3") } };
	uint8_t buf[8];
	struct wire_writer w = wire_writer(buf, sizeof(buf));

	(void)state;
	dynamic_ha_encode(&w, &ha, false);
	assert_false(w.failed);
	assert_int_equal(wire_len(&w), sizeof(redirected));
	assert_memory_equal(buf, redirected, sizeof(redirected));
	w = wire_writer(buf, sizeof(buf));
	dynamic_ha_encode(&w, &ha, true);
	assert_false(w.failed);
	assert_int_equal(wire_len(&w), sizeof(redirected_drawn));
	assert_memory_equal(buf, redirected_drawn, sizeof(redirected_drawn));
	w = wire_writer(buf, sizeof(redirected_drawn) - 1);
	dynamic_ha_encode(&w, &ha, true);
	assert_true(w.failed);
}

static void another_sub_type_or_length_is_invalid(void **state)
{
	static const uint8_t sub_type_3[] = { 0x8b, 5, 3, 1, 2, 3, 4 };
	static const uint8_t sub_type_0[] = { 0x8b, 5, 0, 1, 2, 3, 4 };
	static const uint8_t shorter[] = { 0x8b, 4, 1, 1, 2, 3 };
	static const uint8_t longer[] = { 0x8b, 6, 1, 1, 2, 3, 4, 5 };
	static const uint8_t seven[] = { 0x8b, 7, 1, 0, 4, 1, 2, 3, 4 };
	static const uint8_t empty[] = { 0x8b, 0 };
	struct dynamic_ha ha = { .type = 77 };

	(void)state;
	assert_int_equal(decode(sub_type_3, sizeof(sub_type_3), &ha), ERR_INVALID);
	assert_int_equal(decode(sub_type_0, sizeof(sub_type_0), &ha), ERR_INVALID);
	assert_int_equal(decode(shorter, sizeof(shorter), &ha), ERR_INVALID);
	assert_int_equal(decode(longer, sizeof(longer), &ha), ERR_INVALID);
	assert_int_equal(decode(seven, sizeof(seven), &ha), ERR_INVALID);
	assert_int_equal(decode(empty, sizeof(empty), &ha), ERR_INVALID);
	assert_int_equal(ha.type, 77);
}

static void cut_at_every_octet_it_is_no_extension(void **state)
{
	struct dynamic_ha ha;
	size_t len;

	(void)state;
	for (len = 1; len < sizeof(requested); len++)
		assert_true(decode(requested, len, &ha) < 0);
	for (len = 1; len < sizeof(requested_drawn); len++)
		assert_true(decode(requested_drawn, len, &ha) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_layouts_are_read),
		cmocka_unit_test(both_layouts_are_written),
		cmocka_unit_test(another_sub_type_or_length_is_invalid),
		cmocka_unit_test(cut_at_every_octet_it_is_no_extension),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

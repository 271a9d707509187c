/* SPDX-License-Identifier: BSD-2-Clause */
/* Vendors' extensions (RFC 3115) and Message String (RFC 4917): octets. */
#include "ha-core/wire/message_string.h"
#include "ha-core/wire/vendor.h"

#include "common/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t critical[] = { 0x26, 0, 0, 9, 0, 0, 0x7e, 0xd9, 0, 7, 'a', 'b', 'c' };
static const uint8_t normal[] = { 0x86, 11, 0, 0, 0, 0, 0x7e, 0xd9, 0, 7, 'a', 'b', 'c' };

static void expect(const uint8_t *octets, size_t len)
{
	struct wire_reader r = wire_reader(octets, len);
	struct vendor_ext v;
	struct ext ext;

	assert_int_equal(ext_next(&r, &ext), 1);
	assert_int_equal(wire_left(&r), 0);
	assert_int_equal(vendor_ext_decode(&ext, &v), 0);
	assert_int_equal(v.vendor, 32473);
	assert_int_equal(v.type, 7);
	assert_int_equal(v.value_len, 3);
	assert_memory_equal(v.value, "abc", 3);
}

static void both_kinds_name_vendor_and_type(void **state)
{
	(void)state;
	expect(critical, sizeof(critical));
	expect(normal, sizeof(normal));
}

/* RFC 3115 §2.1: the critical one has a Length of two octets, behind a reserved one. */
static void a_critical_one_may_be_longer_than_255_octets(void **state)
{
	uint8_t octets[4 + 0x0300 + 1] = { 0x26, 0xff, 3, 0 };
	struct wire_reader r = wire_reader(octets, sizeof(octets));
	struct ext ext;

	(void)state;
	assert_int_equal(ext_next(&r, &ext), 1);
	assert_int_equal(ext.len, 0x0300);
	assert_int_equal(wire_left(&r), 1);
	r = wire_reader(octets, sizeof(octets) - 2);
	assert_int_equal(ext_next(&r, &ext), ERR_TRUNCATED);
}

static void cut_at_every_octet_it_is_truncated(void **state)
{
	struct wire_reader r;
	struct ext ext;
	size_t len;
	uint8_t *p;

	(void)state;
	for (len = 1; len < sizeof(critical); len++) {
		p = malloc(len);
		assert_non_null(p);
		memcpy(p, critical, len);
		r = wire_reader(p, len);
		assert_int_equal(ext_next(&r, &ext), ERR_TRUNCATED);
		free(p);
	}
}

static void without_room_for_vendor_and_type_it_is_truncated(void **state)
{
	uint8_t octets[sizeof(critical)];
	struct vendor_ext v = { .type = 77 };
	struct ext ext = { .type = EXT_CRITICAL_VENDOR, .data = octets + 4 };

	(void)state;
	memcpy(octets, critical, sizeof(octets));
	for (ext.len = 0; ext.len < 6; ext.len++)
		assert_int_equal(vendor_ext_decode(&ext, &v), ERR_TRUNCATED);
	assert_int_equal(vendor_ext_decode(&ext, &v), 0);
	assert_int_equal(v.value_len, 0);
	ext = (struct ext){ .type = EXT_NORMAL_VENDOR, .data = normal + 2, .len = 7 };
	assert_int_equal(vendor_ext_decode(&ext, &v), ERR_TRUNCATED);
}

/* vectors-ext.md §1 */
static void a_message_string_is_of_a_home_agent(void **state)
{
	static const uint8_t locked[] = { 0x91, 0x0f, 0x01, 'A', 'c', 'c', 'o', 'u', 'n',
					  't',  ' ',  'l',  'o', 'c', 'k', 'e', 'd' };
	uint8_t buf[2 + 1 + MESSAGE_STRING_MAX];
	char longest[MESSAGE_STRING_MAX + 1];
	struct wire_writer w = wire_writer(buf, sizeof(buf));

	(void)state;
	message_string_encode(&w, "Account locked");
	assert_false(w.failed);
	assert_int_equal(wire_len(&w), sizeof(locked));
	assert_memory_equal(buf, locked, sizeof(locked));

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	w = wire_writer(buf, sizeof(buf));
	message_string_encode(&w, longest);
	assert_false(w.failed);
	assert_int_equal(buf[1], 255);
	assert_int_equal(wire_len(&w), sizeof(buf));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_kinds_name_vendor_and_type),
		cmocka_unit_test(a_critical_one_may_be_longer_than_255_octets),
		cmocka_unit_test(cut_at_every_octet_it_is_truncated),
		cmocka_unit_test(without_room_for_vendor_and_type_it_is_truncated),
		cmocka_unit_test(a_message_string_is_of_a_home_agent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

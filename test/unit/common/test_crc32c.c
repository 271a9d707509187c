/* SPDX-License-Identifier: BSD-2-Clause */
/* The checksum of the store: the same on every processor, or no state could move house. */
#include "common/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* RFC 3720 §B.4 */
static void octets_of_the_standard_have_its_checksums(void **state)
{
	uint8_t data[32];
	size_t i;

	(void)state;
	memset(data, 0, sizeof(data));
	assert_int_equal(crc32c(0, data, sizeof(data)), 0x8a9136aau);
	memset(data, 0xff, sizeof(data));
	assert_int_equal(crc32c(0, data, sizeof(data)), 0x62a8ab43u);
	for (i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	assert_int_equal(crc32c(0, data, sizeof(data)), 0x46dd794eu);
	assert_int_equal(crc32c_by_tables(0, data, sizeof(data)), 0x46dd794eu);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283u);
	assert_int_equal(crc32c(0, data, 0), 0);
}

static void both_ways_agree_at_any_length_and_place(void **state)
{
	uint8_t data[80];
	size_t at, len;

	(void)state;
	for (at = 0; at < sizeof(data); at++)
		data[at] = (uint8_t)(at * 151 + 7);
	for (at = 0; at < 9; at++)
		for (len = 0; len <= sizeof(data) - at; len++)
			assert_int_equal(crc32c(0x12345678, data + at, len),
					 crc32c_by_tables(0x12345678, data + at, len));
}

static void it_goes_on_from_what_stands_before(void **state)
{
	const char text[] = "a million nodes, and nothing forgotten";
	size_t i;

	(void)state;
	for (i = 0; i <= sizeof(text); i++)
		assert_int_equal(crc32c(crc32c(0, text, i), text + i, sizeof(text) - i),
				 crc32c(0, text, sizeof(text)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(octets_of_the_standard_have_its_checksums),
		cmocka_unit_test(both_ways_agree_at_any_length_and_place),
		cmocka_unit_test(it_goes_on_from_what_stands_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

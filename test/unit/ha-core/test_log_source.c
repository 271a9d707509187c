/* SPDX-License-Identifier: BSD-2-Clause */
/* Shares of the log: one source's flood hides nobody else's line. */
#include "ha-core/log_source.h"

#include "common/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECOND 1000000u

static struct log_source_table table;

static int clear_table(void **state)
{
	(void)state;
	memset(&table, 0, sizeof(table));
	return 0;
}

static unsigned int takes(uint32_t src, unsigned int kind, uint64_t now_us, unsigned int tries)
{
	unsigned int cnt = 0;

	while (tries-- > 0)
		cnt += log_source_take(&table, addr_from_host(src), kind, LOG_SOURCE_BURST, now_us);
	return cnt;
}

static void a_source_has_a_burst_and_then_one_line_a_second(void **state)
{
	(void)state;
	assert_int_equal(takes(0x0a000001, 1, 10 * SECOND, 1000), LOG_SOURCE_BURST);
	assert_int_equal(takes(0x0a000001, 1, 11 * SECOND - 1, 1000), 0);
	assert_int_equal(takes(0x0a000001, 1, 11 * SECOND, 1000), 1);
	assert_int_equal(takes(0x0a000001, 1, 14 * SECOND, 1000), 3);
	assert_int_equal(takes(0x0a000001, 1, 100 * SECOND, 1000), LOG_SOURCE_BURST);
}

static void a_flood_of_one_source_leaves_the_others_theirs(void **state)
{
	uint32_t other;

	(void)state;
	assert_int_equal(takes(0x0a000001, 1, SECOND, 100000), LOG_SOURCE_BURST);
	for (other = 0x0a000002; other < 0x0a000032; other++)
		assert_int_equal(takes(other, 1, SECOND, 10), LOG_SOURCE_BURST);
	assert_int_equal(takes(0x0a000001, 1, SECOND, 1), 0);
}

static void a_flood_of_one_kind_leaves_the_others_theirs(void **state)
{
	(void)state;
	assert_int_equal(takes(0x0a000001, 1, SECOND, 100000), LOG_SOURCE_BURST);
	assert_int_equal(takes(0x0a000001, 2, SECOND, 10), LOG_SOURCE_BURST);
}

/* Made-up sources push others out; a source that floods again is limited again. */
static void the_table_is_bounded_and_goes_on_limiting(void **state)
{
	uint32_t src;

	(void)state;
	for (src = 1; src < 100000; src++)
		assert_true(takes(src, 1, SECOND, 2) >= 1);
	assert_true(takes(0x0a000001, 1, SECOND, 1000) <= LOG_SOURCE_BURST);
	assert_int_equal(takes(0x0a000001, 1, SECOND, 1000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_source_has_a_burst_and_then_one_line_a_second,
				       clear_table),
		cmocka_unit_test_setup(a_flood_of_one_source_leaves_the_others_theirs, clear_table),
		cmocka_unit_test_setup(a_flood_of_one_kind_leaves_the_others_theirs, clear_table),
		cmocka_unit_test_setup(the_table_is_bounded_and_goes_on_limiting, clear_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

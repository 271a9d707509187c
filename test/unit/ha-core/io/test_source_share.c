/* SPDX-License-Identifier: BSD-2-Clause */
/* Shares of the registration socket under overload: a flood of one source costs others nothing. */
#include "ha-core/io/source_share.h"

#include "common/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECOND  1000000u
#define SHARE_S 1000
#define BURST   SHARE_S

static struct source_share_table table;

static int clear_table(void **state)
{
	(void)state;
	memset(&table, 0, sizeof(table));
	return 0;
}

static unsigned int takes(uint32_t src, uint32_t share_s, uint64_t now_us, unsigned int tries)
{
	unsigned int cnt = 0;

	while (tries-- > 0)
		cnt += source_share_take(&table, addr_from_host(src), share_s, now_us);
	return cnt;
}

static void a_source_is_heard_with_its_share(void **state)
{
	unsigned int heard = 0;
	uint64_t ms;

	(void)state;
	assert_int_equal(takes(0x0a000001, SHARE_S, SECOND, 5000), BURST);
	for (ms = 1; ms <= 1000; ms++)
		heard += takes(0x0a000001, SHARE_S, SECOND + ms * 1000, 100);
	assert_int_equal(heard, SHARE_S);
}

static void a_flood_of_one_source_leaves_the_others_their_share(void **state)
{
	uint32_t other;

	(void)state;
	assert_int_equal(takes(0x0a000001, SHARE_S, SECOND, 100000), BURST);
	for (other = 0x0a000002; other < 0x0a000102; other++) {
		assert_int_equal(takes(other, SHARE_S, SECOND, 10), 10);
		assert_int_equal(takes(0x0a000001, SHARE_S, SECOND, 10), 0);
	}
}

static void no_share_is_no_limit(void **state)
{
	(void)state;
	assert_int_equal(takes(0x0a000001, 0, SECOND, 100000), 100000);
}

static void the_smallest_share_is_one_message(void **state)
{
	(void)state;
	assert_int_equal(takes(0x0a000001, 1, SECOND, 100), 1);
	assert_int_equal(takes(0x0a000001, 1, 2 * SECOND, 100), 1);
}

/* Who floods stays limited while made-up sources push the quiet ones out. */
static void the_table_is_bounded_and_goes_on_limiting(void **state)
{
	uint32_t src;

	(void)state;
	for (src = 1; src < 100000; src++)
		assert_int_equal(takes(src, SHARE_S, SECOND, 1), 1);
	assert_true(takes(0x0a000001, SHARE_S, SECOND, 5000) <= BURST);
	assert_int_equal(takes(0x0a000001, SHARE_S, SECOND, 1000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_source_is_heard_with_its_share, clear_table),
		cmocka_unit_test_setup(a_flood_of_one_source_leaves_the_others_their_share,
				       clear_table),
		cmocka_unit_test_setup(no_share_is_no_limit, clear_table),
		cmocka_unit_test_setup(the_smallest_share_is_one_message, clear_table),
		cmocka_unit_test_setup(the_table_is_bounded_and_goes_on_limiting, clear_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The token bucket of eight octets. */
#include "common/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void zero_is_full_at_any_time(void **state)
{
	struct limit a = { 0 }, b = { 0 };

	(void)state;
	assert_true(limit_take(&a, 0, 100, 1));
	assert_true(limit_take(&b, UINT64_MAX / 2, 100, 1));
	assert_false(limit_take(&a, 0, 100, 1));
	assert_false(limit_take(&b, UINT64_MAX / 2, 100, 1));
}

static void the_burst_passes_and_one_more_each_interval(void **state)
{
	struct limit l = { 0 };
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_true(limit_take(&l, 1000, 100, 3));
	assert_false(limit_take(&l, 1000, 100, 3));
	assert_false(limit_take(&l, 1099, 100, 3));
	assert_true(limit_take(&l, 1100, 100, 3));
	assert_false(limit_take(&l, 1199, 100, 3));
	/* Two intervals are two tokens, a long time no more than the burst. */
	assert_true(limit_take(&l, 1300, 100, 3));
	assert_true(limit_take(&l, 1300, 100, 3));
	assert_false(limit_take(&l, 1300, 100, 3));
	for (i = 0; i < 3; i++)
		assert_true(limit_take(&l, 9000, 100, 3));
	assert_false(limit_take(&l, 9000, 100, 3));
}

static void what_was_refused_costs_nothing(void **state)
{
	struct limit l = { 0 };
	unsigned int i;

	(void)state;
	assert_true(limit_take(&l, 1000, 100, 1));
	for (i = 0; i < 1000; i++)
		assert_false(limit_take(&l, 1050, 100, 1));
	assert_true(limit_take(&l, 1100, 100, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zero_is_full_at_any_time),
		cmocka_unit_test(the_burst_passes_and_one_more_each_interval),
		cmocka_unit_test(what_was_refused_costs_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

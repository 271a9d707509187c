/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory by the megabyte: zeroed, aligned, whole after it has grown; below and above the border. */
#include "common/huge.h"

#include "common/sanitized.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const size_t sizes[] = { 1, 4096, HUGE_PAGE - 1, HUGE_PAGE, HUGE_PAGE + 1, 5 * HUGE_PAGE };

#define SIZE_CNT (sizeof(sizes) / sizeof(sizes[0]))

static bool holds_only(const uint8_t *p, size_t size, uint8_t value)
{
	while (size-- > 0)
		if (*p++ != value)
			return false;
	return true;
}

static void it_is_zeroed_and_all_of_it_is_there(void **state)
{
	uint8_t *p;
	size_t i;

	(void)state;
	for (i = 0; i < SIZE_CNT; i++) {
		p = huge_get(sizes[i]);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % sizeof(uint64_t), 0);
		assert_true(holds_only(p, sizes[i], 0));
		memset(p, 1, sizes[i]);
		huge_put(p, sizes[i]);
	}
	huge_put(NULL, 0);
}

static void what_was_there_is_there_after_it_has_grown(void **state)
{
	size_t i, k;
	uint8_t *p;

	(void)state;
	for (i = 0; i < SIZE_CNT; i++)
		for (k = i + 1; k < SIZE_CNT; k++) {
			p = huge_get(sizes[i]);
			assert_non_null(p);
			memset(p, 7, sizes[i]);
			p = huge_grow(p, sizes[i], sizes[k]);
			assert_non_null(p);
			assert_true(holds_only(p, sizes[i], 7));
			memset(p, 8, sizes[k]);
			huge_put(p, sizes[k]);
		}
}

static void without_memory_all_is_as_it_was(void **state)
{
	uint8_t *p = huge_get(HUGE_PAGE);

	(void)state;
	assert_non_null(p);
	memset(p, 7, HUGE_PAGE);
#ifndef SANITIZED /* whose allocator ends the program instead */
	assert_null(huge_get(SIZE_MAX / 4));
	assert_null(huge_grow(p, HUGE_PAGE, SIZE_MAX / 4));
#endif
	assert_true(holds_only(p, HUGE_PAGE, 7));
	huge_put(p, HUGE_PAGE);
}

static void what_was_made_ahead_is_zeroed_and_is_nobody_elses(void **state)
{
	uint8_t *p[40];
	size_t i, round;

	(void)state;
	for (round = 0; round < 2; round++) {
		huge_ahead_start();
		huge_ahead_start(); /* is no second one */
		for (i = 0; i < 40; i++) {
			p[i] = huge_get(HUGE_PAGE);
			assert_non_null(p[i]);
			assert_true(holds_only(p[i], HUGE_PAGE, 0));
			memset(p[i], (int)i + 1, HUGE_PAGE);
		}
		huge_ahead_stop();
		for (i = 0; i < 40; i++) {
			assert_true(holds_only(p[i], HUGE_PAGE, (uint8_t)(i + 1)));
			huge_put(p[i], HUGE_PAGE);
		}
		huge_ahead_stop();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_zeroed_and_all_of_it_is_there),
		cmocka_unit_test(what_was_there_is_there_after_it_has_grown),
		cmocka_unit_test(without_memory_all_is_as_it_was),
		cmocka_unit_test(what_was_made_ahead_is_zeroed_and_is_nobody_elses),
	};

	return cmocka_run_group_tests_name("huge", tests, NULL, NULL);
}

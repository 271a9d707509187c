/* SPDX-License-Identifier: BSD-2-Clause */
/* The sorted set: compared with an array that is sorted whenever it is asked. */
#include "common/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define MANY 20000

static uint64_t seed = 1;

/* Numbers that are the same each time: SplitMix64. */
static uint64_t pseudo_random(void)
{
	uint64_t z = seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Walks in pages of an odd size; the keys must be those of the model. */
static void assert_holds(const struct order *o, const uint64_t *model, size_t cnt)
{
	uint64_t page[97], from = 0;
	size_t seen = 0, n, i;

	assert_int_equal(o->cnt, cnt);
	do {
		n = order_page(o, from, page, 97);
		for (i = 0; i < n; i++)
			assert_int_equal(page[i], model[seen + i]);
		seen += n;
		from = n ? page[n - 1] + 1 : 0;
	} while (n == 97);
	assert_int_equal(seen, cnt);
}

static void an_empty_set_has_no_page(void **state)
{
	struct order o = { 0 };
	uint64_t key;

	(void)state;
	assert_int_equal(order_page(&o, 0, &key, 1), 0);
	order_del(&o, 5);
	assert_int_equal(o.cnt, 0);
	order_done(&o);
}

static void keys_in_any_order_come_out_sorted(void **state)
{
	static uint64_t model[MANY];
	struct order o = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < MANY; i++) {
		model[i] = pseudo_random();
		assert_int_equal(order_put(&o, model[i]), 0);
	}
	qsort(model, MANY, sizeof(model[0]), compare);
	assert_holds(&o, model, MANY);
	order_done(&o);
}

static void a_key_put_twice_is_there_once(void **state)
{
	struct order o = { 0 };
	uint64_t keys[2];

	(void)state;
	assert_int_equal(order_put(&o, 7), 0);
	assert_int_equal(order_put(&o, 7), 0);
	assert_int_equal(order_page(&o, 0, keys, 2), 1);
	order_del(&o, 7);
	assert_int_equal(order_page(&o, 0, keys, 2), 0);
	order_done(&o);
}

static void seeks_the_smallest_key_at_or_above(void **state)
{
	struct order o = { 0 };
	uint64_t key;
	size_t i;

	(void)state;
	for (i = 1; i <= MANY; i++)
		assert_int_equal(order_put(&o, 10 * i), 0);
	for (i = 1; i <= MANY; i++) {
		assert_int_equal(order_page(&o, 10 * i - 9, &key, 1), 1);
		assert_int_equal(key, 10 * i);
		assert_int_equal(order_page(&o, 10 * i, &key, 1), 1);
		assert_int_equal(key, 10 * i);
	}
	assert_int_equal(order_page(&o, 10 * MANY + 1, &key, 1), 0);
	order_done(&o);
}

static void the_first_and_the_last_key_of_all_are_keys(void **state)
{
	struct order o = { 0 };
	uint64_t keys[2];

	(void)state;
	assert_int_equal(order_put(&o, UINT64_MAX), 0);
	assert_int_equal(order_put(&o, 0), 0);
	assert_int_equal(order_page(&o, 0, keys, 2), 2);
	assert_int_equal(keys[0], 0);
	assert_int_equal(order_page(&o, 1, keys, 2), 1);
	assert_true(keys[0] == UINT64_MAX);
	order_done(&o);
}

static void puts_and_deletes_in_any_order_leave_what_is_left(void **state)
{
	static uint64_t model[4096];
	static uint8_t there[4096];
	struct order o = { 0 };
	size_t cnt = 0, i, round;

	(void)state;
	memset(there, 0, sizeof(there));
	for (round = 0; round < 20 * MANY; round++) {
		/* In waves, so that it grows, is emptied, and grows again. */
		bool put = (pseudo_random() & 7) < (round / MANY % 2 ? 2 : 6);
		size_t key = pseudo_random() % 4096;

		if (put)
			assert_int_equal(order_put(&o, key), 0);
		else
			order_del(&o, key);
		there[key] = put;
		if (round % MANY)
			continue;
		for (cnt = i = 0; i < 4096; i++)
			if (there[i])
				model[cnt++] = i;
		assert_holds(&o, model, cnt);
	}
	for (i = 0; i < 4096; i++)
		order_del(&o, i);
	assert_holds(&o, model, 0);
	assert_int_equal(o.leaf_cnt, 0);
	order_done(&o);
}

static void keys_that_come_in_order_fill_their_leaves(void **state)
{
	struct order o = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < MANY; i++)
		assert_int_equal(order_put(&o, 64 * i), 0);
	assert_true(o.leaf_cnt <= MANY / 127 + 1);
	order_done(&o);
}

/* Addresses of one network: a million of them in a quarter of a megabyte. */
static void keys_close_together_take_a_bit_each(void **state)
{
	struct order o = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < MANY; i++)
		assert_int_equal(order_put(&o, 0x0a410000 + i), 0);
	assert_int_equal(o.cnt, MANY);
	assert_true(o.leaf_cnt <= MANY / (64 * 127) + 1);
	order_done(&o);
}

/* A word goes with its last key, and no sooner. */
static void neighbours_of_a_deleted_key_stay(void **state)
{
	struct order o = { 0 };
	uint64_t keys[3];

	(void)state;
	assert_int_equal(order_put(&o, 127), 0);
	assert_int_equal(order_put(&o, 64), 0);
	assert_int_equal(order_put(&o, 128), 0);
	order_del(&o, 64);
	order_del(&o, 65);
	assert_int_equal(o.cnt, 2);
	assert_int_equal(order_page(&o, 0, keys, 3), 2);
	assert_int_equal(keys[0], 127);
	assert_int_equal(keys[1], 128);
	order_done(&o);
}

static double seconds_since(const struct timespec *begun)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - begun->tv_sec) + (double)(now.tv_nsec - begun->tv_nsec) / 1e9;
}

/* Printed, not asserted: what a million keys cost. */
static void a_million_keys(void **state)
{
	enum { CNT = 1000000 };
	struct order o = { 0 };
	struct timespec begun;
	uint64_t page[64], from = 0;
	size_t seen = 0, n;

	(void)state;
	(void)clock_gettime(CLOCK_MONOTONIC, &begun);
	for (n = 0; n < CNT; n++)
		assert_int_equal(order_put(&o, pseudo_random()), 0);
	print_message("put, no two neighbours: %.0f ns a key, %.1f octets a key\n",
		      seconds_since(&begun) * 1e9 / CNT, (double)o.leaf_cnt * 2056 / CNT);
	(void)clock_gettime(CLOCK_MONOTONIC, &begun);
	while ((n = order_page(&o, from, page, 64)) > 0) {
		seen += n;
		from = page[n - 1] + 1;
	}
	print_message("walked in pages of 64: %.0f ns a key\n", seconds_since(&begun) * 1e9 / CNT);
	assert_int_equal(seen, CNT);
	order_done(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_set_has_no_page),
		cmocka_unit_test(keys_in_any_order_come_out_sorted),
		cmocka_unit_test(a_key_put_twice_is_there_once),
		cmocka_unit_test(seeks_the_smallest_key_at_or_above),
		cmocka_unit_test(the_first_and_the_last_key_of_all_are_keys),
		cmocka_unit_test(puts_and_deletes_in_any_order_leave_what_is_left),
		cmocka_unit_test(keys_that_come_in_order_fill_their_leaves),
		cmocka_unit_test(keys_close_together_take_a_bit_each),
		cmocka_unit_test(neighbours_of_a_deleted_key_stay),
		cmocka_unit_test(a_million_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Dynamic home addresses: which there are, each to one at a time, the rested ones first. */
#include "ha-core/binding/pool.h"

#include "common/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "test/unit/common/addr_of.h"

static struct pool pool;

static int close_pool(void **state)
{
	(void)state;
	pool_done(&pool);
	return 0;
}

static void add(const char *prefix)
{
	struct addr_prefix p;

	assert_int_equal(addr_prefix_parse(prefix, &p), 0);
	assert_int_equal(pool_add(&pool, p), 0);
}

static void expect(const char *text)
{
	struct in_addr a = { 0 };

	assert_int_equal(pool_take(&pool, &a), 0);
	assert_string_equal(addr_text(a).s, text);
}

static void expect_none(void)
{
	struct in_addr a = { .s_addr = 77 };

	assert_int_equal(pool_take(&pool, &a), ERR_NOT_FOUND);
	assert_int_equal(a.s_addr, 77);
}

static void the_empty_pool_is_exhausted(void **state)
{
	(void)state;
	expect_none();
	pool_reserve(&pool, addr("10.0.0.1"));
	pool_give_back(&pool, addr("10.0.0.1"));
	expect_none();
}

static void network_and_broadcast_are_nobodys(void **state)
{
	(void)state;
	add("10.50.0.8/30");
	expect("10.50.0.9");
	expect("10.50.0.10");
	expect_none();
}

static void a_pair_and_a_single_have_neither(void **state)
{
	(void)state;
	add("10.50.0.8/31");
	add("10.50.0.20/32");
	expect("10.50.0.8");
	expect("10.50.0.9");
	expect("10.50.0.20");
	expect_none();
}

static void what_is_reserved_is_not_given(void **state)
{
	(void)state;
	add("10.50.0.0/29");
	pool_reserve(&pool, addr("10.50.0.1"));
	pool_reserve(&pool, addr("10.50.0.3"));
	pool_reserve(&pool, addr("10.50.0.3")); /* twice is once */
	pool_reserve(&pool, addr("10.50.0.6"));
	pool_reserve(&pool, addr("10.50.0.0")); /* not in it */
	pool_reserve(&pool, addr("10.50.0.7"));
	pool_reserve(&pool, addr("192.0.2.1"));
	expect("10.50.0.2");
	expect("10.50.0.4");
	expect("10.50.0.5");
	expect_none();
}

static void what_was_given_back_rests_longest(void **state)
{
	(void)state;
	add("10.50.0.0/29");
	expect("10.50.0.1");
	expect("10.50.0.2");
	pool_give_back(&pool, addr("10.50.0.1"));
	expect("10.50.0.3");
	expect("10.50.0.4");
	expect("10.50.0.5");
	expect("10.50.0.6");
	expect("10.50.0.1");
	expect_none();
	pool_give_back(&pool, addr("10.50.0.4"));
	pool_give_back(&pool, addr("10.50.0.4")); /* twice is once */
	expect("10.50.0.4");
	expect_none();
}

static void each_address_is_given_once(void **state)
{
	static uint8_t seen[65536];
	struct in_addr a;
	uint32_t i;

	(void)state;
	add("10.60.0.0/16");
	for (i = 0; i < 65534; i++) {
		assert_int_equal(pool_take(&pool, &a), 0);
		assert_int_equal(addr_host(a) >> 16, 0x0a3c);
		assert_int_equal(seen[addr_host(a) & 0xffff]++, 0);
	}
	expect_none();
	assert_int_equal(seen[0], 0);
	assert_int_equal(seen[65535], 0);
	/* The last one to come back is found, wherever it lies. */
	for (i = 1; i < 65535; i += 4099) {
		pool_give_back(&pool, addr_from_host(0x0a3c0000 + i));
		assert_int_equal(pool_take(&pool, &a), 0);
		assert_int_equal(addr_host(a), 0x0a3c0000 + i);
		expect_none();
	}
}

static void addresses_at_the_end_of_all_are_no_trouble(void **state)
{
	(void)state;
	add("255.255.255.248/29");
	add("0.0.0.0/30");
	expect("255.255.255.249");
	pool_reserve(&pool, addr("255.255.255.254"));
	expect("255.255.255.250");
	expect("255.255.255.251");
	expect("255.255.255.252");
	expect("255.255.255.253");
	expect("0.0.0.1");
	expect("0.0.0.2");
	expect_none();
}

#define pool_test(f) cmocka_unit_test_teardown(f, close_pool)

static void two_pools_can_begin_in_different_places(void **state)
{
	(void)state;
	add("10.0.0.0/29"); /* .1 to .6 */
	pool_start_at(&pool, 4 + 6 * 1000);
	expect("10.0.0.5");
	expect("10.0.0.6");
	expect("10.0.0.1");
}

static uint32_t block(const char *text)
{
	return addr_host(addr(text)) >> POOL_BLOCK_BITS;
}

static void of_a_divided_pool_only_our_blocks_are_given(void **state)
{
	(void)state;
	add("10.50.0.0/24");
	assert_int_equal(pool_divide(&pool), 0);
	expect_none();
	assert_true(pool_set_block(&pool, block("10.50.0.16"), true));
	assert_true(pool_set_block(&pool, block("10.50.0.24"), false));
	assert_int_equal(pool_free_cnt(&pool), 8);
	assert_true(pool_is_ours(&pool, addr("10.50.0.23")));
	assert_false(pool_is_ours(&pool, addr("10.50.0.24")));
	assert_false(pool_is_ours(&pool, addr("10.50.0.32")));
	assert_int_equal(pool_take_this(&pool, addr("10.50.0.24")), 0); /* another has given it */
	pool_give_back(&pool, addr("10.50.0.24"));
	assert_int_equal(pool_free_cnt(&pool), 8);
	pool_reserve(&pool, addr("10.50.0.16"));
	assert_int_equal(pool_free_cnt(&pool), 7);
	expect("10.50.0.17");
	for (int i = 18; i < 24; i++)
		assert_int_equal(pool_take(&pool, &(struct in_addr){ 0 }), 0);
	expect_none();
}

static void what_is_given_back_to_a_divided_pool_rests(void **state)
{
	(void)state;
	add("10.50.0.8/31");
	assert_int_equal(pool_divide(&pool), 0);
	(void)pool_set_block(&pool, block("10.50.0.8"), true);
	expect("10.50.0.8");
	expect("10.50.0.9");
	pool_give_back(&pool, addr("10.50.0.9"));
	expect_none();
	pool_rest_begins(&pool);
	pool_give_back(&pool, addr("10.50.0.8")); /* later: it rests on */
	pool_rest_ends(&pool);
	assert_int_equal(pool_resting_cnt(&pool), 1);
	expect("10.50.0.9");
	expect_none();
	pool_rest_begins(&pool);
	assert_int_equal(pool_take_this(&pool, addr("10.50.0.8")),
			 0); /* somebody has it after all */
	assert_int_equal(pool_take_this(&pool, addr("10.50.0.8")), ERR_NOT_FOUND);
	pool_rest_ends(&pool);
	expect_none();
	pool_give_back(&pool, addr("10.50.0.9"));
	pool_rest_begins(&pool);
	assert_int_equal(pool_take_this(&pool, addr("10.50.0.9")), 0);
	pool_give_back(&pool, addr("10.50.0.9")); /* and once more: from the beginning */
	pool_rest_ends(&pool);
	expect_none();
}

static void what_is_free_of_a_block_of_before_rests(void **state)
{
	(void)state;
	add("10.50.0.8/31");
	assert_int_equal(pool_divide(&pool), 0);
	assert_int_equal(pool_take_this(&pool, addr("10.50.0.8")), 0); /* leased */
	pool_resume_block(&pool, block("10.50.0.8"));
	assert_true(pool_is_ours(&pool, addr("10.50.0.9")));
	assert_int_equal(pool_resting_cnt(&pool), 1);
	expect_none();
	pool_rest_begins(&pool);
	pool_rest_ends(&pool);
	expect("10.50.0.9");
	pool_give_back(&pool, addr("10.50.0.9"));
	pool_rest_begins(&pool);
	pool_rest_ends(&pool);
	pool_resume_block(&pool, block("10.50.0.8")); /* it is ours already: nothing changes */
	expect("10.50.0.9");
	expect_none();
}

static void a_block_that_is_anothers_after_all_is_given_no_more(void **state)
{
	(void)state;
	add("10.50.0.0/24");
	assert_int_equal(pool_divide(&pool), 0);
	assert_true(pool_set_block(&pool, block("10.50.0.8"), true));
	expect("10.50.0.8");
	assert_false(pool_set_block(&pool, block("10.50.0.8"), false));
	expect_none();
}

static void blocks_at_the_edges_are_what_is_in_the_pool(void **state)
{
	uint32_t blocks[64];

	(void)state;
	add("10.50.0.0/29"); /* .1 to .6 */
	add("10.50.1.4/32");
	add("10.50.1.5/32"); /* of one block, in two ranges */
	assert_int_equal(pool_divide(&pool), 0);
	assert_int_equal(pool_unclaimed(&pool, blocks, 64), 3);
	assert_true(pool_set_block(&pool, block("10.50.0.0"), true));
	assert_int_equal(pool_free_cnt(&pool), 6);
	assert_true(pool_set_block(&pool, block("10.50.1.0"), true));
	assert_int_equal(pool_free_cnt(&pool), 8);
	assert_int_equal(pool_unclaimed(&pool, blocks, 64), 0);
}

static void blocks_are_claimed_in_turn_and_told_in_parts(void **state)
{
	uint32_t blocks[4], pos = 0;
	size_t i, cnt, told = 0;

	(void)state;
	add("10.50.0.0/24");
	add("10.51.0.0/24");
	assert_int_equal(pool_divide(&pool), 0);
	pool_start_at(&pool, 100);
	while ((cnt = pool_unclaimed(&pool, blocks, 4)) > 0)
		for (i = 0; i < cnt; i++)
			(void)pool_set_block(&pool, blocks[i], (blocks[i] & 1) == 0);
	assert_int_equal(pool_free_cnt(&pool), 2 * (16 * 8 - 1)); /* not .0, and .255 is odd's */
	while ((cnt = pool_ours(&pool, &pos, blocks, 4)) > 0)
		for (i = 0; i < cnt; i++, told++)
			assert_int_equal(blocks[i] & 1, 0);
	assert_int_equal(told, 32);
}

static void a_pool_that_takes_over_is_divided_as_the_old_one(void **state)
{
	struct pool old;

	(void)state;
	add("10.50.0.0/24");
	assert_int_equal(pool_divide(&pool), 0);
	(void)pool_set_block(&pool, block("10.50.0.8"), true);
	expect("10.50.0.8");
	old = pool;
	pool = (struct pool){ 0 };
	add("10.50.0.0/24");
	add("10.51.0.0/24");
	pool_take_over(&pool, &old);
	pool_done(&old);
	assert_int_equal(pool_free_cnt(&pool), 7);
	expect("10.50.0.9");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pool_test(the_empty_pool_is_exhausted),
		pool_test(network_and_broadcast_are_nobodys),
		pool_test(a_pair_and_a_single_have_neither),
		pool_test(what_is_reserved_is_not_given),
		pool_test(what_was_given_back_rests_longest),
		pool_test(each_address_is_given_once),
		pool_test(addresses_at_the_end_of_all_are_no_trouble),
		pool_test(two_pools_can_begin_in_different_places),
		pool_test(of_a_divided_pool_only_our_blocks_are_given),
		pool_test(what_is_given_back_to_a_divided_pool_rests),
		pool_test(what_is_free_of_a_block_of_before_rests),
		pool_test(a_block_that_is_anothers_after_all_is_given_no_more),
		pool_test(blocks_at_the_edges_are_what_is_in_the_pool),
		pool_test(blocks_are_claimed_in_turn_and_told_in_parts),
		pool_test(a_pool_that_takes_over_is_divided_as_the_old_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Dynamic home addresses: which there are, each to one at a time, the rested ones first. */
#include "ha-core/binding/pool.h"

#include "common/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

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

static struct in_addr addr(const char *text)
{
	struct in_addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

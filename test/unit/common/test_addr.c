/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses, prefixes, sets: grammar at its edges, and the set against a plain search. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/addr.h"
#include "common/err.h"

#include <string.h>

#include "test/unit/common/addr_of.h"

static struct addr_prefix prefix(const char *text)
{
	struct addr_prefix p;

	assert_int_equal(addr_prefix_parse(text, &p), 0);
	return p;
}

static void an_address_is_a_dotted_quad_and_nothing_else(void **state)
{
	static const char *const bad[] = { "",           "10",        "10.0.0",    "10.0.0.0.1",
					   "10.0.0.256", "010.0.0.1", "10.0.0.1 ", " 10.0.0.1",
					   "0x0a.0.0.1", "::1",       "10.0.0.-1", "a.b.c.d" };
	struct in_addr a = { .s_addr = 42 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(addr_parse(bad[i], &a), ERR_INVALID);
	assert_int_equal(a.s_addr, 42); /* written only on success */
	assert_int_equal(addr_host(addr("10.1.2.3")), 0x0a010203);
	assert_true(addr_eq(addr_from_host(0x0a010203), addr("10.1.2.3")));
	assert_string_equal(addr_text(addr("255.255.255.255")).s, "255.255.255.255");
	assert_string_equal(addr_text(addr("0.9.10.99")).s, "0.9.10.99");
	assert_string_equal(addr_text(addr("100.199.200.1")).s, "100.199.200.1");
}

static void a_prefix_has_a_length_and_no_host_bits(void **state)
{
	static const char *const bad[] = {
		"10.0.0.0",    "10.0.0.0/",    "10.0.0.0/33",          "10.0.0.0/08",
		"10.0.0.0/ 8", "10.0.0.0/8 ",  "10.0.0.0/-1",          "10.0.0.1/8",
		"/8",          "10.0.0.0/888", "1000.1000.1000.1000/8"
	};
	struct addr_prefix p = { .len = 77 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(addr_prefix_parse(bad[i], &p), ERR_INVALID);
	assert_int_equal(p.len, 77);
	assert_string_equal(addr_prefix_text(prefix("10.0.0.0/8")).s, "10.0.0.0/8");
	assert_string_equal(addr_prefix_text(prefix("0.0.0.0/0")).s, "0.0.0.0/0");
	assert_string_equal(addr_prefix_text(prefix("255.255.255.255/32")).s, "255.255.255.255/32");
}

static void unicast_is_what_a_host_can_own(void **state)
{
	(void)state;
	assert_true(addr_is_unicast(addr("1.0.0.0")));
	assert_true(addr_is_unicast(addr("126.255.255.255")));
	assert_true(addr_is_unicast(addr("128.0.0.1")));
	assert_true(addr_is_unicast(addr("223.255.255.255")));
	assert_false(addr_is_unicast(addr("0.255.255.255")));
	assert_false(addr_is_unicast(addr("127.0.0.1")));
	assert_false(addr_is_unicast(addr("224.0.0.0")));
	assert_false(addr_is_unicast(addr("240.0.0.1")));
	assert_false(addr_is_unicast(addr("255.255.255.255")));
	assert_true(addr_is_multicast(addr("239.255.255.255")));
	assert_false(addr_is_multicast(addr("240.0.0.0")));
}

static void link_local_is_169_254(void **state)
{
	(void)state;
	assert_true(addr_is_link_local(addr("169.254.0.0")));
	assert_true(addr_is_link_local(addr("169.254.255.255")));
	assert_false(addr_is_link_local(addr("169.253.255.255")));
	assert_false(addr_is_link_local(addr("169.255.0.0")));
}

static void a_prefix_covers_what_lies_in_it_whole_and_itself(void **state)
{
	(void)state;
	assert_true(addr_prefix_covers(prefix("10.0.0.0/8"), prefix("10.50.0.0/16")));
	assert_true(addr_prefix_covers(prefix("10.50.0.0/16"), prefix("10.50.0.0/16")));
	assert_false(addr_prefix_covers(prefix("10.50.0.0/16"), prefix("10.0.0.0/8")));
	assert_false(addr_prefix_covers(prefix("10.0.0.0/16"), prefix("10.0.0.0/8")));
	assert_false(addr_prefix_covers(prefix("10.0.0.0/8"), prefix("11.0.0.0/16")));
	assert_true(addr_prefix_covers(prefix("0.0.0.0/0"), prefix("255.255.255.255/32")));
}

static void prefixes_are_equal_in_address_and_length(void **state)
{
	(void)state;
	assert_true(addr_prefix_eq(prefix("10.0.0.0/8"), prefix("10.0.0.0/8")));
	assert_false(addr_prefix_eq(prefix("10.0.0.0/8"), prefix("10.0.0.0/16")));
	assert_false(addr_prefix_eq(prefix("10.0.0.0/8"), prefix("11.0.0.0/8")));
}

static void a_prefix_contains_its_first_and_last_address(void **state)
{
	(void)state;
	assert_true(addr_prefix_contains(prefix("10.50.0.0/16"), addr("10.50.0.0")));
	assert_true(addr_prefix_contains(prefix("10.50.0.0/16"), addr("10.50.255.255")));
	assert_false(addr_prefix_contains(prefix("10.50.0.0/16"), addr("10.49.255.255")));
	assert_false(addr_prefix_contains(prefix("10.50.0.0/16"), addr("10.51.0.0")));
	assert_true(addr_prefix_contains(prefix("0.0.0.0/0"), addr("255.255.255.255")));
	assert_true(addr_prefix_contains(prefix("10.0.0.1/32"), addr("10.0.0.1")));
	assert_false(addr_prefix_contains(prefix("10.0.0.1/32"), addr("10.0.0.0")));
}

static void prefixes_overlap_when_one_holds_the_other(void **state)
{
	(void)state;
	assert_true(addr_prefix_overlaps(prefix("10.0.0.0/8"), prefix("10.50.0.0/16")));
	assert_true(addr_prefix_overlaps(prefix("10.50.0.0/16"), prefix("10.0.0.0/8")));
	assert_true(addr_prefix_overlaps(prefix("10.0.0.0/8"), prefix("10.0.0.0/8")));
	assert_true(addr_prefix_overlaps(prefix("0.0.0.0/0"), prefix("10.0.0.0/8")));
	assert_false(addr_prefix_overlaps(prefix("10.0.0.0/9"), prefix("10.128.0.0/9")));
}

static void a_short_subnet_has_no_broadcast_address(void **state)
{
	(void)state;
	assert_true(addr_eq(addr_prefix_broadcast(prefix("10.50.0.0/16")), addr("10.50.255.255")));
	assert_true(addr_eq(addr_prefix_broadcast(prefix("10.50.0.4/30")), addr("10.50.0.7")));
	assert_true(
		addr_eq(addr_prefix_broadcast(prefix("10.50.0.4/31")), addr("255.255.255.255")));
	assert_true(
		addr_eq(addr_prefix_broadcast(prefix("10.50.0.4/32")), addr("255.255.255.255")));
	assert_true(addr_eq(addr_prefix_broadcast(prefix("0.0.0.0/0")), addr("255.255.255.255")));
}

static void the_empty_set_contains_nothing(void **state)
{
	struct addr_set set = { 0 };

	(void)state;
	assert_false(addr_set_contains(&set, addr("10.0.0.1")));
	assert_false(addr_set_contains(&set, addr("0.0.0.0")));
	addr_set_done(&set);
}

static void the_unspecified_address_must_be_listed_to_be_contained(void **state)
{
	struct addr_set set = { 0 };

	(void)state;
	assert_int_equal(addr_set_add(&set, prefix("10.0.0.0/8")), 0);
	assert_false(addr_set_contains(&set, addr("0.0.0.0")));
	assert_int_equal(addr_set_add(&set, prefix("0.0.0.0/32")), 0);
	assert_true(addr_set_contains(&set, addr("0.0.0.0")));
	assert_false(addr_set_contains(&set, addr("0.0.0.1")));
	addr_set_done(&set);
}

static void a_set_stores_no_prefix_that_another_covers(void **state)
{
	struct addr_set set = { 0 };

	(void)state;
	assert_int_equal(addr_set_add(&set, prefix("10.1.0.0/16")), 0);
	assert_int_equal(addr_set_add(&set, prefix("10.1.0.0/16")), 0);
	assert_int_equal(addr_set_add(&set, prefix("10.3.0.0/16")), 0);
	assert_int_equal(addr_set_add(&set, prefix("10.1.2.0/24")), 0);
	assert_int_equal(set.cnt, 2);
	assert_int_equal(addr_set_add(&set, prefix("10.0.0.0/8")), 0);
	assert_int_equal(set.cnt, 1);
	assert_true(addr_set_contains(&set, addr("10.2.0.1")));
	assert_false(addr_set_contains(&set, addr("11.0.0.0")));
	assert_int_equal(addr_set_add(&set, prefix("0.0.0.0/0")), 0);
	assert_int_equal(set.cnt, 1);
	addr_set_done(&set);
	assert_int_equal(set.cnt, 0);
	assert_null(set.prefixes);
}

static uint32_t random_next(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

static void a_set_answers_as_a_search_through_all_it_was_given(void **state)
{
	enum { PREFIXES = 40, ROUNDS = 300 };
	struct addr_prefix all[PREFIXES];
	struct addr_set set = { 0 };
	uint32_t x = 2463534242u;
	struct in_addr a;
	bool expect;
	size_t round, i, k;

	(void)state;
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < PREFIXES; i++) {
			/* Few addresses, so that prefixes meet and cover each other. */
			all[i].len = (uint8_t)(20 + random_next(&x) % 13);
			all[i].addr = addr_from_host((random_next(&x) & 0xfff) &
						     (UINT32_MAX << (32 - all[i].len)));
			assert_int_equal(addr_set_add(&set, all[i]), 0);
			a = addr_from_host(random_next(&x) & 0x1fff);
			for (expect = false, k = 0; k <= i; k++)
				expect = expect || addr_prefix_contains(all[k], a);
			assert_int_equal(addr_set_contains(&set, a), expect);
		}
		addr_set_done(&set);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_a_dotted_quad_and_nothing_else),
		cmocka_unit_test(a_prefix_has_a_length_and_no_host_bits),
		cmocka_unit_test(unicast_is_what_a_host_can_own),
		cmocka_unit_test(link_local_is_169_254),
		cmocka_unit_test(a_prefix_contains_its_first_and_last_address),
		cmocka_unit_test(a_prefix_covers_what_lies_in_it_whole_and_itself),
		cmocka_unit_test(prefixes_are_equal_in_address_and_length),
		cmocka_unit_test(prefixes_overlap_when_one_holds_the_other),
		cmocka_unit_test(a_short_subnet_has_no_broadcast_address),
		cmocka_unit_test(the_empty_set_contains_nothing),
		cmocka_unit_test(the_unspecified_address_must_be_listed_to_be_contained),
		cmocka_unit_test(a_set_stores_no_prefix_that_another_covers),
		cmocka_unit_test(a_set_answers_as_a_search_through_all_it_was_given),
	};

	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Networks behind routers: the list of a node, and the table that packets are routed by. */
#include "ha-core/auth/network.h"

#include "common/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/unit/common/addr_of.h"

static struct addr_prefix prefix(const char *text)
{
	struct addr_prefix p;

	assert_int_equal(addr_prefix_parse(text, &p), 0);
	return p;
}

static void a_list_has_each_network_once_and_no_more_than_a_binding_has_bits(void **state)
{
	struct network_list *list = NULL;
	uint32_t bits = 0;
	uint32_t i;

	(void)state;
	assert_null(network_list_find(list, prefix("10.0.0.0/24")));
	for (i = 0; i < NETWORK_MAX; i++) {
		struct addr_prefix p = { addr_from_host(0x0a000000 + (i << 8)), 24 };

		assert_int_equal(network_list_add(&list, NULL, p), 0);
		assert_int_equal(network_list_add(&list, NULL, p), 0);
		bits ^= network_bit(network_list_find(list, p));
	}
	assert_int_equal(list->cnt, NETWORK_MAX);
	assert_int_equal(bits, UINT32_MAX);
	assert_int_equal(network_list_add(&list, NULL, prefix("10.99.0.0/24")), ERR_TOO_MANY);
	assert_null(network_list_find(list, prefix("10.0.0.0/23")));
	assert_null(network_list_find(list, prefix("10.0.0.0/25")));
	network_list_free(list);
	network_list_free(NULL);
}

static void the_longest_prefix_that_is_registered_is_found(void **state)
{
	static const char *const texts[] = { "10.60.0.0/16", "10.60.1.0/24", "10.60.1.128/25",
					     "10.60.1.129/32", "128.0.0.0/1" };
	struct network_list *list = NULL;
	struct network_table t;
	size_t i;

	(void)state;
	assert_int_equal(network_table_init(&t), 0);
	assert_null(network_table_find(&t, addr("10.60.1.129")));
	for (i = 0; i < 5; i++)
		assert_int_equal(network_list_add(&list, NULL, prefix(texts[i])), 0);
	for (i = 0; i < 5; i++) {
		network_table_put(&t, &list->networks[i]);
		assert_ptr_equal(network_table_find(&t, addr("10.60.1.129")),
				 &list->networks[i < 4 ? i : 3]);
	}
	assert_ptr_equal(network_table_find(&t, addr("10.60.1.255")), &list->networks[2]);
	assert_ptr_equal(network_table_find(&t, addr("10.60.1.127")), &list->networks[1]);
	assert_ptr_equal(network_table_find(&t, addr("10.60.2.1")), &list->networks[0]);
	assert_ptr_equal(network_table_find(&t, addr("200.0.0.1")), &list->networks[4]);
	assert_null(network_table_find(&t, addr("10.61.0.0")));
	assert_ptr_equal(network_table_get(&t, prefix("10.60.1.0/24")), &list->networks[1]);
	assert_null(network_table_get(&t, prefix("10.60.1.0/25")));

	network_table_del(&t, &list->networks[2]);
	assert_ptr_equal(network_table_find(&t, addr("10.60.1.130")), &list->networks[1]);
	network_table_del(&t, &list->networks[4]);
	network_table_del(&t, &list->networks[0]);
	assert_null(network_table_find(&t, addr("10.60.2.1")));
	assert_ptr_equal(t.all, &list->networks[3]);
	assert_ptr_equal(t.all->next, &list->networks[1]);
	assert_null(t.all->next->next);
	assert_int_equal(t.cnt, 2);
	network_table_done(&t);
	network_list_free(list);
}

static bool allowed(const struct network_table *t, const char *a, const char *in)
{
	struct addr_prefix found, wanted = prefix(in);

	return network_table_find_allowed(t, addr(a), &found) && addr_eq(found.addr, wanted.addr) &&
	       found.len == wanted.len;
}

static void what_may_be_registered_is_found_behind_others_nested_in_it(void **state)
{
	struct network_table t;
	struct addr_prefix found;
	uint32_t i;

	(void)state;
	assert_int_equal(network_table_init(&t), 0);
	assert_false(network_table_find_allowed(&t, addr("10.60.0.1"), &found));
	assert_int_equal(network_table_allow(&t, prefix("10.60.0.0/16")), 0);
	for (i = 1; i < NETWORK_MAX; i++) {
		found = (struct addr_prefix){ addr_from_host(0x0a3c8000 + (i << 8)), 24 };
		assert_int_equal(network_table_allow(&t, found), 0);
	}
	assert_int_equal(network_table_allow(&t, prefix("10.61.0.9/32")), 0);
	assert_int_equal(network_table_allow(&t, prefix("128.0.0.0/1")), 0);
	assert_true(allowed(&t, "10.60.0.0", "10.60.0.0/16"));
	assert_true(allowed(&t, "10.60.127.1", "10.60.0.0/16"));
	assert_true(allowed(&t, "10.60.129.0", "10.60.129.0/24"));
	assert_true(allowed(&t, "10.60.255.255", "10.60.0.0/16"));
	assert_true(allowed(&t, "10.61.0.9", "10.61.0.9/32"));
	assert_true(allowed(&t, "255.255.255.255", "128.0.0.0/1"));
	assert_false(network_table_find_allowed(&t, addr("10.59.255.255"), &found));
	assert_false(network_table_find_allowed(&t, addr("10.61.0.8"), &found));
	assert_false(network_table_find_allowed(&t, addr("10.61.0.10"), &found));
	network_table_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_has_each_network_once_and_no_more_than_a_binding_has_bits),
		cmocka_unit_test(the_longest_prefix_that_is_registered_is_found),
		cmocka_unit_test(what_may_be_registered_is_found_behind_others_nested_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

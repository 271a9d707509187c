/* SPDX-License-Identifier: BSD-2-Clause */
/* Home networks: when a reload may change them, and in which forms others have them. */
#include "ha-core/ha_networks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NET(n) ((struct addr_prefix){ addr_from_host(0x0a000000u | (n) << 16), 16 })

static struct ha_conf_home_network net(uint32_t n, const char *interface)
{
	struct ha_conf_home_network h = { .prefix = NET(n), .gratuitous_arps = 3 };

	(void)snprintf(h.interface, sizeof(h.interface), "%s", interface);
	return h;
}

static struct ha_conf conf_of(struct ha_conf_home_network *nets, size_t cnt)
{
	return (struct ha_conf){ .home_networks = nets, .home_network_cnt = cnt };
}

static bool same(const struct ha_conf *a, const struct ha_conf *b)
{
	assert_int_equal(ha_networks_same_links(a, b), ha_networks_same_links(b, a));
	return ha_networks_same_links(a, b);
}

static void virtual_networks_may_be_others_and_links_in_another_order(void **state)
{
	struct ha_conf_home_network a[] = { net(1, ""), net(2, "lan0"), net(3, "lan1") };
	struct ha_conf_home_network b[] = { net(3, "lan1"), net(2, "lan0"), net(4, ""),
					    net(5, "") };
	const struct ha_conf old = conf_of(a, 3), new = conf_of(b, 4);

	(void)state;
	b[1].has_dynamic_pool = true;
	b[1].dynamic_pool = NET(2);
	assert_true(same(&old, &new));
}

static void a_link_that_comes_or_goes_is_a_difference(void **state)
{
	struct ha_conf_home_network a[] = { net(1, ""), net(2, "lan0") };
	struct ha_conf_home_network b[] = { net(1, ""), net(2, "") };
	const struct ha_conf with = conf_of(a, 2), turned = conf_of(b, 2), without = conf_of(a, 1);

	(void)state;
	assert_false(same(&with, &without));
	assert_false(same(&with, &turned));
}

static void each_setting_of_a_link_is_a_difference(void **state)
{
	struct ha_conf_home_network is = net(2, "lan0"), others[8];
	const struct ha_conf old = conf_of(&is, 1);
	struct ha_conf new;
	size_t i;

	(void)state;
	for (i = 0; i < 8; i++)
		others[i] = is;
	others[0].prefix.len = 24;
	others[1].interface[3] = '1';
	others[2].gratuitous_arps++;
	others[3].advertise = true;
	others[4].advertisement_interval_s++;
	others[5].advertisement_lifetime_s++;
	others[6].advertise_default_router = true;
	others[7].advertise_prefix_length = true;
	for (i = 0; i < 8; i++) {
		new = conf_of(&others[i], 1);
		assert_false(same(&old, &new));
	}
}

static void everybody_has_them_in_one_order(void **state)
{
	struct ha_conf_home_network nets[] = { net(1, ""), net(2, "lan0") };
	const struct ha_conf conf = conf_of(nets, 2);
	struct ha_networks n;

	(void)state;
	assert_int_equal(ha_networks_copy(&conf, &n), 0);
	assert_int_equal(n.cnt, 2);
	assert_true(addr_eq(n.prefixes[1].addr, NET(2).addr));
	assert_true(addr_eq(n.broadcasts[0], addr_from_host(0x0a01ffff)));
	assert_string_equal(n.tunnel[0].interface, "");
	assert_string_equal(n.tunnel[1].interface, "lan0");
	assert_true(ha_networks_contain(&n, NET(1)));
	assert_true(ha_networks_contain(&n, (struct addr_prefix){ NET(2).addr, 24 }));
	assert_false(ha_networks_contain(&n, (struct addr_prefix){ NET(2).addr, 15 }));
	assert_false(ha_networks_contain(&n, NET(3)));
	ha_networks_done(&n);
	assert_int_equal(n.cnt, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(virtual_networks_may_be_others_and_links_in_another_order),
		cmocka_unit_test(a_link_that_comes_or_goes_is_a_difference),
		cmocka_unit_test(each_setting_of_a_link_is_a_difference),
		cmocka_unit_test(everybody_has_them_in_one_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

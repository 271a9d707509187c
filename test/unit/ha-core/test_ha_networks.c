/* SPDX-License-Identifier: BSD-2-Clause */
/* Home networks: what a reload changes for one home address, and in which forms they are had. */
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

/* What of the host and its links is laid down for 10.n.0.7 is another thing. */
static bool moved(const struct ha_conf *a, const struct ha_conf *b, uint32_t n)
{
	const struct in_addr home_addr = addr_from_host(0x0a000007u | n << 16);
	struct ha_networks before, after;
	bool is, back;

	assert_int_equal(ha_networks_copy(a, &before), 0);
	assert_int_equal(ha_networks_copy(b, &after), 0);
	is = ha_networks_moved(&before, &after, home_addr);
	back = ha_networks_moved(&after, &before, home_addr);
	ha_networks_done(&before);
	ha_networks_done(&after);
	assert_int_equal(is, back);
	return is;
}

static void a_network_that_another_joins_or_leaves_has_not_moved(void **state)
{
	struct ha_conf_home_network a[] = { net(1, ""), net(2, "lan0"), net(3, "lan1") };
	struct ha_conf_home_network b[] = { net(3, "lan1"), net(4, ""), net(2, "lan0"),
					    net(1, "") };
	const struct ha_conf old = conf_of(a, 3), new = conf_of(b, 4);
	uint32_t n;

	(void)state;
	b[2].gratuitous_arps++;
	b[2].advertise = true;
	for (n = 1; n <= 3; n++)
		assert_false(moved(&old, &new, n));
}

static void a_link_that_comes_goes_or_is_another_has_moved(void **state)
{
	struct ha_conf_home_network a[] = { net(1, ""), net(2, "lan0"), net(3, "lan0") };
	struct ha_conf_home_network b[] = { net(1, "lan0"), net(2, "lan1") };
	const struct ha_conf old = conf_of(a, 3), new = conf_of(b, 2);
	uint32_t n;

	(void)state;
	for (n = 1; n <= 3; n++)
		assert_true(moved(&old, &new, n));
	assert_false(moved(&old, &new, 4));
}

static void a_prefix_of_another_length_is_another_link_and_the_same_route(void **state)
{
	struct ha_conf_home_network is = net(2, "lan0"), is_virtual = net(2, "");
	struct ha_conf_home_network larger = is, larger_virtual = is_virtual;
	const struct ha_conf old = conf_of(&is, 1), new = conf_of(&larger, 1);
	const struct ha_conf old_virtual = conf_of(&is_virtual, 1);
	const struct ha_conf new_virtual = conf_of(&larger_virtual, 1);

	(void)state;
	larger.prefix.len = larger_virtual.prefix.len = 15;
	assert_true(moved(&old, &new, 2));
	assert_false(moved(&old_virtual, &new_virtual, 2));
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
	ha_networks_done(&n);
	assert_int_equal(n.cnt, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_network_that_another_joins_or_leaves_has_not_moved),
		cmocka_unit_test(a_link_that_comes_goes_or_is_another_has_moved),
		cmocka_unit_test(a_prefix_of_another_length_is_another_link_and_the_same_route),
		cmocka_unit_test(everybody_has_them_in_one_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

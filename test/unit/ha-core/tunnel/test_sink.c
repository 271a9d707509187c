/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices that keep the kernel's own tunnels from our packets, in a network namespace of the test's
 * own. Where this kernel has no such tunnels, a TAP device of the same name stands for one that an
 * earlier daemon left; what becomes of packets is test/netns's (test_tunnel_rules.py).
 */
#include "ha-core/tunnel/sink.h"

#include "ha-core/tunnel/setting.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/unit/common/addr_of.h"
#include "test/unit/ha-core/tunnel/tap.h"

static struct rtnl *r;

static int setup(void **state)
{
	(void)state;
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(rtnl_open(&r), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	r = rtnl_close(r);
	return 0;
}

static void there_is_one_for_each_kind_of_tunnel(void **state)
{
	(void)state;
	assert_string_equal(sink_kind(0), "ipip");
	assert_string_equal(sink_kind(1), "gre");
	assert_null(sink_kind(2));
	assert_int_equal(sink_is_needed("ipip"), access("/sys/module/ipip", F_OK) == 0);
	assert_int_equal(sink_is_needed("gre"), access("/sys/module/ip_gre", F_OK) == 0);
}

/* A module that is loaded brings a link; a sink that goes is missed. Others are none of ours. */
static void what_concerns_sinks_is_their_names_and_the_modules_own(void **state)
{
	(void)state;
	assert_true(sink_concerns("ihad0", "ihad0-ipip"));
	assert_true(sink_concerns("ihad0", "ihad0-gre"));
	assert_true(sink_concerns("ihad0", "tunl0"));
	assert_true(sink_concerns("ihad0", "gre0"));
	assert_false(sink_concerns("ihad0", "ihad0"));
	assert_false(sink_concerns("ihad0", "xhad0-gre"));
	assert_false(sink_concerns("ihad0", "eth0"));
	assert_true(sink_concerns("a-long-device-name", "a-long-de-ipip")); /* a name's 15 octets */
}

static void a_link_that_is_disarmed_leads_nowhere(void **state)
{
	const int tap = tap_open("t0");

	(void)state;
	assert_int_equal(setting_write("t0", "forwarding", 1), 0);
	assert_int_equal(setting_write("t0", "rp_filter", 0), 0);
	assert_int_equal(sink_disarm("t0"), 0);
	assert_int_equal(setting_read("t0", "forwarding", 7), 0);
	assert_int_equal(setting_read("t0", "rp_filter", 7), 1);
	assert_int_equal(setting_read("t0", "accept_redirects", 7), 0);
	assert_int_equal(setting_write("all", "rp_filter", 2), 0); /* makes every filter loose */
	assert_int_equal(sink_disarm("t0"), -EBUSY);
	assert_int_equal(close(tap), 0);
	assert_int_equal(sink_disarm("t0"), -ENOENT);
}

static void one_that_is_up_is_kept(void **state)
{
	const int tap = tap_open("ihad0-gre");
	struct rtnl_link link, same;

	(void)state;
	assert_int_equal(rtnl_link_get(r, "ihad0-gre", &link), 0);
	assert_false(sink_is_up(r, "ihad0", "gre"));
	assert_int_equal(rtnl_link_up(r, link.index, 0, 0), 0);
	assert_true(sink_is_up(r, "ihad0", "gre"));
	assert_int_equal(sink_open(r, "ihad0", "gre", addr("10.0.0.2")), 1);
	assert_int_equal(rtnl_link_get(r, "ihad0-gre", &same), 0);
	assert_int_equal(same.index, link.index);
	assert_int_equal(sink_close(r, "ihad0", "gre"), 0);
	assert_int_equal(sink_close(r, "ihad0", "gre"), -ENODEV);
	assert_int_equal(close(tap), 0);
}

/* With such tunnels it is up and disarmed then; without, nothing is left behind. */
static void one_that_is_down_is_made_anew_or_not_at_all(void **state)
{
	const int tap = tap_open("ihad0-ipip");
	int err = sink_open(r, "ihad0", "ipip", addr("10.0.0.2"));
	struct rtnl_link link;

	(void)state;
	if (err == 0) {
		assert_true(sink_is_up(r, "ihad0", "ipip"));
		assert_int_equal(rtnl_link_get(r, "ihad0-ipip", &link), 0);
		assert_string_equal(link.kind, "ipip");
		assert_int_equal(setting_read("ihad0-ipip", "forwarding", 7), 0);
	} else {
		assert_int_equal(err, -EOPNOTSUPP);
		assert_int_equal(rtnl_link_get(r, "ihad0-ipip", &link), -ENODEV);
	}
	assert_int_equal(close(tap), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(there_is_one_for_each_kind_of_tunnel),
		TEST(what_concerns_sinks_is_their_names_and_the_modules_own),
		TEST(a_link_that_is_disarmed_leads_nowhere),
		TEST(one_that_is_up_is_kept),
		TEST(one_that_is_down_is_made_anew_or_not_at_all),
	};

	if (unshare(CLONE_NEWNET) < 0) {
		print_message("skipped: no network namespace (%s)\n", strerror(errno));
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

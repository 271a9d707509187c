/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's tables over rtnetlink, asked of a real kernel in a network namespace of the test's
 * own: what was laid down is read back, what is there already or is not there is told from what
 * failed otherwise, and who listens hears of it.
 */
#include "ha-core/tunnel/rtnl.h"
#include "ha-core/tunnel/setting.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/unit/common/addr_of.h"
#include "test/unit/ha-core/tunnel/tap.h"

#define TABLE 7777

static struct rtnl *r;
static struct rtnl_link lo;

/* What a dump or a monitor has told of. */
static struct {
	struct rtnl_route routes[64];
	struct rtnl_addr addrs[16];
	struct rtnl_change changes[64];
	char links[16][IF_NAMESIZE];
	size_t route_cnt, addr_cnt, change_cnt, link_cnt;
} seen;

/* As root, or as one who may be root of a namespace of users. */
static int enter(void)
{
	return unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 ? 0
											: -errno;
}

static int setup(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(enter(), 0);
	assert_int_equal(rtnl_open(&r), 0);
	assert_int_equal(rtnl_link_get(r, "lo", &lo), 0);
	assert_int_equal(rtnl_link_up(r, lo.index, 0, 0), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	r = rtnl_close(r);
	assert_null(r);
	return 0;
}

static struct addr_prefix prefix(const char *text, uint8_t len)
{
	return (struct addr_prefix){ addr(text), len };
}

static void add_address(const char *text)
{
	const struct rtnl_addr a = { .index = lo.index, .addr = addr(text), .len = 24 };

	assert_int_equal(rtnl_addr_add(r, &a), 0);
}

/* --- links --- */

static void note_link(void *ctx, const struct rtnl_link *link)
{
	(void)ctx;
	(void)snprintf(seen.links[seen.link_cnt++ % 16], IF_NAMESIZE, "%s", link->name);
}

static bool has_link(const char *name)
{
	size_t i;

	seen.link_cnt = 0;
	assert_int_equal(rtnl_link_dump(r, note_link, NULL), 0);
	for (i = 0; i < seen.link_cnt; i++)
		if (strcmp(seen.links[i], name) == 0)
			return true;
	return false;
}

static void a_link_that_is_not_there_is_told_from_a_failure(void **state)
{
	struct rtnl_sent sent;
	struct rtnl_link link = { .index = 77 };

	(void)state;
	assert_int_equal(rtnl_link_get(r, "nobody", &link), -ENODEV);
	assert_int_equal(link.index, 77); /* as it was */
	assert_int_equal(rtnl_link_del(r, "nobody"), -ENODEV);
	assert_int_equal(rtnl_link_up(r, 7777, 0, 0), -ENODEV);
	assert_int_equal(rtnl_link_sent(r, 7777, &sent), -ENODEV);
	assert_false(has_link("nobody"));
	assert_true(has_link("lo"));
}

/* Kernels may be built without them. */
static void made_or_skipped(int err)
{
	if (err == -EOPNOTSUPP) {
		print_message("skipped: this kernel has no such tunnels\n");
		skip();
	}
	assert_int_equal(err, 0);
}

static void a_tunnel_is_made_down_and_once(void **state)
{
	struct rtnl_sent sent = { 1, 1, 1 };
	struct rtnl_link link;

	(void)state;
	made_or_skipped(rtnl_tunnel_add(r, "t0", "ipip", addr("10.9.0.1")));
	assert_int_equal(rtnl_link_get(r, "t0", &link), 0);
	assert_string_equal(link.kind, "ipip");
	assert_false(link.flags & IFF_UP);
	assert_int_equal(rtnl_tunnel_add(r, "t0", "ipip", addr("10.9.0.2")), -EEXIST);
	assert_int_equal(rtnl_tunnel_add(r, "t1", "ipip", addr("10.9.0.1")), -EEXIST);
	assert_int_equal(rtnl_link_up(r, link.index, 1400, 50), 0);
	assert_int_equal(rtnl_link_get(r, "t0", &link), 0);
	assert_true(link.flags & IFF_UP);
	assert_int_equal(link.mtu, 1400);
	assert_int_equal(rtnl_link_sent(r, link.index, &sent), 0);
	assert_int_equal(sent.packets + sent.octets + sent.failures, 0);
	assert_int_equal(rtnl_link_del(r, "t0"), 0);
	assert_false(has_link("t0"));
}

static void one_device_of_a_kind_is_in_metadata_mode(void **state)
{
	(void)state;
	made_or_skipped(rtnl_tunnel_add_external(r, "x0", "gre"));
	assert_int_equal(rtnl_tunnel_add_external(r, "x1", "gre"), -EEXIST);
	made_or_skipped(rtnl_tunnel_add_external(r, "x2", "ipip"));
	assert_int_equal(rtnl_tunnel_add_external(r, "x3", "ipip"), -EEXIST);
}

static void what_a_driver_does_with_xdp_may_not_be_known(void **state)
{
	uint64_t features = 77;
	int err = rtnl_link_xdp_features(lo.index, &features);

	(void)state;
	if (err < 0)
		assert_int_equal(features, 77);
	else
		assert_false(features & RTNL_XDP_BASIC); /* a loopback runs none */
	assert_true(rtnl_link_xdp_features(7777, &features) < 0);
}

static void a_new_link_has_no_filters(void **state)
{
	(void)state;
	assert_false(rtnl_has_filters(r, lo.index));
	assert_false(rtnl_has_ipsec_policies());
}

/* --- addresses --- */

static void note_addr(void *ctx, const struct rtnl_addr *a)
{
	(void)ctx;
	seen.addrs[seen.addr_cnt++ % 16] = *a;
}

static void an_address_is_added_once_and_read_back(void **state)
{
	const struct rtnl_addr a = {
		.index = lo.index, .addr = addr("10.9.0.1"), .len = 24, .scope = RT_SCOPE_LINK
	};
	size_t i, found = 0;

	(void)state;
	assert_int_equal(rtnl_addr_add(r, &a), 0);
	assert_int_equal(rtnl_addr_add(r, &a), -EEXIST);
	assert_int_equal(rtnl_addr_dump(r, note_addr, NULL), 0);
	for (i = 0; i < seen.addr_cnt; i++)
		found += addr_eq(seen.addrs[i].addr, a.addr) && seen.addrs[i].len == a.len &&
			 seen.addrs[i].index == a.index && seen.addrs[i].scope == a.scope;
	assert_int_equal(found, 1);
}

static void a_neighbour_that_is_not_known_is_not_asked_for(void **state)
{
	(void)state;
	assert_int_equal(rtnl_neighbour_use(r, lo.index, addr("10.9.0.77")), -ENOENT);
}

#define NEIGHBOUR_MAC "\x02\x00\x00\x00\x00\x07"

/* 10.9.0.7 at t0: gone stale, or set by hand. */
static void set_neighbour(int flags)
{
	struct arpreq req = { .arp_ha.sa_family = ARPHRD_ETHER,
			      .arp_flags = flags,
			      .arp_dev = "t0" };
	const struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = addr("10.9.0.7") };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(&req.arp_pa, &sin, sizeof(sin));
	memcpy(req.arp_ha.sa_data, NEIGHBOUR_MAC, 6);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, SIOCSARP, &req), 0);
	assert_int_equal(close(fd), 0);
}

/* Is the neighbour asked, at its own address, whether it is still there? */
static bool is_probed(int tap, int timeout_ms)
{
	struct pollfd p = { .fd = tap, .events = POLLIN };
	uint8_t frame[1500];
	ssize_t n;

	while (poll(&p, 1, timeout_ms) > 0) {
		n = read(tap, frame, sizeof(frame));
		if (n >= 42 && memcmp(frame, NEIGHBOUR_MAC, 6) == 0 &&
		    frame[12] == ETHERTYPE_ARP >> 8 && frame[13] == (ETHERTYPE_ARP & 0xff))
			return true;
	}
	return false;
}

/* No counting down before it is asked, so that the test need not wait. */
static void a_neighbour_gone_stale_is_asked_for_and_one_set_by_hand_is_not(void **state)
{
	const int tap = tap_open("t0");
	struct rtnl_addr a = { .addr = addr("10.9.0.1"), .len = 24 };
	struct rtnl_link link;

	(void)state;
	assert_int_equal(rtnl_link_get(r, "t0", &link), 0);
	a.index = link.index;
	assert_int_equal(rtnl_link_up(r, link.index, 0, 0), 0);
	assert_int_equal(rtnl_addr_add(r, &a), 0);
	assert_int_equal(setting_write(NULL, "ipv4/neigh/t0/delay_first_probe_time", 0), 0);
	set_neighbour(ATF_COM | ATF_PERM);
	assert_int_equal(rtnl_neighbour_use(r, link.index, addr("10.9.0.7")), 0);
	assert_false(is_probed(tap, 200));
	set_neighbour(ATF_COM);
	assert_int_equal(rtnl_neighbour_use(r, link.index, addr("10.9.0.7")), 0);
	assert_true(is_probed(tap, 20000));
	assert_int_equal(close(tap), 0);
}

/* --- routes --- */

static void note_route(void *ctx, const struct rtnl_route *route)
{
	(void)ctx;
	seen.routes[seen.route_cnt++ % 64] = *route;
}

static size_t ours(void)
{
	seen.route_cnt = 0;
	assert_int_equal(rtnl_route_dump(r, RTNL_PROTOCOL, note_route, NULL), 0);
	return seen.route_cnt;
}

static void a_route_is_read_back_as_it_was_laid(void **state)
{
	const struct rtnl_route route = { .dst = prefix("10.8.0.0", 16),
					  .index = lo.index,
					  .src = addr("10.9.0.1"),
					  .table = TABLE,
					  .metric = 7,
					  .mtu = 1300 };
	struct rtnl_route *got = &seen.routes[0];

	(void)state;
	add_address("10.9.0.1");
	assert_int_equal(rtnl_route_add(r, &route), 0);
	assert_int_equal(rtnl_route_add(r, &route), -EEXIST);
	assert_int_equal(ours(), 1);
	assert_int_equal(got->dst.addr.s_addr, route.dst.addr.s_addr);
	assert_int_equal(got->dst.len, 16);
	assert_int_equal(got->index, lo.index);
	assert_int_equal(got->src.s_addr, route.src.s_addr);
	assert_int_equal(got->table, TABLE);
	assert_int_equal(got->metric, 7);
	assert_int_equal(got->mtu, 1300);
	assert_int_equal(got->type, RTN_UNICAST);
	assert_int_equal(got->protocol, RTNL_PROTOCOL);
}

static void a_route_replaces_one_of_its_prefix_table_and_metric(void **state)
{
	struct rtnl_route route = { .dst = prefix("10.8.0.0", 16), .index = lo.index, .mtu = 1300 };

	(void)state;
	assert_int_equal(rtnl_route_add(r, &route), 0);
	route.mtu = 1200;
	assert_int_equal(rtnl_route_replace(r, &route), 0);
	assert_int_equal(ours(), 1);
	assert_int_equal(seen.routes[0].mtu, 1200);
	assert_int_equal(rtnl_route_del(r, &route), 0);
	assert_int_equal(rtnl_route_del(r, &route), -ESRCH);
	assert_int_equal(ours(), 0);
}

static void a_route_of_another_protocol_is_not_ours_to_delete(void **state)
{
	struct rtnl_route route = { .dst = prefix("10.8.0.0", 16),
				    .index = lo.index,
				    .protocol = RTPROT_STATIC };

	(void)state;
	assert_int_equal(rtnl_route_add(r, &route), 0);
	assert_int_equal(ours(), 0);
	route.protocol = 0;
	assert_int_equal(rtnl_route_del(r, &route), -ESRCH);
	assert_int_equal(rtnl_route_dump(r, 0, note_route, NULL), 0);
	assert_true(seen.route_cnt > 1); /* of the kernel's own, too */
}

static void the_way_to_an_address_is_told(void **state)
{
	const struct rtnl_route none = { .dst = prefix("10.7.0.0", 16), .type = RTN_UNREACHABLE };
	const struct in_addr any = { 0 };
	struct rtnl_route way;

	(void)state;
	add_address("10.9.0.1");
	assert_int_equal(rtnl_route_get(r, addr("10.9.0.1"), any, &way), 0);
	assert_int_equal(way.type, RTN_LOCAL);
	assert_int_equal(rtnl_route_get(r, addr("203.0.113.1"), any, &way), -ENETUNREACH);
	assert_int_equal(rtnl_route_add(r, &none), 0);
	assert_int_equal(rtnl_route_get(r, addr("10.7.0.1"), addr("10.9.0.1"), &way),
			 -EHOSTUNREACH);
}

static void a_route_through_a_device_in_metadata_mode_has_an_outer_header(void **state)
{
	const struct rtnl_encap encap = { .src = addr("10.9.0.1"),
					  .dst = addr("10.9.0.2"),
					  .ttl = 64 };
	struct rtnl_route route = { .dst = prefix("10.8.0.7", 32), .encap = &encap };
	struct rtnl_link link;

	(void)state;
	add_address("10.9.0.1");
	made_or_skipped(rtnl_tunnel_add_external(r, "x0", "ipip"));
	assert_int_equal(rtnl_link_get(r, "x0", &link), 0);
	route.index = link.index;
	assert_int_equal(rtnl_route_add(r, &route), -ENETDOWN);
	assert_string_not_equal(rtnl_error(r), ""); /* what the kernel adds */
	assert_int_equal(rtnl_link_up(r, link.index, 0, 0), 0);
	assert_int_equal(rtnl_route_add(r, &route), 0);
	assert_string_equal(rtnl_error(r), "");
	assert_int_equal(ours(), 1);
	assert_int_equal(seen.routes[0].index, link.index);
	route.lifeline = lo.index;
	assert_int_equal(rtnl_route_replace(r, &route), 0);
	assert_int_equal(rtnl_link_del(r, "x0"), 0);
	assert_int_equal(ours(), 0);
}

/* The lifeline: whoever closes its other end takes the route along. */
static void a_route_with_an_outer_header_goes_with_its_lifeline(void **state)
{
	const struct rtnl_encap encap = { .src = addr("10.9.0.1"),
					  .dst = addr("10.9.0.2"),
					  .ttl = 64 };
	struct rtnl_route route = { .dst = prefix("10.8.0.7", 32),
				    .index = lo.index,
				    .encap = &encap };
	const int tap = tap_open("t0");
	struct rtnl_link link;

	(void)state;
	add_address("10.9.0.1");
	made_or_skipped(rtnl_route_add(r, &route));
	assert_int_equal(ours(), 1);
	assert_int_equal(seen.routes[0].index, lo.index);
	assert_int_equal(rtnl_link_get(r, "t0", &link), 0);
	assert_int_equal(rtnl_link_up(r, link.index, 0, 0), 0);
	route.lifeline = link.index;
	assert_int_equal(rtnl_route_replace(r, &route), 0);
	assert_int_equal(ours(), 1);
	assert_int_equal(seen.routes[0].index, 0); /* two ways */
	assert_int_equal(close(tap), 0);
	assert_int_equal(ours(), 0);
}

static void a_route_of_the_hosts_own_is_laid_as_one(void **state)
{
	const struct rtnl_route route = { .dst = prefix("10.8.0.7", 32),
					  .index = lo.index,
					  .type = RTN_LOCAL };
	struct rtnl_route way;

	(void)state;
	assert_int_equal(rtnl_route_add(r, &route), 0);
	assert_int_equal(ours(), 1);
	assert_int_equal(seen.routes[0].type, RTN_LOCAL);
	assert_int_equal(rtnl_route_get(r, addr("10.8.0.7"), (struct in_addr){ 0 }, &way), 0);
	assert_int_equal(way.type, RTN_LOCAL);
}

/* --- rules --- */

static void a_rule_is_added_once_and_deleted_once(void **state)
{
	struct rtnl_rule rule = { .priority = 100,
				  .src = prefix("10.8.0.0", 16),
				  .dst = prefix("10.7.0.0", 16),
				  .iif = "lo",
				  .oif = "eth7",
				  .mark = 5,
				  .table = TABLE,
				  .invert = true };

	(void)state;
	assert_int_equal(rtnl_rule_add(r, &rule), 0);
	assert_int_equal(rtnl_rule_add(r, &rule), -EEXIST);
	rule.mark = 6;
	assert_int_equal(rtnl_rule_del(r, &rule), -ENOENT);
	rule.mark = 5;
	assert_int_equal(rtnl_rule_del(r, &rule), 0);
	assert_int_equal(rtnl_rule_del(r, &rule), -ENOENT);
}

/* --- who listens --- */

static void note_change(void *ctx, const struct rtnl_change *change)
{
	(void)ctx;
	seen.changes[seen.change_cnt++ % 64] = *change;
}

static const struct rtnl_change *change_of(enum rtnl_event event, bool gone)
{
	size_t i;

	for (i = 0; i < seen.change_cnt && i < 64; i++)
		if (seen.changes[i].event == event && seen.changes[i].gone == gone)
			return &seen.changes[i];
	return NULL;
}

static void who_listens_hears_of_each_change_and_of_whom(void **state)
{
	const struct rtnl_route route = { .dst = prefix("10.8.0.0", 16), .index = lo.index };
	const struct rtnl_rule rule = { .priority = 100, .table = TABLE };
	struct rtnl_monitor *m;
	struct pollfd p;

	(void)state;
	assert_int_equal(rtnl_monitor_open(note_change, NULL, &m), 0);
	p = (struct pollfd){ .fd = rtnl_monitor_fd(m), .events = POLLIN };
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(rtnl_monitor_read(m), 0); /* nothing is no error */
	add_address("10.9.0.1");
	assert_int_equal(rtnl_route_add(r, &route), 0);
	assert_int_equal(rtnl_route_del(r, &route), 0);
	assert_int_equal(rtnl_rule_add(r, &rule), 0);
	assert_int_equal(rtnl_rule_del(r, &rule), 0);
	assert_int_equal(rtnl_link_up(r, lo.index, 1400, 0), 0);
	assert_int_equal(poll(&p, 1, 0), 1);
	assert_int_equal(rtnl_monitor_read(m), 0);
	assert_non_null(change_of(RTNL_ADDR, false));
	assert_int_equal(change_of(RTNL_ADDR, false)->addr.addr.s_addr, addr("10.9.0.1").s_addr);
	assert_non_null(change_of(RTNL_ROUTE, true));
	assert_int_equal(change_of(RTNL_ROUTE, true)->port, rtnl_port(r));
	assert_int_equal(change_of(RTNL_ROUTE, true)->route.protocol, RTNL_PROTOCOL);
	assert_non_null(change_of(RTNL_RULE, false));
	assert_int_equal(change_of(RTNL_RULE, false)->table, TABLE);
	assert_non_null(change_of(RTNL_RULE, true));
	assert_non_null(change_of(RTNL_LINK, false));
	assert_int_equal(change_of(RTNL_LINK, false)->link.mtu, 1400);
	assert_null(rtnl_monitor_close(m));
	assert_null(rtnl_monitor_close(NULL));
}

static void who_does_not_listen_in_time_is_told_that_changes_were_lost(void **state)
{
	const struct rtnl_rule rule = { .priority = 100, .table = TABLE };
	struct rtnl_monitor *m;
	unsigned int i;
	int err;

	(void)state;
	assert_int_equal(rtnl_monitor_open(note_change, NULL, &m), 0);
	for (i = 0; i < 20000; i++) {
		assert_int_equal(rtnl_rule_add(r, &rule), 0);
		assert_int_equal(rtnl_rule_del(r, &rule), 0);
	}
	do
		err = rtnl_monitor_read(m);
	while (err == 0 && seen.change_cnt < 2 * i);
	assert_int_equal(err, -ENOBUFS);
	seen.change_cnt = 0;
	while (rtnl_monitor_read(m) < 0)
		;
	add_address("10.9.0.1"); /* and goes on */
	assert_int_equal(rtnl_monitor_read(m), 0);
	assert_non_null(change_of(RTNL_ADDR, false));
	assert_null(rtnl_monitor_close(m));
}

static void policies_and_drivers_are_listened_to_where_the_kernel_tells(void **state)
{
	struct rtnl_monitor *m = NULL;
	int err = rtnl_policy_monitor_open(note_change, NULL, &m);

	(void)state;
	assert_true(err == 0 || err == -EPROTONOSUPPORT);
	if (err == 0)
		assert_int_equal(rtnl_monitor_read(m), 0);
	m = rtnl_monitor_close(m);
	err = rtnl_features_monitor_open(note_change, NULL, &m);
	assert_true(err == 0 || err == -ENOENT);
	if (err == 0)
		assert_int_equal(rtnl_monitor_read(m), 0);
	(void)rtnl_monitor_close(m);
	assert_int_equal(seen.change_cnt, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_link_that_is_not_there_is_told_from_a_failure),
		TEST(a_tunnel_is_made_down_and_once),
		TEST(one_device_of_a_kind_is_in_metadata_mode),
		TEST(what_a_driver_does_with_xdp_may_not_be_known),
		TEST(a_new_link_has_no_filters),
		TEST(an_address_is_added_once_and_read_back),
		TEST(a_neighbour_that_is_not_known_is_not_asked_for),
		TEST(a_neighbour_gone_stale_is_asked_for_and_one_set_by_hand_is_not),
		TEST(a_route_is_read_back_as_it_was_laid),
		TEST(a_route_replaces_one_of_its_prefix_table_and_metric),
		TEST(a_route_of_another_protocol_is_not_ours_to_delete),
		TEST(the_way_to_an_address_is_told),
		TEST(a_route_through_a_device_in_metadata_mode_has_an_outer_header),
		TEST(a_route_with_an_outer_header_goes_with_its_lifeline),
		TEST(a_route_of_the_hosts_own_is_laid_as_one),
		TEST(a_rule_is_added_once_and_deleted_once),
		TEST(who_listens_hears_of_each_change_and_of_whom),
		TEST(who_does_not_listen_in_time_is_told_that_changes_were_lost),
		TEST(policies_and_drivers_are_listened_to_where_the_kernel_tells),
	};

	if (enter() < 0) {
		print_message("skipped: no network namespace (%s)\n", strerror(errno));
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tier "tun" lays down on a host, and takes away again: in a network namespace of the
 * test's own, with a real TUN device, real routes and real settings.
 */
#include "ha-core/tunnel/rtnl.h"
#include "ha-core/tunnel/setting.h"
#include "ha-core/tunnel/tun/tun_host.h"
#include "ha-core/tunnel/tun/tun_link.h"

#include "common/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/unit/common/addr_of.h"

#define DEVICE "unit0"
#define HOME   "home0" /* a home link: a TUN device whose other end is the test */

static struct {
	struct rtnl *rtnl;
	struct rtnl_link lo;
	struct tunnel_conf conf;
	struct tunnel_home_network networks[2];
	struct binding_cache cache;
	struct network_table behind;
	struct stats stats;
	struct tun_host *host;
	int link; /* the test's end of HOME */
} f;

static struct addr_prefix prefix(const char *text, uint8_t len)
{
	return (struct addr_prefix){ addr(text), len };
}

static int open_device(const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	return fd;
}

static struct rtnl_link link_of(const char *name)
{
	struct rtnl_link link;

	assert_int_equal(rtnl_link_get(f.rtnl, name, &link), 0);
	return link;
}

static bool is_there(const char *name)
{
	struct rtnl_link link;

	return rtnl_link_get(f.rtnl, name, &link) == 0;
}

static void add_address(const char *link, const char *text, uint8_t len)
{
	const struct rtnl_addr a = { .index = link_of(link).index, .addr = addr(text), .len = len };

	assert_int_equal(rtnl_addr_add(f.rtnl, &a), 0);
}

static int setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(rtnl_open(&f.rtnl), 0);
	assert_int_equal(rtnl_link_up(f.rtnl, link_of("lo").index, 0, 0), 0);
	f.link = open_device(HOME);
	assert_int_equal(rtnl_link_up(f.rtnl, link_of(HOME).index, 0, 0), 0);
	add_address("lo", "10.0.0.2", 32);
	add_address(HOME, "10.60.0.1", 24);
	f.networks[0].prefix = prefix("10.50.0.0", 16);
	f.networks[1].prefix = prefix("10.60.0.0", 24);
	(void)snprintf(f.networks[1].interface, sizeof(f.networks[1].interface), HOME);
	assert_int_equal(binding_cache_init(&f.cache, 8), 0);
	assert_int_equal(network_table_init(&f.behind), 0);
	f.conf = (struct tunnel_conf){ .device = DEVICE,
				       .home_agent = addr("10.0.0.2"),
				       .home_networks = f.networks,
				       .home_network_cnt = 2,
				       .cache = &f.cache,
				       .networks = &f.behind,
				       .stats = &f.stats };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	f.host = tun_host_close(f.host);
	assert_false(is_there(DEVICE));
	binding_cache_done(&f.cache);
	network_table_done(&f.behind);
	(void)close(f.link);
	f.rtnl = rtnl_close(f.rtnl);
	return 0;
}

static void open_host(void)
{
	assert_int_equal(tun_host_open(&f.conf, &f.host), 0);
}

/* Where a packet would go; 0: nowhere. */
static unsigned int way_to(const char *text)
{
	struct rtnl_route route = { 0 };

	return rtnl_route_get(f.rtnl, addr(text), (struct in_addr){ 0 }, &route) == 0 ? route.index
										      : 0;
}

static unsigned int device(void)
{
	return link_of(DEVICE).index;
}

/* --- start and end --- */

static void a_virtual_home_network_is_routed_into_the_device(void **state)
{
	(void)state;
	open_host();
	assert_true(link_of(DEVICE).flags & IFF_UP);
	assert_int_equal(way_to("10.50.0.7"), device());
	assert_int_equal(way_to("10.60.0.7"), link_of(HOME).index);
	assert_int_equal(setting_read(DEVICE, "rp_filter", 7), 0);
	assert_int_equal(setting_read(DEVICE, "send_redirects", 7), 0);
	f.host = tun_host_close(f.host);
	assert_false(is_there(DEVICE));
	assert_int_equal(way_to("10.50.0.7"), 0);
}

static void forwarding_is_switched_on_and_off_again(void **state)
{
	(void)state;
	assert_int_equal(setting_write(NULL, "ipv4/ip_forward", 0), 0);
	open_host();
	assert_int_equal(setting_read(NULL, "ipv4/ip_forward", 7), 1);
	f.host = tun_host_close(f.host);
	assert_int_equal(setting_read(NULL, "ipv4/ip_forward", 7), 0);
}

static void forwarding_that_was_on_stays_on(void **state)
{
	(void)state;
	assert_int_equal(setting_write(NULL, "ipv4/ip_forward", 1), 0);
	open_host();
	f.host = tun_host_close(f.host);
	assert_int_equal(setting_read(NULL, "ipv4/ip_forward", 7), 1);
}

static void forwarding_stays_on_for_another_home_agent_of_this_host(void **state)
{
	const struct rtnl_route others = { .dst = prefix("10.70.0.0", 16),
					   .index = link_of(HOME).index };

	(void)state;
	assert_int_equal(setting_write(NULL, "ipv4/ip_forward", 0), 0);
	open_host();
	assert_int_equal(rtnl_route_add(f.rtnl, &others), 0);
	f.host = tun_host_close(f.host);
	assert_int_equal(setting_read(NULL, "ipv4/ip_forward", 7), 1);
	assert_int_equal(way_to("10.70.0.1"), link_of(HOME).index);
}

static void strict_reverse_path_filtering_of_a_home_link_is_made_loose(void **state)
{
	(void)state;
	assert_int_equal(setting_write(HOME, "rp_filter", 1), 0);
	open_host();
	assert_int_equal(setting_read(HOME, "rp_filter", 7), 2);
}

static void who_stands_by_routes_without_an_address_of_its_own(void **state)
{
	(void)state;
	f.conf.home_agent = addr("10.0.0.3"); /* it is at the other host */
	assert_true(tun_host_open(&f.conf, &f.host) < 0);
	f.conf.address_floats = true;
	open_host();
	assert_int_equal(way_to("10.50.0.7"), device());
}

/* --- what is refused leaves nothing behind --- */

static void expect_refused(int err)
{
	assert_int_equal(tun_host_open(&f.conf, &f.host), err);
	assert_null(f.host);
	assert_int_equal(way_to("10.50.0.7"), 0);
}

static void a_link_of_that_name_that_is_no_tun_device_is_left_alone(void **state)
{
	(void)state;
	f.conf.device = "lo";
	expect_refused(-EINVAL);
	assert_true(is_there("lo"));
}

static void a_device_that_another_process_holds_is_left_alone(void **state)
{
	int other = open_device(DEVICE);

	(void)state;
	expect_refused(-EBUSY);
	assert_true(is_there(DEVICE));
	(void)close(other);
}

static void a_home_link_that_is_not_there_is_refused(void **state)
{
	(void)state;
	(void)snprintf(f.networks[1].interface, sizeof(f.networks[1].interface), "nobody");
	expect_refused(-ENODEV);
	assert_false(is_there(DEVICE));
}

static void a_route_of_somebody_else_for_a_home_network_is_refused(void **state)
{
	const struct rtnl_route others = { .dst = f.networks[0].prefix,
					   .index = link_of(HOME).index,
					   .protocol = RTPROT_STATIC };

	(void)state;
	assert_int_equal(rtnl_route_add(f.rtnl, &others), 0);
	assert_int_equal(tun_host_open(&f.conf, &f.host), -EEXIST);
	assert_false(is_there(DEVICE));
	assert_int_equal(way_to("10.50.0.7"), link_of(HOME).index);
}

static void a_device_that_was_left_is_adopted_and_its_routes_go(void **state)
{
	struct rtnl_route left = { .dst = prefix("10.80.0.0", 16) };
	int other = open_device(DEVICE);

	(void)state;
	assert_int_equal(ioctl(other, TUNSETPERSIST, 1), 0);
	left.index = device();
	assert_int_equal(rtnl_link_up(f.rtnl, left.index, 0, 0), 0);
	assert_int_equal(rtnl_route_add(f.rtnl, &left), 0);
	(void)close(other);
	open_host();
	assert_int_equal(device(), left.index);
	assert_int_equal(way_to("10.80.0.1"), 0);
	assert_int_equal(way_to("10.50.0.7"), device());
}

/* --- nodes --- */

static void a_node_of_a_home_link_is_routed_to_the_tunnels_while_it_is_away(void **state)
{
	const struct in_addr node = addr("10.60.0.7");

	(void)state;
	open_host();
	assert_int_equal(tun_host_put(f.host, node), 0);
	assert_int_equal(tun_host_put(f.host, node), 0);
	assert_int_equal(way_to("10.60.0.7"), device());
	assert_int_equal(tun_host_del(f.host, node), 0);
	assert_int_equal(tun_host_del(f.host, node), 0);
	assert_int_equal(way_to("10.60.0.7"), link_of(HOME).index);
}

static void a_node_of_a_virtual_home_network_needs_no_route(void **state)
{
	(void)state;
	open_host();
	assert_int_equal(tun_host_put(f.host, addr("10.50.0.7")), 0);
	assert_int_equal(tun_host_del(f.host, addr("10.50.0.7")), 0);
	assert_int_equal(way_to("10.50.0.7"), device());
}

static void a_route_of_somebody_else_for_a_node_is_told(void **state)
{
	const struct rtnl_route others = { .dst = prefix("10.60.0.7", 32),
					   .index = link_of(HOME).index,
					   .protocol = RTPROT_STATIC };

	(void)state;
	open_host();
	assert_int_equal(rtnl_route_add(f.rtnl, &others), 0);
	assert_int_equal(tun_host_put(f.host, addr("10.60.0.7")), -EEXIST);
	assert_int_equal(tun_host_del(f.host, addr("10.60.0.7")), 0); /* not ours */
	assert_int_equal(way_to("10.60.0.7"), link_of(HOME).index);
}

static void a_network_behind_a_mobile_router_comes_and_goes(void **state)
{
	(void)state;
	open_host();
	assert_int_equal(tun_host_route(f.host, prefix("10.90.0.0", 24), true), 0);
	assert_int_equal(way_to("10.90.0.1"), device());
	assert_int_equal(tun_host_route(f.host, prefix("10.90.0.0", 24), false), 0);
	assert_int_equal(way_to("10.90.0.1"), 0);
}

static void virtual_home_networks_come_and_go(void **state)
{
	const struct tunnel_home_network others[] = { f.networks[1],
						      { .prefix = prefix("10.51.0.0", 16) } };

	(void)state;
	open_host();
	assert_int_equal(tun_host_set_networks(f.host, others, 2), 0);
	assert_int_equal(way_to("10.50.0.7"), 0);
	assert_int_equal(way_to("10.51.0.7"), device());
	assert_int_equal(way_to("10.60.0.7"), link_of(HOME).index);
}

static void a_home_network_that_is_wider_than_before_has_a_route_all_the_time(void **state)
{
	const struct tunnel_home_network wider[] = { { .prefix = prefix("10.50.0.0", 15) },
						     f.networks[1] };

	(void)state;
	open_host();
	assert_int_equal(tun_host_set_networks(f.host, wider, 2), 0);
	assert_int_equal(way_to("10.50.0.7"), device());
	assert_int_equal(way_to("10.51.0.7"), device());
}

static void home_networks_change_all_or_none(void **state)
{
	const struct tunnel_home_network fresh[] = { { .prefix = prefix("10.51.0.0", 16) },
						     { .prefix = prefix("10.52.0.0", 16) },
						     { .prefix = prefix("10.53.0.0", 16) } };
	const struct rtnl_route others = { .dst = fresh[1].prefix,
					   .index = link_of(HOME).index,
					   .protocol = RTPROT_STATIC };

	(void)state;
	open_host();
	assert_int_equal(rtnl_route_add(f.rtnl, &others), 0);
	assert_int_equal(tun_host_set_networks(f.host, fresh, 3), -EEXIST);
	assert_int_equal(way_to("10.50.0.7"), device());
	assert_int_equal(way_to("10.51.0.7"), 0);
	assert_int_equal(way_to("10.52.0.7"), link_of(HOME).index);
	assert_int_equal(way_to("10.53.0.7"), 0);
}

/* As the tier does it, once that has worked. */
static void set_networks(const struct tunnel_home_network *networks, size_t cnt)
{
	assert_int_equal(tun_host_set_networks(f.host, networks, cnt), 0);
	f.conf.home_networks = networks;
	f.conf.home_network_cnt = cnt;
}

static void a_link_that_comes_has_to_be_there_and_is_filtered_loosely(void **state)
{
	struct tunnel_home_network networks[] = { f.networks[0], f.networks[1] };

	(void)state;
	f.conf.home_network_cnt = 1;
	open_host();
	assert_int_equal(setting_write(HOME, "rp_filter", 1), 0);
	(void)snprintf(networks[1].interface, sizeof(networks[1].interface), "nobody");
	assert_int_equal(tun_host_set_networks(f.host, networks, 2), -ENODEV);
	assert_int_equal(setting_read(HOME, "rp_filter", 7), 1);
	set_networks(f.networks, 2);
	assert_int_equal(setting_read(HOME, "rp_filter", 7), 2);
	assert_int_equal(tun_host_put(f.host, addr("10.60.0.7")), 0);
	assert_int_equal(way_to("10.60.0.7"), device());
}

static void a_node_that_ends_with_its_link_leaves_no_route(void **state)
{
	(void)state;
	open_host();
	assert_int_equal(tun_host_put(f.host, addr("10.60.0.7")), 0);
	set_networks(f.networks, 1);
	assert_int_equal(way_to("10.60.0.7"), device());
	assert_int_equal(tun_host_del(f.host, addr("10.60.0.7")), 0);
	assert_int_equal(way_to("10.60.0.7"), link_of(HOME).index);
}

/* The address that the host has on the link is a route that is in the way otherwise. */
static void a_link_that_is_none_any_more_is_routed_as_a_whole(void **state)
{
	const struct tunnel_home_network whole[] = { { .prefix = prefix("10.60.0.0", 24) } };
	struct rtnl_route single = { .dst = prefix("10.60.0.7", 32) };

	(void)state;
	open_host();
	assert_int_equal(tun_host_put(f.host, addr("10.60.0.7")), 0);
	assert_int_equal(tun_host_set_networks(f.host, whole, 1), -EEXIST);
	assert_int_equal(way_to("10.50.0.7"), device());
	(void)close(f.link);
	f.link = open_device("other0");
	set_networks(whole, 1);
	assert_int_equal(way_to("10.60.0.8"), device());
	assert_int_equal(tun_host_put(f.host, addr("10.60.0.7")), 0);
	assert_int_equal(way_to("10.60.0.7"), device());
	single.index = device();
	assert_int_equal(rtnl_route_del(f.rtnl, &single), -ESRCH); /* the whole is enough */
}

static void what_this_host_takes_itself_is_local(void **state)
{
	(void)state;
	open_host();
	assert_true(tun_host_is_local(f.host, addr("10.0.0.2")));
	assert_true(tun_host_is_local(f.host, addr("10.60.0.1")));
	assert_true(tun_host_is_local(f.host, addr("10.60.0.255")));
	assert_false(tun_host_is_local(f.host, addr("10.50.0.7")));
	assert_false(tun_host_is_local(f.host, addr("203.0.113.1"))); /* no way there */
}

static void an_address_that_comes_or_goes_counts_once_it_is_told(void **state)
{
	const struct rtnl_addr second = { link_of(HOME).index, addr("10.61.0.1"), 30, 0 };

	(void)state;
	open_host();
	assert_true(tun_host_has_address(f.host, addr("10.0.0.2")));
	assert_true(tun_host_has_address(f.host, addr("10.60.0.1")));
	assert_true(tun_host_has_address(f.host, addr("10.60.0.0")));
	assert_true(tun_host_has_address(f.host, addr("10.60.0.255")));
	assert_false(tun_host_has_address(f.host, addr("10.60.0.7")));
	assert_int_equal(rtnl_addr_add(f.rtnl, &second), 0);
	assert_false(tun_host_has_address(f.host, addr("10.61.0.1"))); /* the kernel is not asked */
	tun_host_forget_addresses(f.host);
	assert_true(tun_host_has_address(f.host, addr("10.61.0.1")));
	assert_true(tun_host_has_address(f.host, addr("10.61.0.3")));
	assert_false(tun_host_has_address(f.host, addr("10.61.0.2")));
}

/* --- what other hands take away --- */

static void routes_that_are_gone_are_put_back(void **state)
{
	const struct binding_key key = { addr("10.60.0.7"), addr("10.0.0.2") };
	struct rtnl_route gone = { .dst = f.networks[0].prefix };

	(void)state;
	open_host();
	gone.index = device();
	assert_non_null(binding_put(&f.cache, key, addr("198.51.100.7")));
	assert_int_equal(tun_host_put(f.host, key.home_addr), 0);
	assert_int_equal(tun_host_repair(f.host), 0); /* all is well */
	assert_int_equal(rtnl_route_del(f.rtnl, &gone), 0);
	gone.dst = prefix("10.60.0.7", 32);
	assert_int_equal(rtnl_route_del(f.rtnl, &gone), 0);
	assert_int_equal(tun_host_repair(f.host), 2);
	assert_int_equal(way_to("10.50.0.7"), device());
	assert_int_equal(way_to("10.60.0.7"), device());
}

static void set_down(unsigned int index)
{
	struct ifreq ifr = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_non_null(if_indextoname(index, ifr.ifr_name));
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &ifr), 0);
	(void)close(fd);
}

static void a_device_that_was_set_down_is_set_up(void **state)
{
	(void)state;
	open_host();
	set_down(device());
	assert_int_equal(way_to("10.50.0.7"), 0);
	assert_int_equal(tun_host_repair(f.host), 1);
	assert_int_equal(way_to("10.50.0.7"), device());
}

static void a_device_that_was_deleted_is_made_anew(void **state)
{
	(void)state;
	open_host();
	assert_false(tun_host_device_is_gone(f.host));
	assert_int_equal(rtnl_link_del(f.rtnl, DEVICE), 0);
	assert_true(tun_host_device_is_gone(f.host));
	assert_int_equal(tun_host_repair(f.host), -ENODEV);
	assert_int_equal(tun_host_remake_device(f.host), 0);
	assert_false(tun_host_device_is_gone(f.host));
	assert_true(tun_host_fd(f.host) >= 0);
	assert_int_equal(tun_host_repair(f.host), 1);
	assert_int_equal(way_to("10.50.0.7"), device());
}

static void who_asked_for_a_route_is_known(void **state)
{
	struct rtnl *other;

	(void)state;
	open_host();
	assert_int_equal(rtnl_open(&other), 0);
	assert_int_not_equal(tun_host_port(f.host), 0);
	assert_int_not_equal(tun_host_port(f.host), rtnl_port(other));
	(void)rtnl_close(other);
}

/* --- broadcasts of a home link --- */

static const uint8_t packet[] = { 0x45, 0, 0,  28, 0, 1,   0,    0, 64,   17, 0, 0, 10, 60,
				  0,    7, 10, 60, 0, 255, 0x10, 0, 0x10, 1,  0, 8, 0,  0 };

/* The link brings a packet. */
static void bring(const char *dst, bool is_whole)
{
	const struct in_addr to = addr(dst);
	uint8_t copy[sizeof(packet)];
	uint32_t sum = 0;
	size_t i;

	memcpy(copy, packet, sizeof(copy));
	memcpy(copy + 16, &to, sizeof(to));
	for (i = 0; i < 20; i += 2)
		sum += (uint32_t)copy[i] << 8 | copy[i + 1];
	sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
	copy[10] = (uint8_t)(sum >> 8);
	copy[11] = (uint8_t)(sum + !is_whole);
	assert_int_equal(write(f.link, copy, sizeof(copy)), sizeof(copy));
}

static int heard(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t got[64];

	(void)poll(&p, 1, 200);
	return tun_link_read(fd, got, sizeof(got));
}

static void broadcasts_alone_are_taken_off_a_home_link(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(tun_link_open(HOME, f.networks[1].prefix, false, &fd), 0);
	bring("10.60.0.1", true);
	bring("255.255.255.255", true);
	bring("10.60.0.255", true);
	assert_int_equal(heard(fd), sizeof(packet));
	assert_int_equal(heard(fd), -EAGAIN);
	(void)close(fd);
}

static void limited_broadcasts_are_taken_if_they_are_asked_for(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(tun_link_open(HOME, f.networks[1].prefix, true, &fd), 0);
	bring("255.255.255.255", true);
	assert_int_equal(heard(fd), sizeof(packet));
	bring("10.60.0.255", false);
	assert_true(heard(fd) < 0); /* a header that is spoilt is no packet */
	(void)close(fd);
}

static void a_home_link_that_goes_down_is_told_of_once(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(tun_link_open("nobody", f.networks[1].prefix, true, &fd), -ENODEV);
	assert_int_equal(tun_link_open(HOME, f.networks[1].prefix, true, &fd), 0);
	set_down(link_of(HOME).index);
	assert_int_equal(heard(fd), -ENETDOWN);
	assert_int_equal(heard(fd), -EAGAIN);
	(void)close(fd);
}

static void a_setting_that_is_not_there_is_told(void **state)
{
	(void)state;
	assert_int_equal(setting_read("nobody", "rp_filter", 7), 7);
	assert_int_equal(setting_write("nobody", "rp_filter", 1), -ENOENT);
	assert_int_equal(setting_write("lo", "rp_filter", 1), 0);
	assert_int_equal(setting_read("lo", "rp_filter", 7), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* The first namespace is tried for: who may not have one is told so, and not of failures. */
static bool may_have_devices(void)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0 || unshare(CLONE_NEWNET) < 0)
		return false;
	(void)close(fd);
	return true;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_virtual_home_network_is_routed_into_the_device),
		TEST(forwarding_is_switched_on_and_off_again),
		TEST(forwarding_that_was_on_stays_on),
		TEST(forwarding_stays_on_for_another_home_agent_of_this_host),
		TEST(strict_reverse_path_filtering_of_a_home_link_is_made_loose),
		TEST(who_stands_by_routes_without_an_address_of_its_own),
		TEST(a_link_of_that_name_that_is_no_tun_device_is_left_alone),
		TEST(a_device_that_another_process_holds_is_left_alone),
		TEST(a_home_link_that_is_not_there_is_refused),
		TEST(a_route_of_somebody_else_for_a_home_network_is_refused),
		TEST(a_device_that_was_left_is_adopted_and_its_routes_go),
		TEST(a_node_of_a_home_link_is_routed_to_the_tunnels_while_it_is_away),
		TEST(a_node_of_a_virtual_home_network_needs_no_route),
		TEST(a_route_of_somebody_else_for_a_node_is_told),
		TEST(a_network_behind_a_mobile_router_comes_and_goes),
		TEST(virtual_home_networks_come_and_go),
		TEST(a_home_network_that_is_wider_than_before_has_a_route_all_the_time),
		TEST(home_networks_change_all_or_none),
		TEST(a_link_that_comes_has_to_be_there_and_is_filtered_loosely),
		TEST(a_node_that_ends_with_its_link_leaves_no_route),
		TEST(a_link_that_is_none_any_more_is_routed_as_a_whole),
		TEST(what_this_host_takes_itself_is_local),
		TEST(an_address_that_comes_or_goes_counts_once_it_is_told),
		TEST(routes_that_are_gone_are_put_back),
		TEST(a_device_that_was_set_down_is_set_up),
		TEST(a_device_that_was_deleted_is_made_anew),
		TEST(who_asked_for_a_route_is_known),
		TEST(broadcasts_alone_are_taken_off_a_home_link),
		TEST(limited_broadcasts_are_taken_if_they_are_asked_for),
		TEST(a_home_link_that_goes_down_is_told_of_once),
		TEST(a_setting_that_is_not_there_is_told),
	};

	if (!may_have_devices()) {
		print_message("skipped: no /dev/net/tun, or no network namespace (%s)\n",
			      strerror(errno));
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tier "tc" as tunnel.c drives it, in a network namespace without interfaces and on a BPF file
 * system of the test's own: is in the maps what the bindings are, whoever died when? The last test
 * prints what a change costs and asserts nothing about it. Needs CAP_BPF, CAP_NET_ADMIN and
 * CAP_SYS_ADMIN; without them it is skipped, and says so.
 */
#include "ha-core/tunnel/bpf/habpf.h"
#include "ha-core/tunnel/tunnel.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define NODES        16
#define CHANGES      100000
#define EXIT_SKIPPED 77

static char mounted[] = "/tmp/test_changes.XXXXXX";
static char directory[sizeof(mounted) + sizeof("/ihad")];

struct fixture {
	struct tunnel_conf conf;
	struct tunnel_filter filter;
	struct binding_cache cache;
	struct stats stats;
	struct loop *loop;
	struct tunnel_dp *dp;
};

static struct fixture f;

static void open_tier(uint32_t nodes)
{
	f.conf = (struct tunnel_conf){
		.device = "ihad0",
		.choice = TUNNEL_TC,
		.home_agent = { htonl(0x0a000002) },
		.port = 434,
		.mtu = 1500,
		.filter = &f.filter,
		.cache = &f.cache,
		.stats = &f.stats,
		.loop = f.loop,
		.bpffs = directory,
		.fast_nodes = nodes,
	};
	assert_int_equal(tunnel_bpf.open(&f.conf, &f.dp), 0);
}

static int setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	f.filter.pass_all = true;
	f.loop = loop_new();
	assert_non_null(f.loop);
	assert_int_equal(binding_cache_init(&f.cache, CHANGES), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tunnel_bpf.close(f.dp);
	assert_int_equal(access(directory, F_OK), -1); /* it leaves nothing */
	binding_cache_done(&f.cache);
	(void)loop_free(f.loop);
	return 0;
}

static struct binding *make(uint32_t number, uint32_t care_of)
{
	const struct binding_key key = { { htonl(0x0a320000 + number) }, f.conf.home_agent };
	const struct binding_tunnel tunnel = {
		.peer = { htonl(care_of) },
		.encap = ENCAP_IPIP,
		.reverse = true,
	};
	struct binding *b = binding_put(&f.cache, key, tunnel.peer);

	assert_non_null(b);
	binding_set_tunnel(&f.cache, b, &tunnel);
	b->expires_ms = 1000;
	return b;
}

static int put(struct binding *b)
{
	return tunnel_bpf.put(f.dp, b, (struct tunnel_soft){ .mtu = 1500 });
}

static int map(const char *name)
{
	char path[sizeof(directory) + 32];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	return fd;
}

static struct habpf_config config(void);

/* As the programs look it up, but by system calls. */
static bool find(uint32_t number, struct habpf_node *out)
{
	const uint32_t home_addr = 0x0a320000 + number;
	uint32_t slot = habpf_first_slot(home_addr, config().slot_cnt), end = slot + HABPF_PROBES;
	int fd = map("ha_nodes");
	bool found = false;

	for (; slot < end && !found; slot++) {
		assert_int_equal(bpf_map_lookup_elem(fd, &slot, out), 0);
		if (out->tag == 0)
			break;
		found = out->tag >> 32 == htonl(home_addr);
	}
	(void)close(fd);
	return found && !(out->tag & HABPF_TAG_ODD);
}

/* As the programs would. */
static void carry(const struct binding *b, uint64_t packets)
{
	uint32_t slot = b->fast_slot - 1;
	struct habpf_node node;
	int fd = map("ha_nodes");

	assert_int_equal(bpf_map_lookup_elem(fd, &slot, &node), 0);
	node.count.packets_to += packets;
	assert_int_equal(bpf_map_update_elem(fd, &slot, &node, BPF_ANY), 0);
	(void)close(fd);
}

static uint64_t counted(const struct binding *b)
{
	struct binding_count sum = b->count;

	tunnel_bpf.add_count(f.dp, b, &sum);
	return sum.packets_to;
}

static struct habpf_config config(void)
{
	uint32_t zero = 0, selected;
	struct habpf_config c;
	int fd = map("ha_select");

	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &selected), 0);
	(void)close(fd);
	fd = map("ha_config");
	assert_int_equal(bpf_map_lookup_elem(fd, &selected, &c), 0);
	(void)close(fd);
	return c;
}

static void entry_is_what_the_binding_is(void **state)
{
	struct habpf_node node;
	struct binding *b;
	struct binding_tunnel udp = { .encap = ENCAP_GRE, .udp = true, .peer_port = 4500 };

	(void)state;
	open_tier(NODES);
	f.conf.clamp_udp = true;
	b = make(7, 0x0a01000a);
	assert_int_equal(put(b), 0);
	assert_true(find(7, &node));
	assert_int_equal(node.tunnel.peer, htonl(0x0a01000a));
	assert_int_equal(node.tunnel.mode, ENCAP_IPIP);
	assert_int_equal(node.tunnel.flags, HABPF_NODE_REVERSE);
	assert_int_equal(node.tunnel.mtu, 1500);
	assert_int_equal(node.tunnel.expires_ns, 1000000000);

	udp.peer.s_addr = htonl(0xcb007107);
	binding_set_tunnel(&f.cache, b, &udp);
	b->expires_ms = BINDING_NEVER_MS;
	assert_int_equal(put(b), 0);
	assert_true(find(7, &node));
	assert_int_equal(node.tunnel.peer, udp.peer.s_addr);
	assert_int_equal(node.tunnel.peer_port, htons(4500));
	assert_int_equal(node.tunnel.flags, HABPF_NODE_UDP | HABPF_NODE_CLAMP | HABPF_NODE_NAT);
	assert_int_equal(node.tunnel.mode, ENCAP_GRE);
	assert_true(node.tunnel.expires_ns == UINT64_MAX);
}

static void deleted_key_has_no_entry_and_absent_is_success(void **state)
{
	struct habpf_node node;
	struct binding *b;

	(void)state;
	open_tier(NODES);
	b = make(7, 1);
	assert_int_equal(put(b), 0);
	assert_int_equal(tunnel_bpf.del(f.dp, b->key), 0);
	assert_false(find(7, &node));
	assert_int_equal(tunnel_bpf.del(f.dp, b->key), 0);
}

static void count_stays_with_a_binding_that_leaves_the_tier(void **state)
{
	struct binding *b;

	(void)state;
	open_tier(NODES);
	b = make(7, 1);
	b->count.packets_to = 100;
	assert_int_equal(put(b), 0);
	carry(b, 11);
	assert_int_equal(counted(b), 111);
	assert_int_equal(put(b), 0); /* a renewal */
	assert_int_equal(counted(b), 111);
	assert_int_equal(b->count.packets_to, 0); /* it is not counted twice */
	assert_int_equal(tunnel_bpf.del(f.dp, b->key), 0);
	assert_int_equal(b->count.packets_to, 111);
	assert_int_equal(put(b), 0); /* its slot is clean, whichever it is */
	assert_int_equal(counted(b), 111);
}

static void count_of_a_moved_node_begins_anew(void **state)
{
	struct habpf_node node;
	struct binding *b;

	(void)state;
	open_tier(NODES);
	b = make(7, 1);
	assert_int_equal(put(b), 0);
	carry(b, 11);
	tunnel_bpf.reconcile(f.dp);
	binding_del(&f.cache, b);
	b = make(7, 2);
	assert_int_equal(put(b), 0);
	assert_int_equal(counted(b), 0);
	assert_true(find(7, &node));
	assert_int_equal(node.tunnel.peer, htonl(2));
}

static void full_tier_refuses_and_takes_again(void **state)
{
	struct binding *b[NODES + 1];
	struct habpf_node node;
	uint32_t i;

	(void)state;
	open_tier(NODES);
	for (i = 0; i <= NODES; i++) {
		b[i] = make(i, i);
		assert_int_equal(put(b[i]), i < NODES ? 0 : -ENOSPC);
	}
	assert_int_equal(tunnel_bpf.del(f.dp, b[NODES]->key), 0);
	assert_int_equal(tunnel_bpf.del(f.dp, b[3]->key), 0);
	assert_int_equal(put(b[NODES]), 0);
	assert_true(find(NODES, &node));
	for (i = 0; i < NODES; i++)
		assert_int_equal(find(i, &node), i != 3);
}

/*
 * A daemon that has put nodes 0 to cnt - 1 is killed. The last has carried 11 packets by the
 * programs, 100 by tun before it was put, and 5 by tun since.
 */
static void daemon_that_dies(uint32_t cnt)
{
	pid_t pid = fork();
	struct habpf_node node;
	struct binding *b = NULL;
	uint32_t i;
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		open_tier(NODES);
		for (i = 0; i < cnt; i++) {
			b = make(i, i + 1);
			b->count.packets_to = 100;
			if (put(b) < 0 || !find(i, &node))
				_exit(1);
		}
		carry(b, 11);
		tunnel_bpf.count(f.dp, b, &(struct binding_count){ .packets_to = 5 });
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void what_a_killed_daemon_left_is_adopted_and_reconciled(void **state)
{
	struct habpf_node node;
	struct binding *kept, *new;

	(void)state;
	daemon_that_dies(5);
	open_tier(NODES);
	assert_true(find(1, &node) && find(4, &node)); /* they go on meanwhile */
	kept = make(4, 5);
	assert_int_equal(put(kept), 0);
	tunnel_bpf.reconcile(f.dp);
	assert_true(find(4, &node));
	assert_int_equal(node.tunnel.peer, htonl(5));
	assert_int_equal(counted(kept), 116);
	assert_false(find(0, &node) || find(1, &node) || find(2, &node) || find(3, &node));
	for (uint32_t i = 10; i < 10 + NODES - 1; i++) { /* each slot is there once */
		new = make(i, 1);
		assert_int_equal(put(new), 0);
		assert_int_not_equal(new->fast_slot, kept->fast_slot);
	}
	assert_int_equal(put(make(99, 1)), -ENOSPC);
}

static void maps_that_are_too_small_are_laid_anew(void **state)
{
	struct habpf_node node;

	(void)state;
	daemon_that_dies(2);
	open_tier(NODES + 1);
	assert_false(find(0, &node));
	assert_int_equal(config().slot_cnt, 2 * (NODES + 1));
}

static void directory_is_one_daemons(void **state)
{
	struct tunnel_dp *other;

	(void)state;
	open_tier(NODES);
	assert_int_equal(tunnel_bpf.open(&f.conf, &other), -EBUSY);
	tunnel_bpf.clean(&f.conf);
	assert_int_equal(config().layout, HABPF_LAYOUT);
}

static void filter_is_written_whole_and_one_too_large_switches_off(void **state)
{
	const struct tunnel_filter_row rows[] = { { 50, 0 }, { 17, 500 } };
	struct habpf_config c;
	uint32_t i;

	(void)state;
	open_tier(NODES);
	assert_int_equal(config().flags & HABPF_FILTER, 0);
	f.filter =
		(struct tunnel_filter){ .rows = rows, .row_cnt = 2, .reverse_needs_grant = true };
	assert_int_equal(addr_set_add(&f.filter.peers,
				      (struct addr_prefix){ { htonl(0xc0000201) }, 32 }),
			 0);
	tunnel_bpf.filter_changed(f.dp);
	c = config();
	assert_int_equal(c.layout, HABPF_LAYOUT);
	assert_int_equal(c.flags, HABPF_FILTER | HABPF_REVERSE_NEEDS_GRANT);
	assert_int_equal(c.row_cnt, 2);
	assert_int_equal(c.rows[1].protocol, 17);
	assert_int_equal(c.rows[1].port, 500);
	assert_int_equal(c.peer_cnt, 1);
	assert_int_equal(c.peers[0], htonl(0xc0000201));

	for (i = 0; i < HABPF_PEER_CNT; i++)
		assert_int_equal(
			addr_set_add(&f.filter.peers,
				     (struct addr_prefix){ { htonl(0x0b000000 + i) }, 32 }),
			0);
	tunnel_bpf.filter_changed(f.dp);
	assert_int_equal(config().layout, 0);
	assert_string_equal(tunnel_bpf.tier(f.dp), "tun");
	addr_set_done(&f.filter.peers);
	f.filter = (struct tunnel_filter){ .pass_all = true };
	tunnel_bpf.filter_changed(f.dp);
	assert_int_equal(config().layout, HABPF_LAYOUT);
}

static const struct tunnel_filter_row esp_only[] = { { 50, 0 } };

static void use_peers(uint32_t one, uint32_t two)
{
	const uint32_t peers[] = { one, two };

	addr_set_done(&f.filter.peers);
	f.filter = (struct tunnel_filter){ .rows = esp_only, .row_cnt = 1 };
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(addr_set_add(&f.filter.peers,
					      (struct addr_prefix){ { htonl(peers[i]) }, 32 }),
				 0);
}

static uint16_t contacts(uint32_t number)
{
	struct habpf_node node;

	assert_true(find(number, &node));
	return node.tunnel.contacts;
}

static void whom_a_node_has_sent_to_goes_by_the_place_it_has_now(void **state)
{
	struct binding *b;

	(void)state;
	use_peers(0xc6336409, 0xc633640a);
	open_tier(NODES);
	b = make(7, 1);
	assert_int_equal(put(b), 0);
	assert_int_equal(contacts(7), 0);
	assert_int_equal(binding_add_contact(b, (struct in_addr){ htonl(0xc633640a) }), 0);
	assert_int_equal(put(b), 0);
	assert_int_equal(contacts(7), 1 << 1);

	use_peers(0xc633640a, 0xc633640b); /* a reload */
	tunnel_bpf.filter_changed(f.dp);
	assert_int_equal(contacts(7), 1 << 0);
	assert_int_equal(config().layout, HABPF_LAYOUT);
	assert_int_equal(config().peers[0], htonl(0xc633640a));
	addr_set_done(&f.filter.peers);
}

static void maps_of_another_list_of_peers_rest_until_all_is_put(void **state)
{
	struct binding *b;

	(void)state;
	use_peers(0xc6336409, 0xc633640a);
	daemon_that_dies(5);
	open_tier(NODES); /* the same list: packets go on */
	assert_int_equal(config().layout, HABPF_LAYOUT);
	f.conf.keep_forwarding = true;
	tunnel_bpf.close(f.dp);

	use_peers(0xc633640a, 0xc633640b);
	open_tier(NODES);
	assert_int_equal(config().layout, 0);
	b = make(4, 5);
	assert_int_equal(binding_add_contact(b, (struct in_addr){ htonl(0xc633640b) }), 0);
	assert_int_equal(put(b), 0);
	tunnel_bpf.reconcile(f.dp);
	assert_int_equal(config().layout, HABPF_LAYOUT);
	assert_int_equal(contacts(4), 1 << 1);
	addr_set_done(&f.filter.peers);
}

/* Of our own time: others may be busy on this machine. */
static double now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* Microseconds for each, since the last call. */
static double lap(double *at)
{
	double now = now_us(), each = (now - *at) / CHANGES;

	*at = now;
	return each;
}

static void put_all(struct binding **b)
{
	for (uint32_t i = 0; i < CHANGES; i++)
		assert_int_equal(put(b[i]), 0);
}

static void print_what_a_change_costs(void **state)
{
	static struct binding *b[CHANGES];
	double reg, renew, move, dereg, at;
	uint32_t i;

	(void)state;
	open_tier(CHANGES);
	tunnel_bpf.reconcile(f.dp);
	for (i = 0; i < CHANGES; i++)
		b[i] = make(i, i);
	at = now_us();
	put_all(b);
	reg = lap(&at);
	put_all(b);
	renew = lap(&at);
	for (i = 0; i < CHANGES; i++)
		b[i]->fast_slot = 0; /* as of a binding that takes another's place */
	at = now_us();
	put_all(b);
	move = lap(&at);
	for (i = 0; i < CHANGES; i++)
		assert_int_equal(tunnel_bpf.del(f.dp, b[i]->key), 0);
	dereg = lap(&at);
	print_message(
		"%u nodes: register %.2f us, renew %.2f us, move %.2f us, deregister %.2f us\n",
		CHANGES, reg, renew, move, dereg);
}

/* In namespaces of our own; false: we may not. */
static bool isolate(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || !mkdtemp(mounted))
		return false;
	if (mount("bpf", mounted, "bpf", 0, NULL) < 0)
		return false;
	(void)snprintf(directory, sizeof(directory), "%s/ihad", mounted);
	return true;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(entry_is_what_the_binding_is),
		TEST(deleted_key_has_no_entry_and_absent_is_success),
		TEST(count_stays_with_a_binding_that_leaves_the_tier),
		TEST(count_of_a_moved_node_begins_anew),
		TEST(full_tier_refuses_and_takes_again),
		TEST(what_a_killed_daemon_left_is_adopted_and_reconciled),
		TEST(maps_that_are_too_small_are_laid_anew),
		TEST(directory_is_one_daemons),
		TEST(filter_is_written_whole_and_one_too_large_switches_off),
		TEST(whom_a_node_has_sent_to_goes_by_the_place_it_has_now),
		TEST(maps_of_another_list_of_peers_rest_until_all_is_put),
		TEST(print_what_a_change_costs),
	};
	int failed;

	if (!isolate()) {
		(void)rmdir(mounted);
		printf("skipped: no namespaces, or no BPF file system: %s\n", strerror(errno));
		return EXIT_SKIPPED;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)umount(mounted);
	(void)rmdir(mounted);
	return failed;
}

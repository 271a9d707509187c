/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What tunnel.c decides between its tiers: who is given a home address, whose counts are summed,
 * what happens when a tier fails. Both tiers are the test's own (struct tunnel_ops is ours), under
 * the names that tunnel.c has in its table.
 */
#include "common/err.h"
#include "ha-core/tunnel/tunnel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PEER 0x0a010001u

/* What a tier was last asked, and what it answers. */
struct tunnel_dp {
	bool open;
	int open_err, put_err, del_err, clean_err;
	unsigned int put_cnt, del_cnt, clean_cnt, reconcile_cnt, filter_cnt;
	unsigned int closed_as; /* which was closed first */
	bool goes_on;           /* as it was told when it was closed */
	struct tunnel_soft soft;
	unsigned int route_cnt, udp_cnt;
	int route_err, reload_err;
	unsigned int settings_cnt;
};

static struct tunnel_dp base, fast;
static unsigned int closed_cnt;
static const struct tunnel_conf *base_conf;

static struct {
	struct tunnel_conf conf;
	struct binding_cache cache;
	struct stats stats;
	struct tunnel *tunnel;
} f;

static int tier_open(struct tunnel_dp *dp, struct tunnel_dp **ret_dp)
{
	if (dp->open_err < 0)
		return dp->open_err;
	dp->open = true;
	*ret_dp = dp;
	return 0;
}

static int base_open(const struct tunnel_conf *conf, struct tunnel_dp **ret_dp)
{
	base_conf = conf;
	return tier_open(&base, ret_dp);
}

static int fast_open(const struct tunnel_conf *conf, struct tunnel_dp **ret_dp)
{
	(void)conf;
	assert_true(base.open); /* what it leaves alone has somebody */
	return tier_open(&fast, ret_dp);
}

static void tier_close(struct tunnel_dp *dp)
{
	dp->open = false;
	dp->goes_on = *base_conf->goes_on;
	dp->closed_as = ++closed_cnt;
}

static int tier_put(struct tunnel_dp *dp, struct binding *first, struct tunnel_soft soft)
{
	(void)first;
	dp->put_cnt++;
	if (dp == &fast)
		dp->soft = soft;
	return dp->put_err;
}

static int tier_del(struct tunnel_dp *dp, struct binding_key key)
{
	(void)key;
	dp->del_cnt++;
	return dp->del_err;
}

static struct tunnel_soft base_soft(struct tunnel_dp *dp, struct in_addr peer)
{
	(void)peer;
	return dp->soft;
}

static int fast_clean(const struct tunnel_conf *conf)
{
	(void)conf;
	fast.clean_cnt++;
	return fast.clean_err;
}

static int base_clean(const struct tunnel_conf *conf)
{
	(void)conf;
	base.clean_cnt++;
	return 0;
}

static int base_route(struct tunnel_dp *dp, struct addr_prefix network, bool on)
{
	(void)network;
	dp->route_cnt += on ? 1u : -1u;
	return dp->route_err;
}

static int base_reload(struct tunnel_dp *dp, const struct tunnel_conf *conf)
{
	(void)conf;
	return dp->reload_err;
}

static void fast_settings_changed(struct tunnel_dp *dp)
{
	dp->settings_cnt++;
}

static void base_udp_input(struct tunnel_dp *dp, uint8_t *data, size_t len, uint8_t tos,
			   struct in_addr src, uint16_t src_port, struct in_addr dst)
{
	(void)data;
	(void)tos;
	(void)dst;
	dp->udp_cnt += len == 20 && ntohl(src.s_addr) == PEER && src_port == 9;
}

static bool base_is_local(struct tunnel_dp *dp, struct in_addr addr)
{
	(void)dp;
	return ntohl(addr.s_addr) == PEER;
}

static struct tunnel_upkeep tier_upkeep(struct tunnel_dp *dp)
{
	return dp == &base ? (struct tunnel_upkeep){ .sinks = 2, .repairs = 3 }
			   : (struct tunnel_upkeep){ .sinks = 40, .repairs = 50 };
}

static void tier_for_each_port(struct tunnel_dp *dp,
			       void (*fn)(void *ctx, const struct tunnel_port *port), void *ctx)
{
	fn(ctx, &(struct tunnel_port){ .interface = dp == &base ? "ihad0" : "eth0" });
}

static void fast_reconcile(struct tunnel_dp *dp)
{
	dp->reconcile_cnt++;
}

static void fast_filter_changed(struct tunnel_dp *dp)
{
	dp->filter_cnt++;
}

static void fast_add_count(struct tunnel_dp *dp, const struct binding *b, struct binding_count *sum)
{
	(void)dp;
	(void)b;
	sum->packets_to += 10;
	sum->bytes_from += 1000;
}

static struct binding_count fast_carried;

static void fast_count(struct tunnel_dp *dp, const struct binding *b,
		       const struct binding_count *more)
{
	(void)dp;
	(void)b;
	binding_count_add(&fast_carried, more);
}

static void fast_add_stats(struct tunnel_dp *dp, struct stats *sum)
{
	(void)dp;
	sum->packets_to_nodes += 5;
}

static const char *fast_tier(struct tunnel_dp *dp)
{
	(void)dp;
	return "xdp";
}

const struct tunnel_ops tunnel_tun = {
	.name = "tun",
	.open = base_open,
	.close = tier_close,
	.clean = base_clean,
	.put = tier_put,
	.del = tier_del,
	.soft = base_soft,
	.route = base_route,
	.reload = base_reload,
	.udp_input = base_udp_input,
	.is_local = base_is_local,
	.upkeep = tier_upkeep,
	.for_each_port = tier_for_each_port,
};

const struct tunnel_ops tunnel_bpf = {
	.name = "bpf",
	.outlives = true,
	.caps = TUNNEL_CAP_IPIP | TUNNEL_CAP_UDP | TUNNEL_CAP_FILTER,
	.open = fast_open,
	.close = tier_close,
	.put = tier_put,
	.del = tier_del,
	.clean = fast_clean,
	.reconcile = fast_reconcile,
	.filter_changed = fast_filter_changed,
	.settings_changed = fast_settings_changed,
	.add_count = fast_add_count,
	.count = fast_count,
	.add_stats = fast_add_stats,
	.upkeep = tier_upkeep,
	.for_each_port = tier_for_each_port,
	.tier = fast_tier,
};

/* Not for the word in the configuration, but for TUNNEL_KERNEL; without filter and counts. */
static unsigned int kernel_clean_cnt;

static int kernel_clean(const struct tunnel_conf *conf)
{
	(void)conf;
	kernel_clean_cnt++;
	return 0;
}

static int kernel_open(const struct tunnel_conf *conf, struct tunnel_dp **ret_dp)
{
	base_conf = conf;
	return tier_open(&fast, ret_dp);
}

static const char *kernel_tier(struct tunnel_dp *dp)
{
	(void)dp;
	return "kernel";
}

const struct tunnel_ops tunnel_kernel = {
	.name = "kernel",
	.caps = TUNNEL_CAP_IPIP | TUNNEL_CAP_GRE,
	.carried = 2,
	.open = kernel_open,
	.close = tier_close,
	.put = tier_put,
	.del = tier_del,
	.clean = kernel_clean,
	.reconcile = fast_reconcile,
	.filter_changed = fast_filter_changed,
	.settings_changed = fast_settings_changed,
	.add_stats = fast_add_stats,
	.tier = kernel_tier,
};

static const struct tunnel_filter no_filter = { .pass_all = true }, filter = { 0 };

static int setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	base = (struct tunnel_dp){ .soft = { .mtu = 1400 } };
	fast = (struct tunnel_dp){ 0 };
	closed_cnt = 0;
	kernel_clean_cnt = 0;
	assert_int_equal(binding_cache_init(&f.cache, 16), 0);
	f.conf = (struct tunnel_conf){
		.choice = TUNNEL_AUTO,
		.home_agent = { htonl(0x0a000002) },
		.mtu = 1500,
		.filter = &no_filter,
		.cache = &f.cache,
		.stats = &f.stats,
		.loop = loop_new(),
	};
	assert_non_null(f.conf.loop);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	f.tunnel = tunnel_close(f.tunnel);
	assert_false(base.open || fast.open);
	binding_cache_done(&f.cache);
	(void)loop_free(f.conf.loop);
	return 0;
}

static void open_tunnel(void)
{
	assert_int_equal(tunnel_open(&f.conf, &f.tunnel), 0);
}

static struct binding *make(uint32_t number, uint32_t care_of)
{
	const struct binding_key key = { { htonl(0x0a320000 + number) }, { htonl(0x0a000002) } };
	const struct binding_tunnel tunnel = { .peer = { htonl(PEER) }, .encap = ENCAP_IPIP };
	struct binding *b = binding_put(&f.cache, key, (struct in_addr){ htonl(care_of) });

	assert_non_null(b);
	binding_set_tunnel(&f.cache, b, &tunnel);
	return b;
}

static void put_as(struct binding *b, struct binding_tunnel tunnel)
{
	tunnel.peer.s_addr = htonl(PEER);
	binding_set_tunnel(&f.cache, b, &tunnel);
	assert_int_equal(tunnel_put(f.tunnel, b), 0);
}

static void common_binding_goes_to_both_tiers_with_what_is_known_of_its_path(void **state)
{
	(void)state;
	open_tunnel();
	assert_int_equal(tunnel_put(f.tunnel, make(1, 1)), 0);
	assert_int_equal(base.put_cnt, 1);
	assert_int_equal(fast.put_cnt, 1);
	assert_int_equal(fast.del_cnt, 0);
	assert_int_equal(fast.soft.mtu, 1400);
}

static void what_the_fast_tier_cannot_do_is_taken_from_it(void **state)
{
	static const struct {
		struct binding_tunnel tunnel;
		bool fast;
	} rows[] = {
		{ { .encap = ENCAP_IPIP }, true },
		{ { .encap = ENCAP_GRE }, false }, /* not among its capabilities */
		{ { .encap = ENCAP_MINIMAL }, false },
		{ { .encap = ENCAP_IPIP, .udp = true, .peer_port = 9 }, true },
		{ { .encap = ENCAP_IPIP, .udp = true, .peer_port = 0 }, false },
		{ { .encap = ENCAP_IPIP, .udp = true, .peer_port = 9, .half_bound = true }, false },
	};
	struct binding *b;
	size_t i;

	(void)state;
	open_tunnel();
	b = make(1, 1);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fast.put_cnt = fast.del_cnt = 0;
		put_as(b, rows[i].tunnel);
		assert_int_equal(fast.put_cnt, rows[i].fast);
		assert_int_equal(fast.del_cnt, !rows[i].fast);
	}
	assert_int_equal(base.put_cnt, i);
}

static void simultaneous_bindings_are_the_base_tiers(void **state)
{
	struct binding *first;

	(void)state;
	open_tunnel();
	first = make(1, 1);
	assert_int_equal(tunnel_put(f.tunnel, first), 0);
	(void)make(1, 2);
	assert_int_equal(tunnel_put(f.tunnel, binding_find(&f.cache, first->key)), 0);
	assert_int_equal(fast.put_cnt, 1);
	assert_int_equal(fast.del_cnt, 1);
}

static void refusal_of_the_fast_tier_is_counted_and_goes_no_further(void **state)
{
	(void)state;
	open_tunnel();
	fast.put_err = -ENOSPC;
	assert_int_equal(tunnel_put(f.tunnel, make(1, 1)), 0);
	assert_int_equal(f.stats.fast_path_refusals, 1);
	assert_int_equal(fast.del_cnt, 1); /* what it had is not true any more */
}

static void refusal_of_the_base_tier_is_told_and_the_fast_one_is_not_asked(void **state)
{
	(void)state;
	open_tunnel();
	base.put_err = -EIO;
	assert_int_equal(tunnel_put(f.tunnel, make(1, 1)), -EIO);
	assert_int_equal(fast.put_cnt, 0);
}

static void deletion_reaches_both_and_either_failure_is_told(void **state)
{
	struct binding *b;

	(void)state;
	open_tunnel();
	b = make(1, 1);
	assert_int_equal(tunnel_del(f.tunnel, b->key), 0);
	fast.del_err = -EIO;
	assert_int_equal(tunnel_del(f.tunnel, b->key), -EIO);
	assert_int_equal(base.del_cnt, 2);
	assert_int_equal(fast.del_cnt, 2);
	fast.del_err = 0;
	base.del_err = -EPERM;
	assert_int_equal(tunnel_del(f.tunnel, b->key), -EPERM);
}

static void all_that_end_where_something_was_learnt_are_put_anew(void **state)
{
	(void)state;
	open_tunnel();
	(void)make(1, 1);
	(void)make(2, 1);
	base.soft.mtu = 1200;
	base_conf->learnt(base_conf->learnt_ctx, (struct in_addr){ htonl(PEER) });
	assert_int_equal(fast.put_cnt, 2);
	assert_int_equal(fast.soft.mtu, 1200);
	base.soft.unreachable = true;
	base_conf->learnt(base_conf->learnt_ctx, (struct in_addr){ htonl(PEER) });
	assert_int_equal(fast.put_cnt, 2);
	assert_int_equal(fast.del_cnt, 2);
	base_conf->learnt(base_conf->learnt_ctx, (struct in_addr){ htonl(PEER + 1) });
	assert_int_equal(fast.del_cnt, 2);
}

static void stop_when_there_are_two(void *ctx)
{
	if (fast.put_cnt == 2)
		loop_stop(ctx);
}

static void too_late(void *ctx)
{
	(void)ctx;
	fail_msg("not all were put again");
}

static void run_until(void (*look)(void *ctx), void *ctx)
{
	struct loop_timer *timer = loop_timer_new(f.conf.loop, look, ctx);
	struct loop_timer *limit = loop_timer_new(f.conf.loop, too_late, NULL);

	loop_timer_start(timer, 1, 1);
	loop_timer_start(limit, 60000, 0);
	loop_run(f.conf.loop);
	(void)loop_timer_free(timer);
	(void)loop_timer_free(limit);
}

/* RFC 2003 §5: what was unreachable is tried again; the timer is tunnel.c's own. */
static void an_end_out_of_reach_is_the_fast_tiers_again_when_that_is_forgotten(void **state)
{
	struct binding *b;

	(void)state;
	open_tunnel();
	base.soft.unreachable = true;
	b = make(1, 1);
	assert_int_equal(tunnel_put(f.tunnel, b), 0);
	assert_int_equal(tunnel_put(f.tunnel, b), 0); /* once more is nothing new */
	assert_int_equal(tunnel_put(f.tunnel, make(2, 1)), 0);
	assert_int_equal(fast.put_cnt, 0);
	assert_int_equal(fast.del_cnt, 3);
	base.soft.unreachable = false;
	run_until(stop_when_there_are_two, f.conf.loop);
	assert_int_equal(fast.del_cnt, 3);
}

static unsigned int contacted_cnt;

static void note_contact(void *ctx, const struct binding *first)
{
	assert_ptr_equal(ctx, &f);
	assert_non_null(first);
	contacted_cnt++;
}

static void a_first_contact_reaches_the_fast_tier_and_the_daemon(void **state)
{
	struct binding *b;

	(void)state;
	contacted_cnt = 0;
	f.conf.contacted = note_contact;
	f.conf.contacted_ctx = &f;
	open_tunnel();
	b = make(1, 1);
	base_conf->contacted(base_conf->contacted_ctx, b);
	assert_int_equal(fast.put_cnt, 1);
	assert_int_equal(contacted_cnt, 1);
	f.tunnel = tunnel_close(f.tunnel);
	f.conf.contacted = NULL; /* nobody wants to know */
	open_tunnel();
	base_conf->contacted(base_conf->contacted_ctx, b);
	assert_int_equal(fast.put_cnt, 2);
	assert_int_equal(contacted_cnt, 1);
}

static void routes_and_tunnel_data_are_the_base_tiers(void **state)
{
	const struct addr_prefix network = { { htonl(0x0a3c0000) }, 24 };
	const struct in_addr peer = { htonl(PEER) }, other = { htonl(PEER + 1) };
	uint8_t data[20] = { 0 };

	(void)state;
	open_tunnel();
	assert_int_equal(tunnel_route(f.tunnel, network, true), 0);
	assert_int_equal(base.route_cnt, 1);
	base.route_err = -EEXIST;
	assert_int_equal(tunnel_route(f.tunnel, network, true), -EEXIST);
	tunnel_udp_input(f.tunnel, data, sizeof(data), 0, peer, 9, other);
	assert_int_equal(base.udp_cnt, 1);
	assert_true(tunnel_is_local(f.tunnel, peer));
	assert_false(tunnel_is_local(f.tunnel, other));
	assert_false(tunnel_is_local(NULL, peer)); /* nobody knows */
}

static void a_reload_that_the_base_tier_refuses_reaches_no_other(void **state)
{
	struct tunnel_conf conf = f.conf;

	(void)state;
	open_tunnel();
	base.reload_err = -ENODEV;
	assert_int_equal(tunnel_reload(f.tunnel, &conf), -ENODEV);
	assert_int_equal(fast.settings_cnt, 0);
	base.reload_err = 0;
	assert_int_equal(tunnel_reload(f.tunnel, &conf), 0);
	assert_int_equal(fast.settings_cnt, 1);
}

static void note_port(void *ctx, const struct tunnel_port *port)
{
	char *names = ctx;

	strcat(strcat(names, port->interface), " ");
}

static void what_is_kept_up_is_the_sum_and_ports_are_those_of_both(void **state)
{
	char names[64] = "";
	struct tunnel_upkeep up;

	(void)state;
	up = tunnel_upkeep(NULL);
	assert_int_equal(up.sinks + up.repairs, 0);
	tunnel_for_each_port(NULL, note_port, names);
	assert_string_equal(names, "");
	open_tunnel();
	up = tunnel_upkeep(f.tunnel);
	assert_int_equal(up.sinks, 2); /* the base tier's alone */
	assert_int_equal(up.repairs, 53);
	tunnel_for_each_port(f.tunnel, note_port, names);
	assert_string_equal(names, "eth0 ihad0 ");
	f.tunnel = tunnel_close(f.tunnel);
	f.conf.choice = TUNNEL_TUN;
	names[0] = '\0';
	open_tunnel();
	assert_int_equal(tunnel_upkeep(f.tunnel).repairs, 3);
	tunnel_for_each_port(f.tunnel, note_port, names);
	assert_string_equal(names, "ihad0 ");
}

static void counts_are_the_bindings_own_and_the_fast_tiers(void **state)
{
	struct stats sum = { .packets_to_nodes = 3 };
	struct binding_count count;
	struct binding *b;

	(void)state;
	open_tunnel();
	b = make(1, 1);
	b->count.packets_to = 7;
	count = tunnel_count(f.tunnel, b);
	assert_int_equal(count.packets_to, 17);
	assert_int_equal(count.bytes_from, 1000);
	assert_int_equal(tunnel_count(NULL, b).packets_to, 7);
	assert_int_equal(b->count.packets_to, 7);
	tunnel_add_stats(f.tunnel, &sum);
	assert_int_equal(sum.packets_to_nodes, 8);
}

static void what_the_base_tier_carries_is_counted_where_the_rest_is(void **state)
{
	const struct binding_count more = { 1, 20, 300, 4000 };
	struct binding *b;

	(void)state;
	open_tunnel();
	b = make(1, 1);
	fast_carried = (struct binding_count){ 0 };
	b->fast_slot = 1;
	base_conf->carried(base_conf->learnt_ctx, b, &more);
	assert_memory_equal(&fast_carried, &more, sizeof(more));
	assert_int_equal(b->count.packets_to, 0);
	b->fast_slot = 0;
	base_conf->carried(base_conf->learnt_ctx, b, &more);
	assert_memory_equal(&fast_carried, &more, sizeof(more));
	assert_memory_equal(&b->count, &more, sizeof(more));
}

static void without_a_fast_tier_all_goes_on(void **state)
{
	struct binding *b;

	(void)state;
	fast.open_err = -EPERM;
	open_tunnel();
	assert_int_equal(fast.clean_cnt, 1); /* nor does an earlier one's stay */
	assert_string_equal(tunnel_name(f.tunnel), "tun");
	b = make(1, 1);
	assert_int_equal(tunnel_put(f.tunnel, b), 0);
	tunnel_renew(f.tunnel, b->key);
	tunnel_reconcile(f.tunnel);
	tunnel_filter_changed(f.tunnel);
	assert_int_equal(tunnel_count(f.tunnel, b).packets_to, 0);
	assert_int_equal(tunnel_del(f.tunnel, b->key), 0);
	assert_int_equal(fast.put_cnt + fast.del_cnt, 0);
}

static void configuration_chooses_the_tier(void **state)
{
	(void)state;
	f.conf.choice = TUNNEL_TUN;
	open_tunnel();
	assert_false(fast.open);
	assert_int_equal(fast.clean_cnt, 1);
	f.tunnel = tunnel_close(f.tunnel);
	f.conf.choice = TUNNEL_XDP;
	open_tunnel();
	assert_true(fast.open);
	assert_int_equal(fast.clean_cnt, 1);
	assert_string_equal(tunnel_name(f.tunnel), "xdp");
}

static void what_is_left_is_removed_in_all_tiers_unless_a_daemon_is_there(void **state)
{
	(void)state;
	kernel_clean_cnt = 0;
	f.conf.device = "ihad0";
	assert_int_equal(tunnel_remove(&f.conf), 0);
	assert_int_equal(fast.clean_cnt, 1);
	assert_int_equal(kernel_clean_cnt, 1);
	assert_int_equal(base.clean_cnt, 1);
	fast.clean_err = -EPERM;
	assert_int_equal(tunnel_remove(&f.conf), -EPERM);
	assert_int_equal(base.clean_cnt, 2);
	f.conf.device = "lo";
	assert_int_equal(tunnel_remove(&f.conf), -EBUSY);
	assert_int_equal(fast.clean_cnt, 2);
}

static void base_tier_that_does_not_open_is_the_end(void **state)
{
	(void)state;
	base.open_err = -EADDRNOTAVAIL;
	assert_int_equal(tunnel_open(&f.conf, &f.tunnel), -EADDRNOTAVAIL);
	assert_false(fast.open);
}

static void forwarding_goes_on_only_where_the_fast_tier_does(void **state)
{
	(void)state;
	f.conf.keep_forwarding = true;
	open_tunnel();
	base.goes_on = false;
	f.tunnel = tunnel_close(f.tunnel);
	assert_true(base.goes_on);
	fast.open_err = -EPERM;
	open_tunnel();
	f.tunnel = tunnel_close(f.tunnel);
	assert_false(base.goes_on);
	fast.open_err = 0;
	f.conf.keep_forwarding = false;
	open_tunnel();
	f.tunnel = tunnel_close(f.tunnel);
	assert_false(base.goes_on);
}

static void fast_tier_is_told_of_the_rest_and_closed_first(void **state)
{
	struct binding *b;

	(void)state;
	open_tunnel();
	b = make(1, 1);
	tunnel_renew(f.tunnel, b->key);
	assert_int_equal(fast.put_cnt, 1);
	assert_int_equal(base.put_cnt, 0);
	tunnel_reconcile(f.tunnel);
	tunnel_filter_changed(f.tunnel);
	assert_int_equal(fast.reconcile_cnt, 1);
	assert_int_equal(fast.filter_cnt, 1);
	f.tunnel = tunnel_close(f.tunnel);
	assert_int_equal(fast.closed_as, 1);
	assert_int_equal(base.closed_as, 2);
}

static void tier_that_cannot_filter_is_not_chosen_where_there_is_a_filter(void **state)
{
	(void)state;
	f.conf.choice = TUNNEL_KERNEL;
	f.conf.filter = &filter;
	open_tunnel();
	assert_false(fast.open);
	assert_int_equal(kernel_clean_cnt, 1); /* nor does an earlier one's stay */
	assert_string_equal(tunnel_name(f.tunnel), "tun");
	f.tunnel = tunnel_close(f.tunnel);
	f.conf.choice = TUNNEL_XDP;
	open_tunnel();
	assert_string_equal(tunnel_name(f.tunnel), "xdp");
	f.tunnel = tunnel_close(f.tunnel);
	f.conf.choice = TUNNEL_KERNEL;
	f.conf.filter = &no_filter;
	open_tunnel();
	assert_string_equal(tunnel_name(f.tunnel), "kernel");
	assert_int_equal(fast.clean_cnt, 2); /* of bpf */
}

static void what_a_tier_that_cannot_count_has_sent_is_not_known(void **state)
{
	struct binding *b;

	(void)state;
	f.conf.choice = TUNNEL_KERNEL;
	open_tunnel();
	b = make(1, 1);
	b->count.packets_to = 7;
	assert_true(tunnel_knows_sent(f.tunnel, b));
	b->fast_slot = 1;
	assert_false(tunnel_knows_sent(f.tunnel, b));
	assert_int_equal(tunnel_count(f.tunnel, b).packets_to, 7);
	assert_true(tunnel_knows_sent(NULL, b));
	f.tunnel = tunnel_close(f.tunnel);
	f.conf.choice = TUNNEL_XDP;
	open_tunnel();
	assert_true(tunnel_knows_sent(f.tunnel, b)); /* by that slot */
}

static void tier_without_time_is_not_told_of_renewals_of_what_it_carries(void **state)
{
	struct binding *b;

	(void)state;
	f.conf.choice = TUNNEL_KERNEL;
	open_tunnel();
	b = make(1, 1);
	b->fast_slot = 2;
	tunnel_renew(f.tunnel, b->key);
	assert_int_equal(fast.put_cnt, 0);
	b->fast_slot = 1; /* it was taken from it before: the way may be a better one now */
	tunnel_renew(f.tunnel, b->key);
	assert_int_equal(fast.put_cnt, 1);
}

static void stop_when_all_are_put(void *ctx)
{
	const uint32_t *cnt = ctx;

	if (fast.put_cnt >= *cnt)
		loop_stop(f.conf.loop);
}

static void all_are_put_again_a_few_at_a_time_when_a_tier_has_lost_them(void **state)
{
	uint32_t cnt = 1000, i;

	(void)state;
	f.conf.choice = TUNNEL_KERNEL;
	open_tunnel();
	for (i = 0; i < cnt; i++)
		(void)make(i, 1);
	base_conf->lost(base_conf->learnt_ctx);
	assert_int_equal(fast.put_cnt, 0); /* not all at once */
	run_until(stop_when_all_are_put, &cnt);
	assert_int_equal(fast.put_cnt, cnt);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(common_binding_goes_to_both_tiers_with_what_is_known_of_its_path),
		TEST(what_the_fast_tier_cannot_do_is_taken_from_it),
		TEST(simultaneous_bindings_are_the_base_tiers),
		TEST(refusal_of_the_fast_tier_is_counted_and_goes_no_further),
		TEST(refusal_of_the_base_tier_is_told_and_the_fast_one_is_not_asked),
		TEST(deletion_reaches_both_and_either_failure_is_told),
		TEST(all_that_end_where_something_was_learnt_are_put_anew),
		TEST(an_end_out_of_reach_is_the_fast_tiers_again_when_that_is_forgotten),
		TEST(a_first_contact_reaches_the_fast_tier_and_the_daemon),
		TEST(routes_and_tunnel_data_are_the_base_tiers),
		TEST(a_reload_that_the_base_tier_refuses_reaches_no_other),
		TEST(what_is_kept_up_is_the_sum_and_ports_are_those_of_both),
		TEST(tier_that_cannot_filter_is_not_chosen_where_there_is_a_filter),
		TEST(what_a_tier_that_cannot_count_has_sent_is_not_known),
		TEST(tier_without_time_is_not_told_of_renewals_of_what_it_carries),
		TEST(all_are_put_again_a_few_at_a_time_when_a_tier_has_lost_them),
		TEST(counts_are_the_bindings_own_and_the_fast_tiers),
		TEST(what_the_base_tier_carries_is_counted_where_the_rest_is),
		TEST(without_a_fast_tier_all_goes_on),
		TEST(configuration_chooses_the_tier),
		TEST(what_is_left_is_removed_in_all_tiers_unless_a_daemon_is_there),
		TEST(base_tier_that_does_not_open_is_the_end),
		TEST(forwarding_goes_on_only_where_the_fast_tier_does),
		TEST(fast_tier_is_told_of_the_rest_and_closed_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

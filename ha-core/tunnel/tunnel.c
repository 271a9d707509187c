/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The data path as its daemon sees it: a base tier that carries everything, and a fast one that
 * takes the common packet off it. ha.c opens it, tells it of each change of the binding cache and
 * asks what was carried; nobody outside tunnel/ knows which tier did it.
 *
 * A fast tier is given a home address only if it can do all that its packets need: one binding, an
 * encapsulation and a filter among its capabilities, a far end that is known and not said to be out
 * of reach. Every other one is taken from it, and the base tier carries that, as it carries each
 * packet that a fast tier leaves alone. So a fast tier may fail, be full or be absent, and nothing
 * but speed is lost: its errors are told here and go no further.
 *
 * What is known of a tunnel beyond its registration lives in the base tier, which sees the ICMP
 * errors (RFC 2003 §5) and the first keepalives (RFC 3519 §4.6). It says so, and the bindings that
 * end there are put anew; those out of reach once more when that is forgotten.
 */
#include "ha-core/tunnel/tunnel.h"

#include "common/err.h"
#include "common/log.h"
#include "ha-core/tunnel/soft_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEER_WALK_MAX 1024 /* bindings of one tunnel end that are put anew: some ms of work */
#define HELD_MAX      64   /* tunnel ends out of reach that are looked at again by a timer */
#define HELD_CHECK_MS 1000
#define WALK_STEP     32 /* home addresses that are put again at a time: a millisecond's work */
#define WALK_MS       2
#define WHY_SIZE      160

struct tunnel {
	struct tunnel_conf conf;
	struct tunnel_dp *base;
	const struct tunnel_ops *fast_ops; /* NULL: none is open */
	struct tunnel_dp *fast;
	char why[WHY_SIZE]; /* there is none that carries; "": nobody has said */
	/* Ends that the fast tier does without; beyond these, the next request of each node. */
	struct in_addr held[HELD_MAX];
	unsigned int held_cnt;
	struct loop_timer *held_timer; /* runs while there are any */
	bool goes_on;                  /* the fast tier, when all else is closed */
	/* The daemon's; see struct tunnel_conf. */
	void (*contacted)(void *ctx, const struct binding *first);
	void *contacted_ctx;
	/* All home addresses from this one on are to be put again, while the timer runs. */
	uint64_t walk_from;
	struct loop_timer *walk_timer;
};

/* The fast tiers that this build has, the best first, and the words they answer to. */
static const struct fast_row {
	const struct tunnel_ops *ops;
	unsigned int choices; /* 1 << enum tunnel_choice */
} fast_rows[] = {
#ifdef HA_WITH_BPF
	{ &tunnel_bpf, 1 << TUNNEL_AUTO | 1 << TUNNEL_XDP | 1 << TUNNEL_TC },
#endif
	{ &tunnel_kernel, 1 << TUNNEL_KERNEL },
	{ NULL, 0 },
};

static const char *const choice_names[] = {
	[TUNNEL_AUTO] = "auto",     [TUNNEL_XDP] = "xdp", [TUNNEL_TC] = "tc",
	[TUNNEL_KERNEL] = "kernel", [TUNNEL_TUN] = "tun",
};

/* --- the fast tier --- */

static uint32_t cap_of(uint8_t encap)
{
	switch (encap) {
	case ENCAP_IPIP:
		return TUNNEL_CAP_IPIP;
	case ENCAP_GRE:
		return TUNNEL_CAP_GRE;
	default:
		return TUNNEL_CAP_MINIMAL;
	}
}

static bool is_for_fast_tier(const struct tunnel *t, const struct binding *first)
{
	const struct binding_tunnel *tunnel = &first->tunnel;
	uint32_t needs = cap_of(tunnel->encap) | (tunnel->udp ? TUNNEL_CAP_UDP : 0);

	if (binding_sibling(first) || (needs & ~t->fast_ops->caps))
		return false;
	return !tunnel->udp || (!tunnel->half_bound && tunnel->peer_port != 0);
}

static void hold(struct tunnel *t, struct in_addr peer)
{
	unsigned int i;

	for (i = 0; i < t->held_cnt; i++)
		if (addr_eq(t->held[i], peer))
			return;
	if (t->held_cnt == HELD_MAX)
		return;
	t->held[t->held_cnt++] = peer;
	loop_timer_start(t->held_timer, SOFT_STATE_UNREACHABLE_MS, HELD_CHECK_MS);
}

/* Without this change the fast tier would be wrong; without the fast tier all goes on. */
static void fast_failed(struct tunnel *t, struct in_addr home_addr, int err)
{
	static struct log_limit limit = { .burst = 3,
					  .interval_ms = 60000,
					  .event = "data-path-degraded" };

	(void)log_write_limited(
		&limit, loop_now(t->conf.loop)->mono_ms, LOG_LEVEL_WARNING,
		"the fast path does not take a home address: tun carries its packets",
		"event=data-path-degraded data-path=%s home-address=%s error=\"%s\"%s",
		t->fast_ops->tier(t->fast), addr_text(home_addr).s, err_text(err),
		err == -E2BIG || err == -ENOSPC
			? " remedy=\"a larger tunnel.fast-path-nodes, and a restart\""
			: "");
}

static void fast_put(struct tunnel *t, struct binding *first)
{
	struct tunnel_soft soft;
	int err;

	if (!t->fast)
		return;
	soft = tunnel_tun.soft(t->base, first->tunnel.peer);
	if (soft.unreachable)
		hold(t, first->tunnel.peer);
	if (!soft.unreachable && is_for_fast_tier(t, first)) {
		err = t->fast_ops->put(t->fast, first, soft);
		if (err == 0)
			return;
		t->conf.stats->fast_path_refusals++;
		fast_failed(t, first->key.home_addr, err);
	}
	/* What it has of this key, if anything, is not true any more. */
	err = t->fast_ops->del(t->fast, first->key);
	if (err < 0)
		fast_failed(t, first->key.home_addr, err);
}

static void put_peer(struct tunnel *t, struct in_addr peer)
{
	struct binding *b = binding_find_peer(t->conf.cache, peer);
	unsigned int steps;

	for (steps = 0; b && steps < PEER_WALK_MAX; b = b->peer_next, steps++)
		fast_put(t, binding_find(t->conf.cache, b->key));
}

static void on_learnt(void *ctx, struct in_addr peer)
{
	put_peer(ctx, peer);
}

static void on_contacted(void *ctx, const struct binding *first)
{
	struct tunnel *t = ctx;

	fast_put(t, binding_find(t->conf.cache, first->key));
	if (t->contacted)
		t->contacted(t->contacted_ctx, first);
}

/* A binding's count is in one place: what a fast tier keeps beyond our end has our part, too. */
static void on_carried(void *ctx, struct binding *b, const struct binding_count *more)
{
	struct tunnel *t = ctx;

	if (t->fast && t->fast_ops->count && b->fast_slot != 0)
		t->fast_ops->count(t->fast, b, more);
	else
		binding_count_add(&b->count, more);
}

/* Which of those out of reach are so no longer? */
static void on_held(void *ctx)
{
	struct tunnel *t = ctx;
	unsigned int i = 0;
	struct in_addr peer;

	while (i < t->held_cnt) {
		peer = t->held[i];
		if (tunnel_tun.soft(t->base, peer).unreachable) {
			i++;
			continue;
		}
		t->held[i] = t->held[--t->held_cnt];
		put_peer(t, peer);
	}
	if (t->held_cnt == 0)
		loop_timer_stop(t->held_timer);
}

static void on_walk(void *ctx)
{
	struct tunnel *t = ctx;
	uint64_t addrs[WALK_STEP];
	size_t cnt = order_page(&t->conf.cache->order, t->walk_from, addrs, WALK_STEP), i;
	struct binding_key key = { .home_agent = t->conf.home_agent };
	struct binding *first;

	for (i = 0; i < cnt; i++) {
		key.home_addr.s_addr = htonl((uint32_t)addrs[i]);
		first = binding_find(t->conf.cache, key);
		if (first)
			fast_put(t, first);
	}
	if (cnt == WALK_STEP)
		t->walk_from = addrs[cnt - 1] + 1;
	else
		loop_timer_stop(t->walk_timer);
}

static void on_lost(void *ctx)
{
	struct tunnel *t = ctx;

	t->walk_from = 0;
	loop_timer_start(t->walk_timer, 0, WALK_MS);
}

/* What is to be filtered is carried by tiers that can, or by none. */
static bool can_filter(const struct tunnel *t, const struct tunnel_ops *ops)
{
	if (ops->caps & TUNNEL_CAP_FILTER || t->conf.filter->pass_all)
		return true;
	log_warning("no fast path: it cannot enforce the forwarding policy, so tun carries all",
		    "event=data-path-degraded data-path=tun asked=%s "
		    "remedy=\"tunnel.data-path: auto\"",
		    choice_names[t->conf.choice]);
	tunnel_refuse(&t->conf, "the forwarding policy", "it cannot be enforced by it");
	return false;
}

/* The best that answers to the word in the configuration; without one, the base tier is enough. */
static void open_fast(struct tunnel *t)
{
	const enum tunnel_choice choice = t->conf.choice;
	const struct fast_row *row;
	bool known = choice == TUNNEL_AUTO || choice == TUNNEL_TUN;

	for (row = fast_rows; row->ops; row++) {
		if (!t->fast && (row->choices & 1u << choice)) {
			known = true;
			if (can_filter(t, row->ops) && row->ops->open(&t->conf, &t->fast) == 0) {
				t->fast_ops = row->ops;
				continue;
			}
			t->fast = NULL; /* it has said why */
		}
		(void)row->ops->clean(&t->conf);
	}
	if (!known) {
		tunnel_refuse(&t->conf, "tunnel.data-path", "it is not in this build");
		log_warning("the data path asked for is not in this build: tun carries the traffic",
			    "event=data-path-degraded data-path=%s "
			    "remedy=\"tunnel.data-path: auto\"",
			    choice_names[choice]);
	}
}

/* --- for the daemon --- */

int tunnel_open(const struct tunnel_conf *conf, struct tunnel **ret_t)
{
	struct tunnel *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	t->conf = *conf;
	t->conf.learnt = on_learnt;
	t->conf.lost = on_lost;
	t->conf.carried = on_carried;
	t->conf.learnt_ctx = t;
	t->contacted = conf->contacted;
	t->contacted_ctx = conf->contacted_ctx;
	t->conf.contacted = on_contacted;
	t->conf.contacted_ctx = t;
	t->conf.why = t->why;
	t->conf.goes_on = &t->goes_on;
	t->held_timer = loop_timer_new(conf->loop, on_held, t);
	t->walk_timer = loop_timer_new(conf->loop, on_walk, t);
	err = t->held_timer && t->walk_timer ? tunnel_tun.open(&t->conf, &t->base) : -ENOMEM;
	if (err < 0) {
		t->base = NULL;
		(void)tunnel_close(t);
		return err;
	}
	open_fast(t);
	*ret_t = t;
	return 0;
}

struct tunnel *tunnel_close(struct tunnel *t)
{
	if (!t)
		return NULL;
	/* The fast tier first: what it would leave alone has nobody else any more. */
	if (t->fast) {
		t->goes_on = t->conf.keep_forwarding && t->fast_ops->outlives &&
			     strcmp(t->fast_ops->tier(t->fast), tunnel_tun.name) != 0;
		t->fast_ops->close(t->fast);
	}
	if (t->base)
		tunnel_tun.close(t->base);
	(void)loop_timer_free(t->held_timer);
	(void)loop_timer_free(t->walk_timer);
	free(t);
	return NULL;
}

int tunnel_remove(const struct tunnel_conf *conf)
{
	const struct fast_row *row;
	int err, first_err = 0;

	if (if_nametoindex(conf->device) != 0)
		return -EBUSY;
	for (row = fast_rows; row->ops; row++) {
		err = row->ops->clean(conf);
		if (first_err == 0)
			first_err = err;
	}
	err = tunnel_tun.clean(conf);
	return first_err < 0 ? first_err : err;
}

int tunnel_put(struct tunnel *t, const struct binding *first)
{
	struct binding *b = binding_find(t->conf.cache, first->key);
	int err = tunnel_tun.put(t->base, b, (struct tunnel_soft){ .mtu = t->conf.mtu });

	if (err == 0)
		fast_put(t, b);
	return err;
}

void tunnel_renew(struct tunnel *t, struct binding_key key)
{
	struct binding *first = binding_find(t->conf.cache, key);

	if (!first || !t->fast)
		return;
	if (t->fast_ops->carried == 0 || first->fast_slot != t->fast_ops->carried)
		fast_put(t, first);
}

int tunnel_del(struct tunnel *t, struct binding_key key)
{
	int err = 0, base_err;

	if (t->fast)
		err = t->fast_ops->del(t->fast, key);
	base_err = tunnel_tun.del(t->base, key);
	return base_err < 0 ? base_err : err; /* one that stays in the fast tier is an error */
}

int tunnel_route(struct tunnel *t, struct addr_prefix network, bool on)
{
	return tunnel_tun.route(t->base, network, on);
}

bool tunnel_home_network_eq(const struct tunnel_home_network *a,
			    const struct tunnel_home_network *b)
{
	return addr_prefix_eq(a->prefix, b->prefix) && strcmp(a->interface, b->interface) == 0;
}

bool tunnel_home_network_find(const struct tunnel_home_network *networks, size_t cnt,
			      const struct tunnel_home_network *net)
{
	size_t i;

	for (i = 0; i < cnt; i++)
		if (tunnel_home_network_eq(&networks[i], net))
			return true;
	return false;
}

void tunnel_conf_reload(struct tunnel_conf *conf, const struct tunnel_conf *from)
{
	conf->home_networks = from->home_networks;
	conf->home_network_cnt = from->home_network_cnt;
	conf->interfaces = from->interfaces;
	conf->interface_cnt = from->interface_cnt;
	conf->mtu = from->mtu;
	conf->clamp_udp = from->clamp_udp;
	conf->clamp_plain = from->clamp_plain;
	conf->broadcast_subnet = from->broadcast_subnet;
	conf->broadcast_limited = from->broadcast_limited;
	conf->ecn_normal = from->ecn_normal;
	conf->keep_forwarding = from->keep_forwarding;
	conf->udp_checksums = from->udp_checksums;
}

int tunnel_reload(struct tunnel *t, const struct tunnel_conf *conf)
{
	const bool is_in_entries = t->conf.mtu != conf->mtu ||
				   t->conf.clamp_udp != conf->clamp_udp ||
				   t->conf.clamp_plain != conf->clamp_plain;
	int err = tunnel_tun.reload(t->base, conf);

	if (err < 0)
		return err;
	tunnel_conf_reload(&t->conf, conf);
	if (!t->fast)
		return 0;
	t->fast_ops->settings_changed(t->fast);
	if (is_in_entries)
		on_lost(t);
	return 0;
}

void tunnel_reconcile(struct tunnel *t)
{
	if (t->fast)
		t->fast_ops->reconcile(t->fast);
}

void tunnel_filter_changed(struct tunnel *t)
{
	if (t->fast)
		t->fast_ops->filter_changed(t->fast);
}

void tunnel_udp_input(struct tunnel *t, uint8_t *data, size_t len, uint8_t tos, struct in_addr src,
		      uint16_t src_port, struct in_addr dst)
{
	tunnel_tun.udp_input(t->base, data, len, tos, src, src_port, dst);
}

struct binding_count tunnel_count(const struct tunnel *t, const struct binding *b)
{
	struct binding_count sum = b->count;

	if (t && t->fast && t->fast_ops->add_count)
		t->fast_ops->add_count(t->fast, b, &sum);
	return sum;
}

bool tunnel_is_local(const struct tunnel *t, struct in_addr addr)
{
	return t && tunnel_tun.is_local(t->base, addr);
}

bool tunnel_knows_sent(const struct tunnel *t, const struct binding *b)
{
	return !t || !t->fast || t->fast_ops->add_count || b->fast_slot == 0;
}

void tunnel_add_stats(const struct tunnel *t, struct stats *sum)
{
	if (t && t->fast)
		t->fast_ops->add_stats(t->fast, sum);
}

const char *tunnel_name(const struct tunnel *t)
{
	return t && t->fast ? t->fast_ops->tier(t->fast) : tunnel_tun.name;
}

const char *tunnel_why(const struct tunnel *t)
{
	return t && t->why[0] != '\0' ? t->why : NULL;
}

struct tunnel_upkeep tunnel_upkeep(const struct tunnel *t)
{
	struct tunnel_upkeep sum = { 0 };

	if (t)
		sum = tunnel_tun.upkeep(t->base);
	if (t && t->fast && t->fast_ops->upkeep)
		sum.repairs += t->fast_ops->upkeep(t->fast).repairs;
	return sum;
}

void tunnel_refuse(const struct tunnel_conf *conf, const char *what, const char *error)
{
	if (conf->why) /* a tier on its own has nobody to tell */
		(void)snprintf(conf->why, WHY_SIZE, "%s: %s", what, error);
}

void tunnel_for_each_port(const struct tunnel *t,
			  void (*fn)(void *ctx, const struct tunnel_port *port), void *ctx)
{
	if (t && t->fast)
		t->fast_ops->for_each_port(t->fast, fn, ctx);
	if (t)
		tunnel_tun.for_each_port(t->base, fn, ctx);
}

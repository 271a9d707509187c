/* SPDX-License-Identifier: BSD-2-Clause */
/* A new configuration in a running engine: what it takes over, what it ends, what it forgets. */
#include "ha-core/engine/reload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HOME_AGENT 0x0a000002u
#define ALICE      0x0a320007u
#define BOB        0x0a320008u

static struct addr_prefix home_net;
static struct engine running, fresh;
static const struct ha_policy no_policy;
static struct clock now;
static unsigned int ends; /* changed() without a binding */

static int hook_changed(void *ctx, struct binding_key key, const struct binding *first)
{
	(void)ctx;
	(void)key;
	ends += !first;
	return 0;
}

static uint32_t hook_random(void *ctx)
{
	(void)ctx;
	return 1;
}

static void open_engine(struct engine *e, uint16_t max_lifetime_s)
{
	const struct engine_hooks hooks = { .changed = hook_changed, .random = hook_random };
	const struct engine_conf conf = {
		.home_agent = addr_from_host(HOME_AGENT),
		.home_networks = &home_net,
		.home_network_cnt = 1,
		.max_lifetime_s = max_lifetime_s,
		.max_bindings = 1,
	};
	const struct addr_prefix pool = { addr_from_host(0x0a328000), 29 };

	assert_int_equal(engine_init(e, &conf, 8, &no_policy, NULL, &hooks, &now), 0);
	assert_int_equal(pool_add(&e->pool, pool), 0);
}

static int open_both(void **state)
{
	(void)state;
	ends = 0;
	home_net = (struct addr_prefix){ addr_from_host(0x0a320000), 16 };
	now = (struct clock){ .mono_ms = 1000000, .ntp = 0xe8fe6f8000000000u };
	open_engine(&running, 1800);
	now.ntp += REPLAY_SECONDS(100);
	open_engine(&fresh, 600);
	return 0;
}

static int close_both(void **state)
{
	(void)state;
	engine_done(&fresh);
	engine_done(&running);
	return 0;
}

static void add(struct engine *e, uint32_t home, const char *nai, uint32_t spi,
		enum replay_style style)
{
	assert_int_equal(engine_add_node(e, addr_from_host(home), nai, spi, MAC_HMAC_MD5, "key", 3,
					 style, REPLAY_SECONDS(7)),
			 0);
}

/* All of it, a step at a time. @return bindings ended */
static size_t reload(const struct engine_conf *conf, const void *policy_ctx, struct engine *to)
{
	struct engine_reload r = { 0 };
	size_t ended;

	if (to)
		assert_int_equal(engine_reload_compare(&r, &running, to), 0);
	engine_reload_begin(&r, &running, conf, policy_ctx);
	while (engine_reload_some(&r, &running, 1))
		;
	assert_int_equal(r.failed, 0);
	ended = r.ended;
	engine_reload_done(&r);
	return ended;
}

static size_t reload_all(void)
{
	return reload(&fresh.conf, NULL, &fresh);
}

static struct replay *replay_of(struct engine *e, uint32_t home, uint32_t spi)
{
	struct sa_peer *peer = sa_peer_find(&e->nodes, addr_from_host(home));

	assert_non_null(peer);
	assert_non_null(sa_find(peer, spi));
	return &sa_find(peer, spi)->replay;
}

static struct binding *bind_node(uint32_t home)
{
	const struct binding_key key = { addr_from_host(home), addr_from_host(HOME_AGENT) };
	struct binding *b = binding_put(&running.cache, key, addr_from_host(0xc6336401));

	assert_non_null(b);
	b->node = sa_peer_find(&running.nodes, key.home_addr);
	b->expires_ms = now.mono_ms + 60000;
	expiry_arm(&running.expiry, b);
	return b;
}

/* --- networks behind routers (RFC 5177) --- */

static unsigned int routes; /* laid and not taken away */

static int hook_route(void *ctx, struct addr_prefix network, struct in_addr home_addr, bool on)
{
	(void)ctx;
	(void)network;
	(void)home_addr;
	routes += on ? 1u : -1u;
	return 0;
}

static struct addr_prefix network(unsigned int i)
{
	return (struct addr_prefix){ addr_from_host(0x0a3c0000 + (i << 8)), 24 };
}

static void add_network(struct engine *e, uint32_t home, unsigned int i)
{
	assert_int_equal(engine_add_network(e, addr_from_host(home), NULL, network(i), false), 0);
}

static void register_network(struct binding *b, unsigned int i)
{
	struct network *net = network_list_find(sa_peer_networks(b->node), network(i));

	assert_non_null(net);
	network_table_put(&running.networks, net);
	net->user_cnt = 1;
	b->networks |= network_bit(net);
	routes++;
}

static bool is_registered(unsigned int i)
{
	return network_table_get(&running.networks, network(i));
}

static void networks_that_stay_configured_stay_registered_and_the_others_end(void **state)
{
	struct binding *b, *gone;

	(void)state;
	routes = 0;
	running.hooks.route = hook_route;
	add(&running, ALICE, NULL, 256, REPLAY_TIMESTAMP);
	add(&running, BOB, NULL, 256, REPLAY_TIMESTAMP);
	add_network(&running, ALICE, 1);
	add_network(&running, ALICE, 2);
	add_network(&running, ALICE, 3);
	add_network(&running, BOB, 4);
	b = bind_node(ALICE);
	register_network(b, 1);
	register_network(b, 2);
	gone = bind_node(BOB);
	register_network(gone, 4);
	/* In another order; one is gone, one is another's now, one is new. */
	add(&fresh, ALICE, NULL, 256, REPLAY_TIMESTAMP);
	add_network(&fresh, ALICE, 5);
	add_network(&fresh, ALICE, 4);
	add_network(&fresh, ALICE, 2);

	assert_int_equal(reload_all(), 1);
	assert_false(is_registered(1));
	assert_true(is_registered(2));
	assert_false(is_registered(4));
	assert_false(is_registered(5));
	assert_int_equal(b->networks, 1u << 2);
	assert_int_equal(routes, 1);
	engine_end(&running, b);
	assert_false(is_registered(2));
	assert_int_equal(routes, 0);
}

static void a_node_that_is_no_router_any_more_has_no_networks(void **state)
{
	struct binding *b;

	(void)state;
	routes = 0;
	running.hooks.route = hook_route;
	add(&running, ALICE, NULL, 256, REPLAY_TIMESTAMP);
	add_network(&running, ALICE, 1);
	b = bind_node(ALICE);
	register_network(b, 1);
	add(&fresh, ALICE, NULL, 256, REPLAY_TIMESTAMP);

	assert_int_equal(reload_all(), 0);
	assert_int_equal(b->networks, 0);
	assert_false(is_registered(1));
	assert_int_equal(routes, 0);
}

/* What was heard before the reload must not be heard again behind it. */
static void replay_state_is_taken_over(void **state)
{
	(void)state;
	add(&running, ALICE, NULL, 256, REPLAY_TIMESTAMP);
	add(&running, ALICE, NULL, 257, REPLAY_NONCE);
	replay_of(&running, ALICE, 256)->last_ident = now.ntp + REPLAY_SECONDS(5);
	replay_of(&running, ALICE, 257)->seen = true;
	replay_of(&running, ALICE, 257)->nonce = 0x11111111;
	add(&fresh, ALICE, NULL, 257, REPLAY_NONCE);
	add(&fresh, ALICE, NULL, 256, REPLAY_TIMESTAMP);

	assert_int_equal(reload_all(), 0);
	assert_true(replay_of(&running, ALICE, 256)->last_ident == now.ntp + REPLAY_SECONDS(5));
	assert_true(replay_of(&running, ALICE, 256)->seen);
	assert_int_equal(replay_of(&running, ALICE, 257)->nonce, 0x11111111);
	assert_true(replay_of(&running, ALICE, 257)->seen);
}

static void another_style_begins_anew(void **state)
{
	(void)state;
	add(&running, ALICE, NULL, 256, REPLAY_NONCE);
	replay_of(&running, ALICE, 256)->seen = true;
	replay_of(&running, ALICE, 256)->nonce = 5;
	add(&fresh, ALICE, NULL, 256, REPLAY_TIMESTAMP);

	assert_int_equal(reload_all(), 0);
	assert_true(replay_of(&running, ALICE, 256)->last_ident == now.ntp);
}

/* A timestamp from before the reload may be one that a former node of this name has used. */
static void a_new_node_begins_at_the_reload(void **state)
{
	(void)state;
	add(&fresh, BOB, NULL, 256, REPLAY_TIMESTAMP);
	assert_int_equal(reload_all(), 0);
	assert_true(replay_of(&running, BOB, 256)->seen);
	assert_true(replay_of(&running, BOB, 256)->last_ident == now.ntp);
}

static void bindings_of_nodes_that_stay_go_on(void **state)
{
	struct binding *b;

	(void)state;
	add(&running, ALICE, NULL, 256, REPLAY_TIMESTAMP);
	b = bind_node(ALICE);
	add(&fresh, ALICE, NULL, 300, REPLAY_TIMESTAMP);

	assert_int_equal(reload_all(), 0);
	assert_int_equal(running.cache.cnt, 1);
	assert_int_equal(ends, 0);
	assert_ptr_equal(b->node, sa_peer_find(&running.nodes, addr_from_host(ALICE)));
	assert_true(b->expires_ms == now.mono_ms + 60000);
	assert_int_equal(running.conf.max_lifetime_s, 600);
}

static void bindings_of_nodes_that_are_gone_end(void **state)
{
	(void)state;
	add(&running, ALICE, NULL, 256, REPLAY_TIMESTAMP);
	add(&running, BOB, NULL, 256, REPLAY_TIMESTAMP);
	bind_node(ALICE);
	bind_node(BOB);
	add(&fresh, BOB, NULL, 256, REPLAY_TIMESTAMP);

	assert_int_equal(reload_all(), 1);
	assert_int_equal(running.cache.cnt, 1);
	assert_int_equal(running.expiry.armed, 1);
	assert_int_equal(ends, 1);
	assert_null(sa_peer_find(&running.nodes, addr_from_host(ALICE)));
}

static void a_lease_goes_on_with_its_name(void **state)
{
	struct sa_peer *peer;
	struct in_addr lease, next;

	(void)state;
	add(&running, 0, "carol@corp.example", 256, REPLAY_TIMESTAMP);
	peer = running.nodes.peers;
	assert_int_equal(pool_take(&running.pool, &lease), 0);
	sa_peer_assign(&running.nodes, peer, lease);
	bind_node(addr_host(lease));
	add(&fresh, 0, "carol@corp.example", 256, REPLAY_TIMESTAMP);

	assert_int_equal(reload_all(), 0);
	assert_int_equal(running.cache.cnt, 1);
	peer = sa_peer_find(&running.nodes, lease);
	assert_non_null(peer);
	assert_true(peer->is_dynamic);
	assert_ptr_equal(peer, sa_peer_find_nai(&running.nodes,
						(const uint8_t *)"carol@corp.example", 18));
	/* And nobody else gets it. */
	while (pool_take(&running.pool, &next) == 0)
		assert_false(addr_eq(next, lease));
}

/* Who is to give an address up first is the same before and behind the reload. */
static void idle_leases_stay_in_their_order(void **state)
{
	static const char *const names[] = { "c@x", "a@x", "b@x" };
	struct in_addr leases[3];
	struct sa_peer *peer;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		add(&running, 0, names[i], 256, REPLAY_TIMESTAMP);
		peer = sa_peer_find_nai(&running.nodes, (const uint8_t *)names[i], 3);
		assert_int_equal(pool_take(&running.pool, &leases[i]), 0);
		sa_peer_assign(&running.nodes, peer, leases[i]);
		lease_idle(&running.idle_leases, peer);
	}
	add(&fresh, 0, "b@x", 256, REPLAY_TIMESTAMP);
	add(&fresh, addr_host(leases[1]), "static@x", 256, REPLAY_TIMESTAMP);
	add(&fresh, 0, "c@x", 256, REPLAY_TIMESTAMP);

	assert_int_equal(reload_all(), 0);
	peer = running.idle_leases.oldest;
	assert_non_null(peer);
	assert_memory_equal(sa_peer_nai(peer), "c@x", 3);
	peer = peer->more->idle_next;
	assert_non_null(peer);
	assert_memory_equal(sa_peer_nai(peer), "b@x", 3);
	assert_null(peer->more->idle_next);
	assert_ptr_equal(peer, running.idle_leases.newest);
}

static void a_lease_gives_way_to_a_node_of_its_own(void **state)
{
	struct in_addr lease;

	(void)state;
	add(&running, 0, "carol@corp.example", 256, REPLAY_TIMESTAMP);
	assert_int_equal(pool_take(&running.pool, &lease), 0);
	sa_peer_assign(&running.nodes, running.nodes.peers, lease);
	add(&fresh, addr_host(lease), "dave@corp.example", 256, REPLAY_TIMESTAMP);
	add(&fresh, 0, "carol@corp.example", 256, REPLAY_TIMESTAMP);

	assert_int_equal(reload_all(), 0);
	assert_memory_equal(sa_peer_nai(sa_peer_find(&running.nodes, lease)), "dave", 4);
	assert_true(addr_is_any(
		sa_peer_find_nai(&running.nodes, (const uint8_t *)"carol@corp.example", 18)->addr));
}

/* Whose the binding was counts, and not only its address: a tunnel is no inheritance. */
static void a_binding_does_not_pass_to_the_next_owner_of_its_address(void **state)
{
	struct in_addr lease;

	(void)state;
	add(&running, 0, "carol@corp.example", 256, REPLAY_TIMESTAMP);
	assert_int_equal(pool_take(&running.pool, &lease), 0);
	sa_peer_assign(&running.nodes, running.nodes.peers, lease);
	bind_node(addr_host(lease));
	add(&fresh, addr_host(lease), "dave@corp.example", 256, REPLAY_TIMESTAMP);

	assert_int_equal(reload_all(), 1);
	assert_int_equal(running.cache.cnt, 0);
	assert_int_equal(ends, 1);
}

/* --- a difference, in steps --- */

static void add_keyed(struct engine *e, uint32_t home, const char *nai, const char *key)
{
	assert_int_equal(engine_add_node(e, addr_from_host(home), nai, 256, MAC_HMAC_MD5, key,
					 strlen(key), REPLAY_TIMESTAMP, REPLAY_SECONDS(7)),
			 0);
}

static struct sa_peer *node_at(uint32_t home)
{
	return sa_peer_find(&running.nodes, addr_from_host(home));
}

static struct sa_peer *named(const char *nai)
{
	return sa_peer_find_nai(&running.nodes, (const uint8_t *)nai, strlen(nai));
}

static bool has_key(const struct sa_peer *peer, const char *key)
{
	const struct sa *sa = sa_find(peer, 256);

	return sa && sa->mac.key_len == strlen(key) && !memcmp(sa->mac.key, key, strlen(key));
}

static void what_has_not_changed_costs_nothing(void **state)
{
	struct engine_reload r;

	(void)state;
	add_keyed(&running, ALICE, "alice@x", "one");
	add_keyed(&running, BOB, "bob@x", "one");
	add_keyed(&fresh, BOB, "bob@x", "two");
	add_keyed(&fresh, BOB + 1, NULL, "one");
	add_keyed(&fresh, ALICE, "alice@x", "one");
	assert_int_equal(engine_reload_compare(&r, &running, &fresh), 0);
	assert_int_equal(r.gone.cnt, 0);
	assert_int_equal(r.changed.cnt, 1);
	assert_ptr_equal(r.changed.list[0].peer, node_at(BOB));
	assert_int_equal(r.added.cnt, 1);
	engine_reload_done(&r);
}

static void between_two_steps_each_node_is_the_old_one_or_the_new_one(void **state)
{
	struct engine_reload r;
	const struct sa_peer *peer;
	size_t old, new;
	uint32_t i;

	(void)state;
	for (i = 0; i < 40; i++) {
		add_keyed(&running, ALICE + i, NULL, "one");
		add_keyed(&fresh, ALICE + 20 + i, NULL, "two");
	}
	assert_int_equal(engine_reload_compare(&r, &running, &fresh), 0);
	engine_reload_begin(&r, &running, &fresh.conf, NULL);
	do {
		for (old = new = 0, i = 0; i < 60; i++) {
			peer = node_at(ALICE + i);
			old += peer && has_key(peer, "one");
			new += peer &&has_key(peer, "two");
			assert_true(!peer || has_key(peer, "one") || has_key(peer, "two"));
		}
		assert_int_equal(old + new, running.nodes.cnt);
	} while (engine_reload_some(&r, &running, 1));
	assert_int_equal(r.gone.cnt + r.changed.cnt + r.added.cnt, 60);
	engine_reload_done(&r);
	for (i = 0; i < 60; i++)
		assert_true(!!node_at(ALICE + i) == (i >= 20));
}

/* A key that is new: who has a binding keeps it, and what it was counted for. */
static void a_node_whose_key_changes_stays_where_it_is(void **state)
{
	struct sa_peer *alice;
	struct binding *b;

	(void)state;
	add_keyed(&running, ALICE, "alice@x", "one");
	alice = node_at(ALICE);
	alice->count.accepted = 7;
	replay_of(&running, ALICE, 256)->last_ident = now.ntp + 1;
	b = bind_node(ALICE);
	add_keyed(&fresh, ALICE, "alice@y", "longer than before");
	assert_int_equal(reload_all(), 0);
	assert_ptr_equal(node_at(ALICE), alice);
	assert_ptr_equal(b->node, alice);
	assert_true(has_key(alice, "longer than before"));
	assert_int_equal(alice->count.accepted, 7);
	assert_true(replay_of(&running, ALICE, 256)->last_ident == now.ntp + 1);
	assert_null(named("alice@x"));
	assert_ptr_equal(named("alice@y"), alice);
}

/* Who could make a reload forget them would be answered without a limit. */
static void denials_are_counted_on(void **state)
{
	(void)state;
	add_keyed(&running, ALICE, NULL, "one");
	add_keyed(&running, BOB, NULL, "one");
	sa_peer_denials(&running.nodes, node_at(ALICE))->cnt = 5;
	sa_peer_denials(&running.nodes, node_at(BOB))->cnt = 6;
	add_keyed(&fresh, ALICE, NULL, "two");
	add_keyed(&fresh, BOB, NULL, "one");
	(void)reload_all();
	assert_true(has_key(node_at(ALICE), "two"));
	assert_int_equal(sa_peer_denied(node_at(ALICE))->cnt, 5);
	assert_int_equal(sa_peer_denied(node_at(BOB))->cnt, 6);
}

static void names_that_change_hands_are_found_with_their_new_owners(void **state)
{
	(void)state;
	add_keyed(&running, ALICE, "a@x", "one");
	add_keyed(&running, BOB, "b@x", "one");
	add_keyed(&running, BOB + 1, "c@x", "one");
	add_keyed(&fresh, ALICE, "b@x", "one");
	add_keyed(&fresh, BOB, "a@x", "one");
	add_keyed(&fresh, BOB + 2, "c@x", "one");
	(void)reload_all();
	assert_ptr_equal(named("b@x"), node_at(ALICE));
	assert_ptr_equal(named("a@x"), node_at(BOB));
	assert_ptr_equal(named("c@x"), node_at(BOB + 2));
	assert_int_equal(running.nodes.cnt, 3);
}

static void add_former(struct engine *e, const char *key, uint64_t until_ntp)
{
	assert_int_equal(engine_add_previous_key(e, addr_from_host(ALICE), NULL, 256, key,
						 strlen(key), until_ntp),
			 0);
}

/* A new file has alice with this former key; NULL: with none. */
static void write_former(const char *key, uint64_t until_ntp)
{
	engine_done(&fresh);
	open_engine(&fresh, 600);
	add_keyed(&fresh, ALICE, NULL, "new");
	if (key)
		add_former(&fresh, key, until_ntp);
}

static void a_former_key_comes_and_goes_with_a_reload(void **state)
{
	const struct sa_previous *former;

	(void)state;
	add_keyed(&running, ALICE, NULL, "new");
	write_former("old", 500);
	(void)reload_all();
	former = sa_find_previous(node_at(ALICE), 256);
	assert_non_null(former);
	assert_int_equal(former->until_ntp, 500);
	assert_int_equal(former->mac.key_len, 3);
	assert_memory_equal(former->mac.key, "old", 3);
	assert_true(has_key(node_at(ALICE), "new"));
	write_former(NULL, 0);
	(void)reload_all();
	assert_null(sa_find_previous(node_at(ALICE), 256));
	assert_true(has_key(node_at(ALICE), "new"));
}

static void another_former_key_or_another_end_of_it_is_a_change_and_the_same_is_none(void **state)
{
	static const struct {
		const char *key;
		uint64_t until_ntp;
		size_t changes;
	} rows[] = {
		{ "old", 500, 0 },   { "old", 501, 1 }, { "odd", 500, 1 },
		{ "older", 500, 1 }, { NULL, 0, 1 },
	};
	struct engine_reload r;
	size_t i;

	(void)state;
	add_keyed(&running, ALICE, NULL, "new");
	add_former(&running, "old", 500);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_former(rows[i].key, rows[i].until_ntp);
		assert_int_equal(engine_reload_compare(&r, &running, &fresh), 0);
		assert_int_equal(r.changed.cnt, rows[i].changes);
		assert_int_equal(r.added.cnt + r.gone.cnt, 0);
		engine_reload_done(&r);
	}
}

static struct sa_peer *lease_to(const char *nai, struct in_addr *ret_addr)
{
	add(&running, 0, nai, 256, REPLAY_TIMESTAMP);
	assert_int_equal(pool_take(&running.pool, ret_addr), 0);
	sa_peer_assign(&running.nodes, named(nai), *ret_addr);
	return named(nai);
}

static void a_lease_made_its_node_s_own_keeps_its_bindings(void **state)
{
	struct in_addr lease;
	struct sa_peer *carol;

	(void)state;
	carol = lease_to("carol@x", &lease);
	bind_node(addr_host(lease));
	add(&fresh, addr_host(lease), "carol@x", 256, REPLAY_TIMESTAMP);
	assert_int_equal(reload_all(), 0);
	assert_ptr_equal(sa_peer_find(&running.nodes, lease), carol);
	assert_false(carol->is_dynamic);
	assert_int_equal(running.cache.cnt, 1);
	engine_end(&running, binding_first(&running.cache));
	assert_null(running.idle_leases.oldest);
}

static void an_address_of_its_own_becomes_a_lease(void **state)
{
	(void)state;
	add(&running, ALICE, "alice@x", 256, REPLAY_TIMESTAMP);
	replay_of(&running, ALICE, 256)->last_ident = 42;
	add(&fresh, 0, "alice@x", 256, REPLAY_TIMESTAMP);
	assert_int_equal(reload_all(), 0);
	assert_true(node_at(ALICE)->is_dynamic);
	assert_true(replay_of(&running, ALICE, 256)->last_ident == 42);
	assert_ptr_equal(running.idle_leases.oldest, node_at(ALICE));
}

static void what_goes_gives_its_address_back(void **state)
{
	struct in_addr lease, again;

	(void)state;
	(void)lease_to("carol@x", &lease);
	add(&running, addr_host(lease) + 1, NULL, 256, REPLAY_TIMESTAMP);
	(void)reload_all();
	assert_int_equal(running.nodes.cnt, 0);
	assert_null(running.nodes.peers);
	assert_null(running.nodes.last);
	assert_int_equal(pool_take_this(&running.pool, lease), 0);
	again = addr_from_host(addr_host(lease) + 1);
	assert_int_equal(pool_take_this(&running.pool, again), 0);
}

/* --- at random --- */

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % n;
}

/* Static nodes with and without names, dynamic ones, in any order. */
static void add_random_nodes(struct engine *e)
{
	bool name_used[24] = { false };
	uint32_t i, n;
	char nai[16], key[8];

	for (i = 0; i < 30; i++) {
		if (random_below(3) == 0)
			continue;
		n = random_below(24);
		(void)snprintf(nai, sizeof(nai), "n%u@x", n);
		(void)snprintf(key, sizeof(key), "k%u", random_below(3));
		if (name_used[n] || random_below(3) == 0)
			add_keyed(e, ALICE + i, NULL, key);
		else
			add_keyed(e, random_below(2) ? ALICE + i : 0, nai, key);
		name_used[n] = true;
	}
}

static void assert_same_nodes(const struct engine *want)
{
	const struct sa_peer *peer, *got;
	size_t cnt = 0;

	for (peer = want->nodes.peers; peer; peer = peer->next) {
		got = sa_peer_nai(peer) ? sa_peer_find_nai(&running.nodes, sa_peer_nai(peer),
							   sa_peer_nai_len(peer))
					: sa_peer_find(&running.nodes, peer->addr);
		assert_non_null(got);
		assert_true(sa_peer_same(got, peer));
		if (!peer->is_dynamic)
			assert_ptr_equal(got, sa_peer_find(&running.nodes, peer->addr));
	}
	for (peer = running.nodes.peers; peer; peer = peer->next)
		cnt++;
	assert_int_equal(cnt, want->nodes.cnt);
	assert_int_equal(running.nodes.cnt, want->nodes.cnt);
}

static void give_leases_and_bindings(void)
{
	struct sa_peer *peer;
	struct in_addr lease;

	for (peer = running.nodes.peers; peer; peer = peer->next) {
		if (peer->is_dynamic && addr_is_any(peer->addr) && random_below(2) &&
		    pool_take(&running.pool, &lease) == 0 && !sa_peer_find(&running.nodes, lease)) {
			sa_peer_assign(&running.nodes, peer, lease);
			lease_idle(&running.idle_leases, peer);
		}
		if (addr_is_any(peer->addr) || random_below(2) ||
		    binding_find(&running.cache,
				 (struct binding_key){ peer->addr, running.conf.home_agent }))
			continue;
		bind_node(addr_host(peer->addr));
		if (peer->is_dynamic)
			lease_use(&running.idle_leases, peer);
	}
}

/* Whatever changes: the nodes are those of the file, and each binding is that of one of them. */
static void after_any_difference_all_is_as_in_the_new_file(void **state)
{
	const struct binding *b;
	struct engine want;
	unsigned int i;

	(void)state;
	for (i = 0; i < 500; i++) {
		const uint32_t seed = random_state;

		engine_done(&fresh);
		open_engine(&fresh, 600);
		add_random_nodes(&fresh);
		random_state = seed;
		open_engine(&want, 600);
		add_random_nodes(&want);
		(void)reload_all();
		assert_same_nodes(&want);
		engine_done(&want);
		for (b = binding_first(&running.cache); b; b = binding_next(&running.cache, b))
			assert_ptr_equal(b->node, sa_peer_find(&running.nodes, b->key.home_addr));
		give_leases_and_bindings();
	}
	assert_true(running.cache.cnt > 0);
}

/* --- settings alone --- */

/* Listens to whom it is told of. */
static enum reg_reason admits_one(const void *ctx, const struct reg_origin *from)
{
	const struct in_addr *only = ctx;

	return addr_eq(from->src, *only) ? REG_REASON_REGISTERED : REG_REASON_UNTRUSTED;
}

static void settings_change_and_associations_stay_where_they_are(void **state)
{
	const struct in_addr src = addr_from_host(0xc6336401);
	const struct sa_peer *alice;
	struct engine_conf settings;

	(void)state;
	add(&running, ALICE, NULL, 256, REPLAY_TIMESTAMP);
	alice = sa_peer_find(&running.nodes, addr_from_host(ALICE));
	replay_of(&running, ALICE, 256)->last_ident = 42;
	settings = fresh.conf;
	settings.home_agent = addr_from_host(1);
	(void)reload(&settings, &src, NULL);
	assert_int_equal(running.conf.max_lifetime_s, 600);
	assert_true(addr_eq(running.conf.home_agent, addr_from_host(HOME_AGENT)));
	assert_ptr_equal(running.policy_ctx, &src);
	assert_ptr_equal(sa_peer_find(&running.nodes, addr_from_host(ALICE)), alice);
	assert_int_equal(replay_of(&running, ALICE, 256)->last_ident, 42);
}

static void a_review_ends_what_is_not_admitted_any_more_a_few_at_a_time(void **state)
{
	static const struct ha_policy policy = { .admits = admits_one };
	const struct in_addr only = addr_from_host(0x0a010001);
	struct engine_reload r = { 0 };
	size_t turns = 1;
	struct binding *b;
	uint32_t i;

	(void)state;
	for (i = 0; i < 40; i++) {
		add(&running, ALICE + i, NULL, 256, REPLAY_TIMESTAMP);
		b = bind_node(ALICE + i);
		b->src = addr_from_host(i % 4 == 0 ? 0x0a010001 : 0x0a020001);
	}
	/* Of two bindings of one node one goes. */
	b = binding_put(&running.cache,
			(struct binding_key){ addr_from_host(ALICE), addr_from_host(HOME_AGENT) },
			addr_from_host(0xc6336402));
	b->src = addr_from_host(0x0a020001);
	b->node = sa_peer_find(&running.nodes, addr_from_host(ALICE));
	b->expires_ms = now.mono_ms + 60000;
	expiry_arm(&running.expiry, b);
	running.policy = &policy;
	engine_reload_begin(&r, &running, &fresh.conf, &only);
	while (engine_reload_some(&r, &running, 3))
		turns++;
	assert_true(turns > 3);
	assert_int_equal(r.ended, 31);
	assert_int_equal(running.cache.cnt, 10);
	for (b = binding_first(&running.cache); b; b = binding_next(&running.cache, b))
		assert_true(addr_eq(b->src, only));
}

/* --- home networks that are gone --- */

#define ELSEWHERE 0x0a330007u

static void leases_of_a_home_network_that_is_gone_are_let_go_and_no_others(void **state)
{
	const struct addr_prefix before[] = { home_net, { addr_from_host(0x0a330000), 16 } };
	struct sa_peer *away, *idle, *other;
	struct in_addr lease;

	(void)state;
	running.conf.home_networks = before;
	running.conf.home_network_cnt = 2;
	other = lease_to("other@x", &lease);
	bind_node(addr_host(lease));
	add(&running, 0, "away@x", 256, REPLAY_TIMESTAMP);
	add(&running, 0, "idle@x", 256, REPLAY_TIMESTAMP);
	away = named("away@x");
	idle = named("idle@x");
	sa_peer_assign(&running.nodes, away, addr_from_host(ELSEWHERE));
	sa_peer_assign(&running.nodes, idle, addr_from_host(ELSEWHERE + 1));
	lease_idle(&running.idle_leases, idle);
	bind_node(ELSEWHERE);
	add(&fresh, 0, "idle@x", 256, REPLAY_TIMESTAMP);
	add(&fresh, 0, "away@x", 256, REPLAY_TIMESTAMP);
	add(&fresh, 0, "other@x", 256, REPLAY_TIMESTAMP);
	assert_int_equal(reload_all(), 1);
	assert_int_equal(running.conf.home_network_cnt, 1);
	assert_true(addr_is_any(away->addr));
	assert_true(addr_is_any(idle->addr));
	assert_null(running.idle_leases.oldest);
	assert_true(addr_eq(other->addr, lease));
	assert_int_equal(running.cache.cnt, 1);
	assert_int_equal(running.expiry.armed, 1);
}

/* The file would be faulty if it named the address still. */
static void an_address_of_its_own_in_a_network_that_is_gone_is_no_lease(void **state)
{
	const struct addr_prefix before[] = { home_net, { addr_from_host(0x0a330000), 16 } };

	(void)state;
	running.conf.home_networks = before;
	running.conf.home_network_cnt = 2;
	add(&running, ELSEWHERE, "alice@x", 256, REPLAY_TIMESTAMP);
	bind_node(ELSEWHERE);
	add(&fresh, 0, "alice@x", 256, REPLAY_TIMESTAMP);
	assert_int_equal(reload_all(), 1);
	assert_true(named("alice@x")->is_dynamic);
	assert_true(addr_is_any(named("alice@x")->addr));
	assert_int_equal(running.cache.cnt, 0);
}

static void a_home_network_that_grows_loses_nobody(void **state)
{
	const struct addr_prefix before = { addr_from_host(0x0a328000), 24 };
	struct in_addr lease;

	(void)state;
	running.conf.home_networks = &before;
	(void)lease_to("carol@x", &lease);
	bind_node(addr_host(lease));
	add(&fresh, 0, "carol@x", 256, REPLAY_TIMESTAMP);
	assert_int_equal(reload_all(), 0);
	assert_true(addr_eq(named("carol@x")->addr, lease));
	assert_int_equal(running.cache.cnt, 1);
}

/* The first of the list goes while leases are still to be looked at. */
static void nodes_that_go_with_their_network_are_not_looked_at_again(void **state)
{
	const struct addr_prefix before[] = { home_net, { addr_from_host(0x0a330000), 16 } };
	uint32_t i;

	(void)state;
	running.conf.home_networks = before;
	running.conf.home_network_cnt = 2;
	for (i = 0; i < 4; i++) {
		add(&running, ELSEWHERE + i, NULL, 256, REPLAY_TIMESTAMP);
		bind_node(ELSEWHERE + i);
	}
	assert_int_equal(reload_all(), 4);
	assert_int_equal(running.nodes.cnt, 0);
	assert_int_equal(running.cache.cnt, 0);
}

#define reload_test(f) cmocka_unit_test_setup_teardown(f, open_both, close_both)

int main(void)
{
	const struct CMUnitTest tests[] = {
		reload_test(networks_that_stay_configured_stay_registered_and_the_others_end),
		reload_test(a_node_that_is_no_router_any_more_has_no_networks),
		reload_test(replay_state_is_taken_over),
		reload_test(another_style_begins_anew),
		reload_test(a_new_node_begins_at_the_reload),
		reload_test(bindings_of_nodes_that_stay_go_on),
		reload_test(bindings_of_nodes_that_are_gone_end),
		reload_test(a_lease_goes_on_with_its_name),
		reload_test(idle_leases_stay_in_their_order),
		reload_test(a_lease_gives_way_to_a_node_of_its_own),
		reload_test(settings_change_and_associations_stay_where_they_are),
		reload_test(a_review_ends_what_is_not_admitted_any_more_a_few_at_a_time),
		reload_test(a_binding_does_not_pass_to_the_next_owner_of_its_address),
		reload_test(what_has_not_changed_costs_nothing),
		reload_test(between_two_steps_each_node_is_the_old_one_or_the_new_one),
		reload_test(a_node_whose_key_changes_stays_where_it_is),
		reload_test(denials_are_counted_on),
		reload_test(names_that_change_hands_are_found_with_their_new_owners),
		reload_test(a_former_key_comes_and_goes_with_a_reload),
		reload_test(
			another_former_key_or_another_end_of_it_is_a_change_and_the_same_is_none),
		reload_test(a_lease_made_its_node_s_own_keeps_its_bindings),
		reload_test(an_address_of_its_own_becomes_a_lease),
		reload_test(what_goes_gives_its_address_back),
		reload_test(leases_of_a_home_network_that_is_gone_are_let_go_and_no_others),
		reload_test(an_address_of_its_own_in_a_network_that_is_gone_is_no_lease),
		reload_test(a_home_network_that_grows_loses_nobody),
		reload_test(nodes_that_go_with_their_network_are_not_looked_at_again),
		reload_test(after_any_difference_all_is_as_in_the_new_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

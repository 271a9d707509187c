/* SPDX-License-Identifier: BSD-2-Clause */
/* A new configuration in a running engine: what it takes over, what it ends, what it forgets. */
#include "ha-core/engine/engine.h"

#include <setjmp.h>
#include <stdarg.h>
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

	assert_int_equal(engine_reload(&running, &fresh), 1);
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

	assert_int_equal(engine_reload(&running, &fresh), 0);
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

	assert_int_equal(engine_reload(&running, &fresh), 0);
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

	assert_int_equal(engine_reload(&running, &fresh), 0);
	assert_true(replay_of(&running, ALICE, 256)->last_ident == now.ntp);
}

/* A timestamp from before the reload may be one that a former node of this name has used. */
static void a_new_node_begins_at_the_reload(void **state)
{
	(void)state;
	add(&fresh, BOB, NULL, 256, REPLAY_TIMESTAMP);
	assert_int_equal(engine_reload(&running, &fresh), 0);
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

	assert_int_equal(engine_reload(&running, &fresh), 0);
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

	assert_int_equal(engine_reload(&running, &fresh), 1);
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

	assert_int_equal(engine_reload(&running, &fresh), 0);
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

	assert_int_equal(engine_reload(&running, &fresh), 0);
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

	assert_int_equal(engine_reload(&running, &fresh), 0);
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

	assert_int_equal(engine_reload(&running, &fresh), 1);
	assert_int_equal(running.cache.cnt, 0);
	assert_int_equal(ends, 1);
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
	settings.home_networks = NULL;
	engine_reload_settings(&running, &settings, &src);
	assert_int_equal(running.conf.max_lifetime_s, 600);
	assert_true(addr_eq(running.conf.home_agent, addr_from_host(HOME_AGENT)));
	assert_ptr_equal(running.conf.home_networks, &home_net);
	assert_ptr_equal(running.policy_ctx, &src);
	assert_ptr_equal(sa_peer_find(&running.nodes, addr_from_host(ALICE)), alice);
	assert_int_equal(replay_of(&running, ALICE, 256)->last_ident, 42);
}

static void a_review_ends_what_is_not_admitted_any_more_a_few_at_a_time(void **state)
{
	static const struct ha_policy policy = { .admits = admits_one };
	const struct in_addr only = addr_from_host(0x0a010001);
	size_t bucket = 0, ended = 0, turns = 1;
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
	engine_reload_settings(&running, &fresh.conf, &only);
	while (engine_review_some(&running, &bucket, 3, &ended))
		turns++;
	assert_true(turns > 3);
	assert_int_equal(ended, 31);
	assert_int_equal(running.cache.cnt, 10);
	for (b = binding_first(&running.cache); b; b = binding_next(&running.cache, b))
		assert_true(addr_eq(b->src, only));
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

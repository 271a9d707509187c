/* SPDX-License-Identifier: BSD-2-Clause */
/* A home agent that takes over what another one of its address has recorded. */
#include "common/err.h"
#include "ha-core/engine/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "test/unit/ha-core/engine/remembering.h"

#define NOW_MS 1000000u

static struct engine here, there;
static struct memory_time at;
static struct memory_restored got;
static uint8_t key[MEMORY_KEY_MAX], value[MEMORY_VALUE_MAX];
static size_t key_len, value_len;
static unsigned int changes, dels, renewals, touches; /* of `here` */
static const struct sa_peer *touched;

static int hook_changed(void *ctx, struct binding_key k, const struct binding *first)
{
	(void)k;
	if (ctx == &here)
		(*(first ? &changes : &dels))++;
	return 0;
}

static void hook_renewed(void *ctx, struct binding_key k)
{
	(void)k;
	renewals += ctx == &here;
}

static void hook_touched(void *ctx, const struct sa_peer *node)
{
	if (ctx != &here)
		return;
	touches++;
	touched = node;
}

static void begin(struct engine *e)
{
	const struct clock now = { .mono_ms = NOW_MS, .ntp = NOW_NTP };

	begin_with(e,
		   (struct engine_hooks){ .changed = hook_changed,
					  .renewed = hook_renewed,
					  .touched = hook_touched,
					  .ctx = e },
		   &now);
}

/* As a registration at the other host would leave it. */
static struct binding *registered(struct sa_peer *node, uint32_t care_of)
{
	const struct binding_key k = { node->addr, addr_from_host(HOME_AGENT) };
	const struct binding_tunnel tunnel = { .peer = addr_from_host(care_of), .encap = 4 };
	struct binding *b = binding_find_care_of(&there.cache, k, addr_from_host(care_of));

	if (!b)
		b = binding_put(&there.cache, k, addr_from_host(care_of));
	b->src = addr_from_host(care_of);
	b->src_port = 1434;
	b->lifetime_s = 600;
	b->spi = 256;
	b->node = node;
	binding_set_tunnel(&there.cache, b, &tunnel);
	b->expires_ms = NOW_MS + 600000;
	expiry_arm(&there.expiry, b);
	return b;
}

static void ended(struct binding *b)
{
	expiry_disarm(&there.expiry, b);
	binding_del(&there.cache, b);
}

static void leased(struct engine *e, struct sa_peer *node, uint32_t addr)
{
	assert_int_equal(pool_take_this(&e->pool, addr_from_host(addr)), 0);
	sa_peer_assign(&e->nodes, node, addr_from_host(addr));
	lease_idle(&e->idle_leases, node);
}

/* The other host's change of this rank is read here. */
static int follows(struct sa_peer *node, uint64_t ident, uint64_t version)
{
	struct sa_shared *shared = sa_peer_shared(&there.nodes, node);

	shared->ident = ident;
	shared->version = version;
	key_len = memory_key(node, key);
	value_len = memory_encode(&there, node, &at, value);
	changes = dels = renewals = touches = 0;
	touched = NULL;
	return memory_follow(&here, key, key_len, value, value_len, &at, &got);
}

static int make(void **state)
{
	(void)state;
	at = (struct memory_time){ .now = { .mono_ms = NOW_MS, .ntp = NOW_NTP }, .boot = 1 };
	begin(&here);
	begin(&there);
	return 0;
}

static int drop(void **state)
{
	(void)state;
	engine_done(&here);
	engine_done(&there);
	return 0;
}

static void a_registration_elsewhere_is_a_binding_here(void **state)
{
	(void)state;
	(void)registered(alice(&there), CARE_OF);
	assert_int_equal(follows(alice(&there), 5, 6), 0);
	assert_int_equal(got.bindings, 1);
	assert_int_equal(changes, 1);
	assert_int_equal(touches, 0); /* nobody else is to be told */
	assert_int_equal(ntohl(first_of(&here, alice(&here))->care_of.s_addr), CARE_OF);
	assert_int_equal(sa_peer_shared_of(alice(&here))->ident, 5);
	assert_int_equal(sa_peer_shared_of(alice(&here))->version, 6);
}

static void a_renewal_elsewhere_leaves_the_tunnel_and_its_counters(void **state)
{
	struct binding *b;

	(void)state;
	(void)registered(alice(&there), CARE_OF);
	assert_int_equal(follows(alice(&there), 5, 6), 0);
	first_of(&here, alice(&here))->count.packets_to = 77;
	registered(alice(&there), CARE_OF)->expires_ms += 100000;
	first_of(&there, alice(&there))->lifetime_s = 700;
	assert_int_equal(follows(alice(&there), 6, 7), 0);
	assert_int_equal(changes + dels, 0);
	assert_int_equal(renewals, 1);
	b = first_of(&here, alice(&here));
	assert_int_equal(b->expires_ms, NOW_MS + 700000);
	assert_int_equal(b->count.packets_to, 77);
}

static void a_move_elsewhere_moves_the_tunnel(void **state)
{
	(void)state;
	(void)registered(alice(&there), CARE_OF);
	assert_int_equal(follows(alice(&there), 5, 6), 0);
	ended(first_of(&there, alice(&there)));
	(void)registered(alice(&there), CARE_OF + 1);
	assert_int_equal(follows(alice(&there), 6, 7), 0);
	assert_int_equal(changes, 1);
	assert_int_equal(dels, 0);
	assert_int_equal(here.cache.cnt, 1);
	assert_int_equal(ntohl(first_of(&here, alice(&here))->care_of.s_addr), CARE_OF + 1);
}

static void a_tunnel_that_goes_another_way_is_put_again(void **state)
{
	struct binding_tunnel tunnel;
	struct binding *b;

	(void)state;
	b = registered(alice(&there), CARE_OF);
	assert_int_equal(follows(alice(&there), 5, 6), 0);
	tunnel = b->tunnel;
	tunnel.udp = true;
	tunnel.peer_port = 4000;
	binding_set_tunnel(&there.cache, b, &tunnel);
	assert_int_equal(follows(alice(&there), 6, 7), 0);
	assert_int_equal(changes, 1);
	assert_int_equal(first_of(&here, alice(&here))->tunnel.peer_port, 4000);
}

static void who_deregistered_elsewhere_has_no_binding_here(void **state)
{
	(void)state;
	(void)registered(alice(&there), CARE_OF);
	assert_int_equal(follows(alice(&there), 5, 6), 0);
	ended(first_of(&there, alice(&there)));
	assert_int_equal(follows(alice(&there), 6, 7), 0);
	assert_int_equal(dels, 1);
	assert_null(first_of(&here, alice(&here)));
}

static void simultaneous_bindings_keep_their_order(void **state)
{
	struct binding *b;

	(void)state;
	(void)registered(alice(&there), CARE_OF);
	(void)registered(alice(&there), CARE_OF + 1);
	assert_int_equal(follows(alice(&there), 5, 6), 0);
	b = first_of(&here, alice(&here));
	assert_int_equal(ntohl(b->care_of.s_addr), CARE_OF + 1);
	assert_int_equal(ntohl(binding_sibling(b)->care_of.s_addr), CARE_OF);
}

static void what_was_accepted_elsewhere_is_a_replay_here(void **state)
{
	struct replay *there_rp = &sa_find(alice(&there), 256)->replay;
	struct replay *rp = &sa_find(alice(&here), 256)->replay;

	(void)state;
	there_rp->last_ident = NOW_NTP + 5;
	assert_int_equal(follows(alice(&there), 5, 6), 0);
	assert_int_equal(rp->last_ident, NOW_NTP + 5);
	/* Nobody's clock lowers it again, and one that is far ahead counts. */
	rp->last_ident = NOW_NTP + 9;
	assert_int_equal(follows(alice(&there), 5, 7), 0);
	assert_int_equal(rp->last_ident, NOW_NTP + 9);
	there_rp->last_ident = NOW_NTP + REPLAY_SECONDS(100);
	assert_int_equal(follows(alice(&there), 5, 8), 0);
	assert_true(got.clock_was_ahead);
	assert_int_equal(rp->last_ident, NOW_NTP + REPLAY_SECONDS(100));
}

static void a_nonce_that_was_given_elsewhere_is_the_one(void **state)
{
	struct replay *rp = &sa_find(alice(&there), 257)->replay;

	(void)state;
	rp->nonce = 4711;
	rp->seen = true;
	assert_int_equal(follows(alice(&there), 5, 6), 0);
	assert_int_equal(sa_find(alice(&here), 257)->replay.nonce, 4711);
	assert_true(sa_find(alice(&here), 257)->replay.seen);
}

static void after_a_fail_over_no_nonce_is_good_and_no_timestamp_from_before(void **state)
{
	const struct clock now = { .mono_ms = NOW_MS, .ntp = NOW_NTP + REPLAY_SECONDS(9) };

	(void)state;
	sa_find(alice(&here), 257)->replay.seen = true;
	engine_distrust(&here, &now);
	assert_false(sa_find(alice(&here), 257)->replay.seen);
	assert_true(here.is_distrusting);
	assert_int_equal(here.distrusted_ntp, now.ntp);
}

static void a_lease_goes_with_its_node(void **state)
{
	struct sa_peer *bob = named(&there, "bob@corp.example");

	(void)state;
	leased(&there, bob, POOL + 1);
	(void)registered(bob, CARE_OF);
	assert_int_equal(follows(bob, 5, 6), 0);
	assert_int_equal(ntohl(named(&here, "bob@corp.example")->addr.s_addr), POOL + 1);
	assert_int_equal(here.cache.cnt, 1);
	/* It is taken over there by somebody else: here, too. */
	ended(first_of(&there, bob));
	lease_use(&there.idle_leases, bob);
	pool_give_back(&there.pool, bob->addr);
	sa_peer_unassign(&there.nodes, bob);
	assert_int_equal(follows(bob, 5, 7), 0);
	assert_true(addr_is_any(named(&here, "bob@corp.example")->addr));
	assert_int_equal(here.cache.cnt, 0);
	assert_int_equal(pool_take_this(&here.pool, addr_from_host(POOL + 1)), 0);
}

/* eve has the address here, under Identification 5; bob got it there, under another one. */
static struct sa_peer *leased_twice(uint64_t ident)
{
	struct sa_peer *bob = named(&there, "bob@corp.example");
	struct sa_peer *eve = named(&here, "eve@corp.example");

	leased(&here, eve, POOL + 1);
	*sa_peer_shared(&here.nodes, eve) = (struct sa_shared){ .ident = 5, .version = 5 };
	leased(&there, bob, POOL + 1);
	(void)registered(bob, CARE_OF);
	assert_int_equal(follows(bob, ident, 9), 0);
	return eve;
}

static void of_two_nodes_with_one_address_the_newer_has_it(void **state)
{
	const struct sa_peer *eve = leased_twice(6);

	(void)state;
	assert_true(addr_is_any(eve->addr));
	assert_int_equal(touches, 1);
	assert_ptr_equal(touched, eve); /* the others are to know */
	assert_int_equal(ntohl(named(&here, "bob@corp.example")->addr.s_addr), POOL + 1);
	assert_int_equal(got.bindings, 1);
	assert_false(got.lease_lost);
}

static void of_two_nodes_with_one_address_the_older_has_none(void **state)
{
	const struct sa_peer *eve = leased_twice(4);

	(void)state;
	assert_int_equal(ntohl(eve->addr.s_addr), POOL + 1);
	assert_true(got.lease_lost);
	assert_int_equal(sa_peer_shared(&here.nodes, named(&here, "bob@corp.example"))->version, 9);
	assert_true(addr_is_any(named(&here, "bob@corp.example")->addr));
	assert_int_equal(here.cache.cnt, 0);
}

static void a_lease_of_no_pool_of_ours_is_left_to_who_has_the_pool(void **state)
{
	const uint32_t elsewhere = POOL + 0x10000;
	struct sa_peer *bob = named(&there, "bob@corp.example"),
		       *ours = named(&here, "bob@corp.example");

	(void)state;
	leased(&here, ours, POOL + 1);
	sa_peer_assign(&there.nodes, bob, addr_from_host(elsewhere));
	(void)registered(bob, CARE_OF);
	bob->sas->replay.seen = true;
	bob->sas->replay.last_ident = NOW_NTP + 1;
	assert_int_equal(follows(bob, 6, 9), 0);
	assert_true(got.lease_unknown);
	assert_false(got.lease_lost); /* it is not to be taken away there */
	assert_true(addr_is_any(ours->addr));
	assert_int_equal(here.cache.cnt, 0);
	assert_true(ours->sas->replay.last_ident == NOW_NTP + 1);
	assert_int_equal(sa_peer_shared(&here.nodes, ours)->version, 0); /* looked at again */
	assert_int_equal(
		pool_add(&here.pool, (struct addr_prefix){ addr_from_host(elsewhere), 32 }), 0);
	assert_int_equal(follows(bob, 6, 9), 0);
	assert_int_equal(ntohl(ours->addr.s_addr), elsewhere);
	assert_int_equal(got.bindings, 1);
}

static void what_no_home_agent_can_have_granted_is_refused(void **state)
{
	static const struct binding_tunnel faults[] = {
		{ .peer = { 0 }, .encap = 4 },
		{ .peer = { INADDR_BROADCAST }, .encap = 4 },
		{ .peer = { 0x0100000a }, .encap = 5 },
		{ .peer = { 0x0100000a }, .encap = 4, .udp = true },
	};
	struct binding *b = registered(alice(&there), CARE_OF);
	struct binding_tunnel tunnel;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		binding_set_tunnel(&there.cache, b, &faults[i]);
		assert_int_equal(follows(alice(&there), 5 + i, 6 + i), 0);
		assert_int_equal(got.refused, 1);
		assert_int_equal(here.cache.cnt, 0);
	}
	tunnel = faults[3];
	tunnel.half_bound = true; /* its port comes with a keepalive */
	binding_set_tunnel(&there.cache, b, &tunnel);
	assert_int_equal(follows(alice(&there), 50, 60), 0);
	assert_int_equal(got.bindings, 1);
}

static void what_we_would_not_grant_is_followed_as_it_was_granted(void **state)
{
	struct binding *b = registered(alice(&there), CARE_OF);

	(void)state;
	here.conf.max_lifetime_s = 60;
	here.conf.max_bindings = 1;
	(void)registered(alice(&there), CARE_OF + 1);
	assert_int_equal(follows(alice(&there), 5, 6), 0);
	assert_int_equal(got.bindings, 2);
	assert_int_equal(got.refused, 0);
	b = (struct binding *)(uintptr_t)binding_find_care_of(
		&here.cache, (struct binding_key){ b->key.home_addr, addr_from_host(HOME_AGENT) },
		addr_from_host(CARE_OF));
	assert_int_equal(b->lifetime_s, 600);
}

static void a_record_that_is_none_changes_nothing(void **state)
{
	(void)state;
	(void)registered(alice(&there), CARE_OF);
	assert_int_equal(follows(alice(&there), 5, 6), 0);
	assert_int_equal(memory_follow(&here, key, key_len, value, value_len - 1, &at, &got),
			 ERR_MALFORMED);
	assert_int_equal(memory_follow(&here, key, key_len - 1, value, value_len, &at, &got),
			 ERR_NOT_FOUND);
	assert_int_equal(here.cache.cnt, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_lease_of_no_pool_of_ours_is_left_to_who_has_the_pool),
		TEST(what_no_home_agent_can_have_granted_is_refused),
		TEST(what_we_would_not_grant_is_followed_as_it_was_granted),
		TEST(a_registration_elsewhere_is_a_binding_here),
		TEST(a_renewal_elsewhere_leaves_the_tunnel_and_its_counters),
		TEST(a_move_elsewhere_moves_the_tunnel),
		TEST(a_tunnel_that_goes_another_way_is_put_again),
		TEST(who_deregistered_elsewhere_has_no_binding_here),
		TEST(simultaneous_bindings_keep_their_order),
		TEST(what_was_accepted_elsewhere_is_a_replay_here),
		TEST(a_nonce_that_was_given_elsewhere_is_the_one),
		TEST(after_a_fail_over_no_nonce_is_good_and_no_timestamp_from_before),
		TEST(a_lease_goes_with_its_node),
		TEST(of_two_nodes_with_one_address_the_newer_has_it),
		TEST(of_two_nodes_with_one_address_the_older_has_none),
		TEST(a_record_that_is_none_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

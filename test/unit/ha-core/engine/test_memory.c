/* SPDX-License-Identifier: BSD-2-Clause */
/* What an engine remembers of a former life, and what the clocks did meanwhile. */
#include "ha-core/engine/memory.h"

#include "common/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "test/unit/ha-core/engine/remembering.h"

#define BOOT 0x12345677u

static struct engine before, after; /* two lives */
static struct memory_time at;       /* of the second one */
static struct memory_restored got;
static int data_path_says; /* to a put */

static uint8_t key[MEMORY_KEY_MAX], value[MEMORY_VALUE_MAX];
static size_t key_len, value_len;

static int hook_changed(void *ctx, struct binding_key k, const struct binding *first)
{
	(void)ctx;
	(void)k;
	return first ? data_path_says : 0;
}

static void begin(struct engine *e, const struct clock *now)
{
	begin_with(e, (struct engine_hooks){ .changed = hook_changed }, now);
}

/* A binding as a registration would leave it. */
static struct binding *bind_node(struct sa_peer *node, uint32_t care_of, uint16_t lifetime_s)
{
	const struct binding_key k = { node->addr, addr_from_host(HOME_AGENT) };
	struct binding *b = binding_put(&before.cache, k, addr_from_host(care_of));
	const struct binding_tunnel tunnel = { .peer = addr_from_host(care_of),
					       .encap = 4,
					       .reverse = true };

	b->src = addr_from_host(care_of);
	b->src_port = 1434;
	b->flags = REG_FLAG_D | REG_FLAG_T;
	b->lifetime_s = lifetime_s;
	b->spi = 256;
	b->ident = 77;
	b->node = node;
	binding_set_tunnel(&before.cache, b, &tunnel);
	b->expires_ms = lifetime_s == REG_LIFETIME_INFINITE ? BINDING_NEVER_MS
							    : 1000000 + (uint64_t)lifetime_s * 1000;
	expiry_arm(&before.expiry, b);
	return b;
}

static void remember(struct sa_peer *node)
{
	const struct memory_time then = {
		.now = { .mono_ms = 1000000, .ntp = before.started_ntp + REPLAY_SECONDS(100) },
		.boot = BOOT,
	};

	key_len = memory_key(node, key);
	value_len = memory_encode(&before, node, &then, value);
	assert_true(value_len > 0);
}

static int restore(void)
{
	return memory_restore(&after, key, key_len, value, value_len, &at, &got);
}

/* The second life begins so much later, on the wall clock and on the monotonic one. */
static void live_again(int64_t wall_s, uint64_t mono_ms, uint32_t boot)
{
	engine_done(&after);
	at.now.ntp = before.started_ntp + REPLAY_SECONDS(100) + ((uint64_t)wall_s << 32);
	at.now.mono_ms = mono_ms;
	at.boot = boot;
	begin(&after, &at.now);
}

static int make(void **state)
{
	const struct clock now = { .mono_ms = 900000, .ntp = NOW_NTP };

	(void)state;
	data_path_says = 0;
	begin(&before, &now);
	at = (struct memory_time){ 0 };
	begin(&after, &now);
	return 0;
}

static int drop(void **state)
{
	(void)state;
	engine_done(&before);
	engine_done(&after);
	return 0;
}

static uint32_t seconds_left(void)
{
	const struct binding *b = first_of(&after, alice(&after));

	return b ? binding_remaining_s(b, at.now.mono_ms) : 0;
}

static void a_binding_comes_back_as_it_was(void **state)
{
	struct binding *b;

	(void)state;
	(void)bind_node(alice(&before), CARE_OF, 600);
	remember(alice(&before));
	live_again(60, 1060000, BOOT);
	assert_int_equal(restore(), 0);
	assert_int_equal(got.bindings, 1);
	b = first_of(&after, alice(&after));
	assert_non_null(b);
	assert_int_equal(ntohl(b->care_of.s_addr), CARE_OF);
	assert_int_equal(ntohl(b->tunnel.peer.s_addr), CARE_OF);
	assert_int_equal(b->src_port, 1434);
	assert_int_equal(b->flags, REG_FLAG_D | REG_FLAG_T);
	assert_true(b->tunnel.reverse);
	assert_int_equal(b->tunnel.encap, 4);
	assert_int_equal(b->ident, 77);
	assert_ptr_equal(b->node, alice(&after));
	assert_int_equal(seconds_left(), 540);
}

static void the_wall_clock_does_not_matter_while_the_host_runs(void **state)
{
	(void)state;
	(void)bind_node(alice(&before), CARE_OF, 600);
	remember(alice(&before));
	live_again(1000000, 1060000, BOOT);
	assert_int_equal(restore(), 0);
	assert_int_equal(seconds_left(), 540);
	live_again(-1000000, 1060000, BOOT);
	assert_int_equal(restore(), 0);
	assert_int_equal(seconds_left(), 540);
}

static void after_a_boot_the_wall_clock_counts(void **state)
{
	(void)state;
	(void)bind_node(alice(&before), CARE_OF, 600);
	remember(alice(&before));
	live_again(60, 5000, BOOT + 2);
	assert_int_equal(restore(), 0);
	assert_int_equal(seconds_left(), 540);
	live_again(601, 5000, BOOT + 2);
	assert_int_equal(restore(), 0);
	assert_int_equal(got.expired, 1);
	assert_int_equal(seconds_left(), 0);
}

static void a_clock_set_back_gives_nobody_more_than_was_granted(void **state)
{
	(void)state;
	(void)bind_node(alice(&before), CARE_OF, 600);
	remember(alice(&before));
	live_again(-86400, 5000, BOOT + 2);
	assert_int_equal(restore(), 0);
	assert_int_equal(seconds_left(), 600);
}

static void an_end_beyond_the_ntp_era_comes_in_its_time(void **state)
{
	struct memory_time then = { .now = { .mono_ms = 1000000, .ntp = 0xffffff9c00000000u } };

	(void)state;
	(void)bind_node(alice(&before), CARE_OF, 600);
	key_len = memory_key(alice(&before), key);
	value_len = memory_encode(&before, alice(&before), &then, value);
	engine_done(&after);
	at.now = (struct clock){ .mono_ms = 5000, .ntp = 0x0000001400000000u }; /* 120 s later */
	begin(&after, &at.now);
	assert_int_equal(restore(), 0);
	assert_int_equal(seconds_left(), 480);
}

static void a_lifetime_without_end_has_none(void **state)
{
	(void)state;
	(void)bind_node(alice(&before), CARE_OF, REG_LIFETIME_INFINITE);
	remember(alice(&before));
	live_again(1000000, 5000, BOOT + 2);
	assert_int_equal(restore(), 0);
	assert_int_equal(seconds_left(), REG_LIFETIME_INFINITE);
}

static void simultaneous_bindings_keep_their_order(void **state)
{
	const struct binding *b;

	(void)state;
	(void)bind_node(alice(&before), CARE_OF, 600);
	(void)bind_node(alice(&before), CARE_OF + 1, 600);
	(void)bind_node(alice(&before), CARE_OF + 2, 600);
	remember(alice(&before));
	live_again(1, 1001000, BOOT);
	assert_int_equal(restore(), 0);
	assert_int_equal(got.bindings, 3);
	b = first_of(&after, alice(&after));
	assert_int_equal(ntohl(b->care_of.s_addr), CARE_OF + 2);
	assert_int_equal(ntohl(binding_sibling(b)->care_of.s_addr), CARE_OF + 1);
}

/* They are the key's, whichever of its bindings is left. */
static void whom_a_node_has_sent_to_is_known_again(void **state)
{
	const struct in_addr gateway = addr_from_host(0xc6336409);
	struct binding *b;

	(void)state;
	(void)bind_node(alice(&before), CARE_OF, 600);
	(void)bind_node(alice(&before), CARE_OF + 1, 60);
	b = bind_node(alice(&before), CARE_OF + 2, 30);
	assert_int_equal(binding_add_contact(b, gateway), 0);
	assert_int_equal(binding_add_contact(b, addr_from_host(9)), 0);
	remember(alice(&before));
	live_again(100, 1100000, BOOT);
	assert_int_equal(restore(), 0);
	assert_int_equal(got.bindings, 1);
	b = first_of(&after, alice(&after));
	assert_int_equal(binding_contacts_of(b)->cnt, 2);
	assert_true(binding_has_contact(b, gateway));
	assert_true(binding_has_contact(b, addr_from_host(9)));
}

static uint64_t last_ident(void)
{
	return alice(&after)->sas->replay.last_ident;
}

static void the_last_identification_is_known_again(void **state)
{
	const uint64_t ident = before.started_ntp + REPLAY_SECONDS(99);

	(void)state;
	alice(&before)->sas->replay.last_ident = ident;
	remember(alice(&before));
	live_again(60, 1060000, BOOT);
	assert_int_equal(restore(), 0);
	assert_true(last_ident() == ident);
	assert_false(got.clock_was_ahead);
}

static void what_may_be_missing_counts_as_seen(void **state)
{
	(void)state;
	alice(&before)->sas->replay.last_ident = before.started_ntp;
	remember(alice(&before));
	live_again(60, 5000, BOOT + 2);
	at.may_lack = true;
	assert_int_equal(restore(), 0);
	assert_true(last_ident() == at.now.ntp);
}

static void a_home_agent_that_has_moved_keeps_what_was_said_and_no_binding(void **state)
{
	const uint64_t ident = before.started_ntp + REPLAY_SECONDS(90);

	(void)state;
	alice(&before)->sas->replay.last_ident = ident;
	(void)bind_node(alice(&before), CARE_OF, 600);
	remember(alice(&before));
	live_again(60, 1060000, BOOT);
	at.has_moved = true;
	assert_int_equal(restore(), 0);
	assert_int_equal(got.bindings, 0);
	assert_int_equal(got.refused, 1);
	assert_null(first_of(&after, alice(&after)));
	assert_true(last_ident() == ident);
}

static void an_identification_of_a_wrong_clock_shuts_nobody_out(void **state)
{
	(void)state;
	alice(&before)->sas->replay.last_ident = before.started_ntp + REPLAY_SECONDS(86400);
	remember(alice(&before));
	live_again(60, 5000, BOOT + 2);
	assert_int_equal(restore(), 0);
	assert_true(got.clock_was_ahead);
	assert_true(last_ident() == at.now.ntp);
}

static void a_nonce_is_good_for_the_request_that_was_to_come(void **state)
{
	struct replay *rp = &alice(&before)->sas->next->replay;

	(void)state;
	rp->seen = true;
	rp->nonce = 4711;
	remember(alice(&before));
	live_again(60, 5000, BOOT + 2);
	assert_int_equal(restore(), 0);
	assert_true(alice(&after)->sas->next->replay.seen);
	assert_int_equal(alice(&after)->sas->next->replay.nonce, 4711);
}

static void who_is_not_remembered_was_never_answered(void **state)
{
	(void)state;
	remember(alice(&before));
	live_again(60, 1060000, BOOT);
	assert_true(bob(&after)->sas->replay.seen);
	memory_is_whole(&after);
	assert_false(bob(&after)->sas->replay.seen);
}

static void a_lease_is_its_names_again(void **state)
{
	const struct in_addr addr = addr_from_host(0x0a328003);
	struct in_addr other;
	unsigned int i;

	(void)state;
	assert_int_equal(pool_take_this(&before.pool, addr), 0);
	sa_peer_assign(&before.nodes, bob(&before), addr);
	(void)bind_node(bob(&before), CARE_OF, 600);
	remember(bob(&before));
	live_again(60, 1060000, BOOT);
	assert_int_equal(restore(), 0);
	assert_int_equal(got.bindings, 1);
	assert_true(addr_eq(bob(&after)->addr, addr));
	assert_false(bob(&after)->more->is_idle);
	for (i = 0; pool_take(&after.pool, &other) == 0; i++)
		assert_false(addr_eq(other, addr));
	assert_int_equal(i, 5); /* of the six of a /29 */
}

static void a_lease_that_is_anothers_by_now_is_not_taken_from_it(void **state)
{
	const struct in_addr addr = addr_from_host(0x0a328003);

	(void)state;
	assert_int_equal(pool_take_this(&before.pool, addr), 0);
	sa_peer_assign(&before.nodes, bob(&before), addr);
	(void)bind_node(bob(&before), CARE_OF, 600);
	remember(bob(&before));
	live_again(60, 1060000, BOOT);
	assert_int_equal(engine_add_node(&after, addr, NULL, 256, MAC_HMAC_MD5, "k", 1,
					 REPLAY_TIMESTAMP, 0),
			 0);
	assert_int_equal(restore(), 0);
	assert_int_equal(got.bindings, 0);
	assert_true(addr_is_any(bob(&after)->addr));
	assert_int_equal(after.cache.cnt, 0);
}

static void a_binding_that_the_data_path_refuses_is_not_there(void **state)
{
	(void)state;
	(void)bind_node(alice(&before), CARE_OF, 600);
	remember(alice(&before));
	live_again(60, 1060000, BOOT);
	data_path_says = -1;
	assert_int_equal(restore(), 0);
	assert_int_equal(got.refused, 1);
	assert_int_equal(after.cache.cnt, 0);
}

static void what_is_known_is_never_overwritten_by_what_is_older(void **state)
{
	(void)state;
	(void)bind_node(alice(&before), CARE_OF, 600);
	remember(alice(&before));
	live_again(60, 1060000, BOOT);
	assert_int_equal(restore(), 0);
	alice(&after)->sas->replay.last_ident = at.now.ntp + REPLAY_SECONDS(1);
	first_of(&after, alice(&after))->lifetime_s = 1;
	assert_int_equal(restore(), 0);
	assert_int_equal(got.bindings, 0);
	assert_int_equal(first_of(&after, alice(&after))->lifetime_s, 1);
	assert_true(last_ident() == at.now.ntp + REPLAY_SECONDS(1));
}

static void a_stranger_is_told_from_a_node(void **state)
{
	(void)state;
	remember(alice(&before));
	key[1] ^= 1;
	assert_int_equal(restore(), ERR_NOT_FOUND);
	assert_int_equal(memory_check(&after, key, key_len, value, value_len), ERR_NOT_FOUND);
}

static void of_a_stranger_no_binding_is_kept_and_its_timestamps_for_two_hours(void **state)
{
	uint8_t kept[MEMORY_VALUE_MAX];
	size_t len;

	(void)state;
	(void)bind_node(alice(&before), CARE_OF, 600);
	remember(alice(&before));
	live_again(60, 1060000, BOOT);
	len = memory_of_stranger(value, value_len, &at, kept);
	assert_true(len > 0 && len < value_len);
	assert_int_equal(memory_of_stranger(kept, len, &at, value), len); /* it is right now */
	memcpy(value, kept, len);
	value_len = len;
	assert_int_equal(restore(), 0);
	assert_int_equal(got.bindings, 0);
	live_again(7300, 8300000, BOOT);
	assert_int_equal(memory_of_stranger(kept, len, &at, value), 0);
}

static void a_newer_version_is_refused(void **state)
{
	(void)state;
	remember(alice(&before));
	value[0] += 2;
	assert_int_equal(restore(), ERR_UNSUPPORTED);
	value[0] = 0;
	assert_int_equal(restore(), ERR_MALFORMED);
}

static void a_record_of_any_other_length_is_none(void **state)
{
	size_t len;

	(void)state;
	(void)bind_node(alice(&before), CARE_OF, 600);
	remember(alice(&before));
	len = value_len;
	for (value_len = 0; value_len < len; value_len++) {
		assert_int_equal(restore(), ERR_MALFORMED);
		assert_int_equal(after.cache.cnt, 0);
	}
	value_len = len + 1;
	value[len] = 0;
	assert_int_equal(restore(), ERR_MALFORMED);
}

static void a_key_has_the_realm_in_lower_case(void **state)
{
	(void)state;
	key_len = memory_key(bob(&before), key);
	assert_int_equal(key_len, 17);
	assert_memory_equal(key, "Nbob@corp.example", 17);
}

static void a_binding_that_no_request_makes_is_refused(void **state)
{
	struct binding *b;

	(void)state;
	b = bind_node(alice(&before), CARE_OF, 600);
	b->tunnel.encap = 77;
	remember(alice(&before));
	live_again(60, 1060000, BOOT);
	assert_int_equal(restore(), 0);
	assert_int_equal(got.refused, 1);
	assert_null(first_of(&after, alice(&after)));
	b->tunnel.encap = 4;
	b->tunnel.peer = addr_from_host(ALICE); /* its own tunnel inside itself */
	remember(alice(&before));
	assert_int_equal(restore(), 0);
	assert_int_equal(got.refused, 1);
	assert_null(first_of(&after, alice(&after)));
	b->tunnel.peer = b->care_of;
	b->lifetime_s = 0;
	remember(alice(&before));
	assert_int_equal(restore(), 0);
	assert_null(first_of(&after, alice(&after)));
}

static void a_care_of_address_comes_back_once(void **state)
{
	(void)state;
	(void)bind_node(alice(&before), CARE_OF, 600);
	(void)bind_node(alice(&before), CARE_OF, 700);
	remember(alice(&before));
	live_again(60, 1060000, BOOT);
	assert_int_equal(restore(), 0);
	assert_int_equal(got.bindings, 1);
	assert_int_equal(got.refused, 1);
	assert_int_equal(after.cache.cnt, 1);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, make, drop)
	const struct CMUnitTest tests[] = {
		TEST(a_binding_comes_back_as_it_was),
		TEST(the_wall_clock_does_not_matter_while_the_host_runs),
		TEST(after_a_boot_the_wall_clock_counts),
		TEST(a_clock_set_back_gives_nobody_more_than_was_granted),
		TEST(an_end_beyond_the_ntp_era_comes_in_its_time),
		TEST(a_lifetime_without_end_has_none),
		TEST(simultaneous_bindings_keep_their_order),
		TEST(whom_a_node_has_sent_to_is_known_again),
		TEST(the_last_identification_is_known_again),
		TEST(what_may_be_missing_counts_as_seen),
		TEST(a_home_agent_that_has_moved_keeps_what_was_said_and_no_binding),
		TEST(an_identification_of_a_wrong_clock_shuts_nobody_out),
		TEST(a_nonce_is_good_for_the_request_that_was_to_come),
		TEST(who_is_not_remembered_was_never_answered),
		TEST(a_lease_is_its_names_again),
		TEST(a_lease_that_is_anothers_by_now_is_not_taken_from_it),
		TEST(a_binding_that_the_data_path_refuses_is_not_there),
		TEST(what_is_known_is_never_overwritten_by_what_is_older),
		TEST(a_stranger_is_told_from_a_node),
		TEST(of_a_stranger_no_binding_is_kept_and_its_timestamps_for_two_hours),
		TEST(a_newer_version_is_refused),
		TEST(a_record_of_any_other_length_is_none),
		TEST(a_binding_that_no_request_makes_is_refused),
		TEST(a_care_of_address_comes_back_once),
		TEST(a_key_has_the_realm_in_lower_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

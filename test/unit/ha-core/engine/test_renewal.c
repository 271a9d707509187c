/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a registration costs in memory. The core's calls of malloc() and its kin are counted (the
 * linker sends them here); those inside OpenSSL, which takes and gives back a digest's state for
 * each message, are not ours.
 */
#include "ha-core/engine/engine.h"
#include "ha-core/wire/revocation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/unit/ha-core/engine/idle_hooks.h"

#define HOME_AGENT  0x0a000002u
#define HOME        0x0a320007u
#define CARE_OF     0xc0000201u
#define MESSAGE_MAX 256
#define RENEWALS    100

static const struct ha_policy no_policy;
static const struct addr_prefix home_net = { { 0x0000320a }, 16 };
static struct engine engine;
static struct engine_result result;
static struct clock now;
static size_t allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t cnt, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t cnt, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_malloc(size_t size)
{
	allocations++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t cnt, size_t size)
{
	allocations++;
	return __real_calloc(cnt, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	allocations++;
	return __real_realloc(p, size);
}

static uint32_t hook_random(void *ctx)
{
	static uint32_t n;

	(void)ctx;
	return ++n;
}

static int open_with(enum replay_style style)
{
	const struct engine_hooks hooks = { .changed = idle_changed, .random = hook_random };
	const struct engine_conf conf = {
		.home_agent = addr_from_host(HOME_AGENT),
		.home_networks = &home_net,
		.home_network_cnt = 1,
		.max_lifetime_s = 1800,
		.max_bindings = 4,
		.nat_enabled = true,
		.revocation = { .enabled = true, .inform = true, .max_outstanding = 8 },
	};

	now = (struct clock){ .mono_ms = 1000000, .ntp = 0xe8fe6f8000000000u };
	if (engine_init(&engine, &conf, 8, &no_policy, NULL, &hooks, &now) < 0)
		return -1;
	return engine_add_node(&engine, addr_from_host(HOME), "a@c.x", 256, MAC_HMAC_MD5, "key", 3,
			       style, REPLAY_SECONDS(7));
}

static int open_timestamps(void **state)
{
	(void)state;
	return open_with(REPLAY_TIMESTAMP);
}

static int open_nonces(void **state)
{
	(void)state;
	return open_with(REPLAY_NONCE);
}

static int close_engine(void **state)
{
	(void)state;
	engine_done(&engine);
	return 0;
}

/* Registers, with Revocation Support and a NAI. @return the engine's allocations meanwhile */
static size_t registers(uint32_t care_of, uint64_t ident, uint8_t *ret_code)
{
	const struct reg_request req = {
		.flags = REG_FLAG_D | REG_FLAG_T,
		.lifetime_s = 300,
		.home_addr = addr_from_host(HOME),
		.home_agent = addr_from_host(HOME_AGENT),
		.care_of = addr_from_host(care_of),
		.ident = ident,
	};
	const struct reg_origin from = {
		.src = addr_from_host(care_of),
		.dst = addr_from_host(HOME_AGENT),
		.src_port = 40000,
		.dst_port = REG_PORT,
	};
	const struct sa_peer *node = sa_peer_find(&engine.nodes, addr_from_host(HOME));
	const struct revocation_support support = {
		.inform = true,
		.timestamp = (uint32_t)(now.ntp >> 32),
	};
	uint8_t message[MESSAGE_MAX], *digest;
	struct wire_writer w = wire_writer(message, sizeof(message));
	size_t before;

	reg_request_encode(&w, &req);
	ext_put_header(&w, EXT_NAI, 5);
	wire_put_bytes(&w, "a@c.x", 5);
	revocation_support_encode(&w, &support);
	ext_put_header(&w, EXT_MOBILE_HOME_AUTH, 20);
	wire_put_u32(&w, 256);
	digest = wire_room(&w, 16);
	mac_sign(&node->sas->mac, message, wire_len(&w) - 16, digest);

	before = allocations;
	engine_handle(&engine, message, wire_len(&w), &from, &now, &result);
	assert_true(result.reply_len > 0);
	*ret_code = result.reply[1];
	return allocations - before;
}

static uint64_t timestamp(void)
{
	now.mono_ms += 1000;
	now.ntp += REPLAY_SECONDS(1);
	return now.ntp;
}

static uint64_t given_nonce(void)
{
	const struct sa_peer *node = sa_peer_find(&engine.nodes, addr_from_host(HOME));

	return (uint64_t)node->sas->replay.nonce << 32;
}

static void a_renewal_allocates_nothing(void **state)
{
	uint8_t code;
	size_t i;

	(void)state;
	assert_true(registers(CARE_OF, timestamp(), &code) > 0); /* the count counts */
	assert_int_equal(code, REG_ACCEPTED);
	assert_non_null(binding_revocation_of(binding_first(&engine.cache)));
	for (i = 0; i < RENEWALS; i++) {
		assert_int_equal(registers(CARE_OF, timestamp(), &code), 0);
		assert_int_equal(code, REG_ACCEPTED);
	}
}

static void a_renewal_under_nonces_allocates_nothing(void **state)
{
	uint8_t code;
	size_t i;

	(void)state;
	(void)registers(CARE_OF, timestamp(), &code); /* the source's first violation is noted */
	assert_int_equal(code, REG_IDENT_MISMATCH);
	assert_true(registers(CARE_OF, given_nonce(), &code) > 0);
	for (i = 0; i < RENEWALS; i++) {
		assert_int_equal(registers(CARE_OF, given_nonce(), &code), 0);
		assert_int_equal(code, REG_ACCEPTED);
	}
}

static void a_denial_after_the_first_allocates_nothing(void **state)
{
	uint8_t code;

	(void)state;
	assert_in_range(registers(CARE_OF, now.ntp - REPLAY_SECONDS(3600), &code), 1, 2);
	assert_int_equal(code, REG_IDENT_MISMATCH); /* noted: the source's, and the node's, first */
	assert_int_equal(registers(CARE_OF, now.ntp - REPLAY_SECONDS(3600), &code), 0);
	assert_int_equal(code, REG_IDENT_MISMATCH);
}

/* It takes a binding before it lets go of the one before: nothing is asked of malloc for it. */
static void a_move_allocates_no_binding_but_the_first(void **state)
{
	uint8_t code;
	size_t i;

	(void)state;
	registers(CARE_OF, timestamp(), &code);
	registers(CARE_OF + 1, timestamp(), &code);
	for (i = 0; i < RENEWALS; i++) {
		/* what was agreed on revocation is of the new binding */
		assert_true(registers(CARE_OF + i % 2, timestamp(), &code) <= 1);
		assert_int_equal(code, REG_ACCEPTED);
	}
	assert_int_equal(engine.cache.cnt, 1);
}

/* A clock that leaps, or a million that began together: in turns, and each once. */
static void what_expires_together_ends_in_turns(void **state)
{
	const struct binding_key key = { addr_from_host(HOME), addr_from_host(HOME_AGENT) };
	struct binding *b;
	uint32_t i;

	(void)state;
	for (i = 0; i < 10; i++) {
		b = binding_put(&engine.cache, key, addr_from_host(CARE_OF + i));
		b->expires_ms = now.mono_ms + 5000;
		expiry_arm(&engine.expiry, b);
	}
	assert_int_equal(engine_expire_some(&engine, &now, 4, NULL, NULL), 0);
	now.mono_ms += 6000;
	assert_int_equal(engine_expire_some(&engine, &now, 4, NULL, NULL), 4);
	assert_int_equal(engine.cache.cnt, 6);
	assert_int_equal(engine_expire_some(&engine, &now, 4, NULL, NULL), 4);
	assert_int_equal(engine_expire_some(&engine, &now, 4, NULL, NULL), 2);
	assert_int_equal(engine.cache.cnt, 0);
	assert_int_equal(engine.stats.bindings_expired, 10);
}

/* A million bindings with their associations in 300 MB: what each is made of. */
static void objects_are_as_small_as_they_are_meant_to_be(void **state)
{
	(void)state;
	assert_true(sizeof(struct binding) <= 168);
	assert_true(sizeof(struct sa_peer) <= 64);
	assert_true(offsetof(struct sa, mac) + mac_size(16) <= 48);
}

#define renewal_test(f)       cmocka_unit_test_setup_teardown(f, open_timestamps, close_engine)
#define renewal_nonce_test(f) cmocka_unit_test_setup_teardown(f, open_nonces, close_engine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		renewal_test(a_renewal_allocates_nothing),
		renewal_nonce_test(a_renewal_under_nonces_allocates_nothing),
		renewal_test(a_denial_after_the_first_allocates_nothing),
		renewal_test(a_move_allocates_no_binding_but_the_first),
		renewal_test(what_expires_together_ends_in_turns),
		cmocka_unit_test(objects_are_as_small_as_they_are_meant_to_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

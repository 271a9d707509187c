/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is handled in a batch is fetched before it is looked at: before its authenticator is, and
 * before a record of the store is known to be whole. So it is read no further than it goes (which
 * the sanitizers see), whoever it is about, and nothing changes by it.
 */
#include "ha-core/engine/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/unit/ha-core/engine/idle_hooks.h"
#include "test/unit/ha-core/engine/remembering.h"

#define NOBODY 0x0a320063u

static struct engine engine, before; /* before: a copy, to be compared */
static const struct clock now = { .mono_ms = 900000, .ntp = NOW_NTP };

static int open_engine(void **state)
{
	const struct binding_key key = { addr_from_host(ALICE), addr_from_host(HOME_AGENT) };
	const struct binding_tunnel tunnel = { .peer = addr_from_host(CARE_OF), .encap = 4 };
	struct binding *b;

	(void)state;
	begin_with(&engine, (struct engine_hooks){ .changed = idle_changed }, &now);
	b = binding_put(&engine.cache, key, addr_from_host(CARE_OF));
	assert_non_null(b);
	b->node = alice(&engine);
	b->expires_ms = now.mono_ms + 60000;
	binding_set_tunnel(&engine.cache, b, &tunnel);
	expiry_arm(&engine.expiry, b);
	before = engine;
	return 0;
}

static int close_engine(void **state)
{
	(void)state;
	assert_memory_equal(&engine, &before, sizeof(engine));
	engine_done(&engine);
	return 0;
}

/* In memory that ends where it ends. */
static uint8_t *copy_of(const void *data, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	memcpy(copy, data, len);
	return copy;
}

static void fetch(const uint8_t *msg, size_t len)
{
	uint8_t *copy = copy_of(msg, len);
	unsigned int step;

	for (step = 0; step < ENGINE_FETCH_STEPS; step++)
		engine_fetch(&engine, copy, len, step);
	free(copy);
}

static void put_addr(uint8_t *at, uint32_t addr)
{
	const struct in_addr a = addr_from_host(addr);

	memcpy(at, &a, sizeof(a));
}

static void a_request_is_fetched_as_far_as_it_goes_whoever_sends_it(void **state)
{
	static const uint32_t homes[] = { ALICE, NOBODY, 0, 0xffffffffu };
	uint8_t msg[24] = { 1, 0, 0x07, 0x08 };
	size_t i, len;

	(void)state;
	put_addr(msg + 8, HOME_AGENT);
	put_addr(msg + 12, ALICE); /* a care-of address that is a home address */
	for (i = 0; i < sizeof(homes) / sizeof(homes[0]); i++) {
		put_addr(msg + 4, homes[i]);
		for (len = 0; len <= sizeof(msg); len++)
			fetch(msg, len);
	}
	for (msg[0] = 0; msg[0] < 16; msg[0]++) /* other types */
		fetch(msg, sizeof(msg));
	assert_int_equal(binding_cnt(first_of(&engine, alice(&engine))), 1);
}

static void fetch_record(const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
	uint8_t *k = copy_of(key, key_len), *v = copy_of(value, value_len);
	struct memory_places places;
	unsigned int step;

	places = memory_places(k, key_len, v, value_len);
	for (step = 0; step < ENGINE_FETCH_STEPS; step++)
		memory_fetch(&engine, &places, step);
	free(k);
	free(v);
}

static void a_record_is_fetched_as_far_as_it_goes(void **state)
{
	const struct memory_time at = { .now = now, .boot = 1 };
	struct sa_peer *const nodes[] = { alice(&engine), bob(&engine) }; /* by address, by name */
	uint8_t key[MEMORY_KEY_MAX], value[MEMORY_VALUE_MAX];
	size_t key_len, value_len, i, len;

	(void)state;
	for (i = 0; i < 2; i++) {
		key_len = memory_key(nodes[i], key);
		value_len = memory_encode(&engine, nodes[i], &at, value);
		for (len = 0; len <= key_len; len++)
			fetch_record(key, len, value, value_len);
		for (len = 0; len <= value_len; len++)
			fetch_record(key, key_len, value, len);
	}
	memset(value, 0xff, sizeof(value)); /* more associations than there is room for */
	fetch_record((const uint8_t *)"A\x0a\x32\x00\x07", 5, value, sizeof(value));
}

#define fetch_test(f) cmocka_unit_test_setup_teardown(f, open_engine, close_engine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		fetch_test(a_request_is_fetched_as_far_as_it_goes_whoever_sends_it),
		fetch_test(a_record_is_fetched_as_far_as_it_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

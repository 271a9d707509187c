/* SPDX-License-Identifier: BSD-2-Clause */
/* The expiry ring: never early, at most a second late, whatever the clock does. */
#include "ha-core/binding/expiry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define START   123456789u /* ms; no whole second */
#define LONGEST 65534u     /* the longest finite Lifetime, s */

static struct expiry ring;

static int open_ring(void **state)
{
	(void)state;
	return expiry_init(&ring, START);
}

static int close_ring(void **state)
{
	(void)state;
	expiry_done(&ring);
	return 0;
}

static void arm(struct binding *b, uint64_t expires_ms)
{
	b->expires_ms = expires_ms;
	expiry_arm(&ring, b);
}

/* Takes all that is due; nothing may be due too early. Returns how many. */
static size_t drain(uint64_t now_ms)
{
	struct binding *b;
	size_t cnt = 0;

	while ((b = expiry_next_due(&ring, now_ms))) {
		assert_true(b->expires_ms <= now_ms);
		b->flags = 1; /* gone */
		cnt++;
	}
	return cnt;
}

static void an_empty_ring_has_nothing_due(void **state)
{
	(void)state;
	assert_null(expiry_next_due(&ring, START));
	assert_null(expiry_next_due(&ring, START + 1000000000));
	assert_int_equal(ring.armed, 0);
}

static void a_binding_is_due_once_and_at_most_a_second_late(void **state)
{
	uint64_t ms;

	(void)state;
	for (ms = 1; ms < 3500; ms += 7) {
		struct binding b = { 0 };
		uint64_t now = ring.done_s * 1000 + 500, end = now + ms;

		(void)drain(now);
		arm(&b, end);
		assert_int_equal(drain(end - 1), 0);
		assert_int_equal(drain(end + 999), 1);
		assert_int_equal(drain(end + 5000), 0);
	}
}

static void every_finite_lifetime_ends_on_its_own(void **state)
{
	struct binding *b = calloc(LONGEST + 1, sizeof(*b));
	uint64_t now = START;
	size_t gone = 0;
	uint32_t s;

	(void)state;
	assert_non_null(b);
	for (s = 1; s <= LONGEST; s++)
		arm(&b[s], START + 1000ull * s);
	assert_int_equal(ring.armed, LONGEST);
	for (s = 1; s <= LONGEST + 1; s++) {
		now += 1000;
		gone += drain(now);
		/* Those that ended a second ago are gone, those that end later are not. */
		assert_true(s < 2 || b[s - 1].flags == 1);
		assert_true(s >= LONGEST || b[s + 1].flags == 0);
	}
	assert_int_equal(gone, LONGEST);
	assert_int_equal(ring.armed, 0);
	free(b);
}

static void a_clock_that_leaps_misses_nothing(void **state)
{
	static const uint64_t leaps[] = { 1,        2000,     59999,     65535000,
					  65536000, 65537000, 200000000, 1ull << 40 };
	uint64_t now = START;
	size_t i;
	uint32_t s;

	(void)state;
	for (i = 0; i < sizeof(leaps) / sizeof(*leaps); i++) {
		struct binding b[200] = { { .flags = 0 } };
		size_t due = 0, gone;

		for (s = 0; s < 200; s++)
			arm(&b[s], now + 1000 + 300ull * s * s);
		now += leaps[i];
		gone = drain(now);
		for (s = 0; s < 200; s++) {
			due += b[s].expires_ms + 999 <= now;
			assert_true(b[s].flags == 1 || b[s].expires_ms + 999 > now);
			expiry_disarm(&ring, &b[s]);
		}
		assert_true(gone >= due);
		assert_int_equal(ring.armed, 0);
	}
}

static void all_may_be_due_in_the_same_second(void **state)
{
	struct binding *b = calloc(10000, sizeof(*b));
	size_t i;

	(void)state;
	assert_non_null(b);
	for (i = 0; i < 10000; i++)
		arm(&b[i], START + 60000 + i % 10);
	assert_int_equal(drain(START + 59999), 0);
	assert_int_equal(drain(START + 61010), 10000);
	assert_int_equal(ring.armed, 0);
	free(b);
}

static void arming_anew_moves_the_end(void **state)
{
	struct binding b = { 0 };

	(void)state;
	arm(&b, START + 10000);
	arm(&b, START + 20000);
	assert_int_equal(ring.armed, 1);
	assert_int_equal(drain(START + 15000), 0);
	arm(&b, START + 17000);
	assert_int_equal(drain(START + 18000), 1);
	arm(&b, START + 30000);
	assert_int_equal(drain(START + 31000), 1);
	assert_int_equal(ring.armed, 0);
}

static void what_never_ends_is_not_armed(void **state)
{
	struct binding b = { 0 };

	(void)state;
	arm(&b, BINDING_NEVER_MS);
	assert_int_equal(ring.armed, 0);
	arm(&b, START + 1000);
	arm(&b, BINDING_NEVER_MS);
	assert_int_equal(ring.armed, 0);
	assert_int_equal(drain(START + 100000000), 0);
}

static void disarming_is_harmless_twice_and_spares_the_neighbours(void **state)
{
	struct binding a = { 0 }, b = { 0 }, c = { 0 };

	(void)state;
	expiry_disarm(&ring, &a);
	arm(&a, START + 5000);
	arm(&b, START + 5000);
	arm(&c, START + 5000);
	expiry_disarm(&ring, &b);
	expiry_disarm(&ring, &b);
	assert_int_equal(ring.armed, 2);
	assert_int_equal(drain(START + 6000), 2);
	assert_int_equal(b.flags, 0);
	assert_int_equal(a.flags + c.flags, 2);
}

static void what_has_ended_already_is_due_at_the_next_look(void **state)
{
	struct binding b = { 0 };

	(void)state;
	arm(&b, START - 50000);
	assert_int_equal(drain(START + 1000), 1);
}

/*
 * A loop that is late: the ring was last looked at a while ago when the longest Lifetime is armed.
 * It must not fall into a slot that is still to be looked at.
 */
static void the_longest_lifetime_may_be_armed_while_the_ring_lags_behind(void **state)
{
	uint64_t lag;

	(void)state;
	for (lag = 0; lag <= 70000; lag += lag < 5 ? 1 : 777) {
		struct binding b = { 0 };
		uint64_t now = (ring.done_s + lag) * 1000 + 789;

		arm(&b, now + 1000ull * LONGEST);
		assert_int_equal(drain(now), 0);
		assert_int_equal(drain(now + 1000), 0);
		assert_int_equal(drain(now + 1000ull * LONGEST - 1), 0);
		assert_int_equal(drain(now + 1000ull * LONGEST + 999), 1);
	}
}

static void any_mixture_is_never_early_and_never_late(void **state)
{
	struct binding *b = calloc(500, sizeof(*b));
	unsigned int seed = 3, round;
	uint64_t now = START;
	size_t i;

	(void)state;
	assert_non_null(b);
	for (round = 0; round < 20000; round++) {
		seed = seed * 1103515245u + 12345u;
		i = (seed >> 16) % 500;
		if (round % 5 == 0) {
			expiry_disarm(&ring, &b[i]);
			b[i].expires_ms = 0;
		} else {
			seed = seed * 1103515245u + 12345u;
			arm(&b[i], now + 1000ull * (1 + (seed >> 8) % LONGEST));
		}
		b[i].flags = 0;
		if (round % 3)
			continue;
		seed = seed * 1103515245u + 12345u;
		now += (seed >> 16) % (round % 30 == 0 ? 9000000u : 4000u);
		(void)drain(now);
		for (i = 0; i < 500 && round % 50 == 0; i++)
			assert_true(!b[i].expiry_prev || b[i].expires_ms + 999 > now);
	}
	for (i = 0; i < 500; i++)
		expiry_disarm(&ring, &b[i]);
	assert_int_equal(ring.armed, 0);
	free(b);
}

#define ring_test(f) cmocka_unit_test_setup_teardown(f, open_ring, close_ring)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ring_test(an_empty_ring_has_nothing_due),
		ring_test(a_binding_is_due_once_and_at_most_a_second_late),
		ring_test(every_finite_lifetime_ends_on_its_own),
		ring_test(a_clock_that_leaps_misses_nothing),
		ring_test(all_may_be_due_in_the_same_second),
		ring_test(arming_anew_moves_the_end),
		ring_test(what_never_ends_is_not_armed),
		ring_test(disarming_is_harmless_twice_and_spares_the_neighbours),
		ring_test(what_has_ended_already_is_due_at_the_next_look),
		ring_test(the_longest_lifetime_may_be_armed_while_the_ring_lags_behind),
		ring_test(any_mixture_is_never_early_and_never_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

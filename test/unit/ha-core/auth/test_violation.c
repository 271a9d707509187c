/* SPDX-License-Identifier: BSD-2-Clause */
/* Security violations by peer: counted, bounded, in order. */
#include "ha-core/auth/violation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void note(struct violation_table *t, uint32_t peer, unsigned int reason, uint64_t now_ms)
{
	const struct violation_event event = { .peer = addr_from_host(peer), .reason = reason };

	violation_note(t, &event, now_ms);
}

static int setup(void **state)
{
	static struct violation_table t;

	assert_int_equal(violation_init(&t), 0);
	*state = &t;
	return 0;
}

static int teardown(void **state)
{
	violation_done(*state);
	return 0;
}

static void counts_by_peer_and_keeps_the_last_one(void **state)
{
	struct violation_table *t = *state;
	const struct violation *v;

	note(t, 0x0a010001, 3, 1000);
	note(t, 0x0a010002, 4, 2000);
	note(t, 0x0a010001, 5, 3000);
	v = violation_find(t, addr_from_host(0x0a010001));
	assert_non_null(v);
	assert_int_equal(v->cnt, 2);
	assert_int_equal(v->last.reason, 5);
	assert_int_equal(v->first_ms, 1000);
	assert_int_equal(v->last_ms, 3000);
	assert_int_equal(t->cnt, 2);
	assert_int_equal(t->total, 3);
	assert_null(violation_find(t, addr_from_host(0x0a010003)));
}

static void a_flood_of_sources_pushes_out_who_was_quiet_for_longest(void **state)
{
	struct violation_table *t = *state;
	uint64_t key;
	uint32_t i;

	for (i = 0; i < VIOLATION_PEERS; i++)
		note(t, 0x0a010000 + i, 1, i);
	note(t, 0x0a010000, 1, 5000); /* not quiet any more */
	note(t, 0xc6336401, 1, 6000);
	assert_int_equal(t->cnt, VIOLATION_PEERS);
	assert_int_equal(t->order.cnt, VIOLATION_PEERS);
	assert_non_null(violation_find(t, addr_from_host(0x0a010000)));
	assert_null(violation_find(t, addr_from_host(0x0a010001)));
	assert_non_null(violation_find(t, addr_from_host(0xc6336401)));
	assert_int_equal(t->total, VIOLATION_PEERS + 2);
	assert_int_equal(order_page(&t->order, 0x0a010001, &key, 1), 1);
	assert_int_equal(key, 0x0a010002);
	for (i = 0; i < 10 * VIOLATION_PEERS; i++)
		note(t, 0xc0000000 + i, 1, 7000 + i);
	assert_int_equal(t->cnt, VIOLATION_PEERS);
	assert_int_equal(t->order.cnt, VIOLATION_PEERS);
	assert_int_equal(order_page(&t->order, 0, &key, 1), 1);
	assert_int_equal(key, 0xc0000000 + 9 * VIOLATION_PEERS);
}

static void clearing_forgets_the_peers_and_not_the_total(void **state)
{
	struct violation_table *t = *state;

	note(t, 0x0a010001, 3, 1000);
	note(t, 0x0a010002, 3, 1000);
	assert_int_equal(violation_clear(t), 2);
	assert_int_equal(t->cnt, 0);
	assert_int_equal(t->order.cnt, 0);
	assert_null(violation_find(t, addr_from_host(0x0a010001)));
	assert_int_equal(t->total, 2);
	note(t, 0x0a010001, 3, 4000);
	assert_int_equal(violation_find(t, addr_from_host(0x0a010001))->cnt, 1);
	assert_int_equal(violation_find(t, addr_from_host(0x0a010001))->first_ms, 4000);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(counts_by_peer_and_keeps_the_last_one),
		TEST(a_flood_of_sources_pushes_out_who_was_quiet_for_longest),
		TEST(clearing_forgets_the_peers_and_not_the_total),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* soft_state.c: path MTUs only sink, age, and have a floor; so many ends and no more. */
#include "ha-core/tunnel/soft_state.h"

#include "common/addr.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MOST 1500
#define NOW  1000000u

static struct soft_state s;

static struct in_addr peer(uint32_t n)
{
	return addr_from_host(0xc6336400 + n);
}

static uint32_t too_big(uint16_t mtu, uint16_t sent_len, uint64_t now_ms)
{
	return soft_state_too_big(&s, peer(1), MOST, mtu, sent_len, now_ms);
}

static uint32_t mtu_at(uint64_t now_ms)
{
	return soft_state_mtu(&s, peer(1), MOST, now_ms);
}

static int open_state(void **state)
{
	(void)state;
	return soft_state_init(&s, 0x12345678);
}

static int close_state(void **state)
{
	(void)state;
	soft_state_done(&s);
	return 0;
}

static void nothing_is_known_at_first(void **state)
{
	(void)state;
	assert_int_equal(mtu_at(NOW), MOST);
	assert_false(soft_state_is_unreachable(&s, peer(1), NOW));
}

static void an_mtu_is_lowered_for_its_end_alone(void **state)
{
	(void)state;
	assert_int_equal(too_big(1400, 1500, NOW), 1400);
	assert_int_equal(mtu_at(NOW), 1400);
	assert_int_equal(soft_state_mtu(&s, peer(2), MOST, NOW), MOST);
	assert_int_equal(soft_state_mtu(&s, peer(1), 1300, NOW), 1300);
}

static void an_mtu_is_never_raised(void **state)
{
	(void)state;
	assert_int_equal(too_big(1000, 1500, NOW), 1000);
	assert_int_equal(too_big(1400, 1500, NOW), 1000);
	assert_int_equal(mtu_at(NOW), 1000);
	assert_int_equal(too_big(9000, 1500, NOW), 1000);
}

/* Nor does one that is refused prolong what is known. */
static void an_mtu_as_large_as_it_was_is_nothing_new(void **state)
{
	(void)state;
	assert_int_equal(too_big(MOST, 1500, NOW), MOST);
	assert_int_equal(s.until_ms, 0);
	assert_int_equal(too_big(1000, 1500, NOW), 1000);
	assert_int_equal(too_big(1400, 1500, NOW + 1000), 1000);
	assert_int_equal(mtu_at(NOW + SOFT_STATE_MTU_MS), MOST);
}

static void an_mtu_below_the_floor_is_not_believed(void **state)
{
	(void)state;
	assert_int_equal(too_big(68, 1500, NOW), 576);
	assert_int_equal(too_big(1, 1500, NOW), 576);
	assert_int_equal(too_big(575, 1500, NOW), 576);
}

static void an_mtu_is_forgotten_after_ten_minutes(void **state)
{
	(void)state;
	assert_int_equal(too_big(1400, 1500, NOW), 1400);
	assert_int_equal(mtu_at(NOW + 599999), 1400);
	assert_int_equal(mtu_at(NOW + 600000), MOST);
}

static void the_same_mtu_again_is_held_for_ten_minutes_more(void **state)
{
	(void)state;
	assert_int_equal(too_big(1400, 1500, NOW), 1400);
	assert_int_equal(too_big(1400, 1500, NOW + 500000), 1400);
	assert_int_equal(mtu_at(NOW + 1099999), 1400);
	assert_int_equal(mtu_at(NOW + 1100000), MOST);
}

static void an_old_routers_zero_means_the_next_plateau(void **state)
{
	(void)state;
	assert_int_equal(too_big(0, 1500, NOW), 1492);
	assert_int_equal(too_big(0, 1492, NOW), 1006);
	assert_int_equal(too_big(0, 1006, NOW), 576); /* 508, but for the floor */
}

/* RFC 1191 §5: some quote a Total Length with the header counted twice. */
static void an_old_routers_wrong_length_is_not_believed(void **state)
{
	(void)state;
	assert_int_equal(too_big(0, 65535, NOW), 1492);
	assert_int_equal(too_big(0, 0, NOW), 576);
}

static void an_end_out_of_reach_is_so_for_seconds(void **state)
{
	(void)state;
	soft_state_unreachable(&s, peer(1), NOW);
	assert_true(soft_state_is_unreachable(&s, peer(1), NOW + 9999));
	assert_false(soft_state_is_unreachable(&s, peer(2), NOW));
	assert_false(soft_state_is_unreachable(&s, peer(1), NOW + 10000));
}

static void an_end_that_was_heard_of_is_in_reach_and_keeps_its_mtu(void **state)
{
	(void)state;
	assert_int_equal(too_big(1400, 1500, NOW), 1400);
	soft_state_unreachable(&s, peer(1), NOW);
	soft_state_heard(&s, peer(2), NOW);
	assert_true(soft_state_is_unreachable(&s, peer(1), NOW));
	soft_state_heard(&s, peer(1), NOW);
	assert_false(soft_state_is_unreachable(&s, peer(1), NOW));
	assert_int_equal(mtu_at(NOW), 1400);
}

/* What has the least time left makes room, and what has much is not lost by it. */
static void a_full_table_forgets_the_soonest_to_be_forgotten(void **state)
{
	size_t i, known = 0;

	(void)state;
	assert_int_equal(too_big(1400, 1500, NOW), 1400);
	for (i = 2; i < 10 * SOFT_STATE_CNT; i++)
		soft_state_unreachable(&s, peer((uint32_t)i), NOW);
	assert_int_equal(mtu_at(NOW), 1400);
	for (i = 2; i < 10 * SOFT_STATE_CNT; i++)
		known += soft_state_is_unreachable(&s, peer((uint32_t)i), NOW);
	assert_in_range(known, SOFT_STATE_CNT / 2, SOFT_STATE_CNT);
}

int main(void)
{
#define state_test(f) cmocka_unit_test_setup_teardown(f, open_state, close_state)
	const struct CMUnitTest tests[] = {
		state_test(nothing_is_known_at_first),
		state_test(an_mtu_is_lowered_for_its_end_alone),
		state_test(an_mtu_is_never_raised),
		state_test(an_mtu_as_large_as_it_was_is_nothing_new),
		state_test(an_mtu_below_the_floor_is_not_believed),
		state_test(an_mtu_is_forgotten_after_ten_minutes),
		state_test(the_same_mtu_again_is_held_for_ten_minutes_more),
		state_test(an_old_routers_zero_means_the_next_plateau),
		state_test(an_old_routers_wrong_length_is_not_believed),
		state_test(an_end_out_of_reach_is_so_for_seconds),
		state_test(an_end_that_was_heard_of_is_in_reach_and_keeps_its_mtu),
		state_test(a_full_table_forgets_the_soonest_to_be_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Replay protection (RFC 5944 §5.7): timestamps and nonces, rule by rule. */
#include "ha-core/auth/replay.h"

#include "common/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW   0xe8fe6f8040000000u
#define SEVEN REPLAY_SECONDS(7)

static struct replay timestamps(void)
{
	return (struct replay){ .style = REPLAY_TIMESTAMP, .tolerance_s = 7 };
}

/* What comes of it, and the Identification of the reply. */
static int check(struct replay *rp, uint64_t ident, uint64_t now, uint64_t *out_reply)
{
	*out_reply = 0x5555555555555555u;
	return replay_check(rp, ident, now, 0, out_reply);
}

static void a_timestamp_within_the_tolerance_is_fresh(void **state)
{
	static const int64_t offsets[] = { -7, -6, -1, 0, 1, 6, 7 };
	uint64_t reply, ident;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		struct replay rp = timestamps();

		ident = NOW + (uint64_t)offsets[i] * REPLAY_SECONDS(1);
		assert_int_equal(check(&rp, ident, NOW, &reply), 0);
		assert_true(reply == ident);
		assert_true(rp.last_ident == ident);
	}
}

static void a_timestamp_beyond_the_tolerance_is_skewed_by_one_bit(void **state)
{
	struct replay rp = timestamps();
	uint64_t reply;

	(void)state;
	assert_int_equal(check(&rp, NOW + SEVEN + 1, NOW, &reply), ERR_CLOCK_SKEW);
	assert_int_equal(check(&rp, NOW - SEVEN - 1, NOW, &reply), ERR_CLOCK_SKEW);
	assert_int_equal(check(&rp, NOW + ((uint64_t)1 << 63), NOW, &reply), ERR_CLOCK_SKEW);
	assert_int_equal(check(&rp, 0, NOW, &reply), ERR_CLOCK_SKEW);
	assert_int_equal(check(&rp, UINT64_MAX, NOW, &reply), ERR_CLOCK_SKEW);
	assert_false(rp.seen);
}

static void a_refusal_carries_our_seconds_over_its_low_half(void **state)
{
	struct replay rp = timestamps();
	uint64_t reply;

	(void)state;
	assert_int_equal(check(&rp, 0xe8fe000012345678u, NOW, &reply), ERR_CLOCK_SKEW);
	assert_true(reply == 0xe8fe6f8012345678u);
	assert_int_equal(check(&rp, NOW + 5, NOW, &reply), 0);
	assert_int_equal(check(&rp, NOW - REPLAY_SECONDS(2) + 5, NOW, &reply), ERR_REPLAY);
	assert_true(reply == ((NOW >> 32) << 32 | ((NOW + 5) & 0xffffffffu)));
}

static void a_timestamp_not_above_the_last_one_is_a_replay(void **state)
{
	struct replay rp = timestamps();
	uint64_t reply;

	(void)state;
	assert_int_equal(check(&rp, NOW, NOW, &reply), 0);
	assert_int_equal(check(&rp, NOW, NOW, &reply), ERR_REPLAY);
	assert_int_equal(check(&rp, NOW - 1, NOW, &reply), ERR_REPLAY);
	assert_int_equal(check(&rp, NOW + 1, NOW, &reply), 0);
	assert_int_equal(check(&rp, NOW + 1, NOW, &reply), ERR_REPLAY);
}

static void a_refused_timestamp_does_not_advance_the_window(void **state)
{
	struct replay rp = timestamps();
	uint64_t reply;

	(void)state;
	assert_int_equal(check(&rp, NOW, NOW, &reply), 0);
	assert_int_equal(check(&rp, NOW + SEVEN + 1, NOW, &reply), ERR_CLOCK_SKEW);
	assert_int_equal(check(&rp, NOW - 1, NOW, &reply), ERR_REPLAY);
	assert_true(rp.last_ident == NOW);
	assert_int_equal(check(&rp, NOW + 1, NOW, &reply), 0);
}

static void the_first_timestamp_has_none_before_it(void **state)
{
	struct replay rp = timestamps();
	uint64_t reply;

	(void)state;
	rp.last_ident = UINT64_MAX; /* means nothing while nothing was seen */
	assert_int_equal(check(&rp, NOW, NOW, &reply), 0);
	assert_true(rp.seen);
}

static void where_time_began_is_a_lower_bound(void **state)
{
	struct replay rp = timestamps();
	uint64_t reply;

	(void)state;
	rp.seen = true;
	rp.last_ident = NOW;
	assert_int_equal(check(&rp, NOW - REPLAY_SECONDS(1), NOW, &reply), ERR_REPLAY);
	assert_int_equal(check(&rp, NOW, NOW, &reply), ERR_REPLAY);
	assert_int_equal(check(&rp, NOW + 1, NOW, &reply), 0);
}

/* 2036-02-07 06:28:16 UTC: from ffffffff to 00000000. */
static void the_era_change_of_2036_passes_unnoticed(void **state)
{
	struct replay rp = timestamps();
	uint64_t reply;

	(void)state;
	assert_int_equal(check(&rp, 0xfffffffe00000000u, 0xffffffff00000000u, &reply), 0);
	assert_int_equal(check(&rp, 0x0000000300000000u, 0xffffffff00000000u, &reply), 0);
	assert_true(reply == 0x0000000300000000u);
	assert_int_equal(check(&rp, 0xffffffffffffffffu, 0x0000000100000000u, &reply), ERR_REPLAY);
	assert_int_equal(check(&rp, 0x0000000400000000u, 0x0000000100000000u, &reply), 0);
	assert_int_equal(check(&rp, 0xfffffff900000000u, 0x0000000100000000u, &reply),
			 ERR_CLOCK_SKEW);
	assert_true(reply == 0x0000000100000000u);
}

static void the_tolerance_is_the_associations_own(void **state)
{
	struct replay rp = timestamps();
	uint64_t reply;

	(void)state;
	rp.tolerance_s = 3600;
	assert_int_equal(check(&rp, NOW - REPLAY_SECONDS(3600), NOW, &reply), 0);
	rp.tolerance_s = 0;
	assert_int_equal(check(&rp, NOW, NOW, &reply), 0);
	assert_int_equal(check(&rp, NOW + 1, NOW, &reply), ERR_CLOCK_SKEW);
}

static struct replay nonces(void)
{
	return (struct replay){ .style = REPLAY_NONCE };
}

static void the_first_nonce_is_stale_and_brings_one(void **state)
{
	struct replay rp = nonces();
	uint64_t reply;

	(void)state;
	assert_int_equal(replay_check(&rp, 0x0000000000000001u, NOW, 0x11111111, &reply),
			 ERR_STALE_NONCE);
	assert_true(reply == 0x1111111100000001u);
	assert_int_equal(replay_check(&rp, 0x11111111aaaa0001u, NOW, 0x22222222, &reply), 0);
	assert_true(reply == 0x22222222aaaa0001u);
}

static void a_nonce_is_good_once(void **state)
{
	struct replay rp = nonces();
	uint64_t reply;

	(void)state;
	(void)replay_check(&rp, 1, NOW, 0x11111111, &reply);
	assert_int_equal(replay_check(&rp, 0x11111111aaaa0001u, NOW, 0x22222222, &reply), 0);
	assert_int_equal(replay_check(&rp, 0x11111111aaaa0001u, NOW, 0x33333333, &reply),
			 ERR_STALE_NONCE);
	assert_true(reply == 0x33333333aaaa0001u);
	/* The one given before the refusal is stale as well. */
	assert_int_equal(replay_check(&rp, 0x22222222aaaa0002u, NOW, 0x44444444, &reply),
			 ERR_STALE_NONCE);
	assert_int_equal(replay_check(&rp, 0x44444444aaaa0003u, NOW, 0x55555555, &reply), 0);
}

static void a_random_number_that_repeats_itself_is_no_nonce_twice(void **state)
{
	struct replay rp = nonces();
	uint64_t first, second;

	(void)state;
	(void)replay_check(&rp, 1, NOW, 0x11111111, &first);
	assert_int_equal(replay_check(&rp, first, NOW, 0x11111111, &second), 0);
	assert_true(first >> 32 != second >> 32);
	assert_int_equal(replay_check(&rp, first, NOW, 0x77777777, &second), ERR_STALE_NONCE);
}

static void a_nonce_of_zero_is_one_only_if_it_was_given(void **state)
{
	struct replay rp = nonces();
	uint64_t reply;

	(void)state;
	assert_int_equal(replay_check(&rp, 5, NOW, 0, &reply), ERR_STALE_NONCE);
	assert_int_equal(replay_check(&rp, reply, NOW, 0x22222222, &reply), 0);
}

static void clocks_mean_nothing_to_nonces(void **state)
{
	struct replay rp = nonces();
	uint64_t reply;

	(void)state;
	(void)replay_check(&rp, 1, NOW, 0x11111111, &reply);
	assert_int_equal(replay_check(&rp, reply, 0, 0x22222222, &reply), 0);
	assert_int_equal(replay_check(&rp, reply, UINT64_MAX, 0x33333333, &reply), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timestamp_within_the_tolerance_is_fresh),
		cmocka_unit_test(a_timestamp_beyond_the_tolerance_is_skewed_by_one_bit),
		cmocka_unit_test(a_refusal_carries_our_seconds_over_its_low_half),
		cmocka_unit_test(a_timestamp_not_above_the_last_one_is_a_replay),
		cmocka_unit_test(a_refused_timestamp_does_not_advance_the_window),
		cmocka_unit_test(the_first_timestamp_has_none_before_it),
		cmocka_unit_test(where_time_began_is_a_lower_bound),
		cmocka_unit_test(the_era_change_of_2036_passes_unnoticed),
		cmocka_unit_test(the_tolerance_is_the_associations_own),
		cmocka_unit_test(the_first_nonce_is_stale_and_brings_one),
		cmocka_unit_test(a_nonce_is_good_once),
		cmocka_unit_test(a_random_number_that_repeats_itself_is_no_nonce_twice),
		cmocka_unit_test(a_nonce_of_zero_is_one_only_if_it_was_given),
		cmocka_unit_test(clocks_mean_nothing_to_nonces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

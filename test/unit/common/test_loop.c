/* SPDX-License-Identifier: BSD-2-Clause */
/* The event loop: what callers may rely on beyond libev itself. */
#include "common/loop.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct probe {
	struct loop *loop;
	struct loop_timer *timer, *other;
	struct loop_fd *watch, *other_watch;
	struct clock first;
	uint64_t asked_ms;
	int calls, events, fd;
};

static int setup(void **state)
{
	static struct probe p;

	p = (struct probe){ .loop = loop_new() };
	assert_non_null(p.loop);
	*state = &p;
	return 0;
}

static int teardown(void **state)
{
	struct probe *p = *state;

	loop_timer_free(p->timer);
	loop_timer_free(p->other);
	loop_fd_free(p->watch);
	loop_fd_free(p->other_watch);
	loop_free(p->loop);
	return 0;
}

static void stop(void *ctx)
{
	struct probe *p = ctx;

	p->calls++;
	loop_stop(p->loop);
}

static uint64_t mono_ms(void)
{
	return clock_read().mono_ms;
}

static void timer_is_never_early(void **state)
{
	struct probe *p = *state;

	p->timer = loop_timer_new(p->loop, stop, p);
	for (uint64_t delay_ms = 0; delay_ms < 20; delay_ms++) {
		p->asked_ms = mono_ms();
		loop_timer_start(p->timer, delay_ms, 0);
		loop_run(p->loop);
		assert_true(loop_now(p->loop)->mono_ms >= p->asked_ms + delay_ms);
	}
	assert_int_equal(p->calls, 20);
}

static void timer_counts_from_now_though_the_loop_was_made_long_ago(void **state)
{
	struct probe *p = *state;
	uint64_t made_ms = mono_ms();

	while (mono_ms() < made_ms + 30)
		;
	p->timer = loop_timer_new(p->loop, stop, p);
	p->asked_ms = mono_ms();
	loop_timer_start(p->timer, 20, 0);
	loop_run(p->loop);
	assert_true(mono_ms() >= p->asked_ms + 20);
}

static void stop_at_third(void *ctx)
{
	struct probe *p = ctx;

	if (++p->calls == 3)
		loop_stop(p->loop);
}

static void timer_repeats_until_stopped(void **state)
{
	struct probe *p = *state;

	p->other = loop_timer_new(p->loop, stop_at_third, p);
	loop_timer_start(p->other, 1, 1);
	loop_run(p->loop);
	assert_int_equal(p->calls, 3);
	loop_timer_stop(p->other);
	p->timer = loop_timer_new(p->loop, stop, p);
	loop_timer_start(p->timer, 10, 0);
	loop_run(p->loop);
	assert_int_equal(p->calls, 4);
}

static void fail_if_called(void *ctx)
{
	(void)ctx;
	fail_msg("a freed or stopped timer fired");
}

static void free_both(void *ctx)
{
	struct probe *p = ctx;

	p->timer = loop_timer_free(p->timer);
	p->other = loop_timer_free(p->other);
	loop_stop(p->loop);
}

static void timer_may_free_itself_and_one_that_is_due(void **state)
{
	struct probe *p = *state;
	uint64_t now_ms = mono_ms();

	p->timer = loop_timer_new(p->loop, free_both, p);
	p->other = loop_timer_new(p->loop, fail_if_called, p);
	loop_timer_start(p->timer, 0, 0);
	loop_timer_start(p->other, 2, 0);
	while (mono_ms() < now_ms + 10) /* both are due in one wake-up */
		;
	loop_run(p->loop);
	assert_null(p->timer);
}

static void look_twice(void *ctx)
{
	struct probe *p = ctx;
	uint64_t begin_ms;

	p->first = *loop_now(p->loop);
	begin_ms = mono_ms();
	while (mono_ms() < begin_ms + 5)
		;
	assert_int_equal(loop_now(p->loop)->mono_ms, p->first.mono_ms);
	assert_true(loop_now(p->loop)->ntp == p->first.ntp);
	if (++p->calls == 2)
		loop_stop(p->loop);
}

static void time_stands_still_within_a_wake_up_and_goes_on_between(void **state)
{
	struct probe *p = *state;
	uint64_t begin_ms = loop_now(p->loop)->mono_ms;

	p->timer = loop_timer_new(p->loop, look_twice, p);
	loop_timer_start(p->timer, 5, 5);
	loop_run(p->loop);
	assert_true(p->first.mono_ms >= begin_ms + 10);
	assert_true(loop_now(p->loop)->mono_ms >= p->first.mono_ms + 5);
}

static void on_fd(void *ctx, int events)
{
	struct probe *p = ctx;

	p->events = events;
	p->calls++;
	loop_stop(p->loop);
}

static void fd_tells_which_events(void **state)
{
	struct probe *p = *state;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	p->watch = loop_fd_new(p->loop, fds[0], LOOP_WRITE, on_fd, p);
	loop_run(p->loop);
	assert_int_equal(p->events, LOOP_WRITE);
	loop_fd_set(p->watch, LOOP_READ);
	assert_int_equal(write(fds[1], "x", 1), 1);
	loop_run(p->loop);
	assert_int_equal(p->events, LOOP_READ);
	loop_fd_set(p->watch, LOOP_READ | LOOP_WRITE);
	loop_run(p->loop);
	assert_int_equal(p->events, LOOP_READ | LOOP_WRITE);
	/* Unwatched: only the timer ends it. */
	loop_fd_set(p->watch, 0);
	p->calls = 0;
	p->timer = loop_timer_new(p->loop, stop, p);
	loop_timer_start(p->timer, 5, 0);
	loop_run(p->loop);
	assert_int_equal(p->calls, 1);
	p->watch = loop_fd_free(p->watch);
	close(fds[0]);
	close(fds[1]);
}

static void free_both_watches(void *ctx, int events)
{
	struct probe *p = ctx;

	(void)events;
	p->calls++;
	p->watch = loop_fd_free(p->watch);
	p->other_watch = loop_fd_free(p->other_watch);
	loop_stop(p->loop);
}

static void fd_may_free_itself_and_one_that_is_ready(void **state)
{
	struct probe *p = *state;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	p->watch = loop_fd_new(p->loop, fds[0], LOOP_WRITE, free_both_watches, p);
	p->other_watch = loop_fd_new(p->loop, fds[1], LOOP_WRITE, free_both_watches, p);
	loop_run(p->loop);
	assert_int_equal(p->calls, 1);
	close(fds[0]);
	close(fds[1]);
}

static void signal_arrives_in_the_loop(void **state)
{
	struct probe *p = *state;
	struct loop_signal *s = loop_signal_new(p->loop, SIGUSR1, stop, p);

	assert_non_null(s);
	raise(SIGUSR1);
	assert_int_equal(p->calls, 0);
	loop_run(p->loop);
	assert_int_equal(p->calls, 1);
	loop_signal_free(s);
}

static void frees_take_null(void **state)
{
	(void)state;
	assert_null(loop_free(NULL));
	assert_null(loop_fd_free(NULL));
	assert_null(loop_timer_free(NULL));
	assert_null(loop_signal_free(NULL));
}

static void ntp_counts_from_1900_and_wraps_in_2036(void **state)
{
	uint64_t before, after;

	(void)state;
	assert_true(clock_ntp_from_unix(0, 0) == (uint64_t)CLOCK_NTP_UNIX_OFFSET_S << 32);
	assert_true(clock_ntp_from_unix(0, 500000000) ==
		    ((uint64_t)CLOCK_NTP_UNIX_OFFSET_S << 32 | 0x80000000u));
	assert_true((uint32_t)clock_ntp_from_unix(0, 999999999) > 0xfffffff0u);
	/* 2036-02-07T06:28:16Z is second 0 of era 1, RFC 5905 figure 4. */
	before = clock_ntp_from_unix(2085978495, 0);
	after = clock_ntp_from_unix(2085978496, 0);
	assert_true(after == 0);
	assert_true(clock_ntp_diff(after, before) == (int64_t)1 << 32);
	assert_true(clock_ntp_diff(before, after) == -((int64_t)1 << 32));
}

static void clock_read_agrees_with_the_system(void **state)
{
	int64_t begin_s = time(NULL);
	struct clock now = clock_read();
	int64_t end_s = time(NULL);
	uint32_t seconds = (uint32_t)(now.ntp >> 32) - CLOCK_NTP_UNIX_OFFSET_S;

	(void)state;
	assert_in_range(seconds, begin_s, end_s + 1); /* the clock of time() may lag */
	assert_true(clock_read().mono_ms >= now.mono_ms);
}

#define LOOP_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(timer_is_never_early),
		LOOP_TEST(timer_counts_from_now_though_the_loop_was_made_long_ago),
		LOOP_TEST(timer_repeats_until_stopped),
		LOOP_TEST(timer_may_free_itself_and_one_that_is_due),
		LOOP_TEST(time_stands_still_within_a_wake_up_and_goes_on_between),
		LOOP_TEST(fd_tells_which_events),
		LOOP_TEST(fd_may_free_itself_and_one_that_is_ready),
		LOOP_TEST(signal_arrives_in_the_loop),
		cmocka_unit_test(frees_take_null),
		cmocka_unit_test(ntp_counts_from_1900_and_wraps_in_2036),
		cmocka_unit_test(clock_read_agrees_with_the_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

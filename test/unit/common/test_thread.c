/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads beside the loop: whose the signals are, and who comes first. */
#include "common/thread.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#define TURN_OFFSET 24 /* of sched_runtime in what sched_getattr(2) tells */

struct seen {
	bool signals_blocked;
	int nice;
	uint64_t turn_ns; /* 0: this kernel does not tell it of ordinary threads */
};

static uint64_t turn_ns(void)
{
	uint8_t attr[48] = { 0 };
	uint64_t ns;

	assert_int_equal(syscall(SYS_sched_getattr, 0, attr, sizeof(attr), 0), 0);
	memcpy(&ns, attr + TURN_OFFSET, sizeof(ns));
	return ns;
}

static void look(struct seen *seen)
{
	sigset_t mask;

	(void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
	seen->signals_blocked = sigismember(&mask, SIGTERM);
	seen->nice = getpriority(PRIO_PROCESS, 0);
	seen->turn_ns = turn_ns();
}

static void *look_beside_the_loop(void *arg)
{
	thread_give_way();
	look(arg);
	return NULL;
}

static struct seen in_a_thread(void)
{
	struct seen seen = { 0 };
	pthread_t thread;

	assert_int_equal(thread_start(&thread, look_beside_the_loop, &seen), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	return seen;
}

static void a_thread_takes_no_signals_and_who_starts_it_still_does(void **state)
{
	struct seen here;

	(void)state;
	assert_true(in_a_thread().signals_blocked);
	look(&here);
	assert_false(here.signals_blocked);
}

static void a_thread_that_gives_way_weighs_less_and_who_starts_it_does_not(void **state)
{
	struct seen before, after;

	(void)state;
	look(&before);
	if (before.nice == 19) {
		print_message("skipped: nothing weighs less than this program does\n");
		skip();
	}
	assert_true(in_a_thread().nice > before.nice);
	look(&after);
	assert_int_equal(after.nice, before.nice);
}

static void who_comes_first_asks_for_short_turns_and_weighs_what_it_did(void **state)
{
	struct seen usual, first, beside;

	(void)state;
	look(&usual);
	if (usual.turn_ns == 0) {
		print_message("skipped: this kernel has no turns to ask for (Linux 6.12 has)\n");
		skip();
	}
	thread_come_first();
	look(&first);
	assert_true(first.turn_ns < usual.turn_ns);
	assert_int_equal(first.nice, usual.nice);
	beside = in_a_thread();
	assert_int_equal(beside.turn_ns, usual.turn_ns); /* it has not inherited them */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_takes_no_signals_and_who_starts_it_still_does),
		cmocka_unit_test(a_thread_that_gives_way_weighs_less_and_who_starts_it_does_not),
		cmocka_unit_test(who_comes_first_asks_for_short_turns_and_weighs_what_it_did),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

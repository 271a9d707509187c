/* SPDX-License-Identifier: BSD-2-Clause */
/* Work beside the loop: in another thread, told of in the loop, waited for at the end. */
#include "common/task.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	struct loop *loop;
	struct task *task;
	int pipe[2]; /* the work ends when it can be read from */
	pthread_t worker, told_in;
	bool worked, signals_blocked;
	unsigned int ticks, told;
};

static void work(void *ctx)
{
	struct fixture *f = ctx;
	sigset_t mask;
	char c;

	(void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
	f->signals_blocked = sigismember(&mask, SIGTERM);
	f->worker = pthread_self();
	f->worked = read(f->pipe[0], &c, 1) == 1;
}

static void done(void *ctx)
{
	struct fixture *f = ctx;

	f->told++;
	f->told_in = pthread_self();
	f->task = task_free(f->task);
	loop_stop(f->loop);
}

/* The loop goes on: it is what lets the work end. */
static void tick(void *ctx)
{
	struct fixture *f = ctx;

	if (++f->ticks == 3)
		assert_int_equal(write(f->pipe[1], "x", 1), 1);
}

static int open_loop(void **state)
{
	static struct fixture f;

	f = (struct fixture){ .loop = loop_new() };
	assert_non_null(f.loop);
	assert_int_equal(pipe(f.pipe), 0);
	*state = &f;
	return 0;
}

static int close_loop(void **state)
{
	struct fixture *f = *state;

	(void)close(f->pipe[0]);
	(void)close(f->pipe[1]);
	loop_free(f->loop);
	return 0;
}

static void the_loop_goes_on_meanwhile_and_is_told_at_the_end(void **state)
{
	struct fixture *f = *state;
	struct loop_timer *timer = loop_timer_new(f->loop, tick, f);

	loop_timer_start(timer, 1, 1);
	assert_int_equal(task_start(f->loop, work, done, f, &f->task), 0);
	loop_run(f->loop);
	assert_int_equal(f->told, 1);
	assert_true(f->worked);
	assert_true(f->ticks >= 3);
	assert_true(pthread_equal(f->told_in, pthread_self()));
	assert_false(pthread_equal(f->worker, pthread_self()));
	assert_null(f->task);
	loop_timer_free(timer);
}

static void signals_are_the_loops(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(write(f->pipe[1], "x", 1), 1);
	assert_int_equal(task_start(f->loop, work, done, f, &f->task), 0);
	loop_run(f->loop);
	assert_true(f->signals_blocked);
}

static void who_frees_it_waits_for_the_work_and_is_not_told(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(task_start(f->loop, work, done, f, &f->task), 0);
	assert_int_equal(write(f->pipe[1], "x", 1), 1);
	f->task = task_free(f->task);
	assert_true(f->worked);
	assert_int_equal(f->told, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_loop_goes_on_meanwhile_and_is_told_at_the_end,
						open_loop, close_loop),
		cmocka_unit_test_setup_teardown(signals_are_the_loops, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(who_frees_it_waits_for_the_work_and_is_not_told,
						open_loop, close_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store.c has a child look through the database, which may crash, and two threads. To a fuzzer with
 * some ten megabytes of memory and two turns of the scheduler for each of them that is most of what
 * an input costs. Linked in by --wrap, this makes do with less and leaves what they do as it is:
 *
 *  - A process that was forked before the fuzzer grew stands in fork(), in store.c, and forks a
 *    child of its own for each word on a pipe. The child goes on from there, as a child of the
 *    fuzzer's would: it is told nothing but a path, which is the same each time. waitpid() takes
 *    the child's status from another pipe.
 *  - A thread is run where it is waited for. The store's have been told to stop by then, and do
 *    what they do at the end.
 */
#include "test/fuzz/beside.h"

#include "common/thread.h"
#include "test/fuzz/fuzz.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD 1 /* who is waited for, there being one at a time; nobody's number */

#define THREADS_MAX 2

static struct {
	void *(*run)(void *arg);
	void *arg;
} threads[THREADS_MAX];
static size_t thread_cnt;

static int asked = -1, told = -1; /* pipes, of either end */
static bool is_forker;

pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __real_waitpid(pid_t pid, int *out_status, int options);
pid_t __wrap_waitpid(pid_t pid, int *out_status, int options);
int __wrap_thread_start(pthread_t *ret_thread, void *(*run)(void *arg), void *arg);
int __real_pthread_join(pthread_t thread, void **out_value);
int __wrap_pthread_join(pthread_t thread, void **out_value);
void __wrap_thread_give_way(void);

/* Comes back in the children only; ends with the fuzzer. */
static pid_t fork_on(void)
{
	int status = 0;
	char word;
	pid_t pid;

	FUZZ_CHECK(write(told, &status, sizeof(status)) == sizeof(status)); /* here it is */
	while (read(asked, &word, 1) == 1) {
		pid = __real_fork();
		if (pid == 0)
			return 0;
		FUZZ_CHECK(pid > 0 && __real_waitpid(pid, &status, 0) == pid);
		FUZZ_CHECK(write(told, &status, sizeof(status)) == sizeof(status));
	}
	_exit(0);
}

pid_t __wrap_fork(void)
{
	if (is_forker)
		return fork_on();
	if (asked < 0)
		return __real_fork();
	FUZZ_CHECK(write(asked, "", 1) == 1);
	return CHILD;
}

pid_t __wrap_waitpid(pid_t pid, int *out_status, int options)
{
	if (pid != CHILD)
		return __real_waitpid(pid, out_status, options);
	FUZZ_CHECK(read(told, out_status, sizeof(*out_status)) == sizeof(*out_status));
	return pid;
}

void beside_begin(void (*until_fork)(void))
{
	int ask[2], tell[2], status;
	pid_t pid;

	FUZZ_CHECK(pipe(ask) == 0 && pipe(tell) == 0);
	pid = __real_fork();
	FUZZ_CHECK(pid >= 0);
	is_forker = pid == 0;
	asked = ask[is_forker ? 0 : 1];
	told = tell[is_forker ? 1 : 0];
	(void)close(ask[is_forker ? 1 : 0]);
	(void)close(tell[is_forker ? 0 : 1]);
	if (is_forker) {
		until_fork();
		_exit(1); /* it never came to a fork() */
	}
	FUZZ_CHECK(read(told, &status, sizeof(status)) == sizeof(status));
}

int __wrap_thread_start(pthread_t *ret_thread, void *(*run)(void *arg), void *arg)
{
	FUZZ_CHECK(thread_cnt < THREADS_MAX);
	threads[thread_cnt].run = run;
	threads[thread_cnt].arg = arg;
	*ret_thread = ++thread_cnt;
	return 0;
}

int __wrap_pthread_join(pthread_t thread, void **out_value)
{
	if (thread == 0 || thread > thread_cnt)
		return __real_pthread_join(thread, out_value);
	(void)threads[thread - 1].run(threads[thread - 1].arg);
	if (thread == thread_cnt)
		thread_cnt = 0;
	return 0;
}

/* It is the fuzzer itself. */
void __wrap_thread_give_way(void)
{
}

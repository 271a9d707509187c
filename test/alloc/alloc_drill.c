/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fork for each failure: whatever it breaks is broken there only, a crash is an exit status like
 * any, and the conversation goes on here as if nothing had been tried.
 */
#include "test/alloc/alloc_drill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WENT_WRONG 3

void *alloc_drill_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

/* @return wait status */
static int run_one(unsigned int first, bool lasting, bool (*attempt)(void *ctx), void *ctx,
		   struct alloc_fault *shared)
{
	int status = -1;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		bool good;

		alloc_fault_plan(first, lasting);
		good = attempt(ctx);
		*shared = alloc_fault_count();
		fflush(NULL);
		_exit(good ? 0 : WENT_WRONG);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("fork");
		return -1;
	}
	return status;
}

static bool is_good(struct alloc_drill *d, int status, unsigned int first, bool lasting)
{
	char what[64];

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	if (WIFSIGNALED(status))
		snprintf(what, sizeof(what), "ended it by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) == WENT_WRONG)
		snprintf(what, sizeof(what), "went wrong");
	else
		snprintf(what, sizeof(what), "ended it with status %d", WEXITSTATUS(status));
	if (first == 0)
		snprintf(d->fault, sizeof(d->fault), "without any failure it %s", what);
	else
		snprintf(d->fault, sizeof(d->fault), "failure of allocation %u%s %s", first,
			 lasting ? " and all after it" : "", what);
	return false;
}

/*
 * How many there are depends on the clock, where an event loop gives one more turn to what took
 * long. So one that is not there again is missed only if each run without failure has it.
 * @return fewer than the i-th; else it went wrong
 */
static unsigned int count_again(struct alloc_drill *d, bool (*attempt)(void *ctx), void *ctx,
				struct alloc_fault *shared, unsigned int i)
{
	int again;

	for (again = 0; again < 5; again++) {
		*shared = (struct alloc_fault){ 0 };
		if (!is_good(d, run_one(0, false, attempt, ctx, shared), 0, false))
			return i;
		if (shared->asked < i)
			return shared->asked;
	}
	snprintf(d->fault, sizeof(d->fault), "allocation %u is not there when it is to fail", i);
	return i;
}

bool alloc_drill(struct alloc_drill *d, bool lasting, bool (*attempt)(void *ctx), void *ctx)
{
	static struct alloc_fault *shared;
	unsigned int asked, i;
	int with_all;

	if (!shared)
		shared = alloc_drill_shared(sizeof(*shared));
	if (!is_good(d, run_one(0, false, attempt, ctx, shared), 0, false))
		return false;
	asked = shared->asked;
	d->steps += asked > 0;
	for (i = 1; i <= asked; i++)
		for (with_all = 0; with_all <= lasting; with_all++) {
			*shared = (struct alloc_fault){ 0 };
			d->tries++;
			if (!is_good(d, run_one(i, with_all, attempt, ctx, shared), i, with_all))
				return false;
			if (shared->failed > 0)
				continue;
			asked = count_again(d, attempt, ctx, shared, i);
			if (asked >= i)
				return false;
			break;
		}
	return true;
}

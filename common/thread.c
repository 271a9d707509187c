/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who comes first where there are fewer processors than threads that run: the loop, before task.c's
 * threads, which a reload takes, and the store's.
 *
 * Linux gives each its share in turns of some milliseconds, and does not end a turn for somebody
 * who wakes up: a request that comes meanwhile waits until a sort or a merge has had its turn. Two
 * things keep it from that. The loop asks for short turns (sched_setattr(2), Linux 6.12), and who
 * does comes in between; that is no larger share. And what runs beside it has a lower weight
 * (nice(2)), which before 6.6 was enough. It has a share all the same: starved, it would never be
 * through with a reload on a busy host, and would hold what it has locked (the heap, for one) all
 * the while.
 */
#include "common/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOOP_TURN_NS 100000 /* the shortest there is */
#define GIVE_WAY_BY  19     /* a seventieth of the loop's weight */
#define NICE_MAX     19

/* As sched_setattr(2) has it. glibc does since 2.41, and the kernel's header is at odds with it. */
struct scheduling {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns; /* of a turn; 0: what is usual */
	uint64_t deadline_ns, period_ns;
};

/* Of the calling thread. An older kernel sets the weight and ignores the turn. */
static void set(int nice, uint64_t turn_ns)
{
	struct scheduling attr = {
		.size = sizeof(attr),
		.policy = SCHED_OTHER,
		.nice = nice < NICE_MAX ? nice : NICE_MAX,
		.runtime_ns = turn_ns,
	};

	_Static_assert(sizeof(attr) == 48, "SCHED_ATTR_SIZE_VER0");

	/* What keeps a service from real-time scheduling may refuse this call whatever it asks. */
	if (syscall(SYS_sched_setattr, 0, &attr, 0) < 0)
		(void)setpriority(PRIO_PROCESS, 0, attr.nice);
}

void thread_come_first(void)
{
	int nice;

	/* What the administrator chose stays: a policy of another kind, or a weight. */
	if (sched_getscheduler(0) != SCHED_OTHER)
		return;
	errno = 0;
	nice = getpriority(PRIO_PROCESS, 0);
	if (errno == 0)
		set(nice, LOOP_TURN_NS);
}

void thread_give_way(void)
{
	int nice;

	errno = 0; /* Linux has one for each thread, and 0 is the calling one */
	nice = getpriority(PRIO_PROCESS, 0);
	if (errno == 0)
		set(nice + GIVE_WAY_BY, 0);
}

int thread_start(pthread_t *ret_thread, void *(*run)(void *arg), void *arg)
{
	sigset_t all, before;
	int rc;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = -pthread_create(ret_thread, NULL, run, arg);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

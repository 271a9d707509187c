/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Threads beside the loop. The loop answers mobile nodes; whatever a thread does has time.
 */
#ifndef COMMON_THREAD_H
#define COMMON_THREAD_H

#include <pthread.h>
#include <stddef.h>

/**
 * Octets that one read(2) beside the loop is to ask for. Sixty megabytes at once are, to a kernel
 * that is not preempted, fifty milliseconds and more in which the loop does not get that processor.
 */
#define THREAD_READ_MAX ((size_t)32 << 10)

/**
 * Starts one that is sent no signals: they are the loop's.
 * @return 0 or -errno
 */
int thread_start(pthread_t *ret_thread, void *(*run)(void *arg), void *arg);

/**
 * The calling thread is the one that answers: where others of this process want its processor, too,
 * it does not wait for their turns to end. What refuses that (an old kernel, a filter of system
 * calls) leaves things as they are. Inherited by threads that are started later.
 */
void thread_come_first(void);

/** The calling thread is beside the loop: it has a seventieth of its weight, and is interrupted. */
void thread_give_way(void);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * A long piece of work beside the loop: in a thread of its own, which shares nothing with the loop
 * but what stands still meanwhile.
 */
#ifndef COMMON_TASK_H
#define COMMON_TASK_H

#include "common/loop.h"

struct task;

/**
 * Runs work(ctx) in a thread, and after that done(ctx) in the loop, which sees all that work() did.
 * The task is the caller's to free, in done() if it likes.
 * @return -errno: nothing was begun
 */
int task_start(struct loop *l, loop_fn *work, loop_fn *done, void *ctx, struct task **ret_task);

/** Waits for work() to return; done() is not called any more. Takes NULL, returns NULL. */
struct task *task_free(struct task *t);

#endif

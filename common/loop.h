/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The event loop: one per process, one thread. The only file that sees libev is loop.c. Handles
 * are owned by the caller and freed by their loop_*_free(), which takes NULL.
 */
#ifndef COMMON_LOOP_H
#define COMMON_LOOP_H

#include "common/clock.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_fd;
struct loop_timer;
struct loop_signal;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

typedef void loop_fd_fn(void *ctx, int events);
typedef void loop_fn(void *ctx);

/** NULL when out of memory or descriptors. */
struct loop *loop_new(void);
struct loop *loop_free(struct loop *l);

/** Runs until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/** The time as of this wake-up; read once, the same for all that happens in it. */
const struct clock *loop_now(struct loop *l);

/** Watches fd for events (LOOP_READ | LOOP_WRITE). The fd stays the caller's. NULL: no memory. */
struct loop_fd *loop_fd_new(struct loop *l, int fd, int events, loop_fd_fn *fn, void *ctx);
void loop_fd_set(struct loop_fd *w, int events);
struct loop_fd *loop_fd_free(struct loop_fd *w);

/** A timer, not yet running. */
struct loop_timer *loop_timer_new(struct loop *l, loop_fn *fn, void *ctx);
/** Fires once after delay_ms, then every repeat_ms (0: never again). Restarts a running timer. */
void loop_timer_start(struct loop_timer *t, uint64_t delay_ms, uint64_t repeat_ms);
void loop_timer_stop(struct loop_timer *t);
struct loop_timer *loop_timer_free(struct loop_timer *t);

struct loop_signal *loop_signal_new(struct loop *l, int signum, loop_fn *fn, void *ctx);
struct loop_signal *loop_signal_free(struct loop_signal *s);

#endif

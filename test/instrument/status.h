/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The status socket: a client writes a line, and gets lines of JSON. Events are remembered, some
 * hundreds of them, for clients that come late.
 */
#ifndef TEST_INSTRUMENT_STATUS_H
#define TEST_INSTRUMENT_STATUS_H

#include "common/loop.h"

#include <stdio.h>

struct status;

/** Answers a command with one line of JSON, without its newline, on out. */
typedef void status_command_fn(void *ctx, const char *command, FILE *out);

/**
 * Listens on a unix stream socket at path; one that a dead predecessor left is replaced.
 * @retval -errno  logged
 */
int status_open(struct loop *loop, const char *path, status_command_fn *fn, void *ctx,
		struct status **ret_status);

/** Removes the socket. NULL is fine; returns NULL. */
struct status *status_close(struct status *s);

/**
 * Tells an event: {"ms":...,"event":"NAME"MORE}, where the formatted MORE is empty or begins with
 * a comma. The time is that of the call.
 */
void status_event(struct status *s, const char *name, const char *more_fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif

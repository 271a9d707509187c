/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * A connection to a Redis or Valkey server (or a Sentinel) that lives in the loop: commands go out
 * in a pipeline, answers come back in their order, nothing ever waits. redis.c is the one door to
 * hiredis.
 */
#ifndef HA_CORE_CLUSTER_REDIS_H
#define HA_CORE_CLUSTER_REDIS_H

#include "common/addr.h"
#include "common/loop.h"
#include "ha-core/cluster/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redis;

/** An answer, or a part of one. Lives as long as the callback that got it. */
struct redis_value;

/** One argument of a command: octets, not terminated. */
struct redis_arg {
	const void *data;
	size_t len;
};

/** The answer to one command. Not called if the connection is lost first: see conf.down. */
typedef void redis_fn(void *ctx, const struct redis_value *v);

struct redis_conf {
	struct loop *loop;
	struct in_addr address;
	uint16_t port;
	const struct tls_conf *tls; /* kept by reference; NULL: in the clear */
	uint32_t answer_ms;         /* from one answer to the next, while there is one to come */
	/**
	 * The connection could not be made, or is lost. Called once; commands without an answer
	 * have none. redis_close() may be called from here.
	 */
	void (*down)(void *ctx, const char *why);
	void *ctx;
};

/** Begins to connect. Commands may be given at once. @retval -ENOMEM, -errno */
int redis_open(const struct redis_conf *conf, struct redis **ret_r);

/** No callback of it is called any more. From anywhere, callbacks included. Takes NULL. */
struct redis *redis_close(struct redis *r);

/** @retval -ENOTCONN  it is lost; conf.down tells, or has told. @retval -ENOMEM */
int redis_command(struct redis *r, redis_fn *fn, void *ctx, const struct redis_arg *args,
		  size_t cnt);

/** The same from strings, the last one NULL. */
int redis_ask(struct redis *r, redis_fn *fn, void *ctx, ...) __attribute__((sentinel));

/** Is an answer overdue? NULL: no, or what did not come in time. Takes NULL. */
const char *redis_overdue(const struct redis *r, uint64_t now_ms);

/* --- answers; each takes NULL, which is no value --- */

/** The server's sentence if it refused; NULL: it did not. */
const char *redis_error(const struct redis_value *v);
/** It refused because the key holds something of another type than the command is for. */
bool redis_is_wrong_type(const struct redis_value *v);
/** A string or status, terminated; NULL: it is none (or nil). */
const char *redis_text(const struct redis_value *v, size_t *out_len);
/** A number, or a string that is one; 0: neither. */
uint64_t redis_number(const struct redis_value *v);
/** Elements of an array; 0: it is none. */
size_t redis_cnt(const struct redis_value *v);
/** NULL: there is no such element. */
const struct redis_value *redis_item(const struct redis_value *v, size_t i);

#endif

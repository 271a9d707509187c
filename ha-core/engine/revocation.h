/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Registration revocation (RFC 3543): telling the other end of a tunnel that its binding is gone
 * before its lifetime is, and being told. It reads no clock and touches no socket.
 *
 * Revoking is in two steps: revocation_queue() when a binding is about to end, and
 * revocation_run(), which sends what is due and sends it again until it is acknowledged.
 */
#ifndef HA_CORE_ENGINE_REVOCATION_H
#define HA_CORE_ENGINE_REVOCATION_H

#include "common/clock.h"
#include "common/hash.h"
#include "ha-core/auth/sa.h"
#include "ha-core/binding/binding.h"
#include "ha-core/engine/ha_policy.h"

/** The first interval is the shortest there may be (§3.3); each is twice the one before. */
#define REVOCATION_INTERVAL_MIN_MS 1000
#define REVOCATION_INTERVAL_MAX_MS 3600000
/** How far messages of one agent may overtake each other: seconds of the agent's clock (§6.2). */
#define REVOCATION_WINDOW_S 7
#define REVOCATION_SEEN_MAX 64 /* of one agent, remembered against replays */
#define REVOCATION_IDLE_MS  UINT64_MAX

struct engine;
struct engine_result;
struct exchange;
struct memory_time;
struct outstanding;

struct revocation_conf {
	bool enabled;
	bool required; /* 129 for a request without Revocation Support */
	bool inform;   /* foreign agents shall tell their mobile nodes (I) */
	bool on_move;  /* tell the agent that a node has left for another place */
	unsigned int max_outstanding;
};

/** All that an engine knows of revocations. */
struct revocation {
	struct hash by_home;              /* outstanding ones, by home address */
	struct outstanding *first, *last; /* the same, the oldest first; owned */
	size_t cnt;
	struct hash agents; /* foreign agents that have sent Support, by address; owned */
	bool draining;
	bool drain_pending; /* bindings wait for room among the outstanding */
};

/** @retval -ENOMEM */
int revocation_init(struct revocation *rv);
void revocation_done(struct revocation *rv);

/** Is it a message 7 or 15, and do we deal in them? */
bool revocation_is_ours(const struct revocation_conf *conf, const uint8_t *msg, size_t len);

/** Handles one. Never fails; out is always filled. */
void revocation_handle(struct engine *e, const uint8_t *msg, size_t len,
		       const struct reg_origin *from, struct engine_result *out);

/** Appends Revocation Support to a reply, if it was negotiated. */
void revocation_put_support(const struct exchange *x, struct wire_writer *w);

/** A registration was accepted: b has what was negotiated, and is revoked no more. */
void revocation_note(struct engine *e, struct exchange *x, struct binding *b);

/** A binding of before is back: what its agent's Support said is known again. */
void revocation_restored(struct engine *e, const struct binding *b);

/**
 * A binding is about to end before its time: tell its peer, if that was negotiated.
 * @param agents  the foreign agents, as of when the binding was made
 */
void revocation_queue(struct engine *e, const struct sa_table *agents, const struct binding *b);

/**
 * A binding is about to end because its node, by request x, has moved or come home: the foreign
 * agent that it has left need not keep its part until the lifetime is over.
 */
void revocation_queue_left(struct engine *e, const struct exchange *x, struct binding *b);

/**
 * What is outstanding, as a record of what survives: one for each binding that it is about.
 * @return octets
 */
#define REVOCATION_KEY_KIND  'R'
#define REVOCATION_KEY_LEN   9
#define REVOCATION_VALUE_MAX 64
size_t revocation_key(const struct outstanding *o, uint8_t ret_key[REVOCATION_KEY_LEN]);
size_t revocation_encode(const struct outstanding *o, const struct memory_time *at,
			 uint8_t ret_value[REVOCATION_VALUE_MAX]);

/**
 * Puts one back that was outstanding. Its binding ended then.
 * @retval ERR_NOT_FOUND    it cannot be sent any more, or need not: the record can go
 * @retval ERR_MALFORMED, ERR_UNSUPPORTED, -ENOMEM  as memory_restore()
 */
int revocation_restore(struct engine *e, const uint8_t *key, size_t key_len, const uint8_t *value,
		       size_t len, const struct memory_time *at);

/** Is it a record? Errors as of memory_check(). */
int revocation_check(const uint8_t *key, size_t key_len, const uint8_t *value, size_t len);

/** All that is outstanding, the oldest first. */
void revocation_each(const struct engine *e, void (*fn)(void *ctx, const struct outstanding *o),
		     void *ctx);

/** Sends what is due. @return when to be called next, monotonic ms; REVOCATION_IDLE_MS: no need */
uint64_t revocation_run(struct engine *e, const struct clock *now);

/**
 * From now on (or no longer) new registrations are refused with Code 129. Bindings whose peer can
 * be told are revoked and end, as many at a time as may be outstanding; the others end with their
 * lifetime, for a node that cannot be told would only find its packets gone.
 */
void revocation_drain(struct engine *e, bool on);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * What of the engine must outlive the process (RFC 5944 §3.8.1, §5.7): for each mobile node one
 * record with its lease, its bindings and the last Identification under each of its associations.
 * Octets here; where they lie is store/'s business. Reads no clock, touches no disk.
 */
#ifndef HA_CORE_ENGINE_MEMORY_H
#define HA_CORE_ENGINE_MEMORY_H

#include "ha-core/engine/engine.h"

#define MEMORY_KEY_MAX   257
#define MEMORY_VALUE_MAX 16384

/** A point in time, as the process that writes a record, or reads it, sees it. */
struct memory_time {
	struct clock now;
	uint32_t boot; /* the monotonic clock is the same one while this is; 0: never */
	/** Answers of before may be missing: no timestamp from before now is fresh. */
	bool may_lack;
	bool has_moved; /* the home agent had another address: bindings were tunnels from there */
};

/** A time on the monotonic clock as NTP time, and how long until that: across a boot. */
uint64_t memory_ntp_at(uint64_t mono_ms, const struct clock *now);
uint64_t memory_ms_until(uint64_t ntp, const struct clock *now);

/** Of a node: by its NAI if its address is dynamic, else by its address. @return octets */
size_t memory_key(const struct sa_peer *node, uint8_t ret_key[MEMORY_KEY_MAX]);

/** @return octets; 0: there is nothing to remember, the record can go */
size_t memory_encode(const struct engine *e, const struct sa_peer *node,
		     const struct memory_time *at, uint8_t ret_value[MEMORY_VALUE_MAX]);

/** What became of a record. */
struct memory_restored {
	struct sa_peer *node;
	unsigned int bindings, expired, refused;
	unsigned int unchanged; /* live already, by the same registration */
	bool clock_was_ahead;   /* an Identification lay beyond anything acceptable now */
	/* memory_follow() alone */
	bool lease_lost;    /* its address is a newer node's here */
	bool lease_unknown; /* its address is in no pool here: only replays are followed */
};

/**
 * Puts a record into an engine that has its associations. What the engine knows already is never
 * overwritten by something older, so a record may also be imported into one that serves.
 * Bindings are put to the data path, and one that it refuses is not restored.
 *
 * @retval 0
 * @retval ERR_NOT_FOUND    no such node is configured; nothing was done
 * @retval ERR_MALFORMED    no record
 * @retval ERR_UNSUPPORTED  one of a newer version
 */
int memory_restore(struct engine *e, const uint8_t *key, size_t key_len, const uint8_t *value,
		   size_t value_len, const struct memory_time *at,
		   struct memory_restored *out_restored);

/**
 * A record that another home agent of the same address has made, and that is newer than ours (the
 * caller has compared): the node is as it says from now on, its lease, its bindings, their tunnels.
 * hooks.touched() is not called for it, but for a node that has lost its lease to it.
 * Errors as of memory_restore().
 */
int memory_follow(struct engine *e, const uint8_t *key, size_t key_len, const uint8_t *value,
		  size_t value_len, const struct memory_time *at,
		  struct memory_restored *out_restored);

/** Whose key is it? NULL: none of ours. */
struct sa_peer *memory_node(const struct engine *e, const uint8_t *key, size_t key_len);

#define MEMORY_FETCH_STEPS ENGINE_FETCH_STEPS

/** Whom a record is about; 0.0.0.0: nobody whose place could be told beforehand. */
struct memory_places {
	struct in_addr home_addr;
	struct in_addr peer; /* where the tunnel of the latest binding ends */
};

struct memory_places memory_places(const uint8_t *key, size_t key_len, const uint8_t *value,
				   size_t value_len);

/** Before many records are restored: each step for all of them, as with engine_fetch(). */
void memory_fetch(const struct engine *e, const struct memory_places *at, unsigned int step);

/** Is it a record, and of whom? Errors as of memory_restore(). */
int memory_check(const struct engine *e, const uint8_t *key, size_t key_len, const uint8_t *value,
		 size_t value_len);

/**
 * Every record there was has been restored, and every answer of before was in them: who is not
 * among them has never been answered, and its timestamps from before the start are no replays.
 */
void memory_is_whole(struct engine *e);

/**
 * What is kept of a record whose node is not configured: no bindings, and its Identifications as
 * long as they may guard against replays should the node come back.
 * @return octets of what is to be written instead; 0: the record can go; value_len: it is right
 */
size_t memory_of_stranger(const uint8_t *value, size_t value_len, const struct memory_time *at,
			  uint8_t ret_value[MEMORY_VALUE_MAX]);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The store: what must outlive the process, as keys and values of octets, in one directory. A
 * change is safe from kill -9 once store_commit() has returned, and from a power cut by the sync
 * interval later, or at once if asked to.
 */
#ifndef HA_CORE_STORE_STORE_H
#define HA_CORE_STORE_STORE_H

#include "common/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_FAULT_MAX  512
#define STORE_CURSOR_MAX 512

struct store_conf {
	const char *directory; /* made if it is not there; not copied: outlives the store */
	const char *daemon;    /* "ihad": whose state it is */
	struct in_addr home_agent;
	uint32_t sync_interval_ms; /* 0: store_commit() waits for the disk */
	uint64_t segment_size;     /* of the journal, octets */
	uint32_t boot;             /* of this host; 0: the kernel is asked */
};

struct store;

/** How it fares. Positions are octets of the journal since the store was made. */
struct store_health {
	uint64_t commits, changes, octets; /* in this run */
	uint64_t commit_failures;
	uint64_t written, durable; /* positions */
	uint64_t segments;         /* of the journal, on the disk now */
	uint64_t merges;           /* segments brought into the database in this run */
	uint64_t sync_failures, merge_failures;
	int error;          /* of the last thing tried; 0: it worked */
	bool is_incomplete; /* changes were dropped: see store_is_incomplete() */
};

/**
 * Opens, makes, checks and locks it, and reads the journal.
 * @param out_fault       what is wrong and what to do, in a sentence
 * @retval ERR_MALFORMED   damaged; nothing in it has been changed
 * @retval ERR_UNSUPPORTED written by a newer version
 * @retval ERR_INVALID     another daemon's
 * @retval -EBUSY          another process has it open
 * @retval -errno, -ENOMEM
 */
int store_open(const struct store_conf *conf, struct store **ret_store,
	       char out_fault[STORE_FAULT_MAX]);

/** Everything is on the disk when it returns. Takes NULL, returns NULL. */
struct store *store_close(struct store *s);

/** Was there anything before this run? */
bool store_is_new(const struct store *s);

/**
 * Was it written while the home agent had another address? What nodes last said holds good, but
 * its bindings were tunnels from there.
 */
bool store_has_moved(const struct store *s);

/**
 * May answers of before be missing from it? After a power cut, if commits did not wait for the
 * disk, and when journal.end does not say how far it went: it is damaged, removed, or of a version
 * that had none. Otherwise all that was ever answered is in it.
 */
bool store_may_lack(const struct store *s);

/** Which boot of which host this is: the monotonic clock goes on as long as it is the same. */
uint32_t store_boot(const struct store *s);

/**
 * What was there before this run, each key once, in their order. Once, before store_put().
 * @param fn    negative: ends the walk, which returns it. Keys and values stay where they are until
 *              the walk is over.
 * @param last  called after the last one, they are still there; not if the walk was ended
 * @retval -errno, ERR_MALFORMED, -ENOMEM
 */
int store_load(struct store *s,
	       int (*fn)(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value,
			 size_t value_len),
	       int (*last)(void *ctx), void *ctx);

/**
 * The key has this value from the next commit on; value_len 0: it is gone. Never fails: without
 * room for it the store becomes incomplete.
 * @param key_len    1..JOURNAL_KEY_MAX
 * @param value_len  0..JOURNAL_VALUE_MAX
 */
void store_put(struct store *s, const uint8_t *key, size_t key_len, const uint8_t *value,
	       size_t value_len);

/** Is there anything to commit? */
bool store_is_pending(const struct store *s);

/**
 * Everything put is in the journal, or nothing of it and it is tried again with the next commit.
 * @retval -errno  what the disk said
 */
int store_commit(struct store *s);

/**
 * The disk failed for so long that changes had to be dropped. Put everything there is, then commit.
 */
bool store_is_incomplete(const struct store *s);
void store_is_complete_again(struct store *s);

/**
 * What the threads beside the loop have met last, the journal's and the database's: 0, or an error;
 * -ENOENT: other hands took the directory, or a file of it, away; ERR_MALFORMED: it was damaged
 * since it was opened.
 */
int store_error_beside(struct store *s);

void store_get_health(struct store *s, struct store_health *out_health);

/**
 * A walk through what a restart would find: the journal, read anew, over the database; each key
 * once, in no order. What is put meanwhile may be told or not. Free it before the store is closed.
 * @retval -ENOMEM
 */
struct store_walk;
typedef void store_walk_fn(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value,
			   size_t value_len);
int store_walk_begin(struct store *s, struct store_walk **ret_walk);

/**
 * First of all the journal is read and sorted. That takes a third of a second for each 32 MiB, and
 * may be done beside the loop, which may put and commit meanwhile.
 * @return  1: a segment was merged meanwhile: begin another walk; 0: done
 * @retval ERR_MALFORMED  a record's checksum; the walk is over
 * @retval -errno, -ENOMEM
 */
int store_walk_gather(struct store_walk *w);

/**
 * Goes on with it, for so many keys.
 * @return  1: there is more; 0: that was the last
 * @retval ERR_MALFORMED  a value's checksum; the walk is over
 * @retval -errno, -ENOMEM
 */
int store_walk_some(struct store_walk *w, size_t steps, store_walk_fn *fn, void *ctx);

/** Takes NULL, returns NULL. */
struct store_walk *store_walk_free(struct store_walk *w);

#endif

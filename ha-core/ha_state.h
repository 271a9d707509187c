/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Between the engine and the store: every change of a mobile node becomes a record, and at start
 * the records become nodes again. NULL is a home agent that remembers nothing (state.directory:
 * none); every function takes it.
 */
#ifndef HA_CORE_HA_STATE_H
#define HA_CORE_HA_STATE_H

#include "common/ctl.h"
#include "common/loop.h"
#include "ha-core/engine/engine.h"
#include "ha-core/engine/memory.h"
#include "ha-core/ha_conf.h"
#include "ha-core/store/store.h"

struct ha_state;

/**
 * Opens state.directory. What is refused is logged, with the remedy.
 * @retval 0  *ret_state is NULL if nothing is to be remembered
 * @return    errors of store_open()
 */
int ha_state_open(const struct ha_conf *conf, const char *daemon, struct engine *engine,
		  struct loop *loop, struct ha_state **ret_state);

/** Everything is on the disk when it returns. Takes NULL, returns NULL. */
struct ha_state *ha_state_close(struct ha_state *st);

/** Puts what was remembered into the engine; the data path is there. Errors are logged. */
int ha_state_restore(struct ha_state *st);

/** The engine's hook touched(). Committed by the loop's next turn at the latest. */
void ha_state_touched(struct ha_state *st, const struct sa_peer *node);

/** The engine's hook outstanding(). Committed likewise. */
void ha_state_outstanding(struct ha_state *st, const struct outstanding *o, bool is_over);

/** What was touched is safe from here on. @retval -errno  it is not; logged, tried again later */
int ha_state_commit(struct ha_state *st);

/**
 * Takes over a record that another home agent has made, which is newer than ours; it is committed
 * as what is touched. Errors of memory_follow(); of a node that is not ours nothing is kept.
 */
int ha_state_follow(struct ha_state *st, const uint8_t *key, size_t key_len, const uint8_t *value,
		    size_t value_len, struct memory_restored *out);
/** The record of a node as it is now; of what was committed or not. @return octets of the value */
size_t ha_state_encode(struct ha_state *st, const struct sa_peer *node,
		       uint8_t ret_key[MEMORY_KEY_MAX], size_t *ret_key_len,
		       uint8_t ret_value[MEMORY_VALUE_MAX]);

/** A note that survives with what is committed together with it: at most HA_STATE_NOTE_MAX. */
#define HA_STATE_NOTE_MAX 128
void ha_state_put_note(struct ha_state *st, const void *note, size_t len);
/** That of the former life. @return octets; 0: there is none */
size_t ha_state_get_note(const struct ha_state *st, void *ret_note);

/** Adds its fields to "show status". */
void ha_state_status(struct ha_state *st, struct ctl_reply *r);

/** How the store is. @return false: nothing is remembered, *ret_health is as it was */
bool ha_state_health(struct ha_state *st, struct store_health *ret_health);

/** "state check", "state export", "state import LINE". */
void ha_state_check(struct ha_state *st, struct ctl_reply *r);
void ha_state_export(struct ha_state *st, struct ctl_reply *r);
void ha_state_import(struct ha_state *st, struct ctl_reply *r, const char *line);

#endif

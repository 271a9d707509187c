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

/** Adds its fields to "show status". */
void ha_state_status(struct ha_state *st, struct ctl_reply *r);

/** How the store is. @return false: nothing is remembered, *ret_health is as it was */
bool ha_state_health(struct ha_state *st, struct store_health *ret_health);

/** "state check", "state export", "state import LINE". */
void ha_state_check(struct ha_state *st, struct ctl_reply *r);
void ha_state_export(struct ha_state *st, struct ctl_reply *r);
void ha_state_import(struct ha_state *st, struct ctl_reply *r, const char *line);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Reload: the file is read again beside the loop, and what has changed is carried out in it. One
 * at a time; what is asked for meanwhile follows.
 */
#ifndef HA_CORE_HA_RELOAD_H
#define HA_CORE_HA_RELOAD_H

#include "common/loop.h"
#include "ha-core/engine/engine.h"
#include "ha-core/ha_conf.h"
#include "ha-core/ha_state.h"

/** What a reload has to do with the daemon. Copied; what it points to outlives the reload. */
struct ha_reload_env {
	const char *config;            /* the file, for the log */
	const struct ha_conf *started; /* what belongs to this run is as it says */
	struct engine *engine;
	struct loop *loop;
	struct ha_state *state; /* NULL: nothing is remembered */
	/** In a thread, so of ctx only what a run does not change: reads the file. */
	int (*read)(void *ctx, struct ha_conf **ret_conf, void **ret_daemon_conf);
	/** In the thread, too: opens an engine with what was read. */
	int (*build)(void *ctx, struct engine *fresh, const struct ha_conf *conf,
		     const void *daemon_conf);
	/** What was read and is not wanted. Takes NULL. */
	void (*discard)(void *ctx, struct ha_conf *conf, void *daemon_conf);
	/**
	 * Home networks and tunnels are as the file has them; the engine has the networks with its
	 * settings, next.
	 * Negative: nothing has changed, and the file is refused.
	 */
	int (*lay_down)(void *ctx, const struct ha_conf *conf);
	/** The settings that follow from a file. */
	struct engine_conf (*settings)(void *ctx, const struct ha_conf *conf);
	/** From here on nodes of the engine change, come and go (true), until all have (false). */
	void (*nodes_change)(void *ctx, bool begins);
	/** The engine has it: so shall everybody else, and what was before goes. */
	void (*adopt)(void *ctx, struct ha_conf *conf, void *daemon_conf);
	/** Carried out (0), or refused and nothing has changed (negative). Logged already. */
	void (*done)(void *ctx, int result);
	/** No more reloads are due: this is for those who asked. */
	void (*answer)(void *ctx, int result);
	void *ctx;
};

struct ha_reload;

/**
 * @param running  of the configuration in force
 * @retval -ENOMEM
 */
int ha_reload_open(const struct ha_reload_env *env, const struct ha_conf_digest *running,
		   struct ha_reload **ret_reload);

/** @retval 1  it is being read, answer() will be called. @return negative: it is not, see done() */
int ha_reload_begin(struct ha_reload *r);

/** Keys of the last file that was taken which wait for a restart: "A, B", "": none. Takes NULL. */
const char *ha_reload_restart_keys(const struct ha_reload *r);

/** From the first reading to the last answer. Takes NULL. */
bool ha_reload_is_running(const struct ha_reload *r);

/** Whatever is under way. Takes NULL, returns NULL. */
struct ha_reload *ha_reload_close(struct ha_reload *r);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Several home agents, one service: between the engine, its store, and the shared state. NULL is a
 * home agent on its own (state.replication.servers: none); every function but ha_cluster_open()
 * takes it.
 */
#ifndef HA_CORE_HA_CLUSTER_H
#define HA_CORE_HA_CLUSTER_H

#include "common/ctl.h"
#include "common/loop.h"
#include "ha-core/cluster/cluster.h"
#include "ha-core/engine/engine.h"
#include "ha-core/ha_conf.h"
#include "ha-core/ha_state.h"

struct ha_cluster;

struct ha_cluster_env {
	struct engine *engine;
	struct ha_state *state;
	struct loop *loop;
	/** The oldest `cnt` batches of answers that waited may leave; `send` false: are dropped. */
	void (*release)(void *ctx, size_t cnt, bool send);
	/** This host answers from now on, or stands by. */
	void (*role)(void *ctx, bool active);
	void *ctx;
};

/**
 * After what was remembered is back. The server is looked for once the loop runs.
 * @retval 0       *ret_hc is NULL if nothing is shared
 * @retval -ENOMEM
 */
int ha_cluster_open(const struct ha_conf *conf, const struct ha_cluster_env *env,
		    struct ha_cluster **ret_hc);
/** Takes NULL, returns NULL. */
struct ha_cluster *ha_cluster_close(struct ha_cluster *hc);

/** The engine's hook touched(), before ha_state_touched(). */
void ha_cluster_touched(struct ha_cluster *hc, const struct sa_peer *node);
/** What the engine does until this is false again is no news to the others: bindings expire. */
void ha_cluster_quiet(struct ha_cluster *hc, bool quiet);
/**
 * What was touched is committed: it goes to the others.
 * @retval 0        the answers to it may leave
 * @retval 1        they are to wait for env.release()
 * @retval -EAGAIN  they are not to leave at all
 */
int ha_cluster_commit(struct ha_cluster *hc);

/** Are requests answered here, as of now? */
bool ha_cluster_answers(const struct ha_cluster *hc);
/** ... and is this host the one that operators are to ask? Settling, too. */
bool ha_cluster_is_active(const struct ha_cluster *hc);

/** A reload changes nodes, adds some and takes some out, in steps: it begins, it has ended. */
void ha_cluster_reload(struct ha_cluster *hc, bool begins);

/** "show cluster", "cluster promote", "cluster standby"; fields of "show status". */
void ha_cluster_show(const struct ha_cluster *hc, struct ctl_reply *r);
void ha_cluster_promote(struct ha_cluster *hc, struct ctl_reply *r);
void ha_cluster_stand_by(struct ha_cluster *hc, struct ctl_reply *r);
void ha_cluster_status(const struct ha_cluster *hc, struct ctl_reply *r);

/** @return false: nothing is shared */
bool ha_cluster_health(const struct ha_cluster *hc, struct cluster_health *out);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * A new configuration in a running engine, as a difference: what has not changed is not touched.
 *
 *	thread  engine_reload_compare()   which nodes are gone, have changed, are new
 *	loop    engine_reload_begin()     settings, agents and pools: at once
 *	        engine_reload_some()      nodes, then bindings; a few at a time, requests in between
 *	        engine_reload_done()      anywhere: what is left over, the keys of before included
 *
 * Between two steps each mobile node is the old one or the new one, with all that it has.
 */
#ifndef HA_CORE_ENGINE_RELOAD_H
#define HA_CORE_ENGINE_RELOAD_H

#include "ha-core/engine/engine.h"

/** One mobile node that is not what it was. */
struct reload_change {
	struct sa_peer *peer;
	struct sa_peer *other; /* gone: the one before it in the list; else what it shall be like */
};

struct reload_changes {
	struct reload_change *list; /* owned */
	size_t cnt, room;
};

/** Zero-initialised there is nothing to do. */
struct engine_reload {
	struct engine *fresh; /* not owned; NULL: no association has changed */
	struct reload_changes gone, changed, added;
	size_t done[3];         /* of each of them */
	bool network_gone;      /* leases are to be looked at, once all nodes have changed */
	struct sa_peer *lessee; /* the next whose lease is; NULL: none */
	size_t bucket;          /* of bindings, the next to be looked at */
	size_t ended;           /* bindings */
	size_t failed;          /* nodes that are as they were, for there was no memory */
};

/**
 * How do the associations of `fresh` differ? May run beside the engine's loop, as long as no other
 * reload does: it reads of the engine only what comes from its configuration.
 * @param r  on failure to be done with, too
 * @retval -ENOMEM
 */
int engine_reload_compare(struct engine_reload *r, const struct engine *e, struct engine *fresh);

/**
 * The settings are in force, and whoever is admitted is judged by them. The home agent's address
 * stays; home networks may come and go.
 */
void engine_reload_begin(struct engine_reload *r, struct engine *e, const struct engine_conf *conf,
			 const void *policy_ctx);

/**
 * Goes on with so many nodes that have changed, or bindings that are looked at. A binding ends
 * whose mobile node is no longer configured, or that came from where nobody is listened to any
 * more, or whose dynamic home address is of a network that is gone (with the lease); and so does
 * one that can be revoked (RFC 3543) and whose security association is gone: its
 * peer is told under the keys of before. Replay state and dynamic home addresses go on.
 * @return false: that was all
 */
bool engine_reload_some(struct engine_reload *r, struct engine *e, size_t max_cnt);

/** Frees what is its own; `fresh` is the caller's. */
void engine_reload_done(struct engine_reload *r);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * What an operator can ask a home agent, over the control socket: show bindings, counters, status
 * and mobile nodes; clear a binding; reload; set the log level. No answer ever holds a key.
 */
#ifndef HA_CORE_HA_CTL_H
#define HA_CORE_HA_CTL_H

#include "common/conf.h"
#include "common/ctl.h"
#include "common/loop.h"
#include "ha-core/engine/engine.h"
#include "ha-core/ha_cluster.h"
#include "ha-core/ha_state.h"
#include "ha-core/tunnel/tunnel.h"

/** What the commands look at. Copied; what it points to outlives the struct ha_ctl. */
struct ha_ctl_env {
	const char *name; /* "ihad" */
	struct engine *engine;
	struct loop *loop;
	uint16_t port;               /* of registrations */
	const struct tunnel *tunnel; /* NULL: none but what the engine counts */
	const char *device;          /* "ihad0"; NULL: none */
	/**
	 * Adds the daemon's own fields to "show status", each with ctl_field() and a value. May be
	 * NULL.
	 */
	void (*status)(void *ctx, struct ctl_reply *r);
	struct ha_state *state;     /* NULL: nothing is remembered */
	struct ha_cluster *cluster; /* NULL: nothing is shared */
	/** Answers "show trusted-networks". NULL: this home agent trusts none. */
	void (*trusted_networks)(void *ctx, struct ctl_reply *r);
	/** The configuration in force, with the shared rows or the daemon's own (section 0, 1). */
	struct conf_section (*conf)(void *ctx, size_t section);
	/**
	 * Reads the configuration again. Negative: refused, nothing has changed; 1: it is being
	 * read, and ha_ctl_reloaded() will tell.
	 */
	int (*reload)(void *ctx);
	void *ctx;
};

struct ha_ctl;

/**
 * Opens the control socket and answers from then on.
 * @param group  that may use it, beside the daemon's user; NULL: the daemon's own group
 * @return errors of ctl_server_open(), -ENOMEM
 */
int ha_ctl_open(const struct ha_ctl_env *env, const char *socket, const char *group,
		struct ha_ctl **ret_ctl);

/** For those who trace: a message that was handled, its reply included, and any other of ours. */
void ha_ctl_received(const struct ha_ctl *c, const uint8_t *msg, size_t len,
		     const struct reg_origin *from, const struct engine_result *res);
void ha_ctl_sent(const struct ha_ctl *c, const uint8_t *msg, size_t len, struct in_addr dst,
		 uint16_t port);

void ha_ctl_keepalive(const struct ha_ctl *c, const struct binding *b, struct in_addr src,
		      uint16_t port);

/** The commands, for the manual and the shells' completion; a zero row ends them. */
extern const struct ctl_command ha_ctl_commands[];

/**
 * What came of a reload: answers those who asked for it.
 * @param restart_keys  what is in the file and waits for a restart: "A, B"; "": nothing
 */
void ha_ctl_reloaded(struct ha_ctl *c, int result, const char *restart_keys);

/** Takes NULL, returns NULL. */
struct ha_ctl *ha_ctl_close(struct ha_ctl *c);

#endif

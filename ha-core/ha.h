/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The front door of the core: a daemon is a description, and its main() one call.
 */
#ifndef HA_CORE_HA_H
#define HA_CORE_HA_H

#include "common/conf.h"
#include "common/ctl.h"
#include "common/daemon.h"
#include "ha-core/engine/ha_policy.h"
#include "ha-core/ha_conf.h"

struct ha_daemon {
	struct daemon_info info;
	const char *device;               /* of the tunnels: "ihad0" */
	const struct conf_key *conf_rows; /* the daemon's own keys, into a struct of conf_size */
	size_t conf_size;
	ha_conf_check_fn *conf_check; /* rules across these and the shared keys; NULL: none */
	struct ha_policy policy;      /* its hooks get that struct as ctx */
	/** Says what is legal and unwise in the configuration. May be NULL. */
	void (*warn)(const void *conf);
	/** The trusted networks, for their use to be counted; NULL: an external home agent. */
	const struct addr_set *(*trusted)(const void *conf);
	/** Answers "hactl show trusted-networks". NULL: it trusts none. */
	void (*trusted_networks)(const void *conf, struct ctl_reply *r);
	/** Adds the daemon's own fields to "hactl show status". May be NULL. */
	void (*status)(const void *conf, struct ctl_reply *r);
};

/** Runs the daemon to its end. @return the exit code, see common/daemon.h */
int ha_main(const struct ha_daemon *daemon, int argc, char **argv);

#endif

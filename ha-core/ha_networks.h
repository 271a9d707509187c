/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The home networks in force, in the forms in which the engine, the sockets and the data path want
 * them. A reload brings others (ha_reload.c).
 */
#ifndef HA_CORE_HA_NETWORKS_H
#define HA_CORE_HA_NETWORKS_H

#include "ha-core/ha_conf.h"
#include "ha-core/tunnel/tunnel.h"

/** Zero-initialised there is none. All lists have cnt elements. */
struct ha_networks {
	struct addr_prefix *prefixes;       /* owned */
	struct in_addr *broadcasts;         /* owned */
	struct tunnel_home_network *tunnel; /* owned */
	size_t cnt;
};

/** @retval -ENOMEM */
int ha_networks_copy(const struct ha_conf *conf, struct ha_networks *ret_n);
void ha_networks_done(struct ha_networks *n);

/**
 * Is what was laid down for this home address on the host or on a link another thing in n? Not
 * between two virtual networks: those are routed as a whole.
 */
bool ha_networks_moved(const struct ha_networks *before, const struct ha_networks *n,
		       struct in_addr home_addr);

/** One line for each that is added, removed, or another link now. */
void ha_networks_log(const struct ha_networks *before, const struct ha_networks *n);

#endif

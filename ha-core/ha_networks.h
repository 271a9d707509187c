/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The home networks in force, in the forms in which the engine, the sockets and the data path want
 * them. A reload brings others (ha_reload.c); those that are links of this host are of one run.
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

/** Is the whole of it within one of them? */
bool ha_networks_contain(const struct ha_networks *n, struct addr_prefix prefix);

/**
 * Have both the same networks with an interface, with the same settings, in whatever order? Pools
 * do not count. If not, all home networks of b wait for a restart.
 */
bool ha_networks_same_links(const struct ha_conf *a, const struct ha_conf *b);

/** One line for each that is in one only: added, removed. */
void ha_networks_log(const struct ha_networks *before, const struct ha_networks *n);

#endif

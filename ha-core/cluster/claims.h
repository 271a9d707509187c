/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Blocks of addresses, each claimed by one host for good: what a host gives to mobile nodes comes
 * from its own. cluster.c says when there is a server, ha_cluster.c which blocks there are.
 */
#ifndef HA_CORE_CLUSTER_CLAIMS_H
#define HA_CORE_CLUSTER_CLAIMS_H

#include "ha-core/cluster/cluster.h"
#include "ha-core/cluster/connection.h"

struct claims;

/** All is kept by reference. @param key  of the hash that they are in. @retval -ENOMEM */
int claims_open(const struct cluster_conf *conf, const struct cluster_hooks *hooks,
		struct connection *connection, const char *key, struct claims **ret_cl);
/** Takes NULL, returns NULL. */
struct claims *claims_close(struct claims *cl);

/** The server has been reached, or left: whatever was asked is not answered any more. */
void claims_restart(struct claims *cl, uint64_t not_before_ms);
/** There may be blocks that were not known of before: begins anew. */
void claims_compare(struct claims *cl);
/** Everything shared has been applied: asks for what is to be known or had next, if anything. */
void claims_work(struct claims *cl);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Networks behind mobile nodes that are routers (RFC 5177 §6.1): which ones a node may register,
 * and, in a table, those that are registered now.
 */
#ifndef HA_CORE_AUTH_NETWORK_H
#define HA_CORE_AUTH_NETWORK_H

#include "common/addr.h"
#include "common/hash.h"
#include "common/order.h"

/** Of one mobile node: a binding has a bit for each. */
#define NETWORK_MAX 32

struct sa_peer;

struct network {
	struct addr_prefix prefix;
	uint8_t index;         /* in its list */
	struct sa_peer *node;  /* not owned; its owner */
	unsigned int user_cnt; /* bindings that it is registered with */
	/* of a table, while there are users */
	struct hash_node link;
	struct network *next, **prev;
};

/** What a node may register. Belongs to the node; never changes, but is replaced. */
struct network_list {
	bool implicit; /* register all of them for a node that names none (§6.2.2) */
	size_t cnt;
	struct network networks[];
};

/** Networks that packets are routed to, and those that may come to be. */
struct network_table {
	struct hash by_prefix;
	unsigned int len_cnt[33]; /* how many there are of each prefix length */
	struct network *all;
	size_t cnt;
	struct order allowed; /* last address, first address: what any node may register */
};

/**
 * Adds a network to what the node may register; one that is there already is harmless.
 * @retval ERR_TOO_MANY  it has NETWORK_MAX
 * @retval -ENOMEM
 */
int network_list_add(struct network_list **list, struct sa_peer *node, struct addr_prefix prefix);
void network_list_free(struct network_list *list);

/** May both register the same? Not who does now. Takes NULL. */
bool network_list_same(const struct network_list *a, const struct network_list *b);

/** The network with just this prefix, or NULL. list may be NULL. */
struct network *network_list_find(struct network_list *list, struct addr_prefix prefix);

/** @retval -ENOMEM */
int network_table_init(struct network_table *t);
/** Networks in it are left alone. */
void network_table_done(struct network_table *t);

void network_table_put(struct network_table *t, struct network *net);
void network_table_del(struct network_table *t, struct network *net);

/** The network with just this prefix, or NULL. */
struct network *network_table_get(const struct network_table *t, struct addr_prefix prefix);

/** The longest prefix that contains the address, or NULL. Costs nothing while there are none. */
struct network *network_table_find(const struct network_table *t, struct in_addr addr);

/** A node may register this one. Networks of different nodes do not overlap. @retval -ENOMEM */
int network_table_allow(struct network_table *t, struct addr_prefix prefix);

/** A network that a node may register and that contains the address. *ret written only if true. */
bool network_table_find_allowed(const struct network_table *t, struct in_addr addr,
				struct addr_prefix *ret);

static inline uint32_t network_bit(const struct network *net)
{
	return UINT32_C(1) << net->index;
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The table of nodes that the programs look a home address up in (habpf.h, ha_nodes), as its one
 * writer sees it. Nothing here knows of BPF: it is memory that others read meanwhile.
 */
#ifndef HA_CORE_TUNNEL_BPF_BPF_NODES_H
#define HA_CORE_TUNNEL_BPF_BPF_NODES_H

#include "ha-core/tunnel/bpf/habpf.h"

#include <stdbool.h>
#include <stdint.h>

struct bpf_nodes {
	struct habpf_node *entries; /* habpf_entry_cnt(slot_cnt) of them; not owned */
	uint32_t slot_cnt;
	uint32_t cnt; /* alive */
	uint32_t max; /* as many may be */
};

/** Slots for so many nodes: twice, so that a home address is found where it is looked for. */
uint32_t bpf_nodes_slot_cnt(uint32_t node_cnt);

/** Takes the table over as it is: all zero, or what a daemon before us left. */
void bpf_nodes_init(struct bpf_nodes *t, struct habpf_node *entries, uint32_t slot_cnt,
		    uint32_t max);

/** The live entry of a home address, or NULL. */
struct habpf_node *bpf_nodes_find(const struct bpf_nodes *t, __be32 home_addr);

/**
 * A place for a home address that has no live entry; its count is zero. It comes alive with
 * bpf_nodes_write().
 * @return NULL  there are too many, of this neighbourhood or in all
 */
struct habpf_node *bpf_nodes_take(const struct bpf_nodes *t, __be32 home_addr);

/** From now on a packet of this home address meets this tunnel; never something between. */
void bpf_nodes_write(struct bpf_nodes *t, struct habpf_node *node, __be32 home_addr,
		     const struct habpf_tunnel *tunnel);

/** From now on no packet finds it. Its count can still be read. */
void bpf_nodes_del(struct bpf_nodes *t, struct habpf_node *node);

/** The next live entry behind `node`, or the first one if that is NULL; NULL: no more. */
struct habpf_node *bpf_nodes_next(const struct bpf_nodes *t, struct habpf_node *node);

static inline __be32 bpf_nodes_home_addr(const struct habpf_node *node)
{
	return (__be32)(node->tag >> 32);
}

#endif

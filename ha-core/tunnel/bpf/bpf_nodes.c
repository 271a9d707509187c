/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of nodes: an open hash over memory that the programs read while we write. tunnel_bpf.c
 * calls it.
 *
 * Why not the kernel's own hash: at a million nodes a packet's price is the cache lines that it has
 * to wait for, and there they are four, one after the other: a bucket, an element across two lines,
 * a counter. Here it is one: an entry is a line, and its address is known by arithmetic. Its
 * neighbours, should it not lie in its first place, are in lines that the processor fetches along.
 *
 * Who reads trusts nothing but the tag. An entry is changed with the tag odd, which programs take
 * for "not here": the packet goes to the TUN tier, which carries everything. A tag that is the same
 * before and after they have read says that what they read is of one piece (a seqlock, its version
 * and its key in one word). An entry that is deleted just stays odd; its home address finds its
 * place again, or another takes it over, and nothing ever moves. So the paths of look-ups hold, and
 * counters that a program adds to a moment too late do no harm.
 *
 * Home addresses are given by who runs the network: nobody picks them to collide.
 */
#include "ha-core/tunnel/bpf/bpf_nodes.h"

#include <arpa/inet.h>
#include <stddef.h>

static bool is_alive(uint64_t tag)
{
	return tag != 0 && !(tag & HABPF_TAG_ODD);
}

static uint64_t with_version(__be32 home_addr, uint32_t version)
{
	return (uint64_t)home_addr << 32 | version;
}

static struct habpf_node *first_place(const struct bpf_nodes *t, __be32 home_addr)
{
	return &t->entries[habpf_first_slot(ntohl(home_addr), t->slot_cnt)];
}

uint32_t bpf_nodes_slot_cnt(uint32_t node_cnt)
{
	return 2 * node_cnt;
}

void bpf_nodes_init(struct bpf_nodes *t, struct habpf_node *entries, uint32_t slot_cnt,
		    uint32_t max)
{
	struct habpf_node *node = NULL;

	*t = (struct bpf_nodes){ .entries = entries, .slot_cnt = slot_cnt, .max = max };
	while ((node = bpf_nodes_next(t, node)))
		t->cnt++;
}

struct habpf_node *bpf_nodes_find(const struct bpf_nodes *t, __be32 home_addr)
{
	struct habpf_node *node = first_place(t, home_addr);
	int i;

	for (i = 0; i < HABPF_PROBES && node->tag != 0; i++, node++)
		if (bpf_nodes_home_addr(node) == home_addr)
			return is_alive(node->tag) ? node : NULL;
	return NULL;
}

struct habpf_node *bpf_nodes_take(const struct bpf_nodes *t, __be32 home_addr)
{
	struct habpf_node *node = first_place(t, home_addr), *place = NULL;
	int i;

	if (t->cnt >= t->max)
		return NULL;
	for (i = 0; i < HABPF_PROBES; i++, node++) {
		/* Its own of before goes first: it must not be there twice. */
		if (bpf_nodes_home_addr(node) == home_addr)
			place = node;
		else if (!is_alive(node->tag) && !place)
			place = node;
		if (node->tag == 0 || bpf_nodes_home_addr(node) == home_addr)
			break;
	}
	if (place)
		place->count = (struct habpf_count){ 0 };
	return place;
}

void bpf_nodes_write(struct bpf_nodes *t, struct habpf_node *node, __be32 home_addr,
		     const struct habpf_tunnel *tunnel)
{
	uint32_t odd = (uint32_t)node->tag | HABPF_TAG_ODD;

	if (!is_alive(node->tag))
		t->cnt++;
	__atomic_store_n(&node->tag, with_version(home_addr, odd), __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE); /* odd before any of it is another's */
	*(volatile struct habpf_tunnel *)&node->tunnel = *tunnel;
	__atomic_store_n(&node->tag, with_version(home_addr, odd + 1), __ATOMIC_RELEASE);
}

void bpf_nodes_del(struct bpf_nodes *t, struct habpf_node *node)
{
	__atomic_store_n(&node->tag, node->tag | HABPF_TAG_ODD, __ATOMIC_RELEASE);
	t->cnt--;
}

struct habpf_node *bpf_nodes_next(const struct bpf_nodes *t, struct habpf_node *node)
{
	struct habpf_node *end = t->entries + habpf_entry_cnt(t->slot_cnt);

	for (node = node ? node + 1 : t->entries; node < end; node++)
		if (is_alive(node->tag))
			return node;
	return NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The programs' maps, and what is looked up or counted in them. See habpf.h for who writes what.
 * The maps are weak, as both programs define them: the linker makes them one.
 */
#ifndef HA_CORE_TUNNEL_BPF_HABPF_MAPS_H
#define HA_CORE_TUNNEL_BPF_HABPF_MAPS_H

#include "ha-core/tunnel/bpf/habpf.h"

#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#define SOURCE_CNT    4096
#define NS_PER_SECOND 1000000000ull

/*
 * A stamp: by which interface something passed the reverse path filter, and when. It is one word,
 * which CPUs can write over each other's. The clock goes round in three days.
 */
#define STAMP_IFINDEX_SHIFT 18
#define STAMP_CLOCK_MASK    ((1u << STAMP_IFINDEX_SHIFT) - 1)
#define STAMP_TICK_SHIFT    30 /* of about a second */
#define STAMP_TICKS         8

/*
 * What is checked and then used as an index has to be one and the same register: Linux 6.1's
 * verifier does not see that of two copies, one of them on the stack, the check holds for both.
 */
#define HABPF_AS_ONE_COPY(x) asm volatile("" : "+r"(x))

/* How many drops of each reason were passed on in the second that began at `since_ns`. */
struct sample {
	__u64 since_ns;
	__u32 passed[HABPF_DROP_CNT];
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} ha_select SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct habpf_config);
} ha_config SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HABPF_PORT_CNT);
	__type(key, __u32);
	__type(value, struct habpf_port);
} ha_ports SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE); /* its values then begin at a page, and so at a line */
	__uint(max_entries, 1);            /* the daemon's choice */
	__type(key, __u32);
	__type(value, struct habpf_node);
} ha_nodes SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct habpf_totals);
} ha_totals SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HABPF_PORT_CNT);
	__type(key, __u32);
	__type(value, __u64);
} ha_drops SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sample);
} ha_sample SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HABPF_HOP_CNT);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} ha_hops SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SOURCE_CNT);
	__type(key, __u32);
	__type(value, __u64); /* the address, and a stamp */
} ha_sources SEC(".maps") __weak;

static __always_inline __u32 stamp_make(__u32 ifindex, __u64 now_ns)
{
	return ifindex << STAMP_IFINDEX_SHIFT |
	       ((__u32)(now_ns >> STAMP_TICK_SHIFT) & STAMP_CLOCK_MASK);
}

static __always_inline bool stamp_holds(__u32 stamp, __u32 ifindex, __u64 now_ns)
{
	return stamp >> STAMP_IFINDEX_SHIFT == ifindex &&
	       ((stamp_make(0, now_ns) - stamp) & STAMP_CLOCK_MASK) < STAMP_TICKS;
}

/** Where it is noted that a source has passed; another's note may be there. */
static __always_inline volatile __u64 *source_note(__be32 src)
{
	__u32 index = (src * 0x9e3779b1u) >> 20;

	return bpf_map_lookup_elem(&ha_sources, &index);
}

/** The configuration that holds; NULL: none that we understand. */
static __always_inline const struct habpf_config *config_find(void)
{
	const struct habpf_config *config;
	__u32 zero = 0, *select, which;

	select = bpf_map_lookup_elem(&ha_select, &zero);
	if (!select)
		return NULL;
	which = *(volatile __u32 *)select;
	config = bpf_map_lookup_elem(&ha_config, &which);
	return config && config->layout == HABPF_LAYOUT ? config : NULL;
}

static __always_inline const struct habpf_port *port_find(__u32 ifindex)
{
	return bpf_map_lookup_elem(&ha_ports, &ifindex);
}

/* 0, once all of these are read: what is read at an address that it is part of is so later. */
static __always_inline __u64 zero_after(const __u64 *words, __u32 cnt)
{
	__u64 all = 0;
	__u32 i;

	for (i = 0; i < cnt; i++)
		all |= words[i];
	asm volatile("%0 &= 0" : "+r"(all));
	return all;
}

/**
 * Where a home address has its entry; one of ha_nodes that there is not: nowhere. A global
 * function: the verifier looks at its loop once and not on each way that goes on from there.
 */
__weak __attribute__((noinline)) __u32 node_search(__be32 home_addr, __u32 slot_cnt)
{
	__u32 slot = habpf_first_slot(bpf_ntohl(home_addr), slot_cnt), i;
	const struct habpf_node *node;
	__u64 tag;

	for (i = 0; i < HABPF_PROBES; i++, slot++) {
		node = bpf_map_lookup_elem(&ha_nodes, &slot);
		if (!node)
			break;
		tag = *(volatile __u64 *)&node->tag;
		if (tag >> 32 == home_addr)
			return slot;
		if (tag == 0)
			break;
	}
	return ~0u;
}

/**
 * A node's entry, and its tunnel as it is at one moment.
 * @return NULL  there is none, or it is being changed
 */
static __always_inline struct habpf_node *node_find(const struct habpf_config *config,
						    __be32 home_addr,
						    struct habpf_tunnel *out_tunnel)
{
	__u32 slot = node_search(home_addr, config->slot_cnt);
	struct habpf_node *node = bpf_map_lookup_elem(&ha_nodes, &slot);
	__u64 tag;

	if (!node)
		return NULL;
	tag = *(volatile __u64 *)&node->tag;
	if (tag >> 32 != home_addr || tag & HABPF_TAG_ODD)
		return NULL;
	*out_tunnel = *(volatile struct habpf_tunnel *)&node->tunnel;
	if (*(volatile __u64 *)((void *)&node->tag +
				zero_after((const void *)out_tunnel,
					   sizeof(*out_tunnel) / sizeof(__u64))) != tag)
		return NULL;
	return node;
}

/** This CPU's. */
static __always_inline struct habpf_totals *totals_find(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&ha_totals, &zero);
}

/** Counts a drop of what came by this interface. */
static __always_inline void port_count_drop(__u32 ifindex)
{
	__u64 *drops = bpf_map_lookup_elem(&ha_drops, &ifindex);

	if (drops)
		(*drops)++;
}

static __always_inline bool tunnel_is_expired(const struct habpf_tunnel *tunnel, __u64 now_ns)
{
	return now_ns >= tunnel->expires_ns;
}

/**
 * Does this drop go to the TUN tier, which drops, counts and logs it? Some in each second do, so
 * that the operator learns who it is; a flood does not.
 */
static __always_inline bool drop_is_reported(const struct habpf_config *config,
					     enum habpf_drop reason, __u64 now_ns)
{
	struct sample *sample;
	__u32 zero = 0, index = reason, i;

	sample = bpf_map_lookup_elem(&ha_sample, &zero);
	if (!sample || config->drops_per_second == 0)
		return false;
	if (now_ns - sample->since_ns >= NS_PER_SECOND) {
		sample->since_ns = now_ns;
		for (i = 0; i < HABPF_DROP_CNT; i++)
			sample->passed[i] = 0;
	}
	HABPF_AS_ONE_COPY(index);
	if (index >= HABPF_DROP_CNT || sample->passed[index] >= config->drops_per_second)
		return false;
	sample->passed[index]++;
	return true;
}

/** Notes a next hop, for the daemon. Written to only when it changes: the line is everybody's. */
static __always_inline void hop_note(__u32 ifindex, __be32 addr)
{
	__u32 index = (addr * 0x9e3779b1u) >> 16 & (HABPF_HOP_CNT - 1);
	__u64 hop = (__u64)ifindex << 32 | addr;
	volatile __u64 *noted = bpf_map_lookup_elem(&ha_hops, &index);

	if (noted && *noted != hop)
		*noted = hop;
}

#endif

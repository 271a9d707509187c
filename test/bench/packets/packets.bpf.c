// SPDX-License-Identifier: BSD-2-Clause
/*
 * The bench's source and its sink. `generate` runs under BPF_F_TEST_XDP_LIVE_FRAMES: each frame is
 * written and redirected into a veth. `count` is attached at the other end of the way, and drops.
 */
#include "test/bench/packets/packets.h"

#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct packets_plan plan = { 0 };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} counted SEC(".maps");

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

static __always_inline void put16(void *data, const void *end, __u32 at, __u16 value)
{
	if (at <= PACKETS_HEADERS - 2 && data + at + 2 <= end)
		*(__u16 *)(data + at) = value;
}

static __always_inline void put32(void *data, const void *end, __u32 at, __u32 value)
{
	if (at <= PACKETS_HEADERS - 4 && data + at + 4 <= end)
		*(__u32 *)(data + at) = value;
}

/* A run of the headers, if the frame is that long. */
#define PUT_HEADERS(from, to)                                                                  \
	do {                                                                                   \
		if (data + (to) <= end)                                                        \
			__builtin_memcpy(data + (from), plan.headers + (from), (to) - (from)); \
	} while (0)

SEC("xdp")
int generate(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 i = 0, node, care_of;

	PUT_HEADERS(0, PACKETS_FRAME_MIN);
	PUT_HEADERS(PACKETS_FRAME_MIN, 80);
	PUT_HEADERS(80, PACKETS_HEADERS);
	if (plan.node_cnt > 1)
		i = bpf_get_prandom_u32() % plan.node_cnt;
	node = bpf_htonl(bpf_ntohl(plan.node_first) + i);
	care_of = bpf_htonl(bpf_ntohl(plan.care_of_first) + i);
	put32(data, end, plan.node_at, node);
	put16(data, end, plan.ip_check_at, ~fold((__u64)plan.ip_sum + node));
	if (plan.udp_check_at)
		put16(data, end, plan.udp_check_at, ~fold((__u64)plan.udp_sum + node));
	if (plan.care_of_at) {
		put32(data, end, plan.care_of_at, care_of);
		put16(data, end, plan.outer_check_at, ~fold((__u64)plan.outer_sum + care_of));
	}
	/* The inner segment adds up to what its pseudo-header lacks. */
	if (plan.tunnel_check_at)
		put16(data, end, plan.tunnel_check_at,
		      ~fold((__u64)plan.tunnel_sum + care_of + (__u32)~node));
	return (int)bpf_redirect(plan.ifindex, 0);
}

SEC("xdp")
int count(struct xdp_md *ctx)
{
	__u32 zero = 0;
	__u64 *counter = bpf_map_lookup_elem(&counted, &zero);

	(void)ctx;
	if (counter)
		++*counter;
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";

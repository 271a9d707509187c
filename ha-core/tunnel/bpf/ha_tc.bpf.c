// SPDX-License-Identifier: BSD-2-Clause
/*
 * The fast path at tc, on ingress: for every interface with Ethernet frames. What habpf_encap.h
 * says of a packet, in this hook's verbs. Large segments (GSO) stay whole on their way.
 */
#include "ha-core/tunnel/bpf/habpf.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#define HABPF_CTX struct __sk_buff
#define CTX_PASS  TC_ACT_UNSPEC /* the next program may want it */
#define CTX_DROP  TC_ACT_SHOT
#define CTX_PORT  HABPF_PORT_ETHER
#define CTX_FIRST 0 /* nobody comes after us */

static __always_inline __u32 ctx_ifindex(const struct __sk_buff *ctx)
{
	return ctx->ifindex;
}

static __always_inline bool ctx_has_tag(const struct __sk_buff *ctx)
{
	return ctx->vlan_present;
}

static __always_inline void *ctx_data(const struct __sk_buff *ctx)
{
	return (void *)(long)ctx->data;
}

static __always_inline void *ctx_end(const struct __sk_buff *ctx)
{
	return (void *)(long)ctx->data_end;
}

static __always_inline void ctx_load(struct __sk_buff *ctx);

static __always_inline __u32 ctx_frame_len(const struct __sk_buff *ctx)
{
	return ctx->len;
}

static __always_inline __u32 ctx_gso_size(const struct __sk_buff *ctx)
{
	return ctx->gso_size;
}

static __always_inline __u32 ctx_gso_segs(const struct __sk_buff *ctx)
{
	return ctx->gso_segs;
}

/*
 * The size of segments is left as it is: each is known to fit. (The kernel would make them
 * smaller, which a packet with DF that is too long must not be.)
 */
static __always_inline int ctx_grow(struct __sk_buff *ctx, __u32 len, __u8 protocol)
{
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4;

	if (protocol == IPPROTO_UDP)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_UDP;
	else if (protocol == IPPROTO_GRE)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_GRE;
	return (int)bpf_skb_adjust_room(ctx, (int)len, BPF_ADJ_ROOM_MAC, flags);
}

static __always_inline int ctx_shrink(struct __sk_buff *ctx, __u32 len)
{
	return (int)bpf_skb_adjust_room(ctx, -(int)len, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO);
}

static __always_inline int ctx_cut(struct __sk_buff *ctx, __u32 len)
{
	return ctx->len > len ? (int)bpf_skb_change_tail(ctx, len, 0) : 0;
}

static __always_inline int ctx_redirect(struct __sk_buff *ctx, __u32 ifindex)
{
	(void)ctx;
	return (int)bpf_redirect(ifindex, 0);
}

#include "ha-core/tunnel/bpf/habpf_encap.h"

static __always_inline void ctx_load(struct __sk_buff *ctx)
{
	__u32 len = ctx->len < HABPF_HEADERS ? ctx->len : HABPF_HEADERS;

	if (ctx->data_end - ctx->data < len)
		(void)bpf_skb_pull_data(ctx, len);
}

SEC("tc")
int ha_tc(struct __sk_buff *ctx)
{
	return habpf_main(ctx);
}

char _license[] SEC("license") __weak = "Dual BSD/GPL";

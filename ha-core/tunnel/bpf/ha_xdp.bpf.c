// SPDX-License-Identifier: BSD-2-Clause
/*
 * The fast path at XDP: before the kernel has made a packet of the frame. For drivers with native
 * XDP; what habpf_encap.h says of a packet, in this hook's verbs.
 *
 * A frame of more than one buffer (jumbo) is passed on; that the program takes such frames at all
 * lets it attach where they may come.
 */
#include "ha-core/tunnel/bpf/habpf.h"

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#define HABPF_CTX struct xdp_md
#define CTX_PASS  XDP_PASS
#define CTX_DROP  XDP_DROP
#define CTX_PORT  HABPF_PORT_XMIT
#define CTX_FIRST HABPF_PORT_SECOND

static __always_inline __u32 ctx_ifindex(const struct xdp_md *ctx)
{
	return ctx->ingress_ifindex;
}

static __always_inline bool ctx_has_tag(const struct xdp_md *ctx)
{
	(void)ctx;
	return false; /* it is in the frame */
}

static __always_inline void ctx_load(struct xdp_md *ctx)
{
	(void)ctx;
}

static __always_inline void *ctx_data(const struct xdp_md *ctx)
{
	return (void *)(long)ctx->data;
}

static __always_inline void *ctx_end(const struct xdp_md *ctx)
{
	return (void *)(long)ctx->data_end;
}

/* Of the first buffer. */
static __always_inline __u32 ctx_frame_len(const struct xdp_md *ctx)
{
	return ctx->data_end - ctx->data;
}

static __always_inline __u32 ctx_gso_size(const struct xdp_md *ctx)
{
	(void)ctx;
	return 0;
}

static __always_inline __u32 ctx_gso_segs(const struct xdp_md *ctx)
{
	(void)ctx;
	return 0;
}

static __always_inline int ctx_grow(struct xdp_md *ctx, __u32 len, __u8 protocol)
{
	(void)protocol;
	return (int)bpf_xdp_adjust_head(ctx, -(int)len);
}

static __always_inline int ctx_shrink(struct xdp_md *ctx, __u32 len)
{
	return (int)bpf_xdp_adjust_head(ctx, (int)len);
}

/* Of a packet that ends in the first of several buffers, something may go on trailing behind. */
static __always_inline int ctx_cut(struct xdp_md *ctx, __u32 len)
{
	__u32 now = ctx->data_end - ctx->data;

	return now > len ? (int)bpf_xdp_adjust_tail(ctx, (int)(len - now)) : 0;
}

static __always_inline int ctx_redirect(struct xdp_md *ctx, __u32 ifindex)
{
	(void)ctx;
	return (int)bpf_redirect(ifindex, 0);
}

#include "ha-core/tunnel/bpf/habpf_encap.h"

SEC("xdp.frags")
int ha_xdp(struct xdp_md *ctx)
{
	return habpf_main(ctx);
}

char _license[] SEC("license") __weak = "Dual BSD/GPL";

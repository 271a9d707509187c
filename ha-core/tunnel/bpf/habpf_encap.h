/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * A packet's way through the programs, written once over the verbs of a hook. A program defines
 * HABPF_CTX, the type of its context, and these before it includes this file:
 *
 *	CTX_PASS, CTX_DROP      verdicts
 *	CTX_PORT                HABPF_PORT_* flag that an interface needs to be left by
 *	CTX_FIRST               the one by which another program gets what this one leaves; or 0
 *	ctx_ifindex(ctx)        where the frame came in
 *	ctx_has_tag(ctx)        a VLAN tag that is not in the frame any more
 *	ctx_load(ctx)           lays the first HABPF_HEADERS octets out in a row, or all there are
 *	ctx_frame_len(ctx)      octets of the frame that a packet may lie in
 *	ctx_gso_size(ctx), ctx_gso_segs(ctx)  of a large segment; else 0
 *	ctx_grow(ctx, len, proto)  room for an outer header of this IP protocol before the IP header
 *	ctx_shrink(ctx, len)    takes octets away from before the inner IP header
 *	ctx_cut(ctx, len)       ends the frame there, if it is longer
 *	ctx_redirect(ctx, ifindex)
 *
 * All that can be found out is found out before the first octet is changed. What the TUN tier
 * (tunnel_tun.c) would do otherwise, or says better, is left to it. What trails behind a packet, an
 * Ethernet frame's padding above all, is no part of it and does not go on.
 *
 * RFC 2003 §3.1 (outer header, TTL), RFC 2784, RFC 3519 §3.3 and §4.3, RFC 3024 §4.3.2 (who may
 * send what), RFC 6040, RFC 6864 §4.2 (Identification).
 */
#ifndef HA_CORE_TUNNEL_BPF_HABPF_ENCAP_H
#define HA_CORE_TUNNEL_BPF_HABPF_ENCAP_H

#include "ha-core/tunnel/bpf/habpf_maps.h"
#include "ha-core/tunnel/bpf/habpf_parse.h"

/* A GRE header without options, and the UDP and tunnel data headers. */
#define GRE_LEN          4
#define GRE_TYPE_IPV4    bpf_htonl(0x00000800)
#define TUNNEL_LEN       (UDP_LEN + 4)
#define TUNNEL_DATA_TYPE 4
#define OVERHEAD_MAX     (IP_LEN + TUNNEL_LEN + GRE_LEN)
#define AF_INET          2
#define TTL_DEFAULT      64
#define ENODEV           19

/* The most that is looked at: Ethernet, outer headers, inner IP and TCP. */
#define HABPF_HEADERS (ETH_HLEN + OVERHEAD_MAX + IP_LEN + TCP_LEN_MIN)

/** The UDP header and the tunnel data header behind it (RFC 3519 §3.3). */
struct tunnel_header {
	__be16 src_port, dst_port, len;
	__u16 check;
	__u8 type, next_header;
	__be16 reserved;
};

/** One packet's affairs, gathered once. */
struct visit {
	const struct habpf_config *config;
	const struct habpf_port *port;
	struct habpf_totals *totals;
	__u64 now_ns;
	__u32 ifindex; /* where it came in */
};

/** The way out. */
struct way {
	__u32 ifindex;
	__u8 smac[ETH_ALEN], dmac[ETH_ALEN];
};

/* Where another program has its turn after us it is that one's to count. */
static __always_inline int leave(struct visit *v, enum habpf_leave reason)
{
	if (!(v->port->flags & CTX_FIRST))
		v->totals->left[reason]++;
	return CTX_PASS;
}

static __always_inline int drop(struct visit *v, enum habpf_drop reason)
{
	__u32 index = reason;

	if (drop_is_reported(v->config, reason, v->now_ns))
		return leave(v, HABPF_LEAVE_REPORT);
	HABPF_AS_ONE_COPY(index);
	if (index < HABPF_DROP_CNT) /* always; but the verifier does not know */
		v->totals->drops[index]++;
	port_count_drop(v->ifindex);
	return CTX_DROP;
}

/* @return how many packets to this node there were before */
static __always_inline __u64 count_to(struct visit *v, struct habpf_node *node, __u32 packets,
				      __u32 bytes)
{
	v->totals->count.packets_to += packets;
	v->totals->count.bytes_to += bytes;
	(void)__sync_fetch_and_add(&node->count.bytes_to, bytes);
	return __sync_fetch_and_add(&node->count.packets_to, packets);
}

static __always_inline void count_from(struct visit *v, struct habpf_node *node, __u32 packets,
				       __u32 bytes)
{
	v->totals->count.packets_from += packets;
	v->totals->count.bytes_from += bytes;
	(void)__sync_fetch_and_add(&node->count.packets_from, packets);
	(void)__sync_fetch_and_add(&node->count.bytes_from, bytes);
}

/* The inner TTL goes down by one, as in the kernel's forwarding (RFC 1624). */
static __always_inline void decrement_ttl(struct iphdr *ip)
{
	__u32 check = (__u32)ip->check + bpf_htons(0x0100);

	ip->check = (__u16)(check + (check >= 0xffff));
	ip->ttl--;
}

static __always_inline void put_tos(struct iphdr *ip, __u8 tos)
{
	__u32 sum = (__u16)~ip->check;

	sum += (__u16)~bpf_htons(0x4500 | ip->tos);
	sum += bpf_htons(0x4500 | tos);
	ip->check = (__u16)~sum_fold(sum);
	ip->tos = tos;
}

/*
 * A route, as for a packet that enters by the TUN device. A killed daemon has none, and then as
 * for one from the interface it came by.
 * @param fib  filled in: what is asked; its family and ifindex are not
 */
static __always_inline long fib_lookup(HABPF_CTX *ctx, const struct visit *v,
				       struct bpf_fib_lookup *fib)
{
	long err;

	fib->family = AF_INET;
	fib->ifindex = v->config->device_ifindex ? v->config->device_ifindex : ctx_ifindex(ctx);
	err = bpf_fib_lookup(ctx, fib, sizeof(*fib), 0);
	if (err == -ENODEV && v->config->device_ifindex) {
		fib->ifindex = ctx_ifindex(ctx);
		err = bpf_fib_lookup(ctx, fib, sizeof(*fib), 0);
	}
	return err;
}

/* The kernel's own checks of a source: it is a host's, and no address of ours (RFC 2003 §3.2). */
static __always_inline bool source_is_hosts(const struct visit *v, __be32 src)
{
	return is_unicast(src) && !is_local(v->config, src);
}

static __always_inline bool has_path_filter(const struct visit *v)
{
	return v->port->flags & (HABPF_PORT_STRICT | HABPF_PORT_LOOSE);
}

/* The reverse path filter of the interface that a packet came by. */
static __always_inline bool path_filter_passes(HABPF_CTX *ctx, const struct visit *v, __be32 src)
{
	struct bpf_fib_lookup fib = { .ipv4_dst = src };
	long err = fib_lookup(ctx, v, &fib);

	if (err != BPF_FIB_LKUP_RET_SUCCESS && err != BPF_FIB_LKUP_RET_NO_NEIGH)
		return false;
	return !(v->port->flags & HABPF_PORT_STRICT) || fib.ifindex == ctx_ifindex(ctx);
}

/*
 * A correspondent's. What has passed once is taken to pass for some seconds: a look-up costs as
 * much as half of all the rest.
 */
static __always_inline bool source_is_valid(HABPF_CTX *ctx, const struct visit *v, __be32 src)
{
	__u32 ifindex = ctx_ifindex(ctx);
	volatile __u64 *note;
	__u64 noted;

	if (!source_is_hosts(v, src))
		return false;
	if (!has_path_filter(v))
		return true;
	note = source_note(src);
	if (!note)
		return false;
	noted = *note;
	if (noted >> 32 == src && stamp_holds((__u32)noted, ifindex, v->now_ns))
		return true;
	if (!path_filter_passes(ctx, v, src))
		return false;
	*note = (__u64)src << 32 | stamp_make(ifindex, v->now_ns);
	return true;
}

/* The same for a tunnel's other end, noted in the binding. */
static __always_inline bool peer_is_valid(HABPF_CTX *ctx, const struct visit *v,
					  struct habpf_node *node,
					  const struct habpf_tunnel *tunnel)
{
	__u32 ifindex = ctx_ifindex(ctx);

	if (!source_is_hosts(v, tunnel->peer))
		return false;
	if (!has_path_filter(v) || stamp_holds(tunnel->checked, ifindex, v->now_ns))
		return true;
	if (!path_filter_passes(ctx, v, tunnel->peer))
		return false;
	*(volatile __u32 *)&node->tunnel.checked = stamp_make(ifindex, v->now_ns);
	return true;
}

/**
 * The way of a packet: out by a port, to a neighbour that the kernel knows.
 * @param fib  filled in: what is asked; its ifindex is not
 * @return 0, or enum habpf_leave plus one
 */
static __always_inline int way_find(HABPF_CTX *ctx, const struct visit *v,
				    struct bpf_fib_lookup *fib, struct way *ret_way)
{
	const struct habpf_port *out;
	long err;

	if (v->config->route_mtu && fib->tot_len > v->config->route_mtu)
		return HABPF_LEAVE_MTU + 1;
	err = fib_lookup(ctx, v, fib);
	if (err == BPF_FIB_LKUP_RET_FRAG_NEEDED)
		return HABPF_LEAVE_MTU + 1;
	if (err != BPF_FIB_LKUP_RET_SUCCESS || fib->family != AF_INET)
		return HABPF_LEAVE_ROUTE + 1;
	out = port_find(fib->ifindex);
	if (!out || !(out->flags & HABPF_PORT_ETHER) || !(out->flags & CTX_PORT))
		return HABPF_LEAVE_PORT + 1;
	hop_note(fib->ifindex, fib->ipv4_dst);
	ret_way->ifindex = fib->ifindex;
	__builtin_memcpy(ret_way->smac, fib->smac, ETH_ALEN);
	__builtin_memcpy(ret_way->dmac, fib->dmac, ETH_ALEN);
	return 0;
}

static __always_inline void put_ethernet(struct ethhdr *eth, const struct way *way)
{
	__builtin_memcpy(eth->h_dest, way->dmac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, way->smac, ETH_ALEN);
	eth->h_proto = bpf_htons(ETH_P_IP);
}

/*
 * The checksum of a datagram of tunnel data, by what its inner segment must add up to. On the
 * wire 0 says "none" (RFC 768).
 * @param inner_sum  transport_sum()
 */
static __always_inline __u16 tunnel_checksum(__be32 src, __be32 dst, __u16 len,
					     const struct tunnel_header *th, __be32 gre,
					     __u64 inner_sum)
{
	const __u16 *data = (const void *)&th->type;
	__u64 sum = sum_pseudo(src, dst, IPPROTO_UDP, len);
	__u16 check;

	sum += (__u64)th->src_port + th->dst_port + th->len + data[0] + data[1];
	check = (__u16)~sum_fold(sum + gre + inner_sum);
	return check ? check : 0xffff;
}

static __always_inline int to_node(HABPF_CTX *ctx, struct visit *v, const struct iphdr *ip,
				   const void *end)
{
	const struct habpf_config *config = v->config;
	struct bpf_fib_lookup fib = { 0 };
	struct habpf_tunnel tunnel;
	struct habpf_node *node;
	struct transport l4;
	struct tunnel_header *th;
	struct iphdr *outer, *inner;
	struct ethhdr *eth;
	__u32 gso_size, packets, bytes, overhead, longest;
	__u16 total, header_len, ident;
	__u64 inner_sum = 0;
	struct way way;
	bool udp, gre;
	void *data;
	int why;

	node = node_find(config, ip->daddr, &tunnel);
	if (!node)
		return CTX_PASS;
	if (tunnel_is_expired(&tunnel, v->now_ns))
		return leave(v, HABPF_LEAVE_EXPIRED);
	if (ip->ihl != IP_LEN / 4)
		return leave(v, HABPF_LEAVE_OPTIONS);
	total = bpf_ntohs(ip->tot_len);
	if (total < IP_LEN || total + ETH_HLEN > ctx_frame_len(ctx) || !header_sum_is_right(ip))
		return leave(v, HABPF_LEAVE_CHECKSUM);
	if (is_fragment(ip))
		return leave(v, HABPF_LEAVE_FRAGMENT);
	if (ip->ttl <= 1) /* the kernel says "time exceeded" */
		return leave(v, HABPF_LEAVE_TTL);

	transport_parse(ip + 1, end, ip->protocol, total - IP_LEN, &l4);
	why = filter_judge(config, &tunnel, ip->protocol, ip->saddr, l4.src_port, &l4);
	if (why > 0) {
		if (ip->protocol == IPPROTO_ICMP)
			return leave(v, HABPF_LEAVE_ICMP);
		if (!source_is_valid(ctx, v, ip->saddr))
			return leave(v, HABPF_LEAVE_SOURCE);
		return drop(v, why - 1);
	}
	udp = tunnel.flags & HABPF_NODE_UDP;
	gre = tunnel.mode == PROTO_GRE;
	if (ip->saddr == tunnel.peer && !(tunnel.flags & HABPF_NODE_NAT))
		return leave(v, HABPF_LEAVE_LOOP);
	if (l4.is_syn && tunnel.flags & HABPF_NODE_CLAMP)
		return leave(v, HABPF_LEAVE_MSS);

	/* Of a large segment each piece has to fit, with headers of its own. */
	overhead = IP_LEN + (gre ? GRE_LEN : 0) + (udp ? TUNNEL_LEN : 0);
	gso_size = ctx_gso_size(ctx);
	header_len = IP_LEN + l4.header_len;
	packets = 1;
	bytes = longest = total;
	if (gso_size > 0) {
		packets = ctx_gso_segs(ctx);
		if (ip->protocol != IPPROTO_TCP || l4.header_len < TCP_LEN_MIN || packets == 0 ||
		    total + ETH_HLEN != ctx_frame_len(ctx))
			return leave(v, HABPF_LEAVE_OFFLOAD);
		longest = header_len + gso_size;
		bytes += (packets - 1) * header_len;
	}
	if (longest + overhead > tunnel.mtu || total + overhead > 0xffff)
		return leave(v, HABPF_LEAVE_MTU);
	if (udp) {
		l4.sums_up &= gso_size == 0;
		if (!l4.sums_up && config->flags & HABPF_UDP_CHECKSUM)
			return leave(v, HABPF_LEAVE_UDP);
		inner_sum = transport_sum(ip, total - IP_LEN);
	}
	if (!source_is_valid(ctx, v, ip->saddr))
		return leave(v, HABPF_LEAVE_SOURCE);

	fib.l4_protocol = udp ? IPPROTO_UDP : tunnel.mode;
	fib.tot_len = longest + overhead;
	fib.ipv4_src = config->home_agent;
	fib.ipv4_dst = tunnel.peer;
	if (udp) {
		fib.sport = config->port;
		fib.dport = tunnel.peer_port;
	}
	why = way_find(ctx, v, &fib, &way);
	if (why > 0)
		return leave(v, why - 1);
	if (ctx_cut(ctx, ETH_HLEN + total) < 0 || ctx_grow(ctx, overhead, fib.l4_protocol) < 0)
		return leave(v, HABPF_LEAVE_SYSTEM);

	/* From here on it is ours. */
	data = ctx_data(ctx);
	end = ctx_end(ctx);
	eth = data;
	outer = data + ETH_HLEN;
	if (data + ETH_HLEN + IP_LEN > end)
		return CTX_DROP;
	inner = data + ETH_HLEN + IP_LEN;
	if (udp) {
		th = data + ETH_HLEN + IP_LEN;
		inner = data + ETH_HLEN + IP_LEN + TUNNEL_LEN;
		if ((void *)inner > end)
			return CTX_DROP;
		th->src_port = config->port;
		th->dst_port = tunnel.peer_port;
		th->len = bpf_htons((__u16)(total + overhead - IP_LEN));
		th->type = TUNNEL_DATA_TYPE;
		th->next_header = tunnel.mode;
		th->reserved = 0;
		th->check = 0;
		if (l4.sums_up)
			th->check = tunnel_checksum(config->home_agent, tunnel.peer,
						    (__u16)(total + overhead - IP_LEN), th,
						    gre ? GRE_TYPE_IPV4 >> 16 : 0, inner_sum);
	}
	if (gre) {
		if ((void *)inner + GRE_LEN > end)
			return CTX_DROP;
		*(__be32 *)inner = GRE_TYPE_IPV4;
		inner = (void *)inner + GRE_LEN;
	}
	if ((void *)(inner + 1) > end)
		return CTX_DROP;
	decrement_ttl(inner);

	/* Other for each packet to a node, on any CPU. */
	ident = (__u16)(config->seed + bpf_ntohl(inner->daddr) + count_to(v, node, packets, bytes));
	*(__be16 *)outer = bpf_htons(
		0x4500 | (config->flags & HABPF_ECN_NORMAL ? inner->tos : inner->tos & ~ECN_MASK));
	outer->tot_len = bpf_htons((__u16)(total + overhead));
	outer->id = bpf_htons(ident);
	outer->frag_off = inner->frag_off & bpf_htons(DONT_FRAG);
	outer->ttl = TTL_DEFAULT;
	outer->protocol = udp ? IPPROTO_UDP : tunnel.mode;
	outer->check = 0;
	outer->saddr = config->home_agent;
	outer->daddr = tunnel.peer;
	outer->check = (__u16)~sum_fold(sum_header(outer));
	put_ethernet(eth, &way);
	return ctx_redirect(ctx, way.ifindex);
}

/* May a packet of this node's go on? As judge() in tunnel_tun.c. @return 0, or a verdict */
static __always_inline int judge(struct visit *v, const struct habpf_tunnel *tunnel,
				 const struct iphdr *outer, const struct iphdr *inner, bool udp,
				 __u8 mode, __be16 peer_port, int *out_verdict)
{
	const struct habpf_config *config = v->config;
	bool reverse = tunnel->flags & HABPF_NODE_REVERSE;

	*out_verdict = CTX_DROP;
	if (outer->saddr != tunnel->peer ||
	    (udp && tunnel->flags & HABPF_NODE_UDP && peer_port != tunnel->peer_port))
		*out_verdict = drop(v, HABPF_DROP_WRONG_SOURCE);
	else if (udp != !!(tunnel->flags & HABPF_NODE_UDP) || mode != tunnel->mode)
		*out_verdict = drop(v, HABPF_DROP_WRONG_ENCAPSULATION);
	else if (!is_unicast(inner->daddr))
		*out_verdict = drop(v, HABPF_DROP_DESTINATION);
	else if (!reverse && (udp || config->flags & HABPF_REVERSE_NEEDS_GRANT))
		*out_verdict = drop(v, HABPF_DROP_NO_REVERSE);
	else if (mode == PROTO_GRE && !udp && inner->daddr == outer->saddr)
		*out_verdict = drop(v, HABPF_DROP_LOOP);
	else
		return 0;
	return -1;
}

static __always_inline int from_node(HABPF_CTX *ctx, struct visit *v, const struct iphdr *outer,
				     const void *end)
{
	const struct habpf_config *config = v->config;
	__u16 total, inner_total, header_len, tunnel_len = 0;
	__u32 gso_size, packets, bytes, longest;
	const struct tunnel_header *th = NULL;
	struct bpf_fib_lookup fib = { 0 };
	struct habpf_tunnel tunnel;
	struct habpf_node *node;
	const struct iphdr *inner;
	struct iphdr *restored;
	struct transport l4;
	__be16 peer_port = 0;
	struct way way;
	__u8 mode, ecn, tos;
	bool udp, gre;
	void *data;
	int why, verdict;

	mode = outer->protocol;
	udp = mode == IPPROTO_UDP;
	if (outer->ihl != IP_LEN / 4) {
		if (udp || mode == PROTO_IPIP || mode == PROTO_GRE)
			return leave(v, HABPF_LEAVE_OPTIONS);
		return CTX_PASS;
	}
	if (is_fragment(outer)) /* to be reassembled first */
		return leave(v, HABPF_LEAVE_FRAGMENT);
	if (udp) {
		th = (const void *)(outer + 1);
		if ((const void *)(th + 1) > end || th->dst_port != config->port ||
		    th->type != TUNNEL_DATA_TYPE)
			return CTX_PASS; /* a registration, or nothing of ours */
		mode = th->next_header;
		peer_port = th->src_port;
		tunnel_len = TUNNEL_LEN;
	}
	if (mode == PROTO_MIN)
		return leave(v, HABPF_LEAVE_MINIMAL);
	if (mode != PROTO_IPIP && mode != PROTO_GRE)
		return udp ? drop(v, HABPF_DROP_MALFORMED) : CTX_PASS;
	total = bpf_ntohs(outer->tot_len);
	if (total < IP_LEN + tunnel_len || total + ETH_HLEN > ctx_frame_len(ctx) ||
	    !header_sum_is_right(outer))
		return leave(v, HABPF_LEAVE_CHECKSUM);
	if (th && th->len != bpf_htons(total - IP_LEN)) /* as udp, in a verifier's words */
		return leave(v, HABPF_LEAVE_UDP);
	gre = mode == PROTO_GRE;
	if (gre) {
		const __be32 *header = (const void *)(outer + 1) + tunnel_len;

		if ((const void *)(header + 1) > end || *header != GRE_TYPE_IPV4)
			return leave(v, HABPF_LEAVE_GRE);
		tunnel_len += GRE_LEN;
	}

	inner = (const void *)(outer + 1) + tunnel_len;
	if ((const void *)(inner + 1) > end || total < 2 * IP_LEN + tunnel_len)
		return drop(v, HABPF_DROP_MALFORMED);
	inner_total = bpf_ntohs(inner->tot_len);
	if (inner->version != 4 || inner->ihl < IP_LEN / 4 || inner_total < inner->ihl * 4 ||
	    inner_total > total - IP_LEN - tunnel_len)
		return drop(v, HABPF_DROP_MALFORMED);
	if (inner->ihl != IP_LEN / 4)
		return leave(v, HABPF_LEAVE_OPTIONS);
	if (!header_sum_is_right(inner))
		return drop(v, HABPF_DROP_MALFORMED);
	if (ecn_is_odd(inner->tos & ECN_MASK, outer->tos & ECN_MASK))
		return leave(v, HABPF_LEAVE_ECN);
	ecn = ecn_egress(inner->tos & ECN_MASK, outer->tos & ECN_MASK);
	if (is_fragment(inner))
		return leave(v, HABPF_LEAVE_FRAGMENT);
	if (inner->ttl <= 1)
		return leave(v, HABPF_LEAVE_TTL);

	node = node_find(config, inner->saddr, &tunnel);
	if (!node)
		return leave(v, HABPF_LEAVE_NO_NODE);
	if (tunnel_is_expired(&tunnel, v->now_ns))
		return leave(v, HABPF_LEAVE_EXPIRED);
	if (inner->daddr == config->home_agent)
		return leave(v, HABPF_LEAVE_LOCAL);
	if (judge(v, &tunnel, outer, inner, udp, mode, peer_port, &verdict) < 0)
		return verdict;
	transport_parse(inner + 1, end, inner->protocol, inner_total - IP_LEN, &l4);
	why = filter_judge(config, &tunnel, inner->protocol, inner->daddr, l4.dst_port, &l4);
	if (why == HABPF_DROP_FILTER_UNSOLICITED + 1)
		return leave(v, HABPF_LEAVE_CONTACT);
	if (why > 0) {
		if (inner->protocol == IPPROTO_ICMP)
			return leave(v, HABPF_LEAVE_ICMP);
		return drop(v, why - 1);
	}
	if (l4.is_syn && tunnel.flags & HABPF_NODE_CLAMP)
		return leave(v, HABPF_LEAVE_MSS);

	gso_size = ctx_gso_size(ctx);
	header_len = IP_LEN + l4.header_len;
	packets = 1;
	bytes = longest = inner_total;
	if (gso_size > 0) {
		packets = ctx_gso_segs(ctx);
		if (inner->protocol != IPPROTO_TCP || l4.header_len < TCP_LEN_MIN || packets == 0 ||
		    ETH_HLEN + IP_LEN + tunnel_len + inner_total != ctx_frame_len(ctx))
			return leave(v, HABPF_LEAVE_OFFLOAD);
		longest = header_len + gso_size;
		bytes += (packets - 1) * header_len;
	}
	/* A checksum that is there is checked (RFC 1122 §4.1.3.4): here, or by the kernel. */
	if (th && th->check != 0) {
		if (!l4.sums_up || gso_size > 0 ||
		    th->check != tunnel_checksum(outer->saddr, outer->daddr, total - IP_LEN, th,
						 gre ? GRE_TYPE_IPV4 >> 16 : 0,
						 transport_sum(inner, inner_total - IP_LEN)))
			return leave(v, HABPF_LEAVE_UDP);
	}
	if (!peer_is_valid(ctx, v, node, &tunnel))
		return leave(v, HABPF_LEAVE_SOURCE);

	fib.l4_protocol = inner->protocol;
	fib.tot_len = longest;
	fib.tos = inner->tos;
	fib.ipv4_src = inner->saddr;
	fib.ipv4_dst = inner->daddr;
	if (inner->protocol == IPPROTO_TCP || inner->protocol == IPPROTO_UDP) {
		fib.sport = l4.src_port;
		fib.dport = l4.dst_port;
	}
	why = way_find(ctx, v, &fib, &way);
	if (why > 0)
		return leave(v, why - 1);
	tos = (__u8)((inner->tos & ~ECN_MASK) | ecn);
	if (ctx_shrink(ctx, IP_LEN + tunnel_len) < 0)
		return leave(v, HABPF_LEAVE_SYSTEM);

	/* From here on it is ours. */
	if (ctx_cut(ctx, ETH_HLEN + inner_total) < 0)
		return CTX_DROP;
	data = ctx_data(ctx);
	end = ctx_end(ctx);
	restored = data + ETH_HLEN;
	if ((void *)(restored + 1) > end)
		return CTX_DROP;
	decrement_ttl(restored);
	if (restored->tos != tos)
		put_tos(restored, tos);
	put_ethernet(data, &way);
	count_from(v, node, packets, bytes);
	return ctx_redirect(ctx, way.ifindex);
}

static __always_inline bool is_addressed_to(const struct ethhdr *eth, const struct habpf_port *port)
{
	const __u16 *dest = (const void *)eth->h_dest, *mac = (const void *)port->mac;

	return dest[0] == mac[0] && dest[1] == mac[1] && dest[2] == mac[2];
}

/** The whole of a program. @return a verdict */
static __always_inline int habpf_main(HABPF_CTX *ctx)
{
	const struct ethhdr *eth;
	const struct iphdr *ip;
	const void *data, *end;
	struct visit v;

	v.config = config_find();
	v.ifindex = ctx_ifindex(ctx);
	v.port = port_find(v.ifindex);
	v.totals = totals_find();
	if (!v.config || !v.port || !v.totals || !(v.port->flags & HABPF_PORT_ETHER))
		return CTX_PASS;
	ctx_load(ctx);
	data = ctx_data(ctx);
	end = ctx_end(ctx);
	eth = data;
	ip = data + ETH_HLEN;
	if ((const void *)(ip + 1) > end || ctx_has_tag(ctx) ||
	    eth->h_proto != bpf_htons(ETH_P_IP) || ip->version != 4 ||
	    !is_addressed_to(eth, v.port))
		return CTX_PASS;
	v.now_ns = bpf_ktime_get_coarse_ns();
	if (ip->daddr == v.config->home_agent)
		return from_node(ctx, &v, ip, end);
	return to_node(ctx, &v, ip, end);
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * What the programs read of a packet: IPv4 headers without options, the first octets behind them,
 * and the rules that look at nothing else. Nothing here changes a packet.
 */
#ifndef HA_CORE_TUNNEL_BPF_HABPF_PARSE_H
#define HA_CORE_TUNNEL_BPF_HABPF_PARSE_H

#include "ha-core/tunnel/bpf/habpf.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#define IP_LEN      20 /* of a header without options: others are not carried here */
#define PROTO_IPIP  4
#define PROTO_GRE   47
#define PROTO_MIN   55
#define FRAGMENT    0x3fff /* more fragments, or an offset */
#define DONT_FRAG   0x4000
#define ECN_MASK    3
#define TCP_SYN     0x02
#define TCP_LEN_MIN 20
#define UDP_LEN     8
#define ICMP_LEN    8

/** What follows an IPv4 header, as far as it is there. */
struct transport {
	__be16 src_port, dst_port;
	__u16 header_len; /* TCP's */
	bool has_ports;
	bool is_syn;
	bool udp_is_whole; /* its length is that of the packet; true of all other protocols */
	bool sums_up;      /* it holds a checksum over all of it: see transport_sum() */
};

/* --- checksums; all sums are of 16-bit words as they lie in memory (RFC 1071 §2) --- */

static __always_inline __u16 sum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

static __always_inline __u64 sum_header(const struct iphdr *ip)
{
	const __u32 *word = (const void *)ip;

	return (__u64)word[0] + word[1] + word[2] + word[3] + word[4];
}

/** Of the pseudo-header of TCP and UDP (RFC 768). */
static __always_inline __u64 sum_pseudo(__be32 src, __be32 dst, __u8 protocol, __u16 len)
{
	return (__u64)src + dst + bpf_htons(protocol) + bpf_htons(len);
}

/* --- headers --- */

static __always_inline bool is_fragment(const struct iphdr *ip)
{
	return ip->frag_off & bpf_htons(FRAGMENT);
}

static __always_inline bool header_sum_is_right(const struct iphdr *ip)
{
	return sum_fold(sum_header(ip)) == 0xffff;
}

/** As addr_is_unicast(). */
static __always_inline bool is_unicast(__be32 addr)
{
	__u32 net = bpf_ntohl(addr) >> 24;

	return net != 0 && net != 127 && net < 224;
}

/**
 * The transport header of a packet that is no fragment.
 * @param l4   where it begins
 * @param len  of it and its payload, by the IP header
 */
static __always_inline void transport_parse(const void *l4, const void *end, __u8 protocol,
					    __u16 len, struct transport *out_transport)
{
	const __u8 *octet = l4;
	const __be16 *half = l4;

	*out_transport = (struct transport){ .udp_is_whole = protocol != IPPROTO_UDP };
	/* Any protocol may have ports, to a filter: as in the TUN tier. */
	if (len >= 4 && l4 + 4 <= end) {
		out_transport->src_port = half[0];
		out_transport->dst_port = half[1];
		out_transport->has_ports = true;
	}
	switch (protocol) {
	case IPPROTO_TCP:
		if (len < TCP_LEN_MIN || l4 + TCP_LEN_MIN > end)
			return;
		out_transport->header_len = (__u16)((octet[12] >> 4) * 4);
		out_transport->is_syn = octet[13] & TCP_SYN;
		out_transport->sums_up = true;
		break;
	case IPPROTO_UDP:
		if (len < UDP_LEN || l4 + UDP_LEN > end)
			return;
		out_transport->udp_is_whole = half[2] == bpf_htons(len);
		out_transport->sums_up = half[3] != 0 && out_transport->udp_is_whole;
		break;
	case IPPROTO_ICMP:
		out_transport->sums_up = len >= ICMP_LEN;
		break;
	default:
		break;
	}
}

/**
 * What a transport segment adds up to if its checksum is right, without a look at its payload: it
 * and its pseudo-header make 0xffff. (One that is wrong is found out by its receiver.) An IP
 * header makes 0xffff by itself, which adds nothing.
 */
static __always_inline __u64 transport_sum(const struct iphdr *ip, __u16 len)
{
	if (ip->protocol == IPPROTO_ICMP)
		return 0;
	return (__u16)~sum_fold(sum_pseudo(ip->saddr, ip->daddr, ip->protocol, len));
}

/* --- rules --- */

/*
 * Rules with loops are global functions: the verifier looks at each once and by itself, and not
 * on every way that leads to it, which Linux 6.1 never comes to the end of. So they check what
 * they are given. Weak, as both programs have them: the linker makes them one.
 */
#define HABPF_GLOBAL __weak __attribute__((noinline))

HABPF_GLOBAL int is_local(const struct habpf_config *config, __be32 addr)
{
	__u32 i;

	if (!config || addr == config->home_agent)
		return true;
	for (i = 0; i < HABPF_LOCAL_CNT && i < config->local_cnt; i++)
		if (config->local[i] == addr)
			return true;
	return false;
}

/**
 * Whose flow is it, in the eyes of the filter? ICMP errors about one are the TUN tier's to judge.
 * @param far_end, port  of the packet, on the side that is not the node's
 * @return its place in config.peers; HABPF_PEER_CNT: there is no filter; else an
 *         enum habpf_drop, plus one and negative
 */
HABPF_GLOBAL int filter_peer(const struct habpf_config *config, __u8 protocol, __be32 far_end,
			     __be16 port, bool has_ports)
{
	int peer = -1, refused = -(HABPF_DROP_FILTER_PROTOCOL + 1);
	__u32 i;

	if (!config)
		return -(HABPF_DROP_FILTER_PEER + 1);
	if (!(config->flags & HABPF_FILTER))
		return HABPF_PEER_CNT;
	for (i = 0; i < HABPF_PEER_CNT && i < config->peer_cnt; i++)
		if (far_end == config->peers[i])
			peer = (int)i;
	if (peer < 0)
		return -(HABPF_DROP_FILTER_PEER + 1);
	for (i = 0; i < HABPF_FILTER_CNT && i < config->row_cnt; i++) {
		const struct habpf_filter_row *row = &config->rows[i];

		if (row->protocol != protocol)
			continue;
		if (row->port == 0)
			return peer;
		if (!has_ports)
			return -(HABPF_DROP_FILTER_LENGTH + 1);
		if (bpf_htons(row->port) == port)
			return peer;
		refused = -(HABPF_DROP_FILTER_PORT + 1);
	}
	return refused;
}

/**
 * As tunnel_filter_judge() in filter.c.
 * @return 0: it passes, or an enum habpf_drop plus one
 */
static __always_inline int filter_judge(const struct habpf_config *config,
					const struct habpf_tunnel *tunnel, __u8 protocol,
					__be32 far_end, __be16 port, const struct transport *l4)
{
	int peer = filter_peer(config, protocol, far_end, port, l4->has_ports);

	if (peer < 0)
		return -peer;
	if (peer >= HABPF_PEER_CNT)
		return 0;
	if (!l4->udp_is_whole)
		return HABPF_DROP_FILTER_LENGTH + 1;
	return tunnel->contacts & 1u << peer ? 0 : HABPF_DROP_FILTER_UNSOLICITED + 1;
}

/**
 * RFC 6040 figure 4, as in encap.c: does nothing go on, or is it a pair that §4.2 would have
 * logged? The outer mark is CE on a flow that knows of none, or says what no ingress writes.
 */
static __always_inline bool ecn_is_odd(__u8 inner, __u8 outer)
{
	return (inner == 0 && outer != 0) || (inner == 1 && outer == 2) ||
	       (inner == 3 && outer == 1);
}

/** The ECN field that goes on, of a pair that is not odd. */
static __always_inline __u8 ecn_egress(__u8 inner, __u8 outer)
{
	if (outer == 0 || inner == 3) /* the outer says nothing more */
		return inner;
	return outer; /* the same, CE, or ECT(1) over ECT(0) */
}

#endif

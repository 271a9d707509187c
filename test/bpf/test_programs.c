/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs of the fast path: a frame in, a verdict and a frame out, in the kernel that runs
 * here (bpf_prog_test_run), with real interfaces, routes and neighbours in a namespace of the
 * test's own. Built once for each hook (HOOK_xdp, HOOK_tc).
 *
 * What is carried has to equal, octet for octet, what encap.c makes of the same packet: both tiers
 * are the one data path. What is left alone has to come out as it went in, for the reason meant.
 */
#include "net.h"

#include "ha-core/tunnel/bpf/habpf.h"
#include "ha-core/tunnel/encap.h"
#include "ha-core/tunnel/ipv4.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <habpf.skel.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/unit/common/addr_of.h"

#ifndef HOOK_xdp
#define HOOK_xdp 0
#endif

#define HOME_AGENT "192.0.2.2"
#define NODE       "10.50.0.7"
#define GATEWAY    "198.51.100.2"
#define CARE_OF    "198.51.100.77" /* by the gateway on "out" */
#define HOST       "192.0.2.9"     /* a correspondent on "in" */
#define FAR_HOST   "203.0.113.9"   /* and one by "narrow" */
#define FAR_MTU    1280
#define PEER_PORT  40000
#define SKIPPED    77
#define SLOTS      4
#define PLACE      2 /* of the node's entry behind its first slot: others have been there */
#define FRAME_MAX  16384

static const uint8_t gateway_mac[6] = { 2, 0, 0, 0, 1, 1 };
static const uint8_t host_mac[6] = { 2, 0, 0, 0, 1, 2 };
static const uint8_t far_mac[6] = { 2, 0, 0, 0, 1, 3 };

struct frame {
	uint8_t buf[ENCAP_HEADROOM + FRAME_MAX];
	uint8_t *data; /* within buf, at least ENCAP_HEADROOM behind its start, but for encap.c */
	size_t len;
};

enum verdict { LEFT, DROPPED, SENT };

static struct {
	struct habpf *skel;
	int prog;
	unsigned int in, out, narrow, tunnels, quiet;
	uint32_t cpu_cnt;
	struct habpf_config config;
	struct habpf_tunnel node;
} t;

/* --- maps --- */

static void put(const struct bpf_map *map, const void *key, const void *value)
{
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY), 0);
}

static void put_config(void)
{
	uint32_t zero = 0;

	put(t.skel->maps.ha_config, &zero, &t.config);
}

/* The entry's number; the two before it are other home addresses'. */
static uint32_t node_slot(void)
{
	return habpf_first_slot(ntohl(addr(NODE).s_addr), SLOTS) + PLACE;
}

static void put_entry(uint32_t slot, struct in_addr home_addr, uint32_t version)
{
	struct habpf_node entry = { .tunnel = t.node };

	(void)bpf_map_lookup_elem(bpf_map__fd(t.skel->maps.ha_nodes), &slot, &entry);
	entry.tag = (uint64_t)home_addr.s_addr << 32 | version;
	entry.tunnel = t.node;
	put(t.skel->maps.ha_nodes, &slot, &entry);
}

static void put_node(void)
{
	put_entry(node_slot() - 2, addr("10.50.0.200"), 2);
	put_entry(node_slot() - 1, addr("10.50.0.201"), HABPF_TAG_ODD);
	put_entry(node_slot(), addr(NODE), 4);
}

static void put_port(unsigned int ifindex, uint8_t last, uint16_t flags)
{
	struct habpf_port port = { .mac = { 2, 0, 0, 0, 0, last }, .flags = flags };

	put(t.skel->maps.ha_ports, &ifindex, &port);
}

/* Over all CPUs. */
static struct habpf_totals totals(void)
{
	struct habpf_totals *each = calloc(t.cpu_cnt, sizeof(*each)), sum = { 0 };
	uint64_t *to = (uint64_t *)&sum, *from;
	uint32_t zero = 0;
	size_t cpu, i;

	assert_non_null(each);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(t.skel->maps.ha_totals), &zero, each), 0);
	for (cpu = 0; cpu < t.cpu_cnt; cpu++) {
		from = (uint64_t *)&each[cpu];
		for (i = 0; i < sizeof(sum) / sizeof(uint64_t); i++)
			to[i] += from[i];
	}
	free(each);
	return sum;
}

/* Of one interface, over all CPUs. */
static uint64_t drops_by(unsigned int ifindex)
{
	uint64_t *each = calloc(t.cpu_cnt, sizeof(*each)), sum = 0;
	size_t cpu;

	assert_non_null(each);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(t.skel->maps.ha_drops), &ifindex, each),
			 0);
	for (cpu = 0; cpu < t.cpu_cnt; cpu++)
		sum += each[cpu];
	free(each);
	return sum;
}

/* As the daemon does for an interface that it attaches to. */
static void count_drops_by(unsigned int ifindex)
{
	uint64_t *none = calloc(t.cpu_cnt, sizeof(*none));

	assert_non_null(none);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(t.skel->maps.ha_drops), &ifindex, none,
					     BPF_ANY),
			 0);
	free(none);
}

static struct habpf_count counts(void)
{
	uint32_t slot = node_slot();
	struct habpf_node entry;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(t.skel->maps.ha_nodes), &slot, &entry), 0);
	return entry.count;
}

/* As after some seconds: what sources have passed is looked up anew. */
static void forget_sources(void)
{
	uint64_t none = 0;
	uint32_t i;

	for (i = 0; i < bpf_map__max_entries(t.skel->maps.ha_sources); i++)
		put(t.skel->maps.ha_sources, &i, &none);
	put_node();
}

/* Everything as most tests want it: one node away, its tunnel IP-in-IP, T granted, no filter. */
static int setup(void **state)
{
	(void)state;
	t.config = (struct habpf_config){
		.layout = HABPF_LAYOUT,
		.home_agent = addr(HOME_AGENT).s_addr,
		.port = htons(434),
		.slot_cnt = SLOTS,
		.device_ifindex = t.tunnels,
	};
	t.node = (struct habpf_tunnel){
		.expires_ns = UINT64_MAX,
		.peer = addr(CARE_OF).s_addr,
		.peer_port = htons(PEER_PORT),
		.mtu = 1500,
		.mode = ENCAP_IPIP,
		.flags = HABPF_NODE_REVERSE,
	};
	put_config();
	forget_sources();
	put_port(t.in, 0x10, HABPF_PORT_ETHER | HABPF_PORT_XMIT);
	put_port(t.out, 0x20, HABPF_PORT_ETHER | HABPF_PORT_XMIT);
	put_port(t.narrow, 0x30, HABPF_PORT_ETHER | HABPF_PORT_XMIT);
	return 0;
}

/* --- packets --- */

static uint8_t *ip_of(struct frame *f)
{
	return f->data + ETH_HLEN;
}

static void put_mac(struct frame *f, const uint8_t dest[6], const uint8_t source[6])
{
	memcpy(f->data, dest, 6);
	memcpy(f->data + 6, source, 6);
	f->data[12] = 0x08;
	f->data[13] = 0x00;
}

/* A frame to our port "in" around an IP packet that lies at ip_of() already. */
static void finish_frame(struct frame *f, size_t packet_len)
{
	static const uint8_t dest[6] = { 2, 0, 0, 0, 0, 0x10 }, source[6] = { 2, 0, 0, 0, 0, 0x11 };

	put_mac(f, dest, source);
	f->len = ETH_HLEN + packet_len;
}

static void finish_transport(uint8_t *ip, size_t len)
{
	uint8_t *l4 = ip + ipv4_header_len(ip), pseudo[12] = { 0 };
	size_t l4_len = len - ipv4_header_len(ip), at;
	uint16_t sum;

	switch (ip[IPV4_PROTOCOL]) {
	case IPPROTO_TCP:
		at = 16;
		break;
	case IPPROTO_UDP:
		at = 6;
		break;
	case IPPROTO_ICMP:
		ipv4_put_checksum(l4, l4_len, 2);
		return;
	default:
		return;
	}
	memcpy(pseudo, ip + IPV4_SRC, 8);
	pseudo[9] = ip[IPV4_PROTOCOL];
	ipv4_put16(pseudo + 10, (uint16_t)l4_len);
	memset(l4 + at, 0, 2);
	sum = ipv4_checksum(ipv4_sum(l4, l4_len, ipv4_sum(pseudo, sizeof(pseudo), 0)));
	if (sum == 0 && at == 6)
		sum = 0xffff;
	memcpy(l4 + at, &sum, sizeof(sum));
}

/* An IPv4 packet of `len` octets, valid in all its checksums. */
static void make_packet(uint8_t *ip, const char *src, const char *dst, uint8_t protocol, size_t len)
{
	uint8_t *l4 = ip + IPV4_HEADER_MIN;
	size_t i;

	memset(ip, 0, IPV4_HEADER_MIN);
	ip[0] = 0x45;
	ipv4_put16(ip + IPV4_LENGTH, (uint16_t)len);
	ipv4_put16(ip + IPV4_IDENT, 0x1234);
	ipv4_put16(ip + IPV4_FRAGMENT, IPV4_DF);
	ip[IPV4_TTL] = 63;
	ip[IPV4_PROTOCOL] = protocol;
	ipv4_put_addr(ip + IPV4_SRC, addr(src));
	ipv4_put_addr(ip + IPV4_DST, addr(dst));
	ipv4_finish_header(ip);
	for (i = 0; i < len - IPV4_HEADER_MIN; i++)
		l4[i] = (uint8_t)(i * 7 + 3);
	ipv4_put16(l4, 5000);
	ipv4_put16(l4 + 2, 80);
	if (protocol == IPPROTO_TCP) {
		l4[12] = 0x50;
		l4[13] = 0x10;
	} else if (protocol == IPPROTO_UDP) {
		ipv4_put16(l4 + 4, (uint16_t)(len - IPV4_HEADER_MIN));
	} else if (protocol == IPPROTO_ICMP) {
		ipv4_put16(l4, 0x0800);
	}
	finish_transport(ip, len);
}

/* Of a packet as long as it says. */
static bool transport_is_right(const uint8_t *ip)
{
	static uint8_t copy[ENCAP_PACKET_MAX];
	size_t len = ipv4_get16(ip + IPV4_LENGTH);

	memcpy(copy, ip, len);
	finish_transport(copy, len);
	return memcmp(copy, ip, len) == 0;
}

static void make_to_node(struct frame *f, uint8_t protocol, size_t len)
{
	f->data = f->buf + ENCAP_HEADROOM;
	make_packet(ip_of(f), HOST, NODE, protocol, len);
	finish_frame(f, len);
}

static struct encap_path path_from_node(void)
{
	return (struct encap_path){
		.local = { .s_addr = t.node.peer },
		.peer = addr(HOME_AGENT),
		.local_port = ntohs(t.node.peer_port),
		.peer_port = 434,
		.mode = t.node.mode,
		.udp = t.node.flags & HABPF_NODE_UDP,
		.ecn_normal = true,
	};
}

/* Puts a tunnel around the packet at ip_of(), and a frame around both. */
static void wrap(struct frame *f, const struct encap_path *path, size_t inner_len)
{
	uint8_t *outer;
	int len;

	/* The frame's start moves down: leave as much room again. */
	len = encap_packet(path, ip_of(f), inner_len, 0x4321, &outer);
	assert_true(len > 0);
	memmove(ip_of(f), outer, (size_t)len);
	finish_frame(f, (size_t)len);
}

/* A tunnel packet of the node's, and what is in it. */
static void make_from_node(struct frame *f, uint8_t protocol, size_t len)
{
	struct encap_path path = path_from_node();

	f->data = f->buf + ENCAP_HEADROOM;
	make_packet(ip_of(f), NODE, HOST, protocol, len);
	wrap(f, &path, len);
}

static uint8_t *inner_of(struct frame *f)
{
	return ip_of(f) + encap_overhead(t.node.mode, t.node.flags & HABPF_NODE_UDP);
}

/* After a change in the inner header. */
static void finish_inner(struct frame *f)
{
	ipv4_finish_header(inner_of(f));
	if (t.node.flags & HABPF_NODE_UDP) /* by the program's reckoning it may stay so */
		memset(ip_of(f) + IPV4_HEADER_MIN + 6, 0, 2);
}

/* --- running --- */

static struct frame result;

#if HOOK_xdp
static int run(const struct frame *f)
{
	struct xdp_md ctx = { .data_end = (uint32_t)f->len, .ingress_ifindex = t.in };
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->data,
			    .data_size_in = (uint32_t)f->len, .data_out = result.buf,
			    .data_size_out = sizeof(result.buf), .ctx_in = &ctx,
			    .ctx_size_in = sizeof(ctx), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(t.prog, &opts), 0);
	result.data = result.buf;
	result.len = opts.data_size_out;
	switch (opts.retval) {
	case XDP_PASS:
		return LEFT;
	case XDP_DROP:
		return DROPPED;
	case XDP_REDIRECT:
		return SENT;
	default:
		fail_msg("verdict %u", opts.retval);
		return -1;
	}
}
#else
static uint32_t gso_size;

static int run(const struct frame *f)
{
	struct __sk_buff ctx = { .ifindex = t.in,
				 .gso_size = gso_size,
				 .gso_segs = gso_size ? 2 : 0 };
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->data,
			    .data_size_in = (uint32_t)f->len, .data_out = result.buf,
			    .data_size_out = sizeof(result.buf), .ctx_in = &ctx,
			    .ctx_size_in = sizeof(ctx), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(t.prog, &opts), 0);
	result.data = result.buf;
	result.len = opts.data_size_out;
	switch ((int)opts.retval) {
	case TC_ACT_UNSPEC:
		return LEFT;
	case TC_ACT_SHOT:
		return DROPPED;
	case TC_ACT_REDIRECT:
		return SENT;
	default:
		fail_msg("verdict %d", (int)opts.retval);
		return -1;
	}
}
#endif

static void assert_untouched(const struct frame *f)
{
	assert_int_equal(result.len, f->len);
	assert_memory_equal(result.data, f->data, f->len);
}

/* Not a node's at all: not even counted. */
static void assert_ignored(const struct frame *f)
{
	struct habpf_totals before = totals(), after;

	assert_int_equal(run(f), LEFT);
	assert_untouched(f);
	after = totals();
	assert_memory_equal(&before, &after, sizeof(before));
}

static void assert_left(const struct frame *f, enum habpf_leave reason)
{
	struct habpf_totals before = totals(), after;

	assert_int_equal(run(f), LEFT);
	assert_untouched(f);
	after = totals();
	before.left[reason]++;
	assert_memory_equal(before.left, after.left, sizeof(before.left));
	assert_memory_equal(before.drops, after.drops, sizeof(before.drops));
}

static void assert_dropped(const struct frame *f, enum habpf_drop reason)
{
	struct habpf_totals before = totals(), after;

	assert_int_equal(run(f), DROPPED);
	after = totals();
	before.drops[reason]++;
	assert_memory_equal(before.drops, after.drops, sizeof(before.drops));
	assert_memory_equal(before.left, after.left, sizeof(before.left));
}

/* The frame's packet comes out in the node's tunnel, as encap.c does it; counted. */
static void assert_sent_to_node(const struct frame *f)
{
	static struct frame want;
	static const uint8_t source[6] = { 2, 0, 0, 0, 0, 0x20 };
	struct habpf_count before = counts(), after;
	struct encap_path path = {
		.local = addr(HOME_AGENT),
		.peer = { .s_addr = t.node.peer },
		.local_port = 434,
		.peer_port = ntohs(t.node.peer_port),
		.mode = t.node.mode,
		.udp = t.node.flags & HABPF_NODE_UDP,
		.ecn_normal = t.config.flags & HABPF_ECN_NORMAL,
	};
	size_t inner_len = ipv4_get16(f->data + ETH_HLEN + IPV4_LENGTH);
	uint8_t *packet, *udp_sum;
	int len;

	assert_int_equal(run(f), SENT);
	want.data = want.buf + ENCAP_HEADROOM;
	memcpy(want.data, f->data, f->len);
	packet = ip_of(&want);
	packet[IPV4_TTL]--;
	ipv4_finish_header(packet);
	len = encap_packet(&path, packet, inner_len, ipv4_get16(ip_of(&result) + IPV4_IDENT),
			   &packet);
	assert_true(len > 0);
	assert_int_equal(result.len, ETH_HLEN + (size_t)len);
	assert_memory_equal(result.data, gateway_mac, 6);
	assert_memory_equal(result.data + 6, source, 6);
	assert_int_equal(ipv4_get16(result.data + 12), ETH_P_IP);
	/* "None", where only the payload could tell; not right if the inner one is not. */
	udp_sum = ip_of(&result) + IPV4_HEADER_MIN + 6;
	if (path.udp && (ipv4_get16(udp_sum) == 0 || !transport_is_right(f->data + ETH_HLEN)))
		memcpy(packet + IPV4_HEADER_MIN + 6, udp_sum, 2);
	assert_memory_equal(ip_of(&result), packet, (size_t)len);
	after = counts();
	assert_int_equal(after.packets_to, before.packets_to + 1);
	assert_int_equal(after.bytes_to, before.bytes_to + inner_len);
}

static bool has_udp_checksum(void)
{
	return ipv4_get16(ip_of(&result) + IPV4_HEADER_MIN + 6) != 0;
}

/* The frame's inner packet comes out by itself, as encap.c and the kernel's forwarding have it. */
static void assert_sent_from_node(const struct frame *f, const uint8_t dmac[6])
{
	static struct frame want;
	struct habpf_count before = counts(), after;
	struct encap_inner inner;
	uint8_t *packet, mode;
	size_t header_len;

	assert_int_equal(run(f), SENT);
	want.data = want.buf + ENCAP_HEADROOM;
	memcpy(want.data, f->data, f->len);
	packet = ip_of(&want);
	if (packet[IPV4_PROTOCOL] == IPPROTO_UDP) {
		header_len = IPV4_HEADER_MIN + 8;
		assert_int_equal(
			encap_decapsulate_udp(packet + header_len,
					      ipv4_get16(packet + IPV4_LENGTH) - header_len,
					      packet[IPV4_TOS], ipv4_src(packet), ipv4_dst(packet),
					      &mode, &inner),
			0);
	} else {
		assert_int_equal(encap_decapsulate(packet, f->len - ETH_HLEN, &inner), 0);
	}
	inner.packet[IPV4_TTL]--;
	ipv4_finish_header(inner.packet);
	assert_int_equal(result.len, ETH_HLEN + inner.len);
	assert_memory_equal(result.data, dmac, 6);
	assert_int_equal(ipv4_get16(result.data + 12), ETH_P_IP);
	assert_memory_equal(ip_of(&result), inner.packet, inner.len);
	after = counts();
	assert_int_equal(after.packets_from, before.packets_from + 1);
	assert_int_equal(after.bytes_from, before.bytes_from + inner.len);
}

static struct frame frame;

/* To the node, from it, and in its tunnel: an IP header with 16 bits changed, otherwise right. */
static void make_to_node_with(size_t field, uint16_t value)
{
	make_to_node(&frame, IPPROTO_TCP, 100);
	ipv4_put16(ip_of(&frame) + field, value);
	ipv4_finish_header(ip_of(&frame));
}

static void make_from_node_with(size_t field, uint16_t value)
{
	make_from_node(&frame, IPPROTO_TCP, 100);
	ipv4_put16(ip_of(&frame) + field, value);
	ipv4_finish_header(ip_of(&frame));
}

static void make_inner_with(size_t field, uint16_t value)
{
	make_from_node(&frame, IPPROTO_TCP, 100);
	ipv4_put16(inner_of(&frame) + field, value);
	finish_inner(&frame);
}

/* --- carried --- */

static const struct tunnel_kind {
	uint8_t mode, flags;
} kinds[] = {
	{ ENCAP_IPIP, 0 },
	{ ENCAP_GRE, 0 },
	{ ENCAP_IPIP, HABPF_NODE_UDP },
	{ ENCAP_GRE, HABPF_NODE_UDP },
};
#define KIND_CNT (sizeof(kinds) / sizeof(kinds[0]))

static void use_kind(size_t i)
{
	t.node.mode = kinds[i].mode;
	t.node.flags = kinds[i].flags | HABPF_NODE_REVERSE;
	put_node();
}

static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ESP };
#define PROTOCOL_CNT (sizeof(protocols) / sizeof(protocols[0]))

static void carries_to_node_in_every_encapsulation(void **state)
{
	static const size_t lens[] = { 46, 47, 576, 1400, 1464 };
	size_t kind, i, j;

	(void)state;
	for (kind = 0; kind < KIND_CNT; kind++) {
		use_kind(kind);
		for (i = 0; i < PROTOCOL_CNT; i++)
			for (j = 0; j < sizeof(lens) / sizeof(lens[0]); j++) {
				make_to_node(&frame, protocols[i], lens[j]);
				assert_sent_to_node(&frame);
				if (kinds[kind].flags & HABPF_NODE_UDP)
					assert_int_equal(has_udp_checksum(),
							 protocols[i] != IPPROTO_ESP);
			}
	}
}

static void carries_from_node_in_every_encapsulation(void **state)
{
	static const size_t lens[] = { 46, 47, 576, 1400, 1464 };
	size_t kind, i, j;

	(void)state;
	for (kind = 0; kind < KIND_CNT; kind++) {
		use_kind(kind);
		for (i = 0; i < PROTOCOL_CNT; i++)
			for (j = 0; j < sizeof(lens) / sizeof(lens[0]); j++) {
				make_from_node(&frame, protocols[i], lens[j]);
				if (kinds[kind].flags & HABPF_NODE_UDP &&
				    protocols[i] == IPPROTO_ESP)
					memset(ip_of(&frame) + IPV4_HEADER_MIN + 6, 0, 2);
				assert_sent_from_node(&frame, host_mac);
			}
	}
}

/* Behind an IP packet: padding, or a switch's trailer. */
static void put_trailer(struct frame *f, size_t len)
{
	memset(f->data + f->len, 0xaa, len);
	f->len += len;
}

static void what_trails_behind_a_packet_does_not_go_on(void **state)
{
	static const size_t trailers[] = { 1, 6, 18, 100 }, lens[] = { 28, 46, 576 };
	size_t kind, i, j;

	(void)state;
	for (kind = 0; kind < KIND_CNT; kind++) {
		use_kind(kind);
		for (i = 0; i < sizeof(trailers) / sizeof(trailers[0]); i++)
			for (j = 0; j < sizeof(lens) / sizeof(lens[0]); j++) {
				make_to_node(&frame, IPPROTO_ICMP, lens[j]);
				put_trailer(&frame, trailers[i]);
				assert_sent_to_node(&frame);
				make_from_node(&frame, IPPROTO_ICMP, lens[j]);
				put_trailer(&frame, trailers[i]);
				assert_sent_from_node(&frame, host_mac);
			}
	}
}

static void every_tos_goes_out_as_encap_has_it(void **state)
{
	unsigned int tos, flags;

	(void)state;
	for (flags = 0; flags <= HABPF_ECN_NORMAL; flags++) {
		t.config.flags = flags;
		put_config();
		for (tos = 0; tos < 256; tos += 1) {
			make_to_node(&frame, IPPROTO_TCP, 100);
			ip_of(&frame)[IPV4_TOS] = (uint8_t)tos;
			ipv4_finish_header(ip_of(&frame));
			assert_sent_to_node(&frame);
		}
	}
}

/* And what RFC 6040 would have dropped or logged is the TUN tier's to drop and log. */
static void ecn_comes_out_by_the_table_of_rfc6040(void **state)
{
	static const bool odd[4][4] = {
		[0] = { [1] = true, [2] = true, [3] = true },
		[1] = { [2] = true },
		[3] = { [1] = true },
	};
	unsigned int inner, outer;

	(void)state;
	for (inner = 0; inner < 4; inner++) {
		for (outer = 0; outer < 4; outer++) {
			make_from_node(&frame, IPPROTO_TCP, 100);
			inner_of(&frame)[IPV4_TOS] = (uint8_t)(0xb8 | inner);
			ipv4_finish_header(inner_of(&frame));
			ip_of(&frame)[IPV4_TOS] = (uint8_t)outer;
			ipv4_finish_header(ip_of(&frame));
			if (odd[inner][outer])
				assert_left(&frame, HABPF_LEAVE_ECN);
			else
				assert_sent_from_node(&frame, host_mac);
		}
	}
}

static void df_is_copied(void **state)
{
	(void)state;
	make_to_node(&frame, IPPROTO_TCP, 100);
	assert_sent_to_node(&frame);
	assert_true(ipv4_df(ip_of(&result)));
	ipv4_put16(ip_of(&frame) + IPV4_FRAGMENT, 0);
	ipv4_finish_header(ip_of(&frame));
	assert_sent_to_node(&frame);
	assert_false(ipv4_df(ip_of(&result)));
}

static void identification_is_not_repeated(void **state)
{
	static bool seen[65536];
	unsigned int i;
	uint16_t ident;

	(void)state;
	for (i = 0; i < 1000; i++) {
		make_to_node(&frame, IPPROTO_TCP, 100);
		assert_int_equal(run(&frame), SENT);
		ident = ipv4_get16(ip_of(&result) + IPV4_IDENT);
		assert_false(seen[ident]);
		seen[ident] = true;
	}
}

static void ttl_checksum_is_right_at_every_value(void **state)
{
	unsigned int ttl;

	(void)state;
	for (ttl = 2; ttl < 256; ttl++) {
		make_to_node(&frame, IPPROTO_TCP, 100);
		ip_of(&frame)[IPV4_TTL] = (uint8_t)ttl;
		/* and at every value near the carry */
		ipv4_put16(ip_of(&frame) + IPV4_IDENT, (uint16_t)(ttl * 0x101));
		ipv4_finish_header(ip_of(&frame));
		assert_sent_to_node(&frame);
	}
}

/* --- the checksum of tunnels in UDP --- */

static void inner_udp_without_checksum_goes_without_one(void **state)
{
	(void)state;
	use_kind(2);
	make_to_node(&frame, IPPROTO_UDP, 100);
	memset(ip_of(&frame) + IPV4_HEADER_MIN + 6, 0, 2);
	assert_sent_to_node(&frame);
	assert_false(has_udp_checksum());
}

static void inner_udp_shorter_than_its_packet_goes_without_one(void **state)
{
	(void)state;
	use_kind(2);
	make_to_node(&frame, IPPROTO_UDP, 100);
	ipv4_put16(ip_of(&frame) + IPV4_HEADER_MIN + 4, 70);
	assert_sent_to_node(&frame);
	assert_false(has_udp_checksum());
}

static void what_would_have_no_checksum_is_left_where_peers_want_one(void **state)
{
	(void)state;
	use_kind(2);
	t.config.flags |= HABPF_UDP_CHECKSUM;
	put_config();
	make_to_node(&frame, IPPROTO_ESP, 100);
	assert_left(&frame, HABPF_LEAVE_UDP);
	make_to_node(&frame, IPPROTO_TCP, 100);
	assert_sent_to_node(&frame);
	assert_true(has_udp_checksum());
}

static void checksum_from_the_node_is_checked_or_left_to_the_kernel(void **state)
{
	uint8_t *sum;

	(void)state;
	use_kind(2);
	make_from_node(&frame, IPPROTO_TCP, 100);
	sum = ip_of(&frame) + IPV4_HEADER_MIN + 6;
	sum[0] ^= 1;
	assert_left(&frame, HABPF_LEAVE_UDP);
	memset(sum, 0, 2); /* none: nothing to be checked */
	assert_sent_from_node(&frame, host_mac);
	make_from_node(&frame, IPPROTO_ESP, 100); /* the program cannot tell */
	assert_left(&frame, HABPF_LEAVE_UDP);
}

static void udp_length_must_be_the_packets(void **state)
{
	(void)state;
	use_kind(2);
	make_from_node(&frame, IPPROTO_TCP, 100);
	ipv4_put16(ip_of(&frame) + IPV4_HEADER_MIN + 4, 111);
	memset(ip_of(&frame) + IPV4_HEADER_MIN + 6, 0, 2);
	assert_left(&frame, HABPF_LEAVE_UDP);
}

/* --- left alone, to a node --- */

static void what_is_not_for_a_node_is_ignored(void **state)
{
	(void)state;
	make_to_node(&frame, IPPROTO_TCP, 100);
	ipv4_put_addr(ip_of(&frame) + IPV4_DST, addr("10.50.0.8"));
	ipv4_finish_header(ip_of(&frame));
	assert_ignored(&frame);
}

static void a_frame_to_another_station_is_ignored(void **state)
{
	(void)state;
	make_to_node(&frame, IPPROTO_TCP, 100);
	frame.data[5] ^= 1;
	assert_ignored(&frame);
	frame.data[0] = 0xff;
	assert_ignored(&frame);
}

static void a_vlan_tag_is_left_to_its_interface(void **state)
{
	(void)state;
	make_to_node(&frame, IPPROTO_TCP, 100);
	memmove(frame.data + 16, frame.data + 12, frame.len - 12);
	frame.data[12] = 0x81;
	frame.data[13] = 0x00;
	frame.data[14] = 0;
	frame.data[15] = 5;
	frame.len += 4;
	assert_ignored(&frame);
}

static void other_than_ipv4_is_ignored(void **state)
{
	(void)state;
	make_to_node(&frame, IPPROTO_TCP, 100);
	frame.data[12] = 0x86;
	frame.data[13] = 0xdd;
	assert_ignored(&frame);
	make_to_node(&frame, IPPROTO_TCP, 100);
	ip_of(&frame)[0] = 0x65;
	assert_ignored(&frame);
}

static void a_port_that_is_not_ours_is_ignored(void **state)
{
	(void)state;
	make_to_node(&frame, IPPROTO_TCP, 100);
	put_port(t.in, 0x10, 0);
	assert_ignored(&frame);
}

static void another_layout_switches_the_program_off(void **state)
{
	(void)state;
	make_to_node(&frame, IPPROTO_TCP, 100);
	t.config.layout = 0;
	put_config();
	assert_ignored(&frame);
}

static void options_to_a_node_are_left(void **state)
{
	(void)state;
	make_to_node_with(0, 0x4600);
	assert_left(&frame, HABPF_LEAVE_OPTIONS);
}

static void a_wrong_header_to_a_node_is_left(void **state)
{
	(void)state;
	make_to_node(&frame, IPPROTO_TCP, 100);
	ip_of(&frame)[IPV4_CHECKSUM] ^= 0x10;
	assert_left(&frame, HABPF_LEAVE_CHECKSUM);
	make_to_node_with(IPV4_LENGTH, 101); /* longer than its frame */
	assert_left(&frame, HABPF_LEAVE_CHECKSUM);
	make_to_node_with(IPV4_LENGTH, 19);
	assert_left(&frame, HABPF_LEAVE_CHECKSUM);
	make_to_node_with(0, 0x4400);
	assert_left(&frame, HABPF_LEAVE_OPTIONS);
}

static void fragments_to_a_node_are_left(void **state)
{
	static const uint16_t fields[] = { IPV4_MF, 1, IPV4_MF | 100 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		make_to_node_with(IPV4_FRAGMENT, fields[i]);
		assert_left(&frame, HABPF_LEAVE_FRAGMENT);
	}
}

static void ttl_of_one_is_left(void **state)
{
	uint8_t ttl;

	(void)state;
	for (ttl = 0; ttl < 2; ttl++) {
		make_to_node(&frame, IPPROTO_TCP, 100);
		ip_of(&frame)[IPV4_TTL] = ttl;
		ipv4_finish_header(ip_of(&frame));
		assert_left(&frame, HABPF_LEAVE_TTL);
		make_from_node(&frame, IPPROTO_TCP, 100);
		inner_of(&frame)[IPV4_TTL] = ttl;
		finish_inner(&frame);
		assert_left(&frame, HABPF_LEAVE_TTL);
	}
}

static void an_expired_binding_is_left(void **state)
{
	(void)state;
	t.node.expires_ns = 1;
	put_node();
	make_to_node(&frame, IPPROTO_TCP, 100);
	assert_left(&frame, HABPF_LEAVE_EXPIRED);
	make_from_node(&frame, IPPROTO_TCP, 100);
	assert_left(&frame, HABPF_LEAVE_EXPIRED);
}

static void set_source(const char *text)
{
	make_to_node(&frame, IPPROTO_TCP, 100);
	ipv4_put_addr(ip_of(&frame) + IPV4_SRC, addr(text));
	ipv4_finish_header(ip_of(&frame));
	finish_transport(ip_of(&frame), 100);
}

static void sources_that_are_no_hosts_are_left(void **state)
{
	static const char *const sources[] = { "0.0.0.0",   "0.1.2.3",         "127.0.0.1",
					       "224.0.0.1", "255.255.255.255", HOME_AGENT };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		set_source(sources[i]);
		assert_left(&frame, HABPF_LEAVE_SOURCE);
	}
}

static void our_own_addresses_are_no_sources(void **state)
{
	(void)state;
	set_source("198.51.100.1");
	assert_sent_to_node(&frame); /* unless the program is told */
	t.config.local[0] = addr("192.0.2.1").s_addr;
	t.config.local[1] = addr("198.51.100.1").s_addr;
	t.config.local_cnt = 2;
	put_config();
	assert_left(&frame, HABPF_LEAVE_SOURCE);
	t.config.local_cnt = 0;
	put_config();
	put_port(t.in, 0x10, HABPF_PORT_ETHER | HABPF_PORT_XMIT | HABPF_PORT_LOOSE);
	assert_left(&frame, HABPF_LEAVE_SOURCE);
}

static void the_reverse_path_filter_of_a_port_holds(void **state)
{
	(void)state;
	put_port(t.in, 0x10, HABPF_PORT_ETHER | HABPF_PORT_STRICT);
	set_source(HOST);
	assert_sent_to_node(&frame);
	set_source(FAR_HOST); /* is beyond another interface */
	assert_left(&frame, HABPF_LEAVE_SOURCE);
	put_port(t.in, 0x10, HABPF_PORT_ETHER | HABPF_PORT_XMIT | HABPF_PORT_LOOSE);
	assert_sent_to_node(&frame);
	assert_sent_to_node(&frame);
}

static void what_one_source_passed_is_no_anothers(void **state)
{
	unsigned int i;
	char source[16];

	(void)state;
	put_port(t.in, 0x10, HABPF_PORT_ETHER | HABPF_PORT_XMIT | HABPF_PORT_STRICT);
	for (i = 3; i < 250; i++) { /* some share a note */
		(void)snprintf(source, sizeof(source), "192.0.2.%u", i);
		set_source(source);
		assert_sent_to_node(&frame);
		(void)snprintf(source, sizeof(source), "203.0.113.%u", i);
		set_source(source);
		assert_left(&frame, HABPF_LEAVE_SOURCE);
	}
}

static void what_comes_from_the_tunnels_end_is_left(void **state)
{
	(void)state;
	set_source(CARE_OF);
	assert_left(&frame, HABPF_LEAVE_LOOP);
	use_kind(2);
	assert_left(&frame, HABPF_LEAVE_LOOP);
	t.node.flags |= HABPF_NODE_NAT; /* others share its address */
	put_node();
	assert_sent_to_node(&frame);
}

static void what_is_longer_than_the_tunnel_takes_is_left(void **state)
{
	size_t kind, room;

	(void)state;
	for (kind = 0; kind < KIND_CNT; kind++) {
		use_kind(kind);
		t.node.mtu = 1400;
		put_node();
		room = 1400 - encap_overhead(t.node.mode, t.node.flags & HABPF_NODE_UDP);
		make_to_node(&frame, IPPROTO_TCP, room);
		assert_sent_to_node(&frame);
		make_to_node(&frame, IPPROTO_TCP, room + 1);
		assert_left(&frame, HABPF_LEAVE_MTU);
		ipv4_put16(ip_of(&frame) + IPV4_FRAGMENT, 0); /* no other without DF */
		ipv4_finish_header(ip_of(&frame));
		assert_left(&frame, HABPF_LEAVE_MTU);
	}
}

static void what_is_longer_than_the_link_takes_is_left(void **state)
{
	(void)state;
	t.node.mtu = 65535;
	put_node();
	make_to_node(&frame, IPPROTO_TCP, 1480);
	assert_sent_to_node(&frame);
	make_to_node(&frame, IPPROTO_TCP, 1481);
	assert_left(&frame, HABPF_LEAVE_MTU);
}

static void a_jumbo_frame_is_left(void **state)
{
	(void)state;
	t.node.mtu = 65535;
	put_node();
#if HOOK_xdp
	make_to_node(&frame, IPPROTO_TCP, 9000);
	assert_left(&frame, HABPF_LEAVE_CHECKSUM); /* more than one buffer holds */
#else
	make_to_node(&frame, IPPROTO_TCP, 3000);
	assert_left(&frame, HABPF_LEAVE_MTU);
#endif
}

static void a_syn_is_left_where_its_mss_may_have_to_be_lowered(void **state)
{
	(void)state;
	make_to_node(&frame, IPPROTO_TCP, 44);
	ip_of(&frame)[IPV4_HEADER_MIN + 13] = 0x02;
	assert_sent_to_node(&frame);
	t.node.flags |= HABPF_NODE_CLAMP;
	put_node();
	assert_left(&frame, HABPF_LEAVE_MSS);
	ip_of(&frame)[IPV4_HEADER_MIN + 13] = 0x12;
	assert_left(&frame, HABPF_LEAVE_MSS);
	ip_of(&frame)[IPV4_HEADER_MIN + 13] = 0x10;
	assert_sent_to_node(&frame);
	make_from_node(&frame, IPPROTO_TCP, 44);
	inner_of(&frame)[IPV4_HEADER_MIN + 13] = 0x02;
	assert_left(&frame, HABPF_LEAVE_MSS);
}

static void a_peer_without_route_or_neighbour_is_left(void **state)
{
	(void)state;
	make_to_node(&frame, IPPROTO_TCP, 100);
	t.node.peer = addr("192.0.2.200").s_addr; /* on the link, unknown */
	put_node();
	assert_left(&frame, HABPF_LEAVE_ROUTE);
	t.node.peer = addr("100.64.0.1").s_addr; /* nowhere */
	put_node();
	assert_left(&frame, HABPF_LEAVE_ROUTE);
	t.node.peer = addr("192.0.2.1").s_addr; /* ourselves */
	put_node();
	assert_left(&frame, HABPF_LEAVE_ROUTE);
}

static void a_way_out_by_no_port_of_ours_is_left(void **state)
{
	(void)state;
	make_to_node(&frame, IPPROTO_TCP, 100);
	t.node.peer = addr("10.60.0.2").s_addr;
	put_node();
	assert_left(&frame, HABPF_LEAVE_PORT);
	setup(NULL);
	put_port(t.out, 0x20, HABPF_PORT_ETHER);
	if (HOOK_xdp) /* tc needs nothing of the driver */
		assert_left(&frame, HABPF_LEAVE_PORT);
	else
		assert_sent_to_node(&frame);
}

static void what_xdp_leaves_to_tc_is_tcs_to_count(void **state)
{
	(void)state;
	make_to_node(&frame, IPPROTO_TCP, 100);
	t.node.peer = addr("10.60.0.2").s_addr;
	put_node();
	put_port(t.in, 0x10, HABPF_PORT_ETHER | HABPF_PORT_XMIT | HABPF_PORT_SECOND);
	if (HOOK_xdp)
		assert_ignored(&frame);
	else
		assert_left(&frame, HABPF_LEAVE_PORT);
}

static bool hop_is_noted(unsigned int ifindex, struct in_addr hop)
{
	bool found = false;
	uint64_t noted;
	uint32_t i;

	for (i = 0; i < HABPF_HOP_CNT; i++) {
		assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(t.skel->maps.ha_hops), &i, &noted),
				 0);
		found |= noted == ((uint64_t)ifindex << 32 | hop.s_addr);
	}
	return found;
}

static void forget_hops(void)
{
	uint64_t none = 0;
	uint32_t i;

	for (i = 0; i < HABPF_HOP_CNT; i++)
		put(t.skel->maps.ha_hops, &i, &none);
}

static void the_next_hop_is_noted_for_the_daemon(void **state)
{
	(void)state;
	forget_hops();
	make_to_node(&frame, IPPROTO_TCP, 100);
	assert_sent_to_node(&frame);
	assert_true(hop_is_noted(t.out, addr(GATEWAY)));
	assert_false(hop_is_noted(t.in, addr(HOST)));
	make_from_node(&frame, IPPROTO_TCP, 100);
	assert_sent_from_node(&frame, host_mac);
	assert_true(hop_is_noted(t.in, addr(HOST)));
}

static void without_its_device_routes_are_those_of_the_port(void **state)
{
	(void)state;
	t.config.device_ifindex = 12345;
	put_config();
	make_to_node(&frame, IPPROTO_TCP, 100);
	assert_sent_to_node(&frame);
	make_from_node(&frame, IPPROTO_TCP, 100);
	assert_sent_from_node(&frame, host_mac);
}

/* --- the filter --- */

static void use_filter(const char *peer, uint8_t protocol, uint16_t port)
{
	t.config.flags |= HABPF_FILTER;
	t.config.row_cnt = t.config.peer_cnt = 2;
	t.config.rows[0] = (struct habpf_filter_row){ .protocol = 200 };
	t.config.rows[1] = (struct habpf_filter_row){ .protocol = protocol, .port = port };
	t.config.peers[0] = addr("100.64.0.1").s_addr;
	t.config.peers[1] = addr(peer).s_addr;
	put_config();
	t.node.contacts = 1 << 1;
	put_node();
}

static void the_filter_holds_to_a_node(void **state)
{
	(void)state;
	use_filter(HOST, IPPROTO_ESP, 0);
	make_to_node(&frame, IPPROTO_ESP, 100);
	assert_sent_to_node(&frame);
	make_to_node(&frame, IPPROTO_UDP, 100);
	assert_dropped(&frame, HABPF_DROP_FILTER_PROTOCOL);
	use_filter(HOST, IPPROTO_UDP, 5000); /* the far end's port, which is the source's */
	assert_sent_to_node(&frame);
	use_filter(HOST, IPPROTO_UDP, 80);
	assert_dropped(&frame, HABPF_DROP_FILTER_PORT);
	use_filter("192.0.2.10", IPPROTO_UDP, 5000);
	assert_dropped(&frame, HABPF_DROP_FILTER_PEER);
	t.config.peer_cnt = 0;
	put_config();
	assert_dropped(&frame, HABPF_DROP_FILTER_PEER);
}

static void the_filter_holds_from_a_node(void **state)
{
	(void)state;
	use_filter(HOST, IPPROTO_ESP, 0);
	make_from_node(&frame, IPPROTO_ESP, 100);
	assert_sent_from_node(&frame, host_mac);
	make_from_node(&frame, IPPROTO_UDP, 100);
	assert_dropped(&frame, HABPF_DROP_FILTER_PROTOCOL);
	use_filter(HOST, IPPROTO_UDP, 80); /* the far end's port, which is the destination's */
	assert_sent_from_node(&frame, host_mac);
	use_filter(HOST, IPPROTO_UDP, 5000);
	assert_dropped(&frame, HABPF_DROP_FILTER_PORT);
	use_filter("192.0.2.10", IPPROTO_UDP, 80);
	assert_dropped(&frame, HABPF_DROP_FILTER_PEER);
}

static void a_packet_too_short_for_ports_has_none(void **state)
{
	(void)state;
	use_filter(HOST, IPPROTO_UDP, 5000);
	make_to_node(&frame, IPPROTO_UDP, 28);
	ipv4_put16(ip_of(&frame) + IPV4_LENGTH, 23);
	ipv4_finish_header(ip_of(&frame));
	assert_dropped(&frame, HABPF_DROP_FILTER_LENGTH);
}

static void udp_under_a_filter_is_as_long_as_it_says(void **state)
{
	(void)state;
	use_filter(HOST, IPPROTO_UDP, 5000);
	make_to_node(&frame, IPPROTO_UDP, 100);
	ipv4_put16(ip_of(&frame) + 24, 79);
	assert_dropped(&frame, HABPF_DROP_FILTER_LENGTH);
	ipv4_put16(ip_of(&frame) + 24, 81);
	assert_dropped(&frame, HABPF_DROP_FILTER_LENGTH);
	use_filter(HOST, IPPROTO_UDP, 80);
	make_from_node(&frame, IPPROTO_UDP, 100);
	ipv4_put16(inner_of(&frame) + 24, 79);
	assert_dropped(&frame, HABPF_DROP_FILTER_LENGTH);
}

/* The TUN tier takes note of the first packet to a peer; until then no answer is one. */
static void whom_a_node_has_not_sent_to_may_not_send_to_it(void **state)
{
	(void)state;
	use_filter(HOST, IPPROTO_ESP, 0);
	t.node.contacts = 0xfffd; /* everybody else */
	put_node();
	make_to_node(&frame, IPPROTO_ESP, 100);
	assert_dropped(&frame, HABPF_DROP_FILTER_UNSOLICITED);
	make_from_node(&frame, IPPROTO_ESP, 100);
	assert_left(&frame, HABPF_LEAVE_CONTACT);
	t.node.contacts = 2;
	put_node();
	assert_sent_from_node(&frame, host_mac);
	make_to_node(&frame, IPPROTO_ESP, 100);
	assert_sent_to_node(&frame);
}

static void the_last_peer_there_is_room_for_is_one(void **state)
{
	(void)state;
	use_filter(HOST, IPPROTO_ESP, 0);
	t.config.peers[1] = 0;
	t.config.peers[HABPF_PEER_CNT - 1] = addr(HOST).s_addr;
	t.config.peer_cnt = HABPF_PEER_CNT;
	put_config();
	t.node.contacts = 1 << (HABPF_PEER_CNT - 1);
	put_node();
	make_to_node(&frame, IPPROTO_ESP, 100);
	assert_sent_to_node(&frame);
	t.node.contacts = (uint16_t)~t.node.contacts;
	put_node();
	assert_dropped(&frame, HABPF_DROP_FILTER_UNSOLICITED);
}

static void icmp_under_a_filter_is_left(void **state)
{
	(void)state;
	use_filter(HOST, IPPROTO_ESP, 0);
	make_to_node(&frame, IPPROTO_ICMP, 100);
	assert_left(&frame, HABPF_LEAVE_ICMP);
	make_from_node(&frame, IPPROTO_ICMP, 100);
	assert_left(&frame, HABPF_LEAVE_ICMP);
}

static void some_drops_of_a_second_go_to_the_tier_that_logs(void **state)
{
	unsigned int i;

	(void)state;
	use_filter("192.0.2.10", IPPROTO_UDP, 80);
	make_from_node(&frame, IPPROTO_UDP, 100);
	t.config.drops_per_second = 3;
	put_config();
	/* The count is each CPU's own: no less than 3, and no more on each. */
	for (i = 0; i < 3; i++)
		assert_left(&frame, HABPF_LEAVE_REPORT);
	for (i = 0; i < 3 * t.cpu_cnt && run(&frame) == LEFT; i++)
		assert_untouched(&frame);
	assert_int_equal(run(&frame), DROPPED);
}

static void drop_is_counted_by_the_interface_that_it_came_by(void **state)
{
	(void)state;
	use_filter("192.0.2.10", IPPROTO_UDP, 80);
	make_from_node(&frame, IPPROTO_UDP, 100);
	assert_dropped(&frame, HABPF_DROP_FILTER_PEER); /* nobody wants to know: no entry is made */
	count_drops_by(t.in);
	count_drops_by(t.out);
	assert_dropped(&frame, HABPF_DROP_FILTER_PEER);
	assert_dropped(&frame, HABPF_DROP_FILTER_PEER);
	assert_int_equal(drops_by(t.in), 2);
	assert_int_equal(drops_by(t.out), 0);
	t.config.drops_per_second = UINT16_MAX;
	put_config();
	assert_left(&frame, HABPF_LEAVE_REPORT); /* tun will drop it, and count */
	assert_int_equal(drops_by(t.in), 2);
}

static void entry_that_is_being_changed_is_not_there(void **state)
{
	(void)state;
	make_to_node(&frame, IPPROTO_TCP, 100);
	put_entry(node_slot(), addr(NODE), 4 | HABPF_TAG_ODD);
	assert_ignored(&frame);
	put_node();
	assert_sent_to_node(&frame);
}

static void search_ends_where_nobody_ever_was(void **state)
{
	(void)state;
	make_to_node(&frame, IPPROTO_TCP, 100);
	put_entry(node_slot() - 1, (struct in_addr){ 0 }, 0);
	assert_ignored(&frame);
	put_node();
	assert_sent_to_node(&frame);
}

/* --- from a node --- */

static void a_tunnel_from_another_source_is_dropped(void **state)
{
	size_t kind;

	(void)state;
	for (kind = 0; kind < KIND_CNT; kind++) {
		use_kind(kind);
		make_from_node(&frame, IPPROTO_TCP, 100);
		ipv4_put_addr(ip_of(&frame) + IPV4_SRC, addr("198.51.100.78"));
		ipv4_finish_header(ip_of(&frame));
		assert_dropped(&frame, HABPF_DROP_WRONG_SOURCE);
	}
}

static void a_udp_tunnel_from_another_port_is_dropped(void **state)
{
	(void)state;
	use_kind(2);
	make_from_node(&frame, IPPROTO_TCP, 100);
	ipv4_put16(ip_of(&frame) + IPV4_HEADER_MIN, PEER_PORT + 1);
	assert_dropped(&frame, HABPF_DROP_WRONG_SOURCE);
}

static void another_encapsulation_is_dropped(void **state)
{
	struct habpf_tunnel agreed;
	size_t kind, used;

	(void)state;
	for (kind = 0; kind < KIND_CNT; kind++) {
		use_kind(kind);
		agreed = t.node;
		for (used = 0; used < KIND_CNT; used++) {
			if (used == kind)
				continue;
			use_kind(used);
			make_from_node(&frame, IPPROTO_TCP, 100);
			t.node = agreed;
			put_node();
			assert_dropped(&frame, HABPF_DROP_WRONG_ENCAPSULATION);
		}
	}
}

static void without_t_a_udp_tunnel_is_dropped(void **state)
{
	(void)state;
	use_kind(2);
	t.node.flags = HABPF_NODE_UDP;
	put_node();
	make_from_node(&frame, IPPROTO_TCP, 100);
	assert_dropped(&frame, HABPF_DROP_NO_REVERSE);
}

static void without_t_a_plain_tunnel_passes_unless_a_grant_is_needed(void **state)
{
	(void)state;
	t.node.flags = 0;
	put_node();
	make_from_node(&frame, IPPROTO_TCP, 100);
	assert_sent_from_node(&frame, host_mac);
	t.config.flags |= HABPF_REVERSE_NEEDS_GRANT;
	put_config();
	assert_dropped(&frame, HABPF_DROP_NO_REVERSE);
}

static void set_inner_destination(const char *text)
{
	make_from_node(&frame, IPPROTO_TCP, 100);
	ipv4_put_addr(inner_of(&frame) + IPV4_DST, addr(text));
	finish_inner(&frame);
}

static void an_inner_destination_that_is_no_hosts_is_dropped(void **state)
{
	static const char *const dests[] = { "0.0.0.0", "127.0.0.1", "224.0.0.5", "240.0.0.1",
					     "255.255.255.255" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(dests) / sizeof(dests[0]); i++) {
		set_inner_destination(dests[i]);
		assert_dropped(&frame, HABPF_DROP_DESTINATION);
	}
}

static void gre_that_would_go_back_is_dropped(void **state)
{
	(void)state;
	use_kind(1);
	set_inner_destination(CARE_OF);
	assert_dropped(&frame, HABPF_DROP_LOOP);
	use_kind(0); /* of GRE itself only, RFC 2784 §3.1 */
	set_inner_destination(CARE_OF);
	assert_sent_from_node(&frame, gateway_mac);
	use_kind(3);
	set_inner_destination(CARE_OF);
	assert_sent_from_node(&frame, gateway_mac);
}

static void what_is_for_this_host_is_left(void **state)
{
	size_t kind;

	(void)state;
	for (kind = 0; kind < KIND_CNT; kind++) {
		use_kind(kind);
		set_inner_destination(HOME_AGENT);
		assert_left(&frame, HABPF_LEAVE_LOCAL);
		/* Registrations to any other address of ours would be in it. */
		set_inner_destination("192.0.2.1");
		assert_left(&frame, HABPF_LEAVE_ROUTE);
		set_inner_destination("198.51.100.1");
		assert_left(&frame, HABPF_LEAVE_ROUTE);
	}
}

static void what_is_for_a_broadcast_address_is_left(void **state)
{
	(void)state;
	set_inner_destination("192.0.2.255");
	assert_left(&frame, HABPF_LEAVE_ROUTE);
}

static void what_is_for_another_node_is_left(void **state)
{
	(void)state;
	set_inner_destination("10.50.0.9");
	assert_left(&frame, HABPF_LEAVE_PORT);
}

static void an_unknown_inner_source_is_left(void **state)
{
	(void)state;
	make_from_node(&frame, IPPROTO_TCP, 100);
	ipv4_put_addr(inner_of(&frame) + IPV4_SRC, addr("10.50.0.9"));
	finish_inner(&frame);
	assert_left(&frame, HABPF_LEAVE_NO_NODE);
}

static void what_is_longer_than_the_way_out_takes_is_left(void **state)
{
	struct encap_path path = path_from_node();

	(void)state;
	frame.data = frame.buf + ENCAP_HEADROOM;
	make_packet(ip_of(&frame), NODE, FAR_HOST, IPPROTO_TCP, FAR_MTU);
	wrap(&frame, &path, FAR_MTU);
	assert_sent_from_node(&frame, far_mac);
	make_packet(ip_of(&frame), NODE, FAR_HOST, IPPROTO_TCP, FAR_MTU + 1);
	wrap(&frame, &path, FAR_MTU + 1);
	assert_left(&frame, HABPF_LEAVE_MTU);
}

static void registrations_and_other_udp_are_ignored(void **state)
{
	(void)state;
	use_kind(2);
	make_from_node(&frame, IPPROTO_TCP, 100);
	ip_of(&frame)[IPV4_HEADER_MIN + 8] = 1; /* a Registration Request */
	assert_ignored(&frame);
	make_from_node(&frame, IPPROTO_TCP, 100);
	ipv4_put16(ip_of(&frame) + IPV4_HEADER_MIN + 2, 435);
	assert_ignored(&frame);
	make_from_node(&frame, IPPROTO_TCP, 100);
	ip_of(&frame)[IPV4_PROTOCOL] = IPPROTO_TCP;
	assert_ignored(&frame);
}

static void outer_options_and_fragments_are_left(void **state)
{
	(void)state;
	make_from_node_with(0, 0x4600);
	assert_left(&frame, HABPF_LEAVE_OPTIONS);
	make_from_node_with(IPV4_FRAGMENT, IPV4_MF);
	assert_left(&frame, HABPF_LEAVE_FRAGMENT);
}

static void a_wrong_outer_header_is_left(void **state)
{
	(void)state;
	make_from_node(&frame, IPPROTO_TCP, 100);
	ip_of(&frame)[IPV4_CHECKSUM] ^= 1;
	assert_left(&frame, HABPF_LEAVE_CHECKSUM);
	make_from_node_with(IPV4_LENGTH, 121);
	assert_left(&frame, HABPF_LEAVE_CHECKSUM);
}

static void inner_options_and_fragments_are_left(void **state)
{
	(void)state;
	make_inner_with(0, 0x4600);
	assert_left(&frame, HABPF_LEAVE_OPTIONS);
	make_inner_with(IPV4_FRAGMENT, 3);
	assert_left(&frame, HABPF_LEAVE_FRAGMENT);
}

static void a_malformed_inner_header_is_dropped(void **state)
{
	size_t kind;

	(void)state;
	for (kind = 0; kind < KIND_CNT; kind++) {
		use_kind(kind);
		make_inner_with(0, 0x6500);
		assert_dropped(&frame, HABPF_DROP_MALFORMED);
		make_inner_with(0, 0x4400);
		assert_dropped(&frame, HABPF_DROP_MALFORMED);
		make_from_node(&frame, IPPROTO_TCP, 100);
		inner_of(&frame)[IPV4_CHECKSUM] ^= 1;
		assert_dropped(&frame, HABPF_DROP_MALFORMED);
		make_inner_with(IPV4_LENGTH, 19);
		assert_dropped(&frame, HABPF_DROP_MALFORMED);
	}
}

static void an_inner_packet_longer_than_its_outer_is_dropped(void **state)
{
	size_t kind;

	(void)state;
	for (kind = 0; kind < KIND_CNT; kind++) {
		use_kind(kind);
		make_from_node(&frame, IPPROTO_TCP, 100);
		memset(frame.data + frame.len, 0, 50); /* even if the frame would hold it */
		frame.len += 50;
		ipv4_put16(inner_of(&frame) + IPV4_LENGTH, 101);
		finish_inner(&frame);
		assert_dropped(&frame, HABPF_DROP_MALFORMED);
	}
}

static void an_outer_packet_without_room_for_an_inner_is_dropped(void **state)
{
	(void)state;
	make_from_node_with(IPV4_LENGTH, 39);
	assert_dropped(&frame, HABPF_DROP_MALFORMED);
}

static void an_inner_packet_shorter_than_its_outer_is_taken(void **state)
{
	(void)state;
	make_from_node(&frame, IPPROTO_ESP, 100);
	ipv4_put16(inner_of(&frame) + IPV4_LENGTH, 90);
	finish_inner(&frame);
	assert_sent_from_node(&frame, host_mac);
}

static void gre_with_more_in_its_header_is_left(void **state)
{
	static const uint8_t flags[] = { 0x80, 0x20, 0x10, 0x40 };
	size_t i;

	(void)state;
	use_kind(1);
	for (i = 0; i < sizeof(flags); i++) {
		make_from_node(&frame, IPPROTO_TCP, 100);
		ip_of(&frame)[IPV4_HEADER_MIN] = flags[i];
		assert_left(&frame, HABPF_LEAVE_GRE);
	}
	make_from_node(&frame, IPPROTO_TCP, 100);
	ip_of(&frame)[IPV4_HEADER_MIN + 2] = 0x86;
	assert_left(&frame, HABPF_LEAVE_GRE);
}

static void minimal_encapsulation_is_left(void **state)
{
	(void)state;
	t.node.mode = ENCAP_MINIMAL;
	make_from_node(&frame, IPPROTO_TCP, 100);
	assert_left(&frame, HABPF_LEAVE_MINIMAL);
	t.node.flags |= HABPF_NODE_UDP;
	make_from_node(&frame, IPPROTO_TCP, 100);
	assert_left(&frame, HABPF_LEAVE_MINIMAL);
}

static void tunnel_data_of_another_kind_is_dropped(void **state)
{
	(void)state;
	use_kind(2);
	make_from_node(&frame, IPPROTO_TCP, 100);
	ip_of(&frame)[IPV4_HEADER_MIN + 9] = 41;
	assert_dropped(&frame, HABPF_DROP_MALFORMED);
}

static void the_outer_source_has_to_pass_the_ports_filter(void **state)
{
	(void)state;
	make_from_node(&frame, IPPROTO_TCP, 100);
	put_port(t.in, 0x10, HABPF_PORT_ETHER | HABPF_PORT_XMIT | HABPF_PORT_LOOSE);
	assert_sent_from_node(&frame, host_mac);
	assert_sent_from_node(&frame, host_mac);                    /* as noted */
	put_port(t.in, 0x10, HABPF_PORT_ETHER | HABPF_PORT_STRICT); /* it is beyond "out" */
	forget_sources();
	assert_left(&frame, HABPF_LEAVE_SOURCE);
	assert_left(&frame, HABPF_LEAVE_SOURCE);
}

/* --- whatever comes --- */

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % n;
}

/* Frames with a few octets changed, or cut: what is sent all the same is what encap.c sends. */
static void whatever_comes_is_carried_as_encap_does_it_or_not_touched(void **state)
{
	static const uint8_t values[] = { 0, 1, 4, 0x45, 0x7f, 0x80, 0xff };
	static struct frame whole;
	unsigned int i, changes, sent = 0, left = 0, dropped = 0;
	bool to_node;
	size_t at;

	(void)state;
	for (i = 0; i < 20000; i++) {
		use_kind(random_below(KIND_CNT));
		to_node = random_below(2);
		if (to_node)
			make_to_node(&whole, protocols[random_below(PROTOCOL_CNT)],
				     46 + random_below(60));
		else
			make_from_node(&whole, protocols[random_below(PROTOCOL_CNT)],
				       46 + random_below(60));
		for (changes = random_below(4); changes > 0; changes--) {
			at = 6 + random_below(90);
			if (at < whole.len)
				whole.data[at] = random_below(2)
							 ? values[random_below(sizeof(values))]
							 : (uint8_t)random_below(256);
		}
		if (random_below(2)) /* or hardly anything would get by the checksums */
			ipv4_put_checksum(ip_of(&whole), IPV4_HEADER_MIN, IPV4_CHECKSUM);
		if (random_below(2) && !to_node)
			ipv4_put_checksum(inner_of(&whole), IPV4_HEADER_MIN, IPV4_CHECKSUM);
		if (random_below(8) == 0)
			whole.len -= random_below(26); /* a test run wants an IP header */
		switch (run(&whole)) {
		case SENT:
			sent++;
			/* The changes may have made the one direction the other. */
			if (ipv4_dst(ip_of(&whole)).s_addr == addr(HOME_AGENT).s_addr)
				assert_sent_from_node(&whole, result.data + 0);
			else
				assert_sent_to_node(&whole);
			break;
		case LEFT:
			left++;
			assert_untouched(&whole);
			break;
		default:
			dropped++;
			break;
		}
	}
	print_message("sent %u, left %u, dropped %u\n", sent, left, dropped);
	assert_true(sent > 1000 && left > 1000 && dropped > 100);
}

#if !HOOK_xdp
/* --- large segments, at tc --- */

static void a_large_segment_has_to_fit_in_pieces(void **state)
{
	(void)state;
	make_to_node(&frame, IPPROTO_TCP, 3000);
	gso_size = 1480;
	assert_left(&frame, HABPF_LEAVE_MTU);
	gso_size = 0;
	make_to_node(&frame, IPPROTO_UDP, 3000);
	gso_size = 1400;
	assert_left(&frame, HABPF_LEAVE_OFFLOAD);
	make_to_node(&frame, IPPROTO_TCP, 2840);
	put_trailer(&frame, 4);
	assert_left(&frame, HABPF_LEAVE_OFFLOAD);
	make_from_node(&frame, IPPROTO_TCP, 1400);
	put_trailer(&frame, 4);
	gso_size = 700;
	assert_left(&frame, HABPF_LEAVE_OFFLOAD);
	gso_size = 1400;
	/*
	 * A test run cannot say that it is TCP's, and the kernel refuses to make room then: the
	 * packet is left as it came.
	 */
	make_to_node(&frame, IPPROTO_TCP, 2840);
	gso_size = 1400;
	assert_left(&frame, HABPF_LEAVE_SYSTEM);
	gso_size = 0;
}
#endif

/* --- the world --- */

static int open_world(void)
{
	struct in_addr any = { 0 }, gateway;
	uint32_t zero = 0;
	int err;

	err = net_enter();
	if (err < 0) {
		printf("skipped: no network namespace (%s)\n", strerror(-err));
		return SKIPPED;
	}
	(void)inet_pton(AF_INET, GATEWAY, &gateway);
	t.cpu_cnt = (uint32_t)libbpf_num_possible_cpus();
	t.skel = habpf__open();
	if (!t.skel) {
		perror("habpf");
		return 1;
	}
	(void)bpf_program__set_autoload(t.skel->progs.ha_xdp, HOOK_xdp);
	(void)bpf_program__set_autoload(t.skel->progs.ha_tc, !HOOK_xdp);
	(void)bpf_map__set_max_entries(t.skel->maps.ha_nodes, habpf_entry_cnt(SLOTS));
	err = habpf__load(t.skel);
	if (err == -EPERM || err == -ENOSYS) {
		printf("skipped: BPF programs may not be loaded (%s)\n", strerror(-err));
		return SKIPPED;
	}
	if (err < 0) {
		printf("the kernel refuses the programs: %s\n", strerror(-err));
		return 1;
	}
	t.prog = bpf_program__fd(HOOK_xdp ? t.skel->progs.ha_xdp : t.skel->progs.ha_tc);

	t.in = net_pair("in", 0x10, 1500);
	t.out = net_pair("out", 0x20, 1500);
	t.narrow = net_pair("narrow", 0x30, FAR_MTU);
	t.tunnels = net_pair("tunnels", 0x40, 1500); /* for the daemon's TUN device */
	net_address(t.in, addr("192.0.2.1"), 24);
	net_address(t.in, addr(HOME_AGENT), 32);
	net_address(t.out, addr("198.51.100.1"), 29);
	net_address(t.narrow, addr("203.0.113.1"), 24);
	net_address(t.tunnels, addr("10.60.0.1"), 24);
	net_route(addr("198.51.100.64"), 26, gateway, t.out);
	net_route(addr("10.50.0.0"), 16, any, t.tunnels);
	net_neighbour(t.out, gateway, gateway_mac);
	net_neighbour(t.in, addr(HOST), host_mac);
	net_neighbour(t.narrow, addr(FAR_HOST), far_mac);
	net_neighbour(t.tunnels, addr("10.50.0.9"), far_mac);
	net_neighbour(t.tunnels, addr("10.60.0.2"), far_mac);
	/* A test run of XDP names a receive queue, and veth has none without a program. */
	if (HOOK_xdp && bpf_xdp_attach((int)t.in, t.prog, XDP_FLAGS_DRV_MODE, NULL) < 0) {
		perror("attach");
		return 1;
	}
	put(t.skel->maps.ha_select, &zero, &zero);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(carries_to_node_in_every_encapsulation),
		TEST(carries_from_node_in_every_encapsulation),
		TEST(what_trails_behind_a_packet_does_not_go_on),
		TEST(every_tos_goes_out_as_encap_has_it),
		TEST(ecn_comes_out_by_the_table_of_rfc6040),
		TEST(df_is_copied),
		TEST(identification_is_not_repeated),
		TEST(ttl_checksum_is_right_at_every_value),
		TEST(inner_udp_without_checksum_goes_without_one),
		TEST(inner_udp_shorter_than_its_packet_goes_without_one),
		TEST(what_would_have_no_checksum_is_left_where_peers_want_one),
		TEST(checksum_from_the_node_is_checked_or_left_to_the_kernel),
		TEST(udp_length_must_be_the_packets),
		TEST(what_is_not_for_a_node_is_ignored),
		TEST(a_frame_to_another_station_is_ignored),
		TEST(a_vlan_tag_is_left_to_its_interface),
		TEST(other_than_ipv4_is_ignored),
		TEST(a_port_that_is_not_ours_is_ignored),
		TEST(another_layout_switches_the_program_off),
		TEST(options_to_a_node_are_left),
		TEST(a_wrong_header_to_a_node_is_left),
		TEST(fragments_to_a_node_are_left),
		TEST(ttl_of_one_is_left),
		TEST(an_expired_binding_is_left),
		TEST(sources_that_are_no_hosts_are_left),
		TEST(our_own_addresses_are_no_sources),
		TEST(the_reverse_path_filter_of_a_port_holds),
		TEST(what_one_source_passed_is_no_anothers),
		TEST(what_comes_from_the_tunnels_end_is_left),
		TEST(what_is_longer_than_the_tunnel_takes_is_left),
		TEST(what_is_longer_than_the_link_takes_is_left),
		TEST(a_jumbo_frame_is_left),
		TEST(a_syn_is_left_where_its_mss_may_have_to_be_lowered),
		TEST(a_peer_without_route_or_neighbour_is_left),
		TEST(a_way_out_by_no_port_of_ours_is_left),
		TEST(what_xdp_leaves_to_tc_is_tcs_to_count),
		TEST(the_next_hop_is_noted_for_the_daemon),
		TEST(without_its_device_routes_are_those_of_the_port),
		TEST(the_filter_holds_to_a_node),
		TEST(the_filter_holds_from_a_node),
		TEST(udp_under_a_filter_is_as_long_as_it_says),
		TEST(whom_a_node_has_not_sent_to_may_not_send_to_it),
		TEST(the_last_peer_there_is_room_for_is_one),
		TEST(a_packet_too_short_for_ports_has_none),
		TEST(icmp_under_a_filter_is_left),
		TEST(some_drops_of_a_second_go_to_the_tier_that_logs),
		TEST(drop_is_counted_by_the_interface_that_it_came_by),
		TEST(entry_that_is_being_changed_is_not_there),
		TEST(search_ends_where_nobody_ever_was),
		TEST(a_tunnel_from_another_source_is_dropped),
		TEST(a_udp_tunnel_from_another_port_is_dropped),
		TEST(another_encapsulation_is_dropped),
		TEST(without_t_a_udp_tunnel_is_dropped),
		TEST(without_t_a_plain_tunnel_passes_unless_a_grant_is_needed),
		TEST(an_inner_destination_that_is_no_hosts_is_dropped),
		TEST(gre_that_would_go_back_is_dropped),
		TEST(what_is_for_this_host_is_left),
		TEST(what_is_for_a_broadcast_address_is_left),
		TEST(what_is_for_another_node_is_left),
		TEST(an_unknown_inner_source_is_left),
		TEST(what_is_longer_than_the_way_out_takes_is_left),
		TEST(registrations_and_other_udp_are_ignored),
		TEST(outer_options_and_fragments_are_left),
		TEST(a_wrong_outer_header_is_left),
		TEST(inner_options_and_fragments_are_left),
		TEST(a_malformed_inner_header_is_dropped),
		TEST(an_inner_packet_longer_than_its_outer_is_dropped),
		TEST(an_outer_packet_without_room_for_an_inner_is_dropped),
		TEST(an_inner_packet_shorter_than_its_outer_is_taken),
		TEST(gre_with_more_in_its_header_is_left),
		TEST(minimal_encapsulation_is_left),
		TEST(tunnel_data_of_another_kind_is_dropped),
		TEST(the_outer_source_has_to_pass_the_ports_filter),
		TEST(whatever_comes_is_carried_as_encap_does_it_or_not_touched),
#if !HOOK_xdp
		TEST(a_large_segment_has_to_fit_in_pieces),
#endif
	};
	int err = open_world();

	if (err != 0)
		return err;
	err = cmocka_run_group_tests(tests, NULL, NULL);
	habpf__destroy(t.skel);
	return err;
}

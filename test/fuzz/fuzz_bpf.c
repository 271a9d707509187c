/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs of the fast path, at XDP and at tc, in the kernel that runs here
 * (bpf_prog_test_run). A packet is left as it came, dropped, or sent; what is sent is what encap.c
 * makes of it, and both programs agree. Nothing of the kernel's is counted by libFuzzer, so inputs
 * are mutations of good packets and no more. Needs root, else it is skipped.
 *
 * Input: node (1), bits (1: BIT_*), then an IPv4 packet.
 */
#include "common/addr.h"
#include "ha-core/tunnel/bpf/habpf.h"
#include "test/bpf/net.h"
#include "test/fuzz/packet.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <habpf.skel.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <unistd.h>

#define BIT_AS_IS      0x01 /* checksums and lengths are those of the input */
#define BIT_FROM_NODE  0x02 /* outer and inner addresses are the node's */
#define BIT_TO_NODE    0x04 /* the destination is the node's home address */
#define BIT_IPSEC_ONLY 0x08
#define BIT_ECN_NORMAL 0x10
#define BIT_NEEDS_T    0x20
#define NODE_CNT       4
#define SLOTS          64
#define PACKET_MAX     1500
#define PEER_PORT      40000

enum verdict { LEFT, DROPPED, SENT };

struct out {
	enum verdict verdict;
	uint8_t frame[16384];
	size_t len;
};

static struct habpf *skel;
static unsigned int in, out_port, tunnels;
static struct in_addr home_agent, home[NODE_CNT], peer[NODE_CNT];

static const struct {
	uint8_t mode, flags;
} kinds[NODE_CNT] = {
	{ ENCAP_IPIP, HABPF_NODE_REVERSE },
	{ ENCAP_GRE, HABPF_NODE_REVERSE },
	{ ENCAP_IPIP, HABPF_NODE_REVERSE | HABPF_NODE_UDP },
	{ ENCAP_GRE, HABPF_NODE_UDP },
};

static struct in_addr addr(const char *text)
{
	struct in_addr a;

	FUZZ_CHECK(inet_pton(AF_INET, text, &a) == 1);
	return a;
}

static void put(const struct bpf_map *map, const void *key, const void *value)
{
	FUZZ_CHECK(bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY) == 0);
}

static void put_config(uint8_t bits)
{
	static struct habpf_config config;
	static int last = -1;
	uint32_t zero = 0;

	bits &= BIT_IPSEC_ONLY | BIT_ECN_NORMAL | BIT_NEEDS_T;
	if (last == bits)
		return;
	last = bits;
	config = (struct habpf_config){
		.layout = HABPF_LAYOUT,
		.flags = (bits & BIT_IPSEC_ONLY ? HABPF_FILTER : 0u) |
			 (bits & BIT_ECN_NORMAL ? HABPF_ECN_NORMAL : 0u) |
			 (bits & BIT_NEEDS_T ? HABPF_REVERSE_NEEDS_GRANT : 0u),
		.home_agent = home_agent.s_addr,
		.port = htons(434),
		.slot_cnt = SLOTS,
		.device_ifindex = tunnels,
		.row_cnt = 1,
		.peer_cnt = 1,
		.rows = { { .protocol = IPPROTO_ESP } },
		.peers = { addr("192.0.2.9").s_addr },
	};
	put(skel->maps.ha_config, &zero, &config);
}

static void put_node(unsigned int i)
{
	uint32_t slot = habpf_first_slot(ntohl(home[i].s_addr), SLOTS);
	const struct habpf_node node = {
		.tag = (uint64_t)home[i].s_addr << 32 | 2,
		.tunnel = { .expires_ns = UINT64_MAX,
			    .peer = peer[i].s_addr,
			    .peer_port = htons(PEER_PORT),
			    .mtu = 1500,
			    .mode = kinds[i].mode,
			    .contacts = 1,
			    .flags = kinds[i].flags },
	};

	put(skel->maps.ha_nodes, &slot, &node);
}

static void put_port(unsigned int ifindex, uint8_t last)
{
	const struct habpf_port port = { .mac = { 2, 0, 0, 0, 0, last },
					 .flags = HABPF_PORT_ETHER | HABPF_PORT_XMIT };

	put(skel->maps.ha_ports, &ifindex, &port);
}

static void skip(const char *why, int err)
{
	printf("skipped: %s (%s)\n", why, strerror(-err));
	_exit(FUZZ_SKIPPED);
}

static void open_network(void)
{
	static const uint8_t gateway_mac[6] = { 2, 0, 0, 0, 1, 1 },
			     host_mac[6] = { 2, 0, 0, 0, 1, 2 };
	const struct in_addr any = { 0 }, gateway = addr("198.51.100.2");

	in = net_pair("in", 0x10, 1500);
	out_port = net_pair("out", 0x20, 1500);
	tunnels = net_pair("tunnels", 0x40, 1500);
	net_address(in, addr("192.0.2.1"), 24);
	net_address(in, home_agent, 32);
	net_address(out_port, addr("198.51.100.1"), 29);
	net_address(tunnels, addr("10.60.0.1"), 24);
	net_route(addr("198.51.100.64"), 26, gateway, out_port);
	net_route(addr("10.50.0.0"), 16, any, tunnels);
	net_neighbour(out_port, gateway, gateway_mac);
	net_neighbour(in, addr("192.0.2.9"), host_mac);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	uint32_t zero = 0;
	unsigned int i;
	int err;

	(void)argc;
	(void)argv;
	err = net_enter();
	if (err < 0)
		skip("no network namespace", err);
	skel = habpf__open();
	FUZZ_CHECK(skel);
	(void)bpf_map__set_max_entries(skel->maps.ha_nodes, habpf_entry_cnt(SLOTS));
	err = habpf__load(skel);
	if (err == -EPERM || err == -ENOSYS)
		skip("BPF programs may not be loaded", err);
	FUZZ_CHECK(err == 0);
	home_agent = addr("192.0.2.2");
	open_network();
	/* A test run of XDP names a receive queue, and veth has none without a program. */
	err = bpf_xdp_attach((int)in, bpf_program__fd(skel->progs.ha_xdp), XDP_FLAGS_DRV_MODE,
			     NULL);
	FUZZ_CHECK(err == 0);
	put(skel->maps.ha_select, &zero, &zero);
	for (i = 0; i < NODE_CNT; i++) {
		home[i] = addr_from_host(0x0a320007 + i * 0x101);
		peer[i] = addr_from_host(0xc633644d + i);
		put_node(i);
	}
	put_port(in, 0x10);
	put_port(out_port, 0x20);
	return 0;
}

static enum verdict verdict_of_xdp(uint32_t code)
{
	FUZZ_CHECK(code == XDP_PASS || code == XDP_DROP || code == XDP_REDIRECT);
	return code == XDP_PASS ? LEFT : code == XDP_DROP ? DROPPED : SENT;
}

static enum verdict verdict_of_tc(int code)
{
	FUZZ_CHECK(code == TC_ACT_UNSPEC || code == TC_ACT_SHOT || code == TC_ACT_REDIRECT);
	return code == TC_ACT_UNSPEC ? LEFT : code == TC_ACT_SHOT ? DROPPED : SENT;
}

static void run(bool xdp, const uint8_t *frame, size_t len, struct out *res)
{
	struct xdp_md xdp_ctx = { .data_end = (uint32_t)len, .ingress_ifindex = in };
	struct __sk_buff tc_ctx = { .ifindex = in };
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
			    .data_size_in = (uint32_t)len, .data_out = res->frame,
			    .data_size_out = sizeof(res->frame), .repeat = 1);

	if (xdp) {
		opts.ctx_in = &xdp_ctx;
		opts.ctx_size_in = sizeof(xdp_ctx);
	} else {
		opts.ctx_in = &tc_ctx;
		opts.ctx_size_in = sizeof(tc_ctx);
	}
	FUZZ_CHECK(bpf_prog_test_run_opts(
			   bpf_program__fd(xdp ? skel->progs.ha_xdp : skel->progs.ha_tc), &opts) ==
		   0);
	res->len = opts.data_size_out;
	res->verdict = xdp ? verdict_of_xdp(opts.retval) : verdict_of_tc((int)opts.retval);
}

static int node_of(struct in_addr a)
{
	int i = NODE_CNT;

	while (i-- > 0 && home[i].s_addr != a.s_addr)
		;
	return i;
}

/* What was in a tunnel comes out, one hop older. */
static void check_taken_out(const uint8_t *packet, size_t len, const struct out *res)
{
	uint8_t buf[ENCAP_HEADROOM + PACKET_MAX], *p = buf + ENCAP_HEADROOM, mode;
	struct encap_inner inner;
	size_t head = IPV4_HEADER_MIN + 8;
	int err;

	memcpy(p, packet, len);
	if (p[IPV4_PROTOCOL] == IPPROTO_UDP)
		err = encap_decapsulate_udp(p + head, (size_t)ipv4_get16(p + IPV4_LENGTH) - head,
					    p[IPV4_TOS], ipv4_src(p), ipv4_dst(p), &mode, &inner);
	else
		err = encap_decapsulate(p, len, &inner);
	FUZZ_CHECK(err == 0);
	FUZZ_CHECK(node_of(ipv4_src(inner.packet)) >= 0);
	FUZZ_CHECK(ipv4_src(packet).s_addr == peer[node_of(ipv4_src(inner.packet))].s_addr);
	inner.packet[IPV4_TTL]--;
	ipv4_finish_header(inner.packet);
	FUZZ_CHECK(res->len >= ETH_HLEN + inner.len);
	FUZZ_CHECK(memcmp(res->frame + ETH_HLEN, inner.packet, inner.len) == 0);
}

/* The packet, one hop older, in the tunnel of its node. */
static void check_put_in(const uint8_t *packet, size_t len, uint8_t bits, const struct out *res)
{
	uint8_t buf[ENCAP_HEADROOM + PACKET_MAX], *p = buf + ENCAP_HEADROOM;
	const uint8_t *sent = res->frame + ETH_HLEN;
	int node = node_of(ipv4_dst(packet)), outer_len;
	struct encap_path path = { .local = home_agent,
				   .local_port = 434,
				   .peer_port = PEER_PORT,
				   .ecn_normal = bits & BIT_ECN_NORMAL };

	FUZZ_CHECK(node >= 0);
	path.peer = peer[node];
	path.mode = kinds[node].mode;
	path.udp = kinds[node].flags & HABPF_NODE_UDP;
	memcpy(p, packet, len);
	p[IPV4_TTL]--;
	ipv4_finish_header(p);
	outer_len = encap_packet(&path, p, len, ipv4_get16(sent + IPV4_IDENT), &p);
	FUZZ_CHECK(outer_len > 0 && res->len >= ETH_HLEN + (size_t)outer_len);
	if (path.udp) { /* its checksum may be none: then no more than that is different */
		if (ipv4_get16(sent + IPV4_HEADER_MIN + 6) == 0)
			memset(p + IPV4_HEADER_MIN + 6, 0, 2);
		else /* of a transport whose own is wrong, told from that one */
			memcpy(p + IPV4_HEADER_MIN + 6, sent + IPV4_HEADER_MIN + 6, 2);
	}
	FUZZ_CHECK(memcmp(sent, p, (size_t)outer_len) == 0);
}

static void check(const uint8_t *frame, size_t len, uint8_t bits, const struct out *res)
{
	const uint8_t *packet = frame + ETH_HLEN;

	if (res->verdict == LEFT) {
		FUZZ_CHECK(res->len == len && memcmp(res->frame, frame, len) == 0);
	} else if (res->verdict == SENT) {
		FUZZ_CHECK(encap_check_ipv4(packet, len - ETH_HLEN) > 0);
		if (ipv4_dst(packet).s_addr == home_agent.s_addr)
			check_taken_out(packet, len - ETH_HLEN, res);
		else
			check_put_in(packet, len - ETH_HLEN, bits, res);
	}
}

static void shape(uint8_t *packet, size_t len, unsigned int node, uint8_t bits)
{
	size_t at;

	if (bits & BIT_TO_NODE)
		ipv4_put_addr(packet + IPV4_DST, home[node]);
	if (bits & BIT_FROM_NODE) {
		ipv4_put_addr(packet + IPV4_DST, home_agent);
		ipv4_put_addr(packet + IPV4_SRC, peer[node]);
		at = kinds[node].mode == ENCAP_GRE ? 24 : 20;
		if (kinds[node].flags & HABPF_NODE_UDP) {
			packet[IPV4_PROTOCOL] = IPPROTO_UDP;
			at += 12;
		} else {
			packet[IPV4_PROTOCOL] = kinds[node].mode;
		}
		if (at + IPV4_HEADER_MIN <= len) {
			ipv4_put_addr(packet + at + IPV4_SRC, home[node]);
			if (!(bits & BIT_AS_IS))
				packet_fit(packet + at, len - at);
		}
	}
	if (!(bits & BIT_AS_IS))
		packet_fit(packet, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t head[ETH_HLEN] = { 2, 0, 0, 0, 0, 0x10, 2, 0, 0, 0, 0, 0x11, 8, 0 };
	static uint8_t frame[ETH_HLEN + PACKET_MAX];
	static struct out xdp, tc;
	uint8_t bits;
	size_t len;

	if (size < 2 + IPV4_HEADER_MIN || size > 2 + PACKET_MAX)
		return 0;
	len = size - 2;
	bits = data[1];
	memcpy(frame, head, ETH_HLEN);
	memcpy(frame + ETH_HLEN, data + 2, len);
	shape(frame + ETH_HLEN, len, data[0] % NODE_CNT, bits);
	len += ETH_HLEN;
	put_config(bits);
	run(true, frame, len, &xdp);
	check(frame, len, bits, &xdp);
	run(false, frame, len, &tc);
	check(frame, len, bits, &tc);
	FUZZ_CHECK(xdp.verdict == tc.verdict);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instrument of test/bench/datapath, which lays the network and calls it in three places:
 *
 *	packets sink INTERFACE                      counts and drops all that arrives there
 *	packets path HOOK IN OUT KIND NODES         the fast path by itself, its maps filled
 *	packets node HOOK IN OUT KIND               the same as the tunnel's other end, a router
 *	packets send INTERFACE MAC DIRECTION KIND SIZE NODES COUNT
 *
 * sink and path run until their standard input ends, and say "ready" first; sink prints its
 * count for each line it reads. send prints the seconds it took. HOOK is xdp or tc; DIRECTION is
 * plain, to-node or from-node; KIND is ip-in-ip or udp; SIZE is that of the inner packet.
 *
 * Addresses: nodes 10.0.0.1 and up, their care-of addresses 100.64.0.1 and up, the home agent
 * 192.0.2.2, a correspondent 198.18.0.9.
 */
#include "test/bench/packets/packets.h"

#include "ha-core/tunnel/bpf/bpf_nodes.h"
#include "ha-core/tunnel/bpf/habpf.h"
#include "ha-core/tunnel/encap.h"
#include "ha-core/tunnel/ipv4.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <habpf.skel.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <packets.skel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define NODE_FIRST    0x0a000001u
#define CARE_OF_FIRST 0x64400001u
#define HOME_AGENT    0xc0000202u
#define HOST          0xc6120009u
#define TUNNEL_PORT   434
#define PEER_PORT     40000
#define ETHER_LEN     14
#define FRAME_MAX     2048
#define LIVE_BATCH    64

static int fail(const char *what)
{
	(void)fprintf(stderr, "packets: %s: %s\n", what, strerror(errno));
	return 1;
}

static unsigned int number(const char *text)
{
	return (unsigned int)strtoul(text, NULL, 10);
}

static bool is_udp(const char *kind)
{
	return strcmp(kind, "udp") == 0;
}

static void say_ready(void)
{
	(void)puts("ready");
	(void)fflush(stdout);
}

/* --- sink --- */

static uint64_t total(const struct packets *skel, uint32_t cpu_cnt)
{
	uint64_t *each = calloc(cpu_cnt, sizeof(*each)), sum = 0;
	uint32_t zero = 0, cpu;

	if (each && bpf_map_lookup_elem(bpf_map__fd(skel->maps.counted), &zero, each) == 0)
		for (cpu = 0; cpu < cpu_cnt; cpu++)
			sum += each[cpu];
	free(each);
	return sum;
}

static int sink(const char *interface)
{
	uint32_t cpu_cnt = (uint32_t)libbpf_num_possible_cpus();
	struct packets *skel = packets__open_and_load();
	struct bpf_link *link;
	char line[16];

	if (!skel)
		return fail("programs");
	link = bpf_program__attach_xdp(skel->progs.count, (int)if_nametoindex(interface));
	if (!link)
		return fail(interface);
	say_ready();
	while (fgets(line, sizeof(line), stdin)) {
		(void)printf("%llu\n", (unsigned long long)total(skel, cpu_cnt));
		(void)fflush(stdout);
	}
	(void)bpf_link__destroy(link);
	packets__destroy(skel);
	return 0;
}

/* --- path --- */

static int put_port(struct habpf *skel, const char *interface, int control)
{
	struct habpf_port port = { .flags = HABPF_PORT_ETHER | HABPF_PORT_XMIT | HABPF_PORT_LOOSE };
	uint32_t ifindex = if_nametoindex(interface);
	struct ifreq ifr = { 0 };

	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", interface);
	if (ioctl(control, SIOCGIFHWADDR, &ifr) < 0)
		return -errno;
	memcpy(port.mac, ifr.ifr_hwaddr.sa_data, sizeof(port.mac));
	return bpf_map_update_elem(bpf_map__fd(skel->maps.ha_ports), &ifindex, &port, BPF_ANY);
}

/* Where the programs read it. */
static int map_nodes(const struct habpf *skel, uint32_t node_cnt, struct bpf_nodes *out_nodes)
{
	uint32_t slot_cnt = bpf_nodes_slot_cnt(node_cnt);
	void *entries =
		mmap(NULL, habpf_entry_cnt(slot_cnt) * sizeof(struct habpf_node),
		     PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(skel->maps.ha_nodes), 0);

	if (entries == MAP_FAILED)
		return -errno;
	bpf_nodes_init(out_nodes, entries, slot_cnt, node_cnt);
	return 0;
}

static int put_node(struct bpf_nodes *nodes, uint32_t home_addr, uint32_t peer, uint16_t port,
		    bool udp)
{
	const struct habpf_tunnel tunnel = {
		.expires_ns = UINT64_MAX,
		.peer = htonl(peer),
		.peer_port = htons(port),
		.mtu = 1500,
		.mode = ENCAP_IPIP,
		.flags = (uint8_t)(HABPF_NODE_REVERSE | (udp ? HABPF_NODE_UDP : 0)),
	};
	struct habpf_node *node = bpf_nodes_take(nodes, htonl(home_addr));

	if (!node)
		return -ENOSPC;
	bpf_nodes_write(nodes, node, htonl(home_addr), &tunnel);
	return 0;
}

/* To a node, a correspondent behind the agent is the agent's "node". */
static int put_nodes(const struct habpf *skel, bool udp, uint32_t node_cnt, bool is_node)
{
	struct bpf_nodes nodes;
	uint32_t i;
	int err = map_nodes(skel, node_cnt, &nodes);

	if (err == 0 && is_node)
		return put_node(&nodes, HOST, HOME_AGENT, TUNNEL_PORT, udp);
	for (i = 0; err == 0 && i < node_cnt; i++)
		err = put_node(&nodes, NODE_FIRST + i, CARE_OF_FIRST + i, PEER_PORT, udp);
	return err;
}

/* @retval -errno */
static int attach(const struct habpf *skel, bool xdp, int ifindex)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, clsact, .ifindex = ifindex,
			    .attach_point = BPF_TC_INGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, filter, .prog_fd = bpf_program__fd(skel->progs.ha_tc));
	int err;

	if (xdp)
		return bpf_xdp_attach(ifindex, bpf_program__fd(skel->progs.ha_xdp),
				      XDP_FLAGS_DRV_MODE, NULL);
	err = bpf_tc_hook_create(&clsact);
	if (err < 0 && err != -EEXIST)
		return err;
	return bpf_tc_attach(&clsact, &filter);
}

static void detach(bool xdp, int ifindex)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, clsact, .ifindex = ifindex,
			    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS); /* all of it */

	if (xdp)
		(void)bpf_xdp_detach(ifindex, XDP_FLAGS_DRV_MODE, NULL);
	else
		(void)bpf_tc_hook_destroy(&clsact);
}

static int path(const char *hook, const char *in, const char *out, const char *kind,
		uint32_t node_cnt, bool is_node)
{
	const int ports[] = { (int)if_nametoindex(in), (int)if_nametoindex(out) };
	uint32_t slot_cnt = bpf_nodes_slot_cnt(node_cnt), zero = 0;
	struct habpf_config config = {
		.layout = HABPF_LAYOUT,
		.home_agent = htonl(is_node ? CARE_OF_FIRST : HOME_AGENT),
		.port = htons(is_node ? PEER_PORT : TUNNEL_PORT),
		.slot_cnt = slot_cnt,
	};
	int control = socket(AF_INET, SOCK_DGRAM, 0);
	bool xdp = strcmp(hook, "xdp") == 0;
	struct habpf *skel = habpf__open();
	char line[16];
	int err;

	if (!skel || bpf_map__set_max_entries(skel->maps.ha_nodes, habpf_entry_cnt(slot_cnt)) < 0 ||
	    habpf__load(skel) < 0)
		return fail("programs");
	err = put_nodes(skel, is_udp(kind), node_cnt, is_node);
	if (err < 0 || put_port(skel, in, control) < 0 || put_port(skel, out, control) < 0 ||
	    bpf_map_update_elem(bpf_map__fd(skel->maps.ha_config), &zero, &config, BPF_ANY) < 0)
		return fail("maps");
	if (attach(skel, xdp, ports[0]) < 0 || attach(skel, xdp, ports[1]) < 0)
		return fail(hook);
	say_ready();
	while (fgets(line, sizeof(line), stdin))
		;
	detach(xdp, ports[0]);
	detach(xdp, ports[1]);
	habpf__destroy(skel);
	close(control);
	return 0;
}

/* --- send --- */

/* A UDP packet; its checksum is right where it has one. */
static void make_inner(uint8_t *ip, uint32_t src, uint32_t dst, size_t len)
{
	uint8_t *udp = ip + IPV4_HEADER_MIN, pseudo[12] = { 0 };
	uint16_t sum;

	memset(ip, 0, len);
	ip[0] = 0x45;
	ipv4_put16(ip + IPV4_LENGTH, (uint16_t)len);
	ipv4_put16(ip + IPV4_FRAGMENT, IPV4_DF);
	ip[IPV4_TTL] = 64;
	ip[IPV4_PROTOCOL] = IPPROTO_UDP;
	ipv4_put_addr(ip + IPV4_SRC, (struct in_addr){ htonl(src) });
	ipv4_put_addr(ip + IPV4_DST, (struct in_addr){ htonl(dst) });
	ipv4_finish_header(ip);
	ipv4_put16(udp, 5000);
	ipv4_put16(udp + 2, 5001);
	ipv4_put16(udp + 4, (uint16_t)(len - IPV4_HEADER_MIN));
	memcpy(pseudo, ip + IPV4_SRC, 8);
	pseudo[9] = IPPROTO_UDP;
	ipv4_put16(pseudo + 10, (uint16_t)(len - IPV4_HEADER_MIN));
	sum = ipv4_checksum(
		ipv4_sum(udp, len - IPV4_HEADER_MIN, ipv4_sum(pseudo, sizeof(pseudo), 0)));
	memcpy(udp + 6, &sum, sizeof(sum));
}

/* The sum behind a checksum, less an address that is part of it. */
static uint32_t sum_without(const uint8_t *check, uint32_t addr)
{
	uint16_t sum;
	uint64_t rest;

	memcpy(&sum, check, sizeof(sum));
	rest = (uint64_t)(uint16_t)~sum + (uint32_t)~htonl(addr);
	return (uint16_t)~ipv4_checksum(rest);
}

static size_t plan_frame(uint8_t *frame, const char *direction, const char *kind, size_t len,
			 uint32_t node_cnt, struct packets_plan *plan)
{
	bool udp = is_udp(kind), from = strcmp(direction, "from-node") == 0;
	bool plain = strcmp(direction, "plain") == 0;
	struct encap_path tunnel = { .local = { htonl(CARE_OF_FIRST) },
				     .peer = { htonl(HOME_AGENT) },
				     .local_port = PEER_PORT,
				     .peer_port = TUNNEL_PORT,
				     .mode = ENCAP_IPIP,
				     .udp = udp };
	size_t inner_at = ETHER_LEN, tunnel_sum_at = ETHER_LEN + IPV4_HEADER_MIN + 6;
	static uint8_t packet[ENCAP_HEADROOM + FRAME_MAX];
	uint8_t *start = packet + ENCAP_HEADROOM;
	size_t node_at;
	int outer_len;

	if (from)
		make_inner(start, NODE_FIRST, HOST, len);
	else
		make_inner(start, HOST, plain ? CARE_OF_FIRST : NODE_FIRST, len);
	if (from) {
		outer_len = encap_packet(&tunnel, start, len, 0, &start);
		inner_at += (size_t)outer_len - len;
		len = (size_t)outer_len;
	}
	memcpy(frame + ETHER_LEN, start, len);
	node_at = inner_at + (from ? IPV4_SRC : IPV4_DST);
	plan->node_cnt = node_cnt;
	plan->node_at = (uint32_t)node_at;
	memcpy(&plan->node_first, frame + node_at, 4);
	plan->ip_check_at = (uint32_t)inner_at + IPV4_CHECKSUM;
	plan->ip_sum = sum_without(frame + plan->ip_check_at, ntohl(plan->node_first));
	plan->udp_check_at = (uint32_t)inner_at + IPV4_HEADER_MIN + 6;
	plan->udp_sum = sum_without(frame + plan->udp_check_at, ntohl(plan->node_first));
	if (from) {
		plan->care_of_at = ETHER_LEN + IPV4_SRC;
		plan->care_of_first = htonl(CARE_OF_FIRST);
		plan->outer_check_at = ETHER_LEN + IPV4_CHECKSUM;
		plan->outer_sum = sum_without(frame + plan->outer_check_at, CARE_OF_FIRST);
	}
	if (from && udp) {
		plan->tunnel_check_at = (uint32_t)tunnel_sum_at;
		plan->tunnel_sum = sum_without(frame + tunnel_sum_at, CARE_OF_FIRST);
		/* The inner source is in it as its complement: take that away, too. */
		plan->tunnel_sum =
			(uint16_t)~ipv4_checksum((uint64_t)plan->tunnel_sum + htonl(NODE_FIRST));
	}
	return ETHER_LEN + len;
}

static int send_packets(const char *interface, const char *mac, const char *direction,
			const char *kind, size_t len, uint32_t node_cnt, uint32_t packet_cnt)
{
	static uint8_t frame[FRAME_MAX];
	struct packets *skel = packets__open();
	struct packets_plan *plan;
	struct timespec begin, end;
	struct xdp_md ctx = { 0 };
	unsigned int octet[6];
	size_t frame_len, i;
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .ctx_in = &ctx,
			    .ctx_size_in = sizeof(ctx), .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
			    .batch_size = LIVE_BATCH);

	if (!skel || sscanf(mac, "%2x:%2x:%2x:%2x:%2x:%2x", &octet[0], &octet[1], &octet[2],
			    &octet[3], &octet[4], &octet[5]) != 6)
		return fail(mac);
	for (i = 0; i < 6; i++)
		frame[i] = (uint8_t)octet[i];
	ipv4_put16(frame + 12, 0x0800);
	plan = &skel->bss->plan;
	frame_len = plan_frame(frame, direction, kind, len, node_cnt, plan);
	memcpy(plan->headers, frame, PACKETS_HEADERS);
	plan->ifindex = if_nametoindex(interface);
	if (packets__load(skel) < 0)
		return fail("programs");
	if (frame_len < PACKETS_FRAME_MIN)
		frame_len = PACKETS_FRAME_MIN; /* link padding */
	opts.data_size_in = (uint32_t)frame_len;
	opts.repeat = (int)packet_cnt;
	ctx.data_end = (uint32_t)frame_len;
	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.generate), &opts) < 0)
		return fail("sending");
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	(void)printf("%.6f\n", (double)(end.tv_sec - begin.tv_sec) +
				       (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
	packets__destroy(skel);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "sink") == 0)
		return sink(argv[2]);
	if (argc == 7 && strcmp(argv[1], "path") == 0)
		return path(argv[2], argv[3], argv[4], argv[5], number(argv[6]), false);
	if (argc == 6 && strcmp(argv[1], "node") == 0)
		return path(argv[2], argv[3], argv[4], argv[5], 1, true);
	if (argc == 9 && strcmp(argv[1], "send") == 0)
		return send_packets(argv[2], argv[3], argv[4], argv[5], number(argv[6]),
				    number(argv[7]), number(argv[8]));
	(void)fputs("usage: see packets.c\n", stderr);
	return 2;
}

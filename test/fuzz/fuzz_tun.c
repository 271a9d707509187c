/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets through the whole of tier "tun", between its sockets and its device: tunnel data of each
 * encapsulation from outside, ICMP errors about tunnels, packets to nodes, broadcasts. The tier is
 * compiled in here, so that packets reach it as its sockets would give them; what it writes is
 * taken from write() and sendmmsg() by the linker (--wrap) and judged:
 *
 *	to the device	from a node that is away, in a tunnel of its own, and allowed to (RFC 3024
 *			§4.3.2, RFC 5265 §4.3, the forwarding policy)
 *	to the wire	from our address: to the end of a live tunnel, or an ICMP error
 *
 * Input: bits (1: see BIT_*), then steps: kind (1), place of a binding (1), help (1: HELP_*),
 * source port (2), TOS (1), length (2), octets.
 */
#include "ha-core/tunnel/tun/tunnel_tun.c"
#include "test/fuzz/packet.h"

#include "ha-core/auth/sa.h"

enum { STEP_RAW, STEP_UDP, STEP_ERROR, STEP_FORWARD, STEP_BROADCAST, STEP_CNT };

#define BIT_IPSEC_ONLY  0x01
#define BIT_ECN_NORMAL  0x02
#define BIT_NEEDS_GRANT 0x04
#define BIT_UNTOLD      0x08 /* no broadcasts from outside, no clamping */

#define HELP_OUTER 0x01 /* the outer addresses are those of the binding's tunnel */
#define HELP_INNER 0x02 /* the inner source (to a node: destination) is its home address */
#define HELP_MEND  0x04 /* checksums and Total Length are right */
#define STEPS_MAX  8
#define PACKET_MAX 4096
#define DEVICE_FD  1000001 /* nobody's */
#define WIRE_FD    1000002
#define PORT       434
#define PEER_PORT  40000
#define HOST(last)                                          \
	{                                                   \
		.s_addr = (uint32_t)(last) << 24 | 0x0200c0 \
	} /* 192.0.2.x */
#define PEER(last)                                          \
	{                                                   \
		.s_addr = (uint32_t)(last) << 24 | 0x6433c6 \
	} /* 198.51.100.x */
#define GATEWAY                      \
	{                            \
		.s_addr = 0x0a7100cb \
	} /* 203.0.113.10 */

static const struct in_addr home_agent = HOST(1), gateway = GATEWAY;
static const struct addr_prefix behind = { .addr = { .s_addr = 0x00003c0a }, .len = 24 };

struct row {
	uint8_t home, peer, encap, flags;
	bool udp, half_bound, reverse, from_fa, expired, router;
};

static const struct row rows[] = {
	{ 10, 10, ENCAP_IPIP, REG_FLAG_D | REG_FLAG_B, .reverse = true },
	{ 11, 11, ENCAP_MINIMAL, REG_FLAG_B, .reverse = true },
	{ 12, 12, ENCAP_GRE, REG_FLAG_D, .reverse = true },
	{ 13, 13, ENCAP_IPIP, REG_FLAG_D, .udp = true, .reverse = true },
	{ 14, 14, ENCAP_GRE, REG_FLAG_D | REG_FLAG_B, .udp = true, .reverse = true },
	{ 15, 15, ENCAP_MINIMAL, REG_FLAG_D, .udp = true, .reverse = true },
	{ 16, 16, ENCAP_IPIP, 0, .udp = true, .half_bound = true, .reverse = true },
	{ 17, 17, ENCAP_IPIP, REG_FLAG_D },
	{ 18, 18, ENCAP_IPIP, REG_FLAG_D, .reverse = true },
	{ 18, 28, ENCAP_GRE, REG_FLAG_D, .reverse = true },
	{ 19, 19, ENCAP_IPIP, 0, .reverse = true, .router = true },
	{ 20, 20, ENCAP_IPIP, REG_FLAG_D, .reverse = true, .expired = true },
	{ 21, 21, ENCAP_IPIP, 0, .udp = true, .from_fa = true },
};
#define ROW_CNT (sizeof(rows) / sizeof(rows[0]))

static struct tunnel_dp dp;
static struct binding_cache cache;
static struct network_table networks;
static struct sa_table nodes;
static struct stats stats;
static struct binding *bindings[ROW_CNT];
static const struct tunnel_filter_row ipsec_rows[] = {
	{ .protocol = IPPROTO_ESP },
	{ .protocol = IPPROTO_UDP, .port = 500 },
	{ .protocol = IPPROTO_UDP, .port = 4500 },
};
static struct tunnel_filter filter = { .rows = ipsec_rows, .row_cnt = 3 };
static const struct tunnel_home_network home_network = {
	.prefix = { .addr = HOST(0), .len = 24 },
};

/* Of the step that is going on. */
static struct {
	uint8_t kind;
	struct in_addr outer_src;
	uint16_t outer_port;
	bool permitted; /* to a node: by the policy */
	unsigned int sent, delivered;
} now;

/* ------------------------------------------------------------------- judges */

static bool is_live_peer(struct in_addr addr)
{
	const struct binding *b = binding_find_peer(&cache, addr);

	while (b && binding_is_expired(b, now_ms(&dp)))
		b = b->peer_next;
	return b;
}

static bool is_signalling_to_us(const uint8_t *p, size_t len)
{
	size_t header_len = ipv4_header_len(p);

	return p[IPV4_PROTOCOL] == IPPROTO_UDP && !ipv4_is_later_fragment(p) &&
	       addr_eq(ipv4_dst(p), home_agent) &&
	       (len < header_len + 4 || ipv4_get16(p + header_len + 2) == PORT);
}

static bool came_by_own_tunnel(struct in_addr src)
{
	size_t i;

	for (i = 0; i < ROW_CNT; i++) {
		if (binding_is_expired(bindings[i], now_ms(&dp)) ||
		    !addr_eq(bindings[i]->tunnel.peer, now.outer_src) ||
		    bindings[i]->tunnel.udp != (now.kind == STEP_UDP))
			continue;
		if (bindings[i]->tunnel.udp && !bindings[i]->tunnel.half_bound &&
		    bindings[i]->tunnel.peer_port != now.outer_port)
			continue;
		if (addr_eq(bindings[i]->key.home_addr, src) ||
		    (rows[i].router && addr_prefix_contains(behind, src)))
			return true;
	}
	return false;
}

static void judge_delivered(const uint8_t *packet, size_t len)
{
	FUZZ_CHECK(now.kind == STEP_RAW || now.kind == STEP_UDP);
	FUZZ_CHECK(encap_check_ipv4(packet, len) == (int)len && packet[IPV4_TTL] > 0);
	FUZZ_CHECK(came_by_own_tunnel(ipv4_src(packet)));
	FUZZ_CHECK(addr_is_unicast(ipv4_dst(packet)));
	FUZZ_CHECK(!is_signalling_to_us(packet, len));
	FUZZ_CHECK(filter.pass_all || addr_eq(ipv4_dst(packet), gateway));
	now.delivered++;
}

static void judge_sent(const uint8_t *packet, size_t len, struct in_addr to)
{
	FUZZ_CHECK(encap_check_ipv4(packet, len) == (int)len);
	FUZZ_CHECK(addr_eq(ipv4_src(packet), home_agent) && addr_eq(ipv4_dst(packet), to));
	FUZZ_CHECK(addr_is_unicast(to));
	if (icmp_is_error(packet, len)) {
		FUZZ_CHECK(len <= ICMP_ERROR_MAX);
		FUZZ_CHECK(now.kind == STEP_ERROR || now.kind == STEP_FORWARD);
		return;
	}
	FUZZ_CHECK(is_live_peer(to) && len <= dp.conf.mtu);
	switch (packet[IPV4_PROTOCOL]) {
	case ENCAP_IPIP:
	case ENCAP_GRE:
	case ENCAP_MINIMAL:
		break;
	default:
		FUZZ_CHECK(packet[IPV4_PROTOCOL] == IPPROTO_UDP);
		FUZZ_CHECK(ipv4_get16(packet + ipv4_header_len(packet)) == PORT);
		break;
	}
	/* Out of a tunnel comes nothing but an echo reply back into it. */
	FUZZ_CHECK(now.kind == STEP_UDP || (now.kind >= STEP_FORWARD && now.permitted));
	now.sent++;
}

/* --------------------------------------------------- what the linker puts here */

ssize_t __real_write(int fd, const void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len);
int __wrap_sendmmsg(int fd, struct mmsghdr *msgs, unsigned int cnt, int flags);
bool __wrap_tun_host_is_local(struct tun_host *h, struct in_addr addr);

ssize_t __wrap_write(int fd, const void *data, size_t len)
{
	if (fd != DEVICE_FD)
		return __real_write(fd, data, len);
	judge_delivered(data, len);
	return (ssize_t)len;
}

int __wrap_sendmmsg(int fd, struct mmsghdr *msgs, unsigned int cnt, int flags)
{
	const struct sockaddr_in *to;
	const struct iovec *iov;
	unsigned int i;

	(void)flags;
	FUZZ_CHECK(fd == WIRE_FD);
	for (i = 0; i < cnt; i++) {
		to = msgs[i].msg_hdr.msg_name;
		iov = msgs[i].msg_hdr.msg_iov;
		judge_sent(iov->iov_base, iov->iov_len, to->sin_addr);
	}
	return (int)cnt;
}

/* The kernel's answer, without a kernel. */
bool __wrap_tun_host_is_local(struct tun_host *h, struct in_addr addr)
{
	(void)h;
	return addr_eq(addr, home_agent);
}

/* ------------------------------------------------------------------ set-up */

static void set_tunnel(size_t i)
{
	const struct row *row = &rows[i];
	const struct binding_tunnel tunnel = {
		.peer = PEER(row->peer),
		.peer_port = (uint16_t)(row->udp && !row->half_bound ? PEER_PORT : 0),
		.encap = row->encap,
		.udp = row->udp,
		.half_bound = row->half_bound,
		.reverse = row->reverse,
	};

	binding_set_tunnel(&cache, bindings[i], &tunnel);
}

static void put_row(size_t i)
{
	const struct row *row = &rows[i];
	const struct binding_key key = { .home_addr = HOST(row->home), .home_agent = home_agent };
	const struct in_addr care_of = PEER(row->peer);
	struct binding *b = binding_put(&cache, key, care_of);

	FUZZ_CHECK(b && sa_peer_put(&nodes, key.home_addr, NULL, &b->node) == 0);
	bindings[i] = b;
	b->flags = row->flags;
	b->from_fa = row->from_fa;
	b->expires_ms = row->expired ? 0 : BINDING_NEVER_MS;
	set_tunnel(i);
	if (row->router) {
		struct sa_more *more = sa_peer_more(&nodes, b->node);
		struct network *net;

		FUZZ_CHECK(more && network_list_add(&more->networks, b->node, behind) == 0);
		net = network_list_find(more->networks, behind);
		net->user_cnt = 1;
		network_table_put(&networks, net);
		b->networks = network_bit(net);
	}
	if (row->flags & REG_FLAG_B)
		FUZZ_CHECK(broadcast_nodes_put(&dp.broadcast_nodes, key.home_addr));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	size_t i;

	(void)argc;
	(void)argv;
	log_set_level(LOG_LEVEL_ERROR);
	dp.conf = (struct tunnel_conf){
		.device = "fuzz0",
		.home_agent = home_agent,
		.port = PORT,
		.home_networks = &home_network,
		.home_network_cnt = 1,
		.broadcast_limited = true,
		.mtu = 1500,
		.filter = &filter,
		.cache = &cache,
		.networks = &networks,
		.stats = &stats,
		.loop = loop_new(),
	};
	dp.tun = DEVICE_FD;
	dp.out.fd = WIRE_FD;
	FUZZ_CHECK(dp.conf.loop && allocate_slots(&dp) == 0 && soft_state_init(&dp.soft, 1) == 0);
	FUZZ_CHECK(fragments_init(&dp.fragments, 1) == 0);
	FUZZ_CHECK(binding_cache_init(&cache, ROW_CNT) == 0);
	FUZZ_CHECK(network_table_init(&networks) == 0 && sa_table_init(&nodes, ROW_CNT) == 0);
	FUZZ_CHECK(addr_set_add(&filter.peers,
				(struct addr_prefix){ .addr = gateway, .len = 32 }) == 0);
	for (i = 0; i < ROW_CNT; i++)
		put_row(i);
	return 0;
}

/* What an input before has taught is forgotten. */
static void begin_anew(uint8_t bits)
{
	const struct icmp_limit limit = { .per_second = ERRORS_PER_SECOND, .burst = ERRORS_BURST };
	size_t i;

	filter.pass_all = !(bits & BIT_IPSEC_ONLY);
	filter.reverse_needs_grant = bits & BIT_NEEDS_GRANT;
	dp.conf.ecn_normal = bits & BIT_ECN_NORMAL;
	dp.conf.broadcast_subnet = dp.conf.clamp_udp = dp.conf.clamp_plain = !(bits & BIT_UNTOLD);
	dp.unreachable_limit = dp.too_big_limit = dp.soft_limit = dp.relay_limit = limit;
	dp.broadcast_limit = limit;
	if (dp.soft.until_ms > 0)
		memset(dp.soft.entries, 0, SOFT_STATE_CNT * sizeof(*dp.soft.entries));
	dp.soft.until_ms = 0;
	if (!filter.pass_all)
		memset(dp.fragments.entries, 0, FRAGMENTS_CNT * sizeof(*dp.fragments.entries));
	for (i = 0; i < ROW_CNT; i++) {
		binding_drop_more(bindings[i]);
		if (rows[i].half_bound)
			set_tunnel(i);
	}
}

/* ------------------------------------------------------------------- steps */

static void help_inner(uint8_t *inner, size_t len, const struct binding *b, size_t at)
{
	if (len >= IPV4_HEADER_MIN)
		ipv4_put_addr(inner + at, b->key.home_addr);
}

/* Where an inner packet begins in the payload of a tunnel packet; minimal has none. */
static size_t inner_at(uint8_t mode)
{
	return mode == ENCAP_GRE ? 4 : 0;
}

static void help_minimal(uint8_t *forwarding, size_t len, const struct binding *b)
{
	if (len >= 12) {
		forwarding[1] |= 0x80;
		ipv4_put_addr(forwarding + 8, b->key.home_addr);
		ipv4_put_checksum(forwarding, 12, 2);
	}
}

static void help_payload(uint8_t *payload, size_t len, uint8_t mode, uint8_t help,
			 const struct binding *b)
{
	size_t at = inner_at(mode);

	if (mode == ENCAP_MINIMAL && help & HELP_INNER) {
		help_minimal(payload, len, b);
	} else if (mode != ENCAP_MINIMAL && len > at) {
		if (help & HELP_INNER)
			help_inner(payload + at, len - at, b, IPV4_SRC);
		if (help & HELP_MEND) {
			packet_fit(payload + at, len - at);
			if (len - at >= IPV4_HEADER_MIN)
				packet_mend_payload(payload + at, len - at);
		}
	}
}

static void from_wire(struct tunnel_dp *to, uint8_t *packet, size_t len, uint8_t help,
		      const struct binding *b)
{
	size_t header_len;

	if (len < IPV4_HEADER_MIN)
		return;
	if (help & HELP_MEND)
		packet[0] = (uint8_t)(0x40 | (packet[0] & 0x0f));
	header_len = ipv4_header_len(packet);
	if (help & HELP_OUTER) {
		packet[IPV4_PROTOCOL] = b->tunnel.encap;
		ipv4_put_addr(packet + IPV4_SRC, b->tunnel.peer);
	}
	/* A raw socket gives what came to its own address, reassembled. */
	ipv4_put_addr(packet + IPV4_DST, home_agent);
	if (header_len >= IPV4_HEADER_MIN && header_len < len)
		help_payload(packet + header_len, len - header_len, packet[IPV4_PROTOCOL], help, b);
	if (help & HELP_MEND)
		packet_fit(packet, len);
	now.outer_src = ipv4_src(packet);
	raw_packet(to, packet, len);
}

static void step(uint8_t help, const struct binding *b, uint16_t port, uint8_t tos,
		 const uint8_t *octets, size_t len)
{
	uint8_t *packet = packet_in(dp.in[0]);

	memcpy(packet, octets, len);
	now.outer_port = help & HELP_OUTER && b->tunnel.peer_port ? b->tunnel.peer_port : port;
	now.sent = now.delivered = 0;
	switch (now.kind) {
	case STEP_RAW:
		from_wire(&dp, packet, len, help, b);
		break;
	case STEP_UDP:
		now.outer_src = b->tunnel.peer;
		if (help & HELP_OUTER && len >= 4) {
			packet[0] = REG_MSG_TUNNEL_DATA;
			packet[1] = b->tunnel.encap;
		}
		if (len > 4)
			help_payload(packet + 4, len - 4, packet[1], help, b);
		tun_udp_input(&dp, packet, len, tos, now.outer_src, now.outer_port, home_agent);
		break;
	case STEP_ERROR:
		if (help & HELP_MEND && len >= IPV4_HEADER_MIN) {
			packet[IPV4_PROTOCOL] = IPPROTO_ICMP;
			packet_fit(packet, len);
			packet_mend_payload(packet, len);
		}
		tunnel_error(&dp, packet, len);
		break;
	default:
		if (help & HELP_INNER && now.kind == STEP_FORWARD)
			help_inner(packet, len, b, IPV4_DST);
		if (help & HELP_MEND)
			packet_fit(packet, len);
		if (encap_check_ipv4(packet, len) < 0)
			break;
		len = ipv4_get16(packet + IPV4_LENGTH);
		now.permitted = filter.pass_all || addr_eq(ipv4_src(packet), gateway) ||
				icmp_is_error(packet, len);
		if (now.kind == STEP_FORWARD)
			forward(&dp, &dp.in[0], len);
		else
			broadcast(&dp, home_network.prefix, packet, len);
		break;
	}
	out_flush(&dp);
	FUZZ_CHECK(now.delivered <= 1);
	FUZZ_CHECK(now.kind < STEP_FORWARD || now.delivered == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_reader r = wire_reader(data, size);
	uint8_t bits = wire_u8(&r), place, help, tos;
	const uint8_t *octets;
	unsigned int i;
	uint16_t port;
	size_t len;

	begin_anew(bits);
	for (i = 0; i < STEPS_MAX && wire_left(&r) > 8; i++) {
		now.kind = wire_u8(&r) % STEP_CNT;
		place = wire_u8(&r) % ROW_CNT;
		help = wire_u8(&r);
		port = wire_u16(&r);
		tos = wire_u8(&r);
		len = wire_u16(&r);
		if (len > wire_left(&r))
			len = wire_left(&r);
		octets = wire_bytes(&r, len);
		if (len <= PACKET_MAX)
			step(help, bindings[place], port, tos, octets, len);
	}
	return 0;
}

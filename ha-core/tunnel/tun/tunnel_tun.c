/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tier "tun": the data path in user space, for every kernel and every encapsulation.
 *
 *	to a node    kernel routes by home address ─► TUN device ─► forward() ─► raw socket ─► wire
 *	from a node  wire ─► raw sockets of protocols 4, 47, 55 ─┐
 *	             wire ─► registration socket ─► udp_input() ─┴► reverse() ─► TUN ─► kernel
 *	to all       home link ─► packet socket ─► broadcast() ─► raw socket ─► wire
 *	about one    wire ─► raw socket of ICMP ─► tunnel_error() ─► soft state, and to the sender
 *
 * The kernel does what it is good at on both sides: it reassembles what arrives, checks outer
 * headers, forwards inner packets (and decrements their TTL, once: they pass through its
 * forwarding before forward() and after reverse(), never both), picks the outer Identification
 * where we leave it zero (RFC 6864), and says "time exceeded". A raw socket on protocol 4 also
 * keeps it from answering tunnels with "protocol unreachable".
 *
 * One wake-up handles a bounded number of packets, so that a flood never starves registrations.
 * Packets out are gathered and leave in one system call. Nothing is allocated once the tier is
 * open. All of it is one thread's; the binding cache is read as it stands.
 *
 * RFC 2003 (§3.2 loops, §4 errors from inside, §5.1 sizes), RFC 3024 §4.3.2 (who may send what),
 * RFC 5177 §7 (networks behind mobile routers), RFC 3519 §4.2 to §4.9 (UDP tunnels, keepalives),
 * RFC 5944 §4.2.3 (one copy for each binding), §4.3 (broadcasts), RFC 5265 §4.3 (registrations
 * never come out of a tunnel).
 */
#include "common/err.h"
#include "common/log.h"
#include "ha-core/auth/sa.h"
#include "ha-core/tunnel/broadcast.h"
#include "ha-core/tunnel/fragments.h"
#include "ha-core/tunnel/icmp.h"
#include "ha-core/tunnel/icmp_quote.h"
#include "ha-core/tunnel/ipv4.h"
#include "ha-core/tunnel/mss.h"
#include "ha-core/tunnel/soft_state.h"
#include "ha-core/tunnel/tun/tun_host.h"
#include "ha-core/tunnel/tun/tun_link.h"
#include "ha-core/tunnel/tun/tun_watch.h"
#include "ha-core/tunnel/tunnel.h"
#include "ha-core/wire/reg.h"

#include <errno.h>
#include <linux/icmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH                 64          /* packets in one recvmmsg() or sendmmsg() */
#define TUN_BUDGET            (2 * BATCH) /* packets from the device in one wake-up */
#define SOCKET_BUFFER         (4 * 1024 * 1024)
#define SIGNALLING_PORT       434
#define BROADCASTS_PER_SECOND 200 /* a link of some thousand hosts has fewer */
#define PEER_WALK_MAX         256 /* bindings of one tunnel end that are looked through */
#define TYPE_UNREACHABLE      3
#define TYPE_REDIRECT         5
#define ICMP_QUOTE_MIN        8 /* octets behind a quoted header */
#define TYPE_TIME_EXCEEDED    11
#define CODE_PORT             3
#define LOG_BURST             5
#define LOG_INTERVAL_MS       10000
#define ERRORS_PER_SECOND     1000 /* as Linux limits its own */
#define ERRORS_BURST          100

/* Why a tunnel packet from outside goes no further. */
enum drop {
	DROP_MALFORMED,
	DROP_NO_BINDING,
	DROP_WRONG_SOURCE,
	DROP_WRONG_ENCAPSULATION,
	DROP_NO_REVERSE,
	DROP_SIGNALLING,
	DROP_DESTINATION,
	DROP_TTL,
	DROP_LOOP,
	DROP_ECN,
	DROP_CNT,
	DROP_NONE = DROP_CNT,
};

/* The limits are static: the log keeps hold of one while it has lines suppressed. */
#define LIMIT(name)                                                                 \
	{                                                                           \
		.burst = LOG_BURST, .interval_ms = LOG_INTERVAL_MS, .event = (name) \
	}

static struct drop_row {
	const char *event, *message;
	size_t counter; /* offset in struct stats */
	struct log_limit limit;
} drop_rows[DROP_CNT] = {
#define ROW(drop, name, member, text)                                                    \
	[drop] = { name, "tunnel packet dropped: " text, offsetof(struct stats, member), \
		   LIMIT(name) }
	ROW(DROP_MALFORMED, "tunnel-malformed", tunnel_malformed_drops, "malformed"),
	ROW(DROP_NO_BINDING, "tunnel-no-binding", tunnel_no_binding_drops,
	    "its inner source has no binding"),
	ROW(DROP_WRONG_SOURCE, "tunnel-wrong-source", tunnel_wrong_source_drops,
	    "its outer addresses are not the registered ones"),
	ROW(DROP_WRONG_ENCAPSULATION, "tunnel-wrong-encapsulation",
	    tunnel_wrong_encapsulation_drops, "not the agreed encapsulation"),
	ROW(DROP_NO_REVERSE, "tunnel-no-reverse", tunnel_no_reverse_drops,
	    "no reverse tunnel was granted"),
	ROW(DROP_SIGNALLING, "tunnel-signalling", tunnel_signalling_drops,
	    "a registration inside a tunnel"),
	ROW(DROP_DESTINATION, "tunnel-destination", tunnel_destination_drops,
	    "its inner destination is no host's"),
	ROW(DROP_TTL, "tunnel-ttl", tunnel_ttl_drops, "its inner TTL is 0"),
	ROW(DROP_LOOP, "tunnel-loop", tunnel_loop_drops, "it would loop"),
	ROW(DROP_ECN, "tunnel-ecn", tunnel_ecn_drops,
	    "marked congested, and its sender knows of no such marks"),
#undef ROW
};

static struct log_limit send_limit = LIMIT("tunnel-send-failed");
static struct log_limit port_limit = LIMIT("tunnel-port-unreachable");
static struct log_limit nodes_limit = LIMIT("broadcast-nodes-full");
static struct log_limit filter_limits[TUNNEL_FILTER_REASON_CNT] = {
	[0 ... TUNNEL_FILTER_REASON_CNT - 1] = LIMIT("tunnel-filter"),
};
static struct log_limit ecn_limit = LIMIT("tunnel-ecn-unexpected");
static struct log_limit mtu_limit = LIMIT("tunnel-mtu-lowered");

/* A packet and its headroom; some cache lines more, so that not all begin in the same set. */
struct slot {
	uint8_t buf[ENCAP_HEADROOM + ENCAP_PACKET_MAX + 197];
};

static uint8_t *packet_in(struct slot *slot)
{
	return slot->buf + ENCAP_HEADROOM;
}

/* Outer packets (and ICMP errors) on their way to the wire. */
struct out_queue {
	int fd;
	unsigned int cnt;
	struct slot *slots[BATCH]; /* owned */
	struct mmsghdr msgs[BATCH];
	struct iovec iovs[BATCH];
	struct sockaddr_in to[BATCH];
};

struct raw_in {
	struct tunnel_dp *dp;
	void (*input)(struct tunnel_dp *dp, uint8_t *packet, size_t len);
	int fd;
	struct loop_fd *watch;
};

/* A physical home link; what is broadcast there. */
struct link_in {
	struct link_in *next;
	struct tunnel_dp *dp;
	struct tunnel_home_network net;
	bool limited; /* 255.255.255.255, too */
	int fd;
	struct loop_fd *watch;
};

static const uint8_t raw_protocols[] = { ENCAP_IPIP, ENCAP_GRE, ENCAP_MINIMAL };
#define RAW_CNT (sizeof(raw_protocols) / sizeof(raw_protocols[0]))

struct tunnel_dp {
	struct tunnel_conf conf;
	struct tun_host *host;
	struct tun_watch *guard;
	int tun;
	struct loop_fd *tun_readable;
	struct raw_in raw[RAW_CNT];
	struct slot *in[BATCH]; /* owned; packets from the raw sockets, in[0] from the device */
	struct slot *piece;     /* owned; a fragment while it is made */
	struct out_queue out;
	struct raw_in icmp;    /* errors from inside the tunnels */
	struct link_in *links; /* owned */
	struct broadcast_nodes broadcast_nodes;
	struct icmp_limit broadcast_limit;
	struct soft_state soft;
	struct fragments fragments; /* that the filter has let pass */
	struct icmp_limit unreachable_limit, too_big_limit, soft_limit, relay_limit;
};

/* A tunnel packet from outside, its outer header. */
struct arrival {
	struct in_addr src;
	uint16_t src_port; /* udp only */
	uint8_t mode;      /* enum encap_mode */
	bool udp;
};

static uint64_t now_ms(const struct tunnel_dp *dp)
{
	return loop_now(dp->conf.loop)->mono_ms;
}

/* What a fast tier could not know: see struct tunnel_conf. */
static void learnt(const struct tunnel_dp *dp, struct in_addr peer)
{
	if (dp->conf.learnt)
		dp->conf.learnt(dp->conf.learnt_ctx, peer);
}

/* --- what is counted --- */

static void count_carried(struct tunnel_dp *dp, struct binding *b, const struct binding_count *more)
{
	struct stats *stats = dp->conf.stats;

	stats->packets_to_nodes += more->packets_to;
	stats->bytes_to_nodes += more->bytes_to;
	stats->packets_from_nodes += more->packets_from;
	stats->bytes_from_nodes += more->bytes_from;
	if (dp->conf.carried)
		dp->conf.carried(dp->conf.learnt_ctx, b, more);
	else
		binding_count_add(&b->count, more);
}

static void count_to(struct tunnel_dp *dp, struct binding *b, size_t len)
{
	count_carried(dp, b, &(struct binding_count){ .packets_to = 1, .bytes_to = len });
}

static void count_from(struct tunnel_dp *dp, struct binding *b, size_t len)
{
	count_carried(dp, b, &(struct binding_count){ .packets_from = 1, .bytes_from = len });
}

/* --- to the wire --- */

static void send_failed(struct tunnel_dp *dp, struct in_addr peer, int err)
{
	dp->conf.stats->tunnel_send_failures++;
	(void)log_write_limited(
		&send_limit, now_ms(dp), LOG_LEVEL_WARNING, "cannot send into a tunnel",
		"event=tunnel-send-failed peer=%s error=\"%s\"%s", addr_text(peer).s, err_text(err),
		err == -EMSGSIZE ? " remedy=\"tunnel.mtu is larger than the link's\"" : "");
}

static void out_flush(struct tunnel_dp *dp)
{
	struct out_queue *out = &dp->out;
	unsigned int done = 0;
	int n;

	while (done < out->cnt) {
		n = sendmmsg(out->fd, out->msgs + done, out->cnt - done, 0);
		if (n >= 0) {
			done += (unsigned int)n;
		} else if (errno != EINTR) {
			send_failed(dp, out->to[done].sin_addr, -errno);
			done++; /* the rest may do better */
		}
	}
	out->cnt = 0;
}

/* A slot for the next packet out; it stays the queue's, and is lost unless out_put() follows. */
static struct slot *out_slot(struct tunnel_dp *dp)
{
	if (dp->out.cnt == BATCH)
		out_flush(dp);
	return dp->out.slots[dp->out.cnt];
}

/* Queues a packet that lies in the slot that out_slot() gave. */
static void out_put(struct tunnel_dp *dp, uint8_t *packet, size_t len, struct in_addr to)
{
	struct out_queue *out = &dp->out;

	out->iovs[out->cnt] = (struct iovec){ .iov_base = packet, .iov_len = len };
	out->to[out->cnt].sin_addr = to;
	out->cnt++;
}

/* --- to a node --- */

/* An ICMP error about a packet, if there may be one, to its source. Was it sent? */
static bool send_error(struct tunnel_dp *dp, struct icmp_limit *limit, enum icmp_error error,
		       uint16_t mtu, const uint8_t *packet, size_t len)
{
	struct slot *slot = out_slot(dp);
	size_t error_len =
		icmp_build_error(packet_in(slot), error, mtu, dp->conf.home_agent, packet, len);

	if (error_len == 0)
		return false;
	if (!icmp_limit_allows(limit, now_ms(dp))) {
		dp->conf.stats->icmp_errors_limited++;
		return false;
	}
	dp->conf.stats->icmp_errors_sent++;
	out_put(dp, packet_in(slot), error_len, ipv4_src(packet));
	return true;
}

static struct encap_path path_of(const struct tunnel_dp *dp, const struct binding *b)
{
	return (struct encap_path){
		.local = dp->conf.home_agent,
		.peer = b->tunnel.peer,
		.local_port = dp->conf.port,
		.peer_port = b->tunnel.peer_port,
		.mode = b->tunnel.encap,
		.udp = b->tunnel.udp,
		.ecn_normal = dp->conf.ecn_normal,
	};
}

/* The longest inner packet that one binding's tunnel carries in this mode (enum encap_mode). */
static size_t room_in(const struct tunnel_dp *dp, const struct binding *b, uint8_t mode)
{
	uint32_t mtu = soft_state_mtu(&dp->soft, b->tunnel.peer, dp->conf.mtu, now_ms(dp));

	return mtu - encap_overhead(mode, b->tunnel.udp);
}

struct piece_ctx {
	struct tunnel_dp *dp;
	struct encap_path path;
	struct in_addr
		wrap; /* 0.0.0.0, or put in a packet to this address before (RFC 5944 §4.3) */
};

/* Copies a packet, whole or a piece of one, and queues it encapsulated. */
static int send_piece(void *ctx, uint8_t *piece, size_t len)
{
	const struct piece_ctx *p = ctx;
	struct encap_path wrap = { .local = p->path.local, .mode = ENCAP_IPIP };
	struct slot *slot = out_slot(p->dp);
	uint8_t *packet;
	int outer_len;

	packet = packet_in(slot);
	memcpy(packet, piece, len);
	if (!addr_is_any(p->wrap)) {
		wrap.peer = p->wrap;
		outer_len = encap_packet(&wrap, packet, len, 0, &packet);
		if (outer_len < 0)
			return outer_len;
		len = (size_t)outer_len;
	}
	outer_len = encap_packet(&p->path, packet, len, 0, &packet);
	if (outer_len < 0)
		return outer_len;
	out_put(p->dp, packet, (size_t)outer_len, p->path.peer);
	return 0;
}

/*
 * Puts a packet into one binding's tunnel. It is fragmented before, never after (RFC 2003 §5.1,
 * RFC 3519 §4.8): the far end is spared reassembly, and every piece has its ports.
 *
 * @param slot  where the packet lies if it may be used up, or NULL if others still need it
 * @param wrap  put it in a packet to the home address before
 */
static void send_to_node(struct tunnel_dp *dp, struct binding *b, struct slot **slot, bool wrap,
			 uint8_t *packet, size_t len)
{
	struct piece_ctx p = { .dp = dp, .path = path_of(dp, b) };
	uint8_t mode = wrap ? b->tunnel.encap : encap_mode_for(b->tunnel.encap, packet);
	size_t room = room_in(dp, b, mode) - (wrap ? encap_overhead(ENCAP_IPIP, false) : 0);
	struct stats *stats = dp->conf.stats;
	struct slot *spare;
	uint8_t *outer;
	int err;

	if (wrap)
		p.wrap = b->key.home_addr;
	if (b->tunnel.udp && b->tunnel.peer_port == 0) { /* RFC 3519 §4.6: no keepalive yet */
		stats->tunnel_half_bound_drops++;
		return;
	}
	if (len > room && ipv4_df(packet)) {
		stats->tunnel_too_big_drops++;
		(void)send_error(dp, &dp->too_big_limit, ICMP_ERROR_TOO_BIG, (uint16_t)room, packet,
				 len);
		return;
	}
	/* RFC 2003 §5: the sender is told, and the packet goes all the same. */
	if (soft_state_is_unreachable(&dp->soft, b->tunnel.peer, now_ms(dp)))
		(void)send_error(dp, &dp->soft_limit, ICMP_ERROR_HOST_UNREACHABLE, 0, packet, len);
	count_to(dp, b, len);
	if (len > room) {
		/* Pieces travel as fragments do. */
		if (mode == ENCAP_MINIMAL && !wrap)
			room = room_in(dp, b, ENCAP_IPIP);
		err = encap_fragment(packet, len, room, dp->piece->buf, send_piece, &p);
	} else if (!slot || wrap) {
		err = send_piece(&p, packet, len);
	} else {
		/* In place: the queue takes the packet's slot and gives an empty one for it. */
		spare = out_slot(dp);
		err = encap_packet(&p.path, packet, len, 0, &outer);
		if (err > 0) {
			dp->out.slots[dp->out.cnt] = *slot;
			*slot = spare;
			out_put(dp, outer, (size_t)err, p.path.peer);
		}
	}
	if (err < 0)
		send_failed(dp, p.path.peer, err);
}

/*
 * Is it a packet that we sent into a tunnel ourselves? Then the way to a care-of address leads
 * into our own device, and to encapsulate again would go on for ever. Registration replies to
 * such an address have no business in a tunnel either.
 */
static bool is_our_tunnel_packet(const struct tunnel_dp *dp, const uint8_t *packet, size_t len)
{
	size_t header_len = ipv4_header_len(packet);

	switch (packet[IPV4_PROTOCOL]) {
	case ENCAP_IPIP:
	case ENCAP_GRE:
	case ENCAP_MINIMAL:
		return true;
	case IPPROTO_UDP:
		return !ipv4_is_later_fragment(packet) && len >= header_len + 2 &&
		       ipv4_get16(packet + header_len) == dp->conf.port;
	default:
		return false;
	}
}

static bool is_redirect(const uint8_t *packet, size_t len)
{
	return icmp_is_error(packet, len) && packet[ipv4_header_len(packet)] == TYPE_REDIRECT;
}

/*
 * RFC 2003 §3.2: what comes from the tunnel's other end must not go back into it. Behind a NAT
 * that end's address is shared by other hosts, which may well talk to the node.
 */
static bool comes_from_peer(const struct binding *b, struct in_addr src)
{
	return addr_eq(src, b->tunnel.peer) && (!b->tunnel.udp || addr_eq(src, b->care_of));
}

/* The home network whose broadcast address it is, or NULL. */
static const struct tunnel_home_network *broadcast_net(const struct tunnel_dp *dp,
						       struct in_addr addr)
{
	const struct tunnel_home_network *net = dp->conf.home_networks;
	size_t i;

	for (i = 0; i < dp->conf.home_network_cnt; i++, net++) {
		if (net->prefix.len < 31 && addr_eq(addr_prefix_broadcast(net->prefix), addr))
			return net;
	}
	return NULL;
}

/* From b on, the first that has not expired and that all of these networks are registered with. */
static struct binding *live_with(struct binding *b, uint32_t networks, uint64_t now)
{
	while (b && (binding_is_expired(b, now) || (b->networks & networks) != networks))
		b = binding_sibling(b);
	return b;
}

static struct binding *live(struct binding *b, uint64_t now)
{
	return live_with(b, 0, now);
}

/*
 * The bindings that an inner address is reached by: of the node that has it, or of the router that
 * has it behind itself (RFC 5177); then that network is to be registered with them, too.
 */
static struct binding *find_inner(const struct tunnel_dp *dp, struct in_addr addr,
				  uint32_t *out_network)
{
	const struct binding_key key = { addr, dp->conf.home_agent };
	struct binding *b = binding_find(dp->conf.cache, key);
	const struct network *net;

	*out_network = 0;
	if (b)
		return b;
	net = network_table_find(dp->conf.networks, addr);
	if (!net)
		return NULL;
	*out_network = network_bit(net);
	return binding_find(dp->conf.cache,
			    (struct binding_key){ net->node->addr, dp->conf.home_agent });
}

/*
 * RFC 5177 §7: a foreign agent knows the router by its home address only, so what is for a network
 * goes there in a tunnel of its own. The D bit decides, as with broadcasts.
 */
static bool is_wrapped(const struct binding *b, uint32_t network)
{
	return network != 0 && !(b->flags & REG_FLAG_D);
}

/*
 * A broadcast to one binding: to a co-located care-of address as it is; to a foreign agent's
 * within a packet to the home address, or the agent would not know whom to give it to. The D bit
 * decides. There is never an ICMP error about a broadcast (RFC 1812 §4.3.2.7).
 */
static void send_broadcast(struct tunnel_dp *dp, struct binding *b, const uint8_t *packet,
			   size_t len)
{
	struct piece_ctx p = { .dp = dp, .path = path_of(dp, b) };
	size_t room = room_in(dp, b, b->tunnel.encap);
	int err;

	if (b->tunnel.udp && b->tunnel.peer_port == 0) {
		dp->conf.stats->tunnel_half_bound_drops++;
		return;
	}
	if (!(b->flags & REG_FLAG_D)) {
		p.wrap = b->key.home_addr;
		room -= encap_overhead(ENCAP_IPIP, false);
	} else if (b->tunnel.encap == ENCAP_MINIMAL) { /* pieces travel as fragments do */
		room = room_in(dp, b, ENCAP_IPIP);
	}
	err = encap_fragment(packet, len, room, dp->piece->buf, send_piece, &p);
	if (err == ERR_TOO_BIG) {
		dp->conf.stats->tunnel_too_big_drops++;
		return;
	}
	if (err < 0) {
		send_failed(dp, p.path.peer, err);
		return;
	}
	count_to(dp, b, len);
	dp->conf.stats->broadcasts_to_nodes++;
}

static const size_t filter_counters[TUNNEL_FILTER_REASON_CNT] = {
	[TUNNEL_FILTER_OPTIONS] = offsetof(struct stats, filter_options_drops),
	[TUNNEL_FILTER_ICMP] = offsetof(struct stats, filter_icmp_drops),
	[TUNNEL_FILTER_PEER] = offsetof(struct stats, filter_peer_drops),
	[TUNNEL_FILTER_PROTOCOL] = offsetof(struct stats, filter_protocol_drops),
	[TUNNEL_FILTER_PORT] = offsetof(struct stats, filter_port_drops),
	[TUNNEL_FILTER_LENGTH] = offsetof(struct stats, filter_length_drops),
	[TUNNEL_FILTER_FRAGMENT] = offsetof(struct stats, filter_fragment_drops),
	[TUNNEL_FILTER_UNSOLICITED] = offsetof(struct stats, filter_unsolicited_drops),
};

/* The far end's port, for the log; 0: there is none. */
static uint16_t far_port(const struct tunnel_filter_packet *p)
{
	size_t at = ipv4_header_len(p->data) + (p->direction == TUNNEL_TO_NODE ? 0 : 2);
	const uint8_t protocol = p->data[IPV4_PROTOCOL];

	if ((protocol != IPPROTO_UDP && protocol != IPPROTO_TCP) ||
	    ipv4_is_later_fragment(p->data) || p->len < at + 2)
		return 0;
	return ipv4_get16(p->data + at);
}

/* @param a  of a packet from a node: as it came; else NULL */
static void filter_drop(struct tunnel_dp *dp, enum tunnel_filter_reason why,
			const struct tunnel_filter_packet *p, const struct arrival *a)
{
	const char *word = tunnel_filter_reason_name(why);
	const uint8_t protocol = p->data[IPV4_PROTOCOL];

	dp->conf.stats->filter_drops++;
	(*(uint64_t *)((char *)dp->conf.stats + filter_counters[why]))++;
	if (a)
		(void)log_write_limited(
			&filter_limits[why], now_ms(dp), LOG_LEVEL_NOTICE,
			"tunnel packet dropped: the forwarding policy forbids it",
			"event=tunnel-filter reason=%s protocol=%u port=%u outer-source=%s "
			"outer-port=%u encapsulation=%s%s inner-source=%s inner-destination=%s",
			word, protocol, far_port(p), addr_text(a->src).s, a->src_port,
			a->udp ? "udp/" : "", encap_mode_name(a->mode),
			addr_text(ipv4_src(p->data)).s, addr_text(ipv4_dst(p->data)).s);
	else
		(void)log_write_limited(
			&filter_limits[why], now_ms(dp), LOG_LEVEL_NOTICE,
			"packet to a node dropped: the forwarding policy forbids it",
			"event=tunnel-filter reason=%s protocol=%u port=%u source=%s "
			"home-address=%s",
			word, protocol, far_port(p), addr_text(ipv4_src(p->data)).s,
			addr_text(ipv4_dst(p->data)).s);
}

/* The forwarding policy, for packets on their way in. @param first  of the node's key, or NULL */
static bool may_reach_nodes(struct tunnel_dp *dp, const struct binding *first,
			    const uint8_t *packet, size_t len)
{
	const struct tunnel_filter_packet p = { packet, len, TUNNEL_TO_NODE, first };
	enum tunnel_filter_reason why =
		tunnel_filter_judge(dp->conf.filter, &dp->fragments, &p, now_ms(dp));

	if (why != TUNNEL_FILTER_PASSES)
		filter_drop(dp, why, &p, NULL);
	return why == TUNNEL_FILTER_PASSES;
}

/*
 * A broadcast of a home network, to those of its nodes that are away and asked for it, never back
 * to the one that sent it (RFC 5944 §4.3). Routers forward no packets to another network's
 * broadcast address unless told to (RFC 2644): nor is one that comes from outside meant to become
 * many, so there are limits to both, how many and how often.
 */
static void broadcast(struct tunnel_dp *dp, struct addr_prefix net, const uint8_t *packet,
		      size_t len)
{
	const struct broadcast_nodes *nodes = &dp->broadcast_nodes;
	struct in_addr src = ipv4_src(packet);
	uint64_t now = now_ms(dp);
	struct binding *b;
	size_t i;

	if (!broadcast_is_for_nodes(packet, len, dp->conf.port))
		return;
	if (!may_reach_nodes(dp, NULL, packet, len))
		return;
	if (!icmp_limit_allows(&dp->broadcast_limit, now)) {
		dp->conf.stats->broadcasts_limited++;
		return;
	}
	for (i = 0; i < nodes->cnt; i++) {
		if (addr_eq(nodes->addrs[i], src) || !addr_prefix_contains(net, nodes->addrs[i]))
			continue;
		b = binding_find(dp->conf.cache,
				 (struct binding_key){ nodes->addrs[i], dp->conf.home_agent });
		for (b = live(b, now); b; b = live(binding_sibling(b), now))
			if (b->flags & REG_FLAG_B && !comes_from_peer(b, src))
				send_broadcast(dp, b, packet, len);
	}
}

static void on_link(void *ctx, int events)
{
	const struct link_in *link = ctx;
	struct tunnel_dp *dp = link->dp;
	uint8_t *packet = packet_in(dp->in[0]);
	int budget, len;

	(void)events;
	for (budget = BATCH; budget > 0; budget--) {
		len = tun_link_read(link->fd, packet, ENCAP_PACKET_MAX);
		if (len == ERR_MALFORMED)
			continue;
		if (len < 0) /* no more; or the link is down, and that has been taken note of */
			break;
		broadcast(dp, link->net.prefix, packet, (size_t)len);
	}
	out_flush(dp);
}

/*
 * A connection that begins, by a node with these bindings or to it: what either end is told fits
 * each of the tunnels, as packets to the node are copied to all. A room is never below 500.
 */
static void clamp_mss(struct tunnel_dp *dp, const struct binding *first, uint32_t network,
		      uint8_t *packet, size_t len)
{
	size_t least = SIZE_MAX, room;
	const struct binding *b;

	if (!mss_is_syn(packet, len))
		return;
	for (b = first; b; b = binding_sibling(b)) {
		if (binding_is_expired(b, now_ms(dp)) ||
		    !(b->tunnel.udp ? dp->conf.clamp_udp : dp->conf.clamp_plain))
			continue;
		room = room_in(dp, b, b->tunnel.encap);
		if (is_wrapped(b, network))
			room -= encap_overhead(ENCAP_IPIP, false);
		if (room < least)
			least = room;
	}
	if (least < SIZE_MAX && mss_clamp(packet, len, (uint16_t)(least - MSS_HEADERS)))
		dp->conf.stats->mss_clamped++;
}

/* A packet that the kernel routed to a home address, its TTL already decremented. */
static void forward(struct tunnel_dp *dp, struct slot **slot, size_t len)
{
	uint8_t *packet = packet_in(*slot);
	const struct tunnel_home_network *net;
	struct stats *stats = dp->conf.stats;
	struct binding *b, *next;
	struct in_addr src, dst;
	uint64_t now = now_ms(dp);
	uint32_t network;
	int total;

	total = encap_check_ipv4(packet, len);
	if (total < 0) /* IPv6 that the kernel tries on any device */
		return;
	len = (size_t)total;
	src = ipv4_src(packet);
	dst = ipv4_dst(packet);
	if (!addr_is_unicast(dst)) /* multicast that a program sends by every device */
		return;
	if (addr_eq(src, dp->conf.home_agent)) {
		if (is_our_tunnel_packet(dp, packet, len)) {
			stats->tunnel_loop_drops++;
			return;
		}
		/* From node to node, in and out by one device: no better way is known for it. */
		if (is_redirect(packet, len))
			return;
	}

	b = find_inner(dp, dst, &network);
	b = live_with(b, network, now);
	if (!b) {
		net = broadcast_net(dp, dst);
		if (net && dp->conf.broadcast_subnet && dp->broadcast_nodes.cnt > 0) {
			broadcast(dp, net->prefix, packet, len);
			return;
		}
		stats->no_binding_drops++;
		if (!net)
			(void)send_error(dp, &dp->unreachable_limit, ICMP_ERROR_HOST_UNREACHABLE, 0,
					 packet, len);
		return;
	}
	if (!may_reach_nodes(dp, binding_find(dp->conf.cache, b->key), packet, len))
		return;
	clamp_mss(dp, b, network, packet, len);
	for (; b; b = next) {
		next = live_with(binding_sibling(b), network, now);
		if (comes_from_peer(b, src))
			stats->tunnel_loop_drops++;
		else
			send_to_node(dp, b, next ? NULL : slot, is_wrapped(b, network), packet,
				     len);
	}
}

static void on_tun(void *ctx, int events)
{
	struct tunnel_dp *dp = ctx;
	int budget, err = 0;
	ssize_t len;

	(void)events;
	for (budget = TUN_BUDGET; budget > 0; budget--) {
		len = read(dp->tun, packet_in(dp->in[0]), ENCAP_PACKET_MAX);
		if (len < 0) {
			err = errno;
			break;
		}
		forward(dp, &dp->in[0], (size_t)len);
	}
	out_flush(dp);
	if (err == 0 || err == EAGAIN || err == EINTR)
		return;
	/* It would be readable for ever. */
	dp->tun_readable = loop_fd_free(dp->tun_readable);
	log_error("the tunnel device is gone: nothing reaches a mobile node until it is back",
		  "event=tunnel-device-lost device=%s error=\"%s\"", dp->conf.device,
		  err_text(-err));
	tun_watch_alarm(dp->guard);
}

static void on_device(void *ctx, bool there)
{
	struct tunnel_dp *dp = ctx;

	dp->tun_readable = loop_fd_free(dp->tun_readable);
	dp->tun = tun_host_fd(dp->host);
	if (there)
		dp->tun_readable = loop_fd_new(dp->conf.loop, dp->tun, LOOP_READ, on_tun, dp);
}

/* --- from a node --- */

static void drop(struct tunnel_dp *dp, enum drop why, const struct arrival *a,
		 const struct encap_inner *inner)
{
	struct drop_row *row = &drop_rows[why];
	uint64_t *counter = (uint64_t *)((char *)dp->conf.stats + row->counter);

	(*counter)++;
	(void)log_write_limited(
		&row->limit, now_ms(dp), LOG_LEVEL_NOTICE, row->message,
		"event=%s outer-source=%s outer-port=%u encapsulation=%s%s inner-source=%s "
		"inner-destination=%s",
		row->event, addr_text(a->src).s, a->src_port, a->udp ? "udp/" : "",
		encap_mode_name(a->mode), inner ? addr_text(ipv4_src(inner->packet)).s : "-",
		inner ? addr_text(ipv4_dst(inner->packet)).s : "-");
}

static bool came_from_peer(const struct binding *b, const struct arrival *a)
{
	if (!addr_eq(b->tunnel.peer, a->src))
		return false;
	return !b->tunnel.udp || !a->udp || b->tunnel.half_bound ||
	       b->tunnel.peer_port == a->src_port;
}

/* Minimal encapsulation cannot carry a fragment: that one may come in IP-in-IP (RFC 2004 §3). */
static bool came_as_agreed(const struct binding *b, const struct arrival *a,
			   const struct encap_inner *inner)
{
	return b->tunnel.udp == a->udp &&
	       (b->tunnel.encap == a->mode ||
		a->mode == encap_mode_for(b->tunnel.encap, inner->packet));
}

/*
 * RFC 3024 §4.3.2 and RFC 3519 §4.3: any of the node's bindings may be the one; of those of a
 * router, any that the sender's network is registered with (RFC 5177 §6.5).
 */
static enum drop find_binding(struct tunnel_dp *dp, const struct arrival *a,
			      const struct encap_inner *inner, struct binding **ret_binding)
{
	struct in_addr src = ipv4_src(inner->packet);
	enum drop why = DROP_WRONG_SOURCE;
	uint64_t now = now_ms(dp);
	struct binding *b;
	uint32_t network;

	if (!addr_is_unicast(src) || addr_eq(src, dp->conf.home_agent))
		return DROP_NO_BINDING;
	b = find_inner(dp, src, &network);
	b = live_with(b, network, now);
	if (!b)
		return DROP_NO_BINDING;
	for (; b; b = live_with(binding_sibling(b), network, now)) {
		if (!came_from_peer(b, a))
			continue;
		if (came_as_agreed(b, a, inner)) {
			*ret_binding = b;
			return DROP_NONE;
		}
		why = DROP_WRONG_ENCAPSULATION;
	}
	return why;
}

/*
 * A registration from inside a tunnel would have a home address as its source, and that lies in a
 * network which ihad trusts (RFC 5265 §4.3). The first fragment always has the ports; one too
 * short to show them is held to be the worst.
 */
static bool is_signalling(struct tunnel_dp *dp, const struct encap_inner *inner)
{
	size_t header_len = ipv4_header_len(inner->packet);
	uint16_t port;

	if (inner->packet[IPV4_PROTOCOL] != IPPROTO_UDP || ipv4_is_later_fragment(inner->packet))
		return false;
	if (inner->len >= header_len + 4) {
		port = ipv4_get16(inner->packet + header_len + 2);
		if (port != SIGNALLING_PORT && port != dp->conf.port)
			return false;
	}
	return tun_host_is_local(dp->host, ipv4_dst(inner->packet));
}

/* Is it one more tunnel to us, inside this one? Or, as RFC 2784 §3.1 has it, the way back out? */
static bool is_loop(const struct tunnel_dp *dp, const struct arrival *a,
		    const struct encap_inner *inner)
{
	struct in_addr dst = ipv4_dst(inner->packet);

	if (a->mode == ENCAP_GRE && !a->udp && addr_eq(dst, a->src))
		return true;
	switch (inner->packet[IPV4_PROTOCOL]) {
	case ENCAP_IPIP:
	case ENCAP_GRE:
	case ENCAP_MINIMAL:
		return addr_eq(dst, dp->conf.home_agent);
	default:
		return false;
	}
}

/* May a packet of this binding go on? */
static enum drop judge(struct tunnel_dp *dp, const struct binding *b, const struct arrival *a,
		       const struct encap_inner *inner)
{
	struct in_addr dst = ipv4_dst(inner->packet);

	/* RFC 5944 §4.4: groups are for a home agent that is a multicast router. We are none. */
	if (!addr_is_unicast(dst))
		return DROP_DESTINATION;
	if (!b->tunnel.reverse && (a->udp || dp->conf.filter->reverse_needs_grant) &&
	    !addr_eq(dst, dp->conf.home_agent))
		return DROP_NO_REVERSE;
	if (is_loop(dp, a, inner))
		return DROP_LOOP;
	if (is_signalling(dp, inner))
		return DROP_SIGNALLING;
	return DROP_NONE;
}

/* A far end may answer from now on. */
static void note_contact(struct tunnel_dp *dp, struct binding *first, struct in_addr far_end)
{
	if (binding_has_contact(first, far_end) || binding_add_contact(first, far_end) < 0)
		return; /* without memory it may not: the node sends again */
	if (dp->conf.contacted)
		dp->conf.contacted(dp->conf.contacted_ctx, first);
}

/* The forwarding policy, for packets from a node. What passes is noted before it is answered. */
static bool may_leave(struct tunnel_dp *dp, const struct binding *b, const struct arrival *a,
		      const struct encap_inner *inner)
{
	struct binding *first;
	struct tunnel_filter_packet p = { inner->packet, inner->len, TUNNEL_FROM_NODE, NULL };
	enum tunnel_filter_reason why;

	if (dp->conf.filter->pass_all)
		return true;
	p.first = first = binding_find(dp->conf.cache, b->key);
	why = tunnel_filter_judge(dp->conf.filter, &dp->fragments, &p, now_ms(dp));
	if (why != TUNNEL_FILTER_PASSES)
		filter_drop(dp, why, &p, a);
	else
		note_contact(dp, first, ipv4_dst(inner->packet));
	return why == TUNNEL_FILTER_PASSES;
}

static bool is_behind(const struct tunnel_dp *dp, const struct binding *b, struct in_addr addr)
{
	const struct network *net = network_table_find(dp->conf.networks, addr);

	return net && net->node == b->node && b->networks & network_bit(net);
}

/* Why encap_decapsulate() wants nothing of it. */
static enum drop undecapsulated(int err)
{
	return err == ERR_CONGESTED ? DROP_ECN : DROP_MALFORMED;
}

/*
 * What a router tunnels itself, from its home address, whether a foreign agent has then put it into
 * the agent's own tunnel or not (RFC 5177 §7): one more header comes off, and what is inside must
 * be from a network of this router. In any other node's tunnel it is a loop; see is_loop().
 */
static enum drop unwrap(const struct tunnel_dp *dp, const struct binding *b,
			struct encap_inner *inner)
{
	struct encap_inner within;
	int err;

	if (b->networks == 0 || inner->packet[IPV4_PROTOCOL] != ENCAP_IPIP ||
	    ipv4_is_fragment(inner->packet) ||
	    !addr_eq(ipv4_src(inner->packet), b->key.home_addr) ||
	    !addr_eq(ipv4_dst(inner->packet), dp->conf.home_agent))
		return DROP_NONE;
	err = encap_decapsulate(inner->packet, inner->len, &within);
	if (err < 0)
		return undecapsulated(err);
	if (!addr_eq(ipv4_src(within.packet), b->key.home_addr) &&
	    !is_behind(dp, b, ipv4_src(within.packet)))
		return DROP_NO_BINDING;
	within.ecn_unexpected |= inner->ecn_unexpected;
	*inner = within;
	return inner->packet[IPV4_TTL] > 0 ? DROP_NONE : DROP_TTL;
}

static void heard(struct tunnel_dp *dp, struct binding *b, size_t len)
{
	soft_state_heard(&dp->soft, b->tunnel.peer, now_ms(dp));
	count_from(dp, b, len);
}

/* An echo request to us in a UDP tunnel keeps a NAT's mapping (RFC 3519 §4.9). */
static bool is_keepalive(const struct tunnel_dp *dp, const struct arrival *a,
			 const struct encap_inner *inner)
{
	return a->udp && addr_eq(ipv4_dst(inner->packet), dp->conf.home_agent) &&
	       icmp_is_echo_request(inner->packet, inner->len);
}

static void answer_keepalive(struct tunnel_dp *dp, struct binding *b, const struct arrival *a,
			     struct encap_inner *inner)
{
	uint8_t *reply;
	size_t len;

	if (b->tunnel.half_bound) { /* its address was checked; the port is learnt, once */
		b->tunnel.peer_port = a->src_port;
		b->tunnel.half_bound = false;
		learnt(dp, b->tunnel.peer);
	}
	heard(dp, b, inner->len);
	b->keepalives++;
	dp->conf.stats->keepalives++;
	len = icmp_echo_reply(inner->packet, inner->len, 0, &reply);
	send_to_node(dp, b, NULL, false, reply, len);
	if (dp->conf.keepalive)
		dp->conf.keepalive(dp->conf.keepalive_ctx, b, a->src, a->src_port);
}

/*
 * A foreign agent keeps the mapping of the tunnel that it asked for, with its care-of address as
 * the inner source: no home address, so find_binding() does not take it. The answer goes to where
 * the tunnel ends, not by a route to that address, which may be a private one (RFC 3519 §4.9).
 */
static struct binding *find_agents_binding(struct tunnel_dp *dp, const struct arrival *a,
					   const struct encap_inner *inner)
{
	struct binding *b = binding_find_peer(dp->conf.cache, a->src);
	unsigned int steps;

	for (steps = 0; b && steps < PEER_WALK_MAX; b = b->peer_next, steps++)
		if (b->from_fa && !binding_is_expired(b, now_ms(dp)) &&
		    addr_eq(b->care_of, ipv4_src(inner->packet)) && came_from_peer(b, a) &&
		    came_as_agreed(b, a, inner))
			return b;
	return NULL;
}

/* RFC 6040 §4.2: such marks SHOULD be logged; the log's level is what suppresses them. */
static void note_unexpected_ecn(struct tunnel_dp *dp, const struct arrival *a,
				const struct encap_inner *inner)
{
	dp->conf.stats->tunnel_ecn_unexpected++;
	(void)log_write_limited(&ecn_limit, now_ms(dp), LOG_LEVEL_INFO,
				"outer and inner congestion marks are a pair that nobody makes",
				"event=tunnel-ecn-unexpected outer-source=%s inner-source=%s",
				addr_text(a->src).s, addr_text(ipv4_src(inner->packet)).s);
}

static void reverse(struct tunnel_dp *dp, const struct arrival *a, struct encap_inner *inner)
{
	struct binding *b = NULL;
	enum drop why = DROP_TTL;

	if (inner->packet[IPV4_TTL] > 0)
		why = find_binding(dp, a, inner, &b);
	if ((why == DROP_NO_BINDING || why == DROP_WRONG_SOURCE) && is_keepalive(dp, a, inner)) {
		b = find_agents_binding(dp, a, inner);
		if (b)
			why = DROP_NONE;
	}
	if (why == DROP_NONE && is_keepalive(dp, a, inner)) {
		answer_keepalive(dp, b, a, inner);
		return;
	}
	if (why == DROP_NONE)
		why = unwrap(dp, b, inner);
	if (why == DROP_NONE)
		why = judge(dp, b, a, inner);
	if (why != DROP_NONE) {
		drop(dp, why, a, inner);
		return;
	}
	if (!may_leave(dp, b, a, inner))
		return;
	if (inner->ecn_unexpected)
		note_unexpected_ecn(dp, a, inner);
	clamp_mss(dp, binding_find(dp->conf.cache, b->key),
		  addr_eq(ipv4_src(inner->packet), b->key.home_addr) ? 0 : b->networks,
		  inner->packet, inner->len);
	if (write(dp->tun, inner->packet, inner->len) < 0) {
		send_failed(dp, ipv4_dst(inner->packet), -errno);
		return;
	}
	heard(dp, b, inner->len);
}

static void raw_packet(struct tunnel_dp *dp, uint8_t *packet, size_t len)
{
	struct encap_inner inner;
	struct arrival a;
	int err;

	/* A raw socket gives whole headers, and only what was sent to its own address. */
	if (len < IPV4_HEADER_MIN)
		return;
	a = (struct arrival){ .src = ipv4_src(packet), .mode = packet[IPV4_PROTOCOL] };
	err = encap_decapsulate(packet, len, &inner);
	if (err < 0)
		drop(dp, undecapsulated(err), &a, NULL);
	else
		reverse(dp, &a, &inner);
}

static void on_raw(void *ctx, int events)
{
	const struct raw_in *raw = ctx;
	struct tunnel_dp *dp = raw->dp;
	struct mmsghdr msgs[BATCH];
	struct iovec iovs[BATCH];
	int i, cnt;

	(void)events;
	for (i = 0; i < BATCH; i++) {
		iovs[i] = (struct iovec){ packet_in(dp->in[i]), ENCAP_PACKET_MAX };
		msgs[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iovs[i], .msg_iovlen = 1 } };
	}
	cnt = recvmmsg(raw->fd, msgs, BATCH, MSG_DONTWAIT, NULL);
	for (i = 0; i < cnt; i++)
		raw->input(dp, packet_in(dp->in[i]), msgs[i].msg_len);
	out_flush(dp);
}

static void tun_udp_input(struct tunnel_dp *dp, uint8_t *data, size_t len, uint8_t tos,
			  struct in_addr src, uint16_t src_port, struct in_addr dst)
{
	struct arrival a = { .src = src, .src_port = src_port, .udp = true };
	struct encap_inner inner;
	int err;

	if (len > 1)
		a.mode = data[1]; /* for the log, should it go no further */
	if (!addr_eq(dst, dp->conf.home_agent)) {
		drop(dp, DROP_WRONG_SOURCE, &a, NULL);
	} else {
		err = encap_decapsulate_udp(data, len, tos, src, dst, &a.mode, &inner);
		if (err < 0)
			drop(dp, undecapsulated(err), &a, NULL);
		else
			reverse(dp, &a, &inner);
	}
	out_flush(dp);
}

/* --- about a tunnel: ICMP errors from inside --- */

static bool is_quoted(const struct binding *b, const struct icmp_quote *q)
{
	if (!addr_eq(b->tunnel.peer, q->peer) || b->tunnel.udp != q->udp)
		return false;
	if (q->udp && b->tunnel.peer_port != q->peer_port)
		return false;
	/* A fragment of minimal encapsulation's went as IP-in-IP. */
	return q->mode == 0 || q->mode == b->tunnel.encap ||
	       (q->mode == ENCAP_IPIP && b->tunnel.encap == ENCAP_MINIMAL);
}

/* Is it about a live tunnel? Anybody may send such an error: it has to fit what we really send. */
static bool is_about_a_tunnel(struct tunnel_dp *dp, const struct icmp_quote *q)
{
	uint64_t now = now_ms(dp);
	struct binding *b;
	uint32_t network;
	unsigned int steps;

	if (!addr_is_any(q->home_addr)) {
		b = find_inner(dp, q->home_addr, &network);
		for (b = live_with(b, network, now); b;
		     b = live_with(binding_sibling(b), network, now))
			if (is_quoted(b, q))
				return true;
		return false;
	}
	b = binding_find_peer(dp->conf.cache, q->peer);
	for (steps = 0; b && steps < PEER_WALK_MAX; b = b->peer_next, steps++)
		if (!binding_is_expired(b, now) && is_quoted(b, q))
			return true;
	return false;
}

/* @return the MTU to tell a sender: RFC 2003 §5.1 */
static uint16_t lower_mtu(struct tunnel_dp *dp, const struct icmp_quote *q)
{
	uint32_t before = soft_state_mtu(&dp->soft, q->peer, dp->conf.mtu, now_ms(dp));
	uint32_t mtu =
		soft_state_too_big(&dp->soft, q->peer, dp->conf.mtu, q->mtu, q->len, now_ms(dp));

	if (mtu < before) {
		dp->conf.stats->tunnel_mtu_lowered++;
		(void)log_write_limited(&mtu_limit, now_ms(dp), LOG_LEVEL_INFO,
					"the path to a care-of address takes smaller packets only",
					"event=tunnel-mtu-lowered peer=%s mtu=%u before=%u",
					addr_text(q->peer).s, mtu, before);
		learnt(dp, q->peer);
	}
	return (uint16_t)(mtu - encap_overhead(q->mode, q->udp));
}

/*
 * What we had put in a packet to the home address before, for a foreign agent (RFC 5177 §7): its
 * sender knows nothing of either header.
 * @return octets that were taken off
 */
static uint16_t skip_wrap(const struct tunnel_dp *dp, struct icmp_quote *q)
{
	size_t header_len;

	if (!q->inner || q->inner[IPV4_PROTOCOL] != ENCAP_IPIP ||
	    !addr_eq(ipv4_src(q->inner), dp->conf.home_agent))
		return 0;
	header_len = ipv4_header_len(q->inner);
	q->inner += header_len;
	q->inner_len -= header_len;
	if (q->inner_len < IPV4_HEADER_MIN ||
	    q->inner_len < (size_t)ipv4_header_len(q->inner) + ICMP_QUOTE_MIN)
		q->inner = NULL;
	return (uint16_t)header_len;
}

/*
 * Not relayed (RFC 2003 §4.1), and no reason to end a binding: nobody has signed it. A NAT has
 * forgotten its mapping, or the node's program has ended; the node's next request mends it.
 */
static void note_port_unreachable(struct tunnel_dp *dp, const struct icmp_quote *q)
{
	dp->conf.stats->tunnel_errors_port++;
	(void)log_write_limited(&port_limit, now_ms(dp), LOG_LEVEL_NOTICE,
				"nobody listens at the end of a UDP tunnel",
				"event=tunnel-port-unreachable peer=%s peer-port=%u",
				addr_text(q->peer).s, q->peer_port);
}

static void tunnel_error(struct tunnel_dp *dp, uint8_t *packet, size_t len)
{
	struct stats *stats = dp->conf.stats;
	struct icmp_quote q;
	bool was_unreachable;
	uint16_t mtu = 0;
	int meaning;

	if (icmp_quote_decode(packet, len, dp->conf.home_agent, dp->conf.port, &q) < 0)
		return; /* about something else on this host */
	if (!is_about_a_tunnel(dp, &q)) {
		stats->tunnel_errors_unknown++;
		return;
	}
	stats->tunnel_errors++;
	meaning = icmp_quote_meaning(q.type, q.code);
	switch (meaning) {
	case ICMP_QUOTE_NOT_RELAYED:
		if (q.udp && q.type == TYPE_UNREACHABLE && q.code == CODE_PORT)
			note_port_unreachable(dp, &q);
		return;
	case ICMP_ERROR_TOO_BIG:
		if (!q.df) /* then a router would have fragmented it */
			return;
		mtu = lower_mtu(dp, &q);
		mtu = (uint16_t)(mtu - skip_wrap(dp, &q));
		break;
	default:
		was_unreachable = soft_state_is_unreachable(&dp->soft, q.peer, now_ms(dp));
		soft_state_unreachable(&dp->soft, q.peer, now_ms(dp));
		if (!was_unreachable)
			learnt(dp, q.peer);
		(void)skip_wrap(dp, &q);
		break;
	}
	if (q.inner &&
	    send_error(dp, &dp->relay_limit, (enum icmp_error)meaning, mtu, q.inner, q.inner_len))
		stats->tunnel_errors_relayed++;
}

/* --- opening and closing --- */

static int refuse_socket(const struct tunnel_conf *conf, const char *what, int err)
{
	const char *remedy = "see the error";

	if (err == -EPERM || err == -EACCES)
		remedy = "start as root or by systemd, with CAP_NET_RAW";
	else if (err == -EADDRNOTAVAIL)
		remedy = "home-agent.address must be an address of this host";
	log_error("cannot open the tunnels' sockets",
		  "event=data-path-refused data-path=tun address=%s what=\"%s\" error=\"%s\" "
		  "remedy=\"%s\"",
		  addr_text(conf->home_agent).s, what, err_text(err), remedy);
	return err;
}

/* More than net.core.*mem_max if we are privileged, else as much as that. */
static void enlarge(int fd, int forced, int option)
{
	int size = SOCKET_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, option, &size, sizeof(size));
}

/* A raw socket of this protocol, bound to our address. */
static int open_raw(const struct tunnel_conf *conf, int protocol, int *ret_fd)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = conf->home_agent };
	int fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	const int on = 1;
	int err;

	if (fd < 0)
		return refuse_socket(conf, "open a raw socket", -errno);
	if ((conf->address_floats &&
	     setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) < 0) ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		err = -errno;
		(void)close(fd);
		return refuse_socket(conf, "bind a raw socket", err);
	}
	*ret_fd = fd;
	return 0;
}

static int open_out(struct tunnel_dp *dp)
{
	int discover = IP_PMTUDISC_INTERFACE; /* path MTUs are ours to judge, not the kernel's */
	int err = open_raw(&dp->conf, IPPROTO_RAW, &dp->out.fd);

	if (err < 0)
		return err;
	enlarge(dp->out.fd, SO_SNDBUFFORCE, SO_SNDBUF);
	if (setsockopt(dp->out.fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof(discover)) < 0)
		return refuse_socket(&dp->conf, "set IP_MTU_DISCOVER", -errno);
	return 0;
}

static int open_in(struct tunnel_dp *dp)
{
	size_t i;
	int err;

	for (i = 0; i < RAW_CNT; i++) {
		err = open_raw(&dp->conf, raw_protocols[i], &dp->raw[i].fd);
		if (err < 0)
			return err;
		enlarge(dp->raw[i].fd, SO_RCVBUFFORCE, SO_RCVBUF);
	}
	return 0;
}

/*
 * Errors only, and of these the ones that say something about a tunnel. Source quench is to be
 * ignored (RFC 6633), a redirect is the kernel's, and a parameter problem ours: we add no options.
 */
static int open_icmp(struct tunnel_dp *dp)
{
	const struct icmp_filter filter = {
		.data = ~(1u << TYPE_UNREACHABLE | 1u << TYPE_TIME_EXCEEDED),
	};
	int err = open_raw(&dp->conf, IPPROTO_ICMP, &dp->icmp.fd);

	if (err < 0)
		return err;
	if (setsockopt(dp->icmp.fd, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter)) < 0)
		return refuse_socket(&dp->conf, "set ICMP_FILTER", -errno);
	return 0;
}

static struct link_in *link_close(struct link_in *link)
{
	(void)loop_fd_free(link->watch);
	if (link->fd >= 0)
		(void)close(link->fd);
	free(link);
	return NULL;
}

/* It is the first of dp->links then. */
static int link_open(struct tunnel_dp *dp, const struct tunnel_home_network *net, bool limited)
{
	struct link_in *link = calloc(1, sizeof(*link));
	int err;

	if (!link)
		return -ENOMEM;
	*link = (struct link_in){ .dp = dp, .net = *net, .limited = limited, .fd = -1 };
	err = tun_link_open(net->interface, net->prefix, limited, &link->fd);
	if (err < 0) {
		(void)link_close(link);
		return refuse_socket(&dp->conf, "listen to a home link", err);
	}
	link->watch = loop_fd_new(dp->conf.loop, link->fd, LOOP_READ, on_link, link);
	if (!link->watch) {
		(void)link_close(link);
		return -ENOMEM;
	}
	link->next = dp->links;
	dp->links = link;
	return 0;
}

static bool is_wanted(const struct link_in *link, const struct tunnel_conf *conf)
{
	return conf->broadcast_subnet && link->limited == conf->broadcast_limited &&
	       tunnel_home_network_find(conf->home_networks, conf->home_network_cnt, &link->net);
}

/* @param conf  NULL: none is wanted */
static void close_unwanted_links(struct tunnel_dp *dp, const struct tunnel_conf *conf)
{
	struct link_in **list = &dp->links, *link;

	while ((link = *list)) {
		if (conf && is_wanted(link, conf)) {
			list = &link->next;
			continue;
		}
		*list = link->next;
		(void)link_close(link);
	}
}

static bool has_link(const struct tunnel_dp *dp, const struct tunnel_home_network *net,
		     bool limited)
{
	const struct link_in *link = dp->links;

	while (link && (link->limited != limited || !tunnel_home_network_eq(&link->net, net)))
		link = link->next;
	return link;
}

/* One socket for each physical home link of conf; those that are open already stay. */
static int open_links(struct tunnel_dp *dp, const struct tunnel_conf *conf)
{
	const struct tunnel_home_network *net = conf->home_networks;
	size_t i;
	int err;

	if (!conf->broadcast_subnet)
		return 0;
	for (i = 0; i < conf->home_network_cnt; i++, net++) {
		if (net->interface[0] == '\0' || has_link(dp, net, conf->broadcast_limited))
			continue;
		err = link_open(dp, net, conf->broadcast_limited);
		if (err < 0)
			return err;
	}
	return 0;
}

static int allocate_slots(struct tunnel_dp *dp)
{
	struct out_queue *out = &dp->out;
	unsigned int i;

	dp->piece = malloc(sizeof(*dp->piece));
	if (!dp->piece)
		return -ENOMEM;
	for (i = 0; i < BATCH; i++) {
		dp->in[i] = malloc(sizeof(*dp->in[i]));
		out->slots[i] = malloc(sizeof(*out->slots[i]));
		if (!dp->in[i] || !out->slots[i])
			return -ENOMEM;
		out->to[i].sin_family = AF_INET;
		out->msgs[i].msg_hdr = (struct msghdr){
			.msg_name = &out->to[i],
			.msg_namelen = sizeof(out->to[i]),
			.msg_iov = &out->iovs[i],
			.msg_iovlen = 1,
		};
	}
	return 0;
}

static int watch(struct tunnel_dp *dp)
{
	struct loop *loop = dp->conf.loop;
	size_t i;

	dp->tun_readable = loop_fd_new(loop, dp->tun, LOOP_READ, on_tun, dp);
	if (!dp->tun_readable)
		return -ENOMEM;
	for (i = 0; i < RAW_CNT; i++) {
		dp->raw[i].watch = loop_fd_new(loop, dp->raw[i].fd, LOOP_READ, on_raw, &dp->raw[i]);
		if (!dp->raw[i].watch)
			return -ENOMEM;
	}
	dp->icmp.watch = loop_fd_new(loop, dp->icmp.fd, LOOP_READ, on_raw, &dp->icmp);
	return dp->icmp.watch ? 0 : -ENOMEM;
}

static void tun_close(struct tunnel_dp *dp)
{
	unsigned int i;

	if (!dp)
		return;
	dp->guard = tun_watch_close(dp->guard);
	dp->tun_readable = loop_fd_free(dp->tun_readable);
	for (i = 0; i < RAW_CNT; i++) {
		dp->raw[i].watch = loop_fd_free(dp->raw[i].watch);
		if (dp->raw[i].fd >= 0)
			(void)close(dp->raw[i].fd);
	}
	dp->icmp.watch = loop_fd_free(dp->icmp.watch);
	if (dp->icmp.fd >= 0)
		(void)close(dp->icmp.fd);
	close_unwanted_links(dp, NULL);
	soft_state_done(&dp->soft);
	fragments_done(&dp->fragments);
	dp->host = tun_host_close(dp->host);
	if (dp->out.fd >= 0)
		(void)close(dp->out.fd);
	for (i = 0; i < BATCH; i++) {
		free(dp->in[i]);
		free(dp->out.slots[i]);
	}
	free(dp->piece);
	free(dp);
}

static int tun_open(const struct tunnel_conf *conf, struct tunnel_dp **ret_dp)
{
	/* A scan of empty home addresses must not silence path MTU discovery: one limit each. */
	const struct icmp_limit limit = { .per_second = ERRORS_PER_SECOND, .burst = ERRORS_BURST };
	struct tunnel_dp *dp = calloc(1, sizeof(*dp));
	uint32_t seed = 0;
	unsigned int i;
	int err;

	if (!dp)
		return -ENOMEM;
	dp->conf = *conf;
	dp->unreachable_limit = limit;
	dp->too_big_limit = limit;
	dp->soft_limit = limit;
	dp->relay_limit = limit;
	dp->broadcast_limit = (struct icmp_limit){ .per_second = BROADCASTS_PER_SECOND,
						   .burst = BROADCASTS_PER_SECOND };
	dp->out.fd = -1;
	for (i = 0; i < RAW_CNT; i++)
		dp->raw[i] = (struct raw_in){ .dp = dp, .input = raw_packet, .fd = -1 };
	dp->icmp = (struct raw_in){ .dp = dp, .input = tunnel_error, .fd = -1 };

	/* The sockets come first: they tell a wrong address before anything is laid down. */
	err = allocate_slots(dp);
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
		seed = (uint32_t)(uintptr_t)dp; /* early in boot; the table stays bounded */
	if (err == 0)
		err = soft_state_init(&dp->soft, seed);
	if (err == 0)
		err = fragments_init(&dp->fragments, seed);
	if (err == 0)
		err = open_out(dp);
	if (err == 0)
		err = open_in(dp);
	if (err == 0)
		err = open_icmp(dp);
	if (err == 0)
		err = tun_host_open(&dp->conf, &dp->host);
	if (err == 0) {
		dp->tun = tun_host_fd(dp->host);
		err = watch(dp);
		if (err == 0)
			err = tun_watch_open(&dp->conf, dp->host, on_device, dp, &dp->guard);
		if (err < 0)
			log_error("cannot watch over the tunnel device",
				  "event=data-path-refused data-path=tun device=%s error=\"%s\"",
				  dp->conf.device, err_text(err));
	}
	if (err == 0)
		err = open_links(dp, &dp->conf);
	if (err < 0) {
		tun_close(dp);
		return err;
	}
	*ret_dp = dp;
	return 0;
}

static void note_broadcasts(struct tunnel_dp *dp, const struct binding *first)
{
	struct in_addr home_addr = first->key.home_addr;
	const struct binding *b = first;

	while (b && !(b->flags & REG_FLAG_B))
		b = binding_sibling(b);
	if (!b)
		broadcast_nodes_del(&dp->broadcast_nodes, home_addr);
	else if (!broadcast_nodes_put(&dp->broadcast_nodes, home_addr))
		(void)log_write_limited(&nodes_limit, now_ms(dp), LOG_LEVEL_NOTICE,
					"a node gets no broadcasts: too many others do",
					"event=broadcast-nodes-full home-address=%s most=%u",
					addr_text(home_addr).s, BROADCAST_NODES_MAX);
}

static int tun_put(struct tunnel_dp *dp, struct binding *first, struct tunnel_soft soft)
{
	(void)soft; /* it comes from here */
	note_broadcasts(dp, first);
	/* A request has come by the latest: what was out of reach may not be any more. */
	soft_state_heard(&dp->soft, first->tunnel.peer, now_ms(dp));
	return tun_host_put(dp->host, first->key.home_addr);
}

static int tun_del(struct tunnel_dp *dp, struct binding_key key)
{
	broadcast_nodes_del(&dp->broadcast_nodes, key.home_addr);
	return tun_host_del(dp->host, key.home_addr);
}

static int tun_route(struct tunnel_dp *dp, struct addr_prefix network, bool on)
{
	return tun_host_route(dp->host, network, on);
}

static int tun_reload(struct tunnel_dp *dp, const struct tunnel_conf *conf)
{
	int err = open_links(dp, conf);

	if (err == 0)
		err = tun_host_set_networks(dp->host, conf->home_networks, conf->home_network_cnt);
	if (err == 0)
		tunnel_conf_reload(&dp->conf, conf);
	close_unwanted_links(dp, &dp->conf);
	return err;
}

/* All that this tier has dropped: the counters are its own, a fast one's are added to copies. */
static uint64_t dropped(const struct stats *s)
{
	uint64_t sum = s->no_binding_drops + s->tunnel_too_big_drops + s->tunnel_half_bound_drops +
		       s->tunnel_send_failures + s->filter_drops;
	size_t i;

	for (i = 0; i < DROP_CNT; i++)
		sum += *(const uint64_t *)((const char *)s + drop_rows[i].counter);
	return sum;
}

static void tun_for_each_port(struct tunnel_dp *dp,
			      void (*fn)(void *ctx, const struct tunnel_port *port), void *ctx)
{
	fn(ctx, &(struct tunnel_port){
			.interface = dp->conf.device,
			.tier = tunnel_tun.name,
			.why = "",
			.ifindex = tun_host_index(dp->host),
			.drops = dropped(dp->conf.stats) + tun_host_lost(dp->host),
		});
}

static struct tunnel_soft tun_soft(struct tunnel_dp *dp, struct in_addr peer)
{
	return (struct tunnel_soft){
		.mtu = soft_state_mtu(&dp->soft, peer, dp->conf.mtu, now_ms(dp)),
		.unreachable = soft_state_is_unreachable(&dp->soft, peer, now_ms(dp)),
	};
}

static bool tun_is_local(struct tunnel_dp *dp, struct in_addr addr)
{
	return tun_host_has_address(dp->host, addr);
}

static struct tunnel_upkeep tun_upkeep(struct tunnel_dp *dp)
{
	return (struct tunnel_upkeep){
		.sinks = tun_host_sink_cnt(dp->host),
		.repairs = tun_watch_repair_cnt(dp->guard),
	};
}

const struct tunnel_ops tunnel_tun = {
	.name = "tun",
	.caps = TUNNEL_CAP_IPIP | TUNNEL_CAP_MINIMAL | TUNNEL_CAP_GRE | TUNNEL_CAP_UDP |
		TUNNEL_CAP_FILTER,
	.open = tun_open,
	.put = tun_put,
	.del = tun_del,
	.route = tun_route,
	.reload = tun_reload,
	.close = tun_close,
	.clean = tun_host_clean,
	.udp_input = tun_udp_input,
	.soft = tun_soft,
	.is_local = tun_is_local,
	.upkeep = tun_upkeep,
	.for_each_port = tun_for_each_port,
};

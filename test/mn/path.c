/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two sockets carry an agent's traffic besides its TUN device: a UDP socket for registrations,
 * whose port is also the tunnel's (RFC 3519 §4.4), and one raw socket, shared, that receives
 * protocol 4 and sends every tunnel packet whole, outer header included. None is bound to an
 * address; source and interface go with each datagram (IP_PKTINFO), so a move costs no socket
 * and keeps the ports.
 *
 * A packet that is too long, for the link or for what the kernel has learnt of the way behind it
 * (RFC 1191), comes back from the kernel. It is never just lost: with Don't Fragment its sender is
 * told inwards, as by a router, else it travels in pieces, cut before they are tunnelled (RFC 2003
 * §5.1). The node is told, too, and makes its devices as narrow as that: then a layer above that
 * has no ear for ICMP, a charon that carries ESP in user space, is never given too much.
 *
 * A tunnel packet is taken only from the agent, to the care-of address, by the interface in use,
 * in the form agreed, and for the home address (RFC 3519 §4.3, the mirror of RFC 3024 §4.3.2). A
 * packet that the gate stops waits in a small queue, which stays shut until the gate opens
 * (RFC 5265 §3.2.4); the external tunnel carries IPsec, which retransmits, and has no queue.
 *
 * A node that gets no processor for a while may wake up in another network, with packets to send.
 * The kernel would let them go by the new link: a socket that writes outer headers may write any
 * source. So before each packet is read, the links are looked at; where we were is never told by
 * what the event loop happens to call first.
 *
 * Through the VPN is one more path to the internal agent, with a socket and a place of its own (the
 * inner address), but for the same home address and so the same device. Behind a foreign agent, and
 * at home, packets leave as they are, to the link's router. What is delivered there, the kernel
 * takes for the home address without asking us: the gate then holds for what we send only.
 */
#include "test/mn/path.h"

#include "common/err.h"
#include "common/log.h"
#include "ha-core/tunnel/broadcast.h"
#include "ha-core/tunnel/encap.h"
#include "ha-core/tunnel/icmp.h"
#include "ha-core/tunnel/ipv4.h"
#include "ha-core/wire/reg.h"
#include "ha-core/wire/udp_tunnel.h"
#include "test/instrument/echo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH         64 /* packets a wake-up, so that no socket starves another */
#define QUEUE_MAX     64
#define REQUEST_TTL   255 /* RFC 3024 §3.2 */
#define SOCKET_BUFFER (4 << 20)

#define UDP_HEADER_LEN       8
#define IPV4_VERSION_5_WORDS 0x45

struct waiting {
	uint64_t since_ms;
	size_t len;
	uint8_t *packet; /* owned */
};

/*
 * Two queues: segments of TCP wait long, since a connection that has backed off meanwhile starts
 * again with the first of them to arrive; an older packet of any other kind is of no use.
 */
enum queue_kind { QUEUE_TCP, QUEUE_OTHER, QUEUE_CNT };

static const uint64_t queue_age_ms[QUEUE_CNT] = { [QUEUE_TCP] = 120000, [QUEUE_OTHER] = 2000 };

struct queue {
	struct waiting ring[QUEUE_MAX];
	size_t head, cnt;
};

struct path {
	struct paths *set;
	enum detect_agent agent;
	struct tun *tun;
	struct in_addr home_addr;
	const struct addr_prefix *networks; /* not owned */
	size_t network_cnt;
	int udp_fd;
	uint16_t port;
	struct loop_fd *tun_watch, *udp_watch;
	struct path_place place;
	struct path_agreement agreement;
	struct path_count count;
	uint64_t last_sent_ms, last_heard_ms; /* through the tunnel */
	uint16_t keepalive_seq;
	struct queue queues[QUEUE_CNT];
};

struct paths {
	struct loop *loop;
	struct path_hooks hooks;
	int raw_fd;
	struct loop_fd *raw_watch;
	struct path *path[DETECT_AGENT_CNT];
	uint16_t ident; /* of outer headers */
	uint64_t stray_cnt;
	uint8_t buffer[ENCAP_HEADROOM + ENCAP_PACKET_MAX];
	uint8_t piece[ENCAP_HEADROOM + ENCAP_PACKET_MAX]; /* of one that is too long */
};

/* The outermost addresses of a datagram and how it came in. */
struct arrival {
	struct in_addr src, dst;
	uint16_t src_port;
	unsigned int ifindex;
	uint8_t tos;
};

static uint64_t now_ms(const struct paths *p)
{
	return loop_now(p->loop)->mono_ms;
}

static bool has_foreign_agent(const struct path *path)
{
	return !addr_is_any(path->place.foreign_agent);
}

/* No tunnel of ours: a foreign agent has it, or we are at home. */
static bool is_untunnelled(const struct path *path)
{
	return has_foreign_agent(path) || path->place.home;
}

/* A foreign agent speaks to the home address (RFC 5944 §3.7.3.2); at home there is no other. */
static bool is_here(const struct path *path, const struct arrival *from)
{
	const struct path_place *here = &path->place;

	if (addr_is_any(here->local) || from->ifindex != here->ifindex)
		return false;
	if (is_untunnelled(path))
		return addr_eq(from->dst, path->home_addr) &&
		       (here->home || addr_eq(from->src, here->foreign_agent));
	return addr_eq(from->dst, here->local);
}

/* ---- Sending ---- */

/* From our address there, by the interface in use, whatever the packet's own header says. */
static int send_from_here(const struct path *path, int fd, struct in_addr to, uint16_t port,
			  const void *data, size_t len)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = to, .sin_port = htons(port) };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control = { 0 };
	struct msghdr msg = {
		.msg_name = &sin,
		.msg_namelen = sizeof(sin),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	struct in_pktinfo info = { .ipi_ifindex = (int)path->place.ifindex,
				   .ipi_spec_dst = path->place.local };

	if (addr_is_any(path->place.local))
		return -EADDRNOTAVAIL;
	cmsg->cmsg_level = IPPROTO_IP;
	cmsg->cmsg_type = IP_PKTINFO;
	cmsg->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(cmsg), &info, sizeof(info));
	return sendmsg(fd, &msg, 0) < 0 ? -errno : 0;
}

/* The source is the home address, which lives on another device than the link's. */
static int send_from_home_address(struct path *path, struct in_addr to, const void *message,
				  size_t len)
{
	uint8_t *packet = path->set->buffer, *udp = packet + IPV4_HEADER_MIN;
	size_t whole = IPV4_HEADER_MIN + UDP_HEADER_LEN + len;

	if (whole > ENCAP_PACKET_MAX)
		return -EMSGSIZE;
	memset(packet, 0, IPV4_HEADER_MIN + UDP_HEADER_LEN);
	packet[0] = IPV4_VERSION_5_WORDS;
	ipv4_put16(packet + IPV4_LENGTH, (uint16_t)whole);
	packet[IPV4_TTL] = REQUEST_TTL;
	packet[IPV4_PROTOCOL] = IPPROTO_UDP;
	ipv4_put_addr(packet + IPV4_SRC, path->home_addr);
	ipv4_put_addr(packet + IPV4_DST, to);
	ipv4_finish_header(packet);
	ipv4_put16(udp, path->port);
	ipv4_put16(udp + 2, REG_PORT);
	ipv4_put16(udp + 4, (uint16_t)(UDP_HEADER_LEN + len));
	memcpy(udp + UDP_HEADER_LEN, message, len);
	broadcast_finish_udp(packet, whole); /* MUST have its checksum (RFC 5944 §3.3) */
	return send_from_here(path, path->set->raw_fd, to, 0, packet, whole);
}

int paths_send(struct paths *p, enum detect_agent agent, struct in_addr to, const void *message,
	       size_t len)
{
	struct path *path = p->path[agent];

	path->last_sent_ms = now_ms(p);
	if (is_untunnelled(path))
		return send_from_home_address(
			path, has_foreign_agent(path) ? path->place.foreign_agent : to, message,
			len);
	return send_from_here(path, path->udp_fd, to, REG_PORT, message, len);
}

/* Tunnels an inner packet, in place: ENCAP_HEADROOM octets before it are used up. */
static int send_tunnelled(struct path *path, uint8_t *inner, size_t len)
{
	struct paths *p = path->set;
	struct encap_path outer = {
		.local = path->place.local,
		.peer = path->agreement.home_agent,
		.local_port = path->port,
		.peer_port = REG_PORT,
		.mode = ENCAP_IPIP,
		.udp = path->agreement.udp,
	};
	uint8_t *packet;
	int ret;

	ret = encap_packet(&outer, inner, len, ++p->ident, &packet);
	if (ret < 0)
		return ret;
	path->last_sent_ms = now_ms(p);
	return send_from_here(path, p->raw_fd, outer.peer, 0, packet, (size_t)ret);
}

static bool is_tunnelled(const struct path *path)
{
	return path->agreement.reverse && !is_untunnelled(path);
}

static int send_once(struct path *path, uint8_t *inner, size_t len)
{
	if (is_tunnelled(path))
		return send_tunnelled(path, inner, len);
	return send_from_here(path, path->set->raw_fd, ipv4_dst(inner), 0, inner, len);
}

static int send_piece(void *ctx, uint8_t *piece, size_t len)
{
	return send_once(ctx, piece, len);
}

/* What the kernel knows of the way from here to there; 0: nothing. */
static uint32_t path_mtu(const struct path *path, struct in_addr to)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr = path->place.local };
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_addr = to, .sin_port = 1 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), mtu = 0;
	socklen_t len = sizeof(mtu);

	if (fd < 0)
		return 0;
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0 ||
	    connect(fd, (struct sockaddr *)&peer, sizeof(peer)) < 0 ||
	    getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &len) < 0 || mtu < 0)
		mtu = 0;
	close(fd);
	return (uint32_t)mtu;
}

/* @param inner  as it was before it was tunnelled. @return what became of its pieces */
static int too_long(struct path *path, uint8_t *inner, size_t len)
{
	const bool tunnelled = is_tunnelled(path);
	struct paths *p = path->set;
	uint32_t mtu, room;
	size_t error_len;

	mtu = path_mtu(path, tunnelled ? path->agreement.home_agent : ipv4_dst(inner));
	room = tunnelled ? (uint32_t)encap_overhead(ENCAP_IPIP, path->agreement.udp) : 0;
	if (mtu <= room)
		return -EMSGSIZE;
	room = mtu - room;
	p->hooks.too_big(p->hooks.ctx, path->agent, mtu);
	if (!ipv4_df(inner))
		return encap_fragment(inner, len, room, p->piece, send_piece, path);
	error_len = icmp_build_error(p->piece, ICMP_ERROR_TOO_BIG, (uint16_t)room,
				     path->agreement.home_agent, inner, len);
	if (error_len > 0 && write(tun_fd(path->tun), p->piece, error_len) > 0)
		path->count.too_big++;
	return -EMSGSIZE;
}

static void send_user_data(struct path *path, uint8_t *inner, size_t len)
{
	int err = send_once(path, inner, len);

	if (err == -EMSGSIZE)
		err = too_long(path, inner, len);
	if (err < 0) {
		log_debug("packet not sent", "event=not-sent agent=%d error=\"%s\"", path->agent,
			  err_text(err));
		path->count.dropped++;
		return;
	}
	path->count.sent++;
}

int paths_keepalive(struct paths *p, enum detect_agent agent)
{
	struct path *path = p->path[agent];
	uint8_t *packet = p->buffer + ENCAP_HEADROOM;

	echo_build(packet, path->home_addr, path->agreement.home_agent, ++path->keepalive_seq);
	return send_tunnelled(path, packet, ECHO_PACKET_LEN);
}

/* ---- The queue before the gate ---- */

static void queue_drop_first(struct queue *q)
{
	free(q->ring[q->head].packet);
	q->head = (q->head + 1) % QUEUE_MAX;
	q->cnt--;
}

/* The newest stay. */
static void queue_put(struct queue *q, uint64_t since_ms, const uint8_t *packet, size_t len)
{
	uint8_t *copy = malloc(len);

	if (!copy)
		return;
	memcpy(copy, packet, len);
	if (q->cnt == QUEUE_MAX)
		queue_drop_first(q);
	q->ring[(q->head + q->cnt++) % QUEUE_MAX] = (struct waiting){ since_ms, len, copy };
}

/* The path that user data of this one's device may take now; NULL: none. */
static struct path *open_path(struct path *path)
{
	struct paths *p = path->set;

	if (p->hooks.permits(p->hooks.ctx, path->agent))
		return path;
	if (path->agent == DETECT_INTERNAL && p->path[DETECT_VPN] &&
	    p->hooks.permits(p->hooks.ctx, DETECT_VPN))
		return p->path[DETECT_VPN];
	return NULL;
}

static void release(struct path *path, struct path *by, enum queue_kind kind)
{
	struct queue *q = &path->queues[kind];
	uint8_t *packet = path->set->buffer + ENCAP_HEADROOM;
	const struct waiting *first;

	for (; q->cnt > 0; queue_drop_first(q)) {
		first = &q->ring[q->head];
		if (now_ms(path->set) - first->since_ms > queue_age_ms[kind])
			continue;
		memcpy(packet, first->packet, first->len);
		send_user_data(by, packet, first->len);
		path->count.released++;
	}
}

void paths_release(struct paths *p, enum detect_agent agent)
{
	struct path *path = p->path[agent];
	struct path *by = path ? open_path(path) : NULL;

	if (!by)
		return;
	release(path, by, QUEUE_TCP);
	release(path, by, QUEUE_OTHER);
}

/* The home address, or one behind us (RFC 5177 §7). */
static bool is_ours(const struct path *path, struct in_addr addr)
{
	for (size_t i = 0; i < path->network_cnt; i++)
		if (addr_prefix_contains(path->networks[i], addr))
			return true;
	return addr_eq(addr, path->home_addr);
}

/* ---- From the home address to the world ---- */

static void outbound(struct path *path, uint8_t *packet, size_t len)
{
	struct path *by;
	struct in_addr dst;

	/* Router solicitations of IPv6, multicast reports: this host's chatter, not user data. */
	if (encap_check_ipv4(packet, len) < 0) {
		path->count.dropped++;
		return;
	}
	dst = ipv4_dst(packet);
	if (!is_ours(path, ipv4_src(packet)) || addr_is_multicast(dst) || addr_is_broadcast(dst)) {
		path->count.dropped++;
		return;
	}
	by = open_path(path);
	if (by) {
		send_user_data(by, packet, len);
		return;
	}
	path->count.held++;
	if (path->agent == DETECT_INTERNAL)
		queue_put(&path->queues[packet[IPV4_PROTOCOL] == IPPROTO_TCP ? QUEUE_TCP
									     : QUEUE_OTHER],
			  now_ms(path->set), packet, len);
}

static void on_tun(void *ctx, int events)
{
	struct path *path = ctx;
	uint8_t *packet = path->set->buffer + ENCAP_HEADROOM;
	ssize_t len;

	(void)events;
	for (int i = 0; i < BATCH; i++) {
		path->set->hooks.look(path->set->hooks.ctx);
		len = read(tun_fd(path->tun), packet, ENCAP_PACKET_MAX);
		if (len <= 0)
			return;
		outbound(path, packet, (size_t)len);
	}
}

/* ---- From the world to the home address ---- */

static void inbound(struct path *path, const struct encap_inner *inner)
{
	struct paths *p = path->set;

	if (!is_ours(path, ipv4_dst(inner->packet))) {
		path->count.dropped++;
		return;
	}
	if (!p->hooks.permits(p->hooks.ctx, path->agent)) {
		path->count.held++;
		return;
	}
	path->last_heard_ms = now_ms(p);
	if (echo_is_reply(inner->packet, inner->len, path->agreement.home_agent)) {
		p->hooks.echo(p->hooks.ctx, path->agent);
		return;
	}
	if (write(tun_fd(path->tun), inner->packet, inner->len) < 0) {
		path->count.dropped++;
		return;
	}
	path->count.received++;
}

/* The path that a tunnel packet in this form may have come by; NULL: none. */
static struct path *find_tunnel(const struct paths *p, const struct arrival *from, bool udp)
{
	struct path *path;

	for (size_t i = 0; i < DETECT_AGENT_CNT; i++) {
		path = p->path[i];
		if (path && !is_untunnelled(path) && is_here(path, from) &&
		    path->agreement.udp == udp && addr_eq(path->agreement.home_agent, from->src))
			return path;
	}
	return NULL;
}

/* Receives into the buffer behind its headroom. @return octets, or negative: nothing there */
static ssize_t receive(struct paths *p, int fd, struct arrival *out_from)
{
	struct sockaddr_in sin = { 0 };
	struct iovec iov = { .iov_base = p->buffer + ENCAP_HEADROOM, .iov_len = ENCAP_PACKET_MAX };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr msg = {
		.msg_name = &sin,
		.msg_namelen = sizeof(sin),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct in_pktinfo info;
	ssize_t len;

	p->hooks.look(p->hooks.ctx);
	len = recvmsg(fd, &msg, MSG_DONTWAIT);
	*out_from = (struct arrival){ .src = sin.sin_addr, .src_port = ntohs(sin.sin_port) };
	if (len < 0)
		return -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != IPPROTO_IP)
			continue;
		if (c->cmsg_type == IP_PKTINFO) {
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			out_from->dst = info.ipi_addr;
			out_from->ifindex = (unsigned int)info.ipi_ifindex;
		} else if (c->cmsg_type == IP_TOS) {
			out_from->tos = *CMSG_DATA(c);
		}
	}
	return len;
}

static void on_raw(void *ctx, int events)
{
	struct paths *p = ctx;
	struct encap_inner inner;
	struct arrival from;
	struct path *path;
	ssize_t len;

	(void)events;
	for (int i = 0; i < BATCH; i++) {
		len = receive(p, p->raw_fd, &from);
		if (len < 0)
			return;
		path = find_tunnel(p, &from, false);
		if (!path)
			p->stray_cnt++;
		else if (encap_decapsulate(p->buffer + ENCAP_HEADROOM, (size_t)len, &inner) < 0)
			path->count.dropped++;
		else
			inbound(path, &inner);
	}
}

static void tunnel_data(struct path *path, size_t len, const struct arrival *from)
{
	struct paths *p = path->set;
	struct encap_inner inner;
	uint8_t mode;

	if (from->src_port != REG_PORT || !path->agreement.udp ||
	    !addr_eq(from->src, path->agreement.home_agent) ||
	    encap_decapsulate_udp(p->buffer + ENCAP_HEADROOM, len, from->tos, from->src, from->dst,
				  &mode, &inner) < 0 ||
	    mode != ENCAP_IPIP) {
		path->count.dropped++;
		return;
	}
	inbound(path, &inner);
}

static void on_udp(void *ctx, int events)
{
	struct path *path = ctx;
	struct paths *p = path->set;
	const uint8_t *data = p->buffer + ENCAP_HEADROOM;
	struct arrival from;
	ssize_t len;

	(void)events;
	for (int i = 0; i < BATCH; i++) {
		len = receive(p, path->udp_fd, &from);
		if (len < 0)
			return;
		if (len == 0 || !is_here(path, &from))
			path->count.dropped++;
		else if (data[0] == REG_MSG_TUNNEL_DATA)
			tunnel_data(path, (size_t)len, &from);
		else
			p->hooks.message(p->hooks.ctx, path->agent, data, (size_t)len);
	}
}

/* ---- Opening and closing ---- */

static int open_socket(int type, int protocol)
{
	int on = 1, ttl = REQUEST_TTL, size = SOCKET_BUFFER;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	int err;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on)) < 0 ||
	    (type == SOCK_RAW && setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &on, sizeof(on)) < 0) ||
	    (type == SOCK_DGRAM && setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)) < 0)) {
		err = -errno;
		close(fd);
		return err;
	}
	/* A burst waits here while the loop is elsewhere; less is no reason to fail. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return fd;
}

int paths_open(struct loop *loop, const struct path_hooks *hooks, struct paths **ret_paths)
{
	struct paths *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->loop = loop;
	p->hooks = *hooks;
	p->raw_fd = err = open_socket(SOCK_RAW, IPPROTO_IPIP);
	if (err < 0) {
		log_error("cannot open a raw socket: CAP_NET_RAW is needed",
			  "event=socket-refused error=\"%s\"", err_text(err));
		paths_close(p);
		return err;
	}
	p->raw_watch = loop_fd_new(loop, p->raw_fd, LOOP_READ, on_raw, p);
	if (!p->raw_watch) {
		paths_close(p);
		return -ENOMEM;
	}
	*ret_paths = p;
	return 0;
}

static struct path *path_free(struct path *path)
{
	if (!path)
		return NULL;
	for (size_t i = 0; i < QUEUE_CNT; i++)
		while (path->queues[i].cnt > 0)
			queue_drop_first(&path->queues[i]);
	loop_fd_free(path->tun_watch);
	loop_fd_free(path->udp_watch);
	if (path->udp_fd >= 0)
		close(path->udp_fd);
	free(path);
	return NULL;
}

int paths_add(struct paths *p, enum detect_agent agent, struct tun *tun, struct in_addr home_addr,
	      const struct addr_prefix *networks, size_t network_cnt)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t sin_len = sizeof(sin);
	struct path *path = calloc(1, sizeof(*path));
	int err;

	if (!path)
		return -ENOMEM;
	path->set = p;
	path->agent = agent;
	path->tun = tun;
	path->home_addr = home_addr;
	path->networks = networks;
	path->network_cnt = network_cnt;
	path->udp_fd = err = open_socket(SOCK_DGRAM, 0);
	if (err >= 0 && (bind(path->udp_fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 ||
			 getsockname(path->udp_fd, (struct sockaddr *)&sin, &sin_len) < 0))
		err = -errno;
	if (err < 0) {
		log_error("cannot open a UDP socket", "event=socket-refused error=\"%s\"",
			  err_text(err));
		path_free(path);
		return err;
	}
	path->port = ntohs(sin.sin_port);
	if (agent != DETECT_VPN)
		path->tun_watch = loop_fd_new(p->loop, tun_fd(tun), LOOP_READ, on_tun, path);
	path->udp_watch = loop_fd_new(p->loop, path->udp_fd, LOOP_READ, on_udp, path);
	if ((agent != DETECT_VPN && !path->tun_watch) || !path->udp_watch) {
		path_free(path);
		return -ENOMEM;
	}
	p->path[agent] = path;
	return 0;
}

struct paths *paths_close(struct paths *p)
{
	if (!p)
		return NULL;
	for (size_t i = 0; i < DETECT_AGENT_CNT; i++)
		path_free(p->path[i]);
	loop_fd_free(p->raw_watch);
	if (p->raw_fd >= 0)
		close(p->raw_fd);
	free(p);
	return NULL;
}

void paths_move(struct paths *p, enum detect_agent agent, const struct path_place *place)
{
	p->path[agent]->place = *place;
}

void paths_agree(struct paths *p, enum detect_agent agent, const struct path_agreement *agreement)
{
	p->path[agent]->agreement = *agreement;
	p->path[agent]->last_heard_ms = now_ms(p); /* the registration's answer */
}

uint64_t paths_idle_since_ms(const struct paths *p, enum detect_agent agent)
{
	const struct path *path = p->path[agent];

	return path->last_sent_ms < path->last_heard_ms ? path->last_sent_ms : path->last_heard_ms;
}

const struct path_count *paths_count(const struct paths *p, enum detect_agent agent)
{
	static const struct path_count none;

	return p->path[agent] ? &p->path[agent]->count : &none;
}

uint64_t paths_stray_cnt(const struct paths *p)
{
	return p->stray_cnt;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 *	to a visitor    wire ─► raw socket of protocol 4 ─┐
 *	                wire ─► UDP socket, type 4 ───────┴► TUN ─► kernel, route ─► visited link
 *	from a visitor  visited link ─► kernel, rule ─► TUN ─► raw socket ─► wire
 *
 * The kernel forwards on both sides, and so decrements the TTL once (RFC 2003 §3.1). A visitor's
 * home address has a route to the visited link, and with reverse tunnelling a rule that leads what
 * it sends, and came in by that link, to the TUN device: direct delivery, RFC 3024 §4.3. One UDP
 * socket serves all visitors: its port is that of the last request, as RFC 3519 §4.4 wants it,
 * and inner addresses tell them apart.
 */
#include "test/fa/carry.h"

#include "common/err.h"
#include "common/log.h"
#include "ha-core/tunnel/encap.h"
#include "ha-core/tunnel/ipv4.h"
#include "ha-core/wire/reg.h"
#include "test/instrument/device.h"
#include "test/instrument/echo.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <linux/rtnetlink.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH     64 /* packets a wake-up, so that no socket starves another */
#define LINK_MTU  1500
#define QUEUE_LEN 500

struct carry {
	struct carry_conf conf;
	struct carry_hooks hooks;
	int udp_fd, raw_fd, tun_fd;
	struct loop_fd *udp_watch, *raw_watch, *tun_watch;
	uint16_t port;
	uint16_t ident; /* of outer headers */
	uint16_t sequence;
	uint64_t stray_cnt;
	uint8_t buffer[ENCAP_HEADROOM + ENCAP_PACKET_MAX];
};

/* ---- To the home agent ---- */

int carry_send(struct carry *c, struct in_addr to, const void *message, size_t len)
{
	const struct sockaddr_in sin = { .sin_family = AF_INET,
					 .sin_addr = to,
					 .sin_port = htons(REG_PORT) };

	return sendto(c->udp_fd, message, len, 0, (const struct sockaddr *)&sin, sizeof(sin)) < 0
		       ? -errno
		       : 0;
}

/* Tunnels an inner packet, in place: ENCAP_HEADROOM octets before it are used up. */
static int send_tunnelled(struct carry *c, struct carry_visitor *v, uint8_t *inner, size_t len)
{
	const struct encap_path outer = {
		.local = c->conf.care_of,
		.peer = v->home_agent,
		.local_port = c->port,
		.peer_port = REG_PORT,
		.mode = ENCAP_IPIP,
		.udp = v->udp,
	};
	const struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = v->home_agent };
	uint8_t *packet;
	int ret;

	ret = encap_packet(&outer, inner, len, ++c->ident, &packet);
	if (ret < 0)
		return ret;
	v->last_sent_ms = loop_now(c->conf.loop)->mono_ms;
	return sendto(c->raw_fd, packet, (size_t)ret, 0, (const struct sockaddr *)&sin,
		      sizeof(sin)) < 0
		       ? -errno
		       : 0;
}

int carry_keepalive(struct carry *c, struct carry_visitor *v)
{
	uint8_t *packet = c->buffer + ENCAP_HEADROOM;

	echo_build(packet, c->conf.care_of, v->home_agent, ++c->sequence);
	return send_tunnelled(c, v, packet, ECHO_PACKET_LEN);
}

static void on_tun(void *ctx, int events)
{
	struct carry *c = ctx;
	uint8_t *packet = c->buffer + ENCAP_HEADROOM;
	struct carry_visitor *v;
	ssize_t len;

	(void)events;
	for (int i = 0; i < BATCH; i++) {
		len = read(c->tun_fd, packet, ENCAP_PACKET_MAX);
		if (len <= 0)
			return;
		if (encap_check_ipv4(packet, (size_t)len) < 0)
			continue; /* IPv6 that the kernel tries on any device */
		v = c->hooks.find(c->hooks.ctx, ipv4_src(packet));
		if (v && v->reverse && send_tunnelled(c, v, packet, (size_t)len) == 0)
			v->from_cnt++;
	}
}

/* ---- From the home agent ---- */

static void inbound(struct carry *c, struct in_addr from, bool udp, const struct encap_inner *inner)
{
	struct carry_visitor *v = c->hooks.find(c->hooks.ctx, ipv4_dst(inner->packet));

	if (udp && addr_eq(ipv4_dst(inner->packet), c->conf.care_of) &&
	    echo_is_reply(inner->packet, inner->len, from)) {
		c->hooks.echo(c->hooks.ctx, from);
		return;
	}
	if (!v || v->udp != udp || !addr_eq(v->home_agent, from) ||
	    write(c->tun_fd, inner->packet, inner->len) < 0) {
		c->stray_cnt++;
		return;
	}
	v->to_cnt++;
}

static void on_raw(void *ctx, int events)
{
	struct carry *c = ctx;
	uint8_t *packet = c->buffer + ENCAP_HEADROOM;
	struct encap_inner inner;
	struct in_addr from;
	ssize_t len;

	(void)events;
	for (int i = 0; i < BATCH; i++) {
		len = recv(c->raw_fd, packet, ENCAP_PACKET_MAX, 0);
		if (len < 0)
			return;
		if (len < IPV4_HEADER_MIN)
			continue;
		from = ipv4_src(packet);
		if (encap_decapsulate(packet, (size_t)len, &inner) < 0)
			c->stray_cnt++;
		else
			inbound(c, from, false, &inner);
	}
}

static void tunnel_data(struct carry *c, const struct sockaddr_in *from, uint8_t tos, size_t len)
{
	struct encap_inner inner;
	uint8_t mode;

	if (from->sin_port != htons(REG_PORT) ||
	    encap_decapsulate_udp(c->buffer + ENCAP_HEADROOM, len, tos, from->sin_addr,
				  c->conf.care_of, &mode, &inner) < 0 ||
	    mode != ENCAP_IPIP)
		c->stray_cnt++;
	else
		inbound(c, from->sin_addr, true, &inner);
}

/* @param flags  MSG_ERRQUEUE: the next error, with the datagram that it is about */
static ssize_t receive(struct carry *c, int flags, int type, struct sockaddr_in *out_from,
		       void *out_info, size_t info_len)
{
	struct iovec iov = { .iov_base = c->buffer + ENCAP_HEADROOM, .iov_len = ENCAP_PACKET_MAX };
	union {
		struct cmsghdr align;
		char space[256];
	} control;
	struct msghdr msg = {
		.msg_name = out_from,
		.msg_namelen = sizeof(*out_from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t len;

	memset(out_info, 0, info_len);
	len = recvmsg(c->udp_fd, &msg, flags | MSG_DONTWAIT);
	if (len < 0)
		return -1;
	for (struct cmsghdr *m = CMSG_FIRSTHDR(&msg); m; m = CMSG_NXTHDR(&msg, m))
		if (m->cmsg_level == IPPROTO_IP && m->cmsg_type == type &&
		    m->cmsg_len >= CMSG_LEN(info_len))
			memcpy(out_info, CMSG_DATA(m), info_len);
	return len;
}

static void read_errors(struct carry *c)
{
	struct sock_extended_err error;
	struct sockaddr_in to;
	ssize_t len;

	while ((len = receive(c, MSG_ERRQUEUE, IP_RECVERR, &to, &error, sizeof(error))) >= 0)
		if (error.ee_origin == SO_EE_ORIGIN_ICMP && error.ee_type == ICMP_DEST_UNREACH)
			c->hooks.unreachable(c->hooks.ctx, error.ee_code,
					     c->buffer + ENCAP_HEADROOM, (size_t)len);
}

static void on_udp(void *ctx, int events)
{
	struct carry *c = ctx;
	const uint8_t *data = c->buffer + ENCAP_HEADROOM;
	struct sockaddr_in from;
	uint8_t tos;
	ssize_t len;

	(void)events;
	read_errors(c);
	for (int i = 0; i < BATCH; i++) {
		len = receive(c, 0, IP_TOS, &from, &tos, sizeof(tos));
		if (len < 0)
			return;
		if (len > 0 && data[0] == REG_MSG_TUNNEL_DATA)
			tunnel_data(c, &from, tos, (size_t)len);
		else
			c->hooks.message(c->hooks.ctx, from.sin_addr, data, (size_t)len);
	}
}

/* ---- Visitors in the kernel's tables ---- */

static struct rtnl_route way_to(const struct carry *c, const struct carry_visitor *v)
{
	return (struct rtnl_route){ .dst = { .addr = v->home_addr, .len = 32 },
				    .index = c->conf.visited.index };
}

static struct rtnl_rule rule_of(const struct carry *c, const struct carry_visitor *v)
{
	struct rtnl_rule rule = { .priority = c->conf.table,
				  .src = { .addr = v->home_addr, .len = 32 },
				  .table = c->conf.table };

	memcpy(rule.iif, c->conf.visited.name, sizeof(rule.iif));
	return rule;
}

int carry_admit(struct carry *c, const struct carry_visitor *v)
{
	const struct rtnl_route route = way_to(c, v);
	const struct rtnl_rule rule = rule_of(c, v);
	int err = rtnl_route_replace(c->conf.rtnl, &route);

	if (err < 0)
		return err;
	if (v->reverse)
		err = rtnl_rule_add(c->conf.rtnl, &rule);
	else
		(void)rtnl_rule_del(c->conf.rtnl, &rule);
	return err == -EEXIST ? 0 : err;
}

void carry_dismiss(struct carry *c, const struct carry_visitor *v)
{
	const struct rtnl_route route = way_to(c, v);
	const struct rtnl_rule rule = rule_of(c, v);

	(void)rtnl_route_del(c->conf.rtnl, &route);
	(void)rtnl_rule_del(c->conf.rtnl, &rule);
}

/* ---- Opening and closing ---- */

static int open_udp(struct carry *c)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = c->conf.care_of };
	socklen_t len = sizeof(sin);
	int on = 1;

	c->udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->udp_fd < 0 || setsockopt(c->udp_fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on)) < 0 ||
	    setsockopt(c->udp_fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)) < 0 ||
	    bind(c->udp_fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 ||
	    getsockname(c->udp_fd, (struct sockaddr *)&sin, &len) < 0)
		return -errno;
	c->port = ntohs(sin.sin_port);
	c->udp_watch = loop_fd_new(c->conf.loop, c->udp_fd, LOOP_READ, on_udp, c);
	return c->udp_watch ? 0 : -ENOMEM;
}

static int open_raw(struct carry *c)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = c->conf.care_of };
	int on = 1;

	c->raw_fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_IPIP);
	if (c->raw_fd < 0 || setsockopt(c->raw_fd, IPPROTO_IP, IP_HDRINCL, &on, sizeof(on)) < 0 ||
	    bind(c->raw_fd, (struct sockaddr *)&sin, sizeof(sin)) < 0)
		return -errno;
	c->raw_watch = loop_fd_new(c->conf.loop, c->raw_fd, LOOP_READ, on_raw, c);
	return c->raw_watch ? 0 : -ENOMEM;
}

static int open_tun(struct carry *c)
{
	struct rtnl_link link;
	int err;

	c->tun_fd = err = device_open(c->conf.device);
	if (err < 0)
		return err;
	err = rtnl_link_get(c->conf.rtnl, c->conf.device, &link);
	if (err == 0)
		err = rtnl_link_up(c->conf.rtnl, link.index, LINK_MTU - CARRY_OVERHEAD, QUEUE_LEN);
	if (err < 0)
		return err;
	/* It goes when the device does. */
	err = rtnl_route_replace(c->conf.rtnl, &(struct rtnl_route){ .index = link.index,
								     .table = c->conf.table });
	if (err < 0)
		return err;
	c->tun_watch = loop_fd_new(c->conf.loop, c->tun_fd, LOOP_READ, on_tun, c);
	return c->tun_watch ? 0 : -ENOMEM;
}

int carry_open(const struct carry_conf *conf, const struct carry_hooks *hooks,
	       struct carry **ret_carry)
{
	struct carry *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->conf = *conf;
	c->hooks = *hooks;
	c->udp_fd = c->raw_fd = c->tun_fd = -1;
	err = open_udp(c);
	if (err == 0)
		err = open_raw(c);
	if (err == 0)
		err = open_tun(c);
	if (err < 0) {
		log_error("cannot open the way to home agents",
			  "event=socket-refused care-of=%s device=%s error=\"%s\" detail=\"%s\"",
			  addr_text(conf->care_of).s, conf->device, err_text(err),
			  rtnl_error(conf->rtnl));
		carry_close(c);
		return err;
	}
	*ret_carry = c;
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

struct carry *carry_close(struct carry *c)
{
	if (!c)
		return NULL;
	loop_fd_free(c->udp_watch);
	loop_fd_free(c->raw_watch);
	loop_fd_free(c->tun_watch);
	close_fd(c->udp_fd);
	close_fd(c->raw_fd);
	close_fd(c->tun_fd);
	free(c);
	return NULL;
}

uint16_t carry_port(const struct carry *c)
{
	return c->port;
}

uint64_t carry_stray_cnt(const struct carry *c)
{
	return c->stray_cnt;
}

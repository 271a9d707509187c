/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A packet socket on the visited link sees the requests of nodes that have no address yet or ask
 * by multicast or broadcast, together with the hardware address to answer to. The kernel sees
 * them too: a UDP socket that takes nothing keeps it from answering "port unreachable".
 */
#include "test/fa/visited.h"

#include "common/err.h"
#include "common/log.h"
#include "ha-core/tunnel/encap.h"
#include "ha-core/tunnel/ipv4.h"
#include "ha-core/wire/reg.h"
#include "test/fa/advert.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH                64
#define PACKET_MAX           2048
#define UDP_HEADER_LEN       8
#define IPV4_VERSION_5_WORDS 0x45

struct visited {
	struct loop *loop;
	struct visited_hooks hooks;
	unsigned int ifindex;
	int fd, sink_fd;
	struct loop_fd *watch;
	uint16_t ident;
	uint8_t buffer[PACKET_MAX];
};

static uint16_t udp_checksum(const uint8_t *udp, size_t len, struct in_addr src, struct in_addr dst)
{
	uint8_t pseudo[12] = { 0 };

	ipv4_put_addr(pseudo, src);
	ipv4_put_addr(pseudo + 4, dst);
	pseudo[9] = IPPROTO_UDP;
	ipv4_put16(pseudo + 10, (uint16_t)len);
	return ipv4_checksum(ipv4_sum(udp, len, ipv4_sum(pseudo, sizeof(pseudo), 0)));
}

/*
 * @param checked  false: the sender's checksum has been left to hardware that is not there
 */
static void udp_packet(struct visited *v, struct visited_from *from, const uint8_t *packet,
		       size_t len, bool checked)
{
	const uint8_t *udp = packet + ipv4_header_len(packet);
	size_t udp_len;

	len -= ipv4_header_len(packet);
	if (len < UDP_HEADER_LEN || ipv4_get16(udp + 2) != REG_PORT)
		return;
	udp_len = ipv4_get16(udp + 4);
	if (udp_len < UDP_HEADER_LEN || udp_len > len)
		return;
	/* §3.1: zero is to be accepted, a wrong one to be discarded. */
	if (checked && ipv4_get16(udp + 6) != 0 &&
	    udp_checksum(udp, udp_len, from->src, from->dst) != 0)
		return;
	from->src_port = ipv4_get16(udp);
	v->hooks.message(v->hooks.ctx, from, udp + UDP_HEADER_LEN, udp_len - UDP_HEADER_LEN);
}

static void packet_in(struct visited *v, const struct sockaddr_ll *ll, size_t len, bool checked)
{
	struct visited_from from;
	int total = encap_check_ipv4(v->buffer, len);

	if (total < 0 || ipv4_is_fragment(v->buffer) || ll->sll_halen != VISITED_HW_LEN)
		return;
	from = (struct visited_from){
		.src = ipv4_src(v->buffer),
		.dst = ipv4_dst(v->buffer),
		.ttl = v->buffer[IPV4_TTL],
	};
	memcpy(from.hw, ll->sll_addr, VISITED_HW_LEN);
	if (v->buffer[IPV4_PROTOCOL] == IPPROTO_UDP)
		udp_packet(v, &from, v->buffer, (size_t)total, checked);
	else if (advert_is_solicitation(v->buffer, (size_t)total))
		v->hooks.solicited(v->hooks.ctx, &from);
}

static void on_packet(void *ctx, int events)
{
	struct visited *v = ctx;
	struct sockaddr_ll ll;
	struct iovec iov = { .iov_base = v->buffer, .iov_len = sizeof(v->buffer) };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct tpacket_auxdata aux;
	ssize_t len;

	(void)events;
	for (int i = 0; i < BATCH; i++) {
		struct msghdr msg = {
			.msg_name = &ll,
			.msg_namelen = sizeof(ll),
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};
		struct cmsghdr *c;

		len = recvmsg(v->fd, &msg, 0);
		if (len < 0)
			return;
		c = CMSG_FIRSTHDR(&msg);
		if (!c || c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA ||
		    ll.sll_pkttype == PACKET_OUTGOING || ll.sll_pkttype == PACKET_OTHERHOST)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		packet_in(v, &ll, (size_t)len, !(aux.tp_status & TP_STATUS_CSUMNOTREADY));
	}
}

static int open_packet_socket(struct visited *v)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_IP),
				  .sll_ifindex = (int)v->ifindex };
	struct packet_mreq all = { .mr_ifindex = (int)v->ifindex, .mr_type = PACKET_MR_ALLMULTI };
	int on = 1;

	v->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (v->fd < 0 || setsockopt(v->fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) < 0 ||
	    setsockopt(v->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) < 0 ||
	    bind(v->fd, (struct sockaddr *)&ll, sizeof(ll)) < 0)
		return -errno;
	return 0;
}

static int open_sink(struct visited *v)
{
	struct sock_filter nothing = { .code = BPF_RET | BPF_K, .k = 0 };
	struct sock_fprog program = { .len = 1, .filter = &nothing };
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(REG_PORT) };

	v->sink_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (v->sink_fd < 0 ||
	    setsockopt(v->sink_fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
	    bind(v->sink_fd, (struct sockaddr *)&sin, sizeof(sin)) < 0)
		return -errno;
	return 0;
}

int visited_open(struct loop *loop, const struct rtnl_link *link, const struct visited_hooks *hooks,
		 struct visited **ret_visited)
{
	struct visited *v = calloc(1, sizeof(*v));
	int err;

	if (!v)
		return -ENOMEM;
	*v = (struct visited){
		.loop = loop, .hooks = *hooks, .ifindex = link->index, .fd = -1, .sink_fd = -1
	};
	err = open_packet_socket(v);
	if (err == 0)
		err = open_sink(v);
	if (err == 0) {
		v->watch = loop_fd_new(loop, v->fd, LOOP_READ, on_packet, v);
		err = v->watch ? 0 : -ENOMEM;
	}
	if (err < 0) {
		log_error("cannot listen on the visited link",
			  "event=socket-refused interface=%s error=\"%s\"", link->name,
			  err_text(err));
		visited_close(v);
		return err;
	}
	*ret_visited = v;
	return 0;
}

struct visited *visited_close(struct visited *v)
{
	if (!v)
		return NULL;
	loop_fd_free(v->watch);
	if (v->fd >= 0)
		close(v->fd);
	if (v->sink_fd >= 0)
		close(v->sink_fd);
	free(v);
	return NULL;
}

int visited_send(struct visited *v, const uint8_t *hw, const void *packet, size_t len)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_IP),
				  .sll_ifindex = (int)v->ifindex,
				  .sll_halen = VISITED_HW_LEN };

	if (hw)
		memcpy(ll.sll_addr, hw, VISITED_HW_LEN);
	else
		memset(ll.sll_addr, 0xff, VISITED_HW_LEN);
	return sendto(v->fd, packet, len, 0, (struct sockaddr *)&ll, sizeof(ll)) < 0 ? -errno : 0;
}

int visited_send_udp(struct visited *v, const uint8_t *hw, struct in_addr src, struct in_addr dst,
		     uint16_t dst_port, const void *data, size_t len)
{
	uint8_t packet[PACKET_MAX] = { IPV4_VERSION_5_WORDS };
	uint8_t *udp = packet + IPV4_HEADER_MIN;
	size_t udp_len = UDP_HEADER_LEN + len;
	uint16_t sum;

	if (udp_len > sizeof(packet) - IPV4_HEADER_MIN)
		return ERR_TOO_BIG;
	ipv4_put16(packet + IPV4_LENGTH, (uint16_t)(IPV4_HEADER_MIN + udp_len));
	ipv4_put16(packet + IPV4_IDENT, ++v->ident);
	packet[IPV4_TTL] = IPV4_TTL_DEFAULT;
	packet[IPV4_PROTOCOL] = IPPROTO_UDP;
	ipv4_put_addr(packet + IPV4_SRC, src);
	ipv4_put_addr(packet + IPV4_DST, dst);
	ipv4_finish_header(packet);
	ipv4_put16(udp, REG_PORT);
	ipv4_put16(udp + 2, dst_port);
	ipv4_put16(udp + 4, (uint16_t)udp_len);
	memcpy(udp + UDP_HEADER_LEN, data, len);
	sum = udp_checksum(udp, udp_len, src, dst);
	if (sum == 0) /* on the wire 0 says "none" */
		sum = 0xffff;
	memcpy(udp + 6, &sum, sizeof(sum));
	return visited_send(v, hw, packet, IPV4_HEADER_MIN + udp_len);
}

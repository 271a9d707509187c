/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registration sockets. One wake-up reads at most one batch from each socket, so that timers,
 * control clients and the data path get their turn under a flood; libev comes back at once if
 * there is more.
 *
 * Overload: a socket that has filled SATURATED_AFTER batches in a row has more waiting than was
 * handled meanwhile. Then, and only then, each datagram's source is asked for (conf.heard): who
 * floods is dropped at the cost of reading him, so that the queue, which all share, is drained
 * faster than he fills it. One batch that is not full ends it.
 *
 * The kernel has verified UDP checksums before we see anything (RFC 5944 §3.8.2.1).
 */
#include "ha-core/io/reg_socket.h"

#include "common/err.h"
#include "common/log.h"
#include "ha-core/tunnel/encap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKETS_MAX        64 /* ours, 255.255.255.255 and home networks' broadcast addresses */
#define RECEIVE_BUFFER     (16 << 20) /* the kernel doubles it: a burst of 40,000 requests */
#define SATURATED_AFTER    16         /* full batches: 1,024 requests have been waiting */
#define INTERFACE_MEMORY   16
#define INTERFACE_FRESH_MS 1000 /* a name may change; it is asked for anew after this */
#define REPLY_MAX          1500

struct interface_name {
	int index;
	uint64_t asked_ms;
	char name[IF_NAMESIZE];
};

/* One of ours, and what its callback needs. */
struct endpoint {
	struct reg_socket *owner;
	struct loop_fd *watch; /* NULL: this place is free */
	int fd;
	struct in_addr address;
	unsigned int full_batches; /* in a row */
};

struct slot {
	uint8_t headroom[ENCAP_HEADROOM];
	uint8_t data[REG_SOCKET_MSG_MAX];
};

/* A batch of answers that waits. */
struct kept {
	struct kept *next;
	unsigned int cnt;
	struct kept_reply {
		struct sockaddr_in to;
		uint16_t len;
		uint8_t data[REPLY_MAX];
	} replies[];
};

struct reg_socket {
	struct reg_socket_conf conf;
	struct endpoint endpoints[SOCKETS_MAX]; /* the first is the unicast one */
	struct interface_name names[INTERFACE_MEMORY];

	struct slot *slots; /* REG_SOCKET_BATCH of them */
	struct mmsghdr in[REG_SOCKET_BATCH];
	struct iovec in_iov[REG_SOCKET_BATCH];
	struct sockaddr_in in_addr[REG_SOCKET_BATCH];
	uint8_t in_control[REG_SOCKET_BATCH]
			  [CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(int))];

	struct mmsghdr out[REG_SOCKET_BATCH];
	struct iovec out_iov[REG_SOCKET_BATCH];
	struct sockaddr_in out_addr[REG_SOCKET_BATCH];
	uint8_t out_data[REG_SOCKET_BATCH][REPLY_MAX];
	unsigned int out_cnt;
	struct kept *first_kept, *last_kept;
};

/* Without memory for it the batch is empty: nodes ask again. */
static void keep_replies(struct reg_socket *s)
{
	struct kept *k = calloc(1, sizeof(*k) + s->out_cnt * sizeof(k->replies[0]));
	unsigned int i;

	if (!k)
		k = calloc(1, sizeof(*k));
	else
		k->cnt = s->out_cnt;
	s->out_cnt = 0;
	if (!k)
		return;
	for (i = 0; i < k->cnt; i++) {
		k->replies[i].to = s->out_addr[i];
		k->replies[i].len = (uint16_t)s->out_iov[i].iov_len;
		memcpy(k->replies[i].data, s->out_data[i], k->replies[i].len);
	}
	*(s->last_kept ? &s->last_kept->next : &s->first_kept) = k;
	s->last_kept = k;
}

void reg_socket_release(struct reg_socket *s, size_t cnt, bool send)
{
	const struct kept_reply *reply;
	struct kept *k;
	unsigned int i;

	for (; cnt > 0 && (k = s->first_kept); cnt--) {
		for (i = 0; i < k->cnt; i++) {
			reply = &k->replies[i];
			if (!send && s->conf.withheld)
				s->conf.withheld(s->conf.ctx, reply->data);
			if (send &&
			    sendto(s->endpoints[0].fd, reply->data, reply->len, MSG_DONTWAIT,
				   (const struct sockaddr *)&reply->to, sizeof(reply->to)) < 0)
				s->conf.send_failed(s->conf.ctx, reply->to.sin_addr, reply->data,
						    -errno);
		}
		s->first_kept = k->next;
		if (!s->first_kept)
			s->last_kept = NULL;
		free(k);
	}
}

static void flush_replies(struct reg_socket *s)
{
	unsigned int done = 0;
	int n = s->conf.commit ? s->conf.commit(s->conf.ctx) : 0;

	if (n > 0) {
		keep_replies(s);
		return;
	}
	if (n < 0) {
		/* Who hears nothing asks again; who hears yes must not find it forgotten. */
		s->out_cnt = 0;
		return;
	}
	while (done < s->out_cnt) {
		n = sendmmsg(s->endpoints[0].fd, s->out + done, s->out_cnt - done, MSG_DONTWAIT);
		if (n > 0) {
			done += (unsigned int)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		/* This one cannot go: unreachable, prohibited, no room. The next may. */
		s->conf.send_failed(s->conf.ctx, s->out_addr[done].sin_addr, s->out_data[done],
				    -errno);
		done++;
	}
	s->out_cnt = 0;
}

void reg_socket_reply(struct reg_socket *s, const struct reg_origin *to, const uint8_t *reply,
		      size_t len)
{
	unsigned int i;

	if (len > REPLY_MAX)
		return;
	if (s->out_cnt == REG_SOCKET_BATCH)
		flush_replies(s);
	i = s->out_cnt++;
	memcpy(s->out_data[i], reply, len);
	s->out_iov[i] = (struct iovec){ s->out_data[i], len };
	s->out_addr[i] = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr = to->src,
		.sin_port = htons(to->src_port),
	};
	s->out[i].msg_hdr = (struct msghdr){
		.msg_name = &s->out_addr[i],
		.msg_namelen = sizeof(s->out_addr[i]),
		.msg_iov = &s->out_iov[i],
		.msg_iovlen = 1,
	};
}

void reg_socket_send(struct reg_socket *s, struct in_addr dst, uint16_t port, const uint8_t *msg,
		     size_t len)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_addr = dst,
		.sin_port = htons(port),
	};
	ssize_t n;

	do
		n = sendto(s->endpoints[0].fd, msg, len, MSG_DONTWAIT, (const struct sockaddr *)&to,
			   sizeof(to));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		s->conf.send_failed(s->conf.ctx, dst, msg, -errno);
}

/* As if_indextoname(), which opens a socket each time: we may have no descriptor left. */
static void name_of(const struct reg_socket *s, int index, char name[static IF_NAMESIZE])
{
	struct ifreq ifr = { .ifr_ifindex = index };

	if (ioctl(s->endpoints[0].fd, SIOCGIFNAME, &ifr) < 0)
		ifr.ifr_name[0] = '\0';
	memcpy(name, ifr.ifr_name, IF_NAMESIZE);
}

static const char *interface_name(struct reg_socket *s, int index)
{
	struct interface_name *n = &s->names[(unsigned int)index % INTERFACE_MEMORY];
	uint64_t now_ms = loop_now(s->conf.loop)->mono_ms;

	if (n->index != index || now_ms - n->asked_ms > INTERFACE_FRESH_MS) {
		n->index = index;
		n->asked_ms = now_ms;
		name_of(s, index, n->name);
	}
	return n->name;
}

static void read_control(struct reg_socket *s, struct msghdr *msg, struct reg_datagram *dgram)
{
	struct in_pktinfo info;
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != IPPROTO_IP)
			continue;
		if (c->cmsg_type == IP_PKTINFO) {
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			dgram->from.dst = info.ipi_addr;
			memcpy(dgram->from.interface, interface_name(s, info.ipi_ifindex),
			       sizeof(dgram->from.interface));
			dgram->from.is_unnamed = dgram->from.interface[0] == '\0';
		} else if (c->cmsg_type == IP_TOS) {
			dgram->tos = *CMSG_DATA(c);
		}
	}
}

/* One datagram alone has nobody to share its waiting with. */
static void fetch_batch(struct reg_socket *s, int n)
{
	unsigned int step;
	int i;

	if (!s->conf.fetch || n < 2)
		return;
	for (step = 0; step < s->conf.fetch_steps; step++)
		for (i = 0; i < n; i++)
			s->conf.fetch(s->conf.ctx, s->slots[i].data, s->in[i].msg_len, step);
}

static void receive(void *ctx, int events)
{
	struct endpoint *ep = ctx;
	struct reg_socket *s = ep->owner;
	struct reg_datagram dgram;
	bool saturated;
	int i, n;

	(void)events;
	for (i = 0; i < REG_SOCKET_BATCH; i++) {
		s->in_iov[i] = (struct iovec){ s->slots[i].data, sizeof(s->slots[i].data) };
		s->in[i].msg_hdr = (struct msghdr){
			.msg_name = &s->in_addr[i],
			.msg_namelen = sizeof(s->in_addr[i]),
			.msg_iov = &s->in_iov[i],
			.msg_iovlen = 1,
			.msg_control = s->in_control[i],
			.msg_controllen = sizeof(s->in_control[i]),
		};
	}
	/* An error here is one of an earlier send (ECONNREFUSED and its like); none is ours. */
	n = recvmmsg(ep->fd, s->in, REG_SOCKET_BATCH, MSG_DONTWAIT, NULL);
	ep->full_batches = n == REG_SOCKET_BATCH ? ep->full_batches + 1 : 0;
	saturated = s->conf.heard && ep->full_batches > SATURATED_AFTER;
	fetch_batch(s, n);
	for (i = 0; i < n; i++) {
		if (saturated && !s->conf.heard(s->conf.ctx, s->slots[i].data, s->in[i].msg_len,
						s->in_addr[i].sin_addr))
			continue;
		dgram = (struct reg_datagram){
			.data = s->slots[i].data,
			.len = s->in[i].msg_len,
			.from = { .src = s->in_addr[i].sin_addr,
				  .src_port = ntohs(s->in_addr[i].sin_port),
				  .dst = s->conf.address,
				  .dst_port = s->conf.port,
				  .is_unnamed = true },
		};
		read_control(s, &s->in[i].msg_hdr, &dgram);
		s->conf.handle(s->conf.ctx, &dgram);
	}
	if (n > 0)
		flush_replies(s);
}

static int add_endpoint(struct reg_socket *s, struct in_addr address, bool shared)
{
	const struct sockaddr_in sa = {
		.sin_family = AF_INET,
		.sin_addr = address,
		.sin_port = htons(s->conf.port),
	};
	const int on = 1, size = RECEIVE_BUFFER, pmtu = IP_PMTUDISC_DONT;
	struct endpoint *ep = s->endpoints;
	int rc;

	while (ep < s->endpoints + SOCKETS_MAX && ep->watch)
		ep++;
	if (ep == s->endpoints + SOCKETS_MAX)
		return ERR_TOO_MANY;
	*ep = (struct endpoint){ .owner = s, .address = address };
	ep->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (ep->fd < 0)
		return -errno;
	/*
	 * A broadcast reaches every home agent of this host, and is none where no link has it; a
	 * unicast address has one owner, and may come later.
	 */
	if ((s->conf.address_floats && !shared &&
	     setsockopt(ep->fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) < 0) ||
	    (shared && setsockopt(ep->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0) ||
	    setsockopt(ep->fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0 ||
	    setsockopt(ep->fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on)) < 0 ||
	    setsockopt(ep->fd, IPPROTO_IP, IP_MTU_DISCOVER, &pmtu, sizeof(pmtu)) < 0 ||
	    bind(ep->fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0) {
		rc = -errno;
		close(ep->fd);
		return rc;
	}
	/* Larger than net.core.rmem_max where we may; a smaller buffer is no reason to stop. */
	if (setsockopt(ep->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(ep->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	ep->watch = loop_fd_new(s->conf.loop, ep->fd, LOOP_READ, receive, ep);
	if (!ep->watch) {
		close(ep->fd);
		return -ENOMEM;
	}
	return 0;
}

static void close_endpoint(struct endpoint *ep)
{
	if (!ep->watch)
		return;
	ep->watch = loop_fd_free(ep->watch);
	(void)close(ep->fd);
}

static bool is_listed(struct in_addr address, const struct in_addr *list, size_t cnt)
{
	size_t i;

	for (i = 0; i < cnt; i++)
		if (addr_eq(address, list[i]))
			return true;
	return false;
}

static bool is_open(const struct reg_socket *s, struct in_addr address)
{
	const struct endpoint *ep;

	for (ep = s->endpoints; ep < s->endpoints + SOCKETS_MAX; ep++)
		if (ep->watch && addr_eq(ep->address, address))
			return true;
	return false;
}

/* A virtual home network has no broadcast address: there bind() rightly refuses. */
static void listen_to_broadcast(struct reg_socket *s, struct in_addr address)
{
	int rc = is_open(s, address) ? 0 : add_endpoint(s, address, true);

	if (rc < 0 && rc != -EADDRNOTAVAIL)
		log_warning("nodes that look for a home agent by broadcast are not heard",
			    "event=broadcast-refused address=%s error=\"%s\"", addr_text(address).s,
			    err_text(rc));
}

void reg_socket_set_broadcasts(struct reg_socket *s, const struct in_addr *broadcasts, size_t cnt)
{
	const struct in_addr all_ones = { .s_addr = INADDR_BROADCAST };
	struct endpoint *ep;
	size_t i;

	for (ep = s->endpoints + 1; ep < s->endpoints + SOCKETS_MAX; ep++)
		if (!addr_eq(ep->address, all_ones) && !is_listed(ep->address, broadcasts, cnt))
			close_endpoint(ep);
	listen_to_broadcast(s, all_ones);
	for (i = 0; i < cnt; i++)
		listen_to_broadcast(s, broadcasts[i]);
}

int reg_socket_open(const struct reg_socket_conf *conf, struct reg_socket **ret_socket)
{
	struct reg_socket *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	s->conf = *conf;
	s->conf.broadcasts = NULL; /* the caller's may go */
	s->slots = calloc(REG_SOCKET_BATCH, sizeof(*s->slots));
	rc = s->slots ? add_endpoint(s, conf->address, false) : -ENOMEM;
	if (rc < 0) {
		reg_socket_close(s);
		return rc;
	}
	reg_socket_set_broadcasts(s, conf->broadcasts, conf->broadcast_cnt);
	*ret_socket = s;
	return 0;
}

struct reg_socket *reg_socket_close(struct reg_socket *s)
{
	size_t i;

	if (!s)
		return NULL;
	for (i = 0; i < SOCKETS_MAX; i++)
		close_endpoint(&s->endpoints[i]);
	reg_socket_release(s, SIZE_MAX, false);
	free(s->slots);
	free(s);
	return NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's networking tables over rtnetlink: the one file that sees libmnl. The tunnel tiers
 * lay down their routes with it, and whatever follows the host's links and addresses listens
 * through its monitor.
 *
 * A struct rtnl is one socket, used from one thread: a request goes out and its answer is read
 * before the call returns. The kernel answers within sendto() itself, so reading never waits.
 * A struct rtnl_monitor is a second kind of socket that only listens.
 */
#include "ha-core/tunnel/rtnl.h"

#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/lwtunnel.h>
#include <linux/neighbour.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_MAX 512         /* the largest is a rule with two interface names */
#define BUFFER_SIZE (32 * 1024) /* what the kernel fills at most in one part of a dump */
#define DUMP_TRIES  4
#define TOS_INHERIT 1 /* of a tunnel: the inner packet's */

/* Generic netlink's family "netdev", since Linux 6.3: linux/netdev.h is younger than Debian 12. */
#define NETDEV_FAMILY             "netdev"
#define NETDEV_GROUP              "mgmt"
#define NETDEV_VERSION            1
#define NETDEV_CMD_DEV_GET        1
#define NETDEV_A_DEV_IFINDEX      1
#define NETDEV_A_DEV_XDP_FEATURES 3

struct rtnl {
	struct mnl_socket *nl;
	unsigned int seq;
	char error[160];
	uint8_t buf[BUFFER_SIZE];
};

struct rtnl_monitor {
	struct mnl_socket *nl;
	int bus;
	rtnl_change_fn *fn;
	void *ctx;
	uint8_t buf[BUFFER_SIZE];
};

/* A request being built. The header is the first thing in the buffer. */
struct request {
	_Alignas(struct nlmsghdr) uint8_t buf[REQUEST_MAX];
	struct nlmsghdr *nlh;
};

static void *request_init(struct request *q, uint16_t type, uint16_t flags, size_t header_len)
{
	memset(q->buf, 0, sizeof(q->buf));
	q->nlh = mnl_nlmsg_put_header(q->buf);
	q->nlh->nlmsg_type = type;
	q->nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	return mnl_nlmsg_put_extra_header(q->nlh, header_len);
}

static void put_addr(struct request *q, uint16_t type, struct in_addr addr)
{
	mnl_attr_put_u32(q->nlh, type, addr.s_addr);
}

/* Zero is "not given" for each of these attributes. */
static void put_u32_if(struct request *q, uint16_t type, uint32_t value)
{
	if (value != 0)
		mnl_attr_put_u32(q->nlh, type, value);
}

/* Attributes of a message by type; NULL where there is none. */
struct attrs {
	const struct nlattr **at;
	uint16_t max;
};

static int attrs_note(const struct nlattr *attr, void *data)
{
	const struct attrs *attrs = data;
	uint16_t type = mnl_attr_get_type(attr);

	if (type <= attrs->max)
		attrs->at[type] = attr;
	return MNL_CB_OK;
}

static uint32_t attr_u32(const struct nlattr *attr)
{
	if (!attr || mnl_attr_get_payload_len(attr) < sizeof(uint32_t))
		return 0;
	return mnl_attr_get_u32(attr);
}

static struct in_addr attr_addr(const struct nlattr *attr)
{
	return (struct in_addr){ .s_addr = attr_u32(attr) };
}

/* An acknowledgement or an error, with what NETLINK_EXT_ACK adds. */
static int on_error(const struct nlmsghdr *nlh, struct rtnl *r)
{
	const struct nlattr *at[NLMSGERR_ATTR_MSG + 1] = { 0 };
	struct attrs attrs = { .at = at, .max = NLMSGERR_ATTR_MSG };
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
	size_t offset = sizeof(*err);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*err)) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	if (err->error == 0)
		return MNL_CB_STOP;
	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS) {
		if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
			offset += mnl_nlmsg_get_payload_len(&err->msg);
		(void)mnl_attr_parse(nlh, (unsigned int)offset, attrs_note, &attrs);
		if (at[NLMSGERR_ATTR_MSG])
			strncpy(r->error, mnl_attr_get_str(at[NLMSGERR_ATTR_MSG]),
				sizeof(r->error) - 1);
	}
	errno = -err->error;
	return MNL_CB_ERROR;
}

/* A dump ends with this; its error, if any, is in the first four octets. */
static int on_done(const struct nlmsghdr *nlh, void *data)
{
	const int *err = mnl_nlmsg_get_payload(nlh);

	(void)data;
	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(*err) && *err < 0) {
		errno = -*err;
		return MNL_CB_ERROR;
	}
	return MNL_CB_STOP;
}

/* The control callbacks need the socket, the data callback its own context. */
struct conversation {
	struct rtnl *r;
	mnl_cb_t fn;
	void *ctx;
};

static int conversation_data(const struct nlmsghdr *nlh, void *data)
{
	struct conversation *c = data;

	return c->fn ? c->fn(nlh, c->ctx) : MNL_CB_OK;
}

static int conversation_error(const struct nlmsghdr *nlh, void *data)
{
	struct conversation *c = data;

	return on_error(nlh, c->r);
}

/* Sends a request and hands each message of the answer to fn, if there is one. */
static int converse(struct rtnl *r, struct request *q, mnl_cb_t fn, void *ctx)
{
	static mnl_cb_t control[NLMSG_MIN_TYPE] = {
		[NLMSG_ERROR] = conversation_error,
		[NLMSG_DONE] = on_done,
	};
	struct conversation c = { .r = r, .fn = fn, .ctx = ctx };
	unsigned int portid = mnl_socket_get_portid(r->nl);
	ssize_t len;
	int more;

	r->error[0] = '\0';
	q->nlh->nlmsg_seq = ++r->seq;
	if (mnl_socket_sendto(r->nl, q->nlh, q->nlh->nlmsg_len) < 0)
		return -errno;
	do {
		len = mnl_socket_recvfrom(r->nl, r->buf, sizeof(r->buf));
		if (len < 0)
			return -errno;
		/* An answer to an earlier request that failed half way: not ours any more. */
		if (((struct nlmsghdr *)r->buf)->nlmsg_seq != r->seq) {
			more = MNL_CB_OK;
			continue;
		}
		more = mnl_cb_run2(r->buf, (size_t)len, r->seq, portid, conversation_data, &c,
				   control, MNL_ARRAY_SIZE(control));
		if (more == MNL_CB_ERROR)
			return -errno;
	} while (more != MNL_CB_STOP);
	return 0;
}

/* One request, one acknowledgement. */
static int request_ack(struct rtnl *r, struct request *q)
{
	q->nlh->nlmsg_flags |= NLM_F_ACK;
	return converse(r, q, NULL, NULL);
}

/* A table that changed while it was read is read again: fn may then see an entry twice. */
static int request_dump(struct rtnl *r, struct request *q, mnl_cb_t fn, void *ctx)
{
	int tries, err = 0;

	for (tries = 0; tries < DUMP_TRIES; tries++) {
		err = converse(r, q, fn, ctx);
		if (err != -EINTR)
			break;
	}
	return err;
}

static int open_bus(int bus, struct rtnl **ret_r)
{
	struct rtnl *r = calloc(1, sizeof(*r));
	int one = 1, err;

	if (!r)
		return -ENOMEM;
	r->nl = mnl_socket_open2(bus, SOCK_CLOEXEC);
	if (!r->nl || mnl_socket_bind(r->nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		err = -errno;
		assert(err < 0);
		(void)rtnl_close(r);
		return err;
	}
	/* Each makes answers better; kernels that lack one (4.20 has all) do without. */
	(void)mnl_socket_setsockopt(r->nl, NETLINK_EXT_ACK, &one, sizeof(one));
	(void)mnl_socket_setsockopt(r->nl, NETLINK_CAP_ACK, &one, sizeof(one));
	(void)mnl_socket_setsockopt(r->nl, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	*ret_r = r;
	return 0;
}

int rtnl_open(struct rtnl **ret_r)
{
	return open_bus(NETLINK_ROUTE, ret_r);
}

struct rtnl *rtnl_close(struct rtnl *r)
{
	if (!r)
		return NULL;
	if (r->nl)
		(void)mnl_socket_close(r->nl);
	free(r);
	return NULL;
}

uint32_t rtnl_port(const struct rtnl *r)
{
	return mnl_socket_get_portid(r->nl);
}

const char *rtnl_error(const struct rtnl *r)
{
	return r->error;
}

/* Links */

static void link_parse_kind(const struct nlattr *info, struct rtnl_link *link)
{
	const struct nlattr *at[IFLA_INFO_KIND + 1] = { 0 };
	struct attrs attrs = { .at = at, .max = IFLA_INFO_KIND };

	if (info && mnl_attr_parse_nested(info, attrs_note, &attrs) == MNL_CB_OK &&
	    at[IFLA_INFO_KIND])
		strncpy(link->kind, mnl_attr_get_str(at[IFLA_INFO_KIND]), RTNL_KIND_SIZE - 1);
}

static bool link_parse(const struct nlmsghdr *nlh, struct rtnl_link *out_link)
{
	const struct nlattr *at[IFLA_LINKINFO + 1] = { 0 };
	struct attrs attrs = { .at = at, .max = IFLA_LINKINFO };
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

	*out_link = (struct rtnl_link){ 0 };
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi) ||
	    mnl_attr_parse(nlh, sizeof(*ifi), attrs_note, &attrs) != MNL_CB_OK)
		return false;
	out_link->index = (unsigned int)ifi->ifi_index;
	out_link->flags = ifi->ifi_flags;
	out_link->type = ifi->ifi_type;
	out_link->mtu = attr_u32(at[IFLA_MTU]);
	out_link->master = attr_u32(at[IFLA_MASTER]);
	if (at[IFLA_ADDRESS] && mnl_attr_get_payload_len(at[IFLA_ADDRESS]) == RTNL_MAC_LEN)
		memcpy(out_link->mac, mnl_attr_get_payload(at[IFLA_ADDRESS]), RTNL_MAC_LEN);
	link_parse_kind(at[IFLA_LINKINFO], out_link);
	if (at[IFLA_IFNAME])
		strncpy(out_link->name, mnl_attr_get_str(at[IFLA_IFNAME]), IF_NAMESIZE - 1);
	return true;
}

static int link_note(const struct nlmsghdr *nlh, void *ctx)
{
	struct rtnl_link *link = ctx;

	(void)link_parse(nlh, link);
	return MNL_CB_OK;
}

int rtnl_link_get(struct rtnl *r, const char *name, struct rtnl_link *ret_link)
{
	struct rtnl_link link = { 0 };
	struct request q;
	int err;

	request_init(&q, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(q.nlh, IFLA_IFNAME, name);
	q.nlh->nlmsg_flags |= NLM_F_ACK;
	err = converse(r, &q, link_note, &link);
	if (err < 0)
		return err;
	*ret_link = link;
	return 0;
}

int rtnl_link_up(struct rtnl *r, unsigned int index, uint32_t mtu, uint32_t queue_len)
{
	struct ifinfomsg *ifi;
	struct request q;

	ifi = request_init(&q, RTM_NEWLINK, 0, sizeof(*ifi));
	ifi->ifi_index = (int)index;
	ifi->ifi_flags = IFF_UP;
	ifi->ifi_change = IFF_UP;
	put_u32_if(&q, IFLA_MTU, mtu);
	put_u32_if(&q, IFLA_TXQLEN, queue_len);
	return request_ack(r, &q);
}

/* local: any for metadata mode */
static int tunnel_add(struct rtnl *r, const char *name, const char *kind, struct in_addr local)
{
	const bool gre = strcmp(kind, "gre") == 0;
	struct nlattr *info, *data;
	struct request q;

	(void)request_init(&q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(q.nlh, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(q.nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(q.nlh, IFLA_INFO_KIND, kind);
	data = mnl_attr_nest_start(q.nlh, IFLA_INFO_DATA);
	if (addr_is_any(local))
		mnl_attr_put(q.nlh, gre ? IFLA_GRE_COLLECT_METADATA : IFLA_IPTUN_COLLECT_METADATA,
			     0, NULL);
	else
		put_addr(&q, gre ? IFLA_GRE_LOCAL : IFLA_IPTUN_LOCAL, local);
	mnl_attr_nest_end(q.nlh, data);
	mnl_attr_nest_end(q.nlh, info);
	return request_ack(r, &q);
}

int rtnl_tunnel_add(struct rtnl *r, const char *name, const char *kind, struct in_addr local)
{
	return tunnel_add(r, name, kind, local);
}

int rtnl_tunnel_add_external(struct rtnl *r, const char *name, const char *kind)
{
	return tunnel_add(r, name, kind, (struct in_addr){ INADDR_ANY });
}

int rtnl_link_del(struct rtnl *r, const char *name)
{
	struct request q;

	(void)request_init(&q, RTM_DELLINK, 0, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(q.nlh, IFLA_IFNAME, name);
	return request_ack(r, &q);
}

struct link_dump {
	void (*fn)(void *ctx, const struct rtnl_link *link);
	void *ctx;
};

static int link_dump_one(const struct nlmsghdr *nlh, void *ctx)
{
	const struct link_dump *dump = ctx;
	struct rtnl_link link;

	if (link_parse(nlh, &link))
		dump->fn(dump->ctx, &link);
	return MNL_CB_OK;
}

int rtnl_link_dump(struct rtnl *r, void (*fn)(void *ctx, const struct rtnl_link *link), void *ctx)
{
	struct link_dump dump = { .fn = fn, .ctx = ctx };
	struct request q;

	request_init(&q, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
	return request_dump(r, &q, link_dump_one, &dump);
}

static int sent_note(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *at[IFLA_STATS64 + 1] = { 0 };
	struct attrs attrs = { .at = at, .max = IFLA_STATS64 };
	struct rtnl_link_stats64 stats;
	struct rtnl_sent *sent = ctx;

	if (mnl_attr_parse(nlh, sizeof(struct ifinfomsg), attrs_note, &attrs) != MNL_CB_OK ||
	    !at[IFLA_STATS64] || mnl_attr_get_payload_len(at[IFLA_STATS64]) < sizeof(stats))
		return MNL_CB_OK;
	memcpy(&stats, mnl_attr_get_payload(at[IFLA_STATS64]), sizeof(stats));
	sent->packets = stats.tx_packets;
	sent->octets = stats.tx_bytes;
	sent->failures = stats.tx_errors + stats.tx_dropped;
	return MNL_CB_OK;
}

int rtnl_link_sent(struct rtnl *r, unsigned int index, struct rtnl_sent *ret_sent)
{
	struct rtnl_sent sent = { 0 };
	struct ifinfomsg *ifi;
	struct request q;
	int err;

	ifi = request_init(&q, RTM_GETLINK, NLM_F_ACK, sizeof(*ifi));
	ifi->ifi_index = (int)index;
	err = converse(r, &q, sent_note, &sent);
	if (err < 0)
		return err;
	*ret_sent = sent;
	return 0;
}

static void *generic_init(struct request *q, uint16_t family, uint8_t command, uint8_t version)
{
	struct genlmsghdr *genl = request_init(q, family, NLM_F_ACK, sizeof(*genl));

	genl->cmd = command;
	genl->version = version;
	return genl;
}

struct family_note {
	uint16_t id;
	uint32_t group; /* that tells of changes; 0: none does */
};

static int group_note(const struct nlattr *row, void *ctx)
{
	const struct nlattr *at[CTRL_ATTR_MCAST_GRP_ID + 1] = { 0 };
	struct attrs attrs = { .at = at, .max = CTRL_ATTR_MCAST_GRP_ID };
	struct family_note *note = ctx;

	if (mnl_attr_parse_nested(row, attrs_note, &attrs) == MNL_CB_OK &&
	    at[CTRL_ATTR_MCAST_GRP_NAME] && at[CTRL_ATTR_MCAST_GRP_ID] &&
	    strcmp(mnl_attr_get_str(at[CTRL_ATTR_MCAST_GRP_NAME]), NETDEV_GROUP) == 0)
		note->group = mnl_attr_get_u32(at[CTRL_ATTR_MCAST_GRP_ID]);
	return MNL_CB_OK;
}

static int family_note(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *at[CTRL_ATTR_MCAST_GROUPS + 1] = { 0 };
	struct attrs attrs = { .at = at, .max = CTRL_ATTR_MCAST_GROUPS };
	struct family_note *note = ctx;

	if (mnl_attr_parse(nlh, sizeof(struct genlmsghdr), attrs_note, &attrs) != MNL_CB_OK)
		return MNL_CB_OK;
	if (at[CTRL_ATTR_FAMILY_ID])
		note->id = mnl_attr_get_u16(at[CTRL_ATTR_FAMILY_ID]);
	if (at[CTRL_ATTR_MCAST_GROUPS])
		(void)mnl_attr_parse_nested(at[CTRL_ATTR_MCAST_GROUPS], group_note, note);
	return MNL_CB_OK;
}

static int netdev_family(struct rtnl *r, struct family_note *out_note)
{
	struct request q;

	*out_note = (struct family_note){ 0 };
	(void)generic_init(&q, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
	mnl_attr_put_strz(q.nlh, CTRL_ATTR_FAMILY_NAME, NETDEV_FAMILY);
	return converse(r, &q, family_note, out_note);
}

struct features_note {
	bool known;
	uint64_t features;
};

static int features_note(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *at[NETDEV_A_DEV_XDP_FEATURES + 1] = { 0 };
	struct attrs attrs = { .at = at, .max = NETDEV_A_DEV_XDP_FEATURES };
	const struct nlattr *features;
	struct features_note *note = ctx;

	if (mnl_attr_parse(nlh, sizeof(struct genlmsghdr), attrs_note, &attrs) != MNL_CB_OK)
		return MNL_CB_OK;
	features = at[NETDEV_A_DEV_XDP_FEATURES];
	if (features && mnl_attr_get_payload_len(features) >= sizeof(uint64_t)) {
		note->features = mnl_attr_get_u64(features);
		note->known = true;
	}
	return MNL_CB_OK;
}

int rtnl_link_xdp_features(unsigned int index, uint64_t *ret_features)
{
	struct features_note note = { 0 };
	struct family_note family;
	struct request q;
	struct rtnl *r;
	int err;

	err = open_bus(NETLINK_GENERIC, &r);
	if (err < 0)
		return err;
	err = netdev_family(r, &family);
	if (err == 0) {
		(void)generic_init(&q, family.id, NETDEV_CMD_DEV_GET, NETDEV_VERSION);
		mnl_attr_put_u32(q.nlh, NETDEV_A_DEV_IFINDEX, index);
		err = converse(r, &q, features_note, &note);
	}
	if (err == 0 && !note.known)
		err = -ENOENT;
	(void)rtnl_close(r);
	if (err == 0)
		*ret_features = note.features;
	return err;
}

static int entry_note(const struct nlmsghdr *nlh, void *ctx)
{
	bool *any = ctx;

	(void)nlh;
	*any = true;
	return MNL_CB_OK;
}

bool rtnl_has_filters(struct rtnl *r, unsigned int index)
{
	const uint16_t hooks[] = { TC_H_MIN_INGRESS, TC_H_MIN_EGRESS };
	struct tcmsg *tcm;
	struct request q;
	bool any = false;
	size_t i;

	for (i = 0; i < MNL_ARRAY_SIZE(hooks) && !any; i++) {
		tcm = request_init(&q, RTM_GETTFILTER, NLM_F_DUMP, sizeof(*tcm));
		tcm->tcm_ifindex = (int)index;
		tcm->tcm_parent = TC_H_MAKE(TC_H_CLSACT, hooks[i]);
		if (request_dump(r, &q, entry_note, &any) < 0)
			any = true;
	}
	return any;
}

bool rtnl_has_ipsec_policies(void)
{
	struct request q;
	struct rtnl *r;
	bool any = false;

	if (open_bus(NETLINK_XFRM, &r) < 0)
		return false; /* this kernel has no IPsec */
	(void)request_init(&q, XFRM_MSG_GETPOLICY, NLM_F_DUMP, sizeof(struct xfrm_userpolicy_id));
	if (request_dump(r, &q, entry_note, &any) < 0)
		any = true;
	(void)rtnl_close(r);
	return any;
}

/* Addresses */

static bool addr_message_parse(const struct nlmsghdr *nlh, struct rtnl_addr *out_addr)
{
	const struct nlattr *at[IFA_LOCAL + 1] = { 0 };
	struct attrs attrs = { .at = at, .max = IFA_LOCAL };
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);

	*out_addr = (struct rtnl_addr){ 0 };
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifa) || ifa->ifa_family != AF_INET ||
	    mnl_attr_parse(nlh, sizeof(*ifa), attrs_note, &attrs) != MNL_CB_OK)
		return false;
	out_addr->index = ifa->ifa_index;
	out_addr->len = ifa->ifa_prefixlen;
	out_addr->scope = ifa->ifa_scope;
	/* On a point-to-point link IFA_ADDRESS is the other end's. */
	out_addr->addr = attr_addr(at[IFA_LOCAL] ? at[IFA_LOCAL] : at[IFA_ADDRESS]);
	return true;
}

int rtnl_addr_add(struct rtnl *r, const struct rtnl_addr *addr)
{
	struct ifaddrmsg *ifa;
	struct request q;

	ifa = request_init(&q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*ifa));
	ifa->ifa_family = AF_INET;
	ifa->ifa_prefixlen = addr->len;
	ifa->ifa_scope = addr->scope;
	ifa->ifa_index = addr->index;
	put_addr(&q, IFA_LOCAL, addr->addr);
	put_addr(&q, IFA_ADDRESS, addr->addr);
	return request_ack(r, &q);
}

struct addr_dump {
	void (*fn)(void *ctx, const struct rtnl_addr *addr);
	void *ctx;
};

static int addr_dump_one(const struct nlmsghdr *nlh, void *ctx)
{
	const struct addr_dump *dump = ctx;
	struct rtnl_addr addr;

	if (addr_message_parse(nlh, &addr))
		dump->fn(dump->ctx, &addr);
	return MNL_CB_OK;
}

int rtnl_addr_dump(struct rtnl *r, void (*fn)(void *ctx, const struct rtnl_addr *addr), void *ctx)
{
	struct addr_dump dump = { .fn = fn, .ctx = ctx };
	struct ifaddrmsg *ifa;
	struct request q;

	ifa = request_init(&q, RTM_GETADDR, NLM_F_DUMP, sizeof(*ifa));
	ifa->ifa_family = AF_INET;
	return request_dump(r, &q, addr_dump_one, &dump);
}

/* Neighbours */

static int state_note(const struct nlmsghdr *nlh, void *ctx)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	uint16_t *state = ctx;

	if (nlh->nlmsg_type == RTM_NEWNEIGH && mnl_nlmsg_get_payload_len(nlh) >= sizeof(*ndm))
		*state = ndm->ndm_state;
	return MNL_CB_OK;
}

static struct ndmsg *neighbour_init(struct request *q, uint16_t type, unsigned int index,
				    struct in_addr addr)
{
	struct ndmsg *ndm = request_init(q, type, NLM_F_ACK, sizeof(*ndm));

	ndm->ndm_family = AF_INET;
	ndm->ndm_ifindex = (int)index;
	put_addr(q, NDA_DST, addr);
	return ndm;
}

int rtnl_neighbour_use(struct rtnl *r, unsigned int index, struct in_addr addr)
{
	uint16_t state = NUD_NONE;
	struct request q;
	int err;

	(void)neighbour_init(&q, RTM_GETNEIGH, index, addr);
	err = converse(r, &q, state_note, &state);
	/* Asked unasked, the kernel forgets that one was set by hand. */
	if (err < 0 || state != NUD_STALE)
		return err;
	neighbour_init(&q, RTM_NEWNEIGH, index, addr)->ndm_flags = NTF_USE;
	return request_ack(r, &q);
}

/* Routes */

static uint32_t route_metric_mtu(const struct nlattr *metrics)
{
	const struct nlattr *at[RTAX_MTU + 1] = { 0 };
	struct attrs attrs = { .at = at, .max = RTAX_MTU };

	if (!metrics || mnl_attr_parse_nested(metrics, attrs_note, &attrs) != MNL_CB_OK)
		return 0;
	return attr_u32(at[RTAX_MTU]);
}

static bool route_parse(const struct nlmsghdr *nlh, struct rtnl_route *out_route)
{
	const struct nlattr *at[RTA_TABLE + 1] = { 0 };
	struct attrs attrs = { .at = at, .max = RTA_TABLE };
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);

	*out_route = (struct rtnl_route){ 0 };
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm) || rtm->rtm_family != AF_INET ||
	    mnl_attr_parse(nlh, sizeof(*rtm), attrs_note, &attrs) != MNL_CB_OK)
		return false;
	out_route->dst.addr = attr_addr(at[RTA_DST]);
	out_route->dst.len = rtm->rtm_dst_len;
	out_route->index = attr_u32(at[RTA_OIF]);
	out_route->gateway = attr_addr(at[RTA_GATEWAY]);
	out_route->src = attr_addr(at[RTA_PREFSRC]);
	out_route->table = at[RTA_TABLE] ? attr_u32(at[RTA_TABLE]) : rtm->rtm_table;
	out_route->metric = attr_u32(at[RTA_PRIORITY]);
	out_route->mtu = route_metric_mtu(at[RTA_METRICS]);
	out_route->type = rtm->rtm_type;
	out_route->protocol = rtm->rtm_protocol;
	return true;
}

static uint8_t route_scope(const struct rtnl_route *route)
{
	switch (route->type) {
	case RTN_UNSPEC:
	case RTN_UNICAST:
		return addr_is_any(route->gateway) && route->index != 0 && !route->encap
			       ? RT_SCOPE_LINK
			       : RT_SCOPE_UNIVERSE;
	case RTN_LOCAL:
		return RT_SCOPE_HOST;
	default:
		return RT_SCOPE_UNIVERSE;
	}
}

static void put_encap(struct request *q, const struct rtnl_encap *encap)
{
	struct nlattr *header;

	mnl_attr_put_u16(q->nlh, RTA_ENCAP_TYPE, LWTUNNEL_ENCAP_IP);
	header = mnl_attr_nest_start(q->nlh, RTA_ENCAP);
	mnl_attr_put_u64(q->nlh, LWTUNNEL_IP_ID, 0);
	put_addr(q, LWTUNNEL_IP_DST, encap->dst);
	put_addr(q, LWTUNNEL_IP_SRC, encap->src);
	mnl_attr_put_u8(q->nlh, LWTUNNEL_IP_TTL, encap->ttl);
	mnl_attr_put_u8(q->nlh, LWTUNNEL_IP_TOS, TOS_INHERIT);
	mnl_attr_put_u16(q->nlh, LWTUNNEL_IP_FLAGS, TUNNEL_DONT_FRAGMENT);
	mnl_attr_nest_end(q->nlh, header);
}

static struct rtnexthop *nexthop_start(struct request *q, unsigned int index)
{
	struct rtnexthop *hop = mnl_nlmsg_put_extra_header(q->nlh, sizeof(*hop));

	hop->rtnh_ifindex = (int)index;
	return hop;
}

static void nexthop_end(struct request *q, struct rtnexthop *hop)
{
	hop->rtnh_len = (uint16_t)((uint8_t *)mnl_nlmsg_get_payload_tail(q->nlh) - (uint8_t *)hop);
}

/* A route of two ways goes when the link of either goes: linux/net/ipv4/fib_semantics.c. */
static void put_ways(struct request *q, const struct rtnl_route *route)
{
	struct nlattr *ways = mnl_attr_nest_start(q->nlh, RTA_MULTIPATH);
	struct rtnexthop *hop = nexthop_start(q, route->index);

	put_encap(q, route->encap);
	nexthop_end(q, hop);
	hop = nexthop_start(q, route->lifeline);
	nexthop_end(q, hop);
	mnl_attr_nest_end(q->nlh, ways);
}

static int route_request(struct rtnl *r, uint16_t type, uint16_t flags,
			 const struct rtnl_route *route)
{
	uint32_t table = route->table != 0 ? route->table : RTNL_TABLE_MAIN;
	struct nlattr *metrics;
	struct request q;
	struct rtmsg *rtm;

	rtm = request_init(&q, type, flags, sizeof(*rtm));
	rtm->rtm_family = AF_INET;
	rtm->rtm_dst_len = route->dst.len;
	rtm->rtm_table = table < 256 ? (uint8_t)table : RT_TABLE_UNSPEC;
	rtm->rtm_protocol = route->protocol != 0 ? route->protocol : RTNL_PROTOCOL;
	if (type == RTM_DELROUTE) {
		rtm->rtm_scope = RT_SCOPE_NOWHERE; /* whichever it has */
		rtm->rtm_type = route->type;
	} else {
		rtm->rtm_scope = route_scope(route);
		rtm->rtm_type = route->type != 0 ? route->type : RTN_UNICAST;
	}
	mnl_attr_put_u32(q.nlh, RTA_TABLE, table);
	put_addr(&q, RTA_DST, route->dst.addr);
	if (route->encap && route->lifeline != 0) {
		put_ways(&q, route);
	} else {
		put_u32_if(&q, RTA_OIF, route->index);
		if (route->encap)
			put_encap(&q, route->encap);
	}
	put_u32_if(&q, RTA_PRIORITY, route->metric);
	put_u32_if(&q, RTA_PREFSRC, route->src.s_addr);
	if (!addr_is_any(route->gateway)) {
		put_addr(&q, RTA_GATEWAY, route->gateway);
		if (route->index != 0)
			rtm->rtm_flags = RTNH_F_ONLINK;
	}
	if (route->mtu != 0) {
		metrics = mnl_attr_nest_start(q.nlh, RTA_METRICS);
		mnl_attr_put_u32(q.nlh, RTAX_MTU, route->mtu);
		mnl_attr_nest_end(q.nlh, metrics);
	}
	return request_ack(r, &q);
}

int rtnl_route_add(struct rtnl *r, const struct rtnl_route *route)
{
	return route_request(r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route);
}

int rtnl_route_replace(struct rtnl *r, const struct rtnl_route *route)
{
	return route_request(r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route);
}

int rtnl_route_del(struct rtnl *r, const struct rtnl_route *route)
{
	return route_request(r, RTM_DELROUTE, 0, route);
}

static int route_note(const struct nlmsghdr *nlh, void *ctx)
{
	struct rtnl_route *route = ctx;

	(void)route_parse(nlh, route);
	return MNL_CB_OK;
}

int rtnl_route_get(struct rtnl *r, struct in_addr dst, struct in_addr src,
		   struct rtnl_route *ret_route)
{
	struct rtnl_route route = { 0 };
	struct request q;
	struct rtmsg *rtm;
	int err;

	rtm = request_init(&q, RTM_GETROUTE, NLM_F_ACK, sizeof(*rtm));
	rtm->rtm_family = AF_INET;
	rtm->rtm_dst_len = 32;
	put_addr(&q, RTA_DST, dst);
	if (!addr_is_any(src)) {
		rtm->rtm_src_len = 32;
		put_addr(&q, RTA_SRC, src);
	}
	err = converse(r, &q, route_note, &route);
	if (err < 0)
		return err;
	*ret_route = route;
	return 0;
}

struct route_dump {
	uint8_t protocol;
	void (*fn)(void *ctx, const struct rtnl_route *route);
	void *ctx;
};

static int route_dump_one(const struct nlmsghdr *nlh, void *ctx)
{
	const struct route_dump *dump = ctx;
	struct rtnl_route route;

	/* Kernels before 4.20 do not look at the protocol asked for. */
	if (route_parse(nlh, &route) &&
	    (dump->protocol == RTPROT_UNSPEC || route.protocol == dump->protocol))
		dump->fn(dump->ctx, &route);
	return MNL_CB_OK;
}

int rtnl_route_dump(struct rtnl *r, uint8_t protocol,
		    void (*fn)(void *ctx, const struct rtnl_route *route), void *ctx)
{
	struct route_dump dump = { .protocol = protocol, .fn = fn, .ctx = ctx };
	struct request q;
	struct rtmsg *rtm;

	rtm = request_init(&q, RTM_GETROUTE, NLM_F_DUMP, sizeof(*rtm));
	rtm->rtm_family = AF_INET;
	rtm->rtm_protocol = protocol;
	return request_dump(r, &q, route_dump_one, &dump);
}

/* Rules */

static int rule_request(struct rtnl *r, uint16_t type, uint16_t flags, const struct rtnl_rule *rule)
{
	struct fib_rule_hdr *frh;
	struct request q;

	frh = request_init(&q, type, flags, sizeof(*frh));
	frh->family = AF_INET;
	frh->src_len = rule->src.len;
	frh->dst_len = rule->dst.len;
	frh->table = rule->table < 256 ? (uint8_t)rule->table : RT_TABLE_UNSPEC;
	frh->action = FR_ACT_TO_TBL;
	frh->flags = rule->invert ? FIB_RULE_INVERT : 0;
	mnl_attr_put_u32(q.nlh, FRA_TABLE, rule->table);
	mnl_attr_put_u32(q.nlh, FRA_PRIORITY, rule->priority);
	mnl_attr_put_u8(q.nlh, FRA_PROTOCOL, RTNL_PROTOCOL);
	if (rule->src.len > 0)
		put_addr(&q, FRA_SRC, rule->src.addr);
	if (rule->dst.len > 0)
		put_addr(&q, FRA_DST, rule->dst.addr);
	if (rule->iif[0] != '\0')
		mnl_attr_put_strz(q.nlh, FRA_IIFNAME, rule->iif);
	if (rule->oif[0] != '\0')
		mnl_attr_put_strz(q.nlh, FRA_OIFNAME, rule->oif);
	put_u32_if(&q, FRA_FWMARK, rule->mark);
	return request_ack(r, &q);
}

static uint32_t rule_table(const struct nlmsghdr *nlh)
{
	const struct nlattr *at[FRA_TABLE + 1] = { 0 };
	struct attrs attrs = { .at = at, .max = FRA_TABLE };
	const struct fib_rule_hdr *frh = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*frh) ||
	    mnl_attr_parse(nlh, sizeof(*frh), attrs_note, &attrs) != MNL_CB_OK)
		return 0;
	return at[FRA_TABLE] ? attr_u32(at[FRA_TABLE]) : frh->table;
}

int rtnl_rule_add(struct rtnl *r, const struct rtnl_rule *rule)
{
	return rule_request(r, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);
}

int rtnl_rule_del(struct rtnl *r, const struct rtnl_rule *rule)
{
	return rule_request(r, RTM_DELRULE, 0, rule);
}

/* The monitor */

static int monitor_open(int bus, unsigned int groups, rtnl_change_fn *fn, void *ctx,
			struct rtnl_monitor **ret_m)
{
	struct rtnl_monitor *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return -ENOMEM;
	m->fn = fn;
	m->ctx = ctx;
	m->bus = bus;
	m->nl = mnl_socket_open2(bus, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!m->nl || mnl_socket_bind(m->nl, groups, MNL_SOCKET_AUTOPID) < 0) {
		err = -errno;
		assert(err < 0);
		(void)rtnl_monitor_close(m);
		return err;
	}
	*ret_m = m;
	return 0;
}

int rtnl_monitor_open(rtnl_change_fn *fn, void *ctx, struct rtnl_monitor **ret_m)
{
	return monitor_open(NETLINK_ROUTE,
			    RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV4_RULE,
			    fn, ctx, ret_m);
}

int rtnl_policy_monitor_open(rtnl_change_fn *fn, void *ctx, struct rtnl_monitor **ret_m)
{
	return monitor_open(NETLINK_XFRM, XFRMGRP_POLICY, fn, ctx, ret_m);
}

int rtnl_features_monitor_open(rtnl_change_fn *fn, void *ctx, struct rtnl_monitor **ret_m)
{
	struct family_note family;
	struct rtnl_monitor *m;
	struct rtnl *r;
	int group, err;

	err = open_bus(NETLINK_GENERIC, &r);
	if (err < 0)
		return err;
	err = netdev_family(r, &family);
	(void)rtnl_close(r);
	if (err < 0)
		return err;
	if (family.group == 0)
		return -ENOENT;
	err = monitor_open(NETLINK_GENERIC, 0, fn, ctx, &m);
	if (err < 0)
		return err;
	group = (int)family.group;
	if (mnl_socket_setsockopt(m->nl, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0) {
		err = -errno;
		(void)rtnl_monitor_close(m);
		return err;
	}
	*ret_m = m;
	return 0;
}

struct rtnl_monitor *rtnl_monitor_close(struct rtnl_monitor *m)
{
	if (!m)
		return NULL;
	if (m->nl)
		(void)mnl_socket_close(m->nl);
	free(m);
	return NULL;
}

int rtnl_monitor_fd(const struct rtnl_monitor *m)
{
	return mnl_socket_get_fd(m->nl);
}

static int monitor_one(const struct nlmsghdr *nlh, void *ctx)
{
	const struct rtnl_monitor *m = ctx;
	struct rtnl_change change = { .port = nlh->nlmsg_pid };
	bool understood = false;

	if (m->bus != NETLINK_ROUTE) {
		change.event = m->bus == NETLINK_XFRM ? RTNL_POLICY : RTNL_FEATURES;
		m->fn(m->ctx, &change);
		return MNL_CB_OK;
	}
	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		change.event = RTNL_LINK;
		change.gone = nlh->nlmsg_type == RTM_DELLINK;
		understood = link_parse(nlh, &change.link);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		change.event = RTNL_ADDR;
		change.gone = nlh->nlmsg_type == RTM_DELADDR;
		understood = addr_message_parse(nlh, &change.addr);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		change.event = RTNL_ROUTE;
		change.gone = nlh->nlmsg_type == RTM_DELROUTE;
		understood = route_parse(nlh, &change.route);
		break;
	case RTM_NEWRULE:
	case RTM_DELRULE:
		change.event = RTNL_RULE;
		change.gone = nlh->nlmsg_type == RTM_DELRULE;
		change.table = rule_table(nlh);
		understood = true;
		break;
	default:
		break;
	}
	if (understood)
		m->fn(m->ctx, &change);
	return MNL_CB_OK;
}

int rtnl_monitor_read(struct rtnl_monitor *m)
{
	ssize_t len;

	for (;;) {
		len = mnl_socket_recvfrom(m->nl, m->buf, sizeof(m->buf));
		if (len < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (mnl_cb_run(m->buf, (size_t)len, 0, 0, monitor_one, m) == MNL_CB_ERROR)
			return -errno;
	}
}

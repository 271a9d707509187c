/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tier "kernel": the kernel's own devices put packets into tunnels, for hosts whose policy forbids
 * BPF. tunnel.c calls it.
 *
 *	to a node    wire ─► rule ─► our table: a route a binding, with its outer header ─► ipip or
 *	             gre device in metadata mode ─► wire
 *	from a node  as without it: the base tier's raw sockets
 *
 * Nodes are sent more than they send, so that is the heavy direction; and it is all that can be had
 * safely. A device that decapsulates tells nothing of where a packet came from, and no route or
 * reverse path filter can hold its outer source against the binding of its inner one, which RFC
 * 3024 §4.3.2 and RFC 3519 §4.3 ask for. So our devices receive nothing (sink.c): packets from
 * tunnels are taken by sinks that lead nowhere, what passes those (GRE with a key) comes to our
 * devices, which lead nowhere either, and the base tier judges its own copy of all of it.
 *
 * Nor do the kernel's devices filter what is inside: this tier lacks TUNNEL_CAP_FILTER, and is not
 * chosen under ipsec-only. A reload that brings a filter takes the rule away, at once.
 *
 * Our routes lie in a table of their own, so that the base tier's stay as they are, below them. The
 * rule that leads there leaves out what begins on this host (and with it, the question of a reverse
 * path filter where a source is): that stays the base tier's, whose guard against loops it needs. A
 * home agent's address is the number of its table, and the home address is the metric of a route:
 * by it the kernel's table of next hops stays a table. Without, that is one list, and a thousand
 * routes are walked to lay down the next.
 *
 * Expiry. A route knows of no end, and a killed daemon cannot delete it. So each has a second way,
 * by a TUN device of ours without a carrier, which is never taken; when the device goes with our
 * descriptor the kernel takes away every route that names it, and the packets come to nobody, as
 * they do in the base tier then. What remains of us is idle and is removed by the next start.
 *
 * Where it differs from the base tier, as the kernel gives it:
 *	RFC 2003 §3.1   DF is set in every outer header (for an inner one without it that MAY be),
 *			so the path MTU is always told. The route has the MTU of its tunnel: the
 *			kernel fragments before it encapsulates, and says "fragmentation needed"
 *			itself.
 *	RFC 2003 §3.2   a packet whose source is the care-of address goes back there; its own TTL
 *			ends it. No route compares the two.
 *	RFC 6040 §4.1   congestion marks are copied, tunnel.ecn or not, and CE as ECT(0) (RFC 3168).
 *	counters	the kernel counts packets of devices, not of routes: what was sent to a node
 *			is not known once this tier has carried for it (tunnel_knows_sent()).
 *	TCP MSS		is not clamped: with mss-clamp: all the tier is not chosen.
 *
 * binding.fast_slot is 0 for one that this tier has never carried for, then one of enum slot. Until
 * tunnel_reconcile() nothing is laid down, and then, as after a loss, all of it a few routes at a
 * time (tunnel.c): a start with many bindings does not wait for it.
 */
#include "common/err.h"
#include "common/log.h"
#include "ha-core/tunnel/rtnl.h"
#include "ha-core/tunnel/setting.h"
#include "ha-core/tunnel/sink.h"
#include "ha-core/tunnel/tunnel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define RULE_PRIORITY 32765 /* right before the main table's; a site's own come before */
#define OUTER_TTL     64
#define SETTLE_MS     50   /* a burst of changes costs one look */
#define RETRY_MS      1000 /* while something cannot be put back */

enum slot { SLOT_NONE, SLOT_WAS_CARRIED, SLOT_IS_CARRIED };

static const struct kind {
	const char *kind, *suffix, *why;
	uint8_t mode; /* enum encap_mode */
} kinds[] = {
	{ "ipip", "-xipip", "ip-in-ip to nodes; from them by tun", ENCAP_IPIP },
	{ "gre", "-xgre", "gre to nodes; from them by tun", ENCAP_GRE },
};
#define KIND_CNT (sizeof(kinds) / sizeof(kinds[0]))

struct device {
	char name[IF_NAMESIZE];
	unsigned int index; /* 0: it is not there */
	bool wanted;        /* it could be had at the start, so it is put back */
	struct rtnl_sent seen;
	uint64_t failures; /* to send, since we started */
};

struct tunnel_dp {
	const struct tunnel_conf *conf;
	struct rtnl *rtnl;
	struct device devices[KIND_CNT];
	struct device lifeline;
	int lifeline_fd;
	struct rtnl_sent sent; /* by all devices there have been */
	bool reconciled;
	const char *obstacle; /* why nothing is carried; or NULL */
	struct rtnl_monitor *monitor;
	struct loop_fd *readable;
	struct loop_timer *timer;
	bool armed;      /* a look is due already */
	bool lost;       /* routes, since the last look */
	bool changed;    /* something else was put back by this one */
	bool incomplete; /* the last look could not put everything back */
};

/* --- what went wrong --- */

static const char *remedy_of(int err)
{
	switch (err) {
	case -EPERM:
	case -EACCES:
		return "start as root or by systemd, with CAP_NET_ADMIN";
	case -EOPNOTSUPP:
	case -ENODEV:
		return "a kernel with the modules ipip and ip_gre, or tunnel.data-path: auto";
	case -EEXIST:
		return "one device in metadata mode (external) of a kind is all that a host can "
		       "have: remove the other, or tunnel.data-path: auto";
	case -EBUSY:
		return "net.ipv4.conf.all.rp_filter 0 or 1, not 2";
	default:
		return "see the error";
	}
}

static int refuse(const struct tunnel_dp *dp, const char *what, int err)
{
	tunnel_refuse(dp->conf, what, err_text(err));
	log_warning("no fast path: tun carries all traffic",
		    "event=data-path-degraded data-path=tun what=\"%s\" error=\"%s\" remedy=\"%s\"",
		    what, err_text(err), remedy_of(err));
	return err;
}

/* --- the table, and the rule that leads there --- */

static uint32_t table_of(const struct tunnel_conf *conf)
{
	return addr_host(conf->home_agent);
}

static struct rtnl_rule rule_of(const struct tunnel_conf *conf)
{
	return (struct rtnl_rule){
		.priority = RULE_PRIORITY,
		.iif = "lo", /* what begins here */
		.invert = true,
		.table = table_of(conf),
	};
}

/* @return 1: it was not there; 0: it was */
static int rule_on(struct tunnel_dp *dp)
{
	const struct rtnl_rule rule = rule_of(dp->conf);
	int err = rtnl_rule_add(dp->rtnl, &rule);

	return err == -EEXIST ? 0 : err == 0 ? 1 : err;
}

static int rule_off(struct tunnel_dp *dp)
{
	const struct rtnl_rule rule = rule_of(dp->conf);
	int err = rtnl_rule_del(dp->rtnl, &rule);

	return err == -ENOENT ? 0 : err;
}

static struct rtnl_route route_of(const struct tunnel_dp *dp, struct in_addr home_addr)
{
	return (struct rtnl_route){
		.dst = { home_addr, 32 },
		.table = table_of(dp->conf),
		.metric = addr_host(home_addr),
		.lifeline = dp->lifeline.index,
	};
}

static int route_put(struct tunnel_dp *dp, const struct device *device, struct in_addr home_addr,
		     struct in_addr peer, uint32_t mtu)
{
	const struct rtnl_encap encap = {
		.src = dp->conf->home_agent,
		.dst = peer,
		.ttl = OUTER_TTL,
	};
	struct rtnl_route route = route_of(dp, home_addr);

	route.index = device->index;
	route.mtu = mtu;
	route.encap = &encap;
	return rtnl_route_replace(dp->rtnl, &route);
}

static int route_del(struct tunnel_dp *dp, struct in_addr home_addr)
{
	const struct rtnl_route route = route_of(dp, home_addr);
	int err = rtnl_route_del(dp->rtnl, &route);

	return err == -ESRCH ? 0 : err;
}

/* --- devices --- */

static void name_of(const struct tunnel_conf *conf, const char *suffix, char name[IF_NAMESIZE])
{
	(void)snprintf(name, IF_NAMESIZE, "%.9s%s", conf->device, suffix);
}

static uint32_t device_mtu(const struct tunnel_dp *dp, const struct kind *kind)
{
	return dp->conf->mtu - (uint32_t)encap_overhead(kind->mode, false);
}

/* Makes a device of this kind, and its sink before it can get a packet. */
static int device_open(struct tunnel_dp *dp, size_t i)
{
	const struct kind *kind = &kinds[i];
	struct device *device = &dp->devices[i];
	struct rtnl_link link;
	int err;

	device->index = 0;
	device->seen = (struct rtnl_sent){ 0 };
	(void)rtnl_link_del(dp->rtnl, device->name);
	err = rtnl_tunnel_add_external(dp->rtnl, device->name, kind->kind);
	if (err < 0)
		return err;
	err = sink_disarm(device->name);
	if (err == 0)
		err = sink_open(dp->rtnl, dp->conf->device, kind->kind, dp->conf->home_agent);
	if (err >= 0)
		err = rtnl_link_get(dp->rtnl, device->name, &link);
	if (err == 0)
		err = rtnl_link_up(dp->rtnl, link.index, device_mtu(dp, kind), 0);
	if (err < 0) {
		(void)rtnl_link_del(dp->rtnl, device->name);
		return err;
	}
	device->index = link.index;
	return 0;
}

static void lifeline_close(struct tunnel_dp *dp)
{
	if (dp->lifeline_fd >= 0)
		(void)close(dp->lifeline_fd);
	dp->lifeline_fd = -1;
	dp->lifeline.index = 0;
}

static int lifeline_open(struct tunnel_dp *dp)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int off = 0, err;
	struct rtnl_link link;

	lifeline_close(dp);
	dp->lifeline_fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (dp->lifeline_fd < 0)
		return -errno;
	memcpy(ifr.ifr_name, dp->lifeline.name, sizeof(ifr.ifr_name));
	if (ioctl(dp->lifeline_fd, TUNSETIFF, &ifr) < 0 ||
	    ioctl(dp->lifeline_fd, TUNSETCARRIER, &off) < 0)
		return -errno;
	err = sink_disarm(dp->lifeline.name);
	if (err == 0)
		err = setting_write(dp->lifeline.name, "ignore_routes_with_linkdown", 1);
	if (err == 0)
		err = rtnl_link_get(dp->rtnl, dp->lifeline.name, &link);
	if (err == 0)
		err = rtnl_link_up(dp->rtnl, link.index, 0, 0);
	if (err == 0)
		dp->lifeline.index = link.index;
	return err;
}

/* Its index if it is there and up, else 0. */
static unsigned int index_of(struct tunnel_dp *dp, const struct device *device)
{
	struct rtnl_link link;

	return rtnl_link_get(dp->rtnl, device->name, &link) == 0 && link.flags & IFF_UP ? link.index
											: 0;
}

/* --- when other hands were here --- */

static void look_in(struct tunnel_dp *dp, uint64_t delay_ms)
{
	if (dp->armed)
		return;
	dp->armed = true;
	loop_timer_start(dp->timer, delay_ms, 0);
}

static int repair_device(struct tunnel_dp *dp, size_t i)
{
	struct device *device = &dp->devices[i];
	int err;

	if (!device->wanted)
		return 0;
	if (device->index != 0 && index_of(dp, device) == device->index) {
		err = sink_open(dp->rtnl, dp->conf->device, kinds[i].kind, dp->conf->home_agent);
		if (err < 0) { /* what is not kept from packets must not be there */
			(void)rtnl_link_del(dp->rtnl, device->name);
			device->index = 0;
		}
		dp->changed |= err == 0;
		return err;
	}
	dp->lost = true;
	return device_open(dp, i);
}

static int repair(struct tunnel_dp *dp)
{
	int err = 0, one;
	size_t i;

	if (dp->lifeline.index == 0 || index_of(dp, &dp->lifeline) != dp->lifeline.index) {
		dp->lost = true;
		err = lifeline_open(dp);
	}
	for (i = 0; i < KIND_CNT; i++) {
		one = repair_device(dp, i);
		err = err < 0 ? err : one;
	}
	if (err >= 0 && !dp->obstacle) {
		err = rule_on(dp);
		dp->changed |= err > 0;
	}
	return err;
}

static void look(void *ctx)
{
	static struct log_limit limit = { .burst = 1,
					  .interval_ms = 60000,
					  .event = "data-path-incomplete" };
	struct tunnel_dp *dp = ctx;
	bool lost;
	int err;

	dp->armed = false;
	dp->changed = false;
	err = repair(dp);
	if (err < 0) {
		dp->incomplete = true;
		(void)log_write_limited(
			&limit, loop_now(dp->conf->loop)->mono_ms, LOG_LEVEL_ERROR,
			"a part of the fast path is gone and cannot be put back yet: tun carries "
			"its traffic",
			"event=data-path-incomplete data-path=kernel error=\"%s\" remedy=\"%s\"",
			err_text(err), remedy_of(err));
		look_in(dp, RETRY_MS);
		return;
	}
	lost = dp->lost || dp->incomplete;
	dp->lost = false;
	dp->incomplete = false;
	if (lost || dp->changed)
		log_notice("the fast path is put back as it should be",
			   "event=data-path-repaired data-path=kernel");
	if (lost)
		dp->conf->lost(dp->conf->learnt_ctx);
}

static bool is_ours(const struct tunnel_dp *dp, const char *name)
{
	size_t len = strnlen(dp->conf->device, 9);

	/* Ours and the sinks; not the base tier's own. */
	return strncmp(name, dp->conf->device, len) == 0 && name[len] == '-';
}

static void on_change(void *ctx, const struct rtnl_change *change)
{
	struct tunnel_dp *dp = ctx;

	if (change->port == rtnl_port(dp->rtnl))
		return;
	switch (change->event) {
	case RTNL_LINK:
		if (is_ours(dp, change->link.name) &&
		    (change->gone || !(change->link.flags & IFF_UP)))
			look_in(dp, SETTLE_MS);
		break;
	case RTNL_ROUTE:
		if (change->route.table != table_of(dp->conf))
			break;
		dp->lost = true;
		look_in(dp, SETTLE_MS);
		break;
	case RTNL_RULE:
		if (change->gone && change->table == table_of(dp->conf))
			look_in(dp, SETTLE_MS);
		break;
	case RTNL_ADDR:
	case RTNL_POLICY:
	case RTNL_FEATURES:
		break;
	}
}

static void on_readable(void *ctx, int events)
{
	struct tunnel_dp *dp = ctx;

	(void)events;
	if (rtnl_monitor_read(dp->monitor) < 0) { /* some were lost: anything may have happened */
		dp->lost = true;
		look_in(dp, SETTLE_MS);
	}
}

/* --- opening and closing --- */

/* @return how many things of ours were there */
static unsigned int remove_all(struct rtnl *r, const struct tunnel_conf *conf)
{
	const struct rtnl_rule rule = rule_of(conf);
	char name[IF_NAMESIZE];
	unsigned int cnt = 0;
	size_t i;

	/* Without the rule no packet comes, without the devices there are no routes. */
	cnt += rtnl_rule_del(r, &rule) == 0;
	for (i = 0; i < KIND_CNT; i++) {
		name_of(conf, kinds[i].suffix, name);
		cnt += rtnl_link_del(r, name) == 0;
	}
	return cnt;
}

static int kernel_clean(const struct tunnel_conf *conf)
{
	struct rtnl *r;
	int rc = rtnl_open(&r);

	if (rc < 0)
		return rc;
	if (remove_all(r, conf) > 0)
		log_info("a fast path that was left in place is taken away",
			 "event=data-path-cleaned data-path=kernel device=%s", conf->device);
	(void)rtnl_close(r);
	return 0;
}

static void kernel_close(struct tunnel_dp *dp)
{
	if (!dp)
		return;
	dp->timer = loop_timer_free(dp->timer);
	dp->readable = loop_fd_free(dp->readable);
	dp->monitor = rtnl_monitor_close(dp->monitor);
	if (dp->rtnl)
		(void)remove_all(dp->rtnl, dp->conf);
	lifeline_close(dp);
	dp->rtnl = rtnl_close(dp->rtnl);
	free(dp);
}

static int open_devices(struct tunnel_dp *dp)
{
	size_t i;
	int err;

	for (i = 0; i < KIND_CNT; i++) {
		name_of(dp->conf, kinds[i].suffix, dp->devices[i].name);
		err = device_open(dp, i);
		dp->devices[i].wanted = err == 0;
		if (err == 0)
			continue;
		if (kinds[i].mode == ENCAP_IPIP)
			return refuse(dp, "make an ipip device", err);
		log_warning("no fast path for gre: tun carries it",
			    "event=data-path-degraded data-path=kernel error=\"%s\" remedy=\"%s\"",
			    err_text(err), remedy_of(err));
	}
	name_of(dp->conf, "-alive", dp->lifeline.name);
	err = lifeline_open(dp);
	return err < 0 ? refuse(dp, "make the device that its routes live with", err) : 0;
}

/* Does this kernel take routes with an outer header, two ways and all? */
static int probe(struct tunnel_dp *dp)
{
	const struct in_addr any_host = dp->conf->home_agent;
	int err = route_put(dp, &dp->devices[0], any_host, any_host, dp->conf->mtu);

	if (err == 0)
		err = route_del(dp, any_host);
	return err < 0 ? refuse(dp, "lay down a route with an outer header", err) : 0;
}

static int open_watch(struct tunnel_dp *dp)
{
	struct loop *loop = dp->conf->loop;
	int err = rtnl_monitor_open(on_change, dp, &dp->monitor);

	if (err < 0)
		return err;
	dp->readable = loop_fd_new(loop, rtnl_monitor_fd(dp->monitor), LOOP_READ, on_readable, dp);
	dp->timer = loop_timer_new(loop, look, dp);
	return dp->readable && dp->timer ? 0 : -ENOMEM;
}

static int kernel_open(const struct tunnel_conf *conf, struct tunnel_dp **ret_dp)
{
	struct tunnel_dp *dp;
	int err;

	if (conf->clamp_plain) {
		tunnel_refuse(conf, "tunnel.mss-clamp: all", "it cannot lower the MSS in tunnels");
		log_warning("no fast path: tun carries all traffic",
			    "event=data-path-degraded data-path=tun "
			    "what=\"lower the MSS in tunnels\" remedy=\"tunnel.mss-clamp: udp\"");
		return -EOPNOTSUPP;
	}
	dp = calloc(1, sizeof(*dp));
	if (!dp)
		return -ENOMEM;
	dp->conf = conf;
	dp->lifeline_fd = -1;
	err = rtnl_open(&dp->rtnl);
	if (err < 0) {
		(void)refuse(dp, "open rtnetlink", err);
		goto out;
	}
	(void)remove_all(dp->rtnl, conf); /* a killed daemon's */
	err = open_devices(dp);
	if (err == 0)
		err = probe(dp);
	if (err < 0)
		goto out; /* it has been told */
	err = open_watch(dp);
	if (err == 0)
		err = rule_on(dp);
	if (err < 0)
		(void)refuse(dp, "lead packets to its table", err);
	else
		err = 0;
out:
	if (err < 0) {
		kernel_close(dp);
		return err;
	}
	log_info("the fast path is in place",
		 "event=data-path-opened data-path=kernel table=%u ecn=copied", table_of(conf));
	*ret_dp = dp;
	return 0;
}

/* --- bindings --- */

static const struct device *device_of(const struct tunnel_dp *dp, uint8_t mode)
{
	size_t i;

	for (i = 0; i < KIND_CNT; i++)
		if (kinds[i].mode == mode && dp->devices[i].index != 0)
			return &dp->devices[i];
	return NULL;
}

static int kernel_del(struct tunnel_dp *dp, struct binding_key key)
{
	struct binding *b;

	if (!dp->reconciled)
		return 0;
	for (b = binding_find(dp->conf->cache, key); b; b = binding_sibling(b))
		if (b->fast_slot == SLOT_IS_CARRIED)
			b->fast_slot = SLOT_WAS_CARRIED;
	return route_del(dp, key.home_addr);
}

static int kernel_put(struct tunnel_dp *dp, struct binding *first, struct tunnel_soft soft)
{
	const struct device *device = device_of(dp, first->tunnel.encap);
	int err;

	if (!dp->reconciled)
		return 0;                       /* its turn comes */
	if (!device || dp->lifeline.index == 0) /* that has been told: tun carries it */
		return kernel_del(dp, first->key);
	err = route_put(dp, device, first->key.home_addr, first->tunnel.peer,
			soft.mtu - (uint32_t)encap_overhead(first->tunnel.encap, false));
	if (err == 0)
		first->fast_slot = SLOT_IS_CARRIED;
	return err;
}

static void kernel_reconcile(struct tunnel_dp *dp)
{
	dp->reconciled = true;
	dp->conf->lost(dp->conf->learnt_ctx);
}

static const char *find_obstacle(const struct tunnel_conf *conf)
{
	if (!conf->filter->pass_all)
		return "it cannot enforce forwarding.policy";
	return conf->clamp_plain ? "it cannot lower the MSS in tunnels, as tunnel.mss-clamp asks"
				 : NULL;
}

/* Without the rule no packet comes to us; without devices there would be no way, either. */
static void obey(struct tunnel_dp *dp)
{
	const char *before = dp->obstacle;

	dp->obstacle = find_obstacle(dp->conf);
	if (dp->obstacle && !before) {
		if (rule_off(dp) < 0)
			(void)remove_all(dp->rtnl, dp->conf);
		log_warning("the fast path is off: tun carries all traffic",
			    "event=data-path-degraded data-path=tun why=\"%s\"", dp->obstacle);
	} else if (before && !dp->obstacle) {
		look_in(dp, 0);
		log_notice("the fast path is on again", "event=data-path-restored");
	}
}

/* The routes' own MTU is put with them, and is the lower one of the two. */
static void kernel_settings_changed(struct tunnel_dp *dp)
{
	size_t i;
	int err;

	obey(dp);
	for (i = 0; i < KIND_CNT; i++) {
		if (dp->devices[i].index == 0)
			continue;
		err = rtnl_link_up(dp->rtnl, dp->devices[i].index, device_mtu(dp, &kinds[i]), 0);
		if (err < 0) { /* made anew, it will have it */
			dp->devices[i].index = 0;
			look_in(dp, 0);
		}
	}
}

/* --- what was carried --- */

static void read_sent(struct tunnel_dp *dp)
{
	struct device *device;
	struct rtnl_sent now;
	size_t i;

	for (i = 0; i < KIND_CNT; i++) {
		device = &dp->devices[i];
		if (device->index == 0 || rtnl_link_sent(dp->rtnl, device->index, &now) < 0)
			continue;
		dp->sent.packets += now.packets - device->seen.packets;
		dp->sent.octets += now.octets - device->seen.octets;
		dp->sent.failures += now.failures - device->seen.failures;
		device->failures += now.failures - device->seen.failures;
		device->seen = now;
	}
}

static void kernel_add_stats(struct tunnel_dp *dp, struct stats *sum)
{
	read_sent(dp);
	sum->packets_to_nodes += dp->sent.packets;
	sum->bytes_to_nodes += dp->sent.octets;
	sum->fast_path_packets += dp->sent.packets;
	sum->tunnel_send_failures += dp->sent.failures;
	sum->fast_path_drops += dp->sent.failures;
}

static const char *kernel_tier(struct tunnel_dp *dp)
{
	return dp->obstacle ? "tun" : "kernel";
}

static void kernel_for_each_port(struct tunnel_dp *dp,
				 void (*fn)(void *ctx, const struct tunnel_port *port), void *ctx)
{
	size_t i;

	read_sent(dp);
	for (i = 0; i < KIND_CNT; i++)
		if (dp->devices[i].index != 0)
			fn(ctx, &(struct tunnel_port){
					.interface = dp->devices[i].name,
					.tier = kernel_tier(dp),
					.why = dp->obstacle ? dp->obstacle : kinds[i].why,
					.ifindex = dp->devices[i].index,
					.drops = dp->devices[i].failures,
				});
}

const struct tunnel_ops tunnel_kernel = {
	.name = "kernel",
	.caps = TUNNEL_CAP_IPIP | TUNNEL_CAP_GRE,
	.carried = SLOT_IS_CARRIED,
	.open = kernel_open,
	.close = kernel_close,
	.put = kernel_put,
	.del = kernel_del,
	.clean = kernel_clean,
	.reconcile = kernel_reconcile,
	.filter_changed = obey,
	.settings_changed = kernel_settings_changed,
	.add_stats = kernel_add_stats,
	.tier = kernel_tier,
	.for_each_port = kernel_for_each_port,
};

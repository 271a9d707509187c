/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which program is attached where, and how it stays there while the daemon does not.
 *
 * XDP by a BPF link, pinned as DIR/xdp-INDEX: it lives as long as its pin, so a killed daemon's
 * goes on, the next daemon finds it and puts its own program into it in one step. tc by a filter of
 * its own handle at the clsact hook, which lives as long as the interface; that it is ours is
 * marked by an empty directory DIR/tc-INDEX-HANDLE, and DIR/clsact-INDEX says that the hook itself
 * was not there before. So all of it can be found and taken away again, and nothing of anybody
 * else's is.
 *
 * XDP is chosen where the driver runs native programs and also sends what is redirected to it:
 * otherwise packets would be lost without a word, and tc, which can send anywhere, is the faster
 * one in the end. Linux says so since 6.3, and again when that has changed. Before that a driver
 * with native XDP is trusted, except veth,
 * which sends only if its other end is prepared for it.
 *
 * XDP sends nothing by an interface that is on tc, where tc would send it. So while any of ours is
 * on tc, our tc program stands behind XDP on all the others, and gets what XDP leaves.
 *
 * What the programs drop is counted by interface in entries of the map ha_drops, made and deleted
 * with the ports. They outlive a daemon: what is in one already was another daemon's to tell.
 *
 * Only Ethernet interfaces that stand for themselves are of interest. A port of a bridge or a bond
 * gets frames that are not for us; what they carry to this host comes by the bridge or the bond.
 */
#include "ha-core/tunnel/bpf/bpf_ports.h"

#include "common/err.h"
#include "common/log.h"
#include "ha-core/tunnel/bpf/habpf.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TC_PRIORITY 434   /* before what iproute2 gives to filters without one */
#define SETTLE_MS   50    /* a burst of changes costs one look */
#define PERIOD_MS   10000 /* between looks for what nobody tells: settings, tc filters */
#define PATH_SIZE   320

enum hook { HOOK_NONE, HOOK_XDP, HOOK_TC };

static const char *const tier_names[] = {
	[HOOK_NONE] = "tun",
	[HOOK_XDP] = "xdp",
	[HOOK_TC] = "tc",
};

struct port {
	struct port *next;
	unsigned int index;
	char name[IF_NAMESIZE];
	enum hook hook;
	struct habpf_port entry; /* as written */
	int link_fd;             /* of HOOK_XDP */
	uint64_t drops_before;   /* what had been counted when we first saw it */
	bool second;             /* HOOK_XDP: tc stands behind it */
	bool seen;               /* in the look that is going on */
	bool told;               /* that it is slower than it could be */
	const char *why;
};

struct bpf_ports {
	struct bpf_ports_conf conf;
	char **interfaces; /* owned copies */
	bool untold;       /* nobody has looked yet which of them are missing */
	struct port *ports;
	uint64_t *per_cpu; /* owned; an entry of ha_drops, to read into */
	int cpu_cnt;       /* possible ones */
	struct rtnl *rtnl;
	struct rtnl_monitor *monitor, *policies; /* policies NULL: no IPsec in this kernel */
	struct rtnl_monitor *features;           /* NULL: this kernel does not tell */
	struct loop_fd *readable, *policies_readable, *features_readable;
	struct loop_timer *timer;
	bool soon; /* it is to fire soon, not at the end of the period */
	/* The lowest MTU that a route has of its own, 0: none has; and to where. */
	uint32_t route_mtu;
	struct addr_prefix route_dst;
	bool routes_changed; /* since that was found out */
	bool policies_changed;
	uint64_t repair_cnt;
};

static void path_in(char path[PATH_SIZE], const char *dir, const char *kind, unsigned int index)
{
	(void)snprintf(path, PATH_SIZE, "%s/%s-%u", dir, kind, index);
}

/* --- drops --- */

/* All CPUs'; without an entry none are counted. */
static uint64_t drops_of(const struct bpf_ports *p, unsigned int index)
{
	uint64_t sum = 0;
	int cpu;

	if (bpf_map_lookup_elem(p->conf.drops_fd, &index, p->per_cpu) < 0)
		return 0;
	for (cpu = 0; cpu < p->cpu_cnt; cpu++)
		sum += p->per_cpu[cpu];
	return sum;
}

/* From now on its drops are counted; what an earlier daemon left goes on. */
static void count_drops(struct bpf_ports *p, struct port *port)
{
	memset(p->per_cpu, 0, (size_t)p->cpu_cnt * sizeof(*p->per_cpu));
	if (bpf_map_update_elem(p->conf.drops_fd, &port->index, p->per_cpu, BPF_NOEXIST) < 0)
		port->drops_before = drops_of(p, port->index);
}

/* --- tc --- */

static uint32_t tc_handle(const struct bpf_ports *p)
{
	return addr_host(p->conf.home_agent);
}

static void tc_mark_path(char path[PATH_SIZE], const char *dir, unsigned int index, uint32_t handle)
{
	(void)snprintf(path, PATH_SIZE, "%s/tc-%u-%08x", dir, index, handle);
}

static void tc_detach_filter(const char *dir, unsigned int index, uint32_t handle)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)index, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = handle, .priority = TC_PRIORITY);
	char path[PATH_SIZE];

	(void)bpf_tc_detach(&hook, &opts); /* the interface may be gone, or the filter */
	tc_mark_path(path, dir, index, handle);
	(void)rmdir(path);
}

static void tc_detach(const char *dir, unsigned int index, uint32_t handle)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)index);
	char path[PATH_SIZE];
	struct rtnl *r;

	tc_detach_filter(dir, index, handle);
	path_in(path, dir, "clsact", index);
	if (access(path, F_OK) < 0 || rtnl_open(&r) < 0)
		return;
	/* The hook was our doing; others may have come to it since. */
	if (!rtnl_has_filters(r, index)) {
		hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
		(void)bpf_tc_hook_destroy(&hook);
	}
	(void)rtnl_close(r);
	(void)rmdir(path);
}

static int tc_attach(struct bpf_ports *p, struct port *port)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)port->index, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = tc_handle(p), .priority = TC_PRIORITY,
		    .prog_fd = p->conf.tc_fd, .flags = BPF_TC_F_REPLACE);
	char path[PATH_SIZE];
	int err;

	err = bpf_tc_hook_create(&hook);
	if (err < 0 && err != -EEXIST)
		return err;
	path_in(path, p->conf.dir, "clsact", port->index);
	if (err == 0)
		(void)mkdir(path, 0700);
	/* The mark comes first: without it nobody would take the filter away again. */
	tc_mark_path(path, p->conf.dir, port->index, tc_handle(p));
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	err = bpf_tc_attach(&hook, &opts);
	if (err < 0)
		tc_detach(p->conf.dir, port->index, tc_handle(p));
	return err;
}

/* Is our program still there? Other hands may have deleted the hook with all that was on it. */
static bool tc_is_attached(const struct bpf_ports *p, const struct port *port)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)port->index, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = tc_handle(p), .priority = TC_PRIORITY);

	return bpf_tc_query(&hook, &opts) == 0;
}

/* Whoever of this directory's daemons did it. */
static bool tc_is_marked(const struct bpf_ports *p, const struct port *port)
{
	char path[PATH_SIZE];

	tc_mark_path(path, p->conf.dir, port->index, tc_handle(p));
	return access(path, F_OK) == 0;
}

/* --- XDP --- */

/* The link that a daemon before us pinned, if it is still this interface's; or -errno. */
static int xdp_adopt(const struct bpf_ports *p, const char *path, unsigned int index)
{
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);
	int fd = bpf_obj_get(path), err;

	if (fd < 0)
		return -errno;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (err == 0 && (info.type != BPF_LINK_TYPE_XDP || info.xdp.ifindex != index))
		err = -ENODEV;
	if (err == 0)
		err = bpf_link_update(fd, p->conf.xdp_fd, NULL);
	if (err == 0)
		return fd;
	(void)close(fd);
	return err;
}

/* `bpftool link detach` and its like leave a link, and its pin, with no interface. */
static bool xdp_is_attached(const struct port *port)
{
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(port->link_fd, &info, &len) < 0 ||
	       info.xdp.ifindex == port->index;
}

static int xdp_attach(struct bpf_ports *p, struct port *port)
{
	/* Native or not at all: the generic mode is slower than tc. */
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	char path[PATH_SIZE];
	int fd, err;

	path_in(path, p->conf.dir, "xdp", port->index);
	fd = xdp_adopt(p, path, port->index);
	if (fd < 0) {
		(void)unlink(path); /* of an interface that is no more: it held nothing */
		fd = bpf_link_create(p->conf.xdp_fd, (int)port->index, BPF_XDP, &opts);
		if (fd < 0)
			return fd;
		if (bpf_obj_pin(fd, path) < 0) {
			err = -errno;
			(void)close(fd);
			return err;
		}
	}
	port->link_fd = fd;
	return 0;
}

static void xdp_unpin(const char *dir, unsigned int index)
{
	char path[PATH_SIZE];

	path_in(path, dir, "xdp", index);
	(void)unlink(path);
}

static void xdp_detach(const char *dir, struct port *port)
{
	xdp_unpin(dir, port->index);
	(void)close(port->link_fd);
	port->link_fd = -1;
}

static const char *xdp_refusal(int err)
{
	switch (err) {
	case -EBUSY:
	case -EEXIST:
		return "another program is in its XDP hook";
	case -EOPNOTSUPP:
		return "its driver has no native XDP";
	case -ERANGE:
	case -EINVAL:
		return "its driver refuses XDP; its MTU may be too large for that";
	default:
		return err_text(err);
	}
}

/* Why XDP is not for this interface; NULL: it is worth trying. */
static const char *xdp_obstacle(const struct bpf_ports *p, const struct rtnl_link *link)
{
	uint64_t features = 0;

	if (p->conf.choice == TUNNEL_TC)
		return "by tunnel.data-path";
	if (p->conf.xdp_fd < 0)
		return "the kernel does not take the XDP program";
	if (rtnl_link_xdp_features(link->index, &features) < 0) {
		if (strcmp(link->kind, "veth") == 0 && p->conf.choice == TUNNEL_AUTO)
			return "the kernel does not say whether its other end takes what XDP "
			       "redirects";
		return NULL;
	}
	if (!(features & RTNL_XDP_BASIC) || !(features & RTNL_XDP_REDIRECT))
		return "its driver has no native XDP";
	if (!(features & RTNL_XDP_XMIT))
		return strcmp(link->kind, "veth") == 0
			       ? "its other end does not take what XDP redirects: it has neither "
				 "GRO nor XDP"
			       : "its driver does not send what XDP redirects";
	return NULL;
}

/* --- one interface --- */

/* net.ipv4.conf.WHERE.rp_filter; 0 if it cannot be read. */
static int rp_filter_of(const char *where)
{
	char path[128], text[8] = "";
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", where);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	(void)fclose(f);
	return atoi(text);
}

/*
 * The larger of the two settings holds, and 1 is the strict one. Where the kernel checks nothing,
 * sources without a way back are left to it all the same: our own addresses are among them.
 */
static uint16_t source_check(const char *name)
{
	int all = rp_filter_of("all"), own = rp_filter_of(name);

	return (all > own ? all : own) == 1 ? HABPF_PORT_STRICT : HABPF_PORT_LOOSE;
}

/* Lets packets enter and leave by it, as it is now. */
static int write_port(struct bpf_ports *p, struct port *port, const struct rtnl_link *link)
{
	struct habpf_port entry = { .flags = HABPF_PORT_ETHER };

	memcpy(entry.mac, link->mac, sizeof(entry.mac));
	entry.flags |= source_check(link->name);
	if (port->hook == HOOK_XDP) /* no other is known to send what XDP redirects to it */
		entry.flags |= HABPF_PORT_XMIT;
	if (port->second)
		entry.flags |= HABPF_PORT_SECOND;
	if (memcmp(&entry, &port->entry, sizeof(entry)) == 0)
		return 0;
	if (bpf_map_update_elem(p->conf.ports_fd, &port->index, &entry, BPF_ANY) < 0)
		return -errno;
	port->entry = entry;
	return 0;
}

static void detach(struct bpf_ports *p, struct port *port)
{
	port->entry = (struct habpf_port){ 0 };
	(void)bpf_map_update_elem(p->conf.ports_fd, &port->index, &port->entry, BPF_ANY);
	if (port->hook == HOOK_XDP)
		xdp_detach(p->conf.dir, port);
	if (port->hook == HOOK_TC || port->second)
		tc_detach(p->conf.dir, port->index, tc_handle(p));
	port->second = false;
	port->hook = HOOK_NONE;
}

static void tell(const struct bpf_ports *p, struct port *port)
{
	const bool is_less =
		port->hook == HOOK_NONE || (port->hook == HOOK_TC && p->conf.choice == TUNNEL_XDP);

	if (!is_less)
		log_info("the fast path is attached to an interface",
			 "event=data-path-attached interface=%s data-path=%s why=\"%s\"",
			 port->name, tier_names[port->hook], port->why);
	else if (!port->told)
		log_warning("an interface has a slower data path than asked for",
			    "event=data-path-degraded interface=%s data-path=%s why=\"%s\" "
			    "remedy=\"see hactl show status\"",
			    port->name, tier_names[port->hook], port->why);
	port->told = is_less;
}

/* Gives an interface the best program that it takes. */
static void attach(struct bpf_ports *p, struct port *port, const struct rtnl_link *link)
{
	enum hook before = port->hook;
	int err;

	port->why = xdp_obstacle(p, link);
	if (!port->why) {
		err = xdp_attach(p, port);
		if (err == 0) {
			if (before == HOOK_TC)
				tc_detach(p->conf.dir, port->index, tc_handle(p));
			port->hook = HOOK_XDP;
			port->why = "native";
		} else {
			port->why = xdp_refusal(err);
		}
	}
	if (port->hook == HOOK_NONE) {
		xdp_unpin(p->conf.dir, port->index); /* of a daemon before us */
		err = tc_attach(p, port);
		if (err == 0)
			port->hook = HOOK_TC;
		else
			port->why = err == -ENODEV ? "it is gone" : err_text(err);
	}
	if (port->hook != HOOK_NONE) {
		err = write_port(p, port, link);
		if (err < 0) {
			detach(p, port);
			port->why = err_text(err);
		}
	}
	if (port->hook != before || port->hook == HOOK_NONE)
		tell(p, port);
}

/*
 * XDP has come to lose packets where it is, so tc takes its place. Others are told first to
 * redirect nothing to this interface any more.
 */
static void give_up_xdp(struct bpf_ports *p, struct port *port, const struct rtnl_link *link)
{
	port->hook = HOOK_NONE;
	port->second = false; /* it is the first from now on */
	(void)write_port(p, port, link);
	xdp_detach(p->conf.dir, port);
}

static bool any_on_tc(const struct bpf_ports *p)
{
	const struct port *port = p->ports;

	while (port && port->hook != HOOK_TC)
		port = port->next;
	return port;
}

static void set_second(struct bpf_ports *p, struct port *port, bool second)
{
	struct habpf_port entry = port->entry;

	if (second)
		entry.flags |= HABPF_PORT_SECOND;
	else
		entry.flags &= (__u16)~HABPF_PORT_SECOND;
	/* Not told, the programs count what is left twice or never; it goes its way still. */
	if (bpf_map_update_elem(p->conf.ports_fd, &port->index, &entry, BPF_ANY) == 0)
		port->entry = entry;
	port->second = second;
	port->why = second ? "native, tc behind it" : "native";
	tell(p, port);
}

/* Other hands took our program away. */
static void repaired(struct bpf_ports *p, const struct port *port, const char *what)
{
	p->repair_cnt++;
	log_notice("a program of the fast path was taken away and is put back",
		   "event=data-path-repaired interface=%s program=%s data-path=%s", port->name,
		   what, tier_names[port->hook]);
}

/* What a daemon before us put there is replaced by our own program, or goes. */
static void settle_second(struct bpf_ports *p, struct port *port, bool is_wanted)
{
	int err;

	if (is_wanted && (!port->second || !tc_is_attached(p, port))) {
		err = tc_attach(p, port);
		if (err == 0 && !port->second)
			set_second(p, port, true);
		else if (err < 0 && port->second)
			set_second(p, port, false);
		else if (err == 0)
			repaired(p, port, tier_names[HOOK_TC]);
		if (err < 0)
			port->why = "native; tc cannot be put behind it";
	} else if (!is_wanted && (port->second || tc_is_marked(p, port))) {
		if (port->second)
			set_second(p, port, false);
		tc_detach(p->conf.dir, port->index, tc_handle(p));
	}
}

static bool is_wanted(const struct bpf_ports *p, const struct rtnl_link *link)
{
	size_t i;

	if (link->type != ARPHRD_ETHER || link->master != 0 || link->flags & IFF_LOOPBACK ||
	    link->index >= HABPF_PORT_CNT)
		return false;
	for (i = 0; i < p->conf.interface_cnt; i++)
		if (strcmp(p->interfaces[i], link->name) == 0)
			return true;
	return p->conf.interface_cnt == 0;
}

static struct port *find(const struct bpf_ports *p, unsigned int index)
{
	struct port *port = p->ports;

	while (port && port->index != index)
		port = port->next;
	return port;
}

static void on_link(void *ctx, const struct rtnl_link *link)
{
	struct bpf_ports *p = ctx;
	struct port *port = find(p, link->index);
	enum hook lost = HOOK_NONE;

	if (!is_wanted(p, link))
		return;
	if (!port) {
		port = calloc(1, sizeof(*port));
		if (!port)
			return; /* tun carries what comes there */
		port->index = link->index;
		port->link_fd = -1;
		count_drops(p, port);
		port->next = p->ports;
		p->ports = port;
	}
	port->seen = true;
	memcpy(port->name, link->name, sizeof(port->name));
	if (port->hook == HOOK_TC && !tc_is_attached(p, port)) {
		lost = port->hook;
		port->hook = HOOK_NONE;
	}
	if (port->hook == HOOK_XDP && !xdp_is_attached(port)) {
		lost = port->hook;
		give_up_xdp(p, port, link);
	}
	if (port->hook == HOOK_XDP && xdp_obstacle(p, link))
		give_up_xdp(p, port, link);
	if (port->hook != HOOK_XDP)
		attach(p, port, link); /* what was in the way may have gone */
	else
		(void)write_port(p, port, link);
	if (lost != HOOK_NONE && port->hook != HOOK_NONE)
		repaired(p, port, tier_names[lost]);
}

static void on_route(void *ctx, const struct rtnl_route *route)
{
	struct bpf_ports *p = ctx;

	/* Those of home agents lead into their tunnels, whose MTU is known by binding. */
	if (route->mtu == 0 || route->protocol == RTNL_PROTOCOL ||
	    (p->route_mtu != 0 && route->mtu >= p->route_mtu))
		return;
	p->route_mtu = route->mtu;
	p->route_dst = route->dst;
}

static int look_at_routes(struct bpf_ports *p)
{
	int err;

	p->route_mtu = 0;
	err = rtnl_route_dump(p->rtnl, 0, on_route, p);
	p->routes_changed = err < 0;
	return err;
}

/* There may be very many: only a change of what has been, or may be, the lowest is worth a look. */
static bool may_change_mtu(const struct bpf_ports *p, const struct rtnl_route *route)
{
	return route->protocol != RTNL_PROTOCOL &&
	       (route->mtu != 0 || (p->route_mtu != 0 && addr_prefix_eq(route->dst, p->route_dst)));
}

/* Those that the configuration names, and that are not there or not of a kind to attach to. */
static void tell_missing(struct bpf_ports *p)
{
	const struct port *port;
	size_t i;

	p->untold = false;
	for (i = 0; i < p->conf.interface_cnt; i++) {
		for (port = p->ports; port; port = port->next)
			if (strcmp(port->name, p->interfaces[i]) == 0)
				break;
		if (!port)
			log_warning("an interface of tunnel.interfaces has no fast path",
				    "event=data-path-degraded interface=%s data-path=tun "
				    "why=\"there is no such Ethernet interface, or it is a port "
				    "of another\"",
				    p->interfaces[i]);
	}
}

static int look(struct bpf_ports *p)
{
	struct port **at, *port;
	bool second;
	int err;

	if (p->routes_changed && look_at_routes(p) < 0)
		return -EAGAIN;

	for (port = p->ports; port; port = port->next)
		port->seen = false;
	err = rtnl_link_dump(p->rtnl, on_link, p);
	if (err < 0)
		return err; /* those not seen may be there all the same */
	for (at = &p->ports; (port = *at);) {
		if (port->seen) {
			at = &port->next;
			continue;
		}
		detach(p, port);
		log_info("an interface has no fast path any more: it is gone, not one of its own, "
			 "or not asked for",
			 "event=data-path-detached interface=%s", port->name);
		(void)bpf_map_delete_elem(p->conf.drops_fd, &port->index);
		*at = port->next;
		free(port);
	}
	second = any_on_tc(p);
	for (port = p->ports; port; port = port->next)
		if (port->hook == HOOK_XDP)
			settle_second(p, port, second);
	if (p->untold)
		tell_missing(p);
	p->conf.looked(p->conf.ctx, p->route_mtu); /* we may be closed by it */
	return 0;
}

/* At the latest: a timer that runs already fires at its time. */
static void look_soon(struct bpf_ports *p)
{
	if (!p->soon)
		loop_timer_start(p->timer, SETTLE_MS, PERIOD_MS);
	p->soon = true;
}

static void on_timer(void *ctx)
{
	struct bpf_ports *p = ctx;

	p->soon = false;
	if (look(p) < 0)
		look_soon(p);
}

static void on_change(void *ctx, const struct rtnl_change *change)
{
	struct bpf_ports *p = ctx;

	if (change->event == RTNL_ROUTE && may_change_mtu(p, &change->route))
		p->routes_changed = true;
	if (change->event == RTNL_LINK || p->routes_changed)
		look_soon(p);
	else if (change->event == RTNL_FEATURES)
		loop_timer_start(p->timer, 0, PERIOD_MS); /* packets could be lost by now */
	else if (change->event == RTNL_POLICY)
		p->policies_changed = true;
}

static void on_readable(void *ctx, int events)
{
	struct bpf_ports *p = ctx;

	(void)events;
	if (rtnl_monitor_read(p->monitor) < 0) { /* some were lost */
		p->routes_changed = true;
		look_soon(p);
	}
}

static void on_policy(void *ctx, int events)
{
	struct bpf_ports *p = ctx;

	(void)events;
	if (rtnl_monitor_read(p->policies) >= 0 && !p->policies_changed)
		return;
	p->policies_changed = false;
	/* At once: packets could go in the clear. We may be closed by it. */
	p->conf.looked(p->conf.ctx, p->route_mtu);
}

static void on_features(void *ctx, int events)
{
	struct bpf_ports *p = ctx;

	(void)events;
	if (rtnl_monitor_read(p->features) < 0)
		look_soon(p);
}

/* What was left by interfaces that are no more. */
static int forget_other_ports(struct bpf_ports *p)
{
	const struct habpf_port none = { 0 };
	struct habpf_port *entries = calloc(HABPF_PORT_CNT, sizeof(*entries));
	uint32_t *keys = calloc(HABPF_PORT_CNT, sizeof(*keys));
	uint32_t next, i, cnt = HABPF_PORT_CNT;
	int err = -ENOMEM;

	if (entries && keys) {
		err = bpf_map_lookup_batch(p->conf.ports_fd, NULL, &next, keys, entries, &cnt,
					   NULL);
		err = err < 0 && errno != ENOENT ? -errno : 0; /* that is the end of the map */
	}
	for (i = 0; err == 0 && i < cnt; i++)
		if (memcmp(&entries[i], &none, sizeof(none)) != 0 && !find(p, keys[i]) &&
		    bpf_map_update_elem(p->conf.ports_fd, &keys[i], &none, BPF_ANY) < 0)
			err = -errno;
	free(keys);
	free(entries);
	return err;
}

static void forget_other_drops(const struct bpf_ports *p)
{
	uint32_t index, next;
	uint32_t *before = NULL; /* the first key comes after none */

	while (bpf_map_get_next_key(p->conf.drops_fd, before, &next) == 0) {
		if (find(p, next)) {
			index = next;
			before = &index;
		} else if (bpf_map_delete_elem(p->conf.drops_fd, &next) < 0) {
			return;
		}
	}
}

/*
 * One name in the directory; true: it was one of ours, and it is gone.
 * @param p  who has ports that keep theirs; NULL: nobody
 */
static bool clean_one(const struct bpf_ports *p, const char *dir, const char *name)
{
	const struct port *port;
	unsigned int index, handle;
	char path[PATH_SIZE];
	bool has_tc;

	if (sscanf(name, "xdp-%u", &index) == 1) {
		port = p ? find(p, index) : NULL;
		if (port && port->hook == HOOK_XDP)
			return false;
		path_in(path, dir, "xdp", index);
		return unlink(path) == 0;
	}
	if (sscanf(name, "tc-%u-%x", &index, &handle) == 2) {
		port = p ? find(p, index) : NULL;
		has_tc = port && (port->hook == HOOK_TC || port->second);
		if (has_tc && handle == tc_handle(p))
			return false;
		tc_mark_path(path, dir, index, handle);
		if (has_tc) /* and the hook */
			tc_detach_filter(dir, index, handle);
		else
			tc_detach(dir, index, handle);
		return access(path, F_OK) < 0;
	}
	return false;
}

static unsigned int clean(const struct bpf_ports *p, const char *dir)
{
	unsigned int cnt = 0;
	struct dirent *entry;
	bool again = true;
	DIR *d;

	/* A directory is not to be read on while names vanish from it. */
	while (again && (d = opendir(dir))) {
		again = false;
		while (!again && (entry = readdir(d)))
			again = clean_one(p, dir, entry->d_name);
		(void)closedir(d);
		cnt += again;
	}
	return cnt;
}

/* --- all of them --- */

static void free_interfaces(struct bpf_ports *p)
{
	size_t i;

	for (i = 0; p->interfaces && i < p->conf.interface_cnt; i++)
		free(p->interfaces[i]);
	free(p->interfaces);
	p->interfaces = NULL;
	p->conf.interface_cnt = 0;
}

static int take_interfaces(struct bpf_ports *p, const char *const *interfaces, size_t cnt)
{
	struct bpf_ports copy = { .interfaces = calloc(cnt + 1, sizeof(*copy.interfaces)) };

	if (!copy.interfaces)
		return -ENOMEM;
	for (; copy.conf.interface_cnt < cnt; copy.conf.interface_cnt++) {
		copy.interfaces[copy.conf.interface_cnt] =
			strdup(interfaces[copy.conf.interface_cnt]);
		if (!copy.interfaces[copy.conf.interface_cnt]) {
			free_interfaces(&copy);
			return -ENOMEM;
		}
	}
	free_interfaces(p);
	p->interfaces = copy.interfaces;
	p->conf.interface_cnt = cnt;
	p->untold = true;
	return 0;
}

int bpf_ports_open(const struct bpf_ports_conf *conf, struct bpf_ports **ret_p)
{
	struct bpf_ports *p = calloc(1, sizeof(*p));
	int cpus = libbpf_num_possible_cpus();
	int err;

	if (!p)
		return -ENOMEM;
	p->conf = *conf;
	p->conf.interfaces = NULL; /* the caller's may go */
	p->conf.interface_cnt = 0;
	p->routes_changed = true;
	p->cpu_cnt = cpus > 0 ? cpus : 1;
	p->per_cpu = calloc((size_t)p->cpu_cnt, sizeof(*p->per_cpu));
	err = p->per_cpu ? take_interfaces(p, conf->interfaces, conf->interface_cnt) : -ENOMEM;
	if (err == 0)
		err = rtnl_open(&p->rtnl);
	if (err == 0)
		err = rtnl_monitor_open(on_change, p, &p->monitor);
	if (err == 0) {
		p->readable = loop_fd_new(conf->loop, rtnl_monitor_fd(p->monitor), LOOP_READ,
					  on_readable, p);
		p->timer = loop_timer_new(conf->loop, on_timer, p);
		err = p->readable && p->timer ? 0 : -ENOMEM;
	}
	if (err == 0 && rtnl_policy_monitor_open(on_change, p, &p->policies) == 0) {
		p->policies_readable = loop_fd_new(conf->loop, rtnl_monitor_fd(p->policies),
						   LOOP_READ, on_policy, p);
		err = p->policies_readable ? 0 : -ENOMEM;
	}
	if (err == 0 && rtnl_features_monitor_open(on_change, p, &p->features) == 0) {
		p->features_readable = loop_fd_new(conf->loop, rtnl_monitor_fd(p->features),
						   LOOP_READ, on_features, p);
		err = p->features_readable ? 0 : -ENOMEM;
	}
	if (err == 0)
		err = look(p);
	if (err == 0)
		err = forget_other_ports(p);
	if (err == 0) {
		forget_other_drops(p);
		(void)clean(p, conf->dir); /* links and filters that no port of ours has now */
	}
	if (err < 0) {
		(void)bpf_ports_close(p, false);
		return err;
	}
	loop_timer_start(p->timer, PERIOD_MS, PERIOD_MS);
	*ret_p = p;
	return 0;
}

int bpf_ports_set_interfaces(struct bpf_ports *p, const char *const *interfaces, size_t cnt)
{
	size_t i = 0;
	int err;

	while (i < cnt && i < p->conf.interface_cnt && strcmp(p->interfaces[i], interfaces[i]) == 0)
		i++;
	if (i == cnt && i == p->conf.interface_cnt)
		return 0;
	err = take_interfaces(p, interfaces, cnt);
	if (err < 0)
		return err;
	loop_timer_start(p->timer, 0, PERIOD_MS);
	p->soon = true;
	return 0;
}

struct bpf_ports *bpf_ports_close(struct bpf_ports *p, bool keep)
{
	struct port *port;

	if (!p)
		return NULL;
	while ((port = p->ports)) {
		p->ports = port->next;
		if (!keep)
			detach(p, port);
		else if (port->link_fd >= 0)
			(void)close(port->link_fd); /* its pin holds it */
		free(port);
	}
	(void)loop_timer_free(p->timer);
	(void)loop_fd_free(p->readable);
	(void)loop_fd_free(p->policies_readable);
	(void)loop_fd_free(p->features_readable);
	(void)rtnl_monitor_close(p->monitor);
	(void)rtnl_monitor_close(p->policies);
	(void)rtnl_monitor_close(p->features);
	(void)rtnl_close(p->rtnl);
	free_interfaces(p);
	free(p->per_cpu);
	free(p);
	return NULL;
}

unsigned int bpf_ports_clean(const char *dir)
{
	return clean(NULL, dir);
}

uint64_t bpf_ports_repair_cnt(const struct bpf_ports *p)
{
	return p->repair_cnt;
}

const char *bpf_ports_tier(const struct bpf_ports *p)
{
	enum hook best = HOOK_NONE;
	const struct port *port;

	for (port = p->ports; port; port = port->next)
		if (port->hook == HOOK_XDP || (port->hook == HOOK_TC && best == HOOK_NONE))
			best = port->hook;
	return tier_names[best];
}

void bpf_ports_for_each(const struct bpf_ports *p,
			void (*fn)(void *ctx, const struct tunnel_port *port), void *ctx)
{
	const struct port *port;

	for (port = p->ports; port; port = port->next)
		fn(ctx,
		   &(struct tunnel_port){ .interface = port->name,
					  .tier = tier_names[port->hook],
					  .why = port->why,
					  .ifindex = port->index,
					  .drops = drops_of(p, port->index) - port->drops_before });
}

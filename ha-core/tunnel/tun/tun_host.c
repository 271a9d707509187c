/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's side of the "tun" tier; tunnel_tun.c calls it. Everything here happens at start, at
 * the end, at a reload, and when a node of a physical home link leaves or comes home.
 *
 * The device carries no address: the home agent's own lives where the administrator put it, and
 * is the preferred source of our routes, so that what begins on this host has it as its source.
 *
 * The device's MTU is the largest there is and our routes carry none. A route's MTU would make
 * local TCP choose the right segments at once, but Linux obeys it when it forwards, too: it would
 * then fragment, and send "fragmentation needed", with one figure for tunnels whose overhead
 * differs by 24 octets. So every packet comes to us whole, forwarded or local, and we answer with
 * the figure of its own tunnel; local TCP learns it from its first full segment.
 *
 * A killed daemon leaves no device and no routes: they vanish with its descriptor. A device that
 * was made persistent is adopted, its routes of ours removed, and is persistent no more. What it
 * leaves beside the kernel's own tunnels, which does no harm, is removed by the next.
 *
 * net.ipv4.ip_forward is switched on if it was off, and then switched off again at the end, also by
 * the daemon after a killed one, unless a fast tier goes on forwarding or another home agent still
 * has routes here: a host that forwards and has lost the route into the device sends what is for
 * its nodes round and round. Loose reverse path filtering on a home link stays.
 */
#include "ha-core/tunnel/tun/tun_host.h"

#include "common/err.h"
#include "common/log.h"
#include "ha-core/tunnel/rtnl.h"
#include "ha-core/tunnel/setting.h"
#include "ha-core/tunnel/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FORWARDING       "ipv4/ip_forward"
#define DEVICE_MTU       65535
#define DEVICE_QUEUE_LEN 4096 /* packets: a burst at line rate while a registration is served */

struct tun_host {
	const struct tunnel_conf *conf;
	struct rtnl *rtnl;
	int fd;
	unsigned int index;
	uint64_t lost, lost_seen;   /* since we started; what this device said last */
	bool forwarding_is_ours;    /* it was off when we came */
	char note[PATH_MAX];        /* of that */
	struct addr_set were_links; /* home networks: single addresses may have routes still */
	struct addr_set addresses;  /* of this host, as of the last change that we were told of */
	bool addresses_known;
};

static void note_in(struct tun_host *h)
{
	(void)snprintf(h->note, sizeof(h->note), "%s/%s.forwarding", h->conf->run_dir,
		       h->conf->device);
}

static int refuse(const struct tunnel_conf *conf, const char *what, int err, const char *remedy)
{
	log_error("cannot lay down the tunnels",
		  "event=data-path-refused data-path=tun device=%s what=\"%s\" error=\"%s\" "
		  "remedy=\"%s\"",
		  conf->device, what, err_text(err), remedy);
	return err;
}

static void set_forwarding(struct tun_host *h)
{
	const struct tunnel_conf *conf = h->conf;
	int rc;

	rc = setting_borrow(h->note, FORWARDING);
	h->forwarding_is_ours = rc > 0;
	if (rc > 0)
		log_info("forwarding of IPv4 packets is on for this host as long as we are",
			 "event=forwarding-enabled setting=net.ipv4.ip_forward");
	else if (rc < 0)
		log_warning("this host does not forward IPv4 packets",
			    "event=forwarding-off error=\"%s\" "
			    "remedy=\"sysctl -w net.ipv4.ip_forward=1\"",
			    err_text(rc));
	if (setting_read(conf->device, "forwarding", 0) == 0 &&
	    setting_write(conf->device, "forwarding", 1) < 0)
		log_warning("the tunnel device does not forward IPv4 packets",
			    "event=forwarding-off device=%s "
			    "remedy=\"sysctl -w net.ipv4.conf.%s.forwarding=1\"",
			    conf->device, conf->device);
}

/*
 * Where a packet came from is judged by its binding, not by the route back. Redirects make no
 * sense on a device whose every packet leaves by another way. IPv6 has no business here.
 */
static void set_device(const struct tunnel_conf *conf)
{
	char name[64];

	(void)setting_write(conf->device, "rp_filter", 0);
	(void)setting_write(conf->device, "accept_redirects", 0);
	(void)setting_write(conf->device, "send_redirects", 0);
	(void)snprintf(name, sizeof(name), "ipv6/conf/%s/disable_ipv6", conf->device);
	(void)setting_write(NULL, name, 1);
}

/*
 * A node that comes home speaks on the home link while its route still leads into the tunnel.
 * Strict reverse path filtering there drops its deregistration, and even its question for our MAC
 * address; so it is made loose, which still wants a route to the source. The larger value of "all"
 * and the link's own counts (1 strict, 2 loose).
 */
static void loosen_strict_filter(const char *link)
{
	int all = setting_read("all", "rp_filter", 0), own = setting_read(link, "rp_filter", 0);
	int err;

	if ((all > own ? all : own) != 1)
		return;
	err = setting_write(link, "rp_filter", 2);
	if (err == 0)
		log_info("reverse path filtering on a home link made loose, for nodes that come "
			 "home",
			 "event=rp-filter-loosened setting=net.ipv4.conf.%s.rp_filter", link);
	else
		log_warning("reverse path filtering on a home link will drop what a node sends "
			    "when it comes home",
			    "event=strict-rp-filter interface=%s error=\"%s\" "
			    "remedy=\"sysctl -w net.ipv4.conf.%s.rp_filter=2\"",
			    link, err_text(err), link);
}

/* home_link.c answers for nodes that are away. The kernel would, too, and for those at home. */
static void warn_of_kernel_proxy(const char *link)
{
	if (setting_read("all", "proxy_arp", 0) != 0 || setting_read(link, "proxy_arp", 0) != 0)
		log_warning("the kernel answers ARP on a home link for whatever is elsewhere",
			    "event=kernel-proxy-arp interface=%s "
			    "remedy=\"sysctl -w net.ipv4.conf.all.proxy_arp=0 "
			    "net.ipv4.conf.%s.proxy_arp=0\"",
			    link, link);
}

/*
 * The kernel's modules ipip and ip_gre bring a device each that, once up, unpacks tunnel packets
 * from anyone beside us, without asking for a binding.
 */
static void warn_of_open_tunnels(struct tun_host *h)
{
	static const char *const names[] = { "tunl0", "gre0" };
	struct rtnl_link link;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (rtnl_link_get(h->rtnl, names[i], &link) == 0 && link.flags & IFF_UP)
			log_warning("a tunnel device of the kernel takes packets from anyone",
				    "event=open-tunnel-device interface=%s "
				    "remedy=\"ip link set %s down\"",
				    names[i], names[i]);
	}
}

/* --- beside the kernel's own tunnels --- */

/* sink.c says why. */
static void open_sinks(struct tun_host *h)
{
	const char *kind;
	size_t i;
	int err;

	for (i = 0; (kind = sink_kind(i)); i++) {
		if (!sink_is_needed(kind))
			continue;
		(void)sink_close(h->rtnl, h->conf->device, kind); /* an earlier run's */
		err = sink_open(h->rtnl, h->conf->device, kind, h->conf->home_agent);
		if (err >= 0)
			log_info("the kernel's own tunnels are kept from our packets",
				 "event=kernel-tunnels-kept-off kind=%s", kind);
		else
			log_warning(
				"the kernel's own tunnels get our packets, too, and answer them",
				"event=kernel-tunnels-answer kind=%s error=\"%s\" "
				"remedy=\"%s\"",
				kind, err_text(err),
				err == -EBUSY ? "net.ipv4.conf.all.rp_filter 0 or 1, not 2"
					      : "rmmod the module if nothing needs it");
	}
}

static void close_sinks(struct tun_host *h)
{
	const char *kind;
	size_t i;

	for (i = 0; (kind = sink_kind(i)); i++)
		(void)sink_close(h->rtnl, h->conf->device, kind);
}

/* --- the device --- */

static int device_open(struct tun_host *h)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	const struct tunnel_conf *conf = h->conf;
	const char *remedy;
	int err;

	h->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (h->fd < 0) {
		err = -errno;
		remedy = "start as root or by systemd, with access to /dev/net/tun";
		if (err == -ENOENT || err == -ENODEV || err == -ENXIO)
			remedy = "modprobe tun; in a container, pass /dev/net/tun in";
		else if (err == -EACCES) /* root's start ends as another user, too */
			remedy = "chmod 0666 /dev/net/tun, as udev does: a device takes "
				 "CAP_NET_ADMIN besides";
		return refuse(conf, "open /dev/net/tun", err, remedy);
	}
	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", conf->device);
	if (ioctl(h->fd, TUNSETIFF, &ifr) < 0) {
		err = -errno;
		remedy = "see the error";
		if (err == -EPERM || err == -EACCES)
			remedy = "start as root or by systemd, with CAP_NET_ADMIN";
		else if (err == -EBUSY)
			remedy = "another process holds the device: is the daemon running twice?";
		else if (err == -EINVAL)
			remedy = "a link of this name exists and is no TUN device: rename it";
		return refuse(conf, "create the TUN device", err, remedy);
	}
	(void)ioctl(h->fd, TUNSETPERSIST, 0);
	return 0;
}

/* A device that is not the one before begins to count where it is. */
static void take_device(struct tun_host *h, unsigned int index)
{
	struct rtnl_sent sent = { 0 };

	if (h->index != index && rtnl_link_sent(h->rtnl, index, &sent) == 0)
		h->lost_seen = sent.failures;
	h->index = index;
}

static int device_up(struct tun_host *h)
{
	struct rtnl_link link;
	int err;

	err = rtnl_link_get(h->rtnl, h->conf->device, &link);
	if (err == 0)
		err = rtnl_link_up(h->rtnl, link.index, DEVICE_MTU, DEVICE_QUEUE_LEN);
	if (err < 0)
		return refuse(h->conf, "set the TUN device up", err, rtnl_error(h->rtnl));
	take_device(h, link.index);
	return 0;
}

/* --- what an earlier run left, and what this one leaves to nobody --- */

/* A dump may not be interrupted by requests, so what it finds is noted down first. */
struct findings {
	const struct tun_host *h;
	struct rtnl_route *routes;
	size_t route_cnt;
	bool no_memory;
};

static void note_route(void *ctx, const struct rtnl_route *route)
{
	struct findings *f = ctx;
	struct rtnl_route *more;

	if (route->index != f->h->index)
		return;
	more = reallocarray(f->routes, f->route_cnt + 1, sizeof(*more));
	if (!more) {
		f->no_memory = true;
		return;
	}
	f->routes = more;
	f->routes[f->route_cnt++] = *route;
}

/* @return how many were removed, or -errno */
static int remove_all(struct tun_host *h)
{
	struct findings f = { .h = h };
	size_t i;
	int err;

	err = rtnl_route_dump(h->rtnl, RTNL_PROTOCOL, note_route, &f);
	if (err == 0 && f.no_memory)
		err = -ENOMEM;
	/* One that is gone by now is as good as removed. */
	for (i = 0; i < f.route_cnt; i++)
		(void)rtnl_route_del(h->rtnl, &f.routes[i]);
	free(f.routes);
	return err < 0 ? err : (int)f.route_cnt;
}

/* --- routes and neighbours --- */

static int add_route(struct tun_host *h, struct addr_prefix dst)
{
	struct rtnl_route route = {
		.dst = dst,
		.index = h->index,
	};

	/* A route that names an address needs it, and goes with it: a standby has none. */
	if (!h->conf->address_floats)
		route.src = h->conf->home_agent;

	return rtnl_route_add(h->rtnl, &route);
}

static int put_route(struct tun_host *h, struct addr_prefix dst)
{
	struct rtnl_route found = { 0 };
	int err = add_route(h, dst);

	if (err == -EEXIST) {
		err = rtnl_route_get(h->rtnl, dst.addr, (struct in_addr){ 0 }, &found);
		if (err == 0 && found.index != h->index)
			err = -EEXIST; /* somebody else's */
	}
	return err;
}

static int del_route(struct tun_host *h, struct addr_prefix dst)
{
	const struct rtnl_route route = { .dst = dst, .index = h->index };
	int err = rtnl_route_del(h->rtnl, &route);

	return err == -ESRCH ? 0 : err;
}

static int route_network(struct tun_host *h, struct addr_prefix prefix)
{
	int err = put_route(h, prefix);
	char what[80];

	if (err >= 0)
		return 0;
	(void)snprintf(what, sizeof(what), "route %s into the device", addr_prefix_text(prefix).s);
	return refuse(h->conf, what, err,
		      err == -EEXIST ? "a route for this home network exists: remove it, or name "
				       "the network's interface if it is a link"
				     : rtnl_error(h->rtnl));
}

static int find_home_link(struct tun_host *h, const char *interface)
{
	struct rtnl_link link;
	char what[80];
	int err = rtnl_link_get(h->rtnl, interface, &link);

	if (err >= 0)
		return 0;
	(void)snprintf(what, sizeof(what), "find the home link %s", interface);
	return refuse(h->conf, what, err, "home-networks: interface must name a link of this host");
}

static void settle_home_link(const char *interface)
{
	loosen_strict_filter(interface);
	warn_of_kernel_proxy(interface);
}

static int lay_down_network(struct tun_host *h, const struct tunnel_home_network *net)
{
	int err;

	if (net->interface[0] == '\0')
		return route_network(h, net->prefix);
	err = find_home_link(h, net->interface);
	if (err == 0)
		settle_home_link(net->interface);
	return err;
}

int tun_host_open(const struct tunnel_conf *conf, struct tun_host **ret_h)
{
	struct tun_host *h = calloc(1, sizeof(*h));
	int err, removed;
	size_t i;

	if (!h)
		return -ENOMEM;
	h->conf = conf;
	h->fd = -1;
	note_in(h);
	err = rtnl_open(&h->rtnl);
	if (err < 0) {
		(void)refuse(conf, "open rtnetlink", err, "see the error");
		goto out;
	}
	err = device_open(h);
	if (err == 0)
		err = device_up(h);
	if (err < 0)
		goto out;
	removed = remove_all(h);
	if (removed < 0) {
		err = refuse(conf, "look for what an earlier run left", removed,
			     rtnl_error(h->rtnl));
		goto out;
	}
	if (removed > 0)
		log_info("removed routes that an earlier run left",
			 "event=leftovers-removed device=%s count=%d", conf->device, removed);
	set_device(conf);
	for (i = 0; i < conf->home_network_cnt; i++) {
		err = lay_down_network(h, &conf->home_networks[i]);
		if (err < 0)
			goto out;
	}
	set_forwarding(h); /* of all devices, so before those that shall not */
	open_sinks(h);
	warn_of_open_tunnels(h);
	*ret_h = h;
	return 0;
out:
	(void)tun_host_close(h);
	return err;
}

static void count_route(void *ctx, const struct rtnl_route *route)
{
	unsigned int *cnt = ctx;

	(void)route;
	(*cnt)++;
}

static void restore_forwarding(struct tun_host *h)
{
	unsigned int others = 0;

	if (!h->forwarding_is_ours || (h->conf->goes_on && *h->conf->goes_on) ||
	    rtnl_route_dump(h->rtnl, RTNL_PROTOCOL, count_route, &others) < 0 || others > 0)
		return;
	if (setting_give_back(h->note, FORWARDING) == 0)
		log_info("forwarding of IPv4 packets switched off again",
			 "event=forwarding-restored setting=net.ipv4.ip_forward");
}

int tun_host_clean(const struct tunnel_conf *conf)
{
	struct tun_host h = { .conf = conf };
	int err = rtnl_open(&h.rtnl);

	if (err < 0)
		return err;
	close_sinks(&h);
	note_in(&h);
	h.forwarding_is_ours = setting_is_borrowed(h.note, FORWARDING);
	restore_forwarding(&h);
	(void)rtnl_close(h.rtnl);
	return 0;
}

struct tun_host *tun_host_close(struct tun_host *h)
{
	if (!h)
		return NULL;
	if (h->index != 0) {
		(void)remove_all(h);
		close_sinks(h);
		restore_forwarding(h);
	}
	if (h->fd >= 0)
		(void)close(h->fd); /* the device goes with it */
	h->rtnl = rtnl_close(h->rtnl);
	addr_set_done(&h->were_links);
	addr_set_done(&h->addresses);
	free(h);
	return NULL;
}

int tun_host_fd(const struct tun_host *h)
{
	return h->fd;
}

static bool is_on_home_link(const struct tun_host *h, struct in_addr home_addr)
{
	const struct tunnel_home_network *net = h->conf->home_networks;
	size_t i;

	for (i = 0; i < h->conf->home_network_cnt; i++, net++)
		if (net->interface[0] != '\0' && addr_prefix_contains(net->prefix, home_addr))
			return true;
	return false;
}

int tun_host_put(struct tun_host *h, struct in_addr home_addr)
{
	const struct addr_prefix host = { home_addr, 32 };

	if (is_on_home_link(h, home_addr))
		return put_route(h, host);
	return addr_set_contains(&h->were_links, home_addr) ? del_route(h, host) : 0;
}

int tun_host_del(struct tun_host *h, struct in_addr home_addr)
{
	if (!is_on_home_link(h, home_addr) && !addr_set_contains(&h->were_links, home_addr))
		return 0;
	return del_route(h, (struct addr_prefix){ home_addr, 32 });
}

int tun_host_route(struct tun_host *h, struct addr_prefix network, bool on)
{
	return on ? put_route(h, network) : del_route(h, network);
}

/* Only a virtual network is routed as a whole. Those that do not stay. */
static void unroute_networks(struct tun_host *h, const struct tunnel_home_network *nets,
			     size_t net_cnt, const struct tunnel_home_network *stay,
			     size_t stay_cnt)
{
	size_t i;
	int err;

	for (i = 0; i < net_cnt; i++) {
		if (nets[i].interface[0] != '\0' ||
		    tunnel_home_network_find(stay, stay_cnt, &nets[i]))
			continue;
		err = del_route(h, nets[i].prefix);
		if (err < 0)
			log_warning("a route into the tunnels stays, though nothing there is ours",
				    "event=route-stays network=%s device=%s error=\"%s\"",
				    addr_prefix_text(nets[i].prefix).s, h->conf->device,
				    err_text(err));
	}
}

/* Before a network stops being a link: without memory for that, it cannot. */
static int note_links(struct tun_host *h, const struct tunnel_home_network *networks, size_t cnt)
{
	const struct tunnel_home_network *net = h->conf->home_networks;
	size_t i;
	int err = 0;

	for (i = 0; i < h->conf->home_network_cnt && err == 0; i++, net++)
		if (net->interface[0] != '\0' && !tunnel_home_network_find(networks, cnt, net))
			err = addr_set_add(&h->were_links, net->prefix);
	return err;
}

int tun_host_set_networks(struct tun_host *h, const struct tunnel_home_network *networks,
			  size_t cnt)
{
	const struct tunnel_home_network *before = h->conf->home_networks;
	const size_t before_cnt = h->conf->home_network_cnt;
	size_t i;
	int err;

	err = note_links(h, networks, cnt);
	if (err < 0)
		return err;
	for (i = 0; i < cnt; i++) {
		if (tunnel_home_network_find(before, before_cnt, &networks[i]))
			continue;
		err = networks[i].interface[0] == '\0' ? route_network(h, networks[i].prefix)
						       : find_home_link(h, networks[i].interface);
		if (err < 0) {
			unroute_networks(h, networks, i, before, before_cnt);
			return err;
		}
	}
	for (i = 0; i < cnt; i++)
		if (networks[i].interface[0] != '\0' &&
		    !tunnel_home_network_find(before, before_cnt, &networks[i]))
			settle_home_link(networks[i].interface);
	unroute_networks(h, before, before_cnt, networks, cnt);
	return 0;
}

uint32_t tun_host_port(const struct tun_host *h)
{
	return rtnl_port(h->rtnl);
}

/* @return 1: it was missing; 0: it is there; or -errno */
static int ensure_route(struct tun_host *h, struct addr_prefix dst)
{
	int err = add_route(h, dst);

	return err == -EEXIST ? 0 : err == 0 ? 1 : err;
}

unsigned int tun_host_index(const struct tun_host *h)
{
	return h->index;
}

uint64_t tun_host_lost(struct tun_host *h)
{
	struct rtnl_sent sent;

	if (rtnl_link_sent(h->rtnl, h->index, &sent) == 0) {
		h->lost += sent.failures - h->lost_seen;
		h->lost_seen = sent.failures;
	}
	return h->lost;
}

bool tun_host_device_is_gone(struct tun_host *h)
{
	struct rtnl_link link;
	int err = rtnl_link_get(h->rtnl, h->conf->device, &link);

	return err == -ENODEV || (err == 0 && link.index != h->index);
}

int tun_host_remake_device(struct tun_host *h)
{
	int err;

	if (h->fd >= 0)
		(void)close(h->fd);
	err = device_open(h);
	if (err == 0)
		err = device_up(h);
	if (err == 0)
		set_device(h->conf);
	return err;
}

/* What cannot be put back has been told at the start, or is told by the tier that needs it. */
static int ensure_sinks(struct tun_host *h)
{
	const char *kind;
	int done = 0;
	size_t i;

	for (i = 0; (kind = sink_kind(i)); i++)
		if (sink_is_needed(kind) &&
		    sink_open(h->rtnl, h->conf->device, kind, h->conf->home_agent) == 0)
			done++;
	return done;
}

unsigned int tun_host_sink_cnt(struct tun_host *h)
{
	unsigned int cnt = 0;
	const char *kind;
	size_t i;

	for (i = 0; (kind = sink_kind(i)); i++)
		cnt += sink_is_up(h->rtnl, h->conf->device, kind);
	return cnt;
}

static int ensure_device_is_up(struct tun_host *h)
{
	struct rtnl_link link;
	int err = rtnl_link_get(h->rtnl, h->conf->device, &link);

	if (err < 0 || link.flags & IFF_UP)
		return err;
	return device_up(h);
}

int tun_host_repair(struct tun_host *h)
{
	const struct tunnel_home_network *net = h->conf->home_networks;
	const struct network *behind;
	const struct binding *b;
	int err, done = 0;
	size_t i;

	err = ensure_device_is_up(h);
	for (i = 0; err >= 0 && i < h->conf->home_network_cnt; i++, net++) {
		if (net->interface[0] != '\0')
			continue;
		err = ensure_route(h, net->prefix);
		done += err > 0;
	}
	for (b = binding_first(h->conf->cache); err >= 0 && b;
	     b = binding_next(h->conf->cache, b)) {
		if (!is_on_home_link(h, b->key.home_addr))
			continue;
		err = ensure_route(h, (struct addr_prefix){ b->key.home_addr, 32 });
		done += err > 0;
	}
	for (behind = h->conf->networks->all; err >= 0 && behind; behind = behind->next) {
		err = ensure_route(h, behind->prefix);
		done += err > 0;
	}
	done += ensure_sinks(h);
	return err < 0 ? err : done;
}

bool tun_host_is_local(struct tun_host *h, struct in_addr addr)
{
	struct rtnl_route route;
	int err;

	if (addr_eq(addr, h->conf->home_agent))
		return true;
	err = rtnl_route_get(h->rtnl, addr, (struct in_addr){ 0 }, &route);
	if (err == -ENETUNREACH || err == -EHOSTUNREACH)
		return false;
	/* If the kernel does not say, it might be. */
	return err < 0 || route.type != RTN_UNICAST;
}

static void add_address(void *ctx, const struct rtnl_addr *a)
{
	const struct addr_prefix net = addr_prefix_of(a->addr, a->len);
	const struct in_addr all[] = { a->addr, net.addr, addr_prefix_broadcast(net) };
	struct tun_host *h = ctx;
	size_t i;

	/* A network of one or two addresses has no name and no broadcast address (RFC 3021). */
	for (i = 0; i < (a->len <= 30 ? sizeof(all) / sizeof(*all) : 1) && h->addresses_known; i++)
		h->addresses_known =
			addr_set_add(&h->addresses, (struct addr_prefix){ all[i], 32 }) == 0;
}

static void read_addresses(struct tun_host *h)
{
	addr_set_done(&h->addresses);
	h->addresses_known = true; /* unless memory is short */
	if (rtnl_addr_dump(h->rtnl, add_address, h) < 0)
		h->addresses_known = false;
}

static bool is_listed(const struct tun_host *h, struct in_addr addr)
{
	return addr_eq(addr, h->conf->home_agent) || addr_set_contains(&h->addresses, addr);
}

bool tun_host_has_address(struct tun_host *h, struct in_addr addr)
{
	if (h->addresses_known && !is_listed(h, addr))
		return false;
	read_addresses(h); /* what may be over refuses nobody */
	/* If the kernel does not say, it might. */
	return !h->addresses_known || is_listed(h, addr);
}

void tun_host_forget_addresses(struct tun_host *h)
{
	h->addresses_known = false;
}

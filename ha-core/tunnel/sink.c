/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the kernel's modules ipip and ip_gre are loaded, they too get the tunnel packets that our
 * raw sockets get: they answer each with "port unreachable", as they know no such tunnel; or, if
 * somebody has set up a device of theirs for packets from anyone, they forward what is in it,
 * without a look at our bindings. So each gets a device for our address, which comes before those,
 * and which leads nowhere: it does not forward, and no route leads to it, so that to a strict
 * reverse path filter no source is right.
 *
 * The base tier opens them for modules that are loaded, or are later, and puts them back; the tier
 * "kernel" for those that it loads.
 */
#include "ha-core/tunnel/sink.h"

#include "ha-core/tunnel/setting.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct sink {
	const char *kind, *module, *suffix;
	const char *first; /* the link that the module brings */
} sinks[] = {
	{ "ipip", "/sys/module/ipip", "-ipip", "tunl0" },
	{ "gre", "/sys/module/ip_gre", "-gre", "gre0" },
};
#define SINK_CNT (sizeof(sinks) / sizeof(sinks[0]))

const char *sink_kind(size_t i)
{
	return i < SINK_CNT ? sinks[i].kind : NULL;
}

static const struct sink *sink_of(const char *kind)
{
	size_t i;

	for (i = 0; i < SINK_CNT - 1; i++)
		if (strcmp(sinks[i].kind, kind) == 0)
			break;
	return &sinks[i];
}

bool sink_is_needed(const char *kind)
{
	return access(sink_of(kind)->module, F_OK) == 0;
}

static void name_of(const char *device, const char *kind, char name[IF_NAMESIZE])
{
	(void)snprintf(name, IF_NAMESIZE, "%.9s%s", device, sink_of(kind)->suffix);
}

bool sink_concerns(const char *device, const char *name)
{
	char own[IF_NAMESIZE];
	size_t i;

	for (i = 0; i < SINK_CNT; i++) {
		name_of(device, sinks[i].kind, own);
		if (strcmp(name, own) == 0 || strcmp(name, sinks[i].first) == 0)
			return true;
	}
	return false;
}

int sink_disarm(const char *name)
{
	char ipv6[64];
	int err = setting_write(name, "forwarding", 0);

	if (err == 0)
		err = setting_write(name, "rp_filter", 1);
	/* What "all" says may not make its filter a loose one. */
	if (err == 0 && setting_read("all", "rp_filter", 2) > 1)
		err = -EBUSY;
	(void)setting_write(name, "accept_redirects", 0);
	(void)snprintf(ipv6, sizeof(ipv6), "ipv6/conf/%s/disable_ipv6", name);
	(void)setting_write(NULL, ipv6, 1);
	return err;
}

int sink_open(struct rtnl *r, const char *device, const char *kind, struct in_addr local)
{
	char name[IF_NAMESIZE];
	struct rtnl_link link;
	int err;

	name_of(device, kind, name);
	if (rtnl_link_get(r, name, &link) == 0) {
		if (link.flags & IFF_UP)
			return 1;
		(void)rtnl_link_del(r, name);
	}
	err = rtnl_tunnel_add(r, name, kind, local);
	if (err < 0)
		return err;
	err = sink_disarm(name);
	if (err == 0)
		err = rtnl_link_get(r, name, &link);
	if (err == 0)
		err = rtnl_link_up(r, link.index, 0, 0);
	if (err < 0)
		(void)rtnl_link_del(r, name);
	return err;
}

bool sink_is_up(struct rtnl *r, const char *device, const char *kind)
{
	char name[IF_NAMESIZE];
	struct rtnl_link link;

	name_of(device, kind, name);
	return rtnl_link_get(r, name, &link) == 0 && link.flags & IFF_UP;
}

int sink_close(struct rtnl *r, const char *device, const char *kind)
{
	char name[IF_NAMESIZE];

	name_of(device, kind, name);
	return rtnl_link_del(r, name);
}

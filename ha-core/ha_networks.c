/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The home networks in force. ha.c makes them from the first file and lends them to the engine, the
 * registration sockets and the data path; at a reload it makes the next, lets the data path and the
 * home links change over, then the engine, and frees those of before when the reload is done.
 *
 * Until then both are known: what was laid down for one home address (a route, a claim on a link)
 * is by the network that it was of, and the bindings are looked through one by one.
 */
#include "ha-core/ha_networks.h"

#include "common/log.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int ha_networks_copy(const struct ha_conf *conf, struct ha_networks *ret_n)
{
	struct ha_networks n = { .cnt = conf->home_network_cnt };
	const struct ha_conf_home_network *net = conf->home_networks;
	size_t i;

	n.prefixes = calloc(n.cnt, sizeof(*n.prefixes));
	n.broadcasts = calloc(n.cnt, sizeof(*n.broadcasts));
	n.tunnel = calloc(n.cnt, sizeof(*n.tunnel));
	if (!n.prefixes || !n.broadcasts || !n.tunnel) {
		ha_networks_done(&n);
		return -ENOMEM;
	}
	for (i = 0; i < n.cnt; i++, net++) {
		n.prefixes[i] = net->prefix;
		n.broadcasts[i] = addr_prefix_broadcast(net->prefix);
		n.tunnel[i].prefix = net->prefix;
		memcpy(n.tunnel[i].interface, net->interface, sizeof(n.tunnel[i].interface));
	}
	*ret_n = n;
	return 0;
}

void ha_networks_done(struct ha_networks *n)
{
	free(n->tunnel);
	free(n->broadcasts);
	free(n->prefixes);
	*n = (struct ha_networks){ 0 };
}

static const struct tunnel_home_network *network_of(const struct ha_networks *n,
						    struct in_addr addr)
{
	size_t i;

	for (i = 0; i < n->cnt; i++)
		if (addr_prefix_contains(n->prefixes[i], addr))
			return &n->tunnel[i];
	return NULL;
}

bool ha_networks_moved(const struct ha_networks *before, const struct ha_networks *n,
		       struct in_addr home_addr)
{
	const struct tunnel_home_network *from = network_of(before, home_addr);
	const struct tunnel_home_network *to = network_of(n, home_addr);

	if (!from || !to)
		return from != to;
	return (from->interface[0] != '\0' || to->interface[0] != '\0') &&
	       !tunnel_home_network_eq(from, to);
}

static const struct tunnel_home_network *find(const struct ha_networks *n,
					      struct addr_prefix prefix)
{
	size_t i;

	for (i = 0; i < n->cnt; i++)
		if (addr_prefix_eq(n->prefixes[i], prefix))
			return &n->tunnel[i];
	return NULL;
}

static const char *interface_text(const struct tunnel_home_network *net)
{
	return net->interface[0] ? net->interface : "-";
}

void ha_networks_log(const struct ha_networks *before, const struct ha_networks *n)
{
	const struct tunnel_home_network *net, *was;
	size_t i;

	for (i = 0; i < before->cnt; i++)
		if (!find(n, before->prefixes[i]))
			log_info("a home network is served no more",
				 "event=home-network-removed network=%s interface=%s",
				 addr_prefix_text(before->prefixes[i]).s,
				 interface_text(&before->tunnel[i]));
	assert(n->tunnel || n->cnt == 0);
	for (i = 0; i < n->cnt; i++) {
		net = &n->tunnel[i];
		was = find(before, net->prefix);
		if (!was)
			log_info("a home network is served from now on",
				 "event=home-network-added network=%s interface=%s",
				 addr_prefix_text(net->prefix).s, interface_text(net));
		else if (!tunnel_home_network_eq(was, net))
			log_info("a home network is another link from now on",
				 "event=home-network-moved network=%s interface=%s before=%s",
				 addr_prefix_text(net->prefix).s, interface_text(net),
				 interface_text(was));
	}
}

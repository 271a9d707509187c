/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The home networks in force. ha.c makes them from the first file and lends them to the engine, the
 * registration sockets and the data path; at a reload it makes the next, lets the data path change
 * over, then the engine, and frees those of before when nobody points to them any more.
 *
 * A virtual network is a route and a pool, and can come and go; no interface has its broadcast
 * address, so there is nothing to listen on. One with an interface has sockets, an ARP table and
 * advertisements besides (io/home_link.c), laid down once. So a file that changes one of those
 * leaves all home networks as they are until a restart: which of the others could be taken alone
 * depends on what overlaps, and half a list is no list that an operator has written.
 */
#include "ha-core/ha_networks.h"

#include "common/log.h"

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

bool ha_networks_contain(const struct ha_networks *n, struct addr_prefix prefix)
{
	size_t i;

	for (i = 0; i < n->cnt; i++)
		if (addr_prefix_covers(n->prefixes[i], prefix))
			return true;
	return false;
}

static bool same_link(const struct ha_conf_home_network *a, const struct ha_conf_home_network *b)
{
	return addr_prefix_eq(a->prefix, b->prefix) && strcmp(a->interface, b->interface) == 0 &&
	       a->gratuitous_arps == b->gratuitous_arps && a->advertise == b->advertise &&
	       a->advertisement_interval_s == b->advertisement_interval_s &&
	       a->advertisement_lifetime_s == b->advertisement_lifetime_s &&
	       a->advertise_default_router == b->advertise_default_router &&
	       a->advertise_prefix_length == b->advertise_prefix_length;
}

static bool has_links_of(const struct ha_conf *conf, const struct ha_conf *other)
{
	const struct ha_conf_home_network *link;
	size_t i, k;

	for (i = 0; i < other->home_network_cnt; i++) {
		link = &other->home_networks[i];
		if (link->interface[0] == '\0')
			continue;
		for (k = 0; k < conf->home_network_cnt; k++)
			if (same_link(&conf->home_networks[k], link))
				break;
		if (k == conf->home_network_cnt)
			return false;
	}
	return true;
}

bool ha_networks_same_links(const struct ha_conf *a, const struct ha_conf *b)
{
	return has_links_of(a, b) && has_links_of(b, a);
}

static bool has(const struct ha_networks *n, struct addr_prefix prefix)
{
	size_t i;

	for (i = 0; i < n->cnt; i++)
		if (addr_prefix_eq(n->prefixes[i], prefix))
			return true;
	return false;
}

void ha_networks_log(const struct ha_networks *before, const struct ha_networks *n)
{
	size_t i;

	for (i = 0; i < before->cnt; i++)
		if (!has(n, before->prefixes[i]))
			log_info("a home network is served no more",
				 "event=home-network-removed network=%s",
				 addr_prefix_text(before->prefixes[i]).s);
	for (i = 0; i < n->cnt; i++)
		if (!has(before, n->prefixes[i]))
			log_info("a home network is served from now on",
				 "event=home-network-added network=%s",
				 addr_prefix_text(n->prefixes[i]).s);
}

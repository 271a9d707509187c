/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table's index is the address of the interface, which is looked up at the start and at a
 * reload: the one that lies in the home network, as hosts of the link know it. A link without an
 * address of ours there has no row. ha.c calls.
 */
#include "ha-core/snmp/snmp_advert.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_ACTIVE      1   /* RowStatus */
#define INTERVAL_DEFAULT_S 600 /* RFC 1256 §4.1, what a lifetime is three of without an interval */
#define ALL_SYSTEMS        0xe0000001 /* 224.0.0.1 */

static bool find_address(const struct ifaddrs *list, const struct ha_conf_home_network *net,
			 struct in_addr *ret_addr)
{
	const struct sockaddr_in *sin;

	for (; list; list = list->ifa_next) {
		sin = (const struct sockaddr_in *)(const void *)list->ifa_addr;
		if (!sin || sin->sin_family != AF_INET ||
		    strcmp(list->ifa_name, net->interface) != 0 ||
		    !addr_prefix_contains(net->prefix, sin->sin_addr))
			continue;
		*ret_addr = sin->sin_addr;
		return true;
	}
	return false;
}

static struct snmp_row_advertisement row_of(const struct ha_conf_home_network *net,
					    struct in_addr addr, uint16_t max_lifetime_s)
{
	const uint16_t interval_s =
		net->advertisement_interval_s ? net->advertisement_interval_s : INTERVAL_DEFAULT_S;

	return (struct snmp_row_advertisement){
		.key = addr_host(addr),
		.interface_addr = addr,
		.max_registration_s = max_lifetime_s,
		.prefix_lengths = net->advertise_prefix_length,
		.destination = addr_from_host(ALL_SYSTEMS),
		.max_interval_s = interval_s,
		.min_interval_s = interval_s * 3 / 4,
		.lifetime_s = net->advertisement_lifetime_s ? net->advertisement_lifetime_s
							    : (uint32_t)3 * interval_s,
		.solicited_only = net->advertisement_interval_s == 0,
		.status = STATUS_ACTIVE,
	};
}

static int compare(const void *a, const void *b)
{
	const struct snmp_row_advertisement *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

int snmp_advert_set(struct snmp_source *src, const struct ha_conf *conf)
{
	struct ifaddrs *list;
	struct in_addr addr;
	size_t i;

	free(src->advertisements);
	src->advertisement_cnt = 0;
	src->advertisements = calloc(conf->home_network_cnt, sizeof(*src->advertisements));
	if (!src->advertisements)
		return -ENOMEM;
	if (getifaddrs(&list) < 0)
		return -errno;
	for (i = 0; i < conf->home_network_cnt; i++)
		if (conf->home_networks[i].interface[0] && conf->home_networks[i].advertise &&
		    find_address(list, &conf->home_networks[i], &addr))
			src->advertisements[src->advertisement_cnt++] = row_of(
				&conf->home_networks[i], addr, conf->registration.max_lifetime_s);
	freeifaddrs(list);
	qsort(src->advertisements, src->advertisement_cnt, sizeof(*src->advertisements), compare);
	return 0;
}

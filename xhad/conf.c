/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows that only xhad has: what may pass its tunnels, and what is inside the enterprise
 * (RFC 5265 §3.7). main.c hands them to the shared start-up, which reads them together with the
 * shared rows; xhad_policy.c and ipsec_only.c ask the struct.
 *
 * ipsec-only without any VPN gateway lets nothing pass. A file that says nothing of forwarding has
 * that by default, which is safe, and it is warned of; one that says something and no gateway is
 * wrong.
 */
#include "xhad/conf.h"

#include <net/if.h>
#include <string.h>

static const char *const policies[] = {
	[XHAD_CONF_IPSEC_ONLY] = "ipsec-only", [XHAD_CONF_ANY] = "any", NULL
};

static const char *warn_policy(const void *field)
{
	return *(const enum xhad_conf_policy *)field == XHAD_CONF_ANY
		       ? "any traffic may leave the tunnels, encrypted or not: use ipsec-only"
		       : NULL;
}

static const char *check_gateway(const void *item)
{
	return addr_is_unicast(((const struct addr_prefix *)item)->addr)
		       ? NULL
		       : "a VPN gateway has an address that a host can have";
}

static const char *warn_inside(const void *item)
{
	return ((const struct addr_prefix *)item)->len == 0
		       ? "everywhere is inside: every request will be dropped"
		       : NULL;
}

#define FIELD(member)          CONF_FIELD(struct xhad_conf, member)
#define FIELD2(member, second) CONF_FIELD2(struct xhad_conf, member, second)

const struct conf_key xhad_conf_rows[] = {
	{ "forwarding.policy", CONF_ENUM, FIELD(forwarding.policy), .choices = policies,
	  .dflt = "ipsec-only", .warn = warn_policy,
	  .doc = "What an external home address may exchange: ipsec-only, IKE and ESP with the VPN "
		 "gateways and nothing else; any, everything with everyone." },
	{ "forwarding.vpn-gateways", CONF_ADDRESS_SET, FIELD(forwarding.vpn_gateways),
	  .check = check_gateway,
	  .doc = "The only peers of an external home address under ipsec-only. With none listed "
		 "nothing "
		 "passes; a file that speaks of forwarding has to list one." },
	{ "inside.interfaces", CONF_STRING_LIST, FIELD2(inside.interfaces, inside.interface_cnt),
	  .max = 15,
	  .doc = "Interfaces towards the enterprise: requests that come in by them are dropped and "
		 "logged." },
	{ "inside.networks", CONF_PREFIX_SET, FIELD(inside.networks), .warn = warn_inside,
	  .doc = "Networks of the enterprise: requests from them are dropped and logged." },
	{ 0 }
};

static void check_there_are_some(const struct xhad_conf *own, const struct conf_doc *doc,
				 const char *path, struct conf_faults *faults)
{
	static const char key[] = "forwarding.vpn-gateways";

	if (own->forwarding.policy != XHAD_CONF_IPSEC_ONLY ||
	    own->forwarding.vpn_gateways.cnt > 0 || !conf_is_sound(doc, key) ||
	    !conf_is_sound(doc, "forwarding.policy"))
		return;
	if (conf_is_given(doc, key) || conf_is_given(doc, "forwarding.policy"))
		conf_faults_add(faults, path, conf_where(doc, key),
				"%s: none is listed, and so ipsec-only lets nothing pass", key);
	else
		conf_warnings_add(faults, path, conf_where(doc, key),
				  "%s: none is listed, so nothing may pass the tunnels", key);
}

/* Where packets to it go into a tunnel, and not to it; NULL: nowhere. A home link has hosts. */
static const char *taken_by(struct in_addr gateway, const struct ha_conf *conf)
{
	const struct ha_conf_home_network *net = conf->home_networks;
	size_t i;

	for (i = 0; i < conf->home_network_cnt; i++, net++) {
		if (net->has_dynamic_pool && addr_prefix_contains(net->dynamic_pool, gateway))
			return "lies in a dynamic-pool";
		if (net->interface[0] == '\0' && addr_prefix_contains(net->prefix, gateway))
			return "lies in a virtual home network";
	}
	for (i = 0; i < conf->mobile_node_cnt; i++)
		if (addr_eq(conf->mobile_nodes[i].home_addr, gateway))
			return "is a mobile node's home address";
	return NULL;
}

/* The kernel's own devices have no filter, so the packets of every tunnel go by tun. */
static void warn_of_data_path(const struct xhad_conf *own, const struct ha_conf *conf,
			      const struct conf_doc *doc, const char *path,
			      struct conf_faults *faults)
{
	if (conf->tunnel.data_path == HA_CONF_DATA_PATH_KERNEL &&
	    own->forwarding.policy == XHAD_CONF_IPSEC_ONLY)
		conf_warnings_add(faults, path, conf_where(doc, "tunnel.data-path"),
				  "tunnel.data-path: kernel cannot filter, and forwarding.policy "
				  "is ipsec-only: tun will carry everything");
}

static bool is_among(const struct if_nameindex *i, const char *name)
{
	while (i->if_name && strcmp(i->if_name, name) != 0)
		i++;
	return i->if_name;
}

/* Not if_nametoindex(): for a name that there is not, the kernel first looks for a module. */
const char *xhad_conf_missing_interface(const struct xhad_conf *own, size_t *at)
{
	struct if_nameindex *there = own->inside.interface_cnt > 0 ? if_nameindex() : NULL;
	const char *missing = NULL;

	while (there && !missing && *at < own->inside.interface_cnt) {
		const char *name = own->inside.interfaces[(*at)++];

		if (!is_among(there, name))
			missing = name;
	}
	if (there)
		if_freenameindex(there);
	return missing;
}

bool xhad_conf_is_everywhere_inside(const struct xhad_conf *own)
{
	return own->inside.networks.cnt > 0 && own->inside.networks.prefixes[0].len == 0;
}

void xhad_conf_check(const void *xhad_conf, const struct ha_conf *conf, const struct conf_doc *doc,
		     const char *path, struct conf_faults *faults)
{
	const struct xhad_conf *own = xhad_conf;
	const struct addr_set *gateways = &own->forwarding.vpn_gateways;
	const struct conf_mark at = conf_where(doc, "forwarding.vpn-gateways");
	struct in_addr gateway;
	const char *why, *name;
	size_t i = 0;

	while ((name = xhad_conf_missing_interface(own, &i)))
		conf_warnings_add(
			faults, path, conf_where(doc, "inside.interfaces"),
			"inside.interfaces: %s is not on this host: nothing comes in by it", name);
	warn_of_data_path(own, conf, doc, path, faults);
	check_there_are_some(own, doc, path, faults);
	for (i = 0; i < gateways->cnt; i++) {
		gateway = gateways->prefixes[i].addr;
		why = taken_by(gateway, conf);
		if (why)
			conf_faults_add(faults, path, at,
					"forwarding.vpn-gateways: %s %s: no packet would reach it",
					addr_text(gateway).s, why);
		else if (addr_eq(gateway, conf->address))
			conf_warnings_add(faults, path, at,
					  "forwarding.vpn-gateways: %s is the home agent's own "
					  "address: does a VPN gateway listen there?",
					  addr_text(gateway).s);
	}
}

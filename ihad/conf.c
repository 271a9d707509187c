/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows that only ihad has: the networks it trusts (RFC 5265 §4.3). main.c hands them to the
 * shared start-up, which reads them together with the shared rows; ihad_policy.c asks the set.
 *
 * None by default, and then no request is answered: the RFC says that no network may be trusted
 * unless an administrator said so.
 */
#include "ihad/conf.h"

#include "common/log.h"

#define EVERYWHERE                                                                      \
	"everywhere is trusted: every node that is answered may stop encrypting; list " \
	"the internal networks only"

static const char *warn_trusted(const void *item)
{
	const struct addr_prefix *p = item;

	if (p->len == 0)
		return EVERYWHERE;
	return ihad_conf_is_private(*p) ? NULL
					: "trusted, and of public addresses: is all of it inside?";
}

const struct conf_key ihad_conf_rows[] = {
	{ "trusted-networks", CONF_PREFIX_SET, CONF_FIELD(struct ihad_conf, trusted_networks),
	  .warn = warn_trusted, .warn_all = "together these are all addresses: " EVERYWHERE,
	  .warn_empty = "no network is trusted, so no request will be answered",
	  .doc = "The internal networks: requests from anywhere else are dropped in silence and "
		 "logged. List every client network, the foreign agents, and the addresses that "
		 "the "
		 "VPN gateway gives its clients. None by default, and then no request is "
		 "answered." },
	{ 0 }
};

bool ihad_conf_is_private(struct addr_prefix p)
{
	static const char *const privates[] = { "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16" };
	struct addr_prefix q;
	size_t i;

	for (i = 0; i < sizeof(privates) / sizeof(*privates); i++)
		if (addr_prefix_parse(privates[i], &q) == 0 && addr_prefix_covers(q, p))
			return true;
	return false;
}

void ihad_conf_warn(const struct ihad_conf *conf)
{
	size_t i;

	if (conf->trusted_networks.cnt == 0)
		log_warning("no network is trusted, so no request will be answered",
			    "event=no-trusted-networks");
	for (i = 0; i < conf->trusted_networks.cnt; i++) {
		if (!ihad_conf_is_private(conf->trusted_networks.prefixes[i]))
			log_warning("trusted network of public addresses: is all of it inside?",
				    "event=public-trusted-network prefix=%s",
				    addr_prefix_text(conf->trusted_networks.prefixes[i]).s);
	}
}

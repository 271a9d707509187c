/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows that only xhad has: what may pass its tunnels, and what is inside the enterprise
 * (RFC 5265 §3.7). main.c hands them to the shared start-up, which reads them together with the
 * shared rows; xhad_policy.c and ipsec_only.c ask the struct.
 *
 * ipsec-only without any VPN gateway lets nothing pass. That is safe and sometimes wanted while a
 * site is being built, so it is no fault.
 */
#include "xhad/conf.h"

static const char *const policies[] = {
	[XHAD_CONF_IPSEC_ONLY] = "ipsec-only", [XHAD_CONF_ANY] = "any", NULL
};

static const char *warn_policy(const void *field)
{
	return *(const enum xhad_conf_policy *)field == XHAD_CONF_ANY
		       ? "any traffic may leave the tunnels, encrypted or not: use ipsec-only"
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
	  .doc = "The only peers of an external home address under ipsec-only. None lets nothing "
		 "pass." },
	{ "inside.interfaces", CONF_STRING_LIST, FIELD2(inside.interfaces, inside.interface_cnt),
	  .max = 15,
	  .doc = "Interfaces towards the enterprise: requests that come in by them are dropped and "
		 "logged." },
	{ "inside.networks", CONF_PREFIX_SET, FIELD(inside.networks),
	  .doc = "Networks of the enterprise: requests from them are dropped and logged." },
	{ 0 }
};

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forwarding.policy ipsec-only: what may pass between an external home address and the VPN
 * gateways (RFC 4093 §2.2: a home agent that forwards only encrypted traffic). AH is not here,
 * because it does not encrypt.
 */
#include "xhad/conf.h"
#include "xhad/xhad_policy.h"

static const struct tunnel_filter_row rows[] = {
	{ .protocol = IPPROTO_ESP },
	{ .protocol = IPPROTO_UDP, .port = 500 },  /* IKE, RFC 7296 */
	{ .protocol = IPPROTO_UDP, .port = 4500 }, /* IKE and ESP across NATs, RFC 3948 */
};

const struct tunnel_filter *xhad_policy_filter(const void *ctx)
{
	static struct tunnel_filter filter = {
		.rows = rows,
		.row_cnt = sizeof(rows) / sizeof(rows[0]),
	};
	const struct xhad_conf *conf = ctx;

	if (conf->forwarding.policy == XHAD_CONF_ANY)
		return NULL;
	filter.peers = conf->forwarding.vpn_gateways;
	return &filter;
}

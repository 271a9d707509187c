/* SPDX-License-Identifier: BSD-2-Clause */
/* xhad: the external home agent, as a description. */
#include "common/log.h"
#include "ha-core/ha.h"
#include "xhad/conf.h"
#include "xhad/xhad_policy.h"

static void warn(const void *ctx)
{
	const struct xhad_conf *conf = ctx;
	const char *name;
	size_t at = 0;

	if (xhad_conf_is_everywhere_inside(conf))
		log_warning("everywhere is inside, so every request will be dropped",
			    "event=inside-everywhere remedy=\"list the enterprise's networks under "
			    "inside.networks\"");
	while ((name = xhad_conf_missing_interface(conf, &at)))
		log_warning("an inside interface is not on this host",
			    "event=no-inside-interface interface=%s", name);
	if (conf->forwarding.policy == XHAD_CONF_ANY)
		log_warning("any traffic may leave the tunnels, encrypted or not",
			    "event=policy-any remedy=\"set forwarding.policy: ipsec-only\"");
	else if (conf->forwarding.vpn_gateways.cnt == 0)
		log_warning("no VPN gateway is listed, so nothing may pass the tunnels",
			    "event=no-vpn-gateways remedy=\"list them under "
			    "forwarding.vpn-gateways\"");
}

static void status(const void *ctx, struct ctl_reply *r)
{
	const struct xhad_conf *conf = ctx;

	ctl_field(r, "forwarding-policy", CTL_STRING);
	ctl_string(r, conf->forwarding.policy == XHAD_CONF_ANY ? "any" : "ipsec-only");
	ctl_field(r, "vpn-gateways", CTL_NUMBER);
	ctl_number(r, conf->forwarding.vpn_gateways.cnt);
	ctl_field(r, "inside-networks", CTL_NUMBER);
	ctl_number(r, conf->inside.networks.cnt);
	ctl_field(r, "inside-interfaces", CTL_NUMBER);
	ctl_number(r, conf->inside.interface_cnt);
}

int main(int argc, char **argv)
{
	static const struct ha_daemon xhad = {
		.info = { .name = "xhad",
			  .title = "external home agent: a stable address under IPsec",
			  .default_config = SYSCONFDIR "/home-agent/xhad.yaml" },
		.device = "xhad0",
		.conf_rows = xhad_conf_rows,
		.conf_size = sizeof(struct xhad_conf),
		.conf_check = xhad_conf_check,
		.policy = { .admits = xhad_policy_admits, .filter = xhad_policy_filter },
		.warn = warn,
		.status = status,
	};

	return ha_main(&xhad, argc, argv);
}

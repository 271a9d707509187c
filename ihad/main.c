/* SPDX-License-Identifier: BSD-2-Clause */
/* ihad: the internal home agent, as a description. */
#include "ha-core/ha.h"
#include "ihad/conf.h"
#include "ihad/ihad_policy.h"

static void warn(const void *ctx)
{
	ihad_conf_warn(ctx);
}

static const struct addr_set *trusted(const void *ctx)
{
	const struct ihad_conf *conf = ctx;

	return &conf->trusted_networks;
}

static void status(const void *ctx, struct ctl_reply *r)
{
	const struct ihad_conf *conf = ctx;

	ctl_field(r, "trusted-networks", CTL_NUMBER);
	ctl_number(r, conf->trusted_networks.cnt);
}

static void trusted_networks(const void *ctx, struct ctl_reply *r)
{
	static const struct ctl_column columns[] = { { "network", CTL_STRING },
						     { "addresses", CTL_STRING } };
	const struct ihad_conf *conf = ctx;
	size_t i;

	ctl_table(r, columns, 2,
		  "no network is trusted, so no request is answered: list them under "
		  "trusted-networks");
	for (i = 0; i < conf->trusted_networks.cnt; i++) {
		ctl_row(r);
		ctl_string(r, addr_prefix_text(conf->trusted_networks.prefixes[i]).s);
		ctl_string(r, ihad_conf_is_private(conf->trusted_networks.prefixes[i]) ? "private"
										       : "public");
	}
}

int main(int argc, char **argv)
{
	static const struct ha_daemon ihad = {
		.info = { .name = "ihad",
			  .title = "internal home agent: trusted networks, TNC extension",
			  .default_config = SYSCONFDIR "/home-agent/ihad.yaml" },
		.device = "ihad0",
		.conf_rows = ihad_conf_rows,
		.conf_size = sizeof(struct ihad_conf),
		.policy = { .admits = ihad_policy_admits,
			    .extend_reply = ihad_policy_extend_reply },
		.warn = warn,
		.trusted = trusted,
		.status = status,
		.trusted_networks = trusted_networks,
	};

	return ha_main(&ihad, argc, argv);
}

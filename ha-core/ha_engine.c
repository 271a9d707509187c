/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From configuration to engine: at the start and, off the loop, for every reload. Nothing here
 * keeps state; what is made belongs to the engine.
 */
#include "ha-core/ha_engine.h"

#include "common/err.h"
#include "common/log.h"

#define FETCH_STEPS 4 /* of sa_peer_fetch(): a new node has no association yet */
#define FETCH_AHEAD 8 /* nodes between two steps */

static uint8_t encap_mode_of(enum ha_conf_encap encap)
{
	switch (encap) {
	case HA_CONF_ENCAP_MINIMAL:
		return ENCAP_MINIMAL;
	case HA_CONF_ENCAP_GRE:
		return ENCAP_GRE;
	case HA_CONF_ENCAP_IPIP:
		break;
	}
	return ENCAP_IPIP;
}

static enum engine_reverse reverse_of(enum ha_conf_reverse reverse)
{
	switch (reverse) {
	case HA_CONF_REVERSE_REQUIRED:
		return ENGINE_REVERSE_REQUIRED;
	case HA_CONF_REVERSE_DISABLED:
		return ENGINE_REVERSE_DISABLED;
	case HA_CONF_REVERSE_OPTIONAL:
		break;
	}
	return ENGINE_REVERSE_OPTIONAL;
}

struct engine_conf ha_engine_conf(const struct ha_conf *conf, const struct ha_networks *networks)
{
	struct engine_conf ec = {
		.home_agent = conf->address,
		.home_networks = networks->prefixes,
		.home_network_cnt = networks->cnt,
		.max_lifetime_s = conf->registration.max_lifetime_s,
		.udp_max_lifetime_s = conf->nat.max_lifetime_s,
		.max_bindings = conf->registration.max_simultaneous_bindings,
		.reverse = reverse_of(conf->tunnel.reverse_tunnel),
		.nat_enabled = conf->nat.enabled,
		.nat_forced = conf->nat.forced,
		.keepalive_s = conf->nat.keepalive_s,
		.revocation = { .enabled = conf->revocation.enabled,
				.required = conf->revocation.required,
				.inform = conf->revocation.inform,
				.on_move = conf->revocation.on_move,
				.max_outstanding = conf->revocation.max_outstanding },
		.redirect = conf->redirect,
		.redirect_drawn = conf->redirect_layout == HA_CONF_LAYOUT_DRAWN,
		.strict_reserved = conf->registration.strict_reserved_bits,
		.message_strings = conf->registration.message_strings,
		.max_denials_per_node_s = conf->registration.max_denials_per_node_s,
		.max_denials_s = conf->registration.max_denials_s,
		.max_denial_percent = conf->registration.max_denial_percent,
	};
	size_t i;

	if (ec.udp_max_lifetime_s == 0)
		ec.udp_max_lifetime_s = ec.max_lifetime_s;
	for (i = 0; i < conf->tunnel.encapsulation_cnt; i++)
		ec.encap[ec.encap_cnt++] = encap_mode_of(conf->tunnel.encapsulation[i]);
	return ec;
}

static int add_networks(struct engine *e, const struct ha_conf_node *node)
{
	bool implicit = node->mobile_network_mode == HA_CONF_NETWORKS_IMPLICIT;
	size_t i;
	int rc = 0;

	for (i = 0; i < node->mobile_networks.cnt && rc == 0; i++)
		rc = engine_add_network(e, node->home_addr, node->nai,
					node->mobile_networks.prefixes[i], implicit);
	return rc;
}

static int add_previous_key(struct engine *e, const struct ha_conf_node *node)
{
	int64_t until_s;

	if (!node->previous_key || ha_conf_time(node->previous_key_until, &until_s) < 0)
		return 0;
	return engine_add_previous_key(e, node->home_addr, node->nai, node->spi, node->previous_key,
				       node->previous_key_len, clock_ntp_from_unix(until_s, 0));
}

/* While one node is added, the places of those that follow come closer, a step at a time. */
static void fetch_ahead(const struct engine *e, const struct ha_conf *conf, size_t i)
{
	unsigned int step;
	size_t k;

	for (step = 0; step < FETCH_STEPS; step++) {
		k = i + (size_t)(FETCH_STEPS - step) * FETCH_AHEAD;
		if (k < conf->mobile_node_cnt)
			sa_peer_fetch(&e->nodes, conf->mobile_nodes[k].home_addr, step);
	}
}

int ha_engine_associate(struct engine *e, const struct ha_conf *conf)
{
	const uint64_t tolerance = REPLAY_SECONDS(conf->registration.timestamp_tolerance_s);
	const struct ha_conf_foreign_agent *fa;
	const struct ha_conf_node *node;
	size_t i;
	int rc;

	for (i = 0; i < conf->mobile_node_cnt; i++) {
		node = &conf->mobile_nodes[i];
		fetch_ahead(e, conf, i);
		rc = engine_add_node(e, node->home_addr, node->nai, node->spi, node->algorithm,
				     node->key, node->key_len,
				     node->replay == HA_CONF_REPLAY_NONCE ? REPLAY_NONCE
									  : REPLAY_TIMESTAMP,
				     tolerance);
		if (rc == 0)
			rc = add_previous_key(e, node);
		if (rc == 0)
			rc = engine_limit_services(e, node->home_addr, node->nai,
						   (const char *const *)node->services,
						   node->service_cnt, node->service_required);
		if (rc == 0)
			rc = add_networks(e, node);
		if (rc < 0) {
			log_error("cannot add a mobile node",
				  "event=association-failed home-address=%s spi=%u algorithm=%s "
				  "error=\"%s\"",
				  addr_text(node->home_addr).s, node->spi,
				  mac_name(node->algorithm), err_text(rc));
			return rc;
		}
	}
	for (i = 0; i < conf->foreign_agent_cnt; i++) {
		fa = &conf->foreign_agents[i];
		rc = engine_add_foreign_agent(e, fa->address, fa->spi, fa->algorithm, fa->key,
					      fa->key_len);
		if (rc < 0) {
			log_error("cannot add a foreign agent",
				  "event=association-failed address=%s spi=%u error=\"%s\"",
				  addr_text(fa->address).s, fa->spi, err_text(rc));
			return rc;
		}
	}
	return 0;
}

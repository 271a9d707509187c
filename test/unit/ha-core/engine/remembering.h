/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TEST_UNIT_HA_CORE_ENGINE_REMEMBERING_H
#define TEST_UNIT_HA_CORE_ENGINE_REMEMBERING_H
/*
 * Engines whose records one of them leaves and another one reads, for tests. They have the same
 * nodes: alice by her address, with a timestamp's association and a nonce's, bob and eve by name.
 */

#include "ha-core/engine/memory.h"

#include <string.h>

#include <cmocka.h>

#define HOME_AGENT 0x0a000002u
#define ALICE      0x0a320007u
#define CARE_OF    0x0a010010u
#define POOL       0x0a328000u
#define TOLERANCE  7
#define NOW_NTP    0xe8fe6f8000000000u

static inline uint32_t hook_random(void *ctx)
{
	(void)ctx;
	return 1;
}

static inline void begin_with(struct engine *e, struct engine_hooks hooks, const struct clock *now)
{
	static const struct ha_policy no_policy;
	static struct addr_prefix home_net;
	const struct engine_conf conf = { .home_agent = addr_from_host(HOME_AGENT),
					  .home_networks = &home_net,
					  .home_network_cnt = 1,
					  .max_lifetime_s = 1800,
					  .max_bindings = 4 };
	const struct addr_prefix pool = { addr_from_host(POOL), 29 };
	const struct in_addr none = { 0 };
	static const char *const names[] = { "bob@Corp.Example", "eve@corp.example" };

	home_net = (struct addr_prefix){ addr_from_host(0x0a320000), 16 };
	hooks.random = hook_random;
	assert_int_equal(engine_init(e, &conf, 8, &no_policy, NULL, &hooks, now), 0);
	assert_int_equal(pool_add(&e->pool, pool), 0);
	assert_int_equal(engine_add_node(e, addr_from_host(ALICE), NULL, 256, MAC_HMAC_MD5, "k", 1,
					 REPLAY_TIMESTAMP, REPLAY_SECONDS(TOLERANCE)),
			 0);
	assert_int_equal(engine_add_node(e, addr_from_host(ALICE), NULL, 257, MAC_HMAC_MD5, "k", 1,
					 REPLAY_NONCE, 0),
			 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(engine_add_node(e, none, names[i], 256, MAC_HMAC_MD5, "k", 1,
						 REPLAY_TIMESTAMP, REPLAY_SECONDS(TOLERANCE)),
				 0);
}

static inline struct sa_peer *alice(struct engine *e)
{
	return sa_peer_find(&e->nodes, addr_from_host(ALICE));
}

static inline struct sa_peer *named(struct engine *e, const char *nai)
{
	return sa_peer_find_nai(&e->nodes, (const uint8_t *)nai, strlen(nai));
}

static inline struct sa_peer *bob(struct engine *e)
{
	return named(e, "bob@corp.example");
}

static inline struct binding *first_of(struct engine *e, const struct sa_peer *node)
{
	return binding_find(&e->cache,
			    (struct binding_key){ node->addr, addr_from_host(HOME_AGENT) });
}

#endif

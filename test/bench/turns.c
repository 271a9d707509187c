/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long does the registrar keep its loop, with a million mobile nodes that all have a binding,
 * when the configuration is another one, and when everything expires in one second? In processor
 * time of the thread that does it, so that it does not matter who else is busy. The data path and
 * the store are not in it; test/bench/scale has the whole daemon.
 *
 *	turns [NODES]
 */
#include "ha-core/engine/reload.h"
#include "test/unit/ha-core/engine/idle_hooks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STEP_CNT 16 /* as ha_reload.c */
#define EXPIRIES 1024

static const struct ha_policy policy;
static struct addr_prefix home_net;
static struct clock now = { .mono_ms = 1000000, .ntp = 0xe8fe6f8000000000u };

static double cpu_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void check(int rc, const char *what)
{
	if (rc == 0)
		return;
	(void)fprintf(stderr, "turns: %s: %d\n", what, rc);
	exit(1);
}

static uint32_t random_number(void *ctx)
{
	(void)ctx;
	return 1;
}

static struct in_addr home_of(uint32_t i)
{
	return addr_from_host(addr_host(home_net.addr) + 1 + i);
}

/* Of a thousand nodes so many, from the first one on, have another key; so many are others. */
static void open_engine(struct engine *e, uint32_t nodes, uint32_t rekeyed, uint32_t replaced)
{
	const struct engine_hooks hooks = { .changed = idle_changed, .random = random_number };
	const struct engine_conf conf = {
		.home_agent = addr_from_host(0x0a000002),
		.home_networks = &home_net,
		.home_network_cnt = 1,
		.max_lifetime_s = 1800,
		.max_bindings = 1,
	};
	uint8_t key[16] = { 0 };
	uint32_t i, at;

	check(engine_init(e, &conf, nodes, &policy, NULL, &hooks, &now), "init");
	for (i = 0; i < nodes; i++) {
		at = i % 1000 < replaced ? i + nodes : i;
		memcpy(key, &at, sizeof(at));
		key[8] = i % 1000 < rekeyed;
		check(engine_add_node(e, home_of(at), NULL, 256, MAC_HMAC_MD5, key, sizeof(key),
				      REPLAY_TIMESTAMP, REPLAY_SECONDS(7)),
		      "add");
	}
}

static void bind_all(struct engine *e)
{
	struct binding_tunnel tunnel = { .encap = 4 };
	struct sa_peer *peer;
	struct binding *b;

	for (peer = e->nodes.peers; peer; peer = peer->next) {
		const struct binding_key key = { peer->addr, e->conf.home_agent };

		if (binding_find(&e->cache, key))
			continue;
		b = binding_put(&e->cache, key, addr_from_host(addr_host(peer->addr) + (1u << 26)));
		check(b ? 0 : -ENOMEM, "bind");
		tunnel.peer = b->care_of;
		binding_set_tunnel(&e->cache, b, &tunnel);
		b->node = peer;
		b->lifetime_s = 60;
		b->expires_ms = now.mono_ms + 60000;
		expiry_arm(&e->expiry, b);
	}
}

static void reload(struct engine *e, uint32_t nodes, uint32_t rekeyed, uint32_t replaced)
{
	struct engine_reload r = { 0 };
	double begun_us, step_us, compare_us, first_us, total_us = 0, worst_us = 0;
	struct engine fresh;
	bool more;

	open_engine(&fresh, nodes, rekeyed, replaced);
	begun_us = cpu_us();
	check(engine_reload_compare(&r, e, &fresh), "compare");
	compare_us = cpu_us() - begun_us;
	begun_us = cpu_us();
	engine_reload_begin(&r, e, &fresh.conf, NULL);
	first_us = cpu_us() - begun_us;
	do {
		begun_us = cpu_us();
		more = engine_reload_some(&r, e, STEP_CNT);
		step_us = cpu_us() - begun_us;
		total_us += step_us;
		worst_us = step_us > worst_us ? step_us : worst_us;
	} while (more);
	printf("reload: gone %zu, changed %zu, added %zu, bindings ended %zu: compared beside the "
	       "loop %.0f ms; in it %.1f us at first, then %.0f ms in steps of %.1f us at most\n",
	       r.gone.cnt, r.changed.cnt, r.added.cnt, r.ended, compare_us / 1e3, first_us,
	       total_us / 1e3, worst_us);
	engine_reload_done(&r);
	engine_done(&fresh);
}

static void expire(struct engine *e)
{
	double begun_us, step_us, total_us = 0, worst_us = 0;
	size_t cnt, all = 0;

	now.mono_ms += 60001;
	do {
		begun_us = cpu_us();
		cnt = engine_expire_some(e, &now, EXPIRIES, NULL, NULL);
		step_us = cpu_us() - begun_us;
		total_us += step_us;
		worst_us = step_us > worst_us ? step_us : worst_us;
		all += cnt;
	} while (cnt == EXPIRIES);
	printf("expiry of %zu in one second: %.0f ms in turns of %.1f us at most\n", all,
	       total_us / 1e3, worst_us);
}

int main(int argc, char **argv)
{
	const uint32_t nodes = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
	static const uint32_t parts[][2] = { { 0, 0 }, { 10, 0 }, { 1000, 0 },
					     { 0, 0 }, { 0, 10 }, { 0, 1000 } };
	struct engine e;
	size_t i;

	home_net = (struct addr_prefix){ addr_from_host(0x0a400000), 10 };
	open_engine(&e, nodes, 0, 0);
	bind_all(&e);
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		reload(&e, nodes, parts[i][0], parts[i][1]);
		bind_all(&e);
	}
	expire(&e);
	printf("sizes: struct binding %zu, sa_peer %zu, sa %zu, more %zu\n", sizeof(struct binding),
	       sizeof(struct sa_peer), sizeof(struct sa), sizeof(struct sa_more));
	engine_done(&e);
	return 0;
}

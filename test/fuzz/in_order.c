/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What has to hold of an engine between two messages, whatever the messages were: asked by the
 * targets that bring one into states (fuzz_engine.c, fuzz_memory.c). A broken promise ends the
 * program.
 */
#include "test/fuzz/in_order.h"

#include "ha-core/tunnel/encap.h"
#include "test/fuzz/fuzz.h"

static bool is_linked_to_its_peer(const struct engine *e, const struct binding *b)
{
	const struct binding *other = binding_find_peer(&e->cache, b->tunnel.peer);

	while (other && other != b)
		other = other->peer_next;
	return other == b;
}

static void check_binding(const struct world *w, const struct binding *b)
{
	const struct engine *e = &w->engine;

	FUZZ_CHECK(addr_eq(b->key.home_agent, e->conf.home_agent));
	FUZZ_CHECK(b->node && addr_eq(b->node->addr, b->key.home_addr));
	FUZZ_CHECK(addr_prefix_contains(e->conf.home_networks[0], b->key.home_addr));
	FUZZ_CHECK(binding_find_care_of(&e->cache, b->key, b->care_of) == b);
	FUZZ_CHECK(addr_is_unicast(b->tunnel.peer) && is_linked_to_its_peer(e, b));
	FUZZ_CHECK(!addr_eq(b->tunnel.peer, b->key.home_addr));
	FUZZ_CHECK(b->lifetime_s > 0);
	/* expiry.c ends it with the second that it ends in. */
	FUZZ_CHECK(b->expires_ms == BINDING_NEVER_MS ||
		   (b->expires_ms + 999) / 1000 > w->now.mono_ms / 1000);
	FUZZ_CHECK(b->tunnel.encap == ENCAP_IPIP || b->tunnel.encap == ENCAP_MINIMAL ||
		   b->tunnel.encap == ENCAP_GRE);
}

void in_order(const struct world *w)
{
	const struct engine *e = &w->engine;
	const struct stats *s = &e->stats;
	const struct binding *b;
	size_t cnt = 0;

	for (b = binding_first(&e->cache); b; b = binding_next(&e->cache, b)) {
		check_binding(w, b);
		cnt++;
	}
	FUZZ_CHECK(cnt == e->cache.cnt && e->expiry.armed <= cnt);
	FUZZ_CHECK(world_tunnels_match(w) && world_routes_match(w));
	FUZZ_CHECK(e->revocation.cnt <= e->conf.revocation.max_outstanding);
	FUZZ_CHECK(s->requests_accepted + s->requests_denied + s->requests_discarded <=
		   s->requests_received);
}

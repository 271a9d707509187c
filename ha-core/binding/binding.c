/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The binding cache. The hash table holds the first binding of each key; further ones hang from
 * it by `sibling`. Their number is small (registration.max-simultaneous-bindings), so walking
 * them is no search. A second table is by the tunnels' other ends, for those who know nothing
 * else: ICMP errors, foreign agents' keepalives. Bindings of one end may be many, so they are a
 * list that is left without a walk. A binding is allocated once and freed once; a renewal touches
 * neither.
 */
#include "ha-core/binding/binding.h"

#include "ha-core/wire/reg.h"

#include <stdlib.h>

int binding_cache_init(struct binding_cache *cache, size_t expected)
{
	int err;

	*cache = (struct binding_cache){ 0 };
	err = hash_init(&cache->by_key, expected);
	if (err < 0)
		return err;
	err = hash_init(&cache->by_peer, expected);
	if (err < 0)
		hash_done(&cache->by_key);
	return err;
}

void binding_cache_done(struct binding_cache *cache)
{
	struct binding *b, *next;

	for (b = cache->all; b; b = next) {
		next = b->all_next;
		free(b);
	}
	hash_done(&cache->by_key);
	hash_done(&cache->by_peer);
	*cache = (struct binding_cache){ 0 };
}

static uint64_t key_hash(const struct binding_cache *cache, struct binding_key key)
{
	return hash_u64(&cache->by_key,
			(uint64_t)key.home_addr.s_addr << 32 | key.home_agent.s_addr);
}

static bool key_eq(struct binding_key a, struct binding_key b)
{
	return addr_eq(a.home_addr, b.home_addr) && addr_eq(a.home_agent, b.home_agent);
}

struct binding *binding_find(const struct binding_cache *cache, struct binding_key key)
{
	uint64_t h = key_hash(cache, key);
	struct hash_node *n;
	struct binding *b;

	for (n = hash_first(&cache->by_key, h); n; n = hash_next(n, h)) {
		b = hash_entry(n, struct binding, link);
		if (key_eq(b->key, key))
			return b;
	}
	return NULL;
}

struct binding *binding_find_care_of(const struct binding_cache *cache, struct binding_key key,
				     struct in_addr care_of)
{
	struct binding *b = binding_find(cache, key);

	while (b && !addr_eq(b->care_of, care_of))
		b = b->sibling;
	return b;
}

unsigned int binding_cnt(const struct binding *first)
{
	unsigned int cnt = 0;

	for (; first; first = first->sibling)
		cnt++;
	return cnt;
}

struct binding *binding_put(struct binding_cache *cache, struct binding_key key,
			    struct in_addr care_of)
{
	struct binding *first = binding_find(cache, key);
	struct binding *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->key = key;
	b->care_of = care_of;
	b->sibling = first;
	if (first)
		hash_del(&cache->by_key, &first->link);
	hash_put(&cache->by_key, &b->link, key_hash(cache, key));

	b->all_next = cache->all;
	b->all_prev = &cache->all;
	if (cache->all)
		cache->all->all_prev = &b->all_next;
	cache->all = b;
	cache->cnt++;
	return b;
}

struct binding *binding_find_peer(const struct binding_cache *cache, struct in_addr peer)
{
	uint64_t h = hash_u64(&cache->by_peer, peer.s_addr);
	struct hash_node *n;
	struct binding *b;

	for (n = hash_first(&cache->by_peer, h); n; n = hash_next(n, h)) {
		b = hash_entry(n, struct binding, peer_link);
		if (addr_eq(b->tunnel.peer, peer))
			return b;
	}
	return NULL;
}

/* To the front: the one before it leaves its place in the table to it. */
static void link_peer(struct binding_cache *cache, struct binding *b)
{
	struct binding *first = binding_find_peer(cache, b->tunnel.peer);

	b->peer_prev = NULL;
	b->peer_next = first;
	if (first) {
		hash_del(&cache->by_peer, &first->peer_link);
		first->peer_prev = b;
	}
	hash_put(&cache->by_peer, &b->peer_link, hash_u64(&cache->by_peer, b->tunnel.peer.s_addr));
	b->has_peer = true;
}

static void unlink_peer(struct binding_cache *cache, struct binding *b)
{
	if (!b->has_peer)
		return;
	if (b->peer_next)
		b->peer_next->peer_prev = b->peer_prev;
	if (b->peer_prev) {
		b->peer_prev->peer_next = b->peer_next;
	} else {
		hash_del(&cache->by_peer, &b->peer_link);
		if (b->peer_next)
			hash_put(&cache->by_peer, &b->peer_next->peer_link, b->peer_link.hash);
	}
	b->has_peer = false;
}

void binding_set_tunnel(struct binding_cache *cache, struct binding *b,
			const struct binding_tunnel *tunnel)
{
	unlink_peer(cache, b);
	b->tunnel = *tunnel;
	link_peer(cache, b);
}

void binding_del(struct binding_cache *cache, struct binding *b)
{
	struct binding *before = binding_find(cache, b->key);

	unlink_peer(cache, b);
	if (before == b) {
		hash_del(&cache->by_key, &b->link);
		if (b->sibling)
			hash_put(&cache->by_key, &b->sibling->link, b->link.hash);
	} else {
		while (before->sibling != b)
			before = before->sibling;
		before->sibling = b->sibling;
	}

	*b->all_prev = b->all_next;
	if (b->all_next)
		b->all_next->all_prev = b->all_prev;
	cache->cnt--;
	free(b);
}

uint32_t binding_remaining_s(const struct binding *b, uint64_t now_ms)
{
	if (b->expires_ms == BINDING_NEVER_MS)
		return REG_LIFETIME_INFINITE;
	if (binding_is_expired(b, now_ms))
		return 0;
	return (uint32_t)((b->expires_ms - now_ms + 999) / 1000);
}

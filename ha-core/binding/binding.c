/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The binding cache. The bindings of a key lie one after another in their bucket of the hash table,
 * each marked that has another one of its own key behind it: a pointer to that one would be the
 * same again. Their number is small (registration.max-simultaneous-bindings), so walking them is
 * no search. A second table is by the tunnels' other ends, for those who know nothing
 * else: ICMP errors, foreign agents' keepalives. Bindings of one end may be many, so they are a
 * list that is left without a walk. A binding is taken from a slab once and put back once; a
 * renewal does neither.
 */
#include "ha-core/binding/binding.h"

#include "ha-core/wire/reg.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int binding_cache_init(struct binding_cache *cache, size_t expected)
{
	int err;

	*cache = (struct binding_cache){ .slab.size = sizeof(struct binding) };
	/* Two a bucket cost half a cache miss, and half the memory. */
	err = hash_init(&cache->by_key, expected / 2);
	if (err < 0)
		return err;
	err = hash_init(&cache->by_peer, expected / 2);
	if (err < 0)
		hash_done(&cache->by_key);
	return err;
}

void binding_cache_done(struct binding_cache *cache)
{
	struct binding *b, *next;

	for (b = cache->cnt > 0 ? binding_first(cache) : NULL; b; b = next) {
		next = binding_next(cache, b);
		binding_drop_more(b);
	}
	slab_done(&cache->slab);
	order_done(&cache->order);
	hash_done(&cache->by_key);
	hash_done(&cache->by_peer);
	*cache = (struct binding_cache){ 0 };
}

static uint64_t key_hash_in(const struct hash *t, struct binding_key key)
{
	return hash_u64(t, (uint64_t)key.home_addr.s_addr << 32 | key.home_agent.s_addr);
}

static uint64_t key_hash(const struct binding_cache *cache, struct binding_key key)
{
	return key_hash_in(&cache->by_key, key);
}

static uint64_t link_hash(const struct hash *t, const struct hash_link *link)
{
	return key_hash_in(t, hash_entry(link, struct binding, link)->key);
}

static bool key_eq(struct binding_key a, struct binding_key b)
{
	return addr_eq(a.home_addr, b.home_addr) && addr_eq(a.home_agent, b.home_agent);
}

struct binding *binding_find(const struct binding_cache *cache, struct binding_key key)
{
	uint64_t h = key_hash(cache, key);
	struct hash_link *n;
	struct binding *b;

	for (n = hash_link_first(&cache->by_key, h); n; n = n->next) {
		b = hash_entry(n, struct binding, link);
		if (key_eq(b->key, key))
			return b;
	}
	return NULL;
}

void binding_fetch(const struct binding_cache *cache, struct binding_key key, unsigned int step)
{
	const struct binding *b;
	const char *p;

	if (step < BINDING_FETCH_STEPS - 1) {
		hash_link_fetch(&cache->by_key, key_hash(cache, key),
				offsetof(struct binding, link), sizeof(*b), step);
		return;
	}
	b = binding_find(cache, key);
	if (!b)
		return;
	for (p = (const char *)b; p < (const char *)(b + 1); p += 64)
		__builtin_prefetch(p);
	__builtin_prefetch((const void *)b->expiry_prev);
	if (b->expiry_next)
		__builtin_prefetch((const void *)&b->expiry_next->expiry_prev);
}

struct binding *binding_find_care_of(const struct binding_cache *cache, struct binding_key key,
				     struct in_addr care_of)
{
	struct binding *b = binding_find(cache, key);

	while (b && !addr_eq(b->care_of, care_of))
		b = binding_sibling(b);
	return b;
}

unsigned int binding_cnt(const struct binding *first)
{
	unsigned int cnt = 0;

	for (; first; first = binding_sibling(first))
		cnt++;
	return cnt;
}

void binding_drop_more(struct binding *b)
{
	if (b->more)
		free(b->more->contacts);
	free(b->more);
	b->more = NULL;
}

static struct binding_more *more_of(struct binding *b)
{
	if (!b->more)
		b->more = calloc(1, sizeof(*b->more));
	return b->more;
}

/* The key has another first one. Without memory for them the node has to speak first again. */
static void pass_contacts(struct binding *from, struct binding *to)
{
	if (!binding_contacts_of(from) || !more_of(to))
		return;
	to->more->contacts = from->more->contacts;
	from->more->contacts = NULL;
}

struct binding *binding_put(struct binding_cache *cache, struct binding_key key,
			    struct in_addr care_of)
{
	struct binding *first = binding_find(cache, key);
	struct binding *b = slab_get(&cache->slab);

	if (!b)
		return NULL;
	if (!first && order_put(&cache->order, addr_host(key.home_addr)) < 0) {
		slab_put(&cache->slab, b);
		return NULL;
	}
	b->key = key;
	b->care_of = care_of;
	if (first) {
		b->has_sibling = true;
		hash_link_put_before(&cache->by_key, &b->link, &first->link, key_hash(cache, key));
		pass_contacts(first, b);
	} else {
		hash_link_put(&cache->by_key, &b->link, key_hash(cache, key));
	}
	hash_link_grow(&cache->by_key, link_hash);
	cache->cnt++;
	return b;
}

/* The first of the buckets from this one on. */
static struct binding *first_from(const struct binding_cache *cache, size_t bucket)
{
	const struct hash *t = &cache->by_key;
	struct hash_link *n = NULL;

	while (!n && bucket <= t->last)
		n = hash_link_bucket(t, bucket++);
	return n ? hash_entry(n, struct binding, link) : NULL;
}

struct binding *binding_first(const struct binding_cache *cache)
{
	return first_from(cache, 0);
}

struct binding *binding_next(const struct binding_cache *cache, const struct binding *b)
{
	if (b->link.next)
		return hash_entry(b->link.next, struct binding, link);
	return first_from(cache, hash_index(&cache->by_key, key_hash(cache, b->key)) + 1);
}

int binding_set_revocation(struct binding *b, const struct binding_revocation *revocation)
{
	if (!revocation) {
		if (b->more)
			b->more->revocation.negotiated = false;
		return 0;
	}
	if (!more_of(b))
		return -ENOMEM;
	b->more->revocation = *revocation;
	return 0;
}

bool binding_has_contact(const struct binding *first, struct in_addr far_end)
{
	const struct binding_contacts *c = first ? binding_contacts_of(first) : NULL;
	size_t i;

	for (i = 0; c && i < c->cnt; i++)
		if (addr_eq(c->far_ends[i], far_end))
			return true;
	return false;
}

int binding_add_contact(struct binding *first, struct in_addr far_end)
{
	struct binding_more *more = more_of(first);
	struct binding_contacts *c = more ? more->contacts : NULL, *grown;
	size_t cnt = c ? c->cnt : 0;

	if (!more)
		return -ENOMEM;
	if (binding_has_contact(first, far_end))
		return 0;
	if (cnt < BINDING_CONTACT_MAX) {
		grown = realloc(c, sizeof(*c) + (cnt + 1) * sizeof(c->far_ends[0]));
		if (!grown)
			return -ENOMEM;
		more->contacts = c = grown;
	} else {
		memmove(c->far_ends, c->far_ends + 1, --cnt * sizeof(c->far_ends[0]));
	}
	c->far_ends[cnt] = far_end;
	c->cnt = cnt + 1;
	return 0;
}

static uint64_t peer_hash(const struct binding_cache *cache, struct in_addr peer)
{
	return hash_u64(&cache->by_peer, peer.s_addr);
}

struct binding *binding_find_peer(const struct binding_cache *cache, struct in_addr peer)
{
	struct hash_link *n = hash_link_first(&cache->by_peer, peer_hash(cache, peer));
	struct binding *b;

	for (; n; n = n->next) {
		b = hash_entry(n, struct binding, peer_link);
		if (addr_eq(b->tunnel.peer, peer))
			return b;
	}
	return NULL;
}

void binding_fetch_peer(const struct binding_cache *cache, struct in_addr peer, unsigned int step)
{
	if (step < BINDING_FETCH_STEPS - 1)
		hash_link_fetch(&cache->by_peer, peer_hash(cache, peer),
				offsetof(struct binding, peer_link), sizeof(struct binding), step);
}

static uint64_t peer_link_hash(const struct hash *t, const struct hash_link *link)
{
	return hash_u64(t, hash_entry(link, struct binding, peer_link)->tunnel.peer.s_addr);
}

static void put_first_of_peer(struct binding_cache *cache, struct binding *b)
{
	b->is_first_of_peer = true;
	hash_link_put(&cache->by_peer, &b->peer_link, peer_hash(cache, b->tunnel.peer));
	hash_link_grow(&cache->by_peer, peer_link_hash);
}

static void del_first_of_peer(struct binding_cache *cache, struct binding *b)
{
	hash_link_del(&cache->by_peer, &b->peer_link, peer_hash(cache, b->tunnel.peer));
	b->is_first_of_peer = false;
}

/* To the front: the one before it leaves its place in the table to it. */
static void link_peer(struct binding_cache *cache, struct binding *b)
{
	struct binding *first = binding_find_peer(cache, b->tunnel.peer);

	b->peer_next = first;
	if (first) {
		del_first_of_peer(cache, first);
		first->peer_prev = b;
	}
	put_first_of_peer(cache, b);
	b->has_peer = true;
}

static void unlink_peer(struct binding_cache *cache, struct binding *b)
{
	struct binding *next = b->peer_next;

	if (!b->has_peer)
		return;
	b->has_peer = false;
	if (!b->is_first_of_peer) {
		b->peer_prev->peer_next = next;
		if (next)
			next->peer_prev = b->peer_prev;
		return;
	}
	del_first_of_peer(cache, b);
	if (next)
		put_first_of_peer(cache, next);
}

void binding_set_tunnel(struct binding_cache *cache, struct binding *b,
			const struct binding_tunnel *tunnel)
{
	if (b->has_peer && addr_eq(b->tunnel.peer, tunnel->peer)) {
		b->tunnel = *tunnel; /* a renewal: the list is the same */
		return;
	}
	unlink_peer(cache, b);
	b->tunnel = *tunnel;
	link_peer(cache, b);
}

void binding_del(struct binding_cache *cache, struct binding *b)
{
	struct binding *before = NULL, *at = binding_find(cache, b->key);

	unlink_peer(cache, b);
	for (; at != b; at = binding_sibling(at)) {
		assert(at); /* b is in the cache */
		before = at;
	}
	if (before)
		before->has_sibling = b->has_sibling;
	else if (b->has_sibling)
		pass_contacts(b, binding_sibling(b));
	else
		order_del(&cache->order, addr_host(b->key.home_addr));
	hash_link_del(&cache->by_key, &b->link, key_hash(cache, b->key));
	cache->cnt--;
	binding_drop_more(b);
	slab_put(&cache->slab, b);
}

uint32_t binding_remaining_s(const struct binding *b, uint64_t now_ms)
{
	if (b->expires_ms == BINDING_NEVER_MS)
		return REG_LIFETIME_INFINITE;
	if (binding_is_expired(b, now_ms))
		return 0;
	return (uint32_t)((b->expires_ms - now_ms + 999) / 1000);
}

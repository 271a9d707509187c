/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * A seeded, intrusive, chained hash table. The object owns its struct hash_node, so putting never
 * allocates; the bucket array is sized once, so no request ever pays for a rehash. The seed keeps
 * strangers from choosing collisions.
 *
 *	struct hash_node *n = hash_first(&t, key_hash);
 *	for (; n; n = hash_next(n, key_hash))
 *		if (same_key(hash_entry(n, struct thing, link))) ...
 */
#ifndef COMMON_HASH_H
#define COMMON_HASH_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

struct hash_node {
	struct hash_node *next;
	uint64_t hash;
};

struct hash {
	struct hash_node **buckets; /* owned; the objects are not */
	size_t mask;
	size_t cnt;
	uint64_t seed;
};

#define hash_entry(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

/** Room for about `expected` objects at one per bucket; more only makes chains longer. */
static inline int hash_init(struct hash *t, size_t expected)
{
	size_t size = 16;

	while (size < expected)
		size *= 2;
	t->buckets = calloc(size, sizeof(*t->buckets));
	if (!t->buckets)
		return -ENOMEM;
	t->mask = size - 1;
	t->cnt = 0;
	/* Early in boot the pool may be empty; a weak seed is then better than a wait. */
	if (getrandom(&t->seed, sizeof(t->seed), GRND_NONBLOCK) != (ssize_t)sizeof(t->seed))
		t->seed = (uint64_t)(uintptr_t)t->buckets * 0x9e3779b97f4a7c15u;
	return 0;
}

static inline void hash_done(struct hash *t)
{
	free(t->buckets);
	*t = (struct hash){ 0 };
}

/** Mixes 64 bits (the finaliser of MurmurHash3, keyed by the seed at both ends). */
static inline uint64_t hash_u64(const struct hash *t, uint64_t x)
{
	x ^= t->seed;
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdu;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53u;
	x ^= x >> 33;
	return x ^ (t->seed >> 32);
}

/** Hash of a run of octets: eight at a time through hash_u64(). */
static inline uint64_t hash_bytes(const struct hash *t, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t h = len;
	uint64_t word;
	size_t i, n;

	while (len > 0) {
		word = 0;
		n = len < 8 ? len : 8;
		for (i = 0; i < n; i++)
			word |= (uint64_t)p[i] << (8 * i);
		h = hash_u64(t, h ^ word);
		p += n;
		len -= n;
	}
	return h;
}

static inline void hash_put(struct hash *t, struct hash_node *node, uint64_t h)
{
	node->hash = h;
	node->next = t->buckets[h & t->mask];
	t->buckets[h & t->mask] = node;
	t->cnt++;
}

/** Takes the node out; it must be in. */
static inline void hash_del(struct hash *t, struct hash_node *node)
{
	struct hash_node **p = &t->buckets[node->hash & t->mask];

	while (*p != node)
		p = &(*p)->next;
	*p = node->next;
	t->cnt--;
}

static inline struct hash_node *hash_first(const struct hash *t, uint64_t h)
{
	struct hash_node *n = t->buckets[h & t->mask];

	while (n && n->hash != h)
		n = n->next;
	return n;
}

static inline struct hash_node *hash_next(struct hash_node *n, uint64_t h)
{
	do
		n = n->next;
	while (n && n->hash != h);
	return n;
}

/*
 * A place in a table whose keys are as cheap to hash again as to keep the hash of (an address): at
 * half the memory. All that lies in one bucket is walked, so the caller compares keys.
 *
 *	struct hash_link *n = hash_link_first(&t, key_hash);
 *	for (; n; n = n->next)
 *		if (same_key(hash_entry(n, struct thing, link))) ...
 */
struct hash_link {
	struct hash_link *next;
};

/* A table holds links or nodes, never both. */
static inline struct hash_link **hash_link_slot(const struct hash *t, uint64_t h)
{
	return (struct hash_link **)&t->buckets[h & t->mask];
}

static inline struct hash_link *hash_link_first(const struct hash *t, uint64_t h)
{
	return *hash_link_slot(t, h);
}

static inline void hash_link_put(struct hash *t, struct hash_link *link, uint64_t h)
{
	struct hash_link **slot = hash_link_slot(t, h);

	link->next = *slot;
	*slot = link;
	t->cnt++;
}

/** Takes the link out; it must be in, under this hash. */
static inline void hash_link_del(struct hash *t, struct hash_link *link, uint64_t h)
{
	struct hash_link **p = hash_link_slot(t, h);

	while (*p != link)
		p = &(*p)->next;
	*p = link->next;
	t->cnt--;
}

/** As hash_bucket(). */
static inline struct hash_link *hash_link_bucket(const struct hash *t, size_t i)
{
	return *hash_link_slot(t, i);
}

/**
 * The objects of bucket i, 0..mask, linked by next; NULL: none. As no table is ever rehashed, a
 * bucket's number is a place to resume a walk from, whatever was put or taken out in between.
 */
static inline struct hash_node *hash_bucket(const struct hash *t, size_t i)
{
	return t->buckets[i];
}

#endif

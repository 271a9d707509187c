/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * A seeded, intrusive, chained hash table. The object owns its struct hash_node. A table with more
 * than HASH_LOAD_MAX objects a bucket grows by one bucket at each put (linear hashing), so nobody
 * ever pays for a rehash; without memory for that its chains grow longer, and nothing else happens.
 * The seed keeps strangers from choosing collisions.
 *
 *	struct hash_node *n = hash_first(&t, key_hash);
 *	for (; n; n = hash_next(n, key_hash))
 *		if (same_key(hash_entry(n, struct thing, link))) ...
 */
#ifndef COMMON_HASH_H
#define COMMON_HASH_H

#include "common/huge.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define HASH_LOAD_MAX 4

struct hash_node {
	struct hash_node *next;
	uint64_t hash;
};

struct hash {
	struct hash_node **buckets; /* owned; the objects are not */
	size_t last;                /* the number of the last bucket in use */
	size_t mask; /* one less than there is room for, which is a power of two; last > mask / 2 */
	size_t cnt;
	uint64_t seed;
};

#define hash_entry(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

/** Room for about `expected` objects at one per bucket, for a start. */
static inline int hash_init(struct hash *t, size_t expected)
{
	size_t size = 16;

	while (size < expected)
		size *= 2;
	t->buckets = huge_get(size * sizeof(*t->buckets));
	if (!t->buckets)
		return -ENOMEM;
	t->mask = size - 1;
	t->last = t->mask;
	t->cnt = 0;
	/* Early in boot the pool may be empty; a weak seed is then better than a wait. */
	if (getrandom(&t->seed, sizeof(t->seed), GRND_NONBLOCK) != (ssize_t)sizeof(t->seed))
		t->seed = (uint64_t)(uintptr_t)t->buckets * 0x9e3779b97f4a7c15u;
	return 0;
}

static inline void hash_done(struct hash *t)
{
	huge_put(t->buckets, t->buckets ? (t->mask + 1) * sizeof(*t->buckets) : 0);
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

	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		h = hash_u64(t, h ^ word);
	}
	if (len > 0) {
		word = 0;
		memcpy(&word, p, len);
		h = hash_u64(t, h ^ word);
	}
	return h;
}

/** The bucket of this hash: those behind `last` are still with the lower half. */
static inline size_t hash_index(const struct hash *t, uint64_t h)
{
	size_t i = h & t->mask;

	return i <= t->last ? i : i & t->mask >> 1;
}

/**
 * Makes room for one more bucket, if there are too many objects. Its objects are then to be
 * taken out of the bucket that *ret_from says, where they are until now.
 */
static inline bool hash_wants_bucket(struct hash *t, size_t *ret_from)
{
	struct hash_node **buckets;

	if (t->cnt <= HASH_LOAD_MAX * (t->last + 1))
		return false;
	if (t->last == t->mask) {
		buckets = huge_grow(t->buckets, (t->mask + 1) * sizeof(*buckets),
				    2 * (t->mask + 1) * sizeof(*buckets));
		if (!buckets)
			return false;
		t->buckets = buckets;
		t->mask = 2 * t->mask + 1;
	}
	t->last++;
	*ret_from = t->last & t->mask >> 1;
	return true;
}

static inline void hash_put(struct hash *t, struct hash_node *node, uint64_t h)
{
	struct hash_node *n, *next;
	size_t from, i;

	node->hash = h;
	node->next = t->buckets[hash_index(t, h)];
	t->buckets[hash_index(t, h)] = node;
	t->cnt++;
	if (!hash_wants_bucket(t, &from))
		return;
	n = t->buckets[from];
	t->buckets[from] = NULL;
	t->buckets[t->last] = NULL;
	for (; n; n = next) {
		next = n->next;
		i = hash_index(t, n->hash);
		n->next = t->buckets[i];
		t->buckets[i] = n;
	}
}

/** Takes the node out; it must be in. */
static inline void hash_del(struct hash *t, struct hash_node *node)
{
	struct hash_node **p = &t->buckets[hash_index(t, node->hash)];

	while (*p != node)
		p = &(*p)->next;
	*p = node->next;
	t->cnt--;
}

static inline struct hash_node *hash_first(const struct hash *t, uint64_t h)
{
	struct hash_node *n;

	if (t->cnt == 0) /* a bucket of a table that is rarely used is in no cache */
		return NULL;
	n = t->buckets[hash_index(t, h)];
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
	return (struct hash_link **)&t->buckets[hash_index(t, h)];
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

/**
 * Asks the memory for what one step of a look-up will read: 0 is the bucket, each further one the
 * next link. Who has many to look up takes each step for all of them before the next one, and then
 * looks them up: the misses are waited for together. It changes nothing, and may be left out.
 * @param size  octets of the object, as far as the look-up reads them
 */
static inline void hash_link_fetch(const struct hash *t, uint64_t h, size_t offset, size_t size,
				   unsigned int step)
{
	struct hash_link *const *slot = hash_link_slot(t, h);
	const struct hash_link *n;
	const char *object;

	if (step == 0) {
		__builtin_prefetch((const void *)slot);
		return;
	}
	for (n = *slot; n && step > 1; step--)
		n = n->next;
	if (!n)
		return;
	object = (const char *)n - offset;
	__builtin_prefetch(object);
	__builtin_prefetch(object + size - 1);
}

/**
 * To be called after a put: the table may grow by a bucket. What lies in one bucket stays in its
 * order. @param hash_of  of an object in it
 */
static inline void hash_link_grow(struct hash *t, uint64_t (*hash_of)(const struct hash *t,
								      const struct hash_link *link))
{
	struct hash_link *n, **stay, **move;
	size_t from;

	if (!hash_wants_bucket(t, &from))
		return;
	stay = (struct hash_link **)&t->buckets[from];
	move = (struct hash_link **)&t->buckets[t->last];
	for (n = *stay; n; n = n->next) {
		if (hash_index(t, hash_of(t, n)) == from) {
			*stay = n;
			stay = &n->next;
		} else {
			*move = n;
			move = &n->next;
		}
	}
	*stay = NULL;
	*move = NULL;
}

/** Puts it in front of another one that is in, under the same hash. */
static inline void hash_link_put_before(struct hash *t, struct hash_link *link,
					struct hash_link *other, uint64_t h)
{
	struct hash_link **p = hash_link_slot(t, h);

	while (*p != other)
		p = &(*p)->next;
	link->next = other;
	*p = link;
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
	return (struct hash_link *)t->buckets[i];
}

/**
 * The objects of bucket i, 0..last, linked by next; NULL: none. A bucket's number is a place to
 * resume a walk from, whatever was put or taken out in between: what a table that grows moves, it
 * moves to its end, so that a walk may come by an object twice, and misses none.
 */
static inline struct hash_node *hash_bucket(const struct hash *t, size_t i)
{
	return t->buckets[i];
}

#endif

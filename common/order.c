/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two levels: an array of leaves, each a sorted run of up to LEAF_MAX keys. Both are searched by
 * halves; a key is put by moving what is behind it in its leaf, two thousand octets at most. A
 * full leaf is split, and the array of a million keys' leaves moved, once in a hundred puts. Keys
 * that come in order fill each leaf to the brim. A leaf that runs dry is merged with a neighbour.
 *
 * A tree with a node for each key would cost five times the memory and a cache miss a level.
 */
#include "common/order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEAF_MAX 255 /* with the count, two thousand and forty-eight octets */

struct order_leaf {
	size_t cnt; /* 1..LEAF_MAX */
	uint64_t keys[LEAF_MAX];
};

void order_done(struct order *o)
{
	size_t i;

	for (i = 0; i < o->leaf_cnt; i++)
		free(o->leaves[i]);
	free(o->leaves);
	*o = (struct order){ 0 };
}

/* The leaf that has the key if any does: the last that begins at it or below; else the first. */
static size_t find_leaf(const struct order *o, uint64_t key)
{
	size_t low = 0, high = o->leaf_cnt, mid;

	while (high - low > 1) {
		mid = low + (high - low) / 2;
		if (o->leaves[mid]->keys[0] <= key)
			low = mid;
		else
			high = mid;
	}
	return low;
}

/* Where the key is in its leaf, or would be. */
static size_t find_key(const struct order_leaf *leaf, uint64_t key)
{
	size_t low = 0, high = leaf->cnt, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (leaf->keys[mid] < key)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* An empty leaf at place i; the caller fills it. */
static int insert_leaf(struct order *o, size_t i, struct order_leaf **ret_leaf)
{
	size_t room = o->leaf_room ? 2 * o->leaf_room : 16;
	struct order_leaf **leaves = o->leaves;
	struct order_leaf *leaf;

	if (o->leaf_cnt == o->leaf_room) {
		leaves = reallocarray(o->leaves, room, sizeof(struct order_leaf *));
		if (!leaves)
			return -ENOMEM;
		o->leaves = leaves;
		o->leaf_room = room;
	}
	leaf = malloc(sizeof(*leaf));
	if (!leaf)
		return -ENOMEM;
	leaf->cnt = 0;
	memmove(&leaves[i + 1], &leaves[i], (o->leaf_cnt - i) * sizeof(struct order_leaf *));
	leaves[i] = leaf;
	o->leaf_cnt++;
	*ret_leaf = leaf;
	return 0;
}

static void remove_leaf(struct order *o, size_t i)
{
	free(o->leaves[i]);
	o->leaf_cnt--;
	memmove(&o->leaves[i], &o->leaves[i + 1], (o->leaf_cnt - i) * sizeof(struct order_leaf *));
}

/* Makes room in leaf i. Its upper half moves on; nothing does if the key comes behind them all. */
static int split(struct order *o, size_t i, uint64_t key)
{
	struct order_leaf *leaf = o->leaves[i], *upper;
	size_t keep = LEAF_MAX / 2;
	int rc;

	if (i + 1 == o->leaf_cnt && key > leaf->keys[LEAF_MAX - 1])
		keep = LEAF_MAX;
	rc = insert_leaf(o, i + 1, &upper);
	if (rc < 0)
		return rc;
	upper->cnt = LEAF_MAX - keep;
	memcpy(upper->keys, leaf->keys + keep, upper->cnt * sizeof(upper->keys[0]));
	leaf->cnt = keep;
	return 0;
}

static void insert_key(struct order_leaf *leaf, uint64_t key)
{
	size_t at = find_key(leaf, key);

	memmove(&leaf->keys[at + 1], &leaf->keys[at], (leaf->cnt - at) * sizeof(leaf->keys[0]));
	leaf->keys[at] = key;
	leaf->cnt++;
}

int order_put(struct order *o, uint64_t key)
{
	struct order_leaf *leaf;
	size_t i, at;
	int rc = 0;

	if (o->leaf_cnt == 0)
		rc = insert_leaf(o, 0, &leaf);
	if (rc < 0)
		return rc;
	i = find_leaf(o, key);
	leaf = o->leaves[i];
	at = find_key(leaf, key);
	if (at < leaf->cnt && leaf->keys[at] == key)
		return 0;
	if (leaf->cnt == LEAF_MAX) {
		rc = split(o, i, key);
		if (rc < 0)
			return rc;
		leaf = o->leaves[i + 1];
		if (leaf->cnt > 0 && key < leaf->keys[0])
			leaf = o->leaves[i];
	}
	insert_key(leaf, key);
	o->cnt++;
	return 0;
}

/* Puts leaf i + 1 into leaf i if both together fill one by half at most. */
static void merge(struct order *o, size_t i)
{
	struct order_leaf *leaf, *next;

	if (i + 1 >= o->leaf_cnt)
		return;
	leaf = o->leaves[i];
	next = o->leaves[i + 1];
	if (leaf->cnt + next->cnt > LEAF_MAX / 2)
		return;
	memcpy(leaf->keys + leaf->cnt, next->keys, next->cnt * sizeof(leaf->keys[0]));
	leaf->cnt += next->cnt;
	remove_leaf(o, i + 1);
}

void order_del(struct order *o, uint64_t key)
{
	struct order_leaf *leaf;
	size_t i, at;

	if (o->leaf_cnt == 0)
		return;
	i = find_leaf(o, key);
	leaf = o->leaves[i];
	at = find_key(leaf, key);
	if (at == leaf->cnt || leaf->keys[at] != key)
		return;
	leaf->cnt--;
	memmove(&leaf->keys[at], &leaf->keys[at + 1], (leaf->cnt - at) * sizeof(leaf->keys[0]));
	o->cnt--;
	if (leaf->cnt == 0) {
		remove_leaf(o, i);
		return;
	}
	merge(o, i);
	if (i > 0)
		merge(o, i - 1);
}

size_t order_page(const struct order *o, uint64_t from, uint64_t *ret_keys, size_t max)
{
	size_t cnt = 0, i, at, n;

	if (o->leaf_cnt == 0)
		return 0;
	i = find_leaf(o, from);
	for (at = find_key(o->leaves[i], from); i < o->leaf_cnt && cnt < max; i++, at = 0) {
		n = o->leaves[i]->cnt - at;
		if (n > max - cnt)
			n = max - cnt;
		memcpy(ret_keys + cnt, o->leaves[i]->keys + at, n * sizeof(*ret_keys));
		cnt += n;
	}
	return cnt;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A key is a bit in a word of sixty-four that begin at a multiple of so many; a word is there while
 * a bit of it is set. Two levels hold the words: an array of leaves, each a sorted run of up to
 * LEAF_MAX words. Both are searched by halves; a word is put by moving what is behind it in its
 * leaf, two thousand octets at most. A full leaf is split, and the array of leaves moved, once in
 * many puts. Words that come in order fill each leaf to the brim. A leaf that runs dry is merged
 * with a neighbour.
 *
 * A tree with a node for each key would cost many times the memory and a cache miss a level.
 */
#include "common/order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEAF_MAX 127 /* with the count, two thousand and forty octets */
#define BITS     64  /* of a word */

struct order_word {
	uint64_t at;   /* its keys / BITS */
	uint64_t bits; /* never 0 */
};

struct order_leaf {
	size_t cnt; /* 1..LEAF_MAX */
	struct order_word words[LEAF_MAX];
};

void order_done(struct order *o)
{
	size_t i;

	for (i = 0; i < o->leaf_cnt; i++)
		free(o->leaves[i]);
	free(o->leaves);
	*o = (struct order){ 0 };
}

static uint64_t bit_of(uint64_t key)
{
	return (uint64_t)1 << (key % BITS);
}

/* The leaf that has the word if any does: the last that begins at it or below; else the first. */
static size_t find_leaf(const struct order *o, uint64_t at)
{
	size_t low = 0, high = o->leaf_cnt, mid;

	while (high - low > 1) {
		mid = low + (high - low) / 2;
		if (o->leaves[mid]->words[0].at <= at)
			low = mid;
		else
			high = mid;
	}
	return low;
}

/* Where the word is in its leaf, or would be. */
static size_t find_word(const struct order_leaf *leaf, uint64_t at)
{
	size_t low = 0, high = leaf->cnt, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (leaf->words[mid].at < at)
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

/* Makes room in leaf i. Its upper half moves on; nothing does if the word comes behind them all. */
static int split(struct order *o, size_t i, uint64_t at)
{
	struct order_leaf *leaf = o->leaves[i], *upper;
	size_t keep = LEAF_MAX / 2;
	int rc;

	if (i + 1 == o->leaf_cnt && at > leaf->words[LEAF_MAX - 1].at)
		keep = LEAF_MAX;
	rc = insert_leaf(o, i + 1, &upper);
	if (rc < 0)
		return rc;
	upper->cnt = LEAF_MAX - keep;
	memcpy(upper->words, leaf->words + keep, upper->cnt * sizeof(upper->words[0]));
	leaf->cnt = keep;
	return 0;
}

static void insert_word(struct order_leaf *leaf, uint64_t key)
{
	size_t i = find_word(leaf, key / BITS);

	memmove(&leaf->words[i + 1], &leaf->words[i], (leaf->cnt - i) * sizeof(leaf->words[0]));
	leaf->words[i] = (struct order_word){ key / BITS, bit_of(key) };
	leaf->cnt++;
}

int order_put(struct order *o, uint64_t key)
{
	const uint64_t at = key / BITS;
	struct order_leaf *leaf;
	size_t i, k;
	int rc = 0;

	if (o->leaf_cnt == 0)
		rc = insert_leaf(o, 0, &leaf);
	if (rc < 0)
		return rc;
	i = find_leaf(o, at);
	leaf = o->leaves[i];
	k = find_word(leaf, at);
	if (k < leaf->cnt && leaf->words[k].at == at) {
		o->cnt += !(leaf->words[k].bits & bit_of(key));
		leaf->words[k].bits |= bit_of(key);
		return 0;
	}
	if (leaf->cnt == LEAF_MAX) {
		rc = split(o, i, at);
		if (rc < 0)
			return rc;
		leaf = o->leaves[i + 1];
		if (leaf->cnt > 0 && at < leaf->words[0].at)
			leaf = o->leaves[i];
	}
	insert_word(leaf, key);
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
	memcpy(leaf->words + leaf->cnt, next->words, next->cnt * sizeof(leaf->words[0]));
	leaf->cnt += next->cnt;
	remove_leaf(o, i + 1);
}

static void remove_word(struct order *o, size_t i, size_t k)
{
	struct order_leaf *leaf = o->leaves[i];

	leaf->cnt--;
	memmove(&leaf->words[k], &leaf->words[k + 1], (leaf->cnt - k) * sizeof(leaf->words[0]));
	if (leaf->cnt == 0) {
		remove_leaf(o, i);
		return;
	}
	merge(o, i);
	if (i > 0)
		merge(o, i - 1);
}

void order_del(struct order *o, uint64_t key)
{
	struct order_leaf *leaf;
	size_t i, k;

	if (o->leaf_cnt == 0)
		return;
	i = find_leaf(o, key / BITS);
	leaf = o->leaves[i];
	k = find_word(leaf, key / BITS);
	if (k == leaf->cnt || leaf->words[k].at != key / BITS ||
	    !(leaf->words[k].bits & bit_of(key)))
		return;
	o->cnt--;
	leaf->words[k].bits &= ~bit_of(key);
	if (leaf->words[k].bits == 0)
		remove_word(o, i, k);
}

/* The keys of a word, but those that are not in the mask. @return how many */
static size_t add_keys(const struct order_word *word, uint64_t mask, uint64_t *ret_keys, size_t max)
{
	uint64_t bits;
	size_t cnt = 0;

	for (bits = word->bits & mask; bits != 0 && cnt < max; bits &= bits - 1)
		ret_keys[cnt++] = word->at * BITS + (uint64_t)__builtin_ctzll(bits);
	return cnt;
}

size_t order_page(const struct order *o, uint64_t from, uint64_t *ret_keys, size_t max)
{
	const struct order_word *word;
	size_t cnt = 0, i, k;

	if (o->leaf_cnt == 0)
		return 0;
	i = find_leaf(o, from / BITS);
	for (k = find_word(o->leaves[i], from / BITS); i < o->leaf_cnt && cnt < max; i++, k = 0)
		for (; k < o->leaves[i]->cnt && cnt < max; k++) {
			word = &o->leaves[i]->words[k];
			cnt += add_keys(word,
					word->at == from / BITS ? 0 - bit_of(from) : UINT64_MAX,
					ret_keys + cnt, max - cnt);
		}
	return cnt;
}

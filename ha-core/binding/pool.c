/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dynamic home addresses: one bit for each address of a range, searched a word at a time from
 * where the last search ended, so that an address given back rests as long as it can. Of a divided
 * pool four more bits each say whose the address is to give, and whether it rests; blocks that
 * reach beyond a range are whole to everybody else.
 */
#include "ha-core/binding/pool.h"

#include "common/err.h"

#include <errno.h>
#include <stdlib.h>

#define WORD_BITS 64u

static size_t words_of(const struct pool_range *range)
{
	return ((size_t)range->cnt + WORD_BITS - 1) / WORD_BITS;
}

static void free_range(struct pool_range *range)
{
	free(range->bits);
	free(range->ours);
}

static int divide_range(struct pool_range *range)
{
	const size_t words = words_of(range);

	if (range->ours)
		return 0;
	range->ours = calloc(4 * words, sizeof(*range->ours));
	if (!range->ours)
		return -ENOMEM;
	range->others = range->ours + words;
	range->rests = range->others + words;
	range->resting = range->rests + words;
	return 0;
}

int pool_add(struct pool *p, struct addr_prefix prefix)
{
	uint64_t size = (uint64_t)1 << (32 - prefix.len);
	struct pool_range range = { .first = addr_host(prefix.addr) };
	struct pool_range *ranges;

	if (prefix.len <= 30) {
		range.first++;
		size -= 2;
	}
	range.cnt = (uint32_t)size;
	range.free_cnt = p->is_divided ? 0 : range.cnt;
	range.bits = calloc(words_of(&range), sizeof(*range.bits));
	ranges = realloc(p->ranges, (p->cnt + 1) * sizeof(*ranges));
	if (ranges)
		p->ranges = ranges;
	if (!ranges || !range.bits || (p->is_divided && divide_range(&range) < 0)) {
		free_range(&range);
		return -ENOMEM;
	}
	p->ranges[p->cnt++] = range;
	return 0;
}

void pool_start_at(struct pool *p, uint32_t where)
{
	size_t i;

	for (i = 0; i < p->cnt; i++)
		if (p->ranges[i].cnt > 0)
			p->ranges[i].cursor = where % p->ranges[i].cnt;
}

void pool_done(struct pool *p)
{
	size_t i;

	for (i = 0; i < p->cnt; i++)
		free_range(&p->ranges[i]);
	free(p->ranges);
	*p = (struct pool){ 0 };
}

/* What is not to be given, of a word. */
static uint64_t unavailable(const struct pool *p, const struct pool_range *range, size_t word)
{
	if (!p->is_divided)
		return range->bits[word];
	return range->ours ? range->bits[word] | ~range->ours[word] : UINT64_MAX;
}

static void count_free(const struct pool *p, struct pool_range *range)
{
	uint32_t tail = range->cnt % WORD_BITS;
	size_t i, words = words_of(range);
	uint64_t is_free;

	range->free_cnt = 0;
	for (i = 0; i < words; i++) {
		is_free = ~unavailable(p, range, i);
		if (i + 1 == words && tail > 0)
			is_free &= ((uint64_t)1 << tail) - 1;
		range->free_cnt += (uint32_t)__builtin_popcountll(is_free);
	}
}

static void merge(const struct pool *p, struct pool_range *range, struct pool_range *old)
{
	const struct pool_range fresh = *range;
	size_t i;

	*range = *old;
	*old = fresh;
	for (i = 0; i < words_of(range); i++)
		range->bits[i] |= fresh.bits[i];
	count_free(p, range);
}

void pool_take_over(struct pool *p, struct pool *old)
{
	size_t i, k;

	if (old->is_divided)
		(void)pool_divide(p);
	for (i = 0; i < p->cnt; i++)
		for (k = 0; k < old->cnt; k++)
			if (p->ranges[i].first == old->ranges[k].first &&
			    p->ranges[i].cnt == old->ranges[k].cnt)
				merge(p, &p->ranges[i], &old->ranges[k]);
}

static struct pool_range *range_of(const struct pool *p, struct in_addr addr, uint32_t *ret_index)
{
	uint32_t host = addr_host(addr);
	size_t i;

	for (i = 0; i < p->cnt; i++) {
		if (host - p->ranges[i].first < p->ranges[i].cnt) {
			*ret_index = host - p->ranges[i].first;
			return &p->ranges[i];
		}
	}
	return NULL;
}

static bool bit_of(const uint64_t *bits, uint32_t i)
{
	return bits && bits[i / WORD_BITS] >> (i % WORD_BITS) & 1;
}

static void set_bit(uint64_t *bits, uint32_t i, bool on)
{
	uint64_t bit = (uint64_t)1 << (i % WORD_BITS);

	bits[i / WORD_BITS] = on ? bits[i / WORD_BITS] | bit : bits[i / WORD_BITS] & ~bit;
}

static bool is_free(const struct pool *p, const struct pool_range *range, uint32_t i)
{
	return !(unavailable(p, range, i / WORD_BITS) >> (i % WORD_BITS) & 1);
}

static void set_taken(const struct pool *p, struct pool_range *range, uint32_t i, bool taken)
{
	range->free_cnt -= is_free(p, range, i);
	set_bit(range->bits, i, taken);
	range->free_cnt += is_free(p, range, i);
}

void pool_reserve(struct pool *p, struct in_addr addr)
{
	uint32_t i;
	struct pool_range *range = range_of(p, addr, &i);

	if (range)
		set_taken(p, range, i, true);
}

bool pool_contains(struct pool *p, struct in_addr addr)
{
	uint32_t i;

	return range_of(p, addr, &i);
}

/* @return whether it did rest */
static bool stop_resting(struct pool_range *range, uint32_t i)
{
	if (!bit_of(range->rests, i) && !bit_of(range->resting, i))
		return false;
	set_bit(range->rests, i, false);
	set_bit(range->resting, i, false);
	return true;
}

int pool_take_this(struct pool *p, struct in_addr addr)
{
	uint32_t i;
	struct pool_range *range = range_of(p, addr, &i);

	if (!range || (bit_of(range->bits, i) && !stop_resting(range, i)))
		return ERR_NOT_FOUND;
	set_taken(p, range, i, true);
	return 0;
}

void pool_give_back(struct pool *p, struct in_addr addr)
{
	uint32_t i;
	struct pool_range *range = range_of(p, addr, &i);

	if (!range)
		return;
	if (p->is_divided && bit_of(range->ours, i) && bit_of(range->bits, i))
		set_bit(range->rests, i, true);
	else
		set_taken(p, range, i, false);
}

/* There is a free one: the caller has looked. */
static uint32_t next_free(const struct pool *p, const struct pool_range *range)
{
	uint32_t i = range->cursor;

	for (;;) {
		if (i >= range->cnt)
			i = 0;
		if (i % WORD_BITS == 0 && unavailable(p, range, i / WORD_BITS) == UINT64_MAX) {
			i += WORD_BITS;
			continue;
		}
		if (is_free(p, range, i))
			return i;
		i++;
	}
}

int pool_take(struct pool *p, struct in_addr *ret_addr)
{
	struct pool_range *range;
	uint32_t i;
	size_t r;

	for (r = 0; r < p->cnt; r++) {
		range = &p->ranges[r];
		if (range->free_cnt == 0)
			continue;
		i = next_free(p, range);
		set_taken(p, range, i, true);
		range->cursor = i + 1;
		*ret_addr = addr_from_host(range->first + i);
		return 0;
	}
	return ERR_NOT_FOUND;
}

size_t pool_free_cnt(const struct pool *p)
{
	size_t i, cnt = 0;

	for (i = 0; i < p->cnt; i++)
		cnt += p->ranges[i].free_cnt;
	return cnt;
}

size_t pool_size(const struct pool *p)
{
	size_t i, cnt = 0;

	for (i = 0; i < p->cnt; i++)
		cnt += p->ranges[i].cnt;
	return cnt;
}

/* --- a divided pool --- */

int pool_divide(struct pool *p)
{
	size_t i;
	int rc = 0;

	p->is_divided = true;
	for (i = 0; i < p->cnt; i++) {
		if (divide_range(&p->ranges[i]) < 0)
			rc = -ENOMEM;
		count_free(p, &p->ranges[i]);
	}
	return rc;
}

bool pool_is_ours(const struct pool *p, struct in_addr addr)
{
	uint32_t i;
	const struct pool_range *range = range_of(p, addr, &i);

	return range && (!p->is_divided || bit_of(range->ours, i));
}

/* The addresses of a block that are in a range: [*out_from, *out_to). @return there are some */
static bool part_of(const struct pool_range *range, uint32_t block, uint32_t *out_from,
		    uint32_t *out_to)
{
	const uint64_t first = range->first, end = first + range->cnt;
	const uint64_t from = (uint64_t)block << POOL_BLOCK_BITS, to = from + POOL_BLOCK_SIZE;

	if (to <= first || from >= end)
		return false;
	*out_from = (uint32_t)((from > first ? from : first) - first);
	*out_to = (uint32_t)((to < end ? to : end) - first);
	return true;
}

bool pool_set_block(struct pool *p, uint32_t block, bool ours)
{
	bool was_ours = false;
	uint32_t i, to;
	size_t r;

	for (r = 0; r < p->cnt; r++) {
		if (!p->ranges[r].ours || !part_of(&p->ranges[r], block, &i, &to))
			continue;
		was_ours |= bit_of(p->ranges[r].ours, i);
		for (; i < to; i++) {
			p->ranges[r].free_cnt -= is_free(p, &p->ranges[r], i);
			set_bit(p->ranges[r].ours, i, ours);
			set_bit(p->ranges[r].others, i, !ours);
			p->ranges[r].free_cnt += is_free(p, &p->ranges[r], i);
		}
	}
	return ours || !was_ours;
}

void pool_resume_block(struct pool *p, uint32_t block)
{
	struct pool_range *range;
	uint32_t i, to;
	size_t r;

	for (r = 0; r < p->cnt; r++) {
		range = &p->ranges[r];
		if (!range->ours || !part_of(range, block, &i, &to) || bit_of(range->ours, i))
			continue;
		for (; i < to; i++) {
			if (bit_of(range->bits, i))
				continue;
			set_bit(range->bits, i, true);
			set_bit(range->rests, i, true);
		}
	}
	(void)pool_set_block(p, block, true);
}

static uint32_t first_block(const struct pool_range *range)
{
	return range->first >> POOL_BLOCK_BITS;
}

static uint32_t block_cnt(const struct pool_range *range)
{
	return range->cnt ? ((range->first + (range->cnt - 1)) >> POOL_BLOCK_BITS) -
				    first_block(range) + 1
			  : 0;
}

/* Where its block begins in the range. */
static uint32_t index_of(const struct pool_range *range, uint32_t block)
{
	uint32_t from = 0, to;

	(void)part_of(range, block, &from, &to);
	return from;
}

size_t pool_unclaimed(const struct pool *p, uint32_t *out_blocks, size_t max)
{
	const struct pool_range *range;
	uint32_t n, begin, block, i;
	size_t r, cnt = 0;

	for (r = 0; r < p->cnt; r++) {
		range = &p->ranges[r];
		if (!range->ours)
			continue;
		begin = range->cursor / POOL_BLOCK_SIZE;
		for (n = 0; n < block_cnt(range) && cnt < max; n++) {
			block = first_block(range) + (begin + n) % block_cnt(range);
			i = index_of(range, block);
			if (!bit_of(range->ours, i) && !bit_of(range->others, i))
				out_blocks[cnt++] = block;
		}
	}
	return cnt;
}

size_t pool_ours(const struct pool *p, uint32_t *pos, uint32_t *out_blocks, size_t max)
{
	const struct pool_range *range;
	uint32_t n, skip = *pos;
	size_t r, cnt = 0;

	for (r = 0; r < p->cnt; skip -= block_cnt(range), r++) {
		range = &p->ranges[r];
		if (skip >= block_cnt(range))
			continue;
		for (n = skip; n < block_cnt(range) && cnt < max; n++, ++*pos)
			if (bit_of(range->ours, index_of(range, first_block(range) + n)))
				out_blocks[cnt++] = first_block(range) + n;
		skip = block_cnt(range);
	}
	return cnt;
}

void pool_rest_begins(struct pool *p)
{
	struct pool_range *range;
	size_t r, i;

	for (r = 0; r < p->cnt; r++) {
		range = &p->ranges[r];
		for (i = 0; range->ours && i < words_of(range); i++) {
			range->resting[i] |= range->rests[i];
			range->rests[i] = 0;
		}
	}
}

void pool_rest_ends(struct pool *p)
{
	struct pool_range *range;
	size_t r, i;

	for (r = 0; r < p->cnt; r++) {
		range = &p->ranges[r];
		for (i = 0; range->ours && i < words_of(range); i++) {
			range->bits[i] &= ~range->resting[i] | range->rests[i];
			range->resting[i] = 0;
		}
		count_free(p, range);
	}
}

size_t pool_resting_cnt(const struct pool *p)
{
	const struct pool_range *range;
	size_t r, i, cnt = 0;

	for (r = 0; r < p->cnt; r++) {
		range = &p->ranges[r];
		for (i = 0; range->ours && i < words_of(range); i++)
			cnt += (size_t)__builtin_popcountll(range->rests[i] | range->resting[i]);
	}
	return cnt;
}

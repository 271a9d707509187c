/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dynamic home addresses: one bit for each address of a range, searched a word at a time from
 * where the last search ended, so that an address given back rests as long as it can.
 */
#include "ha-core/binding/pool.h"

#include "common/err.h"

#include <errno.h>
#include <stdlib.h>

#define WORD_BITS 64u

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
	range.bits = calloc((size + WORD_BITS - 1) / WORD_BITS, sizeof(*range.bits));
	ranges = realloc(p->ranges, (p->cnt + 1) * sizeof(*ranges));
	if (ranges)
		p->ranges = ranges;
	if (!ranges || !range.bits) {
		free(range.bits);
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
		free(p->ranges[i].bits);
	free(p->ranges);
	*p = (struct pool){ 0 };
}

static void merge(struct pool_range *range, struct pool_range *old)
{
	const struct pool_range fresh = *range;
	uint32_t i, words = (range->cnt + WORD_BITS - 1) / WORD_BITS;

	*range = *old;
	*old = fresh;
	range->taken = 0;
	for (i = 0; i < words; i++) {
		range->bits[i] |= fresh.bits[i];
		range->taken += (uint32_t)__builtin_popcountll(range->bits[i]);
	}
}

void pool_take_over(struct pool *p, struct pool *old)
{
	size_t i, k;

	for (i = 0; i < p->cnt; i++)
		for (k = 0; k < old->cnt; k++)
			if (p->ranges[i].first == old->ranges[k].first &&
			    p->ranges[i].cnt == old->ranges[k].cnt)
				merge(&p->ranges[i], &old->ranges[k]);
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

static bool is_taken(const struct pool_range *range, uint32_t i)
{
	return range->bits[i / WORD_BITS] >> (i % WORD_BITS) & 1;
}

static void set_taken(struct pool_range *range, uint32_t i, bool taken)
{
	uint64_t bit = (uint64_t)1 << (i % WORD_BITS);

	if (is_taken(range, i) == taken)
		return;
	range->bits[i / WORD_BITS] ^= bit;
	range->taken += taken ? 1 : -1u;
}

void pool_reserve(struct pool *p, struct in_addr addr)
{
	uint32_t i;
	struct pool_range *range = range_of(p, addr, &i);

	if (range)
		set_taken(range, i, true);
}

bool pool_contains(struct pool *p, struct in_addr addr)
{
	uint32_t i;

	return range_of(p, addr, &i);
}

int pool_take_this(struct pool *p, struct in_addr addr)
{
	uint32_t i;
	struct pool_range *range = range_of(p, addr, &i);

	if (!range || is_taken(range, i))
		return ERR_NOT_FOUND;
	set_taken(range, i, true);
	return 0;
}

void pool_give_back(struct pool *p, struct in_addr addr)
{
	uint32_t i;
	struct pool_range *range = range_of(p, addr, &i);

	if (range)
		set_taken(range, i, false);
}

/* There is a free one: the caller has looked. */
static uint32_t next_free(const struct pool_range *range)
{
	uint32_t i = range->cursor;

	for (;;) {
		if (i >= range->cnt)
			i = 0;
		if (i % WORD_BITS == 0 && range->bits[i / WORD_BITS] == UINT64_MAX) {
			i += WORD_BITS;
			continue;
		}
		if (!is_taken(range, i))
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
		if (range->taken == range->cnt)
			continue;
		i = next_free(range);
		set_taken(range, i, true);
		range->cursor = i + 1;
		*ret_addr = addr_from_host(range->first + i);
		return 0;
	}
	return ERR_NOT_FOUND;
}

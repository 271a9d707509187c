/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Home addresses for mobile nodes that ask for one by NAI (RFC 5944 §3.8.1, RFC 2794): prefixes
 * to give from, and which of their addresses are taken.
 *
 * A pool that several home agents share is divided: each gives from blocks of its own alone, so
 * that no two ever give one address, whether they hear of each other or not. Whose a block is, is
 * agreed on elsewhere (ha_cluster.c).
 */
#ifndef HA_CORE_BINDING_POOL_H
#define HA_CORE_BINDING_POOL_H

#include "common/addr.h"

/** A block is what has the same address but for so many bits; its number is the others. */
#define POOL_BLOCK_BITS 3
#define POOL_BLOCK_SIZE (1u << POOL_BLOCK_BITS)

struct pool_range {
	uint32_t first; /* host order */
	uint32_t cnt;
	uint32_t cursor;   /* where the next search begins */
	uint32_t free_cnt; /* could be given now */
	uint64_t *bits;    /* owned; 1: taken */
	/* of a divided pool; NULL: it is not, or there was no memory for it, and nothing is ours */
	uint64_t *ours;    /* owned, with those below; 1: ours to give */
	uint64_t *others;  /* 1: another home agent's to give */
	uint64_t *rests;   /* 1: given back, and taken still */
	uint64_t *resting; /* ... since before pool_rest_begins() */
};

/** Zero-initialised is the empty pool, which is always exhausted. */
struct pool {
	struct pool_range *ranges; /* owned */
	size_t cnt;
	bool is_divided;
};

/**
 * Adds the host addresses of a prefix: all but the network and the broadcast address where there
 * are such (/30 and shorter). @retval -ENOMEM
 */
int pool_add(struct pool *p, struct addr_prefix prefix);
void pool_done(struct pool *p);

/**
 * A pool is to be in use instead of another: ranges that both have go on with what is taken in
 * either. `old` gets theirs of before, and is to be done with. If that was divided, so is this
 * one; without memory for it, what is new gives nothing.
 */
void pool_take_over(struct pool *p, struct pool *old);

/** The next address is taken from somewhere else: so that two home agents seldom take the same. */
void pool_start_at(struct pool *p, uint32_t where);

/** Sets an address aside if it is in the pool (a static node's, ours). */
void pool_reserve(struct pool *p, struct in_addr addr);

/** Is it one of the pool's, taken or not? */
bool pool_contains(struct pool *p, struct in_addr addr);

/** Takes the next free address in turn, so that one given back rests longest. @retval ERR_NOT_FOUND
 * none left */
int pool_take(struct pool *p, struct in_addr *ret_addr);

/** Takes this one. @retval ERR_NOT_FOUND  it is taken, or not in the pool */
int pool_take_this(struct pool *p, struct in_addr addr);

/**
 * Of a divided pool, one of ours rests: others may take it for leased until they hear of it.
 * pool_take_this() takes it all the same.
 */
void pool_give_back(struct pool *p, struct in_addr addr);
/** Those that rest now are free when pool_rest_ends() is called, and others go on resting. */
void pool_rest_begins(struct pool *p);
void pool_rest_ends(struct pool *p);
size_t pool_resting_cnt(const struct pool *p);

/** How many pool_take() could give now. */
size_t pool_free_cnt(const struct pool *p);
/** How many addresses there are, taken or not. */
size_t pool_size(const struct pool *p);

/** From here on pool_take() gives from blocks that are ours, and none is yet. @retval -ENOMEM */
int pool_divide(struct pool *p);
/** Is it ours to give? One that is not in the pool is not. */
bool pool_is_ours(const struct pool *p, struct in_addr addr);
/** Whose a block is. @return false: it was ours, and is another's */
bool pool_set_block(struct pool *p, uint32_t block, bool ours);
/** It is ours, and was before this process: what is not taken of it may have been, and rests. */
void pool_resume_block(struct pool *p, uint32_t block);
/**
 * Some of the blocks that are nobody's, as far as is known, from where an address would be looked
 * for next. @return how many, `max` at most
 */
size_t pool_unclaimed(const struct pool *p, uint32_t *out_blocks, size_t max);
/** Some of ours. @param pos  begins as 0, and is where it went on to. @return 0: that was all */
size_t pool_ours(const struct pool *p, uint32_t *pos, uint32_t *out_blocks, size_t max);

#endif

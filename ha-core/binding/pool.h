/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Home addresses for mobile nodes that ask for one by NAI (RFC 5944 §3.8.1, RFC 2794): prefixes
 * to give from, and which of their addresses are taken.
 */
#ifndef HA_CORE_BINDING_POOL_H
#define HA_CORE_BINDING_POOL_H

#include "common/addr.h"

struct pool_range {
	uint32_t first; /* host order */
	uint32_t cnt;
	uint32_t cursor; /* where the next search begins */
	uint32_t taken;
	uint64_t *bits; /* owned; 1: taken */
};

/** Zero-initialised is the empty pool, which is always exhausted. */
struct pool {
	struct pool_range *ranges; /* owned */
	size_t cnt;
};

/**
 * Adds the host addresses of a prefix: all but the network and the broadcast address where there
 * are such (/30 and shorter). @retval -ENOMEM
 */
int pool_add(struct pool *p, struct addr_prefix prefix);
void pool_done(struct pool *p);

/**
 * A pool is to be in use instead of another: ranges that both have go on with what is taken in
 * either. `old` gets theirs of before, and is to be done with.
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

void pool_give_back(struct pool *p, struct in_addr addr);

#endif

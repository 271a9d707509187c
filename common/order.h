/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * A sorted set of 64-bit keys, for whoever must show many things in order, a page at a time: SNMP's
 * GETNEXT begins at any key. It holds keys only, so what is shown need not know of it, and a change
 * that leaves the keys alone costs nothing here. Putting, deleting and seeking are O(log n), a page
 * is linear. Keys that lie close together, as addresses do, take a bit each; one that has no
 * neighbour takes some two dozen octets. Zero-initialised is empty.
 */
#ifndef COMMON_ORDER_H
#define COMMON_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct order_leaf;

struct order {
	struct order_leaf **leaves; /* owned; none is empty, and keys ascend from one to the next */
	size_t leaf_cnt, leaf_room;
	size_t cnt; /* keys */
};

void order_done(struct order *o);

/** Adds a key; one that is there already is harmless. @retval -ENOMEM  nothing has changed */
int order_put(struct order *o, uint64_t key);

/** Takes a key out; one that is not there is harmless. Never fails. */
void order_del(struct order *o, uint64_t key);

/**
 * The smallest keys that are `from` or above, ascending.
 * @param ret_keys  room for max of them
 * @return how many there are, max at most
 */
size_t order_page(const struct order *o, uint64_t from, uint64_t *ret_keys, size_t max);

#endif

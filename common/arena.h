/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Memory for very many small objects, without an allocator's word before each and without its
 * rounding. An arena's objects go all at once, or one by one if their owner knows their sizes; a
 * slab's are of one size.
 * Zero-initialised is empty (a slab wants its size). What goes is wiped: there may be keys in it.
 */
#ifndef COMMON_ARENA_H
#define COMMON_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena_chunk;

/** Objects larger than this are lost when they are put back, until the arena goes. */
#define ARENA_PUT_MAX 1024

struct arena {
	struct arena_chunk *chunks; /* owned; the latest first */
	uint8_t *pos, *end;         /* what is left of it */
	void **free; /* owned; those put back, by size, each with the address of the next in it */
};

/** Zeroed, aligned for a pointer or a uint64_t. NULL: out of memory. */
void *arena_get(struct arena *a, size_t size);

/** Wipes it and keeps it for the next of its size. @param size  as it was got; takes NULL */
void arena_put(struct arena *a, void *object, size_t size);

/** Wipes and frees all that was got. */
void arena_done(struct arena *a);

struct slab {
	size_t size; /* of an object; set before the first is got */
	struct arena arena;
	void *free; /* those put back, each with the address of the next in it */
};

/** Zeroed; one that was put back, if there is one. NULL: out of memory. */
void *slab_get(struct slab *s);

/** Wipes it and keeps it for the next slab_get(). */
void slab_put(struct slab *s, void *object);

/** Frees all objects, put back or not. */
void slab_done(struct slab *s);

#endif

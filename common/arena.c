/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arenas and slabs. Objects are cut one after the other from chunks, which grow from a page to a
 * large page: few objects cost little, and many no more than themselves. Chunks are never given
 * back before the end: a home agent that had a million bindings may have them again.
 *
 * AddressSanitizer sees through neither, so under it each object of an arena is a chunk of its
 * own, and what lies in a free list is poisoned.
 */
#include "common/arena.h"

#include "common/huge.h"
#include "common/sanitized.h"

#include <stdlib.h>
#include <string.h>

#ifdef SANITIZED
#include <sanitizer/asan_interface.h>
#define CHUNK_MIN 0
#else
#define ASAN_POISON_MEMORY_REGION(at, size)   ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define CHUNK_MIN                             4096
#endif
#define CHUNK_MAX (HUGE_PAGE - sizeof(struct arena_chunk))
#define ALIGN     sizeof(uint64_t)

struct arena_chunk {
	struct arena_chunk *next;
	size_t size; /* of data */
	uint8_t data[];
};

static int add_chunk(struct arena *a, size_t wanted)
{
	size_t size = a->chunks ? 2 * a->chunks->size + sizeof(struct arena_chunk)
				: CHUNK_MIN - sizeof(struct arena_chunk);
	struct arena_chunk *chunk;

	if (CHUNK_MIN == 0)
		size = wanted;
	if (size > CHUNK_MAX)
		size = CHUNK_MAX;
	if (size < wanted)
		size = wanted;
	chunk = huge_get(sizeof(*chunk) + size);
	if (!chunk)
		return -1;
	chunk->next = a->chunks;
	chunk->size = size;
	a->chunks = chunk;
	a->pos = chunk->data;
	a->end = chunk->data + size;
	return 0;
}

static size_t round_up(size_t size)
{
	return (size + ALIGN - 1) & ~(ALIGN - 1);
}

/* Of the free list that begins at *head. */
static void *take(void **head, size_t size)
{
	void *object = *head;

	ASAN_UNPOISON_MEMORY_REGION(object, size);
	memcpy(head, object, sizeof(*head));
	memset(object, 0, sizeof(*head));
	return object;
}

static void give(void **head, void *object, size_t size)
{
	explicit_bzero(object, size);
	memcpy(object, head, sizeof(*head));
	*head = object;
	ASAN_POISON_MEMORY_REGION(object, size);
}

void *arena_get(struct arena *a, size_t size)
{
	void *object;

	size = round_up(size);
	if (a->free && size <= ARENA_PUT_MAX && a->free[size / ALIGN])
		return take(&a->free[size / ALIGN], size);
	if ((size_t)(a->end - a->pos) < size && add_chunk(a, size) < 0)
		return NULL;
	object = a->pos;
	a->pos += size;
	return object;
}

void arena_put(struct arena *a, void *object, size_t size)
{
	size = round_up(size);
	if (!object)
		return;
	if (!a->free && size <= ARENA_PUT_MAX)
		a->free = calloc(ARENA_PUT_MAX / ALIGN + 1, sizeof(*a->free));
	if (a->free && size <= ARENA_PUT_MAX)
		give(&a->free[size / ALIGN], object, size);
	else
		explicit_bzero(object, size);
}

void arena_done(struct arena *a)
{
	struct arena_chunk *chunk, *next;
	size_t size;

	for (chunk = a->chunks; chunk; chunk = next) {
		next = chunk->next;
		size = chunk->size;
		ASAN_UNPOISON_MEMORY_REGION(chunk->data, size);
		explicit_bzero(chunk->data, size);
		huge_put(chunk, sizeof(*chunk) + size);
	}
	free(a->free);
	*a = (struct arena){ 0 };
}

void *slab_get(struct slab *s)
{
	return s->free ? take(&s->free, s->size) : arena_get(&s->arena, s->size);
}

void slab_put(struct slab *s, void *object)
{
	give(&s->free, object, s->size);
}

void slab_done(struct slab *s)
{
	arena_done(&s->arena);
	s->free = NULL;
}

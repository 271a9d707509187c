/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Large pages on request. The arenas and the hash tables of a million nodes lie here: three hundred
 * megabytes, of which each request reads some two dozen lines that nobody has read for long.
 *
 * A mapping begins and ends at a multiple of a large page, so that all of it can be one. Whether
 * the kernel has any to give does not matter to anybody but the clock.
 *
 * AddressSanitizer does not see mappings, so under it everything is the heap.
 */
#include "common/huge.h"

#include "common/sanitized.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef SANITIZED
#define MAPPED_MIN SIZE_MAX
#else
#define MAPPED_MIN HUGE_PAGE
#endif

static size_t round_up(size_t size)
{
	return (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
}

/* A page more than is wanted, and then what is beside a multiple goes again. */
static void *map(size_t size)
{
	uint8_t *start, *aligned;
	size_t before;

	start = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	if (start == MAP_FAILED)
		return NULL;
	before = round_up((uintptr_t)start) - (uintptr_t)start;
	aligned = start + before;
	if (before > 0)
		(void)munmap(start, before);
	if (before < HUGE_PAGE)
		(void)munmap(aligned + size, HUGE_PAGE - before);
	(void)madvise(aligned, size, MADV_HUGEPAGE); /* a kernel without them refuses: no matter */
	return aligned;
}

void *huge_get(size_t size)
{
	return size < MAPPED_MIN ? calloc(1, size) : map(round_up(size));
}

/* What is mapped moves with its pages; nothing is copied. */
void *huge_grow(void *memory, size_t old_size, size_t size)
{
	void *more;

	if (size < MAPPED_MIN)
		return realloc(memory, size);
	more = map(round_up(size));
	if (!more)
		return NULL;
	if (old_size < MAPPED_MIN) {
		memcpy(more, memory, old_size);
		free(memory);
		return more;
	}
	old_size = round_up(old_size);
	if (mremap(memory, old_size, old_size, MREMAP_MAYMOVE | MREMAP_FIXED, more) == MAP_FAILED) {
		(void)munmap(more, round_up(size));
		return NULL;
	}
	return more;
}

void huge_put(void *memory, size_t size)
{
	if (size < MAPPED_MIN)
		free(memory);
	else if (memory)
		(void)munmap(memory, round_up(size));
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Large pages on request. The arenas and the hash tables of a million nodes lie here: three hundred
 * megabytes, of which each request reads some two dozen lines that nobody has read for long.
 *
 * A mapping begins and ends at a multiple of a large page, so that all of it can be one. Whether
 * the kernel has any to give does not matter to anybody but the clock.
 *
 * A page that is touched first is cleared then, and two million octets take a while: on a virtual
 * machine whose host has taken back what was free, four milliseconds. A million bindings are a
 * hundred of them. So at a start another thread touches some ahead of who takes them.
 *
 * AddressSanitizer does not see mappings, so under it everything is the heap.
 */
#include "common/huge.h"

#include "common/sanitized.h"
#include "common/thread.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef SANITIZED
#define IS_USED    false
#define MAPPED_MIN SIZE_MAX
#else
#define IS_USED    true
#define MAPPED_MIN HUGE_PAGE
#endif

static size_t round_up(size_t size)
{
	return (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
}

#define STOCK 8    /* pieces: what is behind while one of the two threads waits for a processor */
#define SMALL 4096 /* octets; no processor has smaller pages */

/* Pieces that are clear, and who clears them. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t taken;
	pthread_t thread;
	bool has_thread, stop;
	void *pieces[STOCK];
	size_t cnt;
} ahead = { .lock = PTHREAD_MUTEX_INITIALIZER, .taken = PTHREAD_COND_INITIALIZER };

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

/* All of it is there then, whatever pages it has. */
static void *map_and_touch(void)
{
	volatile uint8_t *piece = map(HUGE_PAGE);
	size_t at;

	for (at = 0; piece && at < HUGE_PAGE; at += SMALL)
		piece[at] = 0;
	return (void *)(uintptr_t)piece;
}

static void *work_ahead(void *arg)
{
	void *piece;

	(void)arg;
	pthread_mutex_lock(&ahead.lock);
	while (!ahead.stop) {
		if (ahead.cnt == STOCK) {
			pthread_cond_wait(&ahead.taken, &ahead.lock);
			continue;
		}
		pthread_mutex_unlock(&ahead.lock);
		piece = map_and_touch();
		pthread_mutex_lock(&ahead.lock);
		if (!piece)
			break; /* who wants one will see for himself */
		ahead.pieces[ahead.cnt++] = piece;
	}
	pthread_mutex_unlock(&ahead.lock);
	return NULL;
}

/* NULL: none is ready. */
static void *take_piece(void)
{
	void *piece = NULL;

	pthread_mutex_lock(&ahead.lock);
	if (ahead.cnt > 0)
		piece = ahead.pieces[--ahead.cnt];
	pthread_cond_signal(&ahead.taken);
	pthread_mutex_unlock(&ahead.lock);
	return piece;
}

void huge_ahead_start(void)
{
	if (!IS_USED || ahead.has_thread)
		return;
	ahead.stop = false;
	ahead.has_thread = thread_start(&ahead.thread, work_ahead, NULL) == 0;
}

void huge_ahead_stop(void)
{
	if (!ahead.has_thread)
		return;
	pthread_mutex_lock(&ahead.lock);
	ahead.stop = true;
	pthread_cond_signal(&ahead.taken);
	pthread_mutex_unlock(&ahead.lock);
	(void)pthread_join(ahead.thread, NULL);
	ahead.has_thread = false;
	while (ahead.cnt > 0)
		(void)munmap(ahead.pieces[--ahead.cnt], HUGE_PAGE);
}

void *huge_get(size_t size)
{
	void *piece;

	if (size < MAPPED_MIN)
		return calloc(1, size);
	piece = round_up(size) == HUGE_PAGE ? take_piece() : NULL;
	return piece ? piece : map(round_up(size));
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

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Memory by the megabyte for what is read all over: a million nodes are in no cache, and on small
 * pages the way to each goes through page tables that are in none either. From HUGE_PAGE on it asks
 * for large ones, and gets them where the kernel has any (transparent huge pages, for who asks at
 * least). Below that it is the heap.
 */
#ifndef COMMON_HUGE_H
#define COMMON_HUGE_H

#include <stddef.h>

#define HUGE_PAGE ((size_t)2 << 20) /* octets; of x86-64, and of others with pages of 4 KiB */

/** Zeroed. NULL: out of memory. */
void *huge_get(size_t size);

/**
 * The same with more room, at another place; what is new of it may hold anything.
 * @param old_size  as it was got. @return NULL: out of memory, and all is as it was
 */
void *huge_grow(void *memory, size_t old_size, size_t size);

/** Takes NULL. @param size  as it was got */
void huge_put(void *memory, size_t size);

/**
 * Until huge_ahead_stop() a thread has a few pieces of HUGE_PAGE ready for huge_get(): for a start,
 * which takes hundreds of them and would wait for the kernel to clear each. No more than speed
 * depends on it: without a thread for it nothing is ready.
 */
void huge_ahead_start(void);

/** What was not taken goes back. To be called also if nothing was started. */
void huge_ahead_stop(void);

#endif

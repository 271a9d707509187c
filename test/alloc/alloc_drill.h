/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The same thing over and over, each time in a process of its own, each time with another of its
 * allocations failing: once alone, once with all that follow it.
 */
#ifndef TEST_ALLOC_ALLOC_DRILL_H
#define TEST_ALLOC_ALLOC_DRILL_H

#include "test/alloc/alloc_fault.h"

/** What was tried so far. */
struct alloc_drill {
	unsigned int steps; /* things tried that allocate */
	unsigned int tries; /* failures tried */
	char fault[160];    /* what the last one that went wrong did */
};

/**
 * @param attempt  does it, says on stderr what is not as it must be, and returns whether all is.
 *                 Its first run is without failure (alloc_fault_count().failed is 0); what it
 *                 leaves in shared memory is there for the others. What may fail it puts
 *                 into an alloc_fault_stretch(). It runs in a child: nothing of what it changes
 *                 stays.
 * @param lasting  not only alone, but also with all that follow it
 * @return false: one went wrong or crashed; d->fault says which
 */
bool alloc_drill(struct alloc_drill *d, bool lasting, bool (*attempt)(void *ctx), void *ctx);

/** Memory that children and parent share, zeroed; ends the program if there is none. */
void *alloc_drill_shared(size_t size);

#endif

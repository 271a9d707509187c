/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * When bindings end: a ring of 65,536 slots of one second, one for each finite Lifetime, so that
 * arming, disarming and finding what is due are O(1) whatever the number of bindings.
 */
#ifndef HA_CORE_BINDING_EXPIRY_H
#define HA_CORE_BINDING_EXPIRY_H

#include "ha-core/binding/binding.h"

#define EXPIRY_SLOTS 65536u

struct expiry {
	struct binding **slots; /* owned; the bindings are the cache's */
	uint64_t done_s;        /* every second up to here has been looked at */
	size_t armed;
};

/** @retval -ENOMEM */
int expiry_init(struct expiry *x, uint64_t now_ms);
void expiry_done(struct expiry *x);

/** Arms, or arms anew. b->expires_ms is set; BINDING_NEVER_MS leaves it disarmed. */
void expiry_arm(struct expiry *x, struct binding *b);

/** Harmless if it is not armed. */
void expiry_disarm(struct expiry *x, struct binding *b);

/** The next binding that is due, disarmed; NULL: none. At most a second late. */
struct binding *expiry_next_due(struct expiry *x, uint64_t now_ms);

#endif

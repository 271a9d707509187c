/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * A token bucket in eight octets: all it keeps is when it will be full again (the generic cell
 * rate algorithm). Zero-initialised is full.
 */
#ifndef COMMON_LIMIT_H
#define COMMON_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct limit {
	uint64_t full_us; /* monotonic */
};

/**
 * Takes one token, if there is one.
 * @param interval_us  in which one token comes back
 * @param burst        tokens of a full bucket, 1 or more
 */
static inline bool limit_take(struct limit *l, uint64_t now_us, uint64_t interval_us,
			      uint32_t burst)
{
	uint64_t full_us = l->full_us > now_us ? l->full_us : now_us;

	if (full_us - now_us > (uint64_t)(burst - 1) * interval_us)
		return false;
	l->full_us = full_us + interval_us;
	return true;
}

#endif

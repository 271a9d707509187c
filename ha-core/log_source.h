/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * How many log lines of one kind one source may cause, so that its flood does not take the lines
 * of others, too. The table is bounded: who makes up sources gets new entries at the cost of the
 * oldest, and is held by the limit of the kind (ha_log.c).
 */
#ifndef HA_CORE_LOG_SOURCE_H
#define HA_CORE_LOG_SOURCE_H

#include "common/limit.h"

#include <netinet/in.h>
#include <stddef.h>

#define LOG_SOURCE_BURST       5
#define LOG_SOURCE_INTERVAL_US 1000000 /* one more line each */
#define LOG_SOURCE_WAYS        4
#define LOG_SOURCE_SETS        256 /* a power of two */

struct log_source {
	struct in_addr src;
	unsigned int kind;
	struct limit lines;
};

/** Zero-initialised is empty. */
struct log_source_table {
	struct log_source sources[LOG_SOURCE_SETS][LOG_SOURCE_WAYS];
};

/**
 * May this source cause one more line of this kind?
 * @param burst  lines at once: LOG_SOURCE_BURST, if it is a stranger
 * @param now_us monotonic
 */
bool log_source_take(struct log_source_table *t, struct in_addr src, unsigned int kind,
		     uint32_t burst, uint64_t now_us);

#endif

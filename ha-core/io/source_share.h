/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * How much one source is heard while more comes than can be handled. The table is bounded: who
 * makes up sources gets new entries at the cost of those that are quiet.
 */
#ifndef HA_CORE_IO_SOURCE_SHARE_H
#define HA_CORE_IO_SOURCE_SHARE_H

#include "common/limit.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define SOURCE_SHARE_WAYS 4
#define SOURCE_SHARE_SETS 1024 /* a power of two */

struct source_share {
	struct in_addr src;
	struct limit messages;
};

/** Zero-initialised is empty. */
struct source_share_table {
	struct source_share sources[SOURCE_SHARE_SETS][SOURCE_SHARE_WAYS];
};

/**
 * May this source be heard once more?
 * @param share_s  messages a second, after a burst of as many; 0: always
 * @param now_us   monotonic
 */
bool source_share_take(struct source_share_table *t, struct in_addr src, uint32_t share_s,
		       uint64_t now_us);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A cache of token buckets, four ways associative. Which set a source falls into is no secret: the
 * worst that a stranger makes of it is that a neighbour's bucket is forgotten, and is full again.
 */
#include "ha-core/log_source.h"

#include "common/addr.h"

static struct log_source *set_of(struct log_source_table *t, struct in_addr src, unsigned int kind)
{
	uint32_t h = (addr_host(src) ^ kind * 0x85ebca6bu) * 0x9e3779b1u; /* Knuth's golden ratio */

	return t->sources[h >> 16 & (LOG_SOURCE_SETS - 1)];
}

bool log_source_take(struct log_source_table *t, struct in_addr src, unsigned int kind,
		     uint32_t burst, uint64_t now_us)
{
	struct log_source *set = set_of(t, src, kind);
	struct log_source *s = &set[0];
	size_t i;

	for (i = 0; i < LOG_SOURCE_WAYS; i++) {
		if (addr_eq(set[i].src, src) && set[i].kind == kind) {
			s = &set[i];
			break;
		}
		/* The one that has been quiet for longest is the one to forget. */
		if (set[i].lines.full_us < s->lines.full_us)
			s = &set[i];
	}
	if (i == LOG_SOURCE_WAYS)
		*s = (struct log_source){ .src = src, .kind = kind };
	return limit_take(&s->lines, now_us, LOG_SOURCE_INTERVAL_US, burst);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A cache of token buckets, as log_source.c; asked for each datagram under overload, so it is one
 * look at one cache line or two. A source that comes back after it was forgotten has a burst
 * again. Against made-up sources no share helps: those cost what a first look at them costs.
 */
#include "ha-core/io/source_share.h"

#include "common/addr.h"

bool source_share_take(struct source_share_table *t, struct in_addr src, uint32_t share_s,
		       uint64_t now_us)
{
	const uint32_t burst = share_s; /* a second of silence saves up a second's share */
	const uint32_t h = addr_host(src) * 0x9e3779b1u; /* Knuth's golden ratio */
	struct source_share *set = t->sources[h >> 16 & (SOURCE_SHARE_SETS - 1)];
	struct source_share *s = &set[0];
	size_t i;

	if (share_s == 0)
		return true;
	for (i = 0; i < SOURCE_SHARE_WAYS; i++) {
		if (addr_eq(set[i].src, src)) {
			s = &set[i];
			break;
		}
		/* The one that has been quiet for longest is the one to forget. */
		if (set[i].messages.full_us < s->messages.full_us)
			s = &set[i];
	}
	if (i == SOURCE_SHARE_WAYS)
		*s = (struct source_share){ .src = src };
	return limit_take(&s->messages, now_us, 1000000 / share_s, burst);
}

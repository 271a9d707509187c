/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which packets have begun to pass a filter in pieces. filter.c asks.
 *
 * Only the first fragment has ports, so a later one can be judged by its first alone (RFC 791 §3.2:
 * source, destination, protocol and Identification tell whose it is). One that overtakes its first
 * is dropped: to hold it back would cost memory that a stranger fills, and IKE sends again. ESP's
 * own packets are made to fit, so pieces are rare here.
 *
 * Entries are made for permitted flows only, and age by themselves: a table of sets of four, in
 * which the entry with the least time left makes room.
 */
#include "ha-core/tunnel/fragments.h"

#include "common/addr.h"
#include "ha-core/tunnel/ipv4.h"

#include <errno.h>
#include <stdlib.h>

#define WAYS 4
#define SETS (FRAGMENTS_CNT / WAYS)

int fragments_init(struct fragments *f, uint32_t seed)
{
	*f = (struct fragments){ .seed = seed };
	f->entries = calloc(FRAGMENTS_CNT, sizeof(*f->entries));
	return f->entries ? 0 : -ENOMEM;
}

void fragments_done(struct fragments *f)
{
	free(f->entries);
	*f = (struct fragments){ 0 };
}

static struct fragments_entry entry_of(const uint8_t *packet)
{
	return (struct fragments_entry){
		.src = ipv4_src(packet),
		.dst = ipv4_dst(packet),
		.ident = ipv4_get16(packet + IPV4_IDENT),
		.protocol = packet[IPV4_PROTOCOL],
	};
}

static struct fragments_entry *set_of(const struct fragments *f, const struct fragments_entry *e)
{
	uint64_t h = (uint64_t)e->src.s_addr << 32 | e->dst.s_addr;

	h = (h ^ f->seed ^ (uint64_t)e->ident << 16 ^ e->protocol) * 0x9e3779b97f4a7c15u;
	return &f->entries[(h >> 32) % SETS * WAYS];
}

static bool is_same(const struct fragments_entry *a, const struct fragments_entry *b)
{
	return addr_eq(a->src, b->src) && addr_eq(a->dst, b->dst) && a->ident == b->ident &&
	       a->protocol == b->protocol;
}

void fragments_begin(struct fragments *f, const uint8_t *packet, uint32_t end, uint64_t now_ms)
{
	struct fragments_entry new = entry_of(packet), *set = set_of(f, &new), *place = set;
	size_t i;

	for (i = 0; i < WAYS; i++) {
		if (is_same(&set[i], &new)) {
			place = &set[i];
			break;
		}
		if (set[i].until_ms < place->until_ms)
			place = &set[i];
	}
	new.end = end;
	new.until_ms = now_ms + FRAGMENTS_MS;
	*place = new;
}

const struct fragments_entry *fragments_find(const struct fragments *f, const uint8_t *packet,
					     uint64_t now_ms)
{
	struct fragments_entry wanted = entry_of(packet), *set = set_of(f, &wanted);
	size_t i;

	for (i = 0; i < WAYS; i++)
		if (is_same(&set[i], &wanted) && now_ms < set[i].until_ms)
			return &set[i];
	return NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Soft state of tunnels, by the address where they end: bindings that share an end share its path.
 * Entries are made for live tunnels only (the caller sees to that) and age by themselves, so
 * there is nothing to take away: a table of sets of four, in which the entry with the least time
 * left makes room. Losing one costs a sender one more round of discovery.
 *
 * RFC 2003 §5 also speaks of the path's length in hops. Our outer TTL is constant, and as large
 * as hosts use: a tunnel in which it runs out is a loop, and the end is then out of reach.
 *
 * RFC 1191 §4 (only ever lower), §6.3 (ageing: back to the first hop's MTU), §7.1 (plateaus).
 */
#include "ha-core/tunnel/soft_state.h"

#include "common/addr.h"

#include <errno.h>
#include <stdlib.h>

#define WAYS 4
#define SETS (SOFT_STATE_CNT / WAYS)

/* RFC 1191 table 7-1 */
static const uint16_t plateaus[] = {
	65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68
};

int soft_state_init(struct soft_state *s, uint32_t seed)
{
	*s = (struct soft_state){ .seed = seed };
	s->entries = calloc(SOFT_STATE_CNT, sizeof(*s->entries));
	return s->entries ? 0 : -ENOMEM;
}

void soft_state_done(struct soft_state *s)
{
	free(s->entries);
	*s = (struct soft_state){ 0 };
}

static struct soft_state_entry *set_of(const struct soft_state *s, struct in_addr peer)
{
	uint64_t h = (uint64_t)(peer.s_addr ^ s->seed) * 0x9e3779b97f4a7c15u;

	return &s->entries[(h >> 32) % SETS * WAYS];
}

static struct soft_state_entry *find(const struct soft_state *s, struct in_addr peer)
{
	struct soft_state_entry *set = set_of(s, peer);
	size_t i;

	for (i = 0; i < WAYS; i++) {
		if (addr_eq(set[i].peer, peer))
			return &set[i];
	}
	return NULL;
}

static uint64_t until(const struct soft_state_entry *e)
{
	return e->mtu_until_ms > e->unreachable_until_ms ? e->mtu_until_ms
							 : e->unreachable_until_ms;
}

static struct soft_state_entry *find_or_make(struct soft_state *s, struct in_addr peer)
{
	struct soft_state_entry *e = find(s, peer), *set = set_of(s, peer);
	size_t i;

	if (e)
		return e;
	e = set;
	for (i = 1; i < WAYS; i++) {
		if (until(&set[i]) < until(e))
			e = &set[i];
	}
	*e = (struct soft_state_entry){ .peer = peer };
	return e;
}

static void know_until(struct soft_state *s, uint64_t until_ms)
{
	if (until_ms > s->until_ms)
		s->until_ms = until_ms;
}

uint32_t soft_state_mtu(const struct soft_state *s, struct in_addr peer, uint32_t most,
			uint64_t now_ms)
{
	const struct soft_state_entry *e;

	if (now_ms >= s->until_ms)
		return most;
	e = find(s, peer);
	return e && now_ms < e->mtu_until_ms && e->mtu < most ? e->mtu : most;
}

static uint16_t plateau_below(uint32_t len)
{
	size_t i = 0;

	while (i < sizeof(plateaus) / sizeof(plateaus[0]) - 1 && plateaus[i] >= len)
		i++;
	return plateaus[i];
}

uint32_t soft_state_too_big(struct soft_state *s, struct in_addr peer, uint32_t most, uint16_t mtu,
			    uint16_t sent_len, uint64_t now_ms)
{
	uint32_t current = soft_state_mtu(s, peer, most, now_ms);
	struct soft_state_entry *e;

	/* Some old routers quote a Total Length that is too large (RFC 1191 §5): we know better. */
	if (mtu == 0)
		mtu = plateau_below(sent_len < current ? sent_len : current);
	if (mtu < SOFT_STATE_MTU_FLOOR)
		mtu = SOFT_STATE_MTU_FLOOR;
	if (mtu > current || mtu >= most)
		return current;
	e = find_or_make(s, peer);
	e->mtu = mtu;
	e->mtu_until_ms = now_ms + SOFT_STATE_MTU_MS;
	know_until(s, e->mtu_until_ms);
	return mtu;
}

bool soft_state_is_unreachable(const struct soft_state *s, struct in_addr peer, uint64_t now_ms)
{
	const struct soft_state_entry *e;

	if (now_ms >= s->until_ms)
		return false;
	e = find(s, peer);
	return e && now_ms < e->unreachable_until_ms;
}

void soft_state_unreachable(struct soft_state *s, struct in_addr peer, uint64_t now_ms)
{
	struct soft_state_entry *e = find_or_make(s, peer);

	e->unreachable_until_ms = now_ms + SOFT_STATE_UNREACHABLE_MS;
	know_until(s, e->unreachable_until_ms);
}

void soft_state_heard(struct soft_state *s, struct in_addr peer, uint64_t now_ms)
{
	struct soft_state_entry *e;

	if (now_ms >= s->until_ms)
		return;
	e = find(s, peer);
	if (e)
		e->unreachable_until_ms = 0;
}

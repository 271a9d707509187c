/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which next hops the fast path uses, and that the kernel goes on asking for them. tunnel_bpf.c
 * opens and closes it.
 *
 * The programs send to a neighbour that the kernel knows and never through the kernel: to it, the
 * neighbour goes unused, gets stale, and nobody would notice that it has gone, or has another
 * address. So the programs note each next hop in a map (ha_hops), and once a second we tell the
 * kernel of those noted that they are in use: a stale one is then asked for (RFC 1122 §2.3.2.1, the
 * unicast poll).
 *
 * No packet has to leave the fast path for that. While the daemon is away or hangs, neighbours get
 * stale and are used all the same; with the next daemon they are asked for again.
 */
#include "ha-core/tunnel/bpf/bpf_hops.h"

#include "ha-core/tunnel/bpf/habpf.h"
#include "ha-core/tunnel/rtnl.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PERIOD_MS 1000
#define MAP_SIZE  (HABPF_HOP_CNT * sizeof(uint64_t))

struct bpf_hops {
	uint64_t *noted; /* the map, in our memory */
	struct rtnl *rtnl;
	struct loop_timer *timer;
};

static void look(void *ctx)
{
	struct bpf_hops *h = ctx;
	struct in_addr addr;
	uint64_t hop;
	size_t i;

	for (i = 0; i < HABPF_HOP_CNT; i++) {
		if (__atomic_load_n(&h->noted[i], __ATOMIC_RELAXED) == 0)
			continue; /* unwritten, its line stays with those who read it */
		hop = __atomic_exchange_n(&h->noted[i], 0, __ATOMIC_RELAXED);
		addr.s_addr = (uint32_t)hop;
		/* One that is gone by now is found, or not, by the next packet to it. */
		(void)rtnl_neighbour_use(h->rtnl, (unsigned int)(hop >> 32), addr);
	}
}

int bpf_hops_open(int fd, struct loop *loop, struct bpf_hops **ret_h)
{
	struct bpf_hops *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	h->noted = mmap(NULL, MAP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	err = h->noted == MAP_FAILED ? -errno : rtnl_open(&h->rtnl);
	if (err == 0) {
		h->timer = loop_timer_new(loop, look, h);
		err = h->timer ? 0 : -ENOMEM;
	}
	if (err < 0) {
		(void)bpf_hops_close(h);
		return err;
	}
	loop_timer_start(h->timer, PERIOD_MS, PERIOD_MS);
	*ret_h = h;
	return 0;
}

struct bpf_hops *bpf_hops_close(struct bpf_hops *h)
{
	if (!h)
		return NULL;
	(void)loop_timer_free(h->timer);
	(void)rtnl_close(h->rtnl);
	if (h->noted != MAP_FAILED)
		(void)munmap(h->noted, MAP_SIZE);
	free(h);
	return NULL;
}

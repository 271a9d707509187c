/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The neighbours that the fast path's packets go to, kept known to be there. Part of the tiers
 * "xdp" and "tc"; tunnel_bpf.c calls it.
 */
#ifndef HA_CORE_TUNNEL_BPF_BPF_HOPS_H
#define HA_CORE_TUNNEL_BPF_BPF_HOPS_H

#include "common/loop.h"

struct bpf_hops;

/**
 * Looks after them until it is closed.
 * @param fd  the map ha_hops (habpf.h); has to live on
 * @retval -errno
 */
int bpf_hops_open(int fd, struct loop *loop, struct bpf_hops **ret_h);

/** NULL is fine; returns NULL. */
struct bpf_hops *bpf_hops_close(struct bpf_hops *h);

#endif

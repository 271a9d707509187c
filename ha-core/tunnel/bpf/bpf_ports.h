/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The interfaces that the fast path is attached to: each gets the XDP program, or the tc one where
 * that cannot be, or none; the tc one behind XDP as well, while any has tc alone. Part of the
 * tiers "xdp" and "tc"; tunnel_bpf.c calls it.
 */
#ifndef HA_CORE_TUNNEL_BPF_BPF_PORTS_H
#define HA_CORE_TUNNEL_BPF_BPF_PORTS_H

#include "ha-core/tunnel/rtnl.h"
#include "ha-core/tunnel/tunnel.h"

struct bpf_ports_conf {
	enum tunnel_choice choice; /* TUNNEL_AUTO, TUNNEL_XDP, TUNNEL_TC */
	const char *dir;           /* on a BPF file system; links and marks are kept there */
	struct in_addr home_agent; /* tells our tc filter from another daemon's */
	const char *const *interfaces;
	size_t interface_cnt; /* 0: every one but loopback */
	int xdp_fd, tc_fd;    /* the programs; xdp_fd may be -1: there is none */
	struct loop *loop;
	int ports_fd; /* the map ha_ports */
	int drops_fd; /* the map ha_drops */
	/**
	 * Interfaces and routes were looked at: something on this host may have changed.
	 * @param route_mtu  the lowest that a route has of its own; 0: none has
	 */
	void (*looked)(void *ctx, uint32_t route_mtu);
	void *ctx;
};

struct bpf_ports;

/**
 * Attaches; what a killed daemon left attached has its program replaced, and no packet is missed.
 * Follows interfaces that come, go and change from then on.
 * @param conf  copied; dir, programs and map have to live on
 * @retval -errno
 */
int bpf_ports_open(const struct bpf_ports_conf *conf, struct bpf_ports **ret_p);

/**
 * Attaches to these interfaces from now on, and to no others.
 * @param interfaces  copied @retval -ENOMEM  those of before stay
 */
int bpf_ports_set_interfaces(struct bpf_ports *p, const char *const *interfaces, size_t cnt);

/** Detaches, unless keep. NULL is fine; returns NULL. */
struct bpf_ports *bpf_ports_close(struct bpf_ports *p, bool keep);

/** Detaches what any daemon with this directory left attached. @return how many programs */
unsigned int bpf_ports_clean(const char *dir);

/** How often a program was put back that others had taken off an interface. */
uint64_t bpf_ports_repair_cnt(const struct bpf_ports *p);

/** "xdp" if any interface has it, else "tc", else "tun". */
const char *bpf_ports_tier(const struct bpf_ports *p);

void bpf_ports_for_each(const struct bpf_ports *p,
			void (*fn)(void *ctx, const struct tunnel_port *port), void *ctx);

#endif

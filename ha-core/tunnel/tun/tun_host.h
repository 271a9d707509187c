/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * What the "tun" tier lays down on the host: the TUN device, its settings, and the routes into it.
 */
#ifndef HA_CORE_TUNNEL_TUN_TUN_HOST_H
#define HA_CORE_TUNNEL_TUN_TUN_HOST_H

#include "ha-core/tunnel/tunnel.h"

struct tun_host;

/**
 * @param conf  kept by reference
 * @retval -errno  logged; nothing is left behind
 */
int tun_host_open(const struct tunnel_conf *conf, struct tun_host **ret_h);
/** Takes everything away. NULL is fine; returns NULL. */
struct tun_host *tun_host_close(struct tun_host *h);
/** As tunnel_ops.clean: what a killed daemon left. @retval -errno */
int tun_host_clean(const struct tunnel_conf *conf);

/** The device, non-blocking: one IPv4 packet a read or write. */
int tun_host_fd(const struct tun_host *h);

/**
 * A home address is away, or not any more. On a physical home link its packets are routed to the
 * tunnels instead of the link; on a virtual one there is nothing to do. Idempotent. @retval -errno
 */
int tun_host_put(struct tun_host *h, struct in_addr home_addr);
int tun_host_del(struct tun_host *h, struct in_addr home_addr);

/** A network behind a mobile router is routed to the tunnels, or not any more. As above. */
int tun_host_route(struct tun_host *h, struct addr_prefix network, bool on);

/**
 * Lays the routes of virtual home networks that conf does not have yet, then takes away those that
 * only conf has; home links that come have to be there. conf is the caller's to change, and to put
 * again home addresses whose network is a link no more, or has become one.
 * @retval -errno  logged; all is as it was
 */
int tun_host_set_networks(struct tun_host *h, const struct tunnel_home_network *networks,
			  size_t cnt);

/** Has somebody deleted the device? */
bool tun_host_device_is_gone(struct tun_host *h);

/** Makes it anew: tun_host_fd() is another one then, and nobody may watch the old one any more. */
int tun_host_remake_device(struct tun_host *h);

/** How many sinks are up (sink.h). Asks the kernel. */
unsigned int tun_host_sink_cnt(struct tun_host *h);

/** Its ifindex. */
unsigned int tun_host_index(const struct tun_host *h);

/** Packets that the kernel dropped since we started: its queue was full, as we did not read. */
uint64_t tun_host_lost(struct tun_host *h);

/** rtnl_port() of what it does itself. */
uint32_t tun_host_port(const struct tun_host *h);

/**
 * Looks at the device, all routes and the sinks, and puts back what is missing.
 * @return how many routes and sinks were put back, or the -errno of what could not be
 */
int tun_host_repair(struct tun_host *h);

/** Would this host take a packet to addr for itself: an address of its own, a broadcast? */
bool tun_host_is_local(struct tun_host *h, struct in_addr addr);

/**
 * Has this host the address, or a link for which it is the network's own or its broadcast? Unlike
 * tun_host_is_local() it asks the kernel only after a change: each new tunnel's end is looked at.
 */
bool tun_host_has_address(struct tun_host *h, struct in_addr addr);

/** The host's addresses have changed, or may have. */
void tun_host_forget_addresses(struct tun_host *h);

#endif

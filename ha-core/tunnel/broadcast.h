/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Broadcasts of a home network, for nodes that asked for them with the B bit (RFC 5944 §4.3): who
 * they are, and which packets they get. No I/O.
 */
#ifndef HA_CORE_TUNNEL_BROADCAST_H
#define HA_CORE_TUNNEL_BROADCAST_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** One broadcast becomes this many packets at most: a bound on what a stranger's one can do. */
#define BROADCAST_NODES_MAX 1024

/** Home addresses with a binding that asks for broadcasts, in no order. */
struct broadcast_nodes {
	struct in_addr addrs[BROADCAST_NODES_MAX];
	size_t cnt;
};

/** Idempotent. @return false if there is no room for one more */
bool broadcast_nodes_put(struct broadcast_nodes *nodes, struct in_addr home_addr);

/** Absent is fine. */
void broadcast_nodes_del(struct broadcast_nodes *nodes, struct in_addr home_addr);

/**
 * Is it for nodes that are away? Not so what makes sense on the link itself only: registrations,
 * and router discovery, by which a node would believe that it is at home (RFC 5944 §2.4.3); nor
 * what has no host as its source, as a node that asks for its address by DHCP.
 * @param packet  well formed, see encap_check_ipv4()
 * @param port    where the home agent listens
 */
bool broadcast_is_for_nodes(const uint8_t *packet, size_t len, uint16_t port);

/**
 * A packet that begins on a virtual machine or another namespace of this host comes without its
 * UDP checksum, which its network card was to compute.
 * @param packet  well formed
 */
void broadcast_finish_udp(uint8_t *packet, size_t len);

#endif

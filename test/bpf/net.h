/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * A network namespace of the test's own: pairs of veth with addresses, routes and neighbours.
 * What the kernel refuses ends the program.
 */
#ifndef TEST_BPF_NET_H
#define TEST_BPF_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/** Enters a new namespace, with forwarding on. @retval -errno  not allowed to */
int net_enter(void);

/**
 * Makes the pair `name` and `name`p, both up.
 * @param mac  last octet of name's address 02:00:00:00:00:xx; the peer's is one more
 * @return ifindex of `name`
 */
unsigned int net_pair(const char *name, uint8_t mac, uint32_t mtu);

void net_address(unsigned int ifindex, struct in_addr addr, uint8_t prefix_len);

/** @param gateway  0.0.0.0: on the link */
void net_route(struct in_addr dst, uint8_t prefix_len, struct in_addr gateway,
	       unsigned int ifindex);

/** A neighbour for ever. */
void net_neighbour(unsigned int ifindex, struct in_addr addr, const uint8_t mac[6]);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * A TUN device that holds a home address, and the routes and rules that lead the home address's
 * traffic, and nothing else, into it. It stays when the node moves: connections live on.
 */
#ifndef TEST_MN_TUN_H
#define TEST_MN_TUN_H

#include "common/addr.h"
#include "ha-core/tunnel/rtnl.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tun_conf {
	struct rtnl *rtnl; /* outlives the device */
	const char *device;
	struct in_addr home_addr;
	struct in_addr gateway; /* the home agent */
	uint32_t table;         /* of routes, our own; also the priority of the first rule */
	uint32_t mtu;
	const struct addr_prefix *routes; /* what goes through the device; not owned */
	size_t route_cnt;
	const struct addr_prefix *networks; /* behind us: what comes from them goes there, too */
	size_t network_cnt;
	bool unbound; /* also for sockets that are not bound to an address */
};

struct tun;

/**
 * Makes the device, address, routes and rules; removes what a killed predecessor left in the same
 * table. Logs what was refused.
 * @retval -errno  nothing is left behind
 */
int tun_open(const struct tun_conf *conf, struct tun **ret_tun);

/** Takes everything away. NULL is fine; returns NULL. */
struct tun *tun_close(struct tun *t);

/** Non-blocking; one IPv4 packet a read or write. */
int tun_fd(const struct tun *t);

/** @retval -errno */
int tun_set_mtu(struct tun *t, uint32_t mtu);

#endif

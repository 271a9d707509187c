/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The interface and care-of address in use, as the kernel's links, addresses and routes have it;
 * told anew on every connection status change (RFC 5265 §3.2.2).
 */
#ifndef TEST_MN_LINK_H
#define TEST_MN_LINK_H

#include "common/addr.h"
#include "common/loop.h"
#include "ha-core/tunnel/rtnl.h"

#include <net/if.h>

/** A point of attachment. */
struct link_state {
	unsigned int index; /* 0: none */
	char name[IF_NAMESIZE];
	struct in_addr care_of;
	struct in_addr gateway; /* of the route to the first agent that has one */
	uint32_t mtu;
};

struct link_conf {
	struct loop *loop;
	struct rtnl *rtnl;
	const char *const *interfaces; /* in order of preference; none: every one but loopback */
	size_t interface_cnt;
	const char *const *ignored; /* our own devices; an address on one is never a care-of */
	size_t ignored_cnt;
	const struct in_addr *agents; /* one of them must have a route by the interface */
	size_t agent_cnt;
	/** The same point of attachment has another MTU; gets changed()'s ctx. May be NULL. */
	void (*mtu_changed)(void *ctx, const struct link_state *s);
};

struct link;

/**
 * Starts watching, without telling the present state.
 * @param changed  called after each connection status change: another interface, address or
 *                 router, or the same after an interruption
 * @retval -errno  logged
 */
int link_open(const struct link_conf *conf, void (*changed)(void *ctx, const struct link_state *s),
	      void *ctx, struct link **ret_link);
struct link *link_close(struct link *l);

const struct link_state *link_state(const struct link *l);

/** Takes note of what has changed by now, as the loop would do in its turn: may call changed(). */
void link_look(struct link *l);

#endif

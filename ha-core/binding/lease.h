/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Leases of dynamic home addresses that no binding uses, the longest idle first. A lease outlives
 * its bindings, so that who comes back gets the address it had (RFC 2794); when the pool is
 * exhausted, the longest idle one goes to who needs an address now.
 */
#ifndef HA_CORE_BINDING_LEASE_H
#define HA_CORE_BINDING_LEASE_H

struct sa_peer;

/** Zero-initialised is empty. Links lie in the peers, which the list does not own. */
struct lease_list {
	struct sa_peer *oldest, *newest;
};

/** The peer's lease is idle from now on; nothing changes if it is already. */
void lease_idle(struct lease_list *list, struct sa_peer *peer);

/** It is in use, or is no more; nothing changes if it was not idle. */
void lease_use(struct lease_list *list, struct sa_peer *peer);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/** Devices that keep the kernel's own tunnels from our packets: sink.c says how, and why. */
#ifndef HA_CORE_TUNNEL_SINK_H
#define HA_CORE_TUNNEL_SINK_H

#include "ha-core/tunnel/rtnl.h"

#include <stdbool.h>
#include <stddef.h>

/** The kinds of devices that need one: "ipip", "gre"; NULL behind the last. */
const char *sink_kind(size_t i);

/** Is the kind's module loaded? */
bool sink_is_needed(const char *kind);

/** Is this link a sink beside `device`, or one that a module brings with it? */
bool sink_concerns(const char *device, const char *name);

/**
 * There is a sink of this kind, beside `device`, for packets to `local`. One that is there stays.
 * @return 1: it was there; 0: it is made now
 * @retval -EBUSY   net.ipv4.conf.all.rp_filter is 2, with which it would not hold
 * @retval -EEXIST  somebody else has a device for the same packets
 */
int sink_open(struct rtnl *r, const char *device, const char *kind, struct in_addr local);
/** Is it there? */
bool sink_is_up(struct rtnl *r, const char *device, const char *kind);
/** @retval -ENODEV  there was none */
int sink_close(struct rtnl *r, const char *device, const char *kind);

/**
 * A tunnel device that is still down may lead nowhere, whatever it is given: it does not forward,
 * and no source is right to it as long as no route leads to it.
 * @retval -EBUSY  net.ipv4.conf.all.rp_filter is 2, with which that would not hold
 */
int sink_disarm(const char *name);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/** A physical home link, listened to for its broadcasts. */
#ifndef HA_CORE_TUNNEL_TUN_TUN_LINK_H
#define HA_CORE_TUNNEL_TUN_TUN_LINK_H

#include "common/addr.h"

/**
 * Opens a non-blocking packet socket that gets the IPv4 packets to 255.255.255.255 (if limited)
 * and to the prefix's own broadcast address, from the link alone: what this host sends is not
 * seen.
 * @retval -errno
 */
int tun_link_open(const char *interface, struct addr_prefix prefix, bool limited, int *ret_fd);

/**
 * Reads one, its checksums whole.
 * @return its length; -EAGAIN: no more; -ENETDOWN: the link is down, told once; another -errno
 */
int tun_link_read(int fd, uint8_t *packet, size_t size);

#endif

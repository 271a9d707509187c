/* SPDX-License-Identifier: BSD-2-Clause */
/** Numbers under /proc/sys/net of this network namespace. */
#ifndef HA_CORE_TUNNEL_SETTING_H
#define HA_CORE_TUNNEL_SETTING_H

/**
 * @param link  of net/ipv4/conf/LINK/NAME; NULL: of net/NAME
 * @retval -errno
 */
int setting_write(const char *link, const char *name, int value);
/** What it is, or `otherwise` if it cannot be read. */
int setting_read(const char *link, const char *name, int otherwise);

#endif

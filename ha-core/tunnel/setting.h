/* SPDX-License-Identifier: BSD-2-Clause */
/** Numbers under /proc/sys/net of this network namespace. */
#ifndef HA_CORE_TUNNEL_SETTING_H
#define HA_CORE_TUNNEL_SETTING_H

#include <stdbool.h>

/**
 * @param link  of net/ipv4/conf/LINK/NAME; NULL: of net/NAME
 * @retval -errno
 */
int setting_write(const char *link, const char *name, int value);
/** What it is, or `otherwise` if it cannot be read. */
int setting_read(const char *link, const char *name, int otherwise);

/**
 * A switch under net is on from now on, and is given back as it was found. That it was off is noted
 * in a file until then, so that who comes after a kill does not take our doing for what was found.
 * @param note  path; a note of another boot or another network namespace says nothing
 * @return 1: it was off, now or before the kill: setting_give_back(); 0: others have switched it on
 * @retval -errno  it is off
 */
int setting_borrow(const char *note, const char *name);
/** Is it on, and a kill came before it was given back? */
bool setting_is_borrowed(const char *note, const char *name);
/** @retval -errno  it is still on, and so is the note */
int setting_give_back(const char *note, const char *name);

#endif

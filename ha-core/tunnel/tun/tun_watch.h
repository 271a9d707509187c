/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Watches that what the "tun" tier laid down on the host stays there, and has it put back.
 */
#ifndef HA_CORE_TUNNEL_TUN_TUN_WATCH_H
#define HA_CORE_TUNNEL_TUN_TUN_WATCH_H

#include "ha-core/tunnel/tun/tun_host.h"

struct tun_watch;

/**
 * @param conf    kept by reference
 * @param device  told when the device is gone (false: stop using tun_host_fd()), and when it has
 *                been made anew (true: that is another one)
 * @retval -errno
 */
int tun_watch_open(const struct tunnel_conf *conf, struct tun_host *host,
		   void (*device)(void *ctx, bool there), void *ctx, struct tun_watch **ret_w);
/** NULL is fine; returns NULL. */
struct tun_watch *tun_watch_close(struct tun_watch *w);

/** Something is known to be wrong: look at once. */
void tun_watch_alarm(struct tun_watch *w);

/** How often something was put back since the watch began. */
uint64_t tun_watch_repair_cnt(const struct tun_watch *w);

#endif

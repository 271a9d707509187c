/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The link that mobile nodes visit, by a packet socket: their addresses are not of this link, so
 * what we say to them goes to the hardware address that they spoke from (RFC 5944 §3.7.2.3).
 */
#ifndef TEST_FA_VISITED_H
#define TEST_FA_VISITED_H

#include "common/addr.h"
#include "common/loop.h"
#include "ha-core/tunnel/rtnl.h"

#define VISITED_HW_LEN 6

/** Who spoke. */
struct visited_from {
	uint8_t hw[VISITED_HW_LEN];
	struct in_addr src, dst;
	uint16_t src_port;
	uint8_t ttl;
};

struct visited_hooks {
	/** A datagram to UDP port 434, whatever its IP destination. */
	void (*message)(void *ctx, const struct visited_from *from, const uint8_t *data,
			size_t len);
	/** An agent solicitation. */
	void (*solicited)(void *ctx, const struct visited_from *from);
	void *ctx;
};

struct visited;

/** @retval -errno  logged */
int visited_open(struct loop *loop, const struct rtnl_link *link, const struct visited_hooks *hooks,
		 struct visited **ret_visited);
struct visited *visited_close(struct visited *v);

/** A UDP datagram from port 434. @retval -errno, ERR_TOO_BIG */
int visited_send_udp(struct visited *v, const uint8_t *hw, struct in_addr src, struct in_addr dst,
		     uint16_t dst_port, const void *data, size_t len);

/** A whole IPv4 packet. @param hw  NULL: everybody. @retval -errno */
int visited_send(struct visited *v, const uint8_t *hw, const void *packet, size_t len);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * IPv4 packets in Ethernet frames, for what is sent straight onto a home link and taken from it
 * there. Pure. Addresses in network order.
 */
#ifndef HA_CORE_IO_FRAME_H
#define HA_CORE_IO_FRAME_H

#include "ha-core/wire/arp.h"

#define FRAME_ETHER_LEN 14
#define FRAME_MAX       1514

/** Where a frame comes from and goes to, on the link and above it. */
struct frame_ends {
	uint8_t mac_src[ARP_MAC_LEN], mac_dst[ARP_MAC_LEN];
	struct in_addr src, dst;
};

/** A packet as it lies in a frame. */
struct frame_packet {
	struct frame_ends ends;
	uint8_t protocol, ttl;
	const uint8_t *payload;
	size_t len;
};

/**
 * @retval ERR_TRUNCATED    shorter than it says
 * @retval ERR_UNSUPPORTED  no IPv4, or a fragment
 * @retval ERR_MALFORMED    its header contradicts itself, or its checksum does
 */
int frame_decode(const uint8_t *frame, size_t len, struct frame_packet *ret_packet);

/**
 * An ICMP message, whose checksum is filled in, with TTL 1: no router passes it on.
 * @return octets written, or 0: there is no room
 */
size_t frame_put_icmp(uint8_t frame[FRAME_MAX], const struct frame_ends *ends, uint16_t ident,
		      const uint8_t *icmp, size_t len);

/** A UDP datagram; ports in host order. @return octets written, or 0: there is no room */
size_t frame_put_udp(uint8_t frame[FRAME_MAX], const struct frame_ends *ends, uint16_t src_port,
		     uint16_t dst_port, const uint8_t *data, size_t len);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * ARP for IPv4 over Ethernet (RFC 826), frames whole: what a home agent says and hears on a home
 * link (RFC 5944 §4.6). Addresses in network order. No I/O.
 */
#ifndef HA_CORE_WIRE_ARP_H
#define HA_CORE_WIRE_ARP_H

#include "ha-core/wire/wire.h"

#define ARP_MAC_LEN   6
#define ARP_FRAME_LEN 42 /* the driver pads it to Ethernet's least */

enum { ARP_REQUEST = 1, ARP_REPLY = 2 };

struct arp {
	uint8_t ether_dst[ARP_MAC_LEN], ether_src[ARP_MAC_LEN];
	uint16_t op;
	uint8_t sender_mac[ARP_MAC_LEN];
	struct in_addr sender_addr;
	uint8_t target_mac[ARP_MAC_LEN];
	struct in_addr target_addr;
};

/**
 * @retval ERR_TRUNCATED    shorter than its fields
 * @retval ERR_UNSUPPORTED  not IPv4 over Ethernet
 */
int arp_decode(const uint8_t *frame, size_t len, struct arp *ret_arp);
/** ARP_FRAME_LEN octets. */
void arp_encode(struct wire_writer *w, const struct arp *arp);

/** Does it ask for an address on behalf of somebody else than the owner of that address? */
bool arp_is_question(const struct arp *arp);

/** Proxy ARP: `mac` answers the question for its target address. */
struct arp arp_answer(const struct arp *question, const uint8_t mac[ARP_MAC_LEN]);

/**
 * Gratuitous ARP: everybody on the link is to send what is for addr to `owner`.
 * @param from  MAC address of the interface that says so
 */
struct arp arp_announcement(struct in_addr addr, const uint8_t owner[ARP_MAC_LEN],
			    const uint8_t from[ARP_MAC_LEN]);

#endif

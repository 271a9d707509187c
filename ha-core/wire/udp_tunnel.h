/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * NAT traversal on the wire (RFC 3519 §3): the UDP Tunnel Request and Reply extensions and the
 * header of tunnel data.
 */
#ifndef HA_CORE_WIRE_UDP_TUNNEL_H
#define HA_CORE_WIRE_UDP_TUNNEL_H

#include "ha-core/wire/ext.h"
#include "ha-core/wire/wire.h"

#define UDP_TUNNEL_HEADER_LEN      4   /* of tunnel data: Type, Next Header, Reserved */
#define UDP_TUNNEL_REPLY_WILL      0   /* Reply Code: will tunnel; up to 63 is assent */
#define UDP_TUNNEL_REPLY_DECLINE   64  /* Reply Code: declined; from here on it is refusal */
#define UDP_TUNNEL_KEEPALIVE_S     110 /* default interval, RFC 3519 §4.9 */
#define UDP_TUNNEL_KEEPALIVE_MIN_S 10  /* the shortest a mobile node may choose, §4.10 */

struct udp_tunnel_request {
	bool forced;           /* F: tunnel even where no NAT is seen */
	bool registered_fa;    /* R: co-located address, registered through a foreign agent */
	uint8_t encapsulation; /* 0: as the M and G bits say; else 4, 47 or 55 */
};

struct udp_tunnel_reply {
	uint8_t code; /* UDP_TUNNEL_REPLY_* */
	bool forced;
	uint16_t keepalive_s; /* 0: the mobile node's own default */
};

/**
 * @retval ERR_MALFORMED    Length is not 6
 * @retval ERR_UNSUPPORTED  a Sub-Type other than 0, or Reserved 3 not zero: not understood, to be
 *                          skipped (§3.1.3; §4.6.1 contradicts it with code 134, and a MUST that
 *                          lets extensions grow outweighs a SHOULD)
 */
int udp_tunnel_request_decode(const struct ext *ext, struct udp_tunnel_request *ret_req);
int udp_tunnel_reply_decode(const struct ext *ext, struct udp_tunnel_reply *ret_reply);

void udp_tunnel_request_encode(struct wire_writer *w, const struct udp_tunnel_request *req);
void udp_tunnel_reply_encode(struct wire_writer *w, const struct udp_tunnel_reply *reply);

#endif

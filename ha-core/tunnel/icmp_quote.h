/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * ICMP errors about our own tunnel packets: what they quote, and what they mean to the sender of
 * the packet inside (RFC 2003 §4). No I/O, no state.
 */
#ifndef HA_CORE_TUNNEL_ICMP_QUOTE_H
#define HA_CORE_TUNNEL_ICMP_QUOTE_H

#include "ha-core/tunnel/icmp.h"

/** A tunnel packet of ours, as far as an error quotes it. Nothing in it is authenticated. */
struct icmp_quote {
	uint8_t type, code;
	uint16_t mtu;        /* Next-Hop MTU; 3/4 only */
	struct in_addr peer; /* where the tunnel ends */
	uint16_t peer_port;  /* udp only; host order */
	uint16_t len;        /* Total Length of the outer packet */
	uint8_t mode;        /* enum encap_mode; 0: udp, and the quote ends before it */
	bool udp;
	bool df;                  /* of the outer packet */
	struct in_addr home_addr; /* the inner destination; 0.0.0.0: the quote ends before it */
	uint8_t *inner;           /* the inner packet, in the caller's buffer; NULL: too little */
	size_t inner_len;         /* of what there is of it: its header and eight octets or more */
};

/**
 * Reads an ICMP error. Works in place: minimal encapsulation's inner header is restored.
 *
 * @param packet       the whole IPv4 packet, as a raw socket gives it
 * @param local        our end of the tunnels
 * @param local_port   of those in UDP
 * @retval 0              it quotes the beginning of a tunnel packet from local
 * @retval ERR_MALFORMED  it is no sound ICMP error, or quotes something else
 */
int icmp_quote_decode(uint8_t *packet, size_t len, struct in_addr local, uint16_t local_port,
		      struct icmp_quote *ret_quote);

#define ICMP_QUOTE_NOT_RELAYED 0

/**
 * What the inner packet's sender is to be told of an error from inside the tunnel (RFC 2003 §4):
 * enum icmp_error, or ICMP_QUOTE_NOT_RELAYED.
 */
int icmp_quote_meaning(uint8_t type, uint8_t code);

#endif

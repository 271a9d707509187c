/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Tunnels, packet in and packet out: IP-in-IP (RFC 2003), minimal (RFC 2004), GRE (RFC 2784) and
 * each of them in UDP (RFC 3519). No I/O, no state.
 */
#ifndef HA_CORE_TUNNEL_ENCAP_H
#define HA_CORE_TUNNEL_ENCAP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** An IP protocol number, and the Next Header of UDP tunnel data. */
enum encap_mode {
	ENCAP_IPIP = 4,
	ENCAP_GRE = 47,
	ENCAP_MINIMAL = 55,
};

#define ENCAP_HEADROOM   60 /* the most that encap_packet() puts before the inner packet */
#define ENCAP_PACKET_MAX 65535

/** The way from us to a tunnel's other end. */
struct encap_path {
	struct in_addr local, peer;
	uint16_t local_port, peer_port; /* host order; udp only */
	uint8_t mode;                   /* enum encap_mode */
	bool udp;
	bool ecn_normal; /* RFC 6040 §4.1 normal mode: the far end is known to pass ECN on */
};

/** What arrived in a tunnel. The inner packet lies in the caller's buffer. */
struct encap_inner {
	uint8_t *packet;
	size_t len;
	bool ecn_unexpected; /* the two marks are a pair that nobody sends, RFC 6040 §4.2 */
};

/** Octets added to an inner packet: 20, 12, 24; with UDP 32, 24, 36 (minimal with S=1). */
size_t encap_overhead(uint8_t mode, bool udp);

/** "ip-in-ip", "gre", "minimal" */
const char *encap_mode_name(uint8_t mode);

/**
 * What a packet really travels in: minimal encapsulation cannot carry a fragment, which goes as
 * IP-in-IP (RFC 2004 §3).
 * @param inner  well formed
 */
uint8_t encap_mode_for(uint8_t mode, const uint8_t *inner);

/**
 * Checks an IPv4 header: version, lengths, checksum. Trailing octets beyond Total Length are
 * allowed (link padding).
 * @return Total Length, or ERR_MALFORMED
 */
int encap_check_ipv4(const uint8_t *packet, size_t len);

/**
 * Puts outer headers before an inner packet, in place: the ENCAP_HEADROOM octets before `inner`
 * are the caller's to lose. TOS is copied, its ECN field only in normal mode (RFC 6040 §4.1;
 * compatibility mode is for a care-of address whose abilities nobody told us), DF is copied, TTL
 * is 64. Minimal encapsulation keeps all of these as the original has them; see encap_mode_for().
 * The inner TTL stays as it is.
 *
 * @param ident       Identification of the outer header
 * @param ret_packet  start of the outer packet
 * @return length of the outer packet, or ERR_MALFORMED (a TTL of 0 too, RFC 2003 §3.1),
 *         ERR_TOO_BIG (over 65,535)
 */
int encap_packet(const struct encap_path *path, uint8_t *inner, size_t len, uint16_t ident,
		 uint8_t **ret_packet);

/**
 * Takes the outer header off a whole IPv4 packet of protocol 4, 47 or 55, and applies the ECN
 * rule of RFC 6040 §4.2. Works in place.
 *
 * @retval 0              *ret_inner is a well-formed IPv4 packet
 * @retval ERR_CONGESTED  as well formed, but the outer header says "congestion experienced" and
 *                        its sender does not know of such marks: to be dropped, RFC 6040 §4.2
 * @retval ERR_MALFORMED  anything else
 */
int encap_decapsulate(uint8_t *packet, size_t len, struct encap_inner *ret_inner);

/**
 * The same for the payload of a UDP datagram that begins with the tunnel data header. Minimal
 * encapsulation rebuilds its IP header in the headroom: the ENCAP_HEADROOM octets before `data`
 * are the caller's to lose. Of that header a socket gives us only TOS and addresses: the rest is
 * TTL 64, Identification 0, DF.
 *
 * @param tos        TOS octet of the outer header
 * @param src, dst   of the outer header: what minimal encapsulation leaves out
 * @param ret_mode   Next Header
 */
int encap_decapsulate_udp(uint8_t *data, size_t len, uint8_t tos, struct in_addr src,
			  struct in_addr dst, uint8_t *ret_mode, struct encap_inner *ret_inner);

/**
 * Splits an IPv4 packet so that no piece is longer than mtu (RFC 791 §3.2), calling emit() for
 * each. A packet that fits is emitted whole. Pieces are built in `piece`, with ENCAP_HEADROOM
 * octets left free before them, of at least ENCAP_HEADROOM + mtu octets.
 *
 * @return 0, ERR_TOO_BIG (DF is set, or mtu has no room for eight octets of data), ERR_MALFORMED,
 *         or what emit() returned if not 0: then the rest was not emitted
 */
int encap_fragment(const uint8_t *packet, size_t len, size_t mtu, uint8_t *piece,
		   int (*emit)(void *ctx, uint8_t *piece, size_t len), void *ctx);

#endif

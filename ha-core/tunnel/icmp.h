/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * ICMP as a router sends it (RFC 792, RFC 1812 §4.3): errors about packets that cannot go on, and
 * echo replies to the keepalives of RFC 3519 §4.9. No I/O, no state but the caller's limiter.
 */
#ifndef HA_CORE_TUNNEL_ICMP_H
#define HA_CORE_TUNNEL_ICMP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ICMP_ERROR_MAX 576 /* octets of an error, quote included: RFC 1812 §4.3.2.3 */

/** Type and code in one, as `type << 8 | code`. */
enum icmp_error {
	ICMP_ERROR_NET_UNREACHABLE = 0x0300,
	ICMP_ERROR_HOST_UNREACHABLE = 0x0301,
	ICMP_ERROR_TOO_BIG = 0x0304, /* fragmentation needed and DF set, RFC 1191 */
	ICMP_ERROR_TIME_EXCEEDED = 0x0b00,
};

/**
 * Builds an ICMP error about a packet, to its source.
 *
 * @param out     ICMP_ERROR_MAX octets; the header's Identification is 0, for the kernel to choose
 * @param error   enum icmp_error
 * @param mtu     Next-Hop MTU; ICMP_ERROR_TOO_BIG only, else 0
 * @param from    our address
 * @param packet  well formed, see encap_check_ipv4()
 * @return length of the error, or 0: there must be none about this packet (RFC 1812 §4.3.2.7: it
 *         is an ICMP error, a fragment behind the first, went to a broadcast or multicast
 *         address, or has a source that is no host's). Subnet broadcasts are the caller's to know.
 */
size_t icmp_build_error(uint8_t *out, enum icmp_error error, uint16_t mtu, struct in_addr from,
			const uint8_t *packet, size_t len);

/** Is it an ICMP error, or a redirect or source quench: what no error may be sent about? */
bool icmp_is_error(const uint8_t *packet, size_t len);

/**
 * Is it a whole echo request with a right checksum?
 * @param packet  well formed, see encap_check_ipv4()
 */
bool icmp_is_echo_request(const uint8_t *packet, size_t len);

/**
 * Turns an echo request into its reply, in place: addresses swapped, TTL 64, IP options left out,
 * identifier, sequence number and data as they were (RFC 1812 §4.3.3.6).
 *
 * @param packet     icmp_is_echo_request()
 * @param ident      Identification of the reply
 * @param ret_reply  where it begins, in the same buffer
 * @return its length
 */
size_t icmp_echo_reply(uint8_t *packet, size_t len, uint16_t ident, uint8_t **ret_reply);

/** A token bucket (RFC 1812 §4.3.2.8). Zero-initialise but for the two settings. */
struct icmp_limit {
	uint32_t per_second;
	uint32_t burst;
	/* state */
	uint64_t filled_ms;
	uint64_t tokens; /* in thousandths */
	bool primed;
};

/** May one more be sent? Takes a token if so. @param now_ms monotonic */
bool icmp_limit_allows(struct icmp_limit *l, uint64_t now_ms);

#endif

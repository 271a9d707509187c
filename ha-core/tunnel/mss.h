/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * TCP's maximum segment size, lowered on its way through a tunnel (RFC 4459 §3.2). No I/O, no
 * state.
 */
#ifndef HA_CORE_TUNNEL_MSS_H
#define HA_CORE_TUNNEL_MSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Octets of the IP and TCP headers without options: RFC 6691 §2 leaves those to the sender. */
#define MSS_HEADERS 40

/**
 * Is it a SYN or SYN-ACK, of which the whole fixed TCP header is there? A fragment behind the
 * first is not.
 * @param packet  well formed, see encap_check_ipv4()
 */
bool mss_is_syn(const uint8_t *packet, size_t len);

/**
 * Lowers the MSS option to `mss` if it says more, and corrects the TCP checksum by the difference
 * (RFC 1624 eqn. 3). Nothing is ever raised, and no option put in: without one the far end
 * assumes 536 (RFC 9293 §3.7.1).
 * @param packet  mss_is_syn()
 * @return whether the packet was changed
 */
bool mss_clamp(uint8_t *packet, size_t len, uint16_t mss);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The keepalive of a UDP tunnel, an ICMP echo to the home agent (RFC 3519 §4.9). No I/O.
 */
#ifndef TEST_INSTRUMENT_ECHO_H
#define TEST_INSTRUMENT_ECHO_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ECHO_PACKET_LEN 28 /* IPv4 and ICMP headers, no data */

/** Writes ECHO_PACKET_LEN octets. */
void echo_build(uint8_t *packet, struct in_addr src, struct in_addr dst, uint16_t sequence);

/** Does it answer one of ours, from the home agent? @param packet  well formed */
bool echo_is_reply(const uint8_t *packet, size_t len, struct in_addr from);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/** Packets for fuzz targets: their checksums set right, which no mutation would ever find. */
#ifndef TEST_FUZZ_PACKET_H
#define TEST_FUZZ_PACKET_H

#include "ha-core/tunnel/encap.h"
#include "ha-core/tunnel/ipv4.h"
#include "test/fuzz/fuzz.h"

/** Sets the header's checksum right, where there is a whole header. */
static inline void packet_mend(uint8_t *packet, size_t len)
{
	if (len >= IPV4_HEADER_MIN && ipv4_header_len(packet) >= IPV4_HEADER_MIN &&
	    ipv4_header_len(packet) <= len)
		ipv4_finish_header(packet);
}

/** Makes it a packet of just this length: version, Total Length, checksum. */
static inline void packet_fit(uint8_t *packet, size_t len)
{
	if (len < IPV4_HEADER_MIN)
		return;
	packet[0] = (uint8_t)(0x40 | (packet[0] & 0x0f));
	ipv4_put16(packet + IPV4_LENGTH, (uint16_t)len);
	packet_mend(packet, len);
}

/** What lies behind the header: ICMP's checksum, minimal encapsulation's, set right. */
static inline void packet_mend_payload(uint8_t *packet, size_t len)
{
	size_t header_len = ipv4_header_len(packet), left;
	uint8_t *payload = packet + header_len;

	if (header_len < IPV4_HEADER_MIN || header_len > len)
		return;
	left = len - header_len;
	if (packet[IPV4_PROTOCOL] == IPPROTO_ICMP && left >= 8)
		ipv4_put_checksum(payload, left, 2);
	else if (packet[IPV4_PROTOCOL] == ENCAP_MINIMAL && left >= 12)
		ipv4_put_checksum(payload, payload[1] & 0x80 ? 12 : 8, 2);
	else if (packet[IPV4_PROTOCOL] == ENCAP_IPIP)
		packet_mend(payload, left);
	else if (packet[IPV4_PROTOCOL] == ENCAP_GRE && left >= 4)
		packet_mend(payload + 4, left - 4);
}

#endif

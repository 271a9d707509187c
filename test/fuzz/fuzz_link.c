/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a home link brings (home_link.c's pure parts): ARP, agent solicitations, broadcasts, frames
 * of any kind. What is answered is answered to who asked, and what is passed on lies in the frame.
 *
 * Input: bits (1), then an Ethernet frame.
 */
#include "common/addr.h"
#include "ha-core/io/frame.h"
#include "ha-core/tunnel/broadcast.h"
#include "ha-core/wire/advert.h"
#include "ha-core/wire/arp.h"
#include "test/fuzz/packet.h"

#define BIT_AS_IS 0x01

static void check_arp(const uint8_t *frame, size_t len)
{
	static const uint8_t mac[ARP_MAC_LEN] = { 2, 0, 0, 0, 0, 1 };
	uint8_t again[ARP_FRAME_LEN];
	struct wire_writer w = wire_writer(again, sizeof(again));
	struct arp arp, answer, read;

	if (arp_decode(frame, len, &arp) < 0)
		return;
	arp_encode(&w, &arp);
	FUZZ_CHECK(!w.failed && wire_len(&w) == ARP_FRAME_LEN);
	FUZZ_CHECK(memcmp(again, frame, ARP_FRAME_LEN) == 0);
	if (!arp_is_question(&arp))
		return;
	answer = arp_answer(&arp, mac);
	FUZZ_CHECK(answer.op == ARP_REPLY && !arp_is_question(&answer));
	FUZZ_CHECK(memcmp(answer.ether_dst, arp.sender_mac, ARP_MAC_LEN) == 0);
	FUZZ_CHECK(!(answer.ether_dst[0] & 1)); /* one question, one who hears the answer */
	w = wire_writer(again, sizeof(again));
	arp_encode(&w, &answer);
	FUZZ_CHECK(arp_decode(again, sizeof(again), &read) == 0);
	FUZZ_CHECK(addr_eq(read.sender_addr, arp.target_addr));
}

static void check_packet(const uint8_t *frame, size_t len)
{
	struct frame_packet p;

	if (frame_decode(frame, len, &p) < 0)
		return;
	FUZZ_CHECK(p.payload >= frame + FRAME_ETHER_LEN + IPV4_HEADER_MIN &&
		   p.payload + p.len <= frame + len);
	(void)advert_is_solicitation(p.payload, p.len);
}

static void check_broadcast(const uint8_t *data, size_t len)
{
	uint8_t *packet = fuzz_copy(data, len), *udp;
	int total = encap_check_ipv4(packet, len);

	if (total > 0) {
		if (broadcast_is_for_nodes(packet, (size_t)total, 434))
			FUZZ_CHECK(addr_is_unicast(ipv4_src(packet)));
		broadcast_finish_udp(packet, (size_t)total);
		FUZZ_CHECK(encap_check_ipv4(packet, len) == total);
		udp = packet + ipv4_header_len(packet);
		if (memcmp(packet, data, (size_t)total) != 0) /* it is UDP, and has a sum now */
			FUZZ_CHECK(ipv4_get16(udp + 6) != 0);
	}
	free(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *frame, *ip;
	size_t len;

	if (size < 1)
		return 0;
	len = size - 1;
	frame = fuzz_copy(data + 1, len);
	ip = frame + FRAME_ETHER_LEN;
	if (!(data[0] & BIT_AS_IS) && len >= FRAME_ETHER_LEN + IPV4_HEADER_MIN &&
	    ipv4_get16(frame + 12) == 0x0800) {
		packet_fit(ip, len - FRAME_ETHER_LEN);
		packet_mend_payload(ip, len - FRAME_ETHER_LEN);
	}
	check_arp(frame, len);
	check_packet(frame, len);
	if (len >= FRAME_ETHER_LEN)
		check_broadcast(ip, len - FRAME_ETHER_LEN);
	free(frame);
	return 0;
}

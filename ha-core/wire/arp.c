/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ARP of RFC 5944 §4.6. home_link.c sends and receives these frames; nothing here lives
 * longer than a call.
 *
 * Gratuitous ARP is sent in the request form. RFC 5944 allows the reply form as well, but the
 * request form is what every neighbour takes for an update (RFC 5227 §3). It makes whoever has an
 * entry for the sender address put the sender's hardware address there; when a node has come home
 * that is the node's. The Ethernet source stays ours: a switch that saw the node's there would
 * send what is for the node to our port.
 */
#include "ha-core/wire/arp.h"

#include "common/addr.h"
#include "common/err.h"

#define ETHERTYPE_IPV4  0x0800
#define ETHERTYPE_ARP   0x0806
#define ARP_ON_ETHERNET 1
#define ARP_ADDR_LEN    4
#define MAC_GROUP_BIT   0x01 /* of the first octet: multicast, broadcast */

static void get_mac(struct wire_reader *r, uint8_t mac[ARP_MAC_LEN])
{
	const uint8_t *p = wire_bytes(r, ARP_MAC_LEN);

	if (p)
		memcpy(mac, p, ARP_MAC_LEN);
}

int arp_decode(const uint8_t *frame, size_t len, struct arp *ret_arp)
{
	struct wire_reader r = wire_reader(frame, len);
	uint8_t mac_len, addr_len;
	uint16_t type, link, protocol;
	struct arp arp = { .op = 0 };

	get_mac(&r, arp.ether_dst);
	get_mac(&r, arp.ether_src);
	type = wire_u16(&r);
	link = wire_u16(&r);
	protocol = wire_u16(&r);
	mac_len = wire_u8(&r);
	addr_len = wire_u8(&r);
	arp.op = wire_u16(&r);
	get_mac(&r, arp.sender_mac);
	arp.sender_addr = wire_addr(&r);
	get_mac(&r, arp.target_mac);
	arp.target_addr = wire_addr(&r);
	if (r.failed)
		return ERR_TRUNCATED;
	if (type != ETHERTYPE_ARP || link != ARP_ON_ETHERNET || protocol != ETHERTYPE_IPV4 ||
	    mac_len != ARP_MAC_LEN || addr_len != ARP_ADDR_LEN)
		return ERR_UNSUPPORTED;
	*ret_arp = arp;
	return 0;
}

void arp_encode(struct wire_writer *w, const struct arp *arp)
{
	wire_put_bytes(w, arp->ether_dst, ARP_MAC_LEN);
	wire_put_bytes(w, arp->ether_src, ARP_MAC_LEN);
	wire_put_u16(w, ETHERTYPE_ARP);
	wire_put_u16(w, ARP_ON_ETHERNET);
	wire_put_u16(w, ETHERTYPE_IPV4);
	wire_put_u8(w, ARP_MAC_LEN);
	wire_put_u8(w, ARP_ADDR_LEN);
	wire_put_u16(w, arp->op);
	wire_put_bytes(w, arp->sender_mac, ARP_MAC_LEN);
	wire_put_addr(w, arp->sender_addr);
	wire_put_bytes(w, arp->target_mac, ARP_MAC_LEN);
	wire_put_addr(w, arp->target_addr);
}

/*
 * RFC 5944 §4.6 has every request for the home address answered. One is not: the node's own
 * gratuitous ARP when it comes home, which goes out before its deregistration reaches us. An
 * answer would tell the node that somebody else has its address (RFC 5227 §2.4). Probes, whose
 * sender is 0.0.0.0, are answered: whoever sends one is about to take an address that has an owner.
 */
bool arp_is_question(const struct arp *arp)
{
	return arp->op == ARP_REQUEST && !addr_eq(arp->sender_addr, arp->target_addr) &&
	       !(arp->sender_mac[0] & MAC_GROUP_BIT);
}

struct arp arp_answer(const struct arp *question, const uint8_t mac[ARP_MAC_LEN])
{
	struct arp answer = {
		.op = ARP_REPLY,
		.sender_addr = question->target_addr,
		.target_addr = question->sender_addr,
	};

	memcpy(answer.ether_dst, question->sender_mac, ARP_MAC_LEN);
	memcpy(answer.ether_src, mac, ARP_MAC_LEN);
	memcpy(answer.sender_mac, mac, ARP_MAC_LEN);
	memcpy(answer.target_mac, question->sender_mac, ARP_MAC_LEN);
	return answer;
}

struct arp arp_announcement(struct in_addr addr, const uint8_t owner[ARP_MAC_LEN],
			    const uint8_t from[ARP_MAC_LEN])
{
	struct arp arp = { .op = ARP_REQUEST, .sender_addr = addr, .target_addr = addr };

	memset(arp.ether_dst, 0xff, ARP_MAC_LEN);
	memcpy(arp.ether_src, from, ARP_MAC_LEN);
	memcpy(arp.sender_mac, owner, ARP_MAC_LEN);
	return arp;
}

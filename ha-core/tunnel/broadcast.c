/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Broadcasts: the part without sockets. Nodes that want them are few, so they are a plain array:
 * looked through when a registration changes something, walked when a broadcast comes.
 */
#include "ha-core/tunnel/broadcast.h"

#include "common/addr.h"
#include "ha-core/tunnel/ipv4.h"

#define TYPE_ROUTER_ADVERTISEMENT 9 /* RFC 1256, and agent advertisements */
#define TYPE_ROUTER_SOLICITATION  10
#define UDP_HEADER_LEN            8
#define UDP_DST_PORT              2
#define UDP_LENGTH                4
#define UDP_CHECKSUM              6

static size_t find(const struct broadcast_nodes *nodes, struct in_addr home_addr)
{
	size_t i = 0;

	while (i < nodes->cnt && !addr_eq(nodes->addrs[i], home_addr))
		i++;
	return i;
}

bool broadcast_nodes_put(struct broadcast_nodes *nodes, struct in_addr home_addr)
{
	if (find(nodes, home_addr) < nodes->cnt)
		return true;
	if (nodes->cnt == BROADCAST_NODES_MAX)
		return false;
	nodes->addrs[nodes->cnt++] = home_addr;
	return true;
}

void broadcast_nodes_del(struct broadcast_nodes *nodes, struct in_addr home_addr)
{
	size_t i = find(nodes, home_addr);

	if (i < nodes->cnt)
		nodes->addrs[i] = nodes->addrs[--nodes->cnt];
}

bool broadcast_is_for_nodes(const uint8_t *packet, size_t len, uint16_t port)
{
	size_t header_len = ipv4_header_len(packet);
	const uint8_t *payload = packet + header_len;

	if (!addr_is_unicast(ipv4_src(packet)))
		return false;
	if (ipv4_is_later_fragment(packet)) /* without its first one it is of no use */
		return true;
	switch (packet[IPV4_PROTOCOL]) {
	case IPPROTO_ICMP:
		return len > header_len && payload[0] != TYPE_ROUTER_ADVERTISEMENT &&
		       payload[0] != TYPE_ROUTER_SOLICITATION;
	case IPPROTO_UDP:
		return len >= header_len + UDP_HEADER_LEN &&
		       ipv4_get16(payload + UDP_DST_PORT) != port;
	default:
		return true;
	}
}

void broadcast_finish_udp(uint8_t *packet, size_t len)
{
	size_t header_len = ipv4_header_len(packet), udp_len = len - header_len;
	uint8_t *udp = packet + header_len, pseudo[12] = { 0 };
	uint16_t sum;

	if (packet[IPV4_PROTOCOL] != IPPROTO_UDP || ipv4_is_fragment(packet) ||
	    udp_len < UDP_HEADER_LEN || ipv4_get16(udp + UDP_LENGTH) != udp_len)
		return;
	memcpy(pseudo, packet + IPV4_SRC, 8);
	pseudo[9] = IPPROTO_UDP;
	ipv4_put16(pseudo + 10, (uint16_t)udp_len);
	memset(udp + UDP_CHECKSUM, 0, sizeof(sum));
	sum = ipv4_checksum(ipv4_sum(udp, udp_len, ipv4_sum(pseudo, sizeof(pseudo), 0)));
	if (sum == 0)
		sum = 0xffff;
	memcpy(udp + UDP_CHECKSUM, &sum, sizeof(sum));
}

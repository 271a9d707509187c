/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which inner packets may pass a tunnel (struct tunnel_filter): how xhad lets nothing but IPsec to
 * the VPN gateway out. Pure; the tiers call it for every packet in both directions.
 *
 * ICMP errors pass if the packet they quote would have passed the other way: without them path
 * MTU discovery (RFC 1191) of the permitted flow breaks. A quote is easily made up, so it must be
 * about the node's own flow, and a node's error may go nowhere but to the permitted peer.
 *
 * What has IP options does not pass: IPsec needs none, and a source route (RFC 791 §3.1) would lead
 * a packet for the permitted peer on to anybody behind it.
 */
#include "ha-core/tunnel/icmp.h"
#include "ha-core/tunnel/ipv4.h"
#include "ha-core/tunnel/tunnel.h"

#define ICMP_HEADER_LEN 8
#define TYPE_REDIRECT   5
#define PORTS_LEN       4 /* source and destination port, at the start of UDP, TCP, SCTP, ... */

/* Headers and first octets of a packet, as far as they were quoted. */
static bool flow_permitted(const struct tunnel_filter *filter, const uint8_t *packet, size_t len,
			   enum tunnel_direction direction)
{
	bool to_node = direction == TUNNEL_TO_NODE;
	struct in_addr far_end = to_node ? ipv4_src(packet) : ipv4_dst(packet);
	const uint8_t *ports = packet + ipv4_header_len(packet);
	bool has_ports = !ipv4_is_later_fragment(packet);
	const struct tunnel_filter_row *row;
	size_t i;

	if (!addr_set_contains(&filter->peers, far_end))
		return false;
	for (i = 0; i < filter->row_cnt; i++) {
		row = &filter->rows[i];
		if (row->protocol != packet[IPV4_PROTOCOL])
			continue;
		if (row->port == 0 || !has_ports)
			return true;
		if (len < ipv4_header_len(packet) + PORTS_LEN)
			continue;
		if (row->port == ipv4_get16(to_node ? ports : ports + 2))
			return true;
	}
	return false;
}

static bool error_permitted(const struct tunnel_filter *filter, const uint8_t *packet, size_t len,
			    enum tunnel_direction direction)
{
	size_t header_len = ipv4_header_len(packet) + ICMP_HEADER_LEN, quote_len;
	const uint8_t *quote;

	if (!icmp_is_error(packet, len) || len < header_len + IPV4_HEADER_MIN)
		return false;
	if (packet[ipv4_header_len(packet)] == TYPE_REDIRECT) /* no business of a tunnel's */
		return false;
	quote = packet + header_len;
	quote_len = len - header_len;
	if (quote[0] >> 4 != 4 || ipv4_header_len(quote) < IPV4_HEADER_MIN ||
	    ipv4_header_len(quote) > quote_len)
		return false;
	/* An error goes to the source of what it is about. */
	if (!addr_eq(ipv4_src(quote), ipv4_dst(packet)))
		return false;
	if (direction == TUNNEL_TO_NODE)
		return flow_permitted(filter, quote, quote_len, TUNNEL_FROM_NODE);
	return addr_eq(ipv4_dst(quote), ipv4_src(packet)) &&
	       flow_permitted(filter, quote, quote_len, TUNNEL_TO_NODE);
}

bool tunnel_filter_permits(const struct tunnel_filter *filter, const uint8_t *packet, size_t len,
			   enum tunnel_direction direction)
{
	if (filter->pass_all)
		return true;
	return ipv4_header_len(packet) == IPV4_HEADER_MIN &&
	       (flow_permitted(filter, packet, len, direction) ||
		error_permitted(filter, packet, len, direction));
}

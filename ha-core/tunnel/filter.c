/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which inner packets may pass a tunnel (struct tunnel_filter): how xhad lets nothing but IPsec to
 * the VPN gateway out, and nothing but its answers in. Pure; the TUN tier calls it for every packet
 * in both directions, and the programs of the fast one (bpf/habpf_parse.h) judge as it does.
 *
 * The node begins. A gateway rekeys and probes by itself, but only who has spoken to it, so what
 * it may send is settled once: the node's first packet to it is noted in the binding (struct
 * binding_contacts), and the note lives as long as the key has a binding, through moves, renewals
 * and our own restarts. There is no time-out, which a silent VPN would run into. The caller takes
 * the note; a packet from the node needs none.
 *
 * ICMP errors pass if the packet they quote would have passed the other way: without them path
 * MTU discovery (RFC 1191) of the permitted flow breaks. A quote is easily made up, so it must be
 * about the node's own flow, and a node's error may go nowhere but to the permitted peer.
 *
 * What has IP options does not pass: IPsec needs none, and a source route (RFC 791 §3.1) would lead
 * a packet for the permitted peer on to anybody behind it. Nor does UDP whose own length is not
 * that of the packet: what is behind its end is no IPsec. Fragments are held to both rules by their
 * first (fragments.c).
 */
#include "ha-core/tunnel/fragments.h"
#include "ha-core/tunnel/icmp.h"
#include "ha-core/tunnel/ipv4.h"
#include "ha-core/tunnel/tunnel.h"

#define ICMP_HEADER_LEN 8
#define TYPE_REDIRECT   5
#define PORTS_LEN       4 /* source and destination port, at the start of UDP, TCP, SCTP, ... */
#define UDP_HEADER_LEN  8
#define UDP_LENGTH      4

static const char *const reason_names[TUNNEL_FILTER_REASON_CNT] = {
	[TUNNEL_FILTER_PASSES] = "none",
	[TUNNEL_FILTER_OPTIONS] = "ip-options",
	[TUNNEL_FILTER_ICMP] = "icmp-error",
	[TUNNEL_FILTER_PEER] = "not-a-gateway",
	[TUNNEL_FILTER_PROTOCOL] = "protocol",
	[TUNNEL_FILTER_PORT] = "port",
	[TUNNEL_FILTER_LENGTH] = "length",
	[TUNNEL_FILTER_FRAGMENT] = "fragment",
	[TUNNEL_FILTER_UNSOLICITED] = "unsolicited",
};

const char *tunnel_filter_reason_name(enum tunnel_filter_reason reason)
{
	return reason_names[reason];
}

/* Headers and first octets of a packet, as far as they were quoted. */
static enum tunnel_filter_reason judge_flow(const struct tunnel_filter *filter,
					    const uint8_t *packet, size_t len,
					    enum tunnel_direction direction)
{
	bool to_node = direction == TUNNEL_TO_NODE;
	struct in_addr far_end = to_node ? ipv4_src(packet) : ipv4_dst(packet);
	const uint8_t *ports = packet + ipv4_header_len(packet);
	bool has_ports = !ipv4_is_later_fragment(packet);
	enum tunnel_filter_reason reason = TUNNEL_FILTER_PROTOCOL;
	const struct tunnel_filter_row *row;
	size_t i;

	if (!addr_set_contains(&filter->peers, far_end))
		return TUNNEL_FILTER_PEER;
	for (i = 0; i < filter->row_cnt; i++) {
		row = &filter->rows[i];
		if (row->protocol != packet[IPV4_PROTOCOL])
			continue;
		if (row->port == 0 || !has_ports)
			return TUNNEL_FILTER_PASSES;
		if (len < ipv4_header_len(packet) + PORTS_LEN)
			return TUNNEL_FILTER_LENGTH;
		if (row->port == ipv4_get16(to_node ? ports : ports + 2))
			return TUNNEL_FILTER_PASSES;
		reason = TUNNEL_FILTER_PORT;
	}
	return reason;
}

/* A whole packet, or the first of its fragments: is it as long as UDP says, or as far? */
static bool udp_length_is_right(const uint8_t *packet, size_t len)
{
	const uint8_t *udp = packet + ipv4_header_len(packet);
	size_t here = len - ipv4_header_len(packet), said;

	if (here < UDP_HEADER_LEN)
		return false;
	said = ipv4_get16(udp + UDP_LENGTH);
	return ipv4_is_fragment(packet) ? said > here : said == here;
}

/* A fragment behind the first: is it of a packet that passes, and within its bounds? */
static enum tunnel_filter_reason judge_later(const struct fragments *fragments,
					     const struct tunnel_filter_packet *p, uint64_t now_ms)
{
	const struct fragments_entry *e = fragments_find(fragments, p->data, now_ms);
	uint16_t field = ipv4_get16(p->data + IPV4_FRAGMENT);
	size_t end = (size_t)(field & IPV4_OFFSET_MASK) * 8 + p->len - ipv4_header_len(p->data);

	if (!e)
		return TUNNEL_FILTER_FRAGMENT;
	if (e->end != 0 && (field & IPV4_MF ? end >= e->end : end != e->end))
		return TUNNEL_FILTER_LENGTH;
	return TUNNEL_FILTER_PASSES;
}

static bool is_unsolicited(const struct tunnel_filter_packet *p)
{
	return p->direction == TUNNEL_TO_NODE && !binding_has_contact(p->first, ipv4_src(p->data));
}

static bool error_is_permitted(const struct tunnel_filter *filter,
			       const struct tunnel_filter_packet *p)
{
	size_t header_len = ipv4_header_len(p->data) + ICMP_HEADER_LEN, quote_len;
	bool to_node = p->direction == TUNNEL_TO_NODE;
	const uint8_t *quote;

	if (p->len < header_len + IPV4_HEADER_MIN)
		return false;
	if (p->data[ipv4_header_len(p->data)] == TYPE_REDIRECT) /* no business of a tunnel's */
		return false;
	quote = p->data + header_len;
	quote_len = p->len - header_len;
	if (quote[0] >> 4 != 4 || ipv4_header_len(quote) < IPV4_HEADER_MIN ||
	    ipv4_header_len(quote) > quote_len)
		return false;
	/* An error goes to the source of what it is about. */
	if (!addr_eq(ipv4_src(quote), ipv4_dst(p->data)))
		return false;
	if (!to_node && !addr_eq(ipv4_dst(quote), ipv4_src(p->data)))
		return false;
	/* Either way the node has sent there: else there would be nothing to complain of. */
	if (!binding_has_contact(p->first, to_node ? ipv4_dst(quote) : ipv4_src(quote)))
		return false;
	return judge_flow(filter, quote, quote_len, to_node ? TUNNEL_FROM_NODE : TUNNEL_TO_NODE) ==
	       TUNNEL_FILTER_PASSES;
}

enum tunnel_filter_reason tunnel_filter_judge(const struct tunnel_filter *filter,
					      struct fragments *fragments,
					      const struct tunnel_filter_packet *p, uint64_t now_ms)
{
	const bool is_udp = p->data[IPV4_PROTOCOL] == IPPROTO_UDP;
	enum tunnel_filter_reason reason;

	if (filter->pass_all)
		return TUNNEL_FILTER_PASSES;
	if (ipv4_header_len(p->data) != IPV4_HEADER_MIN)
		return TUNNEL_FILTER_OPTIONS;
	if (icmp_is_error(p->data, p->len))
		return error_is_permitted(filter, p) ? TUNNEL_FILTER_PASSES : TUNNEL_FILTER_ICMP;
	reason = judge_flow(filter, p->data, p->len, p->direction);
	if (reason == TUNNEL_FILTER_PASSES && ipv4_is_later_fragment(p->data))
		reason = judge_later(fragments, p, now_ms);
	else if (reason == TUNNEL_FILTER_PASSES && is_udp && !udp_length_is_right(p->data, p->len))
		reason = TUNNEL_FILTER_LENGTH;
	if (reason == TUNNEL_FILTER_PASSES && is_unsolicited(p))
		reason = TUNNEL_FILTER_UNSOLICITED;
	if (reason == TUNNEL_FILTER_PASSES && ipv4_is_fragment(p->data) &&
	    !ipv4_is_later_fragment(p->data))
		fragments_begin(fragments, p->data,
				is_udp ? ipv4_get16(p->data + IPV4_HEADER_MIN + UDP_LENGTH) : 0,
				now_ms);
	return reason;
}

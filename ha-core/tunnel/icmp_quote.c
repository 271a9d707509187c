/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors from inside a tunnel quote its outer header and at least eight octets more; many routers
 * quote as much as fits in 576 (RFC 1812 §4.3.2.3), some extend the message behind the quote
 * (RFC 4884). From the quote we recover, as far as it reaches:
 *
 *	IP-in-IP  outer IP | inner header ...                      20 + 28 octets to relay
 *	GRE       outer IP | GRE | inner header ...                24 + 28
 *	UDP       outer IP | ports, length, checksum | 4, Next Header | one of the others
 *	minimal   edited IP | forwarding header | payload          20 + 12 + 8; 8 give the receiver
 *
 * An eight-octet quote is enough to know the tunnel by, not to tell the sender: soft_state.c is
 * for that, and the sender's next packet.
 *
 * Routers change TTL and checksum of an outer header, so that checksum is not looked at. The inner
 * header they do not see: its checksum has to be right.
 */
#include "ha-core/tunnel/icmp_quote.h"

#include "common/addr.h"
#include "common/err.h"
#include "ha-core/tunnel/encap.h"
#include "ha-core/tunnel/ipv4.h"

#define ICMP_HEADER_LEN        8
#define ICMP_QUOTE_WORDS       5 /* RFC 4884 §4: length of the quote, in units of four octets */
#define ICMP_MTU               6
#define QUOTED_PAYLOAD_MIN     8
#define TYPE_UNREACHABLE       3
#define TYPE_TIME_EXCEEDED     11
#define CODE_TOO_BIG           4
#define UDP_HEADER_LEN         8
#define TUNNEL_DATA_HEADER_LEN 4
#define TUNNEL_DATA_TYPE       4
#define GRE_HEADER_LEN         4
#define GRE_TYPE_IPV4          0x0800
#define MINIMAL_LEN            8
#define MINIMAL_LEN_SOURCE     12
#define MINIMAL_SOURCE         0x80

/* What is left of a quote. */
struct rest {
	uint8_t *data;
	size_t len;
};

static bool skip(struct rest *r, size_t len)
{
	if (r->len < len)
		return false;
	r->data += len;
	r->len -= len;
	return true;
}

/* The rest begins with the inner packet itself. */
static int read_inner(struct rest *r, struct icmp_quote *q)
{
	size_t header_len, payload_min, total;

	if (r->len < IPV4_LENGTH + 2)
		return 0;
	header_len = ipv4_header_len(r->data);
	total = ipv4_get16(r->data + IPV4_LENGTH);
	if (r->data[0] >> 4 != 4 || header_len < IPV4_HEADER_MIN || total < header_len)
		return ERR_MALFORMED; /* eight octets may be all there is: they are of a packet */
	if (r->len < IPV4_HEADER_MIN)
		return 0;
	q->home_addr = ipv4_dst(r->data);
	if (r->len < header_len)
		return 0;
	if (!ipv4_sum_is_right(r->data, header_len))
		return ERR_MALFORMED;
	payload_min = total - header_len;
	if (payload_min > QUOTED_PAYLOAD_MIN)
		payload_min = QUOTED_PAYLOAD_MIN;
	if (r->len < header_len + payload_min)
		return 0;
	q->inner = r->data;
	q->inner_len = r->len < total ? r->len : total;
	return 0;
}

/* The rest begins with the forwarding header of RFC 2004 §3, and `outer` is the edited header. */
static int read_minimal(const uint8_t *outer, struct rest *r, struct icmp_quote *q)
{
	size_t header_len = ipv4_header_len(outer), total = ipv4_get16(outer + IPV4_LENGTH);
	uint8_t header[IPV4_HEADER_MAX];

	if (q->udp) { /* its Total Length counts the headers of UDP, too */
		if (total < UDP_HEADER_LEN + TUNNEL_DATA_HEADER_LEN)
			return ERR_MALFORMED;
		total -= UDP_HEADER_LEN + TUNNEL_DATA_HEADER_LEN;
	}
	if (r->len < MINIMAL_LEN)
		return 0;
	if (!(r->data[1] & MINIMAL_SOURCE)) /* we never leave the source out */
		return ERR_MALFORMED;
	q->home_addr = ipv4_get_addr(r->data + 4);
	if (r->len < MINIMAL_LEN_SOURCE)
		return 0;
	if (!ipv4_sum_is_right(r->data, MINIMAL_LEN_SOURCE) ||
	    total < header_len + MINIMAL_LEN_SOURCE)
		return ERR_MALFORMED;
	memcpy(header, outer, header_len);
	header[IPV4_PROTOCOL] = r->data[0];
	memcpy(header + IPV4_DST, r->data + 4, 4);
	memcpy(header + IPV4_SRC, r->data + 8, 4);
	ipv4_put16(header + IPV4_LENGTH, (uint16_t)(total - MINIMAL_LEN_SOURCE));
	(void)skip(r, MINIMAL_LEN_SOURCE);
	r->data -= header_len; /* there is room: the edited header is as long, and in front */
	r->len += header_len;
	memcpy(r->data, header, header_len);
	ipv4_finish_header(r->data);
	return read_inner(r, q);
}

static int read_gre(struct rest *r, struct icmp_quote *q)
{
	/* The quote has eight octets at least: the header is there. We send the plain one. */
	if (ipv4_get16(r->data) != 0 || ipv4_get16(r->data + 2) != GRE_TYPE_IPV4)
		return ERR_MALFORMED;
	(void)skip(r, GRE_HEADER_LEN);
	return read_inner(r, q);
}

static int read_udp(struct rest *r, uint16_t local_port, struct icmp_quote *q)
{
	if (ipv4_get16(r->data) != local_port)
		return ERR_MALFORMED;
	q->udp = true;
	q->peer_port = ipv4_get16(r->data + 2);
	q->mode = 0;
	(void)skip(r, UDP_HEADER_LEN);
	if (r->len < TUNNEL_DATA_HEADER_LEN)
		return 0;
	if (r->data[0] != TUNNEL_DATA_TYPE) /* a registration reply, say */
		return ERR_MALFORMED;
	q->mode = r->data[1];
	(void)skip(r, TUNNEL_DATA_HEADER_LEN);
	return 0;
}

/* The rest is the quote: the outer packet. */
static int read_outer(struct rest *r, struct in_addr local, uint16_t local_port,
		      struct icmp_quote *q)
{
	const uint8_t *outer = r->data;
	size_t header_len;
	int err = 0;

	if (r->len < IPV4_HEADER_MIN || outer[0] >> 4 != 4)
		return ERR_MALFORMED;
	header_len = ipv4_header_len(outer);
	if (header_len < IPV4_HEADER_MIN || r->len < header_len + QUOTED_PAYLOAD_MIN ||
	    ipv4_is_later_fragment(outer) || !addr_eq(ipv4_src(outer), local))
		return ERR_MALFORMED;
	q->peer = ipv4_dst(outer);
	q->len = ipv4_get16(outer + IPV4_LENGTH);
	q->df = ipv4_df(outer);
	q->mode = outer[IPV4_PROTOCOL];
	(void)skip(r, header_len);
	if (q->mode == IPPROTO_UDP)
		err = read_udp(r, local_port, q);
	if (err < 0)
		return err;
	switch (q->mode) {
	case 0: /* in UDP, and no more is there */
		return q->udp ? 0 : ERR_MALFORMED;
	case ENCAP_IPIP:
		return read_inner(r, q);
	case ENCAP_GRE:
		return r->len < GRE_HEADER_LEN ? 0 : read_gre(r, q);
	case ENCAP_MINIMAL:
		return read_minimal(outer, r, q);
	default:
		return ERR_MALFORMED;
	}
}

int icmp_quote_decode(uint8_t *packet, size_t len, struct in_addr local, uint16_t local_port,
		      struct icmp_quote *ret_quote)
{
	struct icmp_quote q = { 0 };
	int total = encap_check_ipv4(packet, len), err;
	size_t header_len, words;
	uint8_t *icmp;
	struct rest r;

	if (total < 0 || packet[IPV4_PROTOCOL] != IPPROTO_ICMP || ipv4_is_fragment(packet))
		return ERR_MALFORMED;
	header_len = ipv4_header_len(packet);
	icmp = packet + header_len;
	len = (size_t)total - header_len;
	if (len < ICMP_HEADER_LEN || !ipv4_sum_is_right(icmp, len))
		return ERR_MALFORMED;
	q.type = icmp[0];
	q.code = icmp[1];
	if (q.type != TYPE_UNREACHABLE && q.type != TYPE_TIME_EXCEEDED)
		return ERR_MALFORMED;
	if (q.type == TYPE_UNREACHABLE && q.code == CODE_TOO_BIG)
		q.mtu = ipv4_get16(icmp + ICMP_MTU);
	r = (struct rest){ .data = icmp + ICMP_HEADER_LEN, .len = len - ICMP_HEADER_LEN };
	words = icmp[ICMP_QUOTE_WORDS];
	if (words > 0 && r.len > words * 4) /* what follows is no part of it */
		r.len = words * 4;
	err = read_outer(&r, local, local_port, &q);
	if (err < 0)
		return err;
	*ret_quote = q;
	return 0;
}

/*
 * Destination unreachable, by code. Codes above 5 were added later (RFC 1122, RFC 1812): they give
 * reasons why a net or host is out of reach, which are the tunnel's business; to the sender the
 * node is a host that cannot be reached. Home addresses are of a network of ours, so that is what
 * "protocol unreachable" becomes, too (RFC 2003 §4.1 leaves the choice).
 */
static const int unreachable_meaning[] = {
	[0] = ICMP_ERROR_NET_UNREACHABLE,
	[1] = ICMP_ERROR_HOST_UNREACHABLE,
	[2] = ICMP_ERROR_HOST_UNREACHABLE, /* must not be relayed as it is */
	[3] = ICMP_QUOTE_NOT_RELAYED,      /* port */
	[4] = ICMP_ERROR_TOO_BIG,
	[5] = ICMP_QUOTE_NOT_RELAYED, /* source route failed: it is not the sender's route */
};

int icmp_quote_meaning(uint8_t type, uint8_t code)
{
	if (type == TYPE_TIME_EXCEEDED) /* §4.4: a loop inside the tunnel */
		return ICMP_ERROR_HOST_UNREACHABLE;
	if (type != TYPE_UNREACHABLE) /* §4.2, §4.3, §4.5: ours, or nobody's */
		return ICMP_QUOTE_NOT_RELAYED;
	if (code < sizeof(unreachable_meaning) / sizeof(unreachable_meaning[0]))
		return unreachable_meaning[code];
	return ICMP_ERROR_HOST_UNREACHABLE;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tunnels on packets in memory. The tiers that carry packets in user space call it, and so does
 * whatever ends a tunnel of ours. Packets grow towards lower addresses, into the headroom that
 * the caller leaves before them, so the inner octets are never copied:
 *
 *	IP-in-IP           GRE                minimal, S=1         each of them in UDP
 *	outer IP  20       outer IP  20       edited IP 20..60     outer IP  20 / edited IP
 *	inner packet       GRE        4       forwarding 12        UDP        8
 *	                   inner packet       inner payload        Type 4, Next Header  4
 *	                                                           as on the left, from below its IP
 *
 * RFC 2003 §3.1 (outer header), RFC 2004 §3, RFC 2784 and 2890 (both read, the plain one written),
 * RFC 3519 §3.3 and §4.3, RFC 6040 §4.1 (both modes) and §4.2, RFC 791 §3.2 (fragments).
 */
#include "ha-core/tunnel/encap.h"

#include "common/err.h"
#include "ha-core/tunnel/ipv4.h"

#define UDP_HEADER_LEN         8
#define TUNNEL_DATA_HEADER_LEN 4
#define TUNNEL_DATA_TYPE       4
#define GRE_HEADER_LEN         4
#define MINIMAL_LEN            8  /* forwarding header without the original source */
#define MINIMAL_LEN_SOURCE     12 /* with it */
#define MINIMAL_SOURCE         0x80
#define OPTION_END             0
#define OPTION_NOP             1
#define OPTION_COPIED          0x80

/* GRE flags (RFC 2784 §2.1, RFC 2890 §2) */
#define GRE_CHECKSUM 0x8000
#define GRE_KEY      0x2000
#define GRE_SEQUENCE 0x1000
/*
 * Bits 1 to 4 mean RFC 1701 unless RFC 2890 took them back (erratum 3719 to RFC 2784), and the
 * version must be 0.
 */
#define GRE_MUST_BE_ZERO (0x4000 | 0x0800 | 0x0007)
#define GRE_TYPE_IPV4    0x0800

size_t encap_overhead(uint8_t mode, bool udp)
{
	size_t len = udp ? UDP_HEADER_LEN + TUNNEL_DATA_HEADER_LEN : 0;

	switch (mode) {
	case ENCAP_MINIMAL:
		return len + MINIMAL_LEN_SOURCE;
	case ENCAP_GRE:
		return len + IPV4_HEADER_MIN + GRE_HEADER_LEN;
	default:
		return len + IPV4_HEADER_MIN;
	}
}

const char *encap_mode_name(uint8_t mode)
{
	switch (mode) {
	case ENCAP_MINIMAL:
		return "minimal";
	case ENCAP_GRE:
		return "gre";
	default:
		return "ip-in-ip";
	}
}

uint8_t encap_mode_for(uint8_t mode, const uint8_t *inner)
{
	return mode == ENCAP_MINIMAL && ipv4_is_fragment(inner) ? ENCAP_IPIP : mode;
}

int encap_check_ipv4(const uint8_t *packet, size_t len)
{
	size_t header_len, total, offset;

	if (len < IPV4_HEADER_MIN || packet[0] >> 4 != 4)
		return ERR_MALFORMED;
	header_len = ipv4_header_len(packet);
	total = ipv4_get16(packet + IPV4_LENGTH);
	if (header_len < IPV4_HEADER_MIN || total < header_len || total > len)
		return ERR_MALFORMED;
	/* A fragment that ends beyond what any packet can hold. */
	offset = (size_t)(ipv4_get16(packet + IPV4_FRAGMENT) & IPV4_OFFSET_MASK) * 8;
	if (offset + total > ENCAP_PACKET_MAX)
		return ERR_MALFORMED;
	if (!ipv4_sum_is_right(packet, header_len))
		return ERR_MALFORMED;
	return (int)total;
}

/* The header of a new packet around an inner one (RFC 2003 §3.1). */
static void outer_header(uint8_t *header, const uint8_t *inner, uint16_t ident, bool ecn_normal)
{
	memset(header, 0, IPV4_HEADER_MIN);
	header[0] = 0x45;
	header[IPV4_TOS] = inner[IPV4_TOS];
	if (!ecn_normal)
		header[IPV4_TOS] &= (uint8_t)~IPV4_ECN_MASK;
	ipv4_put16(header + IPV4_IDENT, ident);
	ipv4_put16(header + IPV4_FRAGMENT, ipv4_df(inner) ? IPV4_DF : 0);
	header[IPV4_TTL] = IPV4_TTL_DEFAULT;
}

/*
 * A real checksum, always: RFC 1122 §4.1.3.4 has it on by default, and NATs are known that drop
 * datagrams without one.
 */
static void finish_udp(uint8_t *udp, size_t len, const struct encap_path *path)
{
	uint8_t pseudo[12] = { 0 };
	uint16_t sum;

	ipv4_put16(udp, path->local_port);
	ipv4_put16(udp + 2, path->peer_port);
	ipv4_put16(udp + 4, (uint16_t)len);
	memset(udp + 6, 0, 2);

	ipv4_put_addr(pseudo, path->local);
	ipv4_put_addr(pseudo + 4, path->peer);
	pseudo[9] = IPPROTO_UDP;
	ipv4_put16(pseudo + 10, (uint16_t)len);
	sum = ipv4_checksum(ipv4_sum(udp, len, ipv4_sum(pseudo, sizeof(pseudo), 0)));
	if (sum == 0) /* on the wire 0 says "none" */
		sum = 0xffff;
	memcpy(udp + 6, &sum, sizeof(sum));
}

int encap_packet(const struct encap_path *path, uint8_t *inner, size_t len, uint16_t ident,
		 uint8_t **ret_packet)
{
	uint8_t header[IPV4_HEADER_MAX];
	size_t header_len = IPV4_HEADER_MIN;
	uint8_t *start = inner, *end;
	int total = encap_check_ipv4(inner, len);
	uint8_t mode;

	if (total < 0)
		return total;
	if (inner[IPV4_TTL] == 0) /* RFC 2003 §3.1 */
		return ERR_MALFORMED;
	mode = encap_mode_for(path->mode, inner);
	if ((size_t)total + encap_overhead(mode, path->udp) > ENCAP_PACKET_MAX)
		return ERR_TOO_BIG;
	end = inner + total;

	if (mode == ENCAP_MINIMAL) {
		/* The original header, edited, becomes the outer one (RFC 2004 §3). */
		header_len = ipv4_header_len(inner);
		memcpy(header, inner, header_len);
		start = inner + header_len - MINIMAL_LEN_SOURCE;
		start[0] = header[IPV4_PROTOCOL];
		start[1] = MINIMAL_SOURCE;
		memcpy(start + 4, header + IPV4_DST, 4);
		memcpy(start + 8, header + IPV4_SRC, 4);
		ipv4_put_checksum(start, MINIMAL_LEN_SOURCE, 2);
	} else {
		outer_header(header, inner, ident, path->ecn_normal);
	}
	if (mode == ENCAP_GRE) {
		start -= GRE_HEADER_LEN;
		ipv4_put16(start, 0);
		ipv4_put16(start + 2, GRE_TYPE_IPV4);
	}
	if (path->udp) {
		start -= TUNNEL_DATA_HEADER_LEN;
		start[0] = TUNNEL_DATA_TYPE;
		start[1] = mode;
		ipv4_put16(start + 2, 0);
		start -= UDP_HEADER_LEN;
		finish_udp(start, (size_t)(end - start), path);
	}

	header[IPV4_PROTOCOL] = path->udp ? IPPROTO_UDP : mode;
	ipv4_put_addr(header + IPV4_SRC, path->local);
	ipv4_put_addr(header + IPV4_DST, path->peer);
	start -= header_len;
	ipv4_put16(header + IPV4_LENGTH, (uint16_t)(end - start));
	memcpy(start, header, header_len);
	ipv4_finish_header(start);
	*ret_packet = start;
	return (int)(end - start);
}

/* RFC 6040 figure 4: the ECN field that goes on, by inner (row) and outer; or none goes on. */
#define ECN_DROP 0xff
static const uint8_t ecn_egress[4][4] = {
	/* outer   Not-ECT ECT(1) ECT(0) CE */
	[0] = { 0, 0, 0, ECN_DROP }, /* inner Not-ECT */
	[1] = { 1, 1, 1, 3 },        /* ECT(1) */
	[2] = { 2, 1, 2, 3 },        /* ECT(0) */
	[3] = { 3, 3, 3, 3 },        /* CE */
};

/* The pairs marked (!) and (!!!) there: no ingress makes them, and no router on the way. */
static const bool ecn_unexpected[4][4] = {
	[0] = { [1] = true, [2] = true, [3] = true },
	[1] = { [2] = true },
	[3] = { [1] = true },
};

/* The rest is the inner packet itself. */
static int take_ipv4(uint8_t *data, size_t len, uint8_t outer_tos, struct encap_inner *ret_inner)
{
	int total = encap_check_ipv4(data, len);
	uint8_t inner, outer, ecn;

	if (total < 0)
		return total;
	inner = data[IPV4_TOS] & IPV4_ECN_MASK;
	outer = outer_tos & IPV4_ECN_MASK;
	ecn = ecn_egress[inner][outer];
	if (ecn == ECN_DROP)
		return ERR_CONGESTED;
	if (ecn != inner) {
		data[IPV4_TOS] = (uint8_t)((data[IPV4_TOS] & ~IPV4_ECN_MASK) | ecn);
		ipv4_finish_header(data);
	}
	*ret_inner = (struct encap_inner){ .packet = data,
					   .len = (size_t)total,
					   .ecn_unexpected = ecn_unexpected[inner][outer] };
	return 0;
}

/*
 * Key and sequence number are read over: we never negotiate either, and RFC 2890 §2.1 leaves what
 * a key identifies to its two ends.
 */
static int take_gre(uint8_t *data, size_t len, uint8_t outer_tos, struct encap_inner *ret_inner)
{
	size_t header_len = GRE_HEADER_LEN;
	uint16_t flags;

	if (len < GRE_HEADER_LEN)
		return ERR_MALFORMED;
	flags = ipv4_get16(data);
	if (flags & GRE_MUST_BE_ZERO || ipv4_get16(data + 2) != GRE_TYPE_IPV4)
		return ERR_MALFORMED;
	header_len += (flags & GRE_CHECKSUM ? 4u : 0u) + (flags & GRE_KEY ? 4u : 0u) +
		      (flags & GRE_SEQUENCE ? 4u : 0u);
	if (len < header_len)
		return ERR_MALFORMED;
	if (flags & GRE_CHECKSUM && !ipv4_sum_is_right(data, len))
		return ERR_MALFORMED;
	return take_ipv4(data + header_len, len - header_len, outer_tos, ret_inner);
}

/*
 * Data begins with the forwarding header. `header` is the IP header over it, to be restored and
 * to be put before the payload; it may lie where it will be written.
 */
static int take_minimal(const uint8_t *header, size_t header_len, uint8_t *data, size_t len,
			struct encap_inner *ret_inner)
{
	uint8_t restored[IPV4_HEADER_MAX];
	size_t forwarding_len;
	uint8_t *packet;

	if (len < MINIMAL_LEN)
		return ERR_MALFORMED;
	forwarding_len = data[1] & MINIMAL_SOURCE ? MINIMAL_LEN_SOURCE : MINIMAL_LEN;
	if (len < forwarding_len || !ipv4_sum_is_right(data, forwarding_len))
		return ERR_MALFORMED;

	memcpy(restored, header, header_len);
	restored[IPV4_PROTOCOL] = data[0];
	memcpy(restored + IPV4_DST, data + 4, 4);
	if (forwarding_len == MINIMAL_LEN_SOURCE)
		memcpy(restored + IPV4_SRC, data + 8, 4);
	len = len - forwarding_len + header_len;
	if (len > ENCAP_PACKET_MAX)
		return ERR_MALFORMED;
	ipv4_put16(restored + IPV4_LENGTH, (uint16_t)len);
	packet = data + forwarding_len - header_len;
	memcpy(packet, restored, header_len);
	ipv4_finish_header(packet);
	*ret_inner = (struct encap_inner){ .packet = packet, .len = len };
	return 0;
}

int encap_decapsulate(uint8_t *packet, size_t len, struct encap_inner *ret_inner)
{
	int total = encap_check_ipv4(packet, len);
	size_t header_len;
	uint8_t *data;

	if (total < 0)
		return total;
	if (ipv4_is_fragment(packet)) /* to be reassembled first, RFC 2003 §3.1 */
		return ERR_MALFORMED;
	header_len = ipv4_header_len(packet);
	data = packet + header_len;
	len = (size_t)total - header_len;
	switch (packet[IPV4_PROTOCOL]) {
	case ENCAP_IPIP:
		return take_ipv4(data, len, packet[IPV4_TOS], ret_inner);
	case ENCAP_GRE:
		return take_gre(data, len, packet[IPV4_TOS], ret_inner);
	case ENCAP_MINIMAL:
		return take_minimal(packet, header_len, data, len, ret_inner);
	default:
		return ERR_MALFORMED;
	}
}

int encap_decapsulate_udp(uint8_t *data, size_t len, uint8_t tos, struct in_addr src,
			  struct in_addr dst, uint8_t *ret_mode, struct encap_inner *ret_inner)
{
	uint8_t header[IPV4_HEADER_MIN] = { 0x45 };
	uint8_t mode;
	int err;

	if (len < TUNNEL_DATA_HEADER_LEN || data[0] != TUNNEL_DATA_TYPE)
		return ERR_MALFORMED;
	mode = data[1]; /* the reserved octets behind it are not looked at, §3.3 */
	data += TUNNEL_DATA_HEADER_LEN;
	len -= TUNNEL_DATA_HEADER_LEN;
	switch (mode) {
	case ENCAP_IPIP:
		err = take_ipv4(data, len, tos, ret_inner);
		break;
	case ENCAP_GRE:
		err = take_gre(data, len, tos, ret_inner);
		break;
	case ENCAP_MINIMAL:
		/*
		 * A socket keeps the rest of the header to itself. Without its Identification
		 * the packet must not be fragmented again, so DF is set (RFC 6864 §4.1).
		 */
		header[IPV4_TOS] = tos;
		header[IPV4_TTL] = IPV4_TTL_DEFAULT;
		ipv4_put16(header + IPV4_FRAGMENT, IPV4_DF);
		ipv4_put_addr(header + IPV4_SRC, src);
		ipv4_put_addr(header + IPV4_DST, dst);
		err = take_minimal(header, sizeof(header), data, len, ret_inner);
		break;
	default:
		return ERR_MALFORMED;
	}
	if (err == 0)
		*ret_mode = mode;
	return err;
}

/*
 * Leaves in a header what its later fragments keep: the options whose type has the copied flag,
 * padded to a multiple of four (RFC 791 §3.1). A broken option ends the list.
 * @return the new header length
 */
static size_t keep_copied_options(uint8_t *header)
{
	size_t header_len = ipv4_header_len(header), from = IPV4_OPTIONS, to = IPV4_OPTIONS, len;

	while (from < header_len && header[from] != OPTION_END) {
		if (header[from] == OPTION_NOP) {
			from++;
			continue;
		}
		if (from + 1 >= header_len)
			break;
		len = header[from + 1];
		if (len < 2 || from + len > header_len)
			break;
		if (header[from] & OPTION_COPIED) {
			memmove(header + to, header + from, len);
			to += len;
		}
		from += len;
	}
	while (to % 4 != 0)
		header[to++] = OPTION_END;
	header[0] = (uint8_t)(0x40 | to / 4);
	return to;
}

int encap_fragment(const uint8_t *packet, size_t len, size_t mtu, uint8_t *piece,
		   int (*emit)(void *ctx, uint8_t *piece, size_t len), void *ctx)
{
	int total = encap_check_ipv4(packet, len);
	uint8_t *out = piece + ENCAP_HEADROOM;
	uint8_t header[IPV4_HEADER_MAX];
	size_t header_len, left, data_len;
	const uint8_t *data;
	uint16_t fragment;
	int err;

	if (total < 0)
		return total;
	if ((size_t)total <= mtu) {
		memcpy(out, packet, (size_t)total);
		return emit(ctx, out, (size_t)total);
	}
	if (ipv4_df(packet))
		return ERR_TOO_BIG;
	header_len = ipv4_header_len(packet);
	if (mtu < header_len + 8)
		return ERR_TOO_BIG;
	memcpy(header, packet, header_len);
	fragment = ipv4_get16(packet + IPV4_FRAGMENT);
	data = packet + header_len;
	left = (size_t)total - header_len;

	/* A packet that is a fragment itself keeps its offset, and MF in its last piece. */
	while (left > 0) {
		data_len = left;
		if (header_len + left > mtu)
			data_len = (mtu - header_len) / 8 * 8;
		left -= data_len;
		memcpy(out, header, header_len);
		memcpy(out + header_len, data, data_len);
		ipv4_put16(out + IPV4_LENGTH, (uint16_t)(header_len + data_len));
		ipv4_put16(out + IPV4_FRAGMENT, left > 0 ? fragment | IPV4_MF : fragment);
		ipv4_finish_header(out);
		err = emit(ctx, out, header_len + data_len);
		if (err != 0)
			return err;
		data += data_len;
		fragment = (uint16_t)(fragment + data_len / 8);
		header_len = keep_copied_options(header);
	}
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tunnels on packets in memory (encap.h, mss.h): whatever packet there is, what is put into a
 * tunnel comes out of it as it was; what claims to be a tunnel packet is malformed or gives a
 * well-formed inner one that lies within it; pieces of a packet make the packet.
 *
 * Input: how (1: enum bits below), MTU (2), Identification (2), TOS (1), then the packet. Its
 * checksums are set right unless BIT_AS_IS is set.
 */
#include "common/err.h"
#include "ha-core/tunnel/encap.h"
#include "ha-core/tunnel/ipv4.h"
#include "ha-core/tunnel/mss.h"
#include "test/fuzz/packet.h"

#include <netinet/in.h>

#define BIT_AS_IS      0x01
#define BIT_FIT        0x02 /* Total Length, too */
#define BIT_ECN_NORMAL 0x04
#define PACKET_MAX     4096
#define MTU_MIN        68

static const struct in_addr local = { .s_addr = 0x020000c0 }, peer = { .s_addr = 0x4d6433c6 };

struct room {
	uint8_t *buf; /* ENCAP_HEADROOM and the packet, no more */
	uint8_t *packet;
};

static struct room room_with(const uint8_t *packet, size_t len)
{
	struct room r = { .buf = malloc(ENCAP_HEADROOM + len) };

	if (!r.buf)
		abort();
	r.packet = r.buf + ENCAP_HEADROOM;
	memset(r.buf, 0xa5, ENCAP_HEADROOM);
	memcpy(r.packet, packet, len);
	return r;
}

static bool lies_in(const struct encap_inner *inner, const uint8_t *from, const uint8_t *end)
{
	return inner->packet >= from && inner->packet + inner->len <= end;
}

static void check_inner(const struct encap_inner *inner, const uint8_t *from, const uint8_t *end)
{
	FUZZ_CHECK(lies_in(inner, from, end));
	FUZZ_CHECK(encap_check_ipv4(inner->packet, inner->len) == (int)inner->len ||
		   ipv4_is_fragment(inner->packet));
}

static void check_decapsulate(const uint8_t *packet, size_t len)
{
	struct room r = room_with(packet, len);
	struct encap_inner inner;
	int err = encap_decapsulate(r.packet, len, &inner);

	FUZZ_CHECK(err == 0 || err == ERR_MALFORMED || err == ERR_CONGESTED);
	if (err == 0)
		check_inner(&inner, r.packet, r.packet + len);
	free(r.buf);
}

static void check_decapsulate_udp(const uint8_t *data, size_t len, uint8_t tos)
{
	struct room r = room_with(data, len);
	struct encap_inner inner;
	uint8_t mode = 0;
	int err = encap_decapsulate_udp(r.packet, len, tos, peer, local, &mode, &inner);

	FUZZ_CHECK(err == 0 || err == ERR_MALFORMED || err == ERR_CONGESTED);
	if (err == 0) {
		FUZZ_CHECK(mode == ENCAP_IPIP || mode == ENCAP_GRE || mode == ENCAP_MINIMAL);
		check_inner(&inner, r.buf, r.packet + len);
	}
	free(r.buf);
}

/* What minimal encapsulation in UDP brings back: the octets behind the header, and the ends. */
static void check_same_payload(const uint8_t *a, const uint8_t *b, size_t b_len)
{
	size_t a_header = ipv4_header_len(a), b_header = ipv4_header_len(b);

	FUZZ_CHECK(ipv4_get16(a + IPV4_LENGTH) - a_header == b_len - b_header);
	FUZZ_CHECK(memcmp(a + a_header, b + b_header, b_len - b_header) == 0);
	FUZZ_CHECK(memcmp(a + IPV4_SRC, b + IPV4_SRC, 8) == 0);
	FUZZ_CHECK(a[IPV4_PROTOCOL] == b[IPV4_PROTOCOL]);
}

static void check_udp_header(const uint8_t *outer, int len)
{
	const uint8_t *udp = outer + ipv4_header_len(outer);
	uint8_t pseudo[12] = { 0 };
	size_t udp_len = (size_t)len - ipv4_header_len(outer);

	FUZZ_CHECK(ipv4_get16(udp + 4) == udp_len);
	memcpy(pseudo, outer + IPV4_SRC, 8);
	pseudo[9] = IPPROTO_UDP;
	ipv4_put16(pseudo + 10, (uint16_t)udp_len);
	FUZZ_CHECK(ipv4_get16(udp + 6) != 0);
	FUZZ_CHECK(ipv4_checksum(ipv4_sum(udp, udp_len, ipv4_sum(pseudo, 12, 0))) == 0);
}

/* There and back, in one encapsulation. */
static void check_way(const uint8_t *packet, size_t len, const struct encap_path *path,
		      uint16_t ident)
{
	int total = encap_check_ipv4(packet, len);
	struct room r = room_with(packet, len);
	struct encap_inner inner;
	uint8_t *outer, mode;
	int outer_len, err;

	outer_len = encap_packet(path, r.packet, len, ident, &outer);
	if (outer_len < 0) {
		FUZZ_CHECK(outer_len == ERR_TOO_BIG || total < 0 || packet[IPV4_TTL] == 0);
		free(r.buf);
		return;
	}
	FUZZ_CHECK(total > 0 && outer >= r.buf);
	mode = encap_mode_for(path->mode, packet);
	FUZZ_CHECK((size_t)outer_len == (size_t)total + encap_overhead(mode, path->udp));
	FUZZ_CHECK(encap_check_ipv4(outer, (size_t)outer_len) == outer_len);
	FUZZ_CHECK(ipv4_src(outer).s_addr == local.s_addr && ipv4_dst(outer).s_addr == peer.s_addr);
	FUZZ_CHECK(outer[IPV4_PROTOCOL] == (path->udp ? IPPROTO_UDP : mode));
	if (path->udp) {
		size_t skip = ipv4_header_len(outer) + 8;

		check_udp_header(outer, outer_len);
		err = encap_decapsulate_udp(outer + skip, (size_t)outer_len - skip, outer[IPV4_TOS],
					    local, peer, &mode, &inner);
	} else {
		err = encap_decapsulate(outer, (size_t)outer_len, &inner);
	}
	FUZZ_CHECK(err == 0 || (err == ERR_CONGESTED && (packet[IPV4_TOS] & 3) == 0));
	if (err == 0 && path->udp && mode == ENCAP_MINIMAL) {
		check_same_payload(packet, inner.packet, inner.len);
	} else if (err == 0 && mode == ENCAP_MINIMAL) {
		/* An edited header is the packet's own: nothing of it is lost. */
		FUZZ_CHECK(inner.len == (size_t)total);
		FUZZ_CHECK(memcmp(inner.packet, packet, inner.len) == 0);
	} else if (err == 0) {
		FUZZ_CHECK(inner.len == (size_t)total && !inner.ecn_unexpected);
		FUZZ_CHECK(memcmp(inner.packet, packet, inner.len) == 0);
	}
	free(r.buf);
}

struct pieces {
	uint8_t whole[PACKET_MAX];
	size_t from, mtu,
		end; /* octets of data: where the next piece begins, where the last ended */
	uint16_t first_offset;
	unsigned int cnt;
	bool more;
};

static int take_piece(void *ctx, uint8_t *piece, size_t len)
{
	struct pieces *p = ctx;
	size_t header_len = ipv4_header_len(piece), offset;

	FUZZ_CHECK(len <= p->mtu);
	FUZZ_CHECK(encap_check_ipv4(piece, len) == (int)len);
	offset = (size_t)(ipv4_get16(piece + IPV4_FRAGMENT) & IPV4_OFFSET_MASK) * 8;
	FUZZ_CHECK(offset == (size_t)p->first_offset * 8 + p->end);
	memcpy(p->whole + p->end, piece + header_len, len - header_len);
	p->end += len - header_len;
	p->more = ipv4_get16(piece + IPV4_FRAGMENT) & IPV4_MF;
	p->cnt++;
	return 0;
}

static void check_fragment(const uint8_t *packet, size_t len, size_t mtu)
{
	int total = encap_check_ipv4(packet, len), err;
	uint8_t *copy = fuzz_copy(packet, len), *piece = malloc(ENCAP_HEADROOM + mtu);
	struct pieces p = { .mtu = mtu };
	size_t header_len;

	if (!piece)
		abort();
	if (total > 0)
		p.first_offset = ipv4_get16(packet + IPV4_FRAGMENT) & IPV4_OFFSET_MASK;
	err = encap_fragment(copy, len, mtu, piece, take_piece, &p);
	if (total < 0)
		FUZZ_CHECK(err == ERR_MALFORMED);
	if (err == 0) {
		header_len = ipv4_header_len(packet);
		FUZZ_CHECK(p.end == (size_t)total - header_len);
		FUZZ_CHECK(memcmp(p.whole, packet + header_len, p.end) == 0);
		FUZZ_CHECK(p.more == !!(ipv4_get16(packet + IPV4_FRAGMENT) & IPV4_MF));
	} else {
		FUZZ_CHECK(p.cnt == 0);
	}
	free(piece);
	free(copy);
}

/* The sum of TCP's words stays what it was: right if it was right. */
static void check_mss(const uint8_t *packet, size_t len, uint16_t mss)
{
	uint8_t *copy = fuzz_copy(packet, len);
	size_t i, changed = 0, header_len = ipv4_header_len(packet);
	uint16_t before, after;

	if (encap_check_ipv4(packet, len) == (int)len && mss_is_syn(copy, len)) {
		before = ipv4_checksum(ipv4_sum(copy + header_len, len - header_len, 0));
		if (mss_clamp(copy, len, mss)) {
			after = ipv4_checksum(ipv4_sum(copy + header_len, len - header_len, 0));
			FUZZ_CHECK(before == after || (before ^ after) == 0xffff);
			FUZZ_CHECK(!mss_clamp(copy, len, mss));
		} else {
			FUZZ_CHECK(memcmp(copy, packet, len) == 0);
		}
		for (i = 0; i < len; i++)
			changed += copy[i] != packet[i];
		FUZZ_CHECK(changed <= 4);
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t modes[] = { ENCAP_IPIP, ENCAP_GRE, ENCAP_MINIMAL };
	struct wire_reader r = wire_reader(data, size);
	uint8_t how = wire_u8(&r), *packet, tos;
	uint16_t mtu = wire_u16(&r), ident = wire_u16(&r);
	struct encap_path path;
	size_t len, i;

	tos = wire_u8(&r);
	len = wire_left(&r);
	if (r.failed || len > PACKET_MAX)
		return 0;
	packet = fuzz_copy(r.pos, len);
	if (how & BIT_FIT)
		packet_fit(packet, len);
	if (!(how & BIT_AS_IS) && len >= IPV4_HEADER_MIN) {
		packet_mend_payload(packet, len);
		packet_mend(packet, len);
	}
	for (i = 0; i < 2 * sizeof(modes); i++) {
		path = (struct encap_path){ .local = local,
					    .peer = peer,
					    .local_port = 434,
					    .peer_port = ident,
					    .mode = modes[i / 2],
					    .udp = i % 2,
					    .ecn_normal = how & BIT_ECN_NORMAL };
		check_way(packet, len, &path, ident);
	}
	check_decapsulate(packet, len);
	check_decapsulate_udp(packet, len, tos);
	check_fragment(packet, len, MTU_MIN + mtu % PACKET_MAX);
	check_mss(packet, len, mtu);
	free(packet);
	return 0;
}

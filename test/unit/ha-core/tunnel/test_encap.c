/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * encap.c against the packets P0 to P9 and T1 to T17: each way, cut at every octet, with each bit
 * that a checksum guards turned; the ECN table of RFC 6040; the sizes of fragments.
 */
#include "packets.h"

#include "common/err.h"

#define P0 \
	"45b8002c1111400040112ae4cb007109c000020a1388177000188eac48454c4c4f2d4d4950342d5445535421"
/* P0 once its TTL is 63 */
#define P0_FORWARDED \
	"45b8002c111140003f112be4cb007109c000020a1388177000188eac48454c4c4f2d4d4950342d5445535421"
#define P1 "45b800402222400040042b5ec0000201c633644d" P0_FORWARDED
#define P2 "45b8004422224000402f2b2fc0000201c633644d00000800" P0_FORWARDED
#define P3 "45b8004822224000402f2b2bc0000201c633644d2000080001020304" P0_FORWARDED
#define P4 "45b8004822224000402f2b2bc0000201c633644d80000800763d0000" P0_FORWARDED
#define P5                                                                                         \
	"45b80038111140003f373d44c0000201c633644d1180f06ac000020acb0071091388177000188eac48454c4c" \
	"4f2d4d4950342d5445535421"
#define P6 "45b8004c2222400040112b45c0000201c633644d01b29c4000386f4304040000" P0_FORWARDED
#define P7                                                                                         \
	"4500004d2222000040046c55c0000201c633640145000039444400004004b271c0000201c000020a45000025" \
	"333300004011c263c0000232c00002ff270f270f0011d24c424341535444415441"
#define P8_INNER \
	"4500002a555540003f11e859c000020acb007109177013880016aeba524556455253452d54554e4e454c"
#define P8 "4500003e666640003c04ec1fc6336401c0000201" P8_INNER
#define P9 "4500003e666740003c04eb25c63364fac0000201" P8_INNER

/* UDP tunnel data from 203.0.113.7 to 198.51.100.2: without the outer IP and UDP headers */
#define T1                                                                                         \
	"04040000450000291001000040011638c6336432c63364020800cc654d4900016d69702d6b656570616c6976" \
	"65"
#define T1_INNER \
	"450000291001000040011638c6336432c63364020800cc654d4900016d69702d6b656570616c697665"
#define T2                                                                                         \
	"45000049200200004011f464c6336402cb00710701b29c400035f74f04040000450000291002000040011637" \
	"c6336402c63364320000d4654d4900016d69702d6b656570616c697665"
#define T2_INNER \
	"450000291002000040011637c6336402c63364320000d4654d4900016d69702d6b656570616c697665"
#define T3                                                                                         \
	"040400004500003c10030000403215ebc6336432c6336409c0ffee0100000001000102030405060708090a0b" \
	"0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define T4                                                                                         \
	"4500005c200400004011f44fc6336402cb00710701b29c40004857260404"                             \
	"00004500003c100400003f3216eac6336409c6336432c0ffee0100000001000102030405060708090a0b0c0d" \
	"0e0f101112131415161718191a1b1c1d1e1f"
#define T5                                                                                         \
	"042f0000450000291005000040011634c6336432c63364020800cc654d4900016d69702d6b656570616c6976" \
	"65"
#define T9                                                                                         \
	"0404ffff450000291009000040011630c6336432c63364020800cc654d4900016d69702d6b656570616c6976" \
	"65"
#define T10 "04040000"
#define T12                \
	"042f000000000800" \
	"45000029100c000040011626c6336432c63364090800cc654d4900016d69702d6b656570616c697665"
#define T13 "043700000180a9dcc6336409c63364320800cc654d4900016d69702d6b656570616c697665"

static struct test_packet a, b;

static const struct encap_path p_path = { .local_port = 434, .peer_port = 40000 };

static struct encap_path p_path_of(uint8_t mode, bool udp)
{
	struct encap_path path = p_path;

	path.local = test_addr("192.0.2.1");
	path.peer = test_addr("198.51.100.77");
	path.mode = mode;
	path.udp = udp;
	return path;
}

/* P0 in this mode must be these octets. */
static void check_encapsulates(uint8_t mode, bool udp, const char *inner, const char *outer,
			       uint16_t ident)
{
	struct encap_path path = p_path_of(mode, udp);
	uint8_t *packet;
	int len;

	test_from_hex(&a, inner);
	test_from_hex(&b, outer);
	len = encap_packet(&path, a.data, a.len, ident, &packet);
	assert_int_equal(len, b.len);
	assert_memory_equal(packet, b.data, b.len);
	assert_int_equal(len, a.len + encap_overhead(mode, udp));
	assert_true(packet >= a.buf);
}

static void check_decapsulates(const char *outer, const char *inner)
{
	struct encap_inner in;

	test_from_hex(&a, outer);
	test_from_hex(&b, inner);
	assert_int_equal(encap_decapsulate(a.data, a.len, &in), 0);
	assert_int_equal(in.len, b.len);
	assert_memory_equal(in.packet, b.data, b.len);
}

static void check_refused(const struct test_packet *p)
{
	uint8_t *copy = test_exact(p->data, p->len);
	struct encap_inner in = { 0 };

	assert_int_equal(encap_decapsulate(copy, p->len, &in), ERR_MALFORMED);
	assert_null(in.packet);
	free(copy);
}

static int decapsulate_udp(struct test_packet *p, uint8_t tos, uint8_t *ret_mode,
			   struct encap_inner *ret_inner)
{
	return encap_decapsulate_udp(p->data, p->len, tos, test_addr("203.0.113.7"),
				     test_addr("198.51.100.2"), ret_mode, ret_inner);
}

static void check_decapsulates_udp(const char *data, uint8_t mode, const char *inner)
{
	struct encap_inner in;
	uint8_t found;

	test_from_hex(&a, data);
	test_from_hex(&b, inner);
	assert_int_equal(decapsulate_udp(&a, 0, &found, &in), 0);
	assert_int_equal(found, mode);
	assert_int_equal(in.len, b.len);
	assert_memory_equal(in.packet, b.data, b.len);
}

/* --- encapsulation --- */

static void ip_in_ip_is_p1(void **state)
{
	(void)state;
	check_encapsulates(ENCAP_IPIP, false, P0_FORWARDED, P1, 0x2222);
}

static void gre_is_p2(void **state)
{
	(void)state;
	check_encapsulates(ENCAP_GRE, false, P0_FORWARDED, P2, 0x2222);
}

static void minimal_is_p5_and_keeps_identification_and_ttl(void **state)
{
	(void)state;
	check_encapsulates(ENCAP_MINIMAL, false, P0_FORWARDED, P5, 0x2222);
}

static void ip_in_udp_is_p6_with_a_real_checksum(void **state)
{
	(void)state;
	check_encapsulates(ENCAP_IPIP, true, P0_FORWARDED, P6, 0x2222);
}

static void nested_broadcast_is_p7(void **state)
{
	struct encap_path middle, outer;
	uint8_t *packet;
	int len;

	(void)state;
	test_from_hex(&b, P7);
	middle = p_path_of(ENCAP_IPIP, false);
	outer = middle;
	middle.peer = test_addr("192.0.2.10");
	outer.peer = test_addr("198.51.100.1");
	test_from_hex(&a, "45000025333300004011c263c0000232c00002ff270f270f0011d24c42434153544441"
			  "5441");
	len = encap_packet(&middle, a.data, a.len, 0x4444, &packet);
	assert_int_equal(len, 57);
	len = encap_packet(&outer, packet, (size_t)len, 0x2222, &packet);
	assert_int_equal(len, b.len);
	assert_memory_equal(packet, b.data, b.len);
}

static void esp_to_a_node_behind_a_nat_is_t4(void **state)
{
	const struct encap_path path = {
		.local = test_addr("198.51.100.2"),
		.peer = test_addr("203.0.113.7"),
		.local_port = 434,
		.peer_port = 40000,
		.mode = ENCAP_IPIP,
		.udp = true,
	};
	uint8_t *packet;
	int len;

	(void)state;
	test_from_hex(&b, T4);
	test_from_hex(&a, T4);
	len = encap_packet(&path, a.data + 32, a.len - 32, 0x2004, &packet);
	assert_int_equal(len, b.len);
	assert_memory_equal(packet, b.data, b.len);
}

static void keepalive_answer_is_t2(void **state)
{
	const struct encap_path path = {
		.local = test_addr("198.51.100.2"),
		.peer = test_addr("203.0.113.7"),
		.local_port = 434,
		.peer_port = 40000,
		.mode = ENCAP_IPIP,
		.udp = true,
	};
	uint8_t *packet;
	int len;

	(void)state;
	test_from_hex(&b, T2);
	test_from_hex(&a, T2_INNER);
	len = encap_packet(&path, a.data, a.len, 0x2002, &packet);
	assert_int_equal(len, b.len);
	assert_memory_equal(packet, b.data, b.len);
}

static void a_fragment_under_minimal_travels_as_ip_in_ip(void **state)
{
	static const uint16_t fragments[] = { IPV4_MF, 0x0010, IPV4_MF | 0x0010 };
	struct encap_path path = p_path_of(ENCAP_MINIMAL, false);
	uint8_t *packet;
	size_t i;
	int len;

	(void)state;
	for (i = 0; i < sizeof(fragments) / sizeof(fragments[0]); i++) {
		path.udp = false;
		test_make(&a, 100, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", fragments[i]);
		len = encap_packet(&path, a.data, a.len, 1, &packet);
		assert_int_equal(len, 120);
		assert_int_equal(packet[IPV4_PROTOCOL], ENCAP_IPIP);

		path.udp = true;
		test_make(&a, 100, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", fragments[i]);
		len = encap_packet(&path, a.data, a.len, 1, &packet);
		assert_int_equal(len, 132);
		assert_int_equal(packet[29], ENCAP_IPIP);
	}
}

static void dscp_is_copied_and_ecn_is_not(void **state)
{
	struct encap_path path = p_path_of(ENCAP_IPIP, false);
	uint8_t *packet;
	uint8_t ecn;

	(void)state;
	for (ecn = 0; ecn < 4; ecn++) {
		test_make(&a, 100, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", 0);
		a.data[IPV4_TOS] = 0xb8 | ecn;
		ipv4_finish_header(a.data);
		assert_int_equal(encap_packet(&path, a.data, a.len, 1, &packet), 120);
		assert_int_equal(packet[IPV4_TOS], 0xb8);
		assert_int_equal(packet[20 + IPV4_TOS], 0xb8 | ecn);
	}
}

/* RFC 6040 figure 3 */
static void ecn_is_copied_in_normal_mode(void **state)
{
	struct encap_path path = p_path_of(ENCAP_GRE, true);
	uint8_t *packet;
	uint8_t ecn;

	(void)state;
	path.ecn_normal = true;
	for (ecn = 0; ecn < 4; ecn++) {
		test_make(&a, 100, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", 0);
		a.data[IPV4_TOS] = 0xb8 | ecn;
		ipv4_finish_header(a.data);
		assert_int_equal(encap_packet(&path, a.data, a.len, 1, &packet), 136);
		assert_int_equal(packet[IPV4_TOS], 0xb8 | ecn);
		assert_int_equal(packet[36 + IPV4_TOS], 0xb8 | ecn);
	}
}

static void minimal_leaves_ecn_where_it_is(void **state)
{
	struct encap_path path = p_path_of(ENCAP_MINIMAL, false);
	uint8_t *packet;

	(void)state;
	test_make(&a, 100, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", 0);
	a.data[IPV4_TOS] = 0xbb;
	ipv4_finish_header(a.data);
	assert_int_equal(encap_packet(&path, a.data, a.len, 1, &packet), 112);
	assert_int_equal(packet[IPV4_TOS], 0xbb);
}

static void df_is_copied_both_ways(void **state)
{
	struct encap_path path = p_path_of(ENCAP_IPIP, true);
	uint8_t *packet;

	(void)state;
	test_make(&a, 100, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", IPV4_DF);
	assert_true(encap_packet(&path, a.data, a.len, 1, &packet) > 0);
	assert_true(ipv4_df(packet));
	test_make(&a, 100, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", 0);
	assert_true(encap_packet(&path, a.data, a.len, 1, &packet) > 0);
	assert_false(ipv4_df(packet));
}

static void ttl_zero_is_not_encapsulated(void **state)
{
	struct encap_path path = p_path_of(ENCAP_IPIP, false);
	uint8_t *packet;

	(void)state;
	test_make(&a, 100, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", 0);
	a.data[IPV4_TTL] = 0;
	ipv4_finish_header(a.data);
	assert_int_equal(encap_packet(&path, a.data, a.len, 1, &packet), ERR_MALFORMED);
}

static void what_would_pass_65535_is_too_big(void **state)
{
	struct encap_path path = p_path_of(ENCAP_IPIP, true);
	uint8_t *packet;

	(void)state;
	test_make(&a, 65535 - 32, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", 0);
	assert_int_equal(encap_packet(&path, a.data, a.len, 1, &packet), 65535);
	test_make(&a, 65535 - 31, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", 0);
	assert_int_equal(encap_packet(&path, a.data, a.len, 1, &packet), ERR_TOO_BIG);
}

static void link_padding_does_not_travel(void **state)
{
	struct encap_path path = p_path_of(ENCAP_GRE, false);
	uint8_t *packet;

	(void)state;
	test_make(&a, 30, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", 0);
	assert_int_equal(encap_packet(&path, a.data, 46, 1, &packet), 54);
}

/* What goes in comes out, in every mode, at every size that is a corner, with options too. */
static void every_mode_comes_back_as_it_went(void **state)
{
	static const uint8_t modes[] = { ENCAP_IPIP, ENCAP_GRE, ENCAP_MINIMAL };
	static const size_t sizes[] = { 20, 21, 22, 23, 28, 100, 1500, 65000 };
	struct encap_inner in;
	size_t m, s, options;
	uint8_t *packet, mode;
	bool udp;
	int len;

	(void)state;
	for (m = 0; m < 3 * 2 * 2; m++)
		for (s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
			udp = m & 1;
			options = m & 2 ? 40 : 0;
			struct encap_path path = p_path_of(modes[m / 4], udp);

			test_make(&a, sizes[s] + options, IPPROTO_TCP, "203.0.113.9", "192.0.2.10",
				  0x4000);
			if (options) {
				memset(a.data + IPV4_OPTIONS, 1, options);
				a.data[0] = 0x4f;
				ipv4_finish_header(a.data);
			}
			memcpy(b.buf, a.data, a.len);
			len = encap_packet(&path, a.data, a.len, 7, &packet);
			assert_int_equal(len, a.len + encap_overhead(path.mode, udp));
			assert_int_equal(encap_check_ipv4(packet, (size_t)len), len);
			if (udp) {
				/* TTL, Identification and options of minimal are not to be had. */
				if (path.mode == ENCAP_MINIMAL)
					continue;
				assert_int_equal(
					encap_decapsulate_udp(packet + 28, (size_t)len - 28, 0,
							      path.local, path.peer, &mode, &in),
					0);
				assert_int_equal(mode, path.mode);
			} else {
				assert_int_equal(encap_decapsulate(packet, (size_t)len, &in), 0);
				if (path.mode == ENCAP_MINIMAL)
					in.packet[IPV4_TTL] = 63;
			}
			assert_int_equal(in.len, a.len);
			assert_memory_equal(in.packet, b.buf, in.len);
		}
}

/* The UDP checksum over every length, odd ones too, sums up to what a receiver expects. */
static void udp_checksum_is_right_at_every_length(void **state)
{
	struct encap_path path = p_path_of(ENCAP_GRE, true);
	uint8_t pseudo[12] = { 0 };
	uint8_t *packet;
	uint64_t sum;
	size_t len;
	int outer;

	(void)state;
	for (len = 20; len < 600; len++) {
		test_make(&a, len, IPPROTO_TCP, "203.0.113.9", "192.0.2.10", 0);
		outer = encap_packet(&path, a.data, len, 7, &packet);
		assert_true(outer > 0);
		memcpy(pseudo, packet + IPV4_SRC, 8);
		pseudo[9] = IPPROTO_UDP;
		memcpy(pseudo + 10, packet + 24, 2);
		assert_int_equal(ipv4_get16(packet + 24), outer - 20);
		sum = ipv4_sum(pseudo, sizeof(pseudo), 0);
		sum = ipv4_sum(packet + 20, (size_t)outer - 20, sum);
		assert_int_equal(ipv4_checksum(sum), 0);
		assert_int_not_equal(ipv4_get16(packet + 26), 0);
	}
}

/* A sum of 0 is written as ffff: the identification of the inner packet is tuned until it is. */
static void udp_checksum_of_zero_is_sent_as_ones(void **state)
{
	struct encap_path path = p_path_of(ENCAP_IPIP, true);
	bool seen = false;
	uint32_t payload;
	uint8_t *packet;

	(void)state;
	for (payload = 0; payload <= 0xffff && !seen; payload++) {
		test_make(&a, 22, IPPROTO_TCP, "203.0.113.9", "192.0.2.10", 0);
		ipv4_put16(a.data + 20, (uint16_t)payload);
		assert_true(encap_packet(&path, a.data, a.len, 7, &packet) > 0);
		assert_int_not_equal(ipv4_get16(packet + 26), 0);
		seen = ipv4_get16(packet + 26) == 0xffff;
	}
	assert_true(seen);
}

/* --- decapsulation --- */

static void p1_to_p4_decapsulate_to_p0(void **state)
{
	(void)state;
	check_decapsulates(P1, P0_FORWARDED);
	check_decapsulates(P2, P0_FORWARDED);
	check_decapsulates(P3, P0_FORWARDED);
	check_decapsulates(P4, P0_FORWARDED);
}

static void p5_decapsulates_to_p0(void **state)
{
	(void)state;
	check_decapsulates(P5, P0_FORWARDED);
}

static void p8_and_p9_decapsulate_alike(void **state)
{
	(void)state;
	check_decapsulates(P8, P8_INNER);
	check_decapsulates(P9, P8_INNER);
}

static void minimal_without_source_takes_the_outer_one(void **state)
{
	struct encap_inner in;

	(void)state;
	test_make(&a, 20 + 8 + 30, ENCAP_MINIMAL, "192.0.2.10", "192.0.2.1", IPV4_DF);
	a.data[20] = IPPROTO_TCP;
	a.data[21] = 0x7f; /* reserved bits are not looked at */
	ipv4_put_addr(a.data + 24, test_addr("203.0.113.9"));
	ipv4_put_checksum(a.data + 20, 8, 2);
	assert_int_equal(encap_decapsulate(a.data, a.len, &in), 0);
	assert_int_equal(in.len, 50);
	assert_int_equal(encap_check_ipv4(in.packet, in.len), 50);
	assert_int_equal(in.packet[IPV4_PROTOCOL], IPPROTO_TCP);
	assert_int_equal(ipv4_src(in.packet).s_addr, test_addr("192.0.2.10").s_addr);
	assert_int_equal(ipv4_dst(in.packet).s_addr, test_addr("203.0.113.9").s_addr);
	assert_int_equal(in.packet[20], 8); /* the payload counts on from behind the header */
	assert_int_equal(in.packet[49], 37);
}

static void minimal_with_a_wrong_checksum_is_refused(void **state)
{
	size_t bit;

	(void)state;
	for (bit = 20 * 8; bit < 32 * 8; bit++) {
		test_from_hex(&a, P5);
		a.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		check_refused(&a);
	}
}

static void minimal_too_short_for_its_source_is_refused(void **state)
{
	(void)state;
	test_make(&a, 20 + 8, ENCAP_MINIMAL, "192.0.2.10", "192.0.2.1", 0);
	a.data[20] = IPPROTO_TCP;
	a.data[21] = 0x80;
	ipv4_put_checksum(a.data + 20, 8, 2);
	check_refused(&a);
}

/* Turns P2 into a GRE packet with these flags, and checksum, key and sequence as they say. */
static void make_gre(uint16_t flags)
{
	size_t options = 0;

	test_from_hex(&b, P0_FORWARDED);
	options += flags & 0x8000 ? 4 : 0;
	options += flags & 0x2000 ? 4 : 0;
	options += flags & 0x1000 ? 4 : 0;
	test_make(&a, 24 + options + b.len, ENCAP_GRE, "198.51.100.77", "192.0.2.1", 0);
	ipv4_put16(a.data + 20, flags);
	ipv4_put16(a.data + 22, 0x0800);
	memcpy(a.data + 24 + options, b.data, b.len);
	if (flags & 0x8000) {
		memset(a.data + 24, 0, 4);
		ipv4_put_checksum(a.data + 20, a.len - 20, 4);
	}
}

static void gre_options_are_read_in_every_combination(void **state)
{
	struct encap_inner in;
	uint16_t combination;

	(void)state;
	for (combination = 0; combination < 8; combination++) {
		make_gre((uint16_t)((combination & 4) << 13 | (combination & 3) << 12));
		assert_int_equal(encap_decapsulate(a.data, a.len, &in), 0);
		assert_int_equal(in.len, b.len);
		assert_memory_equal(in.packet, b.data, b.len);
	}
}

static void gre_with_a_wrong_checksum_is_refused(void **state)
{
	size_t i;

	(void)state;
	for (i = 20; i < 72; i++) {
		test_from_hex(&a, P4);
		a.data[i] ^= 0x10;
		check_refused(&a);
	}
}

static void gre_with_routing_bits_or_another_version_is_refused(void **state)
{
	static const uint16_t flags[] = { 0x4000, 0x0800, 0x0001, 0x0002, 0x0004, 0xc000 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		make_gre(flags[i]);
		check_refused(&a);
	}
}

static void gre_bits_5_to_12_are_not_looked_at(void **state)
{
	struct encap_inner in;

	(void)state;
	make_gre(0x07f8);
	assert_int_equal(encap_decapsulate(a.data, a.len, &in), 0);
}

static void gre_of_another_protocol_is_refused(void **state)
{
	(void)state;
	make_gre(0);
	ipv4_put16(a.data + 22, 0x86dd);
	check_refused(&a);
}

static void an_outer_fragment_is_refused(void **state)
{
	(void)state;
	test_from_hex(&a, P1);
	ipv4_put16(a.data + IPV4_FRAGMENT, IPV4_MF);
	ipv4_finish_header(a.data);
	check_refused(&a);
}

static void other_protocols_are_refused(void **state)
{
	(void)state;
	test_from_hex(&a, P6);
	check_refused(&a);
}

/* Each packet cut at each octet: outer lengths as they were, and made to fit. */
static void no_cut_packet_decapsulates_or_is_read_beyond(void **state)
{
	static const char *const packets[] = { P1, P2, P3, P4, P5, P8 };
	struct encap_inner in;
	size_t i, cut, len;
	uint8_t *copy;

	(void)state;
	for (i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		test_from_hex(&a, packets[i]);
		len = a.len;
		for (a.len = 0; a.len < len; a.len++)
			check_refused(&a);
		for (cut = 20; cut < len; cut++) {
			test_from_hex(&a, packets[i]);
			copy = test_exact(a.data, cut);
			ipv4_put16(copy + IPV4_LENGTH, (uint16_t)cut);
			ipv4_finish_header(copy);
			/*
			 * Minimal encapsulation has no inner length: what is cut off there is
			 * payload that nobody misses.
			 */
			if (copy[IPV4_PROTOCOL] == ENCAP_MINIMAL && cut >= 32) {
				assert_int_equal(encap_decapsulate(copy, cut, &in), 0);
				assert_int_equal(in.len, cut - 12);
			} else {
				assert_int_equal(encap_decapsulate(copy, cut, &in), ERR_MALFORMED);
			}
			free(copy);
		}
	}
}

/* --- tunnel data in UDP --- */

static void t1_t3_t9_decapsulate(void **state)
{
	(void)state;
	check_decapsulates_udp(T1, ENCAP_IPIP, T1_INNER);
	check_decapsulates_udp(T3, ENCAP_IPIP, &T3[8]);
	check_decapsulates_udp(T9, ENCAP_IPIP, &T9[8]); /* reserved octets are ignored */
}

static void t5_gre_header_that_is_none_is_refused(void **state)
{
	struct encap_inner in;
	uint8_t mode;

	(void)state;
	test_from_hex(&a, T5);
	assert_int_equal(decapsulate_udp(&a, 0, &mode, &in), ERR_MALFORMED);
}

static void t10_without_payload_is_refused(void **state)
{
	struct encap_inner in;
	uint8_t mode;

	(void)state;
	test_from_hex(&a, T10);
	assert_int_equal(decapsulate_udp(&a, 0, &mode, &in), ERR_MALFORMED);
}

static void t12_gre_in_udp_decapsulates(void **state)
{
	(void)state;
	check_decapsulates_udp(T12, ENCAP_GRE, &T12[16]);
}

static void t13_minimal_in_udp_decapsulates(void **state)
{
	struct encap_inner in;
	uint8_t mode;

	(void)state;
	test_from_hex(&a, T13);
	assert_int_equal(decapsulate_udp(&a, 0x28, &mode, &in), 0);
	assert_int_equal(mode, ENCAP_MINIMAL);
	assert_int_equal(in.len, 41);
	assert_int_equal(encap_check_ipv4(in.packet, in.len), 41);
	assert_int_equal(in.packet[IPV4_TOS], 0x28);
	assert_int_equal(in.packet[IPV4_PROTOCOL], IPPROTO_ICMP);
	assert_int_equal(ipv4_src(in.packet).s_addr, test_addr("198.51.100.50").s_addr);
	assert_int_equal(ipv4_dst(in.packet).s_addr, test_addr("198.51.100.9").s_addr);
	test_from_hex(&b, T13);
	assert_memory_equal(in.packet + 20, b.data + 16, 21);
	assert_true(in.packet >= a.buf);
}

static void next_headers_beyond_the_three_are_refused(void **state)
{
	struct encap_inner in;
	unsigned int next;
	uint8_t mode;

	(void)state;
	for (next = 0; next < 256; next++) {
		test_from_hex(&a, T1);
		a.data[1] = (uint8_t)next;
		if (next != ENCAP_IPIP)
			assert_int_equal(decapsulate_udp(&a, 0, &mode, &in), ERR_MALFORMED);
	}
}

static void other_message_types_are_refused(void **state)
{
	struct encap_inner in;
	uint8_t mode;

	(void)state;
	test_from_hex(&a, T1);
	a.data[0] = 1;
	assert_int_equal(decapsulate_udp(&a, 0, &mode, &in), ERR_MALFORMED);
}

static void no_cut_tunnel_data_is_read_beyond(void **state)
{
	static const char *const packets[] = { T1, T3, T12, T13 };
	struct encap_inner in;
	size_t i, cut, keep;
	uint8_t *copy, mode;
	int err;

	(void)state;
	for (i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		test_from_hex(&a, packets[i]);
		for (cut = 0; cut < a.len; cut++) {
			keep = ENCAP_HEADROOM + cut;
			copy = test_exact(a.data - ENCAP_HEADROOM, keep);
			err = encap_decapsulate_udp(copy + ENCAP_HEADROOM, cut, 0,
						    test_addr("203.0.113.7"),
						    test_addr("198.51.100.2"), &mode, &in);
			if (a.data[1] == ENCAP_MINIMAL && cut >= 16)
				assert_int_equal(err, 0);
			else
				assert_int_equal(err, ERR_MALFORMED);
			free(copy);
		}
	}
}

/* --- ECN, RFC 6040 figure 4 --- */

enum { NOT_ECT = 0, ECT1 = 1, ECT0 = 2, CE = 3, DROP = -1 };

static void ecn_of_all_sixteen_pairs_is_rfc_6040s(void **state)
{
	static const struct {
		uint8_t inner, outer;
		int result;
		bool unexpected; /* (!) or (!!!) */
	} cells[] = {
		{ NOT_ECT, NOT_ECT, NOT_ECT },
		{ NOT_ECT, ECT0, NOT_ECT, true },
		{ NOT_ECT, ECT1, NOT_ECT, true },
		{ NOT_ECT, CE, DROP },
		{ ECT0, NOT_ECT, ECT0 },
		{ ECT0, ECT0, ECT0 },
		{ ECT0, ECT1, ECT1 },
		{ ECT0, CE, CE },
		{ ECT1, NOT_ECT, ECT1 },
		{ ECT1, ECT0, ECT1, true },
		{ ECT1, ECT1, ECT1 },
		{ ECT1, CE, CE },
		{ CE, NOT_ECT, CE },
		{ CE, ECT0, CE },
		{ CE, ECT1, CE, true },
		{ CE, CE, CE },
	};
	struct encap_inner in;
	uint8_t *packet, mode;
	size_t i, way;
	int len, err;

	(void)state;
	for (i = 0; i < 16 * 4; i++) {
		struct encap_path path;

		way = i / 16; /* IP-in-IP, GRE, and both in UDP */
		path = p_path_of(way & 1 ? ENCAP_GRE : ENCAP_IPIP, way & 2);
		test_make(&a, 60, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", 0);
		a.data[IPV4_TOS] = 0xb8 | cells[i % 16].inner;
		ipv4_finish_header(a.data);
		len = encap_packet(&path, a.data, a.len, 1, &packet);
		assert_true(len > 0);
		packet[IPV4_TOS] = 0xb8 | cells[i % 16].outer;
		ipv4_finish_header(packet);
		err = path.udp ? encap_decapsulate_udp(packet + 28, (size_t)len - 28,
						       packet[IPV4_TOS], path.local, path.peer,
						       &mode, &in)
			       : encap_decapsulate(packet, (size_t)len, &in);
		if (cells[i % 16].result == DROP) {
			assert_int_equal(err, ERR_CONGESTED);
			continue;
		}
		assert_int_equal(err, 0);
		assert_int_equal(in.ecn_unexpected, cells[i % 16].unexpected);
		assert_int_equal(in.packet[IPV4_TOS], 0xb8 | cells[i % 16].result);
		assert_int_equal(encap_check_ipv4(in.packet, in.len), 60);
	}
}

/* --- checks of a header --- */

static void a_good_header_gives_its_total_length(void **state)
{
	(void)state;
	test_from_hex(&a, P0);
	assert_int_equal(encap_check_ipv4(a.data, a.len), 44);
	assert_int_equal(encap_check_ipv4(a.data, a.len + 2), 44);
}

static void every_turned_bit_of_a_header_is_noticed(void **state)
{
	size_t bit;

	(void)state;
	for (bit = 0; bit < 20 * 8; bit++) {
		test_from_hex(&a, P0);
		a.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(encap_check_ipv4(a.data, a.len), ERR_MALFORMED);
	}
}

static void lengths_that_contradict_each_other_are_malformed(void **state)
{
	(void)state;
	test_from_hex(&a, P0);
	a.data[0] = 0x44; /* shorter than a header is */
	ipv4_finish_header(a.data);
	assert_int_equal(encap_check_ipv4(a.data, a.len), ERR_MALFORMED);

	test_from_hex(&a, P0);
	ipv4_put16(a.data + IPV4_LENGTH, 45); /* longer than the packet */
	ipv4_finish_header(a.data);
	assert_int_equal(encap_check_ipv4(a.data, a.len), ERR_MALFORMED);

	test_from_hex(&a, P0);
	a.data[0] = 0x4c; /* header longer than the packet */
	ipv4_finish_header(a.data);
	assert_int_equal(encap_check_ipv4(a.data, a.len), ERR_MALFORMED);

	test_from_hex(&a, P0);
	ipv4_put16(a.data + IPV4_LENGTH, 19);
	ipv4_finish_header(a.data);
	assert_int_equal(encap_check_ipv4(a.data, a.len), ERR_MALFORMED);
}

static void a_fragment_that_ends_beyond_65535_is_malformed(void **state)
{
	(void)state;
	test_make(&a, 100, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", 8179); /* 65432 + 100 */
	assert_int_equal(encap_check_ipv4(a.data, a.len), 100);
	test_make(&a, 100, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", 8180);
	assert_int_equal(encap_check_ipv4(a.data, a.len), ERR_MALFORMED);
}

/* --- fragments --- */

struct pieces {
	size_t cnt;
	size_t lens[64];
	uint8_t data[ENCAP_PACKET_MAX + 8];
	bool had[ENCAP_PACKET_MAX];
	size_t end;     /* of the data seen */
	bool last_seen; /* MF clear */
	size_t options[64];
	int fail_at;
};

static int collect(void *ctx, uint8_t *piece, size_t len)
{
	struct pieces *p = ctx;
	size_t header_len = ipv4_header_len(piece), offset;
	uint16_t fragment = ipv4_get16(piece + IPV4_FRAGMENT);
	size_t i;

	if (p->fail_at > 0 && (int)p->cnt + 1 == p->fail_at)
		return -5;
	assert_int_equal(encap_check_ipv4(piece, len), len);
	offset = (size_t)(fragment & IPV4_OFFSET_MASK) * 8;
	for (i = 0; i < len - header_len; i++) {
		assert_false(p->had[offset + i]);
		p->had[offset + i] = true;
		p->data[offset + i] = piece[header_len + i];
	}
	if (offset + len - header_len > p->end)
		p->end = offset + len - header_len;
	if (fragment & IPV4_MF)
		assert_int_equal((len - header_len) % 8, 0);
	else
		p->last_seen = true;
	p->options[p->cnt] = header_len - 20;
	p->lens[p->cnt++] = len;
	memset(piece - ENCAP_HEADROOM, 0xee, ENCAP_HEADROOM); /* ours to lose */
	return 0;
}

static struct pieces pieces;

static int fragment(size_t mtu)
{
	uint8_t *piece = malloc(ENCAP_HEADROOM + mtu);
	int err;

	assert_non_null(piece);
	memset(&pieces, 0, sizeof(pieces));
	err = encap_fragment(a.data, a.len, mtu, piece, collect, &pieces);
	free(piece);
	return err;
}

/* tunnels.md §4: 1500 octets over a path of 1500, the wire sizes of both pieces. */
static void pieces_of_1500_have_the_sizes_of_the_table(void **state)
{
	static const struct {
		uint8_t mode;
		bool udp;
		size_t first, second;
	} rows[] = {
		{ ENCAP_IPIP, false, 1496, 64 },
		{ ENCAP_GRE, false, 1500, 68 },
		{ ENCAP_IPIP, true, 1500, 84 },
	};
	size_t i, overhead;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		overhead = encap_overhead(rows[i].mode, rows[i].udp);
		test_make(&a, 1500, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", 0);
		assert_int_equal(fragment(1500 - overhead), 0);
		assert_int_equal(pieces.cnt, 2);
		assert_int_equal(pieces.lens[0] + overhead, rows[i].first);
		assert_int_equal(pieces.lens[1] + overhead, rows[i].second);
	}
}

static void overheads_are_those_of_the_table(void **state)
{
	(void)state;
	assert_int_equal(encap_overhead(ENCAP_IPIP, false), 20);
	assert_int_equal(encap_overhead(ENCAP_MINIMAL, false), 12);
	assert_int_equal(encap_overhead(ENCAP_GRE, false), 24);
	assert_int_equal(encap_overhead(ENCAP_IPIP, true), 32);
	assert_int_equal(encap_overhead(ENCAP_MINIMAL, true), 24);
	assert_int_equal(encap_overhead(ENCAP_GRE, true), 36);
}

static void pieces_cover_the_packet_at_every_mtu(void **state)
{
	static const size_t sizes[] = { 29, 100, 1500, 1501 };
	size_t s, mtu;

	(void)state;
	for (s = 0; s < 4; s++)
		for (mtu = 28; mtu <= 1520; mtu += s < 2 ? 1 : 31) {
			if (sizes[s] / ((mtu - 20) / 8 * 8) > 60)
				continue;
			test_make(&a, sizes[s], IPPROTO_UDP, "203.0.113.9", "192.0.2.10", 0);
			assert_int_equal(fragment(mtu), 0);
			assert_int_equal(pieces.end, sizes[s] - 20);
			assert_true(pieces.last_seen);
			assert_memory_equal(pieces.data, a.data + 20, pieces.end);
		}
}

static void what_fits_is_emitted_whole(void **state)
{
	(void)state;
	test_make(&a, 1480, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", IPV4_DF);
	assert_int_equal(fragment(1480), 0);
	assert_int_equal(pieces.cnt, 1);
	assert_int_equal(pieces.lens[0], 1480);
}

static void df_is_not_fragmented(void **state)
{
	(void)state;
	test_make(&a, 1481, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", IPV4_DF);
	assert_int_equal(fragment(1480), ERR_TOO_BIG);
	assert_int_equal(pieces.cnt, 0);
}

static void an_mtu_without_room_for_data_is_too_big(void **state)
{
	(void)state;
	test_make(&a, 100, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", 0);
	assert_int_equal(fragment(27), ERR_TOO_BIG);
	assert_int_equal(fragment(28), 0);
}

static void a_fragment_keeps_its_offset_and_mf(void **state)
{
	(void)state;
	test_make(&a, 1500, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", IPV4_MF | 185);
	assert_int_equal(fragment(1000), 0);
	assert_int_equal(pieces.cnt, 2);
	assert_false(pieces.had[185 * 8 - 1]);
	assert_true(pieces.had[185 * 8]);
	assert_int_equal(pieces.end, 185 * 8 + 1480);
	assert_false(pieces.last_seen);

	test_make(&a, 1500, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", 185);
	assert_int_equal(fragment(1000), 0);
	assert_true(pieces.last_seen);
}

static void only_copied_options_stay_in_later_pieces(void **state)
{
	(void)state;
	test_make(&a, 400, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", 0);
	a.data[0] = 0x49; /* 16 octets of options */
	a.data[20] = 1;   /* no operation */
	a.data[21] = 7;   /* record route: not copied */
	a.data[22] = 7;
	a.data[28] = 0x88; /* stream identifier: copied */
	a.data[29] = 4;
	a.data[32] = 0; /* end */
	ipv4_finish_header(a.data);
	assert_int_equal(fragment(200), 0);
	assert_int_equal(pieces.cnt, 3);
	assert_int_equal(pieces.options[0], 16);
	assert_int_equal(pieces.options[1], 4);
	assert_int_equal(pieces.options[2], 4);
	assert_int_equal(pieces.end, 400 - 36);
	assert_memory_equal(pieces.data, a.data + 36, pieces.end);
}

static void broken_options_end_the_list(void **state)
{
	static const uint8_t lens[] = { 0, 1, 41, 255 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lens); i++) {
		test_make(&a, 400, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", 0);
		a.data[0] = 0x46;
		a.data[20] = 0x88;
		a.data[21] = lens[i];
		ipv4_finish_header(a.data);
		assert_int_equal(fragment(200), 0);
		assert_int_equal(pieces.options[1], 0);
	}
}

static void an_error_of_emit_ends_it(void **state)
{
	uint8_t piece[ENCAP_HEADROOM + 500];

	(void)state;
	test_make(&a, 1500, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", 0);
	memset(&pieces, 0, sizeof(pieces));
	pieces.fail_at = 2;
	assert_int_equal(encap_fragment(a.data, a.len, 500, piece, collect, &pieces), -5);
	assert_int_equal(pieces.cnt, 1);
}

static void modes_have_the_operators_names(void **state)
{
	(void)state;
	assert_string_equal(encap_mode_name(ENCAP_IPIP), "ip-in-ip");
	assert_string_equal(encap_mode_name(ENCAP_GRE), "gre");
	assert_string_equal(encap_mode_name(ENCAP_MINIMAL), "minimal");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ip_in_ip_is_p1),
		cmocka_unit_test(gre_is_p2),
		cmocka_unit_test(minimal_is_p5_and_keeps_identification_and_ttl),
		cmocka_unit_test(ip_in_udp_is_p6_with_a_real_checksum),
		cmocka_unit_test(nested_broadcast_is_p7),
		cmocka_unit_test(esp_to_a_node_behind_a_nat_is_t4),
		cmocka_unit_test(keepalive_answer_is_t2),
		cmocka_unit_test(a_fragment_under_minimal_travels_as_ip_in_ip),
		cmocka_unit_test(dscp_is_copied_and_ecn_is_not),
		cmocka_unit_test(ecn_is_copied_in_normal_mode),
		cmocka_unit_test(minimal_leaves_ecn_where_it_is),
		cmocka_unit_test(df_is_copied_both_ways),
		cmocka_unit_test(ttl_zero_is_not_encapsulated),
		cmocka_unit_test(what_would_pass_65535_is_too_big),
		cmocka_unit_test(link_padding_does_not_travel),
		cmocka_unit_test(every_mode_comes_back_as_it_went),
		cmocka_unit_test(udp_checksum_is_right_at_every_length),
		cmocka_unit_test(udp_checksum_of_zero_is_sent_as_ones),
		cmocka_unit_test(p1_to_p4_decapsulate_to_p0),
		cmocka_unit_test(p5_decapsulates_to_p0),
		cmocka_unit_test(p8_and_p9_decapsulate_alike),
		cmocka_unit_test(minimal_without_source_takes_the_outer_one),
		cmocka_unit_test(minimal_with_a_wrong_checksum_is_refused),
		cmocka_unit_test(minimal_too_short_for_its_source_is_refused),
		cmocka_unit_test(gre_options_are_read_in_every_combination),
		cmocka_unit_test(gre_with_a_wrong_checksum_is_refused),
		cmocka_unit_test(gre_with_routing_bits_or_another_version_is_refused),
		cmocka_unit_test(gre_bits_5_to_12_are_not_looked_at),
		cmocka_unit_test(gre_of_another_protocol_is_refused),
		cmocka_unit_test(an_outer_fragment_is_refused),
		cmocka_unit_test(other_protocols_are_refused),
		cmocka_unit_test(no_cut_packet_decapsulates_or_is_read_beyond),
		cmocka_unit_test(t1_t3_t9_decapsulate),
		cmocka_unit_test(t5_gre_header_that_is_none_is_refused),
		cmocka_unit_test(t10_without_payload_is_refused),
		cmocka_unit_test(t12_gre_in_udp_decapsulates),
		cmocka_unit_test(t13_minimal_in_udp_decapsulates),
		cmocka_unit_test(next_headers_beyond_the_three_are_refused),
		cmocka_unit_test(other_message_types_are_refused),
		cmocka_unit_test(no_cut_tunnel_data_is_read_beyond),
		cmocka_unit_test(ecn_of_all_sixteen_pairs_is_rfc_6040s),
		cmocka_unit_test(a_good_header_gives_its_total_length),
		cmocka_unit_test(every_turned_bit_of_a_header_is_noticed),
		cmocka_unit_test(lengths_that_contradict_each_other_are_malformed),
		cmocka_unit_test(a_fragment_that_ends_beyond_65535_is_malformed),
		cmocka_unit_test(pieces_of_1500_have_the_sizes_of_the_table),
		cmocka_unit_test(overheads_are_those_of_the_table),
		cmocka_unit_test(pieces_cover_the_packet_at_every_mtu),
		cmocka_unit_test(what_fits_is_emitted_whole),
		cmocka_unit_test(df_is_not_fragmented),
		cmocka_unit_test(an_mtu_without_room_for_data_is_too_big),
		cmocka_unit_test(a_fragment_keeps_its_offset_and_mf),
		cmocka_unit_test(only_copied_options_stay_in_later_pieces),
		cmocka_unit_test(broken_options_end_the_list),
		cmocka_unit_test(an_error_of_emit_ends_it),
		cmocka_unit_test(modes_have_the_operators_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

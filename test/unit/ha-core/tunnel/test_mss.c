/* SPDX-License-Identifier: BSD-2-Clause */
/* mss.c: which packets, which option, and a checksum that is right afterwards. */
#include "packets.h"

#include "ha-core/tunnel/mss.h"

#define SYN     0x02
#define SYN_ACK 0x12
#define ACK     0x10
#define CLAMP   1428

static struct test_packet a;

static uint16_t tcp_checksum(const uint8_t *packet, size_t len)
{
	uint8_t pseudo[12] = { 0 };
	size_t header_len = ipv4_header_len(packet);

	memcpy(pseudo, packet + IPV4_SRC, 8);
	pseudo[9] = IPPROTO_TCP;
	ipv4_put16(pseudo + 10, (uint16_t)(len - header_len));
	return ipv4_checksum(ipv4_sum(packet + header_len, len - header_len,
				      ipv4_sum(pseudo, sizeof(pseudo), 0)));
}

/* A TCP packet with these options and some data. */
static void make(uint8_t flags, const uint8_t *options, size_t options_len)
{
	uint8_t *tcp;
	uint16_t sum;

	test_make(&a, 20 + 20 + options_len + 5, IPPROTO_TCP, "203.0.113.9", "192.0.2.10", 0);
	tcp = a.data + 20;
	tcp[12] = (uint8_t)((20 + options_len) / 4 << 4);
	tcp[13] = flags;
	memcpy(tcp + 20, options, options_len);
	memset(tcp + 16, 0, 2);
	sum = tcp_checksum(a.data, a.len);
	memcpy(tcp + 16, &sum, 2);
}

/* On a copy with nothing behind it. */
static bool clamp(uint16_t mss)
{
	uint8_t *copy = test_exact(a.data, a.len);
	bool changed = mss_is_syn(copy, a.len) && mss_clamp(copy, a.len, mss);

	memcpy(a.data, copy, a.len);
	free(copy);
	return changed;
}

static void an_mss_above_the_clamp_is_lowered(void **state)
{
	static const uint8_t option[] = { 2, 4, 0x05, 0xb4 };
	static const uint8_t flags[] = { SYN, SYN_ACK };
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		make(flags[i], option, sizeof(option));
		assert_true(clamp(CLAMP));
		assert_int_equal(ipv4_get16(a.data + 42), CLAMP);
		assert_int_equal(tcp_checksum(a.data, a.len), 0);
	}
}

static void an_mss_is_never_raised(void **state)
{
	static const uint8_t equal[] = { 2, 4, CLAMP >> 8, CLAMP & 0xff };
	static const uint8_t below[] = { 2, 4, 0x02, 0x18 };

	(void)state;
	make(SYN, equal, sizeof(equal));
	assert_false(clamp(CLAMP));
	make(SYN, below, sizeof(below));
	assert_false(clamp(CLAMP));
	assert_int_equal(ipv4_get16(a.data + 42), 0x218);
}

/* At every alignment, behind other options, with every pair of values that carries or not. */
static void the_checksum_is_right_wherever_the_option_lies(void **state)
{
	static const uint8_t rows[][12] = {
		{ 2, 4, 0xff, 0xff, 1, 1, 1, 1, 1, 1, 1, 1 },
		{ 1, 2, 4, 0xff, 0x01, 1, 1, 1, 1, 1, 1, 1 },
		{ 4, 2, 2, 4, 0x05, 0xb4, 1, 3, 3, 7, 0, 0 },
		{ 3, 3, 7, 2, 4, 0x05, 0xb4, 1, 1, 4, 2, 0 },
		{ 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 0x23, 0x00 },
	};
	size_t i, mss;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (mss = 1; mss < 0x5b4; mss += 13) {
			make(SYN, rows[i], sizeof(rows[i]));
			assert_true(clamp((uint16_t)mss));
			assert_int_equal(tcp_checksum(a.data, a.len), 0);
		}
	}
}

static void a_syn_without_the_option_is_left_alone(void **state)
{
	static const uint8_t ended[] = { 0, 2, 4, 0x05, 0xb4, 0, 0, 0 };
	static const uint8_t other[] = { 4, 2, 1, 1 };

	(void)state;
	make(SYN, other, 0);
	assert_false(clamp(CLAMP));
	make(SYN, other, sizeof(other));
	assert_false(clamp(CLAMP));
	make(SYN, ended, sizeof(ended)); /* behind the end of the list is no option */
	assert_false(clamp(CLAMP));
}

static void only_packets_with_syn_are_touched(void **state)
{
	static const uint8_t option[] = { 2, 4, 0x05, 0xb4 };

	(void)state;
	make(ACK, option, sizeof(option));
	assert_false(clamp(CLAMP));
	make(SYN, option, sizeof(option));
	a.data[IPV4_PROTOCOL] = IPPROTO_UDP;
	assert_false(clamp(CLAMP));
}

static void a_later_fragment_is_not_touched_and_a_first_one_is(void **state)
{
	static const uint8_t option[] = { 2, 4, 0x05, 0xb4 };

	(void)state;
	make(SYN, option, sizeof(option));
	ipv4_put16(a.data + IPV4_FRAGMENT, 1);
	assert_false(clamp(CLAMP));
	ipv4_put16(a.data + IPV4_FRAGMENT, IPV4_MF);
	assert_true(clamp(CLAMP));
}

static void broken_options_are_left_alone(void **state)
{
	static const uint8_t rows[][4] = {
		{ 2, 3, 0x05, 0xb4 }, /* wrong length */
		{ 3, 0, 2, 4 },       /* length 0: no way on */
		{ 1, 1, 1, 2 },       /* cut off behind the kind */
		{ 1, 1, 2, 4 },       /* cut off before the value */
		{ 9, 40, 2, 4 },      /* past the end */
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make(SYN, rows[i], sizeof(rows[i]));
		assert_false(clamp(1));
	}
}

static void short_packets_are_not_read_beyond(void **state)
{
	static const uint8_t option[] = { 2, 4, 0x05, 0xb4 };
	size_t len;

	(void)state;
	for (len = 20; len < 44; len++) {
		make(SYN, option, sizeof(option));
		a.len = len;
		assert_false(clamp(CLAMP));
	}
	make(SYN, option, sizeof(option));
	a.data[32] = 0x10; /* a header shorter than a header */
	assert_false(clamp(CLAMP));
	a.data[32] = 0xf0; /* longer than the packet */
	assert_false(clamp(CLAMP));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_mss_above_the_clamp_is_lowered),
		cmocka_unit_test(an_mss_is_never_raised),
		cmocka_unit_test(the_checksum_is_right_wherever_the_option_lies),
		cmocka_unit_test(a_syn_without_the_option_is_left_alone),
		cmocka_unit_test(only_packets_with_syn_are_touched),
		cmocka_unit_test(a_later_fragment_is_not_touched_and_a_first_one_is),
		cmocka_unit_test(broken_options_are_left_alone),
		cmocka_unit_test(short_packets_are_not_read_beyond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* icmp.c: what an error looks like, what there is none about, how many, and answers to keepalives.
 */
#include "packets.h"

#include "ha-core/tunnel/icmp.h"

#define KEEPALIVE \
	"450000291001000040011638c6336432c63364020800cc654d4900016d69702d6b656570616c697665"
#define KEEPALIVE_ANSWER \
	"450000291002000040011637c6336402c63364320000d4654d4900016d69702d6b656570616c697665"
/* of a foreign agent, from its care-of address (T16, T17) */
#define FA_KEEPALIVE \
	"450000291010000040017ee5c0a80101c63364020800cc654d4900016d69702d6b656570616c697665"
#define FA_KEEPALIVE_ANSWER \
	"450000291011000040017ee4c6336402c0a801010000d4654d4900016d69702d6b656570616c697665"

static struct test_packet a, b;

static size_t build(uint8_t *out, enum icmp_error error, uint16_t mtu)
{
	uint8_t *copy = test_exact(a.data, a.len);
	size_t len = icmp_build_error(out, error, mtu, test_addr("192.0.2.1"), copy, a.len);

	free(copy);
	return len;
}

static void an_error_names_its_cause_and_quotes_the_packet(void **state)
{
	uint8_t out[ICMP_ERROR_MAX];

	(void)state;
	test_make(&a, 100, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", 0);
	assert_int_equal(build(out, ICMP_ERROR_HOST_UNREACHABLE, 0), 128);
	assert_int_equal(encap_check_ipv4(out, 128), 128);
	assert_int_equal(ipv4_src(out).s_addr, test_addr("192.0.2.1").s_addr);
	assert_int_equal(ipv4_dst(out).s_addr, test_addr("203.0.113.9").s_addr);
	assert_int_equal(out[IPV4_PROTOCOL], IPPROTO_ICMP);
	assert_int_equal(out[20], 3);
	assert_int_equal(out[21], 1);
	assert_true(ipv4_sum_is_right(out + 20, 108));
	assert_memory_equal(out + 28, a.data, 100);
	assert_true(icmp_is_error(out, 128));
}

static void every_error_has_its_type_and_code(void **state)
{
	static const struct {
		enum icmp_error error;
		uint8_t type, code;
	} rows[] = {
		{ ICMP_ERROR_NET_UNREACHABLE, 3, 0 },
		{ ICMP_ERROR_HOST_UNREACHABLE, 3, 1 },
		{ ICMP_ERROR_TOO_BIG, 3, 4 },
		{ ICMP_ERROR_TIME_EXCEEDED, 11, 0 },
	};
	uint8_t out[ICMP_ERROR_MAX];
	size_t i;

	(void)state;
	test_make(&a, 40, IPPROTO_TCP, "203.0.113.9", "192.0.2.10", 0);
	for (i = 0; i < 4; i++) {
		assert_int_equal(build(out, rows[i].error, 0), 68);
		assert_int_equal(out[20], rows[i].type);
		assert_int_equal(out[21], rows[i].code);
	}
}

static void too_big_tells_the_mtu_in_octets_6_and_7(void **state)
{
	uint8_t out[ICMP_ERROR_MAX];

	(void)state;
	test_make(&a, 1500, IPPROTO_TCP, "203.0.113.9", "192.0.2.10", IPV4_DF);
	assert_true(build(out, ICMP_ERROR_TOO_BIG, 1468) > 0);
	assert_int_equal(ipv4_get16(out + 24), 0);
	assert_int_equal(ipv4_get16(out + 26), 1468);
}

static void an_error_is_never_longer_than_576_octets(void **state)
{
	uint8_t out[ICMP_ERROR_MAX];

	(void)state;
	test_make(&a, 548, IPPROTO_TCP, "203.0.113.9", "192.0.2.10", 0);
	assert_int_equal(build(out, ICMP_ERROR_NET_UNREACHABLE, 0), 576);
	test_make(&a, 1500, IPPROTO_TCP, "203.0.113.9", "192.0.2.10", 0);
	assert_int_equal(build(out, ICMP_ERROR_NET_UNREACHABLE, 0), 576);
	assert_memory_equal(out + 28, a.data, 548);
}

static void no_error_about_an_error(void **state)
{
	static const uint8_t errors[] = { 3, 4, 5, 11, 12 };
	uint8_t out[ICMP_ERROR_MAX];
	size_t i;

	(void)state;
	test_make(&a, 60, IPPROTO_ICMP, "203.0.113.9", "192.0.2.10", 0);
	for (i = 0; i < sizeof(errors); i++) {
		a.data[20] = errors[i];
		assert_int_equal(build(out, ICMP_ERROR_HOST_UNREACHABLE, 0), 0);
	}
	a.data[20] = 8; /* an echo request is no error */
	assert_true(build(out, ICMP_ERROR_HOST_UNREACHABLE, 0) > 0);
}

static void no_error_about_broadcast_or_multicast(void **state)
{
	uint8_t out[ICMP_ERROR_MAX];

	(void)state;
	test_make(&a, 60, IPPROTO_UDP, "203.0.113.9", "255.255.255.255", 0);
	assert_int_equal(build(out, ICMP_ERROR_HOST_UNREACHABLE, 0), 0);
	test_make(&a, 60, IPPROTO_UDP, "203.0.113.9", "224.0.0.5", 0);
	assert_int_equal(build(out, ICMP_ERROR_HOST_UNREACHABLE, 0), 0);
}

static void no_error_to_a_source_that_is_no_host(void **state)
{
	static const char *const sources[] = { "0.0.0.0",   "0.1.2.3",         "127.0.0.1",
					       "224.0.0.1", "255.255.255.255", "240.0.0.1" };
	uint8_t out[ICMP_ERROR_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		test_make(&a, 60, IPPROTO_UDP, sources[i], "192.0.2.10", 0);
		assert_int_equal(build(out, ICMP_ERROR_HOST_UNREACHABLE, 0), 0);
	}
}

static void no_error_about_a_fragment_behind_the_first(void **state)
{
	uint8_t out[ICMP_ERROR_MAX];

	(void)state;
	test_make(&a, 60, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", 1);
	assert_int_equal(build(out, ICMP_ERROR_HOST_UNREACHABLE, 0), 0);
	test_make(&a, 60, IPPROTO_UDP, "203.0.113.9", "192.0.2.10", IPV4_MF);
	assert_true(build(out, ICMP_ERROR_HOST_UNREACHABLE, 0) > 0);
}

/* A header alone is a packet, too; so is ICMP without its type. */
static void short_packets_are_not_read_beyond(void **state)
{
	uint8_t out[ICMP_ERROR_MAX];

	(void)state;
	for (size_t len = 20; len < 30; len++) {
		test_make(&a, len, IPPROTO_ICMP, "203.0.113.9", "192.0.2.10", 0);
		if (len > 20)
			a.data[20] = 8;
		assert_int_equal(build(out, ICMP_ERROR_HOST_UNREACHABLE, 0), len + 28);
		uint8_t *copy = test_exact(a.data, len);
		assert_false(icmp_is_echo_request(copy, len));
		free(copy);
	}
}

static void check_answer(const char *request, const char *answer, uint16_t ident)
{
	uint8_t *reply;

	test_from_hex(&a, request);
	test_from_hex(&b, answer);
	assert_true(icmp_is_echo_request(a.data, a.len));
	assert_int_equal(icmp_echo_reply(a.data, a.len, ident, &reply), b.len);
	assert_memory_equal(reply, b.data, b.len);
}

static void a_keepalive_is_answered_as_t2(void **state)
{
	(void)state;
	check_answer(KEEPALIVE, KEEPALIVE_ANSWER, 0x1002);
}

static void a_foreign_agents_keepalive_is_answered_as_t17(void **state)
{
	(void)state;
	check_answer(FA_KEEPALIVE, FA_KEEPALIVE_ANSWER, 0x1011);
}

static void an_answer_has_no_options(void **state)
{
	uint8_t *reply;
	size_t len;

	(void)state;
	test_make(&a, 60, IPPROTO_ICMP, "198.51.100.50", "198.51.100.2", 0);
	a.data[0] = 0x47;
	memset(a.data + 20, 1, 8);
	a.data[28] = 8;
	a.data[29] = 0;
	ipv4_put_checksum(a.data + 28, 32, 2);
	ipv4_finish_header(a.data);
	memcpy(b.buf, a.data + 32, 28);
	assert_true(icmp_is_echo_request(a.data, a.len));
	len = icmp_echo_reply(a.data, a.len, 9, &reply);
	assert_int_equal(len, 52);
	assert_int_equal(encap_check_ipv4(reply, len), 52);
	assert_int_equal(ipv4_header_len(reply), 20);
	assert_true(ipv4_sum_is_right(reply + 20, 32));
	assert_memory_equal(reply + 24, b.buf, 28);
}

static void a_broken_or_partial_request_is_none(void **state)
{
	size_t i;

	(void)state;
	for (i = 20; i < 41; i++) {
		test_from_hex(&a, KEEPALIVE);
		a.data[i] ^= 1;
		assert_false(icmp_is_echo_request(a.data, a.len));
	}
	test_from_hex(&a, KEEPALIVE);
	ipv4_put16(a.data + IPV4_FRAGMENT, IPV4_MF);
	assert_false(icmp_is_echo_request(a.data, a.len));
	test_from_hex(&a, KEEPALIVE_ANSWER);
	assert_false(icmp_is_echo_request(a.data, a.len));
}

static void a_limit_allows_a_burst_and_then_its_rate(void **state)
{
	struct icmp_limit l = { .per_second = 10, .burst = 3 };
	uint64_t now = 1000000;
	int i, sent = 0;

	(void)state;
	for (i = 0; i < 10; i++)
		sent += icmp_limit_allows(&l, now);
	assert_int_equal(sent, 3);
	assert_false(icmp_limit_allows(&l, now + 99));
	assert_true(icmp_limit_allows(&l, now + 100));
	assert_false(icmp_limit_allows(&l, now + 100));
	for (i = 0, sent = 0; i < 1000; i++)
		sent += icmp_limit_allows(&l, now + 100 + i);
	assert_int_equal(sent, 9);
}

static void a_limit_never_saves_more_than_its_burst(void **state)
{
	struct icmp_limit l = { .per_second = 1000000, .burst = 2 };
	int i, sent = 0;

	(void)state;
	assert_true(icmp_limit_allows(&l, 1));
	for (i = 0; i < 5; i++)
		sent += icmp_limit_allows(&l, UINT64_MAX);
	assert_int_equal(sent, 2);
	assert_false(icmp_limit_allows(&l, 5)); /* a clock that went back gives nothing */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_names_its_cause_and_quotes_the_packet),
		cmocka_unit_test(every_error_has_its_type_and_code),
		cmocka_unit_test(too_big_tells_the_mtu_in_octets_6_and_7),
		cmocka_unit_test(an_error_is_never_longer_than_576_octets),
		cmocka_unit_test(no_error_about_an_error),
		cmocka_unit_test(no_error_about_broadcast_or_multicast),
		cmocka_unit_test(no_error_to_a_source_that_is_no_host),
		cmocka_unit_test(no_error_about_a_fragment_behind_the_first),
		cmocka_unit_test(short_packets_are_not_read_beyond),
		cmocka_unit_test(a_keepalive_is_answered_as_t2),
		cmocka_unit_test(a_foreign_agents_keepalive_is_answered_as_t17),
		cmocka_unit_test(an_answer_has_no_options),
		cmocka_unit_test(a_broken_or_partial_request_is_none),
		cmocka_unit_test(a_limit_allows_a_burst_and_then_its_rate),
		cmocka_unit_test(a_limit_never_saves_more_than_its_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

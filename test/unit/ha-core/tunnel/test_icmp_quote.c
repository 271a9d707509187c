/* SPDX-License-Identifier: BSD-2-Clause */
/* icmp_quote.c: the inner packet out of a quote of every length, of every encapsulation. */
#include "packets.h"

#include "common/err.h"
#include "ha-core/tunnel/icmp_quote.h"

#define HOME_AGENT "192.0.2.1"
#define CARE_OF    "198.51.100.1"
#define HOME       "192.0.2.10"
#define SENDER     "203.0.113.9"
#define ROUTER     "198.51.100.254"

static struct test_packet inner, error;
static struct icmp_quote q;

static const struct {
	uint8_t mode;
	bool udp;
	size_t home, relay; /* octets of a quote that show the home address; that can be relayed */
} rows[] = {
	{ ENCAP_IPIP, false, 40, 48 },    { ENCAP_GRE, false, 44, 52 },
	{ ENCAP_MINIMAL, false, 28, 40 }, { ENCAP_IPIP, true, 52, 60 },
	{ ENCAP_GRE, true, 56, 64 },      { ENCAP_MINIMAL, true, 40, 52 },
};
#define ROW_CNT (sizeof(rows) / sizeof(rows[0]))

/* Around `quote_len` octets of a tunnel packet, which a router has taken one hop. */
static void make_error(const uint8_t *outer, size_t quote_len, uint8_t type, uint8_t code,
		       uint16_t mtu)
{
	test_make(&error, 28 + quote_len, IPPROTO_ICMP, ROUTER, HOME_AGENT, 0);
	memset(error.data + 20, 0, 8);
	error.data[20] = type;
	error.data[21] = code;
	ipv4_put16(error.data + 26, mtu);
	memcpy(error.data + 28, outer, quote_len);
	if (quote_len > IPV4_TTL)
		error.data[28 + IPV4_TTL]--;
	ipv4_put_checksum(error.data + 20, 8 + quote_len, 2);
}

/* The tunnel packet of a 300-octet inner packet, in a buffer that `inner` still holds. */
static const uint8_t *tunnel_packet(uint8_t mode, bool udp)
{
	static struct test_packet copy;
	const struct encap_path path = { .local = test_addr(HOME_AGENT),
					 .peer = test_addr(CARE_OF),
					 .local_port = 434,
					 .peer_port = 5000,
					 .mode = mode,
					 .udp = udp };
	uint8_t *outer;

	test_make(&inner, 300, IPPROTO_UDP, SENDER, HOME, IPV4_DF);
	test_make(&copy, 300, IPPROTO_UDP, SENDER, HOME, IPV4_DF);
	assert_true(encap_packet(&path, copy.data, copy.len, 7, &outer) > 0);
	return outer;
}

/* On a copy with nothing behind it, which lives until the next. */
static int decode(void)
{
	static uint8_t *exact;

	free(exact);
	exact = test_exact(error.data, error.len);
	memset(&q, 0, sizeof(q));
	return icmp_quote_decode(exact, error.len, test_addr(HOME_AGENT), 434, &q);
}

static void a_quote_of_every_length_tells_what_it_holds(void **state)
{
	const uint8_t *outer;
	size_t i, len;

	(void)state;
	for (i = 0; i < ROW_CNT; i++) {
		for (len = 0; len <= 200; len++) {
			outer = tunnel_packet(rows[i].mode, rows[i].udp);
			make_error(outer, len, 3, 1, 0);
			if (len < 28) {
				assert_int_equal(decode(), ERR_MALFORMED);
				continue;
			}
			assert_int_equal(decode(), 0);
			assert_int_equal(q.peer.s_addr, test_addr(CARE_OF).s_addr);
			assert_int_equal(q.udp, rows[i].udp);
			assert_int_equal(q.peer_port, rows[i].udp ? 5000 : 0);
			assert_int_equal(q.len, 300 + encap_overhead(rows[i].mode, rows[i].udp));
			assert_true(q.df);
			if (!rows[i].udp || len >= 32)
				assert_int_equal(q.mode, rows[i].mode);
			assert_int_equal(q.home_addr.s_addr,
					 len >= rows[i].home ? test_addr(HOME).s_addr : 0);
			assert_int_equal(!!q.inner, len >= rows[i].relay);
		}
	}
}

static void the_inner_packet_is_recovered(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ROW_CNT; i++) {
		make_error(tunnel_packet(rows[i].mode, rows[i].udp), 120, 11, 0, 0);
		assert_int_equal(decode(), 0);
		assert_non_null(q.inner);
		assert_int_equal(q.inner_len, 120 - encap_overhead(rows[i].mode, rows[i].udp));
		assert_true(ipv4_sum_is_right(q.inner, 20));
		/* Minimal encapsulation shares its TTL with the outer header: one hop less. */
		if (rows[i].mode == ENCAP_MINIMAL) {
			q.inner[IPV4_TTL]++;
			if (rows[i].udp)
				q.inner[IPV4_TTL] = inner.data[IPV4_TTL];
			ipv4_finish_header(q.inner);
		}
		assert_memory_equal(q.inner, inner.data, q.inner_len);
	}
}

static void the_mtu_is_that_of_too_big_alone(void **state)
{
	const uint8_t *outer = tunnel_packet(ENCAP_IPIP, false);

	(void)state;
	make_error(outer, 60, 3, 4, 1400);
	assert_int_equal(decode(), 0);
	assert_int_equal(q.mtu, 1400);
	make_error(outer, 60, 3, 1, 1400);
	assert_int_equal(decode(), 0);
	assert_int_equal(q.mtu, 0);
}

/* RFC 4884: a length for the quote, and something behind it. */
static void what_follows_a_quote_is_no_part_of_it(void **state)
{
	(void)state;
	make_error(tunnel_packet(ENCAP_IPIP, false), 160, 11, 0, 0);
	error.data[20 + 5] = 128 / 4;
	ipv4_put_checksum(error.data + 20, error.len - 20, 2);
	assert_int_equal(decode(), 0);
	assert_int_equal(q.inner_len, 108);
}

static void a_short_inner_packet_ends_where_it_says(void **state)
{
	const struct encap_path path = { .local = test_addr(HOME_AGENT),
					 .peer = test_addr(CARE_OF),
					 .mode = ENCAP_IPIP };
	uint8_t *outer;
	int len;

	(void)state;
	test_make(&inner, 23, 99, SENDER, HOME, 0);
	len = encap_packet(&path, inner.data, inner.len, 7, &outer);
	assert_int_equal(len, 43);
	make_error(outer, 43, 3, 1, 0);
	assert_int_equal(decode(), 0);
	assert_int_equal(q.inner_len, 23);
}

/* Each octet that must be as it is, changed. */
static void what_is_not_ours_or_not_sound_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		bool fix; /* the ICMP checksum */
	} faults[] = {
		{ 20, 0, true },                               /* echo reply */
		{ 20, 4, true },                               /* source quench */
		{ 20, 5, true },                               /* redirect */
		{ 20, 12, true },                              /* parameter problem */
		{ 22, 0x55, false },                           /* a wrong checksum */
		{ 28, 0x65, true },                            /* quotes IPv6 */
		{ 28, 0x44, true },                            /* a header too short */
		{ 28, 0x4f, true },                            /* and one longer than the quote */
		{ 28 + 7, 1, true },                           /* a later fragment */
		{ 28 + 9, 6, true },                           /* TCP */
		{ 28 + 12, 1, true },                          /* another's packet */
		{ 48, 0x65, true },                            /* inner: IPv6 */
		{ 48, 0x44, true },   { 48 + 10, 0x55, true }, /* inner: wrong checksum */
		{ 48 + 3, 9, true }, /* inner: Total Length below its header */
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		make_error(tunnel_packet(ENCAP_IPIP, false), faults[i].at == 28 ? 56 : 80, 3, 1, 0);
		error.data[faults[i].at] = faults[i].value;
		if (faults[i].at == 48 + 3)
			error.data[48 + 2] = 0;
		if (faults[i].fix)
			ipv4_put_checksum(error.data + 20, error.len - 20, 2);
		assert_int_equal(decode(), ERR_MALFORMED);
	}
	make_error(tunnel_packet(ENCAP_GRE, false), 80, 3, 1, 0);
	error.data[48] = 0x20; /* a key, which we never send */
	ipv4_put_checksum(error.data + 20, error.len - 20, 2);
	assert_int_equal(decode(), ERR_MALFORMED);
	make_error(tunnel_packet(ENCAP_MINIMAL, false), 80, 3, 1, 0);
	error.data[48 + 3] ^= 1; /* forwarding header's checksum */
	ipv4_put_checksum(error.data + 20, error.len - 20, 2);
	assert_int_equal(decode(), ERR_MALFORMED);
}

static void a_registration_reply_is_no_tunnel_packet(void **state)
{
	(void)state;
	make_error(tunnel_packet(ENCAP_IPIP, true), 80, 3, 3, 0);
	error.data[28 + 28] = 3;
	ipv4_put_checksum(error.data + 20, error.len - 20, 2);
	assert_int_equal(decode(), ERR_MALFORMED);
	make_error(tunnel_packet(ENCAP_IPIP, true), 80, 3, 3, 0);
	error.data[28 + 21] ^= 1; /* from another port of ours */
	ipv4_put_checksum(error.data + 20, error.len - 20, 2);
	assert_int_equal(decode(), ERR_MALFORMED);
}

static void an_errors_meaning_is_as_rfc_2003_has_it(void **state)
{
	static const struct {
		uint8_t type, code;
		int meaning;
	} table[] = {
		{ 3, 0, ICMP_ERROR_NET_UNREACHABLE },   { 3, 1, ICMP_ERROR_HOST_UNREACHABLE },
		{ 3, 2, ICMP_ERROR_HOST_UNREACHABLE },  { 3, 3, ICMP_QUOTE_NOT_RELAYED },
		{ 3, 4, ICMP_ERROR_TOO_BIG },           { 3, 5, ICMP_QUOTE_NOT_RELAYED },
		{ 3, 13, ICMP_ERROR_HOST_UNREACHABLE }, { 3, 255, ICMP_ERROR_HOST_UNREACHABLE },
		{ 4, 0, ICMP_QUOTE_NOT_RELAYED },       { 5, 1, ICMP_QUOTE_NOT_RELAYED },
		{ 11, 0, ICMP_ERROR_HOST_UNREACHABLE }, { 11, 1, ICMP_ERROR_HOST_UNREACHABLE },
		{ 12, 0, ICMP_QUOTE_NOT_RELAYED },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(icmp_quote_meaning(table[i].type, table[i].code),
				 table[i].meaning);
}

/* Whatever the octets: nothing is read or written beyond them. */
static void noise_is_survived(void **state)
{
	uint32_t seed = 1;
	size_t i, j;

	(void)state;
	for (i = 0; i < 20000; i++) {
		make_error(tunnel_packet(rows[i % ROW_CNT].mode, rows[i % ROW_CNT].udp),
			   28 + i % 60, 3, 4, 1000);
		for (j = 0; j < 3; j++) {
			seed = seed * 1664525 + 1013904223;
			error.data[28 + (seed >> 8) % (error.len - 28)] = (uint8_t)(seed >> 24);
		}
		ipv4_put_checksum(error.data + 20, error.len - 20, 2);
		(void)decode();
		if (q.inner)
			assert_true(q.inner_len >= 20 && q.inner_len <= error.len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quote_of_every_length_tells_what_it_holds),
		cmocka_unit_test(the_inner_packet_is_recovered),
		cmocka_unit_test(the_mtu_is_that_of_too_big_alone),
		cmocka_unit_test(what_follows_a_quote_is_no_part_of_it),
		cmocka_unit_test(a_short_inner_packet_ends_where_it_says),
		cmocka_unit_test(what_is_not_ours_or_not_sound_is_refused),
		cmocka_unit_test(a_registration_reply_is_no_tunnel_packet),
		cmocka_unit_test(an_errors_meaning_is_as_rfc_2003_has_it),
		cmocka_unit_test(noise_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a mobile node puts on the wire and what it believes (RFC 5944 §3.6.2.1, §5.7; RFC 5265
 * §3.4; RFC 3519 §3). The golden messages are I1, I2, I2n, I9 and I10 of the project's vectors,
 * made by an independent program; the others are signed here.
 */
#include "common/err.h"
#include "test/mn/agent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "test/unit/common/addr_of.h"

#define SPI    0x101
#define IDENT  UINT64_C(0xcbff82c012345678)
#define IDENT9 UINT64_C(0xcbff82c912345681)
#define DAY    (UINT64_C(86400) << 32)

static const uint8_t key[] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
			       0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };

/* I1: D and T set, Lifetime 60 */
static const char i1[] = "0122003c0a0100320a0100020a02004dcbff82c012345678201400000101"
			 "b9d576dfcc7fe117f0e59d4ce560aec1";
/* I2: accepted, with TNC */
static const char i2[] = "0300003c0a0100320a010002cbff82c0123456789502000020140000010134889a8e"
			 "e925f7a37116d3b7730cb6a6";
/* I2n: the same without TNC */
static const char i2n[] = "0300003c0a0100320a010002cbff82c01234567820140000010176c28f6d64b0b3c3"
			  "1c0c299bd70869b6";
/* I9: from behind a NAT, with a UDP Tunnel Request */
static const char i9[] = "0122003c0a0100320a0100020a090021cbff82c9123456819006000000000000201400"
			 "00010159eb2840d9223302a06faaa02dbde8c8";
/* I10: accepted, will tunnel in UDP, keepalive 110 s, TNC */
static const char i10[] = "0300003c0a0100320a010002cbff82c9123456812c0600000000006e950200002014"
			  "00000101d2f9be9ed0f784f5436c56c25afddc6c";

/* E9, E10: a network behind the node, asked for and acknowledged, with TNC (RFC 5177) */
static const char e9[] =
	"0122003c0a0100320a0100020a02004dcbff82ec123456a4940600180a320000201400000101"
	"ba1280c8f35a41b890c925b2d4855665";
static const char e10[] = "0300003c0a0100320a010002cbff82ec123456a49408010018000a320000950200002014"
			  "00000101ab7ba48e9794d986db313ff59a24cccf";

static struct mac *mac;
static struct agent agent;
static struct agent_result result;
static struct clock now;
static uint8_t message[AGENT_MESSAGE_MAX];

static size_t unhex(const char *hex)
{
	size_t len = strlen(hex) / 2;
	unsigned int octet;

	for (size_t i = 0; i < len; i++) {
		assert_int_equal(sscanf(hex + 2 * i, "%2x", &octet), 1);
		message[i] = (uint8_t)octet;
	}
	return len;
}

static void node_is(enum agent_udp udp, bool nonces)
{
	const struct agent_conf conf = {
		.name = "internal",
		.address = addr("10.1.0.2"),
		.home_addr = addr("10.1.0.50"),
		.spi = SPI,
		.mac = mac,
		.nonces = nonces,
		.lifetime_s = 60,
		.reverse_tunnel = true,
		.udp = udp,
	};

	agent_init(&agent, &conf);
	now = (struct clock){ .mono_ms = 1000, .ntp = IDENT };
}

static int setup(void **state)
{
	(void)state;
	assert_int_equal(mac_new(MAC_HMAC_MD5, key, sizeof(key), &mac), 0);
	node_is(AGENT_UDP_OFF, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mac = mac_free(mac);
	return 0;
}

static const uint8_t *asks_from(const char *care_of, bool dereg, int *ret_len)
{
	const uint8_t *request;

	*ret_len = agent_request(&agent, addr(care_of), dereg, (uint32_t)now.ntp, &now, &request);
	assert_true(*ret_len > 0);
	return request;
}

static uint64_t asks(void)
{
	int len;

	(void)asks_from("10.2.0.77", false, &len);
	return agent.pending.ident;
}

static void request_is(const char *care_of, const char *hex)
{
	int len;
	const uint8_t *request = asks_from(care_of, false, &len);

	assert_int_equal(len, unhex(hex));
	assert_memory_equal(request, message, (size_t)len);
}

static int hears(size_t len)
{
	return agent_reply(&agent, message, len, &now, &result);
}

/* A reply of ours: the extensions ahead of the authenticator, and those behind it, as hex. */
static size_t reply(uint8_t code, uint16_t lifetime_s, uint64_t ident, const char *ahead,
		    unsigned int auth_cnt, const char *behind)
{
	uint8_t ext[64];
	struct reg_reply fixed = { code, lifetime_s, addr("10.1.0.50"), addr("10.1.0.2"), ident };
	struct wire_writer w;
	size_t ahead_len = unhex(ahead), behind_len, covered;

	memcpy(ext, message, ahead_len);
	behind_len = unhex(behind);
	memcpy(ext + ahead_len, message, behind_len);
	w = wire_writer(message, sizeof(message));
	reg_reply_encode(&w, &fixed);
	wire_put_bytes(&w, ext, ahead_len);
	while (auth_cnt-- > 0) {
		ext_put_header(&w, EXT_MOBILE_HOME_AUTH, 20);
		wire_put_u32(&w, SPI);
		covered = wire_len(&w);
		mac_sign(mac, message, covered, wire_room(&w, 16));
	}
	wire_put_bytes(&w, ext + ahead_len, behind_len);
	assert_false(w.failed);
	return wire_len(&w);
}

static void ignores(size_t len, int err)
{
	uint64_t ignored = agent.count.ignored;

	assert_int_equal(hears(len), err);
	assert_int_equal(agent.count.ignored, ignored + 1);
	assert_true(agent.pending.active);
	assert_false(agent.grant.held);
}

/* ---- Requests ---- */

static void a_request_is_octet_for_octet_i1(void **state)
{
	(void)state;
	request_is("10.2.0.77", i1);
}

static void a_request_with_udp_tunnel_is_octet_for_octet_i9(void **state)
{
	(void)state;
	node_is(AGENT_UDP_AUTO, false);
	now.ntp = IDENT9;
	request_is("10.9.0.33", i9);
}

static void forced_udp_sets_the_f_bit(void **state)
{
	int len;
	const uint8_t *request;

	(void)state;
	node_is(AGENT_UDP_FORCED, false);
	request = asks_from("10.2.0.77", false, &len);
	assert_int_equal(request[REG_REQUEST_LEN], EXT_UDP_TUNNEL_REQUEST);
	assert_int_equal(request[REG_REQUEST_LEN + 4], 0x80);
}

static void the_nai_stands_before_the_authenticator(void **state)
{
	static const char nai[] = "alice@corp.example";
	int len;
	const uint8_t *request;

	(void)state;
	agent.conf.nai = nai;
	request = asks_from("10.2.0.77", false, &len);
	assert_int_equal(request[REG_REQUEST_LEN], EXT_NAI);
	assert_int_equal(request[REG_REQUEST_LEN + 1], strlen(nai));
	assert_memory_equal(request + REG_REQUEST_LEN + 2, nai, strlen(nai));
	assert_int_equal(request[REG_REQUEST_LEN + 2 + strlen(nai)], EXT_MOBILE_HOME_AUTH);
}

static void a_deregistration_names_the_home_address_and_no_time(void **state)
{
	struct reg_request req;
	struct wire_reader r;
	int len;
	const uint8_t *request;

	(void)state;
	request = asks_from("10.2.0.77", true, &len);
	r = wire_reader(request, (size_t)len);
	assert_int_equal(reg_request_decode(&r, &req), 0);
	assert_int_equal(req.lifetime_s, 0);
	assert_true(addr_eq(req.care_of, addr("10.1.0.50")));
}

static void each_timestamp_exceeds_the_one_before(void **state)
{
	uint64_t last = asks(), next;

	(void)state;
	for (int i = 0; i < 5; i++) {
		next = asks(); /* the clock stands still */
		assert_true(next > last);
		last = next;
	}
	now.ntp -= UINT64_C(1) << 32; /* and steps back */
	assert_true(asks() > last);
}

/* ---- Replies that count ---- */

static void i2_is_accepted_and_trusted(void **state)
{
	(void)state;
	asks();
	now.mono_ms += 20;
	assert_int_equal(hears(unhex(i2)), 0);
	assert_int_equal(result.code, REG_ACCEPTED);
	assert_int_equal(result.lifetime_s, 60);
	assert_int_equal(result.sent_ms, 1000);
	assert_true(result.tnc);
	assert_true(agent.grant.held);
	assert_false(agent.grant.udp);
	assert_int_equal(agent.last_reply_len, strlen(i2) / 2);
}

static void i2n_is_accepted_and_not_trusted(void **state)
{
	(void)state;
	asks();
	assert_int_equal(hears(unhex(i2n)), 0);
	assert_int_equal(result.code, REG_ACCEPTED);
	assert_false(result.tnc);
}

static void i10_agrees_to_tunnel_in_udp(void **state)
{
	(void)state;
	node_is(AGENT_UDP_AUTO, false);
	now.ntp = IDENT9;
	asks();
	assert_int_equal(hears(unhex(i10)), 0);
	assert_true(result.tnc);
	assert_true(result.nat_seen);
	assert_true(agent.grant.udp);
	assert_int_equal(agent.grant.keepalive_s, 110);
}

static void networks_behind_the_node_are_asked_for_as_in_e9_and_granted_as_in_e10(void **state)
{
	const struct addr_prefix network = { addr("10.50.0.0"), 24 };

	(void)state;
	agent.conf.networks = &network;
	agent.conf.network_cnt = 1;
	now.ntp = UINT64_C(0xcbff82ec123456a4);
	request_is("10.2.0.77", e9);
	assert_int_equal(hears(unhex(e10)), 0);
	assert_true(result.tnc);
	assert_int_equal(agent.grant.network_cnt, 1);
}

static void a_declining_udp_reply_means_ip_in_ip(void **state)
{
	(void)state;
	node_is(AGENT_UDP_AUTO, false);
	assert_int_equal(asks(), IDENT);
	assert_int_equal(hears(reply(0, 60, IDENT, "2c06004000000000", 1, "")), 0);
	assert_false(agent.grant.udp);
	assert_false(result.nat_seen);
}

static void a_forced_udp_reply_is_no_nat(void **state)
{
	(void)state;
	node_is(AGENT_UDP_FORCED, false);
	asks();
	assert_int_equal(hears(reply(0, 60, IDENT, "2c0600008000006e", 1, "")), 0);
	assert_true(agent.grant.udp);
	assert_false(result.nat_seen);
}

static void a_longer_lifetime_than_asked_for_is_cut(void **state)
{
	(void)state;
	asks();
	assert_int_equal(hears(reply(0, 1800, IDENT, "", 1, "")), 0);
	assert_int_equal(result.lifetime_s, 60);
}

static void an_unknown_skippable_extension_is_skipped(void **state)
{
	(void)state;
	asks();
	assert_int_equal(hears(reply(0, 60, IDENT, "c8020000", 1, "")), 0);
}

/* ---- what is no Trusted Networks Configured extension ---- */

static void tnc_behind_the_authenticator_is_none(void **state)
{
	(void)state;
	asks();
	assert_int_equal(hears(reply(0, 60, IDENT, "", 1, "95020000")), 0);
	assert_false(result.tnc);
}

static void tnc_of_another_sub_type_or_length_is_none(void **state)
{
	static const char *const others[] = { "95020100", "950100", "9503000000", "9500" };

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		node_is(AGENT_UDP_OFF, false);
		asks();
		assert_int_equal(hears(reply(0, 60, IDENT, others[i], 1, "")), 0);
		assert_false(result.tnc);
	}
}

static void r06_tnc_with_reserved_bits_is_one(void **state)
{
	(void)state;
	asks();
	assert_int_equal(hears(reply(0, 60, IDENT, "950200ff", 1, "")), 0);
	assert_true(result.tnc);
}

static void tnc_put_in_on_the_way_does_not_verify(void **state)
{
	size_t len;

	(void)state;
	asks();
	len = unhex(i2n);
	memmove(message + REG_REPLY_LEN + 4, message + REG_REPLY_LEN, len - REG_REPLY_LEN);
	memcpy(message + REG_REPLY_LEN, "\x95\x02\x00\x00", 4);
	ignores(len + 4, ERR_AUTH);
}

/* ---- Replies that do not count ---- */

static void any_flipped_bit_is_ignored(void **state)
{
	size_t len = strlen(i2) / 2;

	(void)state;
	asks();
	for (size_t bit = 0; bit < 8 * len; bit++) {
		(void)unhex(i2);
		message[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(hears(len) < 0);
		assert_true(agent.pending.active);
		assert_false(agent.grant.held);
	}
	assert_int_equal(agent.count.ignored, 8 * len);
	assert_int_equal(hears(unhex(i2)), 0);
}

static void any_truncated_reply_is_ignored(void **state)
{
	(void)state;
	asks();
	(void)unhex(i2);
	for (size_t len = 0; len < strlen(i2) / 2; len++)
		assert_true(hears(len) < 0);
}

static void the_low_half_of_the_identification_must_match(void **state)
{
	(void)state;
	asks();
	ignores(reply(0, 60, IDENT + 1, "95020000", 1, ""), ERR_NOT_FOUND);
}

static void a_reply_for_another_home_address_is_ignored(void **state)
{
	(void)state;
	asks();
	agent.conf.home_addr = addr("10.1.0.51");
	ignores(unhex(i2), ERR_NOT_FOUND);
}

static void only_the_latest_request_can_be_answered(void **state)
{
	(void)state;
	asks();
	asks();
	ignores(unhex(i2), ERR_NOT_FOUND);
}

static void a_reply_counts_once(void **state)
{
	(void)state;
	asks();
	assert_int_equal(hears(unhex(i2)), 0);
	assert_int_equal(hears(unhex(i2)), ERR_NOT_FOUND);
}

static void a_reply_to_a_request_from_before_a_move_is_ignored(void **state)
{
	(void)state;
	asks();
	agent_moved(&agent, false);
	assert_int_equal(hears(unhex(i2)), ERR_NOT_FOUND);
}

/* RFC 5944 §3.6.1.2: no D, and RFC 3519 §4.5: UDP tunnels are between it and the home agent. */
static void by_a_foreign_agent_neither_d_nor_a_udp_tunnel_is_asked_for(void **state)
{
	const uint8_t *request;
	int len;

	(void)state;
	node_is(AGENT_UDP_FORCED, false);
	agent_moved(&agent, true);
	request = asks_from("10.2.0.77", false, &len);
	assert_int_equal(request[1], REG_FLAG_T);
	assert_int_equal(request[24], EXT_MOBILE_HOME_AUTH);
}

static void by_a_foreign_agent_its_own_binding_is_deregistered(void **state)
{
	const struct in_addr care_of = addr("10.2.0.77");
	const uint8_t *request;
	int len;

	(void)state;
	agent_moved(&agent, true);
	request = asks_from("10.2.0.77", true, &len);
	assert_memory_equal(request + 12, &care_of, sizeof(care_of));
}

/* Two conversations, plain and through the VPN, under one association. */
static void what_replay_protection_learnt_is_taken_over(void **state)
{
	struct agent other = { 0 };

	(void)state;
	node_is(AGENT_UDP_OFF, true);
	agent.nonce = 0x12345678;
	agent_take_over(&other, &agent);
	assert_int_equal(other.nonce, agent.nonce);
}

static void no_authenticator_is_ignored(void **state)
{
	(void)state;
	asks();
	ignores(reply(0, 60, IDENT, "95020000", 0, ""), ERR_AUTH);
}

static void two_authenticators_are_ignored(void **state)
{
	(void)state;
	asks();
	ignores(reply(0, 60, IDENT, "95020000", 2, ""), ERR_AUTH);
}

static void another_spi_is_ignored(void **state)
{
	(void)state;
	asks();
	agent.conf.spi = SPI + 1;
	ignores(unhex(i2), ERR_AUTH);
}

static void an_unknown_non_skippable_extension_is_ignored(void **state)
{
	(void)state;
	asks();
	ignores(reply(0, 60, IDENT, "3c020000", 1, ""), ERR_UNKNOWN_EXT);
}

/* ---- Denials that say what to do instead ---- */

static void code_133_sets_the_clock_to_the_agents(void **state)
{
	uint64_t theirs = IDENT + DAY, ident;

	(void)state;
	ident = asks();
	assert_int_equal(hears(reply(133, 60, (theirs & ~UINT64_C(0xffffffff)) | (uint32_t)ident,
				     "", 1, "")),
			 0);
	assert_true(result.resynced);
	now.ntp += UINT64_C(2) << 32;
	ident = asks();
	assert_true(ident >> 32 >= (theirs >> 32) + 2 && ident >> 32 <= (theirs >> 32) + 3);
}

static void code_133_sets_a_clock_back_too(void **state)
{
	uint64_t theirs = IDENT - DAY, ident;

	(void)state;
	ident = asks();
	assert_int_equal(hears(reply(133, 60, (theirs & ~UINT64_C(0xffffffff)) | (uint32_t)ident,
				     "", 1, "")),
			 0);
	assert_int_equal(asks() >> 32, theirs >> 32);
}

static void nonces_take_the_high_half_of_each_reply(void **state)
{
	uint64_t first, second;

	(void)state;
	node_is(AGENT_UDP_OFF, true);
	first = asks();
	assert_int_equal(first >> 32, 0);
	assert_int_equal(
		hears(reply(133, 60, UINT64_C(0xaabbccdd) << 32 | (uint32_t)first, "", 1, "")), 0);
	assert_true(result.resynced);
	now.ntp += 1;
	second = asks();
	assert_int_equal(second >> 32, 0xaabbccdd);
	assert_true((uint32_t)second != (uint32_t)first);
	assert_int_equal(
		hears(reply(0, 60, UINT64_C(0x01020304) << 32 | (uint32_t)second, "", 1, "")), 0);
	assert_int_equal(asks() >> 32, 0x01020304);
}

static void with_nonces_the_unanswered_request_is_sent_unchanged(void **state)
{
	uint8_t copy[AGENT_MESSAGE_MAX];
	const uint8_t *request;
	int len, again;

	(void)state;
	node_is(AGENT_UDP_OFF, true);
	request = asks_from("10.2.0.77", false, &len);
	memcpy(copy, request, (size_t)len);
	now.mono_ms += 1000;
	now.ntp += UINT64_C(1) << 32;
	request = asks_from("10.2.0.77", false, &again);
	assert_int_equal(again, len);
	assert_memory_equal(request, copy, (size_t)len);
	request = asks_from("10.2.0.78", false, &again); /* but not from elsewhere */
	assert_memory_not_equal(request, copy, (size_t)len);
}

static void code_136_names_the_home_agent_to_use(void **state)
{
	size_t len;

	(void)state;
	asks();
	len = reply(136, 60, IDENT, "", 0, "");
	memcpy(message + 8, "\x0a\x01\x00\x09", 4);
	message[len] = EXT_MOBILE_HOME_AUTH;
	memcpy(message + len + 1, "\x14\x00\x00\x01\x01", 5);
	mac_sign(mac, message, len + 6, message + len + 6);
	assert_int_equal(hears(len + 22), 0);
	assert_true(result.redirected);
	assert_true(addr_eq(agent.address, addr("10.1.0.9")));
	asks();
	assert_memory_equal(agent.pending.message + 8, "\x0a\x01\x00\x09", 4);
}

static void a_denial_grants_nothing_and_takes_nothing(void **state)
{
	(void)state;
	asks();
	assert_int_equal(hears(unhex(i2)), 0);
	now.ntp += UINT64_C(1) << 32;
	assert_int_equal(hears(reply(129, 60, asks(), "95020000", 1, "")), 0);
	assert_int_equal(result.code, 129);
	assert_int_equal(result.lifetime_s, 0);
	assert_true(agent.grant.held);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_octet_for_octet_i1),
		TEST(a_request_with_udp_tunnel_is_octet_for_octet_i9),
		TEST(forced_udp_sets_the_f_bit),
		TEST(the_nai_stands_before_the_authenticator),
		TEST(a_deregistration_names_the_home_address_and_no_time),
		TEST(each_timestamp_exceeds_the_one_before),
		TEST(i2_is_accepted_and_trusted),
		TEST(i2n_is_accepted_and_not_trusted),
		TEST(i10_agrees_to_tunnel_in_udp),
		TEST(networks_behind_the_node_are_asked_for_as_in_e9_and_granted_as_in_e10),
		TEST(a_declining_udp_reply_means_ip_in_ip),
		TEST(a_forced_udp_reply_is_no_nat),
		TEST(a_longer_lifetime_than_asked_for_is_cut),
		TEST(an_unknown_skippable_extension_is_skipped),
		TEST(tnc_behind_the_authenticator_is_none),
		TEST(tnc_of_another_sub_type_or_length_is_none),
		TEST(r06_tnc_with_reserved_bits_is_one),
		TEST(tnc_put_in_on_the_way_does_not_verify),
		TEST(any_flipped_bit_is_ignored),
		TEST(any_truncated_reply_is_ignored),
		TEST(the_low_half_of_the_identification_must_match),
		TEST(a_reply_for_another_home_address_is_ignored),
		TEST(only_the_latest_request_can_be_answered),
		TEST(a_reply_counts_once),
		TEST(a_reply_to_a_request_from_before_a_move_is_ignored),
		TEST(by_a_foreign_agent_neither_d_nor_a_udp_tunnel_is_asked_for),
		TEST(by_a_foreign_agent_its_own_binding_is_deregistered),
		TEST(what_replay_protection_learnt_is_taken_over),
		TEST(no_authenticator_is_ignored),
		TEST(two_authenticators_are_ignored),
		TEST(another_spi_is_ignored),
		TEST(an_unknown_non_skippable_extension_is_ignored),
		TEST(code_133_sets_the_clock_to_the_agents),
		TEST(code_133_sets_a_clock_back_too),
		TEST(nonces_take_the_high_half_of_each_reply),
		TEST(with_nonces_the_unanswered_request_is_sent_unchanged),
		TEST(code_136_names_the_home_agent_to_use),
		TEST(a_denial_grants_nothing_and_takes_nothing),
	};

	return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}

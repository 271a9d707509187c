/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A foreign agent's rules for requests and replies. The octets are vectors X17 and X18: an agent
 * behind a NAT that shares an association with the home agent.
 */
#include "common/err.h"
#include "test/fa/relay.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CARE_OF       0xc0a80101
#define HOME_AGENT    0xc6336402
#define HOME_ADDR     0xc6336432
#define SPI           0x303
#define SIGNED_LEN    46 /* of X17: fixed part and Mobile-Home Authentication */
#define UDP_LEN       8
#define FHAE_LEN      22
#define REPLY_SIGNED  42
#define TTL           255
#define FLAGS_AT      1
#define LIFETIME_AT   2
#define CARE_OF_AT    12
#define HOME_AGENT_AT 8

static const uint8_t key[] = { 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
			       0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf };

static const uint8_t x17[] = {
	/* RFC 5944 §3.3: T, 600 s, home address, home agent, care-of address, Identification */
	0x01, 0x02, 0x02, 0x58, 0xc6, 0x33, 0x64, 0x32, 0xc6, 0x33, 0x64, 0x02, 0xc0, 0xa8, 0x01,
	0x01, 0xcb, 0xff, 0x82, 0xdc, 0x12, 0x34, 0x56, 0x94,
	/* §3.5.2, Mobile-Home Authentication */
	0x20, 0x14, 0x00, 0x00, 0x02, 0x02, 0x80, 0x3f, 0x1a, 0x12, 0x53, 0x1c, 0x46, 0x2e, 0xd5,
	0xf7, 0x58, 0x24, 0x27, 0xd6, 0xf8, 0xad,
	/* RFC 3519 §3.1, UDP Tunnel Request */
	0x90, 0x06, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	/* §3.5.4, Foreign-Home Authentication */
	0x22, 0x14, 0x00, 0x00, 0x03, 0x03, 0xaa, 0x03, 0x66, 0xfe, 0x80, 0x56, 0xae, 0x5f, 0x0a,
	0x81, 0xa1, 0x2b, 0x4d, 0xc5, 0x1c, 0x30
};

static const uint8_t x18[] = {
	/* RFC 5944 §3.4: accepted, 60 s, home address, home agent, Identification */
	0x03, 0x00, 0x00, 0x3c, 0xc6, 0x33, 0x64, 0x32, 0xc6, 0x33, 0x64, 0x02, 0xcb, 0xff, 0x82,
	0xdc, 0x12, 0x34, 0x56, 0x94,
	/* §3.5.2 */
	0x20, 0x14, 0x00, 0x00, 0x02, 0x02, 0xed, 0x41, 0x0d, 0x02, 0x7c, 0x93, 0xb0, 0xec, 0x92,
	0xe8, 0xe8, 0x61, 0x8a, 0x35, 0xaa, 0x97,
	/* RFC 3519 §3.2, UDP Tunnel Reply: 110 s */
	0x2c, 0x06, 0x00, 0x00, 0x00, 0x00, 0x00, 0x6e,
	/* §3.5.4 */
	0x22, 0x14, 0x00, 0x00, 0x03, 0x03, 0x03, 0xb4, 0x28, 0x1c, 0xaf, 0x27, 0xd9, 0xb0, 0x1e,
	0x45, 0x91, 0x24, 0xbd, 0x01, 0xf8, 0x54
};

struct fixture {
	struct relay_conf conf;
	uint8_t message[sizeof(x17)]; /* of the mobile node: to be changed */
	size_t len;
	struct relay_request req;
	uint8_t out[RELAY_MESSAGE_MAX];
};

static int setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){
		.conf = { .care_of = addr_from_host(CARE_OF),
			  .partner = addr_from_host(HOME_AGENT),
			  .lifetime_max_s = 1800,
			  .spi = SPI,
			  .udp = true },
		.len = SIGNED_LEN,
	};
	memcpy(f.message, x17, sizeof(x17));
	*state = &f;
	return mac_new(MAC_HMAC_MD5, key, sizeof(key), &f.conf.mac);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	mac_free(f->conf.mac);
	return 0;
}

static void read_request(struct fixture *f)
{
	assert_int_equal(relay_read_request(f->message, f->len, &f->req), 0);
}

static enum relay_code judge(struct fixture *f)
{
	read_request(f);
	return relay_judge_request(&f->conf, &f->req, TTL);
}

static int build(struct fixture *f)
{
	read_request(f);
	return relay_build_request(&f->conf, f->message, &f->req, f->out);
}

static void relays_octet_by_octet_as_x17(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(judge(f), RELAY_PASS);
	assert_int_equal(build(f), sizeof(x17));
	assert_memory_equal(f->out, x17, sizeof(x17));
}

static void removes_what_follows_the_nodes_authenticator(void **state)
{
	struct fixture *f = *state;

	f->len = SIGNED_LEN + UDP_LEN; /* a 144 there is ours to add, not the node's */
	assert_int_equal(build(f), sizeof(x17));
	assert_memory_equal(f->out, x17, sizeof(x17));
}

static void deregistration_is_neither_vouched_for_nor_tunnelled_in_udp(void **state)
{
	struct fixture *f = *state;

	memset(f->message + LIFETIME_AT, 0, 2);
	assert_int_equal(build(f), SIGNED_LEN);
	assert_memory_equal(f->out, f->message, SIGNED_LEN);
}

static void care_of_address_that_is_the_home_address_is_a_deregistration(void **state)
{
	struct fixture *f = *state;

	memcpy(f->message + CARE_OF_AT, f->message + 4, 4);
	assert_int_equal(build(f), SIGNED_LEN);
}

static void co_located_address_is_vouched_for_only_if_told_so(void **state)
{
	struct fixture *f = *state;

	f->message[FLAGS_AT] |= REG_FLAG_D;
	f->message[CARE_OF_AT + 3]++;
	assert_int_equal(judge(f), RELAY_PASS);
	assert_int_equal(build(f), SIGNED_LEN);
	f->conf.vouch_co_located = true;
	assert_int_equal(build(f), SIGNED_LEN + FHAE_LEN);
}

static void home_agent_without_an_association_gets_no_authenticator(void **state)
{
	struct fixture *f = *state;

	f->message[HOME_AGENT_AT + 3]++;
	assert_int_equal(build(f), SIGNED_LEN + UDP_LEN);
}

static void request_without_authentication_is_poorly_formed(void **state)
{
	struct fixture *f = *state;

	f->len = REG_REQUEST_LEN;
	assert_int_equal(judge(f), RELAY_POORLY_FORMED_REQUEST);
}

static void request_cut_off_in_an_extension_is_poorly_formed(void **state)
{
	struct fixture *f = *state;

	for (f->len = REG_REQUEST_LEN + 1; f->len < SIGNED_LEN; f->len++)
		assert_int_equal(judge(f), RELAY_POORLY_FORMED_REQUEST);
}

static void request_cut_off_in_its_fixed_part_is_discarded(void **state)
{
	struct fixture *f = *state;

	for (f->len = 0; f->len < REG_REQUEST_LEN; f->len++)
		assert_true(relay_read_request(f->message, f->len, &f->req) < 0);
}

static void unknown_extension_below_128_is_discarded(void **state)
{
	struct fixture *f = *state;

	f->message[SIGNED_LEN] = 60;
	f->len = SIGNED_LEN + UDP_LEN;
	assert_int_equal(relay_read_request(f->message, f->len, &f->req), ERR_UNKNOWN_EXT);
}

static void reply_x18_passes_without_what_was_for_us(void **state)
{
	struct fixture *f = *state;
	struct relay_reply reply;

	read_request(f);
	assert_int_equal(relay_read_reply(x18, sizeof(x18), &reply), 0);
	assert_int_equal(relay_judge_reply(&f->conf, x18, &reply, &f->req), RELAY_PASS);
	assert_int_equal(reply.signed_len, REPLY_SIGNED);
	assert_true(reply.has_udp);
	assert_int_equal(reply.udp.code, UDP_TUNNEL_REPLY_WILL);
	assert_int_equal(reply.udp.keepalive_s, 110);
}

static void reply_that_is_not_vouched_for_is_denied_68(void **state)
{
	struct fixture *f = *state;
	uint8_t octets[sizeof(x18)];
	struct relay_reply reply;

	read_request(f);
	memcpy(octets, x18, sizeof(x18));
	octets[sizeof(octets) - 1] ^= 1;
	assert_int_equal(relay_read_reply(octets, sizeof(octets), &reply), 0);
	assert_int_equal(relay_judge_reply(&f->conf, octets, &reply, &f->req),
			 RELAY_HA_FAILED_AUTH);
	assert_int_equal(relay_read_reply(x18, sizeof(x18) - FHAE_LEN, &reply), 0);
	assert_int_equal(relay_judge_reply(&f->conf, x18, &reply, &f->req), RELAY_HA_FAILED_AUTH);
}

static void reply_without_the_nodes_authentication_is_denied_71(void **state)
{
	struct fixture *f = *state;
	struct relay_reply reply;

	read_request(f);
	assert_int_equal(relay_read_reply(x18, REG_REPLY_LEN, &reply), 0);
	assert_int_equal(relay_judge_reply(&f->conf, x18, &reply, &f->req),
			 RELAY_POORLY_FORMED_REPLY);
}

static void reply_to_a_nameless_request_must_echo_the_nai(void **state)
{
	struct fixture *f = *state;
	struct relay_reply reply;

	read_request(f);
	f->req.reg.home_addr.s_addr = INADDR_ANY; /* RFC 2794 §3 */
	assert_int_equal(relay_read_reply(x18, sizeof(x18), &reply), 0);
	assert_int_equal(relay_judge_reply(&f->conf, x18, &reply, &f->req), RELAY_MISSING_NAI);
}

static void denial_69_tells_the_longest_lifetime(void **state)
{
	struct fixture *f = *state;
	struct wire_reader r;
	struct reg_reply reply;
	size_t len;

	f->conf.lifetime_max_s = 300;
	assert_int_equal(judge(f), RELAY_LIFETIME_TOO_LONG);
	len = relay_build_denial(&f->conf, RELAY_LIFETIME_TOO_LONG, &f->req.reg, f->out);
	r = wire_reader(f->out, len);
	assert_int_equal(reg_reply_decode(&r, &reply), 0);
	assert_int_equal(len, REG_REPLY_LEN);
	assert_int_equal(reply.code, 69);
	assert_int_equal(reply.lifetime_s, 300);
	assert_int_equal(addr_host(reply.home_addr), HOME_ADDR);
	assert_true(reply.ident == f->req.reg.ident);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(relays_octet_by_octet_as_x17),
		TEST(removes_what_follows_the_nodes_authenticator),
		TEST(deregistration_is_neither_vouched_for_nor_tunnelled_in_udp),
		TEST(care_of_address_that_is_the_home_address_is_a_deregistration),
		TEST(co_located_address_is_vouched_for_only_if_told_so),
		TEST(home_agent_without_an_association_gets_no_authenticator),
		TEST(request_without_authentication_is_poorly_formed),
		TEST(request_cut_off_in_an_extension_is_poorly_formed),
		TEST(request_cut_off_in_its_fixed_part_is_discarded),
		TEST(unknown_extension_below_128_is_discarded),
		TEST(reply_x18_passes_without_what_was_for_us),
		TEST(reply_that_is_not_vouched_for_is_denied_68),
		TEST(reply_without_the_nodes_authentication_is_denied_71),
		TEST(reply_to_a_nameless_request_must_echo_the_nai),
		TEST(denial_69_tells_the_longest_lifetime),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}

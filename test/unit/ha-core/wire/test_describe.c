/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages in words: those of the standard, for whatever the network may send. */
#include "ha-core/wire/describe.h"
#include "ha-core/wire/message_string.h"
#include "ha-core/wire/mobile_network.h"
#include "ha-core/wire/reg.h"
#include "ha-core/wire/revocation.h"
#include "ha-core/wire/udp_tunnel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char text[DESCRIBE_MAX];

static const char *describe(const struct wire_writer *w)
{
	size_t len = describe_message(w->start, (size_t)(w->pos - w->start), text, sizeof(text));

	assert_false(w->failed);
	assert_int_equal(len, strlen(text));
	return text;
}

static struct wire_writer begin_request(uint8_t *buf, size_t size)
{
	struct wire_writer w = wire_writer(buf, size);
	struct reg_request req = { .flags = REG_FLAG_D | REG_FLAG_T,
				   .lifetime_s = 1800,
				   .home_addr = { htonl(0x0a320007) },
				   .home_agent = { htonl(0x0a000002) },
				   .care_of = { htonl(0x0a01000a) },
				   .ident = 0xe8fe6f8012345678u };

	reg_request_encode(&w, &req);
	return w;
}

static void put_auth(struct wire_writer *w)
{
	ext_put_header(w, EXT_MOBILE_HOME_AUTH, 20);
	wire_put_u32(w, 256);
	for (int i = 0; i < 16; i++)
		wire_put_u8(w, 0xaa);
}

static void a_request_is_told_by_its_fields(void **state)
{
	uint8_t buf[256];
	struct wire_writer w = begin_request(buf, sizeof(buf));

	(void)state;
	put_auth(&w);
	assert_string_equal(
		describe(&w),
		"Bits: D (decapsulation by mobile node), T (reverse tunneling "
		"requested)\n"
		"Lifetime: 1800 s\n"
		"Home Address: 10.50.0.7\n"
		"Home Agent: 10.0.0.2\n"
		"Care-of Address: 10.1.0.10\n"
		"Identification: 0xe8fe6f8012345678\n"
		"Mobile-Home Authentication Extension (32): SPI 256, authenticator of 16 "
		"octets");
	assert_null(strstr(text, "aa")); /* the authenticator itself is nobody's business */
	assert_string_equal(describe_message_name(REG_MSG_REQUEST), "Registration Request");
	assert_null(describe_message_name(2));
}

static void a_reply_is_told_with_the_words_of_its_code(void **state)
{
	uint8_t buf[256];
	struct wire_writer w = wire_writer(buf, sizeof(buf));
	struct reg_reply reply = { .code = REG_IDENT_MISMATCH,
				   .home_addr = { htonl(0x0a320007) },
				   .home_agent = { htonl(0x0a000002) } };

	(void)state;
	reg_reply_encode(&w, &reply);
	ext_put_header(&w, EXT_TRUSTED_NETWORKS, 2);
	wire_put_u16(&w, 0);
	udp_tunnel_reply_encode(&w, &(struct udp_tunnel_reply){ .code = 64, .keepalive_s = 110 });
	message_string_encode(&w, "no\x1b!");
	assert_string_equal(
		describe(&w),
		"Code: 133 (registration Identification mismatch)\n"
		"Lifetime: 0 (no binding)\n"
		"Home Address: 10.50.0.7\n"
		"Home Agent: 10.0.0.2\n"
		"Identification: 0x0000000000000000\n"
		"Trusted Networks Configured Extension (149): this network is trusted: the "
		"mobile node is inside\n"
		"UDP Tunnel Reply Extension (44): Reply Code 64 (tunneling declined), F 0, "
		"Keepalive Interval 110 s\n"
		"Message String Extension (145): no\\x1b!");
}

static void extensions_are_told_by_name_known_or_not(void **state)
{
	uint8_t buf[256];
	struct wire_writer w = begin_request(buf, sizeof(buf));

	(void)state;
	ext_put_header(&w, EXT_NAI, 3);
	wire_put_bytes(&w, "a@b", 3);
	udp_tunnel_request_encode(&w, &(struct udp_tunnel_request){ .forced = true });
	revocation_support_encode(&w, &(struct revocation_support){ true, 7 });
	mobile_network_encode(&w, &(struct mobile_network){ .prefix_len = 24,
							    .prefix = { htonl(0x0a330100) } });
	ext_put_header(&w, EXT_CHALLENGE, 1);
	wire_put_u8(&w, 0);
	wire_put_u8(&w, 200); /* skippable, and of nobody we know */
	wire_put_u8(&w, 0);
	assert_non_null(strstr(describe(&w),
			       "\nMobile Node NAI Extension (131): a@b\n"
			       "UDP Tunnel Request Extension (144): F 1, R 0, "
			       "Encapsulation 0\n"
			       "Revocation Support Extension (137): I 1, Timestamp 7\n"
			       "Mobile Network Extension (148): requested, "
			       "10.51.1.0/24\n"
			       "MN-FA Challenge Extension (132): Length 1\n"
			       "Another Extension (200): Length 0"));
}

static void revocations_are_told_by_their_fields(void **state)
{
	uint8_t buf[64];
	struct wire_writer w = wire_writer(buf, sizeof(buf));
	struct revocation_message m = { .from_home_agent = true,
					.home_addr = { htonl(0x0a320007) },
					.ident = 9 };

	(void)state;
	revocation_message_encode(&w, &m);
	assert_string_equal(describe(&w), "Bits: A 1 (from the home agent), I 0\n"
					  "Home Address: 10.50.0.7\n"
					  "Home Domain Address: 0.0.0.0\n"
					  "Foreign Domain Address: 0.0.0.0\n"
					  "Revocation Identifier: 9");
	w = wire_writer(buf, sizeof(buf));
	revocation_ack_encode(&w, &(struct revocation_ack){ .inform = true, .ident = 9 });
	assert_string_equal(describe(&w), "Bits: I 1\nHome Address: 0.0.0.0\n"
					  "Revocation Identifier: 9");
}

static void what_is_cut_off_or_unknown_is_said_to_be(void **state)
{
	uint8_t buf[64];
	struct wire_writer w = begin_request(buf, sizeof(buf));

	(void)state;
	ext_put_header(&w, EXT_NAI, 30);
	assert_non_null(strstr(describe(&w), "\nAn extension that runs past the end"));
	w = begin_request(buf, sizeof(buf));
	ext_put_header(&w, (enum ext_type)99, 0);
	assert_non_null(strstr(describe(&w), "\nAn extension of an unknown type below 128"));
	(void)describe_message(buf, REG_REQUEST_LEN - 1, text, sizeof(text));
	assert_string_equal(text, "Shorter than its fixed part");
	(void)describe_message(buf, 0, text, sizeof(text));
	assert_string_equal(text, "No message of Mobile IP that is known here");
}

/* Any octets, any room: the text ends within its room, and is printable. */
static void garbage_is_survived(void **state)
{
	static const uint8_t types[] = { 1, 3, 7, 15 };
	uint8_t msg[300];
	uint32_t x = 1;
	char small[64];

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t len = sizeof(msg), room;

		for (size_t i = 0; i < sizeof(msg); i++) {
			x = x * 1664525 + 1013904223;
			msg[i] = (uint8_t)(x >> 24);
		}
		msg[0] = types[round % 4];
		for (size_t i = REG_REQUEST_LEN; i + 1 < sizeof(msg); i += 2 + msg[i + 1])
			msg[i + 1] %= 24; /* many extensions, not one */
		len -= msg[1] % 100u;
		assert_true(describe_message(msg, len, text, sizeof(text)) < sizeof(text));
		for (const char *p = text; *p; p++)
			assert_true(*p == '\n' || ((unsigned char)*p >= 0x20 && *p < 0x7f));
		room = 1 + msg[2] % sizeof(small);
		assert_true(describe_message(msg, len, small, room) < room);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_told_by_its_fields),
		cmocka_unit_test(a_reply_is_told_with_the_words_of_its_code),
		cmocka_unit_test(extensions_are_told_by_name_known_or_not),
		cmocka_unit_test(revocations_are_told_by_their_fields),
		cmocka_unit_test(what_is_cut_off_or_unknown_is_said_to_be),
		cmocka_unit_test(garbage_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

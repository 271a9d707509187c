/* SPDX-License-Identifier: BSD-2-Clause */
/* Registration Request and Reply: octet for octet, and back (RFC 5944 §3.3-3.5). */
#include "ha-core/wire/reg.h"

#include "common/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t request_octets[] = {
	0x01, 0x22, 0x07, 0x08, 0xc0, 0x00, 0x02, 0x0a, 0xc0, 0x00, 0x02, 0x01,
	0xc6, 0x33, 0x64, 0x4d, 0xe8, 0xfe, 0x6f, 0x80, 0x12, 0x34, 0x56, 0x78,
};
static const uint8_t reply_octets[] = {
	0x03, 0x85, 0x02, 0x58, 0xc0, 0x00, 0x02, 0x0a, 0xc0, 0x00,
	0x02, 0x01, 0xe8, 0xfe, 0x6f, 0x80, 0x12, 0x34, 0x56, 0x78,
};

static void a_request_is_read_as_it_stands(void **state)
{
	struct wire_reader r = wire_reader(request_octets, sizeof(request_octets));
	struct reg_request req;

	(void)state;
	assert_int_equal(sizeof(request_octets), REG_REQUEST_LEN);
	assert_int_equal(reg_request_decode(&r, &req), 0);
	assert_int_equal(req.flags, REG_FLAG_D | REG_FLAG_T);
	assert_int_equal(req.lifetime_s, 1800);
	assert_int_equal(req.home_addr.s_addr, htonl(0xc000020a));
	assert_int_equal(req.home_agent.s_addr, htonl(0xc0000201));
	assert_int_equal(req.care_of.s_addr, htonl(0xc633644d));
	assert_true(req.ident == 0xe8fe6f8012345678u);
	assert_int_equal(wire_left(&r), 0);
}

static void a_reply_is_read_as_it_stands(void **state)
{
	struct wire_reader r = wire_reader(reply_octets, sizeof(reply_octets));
	struct reg_reply reply;

	(void)state;
	assert_int_equal(sizeof(reply_octets), REG_REPLY_LEN);
	assert_int_equal(reg_reply_decode(&r, &reply), 0);
	assert_int_equal(reply.code, REG_IDENT_MISMATCH);
	assert_int_equal(reply.lifetime_s, 600);
	assert_int_equal(reply.home_addr.s_addr, htonl(0xc000020a));
	assert_int_equal(reply.home_agent.s_addr, htonl(0xc0000201));
	assert_true(reply.ident == 0xe8fe6f8012345678u);
}

static void encoding_gives_the_same_octets_back(void **state)
{
	struct wire_reader r = wire_reader(request_octets, sizeof(request_octets));
	uint8_t buf[REG_REQUEST_LEN];
	struct wire_writer w = wire_writer(buf, sizeof(buf));
	struct reg_request req;
	struct reg_reply reply;

	(void)state;
	assert_int_equal(reg_request_decode(&r, &req), 0);
	reg_request_encode(&w, &req);
	assert_int_equal(wire_len(&w), REG_REQUEST_LEN);
	assert_memory_equal(buf, request_octets, REG_REQUEST_LEN);

	r = wire_reader(reply_octets, sizeof(reply_octets));
	assert_int_equal(reg_reply_decode(&r, &reply), 0);
	w = wire_writer(buf, sizeof(buf));
	reg_reply_encode(&w, &reply);
	assert_int_equal(wire_len(&w), REG_REPLY_LEN);
	assert_memory_equal(buf, reply_octets, REG_REPLY_LEN);
}

/* Every octet of the fixed part means something, or is lost on the way round. */
static void each_octet_comes_round(void **state)
{
	uint8_t in[REG_REQUEST_LEN], out[REG_REQUEST_LEN];
	struct reg_request req;
	size_t i;
	int v;

	(void)state;
	for (i = 1; i < sizeof(in); i++) {
		for (v = 0; v < 256; v += 17) {
			struct wire_reader r = wire_reader(in, sizeof(in));
			struct wire_writer w = wire_writer(out, sizeof(out));

			memcpy(in, request_octets, sizeof(in));
			in[i] = (uint8_t)v;
			assert_int_equal(reg_request_decode(&r, &req), 0);
			reg_request_encode(&w, &req);
			assert_memory_equal(in, out, sizeof(in));
		}
	}
}

static void a_short_one_is_truncated_at_every_octet(void **state)
{
	size_t len;

	(void)state;
	for (len = 0; len < REG_REQUEST_LEN; len++) {
		uint8_t *p = malloc(len ? len : 1);
		struct wire_reader r = wire_reader(p, len);
		struct reg_request req = { .flags = 77 };
		struct reg_reply reply = { .code = 77 };

		assert_non_null(p);
		memcpy(p, request_octets, len);
		assert_int_equal(reg_request_decode(&r, &req), ERR_TRUNCATED);
		assert_int_equal(req.flags, 77);
		if (len < REG_REPLY_LEN) {
			memcpy(p, reply_octets, len);
			r = wire_reader(p, len);
			assert_int_equal(reg_reply_decode(&r, &reply), ERR_TRUNCATED);
			assert_int_equal(reply.code, 77);
		}
		free(p);
	}
}

static void another_message_type_is_invalid(void **state)
{
	uint8_t octets[REG_REQUEST_LEN];
	struct reg_request req;
	struct reg_reply reply;
	unsigned int type;

	(void)state;
	memcpy(octets, request_octets, sizeof(octets));
	for (type = 0; type < 256; type++) {
		struct wire_reader r = wire_reader(octets, sizeof(octets));

		octets[0] = (uint8_t)type;
		assert_int_equal(reg_request_decode(&r, &req), type == 1 ? 0 : ERR_INVALID);
		r = wire_reader(octets, sizeof(octets));
		assert_int_equal(reg_reply_decode(&r, &reply), type == 3 ? 0 : ERR_INVALID);
	}
}

/* §3.5.1: what precedes it, and its own Type, Length and SPI. */
static void an_authenticator_covers_all_up_to_itself(void **state)
{
	uint8_t msg[REG_REQUEST_LEN + 3 + 22] = { 0 };
	struct wire_reader r = wire_reader(msg + 24, sizeof(msg) - 24);
	struct reg_auth auth;
	struct ext ext;
	size_t i;

	(void)state;
	msg[24] = 200;
	msg[25] = 1;
	msg[27] = 32;
	msg[28] = 20;
	msg[29] = 0xff;
	msg[32] = 0x01;
	for (i = 0; i < 16; i++)
		msg[33 + i] = (uint8_t)i;
	assert_int_equal(ext_next(&r, &ext), 1);
	assert_int_equal(ext_next(&r, &ext), 1);
	assert_int_equal(reg_auth_decode(msg, &ext, &auth), 0);
	assert_true(auth.spi == 0xff000001u);
	assert_int_equal(auth.covered_len, 27 + 6);
	assert_int_equal(auth.mac_len, 16);
	assert_ptr_equal(auth.mac, msg + 33);
}

static void an_authenticator_needs_an_spi_and_an_octet(void **state)
{
	uint8_t msg[2 + 5] = { 32, 0, 0, 0, 1, 0, 9 };
	struct reg_auth auth = { .spi = 77 };
	struct ext ext;
	unsigned int len;

	(void)state;
	for (len = 0; len <= 5; len++) {
		struct wire_reader r = wire_reader(msg, 2 + len);

		msg[1] = (uint8_t)len;
		assert_int_equal(ext_next(&r, &ext), 1);
		assert_int_equal(reg_auth_decode(msg, &ext, &auth), len == 5 ? 0 : ERR_TRUNCATED);
		assert_true(len == 5 || auth.spi == 77);
	}
	assert_int_equal(auth.spi, 256);
	assert_int_equal(auth.mac_len, 1);
}

static void codes_have_words(void **state)
{
	unsigned int code;

	(void)state;
	for (code = 0; code < 256; code++)
		assert_true(strlen(reg_code_text((uint8_t)code)) > 0);
	assert_string_not_equal(reg_code_text(REG_IDENT_MISMATCH), reg_code_text(REG_ACCEPTED));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_read_as_it_stands),
		cmocka_unit_test(a_reply_is_read_as_it_stands),
		cmocka_unit_test(encoding_gives_the_same_octets_back),
		cmocka_unit_test(each_octet_comes_round),
		cmocka_unit_test(a_short_one_is_truncated_at_every_octet),
		cmocka_unit_test(another_message_type_is_invalid),
		cmocka_unit_test(an_authenticator_covers_all_up_to_itself),
		cmocka_unit_test(an_authenticator_needs_an_spi_and_an_octet),
		cmocka_unit_test(codes_have_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

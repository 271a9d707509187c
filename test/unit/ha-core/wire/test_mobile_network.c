/* SPDX-License-Identifier: BSD-2-Clause */
/* The extensions of RFC 5177 §4, octet by octet. */
#include "ha-core/wire/mobile_network.h"

#include "common/err.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t request[] = { 0x94, 6, 0, 24, 10, 50, 0, 0 };
static const uint8_t explicit_ack[] = { 0x94, 8, 1, 0, 24, 0, 10, 50, 0, 0 };
static const uint8_t implicit_ack[] = { 0x94, 8, 2, 3, 24, 0, 10, 50, 0, 0 };

static int decode(const uint8_t *octets, size_t len, struct mobile_network *ret)
{
	struct wire_reader r = wire_reader(octets, len);
	struct ext ext;

	assert_int_equal(ext_next(&r, &ext), 1);
	assert_int_equal(ext.type, EXT_MOBILE_NETWORK);
	return mobile_network_decode(&ext, ret);
}

static void round_trip(const uint8_t *octets, size_t len, uint8_t type, uint8_t code)
{
	struct mobile_network net = { 0 };
	uint8_t buf[16];
	struct wire_writer w = wire_writer(buf, sizeof(buf));

	assert_int_equal(decode(octets, len, &net), 0);
	assert_int_equal(net.type, type);
	assert_int_equal(net.code, code);
	assert_int_equal(net.prefix_len, 24);
	assert_int_equal(ntohl(net.prefix.s_addr), 0x0a320000);
	mobile_network_encode(&w, &net);
	assert_int_equal(wire_len(&w), len);
	assert_memory_equal(buf, octets, len);
}

static void each_kind_comes_back_as_it_was_written(void **state)
{
	(void)state;
	round_trip(request, sizeof(request), MOBILE_NETWORK_REQUEST, 0);
	round_trip(explicit_ack, sizeof(explicit_ack), MOBILE_NETWORK_EXPLICIT_ACK,
		   MOBILE_NETWORK_OK);
	round_trip(implicit_ack, sizeof(implicit_ack), MOBILE_NETWORK_IMPLICIT_ACK,
		   MOBILE_NETWORK_FORWARDING_FAILED);
}

static void a_length_that_is_not_its_kinds_is_invalid(void **state)
{
	struct mobile_network net;
	uint8_t octets[2 + 16] = { 0x94 };
	uint8_t len, type;

	(void)state;
	for (type = 0; type <= 2; type++) {
		octets[2] = type;
		for (len = 0; len <= 16; len++) {
			octets[1] = len;
			assert_int_equal(decode(octets, 2u + len, &net),
					 len == (type == 0 ? 6 : 8) ? 0 : ERR_INVALID);
		}
	}
}

static void sub_types_that_nobody_knows_are_to_be_skipped(void **state)
{
	uint8_t octets[] = { 0x94, 6, 3, 24, 10, 50, 0, 0 };
	struct mobile_network net;
	unsigned int type;

	(void)state;
	for (type = 3; type < 256; type++) {
		octets[2] = (uint8_t)type;
		assert_int_equal(decode(octets, sizeof(octets), &net), ERR_UNKNOWN_EXT);
	}
}

static void the_reserved_octet_is_ignored(void **state)
{
	uint8_t octets[sizeof(explicit_ack)];
	struct mobile_network net;

	(void)state;
	memcpy(octets, explicit_ack, sizeof(octets));
	octets[5] = 0xff;
	assert_int_equal(decode(octets, sizeof(octets), &net), 0);
	assert_int_equal(net.prefix_len, 24);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_comes_back_as_it_was_written),
		cmocka_unit_test(a_length_that_is_not_its_kinds_is_invalid),
		cmocka_unit_test(sub_types_that_nobody_knows_are_to_be_skipped),
		cmocka_unit_test(the_reserved_octet_is_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

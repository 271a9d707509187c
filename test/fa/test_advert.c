/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Agent advertisements and solicitations (RFC 5944 §2.1, §2.3).
 */
#include "ha-core/tunnel/encap.h"
#include "ha-core/tunnel/ipv4.h"
#include "test/fa/advert.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CARE_OF   0x0a140001
#define ALL_HOSTS 0xe0000001

static void advertisement_is_as_section_2_1_draws_it(void **state)
{
	static const uint8_t expect[] = {
		0x09, 0x10, 0x00, 0x00, 0x00, 0x02, 0x00, 0x1e, /* no addresses, 30 s */
		0x10, 0x0a, 0x00, 0x07, 0x03, 0x84, 0x91, 0x80, /* sequence 7, 900 s, R F T U */
		0x0a, 0x14, 0x00, 0x01,                         /* care-of address */
	};
	const struct advert a = {
		.care_of = addr_from_host(CARE_OF),
		.sequence = 7,
		.lifetime_s = 30,
		.registration_lifetime_s = 900,
		.flags = ADVERT_FLAG_R | ADVERT_FLAG_F | ADVERT_FLAG_T | ADVERT_FLAG_U,
	};
	uint8_t packet[ADVERT_PACKET_MAX];
	uint8_t *icmp = packet + IPV4_HEADER_MIN;
	size_t len = advert_build(&a, addr_from_host(ALL_HOSTS), packet);

	(void)state;
	assert_int_equal(encap_check_ipv4(packet, len), len);
	assert_int_equal(len, IPV4_HEADER_MIN + sizeof(expect));
	assert_int_equal(packet[IPV4_TTL], 1);
	assert_true(ipv4_sum_is_right(icmp, sizeof(expect)));
	memset(icmp + 2, 0, 2);
	assert_memory_equal(icmp, expect, sizeof(expect));
}

static void sequence_after_ffff_is_256(void **state)
{
	(void)state;
	assert_int_equal(advert_next_sequence(0), 1);
	assert_int_equal(advert_next_sequence(0xffff), 256);
}

static void solicitation_must_be_whole_and_right(void **state)
{
	uint8_t packet[IPV4_HEADER_MIN + 8] = {
		0x45, [IPV4_LENGTH + 1] = sizeof(packet), [IPV4_TTL] = 1,
		[IPV4_PROTOCOL] = IPPROTO_ICMP, [IPV4_HEADER_MIN] = 10
	};
	uint8_t *icmp = packet + IPV4_HEADER_MIN;

	(void)state;
	ipv4_put_checksum(icmp, 8, 2);
	assert_true(advert_is_solicitation(packet, sizeof(packet)));
	assert_false(advert_is_solicitation(packet, sizeof(packet) - 1));
	icmp[4] = 1; /* the checksum no longer holds */
	assert_false(advert_is_solicitation(packet, sizeof(packet)));
	icmp[4] = 0;
	icmp[1] = 1; /* code */
	ipv4_put_checksum(icmp, 8, 2);
	assert_false(advert_is_solicitation(packet, sizeof(packet)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(advertisement_is_as_section_2_1_draws_it),
		cmocka_unit_test(sequence_after_ffff_is_256),
		cmocka_unit_test(solicitation_must_be_whole_and_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

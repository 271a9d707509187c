/* SPDX-License-Identifier: BSD-2-Clause */
/* ARP frames, octet for octet (RFC 826, RFC 5944 §4.6): vectors G1 to G5. */
#include "ha-core/wire/arp.h"

#include "common/addr.h"
#include "common/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define HOME                                \
	{                                   \
		.s_addr = htonl(0xc000020a) \
	} /* 192.0.2.10 */

static const uint8_t agent_mac[] = { 2, 0, 0, 0, 0, 0x01 };
static const uint8_t node_mac[] = { 2, 0, 0, 0, 0, 0x10 };

/* clang-format off */
#define HEADER(op) 8, 6, 0, 1, 8, 0, 6, 4, 0, op
#define ALL 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
#define MAC(last) 2, 0, 0, 0, 0, last
#define NONE 0, 0, 0, 0, 0, 0
static const uint8_t g1[] = { ALL, MAC(0x01), HEADER(1), MAC(0x01), 192, 0, 2, 10,
			      NONE, 192, 0, 2, 10 };
static const uint8_t g2[] = { ALL, MAC(0x01), HEADER(2), MAC(0x01), 192, 0, 2, 10,
			      MAC(0x01), 192, 0, 2, 10 };
static const uint8_t g3[] = { ALL, MAC(0x50), HEADER(1), MAC(0x50), 192, 0, 2, 50,
			      NONE, 192, 0, 2, 10 };
static const uint8_t g4[] = { MAC(0x50), MAC(0x01), HEADER(2), MAC(0x01), 192, 0, 2, 10,
			      MAC(0x50), 192, 0, 2, 50 };
static const uint8_t g5[] = { ALL, MAC(0x01), HEADER(1), MAC(0x10), 192, 0, 2, 10,
			      NONE, 192, 0, 2, 10 };
/* clang-format on */

static void encode(const struct arp *arp, uint8_t frame[ARP_FRAME_LEN])
{
	struct wire_writer w = wire_writer(frame, ARP_FRAME_LEN);

	arp_encode(&w, arp);
	assert_false(w.failed);
	assert_int_equal(wire_len(&w), ARP_FRAME_LEN);
}

static void g1_claims_the_home_address_for_the_home_agent(void **state)
{
	const struct in_addr home = HOME;
	struct arp arp = arp_announcement(home, agent_mac, agent_mac);
	uint8_t frame[ARP_FRAME_LEN];

	(void)state;
	encode(&arp, frame);
	assert_memory_equal(frame, g1, sizeof(g1));
}

static void g4_answers_g3(void **state)
{
	uint8_t frame[ARP_FRAME_LEN];
	struct arp question, answer;

	(void)state;
	assert_int_equal(arp_decode(g3, sizeof(g3), &question), 0);
	assert_true(arp_is_question(&question));
	answer = arp_answer(&question, agent_mac);
	encode(&answer, frame);
	assert_memory_equal(frame, g4, sizeof(g4));
}

static void g5_gives_the_address_back_and_keeps_our_ethernet_source(void **state)
{
	const struct in_addr home = HOME;
	struct arp arp = arp_announcement(home, node_mac, agent_mac);
	uint8_t frame[ARP_FRAME_LEN];

	(void)state;
	encode(&arp, frame);
	assert_memory_equal(frame, g5, sizeof(g5));
}

static void every_vector_survives_a_round_trip(void **state)
{
	static const uint8_t *const vectors[] = { g1, g2, g3, g4, g5 };
	uint8_t frame[ARP_FRAME_LEN], padded[60] = { 0 };
	struct arp arp;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
		memcpy(padded, vectors[i], ARP_FRAME_LEN);
		assert_int_equal(arp_decode(padded, sizeof(padded), &arp), 0);
		encode(&arp, frame);
		assert_memory_equal(frame, vectors[i], ARP_FRAME_LEN);
	}
}

static void a_node_that_announces_its_own_address_asks_nothing(void **state)
{
	struct arp arp;

	(void)state;
	assert_int_equal(arp_decode(g1, sizeof(g1), &arp), 0);
	assert_false(arp_is_question(&arp));
}

static void a_probe_is_a_question(void **state)
{
	struct arp arp;

	(void)state;
	assert_int_equal(arp_decode(g3, sizeof(g3), &arp), 0);
	arp.sender_addr.s_addr = 0;
	assert_true(arp_is_question(&arp));
	assert_true(addr_is_any(arp_answer(&arp, agent_mac).target_addr));
}

static void replies_and_group_senders_are_no_questions(void **state)
{
	struct arp arp;

	(void)state;
	assert_int_equal(arp_decode(g3, sizeof(g3), &arp), 0);
	arp.op = ARP_REPLY;
	assert_false(arp_is_question(&arp));
	arp.op = ARP_REQUEST;
	arp.sender_mac[0] |= 1;
	assert_false(arp_is_question(&arp));
}

static void a_frame_cut_short_is_truncated_at_every_octet(void **state)
{
	struct arp arp;
	size_t len;

	(void)state;
	for (len = 0; len < sizeof(g3); len++)
		assert_int_equal(arp_decode(g3, len, &arp), ERR_TRUNCATED);
}

static void other_links_and_protocols_are_not_ours(void **state)
{
	static const size_t offsets[] = { 12, 13, 14, 15, 16, 17, 18, 19 };
	uint8_t frame[ARP_FRAME_LEN];
	struct arp arp;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		memcpy(frame, g3, sizeof(frame));
		frame[offsets[i]] ^= 0x10;
		assert_int_equal(arp_decode(frame, sizeof(frame), &arp), ERR_UNSUPPORTED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(g1_claims_the_home_address_for_the_home_agent),
		cmocka_unit_test(g4_answers_g3),
		cmocka_unit_test(g5_gives_the_address_back_and_keeps_our_ethernet_source),
		cmocka_unit_test(every_vector_survives_a_round_trip),
		cmocka_unit_test(a_node_that_announces_its_own_address_asks_nothing),
		cmocka_unit_test(a_probe_is_a_question),
		cmocka_unit_test(replies_and_group_senders_are_no_questions),
		cmocka_unit_test(a_frame_cut_short_is_truncated_at_every_octet),
		cmocka_unit_test(other_links_and_protocols_are_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

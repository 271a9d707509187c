/* SPDX-License-Identifier: BSD-2-Clause */
/* filter.c: IKE and ESP with the VPN gateway pass, errors about them too, and nothing else. */
#include "packets.h"

#include "ha-core/tunnel/fragments.h"
#include "ha-core/tunnel/tunnel.h"

#define NODE    "198.51.100.50"
#define GATEWAY "198.51.100.9"
#define OTHER   "203.0.113.80"
#define ESP     50

static const struct tunnel_filter_row rows[] = {
	{ IPPROTO_UDP, 500 },
	{ IPPROTO_UDP, 4500 },
	{ ESP, 0 },
};

static struct tunnel_filter filter;
static struct fragments fragments;
static struct binding node;
static uint64_t now_ms;
static struct test_packet a;

static int setup(void **state)
{
	struct addr_prefix gateway = { .addr = test_addr(GATEWAY), .len = 32 };

	(void)state;
	filter = (struct tunnel_filter){ .rows = rows, .row_cnt = 3 };
	node = (struct binding){ 0 };
	now_ms = 1000;
	assert_int_equal(fragments_init(&fragments, 1), 0);
	assert_int_equal(binding_add_contact(&node, test_addr(GATEWAY)), 0);
	return addr_set_add(&filter.peers, gateway);
}

static int teardown(void **state)
{
	(void)state;
	addr_set_done(&filter.peers);
	fragments_done(&fragments);
	binding_drop_more(&node);
	return 0;
}

static enum tunnel_filter_reason judge(enum tunnel_direction direction)
{
	uint8_t *copy = test_exact(a.data, a.len);
	const struct tunnel_filter_packet p = { copy, a.len, direction, &node };
	enum tunnel_filter_reason why = tunnel_filter_judge(&filter, &fragments, &p, now_ms);

	free(copy);
	return why;
}

static bool permits(enum tunnel_direction direction)
{
	return judge(direction) == TUNNEL_FILTER_PASSES;
}

/* It has not sent anything yet. */
static void forget_contacts(void)
{
	binding_drop_more(&node);
}

static bool to_node(uint8_t protocol, const char *from, uint16_t from_port, uint16_t to_port,
		    uint16_t fragment)
{
	test_make(&a, 60, protocol, from, NODE, fragment);
	ipv4_put16(a.data + 20, from_port);
	ipv4_put16(a.data + 22, to_port);
	ipv4_put16(a.data + 24, fragment & IPV4_MF ? 100 : 40);
	return permits(TUNNEL_TO_NODE);
}

static bool from_node(uint8_t protocol, const char *to, uint16_t from_port, uint16_t to_port,
		      uint16_t fragment)
{
	test_make(&a, 60, protocol, NODE, to, fragment);
	ipv4_put16(a.data + 20, from_port);
	ipv4_put16(a.data + 22, to_port);
	ipv4_put16(a.data + 24, fragment & IPV4_MF ? 100 : 40);
	return permits(TUNNEL_FROM_NODE);
}

static void esp_with_the_gateway_passes(void **state)
{
	(void)state;
	assert_true(to_node(ESP, GATEWAY, 0, 0, 0));
	assert_true(from_node(ESP, GATEWAY, 0, 0, 0));
}

static void esp_with_anyone_else_does_not(void **state)
{
	(void)state;
	assert_false(to_node(ESP, OTHER, 0, 0, 0));
	assert_false(from_node(ESP, OTHER, 0, 0, 0));
}

static void ike_passes_by_the_gateways_port(void **state)
{
	(void)state;
	assert_true(to_node(IPPROTO_UDP, GATEWAY, 500, 61000, 0));
	assert_true(to_node(IPPROTO_UDP, GATEWAY, 4500, 4500, 0));
	assert_true(from_node(IPPROTO_UDP, GATEWAY, 61000, 500, 0));
	assert_true(from_node(IPPROTO_UDP, GATEWAY, 4500, 4500, 0));
	/* The node's port alone is no ticket. */
	assert_false(to_node(IPPROTO_UDP, GATEWAY, 53, 500, 0));
	assert_false(from_node(IPPROTO_UDP, GATEWAY, 500, 53, 0));
}

static void other_protocols_with_the_gateway_do_not_pass(void **state)
{
	(void)state;
	assert_false(from_node(IPPROTO_TCP, GATEWAY, 61000, 500, 0));
	assert_false(from_node(IPPROTO_ICMP, GATEWAY, 0x0800, 0, 0));
	assert_false(to_node(IPPROTO_ICMP, GATEWAY, 0x0000, 0, 0));
	assert_false(from_node(ENCAP_IPIP, GATEWAY, 0, 0, 0));
}

static void the_first_reason_that_holds_is_told(void **state)
{
	(void)state;
	(void)from_node(ESP, OTHER, 0, 0, 0);
	assert_int_equal(judge(TUNNEL_FROM_NODE), TUNNEL_FILTER_PEER);
	a.data[0] = 0x47;
	assert_int_equal(judge(TUNNEL_FROM_NODE), TUNNEL_FILTER_OPTIONS);
	(void)from_node(IPPROTO_TCP, GATEWAY, 1, 500, 0);
	assert_int_equal(judge(TUNNEL_FROM_NODE), TUNNEL_FILTER_PROTOCOL);
	(void)from_node(IPPROTO_UDP, GATEWAY, 1, 53, 0);
	assert_int_equal(judge(TUNNEL_FROM_NODE), TUNNEL_FILTER_PORT);
	ipv4_put16(a.data + 24, 39); /* the port comes first */
	assert_int_equal(judge(TUNNEL_FROM_NODE), TUNNEL_FILTER_PORT);
	forget_contacts();
	(void)to_node(IPPROTO_UDP, GATEWAY, 500, 500, 0);
	ipv4_put16(a.data + 24, 39);
	assert_int_equal(judge(TUNNEL_TO_NODE), TUNNEL_FILTER_LENGTH);
}

static void every_reason_has_a_word_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < TUNNEL_FILTER_REASON_CNT; i++)
		for (int k = 0; k < i; k++)
			assert_string_not_equal(tunnel_filter_reason_name(i),
						tunnel_filter_reason_name(k));
}

static void a_gateway_may_answer_and_never_begin(void **state)
{
	(void)state;
	forget_contacts();
	assert_false(to_node(ESP, GATEWAY, 0, 0, 0));
	assert_int_equal(judge(TUNNEL_TO_NODE), TUNNEL_FILTER_UNSOLICITED);
	assert_false(to_node(IPPROTO_UDP, GATEWAY, 500, 500, 0));
	assert_int_equal(judge(TUNNEL_TO_NODE), TUNNEL_FILTER_UNSOLICITED);
	assert_true(from_node(IPPROTO_UDP, GATEWAY, 500, 500, 0)); /* this needs no leave */
	assert_int_equal(binding_add_contact(&node, test_addr(GATEWAY)), 0);
	assert_true(to_node(ESP, GATEWAY, 0, 0, 0));
	now_ms += 1000000000; /* however long the VPN is silent */
	assert_true(to_node(ESP, GATEWAY, 0, 0, 0));
}

static void the_answer_of_another_gateway_is_none(void **state)
{
	struct addr_prefix other = { .addr = test_addr(OTHER), .len = 32 };

	(void)state;
	assert_int_equal(addr_set_add(&filter.peers, other), 0);
	assert_false(to_node(ESP, OTHER, 0, 0, 0));
	assert_int_equal(judge(TUNNEL_TO_NODE), TUNNEL_FILTER_UNSOLICITED);
	assert_true(from_node(ESP, OTHER, 0, 0, 0));
}

static void what_is_for_no_one_node_is_nobodys_answer(void **state)
{
	const struct tunnel_filter_packet p = { a.buf + ENCAP_HEADROOM, 60, TUNNEL_TO_NODE, NULL };

	(void)state;
	assert_true(to_node(ESP, GATEWAY, 0, 0, 0));
	assert_int_equal(tunnel_filter_judge(&filter, &fragments, &p, now_ms),
			 TUNNEL_FILTER_UNSOLICITED);
}

/* Fragment `offset` octets into a packet, `len` octets of it, more to follow or not. */
static enum tunnel_filter_reason piece(enum tunnel_direction direction, size_t offset, size_t len,
				       bool more, uint16_t ident)
{
	bool out = direction == TUNNEL_FROM_NODE;

	test_make(&a, 20 + len, IPPROTO_UDP, out ? NODE : GATEWAY, out ? GATEWAY : NODE,
		  (uint16_t)(offset / 8 | (more ? IPV4_MF : 0)));
	ipv4_put16(a.data + IPV4_IDENT, ident);
	if (offset == 0) {
		ipv4_put16(a.data + 20, 500);
		ipv4_put16(a.data + 22, 500);
		ipv4_put16(a.data + 24, 100);
	}
	return judge(direction);
}

static void fragments_pass_behind_their_first(void **state)
{
	const enum tunnel_direction ways[] = { TUNNEL_TO_NODE, TUNNEL_FROM_NODE };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(piece(ways[i], 0, 40, true, 7), TUNNEL_FILTER_PASSES);
		assert_int_equal(piece(ways[i], 40, 40, true, 7), TUNNEL_FILTER_PASSES);
		assert_int_equal(piece(ways[i], 80, 20, false, 7), TUNNEL_FILTER_PASSES);
	}
}

static void a_fragment_without_its_first_does_not_pass(void **state)
{
	(void)state;
	assert_int_equal(piece(TUNNEL_FROM_NODE, 40, 40, true, 7), TUNNEL_FILTER_FRAGMENT);
	assert_int_equal(piece(TUNNEL_TO_NODE, 80, 20, false, 7), TUNNEL_FILTER_FRAGMENT);
	assert_int_equal(piece(TUNNEL_FROM_NODE, 0, 40, true, 7), TUNNEL_FILTER_PASSES);
	assert_int_equal(piece(TUNNEL_FROM_NODE, 40, 40, true, 8), TUNNEL_FILTER_FRAGMENT);
	assert_int_equal(piece(TUNNEL_TO_NODE, 40, 40, true, 7), TUNNEL_FILTER_FRAGMENT);
	a.data[IPV4_PROTOCOL] = ESP;
	assert_int_equal(judge(TUNNEL_TO_NODE), TUNNEL_FILTER_FRAGMENT);
	now_ms += FRAGMENTS_MS;
	assert_int_equal(piece(TUNNEL_FROM_NODE, 40, 40, true, 7), TUNNEL_FILTER_FRAGMENT);
}

static void a_first_fragment_that_may_not_pass_takes_the_others_along(void **state)
{
	(void)state;
	forget_contacts();
	assert_int_equal(piece(TUNNEL_TO_NODE, 0, 40, true, 7), TUNNEL_FILTER_UNSOLICITED);
	assert_int_equal(binding_add_contact(&node, test_addr(GATEWAY)), 0);
	assert_int_equal(piece(TUNNEL_TO_NODE, 40, 40, true, 7), TUNNEL_FILTER_FRAGMENT);
}

static void fragments_end_where_udp_says(void **state)
{
	(void)state;
	assert_int_equal(piece(TUNNEL_FROM_NODE, 0, 104, true, 7), TUNNEL_FILTER_LENGTH);
	assert_int_equal(piece(TUNNEL_FROM_NODE, 0, 40, true, 7), TUNNEL_FILTER_PASSES);
	assert_int_equal(piece(TUNNEL_FROM_NODE, 40, 64, true, 7), TUNNEL_FILTER_LENGTH);
	assert_int_equal(piece(TUNNEL_FROM_NODE, 80, 28, false, 7), TUNNEL_FILTER_LENGTH);
	assert_int_equal(piece(TUNNEL_FROM_NODE, 80, 12, false, 7), TUNNEL_FILTER_LENGTH);
	assert_int_equal(piece(TUNNEL_FROM_NODE, 80, 20, false, 7), TUNNEL_FILTER_PASSES);
}

/* ESP has no length of its own. */
static void fragments_of_esp_pass_behind_their_first(void **state)
{
	(void)state;
	assert_false(from_node(ESP, GATEWAY, 0, 0, 5));
	assert_true(from_node(ESP, GATEWAY, 0, 0, IPV4_MF));
	assert_true(from_node(ESP, GATEWAY, 0, 0, 5));
}

static void more_packets_in_pieces_than_there_is_room_for_push_out_the_oldest(void **state)
{
	uint32_t i, passing = 0;

	(void)state;
	for (i = 0; i < 8 * FRAGMENTS_CNT; i++, now_ms++)
		assert_int_equal(piece(TUNNEL_FROM_NODE, 0, 40, true, (uint16_t)i),
				 TUNNEL_FILTER_PASSES);
	assert_int_equal(piece(TUNNEL_FROM_NODE, 40, 40, true, (uint16_t)(i - 1)),
			 TUNNEL_FILTER_PASSES);
	for (i = 0; i < 8 * FRAGMENTS_CNT; i++)
		passing +=
			piece(TUNNEL_FROM_NODE, 40, 40, true, (uint16_t)i) == TUNNEL_FILTER_PASSES;
	assert_in_range(passing, FRAGMENTS_CNT / 2, FRAGMENTS_CNT);
}

static void udp_whose_length_is_not_the_packets_does_not_pass(void **state)
{
	(void)state;
	assert_true(from_node(IPPROTO_UDP, GATEWAY, 500, 500, 0));
	ipv4_put16(a.data + 24, 39); /* an octet behind its end */
	assert_int_equal(judge(TUNNEL_FROM_NODE), TUNNEL_FILTER_LENGTH);
	ipv4_put16(a.data + 24, 41);
	assert_int_equal(judge(TUNNEL_FROM_NODE), TUNNEL_FILTER_LENGTH);
	ipv4_put16(a.data + 24, 0);
	assert_int_equal(judge(TUNNEL_FROM_NODE), TUNNEL_FILTER_LENGTH);
	assert_true(to_node(IPPROTO_UDP, GATEWAY, 500, 500, 0));
	ipv4_put16(a.data + 24, 8);
	assert_int_equal(judge(TUNNEL_TO_NODE), TUNNEL_FILTER_LENGTH);
}

static void udp_without_a_whole_header_does_not_pass(void **state)
{
	(void)state;
	for (size_t len = 20; len < 28; len++) {
		test_make(&a, len, IPPROTO_UDP, NODE, GATEWAY, 0);
		if (len >= 24)
			ipv4_put16(a.data + 22, 500);
		assert_int_equal(judge(TUNNEL_FROM_NODE), TUNNEL_FILTER_LENGTH);
	}
}

/* An ICMP message `type` from -> to about a packet of qprotocol, qsrc:qsport -> qdst:qdport. */
static void make_error(uint8_t type, const char *from, const char *to, uint8_t qprotocol,
		       const char *qsrc, const char *qdst, uint16_t qsport, uint16_t qdport)
{
	static struct test_packet quoted;

	test_make(&quoted, 28, qprotocol, qsrc, qdst, 0);
	ipv4_put16(quoted.data + 20, qsport);
	ipv4_put16(quoted.data + 22, qdport);
	test_make(&a, 28 + 28, IPPROTO_ICMP, from, to, 0);
	memset(a.data + 20, 0, 8);
	a.data[20] = type;
	memcpy(a.data + 28, quoted.data, 28);
}

static void errors_about_a_permitted_flow_reach_the_node_from_anyone(void **state)
{
	static const uint8_t types[] = { 3, 11, 12 };
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		make_error(types[i], OTHER, NODE, ESP, NODE, GATEWAY, 0, 0);
		assert_true(permits(TUNNEL_TO_NODE));
		make_error(types[i], OTHER, NODE, IPPROTO_UDP, NODE, GATEWAY, 61000, 4500);
		assert_true(permits(TUNNEL_TO_NODE));
	}
}

static void errors_about_other_flows_do_not_reach_the_node(void **state)
{
	(void)state;
	make_error(3, OTHER, NODE, IPPROTO_TCP, NODE, GATEWAY, 61000, 80);
	assert_false(permits(TUNNEL_TO_NODE));
	make_error(3, OTHER, NODE, ESP, NODE, OTHER, 0, 0);
	assert_false(permits(TUNNEL_TO_NODE));
	make_error(3, OTHER, NODE, IPPROTO_UDP, NODE, GATEWAY, 500, 53);
	assert_false(permits(TUNNEL_TO_NODE));
	/* about somebody else's packet */
	make_error(3, OTHER, NODE, ESP, OTHER, GATEWAY, 0, 0);
	assert_false(permits(TUNNEL_TO_NODE));
}

static void a_nodes_error_goes_to_the_gateway_alone(void **state)
{
	(void)state;
	make_error(3, NODE, GATEWAY, ESP, GATEWAY, NODE, 0, 0);
	assert_true(permits(TUNNEL_FROM_NODE));
	make_error(3, NODE, GATEWAY, IPPROTO_UDP, GATEWAY, NODE, 500, 61000);
	assert_true(permits(TUNNEL_FROM_NODE));
	/* The quote is the node's own choice: it must not open a way to anybody. */
	make_error(3, NODE, OTHER, ESP, GATEWAY, NODE, 0, 0);
	assert_false(permits(TUNNEL_FROM_NODE));
	make_error(3, NODE, OTHER, ESP, OTHER, NODE, 0, 0);
	assert_false(permits(TUNNEL_FROM_NODE));
}

/* Whoever makes up a flow that the node has not begun. */
static void errors_about_a_flow_that_never_was_do_not_pass(void **state)
{
	(void)state;
	forget_contacts();
	make_error(3, OTHER, NODE, ESP, NODE, GATEWAY, 0, 0);
	assert_int_equal(judge(TUNNEL_TO_NODE), TUNNEL_FILTER_ICMP);
	make_error(3, NODE, GATEWAY, ESP, GATEWAY, NODE, 0, 0);
	assert_int_equal(judge(TUNNEL_FROM_NODE), TUNNEL_FILTER_ICMP);
}

static void redirects_and_echoes_with_a_quote_do_not_pass(void **state)
{
	(void)state;
	make_error(5, OTHER, NODE, ESP, NODE, GATEWAY, 0, 0);
	assert_false(permits(TUNNEL_TO_NODE));
	make_error(8, OTHER, NODE, ESP, NODE, GATEWAY, 0, 0);
	assert_false(permits(TUNNEL_TO_NODE));
	make_error(0, NODE, GATEWAY, ESP, GATEWAY, NODE, 0, 0);
	assert_false(permits(TUNNEL_FROM_NODE));
}

static void a_cut_quote_does_not_pass_and_is_not_read_beyond(void **state)
{
	size_t len;

	(void)state;
	for (len = 20; len < 48; len++) {
		make_error(3, OTHER, NODE, ESP, NODE, GATEWAY, 0, 0);
		a.len = len;
		assert_false(permits(TUNNEL_TO_NODE));
	}
	a.len = 48; /* a header is enough for a protocol without ports */
	assert_true(permits(TUNNEL_TO_NODE));
	make_error(3, OTHER, NODE, IPPROTO_UDP, NODE, GATEWAY, 1, 500);
	for (len = 48; len < 52; len++) {
		a.len = len;
		assert_false(permits(TUNNEL_TO_NODE));
	}
	a.len = 52;
	assert_true(permits(TUNNEL_TO_NODE));
	a.data[28] = 0x4f; /* the quoted header claims to be longer than the quote */
	assert_false(permits(TUNNEL_TO_NODE));
	a.data[28] = 0x44;
	assert_false(permits(TUNNEL_TO_NODE));
}

/* A source route for the gateway would go on to whom it names (RFC 791 §3.1). */
static void packets_with_options_do_not_pass(void **state)
{
	(void)state;
	assert_true(from_node(ESP, GATEWAY, 0, 0, 0));
	a.data[0] = 0x47; /* eight octets of options */
	assert_false(permits(TUNNEL_FROM_NODE));
	assert_true(to_node(ESP, GATEWAY, 0, 0, 0));
	a.data[0] = 0x47;
	assert_false(permits(TUNNEL_TO_NODE));
}

static void without_a_peer_nothing_passes(void **state)
{
	(void)state;
	addr_set_done(&filter.peers);
	assert_false(to_node(ESP, GATEWAY, 0, 0, 0));
	assert_false(from_node(ESP, GATEWAY, 0, 0, 0));
}

static void pass_all_passes_all(void **state)
{
	(void)state;
	filter.pass_all = true;
	assert_true(to_node(IPPROTO_TCP, OTHER, 80, 61000, 0));
	assert_true(from_node(IPPROTO_TCP, OTHER, 61000, 80, 0));
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(esp_with_the_gateway_passes),
		TEST(esp_with_anyone_else_does_not),
		TEST(ike_passes_by_the_gateways_port),
		TEST(other_protocols_with_the_gateway_do_not_pass),
		TEST(the_first_reason_that_holds_is_told),
		TEST(every_reason_has_a_word_of_its_own),
		TEST(a_gateway_may_answer_and_never_begin),
		TEST(the_answer_of_another_gateway_is_none),
		TEST(what_is_for_no_one_node_is_nobodys_answer),
		TEST(fragments_pass_behind_their_first),
		TEST(a_fragment_without_its_first_does_not_pass),
		TEST(a_first_fragment_that_may_not_pass_takes_the_others_along),
		TEST(fragments_end_where_udp_says),
		TEST(fragments_of_esp_pass_behind_their_first),
		TEST(more_packets_in_pieces_than_there_is_room_for_push_out_the_oldest),
		TEST(udp_whose_length_is_not_the_packets_does_not_pass),
		TEST(udp_without_a_whole_header_does_not_pass),
		TEST(errors_about_a_permitted_flow_reach_the_node_from_anyone),
		TEST(errors_about_other_flows_do_not_reach_the_node),
		TEST(a_nodes_error_goes_to_the_gateway_alone),
		TEST(errors_about_a_flow_that_never_was_do_not_pass),
		TEST(redirects_and_echoes_with_a_quote_do_not_pass),
		TEST(a_cut_quote_does_not_pass_and_is_not_read_beyond),
		TEST(packets_with_options_do_not_pass),
		TEST(without_a_peer_nothing_passes),
		TEST(pass_all_passes_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

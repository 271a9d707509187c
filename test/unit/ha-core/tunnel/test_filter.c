/* SPDX-License-Identifier: BSD-2-Clause */
/* filter.c: IKE and ESP with the VPN gateway pass, errors about them too, and nothing else. */
#include "packets.h"

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
static struct test_packet a;

static int setup(void **state)
{
	struct addr_prefix gateway = { .addr = test_addr(GATEWAY), .len = 32 };

	(void)state;
	filter = (struct tunnel_filter){ .rows = rows, .row_cnt = 3 };
	return addr_set_add(&filter.peers, gateway);
}

static int teardown(void **state)
{
	(void)state;
	addr_set_done(&filter.peers);
	return 0;
}

static bool permits(enum tunnel_direction direction)
{
	uint8_t *copy = test_exact(a.data, a.len);
	bool permitted = tunnel_filter_permits(&filter, copy, a.len, direction);

	free(copy);
	return permitted;
}

static bool to_node(uint8_t protocol, const char *from, uint16_t from_port, uint16_t to_port,
		    uint16_t fragment)
{
	test_make(&a, 60, protocol, from, NODE, fragment);
	ipv4_put16(a.data + 20, from_port);
	ipv4_put16(a.data + 22, to_port);
	return permits(TUNNEL_TO_NODE);
}

static bool from_node(uint8_t protocol, const char *to, uint16_t from_port, uint16_t to_port,
		      uint16_t fragment)
{
	test_make(&a, 60, protocol, NODE, to, fragment);
	ipv4_put16(a.data + 20, from_port);
	ipv4_put16(a.data + 22, to_port);
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

static void later_fragments_pass_by_protocol_and_peer(void **state)
{
	(void)state;
	assert_true(from_node(IPPROTO_UDP, GATEWAY, 1, 1, 10));
	assert_true(to_node(IPPROTO_UDP, GATEWAY, 1, 1, IPV4_MF | 10));
	assert_false(from_node(IPPROTO_UDP, OTHER, 500, 500, 10));
	assert_false(from_node(IPPROTO_TCP, GATEWAY, 500, 500, 10));
	assert_false(from_node(IPPROTO_UDP, GATEWAY, 1, 1, IPV4_MF));
}

static void udp_too_short_for_ports_does_not_pass(void **state)
{
	(void)state;
	for (size_t len = 20; len < 24; len++) {
		test_make(&a, len, IPPROTO_UDP, NODE, GATEWAY, 0);
		assert_false(permits(TUNNEL_FROM_NODE));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(esp_with_the_gateway_passes, setup, teardown),
		cmocka_unit_test_setup_teardown(esp_with_anyone_else_does_not, setup, teardown),
		cmocka_unit_test_setup_teardown(ike_passes_by_the_gateways_port, setup, teardown),
		cmocka_unit_test_setup_teardown(other_protocols_with_the_gateway_do_not_pass, setup,
						teardown),
		cmocka_unit_test_setup_teardown(later_fragments_pass_by_protocol_and_peer, setup,
						teardown),
		cmocka_unit_test_setup_teardown(udp_too_short_for_ports_does_not_pass, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			errors_about_a_permitted_flow_reach_the_node_from_anyone, setup, teardown),
		cmocka_unit_test_setup_teardown(errors_about_other_flows_do_not_reach_the_node,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_nodes_error_goes_to_the_gateway_alone, setup,
						teardown),
		cmocka_unit_test_setup_teardown(redirects_and_echoes_with_a_quote_do_not_pass,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_cut_quote_does_not_pass_and_is_not_read_beyond,
						setup, teardown),
		cmocka_unit_test_setup_teardown(packets_with_options_do_not_pass, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_peer_nothing_passes, setup, teardown),
		cmocka_unit_test_setup_teardown(pass_all_passes_all, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

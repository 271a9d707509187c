/* SPDX-License-Identifier: BSD-2-Clause */
/* broadcast.c: who gets broadcasts, which, and the nested form of vector P7. */
#include "packets.h"

#include "ha-core/tunnel/broadcast.h"

#include "common/addr.h"

#define P7                                                                 \
	"4500004d2222000040046c55c0000201c633640145000039444400004004b271" \
	"c0000201c000020a45000025333300004011c263c0000232c00002ff270f270f" \
	"0011d24c424341535444415441"

static struct test_packet a, b;
static struct broadcast_nodes nodes;

static void a_node_is_noted_once_and_taken_out_once(void **state)
{
	(void)state;
	nodes.cnt = 0;
	assert_true(broadcast_nodes_put(&nodes, addr_from_host(1)));
	assert_true(broadcast_nodes_put(&nodes, addr_from_host(2)));
	assert_true(broadcast_nodes_put(&nodes, addr_from_host(3)));
	assert_true(broadcast_nodes_put(&nodes, addr_from_host(2)));
	assert_int_equal(nodes.cnt, 3);
	broadcast_nodes_del(&nodes, addr_from_host(1));
	broadcast_nodes_del(&nodes, addr_from_host(1));
	assert_int_equal(nodes.cnt, 2);
	assert_int_equal(addr_host(nodes.addrs[0]) + addr_host(nodes.addrs[1]), 5);
}

static void so_many_nodes_and_no_more(void **state)
{
	uint32_t i;

	(void)state;
	nodes.cnt = 0;
	for (i = 1; i <= BROADCAST_NODES_MAX; i++)
		assert_true(broadcast_nodes_put(&nodes, addr_from_host(i)));
	assert_false(broadcast_nodes_put(&nodes, addr_from_host(i)));
	assert_true(broadcast_nodes_put(&nodes, addr_from_host(7)));
	broadcast_nodes_del(&nodes, addr_from_host(7));
	assert_true(broadcast_nodes_put(&nodes, addr_from_host(i)));
}

static bool is_for_nodes(void)
{
	uint8_t *copy = test_exact(a.data, a.len);
	bool is = broadcast_is_for_nodes(copy, a.len, 434);

	free(copy);
	return is;
}

static void what_belongs_to_the_link_is_not_for_nodes(void **state)
{
	(void)state;
	test_make(&a, 60, IPPROTO_UDP, "192.0.2.50", "192.0.2.255", 0);
	assert_true(is_for_nodes());
	ipv4_put16(a.data + 22, 434);
	assert_false(is_for_nodes());
	test_make(&a, 60, IPPROTO_UDP, "0.0.0.0", "255.255.255.255", 0);
	assert_false(is_for_nodes());

	test_make(&a, 60, IPPROTO_ICMP, "192.0.2.50", "192.0.2.255", 0);
	a.data[20] = 8;
	assert_true(is_for_nodes());
	a.data[20] = 9;
	assert_false(is_for_nodes());
	a.data[20] = 10;
	assert_false(is_for_nodes());
}

static void short_packets_are_not_read_beyond(void **state)
{
	size_t len;

	(void)state;
	for (len = 20; len < 28; len++) {
		test_make(&a, len, IPPROTO_UDP, "192.0.2.50", "192.0.2.255", 0);
		assert_false(is_for_nodes());
	}
	test_make(&a, 20, IPPROTO_ICMP, "192.0.2.50", "192.0.2.255", 0);
	assert_false(is_for_nodes());
	test_make(&a, 20, IPPROTO_UDP, "192.0.2.50", "192.0.2.255", 3);
	assert_true(is_for_nodes());
}

static void a_missing_udp_checksum_is_computed(void **state)
{
	(void)state;
	test_from_hex(&b, P7);
	test_from_hex(&a, P7);
	memset(a.data + 40 + 26, 0x55, 2);
	broadcast_finish_udp(a.data + 40, 37);
	assert_memory_equal(a.data, b.data, b.len);
	/* What is no whole UDP datagram is left alone. */
	ipv4_put16(a.data + 40 + 24, 99);
	memset(a.data + 40 + 26, 0x55, 2);
	broadcast_finish_udp(a.data + 40, 37);
	assert_int_equal(ipv4_get16(a.data + 40 + 26), 0x5555);
}

static void a_broadcast_by_way_of_a_foreign_agent_is_as_p7(void **state)
{
	struct encap_path wrap = { .local = test_addr("192.0.2.1"),
				   .peer = test_addr("192.0.2.10"),
				   .mode = ENCAP_IPIP };
	struct encap_path tunnel = { .local = test_addr("192.0.2.1"),
				     .peer = test_addr("198.51.100.1"),
				     .mode = ENCAP_IPIP };
	uint8_t *packet;
	int len;

	(void)state;
	test_from_hex(&b, P7);
	memcpy(a.buf + ENCAP_HEADROOM, b.data + 40, 37);
	len = encap_packet(&wrap, a.buf + ENCAP_HEADROOM, 37, 0x4444, &packet);
	assert_int_equal(len, 57);
	len = encap_packet(&tunnel, packet, (size_t)len, 0x2222, &packet);
	assert_int_equal(len, b.len);
	assert_memory_equal(packet, b.data, b.len);
}

/* The longest: within GRE in UDP. It has to fit the headroom. */
static void the_nested_form_fits_the_headroom(void **state)
{
	(void)state;
	assert_true(encap_overhead(ENCAP_IPIP, false) + encap_overhead(ENCAP_GRE, true) <=
		    ENCAP_HEADROOM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_is_noted_once_and_taken_out_once),
		cmocka_unit_test(so_many_nodes_and_no_more),
		cmocka_unit_test(what_belongs_to_the_link_is_not_for_nodes),
		cmocka_unit_test(short_packets_are_not_read_beyond),
		cmocka_unit_test(a_missing_udp_checksum_is_computed),
		cmocka_unit_test(a_broadcast_by_way_of_a_foreign_agent_is_as_p7),
		cmocka_unit_test(the_nested_form_fits_the_headroom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

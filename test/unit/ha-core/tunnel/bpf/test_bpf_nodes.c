/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of nodes, in plain memory: what its writer leaves for those that read meanwhile. */
#include "ha-core/tunnel/bpf/bpf_nodes.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MAX   64
#define SLOTS (2 * MAX)
#define FIRST 0x0a320000u

static struct habpf_node entries[SLOTS + HABPF_PROBES - 1];
static struct bpf_nodes t;

static int setup(void **state)
{
	(void)state;
	memset(entries, 0, sizeof(entries));
	bpf_nodes_init(&t, entries, bpf_nodes_slot_cnt(MAX), MAX);
	assert_int_equal(t.slot_cnt, SLOTS);
	assert_int_equal(habpf_entry_cnt(SLOTS), sizeof(entries) / sizeof(entries[0]));
	return 0;
}

static struct habpf_node *put(uint32_t home_addr, uint32_t peer)
{
	const struct habpf_tunnel tunnel = { .peer = htonl(peer) };
	struct habpf_node *node = bpf_nodes_find(&t, htonl(home_addr));

	if (!node)
		node = bpf_nodes_take(&t, htonl(home_addr));
	if (node)
		bpf_nodes_write(&t, node, htonl(home_addr), &tunnel);
	return node;
}

static struct habpf_node *find(uint32_t home_addr)
{
	return bpf_nodes_find(&t, htonl(home_addr));
}

/* Home addresses from FIRST on that are looked for in the same slot first. */
static void make_colliding(uint32_t *out, size_t cnt)
{
	uint32_t slot = habpf_first_slot(FIRST, SLOTS), addr = FIRST;
	size_t i;

	for (i = 0; i < cnt; addr++)
		if (habpf_first_slot(addr, SLOTS) == slot)
			out[i++] = addr;
}

static void every_node_is_found_until_it_is_deleted(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < MAX; i++)
		assert_non_null(put(FIRST + i, i));
	for (i = 0; i < MAX; i++)
		assert_int_equal(find(FIRST + i)->tunnel.peer, htonl(i));
	assert_null(find(FIRST + MAX));
	for (i = 0; i < MAX; i += 2)
		bpf_nodes_del(&t, find(FIRST + i));
	for (i = 0; i < MAX; i++)
		assert_int_equal(find(FIRST + i) != NULL, i % 2);
	assert_int_equal(t.cnt, MAX / 2);
}

static void no_more_are_taken_than_agreed(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < MAX; i++)
		assert_non_null(put(FIRST + i, i));
	assert_null(put(FIRST + MAX, 1));
	assert_non_null(put(FIRST, 2)); /* one that is there is changed */
	bpf_nodes_del(&t, find(FIRST + 1));
	assert_non_null(put(FIRST + MAX, 1));
}

static void no_more_are_taken_than_a_search_goes_through(void **state)
{
	uint32_t addrs[HABPF_PROBES + 1];
	size_t i;

	(void)state;
	make_colliding(addrs, HABPF_PROBES + 1);
	for (i = 0; i < HABPF_PROBES; i++)
		assert_non_null(put(addrs[i], 1));
	assert_null(put(addrs[HABPF_PROBES], 1));
	bpf_nodes_del(&t, find(addrs[3]));
	assert_non_null(put(addrs[HABPF_PROBES], 2));
	assert_non_null(find(addrs[HABPF_PROBES]));
	assert_non_null(find(addrs[HABPF_PROBES - 1])); /* the search goes on past those deleted */
}

static void node_finds_its_own_place_again_and_is_never_there_twice(void **state)
{
	struct habpf_node *second;
	uint32_t addrs[2];
	size_t i, cnt = 0;

	(void)state;
	make_colliding(addrs, 2);
	put(addrs[0], 1);
	second = put(addrs[1], 1);
	bpf_nodes_del(&t, find(addrs[0]));
	bpf_nodes_del(&t, second);
	assert_ptr_equal(put(addrs[1], 2), second);
	for (i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		cnt += bpf_nodes_home_addr(&entries[i]) == htonl(addrs[1]);
	assert_int_equal(cnt, 1);
}

static void place_of_a_deleted_one_is_anothers_then_with_a_count_of_zero(void **state)
{
	struct habpf_node *node;
	uint32_t addrs[2];

	(void)state;
	make_colliding(addrs, 2);
	node = put(addrs[0], 1);
	node->count.packets_to = 7;
	bpf_nodes_del(&t, node);
	assert_int_equal(node->count.packets_to, 7);
	assert_ptr_equal(put(addrs[1], 1), node);
	assert_int_equal(node->count.packets_to, 0);
	assert_null(find(addrs[0]));
}

/* By which a program knows that what it has read is of one piece. */
static void each_change_makes_another_tag_and_none_but_a_deleted_one_is_odd(void **state)
{
	struct habpf_node *node;
	uint64_t before;
	int i;

	(void)state;
	node = put(FIRST, 1);
	for (i = 0; i < 10; i++) {
		before = node->tag;
		put(FIRST, 2);
		assert_true(node->tag != before && !(node->tag & HABPF_TAG_ODD));
	}
	before = node->tag;
	bpf_nodes_del(&t, node);
	assert_true(node->tag & HABPF_TAG_ODD);
	put(FIRST, 3);
	assert_true(node->tag != before && !(node->tag & HABPF_TAG_ODD));
}

static void version_that_runs_over_leaves_the_home_address_alone(void **state)
{
	struct habpf_node *node;

	(void)state;
	node = put(FIRST, 1);
	node->tag |= UINT32_MAX - 1;
	put(FIRST, 2);
	assert_int_equal(bpf_nodes_home_addr(node), htonl(FIRST));
	assert_int_equal((uint32_t)node->tag, 0);
	assert_ptr_equal(find(FIRST), node);
}

static void what_a_former_writer_left_is_counted_and_gone_through(void **state)
{
	struct habpf_node *node = NULL;
	uint32_t i, cnt = 0;

	(void)state;
	for (i = 0; i < 10; i++)
		put(FIRST + i, i);
	bpf_nodes_del(&t, find(FIRST + 4));
	find(FIRST + 5)->tag |= HABPF_TAG_ODD; /* it was killed in the middle of a change */
	bpf_nodes_init(&t, entries, SLOTS, MAX);
	assert_int_equal(t.cnt, 8);
	while ((node = bpf_nodes_next(&t, node))) {
		cnt++;
		if (cnt % 2)
			bpf_nodes_del(&t, node);
	}
	assert_int_equal(cnt, 8);
	assert_int_equal(t.cnt, 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(every_node_is_found_until_it_is_deleted),
		TEST(no_more_are_taken_than_agreed),
		TEST(no_more_are_taken_than_a_search_goes_through),
		TEST(node_finds_its_own_place_again_and_is_never_there_twice),
		TEST(place_of_a_deleted_one_is_anothers_then_with_a_count_of_zero),
		TEST(each_change_makes_another_tag_and_none_but_a_deleted_one_is_odd),
		TEST(version_that_runs_over_leaves_the_home_address_alone),
		TEST(what_a_former_writer_left_is_counted_and_gone_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

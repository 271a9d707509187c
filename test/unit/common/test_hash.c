/* SPDX-License-Identifier: BSD-2-Clause */
/* A table that grows: nothing is lost on the way, and a walk meanwhile comes by everything. */
#include "common/hash.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CNT 5000u

struct thing {
	struct hash_node node;
	struct hash_link link;
	uint64_t key;
	bool was_seen;
};

static struct hash nodes, links;
static struct thing things[CNT];

static uint64_t link_hash(const struct hash *t, const struct hash_link *link)
{
	return hash_u64(t, hash_entry(link, struct thing, link)->key);
}

static int open_tables(void **state)
{
	uint64_t i;

	(void)state;
	for (i = 0; i < CNT; i++)
		things[i] = (struct thing){ .key = i };
	assert_int_equal(hash_init(&nodes, 0), 0);
	assert_int_equal(hash_init(&links, 0), 0);
	return 0;
}

static int close_tables(void **state)
{
	(void)state;
	hash_done(&links);
	hash_done(&nodes);
	return 0;
}

static void put(struct thing *thing)
{
	hash_put(&nodes, &thing->node, hash_u64(&nodes, thing->key));
	hash_link_put(&links, &thing->link, hash_u64(&links, thing->key));
	hash_link_grow(&links, link_hash);
}

static bool is_there(const struct thing *thing)
{
	const struct hash_node *n = hash_first(&nodes, hash_u64(&nodes, thing->key));
	const struct hash_link *l = hash_link_first(&links, hash_u64(&links, thing->key));

	while (l && l != &thing->link)
		l = l->next;
	assert_true((n == &thing->node) == !!l);
	return l;
}

static void all_that_was_put_is_found_at_every_size(void **state)
{
	size_t i, k;

	(void)state;
	for (i = 0; i < CNT; i++) {
		put(&things[i]);
		assert_true(HASH_LOAD_MAX * (nodes.last + 1) >= nodes.cnt);
		assert_int_equal(nodes.last, links.last);
		if (i % 97 == 0)
			for (k = 0; k < CNT; k++)
				assert_true(is_there(&things[k]) == (k <= i));
	}
	for (i = 0; i < CNT; i += 2) {
		hash_del(&nodes, &things[i].node);
		hash_link_del(&links, &things[i].link, hash_u64(&links, things[i].key));
	}
	for (i = 0; i < CNT; i++)
		assert_true(is_there(&things[i]) == (i % 2 == 1));
	assert_int_equal(nodes.cnt, CNT / 2);
}

/* No bucket holds many: growing is what keeps finding quick. */
static void chains_stay_short(void **state)
{
	const struct hash_link *l;
	size_t i, len, longest = 0;

	(void)state;
	for (i = 0; i < CNT; i++)
		put(&things[i]);
	for (i = 0; i <= links.last; i++) {
		for (len = 0, l = hash_link_bucket(&links, i); l; l = l->next)
			len++;
		longest = len > longest ? len : longest;
	}
	assert_true(longest < 6 * HASH_LOAD_MAX);
}

static void a_walk_misses_nothing_that_was_there_when_it_began(void **state)
{
	const struct hash_node *n;
	size_t i, bucket, put_cnt = CNT / 10;

	(void)state;
	for (i = 0; i < put_cnt; i++)
		put(&things[i]);
	for (bucket = 0; bucket <= nodes.last; bucket++) {
		for (n = hash_bucket(&nodes, bucket); n; n = n->next)
			hash_entry(n, struct thing, node)->was_seen = true;
		for (i = 0; i < 7 && put_cnt < CNT; i++)
			put(&things[put_cnt++]);
	}
	for (i = 0; i < CNT / 10; i++)
		assert_true(things[i].was_seen);
}

/* It may be left out, and so may change nothing: at any step, in any chain, the empty one too. */
static void fetching_changes_nothing_and_reads_no_further_than_the_chain(void **state)
{
	struct hash_link *before, *after;
	unsigned int step;
	size_t i;

	(void)state;
	for (i = 0; i < 40; i++)
		put(&things[i]);
	for (i = 0; i < 1000; i++) {
		before = hash_link_first(&links, i * 0x9e3779b97f4a7c15u);
		for (step = 0; step < 40; step++)
			hash_link_fetch(&links, i * 0x9e3779b97f4a7c15u,
					offsetof(struct thing, link), sizeof(struct thing), step);
		after = hash_link_first(&links, i * 0x9e3779b97f4a7c15u);
		assert_ptr_equal(before, after);
	}
	for (i = 0; i < 40; i++)
		assert_true(is_there(&things[i]));
}

/* Things of one hash lie together, the latest first, and growing leaves them so. */
static void what_lies_in_one_bucket_stays_in_its_order(void **state)
{
	const struct hash_link *l;
	const struct thing *thing;
	size_t i, bucket, seen = 0;

	(void)state;
	for (i = 0; i < CNT; i++) {
		if (i % 3 == 0) {
			put(&things[i]);
			continue;
		}
		things[i].key = things[i - 1].key;
		hash_link_put_before(&links, &things[i].link, &things[i - 1].link,
				     hash_u64(&links, things[i].key));
		hash_link_grow(&links, link_hash);
	}
	assert_true(links.last > 16 * 4);
	for (bucket = 0; bucket <= links.last; bucket++)
		for (l = hash_link_bucket(&links, bucket); l; l = l->next, seen++) {
			thing = hash_entry(l, struct thing, link);
			i = (size_t)(thing - things);
			if (i % 3 != 0)
				assert_ptr_equal(l->next, &things[i - 1].link);
		}
	assert_int_equal(seen, CNT);
	assert_int_equal(links.cnt, CNT);
}

#define hash_test(f) cmocka_unit_test_setup_teardown(f, open_tables, close_tables)

int main(void)
{
	const struct CMUnitTest tests[] = {
		hash_test(all_that_was_put_is_found_at_every_size),
		hash_test(chains_stay_short),
		hash_test(what_lies_in_one_bucket_stays_in_its_order),
		hash_test(fetching_changes_nothing_and_reads_no_further_than_the_chain),
		hash_test(a_walk_misses_nothing_that_was_there_when_it_began),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

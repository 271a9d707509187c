/* SPDX-License-Identifier: BSD-2-Clause */
/* The binding cache: by home address and home agent, siblings, and many of them. */
#include "ha-core/binding/binding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define MANY 100000u

static struct binding_cache cache;

static int open_cache(void **state)
{
	(void)state;
	return binding_cache_init(&cache, 16);
}

static int close_cache(void **state)
{
	(void)state;
	binding_cache_done(&cache);
	return 0;
}

static struct binding_key key(uint32_t home)
{
	return (struct binding_key){ addr_from_host(home), addr_from_host(0x0a000002) };
}

static struct binding *put(uint32_t home, uint32_t care_of)
{
	struct binding *b = binding_put(&cache, key(home), addr_from_host(care_of));

	assert_non_null(b);
	return b;
}

static struct binding *find(uint32_t home, uint32_t care_of)
{
	return binding_find_care_of(&cache, key(home), addr_from_host(care_of));
}

/* Every binding that is there, as many as are counted; returns how many. */
static size_t walk_all(void)
{
	struct binding *b;
	size_t cnt = 0;

	for (b = binding_first(&cache); b; b = binding_next(&cache, b)) {
		assert_ptr_equal(binding_find_care_of(&cache, b->key, b->care_of), b);
		cnt++;
	}
	assert_int_equal(cnt, cache.cnt);
	return cnt;
}

static void an_empty_cache_finds_nothing(void **state)
{
	(void)state;
	assert_null(binding_find(&cache, key(1)));
	assert_null(find(1, 2));
	assert_int_equal(binding_cnt(NULL), 0);
	assert_int_equal(walk_all(), 0);
}

static void a_new_binding_is_zeroed_but_for_its_key(void **state)
{
	struct binding *b = put(1, 2);

	(void)state;
	assert_int_equal(addr_host(b->key.home_addr), 1);
	assert_int_equal(addr_host(b->care_of), 2);
	assert_true(b->expires_ms == 0);
	assert_int_equal(b->lifetime_s, 0);
	assert_null(b->node);
	assert_null(binding_sibling(b));
	assert_false(b->tunnel.udp);
	assert_true(b->count.packets_to == 0);
	assert_ptr_equal(binding_find(&cache, key(1)), b);
	assert_ptr_equal(find(1, 2), b);
	assert_null(find(1, 3));
	assert_null(find(2, 2));
}

static void home_agents_tell_bindings_apart(void **state)
{
	struct binding_key other = { addr_from_host(1), addr_from_host(0x0a000003) };
	struct binding *a = put(1, 2), *b = binding_put(&cache, other, addr_from_host(2));

	(void)state;
	assert_non_null(b);
	assert_ptr_equal(binding_find(&cache, key(1)), a);
	assert_ptr_equal(binding_find(&cache, other), b);
	assert_null(binding_sibling(a));
	binding_del(&cache, a);
	assert_null(binding_find(&cache, key(1)));
	assert_ptr_equal(binding_find(&cache, other), b);
}

static void the_latest_sibling_is_the_first(void **state)
{
	struct binding *a = put(1, 11), *b = put(1, 12), *c = put(1, 13);

	(void)state;
	assert_ptr_equal(binding_find(&cache, key(1)), c);
	assert_ptr_equal(binding_sibling(c), b);
	assert_ptr_equal(binding_sibling(b), a);
	assert_null(binding_sibling(a));
	assert_int_equal(binding_cnt(c), 3);
	assert_ptr_equal(find(1, 11), a);
	assert_ptr_equal(find(1, 12), b);
	assert_ptr_equal(find(1, 13), c);
	assert_int_equal(walk_all(), 3);
}

/* The table grows meanwhile, and moves them. */
static void siblings_stay_in_their_order_among_very_many(void **state)
{
	struct binding *b;
	uint32_t home, i;

	(void)state;
	for (i = 0; i < 4; i++)
		for (home = 0; home < 1000; home++)
			put(home, i);
	for (home = 0; home < 1000; home++) {
		b = binding_find(&cache, key(home));
		for (i = 4; i-- > 0; b = binding_sibling(b))
			assert_int_equal(addr_host(b->care_of), i);
		assert_null(b);
	}
	assert_int_equal(walk_all(), 4000);
}

/* All orders in which three siblings can go. */
static void siblings_go_in_any_order(void **state)
{
	static const unsigned int orders[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
						  { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	size_t i, j, k;

	(void)state;
	for (i = 0; i < 6; i++) {
		struct binding *b[3];

		put(2, 99);
		for (j = 0; j < 3; j++)
			b[j] = put(1, 11 + (uint32_t)j);
		for (j = 0; j < 3; j++) {
			binding_del(&cache, b[orders[i][j]]);
			assert_null(find(1, 11 + orders[i][j]));
			for (k = j + 1; k < 3; k++)
				assert_ptr_equal(find(1, 11 + orders[i][k]), b[orders[i][k]]);
			assert_int_equal(binding_cnt(binding_find(&cache, key(1))), 2 - j);
			walk_all();
		}
		assert_null(binding_find(&cache, key(1)));
		binding_del(&cache, find(2, 99));
		assert_int_equal(walk_all(), 0);
	}
}

static void a_hundred_thousand_are_put_found_and_deleted(void **state)
{
	struct binding_cache big;
	struct binding **b = calloc(MANY, sizeof(*b));
	uint32_t i, n;

	(void)state;
	assert_non_null(b);
	assert_int_equal(binding_cache_init(&big, MANY), 0);
	for (i = 0; i < MANY; i++) {
		b[i] = binding_put(&big, key(0x0a000000 + i), addr_from_host(i));
		assert_non_null(b[i]);
	}
	assert_int_equal(big.cnt, MANY);
	for (i = 0; i < MANY; i++)
		assert_ptr_equal(binding_find(&big, key(0x0a000000 + i)), b[i]);
	assert_null(binding_find(&big, key(0x0a000000 + MANY)));
	/* Every third goes, from all over. */
	for (i = 0, n = 0; i < MANY; i += 3, n++)
		binding_del(&big, b[i]);
	assert_int_equal(big.cnt, MANY - n);
	for (i = 0; i < MANY; i++)
		assert_ptr_equal(binding_find(&big, key(0x0a000000 + i)), i % 3 ? b[i] : NULL);
	/* And comes back. */
	for (i = 0; i < MANY; i += 3)
		assert_non_null(binding_put(&big, key(0x0a000000 + i), addr_from_host(i)));
	assert_int_equal(big.cnt, MANY);
	binding_cache_done(&big);
	free(b);
}

static void many_siblings_and_keys_in_any_order(void **state)
{
	unsigned int seed = 7, round;
	bool there[64][4] = { { false } };
	size_t cnt = 0;

	(void)state;
	for (round = 0; round < 20000; round++) {
		uint32_t home, care_of;
		bool *is;

		seed = seed * 1103515245u + 12345u;
		home = seed >> 16 & 63;
		care_of = seed >> 24 & 3;
		is = &there[home][care_of];
		assert_int_equal(find(home, care_of) != NULL, *is);
		if (*is) {
			binding_del(&cache, find(home, care_of));
			cnt--;
		} else {
			put(home, care_of);
			cnt++;
		}
		*is = !*is;
		assert_int_equal(cache.cnt, cnt);
		if (round % 1000 == 0)
			walk_all();
	}
}

static void remaining_seconds_are_rounded_up(void **state)
{
	struct binding *b = put(1, 2);

	(void)state;
	b->expires_ms = 10000;
	assert_int_equal(binding_remaining_s(b, 0), 10);
	assert_int_equal(binding_remaining_s(b, 1), 10);
	assert_int_equal(binding_remaining_s(b, 999), 10);
	assert_int_equal(binding_remaining_s(b, 1000), 9);
	assert_int_equal(binding_remaining_s(b, 9999), 1);
	assert_int_equal(binding_remaining_s(b, 10000), 0);
	assert_int_equal(binding_remaining_s(b, 10001), 0);
	assert_int_equal(binding_remaining_s(b, UINT64_MAX - 1), 0);
	assert_false(binding_is_expired(b, 9999));
	assert_true(binding_is_expired(b, 10000));
	b->expires_ms = BINDING_NEVER_MS;
	assert_int_equal(binding_remaining_s(b, 1ull << 50), 0xffff);
	assert_false(binding_is_expired(b, 1ull << 50));
}

#define cache_test(f) cmocka_unit_test_setup_teardown(f, open_cache, close_cache)

static void set_peer(struct binding *b, uint32_t peer)
{
	const struct binding_tunnel tunnel = { .peer = addr_from_host(peer) };

	binding_set_tunnel(&cache, b, &tunnel);
}

/* The bindings whose tunnels end there, the list's links whole; returns how many. */
static size_t walk_peer(uint32_t peer)
{
	struct binding *b = binding_find_peer(&cache, addr_from_host(peer)), *before = NULL;
	size_t cnt = 0;

	for (; b; before = b, b = b->peer_next) {
		assert_int_equal(addr_host(b->tunnel.peer), peer);
		assert_int_equal(b->is_first_of_peer, before == NULL);
		if (before)
			assert_ptr_equal(b->peer_prev, before);
		cnt++;
	}
	return cnt;
}

static void a_binding_is_found_by_where_its_tunnel_ends(void **state)
{
	struct binding *a = put(1, 100), *b = put(2, 100), *c = put(3, 101);

	(void)state;
	assert_int_equal(walk_peer(100), 0); /* no tunnel has been set */
	set_peer(a, 100);
	set_peer(b, 100);
	set_peer(c, 101);
	assert_int_equal(walk_peer(100), 2);
	assert_ptr_equal(binding_find_peer(&cache, addr_from_host(101)), c);
	set_peer(c, 101); /* a renewal */
	assert_int_equal(walk_peer(101), 1);
	set_peer(b, 101); /* a move */
	assert_int_equal(walk_peer(100), 1);
	assert_int_equal(walk_peer(101), 2);
	assert_int_equal(walk_peer(102), 0);
}

/* First, last and between, from lists of every length up to five. */
static void a_binding_that_ends_is_no_longer_found_by_its_tunnel(void **state)
{
	struct binding *all[5];
	size_t cnt, i, gone;

	(void)state;
	for (cnt = 1; cnt <= 5; cnt++) {
		for (gone = 0; gone < cnt; gone++) {
			for (i = 0; i < cnt; i++) {
				all[i] = put((uint32_t)i + 1, 100);
				set_peer(all[i], 100);
			}
			binding_del(&cache, all[gone]);
			assert_int_equal(walk_peer(100), cnt - 1);
			for (i = 0; i < cnt; i++)
				if (i != gone)
					binding_del(&cache, all[i]);
			assert_int_equal(walk_peer(100), 0);
			assert_int_equal(cache.by_peer.cnt, 0);
		}
	}
}

static void whom_a_node_has_sent_to_is_known_as_long_as_its_key_is_bound(void **state)
{
	const struct in_addr gateway = addr_from_host(0xc6336409), other = addr_from_host(1);
	struct binding *first = put(7, 1), *second;

	(void)state;
	assert_false(binding_has_contact(NULL, gateway));
	assert_false(binding_has_contact(first, gateway));
	assert_int_equal(binding_add_contact(first, gateway), 0);
	assert_int_equal(binding_add_contact(first, gateway), 0);
	assert_int_equal(binding_contacts_of(first)->cnt, 1);
	assert_true(binding_has_contact(first, gateway));
	assert_false(binding_has_contact(first, other));

	second = put(7, 2); /* it moves */
	assert_true(binding_has_contact(second, gateway));
	binding_del(&cache, first);
	assert_true(binding_has_contact(second, gateway));
	first = put(7, 3); /* one more, and back to one */
	binding_del(&cache, first);
	assert_true(binding_has_contact(second, gateway));
	binding_del(&cache, second);
	assert_false(binding_has_contact(put(7, 4), gateway));
	assert_false(binding_has_contact(put(8, 4), gateway));
}

static void of_too_many_contacts_the_first_is_forgotten(void **state)
{
	struct binding *b = put(7, 1);
	uint32_t i;

	(void)state;
	for (i = 0; i <= BINDING_CONTACT_MAX; i++)
		assert_int_equal(binding_add_contact(b, addr_from_host(100 + i)), 0);
	assert_int_equal(binding_contacts_of(b)->cnt, BINDING_CONTACT_MAX);
	assert_false(binding_has_contact(b, addr_from_host(100)));
	for (i = 1; i <= BINDING_CONTACT_MAX; i++)
		assert_true(binding_has_contact(b, addr_from_host(100 + i)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cache_test(an_empty_cache_finds_nothing),
		cache_test(a_new_binding_is_zeroed_but_for_its_key),
		cache_test(home_agents_tell_bindings_apart),
		cache_test(the_latest_sibling_is_the_first),
		cache_test(siblings_stay_in_their_order_among_very_many),
		cache_test(siblings_go_in_any_order),
		cache_test(a_hundred_thousand_are_put_found_and_deleted),
		cache_test(many_siblings_and_keys_in_any_order),
		cache_test(remaining_seconds_are_rounded_up),
		cache_test(a_binding_is_found_by_where_its_tunnel_ends),
		cache_test(a_binding_that_ends_is_no_longer_found_by_its_tunnel),
		cache_test(whom_a_node_has_sent_to_is_known_as_long_as_its_key_is_bound),
		cache_test(of_too_many_contacts_the_first_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

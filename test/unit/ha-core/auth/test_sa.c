/* SPDX-License-Identifier: BSD-2-Clause */
/* Security associations: finding peers by address and by name, and what may stand twice. */
#include "ha-core/auth/sa.h"

#include "common/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct sa_table table;

static int open_table(void **state)
{
	(void)state;
	return sa_table_init(&table, 4);
}

static int close_table(void **state)
{
	(void)state;
	sa_table_done(&table);
	return 0;
}

static struct sa_peer *put(uint32_t addr, const char *nai)
{
	struct sa_peer *peer = NULL;

	assert_int_equal(sa_peer_put(&table, addr_from_host(addr), nai, &peer), 0);
	assert_non_null(peer);
	return peer;
}

static struct sa_peer *by_nai(const char *nai)
{
	return sa_peer_find_nai(&table, (const uint8_t *)nai, strlen(nai));
}

static struct sa_peer *by_addr(uint32_t addr)
{
	return sa_peer_find(&table, addr_from_host(addr));
}

static void an_empty_table_finds_nobody(void **state)
{
	(void)state;
	assert_null(by_addr(0x0a000001));
	assert_null(by_addr(0));
	assert_null(by_nai("alice@corp.example"));
	assert_null(by_nai(""));
}

static void a_peer_is_found_by_address_and_by_name(void **state)
{
	struct sa_peer *alice = put(0x0a320007, "alice@corp.example");
	struct sa_peer *bob = put(0x0a320008, NULL);
	struct sa_peer *carol = put(0, "carol@corp.example");

	(void)state;
	assert_ptr_equal(by_addr(0x0a320007), alice);
	assert_ptr_equal(by_nai("alice@corp.example"), alice);
	assert_ptr_equal(by_addr(0x0a320008), bob);
	assert_ptr_equal(by_nai("carol@corp.example"), carol);
	assert_null(by_addr(0));
	assert_null(by_addr(0x0a320009));
	assert_false(alice->is_dynamic);
	assert_true(carol->is_dynamic);
	assert_int_equal(table.cnt, 3);
}

static void peers_stand_in_the_order_in_which_they_came(void **state)
{
	struct sa_peer *a = put(3, NULL), *b = put(1, NULL), *c = put(2, NULL);

	(void)state;
	assert_ptr_equal(table.peers, a);
	assert_ptr_equal(a->next, b);
	assert_ptr_equal(b->next, c);
	assert_null(c->next);
}

/* RFC 4282 §2.4: the realm is a domain name, the user part belongs to the realm. */
static void case_counts_in_the_user_part_only(void **state)
{
	struct sa_peer *alice = put(1, "Alice@Corp.Example");

	(void)state;
	assert_ptr_equal(by_nai("Alice@corp.example"), alice);
	assert_ptr_equal(by_nai("Alice@CORP.EXAMPLE"), alice);
	assert_null(by_nai("alice@corp.example"));
	assert_null(by_nai("ALICE@Corp.Example"));
}

static void a_name_without_a_realm_is_compared_to_the_letter(void **state)
{
	struct sa_peer *alice = put(1, "alice");
	struct sa_peer *realm = put(2, "@corp.example");

	(void)state;
	assert_ptr_equal(by_nai("alice"), alice);
	assert_null(by_nai("Alice"));
	assert_ptr_equal(by_nai("@CORP.example"), realm);
}

static void the_realm_begins_behind_the_last_at(void **state)
{
	struct sa_peer *odd = put(1, "a@B@c.example");

	(void)state;
	assert_ptr_equal(by_nai("a@B@C.EXAMPLE"), odd);
	assert_null(by_nai("a@b@c.example"));
}

static void a_part_of_a_name_is_not_the_name(void **state)
{
	uint8_t long_nai[255];

	(void)state;
	put(1, "alice@corp.example");
	assert_null(by_nai("alice@corp.exampl"));
	assert_null(by_nai("alice@corp.example2"));
	assert_null(by_nai("lice@corp.example"));
	assert_null(by_nai("alice"));
	/* A zero octet ends nothing; the longest name of the wire is looked up in bounds. */
	assert_null(sa_peer_find_nai(&table, (const uint8_t *)"alice@corp.example\0x", 20));
	memset(long_nai, 'a', sizeof(long_nai));
	assert_null(sa_peer_find_nai(&table, long_nai, sizeof(long_nai)));
	long_nai[0] = '@';
	assert_null(sa_peer_find_nai(&table, long_nai, sizeof(long_nai)));
}

static void the_longest_name_is_255_octets(void **state)
{
	struct sa_peer *peer = NULL, *longest;
	char nai[257];

	(void)state;
	memset(nai, 'n', sizeof(nai));
	nai[255] = '\0';
	longest = put(1, nai);
	assert_ptr_equal(by_nai(nai), longest);
	nai[255] = 'n';
	nai[256] = '\0';
	assert_true(sa_peer_put(&table, addr_from_host(2), nai, &peer) < 0);
	assert_null(peer);
}

static void the_same_peer_again_is_the_same_peer(void **state)
{
	struct sa_peer *alice = put(0x0a320007, "alice@corp.example");

	(void)state;
	assert_ptr_equal(put(0x0a320007, "alice@corp.example"), alice);
	assert_ptr_equal(put(0x0a320007, "alice@CORP.example"), alice);
	assert_ptr_equal(put(0x0a320007, NULL), alice);
	assert_int_equal(table.cnt, 1);
}

static void an_address_or_a_name_belongs_to_one_peer(void **state)
{
	struct sa_peer *peer = NULL;

	(void)state;
	put(0x0a320007, "alice@corp.example");
	put(0x0a320008, "bob@corp.example");
	assert_int_equal(sa_peer_put(&table, addr_from_host(0x0a320007), "bob@corp.example", &peer),
			 ERR_DUPLICATE);
	assert_int_equal(sa_peer_put(&table, addr_from_host(0x0a320009), "bob@corp.example", &peer),
			 ERR_DUPLICATE);
	assert_int_equal(sa_peer_put(&table, addr_from_host(0x0a320007), "dave@corp.example",
				     &peer),
			 ERR_DUPLICATE);
	assert_null(peer);
	assert_int_equal(table.cnt, 2);
	assert_null(by_nai("dave@corp.example"));
}

static void a_dynamic_peer_is_found_by_the_address_it_was_given(void **state)
{
	struct sa_peer *carol = put(0, "carol@corp.example");

	(void)state;
	sa_peer_assign(&table, carol, addr_from_host(0x0a328001));
	assert_ptr_equal(by_addr(0x0a328001), carol);
	assert_ptr_equal(by_nai("carol@corp.example"), carol);
	assert_true(carol->is_dynamic);
}

static void a_peer_has_an_spi_once_and_keeps_their_order(void **state)
{
	struct sa_peer *alice = put(1, NULL), *bob = put(2, NULL);

	(void)state;
	assert_int_equal(sa_put(&table, alice, 300, MAC_HMAC_MD5, "key", 3, REPLAY_TIMESTAMP,
				REPLAY_SECONDS(7)),
			 0);
	assert_int_equal(sa_put(&table, alice, 256, MAC_HMAC_SHA256, "key", 3, REPLAY_NONCE, 0), 0);
	assert_int_equal(sa_put(&table, alice, 300, MAC_HMAC_MD5, "yek", 3, REPLAY_TIMESTAMP,
				REPLAY_SECONDS(7)),
			 ERR_DUPLICATE);
	assert_int_equal(sa_put(&table, bob, 300, MAC_HMAC_MD5, "key", 3, REPLAY_TIMESTAMP,
				REPLAY_SECONDS(7)),
			 0);

	assert_int_equal(alice->sas->spi, 300);
	assert_int_equal(alice->sas->next->spi, 256);
	assert_null(alice->sas->next->next);
	assert_int_equal(sa_find(alice, 300)->replay.style, REPLAY_TIMESTAMP);
	assert_true(sa_find(alice, 300)->replay.tolerance_s == 7);
	assert_int_equal(sa_find(alice, 256)->replay.style, REPLAY_NONCE);
	assert_int_equal(mac_algorithm(&sa_find(alice, 256)->mac), MAC_HMAC_SHA256);
	assert_null(sa_find(alice, 0));
	assert_null(sa_find(bob, 256));
	assert_ptr_not_equal(sa_find(alice, 300), sa_find(bob, 300));
}

static void a_key_that_is_none_adds_nothing(void **state)
{
	struct sa_peer *alice = put(1, NULL);

	(void)state;
	assert_true(sa_put(&table, alice, 256, MAC_HMAC_MD5, "", 0, REPLAY_TIMESTAMP, 0) < 0);
	assert_null(alice->sas);
	assert_null(sa_find(alice, 256));
}

/* Far more than the table was sized for: chains get longer, nothing else. */
static void many_peers_are_all_found(void **state)
{
	char nai[32];
	uint32_t i;

	(void)state;
	for (i = 1; i <= 20000; i++) {
		snprintf(nai, sizeof(nai), "n%u@corp.example", i);
		put(0x0a000000 + i, nai);
	}
	for (i = 1; i <= 20000; i += 37) {
		snprintf(nai, sizeof(nai), "n%u@Corp.Example", i);
		assert_non_null(by_addr(0x0a000000 + i));
		assert_ptr_equal(by_nai(nai), by_addr(0x0a000000 + i));
	}
	assert_null(by_nai("n20001@corp.example"));
}

static int put_previous(struct sa_peer *peer, uint32_t spi, size_t key_len)
{
	static const uint8_t key[MAC_KEY_MAX + 1] = "former";

	return sa_put_previous(&table, peer, spi, key, key_len, 7);
}

static void an_association_has_one_former_key(void **state)
{
	struct sa_peer *peer = put(0x0a320007, "alice@corp.example");
	const struct sa_previous *former;
	uint32_t spi;

	(void)state;
	for (spi = 256; spi < 258; spi++)
		assert_int_equal(sa_put(&table, peer, spi, MAC_HMAC_SHA1, "k", 1, REPLAY_NONCE, 0),
				 0);
	assert_null(sa_find_previous(peer, 256));
	assert_int_equal(put_previous(peer, 256, 6), 0);
	assert_int_equal(put_previous(peer, 257, 5), 0);
	assert_int_equal(put_previous(peer, 256, 6), ERR_DUPLICATE);
	former = sa_find_previous(peer, 256);
	assert_non_null(former);
	assert_int_equal(former->until_ntp, 7);
	assert_int_equal(mac_algorithm(&former->mac), MAC_HMAC_SHA1);
	assert_int_equal(former->mac.key_len, 6);
	assert_int_equal(sa_find_previous(peer, 257)->mac.key_len, 5);
	assert_null(sa_find_previous(put(0x0a320008, NULL), 256));
}

static void a_former_key_that_is_none_adds_nothing(void **state)
{
	struct sa_peer *peer = put(0x0a320007, NULL);

	(void)state;
	assert_int_equal(sa_put(&table, peer, 256, MAC_HMAC_MD5, "k", 1, REPLAY_NONCE, 0), 0);
	assert_int_equal(put_previous(peer, 257, 6), ERR_NOT_FOUND);
	assert_int_equal(put_previous(peer, 256, 0), ERR_INVALID);
	assert_int_equal(put_previous(peer, 256, MAC_KEY_MAX + 1), ERR_INVALID);
	assert_null(sa_find_previous(peer, 256));
}

#define table_test(f) cmocka_unit_test_setup_teardown(f, open_table, close_table)

int main(void)
{
	const struct CMUnitTest tests[] = {
		table_test(an_empty_table_finds_nobody),
		table_test(a_peer_is_found_by_address_and_by_name),
		table_test(peers_stand_in_the_order_in_which_they_came),
		table_test(case_counts_in_the_user_part_only),
		table_test(a_name_without_a_realm_is_compared_to_the_letter),
		table_test(the_realm_begins_behind_the_last_at),
		table_test(a_part_of_a_name_is_not_the_name),
		table_test(the_longest_name_is_255_octets),
		table_test(the_same_peer_again_is_the_same_peer),
		table_test(an_address_or_a_name_belongs_to_one_peer),
		table_test(a_dynamic_peer_is_found_by_the_address_it_was_given),
		table_test(a_peer_has_an_spi_once_and_keeps_their_order),
		table_test(a_key_that_is_none_adds_nothing),
		table_test(an_association_has_one_former_key),
		table_test(a_former_key_that_is_none_adds_nothing),
		table_test(many_peers_are_all_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

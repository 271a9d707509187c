/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Security associations: a list of a few for each peer, and two hash tables that find the peer.
 * Peers come and go with the configuration only; a request never allocates here.
 */
#include "ha-core/auth/sa.h"

#include "common/err.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int sa_table_init(struct sa_table *t, size_t expected)
{
	int rc;

	*t = (struct sa_table){ 0 };
	rc = hash_init(&t->by_addr, expected);
	if (rc < 0)
		return rc;
	rc = hash_init(&t->by_nai, expected);
	if (rc < 0)
		hash_done(&t->by_addr);
	return rc;
}

static void peer_free(struct sa_peer *peer)
{
	struct sa *sa, *next;

	for (sa = peer->sas; sa; sa = next) {
		next = sa->next;
		mac_free(sa->mac);
		if (sa->previous)
			mac_free(sa->previous->mac);
		free(sa->previous);
		free(sa);
	}
	service_list_free(peer->services);
	network_list_free(peer->networks);
	free(peer->nai);
	free(peer);
}

void sa_table_done(struct sa_table *t)
{
	struct sa_peer *peer, *next;

	for (peer = t->peers; peer; peer = next) {
		next = peer->next;
		peer_free(peer);
	}
	hash_done(&t->by_addr);
	hash_done(&t->by_nai);
	*t = (struct sa_table){ 0 };
}

static uint64_t addr_hash(const struct sa_table *t, struct in_addr addr)
{
	return hash_u64(&t->by_addr, addr.s_addr);
}

/* The user part is compared to the letter, the realm (from the last '@' on) without case. */
static size_t realm_offset(const uint8_t *nai, size_t len)
{
	const uint8_t *at = memrchr(nai, '@', len);

	return at ? (size_t)(at - nai) : len;
}

static uint64_t nai_hash(const struct sa_table *t, const uint8_t *nai, size_t len)
{
	uint8_t folded[256];
	size_t realm = realm_offset(nai, len);
	size_t i;

	for (i = 0; i < len && i < sizeof(folded); i++)
		folded[i] = i < realm ? nai[i] : (uint8_t)tolower(nai[i]);
	return hash_bytes(&t->by_nai, folded, i);
}

static bool nai_eq(const struct sa_peer *peer, const uint8_t *nai, size_t len)
{
	size_t realm = realm_offset(nai, len);
	size_t i;

	if (peer->nai_len != len || memcmp(peer->nai, nai, realm) != 0)
		return false;
	for (i = realm; i < len; i++)
		if (tolower(peer->nai[i]) != tolower(nai[i]))
			return false;
	return true;
}

struct sa_peer *sa_peer_find(const struct sa_table *t, struct in_addr addr)
{
	uint64_t h = addr_hash(t, addr);
	struct hash_node *n;
	struct sa_peer *peer;

	for (n = hash_first(&t->by_addr, h); n; n = hash_next(n, h)) {
		peer = hash_entry(n, struct sa_peer, by_addr);
		if (addr_eq(peer->addr, addr))
			return peer;
	}
	return NULL;
}

struct sa_peer *sa_peer_find_nai(const struct sa_table *t, const uint8_t *nai, size_t len)
{
	uint64_t h = nai_hash(t, nai, len);
	struct hash_node *n;
	struct sa_peer *peer;

	for (n = hash_first(&t->by_nai, h); n; n = hash_next(n, h)) {
		peer = hash_entry(n, struct sa_peer, by_nai);
		if (nai_eq(peer, nai, len))
			return peer;
	}
	return NULL;
}

void sa_peer_assign(struct sa_table *t, struct sa_peer *peer, struct in_addr addr)
{
	peer->addr = addr;
	hash_put(&t->by_addr, &peer->by_addr, addr_hash(t, addr));
}

void sa_peer_unassign(struct sa_table *t, struct sa_peer *peer)
{
	hash_del(&t->by_addr, &peer->by_addr);
	peer->addr = (struct in_addr){ INADDR_ANY };
}

static int peer_new(struct sa_table *t, struct in_addr addr, const char *nai, size_t nai_len,
		    struct sa_peer **ret_peer)
{
	struct sa_peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		return -ENOMEM;
	if (nai) {
		peer->nai = malloc(nai_len);
		if (!peer->nai) {
			free(peer);
			return -ENOMEM;
		}
		memcpy(peer->nai, nai, nai_len);
		peer->nai_len = (uint8_t)nai_len;
		hash_put(&t->by_nai, &peer->by_nai, nai_hash(t, peer->nai, nai_len));
	}
	if (addr_is_any(addr))
		peer->is_dynamic = true;
	else
		sa_peer_assign(t, peer, addr);
	if (t->last)
		t->last->next = peer;
	else
		t->peers = peer;
	t->last = peer;
	t->cnt++;
	*ret_peer = peer;
	return 0;
}

int sa_peer_put(struct sa_table *t, struct in_addr addr, const char *nai, struct sa_peer **ret_peer)
{
	size_t nai_len = nai ? strlen(nai) : 0;
	struct sa_peer *by_addr = addr_is_any(addr) ? NULL : sa_peer_find(t, addr);
	struct sa_peer *by_nai = nai ? sa_peer_find_nai(t, (const uint8_t *)nai, nai_len) : NULL;

	if (nai_len > UINT8_MAX || (nai && nai_len == 0) || (!nai && addr_is_any(addr)))
		return ERR_INVALID;
	if (!by_addr && !by_nai)
		return peer_new(t, addr, nai, nai_len, ret_peer);
	/* A further association of a known peer: what both lines name must agree. */
	if (by_addr && nai && by_nai != by_addr)
		return ERR_DUPLICATE;
	if (by_nai && !addr_is_any(addr) && by_addr != by_nai)
		return ERR_DUPLICATE;
	*ret_peer = by_addr ? by_addr : by_nai;
	return 0;
}

struct sa *sa_find(const struct sa_peer *peer, uint32_t spi)
{
	struct sa *sa = peer->sas;

	while (sa && sa->spi != spi)
		sa = sa->next;
	return sa;
}

int sa_put(struct sa_peer *peer, uint32_t spi, enum mac_algorithm alg, const void *key,
	   size_t key_len, enum replay_style style, uint64_t tolerance_ntp)
{
	struct sa **tail = &peer->sas;
	struct sa *sa;
	int rc;

	if (sa_find(peer, spi))
		return ERR_DUPLICATE;
	sa = calloc(1, sizeof(*sa));
	if (!sa)
		return -ENOMEM;
	rc = mac_new(alg, key, key_len, &sa->mac);
	if (rc < 0) {
		free(sa);
		return rc;
	}
	sa->spi = spi;
	sa->replay.style = style;
	sa->replay.tolerance_ntp = tolerance_ntp;
	while (*tail)
		tail = &(*tail)->next;
	*tail = sa;
	return 0;
}

int sa_put_previous(struct sa *sa, const void *key, size_t key_len, uint64_t until_ntp)
{
	struct sa_previous *previous;
	int rc;

	if (sa->previous)
		return ERR_DUPLICATE;
	previous = calloc(1, sizeof(*previous));
	if (!previous)
		return -ENOMEM;
	rc = mac_new(mac_algorithm(sa->mac), key, key_len, &previous->mac);
	if (rc < 0) {
		free(previous);
		return rc;
	}
	previous->until_ntp = until_ntp;
	sa->previous = previous;
	return 0;
}

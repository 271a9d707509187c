/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Security associations: a list of a few for each peer, and two hash tables that find the peer.
 * Peers come and go with the configuration only, all together: so they lie in an arena. A request
 * allocates nothing here but the account of the first denial that a node ever gets.
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

void sa_table_done(struct sa_table *t)
{
	struct sa_peer *peer;

	for (peer = t->peers; peer; peer = peer->next)
		if (peer->more) {
			service_list_free(peer->more->services);
			network_list_free(peer->more->networks);
		}
	arena_done(&t->arena);
	order_done(&t->order);
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

static bool nai_eq(const struct sa_more *more, const uint8_t *nai, size_t len)
{
	size_t realm = realm_offset(nai, len);
	size_t i;

	if (more->nai_len != len || memcmp(more->nai, nai, realm) != 0)
		return false;
	for (i = realm; i < len; i++)
		if (tolower(more->nai[i]) != tolower(nai[i]))
			return false;
	return true;
}

struct sa_peer *sa_peer_find(const struct sa_table *t, struct in_addr addr)
{
	uint64_t h = addr_hash(t, addr);
	struct hash_link *n;
	struct sa_peer *peer;

	for (n = hash_link_first(&t->by_addr, h); n; n = n->next) {
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
	struct sa_more *more;

	for (n = hash_first(&t->by_nai, h); n; n = hash_next(n, h)) {
		more = hash_entry(n, struct sa_more, by_nai);
		if (nai_eq(more, nai, len))
			return more->peer;
	}
	return NULL;
}

void sa_peer_assign(struct sa_table *t, struct sa_peer *peer, struct in_addr addr)
{
	peer->addr = addr;
	hash_link_put(&t->by_addr, &peer->by_addr, addr_hash(t, addr));
	(void)order_put(&t->order, addr_host(addr));
}

void sa_peer_unassign(struct sa_table *t, struct sa_peer *peer)
{
	hash_link_del(&t->by_addr, &peer->by_addr, addr_hash(t, peer->addr));
	order_del(&t->order, addr_host(peer->addr));
	peer->addr = (struct in_addr){ INADDR_ANY };
}

static struct sa_more *more_new(struct sa_table *t, struct sa_peer *peer, const char *nai,
				size_t nai_len)
{
	struct sa_more *more = arena_get(&t->arena, offsetof(struct sa_more, nai) + nai_len);

	if (!more)
		return NULL;
	more->peer = peer;
	more->nai_len = (uint8_t)nai_len;
	if (nai_len > 0) {
		memcpy(more->nai, nai, nai_len);
		hash_put(&t->by_nai, &more->by_nai, nai_hash(t, more->nai, nai_len));
	}
	peer->more = more;
	return more;
}

struct sa_more *sa_peer_more(struct sa_table *t, struct sa_peer *peer)
{
	return peer->more ? peer->more : more_new(t, peer, NULL, 0);
}

struct sa_denials *sa_peer_denials(struct sa_table *t, struct sa_peer *peer)
{
	if (!peer->denials)
		peer->denials = arena_get(&t->arena, sizeof(*peer->denials));
	return peer->denials;
}

static int peer_new(struct sa_table *t, struct in_addr addr, const char *nai, size_t nai_len,
		    struct sa_peer **ret_peer)
{
	struct sa_peer *peer = arena_get(&t->arena, sizeof(*peer));

	if (!peer || (nai && !more_new(t, peer, nai, nai_len)))
		return -ENOMEM;
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

int sa_put(struct sa_table *t, struct sa_peer *peer, uint32_t spi, enum mac_algorithm alg,
	   const void *key, size_t key_len, enum replay_style style, uint64_t tolerance_ntp)
{
	struct sa **tail = &peer->sas;
	struct sa *sa;
	int rc;

	if (sa_find(peer, spi))
		return ERR_DUPLICATE;
	if (key_len > MAC_KEY_MAX)
		return ERR_INVALID;
	sa = arena_get(&t->arena, offsetof(struct sa, mac) + mac_size(key_len));
	if (!sa)
		return -ENOMEM;
	rc = mac_init(&sa->mac, alg, key, key_len);
	if (rc < 0)
		return rc;
	sa->spi = spi;
	sa->replay.style = style;
	sa->replay.tolerance_s = (uint16_t)(tolerance_ntp >> 32);
	while (*tail)
		tail = &(*tail)->next;
	*tail = sa;
	return 0;
}

const struct sa_previous *sa_find_previous(const struct sa_peer *peer, uint32_t spi)
{
	const struct sa_previous *previous = peer->more ? peer->more->previous : NULL;

	while (previous && previous->spi != spi)
		previous = previous->next;
	return previous;
}

int sa_put_previous(struct sa_table *t, struct sa_peer *peer, uint32_t spi, const void *key,
		    size_t key_len, uint64_t until_ntp)
{
	const struct sa *sa = sa_find(peer, spi);
	struct sa_more *more = sa_peer_more(t, peer);
	struct sa_previous *previous;
	int rc;

	if (!sa)
		return ERR_NOT_FOUND;
	if (sa_find_previous(peer, spi))
		return ERR_DUPLICATE;
	if (key_len > MAC_KEY_MAX)
		return ERR_INVALID;
	previous =
		more ? arena_get(&t->arena, offsetof(struct sa_previous, mac) + mac_size(key_len))
		     : NULL;
	if (!previous)
		return -ENOMEM;
	rc = mac_init(&previous->mac, mac_algorithm(&sa->mac), key, key_len);
	if (rc < 0)
		return rc;
	previous->spi = spi;
	previous->until_ntp = until_ntp;
	previous->next = more->previous;
	more->previous = previous;
	return 0;
}

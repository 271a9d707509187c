/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Security associations: a list of a few for each peer, and two hash tables that find the peer.
 * Peers come and go with the configuration only, at a start all together: so they lie in an arena.
 * A request allocates nothing here but the account of the first denial that a node ever gets.
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
	rc = hash_init(&t->by_addr, expected / 2);
	if (rc < 0)
		return rc;
	rc = hash_init(&t->by_nai, 0); /* most have none, or all have: it grows */
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

static uint64_t link_hash(const struct hash *t, const struct hash_link *link)
{
	return hash_u64(t, hash_entry(link, struct sa_peer, by_addr)->addr.s_addr);
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

void sa_peer_fetch(const struct sa_table *t, struct in_addr addr, unsigned int step)
{
	const struct sa_peer *peer;

	if (step < SA_FETCH_STEPS - 1) {
		hash_link_fetch(&t->by_addr, addr_hash(t, addr), offsetof(struct sa_peer, by_addr),
				sizeof(*peer), step);
		return;
	}
	peer = sa_peer_find(t, addr);
	if (peer && peer->sas) {
		__builtin_prefetch(peer->sas);
		__builtin_prefetch(&peer->sas->mac); /* the key may be in the next line */
	}
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
	hash_link_grow(&t->by_addr, link_hash);
	(void)order_put(&t->order, addr_host(addr));
}

void sa_peer_unassign(struct sa_table *t, struct sa_peer *peer)
{
	hash_link_del(&t->by_addr, &peer->by_addr, addr_hash(t, peer->addr));
	order_del(&t->order, addr_host(peer->addr));
	peer->addr = (struct in_addr){ INADDR_ANY };
}

static size_t more_size(size_t nai_len)
{
	return offsetof(struct sa_more, nai) + nai_len;
}

/* Not in the table yet. */
static struct sa_more *more_get(struct sa_table *t, struct sa_peer *peer, const uint8_t *nai,
				size_t nai_len)
{
	struct sa_more *more = arena_get(&t->arena, more_size(nai_len));

	if (!more)
		return NULL;
	more->peer = peer;
	more->nai_len = (uint8_t)nai_len;
	if (nai_len > 0)
		memcpy(more->nai, nai, nai_len);
	return more;
}

static void more_attach(struct sa_table *t, struct sa_peer *peer, struct sa_more *more)
{
	/* A denial may make one while a thread compares: that finds it whole, or not at all. */
	__atomic_store_n(&peer->more, more, __ATOMIC_RELEASE);
	if (more && more->nai_len > 0)
		hash_put(&t->by_nai, &more->by_nai, nai_hash(t, more->nai, more->nai_len));
}

static struct sa_more *more_new(struct sa_table *t, struct sa_peer *peer, const uint8_t *nai,
				size_t nai_len)
{
	struct sa_more *more = more_get(t, peer, nai, nai_len);

	if (more)
		more_attach(t, peer, more);
	return more;
}

struct sa_more *sa_peer_more(struct sa_table *t, struct sa_peer *peer)
{
	return peer->more ? peer->more : more_new(t, peer, NULL, 0);
}

struct sa_denials *sa_peer_denials(struct sa_table *t, struct sa_peer *peer)
{
	struct sa_more *more = sa_peer_more(t, peer);

	if (more && !more->denials)
		more->denials = arena_get(&t->arena, sizeof(*more->denials));
	return more ? more->denials : NULL;
}

struct sa_shared *sa_peer_shared(struct sa_table *t, struct sa_peer *peer)
{
	if (!peer->shared)
		peer->shared = arena_get(&t->arena, sizeof(*peer->shared));
	return peer->shared;
}

struct sa_peer *sa_peer_add(struct sa_table *t, struct in_addr addr, const uint8_t *nai,
			    size_t nai_len)
{
	struct sa_peer *peer = arena_get(&t->arena, sizeof(*peer));

	if (!peer || (nai && !more_new(t, peer, nai, nai_len))) {
		arena_put(&t->arena, peer, sizeof(*peer));
		return NULL;
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
	return peer;
}

int sa_peer_put(struct sa_table *t, struct in_addr addr, const char *nai, struct sa_peer **ret_peer)
{
	size_t nai_len = nai ? strlen(nai) : 0;
	struct sa_peer *by_addr = addr_is_any(addr) ? NULL : sa_peer_find(t, addr);
	struct sa_peer *by_nai = nai ? sa_peer_find_nai(t, (const uint8_t *)nai, nai_len) : NULL;

	if (nai_len > UINT8_MAX || (nai && nai_len == 0) || (!nai && addr_is_any(addr)))
		return ERR_INVALID;
	if (!by_addr && !by_nai) {
		by_addr = sa_peer_add(t, addr, (const uint8_t *)nai, nai_len);
		if (!by_addr)
			return -ENOMEM;
		*ret_peer = by_addr;
		return 0;
	}
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

/* --- a walk --- */

static void walk_bucket(const struct sa_table *t, const struct sa_walk *walk,
			void (*fn)(void *ctx, const struct sa_peer *peer), void *ctx)
{
	const struct hash_link *link;
	const struct hash_node *n;
	const struct sa_peer *peer;

	if (walk->has_addr) {
		for (link = hash_link_bucket(&t->by_addr, walk->bucket); link; link = link->next)
			fn(ctx, hash_entry(link, struct sa_peer, by_addr));
		return;
	}
	for (n = hash_bucket(&t->by_nai, walk->bucket); n; n = n->next) {
		peer = hash_entry(n, struct sa_more, by_nai)->peer;
		if (addr_is_any(peer->addr))
			fn(ctx, peer);
	}
}

bool sa_walk_some(const struct sa_table *t, struct sa_walk *walk, size_t bucket_cnt,
		  void (*fn)(void *ctx, const struct sa_peer *peer), void *ctx)
{
	const struct hash *h = walk->has_addr ? &t->by_addr : &t->by_nai;

	for (; bucket_cnt > 0 && walk->bucket <= h->last; bucket_cnt--, walk->bucket++)
		walk_bucket(t, walk, fn, ctx);
	if (walk->bucket <= h->last)
		return true;
	if (walk->has_addr)
		return false;
	*walk = (struct sa_walk){ .has_addr = true };
	return true;
}

/* --- one by one --- */

static size_t sa_size(const struct sa *sa)
{
	return offsetof(struct sa, mac) + mac_size(sa->mac.key_len);
}

static size_t previous_size(const struct sa_previous *previous)
{
	return offsetof(struct sa_previous, mac) + mac_size(previous->mac.key_len);
}

static void put_sas(struct sa_table *t, struct sa *sa)
{
	struct sa *next;

	for (; sa; sa = next) {
		next = sa->next;
		arena_put(&t->arena, sa, sa_size(sa));
	}
}

static void put_previous(struct sa_table *t, struct sa_previous *previous)
{
	struct sa_previous *next;

	for (; previous; previous = next) {
		next = previous->next;
		arena_put(&t->arena, previous, previous_size(previous));
	}
}

static void put_more(struct sa_table *t, struct sa_more *more)
{
	if (!more)
		return;
	service_list_free(more->services);
	network_list_free(more->networks);
	put_previous(t, more->previous);
	arena_put(&t->arena, more->denials, sizeof(*more->denials));
	arena_put(&t->arena, more, more_size(more->nai_len));
}

/* Of a peer that goes on: its place among the leases that nobody uses, and its denials. */
static void carry_over_more(struct sa_more *more, struct sa_more *old)
{
	more->is_idle = old->is_idle;
	more->idle_prev = old->idle_prev;
	more->idle_next = old->idle_next;
	more->denials = old->denials;
	old->denials = NULL;
}

static void detach_more(struct sa_table *t, struct sa_peer *peer)
{
	if (sa_peer_nai(peer))
		hash_del(&t->by_nai, &peer->more->by_nai);
	peer->more = NULL;
}

void sa_peer_del(struct sa_table *t, struct sa_peer *before, struct sa_peer *peer)
{
	struct sa_more *more = peer->more;

	if (!addr_is_any(peer->addr))
		sa_peer_unassign(t, peer);
	detach_more(t, peer);
	*(before ? &before->next : &t->peers) = peer->next;
	if (t->last == peer)
		t->last = before;
	t->cnt--;
	put_more(t, more);
	put_sas(t, peer->sas);
	arena_put(&t->arena, peer->shared, sizeof(*peer->shared));
	arena_put(&t->arena, peer, sizeof(*peer));
}

/* In the order in which they are there. */
static int copy_sas(struct sa_table *t, const struct sa *from, struct sa **ret_sas)
{
	struct sa *sas = NULL, **tail = &sas;

	for (; from; from = from->next) {
		*tail = arena_get(&t->arena, sa_size(from));
		if (!*tail) {
			put_sas(t, sas);
			return -ENOMEM;
		}
		memcpy(*tail, from, sa_size(from));
		(*tail)->next = NULL;
		tail = &(*tail)->next;
	}
	*ret_sas = sas;
	return 0;
}

static int copy_previous(struct sa_table *t, const struct sa_previous *from,
			 struct sa_previous **ret_previous)
{
	struct sa_previous *list = NULL, **tail = &list;

	for (; from; from = from->next) {
		*tail = arena_get(&t->arena, previous_size(from));
		if (!*tail) {
			put_previous(t, list);
			return -ENOMEM;
		}
		memcpy(*tail, from, previous_size(from));
		(*tail)->next = NULL;
		tail = &(*tail)->next;
	}
	*ret_previous = list;
	return 0;
}

/* As what is NULL. */
static const struct sa_more nothing_more;

static int copy_more(struct sa_table *t, struct sa_peer *peer, const struct sa_more *from,
		     struct sa_more **ret_more)
{
	struct sa_more *more = NULL;

	if (!from && sa_peer_denied(peer))
		from = &nothing_more;
	if (from) {
		more = more_get(t, peer, from->nai, from->nai_len);
		if (!more)
			return -ENOMEM;
		more->must_select = from->must_select;
		if (copy_previous(t, from->previous, &more->previous) < 0) {
			put_more(t, more);
			return -ENOMEM;
		}
	}
	*ret_more = more;
	return 0;
}

/* What was heard before must not be heard again behind it. */
static void carry_over_replay(struct sa *sas, const struct sa_peer *peer)
{
	const struct sa *known;

	for (; sas; sas = sas->next) {
		known = sa_find(peer, sas->spi);
		if (!known || known->replay.style != sas->replay.style)
			continue;
		sas->replay.seen = known->replay.seen;
		sas->replay.last_ident = known->replay.last_ident;
		sas->replay.nonce = known->replay.nonce;
	}
}

/* Services and networks are on the heap, and change hands. */
static void move_lists(struct sa_peer *peer, struct sa_more *more, struct sa_more *from)
{
	size_t i;

	if (!more || !from)
		return;
	more->services = from->services;
	more->networks = from->networks;
	from->services = NULL;
	from->networks = NULL;
	for (i = 0; more->networks && i < more->networks->cnt; i++)
		more->networks->networks[i].node = peer;
}

int sa_peer_prepare(struct sa_table *t, struct sa_peer *peer, const struct sa_peer *from,
		    struct sa_parts *ret_parts)
{
	struct sa_parts parts;
	int rc;

	rc = copy_sas(t, from->sas, &parts.sas);
	if (rc < 0)
		return rc;
	rc = copy_more(t, peer, from->more, &parts.more);
	if (rc < 0) {
		put_sas(t, parts.sas);
		return rc;
	}
	*ret_parts = parts;
	return 0;
}

void sa_peer_commit(struct sa_table *t, struct sa_peer *peer, struct sa_peer *from,
		    const struct sa_parts *parts)
{
	struct sa_more *more = parts->more, *old = peer->more;

	carry_over_replay(parts->sas, peer);
	put_sas(t, peer->sas);
	peer->sas = parts->sas;
	move_lists(peer, more, from->more);
	if (more && old)
		carry_over_more(more, old);
	detach_more(t, peer);
	more_attach(t, peer, more);
	put_more(t, old);
}

/* --- comparing: nothing that the loop writes meanwhile may be looked at --- */

static bool same_mac(const struct mac *a, const struct mac *b)
{
	return a->alg == b->alg && a->key_len == b->key_len &&
	       memcmp(a->key, b->key, a->key_len) == 0;
}

static bool same_sas(const struct sa *a, const struct sa *b)
{
	for (; a && b; a = a->next, b = b->next)
		if (a->spi != b->spi || a->replay.style != b->replay.style ||
		    a->replay.tolerance_s != b->replay.tolerance_s || !same_mac(&a->mac, &b->mac))
			return false;
	return a == b;
}

static bool same_previous(const struct sa_previous *a, const struct sa_previous *b)
{
	for (; a && b; a = a->next, b = b->next)
		if (a->spi != b->spi || a->until_ntp != b->until_ntp || !same_mac(&a->mac, &b->mac))
			return false;
	return a == b;
}

static bool same_services(const struct service *a, const struct service *b)
{
	for (; a && b; a = a->next, b = b->next)
		if (a->len != b->len || memcmp(a->name, b->name, a->len) != 0)
			return false;
	return a == b;
}

static bool same_more(const struct sa_more *a, const struct sa_more *b)
{
	if (!a)
		a = &nothing_more;
	if (!b)
		b = &nothing_more;
	return a->nai_len == b->nai_len && memcmp(a->nai, b->nai, a->nai_len) == 0 &&
	       a->must_select == b->must_select && same_services(a->services, b->services) &&
	       same_previous(a->previous, b->previous) &&
	       network_list_same(a->networks, b->networks);
}

bool sa_peer_same(const struct sa_peer *a, const struct sa_peer *b)
{
	return a->is_dynamic == b->is_dynamic && same_more(a->more, b->more) &&
	       same_sas(a->sas, b->sas);
}

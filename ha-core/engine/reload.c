/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A new configuration in a running engine. ha_reload.c reads it into an engine of its own, compares
 * in a thread, and carries the difference out in the loop.
 *
 * Who is who? A mobile node with a home address of its own is known by that, one with a dynamic
 * address by its NAI. One that was of the one kind and is of the other is the same if the NAI is:
 * an operator has made its lease its own, or the other way round.
 *
 * Objects: a mobile node that has changed stays the same struct sa_peer, so that bindings, leases
 * and counters stay where they are; its associations are replaced. What of the new engine is used
 * is copied, or moved out of it. Those that are gone go first, then changes, then who is new: an
 * NAI or an address that changes hands is free by then, or is taken from who had it.
 *
 * The foreign agents, few as they are, change all at once; the new engine holds those of before,
 * and their keys, by which the bindings that end with them are revoked (RFC 3543 §3.3).
 */
#include "ha-core/engine/reload.h"

#include "common/err.h"
#include "ha-core/engine/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SWAP(a, b)                        \
	do {                              \
		__typeof__(a) swap = (a); \
		(a) = (b);                \
		(b) = swap;               \
	} while (0)

/* --- what has changed --- */

static int note(struct reload_changes *c, struct sa_peer *peer, struct sa_peer *other)
{
	size_t room = c->room ? 2 * c->room : 64;
	struct reload_change *list;

	if (c->cnt == c->room) {
		list = reallocarray(c->list, room, sizeof(*list));
		if (!list)
			return -ENOMEM;
		c->list = list;
		c->room = room;
	}
	c->list[c->cnt++] = (struct reload_change){ peer, other };
	return 0;
}

/* Of a dynamic peer its address is the loop's: it comes and goes. */
static struct sa_peer *same_address(const struct engine *fresh, const struct sa_peer *peer)
{
	return peer->is_dynamic ? NULL : sa_peer_find(&fresh->nodes, peer->addr);
}

static struct sa_peer *same_name(const struct engine *fresh, const struct sa_peer *peer)
{
	struct sa_peer *from = NULL;

	if (sa_peer_nai(peer))
		from = sa_peer_find_nai(&fresh->nodes, sa_peer_nai(peer), sa_peer_nai_len(peer));
	if (!from || from->is_known || (!from->is_dynamic && !peer->is_dynamic))
		return NULL; /* an address of its own is a better name */
	return from;
}

static int compare_peer(struct engine_reload *r, struct sa_peer *peer, struct sa_peer **survivor)
{
	struct sa_peer *from = same_address(r->fresh, peer);

	if (!from)
		from = same_name(r->fresh, peer);
	if (!from)
		return note(&r->gone, peer, *survivor);
	from->is_known = true;
	*survivor = peer;
	return sa_peer_same(peer, from) ? 0 : note(&r->changed, peer, from);
}

int engine_reload_compare(struct engine_reload *r, const struct engine *e, struct engine *fresh)
{
	struct sa_peer *peer, *from, *survivor = NULL;
	int rc = 0;

	*r = (struct engine_reload){ .fresh = fresh };
	for (peer = e->nodes.peers; peer; peer = peer->next) {
		from = same_address(fresh, peer);
		if (from)
			from->is_known = true;
	}
	for (peer = e->nodes.peers; peer && rc == 0; peer = peer->next)
		rc = compare_peer(r, peer, &survivor);
	for (from = fresh->nodes.peers; from && rc == 0; from = from->next)
		if (!from->is_known)
			rc = note(&r->added, NULL, from);
	return rc;
}

void engine_reload_done(struct engine_reload *r)
{
	free(r->gone.list);
	free(r->changed.list);
	free(r->added.list);
	*r = (struct engine_reload){ 0 };
}

/* --- bindings that end --- */

static void end(struct engine_reload *r, struct engine *e, struct binding *b, const char *why)
{
	if (e->hooks.ended)
		e->hooks.ended(e->hooks.ctx, b, why);
	revocation_queue(e, r->fresh ? &r->fresh->agents : &e->agents, b); /* keys of before */
	engine_end(e, b);
	r->ended++;
}

static struct binding *bindings_of(const struct engine *e, const struct sa_peer *peer)
{
	if (addr_is_any(peer->addr))
		return NULL;
	return binding_find(&e->cache, (struct binding_key){ peer->addr, e->conf.home_agent });
}

static void end_all_of(struct engine_reload *r, struct engine *e, const struct sa_peer *peer,
		       const char *why)
{
	struct binding *b, *next;

	for (b = bindings_of(e, peer); b; b = next) {
		next = binding_sibling(b);
		end(r, e, b, why);
	}
}

/*
 * Is what the binding was made under still configured: its key, and that of its agent? Where the
 * peer can be told it is asked to register anew under the new one; who cannot be told stays.
 */
static bool is_associated(const struct engine *e, const struct binding *b,
			  const struct sa_peer *node)
{
	const struct binding_revocation *rev = binding_revocation_of(b);
	const struct sa_peer *agent;

	if (!rev)
		return true;
	if (!sa_find(node, b->spi))
		return false;
	if (addr_is_any(rev->agent))
		return true;
	agent = sa_peer_find(&e->agents, rev->agent);
	return agent && sa_find(agent, rev->spi);
}

/* --- addresses --- */

/* No pool gives these, whoever had them. */
static bool is_reserved(const struct engine *e, struct in_addr addr)
{
	size_t i;

	for (i = 0; i < e->conf.home_network_cnt; i++)
		if (addr_eq(addr, e->conf.home_networks[i].addr) ||
		    addr_eq(addr, addr_prefix_broadcast(e->conf.home_networks[i])))
			return true;
	return addr_eq(addr, e->conf.home_agent);
}

static void release_address(struct engine *e, struct in_addr addr)
{
	if (!is_reserved(e, addr))
		pool_give_back(&e->pool, addr);
}

/* A dynamic peer has no address from here on, and no bindings any more. */
static void take_lease(struct engine *e, struct sa_peer *peer)
{
	if (addr_is_any(peer->addr))
		return;
	lease_use(&e->idle_leases, peer);
	release_address(e, peer->addr);
	sa_peer_unassign(&e->nodes, peer);
	if (e->hooks.touched)
		e->hooks.touched(e->hooks.ctx, peer);
}

/* The address is to be another's own: a lease is its name's, and the tunnel is no inheritance. */
static void evict(struct engine_reload *r, struct engine *e, struct in_addr addr)
{
	struct sa_peer *holder = sa_peer_find(&e->nodes, addr);

	if (!holder)
		return;
	end_all_of(r, e, holder, "home-address-reassigned");
	take_lease(e, holder);
}

/* --- one node --- */

static void remove_node(struct engine_reload *r, struct engine *e, const struct reload_change *c)
{
	end_all_of(r, e, c->peer, "mobile-node-gone");
	if (c->peer->is_dynamic)
		lease_use(&e->idle_leases, c->peer);
	if (!addr_is_any(c->peer->addr))
		release_address(e, c->peer->addr);
	sa_peer_del(&e->nodes, c->other, c->peer);
}

/* Its lease becomes its own, unless it gets another address. */
static void make_static(struct engine_reload *r, struct engine *e, struct sa_peer *peer,
			struct in_addr addr)
{
	if (!addr_eq(peer->addr, addr)) {
		end_all_of(r, e, peer, "mobile-node-gone");
		take_lease(e, peer);
		evict(r, e, addr);
		sa_peer_assign(&e->nodes, peer, addr);
	}
	lease_use(&e->idle_leases, peer);
	peer->is_dynamic = false;
	pool_reserve(&e->pool, addr);
}

static void change_node(struct engine_reload *r, struct engine *e, const struct reload_change *c)
{
	struct sa_peer *peer = c->peer, *from = c->other;
	bool has_turned = peer->is_dynamic != from->is_dynamic;
	struct binding *b, *next;
	struct sa_parts parts;

	if (sa_peer_prepare(&e->nodes, peer, from, &parts) < 0) {
		r->failed++;
		return;
	}
	for (b = bindings_of(e, peer); b; b = next) {
		next = binding_sibling(b);
		if (!is_associated(e, b, from))
			end(r, e, b, "security-association-gone");
	}
	if (has_turned && peer->is_dynamic)
		make_static(r, e, peer, from->addr);
	mobile_network_replace(e, peer, bindings_of(e, peer), sa_peer_networks(from));
	sa_peer_commit(&e->nodes, peer, from, &parts);
	if (!has_turned)
		return;
	peer->is_dynamic = from->is_dynamic;
	if (peer->is_dynamic && !bindings_of(e, peer))
		lease_idle(&e->idle_leases, peer);
	if (e->hooks.touched) /* it is remembered under another name */
		e->hooks.touched(e->hooks.ctx, peer);
}

static void add_node(struct engine_reload *r, struct engine *e, const struct reload_change *c)
{
	struct sa_peer *peer, *before = e->nodes.last, *from = c->other;
	struct sa_parts parts;

	if (!from->is_dynamic)
		evict(r, e, from->addr);
	peer = sa_peer_add(&e->nodes, from->addr, NULL, 0);
	if (!peer) {
		r->failed++;
		return;
	}
	if (sa_peer_prepare(&e->nodes, peer, from, &parts) < 0) {
		sa_peer_del(&e->nodes, before, peer);
		r->failed++;
		return;
	}
	sa_peer_commit(&e->nodes, peer, from, &parts);
	if (!peer->is_dynamic)
		pool_reserve(&e->pool, peer->addr);
}

/* --- in steps --- */

/* The home agent's address is of one run. */
static void take_settings(struct engine *e, const struct engine_conf *conf, const void *policy_ctx)
{
	const struct in_addr home_agent = e->conf.home_agent;

	e->conf = *conf;
	e->conf.home_agent = home_agent;
	e->policy_ctx = policy_ctx;
}

static bool loses_network(const struct engine_conf *old, const struct engine_conf *new)
{
	size_t i, k;

	for (i = 0; i < old->home_network_cnt; i++) {
		for (k = 0; k < new->home_network_cnt; k++)
			if (addr_prefix_covers(new->home_networks[k], old->home_networks[i]))
				break;
		if (k == new->home_network_cnt)
			return true;
	}
	return false;
}

void engine_reload_begin(struct engine_reload *r, struct engine *e, const struct engine_conf *conf,
			 const void *policy_ctx)
{
	r->network_gone = loses_network(&e->conf, conf);
	take_settings(e, conf, policy_ctx);
	if (!r->fresh)
		return;
	e->nonce_cnt += r->fresh->nonce_cnt; /* some, is all that is asked of it */
	SWAP(e->agents, r->fresh->agents);
	SWAP(e->networks.allowed, r->fresh->networks.allowed);
	pool_take_over(&r->fresh->pool, &e->pool);
	SWAP(e->pool, r->fresh->pool);
}

static size_t change_some(struct engine_reload *r, struct engine *e, size_t max_cnt)
{
	static void (*const steps[])(struct engine_reload * r, struct engine * e,
				     const struct reload_change *c) = { remove_node, change_node,
									add_node };
	const struct reload_changes *changes[] = { &r->gone, &r->changed, &r->added };
	size_t i;

	for (i = 0; i < 3; i++)
		for (; max_cnt > 0 && r->done[i] < changes[i]->cnt; max_cnt--)
			steps[i](r, e, &changes[i]->list[r->done[i]++]);
	return max_cnt;
}

/*
 * A lease of a home network that is gone is let go, whoever it belongs to. The nodes with addresses
 * of their own there are gone from the file, or it would be faulty.
 */
static size_t review_leases(struct engine_reload *r, struct engine *e, size_t max_cnt)
{
	struct sa_peer *peer;

	if (max_cnt > 0 && r->network_gone) {
		r->network_gone = false;
		r->lessee = e->nodes.peers;
	}
	for (; max_cnt > 0 && r->lessee; max_cnt--) {
		peer = r->lessee;
		r->lessee = peer->next;
		if (!peer->is_dynamic || addr_is_any(peer->addr) ||
		    engine_is_home_address(e, peer->addr))
			continue;
		end_all_of(r, e, peer, "home-network-gone");
		take_lease(e, peer);
	}
	return max_cnt;
}

/* Of the nodes that have not changed, too: for whom nobody, or no agent of theirs, speaks. */
static const char *why_ended(const struct engine *e, const struct binding *b)
{
	if (!is_associated(e, b, b->node))
		return "security-association-gone";
	return engine_still_admits(e, b) ? NULL : "source-not-admitted";
}

/* All bindings of one key, b being the first. @return what is behind them in their bucket */
static struct hash_link *review(struct engine_reload *r, struct engine *e, struct binding *b)
{
	const struct binding_key key = b->key;
	struct hash_link *behind = NULL;
	struct binding *sibling;
	bool is_kept = false;
	const char *why;

	for (; b; b = sibling) {
		sibling = binding_sibling(b);
		behind = b->link.next;
		why = why_ended(e, b);
		if (why)
			end(r, e, b, why);
		else
			is_kept = true;
	}
	if (is_kept && e->hooks.kept)
		e->hooks.kept(e->hooks.ctx, key);
	return behind;
}

bool engine_reload_some(struct engine_reload *r, struct engine *e, size_t max_cnt)
{
	const struct hash *t = &e->cache.by_key;
	struct hash_link *link;

	max_cnt = change_some(r, e, max_cnt);
	max_cnt = review_leases(r, e, max_cnt);
	for (; max_cnt > 0 && r->bucket <= t->last; max_cnt--, r->bucket++)
		for (link = hash_link_bucket(t, r->bucket); link;)
			link = review(r, e, hash_entry(link, struct binding, link));
	return r->bucket <= t->last;
}

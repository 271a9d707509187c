/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The binding cache: which care-of addresses a home address has (RFC 5944 §3.8.1). Keyed by home
 * address and home agent; a mobile node with simultaneous bindings has several under one key, the
 * latest first: its siblings. Finding, putting and deleting are O(1).
 */
#ifndef HA_CORE_BINDING_BINDING_H
#define HA_CORE_BINDING_BINDING_H

#include "common/addr.h"
#include "common/arena.h"
#include "common/hash.h"
#include "common/order.h"

#include <stdbool.h>
#include <stdint.h>

#define BINDING_NEVER_MS UINT64_MAX /* expires_ms of Lifetime 0xffff */

struct sa_peer;

struct binding_key {
	struct in_addr home_addr;
	struct in_addr home_agent; /* as in the Registration Reply: outer source of the tunnel */
};

/** What a tunnel has carried; inner packets and octets. */
struct binding_count {
	uint64_t packets_to, bytes_to;     /* to the mobile node */
	uint64_t packets_from, bytes_from; /* from it, reverse tunnelled */
};

static inline void binding_count_add(struct binding_count *sum, const struct binding_count *more)
{
	sum->packets_to += more->packets_to;
	sum->bytes_to += more->bytes_to;
	sum->packets_from += more->packets_from;
	sum->bytes_from += more->bytes_from;
}

/** How the tunnel of a binding looks on the wire. */
struct binding_tunnel {
	struct in_addr
		peer;       /* where it ends: the care-of address, or the request's source if udp */
	uint16_t peer_port; /* udp only: the request's source port; host order */
	uint8_t encap;      /* enum encap_mode; inside UDP the Next Header */
	bool udp : 1;       /* RFC 3519 */
	bool half_bound : 1; /* udp: peer_port is to be learnt from a keepalive, RFC 3519 §4.6;
			     * until then it is the one before, or 0: hold */
	bool reverse : 1;    /* T granted: inner packets may leave through us, RFC 3024 */
};

/** What was agreed on revocation when the binding was made or renewed (RFC 3543 §4.2.1). */
struct binding_revocation {
	bool negotiated;
	bool inform;             /* I was 1 in both Supports */
	struct in_addr agent;    /* the foreign agent; 0.0.0.0: the mobile node itself */
	uint32_t spi;            /* that protects revocations, of the agent or the mobile node */
	uint32_t peer_timestamp; /* of the Support that the peer sent */
	uint32_t own_timestamp;  /* of the one that we sent */
	uint64_t replied_ms;     /* when that was, monotonic */
};

#define BINDING_CONTACT_MAX 64 /* of more, the one noted first is forgotten */

/** Far ends that a node has sent to since it was bound, under a filter (struct tunnel_filter). */
struct binding_contacts {
	size_t cnt;
	struct in_addr far_ends[];
};

/** What only some bindings have: those that can be revoked, those under a filter. */
struct binding_more {
	struct binding_revocation revocation; /* negotiated false: nothing was */
	struct binding_contacts *contacts; /* owned; of the key, the first has them; NULL: none */
};

/*
 * A million of these are to fit: what is not in every one is not in it. What a renewal reads and
 * writes stands together, what the data path has of it behind that.
 */
struct binding {
	struct hash_link link; /* the next one in its bucket is its sibling, if it has one */
	struct binding_key key;
	struct in_addr care_of; /* as registered */
	struct in_addr src;     /* of the last accepted request */
	uint16_t src_port;      /* host order */
	uint8_t flags;          /* enum reg_flag of the last accepted request */
	bool udp_forced : 1;
	bool from_fa : 1;  /* a foreign agent asked for the UDP tunnel, RFC 3519 §4.5 */
	bool has_peer : 1; /* it is in the list of tunnel.peer, ... */
	bool is_first_of_peer : 1;
	bool has_sibling : 1;
	struct binding_tunnel tunnel;
	uint16_t keepalive_s; /* told to the mobile node; 0: none */
	uint16_t lifetime_s;  /* granted */
	uint32_t spi;
	uint32_t networks;    /* network_bit() of each of node->networks that is registered */
	uint32_t fast_slot;   /* of the fast tier's entry that counts for it, and one; 0: none */
	uint32_t keepalives;  /* answered in its UDP tunnel, RFC 3519 §4.9; modulo 2^32 */
	uint64_t ident;       /* of the reply */
	uint64_t expires_ms;  /* monotonic; BINDING_NEVER_MS */
	struct sa_peer *node; /* not owned; outlives the binding */
	struct binding_more *more; /* owned; NULL: nothing of it */
	/* expiry.c */
	struct binding *expiry_next, **expiry_prev;
	struct binding_count count;
	/* bindings whose tunnels end at one address: the first is in by_peer */
	struct binding *peer_next;
	union {
		struct hash_link peer_link; /* of the first */
		struct binding *peer_prev;  /* of the others */
	};
};

struct binding_cache {
	struct hash by_key; /* struct hash_link of each binding; those of a key one after another */
	struct hash by_peer; /* ... of each tunnel.peer */
	size_t cnt;          /* bindings, siblings included */
	struct slab slab;
	struct order order; /* addr_host() of each home address that has one, to show them by */
};

/** @param expected  mobile nodes configured. @retval -ENOMEM */
int binding_cache_init(struct binding_cache *cache, size_t expected);

/** Frees all bindings. */
void binding_cache_done(struct binding_cache *cache);

/** The first binding of a key; the others follow by binding_sibling(). NULL: none. */
struct binding *binding_find(const struct binding_cache *cache, struct binding_key key);

/** The next binding of the same key. NULL: that was the last one. */
static inline struct binding *binding_sibling(const struct binding *b)
{
	return b->has_sibling ? hash_entry(b->link.next, struct binding, link) : NULL;
}

#define BINDING_FETCH_STEPS 5

/**
 * Before many are looked up, and renewed: see hash_link_fetch(). The last step fetches all of the
 * first binding, and those that it is armed between.
 */
void binding_fetch(const struct binding_cache *cache, struct binding_key key, unsigned int step);

/** The same for binding_set_tunnel(), to this end. */
void binding_fetch_peer(const struct binding_cache *cache, struct in_addr peer, unsigned int step);

/** The binding of a key with this care-of address (as registered), or NULL. */
struct binding *binding_find_care_of(const struct binding_cache *cache, struct binding_key key,
				     struct in_addr care_of);

/** How many bindings the key has. */
unsigned int binding_cnt(const struct binding *first);

/** A zeroed binding, in the cache, first among its siblings. NULL: out of memory. */
struct binding *binding_put(struct binding_cache *cache, struct binding_key key,
			    struct in_addr care_of);

/**
 * A walk over all bindings, siblings one after the other, otherwise in no order. During it
 * bindings may be deleted, but not the one that is next. NULL: there is none, there is no more.
 */
struct binding *binding_first(const struct binding_cache *cache);
struct binding *binding_next(const struct binding_cache *cache, const struct binding *b);

/** Keeps a copy of what was agreed; NULL: nothing. Out of memory, nothing is. @retval -ENOMEM */
int binding_set_revocation(struct binding *b, const struct binding_revocation *revocation);

/** What was agreed. NULL: nothing. */
static inline struct binding_revocation *binding_revocation_of(const struct binding *b)
{
	return b->more && b->more->revocation.negotiated ? &b->more->revocation : NULL;
}

/** NULL: none. @param first  of its key */
static inline const struct binding_contacts *binding_contacts_of(const struct binding *first)
{
	return first->more ? first->more->contacts : NULL;
}

/** Has the node sent to this far end since it was bound? first NULL: no. */
bool binding_has_contact(const struct binding *first, struct in_addr far_end);

/**
 * Takes note that it has; for as long as the key has any binding. @param first  of its key
 * @retval -ENOMEM
 */
int binding_add_contact(struct binding *first, struct in_addr far_end);

/** Frees all that only some have. */
void binding_drop_more(struct binding *b);

/** Sets where and how the binding's tunnel goes; the only way to change tunnel.peer. */
void binding_set_tunnel(struct binding_cache *cache, struct binding *b,
			const struct binding_tunnel *tunnel);

/**
 * A binding whose tunnel ends at this address, by whatever port; the others follow by
 * `peer_next`, in no order. NULL: none. Behind a NAT or a foreign agent there may be very many.
 */
struct binding *binding_find_peer(const struct binding_cache *cache, struct in_addr peer);

/** Takes the binding out and frees it. It must not be in the expiry ring. */
void binding_del(struct binding_cache *cache, struct binding *b);

/** Seconds left, rounded up; REG_LIFETIME_INFINITE never ends. */
uint32_t binding_remaining_s(const struct binding *b, uint64_t now_ms);

static inline bool binding_is_expired(const struct binding *b, uint64_t now_ms)
{
	return b->expires_ms <= now_ms;
}

#endif

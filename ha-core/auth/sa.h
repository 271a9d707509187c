/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Mobility security associations (RFC 5944 §1.6): with whom we share which key, under which SPI,
 * with which replay protection. A peer is a mobile node (known by home address, by NAI, or both)
 * or a foreign agent (known by address). Replay state lives here, not in the binding, and so
 * outlives it.
 */
#ifndef HA_CORE_AUTH_SA_H
#define HA_CORE_AUTH_SA_H

#include "common/addr.h"
#include "common/arena.h"
#include "common/hash.h"
#include "common/limit.h"
#include "common/order.h"
#include "ha-core/auth/mac.h"
#include "ha-core/auth/network.h"
#include "ha-core/auth/replay.h"
#include "ha-core/auth/service.h"

struct sa {
	struct sa *next; /* of the same peer */
	struct replay replay;
	uint32_t spi;
	struct mac mac; /* ends in the key */
};

/** What became of a mobile node's requests (RFC 2006's haCounterTable). */
struct sa_peer_count {
	uint32_t accepted;
	uint32_t accepted_cs;      /* when last, hundredths of a second, monotonic; 0: never */
	uint32_t service_since_cs; /* it has a binding since; 0: it has none */
	uint32_t service_s;        /* it had, before that */
};

/** Where several home agents share their state: which of two records of a node is newer. */
struct sa_shared {
	uint64_t ident;   /* of the last request accepted, by timestamps; 0: none */
	uint64_t version; /* of the last change; 0: nothing has ever changed */
	uint32_t scan;    /* the walk that has met it in this version, see ha_cluster.c */
	bool is_queued;   /* to be shared */
};

/** What only a node has that was denied something. */
struct sa_denials {
	struct limit answered;
	uint32_t cnt;
	uint32_t last_cs; /* as accepted_cs */
	uint8_t code;     /* the last one */
};

/** The key of before, while the key of an association is being rotated. */
struct sa_previous {
	struct sa_previous *next; /* of the same peer */
	uint32_t spi;
	uint64_t until_ntp;
	struct mac mac; /* ends in the key */
};

/** What only peers with a NAI have, or services, or who were denied: a million have nothing. */
struct sa_more {
	struct hash_node by_nai;
	struct sa_peer *peer;
	struct service *services;      /* owned; NULL: not limited */
	struct network_list *networks; /* owned; NULL: it is no router */
	struct sa_previous *previous;
	struct sa_denials *denials; /* NULL: none */
	bool must_select;           /* a service by name: the default one is not allowed */
	/* lease.c: of leases that no binding uses */
	bool is_idle;
	struct sa_peer *idle_prev, *idle_next;
	uint8_t nai_len; /* 0: none */
	uint8_t nai[];   /* not terminated */
};

/** All of a table's lie in its arena. */
struct sa_peer {
	struct hash_link by_addr;
	struct sa_peer *next; /* of the table, in the order of the configuration */
	struct sa *sas;
	struct sa_more *more;     /* NULL: nothing of it; a dynamic peer has it */
	struct sa_shared *shared; /* NULL: nothing is */
	struct sa_peer_count count;
	struct in_addr addr; /* 0.0.0.0: none yet (a dynamic home address not yet assigned) */
	bool is_dynamic;     /* addr is, or will be, a lease from the pool */
	bool is_known;       /* of a new table, while it is compared: the old one has it, too */
};

struct sa_table {
	struct hash by_addr, by_nai; /* of struct hash_link, of struct hash_node */
	struct sa_peer *peers, *last;
	size_t cnt;
	struct arena arena;
	/* addr_host() of the peers that have an address. Where there was no memory for one, the
	 * peer is missing from what is shown in order, and from nothing else. */
	struct order order;
};

/** @retval -ENOMEM */
int sa_table_init(struct sa_table *t, size_t expected);

/** Wipes and frees everything. */
void sa_table_done(struct sa_table *t);

struct sa_peer *sa_peer_find(const struct sa_table *t, struct in_addr addr);

#define SA_FETCH_STEPS 5

/** Before many are looked up: see hash_link_fetch(). The last step fetches the first of them. */
void sa_peer_fetch(const struct sa_table *t, struct in_addr addr, unsigned int step);

/**
 * By Network Access Identifier: the user part to the letter, the realm without regard to case
 * (realms are domain names; RFC 4282 §2.4).
 */
struct sa_peer *sa_peer_find_nai(const struct sa_table *t, const uint8_t *nai, size_t len);

/**
 * The peer with this address and NAI, made if it is not there. addr may be 0.0.0.0 (dynamic) if
 * there is a NAI.
 * @retval ERR_DUPLICATE  the address and the NAI belong to different peers already
 * @retval ERR_INVALID    neither address nor NAI, or a NAI of 0 or over 255 octets
 * @retval -ENOMEM
 */
int sa_peer_put(struct sa_table *t, struct in_addr addr, const char *nai,
		struct sa_peer **ret_peer);

/**
 * A peer, whether or not another one has its NAI: the newest is found by it, until it goes. What
 * is at the address is somebody else's no more. Otherwise as sa_peer_put().
 * @param nai  may be NULL; not terminated
 * @return NULL: out of memory
 */
struct sa_peer *sa_peer_add(struct sa_table *t, struct in_addr addr, const uint8_t *nai,
			    size_t nai_len);

/**
 * Takes a peer out, with all that it has, and frees it.
 * @param before  the one before it among t->peers; NULL: it is the first
 */
void sa_peer_del(struct sa_table *t, struct sa_peer *before, struct sa_peer *peer);

/** What a peer is about to have instead of what it has. */
struct sa_parts {
	struct sa *sas;
	struct sa_more *more;
};

/**
 * Copies the associations, the NAI and the former keys of `from`, a peer of another table.
 * @retval -ENOMEM
 */
int sa_peer_prepare(struct sa_table *t, struct sa_peer *peer, const struct sa_peer *from,
		    struct sa_parts *ret_parts);

/**
 * Puts them in the place of what the peer has; replay state goes on where SPI and style are the
 * same. Services and networks move over from `from`, which is then to be done with. The networks
 * that the peer had go: none may be registered.
 */
void sa_peer_commit(struct sa_table *t, struct sa_peer *peer, struct sa_peer *from,
		    const struct sa_parts *parts);

/** Is all that comes from the configuration the same? Looks at nothing else, from any thread. */
bool sa_peer_same(const struct sa_peer *a, const struct sa_peer *b);

/** Gives a dynamic peer its home address. It must have none. */
void sa_peer_assign(struct sa_table *t, struct sa_peer *peer, struct in_addr addr);

/** Takes a dynamic peer's home address away again. It must have one. */
void sa_peer_unassign(struct sa_table *t, struct sa_peer *peer);

/** peer->more, made if it is not there. NULL: out of memory. */
struct sa_more *sa_peer_more(struct sa_table *t, struct sa_peer *peer);

/** Its account of denials, made if it is not there. NULL: out of memory. */
struct sa_denials *sa_peer_denials(struct sa_table *t, struct sa_peer *peer);

/** peer->shared, made if it is not there. NULL: out of memory. */
struct sa_shared *sa_peer_shared(struct sa_table *t, struct sa_peer *peer);

/** NULL, or a version of 0: nothing of it is shared. */
static inline struct sa_shared *sa_peer_shared_of(const struct sa_peer *peer)
{
	return peer->shared;
}

/** NULL: nothing was ever denied to it. */
static inline const struct sa_denials *sa_peer_denied(const struct sa_peer *peer)
{
	return peer->more ? peer->more->denials : NULL;
}

/** NULL: it is no router. */
static inline struct network_list *sa_peer_networks(const struct sa_peer *peer)
{
	return peer->more ? peer->more->networks : NULL;
}

/** The NAI, sa_peer_nai_len() octets of it, not terminated. NULL: none. */
static inline const uint8_t *sa_peer_nai(const struct sa_peer *peer)
{
	return peer->more && peer->more->nai_len > 0 ? peer->more->nai : NULL;
}

static inline size_t sa_peer_nai_len(const struct sa_peer *peer)
{
	return peer->more ? peer->more->nai_len : 0;
}

/**
 * Adds an association of a peer of this table. The key is copied, of the tolerance whole seconds.
 * @retval ERR_DUPLICATE  the peer has this SPI already
 * @retval ERR_CRYPTO, ERR_INVALID, -ENOMEM
 */
int sa_put(struct sa_table *t, struct sa_peer *peer, uint32_t spi, enum mac_algorithm alg,
	   const void *key, size_t key_len, enum replay_style style, uint64_t tolerance_ntp);

/**
 * Gives an association of this peer a former key, of the same algorithm.
 * @retval ERR_NOT_FOUND  there is no such association
 * @retval ERR_DUPLICATE, ERR_CRYPTO, ERR_INVALID, -ENOMEM
 */
int sa_put_previous(struct sa_table *t, struct sa_peer *peer, uint32_t spi, const void *key,
		    size_t key_len, uint64_t until_ntp);

/** How far a walk over a table is; zero-initialised it begins. Peers may come and go meanwhile. */
struct sa_walk {
	size_t bucket;
	bool has_addr; /* those without an address are done */
};

/**
 * Goes on with the peers of so many buckets, about one each: those without an address first.
 * @return false: that was all
 */
bool sa_walk_some(const struct sa_table *t, struct sa_walk *walk, size_t bucket_cnt,
		  void (*fn)(void *ctx, const struct sa_peer *peer), void *ctx);

/** NULL: it has none. */
const struct sa_previous *sa_find_previous(const struct sa_peer *peer, uint32_t spi);

struct sa *sa_find(const struct sa_peer *peer, uint32_t spi);

#endif

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
#include "common/hash.h"
#include "common/limit.h"
#include "ha-core/auth/mac.h"
#include "ha-core/auth/network.h"
#include "ha-core/auth/replay.h"
#include "ha-core/auth/service.h"

/** The key of before, while a key is being rotated. */
struct sa_previous {
	struct mac *mac; /* owned */
	uint64_t until_ntp;
};

struct sa {
	struct sa *next; /* of the same peer */
	uint32_t spi;
	struct mac *mac;              /* owned */
	struct sa_previous *previous; /* owned; NULL: none */
	struct replay replay;
};

struct sa_peer {
	struct hash_node by_addr, by_nai;
	struct sa_peer *next; /* of the table, in the order of the configuration */
	struct in_addr addr;  /* 0.0.0.0: none yet (a dynamic home address not yet assigned) */
	bool is_dynamic;      /* addr is, or will be, a lease from the pool */
	uint8_t *nai;         /* owned, not terminated; NULL: none */
	uint8_t nai_len;
	struct sa *sas;                /* owned */
	struct service *services;      /* owned; NULL: not limited */
	bool must_select;              /* a service by name: the default one is not allowed */
	struct network_list *networks; /* owned; NULL: it is no router */
	struct limit denials;          /* answered */
	/* lease.c: of leases that no binding uses */
	bool is_idle;
	struct sa_peer *idle_prev, *idle_next;
};

struct sa_table {
	struct hash by_addr, by_nai;
	struct sa_peer *peers, *last;
	size_t cnt;
};

/** @retval -ENOMEM */
int sa_table_init(struct sa_table *t, size_t expected);

/** Wipes and frees everything. */
void sa_table_done(struct sa_table *t);

struct sa_peer *sa_peer_find(const struct sa_table *t, struct in_addr addr);

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

/** Gives a dynamic peer its home address. It must have none. */
void sa_peer_assign(struct sa_table *t, struct sa_peer *peer, struct in_addr addr);

/** Takes a dynamic peer's home address away again. It must have one. */
void sa_peer_unassign(struct sa_table *t, struct sa_peer *peer);

/**
 * Adds an association. The key is copied.
 * @retval ERR_DUPLICATE  the peer has this SPI already
 * @retval ERR_CRYPTO, -ENOMEM
 */
int sa_put(struct sa_peer *peer, uint32_t spi, enum mac_algorithm alg, const void *key,
	   size_t key_len, enum replay_style style, uint64_t tolerance_ntp);

/** Gives it a former key of the same algorithm. @retval ERR_DUPLICATE, ERR_CRYPTO, -ENOMEM */
int sa_put_previous(struct sa *sa, const void *key, size_t key_len, uint64_t until_ntp);

struct sa *sa_find(const struct sa_peer *peer, uint32_t spi);

#endif

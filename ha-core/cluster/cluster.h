/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * State that several home agents share, on a Redis or Valkey server (README: state.replication).
 * Records are octets here: whose they are, what is in them and which of two is newer is what
 * ha_cluster.c says. Every function but cluster_open() and cluster_close() takes NULL, which is a
 * home agent that shares nothing.
 */
#ifndef HA_CORE_CLUSTER_CLUSTER_H
#define HA_CORE_CLUSTER_CLUSTER_H

#include "common/addr.h"
#include "common/loop.h"
#include "ha-core/cluster/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLUSTER_KEY_MAX    257
#define CLUSTER_VALUE_MAX  16384
#define CLUSTER_NAME_MAX   64
#define CLUSTER_SERVER_MAX 8
#define CLUSTER_PEER_MAX   16
#define CLUSTER_BLOCKS_MAX 64   /* of addresses, asked for at once */
#define CLUSTER_SILENT_MS  3000 /* a host that has said nothing for so long */
#define CLUSTER_EPOCH_LEN  16   /* hex digits */
#define CLUSTER_SERVER_LEN 40   /* hex digits of a server's replication id */

/** Which of two records of a node is newer: the first number decides, then the second. */
struct cluster_rank {
	uint64_t ident;   /* Identification last accepted, made to count on: see ha_cluster.c */
	uint64_t version; /* of the change, unlike any other */
};

struct cluster_record {
	struct cluster_rank rank;
	uint64_t sequence; /* of the entry that it came in; 0: it is of the snapshot */
	size_t key_len, value_len;
	uint8_t key[CLUSTER_KEY_MAX];
	uint8_t value[CLUSTER_VALUE_MAX];
};

/** How far this host has read, and what of its own is shared for certain. */
struct cluster_place {
	char epoch[CLUSTER_EPOCH_LEN + 1];   /* of the data set; "": none yet */
	char server[CLUSTER_SERVER_LEN + 1]; /* the server's replication id */
	uint64_t sequence;                   /* of the last entry applied */
	uint64_t version;                    /* every change of ours up to this one is shared */
};

/** Whose a block of addresses is; CLUSTER_OURS_BEFORE: ours, and maybe of a former life. */
enum cluster_owner { CLUSTER_ANOTHERS, CLUSTER_OURS, CLUSTER_OURS_BEFORE };

struct cluster_hooks {
	/** A node's record as it is now; it waits no more. false: there is none. */
	bool (*encode)(void *ctx, const uint8_t *key, size_t key_len, struct cluster_record *out);
	/** It could not be shared: cluster_put() it again, unless it has been meanwhile. */
	void (*requeue)(void *ctx, const uint8_t *key, size_t key_len);
	/** It waits no more, and is not shared: a scan will find it. */
	void (*dropped)(void *ctx, const uint8_t *key, size_t key_len);
	/** A record of another host. @return false: it is none, whatever its rank says */
	bool (*apply)(void *ctx, const struct cluster_record *record);
	/** A walk through all that is shared begins. */
	void (*scan_begins)(void *ctx);
	/**
	 * Puts what is known here and not shared, a bounded number of nodes a call: what the walk
	 * has not met, or has met in an older version.
	 * @param cursor       begins as NULL
	 * @param has_scanned  false: there was no walk; what is newer than `version` is meant
	 * @return             false: that was all; true with a cursor of NULL: not now, later
	 */
	bool (*sweep)(void *ctx, void **cursor, bool has_scanned, uint64_t version);
	/** The version of the last change made here. */
	uint64_t (*version)(void *ctx);
	/** Keeps it with what has been applied so far: it is to survive, and not alone. */
	void (*keep_place)(void *ctx, const struct cluster_place *place);
	/** Whose a block of addresses is; what is not ours is not to be given from any more. */
	void (*claimed)(void *ctx, struct addr_prefix block, enum cluster_owner owner);
	/** Blocks that this host has need of. @return how many; 0: of none */
	size_t (*wants)(void *ctx, struct addr_prefix out_blocks[static CLUSTER_BLOCKS_MAX]);
	/** Those that it has. @param pos  begins as 0. @return 0: that was all */
	size_t (*has)(void *ctx, uint32_t *pos,
		      struct addr_prefix out_blocks[static CLUSTER_BLOCKS_MAX]);
	/** The oldest `cnt` of cluster_hold()'s are over. @param shared  as it was hoped for */
	void (*held)(void *ctx, size_t cnt, bool shared);
	void *ctx;
};

struct cluster_server {
	struct in_addr address;
	uint16_t port;
};

struct cluster_conf {
	struct loop *loop;
	struct cluster_server servers[CLUSTER_SERVER_MAX]; /* or Sentinels */
	size_t server_cnt;
	const char *sentinel_master; /* NULL: servers are the servers */
	const char *user, *password; /* kept by reference, as all strings here */
	const struct tls_conf *tls;  /* kept by reference; NULL: in the clear */
	const char *prefix;          /* of the keys */
	const char *name;            /* of this host, unlike any other's */
	bool confirmed;              /* hold answers until they are shared */
	uint32_t replicas;           /* ... and as many replicas have it */
	uint32_t confirm_ms;         /* at most */
	uint32_t stream_len;         /* entries kept, about */
	uint32_t queue_max;          /* nodes that wait for the server */
};

struct cluster;

/** @param place  where a former life stopped. @retval -ENOMEM */
int cluster_open(const struct cluster_conf *conf, const struct cluster_hooks *hooks,
		 const struct cluster_place *place, struct cluster **ret_c);
/** What is queued is not sent. Takes NULL, returns NULL. */
struct cluster *cluster_close(struct cluster *c);

/** The node has changed; its record is asked for when it can be sent. */
void cluster_put(struct cluster *c, const uint8_t *key, size_t key_len);
/** What was put is safe here: it may go. */
void cluster_flush(struct cluster *c);
/**
 * Is an answer to be held until what was put so far is shared?
 * @retval 0        no: it is, or nobody asked for that
 * @retval 1        yes; hooks.held() will tell
 * @retval -EAGAIN  it should be, but the server is away
 */
int cluster_hold(struct cluster *c);
/** The nodes are not those that there were: all is walked through anew, a sweep under way ends. */
void cluster_compare(struct cluster *c);

/** This host is active now, or stands by; the others are told. */
void cluster_set_active(struct cluster *c, bool active);
/** Calls back once everything that is shared as of now has been applied, or cannot be reached. */
void cluster_catch_up(struct cluster *c, void (*fn)(void *ctx), void *ctx);

struct cluster_peer {
	char name[CLUSTER_NAME_MAX + 1];
	char instance[CLUSTER_EPOCH_LEN + 1]; /* of one life of it */
	bool is_active;
	uint64_t sequence; /* how far it has read */
	uint64_t lag;      /* entries that it was behind then; UINT64_MAX: it did not say */
	uint64_t lag_ms;   /* how old what it had read last was, had it more to read */
	uint64_t queued;   /* nodes that it has to share yet */
	uint64_t wall_ms;  /* by its clock, when it said so */
	uint64_t seen_ms;  /* by ours, monotonic, when that was new to us */
};

enum cluster_link { CLUSTER_AWAY, CLUSTER_SYNCING, CLUSTER_FOLLOWING };

struct cluster_health {
	enum cluster_link link;
	struct cluster_server server; /* the one in use; 0.0.0.0: none */
	char error[128];              /* the last one; "": none */
	uint64_t error_ms;            /* monotonic */
	bool is_refused;              /* ... of it, while it is there: what we wrote last */
	uint64_t sequence, newest;    /* of the last entry applied, and the last there is */
	uint64_t lag_ms;        /* how old the one applied last was then; 0: none is to come */
	uint64_t queued;        /* nodes that wait, or are on their way */
	uint64_t sent, applied; /* entries */
	uint64_t outages, scans, overflows;
	uint64_t unconfirmed; /* holds that ended without */
	struct cluster_peer peers[CLUSTER_PEER_MAX];
	size_t peer_cnt;
};

void cluster_get_health(const struct cluster *c, struct cluster_health *out);
/** How many entries one who has read that far is behind; it may have read on since `newest`. */
uint64_t cluster_lag_entries(const struct cluster_health *h, uint64_t sequence);

/** Its text for what is stored with a record; CLUSTER_RANK_LEN hex digits, in their order. */
#define CLUSTER_RANK_LEN 32
void cluster_rank_put(const struct cluster_rank *rank, char out[CLUSTER_RANK_LEN + 1]);
bool cluster_rank_get(const char *text, size_t len, struct cluster_rank *out);
/** <0, 0, >0 */
int cluster_rank_compare(const struct cluster_rank *a, const struct cluster_rank *b);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The connections to the server that holds the shared state: found by a Sentinel or taken from a
 * list, made, authenticated, and made again whenever they are lost. Of one server there are two:
 * one writes, one reads and may wait for what comes. cluster.c says what goes over them.
 */
#ifndef HA_CORE_CLUSTER_CONNECTION_H
#define HA_CORE_CLUSTER_CONNECTION_H

#include "ha-core/cluster/cluster.h"
#include "ha-core/cluster/redis.h"

#define CONNECTION_BLOCK_MS 1000 /* how long a read may wait for an entry */
#define CONNECTION_RETRY_MS 500  /* between two attempts */

/** Whom we are connected to, and what is there. */
struct connection_server {
	struct cluster_server at;
	char id[CLUSTER_SERVER_LEN + 1];     /* the server's replication id */
	char epoch[CLUSTER_EPOCH_LEN + 1];   /* of its data set */
	char script[CLUSTER_SERVER_LEN + 1]; /* the name that it has given to conf.script */
	uint64_t newest;                     /* the number of its last entry */
};

/** Of the nodes' hash: the epoch once more. No node's key is of one octet. */
#define CONNECTION_EPOCH_FIELD "e"

struct connection_conf {
	const struct cluster_conf *cluster; /* servers, credentials; kept by reference */
	const char *epoch_key, *nodes_key, *sequence_key, *script; /* kept by reference */
	/** Before what is there is looked at: asks for it to be put in order. */
	void (*prepare)(void *ctx, struct redis *writer);
	/** Both are there, and the server is one that takes changes. */
	void (*up)(void *ctx);
	/**
	 * There is none: an attempt has failed, or what there was is lost, or was given up.
	 * Commands without an answer have none.
	 */
	void (*down)(void *ctx, const char *why);
	void *ctx;
};

struct connection;

/** The first attempt is made by connection_tick(). @retval -ENOMEM */
int connection_open(const struct connection_conf *conf, struct connection **ret_c);
/** down() is not called. Takes NULL, returns NULL. */
struct connection *connection_close(struct connection *c);

/** Some times a second: ends what has not been answered in time, tries again. */
void connection_tick(struct connection *c);
/** This server is of no use: down() is called, and a server looked for a little later. */
void connection_give_up(struct connection *c, const char *why);

/** The last one that was tried. */
const struct connection_server *connection_server(const struct connection *c);

/** Errors as of redis_command(). */
int connection_write(struct connection *c, redis_fn *fn, void *ctx, const struct redis_arg *args,
		     size_t cnt);
/** For what may wait: see CONNECTION_BLOCK_MS. NULL while there is none. */
struct redis *connection_reader(struct connection *c);

/** Unlike any other. */
void connection_random(char out[CLUSTER_EPOCH_LEN + 1]);

#endif

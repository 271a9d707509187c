/* SPDX-License-Identifier: BSD-2-Clause */
/*
 *	PREFIX:blocks    hash: block of addresses, "10.50.128.8/29" -> the host whose it is
 *
 * A block is claimed by the first host that asks (HSETNX), ahead of need, and stays that host's
 * over restarts: it goes by the host's name. So two hosts never give one address, whether or not
 * they hear of each other, and nobody waits for the server when an address is given. A host that
 * has none left while the server is away gives none: that is the price.
 *
 * Each time the server is reached, in this order:
 *
 *	renew	what this host has is claimed anew: the server may have forgotten it
 *	learn	whose the others are, and what this host had in a former life
 *	claim	as many as hooks.wants() says, now and whenever it says so
 *
 * What a host had in a former life it may give from only once it has read all that is shared, and
 * so cluster.c has claims_work() called; and once every other host has told what it knew of it: in
 * ha_cluster.c it rests. So the blocks are learnt from the server at each start, and not kept in
 * the store as well, to be given from while the server is away: state.directory may be older than
 * what was given since (a backup, a snapshot of the machine, after a power cut), or a copy, and
 * then one address would go to two nodes. When the data are others than before (flushed, or a
 * replica's that may lack the end), no host claims anything new until all had time to renew.
 *
 * One question at a time; a server that refuses is asked again a second later.
 */
#include "ha-core/cluster/claims.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SCAN_CNT "512"
#define RETRY_MS 1000

/* KEYS blocks; ARGV host, blocks ...; returns for each whether it is the host's now */
static const char claim_script[] =
	"local ours = {}\n"
	"for i = 2, #ARGV do\n"
	" redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[1])\n"
	" ours[i - 1] = redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[1] and 1 or 0\n"
	"end\n"
	"return ours\n";

struct claims {
	const struct cluster_conf *conf;
	const struct cluster_hooks *hooks;
	struct connection *connection;
	const char *key;
	enum { RENEW, LEARN, CLAIM } step;
	bool is_asking, must_restart;
	uint64_t not_before_ms; /* the next question */
	uint64_t new_ms;        /* ... for a block that we have not had */
	uint32_t pos;           /* RENEW: hooks.has()'s */
	char cursor[24];        /* LEARN: HSCAN's */
	struct addr_prefix asked[CLUSTER_BLOCKS_MAX];
	size_t asked_cnt;
};

static uint64_t now_ms(const struct claims *cl)
{
	return loop_now(cl->conf->loop)->mono_ms;
}

static bool is_refused(struct claims *cl, const struct redis_value *v)
{
	cl->is_asking = false;
	if (redis_error(v))
		cl->not_before_ms = now_ms(cl) + RETRY_MS;
	if (redis_is_wrong_type(v))
		connection_give_up(cl->connection, redis_error(v)); /* who comes back mends it */
	return redis_error(v);
}

static void on_claimed(void *ctx, const struct redis_value *v)
{
	struct claims *cl = ctx;
	size_t i;

	if (is_refused(cl, v)) {
		if (cl->step == RENEW)
			cl->pos = 0; /* from the beginning: these are among them */
		return;
	}
	for (i = 0; i < cl->asked_cnt; i++)
		cl->hooks->claimed(cl->hooks->ctx, cl->asked[i],
				   redis_number(redis_item(v, i)) ? CLUSTER_OURS
								  : CLUSTER_ANOTHERS);
	claims_work(cl);
}

static struct redis_arg text_arg(const char *text)
{
	return (struct redis_arg){ text, strlen(text) };
}

/* cl->asked is what for. */
static void claim(struct claims *cl)
{
	struct addr_text texts[CLUSTER_BLOCKS_MAX];
	struct redis_arg args[5 + CLUSTER_BLOCKS_MAX] = { text_arg("EVAL"), text_arg(claim_script),
							  text_arg("1"), text_arg(cl->key),
							  text_arg(cl->conf->name) };
	size_t i;

	for (i = 0; i < cl->asked_cnt; i++) {
		texts[i] = addr_prefix_text(cl->asked[i]);
		args[5 + i] = text_arg(texts[i].s);
	}
	cl->is_asking = connection_write(cl->connection, on_claimed, cl, args, 5 + i) == 0;
}

static void on_learnt(void *ctx, const struct redis_value *v)
{
	const char *cursor = redis_text(redis_item(v, 0), NULL), *block, *host;
	const struct redis_value *pairs = redis_item(v, 1);
	struct addr_prefix prefix;
	struct claims *cl = ctx;
	size_t i;

	if (is_refused(cl, v))
		return;
	for (i = 0; i + 1 < redis_cnt(pairs); i += 2) {
		block = redis_text(redis_item(pairs, i), NULL);
		host = redis_text(redis_item(pairs, i + 1), NULL);
		if (block && host && addr_prefix_parse(block, &prefix) == 0)
			cl->hooks->claimed(cl->hooks->ctx, prefix,
					   strcmp(host, cl->conf->name) == 0 ? CLUSTER_OURS_BEFORE
									     : CLUSTER_ANOTHERS);
	}
	if (!cursor || strlen(cursor) >= sizeof(cl->cursor) || strcmp(cursor, "0") == 0)
		cl->step = CLAIM;
	else
		memcpy(cl->cursor, cursor, strlen(cursor) + 1);
	claims_work(cl);
}

static void learn(struct claims *cl)
{
	const struct redis_arg args[] = { text_arg("HSCAN"), text_arg(cl->key),
					  text_arg(cl->cursor), text_arg("COUNT"),
					  text_arg(SCAN_CNT) };

	cl->is_asking = connection_write(cl->connection, on_learnt, cl, args, 5) == 0;
}

static void begin(struct claims *cl)
{
	cl->must_restart = false;
	cl->step = RENEW;
	cl->pos = 0;
	strcpy(cl->cursor, "0");
}

void claims_work(struct claims *cl)
{
	if (cl->is_asking || now_ms(cl) < cl->not_before_ms)
		return;
	if (cl->must_restart)
		begin(cl);
	if (cl->step == RENEW) {
		cl->asked_cnt = cl->hooks->has(cl->hooks->ctx, &cl->pos, cl->asked);
		if (cl->asked_cnt > 0)
			claim(cl);
		else
			cl->step = LEARN;
	}
	if (cl->step == LEARN && !cl->is_asking)
		learn(cl);
	if (cl->step != CLAIM || cl->is_asking || now_ms(cl) < cl->new_ms)
		return;
	cl->asked_cnt = cl->hooks->wants(cl->hooks->ctx, cl->asked);
	if (cl->asked_cnt > 0)
		claim(cl);
}

void claims_restart(struct claims *cl, uint64_t not_before_ms)
{
	begin(cl);
	cl->is_asking = false;
	cl->not_before_ms = 0;
	cl->new_ms = not_before_ms;
}

void claims_compare(struct claims *cl)
{
	cl->must_restart = true; /* once what was asked is answered */
}

int claims_open(const struct cluster_conf *conf, const struct cluster_hooks *hooks,
		struct connection *connection, const char *key, struct claims **ret_cl)
{
	struct claims *cl = calloc(1, sizeof(*cl));

	if (!cl)
		return -ENOMEM;
	cl->conf = conf;
	cl->hooks = hooks;
	cl->connection = connection;
	cl->key = key;
	claims_restart(cl, 0);
	*ret_cl = cl;
	return 0;
}

struct claims *claims_close(struct claims *cl)
{
	free(cl);
	return NULL;
}

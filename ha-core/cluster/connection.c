/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From "no server" to "both connections are authenticated, it is a master, it has our script, and
 * we know whose data it has", and back. cluster.c opens one of these and ticks it.
 *
 * An attempt asks the next of the servers in turn, or the next of the Sentinels for the server. All
 * that is to be known of a server is asked in one pipeline; whoever is refused at one of the steps
 * never comes to the last, which is up(). Whatever goes wrong ends in connection_give_up(): all
 * connections are closed, down() says why, and CONNECTION_RETRY_MS later comes the next attempt.
 *
 * A server that hangs is one that is away: each connection has a deadline for its next answer
 * (redis.c keeps it), looked at by connection_tick().
 */
#include "ha-core/cluster/connection.h"

#include "common/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define ANSWER_MS  2000 /* a server that takes longer is away */
#define HELD_UP_MS 500  /* from one tick to the next: it was us who took long */

/*
 * KEYS epoch, nodes; ARGV the field, a new epoch; returns the one that there is, maybe since now.
 * It is in both: where the nodes alone are gone, the data have become others, too.
 */
static const char epoch_script[] =
	"local epoch = redis.call('GET', KEYS[1])\n"
	"if not epoch or redis.call('HGET', KEYS[2], ARGV[1]) ~= epoch then\n"
	" epoch = ARGV[2]\n"
	" redis.call('SET', KEYS[1], epoch)\n"
	" redis.call('HSET', KEYS[2], ARGV[1], epoch)\n"
	"end\n"
	"return epoch\n";

struct connection {
	struct connection_conf conf;
	struct connection_server server;
	struct redis *finder, *writer, *reader;
	size_t next;       /* of the servers, to be asked */
	uint64_t retry_ms; /* when, while there is no connection */
	uint64_t tick_ms;  /* the last one */
};

static uint64_t now_ms(const struct connection *c)
{
	return loop_now(c->conf.cluster->loop)->mono_ms;
}

static void close_all(struct connection *c)
{
	c->finder = redis_close(c->finder);
	c->writer = redis_close(c->writer);
	c->reader = redis_close(c->reader);
}

void connection_give_up(struct connection *c, const char *why)
{
	char text[sizeof(((struct cluster_health *)0)->error)];

	(void)snprintf(text, sizeof(text), "%s", why); /* it may be a connection's own */
	close_all(c);
	c->retry_ms = now_ms(c) + CONNECTION_RETRY_MS;
	c->conf.down(c->conf.ctx, text);
}

static void on_down(void *ctx, const char *why)
{
	connection_give_up(ctx, why);
}

static int open_to(struct connection *c, struct cluster_server to, uint32_t answer_ms,
		   struct redis **ret_r)
{
	const struct redis_conf conf = { .loop = c->conf.cluster->loop,
					 .address = to.address,
					 .port = to.port,
					 .tls = c->conf.cluster->tls,
					 .answer_ms = answer_ms,
					 .down = on_down,
					 .ctx = c };

	return redis_open(&conf, ret_r);
}

/* --- what is to be known of a server --- */

static void on_refusable(void *ctx, const struct redis_value *v)
{
	if (redis_error(v))
		connection_give_up(ctx, redis_error(v));
}

static void on_info(void *ctx, const struct redis_value *v)
{
	static const char id[] = "master_replid:";
	const char *text = redis_text(v, NULL), *at;
	struct connection *c = ctx;

	at = text ? strstr(text, id) : NULL;
	if (!at)
		connection_give_up(c, redis_error(v) ? redis_error(v) : "no server that we know");
	else if (!strstr(text, "role:master"))
		connection_give_up(c, "that server is a replica");
	else
		(void)snprintf(c->server.id, sizeof(c->server.id), "%.*s", CLUSTER_SERVER_LEN,
			       at + sizeof(id) - 1);
}

/* An answer that is one text, without which nothing goes on. */
static void take_text(struct connection *c, const struct redis_value *v, const char *none,
		      char *out, size_t size)
{
	const char *text = redis_text(v, NULL);

	if (text)
		(void)snprintf(out, size, "%s", text);
	else
		connection_give_up(c, redis_error(v) ? redis_error(v) : none);
}

static void on_script(void *ctx, const struct redis_value *v)
{
	struct connection *c = ctx;

	take_text(c, v, "no script", c->server.script, sizeof(c->server.script));
}

static void on_epoch(void *ctx, const struct redis_value *v)
{
	struct connection *c = ctx;

	take_text(c, v, "no epoch", c->server.epoch, sizeof(c->server.epoch));
}

static void on_newest(void *ctx, const struct redis_value *v)
{
	struct connection *c = ctx;

	if (redis_error(v)) {
		connection_give_up(c, redis_error(v));
		return;
	}
	c->server.newest = redis_number(v); /* 0: there is none yet */
	c->conf.up(c->conf.ctx);
}

void connection_random(char out[CLUSTER_EPOCH_LEN + 1])
{
	uint64_t n = 0;

	while (getrandom(&n, sizeof(n), 0) != (ssize_t)sizeof(n))
		;
	(void)snprintf(out, CLUSTER_EPOCH_LEN + 1, "%016llx", (unsigned long long)n);
}

static void shake_hands(struct connection *c)
{
	const char *user = c->conf.cluster->user, *password = c->conf.cluster->password;
	char epoch[CLUSTER_EPOCH_LEN + 1];

	connection_random(epoch);
	/* Should one fail, on_down() has been called, or will be. */
	if (redis_ask(c->reader, on_refusable, c, "AUTH", user, password, NULL) < 0 ||
	    redis_ask(c->writer, on_refusable, c, "AUTH", user, password, NULL) < 0 ||
	    redis_ask(c->writer, on_info, c, "INFO", "replication", NULL) < 0 ||
	    redis_ask(c->writer, on_script, c, "SCRIPT", "LOAD", c->conf.script, NULL) < 0)
		return;
	c->conf.prepare(c->conf.ctx, c->writer);
	if (redis_ask(c->writer, on_epoch, c, "EVAL", epoch_script, "2", c->conf.epoch_key,
		      c->conf.nodes_key, CONNECTION_EPOCH_FIELD, epoch, NULL) < 0)
		return;
	(void)redis_ask(c->writer, on_newest, c, "GET", c->conf.sequence_key, NULL);
}

static void connect_to(struct connection *c, struct cluster_server server)
{
	int rc;

	c->server = (struct connection_server){ .at = server };
	rc = open_to(c, server, ANSWER_MS, &c->writer);
	if (rc == 0)
		rc = open_to(c, server, CONNECTION_BLOCK_MS + ANSWER_MS, &c->reader);
	if (rc < 0)
		connection_give_up(c, err_text(rc));
	else
		shake_hands(c);
}

/* --- where it is --- */

static void on_master(void *ctx, const struct redis_value *v)
{
	const char *address = redis_text(redis_item(v, 0), NULL);
	struct cluster_server server = { .port = (uint16_t)redis_number(redis_item(v, 1)) };
	struct connection *c = ctx;

	if (!address || addr_parse(address, &server.address) < 0) {
		connection_give_up(c, redis_error(v) ? redis_error(v)
						     : "no Sentinel knows that master");
		return;
	}
	c->finder = redis_close(c->finder);
	connect_to(c, server);
}

/* A Sentinel may have no password: it says so, and answers the next question. */
static void on_finder_auth(void *ctx, const struct redis_value *v)
{
	const char *error = redis_error(v);

	if (error && strncmp(error, "WRONGPASS", 9) == 0)
		connection_give_up(ctx, error);
}

static void find_server(struct connection *c)
{
	const struct cluster_conf *conf = c->conf.cluster;
	const struct cluster_server next = conf->servers[c->next];
	int rc;

	c->next = (c->next + 1) % conf->server_cnt;
	if (!conf->sentinel_master) {
		connect_to(c, next);
		return;
	}
	rc = open_to(c, next, ANSWER_MS, &c->finder);
	if (rc < 0) {
		connection_give_up(c, err_text(rc));
		return;
	}
	if (redis_ask(c->finder, on_finder_auth, c, "AUTH", conf->password, NULL) == 0)
		(void)redis_ask(c->finder, on_master, c, "SENTINEL", "GET-MASTER-ADDR-BY-NAME",
				conf->sentinel_master, NULL);
}

/* --- life --- */

void connection_tick(struct connection *c)
{
	uint64_t now = now_ms(c);
	/* Then the answers may be there, unread: this turn of the loop comes to them. */
	bool was_held_up = now > c->tick_ms + HELD_UP_MS;
	const char *why;

	c->tick_ms = now;
	if (was_held_up)
		return;
	why = redis_overdue(c->finder, now);
	if (!why)
		why = redis_overdue(c->writer, now);
	if (!why)
		why = redis_overdue(c->reader, now);
	if (why)
		connection_give_up(c, why);
	if (!c->finder && !c->writer && now >= c->retry_ms)
		find_server(c);
}

const struct connection_server *connection_server(const struct connection *c)
{
	return &c->server;
}

int connection_write(struct connection *c, redis_fn *fn, void *ctx, const struct redis_arg *args,
		     size_t cnt)
{
	return c->writer ? redis_command(c->writer, fn, ctx, args, cnt) : -ENOTCONN;
}

struct redis *connection_reader(struct connection *c)
{
	return c->reader;
}

int connection_open(const struct connection_conf *conf, struct connection **ret_c)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->conf = *conf;
	*ret_c = c;
	return 0;
}

struct connection *connection_close(struct connection *c)
{
	if (!c)
		return NULL;
	close_all(c);
	free(c);
	return NULL;
}

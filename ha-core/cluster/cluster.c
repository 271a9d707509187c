/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replication over a Redis or Valkey server; ha_cluster.c opens it and is behind its hooks.
 *
 * What lies on the server, under the prefix of state.replication:
 *
 *	PREFIX:nodes     hash: node's key -> rank and record, the newest of each: the snapshot;
 *	                 "e" -> the epoch
 *	PREFIX:stream    stream: each change that was newer, its ID being its number and "-1"
 *	PREFIX:sequence  the number of the last one
 *	PREFIX:hosts     hash: host's name -> what it last said of itself
 *	PREFIX:epoch     a random number, gone when the data are gone
 *	PREFIX:blocks    hash: whose blocks of addresses are (claims.c)
 *
 * One script writes all of it: a record goes into the hash only if its rank is above that of the
 * one there, and only then into the stream; what begins with no rank is none. So the newest wins at
 * the server, whoever is late, and every host applies the same rule to what it reads.
 *
 * Entries are numbered without a gap. Who sees one has missed something (the stream was trimmed, or
 * a fail-over of the servers lost its end) and walks through the snapshot, and then through its own
 * nodes: whatever is newer here is put again. The same after the data set (epoch) or the server
 * (replication id) has become another one. Nothing that a server forgets is lost while a home agent
 * knows it.
 *
 * What others write there can end that: a foreign entry in the stream, a sequence that is gone or
 * no number, and the next number is not above the stream's last one. Who sees it, reading or
 * writing, takes stream, sequence and epoch away; for all hosts that is a data set that has become
 * another one, and the snapshot is still there. A key that has become something of another type is
 * taken away by who comes next (mend_script), with the epoch: what was in it the hosts tell again.
 *
 * How the server is found and reached is connection.c's business: here it is there, or away. Once a
 * second we say there that we are alive. What is to be shared waits in a queue of nodes, not of
 * records: a node that changed often meanwhile is one entry, as it is then. Beyond queue_max the
 * queue is given up, and all is walked through when the server is back.
 *
 * The loop never waits and every step is bounded: so many records an answer, so many nodes a turn.
 */
#include "ha-core/cluster/cluster.h"

#include "common/err.h"
#include "common/log.h"
#include "ha-core/cluster/claims.h"
#include "ha-core/cluster/connection.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICK_MS         100
#define HEARTBEAT_MS    1000
#define BATCH_NODES     64
#define BATCHES_MAX     8 /* on their way */
#define READ_CNT        128
#define SCAN_CNT        128
#define HOLDS_MAX       1024
#define QUEUE_KEPT      1024 /* places for nodes that wait, when none does */
#define RENEW_MS        5000 /* within it who is there has seen that the data are others */
#define PEER_GONE_MS    (24 * 3600 * 1000u)
#define LINES_BURST     10 /* lines of log, of a server that does nothing else */
#define LINES_MS        60000
#define ARGS_PER_RECORD 3
#define ARGS_FIXED      10

/* KEYS nodes, stream, sequence, epoch; ARGV length, instance, wall ms, key, rank, record ... */
static const char push_script[] =
	"local function refuse(reply)\n"
	" local function says(words) return string.find(reply.err, words, 1, true) end\n"
	" if says(' ID ') then\n"
	"  redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])\n"
	"  return redis.error_reply('ANEW stream or sequence is not as we left it')\n"
	" end\n"
	" if says('WRONGTYPE') or says('not an integer') or says('overflow') then\n"
	"  return redis.error_reply('MEND a key is not as we left it')\n"
	" end\n"
	" return reply\n"
	"end\n"
	"local rank = '^' .. string.rep('[0-9a-f]', 32)\n"
	"local won = 0\n"
	"for i = 4, #ARGV, 3 do\n"
	" local old = redis.pcall('HGET', KEYS[1], ARGV[i])\n"
	" if type(old) == 'table' then return refuse(old) end\n"
	" if not old or not string.find(old, rank) or string.sub(old, 1, 32) < ARGV[i + 1] then\n"
	"  local record = ARGV[i + 1] .. ARGV[i + 2]\n"
	"  local number = redis.pcall('INCR', KEYS[3])\n"
	"  if type(number) == 'table' then return refuse(number) end\n"
	"  local id = redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', ARGV[1], number .. '-1',\n"
	"   'h', ARGV[2], 't', ARGV[3], 'k', ARGV[i], 'v', record)\n"
	"  if type(id) == 'table' then return refuse(id) end\n"
	"  redis.call('HSET', KEYS[1], ARGV[i], record)\n"
	"  won = won + 1\n"
	" end\n"
	"end\n"
	"return won\n";

/* KEYS stream, sequence, epoch; ARGV the epoch that it is about: the first one who asks does it */
static const char anew_script[] = "if redis.call('GET', KEYS[3]) == ARGV[1] then\n"
				  " redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])\n"
				  "end\n"
				  "return 1\n";

/* KEYS nodes; ARGV key, what was seen there: unless a record has come there meanwhile */
static const char forget_script[] = "if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then\n"
				    " return redis.call('HDEL', KEYS[1], ARGV[1])\n"
				    "end\n"
				    "return 0\n";

/* KEYS nodes; ARGV key; returns it, too: by it the answer is known */
static const char record_script[] = "return {ARGV[1], redis.call('HGET', KEYS[1], ARGV[1])}";

/*
 * KEYS nodes, stream, sequence, epoch, hosts, blocks; returns which of them were not ours, and are
 * gone now, with a comma between. Of numbers those are ours that Lua can count: up to 14 digits.
 */
static const char mend_script[] =
	"local bad, names = {}, {}\n"
	"local function look(i, command, pattern)\n"
	" local v = redis.pcall(command, KEYS[i])\n"
	" if type(v) == 'table' and v.err and string.find(v.err, 'WRONGTYPE', 1, true) or\n"
	"    type(v) == 'string' and not string.find(v, pattern) then\n"
	"  redis.call('DEL', KEYS[i])\n"
	"  bad[i], names[#names + 1] = true, KEYS[i]\n"
	" end\n"
	"end\n"
	"look(1, 'HLEN')\n"
	"look(2, 'XLEN')\n"
	"look(3, 'GET', '^[1-9]' .. string.rep('%d?', 13) .. '$')\n"
	"look(4, 'GET', '^' .. string.rep('%x', 16) .. '$')\n"
	"look(5, 'HLEN')\n"
	"look(6, 'HLEN')\n"
	"if bad[2] or bad[3] then redis.call('DEL', KEYS[2], KEYS[3]) end\n"
	"if bad[1] or bad[2] or bad[3] or bad[6] then redis.call('DEL', KEYS[4]) end\n"
	"return table.concat(names, ',')\n";

/* A node that waits: by its key, for a reload may take the node itself away. */
struct waiting {
	size_t key_len;
	uint8_t key[];
};

struct batch {
	struct batch *next;
	struct cluster *c;
	struct waiting *nodes[BATCH_NODES];
	size_t cnt;
	bool wants_replicas;
	bool failed; /* the script; the answer to WAIT is still to come */
};

struct hold {
	uint64_t serial; /* shared once so many have been */
	uint64_t deadline_ms;
};

struct cluster {
	struct cluster_conf conf;
	struct cluster_hooks hooks;
	struct cluster_place place; /* of what was applied */
	struct cluster_health health;
	struct loop_timer *tick, *sweeper;
	char instance[CLUSTER_EPOCH_LEN + 1];
	char nodes_key[128], stream_key[128], sequence_key[128], hosts_key[128], epoch_key[128];
	char blocks_key[128];
	bool is_active;

	struct connection *connection;
	struct claims *claims;
	uint64_t arrived_at;   /* the entry that was the newest when the server was reached */
	uint64_t heartbeat_ms; /* when the next one is due */
	bool must_scan, is_scanning, is_sweeping;
	bool has_scanned; /* what is swept then is what the scan has not met */
	bool has_swept;   /* in this life */
	void *sweep_cursor;
	bool has_complained; /* of this outage */
	bool has_said;       /* in this life and to this server, that we are alive */
	bool is_refused;     /* what we wrote last */
	unsigned int idle;   /* reads in a row that found nothing though there is more */

	/* nodes that wait: a ring */
	struct waiting **queue;
	size_t queue_size, queue_first, queue_cnt;
	struct batch *first, *last; /* on their way */
	size_t batch_cnt, batch_nodes;
	uint64_t put, shared; /* serials: of the last one put, and shared */
	uint64_t backoff_ms;  /* the server refused: not before */

	struct hold holds[HOLDS_MAX];
	size_t hold_first, hold_cnt;

	void (*caught_up)(void *ctx);
	void *caught_up_ctx;
	uint64_t catch_up_to, catch_up_ms; /* entry; UINT64_MAX: to be asked. Deadline */
};

static void ask_to_read(struct cluster *c);
static void scan(struct cluster *c, const char *cursor);

static uint64_t now_ms(const struct cluster *c)
{
	return loop_now(c->conf.loop)->mono_ms;
}

static const struct connection_server *server_of(const struct cluster *c)
{
	return connection_server(c->connection);
}

static void go_away(struct cluster *c, const char *why)
{
	connection_give_up(c->connection, why); /* on_down() follows from it */
}

static uint64_t wall_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* --- ranks --- */

void cluster_rank_put(const struct cluster_rank *rank, char out[CLUSTER_RANK_LEN + 1])
{
	(void)snprintf(out, CLUSTER_RANK_LEN + 1, "%016llx%016llx", (unsigned long long)rank->ident,
		       (unsigned long long)rank->version);
}

bool cluster_rank_get(const char *text, size_t len, struct cluster_rank *out)
{
	uint64_t numbers[2] = { 0 };
	size_t i;

	if (len < CLUSTER_RANK_LEN)
		return false;
	for (i = 0; i < CLUSTER_RANK_LEN; i++) {
		uint64_t *n = &numbers[i / 16];
		char ch = text[i];

		if (ch >= '0' && ch <= '9')
			*n = *n << 4 | (uint64_t)(ch - '0');
		else if (ch >= 'a' && ch <= 'f')
			*n = *n << 4 | (uint64_t)(ch - 'a' + 10);
		else
			return false;
	}
	*out = (struct cluster_rank){ numbers[0], numbers[1] };
	return true;
}

int cluster_rank_compare(const struct cluster_rank *a, const struct cluster_rank *b)
{
	if (a->ident != b->ident)
		return a->ident < b->ident ? -1 : 1;
	if (a->version != b->version)
		return a->version < b->version ? -1 : 1;
	return 0;
}

/* --- answers that wait --- */

static void end_holds(struct cluster *c, size_t cnt, bool shared)
{
	if (cnt == 0)
		return;
	c->hold_first = (c->hold_first + cnt) % HOLDS_MAX;
	c->hold_cnt -= cnt;
	if (!shared)
		c->health.unconfirmed += cnt;
	c->hooks.held(c->hooks.ctx, cnt, shared);
}

/* @param ms  UINT64_MAX: all of them */
static void end_late_holds(struct cluster *c, uint64_t ms)
{
	size_t cnt = 0;

	while (cnt < c->hold_cnt && c->holds[(c->hold_first + cnt) % HOLDS_MAX].deadline_ms <= ms)
		cnt++;
	end_holds(c, cnt, false);
}

static void end_shared_holds(struct cluster *c)
{
	size_t cnt = 0;

	while (cnt < c->hold_cnt && c->holds[(c->hold_first + cnt) % HOLDS_MAX].serial <= c->shared)
		cnt++;
	end_holds(c, cnt, true);
}

int cluster_hold(struct cluster *c)
{
	if (!c || !c->conf.confirmed || c->shared == c->put)
		return 0;
	if (c->health.link == CLUSTER_AWAY || c->backoff_ms > now_ms(c)) {
		c->health.unconfirmed++;
		return -EAGAIN;
	}
	if (c->hold_cnt == HOLDS_MAX)
		end_holds(c, 1, false);
	c->holds[(c->hold_first + c->hold_cnt++) % HOLDS_MAX] =
		(struct hold){ c->put, now_ms(c) + c->conf.confirm_ms };
	return 1;
}

/* --- the queue --- */

static bool grow_queue(struct cluster *c)
{
	size_t size = c->queue_size ? 2 * c->queue_size : QUEUE_KEPT, i;
	struct waiting **queue;

	assert(c->queue_cnt <= c->queue_size);
	if (c->queue_cnt >= c->conf.queue_max)
		return false;
	queue = calloc(size, sizeof(*queue));
	if (!queue)
		return false;
	for (i = 0; i < c->queue_cnt; i++)
		queue[i] = c->queue[(c->queue_first + i) % c->queue_size];
	free(c->queue);
	c->queue = queue;
	c->queue_size = size;
	c->queue_first = 0;
	return true;
}

/* An outage or a sweep has made it large, and it is empty again. */
static void shrink_queue(struct cluster *c)
{
	if (c->queue_cnt > 0 || c->queue_size <= QUEUE_KEPT)
		return;
	free(c->queue);
	c->queue = NULL;
	c->queue_size = c->queue_first = 0;
}

/* All that is known is walked through when the server is back: the queue need not be kept. */
static void give_up_queue(struct cluster *c)
{
	struct waiting *w;
	size_t i;

	end_late_holds(c, UINT64_MAX);
	for (i = 0; i < c->queue_cnt; i++) {
		w = c->queue[(c->queue_first + i) % c->queue_size];
		c->hooks.dropped(c->hooks.ctx, w->key, w->key_len);
		free(w);
	}
	c->shared += c->queue_cnt;
	c->queue_cnt = 0;
	shrink_queue(c);
	c->must_scan = true;
	c->health.overflows++;
	log_warning("more has changed than is queued for the shared state: all of it is compared "
		    "when the server is back",
		    "event=cluster-overflow queue-limit=%u", c->conf.queue_max);
}

void cluster_put(struct cluster *c, const uint8_t *key, size_t key_len)
{
	struct waiting *w;

	if (!c)
		return;
	if (c->queue_cnt == c->conf.queue_max)
		give_up_queue(c);
	w = c->queue_cnt < c->queue_size || grow_queue(c) ? malloc(sizeof(*w) + key_len) : NULL;
	if (!w) {
		c->hooks.dropped(c->hooks.ctx, key, key_len);
		c->must_scan = true;
		return;
	}
	w->key_len = key_len;
	memcpy(w->key, key, key_len);
	c->queue[(c->queue_first + c->queue_cnt++) % c->queue_size] = w;
	c->put++;
}

void cluster_compare(struct cluster *c)
{
	if (!c)
		return;
	c->must_scan = true;
	c->is_sweeping = false;
	claims_compare(c->claims);
}

static void complain(struct cluster *c, const char *what)
{
	(void)snprintf(c->health.error, sizeof(c->health.error), "%.*s", (int)strcspn(what, "\r\n"),
		       what);
	c->health.error_ms = now_ms(c);
}

static struct batch *take_batch(struct cluster *c)
{
	struct batch *b = c->first;

	c->first = b->next;
	if (!c->first)
		c->last = NULL;
	c->batch_cnt--;
	c->batch_nodes -= b->cnt;
	return b;
}

static void free_batch(struct batch *b)
{
	while (b->cnt > 0)
		free(b->nodes[--b->cnt]);
	free(b);
}

/* Back into the queue, each unless it has been put again meanwhile. */
static void requeue(struct cluster *c, struct batch *b)
{
	size_t i;

	for (i = 0; i < b->cnt; i++) {
		c->shared++; /* its serial; it gets a new one */
		c->hooks.requeue(c->hooks.ctx, b->nodes[i]->key, b->nodes[i]->key_len);
	}
	free_batch(b);
}

/* --- writing --- */

static bool is_anew(const char *error)
{
	return strncmp(error, "ANEW", 4) == 0;
}

/* @param id  of the entry, "none" if it is none or not known */
static void tell_of_foreign(const struct cluster *c, const char *key, const char *id)
{
	static struct log_limit limit = { .burst = 1,
					  .interval_ms = 60000,
					  .event = "cluster-foreign" };

	log_write_limited(&limit, now_ms(c), LOG_LEVEL_WARNING,
			  "somebody else writes where the shared state is: it is begun anew",
			  "event=cluster-foreign key=%s entry=%s "
			  "remedy=\"see who writes there\"",
			  key, log_value(id, strlen(id)).s);
}

static void refused(struct cluster *c, struct batch *b, const char *error)
{
	/* It has become a replica, lost our script, our data or who we are, or has others' data. */
	bool is_other = strncmp(error, "READONLY", 8) == 0 || strncmp(error, "NOSCRIPT", 8) == 0 ||
			strncmp(error, "NOAUTH", 6) == 0 || strncmp(error, "MEND", 4) == 0 ||
			is_anew(error);

	complain(c, error);
	end_late_holds(c, UINT64_MAX);
	requeue(c, b);
	if (is_anew(error))
		tell_of_foreign(c, c->stream_key, "none");
	if (is_other) {
		go_away(c, error);
		return;
	}
	if (!c->is_refused)
		log_warning("the shared state refuses changes; they wait",
			    "event=cluster-refused error=\"%s\"", c->health.error);
	c->is_refused = true;
	c->backoff_ms = now_ms(c) + CONNECTION_RETRY_MS;
}

static void written(struct cluster *c, struct batch *b)
{
	if (c->is_refused)
		log_notice("the shared state takes changes again",
			   "event=cluster-accepted queued=%zu", c->queue_cnt);
	c->is_refused = false;
	c->health.sent += b->cnt;
	c->shared += b->cnt;
	free_batch(b);
	end_shared_holds(c);
	cluster_flush(c);
}

static void on_written(void *ctx, const struct redis_value *v)
{
	struct cluster *c = ctx;
	const char *error = redis_error(v);

	if (c->first->wants_replicas) { /* the answer to WAIT is what counts */
		c->first->failed = error != NULL;
		if (error)
			complain(c, error);
	} else if (error) {
		refused(c, take_batch(c), error);
	} else {
		written(c, take_batch(c));
	}
}

static void on_waited(void *ctx, const struct redis_value *v)
{
	struct cluster *c = ctx;
	struct batch *b = take_batch(c);
	const char *error = redis_error(v);
	char why[sizeof(c->health.error)];

	if (b->failed) {
		memcpy(why, c->health.error, sizeof(why));
		refused(c, b, why);
		return;
	}
	if (error || redis_number(v) < c->conf.replicas) {
		complain(c, error ? error : "too few replicas have it");
		end_late_holds(c, UINT64_MAX);
	}
	written(c, b);
}

static int ask_writer(struct cluster *c, redis_fn *fn, const struct redis_arg *args, size_t cnt)
{
	return connection_write(c->connection, fn, c, args, cnt);
}

static struct redis_arg text_arg(const char *text)
{
	return (struct redis_arg){ text, strlen(text) };
}

/* How many of the batch's records there are; those of nodes that have none are left out. */
static size_t encode_batch(struct cluster *c, const struct batch *b, struct cluster_record *records,
			   char (*ranks)[CLUSTER_RANK_LEN + 1], struct redis_arg *args)
{
	size_t i, cnt = 0;

	for (i = 0; i < b->cnt; i++) {
		if (!c->hooks.encode(c->hooks.ctx, b->nodes[i]->key, b->nodes[i]->key_len,
				     &records[cnt]))
			continue;
		cluster_rank_put(&records[cnt].rank, ranks[cnt]);
		*args++ = (struct redis_arg){ records[cnt].key, records[cnt].key_len };
		*args++ = (struct redis_arg){ ranks[cnt], CLUSTER_RANK_LEN };
		*args++ = (struct redis_arg){ records[cnt].value, records[cnt].value_len };
		cnt++;
	}
	return cnt;
}

static int send_batch(struct cluster *c, struct batch *b)
{
	static struct cluster_record records[BATCH_NODES]; /* of one loop, in one thread */
	struct redis_arg args[ARGS_FIXED + BATCH_NODES * ARGS_PER_RECORD];
	char ranks[BATCH_NODES][CLUSTER_RANK_LEN + 1];
	char len[16], wall[24], replicas[16], wait[16];
	size_t cnt;
	int rc;

	(void)snprintf(len, sizeof(len), "%u", c->conf.stream_len);
	(void)snprintf(wall, sizeof(wall), "%llu", (unsigned long long)wall_ms());
	args[0] = text_arg("EVALSHA");
	args[1] = text_arg(server_of(c)->script);
	args[2] = text_arg("4");
	args[3] = text_arg(c->nodes_key);
	args[4] = text_arg(c->stream_key);
	args[5] = text_arg(c->sequence_key);
	args[6] = text_arg(c->epoch_key);
	args[7] = text_arg(len);
	args[8] = text_arg(c->instance);
	args[9] = text_arg(wall);
	cnt = encode_batch(c, b, records, ranks, args + ARGS_FIXED);
	rc = ask_writer(c, on_written, args, ARGS_FIXED + cnt * ARGS_PER_RECORD);
	if (rc < 0 || !b->wants_replicas)
		return rc;
	(void)snprintf(replicas, sizeof(replicas), "%u", c->conf.replicas);
	(void)snprintf(wait, sizeof(wait), "%u", c->conf.confirm_ms);
	args[0] = text_arg("WAIT");
	args[1] = text_arg(replicas);
	args[2] = text_arg(wait);
	return ask_writer(c, on_waited, args, 3);
}

/* Who has not read everything does not know of every lease. */
static void see_to_claims(struct cluster *c)
{
	if (c->health.link == CLUSTER_FOLLOWING && c->place.sequence >= c->arrived_at)
		claims_work(c->claims);
}

void cluster_flush(struct cluster *c)
{
	struct batch *b;

	if (!c || c->health.link == CLUSTER_AWAY)
		return;
	see_to_claims(c);
	if (c->backoff_ms > now_ms(c))
		return;
	while (c->queue_cnt > 0 && c->batch_cnt < BATCHES_MAX) {
		b = calloc(1, sizeof(*b));
		if (!b)
			return; /* the tick tries again */
		b->wants_replicas = c->conf.confirmed && c->conf.replicas > 0;
		while (c->queue_cnt > 0 && b->cnt < BATCH_NODES) {
			b->nodes[b->cnt++] = c->queue[c->queue_first];
			c->queue_first = (c->queue_first + 1) % c->queue_size;
			c->queue_cnt--;
		}
		*(c->last ? &c->last->next : &c->first) = b;
		c->last = b;
		c->batch_cnt++;
		c->batch_nodes += b->cnt;
		if (send_batch(c, b) < 0) {
			go_away(c, err_text(-ENOMEM)); /* what was on its way is queued again */
			return;
		}
	}
	shrink_queue(c);
}

/* --- reading --- */

static void note_lag(struct cluster *c, uint64_t sent_ms)
{
	uint64_t wall = wall_ms();

	if (sent_ms == 0)
		return; /* it does not say */
	c->health.lag_ms = wall > sent_ms ? wall - sent_ms : 0;
}

static bool record_of(const struct redis_value *key, const struct redis_value *value,
		      struct cluster_record *out)
{
	size_t key_len, len;
	const char *k = redis_text(key, &key_len), *v = redis_text(value, &len);

	if (!k || !v || key_len == 0 || key_len > CLUSTER_KEY_MAX ||
	    !cluster_rank_get(v, len, &out->rank) || len > CLUSTER_RANK_LEN + CLUSTER_VALUE_MAX)
		return false;
	out->key_len = key_len;
	memcpy(out->key, k, key_len);
	out->value_len = len - CLUSTER_RANK_LEN;
	memcpy(out->value, v + CLUSTER_RANK_LEN, out->value_len);
	return true;
}

/* @param sequence  of the entry; 0: it is of the snapshot. @return false: it is no record */
static bool apply(struct cluster *c, const struct redis_value *key, const struct redis_value *value,
		  uint64_t sequence)
{
	static struct log_limit limit = { .burst = 5,
					  .interval_ms = 10000,
					  .event = "cluster-record" };
	static struct cluster_record record;
	const char *text;
	size_t len = 0;

	if (!record_of(key, value, &record)) {
		text = redis_text(key, &len);
		complain(c, "there is a record that is none");
		log_write_limited(&limit, now_ms(c), LOG_LEVEL_WARNING,
				  "there is something among the shared records that is none",
				  "event=cluster-record key=%s entry=%llu",
				  text ? log_value(text, len).s : "none",
				  (unsigned long long)sequence);
		return false;
	}
	record.sequence = sequence;
	c->health.applied++;
	return c->hooks.apply(c->hooks.ctx, &record);
}

static void on_record(void *ctx, const struct redis_value *v)
{
	if (redis_error(v))
		complain(ctx, redis_error(v));
	else if (redis_text(redis_item(v, 1), NULL))
		(void)apply(ctx, redis_item(v, 0), redis_item(v, 1), 0);
}

/* What came by the stream is none: the change is in the snapshot as well, or a later one. */
static void ask_for_record(struct cluster *c, const struct redis_value *key)
{
	struct redis_arg args[5] = { text_arg("EVAL"), text_arg(record_script), text_arg("1"),
				     text_arg(c->nodes_key) };

	args[4].data = redis_text(key, &args[4].len);
	if (args[4].data && args[4].len <= CLUSTER_KEY_MAX)
		(void)ask_writer(c, on_record, args, 5);
}

static void on_forgotten(void *ctx, const struct redis_value *v)
{
	if (redis_error(v))
		complain(ctx, redis_error(v));
}

/* On the connection that the sweep writes on: ahead of what it puts there again. */
static void forget(struct cluster *c, const struct redis_value *key,
		   const struct redis_value *value)
{
	struct redis_arg args[6] = { text_arg("EVAL"), text_arg(forget_script), text_arg("1"),
				     text_arg(c->nodes_key) };

	args[4].data = redis_text(key, &args[4].len);
	args[5].data = redis_text(value, &args[5].len);
	if (args[4].data && args[5].data)
		(void)ask_writer(c, on_forgotten, args, 6);
}

static void start_scan(struct cluster *c, const char *why)
{
	static struct log_limit limit = { .burst = LINES_BURST,
					  .interval_ms = LINES_MS,
					  .event = "cluster-scan" };

	log_write_limited(&limit, now_ms(c), LOG_LEVEL_INFO,
			  "the shared state is compared with ours as a whole",
			  "event=cluster-scan reason=%s sequence=%llu newest=%llu", why,
			  (unsigned long long)c->place.sequence,
			  (unsigned long long)c->health.newest);
	c->idle = 0;
	c->must_scan = false;
	c->is_scanning = true;
	c->is_sweeping = false;
	c->health.scans++;
	c->health.link = CLUSTER_SYNCING;
	c->place.sequence = c->health.newest; /* what comes later, the stream tells */
	c->hooks.scan_begins(c->hooks.ctx);
	scan(c, "0");
}

static void finish_catching_up(struct cluster *c)
{
	void (*fn)(void *ctx) = c->caught_up;

	c->caught_up = NULL;
	if (fn)
		fn(c->caught_up_ctx);
}

static void keep_place(struct cluster *c)
{
	if (c->is_scanning || c->is_sweeping || c->must_scan)
		return; /* a scan that was broken off begins anew */
	memcpy(c->place.epoch, server_of(c)->epoch, sizeof(c->place.epoch));
	memcpy(c->place.server, server_of(c)->id, sizeof(c->place.server));
	if (c->queue_cnt == 0 && c->batch_cnt == 0)
		c->place.version = c->hooks.version(c->hooks.ctx);
	c->hooks.keep_place(c->hooks.ctx, &c->place);
}

/* "k", "v", "h", "t" of an entry: their places are not to be counted on. */
static const struct redis_value *field_of(const struct redis_value *fields, char name)
{
	size_t i, len;
	const char *text;

	for (i = 0; i + 1 < redis_cnt(fields); i += 2) {
		text = redis_text(redis_item(fields, i), &len);
		if (text && len == 1 && text[0] == name)
			return redis_item(fields, i + 1);
	}
	return NULL;
}

/* @return false: it is not the next one */
static bool take_entry(struct cluster *c, const struct redis_value *entry)
{
	const struct redis_value *fields = redis_item(entry, 1);
	const char *host = redis_text(field_of(fields, 'h'), NULL);
	uint64_t sequence = redis_number(redis_item(entry, 0)); /* up to the "-" */

	if (sequence > c->health.newest)
		c->health.newest = sequence; /* a scan goes on from there */
	if (sequence != c->place.sequence + 1)
		return false;
	c->place.sequence = sequence;
	if (host && strcmp(host, c->instance) == 0)
		return true; /* ours */
	if (!apply(c, field_of(fields, 'k'), field_of(fields, 'v'), sequence))
		ask_for_record(c, field_of(fields, 'k'));
	note_lag(c, redis_number(field_of(fields, 't')));
	return true;
}

static void on_begun_anew(void *ctx, const struct redis_value *v)
{
	go_away(ctx, redis_error(v) ? redis_error(v) : "a foreign entry in the stream");
}

/* Ours end in "-1". @return true: it is none, and nothing is read on */
static bool is_foreign(struct cluster *c, const struct redis_value *entry)
{
	const char *id = redis_text(redis_item(entry, 0), NULL);
	const char *part = id ? strchr(id, '-') : NULL;

	if (part && strcmp(part, "-1") == 0)
		return false;
	tell_of_foreign(c, c->stream_key, id ? id : "none");
	(void)redis_ask(connection_reader(c->connection), on_begun_anew, c, "EVAL", anew_script,
			"3", c->stream_key, c->sequence_key, c->epoch_key, server_of(c)->epoch,
			NULL);
	return true;
}

static void on_read(void *ctx, const struct redis_value *v)
{
	struct cluster *c = ctx;
	const struct redis_value *entries = redis_item(redis_item(v, 0), 1);
	size_t i;

	if (redis_error(v)) {
		go_away(c, redis_error(v));
		return;
	}
	for (i = 0; i < redis_cnt(entries); i++) {
		if (is_foreign(c, redis_item(entries, i)))
			return;
		if (!take_entry(c, redis_item(entries, i))) {
			start_scan(c, "entries-missed");
			return;
		}
	}
	if (c->caught_up && c->catch_up_to != UINT64_MAX && c->place.sequence >= c->catch_up_to)
		finish_catching_up(c);
	/* Once may be chance: the two connections are not in step. */
	c->idle = redis_cnt(entries) == 0 && c->place.sequence < c->health.newest ? c->idle + 1 : 0;
	if (c->must_scan)
		start_scan(c, "nodes-changed");
	else if (c->idle > 1)
		start_scan(c, "entries-gone");
	else
		ask_to_read(c);
}

static void ask_to_read(struct cluster *c)
{
	char from[32], cnt[16], block[16];

	(void)snprintf(from, sizeof(from), "%llu-1", (unsigned long long)c->place.sequence);
	(void)snprintf(cnt, sizeof(cnt), "%d", READ_CNT);
	(void)snprintf(block, sizeof(block), "%d", CONNECTION_BLOCK_MS);
	(void)redis_ask(connection_reader(c->connection), on_read, c, "XREAD", "COUNT", cnt,
			"BLOCK", block, "STREAMS", c->stream_key, from, NULL);
}

/* Of our nodes what is not shared yet, some a turn; only as fast as it goes. */
static void on_sweep(void *ctx)
{
	static struct log_limit limit = { .burst = LINES_BURST,
					  .interval_ms = LINES_MS,
					  .event = "cluster-synchronised" };
	struct cluster *c = ctx;

	if (!c->is_sweeping || c->health.link == CLUSTER_AWAY)
		return;
	if (c->queue_cnt > c->conf.queue_max / 2) {
		loop_timer_start(c->sweeper, TICK_MS, 0);
		return;
	}
	if (c->hooks.sweep(c->hooks.ctx, &c->sweep_cursor, c->has_scanned, c->place.version)) {
		loop_timer_start(c->sweeper, c->sweep_cursor ? 0 : TICK_MS, 0);
	} else {
		c->is_sweeping = false;
		c->has_swept = true;
		log_write_limited(&limit, now_ms(c), LOG_LEVEL_INFO,
				  "all that is known here is shared, or on its way",
				  "event=cluster-synchronised sequence=%llu queued=%zu",
				  (unsigned long long)c->place.sequence,
				  c->queue_cnt + c->batch_nodes);
	}
	cluster_flush(c);
}

static void start_sweep(struct cluster *c, bool has_scanned)
{
	c->is_sweeping = true;
	c->has_scanned = has_scanned;
	c->sweep_cursor = NULL;
	loop_timer_start(c->sweeper, 0, 0);
}

/* @param key  in the nodes' hash */
static bool is_epoch(const struct redis_value *key)
{
	static const char field[] = CONNECTION_EPOCH_FIELD;
	size_t len;
	const char *text = redis_text(key, &len);

	return text && len == sizeof(field) - 1 && memcmp(text, field, len) == 0;
}

static void on_scanned(void *ctx, const struct redis_value *v)
{
	struct cluster *c = ctx;
	const struct redis_value *pairs = redis_item(v, 1);
	const char *cursor = redis_text(redis_item(v, 0), NULL);
	size_t i;

	if (redis_error(v) || !cursor) {
		go_away(c, redis_error(v) ? redis_error(v) : "no cursor");
		return;
	}
	for (i = 0; i + 1 < redis_cnt(pairs); i += 2)
		if (!is_epoch(redis_item(pairs, i)) &&
		    !apply(c, redis_item(pairs, i), redis_item(pairs, i + 1), 0))
			forget(c, redis_item(pairs, i), redis_item(pairs, i + 1));
	cluster_flush(c);
	if (c->health.link == CLUSTER_AWAY)
		return;
	if (strcmp(cursor, "0") != 0) {
		scan(c, cursor);
		return;
	}
	c->is_scanning = false;
	start_sweep(c, true);
	c->health.link = CLUSTER_FOLLOWING;
	ask_to_read(c);
}

static void scan(struct cluster *c, const char *cursor)
{
	char cnt[16];

	(void)snprintf(cnt, sizeof(cnt), "%d", SCAN_CNT);
	(void)redis_ask(connection_reader(c->connection), on_scanned, c, "HSCAN", c->nodes_key,
			cursor, "COUNT", cnt, NULL);
}

/* --- the server comes and goes --- */

static void on_down(void *ctx, const char *why)
{
	static struct log_limit limit = { .burst = LINES_BURST,
					  .interval_ms = LINES_MS,
					  .event = "cluster-away" };
	struct cluster *c = ctx;
	bool was_there = c->health.link != CLUSTER_AWAY;

	complain(c, why);
	/* A scan that was not finished has not compared everything. */
	c->must_scan |= c->is_scanning || c->is_sweeping;
	c->is_scanning = c->is_sweeping = false;
	claims_restart(c->claims, 0);
	c->health.link = CLUSTER_AWAY;
	c->health.server = server_of(c)->at;
	end_late_holds(c, UINT64_MAX);
	while (c->first)
		requeue(c, take_batch(c));
	if (was_there)
		c->health.outages++;
	if (!c->has_complained)
		log_write_limited(&limit, now_ms(c), LOG_LEVEL_ERROR,
				  "the shared state cannot be reached: this host goes on by itself",
				  "event=cluster-away server=%s:%u error=\"%s\" queued=%zu",
				  addr_text(c->health.server.address).s, c->health.server.port,
				  c->health.error, c->queue_cnt);
	c->has_complained = true;
	if (c->caught_up)
		finish_catching_up(c); /* there is nothing to be had */
}

static void on_mended(void *ctx, const struct redis_value *v)
{
	struct cluster *c = ctx;
	const char *keys = redis_text(v, NULL);

	if (redis_error(v))
		complain(c, redis_error(v)); /* if it matters, what is asked next is refused, too */
	else if (keys && keys[0])
		tell_of_foreign(c, keys, "none");
}

static void prepare(void *ctx, struct redis *writer)
{
	struct cluster *c = ctx;

	(void)redis_ask(writer, on_mended, c, "EVAL", mend_script, "6", c->nodes_key, c->stream_key,
			c->sequence_key, c->epoch_key, c->hosts_key, c->blocks_key, NULL);
}

static void on_up(void *ctx)
{
	static struct log_limit limit = { .burst = LINES_BURST,
					  .interval_ms = LINES_MS,
					  .event = "cluster-reached" };
	struct cluster *c = ctx;
	const struct connection_server *server = server_of(c);
	bool same_data = strcmp(server->epoch, c->place.epoch) == 0;
	bool same_server = strcmp(server->id, c->place.server) == 0;
	size_t i;

	c->health.server = server->at;
	c->health.newest = c->arrived_at = server->newest;
	for (i = 0; !same_data && i < c->health.peer_cnt; i++)
		c->health.peers[i].sequence = 0; /* of other data */
	claims_restart(c->claims,
		       c->place.epoch[0] && !(same_data && same_server) ? now_ms(c) + RENEW_MS : 0);
	log_write_limited(&limit, now_ms(c), LOG_LEVEL_NOTICE, "the shared state is reached",
			  "event=cluster-reached server=%s:%u sequence=%llu newest=%llu queued=%zu",
			  addr_text(server->at.address).s, server->at.port,
			  (unsigned long long)c->place.sequence, (unsigned long long)server->newest,
			  c->queue_cnt);
	c->has_complained = false;
	c->has_said = false;
	c->heartbeat_ms = 0;
	c->backoff_ms = 0;
	if (!same_data || !same_server || c->must_scan || c->place.sequence > server->newest) {
		start_scan(c, !same_data     ? "other-data"
			      : !same_server ? "other-server"
					     : "unfinished");
	} else {
		c->health.link = CLUSTER_FOLLOWING;
		if (!c->has_swept) /* what a former life could not share any more */
			start_sweep(c, false);
		ask_to_read(c);
	}
	cluster_flush(c);
}

/* --- peers --- */

/* As the configuration allows, state.replication.name; a host's own name is always one. */
static bool is_name(const char *name, size_t len)
{
	return len > 0 && len <= CLUSTER_NAME_MAX && strcspn(name, " \t\r\n") == len;
}

/* Of what a host said, and sets *at behind it. @return false: there is none, or a larger one */
static bool next_number(const char **at, uint64_t *out)
{
	char *end;

	if (**at != ' ' || !isdigit((unsigned char)(*at)[1]))
		return false;
	errno = 0;
	*out = strtoull(*at + 1, &end, 10);
	*at = end;
	return errno == 0 && (*end == ' ' || *end == '\0');
}

static void on_peer(struct cluster *c, const char *name, const char *said)
{
	static struct log_limit limit = { .burst = 1,
					  .interval_ms = 60000,
					  .event = "cluster-name" };
	struct cluster_peer *p = NULL;
	uint64_t sequence, queued, wall, lag_ms, lag = UINT64_MAX;
	char role[16], instance[CLUSTER_EPOCH_LEN + 1];
	const char *at = said;
	int len = 0;
	size_t i;

	if (sscanf(said, "1 %15s %16s%n", role, instance, &len) < 2)
		return;
	at += len;
	if (!next_number(&at, &sequence) || !next_number(&at, &queued) ||
	    !next_number(&at, &wall) || !next_number(&at, &lag_ms))
		return;
	/* The last one is newer than the rest: a host of an older version leaves it out. */
	if (*at && !next_number(&at, &lag))
		return;
	if (strcmp(name, c->conf.name) == 0) {
		/* Asked for ahead of each sign of life: what we said last is to be there. */
		if (c->has_said && strcmp(instance, c->instance) != 0)
			log_write_limited(&limit, now_ms(c), LOG_LEVEL_ERROR,
					  "another host has the name of this one",
					  "event=cluster-name name=%s "
					  "remedy=\"set state.replication.name on each\"",
					  log_value(name, strlen(name)).s);
		return;
	}
	for (i = 0; i < c->health.peer_cnt && !p; i++)
		if (strcmp(c->health.peers[i].name, name) == 0)
			p = &c->health.peers[i];
	if (!p && c->health.peer_cnt < CLUSTER_PEER_MAX) {
		p = &c->health.peers[c->health.peer_cnt++];
		*p = (struct cluster_peer){ .seen_ms = now_ms(c) };
		(void)snprintf(p->name, sizeof(p->name), "%s", name);
	}
	if (!p)
		return;
	if (p->wall_ms != wall)
		p->seen_ms = now_ms(c);
	p->wall_ms = wall;
	p->is_active = strcmp(role, "active") == 0;
	p->sequence = sequence;
	p->queued = queued;
	p->lag = lag;
	p->lag_ms = lag_ms;
	memcpy(p->instance, instance, sizeof(instance));
}

static void on_peers(void *ctx, const struct redis_value *v)
{
	const char *name, *said;
	struct cluster *c = ctx;
	size_t i, len;

	if (redis_is_wrong_type(v)) {
		go_away(c, redis_error(v)); /* it is mended when we come back, as below */
		return;
	}
	for (i = 0; i + 1 < redis_cnt(v); i += 2) {
		name = redis_text(redis_item(v, i), &len);
		said = redis_text(redis_item(v, i + 1), NULL);
		if (name && said && is_name(name, len))
			on_peer(c, name, said);
	}
	for (i = 0; i < c->health.peer_cnt;)
		if (now_ms(c) - c->health.peers[i].seen_ms > PEER_GONE_MS)
			c->health.peers[i] = c->health.peers[--c->health.peer_cnt];
		else
			i++;
}

static void on_heartbeat_epoch(void *ctx, const struct redis_value *v)
{
	const char *epoch = redis_text(v, NULL);
	struct cluster *c = ctx;

	if (redis_error(v))
		go_away(c, redis_error(v));
	else if (!epoch || strcmp(epoch, server_of(c)->epoch) != 0)
		go_away(c, "the shared data are gone"); /* and come back from here */
}

static void on_heartbeat_newest(void *ctx, const struct redis_value *v)
{
	const char *text = redis_text(v, NULL);
	struct cluster *c = ctx;
	uint64_t newest = redis_number(v);

	if (redis_is_wrong_type(v) || (text && text[strspn(text, "0123456789")])) {
		go_away(c, redis_error(v) ? redis_error(v) : "the sequence is no number");
		return;
	}
	if (newest > c->health.newest)
		c->health.newest = newest;
	if (!c->caught_up || c->catch_up_to != UINT64_MAX)
		return;
	c->catch_up_to = newest;
	if (c->place.sequence >= newest && !c->is_scanning)
		finish_catching_up(c);
}

static void on_said(void *ctx, const struct redis_value *v)
{
	struct cluster *c = ctx;

	c->has_said = !redis_error(v);
	if (redis_error(v))
		complain(c, redis_error(v));
}

/* How late the last entry came tells nothing once there is no other to come. */
static uint64_t lag_ms_of(const struct cluster *c, uint64_t sequence)
{
	return cluster_lag_entries(&c->health, sequence) > 0 ? c->health.lag_ms : 0;
}

static void beat(struct cluster *c)
{
	/* Who has not compared everything has not read what there was before. */
	const uint64_t sequence = c->is_scanning ? 0 : c->place.sequence;
	char said[160];
	struct redis_arg args[4] = { text_arg("HSET"), text_arg(c->hosts_key),
				     text_arg(c->conf.name) };
	struct redis_arg get[3] = { text_arg("HGETALL"), text_arg(c->hosts_key) };

	c->heartbeat_ms = now_ms(c) + HEARTBEAT_MS;
	(void)snprintf(said, sizeof(said), "1 %s %s %llu %zu %llu %llu %llu",
		       c->is_active ? "active" : "standby", c->instance,
		       (unsigned long long)sequence, c->queue_cnt + c->batch_nodes,
		       (unsigned long long)wall_ms(), (unsigned long long)lag_ms_of(c, sequence),
		       (unsigned long long)cluster_lag_entries(&c->health, sequence));
	args[3] = text_arg(said);
	if (ask_writer(c, on_peers, get, 2) < 0)
		return;
	(void)ask_writer(c, on_said, args, 4);
	get[0] = text_arg("GET");
	get[1] = text_arg(c->epoch_key);
	(void)ask_writer(c, on_heartbeat_epoch, get, 2);
	get[1] = text_arg(c->sequence_key);
	(void)ask_writer(c, on_heartbeat_newest, get, 2);
	get[0] = text_arg("HGET");
	get[1] = text_arg(c->nodes_key);
	get[2] = text_arg(CONNECTION_EPOCH_FIELD);
	(void)ask_writer(c, on_heartbeat_epoch, get, 3);
	keep_place(c);
}

/* --- life --- */

static void on_tick(void *ctx)
{
	struct cluster *c = ctx;
	uint64_t now = now_ms(c);

	end_late_holds(c, now);
	if (c->caught_up && now >= c->catch_up_ms)
		finish_catching_up(c);
	connection_tick(c->connection);
	if (c->health.link == CLUSTER_AWAY)
		return;
	if (now >= c->heartbeat_ms)
		beat(c);
	cluster_flush(c);
}

static int open_connection(struct cluster *c)
{
	const struct connection_conf conf = { .cluster = &c->conf,
					      .epoch_key = c->epoch_key,
					      .nodes_key = c->nodes_key,
					      .sequence_key = c->sequence_key,
					      .script = push_script,
					      .prepare = prepare,
					      .up = on_up,
					      .down = on_down,
					      .ctx = c };

	int rc = connection_open(&conf, &c->connection);

	if (rc == 0)
		rc = claims_open(&c->conf, &c->hooks, c->connection, c->blocks_key, &c->claims);
	return rc;
}

int cluster_open(const struct cluster_conf *conf, const struct cluster_hooks *hooks,
		 const struct cluster_place *place, struct cluster **ret_c)
{
	struct cluster *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->conf = *conf;
	c->hooks = *hooks;
	c->place = *place;
	connection_random(c->instance);
	(void)snprintf(c->nodes_key, sizeof(c->nodes_key), "%s:nodes", conf->prefix);
	(void)snprintf(c->stream_key, sizeof(c->stream_key), "%s:stream", conf->prefix);
	(void)snprintf(c->sequence_key, sizeof(c->sequence_key), "%s:sequence", conf->prefix);
	(void)snprintf(c->hosts_key, sizeof(c->hosts_key), "%s:hosts", conf->prefix);
	(void)snprintf(c->blocks_key, sizeof(c->blocks_key), "%s:blocks", conf->prefix);
	(void)snprintf(c->epoch_key, sizeof(c->epoch_key), "%s:epoch", conf->prefix);
	c->tick = loop_timer_new(conf->loop, on_tick, c);
	c->sweeper = loop_timer_new(conf->loop, on_sweep, c);
	if (!c->tick || !c->sweeper || open_connection(c) < 0) {
		loop_timer_free(c->sweeper);
		loop_timer_free(c->tick);
		connection_close(c->connection);
		free(c);
		return -ENOMEM;
	}
	loop_timer_start(c->tick, 0, TICK_MS);
	*ret_c = c;
	return 0;
}

struct cluster *cluster_close(struct cluster *c)
{
	size_t i;

	if (!c)
		return NULL;
	if (c->health.link == CLUSTER_FOLLOWING)
		keep_place(c);
	connection_close(c->connection);
	claims_close(c->claims);
	while (c->first)
		free_batch(take_batch(c));
	for (i = 0; i < c->queue_cnt; i++)
		free(c->queue[(c->queue_first + i) % c->queue_size]);
	loop_timer_free(c->sweeper);
	loop_timer_free(c->tick);
	free(c->queue);
	free(c);
	return NULL;
}

void cluster_set_active(struct cluster *c, bool active)
{
	if (!c)
		return;
	c->is_active = active;
	if (c->health.link != CLUSTER_AWAY)
		beat(c);
}

void cluster_catch_up(struct cluster *c, void (*fn)(void *ctx), void *ctx)
{
	if (!c || c->health.link == CLUSTER_AWAY) {
		fn(ctx);
		return;
	}
	c->caught_up = fn;
	c->caught_up_ctx = ctx;
	c->catch_up_to = UINT64_MAX;
	c->catch_up_ms = now_ms(c) + c->conf.confirm_ms;
	beat(c);
}

void cluster_get_health(const struct cluster *c, struct cluster_health *out)
{
	*out = (struct cluster_health){ 0 };
	if (!c)
		return;
	*out = c->health;
	out->is_refused = c->is_refused;
	out->sequence = c->place.sequence;
	out->lag_ms = lag_ms_of(c, c->place.sequence);
	out->queued = c->queue_cnt + c->batch_nodes;
}

uint64_t cluster_lag_entries(const struct cluster_health *h, uint64_t sequence)
{
	return h->newest > sequence ? h->newest - sequence : 0;
}

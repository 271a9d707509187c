/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ring around memory.c: ha.c opens it, tells it which nodes changed and when a batch is over,
 * and ha_ctl.c has it answer "state ...". A record is made when the node is touched, not at the
 * commit: what is committed is what the engine decided in between, in its order.
 *
 * What a request changes is committed with its batch, before the reply leaves. Everything else
 * (expiries, an operator's clear, a reload) is committed by a timer in the loop's next turn, which
 * also tries again after a failure.
 */
#include "ha-core/ha_state.h"

#include "common/compiler.h"
#include "common/crc32c.h"
#include "common/err.h"
#include "common/log.h"
#include "common/task.h"
#include "ha-core/engine/memory.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS         1000
#define LOOK_MS          10000
#define NOTE_KEY         'C' /* of no node: see memory_key() */
#define RESTORE_BATCH    64
#define NODES_PER_STEP   64
#define RECORDS_PER_STEP 256
#define IMPORTED_BURST   10 /* lines of log: a file has a node a line */
#define IMPORTED_MS      10000
#define LINE_MAX_LEN     (2 * (MEMORY_KEY_MAX + MEMORY_VALUE_MAX) + 512)

struct ha_state {
	struct store *store;
	struct engine *engine;
	struct loop *loop;
	struct loop_timer *later;  /* commits */
	struct loop_timer *look;   /* at what goes on beside the loop */
	int told_beside;           /* what was told of that; 0: nothing, or that it works */
	struct checking *checking; /* NULL: nobody has asked */
	char directory[256];       /* for the log */
	bool is_restoring;
	bool is_failing; /* it has been logged */
	uint8_t note[HA_STATE_NOTE_MAX];
	size_t note_len;
};

static struct memory_time time_of(const struct ha_state *st, const struct clock *now)
{
	return (struct memory_time){
		.now = *now,
		.boot = store_boot(st->store),
		.may_lack = store_may_lack(st->store),
	};
}

/* --- open and close --- */

static void check_end(struct checking *c);

static const char *error_of(int rc)
{
	return rc == -ENOENT         ? "the directory, or a file of it, was taken away"
	       : rc == ERR_MALFORMED ? "it was damaged while it was in use"
				     : err_text(rc);
}

static const char *remedy_for(int rc)
{
	return rc == -ENOSPC || rc == -EDQUOT ? "make room on the disk; it is tried again"
	       : rc == -ENOENT       ? "put it back, or restart to begin with what is there"
	       : rc == ERR_MALFORMED ? "hactl state export what is known; restore the directory"
				     : "look at the disk; it is tried again";
}

/* Nobody may be asking while the disk fails, and a merge fails without anybody's noticing. */
static void on_look(void *ctx)
{
	struct ha_state *st = ctx;
	int rc = store_error_beside(st->store);

	if (rc == st->told_beside || (rc < 0 && st->is_failing)) /* that has been told */
		return;
	st->told_beside = rc;
	if (rc < 0)
		log_error("what is remembered is not kept as it should be",
			  "event=state-failing state.directory=%s error=\"%s\" remedy=\"%s\"",
			  st->directory, error_of(rc), remedy_for(rc));
	else
		log_notice("what is remembered is kept again",
			   "event=state-kept state.directory=%s", st->directory);
}

/* To whom reads by a memory map a file without its end is no error, but the end. */
static void on_bus_error(int signum)
{
	/* NOLINTNEXTLINE(bugprone-signal-handler,cert-sig30-c): it is made for one */
	log_last_words(
		"what is remembered cannot be read: state.mdb was cut short by other hands, or "
		"its disk fails event=state-lost remedy=\"restore state.directory, or look at "
		"the disk\"");
	(void)signal(signum, SIG_DFL); /* whoever comes back from here meets it again */
}

static void on_later(void *ctx)
{
	(void)ha_state_commit(ctx);
}

int ha_state_open(const struct ha_conf *conf, const char *daemon, struct engine *engine,
		  struct loop *loop, struct ha_state **ret_state)
{
	const struct store_conf sc = {
		.directory = conf->state.directory,
		.daemon = daemon,
		.home_agent = conf->address,
		.sync_interval_ms = conf->state.sync == HA_CONF_SYNC_ALWAYS
					    ? 0
					    : conf->state.sync_interval_s * 1000u,
		.segment_size = (uint64_t)conf->state.journal_size_mib << 20,
	};
	char fault[STORE_FAULT_MAX];
	struct ha_state *st;
	int rc;

	*ret_state = NULL;
	if (strcmp(conf->state.directory, "none") == 0) {
		log_warning("nothing survives a restart",
			    "event=state-none "
			    "remedy=\"give state.directory a directory\"");
		return 0;
	}
	st = calloc(1, sizeof(*st));
	if (!st)
		return -ENOMEM;
	st->engine = engine;
	st->loop = loop;
	(void)snprintf(st->directory, sizeof(st->directory), "%s", conf->state.directory);
	st->later = loop_timer_new(loop, on_later, st);
	st->look = loop_timer_new(loop, on_look, st);
	if (!st->later || !st->look) {
		(void)ha_state_close(st);
		return -ENOMEM;
	}
	(void)signal(SIGBUS, on_bus_error);
	rc = store_open(&sc, &st->store, fault);
	if (rc < 0) {
		log_error("cannot open what was remembered",
			  "event=start-failed state.directory=%s error=\"%s\"",
			  conf->state.directory, fault);
		(void)ha_state_close(st);
		return rc;
	}
	loop_timer_start(st->look, LOOK_MS, LOOK_MS);
	*ret_state = st;
	return 0;
}

struct ha_state *ha_state_close(struct ha_state *st)
{
	if (!st)
		return NULL;
	if (st->checking)
		check_end(st->checking);
	loop_timer_free(st->later);
	loop_timer_free(st->look);
	store_close(st->store);
	free(st);
	return NULL;
}

/* --- a node --- */

static void put_node(struct ha_state *st, const struct sa_peer *node)
{
	struct memory_time at = time_of(st, loop_now(st->loop));
	uint8_t key[MEMORY_KEY_MAX];
	uint8_t value[MEMORY_VALUE_MAX] UNINITIALIZED; /* 16 KiB a request would show */
	size_t key_len = memory_key(node, key);
	size_t len = memory_encode(st->engine, node, &at, value);

	store_put(st->store, key, key_len, value, len);
}

static void put_outstanding(void *ctx, const struct outstanding *o)
{
	struct ha_state *st = ctx;
	struct memory_time at = time_of(st, loop_now(st->loop));
	uint8_t key[REVOCATION_KEY_LEN], value[REVOCATION_VALUE_MAX];
	size_t key_len = revocation_key(o, key);

	store_put(st->store, key, key_len, value, revocation_encode(o, &at, value));
}

/* --- restart --- */

/* It is where the store has it until store_load() is over. */
struct record {
	const uint8_t *key, *value;
	size_t key_len, value_len;
	struct memory_places places;
};

struct restoring {
	struct ha_state *st;
	struct record batch[RESTORE_BATCH];
	size_t batch_cnt;
	struct memory_time at;
	size_t nodes, bindings, expired, refused, strangers, ahead, revocations;
};

static void keep_stranger(struct restoring *r, const uint8_t *key, size_t key_len,
			  const uint8_t *value, size_t value_len)
{
	uint8_t kept[MEMORY_VALUE_MAX];
	size_t len = memory_of_stranger(value, value_len, &r->at, kept);

	r->strangers++;
	if (len != value_len)
		store_put(r->st->store, key, key_len, kept, len);
}

static int restore_outstanding(struct restoring *r, const uint8_t *key, size_t key_len,
			       const uint8_t *value, size_t len)
{
	int rc = revocation_restore(r->st->engine, key, key_len, value, len, &r->at);

	if (rc == ERR_NOT_FOUND) {
		store_put(r->st->store, key, key_len, NULL, 0);
		return 0;
	}
	r->revocations += rc == 0;
	return rc;
}

static int restore_one(struct restoring *r, const uint8_t *key, size_t key_len,
		       const uint8_t *value, size_t value_len)
{
	struct memory_restored out;
	int rc;

	if (key_len > 0 && key[0] == REVOCATION_KEY_KIND)
		return restore_outstanding(r, key, key_len, value, value_len);
	if (key[0] == NOTE_KEY) {
		r->st->note_len = value_len < HA_STATE_NOTE_MAX ? value_len : HA_STATE_NOTE_MAX;
		memcpy(r->st->note, value, r->st->note_len);
		return 0;
	}
	rc = memory_restore(r->st->engine, key, key_len, value, value_len, &r->at, &out);
	if (rc == ERR_NOT_FOUND) {
		keep_stranger(r, key, key_len, value, value_len);
		return 0;
	}
	if (rc < 0)
		return rc;
	if (r->at.has_moved && out.refused > 0)
		put_node(r->st, out.node); /* without them, or the next start would find them */
	r->nodes++;
	r->bindings += out.bindings;
	r->expired += out.expired;
	r->refused += out.refused;
	r->ahead += out.clock_was_ahead;
	return 0;
}

/* A million nodes are in no cache: what a batch touches is asked for first, then it is there. */
static int restore_batch(void *ctx)
{
	struct restoring *r = ctx;
	const struct record *rec;
	unsigned int step;
	size_t i;
	int rc = 0;

	for (step = 0; step < MEMORY_FETCH_STEPS; step++)
		for (i = 0; i < r->batch_cnt; i++)
			memory_fetch(r->st->engine, &r->batch[i].places, step);
	for (i = 0; i < r->batch_cnt && rc >= 0; i++) {
		rec = &r->batch[i];
		rc = restore_one(r, rec->key, rec->key_len, rec->value, rec->value_len);
	}
	r->batch_cnt = 0;
	return rc;
}

static int take_record(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value,
		       size_t value_len)
{
	struct restoring *r = ctx;

	r->batch[r->batch_cnt++] = (struct record){ key, value, key_len, value_len,
						    memory_places(key, key_len, value, value_len) };
	return r->batch_cnt < RESTORE_BATCH ? 0 : restore_batch(r);
}

int ha_state_restore(struct ha_state *st)
{
	struct clock begun = clock_read();
	struct restoring r = { .st = st };
	int rc;

	if (!st)
		return 0;
	r.at = time_of(st, &begun);
	r.at.has_moved = store_has_moved(st->store);
	st->is_restoring = true;
	rc = store_load(st->store, take_record, restore_batch, &r);
	st->is_restoring = false;
	if (rc < 0) {
		log_error("cannot read back what was remembered",
			  "event=start-failed state.directory=%s error=\"%s: %s\"", st->directory,
			  err_text(rc),
			  rc == ERR_UNSUPPORTED
				  ? "written by a newer version: run that one, or move the "
				    "directory away to begin anew"
				  : "nothing was changed; restore the directory from a backup, or "
				    "move it away to begin anew");
		return rc;
	}
	if (!store_is_new(st->store) && !store_may_lack(st->store))
		memory_is_whole(st->engine);
	log_info("what was remembered is back",
		 "event=restored state.directory=%s mobile-nodes=%zu bindings=%zu expired=%zu "
		 "refused=%zu unknown-nodes=%zu revocations=%zu ms=%llu",
		 st->directory, r.nodes, r.bindings, r.expired, r.refused, r.strangers,
		 r.revocations, (unsigned long long)(clock_read().mono_ms - begun.mono_ms));
	if (r.at.has_moved)
		log_warning("home-agent.address is another than before: bindings made under that "
			    "one are over, and nodes register anew",
			    "event=state-moved state.directory=%s", st->directory);
	if (store_may_lack(st->store))
		log_warning("the host ended without warning, or journal.end is not as it was: the "
			    "last registrations may be lost, and timestamps from before now count "
			    "as replays",
			    "event=state-power-cut state.directory=%s", st->directory);
	if (r.ahead > 0)
		log_warning("Identifications lie in the future: the clock was wrong, or is",
			    "event=state-clock mobile-nodes=%zu remedy=\"check the clock\"",
			    r.ahead);
	(void)ha_state_commit(st); /* what was left out of strangers' records */
	return 0;
}

/* --- changes --- */

void ha_state_touched(struct ha_state *st, const struct sa_peer *node)
{
	if (!st || st->is_restoring)
		return;
	if (!store_is_pending(st->store))
		loop_timer_start(st->later, 0, 0);
	put_node(st, node);
}

void ha_state_outstanding(struct ha_state *st, const struct outstanding *o, bool is_over)
{
	uint8_t key[REVOCATION_KEY_LEN];

	if (!st || st->is_restoring)
		return;
	if (!store_is_pending(st->store))
		loop_timer_start(st->later, 0, 0);
	if (is_over)
		store_put(st->store, key, revocation_key(o, key), NULL, 0);
	else
		put_outstanding(st, o);
}

int ha_state_follow(struct ha_state *st, const uint8_t *key, size_t key_len, const uint8_t *value,
		    size_t value_len, struct memory_restored *out)
{
	struct memory_time at = time_of(st, loop_now(st->loop));
	int rc = memory_follow(st->engine, key, key_len, value, value_len, &at, out);

	if (rc == 0)
		ha_state_touched(st, out->node);
	return rc;
}

size_t ha_state_encode(struct ha_state *st, const struct sa_peer *node,
		       uint8_t ret_key[MEMORY_KEY_MAX], size_t *ret_key_len,
		       uint8_t ret_value[MEMORY_VALUE_MAX])
{
	struct memory_time at = time_of(st, loop_now(st->loop));

	*ret_key_len = memory_key(node, ret_key);
	return memory_encode(st->engine, node, &at, ret_value);
}

void ha_state_put_note(struct ha_state *st, const void *note, size_t len)
{
	const uint8_t key = NOTE_KEY;

	if (!store_is_pending(st->store))
		loop_timer_start(st->later, 0, 0);
	store_put(st->store, &key, sizeof(key), note, len);
}

size_t ha_state_get_note(const struct ha_state *st, void *ret_note)
{
	memcpy(ret_note, st->note, st->note_len);
	return st->note_len;
}

static void put_everything(struct ha_state *st)
{
	const struct sa_peer *node;

	store_is_complete_again(st->store);
	for (node = st->engine->nodes.peers; node; node = node->next)
		put_node(st, node);
	revocation_each(st->engine, put_outstanding, st);
	log_notice("everything was written anew, for some changes had not been",
		   "event=state-rewritten state.directory=%s mobile-nodes=%zu", st->directory,
		   st->engine->nodes.cnt);
}

static void failed(struct ha_state *st, int rc)
{
	st->engine->stats.state_commit_failures++;
	loop_timer_start(st->later, RETRY_MS, 0);
	if (st->is_failing)
		return;
	st->is_failing = true;
	log_error("registrations cannot be remembered, and are not answered",
		  "event=state-failed state.directory=%s error=\"%s\" remedy=\"%s\"", st->directory,
		  error_of(rc), remedy_for(rc));
}

int ha_state_commit(struct ha_state *st)
{
	int rc;

	if (!st || !store_is_pending(st->store))
		return 0;
	loop_timer_stop(st->later);
	rc = store_commit(st->store);
	if (rc == 0 && store_is_incomplete(st->store)) {
		put_everything(st);
		rc = store_commit(st->store);
	}
	if (rc < 0) {
		failed(st, rc);
		return rc;
	}
	st->engine->stats.state_commits++;
	if (st->is_failing)
		log_notice("registrations are remembered again",
			   "event=state-works state.directory=%s", st->directory);
	st->is_failing = false;
	return 0;
}

/* --- what an operator sees --- */

static void field_string(struct ctl_reply *r, const char *name, const char *value)
{
	ctl_field(r, name, CTL_STRING);
	ctl_string(r, value);
}

static void field_number(struct ctl_reply *r, const char *name, uint64_t value)
{
	ctl_field(r, name, CTL_NUMBER);
	ctl_number(r, value);
}

void ha_state_status(struct ha_state *st, struct ctl_reply *r)
{
	struct store_health h;

	if (!st) {
		field_string(r, "state", "none");
		return;
	}
	store_get_health(st->store, &h);
	field_string(r, "state", h.error ? "failing" : "ok");
	field_string(r, "state-error", h.error ? error_of(h.error) : NULL);
	field_string(r, "state-directory", st->directory);
	field_number(r, "state-changes", h.changes);
	field_number(r, "state-octets", h.octets);
	field_number(r, "state-unsynced-octets", h.written > h.durable ? h.written - h.durable : 0);
	field_number(r, "state-segments", h.segments);
	field_number(r, "state-merges", h.merges);
	field_number(r, "state-sync-failures", h.sync_failures);
	field_number(r, "state-merge-failures", h.merge_failures);
}

bool ha_state_health(struct ha_state *st, struct store_health *ret_health)
{
	if (!st)
		return false;
	store_get_health(st->store, ret_health);
	return true;
}

static bool is_there(struct ha_state *st, struct ctl_reply *r)
{
	if (!st)
		ctl_error(r, "nothing is remembered here: state.directory is none");
	return st;
}

/* ---- state check ---- */

/*
 * The journal is gathered beside the loop, who asked waits; then it is all read in steps. Who has
 * asked may go while the thread is at work: it is waited for, if at all, when the state is closed.
 */
struct checking {
	struct ha_state *st;
	struct store_walk *walk;
	struct task *task;       /* gathers; NULL: it has */
	struct ctl_reply *reply; /* NULL: nobody waits any more */
	int rc;                  /* of gathering */
	uint64_t records, strangers, unreadable;
};

static const struct ctl_column check_columns[] = {
	{ "state", CTL_STRING },
	{ "records", CTL_NUMBER },
	{ "unknown-nodes", CTL_NUMBER },
	{ "unreadable", CTL_NUMBER },
	{ "journal-segments", CTL_NUMBER }, /* ahead of the database, and counted */
};

static void check_one(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value,
		      size_t value_len)
{
	struct checking *c = ctx;
	int rc = key[0] == NOTE_KEY ? 0
				    : memory_check(c->st->engine, key, key_len, value, value_len);

	c->records++;
	c->strangers += rc == ERR_NOT_FOUND;
	c->unreadable += rc < 0 && rc != ERR_NOT_FOUND;
}

static int check_some(void *cursor, struct ctl_reply *r)
{
	struct checking *c = cursor;
	struct store_health h;
	int rc = c->rc;

	if (c->task)
		return CTL_IDLE;
	if (rc == 0)
		rc = store_walk_some(c->walk, RECORDS_PER_STEP, check_one, c);
	if (rc > 0)
		return 1;
	ctl_row(r);
	ctl_string(r, rc < 0 || c->unreadable > 0 ? "damaged" : "sound");
	ctl_number(r, c->records);
	ctl_number(r, c->strangers);
	ctl_number(r, c->unreadable + (rc < 0));
	store_get_health(c->st->store, &h);
	ctl_number(r, h.segments);
	return 0;
}

static void check_end(struct checking *c)
{
	c->st->checking = NULL;
	c->task = task_free(c->task);
	c->walk = store_walk_free(c->walk);
	free(c);
}

static void check_free(void *cursor)
{
	struct checking *c = cursor;

	c->reply = NULL;
	if (!c->task)
		check_end(c);
}

/* In the thread. */
static void check_gather(void *ctx)
{
	struct checking *c = ctx;

	c->rc = store_walk_gather(c->walk);
}

static void check_gathered(void *ctx);

static int check_begin(struct checking *c)
{
	int rc;

	c->walk = store_walk_free(c->walk);
	rc = store_walk_begin(c->st->store, &c->walk);
	if (rc == 0)
		rc = task_start(c->st->loop, check_gather, check_gathered, c, &c->task);
	return rc;
}

static void check_gathered(void *ctx)
{
	struct checking *c = ctx;

	c->task = task_free(c->task);
	if (!c->reply) {
		check_end(c);
		return;
	}
	if (c->rc > 0)
		c->rc = check_begin(c);
	if (!c->task)
		ctl_wake(c->reply);
}

void ha_state_check(struct ha_state *st, struct ctl_reply *r)
{
	struct checking *c;

	if (!is_there(st, r))
		return;
	if (st->checking) {
		ctl_error(r, "it is being checked already; try again");
		return;
	}
	c = calloc(1, sizeof(*c));
	if (!c) {
		ctl_error(r, "no memory for it; try again");
		return;
	}
	c->st = st;
	c->reply = r;
	st->checking = c;
	if (check_begin(c) < 0) {
		check_end(c);
		ctl_error(r, "no memory for it; try again");
		return;
	}
	ctl_table(r, check_columns, sizeof(check_columns) / sizeof(check_columns[0]), "nothing");
	ctl_stream(r, check_some, check_free, c);
}

/* ---- state export ---- */

static const struct ctl_column line_columns[] = { { "line", CTL_STRING } };

struct exporting {
	struct ha_state *st;
	struct ctl_reply *reply; /* of this step */
	struct sa_walk walk;
};

static char *put_hex(char *at, const uint8_t *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		*at++ = digits[data[i] >> 4];
		*at++ = digits[data[i] & 15];
	}
	return at;
}

static uint32_t line_crc(const uint8_t *key, size_t key_len, const uint8_t *value, size_t len)
{
	return crc32c(crc32c(0, key, key_len), value, len);
}

/*
 * {"home-agent":"...","home-address":"..."|null,"bindings":N,"crc":N,"key":"HEX","record":"HEX"}
 * The first three are for people and scripts; key and record are what is imported.
 */
static void export_node(struct exporting *x, struct ctl_reply *r, const struct sa_peer *node)
{
	struct memory_time at = time_of(x->st, loop_now(x->st->loop));
	const struct engine *e = x->st->engine;
	uint8_t key[MEMORY_KEY_MAX], value[MEMORY_VALUE_MAX];
	size_t key_len = memory_key(node, key);
	size_t len = memory_encode(e, node, &at, value);
	const bool has_addr = !addr_is_any(node->addr);
	const char *quote = has_addr ? "\"" : "";
	unsigned int cnt = 0;
	char line[LINE_MAX_LEN], *p;

	if (has_addr)
		cnt = binding_cnt(binding_find(
			&e->cache, (struct binding_key){ node->addr, e->conf.home_agent }));
	p = line + snprintf(line, sizeof(line), "{\"home-agent\":\"%s\",",
			    addr_text(e->conf.home_agent).s);
	p += sprintf(p, "\"home-address\":%s%s%s,\"bindings\":%u,\"crc\":%u,\"key\":\"", quote,
		     has_addr ? addr_text(node->addr).s : "null", quote, cnt,
		     line_crc(key, key_len, value, len));
	p = put_hex(p, key, key_len);
	p += sprintf(p, "\",\"record\":\"");
	p = put_hex(p, value, len);
	(void)sprintf(p, "\"}");
	ctl_row(r);
	ctl_string(r, line);
}

static void export_one(void *ctx, const struct sa_peer *node)
{
	struct exporting *x = ctx;

	export_node(x, x->reply, node);
}

static int export_some(void *cursor, struct ctl_reply *r)
{
	struct exporting *x = cursor;

	x->reply = r;
	return sa_walk_some(&x->st->engine->nodes, &x->walk, NODES_PER_STEP, export_one, x);
}

void ha_state_export(struct ha_state *st, struct ctl_reply *r)
{
	struct exporting *x;

	if (!is_there(st, r))
		return;
	x = calloc(1, sizeof(*x));
	if (!x) {
		ctl_error(r, "no memory for it; try again");
		return;
	}
	x->st = st;
	ctl_table(r, line_columns, 1, "no mobile nodes: none is configured");
	ctl_stream(r, export_some, free, x);
}

/* ---- state import ---- */

/* The value of a member, as it stands there; NULL: no such member. Our own lines, not all JSON. */
static const char *member(const char *line, const char *name)
{
	char quoted[32];
	const char *at;

	(void)snprintf(quoted, sizeof(quoted), "\"%s\"", name);
	at = strstr(line, quoted);
	if (!at)
		return NULL;
	at += strlen(quoted);
	at += strspn(at, " ");
	if (*at != ':')
		return NULL;
	at++;
	return at + strspn(at, " ");
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Octets of a quoted string of hex digits. @return how many, 0: it is none */
static size_t get_hex(const char *at, uint8_t *out, size_t size)
{
	size_t len = 0;
	int hi, lo;

	if (!at || *at++ != '"')
		return 0;
	for (; (hi = hex_digit(at[0])) >= 0 && (lo = hex_digit(at[1])) >= 0; at += 2) {
		if (len == size)
			return 0;
		out[len++] = (uint8_t)(hi << 4 | lo);
	}
	return *at == '"' ? len : 0;
}

static bool is_of_home_agent(const char *line, struct in_addr home_agent)
{
	const char *at = member(line, "home-agent");
	const char *wanted = addr_text(home_agent).s;

	return at && at[0] == '"' && strncmp(at + 1, wanted, strlen(wanted)) == 0 &&
	       at[1 + strlen(wanted)] == '"';
}

void ha_state_import(struct ha_state *st, struct ctl_reply *r, const char *line)
{
	static struct log_limit limit = { .burst = IMPORTED_BURST,
					  .interval_ms = IMPORTED_MS,
					  .event = "state-imported" };
	uint8_t key[MEMORY_KEY_MAX], value[MEMORY_VALUE_MAX];
	size_t key_len = get_hex(member(line, "key"), key, sizeof(key));
	size_t len = get_hex(member(line, "record"), value, sizeof(value));
	const char *crc = member(line, "crc");
	struct memory_restored out;
	struct memory_time at;
	int rc;

	if (!is_there(st, r))
		return;
	if (key_len == 0 || len == 0 || !crc ||
	    strtoul(crc, NULL, 10) != line_crc(key, key_len, value, len)) {
		ctl_error(r, "that is no whole line of \"state export\"");
		return;
	}
	if (!is_of_home_agent(line, st->engine->conf.home_agent)) {
		ctl_error(r, "it is of another home agent: its bindings are tunnels from there");
		return;
	}
	at = time_of(st, loop_now(st->loop));
	rc = memory_restore(st->engine, key, key_len, value, len, &at, &out);
	if (rc < 0) {
		ctl_error(r, "%s",
			  rc == ERR_NOT_FOUND ? "no such mobile node is configured" : err_text(rc));
		return;
	}
	ha_state_touched(st, out.node);
	log_write_limited(&limit, at.now.mono_ms, LOG_LEVEL_NOTICE, "state imported by an operator",
			  "event=state-imported home-address=%s bindings=%u unchanged=%u "
			  "expired=%u refused=%u uid=%u",
			  addr_text(out.node->addr).s, out.bindings, out.unchanged, out.expired,
			  out.refused, ctl_uid(r));
	ctl_record(r);
	field_number(r, "bindings", out.bindings);
	field_number(r, "unchanged", out.unchanged);
	field_number(r, "expired", out.expired);
	field_number(r, "refused", out.refused);
}

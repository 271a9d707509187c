/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Golden packets: each is fed to a fresh home agent as its file says (test/unit/vectors), and what
 * comes out must be the golden answer to the octet, an answer of the kind named, or silence. The
 * answers are fed back, too: a home agent has nothing to say to a Registration Reply.
 */
#include "test/scenario/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PACKET_MAX 64
#define OCTET_MAX  512
#define CASE_MAX   8
#define LINE_MAX   1024

struct experiment {
	char text[LINE_MAX]; /* "clock=e8fe6f80 max-lifetime=600 -> V2" */
	unsigned int line;
};

struct packet {
	char name[16];
	struct reg_origin from;
	uint8_t octets[OCTET_MAX];
	size_t len;
	struct experiment cases[CASE_MAX];
	size_t case_cnt;
};

struct vector_file {
	const char *name;
	char settings[16][LINE_MAX];
	size_t setting_cnt;
	struct packet packets[PACKET_MAX];
	size_t packet_cnt;
};

/** One experiment, as cmocka hands it to the test. */
struct run {
	const struct vector_file *file;
	const struct packet *packet;
	const struct experiment *experiment; /* NULL: feed an answer back */
};

static const struct packet *packet_named(const struct vector_file *f, const char *name)
{
	size_t i;

	for (i = 0; i < f->packet_cnt; i++)
		if (strcmp(f->packets[i].name, name) == 0)
			return &f->packets[i];
	fail_msg("%s: no packet %s", f->name, name);
	return NULL;
}

/* ------------------------------------------------------------ reading files */

static void read_packet_line(struct vector_file *f, struct packet *p, char *line, unsigned int no)
{
	char copy[LINE_MAX];
	char *words[WORLD_WORDS_MAX];
	size_t cnt;
	long len;

	snprintf(copy, sizeof(copy), "%s", line);
	cnt = world_split(copy, words, WORLD_WORDS_MAX);
	if (strcmp(words[0], "way") == 0) {
		assert_int_equal(cnt, 4);
		assert_true(world_parse_endpoint(words[1], &p->from.src, &p->from.src_port));
		assert_true(world_parse_endpoint(words[3], &p->from.dst, &p->from.dst_port));
		return;
	}
	if (strcmp(words[0], "when") == 0) {
		assert_true(p->case_cnt < CASE_MAX);
		snprintf(p->cases[p->case_cnt].text, LINE_MAX, "%s", strstr(line, "when") + 5);
		p->cases[p->case_cnt++].line = no;
		return;
	}
	len = world_hex(words[0], p->octets + p->len, sizeof(p->octets) - p->len);
	if (len < 0)
		fail_msg("%s:%u: not hex: %s", f->name, no, words[0]);
	p->len += (size_t)len;
}

static void read_file(struct vector_file *f, const char *name)
{
	char path[512], line[LINE_MAX];
	struct packet *p = NULL;
	unsigned int no = 0;
	FILE *in;

	f->name = name;
	snprintf(path, sizeof(path), "%s/unit/vectors/%s", TEST_SOURCE_DIR, name);
	in = fopen(path, "re");
	if (!in)
		fail_msg("cannot read %s", path);
	while (fgets(line, sizeof(line), in)) {
		no++;
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '\0' || line[0] == '#' || strncmp(line, "agent ", 6) == 0)
			continue;
		if (strncmp(line, "packet ", 7) == 0) {
			assert_true(f->packet_cnt < PACKET_MAX);
			p = &f->packets[f->packet_cnt++];
			snprintf(p->name, sizeof(p->name), "%.*s", (int)strcspn(line + 7, ":"),
				 line + 7);
		} else if (p) {
			read_packet_line(f, p, line, no);
		} else {
			assert_true(f->setting_cnt < 16);
			snprintf(f->settings[f->setting_cnt++], LINE_MAX, "%s", line);
		}
	}
	fclose(in);
	assert_true(f->packet_cnt > 0);
}

/* ----------------------------------------------------------- one experiment */

/** What the words of an experiment say. */
struct conditions {
	uint32_t clock;
	const char *after; /* a packet to be fed first, or NULL */
	bool has_nonce;
	uint32_t nonce; /* as if given to the node last */
	struct reg_origin from;
	char *expect[3]; /* words behind the arrow */
	size_t expect_cnt;
};

static void set(struct world *w, char *const *words, size_t cnt)
{
	if (world_set(w, words, cnt) != 0)
		fail_msg("%s: %s", words[0], w->error);
}

static void read_conditions(const struct run *run, struct world *w, struct conditions *c)
{
	static char text[LINE_MAX]; /* the words in *c point into it */
	const struct vector_file *f = run->file;
	char *words[WORLD_WORDS_MAX], *setting[8], *value, *save;
	size_t cnt, i, n;

	*c = (struct conditions){ .from = run->packet->from };
	snprintf(text, sizeof(text), "%s", run->experiment->text);
	cnt = world_split(text, words, WORLD_WORDS_MAX);
	for (i = 0; i < cnt && strcmp(words[i], "->") != 0; i++) {
		value = strchr(words[i], '=');
		assert_non_null(value);
		*value++ = '\0';
		if (strcmp(words[i], "clock") == 0) {
			c->clock = (uint32_t)strtoul(value, NULL, 16);
		} else if (strcmp(words[i], "after") == 0) {
			c->after = packet_named(f, value)->name;
		} else if (strcmp(words[i], "nonce") == 0) {
			c->has_nonce = true;
			c->nonce = (uint32_t)strtoul(value, NULL, 16);
		} else if (strcmp(words[i], "from") == 0) {
			assert_true(world_parse_endpoint(value, &c->from.src, &c->from.src_port));
		} else if (strcmp(words[i], "to") == 0) {
			assert_true(world_parse_endpoint(value, &c->from.dst, &c->from.dst_port));
		} else { /* a setting; commas separate its values */
			setting[0] = words[i];
			for (n = 1, value = strtok_r(value, ",", &save); value && n < 8;
			     value = strtok_r(NULL, ",", &save))
				setting[n++] = value;
			set(w, setting, n);
		}
	}
	for (i++; i < cnt && c->expect_cnt < 3; i++)
		c->expect[c->expect_cnt++] = words[i];
	assert_true(c->expect_cnt > 0);
}

static void give_nonce(struct world *w, uint32_t nonce)
{
	struct sa_peer *peer;
	struct sa *sa;

	for (peer = w->engine.nodes.peers; peer; peer = peer->next)
		for (sa = peer->sas; sa; sa = sa->next)
			if (sa->replay.style == REPLAY_NONCE) {
				sa->replay.nonce = nonce;
				sa->replay.seen = true;
			}
}

/* The home agent started a day before, so that its start is nothing to the timestamps. */
static void open_world(const struct vector_file *f, struct world *w)
{
	char settings[16][LINE_MAX], *words[WORLD_WORDS_MAX];
	size_t i, cnt;

	memcpy(settings, f->settings, sizeof(settings));
	for (i = 0; i < f->setting_cnt; i++) {
		cnt = world_split(settings[i], words, WORLD_WORDS_MAX);
		set(w, words, cnt);
	}
}

static void feed_at(struct world *w, const struct packet *p, const struct reg_origin *from,
		    uint32_t ntp_s, struct engine_result *out)
{
	w->now.ntp = (uint64_t)ntp_s << 32;
	world_feed(w, p->octets, p->len, from, out);
}

static uint32_t ident_seconds(const struct packet *p)
{
	return (uint32_t)p->octets[16] << 24 | (uint32_t)p->octets[17] << 16 |
	       (uint32_t)p->octets[18] << 8 | p->octets[19];
}

/* Does the reply's first authentication extension, the node's, verify under one of its keys? */
static void assert_signed(const struct engine_result *res)
{
	const uint8_t *m = res->reply;
	struct wire_reader r = wire_reader(m + REG_REPLY_LEN, res->reply_len - REG_REPLY_LEN);
	struct ext ext = { .start = m };
	const struct sa *sa;
	size_t at;

	assert_non_null(res->node);
	while (ext_next(&r, &ext) > 0 && ext.type != 32 && ext.type != 34)
		;
	at = (size_t)(ext.start - m);
	assert_true(at + 6 < res->reply_len);
	assert_int_equal(m[at], 32);
	for (sa = res->node->sas; sa; sa = sa->next)
		if (mac_verify(&sa->mac, m, at + 6, m + at + 6, m[at + 1] - 4u) == 0)
			return;
	fail_msg("no key of the node verifies the reply");
}

static void assert_outcome(const struct run *run, const struct conditions *c,
			   const struct engine_result *res)
{
	const char *what = c->expect[0];
	const struct packet *answer;

	if (strcmp(what, "silence") == 0) {
		assert_int_equal(res->outcome.verdict, REG_DISCARD);
		assert_int_equal(res->reply_len, 0);
		return;
	}
	assert_true(res->reply_len > REG_REPLY_LEN);
	if (run->packet->octets[0] == REG_MSG_REQUEST)
		assert_signed(res);
	if (strcmp(what, "accept") == 0) {
		assert_int_equal(res->outcome.verdict, REG_ACCEPT);
		assert_int_equal(res->reply[1], 0);
	} else if (strcmp(what, "deny") == 0) {
		assert_int_equal(res->outcome.verdict, REG_DENY);
		assert_int_equal(res->reply[1], strtoul(c->expect[1], NULL, 10));
	} else {
		answer = packet_named(run->file, what);
		assert_int_equal(res->reply_len, answer->len);
		assert_memory_equal(res->reply, answer->octets, answer->len);
	}
}

static void experiment(void **state)
{
	const struct run *run = *state;
	static struct engine_result res;
	static struct world w;
	const struct packet *before;
	struct conditions c;
	size_t bindings;

	/* Some settings must stand before the nodes do, others over those of the file. */
	world_init(&w, ident_seconds(run->packet) - 86400);
	read_conditions(run, &w, &c);
	open_world(run->file, &w);
	read_conditions(run, &w, &c);
	if (c.has_nonce)
		give_nonce(&w, c.nonce);
	if (c.after) {
		before = packet_named(run->file, c.after);
		feed_at(&w, before, &before->from, c.has_nonce ? c.clock : ident_seconds(before),
			&res);
		assert_int_equal(res.outcome.verdict, REG_ACCEPT);
	}
	bindings = w.engine.cache.cnt;
	feed_at(&w, run->packet, &c.from, c.clock, &res);
	assert_outcome(run, &c, &res);
	if (res.outcome.verdict != REG_ACCEPT)
		assert_int_equal(w.engine.cache.cnt, bindings);
	else if (run->packet->octets[0] == REG_MSG_REVOCATION ||
		 (run->packet->octets[2] == 0 && run->packet->octets[3] == 0))
		assert_int_equal(w.engine.cache.cnt, 0);
	else
		assert_int_equal(w.engine.cache.cnt, 1);
	world_done(&w);
}

static const struct ha_policy admit_all;

static void an_answer_fed_back_is_met_with_silence(void **state)
{
	const struct run *run = *state;
	static struct engine_result res;
	static struct world w;

	world_init(&w, ident_seconds(run->packet) - 86400);
	open_world(run->file, &w);
	w.engine.policy = &admit_all; /* what it is must be enough */
	feed_at(&w, run->packet, &run->packet->from, ident_seconds(run->packet), &res);
	assert_int_equal(res.outcome.verdict, REG_DISCARD);
	if (run->packet->octets[0] != REG_MSG_REVOCATION &&
	    run->packet->octets[0] != REG_MSG_REVOCATION_ACK)
		assert_int_equal(res.outcome.reason, REG_REASON_UNKNOWN_TYPE);
	assert_int_equal(res.reply_len, 0);
	assert_int_equal(w.engine.cache.cnt, 0);
	world_done(&w);
}

/* ---------------------------------------------------------------- all of them */

#define RUN_MAX 512

static struct run runs[RUN_MAX];
static struct CMUnitTest tests[RUN_MAX];
static size_t run_cnt;

static void add_run(const struct vector_file *f, const struct packet *p, const struct experiment *x)
{
	static char names[RUN_MAX][128];

	if (run_cnt == RUN_MAX)
		abort();
	runs[run_cnt] = (struct run){ f, p, x };
	if (x)
		snprintf(names[run_cnt], sizeof(names[0]), "%s: %s %.80s", f->name, p->name,
			 x->text);
	else
		snprintf(names[run_cnt], sizeof(names[0]), "%s: %s fed back", f->name, p->name);
	tests[run_cnt] = (struct CMUnitTest){
		.name = names[run_cnt],
		.test_func = x ? experiment : an_answer_fed_back_is_met_with_silence,
		.initial_state = &runs[run_cnt],
	};
	run_cnt++;
}

int main(void)
{
	static const char *const names[] = { "core.hex",       "ihad.hex",       "nat.hex",
					     "extensions.hex", "dynamic-ha.hex", "later-ihad.hex",
					     "later-xhad.hex" };
	static struct vector_file files[sizeof(names) / sizeof(*names)];
	size_t i, j, k;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		read_file(&files[i], names[i]);
		for (j = 0; j < files[i].packet_cnt; j++) {
			const struct packet *p = &files[i].packets[j];

			for (k = 0; k < p->case_cnt; k++)
				add_run(&files[i], p, &p->cases[k]);
			if (p->octets[0] != REG_MSG_REQUEST)
				add_run(&files[i], p, NULL);
		}
	}
	return _cmocka_run_group_tests("golden packets", tests, run_cnt, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store: an LMDB file with a journal in front of it, in state.directory.
 *
 *	state.mdb       LMDB: every key, as of the last segment merged; always consistent
 *	journal.SEQ     segments of changes since then (journal.c)
 *	journal.end     how far the journal went when it was last written to
 *	lock            held by the daemon that has the store open
 *
 * Why two? Measured on the machine of two cores that we build on, a million keys of 8 octets with
 * values of 100, random puts in transactions of 64: LMDB takes 7.7 us a put without any sync, 1.8
 * us with a writable map, and 91 us with a sync a transaction. The first two may leave no database
 * at all behind a power cut, and a registration may cost 4 us in all. The journal costs the loop
 * 0.4 us a change (record, checksum and write() included; 1.9 us where a million nodes are out of
 * the caches, most of it misses) and the merger 0.5 to 1.3 us, is as safe from kill -9, and what a
 * power cut takes of it is its end. A start from a million bindings costs 0.1 s for the check, 0.3
 * s for the journal and 1.2 s of CPU for putting them back.
 *
 * A batch is one record, appended by one write() before the batch is answered. A thread, the
 * syncer, fdatasync()s what was appended (state.sync: interval); another one, the merger, brings
 * each full segment into LMDB: sorted, the last change of a key only, in transactions that are
 * synced; then it deletes the segment. Sorting takes long and gives way to the loop, so that on a
 * busy host it takes longer still; that is why it is not the syncer's, which keeps its interval.
 * They share nothing with the loop but the numbers in struct shared. Where the process dies in
 * between does not matter: a segment that was merged in part is merged again.
 *
 * At start LMDB and the segments left are walked together in the order of keys; nothing is merged
 * before serving. LMDB trusts its own pages, so a damaged file can crash who reads it: a child
 * process looks through all of it first, and may crash (database.c).
 *
 * What a kernel that went down has not written is not damage, and the journal is good up to there.
 * A process that went down takes nothing with it: in the same boot, as after an end in order, the
 * journal must go as far as journal.end says, or somebody else has cut it short.
 *
 * One record "store" says whose state it is, in which layout, and how the last run ended. A layout
 * of a later version is refused; a version that changes the layout must read the one before, here,
 * and write its own when it merges. Values carry a version of their own (memory.c).
 */
#include "ha-core/store/store.h"

#include "common/crc32c.h"
#include "common/err.h"
#include "common/thread.h"
#include "ha-core/store/database.h"
#include "ha-core/store/journal.h"
#include "ha-core/wire/wire.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LAYOUT        1
#define DATABASE      "state.mdb"
#define END           "journal.end"
#define END_LEN       28
#define MERGE_TXN     4096 /* changes: bounds the pages that LMDB holds, and keeps, in memory */
#define MERGE_PAUSE   30   /* intervals after one that failed */
#define PENDING_MAX   (16 << 20) /* octets kept for a disk that fails */
#define PENDING_START (256 << 10)
#define NAME_MAX_LEN  16

/* The record "store". */
struct about {
	uint32_t layout;
	char daemon[NAME_MAX_LEN + 1];
	struct in_addr home_agent;
	uint64_t merged; /* the last segment that is in the database */
	uint32_t boot;
	bool was_always; /* the last run's commits waited for the disk */
	bool was_closed; /* ... and it ended in order */
};

/* What the loop, the syncer and the merger tell each other. */
struct shared {
	pthread_mutex_t lock;
	pthread_cond_t sync, merge; /* something is to be done */
	bool stop;
	uint64_t full;                     /* segments up to this one are not written to any more */
	uint64_t current;                  /* the segment that is written to */
	uint64_t mergeable;                /* segments up to this one are full, and on the disk */
	_Atomic uint64_t merged;           /* segments up to this one are in the database */
	_Atomic uint64_t written, durable; /* positions */
	_Atomic uint64_t merges, sync_failures, merge_failures;
	_Atomic int sync_error, merge_error;
};

struct store {
	struct store_conf conf;
	int dir_fd, lock_fd, end_fd;
	MDB_env *env;
	MDB_dbi dbi;
	struct about about;
	bool is_new, has_end, may_lack, has_moved;
	uint32_t boot;

	/* of before, until store_load() */
	struct journal_segment *segments;
	size_t segment_cnt;

	struct journal journal;
	uint8_t *pending; /* JOURNAL_RECORD_LEN of room, then changes */
	size_t pending_len, pending_size;
	uint64_t pending_cnt;
	bool is_incomplete;
	uint64_t commits, changes, octets, commit_failures;
	uint64_t sync_failures; /* seen */
	int error;

	struct shared shared;
	pthread_t syncer, merger;
	bool has_syncer, has_merger;
	uint64_t synced;     /* the syncer's: segments up to this one are on the disk */
	off_t database_size; /* the syncer's: as seen last */
};

static const uint8_t about_key[] = "\0store"; /* before every key of a node */

/* --- errors --- */

/* Some errors are of no file in particular. */
static const char *remedy_for(int rc, const char *otherwise)
{
	switch (rc) {
	case -ENOSPC:
	case -EDQUOT:
		return "free some space on the disk of state.directory";
	case -ENOMEM:
		return "allow the daemon more memory and address space (ulimit -v, LimitAS=): the "
		       "database is a map of 16 GiB";
	case -EMFILE:
	case -ENFILE:
		return "allow the daemon more open files (ulimit -n, LimitNOFILE=)";
	default:
		return otherwise;
	}
}

static int fault(char *out_fault, int rc, const char *what, const char *remedy)
{
	(void)snprintf(out_fault, STORE_FAULT_MAX, "%s%s%s: %s", what, rc > ERR_BASE ? ": " : "",
		       rc > ERR_BASE ? err_text(rc) : "", remedy_for(rc, remedy));
	return rc;
}

#define REMEDY_DAMAGED                                                                             \
	"nothing was changed; repair the disk or restore the directory from a backup, or move it " \
	"away to start without bindings and with nodes' timestamps of before refused"
#define REMEDY_DIRECTORY                                                                           \
	"state.directory must be a directory that the daemon may write to; state.directory: none " \
	"does without"

static int damaged(char *out_fault, const char *what)
{
	return fault(out_fault, ERR_MALFORMED, what, REMEDY_DAMAGED);
}

/* --- the record "store" --- */

static size_t about_encode(const struct about *a, uint8_t *buf, size_t size)
{
	struct wire_writer w = wire_writer(buf, size);
	size_t name_len = strlen(a->daemon);

	wire_put_u32(&w, a->layout);
	wire_put_u64(&w, a->merged);
	wire_put_u32(&w, a->boot);
	wire_put_u8(&w, a->was_always);
	wire_put_u8(&w, a->was_closed);
	wire_put_addr(&w, a->home_agent);
	wire_put_u8(&w, (uint8_t)name_len);
	wire_put_bytes(&w, a->daemon, name_len);
	return wire_len(&w);
}

static int about_decode(const uint8_t *data, size_t len, struct about *ret_about)
{
	struct wire_reader r = wire_reader(data, len);
	struct about a = { .layout = wire_u32(&r) };
	const uint8_t *name;
	size_t name_len;

	if (!r.failed && a.layout > LAYOUT)
		return ERR_UNSUPPORTED;
	a.merged = wire_u64(&r);
	a.boot = wire_u32(&r);
	a.was_always = wire_u8(&r);
	a.was_closed = wire_u8(&r);
	a.home_agent = wire_addr(&r);
	name_len = wire_u8(&r);
	name = wire_bytes(&r, name_len);
	if (r.failed || name_len > NAME_MAX_LEN)
		return ERR_MALFORMED;
	memcpy(a.daemon, name, name_len);
	*ret_about = a;
	return 0;
}

static bool is_about(const MDB_val *k)
{
	return k->mv_size == sizeof(about_key) && memcmp(k->mv_data, about_key, k->mv_size) == 0;
}

static int put_about(MDB_txn *txn, MDB_dbi dbi, const struct about *about)
{
	MDB_cursor *cursor; /* closed with its transaction */
	uint8_t buf[64];
	int rc;

	rc = database_error(mdb_cursor_open(txn, dbi, &cursor));
	return rc < 0 ? rc
		      : database_put(cursor, about_key, sizeof(about_key), buf,
				     about_encode(about, buf, sizeof(buf)));
}

static int get_about(MDB_txn *txn, MDB_dbi dbi, struct about *ret_about)
{
	MDB_val k = { sizeof(about_key), (void *)(uintptr_t)about_key };
	MDB_val v;
	int rc;

	rc = database_error(mdb_get(txn, dbi, &k, &v));
	if (rc == 0)
		rc = database_value(&k, &v);
	return rc < 0 ? ERR_MALFORMED : about_decode(v.mv_data, v.mv_size, ret_about);
}

/* --- the database --- */

static void path_of(const struct store_conf *conf, const char *name, char *out, size_t size)
{
	(void)snprintf(out, size, "%s/%s", conf->directory, name);
}

static int write_about(struct store *s)
{
	MDB_txn *txn;
	int rc;

	rc = database_error(mdb_txn_begin(s->env, NULL, 0, &txn));
	if (rc < 0)
		return rc;
	rc = put_about(txn, s->dbi, &s->about);
	if (rc < 0) {
		mdb_txn_abort(txn);
		return rc;
	}
	return database_error(mdb_txn_commit(txn));
}

/* Made under another name: a file that is there is a whole database. */
static int make_database(struct store *s, const char *path, char *out_fault)
{
	char fresh[4096];
	int rc;

	path_of(&s->conf, DATABASE ".new", fresh, sizeof(fresh));
	(void)unlink(fresh);
	s->about = (struct about){ .layout = LAYOUT, .home_agent = s->conf.home_agent };
	(void)snprintf(s->about.daemon, sizeof(s->about.daemon), "%s", s->conf.daemon);
	rc = database_open(fresh, 0, &s->env, &s->dbi);
	if (rc == 0)
		rc = write_about(s);
	if (s->env)
		mdb_env_close(s->env);
	s->env = NULL;
	if (rc == 0 && rename(fresh, path) < 0)
		rc = -errno;
	if (rc == 0 && fsync(s->dir_fd) < 0)
		rc = -errno;
	(void)unlinkat(s->dir_fd, DATABASE ".new-lock", 0);
	if (rc < 0)
		return fault(out_fault, rc, "cannot make " DATABASE, REMEDY_DIRECTORY);
	s->is_new = true;
	return 0;
}

static int check_database(const char *path, char *out_fault)
{
	int rc = database_check(path);

	if (rc == ERR_MALFORMED)
		return damaged(out_fault, DATABASE " is damaged or cut short");
	return rc < 0 ? fault(out_fault, rc, "cannot look through " DATABASE, REMEDY_DIRECTORY) : 0;
}

static int check_owner(struct store *s, char *out_fault)
{
	char what[128];

	if (strcmp(s->about.daemon, s->conf.daemon) != 0) {
		(void)snprintf(what, sizeof(what), "the state there is that of %s, not of %s",
			       s->about.daemon, s->conf.daemon);
		return fault(out_fault, ERR_INVALID, what,
			     "give each daemon a state.directory of its own");
	}
	s->has_moved = !addr_eq(s->about.home_agent, s->conf.home_agent);
	s->about.home_agent = s->conf.home_agent;
	return 0;
}

/* --- the journal of before --- */

static int compare_sequences(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int list_segments(int dir_fd, uint64_t **ret_list, size_t *ret_cnt)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	uint64_t *list = NULL, *more;
	uint64_t sequence;
	size_t cnt = 0;
	struct dirent *entry;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (journal_parse_name(entry->d_name, &sequence) < 0)
			continue;
		more = realloc(list, (cnt + 1) * sizeof(*list));
		if (!more) {
			free(list);
			closedir(dir);
			return -ENOMEM;
		}
		list = more;
		list[cnt++] = sequence;
	}
	closedir(dir);
	if (cnt > 0)
		qsort(list, cnt, sizeof(*list), compare_sequences);
	*ret_list = list;
	*ret_cnt = cnt;
	return 0;
}

static void unlink_segment(const struct store *s, uint64_t sequence)
{
	char name[32];

	journal_name(sequence, name);
	(void)unlinkat(s->dir_fd, name, 0);
}

/* --- where the journal ends --- */

struct end {
	uint32_t boot;
	uint64_t sequence, size; /* of the last segment */
};

/* Not vital: one that could not be written vouches for less. */
static void put_end(const struct store *s)
{
	uint8_t buf[END_LEN] = { 0 };
	struct wire_writer w = wire_writer(buf, sizeof(buf));

	wire_put_u32(&w, LAYOUT);
	wire_put_u32(&w, s->boot);
	wire_put_u64(&w, s->journal.sequence);
	wire_put_u64(&w, s->journal.size);
	wire_put_u32(&w, crc32c(0, buf, wire_len(&w)));
	(void)!pwrite(s->end_fd, buf, sizeof(buf), 0);
}

/* @return false: there is none, or one of another layout */
static bool get_end(const struct store *s, struct end *ret_end)
{
	uint8_t buf[END_LEN] = { 0 };
	struct wire_reader r = wire_reader(buf, sizeof(buf));
	struct end end;

	if (pread(s->end_fd, buf, sizeof(buf), 0) != sizeof(buf) || wire_u32(&r) != LAYOUT)
		return false;
	end.boot = wire_u32(&r);
	end.sequence = wire_u64(&r);
	end.size = wire_u64(&r);
	if (wire_u32(&r) != crc32c(0, buf, END_LEN - 4))
		return false;
	*ret_end = end;
	return true;
}

/* It goes on where the one before it ends: the end of that one may be what was lost. */
static bool joins_on(const struct journal_segment *seg, const struct journal_segment *next)
{
	return next->good_len == 0 || next->begins_at == seg->begins_at + seg->good_len;
}

/* Up to there every segment is whole and joins on to the next. */
static int check_end(const struct store *s, const struct end *end, char *out_fault)
{
	const struct journal_segment *seg = s->segments;
	char what[128], name[32];
	size_t i, good;

	for (i = 0; i < s->segment_cnt && seg->sequence <= end->sequence; i++, seg++) {
		good = seg->good_len;
		if (seg->sequence == end->sequence
			    ? good >= end->size
			    : good > 0 && good == seg->len &&
				      (i + 1 == s->segment_cnt || joins_on(seg, seg + 1)))
			continue;
		journal_name(seg->sequence, name);
		(void)snprintf(what, sizeof(what), "%s is damaged or cut short at octet %zu", name,
			       good);
		return damaged(out_fault, what);
	}
	if (s->about.merged + s->segment_cnt >= end->sequence)
		return 0;
	(void)snprintf(what, sizeof(what), "segment %llu of the journal is missing",
		       (unsigned long long)(s->about.merged + s->segment_cnt + 1));
	return damaged(out_fault, what);
}

/* What stands behind the first bad place is not taken; it must not have been durable. */
static int cut_journal(struct store *s, char *out_fault)
{
	uint64_t durable = 0;
	char what[128], name[32];
	struct journal_segment *seg;
	size_t i, bad;
	int fd, rc = 0;

	for (i = 0; i < s->segment_cnt; i++)
		if (s->segments[i].durable > durable)
			durable = s->segments[i].durable;
	for (bad = 0; bad < s->segment_cnt; bad++)
		if (s->segments[bad].good_len < s->segments[bad].len ||
		    s->segments[bad].good_len == 0 ||
		    (bad + 1 < s->segment_cnt &&
		     !joins_on(&s->segments[bad], &s->segments[bad + 1])))
			break;
	if (bad == s->segment_cnt)
		return 0;
	seg = &s->segments[bad];
	journal_name(seg->sequence, name);
	if ((seg->good_len == 0 && bad + 1 < s->segment_cnt) ||
	    durable > seg->begins_at + seg->good_len) {
		(void)snprintf(what, sizeof(what), "%s is damaged at octet %zu", name,
			       seg->good_len);
		return damaged(out_fault, what);
	}
	if (seg->good_len > 0) {
		fd = openat(s->dir_fd, name, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || ftruncate(fd, (off_t)seg->good_len) < 0)
			rc = -errno;
		if (fd >= 0)
			close(fd);
		if (rc < 0)
			return fault(out_fault, rc, "cannot cut the journal", REMEDY_DIRECTORY);
		seg->len = seg->good_len;
		bad++;
	}
	for (i = bad; i < s->segment_cnt; i++) {
		unlink_segment(s, s->segments[i].sequence);
		journal_segment_done(&s->segments[i]);
	}
	s->segment_cnt = bad;
	return 0;
}

static int read_journal(struct store *s, const uint64_t *list, size_t cnt, char *out_fault)
{
	char what[128];
	struct end end;
	size_t i;
	int rc;

	s->segments = calloc(cnt + 1, sizeof(*s->segments));
	if (!s->segments)
		return fault(out_fault, -ENOMEM, "cannot read the journal", "free some memory");
	for (i = 0; i < cnt; i++) {
		if (list[i] <= s->about.merged) /* killed between merging and deleting */
			continue;
		if (list[i] != s->about.merged + s->segment_cnt + 1) {
			(void)snprintf(what, sizeof(what), "segment %llu of the journal is missing",
				       (unsigned long long)(s->about.merged + s->segment_cnt + 1));
			return damaged(out_fault, what);
		}
		rc = journal_read(s->dir_fd, list[i], &s->segments[s->segment_cnt]);
		if (rc == ERR_UNSUPPORTED)
			return fault(out_fault, rc,
				     "the journal there was written by a newer version",
				     "run that version, or move the directory away");
		if (rc < 0)
			return fault(out_fault, rc, "cannot read the journal", REMEDY_DIRECTORY);
		s->segment_cnt++;
	}
	s->has_end = get_end(s, &end);
	if (!s->is_new && s->has_end &&
	    (s->about.was_closed || (s->boot != 0 && end.boot == s->boot))) {
		rc = check_end(s, &end, out_fault);
		if (rc < 0)
			return rc;
	}
	rc = cut_journal(s, out_fault);
	for (i = 0; rc == 0 && i < cnt && list[i] <= s->about.merged; i++)
		unlink_segment(s, list[i]);
	return rc;
}

/* --- the database of before --- */

static int open_database(struct store *s, bool has_journal, char *out_fault)
{
	MDB_txn *txn;
	char path[4096];
	struct stat st;
	struct end end;
	int rc;

	path_of(&s->conf, DATABASE, path, sizeof(path));
	if (stat(path, &st) < 0) {
		if (errno != ENOENT)
			return fault(out_fault, -errno, "cannot look at " DATABASE,
				     REMEDY_DIRECTORY);
		if (has_journal || get_end(s, &end))
			return damaged(out_fault, DATABASE " is missing");
		rc = make_database(s, path, out_fault);
	} else if (st.st_size == 0) { /* LMDB would take it for a new one */
		return damaged(out_fault, DATABASE " is empty");
	} else {
		rc = check_database(path, out_fault);
	}
	if (rc < 0)
		return rc;
	rc = database_open(path, 0, &s->env, &s->dbi);
	if (rc < 0)
		return fault(out_fault, rc, "cannot open " DATABASE, REMEDY_DIRECTORY);
	rc = database_error(mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn));
	if (rc == 0) {
		rc = get_about(txn, s->dbi, &s->about);
		mdb_txn_abort(txn);
	}
	if (rc == ERR_UNSUPPORTED)
		return fault(out_fault, rc, "the state there was written by a newer version",
			     "run that version, or move the directory away to begin anew");
	if (rc < 0)
		return damaged(out_fault, DATABASE " does not say whose it is");
	return check_owner(s, out_fault);
}

/* --- changes in order --- */

/* By key, then by place: an array's elements lie in the order in which they were written. */
static int compare_changes(const void *a, const void *b)
{
	const struct journal_change *x = a, *y = b;
	int order = journal_compare(x, y);

	return order ? order : (x->key > y->key) - (x->key < y->key);
}

/* A segment's changes by key, each key once, with its last change. */
static int sort_segment(const struct journal_segment *seg, struct journal_change **ret_list,
			size_t *ret_cnt)
{
	struct journal_change *list, c;
	size_t at = 0, size, cnt = 0, i, n = 0;

	for (size = 0; journal_next(seg, &at, &c); size++)
		;
	list = malloc((size + 1) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (at = 0; journal_next(seg, &at, &list[cnt]);)
		cnt++;
	qsort(list, cnt, sizeof(*list), compare_changes);
	for (i = 0; i < cnt; i++)
		if (i + 1 == cnt || journal_compare(&list[i], &list[i + 1]) != 0)
			list[n++] = list[i];
	*ret_list = list;
	*ret_cnt = n;
	return 0;
}

/* Two lists as one, where a key that both have is the later one's. @return NULL: out of memory */
static struct journal_change *join(const struct journal_change *a, size_t a_cnt,
				   const struct journal_change *later, size_t later_cnt,
				   size_t *ret_cnt)
{
	struct journal_change *all = malloc((a_cnt + later_cnt + 1) * sizeof(*all));
	size_t i = 0, k = 0, n = 0;
	int order;

	while (all && (i < a_cnt || k < later_cnt)) {
		order = i == a_cnt ? 1 : k == later_cnt ? -1 : journal_compare(&a[i], &later[k]);
		all[n++] = order < 0 ? a[i] : later[k];
		i += order <= 0;
		k += order >= 0;
	}
	*ret_cnt = n;
	return all;
}

/* Adds a segment's changes, each key once, to those of the segments before, each key once. */
static int collect(const struct journal_segment *seg, struct journal_change **list, size_t *cnt)
{
	struct journal_change *own, *all;
	size_t own_cnt;
	int rc = sort_segment(seg, &own, &own_cnt);

	if (rc < 0)
		return rc;
	if (*cnt == 0) { /* the merger's only one; a copy of it would be twenty megabytes */
		free(*list);
		*list = own;
		*cnt = own_cnt;
		return 0;
	}
	all = join(*list, *cnt, own, own_cnt, &own_cnt);
	free(own);
	if (!all)
		return -ENOMEM;
	free(*list);
	*list = all;
	*cnt = own_cnt;
	return 0;
}

typedef int load_fn(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value,
		    size_t value_len);

static int tell_change(const struct journal_change *c, load_fn *fn, void *ctx)
{
	return c->value_len > 0 ? fn(ctx, c->key, c->key_len, c->value, c->value_len) : 0;
}

static int tell_value(const MDB_val *k, MDB_val *v, load_fn *fn, void *ctx)
{
	int rc = database_value(k, v);

	return rc < 0 ? rc : fn(ctx, k->mv_data, k->mv_size, v->mv_data, v->mv_size);
}

static struct journal_change change_of(const MDB_val *k)
{
	return (struct journal_change){ .key = k->mv_data,
					.key_len = (uint16_t)k->mv_size,
					.prefix = journal_prefix(k->mv_data, k->mv_size) };
}

static int walk_both(MDB_cursor *cursor, const struct journal_change *list, size_t cnt, load_fn *fn,
		     void *ctx)
{
	struct journal_change in_db;
	int order, found, rc = 0;
	size_t i = 0;
	MDB_val k, v;

	found = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
	while (rc >= 0 && found == 0) {
		in_db = change_of(&k);
		order = i == cnt ? 1 : journal_compare(&list[i], &in_db);
		if (order <= 0)
			rc = tell_change(&list[i++], fn, ctx);
		else if (!is_about(&k))
			rc = tell_value(&k, &v, fn, ctx);
		if (order >= 0) /* told, or overtaken */
			found = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	if (rc >= 0 && found != MDB_NOTFOUND)
		return database_error(found);
	for (; rc >= 0 && i < cnt; i++)
		rc = tell_change(&list[i], fn, ctx);
	return rc < 0 ? rc : 0;
}

/*
 * It is read by a memory map: a million records would be ours as long as nobody else wants them.
 * Where the map is the kernel tells; LMDB does of one only that was asked to be in a certain place
 * (else me_mapaddr is NULL).
 */
static void forget_pages(struct store *s)
{
	unsigned long long start, end, inode;
	struct stat st;
	char line[512];
	FILE *maps;

	if (fstatat(s->dir_fd, DATABASE, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	maps = fopen("/proc/self/maps", "re");
	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%llx-%llx %*s %*s %*s %llu", &start, &end, &inode) == 3 &&
		    inode == st.st_ino && strstr(line, "/" DATABASE))
			(void)madvise((void *)(uintptr_t)start, (size_t)(end - start),
				      MADV_DONTNEED);
	if (maps)
		(void)fclose(maps);
}

int store_load(struct store *s, load_fn *fn, int (*last)(void *ctx), void *ctx)
{
	struct journal_change *list = NULL;
	MDB_cursor *cursor;
	MDB_txn *txn;
	size_t i, cnt = 0;
	int rc = 0;

	for (i = 0; i < s->segment_cnt && rc == 0; i++)
		rc = collect(&s->segments[i], &list, &cnt);
	if (rc == 0)
		rc = database_error(mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn));
	if (rc == 0) {
		rc = database_error(mdb_cursor_open(txn, s->dbi, &cursor));
		if (rc == 0) {
			rc = walk_both(cursor, list, cnt, fn, ctx);
			if (rc == 0 && last)
				rc = last(ctx);
			mdb_cursor_close(cursor);
		}
		mdb_txn_abort(txn);
	}
	free(list);
	for (i = 0; i < s->segment_cnt; i++)
		journal_segment_done(&s->segments[i]);
	s->segment_cnt = 0;
	forget_pages(s);
	(void)malloc_trim(0);
	return rc;
}

/* --- the merger --- */

static int merge_some(struct store *s, const struct journal_change *list, size_t cnt,
		      uint64_t merged)
{
	struct about about = s->about;
	MDB_cursor *cursor; /* closed with its transaction */
	MDB_txn *txn;
	MDB_val k;
	size_t i;
	int rc;

	rc = database_error(mdb_txn_begin(s->env, NULL, 0, &txn));
	if (rc < 0)
		return rc;
	rc = database_error(mdb_cursor_open(txn, s->dbi, &cursor));
	for (i = 0; i < cnt && rc == 0; i++) {
		k = (MDB_val){ list[i].key_len, (void *)(uintptr_t)list[i].key };
		if (list[i].value_len > 0)
			rc = database_put(cursor, list[i].key, list[i].key_len, list[i].value,
					  list[i].value_len);
		else
			rc = database_error(mdb_del(txn, s->dbi, &k, NULL));
		if (rc == ERR_NOT_FOUND)
			rc = 0;
	}
	about.merged = merged;
	if (rc == 0)
		rc = put_about(txn, s->dbi, &about);
	if (rc < 0) {
		mdb_txn_abort(txn);
		return rc;
	}
	rc = database_error(mdb_txn_commit(txn)); /* synced */
	if (rc < 0)
		return rc;
	s->about = about;
	atomic_store(&s->shared.merged, merged);
	return 0;
}

static int merge(struct store *s, uint64_t sequence)
{
	struct journal_change *list = NULL;
	struct journal_segment seg;
	size_t cnt = 0, i, n;
	int rc;

	rc = journal_read(s->dir_fd, sequence, &seg);
	if (rc < 0)
		return rc;
	rc = seg.good_len == seg.len ? collect(&seg, &list, &cnt) : ERR_MALFORMED;
	for (i = 0; rc == 0 && i <= cnt; i += MERGE_TXN) {
		n = cnt - i < MERGE_TXN ? cnt - i : MERGE_TXN;
		rc = merge_some(s, list + i, n, i + MERGE_TXN > cnt ? sequence : s->about.merged);
	}
	free(list);
	journal_segment_done(&seg);
	forget_pages(s);
	(void)malloc_trim(0); /* glibc would keep what small pieces took */
	if (rc == 0)
		unlink_segment(s, sequence);
	return rc;
}

static uint64_t interval_ms(const struct store *s)
{
	return s->conf.sync_interval_ms ? s->conf.sync_interval_ms : 1000;
}

/* By the clock that the conditions go by. */
static struct timespec in_ms(uint64_t ms)
{
	struct timespec at;

	(void)clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += (time_t)(ms / 1000);
	at.tv_nsec += (long)(ms % 1000) * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	return at;
}

/* Until there is a segment to merge, and after a failure for a while. @return false: stop */
static bool wait_to_merge(struct store *s, bool failed)
{
	const struct timespec at = in_ms(MERGE_PAUSE * interval_ms(s));
	struct shared *sh = &s->shared;
	bool stop;

	pthread_mutex_lock(&sh->lock);
	if (failed)
		while (!sh->stop && pthread_cond_timedwait(&sh->merge, &sh->lock, &at) == 0)
			;
	while (!sh->stop && s->about.merged >= sh->mergeable)
		(void)pthread_cond_wait(&sh->merge, &sh->lock);
	stop = sh->stop;
	pthread_mutex_unlock(&sh->lock);
	return !stop;
}

static void *merge_on(void *arg)
{
	struct store *s = arg;
	struct shared *sh = &s->shared;
	bool failed = false;
	int rc;

	thread_give_way();
	while (wait_to_merge(s, failed)) {
		rc = merge(s, s->about.merged + 1);
		failed = rc < 0;
		atomic_fetch_add(failed ? &sh->merge_failures : &sh->merges, 1);
		atomic_store(&sh->merge_error, rc);
	}
	return NULL;
}

/* --- the syncer --- */

/* One that was merged meanwhile is gone, and needs it no more. */
static int sync_segment(struct store *s, uint64_t sequence)
{
	char name[32];
	int fd, rc = 0;

	journal_name(sequence, name);
	fd = openat(s->dir_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && sequence <= atomic_load(&s->shared.merged))
		return 0;
	/* Without a descriptor for it: all of the file system. */
	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		return syncfs(s->dir_fd) < 0 ? -errno : 0;
	if (fd < 0)
		return -errno;
	if (fdatasync(fd) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

/* Everything written up to now is on the disk, the names of the files included. */
static int sync_journal(struct store *s, uint64_t current)
{
	uint64_t written = atomic_load(&s->shared.written);
	uint64_t i;
	int rc = 0;

	if (written == atomic_load(&s->shared.durable))
		return 0;
	for (i = s->synced + 1; i <= current && rc == 0; i++)
		rc = sync_segment(s, i);
	if (rc == 0 && s->synced + 1 < current && fsync(s->dir_fd) < 0)
		rc = -errno;
	if (rc < 0)
		return rc;
	s->synced = current - 1; /* the current one will grow */
	atomic_store(&s->shared.durable, written);
	return 0;
}

/* @return 0: it is what we have open, or nobody can tell */
static int look_at(int dir_fd, const char *name, int fd)
{
	struct stat there, ours;

	if (fd < 0 || fstat(fd, &ours) < 0)
		return 0;
	if (fstatat(dir_fd, name, &there, 0) < 0)
		return errno == ENOENT || errno == ENOTDIR ? -ENOENT : 0;
	return there.st_ino == ours.st_ino && there.st_dev == ours.st_dev ? 0 : -ENOENT;
}

/* What other hands took away, the next start would not find, however well it is written to. */
static int look_at_names(struct store *s)
{
	mdb_filehandle_t fd;
	struct stat st;
	int rc;

	if (mdb_env_get_fd(s->env, &fd) != 0 || fstat(fd, &st) < 0)
		return 0;
	if (st.st_size < s->database_size) /* whoever reads it gets SIGBUS */
		return ERR_MALFORMED;
	s->database_size = st.st_size;
	rc = look_at(AT_FDCWD, s->conf.directory, s->dir_fd);
	if (rc == 0)
		rc = look_at(s->dir_fd, DATABASE, fd);
	return rc < 0 ? rc : look_at(s->dir_fd, "lock", s->lock_fd);
}

static void may_merge(struct shared *sh, uint64_t full)
{
	pthread_mutex_lock(&sh->lock);
	sh->mergeable = full;
	pthread_cond_signal(&sh->merge);
	pthread_mutex_unlock(&sh->lock);
}

static void *sync_on(void *arg)
{
	struct store *s = arg;
	struct shared *sh = &s->shared;
	uint64_t full, current;
	struct timespec at;
	bool stop;
	int rc;

	do {
		at = in_ms(interval_ms(s));
		pthread_mutex_lock(&sh->lock);
		while (!sh->stop && pthread_cond_timedwait(&sh->sync, &sh->lock, &at) == 0)
			;
		stop = sh->stop;
		full = sh->full;
		current = sh->current;
		pthread_mutex_unlock(&sh->lock);
		rc = look_at_names(s);
		if (rc == 0)
			rc = sync_journal(s, current);
		if (rc < 0)
			atomic_fetch_add(&sh->sync_failures, 1);
		atomic_store(&sh->sync_error, rc);
		if (rc == 0)
			may_merge(sh, full);
	} while (!stop);
	return NULL;
}

static int start_threads(struct store *s)
{
	struct shared *sh = &s->shared;
	pthread_condattr_t attr;
	int rc;

	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&sh->lock, NULL);
	(void)pthread_cond_init(&sh->sync, &attr);
	(void)pthread_cond_init(&sh->merge, &attr);
	(void)pthread_condattr_destroy(&attr);
	rc = thread_start(&s->syncer, sync_on, s);
	s->has_syncer = rc == 0;
	if (rc == 0)
		rc = thread_start(&s->merger, merge_on, s);
	s->has_merger = rc == 0;
	return rc;
}

static void stop_threads(struct store *s)
{
	struct shared *sh = &s->shared;

	if (!s->has_syncer)
		return;
	pthread_mutex_lock(&sh->lock);
	sh->stop = true;
	pthread_cond_signal(&sh->sync);
	pthread_cond_signal(&sh->merge);
	pthread_mutex_unlock(&sh->lock);
	(void)pthread_join(s->syncer, NULL);
	if (s->has_merger)
		(void)pthread_join(s->merger, NULL);
	(void)pthread_mutex_destroy(&sh->lock);
	(void)pthread_cond_destroy(&sh->sync);
	(void)pthread_cond_destroy(&sh->merge);
	s->has_syncer = s->has_merger = false;
}

/* --- open and close --- */

static int make_directories(const char *path)
{
	char part[4096];
	size_t i, len = strlen(path);
	struct stat st;
	int rc;

	if (len >= sizeof(part))
		return -ENAMETOOLONG;
	for (i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		rc = mkdir(part, i == len ? 0700 : 0755) < 0 ? -errno : 0;
		/* On a read-only disk, or where we may not write, it may be there all the same. */
		if (rc < 0 && stat(part, &st) < 0)
			return rc;
	}
	return 0;
}

static int open_directory(struct store *s, char *out_fault)
{
	int rc;

	rc = make_directories(s->conf.directory);
	if (rc == 0) {
		s->dir_fd = open(s->conf.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (s->dir_fd < 0)
			rc = -errno;
	}
	if (rc == 0) {
		s->lock_fd = openat(s->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		s->end_fd = openat(s->dir_fd, END, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (s->lock_fd < 0 || s->end_fd < 0)
			rc = -errno;
	}
	if (rc < 0)
		return fault(out_fault, rc, "cannot use the directory", REMEDY_DIRECTORY);
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return fault(out_fault, -EBUSY, "another daemon has it open",
			     "stop that one, or give this one a state.directory of its own");
	return 0;
}

/* A number for this boot of this host; 0 is none. */
static uint32_t this_boot(void)
{
	char text[64];
	ssize_t n = -1;
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		n = read(fd, text, sizeof(text));
		close(fd);
	}
	return n > 0 ? crc32c(0, text, (size_t)n) | 1 : 0;
}

/* From here on it is this run's. */
static int begin(struct store *s, char *out_fault)
{
	const struct journal_segment *last =
		s->segment_cnt > 0 ? &s->segments[s->segment_cnt - 1] : NULL;
	uint64_t sequence = s->about.merged + s->segment_cnt + 1;
	int rc;

	/*
	 * The page cache outlives a process, but not the kernel. And where nothing says how far the
	 * journal went, nothing tells that it does not go further.
	 */
	s->may_lack = !s->is_new && (!s->has_end || (!s->about.was_closed && !s->about.was_always &&
						     (s->boot == 0 || s->about.boot != s->boot)));
	s->about.boot = s->boot;
	s->about.was_closed = false;
	s->about.was_always = s->conf.sync_interval_ms == 0;
	rc = write_about(s);
	if (rc == 0)
		rc = journal_open(&s->journal, s->dir_fd, sequence,
				  last ? last->begins_at + last->len : 0);
	if (rc == 0 && fsync(s->dir_fd) < 0)
		rc = -errno;
	if (rc < 0)
		return fault(out_fault, rc, "cannot begin to write", REMEDY_DIRECTORY);
	put_end(s);
	s->synced = s->about.merged;
	s->shared.full = sequence - 1;
	atomic_store(&s->shared.merged, s->about.merged);
	s->shared.current = sequence;
	atomic_store(&s->shared.written, journal_position(&s->journal));
	s->pending_len = JOURNAL_RECORD_LEN;
	s->pending_size = PENDING_START;
	s->pending = malloc(s->pending_size);
	if (!s->pending)
		rc = -ENOMEM;
	if (rc == 0)
		rc = start_threads(s);
	return rc < 0 ? fault(out_fault, rc, "cannot start its threads", "free some memory") : 0;
}

int store_open(const struct store_conf *conf, struct store **ret_store,
	       char out_fault[STORE_FAULT_MAX])
{
	struct store *s = calloc(1, sizeof(*s));
	uint64_t *list = NULL;
	size_t cnt = 0;
	int rc;

	if (!s)
		return fault(out_fault, -ENOMEM, "cannot start", "free some memory");
	s->conf = *conf;
	s->dir_fd = s->lock_fd = s->end_fd = s->journal.fd = -1;
	s->boot = conf->boot ? conf->boot : this_boot();
	rc = open_directory(s, out_fault);
	if (rc == 0) {
		rc = list_segments(s->dir_fd, &list, &cnt);
		if (rc < 0)
			(void)fault(out_fault, rc, "cannot list the directory", REMEDY_DIRECTORY);
	}
	if (rc == 0)
		rc = open_database(s, cnt > 0, out_fault);
	if (rc == 0)
		rc = read_journal(s, list, cnt, out_fault);
	if (rc == 0)
		rc = begin(s, out_fault);
	free(list);
	if (rc < 0) {
		s->is_new = true; /* nothing of ours is to be noted in it */
		(void)store_close(s);
		return rc;
	}
	*ret_store = s;
	return 0;
}

struct store *store_close(struct store *s)
{
	bool was_open;
	size_t i;

	if (!s)
		return NULL;
	was_open = s->has_merger;
	if (was_open && store_commit(s) == 0) {
		stop_threads(s); /* it syncs once more */
		s->about.was_closed =
			!s->is_incomplete &&
			atomic_load(&s->shared.written) == atomic_load(&s->shared.durable) &&
			fdatasync(s->end_fd) == 0;
		(void)write_about(s);
	}
	stop_threads(s);
	if (s->env)
		mdb_env_close(s->env);
	journal_close(&s->journal);
	for (i = 0; i < s->segment_cnt; i++)
		journal_segment_done(&s->segments[i]);
	free(s->segments);
	free(s->pending);
	if (s->end_fd >= 0)
		close(s->end_fd);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	free(s);
	return NULL;
}

bool store_is_new(const struct store *s)
{
	return s->is_new;
}

bool store_has_moved(const struct store *s)
{
	return s->has_moved;
}

bool store_may_lack(const struct store *s)
{
	return s->may_lack;
}

uint32_t store_boot(const struct store *s)
{
	return s->boot;
}

/* --- changes --- */

static bool make_room(struct store *s, size_t len)
{
	size_t size = s->pending_size;
	uint8_t *more;

	while (s->pending_len + len > size)
		size *= 2;
	if (size == s->pending_size)
		return true;
	more = size <= PENDING_MAX ? realloc(s->pending, size) : NULL;
	if (!more)
		return false;
	s->pending = more;
	s->pending_size = size;
	return true;
}

void store_put(struct store *s, const uint8_t *key, size_t key_len, const uint8_t *value,
	       size_t value_len)
{
	const struct journal_change c = { key, value, (uint16_t)key_len, (uint16_t)value_len, 0 };
	size_t len = JOURNAL_CHANGE_LEN + key_len + value_len;

	/*
	 * More than a batch makes (a million expiries, say) goes out in several. While the disk
	 * fails that is tried each time as much again waits, not for each change: it sums up all of
	 * it.
	 */
	if (s->pending_len + len > s->pending_size)
		(void)store_commit(s);
	if (!make_room(s, len)) {
		s->pending_len = JOURNAL_RECORD_LEN;
		s->pending_cnt = 0;
		s->is_incomplete = true;
	}
	s->pending_len +=
		journal_put(s->pending + s->pending_len, s->pending_size - s->pending_len, &c);
	s->pending_cnt++;
}

bool store_is_pending(const struct store *s)
{
	return s->pending_cnt > 0;
}

/* The next segment; without room for one the old one grows. */
static void roll(struct store *s)
{
	struct journal next;

	if (s->journal.size < s->conf.segment_size ||
	    journal_open(&next, s->dir_fd, s->journal.sequence + 1, journal_position(&s->journal)) <
		    0)
		return;
	pthread_mutex_lock(&s->shared.lock);
	s->shared.full = s->journal.sequence;
	s->shared.current = next.sequence;
	pthread_cond_signal(&s->shared.sync);
	pthread_mutex_unlock(&s->shared.lock);
	journal_close(&s->journal);
	s->journal = next;
	if (s->conf.sync_interval_ms == 0)
		(void)fsync(s->dir_fd);
}

int store_commit(struct store *s)
{
	uint64_t durable = atomic_load(&s->shared.durable);
	int rc;

	if (s->pending_cnt == 0)
		return 0;
	rc = atomic_load(&s->shared.sync_error); /* what is not kept is not to be relied on */
	if (rc == 0)
		rc = journal_append(&s->journal, s->pending, s->pending_len, durable);
	if (rc == 0)
		put_end(s);
	if (rc == 0 && s->conf.sync_interval_ms == 0 && fdatasync(s->journal.fd) < 0)
		rc = -errno;
	s->error = rc;
	if (rc < 0) {
		s->commit_failures++;
		return rc;
	}
	s->commits++;
	s->changes += s->pending_cnt;
	s->octets += s->pending_len;
	s->pending_len = JOURNAL_RECORD_LEN;
	s->pending_cnt = 0;
	atomic_store(&s->shared.written, journal_position(&s->journal));
	if (s->conf.sync_interval_ms == 0)
		atomic_store(&s->shared.durable, journal_position(&s->journal));
	roll(s);
	/* What a failed fdatasync() did not write is not written by the next one either. */
	if (atomic_load(&s->shared.sync_failures) != s->sync_failures) {
		s->sync_failures = atomic_load(&s->shared.sync_failures);
		s->is_incomplete = true;
	}
	return 0;
}

bool store_is_incomplete(const struct store *s)
{
	return s->is_incomplete;
}

void store_is_complete_again(struct store *s)
{
	s->is_incomplete = false;
}

int store_error_beside(struct store *s)
{
	int rc = atomic_load(&s->shared.sync_error);

	return rc < 0 ? rc : atomic_load(&s->shared.merge_error);
}

void store_get_health(struct store *s, struct store_health *out_health)
{
	struct shared *sh = &s->shared;

	*out_health = (struct store_health){
		.commits = s->commits,
		.changes = s->changes,
		.octets = s->octets,
		.commit_failures = s->commit_failures,
		.written = atomic_load(&sh->written),
		.durable = atomic_load(&sh->durable),
		.merges = atomic_load(&sh->merges),
		.sync_failures = atomic_load(&sh->sync_failures),
		.merge_failures = atomic_load(&sh->merge_failures),
		.is_incomplete = s->is_incomplete,
	};
	out_health->segments = s->journal.sequence - atomic_load(&sh->merged);
	out_health->error = s->error;
	if (out_health->error == 0)
		out_health->error = store_error_beside(s);
}

/* --- reading it through --- */

/*
 * The journal's changes are gathered first, the database is walked then, past the keys that the
 * journal has: what the merger merges meanwhile comes to stand in both, and is told once.
 */
struct store_walk {
	struct store *store;
	struct journal_segment *segments;
	struct journal_change *list; /* of all of them, each key once */
	size_t segment_cnt, cnt, told;
	uint64_t first, last; /* segments to be read */
	uint64_t last_len;    /* of the last one, which grows */
	bool is_past_database;
	uint8_t cursor[STORE_CURSOR_MAX];
	size_t cursor_len;
};

int store_walk_begin(struct store *s, struct store_walk **ret_walk)
{
	struct store_walk *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	*w = (struct store_walk){ .store = s,
				  .first = atomic_load(&s->shared.merged) + 1,
				  .last = s->journal.sequence,
				  .last_len = s->journal.size };
	*ret_walk = w;
	return 0;
}

struct store_walk *store_walk_free(struct store_walk *w)
{
	size_t i;

	if (!w)
		return NULL;
	for (i = 0; i < w->segment_cnt; i++)
		journal_segment_done(&w->segments[i]);
	free(w->segments);
	free(w->list);
	free(w);
	return NULL;
}

static int gather_segment(struct store_walk *w, uint64_t sequence)
{
	struct journal_segment *seg = &w->segments[w->segment_cnt];
	int rc;

	rc = journal_read(w->store->dir_fd, sequence, seg);
	if (rc == -ENOENT && atomic_load(&w->store->shared.merged) >= sequence)
		return 1; /* what was gathered may be older than the database now */
	if (rc < 0)
		return rc;
	w->segment_cnt++;
	/* Behind the last one's end may be what a full disk let nobody cut off. */
	if (seg->good_len == 0 || seg->good_len < (sequence == w->last ? w->last_len : seg->len))
		return ERR_MALFORMED;
	return collect(seg, &w->list, &w->cnt);
}

int store_walk_gather(struct store_walk *w)
{
	uint64_t sequence;
	int rc = 0;

	w->segments = calloc(w->last - w->first + 1, sizeof(*w->segments));
	if (!w->segments)
		return -ENOMEM;
	for (sequence = w->first; sequence <= w->last && rc == 0; sequence++)
		rc = gather_segment(w, sequence);
	return rc;
}

static bool is_in_journal(const struct store_walk *w, const MDB_val *k)
{
	const struct journal_change key = change_of(k);
	size_t low = 0, high = w->cnt, mid;
	int order;

	while (low < high) {
		mid = low + (high - low) / 2;
		order = journal_compare(&w->list[mid], &key);
		if (order == 0)
			return true;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

static int walk_database_some(struct store_walk *w, size_t steps, store_walk_fn *fn, void *ctx)
{
	MDB_val k = { w->cursor_len, w->cursor }, v;
	MDB_cursor *c;
	MDB_txn *txn;
	int rc;

	rc = database_error(mdb_txn_begin(w->store->env, NULL, MDB_RDONLY, &txn));
	if (rc < 0)
		return rc;
	rc = database_error(mdb_cursor_open(txn, w->store->dbi, &c));
	if (rc < 0) {
		mdb_txn_abort(txn);
		return rc;
	}
	rc = database_error(
		mdb_cursor_get(c, &k, &v, w->cursor_len > 0 ? MDB_SET_RANGE : MDB_FIRST));
	while (rc == 0) {
		if (steps-- == 0) { /* this one is the next step's */
			memcpy(w->cursor, k.mv_data, k.mv_size);
			w->cursor_len = k.mv_size;
			break;
		}
		rc = database_value(&k, &v);
		if (rc == 0 && !is_about(&k) && !is_in_journal(w, &k))
			fn(ctx, k.mv_data, k.mv_size, v.mv_data, v.mv_size);
		if (rc == 0)
			rc = database_error(mdb_cursor_get(c, &k, &v, MDB_NEXT));
	}
	mdb_cursor_close(c);
	mdb_txn_abort(txn);
	w->is_past_database = rc == ERR_NOT_FOUND;
	return w->is_past_database ? 0 : rc;
}

int store_walk_some(struct store_walk *w, size_t steps, store_walk_fn *fn, void *ctx)
{
	const struct journal_change *c;
	int rc = 0;

	if (!w->is_past_database)
		rc = walk_database_some(w, steps, fn, ctx);
	else
		for (; steps > 0 && w->told < w->cnt; steps--, w->told++) {
			c = &w->list[w->told];
			if (c->value_len > 0)
				fn(ctx, c->key, c->key_len, c->value, c->value_len);
		}
	if (rc < 0)
		return rc;
	return !w->is_past_database || w->told < w->cnt;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "ha-core/store/database.h"
#include "common/crc32c.h"
#include "common/err.h"
#include "ha-core/wire/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAP_SIZE (sizeof(void *) > 4 ? (size_t)16 << 30 : (size_t)1 << 30)
#define CRC_LEN  4
#define CHECK_S  120 /* the child is given up */

int database_error(int rc)
{
	if (rc > 0)
		return -rc;
	switch (rc) {
	case 0:
		return 0;
	case MDB_MAP_FULL:
		return -ENOSPC;
	case MDB_NOTFOUND:
		return ERR_NOT_FOUND;
	default:
		return ERR_MALFORMED;
	}
}

int database_open(const char *path, unsigned int flags, MDB_env **ret_env, MDB_dbi *ret_dbi)
{
	MDB_env *env;
	MDB_txn *txn;
	int rc;

	rc = mdb_env_create(&env);
	if (rc != 0)
		return database_error(rc);
	rc = mdb_env_set_mapsize(env, MAP_SIZE);
	if (rc == 0)
		rc = mdb_env_open(env, path, flags | MDB_NOSUBDIR | MDB_NOTLS, 0600);
	if (rc == 0)
		rc = mdb_txn_begin(env, NULL, flags & MDB_RDONLY, &txn);
	if (rc == 0) {
		rc = mdb_dbi_open(txn, NULL, 0, ret_dbi);
		mdb_txn_commit(txn); /* a handle is kept by a commit only */
	}
	if (rc != 0) {
		mdb_env_close(env);
		return database_error(rc);
	}
	*ret_env = env;
	return 0;
}

/* --- values under a checksum --- */

static uint32_t value_crc(const uint8_t *key, size_t key_len, const uint8_t *value, size_t len)
{
	return crc32c(crc32c(0, key, key_len), value, len);
}

int database_put(MDB_cursor *cursor, const uint8_t *key, size_t key_len, const uint8_t *value,
		 size_t len)
{
	MDB_val k = { key_len, (void *)(uintptr_t)key };
	MDB_val v = { len + CRC_LEN, NULL };
	struct wire_writer w;
	int rc;

	rc = mdb_cursor_put(cursor, &k, &v, MDB_RESERVE);
	if (rc != 0)
		return database_error(rc);
	w = wire_writer(v.mv_data, v.mv_size);
	wire_put_bytes(&w, value, len);
	wire_put_u32(&w, value_crc(key, key_len, value, len));
	return 0;
}

int database_value(const MDB_val *k, MDB_val *v)
{
	const uint8_t *data = v->mv_data;
	struct wire_reader r;

	if (v->mv_size < CRC_LEN)
		return ERR_MALFORMED;
	v->mv_size -= CRC_LEN;
	r = wire_reader(data + v->mv_size, CRC_LEN);
	return wire_u32(&r) == value_crc(k->mv_data, k->mv_size, data, v->mv_size) ? 0
										   : ERR_MALFORMED;
}

/* --- the check --- */

/*
 * The file as LMDB lays it out (its data format 1): two descriptions, a page each, then the pages
 * of two trees: ours, and lists of the pages that are free. LMDB tells nobody of its pages, and
 * believes them: it writes where a page's head says that there is room, frees the page whose number
 * stands there, and takes those of the lists. One wrong octet could have it write beyond its
 * memory, or over what is in use; so all that it would believe is looked at here. Each page has one
 * place: in a tree, or among the free ones.
 */
#define FORMAT     1
#define FREE_DBI   0
#define FIRST_PGNO 2              /* behind the descriptions */
#define NO_PGNO    SIZE_MAX       /* the root of a tree without keys */
#define TXNID_MAX  (SIZE_MAX / 2) /* nobody lives to see it; LMDB counts on from it */

enum { PAGE_BRANCH = 1, PAGE_LEAF = 2, PAGE_OVERFLOW = 4 };
enum { NODE_BIG = 1 }; /* its value is the number of the first page that has it */

struct page {
	size_t pgno;
	uint16_t pad, flags;
	union {
		struct {
			uint16_t lower, upper; /* between them is room: nodes' offsets, nodes */
		};
		uint32_t page_cnt; /* PAGE_OVERFLOW */
	};
};

struct node {
	uint32_t value_len; /* in a branch: the child's page, of whose number flags are the rest */
	uint16_t flags, key_len;
};

struct description {
	struct page page;
	uint32_t magic, format;
	void *address;
	size_t map_size;
	struct {
		uint32_t page_size; /* of FREE_DBI; else 0 */
		uint16_t flags, depth;
		size_t branches, leaves, overflows, entries, root;
	} trees[2]; /* FREE_DBI, ours */
	size_t last_pgno, txnid;
};

struct walk {
	MDB_txn *txn;
	MDB_dbi dbi;
	const uint8_t *map;
	size_t page_size, page_cnt;
	uint8_t *taken; /* a bit a page: it has its place */
};

static bool take_pages(struct walk *w, size_t pgno, size_t cnt)
{
	if (pgno < FIRST_PGNO || pgno >= w->page_cnt || cnt == 0 || cnt > w->page_cnt - pgno)
		return false;
	for (; cnt > 0; cnt--, pgno++) {
		if (w->taken[pgno / 8] >> pgno % 8 & 1)
			return false;
		w->taken[pgno / 8] |= (uint8_t)(1 << pgno % 8);
	}
	return true;
}

/* @param number  of its first page */
static bool take_big_value(struct walk *w, const uint8_t *number, size_t len)
{
	struct page p;
	size_t pgno;

	memcpy(&pgno, number, sizeof(pgno));
	if (pgno >= w->page_cnt)
		return false;
	memcpy(&p, w->map + pgno * w->page_size, sizeof(p));
	return p.pgno == pgno && p.flags == PAGE_OVERFLOW && take_pages(w, pgno, p.page_cnt) &&
	       len <= p.page_cnt * w->page_size - sizeof(p);
}

/* @param out_used  gets as much more as the node takes of its page */
static bool get_node(const struct walk *w, const uint8_t *data, size_t i, struct node *ret_node,
		     MDB_val *ret_key, size_t *out_used)
{
	size_t at, size = sizeof(*ret_node);
	struct page p;
	uint16_t offset;

	memcpy(&p, data, sizeof(p));
	memcpy(&offset, data + sizeof(p) + i * sizeof(offset), sizeof(offset));
	at = offset;
	if (at < p.upper || at + size > w->page_size)
		return false;
	memcpy(ret_node, data + at, size);
	*ret_key = (MDB_val){ ret_node->key_len, (void *)(uintptr_t)(data + at + size) };
	size += ret_node->key_len;
	if (p.flags == PAGE_LEAF)
		size += ret_node->flags == NODE_BIG ? sizeof(p.pgno) : ret_node->value_len;
	size += size % 2;
	*out_used += size;
	return size <= w->page_size - at;
}

/* A bound without data is none. */
static bool is_less(const struct walk *w, const MDB_val *a, const MDB_val *b)
{
	return !a->mv_data || !b->mv_data || mdb_cmp(w->txn, w->dbi, a, b) < 0;
}

static bool take_leaf(struct walk *w, const uint8_t *data, size_t cnt, size_t *out_used,
		      MDB_val from, MDB_val to)
{
	const uint8_t *value;
	struct node n;
	MDB_val key;
	size_t i;

	for (i = 0; i < cnt; i++, from = key) {
		if (!get_node(w, data, i, &n, &key, out_used) ||
		    (i == 0 ? from.mv_data && is_less(w, &key, &from) : !is_less(w, &from, &key)))
			return false;
		value = (const uint8_t *)key.mv_data + n.key_len;
		if (n.flags != 0 && (n.flags != NODE_BIG || !take_big_value(w, value, n.value_len)))
			return false;
	}
	return is_less(w, &from, &to);
}

static bool take_tree(struct walk *w, size_t pgno, MDB_val from, MDB_val to);

/* The first node's key is from, whatever it says. */
static bool take_branch(struct walk *w, const uint8_t *data, size_t cnt, size_t *out_used,
			MDB_val from, MDB_val to)
{
	struct node n, next = { 0 };
	MDB_val key;
	size_t i;

	if (!get_node(w, data, 0, &n, &key, out_used))
		return false;
	for (i = 1; i <= cnt; i++, n = next, from = key) {
		if (i == cnt)
			key = to;
		else if (!get_node(w, data, i, &next, &key, out_used))
			return false;
		if (!is_less(w, &from, &key) ||
		    !take_tree(w, (size_t)((uint64_t)n.flags << 32 | n.value_len), from, key))
			return false;
	}
	return true;
}

/* Of the keys from one to before the other. Its nodes fill what is behind the room. */
static bool take_tree(struct walk *w, size_t pgno, MDB_val from, MDB_val to)
{
	size_t cnt, used = 0;
	const uint8_t *data;
	struct page p;
	bool is_sound;

	if (!take_pages(w, pgno, 1))
		return false;
	data = w->map + pgno * w->page_size;
	memcpy(&p, data, sizeof(p));
	if (p.pgno != pgno || p.lower <= sizeof(p) || p.lower > p.upper || p.upper > w->page_size)
		return false;
	cnt = (p.lower - sizeof(p)) / sizeof(uint16_t);
	is_sound = p.flags == PAGE_LEAF     ? take_leaf(w, data, cnt, &used, from, to)
		   : p.flags == PAGE_BRANCH ? take_branch(w, data, cnt, &used, from, to)
					    : false;
	return is_sound && used == w->page_size - p.upper;
}

/* A list is a count, and then as many numbers, falling. */
static bool take_free_pages(struct walk *w, const MDB_val *v)
{
	const uint8_t *data = v->mv_data;
	size_t cnt, pgno, before = SIZE_MAX, i;

	if (v->mv_size < sizeof(cnt))
		return false;
	memcpy(&cnt, data, sizeof(cnt));
	if (cnt > v->mv_size / sizeof(cnt) - 1)
		return false;
	for (i = 1; i <= cnt; i++, before = pgno) {
		memcpy(&pgno, data + i * sizeof(pgno), sizeof(pgno));
		if (pgno >= before || !take_pages(w, pgno, 1))
			return false;
	}
	return true;
}

/* Each list has the number of the transaction that freed its pages. */
static bool take_all_free_pages(struct walk *w, size_t last_txnid)
{
	MDB_cursor *cursor;
	bool is_sound = true;
	size_t txnid = 0;
	MDB_val k, v;
	int rc = 0;

	if (mdb_cursor_open(w->txn, FREE_DBI, &cursor) != 0)
		return false;
	while (is_sound && (rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0) {
		if (k.mv_size == sizeof(txnid))
			memcpy(&txnid, k.mv_data, sizeof(txnid));
		is_sound = k.mv_size == sizeof(txnid) && txnid > 0 && txnid <= last_txnid &&
			   take_free_pages(w, &v);
	}
	mdb_cursor_close(cursor);
	return is_sound && rc == MDB_NOTFOUND;
}

/* The newer one of the two, which is the one that LMDB goes by. */
static int get_description(int fd, size_t file_size, struct description *ret_description)
{
	struct description d, other;
	size_t page_size;

	if (pread(fd, &d, sizeof(d), 0) != sizeof(d))
		return ERR_MALFORMED;
	*ret_description = d;
	if (d.format != FORMAT) /* another LMDB's; whether this one can read it, it says itself */
		return 0;
	if (pread(fd, &other, sizeof(other), d.trees[FREE_DBI].page_size) != sizeof(other))
		return ERR_MALFORMED;
	if (other.txnid > d.txnid)
		*ret_description = other;
	page_size = ret_description->trees[FREE_DBI].page_size;
	return page_size > 0 && file_size / page_size > ret_description->last_pgno ? 0
										   : ERR_MALFORMED;
}

static bool pages_are_sound(struct walk *w, const struct description *d)
{
	const MDB_val none = { 0, NULL };
	MDB_dbi i;

	if ((d->trees[FREE_DBI].flags & ~MDB_NOSUBDIR) != MDB_INTEGERKEY ||
	    d->trees[1].flags != 0 || d->txnid > TXNID_MAX || !take_all_free_pages(w, d->txnid))
		return false;
	for (i = 0; i < 2; i++) {
		w->dbi = i;
		if (d->trees[i].root != NO_PGNO && !take_tree(w, d->trees[i].root, none, none))
			return false;
	}
	return true;
}

static int look_at_pages(int fd, const struct description *d, MDB_txn *txn)
{
	struct walk w = { .txn = txn,
			  .page_size = d->trees[FREE_DBI].page_size,
			  .page_cnt = d->last_pgno + 1 };

	if (d->format != FORMAT)
		return 0;
	w.taken = mmap(NULL, w.page_cnt / 8 + 1, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	w.map = mmap(NULL, w.page_cnt * w.page_size, PROT_READ, MAP_SHARED, fd, 0);
	if (w.taken == MAP_FAILED || w.map == MAP_FAILED)
		return -ENOMEM;
	return pages_are_sound(&w, d) ? 0 : ERR_MALFORMED;
}

/* Is every value what was written, and is there each of them? */
static int look_at_values(MDB_txn *txn, MDB_dbi dbi)
{
	MDB_cursor *cursor;
	MDB_stat stat;
	MDB_val k, v;
	size_t cnt = 0;
	int rc;

	if (mdb_stat(txn, dbi, &stat) != 0 || mdb_cursor_open(txn, dbi, &cursor) != 0)
		return ERR_MALFORMED;
	while ((rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0 &&
	       database_value(&k, &v) == 0 && cnt <= stat.ms_entries)
		cnt++;
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND && cnt == stat.ms_entries ? 0 : ERR_MALFORMED;
}

/* It is the child's: the file and its maps are closed with it. */
static int look_through(const char *path)
{
	int rc, fd = open(path, O_RDONLY | O_CLOEXEC);
	struct description d;
	MDB_env *env = NULL;
	MDB_dbi dbi = 0;
	MDB_txn *txn;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	rc = get_description(fd, (size_t)st.st_size, &d);
	if (rc == 0)
		rc = database_open(path, MDB_RDONLY | MDB_NOLOCK, &env, &dbi);
	if (rc < 0)
		return rc == -EINVAL ? ERR_MALFORMED : rc;
	if (mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0)
		return ERR_MALFORMED;
	rc = look_at_pages(fd, &d, txn);
	if (rc == 0)
		rc = look_at_values(txn, dbi);
	mdb_txn_abort(txn);
	mdb_env_close(env);
	return rc;
}

/* The child's word is its exit code: 0, an errno, or this. */
#define DAMAGED 255

int database_check(const char *path)
{
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };
	int rc, status;
	pid_t pid;
	size_t i;

	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		/* A crash is an answer here, for nobody to report. */
		for (i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
			(void)signal(crashes[i], SIG_DFL);
		(void)alarm(CHECK_S);
		i = (size_t)open("/dev/null", O_WRONLY | O_CLOEXEC);
		(void)dup2((int)i, STDERR_FILENO);
		rc = look_through(path);
		_exit(rc > ERR_BASE ? -rc : DAMAGED);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) != DAMAGED ? -WEXITSTATUS(status)
								   : ERR_MALFORMED;
}

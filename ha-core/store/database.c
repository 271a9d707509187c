/* SPDX-License-Identifier: BSD-2-Clause */
#include "ha-core/store/database.h"
#include "common/crc32c.h"
#include "common/err.h"
#include "ha-core/wire/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
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
 * The database in which LMDB keeps the pages that are free, lists of their numbers, each a count
 * and then as many, falling. LMDB believes them when it writes, and a wrong one takes it beyond its
 * memory.
 */
#define FREE_DBI        0
#define FIRST_FREE_PGNO 2 /* behind the two that describe the file */

static bool is_free_list(const MDB_val *v, size_t last_pgno)
{
	const uint8_t *data = v->mv_data;
	size_t cnt, pgno, before = last_pgno + 1, i;

	if (v->mv_size < sizeof(cnt))
		return false;
	memcpy(&cnt, data, sizeof(cnt));
	if (cnt > v->mv_size / sizeof(cnt) - 1)
		return false;
	for (i = 1; i <= cnt; i++, before = pgno) {
		memcpy(&pgno, data + i * sizeof(pgno), sizeof(pgno));
		if (pgno < FIRST_FREE_PGNO || pgno >= before)
			return false;
	}
	return true;
}

static bool free_lists_are_sound(MDB_txn *txn, const MDB_envinfo *info)
{
	MDB_cursor *cursor;
	MDB_val k, v;
	int rc;

	if (mdb_cursor_open(txn, FREE_DBI, &cursor) != 0)
		return false;
	while ((rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0)
		if (k.mv_size != sizeof(size_t) || !is_free_list(&v, info->me_last_pgno))
			return false;
	return rc == MDB_NOTFOUND;
}

/* Is the file as long as its pages? Is every value what was written, and is there each of them? */
static int walk_database(const char *path)
{
	MDB_envinfo info;
	MDB_cursor *cursor;
	MDB_env *env = NULL;
	MDB_dbi dbi = 0;
	MDB_txn *txn;
	MDB_stat stat;
	MDB_val k, v;
	struct stat st;
	size_t cnt = 0;
	int rc;

	rc = database_open(path, MDB_RDONLY | MDB_NOLOCK, &env, &dbi);
	if (rc < 0)
		return rc == -EINVAL ? ERR_MALFORMED : rc;
	if (mdb_env_info(env, &info) != 0 || mdb_env_stat(env, &stat) != 0 || stat.ms_psize == 0 ||
	    lstat(path, &st) < 0 || (uint64_t)st.st_size / stat.ms_psize < info.me_last_pgno + 1)
		return ERR_MALFORMED;
	if (mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0 || mdb_stat(txn, dbi, &stat) != 0 ||
	    mdb_cursor_open(txn, dbi, &cursor) != 0)
		return ERR_MALFORMED;
	while ((rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0 && cnt <= stat.ms_entries) {
		if (database_value(&k, &v) < 0)
			return ERR_MALFORMED;
		cnt++;
	}
	if (rc != MDB_NOTFOUND || cnt != stat.ms_entries || !free_lists_are_sound(txn, &info))
		return ERR_MALFORMED;
	return 0;
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
		rc = walk_database(path);
		_exit(rc > ERR_BASE ? -rc : DAMAGED);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) != DAMAGED ? -WEXITSTATUS(status)
								   : ERR_MALFORMED;
}

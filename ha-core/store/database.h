/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The store's LMDB file: one tree of keys, every value under a checksum, and the check without
 * which nobody may read it. LMDB believes what its pages say, so that a damaged file can take
 * whoever reads it, or writes to it, out of its memory.
 */
#ifndef HA_CORE_STORE_DATABASE_H
#define HA_CORE_STORE_DATABASE_H

#include <lmdb.h>
#include <stddef.h>
#include <stdint.h>

/** @return LMDB's code as one of err.h: MDB_NOTFOUND is ERR_NOT_FOUND, MDB_MAP_FULL -ENOSPC */
int database_error(int rc);

/**
 * Opens the file, which LMDB makes if it is not there and flags do not forbid it.
 *
 * @param flags of mdb_env_open(), beside MDB_NOSUBDIR and MDB_NOTLS
 * @return 0, or an error; then *ret_env is as before
 */
int database_open(const char *path, unsigned int flags, MDB_env **ret_env, MDB_dbi *ret_dbi);

/** Puts a value, and its checksum. A cursor goes on from where it is: keys in order cost least. */
int database_put(MDB_cursor *cursor, const uint8_t *key, size_t key_len, const uint8_t *value,
		 size_t len);

/** Takes the checksum off a value that LMDB gave. @return 0, or ERR_MALFORMED: it is another's */
int database_value(const MDB_val *k, MDB_val *v);

/**
 * Looks through all of the file, in a child process, which may crash: at each value, and at what of
 * its pages LMDB takes for granted when it writes.
 *
 * @return 0: sound; ERR_MALFORMED; -EACCES: it cannot be read; -ENOMEM, or another reason why it
 * could not be looked at
 */
int database_check(const char *path);

#endif

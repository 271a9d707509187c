/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The journal in front of the store: segment files "journal.SEQUENCE", each a header and then
 * records, one a batch of changes, each under a checksum. Appending is one write(); what the disk
 * has for certain is told by journal_sync(), in each later record.
 */
#ifndef HA_CORE_STORE_JOURNAL_H
#define HA_CORE_STORE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOURNAL_HEADER_LEN 32 /* of a segment */
#define JOURNAL_RECORD_LEN 24 /* what stands before a record's changes */
#define JOURNAL_CHANGE_LEN 4  /* what stands before a change's key */
#define JOURNAL_KEY_MAX    257
#define JOURNAL_VALUE_MAX  16384

/** Last change of its key wins. */
struct journal_change {
	const uint8_t *key, *value;
	uint16_t key_len;
	uint16_t value_len; /* 0: the key is gone */
	uint64_t prefix;    /* of the key, as journal_prefix() has it; journal_next() fills it */
};

/** The first eight octets of a key as a number: most keys are told apart by it, in a register. */
static inline uint64_t journal_prefix(const uint8_t *key, size_t len)
{
	uint64_t prefix = 0;

	for (size_t i = 0; i < 8; i++)
		prefix = prefix << 8 | (i < len ? key[i] : 0);
	return prefix;
}

/** The order of keys, which is that of their octets. */
int journal_compare(const struct journal_change *a, const struct journal_change *b);

/** A segment that is written to. */
struct journal {
	int dir_fd; /* not owned */
	int fd;     /* -1: closed */
	uint64_t sequence;
	uint64_t begins_at; /* octets of the journal before this segment, since it first began */
	uint64_t size;      /* of the segment */
};

/** "journal.0000000000000001" */
void journal_name(uint64_t sequence, char ret_name[32]);
/** The reverse. @retval ERR_INVALID  no segment's name */
int journal_parse_name(const char *name, uint64_t *ret_sequence);

/**
 * Makes the segment; it must not be there.
 * @retval -errno  no file is left
 */
int journal_open(struct journal *j, int dir_fd, uint64_t sequence, uint64_t begins_at);
void journal_close(struct journal *j);

/** Where the next record will stand, in octets of the whole journal. */
static inline uint64_t journal_position(const struct journal *j)
{
	return j->begins_at + j->size;
}

/**
 * Puts one change at the end of a buffer of changes. @return octets, 0: no room.
 */
size_t journal_put(uint8_t *buf, size_t room, const struct journal_change *c);

/**
 * Appends a record of changes: all of it or none, also when the disk is full.
 * @param record     JOURNAL_RECORD_LEN octets of room, then the changes
 * @param len        of both
 * @param durable    the journal is on the disk up to this position
 * @retval -errno    nothing was appended
 */
int journal_append(struct journal *j, uint8_t *record, size_t len, uint64_t durable);

/* --- reading --- */

/** A segment, read whole. */
struct journal_segment {
	uint8_t *data; /* owned */
	size_t len;
	uint64_t sequence, begins_at;
	size_t good_len;  /* up to here every record is whole */
	uint64_t durable; /* the furthest position that a whole record in it vouches for */
};

/**
 * Reads one and checks its records. A segment whose header is not whole has good_len 0.
 * @retval ERR_UNSUPPORTED  of a newer layout
 * @retval -errno, -ENOMEM
 */
int journal_read(int dir_fd, uint64_t sequence, struct journal_segment *ret_segment);
void journal_segment_done(struct journal_segment *s);

/** Walks the changes of the good part; *at begins as 0. @return false: that was the last one. */
bool journal_next(const struct journal_segment *s, size_t *at, struct journal_change *ret_change);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments of the journal, written by store.c's loop and read back at start and by its merger.
 *
 *	segment  magic(8) layout(4) sequence(8) begins-at(8) crc(4), then the records
 *	record   magic(4) length(4) crc(4) pad(4) durable(8), then the changes
 *	change   key-len(2) value-len(2) key value
 *
 * All numbers are in network order. The checksum of a record covers everything behind it and,
 * first, the record's place in the journal, so that an old block in a new file is no record.
 *
 * A record at the end may be torn: killed in the middle of a write(), or pages of the last moments
 * that a power cut took in any order. It was never answered, or is what state.sync said may go,
 * and is cut off. A bad record is damage only if the disk had it for certain: each record says how
 * far the journal was on the disk when it was written, and a later record is looked for, octet by
 * octet, that vouches for the place of the bad one.
 */
#include "ha-core/store/journal.h"

#include "common/crc32c.h"
#include "common/err.h"
#include "common/thread.h"
#include "ha-core/wire/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAYOUT       1
#define RECORD_MAGIC 0x48414a52u /* "HAJR" */
#define CRC_OFFSET   8           /* of a record's checksum; it covers what follows */

static const uint8_t segment_magic[8] = "HAjourn";

void journal_name(uint64_t sequence, char ret_name[32])
{
	(void)snprintf(ret_name, 32, "journal.%016" PRIx64, sequence);
}

int journal_parse_name(const char *name, uint64_t *ret_sequence)
{
	const char *digits = name + strlen("journal.");
	char again[32];
	uint64_t sequence;

	if (strncmp(name, "journal.", strlen("journal.")) != 0)
		return ERR_INVALID;
	sequence = strtoull(digits, NULL, 16);
	journal_name(sequence, again);
	if (strcmp(name, again) != 0)
		return ERR_INVALID;
	*ret_sequence = sequence;
	return 0;
}

/* All of it at this place, or an error; a part that was written is cut off again. */
static int write_at(int fd, const uint8_t *data, size_t len, uint64_t at)
{
	size_t done = 0;
	ssize_t n;
	int rc;

	while (done < len) {
		n = pwrite(fd, data + done, len - done, (off_t)(at + done));
		if (n > 0) {
			done += (size_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		rc = n < 0 ? -errno : -ENOSPC;
		(void)!ftruncate(fd, (off_t)at); /* if it stays, the next write is over it */
		return rc;
	}
	return 0;
}

int journal_open(struct journal *j, int dir_fd, uint64_t sequence, uint64_t begins_at)
{
	uint8_t header[JOURNAL_HEADER_LEN];
	struct wire_writer w = wire_writer(header, sizeof(header));
	char name[32];
	int fd, rc;

	journal_name(sequence, name);
	fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	wire_put_bytes(&w, segment_magic, sizeof(segment_magic));
	wire_put_u32(&w, LAYOUT);
	wire_put_u64(&w, sequence);
	wire_put_u64(&w, begins_at);
	wire_put_u32(&w, crc32c(0, header, wire_len(&w)));
	rc = write_at(fd, header, sizeof(header), 0);
	if (rc < 0) {
		close(fd);
		(void)unlinkat(dir_fd, name, 0);
		return rc;
	}
	*j = (struct journal){ .dir_fd = dir_fd,
			       .fd = fd,
			       .sequence = sequence,
			       .begins_at = begins_at,
			       .size = sizeof(header) };
	return 0;
}

void journal_close(struct journal *j)
{
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
}

size_t journal_put(uint8_t *buf, size_t room, const struct journal_change *c)
{
	struct wire_writer w = wire_writer(buf, room);

	wire_put_u16(&w, c->key_len);
	wire_put_u16(&w, c->value_len);
	wire_put_bytes(&w, c->key, c->key_len);
	wire_put_bytes(&w, c->value, c->value_len);
	return w.failed ? 0 : wire_len(&w);
}

static uint32_t record_crc(uint64_t position, const uint8_t *record, size_t len)
{
	uint8_t place[8];
	struct wire_writer w = wire_writer(place, sizeof(place));

	wire_put_u64(&w, position);
	return crc32c(crc32c(0, place, sizeof(place)), record + CRC_OFFSET + 4,
		      len - CRC_OFFSET - 4);
}

int journal_append(struct journal *j, uint8_t *record, size_t len, uint64_t durable)
{
	const uint32_t head[] = {
		htonl(RECORD_MAGIC),
		htonl((uint32_t)len),
		0,
		0,
		htonl((uint32_t)(durable >> 32)),
		htonl((uint32_t)durable),
	};
	uint32_t crc;
	int rc;

	_Static_assert(sizeof(head) == JOURNAL_RECORD_LEN, "as record_at() reads it");
	memcpy(record, head, sizeof(head));
	crc = htonl(record_crc(journal_position(j), record, len));
	memcpy(record + CRC_OFFSET, &crc, sizeof(crc));
	rc = write_at(j->fd, record, len, j->size);
	if (rc == 0)
		j->size += len;
	return rc;
}

/* --- reading --- */

static int slurp(int dir_fd, uint64_t sequence, uint8_t **ret_data, size_t *ret_len)
{
	uint8_t *data = NULL;
	struct stat st;
	char name[32];
	size_t len = 0, piece;
	ssize_t n;
	int fd, rc = 0;

	journal_name(sequence, name);
	fd = openat(dir_fd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* who knows what it is */
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	else if (!(data = malloc((size_t)st.st_size + 1)))
		rc = -ENOMEM;
	while (rc == 0 && len < (size_t)st.st_size) {
		piece = (size_t)st.st_size - len;
		n = read(fd, data + len, piece < THREAD_READ_MAX ? piece : THREAD_READ_MAX);
		if (n < 0 && errno != EINTR)
			rc = -errno;
		if (n == 0)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	if (rc < 0) {
		free(data);
		return rc;
	}
	*ret_data = data;
	*ret_len = len;
	return 0;
}

/* Length of the whole record at this place, 0: there is none. */
static size_t record_at(const struct journal_segment *s, size_t at, uint64_t *out_durable)
{
	struct wire_reader r = wire_reader(s->data + at, s->len - at);
	uint32_t magic = wire_u32(&r);
	uint32_t len = wire_u32(&r);
	uint32_t crc = wire_u32(&r);

	(void)wire_u32(&r);
	*out_durable = wire_u64(&r);
	if (r.failed || magic != RECORD_MAGIC || len < JOURNAL_RECORD_LEN || len > s->len - at)
		return 0;
	return crc == record_crc(s->begins_at + at, s->data + at, len) ? len : 0;
}

static void note_durable(struct journal_segment *s, uint64_t durable)
{
	if (durable > s->durable)
		s->durable = durable;
}

static int read_header(struct journal_segment *s)
{
	struct wire_reader r = wire_reader(s->data, s->len);
	const uint8_t *magic = wire_bytes(&r, sizeof(segment_magic));
	uint32_t layout = wire_u32(&r);
	uint64_t sequence = wire_u64(&r);
	uint32_t crc;

	s->begins_at = wire_u64(&r);
	crc = wire_u32(&r);
	if (r.failed || memcmp(magic, segment_magic, sizeof(segment_magic)) != 0)
		return ERR_MALFORMED;
	if (crc != crc32c(0, s->data, JOURNAL_HEADER_LEN - 4))
		return ERR_MALFORMED;
	if (layout > LAYOUT)
		return ERR_UNSUPPORTED;
	return sequence == s->sequence ? 0 : ERR_MALFORMED;
}

static void check_records(struct journal_segment *s)
{
	uint64_t durable;
	size_t at, len;

	for (at = JOURNAL_HEADER_LEN; (len = record_at(s, at, &durable)) > 0; at += len)
		note_durable(s, durable);
	s->good_len = at;
	for (; at + JOURNAL_RECORD_LEN <= s->len; at++)
		if (record_at(s, at, &durable) > 0)
			note_durable(s, durable);
}

int journal_read(int dir_fd, uint64_t sequence, struct journal_segment *ret_segment)
{
	struct journal_segment s = { .sequence = sequence };
	int rc;

	rc = slurp(dir_fd, sequence, &s.data, &s.len);
	if (rc < 0)
		return rc;
	rc = read_header(&s);
	if (rc == ERR_UNSUPPORTED) {
		free(s.data);
		return rc;
	}
	if (rc == 0)
		check_records(&s);
	*ret_segment = s;
	return 0;
}

void journal_segment_done(struct journal_segment *s)
{
	free(s->data);
	*s = (struct journal_segment){ 0 };
}

bool journal_next(const struct journal_segment *s, size_t *at, struct journal_change *ret_change)
{
	struct wire_reader r;

	if (*at == 0)
		*at = JOURNAL_HEADER_LEN;
	if (*at + JOURNAL_CHANGE_LEN > s->good_len)
		return false;
	r = wire_reader(s->data + *at, s->good_len - *at);
	/* No key is as long as the first half of the magic: a record begins here. */
	if (wire_u16(&r) == RECORD_MAGIC >> 16) {
		*at += JOURNAL_RECORD_LEN;
		if (*at + JOURNAL_CHANGE_LEN > s->good_len)
			return false;
	}
	r = wire_reader(s->data + *at, s->good_len - *at);
	ret_change->key_len = wire_u16(&r);
	ret_change->value_len = wire_u16(&r);
	ret_change->key = wire_bytes(&r, ret_change->key_len);
	ret_change->value = wire_bytes(&r, ret_change->value_len);
	*at = (size_t)(r.pos - s->data);
	if (r.failed)
		return false;
	ret_change->prefix = journal_prefix(ret_change->key, ret_change->key_len);
	return true;
}

int journal_compare(const struct journal_change *a, const struct journal_change *b)
{
	size_t len = a->key_len < b->key_len ? a->key_len : b->key_len;
	int order = 0;

	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	if (len > sizeof(a->prefix))
		order = memcmp(a->key, b->key, len);
	return order ? order : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

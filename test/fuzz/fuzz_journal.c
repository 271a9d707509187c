/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A segment of the journal as it is read at start (store/journal.h). What is taken for good lies in
 * the file and can be walked to its end.
 *
 * Input: bits (1: BIT_AS_IS), then the segment. Its checksums are set right, record by record as
 * their lengths say, unless BIT_AS_IS is set.
 */
#include "common/crc32c.h"
#include "common/err.h"
#include "ha-core/store/journal.h"
#include "test/fuzz/fuzz.h"

#include <fcntl.h>
#include <unistd.h>

#define BIT_AS_IS   0x01
#define SEGMENT_MAX 65536
#define HEADER_CRC  (JOURNAL_HEADER_LEN - 4)
#define RECORD_CRC  8

static char directory[] = "/dev/shm/fuzz-journal.XXXXXX";
static int dir_fd = -1;
static int fd = -1; /* of the segment */

static void remove_it_all(void)
{
	char name[32];

	journal_name(1, name);
	(void)unlinkat(dir_fd, name, 0);
	(void)rmdir(directory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char name[32];

	(void)argc;
	(void)argv;
	FUZZ_CHECK(mkdtemp(directory));
	dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(dir_fd >= 0 && atexit(remove_it_all) == 0);
	journal_name(1, name);
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	FUZZ_CHECK(fd >= 0);
	return 0;
}

static void put_u32(uint8_t *at, uint32_t v)
{
	struct wire_writer w = wire_writer(at, 4);

	wire_put_u32(&w, v);
}

static uint32_t get_u32(const uint8_t *at)
{
	struct wire_reader r = wire_reader(at, 4);

	return wire_u32(&r);
}

static void mend(uint8_t *data, size_t len)
{
	size_t at, record_len;
	uint8_t place[8];

	if (len < JOURNAL_HEADER_LEN)
		return;
	put_u32(data + HEADER_CRC, crc32c(0, data, HEADER_CRC));
	for (at = JOURNAL_HEADER_LEN; at + JOURNAL_RECORD_LEN <= len; at += record_len) {
		struct wire_writer w = wire_writer(place, sizeof(place));
		struct wire_reader r = wire_reader(data + 20, 8);
		size_t covered = at + RECORD_CRC + 4;

		record_len = get_u32(data + at + 4);
		if (record_len < JOURNAL_RECORD_LEN || record_len > len - at)
			break;
		wire_put_u64(&w, wire_u64(&r) + at);
		put_u32(data + at + RECORD_CRC,
			crc32c(crc32c(0, place, sizeof(place)), data + covered,
			       record_len - RECORD_CRC - 4));
	}
}

static void check_segment(const struct journal_segment *s, size_t size)
{
	struct journal_change c, last = { 0 };
	size_t at = 0, before = 0;

	FUZZ_CHECK(s->len == size && s->good_len <= s->len);
	while (journal_next(s, &at, &c)) {
		FUZZ_CHECK(at > before && at <= s->good_len);
		FUZZ_CHECK(c.key >= s->data && c.value == c.key + c.key_len);
		FUZZ_CHECK(c.value + c.value_len <= s->data + s->good_len);
		FUZZ_CHECK(c.prefix == journal_prefix(c.key, c.key_len));
		if (before > 0)
			FUZZ_CHECK(journal_compare(&c, &last) == -journal_compare(&last, &c) ||
				   journal_compare(&c, &last) * journal_compare(&last, &c) < 0);
		before = at;
		last = c;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct journal_segment s;
	uint8_t *segment;
	int err;

	if (size < 1 || size > SEGMENT_MAX)
		return 0;
	segment = fuzz_copy(data + 1, size - 1);
	if (!(data[0] & BIT_AS_IS))
		mend(segment, size - 1);
	FUZZ_CHECK(pwrite(fd, segment, size - 1, 0) == (ssize_t)(size - 1));
	FUZZ_CHECK(ftruncate(fd, (off_t)(size - 1)) == 0);
	err = journal_read(dir_fd, 1, &s);
	FUZZ_CHECK(err == 0 || err == ERR_UNSUPPORTED);
	if (err == 0) {
		check_segment(&s, size - 1);
		journal_segment_done(&s);
	}
	free(segment);
	return 0;
}

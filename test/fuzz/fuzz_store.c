/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recovery: a store that was good, then spoilt, is opened, read, written to and closed. It says
 * that it is damaged, or gives back only what was once put into it; it never crashes, and what it
 * refuses it leaves as it is.
 *
 * Input: spoils, each a file (1: place in files[]), kind (1: SPOIL_*), offset (4, modulo the file's
 * length), length (1), octets (of SPOIL_WRITE).
 */
#include "common/err.h"
#include "ha-core/store/store.h"
#include "test/fuzz/beside.h"
#include "test/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SPOIL_WRITE, SPOIL_FLIP, SPOIL_CUT, SPOIL_REMOVE, SPOIL_CNT };

#define FILES_MAX    8
#define SPOILS_MAX   8
#define KEY_CNT      24
#define PATH_MAX_LEN 1024
#define MAPPED_MIN   (256 * 1024)

static char directory[] = "/dev/shm/fuzz-store.XXXXXX";
static struct store_conf conf;

/* The good store. */
static struct file {
	char name[64];
	uint8_t *data;
	size_t len;
	bool is_spoilt;
} files[FILES_MAX];
static size_t file_cnt;
static bool was_refused; /* the last input's */

static void path_of(const char *name, char out[PATH_MAX_LEN])
{
	(void)snprintf(out, PATH_MAX_LEN, "%s/%s", directory, name);
}

static void remove_all(void)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	char path[PATH_MAX_LEN];

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		path_of(entry->d_name, path);
		(void)unlink(path);
	}
	if (dir)
		(void)closedir(dir);
}

static void remove_it_all(void)
{
	remove_all();
	(void)rmdir(directory);
}

/* Values tell their keys: nobody's value is ever another's. */
static size_t value_of(unsigned int i, unsigned int round, uint8_t value[64])
{
	return (size_t)snprintf((char *)value, 64, "value %u of key %u", round, i);
}

static void put_keys(struct store *s, unsigned int round, unsigned int step)
{
	uint8_t value[64];
	char key[16];
	unsigned int i;

	for (i = 0; i < KEY_CNT; i += step) {
		(void)snprintf(key, sizeof(key), "key%u", i);
		store_put(s, (const uint8_t *)key, strlen(key), value, value_of(i, round, value));
	}
	FUZZ_CHECK(store_commit(s) == 0);
}

static int take(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value,
		size_t value_len)
{
	unsigned int i, j, round;
	char text[64];

	(void)ctx;
	FUZZ_CHECK(value_len < sizeof(text));
	memcpy(text, key, key_len < 15 ? key_len : 15);
	text[key_len < 15 ? key_len : 15] = '\0';
	FUZZ_CHECK(sscanf(text, "key%u", &i) == 1);
	memcpy(text, value, value_len);
	text[value_len] = '\0';
	FUZZ_CHECK(sscanf(text, "value %u of key %u", &round, &j) == 2 && i == j);
	return 0;
}

static struct store *open_store(void)
{
	char fault[STORE_FAULT_MAX];
	struct store *s;
	int err = store_open(&conf, &s, fault);

	if (err == 0)
		return s;
	FUZZ_CHECK(err == ERR_MALFORMED || err == ERR_UNSUPPORTED || err == ERR_INVALID ||
		   err == -EACCES || err == -EISDIR);
	FUZZ_CHECK(strlen(fault) > 0 && strlen(fault) < STORE_FAULT_MAX);
	return NULL;
}

/* As far as to who checks the database; the lock it has by then is removed with all the rest. */
static void open_until_checked(void)
{
	(void)open_store();
}

static void keep_file(const char *name)
{
	struct file *f = &files[file_cnt++];
	char path[PATH_MAX_LEN];
	struct stat st;
	int fd;

	FUZZ_CHECK(file_cnt <= FILES_MAX);
	path_of(name, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	FUZZ_CHECK(fd >= 0 && fstat(fd, &st) == 0);
	(void)snprintf(f->name, sizeof(f->name), "%s", name);
	f->len = (size_t)st.st_size;
	f->data = malloc(f->len + 1);
	FUZZ_CHECK(f->data && read(fd, f->data, f->len) == (ssize_t)f->len);
	(void)close(fd);
}

/* A life that ended in order, and one whose last segment is a journal still. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char database[PATH_MAX_LEN];
	struct dirent **entries;
	struct store *s;
	int i, cnt;

	(void)argc;
	(void)argv;
	/* LMDB's room for changes, mapped: two megabytes that nobody clears and no child copies. */
	(void)mallopt(M_MMAP_THRESHOLD, MAPPED_MIN);
	(void)mallopt(M_TRIM_THRESHOLD, MAPPED_MIN);
	FUZZ_CHECK(mkdtemp(directory) && atexit(remove_it_all) == 0);
	conf = (struct store_conf){ .directory = directory,
				    .daemon = "ihad",
				    .home_agent = addr_from_host(0x0a000002),
				    .sync_interval_ms = 3600000,
				    .segment_size = 1 << 16,
				    .boot = 1 };
	for (i = 0; i < 3; i++) {
		s = open_store();
		FUZZ_CHECK(s && store_load(s, take, NULL, NULL) == 0);
		put_keys(s, (unsigned int)i, (unsigned int)i + 1);
		FUZZ_CHECK(!store_close(s));
	}
	/* In the order of their names: what an input says of a file holds on every host. */
	cnt = scandir(directory, &entries, NULL, alphasort);
	for (i = 0; i < cnt; i++) {
		/* journal.end would have the most of it refused before anything of it is read. */
		if (entries[i]->d_name[0] != '.' && !strstr(entries[i]->d_name, "lock") &&
		    strcmp(entries[i]->d_name, "journal.end") != 0)
			keep_file(entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	FUZZ_CHECK(file_cnt > 0);
	path_of("state.mdb", database);
	beside_begin(open_until_checked, database);
	return 0;
}

static void write_file(const struct file *f)
{
	char path[PATH_MAX_LEN];
	int fd;

	path_of(f->name, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FUZZ_CHECK(fd >= 0 && write(fd, f->data, f->len) == (ssize_t)f->len);
	(void)close(fd);
}

static bool is_as_it_was(const struct file *f)
{
	char path[PATH_MAX_LEN];
	struct stat st;

	path_of(f->name, path);
	return !f->is_spoilt && stat(path, &st) == 0 && (size_t)st.st_size == f->len;
}

/* A store that was refused has lost files and ends of files at most, beside what was spoilt. */
static void restore(void)
{
	static const char *const added[] = { "journal.end", "lock", "state.mdb-lock" };
	char path[PATH_MAX_LEN];
	size_t i;

	for (i = 0; was_refused && i < sizeof(added) / sizeof(added[0]); i++) {
		path_of(added[i], path);
		(void)unlink(path);
	}
	if (!was_refused)
		remove_all();
	for (i = 0; i < file_cnt; i++) {
		if (!was_refused || !is_as_it_was(&files[i]))
			write_file(&files[i]);
		files[i].is_spoilt = false;
	}
}

static void spoil(struct wire_reader *r)
{
	struct file *f = &files[wire_u8(r) % file_cnt];
	uint8_t kind = wire_u8(r) % SPOIL_CNT, octet = 0;
	size_t at = wire_u32(r), len = wire_u8(r);
	const uint8_t *octets;
	char path[PATH_MAX_LEN];
	int fd;

	f->is_spoilt = true;
	at = f->len ? at % f->len : 0;
	path_of(f->name, path);
	if (kind == SPOIL_REMOVE) {
		(void)unlink(path);
		return;
	}
	if (kind == SPOIL_CUT) {
		(void)!truncate(path, (off_t)at);
		return;
	}
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	if (kind == SPOIL_FLIP && pread(fd, &octet, 1, (off_t)at) == 1) {
		octet ^= (uint8_t)(1 << len % 8);
		(void)!pwrite(fd, &octet, 1, (off_t)at);
	} else if (kind == SPOIL_WRITE) {
		if (len > wire_left(r))
			len = wire_left(r);
		octets = wire_bytes(r, len);
		(void)!pwrite(fd, octets, len, (off_t)at);
	}
	(void)close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_reader r = wire_reader(data, size);
	unsigned int i;
	struct store *s;
	int err;

	restore();
	for (i = 0; i < SPOILS_MAX && wire_left(&r) > 6; i++)
		spoil(&r);
	s = open_store();
	was_refused = !s;
	if (!s)
		return 0;
	err = store_load(s, take, NULL, NULL);
	FUZZ_CHECK(err == 0 || err == ERR_MALFORMED);
	if (err == 0) {
		put_keys(s, 9, 1);
		FUZZ_CHECK(!store_close(s));
		s = open_store();
		FUZZ_CHECK(s && store_load(s, take, NULL, NULL) == 0);
	}
	FUZZ_CHECK(!store_close(s));
	return 0;
}

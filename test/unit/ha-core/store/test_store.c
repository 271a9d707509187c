/* SPDX-License-Identifier: BSD-2-Clause */
/* What the store gives back after every kind of end, and what it refuses to give back. */
#include "ha-core/store/store.h"

#include "common/crc32c.h"
#include "common/err.h"
#include "ha-core/store/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[64];
static struct store_conf conf;
static char fault[STORE_FAULT_MAX];
static struct store *store;

/* What a load gave: keys "k0", "k1"... of one digit, and their values. */
static char found[512];

static int note(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value,
		size_t value_len)
{
	size_t len = strlen(found);

	(void)ctx;
	(void)snprintf(found + len, sizeof(found) - len, "%.*s=%.*s ", (int)key_len, key,
		       (int)value_len, value);
	return 0;
}

static int count(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value,
		 size_t value_len)
{
	size_t *cnt = ctx;

	(void)key;
	(void)key_len;
	(void)value;
	(void)value_len;
	(*cnt)++;
	return 0;
}

static void count_only(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value,
		       size_t value_len)
{
	(void)count(ctx, key, key_len, value, value_len);
}

static void put(const char *key, const char *value)
{
	store_put(store, (const uint8_t *)key, strlen(key), (const uint8_t *)value, strlen(value));
}

static int reopen(void)
{
	store = store_close(store);
	return store_open(&conf, &store, fault);
}

/* A process that stores and is killed in the midst of it. */
static void in_a_life_that_is_killed_without_a_next(void (*live)(void))
{
	int status;
	pid_t pid;

	store = store_close(store);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (store_open(&conf, &store, fault) < 0 || store_load(store, note, NULL, NULL) < 0)
			_exit(1);
		live();
		(void)raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void in_a_life_that_is_killed(void (*live)(void))
{
	in_a_life_that_is_killed_without_a_next(live);
	assert_int_equal(store_open(&conf, &store, fault), 0);
}

static const char *loaded(void)
{
	found[0] = '\0';
	assert_int_equal(store_load(store, note, NULL, NULL), 0);
	return found;
}

static void path_in(const char *name, char out[256])
{
	(void)snprintf(out, 256, "%s/%s", directory, name);
}

static void segment_path(uint64_t sequence, char out[256])
{
	char name[32];

	journal_name(sequence, name);
	path_in(name, out);
}

static off_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void spoil(const char *path, off_t at, const char *octets, size_t len)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, octets, len, at), len);
	close(fd);
}

static int make_store(void **state)
{
	(void)state;
	(void)strcpy(directory, "/tmp/store.XXXXXX");
	assert_non_null(mkdtemp(directory));
	conf = (struct store_conf){
		.directory = directory,
		.daemon = "ihad",
		.home_agent = addr_from_host(0x0a000002),
		.sync_interval_ms = 10,
		.segment_size = 1 << 20,
	};
	found[0] = '\0';
	return store_open(&conf, &store, fault);
}

static void remove_database_and_segments(void)
{
	char name[300];
	uint64_t i;

	for (i = 0; i < 64; i++) {
		segment_path(i, name);
		(void)unlink(name);
	}
	path_in("state.mdb", name);
	(void)unlink(name);
}

static int drop_store(void **state)
{
	char name[300];

	(void)state;
	store = store_close(store);
	remove_database_and_segments();
	path_in("state.mdb-lock", name);
	(void)unlink(name);
	path_in("lock", name);
	(void)unlink(name);
	path_in("journal.end", name);
	(void)unlink(name);
	return rmdir(directory);
}

static void new_store_is_empty(void **state)
{
	(void)state;
	assert_true(store_is_new(store));
	assert_false(store_may_lack(store));
	assert_string_equal(loaded(), "");
}

static void committed_values_are_there_after_an_orderly_end(void **state)
{
	(void)state;
	(void)loaded();
	put("b", "2");
	put("a", "1");
	assert_true(store_is_pending(store));
	assert_int_equal(store_commit(store), 0);
	assert_false(store_is_pending(store));
	assert_int_equal(reopen(), 0);
	assert_false(store_is_new(store));
	assert_false(store_may_lack(store));
	assert_string_equal(loaded(), "a=1 b=2 ");
}

static void live_and_commit(void)
{
	put("a", "1");
	put("b", "2");
	(void)store_commit(store);
	put("a", "3");
	put("b", "");
	(void)store_commit(store);
	put("c", "never answered");
}

static void killed_process_loses_nothing_committed_and_leaves_nothing_else(void **state)
{
	(void)state;
	in_a_life_that_is_killed(live_and_commit);
	assert_false(store_may_lack(store)); /* the kernel still had it all */
	assert_string_equal(loaded(), "a=3 ");
}

static void after_a_power_cut_answers_may_be_missing(void **state)
{
	(void)state;
	conf.boot = 1;
	in_a_life_that_is_killed(live_and_commit);
	assert_false(store_may_lack(store)); /* the same boot */
	in_a_life_that_is_killed(live_and_commit);
	store = store_close(store);
	conf.boot = 2;
	assert_int_equal(store_open(&conf, &store, fault), 0);
	assert_false(store_may_lack(store)); /* another one, after an orderly end */
	in_a_life_that_is_killed_without_a_next(live_and_commit);
	conf.boot = 3;
	assert_int_equal(store_open(&conf, &store, fault), 0);
	assert_true(store_may_lack(store));
}

static void after_a_power_cut_nothing_is_missing_if_commits_wait_for_the_disk(void **state)
{
	(void)state;
	conf.boot = 1;
	conf.sync_interval_ms = 0;
	in_a_life_that_is_killed_without_a_next(live_and_commit);
	conf.boot = 2;
	assert_int_equal(store_open(&conf, &store, fault), 0);
	assert_false(store_may_lack(store));
	assert_string_equal(loaded(), "a=3 ");
}

static void last_change_of_a_key_counts_across_segments_and_database(void **state)
{
	struct store_health health;
	char value[2] = "0";
	int round;

	(void)state;
	conf.segment_size = 64; /* one change fills it */
	for (round = 0; round < 8; round++) {
		assert_int_equal(reopen(), 0);
		(void)loaded();
		value[0] = (char)('0' + round);
		put("a", value);
		assert_int_equal(store_commit(store), 0);
		put(round % 2 ? "even" : "odd", value);
		put(round % 2 ? "odd" : "even", "");
		assert_int_equal(store_commit(store), 0);
	}
	store_get_health(store, &health);
	assert_int_equal(health.error, 0);
	assert_int_equal(reopen(), 0);
	assert_string_equal(loaded(), "a=7 even=7 ");
}

static size_t segment_files(void)
{
	DIR *dir = opendir(directory);
	const struct dirent *entry;
	size_t cnt = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (strncmp(entry->d_name, "journal.0", 9) == 0)
			cnt++;
	closedir(dir);
	return cnt;
}

/*
 * Until there is only the segment that is being written. The last thing that the merger does to one
 * is to delete it; from then on it leaves the database alone.
 */
static void wait_until_all_is_merged(void)
{
	int i;

	for (i = 0; i < 6000 && segment_files() != 1; i++)
		(void)poll(NULL, 0, 10);
	assert_int_equal(segment_files(), 1);
}

static void a_full_segment_is_merged_and_deleted(void **state)
{
	char path[256];

	(void)state;
	conf.segment_size = 64;
	assert_int_equal(reopen(), 0);
	(void)loaded();
	put("a", "1");
	assert_int_equal(store_commit(store), 0);
	wait_until_all_is_merged();
	segment_path(1, path);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(reopen(), 0);
	assert_string_equal(loaded(), "a=1 ");
}

static void live_long(void)
{
	char key[16], value[16];
	int i;

	for (i = 0; i < 100000; i++) {
		(void)snprintf(key, sizeof(key), "k%05d", i % 20000);
		(void)snprintf(value, sizeof(value), "v%05d", i);
		put(key, value);
		if (i % 64 == 0)
			(void)store_commit(store);
	}
	(void)store_commit(store);
}

static void many_changes_come_back_once_each(void **state)
{
	size_t cnt = 0;

	(void)state;
	conf.segment_size = 1 << 19;
	in_a_life_that_is_killed(live_long);
	assert_int_equal(store_load(store, count, NULL, &cnt), 0);
	assert_int_equal(cnt, 20000);
}

/* KB of the database's map that are in memory and ours. */
static unsigned long resident_kb(void)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	unsigned long kb, sum = 0;
	bool is_database = false;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (strchr(line, '-') && strstr(line, " r"))
			is_database = strstr(line, "/state.mdb\n") != NULL;
		else if (is_database && sscanf(line, "Rss: %lu kB", &kb) == 1)
			sum += kb;
	fclose(maps);
	return sum;
}

static int measure(void *ctx)
{
	unsigned long *kb = ctx;

	*kb = resident_kb();
	return 0;
}

static int measure_nothing(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value,
			   size_t value_len)
{
	(void)ctx;
	(void)key;
	(void)key_len;
	(void)value;
	(void)value_len;
	return 0;
}

static void a_database_that_was_loaded_is_no_longer_in_our_memory(void **state)
{
	unsigned long before = 0;

	(void)state;
	conf.segment_size = 1 << 19;
	in_a_life_that_is_killed(live_long);
	assert_int_equal(store_load(store, measure_nothing, NULL, NULL), 0);
	wait_until_all_is_merged();
	conf.sync_interval_ms = 3600000; /* the merger lets go of pages, too: not beside the walk */
	assert_int_equal(reopen(), 0);
	assert_int_equal(store_load(store, measure_nothing, measure, &before), 0);
	printf("%lu kB at the end of the walk, %lu kB after it\n", before, resident_kb());
	assert_true(before > 500);
	assert_true(resident_kb() < before / 4);
}

/* 1000 above what count() had counted by then. */
static int count_last(void *ctx)
{
	size_t *cnt = ctx;

	*cnt += 1000;
	return 0;
}

static int count_and_stop(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value,
			  size_t value_len)
{
	(void)count(ctx, key, key_len, value, value_len);
	return -EIO;
}

static void live_with_three(void)
{
	put("one", "1");
	put("two", "2");
	put("three", "3");
	(void)store_commit(store);
}

static void whoever_loads_is_told_of_the_end_once_unless_it_ended_the_walk(void **state)
{
	size_t cnt = 0;

	(void)state;
	in_a_life_that_is_killed(live_with_three);
	assert_int_equal(store_load(store, count, count_last, &cnt), 0);
	assert_int_equal(cnt, 1003);
	cnt = 0;
	in_a_life_that_is_killed(live_with_three);
	assert_int_equal(store_load(store, count_and_stop, count_last, &cnt), -EIO);
	assert_int_equal(cnt, 1);
}

static void a_torn_last_record_is_cut_off_after_a_power_cut(void **state)
{
	char path[256];

	(void)state;
	conf.boot = 1;
	in_a_life_that_is_killed_without_a_next(live_and_commit);
	segment_path(2, path); /* of the life that was killed */
	assert_int_equal(truncate(path, size_of(path) - 1), 0);
	conf.boot = 2;
	assert_int_equal(store_open(&conf, &store, fault), 0);
	assert_string_equal(loaded(), "a=1 b=2 ");
	assert_int_equal(reopen(), 0); /* and it stays cut off */
	assert_string_equal(loaded(), "a=1 b=2 ");
}

static void live_on(void)
{
	put("d", "4");
	(void)store_commit(store);
}

/* The disk may have had the later segment and not yet the end of the one before. */
static void after_a_power_cut_nothing_behind_what_is_lost_is_taken(void **state)
{
	char path[256];

	(void)state;
	conf.boot = 1;
	conf.sync_interval_ms = 3600000; /* nothing is known to be on the disk */
	in_a_life_that_is_killed_without_a_next(live_and_commit);
	in_a_life_that_is_killed_without_a_next(live_on);
	segment_path(2, path);
	assert_int_equal(truncate(path, JOURNAL_HEADER_LEN), 0); /* at the end of a record */
	conf.boot = 2;
	assert_int_equal(store_open(&conf, &store, fault), 0);
	assert_string_equal(loaded(), "");
	put("e", "5");
	assert_int_equal(reopen(), 0);
	assert_string_equal(loaded(), "e=5 ");
}

static void refused_as_damaged(void)
{
	store = NULL;
	assert_int_equal(store_open(&conf, &store, fault), ERR_MALFORMED);
	assert_non_null(strstr(fault, "backup"));
}

/* A process that is killed has written what it has written. */
static void a_journal_that_is_cut_short_in_the_same_boot_is_damage(void **state)
{
	char path[256];

	(void)state;
	conf.boot = 1;
	in_a_life_that_is_killed_without_a_next(live_and_commit);
	segment_path(2, path);
	assert_int_equal(truncate(path, size_of(path) - 1), 0);
	refused_as_damaged();
	assert_non_null(strstr(fault, "journal.0000000000000002"));
	assert_int_equal(truncate(path, JOURNAL_HEADER_LEN), 0); /* at the end of a record */
	refused_as_damaged();
	assert_int_equal(truncate(path, 0), 0);
	refused_as_damaged();
	assert_int_equal(unlink(path), 0);
	refused_as_damaged();
	assert_non_null(strstr(fault, "missing"));
}

static void a_journal_that_is_cut_short_after_an_orderly_end_is_damage(void **state)
{
	char path[256];

	(void)state;
	live_and_commit();
	assert_int_equal(reopen(), 0); /* there is a segment behind it */
	put("d", "4");
	assert_int_equal(store_commit(store), 0);
	store = store_close(store);
	conf.boot = 2;
	segment_path(1, path);
	assert_int_equal(truncate(path, JOURNAL_HEADER_LEN), 0);
	refused_as_damaged();
	assert_non_null(strstr(fault, "journal.0000000000000001"));
}

static void what_a_killed_process_was_writing_is_cut_off(void **state)
{
	char path[256];
	FILE *f;

	(void)state;
	conf.boot = 1;
	in_a_life_that_is_killed_without_a_next(live_and_commit);
	segment_path(2, path);
	f = fopen(path, "ab");
	assert_non_null(f);
	(void)fputs("the first octets of a record", f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(store_open(&conf, &store, fault), 0);
	assert_string_equal(loaded(), "a=3 ");
}

static void a_store_of_a_version_that_noted_no_end_is_opened(void **state)
{
	char path[256];

	(void)state;
	in_a_life_that_is_killed_without_a_next(live_and_commit);
	path_in("journal.end", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(store_open(&conf, &store, fault), 0);
	assert_int_equal(access(path, F_OK), 0);
	assert_true(store_may_lack(store));
	assert_int_equal(reopen(), 0);
	assert_false(store_may_lack(store));
}

/* In an orderly end, too: what is cut off then cannot be seen. */
static void a_journal_whose_end_nobody_knows_may_lack_something(void **state)
{
	char path[256];

	(void)state;
	put("a", "1");
	assert_int_equal(store_commit(store), 0);
	store = store_close(store);
	path_in("journal.end", path);
	spoil(path, 0, "x", 1);
	assert_int_equal(store_open(&conf, &store, fault), 0);
	assert_true(store_may_lack(store));
}

/* Its segment gone, the journal is written to a file that nobody will ever find. */
static void nothing_is_committed_while_what_was_cannot_be_kept(void **state)
{
	struct store_health health = { 0 };
	char path[256];
	int i;

	(void)state;
	segment_path(1, path);
	assert_int_equal(unlink(path), 0);
	put("a", "1");
	assert_int_equal(store_commit(store), 0);
	for (i = 0; i < 500 && health.error == 0; i++) {
		(void)poll(NULL, 0, 10);
		store_get_health(store, &health);
	}
	put("b", "2");
	assert_int_equal(store_commit(store), -ENOENT);
	assert_true(store_is_pending(store));
}

static void live_with_waiting(void)
{
	struct store_health health = { 0 };
	int i;

	put("a", "1");
	(void)store_commit(store);
	for (i = 0; i < 500 && health.durable < health.written + (i == 0); i++) {
		(void)poll(NULL, 0, 10);
		store_get_health(store, &health);
	}
	put("b", "2"); /* vouches for the record before it */
	(void)store_commit(store);
}

static void a_record_that_the_disk_had_is_damage_when_it_is_bad(void **state)
{
	char path[256];

	(void)state;
	in_a_life_that_is_killed(live_with_waiting);
	store = store_close(store);
	segment_path(2, path);
	spoil(path, JOURNAL_HEADER_LEN + JOURNAL_RECORD_LEN, "X", 1);
	refused_as_damaged();
	assert_non_null(strstr(fault, "journal.0000000000000002"));
	refused_as_damaged(); /* nothing has been touched */
	spoil(path, JOURNAL_HEADER_LEN + JOURNAL_RECORD_LEN, "\0", 1);
	assert_int_equal(store_open(&conf, &store, fault), 0);
	assert_string_equal(loaded(), "a=1 b=2 ");
}

/* Of a life that was killed. */
static void lose_the_first_segment(char out_path[256])
{
	in_a_life_that_is_killed(live_and_commit);
	store = store_close(store);
	segment_path(1, out_path);
	assert_int_equal(unlink(out_path), 0);
}

static void missing_segment_is_damage(void **state)
{
	char path[256];

	(void)state;
	lose_the_first_segment(path);
	refused_as_damaged();
	assert_non_null(strstr(fault, "missing"));
}

/* Who names a segment as one that was merged long ago has not lost it. */
static void a_refused_start_deletes_nothing(void **state)
{
	char path[256], before[256];

	(void)state;
	in_a_life_that_is_killed(live_and_commit);
	store = store_close(store);
	segment_path(1, path);
	segment_path(0, before);
	assert_int_equal(rename(path, before), 0);
	refused_as_damaged();
	assert_int_equal(rename(before, path), 0);
	assert_int_equal(store_open(&conf, &store, fault), 0);
	assert_string_equal(loaded(), "a=3 ");
}

static void a_store_of_which_only_the_end_is_left_is_damage(void **state)
{
	(void)state;
	store = store_close(store);
	remove_database_and_segments();
	refused_as_damaged();
	assert_non_null(strstr(fault, "state.mdb is missing"));
}

static void a_segment_that_is_no_file_is_not_waited_for(void **state)
{
	char path[256];

	(void)state;
	lose_the_first_segment(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(store_open(&conf, &store, fault), -EINVAL);
	assert_non_null(strstr(fault, "journal"));
}

static void until_beside(int rc)
{
	int i;

	for (i = 0; i < 6000 && store_error_beside(store) != rc; i++)
		(void)poll(NULL, 0, 10);
	assert_int_equal(store_error_beside(store), rc);
}

/* A start would not find what is written to them. */
static void what_other_hands_take_away_is_missed(void **state)
{
	static const char *const names[] = { "state.mdb", "lock", "." };
	char path[256], aside[300];
	size_t i;

	(void)state;
	conf.sync_interval_ms = 10;
	assert_int_equal(reopen(), 0);
	(void)loaded();
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		path_in(names[i], path);
		if (strcmp(names[i], ".") == 0)
			(void)snprintf(path, sizeof(path), "%s", directory);
		(void)snprintf(aside, sizeof(aside), "%s.aside", path);
		assert_int_equal(rename(path, aside), 0);
		until_beside(-ENOENT);
		put("a", "1");
		assert_int_equal(store_commit(store), -ENOENT);
		assert_int_equal(rename(aside, path), 0);
		until_beside(0);
		assert_int_equal(store_commit(store), 0);
	}
}

static void fill_database(void)
{
	conf.segment_size = 1 << 16;
	assert_int_equal(reopen(), 0);
	live_long();
	wait_until_all_is_merged();
	store = store_close(store);
}

static void database_cut_short_is_refused(void **state)
{
	char path[256];
	off_t size;
	int i;

	(void)state;
	fill_database();
	path_in("state.mdb", path);
	size = size_of(path);
	assert_true(size > 100000);
	for (i = 7; i >= 0; i--) {
		assert_int_equal(truncate(path, size / 8 * i), 0);
		refused_as_damaged();
		assert_int_equal(size_of(path), size / 8 * i); /* never emptied, never made anew */
	}
	assert_int_equal(unlink(path), 0);
	refused_as_damaged();
	assert_int_not_equal(access(path, F_OK), 0);
}

static void refused_as_newer(void)
{
	assert_int_equal(store_open(&conf, &store, fault), ERR_UNSUPPORTED);
	assert_non_null(strstr(fault, "newer version"));
	assert_non_null(strstr(fault, "run that version, or move the directory away"));
	store = NULL;
}

static void put_u32(uint8_t *at, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(n >> (24 - 8 * i));
}

/* The record that says whose it is: layout, ..., "ihad", checksum; every copy of it. */
static size_t make_newer(uint8_t *data, size_t len, uint8_t layout)
{
	static const uint8_t key[] = "\0store", name[] = { 4, 'i', 'h', 'a', 'd' };
	const size_t head = 4 + 8 + 4 + 1 + 1 + 4;
	uint8_t *about, *at = data;
	size_t cnt = 0;

	while ((at = memmem(at, len - (size_t)(at - data), name, sizeof(name)))) {
		about = at - head;
		at += sizeof(name);
		if (at + 4 > data + len || memcmp(about, "\0\0\0\1", 4) != 0)
			continue;
		about[3] = layout;
		put_u32(at, crc32c(crc32c(0, key, sizeof(key)), about, head + sizeof(name)));
		cnt++;
	}
	return cnt;
}

static void a_database_of_a_newer_layout_is_refused_with_the_remedy(void **state)
{
	char path[256];
	uint8_t *data;
	off_t size;
	int fd;

	(void)state;
	fill_database();
	path_in("state.mdb", path);
	size = size_of(path);
	data = malloc((size_t)size);
	fd = open(path, O_RDONLY);
	assert_int_equal(pread(fd, data, (size_t)size, 0), size);
	close(fd);
	assert_true(make_newer(data, (size_t)size, 1) >
		    0); /* no change: the test knows its octets */
	spoil(path, 0, (const char *)data, (size_t)size);
	assert_int_equal(reopen(), 0);
	store = store_close(store);
	fd = open(path, O_RDONLY);
	assert_int_equal(pread(fd, data, (size_t)size, 0), size);
	close(fd);
	assert_true(make_newer(data, (size_t)size, 2) > 0);
	spoil(path, 0, (const char *)data, (size_t)size);
	refused_as_newer();
	refused_as_newer(); /* and left as it is */
	assert_int_equal(size_of(path), size);
	free(data);
}

static void a_journal_of_a_newer_layout_is_refused_with_the_remedy(void **state)
{
	uint8_t header[JOURNAL_HEADER_LEN];
	char path[256];
	int fd;

	(void)state;
	in_a_life_that_is_killed_without_a_next(live_and_commit);
	segment_path(1, path);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, header, sizeof(header), 0), sizeof(header));
	close(fd);
	header[11]++; /* behind the magic */
	put_u32(header + sizeof(header) - 4, crc32c(0, header, sizeof(header) - 4));
	spoil(path, 0, (const char *)header, sizeof(header));
	refused_as_newer();
	assert_int_equal(access(path, F_OK), 0);
}

/* Pages in turn: values, branches, the free list. In a free page there may be anything. */
static void damaged_database_never_gives_a_wrong_value(void **state)
{
	static char image[4 << 20], junk[64];
	unsigned int i, refused = 0;
	off_t at, size;
	char path[256];
	size_t cnt;
	int fd, rc;

	(void)state;
	fill_database();
	path_in("state.mdb", path);
	fd = open(path, O_RDWR);
	memset(junk, 0xa5, sizeof(junk));
	for (i = 0; i < 24; i++) {
		size = size_of(path);
		assert_true(size <= (off_t)sizeof(image));
		assert_int_equal(pread(fd, image, (size_t)size, 0), size);
		at = size / 4096 * i / 24 * 4096 + (i % 2 ? 0 : 2048);
		assert_int_equal(pwrite(fd, junk, sizeof(junk), at), sizeof(junk));
		rc = store_open(&conf, &store, fault);
		if (rc == 0) {
			cnt = 0;
			assert_int_equal(store_load(store, count, NULL, &cnt), 0);
			assert_int_equal(cnt, 20000);
			store = store_close(store);
			continue;
		}
		assert_int_equal(rc, ERR_MALFORMED);
		refused++;
		assert_int_equal(pwrite(fd, image, (size_t)size, 0), size);
	}
	close(fd);
	assert_true(refused > 6);
}

static void state_of_another_daemon_is_refused(void **state)
{
	(void)state;
	conf.daemon = "xhad";
	assert_int_equal(reopen(), ERR_INVALID);
	assert_non_null(strstr(fault, "ihad"));
}

static void a_home_agent_that_has_moved_is_told_so_once(void **state)
{
	(void)state;
	assert_int_equal(reopen(), 0);
	assert_false(store_has_moved(store));
	conf.home_agent = addr_from_host(0x0a000003);
	assert_int_equal(reopen(), 0);
	assert_true(store_has_moved(store));
	assert_int_equal(reopen(), 0);
	assert_false(store_has_moved(store));
}

static void store_that_is_open_is_refused_to_others(void **state)
{
	struct store *second = NULL;

	(void)state;
	assert_int_equal(store_open(&conf, &second, fault), -EBUSY);
	assert_null(second);
}

static void directory_that_cannot_be_is_refused(void **state)
{
	struct store *other = NULL;

	(void)state;
	conf.directory = "/proc/no/such";
	assert_true(store_open(&conf, &other, fault) < 0);
	assert_non_null(strstr(fault, "state.directory"));
}

/* Walks by steps of 100; returns how many steps there were, or the error. */
static int walk(size_t *out_cnt)
{
	struct store_walk *w = NULL;
	int rc, steps = 1;

	*out_cnt = 0;
	do {
		store_walk_free(w);
		assert_int_equal(store_walk_begin(store, &w), 0);
		rc = store_walk_gather(w);
	} while (rc == 1); /* the merger was at work */
	while (rc == 0 && (rc = store_walk_some(w, 100, count_only, out_cnt)) > 0) {
		steps++;
		rc = 0;
	}
	w = store_walk_free(w);
	assert_null(w);
	return rc < 0 ? rc : steps;
}

static void walk_by_steps_sees_every_key_once(void **state)
{
	size_t cnt;

	(void)state;
	fill_database();
	assert_int_equal(store_open(&conf, &store, fault), 0);
	(void)loaded();
	assert_true(walk(&cnt) >= 20000 / 101);
	assert_int_equal(cnt, 20000);
}

static void walk_counts_what_the_journal_would_make_of_the_database(void **state)
{
	size_t cnt;

	(void)state;
	fill_database();
	assert_int_equal(store_open(&conf, &store, fault), 0);
	(void)loaded();
	put("k00000", "changed");
	put("k00001", "");
	put("not in the database", "new");
	put("come and gone", "new");
	assert_int_equal(store_commit(store), 0);
	put("come and gone", "");
	assert_int_equal(store_commit(store), 0);
	assert_true(walk(&cnt) > 0);
	assert_int_equal(cnt, 20000);
	put("not committed", "yet");
	assert_true(walk(&cnt) > 0);
	assert_int_equal(cnt, 20000);
	assert_int_equal(store_commit(store), 0);
	assert_true(walk(&cnt) > 0);
	assert_int_equal(cnt, 20001);
}

static void walk_finds_damage_in_the_journal(void **state)
{
	char path[256];
	size_t cnt;
	off_t size;
	int fd;

	(void)state;
	put("one", "value");
	assert_int_equal(store_commit(store), 0);
	put("two", "value");
	assert_int_equal(store_commit(store), 0);
	assert_true(walk(&cnt) > 0);
	assert_int_equal(cnt, 2);
	segment_path(1, path);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	size = lseek(fd, 0, SEEK_END);
	assert_int_equal(pwrite(fd, "!", 1, size - 1), 1);
	assert_int_equal(walk(&cnt), ERR_MALFORMED);
	assert_int_equal(pwrite(fd, "e", 1, size - 1), 1);
	assert_true(walk(&cnt) > 0);
	assert_int_equal(pwrite(fd, "left by a full disk", 19, size), 19);
	assert_true(walk(&cnt) > 0);
	assert_int_equal(cnt, 2);
	close(fd);
}

/* Where LMDB lays things (its data format 1). */
enum {
	PAGE = 4096,
	META_FREE_ROOT = 80, /* on the page of either description */
	META_ROOT = 128,
	META_LAST_PGNO = 136,
	META_TXNID = 144,
	PAGE_FLAGS = 10,
	PAGE_UPPER = 14,
	PAGE_NODES = 16, /* offsets of its nodes */
	NODE_KEY = 8,
	FREE_LIST = NODE_KEY + 8, /* a count, numbers of pages */
	BRANCH = 1,
	LEAF = 2,
	DIRTY = 16,
};

static uint64_t read_at(int fd, off_t at, size_t len)
{
	uint64_t n = 0;

	assert_int_equal(pread(fd, &n, len, at), len);
	return n;
}

/* The description that counts. */
static off_t newer(int fd)
{
	return read_at(fd, META_TXNID, 8) > read_at(fd, PAGE + META_TXNID, 8) ? 0 : PAGE;
}

static off_t root_page(int fd, off_t where)
{
	return (off_t)read_at(fd, newer(fd) + where, 8) * PAGE;
}

static off_t node(int fd, off_t page, off_t i)
{
	return page + (off_t)read_at(fd, page + PAGE_NODES + 2 * i, 2);
}

/* LMDB would follow it out of its memory, or write over what is in use, and the daemon with it. */
static void refused_with(int fd, off_t at, uint64_t wrong, size_t len)
{
	uint64_t right = read_at(fd, at, len);

	assert_true(right != wrong);
	assert_int_equal(pwrite(fd, &wrong, len, at), len);
	refused_as_damaged();
	assert_non_null(strstr(fault, "state.mdb is damaged"));
	assert_int_equal(pwrite(fd, &right, len, at), len);
}

static void what_a_database_says_of_its_pages_is_not_believed(void **state)
{
	off_t root, leaf, list;
	size_t cnt = 0;
	char path[256];
	int fd;

	(void)state;
	fill_database();
	path_in("state.mdb", path);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	root = root_page(fd, META_ROOT);
	assert_int_equal(read_at(fd, root + PAGE_FLAGS, 2), BRANCH);
	leaf = (off_t)read_at(fd, node(fd, root, 0), 4) * PAGE;
	assert_int_equal(read_at(fd, leaf + PAGE_FLAGS, 2), LEAF);

	refused_with(fd, leaf, 3, 8); /* its number */
	refused_with(fd, root, (uint64_t)leaf / PAGE, 8);
	refused_with(fd, leaf + PAGE_FLAGS, LEAF | DIRTY, 2);
	refused_with(fd, leaf + PAGE_UPPER, read_at(fd, leaf + PAGE_UPPER, 2) + 64, 2);
	refused_with(fd, leaf + PAGE_UPPER, 0xffff, 2);
	refused_with(fd, leaf + PAGE_NODES, read_at(fd, leaf + PAGE_NODES + 2, 2), 2);
	refused_with(fd, node(fd, root, 1), (uint64_t)leaf / PAGE, 4); /* one leaf, twice */
	refused_with(fd, node(fd, root, 1) + NODE_KEY, 0xff, 1); /* keys that lead elsewhere */
	refused_with(fd, node(fd, root, 1) + NODE_KEY, 0, 1);
	list = node(fd, root_page(fd, META_FREE_ROOT), 0) + FREE_LIST;
	refused_with(fd, list - FREE_LIST, read_at(fd, list - FREE_LIST, 4) + 1,
		     4);                  /* its length */
	refused_with(fd, list - 8, 0, 8); /* its key: the transaction that freed them */
	refused_with(fd, list - 8, 1 << 20, 8);
	refused_with(fd, list, 1 << 20, 8);
	refused_with(fd, list + 8, (uint64_t)leaf / PAGE, 8); /* free, and in use */
	refused_with(fd, list + 8, 1 << 20, 8);
	refused_with(fd, newer(fd) + META_LAST_PGNO, (uint64_t)leaf / PAGE, 8);
	refused_with(fd, newer(fd) + META_LAST_PGNO, 1ull << 36, 8);
	refused_with(fd, newer(fd) + META_LAST_PGNO, UINT64_MAX, 8);
	refused_with(fd, newer(fd) + META_TXNID, UINT64_MAX, 8);
	close(fd);
	assert_int_equal(store_open(&conf, &store, fault), 0);
	assert_int_equal(store_load(store, count, NULL, &cnt), 0);
	assert_int_equal(cnt, 20000);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, make_store, drop_store)
	const struct CMUnitTest tests[] = {
		TEST(new_store_is_empty),
		TEST(committed_values_are_there_after_an_orderly_end),
		TEST(killed_process_loses_nothing_committed_and_leaves_nothing_else),
		TEST(after_a_power_cut_answers_may_be_missing),
		TEST(after_a_power_cut_nothing_is_missing_if_commits_wait_for_the_disk),
		TEST(last_change_of_a_key_counts_across_segments_and_database),
		TEST(a_full_segment_is_merged_and_deleted),
		TEST(many_changes_come_back_once_each),
		TEST(a_torn_last_record_is_cut_off_after_a_power_cut),
		TEST(after_a_power_cut_nothing_behind_what_is_lost_is_taken),
		TEST(a_journal_that_is_cut_short_in_the_same_boot_is_damage),
		TEST(a_journal_that_is_cut_short_after_an_orderly_end_is_damage),
		TEST(what_a_killed_process_was_writing_is_cut_off),
		TEST(a_store_of_a_version_that_noted_no_end_is_opened),
		TEST(a_journal_whose_end_nobody_knows_may_lack_something),
		TEST(nothing_is_committed_while_what_was_cannot_be_kept),
		TEST(a_record_that_the_disk_had_is_damage_when_it_is_bad),
		TEST(missing_segment_is_damage),
		TEST(a_refused_start_deletes_nothing),
		TEST(a_store_of_which_only_the_end_is_left_is_damage),
		TEST(a_segment_that_is_no_file_is_not_waited_for),
		TEST(what_other_hands_take_away_is_missed),
		TEST(database_cut_short_is_refused),
		TEST(a_database_of_a_newer_layout_is_refused_with_the_remedy),
		TEST(a_journal_of_a_newer_layout_is_refused_with_the_remedy),
		TEST(damaged_database_never_gives_a_wrong_value),
		TEST(what_a_database_says_of_its_pages_is_not_believed),
		TEST(state_of_another_daemon_is_refused),
		TEST(a_home_agent_that_has_moved_is_told_so_once),
		TEST(store_that_is_open_is_refused_to_others),
		TEST(directory_that_cannot_be_is_refused),
		TEST(a_database_that_was_loaded_is_no_longer_in_our_memory),
		TEST(whoever_loads_is_told_of_the_end_once_unless_it_ended_the_walk),
		TEST(walk_by_steps_sees_every_key_once),
		TEST(walk_counts_what_the_journal_would_make_of_the_database),
		TEST(walk_finds_damage_in_the_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

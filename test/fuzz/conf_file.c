/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file lies in memory (memfd) and is read by its name under /proc, as any other: fuzz_conf.c
 * and fuzz_nodes.c write it anew for each input.
 */
#include "test/fuzz/conf_file.h"

#include "common/err.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHOW_STEPS_MAX 100000

static int fd = -1;
static char path[64];

void conf_file_open(void)
{
	fd = memfd_create("conf", MFD_CLOEXEC);
	FUZZ_CHECK(fd >= 0 && fchmod(fd, 0600) == 0);
	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), fd);
}

const char *conf_file_path(void)
{
	return path;
}

void conf_file_write(const void *data, size_t size)
{
	FUZZ_CHECK(ftruncate(fd, 0) == 0);
	FUZZ_CHECK(size == 0 || pwrite(fd, data, size, 0) == (ssize_t)size);
}

void conf_file_check_faults(const struct conf_faults *faults, int err, bool has_conf)
{
	const struct conf_fault *fault;
	char *printed = NULL;
	size_t i, len;
	FILE *out;

	FUZZ_CHECK(err == 0 || err == ERR_CONFIG);
	FUZZ_CHECK((err == 0) == has_conf && (err == 0) == !conf_faults_any(faults));
	FUZZ_CHECK(faults->cnt <= CONF_FAULTS_MAX);
	for (i = 0; i < faults->cnt; i++) {
		fault = &faults->list[i];
		FUZZ_CHECK(fault->at.line >= 1 && fault->at.column >= 1);
		FUZZ_CHECK(fault->text && fault->text[0]);
	}
	out = open_memstream(&printed, &len);
	FUZZ_CHECK(out);
	conf_faults_print(faults, out);
	FUZZ_CHECK(fclose(out) == 0 && printed);
	for (i = 0; i < len; i++) /* a terminal is not to be written to by a file */
		FUZZ_CHECK(printed[i] == '\n' || (unsigned char)printed[i] >= ' ');
	free(printed);
}

static void show(void *ctx, const char *key, const char *value, const struct conf_key *row)
{
	(void)ctx;
	FUZZ_CHECK(key && row);
	FUZZ_CHECK(row->type != CONF_KEY || !value || strncmp(value, "(hidden", 7) == 0);
}

void conf_file_check_shown(const struct conf_section *section)
{
	struct conf_cursor at = { 0 };
	unsigned int steps = 0;

	while (conf_show_next(section, "", &at, show, NULL))
		FUZZ_CHECK(++steps < SHOW_STEPS_MAX);
}

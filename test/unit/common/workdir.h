/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * A directory of a test program's own, to be in: its files then have short names in the faults.
 * Include after cmocka.h.
 */
#ifndef TEST_UNIT_COMMON_WORKDIR_H
#define TEST_UNIT_COMMON_WORKDIR_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char workdir[] = "/tmp/home-agent-test.XXXXXX";

static int workdir_setup(void **state)
{
	(void)state;
	return mkdtemp(workdir) && chdir(workdir) == 0 ? 0 : -1;
}

/** Takes away the files "f" and "nodes", if they are there, and the directory. */
static int workdir_teardown(void **state)
{
	(void)state;
	(void)unlink("f");
	(void)unlink("nodes");
	return chdir("/") == 0 && rmdir(workdir) == 0 ? 0 : -1;
}

static inline void workdir_write(const char *name, const void *data, size_t len, mode_t mode)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(name, mode), 0);
}

#endif

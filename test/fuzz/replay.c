/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stands in for libFuzzer in ordinary builds: runs a target once for each file given, and for each
 * in the directories given. That is how corpora are tests of every build.
 */
#include "test/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

/* A target may have none. */
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static size_t run_cnt;

static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = fuzz_copy(data, size);

	FUZZ_CHECK(LLVMFuzzerTestOneInput(copy, size) == 0);
	free(copy);
	run_cnt++;
}

static void replay_file(const char *path, size_t size)
{
	FILE *f = fopen(path, "re");
	uint8_t *data;

	if (!f) {
		perror(path);
		exit(1);
	}
	data = malloc(size + 1);
	if (!data || fread(data, 1, size, f) != size) {
		(void)fprintf(stderr, "%s: cannot be read\n", path);
		exit(1);
	}
	(void)fclose(f);
	run(data, size);
	free(data);
}

static void replay(const char *path)
{
	struct dirent **entries;
	struct stat st;
	char name[4096];
	int cnt, i;

	if (stat(path, &st) < 0) {
		perror(path);
		exit(1);
	}
	if (!S_ISDIR(st.st_mode)) {
		replay_file(path, (size_t)st.st_size);
		return;
	}
	cnt = scandir(path, &entries, NULL, alphasort);
	for (i = 0; i < cnt; i++) {
		if (entries[i]->d_name[0] != '.') {
			(void)snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
			replay(name);
		}
		free(entries[i]);
	}
	if (cnt >= 0)
		free(entries);
}

int main(int argc, char **argv)
{
	int i;

	if (LLVMFuzzerInitialize)
		(void)LLVMFuzzerInitialize(&argc, &argv);
	for (i = 1; i < argc; i++)
		if (argv[i][0] != '-') /* libFuzzer's options */
			replay(argv[i]);
	printf("%zu inputs\n", run_cnt);
	return run_cnt > 0 ? 0 : 1;
}

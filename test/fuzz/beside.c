/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store.c has a child look through the database, which may crash, and two threads. To a fuzzer with
 * some ten megabytes of memory and two turns of the scheduler for each of them that is most of what
 * an input costs. Linked in by --wrap, this makes do with less and leaves what they do as it is:
 *
 *  - A process that was forked before the fuzzer grew stands in fork(), in store.c, and forks a
 *    child of its own for each word on a pipe. The child goes on from there, as a child of the
 *    fuzzer's would: it is told nothing but a path, which is the same each time. waitpid() takes
 *    the child's status from another pipe. Of a file that one has looked through already no other
 *    is asked.
 *  - A thread is run where it is waited for. The store's have been told to stop by then, and do
 *    what they do at the end.
 *  - Memory that was freed, and pages that were read, stay with the fuzzer: the next input wants
 *    them.
 */
#include "test/fuzz/beside.h"

#include "common/thread.h"
#include "test/fuzz/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD 1 /* who is waited for, there being one at a time; nobody's number */

#define THREADS_MAX 2

static struct {
	void *(*run)(void *arg);
	void *arg;
} threads[THREADS_MAX];
static size_t thread_cnt;

static int asked = -1, told = -1; /* pipes, of either end */
static bool is_forker;

/* What children said of files: a place for each hash, whose last one stays. */
#define WORDS (1 << 16)
#define CHUNK 65536

static struct word {
	uint64_t hash;
	int status;
	bool is_known;
} words[WORDS], *word; /* the one that is waited for */
static const char *looked_through;

pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __real_waitpid(pid_t pid, int *out_status, int options);
pid_t __wrap_waitpid(pid_t pid, int *out_status, int options);
int __wrap_thread_start(pthread_t *ret_thread, void *(*run)(void *arg), void *arg);
int __real_pthread_join(pthread_t thread, void **out_value);
int __wrap_pthread_join(pthread_t thread, void **out_value);
void __wrap_thread_give_way(void);
int __wrap_malloc_trim(size_t left);
FILE *__real_fopen64(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode);

/* Comes back in the children only; ends with the fuzzer. */
static pid_t fork_on(void)
{
	int status = 0;
	char ask;
	pid_t pid;

	FUZZ_CHECK(write(told, &status, sizeof(status)) == sizeof(status)); /* here it is */
	while (read(asked, &ask, 1) == 1) {
		pid = __real_fork();
		if (pid == 0)
			return 0;
		FUZZ_CHECK(pid > 0 && __real_waitpid(pid, &status, 0) == pid);
		FUZZ_CHECK(write(told, &status, sizeof(status)) == sizeof(status));
	}
	_exit(0);
}

static uint64_t hash_of(const char *path)
{
	static uint64_t chunk[CHUNK / sizeof(uint64_t)];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t hash = 0, length = 0;
	ssize_t len, i;

	FUZZ_CHECK(fd >= 0);
	while ((len = read(fd, chunk, sizeof(chunk))) > 0) {
		memset((uint8_t *)chunk + len, 0, (size_t)(-len & 7));
		for (i = 0; i < len; i += 8) {
			hash = (hash ^ chunk[i / 8]) * 0x9e3779b97f4a7c15;
			hash ^= hash >> 29;
		}
		length += (uint64_t)len;
	}
	(void)close(fd);
	return hash ^ length;
}

pid_t __wrap_fork(void)
{
	uint64_t hash;

	if (is_forker)
		return fork_on();
	if (asked < 0)
		return __real_fork();
	hash = hash_of(looked_through);
	word = &words[hash % WORDS];
	if (!word->is_known || word->hash != hash) {
		*word = (struct word){ .hash = hash };
		FUZZ_CHECK(write(asked, "", 1) == 1);
	}
	return CHILD;
}

pid_t __wrap_waitpid(pid_t pid, int *out_status, int options)
{
	ssize_t len;

	if (pid != CHILD)
		return __real_waitpid(pid, out_status, options);
	while (!word->is_known &&
	       (len = read(told, &word->status, sizeof(word->status))) != sizeof(word->status))
		FUZZ_CHECK(len < 0 && errno == EINTR); /* libFuzzer's own alarm */
	word->is_known = true;
	*out_status = word->status;
	return pid;
}

void beside_begin(void (*until_fork)(void), const char *path)
{
	int ask[2], tell[2], status;
	pid_t pid;

	looked_through = path;
	FUZZ_CHECK(pipe(ask) == 0 && pipe(tell) == 0);
	pid = __real_fork();
	FUZZ_CHECK(pid >= 0);
	is_forker = pid == 0;
	asked = ask[is_forker ? 0 : 1];
	told = tell[is_forker ? 1 : 0];
	(void)close(ask[is_forker ? 1 : 0]);
	(void)close(tell[is_forker ? 0 : 1]);
	if (is_forker) {
		until_fork();
		_exit(1); /* it never came to a fork() */
	}
	FUZZ_CHECK(read(told, &status, sizeof(status)) == sizeof(status));
}

int __wrap_thread_start(pthread_t *ret_thread, void *(*run)(void *arg), void *arg)
{
	FUZZ_CHECK(thread_cnt < THREADS_MAX);
	threads[thread_cnt].run = run;
	threads[thread_cnt].arg = arg;
	*ret_thread = ++thread_cnt;
	return 0;
}

int __wrap_pthread_join(pthread_t thread, void **out_value)
{
	if (thread == 0 || thread > thread_cnt)
		return __real_pthread_join(thread, out_value);
	(void)threads[thread - 1].run(threads[thread - 1].arg);
	if (thread == thread_cnt)
		thread_cnt = 0;
	return 0;
}

/* It is the fuzzer itself. */
void __wrap_thread_give_way(void)
{
}

int __wrap_malloc_trim(size_t left)
{
	(void)left;
	return 0;
}

/* It tells the store where its pages are, to be given back. */
FILE *__wrap_fopen64(const char *path, const char *mode)
{
	return strcmp(path, "/proc/self/maps") == 0 ? NULL : __real_fopen64(path, mode);
}

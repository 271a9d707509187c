/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One counter, one plan, and the set of pointers that are ours and alive: a hash of addresses, as
 * what the C library allocates by itself is freed here as well and must not be counted. Only calls
 * from objects that are linked in come by here, which is the point: what fails is what our code
 * asked for, not what printf() wanted.
 */
#include "test/alloc/alloc_fault.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#define LIVE_SLOTS (1u << 20)

void *__real_malloc(size_t size);
void *__real_calloc(size_t cnt, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t cnt, size_t size);
void __real_free(void *p);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t cnt, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t cnt, size_t size);
void __wrap_free(void *p);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t max);
int __wrap_vasprintf(char **ret, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
int __wrap_asprintf(char **ret, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
ssize_t __real_getline(char **line, size_t *size, FILE *from);
ssize_t __wrap_getline(char **line, size_t *size, FILE *from);
ssize_t __real___getdelim(char **line, size_t *size, int end, FILE *from);
ssize_t __wrap___getdelim(char **line, size_t *size, int end, FILE *from);
FILE *__real_fopencookie(void *cookie, const char *mode, cookie_io_functions_t functions);
FILE *__wrap_fopencookie(void *cookie, const char *mode, cookie_io_functions_t functions);

static _Thread_local bool may_fail; /* in a stretch: of this thread, not of its workers */
static struct {
	bool is_over;
	unsigned int first;
	bool lasting;
	struct alloc_fault count;
} plan;

/* Open addressing, linear; 0 is free, GONE was taken. */
static uintptr_t live[LIVE_SLOTS];
static size_t live_cnt, before_main;
static pthread_mutex_t live_lock = PTHREAD_MUTEX_INITIALIZER;
#define GONE ((uintptr_t)1)

static size_t slot_of(uintptr_t p)
{
	return (size_t)((p >> 4) * 0x9e3779b97f4a7c15u >> 44) & (LIVE_SLOTS - 1);
}

static void *born(void *p)
{
	size_t i = slot_of((uintptr_t)p);

	if (!p)
		return NULL;
	pthread_mutex_lock(&live_lock);
	if (live_cnt > LIVE_SLOTS / 2)
		abort();
	while (live[i] > GONE)
		i = (i + 1) & (LIVE_SLOTS - 1);
	live[i] = (uintptr_t)p;
	live_cnt++;
	pthread_mutex_unlock(&live_lock);
	return p;
}

static void gone(const void *p)
{
	size_t i = slot_of((uintptr_t)p);

	if (!p)
		return;
	pthread_mutex_lock(&live_lock);
	for (; live[i]; i = (i + 1) & (LIVE_SLOTS - 1))
		if (live[i] == (uintptr_t)p) {
			live[i] = GONE;
			live_cnt--;
			break;
		}
	pthread_mutex_unlock(&live_lock);
}

static bool fails(void)
{
	if (!may_fail)
		return false;
	plan.count.asked++;
	if (plan.first == 0 || plan.count.asked < plan.first ||
	    (plan.count.asked > plan.first && !plan.lasting))
		return false;
	plan.count.failed++;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : born(__real_malloc(size));
}

void *__wrap_calloc(size_t cnt, size_t size)
{
	return fails() ? NULL : born(__real_calloc(cnt, size));
}

void *__wrap_realloc(void *p, size_t size)
{
	void *more;

	if (fails())
		return NULL;
	gone(p);
	more = __real_realloc(p, size);
	return born(more);
}

void *__wrap_reallocarray(void *p, size_t cnt, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(cnt, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return __wrap_realloc(p, all);
}

void __wrap_free(void *p)
{
	gone(p);
	__real_free(p);
}

char *__wrap_strndup(const char *s, size_t max)
{
	size_t len = strnlen(s, max);
	char *copy = __wrap_malloc(len + 1);

	if (copy) {
		memcpy(copy, s, len);
		copy[len] = '\0';
	}
	return copy;
}

char *__wrap_strdup(const char *s)
{
	return __wrap_strndup(s, strlen(s));
}

int __wrap_vasprintf(char **ret, const char *fmt, va_list ap)
{
	va_list again;
	int len;

	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	*ret = len < 0 ? NULL : __wrap_malloc((size_t)len + 1);
	return *ret ? vsnprintf(*ret, (size_t)len + 1, fmt, ap) : -1;
}

int __wrap_asprintf(char **ret, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = __wrap_vasprintf(ret, fmt, ap);
	va_end(ap);
	return len;
}

/* --- what the C library allocates for us: it can fail, and is the library's to count --- */

ssize_t __wrap_getline(char **line, size_t *size, FILE *from)
{
	return fails() ? -1 : __real_getline(line, size, from);
}

/* What getline() is where the compiler optimizes. */
ssize_t __wrap___getdelim(char **line, size_t *size, int end, FILE *from)
{
	return fails() ? -1 : __real___getdelim(line, size, end, from);
}

FILE *__wrap_fopencookie(void *cookie, const char *mode, cookie_io_functions_t functions)
{
	return fails() ? NULL : __real_fopencookie(cookie, mode, functions);
}

/* --- OpenSSL: fails with ours, is not counted among what lives --- */

static void *openssl_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return fails() ? NULL : __real_malloc(size);
}

static void *openssl_realloc(void *p, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return fails() ? NULL : __real_realloc(p, size);
}

static void openssl_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	__real_free(p);
}

bool alloc_fault_with_openssl(void)
{
	return CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) == 1;
}

/* --- for tests --- */

void alloc_fault_begin(void)
{
	before_main = live_cnt;
}

void alloc_fault_plan(unsigned int first, bool lasting)
{
	plan.first = first;
	plan.lasting = lasting;
	plan.is_over = false;
	plan.count = (struct alloc_fault){ 0 };
}

void alloc_fault_stretch(bool begins)
{
	may_fail = begins && !plan.is_over;
}

void alloc_fault_over(void)
{
	may_fail = false;
	plan.is_over = true;
}

struct alloc_fault alloc_fault_count(void)
{
	return plan.count;
}

size_t alloc_fault_live(void)
{
	return live_cnt - before_main;
}

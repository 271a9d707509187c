/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For targets that make an engine for each input: it is the same one each time, and costs little.
 *
 * Seeds of hash tables come from getrandom(); the linker's --wrap brings that here. What an engine
 * had stays with the program: glibc would give it back to the kernel, and the next one's tables
 * would come page by page again.
 */
#include "test/fuzz/again.h"

#include <malloc.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>

#define MAPPED_MIN (32 * 1024 * 1024)
#define KEPT_MAX   (64 * 1024 * 1024)

ssize_t __wrap_getrandom(void *data, size_t len, unsigned int flags);

ssize_t __wrap_getrandom(void *data, size_t len, unsigned int flags)
{
	(void)flags;
	memset(data, 0x5a, len);
	return (ssize_t)len;
}

void again_open(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, MAPPED_MIN);
	(void)mallopt(M_TRIM_THRESHOLD, KEPT_MAX);
}

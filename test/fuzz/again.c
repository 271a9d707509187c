/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For targets that make an engine for each input: an input is heard by the same engine each time,
 * and what that engine has room for but does not use costs nothing.
 *
 * Seeds of hash tables come from getrandom(); the linker's --wrap brings that here. Large tables
 * are mapped when they are made and unmapped when they are gone: glibc, once it has seen one freed,
 * would take the next from its heap and clear all of it.
 */
#include "test/fuzz/again.h"

#include <malloc.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>

#define MAPPED_MIN (256 * 1024)
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

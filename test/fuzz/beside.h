/* SPDX-License-Identifier: BSD-2-Clause */
/** What the store starts beside itself, at less cost than that of a process and two threads. */
#ifndef TEST_FUZZ_BESIDE_H
#define TEST_FUZZ_BESIDE_H

#include <stdbool.h>

/**
 * From here on children are forked by a process that is forked now, while there is little to copy.
 * It does what leads it to a fork(), over and over; its children go on from there.
 * @param until_fork  to be done by it alone, as it will be done by the caller of fork() later: a
 *                    child sees of its own circumstances what it was told here
 * @param path        all that a child's word depends on; kept
 */
void beside_begin(void (*until_fork)(void), const char *path);

#endif

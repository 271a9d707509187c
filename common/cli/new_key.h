/* SPDX-License-Identifier: BSD-2-Clause */
/** "hactl new-key": a security association that nobody can guess. Asks no daemon. */
#ifndef COMMON_CLI_NEW_KEY_H
#define COMMON_CLI_NEW_KEY_H

#include <stdbool.h>
#include <stddef.h>

/**
 * Prints a line of the mobile-nodes-file, or JSON. The words are a home address, an NAI or both,
 * and maybe an algorithm, in any order.
 * @return an exit code; what is wrong with the words is told on stderr
 */
int new_key(char *const *words, size_t word_cnt, bool json);

#endif

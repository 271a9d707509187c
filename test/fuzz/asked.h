/* SPDX-License-Identifier: BSD-2-Clause */
/** A home agent behind its control socket, for targets that ask it. */
#ifndef TEST_FUZZ_ASKED_H
#define TEST_FUZZ_ASKED_H

#include "ha-core/engine/engine.h"
#include "test/fuzz/fuzz.h"

/** Opens it, its store in memory (tmpfs). What it cannot have ends the program. */
void asked_open(void);

/**
 * Sends octets, as a client that then says no more, and takes the answer to its end. The answer is
 * checked: it is whole, its rows have the columns that its head promises, and no key is in it.
 * @return the answer, terminated; valid until the next
 */
const char *asked(const uint8_t *octets, size_t len);

struct engine *asked_engine(void);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * A fuzz target: one function over octets from outside, which ends the program if a promise is
 * broken. The same file is a libFuzzer target (cmake -DFUZZ=ON, clang), an AFL++ one (its compiler
 * knows the same entry point), and in every build a test that replays its corpus (replay.c).
 */
#ifndef TEST_FUZZ_FUZZ_H
#define TEST_FUZZ_FUZZ_H

#include "ha-core/wire/wire.h"

#include <stdio.h>
#include <stdlib.h>

/** Exit code of a target that this host gives no room to, said on stderr. */
#define FUZZ_SKIPPED 77

/** Whatever came in, this holds. Unlike assert() it is there in every build. */
#define FUZZ_CHECK(that)                                                                         \
	do {                                                                                     \
		if (!(that)) {                                                                   \
			(void)fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #that); \
			abort();                                                                 \
		}                                                                                \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/** Optional: before the first input. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
/** Optional: another input out of this one, as long as max_size at most. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
/** libFuzzer's own mutations, for a custom mutator; NULL where there is no libFuzzer. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size) __attribute__((weak));

/** A copy of just its size, so that a read beyond it is seen. To be freed. */
static inline uint8_t *fuzz_copy(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	return copy;
}

#endif

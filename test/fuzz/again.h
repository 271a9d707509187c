/* SPDX-License-Identifier: BSD-2-Clause */
/** Engines made anew for each input, the same each time and cheap. */
#ifndef TEST_FUZZ_AGAIN_H
#define TEST_FUZZ_AGAIN_H

/** Once, before the first input. */
void again_open(void);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Memory that fails when a test says so. The linker sends the calls of our own code here
 * (-Wl,--wrap), and OpenSSL is handed the same functions. Link with alloc_fault() of
 * test/CMakeLists.txt. What fails is of the thread that asked for it.
 */
#ifndef TEST_ALLOC_ALLOC_FAULT_H
#define TEST_ALLOC_ALLOC_FAULT_H

#include <stdbool.h>
#include <stddef.h>

/** What came of the last plan. */
struct alloc_fault {
	unsigned int asked;  /* allocations in the stretches that may fail */
	unsigned int failed; /* of them */
};

/** First in main(): what is allocated by then is a runtime's, as that of llvm-cov. */
void alloc_fault_begin(void);

/** OpenSSL allocates here, too. Before anything else, and before OpenSSL is first used. */
bool alloc_fault_with_openssl(void);

/**
 * From now on allocation number `first` (1: the next) of those in stretches that may fail does,
 * and with `lasting` each one after it. 0: none; they are counted only.
 */
void alloc_fault_plan(unsigned int first, bool lasting);

/** A stretch of code that has to live with failure begins, or ends; not nested. */
void alloc_fault_stretch(bool begins);

/** Nothing fails any more; counts stay as they are. */
void alloc_fault_over(void);

/** Counts since the plan. */
struct alloc_fault alloc_fault_count(void);

/** Our own allocations that nobody has freed; OpenSSL keeps its own for the life of the process. */
size_t alloc_fault_live(void);

#endif

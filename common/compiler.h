/* SPDX-License-Identifier: BSD-2-Clause */
/** What compilers can be told. */
#ifndef COMMON_COMPILER_H
#define COMMON_COMPILER_H

/**
 * A variable that the build does not zero (cmake/hardening.cmake): a large one, on the way of each
 * request, of which just what was written is read.
 */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define UNINITIALIZED __attribute__((uninitialized))
#endif
#endif
#ifndef UNINITIALIZED
#define UNINITIALIZED
#endif

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/** SANITIZED is defined in a build with AddressSanitizer, by gcc's word for it or by clang's. */
#ifndef COMMON_SANITIZED_H
#define COMMON_SANITIZED_H

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#endif

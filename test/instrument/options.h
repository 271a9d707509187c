/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Values on a command line. Each returns whether the text was a good one; *ret is written only
 * then.
 */
#ifndef TEST_INSTRUMENT_OPTIONS_H
#define TEST_INSTRUMENT_OPTIONS_H

#include "common/addr.h"
#include "ha-core/auth/mac.h"

bool options_u32(const char *text, uint32_t min, uint32_t max, uint32_t *ret);

/** Seconds, up to a day, with a fraction if wanted. */
bool options_seconds(const char *text, uint32_t *ret_ms);

bool options_choice(const char *text, const char *const *names, size_t cnt, size_t *ret);
bool options_algorithm(const char *text, enum mac_algorithm *ret);

/** Hexadecimal. @param key  MAC_KEY_MAX octets; may be written to even on failure */
bool options_key(const char *text, uint8_t *key, size_t *ret_len);

bool options_unicast(const char *text, struct in_addr *ret);

#endif

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

/** A program's command line: long options with values, --help, --version and nothing else. */
struct options_program {
	const char *name;
	const char *help;
	const struct option *options; /* of getopt.h; 'h' and 'V' among them */
	/** Takes one. False: not a good value; what is_secret() is not repeated on stderr. */
	bool (*take)(void *ctx, int opt, const char *arg);
	bool (*is_secret)(int opt);
	/** After all of them: the option that is missing, as it is written; NULL: none. */
	const char *(*missing)(const void *ctx);
};

/** @return -1 to go on, or the exit code with which to end; what is wrong has been said */
int options_read(const struct options_program *program, void *ctx, int argc, char **argv);

#endif

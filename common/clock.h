/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Time, read once per wake-up and handed down. Pure code takes a struct clock as a parameter, so
 * that tests own the time.
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>

#define CLOCK_NTP_UNIX_OFFSET_S 2208988800u /* 1900-01-01 to 1970-01-01, RFC 5905 figure 4 */

struct clock {
	uint64_t mono_ms; /* CLOCK_MONOTONIC: lifetimes, intervals */
	uint64_t ntp;     /* wall clock, NTP 32.32 seconds since 1900 (modulo 2^32 seconds) */
};

/** Reads both clocks. */
struct clock clock_read(void);

/** CLOCK_MONOTONIC in microseconds: for how long a turn has lasted, and nothing else. */
uint64_t clock_mono_us(void);

/** NTP 32.32 of a Unix time. */
uint64_t clock_ntp_from_unix(int64_t unix_s, uint32_t ns);

/** Signed difference a - b in NTP 32.32; survives the wrap of 2036. */
static inline int64_t clock_ntp_diff(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b);
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two clocks of a daemon: monotonic milliseconds for lifetimes and intervals, which no
 * administrator's date command disturbs, and the wall clock in the form that Identification
 * fields have (RFC 5944 §5.7.1: NTP timestamps of RFC 5905 §6, 32.32 seconds since 1900). Only
 * loop.c reads them in a daemon; everything else is handed a struct clock. Who works in turns asks
 * how long one has lasted.
 */
#include "common/clock.h"

#include <time.h>

#define NS_PER_S 1000000000u

uint64_t clock_ntp_from_unix(int64_t unix_s, uint32_t ns)
{
	/* Seconds wrap in 2036; so does the Identification, and differences come out right. */
	uint32_t seconds = (uint32_t)((uint64_t)unix_s + CLOCK_NTP_UNIX_OFFSET_S);
	uint64_t fraction = ((uint64_t)ns << 32) / NS_PER_S;

	return (uint64_t)seconds << 32 | fraction;
}

struct clock clock_read(void)
{
	struct timespec mono, wall;

	/* Neither can fail: both clocks exist in every Linux. */
	(void)clock_gettime(CLOCK_MONOTONIC, &mono);
	(void)clock_gettime(CLOCK_REALTIME, &wall);
	return (struct clock){
		.mono_ms = (uint64_t)mono.tv_sec * 1000 + (uint64_t)mono.tv_nsec / 1000000,
		.ntp = clock_ntp_from_unix(wall.tv_sec, (uint32_t)wall.tv_nsec),
	};
}

uint64_t clock_mono_us(void)
{
	struct timespec mono;

	(void)clock_gettime(CLOCK_MONOTONIC, &mono);
	return (uint64_t)mono.tv_sec * 1000000 + (uint64_t)mono.tv_nsec / 1000;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Counters in the OpenMetrics text format, version 1.0.0, for a textfile collector or a scraper.
 * Metrics are home_agent_NAME with the daemon's name as a label.
 */
#ifndef COMMON_CLI_OPENMETRICS_H
#define COMMON_CLI_OPENMETRICS_H

#include <stdio.h>

/** One number that only grows: "requests-received" and its digits. */
void openmetrics_counter(FILE *out, const char *daemon, const char *name, const char *digits);

/** Before the first of several that differ in one label: "interface-drops". */
void openmetrics_counters_head(FILE *out, const char *name);
/** One of them: "interface", "eth0" and its digits. */
void openmetrics_counter_of(FILE *out, const char *daemon, const char *name, const char *label,
			    const char *value, const char *digits);

/** One that comes and goes. */
void openmetrics_gauge(FILE *out, const char *daemon, const char *name, const char *digits);

/** What the daemon is. */
void openmetrics_info(FILE *out, const char *daemon, const char *version);

/** The end, without which a reader takes the text for cut off. */
void openmetrics_end(FILE *out);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * OpenMetrics text (the specification's ABNF, "Text Format"): a family is its TYPE and HELP lines
 * and a sample, or one for each value of a label; the sample of a counter ends in _total, that of
 * an info in _info. Operators' names have dashes where metrics have underscores; nothing else is in
 * them.
 */
#include "common/cli/openmetrics.h"

#define PREFIX "home_agent_"

static void put_name(FILE *out, const char *name)
{
	fputs(PREFIX, out);
	for (; *name; name++)
		fputc(*name == '-' ? '_' : *name, out);
}

/* A label's value escapes three octets. */
static void put_label(FILE *out, const char *name, const char *value)
{
	fprintf(out, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n')
			fputs("\\n", out);
		else if (*value == '"' || *value == '\\')
			fprintf(out, "\\%c", *value);
		else
			fputc(*value, out);
	}
	fputc('"', out);
}

static void put_head(FILE *out, const char *name, const char *type)
{
	fputs("# TYPE ", out);
	put_name(out, name);
	fprintf(out, " %s\n# HELP ", type);
	put_name(out, name);
	fprintf(out, " %s, as hactl shows it\n", name);
}

static void put_sample(FILE *out, const char *daemon, const char *name, const char *suffix,
		       const char *digits)
{
	put_name(out, name);
	fprintf(out, "%s{", suffix);
	put_label(out, "daemon", daemon);
	fprintf(out, "} %s\n", digits);
}

void openmetrics_counter(FILE *out, const char *daemon, const char *name, const char *digits)
{
	put_head(out, name, "counter");
	put_sample(out, daemon, name, "_total", digits);
}

void openmetrics_counters_head(FILE *out, const char *name)
{
	put_head(out, name, "counter");
}

void openmetrics_counter_of(FILE *out, const char *daemon, const char *name, const char *label,
			    const char *value, const char *digits)
{
	put_name(out, name);
	fputs("_total{", out);
	put_label(out, "daemon", daemon);
	fputc(',', out);
	put_label(out, label, value);
	fprintf(out, "} %s\n", digits);
}

void openmetrics_gauge(FILE *out, const char *daemon, const char *name, const char *digits)
{
	put_head(out, name, "gauge");
	put_sample(out, daemon, name, "", digits);
}

void openmetrics_info(FILE *out, const char *daemon, const char *version)
{
	put_head(out, "build", "info");
	fputs(PREFIX "build_info{", out);
	put_label(out, "daemon", daemon);
	fputc(',', out);
	put_label(out, "version", version);
	fputs("} 1\n", out);
}

void openmetrics_end(FILE *out)
{
	fputs("# EOF\n", out);
}

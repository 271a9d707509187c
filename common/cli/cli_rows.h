/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The options of hactl, and the commands that it carries out itself, as rows: its command line, its
 * help, its manual and the shells' completion are all made of them.
 */
#ifndef COMMON_CLI_CLI_ROWS_H
#define COMMON_CLI_CLI_ROWS_H

#include <stddef.h>

struct cli_option {
	const char *name; /* long */
	char letter;
	const char *argument; /* "PATH", "[SECONDS]" for one that may be left out; NULL: none */
	const char *doc;
};

struct cli_command {
	const char *words, *synopsis, *doc; /* as those of struct ctl_command */
};

static const struct cli_option cli_options[] = {
	{ "socket", 's', "PATH", "control socket; by default the one that is there" },
	{ "json", 'j', NULL, "print JSON" },
	{ "filter", 'f', "TEST", "only rows that pass: COLUMN=PATTERN, !=, < or >" },
	{ "sort", 'S', "COLUMN", "in the order of a column; -COLUMN: backwards" },
	{ "watch", 'w', "[SECONDS]", "show it again every 2 seconds, or so many" },
	{ "openmetrics", 'o', NULL, "show counters in the OpenMetrics text format" },
	{ "version", 'V', NULL, "print name and version" },
	{ "help", 'h', NULL, "print this" },
	{ NULL, 0, NULL, NULL },
};

static const struct cli_command cli_commands[] = {
	{ "new-key", "HOME-ADDRESS|NAI [NAI] [ALGORITHM]",
	  "make a random association for the mobile-nodes-file" },
	{ NULL, NULL, NULL },
};

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/** Which rows of an answer are shown, and in what order: hactl --filter and --sort. */
#ifndef COMMON_CLI_FILTER_H
#define COMMON_CLI_FILTER_H

#include "common/ctl.h"

#define FILTER_MAX 8

/** One "COLUMN=PATTERN"; points into the command line. */
struct filter {
	const char *column;
	size_t column_len;
	char op; /* '=', '!' (not equal), '<', '>' */
	const char *pattern;
	size_t index; /* of the column, once bound */
};

/** @retval ERR_INVALID  no operator, or no column before it */
int filter_parse(const char *text, struct filter *ret_filter);

/** Finds a column by name; in capitals too, as headings show it. @retval ERR_NOT_FOUND */
int filter_column(const struct ctl_column *columns, size_t column_cnt, const char *name, size_t len,
		  size_t *ret_index);

/** Does it make sense for a column of this type? A number is above or below a number only. */
bool filter_is_of_type(const struct filter *f, enum ctl_type type);

/** Does the value pass? Patterns are those of a shell; null is written -, a bool yes or no. */
bool filter_passes(const struct filter *f, const struct ctl_column *column,
		   const struct ctl_value *value);

/** Numbers within text count as numbers, so addresses come in order; null is last. */
int filter_compare(const struct ctl_value *a, const struct ctl_value *b);

#endif

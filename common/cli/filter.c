/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of one value: by a shell's pattern, or by order. The order is that of strverscmp(3), which
 * compares numbers within text as numbers: right for counters, addresses and names alike.
 */
#include "common/cli/filter.h"

#include "common/err.h"

#include <fnmatch.h>
#include <string.h>
#include <strings.h>

int filter_parse(const char *text, struct filter *ret_filter)
{
	struct filter f = { .column = text, .column_len = strcspn(text, "=!<>") };
	const char *op = text + f.column_len;

	if (f.column_len == 0 || !*op || (*op == '!' && op[1] != '='))
		return ERR_INVALID;
	f.op = *op;
	f.pattern = op + (*op == '!' ? 2 : 1);
	*ret_filter = f;
	return 0;
}

int filter_column(const struct ctl_column *columns, size_t column_cnt, const char *name, size_t len,
		  size_t *ret_index)
{
	for (size_t i = 0; i < column_cnt; i++) {
		if (strlen(columns[i].name) != len || strncasecmp(columns[i].name, name, len) != 0)
			continue;
		*ret_index = i;
		return 0;
	}
	return ERR_NOT_FOUND;
}

bool filter_is_of_type(const struct filter *f, enum ctl_type type)
{
	return type != CTL_NUMBER || f->op == '=' || f->op == '!' ||
	       (*f->pattern && !f->pattern[strspn(f->pattern, "0123456789")]);
}

/* As a person writes it. */
static const char *words_of(const struct ctl_column *column, const struct ctl_value *value)
{
	if (!value->text)
		return "-";
	if (column->type == CTL_BOOL)
		return *value->text == 't' ? "yes" : "no";
	return value->text;
}

bool filter_passes(const struct filter *f, const struct ctl_column *column,
		   const struct ctl_value *value)
{
	const char *text = words_of(column, value);
	bool matches;

	if (f->op == '<' || f->op == '>') {
		if (!value->text)
			return false;
		return f->op == '<' ? strverscmp(text, f->pattern) < 0
				    : strverscmp(text, f->pattern) > 0;
	}
	matches = fnmatch(f->pattern, text, FNM_CASEFOLD) == 0;
	if (column->type == CTL_BOOL && value->text)
		matches = matches || fnmatch(f->pattern, value->text, FNM_CASEFOLD) == 0;
	return matches == (f->op == '=');
}

int filter_compare(const struct ctl_value *a, const struct ctl_value *b)
{
	if (!a->text || !b->text)
		return (a->text == NULL) - (b->text == NULL);
	return strverscmp(a->text, b->text);
}

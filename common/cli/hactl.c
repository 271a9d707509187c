/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hactl: asks a running daemon over its control socket and shows the answer, to a person or as
 * JSON. It knows shapes (message, record, table) and not one command: "hactl help" lists what the
 * daemon at hand can be asked.
 *
 * A table is held back until it is whole or HELD_ROWS long: rows that are held are put in order
 * and set the widths of the columns; the rest passes as it comes. (--sort holds them all.) On a
 * narrow terminal, columns that the daemon calls details are left out, then others, and a last line
 * says which; a text in the last column is wrapped.
 *
 * Whatever is printed is made harmless first: a terminal obeys control characters, and names come
 * from outside.
 */
#include "common/cli/cli_rows.h"
#include "common/cli/filter.h"
#include "common/cli/new_key.h"
#include "common/cli/openmetrics.h"
#include "common/ctl.h"
#include "common/err.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DIRECTORY      "/run/home-agent"
#define TIMEOUT_MS     10000
#define RELOAD_MS      120000 /* of a million nodes, on a busy host */
#define HELD_ROWS      2000
#define SUM_MAX        16 /* fields of a record that is added up */
#define GAP            2  /* blanks between columns */
#define LEFT_OUT_WIDTH 43 /* columns: of that sentence */
#define WRAP_MIN       16 /* columns: a wrapped text is no narrower */
#define WATCH_S        2
#define WATCH_BUFFER   65536
#define BOLD           "\x1b[1m"
#define PLAIN          "\x1b[m"
#define HOME           "\x1b[?7l\x1b[H" /* top left; a line that is too long is cut */
#define LINE_END       "\x1b[K\n"
#define BELOW          "\x1b[J\x1b[?7h" /* nothing is left of the screen before */

enum exit_code { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_CONNECTION = 3 };

static const char *const default_sockets[] = { DIRECTORY "/ihad.sock", DIRECTORY "/xhad.sock" };

/* A row of a table, or a field of a record. Values point into text, which is owned. */
struct row {
	struct ctl_value values[CTL_COLUMN_MAX];
	struct ctl_column field; /* of a record */
	char *text;
	size_t number; /* as it came: rows that compare equal keep their order */
};

struct table {
	const struct ctl_head *head;
	struct row *rows; /* held */
	size_t row_cnt;
	bool whole;    /* the held rows are all there are */
	bool filtered; /* some rows are not shown */
};

/* What the command line asks for beyond the words. */
static struct {
	bool json, openmetrics, backwards;
	struct filter filters[FILTER_MAX];
	size_t filter_cnt;
	const char *sort;   /* a column's name; NULL: by the first */
	size_t sort_column; /* ... its index, once bound */
	unsigned int watch_s;
	bool is_watching; /* ... and has been answered once */
	size_t line;      /* of standard input that is asked; 0: none */
} view;

/* A record is two columns as well. */
static const struct ctl_column field_columns[] = { { "name", CTL_STRING },
						   { "value", CTL_STRING } };

/* How an answer looks. */
struct writer {
	void (*message)(const char *text);
	void (*record)(const struct table *fields);
	void (*table_begin)(const struct table *t);
	void (*table_row)(const struct table *t, const struct ctl_value *values, bool first);
	void (*table_end)(const struct table *t);
	void (*live_row)(const struct ctl_head *head, const struct ctl_value *values);
};

/* ---- UTF-8 ---- */

/*
 * Length of the well-formed UTF-8 sequence at p, 0 if there is none (RFC 3629 §4); its code point
 * in *out_code.
 */
static size_t utf8_next(const char *text, size_t len, unsigned int *out_code)
{
	static const unsigned int least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)text;
	size_t n = p[0] < 0x80       ? 1
		   : p[0] >> 5 == 6  ? 2
		   : p[0] >> 4 == 14 ? 3
		   : p[0] >> 3 == 30 ? 4
				     : 0;
	unsigned int code;

	*out_code = 0xfffd;
	if (n == 0 || n > len)
		return 0;
	code = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	*out_code = code;
	return n;
}

/*
 * How many octets from here on are printed as they are in every form: nearly all there are, and a
 * million rows are half a gigabyte of them. What stops it is looked at one by one.
 */
static size_t plain_span(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && text[n] >= 0x20 && text[n] < 0x7f && text[n] != '"' && text[n] != '\\')
		n++;
	return n;
}

/* ---- JSON (RFC 8259) ---- */

static void json_string(const char *text, size_t len)
{
	unsigned int code;
	size_t n;

	putchar('"');
	for (size_t i = 0; i < len; i += n ? n : 1) {
		/* Words are short: a call for each costs more than their octets. */
		for (n = plain_span(text + i, len - i); n > 0; n--)
			putchar_unlocked(text[i++]);
		if (i == len)
			break;
		n = utf8_next(text + i, len - i, &code);
		if (n == 0)
			fputs("\\ufffd", stdout);
		else if (code == '"' || code == '\\')
			printf("\\%c", (int)code);
		else if (code < 0x20 || (code >= 0x7f && code < 0xa0))
			printf("\\u%04x", code);
		else
			fwrite(text + i, 1, n, stdout);
	}
	putchar('"');
}

/* Words of a list, an array: none is no null. */
static void json_list(const struct ctl_value *value)
{
	const char *end = value->text + value->len, *p, *blank;

	putchar('[');
	for (p = value->text; p < end; p = blank + 1) {
		blank = memchr(p, ' ', (size_t)(end - p));
		if (!blank)
			blank = end;
		if (p > value->text)
			fputs(", ", stdout);
		json_string(p, (size_t)(blank - p));
	}
	putchar(']');
}

static void json_pair(const struct ctl_column *column, const struct ctl_value *value)
{
	json_string(column->name, strlen(column->name));
	fputs(": ", stdout);
	if (column->type == CTL_LIST)
		json_list(value);
	else if (!value->text)
		fputs("null", stdout);
	else if (column->type == CTL_STRING)
		json_string(value->text, value->len);
	else
		fputs(value->text, stdout); /* ctl.c has checked digits, true and false */
}

static void json_message(const char *text)
{
	fputs("{\"message\": ", stdout);
	json_string(text, strlen(text));
	fputs("}\n", stdout);
}

static void json_record(const struct table *fields)
{
	for (size_t i = 0; i < fields->row_cnt; i++) {
		fputs(i == 0 ? "{\n  " : ",\n  ", stdout);
		json_pair(&fields->rows[i].field, &fields->rows[i].values[0]);
	}
	fputs(fields->row_cnt > 0 ? "\n}\n" : "{}\n", stdout);
}

static void json_table_begin(const struct table *t)
{
	(void)t;
	putchar('[');
}

static void json_table_row(const struct table *t, const struct ctl_value *values, bool first)
{
	fputs(first ? "\n  {" : ",\n  {", stdout);
	for (size_t i = 0; i < t->head->column_cnt; i++) {
		if (i > 0)
			fputs(", ", stdout);
		json_pair(&t->head->columns[i], &values[i]);
	}
	putchar('}');
}

static void json_table_end(const struct table *t)
{
	fputs(t->row_cnt > 0 ? "\n]\n" : "]\n", stdout);
}

/* One object a line, for programs that read as it comes. */
static void json_live_row(const struct ctl_head *head, const struct ctl_value *values)
{
	for (size_t i = 0; i < head->column_cnt; i++) {
		fputs(i == 0 ? "{" : ", ", stdout);
		json_pair(&head->columns[i], &values[i]);
	}
	fputs("}\n", stdout);
}

static const struct writer json_writer = {
	.live_row = json_live_row,
	.message = json_message,
	.record = json_record,
	.table_begin = json_table_begin,
	.table_row = json_table_row,
	.table_end = json_table_end,
};

/* ---- Text ---- */

/* What a person sees of a table: how wide each column is; 0: left out. */
static size_t widths[CTL_COLUMN_MAX];

/* Prints harmlessly, or only measures if out is NULL. @return columns on the terminal */
static size_t text_put(FILE *out, const char *text, size_t len)
{
	size_t width = 0;
	unsigned int code;
	size_t n;

	for (size_t i = 0; i < len; i += n ? n : 1) {
		n = plain_span(text + i, len - i);
		if (n > 0) {
			if (out)
				fwrite(text + i, 1, n, out);
			width += n;
			continue;
		}
		n = utf8_next(text + i, len - i, &code);
		if (n > 0 && code >= 0x20 && (code < 0x7f || code >= 0xa0)) {
			if (out)
				fwrite(text + i, 1, n, out);
			width++;
			continue;
		}
		n = 1;
		if (out)
			fprintf(out, "\\x%02x", (unsigned char)text[i]);
		width += 4;
	}
	return width;
}

/* The same for a value, in a person's words. */
static size_t text_value(FILE *out, const struct ctl_column *column, const struct ctl_value *value)
{
	const char *word;

	if (value->text && column->type != CTL_BOOL)
		return text_put(out, value->text, value->len);
	word = !value->text ? "-" : *value->text == 't' ? "yes" : "no";
	return text_put(out, word, strlen(word));
}

static void text_cell(const struct ctl_column *column, const struct ctl_value *value, size_t width,
		      bool right, bool last)
{
	size_t used = text_value(NULL, column, value);
	int pad = used < width ? (int)(width - used) : 0;

	if (right)
		printf("%*s", pad, "");
	(void)text_value(stdout, column, value);
	if (last)
		putchar('\n');
	else
		printf("%*s", (right ? 0 : pad) + GAP, "");
}

/* Only on a terminal, and not where somebody wants none (no-color.org). */
static bool has_colours(void)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term &&
	       strcmp(term, "dumb") != 0;
}

/* A text in lines of this width, at blanks; all but the first are indented so that they align. */
static void text_wrapped(const struct ctl_value *value, size_t width, size_t indent)
{
	const char *p = value->text, *end = value->text + value->len;
	size_t len;

	while ((size_t)(end - p) > width) {
		for (len = width; len > 0 && p[len] != ' '; len--)
			;
		if (len == 0)
			len = width;
		(void)text_put(stdout, p, len);
		printf("\n%*s", (int)indent, "");
		p += len;
		p += *p == ' ';
	}
	(void)text_put(stdout, p, (size_t)(end - p));
	putchar('\n');
}

static void text_message(const char *text)
{
	(void)text_put(stdout, text, strlen(text));
	putchar('\n');
}

/* Names to the left; numbers to the right if there is nothing else, as in a list of counters. */
static void text_record(const struct table *fields)
{
	size_t name_width = 0, value_width = 0, width;
	bool numbers = true;

	for (size_t i = 0; i < fields->row_cnt; i++) {
		const struct row *f = &fields->rows[i];

		width = text_put(NULL, f->field.name, strlen(f->field.name));
		name_width = width > name_width ? width : name_width;
		width = text_value(NULL, &f->field, &f->values[0]);
		value_width = width > value_width ? width : value_width;
		numbers = numbers && f->field.type == CTL_NUMBER;
	}
	for (size_t i = 0; i < fields->row_cnt; i++) {
		const struct row *f = &fields->rows[i];

		width = text_put(stdout, f->field.name, strlen(f->field.name));
		printf("%*s", (int)(name_width - width) + GAP, "");
		text_cell(&f->field, &f->values[0], value_width, numbers, true);
	}
}

/* Columns of the terminal, or of whoever sets $COLUMNS; 0: without end. */
static size_t screen_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;

	if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
	    size.ws_col > 0)
		return size.ws_col;
	return columns ? strtoul(columns, NULL, 10) : 0;
}

static size_t last_shown(const struct ctl_head *head)
{
	size_t last = 0;

	for (size_t i = 0; i < head->column_cnt; i++)
		if (widths[i] > 0)
			last = i;
	return last;
}

/* What a line can be made narrower by where it ends in a text, which is then wrapped. */
static size_t wrap_slack(const struct ctl_head *head)
{
	size_t last = last_shown(head);

	return head->columns[last].type == CTL_STRING && widths[last] > WRAP_MIN
		       ? widths[last] - WRAP_MIN
		       : 0;
}

/* Leaves a column out. @return the line without it */
static size_t leave_out(size_t i, size_t line)
{
	line -= widths[i] + GAP;
	widths[i] = 0;
	return line;
}

/*
 * Too long still without details: others go, from the right, but for the first, which says whose
 * row it is, and a text at the end, which is wrapped. What has room then comes back.
 */
static size_t leave_more_out(const struct ctl_head *head, size_t line, size_t screen)
{
	const size_t slack = wrap_slack(head), last = last_shown(head);
	size_t all[CTL_COLUMN_MAX];

	memcpy(all, widths, sizeof(all));
	for (size_t i = slack > 0 ? last : last + 1; line > screen + slack && i-- > 1;)
		if (widths[i] > 0)
			line = leave_out(i, line);
	for (size_t i = 1; i <= last; i++) {
		if (widths[i] == 0 && all[i] > 0 && line + all[i] + GAP <= screen + slack) {
			widths[i] = all[i];
			line += all[i] + GAP;
		}
	}
	return line;
}

/* Leaves details out, the last first, until a line fits; where that is not enough, others. */
static void fit_widths(const struct ctl_head *head)
{
	size_t screen = screen_width();
	size_t line = 0, slack;

	for (size_t i = 0; i < head->column_cnt; i++)
		line += widths[i] + (i > 0 ? GAP : 0);
	for (size_t i = head->column_cnt; screen > 0 && line > screen && i-- > 0;)
		if (head->columns[i].detail)
			line = leave_out(i, line);
	if (screen == 0 || line <= screen)
		return;
	line = leave_more_out(head, line, screen);
	slack = wrap_slack(head);
	if (line > screen && slack > 0)
		widths[last_shown(head)] -= line - screen < slack ? line - screen : slack;
}

static void text_table_begin(const struct table *t)
{
	static const struct ctl_column heading = { .type = CTL_STRING };
	const struct ctl_head *head = t->head;
	char name[64];
	size_t i, k;

	if (t->row_cnt == 0) {
		text_message(t->filtered ? "none: no row passes the filter" : head->text);
		return;
	}
	for (i = 0; i < head->column_cnt; i++) {
		widths[i] = strlen(head->columns[i].name);
		for (k = 0; k < t->row_cnt; k++) {
			size_t width = text_value(NULL, &head->columns[i], &t->rows[k].values[i]);

			widths[i] = width > widths[i] ? width : widths[i];
		}
	}
	fit_widths(head);
	if (has_colours())
		fputs(BOLD, stdout);
	for (i = 0; i < head->column_cnt; i++) {
		for (k = 0; k < sizeof(name) - 1 && head->columns[i].name[k]; k++)
			name[k] = (char)toupper((unsigned char)head->columns[i].name[k]);
		name[k] = '\0';
		if (widths[i] > 0)
			text_cell(&heading, &(struct ctl_value){ name, k }, widths[i],
				  head->columns[i].type == CTL_NUMBER, i == last_shown(head));
	}
	if (has_colours())
		fputs(PLAIN, stdout);
}

static void text_table_row(const struct table *t, const struct ctl_value *values, bool first)
{
	const struct ctl_column *columns = t->head->columns;
	size_t last = last_shown(t->head);
	size_t indent = 0;

	(void)first;
	for (size_t i = 0; i <= last; i++) {
		if (i == last && columns[i].type == CTL_STRING && values[i].text &&
		    text_value(NULL, &columns[i], &values[i]) > widths[i] && t->whole)
			text_wrapped(&values[i], widths[i], indent);
		else if (widths[i] > 0)
			text_cell(&columns[i], &values[i], widths[i], columns[i].type == CTL_NUMBER,
				  i == last);
		indent += widths[i] > 0 ? widths[i] + GAP : 0;
	}
}

/* What was left out, in lines that fit. */
static void text_table_end(const struct table *t)
{
	size_t screen = screen_width();
	size_t used = 0, len;

	for (size_t i = 0; t->row_cnt > 0 && i < t->head->column_cnt; i++) {
		if (widths[i] > 0)
			continue;
		if (used == 0)
			puts(screen < LEFT_OUT_WIDTH
				     ? "Left out; --json shows:"
				     : "Left out; a wider terminal or --json shows:");
		len = 2 + strlen(t->head->columns[i].name);
		if (used > 0 && used + len > screen) {
			putchar('\n');
			used = 0;
		}
		used += len;
		printf("  %s", t->head->columns[i].name);
	}
	if (used > 0)
		putchar('\n');
}

/* A line, and below it, indented, those of a text that has some. Details are for JSON. */
static void text_live_row(const struct ctl_head *head, const struct ctl_value *values)
{
	const char *text, *end, *newline;
	const char *gap = "";

	for (size_t i = 0; i < head->column_cnt; i++) {
		if (head->columns[i].detail || !values[i].text)
			continue;
		if (!memchr(values[i].text, '\n', values[i].len)) {
			fputs(gap, stdout);
			(void)text_value(stdout, &head->columns[i], &values[i]);
			gap = "  ";
			continue;
		}
		end = values[i].text + values[i].len;
		for (text = values[i].text; text < end; text = newline + 1) {
			newline = memchr(text, '\n', (size_t)(end - text));
			if (!newline)
				newline = end;
			fputs("\n    ", stdout);
			(void)text_put(stdout, text, (size_t)(newline - text));
		}
	}
	putchar('\n');
}

static const struct writer text_writer = {
	.live_row = text_live_row,
	.message = text_message,
	.record = text_record,
	.table_begin = text_table_begin,
	.table_row = text_table_row,
	.table_end = text_table_end,
};

/* ---- The answer ---- */

/* Copies a row that was received, so that the next may come. */
static int row_keep(struct row *row, const struct ctl_head *head, const struct ctl_value *values,
		    const struct ctl_column *field)
{
	size_t cnt = head->shape == CTL_RECORD ? 1 : head->column_cnt;
	size_t size = head->shape == CTL_RECORD ? strlen(field->name) + 1 : 0;
	char *at;

	for (size_t i = 0; i < cnt; i++)
		size += values[i].len + 1;
	assert(size > 0);
	at = row->text = malloc(size);
	if (!at)
		return -ENOMEM;
	for (size_t i = 0; i < cnt; i++) {
		row->values[i] = values[i];
		if (!values[i].text)
			continue;
		row->values[i].text = memcpy(at, values[i].text, values[i].len + 1);
		at += values[i].len + 1;
	}
	if (head->shape == CTL_RECORD) {
		row->field = *field;
		row->field.name = strcpy(at, field->name);
	}
	return 0;
}

/* A column by its number; of a field, 0 is its name. */
static struct ctl_value column_value(const struct ctl_head *head, const struct ctl_value *values,
				     const struct ctl_column *field, size_t i)
{
	if (head->shape != CTL_RECORD)
		return values[i];
	return i == 0 ? (struct ctl_value){ field->name, strlen(field->name) } : values[0];
}

static bool is_wanted(const struct ctl_head *head, const struct ctl_value *values,
		      const struct ctl_column *field)
{
	const struct ctl_column *column;
	struct ctl_value value;

	for (size_t i = 0; i < view.filter_cnt; i++) {
		value = column_value(head, values, field, view.filters[i].index);
		column = head->shape != CTL_RECORD    ? &head->columns[view.filters[i].index]
			 : view.filters[i].index == 0 ? &field_columns[0]
						      : field;
		if (!filter_passes(&view.filters[i], column, &value))
			return false;
	}
	return true;
}

/* Room for one row more: --sort holds as many as there are. */
static int grow_rows(struct table *t, size_t *room)
{
	struct row *rows;

	if (t->row_cnt < *room)
		return 0;
	rows = reallocarray(t->rows, *room, 2 * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	memset(rows + *room, 0, *room * sizeof(*rows));
	t->rows = rows;
	*room *= 2;
	return 0;
}

/* Receives rows until the answer is whole or HELD_ROWS are held. */
static int hold_rows(struct ctl_client *c, struct table *t)
{
	struct ctl_value values[CTL_COLUMN_MAX];
	struct ctl_column field;
	size_t room = HELD_ROWS;
	int rc;

	while (t->row_cnt < HELD_ROWS || view.sort) {
		rc = ctl_client_row(c, values, &field);
		if (rc <= 0) {
			t->whole = rc == 0;
			return rc;
		}
		if (!is_wanted(t->head, values, &field)) {
			t->filtered = true;
			continue;
		}
		rc = grow_rows(t, &room);
		if (rc < 0)
			return rc;
		rc = row_keep(&t->rows[t->row_cnt], t->head, values, &field);
		if (rc < 0)
			return rc;
		t->rows[t->row_cnt].number = t->row_cnt;
		t->row_cnt++;
	}
	return 0;
}

/* By the first column, or the one asked for. */
static int row_compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int order = filter_compare(&x->values[view.sort_column], &y->values[view.sort_column]);

	if (view.backwards)
		order = -order;
	return order ? order : (x->number > y->number) - (x->number < y->number);
}

static int show_table(struct ctl_client *c, struct table *t, const struct writer *w)
{
	struct ctl_value values[CTL_COLUMN_MAX];
	int rc = 0;

	if (t->whole)
		qsort(t->rows, t->row_cnt, sizeof(*t->rows), row_compare);
	w->table_begin(t);
	for (size_t i = 0; i < t->row_cnt; i++)
		w->table_row(t, t->rows[i].values, i == 0);
	if (!t->whole)
		while (!ferror(stdout) && (rc = ctl_client_row(c, values, NULL)) > 0)
			if (is_wanted(t->head, values, NULL))
				w->table_row(t, values, false);
	if (rc == 0 && !ferror(stdout))
		w->table_end(t);
	return rc < 0 ? rc : 0;
}

static int no_column(const struct ctl_column *columns, size_t cnt, const char *name, size_t len)
{
	fprintf(stderr, "hactl: no column \"%.*s\"; there are:", (int)len, name);
	for (size_t i = 0; i < cnt; i++)
		fprintf(stderr, "%s %s", i > 0 ? "," : "", columns[i].name);
	fputc('\n', stderr);
	return EXIT_USAGE;
}

/* Finds the columns that --filter and --sort name. 0, or an exit code after saying why. */
static int bind_columns(const struct ctl_head *head)
{
	bool record = head->shape == CTL_RECORD;
	const struct ctl_column *columns = record ? field_columns : head->columns;
	size_t cnt = record ? 2 : head->column_cnt;
	struct filter *f;

	for (f = view.filters; f < view.filters + view.filter_cnt; f++) {
		if (filter_column(columns, cnt, f->column, f->column_len, &f->index) < 0)
			return no_column(columns, cnt, f->column, f->column_len);
		if (!filter_is_of_type(f, columns[f->index].type)) {
			fprintf(stderr, "hactl: %s is a number, and \"%s\" is none\n",
				columns[f->index].name, f->pattern);
			return EXIT_USAGE;
		}
	}
	view.sort_column = 0;
	if (view.sort &&
	    filter_column(columns, cnt, view.sort, strlen(view.sort), &view.sort_column) < 0)
		return no_column(columns, cnt, view.sort, strlen(view.sort));
	return 0;
}

/* Fields in the order asked for: of a row that holds one, the value is the only column. */
static void sort_fields(struct table *t)
{
	bool by_name = view.sort_column == 0;

	for (size_t i = 0; i < t->row_cnt && by_name; i++)
		t->rows[i].values[1] =
			(struct ctl_value){ t->rows[i].field.name, strlen(t->rows[i].field.name) };
	view.sort_column = by_name;
	qsort(t->rows, t->row_cnt, sizeof(*t->rows), row_compare);
}

static int show_rows(struct ctl_client *c, const struct ctl_head *head, const struct writer *w)
{
	struct table t = { .head = head };
	int rc = bind_columns(head);

	if (rc != 0)
		return rc;
	t.rows = calloc(HELD_ROWS, sizeof(*t.rows));
	if (!t.rows)
		return -ENOMEM;
	rc = hold_rows(c, &t);
	if (rc == 0 && head->shape == CTL_RECORD && view.sort)
		sort_fields(&t);
	if (rc == 0 && head->shape == CTL_TABLE)
		rc = show_table(c, &t, w);
	else if (rc == 0 && t.whole)
		w->record(&t);
	else if (rc == 0)
		rc = ERR_TOO_MANY; /* fields */
	for (size_t i = 0; i < t.row_cnt; i++)
		free(t.rows[i].text);
	free(t.rows);
	return rc;
}

/* ---- OpenMetrics ---- */

static char daemon_label[64] = "unknown"; /* from "show status", before the counters */

static const char *field_text(const struct table *fields, const char *name)
{
	for (size_t i = 0; i < fields->row_cnt; i++)
		if (strcmp(fields->rows[i].field.name, name) == 0)
			return fields->rows[i].values[0].text;
	return NULL;
}

/* The daemon itself, and what comes and goes in it. */
static void openmetrics_status(const struct table *fields)
{
	static const char *const gauges[] = { "bindings", "mobile-nodes", "uptime" };
	const char *name = field_text(fields, "name");
	const char *version = field_text(fields, "version");
	const char *digits;

	(void)snprintf(daemon_label, sizeof(daemon_label), "%s", name ? name : "unknown");
	openmetrics_info(stdout, daemon_label, version ? version : "unknown");
	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
		digits = field_text(fields, gauges[i]);
		if (digits)
			openmetrics_gauge(stdout, daemon_label, gauges[i], digits);
	}
}

/* "drops-eth0" is one of a family, with the interface as a label: names are anybody's. */
static void openmetrics_data_path(const struct table *fields)
{
	static const char prefix[] = "drops-", family[] = "interface-drops";
	const char *name;

	openmetrics_counters_head(stdout, family);
	for (size_t i = 0; i < fields->row_cnt; i++) {
		name = fields->rows[i].field.name;
		if (strncmp(name, prefix, strlen(prefix)) == 0 && fields->rows[i].values[0].text)
			openmetrics_counter_of(stdout, daemon_label, family, "interface",
					       name + strlen(prefix),
					       fields->rows[i].values[0].text);
	}
}

static void openmetrics_counters(const struct table *fields)
{
	for (size_t i = 0; i < fields->row_cnt; i++)
		if (fields->rows[i].field.type == CTL_NUMBER && fields->rows[i].values[0].text)
			openmetrics_counter(stdout, daemon_label, fields->rows[i].field.name,
					    fields->rows[i].values[0].text);
	openmetrics_end(stdout);
}

static const struct writer openmetrics_status_writer = { .record = openmetrics_status };
static const struct writer openmetrics_data_path_writer = { .record = openmetrics_data_path };
static const struct writer openmetrics_counters_writer = { .record = openmetrics_counters };

/* ---- Live ---- */

/* Everything has been printed: interrupted is done. */
static void on_interrupt(int signo)
{
	(void)signo;
	_exit(EXIT_DONE);
}

/* Rows as they come, until the daemon or the person ends it. */
static int show_live(struct ctl_client *c, const struct ctl_head *head, const struct writer *w)
{
	struct ctl_value values[CTL_COLUMN_MAX];
	int rc = 0;

	(void)signal(SIGINT, on_interrupt);
	(void)signal(SIGTERM, on_interrupt);
	while (!ferror(stdout) && (rc = ctl_client_row(c, values, NULL)) > 0) {
		w->live_row(head, values);
		(void)fflush(stdout);
	}
	return rc < 0 ? rc : EXIT_DONE;
}

/* An answer of a shape that goes with the question? Metrics are records, and nothing else. */
static bool can_show(const struct writer *w, enum ctl_shape shape)
{
	switch (shape) {
	case CTL_MESSAGE:
		return w->message;
	case CTL_RECORD:
		return w->record;
	case CTL_TABLE:
		return w->table_begin;
	case CTL_LIVE:
		return w->live_row;
	case CTL_ERROR:
	case CTL_USAGE:
		break;
	}
	return true;
}

/* Of a line of standard input, with its number. */
static void open_complaint(void)
{
	fputs("hactl: ", stderr);
	if (view.line > 0)
		fprintf(stderr, "line %zu: ", view.line);
}

/* Shows an answer; an error goes to stderr. @return an exit code, or an error */
static int show_answer(struct ctl_client *c, const struct ctl_head *head, const struct writer *w)
{
	struct ctl_value none;
	int rc;

	if (!can_show(w, head->shape))
		return ERR_MALFORMED;
	if (head->shape == CTL_TABLE || head->shape == CTL_RECORD)
		return show_rows(c, head, w);
	if (head->shape == CTL_LIVE)
		return show_live(c, head, w);
	rc = ctl_client_row(c, &none, NULL);
	if (rc < 0)
		return rc;
	if (head->shape == CTL_MESSAGE) {
		w->message(head->text);
		return EXIT_DONE;
	}
	open_complaint();
	(void)text_put(stderr, head->text, strlen(head->text));
	fputc('\n', stderr);
	return head->shape == CTL_USAGE ? EXIT_USAGE : EXIT_REFUSED;
}

/* ---- What went wrong ---- */

/* The daemon that a socket belongs to, by the socket's name: "ihad". */
static const char *daemon_name(const char *path, char *buf, size_t size)
{
	const char *base = strrchr(path, '/');

	(void)snprintf(buf, size, "%s", base ? base + 1 : path);
	if (strlen(buf) > 5 && strcmp(buf + strlen(buf) - 5, ".sock") == 0)
		buf[strlen(buf) - 5] = '\0';
	return buf;
}

/* One of ours, by its socket's name? Of another's we know no unit that could be asked for. */
static bool is_ours(const char *name)
{
	return strcmp(name, "ihad") == 0 || strcmp(name, "xhad") == 0;
}

static int connection_failed(const char *path, int err)
{
	struct group *gr = NULL;
	struct stat st;
	char buf[64];
	const char *name = daemon_name(path, buf, sizeof(buf));

	fprintf(stderr,
		view.is_watching ? "hactl: no answer from %s: " : "hactl: cannot reach %s: ", path);
	switch (-err) {
	case ENOENT:
		if (is_ours(name))
			fprintf(stderr,
				"there is no such socket: is %s running? Try: systemctl status "
				"%s\n",
				name, name);
		else
			fprintf(stderr, "there is no such socket; control.socket in the daemon's "
					"configuration says where it is\n");
		break;
	case ECONNREFUSED:
		if (stat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
			fprintf(stderr, "that is no socket; control.socket in the daemon's "
					"configuration says where it is\n");
		else if (is_ours(name))
			fprintf(stderr, "nobody listens: %s has died; try: systemctl restart %s\n",
				name, name);
		else
			fprintf(stderr, "nobody listens: its daemon has died; start it again\n");
		break;
	case EACCES:
		if (stat(path, &st) == 0)
			gr = getgrgid(st.st_gid);
		if (gr)
			fprintf(stderr, "permission denied: you are not in group %s; try sudo\n",
				gr->gr_name);
		else
			fprintf(stderr, "permission denied; try sudo\n");
		break;
	case EAGAIN:
		fprintf(stderr, "%s is too busy to answer; try again\n", name);
		break;
	default:
		fprintf(stderr, "%s\n", err_text(err));
		break;
	}
	return EXIT_CONNECTION;
}

static int answer_failed(const char *path, int err)
{
	char buf[64];
	const char *name = daemon_name(path, buf, sizeof(buf));

	switch (err) {
	case ERR_INVALID:
		fprintf(stderr, "hactl: an empty word cannot be asked\n");
		return EXIT_USAGE;
	case ERR_NO_SPACE:
		open_complaint();
		fprintf(stderr, "too long: a request has at most %d octets\n", CTL_REQUEST_MAX);
		return view.line > 0 ? EXIT_REFUSED : EXIT_USAGE;
	case ERR_TRUNCATED:
		fprintf(stderr,
			"hactl: the answer of %s was cut off: it ended, was out of memory, or "
			"waited too long for us; ask again\n",
			name);
		break;
	case ERR_MALFORMED:
		fprintf(stderr,
			"hactl: %s is no control socket that this hactl understands; "
			"use the hactl of the same version\n",
			path);
		break;
	case -EAGAIN:
		fprintf(stderr, "hactl: %s did not answer within %d s; look at its log\n", name,
			TIMEOUT_MS / 1000);
		break;
	case -ENOMEM:
		fprintf(stderr, "hactl: no memory for the answer of %s\n", name);
		break;
	default:
		fprintf(stderr, "hactl: no answer from %s: %s\n", name, err_text(err));
		break;
	}
	return EXIT_CONNECTION;
}

/* ---- The command line ---- */

static void print_help(FILE *out)
{
	char left[48];

	fputs("hactl asks a running home agent over its control socket.\n"
	      "\n"
	      "Usage: hactl [OPTION]... COMMAND...\n"
	      "\n",
	      out);
	for (const struct cli_option *o = cli_options; o->name; o++) {
		const char *argument = o->argument ? o->argument : "";
		bool optional = *argument == '[';

		(void)snprintf(left, sizeof(left), "-%c%s, --%s%s%s", o->letter,
			       optional ? argument : "", o->name,
			       optional    ? "[="
			       : *argument ? " "
					   : "",
			       argument + optional);
		fprintf(out, strlen(left) > 23 ? "  %s\n%27s%s\n" : "  %-23s%2s%s\n", left, "",
			o->doc);
	}
	fputs("\n"
	      "  hactl help               what the daemon can be asked\n"
	      "  hactl show bindings      which mobile nodes are registered, and where\n",
	      out);
	for (const struct cli_command *c = cli_commands; c->words; c++)
		fprintf(out, "  hactl %s %s\n%27s%s\n", c->words, c->synopsis, "", c->doc);
	fputs("\n"
	      "A last word - stands for each line of standard input; numbers are added up.\n"
	      "Sockets are looked for in " DIRECTORY ": ihad.sock, xhad.sock.\n"
	      "Exit codes: 0 done, 1 the daemon refused, 2 bad command line, 3 no connection or\n"
	      "a broken answer. The manual is hactl(8).\n",
	      out);
}

/* The one default socket that exists; NULL after saying why there is none. */
static const char *find_socket(int *out_exit)
{
	const char *found = NULL;

	for (size_t i = 0; i < sizeof(default_sockets) / sizeof(default_sockets[0]); i++) {
		if (access(default_sockets[i], F_OK) < 0)
			continue;
		if (found) {
			fprintf(stderr,
				"hactl: two home agents run here; choose one: -s %s or -s %s\n",
				found, default_sockets[i]);
			*out_exit = EXIT_USAGE;
			return NULL;
		}
		found = default_sockets[i];
	}
	if (!found) {
		fprintf(stderr, "hactl: no control socket in " DIRECTORY ": is ihad or xhad "
				"running? Name another place with -s\n");
		*out_exit = EXIT_CONNECTION;
	}
	return found;
}

/* Text of the daemon's own making, one column called "line": printed as it is, also as JSON. */
static bool is_lines(const struct ctl_head *head)
{
	return head->shape == CTL_TABLE && head->column_cnt == 1 &&
	       strcmp(head->columns[0].name, "line") == 0;
}

static int show_lines(struct ctl_client *c)
{
	struct ctl_value line;
	int rc = 0;

	while (!ferror(stdout) && (rc = ctl_client_row(c, &line, NULL)) > 0) {
		(void)text_put(stdout, line.text, line.len);
		putchar('\n');
	}
	return rc < 0 ? rc : EXIT_DONE;
}

/* Is the answer written? @return rc if so */
static int flush_answer(int rc)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return rc;
	if (errno == EPIPE) /* "| head" has seen enough */
		return EXIT_DONE;
	fprintf(stderr, "hactl: cannot write the answer: %s\n", strerror(errno));
	return EXIT_CONNECTION;
}

static int ask(const char *path, char *const *words, size_t word_cnt, const struct writer *w)
{
	const struct ctl_head *head;
	struct ctl_client *c;
	int rc;

	rc = ctl_client_open(path, strcmp(words[0], "reload") == 0 ? RELOAD_MS : TIMEOUT_MS, &c);
	if (rc < 0)
		return connection_failed(path, rc);
	rc = ctl_client_ask(c, words, word_cnt, &head);
	if (rc == 0)
		rc = is_lines(head) ? show_lines(c) : show_answer(c, head, w);
	ctl_client_close(c);
	rc = flush_answer(rc);
	return rc < 0 ? answer_failed(path, rc) : rc;
}

/* ---- Lines of standard input ---- */

/* Records of numbers that lines are answered with: added up, to be shown once. */
static struct {
	const struct writer *writer; /* of all else */
	struct sum {
		char name[64];
		uint64_t value;
	} sums[SUM_MAX];
	size_t sum_cnt;
} total;

static void add_up(const char *name, uint64_t value)
{
	size_t i;

	for (i = 0; i < total.sum_cnt && strcmp(total.sums[i].name, name) != 0; i++)
		;
	if (i == SUM_MAX)
		return;
	if (i == total.sum_cnt) {
		(void)snprintf(total.sums[i].name, sizeof(total.sums[i].name), "%s", name);
		total.sum_cnt++;
	}
	total.sums[i].value += value;
}

static void total_record(const struct table *fields)
{
	size_t i;

	for (i = 0; i < fields->row_cnt; i++)
		if (fields->rows[i].field.type != CTL_NUMBER || !fields->rows[i].values[0].text)
			break;
	if (i < fields->row_cnt || i > SUM_MAX) {
		total.writer->record(fields);
		return;
	}
	for (i = 0; i < fields->row_cnt; i++)
		add_up(fields->rows[i].field.name,
		       strtoull(fields->rows[i].values[0].text, NULL, 10));
}

static void show_total(void)
{
	static struct row rows[SUM_MAX];
	static char digits[SUM_MAX][sizeof("18446744073709551615")];
	const struct table t = { .rows = rows, .row_cnt = total.sum_cnt, .whole = true };

	for (size_t i = 0; i < total.sum_cnt; i++) {
		int len = snprintf(digits[i], sizeof(digits[i]), "%" PRIu64, total.sums[i].value);

		rows[i].field = (struct ctl_column){ total.sums[i].name, CTL_NUMBER };
		rows[i].values[0] = (struct ctl_value){ digits[i], (size_t)len };
	}
	total.writer->record(&t);
}

/* A word ends at its first NUL: of such a line a part would be asked, as if it were the whole. */
static int refuse_nul(void)
{
	open_complaint();
	fputs("it has a NUL octet, which no word can have\n", stderr);
	return EXIT_REFUSED;
}

/*
 * A last word "-" stands for each line of standard input. One that is refused is told by its
 * number, and the others go on; so is one that cannot be sent: too long, or with a NUL. What is no
 * refusal ends it, and so does a line that cannot be read, which is not the last.
 */
static int ask_lines(const char *path, char **words, size_t word_cnt, const struct writer *w)
{
	struct writer summing = *w;
	char *line = NULL;
	size_t size = 0, refused = 0;
	ssize_t len = 0;
	int rc = EXIT_DONE;

	total.writer = w;
	summing.record = total_record;
	while ((rc == EXIT_DONE || rc == EXIT_REFUSED) &&
	       (len = getline(&line, &size, stdin)) > 0) {
		view.line++;
		if (line[len - 1] == '\n')
			line[--len] = '\0';
		if (len == 0)
			continue;
		words[word_cnt - 1] = line;
		rc = strlen(line) < (size_t)len ? refuse_nul()
						: ask(path, words, word_cnt, &summing);
		refused += rc == EXIT_REFUSED;
	}
	if (len < 0 && !feof(stdin)) {
		fprintf(stderr, "hactl: cannot read standard input: %s\n", strerror(errno));
		rc = EXIT_CONNECTION;
	} else if (rc == EXIT_USAGE || rc == EXIT_CONNECTION) {
		fprintf(stderr, "hactl: that was line %zu; no other was asked\n", view.line);
	}
	if (total.sum_cnt > 0) {
		add_up("lines-refused", refused);
		show_total();
	}
	free(line);
	return flush_answer(rc == EXIT_DONE && refused > 0 ? EXIT_REFUSED : rc);
}

/* ---- Again and again ---- */

/* Waits for the next turn. @return false: a person has ended it */
static bool wait_turn(const sigset_t *ends)
{
	const struct timespec turn = { .tv_sec = view.watch_s };

	return sigtimedwait(ends, NULL, &turn) < 0;
}

/* A screen being filled: what does not fit is counted. */
struct frame {
	FILE *out;
	size_t row_cnt, rows_max; /* lines; of those shown */
};

static ssize_t frame_write(void *cookie, const char *text, size_t len)
{
	struct frame *frame = cookie;

	for (size_t i = 0; i < len; i++) {
		if (frame->row_cnt < frame->rows_max) {
			if (text[i] == '\n')
				fputs(LINE_END, frame->out);
			else
				fputc(text[i], frame->out);
		}
		frame->row_cnt += text[i] == '\n';
	}
	return (ssize_t)len;
}

/* Rows of the terminal; 0: it does not say. */
static size_t screen_height(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
}

/* "2026-11-21T12:00:00  every 2 s: show bindings" */
static void put_watch_heading(FILE *out, char *const *words, size_t word_cnt)
{
	char now[sizeof("2026-11-21T12:00:00+0000")] = "";
	const time_t t = time(NULL);
	struct tm tm;

	if (localtime_r(&t, &tm))
		(void)strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%S%z", &tm);
	fprintf(out, "%s  every %u s:", now, view.watch_s);
	for (size_t i = 0; i < word_cnt; i++) {
		fputc(' ', out);
		(void)text_put(out, words[i], strlen(words[i]));
	}
	fputs(LINE_END, out);
}

/*
 * One turn on a terminal: over the turn before, in as many rows as there are, and what was on the
 * terminal before us stays where it can be scrolled back to. The answer is written to a stream that
 * keeps what fits.
 */
static int watch_screen(const char *path, char *const *words, size_t word_cnt,
			const struct writer *w)
{
	static const cookie_io_functions_t functions = { .write = frame_write };
	size_t rows = screen_height();
	/* The heading, the last line, and the one below it where the cursor waits. */
	struct frame frame = { .out = stdout, .rows_max = rows > 4 ? rows - 3 : 1 };
	FILE *answer = fopencookie(&frame, "w", functions);
	FILE *errors = stderr;
	int rc;

	if (!answer) {
		fprintf(stderr, "hactl: cannot fill a screen: %s\n", strerror(errno));
		return EXIT_CONNECTION;
	}
	if (rows == 0)
		frame.rows_max = SIZE_MAX;
	fputs(HOME, stdout);
	put_watch_heading(stdout, words, word_cnt);
	stdout = answer;
	if (view.is_watching)
		stderr = answer;
	rc = ask(path, words, word_cnt, w);
	stdout = frame.out;
	stderr = errors;
	(void)fclose(answer);
	if (frame.row_cnt > frame.rows_max)
		printf("... %zu more lines; a higher terminal shows them" LINE_END,
		       frame.row_cnt - frame.rows_max);
	fputs(BELOW, stdout);
	(void)fflush(stdout);
	return rc;
}

/*
 * Asks again and again, like watch(1). A refusal ends it; a daemon that does not answer, once it
 * has, is waited for: it may only be restarting.
 */
static int watch(const char *path, char *const *words, size_t word_cnt, const struct writer *w)
{
	const char *term = getenv("TERM");
	bool on_terminal = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
	sigset_t ends;
	int rc;

	(void)sigemptyset(&ends);
	(void)sigaddset(&ends, SIGINT);
	(void)sigaddset(&ends, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &ends, NULL);         /* the terminal is left as it was */
	(void)setvbuf(stdout, NULL, _IOFBF, WATCH_BUFFER); /* a screen at a time */
	for (size_t i = on_terminal ? screen_height() : 0; i > 0; i--)
		putchar('\n'); /* what is on the screen goes up */
	do {
		rc = on_terminal ? watch_screen(path, words, word_cnt, w)
				 : ask(path, words, word_cnt, w);
		if (rc == EXIT_CONNECTION && view.is_watching && !ferror(stdout))
			rc = EXIT_DONE;
		else if (rc == EXIT_DONE && !on_terminal)
			putchar('\n');
		view.is_watching = true;
	} while (rc == EXIT_DONE && !ferror(stdout) && wait_turn(&ends));
	return rc;
}

static int ask_openmetrics(const char *path, char *const *words, size_t word_cnt)
{
	char *const status[] = { (char *)"show", (char *)"status" };
	char *const data_path[] = { (char *)"show", (char *)"data-path" };
	int rc;

	if (word_cnt != 2 || strcmp(words[0], "show") != 0 || strcmp(words[1], "counters") != 0) {
		fputs("hactl: --openmetrics goes with: show counters\n", stderr);
		return EXIT_USAGE;
	}
	rc = ask(path, status, 2, &openmetrics_status_writer);
	if (rc == EXIT_DONE)
		rc = ask(path, data_path, 2, &openmetrics_data_path_writer);
	return rc == EXIT_DONE ? ask(path, words, word_cnt, &openmetrics_counters_writer) : rc;
}

static int usage_error(const char *why, const char *what)
{
	fprintf(stderr, "hactl: %s%s\nTry 'hactl --help'.\n", why, what);
	return EXIT_USAGE;
}

/* What changes something is not asked for again and again, and a trace never ends. */
static int refuse_watch(const char *word)
{
	if (*word && strspn(word, "0123456789") == strlen(word))
		return usage_error("the seconds follow --watch without a blank: -w", word);
	return usage_error("--watch goes with show, not ", word);
}

static int take_filter(const char *text)
{
	if (view.filter_cnt == FILTER_MAX)
		return usage_error("too many filters: ", text);
	if (filter_parse(text, &view.filters[view.filter_cnt]) < 0)
		return usage_error("a filter is COLUMN=PATTERN, COLUMN!=PATTERN, COLUMN<VALUE or "
				   "COLUMN>VALUE, not ",
				   text);
	view.filter_cnt++;
	return 0;
}

static int take_watch(const char *text)
{
	char *end;
	unsigned long seconds = text ? strtoul(text, &end, 10) : WATCH_S;

	if (text && (*end || end == text || seconds < 1 || seconds > 3600))
		return usage_error("--watch takes 1 to 3600 seconds, as -w5 or --watch=5, not ",
				   text);
	view.watch_s = (unsigned int)seconds;
	return 0;
}

/* Reads the options. @return -1 to go on, or an exit code */
static int take_options(int argc, char **argv, const char **path)
{
	enum { OPTION_CNT = sizeof(cli_options) / sizeof(cli_options[0]) };
	struct option options[OPTION_CNT] = { 0 };
	char letters[4 * OPTION_CNT], *at = letters;
	int opt, rc = 0;

	for (size_t i = 0; cli_options[i].name; i++) {
		const char *argument = cli_options[i].argument;
		int has = !argument          ? no_argument
			  : *argument == '[' ? optional_argument
					     : required_argument;

		options[i] =
			(struct option){ cli_options[i].name, has, NULL, cli_options[i].letter };
		at += sprintf(at, "%c%.*s", cli_options[i].letter, has, "::");
	}
	while (rc == 0 && (opt = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		switch (opt) {
		case 's':
			*path = optarg;
			break;
		case 'j':
			view.json = true;
			break;
		case 'f':
			rc = take_filter(optarg);
			break;
		case 'S':
			view.backwards = *optarg == '-';
			view.sort = optarg + view.backwards;
			break;
		case 'w':
			rc = take_watch(optarg);
			break;
		case 'o':
			view.openmetrics = true;
			break;
		case 'V':
			puts("hactl " HOME_AGENT_VERSION);
			return EXIT_DONE;
		case 'h':
			print_help(stdout);
			return EXIT_DONE;
		default:
			fputs("Try 'hactl --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	return rc ? rc : -1;
}

/* There is one thread, and there may be a million rows: no lock a word, no write(2) a page. */
static void prepare_output(void)
{
	static char room[64 * 1024];

	(void)__fsetlocking(stdout, FSETLOCKING_BYCALLER);
	if (!isatty(STDOUT_FILENO))
		(void)setvbuf(stdout, room, _IOFBF, sizeof(room));
}

int main(int argc, char **argv)
{
	const struct writer *writer = &text_writer;
	const char *path = NULL;
	char **words;
	size_t word_cnt;
	int exit_code;

	(void)signal(SIGPIPE, SIG_IGN);
	prepare_output();
	exit_code = take_options(argc, argv, &path);
	if (exit_code >= 0)
		return exit_code;
	if (optind == argc) {
		fputs("hactl: nothing asked\n", stderr);
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (view.json)
		writer = &json_writer;
	words = argv + optind;
	word_cnt = (size_t)(argc - optind);
	if (view.watch_s > 0 && strcmp(words[0], "show") != 0)
		return refuse_watch(words[0]);
	if (strcmp(words[0], "new-key") == 0)
		return new_key(words + 1, word_cnt - 1, view.json);
	if (!path)
		path = find_socket(&exit_code);
	if (!path)
		return exit_code;
	if (view.openmetrics)
		return ask_openmetrics(path, words, word_cnt);
	if (word_cnt > 1 && strcmp(words[word_cnt - 1], "-") == 0)
		return ask_lines(path, words, word_cnt, writer);
	if (view.watch_s > 0)
		return watch(path, words, word_cnt, writer);
	return ask(path, words, word_cnt, writer);
}

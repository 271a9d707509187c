/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration engine: reads a YAML file by tables of rows and knows no key itself. The only
 * file that sees libyaml.
 *
 * It descends along the rows over libyaml's events, so each value meets its row, its line and its
 * column at once. Nothing is built that the rows do not ask for: aliases are refused (they are
 * how a small file becomes a huge one), nesting is limited, and what no row knows is skipped
 * after one fault. A fault in a value never stops the reading; only broken YAML does, because
 * behind it nothing means what it seems to.
 *
 * Ownership: a struct filled here belongs to the caller, who releases what its rows own with
 * conf_done(). struct conf_doc remembers where keys stood, for the caller's checks across keys.
 *
 * Keys pass through here. They are quoted in no fault, and the buffers that held them are wiped.
 */
#include "common/conf.h"

#include "common/addr.h"
#include "common/err.h"
#include "common/thread.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#define DEPTH_MAX     32          /* of nested collections; ours need four */
#define FILE_SIZE_MAX (1ul << 30) /* guards against a device that never ends */
#define PATH_MAX_LEN  128         /* of a key's path, with room for a stranger's misspelling */
#define QUOTE_MAX     60          /* octets of a faulty value that a fault repeats */
#define KEY_LIKE      16          /* hex digits in a row that may be a key: never repeated */
#define WHY_MAX       512
#define PROGRAM       "{program}"

/* ---- Faults ------------------------------------------------------------------------------- */

static bool mark_after(struct conf_mark a, struct conf_mark b)
{
	return a.line != b.line ? a.line > b.line : a.column > b.column;
}

void conf_faults_add(struct conf_faults *faults, const char *file, struct conf_mark at,
		     const char *fmt, ...)
{
	struct conf_fault fault = { .at = at };
	size_t i = faults->cnt;
	size_t k;
	va_list args;

	if (at.file)
		file = at.file;
	if (faults->cnt == CONF_FAULTS_MAX) {
		faults->dropped++;
		return;
	}
	va_start(args, fmt);
	if (vasprintf(&fault.text, fmt, args) < 0)
		fault.text = NULL;
	va_end(args);
	fault.file = strdup(file);
	if (!fault.text || !fault.file) {
		free(fault.text);
		free(fault.file);
		faults->dropped++;
		return;
	}
	/* Files in the order they came up; in a file, by position. */
	for (k = faults->cnt; k > 0; k--) {
		if (strcmp(faults->list[k - 1].file, file) != 0)
			continue;
		i = k;
		if (!mark_after(faults->list[k - 1].at, at))
			break;
		i = k - 1;
	}
	memmove(faults->list + i + 1, faults->list + i, (faults->cnt - i) * sizeof(fault));
	faults->list[i] = fault;
	faults->cnt++;
}

static void print_as(const struct conf_faults *faults, const char *kind, FILE *out)
{
	const struct conf_fault *f;
	size_t i;

	for (i = 0; i < faults->cnt; i++) {
		f = &faults->list[i];
		fprintf(out, "%s:%u:%u: %s: %s\n", f->file, f->at.line, f->at.column, kind,
			f->text);
	}
	if (faults->dropped > 0 && faults->cnt > 0) {
		f = &faults->list[faults->cnt - 1];
		fprintf(out, "%s:%u:%u: %s: %zu more %ss are not shown\n", f->file, f->at.line,
			f->at.column, kind, faults->dropped,
			strcmp(kind, "error") == 0 ? "fault" : kind);
	}
}

void conf_faults_print(const struct conf_faults *faults, FILE *out)
{
	print_as(faults, "error", out);
	if (faults->warnings)
		print_as(faults->warnings, "warning", out);
}

void conf_faults_done(struct conf_faults *faults)
{
	size_t i;

	for (i = 0; i < faults->cnt; i++) {
		free(faults->list[i].file);
		free(faults->list[i].text);
	}
	*faults = (struct conf_faults){ 0 };
}

static size_t faults_total(const struct conf_faults *faults)
{
	return faults->cnt + faults->dropped;
}

/* ---- Files -------------------------------------------------------------------------------- */

void conf_wipe_free(void *p, size_t len)
{
	if (!p)
		return;
	explicit_bzero(p, len);
	free(p);
}

/** Reads to the end, through buffers that leave nothing behind. */
static int read_all(int fd, size_t expected, char **ret_text, size_t *ret_len)
{
	size_t size = expected + 2; /* one for the terminator, one to see the end without growing */
	size_t len = 0, piece;
	char *text = malloc(size);
	char *grown;
	ssize_t n;
	int err;

	while (text) {
		piece = size - 1 - len;
		n = read(fd, text + len, piece < THREAD_READ_MAX ? piece : THREAD_READ_MAX);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			err = n < 0 ? -errno : 0;
			text[len] = '\0';
			if (err == 0) {
				*ret_text = text;
				*ret_len = len;
				return 0;
			}
			conf_wipe_free(text, size);
			return err;
		}
		len += (size_t)n;
		if (len > FILE_SIZE_MAX) {
			conf_wipe_free(text, size);
			return -EFBIG;
		}
		if (len < size - 1)
			continue;
		grown = malloc(2 * size);
		if (grown)
			memcpy(grown, text, len);
		conf_wipe_free(text, size);
		text = grown;
		size *= 2;
	}
	return -ENOMEM;
}

int conf_slurp(const char *path, const char *from, struct conf_mark at, struct conf_faults *faults,
	       char **ret_text, size_t *ret_len, mode_t *ret_mode)
{
	const char *why;
	struct stat st = { 0 };
	int fd, err = 0;

	/* A pipe or a device may never end, or never begin: a daemon that reloads cannot wait. */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		err = -errno;
	else if (S_ISDIR(st.st_mode))
		err = -EISDIR;
	else if (!S_ISREG(st.st_mode))
		err = ERR_UNSUPPORTED;
	else if ((uintmax_t)st.st_size > FILE_SIZE_MAX)
		err = -EFBIG;
	else
		err = read_all(fd, (size_t)st.st_size, ret_text, ret_len);
	if (fd >= 0)
		(void)close(fd);
	if (err == 0)
		*ret_mode = st.st_mode;
	if (err == 0 || err == -ENOMEM)
		return err;
	why = err == ERR_UNSUPPORTED ? "not a regular file" : err_text(err);
	if (from)
		conf_faults_add(faults, from, at, "cannot read %s: %s", path, why);
	else
		conf_faults_add(faults, path, (struct conf_mark){ 1, 1 },
				"cannot read this file: %s", why);
	return ERR_CONFIG;
}

/* ---- Words for faults --------------------------------------------------------------------- */

struct quoted {
	char s[4 * QUOTE_MAX + sizeof("\"...\"")];
};

static bool may_be_key(const char *text)
{
	size_t run = 0;

	for (; *text && run < KEY_LIKE; text++)
		run = isxdigit((unsigned char)*text) ? run + 1 : 0;
	return run == KEY_LIKE;
}

/** A faulty value as a fault repeats it: short, printable, and never a key. */
static struct quoted quote(const char *text)
{
	struct quoted q;
	char *p = q.s;
	size_t i;

	if (may_be_key(text)) {
		strcpy(q.s, "this (not repeated: it may be a key)");
		return q;
	}
	*p++ = '"';
	for (i = 0; i < QUOTE_MAX && text[i]; i++) {
		if (text[i] > ' ' - 1 && text[i] < 0x7f)
			*p++ = text[i];
		else
			p += sprintf(p, "\\x%02x", (unsigned char)text[i]);
	}
	strcpy(p, text[i] ? "...\"" : "\"");
	return q;
}

/**
 * Edits from one word to the other (Levenshtein), for words of a key's length; SIZE_MAX if there
 * are `below` or more, which is soon seen of words that have nothing in common.
 */
static size_t distance(const char *a, const char *b, size_t below)
{
	size_t row[PATH_MAX_LEN + 1];
	size_t a_len = strlen(a), b_len = strlen(b);
	size_t i, j, diagonal, above, least;

	if (a_len > PATH_MAX_LEN || b_len > PATH_MAX_LEN)
		return SIZE_MAX;
	if ((a_len > b_len ? a_len - b_len : b_len - a_len) >= below)
		return SIZE_MAX;
	for (j = 0; j <= b_len; j++)
		row[j] = j;
	for (i = 1; i <= a_len; i++) {
		diagonal = row[0];
		row[0] = least = i;
		for (j = 1; j <= b_len; j++) {
			above = row[j];
			row[j] = diagonal + (a[i - 1] != b[j - 1]);
			if (above + 1 < row[j])
				row[j] = above + 1;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
			if (row[j] < least)
				least = row[j];
			diagonal = above;
		}
		if (least >= below) /* it only grows from row to row */
			return SIZE_MAX;
	}
	return row[b_len] < below ? row[b_len] : SIZE_MAX;
}

/** The distance, if it is near enough for a slip of the word, and nearer than the best so far. */
static bool is_nearer(const char *text, const char *word, size_t *best)
{
	size_t near = 2 + strlen(word) / 3;
	size_t dist = distance(text, word, near < *best ? near : *best);

	if (dist == SIZE_MAX)
		return false;
	*best = dist;
	return true;
}

static void append(char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void append(char *buf, size_t size, const char *fmt, ...)
{
	size_t len = strlen(buf);
	va_list args;

	va_start(args, fmt);
	vsnprintf(buf + len, size - len, fmt, args);
	va_end(args);
}

/* ---- Values ------------------------------------------------------------------------------- */

/*
 * Each store_*() takes a text and fills one field, or says why not in `why`: no position, no path;
 * those are the caller's. 0, ERR_INVALID or -ENOMEM.
 */

struct why {
	char *s;
	size_t size;
};

static int refuse(struct why why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int refuse(struct why why, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why.s, why.size, fmt, args);
	va_end(args);
	return ERR_INVALID;
}

static size_t *count_of(const struct conf_key *row, void *base)
{
	return (size_t *)((char *)base + row->aux);
}

/** Is the field beside it a count, not a bool? Those rows that need one have it. */
static bool has_count(const struct conf_key *row)
{
	return row->type == CONF_KEY || row->type == CONF_ENUM_LIST ||
	       row->type == CONF_STRING_LIST || row->type == CONF_MAPPINGS;
}

/* YAML 1.1's words (yaml.org/type/bool), less the single letters. */
static int store_bool(const char *text, bool *field, struct why why)
{
	static const char *const words[2][3] = { { "false", "no", "off" },
						 { "true", "yes", "on" } };
	size_t i;

	for (i = 0; i < 6; i++) {
		if (strcasecmp(text, words[i / 3][i % 3]) == 0) {
			*field = i / 3;
			return 0;
		}
	}
	return refuse(why, "%s is neither true nor false", quote(text).s);
}

static int store_uint(const struct conf_key *row, const char *text, void *field, struct why why)
{
	uint32_t most = row->size == sizeof(uint16_t) ? UINT16_MAX : UINT32_MAX;
	bool is_hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = is_hex ? text + 2 : text;
	const char *unit = conf_unit(row) ? conf_unit(row) : "";
	uint64_t value = 0;
	uint16_t narrow;
	uint32_t wide;
	size_t i;

	if (row->max > 0 && row->max < most)
		most = row->max;
	if (!digits[0] || digits[strspn(digits, is_hex ? "0123456789abcdefABCDEF" : "0123456789")])
		return refuse(why, "%s is not a whole number: %u to %u%s%s is wanted",
			      quote(text).s, row->min, most, unit[0] ? " " : "", unit);
	/* YAML 1.1 reads 010 as eight, people read ten. */
	if (!is_hex && text[0] == '0' && text[1])
		return refuse(why, "%s begins with 0, which YAML takes for octal: leave the 0 out",
			      quote(text).s);
	for (i = 0; digits[i] && value <= UINT32_MAX; i++)
		value = value * (is_hex ? 16 : 10) +
			(uint64_t)(isdigit((unsigned char)digits[i])
					   ? digits[i] - '0'
					   : tolower((unsigned char)digits[i]) - 'a' + 10);
	if (value < row->min || value > most)
		return refuse(why, "%s is out of range: %u to %u%s%s", quote(text).s, row->min,
			      most, unit[0] ? " " : "", unit);
	narrow = (uint16_t)value;
	wide = (uint32_t)value;
	assert(row->size == sizeof(narrow) || row->size == sizeof(wide));
	memcpy(field, row->size == sizeof(narrow) ? (void *)&narrow : (void *)&wide, row->size);
	return 0;
}

static int choose(const struct conf_key *row, const char *text, int *ret_choice, struct why why)
{
	const char *nearest = NULL;
	size_t i, best = SIZE_MAX;

	assert(row->choices[0]);
	for (i = 0; row->choices[i]; i++) {
		if (strcmp(text, row->choices[i]) == 0) {
			*ret_choice = (int)i;
			return 0;
		}
	}
	for (i = 0; row->choices[i]; i++)
		if (is_nearer(text, row->choices[i], &best))
			nearest = row->choices[i];
	refuse(why, "%s is not one of ", quote(text).s);
	for (i = 0; row->choices[i]; i++)
		append(why.s, why.size, "%s%s", i ? ", " : "", row->choices[i]);
	if (nearest)
		append(why.s, why.size, "; did you mean \"%s\"?", nearest);
	return ERR_INVALID;
}

static int store_enum(const struct conf_key *row, const char *text, void *field, struct why why)
{
	int choice, err;

	assert(row->size == sizeof(choice));
	err = choose(row, text, &choice, why);
	if (err < 0)
		return err;
	memcpy(field, &choice, sizeof(choice));
	return 0;
}

static int check_text(const char *text, uint32_t min, uint32_t max, struct why why)
{
	size_t len = strlen(text);
	size_t i;

	for (i = 0; i < len; i++)
		if (iscntrl((unsigned char)text[i]))
			return refuse(why, "control characters are not allowed");
	if (len < min)
		return refuse(why, len == 0 ? "must not be empty" : "%zu octets are too few", len);
	if (max > 0 && len > max)
		return refuse(why, "%zu octets are too many: at most %u", len, max);
	return 0;
}

static int store_string(const struct conf_key *row, const char *text, char **field, struct why why)
{
	char *copy;
	int err = check_text(text, row->min, row->max, why);

	if (err < 0)
		return err;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	*field = copy;
	return 0;
}

static int store_chars(const struct conf_key *row, const char *text, char *field, struct why why)
{
	int err = check_text(text, row->min, row->max, why);

	if (err < 0)
		return err;
	if (strlen(text) >= row->size)
		return refuse(why, "%zu octets are too many: at most %zu", strlen(text),
			      row->size - 1);
	strcpy(field, text);
	return 0;
}

static int store_address(const char *text, struct in_addr *field, struct why why)
{
	if (addr_parse(text, field) < 0)
		return refuse(why, "%s is not an IPv4 address", quote(text).s);
	return 0;
}

static int store_prefix(const char *text, struct addr_prefix *field, struct why why)
{
	struct in_addr a;
	struct addr_prefix p;
	char quad[INET_ADDRSTRLEN], zero[sizeof("0.0.0.0/") + 2];
	const char *slash = strchr(text, '/');

	if (addr_prefix_parse(text, field) == 0)
		return 0;
	if (addr_parse(text, &a) == 0)
		return refuse(why, "%s has no prefix length: %s/32 is this address alone",
			      quote(text).s, text);
	/* Sound but for the bits behind the length? Then we can say what it should have been. */
	if (slash && (size_t)(slash - text) < sizeof(quad) && strlen(slash) <= 3) {
		snprintf(quad, sizeof(quad), "%.*s", (int)(slash - text), text);
		snprintf(zero, sizeof(zero), "0.0.0.0%.3s", slash);
		if (addr_parse(quad, &a) == 0 && addr_prefix_parse(zero, &p) == 0) {
			p.addr = addr_from_host(addr_host(a) & ~(uint32_t)(UINT32_MAX >> p.len));
			return refuse(why, "%s has bits behind its prefix length; did you mean %s?",
				      quote(text).s, addr_prefix_text(p).s);
		}
	}
	return refuse(why, "%s is not an IPv4 prefix, ADDRESS/LENGTH", quote(text).s);
}

/* A table: a file of a million nodes has tens of millions of them. @return -1: it is none */
static int hex_digit(char c)
{
	static const int8_t one_more[256] = {
		['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
		['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
		['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['A'] = 11, ['B'] = 12,
		['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
	};

	return one_more[(uint8_t)c] - 1;
}

/* No fault here repeats the text. */
static int store_key(const struct conf_key *row, const char *text, uint8_t **field, size_t *len,
		     struct why why)
{
	size_t digits = strlen(text);
	uint8_t *key;
	size_t i;

	for (i = 0; i < digits; i++)
		if (hex_digit(text[i]) < 0)
			return refuse(why,
				      "a key is written in hex digits, two an octet; "
				      "character %zu is none",
				      i + 1);
	if (digits == 0)
		return refuse(why, "the key is empty: %u to %u octets are wanted", row->min,
			      row->max);
	if (digits % 2)
		return refuse(why, "the key has an odd number of hex digits (%zu)", digits);
	if (digits / 2 < row->min || digits / 2 > row->max)
		return refuse(why, "the key has %zu octets: %u to %u are wanted", digits / 2,
			      row->min, row->max);
	key = malloc(digits / 2);
	if (!key)
		return -ENOMEM;
	for (i = 0; i < digits / 2; i++)
		key[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
	*field = key;
	*len = digits / 2;
	return 0;
}

static int run_check(const struct conf_key *row, const void *field, struct why why)
{
	const char *wrong = row->check ? row->check(field) : NULL;

	return wrong ? refuse(why, "%s", wrong) : 0;
}

static int store_scalar(const struct conf_key *row, const char *text, void *base, struct why why)
{
	void *field = (char *)base + row->offset;
	int err = ERR_INVALID;

	switch (row->type) {
	case CONF_BOOL:
		err = store_bool(text, field, why);
		break;
	case CONF_UINT:
	case CONF_SECONDS:
		err = store_uint(row, text, field, why);
		break;
	case CONF_ENUM:
		err = store_enum(row, text, field, why);
		break;
	case CONF_STRING:
	case CONF_INCLUDE:
		err = store_string(row, text, field, why);
		break;
	case CONF_CHARS:
		err = store_chars(row, text, field, why);
		break;
	case CONF_ADDRESS:
		err = store_address(text, field, why);
		break;
	case CONF_PREFIX:
		err = store_prefix(text, field, why);
		break;
	case CONF_KEY:
		err = store_key(row, text, field, count_of(row, base), why);
		break;
	case CONF_ENUM_LIST:
	case CONF_STRING_LIST:
	case CONF_ADDRESS_SET:
	case CONF_PREFIX_SET:
	case CONF_MAPPINGS:
		assert(false); /* a list is no scalar */
		break;
	}
	if (err < 0)
		return err;
	if (row->has_aux && !has_count(row))
		*((bool *)base + row->aux) = true;
	return run_check(row, field, why);
}

static int item_enum(const struct conf_key *row, const char *text, void *base, struct why why)
{
	int *list = (int *)((char *)base + row->offset);
	size_t *cnt = count_of(row, base);
	size_t i;
	int choice;
	int err = choose(row, text, &choice, why);

	if (err < 0)
		return err;
	for (i = 0; i < *cnt; i++)
		if (list[i] == choice)
			return refuse(why, "%s is in this list already", quote(text).s);
	assert(*cnt < row->size / sizeof(*list)); /* the array has room for each choice once */
	list[(*cnt)++] = choice;
	return 0;
}

static int item_string(const struct conf_key *row, const char *text, void *base, struct why why)
{
	char ***list = (char ***)((char *)base + row->offset);
	size_t *cnt = count_of(row, base);
	char *copy, **grown;
	int err = check_text(text, 1, row->max, why);

	if (err == 0)
		err = run_check(row, &text, why);
	if (err < 0)
		return err;
	copy = strdup(text);
	grown = reallocarray(*list, *cnt + 1, sizeof(*grown));
	if (grown)
		*list = grown;
	if (!copy || !grown) {
		free(copy);
		return -ENOMEM;
	}
	grown[(*cnt)++] = copy;
	return 0;
}

static int item_prefix(const struct conf_key *row, const char *text, void *base, struct why why)
{
	struct addr_set *set = (struct addr_set *)((char *)base + row->offset);
	struct addr_prefix p = { .len = 32 };
	const char *wrong;
	int err;

	if (row->type == CONF_ADDRESS_SET)
		err = store_address(text, &p.addr, why);
	else
		err = store_prefix(text, &p, why);
	if (err < 0)
		return err;
	wrong = row->check ? row->check(&p) : NULL;
	if (wrong)
		return refuse(why, "%s: %s", quote(text).s, wrong);
	/* Networks may lie in one another; a host that is listed twice is a slip. */
	if (row->type == CONF_ADDRESS_SET && addr_set_contains(set, p.addr))
		return refuse(why, "%s is in this list already", quote(text).s);
	return addr_set_add(set, p);
}

static int store_item(const struct conf_key *row, const char *text, void *base, struct why why)
{
	if (row->type == CONF_ENUM_LIST)
		return item_enum(row, text, base, why);
	if (row->type == CONF_STRING_LIST)
		return item_string(row, text, base, why);
	return item_prefix(row, text, base, why);
}

static bool is_scalar_list(const struct conf_key *row)
{
	return row->type == CONF_ENUM_LIST || row->type == CONF_STRING_LIST ||
	       row->type == CONF_ADDRESS_SET || row->type == CONF_PREFIX_SET;
}

int conf_value(const struct conf_key *row, const char *text, void *base, char *why, size_t why_size)
{
	return store_scalar(row, text, base, (struct why){ why, why_size });
}

/** Applies a row's default, which is ours and so sound: "[a, b]" for a list, else the value. */
static int store_default(const struct conf_key *row, const char *program, void *base)
{
	char text[PATH_MAX_LEN], why[WHY_MAX];
	const char *mark = strstr(row->dflt, PROGRAM);
	char *word, *rest;
	int err = 0;

	if (mark)
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(mark - row->dflt), row->dflt,
			 program, mark + strlen(PROGRAM));
	else
		snprintf(text, sizeof(text), "%s", row->dflt);
	if (!is_scalar_list(row)) {
		err = conf_value(row, text, base, why, sizeof(why));
	} else {
		for (word = strtok_r(text, "[, ]", &rest); word && err == 0;
		     word = strtok_r(NULL, "[, ]", &rest))
			err = store_item(row, word, base, (struct why){ why, sizeof(why) });
	}
	assert(err != ERR_INVALID);
	return err;
}

/** Frees what a field owns; what is left of it is of no use. */
static void row_drop(const struct conf_key *row, void *base)
{
	char *field = (char *)base + row->offset;
	size_t cnt = has_count(row) ? *count_of(row, base) : 0;
	char **strings;
	char *elements;
	size_t i;

	switch (row->type) {
	case CONF_STRING:
	case CONF_INCLUDE:
		free(*(char **)field);
		break;
	case CONF_KEY:
		conf_wipe_free(*(uint8_t **)field, cnt);
		break;
	case CONF_STRING_LIST:
		strings = *(char ***)field;
		for (i = 0; i < cnt; i++)
			free(strings[i]);
		free(strings);
		break;
	case CONF_ADDRESS_SET:
	case CONF_PREFIX_SET:
		addr_set_done((struct addr_set *)field);
		break;
	case CONF_MAPPINGS:
		elements = *(char **)field;
		for (i = 0; i < cnt; i++)
			conf_drop(row->rows, elements + i * row->element_size);
		free(elements);
		break;
	case CONF_BOOL:
	case CONF_UINT:
	case CONF_SECONDS:
	case CONF_ENUM:
	case CONF_ENUM_LIST:
	case CONF_CHARS:
	case CONF_ADDRESS:
	case CONF_PREFIX:
		break;
	}
}

/** Frees what a field owns and zeroes it. */
static void row_done(const struct conf_key *row, void *base)
{
	row_drop(row, base);
	memset((char *)base + row->offset, 0, row->size);
	if (has_count(row))
		*count_of(row, base) = 0;
	else if (row->has_aux)
		*((bool *)base + row->aux) = false;
}

void conf_drop(const struct conf_key *rows, void *base)
{
	for (; rows->path; rows++)
		row_drop(rows, base);
}

void conf_done(const struct conf_key *rows, void *base)
{
	for (; rows->path; rows++)
		row_done(rows, base);
}

const struct conf_key *conf_row(const struct conf_key *rows, const char *path)
{
	for (; rows->path; rows++)
		if (strcmp(rows->path, path) == 0)
			return rows;
	return NULL;
}

/* ---- Where keys stood --------------------------------------------------------------------- */

/** A row at work in one mapping: the file's own, or an element's. */
struct slot {
	const struct conf_key *row;
	void *base;
	struct conf_mark at;         /* of the value, if given */
	struct conf_mark section_at; /* of the innermost section on the way that was given */
	uint32_t sections_given; /* bit n: the section of n + 1 words, for the first row in it */
	bool given, faulty;
	const char *last_file; /* where it was given the last time, as in struct conf_mark */
};

/** A key of an element of a list of mappings; row NULL: the element itself. */
struct element_mark {
	const struct conf_key *list, *row;
	size_t index;
	struct conf_mark at;
};

struct conf_doc {
	struct conf_file *files; /* the first is the main one */
	size_t file_cnt;
	struct slot *slots;
	size_t slot_cnt;
	struct element_mark *marks; /* in the order of the file */
	size_t mark_cnt;
};

struct conf_doc *conf_doc_free(struct conf_doc *doc)
{
	if (doc) {
		for (size_t i = 0; i < doc->file_cnt; i++)
			free(doc->files[i].path);
		free(doc->files);
		free(doc->slots);
		free(doc->marks);
		free(doc);
	}
	return NULL;
}

const struct conf_file *conf_doc_file(const struct conf_doc *doc, size_t i)
{
	return i < doc->file_cnt ? &doc->files[i] : NULL;
}

static const struct slot *slot_find(const struct conf_doc *doc, const char *path)
{
	size_t i;

	for (i = 0; i < doc->slot_cnt; i++)
		if (strcmp(doc->slots[i].row->path, path) == 0)
			return &doc->slots[i];
	assert(false); /* the caller names rows of its own */
	return NULL;
}

bool conf_is_given(const struct conf_doc *doc, const char *path)
{
	return slot_find(doc, path)->given;
}

bool conf_is_sound(const struct conf_doc *doc, const char *path)
{
	return !slot_find(doc, path)->faulty;
}

struct conf_mark conf_where(const struct conf_doc *doc, const char *path)
{
	const struct slot *s = slot_find(doc, path);

	return s->given ? s->at : s->section_at;
}

struct conf_mark conf_where_in(const struct conf_doc *doc, const char *list, size_t index,
			       const char *key)
{
	struct conf_mark at = conf_where(doc, list);
	size_t i;

	for (i = 0; i < doc->mark_cnt; i++) {
		if (doc->marks[i].index != index || strcmp(doc->marks[i].list->path, list) != 0)
			continue;
		if (!doc->marks[i].row)
			at = doc->marks[i].at;
		else if (key && strcmp(doc->marks[i].row->path, key) == 0)
			return doc->marks[i].at;
	}
	return at;
}

static int mark_add(struct conf_doc *doc, struct element_mark mark)
{
	struct element_mark *grown;

	if ((doc->mark_cnt & (doc->mark_cnt - 1)) == 0) {
		grown = reallocarray(doc->marks, doc->mark_cnt ? 2 * doc->mark_cnt : 1,
				     sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		doc->marks = grown;
	}
	doc->marks[doc->mark_cnt++] = mark;
	return 0;
}

/* ---- Reading ------------------------------------------------------------------------------ */

/*
 * Every read_*() is called when r->event is the first event of its node and returns when it is the
 * last. 0, or ERR_CONFIG or -ENOMEM, which end the reading.
 */

struct reader {
	yaml_parser_t parser;
	yaml_event_t event;
	const char *path; /* of the file being read */
	const char *file; /* the same if it is a fragment; NULL: it is the main one */
	const char *text; /* of the whole file */
	const char *program;
	struct conf_faults *faults;
	struct conf_doc *doc;
	unsigned int depth;
	size_t faults_before; /* how many there were before this event */
};

/** A mapping: its slots, and whose element it is. */
struct record {
	struct slot *slots;
	size_t cnt;
	const struct conf_key *list; /* NULL: the file itself */
	size_t index;
};

static struct conf_mark to_mark(yaml_mark_t m)
{
	return (struct conf_mark){ (uint32_t)m.line + 1, (uint32_t)m.column + 1 };
}

static struct conf_mark here(const struct reader *r)
{
	struct conf_mark at = to_mark(r->event.start_mark);

	at.file = r->file;
	return at;
}

#define fault(r, at, ...) conf_faults_add((r)->faults, (r)->path, at, __VA_ARGS__)

/** libyaml's own words, and a remedy for what people meet most. */
static int syntax_fault(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem ? p->problem : "not YAML";
	struct conf_mark at = to_mark(p->problem_mark);
	size_t i;

	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (p->error == YAML_READER_ERROR) {
		/* Not a character: libyaml gives the octet only. */
		at = (struct conf_mark){ 1, 1 };
		for (i = 0; i < p->problem_offset && r->text[i]; i++) {
			at.column++;
			if (r->text[i] == '\n')
				at = (struct conf_mark){ at.line + 1, 1 };
		}
		fault(r, at, "%s: a configuration is UTF-8 text", problem);
	} else if (p->error == YAML_SCANNER_ERROR && p->buffer.pointer < p->buffer.last &&
		   *p->buffer.pointer == '\t') {
		fault(r, at, "%s: a tab cannot indent YAML, use spaces", problem);
	} else if (p->context) {
		fault(r, at, "%s, %s of line %zu", problem, p->context, p->context_mark.line + 1);
	} else {
		fault(r, at, "%s", problem);
	}
	return ERR_CONFIG;
}

static void event_done(struct reader *r)
{
	if (r->event.type == YAML_SCALAR_EVENT)
		explicit_bzero(r->event.data.scalar.value, r->event.data.scalar.length);
	yaml_event_delete(&r->event);
}

static void refuse_tag(struct reader *r, const yaml_char_t *tag)
{
	if (tag)
		fault(r, here(r), "tags (!name) are not allowed: write the value alone");
}

static int next(struct reader *r)
{
	event_done(r);
	if (!yaml_parser_parse(&r->parser, &r->event)) {
		r->event.type = YAML_NO_EVENT;
		return syntax_fault(r);
	}
	r->faults_before = faults_total(r->faults);
	/* Not a switch: it would have to name the kinds that need nothing. */
	if (r->event.type == YAML_ALIAS_EVENT) {
		fault(r, here(r), "aliases (*name) are not allowed: write the value out");
	} else if (r->event.type == YAML_SCALAR_EVENT) {
		refuse_tag(r, r->event.data.scalar.tag);
	} else if (r->event.type == YAML_SEQUENCE_START_EVENT) {
		refuse_tag(r, r->event.data.sequence_start.tag);
		r->depth++;
	} else if (r->event.type == YAML_MAPPING_START_EVENT) {
		refuse_tag(r, r->event.data.mapping_start.tag);
		r->depth++;
	} else if (r->event.type == YAML_SEQUENCE_END_EVENT ||
		   r->event.type == YAML_MAPPING_END_EVENT) {
		r->depth--;
	}
	if (r->depth > DEPTH_MAX) {
		fault(r, here(r), "nested more than %d deep", DEPTH_MAX);
		return ERR_CONFIG;
	}
	return 0;
}

static bool is_start(const struct reader *r)
{
	return r->event.type == YAML_SEQUENCE_START_EVENT ||
	       r->event.type == YAML_MAPPING_START_EVENT;
}

static int skip(struct reader *r)
{
	unsigned int depth = r->depth;
	int err = 0;

	if (!is_start(r))
		return 0;
	while (err == 0 && r->depth >= depth)
		err = next(r);
	return err;
}

/** "key:" with nothing behind it, or YAML's words for nothing. */
static bool is_null(const struct reader *r)
{
	const char *text;

	if (r->event.type != YAML_SCALAR_EVENT ||
	    r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	text = (const char *)r->event.data.scalar.value;
	return text[0] == '\0' || strcmp(text, "~") == 0 || strcasecmp(text, "null") == 0;
}

/** Is the scalar a C string, or cut short by an octet of zero? */
static bool is_whole(const struct reader *r)
{
	return strlen((const char *)r->event.data.scalar.value) == r->event.data.scalar.length;
}

/** Is a value of one piece there, in a form that the row takes? If not, says so. */
static bool is_scalar_for(struct reader *r, const struct conf_key *row, const char *what)
{
	bool is_quoted = r->event.type == YAML_SCALAR_EVENT &&
			 r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;

	if (r->event.type == YAML_ALIAS_EVENT)
		return false; /* next() has said it */
	if (r->event.type != YAML_SCALAR_EVENT)
		fault(r, here(r), "%s: one value is wanted here, not a %s", what,
		      r->event.type == YAML_SEQUENCE_START_EVENT ? "list" : "mapping");
	else if (is_null(r))
		fault(r, here(r), "%s: a value is missing: give one, or leave the key out", what);
	else if (!is_whole(r))
		fault(r, here(r), "%s: control characters are not allowed", what);
	else if (is_quoted && row->type == CONF_BOOL)
		fault(r, here(r), "%s: true or false is wanted, without quotes", what);
	else if (is_quoted && (row->type == CONF_UINT || row->type == CONF_SECONDS))
		fault(r, here(r), "%s: a number is wanted, without quotes", what);
	else
		return true;
	return false;
}

/** A value that was stored: is it one to think about? */
static void warn_of(struct reader *r, const struct conf_key *row, const char *text, void *base)
{
	const void *field = (char *)base + row->offset;
	struct addr_prefix p;
	const char *why;

	if (!row->warn || !r->faults->warnings)
		return;
	if (row->type == CONF_PREFIX_SET) {
		if (addr_prefix_parse(text, &p) < 0)
			return;
		field = &p;
	}
	why = row->warn(field);
	if (why)
		conf_warnings_add(r->faults, r->path, here(r), "%s: %s", row->path, why);
}

typedef int store_fn(const struct conf_key *row, const char *text, void *base, struct why why);

static int read_scalar(struct reader *r, const struct conf_key *row, void *base, const char *what,
		       store_fn *store)
{
	char why[WHY_MAX];
	int err;

	if (!is_scalar_for(r, row, what))
		return skip(r);
	err = store(row, (const char *)r->event.data.scalar.value, base,
		    (struct why){ why, sizeof(why) });
	if (err == ERR_INVALID) {
		fault(r, here(r), "%s: %s", what, why);
		return 0;
	}
	if (err == 0)
		warn_of(r, row, (const char *)r->event.data.scalar.value, base);
	return err;
}

/** Opens a list. False: there is none to walk; if that is wrong, it has been said. */
static bool list_begins(struct reader *r, const char *what, const char *form)
{
	if (r->event.type == YAML_SEQUENCE_START_EVENT)
		return true;
	/* "mobile-nodes:" whose every element is commented out is an empty list. */
	if (r->event.type != YAML_ALIAS_EVENT && !is_null(r))
		fault(r, here(r), "%s: a list is wanted here: %s", what, form);
	return false;
}

static int read_scalar_list(struct reader *r, const struct conf_key *row, void *base)
{
	struct conf_mark at = here(r);
	size_t faults = r->faults_before, cnt = 0;
	int err;

	if (list_begins(r, row->path, "[A, B], or one a line after \"- \"")) {
		while ((err = next(r)) == 0 && r->event.type != YAML_SEQUENCE_END_EVENT) {
			err = read_scalar(r, row, base, row->path, store_item);
			if (err < 0)
				return err;
			cnt++;
		}
	} else {
		err = skip(r);
	}
	if (err == 0 && cnt < row->min && faults_total(r->faults) == faults)
		fault(r, at, "%s: an empty list: at least %u wanted", row->path, row->min);
	return err;
}

static int read_mapping(struct reader *r, struct record *rec, const char *section);

/** Is a list empty that should not be? Its count stands beside it, or in it. */
static bool is_unwisely_empty(const struct slot *s)
{
	if (!s->row->warn_empty || s->faulty)
		return false;
	if (s->row->type == CONF_PREFIX_SET || s->row->type == CONF_ADDRESS_SET)
		return ((struct addr_set *)((char *)s->base + s->row->offset))->cnt == 0;
	return has_count(s->row) && *count_of(s->row, s->base) == 0;
}

/** Do several prefixes make up everything? Of one that does, its item has been told. */
static bool is_unwisely_all(const struct slot *s)
{
	const struct addr_set *set = (struct addr_set *)((char *)s->base + s->row->offset);

	return s->row->warn_all && s->row->type == CONF_PREFIX_SET && !s->faulty && set->cnt > 1 &&
	       addr_set_is_all(set);
}

/** What is sound in a faulty one stays, so that checks across keys find its other faults. */
static bool keeps_what_is_sound(const struct conf_key *row)
{
	return row->type == CONF_MAPPINGS || row->type == CONF_ADDRESS_SET ||
	       row->type == CONF_PREFIX_SET;
}

/** What was required and not given, and the defaults of what has no value. */
static int record_finish(struct reader *r, struct record *rec)
{
	struct slot *s;
	int err;

	for (s = rec->slots; s < rec->slots + rec->cnt; s++) {
		if (!s->given && s->row->required) {
			fault(r, s->section_at, "%s: required, and not given", s->row->path);
			s->faulty = true;
		}
		if (s->faulty && !keeps_what_is_sound(s->row))
			row_done(s->row, s->base);
		if ((!s->given || s->faulty) && s->row->dflt) {
			err = store_default(s->row, r->program, s->base);
			if (err < 0)
				return err;
		}
		if (is_unwisely_empty(s))
			conf_warnings_add(r->faults, r->path, s->given ? s->at : s->section_at,
					  "%s: %s", s->row->path, s->row->warn_empty);
		if (is_unwisely_all(s))
			conf_warnings_add(r->faults, r->path, s->at, "%s: %s", s->row->path,
					  s->row->warn_all);
	}
	return 0;
}

static size_t rows_count(const struct conf_key *rows)
{
	size_t cnt = 0;

	while (rows[cnt].path)
		cnt++;
	return cnt;
}

/** Reads one element into zeroed memory. */
static int read_element(struct reader *r, const struct conf_key *list, size_t index, void *element)
{
	struct conf_mark at = here(r);
	struct record rec = { .cnt = rows_count(list->rows), .list = list, .index = index };
	size_t i;
	int err;

	err = mark_add(r->doc, (struct element_mark){ .list = list, .index = index, .at = at });
	if (err < 0)
		return err;
	if (r->event.type != YAML_MAPPING_START_EVENT) {
		if (r->event.type != YAML_ALIAS_EVENT)
			fault(r, at, "%s: each element is a mapping: \"- %s: ...\"", list->path,
			      list->rows[0].path);
		return skip(r);
	}
	rec.slots = calloc(rec.cnt, sizeof(*rec.slots));
	if (!rec.slots)
		return -ENOMEM;
	for (i = 0; i < rec.cnt; i++)
		rec.slots[i] = (struct slot){ &list->rows[i], element, .section_at = at };
	err = read_mapping(r, &rec, "");
	if (err == 0)
		err = record_finish(r, &rec);
	free(rec.slots);
	return err;
}

/** Appends an element to the array; its capacity is the next power of two. */
static int element_keep(const struct conf_key *row, void *base, const void *element)
{
	char **array = (char **)((char *)base + row->offset);
	size_t *cnt = count_of(row, base);
	char *grown;

	if ((*cnt & (*cnt - 1)) == 0) {
		grown = reallocarray(*array, *cnt ? 2 * *cnt : 1, row->element_size);
		if (!grown)
			return -ENOMEM;
		*array = grown;
	}
	memcpy(*array + *cnt * row->element_size, element, row->element_size);
	(*cnt)++;
	return 0;
}

static int read_mappings(struct reader *r, const struct conf_key *row, void *base)
{
	struct conf_mark at = here(r);
	const size_t faults_at_first = r->faults_before;
	size_t faults, marks, cnt = 0;
	char *element;
	int err;

	element = malloc(row->element_size);
	if (!element)
		return -ENOMEM;
	if (!list_begins(r, row->path, "one element after each \"- \"")) {
		err = skip(r);
		goto out;
	}
	while ((err = next(r)) == 0 && r->event.type != YAML_SEQUENCE_END_EVENT) {
		faults = r->faults_before;
		marks = r->doc->mark_cnt;
		memset(element, 0, row->element_size);
		err = read_element(r, row, *count_of(row, base), element);
		if (err == 0 && faults_total(r->faults) == faults)
			err = element_keep(row, base, element);
		else
			r->doc->mark_cnt = marks;
		if (err < 0 || faults_total(r->faults) != faults)
			conf_done(row->rows, element);
		if (err < 0)
			break;
		cnt++;
	}
out:
	if (err == 0 && cnt < row->min && faults_total(r->faults) == faults_at_first)
		fault(r, at, "%s: an empty list: at least %u wanted", row->path, row->min);
	free(element);
	return err;
}

/** A list goes on in another file; anything else has one value. */
static bool goes_on(const struct reader *r, const struct slot *s)
{
	bool is_list = s->row->type == CONF_MAPPINGS ||
		       (is_scalar_list(s->row) && s->row->type != CONF_ENUM_LIST);

	return is_list && s->last_file != r->file;
}

static int read_value(struct reader *r, struct record *rec, struct slot *s)
{
	size_t faults = r->faults_before;
	struct conf_file *file = &r->doc->files[r->doc->file_cnt - 1];
	int err;

	if (s->row->type == CONF_INCLUDE && r->file) {
		fault(r, here(r), "%s: a fragment includes no other files", s->row->path);
		return skip(r);
	}
	if (s->given && !goes_on(r, s)) {
		fault(r, here(r), "%s: given a second time; the first is in %s%sline %u",
		      s->row->path, s->at.file != r->file ? r->doc->files[0].path : "",
		      s->at.file != r->file ? ", " : "", s->at.line);
		s->faulty = true;
		return skip(r);
	}
	if (s->row->type == CONF_KEY && !file->has_key) {
		file->has_key = true;
		file->key_at = here(r);
	}
	if (!s->given)
		s->at = here(r);
	s->given = true;
	s->last_file = r->file;
	if (rec->list) {
		err = mark_add(r->doc,
			       (struct element_mark){ rec->list, s->row, rec->index, s->at });
		if (err < 0)
			return err;
	}
	if (s->row->type == CONF_MAPPINGS)
		err = read_mappings(r, s->row, s->base);
	else if (is_scalar_list(s->row))
		err = read_scalar_list(r, s->row, s->base);
	else
		err = read_scalar(r, s->row, s->base, s->row->path, store_scalar);
	/* A list of mappings keeps its sound elements: checks across keys go on with them. */
	s->faulty |= faults_total(r->faults) != faults;
	return err;
}

/** Does the row lie in the section? "" holds all. */
static bool is_in(const struct conf_key *row, const char *section)
{
	size_t len = strlen(section);

	return len == 0 || (strncmp(row->path, section, len) == 0 && row->path[len] == '.');
}

static unsigned int words_of(const char *path)
{
	unsigned int words = 1;

	while ((path = strchr(path, '.'))) {
		path++;
		words++;
	}
	return words;
}

static int read_section(struct reader *r, struct record *rec, const char *path)
{
	struct conf_mark at = here(r);
	struct slot *s, *first = NULL;
	uint32_t bit = 1u << (words_of(path) % 32);

	for (s = rec->slots; s < rec->slots + rec->cnt; s++) {
		if (!is_in(s->row, path))
			continue;
		if (!first)
			first = s;
		if (first->sections_given & bit) {
			fault(r, at, "%s: given a second time; the first is in line %u", path,
			      s->section_at.line);
			return skip(r);
		}
		s->section_at = at;
	}
	assert(first); /* no section is empty */
	if (r->event.type == YAML_MAPPING_START_EVENT) {
		first->sections_given |= bit;
		return read_mapping(r, rec, path);
	}
	/* A section whose every key is commented out is nothing, but not wrong. */
	if (r->event.type != YAML_ALIAS_EVENT && !is_null(r))
		fault(r, at, "%s: a mapping is wanted here: keys below it, further indented", path);
	first->sections_given |= bit;
	return skip(r);
}

/** The word of a row that would stand in the section: "port" of "home-agent.port". */
static void word_in(const struct conf_key *row, const char *section, char *word, size_t size)
{
	const char *from = row->path + (section[0] ? strlen(section) + 1 : 0);

	snprintf(word, size, "%.*s", (int)strcspn(from, "."), from);
}

/** The nearest key we know; else the same key where it belongs; else all that we know here. */
static void unknown_key(struct reader *r, const struct record *rec, const char *section,
			const char *key)
{
	char why[WHY_MAX] = "", word[PATH_MAX_LEN], nearest[PATH_MAX_LEN] = "",
	     last[PATH_MAX_LEN] = "";
	size_t best = SIZE_MAX;
	const struct slot *s;
	const char *leaf;

	append(why, sizeof(why), "unknown key %s", quote(key).s);
	if (section[0] || rec->list)
		append(why, sizeof(why), " in \"%s\"", section[0] ? section : rec->list->path);
	for (s = rec->slots; s < rec->slots + rec->cnt; s++) {
		if (!is_in(s->row, section))
			continue;
		word_in(s->row, section, word, sizeof(word));
		if (is_nearer(key, word, &best))
			strcpy(nearest, word);
	}
	if (nearest[0]) {
		fault(r, here(r), "%s; did you mean \"%s\"?", why, nearest);
		return;
	}
	for (s = rec->slots; s < rec->slots + rec->cnt; s++) {
		leaf = strrchr(s->row->path, '.');
		if (leaf && (strcmp(leaf + 1, key) == 0 || strcmp(s->row->path, key) == 0)) {
			fault(r, here(r), "%s; \"%s\" stands below \"%.*s\"", why, leaf + 1,
			      (int)(leaf - s->row->path), s->row->path);
			return;
		}
	}
	append(why, sizeof(why), "; known here:");
	for (s = rec->slots; s < rec->slots + rec->cnt; s++) {
		if (!is_in(s->row, section))
			continue;
		word_in(s->row, section, word, sizeof(word));
		if (strcmp(word, last) != 0)
			append(why, sizeof(why), "%s %s", last[0] ? "," : "", word);
		strcpy(last, word);
	}
	fault(r, here(r), "%s", why);
}

/** Leads to the key's value: its slot, or true in *ret_section. Neither: unknown, and said. */
static struct slot *find_key(struct reader *r, struct record *rec, const char *section,
			     const char *key, char path[static PATH_MAX_LEN], bool *ret_section)
{
	size_t i;
	int len = snprintf(path, PATH_MAX_LEN, "%s%s%s", section, section[0] ? "." : "", key);

	*ret_section = false;
	if (len < PATH_MAX_LEN && key[0] && !strchr(key, '.')) {
		for (i = 0; i < rec->cnt; i++) {
			if (strcmp(rec->slots[i].row->path, path) == 0)
				return &rec->slots[i];
			if (is_in(rec->slots[i].row, path)) {
				*ret_section = true;
				return NULL;
			}
		}
	}
	unknown_key(r, rec, section, key);
	return NULL;
}

static int read_mapping(struct reader *r, struct record *rec, const char *section)
{
	char path[PATH_MAX_LEN];
	struct slot *s;
	bool is_section;
	int err;

	while ((err = next(r)) == 0 && r->event.type != YAML_MAPPING_END_EVENT) {
		s = NULL;
		is_section = false;
		if (r->event.type == YAML_SCALAR_EVENT && is_whole(r)) {
			s = find_key(r, rec, section, (const char *)r->event.data.scalar.value,
				     path, &is_section);
		} else {
			if (r->event.type != YAML_ALIAS_EVENT)
				fault(r, here(r), "a key is a word");
			err = skip(r);
		}
		if (err == 0)
			err = next(r);
		if (err < 0)
			return err;
		if (s)
			err = read_value(r, rec, s);
		else if (is_section)
			err = read_section(r, rec, path);
		else
			err = skip(r);
		if (err < 0)
			return err;
	}
	return err;
}

static int read_document(struct reader *r, struct record *rec)
{
	int err = next(r); /* the stream begins */

	if (err == 0)
		err = next(r);
	if (err == 0 && r->event.type == YAML_DOCUMENT_START_EVENT)
		err = next(r);
	if (err < 0)
		return err;
	if (r->file && (r->event.type == YAML_STREAM_END_EVENT || is_null(r)))
		return 0; /* a fragment whose every line is commented out */
	if (r->event.type == YAML_STREAM_END_EVENT || is_null(r)) {
		fault(r, ((struct conf_mark){ 1, 1 }), "nothing is configured in this file");
		return ERR_CONFIG;
	}
	if (r->event.type != YAML_MAPPING_START_EVENT) {
		fault(r, here(r), "a configuration is a mapping: lines of \"key: value\"");
		return ERR_CONFIG;
	}
	err = read_mapping(r, rec, "");
	if (err == 0)
		err = next(r); /* the document ends */
	if (err == 0)
		err = next(r);
	if (err == 0 && r->event.type != YAML_STREAM_END_EVENT) {
		fault(r, here(r), "a second document begins here: a configuration is one");
		return ERR_CONFIG;
	}
	return err;
}

/** One slot a row, over all sections. */
static int doc_new(const struct conf_section *sections, size_t section_cnt,
		   struct conf_doc **ret_doc)
{
	struct conf_doc *doc = calloc(1, sizeof(*doc));
	const struct conf_key *row;
	size_t i, cnt = 0;

	for (i = 0; i < section_cnt; i++)
		cnt += rows_count(sections[i].rows);
	if (doc)
		doc->slots = calloc(cnt + 1, sizeof(*doc->slots));
	if (!doc || !doc->slots) {
		conf_doc_free(doc);
		return -ENOMEM;
	}
	for (i = 0; i < section_cnt; i++)
		for (row = sections[i].rows; row->path; row++)
			doc->slots[doc->slot_cnt++] =
				(struct slot){ row, sections[i].base, .section_at = { 1, 1 } };
	*ret_doc = doc;
	return 0;
}

/** Reads r->path, from the first octet to the last, into the slots. */
static int read_file(struct reader *r, struct record *rec)
{
	struct conf_file file = { .path = strdup(r->path) };
	struct conf_file *grown;
	char *text = NULL;
	size_t len = 0;
	int err;

	grown = reallocarray(r->doc->files, r->doc->file_cnt + 1, sizeof(*grown));
	if (grown)
		r->doc->files = grown;
	if (!grown || !file.path) {
		free(file.path);
		return -ENOMEM;
	}
	grown[r->doc->file_cnt++] = file;
	if (r->file)
		r->path = r->file = file.path; /* marks outlive the caller's name */
	err = conf_slurp(r->path, NULL, (struct conf_mark){ 1, 1 }, r->faults, &text, &len,
			 &grown[r->doc->file_cnt - 1].mode);
	if (err == 0 && !yaml_parser_initialize(&r->parser))
		err = -ENOMEM;
	if (err < 0)
		goto out;
	r->text = text;
	r->depth = 0;
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, len);
	for (struct slot *s = rec->slots; s < rec->slots + rec->cnt; s++)
		s->sections_given = 0; /* once in each file */
	err = read_document(r, rec);
	event_done(r);
	r->event.type = YAML_NO_EVENT;
	/* libyaml's window on the text; its other copies were the events, wiped one by one. */
	if (r->parser.buffer.start)
		explicit_bzero(r->parser.buffer.start,
			       (size_t)(r->parser.buffer.end - r->parser.buffer.start));
	yaml_parser_delete(&r->parser);
out:
	conf_wipe_free(text, len);
	return err;
}

/** The directory that the file asks to include, or NULL. */
static const struct slot *include_slot(const struct conf_doc *doc)
{
	size_t i;

	for (i = 0; i < doc->slot_cnt; i++)
		if (doc->slots[i].row->type == CONF_INCLUDE && doc->slots[i].given &&
		    !doc->slots[i].faulty)
			return &doc->slots[i];
	return NULL;
}

static int is_fragment(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && dot && strcmp(dot, ".yaml") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_fragments(struct reader *r, struct record *rec, const char *dir)
{
	struct dirent **entries = NULL;
	char *path;
	int i, cnt, err = 0;

	cnt = scandir(dir, &entries, is_fragment, by_name);
	if (cnt < 0)
		return -errno;
	for (i = 0; i < cnt; i++) {
		if (err == 0 && asprintf(&path, "%s/%s", dir, entries[i]->d_name) < 0)
			err = -ENOMEM;
		if (err == 0) {
			r->path = r->file = path;
			err = read_file(r, rec);
			free(path);
		}
		free(entries[i]);
	}
	free(entries);
	return err == -ENOMEM ? err : err < 0 ? ERR_CONFIG : 0;
}

static int read_includes(struct reader *r, struct record *rec)
{
	const char *main_path = r->path;
	const struct slot *s = include_slot(r->doc);
	const char *dir = s ? *(char **)((char *)s->base + s->row->offset) : NULL;
	const char *slash = strrchr(main_path, '/');
	struct conf_mark at = s ? s->at : (struct conf_mark){ 1, 1 };
	char *joined;
	int err;

	if (!s)
		return 0;
	if (asprintf(&joined, "%.*s%s%s", *dir == '/' || !slash ? 0 : (int)(slash - main_path),
		     main_path, *dir == '/' || !slash ? "" : "/", dir) < 0)
		return -ENOMEM;
	err = read_fragments(r, rec, joined);
	r->path = main_path;
	r->file = NULL;
	if (err < 0 && err != -ENOMEM && err != ERR_CONFIG) {
		fault(r, at, "%s: cannot read the directory %s: %s", s->row->path, joined,
		      err_text(err));
		err = ERR_CONFIG;
	}
	free(joined);
	return err;
}

int conf_read(const char *path, const char *program, const struct conf_section *sections,
	      size_t section_cnt, struct conf_faults *faults, struct conf_doc **ret_doc)
{
	struct reader r = { .path = path, .program = program, .faults = faults };
	struct record rec;
	int err;

	err = doc_new(sections, section_cnt, &r.doc);
	if (err < 0)
		return err;
	rec = (struct record){ .slots = r.doc->slots, .cnt = r.doc->slot_cnt };
	err = read_file(&r, &rec);
	if (err == 0)
		err = read_includes(&r, &rec);
	if (err == 0)
		err = record_finish(&r, &rec);
	if (err < 0)
		conf_doc_free(r.doc);
	else
		*ret_doc = r.doc;
	return err;
}

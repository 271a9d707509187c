/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A configuration in force, back into words: the rows in their order, each field as it would be
 * written. "hactl show config" asks, a few keys at a time, because mobile nodes may be a million;
 * the cursor counts rows and elements and so outlives a reload, which may then repeat or miss some.
 *
 * Keys of associations are told by their length and never shown.
 */
#include "common/addr.h"
#include "common/conf.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define FEW          16 /* elements of a list that are shown without being asked for */
#define TEXT_MAX     1024
#define PATH_MAX_LEN 160

struct text {
	char s[TEXT_MAX];
	size_t len;
};

static void put_text(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put_text(struct text *t, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(t->s + t->len, sizeof(t->s) - t->len, fmt, args);
	va_end(args);
	if (len < 0)
		return;
	t->len += (size_t)len;
	if (t->len < sizeof(t->s))
		return;
	strcpy(t->s + sizeof(t->s) - sizeof("..."), "..."); /* a long list */
	t->len = sizeof(t->s) - 1;
}

static size_t count_of(const struct conf_key *row, const void *base)
{
	return *(const size_t *)((const char *)base + row->aux);
}

/* Are the elements there? Their owner may have let them go, and kept the number. */
static bool has_elements(const struct conf_key *row, const void *base)
{
	return *(char *const *)((const char *)base + row->offset) != NULL;
}

const char *conf_unit(const struct conf_key *row)
{
	if (row->unit)
		return row->unit;
	return row->type == CONF_SECONDS ? "seconds" : NULL;
}

static void put_number(struct text *t, const struct conf_key *row, const void *field)
{
	if (row->size == sizeof(uint16_t))
		put_text(t, "%" PRIu16, *(const uint16_t *)field);
	else
		put_text(t, "%" PRIu32, *(const uint32_t *)field);
}

static void put_set(struct text *t, const struct conf_key *row, const struct addr_set *set)
{
	for (size_t i = 0; i < set->cnt; i++)
		put_text(t, "%s%s", i > 0 ? ", " : "",
			 row->type == CONF_ADDRESS_SET ? addr_text(set->prefixes[i].addr).s
						       : addr_prefix_text(set->prefixes[i]).s);
}

static void put_list(struct text *t, const struct conf_key *row, const void *base)
{
	const void *field = (const char *)base + row->offset;
	size_t cnt = 0;

	put_text(t, "[");
	if (row->type == CONF_PREFIX_SET || row->type == CONF_ADDRESS_SET)
		put_set(t, row, field);
	else
		cnt = count_of(row, base);
	for (size_t i = 0; i < cnt; i++)
		put_text(t, "%s%s", i > 0 ? ", " : "",
			 row->type == CONF_ENUM_LIST ? row->choices[((const int *)field)[i]]
						     : (*(char *const *const *)field)[i]);
	put_text(t, "]");
}

/* The value as it would be written; false: it has none. */
static bool put_value(struct text *t, const struct conf_key *row, const void *base)
{
	const void *field = (const char *)base + row->offset;
	const char *string;

	switch (row->type) {
	case CONF_BOOL:
		put_text(t, "%s", *(const bool *)field ? "true" : "false");
		return true;
	case CONF_UINT:
	case CONF_SECONDS:
		put_number(t, row, field);
		return true;
	case CONF_ENUM:
		put_text(t, "%s", row->choices[*(const int *)field]);
		return true;
	case CONF_STRING:
	case CONF_INCLUDE:
		string = *(char *const *)field;
		put_text(t, "%s", string ? string : "");
		return string != NULL;
	case CONF_CHARS:
		put_text(t, "%s", (const char *)field);
		return *(const char *)field != '\0';
	case CONF_ADDRESS:
		put_text(t, "%s", addr_text(*(const struct in_addr *)field).s);
		return !addr_is_any(*(const struct in_addr *)field);
	case CONF_PREFIX:
		put_text(t, "%s", addr_prefix_text(*(const struct addr_prefix *)field).s);
		return !row->has_aux || *((const bool *)base + row->aux);
	case CONF_KEY:
		put_text(t, "(hidden, %zu octets)", count_of(row, base));
		return count_of(row, base) > 0;
	case CONF_ENUM_LIST:
	case CONF_STRING_LIST:
	case CONF_ADDRESS_SET:
	case CONF_PREFIX_SET:
		put_list(t, row, base);
		return true;
	case CONF_MAPPINGS:
		put_text(t, "(%zu", count_of(row, base));
		if (has_elements(row, base))
			put_text(t, ", see show config %s", row->path);
		put_text(t, ")");
		return true;
	}
	return false;
}

/* Is it the key asked for, or in the section asked for? */
static bool is_under(const char *path, const char *under)
{
	size_t len = strlen(under);

	return strncmp(path, under, len) == 0 &&
	       (len == 0 || path[len] == '\0' || path[len] == '.' || path[len] == '[');
}

bool conf_show_knows(const struct conf_section *section, const char *under)
{
	size_t list_len = strcspn(under, "[");
	const struct conf_key *row;

	for (row = section->rows; row->path; row++) {
		if (is_under(row->path, under))
			return true;
		if (row->type == CONF_MAPPINGS && under[list_len] == '[' &&
		    strlen(row->path) == list_len && strncmp(row->path, under, list_len) == 0)
			return true;
	}
	return false;
}

/* The next key of an element; the cursor goes on to the next element behind its last. */
static void show_element(const struct conf_key *list, const void *base, const char *under,
			 struct conf_cursor *at,
			 void (*put)(void *ctx, const char *key, const char *value,
				     const struct conf_key *row),
			 void *ctx)
{
	const struct conf_key *row = &list->rows[at->field];
	const char *elements = *(char *const *)((const char *)base + list->offset);
	char path[PATH_MAX_LEN];
	struct text t = { .len = 0 };
	bool known = put_value(&t, row, elements + at->index * list->element_size);

	(void)snprintf(path, sizeof(path), "%s[%zu].%s", list->path, at->index, row->path);
	if (is_under(path, under))
		put(ctx, path, known ? t.s : NULL, row);
	at->field++;
	if (!list->rows[at->field].path) {
		at->field = 0;
		at->index++;
	}
}

bool conf_show_next(const struct conf_section *section, const char *under, struct conf_cursor *at,
		    void (*put)(void *ctx, const char *key, const char *value,
				const struct conf_key *row),
		    void *ctx)
{
	const struct conf_key *row = section->rows;
	struct text t = { .len = 0 };
	size_t cnt;

	for (size_t i = 0; i < at->row && row->path; i++)
		row++;
	if (!row->path)
		return false;
	if (row->type == CONF_MAPPINGS && strncmp(row->path, under, strcspn(under, "[")) == 0) {
		cnt = count_of(row, section->base);
		if (at->index < cnt && (cnt <= FEW || under[0]) &&
		    has_elements(row, section->base)) {
			show_element(row, section->base, under, at, put, ctx);
			return true;
		}
	}
	if (is_under(row->path, under) && at->index == 0)
		put(ctx, row->path, put_value(&t, row, section->base) ? t.s : NULL, row);
	*at = (struct conf_cursor){ .row = at->row + 1 };
	return true;
}

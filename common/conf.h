/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Configuration files: a key is a row. A table of rows says each key's path, type, place in a
 * struct, range, default and meaning; this engine reads a YAML 1.1 file by such tables and knows
 * no key itself. Every fault is reported with its line and column, not only the first.
 */
#ifndef COMMON_CONF_H
#define COMMON_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define CONF_FAULTS_MAX 100 /* kept; more are only counted */

/** Where in a file: both count from 1. */
struct conf_mark {
	uint32_t line, column;
	const char *file; /* a fragment, and owned by the document; NULL: the file itself */
};

struct conf_fault {
	char *file; /* owned */
	struct conf_mark at;
	char *text; /* owned: what is wrong, and what to do */
};

/** Zero-initialised is "no fault". */
struct conf_faults {
	struct conf_fault list[CONF_FAULTS_MAX]; /* by file, then by position */
	size_t cnt;
	size_t dropped;               /* faults beyond the limit */
	struct conf_faults *warnings; /* takes what is legal and unwise; NULL: nobody asks */
};

/** Adds a fault. at.file outranks file. Never put key material into its text. */
void conf_faults_add(struct conf_faults *faults, const char *file, struct conf_mark at,
		     const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/** The same for what is legal and unwise: into faults->warnings, if somebody reads it. */
#define conf_warnings_add(faults, ...)                                    \
	do {                                                              \
		if ((faults)->warnings)                                   \
			conf_faults_add((faults)->warnings, __VA_ARGS__); \
	} while (0)

/** FILE:LINE:COLUMN: error: WHAT IS WRONG, one a line; then the warnings in the same form. */
void conf_faults_print(const struct conf_faults *faults, FILE *out);

/** Frees, and leaves "no fault". */
void conf_faults_done(struct conf_faults *faults);

static inline bool conf_faults_any(const struct conf_faults *faults)
{
	return faults->cnt > 0 || faults->dropped > 0;
}

/** What a value is, and the C type of the field that takes it. */
enum conf_type {
	CONF_BOOL = 1,    /* bool */
	CONF_UINT,        /* uint16_t or uint32_t; decimal, or hexadecimal after 0x */
	CONF_SECONDS,     /* the same, in seconds */
	CONF_ENUM,        /* an enum; the value's place in choices */
	CONF_ENUM_LIST,   /* an array of enum in the struct, each choice once; count in aux */
	CONF_STRING,      /* char *, owned; min..max octets */
	CONF_CHARS,       /* char[], terminated */
	CONF_ADDRESS,     /* struct in_addr */
	CONF_PREFIX,      /* struct addr_prefix */
	CONF_KEY,         /* uint8_t *, owned, written in hex; octets in aux, min..max of them */
	CONF_STRING_LIST, /* char **, owned; count in aux */
	CONF_ADDRESS_SET, /* struct addr_set of /32, owned; written as a list of addresses */
	CONF_PREFIX_SET,  /* struct addr_set, owned; written as a list of prefixes */
	CONF_MAPPINGS,    /* struct *, owned: an array of elements read by `rows`; count in aux */
	CONF_INCLUDE,     /* char *, owned: the directory of fragments, see conf_read() */
};

/** A row. A table of rows ends with a zero row. */
struct conf_key {
	const char *path; /* kebab-case; dots lead into sections: "registration.max-lifetime" */
	enum conf_type type;
	size_t offset, size; /* of the field: CONF_FIELD() and its kin fill these */
	size_t aux;          /* offset of a list's count, a key's length (size_t) ... */
	bool has_aux;        /* ... or of a bool: the key was given; false: no such field */
	/* Of a number; octets of a string or key. Of a list: min elements, max octets of each. */
	uint32_t min, max;          /* max 0: as much as the field holds */
	const char *unit;           /* of a number, for faults and documentation */
	const char *const *choices; /* of an enum, in its order; NULL ends */
	const char *dflt;           /* as written in YAML; "{program}" stands for the daemon's name.
				     * NULL: none, the field stays zero. Not for CONF_MAPPINGS */
	bool required;
	const struct conf_key *rows; /* of the elements of CONF_MAPPINGS */
	size_t element_size;         /* of the same */
	/**
	 * A rule of this value alone: NULL, or what is wrong. Gets the field; of a list, each item
	 * (const char **, struct addr_prefix *). Not for CONF_ENUM_LIST and CONF_MAPPINGS.
	 */
	const char *(*check)(const void *field);
	/**
	 * Is a sound value unwise? NULL, or why. Gets the field; of a CONF_PREFIX_SET, each item.
	 * Not for other lists.
	 */
	const char *(*warn)(const void *field);
	const char *warn_all;   /* of a CONF_PREFIX_SET: why it is unwise that it has everything */
	const char *warn_empty; /* of a list: why it is unwise to have nothing in it */
	const char *doc;        /* sentences for the reference page */
};

#define CONF_SIZEOF(type, member) sizeof(((type *)0)->member)
/** The field that takes the value. */
#define CONF_FIELD(type, member) .offset = offsetof(type, member), .size = CONF_SIZEOF(type, member)
/** The field, and the one beside it: a count, a length, or a bool that says it was given. */
#define CONF_FIELD2(type, member, second) \
	CONF_FIELD(type, member), .aux = offsetof(type, second), .has_aux = true

/** A table, and the struct that its offsets are into. */
struct conf_section {
	const struct conf_key *rows;
	void *base; /* zeroed by the caller */
};

/** What is remembered of a file that was read: where each key stood. */
struct conf_doc;

/**
 * Reads a file into the structs of its sections. What is sound is filled in whatever else is
 * faulty, so that the caller's checks across keys can go on and all faults come at once; a faulty
 * or absent value is its default, and a faulty element of a list of mappings, addresses or prefixes
 * is left out.
 * Release the structs with conf_done(), also after faults.
 *
 * If a CONF_INCLUDE row is given, each *.yaml of that directory (relative to the file's own) is
 * read as if its keys stood in the file, in the order of their names: lists go on, and any other
 * key is given once in all files. A list of enum is one value.
 *
 * @param program  stands for "{program}" in defaults
 * @param faults   gets what is wrong
 * @retval 0           read; see conf_faults_any()
 * @retval ERR_CONFIG  no mapping could be read from the file to its end: the faults say why, and
 *                     checks across keys would only repeat it
 * @retval -ENOMEM
 * On error *ret_doc is untouched.
 */
int conf_read(const char *path, const char *program, const struct conf_section *sections,
	      size_t section_cnt, struct conf_faults *faults, struct conf_doc **ret_doc);

/** Takes NULL, returns NULL. The structs that were filled stay. */
struct conf_doc *conf_doc_free(struct conf_doc *doc);

/** A file that was read. */
struct conf_file {
	char *path;   /* owned */
	mode_t mode;  /* when it was opened */
	bool has_key; /* a value of CONF_KEY stands in it, sound or not: */
	struct conf_mark key_at;
};

/** The files that were read, the main one first, then its fragments; NULL behind the last. */
const struct conf_file *conf_doc_file(const struct conf_doc *doc, size_t i);

/** Was the key written in the file? */
bool conf_is_given(const struct conf_doc *doc, const char *path);

/** Is there no fault in the key's value, nor in any element below it? */
bool conf_is_sound(const struct conf_doc *doc, const char *path);

/** Where the key's value stands; its section if it was not given, else the file's beginning. */
struct conf_mark conf_where(const struct conf_doc *doc, const char *path);

/**
 * Where a key of one element of a list of mappings stands; the element itself if it was not given,
 * or if key is NULL. Searches the file's marks: for faults, not for every element.
 * @param index  of the element in the array that was filled
 */
struct conf_mark conf_where_in(const struct conf_doc *doc, const char *list, size_t index,
			       const char *key);

/** Frees what the rows own (keys are wiped first) and zeroes those fields. */
void conf_done(const struct conf_key *rows, void *base);

/** The same for a struct that is freed next: nothing is zeroed but the keys. */
void conf_drop(const struct conf_key *rows, void *base);

/**
 * The whole of a file, terminated by a zero octet that *ret_len does not count. To be released with
 * conf_wipe_free(), because it may hold keys. A failure is put among the faults.
 * @param at  where in `from` the file is named; from NULL: the fault is the file's own
 * @retval ERR_CONFIG  it cannot be read
 * @retval -ENOMEM
 */
int conf_slurp(const char *path, const char *from, struct conf_mark at, struct conf_faults *faults,
	       char **ret_text, size_t *ret_len, mode_t *ret_mode);

/** Wipes, then frees. Takes NULL. */
void conf_wipe_free(void *p, size_t len);

/**
 * One value, written as in YAML but from elsewhere (a field of a line), by its row: same rules,
 * same words.
 *
 * @param text  terminated; quoted in no fault if it may be a key
 * @retval 0           stored in the row's field of base
 * @retval ERR_INVALID what is wrong is in `why`
 * @retval -ENOMEM
 */
int conf_value(const struct conf_key *row, const char *text, void *base, char *why,
	       size_t why_size);

/** Where conf_show_next() is. Zero-initialised is the beginning; survives a reload. */
struct conf_cursor {
	size_t row, index, field;
};

/**
 * Shows some more of a struct that was filled: calls put() for a bounded number of keys, each with
 * its value as it would be written, "mobile-nodes[0].spi" for those of elements. Of a long list of
 * mappings only the number is told, unless `under` names it. Keys are hidden.
 *
 * @param under  "": all; else only this key or section, and what is below
 * @return false once all was shown
 */
bool conf_show_next(const struct conf_section *section, const char *under, struct conf_cursor *at,
		    void (*put)(void *ctx, const char *key, const char *value,
				const struct conf_key *row),
		    void *ctx);

/** May there be something to show under this key? Only if a row or a section is called so. */
bool conf_show_knows(const struct conf_section *section, const char *under);

/** "seconds", "octets", ...; NULL: none. */
const char *conf_unit(const struct conf_key *row);

/** The row of a path, or NULL. */
const struct conf_key *conf_row(const struct conf_key *rows, const char *path);

#endif

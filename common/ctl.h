/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The control socket, both ends: a daemon answers an operator's requests, hactl asks. Commands
 * are rows; neither end knows what the other's words mean.
 *
 * The protocol, version 1: text over a unix stream socket, one request a connection.
 *
 *	request   ctl/1 WORD WORD ... LF
 *	answer    head LF, row LF ..., "end" LF; fields are separated by TAB
 *	head      ctl/1 error SENTENCE         the request was understood and refused
 *	          ctl/1 usage SENTENCE         it was no request: no such command, or not so
 *	          ctl/1 message SENTENCE
 *	          ctl/1 record
 *	          ctl/1 table SENTENCE-WHEN-EMPTY NAME:TYPE[:detail] ...
 *	          ctl/1 live SENTENCE NAME:TYPE[:detail] ...    a table; rows come as things happen
 *	row       row VALUE ...              of a table: one value a column
 *	          row NAME:TYPE VALUE        of a record: one field
 *	TYPE      string, number (0..2^64-1), bool (true, false), list (words, a blank between two)
 *	VALUE     \N is null; \\ \t \n \xNN stand for octets that would break a line or a field
 *
 * An answer without its end line was cut off. The order of a table's rows means nothing. A detail
 * column may be left out where there is little room.
 */
#ifndef COMMON_CTL_H
#define COMMON_CTL_H

#include "common/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CTL_REQUEST_MAX 16384 /* octets of a request line, LF included */
#define CTL_WORD_MAX    16    /* words of a request */
#define CTL_COLUMN_MAX  32    /* columns of a table */

enum ctl_type { CTL_STRING, CTL_NUMBER, CTL_BOOL, CTL_LIST };

/* ---- The daemon's end ---- */

struct ctl_server;

/** One client and the answer it gets. Valid in a command's run() and in a table's next(). */
struct ctl_reply;

struct ctl_column {
	const char *name; /* kebab-case: the key in JSON */
	enum ctl_type type;
	bool detail; /* may be left out on a narrow terminal */
};

/** A command is a row; a table of them ends with a zero row. */
struct ctl_command {
	const char *words; /* "show bindings" */
	const char
		*synopsis; /* of its arguments: "HOME-ADDRESS", "[LEVEL]" for an optional one, "" */
	const char *doc;   /* a short sentence for "help" */
	/**
	 * Answers with exactly one of ctl_error(), ctl_message(), ctl_record() with its fields, or
	 * ctl_table() with its rows. The number of arguments has been checked against the synopsis.
	 */
	void (*run)(void *ctx, struct ctl_reply *r, int argc, char **argv);
};

struct ctl_conf {
	const char *path;                   /* of the socket */
	const char *group;                  /* name or number; NULL: the daemon's own */
	const struct ctl_command *commands; /* not owned; "help" is added */
	void *ctx;                          /* for run() */
	unsigned int client_max; /* 0: 32; of more, one that asks or reads nothing must go */
	uint32_t request_ms; /* a request must be whole this long after the client came; 0: 5 s */
	uint32_t
		stall_ms; /* a client must take something in this time; 0: 5 min, a pager's pause */
	uint32_t look_ms; /* between two looks whether the socket's name is there; 0: 5 s */
	/**
	 * Other hands took the socket's name away: it is back (0), or cannot be (-errno;
	 * -EADDRINUSE: somebody else answers there, -ENOTSOCK: it is something else by now) and is
	 * tried at each look. Told once for each change; or NULL.
	 */
	void (*name_was_gone)(void *ctx, const char *path, int rc);
};

/**
 * Opens the socket, mode 0660. Its directory is made if it is missing (0755). A socket that a dead
 * daemon left is replaced.
 *
 * @retval -EADDRINUSE    somebody answers there
 * @retval -ENOTSOCK      the path names something else, which is left alone
 * @retval -ENAMETOOLONG  the path does not fit a socket address
 * @retval ERR_NOT_FOUND  there is no such group
 * @retval -errno         what the system refused; nothing is left behind
 */
int ctl_server_open(struct loop *l, const struct ctl_conf *conf, struct ctl_server **ret_server);

/**
 * Drops every client, removes the socket and, if it was made here and is empty, the directory.
 * Takes NULL, returns NULL. Not to be called from a command.
 */
struct ctl_server *ctl_server_close(struct ctl_server *s);

/** Answers with a sentence: an error says what to do. */
void ctl_error(struct ctl_reply *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void ctl_message(struct ctl_reply *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Begins a flat record; ctl_field() and one value follow for each field. */
void ctl_record(struct ctl_reply *r);
void ctl_field(struct ctl_reply *r, const char *name, enum ctl_type type);

/**
 * Begins a table; ctl_row() and one value for each column follow for each row, in run() itself if
 * they are few, else in ctl_stream()'s next().
 *
 * @param columns    outlive the reply
 * @param empty_fmt  the sentence for a person when there are no rows
 */
void ctl_table(struct ctl_reply *r, const struct ctl_column *columns, size_t column_cnt,
	       const char *empty_fmt, ...) __attribute__((format(printf, 4, 5)));
void ctl_row(struct ctl_reply *r);

/**
 * Begins a table of what happens from now on; ctl_stream() follows, whose next() returns CTL_IDLE
 * when there is nothing to tell, and is asked again after ctl_wake().
 */
void ctl_live(struct ctl_reply *r, const struct ctl_column *columns, size_t column_cnt);
void ctl_wake(struct ctl_reply *r);

/** The next value, of the type its column or field says. */
void ctl_string(struct ctl_reply *r, const char *value);             /* NULL: null; or a list */
void ctl_octets(struct ctl_reply *r, const void *value, size_t len); /* a string, any octets */
void ctl_number(struct ctl_reply *r, uint64_t value);
void ctl_bool(struct ctl_reply *r, bool value);
void ctl_null(struct ctl_reply *r); /* of any type */

/**
 * Rows of a long table, made only as fast as the client reads. next() is called a bounded number
 * of times each time the client has room, with whatever happens in the daemon in between: the
 * cursor must not point at what may be freed. A step does a bounded amount of work and makes any
 * number of rows, none included.
 *
 * @param next  1: there is more; 0: that was all; negative: the answer is cut off; CTL_IDLE: more
 *              after ctl_wake()
 * @param done  called once, at the end or when the client is gone; frees the cursor
 */
enum { CTL_IDLE = 2 };
void ctl_stream(struct ctl_reply *r, int (*next)(void *cursor, struct ctl_reply *r),
		void (*done)(void *cursor), void *cursor);

/**
 * The answer is made later: by answer(), in ctl_answer_deferred(). Who asked waits; if it goes
 * meanwhile, nobody is answered.
 */
void ctl_defer(struct ctl_reply *r, void (*answer)(void *ctx, struct ctl_reply *r, int result));

/** Everybody who waits is answered. Not to be called from a command. */
void ctl_answer_deferred(struct ctl_server *s, int result);

/** Who asks, as the kernel says: for the log. */
uid_t ctl_uid(const struct ctl_reply *r);

/* ---- The operator's end; blocking ---- */

struct ctl_client;

enum ctl_shape { CTL_ERROR, CTL_USAGE, CTL_MESSAGE, CTL_RECORD, CTL_TABLE, CTL_LIVE };

/** What the head of an answer says; owned by the client. */
struct ctl_head {
	enum ctl_shape shape;
	const char *text; /* the sentence; of a table: when it has no rows. "" for a record */
	struct ctl_column columns[CTL_COLUMN_MAX]; /* of a table */
	size_t column_cnt;
};

/** A value; octets may be any, a zero follows them. */
struct ctl_value {
	const char *text; /* NULL: null. A number is decimal digits, a bool "true" or "false" */
	size_t len;
};

/** Connects. @param timeout_ms  for this and each later wait. @retval -errno of connect(2) */
int ctl_client_open(const char *path, uint32_t timeout_ms, struct ctl_client **ret_client);
struct ctl_client *ctl_client_close(struct ctl_client *c);

/**
 * Sends the request and reads the head of the answer. The rows of a live one are then waited for
 * without end.
 * @retval ERR_NO_SPACE   the request is longer than CTL_REQUEST_MAX
 * @retval ERR_INVALID    no word, or an empty one
 * @retval ERR_TRUNCATED  the answer was cut off
 * @retval ERR_MALFORMED  that is no answer of this protocol
 * @retval -EAGAIN        no answer in time
 * @retval -errno
 */
int ctl_client_ask(struct ctl_client *c, char *const *words, size_t word_cnt,
		   const struct ctl_head **ret_head);

/**
 * The next row of a table (head's column_cnt values) or field of a record (one value, described
 * by *out_field, which may be NULL for a table). Valid until the next call.
 * @retval 1  a row
 * @retval 0  the end of the answer: it is complete
 * @return    errors as above
 */
int ctl_client_row(struct ctl_client *c, struct ctl_value *out_values,
		   struct ctl_column *out_field);

#endif

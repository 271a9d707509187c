/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Log lines to stderr: "PROGRAM: LEVEL: message key=value ..."; or, where stderr is the journal
 * ($JOURNAL_STREAM), to the journal itself, each pair a field as well (log_journal.h), and
 * "<N>message key=value ..." to stderr should it not take that. The first pair is event=NAME
 * wherever something happened that an operator may want to search for.
 *
 * Levels say who must act: error, someone now; warning, someone soon; notice, a security
 * exception; info, a state change; debug, us.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/**
 * Limits one kind of line that a stranger can provoke: a burst, then so many a second. What it
 * suppresses is counted, and the next line that passes ends with suppressed=N. A line that never
 * comes would hide the count, so log_flush_limits() writes "N more" for limits left over.
 * Static storage, zero but for the three settings: it stays listed while it holds something back.
 */
struct log_limit {
	uint32_t burst;       /* lines at once */
	uint32_t interval_ms; /* one more line each interval */
	const char *event;    /* for the summary line of log_flush_limits() */
	/* state */
	uint64_t refilled_ms;
	uint32_t tokens;
	bool primed;
	uint64_t suppressed;
	enum log_level level;   /* of what was suppressed last */
	struct log_limit *next; /* limits with something suppressed */
	bool listed;
};

/**
 * Sets the name that stands first in each line outside the journal, and the level. Also ignores
 * SIGPIPE: a log whose reader is gone must not end the daemon.
 */
void log_open(const char *name, enum log_level level);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/** "error" .. "debug". @retval ERR_INVALID; *ret is written only on success */
int log_level_parse(const char *text, enum log_level *ret);
const char *log_level_name(enum log_level level);

bool log_enabled(enum log_level level);

/** Text of a value that came from outside; lives as long as the full expression that made it. */
struct log_value {
	char s[256];
};

/**
 * Octets from outside as the value of one pair: what could end the value or forge another (blanks,
 * quotes, '=', '\', anything but printable ASCII) is written as \xNN; a long value ends in "...".
 */
struct log_value log_value(const void *octets, size_t len);

/**
 * Writes one line with one write(2). Whatever is not printable ASCII in the formatted text is
 * written as \xNN, so that nothing from outside can forge a line. Never waits: a line for which
 * stderr has no room is lost, and the next that passes says how many were.
 */
void log_write(enum log_level level, const char *message, const char *pairs_fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * Asks a limit before a line is put together: may it be written, now, with log_write_taken()? If
 * not it is counted as suppressed (unless nobody wants its level). @param now_ms monotonic
 */
bool log_take(struct log_limit *limit, uint64_t now_ms, enum log_level level);

/** The line for which log_take() said yes. True if it was written. */
bool log_write_taken(struct log_limit *limit, enum log_level level, const char *message,
		     const char *pairs_fmt, ...) __attribute__((format(printf, 4, 5)));

/** The same in one call. @param now_ms monotonic. True if the line was written. */
bool log_write_limited(struct log_limit *limit, uint64_t now_ms, enum log_level level,
		       const char *message, const char *pairs_fmt, ...)
	__attribute__((format(printf, 5, 6)));

/** Counts a line as suppressed that something else than the limit held back. */
void log_suppress(struct log_limit *limit, enum log_level level);

/** Of a handler of a signal that ends the daemon: one line, an error, and nothing but write(2). */
void log_last_words(const char *text);

/** Writes one summary line for each limit that has suppressed lines for an interval or more. */
void log_flush_limits(uint64_t now_ms);

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                           \
	do {                                                     \
		if (log_enabled(LOG_LEVEL_DEBUG))                \
			log_write(LOG_LEVEL_DEBUG, __VA_ARGS__); \
	} while (0)

#endif

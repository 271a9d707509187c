/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Log lines. Three promises, each because strangers can make a home agent write:
 *
 *  - A line is a line. Text is escaped after it was formatted, so whatever a packet carried can
 *    neither begin a new line nor hide one from a terminal.
 *  - A flood in the network is no flood in the log. Each kind of line that a stranger can provoke
 *    has a struct log_limit: a token bucket that counts what it holds back. Limits that hold
 *    something back are on a list, so that log_flush_limits(), called by the daemon's timer, can
 *    tell the count even if the next such line never comes.
 *  - The log never stalls the daemon. If whoever reads stderr has stopped reading, lines are
 *    dropped and counted.
 *
 * One thread, state of the process. Lines are shorter than PIPE_BUF, so that daemons which share a
 * pipe do not cut each other's.
 */
#include "common/log.h"

#include "common/err.h"
#include "common/log_journal.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_LEN 2048 /* octets, with the newline */

static const struct {
	const char *name;
	int priority; /* of syslog(3), for the journal */
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", 3 },   [LOG_LEVEL_WARNING] = { "warning", 4 },
	[LOG_LEVEL_NOTICE] = { "notice", 5 }, [LOG_LEVEL_INFO] = { "info", 6 },
	[LOG_LEVEL_DEBUG] = { "debug", 7 },
};

#define LEVEL_CNT (sizeof(levels) / sizeof(levels[0]))

static const char *program; /* NULL: not opened yet */
static enum log_level threshold = LOG_LEVEL_INFO;
static bool to_journal;
static uint64_t lost;             /* lines, since the last that passed */
static struct log_limit *holding; /* limits with something suppressed */

/* Is stderr the stream that the service manager connected to the journal? systemd.exec(5) */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%ju:%ju", &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void log_open(const char *name, enum log_level level)
{
	program = name;
	threshold = level;
	to_journal = stderr_is_journal();
	(void)signal(SIGPIPE, SIG_IGN);
}

void log_set_level(enum log_level level)
{
	threshold = level;
}

enum log_level log_get_level(void)
{
	return threshold;
}

int log_level_parse(const char *text, enum log_level *ret)
{
	for (size_t i = 0; i < LEVEL_CNT; i++) {
		if (strcmp(text, levels[i].name) == 0) {
			*ret = (enum log_level)i;
			return 0;
		}
	}
	return ERR_INVALID;
}

const char *log_level_name(enum log_level level)
{
	return levels[level].name;
}

bool log_enabled(enum log_level level)
{
	return level <= threshold;
}

/*
 * Copies octets into out and ends them with a zero; what is not printable ASCII, or is one of
 * `also`, becomes \xNN, and what does not fit becomes "...". @return the length, below size
 */
static size_t escape(char *out, size_t size, const char *octets, size_t len, const char *also)
{
	static const char hex[] = "0123456789abcdef";
	size_t at = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)octets[i];
		bool plain = c >= 0x20 && c < 0x7f && !strchr(also, c);

		if (at + (plain ? 1 : 4) + sizeof("...") > size) {
			memcpy(out + at, "...", 3);
			at += 3;
			break;
		}
		if (plain) {
			out[at++] = (char)c;
			continue;
		}
		out[at++] = '\\';
		out[at++] = 'x';
		out[at++] = hex[c >> 4];
		out[at++] = hex[c & 15];
	}
	out[at] = '\0';
	return at;
}

struct log_value log_value(const void *octets, size_t len)
{
	struct log_value v;

	(void)escape(v.s, sizeof(v.s), octets, len, " \"'=\\");
	return v;
}

static bool stderr_has_room(void)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	/* Where poll() has no answer, write() will have one. */
	return poll(&p, 1, 0) != 0;
}

static bool write_text(enum log_level level, const char *text)
{
	char line[LINE_MAX_LEN];
	int prefix;
	size_t len;

	if (to_journal)
		prefix = snprintf(line, sizeof(line), "<%d>", levels[level].priority);
	else
		prefix = snprintf(line, sizeof(line),
				  "%.64s: %s: ", program ? program : program_invocation_short_name,
				  levels[level].name);
	len = (size_t)prefix;
	len += escape(line + len, sizeof(line) - len - 1, text, strlen(text), "");
	if (to_journal && log_journal_write(program, levels[level].priority, line + prefix) == 0)
		return true;
	line[len++] = '\n';
	return stderr_has_room() && write(STDERR_FILENO, line, len) == (ssize_t)len;
}

static bool write_line(enum log_level level, const char *text)
{
	char report[64];

	if (lost > 0) {
		(void)snprintf(report, sizeof(report),
			       "log lines lost event=log-lost lines=%" PRIu64, lost);
		if (!write_text(LOG_LEVEL_WARNING, report)) {
			lost++;
			return false;
		}
		lost = 0;
	}
	if (!write_text(level, text)) {
		lost++;
		return false;
	}
	return true;
}

/* Formats "message pairs suppressed=N". Longer than a line can be is as good as too long. */
static void __attribute__((format(printf, 4, 0)))
format_text(char text[LINE_MAX_LEN], const char *message, uint64_t suppressed,
	    const char *pairs_fmt, va_list ap)
{
	size_t len = 0;

	len += (size_t)snprintf(text, LINE_MAX_LEN / 2, "%s", message);
	if (len >= LINE_MAX_LEN / 2)
		len = LINE_MAX_LEN / 2 - 1;
	if (pairs_fmt && *pairs_fmt) {
		text[len++] = ' ';
		len += (size_t)vsnprintf(text + len, LINE_MAX_LEN - len, pairs_fmt, ap);
	}
	if (suppressed > 0 && len < LINE_MAX_LEN)
		(void)snprintf(text + len, LINE_MAX_LEN - len, " suppressed=%" PRIu64, suppressed);
}

void log_write(enum log_level level, const char *message, const char *pairs_fmt, ...)
{
	char text[LINE_MAX_LEN];
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, pairs_fmt);
	format_text(text, message, 0, pairs_fmt, ap);
	va_end(ap);
	(void)write_line(level, text);
}

/* Gives a limit the tokens of the time that has passed, and takes one if there is one. */
static bool limit_take(struct log_limit *limit, uint64_t now_ms)
{
	uint32_t burst = limit->burst > 0 ? limit->burst : 1;
	uint32_t interval_ms = limit->interval_ms > 0 ? limit->interval_ms : 1;
	uint64_t earned;

	if (!limit->primed) {
		limit->primed = true;
		limit->tokens = burst;
		limit->refilled_ms = now_ms;
	}
	if (now_ms > limit->refilled_ms) {
		earned = (now_ms - limit->refilled_ms) / interval_ms;
		limit->refilled_ms += earned * interval_ms;
		limit->tokens =
			earned < burst - limit->tokens ? limit->tokens + (uint32_t)earned : burst;
	}
	if (limit->tokens == 0)
		return false;
	limit->tokens--;
	return true;
}

void log_suppress(struct log_limit *limit, enum log_level level)
{
	limit->suppressed++;
	limit->level = level;
	if (!limit->listed) {
		limit->listed = true;
		limit->next = holding;
		holding = limit;
	}
}

bool log_take(struct log_limit *limit, uint64_t now_ms, enum log_level level)
{
	if (!log_enabled(level))
		return false;
	if (limit_take(limit, now_ms))
		return true;
	log_suppress(limit, level);
	return false;
}

static bool __attribute__((format(printf, 4, 0)))
write_taken(struct log_limit *limit, enum log_level level, const char *message,
	    const char *pairs_fmt, va_list ap)
{
	char text[LINE_MAX_LEN];

	format_text(text, message, limit->suppressed, pairs_fmt, ap);
	if (!write_line(level, text))
		return false;
	limit->suppressed = 0; /* log_flush_limits() takes it off the list */
	return true;
}

bool log_write_taken(struct log_limit *limit, enum log_level level, const char *message,
		     const char *pairs_fmt, ...)
{
	va_list ap;
	bool written;

	va_start(ap, pairs_fmt);
	written = write_taken(limit, level, message, pairs_fmt, ap);
	va_end(ap);
	return written;
}

bool log_write_limited(struct log_limit *limit, uint64_t now_ms, enum log_level level,
		       const char *message, const char *pairs_fmt, ...)
{
	va_list ap;
	bool written;

	if (!log_take(limit, now_ms, level))
		return false;
	va_start(ap, pairs_fmt);
	written = write_taken(limit, level, message, pairs_fmt, ap);
	va_end(ap);
	return written;
}

/* The line that tells what a limit holds back is itself under the limit. */
static bool limit_tell(struct log_limit *limit, uint64_t now_ms)
{
	char text[LINE_MAX_LEN];

	if (limit->suppressed == 0)
		return true;
	if (!limit_take(limit, now_ms))
		return false;
	(void)snprintf(text, sizeof(text), "%" PRIu64 " more event=%s suppressed=%" PRIu64,
		       limit->suppressed, limit->event, limit->suppressed);
	if (log_enabled(limit->level) && !write_line(limit->level, text))
		return false;
	limit->suppressed = 0;
	return true;
}

void log_last_words(const char *text)
{
	const char *const parts[] = { to_journal ? "<3>" : program,
				      to_journal ? "" : ": error: ", text, "\n" };
	size_t i;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i])
			(void)!write(STDERR_FILENO, parts[i], strlen(parts[i]));
}

void log_flush_limits(uint64_t now_ms)
{
	struct log_limit **at = &holding;

	while (*at) {
		struct log_limit *limit = *at;

		if (limit_tell(limit, now_ms)) {
			limit->listed = false;
			*at = limit->next;
		} else {
			at = &limit->next;
		}
	}
}

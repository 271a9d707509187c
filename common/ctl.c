/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket, both ends; the protocol is in ctl.h. In three parts: what the ends share
 * (escaping), the daemon's end, the operator's end.
 *
 * The daemon's end serves people in the same thread that serves mobile nodes, and so never waits
 * for a client and never works long for one:
 *
 *  - Clients are bounded in number; one more is told so and closed. A request is bounded in length
 *    and must be there in time; a client that takes nothing of its answer for long is dropped.
 *  - A long table is made as fast as the client reads: while its buffer holds little and for a
 *    bounded number of steps, then the loop goes on. A client that does not read costs a buffer.
 *  - When descriptors run out, the listening socket rests for a second: a listener that cannot
 *    accept would otherwise wake the loop for ever.
 *  - The socket's name is looked at every few seconds. One that other hands took away is bound
 *    anew; one that is another's by now is left to him, unless he is dead.
 *
 * A struct ctl_reply lives from accept(2) to the last octet of the answer. Its buffer is the
 * cautious writer of the wire codecs in another shape: the first failure sticks, and the pump
 * looks once.
 */
#include "common/ctl.h"

#include "common/clock.h"
#include "common/err.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define PROTOCOL "ctl/1"

#define CLIENT_MAX       32
#define REQUEST_MS       5000
#define TOO_MANY         "too many clients at the control socket"
#define STALL_MS         300000
#define STALLED_US       1000000 /* gives way to others */
#define ACCEPT_REST_MS   1000
#define LOOK_MS          5000
#define STEPS_PER_WAKEUP 128           /* of a table */
#define MAKING_US        500           /* whatever is in a step: then the loop goes on */
#define OUT_ENOUGH       (32 * 1024)   /* octets that wait for the client before rows are made */
#define OUT_MAX          (1024 * 1024) /* a short answer is no longer; guards against ourselves */
#define SENTENCE_MAX     1024
#define LINE_SIZE        (64 * 1024) /* what the operator's end takes as one line */

/* ---- Both ends ---- */

static const char *const type_names[] = {
	[CTL_STRING] = "string",
	[CTL_NUMBER] = "number",
	[CTL_BOOL] = "bool",
	[CTL_LIST] = "list",
};

/*
 * Escapes one octet. Blanks separate words in a request, but not fields in an answer.
 * @return its length, at most 4
 */
static size_t escape_octet(unsigned char c, bool blanks_too, char out[4])
{
	static const char hex[] = "0123456789abcdef";

	out[0] = '\\';
	switch (c) {
	case '\\':
	case '\t':
	case '\n':
		out[1] = c == '\t' ? 't' : c == '\n' ? 'n' : '\\';
		return 2;
	default:
		if (c >= 0x20 && c != 0x7f && !(blanks_too && c == ' ')) {
			out[0] = (char)c;
			return 1;
		}
		out[1] = 'x';
		out[2] = hex[c >> 4];
		out[3] = hex[c & 15];
		return 4;
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return ERR_INVALID;
}

/* Undoes it in place. @return the length, or ERR_MALFORMED */
static ssize_t unescape(char *text)
{
	char *out = text;
	int hi, lo;

	for (const char *p = text; *p; p++) {
		if (*p != '\\') {
			*out++ = *p;
			continue;
		}
		switch (*++p) {
		case '\\':
			*out++ = '\\';
			break;
		case 't':
			*out++ = '\t';
			break;
		case 'n':
			*out++ = '\n';
			break;
		case 'x':
			hi = hex_digit(p[1]);
			lo = hi < 0 ? hi : hex_digit(p[2]);
			if (lo < 0)
				return ERR_MALFORMED;
			*out++ = (char)(hi << 4 | lo);
			p += 2;
			break;
		default:
			return ERR_MALFORMED;
		}
	}
	*out = '\0';
	return out - text;
}

static int socket_address(const char *path, struct sockaddr_un *ret_addr)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	*ret_addr = addr;
	return 0;
}

/* ---- The daemon's end ---- */

struct ctl_server {
	struct loop *loop;
	struct ctl_conf conf;
	size_t command_cnt;
	char *path;
	char *made_directory; /* NULL: it was there */
	dev_t dev;            /* of the socket's name: to remove ours and no other */
	ino_t ino;
	gid_t gid; /* of the socket; -1: the daemon's own */
	int fd;
	int lost; /* why there is no socket under its name, as told last; 0: there is */
	struct loop_fd *watch;
	struct loop_timer *rest; /* while descriptors are short */
	struct loop_timer *look; /* at the socket's name */
	struct ctl_reply *clients;
	unsigned int client_cnt;
};

struct ctl_reply {
	struct ctl_server *server;
	struct ctl_reply *next_client, **prev_client;
	int fd;
	uid_t uid;
	struct loop_fd *watch;
	struct loop_timer *deadline;

	char request[CTL_REQUEST_MAX];
	size_t request_len;
	bool answering;
	uint64_t took_us; /* when it last took something of the answer, or asked */

	char *out; /* octets out_start..out_end wait for the client */
	size_t out_start, out_end, out_size;
	bool broken; /* sticky: the answer cannot be completed */
	bool idle;   /* nothing to tell until ctl_wake() */
	bool is_live;

	const struct ctl_column *columns; /* of a table; NULL: one value, of field_type */
	size_t column_cnt;
	enum ctl_type field_type;
	size_t values_due; /* in this row */
	bool headed;

	int (*next)(void *cursor, struct ctl_reply *r);
	void (*done)(void *cursor);
	void *cursor;

	void (*answer)(void *ctx, struct ctl_reply *r,
		       int result); /* it waits for ctl_answer_deferred() */
};

static void reply_stream_end(struct ctl_reply *r)
{
	if (r->next && r->done)
		r->done(r->cursor);
	r->next = NULL;
}

static void client_free(struct ctl_reply *r)
{
	reply_stream_end(r);
	*r->prev_client = r->next_client;
	if (r->next_client)
		r->next_client->prev_client = r->prev_client;
	r->server->client_cnt--;
	loop_fd_free(r->watch);
	loop_timer_free(r->deadline);
	close(r->fd);
	free(r->out);
	free(r);
}

/* Room for len octets more; NULL once the answer is broken. */
static char *reply_room(struct ctl_reply *r, size_t len)
{
	size_t waiting = r->out_end - r->out_start;
	size_t size = r->out_size;
	char *out;

	if (r->broken)
		return NULL;
	if (r->out_end + len <= size)
		return r->out + r->out_end;
	if (waiting + len > OUT_MAX) {
		r->broken = true;
		return NULL;
	}
	if (waiting)
		memmove(r->out, r->out + r->out_start, waiting);
	r->out_start = 0;
	r->out_end = waiting;
	while (size < waiting + len)
		size = size ? size * 2 : 4096;
	if (size > r->out_size) {
		out = realloc(r->out, size);
		if (!out) {
			r->broken = true;
			return NULL;
		}
		r->out = out;
		r->out_size = size;
	}
	return r->out + r->out_end;
}

static void reply_put(struct ctl_reply *r, const char *text)
{
	size_t len = strlen(text);
	char *at = reply_room(r, len);

	if (at) {
		memcpy(at, text, len);
		r->out_end += len;
	}
}

static void reply_put_escaped(struct ctl_reply *r, const void *octets, size_t len)
{
	const unsigned char *p = octets;
	char *at = reply_room(r, 4 * len);

	for (size_t i = 0; at && i < len; i++) {
		size_t n = escape_octet(p[i], false, at);

		at += n;
		r->out_end += n;
	}
}

static void reply_put_sentence(struct ctl_reply *r, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

static void reply_put_sentence(struct ctl_reply *r, const char *fmt, va_list ap)
{
	char text[SENTENCE_MAX];

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	reply_put_escaped(r, text, strlen(text));
}

static void reply_head(struct ctl_reply *r, const char *head)
{
	assert(!r->headed);
	r->headed = true;
	reply_put(r, head);
}

/* A whole answer that is a sentence. */
static void reply_sentence(struct ctl_reply *r, const char *head, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

static void reply_sentence(struct ctl_reply *r, const char *head, const char *fmt, va_list ap)
{
	reply_head(r, head);
	reply_put_sentence(r, fmt, ap);
	reply_put(r, "\n");
}

/* As ctl_error(), for words that are no command. */
static void __attribute__((format(printf, 2, 3)))
reply_usage(struct ctl_reply *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reply_sentence(r, PROTOCOL "\tusage\t", fmt, ap);
	va_end(ap);
}

void ctl_error(struct ctl_reply *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reply_sentence(r, PROTOCOL "\terror\t", fmt, ap);
	va_end(ap);
}

void ctl_message(struct ctl_reply *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reply_sentence(r, PROTOCOL "\tmessage\t", fmt, ap);
	va_end(ap);
}

void ctl_record(struct ctl_reply *r)
{
	reply_head(r, PROTOCOL "\trecord\n");
}

void ctl_field(struct ctl_reply *r, const char *name, enum ctl_type type)
{
	assert(r->headed && !r->columns && r->values_due == 0);
	reply_put(r, "row\t");
	reply_put(r, name);
	reply_put(r, ":");
	reply_put(r, type_names[type]);
	r->field_type = type;
	r->values_due = 1;
}

/* The rest of a table's head. */
static void reply_put_columns(struct ctl_reply *r, const struct ctl_column *columns,
			      size_t column_cnt)
{
	for (size_t i = 0; i < column_cnt; i++) {
		reply_put(r, "\t");
		reply_put(r, columns[i].name);
		reply_put(r, ":");
		reply_put(r, type_names[columns[i].type]);
		if (columns[i].detail)
			reply_put(r, ":detail");
	}
	reply_put(r, "\n");
	r->columns = columns;
	r->column_cnt = column_cnt;
}

void ctl_table(struct ctl_reply *r, const struct ctl_column *columns, size_t column_cnt,
	       const char *empty_fmt, ...)
{
	va_list ap;

	assert(column_cnt > 0 && column_cnt <= CTL_COLUMN_MAX);
	reply_head(r, PROTOCOL "\ttable\t");
	va_start(ap, empty_fmt);
	reply_put_sentence(r, empty_fmt, ap);
	va_end(ap);
	reply_put_columns(r, columns, column_cnt);
}

void ctl_live(struct ctl_reply *r, const struct ctl_column *columns, size_t column_cnt)
{
	assert(column_cnt > 0 && column_cnt <= CTL_COLUMN_MAX);
	r->is_live = true;
	reply_head(r, PROTOCOL "\tlive\t");
	reply_put_columns(r, columns, column_cnt);
}

void ctl_wake(struct ctl_reply *r)
{
	if (!r->idle)
		return;
	r->idle = false;
	loop_timer_start(r->deadline, r->server->conf.stall_ms, 0);
	loop_fd_set(r->watch, LOOP_WRITE);
}

void ctl_row(struct ctl_reply *r)
{
	assert(r->columns && r->values_due == 0);
	reply_put(r, "row");
	r->values_due = r->column_cnt;
}

/* Is a value of this type what the row needs next? */
static bool __attribute__((unused)) reply_expects(const struct ctl_reply *r, enum ctl_type type)
{
	if (r->values_due == 0)
		return false;
	return type ==
	       (r->columns ? r->columns[r->column_cnt - r->values_due].type : r->field_type);
}

/* The last value ends the row. */
static void reply_value_done(struct ctl_reply *r)
{
	if (--r->values_due == 0)
		reply_put(r, "\n");
}

void ctl_null(struct ctl_reply *r)
{
	assert(r->values_due > 0);
	reply_put(r, "\t\\N");
	reply_value_done(r);
}

void ctl_octets(struct ctl_reply *r, const void *value, size_t len)
{
	assert(reply_expects(r, CTL_STRING) || reply_expects(r, CTL_LIST));
	reply_put(r, "\t");
	reply_put_escaped(r, value, len);
	reply_value_done(r);
}

void ctl_string(struct ctl_reply *r, const char *value)
{
	if (value)
		ctl_octets(r, value, strlen(value));
	else
		ctl_null(r);
}

void ctl_number(struct ctl_reply *r, uint64_t value)
{
	char text[sizeof("\t18446744073709551615")];
	char *at = text + sizeof(text) - 1;

	assert(reply_expects(r, CTL_NUMBER));
	*at = '\0';
	do
		*--at = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	*--at = '\t';
	reply_put(r, at);
	reply_value_done(r);
}

void ctl_bool(struct ctl_reply *r, bool value)
{
	assert(reply_expects(r, CTL_BOOL));
	reply_put(r, value ? "\ttrue" : "\tfalse");
	reply_value_done(r);
}

void ctl_stream(struct ctl_reply *r, int (*next)(void *cursor, struct ctl_reply *r),
		void (*done)(void *cursor), void *cursor)
{
	assert(r->columns && !r->next);
	r->next = next;
	r->done = done;
	r->cursor = cursor;
}

void ctl_defer(struct ctl_reply *r, void (*answer)(void *ctx, struct ctl_reply *r, int result))
{
	assert(!r->headed);
	r->answer = answer;
}

uid_t ctl_uid(const struct ctl_reply *r)
{
	return r->uid;
}

/* Makes rows while the client has little to read, but not for long. */
static void client_make_rows(struct ctl_reply *r)
{
	const uint64_t begun_us = clock_mono_us();
	int more;

	for (int i = 0; i < STEPS_PER_WAKEUP; i++) {
		if (!r->next || r->broken || r->out_end - r->out_start >= OUT_ENOUGH ||
		    (i > 0 && clock_mono_us() - begun_us >= MAKING_US))
			return;
		more = r->next(r->cursor, r);
		r->idle = more == CTL_IDLE;
		if (r->idle)
			return;
		if (more > 0)
			continue;
		reply_stream_end(r);
		if (more < 0)
			r->broken = true;
		else
			reply_put(r, "end\n");
	}
}

/* Makes and sends what the client takes without waiting. May free it. */
static void client_pump(struct ctl_reply *r)
{
	ssize_t n;

	client_make_rows(r);
	if (r->broken) {
		client_free(r);
		return;
	}
	if (r->out_start < r->out_end) {
		n = send(r->fd, r->out + r->out_start, r->out_end - r->out_start,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			client_free(r);
			return;
		}
		if (n > 0) {
			r->out_start += (size_t)n;
			r->took_us = clock_mono_us();
			loop_timer_start(r->deadline, r->server->conf.stall_ms, 0);
		}
	}
	if (!r->next && r->out_start == r->out_end) {
		client_free(r);
	} else if (r->idle && r->out_start == r->out_end) {
		/*
		 * Nothing to write until ctl_wake(). What is live ends when the client says no
		 * more, and nothing else does: it may wait for an answer with half of it closed.
		 */
		loop_timer_stop(r->deadline);
		loop_fd_set(r->watch, r->is_live ? LOOP_READ : 0);
	}
}

/* A client that waits says nothing: this is its end. */
static void client_listen(struct ctl_reply *r)
{
	char dump[64];
	ssize_t n = recv(r->fd, dump, sizeof(dump), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		client_free(r);
}

/* The answer is there, or begun. */
static void client_answered(struct ctl_reply *r)
{
	assert(r->headed && r->values_due == 0);
	if (!r->next)
		reply_put(r, "end\n");
	client_pump(r);
}

void ctl_answer_deferred(struct ctl_server *s, int result)
{
	void (*answer)(void *ctx, struct ctl_reply *r, int result);
	struct ctl_reply *r, *next;

	for (r = s->clients; r; r = next) {
		next = r->next_client;
		answer = r->answer;
		if (!answer)
			continue;
		r->answer = NULL;
		loop_timer_start(r->deadline, s->conf.stall_ms, 0);
		loop_fd_set(r->watch, LOOP_WRITE);
		answer(s->conf.ctx, r, result);
		client_answered(r);
	}
}

static const struct ctl_command *command_at(const struct ctl_server *s, size_t i);

static void run_help(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	static const struct ctl_column columns[] = {
		{ "command", CTL_STRING },
		{ "arguments", CTL_STRING },
		{ "description", CTL_STRING },
	};
	const struct ctl_command *cmd;

	(void)ctx;
	(void)argc;
	(void)argv;
	ctl_table(r, columns, 3, "no commands");
	for (size_t i = 0; (cmd = command_at(r->server, i)); i++) {
		ctl_row(r);
		ctl_string(r, cmd->words);
		ctl_string(r, cmd->synopsis);
		ctl_string(r, cmd->doc);
	}
}

/* The daemon's commands, then ours; NULL at the end. */
static const struct ctl_command *command_at(const struct ctl_server *s, size_t i)
{
	static const struct ctl_command help = { "help", "", "list what can be asked", run_help };

	if (i < s->command_cnt)
		return &s->conf.commands[i];
	return i == s->command_cnt ? &help : NULL;
}

/* The next blank-separated word of a constant text; length 0 at the end. */
static size_t next_word(const char **text)
{
	*text += strspn(*text, " ");
	return strcspn(*text, " ");
}

/* @return how many words of the command the request begins with, all of them; 0: another one */
static int command_match(const struct ctl_command *cmd, int argc, char *const *argv)
{
	const char *p = cmd->words;
	int cnt = 0;
	size_t len;

	while ((len = next_word(&p)) > 0) {
		if (cnt == argc || strlen(argv[cnt]) != len || memcmp(argv[cnt], p, len) != 0)
			return 0;
		cnt++;
		p += len;
	}
	return cnt;
}

static bool command_takes(const struct ctl_command *cmd, int arg_cnt)
{
	const char *p = cmd->synopsis;
	int least = 0, most = 0;
	size_t len;

	while ((len = next_word(&p)) > 0) {
		most++;
		if (*p != '[')
			least++;
		p += len;
	}
	return arg_cnt >= least && arg_cnt <= most;
}

/* Lists the commands that begin with the same word, or else all. */
static void answer_unknown(struct ctl_reply *r, int argc, char *const *argv)
{
	char list[SENTENCE_MAX] = "";
	const struct ctl_command *cmd;
	size_t len = 0, first;
	bool related = false;
	const char *p;

	for (size_t i = 0; (cmd = command_at(r->server, i)); i++) {
		p = cmd->words;
		first = next_word(&p);
		if (strlen(argv[0]) == first && memcmp(argv[0], p, first) == 0)
			related = true;
	}
	for (size_t i = 0; (cmd = command_at(r->server, i)); i++) {
		p = cmd->words;
		first = next_word(&p);
		if (related && (strlen(argv[0]) != first || memcmp(argv[0], p, first) != 0))
			continue;
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s%s%s", len ? ", " : "",
					cmd->words, *cmd->synopsis ? " " : "", cmd->synopsis);
		if (len >= sizeof(list))
			break;
	}
	reply_usage(r, "unknown command \"%.40s%s%.40s\"; there %s: %s", argv[0],
		    argc > 1 ? " " : "", argc > 1 ? argv[1] : "", strchr(list, ',') ? "are" : "is",
		    list);
}

static void answer_words(struct ctl_reply *r, int argc, char **argv)
{
	const struct ctl_command *cmd, *best = NULL;
	int matched, best_matched = 0;

	for (size_t i = 0; (cmd = command_at(r->server, i)); i++) {
		matched = command_match(cmd, argc, argv);
		if (matched > best_matched) {
			best = cmd;
			best_matched = matched;
		}
	}
	if (!best)
		answer_unknown(r, argc, argv);
	else if (!command_takes(best, argc - best_matched))
		reply_usage(r, "wrong number of arguments; usage: %s%s%s", best->words,
			    *best->synopsis ? " " : "", best->synopsis);
	else
		best->run(r->server->conf.ctx, r, argc - best_matched, argv + best_matched);
}

static void answer_line(struct ctl_reply *r, char *line, size_t line_len)
{
	char *argv[CTL_WORD_MAX + 1];
	char *save, *word;
	int argc = 0;
	ssize_t len;

	if (strlen(line) != line_len) {
		ctl_error(r, "not a request of the control protocol; ask with hactl");
		return;
	}
	for (word = strtok_r(line, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (argc == CTL_WORD_MAX + 1) {
			ctl_error(r, "a request has at most %d words", CTL_WORD_MAX);
			return;
		}
		len = unescape(word);
		if (len < 0 || strlen(word) != (size_t)len) {
			ctl_error(r, "malformed word in the request; ask with hactl");
			return;
		}
		argv[argc++] = word;
	}
	if (argc == 0 || strncmp(argv[0], "ctl/", 4) != 0)
		ctl_error(r, "not a request of the control protocol; ask with hactl");
	else if (strcmp(argv[0], PROTOCOL) != 0)
		ctl_error(r, "this daemon speaks " PROTOCOL ", not %.40s; ask with its own hactl",
			  argv[0]);
	else if (argc == 1)
		ctl_error(r, "nothing asked; try help");
	else
		answer_words(r, argc - 1, argv + 1);
}

/* From here on the client is read no more: one request a connection. line NULL: too long */
static void client_answer(struct ctl_reply *r, char *line, size_t line_len)
{
	r->answering = true;
	r->took_us = clock_mono_us();
	loop_timer_start(r->deadline, r->server->conf.stall_ms, 0);
	loop_fd_set(r->watch, LOOP_WRITE);
	if (line)
		answer_line(r, line, line_len);
	else
		ctl_error(r, "a request has at most %d octets", CTL_REQUEST_MAX);
	if (!r->answer) {
		client_answered(r);
		return;
	}
	loop_fd_set(r->watch, 0);
	loop_timer_stop(r->deadline);
}

/* A client that stops before its line is whole asked nothing. */
static void client_read(struct ctl_reply *r)
{
	char *at = r->request + r->request_len;
	char *newline;
	ssize_t n;

	n = recv(r->fd, at, sizeof(r->request) - r->request_len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_free(r);
		return;
	}
	r->request_len += (size_t)n;
	newline = memchr(at, '\n', (size_t)n);
	if (newline) {
		*newline = '\0';
		client_answer(r, r->request, (size_t)(newline - r->request));
	} else if (r->request_len == sizeof(r->request)) {
		client_answer(r, NULL, 0);
	}
}

static void on_client(void *ctx, int events)
{
	struct ctl_reply *r = ctx;

	(void)events;
	if (r->answering && r->idle && r->out_start == r->out_end)
		client_listen(r);
	else if (r->answering)
		client_pump(r);
	else
		client_read(r);
}

static void on_deadline(void *ctx)
{
	client_free(ctx);
}

static int client_new(struct ctl_server *s, int fd)
{
	struct ucred cred = { .uid = (uid_t)-1 };
	socklen_t cred_len = sizeof(cred);
	struct ctl_reply *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->server = s;
	r->fd = fd;
	r->watch = loop_fd_new(s->loop, fd, LOOP_READ, on_client, r);
	r->deadline = loop_timer_new(s->loop, on_deadline, r);
	if (!r->watch || !r->deadline) {
		loop_fd_free(r->watch);
		loop_timer_free(r->deadline);
		free(r);
		return -ENOMEM;
	}
	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_len);
	r->uid = cred.uid;
	loop_timer_start(r->deadline, s->conf.request_ms, 0);

	r->next_client = s->clients;
	r->prev_client = &s->clients;
	if (s->clients)
		s->clients->prev_client = &r->next_client;
	s->clients = r;
	s->client_cnt++;
	return 0;
}

static void tell_to_come_again(int fd, const char *why)
{
	char answer[128];

	(void)snprintf(answer, sizeof(answer), PROTOCOL "\terror\t%s; try again later\nend\n", why);
	(void)send(fd, answer, strlen(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/*
 * Whoever has asked nothing for longest gives way, or else has read nothing of its answer for
 * longest: clients that only sit there keep nobody out.
 */
static bool make_room(struct ctl_server *s)
{
	struct ctl_reply *r, *silent = NULL, *stalled = NULL;

	for (r = s->clients; r; r = r->next_client) /* the last one came first */
		if (!r->answering) /* NOLINT(clang-analyzer-unix.Malloc): none that is gone */
			silent = r;
		else if (!r->idle && !r->answer && (!stalled || r->took_us < stalled->took_us))
			stalled = r;
	if (silent)
		tell_to_come_again(silent->fd, TOO_MANY);
	else if (!stalled || clock_mono_us() - stalled->took_us < STALLED_US)
		return false;
	client_free(silent ? silent : stalled);
	return true;
}

/* @return 0, or -errno of accept(2) */
static int let_in(struct ctl_server *s)
{
	int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (s->client_cnt >= s->conf.client_max && !make_room(s)) {
		tell_to_come_again(fd, TOO_MANY);
		close(fd);
		return 0;
	}
	if (client_new(s, fd) < 0) {
		tell_to_come_again(fd, "no memory for a client at the control socket");
		close(fd);
	}
	return 0;
}

static void on_rested(void *ctx)
{
	struct ctl_server *s = ctx;

	loop_fd_set(s->watch, LOOP_READ);
}

/* One a turn: without descriptors accept(2) cannot tell whether there is another one. */
static void on_listener(void *ctx, int events)
{
	struct ctl_server *s = ctx;
	int rc = let_in(s);

	(void)events;
	if ((rc == -EMFILE || rc == -ENFILE) && make_room(s))
		rc = let_in(s);
	if (rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM || rc == -ENOBUFS) {
		loop_fd_set(s->watch, 0);
		loop_timer_start(s->rest, ACCEPT_REST_MS, 0);
	}
}

/* Makes the socket's directory, one level, if it is not there. */
static int directory_make(struct ctl_server *s)
{
	const char *slash = strrchr(s->path, '/');
	char *dir;
	int err;

	if (!slash || slash == s->path)
		return 0;
	dir = strndup(s->path, (size_t)(slash - s->path));
	if (!dir)
		return -ENOMEM;
	if (mkdir(dir, 0755) < 0) {
		err = errno;
		free(dir);
		return err == EEXIST ? 0 : -err;
	}
	free(s->made_directory); /* made before, and taken away since */
	s->made_directory = dir;
	/* Whatever the umask: who may ask is the socket's affair. */
	return chmod(dir, 0755) < 0 ? -errno : 0;
}

/*
 * Is the name in the way one that a dead daemon left? Only a socket that refuses connections is:
 * a regular file does so too, hence the look first.
 * @retval 0  it was, and is gone now
 */
static int stale_remove(const struct sockaddr_un *addr)
{
	struct stat st;
	int fd, err = 0;

	if (lstat(addr->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0)
		err = errno;
	close(fd);
	/* EAGAIN is a full backlog, EPROTOTYPE another kind of socket: somebody is there. */
	if (err == 0 || err == EAGAIN || err == EPROTOTYPE)
		return -EADDRINUSE;
	if (err != ECONNREFUSED)
		return -err;
	return unlink(addr->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

static int group_find(const char *text, gid_t *ret_gid)
{
	unsigned long number;
	struct group *gr;
	char *end;

	errno = 0;
	gr = getgrnam(text);
	if (gr) {
		*ret_gid = gr->gr_gid;
		return 0;
	}
	number = strtoul(text, &end, 10);
	if (end == text || *end || number >= (gid_t)-1)
		return ERR_NOT_FOUND;
	*ret_gid = (gid_t)number;
	return 0;
}

static bool name_is_ours(const struct ctl_server *s)
{
	struct stat st;

	return s->ino && lstat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino;
}

static void listener_close(struct ctl_server *s)
{
	s->watch = loop_fd_free(s->watch);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* Lets people connect to what is bound: the rights are in place before anyone can. */
static int socket_listen(struct ctl_server *s, int fd, struct loop_fd **ret_watch)
{
	struct loop_fd *watch;
	struct stat st;

	if (lstat(s->path, &st) < 0 ||
	    (s->gid != (gid_t)-1 && chown(s->path, (uid_t)-1, s->gid) < 0) || listen(fd, 64) < 0)
		return -errno;
	watch = loop_fd_new(s->loop, fd, LOOP_READ, on_listener, s);
	if (!watch)
		return -ENOMEM;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	*ret_watch = watch;
	return 0;
}

/* In the place of the one before, if there is one: that is kept if this cannot be. */
static int socket_open(struct ctl_server *s, const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct loop_fd *watch = NULL;
	mode_t mask;
	int rc;

	if (fd < 0)
		return -errno;
	mask = umask(0117);
	rc = bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 ? -errno : 0;
	(void)umask(mask);
	if (rc == 0) {
		rc = socket_listen(s, fd, &watch);
		if (rc < 0)
			(void)unlink(s->path);
	}
	if (rc < 0) {
		close(fd);
		return rc;
	}
	listener_close(s);
	s->fd = fd;
	s->watch = watch;
	return 0;
}

static int name_restore(struct ctl_server *s)
{
	struct sockaddr_un addr;
	int rc = socket_address(s->path, &addr);

	if (rc == 0)
		rc = directory_make(s);
	if (rc == 0)
		rc = stale_remove(&addr);
	return rc < 0 ? rc : socket_open(s, &addr);
}

static void on_look(void *ctx)
{
	struct ctl_server *s = ctx;
	bool was_there = name_is_ours(s);
	int rc = was_there ? 0 : name_restore(s);

	if (rc == s->lost && (was_there || rc < 0))
		return;
	s->lost = rc;
	if (s->conf.name_was_gone)
		s->conf.name_was_gone(s->conf.ctx, s->path, rc);
}

static int server_start(struct ctl_server *s)
{
	struct sockaddr_un addr;
	int rc;

	rc = socket_address(s->path, &addr);
	if (rc == 0 && s->conf.group)
		rc = group_find(s->conf.group, &s->gid);
	if (rc == 0)
		rc = directory_make(s);
	if (rc == 0)
		rc = stale_remove(&addr);
	if (rc < 0)
		return rc;
	s->rest = loop_timer_new(s->loop, on_rested, s);
	s->look = loop_timer_new(s->loop, on_look, s);
	if (!s->rest || !s->look)
		return -ENOMEM;
	rc = socket_open(s, &addr);
	if (rc == 0)
		loop_timer_start(s->look, s->conf.look_ms, s->conf.look_ms);
	return rc;
}

int ctl_server_open(struct loop *l, const struct ctl_conf *conf, struct ctl_server **ret_server)
{
	struct ctl_server *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	s->loop = l;
	s->fd = -1;
	s->gid = (gid_t)-1;
	s->conf = *conf;
	if (s->conf.client_max == 0)
		s->conf.client_max = CLIENT_MAX;
	if (s->conf.request_ms == 0)
		s->conf.request_ms = REQUEST_MS;
	if (s->conf.stall_ms == 0)
		s->conf.stall_ms = STALL_MS;
	if (s->conf.look_ms == 0)
		s->conf.look_ms = LOOK_MS;
	while (conf->commands[s->command_cnt].words)
		s->command_cnt++;
	s->path = strdup(conf->path);
	rc = s->path ? server_start(s) : -ENOMEM;
	if (rc < 0) {
		ctl_server_close(s);
		return rc;
	}
	*ret_server = s;
	return 0;
}

struct ctl_server *ctl_server_close(struct ctl_server *s)
{
	if (!s)
		return NULL;
	/* Each takes itself off the list, which the analyzer does not see. */
	while (s->clients)
		client_free(s->clients); /* NOLINT(clang-analyzer-unix.Malloc) */
	loop_timer_free(s->rest);
	loop_timer_free(s->look);
	if (name_is_ours(s))
		(void)unlink(s->path);
	listener_close(s);
	/* Another daemon's socket may be in it by now; then it stays. */
	if (s->made_directory)
		(void)rmdir(s->made_directory);
	free(s->made_directory);
	free(s->path);
	free(s);
	return NULL;
}

/* ---- The operator's end ---- */

struct ctl_client {
	int fd;
	struct ctl_head head;
	char head_line[LINE_SIZE]; /* what head points into */
	char row_line[LINE_SIZE];
	char in[LINE_SIZE]; /* octets in_start..in_end were received and not yet read */
	size_t in_start, in_end;
};

int ctl_client_open(const char *path, uint32_t timeout_ms, struct ctl_client **ret_client)
{
	struct timeval timeout = { .tv_sec = timeout_ms / 1000,
				   .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000 };
	struct sockaddr_un addr;
	struct ctl_client *c;
	int rc;

	rc = socket_address(path, &addr);
	if (rc < 0)
		return rc;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* The time to send is also the time that connect(2) waits when the backlog is full. */
	if (c->fd < 0 ||
	    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    connect(c->fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0) {
		rc = -errno;
		ctl_client_close(c);
		return rc;
	}
	*ret_client = c;
	return 0;
}

struct ctl_client *ctl_client_close(struct ctl_client *c)
{
	if (c) {
		if (c->fd >= 0)
			close(c->fd);
		free(c);
	}
	return NULL;
}

static int client_send(struct ctl_client *c, char *const *words, size_t word_cnt)
{
	char line[CTL_REQUEST_MAX];
	size_t len = sizeof(PROTOCOL) - 1;
	size_t sent = 0;
	ssize_t n;

	if (word_cnt == 0)
		return ERR_INVALID;
	memcpy(line, PROTOCOL, len);
	for (size_t i = 0; i < word_cnt; i++) {
		if (!*words[i])
			return ERR_INVALID;
		line[len++] = ' ';
		for (const char *p = words[i]; *p; p++) {
			if (len + sizeof("\\xNN ") > sizeof(line))
				return ERR_NO_SPACE;
			len += escape_octet((unsigned char)*p, true, line + len);
		}
	}
	line[len++] = '\n';
	while (sent < len) {
		n = send(c->fd, line + sent, len - sent, MSG_NOSIGNAL);
		if (n >= 0)
			sent += (size_t)n;
		else if (errno == EPIPE || errno == ECONNRESET)
			return 0; /* refused unheard; the answer says why */
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* Reads one line, without its newline, into line[LINE_SIZE]. */
static int client_line(struct ctl_client *c, char *line)
{
	char *newline;
	size_t len;
	ssize_t n;

	while (!(newline = memchr(c->in + c->in_start, '\n', c->in_end - c->in_start))) {
		memmove(c->in, c->in + c->in_start, c->in_end - c->in_start);
		c->in_end -= c->in_start;
		c->in_start = 0;
		if (c->in_end == sizeof(c->in))
			return ERR_MALFORMED;
		n = recv(c->fd, c->in + c->in_end, sizeof(c->in) - c->in_end, 0);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return ERR_TRUNCATED;
		if (n > 0)
			c->in_end += (size_t)n;
		else if (errno != EINTR)
			return -errno;
	}
	len = (size_t)(newline - (c->in + c->in_start));
	memcpy(line, c->in + c->in_start, len);
	line[len] = '\0';
	c->in_start += len + 1;
	return strlen(line) == len ? 0 : ERR_MALFORMED;
}

/* Cuts the next field off a line; NULL when there is none. */
static char *next_field(char **line)
{
	char *field = *line;

	if (field) {
		*line = strchr(field, '\t');
		if (*line)
			*(*line)++ = '\0';
	}
	return field;
}

/* NAME:TYPE[:detail] */
static int parse_column(char *text, struct ctl_column *out_column)
{
	char *type = text ? strchr(text, ':') : NULL;
	char *detail;

	if (!type || type == text)
		return ERR_MALFORMED;
	*type++ = '\0';
	detail = strchr(type, ':');
	if (detail)
		*detail++ = '\0';
	*out_column = (struct ctl_column){ .name = text,
					   .detail = detail && strcmp(detail, "detail") == 0 };
	for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++) {
		if (strcmp(type, type_names[i]) == 0) {
			out_column->type = (enum ctl_type)i;
			return unescape(text) < 0 ? ERR_MALFORMED : 0;
		}
	}
	return ERR_MALFORMED;
}

static int parse_value(char *text, enum ctl_type type, struct ctl_value *out_value)
{
	ssize_t len;

	if (!text)
		return ERR_MALFORMED;
	if (strcmp(text, "\\N") == 0) {
		*out_value = (struct ctl_value){ 0 };
		return 0;
	}
	len = unescape(text);
	if (len < 0)
		return ERR_MALFORMED;
	*out_value = (struct ctl_value){ .text = text, .len = (size_t)len };
	switch (type) {
	case CTL_STRING:
	case CTL_LIST:
		return 0;
	case CTL_NUMBER:
		return len > 0 && strspn(text, "0123456789") == (size_t)len &&
				       (*text != '0' || len == 1)
			       ? 0
			       : ERR_MALFORMED;
	case CTL_BOOL:
		return strcmp(text, "true") == 0 || strcmp(text, "false") == 0 ? 0 : ERR_MALFORMED;
	}
	return ERR_MALFORMED;
}

static int parse_head(char *line, struct ctl_head *head)
{
	static const char *const shapes[] = {
		[CTL_ERROR] = "error",   [CTL_USAGE] = "usage", [CTL_MESSAGE] = "message",
		[CTL_RECORD] = "record", [CTL_TABLE] = "table", [CTL_LIVE] = "live",
	};
	const char *protocol = next_field(&line);
	const char *shape = next_field(&line);
	char *text = next_field(&line);
	size_t i = 0;
	int rc;

	if (!protocol || strcmp(protocol, PROTOCOL) != 0 || !shape)
		return ERR_MALFORMED;
	while (i < sizeof(shapes) / sizeof(shapes[0]) && strcmp(shape, shapes[i]) != 0)
		i++;
	if (i == sizeof(shapes) / sizeof(shapes[0]))
		return ERR_MALFORMED;
	*head = (struct ctl_head){ .shape = (enum ctl_shape)i, .text = text ? text : "" };
	if (text && unescape(text) < 0)
		return ERR_MALFORMED;
	if (head->shape != CTL_TABLE && head->shape != CTL_LIVE)
		return 0;
	while (line) {
		if (head->column_cnt == CTL_COLUMN_MAX)
			return ERR_MALFORMED;
		rc = parse_column(next_field(&line), &head->columns[head->column_cnt++]);
		if (rc < 0)
			return rc;
	}
	return head->column_cnt > 0 ? 0 : ERR_MALFORMED;
}

int ctl_client_ask(struct ctl_client *c, char *const *words, size_t word_cnt,
		   const struct ctl_head **ret_head)
{
	const struct timeval for_ever = { 0 };
	int rc;

	rc = client_send(c, words, word_cnt);
	if (rc == 0)
		rc = client_line(c, c->head_line);
	if (rc == 0)
		rc = parse_head(c->head_line, &c->head);
	if (rc == 0 && c->head.shape == CTL_LIVE &&
	    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &for_ever, sizeof(for_ever)) < 0)
		rc = -errno;
	if (rc == 0)
		*ret_head = &c->head;
	return rc;
}

int ctl_client_row(struct ctl_client *c, struct ctl_value *out_values, struct ctl_column *out_field)
{
	struct ctl_column field;
	char *line = c->row_line;
	const char *tag;
	int rc;

	rc = client_line(c, line);
	if (rc < 0)
		return rc;
	if (strcmp(line, "end") == 0)
		return 0;
	tag = next_field(&line);
	if (strcmp(tag, "row") != 0)
		return ERR_MALFORMED;
	if (c->head.shape == CTL_RECORD) {
		rc = parse_column(next_field(&line), &field);
		if (rc == 0)
			rc = parse_value(next_field(&line), field.type, &out_values[0]);
		if (rc == 0 && out_field)
			*out_field = field;
	} else if (c->head.shape == CTL_TABLE || c->head.shape == CTL_LIVE) {
		for (size_t i = 0; rc == 0 && i < c->head.column_cnt; i++)
			rc = parse_value(next_field(&line), c->head.columns[i].type,
					 &out_values[i]);
	} else {
		return ERR_MALFORMED;
	}
	if (rc < 0)
		return rc;
	return line ? ERR_MALFORMED : 1;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Of hiredis the two ends: commands are written, and answers read, by its formatter and its reader.
 * Between them everything is ours: the socket, which lives in our loop, TLS over it if the site
 * wants that (tls.c), and who waits for which answer. connection.c has three connections at most.
 *
 * hiredis' own asynchronous contexts trust the server. An answer to nothing ends the process by an
 * assertion, and an array is allocated as long as it says it is. Here whoever answers on that port
 * loses the connection, and no more, by an answer that nobody asked for, by one with more than
 * ELEMENTS_MAX elements, or by one that has not ended after ANSWER_MAX octets.
 *
 * Who frees what: a connection that is lost closes its socket and forgets its commands, and then
 * tells; redis_close() frees the rest. Called from an answer it leaves that to receive(), which is
 * on the stack.
 */
#include "ha-core/cluster/redis.h"

#include "common/err.h"

#include <assert.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ARGS_MAX     32                 /* of redis_ask() */
#define ELEMENTS_MAX (1 << 18)          /* of one answer, in arrays of arrays together */
#define ANSWER_MAX   ((size_t)64 << 20) /* octets; 128 records of 16 KiB are one of the longest */
#define CHUNK        65536

#if HIREDIS_MAJOR < 1
typedef int array_size;
#else
typedef size_t array_size;
#endif

/* A command that waits for its answer. */
struct asked {
	struct asked *next;
	redis_fn *fn;
	void *ctx;
};

struct redis {
	struct redis_conf conf;
	int fd; /* -1: lost */
	struct loop_fd *watch;
	struct tls *tls; /* from when it is connected until it is freed; NULL: in the clear */
	char tls_why[TLS_WHY_SIZE];
	bool is_connected;
	bool is_receiving, is_closed; /* closed while it is receiving */
	redisReader *reader;
	redisReplyObjectFunctions functions; /* of the reader: hiredis' own, but for one */
	void *(*create_array)(const redisReadTask *task, array_size cnt);
	size_t octets, elements; /* of the answer that is being read */
	bool is_too_long;        /* it has promised more elements than it may have */
	struct asked *first, *last;
	uint64_t deadline_ms; /* of the first one's answer */
	char *out;            /* commands; sent up to out_sent */
	size_t out_len, out_sent, out_size;
};

/* --- what is received --- */

/* The reader's hook: elements are promised, and may never come. NULL: out of memory. */
static void *create_array(const redisReadTask *task, array_size cnt)
{
	struct redis *r = task->privdata;

	r->is_too_long = (uint64_t)cnt > ELEMENTS_MAX - r->elements;
	if (r->is_too_long)
		return NULL;
	r->elements += (size_t)cnt;
	return r->create_array(task, cnt);
}

/* Commands without an answer have none. */
static void forget_commands(struct redis *r)
{
	struct asked *asked;

	while ((asked = r->first)) {
		r->first = asked->next;
		free(asked);
	}
	r->last = NULL;
}

static void disconnect(struct redis *r)
{
	r->watch = loop_fd_free(r->watch);
	if (r->fd >= 0) {
		tls_say_goodbye(r->tls);
		(void)close(r->fd);
	}
	r->fd = -1;
	forget_commands(r);
}

static void release(struct redis *r)
{
	disconnect(r);
	(void)tls_close(r->tls);
	if (r->reader)
		redisReaderFree(r->reader);
	free(r->out);
	free(r);
}

static void expect_answer(struct redis *r)
{
	r->deadline_ms = loop_now(r->conf.loop)->mono_ms + r->conf.answer_ms;
}

const char *redis_overdue(const struct redis *r, uint64_t now_ms)
{
	if (!r || !r->first || now_ms < r->deadline_ms)
		return NULL;
	/* A server that waits for a command of its own language says nothing at all. */
	return r->tls && !tls_is_up(r->tls) ? "no TLS handshake in time: does it speak TLS there?"
					    : "no answer in time";
}

/* @return false: nobody asked */
static bool hand_over(struct redis *r, redisReply *reply)
{
	struct asked *asked = r->first;

	if (asked) {
		r->first = asked->next;
		if (!r->first)
			r->last = NULL;
		expect_answer(r);
		asked->fn(asked->ctx, (const struct redis_value *)reply);
	}
	free(asked);
	freeReplyObject(reply);
	return asked != NULL;
}

/* @return NULL, or why it is lost */
static const char *take_answers(struct redis *r)
{
	void *reply = NULL;

	while (!r->is_closed) {
		if (redisReaderGetReply(r->reader, &reply) != REDIS_OK)
			return r->is_too_long ? "an answer has too many elements"
					      : r->reader->errstr;
		if (!reply)
			return r->octets > ANSWER_MAX ? "an answer does not end" : NULL;
		r->octets = r->elements = 0;
		if (!hand_over(r, reply))
			return "an answer that nobody asked for";
	}
	return NULL;
}

/* What a failed call of the socket's says. NULL: it is to be tried again. */
static const char *text_of(const struct redis *r, ssize_t err)
{
	if (err == -EAGAIN || err == -EINTR)
		return NULL;
	return err == ERR_CRYPTO ? tls_why(r->tls) : strerror((int)-err);
}

static ssize_t receive_some(struct redis *r, char *octets, size_t size)
{
	ssize_t len = r->tls ? tls_recv(r->tls, octets, size) : recv(r->fd, octets, size, 0);

	return len < 0 && !r->tls ? -errno : len;
}

static const char *receive_chunk(struct redis *r)
{
	static char chunk[CHUNK]; /* of one loop, in one thread */
	ssize_t len = receive_some(r, chunk, sizeof(chunk));

	if (len == 0)
		return "the server closed the connection";
	if (len < 0)
		return text_of(r, len);
	if (redisReaderFeed(r->reader, chunk, (size_t)len) != REDIS_OK)
		return r->reader->errstr;
	r->octets += (size_t)len;
	return take_answers(r);
}

static const char *receive(struct redis *r)
{
	const char *why;

	do
		why = receive_chunk(r);
	while (!why && r->fd >= 0 && r->tls && tls_has_more(r->tls));
	return why;
}

/* --- what is sent --- */

static const char *send_some(struct redis *r)
{
	const char *octets = r->out + r->out_sent;
	const size_t left = r->out_len - r->out_sent;
	ssize_t len =
		r->tls ? tls_send(r->tls, octets, left) : send(r->fd, octets, left, MSG_NOSIGNAL);

	if (len < 0)
		return text_of(r, r->tls ? len : -errno);
	r->out_sent += (size_t)len;
	if (r->out_sent == r->out_len)
		r->out_sent = r->out_len = 0;
	return NULL;
}

static int put_out(struct redis *r, const char *octets, size_t len)
{
	size_t size = r->out_size ? r->out_size : CHUNK;
	char *out;

	while (size - r->out_len < len)
		size *= 2;
	out = size > r->out_size ? realloc(r->out, size) : r->out;
	if (!out)
		return -ENOMEM;
	memcpy(out + r->out_len, octets, len);
	r->out = out;
	r->out_size = size;
	r->out_len += len;
	return 0;
}

static void watch(const struct redis *r)
{
	bool may_send = !r->tls || !tls_send_waits_to_read(r->tls);
	bool must_send = !r->is_connected || (r->tls && tls_recv_waits_to_write(r->tls));

	loop_fd_set(r->watch,
		    LOOP_READ | (must_send || (may_send && r->out_len > 0) ? LOOP_WRITE : 0));
}

/* --- the connection --- */

static const char *finish_connecting(struct redis *r)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	r->is_connected = true;
	if (err)
		return strerror(err);
	if (r->conf.tls && tls_open(r->conf.tls, r->fd, r->conf.address, &r->tls, r->tls_why) < 0)
		return r->tls_why;
	return NULL;
}

static void on_ready(void *ctx, int events)
{
	struct redis *r = ctx;
	const char *why = NULL;

	if (!r->is_connected)
		why = finish_connecting(r);
	/* By TLS either may wait for what the other one waits for: both are tried. */
	if (!why && (r->tls || events & LOOP_READ)) {
		r->is_receiving = true;
		why = receive(r);
		r->is_receiving = false;
	}
	if (!why && !r->is_closed && r->out_len > 0 && (r->tls || events & LOOP_WRITE))
		why = send_some(r);
	if (r->is_closed) {
		release(r);
	} else if (why) {
		disconnect(r);
		r->conf.down(r->conf.ctx, why);
	} else {
		watch(r);
	}
}

static int start_connecting(struct redis *r)
{
	const struct sockaddr_in to = { .sin_family = AF_INET,
					.sin_addr = r->conf.address,
					.sin_port = htons(r->conf.port) };
	const int on = 1;

	r->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (r->fd < 0)
		return -errno;
	(void)setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(r->fd, (const struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)
		return -errno;
	r->watch = loop_fd_new(r->conf.loop, r->fd, LOOP_READ | LOOP_WRITE, on_ready, r);
	return r->watch ? 0 : -ENOMEM;
}

static int open_reader(struct redis *r)
{
	r->reader = redisReaderCreate();
	if (!r->reader)
		return -ENOMEM;
	r->functions = *r->reader->fn;
	r->create_array = r->functions.createArray;
	r->functions.createArray = create_array;
	r->reader->fn = &r->functions;
	r->reader->privdata = r;
	return 0;
}

int redis_open(const struct redis_conf *conf, struct redis **ret_r)
{
	struct redis *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return -ENOMEM;
	r->conf = *conf;
	r->fd = -1;
	rc = open_reader(r);
	if (rc == 0)
		rc = start_connecting(r);
	if (rc < 0) {
		release(r);
		return rc;
	}
	*ret_r = r;
	return 0;
}

struct redis *redis_close(struct redis *r)
{
	if (!r)
		return NULL;
	if (r->is_receiving) {
		disconnect(r);
		r->is_closed = true;
	} else {
		release(r);
	}
	return NULL;
}

/* In the server's words, behind what waits to be sent. */
static int put_command(struct redis *r, const struct redis_arg *args, size_t cnt)
{
	const char **argv = calloc(cnt, sizeof(*argv));
	size_t *lens = calloc(cnt, sizeof(*lens)), i;
	char *command = NULL;
	int rc = -ENOMEM;
	long long len = -1;

	if (argv && lens) {
		for (i = 0; i < cnt; i++) {
			argv[i] = args[i].data;
			lens[i] = args[i].len;
		}
		len = redisFormatCommandArgv(&command, (int)cnt, argv, lens);
	}
	if (len >= 0) {
		rc = put_out(r, command, (size_t)len);
		redisFreeCommand(command);
	}
	free(lens);
	free(argv);
	return rc;
}

int redis_command(struct redis *r, redis_fn *fn, void *ctx, const struct redis_arg *args,
		  size_t cnt)
{
	struct asked *asked;
	int rc;

	assert(cnt > 0);
	if (r->fd < 0)
		return -ENOTCONN;
	asked = calloc(1, sizeof(*asked));
	rc = asked ? put_command(r, args, cnt) : -ENOMEM;
	if (rc < 0) {
		free(asked);
		return rc;
	}
	asked->fn = fn;
	asked->ctx = ctx;
	if (!r->first)
		expect_answer(r);
	*(r->last ? &r->last->next : &r->first) = asked;
	r->last = asked;
	watch(r);
	return 0;
}

int redis_ask(struct redis *r, redis_fn *fn, void *ctx, ...)
{
	struct redis_arg args[ARGS_MAX];
	const char *word;
	size_t cnt = 0;
	va_list ap;

	va_start(ap, ctx);
	while (cnt < ARGS_MAX && (word = va_arg(ap, const char *)))
		args[cnt++] = (struct redis_arg){ word, strlen(word) };
	va_end(ap);
	return redis_command(r, fn, ctx, args, cnt);
}

/* --- answers --- */

static const redisReply *reply_of(const struct redis_value *v)
{
	return (const redisReply *)v;
}

const char *redis_error(const struct redis_value *v)
{
	return v && reply_of(v)->type == REDIS_REPLY_ERROR ? reply_of(v)->str : NULL;
}

bool redis_is_wrong_type(const struct redis_value *v)
{
	const char *error = redis_error(v);

	return error && strstr(error, "WRONGTYPE"); /* a script may have words of its own before */
}

const char *redis_text(const struct redis_value *v, size_t *out_len)
{
	const redisReply *reply = reply_of(v);
	bool is_text =
		v && (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS);

	if (out_len)
		*out_len = is_text ? (size_t)reply->len : 0;
	return is_text ? reply->str : NULL;
}

uint64_t redis_number(const struct redis_value *v)
{
	const char *text = redis_text(v, NULL);

	if (v && reply_of(v)->type == REDIS_REPLY_INTEGER)
		return (uint64_t)reply_of(v)->integer;
	return text ? strtoull(text, NULL, 10) : 0;
}

size_t redis_cnt(const struct redis_value *v)
{
	return v && reply_of(v)->type == REDIS_REPLY_ARRAY ? reply_of(v)->elements : 0;
}

const struct redis_value *redis_item(const struct redis_value *v, size_t i)
{
	return i < redis_cnt(v) ? (const struct redis_value *)reply_of(v)->element[i] : NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hiredis' asynchronous contexts on our loop; connection.c has three of them at most. hiredis asks
 * for readable and writable to be watched, and each is a watch of its own, for either callback may
 * end the connection and free both.
 *
 * Who frees what: hiredis frees a context that failed, after it has told us; then `ac` is NULL here
 * already. One that we give up is freed by redisAsyncFree(), at once or, within one of its
 * callbacks, when that returns; its `data` is NULL from then on, and whatever it still calls finds
 * nobody.
 */
#include "ha-core/cluster/redis.h"

#include <errno.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define ARGS_MAX 32 /* of redis_ask() */

struct redis {
	struct redis_conf conf;
	redisAsyncContext *ac; /* NULL: lost */
	size_t asked;          /* without an answer yet */
	uint64_t deadline_ms;  /* of the next answer, while there is one to come */
};

/* A command that waits for its answer. */
struct asked {
	redis_fn *fn;
	void *ctx;
};

/* --- hiredis' event hooks --- */

struct watches {
	redisAsyncContext *ac;
	struct loop_fd *read, *write;
};

static void on_readable(void *ctx, int events)
{
	const struct watches *w = ctx;

	(void)events;
	redisAsyncHandleRead(w->ac);
}

static void on_writable(void *ctx, int events)
{
	const struct watches *w = ctx;

	(void)events;
	redisAsyncHandleWrite(w->ac);
}

static void add_read(void *ctx)
{
	loop_fd_set(((struct watches *)ctx)->read, LOOP_READ);
}

static void del_read(void *ctx)
{
	loop_fd_set(((struct watches *)ctx)->read, 0);
}

static void add_write(void *ctx)
{
	loop_fd_set(((struct watches *)ctx)->write, LOOP_WRITE);
}

static void del_write(void *ctx)
{
	loop_fd_set(((struct watches *)ctx)->write, 0);
}

static void clean_up(void *ctx)
{
	struct watches *w = ctx;

	loop_fd_free(w->read);
	loop_fd_free(w->write);
	free(w);
}

static int attach(struct loop *loop, redisAsyncContext *ac)
{
	struct watches *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->ac = ac;
	w->read = loop_fd_new(loop, ac->c.fd, 0, on_readable, w);
	w->write = loop_fd_new(loop, ac->c.fd, 0, on_writable, w);
	if (!w->read || !w->write) {
		clean_up(w);
		return -ENOMEM;
	}
	ac->ev.data = w;
	ac->ev.addRead = add_read;
	ac->ev.delRead = del_read;
	ac->ev.addWrite = add_write;
	ac->ev.delWrite = del_write;
	ac->ev.cleanup = clean_up;
	return 0;
}

/* --- the connection --- */

static void lost(const redisAsyncContext *ac)
{
	struct redis *r = ac->data;

	if (!r)
		return;
	r->ac->data = NULL; /* hiredis frees it, when it has told every command of it */
	r->ac = NULL;
	r->conf.down(r->conf.ctx, ac->errstr && ac->errstr[0] ? ac->errstr : "closed");
}

static void on_connect(const redisAsyncContext *ac, int status)
{
	if (status != REDIS_OK)
		lost(ac);
}

static void on_disconnect(const redisAsyncContext *ac, int status)
{
	(void)status;
	lost(ac);
}

int redis_open(const struct redis_conf *conf, struct redis **ret_r)
{
	struct redis *r = calloc(1, sizeof(*r));
	redisAsyncContext *ac;
	int rc = -ENOMEM;

	if (!r)
		return -ENOMEM;
	r->conf = *conf;
	ac = redisAsyncConnect(addr_text(conf->address).s, conf->port);
	if (ac && ac->err)
		rc = errno ? -errno : -ECONNREFUSED;
	else if (ac)
		rc = attach(conf->loop, ac);
	if (rc < 0) {
		if (ac)
			redisAsyncFree(ac);
		free(r);
		return rc;
	}
	r->ac = ac;
	ac->data = r;
	(void)redisAsyncSetConnectCallback(ac, on_connect);
	(void)redisAsyncSetDisconnectCallback(ac, on_disconnect);
	*ret_r = r;
	return 0;
}

struct redis *redis_close(struct redis *r)
{
	if (!r)
		return NULL;
	if (r->ac) {
		r->ac->data = NULL;
		redisAsyncFree(r->ac);
	}
	free(r);
	return NULL;
}

static void expect_answer(struct redis *r)
{
	r->deadline_ms = loop_now(r->conf.loop)->mono_ms + r->conf.answer_ms;
}

static void on_reply(redisAsyncContext *ac, void *reply, void *priv)
{
	struct asked asked = *(struct asked *)priv;
	struct redis *r = ac->data;

	free(priv);
	if (!r || !reply)
		return;
	r->asked--;
	expect_answer(r);
	asked.fn(asked.ctx, reply); /* may end it */
}

bool redis_is_late(const struct redis *r, uint64_t now_ms)
{
	return r && r->asked > 0 && now_ms >= r->deadline_ms;
}

int redis_command(struct redis *r, redis_fn *fn, void *ctx, const struct redis_arg *args,
		  size_t cnt)
{
	const char **argv = calloc(cnt, sizeof(*argv));
	size_t *lens = calloc(cnt, sizeof(*lens));
	struct asked *asked = calloc(1, sizeof(*asked));
	int rc = argv && lens && asked ? 0 : -ENOMEM;
	size_t i;

	if (rc == 0 && !r->ac)
		rc = -ENOTCONN;
	if (rc == 0) {
		for (i = 0; i < cnt; i++) {
			argv[i] = args[i].data;
			lens[i] = args[i].len;
		}
		*asked = (struct asked){ fn, ctx };
		if (redisAsyncCommandArgv(r->ac, on_reply, asked, (int)cnt, argv, lens) != REDIS_OK)
			rc = -ENOTCONN;
	}
	if (rc < 0)
		free(asked);
	else if (r->asked++ == 0)
		expect_answer(r);
	free(lens);
	free(argv);
	return rc;
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

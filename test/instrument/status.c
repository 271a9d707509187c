/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line in, a line of JSON out; after "events" a line for each event, past and to come. All
 * descriptors are non-blocking: a client that does not read is dropped once its backlog is full,
 * and never holds up the program.
 */
#include "test/instrument/status.h"

#include "common/err.h"
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CLIENT_MAX  16
#define COMMAND_MAX 256
#define BACKLOG_MAX (1 << 20)
#define EVENT_CNT   512
#define EVENT_LEN   384

struct client {
	struct status *status; /* NULL: this place is free */
	int fd;
	struct loop_fd *watch;
	bool streams; /* gets events */
	char command[COMMAND_MAX];
	size_t command_len;
	char *backlog; /* octets that wait to be sent; owned */
	size_t backlog_len;
};

struct status {
	struct loop *loop;
	status_command_fn *fn;
	void *ctx;
	struct sockaddr_un addr;
	int fd;
	struct loop_fd *watch;
	struct client clients[CLIENT_MAX];
	char events[EVENT_CNT][EVENT_LEN]; /* a ring */
	size_t event_head, event_cnt;
};

static void client_close(struct client *c)
{
	loop_fd_free(c->watch);
	close(c->fd);
	free(c->backlog);
	*c = (struct client){ .fd = -1 };
}

/* Sends what it can; false: the client is gone. */
static bool client_flush(struct client *c)
{
	ssize_t n;

	while (c->backlog_len > 0) {
		n = send(c->fd, c->backlog, c->backlog_len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0)
			return false;
		c->backlog_len -= (size_t)n;
		memmove(c->backlog, c->backlog + n, c->backlog_len);
	}
	loop_fd_set(c->watch, c->backlog_len > 0 ? LOOP_READ | LOOP_WRITE : LOOP_READ);
	return true;
}

/* False: the client is gone, or too far behind. */
static bool client_put(struct client *c, const char *text, size_t len)
{
	char *grown;

	if (c->backlog_len + len > BACKLOG_MAX)
		return false;
	grown = realloc(c->backlog, c->backlog_len + len);
	if (!grown)
		return false;
	c->backlog = grown;
	memcpy(c->backlog + c->backlog_len, text, len);
	c->backlog_len += len;
	return client_flush(c);
}

static bool client_put_line(struct client *c, const char *line)
{
	return client_put(c, line, strlen(line)) && client_put(c, "\n", 1);
}

static bool stream_past_events(struct client *c)
{
	const struct status *s = c->status;

	c->streams = true;
	for (size_t i = 0; i < s->event_cnt; i++)
		if (!client_put_line(c, s->events[(s->event_head + i) % EVENT_CNT]))
			return false;
	return true;
}

static bool client_command(struct client *c, const char *command)
{
	struct status *s = c->status;
	char *answer = NULL;
	size_t len = 0;
	bool ok;
	FILE *out;

	if (strcmp(command, "events") == 0)
		return stream_past_events(c);
	out = open_memstream(&answer, &len);
	if (!out)
		return false;
	s->fn(s->ctx, command, out);
	ok = fclose(out) == 0 && client_put_line(c, answer);
	free(answer);
	return ok;
}

/* Reads and obeys whole lines; false: the client is gone. */
static bool client_read(struct client *c)
{
	ssize_t n = recv(c->fd, c->command + c->command_len, COMMAND_MAX - c->command_len,
			 MSG_DONTWAIT);
	char *end;
	size_t used;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	c->command_len += (size_t)n;
	while ((end = memchr(c->command, '\n', c->command_len))) {
		*end = '\0';
		if (!client_command(c, c->command))
			return false;
		used = (size_t)(end + 1 - c->command);
		c->command_len -= used;
		memmove(c->command, end + 1, c->command_len);
	}
	return c->command_len < COMMAND_MAX;
}

static void on_client(void *ctx, int events)
{
	struct client *c = ctx;

	if (((events & LOOP_READ) && !client_read(c)) || !client_flush(c))
		client_close(c);
}

static void on_accept(void *ctx, int events)
{
	struct status *s = ctx;
	struct client *c = s->clients;
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	while (c < s->clients + CLIENT_MAX && c->status)
		c++;
	if (c == s->clients + CLIENT_MAX) {
		close(fd);
		return;
	}
	*c = (struct client){ .status = s, .fd = fd };
	c->watch = loop_fd_new(s->loop, fd, LOOP_READ, on_client, c);
	if (!c->watch)
		client_close(c);
}

static int listen_at(struct status *s, const char *path)
{
	int err;

	s->addr.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(s->addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(s->addr.sun_path, path);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return -errno;
	if (connect(s->fd, (struct sockaddr *)&s->addr, sizeof(s->addr)) == 0)
		err = -EADDRINUSE; /* somebody lives there */
	else if (errno == ECONNREFUSED && unlink(path) < 0)
		err = -errno;
	else if (bind(s->fd, (struct sockaddr *)&s->addr, sizeof(s->addr)) < 0 ||
		 listen(s->fd, CLIENT_MAX) < 0)
		err = -errno;
	else
		return 0;
	close(s->fd);
	s->fd = -1;
	return err;
}

int status_open(struct loop *loop, const char *path, status_command_fn *fn, void *ctx,
		struct status **ret_status)
{
	struct status *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	*s = (struct status){ .loop = loop, .fn = fn, .ctx = ctx, .fd = -1 };
	err = listen_at(s, path);
	if (err == 0) {
		s->watch = loop_fd_new(loop, s->fd, LOOP_READ, on_accept, s);
		err = s->watch ? 0 : -ENOMEM;
	}
	if (err < 0) {
		log_error("cannot listen on the status socket",
			  "event=control-refused path=%s error=\"%s\"", path, err_text(err));
		status_close(s);
		return err;
	}
	*ret_status = s;
	return 0;
}

struct status *status_close(struct status *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < CLIENT_MAX; i++)
		if (s->clients[i].status)
			client_close(&s->clients[i]);
	loop_fd_free(s->watch);
	if (s->fd >= 0) {
		close(s->fd);
		(void)unlink(s->addr.sun_path);
	}
	free(s);
	return NULL;
}

void status_event(struct status *s, const char *name, const char *more_fmt, ...)
{
	size_t slot = (s->event_head + s->event_cnt) % EVENT_CNT;
	char *line = s->events[slot];
	struct timespec now;
	va_list args;
	int n;

	clock_gettime(CLOCK_MONOTONIC, &now);
	n = snprintf(line, EVENT_LEN, "{\"ms\":%lld.%03ld,\"event\":\"%s\"",
		     (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000,
		     now.tv_nsec / 1000 % 1000, name);
	va_start(args, more_fmt);
	n += vsnprintf(line + n, EVENT_LEN - (size_t)n, more_fmt, args);
	va_end(args);
	if ((size_t)n + sizeof("}") > EVENT_LEN)
		return; /* never cut: half a line is no JSON */
	strcpy(line + n, "}");
	if (s->event_cnt < EVENT_CNT)
		s->event_cnt++;
	else
		s->event_head = (s->event_head + 1) % EVENT_CNT;
	for (struct client *c = s->clients; c < s->clients + CLIENT_MAX; c++)
		if (c->status && c->streams && !client_put_line(c, line)) {
			/* Its own command may be what brought us here: let the loop close it. */
			c->streams = false;
			(void)shutdown(c->fd, SHUT_RDWR);
		}
}

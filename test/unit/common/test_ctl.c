/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket under people and under others: real sockets in a directory of the test's own,
 * the daemon's end and raw clients in one loop; and the operator's end against canned answers.
 */
#include "common/clock.h"
#include "common/ctl.h"
#include "common/err.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define GUARD_MS 100000 /* a test in which no client reads anything for so long has failed */

struct fixture {
	struct loop *loop;
	struct loop_timer *guard;
	struct ctl_server *server;
	struct ctl_conf conf;
	char directory[64], path[96];
	bool over;
	int gone_cnt, gone_rc; /* what was told of the socket's name */
};

/* What the commands of the test did. */
static struct {
	size_t rows_made, steps, cursors_open, cursors_done;
	uint64_t step_us; /* that one without rows takes */
} seen;

/* ---- Commands ---- */

static void run_echo(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	(void)ctx;
	(void)argc;
	ctl_message(r, "%s", argv[0]);
}

static void answer_waiting(void *ctx, struct ctl_reply *r, int result)
{
	(void)ctx;
	ctl_message(r, "it took until %d", result);
}

static void run_wait(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	(void)ctx;
	(void)argc;
	(void)argv;
	ctl_defer(r, answer_waiting);
}

static void run_optional(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	(void)ctx;
	(void)argv;
	ctl_message(r, "%d arguments", argc);
}

static void run_fail(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	(void)ctx;
	(void)argc;
	(void)argv;
	ctl_error(r, "this never works; do something else");
}

static void run_record(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	(void)ctx;
	(void)argc;
	(void)argv;
	ctl_record(r);
	ctl_field(r, "name", CTL_STRING);
	ctl_octets(r, "a\tb\nc\\d\0e\x7f", 10);
	ctl_field(r, "nothing", CTL_STRING);
	ctl_string(r, NULL);
	ctl_field(r, "backslash-n", CTL_STRING);
	ctl_string(r, "\\N");
	ctl_field(r, "most", CTL_NUMBER);
	ctl_number(r, UINT64_MAX);
	ctl_field(r, "no-number", CTL_NUMBER);
	ctl_null(r);
	ctl_field(r, "true", CTL_BOOL);
	ctl_bool(r, true);
	ctl_field(r, "false", CTL_BOOL);
	ctl_bool(r, false);
}

static const struct ctl_column columns[] = {
	{ "number", CTL_NUMBER },
	{ "text", CTL_STRING, .detail = true },
};

static void run_few(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	(void)ctx;
	ctl_table(r, columns, 2, "no rows of %d", 0);
	for (int i = 0; argc > 0 && argv[0][i]; i++) {
		ctl_row(r);
		ctl_number(r, (uint64_t)i);
		ctl_string(r, "x");
	}
}

struct cursor {
	uint64_t at, end, cut_at;
};

static int next_row(void *cursor, struct ctl_reply *r)
{
	struct cursor *c = cursor;

	if (c->at == c->cut_at)
		return -EIO;
	if (c->at == c->end)
		return 0;
	if (c->at++ % 3 == 2) /* a step without a row */
		return 1;
	ctl_row(r);
	ctl_number(r, seen.rows_made++);
	ctl_string(r, "0123456789012345678901234567890123456789");
	return 1;
}

static void cursor_done(void *cursor)
{
	seen.cursors_done++;
	free(cursor);
}

static void run_rows(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	struct cursor *c = calloc(1, sizeof(*c));

	(void)ctx;
	assert_non_null(c);
	c->end = strtoul(argv[0], NULL, 10) * 3 / 2;
	c->cut_at = argc > 1 ? strtoul(argv[1], NULL, 10) : UINT64_MAX;
	seen.cursors_open++;
	ctl_table(r, columns, 2, "no rows");
	ctl_stream(r, next_row, cursor_done, c);
}

/* A walk over a table with nothing in it. */
static int next_nothing(void *cursor, struct ctl_reply *r)
{
	const uint64_t begun_us = clock_mono_us();
	struct cursor *c = cursor;

	(void)r;
	seen.steps++;
	while (clock_mono_us() - begun_us < seen.step_us)
		;
	return c->at++ < c->end;
}

static void run_nothing(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	struct cursor *c = calloc(1, sizeof(*c));

	(void)ctx;
	(void)argc;
	assert_non_null(c);
	c->end = strtoul(argv[0], NULL, 10);
	seen.cursors_open++;
	ctl_table(r, columns, 2, "no rows");
	ctl_stream(r, next_nothing, cursor_done, c);
}

/* What happens, and who is told. */
static struct {
	struct ctl_reply *reply;
	uint64_t pending;
	unsigned int asked;
} live;

static int next_event(void *cursor, struct ctl_reply *r)
{
	(void)cursor;
	live.asked++;
	if (live.pending == 0)
		return CTL_IDLE;
	ctl_row(r);
	ctl_number(r, live.pending--);
	ctl_string(r, "happened");
	return 1;
}

static void run_live(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	(void)ctx;
	(void)argc;
	(void)argv;
	memset(&live, 0, sizeof(live));
	live.reply = r;
	seen.cursors_open++;
	ctl_live(r, columns, 2);
	ctl_stream(r, next_event, cursor_done, NULL);
}

static const struct ctl_command commands[] = {
	{ "live", "", "what happens", run_live },
	{ "echo", "WORD", "says it again", run_echo },
	{ "wait", "", "is answered later", run_wait },
	{ "show record", "", "one of each", run_record },
	{ "show rows", "COUNT [CUT]", "many rows", run_rows },
	{ "show few", "[ROWS]", "a row for each letter", run_few },
	{ "nothing", "STEPS", "looks for long", run_nothing },
	{ "optional", "ONE [TWO] [THREE]", "counts its arguments", run_optional },
	{ "fail", "", "does", run_fail },
	{ 0 }
};

/* ---- The fixture ---- */

static void on_guard(void *ctx)
{
	(void)ctx;
	fail_msg("nothing happened for too long");
}

static int setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	memset(&seen, 0, sizeof(seen));
	strcpy(f.directory, "/tmp/test_ctl.XXXXXX");
	assert_non_null(mkdtemp(f.directory));
	(void)snprintf(f.path, sizeof(f.path), "%s/made/ctl.sock", f.directory);
	f.loop = loop_new();
	assert_non_null(f.loop);
	f.guard = loop_timer_new(f.loop, on_guard, &f);
	loop_timer_start(f.guard, GUARD_MS, 0);
	f.conf = (struct ctl_conf){ .path = f.path, .commands = commands, .ctx = &f };
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char made[80];

	ctl_server_close(f->server);
	loop_timer_free(f->guard);
	loop_free(f->loop);
	(void)unlink(f->path);
	(void)snprintf(made, sizeof(made), "%s/made", f->directory);
	(void)rmdir(made);
	assert_int_equal(rmdir(f->directory), 0); /* nothing else was left */
	assert_int_equal(seen.cursors_open, seen.cursors_done);
	return 0;
}

static void open_server(struct fixture *f)
{
	assert_int_equal(ctl_server_open(f->loop, &f->conf, &f->server), 0);
}

/* A client that only knows octets. */
struct raw {
	struct fixture *f;
	struct loop_fd *watch;
	int fd;
	char *got;           /* terminated */
	size_t room;         /* doubled, as under ASan each growth is a copy */
	size_t len, stop_at; /* stops the loop at that many octets, and at the end */
	bool ended;
};

static void on_raw(void *ctx, int events)
{
	struct raw *c = ctx;
	ssize_t n;

	(void)events;
	if (c->room < c->len + 65536 + 1) {
		c->room = 2 * (c->len + 65536 + 1);
		c->got = realloc(c->got, c->room);
		assert_non_null(c->got);
	}
	loop_timer_start(c->f->guard, GUARD_MS, 0);
	n = recv(c->fd, c->got + c->len, 65536, 0);
	if (n > 0)
		c->len += (size_t)n;
	c->got[c->len] = '\0';
	if (n <= 0) {
		c->ended = true;
		loop_fd_set(c->watch, 0);
	}
	if (c->ended || c->len >= c->stop_at)
		loop_stop(c->f->loop);
}

static int raw_connect(struct fixture *f)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(addr.sun_path, f->path, strlen(f->path));
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void raw_send(struct raw *c, const char *text)
{
	assert_int_equal(send(c->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Connects, sends, and reads as soon as the loop runs. */
static struct raw *raw_new(struct fixture *f, const char *text)
{
	struct raw *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->f = f;
	c->stop_at = SIZE_MAX;
	c->fd = raw_connect(f);
	if (text)
		raw_send(c, text);
	c->watch = loop_fd_new(f->loop, c->fd, LOOP_READ, on_raw, c);
	assert_non_null(c->watch);
	return c;
}

static void raw_free(struct raw *c)
{
	loop_fd_free(c->watch);
	close(c->fd);
	free(c->got);
	free(c);
}

static const char *raw_wait(struct raw *c)
{
	while (!c->ended)
		loop_run(c->f->loop);
	return c->got;
}

/* The whole answer; valid until the next call. */
static const char *ask(struct fixture *f, const char *request)
{
	static char answer[65536];
	struct raw *c = raw_new(f, request);

	(void)snprintf(answer, sizeof(answer), "%s", raw_wait(c));
	raw_free(c);
	return answer;
}

static void on_stop(void *ctx)
{
	loop_stop(ctx);
}

static void on_over(void *ctx)
{
	struct fixture *f = ctx;

	f->over = true;
	loop_stop(f->loop);
}

/* Runs the loop for a while, whoever stops it meanwhile: for what must not happen in it. */
static void run_for(struct fixture *f, uint64_t ms)
{
	struct loop_timer *t = loop_timer_new(f->loop, on_over, f);

	assert_non_null(t);
	f->over = false;
	loop_timer_start(t, ms, 0);
	while (!f->over)
		loop_run(f->loop);
	loop_timer_free(t);
}

/* ---- Answers ---- */

static void message_is_a_head_and_an_end(void **state)
{
	struct fixture *f = *state;

	open_server(f);
	assert_string_equal(ask(f, "ctl/1 echo hello\n"), "ctl/1\tmessage\thello\nend\n");
}

static void error_is_a_sentence(void **state)
{
	struct fixture *f = *state;

	open_server(f);
	assert_string_equal(ask(f, "ctl/1 fail\n"),
			    "ctl/1\terror\tthis never works; do something else\nend\n");
}

static void record_has_typed_fields_and_escapes(void **state)
{
	struct fixture *f = *state;

	open_server(f);
	assert_string_equal(ask(f, "ctl/1 show record\n"),
			    "ctl/1\trecord\n"
			    "row\tname:string\ta\\tb\\nc\\\\d\\x00e\\x7f\n"
			    "row\tnothing:string\t\\N\n"
			    "row\tbackslash-n:string\t\\\\N\n"
			    "row\tmost:number\t18446744073709551615\n"
			    "row\tno-number:number\t\\N\n"
			    "row\ttrue:bool\ttrue\n"
			    "row\tfalse:bool\tfalse\n"
			    "end\n");
}

static void table_has_typed_columns(void **state)
{
	struct fixture *f = *state;

	open_server(f);
	assert_string_equal(ask(f, "ctl/1 show few ab\n"),
			    "ctl/1\ttable\tno rows of 0\tnumber:number\ttext:string:detail\n"
			    "row\t0\tx\nrow\t1\tx\nend\n");
	assert_string_equal(ask(f, "ctl/1 show few\n"),
			    "ctl/1\ttable\tno rows of 0\tnumber:number\ttext:string:detail\n"
			    "end\n");
}

static void help_lists_every_command_and_itself(void **state)
{
	struct fixture *f = *state;
	const char *answer;
	size_t rows = 0;

	open_server(f);
	answer = ask(f, "ctl/1 help\n");
	for (const char *p = answer; (p = strstr(p, "\nrow\t")); p++)
		rows++;
	assert_int_equal(rows, 10);
	assert_non_null(strstr(answer, "\nrow\tshow rows\tCOUNT [CUT]\tmany rows\n"));
	assert_non_null(strstr(answer, "\nrow\thelp\t\t"));
}

static void unknown_command_is_answered_with_the_known_ones(void **state)
{
	struct fixture *f = *state;

	open_server(f);
	assert_string_equal(ask(f, "ctl/1 dance\n"),
			    "ctl/1\tusage\tunknown command \"dance\"; there are: live, echo WORD, "
			    "wait, show record, show rows COUNT [CUT], show few [ROWS], "
			    "nothing STEPS, optional ONE [TWO] [THREE], fail, help\nend\n");
	assert_string_equal(ask(f, "ctl/1 show ro\n"),
			    "ctl/1\tusage\tunknown command \"show ro\"; there are: show record, "
			    "show rows COUNT [CUT], show few [ROWS]\nend\n");
	assert_string_equal(ask(f, "ctl/1 show\n"),
			    "ctl/1\tusage\tunknown command \"show\"; there are: show record, "
			    "show rows COUNT [CUT], show few [ROWS]\nend\n");
}

static void arguments_are_counted_against_the_synopsis(void **state)
{
	struct fixture *f = *state;

	open_server(f);
	assert_string_equal(ask(f, "ctl/1 optional\n"),
			    "ctl/1\tusage\twrong number of arguments; usage: "
			    "optional ONE [TWO] [THREE]\nend\n");
	assert_string_equal(ask(f, "ctl/1 optional 1\n"), "ctl/1\tmessage\t1 arguments\nend\n");
	assert_string_equal(ask(f, "ctl/1 optional 1 2 3\n"), "ctl/1\tmessage\t3 arguments\nend\n");
	assert_non_null(strstr(ask(f, "ctl/1 optional 1 2 3 4\n"), "\tusage\twrong number"));
	assert_non_null(strstr(ask(f, "ctl/1 fail now\n"), "usage: fail\n"));
}

static void words_are_unescaped_and_answers_escaped(void **state)
{
	struct fixture *f = *state;

	open_server(f);
	assert_string_equal(ask(f, "ctl/1 echo a\\x20b\\t\\n\\\\\n"),
			    "ctl/1\tmessage\ta b\\t\\n\\\\\nend\n");
	assert_non_null(strstr(ask(f, "ctl/1 echo a\\x00b\n"), "\terror\tmalformed word"));
	assert_non_null(strstr(ask(f, "ctl/1 echo a\\x4\n"), "\terror\tmalformed word"));
	assert_non_null(strstr(ask(f, "ctl/1 echo a\\\n"), "\terror\tmalformed word"));
}

/* ---- Bad clients ---- */

static void other_version_is_told_ours(void **state)
{
	struct fixture *f = *state;

	open_server(f);
	assert_non_null(strstr(ask(f, "ctl/2 echo hello\n"), "speaks ctl/1, not ctl/2"));
}

static void garbage_is_refused(void **state)
{
	struct fixture *f = *state;
	static const char with_zero[] = "ctl/1 echo a\0b\n";
	struct raw *c;

	open_server(f);
	assert_non_null(strstr(ask(f, "GET / HTTP/1.1\r\n\r\n"), "\terror\tnot a request"));
	assert_non_null(strstr(ask(f, "\n"), "\terror\tnot a request"));
	assert_non_null(strstr(ask(f, "    \n"), "\terror\tnot a request"));
	assert_non_null(strstr(ask(f, "\x01\xff\xfe\n"), "\terror\tnot a request"));
	assert_non_null(strstr(ask(f, "ctl/1\n"), "\terror\tnothing asked"));
	c = raw_new(f, NULL);
	assert_int_equal(send(c->fd, with_zero, sizeof(with_zero) - 1, 0), sizeof(with_zero) - 1);
	assert_non_null(strstr(raw_wait(c), "\terror\tnot a request"));
	raw_free(c);
}

static void too_many_words_are_refused(void **state)
{
	struct fixture *f = *state;

	open_server(f);
	assert_non_null(strstr(ask(f, "ctl/1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"),
			       "\tusage\tunknown command"));
	assert_non_null(strstr(ask(f, "ctl/1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n"),
			       "\terror\ta request has at most 16 words"));
}

static void overlong_request_is_refused(void **state)
{
	struct fixture *f = *state;
	char request[CTL_REQUEST_MAX + 2];
	const char *answer;

	open_server(f);
	memset(request, 'a', sizeof(request));
	memcpy(request, "ctl/1 echo ", 11);
	request[CTL_REQUEST_MAX - 1] = '\n';
	request[CTL_REQUEST_MAX] = '\0';
	answer = ask(f, request);
	assert_non_null(strstr(answer, "ctl/1\tmessage\taaaaaaa")); /* a sentence is shorter */

	request[CTL_REQUEST_MAX - 1] = 'a';
	request[CTL_REQUEST_MAX] = '\n';
	request[CTL_REQUEST_MAX + 1] = '\0';
	assert_string_equal(ask(f, request),
			    "ctl/1\terror\ta request has at most 16384 octets\nend\n");
}

static void request_may_come_octet_by_octet(void **state)
{
	struct fixture *f = *state;
	const char *request = "ctl/1 echo slow\n";
	struct raw *c;

	open_server(f);
	c = raw_new(f, NULL);
	for (size_t i = 0; request[i]; i++) {
		assert_int_equal(send(c->fd, request + i, 1, 0), 1);
		run_for(f, 0);
	}
	assert_string_equal(raw_wait(c), "ctl/1\tmessage\tslow\nend\n");
	raw_free(c);
}

static void half_closed_client_is_still_answered(void **state)
{
	struct fixture *f = *state;
	struct raw *c;

	open_server(f);
	c = raw_new(f, "ctl/1 echo done\n");
	assert_int_equal(shutdown(c->fd, SHUT_WR), 0);
	assert_string_equal(raw_wait(c), "ctl/1\tmessage\tdone\nend\n");
	raw_free(c);
}

static void half_a_request_then_the_end_is_no_request(void **state)
{
	struct fixture *f = *state;
	struct raw *c;

	open_server(f);
	c = raw_new(f, "ctl/1 echo half");
	assert_int_equal(shutdown(c->fd, SHUT_WR), 0);
	assert_string_equal(raw_wait(c), "");
	raw_free(c);
}

static void half_a_request_then_silence_is_dropped_in_time(void **state)
{
	struct fixture *f = *state;
	uint64_t begin_ms;
	struct raw *c;

	f->conf.request_ms = 60;
	open_server(f);
	begin_ms = clock_read().mono_ms;
	c = raw_new(f, "ctl/1 ec");
	/* Octets now and then do not buy more time; if they did, the guard would end it. */
	while (!c->ended) {
		run_for(f, 20);
		(void)send(c->fd, "h", 1, MSG_NOSIGNAL); /* it may just have been dropped */
	}
	assert_string_equal(raw_wait(c), "");
	assert_in_range(clock_read().mono_ms - begin_ms, 60, GUARD_MS);
	raw_free(c);
}

#define TOO_MANY "ctl/1\terror\ttoo many clients at the control socket; try again later\nend\n"

static void who_asks_nothing_gives_way_to_who_does(void **state)
{
	struct fixture *f = *state;
	struct raw *silent[3];
	int i;

	f->conf.client_max = 3;
	open_server(f);
	for (i = 0; i < 3; i++)
		silent[i] = raw_new(f, "ctl/1 ");
	assert_string_equal(ask(f, "ctl/1 echo me\n"), "ctl/1\tmessage\tme\nend\n");
	assert_string_equal(raw_wait(silent[0]), TOO_MANY); /* it came first */
	raw_send(silent[1], "echo first\n");
	assert_string_equal(raw_wait(silent[1]), "ctl/1\tmessage\tfirst\nend\n");
	assert_false(silent[2]->ended);
	for (i = 0; i < 3; i++)
		raw_free(silent[i]);
}

static void one_more_client_than_can_be_answered_is_told(void **state)
{
	struct fixture *f = *state;
	struct raw *busy[3], *c;
	int i;

	f->conf.client_max = 3;
	open_server(f);
	for (i = 0; i < 3; i++)
		busy[i] = raw_new(f, "ctl/1 live\n");
	run_for(f, 10);
	c = raw_new(f, "ctl/1 echo me\n");
	assert_string_equal(raw_wait(c), TOO_MANY);
	raw_free(c);
	for (i = 0; i < 3; i++) {
		assert_false(busy[i]->ended);
		raw_free(busy[i]);
	}
	while (strcmp(ask(f, "ctl/1 echo me\n"), TOO_MANY) == 0)
		run_for(f, 5); /* until it has seen them leave */
}

static void who_reads_nothing_gives_way_to_who_does(void **state)
{
	struct fixture *f = *state;
	const char *answer;
	int fd;

	f->conf.client_max = 1;
	open_server(f);
	fd = raw_connect(f); /* nobody reads it */
	assert_int_equal(send(fd, "ctl/1 show rows 1000000\n", 24, MSG_NOSIGNAL), 24);
	run_for(f, 50);
	assert_string_equal(ask(f, "ctl/1 echo me\n"), TOO_MANY);
	do {
		run_for(f, 50);
		answer = ask(f, "ctl/1 echo me\n");
	} while (strcmp(answer, TOO_MANY) == 0); /* a second; the guard ends it */
	assert_string_equal(answer, "ctl/1\tmessage\tme\nend\n");
	close(fd);
}

static int count_refused(struct raw *const *clients, int cnt)
{
	int refused = 0;

	for (int i = 0; i < cnt; i++)
		refused += clients[i]->ended && strstr(clients[i]->got, "too many clients");
	return refused;
}

static void flood_of_clients_leaves_the_daemon_serving(void **state)
{
	struct fixture *f = *state;
	struct raw *flood[200];

	open_server(f);
	for (int i = 0; i < 200; i++) {
		flood[i] = raw_new(f, NULL);
		if (i % 50 != 49) /* the backlog is not what is tested */
			continue;
		while (count_refused(flood, i + 1) < i + 1 - 32)
			run_for(f, 5); /* the guard ends it */
	}
	run_for(f, 10);
	assert_int_equal(count_refused(flood, 200), 200 - 32);
	assert_string_equal(ask(f, "ctl/1 echo me\n"), "ctl/1\tmessage\tme\nend\n");
	for (int i = 0; i < 200; i++)
		raw_free(flood[i]);
}

/* @return the limit of before */
static struct rlimit leave_no_descriptor(void)
{
	struct rlimit limit, low;
	int fd = dup(0);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = (struct rlimit){ (rlim_t)fd, limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	return limit;
}

static void who_asks_nothing_gives_its_descriptor_too(void **state)
{
	struct fixture *f = *state;
	struct rlimit limit;
	struct raw *silent, *c;

	open_server(f);
	silent = raw_new(f, "ctl/1 ");
	run_for(f, 10);
	c = raw_new(f, "ctl/1 echo me\n");
	limit = leave_no_descriptor();
	assert_string_equal(raw_wait(c), "ctl/1\tmessage\tme\nend\n");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_string_equal(raw_wait(silent), TOO_MANY);
	raw_free(c);
	raw_free(silent);
}

static void shortage_of_descriptors_does_not_spin(void **state)
{
	struct fixture *f = *state;
	struct rlimit limit;
	struct timespec cpu;
	struct raw *c;

	open_server(f);
	c = raw_new(f, "ctl/1 echo me\n");
	limit = leave_no_descriptor();
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	run_for(f, 300);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_false(c->ended);
	{
		long begin_ms = cpu.tv_sec * 1000 + cpu.tv_nsec / 1000000;

		(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
		assert_in_range(cpu.tv_sec * 1000 + cpu.tv_nsec / 1000000 - begin_ms, 0, 150);
	}
	assert_string_equal(raw_wait(c), "ctl/1\tmessage\tme\nend\n");
	raw_free(c);
}

/* ---- Long tables ---- */

static void long_table_streams_while_another_is_served(void **state)
{
	struct fixture *f = *state;
	size_t rows = 0;
	struct raw *c;

	open_server(f);
	c = raw_new(f, "ctl/1 show rows 100000\n");
	c->stop_at = 1; /* it has begun */
	loop_run(f->loop);
	c->stop_at = SIZE_MAX;
	assert_string_equal(ask(f, "ctl/1 echo me\n"), "ctl/1\tmessage\tme\nend\n");
	assert_false(c->ended);
	assert_true(seen.rows_made < 10000);

	for (const char *p = strchr(raw_wait(c), '\n'); strncmp(p, "\nrow\t", 5) == 0; rows++) {
		assert_int_equal(strtoul(p + 5, NULL, 10), rows);
		p = strchr(p + 1, '\n');
	}
	assert_int_equal(rows, 100000);
	assert_string_equal(c->got + c->len - 5, "\nend\n");
	assert_int_equal(seen.cursors_done, 1);
	raw_free(c);
}

static void long_search_without_rows_stalls_nobody(void **state)
{
	struct fixture *f = *state;
	struct raw *c;

	open_server(f);
	c = raw_new(f, "ctl/1 nothing 50000\n");
	c->stop_at = 1; /* its head is there */
	loop_run(f->loop);
	c->stop_at = SIZE_MAX;
	assert_string_equal(ask(f, "ctl/1 echo me\n"), "ctl/1\tmessage\tme\nend\n");
	assert_in_range(seen.steps, 1, 10000);
	assert_string_equal(strchr(raw_wait(c), '\n'), "\nend\n");
	assert_int_equal(seen.steps, 50001);
	raw_free(c);
}

static void steps_that_take_long_are_few_a_turn(void **state)
{
	struct fixture *f = *state;
	struct raw *c;

	seen.step_us = 1000;
	open_server(f);
	c = raw_new(f, "ctl/1 nothing 1000000\n");
	c->stop_at = 1; /* its head is there */
	loop_run(f->loop);
	c->stop_at = SIZE_MAX;
	assert_string_equal(ask(f, "ctl/1 echo me\n"), "ctl/1\tmessage\tme\nend\n");
	assert_in_range(seen.steps, 1, 64); /* 128 are made in a turn, were they short */
	raw_free(c);
}

static void client_that_does_not_read_costs_a_buffer_and_is_dropped(void **state)
{
	struct fixture *f = *state;
	size_t made;
	struct raw *c;

	f->conf.stall_ms = 4000; /* many times what is done before it is over */
	open_server(f);
	c = raw_new(f, "ctl/1 show rows 1000000\n");
	loop_fd_set(c->watch, 0);
	do {
		made = seen.rows_made;
		run_for(f, 100);
	} while (made == 0 || seen.rows_made != made);
	/* What the socket holds, and a bounded rest here. */
	assert_in_range(made, 100, 20000);
	assert_string_equal(ask(f, "ctl/1 echo me\n"), "ctl/1\tmessage\tme\nend\n");
	run_for(f, 10);
	assert_int_equal(seen.rows_made, made);
	assert_int_equal(seen.cursors_done, 0);
	while (seen.cursors_done == 0)
		run_for(f, 50); /* the guard ends it */
	/* What it gets in the end has no end line. */
	loop_fd_set(c->watch, LOOP_READ);
	(void)raw_wait(c);
	assert_null(strstr(c->got, "\nend\n"));
	raw_free(c);
}

static void slow_reader_is_not_dropped_while_it_reads(void **state)
{
	struct fixture *f = *state;
	uint64_t begin_ms;
	struct raw *c;

	f->conf.stall_ms = 4000; /* many times a pause, and less than all of them */
	open_server(f);
	begin_ms = clock_read().mono_ms;
	c = raw_new(f, "ctl/1 show rows 100000\n");
	while (clock_read().mono_ms < begin_ms + 4300) {
		loop_fd_set(c->watch, 0);
		run_for(f, 50);
		loop_fd_set(c->watch, LOOP_READ);
		c->stop_at = c->len + 1; /* one read */
		loop_run(f->loop);
		assert_false(c->ended);
	}
	c->stop_at = SIZE_MAX;
	(void)raw_wait(c);
	assert_string_equal(c->got + c->len - 5, "\nend\n");
	raw_free(c);
}

static void cursor_is_freed_when_the_client_goes(void **state)
{
	struct fixture *f = *state;
	struct raw *c;

	open_server(f);
	c = raw_new(f, "ctl/1 show rows 1000000\n");
	c->stop_at = 1;
	loop_run(f->loop);
	assert_int_equal(seen.cursors_open, 1);
	assert_int_equal(seen.cursors_done, 0);
	raw_free(c);
	while (seen.cursors_done == 0)
		run_for(f, 5); /* the guard ends it */
}

static void live_table_tells_what_happens_when_it_does(void **state)
{
	static const char head[] = "ctl/1\tlive\t\tnumber:number\ttext:string:detail\n";
	struct fixture *f = *state;
	struct raw *c;
	clock_t cpu;

	f->conf.stall_ms = 30; /* to have nothing to say is not to stall */
	open_server(f);
	c = raw_new(f, "ctl/1 live\n");
	c->stop_at = strlen(head);
	while (c->len < c->stop_at)
		loop_run(f->loop);
	assert_string_equal(c->got, head);
	cpu = clock();
	run_for(f, 200);
	assert_in_range(clock() - cpu, 0, CLOCKS_PER_SEC / 10); /* and does not spin */
	assert_false(c->ended);
	assert_in_range(live.asked, 1, 3);
	for (int i = 0; i < 2; i++) {
		live.pending = 1;
		ctl_wake(live.reply);
		c->stop_at += strlen("row\t1\thappened\n");
		while (c->len < c->stop_at)
			loop_run(f->loop);
	}
	assert_string_equal(c->got + strlen(head), "row\t1\thappened\nrow\t1\thappened\n");
	raw_free(c);
	while (seen.cursors_done == 0) /* who goes while nothing happens is noticed */
		run_for(f, 10);
}

static void who_waits_is_answered_at_the_end_and_others_meanwhile(void **state)
{
	static const char *answer = "ctl/1\tmessage\tit took until 7\nend\n";
	struct fixture *f = *state;
	struct raw *one, *two, *gone;

	open_server(f);
	gone = raw_new(f, "ctl/1 wait\n");
	one = raw_new(f, "ctl/1 wait\n");
	two = raw_new(f, "ctl/1 wait\n");
	assert_string_equal(ask(f, "ctl/1 echo me\n"), "ctl/1\tmessage\tme\nend\n");
	assert_int_equal(one->len + two->len, 0);
	raw_free(gone);
	ctl_answer_deferred(f->server, 7);
	assert_string_equal(raw_wait(one), answer);
	assert_string_equal(raw_wait(two), answer);
	raw_free(one);
	raw_free(two);
	ctl_answer_deferred(f->server, 8); /* nobody waits */
}

static void closing_the_server_cuts_answers_off(void **state)
{
	struct fixture *f = *state;
	struct raw *c;

	open_server(f);
	c = raw_new(f, "ctl/1 show rows 1000000\n");
	c->stop_at = 1;
	loop_run(f->loop);
	c->stop_at = SIZE_MAX;
	f->server = ctl_server_close(f->server);
	assert_int_equal(seen.cursors_done, 1);
	assert_null(strstr(raw_wait(c), "\nend\n"));
	raw_free(c);
}

static void answer_that_fails_half_way_has_no_end(void **state)
{
	struct fixture *f = *state;

	open_server(f);
	assert_null(strstr(ask(f, "ctl/1 show rows 100000 9000\n"), "\nend\n"));
	assert_int_equal(seen.cursors_done, 1);
}

/* ---- The socket's name ---- */

static void directory_and_socket_are_made_and_removed(void **state)
{
	struct fixture *f = *state;
	mode_t mask = umask(077);
	char made[80];
	struct stat st;

	(void)snprintf(made, sizeof(made), "%s/made", f->directory);
	open_server(f);
	assert_int_equal(umask(mask), 077);
	assert_int_equal(stat(made, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(stat(f->path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0660);
	f->server = ctl_server_close(f->server);
	assert_int_equal(stat(f->path, &st), -1);
	assert_int_equal(stat(made, &st), -1);
}

static void mode_is_0660_whatever_the_umask(void **state)
{
	struct fixture *f = *state;
	mode_t mask = umask(0);
	struct stat st;

	open_server(f);
	(void)umask(mask);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
}

static void directory_that_was_there_stays(void **state)
{
	struct fixture *f = *state;
	char made[80];
	struct stat st;

	(void)snprintf(made, sizeof(made), "%s/made", f->directory);
	assert_int_equal(mkdir(made, 0700), 0);
	open_server(f);
	f->server = ctl_server_close(f->server);
	assert_int_equal(stat(made, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(f->path, &st), -1);
}

/* Its name stays, as after kill -9. */
static void leave_dead_socket(const struct fixture *f)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(addr.sun_path, f->path, strlen(f->path));
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
}

static void socket_of_a_dead_daemon_is_replaced(void **state)
{
	struct fixture *f = *state;
	char made[80];

	(void)snprintf(made, sizeof(made), "%s/made", f->directory);
	assert_int_equal(mkdir(made, 0755), 0);
	leave_dead_socket(f);
	open_server(f);
	assert_string_equal(ask(f, "ctl/1 echo alive\n"), "ctl/1\tmessage\talive\nend\n");
}

static void socket_of_a_live_daemon_is_respected(void **state)
{
	struct fixture *f = *state;
	struct ctl_server *second = NULL;

	open_server(f);
	assert_int_equal(ctl_server_open(f->loop, &f->conf, &second), -EADDRINUSE);
	assert_null(second);
	assert_string_equal(ask(f, "ctl/1 echo first\n"), "ctl/1\tmessage\tfirst\nend\n");
}

static void file_in_the_way_is_left_alone(void **state)
{
	struct fixture *f = *state;
	char made[80];
	struct stat st;
	int fd;

	(void)snprintf(made, sizeof(made), "%s/made", f->directory);
	assert_int_equal(mkdir(made, 0755), 0);
	fd = open(f->path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(ctl_server_open(f->loop, &f->conf, &f->server), -ENOTSOCK);
	assert_int_equal(stat(f->path, &st), 0);
}

static void socket_that_took_our_name_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct ctl_server *second;

	open_server(f);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(ctl_server_open(f->loop, &f->conf, &second), 0);
	ctl_server_close(f->server);
	f->server = second;
	assert_string_equal(ask(f, "ctl/1 echo second\n"), "ctl/1\tmessage\tsecond\nend\n");
}

/* What is told of the name ends a run of the loop. */
static void on_name_was_gone(void *ctx, const char *path, int rc)
{
	struct fixture *f = ctx;

	assert_string_equal(path, f->path);
	f->gone_cnt++;
	f->gone_rc = rc;
	loop_stop(f->loop);
}

static void open_watchful_server(struct fixture *f)
{
	f->conf.look_ms = 5;
	f->conf.name_was_gone = on_name_was_gone;
	open_server(f);
}

static void name_that_was_taken_away_comes_back_with_its_rights(void **state)
{
	struct fixture *f = *state;
	char group[16];
	struct stat st;

	(void)snprintf(group, sizeof(group), "%u", geteuid() == 0 ? 54321 : getegid());
	f->conf.group = group;
	open_watchful_server(f);
	memset(group, 'x', sizeof(group) - 1); /* whoever opened it keeps nothing for it */
	assert_int_equal(unlink(f->path), 0);
	loop_run(f->loop);
	assert_int_equal(f->gone_cnt, 1);
	assert_int_equal(f->gone_rc, 0);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(st.st_gid, geteuid() == 0 ? 54321 : getegid());
	assert_string_equal(ask(f, "ctl/1 echo back\n"), "ctl/1\tmessage\tback\nend\n");
}

static void name_comes_back_with_its_directory(void **state)
{
	struct fixture *f = *state;
	char made[80];

	(void)snprintf(made, sizeof(made), "%s/made", f->directory);
	open_watchful_server(f);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(rmdir(made), 0);
	loop_run(f->loop);
	assert_int_equal(f->gone_rc, 0);
	assert_string_equal(ask(f, "ctl/1 echo back\n"), "ctl/1\tmessage\tback\nend\n");
	f->server = ctl_server_close(f->server);
	assert_int_equal(rmdir(made), -1); /* it was ours, and is gone */
}

static void client_goes_on_while_the_name_comes_back(void **state)
{
	struct fixture *f = *state;
	struct raw *c;

	open_watchful_server(f);
	c = raw_new(f, "ctl/1 show rows 100000\n");
	c->stop_at = 1;
	loop_run(f->loop);
	c->stop_at = SIZE_MAX;
	assert_int_equal(unlink(f->path), 0);
	assert_non_null(strstr(raw_wait(c), "\nend\n"));
	raw_free(c);
	while (f->gone_cnt == 0)
		loop_run(f->loop);
	assert_int_equal(f->gone_rc, 0);
}

static void name_that_is_anothers_by_now_is_left_to_him_and_told_once(void **state)
{
	struct fixture *f = *state;
	struct loop_timer *t;
	int fd;

	open_watchful_server(f);
	assert_int_equal(unlink(f->path), 0);
	fd = open(f->path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	loop_run(f->loop);
	assert_int_equal(f->gone_rc, -ENOTSOCK);
	t = loop_timer_new(f->loop, on_stop, f->loop);
	loop_timer_start(t, 50, 0); /* ten more looks */
	loop_run(f->loop);
	loop_timer_free(t);
	assert_int_equal(f->gone_cnt, 1);
	assert_int_equal(unlink(f->path), 0); /* the other is done with it */
	loop_run(f->loop);
	assert_int_equal(f->gone_cnt, 2);
	assert_int_equal(f->gone_rc, 0);
	assert_string_equal(ask(f, "ctl/1 echo back\n"), "ctl/1\tmessage\tback\nend\n");
}

static void name_that_a_dead_daemon_took_comes_back(void **state)
{
	struct fixture *f = *state;

	open_watchful_server(f);
	assert_int_equal(unlink(f->path), 0);
	leave_dead_socket(f);
	loop_run(f->loop);
	assert_int_equal(f->gone_rc, 0);
	assert_string_equal(ask(f, "ctl/1 echo back\n"), "ctl/1\tmessage\tback\nend\n");
}

static void name_that_a_live_daemon_took_stays_with_him(void **state)
{
	struct fixture *f = *state;
	struct ctl_server *second;
	struct ctl_conf conf = f->conf;

	open_watchful_server(f);
	assert_int_equal(unlink(f->path), 0);
	conf.name_was_gone = NULL;
	assert_int_equal(ctl_server_open(f->loop, &conf, &second), 0);
	loop_run(f->loop);
	assert_int_equal(f->gone_rc, -EADDRINUSE);
	ctl_server_close(f->server);
	f->server = second;
	assert_string_equal(ask(f, "ctl/1 echo second\n"), "ctl/1\tmessage\tsecond\nend\n");
}

static void group_is_by_name_or_number(void **state)
{
	struct fixture *f = *state;
	char number[16];
	struct stat st;

	f->conf.group = "there is no such group";
	assert_int_equal(ctl_server_open(f->loop, &f->conf, &f->server), ERR_NOT_FOUND);
	f->conf.group = "12x";
	assert_int_equal(ctl_server_open(f->loop, &f->conf, &f->server), ERR_NOT_FOUND);
	(void)snprintf(number, sizeof(number), "%u", geteuid() == 0 ? 54321 : getegid());
	f->conf.group = number;
	open_server(f);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_gid, strtoul(number, NULL, 10));
	if (geteuid() == 0) { /* of a group that is there for sure */
		f->server = ctl_server_close(f->server);
		f->conf.group = "root";
		open_server(f);
		assert_int_equal(stat(f->path, &st), 0);
		assert_int_equal(st.st_gid, 0);
	}
}

static void path_that_cannot_be_is_an_error_and_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	char path[256];

	memset(path, 'a', sizeof(path));
	memcpy(path, f->directory, strlen(f->directory));
	path[strlen(f->directory)] = '/';
	path[sizeof(path) - 1] = '\0';
	f->conf.path = path;
	assert_int_equal(ctl_server_open(f->loop, &f->conf, &f->server), -ENAMETOOLONG);
	(void)snprintf(path, sizeof(path), "%s/one/two/ctl.sock", f->directory);
	assert_int_equal(ctl_server_open(f->loop, &f->conf, &f->server), -ENOENT);
}

/* ---- The operator's end ---- */

/* A listening socket that answers every request with the same octets. */
static int canned_listen(struct fixture *f)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char made[80];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(made, sizeof(made), "%s/made", f->directory);
	assert_true(mkdir(made, 0755) == 0 || errno == EEXIST);
	memcpy(addr.sun_path, f->path, strlen(f->path));
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* Asks once and reads to the end. @return what the last call said; *out_rows rows came */
static int canned(struct fixture *f, const char *answer, size_t len, size_t *out_rows,
		  struct ctl_value *out_value)
{
	char *words[] = { (char *)"show", (char *)"a b" };
	static struct ctl_client *c; /* values outlive the call, until the next */
	struct ctl_value values[CTL_COLUMN_MAX] = { 0 };
	const struct ctl_head *head;
	struct ctl_column field;
	int listener = canned_listen(f);
	int fd, rc;

	c = ctl_client_close(c);
	*out_rows = 0;
	assert_int_equal(ctl_client_open(f->path, 2000, &c), 0);
	fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	assert_int_equal(send(fd, answer, len, MSG_NOSIGNAL), len);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	rc = ctl_client_ask(c, words, 2, &head);
	while (rc == 0 || rc == 1) {
		rc = ctl_client_row(c, values, &field);
		if (rc == 1) {
			++*out_rows;
			*out_value = values[0];
		}
		if (rc == 0)
			break;
	}
	close(fd);
	close(listener);
	assert_int_equal(unlink(f->path), 0);
	if (!out_value || *out_rows == 0)
		c = ctl_client_close(c);
	return rc;
}

static void client_reads_whole_answers(void **state)
{
	static const char record[] = "ctl/1\trecord\nrow\tn:string\ta\\x00b\\t\\\\\nend\n";
	struct fixture *f = *state;
	struct ctl_value v;
	size_t rows;

	assert_int_equal(canned(f, record, sizeof(record) - 1, &rows, &v), 0);
	assert_int_equal(rows, 1);
	assert_int_equal(v.len, 5);
	assert_memory_equal(v.text, "a\0b\t\\", 6);
#define CANNED(text) canned(f, text, sizeof(text) - 1, &rows, &v)
	assert_int_equal(CANNED("ctl/1\ttable\tnone\ta:number\tb:bool\nrow\t0\ttrue\n"
				"row\t\\N\t\\N\nrow\t10\tfalse\nend\n"),
			 0);
	assert_int_equal(rows, 3);
	assert_int_equal(CANNED("ctl/1\tmessage\tdone\nend\n"), 0);
	assert_int_equal(CANNED("ctl/1\trecord\nend\n"), 0);
	assert_int_equal(rows, 0);
}

static void client_tells_a_cut_answer(void **state)
{
	static const char whole[] = "ctl/1\ttable\tnone\ta:number\nrow\t1\nrow\t2\nend\n";
	struct fixture *f = *state;
	struct ctl_value v;
	size_t rows;

	for (size_t len = 0; len < sizeof(whole) - 1; len++)
		assert_int_equal(canned(f, whole, len, &rows, &v), ERR_TRUNCATED);
	assert_int_equal(canned(f, whole, sizeof(whole) - 1, &rows, &v), 0);
}

static void client_refuses_what_is_no_answer(void **state)
{
	struct fixture *f = *state;
	static char endless[100000];
	struct ctl_value v;
	size_t rows;

	assert_int_equal(CANNED("HTTP/1.1 400 Bad Request\r\n"), ERR_MALFORMED);
	assert_int_equal(CANNED("\n"), ERR_MALFORMED);
	assert_int_equal(CANNED("ctl/1\n"), ERR_MALFORMED);
	assert_int_equal(CANNED("ctl/2\tmessage\thello\nend\n"), ERR_MALFORMED);
	assert_int_equal(CANNED("ctl/1\tpoem\thello\nend\n"), ERR_MALFORMED);
	assert_int_equal(CANNED("ctl/1\tmessage\tbad \\q\nend\n"), ERR_MALFORMED);
	assert_int_equal(CANNED("ctl/1\tmessage\thello\nrow\tx\nend\n"), ERR_MALFORMED);
	assert_int_equal(CANNED("ctl/1\ttable\tnone\nend\n"), ERR_MALFORMED);
	assert_int_equal(CANNED("ctl/1\ttable\tnone\tname\nend\n"), ERR_MALFORMED);
	assert_int_equal(CANNED("ctl/1\ttable\tnone\t:number\nend\n"), ERR_MALFORMED);
	assert_int_equal(CANNED("ctl/1\ttable\tnone\ta:float\nend\n"), ERR_MALFORMED);
	assert_int_equal(CANNED("ctl/1\ttable\tnone\ta:number\n\n"), ERR_MALFORMED);
	assert_int_equal(CANNED("ctl/1\ttable\tnone\ta:number\nrow\n"), ERR_MALFORMED);
	assert_int_equal(CANNED("ctl/1\ttable\tnone\ta:number\nrow\t\n"), ERR_MALFORMED);
	assert_int_equal(CANNED("ctl/1\ttable\tnone\ta:number\nrow\t-1\n"), ERR_MALFORMED);
	assert_int_equal(CANNED("ctl/1\ttable\tnone\ta:number\nrow\t01\n"), ERR_MALFORMED);
	assert_int_equal(CANNED("ctl/1\ttable\tnone\ta:number\nrow\t1e3\n"), ERR_MALFORMED);
	assert_int_equal(CANNED("ctl/1\ttable\tnone\ta:number\nrow\t1\t2\n"), ERR_MALFORMED);
	assert_int_equal(CANNED("ctl/1\ttable\tnone\ta:bool\nrow\tyes\n"), ERR_MALFORMED);
	assert_int_equal(CANNED("ctl/1\ttable\tnone\ta:string\nrow\ta\\\n"), ERR_MALFORMED);
	assert_int_equal(CANNED("ctl/1\ttable\tnone\ta:string\nrow\ta\0b\n"), ERR_MALFORMED);
	assert_int_equal(CANNED("ctl/1\trecord\nrow\tname\tvalue\nend\n"), ERR_MALFORMED);
	memset(endless, 'a', sizeof(endless));
	assert_int_equal(canned(f, endless, sizeof(endless), &rows, &v), ERR_MALFORMED);
}

static void client_does_not_wait_for_ever(void **state)
{
	struct fixture *f = *state;
	char *words[] = { (char *)"show" };
	const struct ctl_head *head;
	struct ctl_client *c;
	int listener = canned_listen(f);

	assert_int_equal(ctl_client_open(f->path, 50, &c), 0);
	assert_int_equal(ctl_client_ask(c, words, 1, &head), -EAGAIN);
	ctl_client_close(c);
	close(listener);
	assert_int_equal(ctl_client_open(f->path, 50, &c), -ECONNREFUSED);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(ctl_client_open(f->path, 50, &c), -ENOENT);
}

static void client_refuses_requests_that_cannot_be(void **state)
{
	struct fixture *f = *state;
	char word[CTL_REQUEST_MAX], *words[] = { word };
	const struct ctl_head *head;
	struct ctl_client *c;
	int listener = canned_listen(f);

	assert_int_equal(ctl_client_open(f->path, 50, &c), 0);
	assert_int_equal(ctl_client_ask(c, words, 0, &head), ERR_INVALID);
	word[0] = '\0';
	assert_int_equal(ctl_client_ask(c, words, 1, &head), ERR_INVALID);
	memset(word, '\n', sizeof(word));
	word[sizeof(word) - 1] = '\0';
	assert_int_equal(ctl_client_ask(c, words, 1, &head), ERR_NO_SPACE);
	ctl_client_close(c);
	close(listener);
}

/* Both ends at once: the child asks, this process answers. */
static int child_asks(const char *path)
{
	char *words[] = { (char *)"echo", (char *)"two words\t\\ \n\x01" };
	char *rows[] = { (char *)"show", (char *)"rows", (char *)"30000" };
	struct ctl_value values[CTL_COLUMN_MAX];
	const struct ctl_head *head;
	struct ctl_client *c;
	uint64_t cnt = 0;
	int rc;

	if (ctl_client_open(path, 5000, &c) < 0 || ctl_client_ask(c, words, 2, &head) < 0 ||
	    head->shape != CTL_MESSAGE || strcmp(head->text, words[1]) != 0 ||
	    ctl_client_row(c, values, NULL) != 0)
		return 1;
	ctl_client_close(c);
	if (ctl_client_open(path, 5000, &c) < 0 || ctl_client_ask(c, rows, 3, &head) < 0 ||
	    head->shape != CTL_TABLE || head->column_cnt != 2 ||
	    strcmp(head->columns[1].name, "text") != 0 || !head->columns[1].detail ||
	    head->columns[0].detail || head->columns[0].type != CTL_NUMBER)
		return 2;
	while ((rc = ctl_client_row(c, values, NULL)) == 1)
		if (strtoull(values[0].text, NULL, 10) != cnt++)
			return 3;
	ctl_client_close(c);
	return rc == 0 && cnt == 30000 ? 0 : 4;
}

static void both_ends_understand_each_other(void **state)
{
	struct fixture *f = *state;
	struct loop_signal *child_ended;
	int status;
	pid_t pid;

	open_server(f);
	child_ended = loop_signal_new(f->loop, SIGCHLD, on_stop, f->loop);
	assert_non_null(child_ended);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(child_asks(f->path));
	loop_run(f->loop);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	loop_signal_free(child_ended);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define CTL_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CTL_TEST(message_is_a_head_and_an_end),
		CTL_TEST(error_is_a_sentence),
		CTL_TEST(record_has_typed_fields_and_escapes),
		CTL_TEST(table_has_typed_columns),
		CTL_TEST(help_lists_every_command_and_itself),
		CTL_TEST(unknown_command_is_answered_with_the_known_ones),
		CTL_TEST(arguments_are_counted_against_the_synopsis),
		CTL_TEST(words_are_unescaped_and_answers_escaped),
		CTL_TEST(other_version_is_told_ours),
		CTL_TEST(garbage_is_refused),
		CTL_TEST(too_many_words_are_refused),
		CTL_TEST(overlong_request_is_refused),
		CTL_TEST(request_may_come_octet_by_octet),
		CTL_TEST(half_closed_client_is_still_answered),
		CTL_TEST(half_a_request_then_the_end_is_no_request),
		CTL_TEST(half_a_request_then_silence_is_dropped_in_time),
		CTL_TEST(who_asks_nothing_gives_way_to_who_does),
		CTL_TEST(one_more_client_than_can_be_answered_is_told),
		CTL_TEST(who_reads_nothing_gives_way_to_who_does),
		CTL_TEST(flood_of_clients_leaves_the_daemon_serving),
		CTL_TEST(who_asks_nothing_gives_its_descriptor_too),
		CTL_TEST(shortage_of_descriptors_does_not_spin),
		CTL_TEST(long_table_streams_while_another_is_served),
		CTL_TEST(long_search_without_rows_stalls_nobody),
		CTL_TEST(steps_that_take_long_are_few_a_turn),
		CTL_TEST(client_that_does_not_read_costs_a_buffer_and_is_dropped),
		CTL_TEST(slow_reader_is_not_dropped_while_it_reads),
		CTL_TEST(cursor_is_freed_when_the_client_goes),
		CTL_TEST(live_table_tells_what_happens_when_it_does),
		CTL_TEST(who_waits_is_answered_at_the_end_and_others_meanwhile),
		CTL_TEST(closing_the_server_cuts_answers_off),
		CTL_TEST(answer_that_fails_half_way_has_no_end),
		CTL_TEST(directory_and_socket_are_made_and_removed),
		CTL_TEST(mode_is_0660_whatever_the_umask),
		CTL_TEST(directory_that_was_there_stays),
		CTL_TEST(socket_of_a_dead_daemon_is_replaced),
		CTL_TEST(socket_of_a_live_daemon_is_respected),
		CTL_TEST(file_in_the_way_is_left_alone),
		CTL_TEST(socket_that_took_our_name_is_left_alone),
		CTL_TEST(name_that_was_taken_away_comes_back_with_its_rights),
		CTL_TEST(name_comes_back_with_its_directory),
		CTL_TEST(client_goes_on_while_the_name_comes_back),
		CTL_TEST(name_that_is_anothers_by_now_is_left_to_him_and_told_once),
		CTL_TEST(name_that_a_dead_daemon_took_comes_back),
		CTL_TEST(name_that_a_live_daemon_took_stays_with_him),
		CTL_TEST(group_is_by_name_or_number),
		CTL_TEST(path_that_cannot_be_is_an_error_and_leaves_nothing),
		CTL_TEST(client_reads_whole_answers),
		CTL_TEST(client_tells_a_cut_answer),
		CTL_TEST(client_refuses_what_is_no_answer),
		CTL_TEST(client_does_not_wait_for_ever),
		CTL_TEST(client_refuses_requests_that_cannot_be),
		CTL_TEST(both_ends_understand_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection to a server that is not what it should be: over real sockets, against a server that
 * says what each test has it say.
 */
#include "ha-core/cluster/redis.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define GUARD_MS 100000 /* a test in which nothing happens for so long has failed */
#define CHUNK    ((size_t)1 << 20)

static struct {
	struct loop *loop;
	struct loop_timer *guard;
	int listener, peer;
	struct redis *r;
	char why[128], answers[128];
	unsigned int down_cnt, answer_cnt, expected;
	bool closes; /* the answer closes the connection */
} t;

static void on_guard(void *ctx)
{
	(void)ctx;
	fail_msg("nothing happened for %u ms", GUARD_MS);
}

static void down(void *ctx, const char *why)
{
	(void)ctx;
	t.down_cnt++;
	(void)snprintf(t.why, sizeof(t.why), "%s", why);
	loop_stop(t.loop);
}

static void answered(void *ctx, const struct redis_value *v)
{
	const char *text = redis_text(v, NULL);

	(void)snprintf(t.answers + strlen(t.answers), sizeof(t.answers) - strlen(t.answers),
		       "%s=%s ", (const char *)ctx, text ? text : "?");
	t.answer_cnt++;
	if (t.closes)
		t.r = redis_close(t.r);
	if (t.closes || t.answer_cnt == t.expected)
		loop_stop(t.loop);
}

static int setup(void **state)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct redis_conf conf = { .down = down };
	socklen_t len = sizeof(sin);

	(void)state;
	memset(&t, 0, sizeof(t));
	t.loop = loop_new();
	t.guard = loop_timer_new(t.loop, on_guard, NULL);
	loop_timer_start(t.guard, GUARD_MS, 0);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	t.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(t.listener, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(t.listener, 1), 0);
	assert_int_equal(getsockname(t.listener, (struct sockaddr *)&sin, &len), 0);
	conf.loop = t.loop;
	conf.address = sin.sin_addr;
	conf.port = ntohs(sin.sin_port);
	assert_int_equal(redis_open(&conf, &t.r), 0);
	t.peer = accept(t.listener, NULL, NULL);
	assert_true(t.peer >= 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)redis_close(t.r);
	(void)close(t.peer);
	(void)close(t.listener);
	loop_timer_free(t.guard);
	loop_free(t.loop);
	return 0;
}

static void ask(const char *name)
{
	assert_int_equal(redis_ask(t.r, answered, (void *)(uintptr_t)name, "PING", name, NULL), 0);
}

static void say(const char *text)
{
	assert_int_equal(send(t.peer, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void answers_come_to_who_asked(void **state)
{
	(void)state;
	t.expected = 2;
	ask("a");
	ask("b");
	say("+1\r\n$1\r\n2\r\n");
	loop_run(t.loop);
	assert_string_equal(t.answers, "a=1 b=2 ");
	assert_int_equal(t.down_cnt, 0);
}

static void an_answer_that_nobody_asked_for_ends_the_connection(void **state)
{
	(void)state;
	ask("a");
	say("+1\r\n+2\r\n");
	loop_run(t.loop);
	assert_string_equal(t.answers, "a=1 ");
	assert_string_equal(t.why, "an answer that nobody asked for");
	assert_int_equal(t.down_cnt, 1);
	assert_int_equal(redis_ask(t.r, answered, NULL, "PING", NULL), -ENOTCONN);
}

/* Two thousand million pointers are 16 GiB: they are not to be had, nor asked for. */
static void an_array_of_more_than_any_answer_has_ends_the_connection(void **state)
{
	static const char *const says[] = { "*2147483647\r\n", "*3\r\n*200000\r\n" };
	static char elements[200000 * 4 + 1];
	struct rusage before, after;
	size_t i;

	(void)state;
	(void)getrusage(RUSAGE_SELF, &before);
	for (i = 0; i < sizeof(says) / sizeof(says[0]); i++) {
		ask("a");
		say(says[i]);
		if (i == 1) { /* 200,000 may be: those of the second array are too many together */
			for (size_t j = 0; j < sizeof(elements) - 1; j += 4)
				memcpy(elements + j, ":1\r\n", 4);
			say(elements);
			say(says[0]);
		}
		loop_run(t.loop);
		assert_string_equal(t.why, "an answer has too many elements");
		assert_int_equal(t.answer_cnt, 0);
		assert_int_equal(t.down_cnt, 1);
		if (i == 0) {
			teardown(NULL);
			setup(NULL);
		}
	}
	(void)getrusage(RUSAGE_SELF, &after);
	assert_true(after.ru_maxrss - before.ru_maxrss < 128 * 1024);
}

static void say_more(void *ctx, int events)
{
	static const char chunk[CHUNK];

	(void)ctx;
	(void)events;
	(void)send(t.peer, chunk, sizeof(chunk), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void an_answer_without_an_end_ends_the_connection(void **state)
{
	struct loop_fd *talker = loop_fd_new(t.loop, t.peer, LOOP_WRITE, say_more, NULL);

	(void)state;
	assert_non_null(talker);
	ask("a");
	say("$536870912\r\n");
	loop_run(t.loop);
	loop_fd_free(talker);
	assert_string_equal(t.why, "an answer does not end");
	assert_int_equal(t.answer_cnt, 0);
}

static void what_is_no_answer_ends_the_connection(void **state)
{
	(void)state;
	ask("a");
	say("GET / HTTP/1.1\r\n");
	loop_run(t.loop);
	assert_non_null(strstr(t.why, "Protocol error"));
	assert_int_equal(t.down_cnt, 1);
}

static void an_answer_may_close_the_connection_that_it_came_by(void **state)
{
	(void)state;
	t.closes = true;
	ask("a");
	ask("b");
	say("+1\r\n+2\r\n");
	loop_run(t.loop);
	assert_null(t.r);
	assert_string_equal(t.answers, "a=1 "); /* b is forgotten */
	assert_int_equal(t.down_cnt, 0);
}

static void who_hangs_up_is_told_of_once(void **state)
{
	(void)state;
	ask("a");
	(void)shutdown(t.peer, SHUT_WR);
	loop_run(t.loop);
	assert_string_equal(t.why, "the server closed the connection");
	assert_int_equal(t.answer_cnt, 0);
	assert_int_equal(t.down_cnt, 1);
}

static void who_is_not_there_is_told_of_by_the_loop(void **state)
{
	struct redis_conf conf = { .loop = t.loop, .down = down };
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);

	(void)state;
	assert_int_equal(getsockname(t.listener, (struct sockaddr *)&sin, &len), 0);
	t.r = redis_close(t.r);
	(void)close(t.listener);
	conf.address = sin.sin_addr;
	conf.port = ntohs(sin.sin_port);
	assert_int_equal(redis_open(&conf, &t.r), 0);
	ask("a");
	loop_run(t.loop);
	assert_string_equal(t.why, strerror(ECONNREFUSED));
	assert_int_equal(t.down_cnt, 1);
	t.listener = -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_come_to_who_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(an_answer_that_nobody_asked_for_ends_the_connection,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_array_of_more_than_any_answer_has_ends_the_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(an_answer_without_an_end_ends_the_connection, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_no_answer_ends_the_connection, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_answer_may_close_the_connection_that_it_came_by,
						setup, teardown),
		cmocka_unit_test_setup_teardown(who_hangs_up_is_told_of_once, setup, teardown),
		cmocka_unit_test_setup_teardown(who_is_not_there_is_told_of_by_the_loop, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

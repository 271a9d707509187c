/* SPDX-License-Identifier: BSD-2-Clause */
/* Log lines: their form, what strangers cannot do to them, and limits, on a clock of our own. */
#include "common/err.h"
#include "common/log.h"
#include "common/log_journal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static int saved_stderr;
static int out; /* what stderr is while a test runs */

/* stderr becomes a file, which never fills. */
static int capture(void **state)
{
	(void)state;
	out = memfd_create("stderr", 0);
	saved_stderr = dup(STDERR_FILENO);
	assert_true(out >= 0 && saved_stderr >= 0);
	assert_int_equal(dup2(out, STDERR_FILENO), STDERR_FILENO);
	unsetenv("JOURNAL_STREAM");
	log_open("ihad", LOG_LEVEL_INFO);
	return 0;
}

static int release(void **state)
{
	(void)state;
	log_flush_limits(UINT64_MAX);
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(out);
	return 0;
}

/* What was written since the last call. */
static const char *written(void)
{
	static char text[16384];
	ssize_t n = pread(out, text, sizeof(text) - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	assert_int_equal(ftruncate(out, 0), 0);
	assert_int_equal(lseek(out, 0, SEEK_SET), 0);
	return text;
}

static void line_names_program_level_message_and_pairs(void **state)
{
	(void)state;
	log_notice("request refused", "event=%s port=%d", "auth-failure", 434);
	assert_string_equal(written(),
			    "ihad: notice: request refused event=auth-failure port=434\n");
	log_error("no pairs", "%s", "");
	assert_string_equal(written(), "ihad: error: no pairs \n");
	log_error("no pairs", NULL);
	assert_string_equal(written(), "ihad: error: no pairs\n");
}

static void levels_below_the_threshold_are_silent(void **state)
{
	(void)state;
	log_debug("quiet", NULL);
	assert_string_equal(written(), "");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("loud", NULL);
	assert_string_equal(written(), "ihad: debug: loud\n");
	log_set_level(LOG_LEVEL_ERROR);
	log_warning("quiet", NULL);
	assert_string_equal(written(), "");
}

static void level_names_parse_back(void **state)
{
	enum log_level level = LOG_LEVEL_INFO;

	(void)state;
	for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
		assert_int_equal(log_level_parse(log_level_name((enum log_level)i), &level), 0);
		assert_int_equal(level, i);
	}
	level = LOG_LEVEL_NOTICE;
	assert_int_equal(log_level_parse("loud", &level), ERR_INVALID);
	assert_int_equal(level, LOG_LEVEL_NOTICE);
}

static void outside_text_cannot_begin_a_line(void **state)
{
	(void)state;
	log_notice("request", "nai=%s", "a\nihad: error: forged\r\x1b[2J\x7f\xff");
	assert_string_equal(written(), "ihad: notice: request "
				       "nai=a\\x0aihad: error: forged\\x0d\\x1b[2J\\x7f\\xff\n");
}

static void log_value_cannot_forge_a_pair(void **state)
{
	(void)state;
	assert_string_equal(log_value("a b=\"c\"\\\n", 9).s, "a\\x20b\\x3d\\x22c\\x22\\x5c\\x0a");
	assert_string_equal(log_value("with\0zero", 9).s, "with\\x00zero");
	assert_string_equal(log_value("alice@corp.example", 18).s, "alice@corp.example");
	assert_string_equal(log_value("", 0).s, "");
}

static void long_value_ends_in_dots(void **state)
{
	struct log_value v;
	char text[1000];

	(void)state;
	memset(text, 'a', sizeof(text));
	v = log_value(text, sizeof(text));
	assert_int_equal(strlen(v.s), sizeof(v.s) - 1);
	assert_string_equal(v.s + sizeof(v.s) - 4, "...");
	memset(text, '\n', sizeof(text));
	v = log_value(text, sizeof(text));
	assert_true(strlen(v.s) < sizeof(v.s));
	assert_string_equal(v.s + strlen(v.s) - 7, "\\x0a...");
}

static void long_line_is_one_line_below_pipe_buf(void **state)
{
	char text[6000];
	const char *line;

	(void)state;
	for (int fill = 0; fill < 2; fill++) {
		memset(text, fill ? '\n' : 'a', sizeof(text) - 1);
		text[sizeof(text) - 1] = '\0';
		log_error("long", "event=%s", text);
		line = written();
		assert_true(strlen(line) <= 2048 && strlen(line) > 2000);
		assert_string_equal(line + strlen(line) - 4, "...\n");
		assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
		log_error(text, "event=%s", text);
		line = written();
		assert_true(strlen(line) <= 2048);
		assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	}
}

static void be_under_the_journal(void)
{
	struct stat st;
	char stream[64];

	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	(void)snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
		       (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open("ihad", LOG_LEVEL_INFO);
}

static void journal_gets_each_pair_as_a_field(void **state)
{
	char directory[] = "/tmp/test_log.XXXXXX", path[64], got[4096];
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int journal = socket(AF_UNIX, SOCK_DGRAM, 0);
	ssize_t n;

	(void)state;
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/socket", directory);
	strcpy(addr.sun_path, path);
	assert_int_equal(bind(journal, (struct sockaddr *)&addr, sizeof(addr)), 0);
	log_journal_socket = path;
	be_under_the_journal();
	log_notice("request refused", "event=auth-failure home-address=%s error=\"%s\" nai=%s",
		   "10.50.0.7", "it is = wrong", log_value("a\nb MESSAGE=c", 13).s);
	n = recv(journal, got, sizeof(got) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	got[n] = '\0';
	assert_string_equal(got, "PRIORITY=5\nSYSLOG_IDENTIFIER=ihad\n"
				 "MESSAGE=request refused event=auth-failure "
				 "home-address=10.50.0.7 error=\"it is = wrong\" "
				 "nai=a\\x0ab\\x20MESSAGE\\x3dc\n"
				 "HA_EVENT=auth-failure\nHA_HOME_ADDRESS=10.50.0.7\n"
				 "HA_ERROR=it is = wrong\nHA_NAI=a\\x0ab\\x20MESSAGE\\x3dc\n");
	assert_string_equal(written(), ""); /* not twice */
	close(journal);
	log_warning("hot", "event=hot"); /* nobody listens any more */
	assert_string_equal(written(), "<4>hot event=hot\n");
	unlink(path);
	rmdir(directory);
}

static void journal_gets_priorities(void **state)
{
	(void)state;
	log_journal_socket = "/nonexistent";
	be_under_the_journal();
	log_warning("hot", "event=hot");
	assert_string_equal(written(), "<4>hot event=hot\n");
	/* Another's journal: our stderr was redirected since. */
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_open("ihad", LOG_LEVEL_INFO);
	log_warning("hot", "event=hot");
	assert_string_equal(written(), "ihad: warning: hot event=hot\n");
}

static bool limited(struct log_limit *limit, uint64_t now_ms)
{
	return log_write_limited(limit, now_ms, LOG_LEVEL_NOTICE, "knock", "event=knock");
}

static void limit_passes_a_burst_then_one_each_interval(void **state)
{
	static struct log_limit limit = { .burst = 3, .interval_ms = 1000, .event = "knock" };
	uint64_t now_ms = 5000;
	int passed = 0;

	(void)state;
	for (int i = 0; i < 10; i++)
		passed += limited(&limit, now_ms);
	assert_int_equal(passed, 3);
	assert_string_equal(written(), "ihad: notice: knock event=knock\n"
				       "ihad: notice: knock event=knock\n"
				       "ihad: notice: knock event=knock\n");
	assert_false(limited(&limit, now_ms + 999));
	assert_true(limited(&limit, now_ms + 1000));
	assert_string_equal(written(), "ihad: notice: knock event=knock suppressed=8\n");
	assert_false(limited(&limit, now_ms + 1999));
	assert_true(limited(&limit, now_ms + 2000));
	assert_string_equal(written(), "ihad: notice: knock event=knock suppressed=1\n");
}

static void rest_refills_no_more_than_the_burst(void **state)
{
	static struct log_limit limit = { .burst = 2, .interval_ms = 10, .event = "knock" };
	int passed = 0;

	(void)state;
	for (int i = 0; i < 5; i++)
		passed += limited(&limit, 1);
	for (int i = 0; i < 5; i++)
		passed += limited(&limit, UINT64_MAX - 1);
	assert_int_equal(passed, 4);
	log_flush_limits(UINT64_MAX);
}

static void steady_rate_is_not_lost_to_rounding(void **state)
{
	static struct log_limit limit = { .burst = 1, .interval_ms = 1000, .event = "knock" };
	int passed = 0;

	(void)state;
	for (uint64_t now_ms = 0; now_ms < 100000; now_ms += 300)
		passed += limited(&limit, now_ms);
	assert_int_equal(passed, 100);
	log_flush_limits(UINT64_MAX);
}

static void flush_tells_what_would_stay_untold(void **state)
{
	static struct log_limit limit = { .burst = 1, .interval_ms = 1000, .event = "knock" };
	static struct log_limit other = { .burst = 1, .interval_ms = 5000, .event = "ring" };

	(void)state;
	for (int i = 0; i < 4; i++) {
		(void)limited(&limit, 0);
		(void)limited(&other, 0);
	}
	(void)written();
	log_flush_limits(999);
	assert_string_equal(written(), "");
	log_flush_limits(1000);
	assert_string_equal(written(), "ihad: notice: 3 more event=knock suppressed=3\n");
	log_flush_limits(4000);
	assert_string_equal(written(), "");
	log_flush_limits(5000);
	assert_string_equal(written(), "ihad: notice: 3 more event=ring suppressed=3\n");
	/* Told once, and limited again afterwards. */
	log_flush_limits(60000);
	assert_string_equal(written(), "");
	assert_true(limited(&limit, 60000));
	assert_string_equal(written(), "ihad: notice: knock event=knock\n");
}

static void flood_between_flushes_is_counted_once(void **state)
{
	static struct log_limit limit = { .burst = 1, .interval_ms = 1000, .event = "knock" };
	unsigned long long told = 0, sum = 0, lines = 0, n;
	const char *p;

	(void)state;
	for (uint64_t now_ms = 0; now_ms < 20000; now_ms += 10) {
		(void)limited(&limit, now_ms);
		if (now_ms % 500 == 0)
			log_flush_limits(now_ms);
	}
	log_flush_limits(UINT64_MAX);
	for (p = written(); (p = strstr(p, "ihad: ")); p++) {
		const char *count = strstr(p, "suppressed=");
		const char *end = strchr(p, '\n');

		lines++;
		told += strncmp(p, "ihad: notice: knock", 19) == 0;
		if (count && count < end && sscanf(count, "suppressed=%llu", &n) == 1)
			sum += n;
	}
	assert_int_equal(told + sum, 2000);
	assert_true(lines <= 22);
}

static void silent_level_costs_no_token(void **state)
{
	static struct log_limit limit = { .burst = 1, .interval_ms = 1000, .event = "knock" };

	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	assert_false(limited(&limit, 0));
	log_set_level(LOG_LEVEL_INFO);
	assert_true(limited(&limit, 0));
	assert_string_equal(written(), "ihad: notice: knock event=knock\n");
}

static void reader_that_stopped_does_not_stall_the_daemon(void **state)
{
	static char text[1 << 20];
	size_t got = 0, lines = 0;
	unsigned int lost;
	int pipe_fds[2];
	const char *p;
	ssize_t n;

	(void)state;
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_int_equal(fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK), 0);
	dup2(pipe_fds[1], STDERR_FILENO);
	for (int i = 0; i < 5000; i++) /* would wait for ever */
		log_error("to a full pipe", "event=full number=%d", i);
	while ((n = read(pipe_fds[0], text + got, sizeof(text) - 1 - got)) > 0)
		got += (size_t)n;
	text[got] = '\0';
	for (p = text; (p = strchr(p, '\n')); p++)
		lines++;
	assert_true(lines > 100 && lines < 5000);

	log_error("room again", "event=room");
	n = read(pipe_fds[0], text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_int_equal(
		sscanf(text, "ihad: warning: log lines lost event=log-lost lines=%u\n", &lost), 1);
	assert_int_equal(lines + lost, 5000);
	assert_non_null(strstr(text, "\nihad: error: room again event=room\n"));
	close(pipe_fds[0]);
	log_error("nobody reads", "event=gone"); /* EPIPE, and no SIGPIPE */
	close(pipe_fds[1]);
	dup2(out, STDERR_FILENO);
	log_error("back", "event=back");
	assert_string_equal(written(), "ihad: warning: log lines lost event=log-lost lines=1\n"
				       "ihad: error: back event=back\n");
}

#define LOG_TEST(f) cmocka_unit_test_setup_teardown(f, capture, release)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(line_names_program_level_message_and_pairs),
		LOG_TEST(levels_below_the_threshold_are_silent),
		LOG_TEST(level_names_parse_back),
		LOG_TEST(outside_text_cannot_begin_a_line),
		LOG_TEST(log_value_cannot_forge_a_pair),
		LOG_TEST(long_value_ends_in_dots),
		LOG_TEST(long_line_is_one_line_below_pipe_buf),
		LOG_TEST(journal_gets_each_pair_as_a_field),
		LOG_TEST(journal_gets_priorities),
		LOG_TEST(limit_passes_a_burst_then_one_each_interval),
		LOG_TEST(rest_refills_no_more_than_the_burst),
		LOG_TEST(steady_rate_is_not_lost_to_rounding),
		LOG_TEST(flush_tells_what_would_stay_untold),
		LOG_TEST(flood_between_flushes_is_counted_once),
		LOG_TEST(silent_level_costs_no_token),
		LOG_TEST(reader_that_stopped_does_not_stall_the_daemon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

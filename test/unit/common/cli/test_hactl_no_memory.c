/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hactl without memory: each of its allocations fails, alone and with all that follow (test/alloc).
 * Either it does as ever, or it says why not and exits with 3, and what it has printed by then is
 * no whole answer. The server is a process of its own, as the daemon is.
 */
int hactl_main(int argc, char **argv);

#include "common/cli/filter.c"      /* NOLINT: the program is made of its objects */
#include "common/cli/new_key.c"     /* NOLINT */
#include "common/cli/openmetrics.c" /* NOLINT */

#define main hactl_main
#include "common/cli/hactl.c" /* NOLINT: the program is what is tested */
#undef main

#include "test/alloc/alloc_drill.h"
#include "test/alloc/alloc_fault.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cmocka.h>

#define TEXT_MAX (256 * 1024)

struct fixture {
	char directory[64], path[96];
	pid_t server;
	char *text; /* what hactl printed when nothing failed; shared by all processes */
};

/* One thing to ask, with or without failures. */
struct question {
	struct fixture *f;
	const char *arguments;
	const char *input;     /* NULL: none */
	bool on_terminal;      /* its clock is shown, so that no two answers are alike */
	const char *complaint; /* of this one; NULL: any */
};

/* --- a daemon of no particular kind --- */

static const struct ctl_column number_column[] = { { "number", CTL_NUMBER } };

static void run_rows(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	unsigned long i, cnt = strtoul(argv[0], NULL, 10);

	(void)ctx;
	(void)argc;
	ctl_table(r, number_column, 1, "no rows");
	for (i = cnt; i > 0; i--) {
		ctl_row(r);
		ctl_number(r, i);
	}
}

static void run_counters(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	(void)ctx;
	(void)argc;
	(void)argv;
	ctl_record(r);
	ctl_field(r, "requests-received", CTL_NUMBER);
	ctl_number(r, 5);
	ctl_field(r, "keepalives", CTL_NUMBER);
	ctl_number(r, 7);
}

static void run_status(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	(void)ctx;
	(void)argc;
	(void)argv;
	ctl_record(r);
	ctl_field(r, "name", CTL_STRING);
	ctl_string(r, "ihad");
}

static void run_data_path(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	(void)ctx;
	(void)argc;
	(void)argv;
	ctl_record(r);
	ctl_field(r, "drops-eth0", CTL_NUMBER);
	ctl_number(r, 3);
}

static void run_import(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	(void)ctx;
	(void)argc;
	ctl_message(r, "imported %s", argv[0]);
}

static const struct ctl_command commands[] = { { "show rows", "COUNT", "many rows", run_rows },
					       { "show counters", "", "numbers", run_counters },
					       { "show status", "", "a name", run_status },
					       { "show data-path", "", "drops", run_data_path },
					       { "state import", "LINE", "a message", run_import },
					       { 0 } };

static void serve(const char *path, int ready)
{
	struct loop *loop = loop_new();
	struct ctl_server *server = NULL;

	if (!loop || ctl_server_open(loop, &(struct ctl_conf){ .path = path, .commands = commands },
				     &server) < 0)
		_exit(1);
	(void)!write(ready, "", 1);
	loop_run(loop);
	_exit(0);
}

static int setup(void **state)
{
	static struct fixture f;
	int ready[2];
	char octet;

	strcpy(f.directory, "/tmp/test_hactl.XXXXXX");
	assert_non_null(mkdtemp(f.directory));
	(void)snprintf(f.path, sizeof(f.path), "%s/ihad.sock", f.directory);
	f.text = alloc_drill_shared(TEXT_MAX);
	assert_int_equal(pipe(ready), 0);
	f.server = fork();
	assert_true(f.server >= 0);
	if (f.server == 0)
		serve(f.path, ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &octet, 1), 1);
	close(ready[0]);
	unsetenv("COLUMNS");
	setenv("TERM", "xterm", 1);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	(void)kill(f->server, SIGKILL);
	(void)waitpid(f->server, NULL, 0);
	(void)unlink(f->path);
	assert_int_equal(rmdir(f->directory), 0);
	return 0;
}

/* --- hactl --- */

static bool holds(bool is, const char *what)
{
	if (!is)
		dprintf(STDOUT_FILENO, "%s\n", what);
	return is;
}

/* What was written to a file or a terminal; "" if nothing. */
static char *contents(int fd, char *text)
{
	ssize_t n;
	size_t len = 0;

	(void)lseek(fd, 0, SEEK_SET);
	while (len < TEXT_MAX - 1 && (n = read(fd, text + len, TEXT_MAX - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return text;
}

/* A terminal, both ends of which are ours; its end to read from does not wait. */
static int open_terminal(int *ret_slave)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || grantpt(fd) < 0 || unlockpt(fd) < 0)
		return -1;
	*ret_slave = open(ptsname(fd), O_RDWR | O_NOCTTY | O_CLOEXEC);
	return *ret_slave < 0 ? -1 : fd;
}

/* Runs it, with output to the files. Its stretch is all of it. @return its exit code */
static int run_hactl(const struct question *q, int out, int err)
{
	static char line[CTL_REQUEST_MAX];
	char *argv[32] = { (char *)"hactl", (char *)"-s", (char *)q->f->path };
	int in, exit_code, argc = 3;
	sigset_t ends;

	if (q->input) {
		in = memfd_create("stdin", MFD_CLOEXEC);
		(void)!write(in, q->input, strlen(q->input));
		(void)lseek(in, 0, SEEK_SET);
		dup2(in, STDIN_FILENO);
	}
	if (q->on_terminal) { /* a watch of one turn */
		(void)sigemptyset(&ends);
		(void)sigaddset(&ends, SIGTERM);
		(void)sigprocmask(SIG_BLOCK, &ends, NULL);
		(void)kill(getpid(), SIGTERM);
	}
	(void)snprintf(line, sizeof(line), "%s", q->arguments);
	for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	optind = 0;
	alloc_fault_stretch(true);
	exit_code = hactl_main(argc, argv);
	alloc_fault_stretch(false);
	(void)fflush(stdout);
	(void)fflush(stderr);
	return exit_code;
}

/* An answer that is as ever, or none and words about memory. */
static bool attempt(void *ctx)
{
	static char text[TEXT_MAX], complaint[TEXT_MAX];
	const struct question *q = ctx;
	int tell = dup(STDOUT_FILENO), err = memfd_create("stderr", MFD_CLOEXEC), slave = -1;
	int out = q->on_terminal ? open_terminal(&slave) : memfd_create("stdout", MFD_CLOEXEC);
	int exit_code = run_hactl(q, q->on_terminal ? slave : out, err);
	bool good;

	dup2(tell, STDOUT_FILENO);
	(void)contents(out, text);
	(void)contents(err, complaint);
	if (alloc_fault_count().failed == 0)
		(void)snprintf(q->f->text, TEXT_MAX, "%s", text);
	if (exit_code == EXIT_DONE)
		good = holds(*text && (q->on_terminal || strcmp(text, q->f->text) == 0),
			     "it is content with less than the answer") &&
		       holds(!*complaint, complaint);
	else
		good = holds(alloc_fault_count().failed > 0, "it fails with all the memory") &&
		       holds(exit_code == EXIT_CONNECTION, "its exit code is another") &&
		       holds(strstr(complaint, q->complaint ? q->complaint : "memory") != NULL,
			     "it does not say why") &&
		       holds(q->on_terminal || q->input || strcmp(text, q->f->text) != 0,
			     "it fails after all is done");
	return good && holds(alloc_fault_live() == 0, "something leaks");
}

static void drill(struct fixture *f, const char *arguments, const char *input, bool on_terminal)
{
	struct question q = { f, arguments, input, on_terminal, NULL };
	struct alloc_drill d = { 0 };

	if (!alloc_drill(&d, true, attempt, &q))
		fail_msg("%s: %s", arguments, d.fault);
	assert_true(d.tries > 0);
	printf("%s: %u failures of memory\n", arguments, d.tries);
}

static void an_answer_is_whole_or_missed_in_words(void **state)
{
	drill(*state, "show rows 9", NULL, false);
	drill(*state, "-j show rows 9", NULL, false);
	drill(*state, "-f number>3 -S -number show rows 9", NULL, false);
	drill(*state, "show counters", NULL, false);
	drill(*state, "-S value show counters", NULL, false);
	drill(*state, "help", NULL, false);
}

/* Half of two answers is no exposition: it lacks its "# EOF". */
static void an_exposition_ends_or_is_missed_in_words(void **state)
{
	drill(*state, "--openmetrics show counters", NULL, false);
}

static void lines_that_cannot_be_read_are_not_taken_for_the_end(void **state)
{
	drill(*state, "state import -", "one\ntwo\nthree\n", false);
}

static void a_screen_that_cannot_be_filled_ends_the_watch_in_words(void **state)
{
	drill(*state, "--watch=1 show rows 3", NULL, true);
}

/* What --sort holds grows beyond HELD_ROWS: each row is an allocation, so not all of them fail. */
static void a_table_that_outgrows_memory_is_missed_in_words(void **state)
{
	struct question q = { *state, "-S number show rows 2010", NULL, false, NULL };
	unsigned int first;
	int status = -1;
	pid_t pid;

	for (first = HELD_ROWS; first <= HELD_ROWS + 6; first++) {
		fflush(NULL);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			alloc_fault_plan(first == HELD_ROWS ? 0 : first, true);
			_exit(!attempt(&q));
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_whole_or_missed_in_words),
		cmocka_unit_test(an_exposition_ends_or_is_missed_in_words),
		cmocka_unit_test(lines_that_cannot_be_read_are_not_taken_for_the_end),
		cmocka_unit_test(a_screen_that_cannot_be_filled_ends_the_watch_in_words),
		cmocka_unit_test(a_table_that_outgrows_memory_is_missed_in_words),
	};

	alloc_fault_begin();
	return cmocka_run_group_tests(tests, setup, teardown);
}

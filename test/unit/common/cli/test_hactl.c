/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hactl as its user meets it: a child runs its main() against a server in this process, with its
 * output in files; what it prints and how it exits is what is checked.
 */
int hactl_main(int argc, char **argv);

#include "common/cli/filter.c"      /* NOLINT: the program is made of its objects */
#include "common/cli/new_key.c"     /* NOLINT */
#include "common/cli/openmetrics.c" /* NOLINT */

#define main hactl_main
#include "common/cli/hactl.c" /* NOLINT: the program is what is tested */
#undef main

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#define GUARD_MS 100000 /* a hactl that takes longer has failed */

struct fixture {
	struct loop *loop;
	struct loop_timer *guard;
	struct loop_signal *child_ended;
	struct ctl_server *server;
	char directory[64], path[96];
	int in, out, err; /* files of the child */
	int exit_code;
	char *text; /* what it printed */
	char *complaint;
};

/* ---- A daemon of no particular kind ---- */

static const struct ctl_column node_columns[] = {
	{ "home-address", CTL_STRING },
	{ "nai", CTL_STRING, .detail = true },
	{ "reverse-tunnel", CTL_BOOL, .detail = true },
	{ "lifetime", CTL_NUMBER },
};

static void put_node(struct ctl_reply *r, const char *addr, const char *nai, bool t, uint64_t s)
{
	ctl_row(r);
	ctl_string(r, addr);
	ctl_string(r, nai);
	ctl_bool(r, t);
	ctl_number(r, s);
}

static void run_nodes(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	(void)ctx;
	(void)argc;
	(void)argv;
	ctl_table(r, node_columns, 4, "no nodes: nobody is here");
	put_node(r, "10.50.0.10", "alice@corp.example", true, 1800);
	put_node(r, "10.50.0.9", NULL, false, 65535);
	put_node(r, "10.50.0.10", "second@corp.example", true, 5);
	ctl_row(r);
	ctl_null(r);
	ctl_string(r, "nobody@corp.example");
	ctl_null(r);
	ctl_null(r);
}

static void run_nobody(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	(void)ctx;
	(void)argc;
	(void)argv;
	ctl_table(r, node_columns, 4, "no nodes: nobody is here");
}

/* Whatever somebody may have put into a name. */
static void run_nasty(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	static const struct ctl_column columns[] = { { "text", CTL_STRING } };
	static const char text[] = "\"\\/\b\t\n\0\x1b[2J\x7f \xc3\xa9 \xc2\x9b \xe2\x82\xac "
				   "\xf0\x9f\x98\x80 \xff \xc0\xaf \xed\xa0\x80 \xe2\x82";

	(void)ctx;
	(void)argc;
	(void)argv;
	ctl_table(r, columns, 1, "none");
	ctl_row(r);
	ctl_octets(r, text, sizeof(text) - 1);
}

static void run_counters(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	(void)ctx;
	(void)argc;
	(void)argv;
	ctl_record(r);
	ctl_field(r, "requests-received", CTL_NUMBER);
	ctl_number(r, UINT64_MAX);
	ctl_field(r, "keepalives", CTL_NUMBER);
	ctl_number(r, 0);
}

static void run_status(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	(void)ctx;
	(void)argc;
	(void)argv;
	ctl_record(r);
	ctl_field(r, "name", CTL_STRING);
	ctl_string(r, "ihad");
	ctl_field(r, "port", CTL_NUMBER);
	ctl_number(r, 434);
	ctl_field(r, "device", CTL_STRING);
	ctl_null(r);
	ctl_field(r, "nat-traversal", CTL_BOOL);
	ctl_bool(r, true);
}

static void run_nothing(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	(void)ctx;
	(void)argc;
	(void)argv;
	ctl_record(r);
}

static void run_clear(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	(void)ctx;
	(void)argc;
	if (strcmp(argv[0], "10.50.0.7") == 0)
		ctl_message(r, "cleared \"%s\"", argv[0]);
	else
		ctl_error(r, "%s has no binding; see show bindings", argv[0]);
}

/* "LINE" is how many; more than nine is refused. */
static void run_import(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	(void)ctx;
	(void)argc;
	if (strlen(argv[0]) != 1) {
		ctl_error(r, "%.8s is no digit", argv[0]);
		return;
	}
	ctl_record(r);
	ctl_field(r, "bindings", CTL_NUMBER);
	ctl_number(r, strtoull(argv[0], NULL, 10));
	ctl_field(r, "expired", CTL_NUMBER);
	ctl_number(r, 1);
}

struct rows {
	uint64_t at, end, cut_at;
};

static int next_row(void *cursor, struct ctl_reply *r)
{
	struct rows *c = cursor;

	if (c->at == c->cut_at)
		return -EIO;
	if (c->at == c->end)
		return 0;
	ctl_row(r);
	ctl_number(r, c->at++);
	return 1;
}

static void run_rows(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	static const struct ctl_column columns[] = { { "number", CTL_NUMBER } };
	struct rows *c = calloc(1, sizeof(*c));

	(void)ctx;
	assert_non_null(c);
	c->end = strtoull(argv[0], NULL, 10);
	c->cut_at = argc > 1 ? strtoull(argv[1], NULL, 10) : UINT64_MAX;
	ctl_table(r, columns, 1, "no rows");
	ctl_stream(r, next_row, free, c);
}

static const struct ctl_command commands[] = {
	{ "show nodes", "", "four rows", run_nodes },
	{ "show nobody", "", "no rows", run_nobody },
	{ "show nasty", "", "octets of all kinds", run_nasty },
	{ "show counters", "", "numbers", run_counters },
	{ "show status", "", "one of each", run_status },
	{ "show nothing", "", "no fields", run_nothing },
	{ "show rows", "COUNT [CUT]", "many rows", run_rows },
	{ "clear binding", "HOME-ADDRESS", "a message or an error", run_clear },
	{ "state import", "LINE", "numbers or an error", run_import },
	{ 0 }
};

/* ---- The fixture ---- */

static void on_guard(void *ctx)
{
	(void)ctx;
	fail_msg("nothing happened for too long");
}

static void on_child_ended(void *ctx)
{
	loop_stop(ctx);
}

static int setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	strcpy(f.directory, "/tmp/test_hactl.XXXXXX");
	assert_non_null(mkdtemp(f.directory));
	(void)snprintf(f.path, sizeof(f.path), "%s/ihad.sock", f.directory);
	f.loop = loop_new();
	assert_non_null(f.loop);
	f.guard = loop_timer_new(f.loop, on_guard, &f);
	f.child_ended = loop_signal_new(f.loop, SIGCHLD, on_child_ended, f.loop);
	assert_int_equal(ctl_server_open(f.loop,
					 &(struct ctl_conf){ .path = f.path, .commands = commands },
					 &f.server),
			 0);
	f.in = memfd_create("stdin", MFD_CLOEXEC);
	f.out = memfd_create("stdout", MFD_CLOEXEC);
	f.err = memfd_create("stderr", MFD_CLOEXEC);
	assert_true(f.in >= 0 && f.out >= 0 && f.err >= 0);
	unsetenv("COLUMNS");
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	ctl_server_close(f->server);
	loop_signal_free(f->child_ended);
	loop_timer_free(f->guard);
	loop_free(f->loop);
	close(f->in);
	close(f->out);
	close(f->err);
	free(f->text);
	free(f->complaint);
	(void)unlink(f->path);
	assert_int_equal(rmdir(f->directory), 0);
	return 0;
}

static char *contents(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text = malloc((size_t)size + 1);

	assert_non_null(text);
	assert_int_equal(pread(fd, text, (size_t)size, 0), size);
	text[size] = '\0';
	assert_int_equal(ftruncate(fd, 0), 0);
	return text;
}

/* Words of a command line, split at blanks; "" stands for none. */
static int run_child(struct fixture *f, const char *arguments, int out, bool is_root)
{
	static char line[CTL_REQUEST_MAX];
	char *argv[32] = { (char *)"hactl" };
	int argc = 1;

	(void)snprintf(line, sizeof(line), "%s", arguments);
	for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
		argv[argc++] = strcmp(word, "SOCKET") == 0 ? f->path : word;
	/* The server's signal handling is not the child's. */
	(void)signal(SIGCHLD, SIG_DFL);
	if (!is_root && (setgid(65534) < 0 || setuid(65534) < 0))
		return 99;
	dup2(f->in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(f->err, STDERR_FILENO);
	optind = 0;
	argc = hactl_main(argc, argv);
	(void)fflush(stdout);
	return argc;
}

static void hactl_to(struct fixture *f, const char *arguments, int out, bool is_root)
{
	pid_t pid, ended = 0;
	int status = 0;

	free(f->text);
	free(f->complaint);
	fflush(stdout);
	fflush(stderr);
	assert_int_equal(lseek(f->out, 0, SEEK_SET), 0);
	assert_int_equal(lseek(f->err, 0, SEEK_SET), 0);
	loop_timer_start(f->guard, GUARD_MS, 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run_child(f, arguments, out, is_root));
	while ((ended = waitpid(pid, &status, WNOHANG)) == 0)
		loop_run(f->loop);
	assert_int_equal(ended, pid);
	assert_true(WIFEXITED(status));
	f->exit_code = WEXITSTATUS(status);
	f->text = contents(f->out);
	f->complaint = contents(f->err);
}

/* Runs hactl on the server's socket. @return what it printed */
static const char *hactl(struct fixture *f, const char *arguments)
{
	char line[CTL_REQUEST_MAX];

	(void)snprintf(line, sizeof(line), "-s SOCKET %s", arguments);
	hactl_to(f, line, f->out, true);
	return f->text;
}

/* ---- For a person ---- */

static void table_is_aligned_and_in_order(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(hactl(f, "show nodes"),
			    "HOME-ADDRESS  NAI                  REVERSE-TUNNEL  LIFETIME\n"
			    "10.50.0.9     -                    no                 65535\n"
			    "10.50.0.10    alice@corp.example   yes                 1800\n"
			    "10.50.0.10    second@corp.example  yes                    5\n"
			    "-             nobody@corp.example  -                      -\n");
	assert_int_equal(f->exit_code, 0);
	assert_string_equal(f->complaint, "");
}

static void narrow_screen_leaves_details_out_and_says_so(void **state)
{
	struct fixture *f = *state;

	setenv("COLUMNS", "50", 1);
	assert_string_equal(hactl(f, "show nodes"),
			    "HOME-ADDRESS  NAI                  LIFETIME\n"
			    "10.50.0.9     -                       65535\n"
			    "10.50.0.10    alice@corp.example       1800\n"
			    "10.50.0.10    second@corp.example         5\n"
			    "-             nobody@corp.example         -\n"
			    "Left out; a wider terminal or --json shows:\n  reverse-tunnel\n");
	setenv("COLUMNS", "22", 1);
	assert_string_equal(hactl(f, "show nodes"),
			    "HOME-ADDRESS  LIFETIME\n"
			    "10.50.0.9        65535\n"
			    "10.50.0.10        1800\n"
			    "10.50.0.10           5\n"
			    "-                    -\n"
			    "Left out; --json shows:\n  nai  reverse-tunnel\n");
	setenv("COLUMNS", "5", 1);
	assert_string_equal(hactl(f, "show nodes"),
			    "HOME-ADDRESS\n10.50.0.9\n10.50.0.10\n10.50.0.10\n-\n"
			    "Left out; --json shows:\n  nai\n  reverse-tunnel\n  lifetime\n");
}

static void empty_table_is_told_in_words(void **state)
{
	assert_string_equal(hactl(*state, "show nobody"), "no nodes: nobody is here\n");
}

static void counters_stand_under_each_other(void **state)
{
	assert_string_equal(hactl(*state, "show counters"),
			    "requests-received  18446744073709551615\n"
			    "keepalives                            0\n");
}

static void mixed_record_is_aligned_left(void **state)
{
	assert_string_equal(hactl(*state, "show status"), "name           ihad\n"
							  "port           434\n"
							  "device         -\n"
							  "nat-traversal  yes\n");
}

static void message_is_a_line(void **state)
{
	assert_string_equal(hactl(*state, "clear binding 10.50.0.7"), "cleared \"10.50.0.7\"\n");
}

static void terminal_is_not_obeyed_by_names(void **state)
{
	assert_string_equal(
		hactl(*state, "show nasty"),
		"TEXT\n"
		"\"\\/\\x08\\x09\\x0a\\x00\\x1b[2J\\x7f \xc3\xa9 \\xc2\\x9b \xe2\x82\xac "
		"\xf0\x9f\x98\x80 \\xff \\xc0\\xaf \\xed\\xa0\\x80 \\xe2\\x82\n");
}

static void help_comes_from_the_daemon(void **state)
{
	const char *text = hactl(*state, "help");

	assert_non_null(strstr(text, "clear binding  HOME-ADDRESS  a message or an error\n"));
	assert_non_null(strstr(text, "show rows      COUNT [CUT]   many rows\n"));
}

/* ---- JSON ---- */

static void table_as_json_is_an_array_of_objects(void **state)
{
	assert_string_equal(
		hactl(*state, "--json show nodes"),
		"[\n"
		"  {\"home-address\": \"10.50.0.9\", \"nai\": null, \"reverse-tunnel\": false, "
		"\"lifetime\": 65535},\n"
		"  {\"home-address\": \"10.50.0.10\", \"nai\": \"alice@corp.example\", "
		"\"reverse-tunnel\": true, \"lifetime\": 1800},\n"
		"  {\"home-address\": \"10.50.0.10\", \"nai\": \"second@corp.example\", "
		"\"reverse-tunnel\": true, \"lifetime\": 5},\n"
		"  {\"home-address\": null, \"nai\": \"nobody@corp.example\", "
		"\"reverse-tunnel\": null, \"lifetime\": null}\n"
		"]\n");
}

static void empty_table_as_json_is_an_empty_array(void **state)
{
	assert_string_equal(hactl(*state, "-j show nobody"), "[]\n");
}

static void record_as_json_is_a_flat_object(void **state)
{
	assert_string_equal(hactl(*state, "show status -j"), "{\n"
							     "  \"name\": \"ihad\",\n"
							     "  \"port\": 434,\n"
							     "  \"device\": null,\n"
							     "  \"nat-traversal\": true\n"
							     "}\n");
	assert_string_equal(hactl(*state, "show nothing -j"), "{}\n");
}

static void message_as_json_is_an_object(void **state)
{
	assert_string_equal(hactl(*state, "clear binding 10.50.0.7 --json"),
			    "{\"message\": \"cleared \\\"10.50.0.7\\\"\"}\n");
}

static void json_strings_are_escaped_and_well_formed_utf8(void **state)
{
	assert_string_equal(hactl(*state, "--json show nasty"),
			    "[\n"
			    "  {\"text\": \"\\\"\\\\/\\u0008\\u0009\\u000a\\u0000\\u001b[2J\\u007f "
			    "\xc3\xa9 \\u009b \xe2\x82\xac \xf0\x9f\x98\x80 \\ufffd \\ufffd\\ufffd "
			    "\\ufffd\\ufffd\\ufffd \\ufffd\\ufffd\"}\n"
			    "]\n");
}

/* ---- Long tables ---- */

static void long_table_is_whole_in_both_forms(void **state)
{
	struct fixture *f = *state;
	const char *p;
	size_t cnt = 0;

	p = hactl(f, "show rows 10000");
	assert_int_equal(f->exit_code, 0);
	while ((p = strchr(p, '\n')) && p[1])
		assert_int_equal(strtoull(++p, NULL, 10), cnt++);
	assert_int_equal(cnt, 10000);

	cnt = 0;
	for (p = hactl(f, "--json show rows 10000"); (p = strchr(p, ':')); cnt++)
		assert_int_equal(strtoull(++p, NULL, 10), cnt);
	assert_int_equal(cnt, 10000);
	assert_string_equal(f->text + strlen(f->text) - 3, "\n]\n");
}

static void cut_answer_exits_3(void **state)
{
	struct fixture *f = *state;

	(void)hactl(f, "show rows 10000 5000");
	assert_int_equal(f->exit_code, 3);
	assert_non_null(strstr(f->complaint, "hactl: the answer of ihad was cut off"));
	(void)hactl(f, "--json show rows 10000 5000");
	assert_int_equal(f->exit_code, 3);
	assert_string_not_equal(f->text + strlen(f->text) - 2, "]\n"); /* nobody parses it */
	(void)hactl(f, "show rows 10 5");
	assert_int_equal(f->exit_code, 3);
}

static void reader_that_has_seen_enough_is_no_error(void **state)
{
	struct fixture *f = *state;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	close(fds[0]);
	hactl_to(f, "-s SOCKET show rows 100000", fds[1], true);
	close(fds[1]);
	assert_int_equal(f->exit_code, 0);
	assert_string_equal(f->complaint, "");
}

static void full_disk_is_an_error(void **state)
{
	struct fixture *f = *state;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	hactl_to(f, "-s SOCKET show rows 100000", fd, true);
	assert_int_equal(f->exit_code, 3);
	assert_non_null(strstr(f->complaint, "No space left"));
	hactl_to(f, "-s SOCKET show counters", fd, true);
	assert_int_equal(f->exit_code, 3);
	assert_int_equal(pwrite(f->in, "1\n", 2, 0), 2);
	hactl_to(f, "-s SOCKET state import -", fd, true);
	assert_int_equal(f->exit_code, 3);
	close(fd);
}

/* ---- Exit codes ---- */

static void refused_request_exits_1_and_prints_nothing(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(hactl(f, "clear binding 10.50.0.8 --json"), "");
	assert_int_equal(f->exit_code, 1);
	assert_string_equal(f->complaint, "hactl: 10.50.0.8 has no binding; see show bindings\n");
}

static void no_such_command_exits_2(void **state)
{
	struct fixture *f = *state;

	(void)hactl(f, "show nonsense");
	assert_int_equal(f->exit_code, 2);
	assert_non_null(
		strstr(f->complaint, "hactl: unknown command \"show nonsense\"; there are: "));
	(void)hactl(f, "clear binding");
	assert_int_equal(f->exit_code, 2);
}

static void bad_command_line_exits_2(void **state)
{
	static const char *const lines[] = { "", "-x", "--nonsense", "-s", "--json" };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		hactl_to(f, lines[i], f->out, true);
		assert_int_equal(f->exit_code, 2);
		assert_string_equal(f->text, "");
		assert_string_not_equal(f->complaint, "");
	}
}

static void overlong_request_exits_2(void **state)
{
	struct fixture *f = *state;
	char line[CTL_REQUEST_MAX] = "show ";

	memset(line + 5, '\\', sizeof(line) - 40);
	(void)hactl(f, line);
	assert_int_equal(f->exit_code, 2);
	assert_non_null(strstr(f->complaint, "at most 16384 octets"));
}

static void no_socket_exits_3_and_says_what_to_do(void **state)
{
	struct fixture *f = *state;

	hactl_to(f, "-s /nonexistent/xhad.sock show status", f->out, true);
	assert_int_equal(f->exit_code, 3);
	assert_string_equal(
		f->complaint,
		"hactl: cannot reach /nonexistent/xhad.sock: there is no such socket: is "
		"xhad running? Try: systemctl status xhad\n");
}

static void socket_of_a_dead_daemon_exits_3(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	f->server = ctl_server_close(f->server);
	memcpy(addr.sun_path, f->path, strlen(f->path));
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
	(void)hactl(f, "show status");
	assert_int_equal(f->exit_code, 3);
	assert_non_null(strstr(f->complaint, "nobody listens"));
}

static void a_file_that_is_no_socket_is_told_as_such(void **state)
{
	struct fixture *f = *state;

	hactl_to(f, "-s /etc/passwd show status", f->out, true);
	assert_int_equal(f->exit_code, 3);
	assert_string_equal(f->complaint,
			    "hactl: cannot reach /etc/passwd: that is no socket; control.socket "
			    "in the daemon's configuration says where it is\n");
	hactl_to(f, "-s /nonexistent/other show status", f->out, true);
	assert_int_equal(f->exit_code, 3);
	assert_null(strstr(f->complaint, "systemctl")); /* no unit of ours */
}

/* Whoever is at the socket: metrics are made of records only. */
static void metrics_are_not_made_of_another_shape(void **state)
{
	static const struct ctl_command odd[] = { { "show status", "", "a table", run_nodes },
						  { "show counters", "", "a message", run_clear },
						  { 0 } };
	struct fixture *f = *state;

	ctl_server_close(f->server);
	assert_int_equal(ctl_server_open(f->loop,
					 &(struct ctl_conf){ .path = f->path, .commands = odd },
					 &f->server),
			 0);
	assert_string_equal(hactl(f, "--openmetrics show counters"), "");
	assert_int_equal(f->exit_code, 3);
	assert_non_null(strstr(f->complaint, "no control socket that this hactl understands"));
}

/* ---- --watch, --filter, --sort, new-key ---- */

static void usage_says(struct fixture *f, const char *arguments, const char *why)
{
	assert_string_equal(hactl(f, arguments), "");
	assert_int_equal(f->exit_code, 2);
	assert_non_null(strstr(f->complaint, why));
}

static void watch_goes_with_show_only(void **state)
{
	struct fixture *f = *state;

	usage_says(f, "-w clear binding 10.50.0.7", "--watch goes with show, not clear\n");
	usage_says(f, "-w trace 10.50.0.7", "--watch goes with show, not trace\n");
	usage_says(f, "--watch=5 new-key 10.50.0.7", "--watch goes with show, not new-key\n");
}

static void watch_says_how_its_seconds_are_written(void **state)
{
	struct fixture *f = *state;

	usage_says(f, "-w 5 show nodes", "the seconds follow --watch without a blank: -w5\n");
	usage_says(f, "-w=0 show nodes", "1 to 3600 seconds, as -w5 or --watch=5, not =0\n");
}

static void columns_are_found_as_headings_show_them(void **state)
{
	struct fixture *f = *state;

	(void)hactl(f, "-f Home-Address=*.9 -S LIFETIME show nodes");
	assert_int_equal(f->exit_code, 0);
	assert_non_null(strstr(f->text, "10.50.0.9 "));
	assert_null(strstr(f->text, "10.50.0.10"));
	usage_says(f, "-f homeaddress=x show nodes", "no column \"homeaddress\"; there are: ");
}

static void a_number_is_compared_with_numbers_only(void **state)
{
	struct fixture *f = *state;

	usage_says(f, "-f lifetime>abc show nodes", "lifetime is a number, and \"abc\" is none\n");
	usage_says(f, "-f LIFETIME< show nodes", "lifetime is a number, and \"\" is none\n");
	(void)hactl(f, "-f lifetime>5 -f lifetime!=1* -f home-address>10 show nodes");
	assert_int_equal(f->exit_code, 0);
	assert_non_null(strstr(f->text, "65535\n"));
	assert_null(strstr(f->text, "1800\n"));
}

static void a_key_is_made_for_an_address_or_a_user_at_a_realm(void **state)
{
	static const char *const words[] = { "10.50.0.8 md4", "fred", "@b", "a@", "SHA256" };
	struct fixture *f = *state;
	char line[400] = "new-key ";

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		(void)snprintf(line, sizeof(line), "new-key %s", words[i]);
		usage_says(f, line, "no address, no algorithm, and no NAI (user@realm): ");
	}
	usage_says(f, "new-key a@b c@d", "one too many: c@d");
	usage_says(f, "new-key 10.50.0.8 10.50.0.9", "one too many: 10.50.0.9");
	assert_non_null(strstr(hactl(f, "new-key 10.50.0.8 md4@b"), "10.50.0.8 md4@b "));
}

static void an_nai_has_at_most_255_octets(void **state)
{
	struct fixture *f = *state;
	char line[400] = "new-key ";

	memset(line + 8, 'a', 256);
	line[8 + 1] = '@';
	usage_says(f, line, "an NAI has at most 255 octets");
	line[8 + 255] = '\0';
	(void)hactl(f, line);
	assert_int_equal(f->exit_code, 0);
}

/* ---- Lines of standard input ---- */

static const char *hactl_octets(struct fixture *f, const char *arguments, const char *octets,
				size_t len)
{
	assert_int_equal(ftruncate(f->in, 0), 0);
	assert_int_equal(pwrite(f->in, octets, len, 0), len);
	assert_int_equal(lseek(f->in, 0, SEEK_SET), 0);
	return hactl(f, arguments);
}

static const char *hactl_lines(struct fixture *f, const char *arguments, const char *lines)
{
	return hactl_octets(f, arguments, lines, strlen(lines));
}

static void numbers_of_lines_are_added_up(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(hactl_lines(f, "state import -", "1\n2\n\n3"),
			    "bindings       6\nexpired        3\nlines-refused  0\n");
	assert_int_equal(f->exit_code, 0);
	assert_string_equal(f->complaint, "");
	assert_string_equal(
		hactl_lines(f, "-j state import -", "4\n"),
		"{\n  \"bindings\": 4,\n  \"expired\": 1,\n  \"lines-refused\": 0\n}\n");
}

static void a_refused_line_is_told_by_its_number_and_the_others_go_on(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(hactl_lines(f, "state import -", "1\n\nred\n2\nblue\n"),
			    "bindings       3\nexpired        2\nlines-refused  2\n");
	assert_int_equal(f->exit_code, 1);
	assert_string_equal(f->complaint, "hactl: line 3: red is no digit\n"
					  "hactl: line 5: blue is no digit\n");
	assert_string_equal(hactl_lines(f, "clear binding -", "10.50.0.7\n10.50.0.8\n10.50.0.7\n"),
			    "cleared \"10.50.0.7\"\ncleared \"10.50.0.7\"\n");
	assert_int_equal(f->exit_code, 1);
}

/* Nor is the part before the NUL, which would be taken: "2" is a digit. */
static void a_line_that_cannot_be_sent_is_refused_and_the_others_go_on(void **state)
{
	static const char nul[] = "1\n\0\n2\0red\n3\n";
	static char overlong[60000];
	struct fixture *f = *state;

	assert_string_equal(hactl_octets(f, "state import -", nul, sizeof(nul) - 1),
			    "bindings       4\nexpired        2\nlines-refused  2\n");
	assert_int_equal(f->exit_code, 1);
	assert_string_equal(f->complaint,
			    "hactl: line 2: it has a NUL octet, which no word can have\n"
			    "hactl: line 3: it has a NUL octet, which no word can have\n");
	memset(overlong, 'a', sizeof(overlong));
	memcpy(overlong, "1\n", 2);
	memcpy(overlong + sizeof(overlong) - 3, "\n2\n", 3);
	assert_string_equal(hactl_octets(f, "state import -", overlong, sizeof(overlong)),
			    "bindings       3\nexpired        2\nlines-refused  1\n");
	assert_int_equal(f->exit_code, 1);
	assert_string_equal(f->complaint,
			    "hactl: line 2: too long: a request has at most 16384 octets\n");
}

static void lines_end_where_nobody_can_be_asked(void **state)
{
	struct fixture *f = *state;

	(void)hactl_lines(f, "no such -", "1\n2\n");
	assert_int_equal(f->exit_code, 2);
	assert_non_null(strstr(f->complaint, "hactl: that was line 1; no other was asked\n"));
}

static void stranger_is_told_the_group(void **state)
{
	struct fixture *f = *state;

	if (geteuid() != 0)
		skip(); /* cannot become another user */
	assert_int_equal(chmod(f->directory, 0755), 0);
	hactl_to(f, "-s SOCKET show status", f->out, false);
	assert_int_equal(f->exit_code, 3);
	assert_non_null(strstr(f->complaint, "permission denied: you are not in group root"));
}

static void version_and_help_exit_0(void **state)
{
	struct fixture *f = *state;

	hactl_to(f, "-V", f->out, true);
	assert_int_equal(f->exit_code, 0);
	assert_string_equal(f->text, "hactl " HOME_AGENT_VERSION "\n");
	hactl_to(f, "--help", f->out, true);
	assert_int_equal(f->exit_code, 0);
	assert_non_null(strstr(f->text, "Usage: hactl "));
}

#define HACTL_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HACTL_TEST(table_is_aligned_and_in_order),
		HACTL_TEST(narrow_screen_leaves_details_out_and_says_so),
		HACTL_TEST(empty_table_is_told_in_words),
		HACTL_TEST(counters_stand_under_each_other),
		HACTL_TEST(mixed_record_is_aligned_left),
		HACTL_TEST(message_is_a_line),
		HACTL_TEST(terminal_is_not_obeyed_by_names),
		HACTL_TEST(help_comes_from_the_daemon),
		HACTL_TEST(table_as_json_is_an_array_of_objects),
		HACTL_TEST(empty_table_as_json_is_an_empty_array),
		HACTL_TEST(record_as_json_is_a_flat_object),
		HACTL_TEST(message_as_json_is_an_object),
		HACTL_TEST(json_strings_are_escaped_and_well_formed_utf8),
		HACTL_TEST(long_table_is_whole_in_both_forms),
		HACTL_TEST(cut_answer_exits_3),
		HACTL_TEST(reader_that_has_seen_enough_is_no_error),
		HACTL_TEST(full_disk_is_an_error),
		HACTL_TEST(refused_request_exits_1_and_prints_nothing),
		HACTL_TEST(no_such_command_exits_2),
		HACTL_TEST(bad_command_line_exits_2),
		HACTL_TEST(overlong_request_exits_2),
		HACTL_TEST(no_socket_exits_3_and_says_what_to_do),
		HACTL_TEST(socket_of_a_dead_daemon_exits_3),
		HACTL_TEST(a_file_that_is_no_socket_is_told_as_such),
		HACTL_TEST(metrics_are_not_made_of_another_shape),
		HACTL_TEST(watch_goes_with_show_only),
		HACTL_TEST(watch_says_how_its_seconds_are_written),
		HACTL_TEST(columns_are_found_as_headings_show_them),
		HACTL_TEST(a_number_is_compared_with_numbers_only),
		HACTL_TEST(a_key_is_made_for_an_address_or_a_user_at_a_realm),
		HACTL_TEST(an_nai_has_at_most_255_octets),
		HACTL_TEST(numbers_of_lines_are_added_up),
		HACTL_TEST(a_refused_line_is_told_by_its_number_and_the_others_go_on),
		HACTL_TEST(a_line_that_cannot_be_sent_is_refused_and_the_others_go_on),
		HACTL_TEST(lines_end_where_nobody_can_be_asked),
		HACTL_TEST(stranger_is_told_the_group),
		HACTL_TEST(version_and_help_exit_0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

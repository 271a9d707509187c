/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line that daemons share, and what the service manager hears. */
#include "common/daemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* There only in a build with libsystemd. */
int sd_notify(int unset_environment, const char *state) __attribute__((weak));

static const struct daemon_info info = { "ihad", "internal home agent", "/etc/ihad.yaml" };

static struct {
	struct daemon_options options;
	int exit_code;
	char out[4096], err[4096];
} ran;

static void swallow(int fd, int file, char *text, size_t size)
{
	ssize_t n = pread(file, text, size - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	close(file);
	close(fd);
}

/* Reads a command line of words split at blanks, with stdout and stderr in ran. */
static void options(const char *line)
{
	int out = memfd_create("out", 0), err = memfd_create("err", 0);
	int saved_out = dup(STDOUT_FILENO), saved_err = dup(STDERR_FILENO);
	char *argv[16] = { (char *)"ihad" };
	static char words[256];
	int argc = 1;

	(void)snprintf(words, sizeof(words), "%s", line);
	for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	ran.options = (struct daemon_options){ .config = "untouched" };
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	ran.exit_code = daemon_options(&info, argc, argv, &ran.options);
	fflush(stdout);
	dup2(saved_out, STDOUT_FILENO);
	dup2(saved_err, STDERR_FILENO);
	swallow(saved_out, out, ran.out, sizeof(ran.out));
	swallow(saved_err, err, ran.err, sizeof(ran.err));
}

static void no_options_are_the_default_configuration(void **state)
{
	(void)state;
	options("");
	assert_int_equal(ran.exit_code, -1);
	assert_string_equal(ran.options.config, "/etc/ihad.yaml");
	assert_false(ran.options.check);
}

static void configuration_and_check_are_taken(void **state)
{
	static const char *const lines[] = { "-c my.yaml --check", "--check --config my.yaml",
					     "--config=my.yaml --check" };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		options(lines[i]);
		assert_int_equal(ran.exit_code, -1);
		assert_string_equal(ran.options.config, "my.yaml");
		assert_true(ran.options.check);
	}
}

static void version_is_name_and_number(void **state)
{
	(void)state;
	options("-V");
	assert_int_equal(ran.exit_code, DAEMON_EXIT_DONE);
	assert_string_equal(ran.out, "ihad " HOME_AGENT_VERSION "\n");
	options("--version");
	assert_string_equal(ran.out, "ihad " HOME_AGENT_VERSION "\n");
}

static void help_fits_a_screen(void **state)
{
	size_t lines = 0;

	(void)state;
	options("--help");
	assert_int_equal(ran.exit_code, DAEMON_EXIT_DONE);
	assert_non_null(strstr(ran.out, "Usage: ihad"));
	assert_non_null(strstr(ran.out, "/etc/ihad.yaml"));
	for (char *line = strtok(ran.out, "\n"); line; line = strtok(NULL, "\n"), lines++)
		assert_in_range(strlen(line), 0, 80);
	assert_in_range(lines, 5, 24);
}

static void bad_command_line_exits_2_and_changes_nothing(void **state)
{
	static const char *const lines[] = { "--nonsense", "-x",   "-c",
					     "--config",   "word", "--check word" };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		options(lines[i]);
		assert_int_equal(ran.exit_code, DAEMON_EXIT_USAGE);
		assert_string_equal(ran.out, "");
		assert_non_null(strstr(ran.err, "--help"));
		assert_string_equal(ran.options.config, "untouched");
	}
}

static const char *heard(int fd)
{
	static char text[256];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	assert_true(n > 0);
	text[n] = '\0';
	return text;
}

static void service_manager_hears_what_happens(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	(void)state;
	if (!sd_notify)
		skip(); /* built without libsystemd */
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "/tmp/test_daemon.%d", getpid());
	(void)unlink(addr.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	setenv("NOTIFY_SOCKET", addr.sun_path, 1);
	daemon_ready("serving");
	assert_string_equal(heard(fd), "READY=1\nSTATUS=serving");
	daemon_reloading();
	assert_int_equal(strncmp(heard(fd), "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
	daemon_stopping();
	assert_string_equal(heard(fd), "STOPPING=1");
	assert_int_equal(unlink(addr.sun_path), 0);
	unsetenv("NOTIFY_SOCKET");
	daemon_ready("nobody listens"); /* and nothing happens */
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_options_are_the_default_configuration),
		cmocka_unit_test(configuration_and_check_are_taken),
		cmocka_unit_test(version_is_name_and_number),
		cmocka_unit_test(help_fits_a_screen),
		cmocka_unit_test(bad_command_line_exits_2_and_changes_nothing),
		cmocka_unit_test(service_manager_hears_what_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

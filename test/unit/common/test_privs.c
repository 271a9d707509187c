/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is left of a process after each step down, as the kernel sees it. Each test runs in a child:
 * there is no way back. Becoming somebody else takes root: without it those tests are skipped.
 */
#include "common/log.h"
#include "common/privs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define BIT(cap)  (1ULL << (cap))
#define NET_CAPS  (BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_NET_ADMIN) | BIT(CAP_NET_RAW))
#define BPF_CAPS  (BIT(CAP_BPF) | BIT(CAP_PERFMON))
#define SECCOMP_2 2 /* filter, in /proc/PID/status */

#define require(condition)                                                              \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			return 1;                                                       \
		}                                                                       \
	} while (0)

/* Runs it where it can do no harm. @return the child's wait status */
static int in_child(int (*what)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		log_open("test", LOG_LEVEL_ERROR);
		_exit(what()); /* leaks of a child that ends here are nobody's affair */
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void passes(int (*what)(void))
{
	int status = in_child(what);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void needs_root(void)
{
	if (geteuid() != 0) {
		print_message("only root can give up root: skipped\n");
		skip();
	}
}

static uint64_t status_of(const char *key, int base)
{
	char line[256];
	uint64_t value = UINT64_MAX;
	FILE *f = fopen("/proc/thread-self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':')
			value = strtoull(line + strlen(key) + 1, NULL, base);
	if (f)
		(void)fclose(f);
	return value;
}

/* What we had at the start, of the given ones: a container may have taken some of them away. */
static uint64_t had(uint64_t caps)
{
	return caps & status_of("CapPrm", 16);
}

static int kept_are(uint64_t caps)
{
	require(status_of("CapPrm", 16) == caps);
	require(status_of("CapEff", 16) == caps);
	require(status_of("CapInh", 16) == 0);
	require(status_of("CapBnd", 16) == 0);
	require(status_of("CapAmb", 16) == 0);
	require(status_of("NoNewPrivs", 10) == 1);
	return 0;
}

/* --- users and capabilities --- */

static int drop_to_network(void)
{
	const struct privs_conf conf = { .user = "root" };
	uint64_t caps = had(NET_CAPS);

	require(privs_drop(&conf) == 0);
	return kept_are(caps);
}

static void keeps_the_network_capabilities_and_nothing_else(void **state)
{
	(void)state;
	needs_root();
	passes(drop_to_network);
}

static int drop_to_bpf(void)
{
	const struct privs_conf conf = { .user = "root", .bpf = true };
	uint64_t caps = had(NET_CAPS | BPF_CAPS);

	require(privs_drop(&conf) == 0);
	return kept_are(caps);
}

static void keeps_what_bpf_takes_only_where_it_is_used(void **state)
{
	(void)state;
	needs_root();
	passes(drop_to_bpf);
}

static int become_nobody(void)
{
	const struct passwd *pw = getpwnam("nobody");
	const struct privs_conf conf = { .user = "nobody" };
	uint64_t caps = had(NET_CAPS);

	require(pw);
	require(privs_drop(&conf) == 0);
	require(getuid() == pw->pw_uid && geteuid() == pw->pw_uid);
	require(getgid() == pw->pw_gid && getegid() == pw->pw_gid);
	require(setuid(0) < 0);
	return kept_are(caps);
}

static void becomes_the_user_and_cannot_go_back(void **state)
{
	(void)state;
	needs_root();
	passes(become_nobody);
}

static int become_a_stranger(void)
{
	const struct privs_conf conf = { .user = "no-such-user-here" };

	log_set_level(LOG_LEVEL_ERROR);
	require(freopen("/dev/null", "w", stderr));
	require(privs_drop(&conf) < 0);
	require(geteuid() == 0);
	return 0;
}

static void refuses_a_user_that_does_not_exist(void **state)
{
	(void)state;
	needs_root();
	passes(become_a_stranger);
}

static int give_to_group(void)
{
	const struct privs_conf conf = { .user = "nobody", .group = "daemon" };
	char path[] = "/tmp/ha-privs-XXXXXX";
	int fd = mkstemp(path);
	gid_t daemon_gid = 1;
	int rc;

	require(fd >= 0 && unlink(path) == 0);
	require(fchown(fd, getpwnam("nobody")->pw_uid, (gid_t)-1) == 0);
	require(privs_drop(&conf) == 0);
	rc = fchown(fd, (uid_t)-1, daemon_gid);
	require(rc == 0);
	require(fchown(fd, (uid_t)-1, 0) < 0); /* not to any group */
	return 0;
}

static void can_give_files_to_the_control_group(void **state)
{
	(void)state;
	needs_root();
	passes(give_to_group);
}

static char root_dir[] = "/tmp/ha-privs-XXXXXX", parent[64], state_dir[64], run_dir[64];

static int make_directories(void)
{
	const struct privs_dir dirs[] = { { state_dir, 0700, true, NULL },
					  { run_dir, 0755, false, NULL },
					  { "none", 0700, true, NULL } };
	const struct privs_conf conf = { .user = "nobody", .dirs = dirs, .dir_cnt = 3 };
	struct stat st;
	uid_t nobody = getpwnam("nobody")->pw_uid;

	require(privs_drop(&conf) == 0);
	require(stat(state_dir, &st) == 0 && st.st_uid == nobody && (st.st_mode & 0777) == 0700);
	require(stat(parent, &st) == 0 && st.st_uid == 0 && (st.st_mode & 0777) == 0755);
	require(stat(run_dir, &st) == 0 && st.st_uid == 0); /* it was there: the operator's */
	require(stat("none", &st) < 0);
	return 0;
}

static char own_dir[] = "/tmp/ha-privs-XXXXXX", own_file[64];

static int is_refused(void)
{
	const struct privs_dir dir = { own_dir, 0700, true, NULL };
	const struct privs_conf conf = { .user = "nobody", .dirs = &dir, .dir_cnt = 1 };

	require(privs_drop(&conf) == -EACCES);
	return 0;
}

static int is_served(void)
{
	const struct privs_dir dir = { own_dir, 0700, true, NULL };
	const struct privs_conf conf = { .user = "nobody", .dirs = &dir, .dir_cnt = 1 };

	require(privs_drop(&conf) == 0);
	return 0;
}

static void refuses_a_directory_of_its_own_that_is_of_root_or_has_what_is(void **state)
{
	uid_t nobody;
	int fd;

	(void)state;
	needs_root();
	nobody = getpwnam("nobody")->pw_uid;
	assert_non_null(mkdtemp(own_dir));
	(void)snprintf(own_file, sizeof(own_file), "%s/state.mdb", own_dir);
	fd = open(own_file, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	passes(is_refused);
	assert_int_equal(chown(own_dir, nobody, (gid_t)-1), 0);
	passes(is_refused); /* its file still is */
	assert_int_equal(chown(own_file, nobody, (gid_t)-1), 0);
	passes(is_served);
	assert_int_equal(unlink(own_file), 0);
	assert_int_equal(rmdir(own_dir), 0);
}

static void makes_the_directories_that_are_missing_for_the_user(void **state)
{
	(void)state;
	needs_root();
	assert_true(mkdtemp(root_dir) && chmod(root_dir, 0755) == 0);
	(void)snprintf(parent, sizeof(parent), "%s/lib", root_dir);
	(void)snprintf(state_dir, sizeof(state_dir), "%s/lib/ihad", root_dir);
	(void)snprintf(run_dir, sizeof(run_dir), "%s/run", root_dir);
	assert_int_equal(mkdir(run_dir, 0755), 0);
	passes(make_directories);
	assert_int_equal(rmdir(state_dir), 0);
	assert_int_equal(rmdir(parent), 0);
	assert_int_equal(rmdir(run_dir), 0);
	assert_int_equal(rmdir(root_dir), 0);
}

static int drop_all(void)
{
	require(privs_drop_all() == 0);
	return kept_are(0);
}

static void a_child_keeps_nothing(void **state)
{
	(void)state;
	needs_root();
	passes(drop_all);
}

static int drop_as_user(void)
{
	const struct privs_conf conf = { 0 };

	require(setuid(getpwnam("nobody")->pw_uid) == 0);
	require(privs_drop(&conf) == 0);
	require(status_of("CapEff", 16) == 0);
	require(status_of("NoNewPrivs", 10) == 1);
	return 0;
}

static void who_is_not_root_keeps_what_he_has_of_it(void **state)
{
	(void)state;
	needs_root();
	passes(drop_as_user);
}

/* --- system calls --- */

static int filter_unknown(void)
{
	require(privs_filter(false) == 0);
	require(status_of("Seccomp", 10) == SECCOMP_2);
	require(status_of("NoNewPrivs", 10) == 1);
	require(syscall(SYS_bpf, 0, NULL, 0) < 0 && errno == ENOSYS);
	require(syscall(SYS_acct, NULL) < 0 && errno == ENOSYS);
	require(syscall(SYS_getpid) == getpid());
	return 0;
}

static void refuses_what_is_not_on_the_list(void **state)
{
	(void)state;
	passes(filter_unknown);
}

static int filter_bpf(void)
{
	require(privs_filter(true) == 0);
	require(syscall(SYS_bpf, -1, NULL, 0) < 0 && errno != ENOSYS);
	return 0;
}

static void bpf_is_on_the_list_where_it_is_used(void **state)
{
	(void)state;
	passes(filter_bpf);
}

static int filter_execve(void)
{
	char *const nothing[] = { NULL };

	require(privs_filter(false) == 0);
	(void)syscall(SYS_execve, "/bin/true", nothing, nothing);
	return 0;
}

static int filter_mount(void)
{
	require(privs_filter(false) == 0);
	(void)mount("none", "/nowhere", "tmpfs", 0, NULL);
	return 0;
}

static int filter_child_execve(void)
{
	char *const nothing[] = { NULL };

	require(privs_filter_child() == 0);
	(void)syscall(SYS_execve, "/bin/true", nothing, nothing);
	return 0;
}

static int filter_child(void)
{
	require(privs_filter_child() == 0);
	require(status_of("Seccomp", 10) == SECCOMP_2);
	require(socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
	require(open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0);
	require(open("/dev/null", O_WRONLY | O_CLOEXEC) < 0 && errno == ENOSYS);
	require(open("/tmp/never", O_RDONLY | O_CREAT | O_CLOEXEC, 0600) < 0 && errno == ENOSYS);
	require(mkdir("/tmp/never", 0700) < 0 && errno == ENOSYS);
	require(unlink("/tmp/never") < 0 && errno == ENOSYS);
	require(listen(0, 1) < 0 && errno == ENOSYS);
	require(syscall(SYS_bpf, 0, NULL, 0) < 0 && errno == ENOSYS);
	return 0;
}

static int filter_child_of_a_filtered_one(void)
{
	return privs_filter(true) < 0 || filter_child();
}

static void a_childs_list_is_shorter_and_holds_below_its_parents(void **state)
{
	(void)state;
	passes(filter_child);
	passes(filter_child_of_a_filtered_one);
}

static void ends_who_tries_what_only_an_intruder_would(void **state)
{
	int (*const tries[])(void) = { filter_execve, filter_mount, filter_child_execve };
	size_t i;
	int status;

	(void)state;
	for (i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		status = in_child(tries[i]);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
}

static int pipes[2];

static void *other_thread(void *arg)
{
	uint64_t *seccomp = arg;
	char octet;

	if (read(pipes[0], &octet, 1) == 1)
		*seccomp = status_of("Seccomp", 10);
	return NULL;
}

static int filter_threads(void)
{
	uint64_t seccomp = 0;
	pthread_t thread;

	require(pipe(pipes) == 0);
	require(pthread_create(&thread, NULL, other_thread, &seccomp) == 0);
	require(privs_filter(false) == 0);
	require(write(pipes[1], "x", 1) == 1);
	require(pthread_join(thread, NULL) == 0);
	require(seccomp == SECCOMP_2);
	return 0;
}

static void threads_that_run_already_are_filtered_too(void **state)
{
	(void)state;
	passes(filter_threads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_the_network_capabilities_and_nothing_else),
		cmocka_unit_test(keeps_what_bpf_takes_only_where_it_is_used),
		cmocka_unit_test(becomes_the_user_and_cannot_go_back),
		cmocka_unit_test(refuses_a_user_that_does_not_exist),
		cmocka_unit_test(can_give_files_to_the_control_group),
		cmocka_unit_test(makes_the_directories_that_are_missing_for_the_user),
		cmocka_unit_test(refuses_a_directory_of_its_own_that_is_of_root_or_has_what_is),
		cmocka_unit_test(a_child_keeps_nothing),
		cmocka_unit_test(who_is_not_root_keeps_what_he_has_of_it),
		cmocka_unit_test(refuses_what_is_not_on_the_list),
		cmocka_unit_test(bpf_is_on_the_list_where_it_is_used),
		cmocka_unit_test(a_childs_list_is_shorter_and_holds_below_its_parents),
		cmocka_unit_test(ends_who_tries_what_only_an_intruder_would),
		cmocka_unit_test(threads_that_run_already_are_filtered_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

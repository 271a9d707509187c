/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers to an operator, without memory: while one is made and streamed, each allocation of the
 * daemon's fails, alone and with all that follow (test/alloc). The answer is whole, says why there
 * is none, or ends before its end so that hactl notices; and the next one is whole.
 */
#include "common/log.h"
#include "ha-core/ha_conf.h"
#include "ha-core/ha_ctl.h"
#include "test/alloc/alloc_drill.h"
#include "test/alloc/alloc_fault.h"
#include "test/unit/ha-core/engine/idle_hooks.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define GUARD_MS    100000
#define NODES       400 /* whose rows are more than one wakeup of the loop makes */
#define ANSWER_MAX  (1024 * 1024)
#define HOME_AGENT  0x0a000002u
#define FIRST_HOME  0x0a320001u
#define CARE_OF     0x0a01000au
#define STRANGER    0xc6336401u
#define EXTRA_ROOTS 4096

struct fixture {
	struct loop *loop;
	struct loop_timer *guard;
	struct engine engine;
	struct ha_ctl *ctl;
	char path[96];
	int fd; /* the client */
	size_t len;
	char *answer; /* the one under way */
	bool ended;
};

uint64_t __wrap_clock_mono_us(void);

/* What an answer takes must not hang on how many rows of it are made in half a millisecond. */
uint64_t __wrap_clock_mono_us(void)
{
	return 0;
}

static char directory[64];
static char *clean;         /* what it answers without failures; shared by all processes */
static struct ha_conf conf; /* all zero: each key has something to show, or nothing */
static const struct conf_key no_rows[] = { { 0 } };

static bool holds(bool is, const char *what)
{
	if (!is)
		fprintf(stderr, "%s\n", what);
	return is;
}

/* --- a home agent with something to tell --- */

static struct conf_section section(void *ctx, size_t i)
{
	(void)ctx;
	return i == 0 ? (struct conf_section){ ha_conf_rows, &conf }
		      : (struct conf_section){ no_rows, &conf };
}

static int reload(void *ctx)
{
	(void)ctx;
	return 0;
}

static void on_guard(void *ctx)
{
	(void)ctx;
	fprintf(stderr, "nothing happened for too long\n");
	_exit(9);
}

static bool add_node(struct fixture *f, uint32_t i)
{
	const struct binding_key key = { .home_addr = addr_from_host(FIRST_HOME + i),
					 .home_agent = addr_from_host(HOME_AGENT) };
	const struct violation_event event = { .peer = addr_from_host(STRANGER + i),
					       .home_addr = key.home_addr };
	struct binding *b;

	if (engine_add_node(&f->engine, key.home_addr, NULL, 256, MAC_HMAC_MD5, "a key of 16 oct.",
			    16, REPLAY_TIMESTAMP, REPLAY_SECONDS(7)) < 0)
		return false;
	b = binding_put(&f->engine.cache, key, addr_from_host(CARE_OF));
	if (!b)
		return false;
	b->expires_ms = BINDING_NEVER_MS;
	b->lifetime_s = REG_LIFETIME_INFINITE;
	b->node = sa_peer_find(&f->engine.nodes, key.home_addr);
	violation_note(&f->engine.violations, &event, 0);
	return true;
}

static bool start(struct fixture *f)
{
	const struct engine_conf engine = { .home_agent = addr_from_host(HOME_AGENT) };
	struct ha_ctl_env env = { .name = "ihad",
				  .engine = &f->engine,
				  .port = 434,
				  .conf = section,
				  .reload = reload,
				  .ctx = f };
	uint32_t i;

	(void)snprintf(f->path, sizeof(f->path), "%s/%d.sock", directory, getpid());
	env.loop = f->loop = loop_new();
	f->guard = loop_timer_new(f->loop, on_guard, f);
	loop_timer_start(f->guard, GUARD_MS, 0);
	if (engine_init(&f->engine, &engine, EXTRA_ROOTS, NULL, NULL,
			&(struct engine_hooks){ idle_changed, idle_random, f },
			loop_now(f->loop)) < 0)
		return false;
	for (i = 0; i < NODES; i++)
		if (!add_node(f, i))
			return false;
	return ha_ctl_open(&env, f->path, NULL, &f->ctl) == 0;
}

static void stop(struct fixture *f)
{
	ha_ctl_close(f->ctl);
	engine_done(&f->engine);
	loop_timer_free(f->guard);
	loop_free(f->loop);
}

/* --- the client, which allocates nothing --- */

static void on_readable(void *ctx, int events)
{
	struct fixture *f = ctx;
	ssize_t n = recv(f->fd, f->answer + f->len, ANSWER_MAX - 1 - f->len, MSG_DONTWAIT);

	(void)events;
	if (n > 0)
		f->len += (size_t)n;
	f->answer[f->len] = '\0';
	/* A trace goes on for ever: its first row is all that comes of itself. */
	f->ended = n <= 0 || (strstr(f->answer, "\tlive\t") && strstr(f->answer, "\nrow\t"));
	if (f->ended)
		loop_stop(f->loop);
}

/* @param may_fail  the daemon's memory, until all is told */
static const char *ask(struct fixture *f, const char *words, bool may_fail)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct loop_fd *watch;
	char line[256];

	memcpy(sun.sun_path, f->path, strlen(f->path));
	(void)snprintf(line, sizeof(line), "ctl/1 %s\n", words);
	f->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	f->len = 0;
	f->ended = false;
	if (connect(f->fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
	    send(f->fd, line, strlen(line), 0) < 0)
		return "";
	watch = loop_fd_new(f->loop, f->fd, LOOP_READ, on_readable, f);
	alloc_fault_stretch(may_fail);
	while (!f->ended)
		loop_run(f->loop);
	alloc_fault_stretch(false);
	loop_fd_free(watch);
	close(f->fd);
	return f->answer;
}

/* --- questions --- */

static bool is_whole(const char *answer)
{
	size_t len = strlen(answer);

	return len > 5 && strcmp(answer + len - 5, "\nend\n") == 0;
}

/* Whole and as ever, refused, or not whole. */
static bool is_honest(const struct fixture *f)
{
	if (strcmp(f->answer, clean) == 0)
		return true;
	return holds(alloc_fault_count().failed > 0, "it is another each time") &&
	       holds(!is_whole(f->answer) || strncmp(f->answer, "ctl/1\terror\t", 12) == 0 ||
			     strstr(clean, "\tlive\t"),
		     "it ends well, and something is missing in it");
}

static bool attempt(void *ctx)
{
	static struct fixture f;
	const char *words = ctx;
	bool good;

	f.answer = calloc(1, ANSWER_MAX);
	if (!f.answer || !holds(start(&f), "there is no home agent"))
		return false;
	(void)ask(&f, words, true);
	if (alloc_fault_count().failed == 0)
		strcpy(clean, f.answer);
	good = is_honest(&f);
	alloc_fault_over();
	good &= holds(is_whole(ask(&f, "show counters", false)), "it answers nobody any more");
	stop(&f);
	free(f.answer);
	return good && holds(alloc_fault_live() == 0, "something leaks");
}

static void each_answer_is_whole_or_does_not_end_well(void **state)
{
	static const char *const questions[] = {
		"show bindings",
		"show bindings 10.50.0.7",
		"show mobile-nodes",
		"show violations",
		"show counters",
		"show config",
		"show config tunnel",
		"show trusted-networks",
		"show data-path",
		"show cluster",
		"help",
		"no such thing",
		"trace 192.0.2.1",
		"clear binding 10.50.0.7",
		"clear violations",
		"drain",
		"reload",
		"log-level error",
		"state check",
		"state export",
	};
	struct alloc_drill d = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
		if (!alloc_drill(&d, true, attempt, (void *)questions[i]))
			fail_msg("%s: %s", questions[i], d.fault);
	assert_int_equal(d.steps, i);
	printf("%zu questions, %u failures of memory\n", i, d.tries);
}

static int setup(void **state)
{
	(void)state;
	clean = alloc_drill_shared(ANSWER_MAX);
	strcpy(directory, "/tmp/test_ha_ctl.XXXXXX");
	log_set_level(LOG_LEVEL_ERROR);
	return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_answer_is_whole_or_does_not_end_well),
	};

	alloc_fault_begin();
	return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is not a conversation, without memory: reading the configuration, taking over a new one,
 * opening the store after a crash, writing to it. Each allocation of our own fails, alone and with
 * all that follow (test/alloc). Messages have theirs in test/scenario/run.c --faults.
 */
#include "common/err.h"
#include "ha-core/engine/reload.h"
#include "ha-core/ha_conf.h"
#include "ha-core/store/store.h"
#include "test/alloc/alloc_drill.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "test/unit/common/workdir.h"
#include "test/unit/ha-core/engine/idle_hooks.h"

#define HOME_AGENT 0x0a000002u
#define HOME       0x0a320000u
#define KEY_CNT    300 /* in the store */
#define ROUNDS     10  /* of so many keys: more than waits for the disk without growing */

static bool holds(bool is, const char *what)
{
	if (!is)
		fprintf(stderr, "%s\n", what);
	return is;
}

static bool nothing_leaks(void)
{
	return holds(alloc_fault_live() == 0, "something leaks");
}

static void drill(bool (*attempt)(void *ctx), void *ctx)
{
	struct alloc_drill d = { 0 };

	if (!alloc_drill(&d, true, attempt, ctx))
		fail_msg("%s", d.fault);
	assert_true(d.tries > 0);
	printf("%u failures of memory\n", d.tries);
}

/* --- the configuration --- */

static const char text[] = "home-agent:\n"
			   "  address: 10.0.0.2\n"
			   "home-networks:\n"
			   "  - prefix: 10.50.0.0/16\n"
			   "    dynamic-pool: 10.50.128.0/17\n"
			   "  - prefix: 10.51.0.0/16\n"
			   "mobile-nodes:\n"
			   "  - home-address: 10.50.0.7\n"
			   "    nai: alice@corp.example\n"
			   "    spi: 256\n"
			   "    key: 00112233445566778899aabbccddeeff\n"
			   "    mobile-networks: [10.60.1.0/24, 10.60.2.0/24]\n"
			   "  - nai: bob@corp.example\n"
			   "    spi: 257\n"
			   "    key: 00112233445566778899aabbccddeef0\n"
			   "mobile-nodes-file: nodes\n"
			   "foreign-agents:\n"
			   "  - address: 10.20.0.1\n"
			   "    spi: 512\n"
			   "    key: 00112233445566778899aabbccddeef1\n"
			   "tunnel:\n"
			   "  interfaces: [eth0, eth1]\n"
			   "control:\n"
			   "  group: adm\n";
static const char nodes[] =
	"10.50.0.8 carol@corp.example 258 hmac-md5 00112233445566778899aabbccddeef2\n"
	"- dave@corp.example 259 hmac-sha1 00112233445566778899aabbccddeef3 nonce\n";

static const struct conf_key no_rows[] = { { 0 } };

/* All of it, or nothing and an error: never a configuration that lacks something. */
static bool read_configuration(void *ctx)
{
	struct ha_conf_digest *clean = ctx, digest = { .seeds = { 1, 2 } };
	struct conf_faults faults = { 0 };
	struct ha_conf *conf = NULL;
	bool good;
	int err;

	alloc_fault_stretch(true);
	err = ha_conf_read("f", "ihad", no_rows, NULL, &faults, &conf);
	alloc_fault_stretch(false);
	alloc_fault_over();
	conf_faults_done(&faults);
	if (err < 0)
		return holds(alloc_fault_count().failed > 0, "it is not read") &&
		       holds(!conf, "an error and a configuration") && nothing_leaks();
	ha_conf_sum(conf, &digest);
	if (alloc_fault_count().failed == 0)
		*clean = digest;
	good = holds(memcmp(clean, &digest, sizeof(digest)) == 0, "something is missing in it") &&
	       holds(conf->tunnel.interface_cnt == 2 && conf->control.group &&
			     strcmp(conf->control.group, "adm") == 0,
		     "a setting is missing in it");
	ha_conf_free(conf);
	return good && nothing_leaks();
}

static void a_configuration_is_read_whole_or_not_at_all(void **state)
{
	(void)state;
	workdir_write("f", text, strlen(text), 0600);
	workdir_write("nodes", nodes, strlen(nodes), 0600);
	drill(read_configuration, alloc_drill_shared(sizeof(struct ha_conf_digest)));
}

static bool read_faulty_configuration(void *ctx)
{
	struct conf_faults faults = { 0 };
	struct ha_conf *conf = NULL;
	int err;

	(void)ctx;
	alloc_fault_stretch(true);
	err = ha_conf_read("f", "ihad", no_rows, NULL, &faults, &conf);
	alloc_fault_stretch(false);
	conf_faults_done(&faults);
	return holds(err < 0 && !conf, "a faulty configuration is taken") && nothing_leaks();
}

static void a_faulty_configuration_is_refused_without_memory_for_its_faults(void **state)
{
	static const char faulty[] = "home-agent:\n  address: nowhere\n  prot: 434\n  port: 0\n"
				     "home-networks:\n  - prefix: 10.50.0.1/16\n"
				     "mobile-nodes:\n  - spi: 1\n    key: xyz\n";

	(void)state;
	workdir_write("f", faulty, strlen(faulty), 0600);
	drill(read_faulty_configuration, NULL);
}

/* --- a reload --- */

static const struct ha_policy no_policy;
static struct addr_prefix home_net;

static uint32_t next_random(void *ctx)
{
	(void)ctx;
	return 1;
}

static bool open_engine(struct engine *e)
{
	const struct engine_hooks hooks = { .changed = idle_changed, .random = next_random };
	const struct clock now = { .mono_ms = 1000000, .ntp = 0xe8fe6f8000000000u };
	const struct engine_conf conf = {
		.home_agent = addr_from_host(HOME_AGENT),
		.home_networks = &home_net,
		.home_network_cnt = 1,
		.max_lifetime_s = 1800,
		.max_bindings = 1,
	};

	home_net = (struct addr_prefix){ addr_from_host(HOME), 16 };
	return engine_init(e, &conf, 8, &no_policy, NULL, &hooks, &now) == 0;
}

static bool add_node(struct engine *e, uint32_t host, uint32_t spi, const char *key)
{
	return engine_add_node(e, addr_from_host(HOME + host), NULL, spi, MAC_HMAC_MD5, key,
			       strlen(key), REPLAY_TIMESTAMP, REPLAY_SECONDS(7)) == 0;
}

static bool has_node(struct engine *e, uint32_t host, uint32_t spi)
{
	struct sa_peer *peer = sa_peer_find(&e->nodes, addr_from_host(HOME + host));

	return peer && sa_find(peer, spi);
}

/* One goes, one gets another association, one is new. A node that fails is as it was. */
static bool take_over_configuration(void *ctx)
{
	struct engine_reload r = { 0 };
	struct engine running, fresh;
	bool good;
	int err;

	(void)ctx;
	good = open_engine(&running) && open_engine(&fresh) && add_node(&running, 7, 256, "a") &&
	       add_node(&running, 8, 256, "b") && add_node(&fresh, 8, 257, "c") &&
	       add_node(&fresh, 9, 256, "d");
	alloc_fault_stretch(true);
	err = engine_reload_compare(&r, &running, &fresh);
	if (err == 0) {
		engine_reload_begin(&r, &running, &fresh.conf, NULL);
		while (engine_reload_some(&r, &running, 1))
			;
	}
	alloc_fault_stretch(false);
	if (alloc_fault_count().failed == 0)
		good &= holds(err == 0 && r.failed == 0, "it is not taken over");
	if (err < 0)
		good &= holds(has_node(&running, 7, 256) && has_node(&running, 8, 256) &&
				      !has_node(&running, 9, 256),
			      "no reload, and still a change");
	else
		good &= holds(!has_node(&running, 7, 256), "who is gone is served") &&
			holds(has_node(&running, 8, 256) != has_node(&running, 8, 257),
			      "half an association") &&
			holds(has_node(&running, 9, 256) + has_node(&running, 8, 257) +
					      (int)r.failed ==
				      2,
			      "a failure that is not counted, or counted twice");
	engine_reload_done(&r);
	engine_done(&fresh);
	engine_done(&running);
	return good && nothing_leaks();
}

static void a_reload_changes_a_node_wholly_or_says_that_it_failed(void **state)
{
	(void)state;
	drill(take_over_configuration, NULL);
}

/* --- the store --- */

static const struct store_conf store_conf = {
	.directory = "store", .daemon = "ihad", .segment_size = 4096, .boot = 1
};
static char fault[STORE_FAULT_MAX];

static int count_one(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value,
		     size_t value_len)
{
	size_t *cnt = ctx;

	(void)key;
	(void)key_len;
	(void)value;
	(void)value_len;
	(*cnt)++;
	return 0;
}

static void put_keys(struct store *s, char series)
{
	char key[16], value[200] = { 0 };
	int i;

	for (i = 0; i < KEY_CNT; i++) {
		snprintf(key, sizeof(key), "%c%d", series, i);
		store_put(s, (const uint8_t *)key, strlen(key), (const uint8_t *)value,
			  sizeof(value));
	}
}

static void take_away(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", "store", NULL);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
}

/* As a daemon leaves it that is killed: a journal, and not all of it merged. */
static bool leave_a_store(void)
{
	int status = 0;
	pid_t pid;

	take_away();
	pid = fork();
	if (pid == 0) {
		struct store *s;

		if (store_open(&store_conf, &s, fault) < 0)
			_exit(1);
		put_keys(s, 'a');
		if (store_commit(s) < 0)
			_exit(1);
		raise(SIGKILL);
	}
	return waitpid(pid, &status, 0) == pid &&
	       holds(WIFSIGNALED(status), "there is no store to begin with");
}

static bool has_keys(size_t cnt)
{
	struct store *s = NULL;
	size_t found = 0;
	bool good;

	if (!holds(store_open(&store_conf, &s, fault) == 0, fault))
		return false;
	good = holds(store_load(s, count_one, NULL, &found) == 0, "it cannot be read") &&
	       holds(found == cnt, "something stored is gone");
	store_close(s);
	return good;
}

static bool open_store(void *ctx)
{
	struct store *s = NULL;
	size_t found = 0;
	bool good;
	int rc;

	(void)ctx;
	good = leave_a_store();
	alloc_fault_stretch(true);
	rc = store_open(&store_conf, &s, fault);
	if (rc == 0)
		rc = store_load(s, count_one, NULL, &found);
	alloc_fault_stretch(false);
	if (rc == 0)
		good &= holds(found == KEY_CNT, "not all of it, and no error");
	else
		good &= holds(alloc_fault_count().failed > 0, fault);
	store_close(s);
	return good && has_keys(KEY_CNT) && nothing_leaks();
}

static void a_store_that_cannot_be_opened_for_memory_opens_later(void **state)
{
	(void)state;
	drill(open_store, NULL);
}

/* What was dropped is admitted, so that the daemon writes it again; what is older stays. */
static bool write_store(void *ctx)
{
	struct store *s = NULL;
	bool good, is_incomplete;
	struct rlimit limit, none;
	size_t before = 0;
	int i;

	(void)ctx;
	good = leave_a_store() && holds(store_open(&store_conf, &s, fault) == 0, fault) &&
	       store_load(s, count_one, NULL, &before) == 0;
	if (!good)
		return false;
	/* The disk is full: what waits for it grows. */
	(void)signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	none = (struct rlimit){ 0, limit.rlim_max };
	setrlimit(RLIMIT_FSIZE, &none);
	alloc_fault_stretch(true);
	for (i = 0; i < ROUNDS; i++)
		put_keys(s, 'b');
	alloc_fault_stretch(false);
	setrlimit(RLIMIT_FSIZE, &limit);
	(void)store_commit(s);
	is_incomplete = store_is_incomplete(s);
	good = holds(is_incomplete == (alloc_fault_count().failed > 0),
		     is_incomplete ? "it drops what it is given" : "it drops, and does not say so");
	if (is_incomplete) {
		put_keys(s, 'b');
		good &= holds(store_commit(s) == 0, "it cannot be written to any more");
		store_is_complete_again(s);
	}
	store_close(s);
	return good && has_keys(KEY_CNT + KEY_CNT) && nothing_leaks();
}

static void a_store_that_drops_for_memory_says_so(void **state)
{
	(void)state;
	drill(write_store, NULL);
	take_away();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_configuration_is_read_whole_or_not_at_all),
		cmocka_unit_test(a_faulty_configuration_is_refused_without_memory_for_its_faults),
		cmocka_unit_test(a_reload_changes_a_node_wholly_or_says_that_it_failed),
		cmocka_unit_test(a_store_that_cannot_be_opened_for_memory_opens_later),
		cmocka_unit_test(a_store_that_drops_for_memory_says_so),
	};

	alloc_fault_begin();
	return cmocka_run_group_tests(tests, workdir_setup, workdir_teardown);
}

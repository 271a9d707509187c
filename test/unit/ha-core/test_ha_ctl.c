/* SPDX-License-Identifier: BSD-2-Clause */
/* A home agent's commands, asked over a real socket: names, types and what is never shown. */
#include "common/err.h"
#include "common/log.h"
#include "ha-core/ha_ctl.h"
#include "ha-core/tunnel/encap.h"
#include "ha-core/wire/reg.h"

#include <errno.h>
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

#include "test/unit/common/addr_of.h"
#include "test/unit/ha-core/engine/idle_hooks.h"

#define GUARD_MS 100000 /* a test in which nothing is answered for so long has failed */
#define KEY      "a key that nobody may ever see"

/* What the daemon beside the engine is to the commands. */
struct daemon {
	uint64_t trusted;
	int reload_rc;
	unsigned int reloads;
};

struct fixture {
	struct loop *loop;
	struct loop_timer *guard;
	struct engine engine;
	struct ha_ctl *ctl;
	char directory[64], path[96];
	int changes; /* of the data path */
	struct daemon daemon;
	/* the client */
	struct loop_fd *watch;
	int fd;
	char *answer;
	size_t len;
	bool ended;
	void (*on_octets)(struct fixture *f); /* while an answer comes */
};

static int changed(void *ctx, struct binding_key key, const struct binding *first)
{
	struct fixture *f = ctx;

	(void)key;
	assert_null(first);
	f->changes++;
	return 0;
}

static void add_status(void *ctx, struct ctl_reply *r)
{
	const struct daemon *d = ctx;

	ctl_field(r, "trusted-networks", CTL_NUMBER);
	ctl_number(r, d->trusted);
}

static int reload(void *ctx)
{
	struct daemon *d = ctx;

	d->reloads++;
	return d->reload_rc;
}

static void on_guard(void *ctx)
{
	(void)ctx;
	fail_msg("nothing happened for too long");
}

static int setup(void **state)
{
	static struct fixture f;
	struct engine_conf conf = { .home_agent = addr("10.0.0.2") };
	struct ha_ctl_env env = { .name = "ihad",
				  .engine = &f.engine,
				  .port = 434,
				  .status = add_status,
				  .reload = reload,
				  .ctx = &f.daemon };

	memset(&f, 0, sizeof(f));
	f.daemon.trusted = 3;
	strcpy(f.directory, "/tmp/test_ha_ctl.XXXXXX");
	assert_non_null(mkdtemp(f.directory));
	(void)snprintf(f.path, sizeof(f.path), "%s/ihad.sock", f.directory);
	env.loop = f.loop = loop_new();
	assert_non_null(f.loop);
	f.guard = loop_timer_new(f.loop, on_guard, &f);
	loop_timer_start(f.guard, GUARD_MS, 0);
	assert_int_equal(engine_init(&f.engine, &conf, 4096, NULL, NULL,
				     &(struct engine_hooks){ changed, idle_random, &f },
				     loop_now(f.loop)),
			 0);
	assert_int_equal(ha_ctl_open(&env, f.path, NULL, &f.ctl), 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	assert_null(ha_ctl_close(f->ctl));
	engine_done(&f->engine);
	loop_timer_free(f->guard);
	loop_free(f->loop);
	free(f->answer);
	assert_int_equal(rmdir(f->directory), 0);
	return 0;
}

/* ---- The client ---- */

static void on_readable(void *ctx, int events)
{
	struct fixture *f = ctx;
	ssize_t n;

	(void)events;
	f->answer = realloc(f->answer, f->len + 65536 + 1);
	assert_non_null(f->answer);
	loop_timer_start(f->guard, GUARD_MS, 0);
	n = recv(f->fd, f->answer + f->len, 65536, MSG_DONTWAIT);
	if (n > 0)
		f->len += (size_t)n;
	f->answer[f->len] = '\0';
	if (n > 0 && f->on_octets)
		f->on_octets(f);
	if (n <= 0) {
		f->ended = true;
		loop_stop(f->loop);
	}
}

/* The whole answer to a request of words; valid until the next. */
static const char *ask(struct fixture *f, const char *words)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char line[256];

	memcpy(sun.sun_path, f->path, strlen(f->path));
	(void)snprintf(line, sizeof(line), "ctl/1 %s\n", words);
	f->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(f->fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(send(f->fd, line, strlen(line), 0), strlen(line));
	f->len = 0;
	f->ended = false;
	f->watch = loop_fd_new(f->loop, f->fd, LOOP_READ, on_readable, f);
	while (!f->ended)
		loop_run(f->loop);
	f->watch = loop_fd_free(f->watch);
	close(f->fd);
	return f->answer;
}

static size_t count_rows(const char *answer)
{
	size_t cnt = 0;

	for (const char *p = answer; (p = strstr(p, "\nrow\t")); p++)
		cnt++;
	return cnt;
}

/* ---- The home agent ---- */

static void add_node(struct fixture *f, const char *home_addr, const char *nai, uint32_t spi)
{
	assert_int_equal(engine_add_node(&f->engine, addr(home_addr), nai, spi, MAC_HMAC_MD5, KEY,
					 sizeof(KEY) - 1, REPLAY_TIMESTAMP, REPLAY_SECONDS(7)),
			 0);
}

static struct binding *bind_node(struct fixture *f, const char *home_addr, const char *care_of)
{
	struct binding_key key = { .home_addr = addr(home_addr),
				   .home_agent = f->engine.conf.home_agent };
	struct binding *b = binding_put(&f->engine.cache, key, addr(care_of));

	assert_non_null(b);
	b->src = addr(care_of);
	b->src_port = 434;
	b->lifetime_s = 1800;
	b->expires_ms = loop_now(f->loop)->mono_ms + 1800000;
	b->spi = 256;
	b->tunnel.encap = ENCAP_IPIP;
	b->tunnel.peer = b->care_of;
	b->node = sa_peer_find(&f->engine.nodes, key.home_addr);
	return b;
}

#define HEAD(sentence)                                                                   \
	"ctl/1\ttable\t" sentence "\thome-address:string\thome-agent:string:detail"      \
	"\tcare-of-address:string\tnai:string:detail\tencapsulation:string"              \
	"\treverse-tunnel:bool:detail\tsource-address:string\tsource-port:number:detail" \
	"\tlifetime:number:detail\tremaining:number\tspi:number:detail"                  \
	"\tpackets-to-node:number:detail\tbytes-to-node:number:detail"                   \
	"\tpackets-from-node:number:detail\tbytes-from-node:number:detail"               \
	"\tkeepalives:number:detail\tmobile-networks:list:detail\n"

/* ---- show bindings ---- */

static void binding_has_the_keys_of_the_contract(void **state)
{
	struct fixture *f = *state;
	struct binding *b;

	add_node(f, "10.50.0.7", "alice@corp.example", 256);
	b = bind_node(f, "10.50.0.7", "10.1.0.10");
	b->tunnel.reverse = true;
	b->count = (struct binding_count){ 1, 2, 3, UINT64_MAX };
	b->keepalives = 4;
	assert_string_equal(
		ask(f, "show bindings"),
		HEAD("no bindings: no mobile node is registered") "row\t10.50.0.7\t10.0.0.2\t10.1."
								  "0.10\talice@corp.example\tip-in-"
								  "ip"
								  "\ttrue\t10.1.0."
								  "10\t434\t1800\t1800\t256\t1\t2\t"
								  "3"
								  "\t18446744073709551615\t4\t\\N\n"
								  "end"
								  "\n");
}

static void networks_behind_a_router_are_those_that_are_registered(void **state)
{
	struct fixture *f = *state;
	const char *const networks[] = { "10.60.1.0/24", "10.60.2.0/24", "10.60.4.0/22" };
	struct addr_prefix prefix;
	struct binding *b;
	size_t i;

	add_node(f, "10.50.0.7", NULL, 256);
	for (i = 0; i < 3; i++) {
		assert_int_equal(addr_prefix_parse(networks[i], &prefix), 0);
		assert_int_equal(
			engine_add_network(&f->engine, addr("10.50.0.7"), NULL, prefix, false), 0);
	}
	b = bind_node(f, "10.50.0.7", "10.1.0.10");
	assert_non_null(strstr(ask(f, "show bindings"), "\t\\N\nend\n"));
	b->networks = 0x5;
	assert_non_null(strstr(ask(f, "show bindings"), "\t10.60.1.0/24 10.60.4.0/22\nend\n"));
	b->networks = 0; /* the table knows nothing of it */
}

static void encapsulation_is_of_the_four_words(void **state)
{
	struct fixture *f = *state;
	struct binding *b;

	add_node(f, "10.50.0.7", NULL, 256);
	b = bind_node(f, "10.50.0.7", "10.1.0.10");
	assert_non_null(strstr(ask(f, "show bindings"), "\t10.1.0.10\t\\N\tip-in-ip\tfalse\t"));
	b->tunnel.encap = ENCAP_MINIMAL;
	assert_non_null(strstr(ask(f, "show bindings"), "\tminimal\tfalse\t"));
	b->tunnel.encap = ENCAP_GRE;
	assert_non_null(strstr(ask(f, "show bindings"), "\tgre\tfalse\t"));
	b->tunnel.udp = true;
	b->src = addr("198.51.100.9");
	b->src_port = 40001;
	assert_non_null(strstr(ask(f, "show bindings"), "\tudp\tfalse\t198.51.100.9\t40001\t"));
}

static void remaining_counts_down_and_never_below_zero(void **state)
{
	struct fixture *f = *state;
	struct binding *b;

	add_node(f, "10.50.0.7", NULL, 256);
	b = bind_node(f, "10.50.0.7", "10.1.0.10");
	b->expires_ms = loop_now(f->loop)->mono_ms - 1;
	assert_non_null(strstr(ask(f, "show bindings"), "\t1800\t0\t256\t"));
	b->lifetime_s = REG_LIFETIME_INFINITE;
	b->expires_ms = BINDING_NEVER_MS;
	assert_non_null(strstr(ask(f, "show bindings"), "\t65535\t65535\t256\t"));
}

static void bindings_of_one_node_by_address_or_nai(void **state)
{
	struct fixture *f = *state;
	const char *answer;

	add_node(f, "10.50.0.7", "alice@corp.example", 256);
	add_node(f, "10.50.0.8", "bob@corp.example", 257);
	(void)bind_node(f, "10.50.0.7", "10.1.0.10");
	(void)bind_node(f, "10.50.0.7", "10.1.0.11");
	(void)bind_node(f, "10.50.0.8", "10.1.0.12");
	answer = ask(f, "show bindings 10.50.0.7");
	assert_int_equal(count_rows(answer), 2);
	/* The latest first. */
	assert_true(strstr(answer, "10.1.0.11") < strstr(answer, "10.1.0.10"));
	answer = ask(f, "show bindings bob@CORP.example");
	assert_int_equal(count_rows(answer), 1);
	assert_non_null(strstr(answer, "\nrow\t10.50.0.8\t"));
	assert_int_equal(count_rows(ask(f, "show bindings")), 3);
}

static void nobody_there_is_an_empty_table_that_says_why(void **state)
{
	struct fixture *f = *state;

	add_node(f, "10.50.0.7", "alice@corp.example", 256);
	add_node(f, "0.0.0.0", "dynamic@corp.example", 256);
	assert_string_equal(ask(f, "show bindings 10.50.0.7"),
			    HEAD("no binding: 10.50.0.7 is not registered here") "end\n");
	assert_string_equal(
		ask(f, "show bindings dynamic@corp.example"),
		HEAD("no binding: dynamic@corp.example is not registered here") "end\n");
}

static void who_is_no_node_is_refused_by_name(void **state)
{
	struct fixture *f = *state;

	add_node(f, "10.50.0.7", "alice@corp.example", 256);
	assert_string_equal(ask(f, "show bindings 10.50.0.9"),
			    "ctl/1\terror\tno binding: 10.50.0.9 is not a mobile node of this home "
			    "agent; see show mobile-nodes\nend\n");
	assert_non_null(strstr(ask(f, "show bindings eve@corp.example"),
			       "\terror\tno binding: eve@corp.example is not a mobile node "));
	assert_non_null(strstr(ask(f, "show bindings nobody"), "\terror\tno binding: nobody is "));
	assert_non_null(strstr(ask(f, "clear binding eve@corp.example"), "\terror\tno binding: "));
}

static void what_is_neither_address_nor_nai_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_non_null(
		strstr(ask(f, "show bindings 10.50.0.300"), "\terror\t\"10.50.0.300\" is "));
	assert_non_null(strstr(ask(f, "show bindings 10.50.0.0/16"), "\terror\t"));
	assert_non_null(strstr(ask(f, "show bindings not\\x20an\\x20address"), "\terror\t"));
}

/* Takes away and adds bindings while the answer is under way. */
static void stir(struct fixture *f)
{
	char text[16];

	if (f->changes++ > 0)
		return;
	for (unsigned int i = 0; i < 20000; i++) {
		struct binding_key key = { .home_agent = f->engine.conf.home_agent };
		struct binding *b;

		(void)snprintf(text, sizeof(text), "10.60.%u.%u", i / 250, i % 250 + 1);
		key.home_addr = addr(text);
		b = binding_find(&f->engine.cache, key);
		assert_non_null(b);
		if (i % 4 == 0) { /* moves */
			binding_del(&f->engine.cache, b);
			(void)bind_node(f, text, "10.2.0.10");
		} else if (i % 4 == 1) { /* goes */
			binding_del(&f->engine.cache, b);
		} else if (i % 4 == 2) { /* comes, as another */
			(void)snprintf(text, sizeof(text), "10.61.%u.%u", i / 250, i % 250 + 1);
			(void)bind_node(f, text, "10.1.0.10");
		}
	}
}

static void each_binding_that_stays_is_shown_once_whatever_else_changes(void **state)
{
	struct fixture *f = *state;
	static uint8_t seen[20000];
	unsigned long c, d;
	char text[16], *end;

	for (unsigned int i = 0; i < 20000; i++) {
		(void)snprintf(text, sizeof(text), "10.60.%u.%u", i / 250, i % 250 + 1);
		(void)bind_node(f, text, "10.1.0.10");
	}
	f->on_octets = stir;
	for (const char *p = ask(f, "show bindings"); (p = strchr(p, '\n')); p++)
		if (strncmp(p, "\nrow\t10.60.", 11) == 0) {
			c = strtoul(p + 11, &end, 10);
			d = strtoul(end + 1, NULL, 10);
			seen[c * 250 + d - 1]++;
		}
	assert_string_equal(f->answer + f->len - 5, "\nend\n");
	for (unsigned int i = 0; i < 20000; i++) {
		if (i % 4 == 1)
			assert_in_range(seen[i], 0, 1);
		else
			assert_int_equal(seen[i], 1);
	}
	f->on_octets = NULL;
}

/* ---- show mobile-nodes ---- */

static void mobile_nodes_are_listed_without_keys(void **state)
{
	struct fixture *f = *state;
	struct sa_peer *dynamic;
	const char *answer;

	add_node(f, "10.50.0.7", "alice@corp.example", 256);
	assert_int_equal(engine_add_node(&f->engine, addr("10.50.0.7"), "alice@corp.example", 300,
					 MAC_HMAC_SHA256, KEY, sizeof(KEY) - 1, REPLAY_NONCE, 0),
			 0);
	add_node(f, "10.50.0.8", NULL, 257);
	add_node(f, "0.0.0.0", "carol@corp.example", 258);
	add_node(f, "0.0.0.0", "dave@corp.example", 259);
	dynamic = sa_peer_find_nai(&f->engine.nodes, (const uint8_t *)"dave@corp.example", 17);
	sa_peer_assign(&f->engine.nodes, dynamic, addr("10.50.128.1"));
	(void)bind_node(f, "10.50.0.7", "10.1.0.10");
	(void)bind_node(f, "10.50.0.7", "10.1.0.11");

	answer = ask(f, "show mobile-nodes");
	assert_int_equal(count_rows(answer), 5);
	assert_non_null(strstr(answer, "\thome-address:string\tnai:string\tkind:string\tspi:number"
				       "\talgorithm:string\treplay:string\tbindings:number\n"));
	assert_non_null(strstr(answer, "\nrow\t10.50.0.7\talice@corp.example\tstatic\t256"
				       "\thmac-md5\ttimestamp\t2\n"));
	assert_non_null(strstr(answer, "\nrow\t10.50.0.7\talice@corp.example\tstatic\t300"
				       "\thmac-sha256\tnonce\t2\n"));
	assert_non_null(strstr(answer, "\nrow\t10.50.0.8\t\\N\tstatic\t257"));
	assert_non_null(strstr(answer, "\nrow\t\\N\tcarol@corp.example\tdynamic\t258"));
	assert_non_null(strstr(answer, "\nrow\t10.50.128.1\tdave@corp.example\tdynamic\t259"));
	assert_null(strstr(answer, KEY));
}

static void no_mobile_nodes_are_told_in_words(void **state)
{
	assert_non_null(strstr(ask(*state, "show mobile-nodes"), "\tno mobile nodes: "));
}

/* ---- show counters, show status ---- */

static void counters_are_a_flat_record_of_numbers(void **state)
{
	struct fixture *f = *state;
	const char *answer;

	f->engine.stats.requests_received = 5;
	f->engine.stats.replies_with_tnc = UINT64_MAX;
	answer = ask(f, "show counters");
	assert_int_equal(count_rows(answer), sizeof(struct stats) / sizeof(uint64_t));
	assert_non_null(strstr(answer, "ctl/1\trecord\nrow\trequests-received:number\t5\n"));
	assert_non_null(strstr(answer, "\nrow\treplies-with-tnc:number\t18446744073709551615\n"));
	assert_non_null(strstr(answer, "\nrow\trequests-dropped-untrusted:number\t0\n"));
}

static void status_says_who_where_and_since_when(void **state)
{
	struct fixture *f = *state;
	const char *answer;
	char pid[64];

	add_node(f, "10.50.0.7", NULL, 256);
	(void)bind_node(f, "10.50.0.7", "10.1.0.10");
	(void)snprintf(pid, sizeof(pid), "\nrow\tpid:number\t%d\n", getpid());
	answer = ask(f, "show status");
	assert_non_null(strstr(answer, "\nrow\tname:string\tihad\n"));
	assert_non_null(strstr(answer, "\nrow\tversion:string\t" HOME_AGENT_VERSION "\n"));
	assert_non_null(strstr(answer, pid));
	assert_non_null(strstr(answer, "\nrow\tstarted-at:string\t20"));
	assert_non_null(strstr(answer, "\nrow\tuptime:number\t"));
	assert_non_null(strstr(answer, "\nrow\taddress:string\t10.0.0.2\n"));
	assert_non_null(strstr(answer, "\nrow\tport:number\t434\n"));
	assert_non_null(strstr(answer, "\nrow\tmobile-nodes:number\t1\n"));
	assert_non_null(strstr(answer, "\nrow\tbindings:number\t1\n"));
	assert_non_null(strstr(answer, "\nrow\tdata-path:string\ttun\n"));
	assert_non_null(strstr(answer, "\nrow\tdevice:string\t\\N\n"));
	assert_non_null(strstr(answer, "\nrow\ttrusted-networks:number\t3\nend\n"));
}

/* ---- reload ---- */

static void reload_tells_what_came_of_it(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(ask(f, "reload"), "ctl/1\tmessage\tconfiguration reloaded\nend\n");
	f->daemon.reload_rc = ERR_CONFIG;
	assert_non_null(strstr(ask(f, "reload"), "\terror\trefused, the running configuration "
						 "stays; the log says why, and so does "));
	f->daemon.reload_rc = -ENODEV;
	assert_non_null(strstr(ask(f, "reload"), "\terror\trefused, the running configuration "
						 "stays; the log says why\n"));
	assert_int_equal(f->daemon.reloads, 3);
}

/* ---- clear binding, log-level ---- */

static void clear_ends_all_bindings_of_the_address_and_no_other(void **state)
{
	struct fixture *f = *state;

	add_node(f, "10.50.0.7", NULL, 256);
	add_node(f, "10.50.0.8", NULL, 256);
	(void)bind_node(f, "10.50.0.7", "10.1.0.10");
	(void)bind_node(f, "10.50.0.7", "10.1.0.11");
	(void)bind_node(f, "10.50.0.8", "10.1.0.12");
	assert_string_equal(ask(f, "clear binding 10.50.0.7"),
			    "ctl/1\tmessage\tcleared 2 bindings of 10.50.0.7\nend\n");
	assert_int_equal(f->changes, 1);
	assert_int_equal(f->engine.cache.cnt, 1);
	assert_string_equal(ask(f, "clear binding 10.50.0.7"),
			    "ctl/1\terror\t10.50.0.7 has no binding; see show bindings\nend\n");
	assert_string_equal(ask(f, "clear binding 10.50.0.8"),
			    "ctl/1\tmessage\tcleared 1 binding of 10.50.0.8\nend\n");
}

static void clear_takes_an_nai_too(void **state)
{
	struct fixture *f = *state;

	add_node(f, "10.50.0.7", "alice@corp.example", 256);
	(void)bind_node(f, "10.50.0.7", "10.1.0.10");
	assert_string_equal(ask(f, "clear binding alice@corp.example"),
			    "ctl/1\tmessage\tcleared 1 binding of alice@corp.example\nend\n");
	assert_int_equal(f->engine.cache.cnt, 0);
	assert_non_null(strstr(ask(f, "clear binding alice@corp.example"), "has no binding"));
}

static void clear_refuses_what_is_no_node(void **state)
{
	struct fixture *f = *state;

	assert_non_null(strstr(ask(f, "clear binding alice"),
			       "\terror\tno binding: alice is not a mobile"));
	assert_non_null(strstr(ask(f, "clear binding 10.0.0.0/8"), "\terror\t\"10.0.0.0/8\" is "));
	assert_non_null(strstr(ask(f, "clear binding"), "usage: clear binding HOME-ADDRESS|NAI\n"));
	assert_int_equal(f->changes, 0);
}

static void log_level_is_set_or_refused(void **state)
{
	struct fixture *f = *state;

	assert_non_null(strstr(ask(f, "log-level debug"), "\tmessage\tlog level is debug "));
	assert_int_equal(log_get_level(), LOG_LEVEL_DEBUG);
	assert_non_null(strstr(ask(f, "log-level loud"), "choose error, warning, notice, info "));
	assert_int_equal(log_get_level(), LOG_LEVEL_DEBUG);
	assert_non_null(strstr(ask(f, "log-level error"), "\tmessage\tlog level is error "));
	assert_int_equal(log_get_level(), LOG_LEVEL_ERROR);
}

static void change_of_the_log_level_is_logged_whatever_the_level(void **state)
{
	struct fixture *f = *state;
	int lines = memfd_create("stderr", MFD_CLOEXEC);
	int before = dup(STDERR_FILENO);
	char text[4096] = "";

	log_set_level(LOG_LEVEL_INFO);
	assert_true(lines >= 0 && before >= 0 && dup2(lines, STDERR_FILENO) >= 0);
	(void)ask(f, "log-level error");
	(void)ask(f, "log-level warning");
	assert_true(dup2(before, STDERR_FILENO) >= 0);
	assert_true(pread(lines, text, sizeof(text) - 1, 0) >= 0);
	close(before);
	close(lines);
	assert_int_equal(log_get_level(), LOG_LEVEL_WARNING);
	assert_non_null(strstr(text, "event=log-level level=error uid="));
	assert_non_null(strstr(text, "event=log-level level=warning uid="));
}

static void drain_is_switched_on_and_off(void **state)
{
	struct fixture *f = *state;

	assert_non_null(strstr(ask(f, "drain"), "\tmessage\tdraining: "));
	assert_true(f->engine.revocation.draining);
	assert_non_null(strstr(ask(f, "show status"), "\nrow\tdraining:bool\ttrue\n"));
	assert_non_null(strstr(ask(f, "drain on"), "\terror\t"));
	assert_non_null(strstr(ask(f, "drain off"), "\tmessage\tserving: "));
	assert_false(f->engine.revocation.draining);
}

static void help_knows_every_command(void **state)
{
	const char *answer = ask(*state, "help");
	size_t cnt = 1; /* help itself */

	while (ha_ctl_commands[cnt - 1].words)
		cnt++;
	assert_int_equal(count_rows(answer), cnt);
	assert_non_null(strstr(answer, "\nrow\tshow bindings\t[HOME-ADDRESS|NAI]\t"));
}

#define HA_CTL_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HA_CTL_TEST(binding_has_the_keys_of_the_contract),
		HA_CTL_TEST(networks_behind_a_router_are_those_that_are_registered),
		HA_CTL_TEST(encapsulation_is_of_the_four_words),
		HA_CTL_TEST(remaining_counts_down_and_never_below_zero),
		HA_CTL_TEST(bindings_of_one_node_by_address_or_nai),
		HA_CTL_TEST(nobody_there_is_an_empty_table_that_says_why),
		HA_CTL_TEST(who_is_no_node_is_refused_by_name),
		HA_CTL_TEST(what_is_neither_address_nor_nai_is_refused),
		HA_CTL_TEST(each_binding_that_stays_is_shown_once_whatever_else_changes),
		HA_CTL_TEST(mobile_nodes_are_listed_without_keys),
		HA_CTL_TEST(no_mobile_nodes_are_told_in_words),
		HA_CTL_TEST(counters_are_a_flat_record_of_numbers),
		HA_CTL_TEST(status_says_who_where_and_since_when),
		HA_CTL_TEST(reload_tells_what_came_of_it),
		HA_CTL_TEST(clear_ends_all_bindings_of_the_address_and_no_other),
		HA_CTL_TEST(clear_takes_an_nai_too),
		HA_CTL_TEST(clear_refuses_what_is_no_node),
		HA_CTL_TEST(log_level_is_set_or_refused),
		HA_CTL_TEST(change_of_the_log_level_is_logged_whatever_the_level),
		HA_CTL_TEST(drain_is_switched_on_and_off),
		HA_CTL_TEST(help_knows_every_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

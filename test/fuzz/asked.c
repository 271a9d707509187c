/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real commands on a real socket, over an engine with some nodes and a real store: what an
 * operator's request goes through in a daemon. The engine lives from input to input, with whatever
 * the requests did to it; what a request leaves pending ends with its connection.
 */
#include "test/fuzz/asked.h"

#include "common/log.h"
#include "ha-core/ha_conf.h"
#include "ha-core/ha_ctl.h"
#include "ha-core/store/journal.h"
#include "ha-core/tunnel/encap.h"
#include "test/unit/ha-core/engine/idle_hooks.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define KEY      "a key that nobody may ever see"
#define GUARD_MS 20000
#define CHUNK    65536

static struct {
	struct loop *loop;
	struct loop_timer *guard;
	struct engine engine;
	struct ha_state *state;
	struct ha_ctl *ctl;
	char directory[64], socket[96], store[96];
	int fd;
	char *answer;
	size_t len, size;
	bool ended;
} a;

static const struct ha_policy no_policy;

static void touched(void *ctx, const struct sa_peer *node)
{
	(void)ctx;
	ha_state_touched(a.state, node);
}

static int reload(void *ctx)
{
	(void)ctx;
	return -EINVAL;
}

static struct conf_section section_of(void *ctx, size_t i)
{
	static struct ha_conf conf;

	(void)ctx;
	(void)i;
	return (struct conf_section){ ha_conf_rows, &conf };
}

static void on_guard(void *ctx)
{
	(void)ctx;
	FUZZ_CHECK(a.ended); /* twenty seconds are over */
}

static void add_nodes(void)
{
	static const char *const nais[] = { NULL, "alice@corp.example", "a\tb@\xff" };
	const struct in_addr none = { 0 };
	size_t i;

	for (i = 0; i < 3; i++)
		FUZZ_CHECK(engine_add_node(&a.engine, addr_from_host(0x0a320007 + (uint32_t)i),
					   nais[i], 256, MAC_HMAC_MD5, KEY, sizeof(KEY) - 1,
					   REPLAY_TIMESTAMP, REPLAY_SECONDS(7)) == 0);
	FUZZ_CHECK(engine_add_node(&a.engine, none, "bob@corp.example", 257, MAC_HMAC_SHA256, KEY,
				   sizeof(KEY) - 1, REPLAY_NONCE, 0) == 0);
}

static void bind_nodes(void)
{
	const struct binding_key key = { addr_from_host(0x0a320007), a.engine.conf.home_agent };
	struct binding *b = binding_put(&a.engine.cache, key, addr_from_host(0xc6336407));
	const struct binding_tunnel tunnel = { .peer = addr_from_host(0xc6336407),
					       .encap = ENCAP_GRE };

	FUZZ_CHECK(b);
	b->node = sa_peer_find(&a.engine.nodes, key.home_addr);
	b->lifetime_s = 1800;
	b->spi = 256;
	b->expires_ms = BINDING_NEVER_MS;
	binding_set_tunnel(&a.engine.cache, b, &tunnel);
}

static void remove_it_all(void)
{
	char path[160];
	static const char *const names[] = { "state.mdb", "state.mdb-lock", "lock", "journal.end" };
	uint64_t sequence;
	size_t i;

	a.ctl = ha_ctl_close(a.ctl);
	a.state = ha_state_close(a.state);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", a.store, names[i]);
		(void)unlink(path);
	}
	for (sequence = 0; sequence < 1000; sequence++) {
		char name[32];

		journal_name(sequence, name);
		(void)snprintf(path, sizeof(path), "%s/%s", a.store, name);
		(void)unlink(path);
	}
	(void)rmdir(a.store);
	(void)rmdir(a.directory);
}

void asked_open(void)
{
	static struct ha_conf conf;
	const struct engine_conf ec = { .home_agent = addr_from_host(0x0a000002),
					.max_lifetime_s = 1800,
					.max_bindings = 4 };
	struct ha_ctl_env env = { .name = "ihad",
				  .engine = &a.engine,
				  .port = 434,
				  .reload = reload,
				  .conf = section_of };

	log_set_level(LOG_LEVEL_ERROR);
	(void)strcpy(a.directory, "/dev/shm/fuzz.XXXXXX");
	FUZZ_CHECK(mkdtemp(a.directory));
	(void)snprintf(a.socket, sizeof(a.socket), "%s/ctl", a.directory);
	(void)snprintf(a.store, sizeof(a.store), "%s/state", a.directory);
	a.loop = loop_new();
	FUZZ_CHECK(a.loop);
	a.guard = loop_timer_new(a.loop, on_guard, NULL);
	FUZZ_CHECK(engine_init(&a.engine, &ec, 16, &no_policy, NULL,
			       &(struct engine_hooks){ .changed = idle_changed,
						       .random = idle_random,
						       .touched = touched },
			       loop_now(a.loop)) == 0);
	conf.address = ec.home_agent;
	conf.state.directory = a.store;
	conf.state.sync_interval_s = 3600;
	conf.state.journal_size_mib = 1;
	FUZZ_CHECK(ha_state_open(&conf, "ihad", &a.engine, a.loop, &a.state) == 0);
	(void)atexit(remove_it_all);
	FUZZ_CHECK(ha_state_restore(a.state) == 0);
	env.loop = a.loop;
	env.state = a.state;
	FUZZ_CHECK(ha_ctl_open(&env, a.socket, NULL, &a.ctl) == 0);
	add_nodes();
	bind_nodes();
}

struct engine *asked_engine(void)
{
	return &a.engine;
}

static void room_for(size_t more)
{
	if (a.len + more < a.size)
		return;
	a.size = a.len + more + 1;
	a.answer = realloc(a.answer, a.size);
	FUZZ_CHECK(a.answer);
}

/* A table that comes as things happen has no end: its head is all there will be. */
static bool is_live(void)
{
	return strncmp(a.answer, "ctl/1\tlive\t", 11) == 0 && strchr(a.answer, '\n');
}

static void on_readable(void *ctx, int events)
{
	ssize_t n;

	(void)ctx;
	(void)events;
	room_for(CHUNK);
	n = recv(a.fd, a.answer + a.len, CHUNK, MSG_DONTWAIT);
	if (n > 0)
		a.len += (size_t)n;
	a.answer[a.len] = '\0';
	if (n <= 0 || is_live()) {
		a.ended = true;
		loop_stop(a.loop);
	}
}

static size_t fields_of(const char *line, size_t len)
{
	size_t cnt = 1, i;

	for (i = 0; i < len; i++)
		cnt += line[i] == '\t';
	return cnt;
}

/* Head, rows, end; a row of a table has a value for each column. */
static void check_answer(void)
{
	const char *line = a.answer, *end;
	size_t columns = 0, cnt;

	FUZZ_CHECK(strlen(a.answer) == a.len);
	FUZZ_CHECK(!strstr(a.answer, KEY));
	if (a.len == 0) /* a client that asked nothing */
		return;
	FUZZ_CHECK(strncmp(line, "ctl/1\t", 6) == 0);
	if (is_live())
		return;
	for (; (end = strchr(line, '\n')); line = end + 1) {
		cnt = fields_of(line, (size_t)(end - line));
		if (strncmp(line, "ctl/1\ttable\t", 12) == 0)
			columns = cnt - 3;
		if (strncmp(line, "row\t", 4) == 0)
			FUZZ_CHECK(cnt - 1 == (columns ? columns : 2));
	}
	FUZZ_CHECK(*line == '\0' && a.len >= 4 && strcmp(a.answer + a.len - 4, "end\n") == 0);
}

const char *asked(const uint8_t *octets, size_t len)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct loop_fd *watch;

	memcpy(sun.sun_path, a.socket, strlen(a.socket));
	a.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FUZZ_CHECK(a.fd >= 0 && connect(a.fd, (struct sockaddr *)&sun, sizeof(sun)) == 0);
	FUZZ_CHECK(send(a.fd, octets, len, MSG_NOSIGNAL) == (ssize_t)len);
	FUZZ_CHECK(shutdown(a.fd, SHUT_WR) == 0);
	a.len = 0;
	a.ended = false;
	watch = loop_fd_new(a.loop, a.fd, LOOP_READ, on_readable, NULL);
	FUZZ_CHECK(watch);
	loop_timer_start(a.guard, GUARD_MS, 0);
	while (!a.ended)
		loop_run(a.loop);
	loop_timer_stop(a.guard);
	(void)loop_fd_free(watch);
	(void)close(a.fd);
	check_answer();
	return a.answer;
}

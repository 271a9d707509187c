/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A home agent of a cluster against a Redis server that is hostile, damaged or somebody else: any
 * octets on any of the connections at any time, hang-ups, silence; and records of other hosts as
 * entries of the stream and as parts of the snapshot, whole, spoilt and old. ha_cluster.c,
 * cluster.c, redis.c, hiredis' reader and memory_follow() are the real ones; the loop, the sockets
 * and the store are replaced here (their functions are defined below, or the linker's --wrap).
 *
 * Whatever the server says: the engine is in order (in_order.c), no Identification that was
 * accepted becomes acceptable again (RFC 5944 §5.7), every answer that is held is released once,
 * and within its time, and the password goes to no connection but in AUTH.
 *
 * Input: bits (1: BIT_*), then steps: kind (1) and
 *
 *	say       connection (1), length (2), octets
 *	shake     number of the newest entry (4): the answers to a good handshake
 *	entry     how far its number is from the next one (1, signed), record: from the stream
 *	scanned   record: of the snapshot, and its end
 *	time      milliseconds (2), LIFE_MS of an input at most
 *	others    nothing: a node changes here; a hang-up; a reload begins or ends
 *
 * A record is a key, its length before it (1), a rank (16), and a value, its length before it (2).
 */
#include "common/log.h"
#include "ha-core/engine/memory.h"
#include "ha-core/ha_cluster.h"
#include "test/fuzz/again.h"
#include "test/fuzz/in_order.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/socket.h>

enum {
	STEP_SAY,
	STEP_SHAKE,
	STEP_ENTRY,
	STEP_SCANNED,
	STEP_TIME,
	STEP_TOUCH,
	STEP_HANG_UP,
	STEP_RELOAD,
	STEP_CNT
};

#define BIT_CONFIRMED 0x01
#define BIT_REPLICAS  0x02
#define BIT_STANDBY   0x04
#define BIT_SENTINEL  0x08
#define BIT_WITHHOLD  0x10
#define BIT_SMALL     0x20 /* the queue holds two nodes */

#define STEPS_MAX   24
#define TIMERS_MAX  16
#define SOCKETS_MAX 8
#define FD_BASE     2000000 /* nobody's */
#define SAID_MAX    65536
#define CONFIRM_MS  500
#define LIFE_MS     65536 /* ten times the longest wait, each tick of it at a cost */
#define NTP         0xe8fe6f80u
#define PASSWORD    "a password that no other command has"

static const char *const settings[] = {
	"home-agent 192.0.2.1",
	"home-network 192.0.2.0/24",
	"mobile-node 192.0.2.10 mn1@example.org 256 hmac-md5 00112233445566778899aabbccddeeff",
	"mobile-node 192.0.2.10 mn1@example.org 259 hmac-md5 0011 nonce",
	"mobile-node - mn2@example.org 256 hmac-md5 00112233445566778899aabbccddeeff",
	"mobile-node - mn3@example.org 256 hmac-md5 00112233445566778899aabbccddeeff",
	"mobile-node 192.0.2.11 - 257 hmac-sha1 00112233445566778899aabbccddeeff",
	"mobile-networks 192.0.2.11 - implicit 10.60.0.0/24 10.61.0.0/16",
	"dynamic-pool 192.0.2.20/30",
	"foreign-agent 198.51.100.1 513 hmac-md5 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
};

static struct world w;
static struct ha_cluster *hc;
static bool is_reloading;
static size_t held; /* answers that wait */
static uint64_t held_since_ms;
static uint64_t ends_ms;  /* no step's time passes after it */
static uint64_t expected; /* number of the next entry, if the server were a good one */

/* ------------------------------------------------------------------ the loop */

struct loop_timer {
	bool is_used, is_running;
	uint64_t due_ms, repeat_ms;
	loop_fn *fn;
	void *ctx;
};

struct loop_fd {
	int events;
	loop_fd_fn *fn;
	void *ctx;
};

static struct loop_timer timers[TIMERS_MAX];

static struct socket {
	bool is_open, has_hung_up;
	struct loop_fd *watch;
	uint8_t said[SAID_MAX];
	size_t len;
} sockets[SOCKETS_MAX];

const struct clock *loop_now(struct loop *l)
{
	(void)l;
	return &w.now;
}

struct loop_timer *loop_timer_new(struct loop *l, loop_fn *fn, void *ctx)
{
	struct loop_timer *t = timers;

	(void)l;
	while (t->is_used)
		t++;
	FUZZ_CHECK(t < timers + TIMERS_MAX);
	*t = (struct loop_timer){ .is_used = true, .fn = fn, .ctx = ctx };
	return t;
}

void loop_timer_start(struct loop_timer *t, uint64_t delay_ms, uint64_t repeat_ms)
{
	t->is_running = true;
	t->due_ms = w.now.mono_ms + delay_ms;
	t->repeat_ms = repeat_ms;
}

void loop_timer_stop(struct loop_timer *t)
{
	t->is_running = false;
}

struct loop_timer *loop_timer_free(struct loop_timer *t)
{
	if (t)
		*t = (struct loop_timer){ 0 };
	return NULL;
}

struct loop_fd *loop_fd_new(struct loop *l, int fd, int events, loop_fd_fn *fn, void *ctx)
{
	struct loop_fd *watch = malloc(sizeof(*watch));

	(void)l;
	FUZZ_CHECK(watch && fd >= FD_BASE && sockets[fd - FD_BASE].is_open);
	*watch = (struct loop_fd){ events, fn, ctx };
	sockets[fd - FD_BASE].watch = watch;
	return watch;
}

void loop_fd_set(struct loop_fd *watch, int events)
{
	watch->events = events;
}

struct loop_fd *loop_fd_free(struct loop_fd *watch)
{
	size_t i;

	for (i = 0; watch && i < SOCKETS_MAX; i++)
		if (sockets[i].watch == watch)
			sockets[i].watch = NULL;
	free(watch);
	return NULL;
}

/* The timer that is due first, until `ms`; NULL: none. */
static struct loop_timer *next_due(uint64_t ms)
{
	struct loop_timer *first = NULL;
	size_t i;

	for (i = 0; i < TIMERS_MAX; i++)
		if (timers[i].is_running && timers[i].due_ms <= ms &&
		    (!first || timers[i].due_ms < first->due_ms))
			first = &timers[i];
	return first;
}

static void set_time(uint64_t mono_ms)
{
	world_advance(&w, mono_ms > w.now.mono_ms ? mono_ms - w.now.mono_ms : 0);
}

static void pass_time(uint64_t ms)
{
	const uint64_t until_ms = w.now.mono_ms + ms;
	struct loop_timer *t;

	while ((t = next_due(until_ms))) {
		set_time(t->due_ms);
		if (t->repeat_ms > 0)
			t->due_ms += t->repeat_ms;
		else
			t->is_running = false;
		t->fn(t->ctx);
	}
	set_time(until_ms);
}

/* --------------------------------------------------------------- the sockets */

int __wrap_socket(int domain, int type, int protocol);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
ssize_t __wrap_send(int fd, const void *data, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *data, size_t size, int flags);
int __wrap_close(int fd);
int __real_close(int fd);
void __wrap_log_write(enum log_level level, const char *message, const char *fmt, ...);

int __wrap_socket(int domain, int type, int protocol)
{
	struct socket *s = sockets;

	(void)domain;
	(void)type;
	(void)protocol;
	while (s < sockets + SOCKETS_MAX && s->is_open)
		s++;
	FUZZ_CHECK(s < sockets + SOCKETS_MAX); /* three at most */
	s->is_open = true;
	s->has_hung_up = false;
	s->len = 0;
	return FD_BASE + (int)(s - sockets);
}

int __wrap_connect(int fd, const struct sockaddr *to, socklen_t len)
{
	(void)fd;
	(void)to;
	(void)len;
	errno = EINPROGRESS;
	return -1;
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	(void)fd;
	(void)level;
	(void)name;
	(void)value;
	(void)len;
	return 0;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	(void)fd;
	(void)level;
	(void)name;
	memset(value, 0, *len);
	return 0;
}

ssize_t __wrap_send(int fd, const void *data, size_t len, int flags)
{
	const uint8_t *at = data, *auth;

	(void)flags;
	FUZZ_CHECK(fd >= FD_BASE && sockets[fd - FD_BASE].is_open);
	at = memmem(data, len, PASSWORD, strlen(PASSWORD));
	auth = memmem(data, len, "AUTH", 4);
	FUZZ_CHECK(!at || (auth && auth < at));
	return (ssize_t)len;
}

ssize_t __wrap_recv(int fd, void *data, size_t size, int flags)
{
	struct socket *s = &sockets[fd - FD_BASE];
	size_t len = s->len < size ? s->len : size;

	(void)flags;
	FUZZ_CHECK(s->is_open);
	if (len == 0 && !s->has_hung_up) {
		errno = EAGAIN;
		return -1;
	}
	memcpy(data, s->said, len);
	memmove(s->said, s->said + len, s->len - len);
	s->len -= len;
	return (ssize_t)len;
}

int __wrap_close(int fd)
{
	if (fd < FD_BASE)
		return __real_close(fd);
	sockets[fd - FD_BASE].is_open = false;
	return 0;
}

/* Nobody reads it, and there would be much of it. */
void __wrap_log_write(enum log_level level, const char *message, const char *fmt, ...)
{
	(void)level;
	(void)message;
	(void)fmt;
}

static void wake(struct socket *s)
{
	int events = LOOP_READ | LOOP_WRITE;

	while (s->is_open && s->watch && (s->len > 0 || s->has_hung_up || events & LOOP_WRITE)) {
		s->watch->fn(s->watch->ctx, events & s->watch->events);
		events = LOOP_READ;
	}
}

static struct socket *socket_of(unsigned int place)
{
	size_t i, cnt = 0;

	for (i = 0; i < SOCKETS_MAX; i++)
		cnt += sockets[i].is_open;
	for (i = 0; i < SOCKETS_MAX && cnt > 0; i++)
		if (sockets[i].is_open && place-- % cnt == 0)
			return &sockets[i];
	return NULL;
}

static void say(unsigned int place, const void *octets, size_t len)
{
	struct socket *s = socket_of(place);

	if (!s || len > SAID_MAX - s->len)
		return;
	memcpy(s->said + s->len, octets, len);
	s->len += len;
	wake(s);
}

/* ---------------------------------------------------------------- the store */

static struct memory_time time_now(void)
{
	return (struct memory_time){ .now = w.now, .boot = 1 };
}

int ha_state_follow(struct ha_state *st, const uint8_t *key, size_t key_len, const uint8_t *value,
		    size_t value_len, struct memory_restored *out)
{
	struct memory_time at = time_now();
	uint8_t *copy = fuzz_copy(value, value_len);
	int rc = memory_follow(&w.engine, key, key_len, copy, value_len, &at, out);

	(void)st;
	FUZZ_CHECK(rc == memory_check(&w.engine, key, key_len, value, value_len) ||
		   key[0] == REVOCATION_KEY_KIND);
	free(copy);
	return rc;
}

size_t ha_state_encode(struct ha_state *st, const struct sa_peer *node,
		       uint8_t ret_key[MEMORY_KEY_MAX], size_t *ret_key_len,
		       uint8_t ret_value[MEMORY_VALUE_MAX])
{
	struct memory_time at = time_now();

	(void)st;
	*ret_key_len = memory_key(node, ret_key);
	return memory_encode(&w.engine, node, &at, ret_value);
}

void ha_state_touched(struct ha_state *st, const struct sa_peer *node)
{
	(void)st;
	(void)node;
}

int ha_state_commit(struct ha_state *st)
{
	(void)st;
	return 0;
}

void ha_state_put_note(struct ha_state *st, const void *note, size_t len)
{
	(void)st;
	(void)note;
	FUZZ_CHECK(len <= HA_STATE_NOTE_MAX);
}

size_t ha_state_get_note(const struct ha_state *st, void *ret_note)
{
	(void)st;
	(void)ret_note;
	return 0;
}

/* ------------------------------------------------------------------ set-up */

static void touched(void *ctx, const struct sa_peer *node)
{
	(void)ctx;
	ha_cluster_touched(hc, node);
}

static void release(void *ctx, size_t cnt, bool send)
{
	(void)ctx;
	(void)send;
	FUZZ_CHECK(cnt > 0 && cnt <= held);
	held -= cnt;
}

static void role(void *ctx, bool active)
{
	(void)ctx;
	(void)active;
}

static void begin(uint8_t bits)
{
	static char *servers[] = { (char *)"198.51.100.9:6379", (char *)"198.51.100.10:6379" };
	struct ha_conf conf = { 0 };
	const struct ha_cluster_env env = { .engine = &w.engine, .release = release, .role = role };
	char line[256], *words[WORLD_WORDS_MAX];
	size_t i;

	world_init(&w, NTP);
	for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		(void)snprintf(line, sizeof(line), "%s", settings[i]);
		FUZZ_CHECK(world_set(&w, words, world_split(line, words, WORLD_WORDS_MAX)) == 0);
	}
	w.engine.hooks.touched = touched;
	conf.state.replication = (struct ha_conf_replication){
		.servers = servers,
		.server_cnt = 2,
		.sentinel_master = bits & BIT_SENTINEL ? (char *)"home" : NULL,
		.user = (char *)"agent",
		.password = (char *)PASSWORD,
		.prefix = (char *)"ha",
		.name = (char *)"this",
		.role = bits & BIT_STANDBY ? HA_CONF_ROLE_STANDBY : HA_CONF_ROLE_ACTIVE,
		.durability = bits & BIT_CONFIRMED ? HA_CONF_DURABILITY_CONFIRMED
						   : HA_CONF_DURABILITY_ASYNC,
		.replicas = bits & BIT_REPLICAS ? 1 : 0,
		.confirm_timeout_ms = CONFIRM_MS,
		.unconfirmed = bits & BIT_WITHHOLD ? HA_CONF_UNCONFIRMED_WITHHOLD : 0,
		.stream_length = 1000,
		.queue_limit = bits & BIT_SMALL ? 2 : 1000,
	};
	held = 0;
	is_reloading = false;
	expected = 1;
	ends_ms = w.now.mono_ms + LIFE_MS;
	FUZZ_CHECK(ha_cluster_open(&conf, &env, &hc) == 0 && hc);
	pass_time(0);
}

static void end(void)
{
	size_t i;

	hc = ha_cluster_close(hc);
	for (i = 0; i < SOCKETS_MAX; i++)
		FUZZ_CHECK(!sockets[i].is_open && !sockets[i].watch);
	for (i = 0; i < TIMERS_MAX; i++)
		FUZZ_CHECK(!timers[i].is_used);
	world_done(&w);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_set_level(LOG_LEVEL_ERROR);
	again_open();
	return 0;
}

/* ------------------------------------------------------------------- steps */

struct text {
	char octets[SAID_MAX];
	size_t len;
};

static void put_text(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put_text(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	t->len += (size_t)vsnprintf(t->octets + t->len, sizeof(t->octets) - t->len, fmt, ap);
	va_end(ap);
	FUZZ_CHECK(t->len < sizeof(t->octets));
}

static void put_bulk(struct text *t, const void *octets, size_t len)
{
	put_text(t, "$%zu\r\n", len);
	FUZZ_CHECK(t->len + len + 2 < sizeof(t->octets));
	memcpy(t->octets + t->len, octets, len);
	t->len += len;
	put_text(t, "\r\n");
}

/* The key, and the value with its rank before it; of what is left of the input. */
static bool get_record(struct wire_reader *r, struct text *t, const char *between)
{
	static uint8_t value[CLUSTER_RANK_LEN + 4096];
	size_t key_len = wire_u8(r), len;
	const uint8_t *key = wire_bytes(r, key_len), *octets;
	struct cluster_rank rank;

	rank.ident = wire_u64(r);
	rank.version = wire_u64(r);
	len = wire_u16(r);
	if (len > wire_left(r))
		len = wire_left(r);
	octets = wire_bytes(r, len);
	if (r->failed || len > sizeof(value) - CLUSTER_RANK_LEN)
		return false;
	cluster_rank_put(&rank, (char *)value);
	memcpy(value + CLUSTER_RANK_LEN, octets, len);
	put_bulk(t, key, key_len);
	put_text(t, "%s", between);
	put_bulk(t, value, CLUSTER_RANK_LEN + len);
	return true;
}

static void shake_hands(uint32_t newest)
{
	static struct text t;

	t.len = 0;
	put_text(&t, "+OK\r\n");
	put_bulk(&t, "role:master\r\nmaster_replid:00112233445566778899aabbccddeeff00112233\r\n",
		 67);
	put_bulk(&t, "aabb", 4);
	put_text(&t, "+OK\r\n");
	put_bulk(&t, "5a5a5a5a5a5a5a5a", 16);
	put_text(&t, ":%u\r\n", newest);
	expected = (uint64_t)newest + 1;
	say(0, t.octets, t.len);
	say(1, "+OK\r\n", 5);
}

static void entry(struct wire_reader *r)
{
	int8_t off = (int8_t)wire_u8(r);
	static struct text t;

	t.len = 0;
	put_text(&t, "*1\r\n*2\r\n$9\r\nha:stream\r\n*1\r\n*2\r\n");
	put_text(&t, "+%llu-1\r\n", (unsigned long long)(expected + (uint64_t)off));
	put_text(&t, "*8\r\n+h\r\n+other\r\n+t\r\n+0\r\n+k\r\n");
	if (!get_record(r, &t, "+v\r\n"))
		return;
	expected++;
	say(1, t.octets, t.len);
}

static void scanned(struct wire_reader *r)
{
	static struct text t;

	t.len = 0;
	put_text(&t, "*2\r\n+0\r\n*2\r\n");
	if (get_record(r, &t, ""))
		say(1, t.octets, t.len);
}

/* An accepted request: the node changes, its record is to be shared, its answer maybe held. */
static void touch(void)
{
	struct sa_peer *node = w.engine.nodes.peers;
	int rc;

	ha_cluster_touched(hc, node);
	if (sa_peer_shared_of(node))
		sa_peer_shared_of(node)->ident = w.now.ntp;
	rc = ha_cluster_commit(hc);
	FUZZ_CHECK(rc == 0 || rc == 1 || rc == -EAGAIN);
	if (rc == 1 && held++ == 0)
		held_since_ms = w.now.mono_ms;
}

static uint64_t within_life(uint64_t ms)
{
	const uint64_t left_ms = ends_ms > w.now.mono_ms ? ends_ms - w.now.mono_ms : 0;

	return ms < left_ms ? ms : left_ms;
}

static void step(struct wire_reader *r)
{
	struct socket *s;
	uint8_t place;
	size_t len;

	switch (wire_u8(r) % STEP_CNT) {
	case STEP_SAY:
		place = wire_u8(r);
		len = wire_u16(r);
		if (len > wire_left(r))
			len = wire_left(r);
		say(place, r->pos, len);
		(void)wire_bytes(r, len);
		break;
	case STEP_SHAKE:
		shake_hands(wire_u32(r));
		break;
	case STEP_ENTRY:
		entry(r);
		break;
	case STEP_SCANNED:
		scanned(r);
		break;
	case STEP_TIME:
		pass_time(within_life(wire_u16(r)));
		break;
	case STEP_TOUCH:
		touch();
		break;
	case STEP_HANG_UP:
		s = socket_of(0);
		if (s) {
			s->has_hung_up = true;
			wake(s);
		}
		break;
	default:
		is_reloading = !is_reloading;
		ha_cluster_reload(hc, is_reloading);
		break;
	}
}

/* ------------------------------------------------------------ what must hold */

#define ASSOCIATIONS_MAX 16

/* The last Identification of each association, as of now. */
static size_t identifications(uint64_t *idents)
{
	const struct sa_peer *node;
	const struct sa *sa;
	size_t cnt = 0;

	for (node = w.engine.nodes.peers; node; node = node->next)
		for (sa = node->sas; sa && cnt < ASSOCIATIONS_MAX; sa = sa->next)
			idents[cnt++] =
				sa->replay.style == REPLAY_TIMESTAMP ? sa->replay.last_ident : 0;
	return cnt;
}

static void check_step(const uint64_t *before, size_t cnt)
{
	uint64_t after[ASSOCIATIONS_MAX];
	size_t i;

	FUZZ_CHECK(identifications(after) == cnt);
	for (i = 0; i < cnt; i++)
		FUZZ_CHECK(before[i] == w.engine.started_ntp ||
			   clock_ntp_diff(after[i], before[i]) >= 0);
	FUZZ_CHECK(held == 0 || w.now.mono_ms - held_since_ms <= 65535 + CONFIRM_MS);
	in_order(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_reader r = wire_reader(data, size);
	uint64_t idents[ASSOCIATIONS_MAX];
	unsigned int i;
	size_t cnt;

	/* Else it would be ours to send, as what somebody else said. */
	if (memmem(data, size, PASSWORD, strlen(PASSWORD)))
		return 0;
	begin(wire_u8(&r));
	for (i = 0; i < STEPS_MAX && wire_left(&r) > 0; i++) {
		cnt = identifications(idents);
		step(&r);
		check_step(idents, cnt);
	}
	pass_time(CONFIRM_MS + 100); /* the tick that ends what is late */
	FUZZ_CHECK(held == 0);
	end();
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conversations with the whole engine, under the daemons' own policies and with valid keys: the
 * mutator signs what it has changed, so that what lies behind authentication is reached. After each
 * message the engine has to be in order: see in_order.c, check_reply() and check_accepted().
 *
 * Input: agent (1: place in agents[]), bits (2: see set_up()), the clock in NTP seconds (4), then
 * steps. A step is its kind (1) and
 *
 *	message	source (4), port (2), length (2), a message for port 434
 *	advance	time (2), in tenths of a second
 *	change	settings that are gone (2), whose keys are others (2), of more[] that come (1): a
 *		reload begins, and goes on by one node after each step
 *	others	nothing: what the agent trusts changes by a reload; the first binding is cleared
 *
 * RFC 5944 §3.8 (what is accepted, and what a reply holds), RFC 5265 §4.3 (who hears of TNC).
 */
#include "test/fuzz/again.h"
#include "test/fuzz/in_order.h"

#include "ha-core/engine/reload.h"
#include "ha-core/wire/reg.h"
#include "ha-core/wire/revocation.h"

enum { STEP_MESSAGE, STEP_ADVANCE, STEP_RELOAD, STEP_CLEAR, STEP_CHANGE, STEP_CNT };

#define HEADER_LEN   7
#define MESSAGE_HEAD 9 /* kind, source, port, length */
#define MESSAGE_MAX  1472
#define STEPS_MAX    12
#define SETTINGS_MAX 16
#define MORE_MAX     4

/* Those of the vectors (test/unit/vectors), with some of what later standards add. */
static const char *const agents[][SETTINGS_MAX] = {
	{
		"home-agent 192.0.2.1",
		"home-network 192.0.2.0/24",
		"mobile-node 192.0.2.10 mn1@example.org 256 hmac-md5 "
		"00112233445566778899aabbccddeeff",
		"mobile-node 192.0.2.10 mn1@example.org 258 keyed-md5 "
		"0f1e2d3c4b5a69788796a5b4c3d2e1f0",
		"mobile-node 192.0.2.10 mn1@example.org 259 hmac-md5 "
		"c0c1c2c3c4c5c6c7c8c9cacbcccdcecf nonce",
		"mobile-node - mn2@example.org 256 hmac-md5 00112233445566778899aabbccddeeff",
		"mobile-node - mn3@example.org 256 hmac-sha256 00112233445566778899aabbccddeeff",
		"mobile-node 192.0.2.11 - 257 hmac-sha1 00112233445566778899aabbccddeeff",
		"mobile-networks 192.0.2.11 - implicit 10.60.0.0/24 10.61.0.0/16",
		"dynamic-pool 192.0.2.20/32",
		"foreign-agent 198.51.100.1 513 hmac-md5 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
	},
	{
		"policy ihad",
		"trusted 10.1.0.0/16 10.2.0.0/16 10.3.0.0/16 10.9.0.0/16",
		"home-agent 10.1.0.2",
		"home-network 10.1.0.0/24",
		"mobile-node 10.1.0.50 alice@corp.example 257 hmac-md5 "
		"00112233445566778899aabbccddeeff",
		"mobile-node 10.1.0.51 bob@corp.example 257 hmac-md5 "
		"00112233445566778899aabbccddeeff",
		"mobile-networks 10.1.0.50 - 10.50.0.0/24",
		"services 10.1.0.51 - ims web required",
		"foreign-agent 10.3.0.1 771 hmac-md5 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
	},
	{
		"policy xhad",
		"inside 10.0.0.0/8",
		"home-agent 198.51.100.2",
		"home-network 198.51.100.0/24",
		"mobile-node 198.51.100.50 alice@corp.example 514 hmac-md5 "
		"0f1e2d3c4b5a69788796a5b4c3d2e1f0",
		"foreign-agent 192.168.1.1 771 hmac-md5 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
		"udp-max-lifetime 60",
	},
	{
		"home-agent 198.51.100.2",
		"home-network 198.51.100.0/24",
		"mobile-node - alice@corp.example 514 hmac-md5 0f1e2d3c4b5a69788796a5b4c3d2e1f0",
		"dynamic-pool 198.51.100.50/32",
	},
};
#define AGENT_CNT (sizeof(agents) / sizeof(agents[0]))

/* What a reload may add to them: a node, another association of one, one that gets an address. */
static const char *const more[][MORE_MAX] = {
	{
		"mobile-node 192.0.2.12 mn4@example.org 256 hmac-md5 "
		"00112233445566778899aabbccddeeff",
		"mobile-node 192.0.2.10 mn1@example.org 260 hmac-sha1 "
		"101112131415161718191a1b1c1d1e1f",
		"mobile-node 192.0.2.20 mn3@example.org 256 hmac-sha256 "
		"00112233445566778899aabbccddeeff",
		"mobile-networks 192.0.2.10 - 10.62.0.0/24",
	},
	{
		"mobile-node 10.1.0.50 alice@corp.example 258 hmac-sha1 "
		"00112233445566778899aabbccddeeff",
		"mobile-node 10.1.0.52 carol@corp.example 257 hmac-md5 "
		"00112233445566778899aabbccddeeff",
		"foreign-agent 10.2.0.1 771 hmac-md5 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
	},
	{
		"mobile-node 198.51.100.51 bob@corp.example 514 hmac-md5 "
		"0f1e2d3c4b5a69788796a5b4c3d2e1f0",
	},
	{
		"mobile-node 198.51.100.50 alice@corp.example 514 hmac-md5 "
		"0f1e2d3c4b5a69788796a5b4c3d2e1f0",
		"mobile-node - bob@corp.example 514 hmac-md5 0f1e2d3c4b5a69788796a5b4c3d2e1f0",
	},
};

/* Nobody's but the mutator's: where it looks up keys. One for each agent. */
static struct world keys[AGENT_CNT];

static void set(struct world *w, const char *line)
{
	char copy[256], *words[WORLD_WORDS_MAX];

	(void)snprintf(copy, sizeof(copy), "%s", line);
	FUZZ_CHECK(world_set(w, words, world_split(copy, words, WORLD_WORDS_MAX)) == 0);
}

/* Which settings a bit is: all of them bring the engine down another way. */
static void set_up(struct world *w, size_t agent, uint16_t bits)
{
	static const char *const choices[] = {
		"reverse-tunnel required",
		"reverse-tunnel disabled",
		"nat off",
		"forced off",
		"revocation-required on",
		"revocation-inform off",
		"message-strings on",
		"strict-reserved-bits on",
		"max-simultaneous-bindings 1",
		"max-lifetime 300",
		"redirect-drawn on",
		"redirect 198.51.100.3",
		"refuse-changes on",
		"refuse-routes on",
		"max-outstanding 1",
		"max-denials-per-node 1",
	};
	size_t i;

	for (i = 0; i < SETTINGS_MAX && agents[agent][i]; i++)
		set(w, agents[agent][i]);
	for (i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
		if (bits >> i & 1)
			set(w, choices[i]);
}

/* A line of settings, its key another one. Settings of what is gone may name nobody. */
static void set_changed(struct world *w, const char *line, bool is_rekeyed)
{
	char copy[256], *words[WORLD_WORDS_MAX], *key = NULL;
	size_t cnt;

	(void)snprintf(copy, sizeof(copy), "%s", line);
	cnt = world_split(copy, words, WORLD_WORDS_MAX);
	if (strcmp(words[0], "mobile-node") == 0)
		key = words[5];
	else if (strcmp(words[0], "foreign-agent") == 0)
		key = words[4];
	if (key && is_rekeyed)
		key[0] = key[0] == 'f' ? '0' : 'f';
	(void)world_set(w, words, cnt);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	size_t i, j;

	(void)argc;
	(void)argv;
	again_open();
	for (i = 0; i < AGENT_CNT; i++) {
		world_init(&keys[i], 0);
		set_up(&keys[i], i, 0);
		for (j = 0; j < MORE_MAX && more[i][j]; j++)
			set_changed(&keys[i], more[i][j], false);
	}
	return 0;
}

/* ------------------------------------------------------------ what must hold */

/* Extensions of a type before `end`, and where the first is (all zero: there is none). */
static unsigned int count_ext(const uint8_t *from, const uint8_t *end, uint8_t type,
			      struct ext *out_first)
{
	struct wire_reader r = wire_reader(from, (size_t)(end - from));
	unsigned int cnt = 0;
	struct ext ext;

	*out_first = (struct ext){ 0 };
	while (ext_next(&r, &ext) > 0)
		if (ext.type == type && cnt++ == 0)
			*out_first = ext;
	return cnt;
}

static bool is_whole(const uint8_t *from, const uint8_t *end)
{
	struct wire_reader r = wire_reader(from, (size_t)(end - from));
	struct ext ext;
	int rc;

	do
		rc = ext_next(&r, &ext);
	while (rc > 0);
	return rc == 0;
}

static bool verifies(const struct sa *sa, const uint8_t *msg, const struct ext *ext)
{
	struct reg_auth auth;

	return sa && reg_auth_decode(msg, ext, &auth) == 0 && auth.spi == sa->spi &&
	       mac_verify(&sa->mac, msg, auth.covered_len, auth.mac, auth.mac_len) == 0;
}

static bool is_trusted(const struct world *w, struct in_addr src)
{
	if (world_has_tnc(w))
		return addr_set_contains(&w->ihad.trusted_networks, src);
	return !addr_set_contains(&w->xhad.inside.networks, src);
}

/* An authenticated answer to what was asked, and nobody else hears what only the trusted may. */
static void check_reply(const struct world *w, const uint8_t *msg, const struct reg_origin *from,
			const struct engine_result *res)
{
	const uint8_t *exts = res->reply + REG_REPLY_LEN, *end = res->reply + res->reply_len;
	struct wire_reader r = wire_reader(res->reply, res->reply_len);
	struct reg_auth auth;
	struct reg_reply reply;
	struct ext mhae, ext;

	if (res->reply_len == 0)
		return;
	FUZZ_CHECK(is_trusted(w, from->src));
	FUZZ_CHECK(res->outcome.verdict != REG_DISCARD && res->reply_len <= ENGINE_REPLY_MAX);
	if (msg[0] != REG_MSG_REQUEST) {
		FUZZ_CHECK(msg[0] == REG_MSG_REVOCATION && res->reply[0] == REG_MSG_REVOCATION_ACK);
		FUZZ_CHECK(is_whole(res->reply + REVOCATION_ACK_LEN, end));
		return;
	}
	FUZZ_CHECK(reg_reply_decode(&r, &reply) == 0 && is_whole(exts, end));
	FUZZ_CHECK(reply.code == res->outcome.code);
	FUZZ_CHECK((res->outcome.verdict == REG_ACCEPT) == (reply.code <= 1));
	FUZZ_CHECK((uint32_t)reply.ident == (uint32_t)res->req.ident);
	FUZZ_CHECK(reply.code > 1 || addr_eq(reply.home_agent, w->conf.home_agent));
	FUZZ_CHECK(reply.code > 1 || reply.lifetime_s <= res->req.lifetime_s);
	FUZZ_CHECK(count_ext(exts, end, EXT_MOBILE_HOME_AUTH, &mhae) == 1);
	FUZZ_CHECK(reg_auth_decode(res->reply, &mhae, &auth) == 0 && res->node);
	FUZZ_CHECK(verifies(sa_find(res->node, auth.spi), res->reply, &mhae));
	FUZZ_CHECK(count_ext(exts, end, EXT_TRUSTED_NETWORKS, &ext) == world_has_tnc(w));
	FUZZ_CHECK(!world_has_tnc(w) || ext.start < mhae.start);
}

/* Whoever gets a binding has shown that it holds the key: asked of the octets, not the engine. */
static void check_accepted(const uint8_t *msg, size_t len, const struct engine_result *res)
{
	struct reg_auth auth;
	struct ext mhae;

	if (res->outcome.verdict != REG_ACCEPT || msg[0] != REG_MSG_REQUEST)
		return;
	FUZZ_CHECK(count_ext(msg + REG_REQUEST_LEN, msg + len, EXT_MOBILE_HOME_AUTH, &mhae) > 0);
	FUZZ_CHECK(reg_auth_decode(msg, &mhae, &auth) == 0 && res->node);
	FUZZ_CHECK(verifies(sa_find(res->node, auth.spi), msg, &mhae));
}

/* --------------------------------------------------------------- the steps */

static void hear(struct world *w, struct wire_reader *r, struct engine_result *res)
{
	struct reg_origin from = { .dst = w->conf.home_agent, .dst_port = REG_PORT };
	unsigned int changes = w->change_cnt;
	size_t cnt = w->engine.cache.cnt, len;
	const uint8_t *msg;

	from.src = wire_addr(r);
	from.src_port = wire_u16(r);
	len = wire_u16(r);
	if (len > wire_left(r))
		len = wire_left(r);
	msg = wire_bytes(r, len);
	if (!msg || len > MESSAGE_MAX)
		return;
	world_feed(w, msg, len, &from, res);
	if (!is_trusted(w, from.src)) {
		FUZZ_CHECK(res->reply_len == 0 && res->outcome.verdict == REG_DISCARD);
		FUZZ_CHECK(w->change_cnt == changes && w->engine.cache.cnt == cnt);
	}
	FUZZ_CHECK(len > 0 || res->outcome.verdict == REG_DISCARD);
	if (len == 0)
		return;
	check_reply(w, msg, &from, res);
	check_accepted(msg, len, res);
}

/* --- a reload, with requests in between, as in a daemon --- */

static struct {
	struct engine_reload difference;
	struct world fresh;
	bool is_going_on;
} change;

static void change_done(void)
{
	engine_reload_done(&change.difference);
	world_done(&change.fresh);
	change.is_going_on = false;
}

static void change_some(struct world *w)
{
	if (change.is_going_on && !engine_reload_some(&change.difference, &w->engine, 1))
		change_done();
}

static void change_to_its_end(struct world *w)
{
	while (change.is_going_on) {
		change_some(w);
		in_order(w);
	}
}

static bool may_go(const char *line)
{
	static const char *const kinds[] = { "mobile-node ", "foreign-agent ", "mobile-networks ",
					     "services ", "dynamic-pool " };
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strncmp(line, kinds[i], strlen(kinds[i])) == 0)
			return true;
	return false;
}

/* The associations of the next file are these, whatever they were. */
static void change_begin(struct world *w, size_t agent, uint16_t gone, uint16_t rekeyed,
			 uint8_t added)
{
	size_t i;

	change_to_its_end(w);
	world_init(&change.fresh, 0);
	change.fresh.now = w->now;
	for (i = 0; i < SETTINGS_MAX && agents[agent][i]; i++)
		if (!(gone >> i & 1) || !may_go(agents[agent][i]))
			set_changed(&change.fresh, agents[agent][i], rekeyed >> i & 1);
	for (i = 0; i < MORE_MAX && more[agent][i]; i++)
		if (added >> i & 1)
			set_changed(&change.fresh, more[agent][i], false);
	if (!change.fresh.is_open) { /* nobody is left: not a file that a daemon takes */
		world_done(&change.fresh);
		return;
	}
	FUZZ_CHECK(engine_reload_compare(&change.difference, &w->engine, &change.fresh.engine) ==
		   0);
	engine_reload_begin(&change.difference, &w->engine, &w->conf, w->policy_ctx);
	change.is_going_on = true;
}

/* The next file trusts the first network only, the one behind it all again. */
static void reload(struct world *w)
{
	struct addr_set *trusted = &w->ihad.trusted_networks;
	struct engine_reload r = { 0 };

	change_to_its_end(w);
	if (trusted->cnt > 1)
		trusted->cnt = 1;
	else if (trusted->cnt == 1)
		trusted->cnt = 4;
	engine_reload_begin(&r, &w->engine, &w->conf, w->policy_ctx);
	while (engine_reload_some(&r, &w->engine, 64))
		;
	engine_reload_done(&r);
}

static void clear(struct world *w)
{
	const struct binding *b = binding_first(&w->engine.cache);
	struct binding_key key;

	if (!b)
		return;
	key = b->key;
	FUZZ_CHECK(engine_clear(&w->engine, key) > 0);
	FUZZ_CHECK(!binding_find(&w->engine.cache, key));
}

/* What was granted is what the settings allow. */
static void check_granted(const struct world *w)
{
	const struct engine *e = &w->engine;
	const struct binding *b;

	for (b = binding_first(&e->cache); b; b = binding_next(&e->cache, b)) {
		FUZZ_CHECK(binding_cnt(binding_find(&e->cache, b->key)) <= e->conf.max_bindings);
		FUZZ_CHECK(b->lifetime_s <= e->conf.max_lifetime_s);
		FUZZ_CHECK(!b->tunnel.udp || e->conf.nat_enabled);
		FUZZ_CHECK(!b->tunnel.udp || b->lifetime_s <= e->conf.udp_max_lifetime_s);
		FUZZ_CHECK(!b->tunnel.reverse || e->conf.reverse != ENGINE_REVERSE_DISABLED);
		FUZZ_CHECK(b->tunnel.reverse || e->conf.reverse != ENGINE_REVERSE_REQUIRED);
	}
}

static void converse(const uint8_t *data, size_t size)
{
	struct wire_reader r = wire_reader(data, size);
	size_t agent = wire_u8(&r) % AGENT_CNT;
	uint16_t bits = wire_u16(&r);
	static struct engine_result res;
	static struct world w;
	uint16_t gone, rekeyed;
	unsigned int i;

	world_init(&w, wire_u32(&r));
	if (r.failed)
		return;
	set_up(&w, agent, bits);
	for (i = 0; i < STEPS_MAX && wire_left(&r) > 0; i++) {
		switch (wire_u8(&r) % STEP_CNT) {
		case STEP_MESSAGE:
			hear(&w, &r, &res);
			break;
		case STEP_ADVANCE:
			world_advance(&w, (uint64_t)wire_u16(&r) * 100);
			break;
		case STEP_RELOAD:
			reload(&w);
			break;
		case STEP_CHANGE:
			gone = wire_u16(&r);
			rekeyed = wire_u16(&r);
			change_begin(&w, agent, gone, rekeyed, wire_u8(&r));
			break;
		default:
			clear(&w);
			break;
		}
		change_some(&w);
		in_order(&w);
		check_granted(&w);
	}
	change_to_its_end(&w);
	world_done(&w);
}

/* ---------------------------------------------------- the mutator that signs */

static uint32_t random_state;

static uint32_t draw(uint32_t below)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % below;
}

static const struct sa_peer *whose(const struct engine *e, const uint8_t *msg, size_t len)
{
	const struct sa_peer *node = NULL;
	struct reg_request req;
	struct wire_reader r = wire_reader(msg, len);
	struct ext nai;

	if (reg_request_decode(&r, &req) < 0)
		return NULL;
	if (count_ext(msg + REG_REQUEST_LEN, msg + len, EXT_NAI, &nai) > 0)
		node = sa_peer_find_nai(&e->nodes, nai.data, nai.len);
	return node ? node : sa_peer_find(&e->nodes, req.home_addr);
}

/* Signs what stands at an authentication extension, with the key of the SPI that it names. */
static void sign(uint8_t *msg, const struct ext *ext, const struct sa_peer *peer)
{
	struct reg_auth auth;
	const struct sa *sa;

	if (!peer || reg_auth_decode(msg, ext, &auth) < 0)
		return;
	sa = sa_find(peer, auth.spi);
	if (!sa && draw(2)) {
		sa = peer->sas;
		msg[auth.covered_len - 1] = (uint8_t)sa->spi;
		msg[auth.covered_len - 2] = (uint8_t)(sa->spi >> 8);
		msg[auth.covered_len - 3] = msg[auth.covered_len - 4] = 0;
	}
	if (sa && auth.mac_len == mac_len(mac_algorithm(&sa->mac)))
		mac_sign(&sa->mac, msg, auth.covered_len, msg + auth.covered_len);
}

/* A timestamp that is good at this clock, most of the time; or a nonce that was given. */
static void freshen(uint8_t *msg, uint32_t clock)
{
	uint32_t high = draw(4) ? clock + draw(6) : 0x10000001u + 0x01000193u * draw(4);
	struct wire_writer w = wire_writer(msg + REG_REQUEST_LEN - 8, 4);

	wire_put_u32(&w, high);
}

static void sign_all(const struct engine *e, uint8_t *msg, size_t len, struct in_addr src,
		     uint32_t clock)
{
	const struct sa_peer *node = whose(e, msg, len), *agent = sa_peer_find(&e->agents, src);
	struct wire_reader r;
	struct ext ext;
	size_t fixed;

	if (len > 0 && (msg[0] == REG_MSG_REVOCATION || msg[0] == REG_MSG_REVOCATION_ACK))
		fixed = msg[0] == REG_MSG_REVOCATION ? REVOCATION_LEN : REVOCATION_ACK_LEN;
	else
		fixed = REG_REQUEST_LEN;
	if (len < fixed)
		return;
	if (node && draw(2))
		freshen(msg, clock);
	if (!agent && e->agents.peers && draw(2))
		agent = e->agents.peers;
	r = wire_reader(msg + fixed, len - fixed);
	while (ext_next(&r, &ext) > 0) {
		if (ext.type == EXT_MOBILE_HOME_AUTH)
			sign(msg, &ext, node);
		else if (ext.type == EXT_FOREIGN_HOME_AUTH)
			sign(msg, &ext, agent);
	}
}

/* Of a step that is no message. */
static size_t step_len(uint8_t kind)
{
	return kind % STEP_CNT == STEP_ADVANCE ? 3 : kind % STEP_CNT == STEP_CHANGE ? 6 : 1;
}

/*
 * Changes the whole input, or one message and its length with it; then signs every message. Where
 * there is no libFuzzer to change anything, it only signs.
 */
static size_t change_and_sign(uint8_t *data, size_t size, size_t max_size, bool may_change)
{
	const struct engine *e;
	size_t at = HEADER_LEN, len, target, seen = 0, room;
	struct in_addr src;
	uint32_t clock;

	target = draw(8);
	if (may_change && target >= 6)
		size = LLVMFuzzerMutate(data, size, max_size);
	if (size < HEADER_LEN)
		return size;
	e = &keys[data[0] % AGENT_CNT].engine;
	clock = (uint32_t)data[3] << 24 | (uint32_t)data[4] << 16 | (uint32_t)data[5] << 8 |
		data[6];
	while (at < size) {
		if (data[at] % STEP_CNT != STEP_MESSAGE) {
			at += step_len(data[at]);
			continue;
		}
		if (at + MESSAGE_HEAD > size)
			break;
		memcpy(&src, data + at + 1, sizeof(src));
		len = (size_t)data[at + 7] << 8 | data[at + 8];
		at += MESSAGE_HEAD;
		if (len > size - at)
			len = size - at;
		if (may_change && seen++ == target && len > 0) {
			/* In place at the end of the room, so that it may grow. */
			static uint8_t msg[MESSAGE_MAX];
			size_t tail = size - at - len, new_len;

			room = max_size - tail - at;
			if (room > sizeof(msg))
				room = sizeof(msg);
			if (len <= room) {
				memcpy(msg, data + at, len);
				new_len = LLVMFuzzerMutate(msg, len, room);
				memmove(data + at + new_len, data + at + len, tail);
				memcpy(data + at, msg, new_len);
				size = at + new_len + tail;
				len = new_len;
			}
		}
		data[at - 2] = (uint8_t)(len >> 8);
		data[at - 1] = (uint8_t)len;
		sign_all(e, data + at, len, src, clock);
		at += len;
	}
	return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	random_state = seed;
	return change_and_sign(data, size, max_size, LLVMFuzzerMutate != NULL);
}

#ifdef __AFL_COMPILER

#define AS_IS 0x80 /* of the first octet; the agents are less */

/* It does not ask the mutator, which without libFuzzer signs: here, what it has changed itself. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = fuzz_copy(data, size);

	random_state = 0;
	if (size > 0 && !(copy[0] & AS_IS))
		(void)change_and_sign(copy, size, size, false);
	converse(copy, size);
	free(copy);
	return 0;
}

#else

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	converse(data, size);
	return 0;
}

#endif

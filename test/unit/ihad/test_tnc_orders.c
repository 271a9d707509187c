/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Trusted Networks Configured goes to no untrusted source, in whatever order an administrator
 * reloads and nodes ask (RFC 5265 §3.4, §4.3). The real engine, reload and policy of ihad on one
 * side, four lists of networks and an inequality on the other.
 *
 * A reload takes as many steps as there are bindings and nodes, and requests come between them: so
 * each operation here is followed by one such step and no more. Operations are played in the order
 * of a de Bruijn sequence, in which each order of ORDER_LEN of them is found exactly once.
 */
#include "ihad/ihad_policy.c" /* no library: the daemon is made of its objects */

#include "common/sanitized.h"
#include "ha-core/engine/reload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/unit/ha-core/engine/idle_hooks.h"

#ifdef SANITIZED
#define ORDER_LEN 4
#else
#define ORDER_LEN 5
#endif

#define HOME_AGENT 0x0a000002u /* 10.0.0.2 */
#define HOME       0x0a320007u /* 10.50.0.7 */
#define DESK       0x0a01000au /* 10.1.0.10 */
#define SPI        256
#define KEY        "a key of the intranet"

/* As four files have it; first and last address of each range, so that no prefix code judges. */
#define RANGE_MAX 2
static const struct {
	size_t cnt;
	struct addr_prefix prefixes[RANGE_MAX]; /* in host order, see open_lists() */
	uint32_t first[RANGE_MAX], last[RANGE_MAX];
} files[] = {
	{ .cnt = 0 },
	{ 1, { { { 0x0a000000 }, 8 } }, { 0x0a000000 }, { 0x0affffff } },
	{ 2,
	  { { { 0x0a010000 }, 16 }, { { 0xc000020a }, 32 } },
	  { 0x0a010000, 0xc000020a },
	  { 0x0a01ffff, 0xc000020a } },
	{ 1, { { { 0xc6336400 }, 24 } }, { 0xc6336400 }, { 0xc63364ff } },
};

static const uint32_t sources[] = {
	DESK, 0x0a02000a, /* another floor */
	0xc000020a,       /* 192.0.2.10: a NAT or a VPN gateway */
	0xc6336442,       /* 198.51.100.66: a stranger, unless somebody lists him */
};

enum kind {
	KIND_REGISTER,    /* the care-of address is the source: new, or renewed */
	KIND_FROM_BEHIND, /* it is the desk's, and UDP is asked for: a NAT, or a lie */
	KIND_DEREGISTER,
	KIND_REPLAY, /* what was said last, by whomever */
	KIND_CNT
};

#define FILE_CNT   (sizeof(files) / sizeof(files[0]))
#define SOURCE_CNT (sizeof(sources) / sizeof(sources[0]))
#define OP_CNT     (FILE_CNT + SOURCE_CNT * KIND_CNT)

static struct addr_prefix home_net;
static struct ihad_conf confs[FILE_CNT];
static struct engine engine, fresh;
static struct engine_reload reload;
static bool is_reloading;
static size_t in_force;
static struct clock now;
static struct mac *mac;
static uint8_t last_msg[128];
static size_t last_len;
static unsigned long answered, silent, kept, ended, interleaved, steps;

static bool is_listed(uint32_t source)
{
	size_t i;

	for (i = 0; i < files[in_force].cnt; i++)
		if (source >= files[in_force].first[i] && source <= files[in_force].last[i])
			return true;
	return false;
}

static void open_engine(struct engine *e, const struct ihad_conf *conf)
{
	static const struct ha_policy policy = { .admits = ihad_policy_admits,
						 .extend_reply = ihad_policy_extend_reply };
	const struct engine_hooks hooks = { .changed = idle_changed, .random = idle_random };
	const struct engine_conf ec = {
		.home_agent = addr_from_host(HOME_AGENT),
		.home_networks = &home_net,
		.home_network_cnt = 1,
		.encap = { 4 },
		.encap_cnt = 1,
		.max_lifetime_s = 1800,
		.udp_max_lifetime_s = 1800,
		.max_bindings = SOURCE_CNT, /* no refusal for another reason */
		.nat_enabled = true,
		.nat_forced = true,
		.keepalive_s = 110,
	};

	assert_int_equal(engine_init(e, &ec, 1, &policy, conf, &hooks, &now), 0);
	assert_int_equal(engine_add_node(e, addr_from_host(HOME), NULL, SPI, MAC_HMAC_MD5, KEY,
					 strlen(KEY), REPLAY_TIMESTAMP, REPLAY_SECONDS(7)),
			 0);
}

static void open_lists(void)
{
	struct addr_prefix p;
	size_t i, k;

	for (i = 0; i < FILE_CNT; i++)
		for (k = 0; k < files[i].cnt; k++) {
			p = files[i].prefixes[k];
			p.addr = addr_from_host(p.addr.s_addr);
			assert_int_equal(addr_set_add(&confs[i].trusted_networks, p), 0);
		}
}

/* --- an administrator --- */

static bool holds_only_listed(void)
{
	const struct binding_key key = { addr_from_host(HOME), addr_from_host(HOME_AGENT) };
	const struct binding *b;

	for (b = binding_find(&engine.cache, key); b; b = binding_sibling(b))
		if (!is_listed(addr_host(b->src)))
			return false;
	return true;
}

/* One step of the reload that is under way, and the end of it. */
static void reload_step(void)
{
	if (!is_reloading || engine_reload_some(&reload, &engine, 1))
		return;
	assert_true(holds_only_listed());
	ended += reload.ended;
	engine_reload_done(&reload);
	is_reloading = false;
}

static void begin_reload(size_t file)
{
	while (is_reloading)
		reload_step();
	reload = (struct engine_reload){ 0 };
	assert_int_equal(engine_reload_compare(&reload, &engine, &fresh), 0);
	engine_reload_begin(&reload, &engine, &fresh.conf, &confs[file]);
	is_reloading = true;
	in_force = file;
}

/* --- a node --- */

static void put_auth(struct wire_writer *w)
{
	uint8_t digest[MAC_LEN_MAX];

	ext_put_header(w, EXT_MOBILE_HOME_AUTH, 4 + 16);
	wire_put_u32(w, SPI);
	mac_sign(mac, w->start, wire_len(w), digest);
	wire_put_bytes(w, digest, 16);
}

static void say(uint32_t source, enum kind kind)
{
	struct wire_writer w = wire_writer(last_msg, sizeof(last_msg));
	bool behind = kind == KIND_FROM_BEHIND;

	if (kind == KIND_REPLAY)
		return; /* what was said last */
	wire_put_u8(&w, 1);
	wire_put_u8(&w, REG_FLAG_D | REG_FLAG_T | REG_FLAG_S);
	wire_put_u16(&w, kind == KIND_DEREGISTER ? 0 : 600);
	wire_put_u32(&w, HOME);
	wire_put_u32(&w, HOME_AGENT);
	wire_put_u32(&w, kind == KIND_DEREGISTER ? HOME : behind ? DESK : source);
	wire_put_u64(&w, now.ntp);
	if (behind) {
		wire_put_u32(&w, 0x90060000); /* UDP Tunnel Request, F */
		wire_put_u32(&w, 0x80040000);
	}
	put_auth(&w);
	assert_false(w.failed);
	last_len = wire_len(&w);
}

/* Once, before the authenticator that stands last, which is good. */
static void check_tnc(const struct engine_result *res)
{
	const uint8_t *m = res->reply;
	unsigned int tnc_cnt = 0;
	size_t at;

	for (at = REG_REPLY_LEN; at + 2 <= res->reply_len && m[at] != EXT_MOBILE_HOME_AUTH;
	     at += 2u + m[at + 1])
		tnc_cnt += m[at] == EXT_TRUSTED_NETWORKS;
	assert_int_equal(tnc_cnt, 1);
	assert_int_equal(at + 22, res->reply_len);
	assert_int_equal(mac_verify(mac, m, at + 6, m + at + 6, 16), 0);
}

static void ask(uint32_t source, enum kind kind)
{
	static struct engine_result res;
	const struct reg_origin from = { .src = addr_from_host(source),
					 .dst = addr_from_host(HOME_AGENT),
					 .src_port = 1024,
					 .dst_port = REG_PORT };
	const size_t binding_cnt_before = engine.cache.cnt;
	const uint64_t dropped = engine.stats.requests_dropped_untrusted;
	struct sa *sa = sa_find(sa_peer_find(&engine.nodes, addr_from_host(HOME)), SPI);
	const uint64_t ident_before = sa->replay.last_ident;

	interleaved += is_reloading;
	say(source, kind);
	engine_handle(&engine, last_msg, last_len, &from, &now, &res);
	if (is_listed(source)) {
		answered++;
		assert_true(res.reply_len > 0);
		assert_true(res.reply[0] == REG_MSG_REPLY);
		assert_true(kind == KIND_REPLAY || res.reply[1] == 0);
		check_tnc(&res);
	} else {
		silent++;
		assert_int_equal(res.reply_len, 0);
		assert_int_equal(engine.cache.cnt, binding_cnt_before);
		assert_int_equal(sa->replay.last_ident, ident_before);
		assert_int_equal(engine.stats.requests_dropped_untrusted, dropped + 1);
	}
	kept += engine.cache.cnt > 0;
}

static void play(size_t op)
{
	now.mono_ms += 1000;
	now.ntp += REPLAY_SECONDS(1);
	(void)engine_expire(&engine, &now, NULL, NULL);
	if (op < FILE_CNT)
		begin_reload(op);
	else
		ask(sources[(op - FILE_CNT) / KIND_CNT], (enum kind)((op - FILE_CNT) % KIND_CNT));
	reload_step();
	steps++;
}

/* The Lyndon words whose length divides ORDER_LEN, one after the other (Fredricksen, Maiorana). */
static uint8_t word[ORDER_LEN + 1];

static void play_words(size_t t, size_t p)
{
	size_t i;

	if (t > ORDER_LEN) {
		for (i = 1; ORDER_LEN % p == 0 && i <= p; i++)
			play(word[i]);
		return;
	}
	word[t] = word[t - p];
	play_words(t + 1, p);
	for (i = word[t - p] + 1u; i < OP_CNT; i++) {
		word[t] = (uint8_t)i;
		play_words(t + 1, t);
	}
}

static void no_order_of_reloads_and_requests_brings_tnc_to_an_untrusted_source(void **state)
{
	unsigned long orders = 1;
	size_t i;

	(void)state;
	home_net = (struct addr_prefix){ addr_from_host(0x0a320000), 16 };
	now = (struct clock){ .mono_ms = 1000000, .ntp = 0xe8fe6f8000000000u };
	assert_int_equal(mac_new(MAC_HMAC_MD5, KEY, strlen(KEY), &mac), 0);
	open_lists();
	open_engine(&engine, &confs[0]);
	open_engine(&fresh, NULL); /* each file has the same nodes: nothing of it is taken */
	now.ntp += REPLAY_SECONDS(1);
	say(DESK, KIND_REGISTER); /* something to replay */
	play_words(1, 1);
	while (is_reloading)
		reload_step();
	for (i = 0; i < ORDER_LEN; i++)
		orders *= OP_CNT;
	printf("%lu orders of %d: %lu answered, %lu in silence, %lu during a reload, "
	       "%lu bindings ended by one\n",
	       orders, ORDER_LEN, answered, silent, interleaved, ended);
	assert_int_equal(steps, orders);
	assert_true(answered > orders / 10 && silent > orders / 10 && kept > orders / 10);
	assert_true(interleaved > orders / 10 && ended > orders / 1000);
	engine_done(&fresh);
	engine_done(&engine);
	for (i = 0; i < FILE_CNT; i++)
		addr_set_done(&confs[i].trusted_networks);
	mac_free(mac);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			no_order_of_reloads_and_requests_brings_tnc_to_an_untrusted_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

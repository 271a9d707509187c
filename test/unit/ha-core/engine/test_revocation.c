/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Revocation with a clock of our own (RFC 3543 §3.3): the golden message that a cleared binding
 * earns, when it is sent again, and what becomes of it when keys and memory do.
 */
#include "common/err.h"
#include "ha-core/engine/memory.h"
#include "ha-core/engine/reload.h"
#include "test/scenario/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define T0 0xcbff82c0u

static const char e1[] = "01220258c6336432c6336402cb007107cbff82e8123456a089060000cbff82c0"
			 "2014000002022974f634db3255410f10b6e1b3cd321d";
static const char e3b[] = "07008000c6336432c6336402cb007107cbff8324"
			  "2014000002022aef712aa480673f82b20a53bc22eca4";
static const char e4[] = "0f000000c6336432cbff8324"
			 "2014000002026c1b7de414a0d03b652623a6f27b5591";
static const char e19[] = "0102003c0a0100320a0100020a030001cbff82f1123456a9"
			  "201400000101bf81f615d31305c554e5cc29fa6ee411"
			  "89068000cbff82f1221400000303fb43646578c7d43167c726b526a80159";
static const char e21[] = "070040000a0100320a0100020a030001cbff8305"
			  "2214000003032adad779573060a9e09ee67e0558471d";

static const char *const xhad[] = {
	"home-agent 198.51.100.2", "home-network 198.51.100.0/24", "timestamp-tolerance 60",
	"mobile-node 198.51.100.50 - 514 hmac-md5 0f1e2d3c4b5a69788796a5b4c3d2e1f0"
};
static const char *const ihad[] = {
	"home-agent 10.1.0.2", "home-network 10.1.0.0/24", "timestamp-tolerance 60",
	"mobile-node 10.1.0.50 - 257 hmac-md5 00112233445566778899aabbccddeeff",
	"foreign-agent 10.3.0.1 771 hmac-md5 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
};

static struct world w;
static struct engine_result res;

static void set(const char *setting)
{
	char line[256], *words[WORLD_WORDS_MAX];
	size_t cnt;

	snprintf(line, sizeof(line), "%s", setting);
	cnt = world_split(line, words, WORLD_WORDS_MAX);
	assert_int_equal(world_set(&w, words, cnt), 0);
}

static void open_world(const char *const *settings, size_t cnt)
{
	size_t i;

	world_init(&w, T0 - 86400);
	for (i = 0; i < cnt; i++)
		set(settings[i]);
	world_advance(&w, (uint64_t)86400 * 1000);
}

static int open_xhad(void **state)
{
	(void)state;
	open_world(xhad, sizeof(xhad) / sizeof(*xhad));
	return 0;
}

static int open_ihad(void **state)
{
	(void)state;
	open_world(ihad, sizeof(ihad) / sizeof(*ihad));
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world_done(&w);
	return 0;
}

static void feed(const char *hex, const char *from)
{
	struct reg_origin origin = { .dst = w.conf.home_agent, .dst_port = REG_PORT };
	uint8_t msg[256];
	long len = world_hex(hex, msg, sizeof(msg));

	assert_true(len > 0);
	assert_true(world_parse_endpoint(from, &origin.src, &origin.src_port));
	world_feed(&w, msg, (size_t)len, &origin, &res);
}

static void assert_sent(const char *hex)
{
	uint8_t msg[256];
	long len = world_hex(hex, msg, sizeof(msg));

	assert_int_equal(w.sent.len, len);
	assert_memory_equal(w.sent.msg, msg, (size_t)len);
}

static struct binding_key the_key(void)
{
	assert_int_equal(w.engine.cache.cnt, 1);
	return binding_first(&w.engine.cache)->key;
}

static void a_cleared_binding_earns_e3b_and_e4_ends_it(void **state)
{
	(void)state;
	feed(e1, "203.0.113.7:40000");
	assert_int_equal(res.outcome.verdict, REG_ACCEPT);
	world_advance(&w, 100000);
	assert_int_equal(engine_clear(&w.engine, the_key()), 1);
	assert_int_equal(w.sent_cnt, 0);
	world_advance(&w, 0);
	assert_int_equal(w.sent_cnt, 1);
	assert_sent(e3b);
	assert_int_equal(w.sent.port, 434);
	feed(e4, "203.0.113.7:40000");
	assert_int_equal(res.outcome.reason, REG_REASON_REVOCATION_ACKNOWLEDGED);
	assert_int_equal(w.engine.revocation.cnt, 0);
	assert_true(revocation_run(&w.engine, &w.now) == REVOCATION_IDLE_MS);
}

/* A millisecond at a time: never sooner than it says, never later; nothing after the lifetime. */
static void intervals_double_until_the_lifetime_is_over(void **state)
{
	/* Registered at 0, Lifetime 600 s: the registration counts as a message, too. */
	static const uint64_t at_s[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512 };
	uint64_t began_ms = w.now.mono_ms, next_ms, asked_ms = 0;
	size_t i = 0;

	(void)state;
	feed(e1, "203.0.113.7:40000");
	engine_clear(&w.engine, the_key());
	while ((next_ms = revocation_run(&w.engine, &w.now)) != REVOCATION_IDLE_MS) {
		if (w.sent_cnt > 0) {
			assert_int_equal(w.sent_cnt, 1);
			assert_true(i < sizeof(at_s) / sizeof(*at_s));
			assert_int_equal(w.now.mono_ms - began_ms, at_s[i] * 1000);
			w.sent_cnt = 0;
			i++;
		}
		assert_true(next_ms > asked_ms);
		asked_ms = next_ms;
		w.now.mono_ms = next_ms - 1;
		assert_true(revocation_run(&w.engine, &w.now) == next_ms);
		assert_int_equal(w.sent_cnt, 0);
		w.now.mono_ms = next_ms;
	}
	assert_int_equal(i, sizeof(at_s) / sizeof(*at_s));
	assert_int_equal(w.now.mono_ms - began_ms, 600 * 1000);
	assert_int_equal(w.engine.stats.revocations_abandoned, 1);
}

/* A binding without an end: until it is acknowledged (§3.3), if only once an hour. */
static void intervals_grow_to_an_hour(void **state)
{
	uint64_t last_ms = 0, interval_ms = 0;
	int i;

	(void)state;
	feed(e1, "203.0.113.7:40000");
	binding_first(&w.engine.cache)->expires_ms = BINDING_NEVER_MS;
	engine_clear(&w.engine, the_key());
	for (i = 0; i < 20; i++) {
		w.now.mono_ms = revocation_run(&w.engine, &w.now);
		interval_ms = w.now.mono_ms - last_ms;
		last_ms = w.now.mono_ms;
	}
	assert_int_equal(interval_ms, 3600 * 1000);
	assert_int_equal(w.engine.revocation.cnt, 1);
}

/* The wall clock stood still in the tests above, and is set back in this one. */
static void the_identifier_is_new_each_time(void **state)
{
	struct wire_reader r;
	uint32_t ident, last = T0;
	int i;

	(void)state;
	feed(e1, "203.0.113.7:40000");
	engine_clear(&w.engine, the_key());
	w.now.ntp -= (uint64_t)5 << 32;
	for (i = 0; i < 5; i++) {
		w.now.mono_ms += 60000;
		(void)revocation_run(&w.engine, &w.now);
		r = wire_reader(w.sent.msg + 16, 4);
		ident = wire_u32(&r);
		assert_true(ident > last);
		last = ident;
	}
}

static size_t reload(struct engine *fresh)
{
	struct engine_reload r;
	size_t ended;

	assert_int_equal(engine_reload_compare(&r, &w.engine, fresh), 0);
	engine_reload_begin(&r, &w.engine, &w.conf, w.engine.policy_ctx);
	while (engine_reload_some(&r, &w.engine, 1))
		;
	ended = r.ended;
	engine_reload_done(&r);
	return ended;
}

/* --- what survives --- */

struct record {
	uint8_t key[REVOCATION_KEY_LEN], value[REVOCATION_VALUE_MAX];
	size_t key_len, len;
};

static void take_record(void *ctx, const struct outstanding *o)
{
	const struct memory_time at = { .now = w.now, .boot = 7 };
	struct record *rec = ctx;

	rec->key_len = revocation_key(o, rec->key);
	rec->len = revocation_encode(o, &at, rec->value);
	assert_true(rec->len > 0);
}

static void queue_and_take(struct record *rec)
{
	feed(e1, "203.0.113.7:40000");
	engine_clear(&w.engine, the_key());
	world_advance(&w, 60000);
	*rec = (struct record){ 0 };
	revocation_each(&w.engine, take_record, rec);
	assert_true(rec->len > 0);
	revocation_done(&w.engine.revocation); /* the process ends */
	assert_int_equal(revocation_init(&w.engine.revocation), 0);
}

static void an_outstanding_revocation_is_sent_again_in_the_next_life(void **state)
{
	struct memory_time at = { .boot = 8 };
	struct record rec;
	uint64_t sent;

	(void)state;
	queue_and_take(&rec);
	sent = w.engine.stats.revocations_sent;
	at.now = w.now;
	assert_int_equal(
		revocation_restore(&w.engine, rec.key, rec.key_len, rec.value, rec.len, &at), 0);
	assert_int_equal(w.engine.revocation.cnt, 1);
	(void)revocation_run(&w.engine, &w.now);
	assert_int_equal(w.engine.stats.revocations_sent, sent + 1);
}

/* §3.3: MUST NOT be sent for a registration that expired; the wall clock tells across a boot. */
static void one_of_a_lifetime_that_is_over_is_not(void **state)
{
	struct memory_time at = { .boot = 8 };
	struct record rec;

	(void)state;
	queue_and_take(&rec);
	at.now = (struct clock){ .mono_ms = 1000, .ntp = w.now.ntp + REPLAY_SECONDS(65535) };
	assert_int_equal(revocation_restore(&w.engine, rec.key, rec.key_len, rec.value, rec.len,
					    &at),
			 ERR_NOT_FOUND);
	at.now = w.now;
	at.has_moved = true;
	assert_int_equal(revocation_restore(&w.engine, rec.key, rec.key_len, rec.value, rec.len,
					    &at),
			 ERR_NOT_FOUND);
	assert_int_equal(w.engine.revocation.cnt, 0);
}

static void a_revocation_record_of_another_form_is_refused(void **state)
{
	struct record rec;
	size_t len;

	(void)state;
	queue_and_take(&rec);
	assert_int_equal(revocation_check(rec.key, rec.key_len, rec.value, rec.len), 0);
	for (len = 1; len < rec.len; len++)
		assert_int_equal(revocation_check(rec.key, rec.key_len, rec.value, len),
				 ERR_MALFORMED);
	rec.value[0]++;
	assert_int_equal(revocation_check(rec.key, rec.key_len, rec.value, rec.len),
			 ERR_UNSUPPORTED);
}

/* An operator removes node and key: the message is signed with the key all the same. */
static void a_reload_without_the_node_revokes_under_its_old_key(void **state)
{
	const struct ha_policy policy = { 0 };
	struct engine fresh;

	(void)state;
	feed(e1, "203.0.113.7:40000");
	world_advance(&w, 100000);
	assert_int_equal(engine_init(&fresh, &w.conf, 8, &policy, NULL, &w.engine.hooks, &w.now),
			 0);
	assert_int_equal(reload(&fresh), 1);
	engine_done(&fresh);
	world_advance(&w, 0);
	assert_sent(e3b);
	feed(e4, "203.0.113.7:40000");
	assert_int_equal(res.outcome.reason, REG_REASON_REVOCATION_ACKNOWLEDGED);
}

static void reload_with(uint32_t node_spi, uint32_t agent_spi, size_t ended)
{
	const struct ha_policy policy = { 0 };
	struct engine fresh;

	assert_int_equal(engine_init(&fresh, &w.conf, 8, &policy, NULL, &w.engine.hooks, &w.now),
			 0);
	assert_int_equal(engine_add_node(&fresh, addr_from_host(0x0a010032), NULL, node_spi,
					 MAC_HMAC_MD5, "key", 3, REPLAY_TIMESTAMP, 0),
			 0);
	assert_int_equal(engine_add_foreign_agent(&fresh, addr_from_host(0x0a030001), agent_spi,
						  MAC_HMAC_MD5, "key", 3),
			 0);
	assert_int_equal(reload(&fresh), ended);
	engine_done(&fresh);
	world_advance(&w, 0);
}

static void a_reload_that_keeps_the_associations_revokes_nothing(void **state)
{
	(void)state;
	feed(e19, "10.3.0.1:434");
	world_advance(&w, 60000 - 1);
	reload_with(257, 771, 0);
	assert_int_equal(w.engine.cache.cnt, 1);
	assert_int_equal(w.sent_cnt, 0);
}

static void a_reload_without_an_association_revokes_what_was_made_under_it(void **state)
{
	(void)state;
	feed(e19, "10.3.0.1:434");
	world_advance(&w, 10000);
	reload_with(257, 772, 1);
	assert_int_equal(w.sent_cnt, 1);
	assert_int_equal(w.sent.msg[20], EXT_FOREIGN_HOME_AUTH);
	assert_int_equal(w.sent.msg[25], 0x03); /* SPI 771 */
	assert_int_equal(addr_host(w.sent.dst), 0x0a030001);
}

/* Every bit of it is under the authenticator. */
static void a_revocation_with_a_bit_flipped_is_ignored(void **state)
{
	struct reg_origin origin = { .dst = w.conf.home_agent, .dst_port = REG_PORT };
	uint8_t msg[64];
	size_t len = (size_t)world_hex(e21, msg, sizeof(msg)), bit;

	(void)state;
	assert_true(world_parse_endpoint("10.3.0.1:434", &origin.src, &origin.src_port));
	feed(e19, "10.3.0.1:434");
	world_advance(&w, 20000);
	for (bit = 0; bit < 8 * len; bit++) {
		msg[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		world_feed(&w, msg, len, &origin, &res);
		msg[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		assert_int_equal(res.outcome.verdict, REG_DISCARD);
		assert_int_equal(w.engine.cache.cnt, 1);
	}
	for (bit = 0; bit < len; bit++) {
		world_feed(&w, msg, bit, &origin, &res);
		assert_int_equal(res.outcome.verdict, REG_DISCARD);
		assert_int_equal(w.engine.cache.cnt, 1);
	}
	world_feed(&w, msg, len, &origin, &res);
	assert_int_equal(res.outcome.reason, REG_REASON_REVOKED);
	assert_int_equal(w.engine.cache.cnt, 0);
	world_feed(&w, msg, len, &origin, &res);
	assert_int_equal(res.outcome.reason, REG_REASON_REVOCATION_REPLAY);
	assert_int_equal(res.reply_len, 0);
}

/* Our own message, sent back to us by somebody in between. */
static void our_own_message_reflected_is_ignored(void **state)
{
	struct reg_origin origin = { .dst = w.conf.home_agent, .dst_port = REG_PORT };

	(void)state;
	assert_true(world_parse_endpoint("10.3.0.1:434", &origin.src, &origin.src_port));
	feed(e19, "10.3.0.1:434");
	world_advance(&w, 10000);
	engine_clear(&w.engine, the_key());
	world_advance(&w, 0);
	world_feed(&w, w.sent.msg, w.sent.len, &origin, &res);
	assert_int_equal(res.outcome.reason, REG_REASON_REVOCATION_REFLECTED);
	assert_int_equal(w.engine.revocation.cnt, 1);
}

#define on_xhad(f) cmocka_unit_test_setup_teardown(f, open_xhad, close_world)
#define on_ihad(f) cmocka_unit_test_setup_teardown(f, open_ihad, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_xhad(a_cleared_binding_earns_e3b_and_e4_ends_it),
		on_xhad(intervals_double_until_the_lifetime_is_over),
		on_xhad(intervals_grow_to_an_hour),
		on_xhad(the_identifier_is_new_each_time),
		on_xhad(a_reload_without_the_node_revokes_under_its_old_key),
		on_xhad(an_outstanding_revocation_is_sent_again_in_the_next_life),
		on_xhad(one_of_a_lifetime_that_is_over_is_not),
		on_xhad(a_revocation_record_of_another_form_is_refused),
		on_ihad(a_reload_that_keeps_the_associations_revokes_nothing),
		on_ihad(a_reload_without_an_association_revokes_what_was_made_under_it),
		on_ihad(a_revocation_with_a_bit_flipped_is_ignored),
		on_ihad(our_own_message_reflected_is_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

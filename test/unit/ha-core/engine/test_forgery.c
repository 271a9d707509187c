/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What somebody without a key can find out and make us do: nothing. Known and unknown homes are
 * met with the same silence, and how far a guessed authenticator was right does not show in time,
 * for it is compared whole (RFC 5944 §5.1).
 *
 * That no answer is larger than 1.5 times its request, holds a key, or octets that nobody wrote, is
 * looked at in every conversation of test/scenario (run.c).
 */
#include "ha-core/engine/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOME_AGENT 0x0a000002u
#define KNOWN      0x0a320007u
#define UNKNOWN    0x0a320063u
#define OUTSIDE    0xc0000201u
#define STRANGER   0xc6336442u
#define FA         0x0a140001u
#define SPI        256
#define KEY        "a key that is not yours"

static struct engine engine;
static struct addr_prefix home_net;
static struct clock now;
static struct mac *mac;
static unsigned int changes;

/* --- how OpenSSL is asked --- */

int __wrap_CRYPTO_memcmp(const void *a, const void *b, size_t len);
int __real_CRYPTO_memcmp(const void *a, const void *b, size_t len);

static unsigned int compare_cnt;
static size_t compared_len;

int __wrap_CRYPTO_memcmp(const void *a, const void *b, size_t len)
{
	compare_cnt++;
	compared_len = len;
	return __real_CRYPTO_memcmp(a, b, len);
}

/* --- the world --- */

static int hook_changed(void *ctx, struct binding_key key, const struct binding *first)
{
	(void)ctx;
	(void)key;
	(void)first;
	changes++;
	return 0;
}

static uint32_t hook_random(void *ctx)
{
	(void)ctx;
	return 7;
}

static void hook_touched(void *ctx, const struct sa_peer *node)
{
	(void)ctx;
	(void)node;
	changes++;
}

static int open_engine(void **state)
{
	static const struct ha_policy no_policy;
	const struct engine_hooks hooks = { .changed = hook_changed,
					    .random = hook_random,
					    .touched = hook_touched };
	const struct engine_conf conf = {
		.home_agent = addr_from_host(HOME_AGENT),
		.home_networks = &home_net,
		.home_network_cnt = 1,
		.encap = { 4 },
		.encap_cnt = 1,
		.max_lifetime_s = 1800,
		.udp_max_lifetime_s = 1800,
		.max_bindings = 3,
		.nat_enabled = true,
		.revocation = { .enabled = true },
		.message_strings = true, /* as talkative as it gets */
	};

	(void)state;
	changes = 0;
	home_net = (struct addr_prefix){ addr_from_host(0x0a320000), 16 };
	now = (struct clock){ .mono_ms = 1000000, .ntp = 0xe8fe6f8000000000u };
	assert_int_equal(engine_init(&engine, &conf, 1, &no_policy, NULL, &hooks, &now), 0);
	assert_int_equal(engine_add_node(&engine, addr_from_host(KNOWN), "alice@corp.example", SPI,
					 MAC_HMAC_MD5, KEY, strlen(KEY), REPLAY_TIMESTAMP,
					 REPLAY_SECONDS(7)),
			 0);
	assert_int_equal(engine_add_foreign_agent(&engine, addr_from_host(FA), 512, MAC_HMAC_MD5,
						  "agent", 5),
			 0);
	assert_int_equal(mac_new(MAC_HMAC_MD5, KEY, strlen(KEY), &mac), 0);
	now.ntp += REPLAY_SECONDS(1);
	return 0;
}

static int close_engine(void **state)
{
	(void)state;
	mac_free(mac);
	engine_done(&engine);
	return 0;
}

/* --- what a stranger may try --- */

struct attempt {
	uint8_t type;
	uint32_t src, spi;
	uint16_t lifetime_s;
	bool nai, udp, fhae, unsigned_, short_mac;
	int flipped; /* octet of a good authenticator; -1: a random one */
};

static void put_auth(struct wire_writer *w, uint8_t type, const struct attempt *a, uint32_t spi)
{
	uint8_t digest[MAC_LEN_MAX] = { 0x5c, 0x91, 0x22 };
	const size_t len = a->short_mac ? 12 : 16;

	ext_put_header(w, type, (uint8_t)(4 + len));
	wire_put_u32(w, spi);
	if (a->flipped >= 0) {
		mac_sign(mac, w->start, wire_len(w), digest);
		digest[a->flipped] ^= 1;
	}
	wire_put_bytes(w, digest, len);
}

static size_t build(const struct attempt *a, uint32_t home, const char *nai, uint8_t *buf,
		    size_t size)
{
	struct wire_writer w = wire_writer(buf, size);

	wire_put_u8(&w, a->type);
	wire_put_u8(&w, REG_FLAG_D);
	wire_put_u16(&w, a->lifetime_s);
	wire_put_u32(&w, home);
	wire_put_u32(&w, HOME_AGENT);
	wire_put_u32(&w, OUTSIDE);
	wire_put_u64(&w, now.ntp);
	if (a->nai) {
		ext_put_header(&w, EXT_NAI, (uint8_t)strlen(nai));
		wire_put_bytes(&w, nai, strlen(nai));
	}
	if (a->udp) {
		wire_put_u32(&w, 0x90060000);
		wire_put_u32(&w, 0x80000000);
	}
	if (!a->unsigned_)
		put_auth(&w, EXT_MOBILE_HOME_AUTH, a, a->spi);
	if (a->fhae)
		put_auth(&w, EXT_FOREIGN_HOME_AUTH, a, 512);
	assert_false(w.failed);
	return wire_len(&w);
}

/* Nothing of it comes back. @return its reply's length */
static size_t try(const struct attempt *a, uint32_t home, const char *nai)
{
	static struct engine_result res;
	const struct reg_origin from = { .src = addr_from_host(a->src),
					 .dst = addr_from_host(HOME_AGENT),
					 .src_port = 1024,
					 .dst_port = REG_PORT };
	uint8_t buf[256];
	size_t len = build(a, home, nai, buf, sizeof(buf));

	engine_handle(&engine, buf, len, &from, &now, &res);
	return res.reply_len;
}

static void known_and_unknown_homes_are_met_with_the_same_silence(void **state)
{
	static const uint32_t origins[] = { STRANGER, FA, KNOWN, HOME_AGENT, OUTSIDE };
	static const uint8_t types[] = { REG_MSG_REQUEST, REG_MSG_REVOCATION, 15, 3, 0, 255 };
	struct attempt a;
	unsigned int bits, cnt = 0;
	size_t i, k;
	int flipped;

	(void)state;
	for (i = 0; i < sizeof(origins) / sizeof(origins[0]); i++)
		for (k = 0; k < sizeof(types); k++)
			for (bits = 0; bits < 128; bits++)
				for (flipped = -1; flipped < 12; flipped += 4) {
					a = (struct attempt){
						.type = types[k],
						.src = origins[i],
						.spi = bits & 1 ? SPI : 999,
						.lifetime_s = bits & 2 ? 600 : 0,
						.nai = bits & 4,
						.udp = bits & 8,
						.fhae = bits & 16,
						.unsigned_ = bits & 32,
						.short_mac = bits & 64,
						.flipped = flipped,
					};
					assert_int_equal(try(&a, KNOWN, "alice@corp.example"), 0);
					assert_int_equal(try(&a, UNKNOWN, "nobod@corp.example"), 0);
					assert_int_equal(try(&a, 0, "alice@corp.example"), 0);
					cnt += 3;
				}
	printf("%u forgeries, in silence\n", cnt);
	assert_int_equal(changes, 0);
	assert_int_equal(engine.cache.cnt, 0);
}

static void an_authenticator_is_compared_whole_wherever_it_is_wrong(void **state)
{
	struct attempt a = {
		.type = REG_MSG_REQUEST, .src = STRANGER, .spi = SPI, .lifetime_s = 600
	};

	(void)state;
	for (a.flipped = 0; a.flipped < 16; a.flipped++) {
		compare_cnt = 0;
		assert_int_equal(try(&a, KNOWN, NULL), 0);
		assert_int_equal(compare_cnt, 1);
		assert_int_equal(compared_len, 16);
	}
	assert_int_equal(engine.stats.auth_failures, 16);
}

/* The rule can fail: with the key there is an answer, and it is compared the same way. */
static void with_the_key_there_is_an_answer(void **state)
{
	struct attempt a = { .type = REG_MSG_REQUEST,
			     .src = OUTSIDE,
			     .spi = SPI,
			     .lifetime_s = 600,
			     .unsigned_ = true };
	const struct reg_origin from = { .src = addr_from_host(OUTSIDE),
					 .dst = addr_from_host(HOME_AGENT),
					 .src_port = 1024,
					 .dst_port = REG_PORT };
	static struct engine_result res;
	uint8_t buf[256], digest[MAC_LEN_MAX];
	size_t len = build(&a, KNOWN, NULL, buf, sizeof(buf) - 22);
	struct wire_writer w = wire_writer(buf, sizeof(buf));

	(void)state;
	assert_non_null(wire_room(&w, len));
	ext_put_header(&w, EXT_MOBILE_HOME_AUTH, 20);
	wire_put_u32(&w, SPI);
	mac_sign(mac, buf, wire_len(&w), digest);
	wire_put_bytes(&w, digest, 16);
	compare_cnt = 0;
	engine_handle(&engine, buf, wire_len(&w), &from, &now, &res);
	assert_int_equal(compare_cnt, 1);
	assert_true(res.reply_len > 0);
	assert_int_equal(res.reply[1], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_engine, close_engine)
		TEST(known_and_unknown_homes_are_met_with_the_same_silence),
		TEST(an_authenticator_is_compared_whole_wherever_it_is_wrong),
		TEST(with_the_key_there_is_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

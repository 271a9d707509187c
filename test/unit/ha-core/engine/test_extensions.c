/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every extension that we know, in every wrong way: cut at each octet, repeated, in the wrong
 * place. The message is signed as it stands, so nothing but the extensions is to blame. Whatever
 * is not accepted must leave the bindings as they were; all of it runs under the sanitizers, in
 * buffers of the exact size.
 */
#include "ha-core/engine/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/unit/ha-core/engine/idle_hooks.h"

#define HOME_AGENT  0x0a000002u /* 10.0.0.2 */
#define HOME        0x0a320007u /* 10.50.0.7 */
#define CARE_OF     0xc6336401u /* 198.51.100.1 */
#define MESSAGE_MAX 4096

/* What becomes of a request with it, before and behind the node's authenticator: 0 is accepted. */
enum { ACCEPTED = 0, SILENCE = 256 };

struct sample {
	const char *name;
	size_t len;
	uint8_t octets[32];
	int before, behind;
	int twice_before, twice_behind;
};

/* The node is limited to the service "v", so that Service Selection is looked at. */
static const struct sample samples[] = {
	{ "padding", 1, { 0 }, ACCEPTED, ACCEPTED, ACCEPTED, ACCEPTED },
	{ "mobile-foreign", 10, { 33, 8, 0, 0, 2, 0, 1, 2, 3, 4 }, 0, 0, 0, 0 },
	{ "foreign-home",
	  22,
	  { 34, 20, 0, 0, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 },
	  SILENCE,
	  SILENCE,
	  SILENCE,
	  SILENCE }, /* of an agent that nobody knows */
	{ "critical vendor", 10, { 38, 0, 0, 6, 0, 0, 0x7e, 0xd9, 0, 7 }, 140, 141, 140, 141 },
	{ "udp tunnel reply",
	  8,
	  { 44, 6, 0, 0, 0, 0, 0, 110 },
	  SILENCE,
	  SILENCE,
	  SILENCE,
	  SILENCE },
	{ "foreign agent error", 4, { 45, 2, 0, 65 }, 134, 134, 134, 134 },
	{ "nai", 7, { 131, 5, 'a', '@', 'c', '.', 'x' }, 0, 0, 134, 0 },
	{ "challenge", 6, { 132, 4, 1, 2, 3, 4 }, 0, 0, 0, 0 },
	{ "normal vendor", 10, { 134, 8, 0, 0, 0, 0, 0x7e, 0xd9, 0, 7 }, 0, 0, 0, 0 },
	{ "revocation support", 8, { 137, 6, 0, 0, 1, 2, 3, 4 }, 0, 0, 134, 0 },
	{ "requested ha", 7, { 139, 5, 1, 10, 0, 0, 2 }, 0, 0, 0, 0 },
	{ "requested ha, drawn", 8, { 139, 1, 0, 4, 10, 0, 0, 2 }, 0, 0, 0, 0 },
	{ "another ha", 7, { 139, 5, 1, 10, 0, 0, 3 }, 136, 0, 136, 0 },
	{ "udp tunnel request", 8, { 144, 6, 0, 0, 0, 0, 0, 0 }, 0, 0, 134, 0 },
	{ "udp tunnel request of another kind", 8, { 144, 6, 1, 0, 0, 0, 0, 0 }, 0, 0, 0, 0 },
	{ "udp tunnel request cut short", 4, { 144, 2, 0, 0 }, 134, 0, 134, 0 },
	{ "message string", 5, { 145, 3, 1, 'h', 'i' }, 0, 0, 0, 0 },
	{ "mobile network", 8, { 148, 6, 0, 24, 10, 60, 0, 0 }, 0, 0, 0, 0 },
	{ "another network", 8, { 148, 6, 0, 24, 10, 61, 0, 0 }, 147, 0, 147, 0 },
	{ "mobile network of no length", 4, { 148, 2, 0, 24 }, 134, 0, 134, 0 },
	{ "mobile network acknowledged", 10, { 148, 8, 1, 0, 24, 0, 10, 60, 0, 0 }, 0, 0, 0, 0 },
	{ "mobile network of another kind", 4, { 148, 2, 3, 24 }, 0, 0, 0, 0 },
	{ "trusted networks", 4, { 149, 2, 0, 0 }, 0, 0, 0, 0 },
	{ "service", 3, { 151, 1, 'v' }, 0, 0, 134, 0 },
	{ "another service", 3, { 151, 1, 'w' }, 151, 0, 134, 0 },
	{ "unknown, skippable", 5, { 200, 3, 1, 2, 3 }, 0, 0, 0, 0 },
	{ "unknown", 5, { 60, 3, 1, 2, 3 }, SILENCE, SILENCE, SILENCE, SILENCE },
};
#define SAMPLE_CNT (sizeof(samples) / sizeof(samples[0]))

static struct addr_prefix home_net;
static struct engine engine;
static struct engine_result result;
static const struct ha_policy no_policy;
static struct clock now;
static struct mac *mac;
static uint32_t serial;

static int open_engine(void **state)
{
	const struct engine_hooks hooks = { .changed = idle_changed, .random = idle_random };
	const struct engine_conf conf = {
		.home_agent = addr_from_host(HOME_AGENT),
		.home_networks = &home_net,
		.home_network_cnt = 1,
		.max_lifetime_s = 1800,
		.max_bindings = 4,
		.nat_enabled = true,
		.nat_forced = true,
		.message_strings = true, /* the longest replies there are */
	};
	static const char *const services[] = { "v" };

	(void)state;
	home_net = (struct addr_prefix){ addr_from_host(0x0a320000), 16 };
	now = (struct clock){ .mono_ms = 1000000, .ntp = 0xe8fe6f8000000000u };
	serial = 0;
	assert_int_equal(engine_init(&engine, &conf, 8, &no_policy, NULL, &hooks, &now), 0);
	assert_int_equal(engine_add_node(&engine, addr_from_host(HOME), "a@c.x", 256, MAC_HMAC_MD5,
					 "key", 3, REPLAY_TIMESTAMP, REPLAY_SECONDS(7)),
			 0);
	assert_int_equal(
		engine_limit_services(&engine, addr_from_host(HOME), NULL, services, 1, false), 0);
	assert_int_equal(engine_add_network(&engine, addr_from_host(HOME), NULL,
					    (struct addr_prefix){ addr_from_host(0x0a3c0000), 24 },
					    false),
			 0);
	return mac_new(MAC_HMAC_MD5, "key", 3, &mac);
}

static int close_engine(void **state)
{
	(void)state;
	mac_free(mac);
	engine_done(&engine);
	return 0;
}

static struct wire_writer begin(uint8_t *buf)
{
	const struct reg_request req = {
		.flags = REG_FLAG_D,
		.lifetime_s = 300,
		.home_addr = addr_from_host(HOME),
		.home_agent = addr_from_host(HOME_AGENT),
		.care_of = addr_from_host(CARE_OF),
		.ident = now.ntp + ++serial,
	};
	struct wire_writer w = wire_writer(buf, MESSAGE_MAX);

	reg_request_encode(&w, &req);
	return w;
}

static void sign(struct wire_writer *w)
{
	uint8_t *digest;

	ext_put_header(w, EXT_MOBILE_HOME_AUTH, 20);
	wire_put_u32(w, 256);
	digest = wire_room(w, 16);
	assert_non_null(digest);
	mac_sign(mac, w->start, wire_len(w) - 16, digest);
}

static struct binding *binding(void)
{
	const struct binding_key key = { addr_from_host(HOME), addr_from_host(HOME_AGENT) };

	return binding_find(&engine.cache, key);
}

/* Hands it over and says what came of it: a Code, or SILENCE. */
static int send_it(const struct wire_writer *w)
{
	const struct reg_origin from = {
		.src = addr_from_host(CARE_OF),
		.dst = addr_from_host(HOME_AGENT),
		.src_port = 40000,
		.dst_port = REG_PORT,
	};
	const struct binding *b = binding();
	uint64_t ident = b ? b->ident : 0;
	uint8_t *copy = malloc(wire_len(w));

	assert_false(w->failed);
	assert_non_null(copy);
	memcpy(copy, w->start, wire_len(w));
	engine_handle(&engine, copy, wire_len(w), &from, &now, &result);
	free(copy);
	assert_int_equal(result.outcome.verdict == REG_DISCARD, result.reply_len == 0);
	b = binding();
	if (result.outcome.code == REG_SERVICE_UNAUTHORIZED)
		assert_null(b); /* RFC 5446 §4 */
	else if (result.outcome.verdict != REG_ACCEPT)
		assert_true((b ? b->ident : 0) == ident);
	return result.outcome.verdict == REG_DISCARD ? SILENCE : result.outcome.code;
}

static void put(struct wire_writer *w, const struct sample *s)
{
	wire_put_bytes(w, s->octets, s->len);
}

#define expect(what, s, is, shall)                                                     \
	do {                                                                           \
		int came = (is);                                                       \
		if (came != (shall))                                                   \
			fail_msg("%s %s: %d, not %d", (s)->name, what, came, (shall)); \
	} while (0)

static void each_alone_earns_what_it_should(void **state)
{
	const struct sample *s;
	uint8_t buf[MESSAGE_MAX];
	struct wire_writer w;

	(void)state;
	for (s = samples; s < samples + SAMPLE_CNT; s++) {
		w = begin(buf);
		put(&w, s);
		sign(&w);
		expect("before", s, send_it(&w), s->before);
		w = begin(buf);
		sign(&w);
		put(&w, s);
		expect("behind", s, send_it(&w), s->behind);
	}
}

/* A cut that leaves an extension by accident: the drawn type 139 is then a short one, length 1. */
static bool is_whole_by_accident(const struct sample *s, size_t len)
{
	return s->octets[0] == EXT_DYNAMIC_HA && s->octets[1] == 1 && len == 3;
}

static void cut_at_every_octet_each_is_met_with_silence(void **state)
{
	const struct sample *s;
	uint8_t buf[MESSAGE_MAX];
	struct wire_writer w;
	size_t len;

	(void)state;
	for (s = samples; s < samples + SAMPLE_CNT; s++) {
		for (len = 1; len < s->len; len++) {
			if (is_whole_by_accident(s, len))
				continue;
			w = begin(buf);
			sign(&w);
			wire_put_bytes(&w, s->octets, len);
			expect("cut at the end", s, send_it(&w), SILENCE);
			/* It now eats of the authenticator that follows. */
			w = begin(buf);
			wire_put_bytes(&w, s->octets, len);
			sign(&w);
			expect("cut before the authenticator", s, send_it(&w), SILENCE);
		}
	}
	assert_null(binding());
}

static void a_length_that_says_more_than_there_is_is_met_with_silence(void **state)
{
	const struct sample *s;
	uint8_t buf[MESSAGE_MAX];
	struct wire_writer w;

	(void)state;
	for (s = samples; s < samples + SAMPLE_CNT; s++) {
		if (s->len < 4)
			continue;
		w = begin(buf);
		sign(&w);
		wire_put_u8(&w, s->octets[0]);
		wire_put_u8(&w, 255);
		wire_put_u16(&w, 0xffff);
		wire_put_bytes(&w, s->octets + 4, s->len - 4);
		expect("too long", s, send_it(&w), SILENCE);
	}
	assert_null(binding());
}

static void repeated_each_earns_what_it_should(void **state)
{
	const struct sample *s;
	uint8_t buf[MESSAGE_MAX];
	struct wire_writer w;
	unsigned int times, i;

	(void)state;
	for (s = samples; s < samples + SAMPLE_CNT; s++) {
		for (times = 2; times < EXT_MAX; times++) {
			w = begin(buf);
			for (i = 0; i < times; i++)
				put(&w, s);
			sign(&w);
			expect("repeated before", s, send_it(&w), s->twice_before);
			w = begin(buf);
			sign(&w);
			for (i = 0; i < times; i++)
				put(&w, s);
			expect("repeated behind", s, send_it(&w), s->twice_behind);
		}
		/* One more, with the authenticator, than anybody sends. */
		w = begin(buf);
		for (i = 0; i < EXT_MAX; i++)
			put(&w, s);
		sign(&w);
		expect("too many", s, send_it(&w), SILENCE);
	}
}

/* Of two of different types, the order before the authenticator makes no difference. */
static void in_either_order_two_earn_the_same(void **state)
{
	const struct sample *a, *b;
	uint8_t buf[MESSAGE_MAX];
	struct wire_writer w;
	int ab;

	(void)state;
	for (a = samples; a < samples + SAMPLE_CNT; a++) {
		for (b = a + 1; b < samples + SAMPLE_CNT; b++) {
			if (a->octets[0] == b->octets[0])
				continue; /* of one type the first counts */
			w = begin(buf);
			put(&w, a);
			put(&w, b);
			sign(&w);
			ab = send_it(&w);
			w = begin(buf);
			put(&w, b);
			put(&w, a);
			sign(&w);
			expect(b->name, a, send_it(&w), ab);
			if (a->before == SILENCE || b->before == SILENCE)
				assert_int_equal(ab, SILENCE);
			if (a->before == ACCEPTED)
				assert_int_equal(ab, b->before);
			else if (b->before == ACCEPTED)
				assert_int_equal(ab, a->before);
		}
	}
}

/* Behind the authenticator nothing is granted that only the node may ask for. */
static void out_of_place_each_grants_nothing(void **state)
{
	const struct sample *a, *b;
	uint8_t buf[MESSAGE_MAX];
	struct wire_writer w;

	(void)state;
	for (a = samples; a < samples + SAMPLE_CNT; a++) {
		for (b = samples; b < samples + SAMPLE_CNT; b++) {
			if (a->before != ACCEPTED)
				continue;
			w = begin(buf);
			put(&w, a);
			sign(&w);
			put(&w, b);
			expect(b->name, a, send_it(&w), b->behind);
		}
	}
}

#define extension_test(f) cmocka_unit_test_setup_teardown(f, open_engine, close_engine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		extension_test(each_alone_earns_what_it_should),
		extension_test(cut_at_every_octet_each_is_met_with_silence),
		extension_test(a_length_that_says_more_than_there_is_is_met_with_silence),
		extension_test(repeated_each_earns_what_it_should),
		extension_test(in_either_order_two_earn_the_same),
		extension_test(out_of_place_each_grants_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

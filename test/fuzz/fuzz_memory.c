/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records of mobile nodes, as a store, an import or another home agent brings them
 * (engine/memory.h), and of revocations that wait: one that is taken leaves the engine in order,
 * and what the engine then writes says the same again.
 *
 * Input: bits (1: BIT_*), then records: length of the key (1), key, length of the value (2), value.
 */
#include "common/err.h"
#include "ha-core/engine/memory.h"
#include "ha-core/engine/revocation.h"
#include "test/fuzz/again.h"
#include "test/fuzz/in_order.h"

#define BIT_MAY_LACK  0x01
#define BIT_HAS_MOVED 0x02
#define BIT_SAME_BOOT 0x04
#define BIT_REFUSE    0x08 /* the data path refuses */
#define BIT_FOLLOW    0x10 /* another home agent of the same address has made them */
#define BOOT          0x0b007
#define RECORDS_MAX   8
#define NTP           0xe8fe6f80u

/* memory_restore() or memory_follow() */
typedef int memory_fn(struct engine *e, const uint8_t *key, size_t key_len, const uint8_t *value,
		      size_t value_len, const struct memory_time *at, struct memory_restored *out);

static const char *const settings[] = {
	"home-agent 192.0.2.1",
	"home-network 192.0.2.0/24",
	"mobile-node 192.0.2.10 mn1@example.org 256 hmac-md5 00112233445566778899aabbccddeeff",
	"mobile-node 192.0.2.10 mn1@example.org 259 hmac-md5 0011 nonce",
	"mobile-node - mn2@example.org 256 hmac-md5 00112233445566778899aabbccddeeff",
	"mobile-node 192.0.2.11 - 257 hmac-sha1 00112233445566778899aabbccddeeff",
	"mobile-networks 192.0.2.11 - implicit 10.60.0.0/24 10.61.0.0/16",
	"dynamic-pool 192.0.2.20/30",
	"foreign-agent 198.51.100.1 513 hmac-md5 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
};

static void set_up(struct world *w, bool refuses)
{
	char line[256], *words[WORLD_WORDS_MAX];
	size_t i;

	world_init(w, NTP);
	for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		(void)snprintf(line, sizeof(line), "%s", settings[i]);
		FUZZ_CHECK(world_set(w, words, world_split(line, words, WORLD_WORDS_MAX)) == 0);
	}
	w->refuse_changes = refuses;
}

/* Written again, in the same moment: taken by an engine that knows nothing, it gives the same. */
static void check_again(const struct world *w, const struct sa_peer *node,
			const struct memory_time *at, memory_fn *take)
{
	static uint8_t first[MEMORY_VALUE_MAX], second[MEMORY_VALUE_MAX];
	uint8_t key[MEMORY_KEY_MAX];
	size_t key_len = memory_key(node, key), len = memory_encode(&w->engine, node, at, first);
	struct memory_restored out;
	static struct world other;

	FUZZ_CHECK(key_len > 0 && len > 0);
	FUZZ_CHECK(memory_check(&w->engine, key, key_len, first, len) == 0);
	set_up(&other, false);
	FUZZ_CHECK(take(&other.engine, key, key_len, first, len, at, &out) == 0);
	FUZZ_CHECK(out.refused == 0 && out.expired == 0);
	FUZZ_CHECK(memory_encode(&other.engine, out.node, at, second) == len);
	FUZZ_CHECK(memcmp(first, second, len) == 0);
	world_done(&other);
}

/* What waits for an acknowledgement: sent again, or forgotten. */
static void one_revocation(struct world *w, const uint8_t *key, size_t key_len,
			   const uint8_t *value, size_t value_len, const struct memory_time *at)
{
	const size_t cnt = w->engine.revocation.cnt;
	int checked = memory_check(&w->engine, key, key_len, value, value_len);
	int rc = revocation_restore(&w->engine, key, key_len, value, value_len, at);

	FUZZ_CHECK(rc == checked || (checked == 0 && rc == ERR_NOT_FOUND));
	FUZZ_CHECK(w->engine.revocation.cnt == cnt + (rc == 0));
	in_order(w);
}

static void one_record(struct world *w, struct wire_reader *r, const struct memory_time *at,
		       memory_fn *take)
{
	static uint8_t rest[MEMORY_VALUE_MAX];
	size_t key_len = wire_u8(r), value_len;
	const uint8_t *key = wire_bytes(r, key_len), *value;
	struct memory_places places;
	struct memory_restored out;
	uint8_t *copy;
	int checked, rc;

	value_len = wire_u16(r);
	if (value_len > wire_left(r))
		value_len = wire_left(r);
	value = wire_bytes(r, value_len);
	if (!key || !value)
		return;
	copy = fuzz_copy(value, value_len);
	if (key_len > 0 && key[0] == REVOCATION_KEY_KIND) {
		one_revocation(w, key, key_len, copy, value_len, at);
		free(copy);
		return;
	}
	checked = memory_check(&w->engine, key, key_len, copy, value_len);
	places = memory_places(key, key_len, copy, value_len);
	for (unsigned int step = 0; step < ENGINE_FETCH_STEPS; step++)
		memory_fetch(&w->engine, &places, step);
	rc = take(&w->engine, key, key_len, copy, value_len, at, &out);
	FUZZ_CHECK(rc == checked);
	if (rc != ERR_MALFORMED && value_len <= sizeof(rest))
		FUZZ_CHECK(memory_of_stranger(copy, value_len, at, rest) <= value_len);
	in_order(w);
	if (rc == 0 && !at->has_moved && !w->refuse_changes)
		check_again(w, out.node, at, take);
	free(copy);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	again_open();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_reader r = wire_reader(data, size);
	uint8_t bits = wire_u8(&r);
	struct memory_time at = { .boot = bits & BIT_SAME_BOOT ? BOOT : BOOT + 1,
				  .may_lack = bits & BIT_MAY_LACK,
				  .has_moved = bits & BIT_HAS_MOVED };
	static struct world w;
	unsigned int i;

	set_up(&w, bits & BIT_REFUSE);
	at.now = w.now;
	for (i = 0; i < RECORDS_MAX && wire_left(&r) > 3; i++)
		one_record(&w, &r, &at, bits & BIT_FOLLOW ? memory_follow : memory_restore);
	memory_is_whole(&w.engine);
	world_done(&w);
	return 0;
}

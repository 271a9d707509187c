/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Authenticators against published test cases: RFC 2202 (HMAC-MD5, HMAC-SHA-1), RFC 4231
 * (HMAC-SHA-256); keyed MD5 (prefix+suffix, RFC 2002 §3.5.1) against another implementation of MD5.
 */
#include "ha-core/auth/mac.h"

#include "common/err.h"
#include "test/alloc/alloc_fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/** A key or message: an octet repeated, or, with cnt 0, a text. */
struct run {
	const char *text;
	uint8_t octet;
	size_t cnt;
};

struct row {
	enum mac_algorithm alg;
	struct run key, data;
	uint8_t digest[MAC_LEN_MAX];
};

static const struct row rows[] = {
	/* RFC 2202 §2 */
	{ MAC_HMAC_MD5,
	  { 0, 0x0b, 16 },
	  { "Hi There", 0, 0 },
	  { 0x92, 0x94, 0x72, 0x7a, 0x36, 0x38, 0xbb, 0x1c, 0x13, 0xf4, 0x8e, 0xf8, 0x15, 0x8b,
	    0xfc, 0x9d } },
	{ MAC_HMAC_MD5,
	  { "Jefe", 0, 0 },
	  { "what do ya want for nothing?", 0, 0 },
	  { 0x75, 0x0c, 0x78, 0x3e, 0x6a, 0xb0, 0xb5, 0x03, 0xea, 0xa8, 0x6e, 0x31, 0x0a, 0x5d,
	    0xb7, 0x38 } },
	{ MAC_HMAC_MD5,
	  { 0, 0xaa, 16 },
	  { 0, 0xdd, 50 },
	  { 0x56, 0xbe, 0x34, 0x52, 0x1d, 0x14, 0x4c, 0x88, 0xdb, 0xb8, 0xc7, 0x33, 0xf0, 0xe8,
	    0xb3, 0xf6 } },
	{ MAC_HMAC_MD5,
	  { 0, 0xaa, 80 },
	  { "Test Using Larger Than Block-Size Key - Hash Key First", 0, 0 },
	  { 0x6b, 0x1a, 0xb7, 0xfe, 0x4b, 0xd7, 0xbf, 0x8f, 0x0b, 0x62, 0xe6, 0xce, 0x61, 0xb9,
	    0xd0, 0xcd } },
	{ MAC_HMAC_MD5,
	  { 0, 0xaa, 80 },
	  { "Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data", 0, 0 },
	  { 0x6f, 0x63, 0x0f, 0xad, 0x67, 0xcd, 0xa0, 0xee, 0x1f, 0xb1, 0xf5, 0x62, 0xdb, 0x3a,
	    0xa5, 0x3e } },
	/* RFC 2202 §3 */
	{ MAC_HMAC_SHA1, { 0, 0x0b, 20 }, { "Hi There", 0, 0 }, { 0xb6, 0x17, 0x31, 0x86, 0x55,
								  0x05, 0x72, 0x64, 0xe2, 0x8b,
								  0xc0, 0xb6, 0xfb, 0x37, 0x8c,
								  0x8e, 0xf1, 0x46, 0xbe, 0x00 } },
	{ MAC_HMAC_SHA1,
	  { "Jefe", 0, 0 },
	  { "what do ya want for nothing?", 0, 0 },
	  { 0xef, 0xfc, 0xdf, 0x6a, 0xe5, 0xeb, 0x2f, 0xa2, 0xd2, 0x74,
	    0x16, 0xd5, 0xf1, 0x84, 0xdf, 0x9c, 0x25, 0x9a, 0x7c, 0x79 } },
	{ MAC_HMAC_SHA1,
	  { 0, 0xaa, 80 },
	  { "Test Using Larger Than Block-Size Key - Hash Key First", 0, 0 },
	  { 0xaa, 0x4a, 0xe5, 0xe1, 0x52, 0x72, 0xd0, 0x0e, 0x95, 0x70,
	    0x56, 0x37, 0xce, 0x8a, 0x3b, 0x55, 0xed, 0x40, 0x21, 0x12 } },
	/* RFC 4231 §4.2, §4.3, §4.7 */
	{ MAC_HMAC_SHA256,
	  { 0, 0x0b, 20 },
	  { "Hi There", 0, 0 },
	  { 0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53, 0x5c, 0xa8, 0xaf,
	    0xce, 0xaf, 0x0b, 0xf1, 0x2b, 0x88, 0x1d, 0xc2, 0x00, 0xc9, 0x83,
	    0x3d, 0xa7, 0x26, 0xe9, 0x37, 0x6c, 0x2e, 0x32, 0xcf, 0xf7 } },
	{ MAC_HMAC_SHA256,
	  { "Jefe", 0, 0 },
	  { "what do ya want for nothing?", 0, 0 },
	  { 0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24,
	    0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27,
	    0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43 } },
	{ MAC_HMAC_SHA256,
	  { 0, 0xaa, 131 },
	  { "Test Using Larger Than Block-Size Key - Hash Key First", 0, 0 },
	  { 0x60, 0xe4, 0x31, 0x59, 0x1e, 0xe0, 0xb6, 0x7f, 0x0d, 0x8a, 0x26,
	    0xaa, 0xcb, 0xf5, 0xb7, 0x7f, 0x8e, 0x0b, 0xc6, 0x21, 0x37, 0x28,
	    0xc5, 0x14, 0x05, 0x46, 0x04, 0x0f, 0x0e, 0xe3, 0x7f, 0x54 } },
	/* MD5(key, data, key) */
	{ MAC_KEYED_MD5,
	  { 0, 0x0b, 16 },
	  { "Hi There", 0, 0 },
	  { 0x9f, 0xd3, 0x11, 0xa6, 0xe2, 0x24, 0x26, 0x99, 0xf1, 0x14, 0x62, 0xf0, 0xe9, 0xa1,
	    0x17, 0xb7 } },
	{ MAC_KEYED_MD5,
	  { 0, 0xaa, 80 },
	  { 0, 0xdd, 200 },
	  { 0x63, 0x27, 0x8f, 0x06, 0x29, 0x60, 0xa9, 0x91, 0xf5, 0x44, 0x3f, 0xfc, 0xd0, 0xc7,
	    0x9a, 0xfd } },
};
#define ROW_CNT (sizeof(rows) / sizeof(*rows))

static size_t unroll(const struct run *run, uint8_t *out)
{
	if (run->cnt == 0) {
		memcpy(out, run->text, strlen(run->text));
		return strlen(run->text);
	}
	memset(out, run->octet, run->cnt);
	return run->cnt;
}

static struct mac *mac_of(enum mac_algorithm alg, const void *key, size_t len)
{
	struct mac *m = NULL;

	assert_int_equal(mac_new(alg, key, len, &m), 0);
	assert_non_null(m);
	assert_int_equal(mac_algorithm(m), alg);
	return m;
}

static void published_test_cases_come_out_right(void **state)
{
	uint8_t key[MAC_KEY_MAX], data[256], digest[MAC_LEN_MAX];
	size_t i, key_len, len;
	struct mac *m;

	(void)state;
	for (i = 0; i < ROW_CNT; i++) {
		key_len = unroll(&rows[i].key, key);
		len = unroll(&rows[i].data, data);
		m = mac_of(rows[i].alg, key, key_len);
		mac_sign(m, data, len, digest);
		assert_memory_equal(digest, rows[i].digest, mac_len(rows[i].alg));
		assert_int_equal(mac_verify(m, data, len, rows[i].digest, mac_len(rows[i].alg)), 0);
		/* And again: signing leaves nothing behind. */
		mac_sign(m, data, len, digest);
		assert_memory_equal(digest, rows[i].digest, mac_len(rows[i].alg));
		assert_null(mac_free(m));
	}
}

static void signing_writes_just_its_length(void **state)
{
	static const size_t lens[] = { 16, 16, 20, 32 };
	uint8_t out[MAC_LEN_MAX + 1];
	unsigned int alg;
	struct mac *m;
	size_t i;

	(void)state;
	for (alg = 0; alg < MAC_ALGORITHM_CNT; alg++) {
		assert_int_equal(mac_len(alg), lens[alg]);
		m = mac_of(alg, "k", 1);
		memset(out, 0xee, sizeof(out));
		mac_sign(m, "data", 4, out);
		for (i = lens[alg]; i < sizeof(out); i++)
			assert_int_equal(out[i], 0xee);
		mac_free(m);
	}
}

static void names_are_those_of_the_configuration(void **state)
{
	(void)state;
	assert_string_equal(mac_name(MAC_HMAC_MD5), "hmac-md5");
	assert_string_equal(mac_name(MAC_KEYED_MD5), "keyed-md5");
	assert_string_equal(mac_name(MAC_HMAC_SHA1), "hmac-sha1");
	assert_string_equal(mac_name(MAC_HMAC_SHA256), "hmac-sha256");
}

static void every_bit_of_data_and_authenticator_counts(void **state)
{
	uint8_t data[40], digest[MAC_LEN_MAX];
	unsigned int alg;
	struct mac *m;
	size_t bit;

	(void)state;
	for (alg = 0; alg < MAC_ALGORITHM_CNT; alg++) {
		m = mac_of(alg, "\x00\x11\x22\x33", 4);
		memset(data, 0x5a, sizeof(data));
		mac_sign(m, data, sizeof(data), digest);
		for (bit = 0; bit < 8 * sizeof(data); bit++) {
			data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(mac_verify(m, data, sizeof(data), digest, mac_len(alg)),
					 ERR_AUTH);
			data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		for (bit = 0; bit < 8 * mac_len(alg); bit++) {
			digest[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(mac_verify(m, data, sizeof(data), digest, mac_len(alg)),
					 ERR_AUTH);
			digest[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		assert_int_equal(mac_verify(m, data, sizeof(data), digest, mac_len(alg)), 0);
		assert_int_equal(mac_verify(m, data, sizeof(data) - 1, digest, mac_len(alg)),
				 ERR_AUTH);
		mac_free(m);
	}
}

static void an_authenticator_of_another_length_is_refused(void **state)
{
	uint8_t digest[MAC_LEN_MAX + 8] = { 0 };
	unsigned int alg;
	struct mac *m;
	size_t len;

	(void)state;
	for (alg = 0; alg < MAC_ALGORITHM_CNT; alg++) {
		m = mac_of(alg, "key", 3);
		mac_sign(m, "data", 4, digest);
		for (len = 0; len < sizeof(digest); len++)
			assert_int_equal(mac_verify(m, "data", 4, digest, len),
					 len == mac_len(alg) ? 0 : ERR_AUTH);
		mac_free(m);
	}
}

/* A key is octets and no string: what stands behind a zero counts. */
static void zeros_in_a_key_do_not_end_it(void **state)
{
	static const uint8_t one[] = { 0, 0, 1, 0, 2 }, other[] = { 0, 0, 1, 0, 3 };
	uint8_t digest[MAC_LEN_MAX];
	struct mac *a, *b;
	unsigned int alg;

	(void)state;
	for (alg = 0; alg < MAC_ALGORITHM_CNT; alg++) {
		a = mac_of(alg, one, sizeof(one));
		b = mac_of(alg, other, sizeof(other));
		mac_sign(a, "data", 4, digest);
		assert_int_equal(mac_verify(b, "data", 4, digest, mac_len(alg)), ERR_AUTH);
		mac_free(a);
		mac_free(b);
	}
}

static void keys_have_1_to_256_octets(void **state)
{
	static const uint8_t key[MAC_KEY_MAX + 1] = { 1 };
	unsigned int alg;
	struct mac *m = NULL;

	(void)state;
	for (alg = 0; alg < MAC_ALGORITHM_CNT; alg++) {
		assert_int_equal(mac_new(alg, key, 0, &m), ERR_INVALID);
		assert_int_equal(mac_new(alg, key, sizeof(key), &m), ERR_INVALID);
		assert_null(m);
		mac_free(mac_of(alg, key, 1));
		mac_free(mac_of(alg, key, MAC_KEY_MAX));
	}
	assert_null(mac_free(NULL));
}

static void the_key_is_copied(void **state)
{
	uint8_t key[16] = { 7 }, before[MAC_LEN_MAX], after[MAC_LEN_MAX];
	unsigned int alg;
	struct mac *m;

	(void)state;
	for (alg = 0; alg < MAC_ALGORITHM_CNT; alg++) {
		key[0] = 7;
		m = mac_of(alg, key, sizeof(key));
		mac_sign(m, "data", 4, before);
		memset(key, 0, sizeof(key));
		mac_sign(m, "data", 4, after);
		assert_memory_equal(before, after, mac_len(alg));
		mac_free(m);
	}
}

static void contexts_do_not_disturb_one_another(void **state)
{
	uint8_t digest[MAC_ALGORITHM_CNT][MAC_LEN_MAX], again[MAC_LEN_MAX];
	struct mac *m[MAC_ALGORITHM_CNT];
	unsigned int alg, round;

	(void)state;
	for (alg = 0; alg < MAC_ALGORITHM_CNT; alg++) {
		m[alg] = mac_of(alg, "key", 3);
		mac_sign(m[alg], "data", 4, digest[alg]);
	}
	for (round = 0; round < 100; round++) {
		alg = round * 7 % MAC_ALGORITHM_CNT;
		mac_sign(m[alg], "other", round % 6, again);
		mac_sign(m[alg], "data", 4, again);
		assert_memory_equal(again, digest[alg], mac_len(alg));
		assert_int_equal(mac_verify(m[alg], "data", 4, again, mac_len(alg)), 0);
	}
	for (alg = 0; alg < MAC_ALGORITHM_CNT; alg++)
		mac_free(m[alg]);
}

/* Whoever has begun to change things by a request can answer it. */
static void signing_and_verifying_allocate_nothing(void **state)
{
	uint8_t key[MAC_KEY_MAX] = { 7 }, before[MAC_LEN_MAX], after[MAC_LEN_MAX];
	unsigned int alg;
	struct mac *m;

	(void)state;
	for (alg = 0; alg < MAC_ALGORITHM_CNT; alg++) {
		m = mac_of(alg, key, sizeof(key));
		mac_sign(m, "data", 4, before);
		alloc_fault_plan(1, true);
		alloc_fault_stretch(true);
		mac_sign(m, "data", 4, after);
		assert_int_equal(mac_verify(m, "data", 4, after, mac_len(alg)), 0);
		assert_int_equal(alloc_fault_count().asked, 0);
		alloc_fault_stretch(false);
		assert_memory_equal(before, after, mac_len(alg));
		mac_free(m);
	}
}

/* What the last key left behind is of that key only. */
static void a_key_that_differs_in_one_octet_is_another(void **state)
{
	uint8_t key[MAC_KEY_MAX] = { 7 }, digest[MAC_LEN_MAX], other[MAC_LEN_MAX];
	static const size_t lens[] = { 1, 16, 63, 64, 65, MAC_KEY_MAX };
	struct mac *m, *changed, *longer;
	unsigned int alg, i;

	(void)state;
	for (alg = 0; alg < MAC_ALGORITHM_CNT; alg++) {
		for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
			m = mac_of(alg, key, lens[i]);
			key[lens[i] - 1] ^= 1;
			changed = mac_of(alg, key, lens[i]);
			key[lens[i] - 1] ^= 1;
			mac_sign(m, "data", 4, digest);
			mac_sign(changed, "data", 4, other);
			assert_memory_not_equal(digest, other, mac_len(alg));
			mac_sign(m, "data", 4, other);
			assert_memory_equal(digest, other, mac_len(alg));
			mac_free(changed);
			if (lens[i] < MAC_KEY_MAX) {
				key[lens[i]] = 1;
				longer = mac_of(alg, key, lens[i] + 1);
				key[lens[i]] = 0;
				mac_sign(longer, "data", 4, other);
				assert_memory_not_equal(digest, other, mac_len(alg));
				mac_free(longer);
			}
			mac_free(m);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_test_cases_come_out_right),
		cmocka_unit_test(signing_writes_just_its_length),
		cmocka_unit_test(names_are_those_of_the_configuration),
		cmocka_unit_test(every_bit_of_data_and_authenticator_counts),
		cmocka_unit_test(an_authenticator_of_another_length_is_refused),
		cmocka_unit_test(zeros_in_a_key_do_not_end_it),
		cmocka_unit_test(keys_have_1_to_256_octets),
		cmocka_unit_test(the_key_is_copied),
		cmocka_unit_test(contexts_do_not_disturb_one_another),
		cmocka_unit_test(signing_and_verifying_allocate_nothing),
		cmocka_unit_test(a_key_that_differs_in_one_octet_is_another),
	};

	if (!alloc_fault_with_openssl())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

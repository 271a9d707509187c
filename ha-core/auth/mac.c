/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Authenticators by OpenSSL's digests (RFC 2104, RFC 2002 §3.5.1). Each algorithm is a row.
 *
 * HMAC begins by digesting a block that depends on nothing but the key, twice. The digest's states
 * behind those two are what RFC 2104 §4 proposes to keep; for a million keys they would be 16 MB
 * more than the keys. So they are kept of the last key only: a request is verified and answered by
 * the same one.
 *
 * Digests are called by their own functions and not by EVP, for EVP hands no state out, and
 * allocates one for each digest. Measured with OpenSSL 3.0, HMAC-MD5 of 54 octets and a key that
 * changes with each message: 0.59 us over EVP_MD from the raw key, 1.08 us by EVP_MAC_init() with
 * it, 0.58 us by an EVP_MAC context for each key, which for a million are 700 MB; this way 0.44 us,
 * and 0.22 us by the key of the message before. OpenSSL 3 discourages these functions because no
 * provider is asked; so EVP is asked here, once for each algorithm, whether it is to be had at all.
 */
#define OPENSSL_API_COMPAT 10101 /* as of 1.1.1: see above */

#include "ha-core/auth/mac.h"

#include "common/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/md5.h>
#include <openssl/sha.h>

#define BLOCK 64 /* of MD5, SHA-1 and SHA-256 alike */
#define IPAD  0x36
#define OPAD  0x5c

union state {
	MD5_CTX md5;
	SHA_CTX sha1;
	SHA256_CTX sha256;
};

struct digest {
	const char *name;
	size_t len;
	void (*begin)(union state *st);
	void (*add)(union state *st, const void *data, size_t len);
	void (*end)(union state *st, uint8_t *out); /* len octets */
};

/* They return 1, always: nothing that they need can be missing. */
#define DIGEST(member, function)                                                \
	static void member##_begin(union state *st)                             \
	{                                                                       \
		(void)function##_Init(&st->member);                             \
	}                                                                       \
	static void member##_add(union state *st, const void *data, size_t len) \
	{                                                                       \
		(void)function##_Update(&st->member, data, len);                \
	}                                                                       \
	static void member##_end(union state *st, uint8_t *out)                 \
	{                                                                       \
		(void)function##_Final(out, &st->member);                       \
	}
DIGEST(md5, MD5)
DIGEST(sha1, SHA1)
DIGEST(sha256, SHA256)

static const struct digest md5 = { "MD5", MD5_DIGEST_LENGTH, md5_begin, md5_add, md5_end };
static const struct digest sha1 = { "SHA1", SHA_DIGEST_LENGTH, sha1_begin, sha1_add, sha1_end };
static const struct digest sha256 = { "SHA256", SHA256_DIGEST_LENGTH, sha256_begin, sha256_add,
				      sha256_end };

static struct row {
	const char *name;
	const struct digest *digest;
	bool hmac;         /* otherwise prefix+suffix */
	bool is_to_be_had; /* for the life of the process */
} rows[MAC_ALGORITHM_CNT] = {
	[MAC_HMAC_MD5] = { "hmac-md5", &md5, true },
	[MAC_KEYED_MD5] = { "keyed-md5", &md5, false },
	[MAC_HMAC_SHA1] = { "hmac-sha1", &sha1, true },
	[MAC_HMAC_SHA256] = { "hmac-sha256", &sha256, true },
};

/* Behind K xor ipad and behind K xor opad, of the key that was used last. */
static struct {
	union state inner, outer;
	uint16_t key_len; /* 0: none yet */
	uint8_t alg;
	uint8_t key[MAC_KEY_MAX];
} last;

static int ask_for(struct row *row)
{
	EVP_MD *md;

	if (row->is_to_be_had)
		return 0;
	md = EVP_MD_fetch(NULL, row->digest->name, NULL);
	if (!md)
		return ERR_CRYPTO;
	EVP_MD_free(md);
	row->is_to_be_had = true;
	return 0;
}

const char *mac_name(enum mac_algorithm alg)
{
	return rows[alg].name;
}

size_t mac_len(enum mac_algorithm alg)
{
	return rows[alg].digest->len;
}

enum mac_algorithm mac_algorithm(const struct mac *m)
{
	return m->alg;
}

int mac_init(struct mac *m, enum mac_algorithm alg, const void *key, size_t key_len)
{
	int rc;

	if (key_len < 1 || key_len > MAC_KEY_MAX)
		return ERR_INVALID;
	rc = ask_for(&rows[alg]);
	if (rc < 0)
		return rc;
	m->alg = (uint8_t)alg;
	m->key_len = (uint16_t)key_len;
	memcpy(m->key, key, key_len);
	return 0;
}

void mac_done(struct mac *m)
{
	OPENSSL_cleanse(m->key, m->key_len);
}

int mac_new(enum mac_algorithm alg, const void *key, size_t key_len, struct mac **ret_mac)
{
	struct mac *m = malloc(mac_size(key_len));
	int rc;

	if (!m)
		return -ENOMEM;
	rc = mac_init(m, alg, key, key_len);
	if (rc < 0) {
		free(m);
		return rc;
	}
	*ret_mac = m;
	return 0;
}

struct mac *mac_copy(const struct mac *m)
{
	struct mac *copy = malloc(mac_size(m->key_len));

	if (copy)
		memcpy(copy, m, mac_size(m->key_len));
	return copy;
}

struct mac *mac_free(struct mac *m)
{
	if (m)
		mac_done(m);
	free(m);
	return NULL;
}

static bool is_last(const struct mac *m)
{
	return m->alg == last.alg && m->key_len == last.key_len &&
	       memcmp(m->key, last.key, m->key_len) == 0;
}

/* RFC 2104 §2: K xor ipad, K xor opad; a key longer than a block is digested first. */
static void begin_hmac(const struct digest *digest, const struct mac *m)
{
	uint8_t pad[BLOCK] = { 0 };
	size_t i;

	digest->begin(&last.inner);
	digest->begin(&last.outer);
	if (m->key_len > BLOCK) {
		digest->add(&last.inner, m->key, m->key_len);
		digest->end(&last.inner, pad);
		digest->begin(&last.inner);
	} else {
		memcpy(pad, m->key, m->key_len);
	}
	for (i = 0; i < BLOCK; i++)
		pad[i] ^= IPAD;
	digest->add(&last.inner, pad, BLOCK);
	for (i = 0; i < BLOCK; i++)
		pad[i] ^= IPAD ^ OPAD;
	digest->add(&last.outer, pad, BLOCK);
	OPENSSL_cleanse(pad, sizeof(pad));
	last.alg = m->alg;
	last.key_len = m->key_len;
	memcpy(last.key, m->key, m->key_len);
}

/* RFC 2104 §2: H(K xor opad, H(K xor ipad, data)). */
static void sign_hmac(const struct digest *digest, const struct mac *m, const void *data,
		      size_t len, uint8_t *out)
{
	uint8_t inner[MAC_LEN_MAX];
	union state st;

	if (!is_last(m))
		begin_hmac(digest, m);
	st = last.inner;
	digest->add(&st, data, len);
	digest->end(&st, inner);
	st = last.outer;
	digest->add(&st, inner, digest->len);
	digest->end(&st, out);
}

static void sign_prefix_suffix(const struct digest *digest, const struct mac *m, const void *data,
			       size_t len, uint8_t *out)
{
	union state st;

	digest->begin(&st);
	digest->add(&st, m->key, m->key_len);
	digest->add(&st, data, len);
	digest->add(&st, m->key, m->key_len);
	digest->end(&st, out);
}

void mac_sign(const struct mac *m, const void *data, size_t len, uint8_t *out)
{
	const struct row *row = &rows[m->alg];

	if (row->hmac)
		sign_hmac(row->digest, m, data, len, out);
	else
		sign_prefix_suffix(row->digest, m, data, len, out);
}

int mac_verify(const struct mac *m, const void *data, size_t len, const uint8_t *expect,
	       size_t expect_len)
{
	uint8_t mac[MAC_LEN_MAX];

	if (expect_len != mac_len(mac_algorithm(m)))
		return ERR_AUTH;
	mac_sign(m, data, len, mac);
	return CRYPTO_memcmp(mac, expect, expect_len) == 0 ? 0 : ERR_AUTH;
}

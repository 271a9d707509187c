/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Authenticators through OpenSSL 3 (RFC 2104, RFC 2002 §3.5.1). Each algorithm is a row with a
 * digest that is fetched, and a context that is made, once a process.
 *
 * HMAC is put together here, over EVP_MD, from the raw key each time. Measured with OpenSSL 3.0,
 * HMAC-MD5 of 54 octets and a key that changes with each message: 0.56 us this way, 1.08 us by
 * EVP_MAC_init() with the key; 0.58 us by an EVP_MAC context prepared for each key, which is what
 * this replaces: a million of those were 700 MB. EVP allocates a digest's state at each
 * EVP_DigestInit_ex2() and takes it from what it freed before (so did EVP_MAC), so that is where
 * memory may be missing. mac_prepare() goes there ahead of time: a stack of contexts that have
 * begun, of which each digest uses up one.
 */
#include "ha-core/auth/mac.h"

#include "common/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#define BLOCK     64 /* of MD5, SHA-1 and SHA-256 alike */
#define IPAD      0x36
#define OPAD      0x5c
#define READY_MAX 6 /* two authenticators, each of three digests if its key is a long one */

static struct row {
	const char *name;
	const char *digest;
	bool hmac; /* otherwise prefix+suffix */
	size_t len;
	/* shared by all associations, for the life of the process */
	EVP_MD *md;
	EVP_MD_CTX *ctx[READY_MAX]; /* each has md */
	unsigned int ready_cnt;     /* the first so many have begun, and wait for data */
} rows[MAC_ALGORITHM_CNT] = {
	[MAC_HMAC_MD5] = { "hmac-md5", "MD5", true, 16 },
	[MAC_KEYED_MD5] = { "keyed-md5", "MD5", false, 16 },
	[MAC_HMAC_SHA1] = { "hmac-sha1", "SHA1", true, 20 },
	[MAC_HMAC_SHA256] = { "hmac-sha256", "SHA256", true, 32 },
};

static int fetch(struct row *row)
{
	unsigned int i;

	if (!row->md)
		row->md = EVP_MD_fetch(NULL, row->digest, NULL);
	if (!row->md)
		return ERR_CRYPTO;
	for (i = 0; i < READY_MAX; i++) {
		if (row->ctx[i])
			continue;
		row->ctx[i] = EVP_MD_CTX_new();
		if (!row->ctx[i] || !EVP_DigestInit_ex2(row->ctx[i], row->md, NULL)) {
			EVP_MD_CTX_free(row->ctx[i]);
			row->ctx[i] = NULL;
			return ERR_CRYPTO;
		}
		row->ready_cnt = i + 1;
	}
	return 0;
}

const char *mac_name(enum mac_algorithm alg)
{
	return rows[alg].name;
}

size_t mac_len(enum mac_algorithm alg)
{
	return rows[alg].len;
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
	rc = fetch(&rows[alg]);
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

/* So many contexts have begun. */
static bool prepare(struct row *row, unsigned int cnt)
{
	for (; row->ready_cnt < cnt; row->ready_cnt++)
		/* No digest given: begin anew with the one it has. */
		if (!EVP_DigestInit_ex2(row->ctx[row->ready_cnt], NULL, NULL))
			return false;
	return true;
}

/* The digest of three runs of octets, one after the other. */
static bool digest(struct row *row, const void *first, size_t first_len, const void *data,
		   size_t len, const void *last, size_t last_len, uint8_t *out)
{
	EVP_MD_CTX *ctx;

	if (!prepare(row, 1))
		return false;
	ctx = row->ctx[--row->ready_cnt];
	return EVP_DigestUpdate(ctx, first, first_len) && EVP_DigestUpdate(ctx, data, len) &&
	       EVP_DigestUpdate(ctx, last, last_len) && EVP_DigestFinal_ex(ctx, out, NULL);
}

/* RFC 2104 §2: H(K xor opad, H(K xor ipad, data)); a key longer than a block is hashed first. */
static bool sign_hmac(struct row *row, const struct mac *m, const void *data, size_t len,
		      uint8_t *out)
{
	uint8_t pad[BLOCK] = { 0 }, inner[MAC_LEN_MAX];
	bool done = true;
	size_t i;

	if (m->key_len > BLOCK)
		done = digest(row, m->key, m->key_len, NULL, 0, NULL, 0, pad);
	else
		memcpy(pad, m->key, m->key_len);
	for (i = 0; i < BLOCK; i++)
		pad[i] ^= IPAD;
	done = done && digest(row, pad, BLOCK, data, len, NULL, 0, inner);
	for (i = 0; i < BLOCK; i++)
		pad[i] ^= IPAD ^ OPAD;
	done = done && digest(row, pad, BLOCK, inner, row->len, NULL, 0, out);
	OPENSSL_cleanse(pad, sizeof(pad));
	return done;
}

int mac_prepare(const struct mac *m)
{
	return prepare(&rows[m->alg], READY_MAX) ? 0 : ERR_CRYPTO;
}

int mac_sign(const struct mac *m, const void *data, size_t len, uint8_t *out)
{
	struct row *row = &rows[m->alg];
	bool done = row->hmac ? sign_hmac(row, m, data, len, out)
			      : digest(row, m->key, m->key_len, data, len, m->key, m->key_len, out);

	return done ? 0 : ERR_CRYPTO;
}

int mac_verify(const struct mac *m, const void *data, size_t len, const uint8_t *expect,
	       size_t expect_len)
{
	uint8_t mac[MAC_LEN_MAX];
	int rc;

	if (expect_len != rows[m->alg].len)
		return ERR_AUTH;
	rc = mac_sign(m, data, len, mac);
	if (rc < 0)
		return rc;
	return CRYPTO_memcmp(mac, expect, expect_len) == 0 ? 0 : ERR_AUTH;
}

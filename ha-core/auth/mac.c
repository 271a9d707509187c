/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Authenticators through OpenSSL 3 (RFC 2104, RFC 2002 §3.5.1). Each algorithm is a row; HMAC
 * goes through EVP_MAC, the prefix+suffix form through EVP_MD, whose context has swallowed the
 * prefix already and is copied for each message. Fetches happen once a process, in fetch().
 */
#include "ha-core/auth/mac.h"

#include "common/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

struct row {
	const char *name;
	const char *digest;
	bool hmac; /* otherwise prefix+suffix */
	size_t len;
};

static const struct row rows[MAC_ALGORITHM_CNT] = {
	[MAC_HMAC_MD5] = { "hmac-md5", "MD5", true, 16 },
	[MAC_KEYED_MD5] = { "keyed-md5", "MD5", false, 16 },
	[MAC_HMAC_SHA1] = { "hmac-sha1", "SHA1", true, 20 },
	[MAC_HMAC_SHA256] = { "hmac-sha256", "SHA256", true, 32 },
};

struct mac {
	enum mac_algorithm alg;
	unsigned int owners;
	EVP_MAC_CTX *hmac;    /* keyed */
	EVP_MD_CTX *prefixed; /* prefix+suffix: has swallowed the key */
	size_t suffix_len;
	uint8_t suffix[]; /* the key again; empty for HMAC, which keeps its own copy */
};

/* Shared by all associations, for the life of the process. */
static EVP_MAC *hmac_method;
static EVP_MD *md5_method;
static EVP_MD_CTX *scratch;

static int fetch(void)
{
	if (!hmac_method)
		hmac_method = EVP_MAC_fetch(NULL, "HMAC", NULL);
	if (!md5_method)
		md5_method = EVP_MD_fetch(NULL, "MD5", NULL);
	if (!scratch)
		scratch = EVP_MD_CTX_new();
	return hmac_method && md5_method && scratch ? 0 : ERR_CRYPTO;
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

static int prepare_hmac(struct mac *m, const void *key, size_t key_len)
{
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
						 (char *)(uintptr_t)rows[m->alg].digest, 0),
		OSSL_PARAM_construct_end(),
	};

	m->hmac = EVP_MAC_CTX_new(hmac_method);
	if (!m->hmac || !EVP_MAC_init(m->hmac, key, key_len, params))
		return ERR_CRYPTO;
	return 0;
}

static int prepare_prefixed(struct mac *m, const void *key, size_t key_len)
{
	m->prefixed = EVP_MD_CTX_new();
	if (!m->prefixed || !EVP_DigestInit_ex2(m->prefixed, md5_method, NULL) ||
	    !EVP_DigestUpdate(m->prefixed, key, key_len))
		return ERR_CRYPTO;
	return 0;
}

int mac_new(enum mac_algorithm alg, const void *key, size_t key_len, struct mac **ret_mac)
{
	size_t suffix_len = rows[alg].hmac ? 0 : key_len;
	struct mac *m;
	int rc;

	if (key_len < 1 || key_len > MAC_KEY_MAX)
		return ERR_INVALID;
	rc = fetch();
	if (rc < 0)
		return rc;
	m = calloc(1, sizeof(*m) + suffix_len);
	if (!m)
		return -ENOMEM;
	m->alg = alg;
	m->owners = 1;
	m->suffix_len = suffix_len;
	memcpy(m->suffix, key, suffix_len);
	rc = rows[alg].hmac ? prepare_hmac(m, key, key_len) : prepare_prefixed(m, key, key_len);
	if (rc < 0) {
		mac_free(m);
		return rc;
	}
	*ret_mac = m;
	return 0;
}

struct mac *mac_ref(struct mac *m)
{
	m->owners++;
	return m;
}

struct mac *mac_free(struct mac *m)
{
	if (!m || --m->owners > 0)
		return NULL;
	EVP_MAC_CTX_free(m->hmac); /* both wipe what they hold */
	EVP_MD_CTX_free(m->prefixed);
	OPENSSL_cleanse(m->suffix, m->suffix_len);
	free(m);
	return NULL;
}

static bool sign_hmac(struct mac *m, const void *data, size_t len, uint8_t *out)
{
	size_t out_len = rows[m->alg].len;

	/* No key given: begin anew with the one prepared. */
	return EVP_MAC_init(m->hmac, NULL, 0, NULL) && EVP_MAC_update(m->hmac, data, len) &&
	       EVP_MAC_final(m->hmac, out, &out_len, out_len);
}

static bool sign_prefixed(struct mac *m, const void *data, size_t len, uint8_t *out)
{
	return EVP_MD_CTX_copy_ex(scratch, m->prefixed) && EVP_DigestUpdate(scratch, data, len) &&
	       EVP_DigestUpdate(scratch, m->suffix, m->suffix_len) &&
	       EVP_DigestFinal_ex(scratch, out, NULL);
}

int mac_sign(struct mac *m, const void *data, size_t len, uint8_t *out)
{
	bool done = m->hmac ? sign_hmac(m, data, len, out) : sign_prefixed(m, data, len, out);

	return done ? 0 : ERR_CRYPTO;
}

int mac_verify(struct mac *m, const void *data, size_t len, const uint8_t *expect,
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

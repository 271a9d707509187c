/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Authenticators of the authentication extensions (RFC 5944 §3.5.1, §5.1). One door to OpenSSL: an
 * association holds its key and no more, and a message costs no fetch and no allocation, so that
 * signing cannot fail. To be called by one thread, but for what makes, copies and frees keys.
 */
#ifndef HA_CORE_AUTH_MAC_H
#define HA_CORE_AUTH_MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAC_LEN_MAX 32 /* HMAC-SHA-256 */
#define MAC_KEY_MAX 256

enum mac_algorithm {
	MAC_HMAC_MD5,  /* RFC 2104; the default of RFC 5944 */
	MAC_KEYED_MD5, /* prefix+suffix: MD5(key, data, key), RFC 2002 §3.5.1 */
	MAC_HMAC_SHA1,
	MAC_HMAC_SHA256,
	MAC_ALGORITHM_CNT
};

/** A key and what it is for. May end a larger object. */
struct mac {
	uint16_t key_len;
	uint8_t alg;   /* enum mac_algorithm */
	uint8_t key[]; /* wiped by mac_done() */
};

/** Octets of a struct mac with a key of this length. */
static inline size_t mac_size(size_t key_len)
{
	return offsetof(struct mac, key) + key_len;
}

/** "hmac-md5", "keyed-md5", "hmac-sha1", "hmac-sha256" */
const char *mac_name(enum mac_algorithm alg);

/** Length of the authenticator in octets. */
size_t mac_len(enum mac_algorithm alg);

/**
 * Fills the mac_size(key_len) octets at m. A key is any octets, zeros included, 1..MAC_KEY_MAX of
 * them; it is copied. On failure m is as it was.
 * @retval ERR_CRYPTO  the algorithm is not to be had (a FIPS provider refuses MD5)
 * @retval ERR_INVALID the key's length
 */
int mac_init(struct mac *m, enum mac_algorithm alg, const void *key, size_t key_len);

/** Wipes the key. */
void mac_done(struct mac *m);

/** The same on the heap. @retval -ENOMEM, and as mac_init() */
int mac_new(enum mac_algorithm alg, const void *key, size_t key_len, struct mac **ret_mac);

/** A copy on the heap, to be freed like any. NULL: out of memory. */
struct mac *mac_copy(const struct mac *m);

/** Wipes the key and frees. Takes NULL, returns NULL. */
struct mac *mac_free(struct mac *m);

enum mac_algorithm mac_algorithm(const struct mac *m);

/** Writes mac_len() octets to out. */
void mac_sign(const struct mac *m, const void *data, size_t len, uint8_t *out);

/** Compares in constant time. @retval ERR_AUTH it is another, or of another length */
int mac_verify(const struct mac *m, const void *data, size_t len, const uint8_t *expect,
	       size_t expect_len);

#endif

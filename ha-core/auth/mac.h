/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Authenticators of the authentication extensions (RFC 5944 §3.5.1, §5.1). One door to OpenSSL:
 * algorithms are fetched once per process, a key's context is prepared once per association, and
 * a message costs no fetch and no allocation.
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

/** A key prepared for one algorithm. */
struct mac;

/** "hmac-md5", "keyed-md5", "hmac-sha1", "hmac-sha256" */
const char *mac_name(enum mac_algorithm alg);

/** Length of the authenticator in octets. */
size_t mac_len(enum mac_algorithm alg);

/**
 * Prepares a key; any octets, zeros included, 1..MAC_KEY_MAX of them. The key is copied.
 * @retval ERR_CRYPTO  the algorithm is not to be had (a FIPS provider refuses MD5)
 * @retval ERR_INVALID the key's length
 * @retval -ENOMEM
 */
int mac_new(enum mac_algorithm alg, const void *key, size_t key_len, struct mac **ret_mac);

/** One more owner, who frees it like the first; the key is wiped when the last one does. */
struct mac *mac_ref(struct mac *m);

/** Wipes the key and frees. Takes NULL, returns NULL. */
struct mac *mac_free(struct mac *m);

enum mac_algorithm mac_algorithm(const struct mac *m);

/** Writes mac_len() octets to out. @retval ERR_CRYPTO */
int mac_sign(struct mac *m, const void *data, size_t len, uint8_t *out);

/** Compares in constant time. @retval ERR_AUTH it is another, or of another length */
int mac_verify(struct mac *m, const void *data, size_t len, const uint8_t *expect,
	       size_t expect_len);

#endif

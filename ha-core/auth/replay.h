/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Replay protection by Identification (RFC 5944 §5.7): timestamps and nonces. Pure; the state of
 * one security association.
 */
#ifndef HA_CORE_AUTH_REPLAY_H
#define HA_CORE_AUTH_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

enum replay_style { REPLAY_TIMESTAMP, REPLAY_NONCE };

#define REPLAY_SECONDS(s) ((uint64_t)(s) << 32) /* NTP 32.32 */

struct replay {
	uint64_t last_ident;  /* timestamps: the last one accepted, or where time began for us */
	uint32_t nonce;       /* nonces: the one we gave last */
	uint16_t tolerance_s; /* timestamps: how far from our clock */
	enum replay_style style : 8;
	bool seen; /* timestamps: last_ident holds one; nonces: a nonce was given */
};

/**
 * Is this request fresh? Call only once the authenticator has verified: a forgery must not
 * advance the window.
 *
 * Timestamps (§5.7.1): within the tolerance of our clock and above the last one accepted. The
 * difference is taken modulo 2^64, so that the era change of 2036 passes unnoticed.
 * Nonces (§5.7.2): the high half is the nonce of our last authenticated reply.
 *
 * @param rp         advanced only on success (timestamps), always (nonces: a new one is given)
 * @param ident      Identification as received
 * @param now_ntp    our wall clock
 * @param nonce      a fresh random number, for the reply under nonces
 * @param out_reply  Identification for the reply; the low half is always a copy
 * @retval 0                fresh
 * @retval ERR_REPLAY       not above the last one accepted       (answer with Code 133)
 * @retval ERR_CLOCK_SKEW   too far from now_ntp                  (answer with Code 133)
 * @retval ERR_STALE_NONCE  not the nonce we gave                 (answer with Code 133)
 */
int replay_check(struct replay *rp, uint64_t ident, uint64_t now_ntp, uint32_t nonce,
		 uint64_t *out_reply);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replay protection (RFC 5944 §5.7). A request with the same Identification as the last accepted
 * one is refused like any other that is not newer: a mobile node that lost our reply sends a new
 * one under timestamps, and under nonces the refusal carries the nonce it needs.
 */
#include "ha-core/auth/replay.h"

#include "common/clock.h"
#include "common/err.h"

#define LOW_HALF 0xffffffffu

static int check_timestamp(struct replay *rp, uint64_t ident, uint64_t now_ntp, uint64_t *out_reply)
{
	/* What a refused node resynchronises by: our seconds over its own low half. */
	uint64_t resync = (now_ntp & ~(uint64_t)LOW_HALF) | (ident & LOW_HALF);
	int64_t diff = clock_ntp_diff(ident, now_ntp);
	uint64_t skew = diff < 0 ? 0 - (uint64_t)diff : (uint64_t)diff;

	*out_reply = resync;
	if (skew > REPLAY_SECONDS(rp->tolerance_s))
		return ERR_CLOCK_SKEW;
	if (rp->seen && clock_ntp_diff(ident, rp->last_ident) <= 0)
		return ERR_REPLAY;
	rp->last_ident = ident;
	rp->seen = true;
	*out_reply = ident;
	return 0;
}

static int check_nonce(struct replay *rp, uint64_t ident, uint32_t nonce, uint64_t *out_reply)
{
	bool fresh = rp->seen && (uint32_t)(ident >> 32) == rp->nonce;

	if (nonce == rp->nonce)
		nonce++; /* §5.7.2: differs from the one before */
	rp->nonce = nonce;
	rp->seen = true;
	*out_reply = (uint64_t)nonce << 32 | (ident & LOW_HALF);
	return fresh ? 0 : ERR_STALE_NONCE;
}

int replay_check(struct replay *rp, uint64_t ident, uint64_t now_ntp, uint32_t nonce,
		 uint64_t *out_reply)
{
	if (rp->style == REPLAY_NONCE)
		return check_nonce(rp, ident, nonce, out_reply);
	return check_timestamp(rp, ident, now_ntp, out_reply);
}

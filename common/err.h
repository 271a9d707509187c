/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Errors. A function that can fail returns 0 or a positive result when it worked, and a negative
 * value otherwise: -errno for what the system refused, or one of our own codes, which start at
 * -1000 and so stay clear of errno. err_text() gives a sentence for either.
 */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

enum {
	ERR_BASE = -1000,
	ERR_TRUNCATED = ERR_BASE,       /* the octets end before the field does */
	ERR_UNKNOWN_EXT = ERR_BASE - 1, /* an extension of type 1..127 that we do not know */
	ERR_TOO_MANY = ERR_BASE - 2,    /* more than the limit that guards us */
	ERR_NO_SPACE = ERR_BASE - 3,    /* the buffer given is too small */
	ERR_INVALID = ERR_BASE - 4,     /* a value outside its range or its grammar */
	ERR_DUPLICATE = ERR_BASE - 5,   /* it is there already */
	ERR_NOT_FOUND = ERR_BASE - 6,
	ERR_AUTH = ERR_BASE - 7,         /* an authenticator does not verify */
	ERR_REPLAY = ERR_BASE - 8,       /* Identification not newer than the last one accepted */
	ERR_CLOCK_SKEW = ERR_BASE - 9,   /* Identification too far from our clock */
	ERR_STALE_NONCE = ERR_BASE - 10, /* Identification does not hold the nonce we gave */
	ERR_CRYPTO = ERR_BASE - 11,      /* OpenSSL refused: an algorithm not there, or no memory */
	ERR_UNSUPPORTED = ERR_BASE - 12,
	ERR_CONFIG = ERR_BASE - 13,    /* the configuration has faults; they have been reported */
	ERR_MALFORMED = ERR_BASE - 14, /* a packet that contradicts itself */
	ERR_TOO_BIG = ERR_BASE - 15,   /* a packet that does not fit and must not be fragmented */
	ERR_CONGESTED = ERR_BASE - 16, /* marked congested on the way, and it cannot say so */
	ERR_LAST = ERR_CONGESTED
};

/** The sentence for an error of either kind; never NULL. Valid until the thread's next call. */
const char *err_text(int err);

#endif

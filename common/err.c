/* SPDX-License-Identifier: BSD-2-Clause */
/* One sentence for each error. */
#include "common/err.h"

#include <stddef.h>
#include <string.h>

static const char *const texts[ERR_BASE - ERR_LAST + 1] = {
	[ERR_BASE - ERR_TRUNCATED] = "message ends too early",
	[ERR_BASE - ERR_UNKNOWN_EXT] = "unknown extension that may not be skipped",
	[ERR_BASE - ERR_TOO_MANY] = "too many",
	[ERR_BASE - ERR_NO_SPACE] = "does not fit",
	[ERR_BASE - ERR_INVALID] = "invalid value",
	[ERR_BASE - ERR_DUPLICATE] = "already there",
	[ERR_BASE - ERR_NOT_FOUND] = "not found",
	[ERR_BASE - ERR_AUTH] = "authenticator does not verify",
	[ERR_BASE - ERR_REPLAY] = "Identification not newer than the last one accepted",
	[ERR_BASE - ERR_CLOCK_SKEW] = "Identification too far from our clock",
	[ERR_BASE - ERR_STALE_NONCE] = "Identification does not hold the last nonce",
	[ERR_BASE - ERR_CRYPTO] = "cryptographic library refused",
	[ERR_BASE - ERR_UNSUPPORTED] = "not supported",
	[ERR_BASE - ERR_CONFIG] = "configuration has faults",
	[ERR_BASE - ERR_MALFORMED] = "malformed packet",
	[ERR_BASE - ERR_TOO_BIG] = "packet too big",
	[ERR_BASE - ERR_CONGESTED] = "congestion mark that the packet cannot take over",
};

const char *err_text(int err)
{
	if (err >= 0)
		return "success";
	if (err > ERR_BASE)
		return strerror(-err);
	if (err < ERR_LAST || !texts[ERR_BASE - err])
		return "unknown error";
	return texts[ERR_BASE - err];
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests from inside are dropped (RFC 5265 §3.7): a node inside then hears only the internal
 * home agent and need not wait to find out where it is. Both tests are of the outermost header
 * and of the interface, before anything else is looked at. What came in by an interface whose name
 * cannot be told may be from inside, where interfaces are listed: it is dropped, too.
 */
#include "xhad/xhad_policy.h"

#include "xhad/conf.h"

#include <string.h>

enum reg_reason xhad_policy_admits(const void *ctx, const struct reg_origin *from)
{
	const struct xhad_conf *conf = ctx;
	size_t i;

	if (conf->inside.interface_cnt > 0 && from->is_unnamed)
		return REG_REASON_INSIDE;
	if (addr_set_contains(&conf->inside.networks, from->src))
		return REG_REASON_INSIDE;
	for (i = 0; i < conf->inside.interface_cnt; i++)
		if (strcmp(conf->inside.interfaces[i], from->interface) == 0)
			return REG_REASON_INSIDE;
	return REG_REASON_REGISTERED;
}

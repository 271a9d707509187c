/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two rules of the internal home agent. A reply from here lets a laptop stop encrypting, so
 * the path is as short as it can be: the source address of the outermost IP header is in the
 * list, or the datagram has never been; and whatever reply is made carries the extension, because
 * no other reply is ever made.
 *
 * 0.0.0.0, the source of a node without an address, is inside no network, whatever the list says:
 * there is nobody whom a reply would reach.
 */
#include "ihad/ihad_policy.h"

#include "common/addr.h"
#include "ihad/conf.h"

#define TNC_LEN 2 /* Sub-Type and Reserved, both 0: RFC 5265 §3.4 */

enum reg_reason ihad_policy_admits(const void *ctx, const struct reg_origin *from)
{
	const struct ihad_conf *conf = ctx;

	if (addr_is_any(from->src) || !addr_set_contains(&conf->trusted_networks, from->src))
		return REG_REASON_UNTRUSTED;
	return REG_REASON_REGISTERED;
}

void ihad_policy_extend_reply(const void *ctx, struct wire_writer *w)
{
	(void)ctx;
	ext_put_header(w, EXT_TRUSTED_NETWORKS, TNC_LEN);
	wire_put_u8(w, 0);
	wire_put_u8(w, 0);
}

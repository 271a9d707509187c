/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * What makes a home agent the external one (RFC 5265 §3.7, RFC 4093 §2.2). The context of both
 * hooks is the daemon's struct xhad_conf.
 */
#ifndef XHAD_XHAD_POLICY_H
#define XHAD_XHAD_POLICY_H

#include "ha-core/engine/ha_policy.h"
#include "ha-core/tunnel/tunnel.h"

/** Refuses requests that come from inside, by interface or by source network. */
enum reg_reason xhad_policy_admits(const void *ctx, const struct reg_origin *from);

/** Under forwarding.policy ipsec-only: IKE and ESP to the VPN gateways. NULL under any. */
const struct tunnel_filter *xhad_policy_filter(const void *ctx);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * What makes a home agent the internal one (RFC 5265 §3.4, §4.3). The context of both hooks is
 * the daemon's struct ihad_conf.
 */
#ifndef IHAD_IHAD_POLICY_H
#define IHAD_IHAD_POLICY_H

#include "ha-core/engine/ha_policy.h"

/** Only a source inside a trusted network is admitted; with none configured, nobody is. */
enum reg_reason ihad_policy_admits(const void *ctx, const struct reg_origin *from);

/** Adds the Trusted Networks Configured extension. */
void ihad_policy_extend_reply(const void *ctx, struct wire_writer *w);

#endif

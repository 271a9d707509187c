/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Log lines of registrations: what an operator reads of each outcome. Limited, because a
 * stranger's flood must not become the log's.
 */
#ifndef HA_CORE_HA_LOG_H
#define HA_CORE_HA_LOG_H

#include "ha-core/engine/engine.h"

/** One line for what came of a request. */
void ha_log_result(const struct engine_result *res, const struct reg_origin *from,
		   const struct clock *now);

/** One line for a binding that ends by itself. */
void ha_log_expired(const struct binding *b, const struct clock *now);

/** One line for a binding that a reload ends. @param why  one word */
void ha_log_ended(const struct binding *b, const char *why, const struct clock *now);

/** A message that answers none was sent: a revocation. */
void ha_log_sent(const uint8_t *msg, size_t len, struct in_addr dst, uint16_t port,
		 const struct clock *now);

#endif

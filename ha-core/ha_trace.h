/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * "hactl trace": the messages of one mobile node as they come and go, in the words of the standard,
 * each with what was decided and why. Costs a comparison a message while nobody traces.
 */
#ifndef HA_CORE_HA_TRACE_H
#define HA_CORE_HA_TRACE_H

#include "common/ctl.h"
#include "ha-core/engine/engine.h"

struct ha_trace; /* one client's */

/** Those who trace; zero-initialised is nobody. A client that goes takes itself off the list. */
struct ha_trace_list {
	struct ha_trace *first;
	const struct sa_table *nodes; /* tells the NAI of a node that a message names by address */
};

/**
 * Begins a live answer: each message of this node from now on.
 * @param target  a home address, or an NAI
 */
void ha_trace_start(struct ha_trace_list *list, struct ctl_reply *r, const char *target);

/** A message that was handled, with its outcome. */
void ha_trace_received(const struct ha_trace_list *list, const uint8_t *msg, size_t len,
		       const struct reg_origin *from, const struct engine_result *res);

/** A message of ours: the reply to that one (node as of its result), or one that answers none. */
void ha_trace_sent(const struct ha_trace_list *list, const uint8_t *msg, size_t len,
		   struct in_addr dst, uint16_t port, const struct sa_peer *node);

/** A keepalive in the node's UDP tunnel, which was answered (RFC 3519 §4.9). */
void ha_trace_keepalive(const struct ha_trace_list *list, const struct binding *b,
			struct in_addr src, uint16_t port);

#endif

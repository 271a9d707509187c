/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * What only the internal home agent is configured with.
 */
#ifndef IHAD_CONF_H
#define IHAD_CONF_H

#include "common/addr.h"
#include "common/conf.h"

struct ihad_conf {
	struct addr_set trusted_networks; /* empty: no request is answered (RFC 5265 §4.3) */
};

/** Offsets are into struct ihad_conf; conf_done() frees what it owns. */
extern const struct conf_key ihad_conf_rows[];

/**
 * Logs a warning for an empty list, and for each trusted prefix that is not one of private
 * addresses (RFC 1918). RFC 5265 §4.3 wants internal addresses only: a wrong one lets a node
 * stop encrypting outside.
 */
void ihad_conf_warn(const struct ihad_conf *conf);

/** Does the prefix lie within the private addresses of RFC 1918? */
bool ihad_conf_is_private(struct addr_prefix p);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The extensions of dynamic home agent assignment (RFC 4433 §3): which home agent a mobile node
 * requests, and to which one it is redirected. The RFC drew them in the long layout, its erratum
 * 898 made them short; both are read.
 */
#ifndef HA_CORE_WIRE_DYNAMIC_HA_H
#define HA_CORE_WIRE_DYNAMIC_HA_H

#include "ha-core/wire/ext.h"

enum dynamic_ha_type {
	DYNAMIC_HA_REQUESTED = 1,
	DYNAMIC_HA_REDIRECTED = 2,
};

struct dynamic_ha {
	uint8_t type; /* enum dynamic_ha_type */
	struct in_addr addr;
};

/** @retval ERR_INVALID  neither layout, or no such sub-type */
int dynamic_ha_decode(const struct ext *ext, struct dynamic_ha *ret);

/** @param drawn  in the layout that the RFC drew, for peers that know no other */
void dynamic_ha_encode(struct wire_writer *w, const struct dynamic_ha *ha, bool drawn);

#endif

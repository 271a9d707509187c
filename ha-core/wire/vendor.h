/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Vendor's extensions (RFC 3115): critical (38), which must be understood, and normal (134), which
 * may be skipped.
 */
#ifndef HA_CORE_WIRE_VENDOR_H
#define HA_CORE_WIRE_VENDOR_H

#include "ha-core/wire/ext.h"

struct vendor_ext {
	uint32_t vendor; /* SMI enterprise number */
	uint16_t type;   /* the vendor's own */
	const uint8_t *value;
	size_t value_len;
};

/** @retval ERR_TRUNCATED  no room for vendor and type */
int vendor_ext_decode(const struct ext *ext, struct vendor_ext *ret);

#endif

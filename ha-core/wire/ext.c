/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The extension walk. Which layout a type uses is a property of the type (RFC 5944 §1.9-1.11):
 * padding is one octet, nearly all others are Type, Length (one octet), data. The long layout
 * (Type, Sub-Type, Length of two octets) occurs below 128 only, and every type below 128 that we
 * do not know ends the message, so the walk never has to step over one. A vendor's critical one
 * (38) is known by its layout: Type, Reserved, Length of two octets (RFC 3115 §2).
 *
 * MN-AAA Authentication (36, RFC 4721) is among those that we do not know: what it proves only an
 * AAA server can tell, and until we ask one, §1.8 has the request met with silence. So have the
 * key generation nonces (40 to 43, RFC 3957), which it would authorise.
 *
 * One exception stands above 128: RFC 4433 drew type 139 in the long layout, which its erratum
 * 898 took back. Peers of both kinds exist and the second octet tells them apart: it is a
 * sub-type (1 or 2, then a Length of 4) or the Length 5.
 */
#include "ha-core/wire/ext.h"

#include "common/err.h"

static bool is_known(uint8_t type)
{
	switch (type) {
	case EXT_MOBILE_HOME_AUTH:
	case EXT_MOBILE_FOREIGN_AUTH:
	case EXT_FOREIGN_HOME_AUTH:
	case EXT_CRITICAL_VENDOR:
	case EXT_UDP_TUNNEL_REPLY:
	case EXT_FA_ERROR:
		return true;
	default:
		return type >= 128;
	}
}

static bool is_long_dynamic_ha(const struct wire_reader *r)
{
	const uint8_t *p = r->pos;

	return wire_left(r) >= 3 && (p[0] == 1 || p[0] == 2) && p[1] == 0 && p[2] == 4;
}

int ext_next(struct wire_reader *r, struct ext *ret_ext)
{
	struct ext ext = { .start = r->pos };

	if (wire_left(r) == 0)
		return 0;
	ext.type = wire_u8(r);
	if (ext.type != EXT_PADDING) {
		if (!is_known(ext.type))
			return ERR_UNKNOWN_EXT;
		if (ext.type == EXT_DYNAMIC_HA && is_long_dynamic_ha(r)) {
			ext.len = 3 + 4;
		} else if (ext.type == EXT_CRITICAL_VENDOR) {
			(void)wire_u8(r); /* Reserved */
			ext.len = wire_u16(r);
		} else {
			ext.len = wire_u8(r);
		}
		ext.data = wire_bytes(r, ext.len);
		if (r->failed)
			return ERR_TRUNCATED;
	}
	*ret_ext = ext;
	return 1;
}

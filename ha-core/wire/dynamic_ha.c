/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Type 139 in its two layouts: Type, Length 5, Sub-Type, address (erratum 898), and Type,
 * Sub-Type, a Length of two octets, address (as drawn in RFC 4433 §3). ext_next() has told them
 * apart: in the drawn one, data begins right behind the Type.
 */
#include "ha-core/wire/dynamic_ha.h"

#include "common/err.h"

#define ADDR_LEN 4

int dynamic_ha_decode(const struct ext *ext, struct dynamic_ha *ret)
{
	struct wire_reader r = wire_reader(ext->data, ext->len);
	bool drawn = ext->data == ext->start + 1;
	struct dynamic_ha ha;

	ha.type = wire_u8(&r);
	if (drawn)
		(void)wire_u16(&r); /* its Length, which is how it was recognised */
	ha.addr = wire_addr(&r);
	if (r.failed || wire_left(&r) > 0)
		return ERR_INVALID;
	if (ha.type != DYNAMIC_HA_REQUESTED && ha.type != DYNAMIC_HA_REDIRECTED)
		return ERR_INVALID;
	*ret = ha;
	return 0;
}

void dynamic_ha_encode(struct wire_writer *w, const struct dynamic_ha *ha, bool drawn)
{
	if (drawn) {
		wire_put_u8(w, EXT_DYNAMIC_HA);
		wire_put_u8(w, ha->type);
		wire_put_u16(w, ADDR_LEN);
	} else {
		ext_put_header(w, EXT_DYNAMIC_HA, 1 + ADDR_LEN);
		wire_put_u8(w, ha->type);
	}
	wire_put_addr(w, ha->addr);
}

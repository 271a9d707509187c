/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RFC 3115 §2: in the critical one the reserved octet stands before the Length, in the normal one
 * two of them stand behind it.
 */
#include "ha-core/wire/vendor.h"

#include "common/err.h"

int vendor_ext_decode(const struct ext *ext, struct vendor_ext *ret)
{
	struct wire_reader r = wire_reader(ext->data, ext->len);
	struct vendor_ext v;

	if (ext->type == EXT_NORMAL_VENDOR)
		(void)wire_u16(&r); /* Reserved */
	v.vendor = wire_u32(&r);
	v.type = wire_u16(&r);
	if (r.failed)
		return ERR_TRUNCATED;
	v.value = r.pos;
	v.value_len = wire_left(&r);
	*ret = v;
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/** Message String (RFC 4917): a text for a person, which changes nothing in the protocol. */
#ifndef HA_CORE_WIRE_MESSAGE_STRING_H
#define HA_CORE_WIRE_MESSAGE_STRING_H

#include "ha-core/wire/ext.h"

#define MESSAGE_STRING_FROM_HA 1   /* Sub-Type */
#define MESSAGE_STRING_MAX     254 /* octets of text; the Length counts the Sub-Type as well */

/** @param text  ASCII, 1 to MESSAGE_STRING_MAX octets */
static inline void message_string_encode(struct wire_writer *w, const char *text)
{
	size_t len = strlen(text);

	ext_put_header(w, EXT_MESSAGE_STRING, (uint8_t)(1 + len));
	wire_put_u8(w, MESSAGE_STRING_FROM_HA);
	wire_put_bytes(w, text, len);
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * A message of port 434 in the words of its standard, for a person: fields and extensions by the
 * names that RFC 5944 and those named in ext.h give them. Takes whatever the network sent.
 */
#ifndef HA_CORE_WIRE_DESCRIBE_H
#define HA_CORE_WIRE_DESCRIBE_H

#include <stddef.h>
#include <stdint.h>

#define DESCRIBE_MAX 8192 /* octets of text that are enough for any message */

/** "Registration Request"; "message of type N" is NULL here. */
const char *describe_message_name(uint8_t type);

/**
 * Lines of "Name: value", separated by newlines, without one at the end. Octets of the network
 * that are not printable ASCII are written as \xNN; no authenticator is shown.
 * @return the length of the text; what does not fit is left out
 */
size_t describe_message(const uint8_t *msg, size_t len, char *out, size_t size);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The extensions of network mobility (RFC 5177 §4): which networks a mobile router has behind it,
 * and what the home agent says to each.
 */
#ifndef HA_CORE_WIRE_MOBILE_NETWORK_H
#define HA_CORE_WIRE_MOBILE_NETWORK_H

#include "ha-core/wire/ext.h"

enum mobile_network_type {
	MOBILE_NETWORK_REQUEST = 0,
	MOBILE_NETWORK_EXPLICIT_ACK = 1, /* of a network that was asked for */
	MOBILE_NETWORK_IMPLICIT_ACK = 2, /* of one that the home agent knew of */
};

/** What an acknowledgement says of its network (§4.2). */
enum mobile_network_code {
	MOBILE_NETWORK_OK = 0,
	MOBILE_NETWORK_BAD_LENGTH = 1,
	MOBILE_NETWORK_UNAUTHORIZED = 2,
	MOBILE_NETWORK_FORWARDING_FAILED = 3,
};

struct mobile_network {
	uint8_t type;       /* enum mobile_network_type */
	uint8_t code;       /* enum mobile_network_code; of an acknowledgement */
	uint8_t prefix_len; /* as sent: 0 and more than 32 occur */
	struct in_addr prefix;
};

/**
 * @retval ERR_UNKNOWN_EXT  no such Sub-Type: to be skipped
 * @retval ERR_INVALID      not the length of its Sub-Type
 */
int mobile_network_decode(const struct ext *ext, struct mobile_network *ret);

void mobile_network_encode(struct wire_writer *w, const struct mobile_network *net);

#endif

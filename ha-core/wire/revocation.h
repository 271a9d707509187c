/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Registration revocation on the wire (RFC 3543 §3): the Revocation Support extension, the
 * Registration Revocation message and its acknowledgement. The I bit has a place of its own in
 * each of the three.
 */
#ifndef HA_CORE_WIRE_REVOCATION_H
#define HA_CORE_WIRE_REVOCATION_H

#include "ha-core/wire/ext.h"
#include "ha-core/wire/wire.h"

#define REVOCATION_PORT    434
#define REVOCATION_LEN     20 /* fixed part */
#define REVOCATION_ACK_LEN 12 /* fixed part */

/** Revocation Support, type 137. */
struct revocation_support {
	bool inform;        /* I: the sender can tell the mobile node, or leave it untold */
	uint32_t timestamp; /* of the sender's clock; ours are NTP seconds */
};

/** Registration Revocation, message type 7. */
struct revocation_message {
	bool from_home_agent; /* A */
	bool inform;          /* I */
	struct in_addr home_addr;
	struct in_addr home_domain;    /* the home agent */
	struct in_addr foreign_domain; /* the foreign agent, or the co-located care-of address */
	uint32_t ident;                /* Revocation Identifier: of the sender's clock */
};

/** Registration Revocation Acknowledgment, message type 15. */
struct revocation_ack {
	bool inform; /* I */
	struct in_addr home_addr;
	uint32_t ident; /* copied from the message */
};

/** @retval ERR_TRUNCATED  shorter than 6 octets; more of them are room for later */
int revocation_support_decode(const struct ext *ext, struct revocation_support *ret_support);
void revocation_support_encode(struct wire_writer *w, const struct revocation_support *support);

/**
 * The fixed part, Type included; reserved bits are ignored.
 * @retval ERR_TRUNCATED  shorter than the fixed part
 * @retval ERR_INVALID    another message type
 */
int revocation_message_decode(struct wire_reader *r, struct revocation_message *ret_message);
int revocation_ack_decode(struct wire_reader *r, struct revocation_ack *ret_ack);

void revocation_message_encode(struct wire_writer *w, const struct revocation_message *message);
void revocation_ack_encode(struct wire_writer *w, const struct revocation_ack *ack);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Registration Request and Reply: value types and codec (RFC 5944 §3.3, §3.4).
 */
#ifndef HA_CORE_WIRE_REG_H
#define HA_CORE_WIRE_REG_H

#include "ha-core/wire/ext.h"
#include "ha-core/wire/wire.h"

#define REG_PORT              434
#define REG_LIFETIME_INFINITE 0xffff
#define REG_REQUEST_LEN       24  /* fixed part */
#define REG_REPLY_LEN         20  /* fixed part */
#define REG_AUTH_HEADER_LEN   6   /* Type, Length, SPI: what the authenticator covers of its own */
#define REG_SPI_MIN           256 /* smaller ones are reserved, RFC 5944 §1.6 */

/** The first octet of a datagram on port 434. */
enum reg_message_type {
	REG_MSG_REQUEST = 1,         /* RFC 5944 §3.3 */
	REG_MSG_REPLY = 3,           /* RFC 5944 §3.4 */
	REG_MSG_TUNNEL_DATA = 4,     /* RFC 3519 §3.3 */
	REG_MSG_REVOCATION = 7,      /* RFC 3543 §3.3 */
	REG_MSG_REVOCATION_ACK = 15, /* RFC 3543 §3.4 */
};

enum reg_flag {
	REG_FLAG_S = 0x80, /* keep prior bindings */
	REG_FLAG_B = 0x40, /* forward broadcasts */
	REG_FLAG_D = 0x20, /* the mobile node decapsulates: co-located care-of address */
	REG_FLAG_M = 0x10, /* minimal encapsulation, RFC 2004 */
	REG_FLAG_G = 0x08, /* GRE, RFC 2784 */
	REG_FLAG_r = 0x04, /* sent 0, ignored */
	REG_FLAG_T = 0x02, /* reverse tunnel, RFC 3024 */
	REG_FLAG_x = 0x01, /* sent 0, ignored */
};

/** Codes of a Registration Reply that a home agent sends (RFC 5944 §3.4 and those named). */
enum reg_code {
	REG_ACCEPTED = 0,
	REG_ACCEPTED_NO_SIMULTANEOUS = 1,
	REG_REASON_UNSPECIFIED = 128,
	REG_ADMINISTRATIVELY_PROHIBITED = 129,
	REG_INSUFFICIENT_RESOURCES = 130,
	REG_MN_FAILED_AUTH = 131,
	REG_FA_FAILED_AUTH = 132,
	REG_IDENT_MISMATCH = 133,
	REG_POORLY_FORMED = 134,
	REG_TOO_MANY_BINDINGS = 135,
	REG_UNKNOWN_HOME_AGENT = 136,
	REG_REVERSE_TUNNEL_UNAVAILABLE = 137,
	REG_REVERSE_TUNNEL_MANDATORY = 138,
	REG_ENCAPSULATION_UNAVAILABLE = 139,
	REG_UNKNOWN_VENDOR_EXT_OF_MN = 140, /* RFC 3115 */
	REG_UNKNOWN_VENDOR_EXT_OF_FA = 141,
	REG_UDP_ENCAPSULATION_UNAVAILABLE = 142,
	REG_REDIRECTED = 143,           /* RFC 4433 */
	REG_MOBILE_NETWORK_ERROR = 147, /* RFC 5177 */
	REG_MOBILE_ROUTER_DISALLOWED = 148,
	REG_SERVICE_UNAUTHORIZED = 151, /* RFC 5446 */
};

/** The words of the standard for a code that a home agent sends; "unknown code" otherwise. */
const char *reg_code_text(uint8_t code);

struct reg_request {
	uint8_t flags;       /* enum reg_flag */
	uint16_t lifetime_s; /* 0 deregisters, REG_LIFETIME_INFINITE never expires */
	struct in_addr home_addr;
	struct in_addr home_agent;
	struct in_addr care_of;
	uint64_t ident; /* Identification, host order */
};

struct reg_reply {
	uint8_t code; /* enum reg_code */
	uint16_t lifetime_s;
	struct in_addr home_addr;
	struct in_addr home_agent;
	uint64_t ident;
};

/** An authentication extension (RFC 5944 §3.5), in place. */
struct reg_auth {
	uint32_t spi;
	size_t covered_len; /* octets of the message, from its start, that the authenticator covers
			     */
	const uint8_t *mac;
	size_t mac_len;
};

/**
 * The fixed part, Type included.
 * @retval ERR_TRUNCATED  shorter than the fixed part
 * @retval ERR_INVALID    another message type
 */
int reg_request_decode(struct wire_reader *r, struct reg_request *ret_req);
int reg_reply_decode(struct wire_reader *r, struct reg_reply *ret_reply);

void reg_request_encode(struct wire_writer *w, const struct reg_request *req);
void reg_reply_encode(struct wire_writer *w, const struct reg_reply *reply);

/**
 * Reads an authentication extension of types 32, 33 or 34.
 * @param message  start of the message that ext lies in
 * @retval ERR_TRUNCATED  no room for an SPI and an authenticator
 */
int reg_auth_decode(const uint8_t *message, const struct ext *ext, struct reg_auth *ret_auth);

static inline bool reg_is_dereg(const struct reg_request *req)
{
	return req->lifetime_s == 0;
}

#endif

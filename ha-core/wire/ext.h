/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Extensions of Mobile IP messages: where one ends and the next begins (RFC 5944 §1.9-1.11).
 * What an extension means is for those who use it.
 */
#ifndef HA_CORE_WIRE_EXT_H
#define HA_CORE_WIRE_EXT_H

#include "ha-core/wire/wire.h"

/** A stranger's message holds no more than these, or it is discarded ("too-many-extensions"). */
#define EXT_MAX 64

enum ext_type {
	EXT_PADDING = 0,              /* one octet, RFC 5944 §1.9 */
	EXT_MOBILE_HOME_AUTH = 32,    /* RFC 5944 §3.5.2 */
	EXT_MOBILE_FOREIGN_AUTH = 33, /* RFC 5944 §3.5.3 */
	EXT_FOREIGN_HOME_AUTH = 34,   /* RFC 5944 §3.5.4 */
	EXT_CRITICAL_VENDOR = 38,     /* RFC 3115 §2 */
	EXT_UDP_TUNNEL_REPLY = 44,    /* RFC 3519 §3.2 */
	EXT_FA_ERROR = 45,            /* RFC 4636 §3 */
	EXT_NAI = 131,                /* RFC 2794 §2 */
	EXT_CHALLENGE = 132,          /* RFC 4721 §4 */
	EXT_NORMAL_VENDOR = 134,      /* RFC 3115 §2 */
	EXT_REVOCATION_SUPPORT = 137, /* RFC 3543 §3.2 */
	EXT_DYNAMIC_HA = 139,         /* RFC 4433 §3, erratum 898 */
	EXT_UDP_TUNNEL_REQUEST = 144, /* RFC 3519 §3.1 */
	EXT_MESSAGE_STRING = 145,     /* RFC 4917 §2 */
	EXT_MOBILE_NETWORK = 148,     /* RFC 5177 §4 */
	EXT_TRUSTED_NETWORKS = 149,   /* RFC 5265 §3.4 */
	EXT_SERVICE = 151,            /* RFC 5446 §3 */
};

/** One extension, in place. */
struct ext {
	uint8_t type;
	const uint8_t *start; /* its Type octet */
	const uint8_t *data;  /* after Type and Length; NULL for padding */
	size_t len;           /* octets of data */
};

/**
 * The next extension.
 *
 * @retval 1                it is in *ret_ext, and r stands behind it
 * @retval 0                none left
 * @retval ERR_TRUNCATED    its length runs past the end of the message
 * @retval ERR_UNKNOWN_EXT  a type 1..127 that we do not know: the message is to be discarded in
 *                          silence (RFC 5944 §1.8). Types 128..255 are returned, known or not.
 */
int ext_next(struct wire_reader *r, struct ext *ret_ext);

/** Starts Type, Length and leaves the data to the caller. */
static inline void ext_put_header(struct wire_writer *w, enum ext_type type, uint8_t len)
{
	wire_put_u8(w, (uint8_t)type);
	wire_put_u8(w, len);
}

#endif

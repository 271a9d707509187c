/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Registration as a foreign agent does it (RFC 5944 §3.7): judges requests and replies, and
 * rewrites what it passes on. Octets in, octets out: no socket, no clock.
 */
#ifndef TEST_FA_RELAY_H
#define TEST_FA_RELAY_H

#include "common/addr.h"
#include "ha-core/auth/mac.h"
#include "ha-core/wire/reg.h"
#include "ha-core/wire/udp_tunnel.h"

#define RELAY_MESSAGE_MAX 1500

/** Codes of a foreign agent (RFC 5944 §3.4, RFC 3024 §3.4, RFC 2794 §3, RFC 4433 §5.2). */
enum relay_code {
	RELAY_PASS = 0, /* no objection */
	RELAY_ADMINISTRATIVELY_PROHIBITED = 65,
	RELAY_INSUFFICIENT_RESOURCES = 66,
	RELAY_HA_FAILED_AUTH = 68,
	RELAY_LIFETIME_TOO_LONG = 69,
	RELAY_POORLY_FORMED_REQUEST = 70,
	RELAY_POORLY_FORMED_REPLY = 71,
	RELAY_ENCAPSULATION_UNAVAILABLE = 72,
	RELAY_REVERSE_TUNNEL_UNAVAILABLE = 74,
	RELAY_REVERSE_TUNNEL_MANDATORY = 75,
	RELAY_TOO_DISTANT = 76,
	RELAY_INVALID_CARE_OF = 77,
	RELAY_TIMEOUT = 78,
	RELAY_DELIVERY_STYLE_UNSUPPORTED = 79,
	RELAY_HOME_NETWORK_UNREACHABLE = 80,
	RELAY_HA_HOST_UNREACHABLE = 81,
	RELAY_HA_PORT_UNREACHABLE = 82,
	RELAY_HA_UNREACHABLE = 88,
	RELAY_NONZERO_HOME_AGENT_REQUIRED = 90,
	RELAY_MISSING_NAI = 97,
	RELAY_MISSING_HOME_AGENT = 98,
	RELAY_MISSING_HOME_ADDRESS = 99,
	RELAY_INVALID_HOME_AGENT = 116, /* erratum 3116 to RFC 5944 */
};

enum relay_reverse { RELAY_REVERSE_OPTIONAL, RELAY_REVERSE_REQUIRED, RELAY_REVERSE_DISABLED };

/** What the authenticator added to a relayed request is: a test may want it wrong. */
enum relay_vouch { RELAY_VOUCH_GOOD, RELAY_VOUCH_BAD, RELAY_VOUCH_ABSENT };

struct relay_conf {
	struct in_addr care_of;
	uint16_t lifetime_max_s; /* as advertised */
	enum relay_reverse reverse;
	bool prohibited;        /* deny everybody, with 65 */
	bool udp;               /* behind a NAT: ask for a UDP tunnel (RFC 3519 §4.5) */
	bool udp_forced;        /* with F */
	struct mac *mac;        /* shared with the home agent; NULL: none. Not owned. */
	struct in_addr partner; /* that home agent */
	uint32_t spi;
	enum relay_vouch vouch;
	bool vouch_co_located; /* for co-located care-of addresses, too: RFC 5944 is of two minds */
};

/** A request that has been read. */
struct relay_request {
	struct reg_request reg;
	bool has_nai;
	bool encapsulating_delivery; /* RFC 3024 §3.3 */
	size_t signed_len; /* up to the end of its last authorization-enabling extension */
};

/** A reply that has been read. */
struct relay_reply {
	struct reg_reply reg;
	bool has_nai;
	bool has_udp; /* the foreign agent's own UDP Tunnel Reply was there */
	struct udp_tunnel_reply udp;
	unsigned int fhae_cnt;
	struct reg_auth fhae;
	size_t signed_len; /* as of a request */
};

/** @retval ERR_TRUNCATED, ERR_UNKNOWN_EXT, ERR_INVALID  to be discarded in silence */
int relay_read_request(const uint8_t *message, size_t len, struct relay_request *ret_request);

/**
 * May it pass? (RFC 5944 §3.7.2.1, RFC 3024 §4.2.1)
 * @param ttl  of the packet it came in
 */
enum relay_code relay_judge_request(const struct relay_conf *conf, const struct relay_request *req,
				    uint8_t ttl);

/** Does the relayed request bear our authenticator? (RFC 5944 §3.5.4, §3.7.2.2) */
bool relay_vouches(const struct relay_conf *conf, const struct reg_request *req);

/**
 * The request as it is sent on (§3.7.2.2): as it was up to the mobile node's authenticator, then
 * what we add.
 * @param out  RELAY_MESSAGE_MAX octets
 * @return its length, or ERR_NO_SPACE
 */
int relay_build_request(const struct relay_conf *conf, const uint8_t *message,
			const struct relay_request *req, uint8_t *out);

/** @retval ERR_TRUNCATED, ERR_UNKNOWN_EXT, ERR_INVALID  to be discarded in silence */
int relay_read_reply(const uint8_t *message, size_t len, struct relay_reply *ret_reply);

/** May it pass, in answer to this request? (§3.7.3.1) */
enum relay_code relay_judge_reply(const struct relay_conf *conf, const uint8_t *message,
				  const struct relay_reply *reply,
				  const struct relay_request *request);

/**
 * A denial of our own (§3.7.2.3).
 * @param out  RELAY_MESSAGE_MAX octets
 * @return its length
 */
size_t relay_build_denial(const struct relay_conf *conf, enum relay_code code,
			  const struct reg_request *req, uint8_t *out);

#endif

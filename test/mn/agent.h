/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * A mobile node's registrations with one home agent (RFC 5944 §3.6): builds requests, judges
 * replies. Octets in, octets out: no socket, no clock. When to ask is for detect.h.
 */
#ifndef TEST_MN_AGENT_H
#define TEST_MN_AGENT_H

#include "common/addr.h"
#include "common/clock.h"
#include "ha-core/auth/mac.h"
#include "ha-core/wire/reg.h"

#define AGENT_MESSAGE_MAX 1500

enum agent_udp { AGENT_UDP_AUTO, AGENT_UDP_FORCED, AGENT_UDP_OFF };

struct agent_conf {
	const char *name;       /* "internal", "external" */
	struct in_addr address; /* the home agent as configured */
	struct in_addr home_addr;
	uint32_t spi;
	struct mac *mac;     /* not owned */
	bool nonces;         /* replay protection by nonces instead of timestamps */
	const char *nai;     /* NULL: none */
	uint16_t lifetime_s; /* asked for */
	bool reverse_tunnel;
	enum agent_udp udp;                 /* RFC 3519 */
	const struct addr_prefix *networks; /* behind us (RFC 5177); not owned */
	size_t network_cnt;
};

/** A request under way. */
struct agent_pending {
	bool active;
	bool dereg;
	uint64_t ident;
	uint64_t sent_ms;
	struct in_addr care_of;
	uint8_t message[AGENT_MESSAGE_MAX]; /* as sent, for a retransmission under nonces */
	size_t len;
};

/** What the last accepted registration gave us. */
struct agent_grant {
	bool held;
	uint16_t lifetime_s;
	bool tnc;
	bool udp;             /* tunnel in UDP */
	uint16_t keepalive_s; /* 0: our own default */
	size_t network_cnt;   /* acknowledged as routed to us */
};

struct agent_count {
	uint64_t requests, replies, ignored;
};

struct agent {
	struct agent_conf conf;
	struct in_addr address; /* where to register: conf.address until a code 136 */
	bool by_foreign_agent;  /* its care-of address, no D, and UDP tunnels are its business */
	uint64_t last_ident;    /* timestamps: the last one sent */
	uint64_t clock_offset;  /* timestamps: the agent's clock less ours, NTP 32.32, mod 2^64 */
	uint32_t nonce;         /* nonces: the agent's, from its last reply */
	uint32_t nonce_low;     /* nonces: the low half of our last request */
	struct agent_pending pending;
	struct agent_grant grant;
	struct agent_count count;
	int last_code; /* of the last accepted reply; -1: none yet */
	uint8_t last_reply[AGENT_MESSAGE_MAX];
	size_t last_reply_len;
};

/** A reply that passed the checks. */
struct agent_result {
	bool dereg;
	uint8_t code;
	uint16_t lifetime_s; /* granted, never more than was asked for */
	bool tnc;
	bool udp_offered; /* the reply had a UDP Tunnel Reply extension */
	bool nat_seen;    /* it will tunnel in UDP, and not because we forced it */
	bool resynced;    /* code 133: the next request has what this one lacked */
	bool redirected;  /* code 136: agent.address is another now */
	uint64_t sent_ms; /* when the request left */
};

/** Accepted: codes 0 and 1 (RFC 5944 §3.4). */
static inline bool agent_code_accepts(uint8_t code)
{
	return code == REG_ACCEPTED || code == REG_ACCEPTED_NO_SIMULTANEOUS;
}

void agent_init(struct agent *a, const struct agent_conf *conf);

/**
 * Builds a Registration Request, or, with nonces, the unanswered one again (RFC 5944 §3.6.3).
 * A deregistration ends every binding: its care-of address is the home address; but a foreign
 * agent relays only what has its own, and so ends that one.
 *
 * @param random       fresh, for what the clock cannot fill and for nonces
 * @param ret_message  valid until the next call; owned by a
 * @return its length, or ERR_NO_SPACE (the NAI is too long)
 */
int agent_request(struct agent *a, struct in_addr care_of, bool dereg, uint32_t random,
		  const struct clock *now, const uint8_t **ret_message);

/**
 * Judges a Registration Reply (RFC 5944 §3.6.2.1). On error nothing has changed but the count of
 * ignored ones.
 *
 * @retval 0              authentic and in answer to our latest request
 * @retval ERR_NOT_FOUND  no request is under way, or the Identification or Home Address is
 * another's
 * @retval ERR_AUTH       not exactly one Mobile-Home Authentication, or it does not verify
 * @retval ERR_TRUNCATED, ERR_UNKNOWN_EXT, ERR_INVALID  not a Registration Reply
 */
int agent_reply(struct agent *a, const uint8_t *message, size_t len, const struct clock *now,
		struct agent_result *ret_result);

/** Forgets the request under way and what was granted: neither holds after a move. */
void agent_moved(struct agent *a, bool by_foreign_agent);

/** Goes on where another conversation under the same association stands (replay protection). */
void agent_take_over(struct agent *a, const struct agent *from);

#endif

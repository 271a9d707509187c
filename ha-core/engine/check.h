/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The validity rules of a Registration Request, one function each, in the order in which they are
 * asked (RFC 5944 §3.8.2.1; the order that the RFC leaves open is that of check_rows). A rule
 * reads and fills the exchange, and answers with a verdict: REG_ACCEPT goes on to the next one.
 */
#ifndef HA_CORE_ENGINE_CHECK_H
#define HA_CORE_ENGINE_CHECK_H

#include "ha-core/engine/engine.h"
#include "ha-core/wire/udp_tunnel.h"

/** Authenticators of one kind that are looked at; more of them make the request poorly formed. */
#define CHECK_AUTH_MAX 2

/** One request on its way through the house. */
struct exchange {
	const uint8_t *msg;
	size_t len;
	const struct reg_origin *from;
	const struct clock *now;
	struct reg_request req;

	/* what the extension walk found */
	struct reg_auth mhae[CHECK_AUTH_MAX]; /* Mobile-Home Authentication */
	unsigned int mhae_cnt;                /* all of them, kept or not */
	struct reg_auth fhae;                 /* the first Foreign-Home Authentication */
	unsigned int fhae_cnt;
	struct ext nai;             /* before the Mobile-Home Authentication; len 0: none */
	struct ext udp_request;     /* the first UDP Tunnel Request; data NULL: none */
	bool udp_from_fa;           /* it stands behind the Mobile-Home Authentication */
	struct ext critical_vendor; /* the first Critical Vendor extension; data NULL: none */
	bool critical_vendor_from_fa;
	struct ext challenge;  /* the first MN-FA Challenge; data NULL: none */
	struct ext dynamic_ha; /* before the Mobile-Home Authentication; data NULL: none */
	struct ext service;    /* the first Service Selection of the node; data NULL: none */
	struct ext fa_service; /* ... and of the foreign agent */
	unsigned int service_cnt, fa_service_cnt;
	/* Mobile Network Requests: where in msg, and the answer (enum mobile_network_code) */
	uint16_t network_at[NETWORK_MAX];
	uint8_t network_codes[NETWORK_MAX];
	uint8_t network_cnt;
	bool networks_malformed, networks_in_excess;
	struct ext again; /* the first that repeats one of which there is one; data NULL: none */
	struct ext support[2]; /* Revocation Support: the mobile node's, the foreign agent's */
	bool has_fa_error;
	bool is_terse;   /* no room for words in the reply: see engine.c */
	bool fhae_first; /* an authentication extension stands before the mobile node's */

	/* what the rules found out */
	struct sa_peer *node;  /* the mobile node */
	const struct mac *mac; /* the key of sa that the request was made with, and its reply is */
	struct sa *sa; /* the association that signs the reply; NULL: no reply can be made */
	struct sa_peer *agent; /* the foreign agent, if we share an association with it */
	struct sa *agent_sa;
	bool agent_verified;      /* its authenticator is good */
	bool agent_required;      /* ... and had to be there */
	struct in_addr home_addr; /* asked for, or the one the node has; 0.0.0.0: to be assigned */
	uint64_t reply_ident;
	bool ident_checked;
	struct replay replay_before; /* of sa, before the Identification was looked at */
	bool service_granted;        /* the service asked for is one that the node is allowed */
	uint32_t networks;           /* granted: as in struct binding */
	struct binding_revocation revocation; /* as it will be, once this is accepted */
	struct reg_grant grant;
};

typedef struct reg_outcome check_fn(struct engine *e, struct exchange *x);

struct check_row {
	check_fn *check;
	bool skip_dereg; /* leaving must always be possible: not asked of a deregistration */
};

extern const struct check_row check_rows[];
extern const size_t check_row_cnt;

/** Does the request come from, or through, somebody other than the owner of the care-of address? */
static inline bool exchange_source_differs(const struct exchange *x)
{
	return !addr_eq(x->from->src, x->req.care_of);
}

/** One binding a node is no support of simultaneous ones: S means nothing then, §3.8.2.2. */
static inline bool engine_has_simultaneous(const struct engine *e)
{
	return e->conf.max_bindings > 1;
}

/** Do the node's other bindings stay? */
static inline bool exchange_keeps_others(const struct engine *e, const struct exchange *x)
{
	return x->req.flags & REG_FLAG_S && engine_has_simultaneous(e);
}

/** §3.8.3.2: by its Code every accepting reply says whether there are simultaneous bindings. */
static inline struct reg_outcome outcome_accept(const struct engine *e, enum reg_reason reason)
{
	enum reg_code code =
		engine_has_simultaneous(e) ? REG_ACCEPTED : REG_ACCEPTED_NO_SIMULTANEOUS;

	return (struct reg_outcome){ REG_ACCEPT, (uint8_t)code, reason };
}

/** Is a home address to be taken from the pool: any, or the one that the request names? */
static inline bool exchange_wants_lease(const struct exchange *x)
{
	return x->node->is_dynamic && addr_is_any(x->node->addr);
}

static inline struct reg_outcome outcome_go_on(void)
{
	return (struct reg_outcome){ .verdict = REG_ACCEPT };
}

static inline struct reg_outcome outcome_deny(enum reg_code code, enum reg_reason reason)
{
	return (struct reg_outcome){ REG_DENY, (uint8_t)code, reason };
}

static inline struct reg_outcome outcome_discard(enum reg_reason reason)
{
	return (struct reg_outcome){ .verdict = REG_DISCARD, .reason = reason };
}

/** Appends an authentication extension over all that has been written. */
void engine_sign(struct wire_writer *w, enum ext_type type, uint32_t spi, const struct mac *mac);

/** Its bindings were put back: the data path is told. @return what it said; then there are none */
int engine_restored(struct engine *e, struct sa_peer *node);

/** Another home agent has changed its bindings: the same, without a word of hooks.touched(). */
int engine_followed(struct engine *e, struct sa_peer *node);

/** Is it of a home network? */
bool engine_is_home_address(const struct engine *e, struct in_addr addr);

/** Would the origin of a binding still be admitted? Where it came in is not known any more. */
bool engine_still_admits(const struct engine *e, const struct binding *b);

/** Revocation, and refusing what is new while draining (revocation.c). */
check_fn check_draining;
check_fn check_revocation;
/** Does this extension stand under the good authenticator of a foreign agent? */
static inline bool exchange_agent_signed(const struct exchange *x, const struct ext *ext)
{
	return x->agent_verified && ext->start < x->msg + x->fhae.covered_len;
}

/** Does it stand before the mobile node's authenticator? */
static inline bool exchange_node_signed(const struct exchange *x, const struct ext *ext)
{
	return ext->start < x->msg + x->mhae[0].covered_len;
}

/** Extensions beyond the base protocol and NAT traversal (extension.c). */
void extension_note(struct exchange *x, const struct ext *ext);
void extension_put_for_node(struct wire_writer *w, const struct engine *e, const struct exchange *x,
			    const struct reg_outcome *outcome);
void extension_put_for_agent(struct wire_writer *w, const struct exchange *x,
			     const struct reg_outcome *outcome);
check_fn check_vendor_extensions;
check_fn check_requested_home_agent;
check_fn check_redirect;
check_fn check_service;
bool extension_asks_any_home_agent(const struct exchange *x);

/** Networks behind mobile routers (mobile_network.c). */
void mobile_network_note(struct exchange *x, const struct ext *ext);
check_fn check_mobile_networks;
/** Takes hold of the networks that are granted. REG_ACCEPT, or a denial: then of none. */
struct reg_outcome mobile_network_grant(struct engine *e, struct exchange *x);
/** Lets go of networks of a node; those that nobody holds any more are not routed here. */
void mobile_network_release(struct engine *e, struct sa_peer *node, uint32_t networks);
void mobile_network_put_acks(struct wire_writer *w, const struct exchange *x,
			     const struct reg_outcome *outcome);
/** A binding of before is back, and had this network: so it has again if it may still. */
void mobile_network_restore(struct engine *e, struct binding *b, struct addr_prefix prefix);
/**
 * A reload: the node is about to have this list (NULL: none). What is registered with its bindings
 * (`first` and its siblings) goes on if it is in the list; routes of the rest are taken away.
 */
void mobile_network_replace(struct engine *e, struct sa_peer *node, struct binding *first,
			    struct network_list *list);

/** NAT traversal and the choice of encapsulation (nat.c). */
check_fn check_udp_tunnel;
check_fn check_encapsulation;

#endif

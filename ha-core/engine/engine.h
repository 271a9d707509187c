/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The registrar: a Registration Request and its origin go in, an outcome, a change of the binding
 * cache and a reply come out (RFC 5944 §3.8). It reads no clock and touches no socket.
 */
#ifndef HA_CORE_ENGINE_ENGINE_H
#define HA_CORE_ENGINE_ENGINE_H

#include "common/clock.h"
#include "ha-core/auth/sa.h"
#include "ha-core/auth/violation.h"
#include "ha-core/binding/binding.h"
#include "ha-core/binding/expiry.h"
#include "ha-core/binding/lease.h"
#include "ha-core/binding/pool.h"
#include "ha-core/engine/ha_policy.h"
#include "ha-core/engine/revocation.h"
#include "ha-core/stats.h"

/** Fixed part, four extensions of any length, those of ours, two authenticators: one frame. */
#define ENGINE_REPLY_MAX 1472

enum engine_reverse { ENGINE_REVERSE_OPTIONAL, ENGINE_REVERSE_REQUIRED, ENGINE_REVERSE_DISABLED };

struct engine_conf {
	struct in_addr home_agent;
	const struct addr_prefix *home_networks; /* not owned */
	size_t home_network_cnt;
	uint16_t max_lifetime_s;     /* REG_LIFETIME_INFINITE: no limit */
	uint16_t udp_max_lifetime_s; /* of UDP-tunnelled bindings */
	unsigned int max_bindings;   /* of one home address */
	uint8_t encap[3];            /* enum encap_mode, in order of preference */
	size_t encap_cnt;
	enum engine_reverse reverse;
	bool nat_enabled, nat_forced;
	uint16_t keepalive_s;
	struct revocation_conf revocation;
	struct in_addr redirect; /* who asks for any home agent is sent there; 0.0.0.0: stays */
	bool redirect_drawn;     /* ... by an extension as RFC 4433 drew it */
	uint32_t max_denials_per_node_s; /* answered, after a burst; 0: all */
	uint32_t max_denials_s;          /* of all nodes; 0: no limit */
	uint32_t max_denial_percent;     /* of its request, with words; 0: no limit */
	bool strict_reserved;            /* deny requests with the reserved bit x */
	bool message_strings;            /* tell in words why a request is denied, RFC 4917 */
};

/** Security violations, in words and numbers those of RFC 2006's mipSecRecentViolationReason. */
enum engine_violation {
	ENGINE_VIOLATION_NONE,
	ENGINE_VIOLATION_ASSOCIATION,   /* there is none with this node */
	ENGINE_VIOLATION_AUTHENTICATOR, /* bad */
	ENGINE_VIOLATION_IDENTIFIER,    /* bad */
	ENGINE_VIOLATION_SPI,           /* bad */
	ENGINE_VIOLATION_EXTENSION,     /* the security extension is missing */
	ENGINE_VIOLATION_OTHER,
};

/** How the engine reaches the rest of the daemon. */
struct engine_hooks {
	/**
	 * The bindings of this key are now `first` and its siblings; NULL: none. Called after the
	 * cache changed and before the reply is built. A failure of a put turns the registration
	 * into a denial with Code 130, and the key is then left without a binding.
	 */
	int (*changed)(void *ctx, struct binding_key key, const struct binding *first);
	/** A random number of RFC 4086 quality, for nonces. */
	uint32_t (*random)(void *ctx);
	void *ctx;
	/** Sends a message that answers none, from our own address and port. May be NULL. */
	void (*send)(void *ctx, struct in_addr dst, uint16_t port, const uint8_t *msg, size_t len);
	/**
	 * A network behind a mobile node is to be routed to us, or not any more (RFC 5177). Before
	 * the binding changes; a failure refuses this network. NULL: nothing to do.
	 */
	int (*route)(void *ctx, struct addr_prefix network, struct in_addr home_addr, bool on);
	/** revocation_run() has something to do. May be NULL. */
	void (*revoke)(void *ctx);
	/**
	 * What is to be remembered of this mobile node has changed: its bindings, its lease, or the
	 * last Identification under one of its associations. Before the reply is sent. May be NULL.
	 */
	void (*touched)(void *ctx, const struct sa_peer *node);
	/**
	 * A revocation waits for its acknowledgement, as it is now; or no more. As touched(). May
	 * be NULL.
	 */
	void (*outstanding)(void *ctx, const struct outstanding *o, bool is_over);
	/** A reload ends this binding; why is one word. May be NULL. */
	void (*ended)(void *ctx, const struct binding *b, const char *why);
	/** A reload has looked at the key's bindings, and keeps one or more. May be NULL. */
	void (*kept)(void *ctx, struct binding_key key);
	/** A binding lasts longer now, or shorter, and is otherwise as it was. May be NULL. */
	void (*renewed)(void *ctx, struct binding_key key);
	/**
	 * Would this host take a packet to addr for itself: an address of its own, a broadcast?
	 * Asked once for each end of a tunnel that a node has. May be NULL: nobody knows.
	 */
	bool (*is_local)(void *ctx, struct in_addr addr);
};

struct engine {
	struct engine_conf conf;
	const struct ha_policy *policy;
	const void *policy_ctx;
	struct engine_hooks hooks;
	struct sa_table nodes, agents; /* mobile nodes, foreign agents */
	struct pool pool;
	struct lease_list idle_leases;
	struct binding_cache cache;
	struct network_table networks; /* registered by mobile routers */
	struct expiry expiry;
	struct revocation revocation;
	struct stats stats;
	struct violation_table violations; /* by those whom we listen to */
	struct violation_table offenders;  /* whom we do not: untrusted, or from inside */
	struct limit denials;              /* answered, of all nodes */
	uint64_t started_ntp;
	const struct sa_peer
		*handled; /* whose request it is: touched() is called once, at the end */
	bool is_touched;  /* ... and is due */
	bool is_shared;   /* with other home agents: struct sa_shared is kept */
	/* Another home agent may have accepted requests from before this, unknown to us. */
	bool is_distrusting;
	size_t nonce_cnt; /* associations of mobile nodes that use nonces */
	uint64_t distrusted_ntp;
	uint64_t now_ms; /* of the last event, monotonic: for what a second more does not harm */
};

/** What came of a request. */
struct engine_result {
	struct reg_outcome outcome;
	bool has_request;           /* req was decoded */
	struct reg_request req;     /* home_addr as assigned, once it is */
	const struct sa_peer *node; /* NULL: unknown */
	uint32_t spi;               /* of the Mobile-Home Authentication; 0: none */
	struct reg_grant grant;     /* of an accepted request */
	size_t reply_len;           /* 0: silence, or a denial beyond the limit */
	uint8_t reply[ENGINE_REPLY_MAX];
};

/**
 * @param expected_nodes  mobile nodes to come: sizes the tables
 * @param now             when time begins: an older timestamp is a replay (no state survives from
 *                        before, so nothing older can be told from one)
 * @retval -ENOMEM
 */
int engine_init(struct engine *e, const struct engine_conf *conf, size_t expected_nodes,
		const struct ha_policy *policy, const void *policy_ctx,
		const struct engine_hooks *hooks, const struct clock *now);

void engine_done(struct engine *e);

/**
 * Adds a mobile node, or a further association of one.
 *
 * @param home_addr      0.0.0.0: a dynamic home address from the pool
 * @param nai            NULL: none
 * @param tolerance_ntp  of timestamps, NTP 32.32
 * @retval ERR_DUPLICATE, ERR_INVALID, ERR_CRYPTO, -ENOMEM  see sa_peer_put() and sa_put()
 */
int engine_add_node(struct engine *e, struct in_addr home_addr, const char *nai, uint32_t spi,
		    enum mac_algorithm alg, const void *key, size_t key_len,
		    enum replay_style style, uint64_t tolerance_ntp);

/**
 * Until then an association of a mobile node that was added has its former key, too (key
 * rotation): who registers with it is answered with it.
 * @retval ERR_NOT_FOUND, ERR_CRYPTO, ERR_INVALID, -ENOMEM
 */
int engine_add_previous_key(struct engine *e, struct in_addr home_addr, const char *nai,
			    uint32_t spi, const void *key, size_t key_len, uint64_t until_ntp);

/**
 * Limits a mobile node that was added to the services of these names, and of those that it has
 * been limited to before (RFC 5446).
 * @param must_select  it has to name one
 * @retval ERR_NOT_FOUND, ERR_INVALID, -ENOMEM
 */
int engine_limit_services(struct engine *e, struct in_addr home_addr, const char *nai,
			  const char *const *names, size_t cnt, bool must_select);

/**
 * A mobile node that was added is a router, and may register this network (RFC 5177).
 * @param implicit  it gets all of its networks if it names none
 * @retval ERR_NOT_FOUND, ERR_TOO_MANY, -ENOMEM
 */
int engine_add_network(struct engine *e, struct in_addr home_addr, const char *nai,
		       struct addr_prefix network, bool implicit);

/** Adds an association with a foreign agent. Errors as above. */
int engine_add_foreign_agent(struct engine *e, struct in_addr addr, uint32_t spi,
			     enum mac_algorithm alg, const void *key, size_t key_len);

#define ENGINE_FETCH_STEPS 5

/**
 * What is to be handled in one batch waits for memory once, not once each: each step, 0 to
 * ENGINE_FETCH_STEPS - 1, for all of the batch before the next one. Changes nothing.
 */
void engine_fetch(const struct engine *e, const uint8_t *msg, size_t len, unsigned int step);

/** The same by home address. */
void engine_fetch_node(const struct engine *e, struct in_addr home_addr, unsigned int step);

/**
 * Handles one datagram of message types 1, 7 and 15 (others are counted and dropped). Never fails;
 * out is always filled.
 */
void engine_handle(struct engine *e, const uint8_t *msg, size_t len, const struct reg_origin *from,
		   const struct clock *now, struct engine_result *out);

/**
 * Ends what has expired, but no more than so many at once: a million that end in one second must
 * not keep those waiting who register. What is left ends in the calls that follow; until then it
 * is a binding like any, and a renewal saves it.
 * @return bindings ended; max_cnt: there may be more
 */
size_t engine_expire_some(struct engine *e, const struct clock *now, size_t max_cnt,
			  void (*expired)(void *ctx, const struct binding *b), void *ctx);

/**
 * Ends all that has expired. @param expired  called for each binding before it goes; may be NULL
 * @return bindings ended
 */
size_t engine_expire(struct engine *e, const struct clock *now,
		     void (*expired)(void *ctx, const struct binding *b), void *ctx);

/** Which kind of security violation is this? */
enum engine_violation engine_violation_of(enum reg_reason reason);

/**
 * This home agent answers from now on, in place of another one whose last answers it may not know:
 * timestamps from before now, and nonces that it did not give, are no longer fresh (RFC 5944 §5.7).
 */
void engine_distrust(struct engine *e, const struct clock *now);

/**
 * Of the addresses that are ours to give, those of leases without a binding come back to the pool,
 * the longest idle first; `max` at most, and maybe fewer than there are.
 */
void engine_end_idle_leases(struct engine *e, size_t max);

/** Ends one binding, and tells the data path. */
void engine_end(struct engine *e, struct binding *b);

/** Revokes and ends all bindings of a key, as an operator asked. @return how many there were */
size_t engine_clear(struct engine *e, struct binding_key key);

#endif

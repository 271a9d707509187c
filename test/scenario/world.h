/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * A home agent without a network: the pure engine, a clock that tests set, and settings given in
 * words. Scripted conversations (run.c) and the golden packets (test_vectors.c) play on it.
 */
#ifndef TEST_SCENARIO_WORLD_H
#define TEST_SCENARIO_WORLD_H

#include "ha-core/engine/engine.h"
#include "ihad/conf.h"
#include "xhad/conf.h"

#define WORLD_KEY_MAX    256
#define WORLD_NAI_MAX    255
#define WORLD_WORDS_MAX  64
#define WORLD_RANDOM_MAX 16
#define WORLD_TUNNEL_MAX 256
#define WORLD_SENT_MAX   128
#define WORLD_ROUTE_MAX  64

/** One mobility security association, as a line of a mobile-nodes-file gives it. */
struct world_assoc {
	struct in_addr addr; /* 0.0.0.0: none */
	char nai[WORLD_NAI_MAX + 1];
	uint32_t spi;
	enum mac_algorithm algorithm;
	uint8_t key[WORLD_KEY_MAX];
	size_t key_len;
	enum replay_style replay;
};

/** A tunnel as the data path was told of it. */
struct world_tunnel {
	struct binding_key key;
	struct in_addr care_of;
	struct binding_tunnel tunnel;
};

/** The last message that answered none. */
struct world_sent {
	struct in_addr dst;
	uint16_t port;
	uint8_t msg[WORLD_SENT_MAX];
	size_t len;
};

struct world {
	struct engine engine;
	bool is_open;
	struct engine_conf conf;
	struct addr_prefix home_networks[8];
	struct clock now;
	uint32_t tolerance_s;
	bool without_agents; /* foreign-agent lines are ignored */
	int algorithm;       /* enum mac_algorithm for every node; -1: its own */
	const struct ha_policy *policy;
	const void *policy_ctx;
	struct ihad_conf ihad;
	struct xhad_conf xhad;
	uint32_t randoms[WORLD_RANDOM_MAX]; /* to come; then a counter */
	size_t random_cnt, random_next;
	uint32_t random_last;
	struct in_addr host_addrs[4]; /* that the host has beside the home agent's */
	size_t host_addr_cnt;
	bool refuse_changes;                           /* the data path refuses: changed() fails */
	unsigned int change_cnt;                       /* calls of changed() */
	struct world_tunnel tunnels[WORLD_TUNNEL_MAX]; /* what the data path carries out */
	size_t tunnel_cnt;
	bool refuse_routes;                         /* the same of networks: route() fails */
	struct addr_prefix routes[WORLD_ROUTE_MAX]; /* to networks behind mobile routers */
	size_t route_cnt;
	struct world_sent sent;
	unsigned int sent_cnt;
	char error[128]; /* of the last call that failed */
	/* Around each call of the engine: may it be short of memory from now on? NULL: never. */
	void (*may_fail)(bool yes);
};

/** Default settings; the wall clock reads ntp_s seconds. */
void world_init(struct world *w, uint32_t ntp_s);
void world_done(struct world *w);

/**
 * Carries out one setting, split into words: "home-agent 10.0.0.2", "mobile-node 10.0.0.7 - 256
 * hmac-md5 00ff" and so on. It takes effect at once.
 * @retval 0    done
 * @retval 1    not a setting
 * @retval -1   a fault; w->error says which
 */
int world_set(struct world *w, char *const *words, size_t cnt);

/** ADDRESS|- NAI|- SPI ALGORITHM HEXKEY [REPLAY]; false and w->error */
bool world_parse_node(struct world *w, char *const *words, size_t cnt, struct world_assoc *ret);

/** ADDRESS SPI ALGORITHM HEXKEY; false and w->error */
bool world_parse_agent(struct world *w, char *const *words, size_t cnt, struct world_assoc *ret);

/** Does the data path know just the bindings of the cache, as they are? */
bool world_tunnels_match(const struct world *w);

/** Is each of the routes that of a registered network, and are there no others? */
bool world_routes_match(const struct world *w);

/** Must replies carry Trusted Networks Configured? */
bool world_has_tnc(const struct world *w);

/** Time passes, what expires by then is ended, and revocations that are due leave. */
void world_advance(struct world *w, uint64_t ms);

/** Hands a datagram to the engine. It lies in a buffer of its exact size, for the sanitizers. */
void world_feed(struct world *w, const uint8_t *msg, size_t len, const struct reg_origin *from,
		struct engine_result *out);

/** Splits a line at blanks, in place; a # begins a comment. */
size_t world_split(char *line, char **words, size_t max);

/** Hex to octets; -1 if it is not hex or does not fit. */
long world_hex(const char *text, uint8_t *out, size_t max);

/** ADDRESS[:PORT]; *port is left alone without one. */
bool world_parse_endpoint(const char *text, struct in_addr *ret_addr, uint16_t *port);

#endif

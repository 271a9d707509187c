/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine with everything around it replaced by what a test says: settings in words, a clock
 * that stands still until it is advanced, random numbers that were announced, and a data path
 * that only counts. The policies are the daemons' own. Words are those of the configuration
 * wherever it has one.
 */
#include "test/scenario/world.h"

#include "common/err.h"
#include "ha-core/tunnel/encap.h"
#include "ihad/ihad_policy.h"
#include "xhad/xhad_policy.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fault(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int fault(struct world *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->error, sizeof(w->error), fmt, ap);
	va_end(ap);
	return -1;
}

/* ------------------------------------------------------------------ words */

size_t world_split(char *line, char **words, size_t max)
{
	size_t cnt = 0;
	char *save = NULL;
	char *p;

	for (p = strtok_r(line, " \t\r\n", &save); p && *p != '#' && cnt < max;
	     p = strtok_r(NULL, " \t\r\n", &save))
		words[cnt++] = p;
	return cnt;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

long world_hex(const char *text, uint8_t *out, size_t max)
{
	size_t len = strlen(text);
	size_t i;
	int high, low;

	if (len % 2 != 0 || len / 2 > max)
		return -1;
	for (i = 0; i < len / 2; i++) {
		high = hex_digit(text[2 * i]);
		low = hex_digit(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return -1;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return (long)i;
}

bool world_parse_endpoint(const char *text, struct in_addr *ret_addr, uint16_t *port)
{
	char addr[sizeof("255.255.255.255")];
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);
	char *end;
	unsigned long n;

	if (len >= sizeof(addr))
		return false;
	memcpy(addr, text, len);
	addr[len] = '\0';
	if (inet_pton(AF_INET, addr, ret_addr) != 1)
		return false;
	if (colon) {
		n = strtoul(colon + 1, &end, 10);
		if (*end || end == colon + 1 || n > UINT16_MAX)
			return false;
		*port = (uint16_t)n;
	}
	return true;
}

static bool parse_number(const char *text, unsigned long max, unsigned long *ret)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || end == text || n > max)
		return false;
	*ret = n;
	return true;
}

static int parse_algorithm(const char *text)
{
	int alg;

	for (alg = 0; alg < MAC_ALGORITHM_CNT; alg++)
		if (strcmp(mac_name((enum mac_algorithm)alg), text) == 0)
			return alg;
	return -1;
}

static bool parse_keys(struct world *w, char *const *words, struct world_assoc *a)
{
	unsigned long spi;
	int alg = parse_algorithm(words[1]);
	long len = world_hex(words[2], a->key, sizeof(a->key));

	if (!parse_number(words[0], UINT32_MAX, &spi) || alg < 0 || len <= 0) {
		fault(w, "SPI ALGORITHM HEXKEY, not: %s %s %s", words[0], words[1], words[2]);
		return false;
	}
	a->spi = (uint32_t)spi;
	a->algorithm = (enum mac_algorithm)alg;
	a->key_len = (size_t)len;
	return true;
}

bool world_parse_node(struct world *w, char *const *words, size_t cnt, struct world_assoc *ret)
{
	struct world_assoc a = { .replay = REPLAY_TIMESTAMP };

	if (cnt < 5 || cnt > 6 || !parse_keys(w, words + 2, &a)) {
		fault(w, "a node is ADDRESS|- NAI|- SPI ALGORITHM HEXKEY [REPLAY]");
		return false;
	}
	if (strcmp(words[0], "-") != 0 && inet_pton(AF_INET, words[0], &a.addr) != 1) {
		fault(w, "not an address: %s", words[0]);
		return false;
	}
	if (strcmp(words[1], "-") != 0)
		snprintf(a.nai, sizeof(a.nai), "%s", words[1]);
	if (cnt == 6 && strcmp(words[5], "nonce") == 0)
		a.replay = REPLAY_NONCE;
	if (w->algorithm >= 0)
		a.algorithm = (enum mac_algorithm)w->algorithm;
	*ret = a;
	return true;
}

bool world_parse_agent(struct world *w, char *const *words, size_t cnt, struct world_assoc *ret)
{
	struct world_assoc a = { .replay = REPLAY_TIMESTAMP };

	if (cnt != 4 || inet_pton(AF_INET, words[0], &a.addr) != 1 ||
	    !parse_keys(w, words + 1, &a)) {
		fault(w, "a foreign agent is ADDRESS SPI ALGORITHM HEXKEY");
		return false;
	}
	*ret = a;
	return true;
}

/* -------------------------------------------------------- around the engine */

static bool same_key(struct binding_key a, struct binding_key b)
{
	return addr_eq(a.home_addr, b.home_addr) && addr_eq(a.home_agent, b.home_agent);
}

/* The data path: it knows what it is told, and nothing else. */
static int changed(void *ctx, struct binding_key key, const struct binding *first)
{
	struct world *w = ctx;
	size_t i;

	w->change_cnt++;
	if (w->refuse_changes && first)
		return -ENOMEM;
	for (i = w->tunnel_cnt; i-- > 0;)
		if (same_key(w->tunnels[i].key, key))
			w->tunnels[i] = w->tunnels[--w->tunnel_cnt];
	for (; first && w->tunnel_cnt < WORLD_TUNNEL_MAX; first = binding_sibling(first))
		w->tunnels[w->tunnel_cnt++] =
			(struct world_tunnel){ key, first->care_of, first->tunnel };
	return 0;
}

static bool same_tunnel(const struct binding_tunnel *a, const struct binding_tunnel *b)
{
	return addr_eq(a->peer, b->peer) && a->peer_port == b->peer_port && a->encap == b->encap &&
	       a->udp == b->udp && a->half_bound == b->half_bound && a->reverse == b->reverse;
}

bool world_tunnels_match(const struct world *w)
{
	const struct binding *b;
	size_t i;

	if (!w->is_open)
		return true;
	for (i = 0; i < w->tunnel_cnt; i++) {
		b = binding_find_care_of(&w->engine.cache, w->tunnels[i].key,
					 w->tunnels[i].care_of);
		if (!b || !same_tunnel(&b->tunnel, &w->tunnels[i].tunnel))
			return false;
	}
	return w->tunnel_cnt == w->engine.cache.cnt;
}

bool world_routes_match(const struct world *w)
{
	size_t i;

	for (i = 0; i < w->route_cnt; i++)
		if (!network_table_get(&w->engine.networks, w->routes[i]))
			return false;
	return !w->is_open || w->route_cnt == w->engine.networks.cnt;
}

/* Routes to networks behind mobile routers: laid once, taken away once. */
static int route(void *ctx, struct addr_prefix network, struct in_addr home_addr, bool on)
{
	struct world *w = ctx;
	size_t i = 0;

	(void)home_addr;
	while (i < w->route_cnt &&
	       !(addr_eq(w->routes[i].addr, network.addr) && w->routes[i].len == network.len))
		i++;
	if (on == (i < w->route_cnt) || w->route_cnt == WORLD_ROUTE_MAX)
		abort();
	if (on && w->refuse_routes)
		return -EEXIST;
	if (on)
		w->routes[w->route_cnt++] = network;
	else
		w->routes[i] = w->routes[--w->route_cnt];
	return 0;
}

static bool is_local(void *ctx, struct in_addr addr)
{
	const struct world *w = ctx;
	size_t i;

	for (i = 0; i < w->host_addr_cnt; i++)
		if (addr_eq(w->host_addrs[i], addr))
			return true;
	return false;
}

static uint32_t next_random(void *ctx)
{
	struct world *w = ctx;

	if (w->random_next < w->random_cnt)
		w->random_last = w->randoms[w->random_next++];
	else
		w->random_last += 0x01000193u;
	return w->random_last;
}

static void send_message(void *ctx, struct in_addr dst, uint16_t port, const uint8_t *msg,
			 size_t len)
{
	struct world *w = ctx;

	if (len > sizeof(w->sent.msg))
		abort();
	w->sent = (struct world_sent){ .dst = dst, .port = port, .len = len };
	memcpy(w->sent.msg, msg, len);
	w->sent_cnt++;
}

/* The daemons' own policies, and that of a home agent without RFC 5265. */
static const struct ha_policy no_policy;
static const struct ha_policy ihad_policy = { .admits = ihad_policy_admits,
					      .extend_reply = ihad_policy_extend_reply };
static const struct ha_policy xhad_policy = { .admits = xhad_policy_admits };

void world_init(struct world *w, uint32_t ntp_s)
{
	*w = (struct world){
		.conf = {
			.home_networks = w->home_networks,
			.max_lifetime_s = REG_LIFETIME_INFINITE,
			.udp_max_lifetime_s = REG_LIFETIME_INFINITE,
			.max_bindings = 4,
			.encap = { ENCAP_IPIP, ENCAP_MINIMAL, ENCAP_GRE },
			.encap_cnt = 3,
			.reverse = ENGINE_REVERSE_OPTIONAL,
			.nat_enabled = true,
			.nat_forced = true,
			.keepalive_s = 110,
			.revocation = { .enabled = true,
					.inform = true,
					.on_move = true,
					.max_outstanding = 16 },
		},
		.now = { .mono_ms = 1000000, .ntp = (uint64_t)ntp_s << 32 },
		.tolerance_s = 7,
		.algorithm = -1,
		.policy = &no_policy,
		.random_last = 0x10000001,
	};
}

void world_done(struct world *w)
{
	if (w->is_open)
		engine_done(&w->engine);
	addr_set_done(&w->ihad.trusted_networks);
	addr_set_done(&w->xhad.inside.networks);
	w->is_open = false;
}

static int world_open(struct world *w)
{
	const struct engine_hooks hooks = {
		.changed = changed,
		.route = route,
		.random = next_random,
		.is_local = is_local,
		.send = send_message,
		.ctx = w,
	};
	int err;

	if (w->is_open)
		return 0;
	err = engine_init(&w->engine, &w->conf, 64, w->policy, w->policy_ctx, &hooks, &w->now);
	if (err < 0)
		return fault(w, "%s", err_text(err));
	w->is_open = true;
	return 0;
}

static const char *nai_or_null(const struct world_assoc *a)
{
	return *a->nai ? a->nai : NULL;
}

/* --------------------------------------------------------------- settings */

static int set_address(struct world *w, char *const *words, size_t cnt)
{
	(void)cnt;
	if (inet_pton(AF_INET, words[1], &w->conf.home_agent) != 1)
		return fault(w, "not an address: %s", words[1]);
	return 0;
}

static int set_home_network(struct world *w, char *const *words, size_t cnt)
{
	(void)cnt;
	if (w->conf.home_network_cnt == sizeof(w->home_networks) / sizeof(*w->home_networks) ||
	    addr_prefix_parse(words[1], &w->home_networks[w->conf.home_network_cnt]) < 0)
		return fault(w, "not a prefix, or one too many: %s", words[1]);
	w->conf.home_network_cnt++;
	return 0;
}

static int set_host_address(struct world *w, char *const *words, size_t cnt)
{
	(void)cnt;
	if (w->host_addr_cnt == sizeof(w->host_addrs) / sizeof(*w->host_addrs) ||
	    inet_pton(AF_INET, words[1], &w->host_addrs[w->host_addr_cnt]) != 1)
		return fault(w, "not an address, or one too many: %s", words[1]);
	w->host_addr_cnt++;
	return 0;
}

static int set_node(struct world *w, char *const *words, size_t cnt)
{
	struct world_assoc a;
	int err;

	if (!world_parse_node(w, words + 1, cnt - 1, &a) || world_open(w) < 0)
		return -1;
	err = engine_add_node(&w->engine, a.addr, nai_or_null(&a), a.spi, a.algorithm, a.key,
			      a.key_len, a.replay, REPLAY_SECONDS(w->tolerance_s));
	return err < 0 ? fault(w, "%s", err_text(err)) : 0;
}

static int set_agent(struct world *w, char *const *words, size_t cnt)
{
	struct world_assoc a;
	int err;

	if (!world_parse_agent(w, words + 1, cnt - 1, &a) || world_open(w) < 0)
		return -1;
	if (w->without_agents)
		return 0;
	err = engine_add_foreign_agent(&w->engine, a.addr, a.spi, a.algorithm, a.key, a.key_len);
	return err < 0 ? fault(w, "%s", err_text(err)) : 0;
}

static int set_pool(struct world *w, char *const *words, size_t cnt)
{
	struct addr_prefix prefix;
	int err;

	(void)cnt;
	if (addr_prefix_parse(words[1], &prefix) < 0)
		return fault(w, "not a prefix: %s", words[1]);
	if (world_open(w) < 0)
		return -1;
	err = pool_add(&w->engine.pool, prefix);
	pool_reserve(&w->engine.pool, w->conf.home_agent);
	return err < 0 ? fault(w, "%s", err_text(err)) : 0;
}

static int set_encapsulation(struct world *w, char *const *words, size_t cnt)
{
	size_t i;

	if (cnt > 4)
		return fault(w, "three encapsulations at most");
	for (i = 1; i < cnt; i++) {
		if (strcmp(words[i], "ip-in-ip") == 0)
			w->conf.encap[i - 1] = ENCAP_IPIP;
		else if (strcmp(words[i], "minimal") == 0)
			w->conf.encap[i - 1] = ENCAP_MINIMAL;
		else if (strcmp(words[i], "gre") == 0)
			w->conf.encap[i - 1] = ENCAP_GRE;
		else
			return fault(w, "no such encapsulation: %s", words[i]);
	}
	w->conf.encap_cnt = cnt - 1;
	return 0;
}

static int set_reverse(struct world *w, char *const *words, size_t cnt)
{
	(void)cnt;
	if (strcmp(words[1], "optional") == 0)
		w->conf.reverse = ENGINE_REVERSE_OPTIONAL;
	else if (strcmp(words[1], "required") == 0)
		w->conf.reverse = ENGINE_REVERSE_REQUIRED;
	else if (strcmp(words[1], "disabled") == 0)
		w->conf.reverse = ENGINE_REVERSE_DISABLED;
	else
		return fault(w, "optional, required or disabled, not %s", words[1]);
	return 0;
}

static int set_policy(struct world *w, char *const *words, size_t cnt)
{
	(void)cnt;
	if (strcmp(words[1], "ihad") == 0) {
		w->policy = &ihad_policy;
		w->policy_ctx = &w->ihad;
	} else if (strcmp(words[1], "xhad") == 0) {
		w->policy = &xhad_policy;
		w->policy_ctx = &w->xhad;
	} else {
		w->policy = &no_policy;
	}
	w->engine.policy = w->policy;
	w->engine.policy_ctx = w->policy_ctx;
	return 0;
}

static int add_prefixes(struct world *w, struct addr_set *set, char *const *words, size_t cnt)
{
	struct addr_prefix prefix;
	size_t i;

	for (i = 1; i < cnt; i++)
		if (addr_prefix_parse(words[i], &prefix) < 0 || addr_set_add(set, prefix) < 0)
			return fault(w, "not a prefix: %s", words[i]);
	return 0;
}

static int set_trusted(struct world *w, char *const *words, size_t cnt)
{
	return add_prefixes(w, &w->ihad.trusted_networks, words, cnt);
}

static int set_inside(struct world *w, char *const *words, size_t cnt)
{
	return add_prefixes(w, &w->xhad.inside.networks, words, cnt);
}

static int set_redirect(struct world *w, char *const *words, size_t cnt)
{
	(void)cnt;
	if (inet_pton(AF_INET, words[1], &w->conf.redirect) != 1)
		return fault(w, "not an address: %s", words[1]);
	return 0;
}

/* services ADDRESS|- NAI|- NAME...; required among them: it must name one */
static int set_services(struct world *w, char *const *words, size_t cnt)
{
	const char *names[WORLD_WORDS_MAX];
	struct in_addr addr = { 0 };
	bool required = false;
	size_t name_cnt = 0, i;
	int err;

	if (!w->is_open)
		return 0; /* nobody to limit yet: golden packets have their settings read twice */
	if (cnt < 3 || (strcmp(words[1], "-") != 0 && inet_pton(AF_INET, words[1], &addr) != 1))
		return fault(w, "services ADDRESS|- NAI|- NAME...");
	for (i = 3; i < cnt; i++) {
		if (strcmp(words[i], "required") == 0)
			required = true;
		else
			names[name_cnt++] = words[i];
	}
	err = engine_limit_services(&w->engine, addr, strcmp(words[2], "-") ? words[2] : NULL,
				    names, name_cnt, required);
	return err < 0 ? fault(w, "%s", err_text(err)) : 0;
}

/* mobile-networks ADDRESS|- NAI|- [implicit] PREFIX...; implicit: all of them if it names none */
static int set_mobile_networks(struct world *w, char *const *words, size_t cnt)
{
	struct in_addr addr = { 0 };
	struct addr_prefix prefix;
	bool implicit = false;
	size_t i;
	int err = 0;

	if (!w->is_open)
		return 0; /* as services */
	if (cnt < 4 || (strcmp(words[1], "-") != 0 && inet_pton(AF_INET, words[1], &addr) != 1))
		return fault(w, "mobile-networks ADDRESS|- NAI|- PREFIX...");
	for (i = 3; i < cnt && err == 0; i++) {
		if (strcmp(words[i], "implicit") == 0) {
			implicit = true;
			continue;
		}
		if (addr_prefix_parse(words[i], &prefix) < 0)
			return fault(w, "not a prefix: %s", words[i]);
		err = engine_add_network(&w->engine, addr, strcmp(words[2], "-") ? words[2] : NULL,
					 prefix, implicit);
	}
	return err < 0 ? fault(w, "%s", err_text(err)) : 0;
}

static int set_foreign_agents(struct world *w, char *const *words, size_t cnt)
{
	(void)cnt;
	w->without_agents = strcmp(words[1], "none") == 0;
	return 0;
}

static int set_algorithm(struct world *w, char *const *words, size_t cnt)
{
	(void)cnt;
	w->algorithm = parse_algorithm(words[1]);
	return w->algorithm < 0 ? fault(w, "no such algorithm: %s", words[1]) : 0;
}

static int set_random(struct world *w, char *const *words, size_t cnt)
{
	size_t i;

	if (cnt - 1 > WORLD_RANDOM_MAX)
		return fault(w, "too many random numbers");
	for (i = 1; i < cnt; i++)
		w->randoms[i - 1] = (uint32_t)strtoul(words[i], NULL, 16);
	w->random_cnt = cnt - 1;
	w->random_next = 0;
	return 0;
}

/* Settings that are one number or one switch. */
static int set_value(struct world *w, char *const *words, size_t cnt)
{
	const char *key = words[0];
	bool on = strcmp(words[1], "on") == 0;
	unsigned long n = 0;

	(void)cnt;
	if (!on && strcmp(words[1], "off") != 0 && !parse_number(words[1], UINT16_MAX, &n))
		return fault(w, "on, off or a number, not %s", words[1]);
	if (strcmp(key, "max-lifetime") == 0)
		w->conf.max_lifetime_s = (uint16_t)n;
	else if (strcmp(key, "udp-max-lifetime") == 0)
		w->conf.udp_max_lifetime_s = (uint16_t)n;
	else if (strcmp(key, "max-simultaneous-bindings") == 0)
		w->conf.max_bindings = (unsigned int)n;
	else if (strcmp(key, "timestamp-tolerance") == 0)
		w->tolerance_s = (uint32_t)n;
	else if (strcmp(key, "keepalive") == 0)
		w->conf.keepalive_s = (uint16_t)n;
	else if (strcmp(key, "nat") == 0)
		w->conf.nat_enabled = on;
	else if (strcmp(key, "forced") == 0)
		w->conf.nat_forced = on;
	else if (strcmp(key, "revocation") == 0)
		w->conf.revocation.enabled = on;
	else if (strcmp(key, "revocation-required") == 0)
		w->conf.revocation.required = on;
	else if (strcmp(key, "revocation-inform") == 0)
		w->conf.revocation.inform = on;
	else if (strcmp(key, "revocation-on-move") == 0)
		w->conf.revocation.on_move = on;
	else if (strcmp(key, "max-outstanding") == 0)
		w->conf.revocation.max_outstanding = (unsigned int)n;
	else if (strcmp(key, "max-denials-per-node") == 0)
		w->conf.max_denials_per_node_s = (uint32_t)n;
	else if (strcmp(key, "max-denials") == 0)
		w->conf.max_denials_s = (uint32_t)n;
	else if (strcmp(key, "max-denial-size") == 0)
		w->conf.max_denial_percent = (uint32_t)n;
	else if (strcmp(key, "strict-reserved-bits") == 0)
		w->conf.strict_reserved = on;
	else if (strcmp(key, "redirect-drawn") == 0)
		w->conf.redirect_drawn = on;
	else if (strcmp(key, "message-strings") == 0)
		w->conf.message_strings = on;
	else if (strcmp(key, "refuse-routes") == 0)
		w->refuse_routes = on;
	else
		w->refuse_changes = on;
	return 0;
}

static const struct {
	const char *key;
	int (*set)(struct world *w, char *const *words, size_t cnt);
} settings[] = {
	{ "home-agent", set_address },
	{ "home-network", set_home_network },
	{ "host-address", set_host_address },
	{ "mobile-node", set_node },
	{ "foreign-agent", set_agent },
	{ "foreign-agents", set_foreign_agents },
	{ "dynamic-pool", set_pool },
	{ "encapsulation", set_encapsulation },
	{ "reverse-tunnel", set_reverse },
	{ "policy", set_policy },
	{ "trusted", set_trusted },
	{ "inside", set_inside },
	{ "algorithm", set_algorithm },
	{ "random", set_random },
	{ "redirect", set_redirect },
	{ "services", set_services },
	{ "mobile-networks", set_mobile_networks },
	{ "strict-reserved-bits", set_value },
	{ "redirect-drawn", set_value },
	{ "max-denials-per-node", set_value },
	{ "max-denials", set_value },
	{ "max-denial-size", set_value },
	{ "message-strings", set_value },
	{ "max-lifetime", set_value },
	{ "udp-max-lifetime", set_value },
	{ "max-simultaneous-bindings", set_value },
	{ "timestamp-tolerance", set_value },
	{ "keepalive", set_value },
	{ "nat", set_value },
	{ "forced", set_value },
	{ "revocation", set_value },
	{ "revocation-required", set_value },
	{ "revocation-inform", set_value },
	{ "revocation-on-move", set_value },
	{ "max-outstanding", set_value },
	{ "refuse-routes", set_value },
	{ "refuse-changes", set_value },
};

static void may_fail(const struct world *w, bool yes)
{
	if (w->may_fail)
		w->may_fail(yes);
}

int world_set(struct world *w, char *const *words, size_t cnt)
{
	size_t i;
	int err;

	for (i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		if (strcmp(words[0], settings[i].key) != 0)
			continue;
		if (cnt < 2)
			return fault(w, "%s what?", words[0]);
		may_fail(w, true);
		err = settings[i].set(w, words, cnt);
		may_fail(w, false);
		if (w->is_open)
			w->engine.conf = w->conf;
		return err;
	}
	return 1;
}

/* ------------------------------------------------------------------- time */

void world_advance(struct world *w, uint64_t ms)
{
	w->now.mono_ms += ms;
	w->now.ntp += ms / 1000 * REPLAY_SECONDS(1) + ms % 1000 * REPLAY_SECONDS(1) / 1000;
	if (!w->is_open)
		return;
	may_fail(w, true);
	engine_expire(&w->engine, &w->now, NULL, NULL);
	(void)revocation_run(&w->engine, &w->now);
	may_fail(w, false);
}

void world_feed(struct world *w, const uint8_t *msg, size_t len, const struct reg_origin *from,
		struct engine_result *out)
{
	uint8_t *copy = malloc(len ? len : 1);
	unsigned int step;

	if (!copy || world_open(w) < 0)
		abort();
	memcpy(copy, msg, len);
	may_fail(w, true);
	for (step = 0; step < ENGINE_FETCH_STEPS; step++) /* as the socket does with a batch */
		engine_fetch(&w->engine, copy, len, step);
	engine_handle(&w->engine, copy, len, from, &w->now, out);
	may_fail(w, false);
	free(copy);
}

bool world_has_tnc(const struct world *w)
{
	return w->policy == &ihad_policy;
}

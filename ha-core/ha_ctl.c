/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an operator can ask a home agent; ha.c opens it, hactl asks. Commands are the rows at the
 * end. Names of columns and fields are the operator's (JSON keys, words of the configuration) and
 * part of the interface.
 *
 * Bindings and mobile nodes may be a million, so both are streamed. The cursor is the number of a
 * hash bucket: tables are never rehashed and an object never changes its bucket, so bindings may
 * come, move and go between two steps, and each one that is there all the time is shown once.
 * Nothing needs to know of the cursor, and it holds no pointer. (A reload brings another table of
 * mobile nodes: a list of them in progress may then miss or repeat some, and no worse.)
 *
 * Keys are never shown, nor anything made with them.
 */
#include "ha-core/ha_ctl.h"

#include "common/err.h"
#include "common/log.h"
#include "ha-core/ha_trace.h"
#include "ha-core/tunnel/encap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BUCKETS_PER_STEP 64 /* looked at in one step of a walk, most of them empty */
#define BUCKETS_AHEAD    16
#define NODES_PER_STEP   16

struct ha_ctl {
	struct ha_ctl_env env;
	struct ctl_server *server;
	struct ha_trace_list traces;
	const char *restart_keys; /* while a reload is answered; NULL: none */
	uint64_t started_mono_ms;
	char started_at[sizeof("2000-01-01T00:00:00Z")];
};

static struct binding_key key_of(const struct ha_ctl *c, struct in_addr home_addr)
{
	return (struct binding_key){ .home_addr = home_addr,
				     .home_agent = c->env.engine->conf.home_agent };
}

static void put_addr(struct ctl_reply *r, struct in_addr addr)
{
	ctl_string(r, addr_text(addr).s);
}

static void put_nai(struct ctl_reply *r, const struct sa_peer *peer)
{
	if (peer && sa_peer_nai(peer))
		ctl_octets(r, sa_peer_nai(peer), sa_peer_nai_len(peer));
	else
		ctl_null(r);
}

/* A walk over a hash table, one ctl_stream() long. */
struct walk {
	const struct ha_ctl *ctl;
	size_t bucket;     /* the next to be looked at, of a table */
	uint64_t next_key; /* the same, of what is walked in order */
	bool second_pass;
	struct sa_walk nodes;
	struct ctl_reply *reply; /* of this step */
};

/* Without memory for the cursor the answer ends after its head, and hactl says so. */
static int walk_failed(void *cursor, struct ctl_reply *r)
{
	(void)cursor;
	(void)r;
	return -ENOMEM;
}

static void walk_start(const struct ha_ctl *c, struct ctl_reply *r,
		       int (*next)(void *cursor, struct ctl_reply *r))
{
	struct walk *w = calloc(1, sizeof(*w));

	if (w)
		w->ctl = c;
	ctl_stream(r, w ? next : walk_failed, free, w);
}

/* A step of a walk over a table: the objects of the next bucket that has some. NULL: none yet. */
static struct hash_link *next_link(const struct hash *t, size_t *bucket)
{
	struct hash_link *n = NULL;

	for (int i = 0; i < BUCKETS_PER_STEP && !n && *bucket <= t->last; i++)
		n = hash_link_bucket(t, (*bucket)++);
	return n;
}

/* ---- show bindings ---- */

static const struct ctl_column binding_columns[] = {
	{ "home-address", CTL_STRING },
	{ "home-agent", CTL_STRING, .detail = true },
	{ "care-of-address", CTL_STRING },
	{ "nai", CTL_STRING, .detail = true },
	{ "encapsulation", CTL_STRING },
	{ "reverse-tunnel", CTL_BOOL, .detail = true },
	{ "source-address", CTL_STRING },
	{ "source-port", CTL_NUMBER, .detail = true },
	{ "lifetime", CTL_NUMBER, .detail = true },
	{ "remaining", CTL_NUMBER },
	{ "spi", CTL_NUMBER, .detail = true },
	{ "packets-to-node", CTL_NUMBER, .detail = true },
	{ "bytes-to-node", CTL_NUMBER, .detail = true },
	{ "packets-from-node", CTL_NUMBER, .detail = true },
	{ "bytes-from-node", CTL_NUMBER, .detail = true },
	{ "keepalives", CTL_NUMBER, .detail = true },
	{ "mobile-networks", CTL_LIST, .detail = true },
};

#define BINDING_COLUMN_CNT (sizeof(binding_columns) / sizeof(binding_columns[0]))

/* "10.60.1.0/24 10.60.2.0/24": a list; null if there are none. */
static void put_networks(struct ctl_reply *r, const struct binding *b)
{
	char text[NETWORK_MAX * sizeof("255.255.255.255/32")];
	const struct network_list *list = b->networks != 0 ? sa_peer_networks(b->node) : NULL;
	const struct network *net;
	size_t i, len = 0;

	for (i = 0; list && i < list->cnt; i++) {
		net = &list->networks[i];
		if (b->networks & network_bit(net))
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
						len > 0 ? " " : "",
						addr_prefix_text(net->prefix).s);
	}
	ctl_string(r, len > 0 ? text : NULL);
}

static void put_binding(const struct ha_ctl *c, struct ctl_reply *r, const struct binding *b)
{
	const struct binding_count count = tunnel_count(c->env.tunnel, b);

	ctl_row(r);
	put_addr(r, b->key.home_addr);
	put_addr(r, b->key.home_agent);
	put_addr(r, b->care_of);
	put_nai(r, b->node);
	ctl_string(r, b->tunnel.udp ? "udp" : encap_mode_name(b->tunnel.encap));
	ctl_bool(r, b->tunnel.reverse);
	put_addr(r, b->src);
	ctl_number(r, b->src_port);
	ctl_number(r, b->lifetime_s);
	ctl_number(r, binding_remaining_s(b, loop_now(c->env.loop)->mono_ms));
	ctl_number(r, b->spi);
	if (tunnel_knows_sent(c->env.tunnel, b)) {
		ctl_number(r, count.packets_to);
		ctl_number(r, count.bytes_to);
	} else {
		ctl_null(r);
		ctl_null(r);
	}
	ctl_number(r, count.packets_from);
	ctl_number(r, count.bytes_from);
	ctl_number(r, b->keepalives);
	put_networks(r, b);
}

static void put_bindings_of(const struct ha_ctl *c, struct ctl_reply *r, const struct binding *b)
{
	for (; b; b = binding_sibling(b))
		put_binding(c, r, b);
}

/* A million bindings are in no cache: while some are written, others come closer. */
static void fetch_bindings(const struct hash *t, size_t bucket)
{
	const struct hash_link *n = bucket <= t->last ? hash_link_bucket(t, bucket) : NULL;
	const struct binding *b = n ? hash_entry(n, struct binding, link) : NULL;
	const char *p;

	for (p = (const char *)b; b && p < (const char *)(b + 1); p += 64)
		__builtin_prefetch(p);
}

static int next_bindings(void *cursor, struct ctl_reply *r)
{
	struct walk *w = cursor;
	const struct hash *t = &w->ctl->env.engine->cache.by_key;
	const struct hash_link *n;

	fetch_bindings(t, w->bucket + BUCKETS_AHEAD);
	for (n = next_link(t, &w->bucket); n; n = n->next)
		put_binding(w->ctl, r, hash_entry(n, struct binding, link));
	return w->bucket <= t->last;
}

/* Could it be an NAI? Those have no blanks (RFC 4282 §2.1), and a mistyped address is none. */
static bool is_nai(const char *text)
{
	return text[strspn(text, "0123456789./")] && !text[strcspn(text, " \t\n\r")];
}

/*
 * The home address of a node, which an operator names by it or by its NAI; 0.0.0.0 if it has none
 * now. A person who mistyped it is told more than "none".
 * @return false: there is no such node, and the answer says so
 */
static bool find_node(const struct ha_ctl *c, struct ctl_reply *r, const char *target,
		      struct in_addr *ret_addr)
{
	const struct sa_table *nodes = &c->env.engine->nodes;
	const struct sa_peer *node;
	struct in_addr addr;

	if (addr_parse(target, &addr) == 0) {
		node = sa_peer_find(nodes, addr);
	} else if (!is_nai(target)) {
		ctl_error(r,
			  "\"%s\" is neither an IPv4 address nor an NAI; try 192.0.2.7 or "
			  "user@realm",
			  target);
		return false;
	} else {
		node = sa_peer_find_nai(nodes, (const uint8_t *)target, strlen(target));
	}
	if (!node) {
		ctl_error(r,
			  "no binding: %s is not a mobile node of this home agent; see show "
			  "mobile-nodes",
			  target);
		return false;
	}
	*ret_addr = node->addr;
	return true;
}

static void show_bindings_of(const struct ha_ctl *c, struct ctl_reply *r, const char *target)
{
	struct in_addr addr;

	if (!find_node(c, r, target, &addr))
		return;
	ctl_table(r, binding_columns, BINDING_COLUMN_CNT, "no binding: %s is not registered here",
		  target);
	put_bindings_of(c, r, binding_find(&c->env.engine->cache, key_of(c, addr)));
}

static void show_bindings(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	const struct ha_ctl *c = ctx;

	if (argc > 0) {
		show_bindings_of(c, r, argv[0]);
		return;
	}
	ctl_table(r, binding_columns, BINDING_COLUMN_CNT,
		  "no bindings: no mobile node is registered");
	walk_start(c, r, next_bindings);
}

/* ---- show mobile-nodes ---- */

static const struct ctl_column node_columns[] = {
	{ "home-address", CTL_STRING }, { "nai", CTL_STRING },       { "kind", CTL_STRING },
	{ "spi", CTL_NUMBER },          { "algorithm", CTL_STRING }, { "replay", CTL_STRING },
	{ "bindings", CTL_NUMBER },
};

#define NODE_COLUMN_CNT (sizeof(node_columns) / sizeof(node_columns[0]))

/* One row for each security association, as in the configuration. */
static void put_node(const struct ha_ctl *c, struct ctl_reply *r, const struct sa_peer *node)
{
	const struct binding *first = NULL;

	if (!addr_is_any(node->addr))
		first = binding_find(&c->env.engine->cache, key_of(c, node->addr));
	for (const struct sa *sa = node->sas; sa; sa = sa->next) {
		ctl_row(r);
		if (addr_is_any(node->addr))
			ctl_null(r);
		else
			put_addr(r, node->addr);
		put_nai(r, node);
		ctl_string(r, node->is_dynamic ? "dynamic" : "static");
		ctl_number(r, sa->spi);
		ctl_string(r, mac_name(mac_algorithm(&sa->mac)));
		ctl_string(r, sa->replay.style == REPLAY_NONCE ? "nonce" : "timestamp");
		ctl_number(r, binding_cnt(first));
	}
}

static void put_next_node(void *ctx, const struct sa_peer *node)
{
	struct walk *w = ctx;

	put_node(w->ctl, w->reply, node);
}

static int next_nodes(void *cursor, struct ctl_reply *r)
{
	struct walk *w = cursor;

	w->reply = r;
	return sa_walk_some(&w->ctl->env.engine->nodes, &w->nodes, NODES_PER_STEP, put_next_node,
			    w);
}

static void show_mobile_nodes(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	ctl_table(r, node_columns, NODE_COLUMN_CNT, "no mobile nodes: none is configured");
	walk_start(ctx, r, next_nodes);
}

/* ---- show violations, clear violations ---- */

#define VIOLATIONS_PER_STEP 16

static const struct ctl_column violation_columns[] = {
	{ "source-address", CTL_STRING },
	{ "source-port", CTL_NUMBER, .detail = true },
	{ "count", CTL_NUMBER },
	{ "reason", CTL_STRING },
	{ "home-address", CTL_STRING },
	{ "care-of-address", CTL_STRING, .detail = true },
	{ "spi", CTL_NUMBER, .detail = true },
	{ "identification", CTL_NUMBER, .detail = true },
	{ "first-ago", CTL_NUMBER, .detail = true },
	{ "last-ago", CTL_NUMBER },
};

#define VIOLATION_COLUMN_CNT (sizeof(violation_columns) / sizeof(violation_columns[0]))

static void put_violation(struct ctl_reply *r, const struct violation *v, uint64_t now_ms)
{
	const struct violation_event *last = &v->last;

	ctl_row(r);
	put_addr(r, last->peer);
	ctl_number(r, last->port);
	ctl_number(r, v->cnt);
	ctl_string(r, reg_reason_name((enum reg_reason)last->reason));
	put_addr(r, last->home_addr);
	put_addr(r, last->care_of);
	ctl_number(r, last->spi);
	ctl_number(r, last->ident);
	ctl_number(r, (now_ms - v->first_ms) / 1000);
	ctl_number(r, (now_ms - v->last_ms) / 1000);
}

/* Both tables, by address in each. */
static int next_violations(void *cursor, struct ctl_reply *r)
{
	struct walk *w = cursor;
	const struct engine *e = w->ctl->env.engine;
	const struct violation_table *t = w->second_pass ? &e->offenders : &e->violations;
	uint64_t keys[VIOLATIONS_PER_STEP];
	size_t cnt = order_page(&t->order, w->next_key, keys, VIOLATIONS_PER_STEP);
	size_t i;

	for (i = 0; i < cnt; i++)
		put_violation(r, violation_find(t, addr_from_host((uint32_t)keys[i])),
			      loop_now(w->ctl->env.loop)->mono_ms);
	if (cnt == VIOLATIONS_PER_STEP) {
		w->next_key = keys[cnt - 1] + 1;
		return 1;
	}
	if (w->second_pass)
		return 0;
	w->second_pass = true;
	w->next_key = 0;
	return 1;
}

static void show_violations(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	ctl_table(r, violation_columns, VIOLATION_COLUMN_CNT,
		  "no violations: every request was from where it may come and well authenticated");
	walk_start(ctx, r, next_violations);
}

static void clear_violations(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	const struct ha_ctl *c = ctx;
	size_t cnt = violation_clear(&c->env.engine->violations) +
		     violation_clear(&c->env.engine->offenders);

	(void)argc;
	(void)argv;
	log_notice("violations cleared by an operator",
		   "event=violations-cleared sources=%zu uid=%u", cnt, ctl_uid(r));
	ctl_message(r, "forgot the violations of %zu source%s; counters stay", cnt,
		    cnt == 1 ? "" : "s");
}

/* ---- show counters, show status ---- */

static void put_counter(void *ctx, const char *name, uint64_t value)
{
	struct ctl_reply *r = ctx;

	ctl_field(r, name, CTL_NUMBER);
	ctl_number(r, value);
}

static void show_counters(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	const struct ha_ctl *c = ctx;
	struct stats sum = c->env.engine->stats;

	(void)argc;
	(void)argv;
	tunnel_add_stats(c->env.tunnel, &sum);
	ctl_record(r);
	stats_for_each(&sum, put_counter, r);
}

static void field_string(struct ctl_reply *r, const char *name, const char *value)
{
	ctl_field(r, name, CTL_STRING);
	ctl_string(r, value);
}

static void field_number(struct ctl_reply *r, const char *name, uint64_t value)
{
	ctl_field(r, name, CTL_NUMBER);
	ctl_number(r, value);
}

/* "data-path-eth0": "tc: another program is in the XDP hook" */
static void put_port(void *ctx, const struct tunnel_port *port)
{
	struct ctl_reply *r = ctx;
	char name[sizeof("data-path-") + IF_NAMESIZE], text[160];

	(void)snprintf(name, sizeof(name), "data-path-%s", port->interface);
	(void)snprintf(text, sizeof(text), "%s%s%s", port->tier, port->why[0] ? ": " : "",
		       port->why);
	field_string(r, name, text);
}

/* "drops-eth0": 12 */
static void put_port_drops(void *ctx, const struct tunnel_port *port)
{
	char name[sizeof("drops-") + IF_NAMESIZE];

	(void)snprintf(name, sizeof(name), "drops-%s", port->interface);
	field_number(ctx, name, port->drops);
}

static void put_data_path(struct ctl_reply *r, const struct tunnel *t)
{
	const char *why = tunnel_why(t);

	field_string(r, "data-path", tunnel_name(t));
	if (why)
		field_string(r, "no-fast-path", why);
	tunnel_for_each_port(t, put_port, r);
}

static void show_status(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	const struct ha_ctl *c = ctx;
	const struct ha_ctl_env *env = &c->env;

	(void)argc;
	(void)argv;
	ctl_record(r);
	field_string(r, "name", env->name);
	field_string(r, "version", HOME_AGENT_VERSION);
	field_number(r, "pid", (uint64_t)getpid());
	field_string(r, "started-at", c->started_at);
	field_number(r, "uptime", (loop_now(env->loop)->mono_ms - c->started_mono_ms) / 1000);
	field_string(r, "address", addr_text(env->engine->conf.home_agent).s);
	field_number(r, "port", env->port);
	field_number(r, "mobile-nodes", env->engine->nodes.cnt);
	field_number(r, "bindings", env->engine->cache.cnt);
	ctl_field(r, "draining", CTL_BOOL);
	ctl_bool(r, env->engine->revocation.draining);
	put_data_path(r, env->tunnel);
	field_string(r, "device", env->device);
	field_string(r, "log-level", log_level_name(log_get_level()));
	ha_state_status(env->state, r);
	ha_cluster_status(env->cluster, r);
	if (env->status)
		env->status(env->ctx, r);
}

/* ---- show trusted-networks, show data-path, show config ---- */

static void show_trusted_networks(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	const struct ha_ctl *c = ctx;

	(void)argc;
	(void)argv;
	if (c->env.trusted_networks)
		c->env.trusted_networks(c->env.ctx, r);
	else
		ctl_error(r,
			  "%s is no internal home agent and trusts no network; ask ihad, or see "
			  "show config inside",
			  c->env.name);
}

static void show_data_path(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	const struct ha_ctl *c = ctx;
	const struct tunnel_upkeep upkeep = tunnel_upkeep(c->env.tunnel);
	struct stats sum = c->env.engine->stats;

	(void)argc;
	(void)argv;
	tunnel_add_stats(c->env.tunnel, &sum);
	ctl_record(r);
	put_data_path(r, c->env.tunnel);
	field_string(r, "device", c->env.device);
	field_number(r, "bindings", c->env.engine->cache.cnt);
	field_number(r, "packets-to-nodes", sum.packets_to_nodes);
	field_number(r, "bytes-to-nodes", sum.bytes_to_nodes);
	field_number(r, "packets-from-nodes", sum.packets_from_nodes);
	field_number(r, "bytes-from-nodes", sum.bytes_from_nodes);
	field_number(r, "sinks", upkeep.sinks);
	field_number(r, "repairs", upkeep.repairs);
	tunnel_for_each_port(c->env.tunnel, put_port_drops, r);
}

static const struct ctl_column config_columns[] = {
	{ "key", CTL_STRING },
	{ "value", CTL_STRING },
	{ "default", CTL_STRING, .detail = true },
	{ "unit", CTL_STRING, .detail = true },
};

/* Where a walk over the configuration is: by number, because a reload may come between. */
struct config_walk {
	const struct ha_ctl *ctl;
	size_t section;
	struct conf_cursor at;
	char key[64]; /* only this one and those below; "": all */
};

static void put_config(void *ctx, const char *key, const char *value, const struct conf_key *row)
{
	struct ctl_reply *r = ctx;

	ctl_row(r);
	ctl_string(r, key);
	ctl_string(r, value);
	ctl_string(r, row->dflt);
	ctl_string(r, conf_unit(row));
}

static int next_config(void *cursor, struct ctl_reply *r)
{
	struct config_walk *w = cursor;
	struct conf_section section = w->ctl->env.conf(w->ctl->env.ctx, w->section);

	if (conf_show_next(&section, w->key, &w->at, put_config, r))
		return 1;
	w->at = (struct conf_cursor){ 0 };
	return ++w->section < 2;
}

static bool is_config_key(const struct ha_ctl *c, const char *key)
{
	const struct conf_section sections[] = { c->env.conf(c->env.ctx, 0),
						 c->env.conf(c->env.ctx, 1) };

	return conf_show_knows(&sections[0], key) || conf_show_knows(&sections[1], key);
}

static void show_config(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	struct config_walk *w;

	if (argc > 0 && !is_config_key(ctx, argv[0])) {
		ctl_error(r, "no such key: %.64s; show config lists them all", argv[0]);
		return;
	}
	w = calloc(1, sizeof(*w));
	if (w)
		w->ctl = ctx;
	if (w && argc > 0)
		(void)snprintf(w->key, sizeof(w->key), "%s", argv[0]);
	ctl_table(r, config_columns, sizeof(config_columns) / sizeof(config_columns[0]),
		  "no such element; show config lists them all");
	ctl_stream(r, w ? next_config : walk_failed, free, w);
}

/* ---- trace ---- */

static void trace(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	struct ha_ctl *c = ctx;
	struct in_addr addr;

	(void)argc;
	if (addr_parse(argv[0], &addr) < 0 && !is_nai(argv[0])) {
		ctl_error(r,
			  "\"%s\" is neither an IPv4 address nor an NAI; try 192.0.2.7 or "
			  "user@realm",
			  argv[0]);
		return;
	}
	log_notice("a node is traced by an operator", "event=trace node=%s uid=%u",
		   log_value(argv[0], strlen(argv[0])).s, ctl_uid(r));
	ha_trace_start(&c->traces, r, argv[0]);
}

void ha_ctl_received(const struct ha_ctl *c, const uint8_t *msg, size_t len,
		     const struct reg_origin *from, const struct engine_result *res)
{
	if (!c)
		return;
	ha_trace_received(&c->traces, msg, len, from, res);
	if (res->reply_len > 0)
		ha_trace_sent(&c->traces, res->reply, res->reply_len, from->src, from->src_port,
			      res->node);
}

void ha_ctl_sent(const struct ha_ctl *c, const uint8_t *msg, size_t len, struct in_addr dst,
		 uint16_t port)
{
	if (c)
		ha_trace_sent(&c->traces, msg, len, dst, port, NULL);
}

void ha_ctl_keepalive(const struct ha_ctl *c, const struct binding *b, struct in_addr src,
		      uint16_t port)
{
	if (c)
		ha_trace_keepalive(&c->traces, b, src, port);
}

/* ---- clear binding, log-level ---- */

/* What a host that stands by changed would be its own, until the active one says otherwise. */
static bool is_active(const struct ha_ctl *c, struct ctl_reply *r)
{
	bool active = ha_cluster_is_active(c->env.cluster);

	if (!active)
		ctl_error(r, "this host stands by: ask the active one, see show cluster");
	return active;
}

static void clear_binding(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	struct ha_ctl *c = ctx;
	struct in_addr addr;
	size_t cnt;

	(void)argc;
	if (!is_active(c, r))
		return;
	if (!find_node(c, r, argv[0], &addr))
		return;
	cnt = engine_clear(c->env.engine, key_of(c, addr));
	if (cnt == 0) {
		ctl_error(r, "%s has no binding; see show bindings", argv[0]);
		return;
	}
	(void)ha_state_commit(c->env.state); /* who is told so may rely on it; it logs a failure */
	log_notice("binding cleared by an operator",
		   "event=binding-cleared home-address=%s bindings=%zu uid=%u", addr_text(addr).s,
		   cnt, ctl_uid(r));
	ctl_message(r, "cleared %zu binding%s of %s", cnt, cnt == 1 ? "" : "s", argv[0]);
}

static void drain(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	const struct ha_ctl *c = ctx;
	bool on = argc == 0;

	if (!is_active(c, r))
		return;
	if (!on && strcmp(argv[0], "off") != 0) {
		ctl_error(r, "\"%s\": drain, or drain off", argv[0]);
		return;
	}
	revocation_drain(c->env.engine, on);
	log_notice(on ? "draining, by an operator" : "no longer draining, by an operator",
		   "event=drain state=%s bindings=%zu uid=%u", on ? "on" : "off",
		   c->env.engine->cache.cnt, ctl_uid(r));
	ctl_message(r, on ? "draining: nodes and agents that support it are told, new "
			    "registrations are refused"
			  : "serving: registrations are accepted");
}

static void set_log_level(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	enum log_level level;

	(void)ctx;
	(void)argc;
	if (log_level_parse(argv[0], &level) < 0) {
		ctl_error(r, "\"%s\" is no log level; choose error, warning, notice, info or debug",
			  argv[0]);
		return;
	}
	log_set_level(LOG_LEVEL_NOTICE); /* that it changes is told, whatever else is not */
	log_notice("log level set by an operator", "event=log-level level=%s uid=%u",
		   log_level_name(level), ctl_uid(r));
	log_set_level(level);
	ctl_message(r, "log level is %s until the daemon restarts or reloads",
		    log_level_name(level));
}

/* --check reads the file and tries nothing on the host: it knows of the file's faults only. */
static void answer_reload(void *ctx, struct ctl_reply *r, int result)
{
	const struct ha_ctl *c = ctx;

	if (result == ERR_CONFIG)
		ctl_error(r,
			  "refused, the running configuration stays; the log says why, and so "
			  "does %s --check",
			  c->env.name);
	else if (result < 0)
		ctl_error(r, "refused, the running configuration stays; the log says why");
	else if (c->restart_keys && c->restart_keys[0])
		ctl_message(r, "configuration reloaded, and in force; after a restart: %s",
			    c->restart_keys);
	else
		ctl_message(r, "configuration reloaded");
}

static void reload(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	const struct ha_ctl *c = ctx;
	int rc;

	(void)argc;
	(void)argv;
	log_notice("reload asked for by an operator", "event=reload uid=%u", ctl_uid(r));
	rc = c->env.reload(c->env.ctx);
	if (rc > 0)
		ctl_defer(r, answer_reload);
	else
		answer_reload(ctx, r, rc);
}

/* ---- state ---- */

static void check_state(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	const struct ha_ctl *c = ctx;

	(void)argc;
	(void)argv;
	ha_state_check(c->env.state, r);
}

static void export_state(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	const struct ha_ctl *c = ctx;

	(void)argc;
	(void)argv;
	ha_state_export(c->env.state, r);
}

static void import_state(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	const struct ha_ctl *c = ctx;

	(void)argc;
	if (is_active(c, r))
		ha_state_import(c->env.state, r, argv[0]);
}

/* ---- cluster ---- */

static void show_cluster(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	const struct ha_ctl *c = ctx;

	(void)argc;
	(void)argv;
	ha_cluster_show(c->env.cluster, r);
}

static void promote(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	const struct ha_ctl *c = ctx;

	(void)argc;
	(void)argv;
	ha_cluster_promote(c->env.cluster, r);
}

static void stand_by(void *ctx, struct ctl_reply *r, int argc, char **argv)
{
	const struct ha_ctl *c = ctx;

	(void)argc;
	(void)argv;
	ha_cluster_stand_by(c->env.cluster, r);
}

const struct ctl_command ha_ctl_commands[] = {
	{ "show bindings", "[HOME-ADDRESS|NAI]", "which mobile nodes are registered, and where",
	  show_bindings },
	{ "show counters", "", "what became of requests and packets", show_counters },
	{ "show status", "", "the daemon itself", show_status },
	{ "show mobile-nodes", "", "who may register, with which security associations",
	  show_mobile_nodes },
	{ "show violations", "", "who broke a rule of security, and how the last time",
	  show_violations },
	{ "clear violations", "", "forget them; counters stay", clear_violations },
	{ "show trusted-networks", "", "from where requests are answered", show_trusted_networks },
	{ "show data-path", "", "what carries the traffic, how much, and what is dropped where",
	  show_data_path },
	{ "show config", "[KEY]", "the configuration in force, without secrets", show_config },
	{ "trace", "HOME-ADDRESS|NAI", "each message of a node as it comes, and why what was done",
	  trace },
	{ "clear binding", "HOME-ADDRESS|NAI", "end all bindings of a node", clear_binding },
	{ "drain", "[off]", "revoke bindings, refuse registrations; off: serve again", drain },
	{ "state check", "", "read the database through: is it sound?", check_state },
	{ "state export", "", "what is remembered of every node, JSON lines", export_state },
	{ "state import", "LINE", "a line of an export; -: those of standard input", import_state },
	{ "show cluster", "", "the hosts that share the state, and how far behind they are",
	  show_cluster },
	{ "cluster promote", "", "answer registrations: this host is the active one", promote },
	{ "cluster standby", "", "answer nobody, and follow the others", stand_by },
	{ "reload", "", "read the configuration again; bindings stay", reload },
	{ "log-level", "LEVEL", "log error, warning, notice, info or debug and above",
	  set_log_level },
	{ 0 }
};

/* ---- ---- */

static void name_was_gone(void *ctx, const char *path, int rc)
{
	(void)ctx;
	if (rc < 0)
		log_warning("the control socket was taken away and cannot be put back yet",
			    "event=control-socket-lost socket=%s error=\"%s\"", path, err_text(rc));
	else
		log_notice("the control socket was taken away and is back",
			   "event=control-socket-restored socket=%s", path);
}

int ha_ctl_open(const struct ha_ctl_env *env, const char *socket, const char *group,
		struct ha_ctl **ret_ctl)
{
	struct ctl_conf conf = { .path = socket,
				 .group = group,
				 .commands = ha_ctl_commands,
				 .name_was_gone = name_was_gone };
	struct ha_ctl *c = calloc(1, sizeof(*c));
	time_t now = time(NULL);
	struct tm tm;
	int rc;

	if (!c)
		return -ENOMEM;
	c->env = *env;
	c->traces.nodes = &env->engine->nodes;
	c->started_mono_ms = loop_now(env->loop)->mono_ms;
	if (gmtime_r(&now, &tm))
		(void)strftime(c->started_at, sizeof(c->started_at), "%Y-%m-%dT%H:%M:%SZ", &tm);
	conf.ctx = c;
	rc = ctl_server_open(env->loop, &conf, &c->server);
	if (rc < 0) {
		free(c);
		return rc;
	}
	*ret_ctl = c;
	return 0;
}

void ha_ctl_reloaded(struct ha_ctl *c, int result, const char *restart_keys)
{
	c->restart_keys = restart_keys;
	ctl_answer_deferred(c->server, result);
	c->restart_keys = NULL;
}

struct ha_ctl *ha_ctl_close(struct ha_ctl *c)
{
	if (c) {
		ctl_server_close(c->server);
		free(c);
	}
	return NULL;
}

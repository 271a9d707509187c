/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A page begins at a key and goes on in order: keys come from the sorted sets of the engine's
 * tables (common/order.h), and each row is read from the object itself, as it is at that moment.
 * A page is a few dozen rows, some microseconds: that is all that a walk, however long, takes from
 * the registrations at a time, and no cursor outlives it.
 *
 * Enumerations are those of RFC 2006 and of HOME-AGENT-MIB.
 */
#include "ha-core/snmp/snmp_source.h"

#include "ha-core/tunnel/encap.h"
#include "ha-core/tunnel/tunnel.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_ROWS 64 /* keys fetched at once */

/* mipSecReplayMethod, mipSecAlgorithmType, mipSecAlgorithmMode */
enum { REPLAY_IS_TIMESTAMPS = 2, REPLAY_IS_NONCES = 3 };
enum { ALGORITHM_IS_OTHER = 1, ALGORITHM_IS_MD5 = 2 };
enum { MODE_IS_OTHER = 1, MODE_IS_PREFIX_SUFFIX = 2 };
/* mipEntities, mipEncapsulationSupported, RegistrationFlags: bit 0 is the highest */
enum { ENTITY_HOME_AGENT = 0x20 };
enum {
	ENCAP_BIT_IPIP = 0x80,
	ENCAP_BIT_GRE = 0x40,
	ENCAP_BIT_MINIMAL = 0x20,
	ENCAP_BIT_UDP = 0x10
};
enum {
	FLAG_GRE = 0x40,
	FLAG_MINIMAL = 0x20,
	FLAG_DECAPSULATES = 0x10,
	FLAG_BROADCAST = 0x08,
	FLAG_SIMULTANEOUS = 0x04
};
/* heFeatures */
enum {
	FEATURE_NAT = 0x80,
	FEATURE_FORCED_UDP = 0x40,
	FEATURE_TNC = 0x20,
	FEATURE_REVOCATION = 0x10,
	FEATURE_DYNAMIC_HA = 0x08,
	FEATURE_NAI = 0x04,
	FEATURE_INSIDE_FILTER = 0x02
};

size_t snmp_row_size(enum snmp_table table)
{
	static const size_t sizes[SNMP_TABLE_CNT] = {
		[SNMP_AGENT] = sizeof(struct snmp_row_agent),
		[SNMP_ASSOCIATIONS] = sizeof(struct snmp_row_association),
		[SNMP_VIOLATIONS] = sizeof(struct snmp_row_violation),
		[SNMP_ADVERTISEMENTS] = sizeof(struct snmp_row_advertisement),
		[SNMP_BINDINGS] = sizeof(struct snmp_row_binding),
		[SNMP_NODES] = sizeof(struct snmp_row_node),
		[SNMP_TRUSTED] = sizeof(struct snmp_row_trusted),
		[SNMP_OFFENDERS] = sizeof(struct snmp_row_violation),
		[SNMP_CODES] = sizeof(struct snmp_row_code),
		[SNMP_INTERFACES] = sizeof(struct snmp_row_interface),
	};

	assert(table < SNMP_TABLE_CNT);
	return sizes[table];
}

void snmp_text_set(struct mib_text *out, const void *octets, size_t len)
{
	out->len = (uint8_t)(len < sizeof(out->octets) ? len : sizeof(out->octets));
	if (out->len > 0)
		memcpy(out->octets, octets, out->len);
}

static void text_set_string(struct mib_text *out, const char *text)
{
	snmp_text_set(out, text ? text : "", text ? strlen(text) : 0);
}

static void text_set_nai(struct mib_text *out, const struct sa_peer *peer)
{
	snmp_text_set(out, peer ? sa_peer_nai(peer) : NULL, peer ? sa_peer_nai_len(peer) : 0);
}

/* Never 0: that is "never". */
static uint32_t centiseconds(uint64_t ms)
{
	uint32_t cs = (uint32_t)(ms / 10);

	return cs ? cs : 1;
}

/* --- rows are added to a page --- */

static bool has_room(const struct snmp_page *p)
{
	const size_t size = snmp_row_size((enum snmp_table)p->table);

	return (p->cnt + 1) * size <= sizeof(p->rows);
}

/* The next row of the page, zeroed but for its key. The caller has asked has_room(). */
static void *add_row(struct snmp_page *p, uint64_t key)
{
	const size_t size = snmp_row_size((enum snmp_table)p->table);
	uint8_t *row = p->rows + p->cnt * size;

	memset(row, 0, size);
	memcpy(row, &key, sizeof(key));
	p->cnt++;
	return row;
}

/*
 * A row for each key of a sorted set. fill() makes it; one of its keys may have several rows
 * (associations), so it is told from where on, and adds them by itself.
 */
static void add_ordered(const struct snmp_source *src, const struct order *order, uint64_t from,
			uint64_t now_ms, struct snmp_page *p,
			void (*add)(const struct snmp_source *src, uint64_t key, uint64_t now_ms,
				    struct snmp_page *p))
{
	uint64_t keys[PAGE_ROWS];
	size_t cnt = order_page(order, from, keys, PAGE_ROWS), i;

	for (i = 0; i < cnt && has_room(p); i++)
		add(src, keys[i], now_ms, p);
	p->more = i < cnt || cnt == PAGE_ROWS;
}

/* --- scalars --- */

static uint8_t encapsulations(const struct engine_conf *conf)
{
	uint8_t bits = ENCAP_BIT_IPIP;
	size_t i;

	for (i = 0; i < conf->encap_cnt; i++) {
		if (conf->encap[i] == ENCAP_GRE)
			bits |= ENCAP_BIT_GRE;
		else if (conf->encap[i] == ENCAP_MINIMAL)
			bits |= ENCAP_BIT_MINIMAL;
	}
	return conf->nat_enabled ? bits | ENCAP_BIT_UDP : bits;
}

static uint8_t features(const struct snmp_source *src)
{
	const struct engine_conf *conf = &src->engine->conf;
	uint8_t bits = FEATURE_NAI | FEATURE_DYNAMIC_HA;

	if (conf->nat_enabled)
		bits |= FEATURE_NAT;
	if (conf->nat_enabled && conf->nat_forced)
		bits |= FEATURE_FORCED_UDP;
	if (conf->revocation.enabled)
		bits |= FEATURE_REVOCATION;
	if (src->has_tnc)
		bits |= FEATURE_TNC;
	if (src->has_inside_filter)
		bits |= FEATURE_INSIDE_FILTER;
	return bits;
}

static void set_last_offender(struct snmp_offender *out, const struct violation *v)
{
	if (!v)
		return;
	out->address = v->last.peer;
	out->port = v->last.port;
	out->home_addr = v->last.home_addr;
	out->care_of = v->last.care_of;
	out->when_cs = centiseconds(v->last_ms);
}

void snmp_source_cluster(const struct snmp_source *src, struct snmp_cluster *out)
{
	*out = (struct snmp_cluster){ .state = SNMP_CLUSTER_NONE, .role = SNMP_CLUSTER_ACTIVE };
	if (src->cluster)
		src->cluster(src->store_ctx, out);
}

void snmp_source_store(const struct snmp_source *src, struct snmp_store *out)
{
	*out = (struct snmp_store){ .state = SNMP_STORE_NONE };
	if (src->store)
		src->store(src->store_ctx, out);
}

static void add_agent(const struct snmp_source *src, uint64_t now_ms, struct snmp_page *p)
{
	const struct engine *e = src->engine;
	struct snmp_row_agent *row = add_row(p, 0);

	row->stats = e->stats;
	tunnel_add_stats(src->tunnel, &row->stats);
	row->enabled = 1;
	row->entities = ENTITY_HOME_AGENT;
	row->encapsulations = encapsulations(&e->conf);
	row->violations = e->violations.total;
	row->requests = e->stats.requests_received - e->stats.messages_unknown_type;
	row->accepted_simple = e->stats.requests_accepted - e->stats.accepted_1;
	row->accepted_single = e->stats.accepted_1;
	text_set_string(&row->name, src->name);
	text_set_string(&row->version, HOME_AGENT_VERSION);
	text_set_string(&row->data_path, tunnel_name(src->tunnel));
	text_set_string(&row->device, src->device);
	row->role = src->external ? 2 : 1;
	row->features = features(src);
	row->address = e->conf.home_agent;
	row->port = src->port;
	row->up_since_cs = src->up_since_cs;
	row->up_cs = (uint32_t)(now_ms / 10) - src->up_since_cs;
	row->reloads = src->reloads;
	row->reloads_refused = src->reloads_refused;
	row->nodes = (uint32_t)e->nodes.cnt;
	row->draining = e->revocation.draining;
	row->trusted_networks = (uint32_t)src->trusted_cnt;
	row->bindings = (uint32_t)e->cache.cnt;
	row->bindings_peak =
		src->bindings_peak > row->bindings ? src->bindings_peak : row->bindings;
	set_last_offender(&row->last_offender, e->offenders.newest);
	row->processing_us = src->processing_ns / 1000;
	row->processing_max_us = (uint32_t)(src->processing_max_ns / 1000);
	row->rate = src->rate;
	row->rate_peak = src->rate_peak;
	row->notices = src->notices;
	row->notices_suppressed = src->notices_suppressed;
	snmp_source_store(src, &row->store);
	snmp_source_cluster(src, &row->cluster);
}

/* --- security associations --- */

/* The association with the smallest SPI that is `from` or above. */
static const struct sa *next_sa(const struct sa_peer *peer, uint64_t from)
{
	const struct sa *sa, *next = NULL;

	for (sa = peer ? peer->sas : NULL; sa; sa = sa->next)
		if (sa->spi >= from && (!next || sa->spi < next->spi))
			next = sa;
	return next;
}

static void add_association(struct snmp_page *p, uint64_t key, const struct sa *sa)
{
	struct snmp_row_association *row = add_row(p, key);
	const enum mac_algorithm alg = mac_algorithm(&sa->mac);

	row->algorithm_type =
		alg == MAC_HMAC_MD5 || alg == MAC_KEYED_MD5 ? ALGORITHM_IS_MD5 : ALGORITHM_IS_OTHER;
	row->algorithm_mode = alg == MAC_KEYED_MD5 ? MODE_IS_PREFIX_SUFFIX : MODE_IS_OTHER;
	row->replay = sa->replay.style == REPLAY_NONCE ? REPLAY_IS_NONCES : REPLAY_IS_TIMESTAMPS;
}

/* Those of one address: a mobile node's and, where the two are one host, a foreign agent's. */
static void add_associations_of(const struct engine *e, uint32_t addr, uint64_t spi,
				struct snmp_page *p)
{
	const struct sa_peer *node = sa_peer_find(&e->nodes, addr_from_host(addr));
	const struct sa_peer *agent = sa_peer_find(&e->agents, addr_from_host(addr));
	const struct sa *sa, *other;

	for (; has_room(p); spi = (uint64_t)sa->spi + 1) {
		sa = next_sa(node, spi);
		other = next_sa(agent, spi);
		if (!sa || (other && other->spi < sa->spi))
			sa = other;
		if (!sa)
			break;
		add_association(p, (uint64_t)addr << 32 | sa->spi, sa);
	}
}

/* The next address of either table. */
static bool next_peer(const struct engine *e, uint64_t from, uint32_t *ret_addr)
{
	uint64_t node, agent;
	bool has_node = order_page(&e->nodes.order, from, &node, 1) == 1;
	bool has_agent = order_page(&e->agents.order, from, &agent, 1) == 1;

	if (!has_node && !has_agent)
		return false;
	*ret_addr = (uint32_t)(has_node && (!has_agent || node < agent) ? node : agent);
	return true;
}

static void add_associations(const struct snmp_source *src, uint64_t from, struct snmp_page *p)
{
	uint64_t spi = from & UINT32_MAX, next = from >> 32;
	uint32_t addr;

	while (p->cnt < PAGE_ROWS && next_peer(src->engine, next, &addr)) {
		add_associations_of(src->engine, addr, addr == from >> 32 ? spi : 0, p);
		next = (uint64_t)addr + 1;
	}
	/* Full in the middle of a peer, or at its end: the next page finds out. */
	p->more = p->cnt >= PAGE_ROWS;
}

/* --- violations and offenders --- */

/* The SPI of the extension that broke the rule: 0 where that was none of them (RFC 2006). */
static uint32_t violation_spi(const struct violation_event *event)
{
	switch (engine_violation_of((enum reg_reason)event->reason)) {
	case ENGINE_VIOLATION_AUTHENTICATOR:
	case ENGINE_VIOLATION_IDENTIFIER:
		return event->spi;
	case ENGINE_VIOLATION_NONE:
	case ENGINE_VIOLATION_ASSOCIATION:
	case ENGINE_VIOLATION_SPI:
	case ENGINE_VIOLATION_EXTENSION:
	case ENGINE_VIOLATION_OTHER:
		break;
	}
	return 0;
}

void snmp_source_violation(const struct violation *v, bool offends, struct snmp_row_violation *out)
{
	const struct violation_event *last = &v->last;
	const enum reg_reason reason = (enum reg_reason)last->reason;

	out->peer = last->peer;
	out->cnt = v->cnt;
	out->spi = violation_spi(last);
	out->first_cs = centiseconds(v->first_ms);
	out->when_cs = centiseconds(v->last_ms);
	out->ident_low = (uint32_t)last->ident;
	out->ident_high = (uint32_t)(last->ident >> 32);
	out->port = last->port;
	out->home_addr = last->home_addr;
	out->care_of = last->care_of;
	if (offends)
		out->reason = reason == REG_REASON_INSIDE ? 2 : 1; /* heOffenderReason */
	else
		out->reason = (uint32_t)engine_violation_of(reason);
}

static void add_violation(const struct snmp_source *src, uint64_t key, uint64_t now_ms,
			  struct snmp_page *p)
{
	(void)now_ms;
	snmp_source_violation(violation_find(&src->engine->violations,
					     addr_from_host((uint32_t)key)),
			      false, add_row(p, key));
}

static void add_offender(const struct snmp_source *src, uint64_t key, uint64_t now_ms,
			 struct snmp_page *p)
{
	(void)now_ms;
	snmp_source_violation(violation_find(&src->engine->offenders,
					     addr_from_host((uint32_t)key)),
			      true, add_row(p, key));
}

/* --- bindings --- */

static uint8_t registration_flags(uint8_t flags)
{
	return (uint8_t)((flags & REG_FLAG_G ? FLAG_GRE : 0) |
			 (flags & REG_FLAG_M ? FLAG_MINIMAL : 0) |
			 (flags & REG_FLAG_D ? FLAG_DECAPSULATES : 0) |
			 (flags & REG_FLAG_B ? FLAG_BROADCAST : 0) |
			 (flags & REG_FLAG_S ? FLAG_SIMULTANEOUS : 0));
}

static uint32_t binding_encapsulation(uint8_t encap)
{
	return encap == ENCAP_MINIMAL ? 2 : encap == ENCAP_GRE ? 3 : 1;
}

/* heBindingAlgorithm; unknown(1) if the association was taken away by a reload. */
static uint32_t binding_algorithm(const struct binding *b)
{
	const struct sa *sa = b->node ? sa_find(b->node, b->spi) : NULL;

	return sa ? (uint32_t)mac_algorithm(&sa->mac) + 2 : 1;
}

/* Where it stands: by home address, then by care-of address. */
static uint64_t binding_key_of(const struct binding *b)
{
	return (uint64_t)addr_host(b->key.home_addr) << 32 | addr_host(b->care_of);
}

static void add_binding(const struct snmp_source *src, const struct binding *b, uint64_t now_ms,
			struct snmp_page *p)
{
	const struct binding_count count = tunnel_count(src->tunnel, b);
	struct snmp_row_binding *row = add_row(p, binding_key_of(b));
	size_t i;

	row->home_addr = b->key.home_addr;
	row->home_agent = b->key.home_agent;
	row->care_of = b->care_of;
	row->src = b->src;
	row->src_port = b->src_port;
	row->flags = registration_flags(b->flags);
	row->ident_low = (uint32_t)b->ident;
	row->ident_high = (uint32_t)(b->ident >> 32);
	for (i = 0; i < sizeof(row->ident); i++)
		row->ident[i] = (uint8_t)(b->ident >> (8 * (sizeof(row->ident) - 1 - i)));
	row->lifetime_s = b->lifetime_s;
	row->remaining_s = binding_remaining_s(b, now_ms);
	text_set_nai(&row->nai, b->node);
	row->peer = b->tunnel.peer;
	row->peer_port = b->tunnel.peer_port;
	row->encapsulation = binding_encapsulation(b->tunnel.encap);
	row->udp = b->tunnel.udp;
	row->forced = b->udp_forced;
	row->half_bound = b->tunnel.half_bound;
	row->reverse = b->tunnel.reverse;
	row->from_fa = !(b->flags & REG_FLAG_D);
	row->revocable = binding_revocation_of(b) != NULL;
	row->keepalive_s = b->keepalive_s;
	row->keepalives = b->keepalives;
	row->spi = b->spi;
	row->algorithm = binding_algorithm(b);
	row->packets_to = count.packets_to;
	row->bytes_to = count.bytes_to;
	row->packets_from = count.packets_from;
	row->bytes_from = count.bytes_from;
}

/* Of one home address: the binding with the smallest care-of address that is `from` or above. */
static const struct binding *next_binding(const struct engine *e, uint32_t home_addr, uint64_t from)
{
	const struct binding_key key = { addr_from_host(home_addr), e->conf.home_agent };
	const struct binding *b, *next = NULL;

	for (b = binding_find(&e->cache, key); b; b = binding_sibling(b))
		if (addr_host(b->care_of) >= from &&
		    (!next || addr_host(b->care_of) < addr_host(next->care_of)))
			next = b;
	return next;
}

static void add_bindings(const struct snmp_source *src, uint64_t from, uint64_t now_ms,
			 struct snmp_page *p)
{
	uint64_t care_of = from & UINT32_MAX, home_addr = from >> 32;
	const struct binding *b;

	while (has_room(p) &&
	       order_page(&src->engine->cache.order, home_addr, &home_addr, 1) == 1) {
		if (home_addr != from >> 32)
			care_of = 0;
		while (has_room(p) &&
		       (b = next_binding(src->engine, (uint32_t)home_addr, care_of))) {
			add_binding(src, b, now_ms, p);
			care_of = (uint64_t)addr_host(b->care_of) + 1;
		}
		home_addr++;
	}
	/* Full in the middle of a node, or at its end: the next page finds out. */
	p->more = !has_room(p);
}

/* --- mobile nodes --- */

/* RFC 2006 knows the codes of its day; what came later has no name there. */
static uint32_t denied_code(uint8_t code)
{
	return code >= REG_REASON_UNSPECIFIED && code <= REG_UNKNOWN_HOME_AGENT
		       ? code
		       : REG_REASON_UNSPECIFIED;
}

static void add_node(const struct snmp_source *src, uint64_t key, uint64_t now_ms,
		     struct snmp_page *p)
{
	const struct engine *e = src->engine;
	const struct binding_key at = { addr_from_host((uint32_t)key), e->conf.home_agent };
	const struct sa_peer *node = sa_peer_find(&e->nodes, at.home_addr);
	struct snmp_row_node *row = add_row(p, key);
	const struct sa_peer_count *count = &node->count;
	const struct sa_denials *denials = sa_peer_denied(node);

	row->accepted = count->accepted;
	row->service_s = count->service_s;
	if (count->service_since_cs)
		row->service_s += (centiseconds(now_ms) - count->service_since_cs) / 100;
	row->accepted_cs = count->accepted_cs;
	if (denials) {
		row->denied = denials->cnt;
		row->denied_cs = denials->last_cs;
		row->denied_code = denied_code(denials->code);
		row->last_code = denials->code;
	}
	text_set_nai(&row->nai, node);
	row->bindings = binding_cnt(binding_find(&e->cache, at));
}

/* --- trusted networks --- */

/* By its prefix, so that it stays what it is when others come and go. */
static uint64_t trusted_key(const struct snmp_trusted *t)
{
	return (uint64_t)addr_host(t->prefix.addr) << 8 | (uint64_t)t->prefix.len;
}

static void add_trusted(const struct snmp_source *src, uint64_t from, struct snmp_page *p)
{
	const struct snmp_trusted *t = src->trusted, *end = t + src->trusted_cnt;
	struct snmp_row_trusted *row;

	for (; t < end && trusted_key(t) < from; t++)
		;
	for (; t < end && has_room(p); t++) {
		row = add_row(p, trusted_key(t));
		row->requests = t->requests;
		row->used_cs = t->used_cs;
	}
	p->more = t < end;
}

/* The network that the address is in. They are disjoint and ascend, as an addr_set's do. */
static struct snmp_trusted *find_trusted(const struct snmp_source *src, struct in_addr addr)
{
	size_t low = 0, high = src->trusted_cnt, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (addr_host(src->trusted[mid].prefix.addr) > addr_host(addr))
			high = mid;
		else
			low = mid + 1;
	}
	if (low == 0 || !addr_prefix_contains(src->trusted[low - 1].prefix, addr))
		return NULL;
	return &src->trusted[low - 1];
}

void snmp_source_trusted_used(struct snmp_source *src, struct in_addr addr, uint64_t now_ms)
{
	struct snmp_trusted *t = find_trusted(src, addr);

	if (!t)
		return;
	t->requests++;
	t->used_cs = centiseconds(now_ms);
}

int snmp_source_set_trusted(struct snmp_source *src, const struct addr_set *set)
{
	const size_t cnt = set ? set->cnt : 0;
	struct snmp_trusted *fresh = calloc(cnt + 1, sizeof(*fresh));
	const struct snmp_trusted *before;
	size_t i;

	if (!fresh)
		return -ENOMEM;
	for (i = 0; i < cnt; i++) {
		before = find_trusted(src, set->prefixes[i].addr);
		if (before && before->prefix.len == set->prefixes[i].len)
			fresh[i] = *before;
		fresh[i].prefix = set->prefixes[i];
	}
	free(src->trusted);
	src->trusted = fresh;
	src->trusted_cnt = cnt;
	return 0;
}

/* --- advertisements, reply codes --- */

static void add_advertisements(const struct snmp_source *src, uint64_t from, struct snmp_page *p)
{
	size_t i;

	for (i = 0; i < src->advertisement_cnt && has_room(p); i++)
		if (src->advertisements[i].key >= from)
			memcpy(add_row(p, src->advertisements[i].key), &src->advertisements[i],
			       sizeof(src->advertisements[i]));
	p->more = i < src->advertisement_cnt;
}

static void add_codes(const struct snmp_source *src, uint64_t from, struct snmp_page *p)
{
	const struct stats *s = &src->engine->stats;
	const struct snmp_row_code rows[] = {
		{ REG_ACCEPTED, s->requests_accepted - s->accepted_1 },
		{ REG_ACCEPTED_NO_SIMULTANEOUS, s->accepted_1 },
		{ REG_REASON_UNSPECIFIED, s->denied_128 },
		{ REG_ADMINISTRATIVELY_PROHIBITED, s->denied_129 },
		{ REG_INSUFFICIENT_RESOURCES, s->denied_130 },
		{ REG_MN_FAILED_AUTH, s->denied_131 },
		{ REG_FA_FAILED_AUTH, s->denied_132 },
		{ REG_IDENT_MISMATCH, s->denied_133 },
		{ REG_POORLY_FORMED, s->denied_134 },
		{ REG_TOO_MANY_BINDINGS, s->denied_135 },
		{ REG_UNKNOWN_HOME_AGENT, s->denied_136 },
		{ REG_REVERSE_TUNNEL_UNAVAILABLE, s->denied_137 },
		{ REG_REVERSE_TUNNEL_MANDATORY, s->denied_138 },
		{ REG_ENCAPSULATION_UNAVAILABLE, s->denied_139 },
		{ REG_UNKNOWN_VENDOR_EXT_OF_MN, s->denied_140 },
		{ REG_UNKNOWN_VENDOR_EXT_OF_FA, s->denied_141 },
		{ REG_UDP_ENCAPSULATION_UNAVAILABLE, s->denied_142 },
		{ REG_REDIRECTED, s->denied_143 },
		{ REG_MOBILE_NETWORK_ERROR, s->denied_147 },
		{ REG_MOBILE_ROUTER_DISALLOWED, s->denied_148 },
		{ REG_SERVICE_UNAUTHORIZED, s->denied_151 },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].key >= from)
			memcpy(add_row(p, rows[i].key), &rows[i], sizeof(rows[i]));
}

/* --- interfaces --- */

uint32_t snmp_source_tier(const char *name)
{
	static const char *const tiers[] = { "tun", "kernel", "tc", "xdp" };
	uint32_t i;

	for (i = 0; i < sizeof(tiers) / sizeof(tiers[0]); i++)
		if (strcmp(name, tiers[i]) == 0)
			return i + 1;
	return 0;
}

/* The ports with the smallest numbers from some on; the data path has them in no order. */
struct port_page {
	uint64_t from;
	struct tunnel_port ports[PAGE_ROWS];
	size_t cnt;
	bool more; /* one had to go */
};

static void take_port(void *ctx, const struct tunnel_port *port)
{
	struct port_page *page = ctx;
	size_t i;

	if (port->ifindex < page->from)
		return;
	for (i = page->cnt; i > 0 && page->ports[i - 1].ifindex > port->ifindex; i--)
		if (i < PAGE_ROWS)
			page->ports[i] = page->ports[i - 1];
	page->more |= page->cnt == PAGE_ROWS;
	if (i < PAGE_ROWS)
		page->ports[i] = *port;
	if (page->cnt < PAGE_ROWS)
		page->cnt++;
}

static void add_interfaces(const struct snmp_source *src, uint64_t from, struct snmp_page *p)
{
	struct port_page page = { .from = from };
	struct snmp_row_interface *row;
	size_t i;

	tunnel_for_each_port(src->tunnel, take_port, &page);
	for (i = 0; i < page.cnt && has_room(p); i++) {
		row = add_row(p, page.ports[i].ifindex);
		text_set_string(&row->name, page.ports[i].interface);
		text_set_string(&row->why, page.ports[i].why);
		row->tier = snmp_source_tier(page.ports[i].tier);
		row->drops = page.ports[i].drops;
	}
	p->more = page.more || i < page.cnt;
}

/* --- --- */

size_t snmp_source_page(const struct snmp_source *src, enum snmp_table table, uint64_t from,
			uint64_t now_ms, struct snmp_page *out)
{
	const struct engine *e = src->engine;
	struct snmp_page *p = out;

	p->table = table;
	p->from = from;
	p->cnt = 0;
	p->more = 0;
	switch (table) {
	case SNMP_AGENT:
		if (from == 0)
			add_agent(src, now_ms, p);
		break;
	case SNMP_ASSOCIATIONS:
		add_associations(src, from, p);
		break;
	case SNMP_VIOLATIONS:
		add_ordered(src, &e->violations.order, from, now_ms, p, add_violation);
		break;
	case SNMP_ADVERTISEMENTS:
		add_advertisements(src, from, p);
		break;
	case SNMP_BINDINGS:
		add_bindings(src, from, now_ms, p);
		break;
	case SNMP_NODES:
		add_ordered(src, &e->nodes.order, from, now_ms, p, add_node);
		break;
	case SNMP_TRUSTED:
		add_trusted(src, from, p);
		break;
	case SNMP_OFFENDERS:
		add_ordered(src, &e->offenders.order, from, now_ms, p, add_offender);
		break;
	case SNMP_CODES:
		add_codes(src, from, p);
		break;
	case SNMP_INTERFACES:
		add_interfaces(src, from, p);
		break;
	case SNMP_TABLE_CNT:
		break;
	}
	return p->cnt * snmp_row_size(table);
}

void snmp_source_done(struct snmp_source *src)
{
	free(src->trusted);
	free(src->advertisements);
	*src = (struct snmp_source){ 0 };
}

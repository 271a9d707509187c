/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registration revocation (RFC 3543), the home agent's part.
 *
 * Objects: what is outstanding outlives its binding, and maybe the association that its messages
 * are signed with, so it owns a copy of the key. It goes when it is acknowledged, when the
 * binding's lifetime is over, when the node has registered anew (a revocation sent again would
 * hit the new binding), or when there are too many and it is the oldest. An agent's replay state
 * is made when it first sends Revocation Support under its own authenticator, and stays: there
 * are never more of them than foreign agents configured in one run.
 *
 * Choices where RFC 3543 leaves room:
 * - Timestamps are NTP seconds (§3.2 only wants one clock for all of them).
 * - Identifiers of one agent may arrive out of order (§6.2), and other nodes' requests carry newer
 *   Support meanwhile. So an identifier must be newer than the Support of the very binding that
 *   it revokes, and no older than REVOCATION_WINDOW_S before the agent's last one.
 * - What is outstanding at a stop is sent again after the start, at the time at which it would have
 *   been, or at once; under a key that is still configured, for records hold none.
 * - A message 7 for a binding that is not there is acknowledged once it has passed every other
 *   check: our first acknowledgement was lost, and the agent would go on asking.
 * - Behind a NAT port 434 leads nowhere: a UDP tunnel's peer is told through its mapping (§3.3
 *   knows 434 only).
 */
#include "ha-core/engine/revocation.h"

#include "common/err.h"
#include "ha-core/engine/check.h"
#include "ha-core/engine/memory.h"
#include "ha-core/wire/revocation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 128 /* fixed part and one authenticator */

/** A message 7 that waits for its acknowledgement. */
struct outstanding {
	struct hash_node by_home;
	struct outstanding *next, *prev;
	struct revocation_message message;
	struct in_addr dst, agent; /* agent 0.0.0.0: the mobile node itself is told */
	uint16_t port;
	enum ext_type auth; /* the mobile node's authenticator, or the foreign agent's */
	uint32_t spi;
	struct mac *mac; /* owned, a copy */
	bool is_sent;
	uint64_t due_ms;
	uint64_t interval_ms; /* to wait after the next transmission */
	uint64_t ends_ms;     /* the binding's lifetime */
};

/** What we know of a foreign agent's clock, and of the revocations that it has sent. */
struct agent_state {
	struct hash_node by_addr;
	struct in_addr addr;
	uint32_t newest;   /* of the timestamps of its Support and the identifiers accepted */
	unsigned int next; /* of seen[], to be overwritten */
	struct {
		struct in_addr home_addr; /* 0.0.0.0: nothing yet */
		uint32_t ident;
	} seen[REVOCATION_SEEN_MAX];
};

static uint32_t seconds(uint64_t ntp)
{
	return (uint32_t)(ntp >> 32);
}

/* Modulo 2^32, so that the era change of 2036 passes unnoticed. */
static bool is_newer(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

int revocation_init(struct revocation *rv)
{
	int rc;

	*rv = (struct revocation){ 0 };
	rc = hash_init(&rv->by_home, 4096);
	if (rc < 0)
		return rc;
	return hash_init(&rv->agents, 256);
}

static uint64_t home_hash(const struct revocation *rv, struct in_addr home_addr)
{
	return hash_u64(&rv->by_home, home_addr.s_addr);
}

static void append(struct revocation *rv, struct outstanding *o)
{
	hash_put(&rv->by_home, &o->by_home, home_hash(rv, o->message.home_addr));
	o->prev = rv->last;
	*(o->prev ? &o->prev->next : &rv->first) = o;
	rv->last = o;
	rv->cnt++;
}

static void drop(struct revocation *rv, struct outstanding *o)
{
	hash_del(&rv->by_home, &o->by_home);
	*(o->prev ? &o->prev->next : &rv->first) = o->next;
	*(o->next ? &o->next->prev : &rv->last) = o->prev;
	rv->cnt--;
	mac_free(o->mac);
	free(o);
}

/* It is in memory on the disk, too, until it is over. */
static void remember_outstanding(const struct engine *e, const struct outstanding *o, bool is_over)
{
	if (e->hooks.outstanding)
		e->hooks.outstanding(e->hooks.ctx, o, is_over);
}

static void forget(struct engine *e, struct outstanding *o)
{
	remember_outstanding(e, o, true);
	drop(&e->revocation, o);
}

void revocation_done(struct revocation *rv)
{
	struct hash_node *n, *next;
	size_t i;

	while (rv->first)
		drop(rv, rv->first);
	for (i = 0; rv->agents.buckets && i <= rv->agents.last; i++) {
		for (n = hash_bucket(&rv->agents, i); n; n = next) {
			next = n->next;
			free(hash_entry(n, struct agent_state, by_addr));
		}
	}
	hash_done(&rv->agents);
	hash_done(&rv->by_home);
	*rv = (struct revocation){ 0 };
}

static struct agent_state *find_agent(const struct revocation *rv, struct in_addr addr)
{
	uint64_t h = hash_u64(&rv->agents, addr.s_addr);
	struct hash_node *n;

	for (n = hash_first(&rv->agents, h); n; n = hash_next(n, h))
		if (addr_eq(hash_entry(n, struct agent_state, by_addr)->addr, addr))
			return hash_entry(n, struct agent_state, by_addr);
	return NULL;
}

/* The next one of a home address; before NULL: the first. There are as few as it had bindings. */
static struct outstanding *next_of(const struct revocation *rv, struct in_addr home_addr,
				   struct outstanding *before)
{
	uint64_t h = home_hash(rv, home_addr);
	struct hash_node *n = before ? hash_next(&before->by_home, h) : hash_first(&rv->by_home, h);
	struct outstanding *o;

	for (; n; n = hash_next(n, h)) {
		o = hash_entry(n, struct outstanding, by_home);
		if (addr_eq(o->message.home_addr, home_addr))
			return o;
	}
	return NULL;
}

static struct outstanding *find_care_of(const struct revocation *rv, struct in_addr home_addr,
					struct in_addr care_of)
{
	struct outstanding *o = next_of(rv, home_addr, NULL);

	while (o && !addr_eq(o->message.foreign_domain, care_of))
		o = next_of(rv, home_addr, o);
	return o;
}

static void tell_runner(const struct engine *e)
{
	if (e->hooks.revoke)
		e->hooks.revoke(e->hooks.ctx);
}

/* --- negotiation --- */

struct reg_outcome check_draining(struct engine *e, struct exchange *x)
{
	(void)x;
	if (e->revocation.draining)
		return outcome_deny(REG_ADMINISTRATIVELY_PROHIBITED, REG_REASON_DRAINING);
	return outcome_go_on();
}

/*
 * Whose Support counts (§3.2)? The agent's, under the agent's authenticator; or the node's own, if
 * it registers a co-located address directly. A node that does so by way of an agent is not
 * provided for (§4.3.2). A NAT is no agent: it shows by the UDP tunnel.
 */
static const struct ext *support_of(const struct exchange *x)
{
	const struct ext *own = &x->support[0], *agents = &x->support[1];

	if (!(x->req.flags & REG_FLAG_D))
		return x->agent_verified && agents->data &&
				       agents->start < x->msg + x->fhae.covered_len
			       ? agents
			       : NULL;
	if (x->agent || (exchange_source_differs(x) && !x->grant.udp) || x->grant.half_bound)
		return NULL;
	return own->data ? own : NULL;
}

struct reg_outcome check_revocation(struct engine *e, struct exchange *x)
{
	const struct ext *ext = e->conf.revocation.enabled ? support_of(x) : NULL;
	struct revocation_support support;
	bool from_agent = !(x->req.flags & REG_FLAG_D);

	if (ext && revocation_support_decode(ext, &support) == 0)
		x->revocation = (struct binding_revocation){
			.negotiated = true,
			/* §3.2: I only if the other side has it, too */
			.inform = e->conf.revocation.inform && support.inform,
			.agent = from_agent ? x->agent->addr : (struct in_addr){ INADDR_ANY },
			.spi = from_agent ? x->agent_sa->spi : x->sa->spi,
			.peer_timestamp = support.timestamp,
			.own_timestamp = seconds(x->now->ntp),
			.replied_ms = x->now->mono_ms,
		};
	else if (e->conf.revocation.enabled && e->conf.revocation.required)
		return outcome_deny(REG_ADMINISTRATIVELY_PROHIBITED,
				    REG_REASON_REVOCATION_REQUIRED); /* §4.2.1: MAY */
	return outcome_go_on();
}

void revocation_put_support(const struct exchange *x, struct wire_writer *w)
{
	const struct revocation_support support = {
		.inform = x->revocation.inform,
		.timestamp = x->revocation.own_timestamp,
	};

	if (x->revocation.negotiated)
		revocation_support_encode(w, &support);
}

/* Without memory for it the agent's revocations are ignored, and its bindings just expire. */
static int note_support(struct revocation *rv, const struct binding_revocation *r)
{
	struct agent_state *agent = find_agent(rv, r->agent);

	if (!agent) {
		agent = calloc(1, sizeof(*agent));
		if (!agent)
			return -ENOMEM;
		agent->addr = r->agent;
		agent->newest = r->peer_timestamp;
		hash_put(&rv->agents, &agent->by_addr, hash_u64(&rv->agents, r->agent.s_addr));
	}
	/* Far behind itself: the agent's clock was set back. Its word for it is authentic. */
	if (is_newer(r->peer_timestamp, agent->newest) ||
	    is_newer(agent->newest - REVOCATION_WINDOW_S, r->peer_timestamp))
		agent->newest = r->peer_timestamp;
	return 0;
}

void revocation_restored(struct engine *e, const struct binding *b)
{
	const struct binding_revocation *r = binding_revocation_of(b);

	if (r && !addr_is_any(r->agent))
		(void)note_support(&e->revocation, r);
}

void revocation_note(struct engine *e, struct exchange *x, struct binding *b)
{
	struct revocation *rv = &e->revocation;
	struct outstanding *o = find_care_of(rv, b->key.home_addr, b->care_of);

	/* Without memory for it nothing is agreed, and the reply does not say so. */
	if (x->revocation.negotiated &&
	    (binding_set_revocation(b, &x->revocation) < 0 ||
	     (!addr_is_any(x->revocation.agent) && note_support(rv, &x->revocation) < 0)))
		x->revocation.negotiated = false;
	if (!x->revocation.negotiated)
		(void)binding_set_revocation(b, NULL);
	if (o) {
		forget(e, o);
		e->stats.revocations_abandoned++;
	}
}

/* --- ours --- */

static struct sa *sa_of(const struct sa_table *agents, const struct binding *b)
{
	const struct binding_revocation *r = binding_revocation_of(b);
	const struct sa_peer *peer =
		addr_is_any(r->agent) ? b->node : sa_peer_find(agents, r->agent);

	return peer ? sa_find(peer, r->spi) : NULL;
}

void revocation_queue(struct engine *e, const struct sa_table *agents, const struct binding *b)
{
	const struct binding_revocation *r = binding_revocation_of(b);
	struct revocation *rv = &e->revocation;
	struct outstanding *o;
	struct mac *mac;
	struct sa *sa;

	if (!r || !e->conf.revocation.enabled)
		return;
	sa = sa_of(agents, b);
	o = sa && e->conf.revocation.max_outstanding > 0 ? calloc(1, sizeof(*o)) : NULL;
	mac = o ? mac_copy(&sa->mac) : NULL;
	if (!mac) {
		free(o);
		e->stats.revocations_abandoned++;
		return;
	}
	if (rv->cnt >= e->conf.revocation.max_outstanding) {
		forget(e, rv->first);
		e->stats.revocations_abandoned++;
	}
	*o = (struct outstanding){
		.message = { .from_home_agent = true,
			     .inform = r->inform,
			     .home_addr = b->key.home_addr,
			     .home_domain = b->key.home_agent,
			     .foreign_domain = b->care_of,
			     .ident = r->own_timestamp },
		.dst = b->tunnel.udp ? b->tunnel.peer : b->src,
		.agent = r->agent,
		.port = b->tunnel.udp ? b->tunnel.peer_port : REVOCATION_PORT,
		.auth = addr_is_any(r->agent) ? EXT_MOBILE_HOME_AUTH : EXT_FOREIGN_HOME_AUTH,
		.spi = sa->spi,
		.mac = mac,
		/* §3.3: a registration counts as a message of the binding, and so does its reply */
		.due_ms = r->replied_ms + REVOCATION_INTERVAL_MIN_MS,
		.interval_ms = REVOCATION_INTERVAL_MIN_MS,
		.ends_ms = b->expires_ms,
	};
	append(rv, o);
	remember_outstanding(e, o, false);
	tell_runner(e);
}

/* The agent that relays the request sees for itself. The node knows: it is not to be told (I). */
void revocation_queue_left(struct engine *e, const struct exchange *x, struct binding *b)
{
	struct binding_revocation *r = binding_revocation_of(b);

	if (!e->conf.revocation.on_move || !r || addr_is_any(r->agent) ||
	    (x->agent && addr_eq(x->agent->addr, r->agent)))
		return;
	r->inform = false;
	revocation_queue(e, &e->agents, b);
}

/*
 * A new timestamp each time (§3.3), also where the wall clock stood still or was set back; and
 * another than that of a second binding of the node, which is acknowledged under the same key.
 */
static uint32_t next_ident(const struct revocation *rv, const struct outstanding *o, uint32_t now_s)
{
	uint32_t ident = is_newer(now_s, o->message.ident) ? now_s : o->message.ident + 1;
	struct outstanding *other = next_of(rv, o->message.home_addr, NULL);

	while (other) {
		if (other != o && other->message.ident == ident) {
			ident++;
			other = NULL;
		}
		other = next_of(rv, o->message.home_addr, other);
	}
	return ident;
}

static void transmit(struct engine *e, struct outstanding *o, const struct clock *now)
{
	uint8_t buf[MESSAGE_MAX];
	struct wire_writer w = wire_writer(buf, sizeof(buf));

	o->message.ident = next_ident(&e->revocation, o, seconds(now->ntp));
	revocation_message_encode(&w, &o->message);
	engine_sign(&w, o->auth, o->spi, o->mac);
	if (!w.failed && e->hooks.send)
		e->hooks.send(e->hooks.ctx, o->dst, o->port, buf, wire_len(&w));
	o->is_sent = true;
	e->stats.revocations_sent++;

	o->due_ms = now->mono_ms + o->interval_ms;
	o->interval_ms *= 2;
	if (o->interval_ms > REVOCATION_INTERVAL_MAX_MS)
		o->interval_ms = REVOCATION_INTERVAL_MAX_MS;
	remember_outstanding(e, o, false);
}

/* Who can be told goes first come, first served; who cannot is left alone. */
static void drain_some(struct engine *e)
{
	struct revocation *rv = &e->revocation;
	struct binding *b, *next;

	rv->drain_pending = false;
	for (b = binding_first(&e->cache); b; b = next) {
		next = binding_next(&e->cache, b);
		if (!binding_revocation_of(b))
			continue;
		if (rv->cnt >= e->conf.revocation.max_outstanding) {
			rv->drain_pending = true;
			return;
		}
		revocation_queue(e, &e->agents, b);
		engine_end(e, b);
	}
}

uint64_t revocation_run(struct engine *e, const struct clock *now)
{
	struct revocation *rv = &e->revocation;
	uint64_t next_ms = REVOCATION_IDLE_MS;
	struct outstanding *o, *next;

	for (o = rv->first; o; o = next) {
		next = o->next;
		/* Never for a registration that has expired (§3.3: MUST NOT). */
		if (o->ends_ms <= now->mono_ms || !e->conf.revocation.enabled) {
			forget(e, o);
			e->stats.revocations_abandoned++;
		}
	}
	if (rv->drain_pending)
		drain_some(e);
	for (o = rv->first; o; o = o->next) {
		if (o->due_ms <= now->mono_ms)
			transmit(e, o, now);
		if (o->due_ms < next_ms)
			next_ms = o->due_ms;
		if (o->ends_ms < next_ms)
			next_ms = o->ends_ms;
	}
	return next_ms;
}

void revocation_drain(struct engine *e, bool on)
{
	e->revocation.draining = on;
	e->revocation.drain_pending = on && e->conf.revocation.enabled;
	if (on)
		tell_runner(e);
}

/* --- what survives a restart --- */

#define RECORD_VERSION 1

enum record_bit { RECORD_INFORM = 1, RECORD_SENT = 2, RECORD_FROM_NODE = 4 };

size_t revocation_key(const struct outstanding *o, uint8_t ret_key[REVOCATION_KEY_LEN])
{
	ret_key[0] = REVOCATION_KEY_KIND;
	memcpy(ret_key + 1, &o->message.home_addr.s_addr, 4);
	memcpy(ret_key + 5, &o->message.foreign_domain.s_addr, 4);
	return REVOCATION_KEY_LEN;
}

size_t revocation_encode(const struct outstanding *o, const struct memory_time *at,
			 uint8_t ret_value[REVOCATION_VALUE_MAX])
{
	struct wire_writer w = wire_writer(ret_value, REVOCATION_VALUE_MAX);
	unsigned int bits = 0;

	bits |= o->message.inform ? RECORD_INFORM : 0;
	bits |= o->is_sent ? RECORD_SENT : 0;
	bits |= o->auth == EXT_MOBILE_HOME_AUTH ? RECORD_FROM_NODE : 0;
	wire_put_u8(&w, RECORD_VERSION);
	wire_put_u32(&w, at->boot);
	wire_put_u8(&w, (uint8_t)bits);
	wire_put_addr(&w, o->agent);
	wire_put_addr(&w, o->dst);
	wire_put_u16(&w, o->port);
	wire_put_u32(&w, o->spi);
	wire_put_u32(&w, o->message.ident);
	wire_put_u64(&w, o->due_ms);
	wire_put_u32(&w, (uint32_t)o->interval_ms);
	wire_put_u64(&w, o->ends_ms);
	wire_put_u64(&w, memory_ntp_at(o->ends_ms, &at->now));
	return w.failed ? 0 : wire_len(&w);
}

static int decode(const uint8_t *key, size_t key_len, const uint8_t *value, size_t len,
		  const struct memory_time *at, struct outstanding *out)
{
	struct wire_reader k = wire_reader(key, key_len), r = wire_reader(value, len);
	uint64_t ends_ntp, left_ms;
	unsigned int bits;
	uint32_t boot;

	*out = (struct outstanding){ .message.from_home_agent = true };
	(void)wire_u8(&k);
	out->message.home_addr = wire_addr(&k);
	out->message.foreign_domain = wire_addr(&k);
	if (wire_u8(&r) > RECORD_VERSION)
		return ERR_UNSUPPORTED;
	boot = wire_u32(&r);
	bits = wire_u8(&r);
	out->message.inform = bits & RECORD_INFORM;
	out->is_sent = bits & RECORD_SENT;
	out->auth = bits & RECORD_FROM_NODE ? EXT_MOBILE_HOME_AUTH : EXT_FOREIGN_HOME_AUTH;
	out->agent = wire_addr(&r);
	out->dst = wire_addr(&r);
	out->port = wire_u16(&r);
	out->spi = wire_u32(&r);
	out->message.ident = wire_u32(&r);
	out->due_ms = wire_u64(&r);
	out->interval_ms = wire_u32(&r);
	out->ends_ms = wire_u64(&r);
	ends_ntp = wire_u64(&r);
	if (k.failed || r.failed || wire_left(&k) > 0 || wire_left(&r) > 0 ||
	    out->interval_ms < REVOCATION_INTERVAL_MIN_MS ||
	    out->interval_ms > REVOCATION_INTERVAL_MAX_MS)
		return ERR_MALFORMED;
	if (boot != 0 && boot == at->boot)
		return 0;
	out->due_ms = at->now.mono_ms;
	left_ms = memory_ms_until(ends_ntp, &at->now);
	if (out->ends_ms != BINDING_NEVER_MS)
		out->ends_ms = at->now.mono_ms + left_ms;
	return 0;
}

int revocation_check(const uint8_t *key, size_t key_len, const uint8_t *value, size_t len)
{
	const struct memory_time at = { .boot = 0 };
	struct outstanding o;

	return decode(key, key_len, value, len, &at, &o);
}

/* Keys are the configuration's, and in no record: without the association it cannot be said. */
static const struct sa *sa_of_record(const struct engine *e, const struct outstanding *o)
{
	const struct sa_peer *peer = addr_is_any(o->agent)
					     ? sa_peer_find(&e->nodes, o->message.home_addr)
					     : sa_peer_find(&e->agents, o->agent);

	return peer ? sa_find(peer, o->spi) : NULL;
}

int revocation_restore(struct engine *e, const uint8_t *key, size_t key_len, const uint8_t *value,
		       size_t len, const struct memory_time *at)
{
	struct revocation *rv = &e->revocation;
	struct outstanding *o, read;
	const struct sa *sa;
	int rc;

	rc = decode(key, key_len, value, len, at, &read);
	if (rc < 0)
		return rc;
	sa = sa_of_record(e, &read);
	if (at->has_moved || !sa || read.ends_ms <= at->now.mono_ms ||
	    rv->cnt >= e->conf.revocation.max_outstanding) {
		e->stats.revocations_abandoned++;
		return ERR_NOT_FOUND;
	}
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	*o = read;
	o->mac = mac_copy(&sa->mac);
	if (!o->mac) {
		free(o);
		return -ENOMEM;
	}
	o->message.home_domain = e->conf.home_agent;
	append(rv, o);
	tell_runner(e);
	return 0;
}

void revocation_each(const struct engine *e, void (*fn)(void *ctx, const struct outstanding *o),
		     void *ctx)
{
	const struct outstanding *o;

	for (o = e->revocation.first; o; o = o->next)
		fn(ctx, o);
}

/* --- theirs --- */

/* The one authenticator of its kind; what stands behind it is nobody's word, and not looked at. */
static int find_authenticator(const uint8_t *msg, size_t len, size_t fixed_len, enum ext_type type,
			      struct reg_auth *ret_auth)
{
	struct wire_reader r = wire_reader(msg + fixed_len, len - fixed_len);
	unsigned int cnt = 0, found = 0;
	struct ext ext;
	int rc;

	while ((rc = ext_next(&r, &ext)) > 0) {
		if (++cnt > EXT_MAX)
			return ERR_TOO_MANY;
		if (ext.type != type)
			continue;
		rc = reg_auth_decode(msg, &ext, ret_auth);
		if (rc < 0)
			return rc;
		found++;
	}
	if (rc < 0)
		return rc;
	return found == 1 ? 0 : ERR_AUTH;
}

static enum reg_reason reason_of(int err)
{
	return err == ERR_AUTH ? REG_REASON_REVOCATION_AUTH : REG_REASON_REVOCATION_MALFORMED;
}

static bool verifies(const struct mac *mac, const uint8_t *msg, const struct reg_auth *auth)
{
	return mac_verify(mac, msg, auth->covered_len, auth->mac, auth->mac_len) == 0;
}

/* As with requests: by source, or behind a NAT by its own address in the message. */
static struct sa *find_sender(const struct engine *e, const struct revocation_message *m,
			      const struct reg_origin *from, uint32_t spi,
			      const struct sa_peer **ret_agent)
{
	*ret_agent = sa_peer_find(&e->agents, from->src);
	if (!*ret_agent)
		*ret_agent = sa_peer_find(&e->agents, m->foreign_domain);
	return *ret_agent ? sa_find(*ret_agent, spi) : NULL;
}

static bool was_seen(const struct agent_state *agent, const struct revocation_message *m)
{
	unsigned int i;

	for (i = 0; i < REVOCATION_SEEN_MAX; i++)
		if (addr_eq(agent->seen[i].home_addr, m->home_addr) &&
		    agent->seen[i].ident == m->ident)
			return true;
	return false;
}

static bool is_replay(const struct agent_state *agent, const struct revocation_message *m,
		      const struct binding *b)
{
	const struct binding_revocation *r = b ? binding_revocation_of(b) : NULL;

	return (r && !is_newer(m->ident, r->peer_timestamp)) ||
	       !is_newer(m->ident, agent->newest - REVOCATION_WINDOW_S) || was_seen(agent, m);
}

static bool is_of_agent(const struct binding *b, struct in_addr agent)
{
	const struct binding_revocation *r = binding_revocation_of(b);

	return r && addr_eq(r->agent, agent);
}

static void remember(struct agent_state *agent, const struct revocation_message *m)
{
	agent->seen[agent->next].home_addr = m->home_addr;
	agent->seen[agent->next].ident = m->ident;
	agent->next = (agent->next + 1) % REVOCATION_SEEN_MAX;
	if (is_newer(m->ident, agent->newest))
		agent->newest = m->ident;
}

static size_t acknowledge(const struct revocation_message *m, bool inform, struct sa *sa,
			  uint8_t *buf, size_t size)
{
	struct wire_writer w = wire_writer(buf, size);
	const struct revocation_ack ack = {
		.inform = inform,
		.home_addr = m->home_addr,
		.ident = m->ident,
	};

	revocation_ack_encode(&w, &ack);
	engine_sign(&w, EXT_FOREIGN_HOME_AUTH, sa->spi, &sa->mac);
	return w.failed ? 0 : wire_len(&w);
}

/* §3.4, §3.5, §4.2.3.2. */
static enum reg_reason handle_message(struct engine *e, const uint8_t *msg, size_t len,
				      const struct reg_origin *from, struct engine_result *out)
{
	struct wire_reader r = wire_reader(msg, len);
	struct revocation *rv = &e->revocation;
	const struct sa_peer *peer;
	struct revocation_message m;
	struct agent_state *agent;
	struct outstanding *o;
	struct reg_auth auth;
	struct binding *b;
	struct sa *sa;
	bool inform;
	int rc;

	e->stats.revocations_received++;
	if (revocation_message_decode(&r, &m) < 0)
		return REG_REASON_REVOCATION_MALFORMED;
	out->has_request = true; /* for the log: whom it names */
	out->req.home_addr = m.home_addr;
	out->req.home_agent = m.home_domain;
	out->req.care_of = m.foreign_domain;
	if (m.from_home_agent)
		return REG_REASON_REVOCATION_REFLECTED;
	rc = find_authenticator(msg, len, REVOCATION_LEN, EXT_FOREIGN_HOME_AUTH, &auth);
	if (rc < 0)
		return reason_of(rc);
	out->spi = auth.spi;
	sa = find_sender(e, &m, from, auth.spi, &peer);
	if (!sa || !verifies(&sa->mac, msg, &auth))
		return REG_REASON_REVOCATION_AUTH;

	agent = find_agent(rv, peer->addr);
	if (!agent || !addr_eq(m.home_domain, e->conf.home_agent))
		return REG_REASON_REVOCATION_UNEXPECTED;
	b = binding_find_care_of(&e->cache, (struct binding_key){ m.home_addr, e->conf.home_agent },
				 m.foreign_domain);
	/* Not a binding of this agent's: no other one may end it. */
	if (b && !is_of_agent(b, peer->addr))
		return REG_REASON_REVOCATION_UNEXPECTED;
	if (is_replay(agent, &m, b))
		return REG_REASON_REVOCATION_REPLAY;
	remember(agent, &m);

	/* §3.4: I only if the message had it; there it was only by agreement. */
	inform = m.inform && e->conf.revocation.inform && (!b || binding_revocation_of(b)->inform);
	out->reply_len = acknowledge(&m, inform, sa, out->reply, sizeof(out->reply));
	o = find_care_of(rv, m.home_addr, m.foreign_domain);
	if (o) /* we were about to say the same */
		forget(e, o);
	if (b) {
		out->node = b->node;
		engine_end(e, b);
	}
	e->stats.revocations_accepted++;
	return REG_REASON_REVOKED;
}

static enum reg_reason handle_ack(struct engine *e, const uint8_t *msg, size_t len,
				  struct engine_result *out)
{
	struct wire_reader r = wire_reader(msg, len);
	struct revocation *rv = &e->revocation;
	struct revocation_ack ack;
	struct outstanding *o;
	struct reg_auth auth;
	int rc;

	if (revocation_ack_decode(&r, &ack) < 0)
		return REG_REASON_REVOCATION_MALFORMED;
	out->has_request = true;
	out->req.home_addr = ack.home_addr;
	for (o = next_of(rv, ack.home_addr, NULL); o; o = next_of(rv, ack.home_addr, o))
		if (o->is_sent && o->message.ident == ack.ident)
			break;
	if (!o)
		return REG_REASON_REVOCATION_UNEXPECTED;
	out->req.home_agent = o->message.home_domain;
	out->req.care_of = o->message.foreign_domain;
	rc = find_authenticator(msg, len, REVOCATION_ACK_LEN, o->auth, &auth);
	if (rc < 0)
		return reason_of(rc);
	if (auth.spi != o->spi || !verifies(o->mac, msg, &auth))
		return REG_REASON_REVOCATION_AUTH;
	out->spi = auth.spi;
	forget(e, o);
	e->stats.revocations_acknowledged++;
	if (rv->drain_pending)
		tell_runner(e);
	return REG_REASON_REVOCATION_ACKNOWLEDGED;
}

bool revocation_is_ours(const struct revocation_conf *conf, const uint8_t *msg, size_t len)
{
	return conf->enabled && len > 0 &&
	       (msg[0] == REG_MSG_REVOCATION || msg[0] == REG_MSG_REVOCATION_ACK);
}

void revocation_handle(struct engine *e, const uint8_t *msg, size_t len,
		       const struct reg_origin *from, struct engine_result *out)
{
	enum reg_reason reason;

	out->has_request = false;
	out->req = (struct reg_request){ 0 };
	out->node = NULL;
	out->spi = 0;
	out->grant = (struct reg_grant){ 0 };
	out->reply_len = 0;
	reason = msg[0] == REG_MSG_REVOCATION ? handle_message(e, msg, len, from, out)
					      : handle_ack(e, msg, len, out);
	out->outcome = (struct reg_outcome){ .reason = reason };
	if (reason != REG_REASON_REVOKED && reason != REG_REASON_REVOCATION_ACKNOWLEDGED) {
		out->outcome.verdict = REG_DISCARD;
		e->stats.revocations_ignored++;
	}
}

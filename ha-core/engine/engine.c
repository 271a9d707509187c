/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registrar. A request runs down the rows of check.c; the first that objects decides. What
 * passes them all changes the binding cache (RFC 5944 §3.8.2.2), the data path is told, and only
 * then is the reply built (§3.8.3), so that a node which hears yes has its packets already.
 *
 * Objects: the engine owns the associations, the pool of home addresses, the cache and the ring
 * of expiries. A mobile node outlives its bindings; a lease of the pool stays with its node while
 * there is no need to take it (lease.h).
 */
#include "ha-core/engine/engine.h"

#include "common/err.h"
#include "ha-core/engine/check.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#define IDLE_LOOKS   4096
#define DENIAL_BURST 29 /* that a node is told of at once, beyond what it may be told in a second */

bool engine_is_home_address(const struct engine *e, struct in_addr addr)
{
	size_t i;

	for (i = 0; i < e->conf.home_network_cnt; i++)
		if (addr_prefix_contains(e->conf.home_networks[i], addr))
			return true;
	return false;
}

bool engine_still_admits(const struct engine *e, const struct binding *b)
{
	const struct reg_origin from = { .src = b->src,
					 .dst = e->conf.home_agent,
					 .src_port = b->src_port };

	return !e->policy->admits ||
	       e->policy->admits(e->policy_ctx, &from) == REG_REASON_REGISTERED;
}

int engine_init(struct engine *e, const struct engine_conf *conf, size_t expected_nodes,
		const struct ha_policy *policy, const void *policy_ctx,
		const struct engine_hooks *hooks, const struct clock *now)
{
	int rc;

	*e = (struct engine){
		.conf = *conf,
		.policy = policy,
		.policy_ctx = policy_ctx,
		.hooks = *hooks,
		.started_ntp = now->ntp,
		.now_ms = now->mono_ms,
	};
	rc = sa_table_init(&e->nodes, expected_nodes);
	if (rc == 0)
		rc = sa_table_init(&e->agents, 0);
	if (rc == 0)
		rc = binding_cache_init(&e->cache, expected_nodes);
	if (rc == 0)
		rc = network_table_init(&e->networks);
	if (rc == 0)
		rc = expiry_init(&e->expiry, now->mono_ms);
	if (rc == 0)
		rc = revocation_init(&e->revocation);
	if (rc == 0)
		rc = violation_init(&e->violations);
	if (rc == 0)
		rc = violation_init(&e->offenders);
	if (rc < 0)
		engine_done(e);
	return rc;
}

void engine_done(struct engine *e)
{
	violation_done(&e->offenders);
	violation_done(&e->violations);
	revocation_done(&e->revocation);
	expiry_done(&e->expiry);
	binding_cache_done(&e->cache);
	network_table_done(&e->networks);
	pool_done(&e->pool);
	sa_table_done(&e->agents);
	sa_table_done(&e->nodes);
}

int engine_add_node(struct engine *e, struct in_addr home_addr, const char *nai, uint32_t spi,
		    enum mac_algorithm alg, const void *key, size_t key_len,
		    enum replay_style style, uint64_t tolerance_ntp)
{
	struct sa_peer *peer;
	int rc;

	rc = sa_peer_put(&e->nodes, home_addr, nai, &peer);
	if (rc < 0)
		return rc;
	rc = sa_put(&e->nodes, peer, spi, alg, key, key_len, style, tolerance_ntp);
	if (rc < 0)
		return rc;
	if (style == REPLAY_TIMESTAMP) {
		/* What was accepted before we started is not known: nothing older may pass. */
		struct replay *rp = &sa_find(peer, spi)->replay;

		rp->last_ident = e->started_ntp;
		rp->seen = true;
	}
	e->nonce_cnt += style == REPLAY_NONCE;
	if (!addr_is_any(home_addr))
		pool_reserve(&e->pool, home_addr);
	return 0;
}

void engine_fetch_node(const struct engine *e, struct in_addr home_addr, unsigned int step)
{
	_Static_assert(ENGINE_FETCH_STEPS >= SA_FETCH_STEPS, "all of theirs");
	_Static_assert(ENGINE_FETCH_STEPS >= BINDING_FETCH_STEPS, "all of theirs");
	if (addr_is_any(home_addr)) /* by NAI */
		return;
	sa_peer_fetch(&e->nodes, home_addr, step);
	binding_fetch(&e->cache, (struct binding_key){ home_addr, e->conf.home_agent }, step);
}

void engine_fetch(const struct engine *e, const uint8_t *msg, size_t len, unsigned int step)
{
	struct wire_reader r = wire_reader(msg, len);
	struct in_addr home_addr, care_of;

	if (wire_u8(&r) != REG_MSG_REQUEST)
		return;
	(void)wire_bytes(&r, 3); /* flags, Lifetime */
	home_addr = wire_addr(&r);
	(void)wire_addr(&r); /* the home agent */
	care_of = wire_addr(&r);
	if (r.failed)
		return;
	engine_fetch_node(e, home_addr, step);
	if (engine_is_home_address(e, care_of)) /* of another node, maybe */
		sa_peer_fetch(&e->nodes, care_of, step);
}

static struct sa_peer *node_named(const struct engine *e, struct in_addr home_addr, const char *nai)
{
	return nai ? sa_peer_find_nai(&e->nodes, (const uint8_t *)nai, strlen(nai))
		   : sa_peer_find(&e->nodes, home_addr);
}

int engine_add_previous_key(struct engine *e, struct in_addr home_addr, const char *nai,
			    uint32_t spi, const void *key, size_t key_len, uint64_t until_ntp)
{
	struct sa_peer *peer = node_named(e, home_addr, nai);

	return peer ? sa_put_previous(&e->nodes, peer, spi, key, key_len, until_ntp)
		    : ERR_NOT_FOUND;
}

int engine_limit_services(struct engine *e, struct in_addr home_addr, const char *nai,
			  const char *const *names, size_t cnt, bool must_select)
{
	struct sa_peer *peer = node_named(e, home_addr, nai);
	struct sa_more *more;
	size_t i;
	int rc = 0;

	if (!peer)
		return ERR_NOT_FOUND;
	if (cnt == 0 && !must_select)
		return 0;
	more = sa_peer_more(&e->nodes, peer);
	if (!more)
		return -ENOMEM;
	more->must_select |= must_select;
	for (i = 0; i < cnt && rc == 0; i++)
		rc = service_list_add(&more->services, names[i]);
	return rc;
}

int engine_add_network(struct engine *e, struct in_addr home_addr, const char *nai,
		       struct addr_prefix network, bool implicit)
{
	struct sa_peer *peer = node_named(e, home_addr, nai);
	struct sa_more *more;
	int rc;

	if (!peer)
		return ERR_NOT_FOUND;
	more = sa_peer_more(&e->nodes, peer);
	if (!more)
		return -ENOMEM;
	rc = network_table_allow(&e->networks, network);
	if (rc == 0)
		rc = network_list_add(&more->networks, peer, network);
	if (rc == 0)
		more->networks->implicit |= implicit;
	return rc;
}

int engine_add_foreign_agent(struct engine *e, struct in_addr addr, uint32_t spi,
			     enum mac_algorithm alg, const void *key, size_t key_len)
{
	struct sa_peer *peer;
	int rc;

	rc = sa_peer_put(&e->agents, addr, NULL, &peer);
	if (rc < 0)
		return rc;
	/* Identification is between the mobile node and us; an agent has no replay state. */
	return sa_put(&e->agents, peer, spi, alg, key, key_len, REPLAY_TIMESTAMP, 0);
}

/* --- bindings --- */

static void touch(struct engine *e, const struct sa_peer *node)
{
	if (node == e->handled)
		e->is_touched = true;
	else if (e->hooks.touched)
		e->hooks.touched(e->hooks.ctx, node);
}

static void end_binding(struct engine *e, struct binding *b)
{
	expiry_disarm(&e->expiry, b);
	mobile_network_release(e, b->node, b->networks);
	binding_del(&e->cache, b);
}

/* @param by  the node's request that ends them; NULL: nothing of the kind */
static size_t end_all(struct engine *e, struct binding_key key, const struct binding *but,
		      const struct exchange *by)
{
	struct binding *b, *next;
	size_t cnt = 0;

	for (b = binding_find(&e->cache, key); b; b = next) {
		next = binding_sibling(b);
		if (b == but)
			continue;
		if (by)
			revocation_queue_left(e, by, b);
		end_binding(e, b);
		cnt++;
	}
	return cnt;
}

/* Hundredths of a second, as SNMP has them; never 0, which is "never". */
static uint32_t centiseconds(uint64_t ms)
{
	uint32_t cs = (uint32_t)(ms / 10);

	return cs ? cs : 1;
}

/* Service is the time with a binding, however many there are (haOverallServiceTime). */
static void count_service(const struct engine *e, struct sa_peer_count *count, bool is_bound)
{
	const uint32_t now_cs = centiseconds(e->now_ms);

	if (is_bound && count->service_since_cs == 0) {
		count->service_since_cs = now_cs;
	} else if (!is_bound && count->service_since_cs != 0) {
		count->service_s += (now_cs - count->service_since_cs) / 100;
		count->service_since_cs = 0;
	}
}

/* Every change of a key's bindings comes by here, so this is where a lease falls idle. */
static int tell_change(struct engine *e, struct binding_key key)
{
	struct binding *first = binding_find(&e->cache, key);
	struct sa_peer *node = sa_peer_find(&e->nodes, key.home_addr);

	if (node && node->is_dynamic) {
		if (first)
			lease_use(&e->idle_leases, node);
		else
			lease_idle(&e->idle_leases, node);
	}
	if (node) {
		count_service(e, &node->count, first != NULL);
		touch(e, node);
	}
	return e->hooks.changed(e->hooks.ctx, key, first);
}

void engine_end(struct engine *e, struct binding *b)
{
	const struct binding_key key = b->key;

	end_binding(e, b);
	(void)tell_change(e, key);
}

static struct reg_outcome deregister(struct engine *e, struct exchange *x)
{
	const struct binding_key key = { x->home_addr, e->conf.home_agent };
	struct binding *b;

	/* §3.8.2.2: the home address as care-of address means all of them. */
	if (addr_eq(x->req.care_of, x->home_addr)) {
		end_all(e, key, NULL, x);
	} else {
		b = binding_find_care_of(&e->cache, key, x->req.care_of);
		if (b) {
			revocation_queue_left(e, x, b);
			end_binding(e, b);
		}
	}
	(void)tell_change(e, key); /* taking away does not fail a node that leaves */
	return outcome_accept(e, REG_REASON_DEREGISTERED);
}

/* RFC 5446 §4: who may not have the service that it changes to loses the one that it had. */
static void end_service(struct engine *e, struct exchange *x)
{
	const struct binding_key key = { x->home_addr, e->conf.home_agent };

	if (end_all(e, key, NULL, NULL) > 0)
		(void)tell_change(e, key);
}

static bool same_tunnel(const struct binding_tunnel *a, const struct binding_tunnel *b)
{
	return addr_eq(a->peer, b->peer) && a->peer_port == b->peer_port && a->encap == b->encap &&
	       a->udp == b->udp && a->half_bound == b->half_bound && a->reverse == b->reverse;
}

static struct binding_tunnel tunnel_of(const struct exchange *x, const struct binding *old)
{
	struct binding_tunnel t = {
		.peer = x->req.care_of,
		.encap = x->grant.encap,
		.reverse = x->grant.reverse,
	};

	if (!x->grant.udp)
		return t;
	t.udp = true;
	t.peer = x->from->src; /* RFC 3519 §4.6: the effective care-of address */
	t.half_bound = x->grant.half_bound;
	if (!t.half_bound)
		t.peer_port = x->from->src_port;
	else if (old && old->tunnel.udp && addr_eq(old->tunnel.peer, t.peer))
		t.peer_port = old->tunnel.peer_port; /* goes on until a keepalive shows another */
	return t;
}

static uint16_t granted_lifetime(const struct engine_conf *conf, const struct exchange *x)
{
	uint16_t max = conf->max_lifetime_s;

	if (x->grant.udp && conf->udp_max_lifetime_s < max)
		max = conf->udp_max_lifetime_s;
	return x->req.lifetime_s < max ? x->req.lifetime_s : max;
}

static struct reg_outcome deny_resources(void)
{
	return outcome_deny(REG_INSUFFICIENT_RESOURCES, REG_REASON_RESOURCES);
}

static void end_idle_lease(struct engine *e, struct sa_peer *idle)
{
	lease_use(&e->idle_leases, idle);
	pool_give_back(&e->pool, idle->addr);
	sa_peer_unassign(&e->nodes, idle);
	touch(e, idle);
	e->stats.leases_taken_over++;
}

/* From the pool; from who has been away for longest, if the pool has none left. */
static int take_address(struct engine *e, struct in_addr *ret_addr)
{
	struct in_addr addr;
	struct sa_peer *idle;

	for (;;) {
		if (pool_take(&e->pool, &addr) == 0) {
			/* A lease from before a reload may lie in a pool of since. */
			if (sa_peer_find(&e->nodes, addr))
				continue;
			*ret_addr = addr;
			return 0;
		}
		/* Another home agent may go on with the lease: it is not ours to end. */
		idle = e->pool.is_divided ? NULL : e->idle_leases.oldest;
		if (!idle)
			return ERR_NOT_FOUND;
		/* A lease from before a reload may lie outside of the pool; then the next one. */
		end_idle_lease(e, idle);
	}
}

void engine_end_idle_leases(struct engine *e, size_t max)
{
	struct sa_peer *idle = e->idle_leases.oldest, *next;
	size_t looks = IDLE_LOOKS;

	for (; idle && max > 0 && looks > 0; idle = next, looks--) {
		next = idle->more->idle_next;
		if (!pool_is_ours(&e->pool, idle->addr))
			continue;
		end_idle_lease(e, idle);
		max--;
	}
}

static struct reg_outcome assign_home_address(struct engine *e, struct exchange *x)
{
	if (!exchange_wants_lease(x))
		return outcome_go_on();
	if (addr_is_any(x->home_addr)) {
		if (take_address(e, &x->home_addr) < 0)
			return deny_resources();
	} else if (!pool_is_ours(&e->pool, x->home_addr) ||
		   pool_take_this(&e->pool, x->home_addr) < 0) {
		return outcome_deny(REG_ADMINISTRATIVELY_PROHIBITED, REG_REASON_HOME_ADDRESS);
	}
	sa_peer_assign(&e->nodes, x->node, x->home_addr);
	lease_idle(&e->idle_leases, x->node); /* until there is a binding */
	return outcome_go_on();
}

static void bind_as_granted(struct engine *e, struct exchange *x, struct binding *b,
			    const struct binding_tunnel *tunnel)
{
	x->grant.lifetime_s = granted_lifetime(&e->conf, x);
	b->src = x->from->src;
	b->src_port = x->from->src_port;
	b->flags = x->req.flags;
	binding_set_tunnel(&e->cache, b, tunnel);
	b->udp_forced = x->grant.udp_forced;
	b->from_fa = x->grant.udp && x->grant.from_fa;
	b->keepalive_s = x->grant.keepalive_s;
	b->lifetime_s = x->grant.lifetime_s;
	b->spi = x->sa->spi;
	b->ident = x->reply_ident;
	mobile_network_release(e, b->node, b->networks); /* §6.3: those not named again go */
	b->networks = x->networks;
	b->node = x->node;
	revocation_note(e, x, b); /* before the reply, which tells of it */
	b->expires_ms = b->lifetime_s == REG_LIFETIME_INFINITE
				? BINDING_NEVER_MS
				: x->now->mono_ms + (uint64_t)b->lifetime_s * 1000;
	expiry_arm(&e->expiry, b);
}

static struct reg_outcome register_binding(struct engine *e, struct exchange *x)
{
	struct reg_outcome outcome;
	struct binding_key key;
	struct binding_tunnel tunnel;
	struct binding *b;
	bool changed = false;

	outcome = assign_home_address(e, x);
	if (outcome.verdict != REG_ACCEPT)
		return outcome;
	outcome = mobile_network_grant(e, x);
	if (outcome.verdict != REG_ACCEPT)
		return outcome;
	outcome = outcome_accept(e, REG_REASON_RENEWED);
	key = (struct binding_key){ x->home_addr, e->conf.home_agent };
	b = binding_find_care_of(&e->cache, key, x->req.care_of);
	tunnel = tunnel_of(x, b);
	if (!b) {
		/* One more among simultaneous ones is no move. */
		outcome.reason = binding_find(&e->cache, key) && !exchange_keeps_others(e, x)
					 ? REG_REASON_MOVED
					 : REG_REASON_REGISTERED;
		b = binding_put(&e->cache, key, x->req.care_of);
		if (!b) {
			mobile_network_release(e, x->node, x->networks);
			return deny_resources();
		}
		changed = true;
	} else if (!same_tunnel(&b->tunnel, &tunnel)) {
		outcome.reason = REG_REASON_CHANGED;
		changed = true;
	}
	if (!exchange_keeps_others(e, x) && end_all(e, key, b, x) > 0)
		changed = true;

	if (b->flags != x->req.flags) /* B, D: the data path goes by them */
		changed = true;

	bind_as_granted(e, x, b, &tunnel);
	if (!changed && e->hooks.renewed)
		e->hooks.renewed(e->hooks.ctx, key);
	if (changed && tell_change(e, key) < 0) {
		end_all(e, key, NULL, NULL);
		(void)tell_change(e, key);
		return deny_resources();
	}
	return outcome;
}

/* --- the reply --- */

void engine_sign(struct wire_writer *w, enum ext_type type, uint32_t spi, const struct mac *mac)
{
	size_t len = mac_len(mac_algorithm(mac));
	uint8_t *out;

	ext_put_header(w, type, (uint8_t)(sizeof(spi) + len));
	wire_put_u32(w, spi);
	out = wire_room(w, len);
	/* Covered is all that stands before the authenticator, its own header included (§3.5.1). */
	if (out)
		mac_sign(mac, w->start, wire_len(w) - len, out);
}

static void put_udp_tunnel_reply(struct wire_writer *w, const struct exchange *x)
{
	const struct udp_tunnel_reply reply = {
		.code = x->grant.udp ? UDP_TUNNEL_REPLY_WILL : UDP_TUNNEL_REPLY_DECLINE,
		.forced = x->grant.udp_forced,
		.keepalive_s = x->grant.keepalive_s,
	};

	udp_tunnel_reply_encode(w, &reply);
}

/* Extensions in the order of §3.8.3.3: for the node, its authenticator, for the agent, its own. */
static size_t build_reply(struct engine *e, const struct exchange *x,
			  const struct reg_outcome *outcome, uint8_t *buf, size_t size)
{
	struct wire_writer w = wire_writer(buf, size);
	bool accepted = outcome->verdict == REG_ACCEPT;
	bool udp_reply = accepted && x->grant.udp_reply; /* RFC 3519: denials carry none */
	const struct reg_reply reply = {
		.code = outcome->code,
		/* A denial's Lifetime means nothing; §3.8.3.2 has it copied. */
		.lifetime_s = accepted && !reg_is_dereg(&x->req) ? x->grant.lifetime_s
								 : x->req.lifetime_s,
		.home_addr = addr_is_any(x->req.home_addr) ? x->home_addr : x->req.home_addr,
		.home_agent = e->conf.home_agent,
		.ident = x->reply_ident,
	};

	assert(x->sa); /* who has none hears nothing */
	reg_reply_encode(&w, &reply);
	if (x->nai.len > 0) { /* RFC 2794 §3: MUST be echoed */
		ext_put_header(&w, EXT_NAI, (uint8_t)x->nai.len);
		wire_put_bytes(&w, x->nai.data, x->nai.len);
	}
	if (udp_reply && !x->grant.from_fa)
		put_udp_tunnel_reply(&w, x);
	extension_put_for_node(&w, e, x, outcome);
	if (e->policy->extend_reply)
		e->policy->extend_reply(e->policy_ctx, &w);
	if (accepted && addr_is_any(x->revocation.agent))
		revocation_put_support(x, &w);
	engine_sign(&w, EXT_MOBILE_HOME_AUTH, x->sa->spi, x->mac);
	if (udp_reply && x->grant.from_fa)
		put_udp_tunnel_reply(&w, x);
	if (accepted && !addr_is_any(x->revocation.agent))
		revocation_put_support(x, &w);
	extension_put_for_agent(&w, x, outcome);
	/*
	 * §3.8.3.3 has it in every reply to an agent we share an association with, §3.5.4 never
	 * on a deregistration: it mirrors the request there.
	 */
	if (x->agent && (x->fhae_cnt > 0 || x->agent_required))
		engine_sign(&w, EXT_FOREIGN_HOME_AUTH, x->agent_sa->spi, &x->agent_sa->mac);
	return w.failed ? 0 : wire_len(&w);
}

/*
 * A denial goes to wherever a replayed request says that it is from: nobody shall be able to have
 * much more sent there than he sends. What may be left out are the words.
 */
static bool gains(const struct engine *e, const struct exchange *x, size_t reply_len)
{
	const uint32_t percent = e->conf.max_denial_percent;

	return percent > 0 && 100 * reply_len > percent * x->len;
}

static size_t reply_to(struct engine *e, struct exchange *x, const struct reg_outcome *outcome,
		       uint8_t *buf, size_t size)
{
	size_t len = build_reply(e, x, outcome, buf, size);

	if (outcome->verdict != REG_DENY || !e->conf.message_strings || !gains(e, x, len))
		return len;
	x->is_terse = true;
	return build_reply(e, x, outcome, buf, size);
}

/* --- a request's way through the house --- */

static struct reg_outcome run_checks(struct engine *e, struct exchange *x)
{
	struct reg_outcome outcome = outcome_go_on();
	size_t i;

	for (i = 0; i < check_row_cnt && outcome.verdict == REG_ACCEPT; i++) {
		/* The request's Lifetime is read by the first row, which every request runs. */
		if (check_rows[i].skip_dereg && reg_is_dereg(&x->req))
			continue;
		outcome = check_rows[i].check(e, x);
	}
	return outcome;
}

static struct reg_outcome admit(const struct engine *e, const struct reg_origin *from)
{
	enum reg_reason admission;

	if (e->policy->admits) {
		admission = e->policy->admits(e->policy_ctx, from);
		if (admission != REG_REASON_REGISTERED)
			return outcome_discard(admission);
	}
	/* Nobody who could be answered: and Linux takes 0.0.0.0 for this host. */
	if (!addr_is_unicast(from->src) || from->src_port == 0)
		return outcome_discard(REG_REASON_MALFORMED);
	return outcome_go_on();
}

static struct reg_outcome decide(struct engine *e, struct exchange *x)
{
	struct reg_outcome outcome = admit(e, x->from);

	if (outcome.verdict != REG_ACCEPT)
		return outcome;
	outcome = run_checks(e, x);
	e->handled = x->node;
	if (outcome.verdict == REG_DENY && outcome.code == REG_SERVICE_UNAUTHORIZED)
		end_service(e, x);
	if (outcome.verdict != REG_ACCEPT)
		return outcome;
	return reg_is_dereg(&x->req) ? deregister(e, x) : register_binding(e, x);
}

static void count_code(struct stats *s, uint8_t code)
{
	switch ((enum reg_code)code) {
	case REG_REASON_UNSPECIFIED:
		s->denied_128++;
		break;
	case REG_ADMINISTRATIVELY_PROHIBITED:
		s->denied_129++;
		break;
	case REG_INSUFFICIENT_RESOURCES:
		s->denied_130++;
		break;
	case REG_MN_FAILED_AUTH:
		s->denied_131++;
		break;
	case REG_FA_FAILED_AUTH:
		s->denied_132++;
		break;
	case REG_IDENT_MISMATCH:
		s->denied_133++;
		break;
	case REG_POORLY_FORMED:
		s->denied_134++;
		break;
	case REG_TOO_MANY_BINDINGS:
		s->denied_135++;
		break;
	case REG_UNKNOWN_HOME_AGENT:
		s->denied_136++;
		break;
	case REG_REVERSE_TUNNEL_UNAVAILABLE:
		s->denied_137++;
		break;
	case REG_REVERSE_TUNNEL_MANDATORY:
		s->denied_138++;
		break;
	case REG_ENCAPSULATION_UNAVAILABLE:
		s->denied_139++;
		break;
	case REG_UNKNOWN_VENDOR_EXT_OF_MN:
		s->denied_140++;
		break;
	case REG_UNKNOWN_VENDOR_EXT_OF_FA:
		s->denied_141++;
		break;
	case REG_UDP_ENCAPSULATION_UNAVAILABLE:
		s->denied_142++;
		break;
	case REG_REDIRECTED:
		s->denied_143++;
		break;
	case REG_MOBILE_NETWORK_ERROR:
		s->denied_147++;
		break;
	case REG_MOBILE_ROUTER_DISALLOWED:
		s->denied_148++;
		break;
	case REG_SERVICE_UNAUTHORIZED:
		s->denied_151++;
		break;
	case REG_ACCEPTED:
	case REG_ACCEPTED_NO_SIMULTANEOUS:
		break;
	}
}

/* What went wrong, whether it was answered or not. Offset 0: the reason has no counter. */
static void count_reason(struct stats *s, enum reg_reason reason)
{
#define COUNTER(member) offsetof(struct stats, member)
	static const size_t offsets[REG_REASON_CNT] = {
		[REG_REASON_DEREGISTERED] = COUNTER(deregistrations),
		[REG_REASON_UNTRUSTED] = COUNTER(requests_dropped_untrusted),
		[REG_REASON_INSIDE] = COUNTER(requests_dropped_inside),
		[REG_REASON_MALFORMED] = COUNTER(requests_malformed),
		[REG_REASON_TOO_MANY_EXTENSIONS] = COUNTER(requests_malformed),
		[REG_REASON_UNKNOWN_TYPE] = COUNTER(messages_unknown_type),
		[REG_REASON_UNKNOWN_EXTENSION] = COUNTER(unknown_extensions),
		[REG_REASON_NO_AUTHENTICATION] = COUNTER(missing_authentication),
		[REG_REASON_UNKNOWN_NODE] = COUNTER(unknown_mobile_nodes),
		[REG_REASON_UNKNOWN_SPI] = COUNTER(unknown_spis),
		[REG_REASON_AUTH_FAILURE] = COUNTER(auth_failures),
		[REG_REASON_UNEXPECTED_FHAE] = COUNTER(foreign_agent_auth_failures),
		[REG_REASON_FA_AUTH_FAILURE] = COUNTER(foreign_agent_auth_failures),
		[REG_REASON_REPLAY] = COUNTER(replay_failures),
		[REG_REASON_CLOCK_SKEW] = COUNTER(replay_failures),
		[REG_REASON_STALE_NONCE] = COUNTER(replay_failures),
	};
#undef COUNTER
	_Static_assert(offsetof(struct stats, requests_received) == 0, "0 means none");

	if (offsets[reason] != 0)
		(*(uint64_t *)((char *)s + offsets[reason]))++;
	if (reason == REG_REASON_UNKNOWN_SPI)
		s->auth_failures++; /* nothing verifies under an SPI that is not there */
}

static void count(struct stats *s, const struct exchange *x, const struct reg_outcome *outcome)
{
	s->requests_received++;
	count_reason(s, outcome->reason);
	switch (outcome->verdict) {
	case REG_DISCARD:
		s->requests_discarded++;
		break;
	case REG_DENY:
		s->requests_denied++;
		count_code(s, outcome->code);
		break;
	case REG_ACCEPT:
		s->requests_accepted++;
		if (outcome->code == REG_ACCEPTED_NO_SIMULTANEOUS)
			s->accepted_1++;
		if (x->grant.udp)
			s->udp_tunnels_granted++;
		else if (x->grant.udp_reply && !reg_is_dereg(&x->req))
			s->udp_tunnels_declined++;
		break;
	}
}

/* Without memory for it a denial is in the counters of all nodes only. */
static void count_denial(struct engine *e, struct sa_peer *node, uint8_t code)
{
	struct sa_denials *denials = sa_peer_denials(&e->nodes, node);

	if (!denials)
		return;
	denials->cnt++;
	denials->last_cs = centiseconds(e->now_ms);
	denials->code = code;
}

static void count_node(struct engine *e, struct sa_peer *node, const struct reg_outcome *outcome)
{
	switch (outcome->verdict) {
	case REG_ACCEPT:
		node->count.accepted++;
		node->count.accepted_cs = centiseconds(e->now_ms);
		break;
	case REG_DENY:
		count_denial(e, node, outcome->code);
		break;
	case REG_DISCARD:
		break;
	}
}

/* The SPI that the request named, as in the log and in traces; of SNMP, see snmp_source.c. */
static uint32_t violation_spi(const struct exchange *x, enum reg_reason reason)
{
	return reason == REG_REASON_FA_AUTH_FAILURE ? x->fhae.spi : x->mhae[0].spi;
}

static void note_violation(struct engine *e, const struct exchange *x,
			   const struct engine_result *res)
{
	const enum reg_reason reason = res->outcome.reason;
	bool offends = reason == REG_REASON_UNTRUSTED || reason == REG_REASON_INSIDE;
	struct violation_event event = {
		.peer = x->from->src,
		.port = x->from->src_port,
		.reason = reason,
		.spi = violation_spi(x, reason),
	};

	if (!offends && engine_violation_of(reason) == ENGINE_VIOLATION_NONE)
		return;
	if (res->has_request) {
		event.ident = res->req.ident;
		event.home_addr = res->req.home_addr;
		event.care_of = res->req.care_of;
	}
	violation_note(offends ? &e->offenders : &e->violations, &event, x->now->mono_ms);
}

enum engine_violation engine_violation_of(enum reg_reason reason)
{
	static const uint8_t violations[REG_REASON_CNT] = {
		[REG_REASON_NO_AUTHENTICATION] = ENGINE_VIOLATION_EXTENSION,
		[REG_REASON_UNKNOWN_NODE] = ENGINE_VIOLATION_ASSOCIATION,
		[REG_REASON_UNKNOWN_SPI] = ENGINE_VIOLATION_SPI,
		[REG_REASON_AUTH_FAILURE] = ENGINE_VIOLATION_AUTHENTICATOR,
		[REG_REASON_FA_AUTH_FAILURE] = ENGINE_VIOLATION_AUTHENTICATOR,
		[REG_REASON_REPLAY] = ENGINE_VIOLATION_IDENTIFIER,
		[REG_REASON_CLOCK_SKEW] = ENGINE_VIOLATION_IDENTIFIER,
		[REG_REASON_STALE_NONCE] = ENGINE_VIOLATION_IDENTIFIER,
		[REG_REASON_UNEXPECTED_FHAE] = ENGINE_VIOLATION_OTHER,
		[REG_REASON_REVOCATION_AUTH] = ENGINE_VIOLATION_OTHER,
		[REG_REASON_REVOCATION_REFLECTED] = ENGINE_VIOLATION_OTHER,
		[REG_REASON_REVOCATION_REPLAY] = ENGINE_VIOLATION_OTHER,
	};

	return (enum engine_violation)violations[reason];
}

/*
 * RFC 5944 has no number for it, but took the duty to answer away so that nobody could make a home
 * agent flood somebody: a replayed request comes from wherever its sender says. A node that means
 * it tries again, so silence is the right thing to say too much of.
 */
static bool may_answer_denial(struct engine *e, struct sa_peer *node, const struct clock *now)
{
	struct sa_denials *denials = sa_peer_denials(&e->nodes, node);
	const uint64_t now_us = now->mono_ms * 1000;
	const uint32_t per_node = e->conf.max_denials_per_node_s, all = e->conf.max_denials_s;

	if (per_node > 0 && (!denials || !limit_take(&denials->answered, now_us, 1000000 / per_node,
						     per_node + DENIAL_BURST)))
		return false;
	return all == 0 || limit_take(&e->denials, now_us, 1000000 / all, all);
}

static bool same_replay(const struct replay *a, const struct replay *b)
{
	return a->seen == b->seen && a->last_ident == b->last_ident && a->nonce == b->nonce;
}

/* One word of it, whatever the request did. */
static void tell_touched(struct engine *e, const struct exchange *x)
{
	bool is_due = e->is_touched ||
		      (x->ident_checked && !same_replay(&x->sa->replay, &x->replay_before));

	e->handled = NULL;
	e->is_touched = false;
	if (!is_due || !x->node)
		return;
	if (e->is_shared && x->ident_checked && x->sa->replay.style == REPLAY_TIMESTAMP &&
	    x->sa->replay.last_ident != x->replay_before.last_ident &&
	    sa_peer_shared(&e->nodes, x->node))
		sa_peer_shared_of(x->node)->ident = x->sa->replay.last_ident;
	touch(e, x->node);
}

void engine_handle(struct engine *e, const uint8_t *msg, size_t len, const struct reg_origin *from,
		   const struct clock *now, struct engine_result *out)
{
	struct exchange x = { .msg = msg, .len = len, .from = from, .now = now };
	struct wire_reader r = wire_reader(msg, len);

	e->now_ms = now->mono_ms;
	/* No request: counted apart, once its source is admitted and unless nobody wants it. */
	if (revocation_is_ours(&e->conf.revocation, msg, len) &&
	    admit(e, from).verdict == REG_ACCEPT) {
		revocation_handle(e, msg, len, from, out);
		note_violation(e, &x, out);
		return;
	}
	out->outcome = decide(e, &x);
	count(&e->stats, &x, &out->outcome);
	if (x.node)
		count_node(e, x.node, &out->outcome);

	out->reply_len = 0;
	if (out->outcome.verdict == REG_DENY && !may_answer_denial(e, x.node, now)) {
		e->stats.denials_unanswered++;
		/* The nonce that nobody was told: the one given before is still good. */
		if (out->outcome.reason == REG_REASON_STALE_NONCE)
			x.sa->replay = x.replay_before;
	} else if (out->outcome.verdict != REG_DISCARD) {
		out->reply_len = reply_to(e, &x, &out->outcome, out->reply, sizeof(out->reply));
	}

	tell_touched(e, &x);

	/* For the log, which wants to say whom a stranger claimed to be, too. */
	out->has_request = reg_request_decode(&r, &out->req) == 0;
	if (out->has_request && reg_is_dereg(&out->req))
		e->stats.deregistration_requests++;
	if (out->has_request && x.node && addr_is_any(out->req.home_addr))
		out->req.home_addr = x.home_addr;
	out->node = x.node;
	out->spi = x.mhae_cnt > 0 ? x.mhae[0].spi : 0;
	out->grant = x.grant;
	note_violation(e, &x, out);
}

size_t engine_expire(struct engine *e, const struct clock *now,
		     void (*expired)(void *ctx, const struct binding *b), void *ctx)
{
	return engine_expire_some(e, now, SIZE_MAX, expired, ctx);
}

size_t engine_expire_some(struct engine *e, const struct clock *now, size_t max_cnt,
			  void (*expired)(void *ctx, const struct binding *b), void *ctx)
{
	struct binding_key key;
	struct binding *b;
	size_t cnt = 0;

	e->now_ms = now->mono_ms;
	while (cnt < max_cnt && (b = expiry_next_due(&e->expiry, now->mono_ms))) {
		key = b->key;
		if (expired)
			expired(ctx, b);
		mobile_network_release(e, b->node, b->networks);
		binding_del(&e->cache, b);
		(void)tell_change(e, key);
		e->stats.bindings_expired++;
		cnt++;
	}
	return cnt;
}

int engine_restored(struct engine *e, struct sa_peer *node)
{
	const struct binding_key key = { node->addr, e->conf.home_agent };
	int rc;

	if (node->is_dynamic)
		lease_use(&e->idle_leases, node);
	rc = e->hooks.changed(e->hooks.ctx, key, binding_find(&e->cache, key));
	if (rc < 0) {
		end_all(e, key, NULL, NULL);
		(void)tell_change(e, key);
	}
	return rc;
}

int engine_followed(struct engine *e, struct sa_peer *node)
{
	const struct binding_key key = { node->addr, e->conf.home_agent };
	const struct sa_peer *before = e->handled;
	int rc;

	e->handled = node;
	rc = tell_change(e, key);
	if (rc < 0 && binding_find(&e->cache, key)) {
		end_all(e, key, NULL, NULL);
		(void)tell_change(e, key);
	}
	e->handled = before;
	e->is_touched = false;
	return rc;
}

void engine_distrust(struct engine *e, const struct clock *now)
{
	struct sa_peer *node;
	struct sa *sa;

	e->distrusted_ntp = now->ntp;
	e->is_distrusting = true;
	if (e->nonce_cnt == 0)
		return; /* a million nodes need not be looked at */
	for (node = e->nodes.peers; node; node = node->next)
		for (sa = node->sas; sa; sa = sa->next)
			if (sa->replay.style == REPLAY_NONCE)
				sa->replay.seen = false;
}

size_t engine_clear(struct engine *e, struct binding_key key)
{
	const struct binding *b;
	size_t cnt;

	for (b = binding_find(&e->cache, key); b; b = binding_sibling(b))
		revocation_queue(e, &e->agents, b);
	cnt = end_all(e, key, NULL, NULL);
	if (cnt > 0)
		(void)tell_change(e, key);
	return cnt;
}

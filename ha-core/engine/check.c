/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The validity rules (RFC 5944 §3.8.2.1, §3.8.2.3, §3.8.3.2; RFC 3024 §4.3.1; RFC 2794).
 *
 * Nothing of a request is believed before check_authentication(), and nothing it carries changes
 * our state before check_identification(). Up to there a request that fails is discarded: an
 * answer would tell a stranger which homes exist, and would let a forged source be flooded. The
 * one exception is Code 131, which is sent where a foreign agent whose own authenticator is good
 * vouches for the sender (§3.8.2.1a: MUST there, MAY without an agent).
 */
#include "ha-core/engine/check.h"

#include "common/err.h"

#include <string.h>

static struct reg_outcome check_message(struct engine *e, struct exchange *x)
{
	struct wire_reader r = wire_reader(x->msg, x->len);
	int rc;

	(void)e;
	rc = reg_request_decode(&r, &x->req);
	if (rc == ERR_INVALID)
		return outcome_discard(REG_REASON_UNKNOWN_TYPE);
	if (rc < 0)
		return outcome_discard(REG_REASON_MALFORMED);
	x->reply_ident = x->req.ident;
	return outcome_go_on();
}

/* Keeps an extension of which a request has one; a second one is not lost sight of. */
static void note_only(struct exchange *x, struct ext *only, const struct ext *ext)
{
	if (!only->data)
		*only = *ext;
	else if (!x->again.data)
		x->again = *ext;
}

/* Sorts one extension: what stands before the mobile node's authenticator is its own word. */
static int note_extension(struct exchange *x, const struct ext *ext)
{
	struct udp_tunnel_request udp;
	struct reg_auth auth;
	int rc;

	switch (ext->type) {
	case EXT_MOBILE_HOME_AUTH:
		rc = reg_auth_decode(x->msg, ext, &auth);
		if (rc < 0)
			return rc;
		if (x->mhae_cnt < CHECK_AUTH_MAX)
			x->mhae[x->mhae_cnt] = auth;
		x->mhae_cnt++;
		return 0;
	case EXT_FOREIGN_HOME_AUTH:
		rc = reg_auth_decode(x->msg, ext, &auth);
		if (rc < 0)
			return rc;
		if (x->fhae_cnt == 0)
			x->fhae = auth;
		if (x->mhae_cnt == 0)
			x->fhae_first = true;
		x->fhae_cnt++;
		return 0;
	case EXT_NAI:
		if (x->mhae_cnt == 0)
			note_only(x, &x->nai, ext);
		return 0;
	case EXT_UDP_TUNNEL_REQUEST:
		if (udp_tunnel_request_decode(ext, &udp) == ERR_UNSUPPORTED)
			return 0; /* not understood: skipped (RFC 3519 §3.1.3) */
		if (!x->udp_request.data)
			x->udp_from_fa = x->mhae_cnt > 0;
		note_only(x, &x->udp_request, ext);
		return 0;
	case EXT_REVOCATION_SUPPORT:
		note_only(x, &x->support[x->mhae_cnt > 0], ext);
		return 0;
	case EXT_FA_ERROR:
		x->has_fa_error = true;
		return 0;
	case EXT_UDP_TUNNEL_REPLY:
		return ERR_UNKNOWN_EXT; /* known, but never in a request */
	default:
		extension_note(x, ext);
		return 0; /* padding, what is the foreign agent's (33), what may be skipped */
	}
}

/* §1.8: an unknown extension below 128 condemns the message wherever it stands. */
static struct reg_outcome check_extensions(struct engine *e, struct exchange *x)
{
	struct wire_reader r = wire_reader(x->msg + REG_REQUEST_LEN, x->len - REG_REQUEST_LEN);
	unsigned int cnt = 0;
	struct ext ext;
	int rc;

	(void)e;
	while ((rc = ext_next(&r, &ext)) > 0) {
		rc = ++cnt > EXT_MAX ? ERR_TOO_MANY : note_extension(x, &ext);
		if (rc < 0)
			break;
	}
	if (rc == ERR_UNKNOWN_EXT)
		return outcome_discard(REG_REASON_UNKNOWN_EXTENSION);
	if (rc == ERR_TOO_MANY)
		return outcome_discard(REG_REASON_TOO_MANY_EXTENSIONS);
	if (rc < 0)
		return outcome_discard(REG_REASON_MALFORMED);
	return outcome_go_on();
}

static struct reg_outcome check_has_authentication(struct engine *e, struct exchange *x)
{
	(void)e;
	if (x->mhae_cnt == 0)
		return outcome_discard(REG_REASON_NO_AUTHENTICATION);
	return outcome_go_on();
}

/*
 * By NAI first (RFC 2794): a node may move between addresses, its name stays. A name that nobody
 * configured is no reason to refuse a node that is known by its address.
 */
static struct reg_outcome check_mobile_node_is_known(struct engine *e, struct exchange *x)
{
	x->home_addr = x->req.home_addr;
	if (x->nai.len > 0)
		x->node = sa_peer_find_nai(&e->nodes, x->nai.data, x->nai.len);
	if (!x->node && !addr_is_any(x->req.home_addr))
		x->node = sa_peer_find(&e->nodes, x->req.home_addr);
	if (!x->node)
		return outcome_discard(REG_REASON_UNKNOWN_NODE);
	if (addr_is_any(x->home_addr))
		x->home_addr = x->node->addr;
	return outcome_go_on();
}

static bool verifies(const struct mac *mac, const struct exchange *x, const struct reg_auth *auth)
{
	return mac_verify(mac, x->msg, auth->covered_len, auth->mac, auth->mac_len) == 0;
}

/* Which key of the association it was made with; NULL: none that is good now. */
static const struct mac *verifier(const struct sa_peer *peer, const struct sa *sa,
				  const struct exchange *x, const struct reg_auth *auth)
{
	const struct sa_previous *old;

	if (!sa)
		return NULL;
	if (verifies(&sa->mac, x, auth))
		return &sa->mac;
	old = sa_find_previous(peer, sa->spi);
	if (old && clock_ntp_diff(x->now->ntp, old->until_ntp) < 0 && verifies(&old->mac, x, auth))
		return &old->mac;
	return NULL;
}

/*
 * The foreign agent is known by the source address (§3.5.4). A NAT may stand between an agent and
 * us, and then it is known by the care-of address, which is the agent's own where D is clear.
 */
static void find_foreign_agent(struct engine *e, struct exchange *x)
{
	bool co_located = x->req.flags & REG_FLAG_D;

	x->agent = sa_peer_find(&e->agents, x->from->src);
	if (!x->agent && !co_located && exchange_source_differs(x))
		x->agent = sa_peer_find(&e->agents, x->req.care_of);
	if (!x->agent)
		return;
	x->agent_sa = x->agent->sas;
	if (x->fhae_cnt > 0) {
		struct sa *sa = sa_find(x->agent, x->fhae.spi);

		x->agent_verified = x->fhae_cnt == 1 && verifier(x->agent, sa, x, &x->fhae);
		if (sa)
			x->agent_sa = sa;
	}
}

static struct reg_outcome check_authentication(struct engine *e, struct exchange *x)
{
	enum reg_reason failure = REG_REASON_AUTH_FAILURE;
	const struct mac *mac;
	unsigned int i;

	find_foreign_agent(e, x);
	for (i = 0; i < x->mhae_cnt && i < CHECK_AUTH_MAX; i++) {
		struct sa *sa = sa_find(x->node, x->mhae[i].spi);

		if (!sa)
			failure = REG_REASON_UNKNOWN_SPI;
		mac = verifier(x->node, sa, x, &x->mhae[i]);
		if (!mac)
			break;
		if (i == 0) {
			x->sa = sa;
			x->mac = mac;
		}
	}
	if (i == x->mhae_cnt || i == CHECK_AUTH_MAX)
		return outcome_go_on();
	if (!x->agent_verified)
		return outcome_discard(failure);
	/* §3.8.2.1a: sign with the association the node is likeliest to hold, its first. */
	x->sa = x->node->sas;
	x->mac = &x->sa->mac;
	if (x->sa->replay.style ==
	    REPLAY_NONCE) /* every reply has a new one; not given, not kept */
		x->reply_ident = (uint64_t)e->hooks.random(e->hooks.ctx) << 32 |
				 (x->req.ident & 0xffffffffu);
	return outcome_deny(REG_MN_FAILED_AUTH, failure);
}

static struct reg_outcome check_identification(struct engine *e, struct exchange *x)
{
	struct replay strict;
	uint32_t nonce = 0;
	int rc;

	x->replay_before = x->sa->replay;
	x->ident_checked = true;
	if (x->sa->replay.style == REPLAY_NONCE)
		nonce = e->hooks.random(e->hooks.ctx);
	strict = x->sa->replay;
	if (e->is_distrusting && strict.style == REPLAY_TIMESTAMP &&
	    (!strict.seen || clock_ntp_diff(e->distrusted_ntp, strict.last_ident) > 0)) {
		strict.last_ident = e->distrusted_ntp;
		strict.seen = true;
	}
	rc = replay_check(&strict, x->req.ident, x->now->ntp, nonce, &x->reply_ident);
	if (rc == 0 || strict.style == REPLAY_NONCE)
		x->sa->replay = strict;
	switch (rc) {
	case 0:
		return outcome_go_on();
	case ERR_CLOCK_SKEW:
		return outcome_deny(REG_IDENT_MISMATCH, REG_REASON_CLOCK_SKEW);
	case ERR_STALE_NONCE:
		return outcome_deny(REG_IDENT_MISMATCH, REG_REASON_STALE_NONCE);
	default:
		return outcome_deny(REG_IDENT_MISMATCH, REG_REASON_REPLAY);
	}
}

/*
 * §3.8.2.1c, d. An agent that relays for a node with a co-located address may not add its
 * authenticator, says §3.5.4; it must, say §3.7.2.2 and this rule. We side with the first where
 * it shows (D set, source not the care-of address): the second would shut out every such node.
 */
static struct reg_outcome check_foreign_agent(struct engine *e, struct exchange *x)
{
	bool co_located = x->req.flags & REG_FLAG_D;
	bool leaving = reg_is_dereg(&x->req) || addr_eq(x->home_addr, x->req.care_of);

	(void)e;
	if (!x->agent) {
		if (x->fhae_cnt > 0)
			return outcome_discard(REG_REASON_UNEXPECTED_FHAE);
		return outcome_go_on();
	}
	x->agent_required = !leaving && !(co_located && exchange_source_differs(x));
	if (x->agent_verified || (x->fhae_cnt == 0 && !x->agent_required))
		return outcome_go_on();
	return outcome_deny(REG_FA_FAILED_AUTH, REG_REASON_FA_AUTH_FAILURE);
}

/* §3.8.2.1: home agent discovery. Routers may have rewritten the subnet broadcast to all ones. */
static struct reg_outcome check_destination_is_unicast(struct engine *e, struct exchange *x)
{
	struct in_addr dst = x->from->dst;
	size_t i;

	if (addr_is_broadcast(dst))
		return outcome_deny(REG_UNKNOWN_HOME_AGENT, REG_REASON_NOT_UNICAST);
	for (i = 0; i < e->conf.home_network_cnt; i++)
		if (addr_eq(dst, addr_prefix_broadcast(e->conf.home_networks[i])) &&
		    !addr_eq(dst, e->conf.home_agent))
			return outcome_deny(REG_UNKNOWN_HOME_AGENT, REG_REASON_NOT_UNICAST);
	return outcome_go_on();
}

/* Which of the two is meant? What nobody has signed is not looked at, as elsewhere. */
static bool is_repeated(const struct exchange *x)
{
	return x->again.data &&
	       (exchange_node_signed(x, &x->again) || exchange_agent_signed(x, &x->again));
}

/*
 * §3.3 has r and x ignored on reception, §3.8.2.3 would refuse reserved bits: the field's own
 * definition wins, and so old and new nodes are served, unless a site wants the other. That is
 * about x, which RFC 2002 reserved already; r has had a meaning that old nodes may still give it.
 * Left to refuse is an order or a number of authenticators that no sender could mean (§3.2,
 * §3.6.1.3), and what a foreign agent adds to replies only (RFC 4636 §3).
 */
static struct reg_outcome check_form(struct engine *e, struct exchange *x)
{
	if (x->mhae_cnt > 1 || x->fhae_first || x->has_fa_error)
		return outcome_deny(REG_POORLY_FORMED, REG_REASON_POORLY_FORMED);
	if (is_repeated(x))
		return outcome_deny(REG_POORLY_FORMED, REG_REASON_REPEATED_EXTENSION);
	if (e->conf.strict_reserved && (x->req.flags & REG_FLAG_x))
		return outcome_deny(REG_POORLY_FORMED, REG_REASON_POORLY_FORMED);
	return outcome_go_on();
}

static struct reg_outcome check_home_agent(struct engine *e, struct exchange *x)
{
	if (!addr_eq(x->req.home_agent, e->conf.home_agent) && !extension_asks_any_home_agent(x))
		return outcome_deny(REG_UNKNOWN_HOME_AGENT, REG_REASON_WRONG_HOME_AGENT);
	return outcome_go_on();
}

static struct reg_outcome check_home_address(struct engine *e, struct exchange *x)
{
	const struct reg_outcome refused =
		outcome_deny(REG_ADMINISTRATIVELY_PROHIBITED, REG_REASON_HOME_ADDRESS);

	if (addr_is_any(x->home_addr)) /* to be assigned, unless it is leaving */
		return reg_is_dereg(&x->req) ? refused : outcome_go_on();
	/*
	 * A NAI and an address that belong to different nodes, or not to this one. A node of the
	 * pool that has none yet may ask for the one it remembers from before we started; it may
	 * not leave it, for it may be somebody else's by now.
	 */
	if (!addr_eq(x->home_addr, x->node->addr) &&
	    (reg_is_dereg(&x->req) || !exchange_wants_lease(x)))
		return refused;
	return engine_is_home_address(e, x->home_addr) ? outcome_go_on() : refused;
}

/* A tunnel to the home address, to ourselves or to nobody would loop or lead nowhere. */
static struct reg_outcome check_care_of_address(struct engine *e, struct exchange *x)
{
	struct in_addr care_of = x->req.care_of;

	if (!addr_is_unicast(care_of) || addr_eq(care_of, x->home_addr) ||
	    addr_eq(care_of, e->conf.home_agent))
		return outcome_deny(REG_ADMINISTRATIVELY_PROHIBITED, REG_REASON_CARE_OF_ADDRESS);
	return outcome_go_on();
}

/* The networks' own names and their broadcast addresses: no host has one, but for /31 and /32. */
static bool is_home_broadcast(const struct engine *e, struct in_addr a)
{
	size_t i;

	for (i = 0; i < e->conf.home_network_cnt; i++) {
		const struct addr_prefix net = e->conf.home_networks[i];

		if (net.len <= 30 &&
		    (addr_eq(a, net.addr) || addr_eq(a, addr_prefix_broadcast(net))))
			return true;
	}
	return false;
}

/*
 * No router passes on a packet to such an address (RFC 3927 §2.7): whoever has one is on a link of
 * ours, and then its own request comes from there.
 */
static bool is_link_local_elsewhere(const struct exchange *x, struct in_addr a)
{
	return addr_is_link_local(a) && !addr_eq(x->from->src, a);
}

/* Another address of this host, or a broadcast of its links? What is bound has been asked for. */
static bool is_of_this_host(const struct engine *e, const struct exchange *x, struct in_addr a)
{
	const struct binding_key key = { x->home_addr, e->conf.home_agent };
	const struct binding *b = binding_find_care_of(&e->cache, key, x->req.care_of);

	return e->hooks.is_local && !(b && addr_eq(b->tunnel.peer, a)) &&
	       e->hooks.is_local(e->hooks.ctx, a);
}

/*
 * Is it another node's home address or in its networks, registered now or not? Packets for it go,
 * or will once that node is away, into a tunnel of ours, and we put no tunnel into a tunnel.
 */
static bool is_behind_other_node(struct engine *e, const struct exchange *x, struct in_addr a)
{
	const struct sa_peer *owner = NULL;
	struct addr_prefix net;

	/* Nobody is looked for where nobody can be: most are far away, a million in no cache. */
	if (engine_is_home_address(e, a)) {
		owner = sa_peer_find(&e->nodes, a);
		if (owner ? owner != x->node : pool_contains(&e->pool, a))
			return true;
	}
	return network_table_find_allowed(&e->networks, a, &net) &&
	       !network_list_find(sa_peer_networks(x->node), net);
}

/* Behind a NAT the care-of address is only a name: the tunnel ends at the request's source. */
static struct reg_outcome check_tunnel_end(struct engine *e, struct exchange *x)
{
	struct in_addr end = x->grant.udp ? x->from->src : x->req.care_of;

	if (is_home_broadcast(e, end) || is_link_local_elsewhere(x, end) ||
	    is_of_this_host(e, x, end))
		return outcome_deny(REG_ADMINISTRATIVELY_PROHIBITED, REG_REASON_CARE_OF_ADDRESS);
	if (is_behind_other_node(e, x, end))
		return outcome_deny(REG_ADMINISTRATIVELY_PROHIBITED, REG_REASON_BEHIND_TUNNEL);
	return outcome_go_on();
}

static struct reg_outcome check_binding_limit(struct engine *e, struct exchange *x)
{
	const struct binding_key key = { x->home_addr, e->conf.home_agent };

	if (!exchange_keeps_others(e, x) || binding_find_care_of(&e->cache, key, x->req.care_of) ||
	    binding_cnt(binding_find(&e->cache, key)) < e->conf.max_bindings)
		return outcome_go_on();
	return outcome_deny(REG_TOO_MANY_BINDINGS, REG_REASON_TOO_MANY_BINDINGS);
}

static struct reg_outcome check_reverse_tunnel_is_requested(struct engine *e, struct exchange *x)
{
	if (e->conf.reverse == ENGINE_REVERSE_REQUIRED && !(x->req.flags & REG_FLAG_T))
		return outcome_deny(REG_REVERSE_TUNNEL_MANDATORY, REG_REASON_REVERSE_MANDATORY);
	return outcome_go_on();
}

/* RFC 3024 §4.3.1 makes 137 the last check. */
static struct reg_outcome check_reverse_tunnel_is_available(struct engine *e, struct exchange *x)
{
	x->grant.reverse = x->req.flags & REG_FLAG_T;
	if (x->grant.reverse && e->conf.reverse == ENGINE_REVERSE_DISABLED)
		return outcome_deny(REG_REVERSE_TUNNEL_UNAVAILABLE, REG_REASON_REVERSE_UNAVAILABLE);
	return outcome_go_on();
}

const struct check_row check_rows[] = {
	{ check_message, false },
	{ check_extensions, false },
	{ check_has_authentication, false },
	{ check_mobile_node_is_known, false },
	{ check_authentication, false },
	{ check_identification, false },
	{ check_foreign_agent, false },
	{ check_destination_is_unicast, false },
	{ check_form, false },
	{ check_vendor_extensions, false },
	{ check_requested_home_agent, false },
	{ check_home_agent, false },
	{ check_redirect, true },
	{ check_home_address, false },
	{ check_draining, true },
	{ check_service, true },
	{ check_care_of_address, true },
	{ check_mobile_networks, true },
	{ check_udp_tunnel, false },
	{ check_tunnel_end, true },
	{ check_encapsulation, true },
	{ check_revocation, true },
	{ check_binding_limit, true },
	{ check_reverse_tunnel_is_requested, true },
	{ check_reverse_tunnel_is_available, true },
};
const size_t check_row_cnt = sizeof(check_rows) / sizeof(check_rows[0]);

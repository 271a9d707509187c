/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NAT traversal: does this binding get a UDP tunnel (RFC 3519 §4.6), and which encapsulation does
 * it use, in UDP or without (RFC 3519 §4.1, RFC 3024 §3.4)?
 *
 * A NAT shows by a source address that is not the care-of address. Who asked shows by the place
 * of the extension: before the Mobile-Home Authentication it was the mobile node, behind it the
 * foreign agent, and the D bit has to agree. An agent's request counts only under an agent's
 * authenticator: without one anybody on the path could have added it.
 */
#include "ha-core/engine/check.h"

#include "ha-core/tunnel/encap.h"

static bool offers(const struct engine_conf *conf, uint8_t mode)
{
	size_t i;

	for (i = 0; i < conf->encap_cnt; i++)
		if (conf->encap[i] == mode)
			return true;
	return mode == ENCAP_IPIP; /* mandatory */
}

/*
 * What the M and G bits ask for; 0: something that we do not offer. Both bits mean that either
 * will do (RFC 5944 App. C.2), and then our order of preference decides. RFC 5944 §4.1 would let
 * us ignore the bits where no reverse tunnel is asked for; refusing in that case as well tells
 * the node what it gets.
 */
static uint8_t mode_by_bits(const struct engine_conf *conf, uint8_t flags)
{
	size_t i;

	if (!(flags & (REG_FLAG_M | REG_FLAG_G)))
		return ENCAP_IPIP;
	for (i = 0; i < conf->encap_cnt; i++) {
		if (conf->encap[i] == ENCAP_MINIMAL && (flags & REG_FLAG_M))
			return ENCAP_MINIMAL;
		if (conf->encap[i] == ENCAP_GRE && (flags & REG_FLAG_G))
			return ENCAP_GRE;
	}
	return 0;
}

static struct reg_outcome refuse(void)
{
	return outcome_deny(REG_ADMINISTRATIVELY_PROHIBITED, REG_REASON_NAT_REFUSED);
}

/* The tunnel would end at the source, which nobody has signed: see check_care_of_address(). */
static bool source_can_be_peer(const struct engine *e, const struct exchange *x)
{
	struct in_addr src = x->from->src;

	return addr_is_unicast(src) && !addr_eq(src, x->home_addr) &&
	       !addr_eq(src, e->conf.home_agent);
}

static struct reg_outcome grant_udp(const struct engine *e, struct exchange *x, uint8_t mode)
{
	if (!source_can_be_peer(e, x))
		return outcome_deny(REG_ADMINISTRATIVELY_PROHIBITED, REG_REASON_CARE_OF_ADDRESS);
	if (mode == 0)
		mode = mode_by_bits(&e->conf, x->req.flags);
	if (!offers(&e->conf, mode))
		return outcome_deny(REG_UDP_ENCAPSULATION_UNAVAILABLE,
				    REG_REASON_UDP_ENCAPSULATION);
	x->grant.udp = true;
	x->grant.encap = mode;
	x->grant.keepalive_s = e->conf.keepalive_s;
	return outcome_go_on();
}

/* Is there a request that counts, and is it well-formed? */
static struct reg_outcome read_request(struct exchange *x, struct udp_tunnel_request *ret_req,
				       bool *ret_found)
{
	bool co_located = x->req.flags & REG_FLAG_D;

	*ret_found = false;
	if (!x->udp_request.data)
		return outcome_go_on();
	if (x->udp_from_fa &&
	    !(x->agent_verified && x->udp_request.start < x->msg + x->fhae.covered_len))
		return outcome_go_on();
	if (udp_tunnel_request_decode(&x->udp_request, ret_req) < 0)
		return outcome_deny(REG_POORLY_FORMED, REG_REASON_EXTENSION_FORM);
	if (x->udp_from_fa == co_located)
		return outcome_deny(REG_POORLY_FORMED, REG_REASON_POORLY_FORMED);
	*ret_found = true;
	return outcome_go_on();
}

struct reg_outcome check_udp_tunnel(struct engine *e, struct exchange *x)
{
	bool nat = exchange_source_differs(x);
	struct udp_tunnel_request req;
	struct reg_outcome outcome;
	bool found;

	outcome = read_request(x, &req, &found);
	if (outcome.verdict != REG_ACCEPT || !found)
		return outcome;
	x->grant.udp_reply = true; /* declining, until granted */
	x->grant.from_fa = x->udp_from_fa;
	if (reg_is_dereg(&x->req))
		return outcome_go_on();

	if (!e->conf.nat_enabled)
		return nat || req.forced ? refuse() : outcome_go_on();
	if (req.registered_fa && !x->udp_from_fa) {
		/* The port we see is the foreign agent's; the node's own comes with a keepalive. */
		x->grant.half_bound = true;
		return grant_udp(e, x, req.encapsulation);
	}
	if (nat)
		return grant_udp(e, x, req.encapsulation);
	if (!req.forced)
		return outcome_go_on();
	if (!e->conf.nat_forced)
		return refuse();
	x->grant.udp_forced = true;
	return grant_udp(e, x, req.encapsulation);
}

struct reg_outcome check_encapsulation(struct engine *e, struct exchange *x)
{
	if (x->grant.udp)
		return outcome_go_on();
	x->grant.encap = mode_by_bits(&e->conf, x->req.flags);
	if (x->grant.encap == 0)
		return outcome_deny(REG_ENCAPSULATION_UNAVAILABLE, REG_REASON_ENCAPSULATION);
	return outcome_go_on();
}

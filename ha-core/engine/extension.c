/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extensions beyond the base protocol: vendors' (RFC 3115), challenges (RFC 4721), dynamic home
 * agent assignment (RFC 4433), service selection (RFC 5446), and texts for people (RFC 4917).
 *
 * As in check.c, what stands before the mobile node's authenticator is the node's word. What
 * stands behind it is the foreign agent's, and grants nothing unless the agent has signed it.
 */
#include "ha-core/engine/check.h"

#include "ha-core/wire/dynamic_ha.h"
#include "ha-core/wire/message_string.h"
#include "ha-core/wire/vendor.h"

static void note_first(struct ext *first, const struct ext *ext)
{
	if (!first->data)
		*first = *ext;
}

void extension_note(struct exchange *x, const struct ext *ext)
{
	bool from_fa = x->mhae_cnt > 0;

	switch (ext->type) {
	case EXT_CRITICAL_VENDOR:
		if (!x->critical_vendor.data)
			x->critical_vendor_from_fa = from_fa;
		note_first(&x->critical_vendor, ext);
		break;
	case EXT_CHALLENGE:
		note_first(&x->challenge, ext);
		break;
	case EXT_DYNAMIC_HA:
		if (!from_fa)
			note_first(&x->dynamic_ha, ext);
		break;
	case EXT_MOBILE_NETWORK:
		if (!from_fa)
			mobile_network_note(x, ext);
		break;
	case EXT_SERVICE:
		note_first(from_fa ? &x->fa_service : &x->service, ext);
		*(from_fa ? &x->fa_service_cnt : &x->service_cnt) += 1;
		break;
	default:
		break;
	}
}

/*
 * RFC 3115 §3: what must be understood and is not, ends the registration; leaving is no exception.
 * We understand none yet. Behind the node's authenticator it is refused even if no agent signed
 * it: to ignore it is not allowed, and whoever can add it on the way could as well drop the packet.
 */
struct reg_outcome check_vendor_extensions(struct engine *e, struct exchange *x)
{
	struct vendor_ext vendor;

	(void)e;
	if (!x->critical_vendor.data)
		return outcome_go_on();
	if (vendor_ext_decode(&x->critical_vendor, &vendor) < 0)
		return outcome_deny(REG_POORLY_FORMED, REG_REASON_EXTENSION_FORM);
	if (x->critical_vendor_from_fa)
		return outcome_deny(REG_UNKNOWN_VENDOR_EXT_OF_FA, REG_REASON_FA_VENDOR_EXTENSION);
	return outcome_deny(REG_UNKNOWN_VENDOR_EXT_OF_MN, REG_REASON_VENDOR_EXTENSION);
}

/*
 * RFC 4433 §2: 0.0.0.0 is any home agent, 255.255.255.255 one of the home domain; a renewal may
 * say so again (§4.1.1). Neither is ever an address of ours, and the datagram has found us by one.
 */
bool extension_asks_any_home_agent(const struct exchange *x)
{
	return addr_is_any(x->req.home_agent) || addr_is_broadcast(x->req.home_agent);
}

/* RFC 4433 §5.3: a request that names a home agent went to that one, or is not for us. */
struct reg_outcome check_requested_home_agent(struct engine *e, struct exchange *x)
{
	struct dynamic_ha ha;

	(void)e;
	/* One that cannot be read may be skipped like one that is not known. */
	if (!x->dynamic_ha.data || dynamic_ha_decode(&x->dynamic_ha, &ha) < 0 ||
	    ha.type != DYNAMIC_HA_REQUESTED || addr_eq(ha.addr, x->from->dst))
		return outcome_go_on();
	return outcome_deny(REG_UNKNOWN_HOME_AGENT, REG_REASON_WRONG_HOME_AGENT);
}

/*
 * RFC 4433 §3.4.2, §5.3.1: who would take any home agent may be sent to another one; who asks for
 * us stays, and so does who leaves, for the binding is here. The rules before have authenticated.
 */
struct reg_outcome check_redirect(struct engine *e, struct exchange *x)
{
	if (addr_is_any(e->conf.redirect) || !extension_asks_any_home_agent(x))
		return outcome_go_on();
	return outcome_deny(REG_REDIRECTED, REG_REASON_REDIRECTED);
}

/* The service asked for, or NULL: the default one. */
static const struct ext *selected_service(const struct exchange *x)
{
	if (x->service.data)
		return &x->service;
	if (x->fa_service.data && exchange_agent_signed(x, &x->fa_service))
		return &x->fa_service;
	return NULL;
}

/*
 * RFC 5446 §3, §4: a service is named once and must be one that the node may use; none is the
 * default service. A node that nobody has limited is served as by a home agent that does not know
 * the extension, which skips it.
 */
struct reg_outcome check_service(struct engine *e, struct exchange *x)
{
	const struct ext *service = selected_service(x);
	const struct sa_more *more = x->node->more;
	unsigned int cnt = x->service_cnt;

	(void)e;
	if (!more || (!more->services && !more->must_select))
		return outcome_go_on();
	if (x->fa_service.data && exchange_agent_signed(x, &x->fa_service))
		cnt += x->fa_service_cnt;
	if (cnt > 1)
		return outcome_deny(REG_POORLY_FORMED, REG_REASON_REPEATED_EXTENSION);
	if (service && service->len == 0)
		return outcome_deny(REG_POORLY_FORMED, REG_REASON_EXTENSION_FORM);
	if (!service && more->must_select)
		return outcome_deny(REG_SERVICE_UNAUTHORIZED, REG_REASON_NO_SERVICE);
	if (service && more->services &&
	    !service_list_has(more->services, service->data, service->len))
		return outcome_deny(REG_SERVICE_UNAUTHORIZED, REG_REASON_SERVICE);
	x->service_granted = service;
	return outcome_go_on();
}

/* --- into the reply --- */

static void put_copy(struct wire_writer *w, const struct ext *ext)
{
	ext_put_header(w, (enum ext_type)ext->type, (uint8_t)ext->len);
	wire_put_bytes(w, ext->data, ext->len);
}

/*
 * Behind Code 131 stands what a stranger may have sent: whether it was the SPI or the key that was
 * wrong is not for him to know. All other denials go to who has proved to be the node.
 */
static const char *denial_text(const struct reg_outcome *outcome)
{
	if (outcome->code == REG_MN_FAILED_AUTH)
		return reg_code_text(outcome->code);
	return reg_reason_text(outcome->reason);
}

/* What the mobile node's authenticator is to cover. */
void extension_put_for_node(struct wire_writer *w, const struct engine *e, const struct exchange *x,
			    const struct reg_outcome *outcome)
{
	if (outcome->verdict == REG_DENY && outcome->code == REG_REDIRECTED) {
		const struct dynamic_ha ha = { DYNAMIC_HA_REDIRECTED, e->conf.redirect };

		dynamic_ha_encode(w, &ha, e->conf.redirect_drawn);
	}
	if (outcome->verdict == REG_DENY && e->conf.message_strings && !x->is_terse)
		message_string_encode(w, denial_text(outcome)); /* §5: before the authenticator */
	if (outcome->verdict == REG_ACCEPT && x->service_granted && x->service.data)
		put_copy(w, &x->service);
	mobile_network_put_acks(w, x, outcome);
}

/* What only a foreign agent's authenticator covers. */
void extension_put_for_agent(struct wire_writer *w, const struct exchange *x,
			     const struct reg_outcome *outcome)
{
	if (outcome->verdict == REG_ACCEPT && x->service_granted && !x->service.data)
		put_copy(w, &x->fa_service);
	/* RFC 4721 §3.4: a foreign agent takes a reply without its challenge for a forgery. */
	if (x->challenge.data)
		put_copy(w, &x->challenge);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network mobility (RFC 5177): mobile nodes that are routers, with networks behind them. The
 * engine calls in: a rule that judges what is asked for, the grant just before a binding changes,
 * the acknowledgements in the reply.
 *
 * In explicit mode a node names its networks in each request, and those that it does not name
 * again are gone (§6.3); a request that names none is that of a mere host. In implicit mode, for
 * nodes configured so, naming none means all (§6.2.2).
 *
 * Objects: a network belongs to its node's configuration. A binding has a bit for each one that is
 * registered with it; with simultaneous bindings that may differ. While any binding holds a
 * network it is in the engine's table, and the host routes it to us. Only then: a router at home
 * is reached as any other, and what its routes say is none of our business.
 */
#include "ha-core/wire/mobile_network.h"
#include "ha-core/engine/check.h"

#include "common/err.h"

#include <errno.h>

static void read_request(const struct exchange *x, size_t i, struct mobile_network *out)
{
	const uint8_t *start = x->msg + x->network_at[i];
	const struct ext ext = {
		.type = start[0], .start = start, .data = start + 2, .len = start[1]
	};

	(void)mobile_network_decode(&ext, out); /* it was read before */
}

static bool is_noted(const struct exchange *x, const struct ext *ext)
{
	size_t i;

	for (i = 0; i < x->network_cnt; i++)
		if (memcmp(x->msg + x->network_at[i] + 2, ext->data, ext->len) == 0)
			return true;
	return false;
}

/* Of the node itself, before its authenticator (§10: MUST). */
void mobile_network_note(struct exchange *x, const struct ext *ext)
{
	struct mobile_network net;
	int rc = mobile_network_decode(ext, &net);

	if (rc == ERR_UNKNOWN_EXT || (rc == 0 && net.type != MOBILE_NETWORK_REQUEST))
		return; /* nothing that a node asks: skipped */
	if (rc < 0)
		x->networks_malformed = true;
	else if (is_noted(x, ext))
		return;
	else if (x->network_cnt == NETWORK_MAX || ext->start - x->msg > UINT16_MAX)
		x->networks_in_excess = true;
	else
		x->network_at[x->network_cnt++] = (uint16_t)(ext->start - x->msg);
}

/* The network of the node that request i names, or NULL. Host bits are not looked at. */
static struct network *requested_network(const struct exchange *x, size_t i)
{
	struct mobile_network req;

	read_request(x, i, &req);
	return network_list_find(sa_peer_networks(x->node),
				 addr_prefix_of(req.prefix, req.prefix_len));
}

/* §6.3: each is checked against what the node may have. */
static uint8_t judge_request(const struct exchange *x, size_t i)
{
	struct mobile_network req;
	const struct network *net;

	read_request(x, i, &req);
	if (req.prefix_len == 0 || req.prefix_len > 32)
		return MOBILE_NETWORK_BAD_LENGTH;
	net = requested_network(x, i);
	/* A tunnel to an address behind the tunnel's own end would lead into itself. */
	if (!net || addr_prefix_contains(net->prefix, x->req.care_of))
		return MOBILE_NETWORK_UNAUTHORIZED;
	return MOBILE_NETWORK_OK;
}

static bool is_any_granted(const struct exchange *x)
{
	size_t i;

	for (i = 0; i < x->network_cnt; i++)
		if (x->network_codes[i] == MOBILE_NETWORK_OK)
			return true;
	return false;
}

static struct reg_outcome deny_networks(struct engine *e, const struct exchange *x)
{
	e->stats.networks_refused += x->network_cnt;
	return outcome_deny(REG_MOBILE_NETWORK_ERROR, REG_REASON_MOBILE_NETWORKS);
}

/* §6.1: 148 for a node that is no router; §6.3: 147 if none of its networks can be served. */
struct reg_outcome check_mobile_networks(struct engine *e, struct exchange *x)
{
	size_t i;

	if (x->network_cnt == 0 && !x->networks_malformed)
		return outcome_go_on();
	if (!sa_peer_networks(x->node))
		return outcome_deny(REG_MOBILE_ROUTER_DISALLOWED, REG_REASON_NO_ROUTER);
	if (x->networks_malformed)
		return outcome_deny(REG_POORLY_FORMED, REG_REASON_EXTENSION_FORM);
	if (x->networks_in_excess) /* more than any node can have configured */
		return outcome_deny(REG_INSUFFICIENT_RESOURCES, REG_REASON_TOO_MANY_NETWORKS);
	for (i = 0; i < x->network_cnt; i++)
		x->network_codes[i] = judge_request(x, i);
	return is_any_granted(x) ? outcome_go_on() : deny_networks(e, x);
}

/* --- the grant --- */

/* What a node gets that names none; NULL: it gets what it names. */
static struct network_list *implicit_list(const struct exchange *x)
{
	struct network_list *list = x->network_cnt == 0 ? sa_peer_networks(x->node) : NULL;

	return list && list->implicit ? list : NULL;
}

static int hold(struct engine *e, struct in_addr home_addr, struct network *net, uint32_t *networks)
{
	int rc = 0;

	if (*networks & network_bit(net))
		return 0;
	if (net->user_cnt == 0) {
		if (network_table_get(&e->networks, net->prefix))
			return -EAGAIN; /* a reload is about to take it from who had it */
		if (e->hooks.route)
			rc = e->hooks.route(e->hooks.ctx, net->prefix, home_addr, true);
		if (rc < 0)
			return rc;
		network_table_put(&e->networks, net);
	}
	net->user_cnt++;
	*networks |= network_bit(net);
	return 0;
}

void mobile_network_restore(struct engine *e, struct binding *b, struct addr_prefix prefix)
{
	struct network *net = network_list_find(sa_peer_networks(b->node), prefix);

	if (net)
		(void)hold(e, b->key.home_addr, net, &b->networks);
}

void mobile_network_release(struct engine *e, struct sa_peer *node, uint32_t networks)
{
	struct network_list *list = networks != 0 ? sa_peer_networks(node) : NULL;
	struct network *net;
	size_t i;

	for (i = 0; list && i < list->cnt; i++) {
		net = &list->networks[i];
		if (!(networks & network_bit(net)) || --net->user_cnt > 0)
			continue;
		network_table_del(&e->networks, net);
		if (e->hooks.route)
			(void)e->hooks.route(e->hooks.ctx, net->prefix, node->addr, false);
	}
}

static void grant_requested(struct engine *e, struct exchange *x)
{
	size_t i;

	for (i = 0; i < x->network_cnt; i++)
		if (x->network_codes[i] == MOBILE_NETWORK_OK &&
		    hold(e, x->home_addr, requested_network(x, i), &x->networks) < 0)
			x->network_codes[i] = MOBILE_NETWORK_FORWARDING_FAILED;
}

static void grant_all(struct engine *e, struct exchange *x, struct network_list *list)
{
	size_t i;

	for (i = 0; i < list->cnt; i++)
		if (!addr_prefix_contains(list->networks[i].prefix, x->req.care_of))
			(void)hold(e, x->home_addr, &list->networks[i], &x->networks);
}

struct reg_outcome mobile_network_grant(struct engine *e, struct exchange *x)
{
	struct network_list *list = implicit_list(x);
	size_t cnt = list ? list->cnt : x->network_cnt;

	if (list)
		grant_all(e, x, list);
	else
		grant_requested(e, x);
	if (cnt > 0 && x->networks == 0)
		return deny_networks(e, x);
	e->stats.networks_granted += (unsigned int)__builtin_popcount(x->networks);
	e->stats.networks_refused += cnt - (unsigned int)__builtin_popcount(x->networks);
	return outcome_go_on();
}

/* --- the reply --- */

static void put_implicit_acks(struct wire_writer *w, const struct exchange *x,
			      const struct network_list *list)
{
	size_t i;

	for (i = 0; i < list->cnt; i++) {
		const struct network *net = &list->networks[i];
		const struct mobile_network ack = {
			.type = MOBILE_NETWORK_IMPLICIT_ACK,
			.code = x->networks & network_bit(net) ? MOBILE_NETWORK_OK
							       : MOBILE_NETWORK_FORWARDING_FAILED,
			.prefix_len = net->prefix.len,
			.prefix = net->prefix.addr,
		};

		mobile_network_encode(w, &ack);
	}
}

/* §4.2: the router knows by them that it was understood, also where nothing was granted (147). */
void mobile_network_put_acks(struct wire_writer *w, const struct exchange *x,
			     const struct reg_outcome *outcome)
{
	const struct network_list *list;
	struct mobile_network ack;
	size_t i;

	if (outcome->verdict == REG_ACCEPT ? reg_is_dereg(&x->req)
					   : outcome->code != REG_MOBILE_NETWORK_ERROR)
		return;
	list = implicit_list(x);
	if (list) {
		put_implicit_acks(w, x, list);
		return;
	}
	for (i = 0; i < x->network_cnt; i++) {
		read_request(x, i, &ack);
		ack.type = MOBILE_NETWORK_EXPLICIT_ACK;
		ack.code = x->network_codes[i];
		mobile_network_encode(w, &ack);
	}
}

/* --- reload --- */

/* What of the binding's networks is in the new list is registered there. */
static void carry_over(struct engine *e, struct binding *b, const struct network_list *before,
		       struct network_list *list)
{
	uint32_t networks = b->networks;
	struct network *net;
	size_t i;

	b->networks = 0;
	for (i = 0; networks != 0 && i < before->cnt; i++) {
		if (!(networks & network_bit(&before->networks[i])))
			continue;
		net = network_list_find(list, before->networks[i].prefix);
		if (!net)
			continue;
		if (net->user_cnt++ == 0)
			network_table_put(&e->networks, net);
		b->networks |= network_bit(net);
	}
}

void mobile_network_replace(struct engine *e, struct sa_peer *node, struct binding *first,
			    struct network_list *list)
{
	struct network_list *before = sa_peer_networks(node);
	struct network *net;
	size_t i;

	if (!before)
		return;
	for (; first; first = binding_sibling(first))
		carry_over(e, first, before, list);
	for (i = 0; i < before->cnt; i++) {
		net = &before->networks[i];
		if (net->user_cnt == 0)
			continue;
		network_table_del(&e->networks, net);
		if (!network_table_get(&e->networks, net->prefix) && e->hooks.route)
			(void)e->hooks.route(e->hooks.ctx, net->prefix, node->addr, false);
	}
}

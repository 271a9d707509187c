/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens, goes to detect.c; what that asks for, is done here: requests through agent.c and
 * path.c, the gate of user data, keepalives (RFC 3519 §4.9, §4.10), events for the status socket.
 *
 * User data of the internal home address passes in the clear in state INSIDE only. Outside it goes
 * through the VPN, which runs from the external home address through the external agent's tunnel
 * (RFC 5265 §3.3), or by itself (RFC 5266). The VPN's inner address is one more point of attachment
 * to the internal agent: a correspondence of its own, DETECT_VPN, under the same association. On
 * the home link we deregister, and the agent's yes, with TNC, says that we are inside.
 */
#include "test/mn/node.h"

#include "common/err.h"
#include "common/log.h"
#include "ha-core/wire/udp_tunnel.h"
#include "test/instrument/status.h"
#include "test/mn/arp.h"
#include "test/mn/link.h"
#include "test/mn/path.h"
#include "test/mn/tun.h"
#include "test/mn/vpn.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#define KEEPALIVE_RETRY_MS 2000
#define KEEPALIVE_TRIES    3
#define DEREG_WAIT_MS      1000 /* for the answer, before we end */
#define MTU_MIN            576
#define ESP_OVERHEAD       88 /* IP, UDP, ESP with blocks of 16 octets and an ICV of 16 */
#define AGENT_ADDR_MAX     3

/* Our side of one home agent. */
struct correspondence {
	struct node *node;
	enum detect_agent which;
	bool used;
	struct agent agent;
	struct tun *tun;
	uint64_t sent_us; /* the latest request */
	uint64_t rtt_us;  /* of the latest answered one */
	bool nat_seen;
	struct loop_timer *keepalive;
	unsigned int unanswered; /* keepalives in a row */
};

struct node {
	struct node_conf conf;
	struct loop *loop;
	struct rtnl *rtnl;
	struct link *link;
	struct paths *paths;
	struct status *status;
	struct detect detect;
	struct correspondence with[DETECT_AGENT_CNT];
	struct in_addr agent_addrs[AGENT_ADDR_MAX]; /* and the VPN gateway's */
	size_t agent_addr_cnt;
	const char *devices[DETECT_AGENT_CNT]; /* never points of attachment */
	const struct node_foreign *foreign;    /* where we are; NULL: none */
	bool at_home; /* with the internal agent we then deregister, instead */
	struct vpn *vpn;
	struct in_addr inner; /* the VPN's address for us; any: it is down */
	uint32_t path_mtu;    /* that the devices are fit for */
	struct loop_timer *tick, *end;
	struct loop_signal *on_term, *on_int;
	bool stopped;         /* deregistered by command: moves are noted, nothing is sent */
	unsigned int awaited; /* answers before we end; 0: we are not about to */
};

static uint64_t now_ms(const struct node *n)
{
	return loop_now(n->loop)->mono_ms;
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint32_t random_u32(void)
{
	uint32_t v;

	/* Without flags, and for so few octets, this fails only before the pool is filled. */
	while (getrandom(&v, sizeof(v), 0) != (ssize_t)sizeof(v))
		;
	return v;
}

static bool is_usable(const struct node *n)
{
	return link_state(n->link)->index != 0 && !n->stopped;
}

static void look(void *ctx)
{
	struct node *n = ctx;

	link_look(n->link);
}

static bool permits(void *ctx, enum detect_agent which)
{
	struct node *n = ctx;

	switch (which) {
	case DETECT_INTERNAL:
		return detect_permits_plain(&n->detect, now_ms(n));
	case DETECT_EXTERNAL:
		return detect_permits_external(&n->detect, now_ms(n));
	case DETECT_VPN:
		return detect_permits_vpn(&n->detect, now_ms(n));
	case DETECT_AGENT_CNT:
		break;
	}
	return false;
}

/* ---- Registration ---- */

static struct in_addr care_of_address(const struct node *n, enum detect_agent which)
{
	if (which == DETECT_VPN)
		return n->inner;
	return n->foreign ? n->foreign->care_of : link_state(n->link)->care_of;
}

static void request(struct correspondence *c, bool dereg)
{
	struct node *n = c->node;
	struct in_addr care_of = care_of_address(n, c->which);
	bool at_home = n->at_home && c->which == DETECT_INTERNAL;
	const uint8_t *message;
	int ret;

	dereg |= at_home;
	ret = agent_request(&c->agent, care_of, dereg, random_u32(), loop_now(n->loop), &message);
	if (ret >= 0)
		ret = paths_send(n->paths, c->which, c->agent.address, message, (size_t)ret);
	c->sent_us = now_us();
	status_event(n->status, "request-sent",
		     ",\"agent\":\"%s\",\"care-of\":\"%s\",\"deregistration\":%s,\"error\":%d",
		     c->agent.conf.name, addr_text(care_of).s, dereg ? "true" : "false", ret);
	log_debug("request sent", "event=request-sent agent=%s care-of=%s dereg=%d error=\"%s\"",
		  c->agent.conf.name, addr_text(care_of).s, dereg, err_text(ret < 0 ? ret : 0));
}

static uint64_t keepalive_ms(const struct correspondence *c)
{
	uint16_t s = c->agent.grant.keepalive_s;

	if (s == 0)
		s = UDP_TUNNEL_KEEPALIVE_S;
	if (s < UDP_TUNNEL_KEEPALIVE_MIN_S)
		s = UDP_TUNNEL_KEEPALIVE_MIN_S;
	return (uint64_t)s * 1000;
}

/* User data now travels as the last accepted reply said. */
static void agree(struct correspondence *c)
{
	struct path_agreement agreement = {
		.home_agent = c->agent.address,
		.udp = c->agent.grant.udp,
		.reverse = c->agent.conf.reverse_tunnel,
	};

	paths_agree(c->node->paths, c->which, &agreement);
	c->unanswered = 0;
	if (c->agent.grant.held && c->agent.grant.udp)
		loop_timer_start(c->keepalive, keepalive_ms(c), 0);
	else
		loop_timer_stop(c->keepalive);
}

static void tell_state(struct node *n)
{
	const struct detect *d = &n->detect;
	const char *state = detect_state_name(d->state), *reason = detect_reason_name(d->reason);
	const char *event = "decided";

	if (d->reason == DETECT_T_MONITOR)
		event = "t-monitor-expired";
	else if (d->state != DETECT_INSIDE && d->state != DETECT_OUTSIDE)
		event = "undecided";
	status_event(n->status, event, ",\"state\":\"%s\",\"reason\":\"%s\",\"after-ms\":%" PRIu64,
		     state, reason, now_ms(n) - d->begun_ms);
	log_info("state", "event=%s state=%s reason=%s after-ms=%" PRIu64, event, state, reason,
		 now_ms(n) - d->begun_ms);
}

/* Registers from the VPN's inner address, in the form that its own link needs. */
static void attach_to_vpn(struct node *n, struct in_addr inner)
{
	struct correspondence *c = &n->with[DETECT_VPN];
	struct path_place place = { .local = inner };
	struct rtnl_link link;

	if (!addr_is_any(inner) && rtnl_link_get(n->rtnl, n->conf.vpn.device, &link) == 0)
		place.ifindex = link.index;
	n->inner = inner;
	agent_moved(&c->agent, false);
	paths_move(n->paths, DETECT_VPN, &place);
	agree(c);
}

static void carry_out(struct node *n, const struct detect_todo *todo)
{
	uint64_t deadline;

	if (todo->vpn_disconnect) {
		status_event(n->status, "vpn-disconnect", ",\"connection\":\"%s\"",
			     n->conf.vpn.ike);
		attach_to_vpn(n, (struct in_addr){ 0 });
		vpn_disconnect(n->vpn);
	}
	if (todo->vpn_connect) {
		status_event(n->status, "vpn-connect", ",\"connection\":\"%s\"", n->conf.vpn.ike);
		vpn_connect(n->vpn);
	}

	for (size_t i = 0; i < DETECT_AGENT_CNT; i++)
		if (todo->request[i])
			request(&n->with[i], false);
	if (todo->dereg_external)
		request(&n->with[DETECT_EXTERNAL], true);
	if (todo->changed)
		tell_state(n);
	paths_release(n->paths, DETECT_INTERNAL);

	deadline = detect_deadline(&n->detect);
	if (deadline == DETECT_NEVER)
		loop_timer_stop(n->tick);
	else
		loop_timer_start(n->tick, deadline > now_ms(n) ? deadline - now_ms(n) : 0, 0);
}

static void on_tick(void *ctx)
{
	struct node *n = ctx;
	struct detect_todo todo;

	detect_tick(&n->detect, now_ms(n), &todo);
	carry_out(n, &todo);
}

/* Connection status change: nothing that was agreed holds any more (RFC 5265 §3.2.2). */
static void start_over(struct node *n)
{
	struct detect_todo todo;

	for (size_t i = 0; i < DETECT_AGENT_CNT; i++) {
		if (!n->with[i].used || i == DETECT_VPN)
			continue;
		agent_moved(&n->with[i].agent, n->foreign != NULL);
		agree(&n->with[i]);
	}
	detect_change(&n->detect, is_usable(n), now_ms(n), &todo);
	carry_out(n, &todo);
}

static const struct node_foreign *find_foreign(const struct node *n, struct in_addr router)
{
	for (size_t i = 0; i < n->conf.foreign_cnt; i++)
		if (addr_eq(n->conf.foreign[i].router, router))
			return &n->conf.foreign[i];
	return NULL;
}

/* The link is to know that the home address is ours again (RFC 5944 §4.6). */
static void announce(struct node *n, unsigned int ifindex)
{
	int err = arp_announce(ifindex, n->conf.agent[DETECT_INTERNAL].home_addr);

	if (err < 0)
		log_warning("cannot announce the home address", "event=arp-refused error=\"%s\"",
			    err_text(err));
}

static void move_to(struct node *n, const struct link_state *s)
{
	struct path_place place = { .ifindex = s->index, .local = s->care_of };

	n->foreign = find_foreign(n, s->gateway);
	if (n->foreign)
		place.foreign_agent = n->foreign->router;
	if (n->with[DETECT_EXTERNAL].used)
		paths_move(n->paths, DETECT_EXTERNAL, &place);
	n->at_home = !addr_is_any(s->gateway) && addr_eq(s->gateway, n->conf.home_router);
	place.home = n->at_home;
	paths_move(n->paths, DETECT_INTERNAL, &place);
	if (n->at_home)
		announce(n, s->index);
}

/* With a VPN, what fits the worst stack at once: a connection survives every move unchanged. */
static uint32_t overhead(const struct node *n, enum detect_agent which)
{
	if (which == DETECT_INTERNAL && n->conf.detect.has_vpn)
		return PATH_OVERHEAD + ESP_OVERHEAD + PATH_OVERHEAD;
	return PATH_OVERHEAD;
}

/* So that whatever the kernel lets into a device fits a way that takes packets of this length. */
static void fit_devices(struct node *n, uint32_t mtu)
{
	for (size_t i = 0; i < DETECT_AGENT_CNT; i++)
		if (n->with[i].used && i != DETECT_VPN && mtu >= MTU_MIN)
			(void)tun_set_mtu(n->with[i].tun, mtu - overhead(n, (enum detect_agent)i));
	n->path_mtu = mtu;
}

static void on_mtu(void *ctx, const struct link_state *s)
{
	struct node *n = ctx;

	log_info("the link has another MTU", "event=mtu-change interface=%s mtu=%u", s->name,
		 s->mtu);
	status_event(n->status, "mtu-change", ",\"interface\":\"%s\",\"mtu\":%u", s->name, s->mtu);
	fit_devices(n, s->mtu);
}

/* Somewhere behind the link it is narrower, until we move. Told once for each length. */
static void on_too_big(void *ctx, enum detect_agent which, uint32_t mtu)
{
	struct node *n = ctx;

	/* Through the VPN: its own device is the narrow place. What is in that is in ours, too. */
	if (which == DETECT_VPN)
		mtu += ESP_OVERHEAD + PATH_OVERHEAD;
	if (mtu >= n->path_mtu)
		return;
	log_notice("the way to a home agent takes smaller packets only",
		   "event=path-mtu-lowered agent=%s mtu=%u before=%u", n->conf.agent[which].name,
		   mtu, n->path_mtu);
	status_event(n->status, "path-mtu-lowered", ",\"agent\":\"%s\",\"mtu\":%u",
		     n->conf.agent[which].name, mtu);
	fit_devices(n, mtu);
}

static void on_link(void *ctx, const struct link_state *s)
{
	struct node *n = ctx;

	move_to(n, s);
	status_event(n->status, "link-change",
		     ",\"interface\":\"%s\",\"care-of\":\"%s\",\"gateway\":\"%s\"", s->name,
		     addr_text(s->care_of).s, addr_text(s->gateway).s);
	start_over(n);
	log_info("point of attachment", "event=link-change interface=%s care-of=%s gateway=%s",
		 s->name, addr_text(s->care_of).s, addr_text(s->gateway).s);
	fit_devices(n, s->mtu);
}

static void tell_reply(struct correspondence *c, const struct agent_result *res)
{
	struct status *s = c->node->status;
	const char *name = c->agent.conf.name;
	const char *outcome = res->dereg ? "deregistered" : "registered";

	status_event(s, "reply",
		     ",\"agent\":\"%s\",\"code\":%u,\"lifetime\":%u,\"tnc\":%s,\"udp\":%s,"
		     "\"rtt-ms\":%" PRIu64 ".%03" PRIu64,
		     name, res->code, res->lifetime_s, res->tnc ? "true" : "false",
		     c->agent.grant.udp ? "true" : "false", c->rtt_us / 1000, c->rtt_us % 1000);
	if (!agent_code_accepts(res->code))
		outcome = "denied";
	status_event(s, outcome, ",\"agent\":\"%s\",\"code\":%u,\"text\":\"%s\"", name, res->code,
		     reg_code_text(res->code));
	if (res->resynced)
		status_event(s, "resync", ",\"agent\":\"%s\"", name);
	log_info(reg_code_text(res->code),
		 "event=%s agent=%s code=%u lifetime=%u tnc=%d udp=%d rtt-us=%" PRIu64, outcome,
		 name, res->code, res->lifetime_s, res->tnc, c->agent.grant.udp, c->rtt_us);
}

/* A home agent that sent us to another one: the two agents' addresses may now be the same. */
static bool agents_became_one(struct node *n)
{
	bool same = n->conf.detect.has_external && addr_eq(n->with[DETECT_INTERNAL].agent.address,
							   n->with[DETECT_EXTERNAL].agent.address);
	bool became = same && !n->detect.conf.same_agent;

	n->detect.conf.same_agent = same;
	return became;
}

static void on_message(void *ctx, enum detect_agent which, const uint8_t *data, size_t len)
{
	struct node *n = ctx;
	struct correspondence *c = &n->with[which];
	bool at_home = n->at_home && which == DETECT_INTERNAL;
	struct agent_result res;
	struct detect_reply reply;
	struct detect_todo todo;
	int err;

	err = agent_reply(&c->agent, data, len, loop_now(n->loop), &res);
	if (err < 0) {
		status_event(n->status, "ignored", ",\"agent\":\"%s\",\"reason\":\"%s\"",
			     c->agent.conf.name, err_text(err));
		log_debug("reply ignored", "event=ignored agent=%s error=\"%s\"",
			  c->agent.conf.name, err_text(err));
		return;
	}
	c->rtt_us = now_us() - c->sent_us;
	c->nat_seen = res.nat_seen;
	if (which == DETECT_INTERNAL && n->with[DETECT_VPN].used)
		agent_take_over(&n->with[DETECT_VPN].agent, &c->agent);
	else if (which == DETECT_VPN)
		agent_take_over(&n->with[DETECT_INTERNAL].agent, &c->agent);
	if (agent_code_accepts(res.code))
		agree(c);
	tell_reply(c, &res);
	if (n->awaited > 0) {
		if (--n->awaited == 0)
			loop_stop(n->loop);
		return;
	}
	if (res.redirected && agents_became_one(n)) {
		start_over(n);
		return;
	}
	reply = (struct detect_reply){
		.accepted = agent_code_accepts(res.code),
		.dereg = res.dereg && !at_home,
		.tnc = res.tnc,
		.correctable = res.resynced || res.redirected,
		.lifetime_s = at_home ? REG_LIFETIME_INFINITE : res.lifetime_s,
		.sent_ms = res.sent_ms,
	};
	detect_reply(&n->detect, which, &reply, now_ms(n), &todo);
	carry_out(n, &todo);
}

/* ---- The VPN ---- */

static void on_vpn_changed(void *ctx, struct in_addr inner, const char *why)
{
	struct node *n = ctx;
	bool up = !addr_is_any(inner);
	struct detect_todo todo;

	attach_to_vpn(n, inner);
	status_event(n->status, up ? "vpn-up" : "vpn-down", ",\"inner\":\"%s\"",
		     addr_text(inner).s);
	log_info(up ? "the VPN is up" : "the VPN is down", "event=%s inner=%s why=\"%s\"",
		 up ? "vpn-up" : "vpn-down", addr_text(inner).s, why);
	detect_vpn(&n->detect, up, now_ms(n), &todo);
	carry_out(n, &todo);
}

static void on_vpn_moved(void *ctx)
{
	struct node *n = ctx;

	status_event(n->status, "vpn-moved", ",\"connection\":\"%s\"", n->conf.vpn.ike);
}

/* ---- Keepalives ---- */

static void on_keepalive(void *ctx)
{
	struct correspondence *c = ctx;
	struct node *n = c->node;
	uint64_t idle_ms = now_ms(n) - paths_idle_since_ms(n->paths, c->which);
	struct detect_todo todo;
	int err;

	if (!permits(n, c->which))
		return; /* the next accepted registration starts the timer again */
	if (c->unanswered == 0 && idle_ms < keepalive_ms(c)) {
		loop_timer_start(c->keepalive, keepalive_ms(c) - idle_ms, 0);
		return;
	}
	if (c->unanswered == KEEPALIVE_TRIES) {
		/* The NAT may have forgotten us: a registration shows it anew (§4.10). */
		c->unanswered = 0;
		status_event(n->status, "keepalive-lost", ",\"agent\":\"%s\"", c->agent.conf.name);
		log_info("keepalives unanswered, registering again",
			 "event=keepalive-lost agent=%s", c->agent.conf.name);
		loop_timer_start(c->keepalive, keepalive_ms(c), 0);
		detect_renew(&n->detect, c->which, now_ms(n), &todo);
		carry_out(n, &todo);
		return;
	}
	c->unanswered++;
	err = paths_keepalive(n->paths, c->which);
	status_event(n->status, "keepalive", ",\"agent\":\"%s\",\"error\":%d", c->agent.conf.name,
		     err);
	loop_timer_start(c->keepalive, KEEPALIVE_RETRY_MS, 0);
}

static void on_echo(void *ctx, enum detect_agent which)
{
	struct node *n = ctx;
	struct correspondence *c = &n->with[which];

	c->unanswered = 0;
	status_event(n->status, "keepalive-answered", ",\"agent\":\"%s\"", c->agent.conf.name);
	loop_timer_start(c->keepalive, keepalive_ms(c), 0);
}

/* ---- The status socket ---- */

static bool is_registered(const struct node *n, enum detect_agent which)
{
	return n->with[which].agent.grant.held && now_ms(n) < n->detect.track[which].valid_until_ms;
}

static void put_agent(FILE *out, const struct node *n, enum detect_agent which)
{
	const struct correspondence *c = &n->with[which];
	const struct agent *a = &c->agent;
	const struct path_count *count = paths_count(n->paths, which);
	static const char *const names[] = { "internal", "external", "vpn" };

	fprintf(out, ",\"%s\":", names[which]);
	if (!c->used) {
		fputs("null", out);
		return;
	}
	fprintf(out, "{\"registered\":%s,\"agent\":\"%s\",\"home-address\":\"%s\",",
		is_registered(n, which) ? "true" : "false", addr_text(a->address).s,
		addr_text(a->conf.home_addr).s);
	if (a->last_code < 0)
		fputs("\"code\":null,", out);
	else
		fprintf(out, "\"code\":%d,", a->last_code);
	fprintf(out,
		"\"tnc\":%s,\"lifetime\":%u,\"udp\":%s,\"nat\":%s,\"keepalive\":%" PRIu64 ","
		"\"mobile-networks\":%zu,"
		"\"rtt-ms\":%" PRIu64 ".%03" PRIu64 ",\"requests\":%" PRIu64 ",\"replies\":%" PRIu64
		",\"ignored\":%" PRIu64 ",\"packets-sent\":%" PRIu64
		",\"packets-received\":%" PRIu64 ",\"packets-held\":%" PRIu64
		",\"packets-released\":%" PRIu64 ",\"packets-dropped\":%" PRIu64
		",\"packets-too-big\":%" PRIu64 "}",
		a->grant.tnc ? "true" : "false", a->grant.lifetime_s,
		a->grant.udp ? "true" : "false", c->nat_seen ? "true" : "false",
		a->grant.udp ? keepalive_ms(c) / 1000 : 0, a->grant.network_cnt, c->rtt_us / 1000,
		c->rtt_us % 1000, a->count.requests, a->count.replies, a->count.ignored,
		count->sent, count->received, count->held, count->released, count->dropped,
		count->too_big);
}

/* "ready": user data passes */
static const char *vpn_state(const struct node *n)
{
	static const char *const names[] = { "down", "connecting", "up" };

	return permits((void *)(uintptr_t)n, DETECT_VPN) ? "ready" : names[n->detect.vpn];
}

static void put_status(FILE *out, const struct node *n)
{
	const struct link_state *l = link_state(n->link);
	const struct path_count *count = paths_count(n->paths, DETECT_INTERNAL);

	fprintf(out,
		"{\"state\":\"%s\",\"reason\":\"%s\",\"interface\":\"%s\",\"care-of\":\"%s\","
		"\"at-home\":%s,"
		"\"decided-ms-ago\":%" PRIu64 ",\"vpn-state\":\"%s\",\"inner\":\"%s\"",
		detect_state_name(n->detect.state), detect_reason_name(n->detect.reason), l->name,
		addr_text(l->care_of).s, n->at_home ? "true" : "false",
		now_ms(n) - n->detect.since_ms, vpn_state(n), addr_text(n->inner).s);
	put_agent(out, n, DETECT_INTERNAL);
	put_agent(out, n, DETECT_EXTERNAL);
	put_agent(out, n, DETECT_VPN);
	fprintf(out,
		",\"packets-sent\":%" PRIu64 ",\"packets-received\":%" PRIu64
		",\"packets-held\":%" PRIu64 ",\"packets-stray\":%" PRIu64 "}",
		count->sent, count->received, count->held, paths_stray_cnt(n->paths));
}

static void put_last_reply(FILE *out, const struct correspondence *c)
{
	fputs("{\"hex\":\"", out);
	for (size_t i = 0; i < c->agent.last_reply_len; i++)
		fprintf(out, "%02x", c->agent.last_reply[i]);
	fputs("\"}", out);
}

/* Registers anew with whom we are registered, or starts over. */
static void reregister(struct node *n)
{
	struct detect_todo todo;
	bool renewed = false;

	for (int i = 0; i < DETECT_AGENT_CNT && !n->stopped; i++) {
		if (!permits(n, (enum detect_agent)i))
			continue;
		detect_renew(&n->detect, (enum detect_agent)i, now_ms(n), &todo);
		carry_out(n, &todo);
		renewed = true;
	}
	if (renewed)
		return;
	n->stopped = false;
	start_over(n);
}

/* @return how many deregistrations have left */
static unsigned int deregister(struct node *n)
{
	bool held[DETECT_AGENT_CNT];
	unsigned int cnt = 0;

	for (size_t i = 0; i < DETECT_AGENT_CNT; i++)
		held[i] = n->with[i].used && n->with[i].agent.grant.held;
	n->stopped = true;
	start_over(n);
	for (size_t i = 0; i < DETECT_AGENT_CNT; i++) {
		if (!held[i])
			continue;
		request(&n->with[i], true);
		cnt++;
	}
	return cnt;
}

static void on_command(void *ctx, const char *command, FILE *out)
{
	struct node *n = ctx;

	if (strcmp(command, "status") == 0) {
		put_status(out, n);
	} else if (strcmp(command, "last-reply internal") == 0) {
		put_last_reply(out, &n->with[DETECT_INTERNAL]);
	} else if (strcmp(command, "last-reply external") == 0) {
		put_last_reply(out, &n->with[DETECT_EXTERNAL]);
	} else if (strcmp(command, "last-reply vpn") == 0) {
		put_last_reply(out, &n->with[DETECT_VPN]);
	} else if (strcmp(command, "reregister") == 0) {
		reregister(n);
		fputs("{\"ok\":true}", out);
	} else if (strcmp(command, "deregister") == 0) {
		(void)deregister(n);
		fputs("{\"ok\":true}", out);
	} else {
		fputs("{\"error\":\"say status, events, last-reply internal|external|vpn, "
		      "reregister or deregister\"}",
		      out);
	}
}

/* ---- Beginning and end ---- */

static void on_end(void *ctx)
{
	struct node *n = ctx;

	loop_stop(n->loop);
}

static void on_signal(void *ctx)
{
	struct node *n = ctx;

	if (n->conf.dereg_on_exit && n->awaited == 0)
		n->awaited = deregister(n);
	else
		n->awaited = 0; /* a second signal: do not wait */
	if (n->awaited > 0)
		loop_timer_start(n->end, DEREG_WAIT_MS, 0);
	else
		loop_stop(n->loop);
}

static int open_correspondence(struct node *n, enum detect_agent which, struct tun *tun)
{
	struct correspondence *c = &n->with[which];
	int err;

	c->node = n;
	c->which = which;
	agent_init(&c->agent, &n->conf.agent[which]);
	c->keepalive = loop_timer_new(n->loop, on_keepalive, c);
	if (!c->keepalive)
		return -ENOMEM;
	err = paths_add(n->paths, which, tun, n->conf.agent[which].home_addr,
			n->conf.agent[which].networks, n->conf.agent[which].network_cnt);
	if (err < 0)
		return err;
	c->used = true;
	return 0;
}

static int open_agent(struct node *n, enum detect_agent which)
{
	static const struct addr_prefix everything;
	struct tun_conf tun = {
		.rtnl = n->rtnl,
		.device = n->conf.device[which],
		.home_addr = n->conf.agent[which].home_addr,
		.gateway = n->conf.agent[which].address,
		.table = n->conf.table + (which == DETECT_INTERNAL ? 1 : 0),
		.mtu = 1500 - overhead(n, which),
		.routes = &everything,
		.route_cnt = 1,
	};
	int err;

	if (which == DETECT_INTERNAL) {
		tun.routes = n->conf.routes;
		tun.route_cnt = n->conf.route_cnt;
		tun.networks = n->conf.networks;
		tun.network_cnt = n->conf.network_cnt;
		tun.unbound = true;
		n->conf.agent[which].networks = n->conf.networks;
		n->conf.agent[which].network_cnt = n->conf.network_cnt;
	}
	err = tun_open(&tun, &n->with[which].tun);
	return err < 0 ? err : open_correspondence(n, which, n->with[which].tun);
}

static int open_vpn(struct node *n)
{
	const struct node_vpn *conf = &n->conf.vpn;
	const struct vpn_conf vpn = { n->loop, conf->socket, conf->ike, conf->child };
	const struct vpn_hooks hooks = { on_vpn_changed, on_vpn_moved, n };
	int err;

	n->conf.agent[DETECT_VPN].networks = n->conf.networks;
	n->conf.agent[DETECT_VPN].network_cnt = n->conf.network_cnt;
	err = open_correspondence(n, DETECT_VPN, n->with[DETECT_INTERNAL].tun);
	return err < 0 ? err : vpn_open(&vpn, &hooks, &n->vpn);
}

/* One of them must be reachable by a point of attachment. */
static size_t note_agents(struct node *n)
{
	size_t cnt = 0;

	n->agent_addrs[cnt++] = n->conf.agent[DETECT_INTERNAL].address;
	if (n->conf.detect.has_external)
		n->agent_addrs[cnt++] = n->conf.agent[DETECT_EXTERNAL].address;
	if (n->conf.detect.has_vpn && !addr_is_any(n->conf.vpn.gateway))
		n->agent_addrs[cnt++] = n->conf.vpn.gateway;
	return cnt;
}

static size_t note_devices(struct node *n)
{
	size_t cnt = 0;

	n->devices[cnt++] = n->conf.device[DETECT_INTERNAL];
	if (n->conf.detect.has_external)
		n->devices[cnt++] = n->conf.device[DETECT_EXTERNAL];
	if (n->conf.detect.has_vpn)
		n->devices[cnt++] = n->conf.vpn.device;
	return cnt;
}

static int open_parts(struct node *n)
{
	const struct path_hooks hooks = { look, permits, on_message, on_echo, on_too_big, n };
	struct link_conf link = {
		.interfaces = n->conf.interfaces,
		.interface_cnt = n->conf.interface_cnt,
		.ignored = n->devices,
		.ignored_cnt = note_devices(n),
		.agents = n->agent_addrs,
		.mtu_changed = on_mtu,
		.agent_cnt = note_agents(n),
	};
	int err;

	n->loop = link.loop = loop_new();
	if (!n->loop)
		return -ENOMEM;
	n->tick = loop_timer_new(n->loop, on_tick, n);
	n->end = loop_timer_new(n->loop, on_end, n);
	n->on_term = loop_signal_new(n->loop, SIGTERM, on_signal, n);
	n->on_int = loop_signal_new(n->loop, SIGINT, on_signal, n);
	if (!n->tick || !n->end || !n->on_term || !n->on_int)
		return -ENOMEM;
	err = status_open(n->loop, n->conf.control, on_command, n, &n->status);
	if (err < 0)
		return err;
	err = rtnl_open(&n->rtnl);
	if (err < 0) {
		log_error("cannot speak to the kernel", "event=netlink-error error=\"%s\"",
			  err_text(err));
		return err;
	}
	link.rtnl = n->rtnl;
	err = paths_open(n->loop, &hooks, &n->paths);
	if (err == 0)
		err = open_agent(n, DETECT_INTERNAL);
	if (err == 0 && n->conf.detect.has_external)
		err = open_agent(n, DETECT_EXTERNAL);
	if (err == 0 && n->conf.detect.has_vpn)
		err = open_vpn(n);
	if (err < 0)
		return err;
	return link_open(&link, on_link, n, &n->link);
}

int node_open(const struct node_conf *conf, struct node **ret_node)
{
	struct node *n = calloc(1, sizeof(*n));
	int err;

	if (!n)
		return -ENOMEM;
	n->conf = *conf;
	detect_init(&n->detect, &conf->detect);
	err = open_parts(n);
	if (err < 0) {
		node_close(n);
		return err;
	}
	*ret_node = n;
	return 0;
}

void node_run(struct node *n)
{
	on_link(n, link_state(n->link));
	loop_run(n->loop);
}

struct node *node_close(struct node *n)
{
	if (!n)
		return NULL;
	vpn_close(n->vpn);
	link_close(n->link);
	paths_close(n->paths);
	for (size_t i = 0; i < DETECT_AGENT_CNT; i++) {
		loop_timer_free(n->with[i].keepalive);
		tun_close(n->with[i].tun);
	}
	rtnl_close(n->rtnl);
	status_close(n->status);
	loop_signal_free(n->on_term);
	loop_signal_free(n->on_int);
	loop_timer_free(n->tick);
	loop_timer_free(n->end);
	loop_free(n->loop);
	free(n);
	return NULL;
}

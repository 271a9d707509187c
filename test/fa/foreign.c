/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Joins the parts: what the visited link says goes through relay.c to the home agent, and back.
 *
 * A request that passes waits in one of few places for its reply, known by the low 32 bits of its
 * Identification and its home agent (RFC 5944 §3.7.3.1); after a while it is answered with 78. A
 * reply that accepts makes its node a visitor for the granted time, counted from when the reply
 * was passed on (§3.7.3.2), and a visitor's packets are carried. Nothing here outlives the
 * program: a foreign agent that has been restarted knows nobody, and says so by its sequence
 * numbers (§2.3.2).
 */
#include "test/fa/foreign.h"

#include "common/daemon.h"
#include "common/err.h"
#include "common/log.h"
#include "test/fa/advert.h"
#include "test/fa/carry.h"
#include "test/fa/visited.h"
#include "test/instrument/status.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define PENDING_MAX       64
#define VISITOR_MAX       64
#define ALL_HOSTS         0xe0000001 /* 224.0.0.1 */
#define ADVERT_LIVES      3    /* an advertisement is good for so many intervals (RFC 5944 §2.3) */
#define ADVERT_LIFETIME_S 1800 /* of one that was solicited, RFC 1256 */

struct pending {
	struct foreign *foreign;
	bool used;
	struct visited_from from;
	struct relay_request request;
	struct loop_timer *timeout;
};

struct visitor {
	struct foreign *foreign;
	bool used;
	struct carry_visitor carry;
	uint16_t lifetime_s;
	uint64_t keepalive_ms;
	struct loop_timer *expiry, *keepalive;
};

struct foreign {
	struct foreign_conf conf;
	struct loop *loop;
	struct loop_signal *on_term, *on_int;
	struct loop_timer *advertise;
	struct rtnl *rtnl;
	struct visited *visited;
	struct carry *carry;
	struct status *status;
	struct pending pending[PENDING_MAX];
	struct visitor visitors[VISITOR_MAX];
	uint16_t sequence;
	uint64_t request_cnt, relayed_cnt, denied_cnt, reply_cnt, discarded_cnt;
	uint64_t keepalive_cnt, keepalive_answered_cnt;
};

/* ---- Replies to the visited link ---- */

/*
 * §3.7.2.3: to the home address, which may be brand-new or of no use on this link, at the hardware
 * address that asked; to everybody where there is none.
 */
static void answer(struct foreign *f, const struct visited_from *from, struct in_addr home_addr,
		   const uint8_t *message, size_t len)
{
	struct in_addr src = addr_is_unicast(from->dst) ? from->dst : f->conf.relay.care_of;
	struct in_addr dst = home_addr;
	int err;

	if (addr_is_any(dst))
		dst.s_addr = INADDR_BROADCAST;
	err = visited_send_udp(f->visited, from->hw, src, dst, from->src_port, message, len);
	if (err < 0)
		log_warning("cannot answer", "event=not-sent home-address=%s error=\"%s\"",
			    addr_text(home_addr).s, err_text(err));
}

static void deny(struct foreign *f, const struct visited_from *from, const struct reg_request *req,
		 enum relay_code code)
{
	uint8_t message[RELAY_MESSAGE_MAX];
	size_t len = relay_build_denial(&f->conf.relay, code, req, message);

	f->denied_cnt++;
	status_event(f->status, "denied", ",\"home-address\":\"%s\",\"code\":%d",
		     addr_text(req->home_addr).s, code);
	log_info("registration denied", "event=denied home-address=%s home-agent=%s code=%d",
		 addr_text(req->home_addr).s, addr_text(req->home_agent).s, code);
	answer(f, from, req->home_addr, message, len);
}

/* ---- Requests under way ---- */

static void forget(struct pending *p)
{
	loop_timer_stop(p->timeout);
	p->used = false;
}

static void on_timeout(void *ctx)
{
	struct pending *p = ctx;

	forget(p);
	deny(p->foreign, &p->from, &p->request.reg, RELAY_TIMEOUT);
}

/* The same node's earlier request gives way: only its latest one matters to it (§3.6.2.1). */
static bool is_same_node(const struct pending *p, const struct visited_from *from,
			 const struct relay_request *req)
{
	return memcmp(p->from.hw, from->hw, sizeof(from->hw)) == 0 &&
	       addr_eq(p->request.reg.home_addr, req->reg.home_addr);
}

static struct pending *find_place(struct foreign *f, const struct visited_from *from,
				  const struct relay_request *req)
{
	struct pending *empty = NULL;
	uint32_t cnt = 0;

	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &f->pending[i];

		if (p->used && is_same_node(p, from, req))
			return p;
		if (p->used)
			cnt++;
		else if (!empty)
			empty = p;
	}
	return cnt < f->conf.pending_max ? empty : NULL;
}

static struct pending *find_pending(struct foreign *f, uint64_t ident, struct in_addr home_agent)
{
	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &f->pending[i];

		if (p->used && (uint32_t)p->request.reg.ident == (uint32_t)ident &&
		    addr_eq(p->request.reg.home_agent, home_agent))
			return p;
	}
	return NULL;
}

static void relay(struct foreign *f, const struct visited_from *from, const uint8_t *data,
		  const struct relay_request *req)
{
	struct pending *p = find_place(f, from, req);
	uint8_t message[RELAY_MESSAGE_MAX];
	int len;

	if (!p) {
		deny(f, from, &req->reg, RELAY_INSUFFICIENT_RESOURCES);
		return;
	}
	len = relay_build_request(&f->conf.relay, data, req, message);
	if (len < 0) {
		deny(f, from, &req->reg, RELAY_INSUFFICIENT_RESOURCES);
		return;
	}
	p->used = true;
	p->from = *from;
	p->request = *req;
	loop_timer_start(p->timeout, f->conf.pending_ms, 0);
	f->relayed_cnt++;
	status_event(f->status, "relayed", ",\"home-address\":\"%s\",\"lifetime\":%u",
		     addr_text(req->reg.home_addr).s, req->reg.lifetime_s);
	/* What cannot be sent gets no reply either. */
	(void)carry_send(f->carry, req->reg.home_agent, message, (size_t)len);
}

static void on_request(void *ctx, const struct visited_from *from, const uint8_t *data, size_t len)
{
	struct foreign *f = ctx;
	struct relay_request req;
	enum relay_code code;

	f->request_cnt++;
	if (relay_read_request(data, len, &req) < 0) {
		f->discarded_cnt++;
		return;
	}
	code = relay_judge_request(&f->conf.relay, &req, from->ttl);
	if (code != RELAY_PASS)
		deny(f, from, &req.reg, code);
	else
		relay(f, from, data, &req);
}

static void on_unreachable(void *ctx, uint8_t icmp_code, const uint8_t *data, size_t len)
{
	static const enum relay_code codes[] = { RELAY_HOME_NETWORK_UNREACHABLE,
						 RELAY_HA_HOST_UNREACHABLE, RELAY_HA_UNREACHABLE,
						 RELAY_HA_PORT_UNREACHABLE };
	struct wire_reader r = wire_reader(data, len);
	struct foreign *f = ctx;
	struct reg_request req;
	struct pending *p;

	if (reg_request_decode(&r, &req) < 0)
		return;
	p = find_pending(f, req.ident, req.home_agent);
	if (!p)
		return;
	forget(p);
	deny(f, &p->from, &p->request.reg,
	     icmp_code < sizeof(codes) / sizeof(codes[0]) ? codes[icmp_code]
							  : RELAY_HA_UNREACHABLE);
}

/* ---- Visitors ---- */

static struct visitor *find_visitor(struct foreign *f, struct in_addr home_addr)
{
	for (size_t i = 0; i < VISITOR_MAX; i++)
		if (f->visitors[i].used && addr_eq(f->visitors[i].carry.home_addr, home_addr))
			return &f->visitors[i];
	return NULL;
}

static struct carry_visitor *on_find(void *ctx, struct in_addr home_addr)
{
	struct visitor *v = find_visitor(ctx, home_addr);

	return v ? &v->carry : NULL;
}

static void dismiss(struct visitor *v, const char *why)
{
	struct foreign *f = v->foreign;

	loop_timer_stop(v->expiry);
	loop_timer_stop(v->keepalive);
	carry_dismiss(f->carry, &v->carry);
	v->used = false;
	status_event(f->status, "left", ",\"home-address\":\"%s\",\"reason\":\"%s\"",
		     addr_text(v->carry.home_addr).s, why);
	log_info("visitor gone", "event=left home-address=%s reason=%s",
		 addr_text(v->carry.home_addr).s, why);
}

static void on_expiry(void *ctx)
{
	dismiss(ctx, "expired");
}

static void on_keepalive(void *ctx)
{
	struct visitor *v = ctx;
	struct foreign *f = v->foreign;
	uint64_t idle_ms = loop_now(f->loop)->mono_ms - v->carry.last_sent_ms;

	if (idle_ms < v->keepalive_ms) { /* RFC 3519 §4.9: when nothing else was sent */
		loop_timer_start(v->keepalive, v->keepalive_ms - idle_ms, 0);
		return;
	}
	f->keepalive_cnt++;
	(void)carry_keepalive(f->carry, &v->carry);
	loop_timer_start(v->keepalive, v->keepalive_ms, 0);
}

static struct visitor *take_visitor(struct foreign *f, struct in_addr home_addr)
{
	struct visitor *v = find_visitor(f, home_addr);

	for (size_t i = 0; !v && i < VISITOR_MAX; i++)
		if (!f->visitors[i].used)
			v = &f->visitors[i];
	return v;
}

static uint64_t keepalive_ms(const struct foreign *f, const struct relay_reply *reply)
{
	if (f->conf.keepalive_ms > 0)
		return f->conf.keepalive_ms;
	return (reply->udp.keepalive_s > 0 ? reply->udp.keepalive_s : UDP_TUNNEL_KEEPALIVE_S) *
	       UINT64_C(1000);
}

static void admit(struct foreign *f, const struct relay_request *req,
		  const struct relay_reply *reply)
{
	struct visitor *v = take_visitor(f, reply->reg.home_addr);
	bool fresh;
	int err;

	if (!v) {
		log_warning("no room for one more visitor", "event=visitors-full");
		return;
	}
	fresh = !v->used;
	if (fresh)
		v->carry = (struct carry_visitor){ 0 };
	v->used = true;
	v->carry.home_addr = reply->reg.home_addr;
	v->carry.home_agent = reply->reg.home_agent;
	v->carry.udp = reply->has_udp && reply->udp.code < UDP_TUNNEL_REPLY_DECLINE;
	v->carry.reverse = req->reg.flags & REG_FLAG_T;
	v->carry.last_sent_ms = loop_now(f->loop)->mono_ms;
	v->lifetime_s = reply->reg.lifetime_s < req->reg.lifetime_s ? reply->reg.lifetime_s
								    : req->reg.lifetime_s;
	if (v->lifetime_s == REG_LIFETIME_INFINITE)
		loop_timer_stop(v->expiry);
	else
		loop_timer_start(v->expiry, v->lifetime_s * UINT64_C(1000), 0);
	loop_timer_stop(v->keepalive);
	v->keepalive_ms = v->carry.udp ? keepalive_ms(f, reply) : 0;
	if (v->carry.udp)
		loop_timer_start(v->keepalive, v->keepalive_ms, 0);
	err = carry_admit(f->carry, &v->carry);
	if (err < 0)
		log_error("the kernel refused a visitor's route",
			  "event=route-refused home-address=%s error=\"%s\" detail=\"%s\"",
			  addr_text(v->carry.home_addr).s, err_text(err), rtnl_error(f->rtnl));
	status_event(f->status, fresh ? "admitted" : "renewed",
		     ",\"home-address\":\"%s\",\"udp\":%s", addr_text(v->carry.home_addr).s,
		     v->carry.udp ? "true" : "false");
	log_info("visitor admitted", "event=%s home-address=%s home-agent=%s lifetime=%u udp=%d",
		 fresh ? "admitted" : "renewed", addr_text(v->carry.home_addr).s,
		 addr_text(v->carry.home_agent).s, v->lifetime_s, v->carry.udp);
}

/* An accepted registration: whose care-of address was ours, comes or goes. */
static void settle(struct foreign *f, const struct relay_request *req,
		   const struct relay_reply *reply)
{
	const struct reg_request *reg = &req->reg;
	struct visitor *v = find_visitor(f, reply->reg.home_addr);
	bool here = addr_eq(reg->care_of, f->conf.relay.care_of);

	if (reg_is_dereg(reg) || reply->reg.lifetime_s == 0) {
		if (v && (here || addr_eq(reg->care_of, reply->reg.home_addr)))
			dismiss(v, "deregistered");
	} else if (here) {
		admit(f, req, reply);
	} else if (v && !(reg->flags & REG_FLAG_S)) {
		dismiss(v, "moved");
	}
}

static void on_reply(void *ctx, struct in_addr from, const uint8_t *data, size_t len)
{
	struct foreign *f = ctx;
	struct relay_reply reply;
	struct relay_request request;
	enum relay_code code;
	struct pending *p;
	bool accepted;

	f->reply_cnt++;
	if (relay_read_reply(data, len, &reply) < 0) {
		f->discarded_cnt++;
		return;
	}
	p = find_pending(f, reply.reg.ident, from);
	if (!p) {
		f->discarded_cnt++;
		return;
	}
	forget(p);
	request = p->request;
	code = relay_judge_reply(&f->conf.relay, data, &reply, &request);
	if (code != RELAY_PASS) {
		deny(f, &p->from, &request.reg, code);
		return;
	}
	accepted = reply.reg.code == REG_ACCEPTED || reply.reg.code == REG_ACCEPTED_NO_SIMULTANEOUS;
	status_event(f->status, "reply", ",\"home-address\":\"%s\",\"code\":%u",
		     addr_text(reply.reg.home_addr).s, reply.reg.code);
	if (accepted)
		settle(f, &request, &reply);
	answer(f, &p->from, reply.reg.home_addr, data, reply.signed_len);
}

static void on_echo(void *ctx, struct in_addr home_agent)
{
	struct foreign *f = ctx;

	f->keepalive_answered_cnt++;
	status_event(f->status, "keepalive-answered", ",\"home-agent\":\"%s\"",
		     addr_text(home_agent).s);
}

/* ---- Advertisements ---- */

static uint16_t advert_flags(const struct foreign_conf *conf)
{
	uint16_t flags = ADVERT_FLAG_F;

	if (conf->require_registration)
		flags |= ADVERT_FLAG_R;
	if (conf->relay.prohibited)
		flags |= ADVERT_FLAG_B;
	if (conf->relay.reverse != RELAY_REVERSE_DISABLED)
		flags |= ADVERT_FLAG_T;
	if (conf->relay.udp) /* RFC 3519 §3.4: never when there is no NAT */
		flags |= ADVERT_FLAG_U;
	return flags;
}

static void advertise(struct foreign *f, const uint8_t *hw, struct in_addr dst)
{
	const uint32_t lifetime_s = f->conf.advertise_ms / 1000 * ADVERT_LIVES;
	const struct advert a = {
		.care_of = f->conf.relay.care_of,
		.sequence = f->sequence,
		.lifetime_s = (uint16_t)(lifetime_s > 0 ? lifetime_s : ADVERT_LIFETIME_S),
		.registration_lifetime_s = f->conf.relay.lifetime_max_s,
		.flags = advert_flags(&f->conf),
	};
	uint8_t packet[ADVERT_PACKET_MAX];
	size_t len = advert_build(&a, dst, packet);

	f->sequence = advert_next_sequence(f->sequence);
	(void)visited_send(f->visited, hw, packet, len);
}

static void on_advertise(void *ctx)
{
	advertise(ctx, NULL, addr_from_host(ALL_HOSTS));
}

/* To whoever asked; one without an address hears what everybody hears. */
static void on_solicited(void *ctx, const struct visited_from *from)
{
	if (addr_is_unicast(from->src))
		advertise(ctx, from->hw, from->src);
	else
		on_advertise(ctx);
}

/* ---- The status socket ---- */

static void put_visitor(FILE *out, const struct visitor *v)
{
	fprintf(out,
		"{\"home-address\":\"%s\",\"home-agent\":\"%s\",\"lifetime\":%u,\"udp\":%s,"
		"\"reverse-tunnel\":%s,\"keepalive-ms\":%" PRIu64 ",\"packets-to\":%" PRIu64
		",\"packets-from\":%" PRIu64 "}",
		addr_text(v->carry.home_addr).s, addr_text(v->carry.home_agent).s, v->lifetime_s,
		v->carry.udp ? "true" : "false", v->carry.reverse ? "true" : "false",
		v->keepalive_ms, v->carry.to_cnt, v->carry.from_cnt);
}

static void put_status(FILE *out, const struct foreign *f)
{
	const char *comma = "";
	unsigned int pending_cnt = 0;

	for (size_t i = 0; i < PENDING_MAX; i++)
		pending_cnt += f->pending[i].used;
	fprintf(out,
		"{\"care-of\":\"%s\",\"port\":%u,\"pending\":%u,\"requests\":%" PRIu64
		",\"relayed\":%" PRIu64 ",\"denied\":%" PRIu64 ",\"replies\":%" PRIu64
		",\"discarded\":%" PRIu64 ",\"keepalives\":%" PRIu64
		",\"keepalives-answered\":%" PRIu64 ",\"packets-stray\":%" PRIu64 ",\"visitors\":[",
		addr_text(f->conf.relay.care_of).s, carry_port(f->carry), pending_cnt,
		f->request_cnt, f->relayed_cnt, f->denied_cnt, f->reply_cnt, f->discarded_cnt,
		f->keepalive_cnt, f->keepalive_answered_cnt, carry_stray_cnt(f->carry));
	for (size_t i = 0; i < VISITOR_MAX; i++) {
		if (!f->visitors[i].used)
			continue;
		fputs(comma, out);
		put_visitor(out, &f->visitors[i]);
		comma = ",";
	}
	fputs("]}", out);
}

static void on_command(void *ctx, const char *command, FILE *out)
{
	struct foreign *f = ctx;

	if (strcmp(command, "status") == 0)
		put_status(out, f);
	else
		fputs("{\"error\":\"say status or events\"}", out);
}

/* ---- Beginning and end ---- */

static void on_signal(void *ctx)
{
	struct foreign *f = ctx;

	loop_stop(f->loop);
}

static int open_places(struct foreign *f)
{
	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &f->pending[i];

		p->foreign = f;
		p->timeout = loop_timer_new(f->loop, on_timeout, p);
		if (!p->timeout)
			return -ENOMEM;
	}
	for (size_t i = 0; i < VISITOR_MAX; i++) {
		struct visitor *v = &f->visitors[i];

		v->foreign = f;
		v->expiry = loop_timer_new(f->loop, on_expiry, v);
		v->keepalive = loop_timer_new(f->loop, on_keepalive, v);
		if (!v->expiry || !v->keepalive)
			return -ENOMEM;
	}
	return 0;
}

static int open_loop(struct foreign *f)
{
	f->loop = loop_new();
	if (!f->loop)
		return -ENOMEM;
	f->advertise = loop_timer_new(f->loop, on_advertise, f);
	f->on_term = loop_signal_new(f->loop, SIGTERM, on_signal, f);
	f->on_int = loop_signal_new(f->loop, SIGINT, on_signal, f);
	if (!f->advertise || !f->on_term || !f->on_int)
		return -ENOMEM;
	return open_places(f);
}

static int open_network(struct foreign *f)
{
	const struct visited_hooks visited_hooks = { on_request, on_solicited, f };
	const struct carry_hooks carry_hooks = { on_find, on_reply, on_unreachable, on_echo, f };
	struct carry_conf carry = {
		.loop = f->loop,
		.care_of = f->conf.relay.care_of,
		.device = f->conf.device,
		.table = f->conf.table,
	};
	int err = rtnl_open(&f->rtnl);

	if (err == 0)
		err = rtnl_link_get(f->rtnl, f->conf.interface, &carry.visited);
	if (err < 0) {
		log_error("cannot find the visited link",
			  "event=interface-refused interface=%s error=\"%s\"", f->conf.interface,
			  err_text(err));
		return err;
	}
	carry.rtnl = f->rtnl;
	err = carry_open(&carry, &carry_hooks, &f->carry);
	if (err < 0)
		return err;
	return visited_open(f->loop, &carry.visited, &visited_hooks, &f->visited);
}

int foreign_open(const struct foreign_conf *conf, struct foreign **ret_foreign)
{
	struct foreign *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return -ENOMEM;
	f->conf = *conf;
	err = open_loop(f);
	if (err == 0)
		err = status_open(f->loop, conf->control, on_command, f, &f->status);
	if (err == 0)
		err = open_network(f);
	if (err < 0) {
		foreign_close(f);
		return err;
	}
	*ret_foreign = f;
	return 0;
}

void foreign_run(struct foreign *f)
{
	if (f->conf.advertise_ms > 0)
		loop_timer_start(f->advertise, 0, f->conf.advertise_ms);
	daemon_ready("serving visitors");
	loop_run(f->loop);
	daemon_stopping();
}

struct foreign *foreign_close(struct foreign *f)
{
	if (!f)
		return NULL;
	for (size_t i = 0; i < VISITOR_MAX; i++) {
		if (f->visitors[i].used)
			dismiss(&f->visitors[i], "end");
		loop_timer_free(f->visitors[i].expiry);
		loop_timer_free(f->visitors[i].keepalive);
	}
	for (size_t i = 0; i < PENDING_MAX; i++)
		loop_timer_free(f->pending[i].timeout);
	visited_close(f->visited);
	carry_close(f->carry);
	rtnl_close(f->rtnl);
	status_close(f->status);
	loop_timer_free(f->advertise);
	loop_signal_free(f->on_term);
	loop_signal_free(f->on_int);
	loop_free(f->loop);
	free(f);
	return NULL;
}

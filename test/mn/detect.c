/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The detection algorithm of RFC 5265 §3.3 and the monitoring of §3.2.4, as a state machine.
 *
 *	DOWN ──change──► UNKNOWN ──external success──► TENTATIVE-OUTSIDE ──period over──► OUTSIDE
 *	                    │                                │                               │
 *	                    └────────── internal success with TNC ──► INSIDE ◄── late, asked ─┘
 *	                                                                │            again
 *	                       UNKNOWN ◄── T_MONITOR, denial ───────────┘
 *
 * node.c feeds it and does what it asks. Time is a parameter. A success counts from when its
 * request left, not from when the reply came: the later one could be made to prove more than the
 * agent said. The gate of user data looks at the clock itself, so a late timer leaks nothing.
 *
 * Two agents that share an address are taken as a sign of being outside (§3.5): only the external
 * one is then asked. Without an external agent a silent internal one leaves us UNKNOWN, or, with a
 * VPN that moves by itself (MOBIKE, RFC 5266 §3.4), OUTSIDE once the period is over.
 *
 * The VPN comes up when we are OUTSIDE and its packets have a way, stays through every move
 * outside, and goes down INSIDE (§4.1). What is registered through it holds as long as its inner
 * address: a move outside is none of the internal agent's business. Where it ends, or cannot come
 * up, the way to the gateway may have, too: a NAT that forgot us shows a new port by a registration
 * only (RFC 3519 §4.10), so the external agent is asked beside the VPN.
 */
#include "test/mn/detect.h"

#include <stddef.h>

#define DEREG_TRIES       3
#define CORRECTIONS_MAX   2 /* then the ordinary retransmission interval applies */
#define LIFETIME_INFINITE 0xffff

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void track_rest(struct detect_track *t)
{
	t->due_ms = DETECT_NEVER;
}

/* A new round of requests, the first one no sooner than at_ms. */
static void track_start(struct detect_track *t, uint64_t at_ms)
{
	t->due_ms = at_ms;
	t->interval_ms = DETECT_RETRY_MIN_MS;
}

/* The soonest that the pace of RFC 5944 §3.6.3 allows another request. */
static uint64_t track_paced(const struct detect_track *t, uint64_t now_ms)
{
	return t->was_sent ? max_u64(now_ms, t->sent_ms + DETECT_RETRY_MIN_MS) : now_ms;
}

static bool track_take_due(struct detect_track *t, uint64_t now_ms)
{
	if (now_ms < t->due_ms)
		return false;
	t->due_ms = now_ms + t->interval_ms;
	t->interval_ms = (uint32_t)min_u64(2 * (uint64_t)t->interval_ms, DETECT_RETRY_MAX_MS);
	t->was_sent = true;
	t->sent_ms = now_ms;
	return true;
}

/* The registration holds for_ms from when its request left; renewal comes a little earlier. */
static void track_hold(struct detect_track *t, uint64_t sent_ms, uint64_t for_ms, uint32_t grace_ms)
{
	t->corrections = 0;
	if (for_ms == DETECT_NEVER) {
		t->valid_until_ms = DETECT_NEVER;
		track_rest(t);
		return;
	}
	t->valid_until_ms = sent_ms + for_ms;
	track_start(t, t->valid_until_ms - min_u64(grace_ms, for_ms / 2));
}

static bool track_is_valid(const struct detect_track *t, uint64_t now_ms)
{
	return now_ms < t->valid_until_ms;
}

static uint64_t lifetime_ms(uint16_t lifetime_s)
{
	return lifetime_s == LIFETIME_INFINITE ? DETECT_NEVER : (uint64_t)lifetime_s * 1000;
}

/* Without an external agent the VPN comes up beside the plain request (RFC 5266 §3.4.2). */
static bool wants_vpn(const struct detect *d)
{
	if (!d->conf.has_vpn)
		return false;
	if (!d->conf.has_external)
		return d->state == DETECT_UNKNOWN || d->state == DETECT_OUTSIDE;
	return d->state == DETECT_OUTSIDE && d->track[DETECT_EXTERNAL].valid_until_ms > 0;
}

/*
 * Something is to be said, to charon or through the VPN. Not through it while we are undecided: the
 * internal agent would hear of two places at once, and its answer to the plain request be lost
 * (RFC 5266 §3.4.2: only if that has not been answered).
 */
static bool vpn_has_business(const struct detect *d)
{
	if (!wants_vpn(d) || d->vpn == DETECT_VPN_CONNECTING)
		return false;
	return d->vpn == DETECT_VPN_DOWN || d->state == DETECT_OUTSIDE;
}

static void vpn_start(struct detect *d, uint64_t at_ms)
{
	d->track[DETECT_VPN].valid_until_ms = 0;
	track_start(&d->track[DETECT_VPN], at_ms);
}

/* The plain requests may have moved the binding, unseen: say where we are, at once. */
static void vpn_confirm(struct detect *d, uint64_t now_ms)
{
	if (d->vpn == DETECT_VPN_UP)
		track_start(&d->track[DETECT_VPN], now_ms);
}

static void enter(struct detect *d, enum detect_state state, enum detect_reason reason,
		  uint64_t now_ms, struct detect_todo *todo)
{
	d->state = state;
	d->reason = reason;
	d->since_ms = now_ms;
	todo->changed = true;
	if (state == DETECT_OUTSIDE)
		vpn_confirm(d, now_ms);
}

/*
 * Asks both agents from the beginning (§3.3). After a move the requests leave at once; a failure
 * without one must not quicken the pace.
 */
static void start_over(struct detect *d, enum detect_reason reason, bool moved, uint64_t now_ms,
		       struct detect_todo *todo)
{
	struct detect_track *in = &d->track[DETECT_INTERNAL];
	struct detect_track *ex = &d->track[DETECT_EXTERNAL];

	in->valid_until_ms = ex->valid_until_ms = 0;
	in->corrections = ex->corrections = 0;
	d->period_end_ms = DETECT_NEVER;
	if (d->conf.has_vpn && !d->conf.has_external)
		d->period_end_ms = now_ms + d->conf.period_ms;
	d->dereg_left = 0;
	track_rest(in);
	track_rest(ex);
	if (d->conf.same_agent) {
		enter(d, DETECT_OUTSIDE, DETECT_SAME_AGENT, now_ms, todo);
	} else {
		enter(d, DETECT_UNKNOWN, reason, now_ms, todo);
		track_start(in, moved ? now_ms : track_paced(in, now_ms));
	}
	if (d->conf.has_external)
		track_start(ex, moved ? now_ms : track_paced(ex, now_ms));
}

static void go_inside(struct detect *d, const struct detect_reply *reply, uint64_t now_ms,
		      struct detect_todo *todo)
{
	struct detect_track *ex = &d->track[DETECT_EXTERNAL];

	track_hold(&d->track[DETECT_INTERNAL], reply->sent_ms,
		   min_u64(d->conf.t_monitor_ms, lifetime_ms(reply->lifetime_s)), d->conf.grace_ms);
	d->period_end_ms = DETECT_NEVER;
	if (d->state == DETECT_INSIDE)
		return;
	/*
	 * MUST stop retransmitting to both, SHOULD deregister from the external agent: it was asked
	 * together with the internal one, and may have a binding even if it seems silent.
	 */
	track_rest(ex);
	ex->valid_until_ms = 0;
	if (d->conf.has_external) {
		d->dereg_left = DEREG_TRIES;
		d->dereg_interval_ms = DETECT_RETRY_MIN_MS;
		d->dereg_due_ms = track_paced(ex, now_ms);
	}
	enter(d, DETECT_INSIDE, DETECT_TRUSTED, now_ms, todo);
}

/* Success without TNC: stop asking both, and never call it inside (§3.2.3, §4.1). */
static void go_outside_untrusted(struct detect *d, uint64_t now_ms, struct detect_todo *todo)
{
	struct detect_track *ex = &d->track[DETECT_EXTERNAL];
	uint64_t at_ms = track_paced(ex, now_ms);

	d->track[DETECT_INTERNAL].valid_until_ms = 0;
	track_rest(&d->track[DETECT_INTERNAL]);
	d->period_end_ms = DETECT_NEVER;
	d->dereg_left = 0;
	if (d->conf.has_external && !track_is_valid(ex, now_ms)) {
		/* The request that is out may still be answered; then it is an ordinary one. */
		if (ex->was_sent)
			at_ms = max_u64(at_ms, ex->sent_ms + d->conf.period_ms);
		track_start(ex, at_ms);
	}
	enter(d, DETECT_OUTSIDE, DETECT_NOT_TRUSTED, now_ms, todo);
}

/* A success that comes when we have settled outside: ask again directly (§3.3, §3.5). */
static void ask_internal_again(struct detect *d, uint64_t now_ms)
{
	struct detect_track *in = &d->track[DETECT_INTERNAL];

	track_start(in, track_paced(in, now_ms));
	d->period_end_ms = in->due_ms + max_u64(d->conf.period_ms, DETECT_RETRY_MIN_MS);
}

static void internal_accepted(struct detect *d, const struct detect_reply *reply, uint64_t now_ms,
			      struct detect_todo *todo)
{
	switch (d->state) {
	case DETECT_DOWN:
		return;
	case DETECT_OUTSIDE:
		if (d->conf.same_agent || !reply->tnc)
			return;
		if (reply->sent_ms < d->since_ms)
			ask_internal_again(d, now_ms);
		else
			go_inside(d, reply, now_ms, todo);
		return;
	case DETECT_UNKNOWN:
	case DETECT_TENTATIVE_OUTSIDE:
	case DETECT_INSIDE:
		if (reply->tnc)
			go_inside(d, reply, now_ms, todo);
		else
			go_outside_untrusted(d, now_ms, todo);
		return;
	}
}

static void external_accepted(struct detect *d, const struct detect_reply *reply, uint64_t now_ms,
			      struct detect_todo *todo)
{
	if (d->state == DETECT_DOWN || d->state == DETECT_INSIDE)
		return;
	track_hold(&d->track[DETECT_EXTERNAL], reply->sent_ms, lifetime_ms(reply->lifetime_s),
		   d->conf.grace_ms);
	if (d->state != DETECT_UNKNOWN)
		return;
	/* MUST go on asking the internal agent for a while. */
	d->period_end_ms = now_ms + d->conf.period_ms;
	enter(d, DETECT_TENTATIVE_OUTSIDE, DETECT_EXTERNAL_ANSWERED, now_ms, todo);
}

static void denied(struct detect *d, enum detect_agent agent, const struct detect_reply *reply,
		   uint64_t now_ms, struct detect_todo *todo)
{
	struct detect_track *t = &d->track[agent];

	if (t->due_ms == DETECT_NEVER)
		return; /* nothing more was to be said to this agent */
	if (reply->correctable && t->corrections < CORRECTIONS_MAX) {
		t->corrections++;
		track_start(t, now_ms);
		return;
	}
	if (d->state == DETECT_INSIDE && agent == DETECT_INTERNAL)
		start_over(d, DETECT_DENIED, false, now_ms, todo);
	/* Otherwise the next retransmission asks again. */
}

/* What the passing of time alone changes. */
static void expire(struct detect *d, uint64_t now_ms, struct detect_todo *todo)
{
	bool period_over = now_ms >= d->period_end_ms;

	switch (d->state) {
	case DETECT_DOWN:
		return;
	case DETECT_UNKNOWN:
	case DETECT_TENTATIVE_OUTSIDE:
	case DETECT_OUTSIDE:
		if (period_over) {
			/* Once located, plain renewals go to one agent only (§3.3). */
			d->period_end_ms = DETECT_NEVER;
			track_rest(&d->track[DETECT_INTERNAL]);
			if (d->state != DETECT_OUTSIDE)
				enter(d, DETECT_OUTSIDE, DETECT_PERIOD_OVER, now_ms, todo);
		}
		if (d->track[DETECT_EXTERNAL].valid_until_ms > 0 &&
		    !track_is_valid(&d->track[DETECT_EXTERNAL], now_ms))
			start_over(d, DETECT_EXTERNAL_EXPIRED, false, now_ms, todo);
		return;
	case DETECT_INSIDE:
		if (!track_is_valid(&d->track[DETECT_INTERNAL], now_ms))
			start_over(d, DETECT_T_MONITOR, false, now_ms, todo);
		return;
	}
}

static void advance_vpn(struct detect *d, uint64_t now_ms, struct detect_todo *todo)
{
	struct detect_track *t = &d->track[DETECT_VPN];

	if (d->state == DETECT_INSIDE) {
		todo->vpn_disconnect = d->vpn != DETECT_VPN_DOWN;
		d->vpn = DETECT_VPN_DOWN;
		vpn_start(d, 0);
		return;
	}
	if (!track_is_valid(t, now_ms))
		t->valid_until_ms = 0;
	if (!vpn_has_business(d) || !track_take_due(t, now_ms))
		return;
	if (d->vpn == DETECT_VPN_UP) {
		todo->request[DETECT_VPN] = true;
		return;
	}
	d->vpn = DETECT_VPN_CONNECTING;
	todo->vpn_connect = true;
}

static void advance(struct detect *d, uint64_t now_ms, struct detect_todo *todo)
{
	struct detect_track *ex = &d->track[DETECT_EXTERNAL];

	expire(d, now_ms, todo);
	todo->request[DETECT_INTERNAL] = track_take_due(&d->track[DETECT_INTERNAL], now_ms);
	todo->request[DETECT_EXTERNAL] = track_take_due(ex, now_ms);
	if (d->dereg_left > 0 && now_ms >= d->dereg_due_ms) {
		d->dereg_left--;
		d->dereg_due_ms = now_ms + d->dereg_interval_ms;
		d->dereg_interval_ms *= 2;
		ex->was_sent = true;
		ex->sent_ms = now_ms;
		todo->dereg_external = true;
	}
	advance_vpn(d, now_ms, todo);
}

void detect_init(struct detect *d, const struct detect_conf *conf)
{
	*d = (struct detect){ .conf = *conf, .period_end_ms = DETECT_NEVER };
	track_rest(&d->track[DETECT_INTERNAL]);
	track_rest(&d->track[DETECT_EXTERNAL]);
	vpn_start(d, 0);
}

void detect_change(struct detect *d, bool usable, uint64_t now_ms, struct detect_todo *out_todo)
{
	*out_todo = (struct detect_todo){ 0 };
	d->begun_ms = now_ms;
	start_over(d, DETECT_LINK_CHANGE, true, now_ms, out_todo);
	if (!usable) {
		track_rest(&d->track[DETECT_INTERNAL]);
		track_rest(&d->track[DETECT_EXTERNAL]);
		enter(d, DETECT_DOWN, DETECT_LINK_DOWN, now_ms, out_todo);
		return;
	}
	advance(d, now_ms, out_todo);
}

void detect_reply(struct detect *d, enum detect_agent agent, const struct detect_reply *reply,
		  uint64_t now_ms, struct detect_todo *out_todo)
{
	*out_todo = (struct detect_todo){ 0 };
	if (agent != DETECT_VPN && reply->sent_ms < d->begun_ms)
		return; /* asked before the last status change: it says nothing about here */
	if (reply->dereg) {
		if (agent == DETECT_EXTERNAL && reply->accepted)
			d->dereg_left = 0;
	} else if (!reply->accepted || reply->lifetime_s == 0) {
		denied(d, agent, reply, now_ms, out_todo);
	} else if (agent == DETECT_INTERNAL) {
		internal_accepted(d, reply, now_ms, out_todo);
	} else if (agent == DETECT_VPN) {
		if (d->vpn == DETECT_VPN_UP)
			track_hold(&d->track[DETECT_VPN], reply->sent_ms,
				   lifetime_ms(reply->lifetime_s), d->conf.grace_ms);
	} else {
		external_accepted(d, reply, now_ms, out_todo);
	}
	advance(d, now_ms, out_todo);
}

void detect_renew(struct detect *d, enum detect_agent agent, uint64_t now_ms,
		  struct detect_todo *out_todo)
{
	struct detect_track *t = &d->track[agent];

	*out_todo = (struct detect_todo){ 0 };
	if (track_is_valid(t, now_ms))
		track_start(t, track_paced(t, now_ms));
	advance(d, now_ms, out_todo);
}

/* The VPN does not answer, perhaps because nothing comes back from outside. */
static void external_confirm(struct detect *d, uint64_t now_ms)
{
	struct detect_track *ex = &d->track[DETECT_EXTERNAL];

	if (d->conf.has_external && d->state == DETECT_OUTSIDE && track_is_valid(ex, now_ms))
		track_start(ex, track_paced(ex, now_ms));
}

void detect_vpn(struct detect *d, bool up, uint64_t now_ms, struct detect_todo *out_todo)
{
	struct detect_track *t = &d->track[DETECT_VPN];

	*out_todo = (struct detect_todo){ 0 };
	if (up) {
		d->vpn = DETECT_VPN_UP;
		vpn_start(d, now_ms);
	} else if (d->vpn == DETECT_VPN_UP) {
		external_confirm(d, now_ms);
		vpn_start(d, now_ms);
		d->vpn = DETECT_VPN_DOWN;
	} else if (d->vpn == DETECT_VPN_CONNECTING) {
		external_confirm(d, now_ms);
		t->due_ms = max_u64(t->due_ms, now_ms + DETECT_RETRY_MIN_MS);
		d->vpn = DETECT_VPN_DOWN;
	}
	advance(d, now_ms, out_todo);
}

void detect_tick(struct detect *d, uint64_t now_ms, struct detect_todo *out_todo)
{
	*out_todo = (struct detect_todo){ 0 };
	advance(d, now_ms, out_todo);
}

uint64_t detect_deadline(const struct detect *d)
{
	uint64_t next = min_u64(d->track[DETECT_INTERNAL].due_ms, d->track[DETECT_EXTERNAL].due_ms);

	next = min_u64(next, d->period_end_ms);
	if (vpn_has_business(d))
		next = min_u64(next, d->track[DETECT_VPN].due_ms);
	for (size_t i = 0; i < DETECT_AGENT_CNT; i++)
		if (d->track[i].valid_until_ms > 0)
			next = min_u64(next, d->track[i].valid_until_ms);
	if (d->dereg_left > 0)
		next = min_u64(next, d->dereg_due_ms);
	return next;
}

bool detect_permits_plain(const struct detect *d, uint64_t now_ms)
{
	return d->state == DETECT_INSIDE && track_is_valid(&d->track[DETECT_INTERNAL], now_ms);
}

bool detect_permits_external(const struct detect *d, uint64_t now_ms)
{
	return (d->state == DETECT_TENTATIVE_OUTSIDE || d->state == DETECT_OUTSIDE) &&
	       track_is_valid(&d->track[DETECT_EXTERNAL], now_ms);
}

bool detect_permits_vpn(const struct detect *d, uint64_t now_ms)
{
	if (d->vpn != DETECT_VPN_UP || !track_is_valid(&d->track[DETECT_VPN], now_ms))
		return false;
	return d->conf.has_external ? detect_permits_external(d, now_ms)
				    : d->state == DETECT_OUTSIDE;
}

const char *detect_state_name(enum detect_state state)
{
	static const char *const names[] = {
		[DETECT_DOWN] = "down",
		[DETECT_UNKNOWN] = "unknown",
		[DETECT_TENTATIVE_OUTSIDE] = "tentative-outside",
		[DETECT_INSIDE] = "inside",
		[DETECT_OUTSIDE] = "outside",
	};

	return names[state];
}

const char *detect_reason_name(enum detect_reason reason)
{
	static const char *const names[] = {
		[DETECT_NO_REASON] = "none",
		[DETECT_LINK_DOWN] = "link-down",
		[DETECT_LINK_CHANGE] = "link-change",
		[DETECT_EXTERNAL_ANSWERED] = "external-answered",
		[DETECT_TRUSTED] = "trusted-networks-configured",
		[DETECT_NOT_TRUSTED] = "trusted-networks-not-configured",
		[DETECT_PERIOD_OVER] = "detection-period-over",
		[DETECT_SAME_AGENT] = "same-agent-address",
		[DETECT_T_MONITOR] = "t-monitor-expired",
		[DETECT_DENIED] = "registration-denied",
		[DETECT_EXTERNAL_EXPIRED] = "external-expired",
	};

	return names[reason];
}

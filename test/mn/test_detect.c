/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules of RFC 5265 that bind a mobile node, one test each, named after the rule; R-nn are
 * the numbers of the conformance table in the project's digest. A script drives the state
 * machine with a clock of its own.
 */
#include "test/mn/detect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define T_MONITOR 60000
#define GRACE     10000
#define PERIOD    2000
#define START     1000000 /* a move, at this time */

static struct detect d;
static struct detect_todo todo;
static uint64_t now;

static void node_is(bool has_external, bool same_agent, uint32_t period_ms)
{
	const struct detect_conf conf = {
		.has_external = has_external,
		.same_agent = same_agent,
		.t_monitor_ms = T_MONITOR,
		.grace_ms = GRACE,
		.period_ms = period_ms,
	};

	detect_init(&d, &conf);
	now = START;
}

static int setup(void **state)
{
	(void)state;
	node_is(true, false, PERIOD);
	return 0;
}

static void moves(void)
{
	detect_change(&d, true, now, &todo);
}

/* Lets time pass, tick by tick as the loop would, and counts the requests to each agent. */
static void passes(uint64_t ms, unsigned int requests[DETECT_AGENT_CNT], unsigned int *deregs)
{
	uint64_t until = now + ms;
	bool changed = false;

	requests[DETECT_INTERNAL] = requests[DETECT_EXTERNAL] = *deregs = 0;
	while (detect_deadline(&d) <= until) {
		now = detect_deadline(&d);
		detect_tick(&d, now, &todo);
		requests[DETECT_INTERNAL] += todo.request[DETECT_INTERNAL];
		requests[DETECT_EXTERNAL] += todo.request[DETECT_EXTERNAL];
		*deregs += todo.dereg_external;
		changed |= todo.changed;
	}
	now = until;
	todo.changed = changed;
}

static void passes_quietly(uint64_t ms)
{
	unsigned int requests[DETECT_AGENT_CNT], deregs;

	passes(ms, requests, &deregs);
	assert_int_equal(requests[DETECT_INTERNAL] + requests[DETECT_EXTERNAL] + deregs, 0);
}

/* Lets time pass, whatever is sent. */
static void waits(uint64_t ms)
{
	unsigned int requests[DETECT_AGENT_CNT], deregs;

	passes(ms, requests, &deregs);
}

static void answers(enum detect_agent agent, struct detect_reply reply)
{
	if (reply.sent_ms == 0)
		reply.sent_ms = d.track[agent].sent_ms;
	detect_reply(&d, agent, &reply, now, &todo);
}

static const struct detect_reply success = { .accepted = true, .lifetime_s = 1800 };
static const struct detect_reply trusted = { .accepted = true, .lifetime_s = 1800, .tnc = true };
static const struct detect_reply denial = { 0 };
static const struct detect_reply correctable = { .correctable = true };
static const struct detect_reply dereg_done = { .accepted = true, .dereg = true };

static void is_inside(void)
{
	moves();
	now += 5;
	answers(DETECT_INTERNAL, trusted);
	assert_int_equal(d.state, DETECT_INSIDE);
}

static void is_outside(void)
{
	moves();
	now += 5;
	answers(DETECT_EXTERNAL, success);
	waits(PERIOD);
	assert_int_equal(d.state, DETECT_OUTSIDE);
}

static void no_user_data(void)
{
	assert_false(detect_permits_plain(&d, now));
}

/* ---- Before the decision ---- */

static void r18_nothing_is_permitted_before_the_first_event(void **state)
{
	(void)state;
	assert_int_equal(d.state, DETECT_DOWN);
	no_user_data();
	assert_false(detect_permits_external(&d, now));
	assert_true(detect_deadline(&d) == DETECT_NEVER);
}

static void r23_both_agents_are_asked_at_once(void **state)
{
	(void)state;
	moves();
	assert_true(todo.request[DETECT_INTERNAL]);
	assert_true(todo.request[DETECT_EXTERNAL]);
	assert_true(todo.changed);
	assert_int_equal(d.state, DETECT_UNKNOWN);
	no_user_data();
}

static void r23_both_are_retransmitted_at_doubling_intervals(void **state)
{
	static const uint64_t gaps[] = { 1000, 2000, 4000, 8000, 16000, 16000 };

	(void)state;
	moves();
	for (size_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
		assert_int_equal(detect_deadline(&d), now + gaps[i]);
		now += gaps[i];
		detect_tick(&d, now, &todo);
		assert_true(todo.request[DETECT_INTERNAL]);
		assert_true(todo.request[DETECT_EXTERNAL]);
		assert_false(todo.changed);
	}
	assert_int_equal(d.state, DETECT_UNKNOWN);
}

static void r24_each_interface_has_a_state_of_its_own(void **state)
{
	struct detect other;

	(void)state;
	is_inside();
	detect_init(&other, &d.conf);
	detect_change(&other, true, now, &todo);
	assert_int_equal(other.state, DETECT_UNKNOWN);
	assert_false(detect_permits_plain(&other, now));
	assert_true(detect_permits_plain(&d, now));
}

static void r25_a_change_stops_user_data_at_once_inside(void **state)
{
	(void)state;
	is_inside();
	assert_true(detect_permits_plain(&d, now));
	now += 20000;
	moves();
	no_user_data();
	assert_int_equal(d.state, DETECT_UNKNOWN);
	assert_true(todo.request[DETECT_INTERNAL]);
	assert_true(todo.request[DETECT_EXTERNAL]);
}

static void r25_a_change_stops_the_external_tunnel_at_once(void **state)
{
	(void)state;
	is_outside();
	assert_true(detect_permits_external(&d, now));
	moves();
	assert_false(detect_permits_external(&d, now));
}

static void r25_a_second_move_asks_at_once_however_soon(void **state)
{
	(void)state;
	moves();
	now += 50;
	moves();
	assert_true(todo.request[DETECT_INTERNAL]);
	assert_true(todo.request[DETECT_EXTERNAL]);
}

static void r25_without_an_address_nothing_is_sent(void **state)
{
	(void)state;
	is_inside();
	detect_change(&d, false, now, &todo);
	assert_int_equal(d.state, DETECT_DOWN);
	assert_true(todo.changed);
	assert_false(todo.request[DETECT_INTERNAL] || todo.request[DETECT_EXTERNAL] ||
		     todo.dereg_external);
	no_user_data();
	passes_quietly(600000);
}

static void r25_a_reply_while_down_changes_nothing(void **state)
{
	(void)state;
	moves();
	detect_change(&d, false, now, &todo);
	answers(DETECT_INTERNAL, trusted);
	answers(DETECT_EXTERNAL, success);
	assert_int_equal(d.state, DETECT_DOWN);
	no_user_data();
	assert_false(detect_permits_external(&d, now));
}

/* ---- Inside ---- */

static void r35_success_with_tnc_is_inside(void **state)
{
	(void)state;
	is_inside();
	assert_int_equal(d.reason, DETECT_TRUSTED);
	assert_true(todo.changed);
	assert_true(detect_permits_plain(&d, now));
}

static void r26_success_without_tnc_is_not_inside(void **state)
{
	(void)state;
	moves();
	now += 5;
	answers(DETECT_INTERNAL, success);
	assert_int_equal(d.state, DETECT_OUTSIDE);
	assert_int_equal(d.reason, DETECT_NOT_TRUSTED);
	no_user_data();
}

static void r26_a_denial_with_tnc_is_not_inside(void **state)
{
	struct detect_reply reply = denial;

	(void)state;
	reply.tnc = true;
	moves();
	answers(DETECT_INTERNAL, reply);
	assert_int_equal(d.state, DETECT_UNKNOWN);
	no_user_data();
}

static void r26_an_acceptance_for_no_time_is_not_inside(void **state)
{
	struct detect_reply reply = trusted;

	(void)state;
	reply.lifetime_s = 0;
	moves();
	answers(DETECT_INTERNAL, reply);
	assert_int_equal(d.state, DETECT_UNKNOWN);
	assert_false(todo.changed);
	no_user_data();
}

static void r26_a_deregistration_reply_with_tnc_is_not_inside(void **state)
{
	struct detect_reply reply = dereg_done;

	(void)state;
	reply.tnc = true;
	moves();
	answers(DETECT_INTERNAL, reply);
	assert_int_equal(d.state, DETECT_UNKNOWN);
	no_user_data();
}

static void r26_tnc_from_the_external_agent_is_not_inside(void **state)
{
	(void)state;
	moves();
	answers(DETECT_EXTERNAL, trusted);
	assert_int_equal(d.state, DETECT_TENTATIVE_OUTSIDE);
	no_user_data();
}

static void r26_a_reply_to_a_request_from_before_the_change_is_nothing(void **state)
{
	struct detect_reply reply = trusted;

	(void)state;
	moves();
	reply.sent_ms = now;
	now += 30;
	moves();
	now += 5;
	answers(DETECT_INTERNAL, reply);
	assert_int_equal(d.state, DETECT_UNKNOWN);
	no_user_data();
}

static void r36_inside_stops_retransmitting_to_both(void **state)
{
	(void)state;
	moves();
	now += 5;
	answers(DETECT_INTERNAL, trusted);
	assert_int_equal(d.track[DETECT_EXTERNAL].due_ms, DETECT_NEVER);
	d.dereg_left = 0; /* see r37 */
	passes_quietly(T_MONITOR - GRACE - 10);
}

static void r36_success_without_tnc_stops_retransmitting_to_both(void **state)
{
	(void)state;
	moves();
	now += 5;
	answers(DETECT_INTERNAL, success);
	assert_false(todo.request[DETECT_INTERNAL] || todo.request[DETECT_EXTERNAL]);
	passes_quietly(PERIOD - 10);
}

static void success_without_tnc_registers_with_the_external_agent_later(void **state)
{
	unsigned int requests[DETECT_AGENT_CNT], deregs;

	(void)state;
	moves();
	answers(DETECT_INTERNAL, success);
	passes(PERIOD, requests, &deregs);
	assert_int_equal(requests[DETECT_INTERNAL], 0);
	assert_int_equal(requests[DETECT_EXTERNAL], 1);
	now += 5;
	answers(DETECT_EXTERNAL, success);
	assert_int_equal(d.state, DETECT_OUTSIDE);
	assert_true(detect_permits_external(&d, now));
	no_user_data();
}

static void r37_inside_deregisters_from_the_external_agent(void **state)
{
	unsigned int requests[DETECT_AGENT_CNT], deregs;

	(void)state;
	is_inside();
	passes(1000, requests, &deregs);
	assert_int_equal(deregs, 1);
	assert_int_equal(requests[DETECT_EXTERNAL], 0);
	now += 5;
	answers(DETECT_EXTERNAL, dereg_done);
	passes_quietly(T_MONITOR - GRACE - 2000);
}

static void r37_the_deregistration_keeps_the_pace_of_one_second(void **state)
{
	(void)state;
	is_inside();
	assert_false(todo.dereg_external);
	assert_int_equal(detect_deadline(&d), START + DETECT_RETRY_MIN_MS);
}

static void r37_a_silent_external_agent_is_asked_three_times(void **state)
{
	unsigned int requests[DETECT_AGENT_CNT], deregs;

	(void)state;
	is_inside();
	passes(T_MONITOR - GRACE - 1000, requests, &deregs);
	assert_int_equal(deregs, 3);
}

static void r37_nothing_to_deregister_where_nothing_was_asked(void **state)
{
	(void)state;
	node_is(false, false, PERIOD);
	is_inside();
	assert_false(todo.dereg_external);
	passes_quietly(T_MONITOR - GRACE - 10);
}

static void r44_inside_only_the_internal_agent_is_used(void **state)
{
	unsigned int requests[DETECT_AGENT_CNT], deregs;

	(void)state;
	is_inside();
	assert_false(detect_permits_external(&d, now));
	passes(3 * DETECT_RETRY_MIN_MS, requests, &deregs);
	now += 5;
	answers(DETECT_EXTERNAL, success); /* late */
	assert_int_equal(d.state, DETECT_INSIDE);
	assert_int_equal(d.track[DETECT_EXTERNAL].due_ms, DETECT_NEVER);
	assert_false(detect_permits_external(&d, now));
}

/* ---- Monitoring ---- */

static void r19_r27_inside_registers_again_at_t_monitor_less_grace(void **state)
{
	(void)state;
	node_is(false, false, PERIOD);
	moves();
	now += 5;
	answers(DETECT_INTERNAL, trusted);
	assert_int_equal(detect_deadline(&d), START + T_MONITOR - GRACE);
	now = START + T_MONITOR - GRACE;
	detect_tick(&d, now, &todo);
	assert_true(todo.request[DETECT_INTERNAL]);
	assert_false(todo.changed);
	assert_true(detect_permits_plain(&d, now));
}

static void r27_success_in_time_keeps_us_inside(void **state)
{
	(void)state;
	node_is(false, false, PERIOD);
	is_inside();
	for (int i = 0; i < 5; i++) {
		waits(detect_deadline(&d) - now);
		assert_true(todo.request[DETECT_INTERNAL]);
		now += 5;
		answers(DETECT_INTERNAL, trusted);
		assert_int_equal(d.state, DETECT_INSIDE);
		assert_false(todo.changed);
	}
	assert_true(detect_permits_plain(&d, now));
}

static void r28_no_user_data_later_than_t_monitor_even_without_a_tick(void **state)
{
	(void)state;
	is_inside();
	assert_true(detect_permits_plain(&d, START + T_MONITOR - 1));
	assert_false(detect_permits_plain(&d, START + T_MONITOR));
	assert_false(detect_permits_plain(&d, START + T_MONITOR + 1));
}

static void r28_t_monitor_counts_from_the_request_not_from_the_reply(void **state)
{
	struct detect_reply reply = trusted;

	(void)state;
	moves();
	reply.sent_ms = now;
	now += 900; /* a slow reply, or one held back by someone */
	answers(DETECT_INTERNAL, reply);
	assert_false(detect_permits_plain(&d, START + T_MONITOR));
}

static void r28_a_short_lifetime_shortens_the_stay(void **state)
{
	struct detect_reply reply = trusted;

	(void)state;
	node_is(false, false, PERIOD);
	reply.lifetime_s = 30;
	moves();
	answers(DETECT_INTERNAL, reply);
	assert_int_equal(detect_deadline(&d), START + 30000 - GRACE);
	assert_false(detect_permits_plain(&d, START + 30000));
}

static void r29_the_gate_stays_shut_until_success(void **state)
{
	(void)state;
	is_inside();
	waits(T_MONITOR);
	assert_int_equal(d.state, DETECT_UNKNOWN);
	waits(5000);
	no_user_data();
	answers(DETECT_INTERNAL, denial);
	no_user_data();
	answers(DETECT_INTERNAL, trusted);
	assert_true(detect_permits_plain(&d, now));
}

static void r30_t_monitor_is_configurable(void **state)
{
	(void)state;
	d.conf.t_monitor_ms = 5000;
	d.conf.grace_ms = 1000;
	is_inside();
	assert_true(detect_permits_plain(&d, START + 4999));
	assert_false(detect_permits_plain(&d, START + 5000));
}

static void a_grace_beyond_t_monitor_still_leaves_half_of_it(void **state)
{
	(void)state;
	node_is(false, false, PERIOD);
	d.conf.t_monitor_ms = 4000;
	is_inside();
	assert_int_equal(detect_deadline(&d), START + 2000);
}

static void r38_t_monitor_without_success_starts_over(void **state)
{
	unsigned int requests[DETECT_AGENT_CNT], deregs;

	(void)state;
	is_inside();
	waits(T_MONITOR - GRACE - 1000);
	passes(GRACE + 1000, requests, &deregs); /* 50, 51, 53, 57 s, and 60 s: anew */
	assert_int_equal(d.state, DETECT_UNKNOWN);
	assert_int_equal(d.reason, DETECT_T_MONITOR);
	assert_true(todo.changed);
	assert_int_equal(requests[DETECT_INTERNAL], 5);
	assert_int_equal(requests[DETECT_EXTERNAL], 1);
	no_user_data();
}

static void r38_a_denied_renewal_stops_plain_traffic_and_starts_over(void **state)
{
	(void)state;
	is_inside();
	waits(T_MONITOR - GRACE);
	now += 5;
	answers(DETECT_INTERNAL, denial);
	assert_int_equal(d.state, DETECT_UNKNOWN);
	assert_int_equal(d.reason, DETECT_DENIED);
	no_user_data();
}

static void r38_starting_over_after_a_denial_keeps_the_pace_of_one_second(void **state)
{
	uint64_t sent;

	(void)state;
	is_inside();
	waits(T_MONITOR - GRACE);
	sent = d.track[DETECT_INTERNAL].sent_ms;
	now += 5;
	answers(DETECT_INTERNAL, denial);
	assert_false(todo.request[DETECT_INTERNAL]);
	assert_true(todo.request[DETECT_EXTERNAL]);
	assert_int_equal(d.track[DETECT_INTERNAL].due_ms, sent + DETECT_RETRY_MIN_MS);
}

static void r42_a_renewal_without_tnc_ends_inside(void **state)
{
	(void)state;
	is_inside();
	waits(T_MONITOR - GRACE);
	now += 5;
	answers(DETECT_INTERNAL, success);
	assert_int_equal(d.state, DETECT_OUTSIDE);
	no_user_data();
	assert_true(todo.request[DETECT_EXTERNAL]);
}

/* ---- Outside ---- */

static void r33_the_internal_agent_is_asked_on_after_the_external_answered(void **state)
{
	unsigned int requests[DETECT_AGENT_CNT], deregs;

	(void)state;
	moves();
	now += 5;
	answers(DETECT_EXTERNAL, success);
	assert_int_equal(d.state, DETECT_TENTATIVE_OUTSIDE);
	passes(PERIOD - 1, requests, &deregs);
	assert_int_equal(requests[DETECT_INTERNAL], 1);
	assert_int_equal(requests[DETECT_EXTERNAL], 0);
	assert_int_equal(d.state, DETECT_TENTATIVE_OUTSIDE);
	passes(1, requests, &deregs);
	assert_int_equal(d.state, DETECT_OUTSIDE);
	assert_int_equal(d.reason, DETECT_PERIOD_OVER);
}

static void r33_an_internal_success_within_the_period_is_inside(void **state)
{
	(void)state;
	moves();
	now += 5;
	answers(DETECT_EXTERNAL, success);
	now += 500;
	answers(DETECT_INTERNAL, trusted);
	assert_int_equal(d.state, DETECT_INSIDE);
	assert_true(detect_permits_plain(&d, now));
	assert_false(detect_permits_external(&d, now));
	assert_int_equal(d.track[DETECT_EXTERNAL].valid_until_ms, 0);
}

static void a_period_of_zero_is_outside_at_once(void **state)
{
	(void)state;
	node_is(true, false, 0);
	moves();
	now += 5;
	answers(DETECT_EXTERNAL, success);
	assert_int_equal(d.state, DETECT_OUTSIDE);
}

static void a_denial_by_the_external_agent_decides_nothing(void **state)
{
	(void)state;
	moves();
	answers(DETECT_EXTERNAL, denial);
	assert_int_equal(d.state, DETECT_UNKNOWN);
	assert_int_equal(detect_deadline(&d), START + DETECT_RETRY_MIN_MS);
}

static void r22_outside_plain_data_never_passes(void **state)
{
	(void)state;
	is_outside();
	for (int i = 0; i < 1000; i++) {
		no_user_data();
		waits(1000);
	}
}

static void outside_only_the_external_agent_hears_of_us(void **state)
{
	unsigned int requests[DETECT_AGENT_CNT], deregs;
	struct detect_reply reply = success;

	(void)state;
	reply.lifetime_s = 100;
	moves();
	now += 5;
	answers(DETECT_EXTERNAL, reply);
	waits(PERIOD);
	passes(START + 90000 - now, requests, &deregs);
	assert_int_equal(requests[DETECT_INTERNAL], 0);
	assert_int_equal(requests[DETECT_EXTERNAL], 1);
	now += 5;
	answers(DETECT_EXTERNAL, reply);
	assert_int_equal(d.state, DETECT_OUTSIDE);
	assert_true(detect_permits_external(&d, START + 90000 + 99999));
}

static void an_external_registration_that_runs_out_starts_over(void **state)
{
	struct detect_reply reply = success;

	(void)state;
	reply.lifetime_s = 20;
	moves();
	answers(DETECT_EXTERNAL, reply);
	assert_false(detect_permits_external(&d, START + 20000));
	waits(20000);
	assert_int_equal(d.state, DETECT_UNKNOWN);
	assert_int_equal(d.reason, DETECT_EXTERNAL_EXPIRED);
}

static void r39_a_late_internal_success_is_asked_for_again_and_then_inside(void **state)
{
	struct detect_reply late = trusted;

	(void)state;
	is_outside();
	late.sent_ms = d.track[DETECT_INTERNAL].sent_ms;
	now += 3000;
	answers(DETECT_INTERNAL, late);
	assert_int_equal(d.state, DETECT_OUTSIDE);
	assert_true(todo.request[DETECT_INTERNAL]);
	no_user_data();
	now += 5;
	answers(DETECT_INTERNAL, trusted);
	assert_int_equal(d.state, DETECT_INSIDE);
	assert_true(detect_permits_plain(&d, now));
}

static void r39_asking_again_ends_with_the_period(void **state)
{
	struct detect_reply late = trusted;
	unsigned int requests[DETECT_AGENT_CNT], deregs;

	(void)state;
	is_outside();
	late.sent_ms = d.track[DETECT_INTERNAL].sent_ms;
	now += 3000;
	answers(DETECT_INTERNAL, late);
	passes(60000, requests, &deregs);
	assert_int_equal(requests[DETECT_INTERNAL], 1); /* and the one sent at once */
	assert_int_equal(d.state, DETECT_OUTSIDE);
}

static void r39_a_late_success_without_tnc_changes_nothing(void **state)
{
	struct detect_reply late = success;

	(void)state;
	is_outside();
	late.sent_ms = d.track[DETECT_INTERNAL].sent_ms;
	answers(DETECT_INTERNAL, late);
	assert_int_equal(d.state, DETECT_OUTSIDE);
	assert_false(todo.request[DETECT_INTERNAL]);
}

static void r40_one_address_for_both_agents_is_outside(void **state)
{
	unsigned int requests[DETECT_AGENT_CNT], deregs;
	struct detect_reply reply = trusted;

	(void)state;
	node_is(true, true, PERIOD);
	moves();
	assert_int_equal(d.state, DETECT_OUTSIDE);
	assert_int_equal(d.reason, DETECT_SAME_AGENT);
	assert_false(todo.request[DETECT_INTERNAL]);
	assert_true(todo.request[DETECT_EXTERNAL]);
	reply.sent_ms = now;
	answers(DETECT_INTERNAL, reply);
	assert_int_equal(d.state, DETECT_OUTSIDE);
	assert_false(todo.request[DETECT_INTERNAL]);
	no_user_data();
	answers(DETECT_EXTERNAL, success);
	assert_true(detect_permits_external(&d, now));
	passes(T_MONITOR, requests, &deregs);
	assert_int_equal(requests[DETECT_INTERNAL], 0);
}

static void r41_nothing_but_the_internal_agents_reply_makes_inside(void **state)
{
	(void)state;
	moves();
	waits(3600000);
	assert_int_equal(d.state, DETECT_UNKNOWN);
	no_user_data();
}

static void without_an_external_agent_silence_stays_unknown(void **state)
{
	unsigned int requests[DETECT_AGENT_CNT], deregs;

	(void)state;
	node_is(false, false, PERIOD);
	moves();
	assert_false(todo.request[DETECT_EXTERNAL]);
	passes(100000, requests, &deregs);
	assert_int_equal(d.state, DETECT_UNKNOWN);
	assert_int_equal(requests[DETECT_EXTERNAL], 0);
	assert_true(requests[DETECT_INTERNAL] > 5);
	answers(DETECT_INTERNAL, trusted);
	assert_int_equal(d.state, DETECT_INSIDE);
}

/* ---- Denials that can be mended (codes 133, 136) ---- */

static void a_correctable_denial_is_answered_at_once(void **state)
{
	(void)state;
	moves();
	now += 5;
	answers(DETECT_INTERNAL, correctable);
	assert_true(todo.request[DETECT_INTERNAL]);
	assert_false(todo.request[DETECT_EXTERNAL]);
}

static void corrections_are_bounded(void **state)
{
	(void)state;
	moves();
	for (int i = 0; i < 2; i++) {
		now += 5;
		answers(DETECT_INTERNAL, correctable);
		assert_true(todo.request[DETECT_INTERNAL]);
	}
	now += 5;
	answers(DETECT_INTERNAL, correctable);
	assert_false(todo.request[DETECT_INTERNAL]);
	assert_true(d.track[DETECT_INTERNAL].due_ms >=
		    d.track[DETECT_INTERNAL].sent_ms + DETECT_RETRY_MIN_MS);
}

static void a_correctable_denial_of_a_renewal_keeps_us_inside(void **state)
{
	(void)state;
	is_inside();
	waits(T_MONITOR - GRACE);
	now += 5;
	answers(DETECT_INTERNAL, correctable);
	assert_int_equal(d.state, DETECT_INSIDE);
	assert_true(todo.request[DETECT_INTERNAL]);
	now += 5;
	answers(DETECT_INTERNAL, trusted);
	assert_int_equal(d.state, DETECT_INSIDE);
}

static void a_renewal_on_request_keeps_the_pace_of_one_second(void **state)
{
	(void)state;
	is_inside();
	detect_renew(&d, DETECT_INTERNAL, now, &todo);
	assert_false(todo.request[DETECT_INTERNAL]);
	now = START + DETECT_RETRY_MIN_MS;
	detect_tick(&d, now, &todo);
	assert_true(todo.request[DETECT_INTERNAL]);
	assert_int_equal(d.state, DETECT_INSIDE);
}

static void an_infinite_lifetime_outside_needs_no_renewal(void **state)
{
	struct detect_reply reply = success;

	(void)state;
	reply.lifetime_s = 0xffff;
	moves();
	answers(DETECT_EXTERNAL, reply);
	waits(PERIOD);
	passes_quietly(1000000000);
	assert_true(detect_permits_external(&d, now));
}

/* ---- The VPN ---- */

static void node_has_a_vpn(bool has_external)
{
	node_is(has_external, false, PERIOD);
	d.conf.has_vpn = true;
}

static void vpn_is(bool up)
{
	detect_vpn(&d, up, now, &todo);
}

/* Outside, registered with the internal agent through the VPN. */
static void is_on_the_vpn(void)
{
	node_has_a_vpn(true);
	is_outside();
	vpn_is(true);
	answers(DETECT_VPN, trusted);
	assert_true(detect_permits_vpn(&d, now));
}

static void r34_the_vpn_is_not_set_up_before_the_decision(void **state)
{
	(void)state;
	node_has_a_vpn(true);
	moves();
	assert_false(todo.vpn_connect);
	answers(DETECT_EXTERNAL, success);
	assert_false(todo.vpn_connect);
	now = detect_deadline(&d);
	while (d.state != DETECT_OUTSIDE) {
		detect_tick(&d, now, &todo);
		assert_int_equal(todo.vpn_connect, d.state == DETECT_OUTSIDE);
		now = detect_deadline(&d);
	}
}

static void outside_the_internal_agent_is_asked_once_the_vpn_is_up(void **state)
{
	(void)state;
	node_has_a_vpn(true);
	is_outside();
	vpn_is(true);
	assert_true(todo.request[DETECT_VPN]);
	assert_false(todo.request[DETECT_INTERNAL]);
	assert_false(detect_permits_vpn(&d, now));
	answers(DETECT_VPN, success);
	assert_true(detect_permits_vpn(&d, now));
	no_user_data();
}

static void r26_tnc_through_the_vpn_is_not_inside(void **state)
{
	(void)state;
	is_on_the_vpn();
	assert_int_equal(d.state, DETECT_OUTSIDE);
	no_user_data();
}

static void r25_a_move_stops_user_data_in_the_vpn_until_its_packets_have_a_way(void **state)
{
	(void)state;
	is_on_the_vpn();
	now += 20000;
	moves();
	assert_false(detect_permits_vpn(&d, now));
	assert_false(todo.vpn_connect || todo.vpn_disconnect || todo.request[DETECT_VPN]);
	now += 5;
	answers(DETECT_EXTERNAL, success);
	assert_true(detect_permits_vpn(&d, now));
	no_user_data();
}

static void a_move_outside_leaves_the_vpn_and_confirms_the_binding(void **state)
{
	(void)state;
	is_on_the_vpn();
	now += 20000;
	moves();
	now += 5;
	answers(DETECT_EXTERNAL, success);
	now += PERIOD;
	detect_tick(&d, now, &todo);
	assert_int_equal(d.state, DETECT_OUTSIDE);
	assert_true(todo.request[DETECT_VPN]);
	assert_false(todo.vpn_connect);
	assert_true(detect_permits_vpn(&d, now));
}

static void r44_inside_the_vpn_goes_down(void **state)
{
	(void)state;
	is_on_the_vpn();
	moves();
	now += 5;
	answers(DETECT_INTERNAL, trusted);
	assert_int_equal(d.state, DETECT_INSIDE);
	assert_true(todo.vpn_disconnect);
	assert_false(detect_permits_vpn(&d, now));
	detect_tick(&d, now + 1, &todo);
	assert_false(todo.vpn_disconnect);
}

static void a_vpn_that_ends_is_set_up_again(void **state)
{
	(void)state;
	is_on_the_vpn();
	vpn_is(false);
	assert_true(todo.vpn_connect);
	assert_false(detect_permits_vpn(&d, now));
}

static void a_vpn_that_fails_is_tried_again_at_the_pace_of_one_second(void **state)
{
	(void)state;
	node_has_a_vpn(true);
	is_outside();
	assert_int_equal(d.vpn, DETECT_VPN_CONNECTING);
	vpn_is(false);
	assert_false(todo.vpn_connect);
	assert_true(detect_deadline(&d) >= now + DETECT_RETRY_MIN_MS / 2);
	now = detect_deadline(&d);
	detect_tick(&d, now, &todo);
	assert_true(todo.vpn_connect);
}

static void a_vpn_that_ends_or_fails_has_the_external_agent_asked_again(void **state)
{
	(void)state;
	is_on_the_vpn();
	now += 20000;
	vpn_is(false);
	assert_true(todo.vpn_connect);
	assert_true(todo.request[DETECT_EXTERNAL]);
	now += 5;
	answers(DETECT_EXTERNAL, success);
	now += 22000;
	vpn_is(false);
	assert_true(todo.request[DETECT_EXTERNAL]);
	assert_int_equal(d.state, DETECT_OUTSIDE);
	/* Not faster than RFC 5944 §3.6.3 allows, nor before there is anything to renew. */
	vpn_is(false);
	assert_false(todo.request[DETECT_EXTERNAL]);
}

static void while_the_vpn_connects_it_is_not_asked_for_again(void **state)
{
	(void)state;
	node_has_a_vpn(true);
	is_outside();
	waits(60000);
	assert_int_equal(d.vpn, DETECT_VPN_CONNECTING);
	detect_tick(&d, now + 1, &todo);
	assert_false(todo.vpn_connect);
}

static void the_registration_through_the_vpn_ends_with_its_lifetime(void **state)
{
	(void)state;
	is_on_the_vpn();
	d.track[DETECT_EXTERNAL].valid_until_ms = DETECT_NEVER;
	now += 1800 * 1000;
	assert_false(detect_permits_vpn(&d, now));
	detect_tick(&d, now, &todo);
	assert_true(todo.request[DETECT_VPN]);
	assert_true(detect_deadline(&d) > now);
}

static void without_an_external_registration_the_vpn_carries_nothing(void **state)
{
	(void)state;
	is_on_the_vpn();
	now = d.track[DETECT_EXTERNAL].valid_until_ms;
	assert_false(detect_permits_vpn(&d, now));
}

static void k09_without_an_external_agent_the_vpn_comes_up_beside_the_plain_request(void **state)
{
	(void)state;
	node_has_a_vpn(false);
	moves();
	assert_true(todo.request[DETECT_INTERNAL]);
	assert_true(todo.vpn_connect);
}

static void k10_without_an_external_agent_nothing_passes_while_undecided(void **state)
{
	(void)state;
	node_has_a_vpn(false);
	moves();
	vpn_is(true);
	assert_false(
		todo.request[DETECT_VPN]); /* nor is the binding moved under the plain request */
	assert_int_equal(d.state, DETECT_UNKNOWN);
	assert_false(detect_permits_vpn(&d, now));
	now += PERIOD;
	detect_tick(&d, now, &todo);
	assert_int_equal(d.state, DETECT_OUTSIDE);
	assert_true(todo.request[DETECT_VPN]);
	answers(DETECT_VPN, trusted);
	assert_true(detect_permits_vpn(&d, now));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(r18_nothing_is_permitted_before_the_first_event),
		TEST(r23_both_agents_are_asked_at_once),
		TEST(r23_both_are_retransmitted_at_doubling_intervals),
		TEST(r24_each_interface_has_a_state_of_its_own),
		TEST(r25_a_change_stops_user_data_at_once_inside),
		TEST(r25_a_change_stops_the_external_tunnel_at_once),
		TEST(r25_a_second_move_asks_at_once_however_soon),
		TEST(r25_without_an_address_nothing_is_sent),
		TEST(r25_a_reply_while_down_changes_nothing),
		TEST(r35_success_with_tnc_is_inside),
		TEST(r26_success_without_tnc_is_not_inside),
		TEST(r26_a_denial_with_tnc_is_not_inside),
		TEST(r26_an_acceptance_for_no_time_is_not_inside),
		TEST(r26_a_deregistration_reply_with_tnc_is_not_inside),
		TEST(r26_tnc_from_the_external_agent_is_not_inside),
		TEST(r26_a_reply_to_a_request_from_before_the_change_is_nothing),
		TEST(r36_inside_stops_retransmitting_to_both),
		TEST(r36_success_without_tnc_stops_retransmitting_to_both),
		TEST(success_without_tnc_registers_with_the_external_agent_later),
		TEST(r37_inside_deregisters_from_the_external_agent),
		TEST(r37_the_deregistration_keeps_the_pace_of_one_second),
		TEST(r37_a_silent_external_agent_is_asked_three_times),
		TEST(r37_nothing_to_deregister_where_nothing_was_asked),
		TEST(r44_inside_only_the_internal_agent_is_used),
		TEST(r19_r27_inside_registers_again_at_t_monitor_less_grace),
		TEST(r27_success_in_time_keeps_us_inside),
		TEST(r28_no_user_data_later_than_t_monitor_even_without_a_tick),
		TEST(r28_t_monitor_counts_from_the_request_not_from_the_reply),
		TEST(r28_a_short_lifetime_shortens_the_stay),
		TEST(r29_the_gate_stays_shut_until_success),
		TEST(r30_t_monitor_is_configurable),
		TEST(a_grace_beyond_t_monitor_still_leaves_half_of_it),
		TEST(r38_t_monitor_without_success_starts_over),
		TEST(r38_a_denied_renewal_stops_plain_traffic_and_starts_over),
		TEST(r38_starting_over_after_a_denial_keeps_the_pace_of_one_second),
		TEST(r42_a_renewal_without_tnc_ends_inside),
		TEST(r33_the_internal_agent_is_asked_on_after_the_external_answered),
		TEST(r33_an_internal_success_within_the_period_is_inside),
		TEST(a_period_of_zero_is_outside_at_once),
		TEST(a_denial_by_the_external_agent_decides_nothing),
		TEST(r22_outside_plain_data_never_passes),
		TEST(outside_only_the_external_agent_hears_of_us),
		TEST(an_external_registration_that_runs_out_starts_over),
		TEST(r39_a_late_internal_success_is_asked_for_again_and_then_inside),
		TEST(r39_asking_again_ends_with_the_period),
		TEST(r39_a_late_success_without_tnc_changes_nothing),
		TEST(r40_one_address_for_both_agents_is_outside),
		TEST(r41_nothing_but_the_internal_agents_reply_makes_inside),
		TEST(without_an_external_agent_silence_stays_unknown),
		TEST(a_correctable_denial_is_answered_at_once),
		TEST(corrections_are_bounded),
		TEST(a_correctable_denial_of_a_renewal_keeps_us_inside),
		TEST(a_renewal_on_request_keeps_the_pace_of_one_second),
		TEST(an_infinite_lifetime_outside_needs_no_renewal),
		TEST(r34_the_vpn_is_not_set_up_before_the_decision),
		TEST(outside_the_internal_agent_is_asked_once_the_vpn_is_up),
		TEST(r26_tnc_through_the_vpn_is_not_inside),
		TEST(r25_a_move_stops_user_data_in_the_vpn_until_its_packets_have_a_way),
		TEST(a_move_outside_leaves_the_vpn_and_confirms_the_binding),
		TEST(r44_inside_the_vpn_goes_down),
		TEST(a_vpn_that_ends_is_set_up_again),
		TEST(a_vpn_that_fails_is_tried_again_at_the_pace_of_one_second),
		TEST(a_vpn_that_ends_or_fails_has_the_external_agent_asked_again),
		TEST(while_the_vpn_connects_it_is_not_asked_for_again),
		TEST(the_registration_through_the_vpn_ends_with_its_lifetime),
		TEST(without_an_external_registration_the_vpn_carries_nothing),
		TEST(k09_without_an_external_agent_the_vpn_comes_up_beside_the_plain_request),
		TEST(k10_without_an_external_agent_nothing_passes_while_undecided),
	};

	return cmocka_run_group_tests_name("detect", tests, NULL, NULL);
}

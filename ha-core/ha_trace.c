/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Traces of single mobile nodes. A trace is a cursor of the control socket: the registrar's events
 * are made into rows at once (the message is gone afterwards) and wait there, few, until the client
 * takes them; what does not fit is counted and told. The cursor dies with its client.
 *
 * Which node a message is of is read from the message itself, so that those which fail before the
 * node is known (an untrusted source, a wrong SPI) are seen too: anybody can thus claim to be the
 * node, and the row's verdict says what came of it.
 *
 * Nothing secret is shown: authenticators are told by their length.
 */
#include "ha-core/ha_trace.h"

#include "common/addr.h"
#include "ha-core/wire/describe.h"
#include "ha-core/wire/revocation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROWS_MAX 64 /* that wait for the client */

static const struct ctl_column columns[] = {
	{ "time", CTL_STRING },
	{ "direction", CTL_STRING },
	{ "message", CTL_STRING },
	{ "peer", CTL_STRING },
	{ "interface", CTL_STRING, .detail = true },
	{ "octets", CTL_NUMBER, .detail = true },
	{ "verdict", CTL_STRING, .detail = true },
	{ "code", CTL_NUMBER, .detail = true },
	{ "reason", CTL_STRING, .detail = true },
	{ "fields", CTL_STRING },
};

struct trace_row {
	struct trace_row *next;
	char time[sizeof("2000-01-01T00:00:00.000Z") + 16];
	const char *message; /* static, as the three below */
	const char *verdict, *reason;
	bool is_note; /* it has no more than time and message */
	bool received;
	bool has_code;
	uint8_t code;
	char peer[32];
	char interface[IF_NAMESIZE];
	size_t octets;
	char fields[];
};

struct ha_trace {
	struct ha_trace *next, **prev;
	struct ctl_reply *reply;
	bool by_nai;
	struct in_addr addr;
	char nai[256];
	struct trace_row *first, **last;
	size_t row_cnt, lost;
};

/* What tells whose message it is; pointers into it. */
struct identity {
	struct in_addr home_addr;
	const uint8_t *nai;
	size_t nai_len;
};

static struct identity identity_of(const struct sa_table *nodes, const uint8_t *msg, size_t len,
				   const struct sa_peer *node)
{
	struct identity id = { { INADDR_ANY }, NULL, 0 };
	struct wire_reader r = wire_reader(msg, len);
	struct revocation_message revocation;
	struct revocation_ack ack;
	struct reg_request req;
	struct reg_reply reply;
	struct ext ext;

	if (len > 0 && msg[0] == REG_MSG_REQUEST && reg_request_decode(&r, &req) == 0)
		id.home_addr = req.home_addr;
	else if (len > 0 && msg[0] == REG_MSG_REPLY && reg_reply_decode(&r, &reply) == 0)
		id.home_addr = reply.home_addr;
	else if (len > 0 && msg[0] == REG_MSG_REVOCATION &&
		 revocation_message_decode(&r, &revocation) == 0)
		id.home_addr = revocation.home_addr;
	else if (len > 0 && msg[0] == REG_MSG_REVOCATION_ACK &&
		 revocation_ack_decode(&r, &ack) == 0)
		id.home_addr = ack.home_addr;
	else
		return id;
	while (ext_next(&r, &ext) > 0) {
		if (ext.type != EXT_NAI)
			continue;
		id.nai = ext.data;
		id.nai_len = ext.len;
		break;
	}
	if (!node && !addr_is_any(id.home_addr)) /* of a revocation, or of what was discarded */
		node = sa_peer_find(nodes, id.home_addr);
	if (!id.nai && node) {
		id.nai = sa_peer_nai(node);
		id.nai_len = sa_peer_nai_len(node);
	}
	if (addr_is_any(id.home_addr) && node)
		id.home_addr = node->addr;
	return id;
}

/* The user part to the letter, the realm without regard to case (RFC 4282 §2.4). */
static bool same_nai(const char *nai, const uint8_t *p, size_t len)
{
	size_t user = strcspn(nai, "@");

	return strlen(nai) == len && memcmp(nai, p, user) == 0 &&
	       strncasecmp(nai + user, (const char *)p + user, len - user) == 0;
}

static bool is_of(const struct ha_trace *t, const struct identity *id)
{
	if (t->by_nai)
		return id->nai && same_nai(t->nai, id->nai, id->nai_len);
	return addr_eq(t->addr, id->home_addr);
}

static void set_time(char *buf, size_t size)
{
	struct timespec now;
	struct tm tm;
	size_t len;

	buf[0] = '\0';
	if (clock_gettime(CLOCK_REALTIME, &now) < 0 || !gmtime_r(&now.tv_sec, &tm))
		return;
	len = strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(buf + len, size - len, ".%03ldZ", now.tv_nsec / 1000000);
}

/* Makes a row; NULL: no memory, and the client is told of one message less. */
static struct trace_row *row_new(const char *message, const char *fields, struct in_addr peer,
				 uint16_t port)
{
	struct trace_row *row = calloc(1, sizeof(*row) + strlen(fields) + 1);

	if (!row)
		return NULL;
	strcpy(row->fields, fields);
	row->message = message;
	set_time(row->time, sizeof(row->time));
	(void)snprintf(row->peer, sizeof(row->peer), "%s:%u", addr_text(peer).s, port);
	return row;
}

/* ... of a message, decoded. */
static struct trace_row *message_row(const uint8_t *msg, size_t len, struct in_addr peer,
				     uint16_t port)
{
	const char *name = len > 0 ? describe_message_name(msg[0]) : NULL;
	char text[DESCRIBE_MAX + 1];
	struct trace_row *row;

	text[describe_message(msg, len, text, DESCRIBE_MAX)] = '\0';
	row = row_new(name ? name : "Unknown message", text, peer, port);
	if (row)
		row->octets = len;
	return row;
}

static void row_queue(struct ha_trace *t, struct trace_row *row)
{
	if (!row || t->row_cnt == ROWS_MAX) {
		free(row);
		t->lost++;
	} else {
		*t->last = row;
		t->last = &row->next;
		t->row_cnt++;
	}
	ctl_wake(t->reply);
}

void ha_trace_received(const struct ha_trace_list *list, const uint8_t *msg, size_t len,
		       const struct reg_origin *from, const struct engine_result *res)
{
	static const char *const verdicts[] = {
		[REG_ACCEPT] = "accepted", [REG_DENY] = "denied", [REG_DISCARD] = "discarded"
	};
	struct identity id;
	struct trace_row *row;

	if (!list->first)
		return;
	id = identity_of(list->nodes, msg, len, res->node);
	for (struct ha_trace *t = list->first; t; t = t->next) {
		if (!is_of(t, &id))
			continue;
		row = message_row(msg, len, from->src, from->src_port);
		if (row) {
			row->received = true;
			row->verdict = verdicts[res->outcome.verdict];
			row->code = res->outcome.code;
			row->has_code = res->outcome.verdict != REG_DISCARD;
			row->reason = reg_reason_text(res->outcome.reason);
			memcpy(row->interface, from->interface, sizeof(row->interface));
		}
		row_queue(t, row);
	}
}

void ha_trace_sent(const struct ha_trace_list *list, const uint8_t *msg, size_t len,
		   struct in_addr dst, uint16_t port, const struct sa_peer *node)
{
	struct identity id;

	if (!list->first)
		return;
	id = identity_of(list->nodes, msg, len, node);
	for (struct ha_trace *t = list->first; t; t = t->next)
		if (is_of(t, &id))
			row_queue(t, message_row(msg, len, dst, port));
}

void ha_trace_keepalive(const struct ha_trace_list *list, const struct binding *b,
			struct in_addr src, uint16_t port)
{
	struct identity id = { b->key.home_addr, NULL, 0 };
	struct trace_row *row;
	char text[128];

	if (!list->first)
		return;
	if (b->node) {
		id.nai = sa_peer_nai(b->node);
		id.nai_len = sa_peer_nai_len(b->node);
	}
	(void)snprintf(text, sizeof(text),
		       "ICMP Echo Request in the UDP tunnel\nHome Address: %s\nCare-of Address: %s",
		       addr_text(b->key.home_addr).s, addr_text(b->care_of).s);
	for (struct ha_trace *t = list->first; t; t = t->next) {
		if (!is_of(t, &id))
			continue;
		row = row_new("Keepalive", text, src, port);
		if (row) {
			row->received = true;
			row->verdict = "answered";
			row->reason = "it keeps the mapping of a NAT (RFC 3519 section 4.9)";
		}
		row_queue(t, row);
	}
}

/* A row that is of no message, but of the trace itself. */
static void queue_note(struct ha_trace *t, const char *what)
{
	struct trace_row *row = calloc(1, sizeof(*row) + 1);

	if (row) {
		row->message = what;
		row->is_note = true;
		set_time(row->time, sizeof(row->time));
	}
	row_queue(t, row);
}

/* What was decided, as the last of the lines: "Decision: denied, Code 133 (...): because". */
static void put_fields(struct ctl_reply *r, const struct trace_row *row)
{
	char text[DESCRIBE_MAX + 256];

	if (!row->verdict)
		(void)snprintf(text, sizeof(text), "%s", row->fields);
	else if (row->has_code)
		(void)snprintf(text, sizeof(text), "%s\nDecision: %s, Code %u (%s): %s",
			       row->fields, row->verdict, row->code, reg_code_text(row->code),
			       row->reason);
	else
		(void)snprintf(text, sizeof(text), "%s\nDecision: %s%s: %s", row->fields,
			       row->verdict,
			       strcmp(row->verdict, "discarded") == 0 ? " in silence" : "",
			       row->reason);
	ctl_string(r, text);
}

static void put_note(struct ctl_reply *r, const char *time, const char *kind, const char *text)
{
	ctl_row(r);
	ctl_string(r, time);
	ctl_string(r, kind);
	ctl_string(r, text);
	for (size_t i = 3; i < sizeof(columns) / sizeof(columns[0]); i++)
		ctl_null(r);
}

static void put_row(struct ctl_reply *r, const struct trace_row *row)
{
	if (row->is_note) {
		put_note(r, row->time, "note", row->message);
		return;
	}
	ctl_row(r);
	ctl_string(r, row->time);
	ctl_string(r, row->received ? "received" : "sent");
	ctl_string(r, row->message);
	ctl_string(r, row->peer);
	ctl_string(r, row->interface[0] ? row->interface : NULL);
	ctl_number(r, row->octets);
	ctl_string(r, row->verdict);
	if (row->has_code)
		ctl_number(r, row->code);
	else
		ctl_null(r);
	ctl_string(r, row->reason);
	put_fields(r, row);
}

static void put_lost(struct ctl_reply *r, size_t cnt)
{
	char time[sizeof(((struct trace_row *)0)->time)], text[64];

	set_time(time, sizeof(time));
	(void)snprintf(text, sizeof(text), "%zu messages that this client was too slow for", cnt);
	put_note(r, time, "lost", text);
}

static int next_row(void *cursor, struct ctl_reply *r)
{
	struct ha_trace *t = cursor;
	struct trace_row *row = t->first;

	if (!row && t->lost > 0) {
		put_lost(r, t->lost);
		t->lost = 0;
		return 1;
	}
	if (!row)
		return CTL_IDLE;
	t->first = row->next;
	if (!t->first)
		t->last = &t->first;
	t->row_cnt--;
	put_row(r, row);
	free(row);
	return 1;
}

static void trace_done(void *cursor)
{
	struct ha_trace *t = cursor;
	struct trace_row *row;

	while ((row = t->first)) {
		t->first = row->next;
		free(row);
	}
	*t->prev = t->next;
	if (t->next)
		t->next->prev = t->prev;
	free(t);
}

/* Who is traced may be unknown, which is what a trace may have to find out. */
static bool is_known(const struct ha_trace *t, const struct sa_table *nodes)
{
	return t->by_nai ? sa_peer_find_nai(nodes, (const uint8_t *)t->nai, strlen(t->nai))
			 : sa_peer_find(nodes, t->addr);
}

void ha_trace_start(struct ha_trace_list *list, struct ctl_reply *r, const char *target)
{
	struct ha_trace *t = calloc(1, sizeof(*t));

	if (!t || strlen(target) >= sizeof(t->nai)) {
		ctl_error(r, t ? "an NAI has at most 255 octets" : "no memory for a trace");
		free(t);
		return;
	}
	t->by_nai = addr_parse(target, &t->addr) < 0;
	strcpy(t->nai, target);
	t->reply = r;
	t->last = &t->first;
	t->next = list->first;
	t->prev = &list->first;
	if (t->next)
		t->next->prev = &t->next;
	list->first = t;
	ctl_live(r, columns, sizeof(columns) / sizeof(columns[0]));
	ctl_stream(r, next_row, trace_done, t);
	if (!is_known(t, list->nodes))
		queue_note(t, "no mobile node of this home agent, see show mobile-nodes; what "
			      "claims to be it follows");
}

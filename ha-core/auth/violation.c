/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows are allocated once and used in turn; a list in the order of the last violation says which
 * is to be given up. The engine notes (engine.c), "hactl show violations" and SNMP read.
 *
 * Who makes up source addresses can push others out, but only as fast as he is heard: the log and
 * the counters keep what the table forgets.
 */
#include "ha-core/auth/violation.h"

#include <stdlib.h>

int violation_init(struct violation_table *t)
{
	int rc;

	*t = (struct violation_table){ 0 };
	rc = hash_init(&t->by_peer, VIOLATION_PEERS);
	if (rc < 0)
		return rc;
	t->rows = calloc(VIOLATION_PEERS, sizeof(*t->rows));
	if (!t->rows) {
		hash_done(&t->by_peer);
		return -ENOMEM;
	}
	return 0;
}

void violation_done(struct violation_table *t)
{
	order_done(&t->order);
	hash_done(&t->by_peer);
	free(t->rows);
	*t = (struct violation_table){ 0 };
}

static struct violation *find(const struct violation_table *t, struct in_addr peer)
{
	uint64_t h = hash_u64(&t->by_peer, peer.s_addr);
	struct hash_node *n;
	struct violation *v;

	for (n = hash_first(&t->by_peer, h); n; n = hash_next(n, h)) {
		v = hash_entry(n, struct violation, link);
		if (addr_eq(v->last.peer, peer))
			return v;
	}
	return NULL;
}

const struct violation *violation_find(const struct violation_table *t, struct in_addr peer)
{
	return find(t, peer);
}

static void unlink_age(struct violation_table *t, struct violation *v)
{
	*(v->newer ? &v->newer->older : &t->newest) = v->older;
	*(v->older ? &v->older->newer : &t->oldest) = v->newer;
}

static void link_newest(struct violation_table *t, struct violation *v)
{
	v->newer = NULL;
	v->older = t->newest;
	*(t->newest ? &t->newest->newer : &t->oldest) = v;
	t->newest = v;
}

/* An unused row, or that of the peer which has been quiet for longest. Linked nowhere. */
static struct violation *take_row(struct violation_table *t)
{
	struct violation *v;

	if (t->cnt < VIOLATION_PEERS)
		return &t->rows[t->cnt++];
	v = t->oldest;
	unlink_age(t, v);
	hash_del(&t->by_peer, &v->link);
	order_del(&t->order, addr_host(v->last.peer));
	return v;
}

void violation_note(struct violation_table *t, const struct violation_event *event, uint64_t now_ms)
{
	struct violation *v = find(t, event->peer);

	t->total++;
	if (v) {
		unlink_age(t, v);
	} else {
		if (order_put(&t->order, addr_host(event->peer)) < 0)
			return;
		v = take_row(t);
		v->cnt = 0;
		v->first_ms = now_ms;
		hash_put(&t->by_peer, &v->link, hash_u64(&t->by_peer, event->peer.s_addr));
	}
	link_newest(t, v);
	v->last = *event;
	v->cnt++;
	v->last_ms = now_ms;
}

size_t violation_clear(struct violation_table *t)
{
	size_t cnt = t->cnt, i;

	for (i = 0; i < cnt; i++)
		hash_del(&t->by_peer, &t->rows[i].link);
	order_done(&t->order);
	t->newest = t->oldest = NULL;
	t->cnt = 0;
	return cnt;
}

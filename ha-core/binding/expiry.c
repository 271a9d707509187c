/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ring. A binding lies in the slot of the second in which it ends, rounded up, so that it is
 * never ended early. No finite Lifetime reaches 65,536 seconds, so all of a slot are due in the
 * same second, but for the longest Lifetimes armed while the ring lagged behind the clock: those
 * stay for the next time round. done_s follows the clock and each second is looked at once: a
 * clock that leaps ahead costs one look at each slot at most.
 */
#include "ha-core/binding/expiry.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t due_s(const struct binding *b)
{
	return (b->expires_ms + 999) / 1000;
}

int expiry_init(struct expiry *x, uint64_t now_ms)
{
	*x = (struct expiry){ .done_s = now_ms / 1000 };
	x->slots = calloc(EXPIRY_SLOTS, sizeof(*x->slots));
	return x->slots ? 0 : -ENOMEM;
}

void expiry_done(struct expiry *x)
{
	free(x->slots);
	*x = (struct expiry){ 0 };
}

void expiry_arm(struct expiry *x, struct binding *b)
{
	struct binding **slot;
	uint64_t at;

	expiry_disarm(x, b);
	if (b->expires_ms == BINDING_NEVER_MS)
		return;
	at = due_s(b);
	if (at <= x->done_s)
		at = x->done_s + 1; /* the past has been looked at */
	slot = &x->slots[at % EXPIRY_SLOTS];
	b->expiry_next = *slot;
	b->expiry_prev = slot;
	if (*slot)
		(*slot)->expiry_prev = &b->expiry_next;
	*slot = b;
	x->armed++;
}

void expiry_disarm(struct expiry *x, struct binding *b)
{
	if (!b->expiry_prev)
		return;
	*b->expiry_prev = b->expiry_next;
	if (b->expiry_next)
		b->expiry_next->expiry_prev = b->expiry_prev;
	b->expiry_prev = NULL;
	b->expiry_next = NULL;
	x->armed--;
}

struct binding *expiry_next_due(struct expiry *x, uint64_t now_ms)
{
	uint64_t now_s = now_ms / 1000;
	struct binding *b;

	if (x->armed == 0 && now_s > x->done_s)
		x->done_s = now_s;
	/* After a leap of more than the ring every slot is due, each once. */
	if (now_s > x->done_s + EXPIRY_SLOTS)
		x->done_s = now_s - EXPIRY_SLOTS;
	while (x->done_s < now_s) {
		b = x->slots[(x->done_s + 1) % EXPIRY_SLOTS];
		while (b && due_s(b) > now_s)
			b = b->expiry_next; /* armed while the ring lagged: the next time round */
		if (b) {
			expiry_disarm(x, b);
			return b;
		}
		x->done_s++;
	}
	return NULL;
}

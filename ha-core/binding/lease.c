/* SPDX-License-Identifier: BSD-2-Clause */
/* A doubly linked list through the mobile nodes: putting in and taking out are O(1). */
#include "ha-core/binding/lease.h"

#include "ha-core/auth/sa.h"

void lease_idle(struct lease_list *list, struct sa_peer *peer)
{
	struct sa_more *more = peer->more;

	if (more->is_idle)
		return;
	more->is_idle = true;
	more->idle_next = NULL;
	more->idle_prev = list->newest;
	if (list->newest)
		list->newest->more->idle_next = peer;
	else
		list->oldest = peer;
	list->newest = peer;
}

void lease_use(struct lease_list *list, struct sa_peer *peer)
{
	struct sa_more *more = peer->more;

	if (!more->is_idle)
		return;
	more->is_idle = false;
	if (more->idle_prev)
		more->idle_prev->more->idle_next = more->idle_next;
	else
		list->oldest = more->idle_next;
	if (more->idle_next)
		more->idle_next->more->idle_prev = more->idle_prev;
	else
		list->newest = more->idle_prev;
}

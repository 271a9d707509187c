/* SPDX-License-Identifier: BSD-2-Clause */
/* A doubly linked list through the mobile nodes: putting in and taking out are O(1). */
#include "ha-core/binding/lease.h"

#include "ha-core/auth/sa.h"

void lease_idle(struct lease_list *list, struct sa_peer *peer)
{
	if (peer->is_idle)
		return;
	peer->is_idle = true;
	peer->idle_next = NULL;
	peer->idle_prev = list->newest;
	if (list->newest)
		list->newest->idle_next = peer;
	else
		list->oldest = peer;
	list->newest = peer;
}

void lease_use(struct lease_list *list, struct sa_peer *peer)
{
	if (!peer->is_idle)
		return;
	peer->is_idle = false;
	if (peer->idle_prev)
		peer->idle_prev->idle_next = peer->idle_next;
	else
		list->oldest = peer->idle_next;
	if (peer->idle_next)
		peer->idle_next->idle_prev = peer->idle_prev;
	else
		list->newest = peer->idle_prev;
}

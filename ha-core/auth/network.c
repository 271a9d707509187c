/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A list for each router, and one table of what is registered. The look-up tries the prefix
 * lengths that there are, the longest first: sites give their routers networks of a few sizes.
 * Networks are made with the configuration; to register one allocates nothing.
 */
#include "ha-core/auth/network.h"

#include "common/err.h"

#include <stdlib.h>

#define BUCKET_CNT 4096

struct network *network_list_find(struct network_list *list, struct addr_prefix prefix)
{
	size_t i;

	for (i = 0; list && i < list->cnt; i++)
		if (addr_eq(list->networks[i].prefix.addr, prefix.addr) &&
		    list->networks[i].prefix.len == prefix.len)
			return &list->networks[i];
	return NULL;
}

int network_list_add(struct network_list **list, struct sa_peer *node, struct addr_prefix prefix)
{
	size_t cnt = *list ? (*list)->cnt : 0;
	struct network_list *more;

	if (network_list_find(*list, prefix))
		return 0;
	if (cnt == NETWORK_MAX)
		return ERR_TOO_MANY;
	more = realloc(*list, sizeof(*more) + (cnt + 1) * sizeof(more->networks[0]));
	if (!more)
		return -ENOMEM;
	if (cnt == 0)
		*more = (struct network_list){ 0 };
	more->networks[cnt] = (struct network){
		.prefix = prefix,
		.index = (uint8_t)cnt,
		.node = node,
	};
	more->cnt = cnt + 1;
	*list = more;
	return 0;
}

void network_list_free(struct network_list *list)
{
	free(list);
}

bool network_list_same(const struct network_list *a, const struct network_list *b)
{
	size_t i;

	if (!a || !b)
		return a == b;
	if (a->cnt != b->cnt || a->implicit != b->implicit)
		return false;
	for (i = 0; i < a->cnt; i++)
		if (!addr_prefix_eq(a->networks[i].prefix, b->networks[i].prefix))
			return false;
	return true;
}

int network_table_init(struct network_table *t)
{
	*t = (struct network_table){ 0 };
	return hash_init(&t->by_prefix, BUCKET_CNT);
}

void network_table_done(struct network_table *t)
{
	order_done(&t->allowed);
	hash_done(&t->by_prefix);
	*t = (struct network_table){ 0 };
}

static uint64_t prefix_hash(const struct network_table *t, struct addr_prefix prefix)
{
	return hash_u64(&t->by_prefix, (uint64_t)prefix.addr.s_addr << 32 | prefix.len);
}

void network_table_put(struct network_table *t, struct network *net)
{
	hash_put(&t->by_prefix, &net->link, prefix_hash(t, net->prefix));
	t->len_cnt[net->prefix.len]++;
	t->cnt++;
	net->next = t->all;
	net->prev = &t->all;
	if (t->all)
		t->all->prev = &net->next;
	t->all = net;
}

void network_table_del(struct network_table *t, struct network *net)
{
	hash_del(&t->by_prefix, &net->link);
	t->len_cnt[net->prefix.len]--;
	t->cnt--;
	*net->prev = net->next;
	if (net->next)
		net->next->prev = net->prev;
}

struct network *network_table_get(const struct network_table *t, struct addr_prefix prefix)
{
	uint64_t h = prefix_hash(t, prefix);
	struct hash_node *n;
	struct network *net;

	for (n = hash_first(&t->by_prefix, h); n; n = hash_next(n, h)) {
		net = hash_entry(n, struct network, link);
		if (addr_eq(net->prefix.addr, prefix.addr) && net->prefix.len == prefix.len)
			return net;
	}
	return NULL;
}

struct network *network_table_find(const struct network_table *t, struct in_addr addr)
{
	struct network *net;
	unsigned int len;

	if (t->cnt == 0)
		return NULL;
	for (len = 32; len > 0; len--) {
		if (t->len_cnt[len] == 0)
			continue;
		net = network_table_get(t, addr_prefix_of(addr, (uint8_t)len));
		if (net)
			return net;
	}
	return NULL;
}

static uint32_t last_of(struct addr_prefix prefix)
{
	return addr_host(prefix.addr) | (uint32_t)(UINT64_C(0xffffffff) >> prefix.len);
}

int network_table_allow(struct network_table *t, struct addr_prefix prefix)
{
	return order_put(&t->allowed, (uint64_t)last_of(prefix) << 32 | addr_host(prefix.addr));
}

/*
 * What ends at the address or behind it, the nearest first. Before one that contains it there can
 * only be others that lie in that one: they are the same node's, and it has NETWORK_MAX at most.
 */
bool network_table_find_allowed(const struct network_table *t, struct in_addr addr,
				struct addr_prefix *ret)
{
	uint64_t keys[NETWORK_MAX];
	uint32_t first, last;
	size_t i, cnt;

	cnt = order_page(&t->allowed, (uint64_t)addr_host(addr) << 32, keys, NETWORK_MAX);
	for (i = 0; i < cnt; i++) {
		first = (uint32_t)keys[i];
		last = (uint32_t)(keys[i] >> 32);
		if (first > addr_host(addr))
			continue;
		ret->addr = addr_from_host(first);
		ret->len = (uint8_t)(first == last ? 32 : __builtin_clz(first ^ last));
		return true;
	}
	return false;
}

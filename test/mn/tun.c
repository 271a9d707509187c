/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The home address's device. Policy rules send packets whose source is the home address (and, on
 * request, those of sockets that have not chosen a source yet) to a routing table of our own;
 * registration messages and tunnel packets have the care-of address as their source and so keep
 * to the host's own routes.
 *
 * The routes name the home agent as gateway. The device needs none; but a route without one has
 * link scope, and the kernel, asked to add the host's own "default via ROUTER", would then find
 * the router on our device instead of on the link that the host has just come to.
 *
 * Behind each route through the device stands an unreachable one of the worst metric. Should this
 * program die without cleaning up, the device and its routes go, and user data meets a wall
 * instead of leaving in the clear. The next start in the same table clears the wall away.
 */
#include "test/mn/tun.h"

#include "common/err.h"
#include "common/log.h"
#include "test/instrument/device.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NETWORK_MAX 16
#define RULE_MAX    (2 + NETWORK_MAX)
#define WALL_METRIC UINT32_MAX
#define QUEUE_LEN   500
#define STALE_MAX   256 /* routes that one predecessor can have left */

struct tun {
	struct tun_conf conf;
	int fd;
	unsigned int index;
	struct rtnl_rule rules[RULE_MAX];
	size_t rule_cnt;
};

/* Routes of our table, by dump; deleted afterwards, since a dump must not be disturbed. */
struct stale {
	uint32_t table;
	struct rtnl_route routes[STALE_MAX];
	size_t cnt;
};

static void note_stale(void *ctx, const struct rtnl_route *route)
{
	struct stale *s = ctx;

	if (route->table == s->table && s->cnt < STALE_MAX)
		s->routes[s->cnt++] = *route;
}

static void clear_table(struct rtnl *r, uint32_t table)
{
	struct stale s = { .table = table };

	if (rtnl_route_dump(r, RTNL_PROTOCOL, note_stale, &s) < 0)
		return;
	for (size_t i = 0; i < s.cnt; i++)
		(void)rtnl_route_del(r, &s.routes[i]);
}

static int refused(struct rtnl *r, const char *what, const char *device, int err)
{
	log_error("the kernel refused the home address's device",
		  "event=device-refused device=%s what=%s error=\"%s\" detail=\"%s\"", device, what,
		  err_text(err), rtnl_error(r));
	return err;
}

static int add_routes(struct tun *t)
{
	const struct tun_conf *c = &t->conf;
	int err;

	for (size_t i = 0; i < c->route_cnt; i++) {
		err = rtnl_route_replace(c->rtnl, &(struct rtnl_route){ .dst = c->routes[i],
									.index = t->index,
									.gateway = c->gateway,
									.src = c->home_addr,
									.table = c->table });
		if (err < 0)
			return err;
		err = rtnl_route_replace(c->rtnl, &(struct rtnl_route){ .dst = c->routes[i],
									.table = c->table,
									.metric = WALL_METRIC,
									.type = RTN_UNREACHABLE });
		if (err < 0)
			return err;
	}
	return 0;
}

static int add_rules(struct tun *t)
{
	const struct tun_conf *c = &t->conf;
	struct rtnl_rule *rule = t->rules;
	int err;

	*rule++ = (struct rtnl_rule){ .priority = c->table,
				      .src = { .addr = c->home_addr, .len = 32 },
				      .table = c->table };
	/* A packet without a source yet: 0.0.0.0, and exactly that. */
	if (c->unbound)
		*rule++ = (struct rtnl_rule){ .priority = c->table + 1,
					      .src = { .len = 32 },
					      .table = c->table };
	for (size_t i = 0; i < c->network_cnt && i < NETWORK_MAX; i++)
		*rule++ = (struct rtnl_rule){ .priority = c->table,
					      .src = c->networks[i],
					      .table = c->table };
	t->rule_cnt = 0;
	for (const struct rtnl_rule *p = t->rules; p < rule; p++) {
		err = rtnl_rule_add(c->rtnl, p);
		if (err < 0 && err != -EEXIST)
			return err;
		t->rule_cnt++;
	}
	return 0;
}

int tun_open(const struct tun_conf *conf, struct tun **ret_tun)
{
	struct rtnl *r = conf->rtnl;
	struct rtnl_addr addr = { .addr = conf->home_addr, .len = 32, .scope = RT_SCOPE_UNIVERSE };
	struct rtnl_link link;
	struct tun *t = calloc(1, sizeof(*t));
	const char *what = "device";
	int err;

	if (!t)
		return -ENOMEM;
	t->conf = *conf;
	t->fd = err = device_open(conf->device);
	if (err < 0)
		goto fail;
	err = rtnl_link_get(r, conf->device, &link);
	if (err < 0)
		goto fail;
	t->index = addr.index = link.index;
	clear_table(r, conf->table);
	what = "link";
	err = rtnl_link_up(r, t->index, conf->mtu, QUEUE_LEN);
	if (err < 0)
		goto fail;
	what = "address";
	err = rtnl_addr_add(r, &addr);
	if (err < 0 && err != -EEXIST)
		goto fail;
	what = "route";
	err = add_routes(t);
	if (err < 0)
		goto fail;
	what = "rule";
	err = add_rules(t);
	if (err < 0)
		goto fail;
	*ret_tun = t;
	return 0;
fail:
	(void)refused(r, what, conf->device, err);
	tun_close(t);
	return err;
}

struct tun *tun_close(struct tun *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < t->rule_cnt; i++)
		(void)rtnl_rule_del(t->conf.rtnl, &t->rules[i]);
	if (t->index > 0)
		clear_table(t->conf.rtnl, t->conf.table);
	if (t->fd >= 0)
		close(t->fd); /* the device and its address go with it */
	free(t);
	return NULL;
}

int tun_fd(const struct tun *t)
{
	return t->fd;
}

int tun_set_mtu(struct tun *t, uint32_t mtu)
{
	return rtnl_link_up(t->conf.rtnl, t->index, mtu, 0);
}

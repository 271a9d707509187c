/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Watches links, addresses and routes, and settles on one care-of address.
 *
 * A candidate is a global address of an interface that is up and has carrier, by which the kernel
 * would reach a home agent: the host's own route metrics choose between interfaces. Everything is
 * looked at anew after each batch of changes, so nothing can be missed; only a loss of carrier or
 * of the address that is already mended by then is remembered from the change itself, because the
 * node may have been elsewhere in between.
 */
#include "test/mn/link.h"

#include "common/err.h"
#include "common/log.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define CANDIDATE_MAX 64

struct link {
	struct link_conf conf;
	void (*changed)(void *ctx, const struct link_state *s);
	void *ctx;
	struct rtnl_monitor *monitor;
	struct loop_fd *watch;
	struct link_state state;
	bool interrupted; /* the attachment in use was lost, if only for a moment */
};

struct survey {
	const struct link *link;
	struct rtnl_link links[CANDIDATE_MAX];
	size_t link_cnt;
	struct rtnl_addr addrs[CANDIDATE_MAX];
	size_t addr_cnt;
};

static bool is_running(unsigned int flags)
{
	return (flags & IFF_UP) && (flags & IFF_RUNNING);
}

static bool is_named(const char *const *names, size_t cnt, const char *name)
{
	for (size_t i = 0; i < cnt; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static bool is_eligible(const struct link_conf *conf, const struct rtnl_link *link)
{
	if (!is_running(link->flags) || (link->flags & IFF_LOOPBACK) ||
	    is_named(conf->ignored, conf->ignored_cnt, link->name))
		return false;
	return conf->interface_cnt == 0 ||
	       is_named(conf->interfaces, conf->interface_cnt, link->name);
}

static void note_link(void *ctx, const struct rtnl_link *link)
{
	struct survey *s = ctx;

	if (s->link_cnt < CANDIDATE_MAX && is_eligible(&s->link->conf, link))
		s->links[s->link_cnt++] = *link;
}

static void note_addr(void *ctx, const struct rtnl_addr *addr)
{
	struct survey *s = ctx;

	if (s->addr_cnt < CANDIDATE_MAX && addr->scope == RT_SCOPE_UNIVERSE)
		s->addrs[s->addr_cnt++] = *addr;
}

/* Would the kernel send from this address, by this link, to one of the agents? */
static bool try_candidate(const struct link *l, const struct rtnl_link *link,
			  const struct rtnl_addr *addr, struct link_state *ret_state)
{
	struct rtnl_route route;

	for (size_t i = 0; i < l->conf.agent_cnt; i++) {
		if (rtnl_route_get(l->conf.rtnl, l->conf.agents[i], addr->addr, &route) < 0 ||
		    route.index != link->index)
			continue;
		*ret_state = (struct link_state){ .index = link->index,
						  .care_of = addr->addr,
						  .gateway = route.gateway,
						  .mtu = link->mtu };
		memcpy(ret_state->name, link->name, sizeof(ret_state->name));
		return true;
	}
	return false;
}

static size_t preference(const struct link_conf *conf, const char *name)
{
	size_t i = 0;

	while (i < conf->interface_cnt && strcmp(conf->interfaces[i], name) != 0)
		i++;
	return i;
}

static struct link_state survey(const struct link *l)
{
	struct survey s = { .link = l };
	struct link_state best = { 0 }, candidate;

	if (rtnl_link_dump(l->conf.rtnl, note_link, &s) < 0 ||
	    rtnl_addr_dump(l->conf.rtnl, note_addr, &s) < 0)
		return best;
	for (size_t i = 0; i < s.link_cnt; i++) {
		if (best.index != 0 &&
		    preference(&l->conf, s.links[i].name) >= preference(&l->conf, best.name))
			continue;
		for (size_t k = 0; k < s.addr_cnt; k++) {
			if (s.addrs[k].index == s.links[i].index &&
			    try_candidate(l, &s.links[i], &s.addrs[k], &candidate)) {
				best = candidate;
				break;
			}
		}
	}
	return best;
}

static bool is_same(const struct link_state *a, const struct link_state *b)
{
	return a->index == b->index && addr_eq(a->care_of, b->care_of) &&
	       addr_eq(a->gateway, b->gateway);
}

static void note_change(void *ctx, const struct rtnl_change *change)
{
	struct link *l = ctx;

	switch (change->event) {
	case RTNL_LINK:
		if (change->link.index == l->state.index &&
		    (change->gone || !is_running(change->link.flags)))
			l->interrupted = true;
		return;
	case RTNL_ADDR:
		if (change->gone && change->addr.index == l->state.index &&
		    addr_eq(change->addr.addr, l->state.care_of))
			l->interrupted = true;
		return;
	case RTNL_RULE:
	case RTNL_POLICY:
	case RTNL_FEATURES:
	case RTNL_ROUTE: /* the survey sees what it changed */
		return;
	}
}

static void on_netlink(void *ctx, int events)
{
	struct link *l = ctx;
	struct link_state old = l->state, now;
	int err;

	(void)events;
	err = rtnl_monitor_read(l->monitor);
	if (err < 0 && err != -ENOBUFS)
		log_warning("cannot read changes of links and addresses",
			    "event=netlink-error error=\"%s\"", err_text(err));
	if (err < 0)
		l->interrupted = true; /* we cannot know what we missed */
	now = survey(l);
	if (is_same(&old, &now) && (!l->interrupted || now.index == 0)) {
		l->state.mtu = now.mtu;
		if (now.mtu != old.mtu && l->conf.mtu_changed)
			l->conf.mtu_changed(l->ctx, &l->state);
		return;
	}
	l->interrupted = false;
	l->state = now;
	l->changed(l->ctx, &l->state);
}

void link_look(struct link *l)
{
	struct pollfd monitor = { .fd = rtnl_monitor_fd(l->monitor), .events = POLLIN };

	if (poll(&monitor, 1, 0) > 0)
		on_netlink(l, LOOP_READ);
}

int link_open(const struct link_conf *conf, void (*changed)(void *ctx, const struct link_state *s),
	      void *ctx, struct link **ret_link)
{
	struct link *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	l->conf = *conf;
	l->changed = changed;
	l->ctx = ctx;
	err = rtnl_monitor_open(note_change, l, &l->monitor);
	if (err < 0) {
		log_error("cannot watch links and addresses", "event=netlink-error error=\"%s\"",
			  err_text(err));
		link_close(l);
		return err;
	}
	l->watch = loop_fd_new(conf->loop, rtnl_monitor_fd(l->monitor), LOOP_READ, on_netlink, l);
	if (!l->watch) {
		link_close(l);
		return -ENOMEM;
	}
	l->state = survey(l);
	*ret_link = l;
	return 0;
}

struct link *link_close(struct link *l)
{
	if (!l)
		return NULL;
	loop_fd_free(l->watch);
	rtnl_monitor_close(l->monitor);
	free(l);
	return NULL;
}

const struct link_state *link_state(const struct link *l)
{
	return &l->state;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Other hands are on a host: an address is taken away and comes back, and with it go the routes
 * that name it; a table is flushed; a device is set down, or deleted. A home agent that went on
 * saying yes would then draw its nodes into a black hole. So the kernel tells us of each change
 * over rtnetlink, and a moment later, when a burst of them has settled, everything is looked at
 * and put back. What cannot be put back (the home agent's address is still gone) is said, and
 * tried again until it can.
 */
#include "ha-core/tunnel/tun/tun_watch.h"

#include "common/err.h"
#include "common/log.h"
#include "ha-core/tunnel/rtnl.h"
#include "ha-core/tunnel/sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SETTLE_MS 50   /* a burst of changes costs one look */
#define RETRY_MS  1000 /* while something cannot be put back */

struct tun_watch {
	const struct tunnel_conf *conf;
	struct tun_host *host;
	void (*device)(void *ctx, bool there);
	void *ctx;
	struct rtnl_monitor *monitor;
	struct loop_fd *readable;
	struct loop_timer *timer;
	bool armed; /* a look is due already */
	bool incomplete;
	uint64_t repair_cnt;
};

static void look_in(struct tun_watch *w, uint64_t delay_ms)
{
	if (w->armed)
		return;
	w->armed = true;
	loop_timer_start(w->timer, delay_ms, 0);
}

static int repair(struct tun_watch *w, bool *out_device_made)
{
	int err;

	*out_device_made = tun_host_device_is_gone(w->host);
	if (*out_device_made) {
		w->device(w->ctx, false);
		err = tun_host_remake_device(w->host);
		if (err < 0)
			return err;
		w->device(w->ctx, true);
	}
	return tun_host_repair(w->host);
}

static void look(void *ctx)
{
	static struct log_limit limit = { .burst = 1,
					  .interval_ms = 60000,
					  .event = "data-path-incomplete" };
	struct tun_watch *w = ctx;
	bool device_made;
	int done;

	w->armed = false;
	done = repair(w, &device_made);
	if (done < 0) {
		w->incomplete = true;
		(void)log_write_limited(
			&limit, loop_now(w->conf->loop)->mono_ms, LOG_LEVEL_ERROR,
			"a part of the tunnels is gone and cannot be put back yet",
			"event=data-path-incomplete device=%s error=\"%s\" remedy=\"%s\"",
			w->conf->device, err_text(done),
			done == -EINVAL ? "home-agent.address must be an address of this host"
					: "see the error");
		look_in(w, RETRY_MS);
		return;
	}
	if (done > 0 || w->incomplete) {
		w->repair_cnt++;
		log_notice("the tunnels were put back as they should be",
			   "event=data-path-repaired device=%s device-made=%s routes=%d",
			   w->conf->device, device_made ? "true" : "false", done);
	}
	w->incomplete = false;
}

/* Of a home network, or one behind a router. */
static bool is_of_home(const struct tunnel_conf *conf, struct addr_prefix dst)
{
	size_t i;

	for (i = 0; i < conf->home_network_cnt; i++)
		if (addr_prefix_overlaps(conf->home_networks[i].prefix, dst))
			return true;
	return network_table_get(conf->networks, dst) != NULL;
}

static bool concerns_us(const struct tun_watch *w, const struct rtnl_change *change)
{
	const struct tunnel_conf *conf = w->conf;

	switch (change->event) {
	case RTNL_LINK:
		if (strcmp(change->link.name, conf->device) == 0)
			return true;
		return change->port != tun_host_port(w->host) &&
		       sink_concerns(conf->device, change->link.name);
	case RTNL_ADDR:
		return addr_eq(change->addr.addr, conf->home_agent);
	case RTNL_RULE:
	case RTNL_POLICY:
	case RTNL_FEATURES:
		break;
	case RTNL_ROUTE:
		/* A default route overlaps everything and takes nothing away. */
		return change->gone && change->route.dst.len > 0 &&
		       is_of_home(conf, change->route.dst);
	}
	return false;
}

static void on_change(void *ctx, const struct rtnl_change *change)
{
	struct tun_watch *w = ctx;

	if (change->event == RTNL_ADDR)
		tun_host_forget_addresses(w->host);
	if (concerns_us(w, change))
		look_in(w, SETTLE_MS);
}

static void on_readable(void *ctx, int events)
{
	struct tun_watch *w = ctx;

	(void)events;
	if (rtnl_monitor_read(w->monitor) == 0)
		return;
	tun_host_forget_addresses(w->host); /* some were lost: anything may have happened */
	look_in(w, SETTLE_MS);
}

int tun_watch_open(const struct tunnel_conf *conf, struct tun_host *host,
		   void (*device)(void *ctx, bool there), void *ctx, struct tun_watch **ret_w)
{
	struct tun_watch *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->conf = conf;
	w->host = host;
	w->device = device;
	w->ctx = ctx;
	err = rtnl_monitor_open(on_change, w, &w->monitor);
	if (err == 0) {
		w->readable = loop_fd_new(conf->loop, rtnl_monitor_fd(w->monitor), LOOP_READ,
					  on_readable, w);
		w->timer = loop_timer_new(conf->loop, look, w);
		if (!w->readable || !w->timer)
			err = -ENOMEM;
	}
	if (err < 0) {
		(void)tun_watch_close(w);
		return err;
	}
	*ret_w = w;
	return 0;
}

struct tun_watch *tun_watch_close(struct tun_watch *w)
{
	if (!w)
		return NULL;
	w->timer = loop_timer_free(w->timer);
	w->readable = loop_fd_free(w->readable);
	w->monitor = rtnl_monitor_close(w->monitor);
	free(w);
	return NULL;
}

void tun_watch_alarm(struct tun_watch *w)
{
	w->armed = false;
	look_in(w, 0);
}

uint64_t tun_watch_repair_cnt(const struct tun_watch *w)
{
	return w->repair_cnt;
}

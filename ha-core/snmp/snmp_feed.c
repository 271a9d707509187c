/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * net-snmp waits inside its calls: for a master that is slow to write to, stopped, or gone. No
 * registration may wait for that, so a child process owns it (snmp_child.c), and asks here for a
 * page of rows at a time over a socketpair (SOCK_SEQPACKET: a message is whole or not there). One
 * wake-up answers one question, with a page made in some microseconds; a message for which there is
 * no room is dropped. So the control path owes SNMP nothing, whatever becomes of it.
 *
 * The child is forked first thing at the start, while there is no socket to be inherited and little
 * memory to be copied; it forgets the keys, and it starts its own worker again if that dies. Should
 * it be killed itself, the daemon forks another after a pause: with a million bindings that costs
 * some milliseconds, once; the new child takes down the tables that it is a copy of.
 *
 * Notices are limited here, one of a kind in an interval: what a stranger can trigger must not
 * flood a manager. What was held back is counted in the next one.
 */
#include "ha-core/snmp/snmp_feed.h"

#include "common/err.h"
#include "common/limit.h"
#include "common/log.h"
#include "ha-core/snmp/snmp_child.h"
#include "ha-core/tunnel/tunnel.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PRIORITY_INTERNAL 127 /* RFC 2741 §6.2.3: the default; the lower one is asked */
#define PRIORITY_EXTERNAL 128
#define PAUSE_MIN_MS      1000
#define PAUSE_MAX_MS      64000 /* and who lived for longer begins anew with the shortest */

struct snmp_feed {
	uint32_t tier;         /* of the data path, a second ago: snmp_source_tier() */
	uint32_t store_state;  /* a second ago: heStoreState */
	uint32_t cluster_told; /* heClusterState of the last notice; 0: there was none */
	uint64_t cluster_ms;   /* the next one not before */
	struct snmp_source source;
	char *name, *agentx, *context; /* owned: the child forgets the configuration */
	bool enabled, default_context;
	void (*forget)(void *ctx);
	bool (*is_busy)(void *ctx);
	void *ctx;
	int fd; /* -1: no child */
	pid_t child;
	uint32_t link;       /* enum snmp_link_state */
	uint64_t started_ms; /* the child that there is */
	uint64_t pause_ms;   /* before the next one */
	struct loop_timer *restart;
	struct loop *loop;
	struct loop_fd *watch;
	struct snmp_page *page; /* the answer being made */
	/* notices */
	bool notifications;
	uint32_t interval_s;
	struct {
		struct limit limit;
		uint32_t suppressed;
	} kinds[SNMP_NOTICE_CNT];
	/* rates */
	uint64_t second_ms, second_requests;
};

/* --- the child --- */

#ifdef WITH_SNMP
static int start_child(struct snmp_feed *f)
{
	const bool external = strcmp(f->name, "xhad") == 0;
	const struct snmp_child_conf child = {
		.name = f->name,
		.agentx = f->agentx,
		.context = f->context,
		.default_context = f->default_context,
		.external = external,
		.priority = external ? PRIORITY_EXTERNAL : PRIORITY_INTERNAL,
	};
	const pid_t parent = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	f->child = fork();
	if (f->child < 0) {
		int rc = -errno;

		(void)close(pair[0]);
		(void)close(pair[1]);
		return rc;
	}
	if (f->child == 0) {
		(void)close(pair[0]);
		if (f->forget)
			f->forget(f->ctx);
		/* It ends with the daemon, however that ends; a change of credentials undoes it. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
			_exit(1);
		snmp_child_run(&child, pair[1]);
	}
	(void)close(pair[1]);
	f->fd = pair[0];
	f->link = SNMP_LINK_NO_MASTER;
	return 0;
}
#else
static int start_child(struct snmp_feed *f)
{
	log_info("built without SNMP", "event=snmp-absent agentx=%s", f->agentx);
	return 0;
}
#endif

static const char *context_of(const struct snmp_feed_conf *conf)
{
	return conf->context ? conf->context : conf->name;
}

int snmp_feed_start(const struct snmp_feed_conf *conf, struct snmp_feed **ret_feed)
{
	struct snmp_feed *f = calloc(1, sizeof(*f));
	int rc = -ENOMEM;

	if (!f)
		return -ENOMEM;
	f->fd = -1;
	f->name = strdup(conf->name);
	f->agentx = strdup(conf->agentx);
	f->context = strdup(context_of(conf));
	f->enabled = conf->enabled;
	f->default_context = conf->default_context;
	f->forget = conf->forget;
	f->is_busy = conf->is_busy;
	f->ctx = conf->ctx;
	f->pause_ms = PAUSE_MIN_MS;
	f->notifications = conf->notifications;
	f->interval_s = conf->notification_interval_s;
	f->page = malloc(sizeof(*f->page));
	if (f->name && f->agentx && f->context && f->page)
		rc = conf->enabled ? start_child(f) : 0;
	if (rc < 0) {
		snmp_feed_close(f);
		return rc;
	}
	*ret_feed = f;
	return 0;
}

static void stop_child(struct snmp_feed *f)
{
	f->watch = loop_fd_free(f->watch);
	if (f->fd < 0)
		return;
	(void)close(f->fd);
	f->fd = -1;
	f->link = SNMP_LINK_NO_MASTER;
	/* A stopped one, too, hears this; its worker ends with it. */
	(void)kill(f->child, SIGKILL);
	(void)waitpid(f->child, NULL, 0);
}

struct snmp_feed *snmp_feed_close(struct snmp_feed *f)
{
	if (!f)
		return NULL;
	f->restart = loop_timer_free(f->restart);
	stop_child(f);
	snmp_source_done(&f->source);
	free(f->page);
	free(f->context);
	free(f->agentx);
	free(f->name);
	free(f);
	return NULL;
}

/* --- questions --- */

static void answer(struct snmp_feed *f, const struct snmp_ask *ask)
{
	const size_t head = offsetof(struct snmp_page, rows);
	size_t len;

	len = snmp_source_page(&f->source, (enum snmp_table)ask->table, ask->from,
			       loop_now(f->loop)->mono_ms, f->page);
	f->page->kind = SNMP_PAGE;
	f->page->seq = ask->seq;
	/* Without room the child asks again, when it has read what it was sent. */
	(void)send(f->fd, f->page, head + len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The child is gone, or did not come: another one after a pause. */
static void lose_child(struct snmp_feed *f)
{
	const uint64_t lived_ms = loop_now(f->loop)->mono_ms - f->started_ms;
	const pid_t was = f->child;

	stop_child(f);
	if (lived_ms > PAUSE_MAX_MS)
		f->pause_ms = PAUSE_MIN_MS;
	log_warning("the SNMP child is gone and will be started again",
		    "event=snmp-child-gone pid=%d pause=%llu", (int)was,
		    (unsigned long long)(f->pause_ms / 1000));
	loop_timer_start(f->restart, f->pause_ms, 0);
	f->pause_ms = f->pause_ms < PAUSE_MAX_MS ? f->pause_ms * 2 : PAUSE_MAX_MS;
}

static void on_readable(void *ctx, int events)
{
	struct snmp_feed *f = ctx;
	union {
		struct snmp_ask ask;
		struct snmp_link link;
	} in;
	ssize_t n = recv(f->fd, &in, sizeof(in), MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lose_child(f);
		return;
	}
	if (n == sizeof(in.ask) && in.ask.kind == SNMP_ASK && in.ask.table < SNMP_TABLE_CNT)
		answer(f, &in.ask);
	else if (n == sizeof(in.link) && in.link.kind == SNMP_LINK)
		f->link = in.link.state;
}

static int watch_child(struct snmp_feed *f)
{
	if (f->fd < 0)
		return 0;
	f->started_ms = loop_now(f->loop)->mono_ms;
	f->watch = loop_fd_new(f->loop, f->fd, LOOP_READ, on_readable, f);
	return f->watch ? 0 : -ENOMEM;
}

static void on_restart(void *ctx)
{
	struct snmp_feed *f = ctx;
	int rc;

	if (f->is_busy && f->is_busy(f->ctx)) {
		loop_timer_start(f->restart, PAUSE_MIN_MS, 0);
		return;
	}
	rc = start_child(f);
	if (rc == 0)
		rc = watch_child(f);
	if (rc == 0) {
		log_info("the SNMP child is started again", "event=snmp-child-started pid=%d",
			 (int)f->child);
		return;
	}
	log_error("the SNMP child cannot be started again", "event=snmp-failed error=\"%s\"",
		  err_text(rc));
	lose_child(f);
}

int snmp_feed_open(struct snmp_feed *f, struct loop *loop, const struct snmp_source *src)
{
	const struct clock *now = loop_now(loop);

	f->loop = loop;
	f->source = *src;
	f->source.name = f->context;
	f->source.up_since_cs = (uint32_t)(now->mono_ms / 10);
	f->second_ms = now->mono_ms;
	f->restart = loop_timer_new(loop, on_restart, f);
	return f->restart ? watch_child(f) : -ENOMEM;
}

const char *snmp_feed_link(const struct snmp_feed *f)
{
	static const char *const words[] = { [SNMP_LINK_NONE] = "disabled",
					     [SNMP_LINK_NO_MASTER] = "no-master-agent",
					     [SNMP_LINK_CONNECTED] = "connected",
					     [SNMP_LINK_TAKEN] = "context-taken",
					     [SNMP_LINK_DEFAULT_TAKEN] = "default-context-taken" };

	return f->link < sizeof(words) / sizeof(words[0]) ? words[f->link] : words[SNMP_LINK_NONE];
}

struct snmp_source *snmp_feed_source(struct snmp_feed *f)
{
	return &f->source;
}

static bool is_same_child(const struct snmp_feed *f, const struct snmp_feed_conf *conf)
{
	return f->enabled == conf->enabled && f->default_context == conf->default_context &&
	       strcmp(f->agentx, conf->agentx) == 0 && strcmp(f->context, context_of(conf)) == 0;
}

/* It was told when it was started: another one takes its place. */
static int change_child(struct snmp_feed *f, const struct snmp_feed_conf *conf)
{
	char *agentx = strdup(conf->agentx), *context = strdup(context_of(conf));

	if (!agentx || !context) {
		free(agentx);
		free(context);
		return -ENOMEM;
	}
	stop_child(f);
	free(f->agentx);
	free(f->context);
	f->agentx = agentx;
	f->context = context;
	f->source.name = context;
	f->enabled = conf->enabled;
	f->default_context = conf->default_context;
	f->link = conf->enabled ? SNMP_LINK_NO_MASTER : SNMP_LINK_NONE;
	f->pause_ms = PAUSE_MIN_MS;
	loop_timer_stop(f->restart);
	if (f->enabled)
		loop_timer_start(f->restart, 0, 0);
	return 0;
}

void snmp_feed_reloaded(struct snmp_feed *f, const struct snmp_feed_conf *conf)
{
	int rc = is_same_child(f, conf) ? 0 : change_child(f, conf);

	if (rc < 0)
		log_error("the SNMP child is told of no change",
			  "event=snmp-failed error=\"%s\" remedy=\"give it memory, and reload\"",
			  err_text(rc));
	f->notifications = conf->notifications;
	f->interval_s = conf->notification_interval_s;
}

/* --- notices --- */

/* May one of this kind go now? If not, it is counted. */
static bool take_notice(struct snmp_feed *f, enum snmp_notice_kind what, struct snmp_notice *n)
{
	const uint64_t now_us = loop_now(f->loop)->mono_ms * 1000;

	if (!f->notifications || f->fd < 0)
		return false;
	if (!limit_take(&f->kinds[what].limit, now_us, (uint64_t)f->interval_s * 1000000, 1)) {
		f->kinds[what].suppressed++;
		f->source.notices_suppressed++;
		return false;
	}
	memset(n, 0, sizeof(*n));
	n->kind = SNMP_NOTICE;
	n->what = what;
	n->suppressed = f->kinds[what].suppressed;
	snmp_text_set(&n->name, f->context, strlen(f->context));
	f->kinds[what].suppressed = 0;
	return true;
}

static void send_notice(struct snmp_feed *f, const struct snmp_notice *n)
{
	if (send(f->fd, n, sizeof(*n), MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(*n))
		f->source.notices++;
	else
		f->source.notices_suppressed++;
}

static void notify_of_source(struct snmp_feed *f, enum snmp_notice_kind what,
			     const struct violation *v, bool offends)
{
	struct snmp_notice n;

	if (!v || !take_notice(f, what, &n))
		return;
	n.who.key = addr_host(v->last.peer);
	snmp_source_violation(v, offends, &n.who);
	send_notice(f, &n);
}

static void notify_of_limit(struct snmp_feed *f, const struct engine_result *res)
{
	struct snmp_notice n;

	if (!take_notice(f, SNMP_NOTICE_BINDING_LIMIT, &n))
		return;
	n.code = res->outcome.code;
	n.who.home_addr = res->req.home_addr;
	send_notice(f, &n);
}

void snmp_feed_trusted_empty(struct snmp_feed *f)
{
	struct snmp_notice n;

	if (take_notice(f, SNMP_NOTICE_TRUSTED_EMPTY, &n))
		send_notice(f, &n);
}

void snmp_feed_degraded(struct snmp_feed *f)
{
	const char *tier = tunnel_name(f->source.tunnel);
	struct snmp_notice n;

	if (!take_notice(f, SNMP_NOTICE_DEGRADED, &n))
		return;
	snmp_text_set(&n.text, tier, strlen(tier));
	send_notice(f, &n);
}

/* Of the beginning of trouble: heStoreState and the counters say how it goes on. */
static void look_at_store(struct snmp_feed *f)
{
	const uint32_t before = f->store_state;
	struct snmp_store store;
	struct snmp_notice n;

	snmp_source_store(&f->source, &store);
	f->store_state = store.state;
	if (store.state != SNMP_STORE_FAILING || before == SNMP_STORE_FAILING ||
	    !take_notice(f, SNMP_NOTICE_STORE, &n))
		return;
	n.state = store.state;
	n.text = store.error;
	send_notice(f, &n);
}

/*
 * The shared state is out of reach, or all of it is known here again. The last notice is how things
 * are: what is over within the interval is told at its end, if it is another thing then.
 */
static void look_at_cluster(struct snmp_feed *f, uint64_t now_ms)
{
	struct snmp_cluster cluster;
	struct snmp_notice n;
	bool is_well, is_away;

	snmp_source_cluster(&f->source, &cluster);
	is_away = cluster.state == SNMP_CLUSTER_AWAY;
	is_well = cluster.state == SNMP_CLUSTER_FOLLOWING && cluster.lag_entries == 0 &&
		  cluster.queued == 0;
	if (is_well && f->cluster_told == 0)
		f->cluster_told = cluster.state; /* it has never been otherwise */
	if ((!is_well && !is_away) || cluster.state == f->cluster_told || now_ms < f->cluster_ms ||
	    !take_notice(f, SNMP_NOTICE_CLUSTER, &n))
		return;
	f->cluster_told = cluster.state;
	f->cluster_ms = now_ms + (uint64_t)f->interval_s * 1000;
	n.state = cluster.state;
	n.text = cluster.error;
	send_notice(f, &n);
}

/* The fast path was there, or a faster one, and is not any more. */
static void look_at_tier(struct snmp_feed *f)
{
	const uint32_t before = f->tier;

	f->tier = snmp_source_tier(tunnel_name(f->source.tunnel));
	if (f->tier < before)
		snmp_feed_degraded(f);
}

/* --- what happens --- */

void snmp_feed_request(struct snmp_feed *f, const struct engine_result *res,
		       const struct reg_origin *from, uint64_t took_ns, const struct clock *now)
{
	const struct engine *e = f->source.engine;
	const enum reg_reason reason = res->outcome.reason;

	f->source.processing_ns += took_ns;
	if (took_ns > f->source.processing_max_ns)
		f->source.processing_max_ns = took_ns;
	if (reason == REG_REASON_UNTRUSTED) {
		notify_of_source(f, SNMP_NOTICE_UNTRUSTED, e->offenders.newest, true);
		return;
	}
	snmp_source_trusted_used(&f->source, from->src, now->mono_ms);
	if (engine_violation_of(reason) != ENGINE_VIOLATION_NONE)
		notify_of_source(f, SNMP_NOTICE_AUTH_FAILURE, e->violations.newest, false);
	else if (reason == REG_REASON_RESOURCES || reason == REG_REASON_TOO_MANY_BINDINGS)
		notify_of_limit(f, res);
}

void snmp_feed_tick(struct snmp_feed *f, const struct clock *now)
{
	struct snmp_source *src = &f->source;
	const uint64_t requests = src->engine->stats.requests_received;
	const uint64_t ms = now->mono_ms - f->second_ms;

	if (ms == 0)
		return;
	look_at_tier(f);
	look_at_store(f);
	look_at_cluster(f, now->mono_ms);
	src->rate = (uint32_t)((requests - f->second_requests) * 1000 / ms);
	if (src->rate > src->rate_peak)
		src->rate_peak = src->rate;
	if (src->engine->cache.cnt > src->bindings_peak)
		src->bindings_peak = (uint32_t)src->engine->cache.cnt;
	f->second_ms = now->mono_ms;
	f->second_requests = requests;
}

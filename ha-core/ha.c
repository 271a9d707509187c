/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The home agent as a process: reads the configuration, lays down the data path, opens the
 * sockets, and then lives in the loop. It is the ring around the pure core: whatever the engine
 * decides is carried out, counted, logged and answered from here.
 *
 * The order in which things are opened is the order in which a fault is told best: the address
 * first (another home agent may have it), the data path, the control socket. They are closed in
 * the opposite order, and what was laid down is taken away.
 */
#include "ha-core/ha.h"

#include "common/err.h"
#include "common/huge.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/privs.h"
#include "common/thread.h"
#include "ha-core/engine/engine.h"
#include "ha-core/ha_cluster.h"
#include "ha-core/ha_conf.h"
#include "ha-core/ha_ctl.h"
#include "ha-core/ha_engine.h"
#include "ha-core/ha_log.h"
#include "ha-core/ha_networks.h"
#include "ha-core/ha_reload.h"
#include "ha-core/ha_state.h"
#include "ha-core/io/home_link.h"
#include "ha-core/io/reg_socket.h"
#include "ha-core/io/source_share.h"
#include "ha-core/snmp/snmp_advert.h"
#include "ha-core/snmp/snmp_feed.h"
#include "ha-core/tunnel/tunnel.h"
#include "ha-core/wire/advert.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define RUN_DIR_SIZE       sizeof(((struct sockaddr_un *)0)->sun_path)
#define TICK_MS            1000 /* lifetimes are in seconds */
#define MAPPED_FROM        (1 << 20)
#define MANY_NODES         100000 /* a start takes its memory ahead */
#define EXPIRIES_PER_TURN  1024   /* a millisecond, more or less */
#define RANDOM_STOCK       64     /* numbers fetched at once: 256 octets never come short */
#define REVOCATION_TICK_MS 100    /* revocations due nearly together leave together */

struct ha {
	const struct ha_daemon *daemon;
	struct daemon_options options;
	struct ha_conf *conf;
	struct ha_conf *started; /* what belongs to this run is as it says; the first conf */
	void *daemon_conf;
	struct ha_conf_digest digest; /* of what we began with, for the first reload */
	struct ha_reload *reload;
	int bpffs_fd; /* of tunnel.bpffs; -1: its name will do */
	char bpffs_way[sizeof("/proc/self/fd/-2147483648")];

	struct loop *loop;
	struct loop_signal *sigterm, *sigint, *sighup;
	struct loop_timer *tick;
	struct loop_timer *expiries;    /* runs while there is a backlog of them */
	struct loop_timer *revocations; /* runs while one is outstanding */

	struct ha_networks networks;
	struct ha_networks networks_before; /* while a reload changes over from them; else none */
	struct tunnel_filter filter;
	struct tunnel *tunnel;
	struct home_link *home_link;

	struct engine engine;
	struct ha_state *state;     /* NULL: nothing is remembered */
	struct ha_cluster *cluster; /* NULL: nothing is shared */
	unsigned int batch_replies;
	unsigned int batch_dereg_replies; /* of them */
	struct reg_socket *socket;
	struct source_share_table shares;
	struct ha_ctl *ctl;
	struct snmp_feed *snmp;
};

/* --- configuration --- */

/* Reads the file into fresh structs; tells every fault, and at --check warnings, on stderr. */
static int read_conf(const struct ha_daemon *daemon, const struct daemon_options *options,
		     struct ha_conf **ret_conf, void **ret_daemon_conf)
{
	struct conf_faults *faults = calloc(1, sizeof(*faults));
	struct conf_faults *warnings = options->check ? calloc(1, sizeof(*warnings)) : NULL;
	void *daemon_conf = calloc(1, daemon->conf_size);
	int rc = -ENOMEM;

	if (faults)
		faults->warnings = warnings;
	if (faults && daemon_conf && (warnings || !options->check))
		rc = ha_conf_read_checked(options->config, daemon->info.name, daemon->conf_rows,
					  daemon_conf, daemon->conf_check, faults, ret_conf);
	if (faults) {
		conf_faults_print(faults, stderr);
		conf_faults_done(faults);
	}
	if (warnings)
		conf_faults_done(warnings);
	free(warnings);
	free(faults);
	if (rc < 0) {
		if (daemon_conf)
			conf_done(daemon->conf_rows, daemon_conf);
		free(daemon_conf);
		return rc;
	}
	*ret_daemon_conf = daemon_conf;
	return 0;
}

static void free_conf(const struct ha_daemon *daemon, struct ha_conf *conf, void *daemon_conf)
{
	ha_conf_free(conf);
	if (daemon_conf)
		conf_done(daemon->conf_rows, daemon_conf);
	free(daemon_conf);
}

/* What was read last, but for the first file's part that later ones are compared with. */
static void free_read_conf(struct ha *ha)
{
	if (ha->conf == ha->started)
		ha_conf_release_foreign_agents(ha->started);
	free_conf(ha->daemon, ha->conf == ha->started ? NULL : ha->conf, ha->daemon_conf);
}

static int add_pools(struct engine *e, const struct ha_conf *conf)
{
	size_t i;
	int rc;

	for (i = 0; i < conf->home_network_cnt; i++) {
		if (!conf->home_networks[i].has_dynamic_pool)
			continue;
		rc = pool_add(&e->pool, conf->home_networks[i].dynamic_pool);
		if (rc < 0)
			return rc;
		pool_reserve(&e->pool, conf->home_networks[i].prefix.addr);
		pool_reserve(&e->pool, addr_prefix_broadcast(conf->home_networks[i].prefix));
	}
	pool_reserve(&e->pool, conf->address);
	return 0;
}

/* --- what the engine asks of us --- */

static int tell_data_path(void *ctx, struct binding_key key, const struct binding *first)
{
	struct ha *ha = ctx;
	int rc;

	if (!first)
		home_link_gone(ha->home_link, key.home_addr);
	rc = first ? tunnel_put(ha->tunnel, first) : tunnel_del(ha->tunnel, key);
	if (rc < 0)
		log_error("the data path refused a change",
			  "event=data-path-failed home-address=%s data-path=%s error=\"%s\"",
			  addr_text(key.home_addr).s, tunnel_name(ha->tunnel), err_text(rc));
	if (rc < 0 || !first)
		return rc;
	/* Packets for the node are drawn here once they have somewhere to go. */
	rc = home_link_away(ha->home_link, key.home_addr);
	if (rc < 0)
		log_error("a node cannot be represented on its home link",
			  "event=home-link-failed home-address=%s error=\"%s\"",
			  addr_text(key.home_addr).s, err_text(rc));
	return rc;
}

/* A binding that a reload leaves alone, though its home network may be another link from now on. */
static void tell_kept(void *ctx, struct binding_key key)
{
	struct ha *ha = ctx;

	if (ha->networks_before.cnt > 0 &&
	    ha_networks_moved(&ha->networks_before, &ha->networks, key.home_addr))
		(void)tell_data_path(ha, key, binding_find(&ha->engine.cache, key));
}

static int tell_route(void *ctx, struct addr_prefix network, struct in_addr home_addr, bool on)
{
	static struct log_limit limit = { .burst = 50,
					  .interval_ms = 100,
					  .event = "mobile-network" };
	struct ha *ha = ctx;
	int rc = tunnel_route(ha->tunnel, network, on);

	if (rc < 0)
		log_error("a network behind a mobile router cannot be routed",
			  "event=mobile-network-failed network=%s home-address=%s error=\"%s%s\"",
			  addr_prefix_text(network).s, addr_text(home_addr).s, err_text(rc),
			  rc == -EEXIST ? "; this host has a route to it: remove that one" : "");
	else
		log_write_limited(&limit, loop_now(ha->loop)->mono_ms, LOG_LEVEL_INFO,
				  on ? "mobile network registered" : "mobile network gone",
				  "event=%s network=%s home-address=%s",
				  on ? "mobile-network-registered" : "mobile-network-gone",
				  addr_prefix_text(network).s, addr_text(home_addr).s);
	return rc;
}

static void tell_renewal(void *ctx, struct binding_key key)
{
	struct ha *ha = ctx;

	tunnel_renew(ha->tunnel, key);
}

static bool is_local(void *ctx, struct in_addr addr)
{
	const struct ha *ha = ctx;

	return tunnel_is_local(ha->tunnel, addr);
}

/* Committed by the loop's next turn: who answers meanwhile finds the note in the binding. */
static void note_contact(void *ctx, const struct binding *first)
{
	struct ha *ha = ctx;

	ha_state_touched(ha->state, first->node);
}

static void tell_end(void *ctx, const struct binding *b, const char *why)
{
	struct ha *ha = ctx;

	ha_log_ended(b, why, loop_now(ha->loop));
}

static uint32_t random_number(void *ctx)
{
	static uint32_t stock[RANDOM_STOCK];
	static size_t left;
	uint32_t n;

	(void)ctx;
	/* Never short for so few octets once the pool is ready, which it is at boot's end. */
	while (left == 0)
		if (getrandom(stock, sizeof(stock), 0) == (ssize_t)sizeof(stock))
			left = RANDOM_STOCK;
	n = stock[--left];
	stock[left] = 0; /* a nonce that is still to be given is nobody's to find */
	return n;
}

static void send_message(void *ctx, struct in_addr dst, uint16_t port, const uint8_t *msg,
			 size_t len)
{
	struct ha *ha = ctx;

	reg_socket_send(ha->socket, dst, port, msg, len);
	ha_ctl_sent(ha->ctl, msg, len, dst, port);
	ha_log_sent(msg, len, dst, port, loop_now(ha->loop));
}

/* What ends a binding is in the middle of something: revocations leave in a turn of their own. */
static void wake_revocations(void *ctx)
{
	struct ha *ha = ctx;

	loop_timer_start(ha->revocations, 0, 0);
}

static void on_revocations(void *ctx)
{
	struct ha *ha = ctx;
	struct clock now = *loop_now(ha->loop);
	uint64_t next_ms, wait_ms;

	if (!ha_cluster_is_active(ha->cluster)) /* the active host tells them */
		return;
	next_ms = revocation_run(&ha->engine, &now);
	wait_ms = next_ms > now.mono_ms ? next_ms - now.mono_ms : 0;
	if (next_ms == REVOCATION_IDLE_MS)
		loop_timer_stop(ha->revocations); /* a drain may have woken it meanwhile */
	else
		loop_timer_start(ha->revocations,
				 wait_ms > REVOCATION_TICK_MS ? wait_ms : REVOCATION_TICK_MS, 0);
}

static void remember(void *ctx, const struct sa_peer *node)
{
	const struct ha *ha = ctx;

	ha_cluster_touched(ha->cluster, node); /* first: it numbers the change */
	ha_state_touched(ha->state, node);
}

static void remember_outstanding(void *ctx, const struct outstanding *o, bool is_over)
{
	const struct ha *ha = ctx;

	ha_state_outstanding(ha->state, o, is_over);
}

static int open_engine(struct ha *ha, struct engine *e, const struct ha_conf *conf,
		       const void *daemon_conf)
{
	const struct engine_conf ec = ha_engine_conf(conf, &ha->networks);
	const struct engine_hooks hooks = {
		.changed = tell_data_path,
		.route = tell_route,
		.renewed = tell_renewal,
		.ended = tell_end,
		.kept = tell_kept,
		.random = random_number,
		.is_local = is_local,
		.send = send_message,
		.revoke = wake_revocations,
		.touched = remember,
		.outstanding = remember_outstanding,
		.ctx = ha,
	};
	const struct clock now = clock_read();
	int rc;

	rc = engine_init(e, &ec, conf->mobile_node_cnt, &ha->daemon->policy, daemon_conf, &hooks,
			 &now);
	if (rc < 0)
		return rc;
	rc = add_pools(e, conf);
	if (rc == 0)
		rc = ha_engine_associate(e, conf);
	if (rc < 0)
		engine_done(e);
	return rc;
}

/* The engine has all of a million nodes: their room is for what comes out of the store. */
static int release_nodes(struct ha *ha)
{
	if (getrandom(ha->digest.seeds, sizeof(ha->digest.seeds), 0) !=
	    (ssize_t)sizeof(ha->digest.seeds))
		return -errno;
	ha_conf_sum(ha->conf, &ha->digest);
	ha_conf_release_nodes(ha->conf);
	return 0;
}

/* --- events --- */

/* Is the sender of this request at home? Then that is where to answer it (RFC 5944 §3.8.3.1). */
static bool is_at_home(struct ha *ha, const struct reg_datagram *dgram,
		       const struct engine_result *res, uint8_t ret_mac[ARP_MAC_LEN])
{
	return res->outcome.verdict != REG_DISCARD && res->has_request &&
	       addr_eq(dgram->from.src, res->req.home_addr) &&
	       home_link_sender(ha->home_link, &dgram->from, dgram->data, dgram->len, ret_mac);
}

/* The node has its address back, unless a binding stays: then it is still represented. */
static void welcome_home(struct ha *ha, const struct engine_result *res,
			 const uint8_t mac[ARP_MAC_LEN])
{
	const struct binding_key key = { res->req.home_addr, ha->engine.conf.home_agent };

	if (res->outcome.verdict == REG_ACCEPT && reg_is_dereg(&res->req) &&
	    !binding_find(&ha->engine.cache, key))
		home_link_returned(ha->home_link, key.home_addr, mac);
}

/* --- SNMP --- */

/* In the child: what it must not hold. */
static void forget_conf(void *ctx)
{
	struct ha *ha = ctx;
	const bool filter = ha->started->privileges.system_call_filter;

	free_read_conf(ha);
	ha_conf_free(ha->started);
	if (ha->loop) { /* one that was started later */
		engine_done(&ha->engine);
		(void)malloc_trim(0);
	}
	/* It talks to its parent and to the master agent: no more. */
	if (privs_drop_all() < 0 || (filter && privs_filter_child() < 0))
		_exit(DAEMON_EXIT_SYSTEM);
}

/* What a reload's thread has read would be copied, keys and all. */
static bool is_reloading(void *ctx)
{
	const struct ha *ha = ctx;

	return ha_reload_is_running(ha->reload);
}

static struct snmp_feed_conf snmp_conf_of(struct ha *ha)
{
	const struct ha_conf *conf = ha->conf;

	return (struct snmp_feed_conf){
		.enabled = conf->snmp.enabled,
		.name = ha->daemon->info.name,
		.agentx = conf->snmp.agentx,
		.context = conf->snmp.context,
		.default_context = conf->snmp.default_context,
		.notifications = conf->snmp.notifications,
		.notification_interval_s = conf->snmp.notification_interval_s,
		.forget = forget_conf,
		.is_busy = is_reloading,
		.ctx = ha,
	};
}

static int start_snmp(struct ha *ha)
{
	const struct snmp_feed_conf conf = snmp_conf_of(ha);

	return snmp_feed_start(&conf, &ha->snmp);
}

/* Whom we trust and where we advertise: as the file has it now. */
static int tell_snmp_conf(struct ha *ha)
{
	struct snmp_source *src = snmp_feed_source(ha->snmp);
	const struct snmp_feed_conf conf = snmp_conf_of(ha);
	const struct addr_set *trusted = NULL;
	int rc;

	if (ha->daemon->trusted)
		trusted = ha->daemon->trusted(ha->daemon_conf);
	snmp_feed_reloaded(ha->snmp, &conf);
	rc = snmp_source_set_trusted(src, trusted);
	if (rc == 0)
		rc = snmp_advert_set(src, ha->conf);
	if (trusted && trusted->cnt == 0)
		snmp_feed_trusted_empty(ha->snmp);
	return rc;
}

/* As "show status" has it. */
static void tell_snmp_store(void *ctx, struct snmp_store *out)
{
	const struct ha *ha = ctx;
	struct store_health h;

	if (!ha_state_health(ha->state, &h))
		return;
	out->state = h.error ? SNMP_STORE_FAILING : SNMP_STORE_OK;
	if (h.error)
		snmp_text_set(&out->error, err_text(h.error), strlen(err_text(h.error)));
	out->changes = h.changes;
	out->octets = h.octets;
	out->unsynced = h.written > h.durable ? h.written - h.durable : 0;
	out->segments = (uint32_t)h.segments;
	out->merges = h.merges;
	out->sync_failures = h.sync_failures;
	out->merge_failures = h.merge_failures;
}

/* As "show cluster" has it. */
static void tell_snmp_cluster(void *ctx, struct snmp_cluster *out)
{
	static const uint32_t states[] = { [CLUSTER_AWAY] = SNMP_CLUSTER_AWAY,
					   [CLUSTER_SYNCING] = SNMP_CLUSTER_COMPARING,
					   [CLUSTER_FOLLOWING] = SNMP_CLUSTER_FOLLOWING };
	const struct ha *ha = ctx;
	struct cluster_health h;
	size_t i;

	if (!ha_cluster_health(ha->cluster, &h))
		return;
	out->state = states[h.link];
	out->role = ha_cluster_is_active(ha->cluster) ? SNMP_CLUSTER_ACTIVE : SNMP_CLUSTER_STANDBY;
	if (h.link == CLUSTER_AWAY || h.is_refused)
		snmp_text_set(&out->error, h.error, strlen(h.error));
	for (i = 0; i < h.peer_cnt; i++)
		out->peers += loop_now(ha->loop)->mono_ms - h.peers[i].seen_ms <= CLUSTER_SILENT_MS;
	out->lag_entries = cluster_lag_entries(&h, h.sequence);
	out->lag_ms = h.lag_ms;
	out->queued = h.queued;
	out->sent = h.sent;
	out->applied = h.applied;
	out->outages = h.outages;
	out->scans = h.scans;
	out->unconfirmed = h.unconfirmed;
}

/* Is there less than what tunnel.data-path asks for by name? */
static bool is_degraded(const struct ha *ha)
{
	static const char *const asked[] = { [HA_CONF_DATA_PATH_XDP] = "xdp",
					     [HA_CONF_DATA_PATH_TC] = "tc",
					     [HA_CONF_DATA_PATH_KERNEL] = "kernel",
					     [HA_CONF_DATA_PATH_TUN] = "tun" };
	const enum ha_conf_data_path path = ha->conf->tunnel.data_path;

	return path != HA_CONF_DATA_PATH_AUTO &&
	       snmp_source_tier(tunnel_name(ha->tunnel)) < snmp_source_tier(asked[path]);
}

static int open_snmp(struct ha *ha)
{
	const struct snmp_source src = {
		.engine = &ha->engine,
		.tunnel = ha->tunnel,
		.device = ha->daemon->device,
		.store = tell_snmp_store,
		.store_ctx = ha,
		.cluster = tell_snmp_cluster,
		.external = !ha->daemon->trusted,
		.has_tnc = ha->daemon->policy.extend_reply,
		.has_inside_filter = ha->daemon->policy.admits && !ha->daemon->trusted,
		.port = ha->conf->port,
	};
	int rc = snmp_feed_open(ha->snmp, ha->loop, &src);

	if (rc == 0)
		rc = tell_snmp_conf(ha);
	if (rc < 0)
		log_error("cannot answer SNMP", "event=start-failed error=\"%s\"", err_text(rc));
	else if (is_degraded(ha))
		snmp_feed_degraded(ha->snmp); /* opening it has logged why */
	return rc;
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* A granted Lifetime is never 0, a denial's is the request's (RFC 5944 §3.8.3.2). */
static bool is_dereg_reply(const uint8_t *reply)
{
	return reply[2] == 0 && reply[3] == 0;
}

static void fetch_datagram(void *ctx, const uint8_t *data, size_t len, unsigned int step)
{
	const struct ha *ha = ctx;

	engine_fetch(&ha->engine, data, len, step);
}

static void handle_datagram(void *ctx, const struct reg_datagram *dgram)
{
	struct ha *ha = ctx;
	const struct clock *now = loop_now(ha->loop);
	uint8_t mac[ARP_MAC_LEN];
	struct engine_result res;
	uint64_t begun_ns;
	bool at_home;

	/* Tunnel data is judged by its binding, signalling by its source first of all. */
	if (dgram->len > 0 && dgram->data[0] == REG_MSG_TUNNEL_DATA) {
		tunnel_udp_input(ha->tunnel, dgram->data, dgram->len, dgram->tos, dgram->from.src,
				 dgram->from.src_port, dgram->from.dst);
		return;
	}
	if (!ha_cluster_answers(ha->cluster)) {
		ha->engine.stats.requests_dropped_standby++;
		return;
	}
	begun_ns = monotonic_ns();
	engine_handle(&ha->engine, dgram->data, dgram->len, &dgram->from, now, &res);
	snmp_feed_request(ha->snmp, &res, &dgram->from, monotonic_ns() - begun_ns, now);
	ha_log_result(&res, &dgram->from, now);
	ha_ctl_received(ha->ctl, dgram->data, dgram->len, &dgram->from, &res);
	at_home = is_at_home(ha, dgram, &res, mac);
	if (at_home)
		welcome_home(ha, &res, mac);
	if (res.reply_len == 0)
		return;
	if (at_home && ha_state_commit(ha->state) < 0) { /* a frame leaves at once */
		ha->engine.stats.replies_withheld++;
		return;
	}
	if (!at_home ||
	    home_link_reply(ha->home_link, &dgram->from, mac, res.reply, res.reply_len) < 0)
		reg_socket_reply(ha->socket, &dgram->from, res.reply, res.reply_len);
	if (res.reply[0] != REG_MSG_REPLY) /* it acknowledges a revocation */
		return;
	ha->engine.stats.replies_sent++;
	ha->batch_replies += !at_home;
	if (is_dereg_reply(res.reply)) {
		ha->engine.stats.deregistration_replies++;
		ha->batch_dereg_replies += !at_home;
	}
	if (ha->daemon->policy.extend_reply) /* only ever the TNC extension */
		ha->engine.stats.replies_with_tnc++;
}

/* Nobody is told yes before it is safe from our own end. */
static int commit_batch(void *ctx)
{
	struct ha *ha = ctx;
	struct stats *stats = &ha->engine.stats;
	int rc = ha_state_commit(ha->state);

	if (rc == 0)
		rc = ha_cluster_commit(ha->cluster);
	if (rc < 0) { /* they were counted when they were queued */
		stats->replies_sent -= ha->batch_replies;
		stats->deregistration_replies -= ha->batch_dereg_replies;
		if (ha->daemon->policy.extend_reply)
			stats->replies_with_tnc -= ha->batch_replies;
		stats->replies_withheld += ha->batch_replies;
	}
	ha->batch_replies = 0;
	ha->batch_dereg_replies = 0;
	return rc;
}

/*
 * One source's flood under overload: heard is its share, and the rest costs no more than reading.
 * The packets of a node's tunnel are no messages, and what it may send has no share.
 */
static bool is_heard(void *ctx, const uint8_t *data, size_t len, struct in_addr src)
{
	static struct log_limit limit = { .burst = 5, .interval_ms = 10000, .event = "over-share" };
	struct ha *ha = ctx;
	const uint64_t now_ms = loop_now(ha->loop)->mono_ms;
	const uint32_t share_s = ha->conf->registration.overload_share_s;

	if (len > 0 && data[0] == REG_MSG_TUNNEL_DATA && binding_find_peer(&ha->engine.cache, src))
		return true;
	if (source_share_take(&ha->shares, src, share_s, now_ms * 1000))
		return true;
	ha->engine.stats.requests_over_share++;
	if (log_take(&limit, now_ms, LOG_LEVEL_NOTICE))
		log_write_taken(&limit, LOG_LEVEL_NOTICE,
				"more comes than can be handled, and most of it from one source",
				"event=over-share src=%s share=%u", addr_text(src).s, share_s);
	return false;
}

/* It was counted when it was queued. */
static void uncount_reply(struct ha *ha, const uint8_t *reply)
{
	ha->engine.stats.replies_sent--;
	if (is_dereg_reply(reply))
		ha->engine.stats.deregistration_replies--;
	if (ha->daemon->policy.extend_reply)
		ha->engine.stats.replies_with_tnc--;
}

/* A reply that was kept until it is confirmed, and has not been. */
static void reply_withheld(void *ctx, const uint8_t *msg)
{
	struct ha *ha = ctx;

	if (msg[0] != REG_MSG_REPLY)
		return;
	uncount_reply(ha, msg);
	ha->engine.stats.replies_withheld++;
}

static void send_failed(void *ctx, struct in_addr dst, const uint8_t *msg, int err)
{
	static struct log_limit limit = { .burst = 5, .interval_ms = 1000, .event = "send-failed" };
	struct ha *ha = ctx;

	if (msg[0] == REG_MSG_REPLY) {
		uncount_reply(ha, msg);
		ha->engine.stats.reply_send_failures++;
	}
	log_write_limited(&limit, loop_now(ha->loop)->mono_ms, LOG_LEVEL_WARNING,
			  "a message could not be sent", "event=send-failed dst=%s error=\"%s\"",
			  addr_text(dst).s, err_text(err));
}

static void log_expiry(void *ctx, const struct binding *b)
{
	ha_log_expired(b, ctx);
}

/* In turns of EXPIRIES_PER_TURN, between which whoever else has something to do does it. */
static void on_expiries(void *ctx)
{
	struct ha *ha = ctx;
	struct clock now = *loop_now(ha->loop);

	ha_cluster_quiet(ha->cluster, true);
	if (engine_expire_some(&ha->engine, &now, EXPIRIES_PER_TURN, log_expiry, &now) ==
	    EXPIRIES_PER_TURN)
		loop_timer_start(ha->expiries, 0, 0);
	ha_cluster_quiet(ha->cluster, false);
}

static void on_tick(void *ctx)
{
	struct ha *ha = ctx;
	struct clock now = *loop_now(ha->loop);

	on_expiries(ha);
	home_link_tick(ha->home_link);
	snmp_feed_tick(ha->snmp, &now);
	log_flush_limits(now.mono_ms);
	daemon_alive();
}

static void on_stop(void *ctx)
{
	struct ha *ha = ctx;

	log_info("stopping", "event=stopping bindings=%zu", ha->engine.cache.cnt);
	loop_stop(ha->loop);
}

static void set_filter(struct ha *ha)
{
	const struct tunnel_filter *filter = NULL;

	if (ha->daemon->policy.filter)
		filter = ha->daemon->policy.filter(ha->daemon_conf);
	ha->filter = filter ? *filter : (struct tunnel_filter){ .pass_all = true };
	ha->filter.reverse_needs_grant =
		ha->conf->tunnel.reverse_tunnel == HA_CONF_REVERSE_DISABLED;
}

/* What agent advertisements promise a node that comes to the home link (RFC 5944 §2.1). */
static struct home_link_offer home_link_offer_of(const struct ha_conf *conf)
{
	struct home_link_offer offer = {
		.registration_lifetime_s = conf->registration.max_lifetime_s,
	};
	size_t i;

	for (i = 0; i < conf->tunnel.encapsulation_cnt; i++) {
		if (conf->tunnel.encapsulation[i] == HA_CONF_ENCAP_MINIMAL)
			offer.flags |= ADVERT_FLAG_M;
		else if (conf->tunnel.encapsulation[i] == HA_CONF_ENCAP_GRE)
			offer.flags |= ADVERT_FLAG_G;
	}
	if (conf->tunnel.reverse_tunnel != HA_CONF_REVERSE_DISABLED)
		offer.flags |= ADVERT_FLAG_T;
	return offer;
}

static void set_home_link_offer(struct ha *ha)
{
	const struct home_link_offer offer = home_link_offer_of(ha->conf);

	home_link_set_offer(ha->home_link, &offer);
}

static struct home_link_network home_link_network_of(const struct ha_conf_home_network *n)
{
	struct home_link_network net = {
		.prefix = n->prefix,
		.gratuitous_arps = n->gratuitous_arps,
		.advertise = n->advertise,
		.default_router = n->advertise_default_router,
		.prefix_lengths = n->advertise_prefix_length,
		.interval_s = n->advertisement_interval_s,
		.lifetime_s = n->advertisement_lifetime_s,
	};

	memcpy(net.interface, n->interface, sizeof(net.interface));
	if (net.lifetime_s == 0) /* RFC 1256 §4.1 */
		net.lifetime_s = (uint16_t)(3 * (net.interval_s ? net.interval_s : 600));
	return net;
}

/* One for each home network, virtual ones too. NULL: no memory. */
static struct home_link_network *home_link_networks_of(const struct ha_conf *conf)
{
	struct home_link_network *networks = calloc(conf->home_network_cnt, sizeof(*networks));
	size_t i;

	for (i = 0; networks && i < conf->home_network_cnt; i++)
		networks[i] = home_link_network_of(&conf->home_networks[i]);
	return networks;
}

/* --- what of the configuration others want in their own words --- */

/* Between hosts that share their state: keepalived has it here, or elsewhere. */
static bool address_floats(const struct ha_conf *conf)
{
	return conf->state.replication.server_cnt > 0;
}

static enum tunnel_choice choice_of(enum ha_conf_data_path data_path)
{
	switch (data_path) {
	case HA_CONF_DATA_PATH_XDP:
		return TUNNEL_XDP;
	case HA_CONF_DATA_PATH_TC:
		return TUNNEL_TC;
	case HA_CONF_DATA_PATH_KERNEL:
		return TUNNEL_KERNEL;
	case HA_CONF_DATA_PATH_TUN:
		return TUNNEL_TUN;
	case HA_CONF_DATA_PATH_AUTO:
		break;
	}
	return TUNNEL_AUTO;
}

/* Its maps are laid out once: nodes that a reload brings should find room. */
static uint32_t fast_nodes_of(const struct ha_conf *conf)
{
	size_t cnt = conf->mobile_node_cnt;

	if (conf->tunnel.fast_path_nodes > 0)
		return conf->tunnel.fast_path_nodes;
	return (uint32_t)(cnt + cnt / 4 + 256);
}

static void on_keepalive(void *ctx, const struct binding *b, struct in_addr src, uint16_t port)
{
	const struct ha *ha = ctx;

	ha_ctl_keepalive(ha->ctl, b, src, port);
}

static struct tunnel_conf tunnel_conf_of(struct ha *ha, const struct ha_conf *conf,
					 const struct ha_networks *networks, const char *run_dir)
{
	const enum ha_conf_mss_clamp clamp = conf->tunnel.mss_clamp;

	return (struct tunnel_conf){
		.device = ha->daemon->device,
		.home_agent = conf->address,
		.address_floats = address_floats(conf),
		.port = conf->port,
		.home_networks = networks->tunnel,
		.home_network_cnt = networks->cnt,
		.mtu = conf->tunnel.mtu,
		.filter = &ha->filter,
		.clamp_udp = clamp != HA_CONF_MSS_CLAMP_OFF,
		.clamp_plain = clamp == HA_CONF_MSS_CLAMP_ALL,
		.broadcast_subnet = conf->tunnel.broadcasts != HA_CONF_BROADCASTS_OFF,
		.broadcast_limited = conf->tunnel.broadcasts == HA_CONF_BROADCASTS_ALL,
		.ecn_normal = conf->tunnel.ecn == HA_CONF_ECN_NORMAL,
		.cache = &ha->engine.cache,
		.networks = &ha->engine.networks,
		.stats = &ha->engine.stats,
		.loop = ha->loop,
		.run_dir = run_dir,
		.choice = choice_of(conf->tunnel.data_path),
		.bpffs = conf->tunnel.bpffs,
		.bpffs_way = ha->bpffs_fd >= 0 ? ha->bpffs_way : NULL,
		.interfaces = (const char *const *)conf->tunnel.interfaces,
		.interface_cnt = conf->tunnel.interface_cnt,
		.fast_nodes = fast_nodes_of(conf),
		.keep_forwarding = conf->tunnel.keep_forwarding,
		.keepalive = on_keepalive,
		.keepalive_ctx = ha,
		.udp_checksums = conf->tunnel.udp_checksums,
		.contacted = note_contact,
		.contacted_ctx = ha,
	};
}

/* --- reload: what ha_reload.c asks of us --- */

static int read_again(void *ctx, struct ha_conf **ret_conf, void **ret_daemon_conf)
{
	const struct ha *ha = ctx;

	return read_conf(ha->daemon, &ha->options, ret_conf, ret_daemon_conf);
}

static int build_again(void *ctx, struct engine *fresh, const struct ha_conf *conf,
		       const void *daemon_conf)
{
	return open_engine(ctx, fresh, conf, daemon_conf);
}

/*
 * The home networks and the tunnels' settings of the file, from here on. A route that the host
 * refuses, or a link that cannot be served, refuses the file: it would be told that a network is
 * served whose packets are lost, and nothing else has changed yet.
 */
static int lay_down(void *ctx, const struct ha_conf *conf)
{
	struct home_link_network *links = home_link_networks_of(conf);
	struct ha_networks fresh = { 0 };
	struct tunnel_conf tunnel;
	struct ha *ha = ctx;
	int rc = links ? ha_networks_copy(conf, &fresh) : -ENOMEM;

	if (rc == 0)
		rc = home_link_prepare(ha->home_link, links, fresh.cnt);
	if (rc < 0)
		goto out;
	tunnel = tunnel_conf_of(ha, conf, &fresh, NULL);
	rc = tunnel_reload(ha->tunnel, &tunnel);
	if (rc < 0) {
		home_link_cancel(ha->home_link);
		goto out;
	}
	ha_networks_log(&ha->networks, &fresh);
	home_link_change(ha->home_link, links, fresh.cnt);
	reg_socket_set_broadcasts(ha->socket, fresh.broadcasts, fresh.cnt);
	ha->networks_before = ha->networks;
	ha->networks = fresh;
	fresh = (struct ha_networks){ 0 };
out:
	ha_networks_done(&fresh);
	free(links);
	return rc;
}

static void discard_conf(void *ctx, struct ha_conf *conf, void *daemon_conf)
{
	const struct ha *ha = ctx;

	free_conf(ha->daemon, conf, daemon_conf);
}

static void nodes_change(void *ctx, bool begins)
{
	const struct ha *ha = ctx;

	ha_cluster_reload(ha->cluster, begins);
}

static struct engine_conf settings_of(void *ctx, const struct ha_conf *conf)
{
	const struct ha *ha = ctx;

	return ha_engine_conf(conf, &ha->networks);
}

static void adopt_conf(void *ctx, struct ha_conf *conf, void *daemon_conf)
{
	struct ha *ha = ctx;

	free_read_conf(ha);
	ha->conf = conf;
	ha->daemon_conf = daemon_conf;
	set_filter(ha);
	tunnel_filter_changed(ha->tunnel);
	set_home_link_offer(ha);
	snmp_feed_source(ha->snmp)->reloads++;
	(void)tell_snmp_conf(ha); /* without memory, its lists are short until the next reload */
	log_set_level(ha->conf->log_level);
}

static void reload_done(void *ctx, int result)
{
	struct ha *ha = ctx;

	ha_networks_done(&ha->networks_before);
	if (result < 0)
		snmp_feed_source(ha->snmp)->reloads_refused++;
	else if (ha->daemon->warn)
		ha->daemon->warn(ha->daemon_conf);
}

static void answer_reload(void *ctx, int result)
{
	const struct ha *ha = ctx;

	ha_ctl_reloaded(ha->ctl, result, ha_reload_restart_keys(ha->reload));
}

static int open_reload(struct ha *ha)
{
	const struct ha_reload_env env = {
		.config = ha->options.config,
		.started = ha->started,
		.engine = &ha->engine,
		.loop = ha->loop,
		.state = ha->state,
		.read = read_again,
		.build = build_again,
		.discard = discard_conf,
		.lay_down = lay_down,
		.settings = settings_of,
		.nodes_change = nodes_change,
		.adopt = adopt_conf,
		.done = reload_done,
		.answer = answer_reload,
		.ctx = ha,
	};

	return ha_reload_open(&env, &ha->digest, &ha->reload);
}

static int begin_reload(void *ctx)
{
	const struct ha *ha = ctx;

	return ha_reload_begin(ha->reload);
}

static void on_reload(void *ctx)
{
	(void)begin_reload(ctx); /* it will have said what came of it */
}

static void add_status(void *ctx, struct ctl_reply *r)
{
	const struct ha *ha = ctx;
	const struct snmp_source *src = snmp_feed_source(ha->snmp);

	ctl_field(r, "requests-per-second", CTL_NUMBER);
	ctl_number(r, src->rate);
	ctl_field(r, "requests-per-second-peak", CTL_NUMBER);
	ctl_number(r, src->rate_peak);
	ctl_field(r, "snmp", CTL_STRING);
	ctl_string(r, snmp_feed_link(ha->snmp));
	if (ha->daemon->status)
		ha->daemon->status(ha->daemon_conf, r);
}

static void show_trusted_networks(void *ctx, struct ctl_reply *r)
{
	const struct ha *ha = ctx;

	ha->daemon->trusted_networks(ha->daemon_conf, r);
}

static struct conf_section conf_section(void *ctx, size_t section)
{
	const struct ha *ha = ctx;

	if (section == 0)
		return (struct conf_section){ ha_conf_rows, ha->conf };
	return (struct conf_section){ ha->daemon->conf_rows, ha->daemon_conf };
}

/* --- start and end --- */

static int open_socket(struct ha *ha)
{
	const struct reg_socket_conf conf = {
		.loop = ha->loop,
		.address = ha->conf->address,
		.port = ha->conf->port,
		.broadcasts = ha->networks.broadcasts,
		.broadcast_cnt = ha->networks.cnt,
		.fetch = fetch_datagram,
		.fetch_steps = ENGINE_FETCH_STEPS,
		.handle = handle_datagram,
		.commit = commit_batch,
		.heard = is_heard,
		.send_failed = send_failed,
		.withheld = reply_withheld,
		.ctx = ha,
		.address_floats = address_floats(ha->conf),
	};
	const char *remedy = "";
	int rc;

	rc = reg_socket_open(&conf, &ha->socket);
	if (rc == 0)
		return 0;
	if (rc == -EADDRINUSE)
		remedy = "; another home agent serves it, or somebody has the port on 0.0.0.0 "
			 "(ss -ulpn tells): stop that one, or give this one its own "
			 "home-agent.address";
	else if (rc == -EADDRNOTAVAIL)
		remedy = "; home-agent.address must be an address of this host";
	else if (rc == -EACCES || rc == -EPERM)
		remedy = "; a port below 1024 needs CAP_NET_BIND_SERVICE: start as root or by "
			 "systemd";
	log_error("cannot listen for registrations",
		  "event=start-failed address=%s port=%u error=\"%s%s\"",
		  addr_text(ha->conf->address).s, ha->conf->port, err_text(rc), remedy);
	return rc;
}

/* Where the control socket is; what else is there is gone with a reboot, too. */
static const char *run_dir_of(const struct ha_conf *conf, char run_dir[RUN_DIR_SIZE])
{
	(void)snprintf(run_dir, RUN_DIR_SIZE, "%s", conf->control.socket);
	*strrchr(run_dir, '/') = '\0';
	return run_dir;
}

static int open_tunnel(struct ha *ha)
{
	char run_dir[RUN_DIR_SIZE];
	const struct tunnel_conf conf =
		tunnel_conf_of(ha, ha->conf, &ha->networks, run_dir_of(ha->conf, run_dir));

	return tunnel_open(&conf, &ha->tunnel); /* it has logged what was refused */
}

static int open_home_links(struct ha *ha)
{
	struct home_link_network *networks = home_link_networks_of(ha->conf);
	const struct home_link_conf conf = {
		.networks = networks,
		.network_cnt = ha->conf->home_network_cnt,
		.home_agent = ha->conf->address,
		.port = ha->conf->port,
		.expected_nodes = ha->conf->mobile_node_cnt,
		.is_passive = address_floats(ha->conf) &&
			      ha->conf->state.replication.role == HA_CONF_ROLE_STANDBY,
		.offer = home_link_offer_of(ha->conf),
		.stats = &ha->engine.stats,
		.loop = ha->loop,
		.random = random_number,
	};
	int rc;

	if (!networks)
		return -ENOMEM;
	rc = home_link_open(&conf, &ha->home_link); /* it has logged what was refused */
	free(networks);
	return rc;
}

static int open_ctl(struct ha *ha)
{
	const struct ha_ctl_env env = {
		.name = ha->daemon->info.name,
		.engine = &ha->engine,
		.loop = ha->loop,
		.port = ha->conf->port,
		.tunnel = ha->tunnel,
		.device = ha->daemon->device,
		.state = ha->state,
		.cluster = ha->cluster,
		.status = add_status,
		.trusted_networks = ha->daemon->trusted_networks ? show_trusted_networks : NULL,
		.conf = conf_section,
		.reload = begin_reload,
		.ctx = ha,
	};
	const struct ha_conf *conf = ha->conf;
	const char *remedy = "";
	int rc;

	rc = ha_ctl_open(&env, conf->control.socket, conf->control.group, &ha->ctl);
	if (rc == -EADDRINUSE)
		remedy = "; another daemon answers there: stop it, or set control.socket";
	else if (rc == -ENOTSOCK)
		remedy = "; what is there is no socket and is left alone: move it away, or set "
			 "control.socket";
	else if (rc == ERR_NOT_FOUND)
		remedy = "; control.group must name a group of this host";
	else if (rc == -EACCES)
		remedy = "; the daemon's user must own its directory: chown that, or set "
			 "control.socket";
	if (rc < 0)
		log_error("cannot open the control socket",
			  "event=start-failed socket=%s group=%s error=\"%s%s\"",
			  conf->control.socket, conf->control.group ? conf->control.group : "-",
			  err_text(rc), remedy);
	return rc;
}

/* Answers that waited to be confirmed. */
static void release_replies(void *ctx, size_t cnt, bool send)
{
	struct ha *ha = ctx;

	if (!send)
		ha->engine.stats.batches_unconfirmed += cnt;
	reg_socket_release(ha->socket, cnt, send);
}

static void take_role(void *ctx, bool active)
{
	struct ha *ha = ctx;

	home_link_set_active(ha->home_link, active);
	if (active)
		wake_revocations(ha);
}

static int open_cluster(struct ha *ha)
{
	const struct ha_cluster_env env = {
		.engine = &ha->engine,
		.state = ha->state,
		.loop = ha->loop,
		.release = release_replies,
		.role = take_role,
		.ctx = ha,
	};
	int rc = ha_cluster_open(ha->conf, &env, &ha->cluster);

	if (rc < 0)
		log_error("cannot share state", "event=start-failed error=\"%s\"", err_text(rc));
	return rc;
}

static bool needs_bpf(const struct ha_conf *conf)
{
#ifdef HA_WITH_BPF
	return conf->tunnel.data_path != HA_CONF_DATA_PATH_TUN &&
	       conf->tunnel.data_path != HA_CONF_DATA_PATH_KERNEL;
#else
	(void)conf;
	return false;
#endif
}

/*
 * /sys/fs/bpf is usually closed to all but root. Who was root when we started and is no longer gets
 * to the daemon's own directory there by a descriptor from before.
 */
static void find_way_to_bpffs(struct ha *ha)
{
	const char *dir = ha->conf->tunnel.bpffs;

	if (ha->bpffs_fd < 0)
		return;
	if (faccessat(AT_FDCWD, dir, R_OK | W_OK | X_OK, AT_EACCESS) == 0) {
		(void)close(ha->bpffs_fd);
		ha->bpffs_fd = -1;
		return;
	}
	(void)snprintf(ha->bpffs_way, sizeof(ha->bpffs_way), "/proc/self/fd/%d", ha->bpffs_fd);
}

/* First of all: what is started and opened from here on has no more than what serving takes. */
static int drop_privileges(struct ha *ha)
{
	const struct ha_conf *conf = ha->conf;
	char run_dir[RUN_DIR_SIZE];
	const struct privs_dir dirs[] = {
		{ run_dir_of(conf, run_dir), 0755, false,
		  NULL }, /* the socket's own mode says who may use it */
		{ conf->state.directory, 0700, true, NULL },
		{ conf->tunnel.bpffs, needs_bpf(conf) ? 0700 : 0, false, &ha->bpffs_fd },
	};
	const struct privs_conf privs = {
		.user = conf->privileges.user,
		.group = conf->control.group,
		.bpf = needs_bpf(conf),
		.file = ha->options.config,
		.dirs = dirs,
		.dir_cnt = sizeof(dirs) / sizeof(dirs[0]),
	};
	int rc;

	rc = privs_drop(&privs);
	if (rc == 0)
		find_way_to_bpffs(ha);
	return rc;
}

static int open_events(struct ha *ha)
{
	ha->sigterm = loop_signal_new(ha->loop, SIGTERM, on_stop, ha);
	ha->sigint = loop_signal_new(ha->loop, SIGINT, on_stop, ha);
	ha->sighup = loop_signal_new(ha->loop, SIGHUP, on_reload, ha);
	ha->tick = loop_timer_new(ha->loop, on_tick, ha);
	ha->expiries = loop_timer_new(ha->loop, on_expiries, ha);
	ha->revocations = loop_timer_new(ha->loop, on_revocations, ha);
	if (!ha->sigterm || !ha->sigint || !ha->sighup || !ha->tick || !ha->expiries ||
	    !ha->revocations)
		return -ENOMEM;
	(void)signal(SIGPIPE, SIG_IGN);
	loop_timer_start(ha->tick, TICK_MS, TICK_MS);
	return 0;
}

static void close_all(struct ha *ha)
{
	ha_reload_close(ha->reload);
	ha_ctl_close(ha->ctl);
	snmp_feed_close(ha->snmp);
	home_link_close(ha->home_link);
	reg_socket_close(ha->socket);
	ha->tunnel = tunnel_close(ha->tunnel);
	if (ha->bpffs_fd >= 0)
		(void)close(ha->bpffs_fd);
	ha_cluster_close(ha->cluster);
	ha_state_close(ha->state);
	engine_done(&ha->engine);
	loop_timer_free(ha->revocations);
	loop_timer_free(ha->expiries);
	loop_timer_free(ha->tick);
	loop_signal_free(ha->sighup);
	loop_signal_free(ha->sigint);
	loop_signal_free(ha->sigterm);
	loop_free(ha->loop);
	ha_networks_done(&ha->networks_before);
	ha_networks_done(&ha->networks);
	free_read_conf(ha);
	ha_conf_free(ha->started);
}

static int open_nodes(struct ha *ha)
{
	int rc;

	if (ha->conf->mobile_node_cnt >= MANY_NODES)
		huge_ahead_start();
	rc = ha_networks_copy(ha->conf, &ha->networks);
	if (rc == 0)
		rc = open_events(ha);
	if (rc == 0)
		rc = open_engine(ha, &ha->engine, ha->conf, ha->daemon_conf);
	if (rc == 0)
		rc = release_nodes(ha);
	if (rc < 0) {
		huge_ahead_stop();
		log_error("cannot start", "event=start-failed error=\"%s\"", err_text(rc));
	}
	return rc;
}

/* Each logs what it could not do. */
static int open_service(struct ha *ha)
{
	int rc;

	rc = open_socket(ha);
	if (rc == 0)
		rc = open_tunnel(ha);
	if (rc == 0)
		rc = open_home_links(ha);
	if (rc == 0)
		rc = ha_state_open(ha->conf, ha->daemon->info.name, &ha->engine, ha->loop,
				   &ha->state);
	if (rc == 0)
		rc = ha_state_restore(ha->state);
	huge_ahead_stop();
	if (rc == 0)
		rc = open_cluster(ha);
	if (rc == 0)
		tunnel_reconcile(ha->tunnel);
	if (rc == 0)
		rc = open_ctl(ha);
	if (rc == 0)
		rc = open_snmp(ha);
	if (rc == 0 && ha->conf->privileges.system_call_filter)
		rc = privs_filter(needs_bpf(ha->conf));
	return rc;
}

static int serve(struct ha *ha)
{
	int rc;

	rc = drop_privileges(ha); /* it has logged what was refused */
	if (rc < 0)
		return rc;
	rc = start_snmp(ha);
	if (rc < 0) {
		log_error("cannot start the SNMP child", "event=start-failed error=\"%s\"",
			  err_text(rc));
		return rc;
	}
	ha->loop = loop_new();
	if (!ha->loop)
		return -ENOMEM;
	rc = open_nodes(ha);
	if (rc < 0)
		return rc;
	set_filter(ha);
	rc = open_service(ha);
	if (rc == 0)
		rc = open_reload(ha);
	if (rc < 0)
		return rc;
	log_info("serving",
		 "event=started version=%s address=%s port=%u data-path=%s device=%s "
		 "mobile-nodes=%zu",
		 HOME_AGENT_VERSION, addr_text(ha->conf->address).s, ha->conf->port,
		 tunnel_name(ha->tunnel), ha->daemon->device, ha->engine.nodes.cnt);
	if (ha->daemon->warn)
		ha->daemon->warn(ha->daemon_conf);
	thread_come_first();
	daemon_ready("serving");
	loop_run(ha->loop);
	daemon_stopping();
	return 0;
}

/* By whoever may, with no daemon there: what was kept forwarding, or left by a kill. */
static int remove_data_path(const struct ha_daemon *daemon, const struct ha_conf *conf)
{
	char run_dir[RUN_DIR_SIZE];
	const struct tunnel_conf tunnel = {
		.device = daemon->device,
		.home_agent = conf->address,
		.run_dir = run_dir_of(conf, run_dir),
		.bpffs = conf->tunnel.bpffs,
		.bpffs_stays = true,
	};
	int rc = tunnel_remove(&tunnel);

	if (rc < 0)
		log_error("cannot take away what is forwarding",
			  "event=data-path-not-removed device=%s error=\"%s\" remedy=\"%s\"",
			  daemon->device, err_text(rc),
			  rc == -EBUSY ? "stop the daemon first" : "start as root");
	return rc < 0 ? DAEMON_EXIT_SYSTEM : DAEMON_EXIT_DONE;
}

int ha_main(const struct ha_daemon *daemon, int argc, char **argv)
{
	struct ha ha = { .daemon = daemon, .bpffs_fd = -1 };
	int rc;

	/* What a reload's thread has read and freed is to be given back, or to be of use to us. */
	(void)mallopt(M_ARENA_MAX, 1);
	/* A file of a million nodes, a segment of the journal: gone when freed. */
	(void)mallopt(M_MMAP_THRESHOLD, MAPPED_FROM);
	rc = daemon_options(&daemon->info, argc, argv, &ha.options);
	if (rc >= 0)
		return rc;
	log_open(daemon->info.name, LOG_LEVEL_INFO);
	rc = read_conf(daemon, &ha.options, &ha.conf, &ha.daemon_conf);
	if (rc == ERR_CONFIG)
		return DAEMON_EXIT_CONFIG;
	if (rc < 0) {
		log_error("cannot read the configuration",
			  "event=start-failed config=%s error=\"%s\"", ha.options.config,
			  err_text(rc));
		return DAEMON_EXIT_SYSTEM;
	}
	if (ha.options.check || ha.options.remove) {
		rc = ha.options.check ? DAEMON_EXIT_DONE : remove_data_path(daemon, ha.conf);
		free_conf(daemon, ha.conf, ha.daemon_conf);
		return rc;
	}
	ha.started = ha.conf;
	log_set_level(ha.conf->log_level);
	rc = serve(&ha);
	close_all(&ha);
	return rc < 0 ? DAEMON_EXIT_SYSTEM : DAEMON_EXIT_DONE;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A reload. A million nodes take a second or two to read, so that is done beside the loop; so is
 * making its tables and comparing them with those in use, if there is a difference at all. What has
 * changed is carried out in turns of a millisecond, requests in between. All or nothing: a
 * faulty file, or one that cannot be carried out, changes nothing. What asks for another one
 * meanwhile is answered by that: the file may have changed since it was read.
 */
#include "ha-core/ha_reload.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "common/err.h"
#include "common/log.h"
#include "common/task.h"
#include "ha-core/engine/reload.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURN_US      1000 /* then whoever else has something to do does it */
#define CNT_PER_LOOK 16   /* at the clock: nodes that change, or bindings that are looked at */

struct ha_reload {
	struct ha_reload_env env;
	bool is_running;
	bool again;        /* it was asked for meanwhile */
	struct task *task; /* reads, or takes down */
	struct loop_timer *turn;
	int rc;
	char restart_keys[512]; /* of the last that was carried out: what waits for a restart */
	struct ha_conf_digest running; /* of the configuration in force */
	struct ha_conf *conf;          /* what was read; NULL: nothing, or it is in use */
	void *daemon_conf;
	struct ha_conf_digest digest; /* of conf */
	struct engine *fresh;         /* its associations; NULL: they are the same */
	struct engine_reload difference;
};

/* --- what belongs to one run --- */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_list(char *const *a, size_t a_cnt, char *const *b, size_t b_cnt)
{
	size_t i;

	for (i = 0; a_cnt == b_cnt && i < a_cnt; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return a_cnt == b_cnt;
}

static bool same_replication(const struct ha_conf *old, const struct ha_conf *new)
{
	const struct ha_conf_replication *a = &old->state.replication;
	const struct ha_conf_replication *b = &new->state.replication;

	return same_list(a->servers, a->server_cnt, b->servers, b->server_cnt) &&
	       same_text(a->sentinel_master, b->sentinel_master) && same_text(a->user, b->user) &&
	       same_text(a->password, b->password) && same_text(a->prefix, b->prefix) &&
	       a->tls == b->tls && same_text(a->tls_ca_file, b->tls_ca_file) &&
	       same_text(a->tls_certificate, b->tls_certificate) &&
	       same_text(a->tls_key_file, b->tls_key_file) && same_text(a->tls_name, b->tls_name) &&
	       same_text(a->name, b->name) && a->role == b->role &&
	       a->durability == b->durability && a->replicas == b->replicas &&
	       a->confirm_timeout_ms == b->confirm_timeout_ms && a->unconfirmed == b->unconfirmed &&
	       a->stream_length == b->stream_length && a->queue_limit == b->queue_limit &&
	       a->lease_reserve == b->lease_reserve;
}

static bool is_beyond_kernel_tier(const struct ha_conf *conf)
{
	return conf->tunnel.data_path == HA_CONF_DATA_PATH_KERNEL &&
	       conf->tunnel.mss_clamp == HA_CONF_MSS_CLAMP_ALL;
}

/* Settings that belong to one run: in which of them the new file differs from what runs. */
static void warn_of_restart(struct ha_reload *r)
{
	const struct ha_conf *old = r->env.started, *new = r->conf;
	const struct {
		const char *key;
		bool same;
	} rows[] = {
		{ "home-agent.address", addr_eq(old->address, new->address) },
		{ "home-agent.port", old->port == new->port },
		{ "tunnel.data-path", old->tunnel.data_path == new->tunnel.data_path },
		/* A tier that could not clamp was not opened, and is at a start only. */
		{ "tunnel.mss-clamp", !is_beyond_kernel_tier(old) || is_beyond_kernel_tier(new) ||
					      old->tunnel.data_path != new->tunnel.data_path },
		{ "tunnel.bpffs", same_text(old->tunnel.bpffs, new->tunnel.bpffs) },
		{ "tunnel.fast-path-nodes",
		  old->tunnel.fast_path_nodes == new->tunnel.fast_path_nodes },
		{ "state", same_text(old->state.directory, new->state.directory) &&
				   old->state.sync == new->state.sync &&
				   old->state.sync_interval_s == new->state.sync_interval_s &&
				   old->state.journal_size_mib == new->state.journal_size_mib },
		{ "state.replication", same_replication(old, new) },
		{ "control.socket", same_text(old->control.socket, new->control.socket) },
		{ "control.group", same_text(old->control.group, new->control.group) },
		{ "privileges", same_text(old->privileges.user, new->privileges.user) &&
					old->privileges.system_call_filter ==
						new->privileges.system_call_filter },
	};
	char *keys = r->restart_keys;
	size_t i, len = 0;

	keys[0] = '\0';
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]) && len < sizeof(r->restart_keys); i++)
		if (!rows[i].same)
			len += (size_t)snprintf(keys + len, sizeof(r->restart_keys) - len, "%s%s",
						len > 0 ? ", " : "", rows[i].key);
	if (len > 0)
		log_warning("some changes take effect at the next start only",
			    "event=restart-needed config=%s keys=\"%s\"", r->env.config, keys);
}

/* --- carrying it out --- */

static int compare(struct ha_reload *r)
{
	int rc = engine_reload_compare(&r->difference, r->env.engine, r->fresh);

	if (rc < 0) {
		engine_reload_done(&r->difference);
		engine_done(r->fresh);
	}
	return rc;
}

/* In the thread. */
static void read_again(void *ctx)
{
	struct ha_reload *r = ctx;

	r->rc = r->env.read(r->env.ctx, &r->conf, &r->daemon_conf);
	if (r->rc < 0)
		return;
	r->digest = r->running;
	ha_conf_sum(r->conf, &r->digest);
	if (memcmp(&r->digest, &r->running, sizeof(r->digest)) != 0) {
		r->fresh = calloc(1, sizeof(*r->fresh));
		r->rc = r->fresh ? r->env.build(r->env.ctx, r->fresh, r->conf, r->daemon_conf)
				 : -ENOMEM;
		if (r->rc == 0)
			r->rc = compare(r);
	}
	ha_conf_release_nodes(r->conf);
}

/* In the thread: what no binding points to any more. */
static void discard_tables(void *ctx)
{
	struct ha_reload *r = ctx;

	engine_reload_done(&r->difference);
	if (!r->fresh)
		return;
	engine_done(r->fresh);
	free(r->fresh);
	r->fresh = NULL;
	(void)malloc_trim(0); /* megabytes, which glibc would keep for later */
}

static void end_reload(void *ctx)
{
	struct ha_reload *r = ctx;
	int rc = r->rc;

	r->task = task_free(r->task);
	r->is_running = false;
	if (r->again) {
		r->again = false;
		rc = ha_reload_begin(r);
	}
	if (rc <= 0)
		r->env.answer(r->env.ctx, rc);
}

/* Without a thread for it now, it is done here. */
static void clear_away(struct ha_reload *r)
{
	if (r->fresh && task_start(r->env.loop, discard_tables, end_reload, r, &r->task) == 0)
		return;
	discard_tables(r);
	end_reload(r);
}

static void refuse(struct ha_reload *r, int rc)
{
	log_error("reload refused, the running configuration stays",
		  "event=reload-failed config=%s error=\"%s\"", r->env.config, err_text(rc));
	r->env.done(r->env.ctx, rc);
	daemon_ready("serving; the last reload was refused");
}

static void finish(struct ha_reload *r)
{
	const struct engine_reload *d = &r->difference;

	if (r->fresh)
		r->env.nodes_change(r->env.ctx, false);
	(void)ha_state_commit(r->env.state); /* what has ended is forgotten, then it is told */
	log_info("configuration reloaded",
		 "event=reloaded config=%s mobile-nodes=%zu added=%zu changed=%zu gone=%zu "
		 "ended=%zu",
		 r->env.config, r->env.engine->nodes.cnt, d->added.cnt, d->changed.cnt, d->gone.cnt,
		 d->ended);
	if (d->failed > 0) {
		log_error("some mobile nodes are as they were before the reload",
			  "event=reload-incomplete config=%s mobile-nodes=%zu error=\"%s\" "
			  "remedy=\"give it memory, and reload\"",
			  r->env.config, d->failed, err_text(-ENOMEM));
		r->running.sums[0] ^= 1; /* the next one compares again, whatever the file says */
	}
	r->env.done(r->env.ctx, 0);
	daemon_ready("serving");
	clear_away(r);
}

static void on_turn(void *ctx)
{
	const uint64_t begun_us = clock_mono_us();
	struct ha_reload *r = ctx;

	while (engine_reload_some(&r->difference, r->env.engine, CNT_PER_LOOK))
		if (clock_mono_us() - begun_us >= TURN_US) {
			loop_timer_start(r->turn, 0, 0);
			return;
		}
	finish(r);
}

/* The file was read, and can be carried out. */
static void apply(struct ha_reload *r)
{
	const struct engine_conf settings = r->env.settings(r->env.ctx, r->conf);

	warn_of_restart(r);
	if (r->fresh)
		r->env.nodes_change(r->env.ctx, true);
	engine_reload_begin(&r->difference, r->env.engine, &settings, r->daemon_conf);
	r->env.adopt(r->env.ctx, r->conf, r->daemon_conf);
	r->running = r->digest;
	r->conf = NULL;
	r->daemon_conf = NULL;
}

static void drop_conf(struct ha_reload *r)
{
	r->env.discard(r->env.ctx, r->conf, r->daemon_conf);
	r->conf = NULL;
	r->daemon_conf = NULL;
}

static void on_read_again(void *ctx)
{
	struct ha_reload *r = ctx;

	r->task = task_free(r->task);
	if (r->rc < 0) {
		free(r->fresh); /* it is not open */
		r->fresh = NULL;
	} else {
		r->rc = r->env.lay_down(r->env.ctx, r->conf);
	}
	if (r->rc < 0) {
		drop_conf(r);
		refuse(r, r->rc);
		clear_away(r);
		return;
	}
	apply(r);
	on_turn(r);
}

int ha_reload_begin(struct ha_reload *r)
{
	int rc;

	if (r->is_running) {
		r->again = true;
		return 1;
	}
	daemon_reloading();
	rc = task_start(r->env.loop, read_again, on_read_again, r, &r->task);
	if (rc < 0) {
		refuse(r, rc);
		return rc;
	}
	r->is_running = true;
	return 1;
}

int ha_reload_open(const struct ha_reload_env *env, const struct ha_conf_digest *running,
		   struct ha_reload **ret_reload)
{
	struct ha_reload *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->env = *env;
	r->turn = loop_timer_new(env->loop, on_turn, r);
	if (!r->turn) {
		free(r);
		return -ENOMEM;
	}
	r->running = *running;
	*ret_reload = r;
	return 0;
}

const char *ha_reload_restart_keys(const struct ha_reload *r)
{
	return r ? r->restart_keys : "";
}

bool ha_reload_is_running(const struct ha_reload *r)
{
	return r && r->is_running;
}

struct ha_reload *ha_reload_close(struct ha_reload *r)
{
	if (!r)
		return NULL;
	r->task = task_free(r->task);
	loop_timer_free(r->turn);
	if (r->rc == 0)
		discard_tables(r);
	free(r->fresh); /* it is not open */
	drop_conf(r);
	free(r);
	return NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ring around cluster.c, as ha_state.c is around the store: ha.c opens it, tells it which nodes
 * changed and when a batch is committed, and ha_ctl.c has it answer "show cluster".
 *
 * A record of a node is what the store has of it (memory.c): lease, bindings, the last
 * Identification of each association. Of two the newer wins, here, at the server and at every other
 * host: the one with the newer Identification of an accepted request (RFC 5944 §5.7: they only ever
 * grow), and among equals, and for nodes that use nonces, the later change. Changes are numbered by
 * a clock that never goes back and that is set forward to whatever number is seen (Lamport's, with
 * the time of day in it); the lowest bits are the host's own, so that no two changes have one
 * number.
 *
 * What time alone does is not shared: each host ends what has expired by itself, so that a clock
 * that is ahead takes no binding away from the others.
 *
 * Hot standby: a host that stands by takes over every record, its data path included, and answers
 * nobody. Once promoted it looks first, for confirm-timeout at most, at what it has not read yet.
 * The other host may have accepted requests that nobody else knows of: so from then on timestamps
 * from before the promotion are replays, and nonces that were given by the other are not good.
 */
#include "ha-core/ha_cluster.h"

#include "common/err.h"
#include "common/log.h"
#include "ha-core/engine/memory.h"
#include "ha-core/wire/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define NODES_PER_TURN 2048
#define VERSION_STEP   4096u /* versions of one host differ by it at least: 1 us */
#define NOTE_VERSION   1
#define BLOCK_LEN      (32 - POOL_BLOCK_BITS)
#define REST_MS        1500 /* longer than from one sign of life of a host to the next */
/* Identifications and versions are counted from 1968 on, RFC 4330 §3: until 2104 they only grow. */
#define ERA (UINT64_C(0x80000000) << 32)

_Static_assert(CLUSTER_KEY_MAX == MEMORY_KEY_MAX && CLUSTER_VALUE_MAX == MEMORY_VALUE_MAX,
	       "a record is a record");

struct ha_cluster {
	struct ha_cluster_env env;
	struct cluster *cluster;
	struct loop_timer *later; /* commits, and sends */
	bool is_pending, is_quiet;
	bool is_active, is_settling;
	bool is_reloading;
	bool was_reloaded; /* nodes may wait under names that they had */
	bool withholds;    /* answers that cannot be confirmed */
	uint64_t version;
	uint32_t own_bits; /* of versions of ours */
	uint32_t scan;
	uint64_t promoted_ms;
	uint32_t lease_reserve;
	struct loop_timer *rest;
	enum { REST_NONE, REST_BEGUN, REST_MARKED, REST_READ } rest_step;
	uint64_t rest_mark, rest_breaks; /* entry; outages and scans when it began */
	char name[CLUSTER_NAME_MAX + 1];
	char *prefix, *user, *password, *sentinel_master; /* owned: a reload frees the file's */
	char *tls_ca_file, *tls_certificate, *tls_key_file, *tls_name; /* the same */
	struct tls_conf tls;                                           /* of these */
};

/* --- ranks --- */

static uint64_t counted(uint64_t ntp)
{
	return ntp ? ntp - ERA : 0;
}

static struct cluster_rank rank_of(const struct sa_peer *node)
{
	const struct sa_shared *shared = sa_peer_shared_of(node);

	return shared ? (struct cluster_rank){ counted(shared->ident), counted(shared->version) }
		      : (struct cluster_rank){ 0 };
}

static void note_version(struct ha_cluster *hc, uint64_t version)
{
	if (version != 0 && (hc->version == 0 || clock_ntp_diff(version, hc->version) > 0))
		hc->version = version;
}

static uint64_t next_version(struct ha_cluster *hc)
{
	const uint64_t mask = VERSION_STEP - 1;
	uint64_t next = hc->version + VERSION_STEP, now = loop_now(hc->env.loop)->ntp;

	if (hc->version == 0 || clock_ntp_diff(now, next) > 0)
		next = now;
	hc->version = (next & ~mask) | hc->own_bits;
	return hc->version;
}

/* --- changes of ours --- */

static void on_later(void *ctx)
{
	struct ha_cluster *hc = ctx;

	hc->is_pending = false;
	if (ha_state_commit(hc->env.state) == 0)
		cluster_flush(hc->cluster);
}

static void queue_node(struct ha_cluster *hc, const struct sa_peer *node)
{
	uint8_t key[MEMORY_KEY_MAX];

	if (sa_peer_shared_of(node)->is_queued)
		return;
	sa_peer_shared_of(node)->is_queued = true;
	cluster_put(hc->cluster, key, memory_key(node, key));
	if (hc->is_pending)
		return;
	hc->is_pending = true;
	loop_timer_start(hc->later, 0, 0);
}

void ha_cluster_touched(struct ha_cluster *hc, const struct sa_peer *const_node)
{
	struct sa_peer *node = (struct sa_peer *)(uintptr_t)const_node; /* of our engine */

	if (!hc || hc->is_quiet || !hc->is_active || !sa_peer_shared(&hc->env.engine->nodes, node))
		return;
	sa_peer_shared_of(node)->version = next_version(hc);
	queue_node(hc, node);
}

void ha_cluster_quiet(struct ha_cluster *hc, bool quiet)
{
	if (hc)
		hc->is_quiet = quiet;
}

int ha_cluster_commit(struct ha_cluster *hc)
{
	int rc;

	if (!hc)
		return 0;
	cluster_flush(hc->cluster);
	rc = cluster_hold(hc->cluster);
	return rc < 0 && !hc->withholds ? 0 : rc;
}

/* --- hooks --- */

/* A reload may have taken it away meanwhile. */
static struct sa_peer *node_of(const struct ha_cluster *hc, const uint8_t *key, size_t key_len)
{
	struct sa_peer *node = memory_node(hc->env.engine, key, key_len);

	return node && sa_peer_shared_of(node) ? node : NULL;
}

static bool encode(void *ctx, const uint8_t *key, size_t key_len, struct cluster_record *out)
{
	struct ha_cluster *hc = ctx;
	struct sa_peer *node = node_of(hc, key, key_len);

	if (!node)
		return false;
	sa_peer_shared_of(node)->is_queued = false;
	out->rank = rank_of(node);
	out->value_len = ha_state_encode(hc->env.state, node, out->key, &out->key_len, out->value);
	return out->value_len > 0;
}

static void requeue(void *ctx, const uint8_t *key, size_t key_len)
{
	struct ha_cluster *hc = ctx;
	struct sa_peer *node = node_of(hc, key, key_len);

	if (node)
		queue_node(hc, node);
}

static void dropped(void *ctx, const uint8_t *key, size_t key_len)
{
	struct sa_peer *node = node_of(ctx, key, key_len);

	if (node)
		sa_peer_shared_of(node)->is_queued = false;
}

static void tell_of_clock(struct ha_cluster *hc, const struct sa_peer *node)
{
	static struct log_limit limit = { .burst = 3,
					  .interval_ms = 60000,
					  .event = "cluster-clock" };

	log_write_limited(&limit, loop_now(hc->env.loop)->mono_ms, LOG_LEVEL_WARNING,
			  "another host has accepted a request from our future: clocks differ",
			  "event=cluster-clock home-address=%s remedy=\"synchronise the clocks\"",
			  addr_text(node->addr).s);
}

/* The address that it had is a newer node's: whoever else knows of it is to know that, too. */
static void tell_of_lease(struct ha_cluster *hc, struct sa_peer *node)
{
	log_notice("two nodes were given one address by two hosts: the newer one keeps it",
		   "event=cluster-lease-lost nai=%s",
		   log_value((const char *)sa_peer_nai(node), sa_peer_nai_len(node)).s);
	ha_cluster_touched(hc, node);
	ha_state_touched(hc->env.state, node);
}

/* What it is for hosts of one configuration not to have one: nobody's fault but the files'. */
static void tell_of_difference(struct ha_cluster *hc, const struct sa_peer *node,
			       const struct memory_restored *out)
{
	static struct log_limit limit = { .burst = 3,
					  .interval_ms = 60000,
					  .event = "cluster-differs" };

	log_write_limited(&limit, loop_now(hc->env.loop)->mono_ms, LOG_LEVEL_WARNING,
			  "what another host has granted is not to be had by this one's "
			  "configuration",
			  "event=cluster-differs home-address=%s nai=%s refused-bindings=%u "
			  "reason=%s remedy=\"give all hosts one configuration\"",
			  addr_text(node->addr).s,
			  log_value((const char *)sa_peer_nai(node), sa_peer_nai_len(node)).s,
			  out->refused, out->lease_unknown ? "no-such-pool" : "key-or-source");
}

static void tell_of_record(const struct ha_cluster *hc, const struct cluster_record *record, int rc)
{
	static struct log_limit limit = { .burst = 3,
					  .interval_ms = 60000,
					  .event = "cluster-record" };

	log_write_limited(&limit, loop_now(hc->env.loop)->mono_ms, LOG_LEVEL_WARNING,
			  "a record of another host is not understood",
			  "event=cluster-record key=%s entry=%llu error=\"%s\" remedy=\"%s\"",
			  log_value(record->key, record->key_len).s,
			  (unsigned long long)record->sequence, err_text(rc),
			  rc == ERR_UNSUPPORTED ? "bring this host to the newer version"
						: "see who writes there");
}

/* By its rank it is what we know. In the snapshot it has to be that by what is in it, too. */
static bool is_as_told(const struct ha_cluster *hc, const struct cluster_record *record)
{
	int rc = record->sequence == 0 ? memory_check(hc->env.engine, record->key, record->key_len,
						      record->value, record->value_len)
				       : 0;

	if (rc == ERR_MALFORMED)
		tell_of_record(hc, record, rc);
	return rc != ERR_MALFORMED;
}

static bool apply(void *ctx, const struct cluster_record *record)
{
	struct ha_cluster *hc = ctx;
	struct sa_peer *node = memory_node(hc->env.engine, record->key, record->key_len);
	struct cluster_rank ours;
	struct memory_restored out;
	int order, rc;

	if (!node)
		return true; /* not configured here, or not yet: a reload looks again */
	ours = rank_of(node);
	order = cluster_rank_compare(&record->rank, &ours);
	note_version(hc, record->rank.version + ERA);
	if (order == 0 && !is_as_told(hc, record))
		return false;
	if (order == 0 && sa_peer_shared_of(node))
		sa_peer_shared_of(node)->scan = hc->scan; /* nobody needs to be told */
	if (order <= 0)
		return true;
	rc = ha_state_follow(hc->env.state, record->key, record->key_len, record->value,
			     record->value_len, &out);
	if (rc < 0) {
		tell_of_record(hc, record, rc);
		return rc == ERR_UNSUPPORTED;
	}
	if (sa_peer_shared_of(node))
		sa_peer_shared_of(node)->scan = hc->scan;
	if (out.clock_was_ahead)
		tell_of_clock(hc, node);
	if (out.lease_lost)
		tell_of_lease(hc, node);
	else if (out.lease_unknown || out.refused > 0)
		tell_of_difference(hc, node, &out);
	return true;
}

static void scan_begins(void *ctx)
{
	struct ha_cluster *hc = ctx;

	hc->scan++;
}

/* A reload takes nodes out of the table: it ends the walk, and none begins while it lasts. */
static bool sweep(void *ctx, void **cursor, bool has_scanned, uint64_t version)
{
	struct ha_cluster *hc = ctx;
	struct sa_peer *node = *cursor ? *cursor : hc->env.engine->nodes.peers;
	size_t cnt = NODES_PER_TURN;

	if (hc->is_reloading)
		return true;
	for (; node && cnt > 0; node = node->next, cnt--) {
		if (!sa_peer_shared_of(node) || sa_peer_shared_of(node)->version == 0)
			continue;
		if (has_scanned ? sa_peer_shared_of(node)->scan == hc->scan
				: clock_ntp_diff(sa_peer_shared_of(node)->version, version) <= 0)
			continue;
		if (hc->was_reloaded)
			sa_peer_shared_of(node)->is_queued = false;
		queue_node(hc, node);
	}
	*cursor = node;
	hc->was_reloaded &= node != NULL;
	return node != NULL;
}

static uint64_t version(void *ctx)
{
	const struct ha_cluster *hc = ctx;

	return hc->version;
}

static void keep_place(void *ctx, const struct cluster_place *place)
{
	struct ha_cluster *hc = ctx;
	uint8_t note[HA_STATE_NOTE_MAX];
	struct wire_writer w = wire_writer(note, sizeof(note));

	wire_put_u8(&w, NOTE_VERSION);
	wire_put_u64(&w, place->sequence);
	wire_put_u64(&w, place->version);
	wire_put_bytes(&w, (const uint8_t *)place->epoch, sizeof(place->epoch));
	wire_put_bytes(&w, (const uint8_t *)place->server, sizeof(place->server));
	if (!w.failed)
		ha_state_put_note(hc->env.state, note, wire_len(&w));
}

static void get_place(const struct ha_cluster *hc, struct cluster_place *out)
{
	uint8_t note[HA_STATE_NOTE_MAX];
	struct wire_reader r = wire_reader(note, ha_state_get_note(hc->env.state, note));
	const uint8_t *epoch, *server;
	struct cluster_place place = { 0 };
	uint8_t kind = wire_u8(&r);

	*out = (struct cluster_place){ 0 };
	place.sequence = wire_u64(&r);
	place.version = wire_u64(&r);
	epoch = wire_bytes(&r, sizeof(place.epoch));
	server = wire_bytes(&r, sizeof(place.server));
	if (r.failed || kind != NOTE_VERSION)
		return;
	memcpy(place.epoch, epoch, sizeof(place.epoch) - 1);
	memcpy(place.server, server, sizeof(place.server) - 1);
	*out = place;
}

/* --- addresses to give --- */

/*
 * Of a block that was ours before this process began, what is free may just be coming back: a host
 * that has not heard that its lease is over may be renewing it. That it did rest is not known any
 * more, so it rests (anew).
 */
static void claimed(void *ctx, struct addr_prefix block, enum cluster_owner owner)
{
	struct ha_cluster *hc = ctx;
	struct pool *pool = &hc->env.engine->pool;
	const uint32_t number = addr_host(block.addr) >> POOL_BLOCK_BITS;

	if (block.len != BLOCK_LEN)
		return;
	if (owner == CLUSTER_OURS_BEFORE)
		pool_resume_block(pool, number);
	else if (!pool_set_block(pool, number, owner == CLUSTER_OURS))
		log_warning("addresses of this host are another one's: it gives no more of them",
			    "event=cluster-block-lost block=%s", addr_prefix_text(block).s);
}

static void put_blocks(const uint32_t *blocks, size_t cnt, struct addr_prefix *out)
{
	for (; cnt > 0; cnt--, out++, blocks++)
		*out = (struct addr_prefix){ addr_from_host(*blocks << POOL_BLOCK_BITS),
					     BLOCK_LEN };
}

/* Some are left to the others, however small the pools are. */
static size_t reserve_of(const struct ha_cluster *hc)
{
	const size_t share = (pool_size(&hc->env.engine->pool) + 7) / 8;

	return hc->lease_reserve < share ? hc->lease_reserve : share;
}

/* What rests comes back in seconds, unless there is a host that does not tell. */
static size_t soon_rested(const struct ha_cluster *hc)
{
	const uint64_t now_ms = loop_now(hc->env.loop)->mono_ms;
	struct cluster_health h;
	size_t i;

	cluster_get_health(hc->cluster, &h);
	for (i = 0; i < h.peer_cnt; i++)
		if (now_ms - h.peers[i].seen_ms > CLUSTER_SILENT_MS)
			return 0;
	return pool_resting_cnt(&hc->env.engine->pool);
}

static size_t wants(void *ctx, struct addr_prefix out_blocks[static CLUSTER_BLOCKS_MAX])
{
	static struct log_limit limit = { .burst = 1,
					  .interval_ms = 60000,
					  .event = "cluster-blocks-gone" };
	const struct ha_cluster *hc = ctx;
	const struct pool *pool = &hc->env.engine->pool;
	const size_t reserve = reserve_of(hc), has = pool_free_cnt(pool);
	uint32_t blocks[CLUSTER_BLOCKS_MAX];
	size_t cnt, soon;

	if (has >= reserve)
		return 0;
	soon = soon_rested(hc);
	cnt = (reserve - has + POOL_BLOCK_SIZE - 1) / POOL_BLOCK_SIZE;
	cnt = cnt < CLUSTER_BLOCKS_MAX ? cnt : CLUSTER_BLOCKS_MAX;
	if (has + soon >= reserve)
		cnt = has == 0; /* for who comes until then */
	cnt = pool_unclaimed(pool, blocks, cnt);
	put_blocks(blocks, cnt, out_blocks);
	if (cnt == 0 && has + soon == 0)
		log_write_limited(&limit, loop_now(hc->env.loop)->mono_ms, LOG_LEVEL_WARNING,
				  "every address is leased, or another host's to give",
				  "event=cluster-blocks-gone remedy=\"larger dynamic pools\"");
	return cnt;
}

/* Has every host that there is read up to here, and nothing to tell that it did before? */
static bool all_have_read(const struct cluster_health *h, uint64_t sequence)
{
	size_t i;

	for (i = 0; i < h->peer_cnt; i++)
		if (h->peers[i].sequence < sequence || h->peers[i].queued > 0)
			return false;
	return h->peer_cnt < CLUSTER_PEER_MAX; /* or there may be more */
}

/* When there is no block left to claim: who is away for long loses its address to who comes. */
static void end_leases(struct ha_cluster *hc)
{
	const struct pool *pool = &hc->env.engine->pool;
	const size_t coming = pool_free_cnt(pool) + pool_resting_cnt(pool);
	uint32_t block;

	if (hc->is_active && coming < reserve_of(hc) && pool_unclaimed(pool, &block, 1) == 0)
		engine_end_idle_leases(hc->env.engine, reserve_of(hc) - coming);
}

/*
 * What was given back may be given again once every host knows that nobody has it. In steps, one a
 * turn, for what is known of the others is a second old: all that was given back is shared (BEGUN);
 * then the newest entry is behind it (MARKED); all hosts have read that entry, and told what they
 * had accepted before (READ); and that has been read here. An outage or a scan meanwhile: anew.
 */
static void on_rest(void *ctx)
{
	struct ha_cluster *hc = ctx;
	struct pool *pool = &hc->env.engine->pool;
	struct cluster_health h;
	bool is_even;

	cluster_get_health(hc->cluster, &h);
	if (h.link != CLUSTER_FOLLOWING || hc->rest_breaks != h.outages + h.scans)
		hc->rest_step = REST_NONE;
	hc->rest_breaks = h.outages + h.scans;
	if (h.link != CLUSTER_FOLLOWING)
		return;
	is_even = h.queued == 0 && cluster_lag_entries(&h, h.sequence) == 0;
	switch (hc->rest_step) {
	case REST_NONE:
		end_leases(hc);
		if (!is_even || hc->is_pending || pool_resting_cnt(pool) == 0)
			return;
		pool_rest_begins(pool);
		hc->rest_step = REST_BEGUN;
		break;
	case REST_BEGUN:
		hc->rest_mark = h.newest;
		hc->rest_step = REST_MARKED;
		break;
	case REST_MARKED:
		if (all_have_read(&h, hc->rest_mark))
			hc->rest_step = REST_READ;
		break;
	case REST_READ:
		if (!is_even)
			return;
		pool_rest_ends(pool);
		hc->rest_step = REST_NONE;
		break;
	}
}

static size_t has(void *ctx, uint32_t *pos,
		  struct addr_prefix out_blocks[static CLUSTER_BLOCKS_MAX])
{
	const struct ha_cluster *hc = ctx;
	uint32_t blocks[CLUSTER_BLOCKS_MAX];
	size_t cnt = pool_ours(&hc->env.engine->pool, pos, blocks, CLUSTER_BLOCKS_MAX);

	put_blocks(blocks, cnt, out_blocks);
	return cnt;
}

static void held(void *ctx, size_t cnt, bool shared)
{
	const struct ha_cluster *hc = ctx;

	hc->env.release(hc->env.ctx, cnt, shared || !hc->withholds);
}

/* --- roles --- */

static void settled(void *ctx)
{
	struct ha_cluster *hc = ctx;
	struct clock now = *loop_now(hc->env.loop);

	hc->is_settling = false;
	engine_distrust(hc->env.engine, &now);
	log_notice("this host answers", "event=cluster-active bindings=%zu ms=%llu",
		   hc->env.engine->cache.cnt, (unsigned long long)(now.mono_ms - hc->promoted_ms));
}

static void become_active(struct ha_cluster *hc)
{
	hc->is_active = true;
	hc->is_settling = true;
	hc->promoted_ms = loop_now(hc->env.loop)->mono_ms;
	hc->env.role(hc->env.ctx, true);
	cluster_set_active(hc->cluster, true);
	cluster_catch_up(hc->cluster, settled, hc);
}

bool ha_cluster_answers(const struct ha_cluster *hc)
{
	return !hc || (hc->is_active && !hc->is_settling);
}

bool ha_cluster_is_active(const struct ha_cluster *hc)
{
	return !hc || hc->is_active;
}

/* Each host gives from blocks of its own, and looks for those in a place of its own first. */
static void start_pool(struct ha_cluster *hc)
{
	pool_start_at(&hc->env.engine->pool, hc->own_bits * 2654435761u); /* Knuth's multiplier */
}

/* Nodes that came: what the others know of them is asked for. */
void ha_cluster_reload(struct ha_cluster *hc, bool begins)
{
	if (!hc)
		return;
	hc->is_reloading = begins;
	hc->was_reloaded |= !begins;
	cluster_compare(hc->cluster);
	if (!begins)
		start_pool(hc);
}

/* --- what an operator sees --- */

static bool is_there(const struct ha_cluster *hc, struct ctl_reply *r)
{
	if (!hc)
		ctl_error(r, "this home agent is on its own: state.replication.servers has none");
	return hc;
}

void ha_cluster_promote(struct ha_cluster *hc, struct ctl_reply *r)
{
	if (!is_there(hc, r))
		return;
	if (hc->is_active) {
		ctl_message(r, "active already");
		return;
	}
	log_notice("promoted by an operator", "event=cluster-promoted uid=%u", ctl_uid(r));
	become_active(hc);
	ctl_message(r, "active: registrations are answered here");
}

void ha_cluster_stand_by(struct ha_cluster *hc, struct ctl_reply *r)
{
	if (!is_there(hc, r))
		return;
	if (!hc->is_active) {
		ctl_message(r, "standing by already");
		return;
	}
	hc->is_active = hc->is_settling = false;
	log_notice("standing by, by an operator", "event=cluster-standby uid=%u", ctl_uid(r));
	hc->env.role(hc->env.ctx, false);
	cluster_set_active(hc->cluster, false);
	ctl_message(r, "standing by: nobody is answered, what the others do is followed");
}

static const char *link_name(enum cluster_link link)
{
	static const char *const names[] = { [CLUSTER_AWAY] = "away",
					     [CLUSTER_SYNCING] = "comparing",
					     [CLUSTER_FOLLOWING] = "following" };

	return names[link];
}

static const struct ctl_column columns[] = {
	{ "host", CTL_STRING },
	{ "this-host", CTL_BOOL, .detail = true },
	{ "role", CTL_STRING },
	{ "state", CTL_STRING },
	{ "lag-entries", CTL_NUMBER },
	{ "lag-ms", CTL_NUMBER },
	{ "queued", CTL_NUMBER },
	{ "seen-ms", CTL_NUMBER, .detail = true },
	{ "server", CTL_STRING, .detail = true },
	{ "error", CTL_STRING, .detail = true },
	{ "error-ago", CTL_NUMBER, .detail = true },
};

static void show_this(const struct ha_cluster *hc, struct ctl_reply *r,
		      const struct cluster_health *h)
{
	char server[32];

	(void)snprintf(server, sizeof(server), "%s:%u", addr_text(h->server.address).s,
		       h->server.port);
	ctl_row(r);
	ctl_string(r, hc->name);
	ctl_bool(r, true);
	ctl_string(r, hc->is_active ? "active" : "standby");
	ctl_string(r, link_name(h->link));
	ctl_number(r, cluster_lag_entries(h, h->sequence));
	ctl_number(r, h->lag_ms);
	ctl_number(r, h->queued);
	ctl_number(r, 0);
	ctl_string(r, h->link == CLUSTER_AWAY ? NULL : server);
	ctl_string(r, h->error[0] ? h->error : NULL);
	if (h->error[0])
		ctl_number(r, (loop_now(hc->env.loop)->mono_ms - h->error_ms) / 1000);
	else
		ctl_null(r);
}

/* Who is heard says how far behind it was; who is silent falls back from where it was. */
static uint64_t peer_lag(const struct cluster_health *h, const struct cluster_peer *p,
			 bool is_silent)
{
	return is_silent || p->lag == UINT64_MAX ? cluster_lag_entries(h, p->sequence) : p->lag;
}

void ha_cluster_show(const struct ha_cluster *hc, struct ctl_reply *r)
{
	const struct cluster_peer *p;
	struct cluster_health h;
	uint64_t seen_ms, lag;
	size_t i;

	if (!is_there(hc, r))
		return;
	cluster_get_health(hc->cluster, &h);
	ctl_table(r, columns, sizeof(columns) / sizeof(columns[0]), "no hosts");
	show_this(hc, r, &h);
	for (i = 0; i < h.peer_cnt; i++) {
		p = &h.peers[i];
		seen_ms = loop_now(hc->env.loop)->mono_ms - p->seen_ms;
		ctl_row(r);
		ctl_string(r, p->name);
		ctl_bool(r, false);
		ctl_string(r, p->is_active ? "active" : "standby");
		ctl_string(r, seen_ms > CLUSTER_SILENT_MS ? "silent" : "heard");
		lag = peer_lag(&h, p, seen_ms > CLUSTER_SILENT_MS);
		ctl_number(r, lag);
		ctl_number(r, lag > 0 ? p->lag_ms : 0); /* an older version says it always */
		ctl_number(r, p->queued);
		ctl_number(r, seen_ms);
		ctl_null(r);
		ctl_null(r);
		ctl_null(r);
	}
}

void ha_cluster_status(const struct ha_cluster *hc, struct ctl_reply *r)
{
	struct cluster_health h;

	if (!hc)
		return;
	cluster_get_health(hc->cluster, &h);
	ctl_field(r, "cluster-role", CTL_STRING);
	ctl_string(r, hc->is_active ? "active" : "standby");
	ctl_field(r, "cluster-answers", CTL_BOOL);
	ctl_bool(r, ha_cluster_answers(hc));
	ctl_field(r, "cluster-state", CTL_STRING);
	ctl_string(r, link_name(h.link));
	ctl_field(r, "cluster-changes-sent", CTL_NUMBER);
	ctl_number(r, h.sent);
	ctl_field(r, "cluster-changes-read", CTL_NUMBER);
	ctl_number(r, h.applied);
	ctl_field(r, "cluster-outages", CTL_NUMBER);
	ctl_number(r, h.outages);
	ctl_field(r, "cluster-scans", CTL_NUMBER);
	ctl_number(r, h.scans);
	ctl_field(r, "cluster-overflows", CTL_NUMBER);
	ctl_number(r, h.overflows);
	ctl_field(r, "cluster-addresses-to-give", CTL_NUMBER);
	ctl_number(r, pool_free_cnt(&hc->env.engine->pool));
	ctl_field(r, "cluster-addresses-resting", CTL_NUMBER);
	ctl_number(r, pool_resting_cnt(&hc->env.engine->pool));
	ctl_field(r, "cluster-unconfirmed-batches", CTL_NUMBER);
	ctl_number(r, h.unconfirmed);
}

bool ha_cluster_health(const struct ha_cluster *hc, struct cluster_health *out)
{
	if (!hc)
		return false;
	cluster_get_health(hc->cluster, out);
	return true;
}

/* --- open and close --- */

static int copy_text(const char *text, char **out)
{
	*out = text ? strdup(text) : NULL;
	return *out || !text ? 0 : -ENOMEM;
}

static int copy_tls(struct ha_cluster *hc, const struct ha_conf_replication *conf)
{
	int rc = copy_text(conf->tls_ca_file, &hc->tls_ca_file);

	if (rc == 0)
		rc = copy_text(conf->tls_certificate, &hc->tls_certificate);
	if (rc == 0)
		rc = copy_text(conf->tls_key_file, &hc->tls_key_file);
	if (rc == 0)
		rc = copy_text(conf->tls_name, &hc->tls_name);
	hc->tls = (struct tls_conf){ .ca_file = hc->tls_ca_file,
				     .certificate = hc->tls_certificate,
				     .key_file = hc->tls_key_file,
				     .name = hc->tls_name };
	return rc;
}

static int copy_conf(struct ha_cluster *hc, const struct ha_conf *conf)
{
	int rc = copy_text(conf->state.replication.prefix, &hc->prefix);

	if (rc == 0)
		rc = copy_text(conf->state.replication.user, &hc->user);
	if (rc == 0)
		rc = copy_text(conf->state.replication.password, &hc->password);
	if (rc == 0)
		rc = copy_text(conf->state.replication.sentinel_master, &hc->sentinel_master);
	if (rc == 0 && conf->state.replication.tls)
		rc = copy_tls(hc, &conf->state.replication);
	if (conf->state.replication.name)
		(void)snprintf(hc->name, sizeof(hc->name), "%s", conf->state.replication.name);
	else
		(void)gethostname(hc->name, sizeof(hc->name) - 1);
	return rc;
}

static struct cluster_conf cluster_conf_of(const struct ha_cluster *hc, const struct ha_conf *conf)
{
	struct cluster_conf cc = {
		.loop = hc->env.loop,
		.sentinel_master = hc->sentinel_master,
		.user = hc->user,
		.password = hc->password,
		.tls = hc->tls.ca_file ? &hc->tls : NULL,
		.prefix = hc->prefix,
		.name = hc->name,
		.confirmed = conf->state.replication.durability == HA_CONF_DURABILITY_CONFIRMED,
		.replicas = conf->state.replication.replicas,
		.confirm_ms = conf->state.replication.confirm_timeout_ms,
		.stream_len = conf->state.replication.stream_length,
		.queue_max = conf->state.replication.queue_limit,
	};
	size_t i;

	for (i = 0; i < conf->state.replication.server_cnt && i < CLUSTER_SERVER_MAX; i++)
		if (ha_conf_server(conf->state.replication.servers[i], &cc.servers[i].address,
				   &cc.servers[i].port))
			cc.server_cnt++;
	return cc;
}

static void tell_of_start(const struct ha_cluster *hc, const struct ha_conf *conf,
			  const struct cluster_conf *cc)
{
	log_info("state is shared with other hosts",
		 "event=cluster-started host=%s role=%s servers=%zu durability=%s",
		 log_value(hc->name, strlen(hc->name)).s,
		 conf->state.replication.role == HA_CONF_ROLE_STANDBY ? "standby" : "active",
		 cc->server_cnt, cc->confirmed ? "confirmed" : "async");
}

int ha_cluster_open(const struct ha_conf *conf, const struct ha_cluster_env *env,
		    struct ha_cluster **ret_hc)
{
	const struct cluster_hooks hooks = {
		.encode = encode,
		.requeue = requeue,
		.dropped = dropped,
		.apply = apply,
		.scan_begins = scan_begins,
		.sweep = sweep,
		.version = version,
		.keep_place = keep_place,
		.claimed = claimed,
		.wants = wants,
		.has = has,
		.held = held,
	};
	struct cluster_hooks with_ctx = hooks;
	struct cluster_conf cc;
	struct cluster_place place;
	const struct sa_peer *node;
	struct ha_cluster *hc;
	int rc;

	*ret_hc = NULL;
	if (conf->state.replication.server_cnt == 0)
		return 0;
	hc = calloc(1, sizeof(*hc));
	if (!hc)
		return -ENOMEM;
	hc->env = *env;
	hc->withholds = conf->state.replication.unconfirmed == HA_CONF_UNCONFIRMED_WITHHOLD;
	hc->lease_reserve = conf->state.replication.lease_reserve;
	hc->scan = 1;
	if (getrandom(&hc->own_bits, sizeof(hc->own_bits), 0) != (ssize_t)sizeof(hc->own_bits))
		hc->own_bits = (uint32_t)getpid();
	hc->own_bits &= VERSION_STEP - 1;
	for (node = env->engine->nodes.peers; node; node = node->next)
		note_version(hc, sa_peer_shared_of(node) ? sa_peer_shared_of(node)->version : 0);
	get_place(hc, &place);
	note_version(hc, place.version);
	hc->later = loop_timer_new(env->loop, on_later, hc);
	hc->rest = loop_timer_new(env->loop, on_rest, hc);
	rc = hc->later && hc->rest ? copy_conf(hc, conf) : -ENOMEM;
	with_ctx.ctx = hc;
	cc = cluster_conf_of(hc, conf);
	if (rc == 0)
		rc = pool_divide(&env->engine->pool);
	if (rc == 0)
		rc = cluster_open(&cc, &with_ctx, &place, &hc->cluster);
	if (rc < 0) {
		(void)ha_cluster_close(hc);
		return rc;
	}
	env->engine->is_shared = true;
	start_pool(hc);
	loop_timer_start(hc->rest, REST_MS, REST_MS);
	tell_of_start(hc, conf, &cc);
	if (conf->state.replication.role == HA_CONF_ROLE_STANDBY)
		env->role(env->ctx, false);
	else
		become_active(hc);
	*ret_hc = hc;
	return 0;
}

struct ha_cluster *ha_cluster_close(struct ha_cluster *hc)
{
	if (!hc)
		return NULL;
	cluster_close(hc->cluster);
	loop_timer_free(hc->rest);
	loop_timer_free(hc->later);
	if (hc->password)
		explicit_bzero(hc->password, strlen(hc->password));
	free(hc->password);
	free(hc->sentinel_master);
	free(hc->tls_name);
	free(hc->tls_key_file);
	free(hc->tls_certificate);
	free(hc->tls_ca_file);
	free(hc->user);
	free(hc->prefix);
	free(hc);
	return NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records of mobile nodes: written after every change of a node, read at start and at an import.
 *
 *	key    'A' home address, or 'N' NAI with its realm in lower case
 *	value  version(1) boot(4) lease(4)
 *	       in version 2, of a home agent that shares its state: identification(8) change(8)
 *	       associations(1), each: spi(4) bits(1) identification-or-nonce(8)
 *	       bindings(1), each: see put_binding(); the latest first
 *
 * A whole node a record: a half one cannot be, and the last record is all that counts.
 *
 * Time. A binding's end is kept on both clocks. While the host has not been booted since, the
 * monotonic one counts, and whatever happened to the wall clock meanwhile does not matter. After
 * that the wall clock counts, as NTP time modulo its era: differences up to 68 years come out
 * right. A wall clock that was set back cannot give a binding more than the lifetime it was
 * granted; one that leapt ahead ends bindings early, and nodes register again.
 *
 * Replays. A node goes on with the Identification it had. One further ahead than our tolerance was
 * accepted by a clock that was wrong since: kept, it would shut the node out until that day. It
 * counts as "now" instead, which is what a home agent without memory does.
 *
 * Revocations that wait for an acknowledgement have records of their own (revocation.c), for they
 * outlive their binding and maybe their node.
 *
 * Not kept: what a tunnel has carried (the fast path's maps keep what is in them), and what foreign
 * agents revoked lately: the Support of the bindings that are restored stands for it (RFC 3543
 * §3.3).
 *
 * A later version writes another number and goes on reading this one; a node's record becomes new
 * when the node registers.
 */
#include "ha-core/engine/memory.h"

#include "common/compiler.h"
#include "common/err.h"
#include "ha-core/engine/check.h"
#include "ha-core/tunnel/encap.h"
#include "ha-core/wire/wire.h"

#include <ctype.h>
#include <string.h>

#define VERSION         1
#define VERSION_SHARED  2
#define ASSOCIATION_MAX 255
#define BINDING_MAX     64                       /* of a node, as the configuration allows */
#define STALE_NTP       REPLAY_SECONDS(2 * 3600) /* no tolerance is longer than an hour */

enum sa_bit { SA_NONCE = 1, SA_SEEN = 2 };

enum binding_bit {
	BIT_UDP = 1,
	BIT_HALF_BOUND = 2,
	BIT_REVERSE = 4,
	BIT_FORCED = 8,
	BIT_FROM_FA = 16,
	BIT_REVOCABLE = 32,
	BIT_INFORM = 64,
	BIT_CONTACTS = 128,
};

size_t memory_key(const struct sa_peer *node, uint8_t ret_key[MEMORY_KEY_MAX])
{
	struct wire_writer w = wire_writer(ret_key, MEMORY_KEY_MAX);
	const uint8_t *nai = sa_peer_nai(node);
	const size_t nai_len = sa_peer_nai_len(node);
	const uint8_t *at;
	size_t i, realm;

	if (!node->is_dynamic) {
		wire_put_u8(&w, 'A');
		wire_put_addr(&w, node->addr);
		return wire_len(&w);
	}
	at = memrchr(nai, '@', nai_len);
	realm = at ? (size_t)(at - nai) : nai_len;
	wire_put_u8(&w, 'N');
	for (i = 0; i < nai_len; i++)
		wire_put_u8(&w, i < realm ? nai[i] : (uint8_t)tolower(nai[i]));
	return wire_len(&w);
}

static struct sa_peer *find_node(const struct engine *e, const uint8_t *key, size_t key_len)
{
	struct wire_reader r = wire_reader(key, key_len);
	struct sa_peer *node = NULL;
	uint8_t kind = wire_u8(&r);

	if (kind == 'A')
		node = sa_peer_find(&e->nodes, wire_addr(&r));
	else if (kind == 'N')
		node = sa_peer_find_nai(&e->nodes, r.pos, wire_left(&r));
	return node && !r.failed && node->is_dynamic == (kind == 'N') ? node : NULL;
}

/* --- writing --- */

static void put_association(struct wire_writer *w, const struct sa *sa)
{
	const struct replay *rp = &sa->replay;
	bool nonce = rp->style == REPLAY_NONCE;

	wire_put_u32(w, sa->spi);
	wire_put_u8(w, (uint8_t)((nonce ? SA_NONCE : 0) | (rp->seen ? SA_SEEN : 0)));
	wire_put_u64(w, nonce ? rp->nonce : rp->last_ident);
}

uint64_t memory_ntp_at(uint64_t mono_ms, const struct clock *now)
{
	uint64_t left_ms = mono_ms > now->mono_ms ? mono_ms - now->mono_ms : 0;

	if (mono_ms == BINDING_NEVER_MS)
		return 0; /* not read */
	return now->ntp + REPLAY_SECONDS(left_ms / 1000) + ((left_ms % 1000) << 32) / 1000;
}

/* As prefixes: which bit is whose is a matter of one configuration. */
static void put_networks(struct wire_writer *w, const struct binding *b)
{
	const struct network_list *list = sa_peer_networks(b->node);
	const struct network *net;

	wire_put_u8(w, (uint8_t)__builtin_popcount(b->networks));
	for (size_t i = 0; b->networks != 0 && i < list->cnt; i++) {
		net = &list->networks[i];
		if (!(b->networks & network_bit(net)))
			continue;
		wire_put_addr(w, net->prefix.addr);
		wire_put_u8(w, (uint8_t)net->prefix.len);
	}
}

/* What a node has not sent to may not answer it (struct tunnel_filter), after a restart neither. */
static void put_contacts(struct wire_writer *w, const struct binding_contacts *c)
{
	size_t i;

	wire_put_u8(w, (uint8_t)c->cnt);
	for (i = 0; i < c->cnt; i++)
		wire_put_addr(w, c->far_ends[i]);
}

static void put_binding(struct wire_writer *w, const struct binding *b, const struct clock *now)
{
	const struct binding_revocation *rev = binding_revocation_of(b);
	const struct binding_contacts *contacts = binding_contacts_of(b);
	const struct binding_tunnel *t = &b->tunnel;
	unsigned int bits = 0;

	bits |= t->udp ? BIT_UDP : 0;
	bits |= t->half_bound ? BIT_HALF_BOUND : 0;
	bits |= t->reverse ? BIT_REVERSE : 0;
	bits |= b->udp_forced ? BIT_FORCED : 0;
	bits |= b->from_fa ? BIT_FROM_FA : 0;
	bits |= rev ? BIT_REVOCABLE : 0;
	bits |= rev && rev->inform ? BIT_INFORM : 0;
	bits |= contacts ? BIT_CONTACTS : 0;
	wire_put_u8(w, (uint8_t)bits);
	wire_put_addr(w, b->care_of);
	wire_put_addr(w, b->src);
	wire_put_u16(w, b->src_port);
	wire_put_u8(w, b->flags);
	wire_put_addr(w, t->peer);
	wire_put_u16(w, t->peer_port);
	wire_put_u8(w, t->encap);
	wire_put_u16(w, b->keepalive_s);
	wire_put_u16(w, b->lifetime_s);
	wire_put_u32(w, b->spi);
	wire_put_u64(w, b->ident);
	wire_put_u64(w, b->expires_ms);
	wire_put_u64(w, memory_ntp_at(b->expires_ms, now));
	put_networks(w, b);
	if (contacts)
		put_contacts(w, contacts);
	if (!rev)
		return;
	wire_put_addr(w, rev->agent);
	wire_put_u32(w, rev->spi);
	wire_put_u32(w, rev->peer_timestamp);
	wire_put_u32(w, rev->own_timestamp);
}

static const struct binding *bindings_of(const struct engine *e, const struct sa_peer *node)
{
	if (addr_is_any(node->addr))
		return NULL;
	return binding_find(&e->cache, (struct binding_key){ node->addr, e->conf.home_agent });
}

static unsigned int association_cnt(const struct sa_peer *node)
{
	unsigned int cnt = 0;
	const struct sa *sa;

	for (sa = node->sas; sa && cnt < ASSOCIATION_MAX; sa = sa->next)
		cnt++;
	return cnt;
}

size_t memory_encode(const struct engine *e, const struct sa_peer *node,
		     const struct memory_time *at, uint8_t ret_value[MEMORY_VALUE_MAX])
{
	struct wire_writer w = wire_writer(ret_value, MEMORY_VALUE_MAX);
	const struct sa_shared *shared = sa_peer_shared_of(node);
	const bool is_shared = shared && shared->version != 0;
	const struct binding *b = bindings_of(e, node);
	unsigned int cnt = association_cnt(node);
	const struct sa *sa = node->sas;

	wire_put_u8(&w, is_shared ? VERSION_SHARED : VERSION);
	wire_put_u32(&w, at->boot);
	wire_put_addr(&w, node->is_dynamic ? node->addr : (struct in_addr){ INADDR_ANY });
	if (is_shared) {
		wire_put_u64(&w, shared->ident);
		wire_put_u64(&w, shared->version);
	}
	wire_put_u8(&w, (uint8_t)cnt);
	for (; cnt > 0; cnt--, sa = sa->next)
		put_association(&w, sa);
	wire_put_u8(&w, (uint8_t)binding_cnt(b));
	for (; b; b = binding_sibling(b))
		put_binding(&w, b, &at->now);
	return w.failed ? 0 : wire_len(&w);
}

/* --- reading --- */

/* The head of a record, up to its associations. */
struct head {
	uint32_t boot;
	struct in_addr lease;
	uint64_t ident, version; /* of struct sa_shared; 0: it is of a home agent on its own */
	unsigned int sa_cnt;
};

static int get_head(struct wire_reader *r, struct head *ret_head)
{
	uint8_t version = wire_u8(r);

	if (!r->failed && version > VERSION_SHARED)
		return ERR_UNSUPPORTED;
	*ret_head = (struct head){ 0 };
	ret_head->boot = wire_u32(r);
	ret_head->lease = wire_addr(r);
	if (version == VERSION_SHARED) {
		ret_head->ident = wire_u64(r);
		ret_head->version = wire_u64(r);
	}
	ret_head->sa_cnt = wire_u8(r);
	return r->failed || version < 1 ? ERR_MALFORMED : 0;
}

/* RFC 5944 §5.7.1: above the last one accepted, in whichever life that was. */
static void restore_timestamp(const struct engine *e, struct replay *rp, uint64_t ident,
			      const struct memory_time *at, struct memory_restored *out)
{
	const uint64_t now_ntp = at->now.ntp;

	if (clock_ntp_diff(ident, now_ntp + REPLAY_SECONDS(rp->tolerance_s)) > 0) {
		ident = now_ntp;
		out->clock_was_ahead = true;
	}
	if (at->may_lack && clock_ntp_diff(now_ntp, ident) > 0)
		ident = now_ntp;
	/* Since the start nothing was accepted: this is no step back. */
	if (rp->last_ident != e->started_ntp && clock_ntp_diff(ident, rp->last_ident) <= 0)
		return;
	rp->last_ident = ident;
	rp->seen = true;
}

static void restore_association(struct wire_reader *r, const struct engine *e, struct sa_peer *node,
				const struct memory_time *at, struct memory_restored *out)
{
	uint32_t spi = wire_u32(r);
	uint8_t bits = wire_u8(r);
	uint64_t value = wire_u64(r);
	struct sa *sa = r->failed ? NULL : sa_find(node, spi);
	struct replay *rp = sa ? &sa->replay : NULL;

	if (!rp || (rp->style == REPLAY_NONCE) != !!(bits & SA_NONCE))
		return;
	if (rp->style == REPLAY_NONCE) {
		/* The one given in this life is the one that the node has. */
		if (rp->seen || !(bits & SA_SEEN) || at->may_lack)
			return;
		rp->nonce = (uint32_t)value;
		rp->seen = true;
	} else {
		restore_timestamp(e, rp, value, at, out);
	}
}

struct stored_binding {
	struct binding b; /* what is of use of it */
	struct binding_revocation revocation;
	uint64_t expires_ntp;
	struct addr_prefix networks[NETWORK_MAX];
	unsigned int network_cnt;
	struct in_addr contacts[BINDING_CONTACT_MAX];
	unsigned int contact_cnt;
};

static void get_networks(struct wire_reader *r, struct stored_binding *out)
{
	unsigned int i, cnt = wire_u8(r);

	if (cnt > NETWORK_MAX)
		r->failed = true;
	for (i = 0; i < cnt && !r->failed; i++) {
		out->networks[i].addr = wire_addr(r);
		out->networks[i].len = wire_u8(r);
	}
	out->network_cnt = r->failed ? 0 : cnt;
}

static void get_contacts(struct wire_reader *r, struct stored_binding *out)
{
	unsigned int i, cnt = wire_u8(r);

	if (cnt > BINDING_CONTACT_MAX)
		r->failed = true;
	for (i = 0; i < cnt && !r->failed; i++)
		out->contacts[i] = wire_addr(r);
	out->contact_cnt = r->failed ? 0 : cnt;
}

static void get_binding(struct wire_reader *r, struct stored_binding *out)
{
	struct binding *b = &out->b;
	struct binding_revocation *rev = &out->revocation;
	uint8_t bits = wire_u8(r);

	*b = (struct binding){ 0 };
	*rev = (struct binding_revocation){ 0 };
	out->contact_cnt = 0;
	b->tunnel.udp = bits & BIT_UDP;
	b->tunnel.half_bound = bits & BIT_HALF_BOUND;
	b->tunnel.reverse = bits & BIT_REVERSE;
	b->udp_forced = bits & BIT_FORCED;
	b->from_fa = bits & BIT_FROM_FA;
	rev->negotiated = bits & BIT_REVOCABLE;
	rev->inform = bits & BIT_INFORM;
	b->care_of = wire_addr(r);
	b->src = wire_addr(r);
	b->src_port = wire_u16(r);
	b->flags = wire_u8(r);
	b->tunnel.peer = wire_addr(r);
	b->tunnel.peer_port = wire_u16(r);
	b->tunnel.encap = wire_u8(r);
	b->keepalive_s = wire_u16(r);
	b->lifetime_s = wire_u16(r);
	b->spi = wire_u32(r);
	b->ident = wire_u64(r);
	b->expires_ms = wire_u64(r);
	out->expires_ntp = wire_u64(r);
	get_networks(r, out);
	if (bits & BIT_CONTACTS)
		get_contacts(r, out);
	if (!rev->negotiated)
		return;
	rev->agent = wire_addr(r);
	rev->spi = wire_u32(r);
	rev->peer_timestamp = wire_u32(r);
	rev->own_timestamp = wire_u32(r);
}

uint64_t memory_ms_until(uint64_t ntp, const struct clock *now)
{
	int64_t left_ntp = clock_ntp_diff(ntp, now->ntp);

	return left_ntp > 0 ? (((uint64_t)left_ntp >> 16) * 1000) >> 16 : 0;
}

/* When it ends, on this life's monotonic clock; 0: it has. */
static uint64_t expires_now_ms(const struct stored_binding *sb, uint32_t boot,
			       const struct memory_time *at)
{
	const uint64_t now_ms = at->now.mono_ms;
	const uint64_t lifetime_ms = (uint64_t)sb->b.lifetime_s * 1000;
	uint64_t left_ms;

	if (sb->b.lifetime_s == REG_LIFETIME_INFINITE)
		return BINDING_NEVER_MS;
	if (boot != 0 && boot == at->boot)
		left_ms = sb->b.expires_ms > now_ms ? sb->b.expires_ms - now_ms : 0;
	else
		left_ms = memory_ms_until(sb->expires_ntp, &at->now);
	if (left_ms > lifetime_ms)
		left_ms = lifetime_ms;
	return left_ms > 0 ? now_ms + left_ms : 0;
}

static bool is_encapsulation(uint8_t mode)
{
	return mode == ENCAP_IPIP || mode == ENCAP_MINIMAL || mode == ENCAP_GRE;
}

/* Until a keepalive shows a port a half-bound tunnel has none (RFC 3519 §4.6); others never. */
static bool is_udp_sane(const struct binding_tunnel *t)
{
	return !t->udp || t->half_bound || t->peer_port != 0;
}

/*
 * A checksum says that a record is whole, not that it is ours: an import may hold anything, and
 * another home agent may be at fault. What no home agent can have granted is refused.
 *
 * What one can have granted is not measured by what we would: not its lifetime, nor how many
 * bindings a node has, nor the encapsulation. The node was told so; and where configurations differ
 * for a while, hosts that made less of it would disagree for as long as it lasts. A reload that
 * lowers a limit takes nothing away either. What bounds it are the formats: BINDING_MAX bindings,
 * and of a lifetime no more is left than was granted.
 */
static bool is_sane(const struct engine *e, const struct sa_peer *node, const struct binding *b)
{
	return addr_is_unicast(b->care_of) && addr_is_unicast(b->tunnel.peer) &&
	       !addr_eq(b->tunnel.peer, e->conf.home_agent) &&
	       !addr_eq(b->tunnel.peer, node->addr) && is_encapsulation(b->tunnel.encap) &&
	       is_udp_sane(&b->tunnel) && b->lifetime_s > 0;
}

/* Its key may not be in the configuration; then who made it has nothing to do here. */
static bool is_still_wanted(const struct engine *e, const struct sa_peer *node,
			    const struct binding *b)
{
	return sa_find(node, b->spi) && engine_still_admits(e, b);
}

/* @param b  is what it was before; NULL: it is a new one */
static int restore_binding(struct engine *e, struct sa_peer *node, const struct stored_binding *sb,
			   uint64_t expires_ms, const struct memory_time *at, struct binding *b)
{
	const struct binding_key key = { node->addr, e->conf.home_agent };
	unsigned int i;

	/* One care-of address, one binding. */
	if (!b && !binding_find_care_of(&e->cache, key, sb->b.care_of))
		b = binding_put(&e->cache, key, sb->b.care_of);
	if (!b)
		return -ENOMEM;
	b->src = sb->b.src;
	b->src_port = sb->b.src_port;
	b->flags = sb->b.flags;
	binding_set_tunnel(&e->cache, b, &sb->b.tunnel);
	b->udp_forced = sb->b.udp_forced;
	b->from_fa = sb->b.from_fa;
	b->keepalive_s = sb->b.keepalive_s;
	b->lifetime_s = sb->b.lifetime_s;
	b->spi = sb->b.spi;
	b->ident = sb->b.ident;
	b->node = node;
	/* Without memory for it the binding ends by its lifetime, as if nothing had been agreed. */
	if (binding_set_revocation(b, sb->revocation.negotiated ? &sb->revocation : NULL) == 0 &&
	    binding_revocation_of(b))
		binding_revocation_of(b)->replied_ms = at->now.mono_ms;
	b->expires_ms = expires_ms;
	expiry_arm(&e->expiry, b);
	for (i = 0; i < sb->network_cnt; i++)
		mobile_network_restore(e, b, sb->networks[i]);
	revocation_restored(e, b);
	return 0;
}

/* Is it live here, by the very registration that was stored? */
static bool is_live(const struct engine *e, const struct sa_peer *node, const struct binding *b)
{
	const struct binding_key key = { node->addr, e->conf.home_agent };
	const struct binding *live = binding_find_care_of(&e->cache, key, b->care_of);

	return live && live->ident == b->ident;
}

/* They are the key's. Without memory for them the node has to speak first again. */
static void restore_contacts(struct binding *first, const struct stored_binding *latest)
{
	unsigned int i;

	for (i = 0; first && i < latest->contact_cnt; i++)
		(void)binding_add_contact(first, latest->contacts[i]);
}

static void restore_bindings(struct wire_reader *r, struct engine *e, struct sa_peer *node,
			     uint32_t boot, const struct memory_time *at,
			     struct memory_restored *out)
{
	struct stored_binding stored[BINDING_MAX + 1] UNINITIALIZED; /* 46 KiB a node would show */
	struct stored_binding latest UNINITIALIZED;
	uint64_t expires_ms[BINDING_MAX + 1] UNINITIALIZED;
	unsigned int i, cnt = wire_u8(r), kept = 0;
	const bool is_idle = !addr_is_any(node->addr) && !bindings_of(e, node);

	latest.contact_cnt = 0;
	for (i = 0; i < cnt && !r->failed; i++) {
		struct stored_binding *sb = &stored[kept];

		get_binding(r, sb);
		if (r->failed)
			break;
		if (i == 0 && sb->contact_cnt > 0)
			latest = *sb;
		expires_ms[kept] = expires_now_ms(sb, boot, at);
		if (expires_ms[kept] == 0)
			out->expired++;
		else if (!at->has_moved && !is_idle && is_live(e, node, &sb->b))
			out->unchanged++;
		else if (at->has_moved || !is_idle || kept == BINDING_MAX ||
			 !is_sane(e, node, &sb->b) || !is_still_wanted(e, node, &sb->b))
			out->refused++;
		else
			kept++;
	}
	if (r->failed)
		return;
	for (i = kept; i-- > 0;) { /* the latest comes to stand first */
		if (restore_binding(e, node, &stored[i], expires_ms[i], at, NULL) < 0)
			out->refused++;
		else
			out->bindings++;
	}
	if (is_idle && latest.contact_cnt > 0)
		restore_contacts(
			binding_find(&e->cache,
				     (struct binding_key){ node->addr, e->conf.home_agent }),
			&latest);
	if (out->bindings > 0 && engine_restored(e, node) < 0) {
		out->refused += out->bindings;
		out->bindings = 0;
	}
}

/* As in the run before: a lease from before a reload may lie outside of the pool. */
static bool claim_lease(struct engine *e, struct in_addr lease)
{
	return pool_contains(&e->pool, lease)
		       ? pool_take_this(&e->pool, lease) == 0
		       : engine_is_home_address(e, lease) && !addr_eq(lease, e->conf.home_agent);
}

/* The address that it had, unless that is somebody else's by now. */
static void restore_lease(struct engine *e, struct sa_peer *node, struct in_addr lease)
{
	if (!node->is_dynamic || addr_is_any(lease) || !addr_is_any(node->addr) ||
	    sa_peer_find(&e->nodes, lease) || !claim_lease(e, lease))
		return;
	sa_peer_assign(&e->nodes, node, lease);
	lease_idle(&e->idle_leases, node);
}

/* Without memory for it the shared state will tell again. */
static void note_version(struct engine *e, struct sa_peer *node, const struct head *head)
{
	struct sa_shared *shared = head->version ? sa_peer_shared(&e->nodes, node) : NULL;

	if (!shared)
		return;
	shared->ident = head->ident;
	shared->version = head->version;
}

/* Is it all there? Before anything is done by it. */
static int check_record(struct wire_reader r)
{
	struct stored_binding sb UNINITIALIZED;
	struct head head;
	unsigned int i, cnt;
	int rc;

	rc = get_head(&r, &head);
	if (rc < 0)
		return rc;
	(void)wire_bytes(&r, (size_t)head.sa_cnt * 13);
	cnt = wire_u8(&r);
	for (i = 0; i < cnt && !r.failed; i++)
		get_binding(&r, &sb);
	return r.failed || wire_left(&r) > 0 ? ERR_MALFORMED : 0;
}

/* A whole record of a node that there is, r being behind its head; what came of it is begun. */
static int open_record(const struct engine *e, const uint8_t *key, size_t key_len,
		       struct wire_reader *r, struct head *out_head, struct memory_restored *out)
{
	int rc = check_record(*r);

	*out = (struct memory_restored){ 0 };
	if (rc < 0)
		return rc;
	out->node = find_node(e, key, key_len);
	return out->node ? get_head(r, out_head) : ERR_NOT_FOUND;
}

int memory_check(const struct engine *e, const uint8_t *key, size_t key_len, const uint8_t *value,
		 size_t value_len)
{
	int rc;

	if (key_len > 0 && key[0] == REVOCATION_KEY_KIND)
		return revocation_check(key, key_len, value, value_len);
	rc = check_record(wire_reader(value, value_len));
	if (rc < 0)
		return rc;
	return find_node(e, key, key_len) ? 0 : ERR_NOT_FOUND;
}

/* The end of the tunnel of the first binding; 0.0.0.0: there is none. */
static struct in_addr peer_of(const uint8_t *value, size_t len)
{
	struct wire_reader r = wire_reader(value, len);
	struct in_addr peer = { INADDR_ANY };
	struct head head;

	if (get_head(&r, &head) < 0)
		return peer;
	(void)wire_bytes(&r, (size_t)head.sa_cnt * 13);
	if (wire_u8(&r) == 0)
		return peer;
	(void)wire_bytes(&r, 12); /* put_binding(): up to t->peer */
	return wire_addr(&r);
}

struct memory_places memory_places(const uint8_t *key, size_t key_len, const uint8_t *value,
				   size_t value_len)
{
	struct wire_reader r = wire_reader(key, key_len);
	struct memory_places at = { { INADDR_ANY }, { INADDR_ANY } };

	if (wire_u8(&r) != 'A')
		return at;
	at.home_addr = wire_addr(&r);
	at.peer = peer_of(value, value_len);
	return at;
}

void memory_fetch(const struct engine *e, const struct memory_places *at, unsigned int step)
{
	engine_fetch_node(e, at->home_addr, step);
	if (!addr_is_any(at->peer))
		binding_fetch_peer(&e->cache, at->peer, step);
}

int memory_restore(struct engine *e, const uint8_t *key, size_t key_len, const uint8_t *value,
		   size_t value_len, const struct memory_time *at,
		   struct memory_restored *out_restored)
{
	struct wire_reader r = wire_reader(value, value_len);
	struct head head;
	struct sa_peer *node;
	unsigned int i;
	int rc = open_record(e, key, key_len, &r, &head, out_restored);

	if (rc < 0)
		return rc;
	node = out_restored->node;
	for (i = 0; i < head.sa_cnt; i++)
		restore_association(&r, e, node, at, out_restored);
	if (!sa_peer_shared_of(node) || sa_peer_shared_of(node)->version == 0)
		note_version(e, node, &head);
	restore_lease(e, node, head.lease);
	/* Bindings of another address than the one it has are none of its own. */
	if (!node->is_dynamic || addr_eq(head.lease, node->addr))
		restore_bindings(&r, e, node, head.boot, at, out_restored);
	return 0;
}

/* --- following another home agent --- */

/*
 * RFC 5944 §5.7, of a node that another home agent has answered: what it accepted is a replay here.
 * Unlike at a restart that goes for an Identification ahead of our clock, too. Whoever is in a
 * cluster has a clock like the others'; and if not, a replay is worse than a node that has to wait.
 */
static void follow_association(struct wire_reader *r, const struct engine *e, struct sa_peer *node,
			       const struct memory_time *at, struct memory_restored *out)
{
	uint32_t spi = wire_u32(r);
	uint8_t bits = wire_u8(r);
	uint64_t value = wire_u64(r);
	struct sa *sa = sa_find(node, spi);
	struct replay *rp = sa ? &sa->replay : NULL;

	if (!rp || (rp->style == REPLAY_NONCE) != !!(bits & SA_NONCE) || !(bits & SA_SEEN))
		return;
	rp->seen = true;
	if (rp->style == REPLAY_NONCE) {
		rp->nonce = (uint32_t)value;
		return;
	}
	if (clock_ntp_diff(value, at->now.ntp + REPLAY_SECONDS(rp->tolerance_s)) > 0)
		out->clock_was_ahead = true;
	if (rp->last_ident == e->started_ntp || clock_ntp_diff(value, rp->last_ident) > 0)
		rp->last_ident = value;
}

static void end_quietly(struct engine *e, struct sa_peer *node)
{
	const struct binding *first;
	struct binding *b;

	while ((first = bindings_of(e, node))) {
		b = (struct binding *)(uintptr_t)first;
		expiry_disarm(&e->expiry, b);
		mobile_network_release(e, b->node, b->networks);
		binding_del(&e->cache, b);
	}
}

static void give_up_lease(struct engine *e, struct sa_peer *node)
{
	if (bindings_of(e, node)) {
		end_quietly(e, node);
		(void)engine_followed(e, node);
	}
	lease_use(&e->idle_leases, node);
	pool_give_back(&e->pool, node->addr);
	sa_peer_unassign(&e->nodes, node);
}

/* Of two nodes that were given one address by two home agents: the same answer everywhere. */
static bool outranks(const struct sa_peer *node, const struct head *head,
		     const struct sa_peer *holder)
{
	const struct sa_shared *other = sa_peer_shared_of(holder);
	uint8_t key[2][MEMORY_KEY_MAX];
	size_t len[2];

	if (!other || other->ident != head->ident)
		return !other || clock_ntp_diff(head->ident, other->ident) > 0;
	if (other->version != head->version)
		return clock_ntp_diff(head->version, other->version) > 0;
	len[0] = memory_key(node, key[0]);
	len[1] = memory_key(holder, key[1]);
	return len[0] == len[1] ? memcmp(key[0], key[1], len[0]) > 0 : len[0] > len[1];
}

static void follow_lease(struct engine *e, struct sa_peer *node, const struct head *head,
			 struct memory_restored *out)
{
	struct sa_peer *holder;

	if (!node->is_dynamic || addr_eq(node->addr, head->lease))
		return;
	if (!addr_is_any(node->addr))
		give_up_lease(e, node);
	if (addr_is_any(head->lease))
		return;
	holder = sa_peer_find(&e->nodes, head->lease);
	if (holder && holder->is_dynamic && outranks(node, head, holder)) {
		give_up_lease(e, holder);
		if (e->hooks.touched)
			e->hooks.touched(e->hooks.ctx, holder);
		e->stats.leases_taken_over++;
		holder = NULL;
	}
	if (holder || pool_take_this(&e->pool, head->lease) < 0) {
		out->lease_lost = true;
		return;
	}
	sa_peer_assign(&e->nodes, node, head->lease);
	lease_idle(&e->idle_leases, node);
}

static bool is_lease_known(struct engine *e, const struct sa_peer *node, struct in_addr lease)
{
	return !node->is_dynamic || addr_is_any(lease) || addr_eq(node->addr, lease) ||
	       pool_contains(&e->pool, lease);
}

static bool same_way(const struct binding *b, const struct stored_binding *sb)
{
	const struct binding_tunnel *x = &b->tunnel, *y = &sb->b.tunnel;

	return addr_eq(x->peer, y->peer) && x->peer_port == y->peer_port && x->encap == y->encap &&
	       x->udp == y->udp && x->half_bound == y->half_bound && x->reverse == y->reverse &&
	       b->flags == sb->b.flags;
}

/* The same care-of addresses in the same order: a renewal, or a tunnel that goes another way. */
static bool same_places(const struct binding *b, const struct stored_binding *stored,
			unsigned int cnt)
{
	unsigned int i;

	for (i = 0; i < cnt && b; i++, b = binding_sibling(b))
		if (!addr_eq(b->care_of, stored[i].b.care_of))
			return false;
	return i == cnt && !b;
}

static int update_binding(struct engine *e, struct sa_peer *node, const struct stored_binding *sb,
			  uint64_t expires_ms, const struct memory_time *at)
{
	const struct binding_key key = { node->addr, e->conf.home_agent };
	struct binding *b = binding_find_care_of(&e->cache, key, sb->b.care_of);
	uint32_t networks = b ? b->networks : 0;
	int rc;

	if (b)
		b->networks = 0;
	rc = restore_binding(e, node, sb, expires_ms, at, b);
	mobile_network_release(e, node, networks); /* after: those that stay are held twice now */
	return rc;
}

static void follow_bindings(struct wire_reader *r, struct engine *e, struct sa_peer *node,
			    uint32_t boot, const struct memory_time *at,
			    struct memory_restored *out)
{
	const struct binding_key key = { node->addr, e->conf.home_agent };
	struct stored_binding stored[BINDING_MAX] UNINITIALIZED;
	uint64_t expires_ms[BINDING_MAX] UNINITIALIZED;
	unsigned int i, cnt = wire_u8(r), kept = 0;
	const struct binding *b = bindings_of(e, node);
	const bool had = b != NULL;
	bool same = true;

	for (i = 0; i < cnt && kept < BINDING_MAX; i++) {
		get_binding(r, &stored[kept]);
		expires_ms[kept] = expires_now_ms(&stored[kept], boot, at);
		if (expires_ms[kept] == 0)
			out->expired++;
		else if (addr_is_any(node->addr) || !is_sane(e, node, &stored[kept].b) ||
			 !is_still_wanted(e, node, &stored[kept].b))
			out->refused++;
		else
			kept++;
	}
	if (!had && kept == 0)
		return;
	if (same_places(b, stored, kept)) {
		for (i = 0; i < kept; i++, b = binding_sibling(b))
			same &= same_way(b, &stored[i]);
	} else {
		end_quietly(e, node);
		same = false;
	}
	for (i = kept; i-- > 0;) /* the latest comes to stand first */
		if (update_binding(e, node, &stored[i], expires_ms[i], at) == 0)
			out->bindings++;
	if (kept > 0)
		restore_contacts(binding_find(&e->cache, key), &stored[0]);
	if (same && e->hooks.renewed)
		e->hooks.renewed(e->hooks.ctx, key);
	if (!same && engine_followed(e, node) < 0) {
		out->refused += out->bindings;
		out->bindings = 0;
	}
}

int memory_follow(struct engine *e, const uint8_t *key, size_t key_len, const uint8_t *value,
		  size_t value_len, const struct memory_time *at,
		  struct memory_restored *out_restored)
{
	struct wire_reader r = wire_reader(value, value_len);
	struct head head;
	struct sa_peer *node;
	unsigned int i;
	int rc = open_record(e, key, key_len, &r, &head, out_restored);

	if (rc < 0)
		return rc;
	node = out_restored->node;
	e->now_ms = at->now.mono_ms;
	for (i = 0; i < head.sa_cnt; i++)
		follow_association(&r, e, node, at, out_restored);
	if (is_lease_known(e, node, head.lease)) {
		follow_lease(e, node, &head, out_restored);
		follow_bindings(&r, e, node, head.boot, at, out_restored);
	} else {
		out_restored->lease_unknown = true;
		if (!addr_is_any(node->addr))
			give_up_lease(e, node);
	}
	/* Else it is looked at again whenever all is compared, as after a reload. */
	if (!out_restored->lease_unknown &&
	    (out_restored->refused == 0 || out_restored->lease_lost))
		note_version(e, node, &head);
	return 0;
}

struct sa_peer *memory_node(const struct engine *e, const uint8_t *key, size_t key_len)
{
	return find_node(e, key, key_len);
}

void memory_is_whole(struct engine *e)
{
	struct sa_peer *node;
	struct sa *sa;

	for (node = e->nodes.peers; node; node = node->next)
		for (sa = node->sas; sa; sa = sa->next)
			if (sa->replay.style == REPLAY_TIMESTAMP &&
			    sa->replay.last_ident == e->started_ntp)
				sa->replay.seen = false;
}

size_t memory_of_stranger(const uint8_t *value, size_t value_len, const struct memory_time *at,
			  uint8_t ret_value[MEMORY_VALUE_MAX])
{
	struct wire_reader r = wire_reader(value, value_len);
	bool is_stale = true;
	struct head head;
	unsigned int i;
	uint64_t ident;
	uint8_t bits;
	size_t len;

	if (get_head(&r, &head) < 0)
		return value_len;
	for (i = 0; i < head.sa_cnt; i++) {
		(void)wire_u32(&r);
		bits = wire_u8(&r);
		ident = wire_u64(&r);
		if (!(bits & SA_NONCE) && clock_ntp_diff(at->now.ntp, ident) < (int64_t)STALE_NTP)
			is_stale = false;
	}
	if (is_stale || r.failed || wire_left(&r) == 0)
		return is_stale ? 0 : value_len;
	if (*r.pos == 0)
		return value_len;
	len = (size_t)(r.pos - value);
	memcpy(ret_value, value, len);
	ret_value[len] = 0; /* bindings */
	return len + 1;
}

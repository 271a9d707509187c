/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine beside a model of it: random requests of many nodes, most of them in order and the
 * rest wrong in every way there is. The model is written from the standards and knows nothing of
 * wire formats, hash tables or rings; after each exchange both must have answered the same and
 * hold the same bindings. The sequence is fixed by a seed, printed; HOME_AGENT_TEST_SEED=N plays
 * another one.
 */
#include "common/sanitized.h"
#include "ha-core/engine/engine.h"
#include "ha-core/tunnel/encap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifdef SANITIZED
#define EXCHANGES 100000u
#else
#define EXCHANGES 300000u
#endif

#define NODE_CNT    64u
#define BINDING_MAX 3u
#define TOLERANCE_S 7
#define HOME_AGENT  0x0a000002u /* 10.0.0.2 */
#define HOME_NET    0x0a320000u /* 10.50.0.0/16 */
#define FA          0x0a140001u /* 10.20.0.1, with an association */
#define FA_STRANGE  0x0a140009u /* 10.20.0.9, without */
#define NAT         0xcb007107u /* 203.0.113.7 */

/* ------------------------------------------------------------------- chance */

static uint64_t chance_state;

static uint32_t chance(uint32_t below)
{
	/* xorshift64*: Marsaglia's shifts, good enough to shuffle requests. */
	chance_state ^= chance_state >> 12;
	chance_state ^= chance_state << 25;
	chance_state ^= chance_state >> 27;
	return (uint32_t)((chance_state * 0x2545f4914f6cdd1du) >> 33) % below;
}

static bool one_in(uint32_t n)
{
	return chance(n) == 0;
}

static uint32_t hook_random(void *ctx)
{
	(void)ctx;
	return chance(UINT32_MAX);
}

/* ---------------------------------------------------------------- the model */

struct model_binding {
	uint32_t care_of;
	uint64_t expires_ms; /* UINT64_MAX: never */
	uint16_t lifetime_s;
	uint32_t peer;
	uint16_t port;
	uint8_t encap;
	bool udp, half_bound, reverse, forced;
};

struct model_node {
	uint32_t home;
	struct mac *mac;
	bool nonces;
	uint64_t last_ident;
	uint32_t nonce;
	bool has_nonce;
	struct model_binding bindings[BINDING_MAX];
	unsigned int cnt;
};

enum signature { SIGNED, FORGED, WRONG_SPI, UNSIGNED, SIGNED_TWICE };
enum udp_asked { UDP_NO, UDP_BY_NODE, UDP_BY_AGENT };

/** A request before it is octets. */
struct wish {
	struct model_node *node;
	uint8_t flags;
	uint16_t lifetime_s;
	uint32_t care_of, home_agent, src, dst;
	uint16_t src_port;
	uint64_t ident;
	enum signature signature;
	unsigned int fhae_cnt;
	bool fhae_good;
	bool nai;
	bool unknown_ext; /* below 128 */
	enum udp_asked udp;
	bool forced, registered_fa, reserved3;
	uint8_t udp_encap;
};

struct verdict {
	bool silence;
	uint8_t code;
	uint16_t lifetime_s;
	bool udp_reply, udp_granted, agent_auth;
};

static struct model_node nodes[NODE_CNT];
static struct engine engine;
static struct clock now;
static struct mac *fa_mac;

static bool flag(const struct wish *q, uint8_t bit)
{
	return q->flags & bit;
}

static bool has_encap(uint8_t mode)
{
	size_t i;

	for (i = 0; i < engine.conf.encap_cnt; i++)
		if (engine.conf.encap[i] == mode)
			return true;
	return mode == 4;
}

/* RFC 5944 §3.3: M and G; both: the first that we have, in our order. 0: none. */
static uint8_t encap_of_flags(const struct wish *q)
{
	size_t i;

	if (!flag(q, REG_FLAG_M) && !flag(q, REG_FLAG_G))
		return 4;
	for (i = 0; i < engine.conf.encap_cnt; i++)
		if ((engine.conf.encap[i] == 55 && flag(q, REG_FLAG_M)) ||
		    (engine.conf.encap[i] == 47 && flag(q, REG_FLAG_G)))
			return engine.conf.encap[i];
	return 0;
}

static bool is_an_address(uint32_t a)
{
	return a >> 24 != 0 && a >> 24 != 127 && a >> 24 < 224;
}

/* Does an agent with whom we share a key stand behind it? By its source, or behind a NAT. */
static bool agent_is_known(const struct wish *q)
{
	return q->src == FA || (!flag(q, REG_FLAG_D) && q->src != q->care_of && q->care_of == FA);
}

static bool agent_vouches(const struct wish *q)
{
	return agent_is_known(q) && q->fhae_cnt == 1 && q->fhae_good;
}

static bool is_fresh(struct model_node *n, uint64_t ident)
{
	int64_t off = (int64_t)(ident - now.ntp);

	if (n->nonces) /* the reply brings the next nonce; see learn_nonce() */
		return n->has_nonce && ident >> 32 == n->nonce;
	if (off > (int64_t)TOLERANCE_S << 32 || off < -((int64_t)TOLERANCE_S << 32) ||
	    (int64_t)(ident - n->last_ident) <= 0)
		return false;
	n->last_ident = ident;
	return true;
}

static struct model_binding *model_find(struct model_node *n, uint32_t care_of)
{
	unsigned int i;

	for (i = 0; i < n->cnt; i++)
		if (n->bindings[i].care_of == care_of)
			return &n->bindings[i];
	return NULL;
}

static void model_del(struct model_node *n, struct model_binding *b)
{
	*b = n->bindings[--n->cnt];
}

static void model_expire(void)
{
	unsigned int i, j;

	for (i = 0; i < NODE_CNT; i++)
		for (j = nodes[i].cnt; j-- > 0;)
			if (nodes[i].bindings[j].expires_ms <= now.mono_ms)
				model_del(&nodes[i], &nodes[i].bindings[j]);
}

static struct verdict silence(void)
{
	return (struct verdict){ .silence = true };
}

/* RFC 5944 §3.8.2.2: who allows one binding does not know S, and says so with Code 1. */
static bool keeps_others(const struct wish *q)
{
	return flag(q, REG_FLAG_S) && engine.conf.max_bindings > 1;
}

static struct verdict deny(const struct wish *q, uint8_t code)
{
	return (struct verdict){ .code = code, .lifetime_s = q->lifetime_s };
}

/* The table of RFC 3519 §4.6; 0 and what is granted, or a code. */
static uint8_t model_udp(const struct wish *q, struct model_binding *b, bool *out_reply)
{
	bool nat = q->src != q->care_of;
	bool asked = q->udp == UDP_BY_NODE || (q->udp == UDP_BY_AGENT && agent_vouches(q));
	bool by_node = q->udp == UDP_BY_NODE;
	bool learn = q->registered_fa && by_node;

	*out_reply = false;
	if (!asked || q->reserved3)
		return 0;
	if (by_node != flag(q, REG_FLAG_D))
		return 134;
	*out_reply = true;
	if (q->lifetime_s == 0)
		return 0;
	if (!engine.conf.nat_enabled)
		return nat || q->forced ? 129 : 0;
	if (!nat && !learn) {
		if (!q->forced)
			return 0;
		if (!engine.conf.nat_forced)
			return 129;
		b->forced = true;
	}
	if (!is_an_address(q->src) || q->src == q->node->home || q->src == HOME_AGENT)
		return 129;
	b->encap = q->udp_encap ? q->udp_encap : encap_of_flags(q);
	if (b->encap == 0 || !has_encap(b->encap))
		return 142;
	b->udp = true;
	b->peer = q->src;
	b->half_bound = learn;
	b->port = learn ? 0 : q->src_port;
	return 0;
}

/* Nobody else's home address, and neither name nor broadcast address of the home network. */
static bool is_a_tunnel_end(const struct wish *q, uint32_t end)
{
	size_t i;

	for (i = 0; i < NODE_CNT; i++)
		if (nodes[i].home == end && &nodes[i] != q->node)
			return false;
	return end != HOME_NET && end != (HOME_NET | 0xffff);
}

static struct verdict model_deregister(const struct wish *q)
{
	struct model_node *n = q->node;
	struct model_binding *b = model_find(n, q->care_of);

	if (q->care_of == n->home)
		n->cnt = 0;
	else if (b)
		model_del(n, b);
	return (struct verdict){ .code = engine.conf.max_bindings == 1, .lifetime_s = 0 };
}

static struct verdict model_register(const struct wish *q, struct model_binding *fresh)
{
	struct model_node *n = q->node;
	struct model_binding *b;
	uint16_t max = engine.conf.max_lifetime_s;

	if (fresh->udp && engine.conf.udp_max_lifetime_s < max)
		max = engine.conf.udp_max_lifetime_s;
	fresh->care_of = q->care_of;
	fresh->reverse = flag(q, REG_FLAG_T);
	fresh->lifetime_s = q->lifetime_s < max ? q->lifetime_s : max;
	fresh->expires_ms = fresh->lifetime_s == 0xffff ? UINT64_MAX
							: now.mono_ms + 1000ull * fresh->lifetime_s;
	b = model_find(n, q->care_of);
	/* Until the first keepalive tells, the old port of the same peer is used (R). */
	if (b && fresh->half_bound && b->udp && b->peer == fresh->peer)
		fresh->port = b->port;
	if (!keeps_others(q)) {
		n->cnt = 1;
		n->bindings[0] = *fresh;
	} else if (b) {
		*b = *fresh;
	} else {
		n->bindings[n->cnt++] = *fresh;
	}
	return (struct verdict){ .code = engine.conf.max_bindings == 1,
				 .lifetime_s = fresh->lifetime_s,
				 .udp_granted = fresh->udp };
}

static struct verdict model_judge(const struct wish *q)
{
	struct model_binding fresh = { .peer = q->care_of };
	bool leaving = q->lifetime_s == 0, relayed_co_located, udp_reply;
	struct verdict v;
	uint8_t code;

	if (!is_an_address(q->src) || q->unknown_ext || q->signature == UNSIGNED)
		return silence();
	if (q->signature == FORGED || q->signature == WRONG_SPI)
		return agent_vouches(q) ? deny(q, 131) : silence();
	if (!is_fresh(q->node, q->ident))
		return deny(q, 133);
	if (!agent_is_known(q) && q->fhae_cnt > 0) {
		q->node->has_nonce = false; /* used up, and no reply brings the next */
		return silence();
	}
	relayed_co_located = flag(q, REG_FLAG_D) && q->src != q->care_of;
	if (agent_is_known(q) && !agent_vouches(q) &&
	    (q->fhae_cnt > 0 || (!leaving && q->care_of != q->node->home && !relayed_co_located)))
		return deny(q, 132);
	if (q->dst == 0xffffffff || q->dst == (HOME_NET | 0xffff))
		return deny(q, 136);
	if (q->signature == SIGNED_TWICE)
		return deny(q, 134);
	if (q->home_agent != HOME_AGENT)
		return deny(q, 136);
	if (!leaving &&
	    (!is_an_address(q->care_of) || q->care_of == q->node->home || q->care_of == HOME_AGENT))
		return deny(q, 129);
	code = model_udp(q, &fresh, &udp_reply);
	if (code != 0)
		return deny(q, code);
	if (!leaving && !is_a_tunnel_end(q, fresh.udp ? q->src : q->care_of))
		return deny(q, 129);
	if (leaving) {
		v = model_deregister(q);
	} else {
		if (!fresh.udp)
			fresh.encap = encap_of_flags(q);
		if (fresh.encap == 0)
			return deny(q, 139);
		if (keeps_others(q) && !model_find(q->node, q->care_of) &&
		    q->node->cnt >= engine.conf.max_bindings)
			return deny(q, 135);
		if (!flag(q, REG_FLAG_T) && engine.conf.reverse == ENGINE_REVERSE_REQUIRED)
			return deny(q, 138);
		if (flag(q, REG_FLAG_T) && engine.conf.reverse == ENGINE_REVERSE_DISABLED)
			return deny(q, 137);
		v = model_register(q, &fresh);
	}
	v.udp_reply = udp_reply;
	return v;
}

/* --------------------------------------------------------- wishes and octets */

static uint32_t some_care_of(const struct model_node *n)
{
	static const uint32_t odd[] = { 0,          0xe0000001, 0xffffffff,       0x7f000001,
					HOME_AGENT, HOME_NET,   HOME_NET | 0xffff };

	switch (chance(16)) {
	case 0:
		return odd[chance(7)];
	case 1:
		return n->home;
	case 2:
	case 3:
		return FA;
	case 4:
		return FA_STRANGE;
	case 5:
		return nodes[chance(NODE_CNT)].home;
	default:
		return 0xc6336400 + chance(5); /* 198.51.100.0.. */
	}
}

static uint16_t some_lifetime(void)
{
	switch (chance(8)) {
	case 0:
	case 1:
		return 0;
	case 2:
		return REG_LIFETIME_INFINITE;
	case 3:
		return (uint16_t)(1 + chance(5));
	default:
		return (uint16_t)chance(65535);
	}
}

static uint64_t some_ident(struct model_node *n)
{
	uint64_t fresh = n->nonces ? (uint64_t)n->nonce << 32 | chance(UINT32_MAX)
				   : now.ntp + 1 + chance(1000);

	if (one_in(12))
		return n->last_ident;
	if (one_in(12))
		return now.ntp + ((uint64_t)(int64_t)((int)chance(40) - 20) << 32);
	if (!n->nonces && (int64_t)(fresh - n->last_ident) <= 0)
		fresh = n->last_ident + 1 + chance(100);
	return fresh;
}

static struct wish some_wish(void)
{
	static const uint8_t encaps[] = { 0, 0, 0, 4, 47, 55, 99 };
	struct model_node *n = &nodes[chance(NODE_CNT)];
	struct wish q = {
		.node = n,
		.flags = (uint8_t)chance(256),
		.lifetime_s = some_lifetime(),
		.care_of = some_care_of(n),
		.home_agent = one_in(30) ? HOME_AGENT + 1 : HOME_AGENT,
		.dst = one_in(40)   ? 0xffffffff
		       : one_in(40) ? (HOME_NET | 0xffff)
				    : HOME_AGENT,
		.src_port = (uint16_t)(1024 + chance(3)),
		.ident = some_ident(n),
		.fhae_good = !one_in(8),
		.nai = one_in(4),
		.unknown_ext = one_in(50),
		.forced = one_in(2),
		.registered_fa = one_in(5),
		.reserved3 = one_in(20),
		.udp_encap = encaps[chance(sizeof(encaps))],
	};

	if (one_in(3)) /* a co-located node that asks for nothing special */
		q.flags = REG_FLAG_D | (one_in(2) ? REG_FLAG_T : 0) | (one_in(2) ? REG_FLAG_S : 0);
	q.src = one_in(3) ? NAT : q.care_of;
	if (one_in(20))
		q.src = FA;
	if (one_in(40))
		q.src = n->home;
	if (q.care_of == FA || q.src == FA || one_in(40))
		q.fhae_cnt = one_in(6) ? chance(3) : 1;
	if (one_in(2))
		q.udp = q.care_of == FA && !one_in(4) ? UDP_BY_AGENT : UDP_BY_NODE;
	switch (chance(30)) {
	case 0:
		q.signature = FORGED;
		break;
	case 1:
		q.signature = WRONG_SPI;
		break;
	case 2:
		q.signature = UNSIGNED;
		break;
	case 3:
		q.signature = SIGNED_TWICE;
		break;
	default:
		break;
	}
	return q;
}

static void put_auth(struct wire_writer *w, uint8_t type, uint32_t spi, struct mac *mac, bool good)
{
	size_t len = mac_len(mac_algorithm(mac));
	uint8_t digest[MAC_LEN_MAX];

	wire_put_u8(w, type);
	wire_put_u8(w, (uint8_t)(4 + len));
	wire_put_u32(w, spi);
	mac_sign(mac, w->start, wire_len(w), digest);
	digest[0] ^= good ? 0 : 0x10;
	wire_put_bytes(w, digest, len);
}

static void put_udp(struct wire_writer *w, const struct wish *q)
{
	wire_put_u32(w, 0x90060000);
	wire_put_u8(w, (uint8_t)((q->forced ? 0x80 : 0) | (q->registered_fa ? 0x40 : 0)));
	wire_put_u8(w, q->udp_encap);
	wire_put_u16(w, q->reserved3 ? 0x0100 : 0);
}

static size_t encode(const struct wish *q, uint8_t *buf, size_t size)
{
	struct wire_writer w = wire_writer(buf, size);
	uint32_t spi = q->signature == WRONG_SPI ? 999 : 256;
	char nai[32];
	unsigned int i;

	wire_put_u8(&w, 1);
	wire_put_u8(&w, q->flags);
	wire_put_u16(&w, q->lifetime_s);
	wire_put_u32(&w, q->node->home);
	wire_put_u32(&w, q->home_agent);
	wire_put_u32(&w, q->care_of);
	wire_put_u64(&w, q->ident);
	if (q->nai) {
		snprintf(nai, sizeof(nai), "n%u@example.org", (unsigned int)(q->node - nodes));
		wire_put_u8(&w, 131);
		wire_put_u8(&w, (uint8_t)strlen(nai));
		wire_put_bytes(&w, nai, strlen(nai));
	}
	if (one_in(5))
		wire_put_u8(&w, 0);
	if (one_in(5))
		wire_put_u32(&w, 0xc8020405);
	if (q->udp == UDP_BY_NODE)
		put_udp(&w, q);
	if (q->unknown_ext)
		wire_put_u16(&w, 0x3c00);
	if (q->signature != UNSIGNED)
		put_auth(&w, 32, spi, q->node->mac, q->signature != FORGED);
	if (q->signature == SIGNED_TWICE)
		put_auth(&w, 32, spi, q->node->mac, true);
	if (one_in(5))
		wire_put_u32(&w, 0xc8020405);
	if (q->udp == UDP_BY_AGENT)
		put_udp(&w, q);
	for (i = 0; i < q->fhae_cnt; i++)
		put_auth(&w, 34, 512, fa_mac, q->fhae_good);
	assert_false(w.failed);
	return wire_len(&w);
}

/* ---------------------------------------------------------------- comparing */

static unsigned long step;
static unsigned long codes[256];

#define check(what)                                             \
	do {                                                    \
		if (!(what))                                    \
			fail_msg("exchange %lu: " #what, step); \
	} while (0)

static void compare_reply(const struct wish *q, const struct verdict *v,
			  const struct engine_result *res)
{
	struct wire_reader r = wire_reader(res->reply, res->reply_len);
	struct model_node *n = q->node;
	bool signed_by_node = false, udp = false;
	uint64_t ident;
	uint8_t code;
	size_t at, len;

	check(wire_u8(&r) == 3);
	code = wire_u8(&r);
	if (code != v->code)
		fail_msg("exchange %lu: Code %u, the model says %u", step, code, v->code);
	check(wire_u16(&r) == v->lifetime_s);
	check(wire_u32(&r) == n->home);
	check(wire_u32(&r) == HOME_AGENT);
	ident = wire_u64(&r);
	check((uint32_t)ident == (uint32_t)q->ident);
	if (code == 133 && !n->nonces)
		check(ident >> 32 == now.ntp >> 32);
	else if (!n->nonces)
		check(ident == q->ident);
	if (n->nonces && code != 131) {
		n->nonce = (uint32_t)(ident >> 32);
		n->has_nonce = true;
	}
	for (at = REG_REPLY_LEN; at < res->reply_len; at += 2 + len) {
		const uint8_t *m = res->reply;

		len = m[at + 1];
		check(at + 2 + len <= res->reply_len);
		if (m[at] == 32) {
			check(!signed_by_node);
			check(m[at + 4] == 1 && m[at + 5] == 0);
			check(mac_verify(n->mac, m, at + 6, m + at + 6, len - 4) == 0);
			signed_by_node = true;
		} else if (m[at] == 34) {
			check(signed_by_node && at + 2 + len == res->reply_len);
			check(agent_is_known(q));
			check(mac_verify(fa_mac, m, at + 6, m + at + 6, len - 4) == 0);
		} else if (m[at] == 44) {
			udp = true;
			check(signed_by_node == (q->udp == UDP_BY_AGENT));
			check(m[at + 3] == (v->udp_granted ? 0 : 64));
		} else {
			check(m[at] == 131 && q->nai && !signed_by_node);
		}
	}
	check(signed_by_node);
	check(udp == v->udp_reply);
	if (code <= 1 && agent_vouches(q))
		check(res->reply[res->reply_len - 22] == 34);
}

static void compare_bindings(struct model_node *n)
{
	struct binding_key key = { addr_from_host(n->home), addr_from_host(HOME_AGENT) };
	const struct binding *b = binding_find(&engine.cache, key);
	const struct model_binding *m;

	if (binding_cnt(b) != n->cnt)
		fail_msg("exchange %lu: %u bindings, the model has %u", step, binding_cnt(b),
			 n->cnt);
	for (; b; b = binding_sibling(b)) {
		m = model_find(n, addr_host(b->care_of));
		check(m);
		check(b->expires_ms == m->expires_ms);
		check(b->lifetime_s == m->lifetime_s);
		check(addr_host(b->tunnel.peer) == m->peer);
		check(b->tunnel.udp == m->udp);
		check(b->tunnel.peer_port == m->port);
		check(b->tunnel.encap == m->encap);
		check(b->tunnel.reverse == m->reverse);
		check(b->tunnel.half_bound == m->half_bound);
		check(b->udp_forced == m->forced);
	}
}

static void compare_all(void)
{
	size_t cnt = 0, i;

	for (i = 0; i < NODE_CNT; i++) {
		compare_bindings(&nodes[i]);
		cnt += nodes[i].cnt;
	}
	check(engine.cache.cnt == cnt);
	check(engine.expiry.armed <= cnt);
	check(engine.stats.requests_received == step);
	check(engine.stats.requests_received == engine.stats.requests_accepted +
							engine.stats.requests_denied +
							engine.stats.requests_discarded);
}

static void exchange(void)
{
	static struct engine_result res;
	struct wish q = some_wish();
	struct reg_origin from = {
		.src = addr_from_host(q.src),
		.dst = addr_from_host(q.dst),
		.src_port = q.src_port,
		.dst_port = REG_PORT,
	};
	uint8_t buf[512], *msg;
	size_t len = encode(&q, buf, sizeof(buf));
	struct verdict v;

	v = model_judge(&q);
	msg = malloc(len); /* of its exact size, for the sanitizer */
	assert_non_null(msg);
	memcpy(msg, buf, len);
	step++;
	engine_handle(&engine, msg, len, &from, &now, &res);
	free(msg);
	codes[v.silence ? 255 : v.code]++;
	check(v.silence == (res.outcome.verdict == REG_DISCARD));
	check(v.silence == (res.reply_len == 0));
	if (!v.silence)
		compare_reply(&q, &v, &res);
	compare_bindings(q.node);
	if (step % 1000 == 0)
		compare_all();
}

/* Another configuration, as after a reload. */
static void some_conf(void)
{
	static const uint8_t sets[][3] = { { 4 }, { 4, 47 }, { 55, 4, 47 }, { 47, 55, 4 }, { 55 } };
	static const uint8_t cnts[] = { 1, 2, 3, 3, 1 };
	struct engine_conf *c = &engine.conf;
	uint32_t set = chance(5);

	memcpy(c->encap, sets[set], sizeof(c->encap));
	c->encap_cnt = cnts[set];
	c->nat_enabled = !one_in(4);
	c->nat_forced = !one_in(3);
	c->reverse = one_in(3)   ? ENGINE_REVERSE_REQUIRED
		     : one_in(3) ? ENGINE_REVERSE_DISABLED
				 : ENGINE_REVERSE_OPTIONAL;
	c->max_lifetime_s = one_in(3) ? REG_LIFETIME_INFINITE : (uint16_t)(1 + chance(4000));
	c->udp_max_lifetime_s = (uint16_t)(1 + chance(600));
	c->max_bindings = 1 + chance(BINDING_MAX);
}

static void pass_time(void)
{
	uint32_t s = one_in(500) ? chance(70000) : one_in(10) ? chance(100) : chance(2);

	now.mono_ms += 1000ull * s;
	now.ntp += (uint64_t)s << 32;
	model_expire();
	(void)engine_expire(&engine, &now, NULL, NULL);
}

/* -------------------------------------------------------------- the data path */

static unsigned long changes;

static int hook_changed(void *ctx, struct binding_key key, const struct binding *first)
{
	(void)ctx;
	changes++;
	check(binding_find(&engine.cache, key) == first);
	return 0;
}

static void open_engine(void)
{
	static const struct ha_policy no_policy;
	static struct addr_prefix home_net;
	const struct engine_hooks hooks = { .changed = hook_changed, .random = hook_random };
	struct engine_conf conf = {
		.home_agent = addr_from_host(HOME_AGENT),
		.home_networks = &home_net,
		.home_network_cnt = 1,
		.encap = { 4 },
		.encap_cnt = 1,
		.max_lifetime_s = 1800,
		.udp_max_lifetime_s = 1800,
		.max_bindings = BINDING_MAX,
		.nat_enabled = true,
		.keepalive_s = 110,
	};
	unsigned int i;

	home_net = (struct addr_prefix){ addr_from_host(HOME_NET), 16 };
	now = (struct clock){ .mono_ms = 5000000, .ntp = (uint64_t)0xffff0000u << 32 };
	assert_int_equal(engine_init(&engine, &conf, NODE_CNT, &no_policy, NULL, &hooks, &now), 0);
	assert_int_equal(engine_add_foreign_agent(&engine, addr_from_host(FA), 512, MAC_HMAC_MD5,
						  "agent", 5),
			 0);
	assert_int_equal(mac_new(MAC_HMAC_MD5, "agent", 5, &fa_mac), 0);
	for (i = 0; i < NODE_CNT; i++) {
		enum mac_algorithm alg = (enum mac_algorithm)(i % MAC_ALGORITHM_CNT);
		char nai[32], key[32];

		nodes[i] = (struct model_node){
			.home = HOME_NET + 0x100 + i,
			.nonces = i % 3 == 0,
			.last_ident = now.ntp,
		};
		snprintf(nai, sizeof(nai), "n%u@example.org", i);
		snprintf(key, sizeof(key), "key of node %u", i);
		assert_int_equal(mac_new(alg, key, strlen(key), &nodes[i].mac), 0);
		assert_int_equal(engine_add_node(&engine, addr_from_host(nodes[i].home), nai, 256,
						 alg, key, strlen(key),
						 nodes[i].nonces ? REPLAY_NONCE : REPLAY_TIMESTAMP,
						 REPLAY_SECONDS(TOLERANCE_S)),
				 0);
	}
}

static void close_engine(void)
{
	unsigned int i;

	for (i = 0; i < NODE_CNT; i++)
		mac_free(nodes[i].mac);
	mac_free(fa_mac);
	engine_done(&engine);
}

static void engine_and_model_agree_on_random_requests(void **state)
{
	const char *given = getenv("HOME_AGENT_TEST_SEED");
	unsigned long seed = given ? strtoul(given, NULL, 0) : 5944;
	unsigned int code;

	(void)state;
	chance_state = seed * 0x9e3779b97f4a7c15u + 1;
	printf("seed %lu, %u exchanges\n", seed, EXCHANGES);
	open_engine();
	while (step < EXCHANGES) {
		if (step % 500 == 0)
			some_conf();
		pass_time();
		exchange();
	}
	compare_all();
	/* It is no proof if half of the answers never came. */
	for (code = 0; code < 256; code++)
		if (codes[code])
			printf("  %s %u: %lu\n", code == 255 ? "silence" : "Code",
			       code == 255 ? 0 : code, codes[code]);
	assert_true(codes[0] > EXCHANGES / 10 && codes[1] > 0);
	for (code = 129; code <= 142; code++)
		assert_true(code == 130 || code == 140 || code == 141 || codes[code] > 0);
	assert_true(changes > 0);

	/* And at the end of time nothing is left but what never ends. */
	now.mono_ms += 1000ull * 70000;
	model_expire();
	(void)engine_expire(&engine, &now, NULL, NULL);
	compare_all();
	assert_int_equal(engine.expiry.armed, 0);
	close_engine();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(engine_and_model_agree_on_random_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

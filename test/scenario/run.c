/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scripted conversations with the engine: nodes and foreign agents that share keys with it, a
 * clock that moves when the script says so, requests in words, and what must come of each.
 *
 *	home-agent 10.0.0.2                          settings, as in world.c; at any time
 *	node alice 10.50.0.7 - 256 hmac-md5 00ff     NAME, then a line of a mobile-nodes-file
 *	agent fa 10.20.0.1 512 hmac-md5 ff00         a foreign agent
 *	stranger fa2 ...                             the same, but we share no key with it
 *	clock e8fe6f80                               wall clock: NTP seconds, hex; first of all
 *	at 60  |  advance 60  |  wall -3600          time passes, or only the wall clock jumps
 *	request alice care-of 198.51.100.77 ...      one request; see build_request()
 *	again                                        the same octets once more
 *	times N expect ...                           N times: again, and expect that
 *	cut alice ... | flip alice ...               every shorter one, every flipped bit: silence
 *	raw HEX                                      a datagram
 *	expect accept | deny CODE | silence ...      what came of it; see do_expect()
 *	binding 10.50.0.7 198.51.100.77 ...          a binding is there; see do_binding()
 *	no binding 10.50.0.7 [CARE-OF]
 *	bindings [HOME] N
 *	clear HOME                                   as an operator does
 *	drain | drain off                            the same
 *	sent N ...                                   revocations that left since; see do_sent()
 *	revoke fa home A care-of A ... | acknowledge alice ...    one from a peer; as a request
 *	network 10.60.1.9 10.50.0.7 [CARE-OF]        packets to the first go where the second is
 *	no network 10.60.1.9
 *	counter requests-denied N                    since the start
 *
 * A request comes, unless told otherwise, from its care-of address, port 40000, to the home agent,
 * with D set, Lifetime 300, a fresh Identification, signed with the node's key. It must be judged
 * by an `expect` before anything else is said.
 *
 * Whatever a script expects, these hold after every request: silence and refusal change no binding
 * and never touch the data path; a reply copies what must be copied, carries the Identification of
 * its replay style, and its first authentication extension is the node's, under the SPI of the
 * request, and verifies; the NAI comes back; Trusted Networks Configured is there for ihad and for
 * nobody else; a foreign agent's authenticator is last and verifies; counters add up; the data path
 * has been told of just those tunnels that are in the cache.
 */
#include "test/scenario/world.h"

#include "ha-core/tunnel/encap.h"
#include "test/alloc/alloc_drill.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTY_MAX    32
#define MESSAGE_MAX  2048
#define SNAPSHOT_MAX 256
#define DEFAULT_PORT 40000
#define KEY_RUN      8 /* octets of a key in a row that are no chance */

/** A mobile node or a foreign agent, with one association. */
struct party {
	char name[32];
	struct world_assoc assoc;
	struct mac *mac;
	uint32_t nonce; /* of the last reply that verified */
};

/** A request as sent. */
struct sent {
	struct party *node; /* NULL: a raw datagram */
	struct reg_origin from;
	uint8_t msg[MESSAGE_MAX];
	size_t len;
	struct reg_request req;
	uint32_t spi;
	bool has_nai;
	char nai[WORLD_NAI_MAX + 1];
};

/** What a binding is made of, to see whether it has changed. */
struct snapshot {
	struct {
		struct binding_key key;
		struct in_addr care_of;
		struct binding_tunnel tunnel;
		uint64_t expires_ms;
		uint64_t ident;
		uint32_t networks;
	} bindings[SNAPSHOT_MAX];
	size_t cnt;
};

struct script {
	struct world world;
	const char *path;
	unsigned int line;
	struct party nodes[PARTY_MAX], agents[PARTY_MAX];
	size_t node_cnt, agent_cnt;
	uint32_t serial; /* low half of Identifications: grows with each request */
	uint64_t began_ms;
	struct sent sent;
	struct engine_result result;
	uint32_t sent_ident; /* of the last revocation that left */
	bool unjudged;
	unsigned int said, judged;
	uint8_t poison;            /* what an answer's buffer holds before */
	uint64_t answers;          /* a digest of them all */
	unsigned int gain_percent; /* the largest answer, of what asked for it */
	char **request; /* its words, while a request is sent that can be made anew; or NULL */
	size_t request_cnt;
	bool with_faults; /* every allocation of every step fails once, in a process of its own */
	struct alloc_drill drill;
	jmp_buf failed;
};

static void fail(struct script *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

static void fail(struct script *s, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%u: ", s->path, s->line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	longjmp(s->failed, 1);
}

static void require(struct script *s, bool holds, const char *what)
{
	if (!holds)
		fail(s, "%s (verdict %d, code %u, %s)", what, s->result.outcome.verdict,
		     s->result.outcome.code, reg_reason_name(s->result.outcome.reason));
}

/* ---------------------------------------------------------------- words */

static const char *word(struct script *s, char **words, size_t cnt, size_t i)
{
	if (i >= cnt)
		fail(s, "%s what?", words[cnt - 1]);
	return words[i];
}

static unsigned long number(struct script *s, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 0);

	if (*end || end == text)
		fail(s, "not a number: %s", text);
	return n;
}

static struct in_addr address(struct script *s, const char *text)
{
	struct in_addr a;

	if (inet_pton(AF_INET, text, &a) != 1)
		fail(s, "not an address: %s", text);
	return a;
}

static void endpoint(struct script *s, const char *text, struct in_addr *addr, uint16_t *port)
{
	if (!world_parse_endpoint(text, addr, port))
		fail(s, "not ADDRESS[:PORT]: %s", text);
}

static uint8_t flags(struct script *s, const char *text)
{
	static const char letters[] = "SBDMGrTx";
	uint8_t f = 0;
	const char *p;

	if (strcmp(text, "-") == 0)
		return 0;
	for (; *text; text++) {
		p = strchr(letters, *text);
		if (!p)
			fail(s, "no such flag: %c", *text);
		f |= (uint8_t)(0x80 >> (p - letters));
	}
	return f;
}

static uint8_t encapsulation(struct script *s, const char *text)
{
	if (strcmp(text, "ip-in-ip") == 0)
		return ENCAP_IPIP;
	if (strcmp(text, "gre") == 0)
		return ENCAP_GRE;
	if (strcmp(text, "minimal") == 0)
		return ENCAP_MINIMAL;
	return (uint8_t)number(s, text);
}

static struct party *party(struct script *s, struct party *list, size_t cnt, const char *name)
{
	size_t i;

	for (i = 0; i < cnt; i++)
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	fail(s, "who is %s?", name);
}

/* ------------------------------------------------------ building a request */

static void put_authenticator(struct wire_writer *w, uint8_t type, uint32_t spi, struct mac *mac,
			      bool right)
{
	size_t len = mac_len(mac_algorithm(mac));
	uint8_t digest[MAC_LEN_MAX];

	wire_put_u8(w, type);
	wire_put_u8(w, (uint8_t)(4 + len));
	wire_put_u32(w, spi);
	mac_sign(mac, w->start, wire_len(w), digest);
	if (!right)
		digest[len - 1] ^= 1;
	wire_put_bytes(w, digest, len);
}

/* udp [forced] [registered-fa] [encap E] [reserved]: a UDP Tunnel Request, octet by octet. */
static size_t put_udp_request(struct script *s, struct wire_writer *w, char **words, size_t cnt,
			      size_t i)
{
	uint8_t bits = 0, encap = 0;
	uint16_t reserved = 0;

	for (; i < cnt; i++) {
		if (strcmp(words[i], "forced") == 0)
			bits |= 0x80;
		else if (strcmp(words[i], "registered-fa") == 0)
			bits |= 0x40;
		else if (strcmp(words[i], "encap") == 0)
			encap = encapsulation(s, word(s, words, cnt, ++i));
		else if (strcmp(words[i], "reserved") == 0)
			reserved = 1;
		else
			break;
	}
	wire_put_u16(w, 0x9006);
	wire_put_u16(w, 0);
	wire_put_u8(w, bits);
	wire_put_u8(w, encap);
	wire_put_u16(w, reserved);
	return i;
}

/* ADDRESS/LENGTH, whatever they are: a Mobile Network Request, octet by octet. */
static void put_network_request(struct script *s, struct wire_writer *w, const char *text)
{
	const char *slash = strchr(text, '/');
	struct in_addr addr;
	uint16_t port;

	if (!slash)
		fail(s, "not ADDRESS/LENGTH: %s", text);
	endpoint(s, strndupa(text, (size_t)(slash - text)), &addr, &port);
	wire_put_u16(w, 0x9406);
	wire_put_u8(w, 0);
	wire_put_u8(w, (uint8_t)number(s, slash + 1));
	wire_put_addr(w, addr);
}

/* The Identification that the node would send now. */
static uint64_t fresh_ident(struct script *s, const struct party *node)
{
	uint64_t now = s->world.now.ntp;

	if (node->assoc.replay == REPLAY_NONCE)
		return (uint64_t)node->nonce << 32 | ++s->serial;
	return now + ++s->serial;
}

/* now, +SECONDS or -SECONDS off our clock (to the fraction), or sixteen digits of hex. */
static uint64_t ident_word(struct script *s, const char *text)
{
	double off;
	char *end;

	if (strlen(text) == 16)
		return strtoull(text, NULL, 16);
	off = strtod(text, &end);
	if (*end)
		fail(s, "an Identification is +SECONDS, -SECONDS or 16 digits of hex: %s", text);
	return s->world.now.ntp + (uint64_t)(int64_t)(off * 4294967296.0);
}

static void put_fixed_part(struct wire_writer *w, const struct reg_request *req)
{
	wire_put_u8(w, 1);
	wire_put_u8(w, req->flags);
	wire_put_u16(w, req->lifetime_s);
	wire_put_addr(w, req->home_addr);
	wire_put_addr(w, req->home_agent);
	wire_put_addr(w, req->care_of);
	wire_put_u64(w, req->ident);
}

/*
 * First pass: the fixed part and the envelope. Words of extensions are skipped.
 *
 *	home A, care-of A, agent A, lifetime N|infinite, flags LETTERS|-, ident ...
 *	from A[:P], to A[:P]
 *	spi N, key HEX, wrong-key, unsigned
 *
 * Second pass: extensions, in the order in which they stand; `then` signs for the node.
 *
 *	nai TEXT, ext HEX, net PREFIX, udp ..., support [inform], mhae, bad-mhae, mhae-of NAME,
 *	fhae NAME, bad-fhae NAME, fhae-spi NAME SPI
 */
static void build_request(struct script *s, char **words, size_t cnt)
{
	struct wire_writer w = wire_writer(s->sent.msg, sizeof(s->sent.msg));
	struct sent *q = &s->sent;
	struct party *p;
	struct mac *mac;
	bool from_given = false, ident_given = false, is_signed = true, is_right = true,
	     done = false;
	uint8_t octets[MESSAGE_MAX];
	uint8_t key[WORLD_KEY_MAX];
	long len;
	size_t i;

	if (cnt < 1)
		fail(s, "request by whom?");
	p = party(s, s->nodes, s->node_cnt, words[0]);
	*q = (struct sent){
		.node = p,
		.from = { .src_port = DEFAULT_PORT,
			  .dst = s->world.conf.home_agent,
			  .dst_port = REG_PORT },
		.req = { .flags = REG_FLAG_D,
			 .lifetime_s = 300,
			 .home_addr = p->assoc.addr,
			 .home_agent = s->world.conf.home_agent },
		.spi = p->assoc.spi,
	};
	mac = p->mac;
	for (i = 1; i < cnt; i++) {
		if (strcmp(words[i], "home") == 0)
			q->req.home_addr = address(s, word(s, words, cnt, ++i));
		else if (strcmp(words[i], "care-of") == 0)
			q->req.care_of = address(s, word(s, words, cnt, ++i));
		else if (strcmp(words[i], "agent") == 0)
			q->req.home_agent = address(s, word(s, words, cnt, ++i));
		else if (strcmp(words[i], "lifetime") == 0)
			q->req.lifetime_s = strcmp(word(s, words, cnt, ++i), "infinite") == 0
						    ? REG_LIFETIME_INFINITE
						    : (uint16_t)number(s, words[i]);
		else if (strcmp(words[i], "flags") == 0)
			q->req.flags = flags(s, word(s, words, cnt, ++i));
		else if (strcmp(words[i], "ident") == 0) {
			q->req.ident = ident_word(s, word(s, words, cnt, ++i));
			ident_given = true;
		} else if (strcmp(words[i], "from") == 0) {
			endpoint(s, word(s, words, cnt, ++i), &q->from.src, &q->from.src_port);
			from_given = true;
		} else if (strcmp(words[i], "to") == 0) {
			endpoint(s, word(s, words, cnt, ++i), &q->from.dst, &q->from.dst_port);
		} else if (strcmp(words[i], "spi") == 0) {
			q->spi = (uint32_t)number(s, word(s, words, cnt, ++i));
		} else if (strcmp(words[i], "wrong-key") == 0) {
			is_right = false;
		} else if (strcmp(words[i], "unsigned") == 0) {
			is_signed = false;
		} else if (strcmp(words[i], "key") == 0) {
			len = world_hex(word(s, words, cnt, ++i), key, sizeof(key));
			if (len <= 0 || mac_new(p->assoc.algorithm, key, (size_t)len, &mac) < 0)
				fail(s, "not a key: %s", words[i]);
		}
	}
	if (!from_given)
		q->from.src = q->req.care_of;
	if (!ident_given)
		q->req.ident = fresh_ident(s, p);

	put_fixed_part(&w, &q->req);
	for (i = 1; i < cnt; i++) {
		const char *v = words[i];

		if (strcmp(v, "then") == 0) {
			put_authenticator(&w, 32, q->spi, mac, is_right);
			done = true;
		} else if (strcmp(v, "nai") == 0) {
			const char *nai = word(s, words, cnt, ++i);

			wire_put_u8(&w, 131);
			wire_put_u8(&w, (uint8_t)strlen(nai));
			wire_put_bytes(&w, nai, strlen(nai));
			if (!done) {
				q->has_nai = true;
				snprintf(q->nai, sizeof(q->nai), "%s", nai);
			}
		} else if (strcmp(v, "ext") == 0) {
			len = world_hex(word(s, words, cnt, ++i), octets, sizeof(octets));
			if (len < 0)
				fail(s, "not hex: %s", words[i]);
			wire_put_bytes(&w, octets, (size_t)len);
		} else if (strcmp(v, "net") == 0) {
			put_network_request(s, &w, word(s, words, cnt, ++i));
		} else if (strcmp(v, "support") == 0) {
			bool inform = i + 1 < cnt && strcmp(words[i + 1], "inform") == 0;

			wire_put_u16(&w, 0x8906);
			wire_put_u16(&w, inform ? 0x8000 : 0);
			wire_put_u32(&w, (uint32_t)(s->world.now.ntp >> 32));
			i += inform;
		} else if (strcmp(v, "udp") == 0) {
			i = put_udp_request(s, &w, words, cnt, i + 1) - 1;
		} else if (strcmp(v, "mhae") == 0 || strcmp(v, "bad-mhae") == 0) {
			put_authenticator(&w, 32, q->spi, mac, *v == 'm');
		} else if (strcmp(v, "mhae-of") == 0) {
			struct party *o = party(s, s->nodes, s->node_cnt, word(s, words, cnt, ++i));

			put_authenticator(&w, 32, o->assoc.spi, o->mac, true);
		} else if (strcmp(v, "fhae") == 0 || strcmp(v, "bad-fhae") == 0) {
			struct party *fa =
				party(s, s->agents, s->agent_cnt, word(s, words, cnt, ++i));

			put_authenticator(&w, 34, fa->assoc.spi, fa->mac, *v == 'f');
		} else if (strcmp(v, "fhae-spi") == 0) {
			struct party *fa =
				party(s, s->agents, s->agent_cnt, word(s, words, cnt, ++i));

			put_authenticator(&w, 34, (uint32_t)number(s, word(s, words, cnt, ++i)),
					  fa->mac, true);
		} else if (strcmp(v, "wrong-key") != 0 && strcmp(v, "unsigned") != 0) {
			i++; /* a word of the first pass, and its value */
		}
	}
	if (is_signed && !done)
		put_authenticator(&w, 32, q->spi, mac, is_right);
	if (mac != p->mac)
		mac_free(mac);
	if (w.failed)
		fail(s, "the request is too long");
	q->len = wire_len(&w);
}

/* -------------------------------------------------- what holds after each */

static void take_snapshot(const struct script *s, struct snapshot *out)
{
	const struct binding *b;

	memset(out, 0, sizeof(*out));
	if (!s->world.is_open)
		return;
	for (b = binding_first(&s->world.engine.cache); b && out->cnt < SNAPSHOT_MAX;
	     b = binding_next(&s->world.engine.cache, b)) {
		out->bindings[out->cnt].key = b->key;
		out->bindings[out->cnt].care_of = b->care_of;
		out->bindings[out->cnt].tunnel = b->tunnel;
		out->bindings[out->cnt].expires_ms = b->expires_ms;
		out->bindings[out->cnt].ident = b->ident;
		out->bindings[out->cnt].networks = b->networks;
		out->cnt++;
	}
}

/* The associations that may have signed for a party with this address or NAI. */
static struct party *signer(struct script *s, uint32_t spi)
{
	const struct party *node = s->sent.node;
	size_t i;

	for (i = 0; i < s->node_cnt; i++)
		if (s->nodes[i].assoc.spi == spi &&
		    addr_eq(s->nodes[i].assoc.addr, node->assoc.addr) &&
		    strcmp(s->nodes[i].assoc.nai, node->assoc.nai) == 0)
			return &s->nodes[i];
	return NULL;
}

static void check_reply_extensions(struct script *s)
{
	const uint8_t *m = s->result.reply;
	size_t len = s->result.reply_len, at, ext_len;
	unsigned int mhae = 0, nai = 0, tnc = 0;
	bool fhae = false;
	struct party *p;
	uint32_t spi;
	size_t i;

	for (at = REG_REPLY_LEN; at < len; at += 2 + ext_len) {
		require(s, !fhae, "something follows the foreign agent's authenticator");
		require(s, len - at >= 2 && len - at - 2 >= m[at + 1],
			"an extension of the reply runs past its end");
		ext_len = m[at + 1];
		spi = ext_len >= 4 ? (uint32_t)m[at + 2] << 24 | (uint32_t)m[at + 3] << 16 |
					     (uint32_t)m[at + 4] << 8 | m[at + 5]
				   : 0;
		switch (m[at]) {
		case 32:
			require(s, mhae++ == 0, "two authenticators of the mobile node");
			p = signer(s, spi);
			require(s, p, "the reply is signed with an SPI that the node has not");
			if (s->result.outcome.code != REG_MN_FAILED_AUTH)
				require(s, spi == s->sent.spi,
					"the reply is signed with another SPI");
			require(s, mac_verify(p->mac, m, at + 6, m + at + 6, ext_len - 4) == 0,
				"the reply's authenticator does not verify");
			break;
		case 34:
			fhae = true;
			require(s, mhae == 1, "the foreign agent's authenticator comes first");
			for (i = 0; i < s->agent_cnt; i++)
				if (s->agents[i].assoc.spi == spi &&
				    mac_verify(s->agents[i].mac, m, at + 6, m + at + 6,
					       ext_len - 4) == 0)
					break;
			require(s, i < s->agent_cnt, "no foreign agent can verify the reply");
			break;
		case 131:
			nai++;
			require(s, mhae == 0, "the NAI stands behind the authenticator");
			require(s,
				s->sent.has_nai && ext_len == strlen(s->sent.nai) &&
					memcmp(m + at + 2, s->sent.nai, ext_len) == 0,
				"a NAI that was not sent");
			break;
		case 149:
			tnc++;
			require(s, mhae == 0 && ext_len == 2 && !m[at + 2] && !m[at + 3],
				"Trusted Networks Configured is not as it must be");
			break;
		default:
			break;
		}
	}
	require(s, mhae == 1, "no authenticator of the mobile node in the reply");
	require(s, nai == (s->sent.has_nai ? 1 : 0), "the NAI does not come back");
	require(s, tnc == (world_has_tnc(&s->world) ? 1 : 0),
		"Trusted Networks Configured, yes or no");
}

static void check_identification(struct script *s, uint64_t ident)
{
	uint64_t sent = s->sent.req.ident, now = s->world.now.ntp;
	struct party *p = signer(s, s->sent.spi);
	unsigned int code = s->result.outcome.code;

	require(s, (uint32_t)ident == (uint32_t)sent, "the low half of the Identification");
	if (code == REG_MN_FAILED_AUTH || !p)
		return;
	if (p->assoc.replay == REPLAY_NONCE) {
		require(s,
			ident >> 32 == s->world.random_last ||
				(ident >> 32) - 1 == s->world.random_last,
			"not a fresh nonce");
		require(s, ident >> 32 != p->nonce, "the nonce is the old one");
		p->nonce = (uint32_t)(ident >> 32);
	} else if (code == REG_IDENT_MISMATCH) {
		require(s, ident >> 32 == now >> 32, "the high half is not our seconds");
	} else {
		require(s, ident == sent, "the Identification is not copied");
	}
}

static void check_reply(struct script *s)
{
	const struct reg_request *req = &s->sent.req;
	struct wire_reader r = wire_reader(s->result.reply, s->result.reply_len);
	uint8_t type = wire_u8(&r), code = wire_u8(&r);
	uint16_t lifetime = wire_u16(&r);
	struct in_addr home = wire_addr(&r), agent = wire_addr(&r);
	uint64_t ident = wire_u64(&r);

	require(s, !r.failed && type == 3, "not a Registration Reply");
	require(s, code == s->result.outcome.code, "the Code is not that of the outcome");
	require(s, (code <= 1) == (s->result.outcome.verdict == REG_ACCEPT), "Code and verdict");
	require(s, addr_eq(agent, s->world.conf.home_agent), "Home Agent is not our address");
	require(s, addr_is_any(req->home_addr) || addr_eq(home, req->home_addr),
		"Home Address is not copied");
	require(s, code > 1 || !addr_is_any(home), "accepted without a Home Address");
	if (code > 1)
		require(s, lifetime == req->lifetime_s, "a refusal copies the Lifetime");
	else
		require(s, lifetime <= req->lifetime_s, "more Lifetime than was asked for");
	check_identification(s, ident);
	check_reply_extensions(s);
}

/* Whoever makes us answer somebody else gains little by it: no answer is larger than 1.5 times. */
static void check_no_gain(struct script *s, size_t asked_len)
{
	const size_t len = s->result.reply_len;

	require(s, 2 * len <= 3 * asked_len, "the answer is larger than 1.5 times what asked");
	if (asked_len > 0 && 100 * len / asked_len > s->gain_percent)
		s->gain_percent = (unsigned int)(100 * len / asked_len);
}

static bool holds_key(const struct engine_result *res, const struct world_assoc *a)
{
	return a->key_len >= KEY_RUN && memmem(res->reply, res->reply_len, a->key, KEY_RUN) != NULL;
}

static void check_no_key(struct script *s)
{
	size_t i;

	for (i = 0; i < s->node_cnt; i++)
		require(s, !holds_key(&s->result, &s->nodes[i].assoc), "a node's key in an answer");
	for (i = 0; i < s->agent_cnt; i++)
		require(s, !holds_key(&s->result, &s->agents[i].assoc),
			"an agent's key in an answer");
}

/*
 * What an answer's buffer held before must not be in it: the script is played again with other
 * octets there, and must have been answered with the same. (FNV-1a.)
 */
static void note_answer(struct script *s)
{
	size_t i;

	for (i = 0; i < s->result.reply_len; i++)
		s->answers = (s->answers ^ s->result.reply[i]) * 0x100000001b3u;
}

static void feed(struct script *s, const uint8_t *msg, size_t len)
{
	memset(&s->result, s->poison, sizeof(s->result));
	world_feed(&s->world, msg, len, &s->sent.from, &s->result);
	check_no_gain(s, len);
	check_no_key(s);
	note_answer(s);
}

static void check_counters(struct script *s, const struct stats *before)
{
	const struct stats *now = &s->world.engine.stats;

	require(s, now->requests_received - before->requests_received == 1, "requests-received");
	require(s,
		now->requests_accepted - before->requests_accepted ==
			(s->result.outcome.verdict == REG_ACCEPT),
		"requests-accepted");
	require(s,
		now->requests_denied - before->requests_denied ==
			(s->result.outcome.verdict == REG_DENY),
		"requests-denied");
	require(s,
		now->requests_discarded - before->requests_discarded ==
			(s->result.outcome.verdict == REG_DISCARD),
		"requests-discarded");
}

static struct binding_key key_of(const struct script *s)
{
	return (struct binding_key){ s->result.req.home_addr, s->world.conf.home_agent };
}

/* A denial beyond the limit that the script has set. */
static bool is_unanswered(const struct script *s, const struct stats *before)
{
	return s->result.outcome.verdict == REG_DENY &&
	       s->world.engine.stats.denials_unanswered == before->denials_unanswered + 1;
}

/* ------------------------------------------------------ when memory fails */

static const uint8_t *support_reply(const struct engine_result *res);

/* A message, and what comes of it when memory is there; shared by the processes that try it. */
struct trial {
	struct script *s;
	const uint8_t *msg;
	size_t len;
	struct {
		struct reg_outcome outcome;
		size_t reply_len;
		struct snapshot before, after;
	} * clean;
};

static bool everything_is_freed(struct script *s)
{
	size_t i;

	for (i = 0; i < s->node_cnt; i++)
		mac_free(s->nodes[i].mac);
	for (i = 0; i < s->agent_cnt; i++)
		mac_free(s->agents[i].mac);
	world_done(&s->world);
	if (alloc_fault_live() > 0)
		fprintf(stderr, "%s:%u: %zu allocations leak\n", s->path, s->line,
			alloc_fault_live());
	return alloc_fault_live() == 0;
}

/* The same bindings over the same tunnels, however long they last and in whichever order? */
static bool same_bindings(const struct snapshot *a, const struct snapshot *b)
{
	size_t i, j;

	for (i = 0; i < a->cnt; i++) {
		for (j = 0; j < b->cnt; j++)
			if (memcmp(&a->bindings[i].key, &b->bindings[j].key,
				   sizeof(struct binding_key)) == 0 &&
			    addr_eq(a->bindings[i].care_of, b->bindings[j].care_of) &&
			    a->bindings[i].networks == b->bindings[j].networks)
				break;
		if (j == b->cnt)
			return false;
	}
	return a->cnt == b->cnt;
}

static bool is_request(const struct trial *t)
{
	return t->len > 0 && t->msg[0] != 7 && t->msg[0] != 15;
}

/* Changes that a refusal brings about on purpose: RFC 5446 §4, and a data path that refuses. */
static bool refusal_may_change(const struct script *s)
{
	return s->world.refuse_changes || (s->result.outcome.verdict == REG_DENY &&
					   s->result.outcome.code == REG_SERVICE_UNAUTHORIZED);
}

static void check_no_half_change(struct script *s, const struct trial *t, const struct stats *stats)
{
	static struct snapshot now;
	const struct engine_result *res = &s->result;
	bool is_accepted = res->outcome.verdict == REG_ACCEPT;
	const struct binding *b;

	take_snapshot(s, &now);
	require(s, world_tunnels_match(&s->world), "the data path was not told");
	require(s, world_routes_match(&s->world), "routes and registered networks differ");
	if (!is_request(t)) {
		require(s,
			same_bindings(&now, &t->clean->before) ||
				same_bindings(&now, &t->clean->after),
			"half a revocation");
		return;
	}
	check_counters(s, stats);
	if (!is_accepted && !refusal_may_change(s))
		require(s, memcmp(&now, &t->clean->before, sizeof(now)) == 0,
			"a request that was not accepted changed a binding");
	if (is_accepted) {
		require(s, t->clean->outcome.verdict == REG_ACCEPT, "it should not be accepted");
		require(s, memcmp(&now, &t->clean->after, sizeof(now)) == 0,
			"it was accepted, and half of it carried out");
		require(s, res->reply_len > 0, "accepted and not answered");
		b = binding_find_care_of(&s->world.engine.cache, key_of(s), res->req.care_of);
		require(s,
			!support_reply(res) || reg_is_dereg(&res->req) ||
				(b && binding_revocation_of(b)),
			"Revocation Support that nobody remembers");
	}
	if (res->reply_len > 0)
		check_reply(s);
}

/*
 * The mobile node tries again, as it would: with a new Identification (§3.6.3), and the nonce it
 * was given. Not where the script says which Identification: that one may be used up.
 */
static void try_again(struct script *s, const struct trial *t)
{
	static struct snapshot now;
	size_t i;

	for (i = 1; i < s->request_cnt; i++)
		if (strcmp(s->request[i], "ident") == 0)
			return;
	for (i = 0; i < 3; i++) {
		build_request(s, s->request, s->request_cnt);
		world_feed(&s->world, s->sent.msg, s->sent.len, &s->sent.from, &s->result);
		if (s->result.reply_len > 0)
			check_reply(s);
		if (s->result.outcome.reason != REG_REASON_STALE_NONCE)
			break;
	}
	if (s->result.outcome.verdict == REG_DENY && s->result.reply_len == 0)
		return; /* a denial too much: it was not told the nonce */
	require(s, s->result.outcome.reason != REG_REASON_STALE_NONCE, "no nonce is good any more");
	if (t->clean->outcome.reason == REG_REASON_STALE_NONCE)
		return;
	require(s,
		(s->result.outcome.verdict == REG_ACCEPT) ==
			(t->clean->outcome.verdict == REG_ACCEPT),
		"the next one fares otherwise than it should");
	if (s->result.outcome.verdict != REG_ACCEPT)
		return;
	take_snapshot(s, &now);
	require(s, same_bindings(&now, &t->clean->after), "the next one leaves other bindings");
	require(s, world_tunnels_match(&s->world), "the data path was not told of the next one");
	require(s, world_routes_match(&s->world), "routes after the next one");
}

static bool try_message(void *ctx)
{
	struct trial *t = ctx;
	struct script *s = t->s;
	struct stats stats = s->world.is_open ? s->world.engine.stats : (struct stats){ 0 };
	bool is_clean;

	if (setjmp(s->failed) != 0)
		return false;
	s->with_faults = false;
	take_snapshot(s, &t->clean->before);
	world_feed(&s->world, t->msg, t->len, &s->sent.from, &s->result);
	is_clean = alloc_fault_count().failed == 0;
	if (is_clean) {
		t->clean->outcome = s->result.outcome;
		t->clean->reply_len = s->result.reply_len;
		take_snapshot(s, &t->clean->after);
		return everything_is_freed(s);
	}
	check_no_half_change(s, t, &stats);
	alloc_fault_over();
	if (s->request && is_request(t))
		try_again(s, t);
	return everything_is_freed(s);
}

/* Each allocation on the way of this message fails: no crash, no half change, no leak. */
static void drill_message(struct script *s, const uint8_t *msg, size_t len)
{
	struct trial t = { .s = s, .msg = msg, .len = len };
	static void *shared;

	if (!shared)
		shared = alloc_drill_shared(sizeof(*t.clean));
	t.clean = shared;
	if (!alloc_drill(&s->drill, s->request != NULL, try_message, &t))
		fail(s, "%s", s->drill.fault);
}

static void send_octets(struct script *s, const uint8_t *msg, size_t len)
{
	static struct snapshot before, after;
	struct stats stats = s->world.is_open ? s->world.engine.stats : (struct stats){ 0 };

	if (s->with_faults)
		drill_message(s, msg, len);
	take_snapshot(s, &before);
	s->world.change_cnt = 0;
	feed(s, msg, len);
	take_snapshot(s, &after);
	s->said++;

	check_counters(s, &stats);
	require(s, world_tunnels_match(&s->world), "the data path was not told");
	require(s,
		(s->result.reply_len == 0) ==
			(s->result.outcome.verdict == REG_DISCARD || is_unanswered(s, &stats)),
		"silence and a reply");
	/* Code 151 alone takes away what the node had (RFC 5446 §4). */
	if (s->result.outcome.verdict == REG_DENY &&
	    s->result.outcome.code == REG_SERVICE_UNAUTHORIZED) {
		require(s, !binding_find(&s->world.engine.cache, key_of(s)),
			"a refused service leaves a binding");
	} else if (s->result.outcome.verdict != REG_ACCEPT && !s->world.refuse_changes) {
		require(s, memcmp(&before, &after, sizeof(before)) == 0,
			"a request that was not accepted changed a binding");
		require(s, s->world.change_cnt == 0,
			"a request that was not accepted touched the data path");
	}
	if (s->result.reply_len > 0) {
		require(s, s->sent.node, "a reply to a datagram of nobody");
		check_reply(s);
	}
}

static void expect_silence(struct script *s, const char *what)
{
	if (s->result.outcome.verdict != REG_DISCARD)
		fail(s, "%s was not met with silence (code %u)", what, s->result.outcome.code);
}

/* ------------------------------------------------------------- the script */

static void do_request(struct script *s, char **words, size_t cnt)
{
	build_request(s, words + 1, cnt - 1);
	s->request = words + 1;
	s->request_cnt = cnt - 1;
	send_octets(s, s->sent.msg, s->sent.len);
	s->request = NULL;
	s->unjudged = true;
}

/* again [from A[:P]] */
static void do_again(struct script *s, char **words, size_t cnt)
{
	if (cnt == 3)
		endpoint(s, words[2], &s->sent.from.src, &s->sent.from.src_port);
	send_octets(s, s->sent.msg, s->sent.len);
	s->unjudged = true;
}

static void do_raw(struct script *s, char **words, size_t cnt)
{
	long len = world_hex(word(s, words, cnt, 1), s->sent.msg, sizeof(s->sent.msg));

	if (len < 0)
		fail(s, "not hex");
	s->sent.node = NULL;
	s->sent.len = (size_t)len;
	s->sent.from = (struct reg_origin){ .src = s->world.conf.home_agent,
					    .dst = s->world.conf.home_agent,
					    .src_port = DEFAULT_PORT,
					    .dst_port = REG_PORT };
	send_octets(s, s->sent.msg, s->sent.len);
	s->unjudged = true;
}

static void do_cut(struct script *s, char **words, size_t cnt)
{
	size_t len;

	build_request(s, words + 1, cnt - 1);
	for (len = 0; len < s->sent.len; len++) {
		send_octets(s, s->sent.msg, len);
		expect_silence(s, "a request cut short");
	}
	send_octets(s, s->sent.msg, s->sent.len);
	s->unjudged = true;
}

static void do_flip(struct script *s, char **words, size_t cnt)
{
	size_t bit;

	build_request(s, words + 1, cnt - 1);
	for (bit = 0; bit < 8 * s->sent.len; bit++) {
		s->sent.msg[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		send_octets(s, s->sent.msg, s->sent.len);
		s->sent.msg[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		if (s->result.outcome.verdict != REG_DISCARD)
			fail(s, "bit %zu flipped, and still an answer", bit);
	}
	send_octets(s, s->sent.msg, s->sent.len);
	s->unjudged = true;
}

/* The reply's UDP Tunnel Reply, or NULL. */
static const uint8_t *udp_reply(const struct engine_result *res)
{
	size_t at;

	for (at = REG_REPLY_LEN; at + 1 < res->reply_len; at += 2u + res->reply[at + 1])
		if (res->reply[at] == 44)
			return res->reply + at;
	return NULL;
}

/* The SPI of the mobile node's authenticator in the reply; 0: there is none. */
static uint32_t reply_spi(const struct engine_result *res)
{
	struct wire_reader r;
	size_t at;

	for (at = REG_REPLY_LEN; at + 1 < res->reply_len; at += 2u + res->reply[at + 1])
		if (res->reply[at] == 32) {
			r = wire_reader(res->reply + at + 2, 4);
			return wire_u32(&r);
		}
	return 0;
}

/* The reply's first extension of this type, or NULL. */
static const uint8_t *reply_ext(const struct engine_result *res, uint8_t type)
{
	size_t at;

	for (at = REG_REPLY_LEN; at + 1 < res->reply_len; at += 2u + res->reply[at + 1])
		if (res->reply[at] == type)
			return res->reply + at;
	return NULL;
}

/* text WORDS_JOINED: the Message String, "_" for blanks */
static void expect_text(struct script *s, const char *text)
{
	const uint8_t *ext = reply_ext(&s->result, 145);
	char have[256] = "";
	size_t i;

	require(s, ext && ext[1] > 1 && ext[2] == 1, "no Message String of a home agent");
	for (i = 0; i + 1 < ext[1]; i++)
		have[i] = ext[3 + i] == ' ' ? '_' : (char)ext[3 + i];
	if (strcmp(have, text) != 0)
		fail(s, "the text is %s", have);
}

/* echo HEX: this extension is in the reply, to the octet */
static void expect_echo(struct script *s, const char *hex)
{
	uint8_t octets[2 + 255];
	long len = world_hex(hex, octets, sizeof(octets));
	const uint8_t *ext;

	if (len < 2)
		fail(s, "not an extension in hex: %s", hex);
	ext = reply_ext(&s->result, octets[0]);
	require(s, ext && memcmp(ext, octets, (size_t)len) == 0, "that is not in the reply");
}

/* exts 131,44,149,32: exactly these, in this order */
static void expect_extensions(struct script *s, const char *list)
{
	const struct engine_result *res = &s->result;
	char have[128] = "";
	size_t at, n = 0;

	for (at = REG_REPLY_LEN; at + 1 < res->reply_len; at += 2u + res->reply[at + 1])
		n += (size_t)snprintf(have + n, sizeof(have) - n, "%s%u", n ? "," : "",
				      res->reply[at]);
	if (strcmp(have, list) != 0)
		fail(s, "the reply's extensions are %s", have);
}

/* acks N,N,...: just these codes, all of one Sub-Type, in order; "implicit:" ahead: of the 2nd */
static void expect_acks(struct script *s, const char *list)
{
	const struct engine_result *res = &s->result;
	const char *codes = strchr(list, ':');
	uint8_t sub_type = codes ? 2 : 1;
	char have[128] = "";
	size_t at, n = 0;

	for (at = REG_REPLY_LEN; at + 1 < res->reply_len; at += 2u + res->reply[at + 1]) {
		if (res->reply[at] != 148)
			continue;
		require(s,
			res->reply[at + 1] == 8 && res->reply[at + 2] == sub_type &&
				res->reply[at + 5] == 0,
			"a Mobile Network Acknowledgement");
		n += (size_t)snprintf(have + n, sizeof(have) - n, "%s%u", n ? "," : "",
				      res->reply[at + 3]);
	}
	if (strcmp(have, codes ? codes + 1 : list) != 0)
		fail(s, "the acknowledgements are %s", have);
}

/* Revocation Support in the reply: its place in it, or NULL. */
static const uint8_t *support_reply(const struct engine_result *res)
{
	size_t at;

	for (at = REG_REPLY_LEN; at + 1 < res->reply_len; at += 2u + res->reply[at + 1])
		if (res->reply[at] == 137)
			return res->reply + at;
	return NULL;
}

/*
 * expect accept | accept-1 | deny CODE | unanswered CODE | silence, then
 *	reason NAME, lifetime N, home A, exts LIST, spi N,
 *	udp CODE [forced] [keepalive N], no-udp,
 *	text A_MESSAGE_STRING, echo HEX, acks [implicit:]CODE,CODE...
 *	informs, no-informs: the I bit of Revocation Support, or of the acknowledgement
 */
static void do_expect(struct script *s, char **words, size_t cnt)
{
	const struct engine_result *res = &s->result;
	const char *verdict = word(s, words, cnt, 1);
	const uint8_t *reply = res->reply, *udp = udp_reply(res);
	size_t i = 2;

	if (!s->unjudged)
		fail(s, "nothing was said");
	s->unjudged = false;
	s->judged++;
	if (strcmp(verdict, "accept") == 0)
		require(s, res->outcome.verdict == REG_ACCEPT && res->outcome.code == REG_ACCEPTED,
			"it was not accepted");
	else if (strcmp(verdict, "accept-1") == 0)
		require(s,
			res->outcome.verdict == REG_ACCEPT &&
				res->outcome.code == REG_ACCEPTED_NO_SIMULTANEOUS,
			"it was not accepted with Code 1");
	else if (strcmp(verdict, "silence") == 0)
		expect_silence(s, "it");
	else if (strcmp(verdict, "deny") == 0 || strcmp(verdict, "unanswered") == 0)
		require(s,
			res->outcome.verdict == REG_DENY &&
				(res->reply_len > 0) == (*verdict == 'd') &&
				res->outcome.code == number(s, word(s, words, cnt, i++)),
			"it was not denied so");
	else
		fail(s, "accept, deny or silence, not %s", verdict);
	for (; i < cnt; i++) {
		if (strcmp(words[i], "reason") == 0) {
			if (strcmp(reg_reason_name(res->outcome.reason), word(s, words, cnt, ++i)))
				fail(s, "the reason is %s", reg_reason_name(res->outcome.reason));
		} else if (strcmp(words[i], "lifetime") == 0) {
			unsigned int granted = (unsigned int)(reply[2] << 8 | reply[3]);

			if (granted != (strcmp(word(s, words, cnt, ++i), "infinite") == 0
						? REG_LIFETIME_INFINITE
						: number(s, words[i])))
				fail(s, "the Lifetime is %u", granted);
		} else if (strcmp(words[i], "home") == 0) {
			struct in_addr home = address(s, word(s, words, cnt, ++i));

			if (memcmp(reply + 4, &home, 4) != 0)
				fail(s, "the Home Address is %u.%u.%u.%u", reply[4], reply[5],
				     reply[6], reply[7]);
		} else if (strcmp(words[i], "spi") == 0) {
			if (reply_spi(res) != number(s, word(s, words, cnt, ++i)))
				fail(s, "it is signed under SPI %u", reply_spi(res));
		} else if (strcmp(words[i], "exts") == 0) {
			expect_extensions(s, word(s, words, cnt, ++i));
		} else if (strcmp(words[i], "informs") == 0 ||
			   strcmp(words[i], "no-informs") == 0) {
			const uint8_t *bits = reply[0] == 15 ? reply + 2 : support_reply(res);

			require(s, res->reply_len > 0 && bits, "no I bit");
			if (reply[0] != 15)
				bits += 2;
			require(s, bits[0] == (words[i][0] == 'i' ? 0x80 : 0) && bits[1] == 0,
				"the I bit");
		} else if (strcmp(words[i], "acks") == 0) {
			expect_acks(s, word(s, words, cnt, ++i));
		} else if (strcmp(words[i], "text") == 0) {
			expect_text(s, word(s, words, cnt, ++i));
		} else if (strcmp(words[i], "echo") == 0) {
			expect_echo(s, word(s, words, cnt, ++i));
		} else if (strcmp(words[i], "no-udp") == 0) {
			require(s, !udp, "there is a UDP Tunnel Reply");
		} else if (strcmp(words[i], "udp") == 0) {
			require(s, udp && udp[1] == 6 && udp[2] == 0, "no UDP Tunnel Reply");
			if (udp[3] != number(s, word(s, words, cnt, ++i)))
				fail(s, "the Reply Code is %u", udp[3]);
			require(s,
				udp[4] == (i + 1 < cnt && !strcmp(words[i + 1], "forced") ? 0x80
											  : 0) &&
					udp[5] == 0,
				"the F bit of the UDP Tunnel Reply");
			if (udp[4])
				i++;
		} else if (strcmp(words[i], "keepalive") == 0) {
			require(s,
				udp && (unsigned int)(udp[6] << 8 | udp[7]) ==
						number(s, word(s, words, cnt, ++i)),
				"the keepalive interval");
		} else {
			fail(s, "what is %s?", words[i]);
		}
	}
}

/*
 * binding HOME CARE-OF, then
 *	remaining N|ever, granted N, peer A[:P], encap E, flags LETTERS, keepalive N, first
 *	udp, forced, half-bound, reverse, from-fa; with no- ahead: not
 */
static void do_binding(struct script *s, char **words, size_t cnt)
{
	struct binding_key key = { address(s, word(s, words, cnt, 1)), s->world.conf.home_agent };
	const struct binding *b;
	size_t i;

	b = binding_find_care_of(&s->world.engine.cache, key, address(s, word(s, words, cnt, 2)));
	if (!b)
		fail(s, "no binding %s %s", words[1], words[2]);
	for (i = 3; i < cnt; i++) {
		const char *v = words[i];
		bool yes = strncmp(v, "no-", 3) != 0;
		bool is, known = true;

		if (!yes)
			v += 3;
		if (strcmp(v, "udp") == 0)
			is = b->tunnel.udp;
		else if (strcmp(v, "forced") == 0)
			is = b->udp_forced;
		else if (strcmp(v, "half-bound") == 0)
			is = b->tunnel.half_bound;
		else if (strcmp(v, "reverse") == 0)
			is = b->tunnel.reverse;
		else if (strcmp(v, "from-fa") == 0)
			is = b->from_fa;
		else if (strcmp(v, "first") == 0)
			is = binding_find(&s->world.engine.cache, key) == b;
		else
			is = known = false;
		if (known && is != yes)
			fail(s, "the binding is %s%s", is ? "" : "not ", v);
		if (known)
			continue;

		if (strcmp(v, "remaining") == 0) {
			uint32_t left = binding_remaining_s(b, s->world.now.mono_ms);
			bool ever = strcmp(word(s, words, cnt, ++i), "ever") == 0;

			if (left != (ever ? REG_LIFETIME_INFINITE : number(s, words[i])) ||
			    ever != (b->expires_ms == BINDING_NEVER_MS))
				fail(s, "%u s remain", left);
		} else if (strcmp(v, "granted") == 0) {
			if (b->lifetime_s != number(s, word(s, words, cnt, ++i)))
				fail(s, "%u s were granted", b->lifetime_s);
		} else if (strcmp(v, "peer") == 0) {
			uint16_t port = b->tunnel.peer_port;
			struct in_addr addr;

			endpoint(s, word(s, words, cnt, ++i), &addr, &port);
			if (!addr_eq(addr, b->tunnel.peer) || port != b->tunnel.peer_port)
				fail(s, "the tunnel ends at %s:%u", addr_text(b->tunnel.peer).s,
				     b->tunnel.peer_port);
		} else if (strcmp(v, "encap") == 0) {
			if (b->tunnel.encap != encapsulation(s, word(s, words, cnt, ++i)))
				fail(s, "the encapsulation is %u", b->tunnel.encap);
		} else if (strcmp(v, "keepalive") == 0) {
			if (b->keepalive_s != number(s, word(s, words, cnt, ++i)))
				fail(s, "the keepalive interval is %u", b->keepalive_s);
		} else {
			fail(s, "what is %s?", v);
		}
	}
}

static void do_network(struct script *s, char **words, size_t cnt)
{
	const struct network *net =
		network_table_find(&s->world.engine.networks, address(s, word(s, words, cnt, 1)));
	struct binding_key key = { address(s, word(s, words, cnt, 2)), s->world.conf.home_agent };
	const struct binding *b = binding_find(&s->world.engine.cache, key);

	if (!net || !addr_eq(net->node->addr, key.home_addr))
		fail(s, "%s is not behind %s", words[1], words[2]);
	if (cnt > 3)
		b = binding_find_care_of(&s->world.engine.cache, key, address(s, words[3]));
	if (!b || !(b->networks & network_bit(net)))
		fail(s, "%s is not registered with that binding", words[1]);
}

static void do_no_binding(struct script *s, char **words, size_t cnt)
{
	struct binding_key key = { .home_agent = s->world.conf.home_agent };
	bool there;

	if (strcmp(word(s, words, cnt, 1), "network") == 0) {
		if (network_table_find(&s->world.engine.networks,
				       address(s, word(s, words, cnt, 2))))
			fail(s, "it is behind somebody");
		return;
	}
	if (strcmp(word(s, words, cnt, 1), "binding") != 0)
		fail(s, "no what?");
	key.home_addr = address(s, word(s, words, cnt, 2));
	there = cnt > 3 ? binding_find_care_of(&s->world.engine.cache, key, address(s, words[3]))
			: binding_find(&s->world.engine.cache, key);
	if (there)
		fail(s, "it has a binding");
}

/* bindings N, or bindings HOME N */
static void do_bindings(struct script *s, char **words, size_t cnt)
{
	const struct binding_cache *cache = &s->world.engine.cache;
	struct binding_key key = { .home_agent = s->world.conf.home_agent };
	size_t have = cache->cnt;

	if (cnt == 3) {
		key.home_addr = address(s, words[1]);
		have = binding_cnt(binding_find(cache, key));
	}
	if (have != number(s, words[cnt - 1]))
		fail(s, "%zu bindings", have);
}

struct counter_search {
	const char *name;
	bool found;
	uint64_t value;
};

static void look_at_counter(void *ctx, const char *name, uint64_t value)
{
	struct counter_search *c = ctx;

	if (strcmp(name, c->name) == 0) {
		c->found = true;
		c->value = value;
	}
}

static void do_counter(struct script *s, char **words, size_t cnt)
{
	struct counter_search c = { .name = word(s, words, cnt, 1) };

	stats_for_each(&s->world.engine.stats, look_at_counter, &c);
	if (!c.found)
		fail(s, "no such counter: %s", c.name);
	if (c.value != number(s, word(s, words, cnt, 2)))
		fail(s, "%s is %" PRIu64, c.name, c.value);
}

static void do_at(struct script *s, char **words, size_t cnt)
{
	uint64_t then = s->began_ms + 1000 * number(s, word(s, words, cnt, 1));

	if (then < s->world.now.mono_ms)
		fail(s, "that is over");
	world_advance(&s->world, then - s->world.now.mono_ms);
}

static void do_advance(struct script *s, char **words, size_t cnt)
{
	world_advance(&s->world, 1000 * number(s, word(s, words, cnt, 1)));
}

static void do_wall(struct script *s, char **words, size_t cnt)
{
	s->world.now.ntp = ident_word(s, word(s, words, cnt, 1));
}

static void do_clock(struct script *s, char **words, size_t cnt)
{
	if (s->world.is_open)
		fail(s, "the clock is running");
	s->world.now.ntp = strtoull(word(s, words, cnt, 1), NULL, 16) << 32;
}

static void do_clear(struct script *s, char **words, size_t cnt)
{
	struct binding_key key = { address(s, word(s, words, cnt, 1)), s->world.conf.home_agent };

	engine_clear(&s->world.engine, key);
}

static void do_drain(struct script *s, char **words, size_t cnt)
{
	revocation_drain(&s->world.engine, cnt < 2 || strcmp(words[1], "off") != 0);
	world_advance(&s->world, 0);
}

/* A node or a foreign agent, and which authenticator it makes. */
static struct party *peer_party(struct script *s, const char *name, uint8_t *auth)
{
	size_t i;

	for (i = 0; i < s->node_cnt; i++)
		if (strcmp(s->nodes[i].name, name) == 0) {
			*auth = 32;
			return &s->nodes[i];
		}
	*auth = 34;
	return party(s, s->agents, s->agent_cnt, name);
}

/*
 * sent N, then of the last one, in this order
 *	to A:P, by PARTY (whose key verifies it), home A, care-of A, informs | no-informs
 * Each is a message 7 with A set, and its identifier is newer than that of the one before.
 */
static void do_sent(struct script *s, char **words, size_t cnt)
{
	const struct world_sent *m = &s->world.sent;
	struct in_addr addr;
	struct party *p;
	uint32_t ident;
	uint16_t port;
	uint8_t auth;
	size_t i;

	if (s->world.sent_cnt != number(s, word(s, words, cnt, 1)))
		fail(s, "%u revocations were sent", s->world.sent_cnt);
	if (s->world.sent_cnt > 0) {
		struct wire_reader r = wire_reader(m->msg + 16, 4);

		ident = wire_u32(&r);
		require(s, m->msg[0] == 7 && m->msg[1] == 0 && (m->msg[2] & 0xbf) == 0x80,
			"not a Registration Revocation of a home agent");
		require(s, s->sent_ident == 0 || (int32_t)(ident - s->sent_ident) > 0,
			"the identifier is an old one");
		s->sent_ident = ident;
	}
	s->world.sent_cnt = 0;
	for (i = 2; i < cnt; i++) {
		const char *v = words[i];

		if (strcmp(v, "informs") == 0 || strcmp(v, "no-informs") == 0) {
			require(s, !(m->msg[2] & 0x40) == (*v == 'n'), "the I bit");
		} else if (strcmp(v, "to") == 0) {
			endpoint(s, word(s, words, cnt, ++i), &addr, &port);
			if (!addr_eq(addr, m->dst) || port != m->port)
				fail(s, "it went to %s:%u", addr_text(m->dst).s, m->port);
		} else if (strcmp(v, "by") == 0) {
			p = peer_party(s, word(s, words, cnt, ++i), &auth);
			require(s, m->len > 26 && m->msg[20] == auth, "the wrong authenticator");
			require(s, mac_verify(p->mac, m->msg, 26, m->msg + 26, m->len - 26) == 0,
				"its authenticator does not verify");
		} else {
			addr = address(s, word(s, words, cnt, ++i));
			require(s,
				memcmp(m->msg + (strcmp(v, "home") == 0 ? 4 : 12), &addr, 4) == 0,
				v);
		}
	}
}

/* Feeds a message 7 or 15. What is ignored changes nothing; what is answered is answered well. */
static void send_revocation(struct script *s, struct party *p)
{
	static struct snapshot before, after;
	const struct stats stats = s->world.engine.stats;
	const uint8_t *m = s->result.reply;

	if (s->with_faults)
		drill_message(s, s->sent.msg, s->sent.len);
	take_snapshot(s, &before);
	feed(s, s->sent.msg, s->sent.len);
	take_snapshot(s, &after);
	s->said++;
	s->unjudged = true;
	require(s, world_tunnels_match(&s->world), "the data path was not told");
	if (s->result.outcome.verdict == REG_DISCARD) {
		require(s, s->result.reply_len == 0, "silence and a reply");
		require(s, memcmp(&before, &after, sizeof(before)) == 0, "a binding changed");
	} else {
		require(s, s->world.engine.stats.requests_received == stats.requests_received,
			"it is no request");
	}
	if (s->result.reply_len > 0) {
		require(s, m[0] == 15 && m[1] == 0 && s->sent.msg[0] == 7, "no acknowledgement");
		require(s,
			memcmp(m + 4, s->sent.msg + 4, 4) == 0 &&
				memcmp(m + 8, s->sent.msg + 16, 4) == 0,
			"it acknowledges something else");
		require(s,
			s->result.reply_len > 18 && m[12] == 34 &&
				mac_verify(p->mac, m, 18, m + 18, s->result.reply_len - 18) == 0,
			"the acknowledgement's authenticator does not verify");
	}
}

/*
 * revoke PARTY | acknowledge PARTY, then
 *	home A, care-of A, agent A, from A[:P], ident HEX|+N|-N (8 digits, or seconds off our
 *	clock, or off the revocation that left last), inform, home-agent (A set), ext HEX, bad,
 *	unsigned
 */
static void do_revoke(struct script *s, char **words, size_t cnt)
{
	struct wire_writer w = wire_writer(s->sent.msg, sizeof(s->sent.msg));
	bool is_ack = words[0][0] == 'a', inform = false, a_bit = false, is_signed = true;
	bool is_right = true;
	uint32_t ident = is_ack ? s->sent_ident : (uint32_t)(s->world.now.ntp >> 32);
	uint8_t auth, octets[MESSAGE_MAX];
	struct in_addr home, care_of, agent = s->world.conf.home_agent;
	struct party *p = peer_party(s, word(s, words, cnt, 1), &auth);
	long len = 0;
	size_t i;

	home = care_of = p->assoc.addr;
	s->sent = (struct sent){ .from = { .src = p->assoc.addr,
					   .src_port = REG_PORT,
					   .dst = agent,
					   .dst_port = REG_PORT } };
	for (i = 2; i < cnt; i++) {
		const char *v = words[i];

		if (strcmp(v, "inform") == 0)
			inform = true;
		else if (strcmp(v, "home-agent") == 0)
			a_bit = true;
		else if (strcmp(v, "bad") == 0)
			is_right = false;
		else if (strcmp(v, "unsigned") == 0)
			is_signed = false;
		else if (strcmp(v, "home") == 0)
			home = address(s, word(s, words, cnt, ++i));
		else if (strcmp(v, "care-of") == 0)
			care_of = address(s, word(s, words, cnt, ++i));
		else if (strcmp(v, "agent") == 0)
			agent = address(s, word(s, words, cnt, ++i));
		else if (strcmp(v, "ident") == 0)
			ident = strlen(word(s, words, cnt, ++i)) == 8
					? (uint32_t)strtoul(words[i], NULL, 16)
					: ident + (uint32_t)strtol(words[i], NULL, 10);
		else if (strcmp(v, "from") == 0)
			endpoint(s, word(s, words, cnt, ++i), &s->sent.from.src,
				 &s->sent.from.src_port);
		else if (strcmp(v, "ext") == 0)
			len = world_hex(word(s, words, cnt, ++i), octets, sizeof(octets));
		else
			fail(s, "what is %s?", v);
	}
	if (len < 0)
		fail(s, "not hex");
	wire_put_u16(&w, is_ack ? 0x0f00 : 0x0700);
	wire_put_u16(&w, is_ack ? (inform ? 0x8000 : 0)
				: (uint16_t)((a_bit ? 0x8000 : 0) | (inform ? 0x4000 : 0)));
	wire_put_addr(&w, home);
	if (!is_ack) {
		wire_put_addr(&w, agent);
		wire_put_addr(&w, care_of);
	}
	wire_put_u32(&w, ident);
	wire_put_bytes(&w, octets, (size_t)len);
	if (is_signed)
		put_authenticator(&w, auth, p->assoc.spi, p->mac, is_right);
	s->sent.len = wire_len(&w);
	send_revocation(s, p);
}

static void introduce(struct script *s, struct party *p, const char *name, const char *setting,
		      char **words, size_t cnt)
{
	char kind[32];

	snprintf(p->name, sizeof(p->name), "%s", name);
	snprintf(kind, sizeof(kind), "%s", setting);
	if (mac_new(p->assoc.algorithm, p->assoc.key, p->assoc.key_len, &p->mac) < 0)
		fail(s, "no such key");
	words[1] = kind;
	if (world_set(&s->world, words + 1, cnt - 1) != 0 && alloc_fault_count().failed == 0)
		fail(s, "%s", s->world.error);
}

static void do_node(struct script *s, char **words, size_t cnt)
{
	struct party *p = &s->nodes[s->node_cnt];
	const char *name = word(s, words, cnt, 1);

	if (s->node_cnt == PARTY_MAX)
		fail(s, "too many nodes");
	if (!world_parse_node(&s->world, words + 2, cnt - 2, &p->assoc))
		fail(s, "%s", s->world.error);
	s->node_cnt++;
	introduce(s, p, name, "mobile-node", words, cnt);
}

static void do_agent(struct script *s, char **words, size_t cnt)
{
	struct party *p = &s->agents[s->agent_cnt];
	const char *name = word(s, words, cnt, 1);

	if (s->agent_cnt == PARTY_MAX)
		fail(s, "too many agents");
	if (!world_parse_agent(&s->world, words + 2, cnt - 2, &p->assoc))
		fail(s, "%s", s->world.error);
	s->agent_cnt++;
	introduce(s, p, name, "foreign-agent", words, cnt);
}

/* stranger NAME ...: as `agent`, but the home agent does not know it */
static void do_stranger(struct script *s, char **words, size_t cnt)
{
	s->world.without_agents = true;
	do_agent(s, words, cnt);
	s->world.without_agents = false;
}

/* times N expect ... */
static void do_times(struct script *s, char **words, size_t cnt)
{
	unsigned long times = strtoul(word(s, words, cnt, 1), NULL, 10);

	if (times == 0 || strcmp(word(s, words, cnt, 2), "expect") != 0)
		fail(s, "times N expect ...");
	for (; times > 0; times--) {
		do_again(s, words, 1);
		do_expect(s, words + 2, cnt - 2);
	}
}

static void set(struct script *s, char **words, size_t cnt)
{
	(void)world_set(&s->world, words, cnt);
}

/* A line that is no message. */
struct line_trial {
	struct script *s;
	void (*say)(struct script *s, char **words, size_t cnt);
	char **words;
	size_t cnt;
};

static bool try_line(void *ctx)
{
	struct line_trial *t = ctx;
	struct script *s = t->s;

	if (setjmp(s->failed) != 0)
		return false;
	s->with_faults = false;
	t->say(s, t->words, t->cnt);
	require(s, world_tunnels_match(&s->world), "the data path was not told");
	require(s, world_routes_match(&s->world), "routes and registered networks differ");
	alloc_fault_over();
	world_advance(&s->world, 60 * 1000);
	return everything_is_freed(s);
}

static void drill_line(struct script *s, void (*say)(struct script *s, char **words, size_t cnt),
		       char **words, size_t cnt)
{
	struct line_trial t = { s, say, words, cnt };

	if (!alloc_drill(&s->drill, true, try_line, &t))
		fail(s, "%s", s->drill.fault);
}

static const struct {
	const char *verb;
	void (*say)(struct script *s, char **words, size_t cnt);
	bool has_faults; /* by itself: messages are tried one by one */
} verbs[] = {
	{ "node", do_node, true }, { "agent", do_agent, true }, { "stranger", do_stranger, true },
	{ "clock", do_clock },     { "at", do_at, true },       { "advance", do_advance, true },
	{ "wall", do_wall },       { "request", do_request },   { "again", do_again },
	{ "times", do_times },     { "cut", do_cut },           { "flip", do_flip },
	{ "raw", do_raw },         { "expect", do_expect },     { "binding", do_binding },
	{ "no", do_no_binding },   { "bindings", do_bindings }, { "network", do_network },
	{ "counter", do_counter }, { "clear", do_clear, true }, { "drain", do_drain, true },
	{ "sent", do_sent },       { "revoke", do_revoke },     { "acknowledge", do_revoke },
};

static void run_line(struct script *s, char *line)
{
	char *words[WORLD_WORDS_MAX];
	size_t cnt = world_split(line, words, WORLD_WORDS_MAX);
	size_t i;

	if (cnt == 0)
		return;
	if (s->unjudged && strcmp(words[0], "expect") != 0)
		fail(s, "what was expected of the request before?");
	if (!world_tunnels_match(&s->world))
		fail(s, "the data path was not told of the line before");
	if (!world_routes_match(&s->world))
		fail(s, "routes and registered networks are not the same");
	for (i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (strcmp(words[0], verbs[i].verb) == 0) {
			if (s->with_faults && verbs[i].has_faults)
				drill_line(s, verbs[i].say, words, cnt);
			verbs[i].say(s, words, cnt);
			return;
		}
	if (s->with_faults)
		drill_line(s, set, words, cnt);
	switch (world_set(&s->world, words, cnt)) {
	case 0:
		return;
	case 1:
		fail(s, "what is %s?", words[0]);
	default:
		fail(s, "%s", s->world.error);
	}
}

/* One script from its first line to its last; lines end one by one, a failure ends it at once. */
static int run_script(const char *path, bool with_faults, uint8_t poison, uint64_t *out_answers)
{
	static struct script s;
	FILE *f = fopen(path, "re");
	char line[4096];
	int status = 1;
	size_t i;

	if (!f) {
		perror(path);
		return 1;
	}
	memset(&s, 0, sizeof(s));
	s.path = path;
	s.poison = poison;
	s.with_faults = with_faults;
	world_init(&s.world, 0xe8fe6f80);
	if (with_faults)
		s.world.may_fail = alloc_fault_stretch;
	s.began_ms = s.world.now.mono_ms;
	if (setjmp(s.failed) == 0) {
		while (fgets(line, sizeof(line), f)) {
			s.line++;
			run_line(&s, line);
		}
		if (s.unjudged || s.judged == 0)
			fail(&s, "the last request is not judged, or there is none");
		printf("%s: %u messages, %u judged in words, no answer over %u %%\n", path, s.said,
		       s.judged, s.gain_percent);
		if (with_faults)
			printf("%s: %u failures of memory in %u steps\n", path, s.drill.tries,
			       s.drill.steps);
		status = 0;
	}
	for (i = 0; i < s.node_cnt; i++)
		mac_free(s.nodes[i].mac);
	for (i = 0; i < s.agent_cnt; i++)
		mac_free(s.agents[i].mac);
	world_done(&s.world);
	fclose(f);
	*out_answers = s.answers;
	if (alloc_fault_live() > 0) {
		fprintf(stderr, "%s: %zu allocations leak\n", path, alloc_fault_live());
		status = 1;
	}
	return status;
}

int main(int argc, char **argv)
{
	uint64_t answers, again;
	bool with_faults = argc > 1 && strcmp(argv[1], "--faults") == 0;
	int status = 0;
	int i;

	alloc_fault_begin();
	if (argc < 2 + with_faults) {
		fprintf(stderr, "usage: %s [--faults] FILE.scn...\n", argv[0]);
		return 2;
	}
	if (with_faults && !alloc_fault_with_openssl()) {
		fprintf(stderr, "%s: OpenSSL does not let us allocate\n", argv[0]);
		return 1;
	}
	for (i = 1 + with_faults; i < argc; i++) {
		status |= run_script(argv[i], with_faults, 0x5a, &answers);
		if (with_faults)
			continue;
		status |= run_script(argv[i], false, 0xa5, &again);
		if (answers != again) {
			fprintf(stderr, "%s: answers hold octets that nobody wrote\n", argv[i]);
			status = 1;
		}
	}
	return status;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a home agent does on the link that a home network is (RFC 5944 §4.6, §2.3, §3.8.3.1). ha.c
 * tells which nodes have bindings, and asks where a request came from.
 *
 * Proxy ARP is ours, not the kernel's. The kernel's proxied neighbours answer late (proxy_delay),
 * never answer a probe, and answer a returning node's own gratuitous ARP, which then looks to the
 * node like a conflict; arp_is_question() says what is answered. Nor are any put: exactly one of
 * the two must answer.
 *
 * Each link has one packet socket, whose filter passes ARP, solicitations and Registration
 * Requests. It takes every protocol (ETH_P_ALL) and not IPv4 alone, because such sockets get a
 * frame before IP does: when the registration socket hands over a request, the frame that it came
 * in can be read here. From it we learn where a node that is at home is. While the binding stands,
 * the host's route to the node leads into the tunnel, and its neighbour entry, if there is one, may
 * be of another day; so what the node is told goes back to where the request came from, by this
 * socket (§3.8.3.1).
 *
 * A claim is what the link believes of one home address: that it is with us, while the node is
 * away, or for the few seconds of the retransmissions that it is with the node again. There is one
 * at most for each address, so that a late retransmission never contradicts a newer truth.
 *
 * A reload brings links and takes some away. Those that come are opened beforehand, silent, so that
 * one that cannot be is known while nothing has changed. One that goes takes its leave and is
 * closed; it lives on, in no list, until the last of its claims is dropped or is another link's.
 */
#include "ha-core/io/home_link.h"

#include "common/err.h"
#include "common/hash.h"
#include "common/log.h"
#include "ha-core/io/frame.h"
#include "ha-core/tunnel/ipv4.h"
#include "ha-core/tunnel/rtnl.h"
#include "ha-core/wire/advert.h"
#include "ha-core/wire/reg.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLAIM_INTERVAL_MS 1000
#define CLAIM_BATCH       256 /* of one wake-up: others want their turn */
#define READ_BATCH        64
#define READ_ALL          1024
#define SIGHTINGS         256 /* more than a batch of the registration socket */
#define SIGHT_LEN         24  /* fixed part of a request: the Identification is in it */
#define SOLICITORS        8   /* answered at a time: a flood gets no more */
#define ADVERT_LEN_MAX    64
#define MOBILE_AGENTS     0xe000000b /* 224.0.0.11, all mobility agents of a link */

/* RFC 1256 §6.1 */
#define MAX_INITIAL_ADVERT_INTERVAL_MS 16000
#define MAX_INITIAL_ADVERTISEMENTS     3
#define MAX_RESPONSE_DELAY_MS          2000

/* A Registration Request from an address of the home network, and the frame it was in. */
struct sighting {
	struct in_addr src;
	uint16_t src_port;
	uint8_t head[SIGHT_LEN];
	uint8_t mac[ARP_MAC_LEN];
};

struct solicitor {
	struct in_addr addr;
	uint8_t mac[ARP_MAC_LEN];
};

struct link {
	struct link *next;
	struct home_link *owner;
	struct home_link_network net;
	unsigned int index; /* 0: the link is not there, or no Ethernet */
	unsigned int tried; /* the index it had when we last tried to be on it */
	int fd;
	int groups_fd; /* holds memberships, nothing else */
	struct loop_fd *watch;
	size_t claim_cnt;
	bool is_gone; /* by a reload; its claims still point here */

	struct sighting sightings[SIGHTINGS];
	size_t sighting_next;

	struct loop_timer *advert_timer;
	unsigned int initial_left;
	struct loop_timer *answer_timer;
	struct solicitor solicitors[SOLICITORS];
	size_t solicitor_cnt;
	bool answer_all; /* more asked than there is room for, or one without an address */
};

struct claim {
	struct hash_node by_addr;
	struct claim *prev, *next; /* to be sent again, the next due first */
	struct link *link;
	struct in_addr addr;
	bool is_away;
	uint8_t mac[ARP_MAC_LEN]; /* the node's; of one that is away, ours is asked for */
	unsigned int left;        /* sends to come; 0: in no queue */
	uint64_t due_ms;
};

struct home_link {
	struct home_link_conf conf;
	struct rtnl *rtnl;
	struct link *links;
	struct link *coming; /* that a reload brings, if it is carried out */
	uint16_t sequence;   /* of the next advertisement: an agent counts all it sends (§2.3.2) */
	struct hash claims;
	struct claim *first, *last;
	struct loop_timer *claim_timer;
	bool is_passive; /* another home agent speaks */
};

/* --- sending --- */

static int send_frame(struct link *l, const uint8_t *frame, size_t len)
{
	static struct log_limit limit = { .burst = 5,
					  .interval_ms = 1000,
					  .event = "home-link-send-failed" };
	int err;

	if (l->owner->is_passive)
		return -EPERM;
	if (send(l->fd, frame, len, MSG_DONTWAIT) >= 0)
		return 0;
	err = -errno;
	log_write_limited(&limit, loop_now(l->owner->conf.loop)->mono_ms, LOG_LEVEL_WARNING,
			  "a frame could not be sent on a home link",
			  "event=home-link-send-failed interface=%s error=\"%s\"", l->net.interface,
			  err_text(err));
	return err;
}

/* Ours on this link, as of now: an administrator may change it. */
static int own_mac(const struct link *l, uint8_t ret_mac[ARP_MAC_LEN])
{
	struct sockaddr_ll sll = { 0 };
	socklen_t len = sizeof(sll);

	if (getsockname(l->fd, (struct sockaddr *)&sll, &len) < 0)
		return -errno;
	if (sll.sll_hatype != ARPHRD_ETHER || sll.sll_halen != ARP_MAC_LEN)
		return -EPFNOSUPPORT;
	memcpy(ret_mac, sll.sll_addr, ARP_MAC_LEN);
	return 0;
}

static int send_arp(struct link *l, const struct arp *arp)
{
	uint8_t frame[ARP_FRAME_LEN];
	struct wire_writer w = wire_writer(frame, sizeof(frame));

	arp_encode(&w, arp);
	return send_frame(l, frame, wire_len(&w));
}

static struct link *link_of(struct home_link *hl, struct in_addr addr)
{
	struct link *l = hl ? hl->links : NULL;

	while (l && !addr_prefix_contains(l->net.prefix, addr))
		l = l->next;
	return l;
}

/* --- claims --- */

static struct claim *claim_find(const struct home_link *hl, struct in_addr addr)
{
	uint64_t h = hash_u64(&hl->claims, addr.s_addr);
	struct hash_node *n = hash_first(&hl->claims, h);

	while (n && !addr_eq(hash_entry(n, struct claim, by_addr)->addr, addr))
		n = hash_next(n, h);
	return n ? hash_entry(n, struct claim, by_addr) : NULL;
}

static void unqueue(struct home_link *hl, struct claim *c)
{
	if (c->left == 0)
		return;
	*(c->prev ? &c->prev->next : &hl->first) = c->next;
	*(c->next ? &c->next->prev : &hl->last) = c->prev;
	c->left = 0;
}

/* @param l  NULL: none any more */
static void claim_set_link(struct claim *c, struct link *l)
{
	struct link *before = c->link;

	c->link = l;
	if (l)
		l->claim_cnt++;
	if (before && --before->claim_cnt == 0 && before->is_gone)
		free(before);
}

/* What another link has been told about the address is not known to the neighbours on this one. */
static struct claim *claim_get(struct home_link *hl, struct link *l, struct in_addr addr)
{
	struct claim *c = claim_find(hl, addr);

	if (c && c->link != l) {
		unqueue(hl, c);
		claim_set_link(c, l);
		c->is_away = false;
	}
	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	claim_set_link(c, l);
	c->addr = addr;
	hash_put(&hl->claims, &c->by_addr, hash_u64(&hl->claims, addr.s_addr));
	return c;
}

static void claim_free(struct home_link *hl, struct claim *c)
{
	unqueue(hl, c);
	hash_del(&hl->claims, &c->by_addr);
	claim_set_link(c, NULL);
	free(c);
}

/* All wait equally long, so the last to come is the last due. */
static void queue(struct home_link *hl, struct claim *c, unsigned int left)
{
	c->left = left;
	c->due_ms = loop_now(hl->conf.loop)->mono_ms + CLAIM_INTERVAL_MS;
	c->prev = hl->last;
	c->next = NULL;
	*(hl->last ? &hl->last->next : &hl->first) = c;
	hl->last = c;
	if (hl->first == c)
		loop_timer_start(hl->claim_timer, CLAIM_INTERVAL_MS, 0);
}

static void announce(struct claim *c)
{
	struct home_link *hl = c->link->owner;
	uint8_t mac[ARP_MAC_LEN];
	struct arp arp;

	if (c->link->index == 0 || own_mac(c->link, mac) < 0)
		return;
	arp = arp_announcement(c->addr, c->is_away ? mac : c->mac, mac);
	if (send_arp(c->link, &arp) == 0)
		hl->conf.stats->gratuitous_arps_sent++;
}

/* Says it at once, and again a small number of times (RFC 5944 §4.6). */
static void start_announcing(struct claim *c)
{
	struct home_link *hl = c->link->owner;

	unqueue(hl, c);
	announce(c);
	if (c->link->net.gratuitous_arps > 1)
		queue(hl, c, c->link->net.gratuitous_arps - 1);
	else if (!c->is_away)
		claim_free(hl, c);
}

static void on_claims_due(void *ctx)
{
	struct home_link *hl = ctx;
	uint64_t now_ms = loop_now(hl->conf.loop)->mono_ms;
	unsigned int batch = CLAIM_BATCH, left;
	struct claim *c;

	while ((c = hl->first) && c->due_ms <= now_ms && batch-- > 0) {
		left = c->left - 1;
		unqueue(hl, c);
		announce(c);
		if (left > 0)
			queue(hl, c, left);
		else if (!c->is_away)
			claim_free(hl, c);
	}
	if (hl->first)
		loop_timer_start(hl->claim_timer,
				 hl->first->due_ms > now_ms ? hl->first->due_ms - now_ms : 0, 0);
}

/*
 * Who is away from this link (NULL: from any) is announced as if it had just left: due at once, a
 * batch a turn, as there may be thousands.
 */
static void announce_again(struct home_link *hl, const struct link *l)
{
	struct hash_node *n;
	struct claim *c;
	size_t i;

	for (i = 0; hl->claims.buckets && i <= hl->claims.last; i++)
		for (n = hash_bucket(&hl->claims, i); n; n = n->next) {
			c = hash_entry(n, struct claim, by_addr);
			if (!c->is_away || (l && c->link != l))
				continue;
			unqueue(hl, c);
			queue(hl, c, c->link->net.gratuitous_arps);
			c->due_ms = 0;
		}
	if (hl->first)
		loop_timer_start(hl->claim_timer, 0, 0);
}

int home_link_away(struct home_link *hl, struct in_addr home_addr)
{
	struct link *l = link_of(hl, home_addr);
	struct claim *c;

	if (!l) {
		home_link_gone(hl, home_addr); /* its network was a link before a reload */
		return 0;
	}
	c = claim_get(hl, l, home_addr);
	if (!c)
		return -ENOMEM;
	if (c->is_away)
		return 0; /* a renewal or a further binding: none is required */
	c->is_away = true;
	start_announcing(c);
	return 0;
}

void home_link_gone(struct home_link *hl, struct in_addr home_addr)
{
	struct claim *c = hl && hl->claims.cnt > 0 ? claim_find(hl, home_addr) : NULL;

	if (c && c->is_away)
		claim_free(hl, c);
}

void home_link_returned(struct home_link *hl, struct in_addr home_addr,
			const uint8_t mac[ARP_MAC_LEN])
{
	struct link *l = link_of(hl, home_addr);
	struct claim *c = l ? claim_get(hl, l, home_addr) : NULL;

	if (!c)
		return; /* the node has announced itself, too */
	c->is_away = false;
	memcpy(c->mac, mac, ARP_MAC_LEN);
	start_announcing(c);
}

/* --- advertisements --- */

/* Addresses of this host, as far as an advertisement wants to know them. */
struct own_addresses {
	const struct link *link;
	struct in_addr home_agent;
	struct in_addr on_link; /* any: there is none */
	uint8_t home_agent_len; /* of its prefix */
};

static void note_address(void *ctx, const struct rtnl_addr *addr)
{
	struct own_addresses *own = ctx;
	bool is_agent = addr_eq(addr->addr, own->home_agent);

	if (is_agent)
		own->home_agent_len = addr->len;
	if (addr->index == own->link->index &&
	    addr_prefix_contains(own->link->net.prefix, addr->addr) &&
	    (is_agent || addr_is_any(own->on_link)))
		own->on_link = addr->addr;
}

static void add_router(struct advert *advert, struct in_addr addr, uint32_t preference,
		       uint8_t prefix_len)
{
	advert->routers[advert->router_cnt] = (struct advert_router){ addr, preference };
	advert->prefix_lengths[advert->router_cnt++] = prefix_len;
}

/*
 * The source is our address on the link (RFC 1256 §4.3). A node knows its home agent by the address
 * it registers with; where that is another one it is listed too, as one that nobody routes by.
 */
static struct advert make_advert(struct link *l, uint16_t lifetime_s, struct in_addr *out_src)
{
	const struct home_link_conf *conf = &l->owner->conf;
	struct own_addresses own = { .link = l,
				     .home_agent = conf->home_agent,
				     .home_agent_len = 32 };
	struct advert advert = {
		.code = l->net.default_router ? ADVERT_CODE_ROUTER : ADVERT_CODE_AGENT,
		.lifetime_s = lifetime_s,
		.sequence = l->owner->sequence,
		.registration_lifetime_s = conf->offer.registration_lifetime_s,
		.flags = (uint16_t)(ADVERT_FLAG_H | conf->offer.flags),
		.has_prefix_lengths = l->net.prefix_lengths,
	};

	/* If the kernel does not say, the home agent's address alone still tells who we are. */
	(void)rtnl_addr_dump(l->owner->rtnl, note_address, &own);
	*out_src = addr_is_any(own.on_link) ? conf->home_agent : own.on_link;
	if (!addr_is_any(own.on_link))
		add_router(&advert, own.on_link, ADVERT_PREFERENCE_DEFAULT, l->net.prefix.len);
	if (!addr_eq(own.on_link, conf->home_agent))
		add_router(&advert, conf->home_agent, ADVERT_PREFERENCE_NEVER, own.home_agent_len);
	return advert;
}

/* @param to  NULL: all on the link. @return has it been sent? */
static bool advertise(struct link *l, const struct solicitor *to, uint16_t lifetime_s)
{
	static const uint8_t all_systems_mac[] = { 0x01, 0x00, 0x5e, 0x00, 0x00, 0x01 };
	struct home_link *hl = l->owner;
	uint8_t icmp[ADVERT_LEN_MAX], frame[FRAME_MAX];
	struct wire_writer w = wire_writer(icmp, sizeof(icmp));
	struct frame_ends ends;
	struct advert advert;
	size_t len;

	if (l->index == 0 || own_mac(l, ends.mac_src) < 0)
		return false;
	ends.dst = to ? to->addr : addr_from_host(INADDR_ALLHOSTS_GROUP);
	memcpy(ends.mac_dst, to ? to->mac : all_systems_mac, ARP_MAC_LEN);
	advert = make_advert(l, lifetime_s, &ends.src);
	advert_encode(&w, &advert);
	len = frame_put_icmp(frame, &ends, (uint16_t)hl->conf.random(hl->conf.ctx), icmp,
			     wire_len(&w));
	if (send_frame(l, frame, len) < 0)
		return false;
	hl->sequence = advert_next_sequence(hl->sequence);
	hl->conf.stats->advertisements_sent++;
	return true;
}

static uint64_t random_below(struct home_link *hl, uint64_t limit)
{
	return hl->conf.random(hl->conf.ctx) % limit;
}

/* Between three quarters of the interval and all of it; the first few soon (RFC 1256 §4.3). */
static void plan_advert(struct link *l)
{
	uint64_t interval_ms = (uint64_t)l->net.interval_s * 1000, delay_ms;

	if (interval_ms == 0)
		return;
	delay_ms = interval_ms - random_below(l->owner, interval_ms / 4 + 1);
	if (l->initial_left > 0) {
		l->initial_left--;
		if (delay_ms > MAX_INITIAL_ADVERT_INTERVAL_MS)
			delay_ms = MAX_INITIAL_ADVERT_INTERVAL_MS;
	}
	loop_timer_start(l->advert_timer, delay_ms, 0);
}

static void on_advert_due(void *ctx)
{
	struct link *l = ctx;

	(void)advertise(l, NULL, l->net.lifetime_s); /* the next may go */
	plan_advert(l);
}

/* So that the link's switches and filters let solicitations through to us (RFC 5944 §2.3). */
static void join_groups(struct link *l)
{
	static const uint32_t groups[] = { INADDR_ALLRTRS_GROUP, MOBILE_AGENTS };
	struct ip_mreqn mreq = { .imr_ifindex = (int)l->index };
	size_t i;

	l->groups_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	for (i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
		mreq.imr_multiaddr = addr_from_host(groups[i]);
		if (setsockopt(l->groups_fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq)) <
		    0)
			log_warning("cannot join a group: solicitations may not be heard",
				    "event=group-refused interface=%s group=%s error=\"%s\"",
				    l->net.interface, addr_text(mreq.imr_multiaddr).s,
				    err_text(-errno));
	}
}

static void leave_groups(struct link *l)
{
	if (l->groups_fd >= 0)
		(void)close(l->groups_fd);
	l->groups_fd = -1;
}

static void start_advertising(struct link *l)
{
	if (l->index == 0 || !l->net.advertise)
		return;
	join_groups(l);
	l->initial_left = MAX_INITIAL_ADVERTISEMENTS;
	if (l->net.interval_s > 0)
		on_advert_due(l);
}

/* Lifetime 0: so that nobody waits for us (RFC 1256 §4.3). */
static void stop_advertising(struct link *l)
{
	if (l->index != 0 && l->net.advertise)
		(void)advertise(l, NULL, 0);
	loop_timer_stop(l->advert_timer);
	loop_timer_stop(l->answer_timer);
	l->solicitor_cnt = 0;
	l->answer_all = false;
	leave_groups(l);
}

static void on_answer_due(void *ctx)
{
	struct link *l = ctx;
	uint64_t *answered = &l->owner->conf.stats->solicitations_answered;
	size_t i;

	if (l->answer_all && advertise(l, NULL, l->net.lifetime_s))
		(*answered)++;
	for (i = 0; i < l->solicitor_cnt; i++)
		if (advertise(l, &l->solicitors[i], l->net.lifetime_s))
			(*answered)++;
	l->solicitor_cnt = 0;
	l->answer_all = false;
}

static bool is_for_agents(const struct link *l, struct in_addr dst)
{
	return addr_host(dst) == INADDR_ALLRTRS_GROUP || addr_host(dst) == MOBILE_AGENTS ||
	       addr_is_broadcast(dst) || addr_eq(dst, l->owner->conf.home_agent);
}

/*
 * Each is answered to its own link address, whatever its source: a node on a link that is foreign
 * to it solicits, too (RFC 5944 §2.3). Answers wait a little, all of them together, so that
 * agents do not speak at once and a flood earns eight of them and one to all (RFC 1256 §4.3).
 */
static void handle_solicitation(struct link *l, const struct frame_packet *p)
{
	struct solicitor *s;
	size_t i;

	if (!l->net.advertise || !is_for_agents(l, p->ends.dst) ||
	    !ipv4_sum_is_right(p->payload, p->len) || !advert_is_solicitation(p->payload, p->len))
		return;
	l->owner->conf.stats->solicitations_received++;
	if (l->solicitor_cnt == 0 && !l->answer_all)
		loop_timer_start(l->answer_timer, random_below(l->owner, MAX_RESPONSE_DELAY_MS), 0);
	for (i = 0; i < l->solicitor_cnt; i++)
		if (addr_eq(l->solicitors[i].addr, p->ends.src))
			return;
	if (!addr_is_unicast(p->ends.src) || l->solicitor_cnt == SOLICITORS) {
		l->answer_all = true;
		return;
	}
	s = &l->solicitors[l->solicitor_cnt++];
	s->addr = p->ends.src;
	memcpy(s->mac, p->ends.mac_src, ARP_MAC_LEN);
}

/* --- what comes --- */

static void handle_arp(struct link *l, const uint8_t *frame, size_t len)
{
	uint8_t mac[ARP_MAC_LEN];
	struct arp question, answer;
	struct claim *c;

	if (arp_decode(frame, len, &question) < 0 || !arp_is_question(&question))
		return;
	c = claim_find(l->owner, question.target_addr);
	if (!c || !c->is_away || c->link != l || own_mac(l, mac) < 0)
		return;
	answer = arp_answer(&question, mac);
	if (send_arp(l, &answer) == 0)
		l->owner->conf.stats->proxy_arps_sent++;
}

static void handle_request(struct link *l, const struct frame_packet *p)
{
	const size_t udp_header = 8;
	struct sighting *s = &l->sightings[l->sighting_next];

	if (p->len < udp_header + SIGHT_LEN || !addr_prefix_contains(l->net.prefix, p->ends.src))
		return;
	s->src = p->ends.src;
	s->src_port = ipv4_get16(p->payload);
	memcpy(s->head, p->payload + udp_header, SIGHT_LEN);
	memcpy(s->mac, p->ends.mac_src, ARP_MAC_LEN);
	l->sighting_next = (l->sighting_next + 1) % SIGHTINGS;
}

static void handle_frame(struct link *l, const uint8_t *frame, size_t len)
{
	struct frame_packet packet;

	if (len >= FRAME_ETHER_LEN && ipv4_get16(frame + 2 * ARP_MAC_LEN) == ETH_P_ARP)
		handle_arp(l, frame, len);
	else if (frame_decode(frame, len, &packet) < 0)
		return;
	else if (packet.protocol == IPPROTO_ICMP)
		handle_solicitation(l, &packet);
	else if (packet.protocol == IPPROTO_UDP)
		handle_request(l, &packet);
}

static void read_frames(struct link *l, unsigned int cnt)
{
	uint8_t frame[2048];
	ssize_t len;

	/* An error is told once, such as that the link went down; the next frame comes as ever. */
	while (cnt-- > 0) {
		len = recv(l->fd, frame, sizeof(frame), MSG_DONTWAIT);
		if (len < 0)
			return;
		handle_frame(l, frame, (size_t)len);
	}
}

static void on_readable(void *ctx, int events)
{
	(void)events;
	read_frames(ctx, READ_BATCH);
}

/* The oldest that fits: who repeats another's request later has not sent it. */
static const struct sighting *sighting_of(const struct link *l, const struct reg_origin *from,
					  const uint8_t *head)
{
	const struct sighting *s;
	size_t i;

	for (i = 0; i < SIGHTINGS; i++) {
		s = &l->sightings[(l->sighting_next + i) % SIGHTINGS];
		if (addr_eq(s->src, from->src) && s->src_port == from->src_port &&
		    memcmp(s->head, head, SIGHT_LEN) == 0)
			return s;
	}
	return NULL;
}

bool home_link_sender(struct home_link *hl, const struct reg_origin *from, const uint8_t *msg,
		      size_t len, uint8_t ret_mac[ARP_MAC_LEN])
{
	struct link *l = link_of(hl, from->src);
	const struct sighting *s;

	if (!l || l->index == 0 || strcmp(l->net.interface, from->interface) != 0 ||
	    len < SIGHT_LEN)
		return false;
	read_frames(l, READ_ALL);
	s = sighting_of(l, from, msg);
	if (!s)
		return false;
	memcpy(ret_mac, s->mac, ARP_MAC_LEN);
	return true;
}

int home_link_reply(struct home_link *hl, const struct reg_origin *to,
		    const uint8_t mac[ARP_MAC_LEN], const uint8_t *reply, size_t len)
{
	struct frame_ends ends = { .src = hl->conf.home_agent, .dst = to->src };
	struct link *l = link_of(hl, to->src);
	uint8_t frame[FRAME_MAX];
	size_t frame_len;
	int rc;

	if (!l || l->index == 0)
		return -ENODEV;
	rc = own_mac(l, ends.mac_src);
	if (rc < 0)
		return rc;
	memcpy(ends.mac_dst, mac, ARP_MAC_LEN);
	frame_len = frame_put_udp(frame, &ends, hl->conf.port, to->src_port, reply, len);
	return frame_len > 0 ? send_frame(l, frame, frame_len) : -EMSGSIZE;
}

/* --- links --- */

/*
 * Passes what was sent to us, untagged: ARP, solicitations, and Registration Requests to our port.
 * Fragments and tunnel data, which share the port, are none of them.
 */
static int set_filter(int fd, uint16_t port)
{
	enum { DROP = 20, PASS };
#define JUMP(code, value, at, yes, no) \
	BPF_JUMP(BPF_JMP | (code) | BPF_K, value, (yes) - (at)-1, (no) - (at)-1)
#define LOAD(size, offset)          BPF_STMT(BPF_LD | (size) | BPF_ABS, offset)
#define LOAD_AFTER_IP(size, offset) BPF_STMT(BPF_LD | (size) | BPF_IND, FRAME_ETHER_LEN + (offset))
	struct sock_filter code[] = {
		/* 0 */ LOAD(BPF_W, SKF_AD_OFF + SKF_AD_PKTTYPE),
		/* 1 */ JUMP(BPF_JGE, PACKET_OTHERHOST, 1, DROP, 2),
		/* 2 */ LOAD(BPF_W, SKF_AD_OFF + SKF_AD_VLAN_TAG),
		/* 3 */ BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x0fff),
		/* 4 */ JUMP(BPF_JEQ, 0, 4, 5, DROP),
		/* 5 */ LOAD(BPF_H, 2 * ARP_MAC_LEN),
		/* 6 */ JUMP(BPF_JEQ, ETH_P_ARP, 6, PASS, 7),
		/* 7 */ JUMP(BPF_JEQ, ETH_P_IP, 7, 8, DROP),
		/* 8 */ LOAD(BPF_H, FRAME_ETHER_LEN + IPV4_FRAGMENT),
		/* 9 */ JUMP(BPF_JSET, IPV4_MF | IPV4_OFFSET_MASK, 9, DROP, 10),
		/* 10 */ BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, FRAME_ETHER_LEN),
		/* 11 */ LOAD(BPF_B, FRAME_ETHER_LEN + IPV4_PROTOCOL),
		/* 12 */ JUMP(BPF_JEQ, IPPROTO_UDP, 12, 13, 17),
		/* 13 */ LOAD_AFTER_IP(BPF_H, 2),
		/* 14 */ JUMP(BPF_JEQ, port, 14, 15, DROP),
		/* 15 */ LOAD_AFTER_IP(BPF_B, 8),
		/* 16 */ JUMP(BPF_JEQ, REG_MSG_REQUEST, 16, PASS, DROP),
		/* 17 */ JUMP(BPF_JEQ, IPPROTO_ICMP, 17, 18, DROP),
		/* 18 */ LOAD_AFTER_IP(BPF_B, 0),
		/* 19 */ JUMP(BPF_JEQ, ADVERT_SOLICITATION_TYPE, 19, PASS, DROP),
		/* DROP */ BPF_STMT(BPF_RET | BPF_K, 0),
		/* PASS */ BPF_STMT(BPF_RET | BPF_K, 0xffff),
	};
#undef LOAD_AFTER_IP
#undef LOAD
#undef JUMP
	const struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno
											   : 0;
}

static void unplug(struct link *l)
{
	l->watch = loop_fd_free(l->watch);
	if (l->fd >= 0)
		(void)close(l->fd);
	l->fd = -1;
	leave_groups(l);
	l->index = 0;
}

/* It is heard from here on, and says nothing yet. @retval -ENODEV  it is not there (now) */
static int plug_in(struct link *l, unsigned int index)
{
	const struct sockaddr_ll sll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)index,
	};
	struct home_link *hl = l->owner;
	uint8_t mac[ARP_MAC_LEN];
	int rc;

	l->tried = index;
	if (index == 0)
		return -ENODEV;
	/* No protocol yet: nothing is heard before the filter is in place. */
	l->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return -errno;
	rc = set_filter(l->fd, hl->conf.port);
	if (rc == 0 && bind(l->fd, (const struct sockaddr *)&sll, sizeof(sll)) < 0)
		rc = -errno;
	if (rc == 0)
		rc = own_mac(l, mac);
	if (rc == 0) {
		l->watch = loop_fd_new(hl->conf.loop, l->fd, LOOP_READ, on_readable, l);
		rc = l->watch ? 0 : -ENOMEM;
	}
	if (rc < 0) {
		unplug(l);
		return rc;
	}
	l->index = index;
	return 0;
}

/*
 * 0: it is not there. Not if_nametoindex(): the kernel then looks for a module of that name, once a
 * second while a link is away. @retval -errno  nobody can tell
 */
static int index_of(const struct link *l, unsigned int *ret_index)
{
	struct rtnl_link link = { 0 };
	int rc = rtnl_link_get(l->owner->rtnl, l->net.interface, &link);

	if (rc < 0 && rc != -ENODEV)
		return rc;
	*ret_index = link.index;
	return 0;
}

void home_link_tick(struct home_link *hl)
{
	unsigned int index;
	struct link *l;

	for (l = hl ? hl->links : NULL; l; l = l->next) {
		if (index_of(l, &index) < 0 || index == l->tried)
			continue; /* as before, or nobody can tell */
		if (l->index != 0)
			log_warning("a home link is gone: nodes are not represented there",
				    "event=home-link-lost interface=%s", l->net.interface);
		unplug(l);
		if (plug_in(l, index) < 0)
			continue;
		log_info("a home link is back", "event=home-link-back interface=%s",
			 l->net.interface);
		start_advertising(l);
		announce_again(hl, l);
	}
}

static struct link *link_free(struct link *l)
{
	unplug(l);
	l->advert_timer = loop_timer_free(l->advert_timer);
	l->answer_timer = loop_timer_free(l->answer_timer);
	l->is_gone = true;
	if (l->claim_cnt == 0)
		free(l);
	return NULL;
}

static void links_free(struct link **list)
{
	struct link *l;

	while ((l = *list)) {
		*list = l->next;
		(void)link_free(l);
	}
}

/* @param event  of the log: what fails if it cannot be served */
static int open_link(struct home_link *hl, struct link *l, const char *event)
{
	unsigned int index = 0;
	int rc;

	l->advert_timer = loop_timer_new(hl->conf.loop, on_advert_due, l);
	l->answer_timer = loop_timer_new(hl->conf.loop, on_answer_due, l);
	if (!l->advert_timer || !l->answer_timer)
		return -ENOMEM;
	rc = index_of(l, &index);
	if (rc == 0)
		rc = plug_in(l, index);
	if (rc == -EPFNOSUPPORT) {
		log_warning("a home link is no Ethernet: no ARP and no advertisements there",
			    "event=home-link-unsupported interface=%s", l->net.interface);
		return 0;
	}
	if (rc < 0)
		log_error("cannot serve a home link", "event=%s interface=%s error=\"%s%s\"", event,
			  l->net.interface, err_text(rc),
			  rc == -EPERM || rc == -EACCES
				  ? "; packet sockets need CAP_NET_RAW: start as root or by systemd"
				  : "");
	return rc;
}

static bool is_link(const struct link *l, const struct home_link_network *net)
{
	return addr_prefix_eq(l->net.prefix, net->prefix) &&
	       strcmp(l->net.interface, net->interface) == 0;
}

static const struct link *link_find(const struct link *list, const struct home_link_network *net)
{
	while (list && !is_link(list, net))
		list = list->next;
	return list;
}

/* Opens, silent, those of the networks that are links and in no list yet. All or none. */
static int open_coming(struct home_link *hl, const struct home_link_network *networks, size_t cnt,
		       const char *event)
{
	struct link **end = &hl->coming, *l;
	size_t i;
	int rc = 0;

	for (i = 0; i < cnt && rc == 0; i++) {
		if (networks[i].interface[0] == '\0' || link_find(hl->links, &networks[i]))
			continue;
		l = calloc(1, sizeof(*l));
		if (!l) {
			rc = -ENOMEM;
			break;
		}
		*l = (struct link){ .owner = hl, .net = networks[i], .fd = -1, .groups_fd = -1 };
		*end = l;
		end = &l->next;
		rc = open_link(hl, l, event);
	}
	if (rc < 0)
		links_free(&hl->coming);
	return rc;
}

static void take_coming(struct home_link *hl)
{
	struct link **end = &hl->links, *l = hl->coming;

	while (*end)
		end = &(*end)->next;
	*end = l;
	hl->coming = NULL;
	for (; l; l = l->next)
		start_advertising(l);
}

int home_link_open(const struct home_link_conf *conf, struct home_link **ret_hl)
{
	struct home_link *hl = calloc(1, sizeof(*hl));
	int rc;

	if (!hl)
		return -ENOMEM;
	hl->conf = *conf;
	hl->conf.networks = NULL;
	hl->is_passive = conf->is_passive;
	hl->claim_timer = loop_timer_new(conf->loop, on_claims_due, hl);
	rc = hl->claim_timer ? rtnl_open(&hl->rtnl) : -ENOMEM;
	if (rc == 0)
		rc = hash_init(&hl->claims, conf->expected_nodes);
	if (rc < 0)
		log_error("cannot look after the home links", "event=start-failed error=\"%s\"",
			  err_text(rc));
	else
		rc = open_coming(hl, conf->networks, conf->network_cnt, "start-failed");
	if (rc < 0) {
		home_link_close(hl);
		return rc;
	}
	take_coming(hl);
	*ret_hl = hl;
	return 0;
}

struct home_link *home_link_close(struct home_link *hl)
{
	struct hash_node *n, *next;
	struct link *l;
	size_t i;

	if (!hl)
		return NULL;
	for (l = hl->links; l; l = l->next)
		stop_advertising(l);
	for (i = 0; hl->claims.buckets && i <= hl->claims.last; i++)
		for (n = hash_bucket(&hl->claims, i); n; n = next) {
			next = n->next;
			claim_set_link(hash_entry(n, struct claim, by_addr), NULL);
			free(hash_entry(n, struct claim, by_addr));
		}
	links_free(&hl->links);
	links_free(&hl->coming);
	hash_done(&hl->claims);
	loop_timer_free(hl->claim_timer);
	rtnl_close(hl->rtnl);
	free(hl);
	return NULL;
}

/* --- reload --- */

static bool says_the_same(const struct home_link_network *a, const struct home_link_network *b)
{
	return a->default_router == b->default_router && a->prefix_lengths == b->prefix_lengths &&
	       a->interval_s == b->interval_s && a->lifetime_s == b->lifetime_s;
}

/* A link that stays. What its advertisements say from now on is said at once, if any are due. */
static void change_settings(struct link *l, const struct home_link_network *net)
{
	const struct home_link_network before = l->net;

	if (before.advertise && !net->advertise)
		stop_advertising(l);
	l->net = *net;
	if (!before.advertise) {
		start_advertising(l);
	} else if (net->advertise && !says_the_same(&before, net)) {
		loop_timer_stop(l->advert_timer);
		if (l->index != 0 && net->interval_s > 0)
			on_advert_due(l);
	}
}

static const struct home_link_network *network_find(const struct link *l,
						    const struct home_link_network *networks,
						    size_t cnt)
{
	size_t i;

	for (i = 0; i < cnt; i++)
		if (is_link(l, &networks[i]))
			return &networks[i];
	return NULL;
}

int home_link_prepare(struct home_link *hl, const struct home_link_network *networks, size_t cnt)
{
	return open_coming(hl, networks, cnt, "home-link-refused");
}

void home_link_cancel(struct home_link *hl)
{
	links_free(&hl->coming);
}

void home_link_change(struct home_link *hl, const struct home_link_network *networks, size_t cnt)
{
	const struct home_link_network *net;
	struct link **at, *l;

	for (at = &hl->links; (l = *at);) {
		net = network_find(l, networks, cnt);
		if (net) {
			change_settings(l, net);
			at = &l->next;
			continue;
		}
		*at = l->next;
		stop_advertising(l);
		(void)link_free(l);
	}
	take_coming(hl);
}

void home_link_set_active(struct home_link *hl, bool active)
{
	struct link *l;

	if (!hl || hl->is_passive == !active)
		return;
	hl->is_passive = !active;
	if (!active)
		return;
	for (l = hl->links; l; l = l->next) {
		if (l->index == 0 || !l->net.advertise || l->net.interval_s == 0)
			continue;
		l->initial_left = MAX_INITIAL_ADVERTISEMENTS;
		on_advert_due(l);
	}
	announce_again(hl, NULL);
}

void home_link_set_offer(struct home_link *hl, const struct home_link_offer *offer)
{
	if (hl)
		hl->conf.offer = *offer;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Physical home links: proxy and gratuitous ARP for nodes that are away (RFC 5944 §4.6), agent
 * advertisements (§2), and replies to a node that speaks from its home link (§3.8.3.1). The one
 * place that opens packet sockets.
 *
 * A home network without an interface, and a link that is no Ethernet, have none of it: for their
 * addresses every function here does nothing and succeeds.
 */
#ifndef HA_CORE_IO_HOME_LINK_H
#define HA_CORE_IO_HOME_LINK_H

#include "common/addr.h"
#include "common/loop.h"
#include "ha-core/engine/ha_policy.h"
#include "ha-core/stats.h"
#include "ha-core/wire/arp.h"

struct home_link_network {
	struct addr_prefix prefix;
	char interface[IF_NAMESIZE];  /* "": virtual */
	unsigned int gratuitous_arps; /* how often each is sent in all, 1 s apart */
	bool advertise;
	bool default_router; /* hosts may take us for their router: Code 0 instead of 16 */
	bool prefix_lengths; /* send the extension */
	uint16_t interval_s; /* MaxAdvertisementInterval; 0: only when solicited */
	uint16_t lifetime_s; /* AdvertisementLifetime */
};

/** What advertisements say that a reload may change. */
struct home_link_offer {
	uint16_t registration_lifetime_s;
	uint16_t flags; /* ADVERT_FLAG_* */
};

struct home_link_conf {
	const struct home_link_network *networks; /* copied */
	size_t network_cnt;
	struct in_addr home_agent;
	uint16_t port;
	size_t expected_nodes; /* sizes the table of those that are away */
	bool is_passive;       /* see home_link_set_active() */
	struct home_link_offer offer;
	struct stats *stats;
	struct loop *loop;
	uint32_t (*random)(void *ctx); /* jitter */
	void *ctx;
};

struct home_link;

/** @retval -errno  logged, with the remedy */
int home_link_open(const struct home_link_conf *conf, struct home_link **ret_hl);
/** Says on each link that the agent goes (Lifetime 0). NULL is fine. */
struct home_link *home_link_close(struct home_link *hl);

/**
 * Another home agent represents the nodes (false): nothing is answered or announced, but it is
 * known who is away. True, as after home_link_open(): we do, and the neighbours are told at once.
 */
void home_link_set_active(struct home_link *hl, bool active);

/**
 * A reload has other networks. Opens the links that it brings; they say nothing yet, and nothing
 * has changed: home_link_change() or home_link_cancel() is next, in the same turn of the loop.
 * @retval -errno  logged; there is nothing to cancel
 */
int home_link_prepare(struct home_link *hl, const struct home_link_network *networks, size_t cnt);
void home_link_cancel(struct home_link *hl);
/**
 * The networks are these from now on, the same that were prepared. A link is the same if prefix and
 * interface are: its settings change, and nothing else. On one that is gone we take our leave
 * (Lifetime 0) and answer no more; on one that has come advertisements begin, and the nodes that
 * are away are represented there from home_link_away() on, which is to be called for each.
 */
void home_link_change(struct home_link *hl, const struct home_link_network *networks, size_t cnt);

void home_link_set_offer(struct home_link *hl, const struct home_link_offer *offer);

/** Once a second: looks whether a home link was taken away or came back. */
void home_link_tick(struct home_link *hl);

/**
 * The node has a binding. If it had none, or none on this link: gratuitous ARP, and from now on
 * proxy ARP.
 * @retval -ENOMEM  nothing has changed
 */
int home_link_away(struct home_link *hl, struct in_addr home_addr);
/** The node has no binding any more: no proxy ARP, and nothing more is announced for it. */
void home_link_gone(struct home_link *hl, struct in_addr home_addr);
/** It has none because it is home again, at `mac`: the neighbours are told. */
void home_link_returned(struct home_link *hl, struct in_addr home_addr,
			const uint8_t mac[ARP_MAC_LEN]);

/**
 * Did this request come from the home link of the home address that is its source?
 *
 * @param msg      the request as it came; it tells which frame it was in
 * @param ret_mac  the Ethernet source of that frame
 */
bool home_link_sender(struct home_link *hl, const struct reg_origin *from, const uint8_t *msg,
		      size_t len, uint8_t ret_mac[ARP_MAC_LEN]);
/** Sends a reply straight onto the home link. @retval -errno  it could not be sent */
int home_link_reply(struct home_link *hl, const struct reg_origin *to,
		    const uint8_t mac[ARP_MAC_LEN], const uint8_t *reply, size_t len);

#endif

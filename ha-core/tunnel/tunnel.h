/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The data path. Tier "tun" is always there; faster tiers may stand over it. A tier reads the
 * binding cache of its daemon (one thread, no locks) and is told of each change, before the
 * registration's reply leaves.
 */
#ifndef HA_CORE_TUNNEL_TUNNEL_H
#define HA_CORE_TUNNEL_TUNNEL_H

#include "common/addr.h"
#include "common/loop.h"
#include "ha-core/auth/network.h"
#include "ha-core/binding/binding.h"
#include "ha-core/stats.h"
#include "ha-core/tunnel/encap.h"

#include <net/if.h>

/** What a tier can do. */
enum {
	TUNNEL_CAP_IPIP = 1 << 0,
	TUNNEL_CAP_MINIMAL = 1 << 1,
	TUNNEL_CAP_GRE = 1 << 2,
	TUNNEL_CAP_UDP = 1 << 3,    /* each of the above in UDP too */
	TUNNEL_CAP_FILTER = 1 << 4, /* enforces struct tunnel_filter */
};

/** One kind of inner packet that may pass. */
struct tunnel_filter_row {
	uint8_t protocol;
	uint16_t port; /* of the far end; 0: any, or a protocol without ports */
};

/**
 * Inner traffic that may pass between a home address and the rest of the world: rows, and the
 * peers they hold for. ICMP errors about a permitted flow, to or from anyone, pass as well.
 */
struct tunnel_filter {
	/**
	 * Refuse what a node sends through a plain tunnel without a granted T, too. Otherwise it
	 * passes: RFC 5944 §4.2.3 has us decapsulate for location privacy, and the check of RFC
	 * 3024 §4.3.2 does not ask for T. In UDP tunnels, where T keeps its meaning (RFC 3519
	 * §3.1.5), such a node reaches the home agent itself and nothing else in any case.
	 */
	bool reverse_needs_grant;
	bool pass_all; /* no filter: the rows are not asked */
	const struct tunnel_filter_row *rows;
	size_t row_cnt;
	struct addr_set peers;
};

struct tunnel_home_network {
	struct addr_prefix prefix;
	char interface[IF_NAMESIZE]; /* "": virtual, the whole prefix is routed to the tunnels */
};

struct tunnel_conf {
	const char *device; /* "ihad0" */
	struct in_addr home_agent;
	uint16_t port; /* of UDP tunnels, ours */
	const struct tunnel_home_network *home_networks;
	size_t home_network_cnt;
	bool clamp_udp, clamp_plain; /* lower TCP's MSS in tunnels in UDP, and in the others */
	bool broadcast_subnet;       /* forward packets to a home network's broadcast address */
	bool broadcast_limited;      /* and those to 255.255.255.255 on a home link */
	bool ecn_normal;             /* RFC 6040 §4.1, else compatibility mode */
	uint32_t mtu;                /* of the path outside: no outer packet is longer */
	const struct tunnel_filter *filter; /* may change between packets, at a reload */
	struct binding_cache *cache;
	const struct network_table *networks; /* behind mobile routers, registered */
	struct stats *stats;
	struct loop *loop;
};

/** Opaque: the state of one tier. */
struct tunnel_dp;

struct tunnel_ops {
	const char *name; /* the configuration's word */
	uint32_t caps;    /* TUNNEL_CAP_* */
	/**
	 * Lays down devices, addresses, routes; adopts or removes what a killed daemon left.
	 * @retval -errno  logged, with what was refused and the remedy; nothing is left behind
	 */
	int (*open)(const struct tunnel_conf *conf, struct tunnel_dp **ret_dp);
	/** The bindings of this key are now `first` and its siblings. Idempotent. @retval -errno */
	int (*put)(struct tunnel_dp *dp, const struct binding *first);
	/** The key has no binding any more; absent is success. */
	int (*del)(struct tunnel_dp *dp, struct binding_key key);
	/**
	 * Packets to a network behind a mobile router are to come to us, or not any more (RFC 5177).
	 * Idempotent. @retval -errno  also if somebody else routes the network on this host
	 */
	int (*route)(struct tunnel_dp *dp, struct addr_prefix network, bool on);
	/** Takes everything away again. NULL is fine. */
	void (*close)(struct tunnel_dp *dp);
	/**
	 * Tunnel data (message type 4) that came to the registration socket.
	 * @param data  the UDP payload, with ENCAP_HEADROOM octets before it to be used up
	 * @param tos   TOS octet of the outer header
	 */
	void (*udp_input)(struct tunnel_dp *dp, uint8_t *data, size_t len, uint8_t tos,
			  struct in_addr src, uint16_t src_port, struct in_addr dst);
};

extern const struct tunnel_ops tunnel_tun;

enum tunnel_direction { TUNNEL_TO_NODE, TUNNEL_FROM_NODE };

/**
 * May this inner packet pass? Pure. The far end is the source of a packet to a node, and the
 * destination of one from it. Fragments behind the first have no ports and pass by protocol and
 * peer alone: without their first they are of no use.
 * @param packet  well formed, see encap_check_ipv4()
 */
bool tunnel_filter_permits(const struct tunnel_filter *filter, const uint8_t *packet, size_t len,
			   enum tunnel_direction direction);

#endif

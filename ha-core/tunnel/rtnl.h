/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Links, IPv4 addresses, routes and rules of this host, over rtnetlink. Each request waits for the
 * kernel's answer, which comes within the system call; nothing here waits for anything else.
 *
 * Every error is the kernel's -errno; rtnl_error() says more where the kernel did.
 */
#ifndef HA_CORE_TUNNEL_RTNL_H
#define HA_CORE_TUNNEL_RTNL_H

#include "common/addr.h"

#include <net/if.h>

/**
 * Originator of the routes and rules that we lay down, so that a later start knows what a killed
 * one left. No other program's in rtnetlink.h or in iproute2's rt_protos; the number is the type of
 * the Trusted Networks Configured extension.
 */
#define RTNL_PROTOCOL   149
#define RTNL_TABLE_MAIN 254
#define RTNL_MAC_LEN    6
#define RTNL_KIND_SIZE  16

/** One socket for requests. Opaque. */
struct rtnl;

int rtnl_open(struct rtnl **ret_r);
/** NULL is fine; returns NULL. */
struct rtnl *rtnl_close(struct rtnl *r);

/** By which the kernel knows this socket. */
uint32_t rtnl_port(const struct rtnl *r);

/** What the kernel said about the last failure beyond its number, or "". Never NULL. */
const char *rtnl_error(const struct rtnl *r);

struct rtnl_link {
	unsigned int index;
	char name[IF_NAMESIZE];
	unsigned int flags; /* IFF_UP, IFF_RUNNING, ... */
	uint32_t mtu;
	unsigned int master;       /* index of the bridge, bond, ... that it belongs to; 0: none */
	uint16_t type;             /* ARPHRD_* */
	uint8_t mac[RTNL_MAC_LEN]; /* of ARPHRD_ETHER */
	char kind[RTNL_KIND_SIZE]; /* "veth", "bridge", ...; "": hardware */
};

/** @retval -ENODEV  no such link */
int rtnl_link_get(struct rtnl *r, const char *name, struct rtnl_link *ret_link);
/** mtu and queue_len (of packets waiting to be sent): 0 leaves them as they are. */
int rtnl_link_up(struct rtnl *r, unsigned int index, uint32_t mtu, uint32_t queue_len);
/** Calls fn for each link. */
int rtnl_link_dump(struct rtnl *r, void (*fn)(void *ctx, const struct rtnl_link *link), void *ctx);

/**
 * Makes a tunnel device of the kernel's, down, for packets to `local` from anyone.
 * @param kind  "ipip" or "gre"
 * @retval -EEXIST  there is a link of this name, or another for the same packets
 */
int rtnl_tunnel_add(struct rtnl *r, const char *name, const char *kind, struct in_addr local);
/**
 * The same in metadata mode ("external"): where a packet goes is told by its route, struct
 * rtnl_encap. A network namespace has one such device of a kind at most.
 * @retval -EEXIST  there is a link of this name, or another in metadata mode
 * @retval -EOPNOTSUPP  the kernel has no such devices
 */
int rtnl_tunnel_add_external(struct rtnl *r, const char *name, const char *kind);
/** @retval -ENODEV  no such link */
int rtnl_link_del(struct rtnl *r, const char *name);

/** What a link has sent, since it was made. */
struct rtnl_sent {
	uint64_t packets, octets;
	uint64_t failures; /* errors and drops */
};
/** @retval -ENODEV  no such link */
int rtnl_link_sent(struct rtnl *r, unsigned int index, struct rtnl_sent *ret_sent);

/** What a link's driver does with XDP: bits of the kernel's enum netdev_xdp_act. */
enum {
	RTNL_XDP_BASIC = 1 << 0,    /* native programs */
	RTNL_XDP_REDIRECT = 1 << 1, /* that may redirect */
	RTNL_XDP_XMIT = 1 << 2,     /* it sends what is redirected to it */
};

/** @retval -errno  the kernel does not say (before 6.3 none does), or there is no such link */
int rtnl_link_xdp_features(unsigned int index, uint64_t *ret_features);

/** Is there any filter at the link's clsact hook? If the kernel does not say, yes. */
bool rtnl_has_filters(struct rtnl *r, unsigned int index);

/** Has this host IPsec policies (of its own, not of single sockets)? */
bool rtnl_has_ipsec_policies(void);

struct rtnl_addr {
	unsigned int index; /* of the link */
	struct in_addr addr;
	uint8_t len;   /* prefix length */
	uint8_t scope; /* RT_SCOPE_UNIVERSE, RT_SCOPE_LINK, RT_SCOPE_HOST */
};

/** @retval -EEXIST  it is there already */
int rtnl_addr_add(struct rtnl *r, const struct rtnl_addr *addr);
int rtnl_addr_dump(struct rtnl *r, void (*fn)(void *ctx, const struct rtnl_addr *addr), void *ctx);

/**
 * Tells the kernel that an IPv4 neighbour is in use, as a packet to it would: one gone stale is
 * asked for. One that is fresh, set by hand or not known stays as it is.
 * @retval -ENOENT  it is not known
 */
int rtnl_neighbour_use(struct rtnl *r, unsigned int index, struct in_addr addr);

/** The outer header that a device in metadata mode gives to a route's packets. */
struct rtnl_encap {
	struct in_addr src, dst;
	uint8_t ttl;
};

/** Zero in a field but dst: none, or the kernel's choice. */
struct rtnl_route {
	struct addr_prefix dst;
	unsigned int index;     /* of the link */
	struct in_addr gateway; /* "onlink": it need not be in a connected prefix */
	struct in_addr src;     /* preferred source address */
	uint32_t table;         /* 0: RTNL_TABLE_MAIN */
	uint32_t metric;
	uint32_t mtu;
	uint8_t type;     /* 0: RTN_UNICAST; RTN_LOCAL, RTN_UNREACHABLE, ... */
	uint8_t protocol; /* 0: RTNL_PROTOCOL */
	/**
	 * In requests only, by a link in metadata mode: the outer header, its DSCP and congestion
	 * marks the packet's own, DF set. The route goes when the link `lifeline` goes, too, if
	 * that is given; no packet takes that way as long as lifeline has no carrier and is told to
	 * ignore_routes_with_linkdown.
	 */
	const struct rtnl_encap *encap;
	unsigned int lifeline;
};

/** @retval -EEXIST  there is one for this prefix, table and metric already, whoever's it is */
int rtnl_route_add(struct rtnl *r, const struct rtnl_route *route);
/** Add, or take the place of one with the same prefix, table and metric. */
int rtnl_route_replace(struct rtnl *r, const struct rtnl_route *route);
/** Only one of the same protocol is deleted. @retval -ESRCH  it is not there */
int rtnl_route_del(struct rtnl *r, const struct rtnl_route *route);
/**
 * The way that a packet to dst would take; type says whether dst is ours, a broadcast, and so on.
 *
 * @param src  its source, or any
 * @retval -ENETUNREACH, -EHOSTUNREACH  there is none
 */
int rtnl_route_get(struct rtnl *r, struct in_addr dst, struct in_addr src,
		   struct rtnl_route *ret_route);
/** The routes of one protocol, or with 0 of all, in every table. fn may not use r. */
int rtnl_route_dump(struct rtnl *r, uint8_t protocol,
		    void (*fn)(void *ctx, const struct rtnl_route *route), void *ctx);

/** A policy rule: packets that match look in `table`. Empty prefixes (len 0) match everything. */
struct rtnl_rule {
	uint32_t priority;
	struct addr_prefix src, dst;
	char iif[IF_NAMESIZE], oif[IF_NAMESIZE]; /* "": any */
	uint32_t mark;                           /* 0: any */
	uint32_t table;
	bool invert; /* packets that do not match */
};

/** @retval -EEXIST  it is there already */
int rtnl_rule_add(struct rtnl *r, const struct rtnl_rule *rule);
/** @retval -ENOENT  it is not there */
int rtnl_rule_del(struct rtnl *r, const struct rtnl_rule *rule);

/** What a monitor tells. */
enum rtnl_event { RTNL_LINK, RTNL_ADDR, RTNL_ROUTE, RTNL_RULE, RTNL_POLICY, RTNL_FEATURES };

struct rtnl_change {
	enum rtnl_event event;
	bool gone;     /* deleted; else new or changed */
	uint32_t port; /* rtnl_port() of who asked for it; 0: the kernel itself */
	union {
		struct rtnl_link link;
		struct rtnl_addr addr;
		struct rtnl_route route;
		uint32_t table; /* of a rule */
	};
};

typedef void rtnl_change_fn(void *ctx, const struct rtnl_change *change);

/**
 * A socket on which the kernel tells each change of links, IPv4 addresses, routes and rules.
 * Opaque.
 */
struct rtnl_monitor;

int rtnl_monitor_open(rtnl_change_fn *fn, void *ctx, struct rtnl_monitor **ret_m);
/**
 * The same for IPsec policies: RTNL_POLICY, without details.
 * @retval -EPROTONOSUPPORT  this kernel has no IPsec
 */
int rtnl_policy_monitor_open(rtnl_change_fn *fn, void *ctx, struct rtnl_monitor **ret_m);
/**
 * The same for what rtnl_link_xdp_features() says: RTNL_FEATURES, without details.
 * @retval -errno  the kernel does not say (before 6.3 none does)
 */
int rtnl_features_monitor_open(rtnl_change_fn *fn, void *ctx, struct rtnl_monitor **ret_m);
/** NULL is fine; returns NULL. */
struct rtnl_monitor *rtnl_monitor_close(struct rtnl_monitor *m);
/** For the loop: readable when rtnl_monitor_read() has something to do. */
int rtnl_monitor_fd(const struct rtnl_monitor *m);
/**
 * Reads what has come, without waiting, and calls fn for each change.
 * @retval -ENOBUFS  changes were lost: look at everything anew
 */
int rtnl_monitor_read(struct rtnl_monitor *m);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The data path: the base tier "tun", always there, and over it a fast one if this host has what
 * it takes. Nothing outside tunnel/ asks which. The first half of this page is for the daemon, the
 * second for those who write a tier. One thread, no locks.
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
 * peers they hold for. A node begins, and is answered: from a peer nothing passes before the node
 * has sent there. ICMP errors about a permitted flow, to or from anyone, pass as well.
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

bool tunnel_home_network_eq(const struct tunnel_home_network *a,
			    const struct tunnel_home_network *b);
/** Is it among them? */
bool tunnel_home_network_find(const struct tunnel_home_network *networks, size_t cnt,
			      const struct tunnel_home_network *net);

/** tunnel.data-path */
enum tunnel_choice { TUNNEL_AUTO, TUNNEL_XDP, TUNNEL_TC, TUNNEL_KERNEL, TUNNEL_TUN };

struct tunnel_conf {
	const char *device; /* "ihad0" */
	enum tunnel_choice choice;
	struct in_addr home_agent;
	bool address_floats; /* home_agent comes and goes: it need not be an address of this host */
	uint16_t port;       /* of UDP tunnels, ours */
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
	const char *run_dir; /* for notes that outlive a kill; needs to live while opened only */
	/* Of a fast tier; the strings need to live while it is opened only. */
	const char *bpffs;     /* directory for what outlives us, on a BPF file system */
	const char *bpffs_way; /* how we get there, if not by its name; NULL: by its name */
	bool bpffs_stays;      /* the directory itself, when it is cleaned: a unit needs it */
	const char *const *interfaces; /* where it attaches; none: every one but loopback */
	size_t interface_cnt;
	uint32_t fast_nodes;  /* home addresses that it carries at most */
	bool keep_forwarding; /* let it go on when we stop */
	bool udp_checksums;   /* far ends refuse a UDP checksum of 0: every packet has one */
	/**
	 * A tier has learnt something of the way to a tunnel's end that no registration told: a
	 * port, a path MTU, whether it can be reached. tunnel.c fills it in and has it passed on.
	 */
	void (*learnt)(void *ctx, struct in_addr peer);
	/** A fast tier has lost what was put into it: all is to be put again, with the same ctx. */
	void (*lost)(void *ctx);
	/**
	 * The base tier has carried so much for a binding: it is added to where that binding's
	 * count is, with the same ctx. NULL: in the binding.
	 */
	void (*carried)(void *ctx, struct binding *b, const struct binding_count *more);
	void *learnt_ctx;
	char *why;           /* tunnel.c's own: see tunnel_refuse() */
	const bool *goes_on; /* tunnel.c's own: a fast tier forwards beyond our end; may be NULL */
	/**
	 * A node has sent to a far end for the first time, and that is noted in this binding, the
	 * first of its key: it is to be remembered. May be NULL.
	 */
	void (*contacted)(void *ctx, const struct binding *first);
	void *contacted_ctx;
	/** A keepalive was answered (RFC 3519 §4.9): for those who look on. NULL: nobody does. */
	void (*keepalive)(void *ctx, const struct binding *b, struct in_addr src, uint16_t port);
	void *keepalive_ctx;
};

/** The whole data path of a daemon. Opaque. */
struct tunnel;

/**
 * Lays down devices, addresses, routes, and the fast tier that was chosen, or the best there is.
 * What a killed daemon left forwarding goes on, and is ours again.
 * @param conf  copied; what it points to is kept by reference
 * @retval -errno  logged, with what was refused and the remedy; nothing is left behind
 */
int tunnel_open(const struct tunnel_conf *conf, struct tunnel **ret_t);
/** Takes everything away again, but for conf->keep_forwarding. NULL is fine; returns NULL. */
struct tunnel *tunnel_close(struct tunnel *t);

/**
 * Takes away what a daemon left that was killed, or stopped with conf->keep_forwarding, in all
 * tiers.
 * @param conf  of it only device, home_agent, run_dir and bpffs
 * @retval -EBUSY  there is one: its device is
 * @retval -errno  something may still be there
 */
int tunnel_remove(const struct tunnel_conf *conf);

/** The bindings of this key are now `first` and its siblings. Idempotent. @retval -errno */
int tunnel_put(struct tunnel *t, const struct binding *first);
/** The key's bindings are as they were, but that they end at another time. */
void tunnel_renew(struct tunnel *t, struct binding_key key);
/** The key has no binding any more; absent is success. @retval -errno */
int tunnel_del(struct tunnel *t, struct binding_key key);

/**
 * Packets to a network behind a mobile router are to come to us, or not any more (RFC 5177).
 * Idempotent. @retval -errno  also if somebody else routes the network on this host
 */
int tunnel_route(struct tunnel *t, struct addr_prefix network, bool on);

/**
 * Home networks and settings are those of conf from now on. All or nothing. What was home in a
 * network that is gone has its bindings ended by the caller; a binding whose network is another
 * link now, or is none any more or has become one, is put again.
 * @param conf  of it home networks, interfaces, mtu, clamp_*, broadcast_*, ecn_normal,
 *              keep_forwarding and udp_checksums; what it points to is kept by reference
 * @retval -errno  logged, with what was refused and the remedy; what was before holds
 */
int tunnel_reload(struct tunnel *t, const struct tunnel_conf *conf);

/**
 * Every binding that is there has been put: what was kept forwarding without one ends now. Call
 * once after tunnel_open(), when what the store holds has been put, before serving.
 */
void tunnel_reconcile(struct tunnel *t);

/** conf->filter says something else now: it holds for the next packet. */
void tunnel_filter_changed(struct tunnel *t);

/**
 * Tunnel data (message type 4) that came to the registration socket.
 * @param data  the UDP payload, with ENCAP_HEADROOM octets before it to be used up
 * @param tos   TOS octet of the outer header
 */
void tunnel_udp_input(struct tunnel *t, uint8_t *data, size_t len, uint8_t tos, struct in_addr src,
		      uint16_t src_port, struct in_addr dst);

/**
 * Would this host take a packet to addr for itself: an address of its own, a broadcast of one of
 * its links? A tunnel to it would lead nowhere. t may be NULL: nobody knows.
 */
bool tunnel_is_local(const struct tunnel *t, struct in_addr addr);

/** What a binding's tunnel has carried, in all tiers. t may be NULL: as the binding has it. */
struct binding_count tunnel_count(const struct tunnel *t, const struct binding *b);
/** Does that include every packet to the node? Not if a tier that cannot count carried some. */
bool tunnel_knows_sent(const struct tunnel *t, const struct binding *b);
/** Adds what the fast tier has counted to `sum`, a copy of the daemon's counters. */
void tunnel_add_stats(const struct tunnel *t, struct stats *sum);

/** The fastest tier that carries traffic: "xdp", "tc", "kernel", "tun". */
const char *tunnel_name(const struct tunnel *t);

/** Why there is no fast tier although one was asked for; NULL: there is, or none was. */
const char *tunnel_why(const struct tunnel *t);

/** What is kept up on this host beside the tunnels. */
struct tunnel_upkeep {
	unsigned int sinks; /* devices that keep the kernel's own tunnels from our packets */
	uint64_t repairs;   /* times that what others had taken away was put back */
};
struct tunnel_upkeep tunnel_upkeep(const struct tunnel *t);

/** Where the fast tier is attached, or is not; and the device of the base tier. */
struct tunnel_port {
	const char *interface;
	const char *tier; /* "xdp", "tc", "kernel"; "tun": nothing is attached */
	const char *why;  /* a sentence's worth; "" if there is nothing to say */
	unsigned int ifindex;
	/*
	 * Packets that the tier dropped here since we started, for whatever reason. The base tier
	 * has all of its own at its device, wherever they had come in.
	 */
	uint64_t drops;
};
void tunnel_for_each_port(const struct tunnel *t,
			  void (*fn)(void *ctx, const struct tunnel_port *port), void *ctx);

/* --- for tiers --- */

/** Opaque: the state of one tier. */
struct tunnel_dp;

/** Takes over what tunnel_reload() may change. */
void tunnel_conf_reload(struct tunnel_conf *conf, const struct tunnel_conf *from);

/** A fast tier cannot be opened, or has to go: for tunnel_why(). To log it is its own. */
void tunnel_refuse(const struct tunnel_conf *conf, const char *what, const char *error);

/** What is known of the way to a tunnel's end (RFC 2003 §5). */
struct tunnel_soft {
	uint32_t mtu; /* the longest outer packet */
	bool unreachable;
};

struct tunnel_ops {
	const char *name; /* the configuration's word */
	uint32_t caps;    /* TUNNEL_CAP_* */
	/**
	 * @param conf  kept by reference
	 * @retval -errno  logged, with what was refused and the remedy; nothing is left behind
	 */
	int (*open)(const struct tunnel_conf *conf, struct tunnel_dp **ret_dp);
	/** NULL is fine. */
	void (*close)(struct tunnel_dp *dp);
	/**
	 * Removes what a tier left behind that is not open now and will not be.
	 * @retval -errno  something may still be there
	 */
	int (*clean)(const struct tunnel_conf *conf);
	/**
	 * Of the base tier: this key's bindings are first and its siblings. Of a fast one: this is
	 * the key's only binding, its caps suffice, and soft.mtu holds; its tunnel may be another
	 * than before. Idempotent. @retval -errno
	 */
	int (*put)(struct tunnel_dp *dp, struct binding *first, struct tunnel_soft soft);
	/** The key is this tier's no more, though it may still have bindings. Absent is success. */
	int (*del)(struct tunnel_dp *dp, struct binding_key key);
	/* Of the base tier only: */
	/**
	 * Packets to a network behind a mobile router are to come to us, or not any more (RFC
	 * 5177). Idempotent. @retval -errno  also if somebody else routes the network on this host
	 */
	int (*route)(struct tunnel_dp *dp, struct addr_prefix network, bool on);
	/** As tunnel_reload(). */
	int (*reload)(struct tunnel_dp *dp, const struct tunnel_conf *conf);
	void (*udp_input)(struct tunnel_dp *dp, uint8_t *data, size_t len, uint8_t tos,
			  struct in_addr src, uint16_t src_port, struct in_addr dst);
	struct tunnel_soft (*soft)(struct tunnel_dp *dp, struct in_addr peer);
	/** As tunnel_is_local(). */
	bool (*is_local)(struct tunnel_dp *dp, struct in_addr addr);
	/* Of all: */
	struct tunnel_upkeep (*upkeep)(struct tunnel_dp *dp); /* NULL: nothing to keep up */
	void (*for_each_port)(struct tunnel_dp *dp,
			      void (*fn)(void *ctx, const struct tunnel_port *port), void *ctx);
	/* Of a fast tier only: */
	/**
	 * binding.fast_slot of one that it carries, if it does so until del() and cares for no
	 * time: it is not told then that such a one was renewed. 0: it is told.
	 */
	uint32_t carried;
	bool outlives; /* it goes on without us where conf->keep_forwarding says so */
	void (*reconcile)(struct tunnel_dp *dp);
	void (*filter_changed)(struct tunnel_dp *dp);
	/**
	 * Settings of conf that tunnel_reload() may change have; not those that are in what was
	 * put, all of which is put again.
	 */
	void (*settings_changed)(struct tunnel_dp *dp);
	/** NULL: this tier cannot tell; binding.fast_slot is not 0 where it has carried any. */
	void (*add_count)(struct tunnel_dp *dp, const struct binding *b, struct binding_count *sum);
	/**
	 * Of a binding with a fast_slot: adds what the base tier has carried to what this tier has
	 * counted, which outlives the daemon. NULL: nothing of this tier does.
	 */
	void (*count)(struct tunnel_dp *dp, const struct binding *b,
		      const struct binding_count *more);
	void (*add_stats)(struct tunnel_dp *dp, struct stats *sum);
	const char *(*tier)(struct tunnel_dp *dp);
};

extern const struct tunnel_ops tunnel_tun;    /* the base */
extern const struct tunnel_ops tunnel_bpf;    /* fast: "xdp" and "tc" */
extern const struct tunnel_ops tunnel_kernel; /* fast: "kernel" */

enum tunnel_direction { TUNNEL_TO_NODE, TUNNEL_FROM_NODE };

/** Why a filter does not let a packet pass; the first of these that holds. */
enum tunnel_filter_reason {
	TUNNEL_FILTER_PASSES,
	TUNNEL_FILTER_OPTIONS,     /* IP options */
	TUNNEL_FILTER_ICMP,        /* an ICMP error that belongs to no permitted flow */
	TUNNEL_FILTER_PEER,        /* the far end is not listed */
	TUNNEL_FILTER_PROTOCOL,    /* in no row */
	TUNNEL_FILTER_PORT,        /* of the far end: in no row */
	TUNNEL_FILTER_LENGTH,      /* UDP's own length is not the packet's, or no whole header */
	TUNNEL_FILTER_FRAGMENT,    /* of a packet whose first fragment has not passed */
	TUNNEL_FILTER_UNSOLICITED, /* the node has not sent to this far end since it was bound */
	TUNNEL_FILTER_REASON_CNT,
};

/** One word, for logs. */
const char *tunnel_filter_reason_name(enum tunnel_filter_reason reason);

/** An inner packet on its way. */
struct tunnel_filter_packet {
	const uint8_t *data; /* well formed, see encap_check_ipv4() */
	size_t len;
	enum tunnel_direction direction;
	const struct binding *first; /* of the node's key; NULL: it is for no one node */
};

struct fragments;

/**
 * May it pass? Nothing is looked up but by the arguments. The far end is the source of a packet to
 * a node, and the destination of one from it.
 * @param fragments  first fragments that have passed: this one is added, or looked for
 */
enum tunnel_filter_reason tunnel_filter_judge(const struct tunnel_filter *filter,
					      struct fragments *fragments,
					      const struct tunnel_filter_packet *p,
					      uint64_t now_ms);

#endif

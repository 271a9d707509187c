/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * What the programs in the kernel and the daemon over them have in common: the maps, their keys
 * and values, the reasons to drop a packet and to leave it alone. Both sides include it.
 *
 * The programs carry a packet from wire to wire or leave it exactly as it came, for the TUN tier.
 * The daemon puts a home address into the map of nodes only if it has exactly one binding, in an
 * encapsulation of the programs', bound in full and within reach; whatever is not there goes to
 * the TUN tier. __be16 and __be32 are network order, all else is the machine's; padding is
 * spelled out and zero.
 */
#ifndef HA_CORE_TUNNEL_BPF_HABPF_H
#define HA_CORE_TUNNEL_BPF_HABPF_H

#include <linux/types.h>

/** Changes with anything in this file that a pinned map or program would not understand. */
#define HABPF_LAYOUT 7

/*
 * The maps, by name; the programs are "ha_xdp" (XDP) and "ha_tc" (tc, direct action, ingress).
 * Their sizes are set before they are loaded where none is given here.
 *
 *	ha_select  ARRAY, one: __u32, which entry of ha_config holds
 *	ha_config  ARRAY, two: struct habpf_config. Write the one not in force, then ha_select:
 *	           so a packet meets the one or the other, never something between
 *	ha_ports   ARRAY, HABPF_PORT_CNT, by ifindex: struct habpf_port; all zero: not ours
 *	ha_nodes   ARRAY, mmapable, habpf_entry_cnt(slot_cnt): struct habpf_node, an open hash
 *	           table by home address; its size is the user's choice. See bpf_nodes.c
 *	ha_totals  PERCPU_ARRAY, one: struct habpf_totals
 *	ha_drops   PERCPU_HASH, by ifindex: __u64, packets that came by it and were dropped. The
 *	           daemon makes an entry before it attaches and the programs make none, so it takes
 *	           memory for the interfaces that there are
 *	ha_hops    ARRAY, mmapable, HABPF_HOP_CNT: __u64, a next hop that a packet has gone to since
 *	           the daemon's last look: ifindex << 32 | address (as it lies in memory); 0: none.
 *	           Those that share an entry take turns. See bpf_hops.c
 *	ha_sample  PERCPU_ARRAY and
 *	ha_sources ARRAY: the programs' own
 */
#define HABPF_PORT_CNT   16384 /* an interface with a higher index is left to the tier below */
#define HABPF_FILTER_CNT 16
#define HABPF_PEER_CNT   16
#define HABPF_LOCAL_CNT  16
#define HABPF_HOP_CNT    256 /* a power of two */

/** struct habpf_node.flags */
enum {
	HABPF_NODE_UDP = 1 << 0,     /* the tunnel is in UDP */
	HABPF_NODE_REVERSE = 1 << 1, /* T was granted */
	HABPF_NODE_CLAMP = 1 << 2,   /* TCP's SYNs go to the TUN tier, which lowers their MSS */
	HABPF_NODE_NAT = 1 << 3,     /* the peer is no care-of address: others are behind it, too */
};

/** The one binding of a home address. */
struct habpf_tunnel {
	__u64 expires_ns; /* CLOCK_MONOTONIC; from then on the TUN tier decides; ~0: never */
	__be32 peer;      /* outer destination, and the only outer source */
	__be16 peer_port; /* HABPF_NODE_UDP */
	__u16 mtu;        /* the longest outer packet, soft state included; 65535 at most */
	__u8 mode;        /* an IP protocol: 4 IP-in-IP, 47 GRE; nothing else */
	__u8 flags;       /* HABPF_NODE_* */
	__u16 contacts;   /* 1 << i: the node has sent to habpf_config.peers[i] */
	__u32 checked;    /* the programs' own; the daemon writes 0: see peer_is_valid() */
};

/** Inner packets and octets of one binding (or of all), as struct binding counts them. */
struct habpf_count {
	__u64 packets_to, bytes_to;
	__u64 packets_from, bytes_from;
};

/**
 * All of a node in one cache line. That is why its counters are here, added to by atomic
 * operations, and not each CPU's own: a line more to fetch costs a packet among a million nodes ten
 * times what the operations do, and memory for each node on each CPU. CPUs that carry one node's
 * packets at the same time hand the line to and fro.
 */
struct habpf_node {
	__u64 tag; /* home address (as it lies in memory) << 32 | version; 0: never used */
	struct habpf_tunnel tunnel; /* holds while the tag is the same, and even */
	struct habpf_count count;
};

#define HABPF_TAG_ODD 1  /* of the version: it is being changed, or was deleted */
#define HABPF_PROBES  16 /* an entry lies in its first slot, or so many on at most */

/** Where a home address (host order) is looked for first. Neighbours come to lie far apart. */
static inline __u32 habpf_first_slot(__u32 home_addr, __u32 slot_cnt)
{
	return (__u32)((__u64)(home_addr * 0x9e3779b1u) * slot_cnt >> 32);
}

/** Entries of ha_nodes: who is behind the last slot does not begin again at the first one. */
static inline __u32 habpf_entry_cnt(__u32 slot_cnt)
{
	return slot_cnt + HABPF_PROBES - 1;
}

/** struct habpf_port.flags */
enum {
	HABPF_PORT_ETHER = 1 << 0,  /* frames have an Ethernet header: may be entered and left by */
	HABPF_PORT_XMIT = 1 << 1,   /* XDP may redirect to it: the driver transmits native frames */
	HABPF_PORT_STRICT = 1 << 2, /* rp_filter 1: the way back to a source is this interface */
	HABPF_PORT_LOOSE = 1 << 3,  /* rp_filter 2: there is a way back */
	HABPF_PORT_SECOND = 1 << 4, /* what XDP leaves meets tc here, which counts what is left */
};

/** An interface. tc redirects to any with HABPF_PORT_ETHER, XDP to those with HABPF_PORT_XMIT. */
struct habpf_port {
	__u8 mac[6]; /* frames to another are not ours */
	__u16 flags; /* HABPF_PORT_* */
};

/** As struct tunnel_filter_row. */
struct habpf_filter_row {
	__u8 protocol;
	__u8 pad;
	__u16 port; /* host order; 0: any */
};

/** struct habpf_config.flags */
enum {
	HABPF_ECN_NORMAL = 1 << 0,          /* RFC 6040 §4.1, else compatibility mode */
	HABPF_REVERSE_NEEDS_GRANT = 1 << 1, /* as in struct tunnel_filter */
	HABPF_FILTER = 1 << 2,              /* rows and peers are asked; else all passes */
	HABPF_UDP_CHECKSUM = 1 << 3,        /* what would have none goes to the TUN tier */
};

/** Rows or peers too many for it: leave ha_nodes empty, the TUN tier knows no bounds. */
struct habpf_config {
	__u32 layout; /* HABPF_LAYOUT; anything else and every packet is left alone */
	__u32 flags;  /* HABPF_* above */
	__be32 home_agent;
	__be16 port;            /* of UDP tunnels, ours */
	__u16 drops_per_second; /* passed on for the TUN tier to log, for each reason and CPU */
	/*
	 * The TUN device: routes are looked up as for a packet that enters by it, as they are on
	 * the tier below. It must forward. 0: as for one from the interface the packet came by.
	 */
	__u32 device_ifindex;
	__u32 slot_cnt; /* of ha_nodes */
	__u32 seed;     /* of Identifications: random */
	/*
	 * The lowest MTU that a route of this host has of its own, which a look-up does not tell;
	 * 0: none has. What is longer goes by the kernel, to be cut up or refused.
	 */
	__u32 route_mtu;
	__u8 row_cnt, peer_cnt;
	__u8 local_cnt; /* all of this host's addresses, or none where every port checks sources */
	__u8 pad[5];
	struct habpf_filter_row rows[HABPF_FILTER_CNT];
	__be32 peers[HABPF_PEER_CNT];  /* one that changes its place changes every contacts */
	__be32 local[HABPF_LOCAL_CNT]; /* never a source from outside (RFC 2003 §3.2) */
};

/** Why a tunnel packet was dropped: those reasons of the TUN tier that the programs can judge. */
enum habpf_drop {
	HABPF_DROP_MALFORMED,
	HABPF_DROP_WRONG_SOURCE,
	HABPF_DROP_WRONG_ENCAPSULATION,
	HABPF_DROP_NO_REVERSE,
	HABPF_DROP_DESTINATION,
	HABPF_DROP_LOOP,
	HABPF_DROP_FILTER_PEER, /* as in enum tunnel_filter_reason, these five */
	HABPF_DROP_FILTER_PROTOCOL,
	HABPF_DROP_FILTER_PORT,
	HABPF_DROP_FILTER_LENGTH,
	HABPF_DROP_FILTER_UNSOLICITED,
	HABPF_DROP_CNT,
};

/** Why a packet that is a node's was left to the TUN tier. */
enum habpf_leave {
	HABPF_LEAVE_CHECKSUM, /* of the header is wrong, or lengths are: the kernel drops it */
	HABPF_LEAVE_FRAGMENT,
	HABPF_LEAVE_OPTIONS,
	HABPF_LEAVE_TTL,     /* 1 or 0 */
	HABPF_LEAVE_NO_NODE, /* a tunnel packet of a source that is not in ha_nodes */
	HABPF_LEAVE_EXPIRED,
	HABPF_LEAVE_LOCAL,   /* from or for this host; keepalives */
	HABPF_LEAVE_SOURCE,  /* no host's, or it fails the interface's reverse path filter */
	HABPF_LEAVE_LOOP,    /* from the tunnel's other end: the TUN tier drops it */
	HABPF_LEAVE_MTU,     /* longer than the tunnel or the interface out takes */
	HABPF_LEAVE_MSS,     /* a SYN whose MSS may have to be lowered */
	HABPF_LEAVE_ICMP,    /* under a filter: errors pass for the flow they are about */
	HABPF_LEAVE_CONTACT, /* under a filter: the first to this peer, of which tun takes note */
	HABPF_LEAVE_GRE,     /* with a checksum, key, sequence number or another payload */
	HABPF_LEAVE_MINIMAL,
	HABPF_LEAVE_UDP, /* its checksum cannot be told right, or could not be filled in */
	HABPF_LEAVE_ECN, /* a mark to drop for, or one that nobody makes: tun counts and logs it */
	HABPF_LEAVE_OFFLOAD, /* a large segment of another kind than TCP's */
	HABPF_LEAVE_ROUTE,   /* to this host, to nowhere, a neighbour yet unknown, or by IPv6 */
	HABPF_LEAVE_PORT,    /* the way out is no port of ours: a tunnel, say */
	HABPF_LEAVE_REPORT,  /* a drop for the TUN tier to log, see drops_per_second */
	HABPF_LEAVE_SYSTEM,  /* no headroom, more than one buffer */
	HABPF_LEAVE_CNT,
};

/** Of one CPU, since the maps were made. */
struct habpf_totals {
	struct habpf_count count;
	__u64 drops[HABPF_DROP_CNT];
	__u64 left[HABPF_LEAVE_CNT];
};

_Static_assert(sizeof(struct habpf_tunnel) == 24, "as pinned");
_Static_assert(sizeof(struct habpf_node) == 64, "as pinned");
_Static_assert(sizeof(struct habpf_port) == 8, "as pinned");
_Static_assert(sizeof(struct habpf_filter_row) == 4, "as pinned");
_Static_assert(sizeof(struct habpf_config) == 232, "as pinned");
_Static_assert(sizeof(struct habpf_count) == 32, "as pinned");
_Static_assert(sizeof(struct habpf_totals) == 32 + 8 * (HABPF_DROP_CNT + HABPF_LEAVE_CNT),
	       "as pinned");

#endif

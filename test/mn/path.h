/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The way of packets between a home address and its home agent: registration messages on a UDP
 * socket, user data in IP-in-IP or, from the same port, in UDP (RFC 2003, RFC 3024, RFC 3519), or
 * by a foreign agent as they are (RFC 5944 §3.6). Whether user data may pass at all is asked anew
 * for each packet.
 */
#ifndef TEST_MN_PATH_H
#define TEST_MN_PATH_H

#include "common/addr.h"
#include "common/loop.h"
#include "test/mn/detect.h"
#include "test/mn/tun.h"

#define PATH_OVERHEAD 32 /* the most a tunnel adds: IP, UDP, tunnel data header */

struct path_hooks {
	/** Something is there to be read: have we moved meanwhile? */
	void (*look)(void *ctx);
	/** May user data of this agent's home address pass now? */
	bool (*permits)(void *ctx, enum detect_agent agent);
	/** A registration message has come to this agent's socket, by the interface in use. */
	void (*message)(void *ctx, enum detect_agent agent, const uint8_t *data, size_t len);
	/** A keepalive was answered. */
	void (*echo)(void *ctx, enum detect_agent agent);
	/** A packet was too long for the way to this agent, which takes outer ones of mtu. */
	void (*too_big)(void *ctx, enum detect_agent agent, uint32_t mtu);
	void *ctx;
};

struct path_count {
	uint64_t sent, received; /* user data */
	uint64_t held;           /* came while the gate was shut, either way */
	uint64_t released;       /* of those, sent when it opened */
	uint64_t too_big;        /* of those dropped, whose sender was told by ICMP */
	uint64_t dropped;        /* not ours, not from our agent, not as agreed, malformed */
};

struct paths;

/** @retval -errno  logged */
int paths_open(struct loop *loop, const struct path_hooks *hooks, struct paths **ret_paths);
struct paths *paths_close(struct paths *p);

/**
 * Adds the way to one agent. The device stays the caller's and outlives it. DETECT_VPN shares that
 * of DETECT_INTERNAL, which comes first.
 * @param networks  behind us: their packets go the same way; outlive it, too
 * @retval -errno  logged
 */
int paths_add(struct paths *p, enum detect_agent agent, struct tun *tun, struct in_addr home_addr,
	      const struct addr_prefix *networks, size_t network_cnt);

/** A point of attachment. */
struct path_place {
	unsigned int ifindex;
	struct in_addr local;         /* our address there; any: nowhere */
	struct in_addr foreign_agent; /* the way to the home agent; any: straight from local */
	bool home;                    /* the home link: packets leave as they are */
};

/** Where we are on the way to an agent. Ports stay as they are. */
void paths_move(struct paths *p, enum detect_agent agent, const struct path_place *place);

/** How user data travels, as the agent agreed. */
struct path_agreement {
	struct in_addr home_agent;
	bool udp;
	bool reverse; /* else data from us goes untunnelled, to the home agent's network only */
};
void paths_agree(struct paths *p, enum detect_agent agent, const struct path_agreement *agreement);

/** Sends what waits for the gate to open, if it is open and not too old. */
void paths_release(struct paths *p, enum detect_agent agent);

/** Sends a registration message to an agent. @retval -errno */
int paths_send(struct paths *p, enum detect_agent agent, struct in_addr to, const void *message,
	       size_t len);

/** Sends an ICMP echo request to the home agent through the tunnel (RFC 3519 §4.9). */
int paths_keepalive(struct paths *p, enum detect_agent agent);

/**
 * Since when, monotonic ms, nothing was sent to this agent, or nothing heard from it: whichever is
 * longer ago. Who sends and hears nothing may be sending into a mapping that is gone.
 */
uint64_t paths_idle_since_ms(const struct paths *p, enum detect_agent agent);

const struct path_count *paths_count(const struct paths *p, enum detect_agent agent);

/** Tunnel packets from strangers, or to an address that is not ours any more. */
uint64_t paths_stray_cnt(const struct paths *p);

#endif

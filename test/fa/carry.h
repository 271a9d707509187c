/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The foreign agent's way to home agents: registration messages, and visitors' packets in
 * IP-in-IP or, from the port of the registrations, in UDP (RFC 2003, RFC 3024, RFC 3519).
 */
#ifndef TEST_FA_CARRY_H
#define TEST_FA_CARRY_H

#include "common/addr.h"
#include "common/loop.h"
#include "ha-core/tunnel/rtnl.h"

#define CARRY_OVERHEAD 32 /* the most a tunnel adds: IP, UDP, tunnel data header */

/** A visitor's packets. Owned by whoever keeps the visitors. */
struct carry_visitor {
	struct in_addr home_addr, home_agent;
	bool udp;     /* tunnel in UDP */
	bool reverse; /* what it sends is tunnelled home; else the kernel forwards it */
	uint64_t to_cnt, from_cnt;
	uint64_t last_sent_ms;
};

struct carry_hooks {
	/** The visitor of that home address, or NULL. */
	struct carry_visitor *(*find)(void *ctx, struct in_addr home_addr);
	/** A message from a home agent has come. */
	void (*message)(void *ctx, struct in_addr from, const uint8_t *data, size_t len);
	/** A message of ours did not get there: an ICMP "unreachable" of this code quotes it. */
	void (*unreachable)(void *ctx, uint8_t icmp_code, const uint8_t *data, size_t len);
	/** A keepalive was answered. */
	void (*echo)(void *ctx, struct in_addr home_agent);
	void *ctx;
};

struct carry_conf {
	struct loop *loop;
	struct rtnl *rtnl; /* outlives it */
	struct in_addr care_of;
	struct rtnl_link visited;
	const char *device; /* TUN, ours */
	uint32_t table;     /* of routes, ours; also the rules' priority */
};

struct carry;

/** @retval -errno  logged */
int carry_open(const struct carry_conf *conf, const struct carry_hooks *hooks,
	       struct carry **ret_carry);
struct carry *carry_close(struct carry *c);

/** The port that registrations and UDP tunnels have in common. */
uint16_t carry_port(const struct carry *c);

/** Sends a registration message to a home agent. @retval -errno */
int carry_send(struct carry *c, struct in_addr to, const void *message, size_t len);

/** Routes for a visitor; put again is success. @retval -errno */
int carry_admit(struct carry *c, const struct carry_visitor *v);
/** Takes them away; absent is success. */
void carry_dismiss(struct carry *c, const struct carry_visitor *v);

/**
 * Sends an ICMP echo request to the visitor's home agent by its UDP tunnel. The tunnel's end is
 * here, and so is the source: the care-of address (RFC 3519 §4.9).
 */
int carry_keepalive(struct carry *c, struct carry_visitor *v);

/** Tunnel packets for nobody who is here, or not from the visitor's home agent. */
uint64_t carry_stray_cnt(const struct carry *c);

#endif

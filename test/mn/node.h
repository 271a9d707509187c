/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The mobile node: joins detection, registration, tunnels, the VPN client and the status socket
 * in one loop.
 */
#ifndef TEST_MN_NODE_H
#define TEST_MN_NODE_H

#include "common/addr.h"
#include "test/mn/agent.h"
#include "test/mn/detect.h"

#define NODE_ROUTE_MAX     32
#define NODE_INTERFACE_MAX 16
#define NODE_NETWORK_MAX   16
#define NODE_FOREIGN_MAX   8

/** A foreign agent: where it is the link's router, we register through it. */
struct node_foreign {
	struct in_addr router, care_of;
};

/** The VPN client beside us. */
struct node_vpn {
	const char *socket; /* strongSwan's vici socket; NULL: no VPN */
	const char *ike, *child;
	const char *device;     /* where its inner address is */
	struct in_addr gateway; /* any: unknown, and then an external agent shows the way outside */
};

struct node_conf {
	struct agent_conf agent[DETECT_AGENT_CNT];
	const char *device[DETECT_AGENT_CNT];
	struct detect_conf detect;
	struct addr_prefix routes[NODE_ROUTE_MAX]; /* what goes through the home tunnel */
	size_t route_cnt;
	struct addr_prefix networks[NODE_NETWORK_MAX]; /* behind us, through the home tunnel */
	size_t network_cnt;
	const char *interfaces[NODE_INTERFACE_MAX]; /* none: every one but loopback and ours */
	size_t interface_cnt;
	struct node_foreign foreign[NODE_FOREIGN_MAX];
	size_t foreign_cnt;
	struct in_addr home_router; /* where this is the router, we are at home; any: nowhere */
	struct node_vpn vpn;
	uint32_t table; /* routing tables: this one and, for the external home address, the next */
	const char *control;
	bool dereg_on_exit;
};

struct node;

/** @retval -errno  logged; nothing is left behind */
int node_open(const struct node_conf *conf, struct node **ret_node);

/** Runs until SIGTERM or SIGINT. */
void node_run(struct node *n);

/** Takes everything away. NULL is fine; returns NULL. */
struct node *node_close(struct node *n);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The VPN client next to us, a strongSwan: brought up, taken down and watched over vici.
 */
#ifndef TEST_MN_VPN_H
#define TEST_MN_VPN_H

#include "common/loop.h"

#include <netinet/in.h>
#include <stdbool.h>

struct vpn_conf {
	struct loop *loop;
	const char *socket; /* charon's vici socket */
	const char *ike;    /* names in swanctl.conf: the connection, */
	const char *child;  /* and what of it to initiate */
};

struct vpn_hooks {
	/** It is up, with this inner address; or, with any address, down, or could not come up. */
	void (*changed)(void *ctx, struct in_addr inner, const char *why);
	/** The outer addresses of its IKE SA are others now (MOBIKE). */
	void (*moved)(void *ctx);
	void *ctx;
};

struct vpn;

/** Takes down what a predecessor left up. A charon that is not there yet is waited for. */
int vpn_open(const struct vpn_conf *conf, const struct vpn_hooks *hooks, struct vpn **ret_vpn);
/** Leaves the VPN as it is. NULL is fine; returns NULL. */
struct vpn *vpn_close(struct vpn *v);

/** Both return at once; changed() tells what comes of vpn_connect(). */
void vpn_connect(struct vpn *v);
/** Without waiting for the gateway's consent: there may be no way to it any more. */
void vpn_disconnect(struct vpn *v);

#endif

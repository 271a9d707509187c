/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * What only the external home agent is configured with.
 */
#ifndef XHAD_CONF_H
#define XHAD_CONF_H

#include "common/addr.h"
#include "common/conf.h"
#include "ha-core/ha_conf.h"

enum xhad_conf_policy { XHAD_CONF_IPSEC_ONLY, XHAD_CONF_ANY };

struct xhad_conf {
	struct {
		enum xhad_conf_policy policy;
		struct addr_set vpn_gateways; /* empty under ipsec-only: nothing passes */
	} forwarding;
	struct {
		char **interfaces;
		size_t interface_cnt;
		struct addr_set networks;
	} inside; /* where requests are refused from */
};

/** Offsets are into struct xhad_conf; conf_done() frees what it owns. */
extern const struct conf_key xhad_conf_rows[];

/** The next of inside.interfaces, from *at on, that this host has not; NULL: no more. */
const char *xhad_conf_missing_interface(const struct xhad_conf *own, size_t *at);

/** Is every request to be dropped, as one from inside? */
bool xhad_conf_is_everywhere_inside(const struct xhad_conf *own);

/** Can the VPN gateways be what they are said to be? See ha_conf_check_fn. */
void xhad_conf_check(const void *xhad_conf, const struct ha_conf *conf, const struct conf_doc *doc,
		     const char *path, struct conf_faults *faults);

#endif

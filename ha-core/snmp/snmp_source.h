/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Rows of the home agent for SNMP: read from the engine at the moment they are asked for. Pure but
 * for what the engine's tables say.
 */
#ifndef HA_CORE_SNMP_SNMP_SOURCE_H
#define HA_CORE_SNMP_SNMP_SOURCE_H

#include "ha-core/engine/engine.h"
#include "ha-core/snmp/snmp_row.h"

/** A trusted network and its use; the same prefix goes on across a reload. */
struct snmp_trusted {
	struct addr_prefix prefix;
	uint64_t requests;
	uint32_t used_cs;
};

/** What rows are made from, beside the engine. Kept by snmp_feed.c, filled by ha.c. */
struct snmp_source {
	const struct engine *engine;
	const char *name; /* heName */
	const char *device;
	const struct tunnel *tunnel; /* NULL: none but what the engine counts */
	/** How the store is. NULL: nothing is remembered. */
	void (*store)(void *ctx, struct snmp_store *out);
	void *store_ctx;
	/** How the hosts that share the state are; the same context. NULL: none is shared. */
	void (*cluster)(void *ctx, struct snmp_cluster *out);
	bool external; /* the role */
	bool has_tnc, has_inside_filter, redirects;
	uint16_t port;
	uint32_t up_since_cs;
	uint64_t reloads, reloads_refused;
	uint32_t bindings_peak;
	uint64_t processing_ns;
	uint64_t processing_max_ns;
	uint32_t rate, rate_peak;
	uint64_t notices, notices_suppressed;
	struct snmp_trusted *trusted; /* owned */
	size_t trusted_cnt;
	struct snmp_row_advertisement *advertisements; /* owned; in the order of their keys */
	size_t advertisement_cnt;
};

/**
 * The rows whose key is `from` or above, in order, as many as a page holds.
 * @param out  its table, cnt, from, more and rows
 * @return octets of rows
 */
size_t snmp_source_page(const struct snmp_source *src, enum snmp_table table, uint64_t from,
			uint64_t now_ms, struct snmp_page *out);

/** Counts a use of the trusted network that has the address. */
void snmp_source_trusted_used(struct snmp_source *src, struct in_addr addr, uint64_t now_ms);

/** Takes over a list; uses of prefixes that were there go on. @retval -ENOMEM nothing changed */
int snmp_source_set_trusted(struct snmp_source *src, const struct addr_set *set);

void snmp_source_done(struct snmp_source *src);

/** Fills the row of a source's last violation, as both notices and tables show it. */
void snmp_source_violation(const struct violation *v, bool offends, struct snmp_row_violation *out);

/** How the store is; SNMP_STORE_NONE without one. */
void snmp_source_store(const struct snmp_source *src, struct snmp_store *out);

/** How the hosts that share the state are; SNMP_CLUSTER_NONE if none does. */
void snmp_source_cluster(const struct snmp_source *src, struct snmp_cluster *out);

/** heInterfaceTier of a tier's name: the faster, the higher; 0: unknown. */
uint32_t snmp_source_tier(const char *name);

void snmp_text_set(struct mib_text *out, const void *octets, size_t len);

#endif

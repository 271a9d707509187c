/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * What the daemon tells its SNMP child: pages of rows, and notices. Both are one program that
 * forked, so rows are plain structs and cross the socketpair as they are. A row has all that both
 * MIBs show of a thing, under their enumerations; none has a key or anything made with one.
 *
 * Times are hundredths of a second, monotonic, 0 for never (mib.h turns them into TimeStamps).
 */
#ifndef HA_CORE_SNMP_SNMP_ROW_H
#define HA_CORE_SNMP_SNMP_ROW_H

#include "ha-core/snmp/mib.h"
#include "ha-core/stats.h"

enum snmp_table {
	SNMP_AGENT,          /* one row, key 0: all scalars */
	SNMP_ASSOCIATIONS,   /* key: peer's address, SPI */
	SNMP_VIOLATIONS,     /* key: peer's address */
	SNMP_ADVERTISEMENTS, /* key: interface's address */
	SNMP_BINDINGS,       /* key: home address, care-of address */
	SNMP_NODES,          /* key: home address */
	SNMP_TRUSTED,        /* key: address, and in the low octet the length of the prefix */
	SNMP_OFFENDERS,      /* key: address */
	SNMP_CODES,          /* key: code of a reply */
	SNMP_INTERFACES,     /* key: ifIndex */
	SNMP_TABLE_CNT
};

struct snmp_row_agent {
	uint64_t key;
	struct stats stats;
	/* MIP-MIB */
	uint32_t enabled;         /* mipEnable */
	uint8_t entities;         /* mipEntities, BITS */
	uint8_t encapsulations;   /* mipEncapsulationSupported, BITS */
	uint64_t violations;      /* of all peers ever */
	uint64_t requests;        /* Registration Requests; messages of unknown types are none */
	uint64_t accepted_simple; /* Code 0 */
	uint64_t accepted_single; /* Code 1 */
	/* ours */
	struct mib_text name, version, data_path, device;
	uint32_t role; /* 1 internal, 2 external */
	uint8_t features;
	struct in_addr address;
	uint32_t port;
	uint32_t up_since_cs, up_cs;
	uint64_t reloads, reloads_refused;
	uint32_t nodes;
	bool draining;
	uint32_t trusted_networks;
	uint32_t bindings, bindings_peak;
	struct snmp_offender {
		struct in_addr address, home_addr, care_of;
		uint32_t port;
		uint32_t when_cs;
	} last_offender;
	uint64_t processing_us;
	uint32_t processing_max_us;
	uint32_t rate, rate_peak; /* requests a second */
	uint64_t notices, notices_suppressed;
	struct snmp_store {
		uint32_t state; /* heStoreState */
		struct mib_text error;
		uint64_t changes, octets;
		uint64_t unsynced; /* octets */
		uint32_t segments;
		uint64_t merges, sync_failures, merge_failures;
	} store;
	struct snmp_cluster {
		uint32_t state; /* heClusterState */
		uint32_t role;  /* heClusterRole */
		struct mib_text error;
		uint32_t peers; /* heard lately */
		uint64_t lag_entries, lag_ms, queued;
		uint64_t sent, applied, outages, scans, unconfirmed;
	} cluster;
};

/* heClusterState, heClusterRole */
enum {
	SNMP_CLUSTER_NONE = 1,
	SNMP_CLUSTER_AWAY = 2,
	SNMP_CLUSTER_COMPARING = 3,
	SNMP_CLUSTER_FOLLOWING = 4
};
enum { SNMP_CLUSTER_ACTIVE = 1, SNMP_CLUSTER_STANDBY = 2 };

/* heStoreState */
enum { SNMP_STORE_NONE = 1, SNMP_STORE_OK = 2, SNMP_STORE_FAILING = 3 };

struct snmp_row_association {
	uint64_t key;
	uint32_t algorithm_type; /* mipSecAlgorithmType */
	uint32_t algorithm_mode; /* mipSecAlgorithmMode */
	uint32_t replay;         /* mipSecReplayMethod */
};

struct snmp_row_violation {
	uint64_t key;
	struct in_addr peer;
	uint32_t cnt;
	uint32_t spi;
	uint32_t when_cs, first_cs;
	uint32_t ident_low, ident_high;
	uint32_t reason; /* mipSecRecentViolationReason; heOffenderReason */
	uint32_t port;
	struct in_addr home_addr, care_of;
};

struct snmp_row_advertisement {
	uint64_t key;
	struct in_addr interface_addr;
	uint32_t max_registration_s;
	bool prefix_lengths;
	struct in_addr destination;
	uint32_t max_interval_s, min_interval_s, lifetime_s;
	bool solicited_only;
	uint32_t status; /* RowStatus */
};

struct snmp_row_binding {
	uint64_t key;
	struct in_addr home_addr, home_agent, care_of, src;
	uint32_t src_port;
	uint8_t flags; /* RegistrationFlags, BITS */
	uint32_t ident_low, ident_high;
	uint8_t ident[8]; /* network order */
	uint32_t lifetime_s, remaining_s;
	struct mib_text nai;
	struct in_addr peer; /* effective care-of address */
	uint32_t peer_port;
	uint32_t encapsulation; /* heBindingEncapsulation */
	bool udp, forced, half_bound, reverse, from_fa, revocable;
	uint32_t keepalive_s, keepalives;
	uint32_t spi;
	uint32_t algorithm; /* heBindingAlgorithm */
	uint64_t packets_to, bytes_to, packets_from, bytes_from;
};

struct snmp_row_node {
	uint64_t key;
	uint32_t accepted, denied;
	uint32_t service_s;
	uint32_t accepted_cs, denied_cs;
	uint32_t denied_code; /* that RFC 2006 has a name for; 0: none was */
	uint32_t last_code;   /* as sent */
	struct mib_text nai;
	uint32_t bindings;
};

struct snmp_row_trusted {
	uint64_t key;
	uint64_t requests;
	uint32_t used_cs;
};

struct snmp_row_code {
	uint64_t key;
	uint64_t cnt;
};

struct snmp_row_interface {
	uint64_t key;
	struct mib_text name, why;
	uint32_t tier; /* heInterfaceTier */
	uint64_t drops;
};

/** Octets of a row of this table; all begin with the key. */
size_t snmp_row_size(enum snmp_table table);

/* --- the socketpair: SOCK_SEQPACKET, one of these a message --- */

#define SNMP_PAGE_MAX 32768 /* octets of rows */

enum snmp_message_kind { SNMP_ASK, SNMP_PAGE, SNMP_NOTICE, SNMP_LINK };

/** How the child stands with the master agent. */
enum snmp_link_state {
	SNMP_LINK_NONE,      /* there is no child */
	SNMP_LINK_NO_MASTER, /* no session; it is tried again */
	SNMP_LINK_CONNECTED,
	SNMP_LINK_TAKEN,         /* there is, but another subagent has the context of our own */
	SNMP_LINK_DEFAULT_TAKEN, /* there is, but another subagent has the default context */
};

struct snmp_link {
	uint32_t kind; /* SNMP_LINK */
	uint32_t state;
};

struct snmp_ask {
	uint32_t kind; /* SNMP_ASK */
	uint32_t seq;  /* the page has the same */
	uint32_t table;
	uint64_t from; /* the smallest key wanted */
};

struct snmp_page {
	uint32_t kind; /* SNMP_PAGE */
	uint32_t seq;
	uint32_t table;
	uint32_t cnt; /* rows, in order */
	uint64_t from;
	uint64_t more;                           /* 1: there are rows behind the last one */
	_Alignas(8) uint8_t rows[SNMP_PAGE_MAX]; /* only those there are are sent */
};

enum snmp_notice_kind {
	SNMP_NOTICE_UNTRUSTED,     /* a request from where nobody is trusted */
	SNMP_NOTICE_TRUSTED_EMPTY, /* no network is trusted */
	SNMP_NOTICE_BINDING_LIMIT, /* Code 130 or 135 */
	SNMP_NOTICE_DEGRADED,      /* the data path is not the one asked for */
	SNMP_NOTICE_STORE,         /* the store has begun to fail */
	SNMP_NOTICE_CLUSTER,       /* the shared state is out of reach, or caught up with */
	SNMP_NOTICE_AUTH_FAILURE,  /* mipAuthFailure */
	SNMP_NOTICE_CNT
};

struct snmp_notice {
	uint32_t kind; /* SNMP_NOTICE */
	uint32_t what; /* enum snmp_notice_kind */
	struct mib_text name;
	struct snmp_row_violation who; /* of those that have a source */
	uint32_t code;                 /* of SNMP_NOTICE_BINDING_LIMIT */
	struct mib_text text;          /* of SNMP_NOTICE_DEGRADED: the tier; else: the error */
	uint32_t state;                /* heStoreState, heClusterState */
	uint32_t suppressed;           /* of the same kind, since the last one */
};

#endif

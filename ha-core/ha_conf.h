/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The configuration that both home agents share, as a struct. Rows, ranges and defaults are in
 * ha_conf.c; cross-checks too. Times are in seconds; addresses in network order.
 */
#ifndef HA_CORE_HA_CONF_H
#define HA_CORE_HA_CONF_H

#include "common/addr.h"
#include "common/conf.h"
#include "common/log.h"
#include "ha-core/auth/mac.h"

#include <net/if.h>

#define HA_CONF_NAI_MAX 255 /* octets; the extension's Length is one octet */

enum ha_conf_replay { HA_CONF_REPLAY_TIMESTAMP, HA_CONF_REPLAY_NONCE };
enum ha_conf_data_path {
	HA_CONF_DATA_PATH_AUTO,
	HA_CONF_DATA_PATH_XDP,
	HA_CONF_DATA_PATH_TC,
	HA_CONF_DATA_PATH_KERNEL,
	HA_CONF_DATA_PATH_TUN
};
enum ha_conf_encap { HA_CONF_ENCAP_IPIP, HA_CONF_ENCAP_MINIMAL, HA_CONF_ENCAP_GRE };
enum ha_conf_reverse {
	HA_CONF_REVERSE_OPTIONAL,
	HA_CONF_REVERSE_REQUIRED,
	HA_CONF_REVERSE_DISABLED
};

enum ha_conf_networks { HA_CONF_NETWORKS_EXPLICIT, HA_CONF_NETWORKS_IMPLICIT };
enum ha_conf_layout { HA_CONF_LAYOUT_SHORT, HA_CONF_LAYOUT_DRAWN };
enum ha_conf_mss_clamp { HA_CONF_MSS_CLAMP_UDP, HA_CONF_MSS_CLAMP_ALL, HA_CONF_MSS_CLAMP_OFF };
enum ha_conf_ecn { HA_CONF_ECN_COMPATIBLE, HA_CONF_ECN_NORMAL };
enum ha_conf_broadcasts {
	HA_CONF_BROADCASTS_ALL,
	HA_CONF_BROADCASTS_SUBNET,
	HA_CONF_BROADCASTS_OFF
};

struct ha_conf_home_network {
	struct addr_prefix prefix;
	char interface[IF_NAMESIZE]; /* "": a virtual home network */
	bool has_dynamic_pool;
	struct addr_prefix dynamic_pool; /* lies within prefix */
	/* of a physical home link */
	uint16_t gratuitous_arps;
	bool advertise;
	uint16_t advertisement_interval_s; /* 0: only when solicited */
	uint16_t advertisement_lifetime_s; /* 0: three times the interval */
	bool advertise_default_router;
	bool advertise_prefix_length;
};

/** One security association; several may name the same node with different SPIs. */
struct ha_conf_node {
	struct in_addr home_addr; /* 0.0.0.0: assigned dynamically, nai is then set */
	char *nai;                /* owned; NULL: none */
	uint32_t spi;
	enum mac_algorithm algorithm;
	uint8_t *key; /* owned; wiped before it is freed */
	size_t key_len;
	enum ha_conf_replay replay;
	uint8_t *previous_key; /* owned; NULL: none */
	size_t previous_key_len;
	char *previous_key_until; /* owned; NULL: none. See ha_conf_time() */
	char **services;          /* that the node may select; empty: not limited */
	size_t service_cnt;
	bool service_required;           /* it must select one */
	struct addr_set mobile_networks; /* behind it; empty: it is no router */
	enum ha_conf_networks mobile_network_mode;
};

struct ha_conf_foreign_agent {
	struct in_addr address;
	uint32_t spi;
	enum mac_algorithm algorithm;
	uint8_t *key;
	size_t key_len;
};

enum ha_conf_sync { HA_CONF_SYNC_INTERVAL, HA_CONF_SYNC_ALWAYS };
enum ha_conf_durability { HA_CONF_DURABILITY_ASYNC, HA_CONF_DURABILITY_CONFIRMED };
enum ha_conf_unconfirmed { HA_CONF_UNCONFIRMED_ANSWER, HA_CONF_UNCONFIRMED_WITHHOLD };
enum ha_conf_role { HA_CONF_ROLE_ACTIVE, HA_CONF_ROLE_STANDBY };

/** State that several home agents share: state.replication. */
struct ha_conf_replication {
	char **servers; /* "ADDRESS:PORT", see ha_conf_server(); none: nothing is shared */
	size_t server_cnt;
	char *sentinel_master; /* NULL: servers are no Sentinels */
	char *user;
	char *password_file;
	char *password; /* what stands in it; owned; wiped before it is freed */
	bool tls;
	char *tls_ca_file;                    /* set, if tls is */
	char *tls_certificate, *tls_key_file; /* NULL: none; both or none */
	char *tls_name;                       /* NULL: the server's address */
	char *prefix;
	char *name; /* NULL: the host's */
	enum ha_conf_role role;
	enum ha_conf_durability durability;
	uint32_t replicas;
	uint32_t confirm_timeout_ms;
	enum ha_conf_unconfirmed unconfirmed;
	uint32_t stream_length;
	uint32_t queue_limit;
	uint32_t lease_reserve;
};

struct ha_conf {
	struct in_addr address; /* home-agent.address */
	uint16_t port;
	struct in_addr redirect; /* 0.0.0.0: none */
	enum ha_conf_layout redirect_layout;
	struct ha_conf_home_network *home_networks;
	size_t home_network_cnt;
	struct ha_conf_node *mobile_nodes; /* of both the YAML list and mobile-nodes-file */
	size_t mobile_node_cnt;
	bool nodes_released;     /* mobile_nodes is NULL, whatever mobile_node_cnt says */
	char *mobile_nodes_file; /* NULL: none */
	char *include;           /* the directory of fragments; NULL: none */
	bool allow_readable_keys;
	struct ha_conf_foreign_agent *foreign_agents;
	size_t foreign_agent_cnt;
	struct {
		uint16_t max_lifetime_s; /* 1..65534, 65535: unlimited */
		uint32_t timestamp_tolerance_s;
		uint32_t max_simultaneous_bindings;
		bool strict_reserved_bits;
		bool message_strings;
		uint32_t max_denials_per_node_s; /* 0: no limit */
		uint32_t max_denials_s;          /* 0: no limit */
		uint32_t max_denial_percent;     /* 0: no limit */
		uint32_t overload_share_s;       /* requests of one source; 0: no limit */
	} registration;
	struct {
		enum ha_conf_data_path data_path;
		char **interfaces; /* empty: every one but loopback */
		size_t interface_cnt;
		enum ha_conf_encap encapsulation[3]; /* in order of preference */
		size_t encapsulation_cnt;
		enum ha_conf_reverse reverse_tunnel;
		uint32_t
			mtu; /* of the path that carries the tunnels: outer packets are no longer */
		enum ha_conf_mss_clamp mss_clamp;
		enum ha_conf_ecn ecn;
		enum ha_conf_broadcasts broadcasts;
		char *bpffs;
		uint32_t fast_path_nodes; /* 0: those configured, and some more */
		bool keep_forwarding;
		bool udp_checksums;
	} tunnel;
	struct {
		bool enabled;
		bool forced;
		uint16_t keepalive_s;
		uint16_t max_lifetime_s; /* of a UDP-tunnelled binding; 0: as
					    registration.max-lifetime */
	} nat;
	struct {
		bool enabled;
		bool required;
		bool inform;
		bool on_move;
		uint32_t max_outstanding;
	} revocation;
	struct {
		char *directory; /* "none": nothing is remembered */
		enum ha_conf_sync sync;
		uint16_t sync_interval_s;
		uint32_t journal_size_mib; /* of a segment */
		struct ha_conf_replication replication;
	} state;
	struct {
		char *socket;
		char *group; /* NULL: the daemon's own */
	} control;
	struct {
		bool enabled;
		char *agentx;
		char *context; /* of AgentX; NULL: named after the daemon */
		bool default_context;
		bool notifications;
		uint32_t notification_interval_s;
	} snmp;
	enum log_level log_level;
	struct {
		char *user; /* NULL: home-agent, if there is one */
		bool system_call_filter;
	} privileges;
};

/** Unix time of "2026-12-01T00:00:00Z". @retval ERR_INVALID  it is none */
int ha_conf_time(const char *text, int64_t *ret_unix_s);

/** "10.9.0.5:6379" */
bool ha_conf_server(const char *text, struct in_addr *ret_address, uint16_t *ret_port);

/** The shared rows, ended by a zero row; offsets are into struct ha_conf. */
extern const struct conf_key ha_conf_rows[];

/**
 * Reads one file into a fresh configuration.
 *
 * @param daemon_rows  rows of the daemon's own keys, ended by a zero row; their offsets are into
 *                     daemon_conf, which the caller has zeroed; on error it is zeroed again,
 *                     on success it is the caller's to release with conf_done()
 * @param name         "ihad" or "xhad": for defaults that carry the name (socket, state)
 * @param faults       gets every fault found, and in faults->warnings, unless NULL, what is legal
 *                     and unwise; the caller prints them
 * @retval ERR_CONFIG  faults were reported; *ret_conf is untouched
 * @retval -errno      out of memory
 */
int ha_conf_read(const char *path, const char *name, const struct conf_key *daemon_rows,
		 void *daemon_conf, struct conf_faults *faults, struct ha_conf **ret_conf);

/**
 * A daemon's rules across its own keys and the shared ones: adds what is wrong to faults, what is
 * unwise to their warnings. It sees what was sound, and defaults for what was not.
 */
typedef void ha_conf_check_fn(const void *daemon_conf, const struct ha_conf *conf,
			      const struct conf_doc *doc, const char *path,
			      struct conf_faults *faults);

/** As ha_conf_read(), with such rules. @param check  NULL: there are none */
int ha_conf_read_checked(const char *path, const char *name, const struct conf_key *daemon_rows,
			 void *daemon_conf, ha_conf_check_fn *check, struct conf_faults *faults,
			 struct ha_conf **ret_conf);

/** Of what the engine's tables are made from; the seeds are random, and of one process. */
struct ha_conf_digest {
	uint64_t seeds[2], sums[2];
};

/**
 * Sums up all that associations, leases and their pools come from: equal sums under the same
 * seeds mean that a reload leaves the tables alone. Before ha_conf_release_nodes().
 */
void ha_conf_sum(const struct ha_conf *conf, struct ha_conf_digest *digest);

/**
 * Wipes and frees the mobile nodes, of which a million would be kept twice: the engine has its
 * own. Their number stays.
 */
void ha_conf_release_nodes(struct ha_conf *conf);

/** Wipes and frees the foreign agents: their keys go when nobody needs them any more. */
void ha_conf_release_foreign_agents(struct ha_conf *conf);

/** Wipes keys and frees. Takes NULL, returns NULL. */
struct ha_conf *ha_conf_free(struct ha_conf *conf);

#endif

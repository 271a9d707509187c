/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows of the keys that both home agents share, the rules that hold between keys, and the
 * file of mobile nodes. ha.c calls it at start, at --check and at each reload; a configuration is
 * read into a fresh struct, so a faulty one leaves the running one alone.
 *
 * RFC 5944 §3.8.1 says what a home agent must be told: its address, the prefix of its home
 * network, and the security association of each mobile node. An SPI below 256 is reserved
 * (§1.6). IP-in-IP is the encapsulation that everyone must offer (§4.1).
 *
 * A node may have several associations, each its own list element or line: the first one to name
 * a home address or a NAI says whose they are, and later ones may name either or both, but
 * nothing else. That is what sa_peer_put() accepts later on.
 */
#include "ha-core/ha_conf.h"

#include "common/err.h"
#include "common/hash.h"
#include "ha-core/auth/network.h"
#include "ha-core/auth/service.h"
#include "ha-core/cluster/tls.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#define CHECK_AHEAD   32 /* nodes: their places in the tables come closer meanwhile */
#define SPI_MIN       256
#define KEEPALIVE_MIN 10  /* seconds; below, keepalives outweigh what they keep alive */
#define SOCKET_MAX    107 /* octets of sockaddr_un.sun_path, less the terminator */
#define BPFFS_MAX     200 /* octets; names of pins follow it */
#define LINE_FIELDS   6
#define WHY_MAX       512
#define KEY_STRONG    16 /* octets: shorter keys can be searched for, RFC 4086 */
#define REDIS_PORT    6379
#define TOLERANCE_FAR 60 /* seconds: what was recorded longer ago should be worth nothing */

/* ---- Rules of one value ------------------------------------------------------------------- */

static const char *check_unicast(const void *field)
{
	const struct in_addr *a = field;

	return addr_is_unicast(*a) ? NULL : "not a unicast address of a host";
}

static const char *check_home_prefix(const void *field)
{
	const struct addr_prefix *p = field;

	return addr_is_unicast(p->addr) ? NULL : "not a network of unicast addresses";
}

static const char *check_mobile_network(const void *item)
{
	const struct addr_prefix *p = item;

	return p->len > 0 && addr_is_unicast(p->addr) ? NULL : "not a network of unicast addresses";
}

static const char *check_interface(const void *field)
{
	const char *name = field;

	if (strlen(name) >= IF_NAMESIZE)
		return "the name of an interface has at most 15 octets";
	if (!name[0] || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strpbrk(name, "/: \t"))
		return "not a name that an interface can have";
	return NULL;
}

static const char *check_interface_item(const void *item)
{
	return check_interface(*(char *const *)item);
}

static const char *check_absolute(const void *field)
{
	return **(char *const *)field == '/' ? NULL : "an absolute path is wanted: /...";
}

static const char *check_state_directory(const void *field)
{
	const char *where = *(char *const *)field;

	return where[0] == '/' || strcmp(where, "none") == 0
		       ? NULL
		       : "an absolute path is wanted, /..., or none";
}

int ha_conf_time(const char *text, int64_t *ret_unix_s)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);

	if (!end || *end)
		return ERR_INVALID;
	*ret_unix_s = timegm(&tm);
	return 0;
}

static const char *check_time(const void *field)
{
	int64_t unix_s;

	return ha_conf_time(*(char *const *)field, &unix_s) == 0
		       ? NULL
		       : "a time of UTC is wanted, like 2026-12-01T00:00:00Z";
}

/* In digits only, and not 0. */
static bool parse_port(const char *text, uint16_t *ret_port)
{
	unsigned long port;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	port = strtoul(text, &end, 10);
	if (*end || port == 0 || port > UINT16_MAX)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

static const char *check_agentx(const void *field)
{
	const char *where = *(char *const *)field, *colon;
	uint16_t port;

	if (where[0] == '/')
		return strlen(where) <= SOCKET_MAX ? NULL : "a socket's path is 107 octets at most";
	if (strncmp(where, "tcp:", 4) != 0)
		return "a socket's path is wanted, /..., or tcp:HOST:PORT";
	colon = strrchr(where + 4, ':');
	return colon && colon > where + 4 && parse_port(colon + 1, &port)
		       ? NULL
		       : "tcp: wants a host and a port of 1 to 65535, tcp:HOST:PORT";
}

bool ha_conf_server(const char *text, struct in_addr *ret_address, uint16_t *ret_port)
{
	const char *colon = strrchr(text, ':');
	char address[INET_ADDRSTRLEN];
	uint16_t port;

	if (!colon || (size_t)(colon - text) >= sizeof(address) || !parse_port(colon + 1, &port))
		return false;
	memcpy(address, text, (size_t)(colon - text));
	address[colon - text] = '\0';
	if (addr_parse(address, ret_address) < 0)
		return false;
	*ret_port = port;
	return true;
}

static const char *check_server(const void *item)
{
	struct in_addr address;
	uint16_t port;

	return ha_conf_server(*(char *const *)item, &address, &port)
		       ? NULL
		       : "ADDRESS:PORT is wanted, like 10.9.0.5:6379";
}

static const char *check_word(const void *field)
{
	const char *word = *(char *const *)field;

	return word[strcspn(word, " \t\r\n")] ? "a word without blanks is wanted" : NULL;
}

/* Without the leading dot that would have every host of a domain be the server. */
static const char *check_tls_name(const void *field)
{
	static const char chars[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	const char *name = *(char *const *)field;

	return name[0] == '.' || name[strspn(name, chars)] ? "a host's name or address is wanted"
							   : NULL;
}

static const char *warn_tolerance(const void *field)
{
	return *(const uint32_t *)field > TOLERANCE_FAR
		       ? "over a minute: a recorded request stays good as long; synchronise clocks "
			 "and use 7"
		       : NULL;
}

/* ---- Rows --------------------------------------------------------------------------------- */

static const char *const algorithms[] = { [MAC_HMAC_MD5] = "hmac-md5",
					  [MAC_KEYED_MD5] = "keyed-md5",
					  [MAC_HMAC_SHA1] = "hmac-sha1",
					  [MAC_HMAC_SHA256] = "hmac-sha256",
					  [MAC_ALGORITHM_CNT] = NULL };

static const char *const replays[] = {
	[HA_CONF_REPLAY_TIMESTAMP] = "timestamp", [HA_CONF_REPLAY_NONCE] = "nonce", NULL
};

static const char *const data_paths[] = {
	[HA_CONF_DATA_PATH_AUTO] = "auto", [HA_CONF_DATA_PATH_XDP] = "xdp",
	[HA_CONF_DATA_PATH_TC] = "tc",     [HA_CONF_DATA_PATH_KERNEL] = "kernel",
	[HA_CONF_DATA_PATH_TUN] = "tun",   NULL
};

static const char *const encaps[] = { [HA_CONF_ENCAP_IPIP] = "ip-in-ip",
				      [HA_CONF_ENCAP_MINIMAL] = "minimal",
				      [HA_CONF_ENCAP_GRE] = "gre",
				      NULL };

static const char *const reverses[] = { [HA_CONF_REVERSE_OPTIONAL] = "optional",
					[HA_CONF_REVERSE_REQUIRED] = "required",
					[HA_CONF_REVERSE_DISABLED] = "disabled",
					NULL };

static const char *const network_modes[] = {
	[HA_CONF_NETWORKS_EXPLICIT] = "explicit", [HA_CONF_NETWORKS_IMPLICIT] = "implicit", NULL
};

static const char *const layouts[] = {
	[HA_CONF_LAYOUT_SHORT] = "short", [HA_CONF_LAYOUT_DRAWN] = "drawn", NULL
};

static const char *const mss_clamps[] = { [HA_CONF_MSS_CLAMP_UDP] = "udp",
					  [HA_CONF_MSS_CLAMP_ALL] = "all",
					  [HA_CONF_MSS_CLAMP_OFF] = "off",
					  NULL };

static const char *const ecns[] = {
	[HA_CONF_ECN_COMPATIBLE] = "compatible", [HA_CONF_ECN_NORMAL] = "normal", NULL
};

static const char *const broadcast_categories[] = { [HA_CONF_BROADCASTS_ALL] = "all",
						    [HA_CONF_BROADCASTS_SUBNET] = "subnet",
						    [HA_CONF_BROADCASTS_OFF] = "off",
						    NULL };

static const char *const syncs[] = {
	[HA_CONF_SYNC_INTERVAL] = "interval", [HA_CONF_SYNC_ALWAYS] = "always", NULL
};

static const char *const durabilities[] = {
	[HA_CONF_DURABILITY_ASYNC] = "async", [HA_CONF_DURABILITY_CONFIRMED] = "confirmed", NULL
};

static const char *const unconfirmeds[] = {
	[HA_CONF_UNCONFIRMED_ANSWER] = "answer", [HA_CONF_UNCONFIRMED_WITHHOLD] = "withhold", NULL
};

static const char *const roles[] = {
	[HA_CONF_ROLE_ACTIVE] = "active", [HA_CONF_ROLE_STANDBY] = "standby", NULL
};

static const char *const levels[] = {
	[LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARNING] = "warning", [LOG_LEVEL_NOTICE] = "notice",
	[LOG_LEVEL_INFO] = "info",   [LOG_LEVEL_DEBUG] = "debug",     NULL
};

static const struct conf_key home_network_rows[] = {
	{ "prefix", CONF_PREFIX, CONF_FIELD(struct ha_conf_home_network, prefix), .required = true,
	  .check = check_home_prefix,
	  .doc = "The network that home addresses are of. Home networks must not overlap." },
	{ "interface", CONF_CHARS, CONF_FIELD(struct ha_conf_home_network, interface), .min = 1,
	  .check = check_interface,
	  .doc = "The interface of a physical home link, where the home agent answers ARP for "
		 "nodes "
		 "that are away. Without it the home network is virtual: no node is ever at "
		 "home." },
	{ "dynamic-pool", CONF_PREFIX,
	  CONF_FIELD2(struct ha_conf_home_network, dynamic_pool, has_dynamic_pool),
	  .doc = "Addresses for nodes that ask for one by NAI. Lies within prefix." },
	{ "gratuitous-arps", CONF_UINT, CONF_FIELD(struct ha_conf_home_network, gratuitous_arps),
	  .min = 1, .max = 10, .dflt = "3", .unit = "frames",
	  .doc = "How often the neighbours on a home link are told that a node left or came back, "
		 "1 s apart: a frame may be lost." },
	{ "advertise", CONF_BOOL, CONF_FIELD(struct ha_conf_home_network, advertise),
	  .dflt = "true",
	  .doc = "Send agent advertisements on a home link, and answer solicitations: by them "
		 "nodes know that they are at home." },
	{ "advertisement-interval", CONF_SECONDS,
	  CONF_FIELD(struct ha_conf_home_network, advertisement_interval_s), .max = 1800,
	  .dflt = "600",
	  .doc = "Longest time between two advertisements; each waits for three quarters of it or "
		 "more. 0: only when solicited. Nodes that do not solicit want a few seconds." },
	{ "advertisement-lifetime", CONF_SECONDS,
	  CONF_FIELD(struct ha_conf_home_network, advertisement_lifetime_s), .max = 9000,
	  .dflt = "0",
	  .doc = "How long an advertisement holds; not less than advertisement-interval. 0: three "
		 "times the interval, or 1800 if there is none." },
	{ "advertise-default-router", CONF_BOOL,
	  CONF_FIELD(struct ha_conf_home_network, advertise_default_router), .dflt = "false",
	  .doc = "Advertise as a router for every host of the link, not for mobile nodes only." },
	{ "advertise-prefix-length", CONF_BOOL,
	  CONF_FIELD(struct ha_conf_home_network, advertise_prefix_length), .dflt = "true",
	  .doc = "Send the Prefix-Lengths extension; all agents of one link must, or none." },
	{ 0 }
};

static const struct conf_key mobile_node_rows[] = {
	{ "home-address", CONF_ADDRESS, CONF_FIELD(struct ha_conf_node, home_addr),
	  .check = check_unicast,
	  .doc = "The node's permanent address. Without it, the node is known by its nai and is "
		 "given an address of a dynamic-pool." },
	{ "nai", CONF_STRING, CONF_FIELD(struct ha_conf_node, nai), .min = 1,
	  .max = HA_CONF_NAI_MAX, .doc = "Network Access Identifier, user@realm (RFC 2794)." },
	{ "spi", CONF_UINT, CONF_FIELD(struct ha_conf_node, spi), .min = SPI_MIN, .required = true,
	  .doc = "Security Parameter Index that the node names this key by. Values below 256 are "
		 "reserved (RFC 5944)." },
	{ "algorithm", CONF_ENUM, CONF_FIELD(struct ha_conf_node, algorithm), .choices = algorithms,
	  .dflt = "hmac-md5",
	  .doc = "How messages are authenticated. hmac-md5 is what every node "
		 "knows; prefer hmac-sha256 where the node has it." },
	{ "key", CONF_KEY, CONF_FIELD2(struct ha_conf_node, key, key_len), .min = 1,
	  .max = MAC_KEY_MAX, .required = true,
	  .doc = "The secret shared with the node, in hex. Random, 16 octets or more." },
	{ "replay", CONF_ENUM, CONF_FIELD(struct ha_conf_node, replay), .choices = replays,
	  .dflt = "timestamp",
	  .doc = "Replay protection: timestamp needs clocks that agree within "
		 "registration.timestamp-tolerance; nonce needs none." },
	{ "previous-key", CONF_KEY,
	  CONF_FIELD2(struct ha_conf_node, previous_key, previous_key_len), .min = 1,
	  .max = MAC_KEY_MAX,
	  .doc = "The key that key has replaced, good until previous-key-until: so keys change "
		 "here first, and on the nodes one after the other. A node that has the old one is "
		 "answered with it." },
	{ "previous-key-until", CONF_STRING, CONF_FIELD(struct ha_conf_node, previous_key_until),
	  .min = 1, .check = check_time, .doc = "A time like 2026-12-01T00:00:00Z." },
	{ "services", CONF_STRING_LIST, CONF_FIELD2(struct ha_conf_node, services, service_cnt),
	  .max = SERVICE_NAME_MAX,
	  .doc = "The services that the node may select by name (RFC 5446); by default any. Those "
		 "of all of a node's associations count." },
	{ "service-required", CONF_BOOL, CONF_FIELD(struct ha_conf_node, service_required),
	  .dflt = "false",
	  .doc = "The node must select a service by name: the default one is not for it." },
	{ "mobile-networks", CONF_PREFIX_SET, CONF_FIELD(struct ha_conf_node, mobile_networks),
	  .check = check_mobile_network,
	  .doc = "Networks behind the node, a router, that it may register (RFC 5177); by default "
		 "none, and a request that names one is denied (148). Those of all of a node's "
		 "associations count, 32 at most. They are no part of a home network, nor of "
		 "another node's networks." },
	{ "mobile-network-mode", CONF_ENUM, CONF_FIELD(struct ha_conf_node, mobile_network_mode),
	  .choices = network_modes, .dflt = "explicit",
	  .doc = "What a node gets that names no network: explicit none, implicit all of its "
		 "own." },
	{ 0 }
};

static const struct conf_key foreign_agent_rows[] = {
	{ "address", CONF_ADDRESS, CONF_FIELD(struct ha_conf_foreign_agent, address),
	  .required = true, .check = check_unicast,
	  .doc = "The source address of the foreign agent's requests." },
	{ "spi", CONF_UINT, CONF_FIELD(struct ha_conf_foreign_agent, spi), .min = SPI_MIN,
	  .required = true, .doc = "As of mobile-nodes." },
	{ "algorithm", CONF_ENUM, CONF_FIELD(struct ha_conf_foreign_agent, algorithm),
	  .choices = algorithms, .dflt = "hmac-md5", .doc = "As of mobile-nodes." },
	{ "key", CONF_KEY, CONF_FIELD2(struct ha_conf_foreign_agent, key, key_len), .min = 1,
	  .max = MAC_KEY_MAX, .required = true, .doc = "As of mobile-nodes." },
	{ 0 }
};

#define FIELD(member)          CONF_FIELD(struct ha_conf, member)
#define FIELD2(member, second) CONF_FIELD2(struct ha_conf, member, second)

const struct conf_key ha_conf_rows[] = {
	{ "include", CONF_INCLUDE, FIELD(include), .min = 1,
	  .doc = "A directory of fragments: each *.yaml in it is read as if it stood here, in the "
		 "order of names. Lists go on from file to file; any other key is given once. A "
		 "relative path starts at this file's directory." },
	{ "home-agent.address", CONF_ADDRESS, FIELD(address), .required = true,
	  .check = check_unicast,
	  .doc = "Where mobile nodes register, and the near end of every tunnel." },
	{ "home-agent.port", CONF_UINT, FIELD(port), .min = 1, .max = 65535, .dflt = "434",
	  .doc = "UDP port of registrations and of UDP tunnels." },
	{ "home-agent.redirect", CONF_ADDRESS, FIELD(redirect), .check = check_unicast,
	  .doc = "Send nodes that ask for any home agent (RFC 4433) to this one instead. An "
		 "internal "
		 "home agent must not send them to an external one, nor the other way round." },
	{ "home-agent.redirect-layout", CONF_ENUM, FIELD(redirect_layout), .choices = layouts,
	  .dflt = "short",
	  .doc = "How the extension that says so is laid out: short by the erratum of RFC 4433, "
		 "drawn as in its figure, for nodes that know no other." },
	{ "home-networks", CONF_MAPPINGS, FIELD2(home_networks, home_network_cnt), .min = 1,
	  .required = true, .rows = home_network_rows,
	  .element_size = sizeof(struct ha_conf_home_network),
	  .doc = "The networks that home addresses are of; at least one. A reload takes them as "
		 "they are: bindings of one that is gone end." },
	{ "mobile-nodes", CONF_MAPPINGS, FIELD2(mobile_nodes, mobile_node_cnt),
	  .rows = mobile_node_rows, .element_size = sizeof(struct ha_conf_node),
	  .doc = "The nodes served, one element a security association." },
	{ "mobile-nodes-file", CONF_STRING, FIELD(mobile_nodes_file), .min = 1,
	  .doc = "More nodes, one a line: HOME-ADDRESS|- NAI|- SPI ALGORITHM HEXKEY [REPLAY]; # "
		 "begins a comment. A relative path starts at this file's directory." },
	{ "allow-readable-keys", CONF_BOOL, FIELD(allow_readable_keys), .dflt = "false",
	  .doc = "Accept files with keys that users outside the file's group may read or write." },
	{ "foreign-agents", CONF_MAPPINGS, FIELD2(foreign_agents, foreign_agent_cnt),
	  .rows = foreign_agent_rows, .element_size = sizeof(struct ha_conf_foreign_agent),
	  .doc = "Foreign agents that share a key with the home agent." },
	{ "registration.max-lifetime", CONF_SECONDS, FIELD(registration.max_lifetime_s), .min = 1,
	  .max = 65535, .dflt = "1800",
	  .doc = "Longest lifetime granted to a mobile node; 65535 is no limit." },
	{ "registration.timestamp-tolerance", CONF_SECONDS,
	  FIELD(registration.timestamp_tolerance_s), .min = 1, .max = 3600, .dflt = "7",
	  .warn = warn_tolerance,
	  .doc = "How far a node's clock may be from ours. RFC 5944 advises more than 3." },
	{ "registration.max-simultaneous-bindings", CONF_UINT,
	  FIELD(registration.max_simultaneous_bindings), .min = 1, .max = 64, .dflt = "4",
	  .unit = "bindings",
	  .doc = "Care-of addresses that one node may have at a time. 1 is no "
		 "simultaneous bindings at all: S is ignored, and the "
		 "Code of success is 1." },
	{ "registration.max-denials-per-node", CONF_UINT,
	  FIELD(registration.max_denials_per_node_s), .max = 1000, .dflt = "1", .unit = "a second",
	  .doc = "Denials that one mobile node is sent, after thirty at once; what is beyond meets "
		 "silence. 0 is no limit." },
	{ "registration.max-denials", CONF_UINT, FIELD(registration.max_denials_s), .max = 1000000,
	  .dflt = "1000", .unit = "a second",
	  .doc = "Denials that all mobile nodes together are sent; 0 is no limit." },
	{ "registration.overload-share", CONF_UINT, FIELD(registration.overload_share_s),
	  .max = 1000000, .dflt = "20000", .unit = "a second",
	  .doc = "Messages that one source address is heard with while more come than can be "
		 "handled; others are then dropped unread, so that its flood costs other sources "
		 "little. Without overload nothing is dropped. Many nodes may share a source: a "
		 "foreign agent, a NAT. Packets of a tunnel do not count. 0 is no limit." },
	{ "registration.strict-reserved-bits", CONF_BOOL, FIELD(registration.strict_reserved_bits),
	  .dflt = "false",
	  .doc = "Deny requests that set the reserved bit x (RFC 5944 3.8.2.3), which is otherwise "
		 "ignored (3.3)." },
	{ "registration.message-strings", CONF_BOOL, FIELD(registration.message_strings),
	  .dflt = "false", .doc = "Tell nodes in words why a request is denied (RFC 4917)." },
	{ "registration.max-denial-size", CONF_UINT, FIELD(registration.max_denial_percent),
	  .max = 10000, .dflt = "150", .unit = "% of its request",
	  .doc = "A denial that would be larger goes without words: a replayed request has it sent "
		 "to whomever it names. 0: no limit." },
	{ "tunnel.data-path", CONF_ENUM, FIELD(tunnel.data_path), .choices = data_paths,
	  .dflt = "auto",
	  .doc = "What carries the traffic; auto takes the fastest there is of xdp, tc and tun. "
		 "kernel is the kernel's own ipip and gre devices, without BPF: packets to nodes "
		 "by those, all others by tun. It wants tunnel.mss-clamp: udp or off and no "
		 "filter (forwarding.policy: any), copies congestion marks, and cannot tell how "
		 "many packets one node was sent." },
	{ "tunnel.interfaces", CONF_STRING_LIST, FIELD2(tunnel.interfaces, tunnel.interface_cnt),
	  .check = check_interface_item,
	  .doc = "Where the fast path attaches; by default every interface but loopback." },
	{ "tunnel.encapsulation", CONF_ENUM_LIST,
	  FIELD2(tunnel.encapsulation, tunnel.encapsulation_cnt), .min = 1, .choices = encaps,
	  .dflt = "[ip-in-ip, minimal, gre]",
	  .doc = "What a node may ask for, the preferred first. ip-in-ip is always among them." },
	{ "tunnel.reverse-tunnel", CONF_ENUM, FIELD(tunnel.reverse_tunnel), .choices = reverses,
	  .dflt = "optional", .doc = "May nodes, or must they, send through the home agent?" },
	{ "tunnel.mtu", CONF_UINT, FIELD(tunnel.mtu), .min = 576, .max = 65535, .dflt = "1500",
	  .unit = "octets",
	  .doc = "Of the path that carries the tunnels: no outer packet is longer." },
	{ "tunnel.mss-clamp", CONF_ENUM, FIELD(tunnel.mss_clamp), .choices = mss_clamps,
	  .dflt = "udp",
	  .doc = "In which tunnels TCP is told of segments that fit: those in UDP, all, or none." },
	{ "tunnel.ecn", CONF_ENUM, FIELD(tunnel.ecn), .choices = ecns, .dflt = "compatible",
	  .doc = "Congestion marks in the outer header (RFC 6040): normal copies the packet's own, "
		 "for far ends that pass marks on; compatible sends none, for those that may "
		 "not." },
	{ "tunnel.broadcasts", CONF_ENUM, FIELD(tunnel.broadcasts), .choices = broadcast_categories,
	  .dflt = "all",
	  .doc = "Broadcasts of the home network for nodes that ask for them (B bit): all, those "
		 "to "
		 "the network's own broadcast address (subnet), or none (off)." },
	{ "tunnel.bpffs", CONF_STRING, FIELD(tunnel.bpffs), .min = 1, .max = BPFFS_MAX,
	  .dflt = "/sys/fs/bpf/home-agent/{program}", .check = check_absolute,
	  .doc = "Where the fast path (xdp, tc) keeps its programs and maps, to go on while the "
		 "daemon restarts: a directory of its own on a BPF file system." },
	{ "tunnel.fast-path-nodes", CONF_UINT, FIELD(tunnel.fast_path_nodes), .max = 16777216,
	  .dflt = "0", .unit = "home addresses",
	  .doc = "How many nodes the fast path carries at a time; tun carries what is beyond. 0: "
		 "as many as are configured, and a quarter more." },
	{ "tunnel.keep-forwarding", CONF_BOOL, FIELD(tunnel.keep_forwarding), .dflt = "false",
	  .doc = "Leave the fast path in place when the daemon is stopped, until the bindings "
		 "expire. It always stays when the daemon is killed; to start and stop takes it "
		 "away. While the daemon is away, killed or stopped, nobody answers ARP for its "
		 "nodes on home-networks.interface: who has their address in his ARP cache goes "
		 "on." },
	{ "tunnel.udp-checksums", CONF_BOOL, FIELD(tunnel.udp_checksums), .dflt = "false",
	  .doc = "Far ends refuse UDP tunnel packets without a checksum: packets whose checksum "
		 "the fast path cannot know go through tun." },
	{ "nat-traversal.enabled", CONF_BOOL, FIELD(nat.enabled), .dflt = "true",
	  .doc = "Tunnel in UDP where a NAT is on the way (RFC 3519)." },
	{ "nat-traversal.forced", CONF_BOOL, FIELD(nat.forced), .dflt = "true",
	  .doc = "Grant a mobile node's request for UDP without a NAT." },
	{ "nat-traversal.keepalive", CONF_SECONDS, FIELD(nat.keepalive_s), .min = KEEPALIVE_MIN,
	  .max = 65535, .dflt = "110",
	  .doc = "How often nodes are told to refresh the NAT's mapping." },
	{ "nat-traversal.max-lifetime", CONF_SECONDS, FIELD(nat.max_lifetime_s), .max = 65535,
	  .dflt = "0",
	  .doc = "Longest lifetime of a binding that is tunnelled in UDP; 0 is as "
		 "registration.max-lifetime." },
	{ "revocation.enabled", CONF_BOOL, FIELD(revocation.enabled), .dflt = "true",
	  .doc = "Tell the peer of a binding that is ended before its time, and be told by foreign "
		 "agents (RFC 3543), where both ends agree to it." },
	{ "revocation.required", CONF_BOOL, FIELD(revocation.required), .dflt = "false",
	  .doc = "Refuse requests without Revocation Support (code 129)." },
	{ "revocation.inform", CONF_BOOL, FIELD(revocation.inform), .dflt = "true",
	  .doc = "Foreign agents are to tell mobile nodes that their binding was revoked." },
	{ "revocation.on-move", CONF_BOOL, FIELD(revocation.on_move), .dflt = "true",
	  .doc = "Tell a foreign agent that a node has left it, for another place or home." },
	{ "revocation.max-outstanding", CONF_UINT, FIELD(revocation.max_outstanding), .min = 1,
	  .max = 65536, .dflt = "4096", .unit = "revocations",
	  .doc = "Revocations that wait for their acknowledgement at a time; beyond, the oldest "
		 "is given up." },
	{ "state.directory", CONF_STRING, FIELD(state.directory), .min = 1,
	  .dflt = "/var/lib/home-agent/{program}", .check = check_state_directory,
	  .doc = "What must survive a restart: bindings, leases, replay protection. Made if it is "
		 "not there; one for each daemon. none: nothing survives, and timestamps from "
		 "before a start are refused as replays." },
	{ "state.sync", CONF_ENUM, FIELD(state.sync), .choices = syncs, .dflt = "interval",
	  .doc = "When the disk has what was answered: within state.sync-interval, or always, "
		 "before the answer leaves. Killing the daemon loses nothing either way; a power "
		 "cut loses what the disk has not." },
	{ "state.sync-interval", CONF_SECONDS, FIELD(state.sync_interval_s), .min = 1, .max = 60,
	  .dflt = "1", .doc = "What a power cut may lose at most, under state.sync: interval." },
	{ "state.journal-size", CONF_UINT, FIELD(state.journal_size_mib), .min = 1, .max = 1024,
	  .dflt = "32", .unit = "MiB",
	  .doc = "Changes are written one after the other until there are so many, and then sorted "
		 "into the database. A start reads two of them at most." },
	{ "state.replication.servers", CONF_STRING_LIST,
	  FIELD2(state.replication.servers, state.replication.server_cnt), .max = 64,
	  .check = check_server,
	  .doc = "Redis or Valkey servers, each as ADDRESS:PORT, that carry the state of several "
		 "home agents of one address: of these, the one that is no replica is used. Or "
		 "their Sentinels, see sentinel-master. Without any this home agent is on its "
		 "own." },
	{ "state.replication.sentinel-master", CONF_STRING,
	  FIELD(state.replication.sentinel_master), .min = 1, .max = 64, .check = check_word,
	  .doc = "By this name Sentinels know the server; servers are then Sentinels." },
	{ "state.replication.user", CONF_STRING, FIELD(state.replication.user), .min = 1, .max = 64,
	  .dflt = "default", .check = check_word, .doc = "Of the server's access list." },
	{ "state.replication.password-file", CONF_STRING, FIELD(state.replication.password_file),
	  .min = 1,
	  .doc = "The password stands in its first line. Nothing is shared without one." },
	{ "state.replication.tls", CONF_BOOL, FIELD(state.replication.tls), .dflt = "false",
	  .doc = "Servers and Sentinels are talked to by TLS (1.2 or later), and nobody is whose "
		 "certificate cannot be verified." },
	{ "state.replication.tls-ca-file", CONF_STRING, FIELD(state.replication.tls_ca_file),
	  .min = 1,
	  .doc = "PEM: the authorities that servers' certificates are from; wanted with tls. This "
		 "file, and those of the next two, are read at the start and at every "
		 "connection." },
	{ "state.replication.tls-certificate", CONF_STRING,
	  FIELD(state.replication.tls_certificate), .min = 1,
	  .doc = "PEM: this host's own certificate, its chain behind it, for servers that ask for "
		 "one." },
	{ "state.replication.tls-key-file", CONF_STRING, FIELD(state.replication.tls_key_file),
	  .min = 1, .doc = "PEM: the certificate's key, without a passphrase." },
	{ "state.replication.tls-name", CONF_STRING, FIELD(state.replication.tls_name), .min = 1,
	  .max = 253, .check = check_tls_name,
	  .doc = "The name or address that the certificate of every server has, as a "
		 "subjectAltName; by default the address that it is reached at." },
	{ "state.replication.prefix", CONF_STRING, FIELD(state.replication.prefix), .min = 1,
	  .max = 64, .dflt = "home-agent:{program}", .check = check_word,
	  .doc = "What the keys on the server begin with: one for each group of home agents." },
	{ "state.replication.name", CONF_STRING, FIELD(state.replication.name), .min = 1, .max = 64,
	  .check = check_word, .doc = "Of this host among the others; by default its host name." },
	{ "state.replication.role", CONF_ENUM, FIELD(state.replication.role), .choices = roles,
	  .dflt = "active",
	  .doc = "What the daemon begins as: active, it answers; standby, it follows the others "
		 "until \"hactl cluster promote\"." },
	{ "state.replication.durability", CONF_ENUM, FIELD(state.replication.durability),
	  .choices = durabilities, .dflt = "async",
	  .doc = "What an answer waits for: async, that this host remembers; confirmed, that the "
		 "shared state does, too." },
	{ "state.replication.replicas", CONF_UINT, FIELD(state.replication.replicas), .max = 16,
	  .dflt = "0", .unit = "servers",
	  .doc = "Under confirmed: so many replicas of the server are to have it, too." },
	{ "state.replication.confirm-timeout", CONF_UINT,
	  FIELD(state.replication.confirm_timeout_ms), .min = 10, .max = 1500, .dflt = "500",
	  .unit = "ms", .doc = "How long an answer waits at most to be confirmed." },
	{ "state.replication.unconfirmed", CONF_ENUM, FIELD(state.replication.unconfirmed),
	  .choices = unconfirmeds, .dflt = "answer",
	  .doc = "What becomes of an answer that cannot be confirmed: answer all the same, so that "
		 "nodes are served while the server is away, or withhold it: they ask again." },
	{ "state.replication.stream-length", CONF_UINT, FIELD(state.replication.stream_length),
	  .min = 1000, .max = 100000000, .dflt = "200000", .unit = "changes",
	  .doc = "Kept for those who fell behind; who fell further compares everything." },
	{ "state.replication.queue-limit", CONF_UINT, FIELD(state.replication.queue_limit),
	  .min = 1000, .max = 100000000, .dflt = "1000000", .unit = "nodes",
	  .doc = "That have changed while the server is away; beyond, everything is compared when "
		 "it is back." },
	{ "state.replication.lease-reserve", CONF_UINT, FIELD(state.replication.lease_reserve),
	  .min = 1, .max = 65536, .dflt = "256", .unit = "addresses",
	  .doc = "Free addresses of dynamic pools that are this host's alone to give, in blocks "
		 "claimed ahead: so many new nodes have one while the server is away. An eighth "
		 "of the pools at most." },
	{ "control.socket", CONF_STRING, FIELD(control.socket), .min = 1, .max = SOCKET_MAX,
	  .dflt = "/run/home-agent/{program}.sock", .check = check_absolute,
	  .doc = "Where hactl asks." },
	{ "control.group", CONF_STRING, FIELD(control.group), .min = 1,
	  .doc = "The group that may use the control socket; by default the daemon's own." },
	{ "snmp.enabled", CONF_BOOL, FIELD(snmp.enabled), .dflt = "true",
	  .doc = "Be a subagent of the host's SNMP master agent." },
	{ "snmp.agentx", CONF_STRING, FIELD(snmp.agentx), .min = 1, .dflt = "/var/agentx/master",
	  .check = check_agentx,
	  .doc = "Where the master agent listens: a socket's path, or tcp:HOST:PORT." },
	{ "snmp.context", CONF_STRING, FIELD(snmp.context), .min = 1, .max = 32,
	  .doc = "The SNMP context that answers for this daemon, and the name (heName) that its "
		 "notifications give; by default the program's." },
	{ "snmp.default-context", CONF_BOOL, FIELD(snmp.default_context), .dflt = "true",
	  .doc = "Answer managers that name no context, too; where both daemons do, ihad does." },
	{ "snmp.notifications", CONF_BOOL, FIELD(snmp.notifications), .dflt = "true",
	  .doc = "Send notifications (traps); the master agent's configuration says whom to." },
	{ "snmp.notification-interval", CONF_SECONDS, FIELD(snmp.notification_interval_s), .min = 1,
	  .max = 86400, .dflt = "10",
	  .doc = "In this time at most one notification of a kind; the next tells of how many "
		 "were left out." },
	{ "log.level", CONF_ENUM, FIELD(log_level), .choices = levels, .dflt = "info",
	  .doc = "The least important lines that are logged." },
	{ "privileges.user", CONF_STRING, FIELD(privileges.user), .min = 1, .max = 32,
	  .doc = "Whom the daemon becomes when it is started as root; by default home-agent, if "
		 "this host has such a user. It must be able to read the configuration." },
	{ "privileges.system-call-filter", CONF_BOOL, FIELD(privileges.system_call_filter),
	  .dflt = "true",
	  .doc = "Once everything is set up, let the kernel refuse system calls that the daemon "
		 "does not make, and end it at those that only an intruder would." },
	{ 0 }
};

/* ---- Checks across keys ------------------------------------------------------------------- */

/** Where the fields of a line of the mobile-nodes-file stood: columns by the order of the line. */
struct line_mark {
	uint32_t line;
	uint32_t home_addr, nai, spi, algorithm, key;
};

struct check {
	const char *path;
	const struct conf_doc *doc;
	struct conf_faults *faults;
	struct ha_conf *conf;
	size_t yaml_node_cnt;    /* nodes before this one are of the YAML file, the rest ... */
	struct line_mark *lines; /* ... of the mobile-nodes-file: owned */
};

#define fault(c, ...) conf_faults_add((c)->faults, (c)->path, __VA_ARGS__)
#define warn(c, ...)  conf_warnings_add((c)->faults, (c)->path, __VA_ARGS__)

static const char *node_file(const struct check *c, size_t index)
{
	const char *fragment;

	if (index >= c->yaml_node_cnt)
		return c->conf->mobile_nodes_file;
	fragment = conf_where_in(c->doc, "mobile-nodes", index, NULL).file;
	return fragment ? fragment : c->path;
}

static struct conf_mark node_mark(const struct check *c, size_t index, const char *key)
{
	const struct line_mark *l;

	/* Faults beyond the limit are only counted: no need to look for their place. */
	if (c->faults->cnt == CONF_FAULTS_MAX)
		return (struct conf_mark){ 1, 1 };
	if (index < c->yaml_node_cnt)
		return conf_where_in(c->doc, "mobile-nodes", index, key);
	assert(c->lines);
	l = &c->lines[index - c->yaml_node_cnt];
	if (strcmp(key, "nai") == 0)
		return (struct conf_mark){ l->line, l->nai };
	if (strcmp(key, "algorithm") == 0)
		return (struct conf_mark){ l->line, l->algorithm };
	if (strcmp(key, "key") == 0)
		return (struct conf_mark){ l->line, l->key };
	return (struct conf_mark){ l->line, strcmp(key, "spi") == 0 ? l->spi : l->home_addr };
}

#define node_fault(c, index, key, ...) \
	conf_faults_add((c)->faults, node_file(c, index), node_mark(c, index, key), __VA_ARGS__)

static void check_home_networks(const struct check *c)
{
	const struct ha_conf_home_network *n = c->conf->home_networks;
	size_t i, k;

	for (i = 0; i < c->conf->home_network_cnt; i++) {
		for (k = 0; k < i; k++) {
			if (!addr_prefix_overlaps(n[i].prefix, n[k].prefix))
				continue;
			fault(c, conf_where_in(c->doc, "home-networks", i, "prefix"),
			      "home-networks: %s overlaps %s: a home address must have one home",
			      addr_prefix_text(n[i].prefix).s, addr_prefix_text(n[k].prefix).s);
			break;
		}
		if (n[i].has_dynamic_pool &&
		    (n[i].dynamic_pool.len < n[i].prefix.len ||
		     !addr_prefix_contains(n[i].prefix, n[i].dynamic_pool.addr)))
			fault(c, conf_where_in(c->doc, "home-networks", i, "dynamic-pool"),
			      "dynamic-pool: %s is not within its home network %s",
			      addr_prefix_text(n[i].dynamic_pool).s,
			      addr_prefix_text(n[i].prefix).s);
		if (n[i].advertisement_lifetime_s != 0 &&
		    n[i].advertisement_lifetime_s < n[i].advertisement_interval_s)
			fault(c,
			      conf_where_in(c->doc, "home-networks", i, "advertisement-lifetime"),
			      "advertisement-lifetime: %u is less than advertisement-interval, %u",
			      n[i].advertisement_lifetime_s, n[i].advertisement_interval_s);
	}
}

static void check_tunnel(const struct check *c)
{
	size_t i;

	if (!conf_is_sound(c->doc, "tunnel.encapsulation"))
		return;
	for (i = 0; i < c->conf->tunnel.encapsulation_cnt; i++)
		if (c->conf->tunnel.encapsulation[i] == HA_CONF_ENCAP_IPIP)
			return;
	fault(c, conf_where(c->doc, "tunnel.encapsulation"),
	      "tunnel.encapsulation: ip-in-ip must be among them (RFC 5944 section 4.1)");
}

/* The kernel's own devices clamp nothing. What xhad filters, it warns of itself. */
static void warn_of_data_path(const struct check *c)
{
	if (c->conf->tunnel.data_path == HA_CONF_DATA_PATH_KERNEL &&
	    c->conf->tunnel.mss_clamp == HA_CONF_MSS_CLAMP_ALL)
		warn(c, conf_where(c->doc, "tunnel.data-path"),
		     "tunnel.data-path: kernel cannot clamp, and tunnel.mss-clamp is all: tun will "
		     "carry everything");
}

static void check_foreign_agents(const struct check *c)
{
	const struct ha_conf_foreign_agent *fa = c->conf->foreign_agents;
	struct conf_mark first;
	size_t i, k;

	for (i = 0; i < c->conf->foreign_agent_cnt; i++) {
		if (addr_eq(fa[i].address, c->conf->address))
			fault(c, conf_where_in(c->doc, "foreign-agents", i, "address"),
			      "foreign-agents: %s is the home agent's own address",
			      addr_text(fa[i].address).s);
		for (k = 0; k < i; k++) {
			if (!addr_eq(fa[i].address, fa[k].address) || fa[i].spi != fa[k].spi)
				continue;
			first = conf_where_in(c->doc, "foreign-agents", k, "spi");
			fault(c, conf_where_in(c->doc, "foreign-agents", i, "spi"),
			      "foreign-agents: %s has SPI %u already, in %s%sline %u",
			      addr_text(fa[i].address).s, fa[i].spi, first.file ? first.file : "",
			      first.file ? ", " : "", first.line);
			break;
		}
	}
}

static void check_redirect(const struct check *c)
{
	if (!addr_is_any(c->conf->redirect) && addr_eq(c->conf->redirect, c->conf->address))
		fault(c, conf_where(c->doc, "home-agent.redirect"),
		      "home-agent.redirect: %s is the home agent's own address",
		      addr_text(c->conf->redirect).s);
}

static void check_replication(const struct check *c)
{
	const struct ha_conf_replication *r = &c->conf->state.replication;

	if (r->server_cnt == 0)
		return;
	if (!r->password_file)
		fault(c, conf_where(c->doc, "state.replication.servers"),
		      "state.replication: password-file is missing: nothing is shared without one");
	if (r->tls && !r->tls_ca_file)
		fault(c, conf_where(c->doc, "state.replication.tls"),
		      "state.replication.tls: tls-ca-file is missing: nobody is trusted without "
		      "one");
	if (!r->tls_certificate != !r->tls_key_file)
		fault(c,
		      conf_where(c->doc, r->tls_key_file ? "state.replication.tls-key-file"
							 : "state.replication.tls-certificate"),
		      "state.replication: tls-certificate and tls-key-file need each other");
	if (strcmp(c->conf->state.directory, "none") == 0)
		fault(c, conf_where(c->doc, "state.directory"),
		      "state.directory: none, but state.replication needs one: what cannot be "
		      "shared at once is remembered there");
}

/* What was meant for several hosts, on one that is on its own. */
static void warn_of_no_servers(const struct check *c)
{
	const struct ha_conf_replication *r = &c->conf->state.replication;

	if (r->server_cnt > 0)
		return;
	if (r->role == HA_CONF_ROLE_STANDBY)
		warn(c, conf_where(c->doc, "state.replication.role"),
		     "state.replication.role: standby, but without servers this home agent is on "
		     "its own, and answers: list those that the hosts share");
	if (r->durability == HA_CONF_DURABILITY_CONFIRMED)
		warn(c, conf_where(c->doc, "state.replication.durability"),
		     "state.replication.durability: confirmed, but without servers nothing is "
		     "shared: list those that the hosts share");
}

/* What is set, and does nothing as it is set. */
static void warn_of_replication(const struct check *c)
{
	const struct ha_conf_replication *r = &c->conf->state.replication;
	const struct conf_mark at = conf_where(c->doc, "state.replication.servers");
	struct in_addr address[2];
	uint16_t port[2];
	size_t i, k;

	if (r->durability == HA_CONF_DURABILITY_ASYNC && r->replicas > 0)
		warn(c, conf_where(c->doc, "state.replication.replicas"),
		     "state.replication.replicas: nothing waits for them under async: set "
		     "durability to confirmed");
	if (r->durability == HA_CONF_DURABILITY_ASYNC &&
	    r->unconfirmed == HA_CONF_UNCONFIRMED_WITHHOLD)
		warn(c, conf_where(c->doc, "state.replication.unconfirmed"),
		     "state.replication.unconfirmed: nothing is withheld under async: set "
		     "durability to confirmed");
	for (i = 0; i < r->server_cnt; i++) {
		if (!ha_conf_server(r->servers[i], &address[0], &port[0]))
			continue; /* a fault of its own */
		if (r->sentinel_master && port[0] == REDIS_PORT)
			warn(c, at,
			     "state.replication.servers: with sentinel-master these are Sentinels, "
			     "and %s is a server's port",
			     r->servers[i]);
		for (k = 0; k < i; k++)
			if (ha_conf_server(r->servers[k], &address[1], &port[1]) &&
			    addr_eq(address[0], address[1]) && port[0] == port[1])
				break;
		if (k < i)
			warn(c, at, "state.replication.servers: %s is there twice", r->servers[i]);
	}
}

static const struct ha_conf_home_network *home_network_of(const struct ha_conf *conf,
							  struct in_addr a)
{
	size_t i;

	for (i = 0; i < conf->home_network_cnt; i++)
		if (addr_prefix_contains(conf->home_networks[i].prefix, a))
			return &conf->home_networks[i];
	return NULL;
}

static bool has_pool(const struct ha_conf *conf)
{
	size_t i;

	for (i = 0; i < conf->home_network_cnt; i++)
		if (conf->home_networks[i].has_dynamic_pool)
			return true;
	return false;
}

/** Can this home agent serve a node at this address? (RFC 5944 §3.8.3.2) */
static void check_home_address(const struct check *c, size_t i)
{
	struct in_addr a = c->conf->mobile_nodes[i].home_addr;
	const struct ha_conf_home_network *net = home_network_of(c->conf, a);

	if (addr_eq(a, c->conf->address))
		node_fault(c, i, "home-address", "home-address: %s is the home agent's own",
			   addr_text(a).s);
	if (!net) {
		/* If a home network is faulty, this may be why. */
		if (conf_is_sound(c->doc, "home-networks"))
			node_fault(c, i, "home-address",
				   "home-address: %s is in none of the home-networks",
				   addr_text(a).s);
		return;
	}
	if (net->prefix.len > 30)
		return;
	if (addr_eq(a, net->prefix.addr))
		node_fault(c, i, "home-address",
			   "home-address: %s is the address of the network %s", addr_text(a).s,
			   addr_prefix_text(net->prefix).s);
	else if (addr_eq(a, addr_prefix_broadcast(net->prefix)))
		node_fault(c, i, "home-address", "home-address: %s is the broadcast address of %s",
			   addr_text(a).s, addr_prefix_text(net->prefix).s);
}

/** One association, and of the first one of its node the places in the tables that find it. */
struct entry {
	struct hash_node by_addr, by_nai;
	size_t index;
	size_t first;       /* the node's first association */
	struct entry *next; /* of the same node */
};

struct tables {
	struct hash by_addr, by_nai;
	struct entry *entries;
};

/** The user part to the letter, the realm without regard to case, as sa.c compares. */
static bool nai_eq(const char *a, const char *b)
{
	size_t user = strcspn(a, "@");

	return strcspn(b, "@") == user && memcmp(a, b, user) == 0 &&
	       strcasecmp(a + user, b + user) == 0;
}

static uint64_t nai_hash(const struct hash *t, const char *nai)
{
	char folded[HA_CONF_NAI_MAX];
	size_t len = strlen(nai);
	size_t user = strcspn(nai, "@");
	size_t i;

	for (i = 0; i < len && i < sizeof(folded); i++)
		folded[i] = i < user ? nai[i] : (char)tolower((unsigned char)nai[i]);
	return hash_bytes(t, folded, i);
}

static const struct entry *find_addr(const struct tables *t, const struct ha_conf_node *nodes,
				     struct in_addr a)
{
	struct hash_node *n;
	const struct entry *e;

	for (n = hash_first(&t->by_addr, hash_u64(&t->by_addr, a.s_addr)); n;
	     n = hash_next(n, n->hash)) {
		e = hash_entry(n, struct entry, by_addr);
		if (addr_eq(nodes[e->index].home_addr, a))
			return e;
	}
	return NULL;
}

static const struct entry *find_nai(const struct tables *t, const struct ha_conf_node *nodes,
				    const char *nai)
{
	struct hash_node *n;
	const struct entry *e;

	for (n = hash_first(&t->by_nai, nai_hash(&t->by_nai, nai)); n; n = hash_next(n, n->hash)) {
		e = hash_entry(n, struct entry, by_nai);
		if (nai_eq(nodes[e->index].nai, nai))
			return e;
	}
	return NULL;
}

/**
 * Whose association is this? *out_first is the index of the node's first one, maybe this. False:
 * it mixes two nodes, and that has been said.
 */
static bool check_identity(const struct check *c, const struct tables *t, size_t i,
			   size_t *out_first)
{
	const struct ha_conf_node *nodes = c->conf->mobile_nodes, *node = &nodes[i], *other;
	const struct entry *by_addr, *by_nai;

	by_addr = addr_is_any(node->home_addr) ? NULL : find_addr(t, nodes, node->home_addr);
	by_nai = node->nai ? find_nai(t, nodes, node->nai) : NULL;
	*out_first = by_addr ? by_addr->index : by_nai ? by_nai->index : i;
	if (by_addr && node->nai && by_nai != by_addr) {
		other = &nodes[by_addr->index];
		node_fault(c, i, "nai", "nai: home-address %s has %s in %s:%u",
			   addr_text(node->home_addr).s, other->nai ? "another nai" : "no nai",
			   node_file(c, by_addr->index),
			   node_mark(c, by_addr->index, "home-address").line);
		return false;
	}
	if (by_nai && !addr_is_any(node->home_addr) && by_addr != by_nai) {
		other = &nodes[by_nai->index];
		node_fault(c, i, "nai", "nai: belongs to %s%s in %s:%u",
			   addr_is_any(other->home_addr) ? "a node without home-address"
							 : "home-address ",
			   addr_is_any(other->home_addr) ? "" : addr_text(other->home_addr).s,
			   node_file(c, by_nai->index), node_mark(c, by_nai->index, "nai").line);
		return false;
	}
	return true;
}

/** Of the node that begins at `first`: its association with this SPI; NULL: none. */
static struct entry *has_spi(const struct tables *t, const struct ha_conf_node *nodes, size_t first,
			     uint32_t spi)
{
	struct entry *e = &t->entries[first];

	while (e && nodes[e->index].spi != spi)
		e = e->next;
	return e;
}

static void check_node(const struct check *c, struct tables *t, size_t i)
{
	const struct ha_conf_node *nodes = c->conf->mobile_nodes, *node = &nodes[i];
	struct entry *e = &t->entries[i], *other;

	e->index = i;
	if (addr_is_any(node->home_addr) && !node->nai) {
		node_fault(c, i, "home-address",
			   "a mobile node needs a home-address, an nai, or both");
		return;
	}
	if (!node->previous_key != !node->previous_key_until &&
	    conf_is_sound(c->doc, "mobile-nodes"))
		node_fault(c, i, node->previous_key ? "previous-key" : "previous-key-until",
			   "previous-key and previous-key-until go together");
	if (!addr_is_any(node->home_addr))
		check_home_address(c, i);
	else if (!find_nai(t, nodes, node->nai) && !has_pool(c->conf) &&
		 conf_is_sound(c->doc, "home-networks"))
		node_fault(c, i, "nai",
			   "nai: a node without home-address needs a dynamic-pool in "
			   "one of the home-networks");
	if (!check_identity(c, t, i, &e->first))
		return;
	if (e->first != i) {
		other = has_spi(t, nodes, e->first, node->spi);
		if (other)
			node_fault(c, i, "spi", "spi: this node has SPI %u already, in %s:%u",
				   node->spi, node_file(c, other->index),
				   node_mark(c, other->index, "spi").line);
		e->next = t->entries[e->first].next;
		t->entries[e->first].next = e;
		return;
	}
	if (!addr_is_any(node->home_addr))
		hash_put(&t->by_addr, &e->by_addr, hash_u64(&t->by_addr, node->home_addr.s_addr));
	if (node->nai)
		hash_put(&t->by_nai, &e->by_nai, nai_hash(&t->by_nai, node->nai));
}

/** A mobile network, and whose it is. */
struct behind {
	struct addr_prefix prefix;
	size_t index; /* of the association that names it */
	size_t first; /* of the node's first one */
};

static int compare_behind(const void *a, const void *b)
{
	const struct behind *x = a, *y = b;
	uint32_t from_x = addr_host(x->prefix.addr), from_y = addr_host(y->prefix.addr);

	if (from_x != from_y)
		return from_x < from_y ? -1 : 1;
	if (x->prefix.len != y->prefix.len)
		return x->prefix.len < y->prefix.len ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/** What no mobile network may contain: it is reached elsewhere. */
static void check_mobile_network_is_free(const struct check *c, const struct behind *b)
{
	const struct ha_conf *conf = c->conf;
	size_t i;

	if (addr_prefix_contains(b->prefix, conf->address))
		node_fault(c, b->index, "mobile-networks",
			   "mobile-networks: %s contains %s, the home agent's own address",
			   addr_prefix_text(b->prefix).s, addr_text(conf->address).s);
	for (i = 0; i < conf->home_network_cnt; i++)
		if (addr_prefix_overlaps(b->prefix, conf->home_networks[i].prefix))
			node_fault(c, b->index, "mobile-networks",
				   "mobile-networks: %s overlaps the home network %s",
				   addr_prefix_text(b->prefix).s,
				   addr_prefix_text(conf->home_networks[i].prefix).s);
}

/** Of two overlapping prefixes one lies in the other: so it is enough to remember the widest. */
static void check_overlaps(const struct check *c, const struct behind *all, size_t cnt)
{
	const struct behind *widest = NULL;
	size_t i;

	for (i = 0; i < cnt; i++) {
		if (!widest || !addr_prefix_overlaps(widest->prefix, all[i].prefix))
			widest = &all[i];
		else if (widest->first != all[i].first)
			node_fault(c, all[i].index, "mobile-networks",
				   "mobile-networks: %s overlaps %s of another node, in %s:%u",
				   addr_prefix_text(all[i].prefix).s,
				   addr_prefix_text(widest->prefix).s, node_file(c, widest->index),
				   node_mark(c, widest->index, "mobile-networks").line);
	}
}

static int check_mobile_networks(const struct check *c, const struct tables *t)
{
	const struct ha_conf_node *nodes = c->conf->mobile_nodes;
	struct behind *all, *b;
	size_t *cnts, cnt = 0, i, k;

	for (i = 0; i < c->yaml_node_cnt; i++)
		cnt += nodes[i].mobile_networks.cnt;
	if (cnt == 0)
		return 0;
	all = calloc(cnt, sizeof(*all));
	cnts = calloc(c->conf->mobile_node_cnt, sizeof(*cnts));
	for (i = 0, b = all; all && cnts && i < c->yaml_node_cnt; i++) {
		for (k = 0; k < nodes[i].mobile_networks.cnt; k++, b++) {
			*b = (struct behind){ nodes[i].mobile_networks.prefixes[k], i,
					      t->entries[i].first };
			check_mobile_network_is_free(c, b);
			if (++cnts[b->first] == NETWORK_MAX + 1)
				node_fault(c, i, "mobile-networks",
					   "mobile-networks: more than %d of one node",
					   NETWORK_MAX);
		}
	}
	if (all && cnts) {
		qsort(all, cnt, sizeof(*all), compare_behind);
		check_overlaps(c, all, cnt);
	}
	i = all && cnts;
	free(cnts);
	free(all);
	return i ? 0 : -ENOMEM;
}

/**
 * A million buckets are in no cache, nor who is first in them: while one node is checked, those of
 * the nodes that follow come closer.
 */
static void fetch_ahead(const struct check *c, const struct tables *t, size_t i)
{
	const struct ha_conf_node *nodes = c->conf->mobile_nodes;
	const size_t cnt = c->conf->mobile_node_cnt;
	const struct hash *h = &t->by_addr;
	size_t at;

	if (i + CHECK_AHEAD < cnt) {
		at = hash_index(h, hash_u64(h, nodes[i + CHECK_AHEAD].home_addr.s_addr));
		__builtin_prefetch((const void *)&h->buckets[at]);
	}
	if (i + CHECK_AHEAD / 2 < cnt) {
		at = hash_index(h, hash_u64(h, nodes[i + CHECK_AHEAD / 2].home_addr.s_addr));
		__builtin_prefetch((const void *)h->buckets[at]);
	}
}

static int check_nodes(const struct check *c)
{
	size_t cnt = c->conf->mobile_node_cnt;
	struct tables t = { .entries = calloc(cnt ? cnt : 1, sizeof(*t.entries)) };
	size_t i;
	int err = -ENOMEM;

	if (t.entries && hash_init(&t.by_addr, cnt) == 0 && hash_init(&t.by_nai, cnt) == 0) {
		for (i = 0; i < cnt; i++) {
			fetch_ahead(c, &t, i);
			check_node(c, &t, i);
		}
		err = check_mobile_networks(c, &t);
	}
	hash_done(&t.by_addr);
	hash_done(&t.by_nai);
	free(t.entries);
	return err;
}

/* ---- Files with keys ---------------------------------------------------------------------- */

/*
 * "Others" are users outside the file's group: a service that does not run as root reads its keys
 * by group (root:home-agent 0640), so the group is the operator's choice. Who may write a key may
 * as well know it.
 */
static void check_key_file(const struct check *c, const char *file, struct conf_mark at,
			   mode_t mode)
{
	if (!(mode & (S_IROTH | S_IWOTH)) || c->conf->allow_readable_keys)
		return;
	conf_faults_add(
		c->faults, file, at,
		"this file holds keys, and others may %s it (mode %04o): chmod o-rwx it, or "
		"say allow-readable-keys: true",
		mode & S_IROTH ? "read" : "write", (unsigned int)(mode & 07777));
}

static void check_yaml_mode(const struct check *c)
{
	const struct conf_file *file;
	size_t i;

	for (i = 0; (file = conf_doc_file(c->doc, i)); i++)
		if (file->has_key)
			check_key_file(c, file->path, file->key_at, file->mode);
}

/* ---- Legal, and unwise -------------------------------------------------------------------- */

static void warn_of_algorithm(const struct check *c, const char *file, struct conf_mark at)
{
	conf_warnings_add(c->faults, file, at,
			  "algorithm: keyed-md5 is weak (RFC 5944 keeps it for old nodes): use "
			  "hmac-sha256, or hmac-md5");
}

/** Beyond the limit warnings are only counted: no need to look for their place. */
static struct conf_mark warn_mark(const struct check *c, size_t index, const char *key)
{
	if (c->faults->warnings->cnt == CONF_FAULTS_MAX)
		return (struct conf_mark){ 1, 1 };
	return node_mark(c, index, key);
}

/** A key that somebody typed to have one: 00000000..., 11111111... */
static bool is_one_octet(const uint8_t *key, size_t len)
{
	return len > 1 && memcmp(key, key + 1, len - 1) == 0;
}

static bool is_weak(const uint8_t *key, size_t len)
{
	return key && (len < KEY_STRONG || is_one_octet(key, len));
}

/* @param name  of the row with this weak key */
static void warn_of_key(const struct check *c, const char *file, struct conf_mark at,
			const char *name, size_t len)
{
	if (len < KEY_STRONG)
		conf_warnings_add(c->faults, file, at,
				  "%s: %zu of at least %d octets: make a longer one with "
				  "\"hactl new-key\"",
				  name, len, KEY_STRONG);
	else
		conf_warnings_add(c->faults, file, at,
				  "%s: weak, one octet again and again: make one with "
				  "\"hactl new-key\"",
				  name);
}

/* Names that the fast path cannot be attached to, or only once. */
static void warn_of_interfaces(const struct check *c)
{
	char **names = c->conf->tunnel.interfaces;
	const struct conf_mark at = conf_where(c->doc, "tunnel.interfaces");
	size_t i, k;

	for (i = 0; i < c->conf->tunnel.interface_cnt; i++) {
		if (strcmp(names[i], "lo") == 0)
			warn(c, at, "tunnel.interfaces: lo has no fast path: it is no Ethernet");
		for (k = 0; k < i && strcmp(names[i], names[k]) != 0; k++)
			;
		if (k < i)
			warn(c, at, "tunnel.interfaces: %s is there twice", names[i]);
	}
}

static void warn_of_associations(const struct check *c)
{
	const struct ha_conf_foreign_agent *fa = c->conf->foreign_agents;
	const struct ha_conf_node *n = c->conf->mobile_nodes;
	size_t i;

	for (i = 0; i < c->conf->mobile_node_cnt; i++) {
		if (is_weak(n[i].key, n[i].key_len))
			warn_of_key(c, node_file(c, i), warn_mark(c, i, "key"), "key",
				    n[i].key_len);
		if (is_weak(n[i].previous_key, n[i].previous_key_len))
			warn_of_key(c, node_file(c, i), warn_mark(c, i, "previous-key"),
				    "previous-key", n[i].previous_key_len);
		if (n[i].algorithm == MAC_KEYED_MD5)
			warn_of_algorithm(c, node_file(c, i), warn_mark(c, i, "algorithm"));
	}
	for (i = 0; i < c->conf->foreign_agent_cnt; i++) {
		if (is_weak(fa[i].key, fa[i].key_len))
			warn_of_key(c, c->path, conf_where_in(c->doc, "foreign-agents", i, "key"),
				    "key", fa[i].key_len);
		if (fa[i].algorithm == MAC_KEYED_MD5)
			warn_of_algorithm(c, c->path,
					  conf_where_in(c->doc, "foreign-agents", i, "algorithm"));
	}
}

/**
 * The other home agent's file, if it lies beside this one: both on one address would make what is
 * outside look like inside (RFC 5265 §4.3). Only its address is looked at.
 */
static void warn_of_sibling(const struct check *c, const char *name)
{
	const char *other = strcmp(name, "ihad") == 0 ? "xhad" : "ihad";
	struct in_addr address = { INADDR_ANY };
	const struct conf_key row[] = {
		{ "home-agent.address", CONF_ADDRESS, .size = sizeof(address) }, { 0 }
	};
	const struct conf_section section = { row, &address };
	struct conf_faults *faults = calloc(1, sizeof(*faults));
	const char *slash = strrchr(c->path, '/');
	struct conf_doc *doc = NULL;
	char *path = NULL;

	if (!faults || asprintf(&path, "%.*s%s.yaml", slash ? (int)(slash - c->path) + 1 : 0,
				c->path, other) < 0)
		path = NULL;
	if (path && conf_read(path, other, &section, 1, faults, &doc) == 0 &&
	    addr_eq(address, c->conf->address))
		warn(c, conf_where(c->doc, "home-agent.address"),
		     "home-agent.address: %s is also that of %s, in %s: give each its own",
		     addr_text(address).s, other, path);
	conf_doc_free(doc);
	free(path);
	if (faults)
		conf_faults_done(faults);
	free(faults);
}

/* ---- The file of mobile nodes ------------------------------------------------------------- */

struct field {
	char *text; /* terminated, within the line */
	uint32_t column;
};

/** Cuts a line at blanks, up to a comment. Returns how many fields there are, stored or not. */
static size_t split_line(char *line, struct field fields[static LINE_FIELDS])
{
	size_t cnt = 0;
	char *p = line;

	for (;;) {
		while (*p == ' ' || *p == '\t' || *p == '\r')
			p++;
		if (!*p || *p == '#')
			return cnt;
		if (cnt < LINE_FIELDS)
			fields[cnt] = (struct field){ p, (uint32_t)(p - line) + 1 };
		cnt++;
		p += strcspn(p, " \t\r");
		if (*p)
			*p++ = '\0';
	}
}

/** The rows of mobile-nodes in the order of a line. */
struct line_rows {
	const struct conf_key *row[LINE_FIELDS];
};

static struct line_rows line_rows(void)
{
	static const char *const order[LINE_FIELDS] = { "home-address", "nai", "spi",
							"algorithm",    "key", "replay" };
	struct line_rows rows;
	size_t i;

	for (i = 0; i < LINE_FIELDS; i++)
		rows.row[i] = conf_row(mobile_node_rows, order[i]);
	return rows;
}

/** A field forgotten shifts a key into another's place: so no fault here repeats a text. */
static const char *line_why(const struct conf_key *row, const char *why)
{
	if (row->type == CONF_ENUM)
		return strstr(why, "not one of");
	if (row->type == CONF_UINT)
		return "a number of 256 to 4294967295 is wanted";
	if (row->type == CONF_ADDRESS)
		return "the IPv4 address of a host, or -, is wanted";
	return why;
}

/** A line's fields into a node. ERR_CONFIG: faulty, and said; the node owns nothing then. */
static int node_from_line(const struct check *c, const struct line_rows *rows, uint32_t line,
			  const struct field *fields, size_t cnt, struct ha_conf_node *ret_node)
{
	struct ha_conf_node node = { 0 };
	const struct conf_key *row;
	const char *text;
	char why[WHY_MAX];
	bool faulty = false;
	size_t i;
	int err = 0;

	for (i = 0; i < LINE_FIELDS && err != -ENOMEM; i++) {
		row = rows->row[i];
		text = i < cnt ? fields[i].text : row->dflt;
		if (i < 2 && strcmp(text, "-") == 0)
			continue;
		err = conf_value(row, text, &node, why, sizeof(why));
		if (err == ERR_INVALID) {
			conf_faults_add(c->faults, c->conf->mobile_nodes_file,
					(struct conf_mark){ line, fields[i].column }, "%s: %s",
					row->path, line_why(row, why));
			faulty = true;
		}
	}
	if (faulty || err == -ENOMEM) {
		conf_done(mobile_node_rows, &node);
		return err == -ENOMEM ? err : ERR_CONFIG;
	}
	*ret_node = node;
	return 0;
}

/** Appends to both arrays; *room is how many lines they have room for. */
static int node_keep(struct check *c, const struct ha_conf_node *node, struct line_mark mark,
		     size_t *room)
{
	struct ha_conf *conf = c->conf;
	struct ha_conf_node *nodes;
	struct line_mark *lines;
	size_t cnt = conf->mobile_node_cnt - c->yaml_node_cnt;

	if (cnt == *room) {
		*room = *room ? 2 * *room : 64;
		nodes = reallocarray(conf->mobile_nodes, c->yaml_node_cnt + *room, sizeof(*nodes));
		if (nodes)
			conf->mobile_nodes = nodes;
		lines = reallocarray(c->lines, *room, sizeof(*lines));
		if (lines)
			c->lines = lines;
		if (!nodes || !lines)
			return -ENOMEM;
	}
	c->lines[cnt] = mark;
	conf->mobile_nodes[conf->mobile_node_cnt++] = *node;
	return 0;
}

static int read_line(struct check *c, const struct line_rows *rows, uint32_t line, char *text,
		     size_t len, size_t *room)
{
	struct field fields[LINE_FIELDS] = { 0 };
	struct ha_conf_node node;
	size_t cnt;
	int err;

	if (strlen(text) != len) {
		conf_faults_add(c->faults, c->conf->mobile_nodes_file,
				(struct conf_mark){ line, (uint32_t)strlen(text) + 1 },
				"a NUL octet: this file is text");
		return 0;
	}
	cnt = split_line(text, fields);
	if (cnt == 0)
		return 0;
	if (cnt < LINE_FIELDS - 1 || cnt > LINE_FIELDS) {
		conf_faults_add(c->faults, c->conf->mobile_nodes_file,
				(struct conf_mark){ line, fields[0].column },
				"%zu fields; a node is HOME-ADDRESS|- NAI|- SPI ALGORITHM HEXKEY "
				"[REPLAY]",
				cnt);
		return 0;
	}
	err = node_from_line(c, rows, line, fields, cnt, &node);
	if (err < 0)
		return err == ERR_CONFIG ? 0 : err;
	err = node_keep(c, &node,
			(struct line_mark){ line, fields[0].column, fields[1].column,
					    fields[2].column, fields[3].column, fields[4].column },
			room);
	if (err < 0)
		conf_done(mobile_node_rows, &node);
	return err;
}

/** A relative path starts at the directory of the configuration. */
static int resolve(const char *from, char **path)
{
	const char *slash = strrchr(from, '/');
	char *joined;

	if (**path == '/' || !slash)
		return 0;
	if (asprintf(&joined, "%.*s/%s", (int)(slash - from), from, *path) < 0)
		return -ENOMEM;
	free(*path);
	*path = joined;
	return 0;
}

static int read_nodes_file(struct check *c)
{
	struct ha_conf *conf = c->conf;
	const struct line_rows rows = line_rows();
	char *text, *p, *end;
	size_t len, room = 0;
	uint32_t line = 0;
	mode_t mode;
	int err;

	err = resolve(c->path, &conf->mobile_nodes_file);
	if (err < 0)
		return err;
	err = conf_slurp(conf->mobile_nodes_file, c->path, conf_where(c->doc, "mobile-nodes-file"),
			 c->faults, &text, &len, &mode);
	if (err < 0)
		return err == ERR_CONFIG ? 0 : err;
	for (p = text; p < text + len && err == 0; p = end + 1) {
		end = memchr(p, '\n', (size_t)(text + len - p));
		if (!end)
			end = text + len;
		*end = '\0';
		err = read_line(c, &rows, ++line, p, (size_t)(end - p), &room);
	}
	if (err == 0 && line > 0)
		check_key_file(c, conf->mobile_nodes_file, (struct conf_mark){ 1, 1 }, mode);
	conf_wipe_free(text, len);
	return err;
}

/* Its first line is the password. */
static int read_password(const struct check *c)
{
	const struct conf_mark at = conf_where(c->doc, "state.replication.password-file");
	struct ha_conf_replication *r = &c->conf->state.replication;
	char *text;
	size_t len;
	mode_t mode;
	int err;

	if (r->server_cnt == 0 || !r->password_file)
		return 0;
	err = resolve(c->path, &r->password_file);
	if (err == 0)
		err = conf_slurp(r->password_file, c->path, at, c->faults, &text, &len, &mode);
	if (err < 0)
		return err == ERR_CONFIG ? 0 : err;
	text[strcspn(text, "\r\n")] = '\0';
	r->password = strdup(text);
	if (text[0] == '\0')
		fault(c, at, "state.replication.password-file: its first line is empty");
	else
		check_key_file(c, r->password_file, (struct conf_mark){ 1, 1 }, mode);
	conf_wipe_free(text, len);
	return r->password ? 0 : -ENOMEM;
}

/* @retval ERR_CONFIG  it cannot be read, which has been told. -ENOMEM */
static int find_tls_file(const struct check *c, const char *key, char **path, bool is_secret)
{
	char *text;
	size_t len;
	mode_t mode;
	int err;

	if (!*path)
		return 0;
	err = resolve(c->path, path);
	if (err == 0)
		err = conf_slurp(*path, c->path, conf_where(c->doc, key), c->faults, &text, &len,
				 &mode);
	if (err < 0)
		return err;
	if (is_secret)
		check_key_file(c, *path, (struct conf_mark){ 1, 1 }, mode);
	conf_wipe_free(text, len);
	return 0;
}

/* Who connects reads them again: here is told what would fail then. */
static int check_tls_files(const struct check *c)
{
	struct ha_conf_replication *r = &c->conf->state.replication;
	char why[TLS_WHY_SIZE];
	struct tls_conf tls;
	int err;

	if (r->server_cnt == 0 || !r->tls || !r->tls_ca_file ||
	    !r->tls_certificate != !r->tls_key_file)
		return 0;
	err = find_tls_file(c, "state.replication.tls-ca-file", &r->tls_ca_file, false);
	if (err == 0)
		err = find_tls_file(c, "state.replication.tls-certificate", &r->tls_certificate,
				    false);
	if (err == 0)
		err = find_tls_file(c, "state.replication.tls-key-file", &r->tls_key_file, true);
	if (err < 0)
		return err == ERR_CONFIG ? 0 : err;
	tls = (struct tls_conf){ .ca_file = r->tls_ca_file,
				 .certificate = r->tls_certificate,
				 .key_file = r->tls_key_file };
	if (tls_check(&tls, why) < 0)
		fault(c, conf_where(c->doc, "state.replication.tls"), "state.replication.tls: %s",
		      why);
	return 0;
}

/* ---- All of it ---------------------------------------------------------------------------- */

int ha_conf_read(const char *path, const char *name, const struct conf_key *daemon_rows,
		 void *daemon_conf, struct conf_faults *faults, struct ha_conf **ret_conf)
{
	return ha_conf_read_checked(path, name, daemon_rows, daemon_conf, NULL, faults, ret_conf);
}

int ha_conf_read_checked(const char *path, const char *name, const struct conf_key *daemon_rows,
			 void *daemon_conf, ha_conf_check_fn *check, struct conf_faults *faults,
			 struct ha_conf **ret_conf)
{
	struct ha_conf *conf = calloc(1, sizeof(*conf));
	const struct conf_section sections[] = { { ha_conf_rows, conf },
						 { daemon_rows, daemon_conf } };
	struct check c = { .path = path, .faults = faults, .conf = conf };
	struct conf_doc *doc = NULL;
	int err;

	if (!conf)
		return -ENOMEM;
	err = conf_read(path, name, sections, 2, faults, &doc);
	if (err < 0)
		goto out;
	c.doc = doc;
	c.yaml_node_cnt = conf->mobile_node_cnt;
	check_home_networks(&c);
	check_tunnel(&c);
	warn_of_data_path(&c);
	check_foreign_agents(&c);
	check_redirect(&c);
	check_replication(&c);
	check_yaml_mode(&c);
	err = read_password(&c);
	if (err == 0)
		err = check_tls_files(&c);
	if (err == 0 && conf->mobile_nodes_file)
		err = read_nodes_file(&c);
	if (err == 0)
		err = check_nodes(&c);
	if (err == 0 && check)
		check(daemon_conf, conf, doc, path, faults);
	if (err == 0 && faults->warnings) {
		warn_of_associations(&c);
		warn_of_interfaces(&c);
		warn_of_no_servers(&c);
		warn_of_replication(&c);
		warn_of_sibling(&c, name);
	}
	if (err == 0 && conf_faults_any(faults))
		err = ERR_CONFIG;
out:
	conf_doc_free(doc);
	free(c.lines);
	if (err < 0) {
		ha_conf_free(conf);
		conf_done(daemon_rows, daemon_conf);
		return err;
	}
	*ret_conf = conf;
	return 0;
}

/* ---- Has anything changed? ---- */

/* Inlined: for a number no loop is left of hash_bytes(). */
static inline void sum_up(struct ha_conf_digest *d, const void *data, size_t len)
{
	size_t i;

	for (i = 0; i < 2; i++) {
		const struct hash h = { .seed = d->seeds[i] };

		d->sums[i] = hash_u64(&h, d->sums[i] ^ hash_bytes(&h, data, len));
	}
}

static void sum_number(struct ha_conf_digest *d, uint64_t n)
{
	sum_up(d, &n, sizeof(n));
}

/* With its length: so that "ab", "c" is not "a", "bc". NULL is not "". */
static void sum_octets(struct ha_conf_digest *d, const void *data, size_t len)
{
	sum_number(d, data ? len : UINT64_MAX);
	if (data)
		sum_up(d, data, len);
}

static void sum_text(struct ha_conf_digest *d, const char *text)
{
	sum_octets(d, text, text ? strlen(text) : 0);
}

static void sum_prefix(struct ha_conf_digest *d, struct addr_prefix prefix)
{
	sum_number(d, (uint64_t)addr_host(prefix.addr) << 8 | prefix.len);
}

static void sum_node(struct ha_conf_digest *d, const struct ha_conf_node *node)
{
	size_t i;

	sum_number(d, (uint64_t)addr_host(node->home_addr) << 32 | node->spi);
	sum_number(d, (uint64_t)node->algorithm << 32 | node->replay << 16 |
			      node->service_required << 8 | node->mobile_network_mode);
	sum_text(d, node->nai);
	sum_octets(d, node->key, node->key_len);
	sum_octets(d, node->previous_key, node->previous_key_len);
	sum_text(d, node->previous_key_until);
	sum_number(d, (uint64_t)node->service_cnt << 32 | node->mobile_networks.cnt);
	for (i = 0; i < node->service_cnt; i++)
		sum_text(d, node->services[i]);
	for (i = 0; i < node->mobile_networks.cnt; i++)
		sum_prefix(d, node->mobile_networks.prefixes[i]);
}

void ha_conf_sum(const struct ha_conf *conf, struct ha_conf_digest *digest)
{
	const struct ha_conf_foreign_agent *fa;
	size_t i;

	digest->sums[0] = digest->sums[1] = 0;
	sum_number(digest, (uint64_t)addr_host(conf->address) << 32 |
				   conf->registration.timestamp_tolerance_s);
	for (i = 0; i < conf->home_network_cnt; i++) {
		sum_prefix(digest, conf->home_networks[i].prefix);
		sum_number(digest, conf->home_networks[i].has_dynamic_pool);
		sum_prefix(digest, conf->home_networks[i].dynamic_pool);
	}
	sum_number(digest, conf->mobile_node_cnt);
	for (i = 0; i < conf->mobile_node_cnt; i++)
		sum_node(digest, &conf->mobile_nodes[i]);
	for (i = 0; i < conf->foreign_agent_cnt; i++) {
		fa = &conf->foreign_agents[i];
		sum_number(digest, (uint64_t)addr_host(fa->address) << 32 | fa->spi);
		sum_number(digest, fa->algorithm);
		sum_octets(digest, fa->key, fa->key_len);
	}
}

void ha_conf_release_nodes(struct ha_conf *conf)
{
	size_t i;

	if (conf->nodes_released)
		return;
	for (i = 0; i < conf->mobile_node_cnt; i++)
		conf_drop(mobile_node_rows, &conf->mobile_nodes[i]);
	free(conf->mobile_nodes);
	conf->mobile_nodes = NULL;
	conf->nodes_released = true;
	(void)malloc_trim(0); /* they lay all over the heap; glibc would keep it for later */
}

void ha_conf_release_foreign_agents(struct ha_conf *conf)
{
	size_t i;

	for (i = 0; i < conf->foreign_agent_cnt; i++)
		conf_done(foreign_agent_rows, &conf->foreign_agents[i]);
	free(conf->foreign_agents);
	conf->foreign_agents = NULL;
	conf->foreign_agent_cnt = 0;
}

struct ha_conf *ha_conf_free(struct ha_conf *conf)
{
	if (conf && conf->nodes_released)
		conf->mobile_node_cnt = 0;
	if (conf && conf->state.replication.password)
		conf_wipe_free(conf->state.replication.password,
			       strlen(conf->state.replication.password));
	if (conf)
		conf_done(ha_conf_rows, conf);
	free(conf);
	return NULL;
}

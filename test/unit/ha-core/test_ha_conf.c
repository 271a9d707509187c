/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keys both home agents share: ranges, the rules between keys, the file of mobile nodes, and
 * files that others may read. Complete files are read in the daemons' own tests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "ha-core/ha_conf.h"
#include "test/unit/common/workdir.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct conf_key no_rows[] = { { 0 } };
/** Reads the file f; the faults as they are printed must be these. The caller frees. */
static struct ha_conf *read_f(const char *expect)
{
	static struct conf_faults faults;
	struct ha_conf *conf = NULL;
	char *printed = NULL;
	size_t len;
	FILE *out = open_memstream(&printed, &len);
	int err;

	assert_non_null(out);
	faults = (struct conf_faults){ 0 }; /* an earlier test may have failed */
	err = ha_conf_read("f", "ihad", no_rows, NULL, &faults, &conf);
	conf_faults_print(&faults, out);
	fclose(out);
	assert_string_equal(printed, expect);
	assert_int_equal(err, expect[0] ? ERR_CONFIG : 0);
	assert_int_equal(conf == NULL, expect[0] != '\0');
	free(printed);
	conf_faults_done(&faults);
	return conf;
}

static struct ha_conf *read_text(const char *text, const char *expect)
{
	workdir_write("f", text, strlen(text), 0600);
	return read_f(expect);
}

static void expect_faults(const char *text, const char *expect)
{
	ha_conf_free(read_text(text, expect));
}

/* Four lines that every file needs; the tests count on from line 5. */
#define BASE                    \
	"home-agent:\n"         \
	"  address: 10.0.0.2\n" \
	"home-networks:\n"      \
	"  - prefix: 10.50.0.0/16\n"
#define POOL BASE "    dynamic-pool: 10.50.128.0/17\n"

static void only_address_and_home_networks_are_required(void **state)
{
	struct ha_conf *c;

	(void)state;
	expect_faults("log: {level: debug}\n",
		      "f:1:1: error: home-agent.address: required, and not given\n"
		      "f:1:1: error: home-networks: required, and not given\n");
	expect_faults("home-agent:\n  port: 1\nhome-networks: []\n",
		      "f:2:3: error: home-agent.address: required, and not given\n"
		      "f:3:16: error: home-networks: an empty list: at least 1 wanted\n");
	c = read_text(BASE, "");
	assert_int_equal(c->port, 434);
	assert_int_equal(c->home_network_cnt, 1);
	assert_string_equal(c->home_networks[0].interface, "");
	assert_false(c->home_networks[0].has_dynamic_pool);
	assert_int_equal(c->mobile_node_cnt, 0);
	assert_null(c->mobile_nodes_file);
	assert_false(c->allow_readable_keys);
	assert_int_equal(c->registration.max_lifetime_s, 1800);
	assert_int_equal(c->registration.timestamp_tolerance_s, 7);
	assert_int_equal(c->registration.max_simultaneous_bindings, 4);
	assert_int_equal(c->registration.max_denials_per_node_s, 1);
	assert_int_equal(c->registration.max_denials_s, 1000);
	assert_false(c->registration.message_strings);
	assert_false(c->registration.strict_reserved_bits);
	assert_true(addr_is_any(c->redirect));
	assert_int_equal(c->redirect_layout, HA_CONF_LAYOUT_SHORT);
	assert_int_equal(c->tunnel.data_path, HA_CONF_DATA_PATH_AUTO);
	assert_int_equal(c->tunnel.interface_cnt, 0);
	assert_int_equal(c->tunnel.encapsulation_cnt, 3);
	assert_int_equal(c->tunnel.encapsulation[0], HA_CONF_ENCAP_IPIP);
	assert_int_equal(c->tunnel.encapsulation[1], HA_CONF_ENCAP_MINIMAL);
	assert_int_equal(c->tunnel.encapsulation[2], HA_CONF_ENCAP_GRE);
	assert_int_equal(c->tunnel.reverse_tunnel, HA_CONF_REVERSE_OPTIONAL);
	assert_int_equal(c->tunnel.mtu, 1500);
	assert_int_equal(c->tunnel.mss_clamp, HA_CONF_MSS_CLAMP_UDP);
	assert_int_equal(c->tunnel.ecn, HA_CONF_ECN_COMPATIBLE);
	assert_int_equal(c->tunnel.broadcasts, HA_CONF_BROADCASTS_ALL);
	assert_true(c->nat.enabled);
	assert_true(c->nat.forced);
	assert_int_equal(c->nat.keepalive_s, 110);
	assert_int_equal(c->nat.max_lifetime_s, 0);
	assert_string_equal(c->state.directory, "/var/lib/home-agent/ihad");
	assert_string_equal(c->control.socket, "/run/home-agent/ihad.sock");
	assert_null(c->control.group);
	assert_true(c->snmp.enabled);
	assert_string_equal(c->snmp.agentx, "/var/agentx/master");
	assert_int_equal(c->log_level, LOG_LEVEL_INFO);
	assert_null(ha_conf_free(c));
	assert_null(ha_conf_free(NULL));
}

#define OCTETS_106                                                                                 \
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567" \
	"890123456789012345"

static void where_the_master_agent_listens_is_a_path_or_a_port(void **state)
{
	static const char *const ports[] = {
		"tcp:127.0.0.1:99999", "tcp:host:0",   "tcp::705",   "tcp:host",
		"tcp:host:",           "tcp:host:70x", "tcp:host:-1"
	};
	char text[1024];
	size_t i;

	(void)state;
	ha_conf_free(read_text(BASE "snmp: {agentx: \"/" OCTETS_106 "\"}\n", ""));
	ha_conf_free(read_text(BASE "snmp: {agentx: \"tcp:host.invalid:65535\"}\n", ""));
	expect_faults(BASE "snmp: {agentx: \"/" OCTETS_106 "6\"}\n",
		      "f:5:16: error: snmp.agentx: a socket's path is 107 octets at most\n");
	expect_faults(BASE "snmp: {agentx: unix}\n",
		      "f:5:16: error: snmp.agentx: a socket's path is wanted, /..., or "
		      "tcp:HOST:PORT\n");
	for (i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		(void)snprintf(text, sizeof(text), BASE "snmp: {agentx: \"%s\"}\n", ports[i]);
		expect_faults(text, "f:5:16: error: snmp.agentx: tcp: wants a host and a port of 1 "
				    "to 65535, tcp:HOST:PORT\n");
	}
}

static void ranges_are_those_of_the_rows(void **state)
{
	(void)state;
	ha_conf_free(read_text(BASE "registration: {max-lifetime: 65535}\n"
				    "tunnel: {mtu: 576}\nnat-traversal: {keepalive: 10}\n",
			       ""));
	expect_faults(
		BASE "registration: {max-lifetime: 0, max-simultaneous-bindings: 0}\n"
		     "tunnel: {mtu: 575}\nnat-traversal: {keepalive: 9, max-lifetime: 65536}\n",
		"f:5:30: error: registration.max-lifetime: \"0\" is out of range: 1 to 65535 "
		"seconds\n"
		"f:5:60: error: registration.max-simultaneous-bindings: \"0\" is out of range: 1 "
		"to 64 bindings\n"
		"f:6:15: error: tunnel.mtu: \"575\" is out of range: 576 to 65535 octets\n"
		"f:7:28: error: nat-traversal.keepalive: \"9\" is out of range: 10 to 65535 "
		"seconds\n"
		"f:7:45: error: nat-traversal.max-lifetime: \"65536\" is out of range: 0 to 65535 "
		"seconds\n");
}

static void the_home_agent_has_a_unicast_address(void **state)
{
	(void)state;
	expect_faults("home-agent: {address: 224.0.0.11}\nhome-networks: [{prefix: 10.0.0.0/8}]\n",
		      "f:1:23: error: home-agent.address: not a unicast address of a host\n");
	expect_faults("home-agent: {address: 0.0.0.0}\nhome-networks: [{prefix: 224.0.0.0/8}]\n",
		      "f:1:23: error: home-agent.address: not a unicast address of a host\n"
		      "f:2:26: error: prefix: not a network of unicast addresses\n");
}

/* RFC 4433 */
static void nodes_are_redirected_to_another_home_agent(void **state)
{
	struct ha_conf *c;

	(void)state;
	expect_faults("home-agent: {address: 10.0.0.2, redirect: 10.0.0.2}\n"
		      "home-networks: [{prefix: 10.0.0.0/8}]\n",
		      "f:1:43: error: home-agent.redirect: 10.0.0.2 is the home agent's own "
		      "address\n");
	expect_faults("home-agent: {address: 10.0.0.2, redirect: 224.0.0.1,\n"
		      "  redirect-layout: long}\nhome-networks: [{prefix: 10.0.0.0/8}]\n",
		      "f:1:43: error: home-agent.redirect: not a unicast address of a host\n"
		      "f:2:20: error: home-agent.redirect-layout: \"long\" is not one of short, "
		      "drawn\n");
	c = read_text("home-agent: {address: 10.0.0.2, redirect: 10.0.0.3, redirect-layout: "
		      "drawn}\nhome-networks: [{prefix: 10.0.0.0/8}]\n",
		      "");
	assert_string_equal(addr_text(c->redirect).s, "10.0.0.3");
	assert_int_equal(c->redirect_layout, HA_CONF_LAYOUT_DRAWN);
	ha_conf_free(c);
}

static void home_networks_do_not_overlap(void **state)
{
	(void)state;
	expect_faults(
		BASE "  - prefix: 10.51.0.0/16\n  - prefix: 10.50.3.0/24\n"
		     "  - prefix: 10.48.0.0/14\n",
		"f:6:13: error: home-networks: 10.50.3.0/24 overlaps 10.50.0.0/16: a home address "
		"must have one home\n"
		"f:7:13: error: home-networks: 10.48.0.0/14 overlaps 10.50.0.0/16: a home address "
		"must have one home\n");
}

static void a_dynamic_pool_lies_within_its_prefix(void **state)
{
	(void)state;
	ha_conf_free(read_text(BASE "    dynamic-pool: 10.50.0.0/16\n", ""));
	expect_faults(BASE "    dynamic-pool: 10.51.0.0/17\n",
		      "f:5:19: error: dynamic-pool: 10.51.0.0/17 is not within its home network "
		      "10.50.0.0/16\n");
	expect_faults(BASE "    dynamic-pool: 10.50.0.0/15\n",
		      "f:5:19: error: dynamic-pool: 10.50.0.0/15 is not within its home network "
		      "10.50.0.0/16\n");
}

static void a_home_link_advertises_as_rfc_1256_would(void **state)
{
	const struct ha_conf_home_network *n;
	struct ha_conf *c;

	(void)state;
	c = read_text(BASE, "");
	n = &c->home_networks[0];
	assert_int_equal(n->gratuitous_arps, 3);
	assert_true(n->advertise);
	assert_int_equal(n->advertisement_interval_s, 600);
	assert_int_equal(n->advertisement_lifetime_s, 0);
	assert_false(n->advertise_default_router);
	assert_true(n->advertise_prefix_length);
	ha_conf_free(c);
}

static void an_advertisement_outlives_the_wait_for_the_next(void **state)
{
	(void)state;
	ha_conf_free(read_text(BASE "    advertisement-interval: 30\n"
				    "    advertisement-lifetime: 30\n",
			       ""));
	expect_faults(BASE "    advertisement-interval: 30\n"
			   "    advertisement-lifetime: 29\n",
		      "f:6:29: error: advertisement-lifetime: 29 is less than "
		      "advertisement-interval, 30\n");
}

static void an_interface_has_a_possible_name(void **state)
{
	(void)state;
	ha_conf_free(read_text(BASE "    interface: abcdefghijklmno\n"
				    "tunnel: {interfaces: [eth0.12, abcdefghijklmno]}\n",
			       ""));
	expect_faults(BASE "    interface: abcdefghijklmnop\n"
			   "tunnel: {interfaces: [a/b, abcdefghijklmnop, '']}\n",
		      "f:5:16: error: interface: 16 octets are too many: at most 15\n"
		      "f:6:23: error: tunnel.interfaces: not a name that an interface can have\n"
		      "f:6:28: error: tunnel.interfaces: the name of an interface has at most 15 "
		      "octets\n"
		      "f:6:46: error: tunnel.interfaces: must not be empty\n");
}

static void ip_in_ip_is_always_offered(void **state)
{
	(void)state;
	ha_conf_free(read_text(BASE "tunnel: {encapsulation: [gre, ip-in-ip]}\n", ""));
	expect_faults(BASE "tunnel:\n  encapsulation: [gre, minimal]\n",
		      "f:6:18: error: tunnel.encapsulation: ip-in-ip must be among them (RFC 5944 "
		      "section 4.1)\n");
}

static void paths_of_the_system_are_absolute(void **state)
{
	(void)state;
	expect_faults(BASE "state: {directory: here}\ncontrol: {socket: there}\n",
		      "f:5:20: error: state.directory: an absolute path is wanted, /..., or none\n"
		      "f:6:19: error: control.socket: an absolute path is wanted: /...\n");
}

#define NODES BASE "mobile-nodes:\n" /* ... from line 6 */

static void an_spi_below_256_is_reserved(void **state)
{
	(void)state;
	ha_conf_free(read_text(NODES "- {home-address: 10.50.0.7, spi: 256, key: 00}\n"
				     "- {home-address: 10.50.0.7, spi: 0xffffffff, key: 00}\n",
			       ""));
	expect_faults(NODES "- {home-address: 10.50.0.7, spi: 255, key: 00}\n"
			    "foreign-agents:\n- {address: 10.1.0.1, spi: 0, key: 00}\n",
		      "f:6:34: error: spi: \"255\" is out of range: 256 to 4294967295\n"
		      "f:8:28: error: spi: \"0\" is out of range: 256 to 4294967295\n");
}

static void a_node_has_a_home_address_or_a_nai(void **state)
{
	(void)state;
	expect_faults(NODES "- {spi: 256, key: 00}\n",
		      "f:6:3: error: a mobile node needs a home-address, an nai, or both\n");
}

static void a_node_without_home_address_needs_a_pool(void **state)
{
	struct ha_conf *c;

	(void)state;
	expect_faults(
		NODES "- {nai: a@b, spi: 256, key: 00}\n",
		"f:6:9: error: nai: a node without home-address needs a dynamic-pool in one of "
		"the home-networks\n");
	c = read_text(POOL "mobile-nodes:\n- {nai: a@b, spi: 256, key: 00}\n", "");
	assert_true(addr_is_any(c->mobile_nodes[0].home_addr));
	ha_conf_free(c);
	/* A second association of a node that has an address needs none. */
	ha_conf_free(read_text(NODES "- {home-address: 10.50.0.7, nai: a@b, spi: 256, key: 00}\n"
				     "- {nai: a@B, spi: 257, key: 00}\n",
			       ""));
	/* The home network that is faulty may have the pool. */
	expect_faults(BASE "    dynamic-pool: 10.50.128.0/7\nmobile-nodes:\n"
			   "- {nai: a@b, spi: 256, key: 00}\n",
		      "f:5:19: error: dynamic-pool: \"10.50.128.0/7\" has bits behind its prefix "
		      "length; did you mean 10.0.0.0/7?\n");
}

static void a_home_address_is_one_we_can_serve(void **state)
{
	(void)state;
	expect_faults("home-agent: {address: 10.50.0.2}\nhome-networks:\n- prefix: 10.50.0.0/16\n"
		      "- prefix: 10.60.0.0/31\nmobile-nodes:\n"
		      "- {home-address: 10.51.0.1, spi: 256, key: 00}\n"
		      "- {home-address: 10.50.0.2, spi: 256, key: 00}\n"
		      "- {home-address: 10.50.0.0, spi: 256, key: 00}\n"
		      "- {home-address: 10.50.255.255, spi: 256, key: 00}\n"
		      "- {home-address: 10.60.0.0, spi: 256, key: 00}\n"
		      "- {home-address: 10.60.0.1, spi: 256, key: 00}\n"
		      "- {home-address: 0.0.0.0, spi: 256, key: 00}\n"
		      "- {home-address: 127.0.0.1, spi: 256, key: 00}\n",
		      "f:6:18: error: home-address: 10.51.0.1 is in none of the home-networks\n"
		      "f:7:18: error: home-address: 10.50.0.2 is the home agent's own\n"
		      "f:8:18: error: home-address: 10.50.0.0 is the address of the network "
		      "10.50.0.0/16\n"
		      "f:9:18: error: home-address: 10.50.255.255 is the broadcast address of "
		      "10.50.0.0/16\n"
		      "f:12:18: error: home-address: not a unicast address of a host\n"
		      "f:13:18: error: home-address: not a unicast address of a host\n");
}

static void a_node_has_each_spi_once(void **state)
{
	(void)state;
	expect_faults(POOL "mobile-nodes:\n"
			   "- {home-address: 10.50.0.7, spi: 256, key: 00}\n"
			   "- {home-address: 10.50.0.8, spi: 256, key: 00}\n"
			   "- {home-address: 10.50.0.7, spi: 257, key: 00}\n"
			   "- {home-address: 10.50.0.7, spi: 0x100, key: 01}\n"
			   "- {nai: a@b.example, spi: 256, key: 00}\n"
			   "- {nai: a@B.Example, spi: 256, key: 01}\n"
			   "- {nai: A@b.example, spi: 256, key: 01}\n"
			   "- {home-address: 10.50.0.9, nai: c, spi: 300, key: 01}\n"
			   "- {nai: c, spi: 300, key: 01}\n",
		      "f:10:34: error: spi: this node has SPI 256 already, in f:7\n"
		      "f:12:27: error: spi: this node has SPI 256 already, in f:11\n"
		      "f:15:17: error: spi: this node has SPI 300 already, in f:14\n");
}

static void a_home_address_and_a_nai_belong_to_one_node(void **state)
{
	(void)state;
	expect_faults(POOL "mobile-nodes:\n"
			   "- {home-address: 10.50.0.7, nai: a@b, spi: 256, key: 00}\n"
			   "- {home-address: 10.50.0.7, nai: c@b, spi: 257, key: 00}\n"
			   "- {home-address: 10.50.0.8, nai: a@b, spi: 258, key: 00}\n"
			   "- {home-address: 10.50.0.7, spi: 259, key: 00}\n"
			   "- {nai: d@b, spi: 256, key: 00}\n"
			   "- {home-address: 10.50.0.9, nai: d@b, spi: 257, key: 00}\n"
			   "- {home-address: 10.50.0.10, spi: 256, key: 00}\n"
			   "- {home-address: 10.50.0.10, nai: e@b, spi: 257, key: 00}\n",
		      "f:8:34: error: nai: home-address 10.50.0.7 has another nai in f:7\n"
		      "f:9:34: error: nai: belongs to home-address 10.50.0.7 in f:7\n"
		      "f:12:34: error: nai: belongs to a node without home-address in f:11\n"
		      "f:14:35: error: nai: home-address 10.50.0.10 has no nai in f:13\n");
}

static void a_nai_fits_its_extension(void **state)
{
	char nai[257], text[1024], expect[256];

	(void)state;
	memset(nai, 'a', 256);
	nai[255] = '\0';
	snprintf(text, sizeof(text), POOL "mobile-nodes:\n- {nai: %s, spi: 256, key: 00}\n", nai);
	ha_conf_free(read_text(text, ""));
	nai[255] = 'a';
	nai[256] = '\0';
	snprintf(text, sizeof(text), POOL "mobile-nodes:\n- {nai: %s, spi: 256, key: 00}\n", nai);
	snprintf(expect, sizeof(expect),
		 "f:7:9: error: nai: 256 octets are too many: at most 255\n");
	expect_faults(text, expect);
	expect_faults(POOL "mobile-nodes:\n- {nai: \"a\\nb\", spi: 256, key: 00}\n",
		      "f:7:9: error: nai: control characters are not allowed\n");
}

/* RFC 5446 */
static void a_node_may_be_limited_to_services(void **state)
{
	struct ha_conf *c;

	(void)state;
	c = read_text(NODES
		      "- {home-address: 10.50.0.7, spi: 256, key: 00, services: [voip, a b]}\n"
		      "- {home-address: 10.50.0.8, spi: 256, key: 00, service-required: true}\n",
		      "");
	assert_int_equal(c->mobile_nodes[0].service_cnt, 2);
	assert_string_equal(c->mobile_nodes[0].services[0], "voip");
	assert_string_equal(c->mobile_nodes[0].services[1], "a b");
	assert_false(c->mobile_nodes[0].service_required);
	assert_int_equal(c->mobile_nodes[1].service_cnt, 0);
	assert_true(c->mobile_nodes[1].service_required);
	ha_conf_free(c);
	expect_faults(NODES "- {home-address: 10.50.0.7, spi: 256, key: 00, services: [\"\"]}\n",
		      "f:6:59: error: services: must not be empty\n");
}

/* RFC 5177 */
static void a_node_may_have_networks_behind_it(void **state)
{
	struct ha_conf *c;

	(void)state;
	c = read_text(
		NODES
		"- {home-address: 10.50.0.7, spi: 256, key: 00,\n"
		"   mobile-networks: [10.60.2.0/24, 10.60.1.0/24]}\n"
		"- {home-address: 10.50.0.8, spi: 256, key: 00, mobile-network-mode: implicit,\n"
		"   mobile-networks: [10.60.3.0/24]}\n"
		"- {home-address: 10.50.0.7, spi: 257, key: 00, mobile-networks: [10.60.2.0/24]}\n"
		"- {home-address: 10.50.0.9, spi: 257, key: 00}\n",
		"");
	assert_int_equal(c->mobile_nodes[0].mobile_networks.cnt, 2);
	assert_string_equal(addr_prefix_text(c->mobile_nodes[0].mobile_networks.prefixes[0]).s,
			    "10.60.1.0/24");
	assert_int_equal(c->mobile_nodes[0].mobile_network_mode, HA_CONF_NETWORKS_EXPLICIT);
	assert_int_equal(c->mobile_nodes[1].mobile_network_mode, HA_CONF_NETWORKS_IMPLICIT);
	assert_int_equal(c->mobile_nodes[3].mobile_networks.cnt, 0);
	ha_conf_free(c);
}

static void networks_behind_a_node_are_nobody_elses(void **state)
{
	char text[2048];
	size_t len;
	unsigned int i;

	(void)state;
	expect_faults(
		NODES
		"- {home-address: 10.50.0.7, spi: 256, key: 00, mobile-networks: [10.60.0.0/16]}\n"
		"- {home-address: 10.50.0.8, spi: 256, key: 00, mobile-networks: [10.60.1.0/24]}\n",
		"f:7:65: error: mobile-networks: 10.60.1.0/24 overlaps 10.60.0.0/16 of another "
		"node, in f:6\n");
	expect_faults(
		NODES
		"- {home-address: 10.50.0.7, spi: 256, key: 00, mobile-networks: [10.50.9.0/24]}\n",
		"f:6:65: error: mobile-networks: 10.50.9.0/24 overlaps the home network "
		"10.50.0.0/16\n");
	expect_faults(
		NODES
		"- {home-address: 10.50.0.7, spi: 256, key: 00, mobile-networks: [10.0.0.0/24]}\n",
		"f:6:65: error: mobile-networks: 10.0.0.0/24 contains 10.0.0.2, the home agent's "
		"own "
		"address\n");
	expect_faults(
		NODES
		"- {home-address: 10.50.0.7, spi: 256, key: 00, mobile-networks: [224.0.0.0/24]}\n",
		"f:6:66: error: mobile-networks: \"224.0.0.0/24\": not a network of unicast "
		"addresses\n");
	len = (size_t)snprintf(text, sizeof(text),
			       NODES "- {home-address: 10.50.0.7, spi: 256, key: 00, "
				     "mobile-networks: [10.60.0.0/24");
	for (i = 1; i <= 32; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, ", 10.60.%u.0/24", 2 * i);
	snprintf(text + len, sizeof(text) - len, "]}\n");
	expect_faults(text, "f:6:65: error: mobile-networks: more than 32 of one node\n");
}

static void a_key_has_1_to_256_octets_in_hex(void **state)
{
	char key[2 * MAC_KEY_MAX + 3], text[1024];
	struct ha_conf *c;

	(void)state;
	memset(key, '7', sizeof(key));
	key[2 * MAC_KEY_MAX] = '\0';
	snprintf(text, sizeof(text), NODES "- {home-address: 10.50.0.7, spi: 256, key: %s}\n", key);
	c = read_text(text, "");
	assert_int_equal(c->mobile_nodes[0].key_len, MAC_KEY_MAX);
	assert_int_equal(c->mobile_nodes[0].key[MAC_KEY_MAX - 1], 0x77);
	ha_conf_free(c);
	key[2 * MAC_KEY_MAX] = '7';
	key[2 * MAC_KEY_MAX + 2] = '\0';
	snprintf(text, sizeof(text), NODES "- {home-address: 10.50.0.7, spi: 256, key: %s}\n", key);
	expect_faults(text, "f:6:44: error: key: the key has 257 octets: 1 to 256 are wanted\n");
	expect_faults(
		NODES "- {home-address: 10.50.0.7, spi: 256, key: \"\"}\n"
		      "- {home-address: 10.50.0.7, spi: 256, key: 123}\n"
		      "- {home-address: 10.50.0.7, spi: 256, key: 0x12}\n"
		      "- {home-address: 10.50.0.7, spi: 256, key: }\n"
		      "- {home-address: 10.50.0.7, spi: 256}\n",
		"f:6:44: error: key: the key is empty: 1 to 256 octets are wanted\n"
		"f:7:44: error: key: the key has an odd number of hex digits (3)\n"
		"f:8:44: error: key: a key is written in hex digits, two an octet; character 2 is "
		"none\n"
		"f:9:44: error: key: a value is missing: give one, or leave the key out\n"
		"f:10:3: error: key: required, and not given\n");
}

static void a_foreign_agent_has_each_spi_once(void **state)
{
	(void)state;
	expect_faults(BASE "foreign-agents:\n"
			   "- {address: 10.1.0.1, spi: 256, key: 00}\n"
			   "- {address: 10.1.0.1, spi: 257, key: 00}\n"
			   "- {address: 10.1.0.1, spi: 256, key: 01}\n"
			   "- {address: 10.0.0.2, spi: 256, key: 00}\n"
			   "- {address: 255.255.255.255, spi: 256, key: 00}\n",
		      "f:8:28: error: foreign-agents: 10.1.0.1 has SPI 256 already, in line 6\n"
		      "f:9:13: error: foreign-agents: 10.0.0.2 is the home agent's own address\n"
		      "f:10:13: error: address: not a unicast address of a host\n");
}

static void algorithms_are_named_as_the_authenticators_are(void **state)
{
	char text[1024] = NODES;
	struct ha_conf *c;
	unsigned int i;

	(void)state;
	for (i = 0; i < MAC_ALGORITHM_CNT; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "- {home-address: 10.50.0.7, spi: %u, algorithm: %s, key: 00}\n", 256 + i,
			 mac_name((enum mac_algorithm)i));
	c = read_text(text, "");
	for (i = 0; i < MAC_ALGORITHM_CNT; i++)
		assert_int_equal(c->mobile_nodes[i].algorithm, i);
	ha_conf_free(c);
}

static void log_levels_are_named_as_the_log_does(void **state)
{
	enum log_level level;
	struct ha_conf *c;
	char text[256];

	(void)state;
	for (level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
		snprintf(text, sizeof(text), BASE "log: {level: %s}\n", log_level_name(level));
		c = read_text(text, "");
		assert_int_equal(c->log_level, level);
		ha_conf_free(c);
	}
}

/* ---- The file of mobile nodes */

#define WITH_FILE POOL "mobile-nodes-file: nodes\n"

static void nodes(const char *text, const char *expect)
{
	workdir_write("nodes", text, strlen(text), 0640);
	ha_conf_free(read_text(WITH_FILE, expect));
}

static void a_line_is_a_node(void **state)
{
	static const char text[] = "# home address, nai, spi ...\n"
				   "\n"
				   "10.50.0.7 alice@corp.example 256 hmac-md5 00ff nonce # hers\n"
				   "\t10.50.0.8\t-\t0x101  keyed-md5 01 timestamp\r\n"
				   "- bob#1@corp.example 258 hmac-sha1 02\n"
				   "10.50.0.9 - 259 hmac-sha256 03";
	const struct ha_conf_node *n;
	struct ha_conf *c;

	(void)state;
	workdir_write("nodes", text, strlen(text), 0600);
	c = read_text(WITH_FILE "mobile-nodes: [{home-address: 10.50.0.6, spi: 999, key: 04}]\n",
		      "");
	n = c->mobile_nodes;
	assert_int_equal(c->mobile_node_cnt, 5);
	assert_int_equal(n[0].spi, 999);
	assert_string_equal(addr_text(n[1].home_addr).s, "10.50.0.7");
	assert_string_equal(n[1].nai, "alice@corp.example");
	assert_int_equal(n[1].spi, 256);
	assert_int_equal(n[1].algorithm, MAC_HMAC_MD5);
	assert_int_equal(n[1].key_len, 2);
	assert_memory_equal(n[1].key, "\x00\xff", 2);
	assert_int_equal(n[1].replay, HA_CONF_REPLAY_NONCE);
	assert_null(n[2].nai);
	assert_int_equal(n[2].spi, 0x101);
	assert_int_equal(n[2].algorithm, MAC_KEYED_MD5);
	assert_int_equal(n[2].replay, HA_CONF_REPLAY_TIMESTAMP);
	assert_true(addr_is_any(n[3].home_addr));
	assert_string_equal(n[3].nai, "bob#1@corp.example");
	assert_int_equal(n[3].algorithm, MAC_HMAC_SHA1);
	assert_int_equal(n[3].replay, HA_CONF_REPLAY_TIMESTAMP);
	assert_int_equal(n[4].algorithm, MAC_HMAC_SHA256);
	ha_conf_free(c);
}

static void a_faulty_line_is_told_by_its_own_file_and_repeats_no_key(void **state)
{
	(void)state;
	nodes("10.50.0.7 - 255 hmac-md6 00f maybe\n"
	      "10.50.0.7 256 hmac-md5 00112233445566778899aabbccddeeff timestamp\n"
	      "\n"
	      "10.50.0.7 - 257 hmac-md5\n"
	      "  10.50.0.7 - 257 hmac-md5 00 nonce 1\n"
	      "300.0.0.1 - 256 hmac-md5 00\n"
	      "s3cr3t - 256 hmac-md5 00 s3cr3t\n"
	      "10.50.0.7 - 258 hmac-md5 s3cr3t\n",
	      "nodes:1:13: error: spi: a number of 256 to 4294967295 is wanted\n"
	      "nodes:1:17: error: algorithm: not one of hmac-md5, keyed-md5, hmac-sha1, "
	      "hmac-sha256; "
	      "did you mean \"hmac-md5\"?\n"
	      "nodes:1:26: error: key: the key has an odd number of hex digits (3)\n"
	      "nodes:1:30: error: replay: not one of timestamp, nonce\n"
	      "nodes:2:15: error: spi: a number of 256 to 4294967295 is wanted\n"
	      "nodes:2:24: error: algorithm: not one of hmac-md5, keyed-md5, hmac-sha1, "
	      "hmac-sha256\n"
	      "nodes:2:57: error: key: a key is written in hex digits, two an octet; character 1 "
	      "is "
	      "none\n"
	      "nodes:4:1: error: 4 fields; a node is HOME-ADDRESS|- NAI|- SPI ALGORITHM HEXKEY "
	      "[REPLAY]\n"
	      "nodes:5:3: error: 7 fields; a node is HOME-ADDRESS|- NAI|- SPI ALGORITHM HEXKEY "
	      "[REPLAY]\n"
	      "nodes:6:1: error: home-address: the IPv4 address of a host, or -, is wanted\n"
	      "nodes:7:1: error: home-address: the IPv4 address of a host, or -, is wanted\n"
	      "nodes:7:26: error: replay: not one of timestamp, nonce\n"
	      "nodes:8:26: error: key: a key is written in hex digits, two an octet; character 1 "
	      "is "
	      "none\n");
}

static void rules_between_nodes_hold_across_both_files(void **state)
{
	static const char text[] = "10.50.0.7 - 256 hmac-md5 00\n"
				   "10.50.0.8 alice 256 hmac-md5 00\n"
				   "  -  - 256 hmac-md5 00\n"
				   "10.51.0.7 - 256 hmac-md5 00\n"
				   "10.50.0.9 - 256 hmac-md5 00\n"
				   "10.50.0.9 - 256 hmac-md5 00\n";

	(void)state;
	workdir_write("nodes", text, strlen(text), 0600);
	expect_faults(WITH_FILE "mobile-nodes:\n"
				"- {home-address: 10.50.0.7, nai: alice, spi: 256, key: 00}\n",
		      "nodes:1:13: error: spi: this node has SPI 256 already, in f:8\n"
		      "nodes:2:11: error: nai: belongs to home-address 10.50.0.7 in f:8\n"
		      "nodes:3:3: error: a mobile node needs a home-address, an nai, or both\n"
		      "nodes:4:1: error: home-address: 10.51.0.7 is in none of the home-networks\n"
		      "nodes:6:13: error: spi: this node has SPI 256 already, in nodes:5\n");
}

static void a_nodes_file_that_cannot_be_read_is_a_fault_where_it_is_named(void **state)
{
	(void)state;
	expect_faults(POOL "mobile-nodes-file: absent\n",
		      "f:6:20: error: cannot read absent: No such file or directory\n");
	expect_faults(POOL "mobile-nodes-file: /\n",
		      "f:6:20: error: cannot read /: Is a directory\n");
}

static void a_nodes_file_is_found_beside_the_configuration(void **state)
{
	static struct conf_faults faults;
	char path[64], expect[64];
	struct ha_conf *c = NULL;

	(void)state;
	snprintf(path, sizeof(path), "%s/f", workdir);
	snprintf(expect, sizeof(expect), "%s/nodes", workdir);
	workdir_write("nodes", "", 0, 0600);
	workdir_write("f", WITH_FILE, strlen(WITH_FILE), 0600);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(ha_conf_read(path, "ihad", no_rows, NULL, &faults, &c), 0);
	assert_string_equal(c->mobile_nodes_file, expect);
	ha_conf_free(c);
	assert_int_equal(chdir(workdir), 0);
}

static void a_nodes_file_is_text(void **state)
{
	static const char text[] = "10.50.0.7 - 256\0hmac-md5 00\n";

	(void)state;
	workdir_write("nodes", text, sizeof(text) - 1, 0600);
	expect_faults(WITH_FILE, "nodes:1:16: error: a NUL octet: this file is text\n");
}

/* ---- Files with keys */

static void a_file_with_keys_that_others_may_read_is_refused(void **state)
{
	static const char text[] = NODES "- home-address: 10.50.0.7\n  spi: 256\n  key: 00\n";

	(void)state;
	workdir_write("f", text, strlen(text), 0604);
	read_f("f:8:8: error: this file holds keys, and others may read it (mode 0604): chmod "
	       "o-rwx "
	       "it, or say allow-readable-keys: true\n");
	workdir_write("f", text, strlen(text), 0602);
	read_f("f:8:8: error: this file holds keys, and others may write it (mode 0602): chmod "
	       "o-rwx "
	       "it, or say allow-readable-keys: true\n");
	workdir_write("f", text, strlen(text), 0640);
	ha_conf_free(read_f(""));
	/* Without keys it is nobody's secret. */
	workdir_write("f", BASE, strlen(BASE), 0644);
	ha_conf_free(read_f(""));
	workdir_write("f", BASE "foreign-agents: [{address: 10.1.0.1, spi: 256, key: 00}]\n",
		      strlen(BASE "foreign-agents: [{address: 10.1.0.1, spi: 256, key: 00}]\n"),
		      0644);
	read_f("f:5:53: error: this file holds keys, and others may read it (mode 0644): chmod "
	       "o-rwx "
	       "it, or say allow-readable-keys: true\n");
}

static void a_nodes_file_that_others_may_read_is_refused(void **state)
{
	static const char node[] = "10.50.0.7 - 256 hmac-md5 00\n";

	(void)state;
	workdir_write("nodes", node, strlen(node), 0644);
	expect_faults(WITH_FILE,
		      "nodes:1:1: error: this file holds keys, and others may read it (mode "
		      "0644): chmod o-rwx it, or say allow-readable-keys: true\n");
}

static void the_operator_may_allow_readable_keys(void **state)
{
	static const char node[] = "10.50.0.7 - 256 hmac-md5 00\n";
	static const char text[] =
		WITH_FILE "mobile-nodes: [{home-address: 10.50.0.8, spi: 256, key: 00}]\n"
			  "allow-readable-keys: true\n";

	(void)state;
	workdir_write("nodes", node, strlen(node), 0644);
	workdir_write("f", text, strlen(text), 0666);
	ha_conf_free(read_f(""));
}

/* ---- Many, and none */

static void many_nodes_are_checked_against_each_other(void **state)
{
	enum { CNT = 50000 };
	static struct conf_faults faults;
	struct ha_conf *c = NULL;
	FILE *f = fopen("nodes", "w");
	uint32_t i;

	(void)state;
	assert_non_null(f);
	for (i = 0; i < CNT; i++)
		fprintf(f, "%s u%u@x 256 hmac-md5 00112233\n",
			addr_text(addr_from_host(0x0a000001 + i)).s, i);
	assert_int_equal(fclose(f), 0);
	workdir_write(
		"f",
		"home-agent: {address: 192.0.2.1}\nhome-networks: [{prefix: 10.0.0.0/8}]\n"
		"mobile-nodes-file: nodes\nallow-readable-keys: yes\n",
		strlen("home-agent: {address: 192.0.2.1}\nhome-networks: [{prefix: 10.0.0.0/8}]\n"
		       "mobile-nodes-file: nodes\nallow-readable-keys: yes\n"),
		0600);
	assert_int_equal(ha_conf_read("f", "ihad", no_rows, NULL, &faults, &c), 0);
	assert_int_equal(c->mobile_node_cnt, CNT);
	assert_string_equal(c->mobile_nodes[CNT - 1].nai, "u49999@x");
	ha_conf_free(c);
	/* The whole of it a second time: each line is a fault, the first hundred are told. */
	f = fopen("nodes", "a");
	for (i = 0; i < CNT; i++)
		fprintf(f, "%s - 256 hmac-md5 00112233\n",
			addr_text(addr_from_host(0x0a000001 + i)).s);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(ha_conf_read("f", "ihad", no_rows, NULL, &faults, &c), ERR_CONFIG);
	assert_int_equal(faults.cnt + faults.dropped, CNT);
	assert_int_equal(faults.list[0].at.line, CNT + 1);
	assert_string_equal(faults.list[0].text, "spi: this node has SPI 256 already, in nodes:1");
	conf_faults_done(&faults);
}

static uint32_t random_next(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

/* The sanitizers are the judges; that a fault is told for each refusal is ours. */
static void garbage_in_a_nodes_file_is_survived(void **state)
{
	static const char seed[] = "10.50.0.7 a@b 256 hmac-md5 00 nonce\n- c 257 hmac-sha1 01\n"
				   "10.50.0.8 - 258 keyed-md5 02 timestamp # x\n";
	static const char alphabet[] = "- \t\n\r#\0af017.@\xff";
	static struct conf_faults faults;
	struct ha_conf *c;
	char text[sizeof(seed)];
	uint32_t x = 123456789u;
	size_t round, i;
	int err;

	(void)state;
	workdir_write("f", WITH_FILE, strlen(WITH_FILE), 0600);
	for (round = 0; round < 2000; round++) {
		memcpy(text, seed, sizeof(seed));
		for (i = random_next(&x) % 8; i > 0; i--)
			text[random_next(&x) % (sizeof(seed) - 1)] =
				alphabet[random_next(&x) % (sizeof(alphabet) - 1)];
		workdir_write("nodes", text, random_next(&x) % sizeof(seed), 0600);
		c = NULL;
		err = ha_conf_read("f", "ihad", no_rows, NULL, &faults, &c);
		assert_int_equal(err, conf_faults_any(&faults) ? ERR_CONFIG : 0);
		assert_int_equal(c == NULL, conf_faults_any(&faults));
		ha_conf_free(c);
		conf_faults_done(&faults);
	}
}

/* --- has anything changed? --- */

static struct ha_conf_digest sum_of(const char *text)
{
	struct ha_conf_digest d = { .seeds = { 0x1234567890abcdef, 0xfedcba0987654321 } };
	struct ha_conf *c = read_text(text, "");

	ha_conf_sum(c, &d);
	ha_conf_free(c);
	return d;
}

static void whatever_makes_an_association_is_in_its_sum(void **state)
{
#define SUMMED(node) \
	POOL "mobile-nodes:\n- {home-address: 10.50.0.7, spi: 256, key: 0011}\n- " node "\n"
	static const char *const others[] = {
		SUMMED("{home-address: 10.50.0.9, nai: a@c.x, spi: 257, key: 0102}"),
		SUMMED("{nai: a@c.x, spi: 257, key: 0102}"),
		SUMMED("{home-address: 10.50.0.8, nai: ab@c.x, spi: 257, key: 0102}"),
		SUMMED("{home-address: 10.50.0.8, spi: 257, key: 0102}"),
		SUMMED("{home-address: 10.50.0.8, nai: a@c.x, spi: 258, key: 0102}"),
		SUMMED("{home-address: 10.50.0.8, nai: a@c.x, spi: 257, key: 0103}"),
		SUMMED("{home-address: 10.50.0.8, nai: a@c.x, spi: 257, key: 010200}"),
		SUMMED("{home-address: 10.50.0.8, nai: a@c.x, spi: 257, key: 0102, "
		       "algorithm: hmac-sha1}"),
		SUMMED("{home-address: 10.50.0.8, nai: a@c.x, spi: 257, key: 0102, "
		       "replay: nonce}"),
		SUMMED("{home-address: 10.50.0.8, nai: a@c.x, spi: 257, key: 0102, "
		       "previous-key: 01, previous-key-until: 2026-12-01T00:00:00Z}"),
		SUMMED("{home-address: 10.50.0.8, nai: a@c.x, spi: 257, key: 0102, "
		       "services: [gold]}"),
		SUMMED("{home-address: 10.50.0.8, nai: a@c.x, spi: 257, key: 0102, "
		       "service-required: true}"),
		SUMMED("{home-address: 10.50.0.8, nai: a@c.x, spi: 257, key: 0102, "
		       "mobile-networks: [10.60.0.0/24]}"),
		SUMMED("{home-address: 10.50.0.8, nai: a@c.x, spi: 257, key: 0102, "
		       "mobile-network-mode: implicit}"),
		SUMMED("{home-address: 10.50.0.8, nai: a@c.x, spi: 257, key: 0102}\n"
		       "- {home-address: 10.50.0.9, spi: 256, key: 00}"),
		SUMMED("{home-address: 10.50.0.8, nai: a@c.x, spi: 257, key: 0102}\n"
		       "foreign-agents: [{address: 10.1.0.1, spi: 256, key: 00}]"),
		SUMMED("{home-address: 10.50.0.8, nai: a@c.x, spi: 257, key: 0102}\n"
		       "registration: {timestamp-tolerance: 8}"),
	};
	static const char text[] =
		SUMMED("{home-address: 10.50.0.8, nai: a@c.x, spi: 257, key: 0102}");
	const struct ha_conf_digest is = sum_of(text);
	struct ha_conf_digest other;
	size_t i;

	(void)state;
	other = sum_of(SUMMED("{home-address: 10.50.0.8, nai: a@c.x, spi: 257, key: 0102}\n"
			      "log: {level: debug}\nregistration: {max-lifetime: 60}"));
	assert_memory_equal(&is, &other, sizeof(is));
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		other = sum_of(others[i]);
		assert_true(is.sums[0] != other.sums[0]);
		assert_true(is.sums[1] != other.sums[1]);
	}
#undef SUMMED
}

static void a_home_link_leaves_the_associations_alone(void **state)
{
#define LINKED(more)                        \
	"home-agent: {address: 10.0.0.2}\n" \
	"home-networks: [{prefix: 10.50.0.0/16" more "}]\n"
	const struct ha_conf_digest is = sum_of(LINKED(""));
	const struct ha_conf_digest with = sum_of(LINKED(", interface: lan0, advertise: false"));

	(void)state;
	assert_memory_equal(&is, &with, sizeof(is));
#undef LINKED
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_address_and_home_networks_are_required),
		cmocka_unit_test(where_the_master_agent_listens_is_a_path_or_a_port),
		cmocka_unit_test(ranges_are_those_of_the_rows),
		cmocka_unit_test(the_home_agent_has_a_unicast_address),
		cmocka_unit_test(nodes_are_redirected_to_another_home_agent),
		cmocka_unit_test(home_networks_do_not_overlap),
		cmocka_unit_test(a_dynamic_pool_lies_within_its_prefix),
		cmocka_unit_test(a_home_link_advertises_as_rfc_1256_would),
		cmocka_unit_test(an_advertisement_outlives_the_wait_for_the_next),
		cmocka_unit_test(an_interface_has_a_possible_name),
		cmocka_unit_test(ip_in_ip_is_always_offered),
		cmocka_unit_test(paths_of_the_system_are_absolute),
		cmocka_unit_test(an_spi_below_256_is_reserved),
		cmocka_unit_test(a_node_has_a_home_address_or_a_nai),
		cmocka_unit_test(a_node_without_home_address_needs_a_pool),
		cmocka_unit_test(a_home_address_is_one_we_can_serve),
		cmocka_unit_test(a_node_has_each_spi_once),
		cmocka_unit_test(a_home_address_and_a_nai_belong_to_one_node),
		cmocka_unit_test(a_nai_fits_its_extension),
		cmocka_unit_test(a_node_may_be_limited_to_services),
		cmocka_unit_test(a_node_may_have_networks_behind_it),
		cmocka_unit_test(networks_behind_a_node_are_nobody_elses),
		cmocka_unit_test(a_key_has_1_to_256_octets_in_hex),
		cmocka_unit_test(a_foreign_agent_has_each_spi_once),
		cmocka_unit_test(algorithms_are_named_as_the_authenticators_are),
		cmocka_unit_test(log_levels_are_named_as_the_log_does),
		cmocka_unit_test(a_line_is_a_node),
		cmocka_unit_test(a_faulty_line_is_told_by_its_own_file_and_repeats_no_key),
		cmocka_unit_test(rules_between_nodes_hold_across_both_files),
		cmocka_unit_test(a_nodes_file_that_cannot_be_read_is_a_fault_where_it_is_named),
		cmocka_unit_test(a_nodes_file_is_found_beside_the_configuration),
		cmocka_unit_test(a_nodes_file_is_text),
		cmocka_unit_test(a_file_with_keys_that_others_may_read_is_refused),
		cmocka_unit_test(a_nodes_file_that_others_may_read_is_refused),
		cmocka_unit_test(the_operator_may_allow_readable_keys),
		cmocka_unit_test(many_nodes_are_checked_against_each_other),
		cmocka_unit_test(garbage_in_a_nodes_file_is_survived),
		cmocka_unit_test(whatever_makes_an_association_is_in_its_sum),
		cmocka_unit_test(a_home_link_leaves_the_associations_alone),
	};

	return cmocka_run_group_tests_name("ha_conf", tests, workdir_setup, workdir_teardown);
}

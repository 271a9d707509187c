/* SPDX-License-Identifier: BSD-2-Clause */
/* A complete file of ihad, its own key, and the example that is shipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "ha-core/ha_conf.h"
#include "ihad/conf.c" /* no library: the daemon is made of its objects */
#include "test/unit/common/workdir.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char complete[] =
	"home-agent:\n"
	"  address: 10.0.0.2              # required: where mobile nodes register\n"
	"  port: 434\n"
	"home-networks:                   # at least one\n"
	"  - prefix: 10.50.0.0/16\n"
	"    interface: lan0              # a physical home link (proxy ARP)\n"
	"    dynamic-pool: 10.50.128.0/17 # addresses for nodes that ask for one by NAI\n"
	"trusted-networks:                # ihad only; none by default\n"
	"  - 10.0.0.0/8\n"
	"mobile-nodes:\n"
	"  - home-address: 10.50.0.7      # or none, with an nai, for a dynamic address\n"
	"    nai: alice@corp.example\n"
	"    spi: 256\n"
	"    algorithm: hmac-md5          # keyed-md5, hmac-sha1, hmac-sha256\n"
	"    key: 00112233445566778899aabbccddeeff   # hex\n"
	"    replay: timestamp            # timestamp (default), nonce\n"
	"mobile-nodes-file: nodes         # many nodes: one a line\n"
	"foreign-agents:\n"
	"  - address: 10.20.0.1\n"
	"    spi: 512\n"
	"    algorithm: hmac-md5\n"
	"    key: ffeeddccbbaa99887766554433221100\n"
	"registration:\n"
	"  max-lifetime: 1800             # seconds\n"
	"  timestamp-tolerance: 7         # seconds\n"
	"  max-simultaneous-bindings: 4\n"
	"tunnel:\n"
	"  data-path: auto                # auto, xdp, tc, kernel, tun\n"
	"  interfaces: [eth0, eth1]       # where the fast path attaches\n"
	"  encapsulation: [ip-in-ip, minimal, gre]\n"
	"  reverse-tunnel: optional       # optional, required, disabled\n"
	"nat-traversal:\n"
	"  enabled: true\n"
	"  forced: true                   # grant a request for UDP without a NAT\n"
	"  keepalive: 110                 # seconds\n"
	"state:\n"
	"  directory: /var/lib/home-agent/ihad\n"
	"control:\n"
	"  socket: /run/home-agent/ihad.sock\n"
	"snmp:\n"
	"  enabled: true\n"
	"  agentx: /var/agentx/master     # or tcp:HOST:PORT\n"
	"log:\n"
	"  level: info                    # error, warning, notice, info, debug\n";

static int read_file(const char *path, struct ihad_conf *own, struct conf_faults *faults,
		     struct ha_conf **ret_conf)
{
	*own = (struct ihad_conf){ 0 };
	*faults = (struct conf_faults){ 0 };
	return ha_conf_read(path, "ihad", ihad_conf_rows, own, faults, ret_conf);
}

static void check_association(uint32_t spi, enum mac_algorithm algorithm, const uint8_t *key,
			      size_t key_len, uint32_t expect_spi, const char *expect_key)
{
	assert_int_equal(spi, expect_spi);
	assert_int_equal(algorithm, MAC_HMAC_MD5);
	assert_int_equal(key_len, 16);
	assert_memory_equal(key, expect_key, 16);
}

static void a_complete_file_is_read(void **state)
{
	static struct conf_faults faults;
	static const char node[] = "10.50.0.8 - 257 hmac-sha256 0102 nonce\n";
	struct ihad_conf own;
	struct ha_conf *c = NULL;

	(void)state;
	workdir_write("nodes", node, strlen(node), 0600);
	workdir_write("f", complete, strlen(complete), 0600);
	assert_int_equal(read_file("f", &own, &faults, &c), 0);
	assert_string_equal(addr_text(c->address).s, "10.0.0.2");
	assert_int_equal(c->port, 434);
	assert_int_equal(c->home_network_cnt, 1);
	assert_string_equal(addr_prefix_text(c->home_networks[0].prefix).s, "10.50.0.0/16");
	assert_string_equal(c->home_networks[0].interface, "lan0");
	assert_true(c->home_networks[0].has_dynamic_pool);
	assert_string_equal(addr_prefix_text(c->home_networks[0].dynamic_pool).s, "10.50.128.0/17");
	assert_int_equal(own.trusted_networks.cnt, 1);
	assert_true(addr_set_contains(&own.trusted_networks, addr_from_host(0x0affffff)));
	assert_false(addr_set_contains(&own.trusted_networks, addr_from_host(0x0b000000)));
	assert_int_equal(c->mobile_node_cnt, 2);
	assert_string_equal(addr_text(c->mobile_nodes[0].home_addr).s, "10.50.0.7");
	assert_string_equal(c->mobile_nodes[0].nai, "alice@corp.example");
	check_association(c->mobile_nodes[0].spi, c->mobile_nodes[0].algorithm,
			  c->mobile_nodes[0].key, c->mobile_nodes[0].key_len, 256,
			  "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff");
	assert_int_equal(c->mobile_nodes[0].replay, HA_CONF_REPLAY_TIMESTAMP);
	assert_string_equal(addr_text(c->mobile_nodes[1].home_addr).s, "10.50.0.8");
	assert_int_equal(c->mobile_nodes[1].algorithm, MAC_HMAC_SHA256);
	assert_int_equal(c->mobile_nodes[1].replay, HA_CONF_REPLAY_NONCE);
	assert_string_equal(c->mobile_nodes_file, "nodes");
	assert_int_equal(c->foreign_agent_cnt, 1);
	assert_string_equal(addr_text(c->foreign_agents[0].address).s, "10.20.0.1");
	check_association(c->foreign_agents[0].spi, c->foreign_agents[0].algorithm,
			  c->foreign_agents[0].key, c->foreign_agents[0].key_len, 512,
			  "\xff\xee\xdd\xcc\xbb\xaa\x99\x88\x77\x66\x55\x44\x33\x22\x11\x00");
	assert_int_equal(c->registration.max_lifetime_s, 1800);
	assert_int_equal(c->registration.timestamp_tolerance_s, 7);
	assert_int_equal(c->registration.max_simultaneous_bindings, 4);
	assert_int_equal(c->tunnel.data_path, HA_CONF_DATA_PATH_AUTO);
	assert_int_equal(c->tunnel.interface_cnt, 2);
	assert_string_equal(c->tunnel.interfaces[0], "eth0");
	assert_string_equal(c->tunnel.interfaces[1], "eth1");
	assert_int_equal(c->tunnel.encapsulation_cnt, 3);
	assert_int_equal(c->tunnel.encapsulation[0], HA_CONF_ENCAP_IPIP);
	assert_int_equal(c->tunnel.encapsulation[1], HA_CONF_ENCAP_MINIMAL);
	assert_int_equal(c->tunnel.encapsulation[2], HA_CONF_ENCAP_GRE);
	assert_int_equal(c->tunnel.reverse_tunnel, HA_CONF_REVERSE_OPTIONAL);
	assert_true(c->nat.enabled);
	assert_true(c->nat.forced);
	assert_int_equal(c->nat.keepalive_s, 110);
	assert_string_equal(c->state.directory, "/var/lib/home-agent/ihad");
	assert_string_equal(c->control.socket, "/run/home-agent/ihad.sock");
	assert_true(c->snmp.enabled);
	assert_string_equal(c->snmp.agentx, "/var/agentx/master");
	assert_int_equal(c->log_level, LOG_LEVEL_INFO);
	ha_conf_free(c);
	conf_done(ihad_conf_rows, &own);
	assert_int_equal(own.trusted_networks.cnt, 0);
}

static void no_network_is_trusted_by_default(void **state)
{
	static struct conf_faults faults;
	static const char text[] = "home-agent: {address: 10.0.0.2}\n"
				   "home-networks: [{prefix: 10.50.0.0/16}]\n";
	struct ihad_conf own;
	struct ha_conf *c = NULL;

	(void)state;
	workdir_write("f", text, strlen(text), 0600);
	assert_int_equal(read_file("f", &own, &faults, &c), 0);
	assert_int_equal(own.trusted_networks.cnt, 0);
	assert_false(addr_set_contains(&own.trusted_networks, c->address));
	ha_conf_free(c);
}

static void faults_in_own_and_shared_keys_come_together(void **state)
{
	static struct conf_faults faults;
	static const char text[] = "home-agent: {address: 10.0.0.2}\n"
				   "trusted-network: [10.0.0.0/8]\n"
				   "home-networks: [{prefix: 10.50.0.0/16}]\n"
				   "trusted-networks: [10.0.0.0/8, 10.50.0.1/16]\n"
				   "forwarding: {policy: any}\n"
				   "log: {level: loud}\n";
	struct ihad_conf own;
	struct ha_conf *c = NULL;

	(void)state;
	workdir_write("f", text, strlen(text), 0600);
	assert_int_equal(read_file("f", &own, &faults, &c), ERR_CONFIG);
	assert_null(c);
	assert_int_equal(faults.cnt, 4);
	assert_string_equal(faults.list[0].text,
			    "unknown key \"trusted-network\"; did you mean \"trusted-networks\"?");
	assert_int_equal(faults.list[1].at.line, 4);
	assert_int_equal(faults.list[1].at.column, 32);
	assert_int_equal(faults.list[2].at.line, 5); /* a key of xhad */
	assert_int_equal(faults.list[3].at.line, 6);
	/* What had been read of our own is released again. */
	assert_int_equal(own.trusted_networks.cnt, 0);
	assert_null(own.trusted_networks.prefixes);
	conf_faults_done(&faults);
}

static void private_prefixes_are_those_of_rfc_1918(void **state)
{
	static const struct {
		const char *prefix;
		bool is_private;
	} rows[] = { { "10.0.0.0/8", true },      { "10.50.0.0/16", true },
		     { "172.16.0.0/12", true },   { "172.31.255.255/32", true },
		     { "192.168.0.0/16", true },  { "0.0.0.0/0", false },
		     { "8.0.0.0/5", false },      { "172.0.0.0/11", false },
		     { "172.32.0.0/16", false },  { "192.0.2.0/24", false },
		     { "192.168.0.0/15", false }, { "0.0.0.0/32", false } };
	struct addr_prefix p = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(addr_prefix_parse(rows[i].prefix, &p), 0);
		assert_int_equal(ihad_conf_is_private(p), rows[i].is_private);
	}
}

static void every_truncation_of_a_file_is_survived(void **state)
{
	static struct conf_faults faults;
	struct ihad_conf own;
	struct ha_conf *c;
	size_t len, good = 0;
	int err;

	(void)state;
	workdir_write("nodes", "", 0, 0600);
	for (len = 0; len <= strlen(complete); len++) {
		workdir_write("f", complete, len, 0600);
		c = NULL;
		err = read_file("f", &own, &faults, &c);
		assert_int_equal(err, conf_faults_any(&faults) ? ERR_CONFIG : 0);
		good += err == 0;
		ha_conf_free(c);
		conf_done(ihad_conf_rows, &own);
		conf_faults_done(&faults);
	}
	assert_true(good > 0);
}

/* Copied, because a checkout is readable by all and the example holds (example) keys. */
static void the_example_that_is_shipped_has_no_fault(void **state)
{
	static struct conf_faults faults;
	static char text[65536];
	struct ihad_conf own;
	struct ha_conf *c = NULL;
	FILE *f = fopen(TEST_SOURCE_DIR "/../etc/ihad.yaml", "r");
	size_t len;

	(void)state;
	assert_non_null(f);
	len = fread(text, 1, sizeof(text), f);
	fclose(f);
	workdir_write("f", text, len, 0600);
	assert_int_equal(read_file("f", &own, &faults, &c), 0);
	assert_int_equal(c->mobile_node_cnt, 1);
	assert_int_equal(own.trusted_networks.cnt, 1);
	ha_conf_free(c);
	conf_done(ihad_conf_rows, &own);
}

/* "# key: value" lines of the example, uncommented, are a configuration too: no stale names. */
static void the_comments_of_the_example_name_real_keys(void **state)
{
	static struct conf_faults faults;
	static char text[65536];
	char line[256], *mark;
	struct ihad_conf own;
	struct ha_conf *c = NULL;
	FILE *f = fopen(TEST_SOURCE_DIR "/../etc/ihad.yaml", "r");

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		mark = strstr(line, "# ");
		/* Prose begins with a capital, or its first word is not followed by a colon. */
		if (mark && strspn(line, " ") == (size_t)(mark - line) &&
		    (mark[2] == ' ' ||
		     mark[2 + strspn(mark + 2, "abcdefghijklmnopqrstuvwxyz-")] == ':'))
			memmove(mark, mark + 2, strlen(mark + 2) + 1);
		strcat(text, strncmp(line, "mobile-nodes-file", 17) == 0
				     ? "mobile-nodes-file: nodes\n"
				     : line);
	}
	fclose(f);
	workdir_write("nodes", "", 0, 0600);
	workdir_write("f", text, strlen(text), 0600);
	assert_int_equal(mkdir("ihad.d", 0700), 0); /* that include names */
	assert_int_equal(read_file("f", &own, &faults, &c), 0);
	assert_int_equal(rmdir("ihad.d"), 0);
	assert_string_equal(c->home_networks[0].interface, "lan0");
	assert_true(c->home_networks[0].has_dynamic_pool);
	assert_int_equal(c->foreign_agent_cnt, 1);
	assert_int_equal(c->tunnel.interface_cnt, 2);
	assert_string_equal(c->control.group, "netops");
	assert_non_null(c->mobile_nodes_file);
	ha_conf_free(c);
	conf_done(ihad_conf_rows, &own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_complete_file_is_read),
		cmocka_unit_test(no_network_is_trusted_by_default),
		cmocka_unit_test(faults_in_own_and_shared_keys_come_together),
		cmocka_unit_test(private_prefixes_are_those_of_rfc_1918),
		cmocka_unit_test(every_truncation_of_a_file_is_survived),
		cmocka_unit_test(the_example_that_is_shipped_has_no_fault),
		cmocka_unit_test(the_comments_of_the_example_name_real_keys),
	};

	return cmocka_run_group_tests_name("ihad_conf", tests, workdir_setup, workdir_teardown);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What --check says of a file beyond its faults: what is legal and unwise. And files made of
 * fragments: where lists go on, what is given once, and that a fault names its fragment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "ha-core/ha_conf.h"
#include "test/unit/common/workdir.h"

#include "ihad/conf.c" /* NOLINT: the daemons' rows, beside the shared ones */
#include "xhad/conf.c" /* NOLINT */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BASE                    \
	"home-agent:\n"         \
	"  address: 10.0.0.2\n" \
	"home-networks:\n"      \
	"  - prefix: 10.50.0.0/16\n"
#define TRUSTED "trusted-networks: [10.0.0.0/8]\n"
#define KEY     "00112233445566778899aabbccddeeff"

static struct ihad_conf ihad;
static struct xhad_conf xhad;

/** Reads the file as the daemon of this name; what is printed must be this. The caller frees. */
static struct ha_conf *read_as(const char *name, const char *file, const char *expect)
{
	static struct conf_faults faults, warnings;
	const bool is_ihad = strcmp(name, "ihad") == 0;
	struct ha_conf *conf = NULL;
	char *printed = NULL;
	size_t len;
	FILE *out = open_memstream(&printed, &len);
	int err;

	assert_non_null(out);
	warnings = (struct conf_faults){ 0 };
	faults = (struct conf_faults){ .warnings = &warnings };
	err = ha_conf_read(file, name, is_ihad ? ihad_conf_rows : xhad_conf_rows,
			   is_ihad ? (void *)&ihad : (void *)&xhad, &faults, &conf);
	conf_faults_print(&faults, out);
	fclose(out);
	assert_string_equal(printed, expect);
	assert_int_equal(err, strstr(expect, ": error: ") ? ERR_CONFIG : 0);
	free(printed);
	conf_faults_done(&faults);
	conf_faults_done(&warnings);
	return conf;
}

static void forget(struct ha_conf *conf)
{
	ha_conf_free(conf);
	conf_done(ihad_conf_rows, &ihad);
	conf_done(xhad_conf_rows, &xhad);
}

static void expect_of(const char *name, const char *text, const char *expect)
{
	workdir_write("f", text, strlen(text), 0600);
	forget(read_as(name, "f", expect));
}

/* ---- Legal, and unwise ---- */

static void nothing_is_said_of_a_wise_file(void **state)
{
	(void)state;
	expect_of("ihad",
		  BASE TRUSTED "mobile-nodes: [{home-address: 10.50.0.7, spi: 256, key: " KEY
			       "}]\n",
		  "");
	expect_of("xhad", BASE "forwarding: {vpn-gateways: [198.51.100.10]}\n", "");
}

static void nobody_asked_nobody_is_warned(void **state)
{
	static struct conf_faults faults;
	struct ha_conf *conf = NULL;

	(void)state;
	workdir_write("f", BASE, strlen(BASE), 0600);
	assert_int_equal(ha_conf_read("f", "ihad", ihad_conf_rows, &ihad, &faults, &conf), 0);
	assert_false(conf_faults_any(&faults));
	forget(conf);
}

static void the_kernels_devices_that_are_to_clamp_are_warned_of(void **state)
{
	(void)state;
	expect_of("ihad", BASE TRUSTED "tunnel: {data-path: kernel, mss-clamp: all}\n",
		  "f:6:21: warning: tunnel.data-path: kernel cannot clamp, and tunnel.mss-clamp is "
		  "all: tun will carry everything\n");
	expect_of("ihad", BASE TRUSTED "tunnel: {data-path: kernel, mss-clamp: udp}\n", "");
}

static void an_empty_trusted_list_is_unwise(void **state)
{
	(void)state;
	expect_of("ihad", BASE,
		  "f:1:1: warning: trusted-networks: no network is trusted, so no request will be "
		  "answered\n");
	expect_of("ihad", BASE "trusted-networks: []\n",
		  "f:5:19: warning: trusted-networks: no network is trusted, so no request will be "
		  "answered\n");
}

static void trusting_everywhere_is_unwise(void **state)
{
	(void)state;
	expect_of(
		"ihad", BASE "trusted-networks:\n  - 10.0.0.0/8\n  - 0.0.0.0/0\n  - 192.0.2.0/24\n",
		"f:7:5: warning: trusted-networks: everywhere is trusted: every node that is "
		"answered may stop encrypting; list the internal networks only\n"
		"f:8:5: warning: trusted-networks: trusted, and of public addresses: is all of it "
		"inside?\n");
}

static void networks_that_together_are_everywhere_are_unwise(void **state)
{
	(void)state;
	expect_of(
		"ihad", BASE "trusted-networks: [10.0.0.0/8, 0.0.0.0/1]\n",
		"f:5:32: warning: trusted-networks: trusted, and of public addresses: is all of it "
		"inside?\n");
	expect_of(
		"ihad", BASE "trusted-networks: [0.0.0.0/1, 128.0.0.0/1]\n",
		"f:5:19: warning: trusted-networks: together these are all addresses: everywhere "
		"is trusted: every node that is answered may stop encrypting; list the internal "
		"networks only\n"
		"f:5:20: warning: trusted-networks: trusted, and of public addresses: is all of it "
		"inside?\n"
		"f:5:31: warning: trusted-networks: trusted, and of public addresses: is all of it "
		"inside?\n");
}

static void a_key_of_one_octet_again_and_again_is_unwise(void **state)
{
	(void)state;
	expect_of("ihad",
		  BASE TRUSTED
		  "mobile-nodes:\n"
		  "  - {home-address: 10.50.0.7, spi: 256, key: 11111111111111111111111111111111}\n"
		  "foreign-agents:\n"
		  "  - {address: 10.20.0.1, spi: 512, key: 0000000000000000000000000000000000}\n",
		  "f:7:46: warning: key: weak, one octet again and again: make one with \"hactl "
		  "new-key\"\n"
		  "f:9:41: warning: key: weak, one octet again and again: make one with \"hactl "
		  "new-key\"\n");
}

static void a_previous_key_that_is_short_is_unwise(void **state)
{
	(void)state;
	expect_of("ihad",
		  BASE TRUSTED "mobile-nodes:\n"
			       "  - home-address: 10.50.0.7\n"
			       "    spi: 256\n"
			       "    key: 00112233445566778899aabbccddeeff\n"
			       "    previous-key: aa\n"
			       "    previous-key-until: 2030-01-01T00:00:00Z\n",
		  "f:10:19: warning: previous-key: 1 of at least 16 octets: make a longer one with "
		  "\"hactl new-key\"\n");
}

static void interfaces_without_a_fast_path_or_named_twice_are_unwise(void **state)
{
	(void)state;
	expect_of("ihad", BASE TRUSTED "tunnel:\n  interfaces: [eth0, lo, eth1, eth0]\n",
		  "f:7:15: warning: tunnel.interfaces: lo has no fast path: it is no Ethernet\n"
		  "f:7:15: warning: tunnel.interfaces: eth0 is there twice\n");
	expect_of("ihad", BASE TRUSTED "tunnel:\n  interfaces: [eth0, eth1]\n", "");
}

static void a_short_key_and_keyed_md5_are_unwise(void **state)
{
	(void)state;
	workdir_write("nodes", "10.50.0.8 - 256 keyed-md5 00112233\n", 35, 0600);
	expect_of(
		"ihad",
		BASE TRUSTED "mobile-nodes:\n"
			     "  - home-address: 10.50.0.7\n"
			     "    spi: 256\n"
			     "    algorithm: keyed-md5\n"
			     "    key: 00112233445566778899aabbccddee\n"
			     "foreign-agents:\n"
			     "  - {address: 10.20.0.1, spi: 512, key: 00, algorithm: keyed-md5}\n"
			     "mobile-nodes-file: nodes\n",
		"f:9:16: warning: algorithm: keyed-md5 is weak (RFC 5944 keeps it for old nodes): "
		"use hmac-sha256, or hmac-md5\n"
		"f:10:10: warning: key: 15 of at least 16 octets: make a longer one with \"hactl "
		"new-key\"\n"
		"f:12:41: warning: key: 1 of at least 16 octets: make a longer one with \"hactl "
		"new-key\"\n"
		"f:12:56: warning: algorithm: keyed-md5 is weak (RFC 5944 keeps it for old "
		"nodes): use hmac-sha256, or hmac-md5\n"
		"nodes:1:17: warning: algorithm: keyed-md5 is weak (RFC 5944 keeps it for old "
		"nodes): use hmac-sha256, or hmac-md5\n"
		"nodes:1:27: warning: key: 4 of at least 16 octets: make a longer one with \"hactl "
		"new-key\"\n");
	unlink("nodes");
}

static void a_tolerance_over_a_minute_is_unwise(void **state)
{
	(void)state;
	expect_of("ihad", BASE TRUSTED "registration: {timestamp-tolerance: 60}\n", "");
	expect_of("ihad", BASE TRUSTED "registration: {timestamp-tolerance: 61}\n",
		  "f:6:37: warning: registration.timestamp-tolerance: over a minute: a recorded "
		  "request stays good as long; synchronise clocks and use 7\n");
}

static void any_traffic_out_of_the_tunnels_is_unwise(void **state)
{
	(void)state;
	expect_of(
		"xhad", BASE "forwarding: {policy: any}\n",
		"f:5:22: warning: forwarding.policy: any traffic may leave the tunnels, encrypted "
		"or not: use ipsec-only\n");
}

static void both_home_agents_on_one_address_are_unwise(void **state)
{
	static const char other[] = "home-agent: {address: 10.0.0.2}\nforwarding: {policy: any}\n";

	(void)state;
	workdir_write("xhad.yaml", other, strlen(other), 0600);
	expect_of("ihad", BASE TRUSTED,
		  "f:2:12: warning: home-agent.address: 10.0.0.2 is also that of xhad, in "
		  "xhad.yaml: give each its own\n");
	workdir_write("xhad.yaml", "home-agent: {address: 10.0.0.3}\n", 32, 0600);
	expect_of("ihad", BASE TRUSTED, "");
	unlink("xhad.yaml");
}

static void warnings_are_told_beside_faults(void **state)
{
	(void)state;
	expect_of("ihad", BASE "log: {level: loud}\n",
		  "f:5:14: error: log.level: \"loud\" is not one of error, warning, notice, info, "
		  "debug\n"
		  "f:1:1: warning: trusted-networks: no network is trusted, so no request will be "
		  "answered\n");
}

/* ---- Fragments ---- */

static void put(const char *file, const char *text, mode_t mode)
{
	workdir_write(file, text, strlen(text), mode);
}

static void lists_go_on_in_fragments_by_name(void **state)
{
	struct ha_conf *c;

	(void)state;
	put("f", BASE "include: conf.d\ntrusted-networks: [10.0.0.0/8]\n", 0644);
	put("conf.d/20-b.yaml",
	    "mobile-nodes:\n  - {home-address: 10.50.0.8, spi: 256, key: " KEY "}\n", 0600);
	put("conf.d/10-a.yaml",
	    "mobile-nodes:\n  - {home-address: 10.50.0.7, spi: 256, key: " KEY "}\n"
	    "trusted-networks: [192.168.0.0/16]\nlog: {level: debug}\n",
	    0600);
	put("conf.d/30-empty.yaml", "# mobile-nodes:\n", 0600);
	put("conf.d/notes.txt", "no: {fragment", 0600);
	put("conf.d/.hidden.yaml", "no: {fragment", 0600);
	c = read_as("ihad", "f", "");
	assert_int_equal(c->mobile_node_cnt, 2);
	assert_string_equal(addr_text(c->mobile_nodes[0].home_addr).s, "10.50.0.7");
	assert_string_equal(addr_text(c->mobile_nodes[1].home_addr).s, "10.50.0.8");
	assert_int_equal(ihad.trusted_networks.cnt, 2);
	assert_int_equal(c->log_level, LOG_LEVEL_DEBUG);
	forget(c);
}

static void a_fault_in_a_fragment_names_it(void **state)
{
	(void)state;
	put("f", BASE TRUSTED "include: conf.d\nlog: {level: info}\n", 0600);
	put("conf.d/10-a.yaml",
	    "log: {level: debug}\n"
	    "registration: {max-lifetime: 0}\n"
	    "include: elsewhere\n"
	    "mobile-nodes:\n"
	    "  - {home-address: 10.50.0.7, spi: 256, key: " KEY "}\n"
	    "  - {home-address: 10.51.0.7, spi: 256, key: " KEY "}\n",
	    0600);
	put("conf.d/20-b.yaml",
	    "mobile-nodes:\n  - {home-address: 10.50.0.7, spi: 256, key: " KEY "}\n", 0604);
	put("conf.d/30-empty.yaml", "tunnel:\n  mtu: 1400\n  mtu: 1500\n", 0600);
	forget(read_as(
		"ihad", "f",
		"conf.d/10-a.yaml:1:14: error: log.level: given a second time; the first is in "
		"f, "
		"line 7\n"
		"conf.d/10-a.yaml:2:30: error: registration.max-lifetime: \"0\" is out of range: "
		"1 "
		"to 65535 seconds\n"
		"conf.d/10-a.yaml:3:10: error: include: a fragment includes no other files\n"
		"conf.d/10-a.yaml:6:20: error: home-address: 10.51.0.7 is in none of the "
		"home-networks\n"
		"conf.d/30-empty.yaml:3:8: error: tunnel.mtu: given a second time; the first is "
		"in "
		"line 2\n"
		"conf.d/20-b.yaml:2:36: error: spi: this node has SPI 256 already, in "
		"conf.d/10-a.yaml:5\n"
		"conf.d/20-b.yaml:2:46: error: this file holds keys, and others may read it "
		"(mode "
		"0604): chmod o-rwx it, or say allow-readable-keys: true\n"));
	put("conf.d/30-empty.yaml", "tunnel: {\n", 0600);
	put("conf.d/20-b.yaml", "", 0600);
	put("conf.d/10-a.yaml", "", 0600);
	forget(read_as("ihad", "f",
		       "conf.d/30-empty.yaml:2:1: error: did not find expected node content, while "
		       "parsing a flow node of line 2\n"));
}

static void a_directory_that_cannot_be_read_is_a_fault_where_it_is_named(void **state)
{
	(void)state;
	expect_of("ihad", BASE "include: /nowhere\n" TRUSTED,
		  "f:5:10: error: include: cannot read the directory /nowhere: No such file or "
		  "directory\n");
}

static int setup(void **state)
{
	int rc = workdir_setup(state);

	return rc ? rc : mkdir("conf.d", 0700);
}

static int teardown(void **state)
{
	static const char *const files[] = { "conf.d/10-a.yaml", "conf.d/20-b.yaml",
					     "conf.d/30-empty.yaml", "conf.d/notes.txt",
					     "conf.d/.hidden.yaml" };

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		(void)unlink(files[i]);
	(void)rmdir("conf.d");
	return workdir_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_said_of_a_wise_file),
		cmocka_unit_test(nobody_asked_nobody_is_warned),
		cmocka_unit_test(an_empty_trusted_list_is_unwise),
		cmocka_unit_test(the_kernels_devices_that_are_to_clamp_are_warned_of),
		cmocka_unit_test(trusting_everywhere_is_unwise),
		cmocka_unit_test(networks_that_together_are_everywhere_are_unwise),
		cmocka_unit_test(a_key_of_one_octet_again_and_again_is_unwise),
		cmocka_unit_test(a_previous_key_that_is_short_is_unwise),
		cmocka_unit_test(interfaces_without_a_fast_path_or_named_twice_are_unwise),
		cmocka_unit_test(a_short_key_and_keyed_md5_are_unwise),
		cmocka_unit_test(a_tolerance_over_a_minute_is_unwise),
		cmocka_unit_test(any_traffic_out_of_the_tunnels_is_unwise),
		cmocka_unit_test(both_home_agents_on_one_address_are_unwise),
		cmocka_unit_test(warnings_are_told_beside_faults),
		cmocka_unit_test(lists_go_on_in_fragments_by_name),
		cmocka_unit_test(a_fault_in_a_fragment_names_it),
		cmocka_unit_test(a_directory_that_cannot_be_read_is_a_fault_where_it_is_named),
	};

	return cmocka_run_group_tests_name("ha_conf_check", tests, setup, teardown);
}

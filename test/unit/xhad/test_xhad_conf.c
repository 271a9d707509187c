/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys that xhad adds, and the example that is shipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "ha-core/ha_conf.h"
#include "test/unit/common/workdir.h"
#include "xhad/conf.c" /* no library: the daemon is made of its objects */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BASE "home-agent: {address: 198.51.100.2}\nhome-networks: [{prefix: 203.0.113.0/24}]\n"

static int read_file(struct xhad_conf *own, struct conf_faults *faults, struct ha_conf **ret_conf)
{
	*own = (struct xhad_conf){ 0 };
	*faults = (struct conf_faults){ 0 };
	return ha_conf_read_checked("f", "xhad", xhad_conf_rows, own, xhad_conf_check, faults,
				    ret_conf);
}

static int read_octets(const char *text, size_t len, struct xhad_conf *own,
		       struct conf_faults *faults, struct ha_conf **ret_conf)
{
	workdir_write("f", text, len, 0600);
	return read_file(own, faults, ret_conf);
}

static void its_own_keys_are_read(void **state)
{
	static const char text[] = BASE "forwarding:\n"
					"  policy: any\n"
					"  vpn-gateways: [198.51.100.10, 198.51.100.11]\n"
					"inside:                          # dropped and logged\n"
					"  interfaces: [dmz1]\n"
					"  networks: [10.0.0.0/8]\n";
	static struct conf_faults faults;
	struct xhad_conf own;
	struct ha_conf *c = NULL;

	(void)state;
	assert_int_equal(read_octets(text, strlen(text), &own, &faults, &c), 0);
	assert_int_equal(own.forwarding.policy, XHAD_CONF_ANY);
	assert_int_equal(own.forwarding.vpn_gateways.cnt, 2);
	assert_true(addr_set_contains(&own.forwarding.vpn_gateways, addr_from_host(0xc633640a)));
	assert_false(addr_set_contains(&own.forwarding.vpn_gateways, addr_from_host(0xc633640c)));
	assert_int_equal(own.inside.interface_cnt, 1);
	assert_string_equal(own.inside.interfaces[0], "dmz1");
	assert_int_equal(own.inside.networks.cnt, 1);
	assert_string_equal(c->state.directory, "/var/lib/home-agent/xhad");
	assert_string_equal(c->control.socket, "/run/home-agent/xhad.sock");
	ha_conf_free(c);
	conf_done(xhad_conf_rows, &own);
	assert_null(own.inside.interfaces);
}

/** What --check prints of this text has to be this. */
static void expect(const char *text, const char *printed)
{
	static struct conf_faults warnings;
	struct conf_faults faults = { .warnings = &warnings };
	struct ha_conf *c = NULL;
	struct xhad_conf own = { 0 };
	char *out = NULL;
	FILE *stream;
	size_t len;
	int err;

	workdir_write("f", text, strlen(text), 0600);
	err = ha_conf_read_checked("f", "xhad", xhad_conf_rows, &own, xhad_conf_check, &faults, &c);
	assert_int_equal(err, strstr(printed, ": error: ") ? ERR_CONFIG : 0);
	stream = open_memstream(&out, &len);
	assert_non_null(stream);
	conf_faults_print(&faults, stream);
	(void)fclose(stream);
	assert_string_equal(out, printed);
	free(out);
	conf_faults_done(&faults);
	conf_faults_done(&warnings);
	ha_conf_free(c);
	conf_done(xhad_conf_rows, &own);
}

static void a_file_silent_on_forwarding_is_warned_of_and_one_without_gateways_wrong(void **state)
{
	(void)state;
	expect(BASE, "f:1:1: warning: forwarding.vpn-gateways: none is listed, so nothing may pass "
		     "the tunnels\n");
	expect(BASE "forwarding: {policy: ipsec-only}\n",
	       "f:3:13: error: forwarding.vpn-gateways: none is listed, and so ipsec-only lets "
	       "nothing pass\n");
	expect(BASE "forwarding: {vpn-gateways: []}\n",
	       "f:3:28: error: forwarding.vpn-gateways: none is listed, and so ipsec-only lets "
	       "nothing pass\n");
	expect(BASE "forwarding: {policy: any}\n",
	       "f:3:22: warning: forwarding.policy: any traffic may leave the tunnels, encrypted "
	       "or not: use ipsec-only\n");
}

static void a_gateway_is_an_address_that_a_host_can_have(void **state)
{
	static const char *const bad[] = { "0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255" };
	char text[256], printed[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(text, sizeof(text), BASE "forwarding: {vpn-gateways: [%s]}\n", bad[i]);
		snprintf(printed, sizeof(printed),
			 "f:3:29: error: forwarding.vpn-gateways: \"%s\": a VPN gateway has an "
			 "address that a host can have\n",
			 bad[i]);
		expect(text, printed);
	}
}

static void a_gateway_is_not_where_packets_go_into_tunnels(void **state)
{
	(void)state;
	expect(BASE "forwarding: {vpn-gateways: [198.51.100.10, 203.0.113.9]}\n",
	       "f:3:28: error: forwarding.vpn-gateways: 203.0.113.9 lies in a virtual home "
	       "network: no packet would reach it\n");
	/* A home link has other hosts; but not those. */
	expect("home-agent: {address: 198.51.100.2}\n"
	       "home-networks: [{prefix: 198.51.100.0/24, interface: dmz0,\n"
	       "                 dynamic-pool: 198.51.100.128/25}]\n"
	       "mobile-nodes: [{home-address: 198.51.100.50, spi: 256,\n"
	       "                key: 00112233445566778899aabbccddeeff}]\n"
	       "forwarding:\n"
	       "  vpn-gateways: [198.51.100.10, 198.51.100.50, 198.51.100.130]\n",
	       "f:7:17: error: forwarding.vpn-gateways: 198.51.100.50 is a mobile node's home "
	       "address: no packet would reach it\n"
	       "f:7:17: error: forwarding.vpn-gateways: 198.51.100.130 lies in a dynamic-pool: no "
	       "packet would reach it\n");
}

static void the_home_agents_own_address_as_a_gateway_is_asked_about(void **state)
{
	(void)state;
	expect(BASE "forwarding: {vpn-gateways: [198.51.100.2]}\n",
	       "f:3:28: warning: forwarding.vpn-gateways: 198.51.100.2 is the home agent's own "
	       "address: does a VPN gateway listen there?\n");
}

static void every_faulty_gateway_is_named_and_so_is_one_listed_twice(void **state)
{
	(void)state;
	expect(BASE "forwarding:\n"
		    "  vpn-gateways: [198.51.100.10, 198.51.100.10, 203.0.113.9, 198.51.100.2,\n"
		    "                 127.0.0.1, vpn]\n",
	       "f:4:17: error: forwarding.vpn-gateways: 203.0.113.9 lies in a virtual home "
	       "network: no packet would reach it\n"
	       "f:4:33: error: forwarding.vpn-gateways: \"198.51.100.10\" is in this list "
	       "already\n"
	       "f:5:18: error: forwarding.vpn-gateways: \"127.0.0.1\": a VPN gateway has an "
	       "address that a host can have\n"
	       "f:5:29: error: forwarding.vpn-gateways: \"vpn\" is not an IPv4 address\n"
	       "f:4:17: warning: forwarding.vpn-gateways: 198.51.100.2 is the home agent's own "
	       "address: does a VPN gateway listen there?\n");
}

#define GATEWAY "forwarding: {vpn-gateways: [198.51.100.10]}\n"

static void everywhere_inside_is_unwise(void **state)
{
	(void)state;
	expect(BASE GATEWAY "inside: {networks: [10.0.0.0/8, 0.0.0.0/0]}\n",
	       "f:4:33: warning: inside.networks: everywhere is inside: every request will be "
	       "dropped\n");
}

static void an_inside_interface_that_is_not_there_is_warned_of(void **state)
{
	(void)state;
	expect(BASE GATEWAY "inside: {interfaces: [lo, nonexist0, nonexist1]}\n",
	       "f:4:22: warning: inside.interfaces: nonexist0 is not on this host: nothing comes "
	       "in by it\n"
	       "f:4:22: warning: inside.interfaces: nonexist1 is not on this host: nothing comes "
	       "in by it\n");
}

static void the_kernels_devices_under_ipsec_only_are_warned_of(void **state)
{
	(void)state;
	expect(BASE GATEWAY "tunnel: {data-path: kernel}\n",
	       "f:4:21: warning: tunnel.data-path: kernel cannot filter, and forwarding.policy is "
	       "ipsec-only: tun will carry everything\n");
	expect(BASE "forwarding: {policy: any}\ntunnel: {data-path: kernel}\n",
	       "f:3:22: warning: forwarding.policy: any traffic may leave the tunnels, encrypted "
	       "or not: use ipsec-only\n");
}

static void ipsec_only_is_the_default_and_may_have_no_gateway(void **state)
{
	static struct conf_faults faults;
	struct xhad_conf own;
	struct ha_conf *c = NULL;

	(void)state;
	assert_int_equal(read_octets(BASE, strlen(BASE), &own, &faults, &c), 0);
	assert_int_equal(own.forwarding.policy, XHAD_CONF_IPSEC_ONLY);
	assert_int_equal(own.forwarding.vpn_gateways.cnt, 0);
	assert_int_equal(own.inside.interface_cnt, 0);
	assert_int_equal(own.inside.networks.cnt, 0);
	ha_conf_free(c);
	conf_done(xhad_conf_rows, &own);
}

static void faults_have_their_place(void **state)
{
	static const char text[] =
		BASE "forwarding: {policy: ipsec, vpn-gateways: [10.0.0.0/8]}\n"
		     "inside: {interfaces: [abcdefghijklmnop], networks: 10.0.0.0/8}\n"
		     "trusted-networks: [10.0.0.0/8]\n";
	static struct conf_faults faults;
	struct xhad_conf own;
	struct ha_conf *c = NULL;
	static const struct conf_mark at[] = {
		{ 3, 22 }, { 3, 44 }, { 4, 23 }, { 4, 52 }, { 5, 1 }
	};
	size_t i;

	(void)state;
	assert_int_equal(read_octets(text, strlen(text), &own, &faults, &c), ERR_CONFIG);
	assert_int_equal(faults.cnt, 5);
	for (i = 0; i < 5; i++) {
		assert_int_equal(faults.list[i].at.line, at[i].line);
		assert_int_equal(faults.list[i].at.column, at[i].column);
	}
	conf_faults_done(&faults);
}

/* Copied, because a checkout is readable by all and the example holds (example) keys. */
static void the_example_that_is_shipped_has_no_fault(void **state)
{
	static struct conf_faults faults;
	static char text[65536];
	struct xhad_conf own;
	struct ha_conf *c = NULL;
	FILE *f = fopen(TEST_SOURCE_DIR "/../etc/xhad.yaml", "r");
	size_t len;
	int err;

	(void)state;
	assert_non_null(f);
	len = fread(text, 1, sizeof(text), f);
	fclose(f);
	assert_int_equal(read_octets(text, len, &own, &faults, &c), 0);
	assert_int_equal(c->mobile_node_cnt, 1);
	assert_int_equal(own.forwarding.vpn_gateways.cnt, 1);
	ha_conf_free(c);
	conf_done(xhad_conf_rows, &own);
	/* And every beginning of it is survived: cut, as a file written anew goes to the disk. */
	for (; len > 0; len--) {
		c = NULL;
		assert_int_equal(truncate("f", (off_t)len), 0);
		err = read_file(&own, &faults, &c);
		assert_int_equal(err, conf_faults_any(&faults) ? ERR_CONFIG : 0);
		ha_conf_free(c);
		conf_done(xhad_conf_rows, &own);
		conf_faults_done(&faults);
	}
}

/* "# key: value" lines of the example, uncommented, are a configuration too: no stale names. */
static void the_comments_of_the_example_name_real_keys(void **state)
{
	static struct conf_faults faults;
	static char text[65536];
	char line[256], *mark;
	struct xhad_conf own;
	struct ha_conf *c = NULL;
	FILE *f = fopen(TEST_SOURCE_DIR "/../etc/xhad.yaml", "r");

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		mark = strstr(line, "# ");
		/* Prose begins with a capital, or its first word is not followed by a colon. */
		if (mark && strspn(line, " ") == (size_t)(mark - line) &&
		    (mark[2] == ' ' ||
		     mark[2 + strspn(mark + 2, "abcdefghijklmnopqrstuvwxyz-")] == ':'))
			memmove(mark, mark + 2, strlen(mark + 2) + 1);
		if (strncmp(line, "mobile-nodes-file", 17) != 0)
			strcat(text, line);
	}
	fclose(f);
	assert_int_equal(mkdir("xhad.d", 0700), 0); /* that include names */
	assert_int_equal(read_octets(text, strlen(text), &own, &faults, &c), 0);
	assert_int_equal(rmdir("xhad.d"), 0);
	assert_string_equal(c->home_networks[0].interface, "dmz0");
	assert_true(c->home_networks[0].has_dynamic_pool);
	assert_int_equal(own.inside.interface_cnt, 1);
	assert_int_equal(c->foreign_agent_cnt, 1);
	assert_string_equal(c->control.group, "netops");
	ha_conf_free(c);
	conf_done(xhad_conf_rows, &own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_own_keys_are_read),
		cmocka_unit_test(ipsec_only_is_the_default_and_may_have_no_gateway),
		cmocka_unit_test(
			a_file_silent_on_forwarding_is_warned_of_and_one_without_gateways_wrong),
		cmocka_unit_test(a_gateway_is_an_address_that_a_host_can_have),
		cmocka_unit_test(a_gateway_is_not_where_packets_go_into_tunnels),
		cmocka_unit_test(the_home_agents_own_address_as_a_gateway_is_asked_about),
		cmocka_unit_test(every_faulty_gateway_is_named_and_so_is_one_listed_twice),
		cmocka_unit_test(everywhere_inside_is_unwise),
		cmocka_unit_test(an_inside_interface_that_is_not_there_is_warned_of),
		cmocka_unit_test(the_kernels_devices_under_ipsec_only_are_warned_of),
		cmocka_unit_test(faults_have_their_place),
		cmocka_unit_test(the_example_that_is_shipped_has_no_fault),
		cmocka_unit_test(the_comments_of_the_example_name_real_keys),
	};

	return cmocka_run_group_tests_name("xhad_conf", tests, workdir_setup, workdir_teardown);
}

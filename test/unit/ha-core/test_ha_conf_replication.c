/* SPDX-License-Identifier: BSD-2-Clause */
/* state.replication: what is refused, and what comes of what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "ha-core/ha_conf.h"
#include "test/unit/common/workdir.h"
#include "test/unit/ha-core/cluster/pem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BASE                         \
	"home-agent:\n"              \
	"  address: 10.0.0.2\n"      \
	"home-networks:\n"           \
	"  - prefix: 10.50.0.0/16\n" \
	"state:\n"                   \
	"  directory: /var/lib/x\n"  \
	"  replication:\n"
#define SERVERS  "    servers: [10.0.0.21:6379, 10.0.0.22:6380]\n"
#define PASSWORD "    password-file: nodes\n"

static const struct conf_key no_rows[] = { { 0 } };

/** What is printed must be this. The caller frees. */
static struct ha_conf *read_text(const char *text, const char *expect)
{
	static struct conf_faults faults, warnings;
	struct ha_conf *conf = NULL;
	char *printed = NULL, nothing;
	size_t len;
	FILE *out = open_memstream(&printed, &len);

	assert_non_null(out);
	warnings = (struct conf_faults){ 0 };
	faults = (struct conf_faults){ .warnings = &warnings };
	workdir_write("f", text, strlen(text), 0600);
	(void)ha_conf_read("f", "ihad", no_rows, &nothing, &faults, &conf);
	conf_faults_print(&faults, out);
	fclose(out);
	assert_string_equal(printed, expect);
	free(printed);
	conf_faults_done(&faults);
	conf_faults_done(&warnings);
	return conf;
}

static void nothing_is_shared_by_default(void **state)
{
	struct ha_conf *conf = read_text(BASE "    name: ha1\n", "");

	(void)state;
	assert_int_equal(conf->state.replication.server_cnt, 0);
	assert_null(conf->state.replication.password);
	ha_conf_free(conf);
}

static void what_wants_servers_is_told_without_any(void **state)
{
	(void)state;
	ha_conf_free(read_text(
		BASE "    role: standby\n    durability: confirmed\n",
		"f:8:11: warning: state.replication.role: standby, but without servers this home "
		"agent is on its own, and answers: list those that the hosts share\n"
		"f:9:17: warning: state.replication.durability: confirmed, but without servers "
		"nothing is shared: list those that the hosts share\n"));
}

static void the_password_is_the_first_line_of_its_file(void **state)
{
	struct ha_conf *conf;

	(void)state;
	workdir_write("nodes", "open sesame\nand more\n", 21, 0600);
	conf = read_text(BASE SERVERS PASSWORD, "");
	assert_string_equal(conf->state.replication.password, "open sesame");
	assert_string_equal(conf->state.replication.prefix, "home-agent:ihad");
	assert_int_equal(conf->state.replication.server_cnt, 2);
	ha_conf_free(conf);
}

static void nothing_is_shared_without_a_password(void **state)
{
	(void)state;
	read_text(BASE SERVERS,
		  "f:8:14: error: state.replication: password-file is missing: nothing "
		  "is shared without one\n");
	workdir_write("nodes", "\n", 1, 0600);
	read_text(BASE SERVERS PASSWORD,
		  "f:9:20: error: state.replication.password-file: its first "
		  "line is empty\n");
	assert_int_equal(unlink("nodes"), 0);
	read_text(BASE SERVERS PASSWORD,
		  "f:9:20: error: cannot read nodes: No such file or directory\n");
}

static void a_password_is_not_for_others_to_read(void **state)
{
	(void)state;
	workdir_write("nodes", "open sesame\n", 12, 0644);
	read_text(BASE SERVERS PASSWORD,
		  "nodes:1:1: error: this file holds keys, and others may read it (mode 0644): "
		  "chmod o-rwx it, or say allow-readable-keys: true\n");
}

static void what_has_no_effect_is_told(void **state)
{
	(void)state;
	workdir_write("nodes", "open sesame\n", 12, 0600);
	ha_conf_free(read_text(
		BASE SERVERS PASSWORD "    replicas: 1\n    unconfirmed: withhold\n",
		"f:10:15: warning: state.replication.replicas: nothing waits for them under "
		"async: set durability to confirmed\n"
		"f:11:18: warning: state.replication.unconfirmed: nothing is withheld under "
		"async: set durability to confirmed\n"));
	ha_conf_free(read_text(BASE SERVERS PASSWORD "    durability: confirmed\n    replicas: 1\n"
						     "    unconfirmed: withhold\n",
			       ""));
}

static void a_server_counts_once(void **state)
{
	(void)state;
	workdir_write("nodes", "open sesame\n", 12, 0600);
	ha_conf_free(read_text(
		BASE PASSWORD "    servers: [10.0.0.21:6380, 10.0.0.22:6380, 10.0.0.21:06380]\n",
		"f:9:14: warning: state.replication.servers: 10.0.0.21:06380 is there twice\n"));
}

static void a_server_is_no_sentinel(void **state)
{
	(void)state;
	workdir_write("nodes", "open sesame\n", 12, 0600);
	ha_conf_free(read_text(BASE PASSWORD "    servers: [10.0.0.21:26379, 10.0.0.22:6379]\n"
					     "    sentinel-master: agents\n",
			       "f:9:14: warning: state.replication.servers: with sentinel-master "
			       "these are Sentinels, and 10.0.0.22:6379 is a server's port\n"));
}

static void what_cannot_be_shared_at_once_is_to_be_remembered(void **state)
{
	(void)state;
	workdir_write("nodes", "open sesame\n", 12, 0600);
	read_text("home-agent: {address: 10.0.0.2}\n"
		  "home-networks: [{prefix: 10.50.0.0/16}]\n"
		  "state: {directory: none, replication: {servers: [10.0.0.21:6379], "
		  "password-file: nodes}}\n",
		  "f:3:20: error: state.directory: none, but state.replication needs one: what "
		  "cannot be shared at once is remembered there\n");
}

static void a_server_is_an_address_and_a_port(void **state)
{
	static const char *const wrong[] = { "10.0.0.21",
					     "10.0.0.21:",
					     "10.0.0.21:0",
					     "10.0.0.21:65536",
					     "10.0.0.21:6379x",
					     "store1:6379",
					     "10.0.0.21.5:6379",
					     ":6379",
					     "10.0.0.21:-1",
					     "100.100.100.100.100:1",
					     "" };
	struct in_addr address;
	uint16_t port;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(ha_conf_server(wrong[i], &address, &port));
	assert_true(ha_conf_server("10.0.0.21:6379", &address, &port));
	assert_string_equal(addr_text(address).s, "10.0.0.21");
	assert_int_equal(port, 6379);
}

#define TLS      "    tls: true\n"
#define CA       "    tls-ca-file: ca\n"
#define IDENTITY "    tls-certificate: cert\n    tls-key-file: key\n"

static void write_file(const char *name, const char *text, mode_t mode)
{
	workdir_write(name, text, strlen(text), mode);
}

static void setup_tls(void)
{
	write_file("nodes", "open sesame\n", 0600);
	pem_write("ca", "unused", "DNS:ca.example");
	pem_write("cert", "key", "DNS:ha1.example");
}

static void tls_is_with_an_authority(void **state)
{
	struct ha_conf *conf;

	(void)state;
	setup_tls();
	conf = read_text(BASE SERVERS PASSWORD, "");
	assert_false(conf->state.replication.tls);
	ha_conf_free(conf);
	conf = read_text(BASE SERVERS PASSWORD TLS CA IDENTITY "    tls-name: a.example\n", "");
	assert_true(conf->state.replication.tls);
	assert_string_equal(conf->state.replication.tls_name, "a.example");
	ha_conf_free(conf);
	read_text(BASE SERVERS PASSWORD TLS,
		  "f:10:10: error: state.replication.tls: tls-ca-file is missing: nobody is "
		  "trusted without one\n");
}

static void a_certificate_is_with_its_key(void **state)
{
	(void)state;
	setup_tls();
	read_text(BASE SERVERS PASSWORD TLS CA "    tls-certificate: cert\n",
		  "f:12:22: error: state.replication: tls-certificate and tls-key-file need each "
		  "other\n");
	read_text(BASE SERVERS PASSWORD TLS CA "    tls-key-file: key\n",
		  "f:12:19: error: state.replication: tls-certificate and tls-key-file need each "
		  "other\n");
	pem_write("unused", "key", "DNS:ha1.example");
	read_text(BASE SERVERS PASSWORD TLS CA IDENTITY,
		  "f:10:10: error: state.replication.tls: key: key values mismatch\n");
}

static void the_key_of_a_certificate_is_not_for_others_to_read(void **state)
{
	(void)state;
	setup_tls();
	assert_int_equal(chmod("key", 0644), 0);
	read_text(BASE SERVERS PASSWORD TLS CA IDENTITY,
		  "key:1:1: error: this file holds keys, and others may read it (mode 0644): "
		  "chmod o-rwx it, or say allow-readable-keys: true\n");
}

static void what_tls_cannot_use_is_told_at_once(void **state)
{
	(void)state;
	setup_tls();
	write_file("ca", "spoilt\n", 0644);
	read_text(BASE SERVERS PASSWORD TLS CA,
		  "f:10:10: error: state.replication.tls: ca: no certificate or crl found\n");
	assert_int_equal(unlink("ca"), 0);
	read_text(BASE SERVERS PASSWORD TLS CA,
		  "f:11:18: error: cannot read ca: No such file or directory\n");
	ha_conf_free(read_text(BASE SERVERS PASSWORD CA, "")); /* without tls nobody asks */
}

static void a_name_for_a_whole_domain_is_none(void **state)
{
	(void)state;
	setup_tls();
	read_text(BASE SERVERS PASSWORD TLS CA "    tls-name: .example\n",
		  "f:12:15: error: state.replication.tls-name: a host's name or address "
		  "is wanted\n");
}

static int teardown(void **state)
{
	static const char *const files[] = { "ca", "cert", "key", "unused" };
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		(void)unlink(files[i]);
	return workdir_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_shared_by_default),
		cmocka_unit_test(what_wants_servers_is_told_without_any),
		cmocka_unit_test(the_password_is_the_first_line_of_its_file),
		cmocka_unit_test(nothing_is_shared_without_a_password),
		cmocka_unit_test(a_password_is_not_for_others_to_read),
		cmocka_unit_test(what_has_no_effect_is_told),
		cmocka_unit_test(a_server_counts_once),
		cmocka_unit_test(a_server_is_no_sentinel),
		cmocka_unit_test(what_cannot_be_shared_at_once_is_to_be_remembered),
		cmocka_unit_test(a_server_is_an_address_and_a_port),
		cmocka_unit_test(tls_is_with_an_authority),
		cmocka_unit_test(a_certificate_is_with_its_key),
		cmocka_unit_test(the_key_of_a_certificate_is_not_for_others_to_read),
		cmocka_unit_test(what_tls_cannot_use_is_told_at_once),
		cmocka_unit_test(a_name_for_a_whole_domain_is_none),
	};

	return cmocka_run_group_tests(tests, workdir_setup, teardown);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mobile-nodes-file, through the reading of the whole configuration that names it.
 *
 * Input: the file.
 */
#include "common/err.h"
#include "ha-core/ha_conf.h"
#include "test/fuzz/conf_file.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct conf_key no_rows[] = { { 0 } };
static char main_path[64];

/* The main file stays as it is; the one that inputs are written to is the nodes'. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int fd = memfd_create("main", MFD_CLOEXEC);

	(void)argc;
	(void)argv;
	conf_file_open();
	FUZZ_CHECK(fd >= 0 && fchmod(fd, 0600) == 0);
	FUZZ_CHECK(dprintf(fd,
			   "home-agent: {address: 10.0.0.2}\n"
			   "home-networks:\n"
			   "  - {prefix: 10.50.0.0/16, dynamic-pool: 10.50.128.0/24}\n"
			   "mobile-nodes-file: %s\n",
			   conf_file_path()) > 0);
	(void)snprintf(main_path, sizeof(main_path), "/proc/%d/fd/%d", (int)getpid(), fd);
	return 0;
}

static void check_node(const struct ha_conf_node *node)
{
	FUZZ_CHECK(!addr_is_any(node->home_addr) || node->nai);
	FUZZ_CHECK(!node->nai || strlen(node->nai) <= HA_CONF_NAI_MAX);
	FUZZ_CHECK(node->spi >= 256 && node->key_len > 0 && node->key_len <= MAC_KEY_MAX);
	FUZZ_CHECK(node->algorithm < MAC_ALGORITHM_CNT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf_faults faults;
	struct ha_conf_digest digest = { { 1, 2 } };
	struct ha_conf *conf = NULL;
	size_t i;
	int err;

	faults = (struct conf_faults){ 0 };
	conf_file_write(data, size);
	err = ha_conf_read(main_path, "ihad", no_rows, NULL, &faults, &conf);
	conf_file_check_faults(&faults, err, conf != NULL);
	if (conf) {
		for (i = 0; i < conf->mobile_node_cnt; i++)
			check_node(&conf->mobile_nodes[i]);
		ha_conf_sum(conf, &digest);
		ha_conf_free(conf);
	}
	conf_faults_done(&faults);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A configuration as either daemon reads it, the whole check included: what is wrong is told, each
 * with its place; what is right can be shown, without a key, and released. Without faults there is
 * a configuration, with faults there is none.
 *
 * Input: the file. Other files that it names are those of this host, as they would be.
 */
#include "ha-core/ha_conf.h"
#include "ihad/conf.h"
#include "test/fuzz/conf_file.h"
#include "xhad/conf.h"

static void read_as(const char *name, const struct conf_key *rows, void *own)
{
	static struct conf_faults faults, warnings;
	struct conf_section section = { ha_conf_rows, NULL };
	struct ha_conf *conf = NULL;
	int err;

	faults = (struct conf_faults){ .warnings = &warnings };
	warnings = (struct conf_faults){ 0 };
	err = ha_conf_read(conf_file_path(), name, rows, own, &faults, &conf);
	conf_file_check_faults(&faults, err, conf != NULL);
	if (conf) {
		section.base = conf;
		conf_file_check_shown(&section);
		section = (struct conf_section){ rows, own };
		conf_file_check_shown(&section);
		conf_done(rows, own);
		FUZZ_CHECK(!ha_conf_free(conf));
	}
	conf_faults_done(&warnings);
	faults.warnings = NULL;
	conf_faults_done(&faults);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	conf_file_open();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ihad_conf ihad;
	static struct xhad_conf xhad;

	conf_file_write(data, size);
	ihad = (struct ihad_conf){ 0 };
	xhad = (struct xhad_conf){ 0 };
	read_as("ihad", ihad_conf_rows, &ihad);
	read_as("xhad", xhad_conf_rows, &xhad);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/** A configuration file in memory, and what holds of every reading of one. */
#ifndef TEST_FUZZ_CONF_FILE_H
#define TEST_FUZZ_CONF_FILE_H

#include "common/conf.h"
#include "test/fuzz/fuzz.h"

/** Makes the file; what it cannot make ends the program. */
void conf_file_open(void);
const char *conf_file_path(void);
/** This is what the file holds now; only its owner may read it. */
void conf_file_write(const void *data, size_t size);

/** The faults have places and words, and their number fits the outcome. */
void conf_file_check_faults(const struct conf_faults *faults, int err, bool has_conf);
/** Every key can be shown, and the walk ends. */
void conf_file_check_shown(const struct conf_section *section);

#endif

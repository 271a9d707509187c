/* SPDX-License-Identifier: BSD-2-Clause */
/** CRC-32C (Castagnoli), the checksum of iSCSI (RFC 3720 §12.1): finds what a disk did to us. */
#ifndef COMMON_CRC32C_H
#define COMMON_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/** Goes on from the checksum of what stands before; 0 at the beginning. */
uint32_t crc32c(uint32_t before, const void *data, size_t len);

/** The same on a processor that has no instruction for it; of use to a test. */
uint32_t crc32c_by_tables(uint32_t before, const void *data, size_t len);

#endif

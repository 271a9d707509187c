/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * By the processor's own instruction where it has one (x86-64 with SSE 4.2), eight octets each.
 * Elsewhere by eight tables ("slicing by 8"), which are made once. A checksum of the store's every
 * batch must cost next to nothing on any machine: of a node's record, 110 octets, it is 0.02 us by
 * the instruction and 0.07 us by tables, if those are in the cache.
 */
#include "common/crc32c.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u /* reflected */

static uint32_t tables[8][256];
static bool has_instruction;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;

static void prepare(void)
{
	uint32_t i, k, crc;

#ifdef __x86_64__
	has_instruction = __builtin_cpu_supports("sse4.2");
#endif
	for (i = 0; i < 256; i++) {
		crc = i;
		for (k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		tables[0][i] = crc;
	}
	for (k = 1; k < 8; k++)
		for (i = 0; i < 256; i++)
			tables[k][i] = tables[k - 1][i] >> 8 ^ tables[0][tables[k - 1][i] & 0xff];
}

static uint32_t word_at(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t by_tables(uint32_t crc, const uint8_t *p, size_t len)
{
	uint32_t a, b;

	for (; len >= 8; p += 8, len -= 8) {
		a = crc ^ word_at(p);
		b = word_at(p + 4);
		crc = tables[7][a & 0xff] ^ tables[6][a >> 8 & 0xff] ^ tables[5][a >> 16 & 0xff] ^
		      tables[4][a >> 24] ^ tables[3][b & 0xff] ^ tables[2][b >> 8 & 0xff] ^
		      tables[1][b >> 16 & 0xff] ^ tables[0][b >> 24];
	}
	for (; len > 0; p++, len--)
		crc = crc >> 8 ^ tables[0][(crc ^ *p) & 0xff];
	return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const uint8_t *p,
								 size_t len)
{
	uint64_t word, wide = crc;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, sizeof(word));
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = (uint32_t)wide;
	for (; len > 0; p++, len--)
		crc = __builtin_ia32_crc32qi(crc, *p);
	return crc;
}
#else
#define by_instruction by_tables
#endif

uint32_t crc32c(uint32_t before, const void *data, size_t len)
{
	(void)pthread_once(&prepared, prepare);
	return ~(has_instruction ? by_instruction(~before, data, len)
				 : by_tables(~before, data, len));
}

uint32_t crc32c_by_tables(uint32_t before, const void *data, size_t len)
{
	(void)pthread_once(&prepared, prepare);
	return ~by_tables(~before, data, len);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The grammar of the instruments' options.
 */
#include "test/instrument/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool options_u32(const char *text, uint32_t min, uint32_t max, uint32_t *ret)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-' || v < min || v > max)
		return false;
	*ret = (uint32_t)v;
	return true;
}

bool options_seconds(const char *text, uint32_t *ret_ms)
{
	char *end;
	double s = strtod(text, &end);

	if (end == text || *end || !(s >= 0 && s <= 86400))
		return false;
	*ret_ms = (uint32_t)(s * 1000);
	return true;
}

bool options_choice(const char *text, const char *const *names, size_t cnt, size_t *ret)
{
	for (size_t i = 0; i < cnt; i++) {
		if (strcmp(names[i], text) == 0) {
			*ret = i;
			return true;
		}
	}
	return false;
}

bool options_algorithm(const char *text, enum mac_algorithm *ret)
{
	for (int i = 0; i < MAC_ALGORITHM_CNT; i++) {
		if (strcmp(mac_name((enum mac_algorithm)i), text) == 0) {
			*ret = (enum mac_algorithm)i;
			return true;
		}
	}
	return false;
}

bool options_key(const char *text, uint8_t *key, size_t *ret_len)
{
	static const char digits[] = "0123456789abcdef";
	size_t len = strlen(text);

	if (len == 0 || len % 2 || len / 2 > MAC_KEY_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		const char *digit = strchr(digits, text[i] | ('a' ^ 'A'));

		if (!digit || !*digit)
			return false;
		key[i / 2] = (uint8_t)(key[i / 2] << 4 | (digit - digits));
	}
	*ret_len = len / 2;
	return true;
}

bool options_unicast(const char *text, struct in_addr *ret)
{
	return addr_parse(text, ret) == 0 && addr_is_unicast(*ret);
}

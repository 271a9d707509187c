/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The grammar of the instruments' options.
 */
#include "test/instrument/options.h"

#include "common/daemon.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
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

static int usage_error(const struct options_program *program)
{
	fprintf(stderr, "Try '%s --help'.\n", program->name);
	return DAEMON_EXIT_USAGE;
}

int options_read(const struct options_program *program, void *ctx, int argc, char **argv)
{
	int opt, index = 0;
	const char *what;

	while ((opt = getopt_long(argc, argv, "Vh", program->options, &index)) != -1) {
		if (opt == 'h') {
			fputs(program->help, stdout);
			return DAEMON_EXIT_DONE;
		}
		if (opt == 'V') {
			printf("%s %s\n", program->name, HOME_AGENT_VERSION);
			return DAEMON_EXIT_DONE;
		}
		if (opt == '?')
			return usage_error(program);
		if (!program->take(ctx, opt, optarg)) {
			fprintf(stderr, "%s: --%s: not a good value: %s\n", program->name,
				program->options[index].name,
				program->is_secret(opt) ? "(a key)" : optarg);
			return usage_error(program);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "%s: unexpected argument '%s'\n", program->name, argv[optind]);
		return usage_error(program);
	}
	what = program->missing(ctx);
	if (what) {
		fprintf(stderr, "%s: %s is missing\n", program->name, what);
		return usage_error(program);
	}
	return -1;
}

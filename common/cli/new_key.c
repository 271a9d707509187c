/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A new security association: an SPI and a key from the kernel's generator (RFC 4086), in the
 * format of the mobile-nodes-file. The key is as long as the algorithm's digest, which is all that
 * HMAC makes use of (RFC 2104 §3). The SPI is random too: two administrators who add nodes at the
 * same time should not have to agree, and values below 256 are reserved (RFC 5944 §1.6).
 *
 * The key is printed, because that is the purpose, and wiped.
 */
#include "common/cli/new_key.h"

#include "common/addr.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#define SPI_MIN 256
#define KEY_MAX 32

static const struct algorithm {
	const char *name;
	size_t key_len;
} algorithms[] = { { "hmac-sha256", 32 }, { "hmac-sha1", 20 }, { "hmac-md5", 16 } };

struct request {
	const char *home_addr, *nai;
	const struct algorithm *algorithm;
};

static int usage(const char *why, const char *word)
{
	fprintf(stderr,
		"hactl: %s%s; usage: hactl new-key HOME-ADDRESS|NAI [NAI] [ALGORITHM], with "
		"hmac-sha256 (default), hmac-sha1 or hmac-md5\n",
		why, word);
	return 2;
}

static const struct algorithm *find_algorithm(const char *word)
{
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
		if (strcmp(word, algorithms[i].name) == 0)
			return &algorithms[i];
	return NULL;
}

/*
 * An NAI may be without a realm (RFC 7542 §2.2: "fred"), and then looks like any word: one that
 * begins like an algorithm is taken for a mistyped one, as a key under that name helps nobody.
 */
static bool is_like_algorithm(const char *word)
{
	static const char *const beginnings[] = { "hmac", "keyed", "md5", "sha", "aes" };

	if (strchr(word, '@'))
		return false;
	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
		if (strncasecmp(word, beginnings[i], strlen(beginnings[i])) == 0)
			return true;
	return false;
}

static int parse(char *const *words, size_t cnt, struct request *req)
{
	const struct algorithm *algorithm;
	struct in_addr addr;

	*req = (struct request){ .algorithm = &algorithms[0] };
	for (size_t i = 0; i < cnt; i++) {
		algorithm = find_algorithm(words[i]);
		if (algorithm)
			req->algorithm = algorithm;
		else if (strcmp(words[i], "keyed-md5") == 0)
			return usage("keyed-md5 is weak and gets no new key", "");
		else if (is_like_algorithm(words[i]))
			return usage("there is no such algorithm (an NAI that begins so wants its "
				     "@REALM): ",
				     words[i]);
		else if (!req->home_addr && addr_parse(words[i], &addr) == 0)
			req->home_addr = words[i];
		else if (!req->nai && *words[i] && !strpbrk(words[i], " \t\r\n#\"\\") &&
			 words[i][strspn(words[i], "0123456789./")])
			req->nai = words[i];
		else
			return usage("this is neither an address nor an NAI, or one too many: ",
				     words[i]);
	}
	return req->home_addr || req->nai ? 0 : usage("whose key?", "");
}

int new_key(char *const *words, size_t word_cnt, bool json)
{
	uint8_t key[KEY_MAX];
	char hex[2 * KEY_MAX + 1];
	struct request req;
	uint32_t spi = 0;
	int rc = parse(words, word_cnt, &req);

	if (rc != 0)
		return rc;
	/* Never short for so few octets once the pool is ready, for which it waits. */
	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		rc = errno;
	while (rc == 0 && spi < SPI_MIN)
		if (getrandom(&spi, sizeof(spi), 0) != sizeof(spi))
			rc = errno;
	if (rc != 0) {
		fprintf(stderr, "hactl: no random numbers: %s\n", strerror(rc));
		return 3;
	}
	for (size_t i = 0; i < req.algorithm->key_len; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", key[i]);
	if (json)
		printf("{\"home-address\": %s%s%s, \"nai\": %s%s%s, \"spi\": %" PRIu32
		       ", \"algorithm\": \"%s\", \"key\": \"%s\"}\n",
		       req.home_addr ? "\"" : "", req.home_addr ? req.home_addr : "null",
		       req.home_addr ? "\"" : "", req.nai ? "\"" : "", req.nai ? req.nai : "null",
		       req.nai ? "\"" : "", spi, req.algorithm->name, hex);
	else
		printf("%s %s %" PRIu32 " %s %s\n", req.home_addr ? req.home_addr : "-",
		       req.nai ? req.nai : "-", spi, req.algorithm->name, hex);
	explicit_bzero(key, sizeof(key));
	explicit_bzero(hex, sizeof(hex));
	return fflush(stdout) == 0 ? 0 : 3;
}

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
#include <sys/random.h>

#define SPI_MIN 256
#define KEY_MAX 32
#define NAI_MAX 255 /* RFC 2794 §2: its length is an octet */

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
 * user@realm. RFC 7542 §2.2 allows for one without a realm ("fred"), which looks like any word: a
 * mistyped algorithm would get a key under its name, which helps nobody.
 */
static bool is_nai(const char *word)
{
	const char *at = strchr(word, '@');

	return at && at > word && at[1] && !strpbrk(word, " \t\r\n#\"\\");
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
		else if (addr_parse(words[i], &addr) == 0 && !req->home_addr)
			req->home_addr = words[i];
		else if (addr_parse(words[i], &addr) == 0 || (is_nai(words[i]) && req->nai))
			return usage("one too many: ", words[i]);
		else if (!is_nai(words[i]))
			return usage("no address, no algorithm, and no NAI (user@realm): ",
				     words[i]);
		else if (strlen(words[i]) > NAI_MAX)
			return usage("an NAI has at most 255 octets", "");
		else
			req->nai = words[i];
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

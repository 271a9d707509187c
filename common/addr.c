/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv4 addresses, prefixes and sets of prefixes: pure functions, used by everyone.
 *
 * A set is kept sorted and disjoint: a prefix inside another one adds nothing and is not stored,
 * and one that covers others takes their place. So a look-up is a binary search, and it stays
 * cheap ahead of authentication, where strangers decide how often it runs (RFC 5265 §4.3).
 */
#include "common/addr.h"

#include "common/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t mask_host(uint8_t len)
{
	return len == 0 ? 0 : UINT32_MAX << (32 - len);
}

bool addr_is_unicast(struct in_addr a)
{
	uint32_t top = addr_host(a) >> 24;

	return top != 0 && top != 127 && top < 224;
}

int addr_parse(const char *text, struct in_addr *ret)
{
	struct in_addr a;

	/* Strict, unlike inet_aton(): four decimal numbers, no leading zeros, nothing behind. */
	if (inet_pton(AF_INET, text, &a) != 1)
		return ERR_INVALID;
	*ret = a;
	return 0;
}

static int prefix_len_parse(const char *text, uint8_t *ret)
{
	size_t digits = strspn(text, "0123456789");
	unsigned int len = 0;
	size_t i;

	if (digits == 0 || digits > 2 || text[digits] || (digits == 2 && text[0] == '0'))
		return ERR_INVALID;
	for (i = 0; i < digits; i++)
		len = len * 10 + (unsigned int)(text[i] - '0');
	if (len > 32)
		return ERR_INVALID;
	*ret = (uint8_t)len;
	return 0;
}

int addr_prefix_parse(const char *text, struct addr_prefix *ret)
{
	const char *slash = strchr(text, '/');
	char quad[INET_ADDRSTRLEN];
	struct addr_prefix p;

	if (!slash || (size_t)(slash - text) >= sizeof(quad))
		return ERR_INVALID;
	memcpy(quad, text, (size_t)(slash - text));
	quad[slash - text] = '\0';
	if (addr_parse(quad, &p.addr) < 0 || prefix_len_parse(slash + 1, &p.len) < 0)
		return ERR_INVALID;
	if (addr_host(p.addr) & ~mask_host(p.len))
		return ERR_INVALID;
	*ret = p;
	return 0;
}

struct addr_prefix addr_prefix_of(struct in_addr a, uint8_t len)
{
	return (struct addr_prefix){ addr_from_host(addr_host(a) & mask_host(len)), len };
}

bool addr_prefix_contains(struct addr_prefix p, struct in_addr a)
{
	return ((addr_host(a) ^ addr_host(p.addr)) & mask_host(p.len)) == 0;
}

bool addr_prefix_eq(struct addr_prefix p, struct addr_prefix q)
{
	return p.len == q.len && addr_eq(p.addr, q.addr);
}

bool addr_prefix_covers(struct addr_prefix p, struct addr_prefix q)
{
	return p.len <= q.len && addr_prefix_contains(p, q.addr);
}

bool addr_prefix_overlaps(struct addr_prefix p, struct addr_prefix q)
{
	return addr_prefix_contains(p.len < q.len ? p : q, p.len < q.len ? q.addr : p.addr);
}

struct in_addr addr_prefix_broadcast(struct addr_prefix p)
{
	if (p.len >= 31)
		return (struct in_addr){ .s_addr = INADDR_BROADCAST };
	return addr_from_host(addr_host(p.addr) | ~mask_host(p.len));
}

static char *put_octet(char *at, unsigned int octet)
{
	if (octet >= 100)
		*at++ = (char)('0' + octet / 100);
	if (octet >= 10)
		*at++ = (char)('0' + octet / 10 % 10);
	*at++ = (char)('0' + octet % 10);
	return at;
}

/* A list of a million bindings has four million of them; inet_ntop(3) goes through sprintf(3). */
struct addr_text addr_text(struct in_addr a)
{
	const uint32_t host = addr_host(a);
	struct addr_text t;
	char *at = t.s;
	int shift;

	for (shift = 24; shift >= 0; shift -= 8) {
		at = put_octet(at, host >> shift & 0xff);
		*at++ = shift > 0 ? '.' : '\0';
	}
	return t;
}

struct addr_text addr_prefix_text(struct addr_prefix p)
{
	struct addr_text t = addr_text(p.addr);
	size_t len = strlen(t.s);

	/* The modulus tells the compiler what the type cannot: two digits at most. */
	snprintf(t.s + len, sizeof(t.s) - len, "/%u", p.len % 100u);
	return t;
}

/** The first prefix that begins above the address; the one before it may contain the address. */
static size_t set_above(const struct addr_set *set, struct in_addr a)
{
	size_t low = 0, high = set->cnt, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (addr_host(set->prefixes[mid].addr) > addr_host(a))
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

int addr_set_add(struct addr_set *set, struct addr_prefix p)
{
	struct addr_prefix *grown;
	size_t at, end;

	if (addr_set_contains(set, p.addr)) {
		at = set_above(set, p.addr) - 1;
		if (set->prefixes[at].len <= p.len)
			return 0;
	} else {
		at = set_above(set, p.addr);
	}
	for (end = at; end < set->cnt && addr_prefix_contains(p, set->prefixes[end].addr); end++)
		;
	/* Capacity is the next power of two, so that no field need hold it. */
	if (end == at && (set->cnt & (set->cnt - 1)) == 0) {
		grown = reallocarray(set->prefixes, set->cnt ? 2 * set->cnt : 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		set->prefixes = grown;
	}
	if (end < set->cnt)
		memmove(set->prefixes + at + 1, set->prefixes + end,
			(set->cnt - end) * sizeof(*set->prefixes));
	set->prefixes[at] = p;
	set->cnt = set->cnt + 1 - (end - at);
	return 0;
}

bool addr_set_contains(const struct addr_set *set, struct in_addr a)
{
	size_t above = set_above(set, a);

	return above > 0 && addr_prefix_contains(set->prefixes[above - 1], a);
}

bool addr_set_is_all(const struct addr_set *set)
{
	uint64_t cnt = 0; /* of addresses: no prefix of the set lies within another */

	for (size_t i = 0; i < set->cnt; i++)
		cnt += UINT64_C(1) << (32 - set->prefixes[i].len);
	return cnt == UINT64_C(1) << 32;
}

void addr_set_done(struct addr_set *set)
{
	free(set->prefixes);
	*set = (struct addr_set){ 0 };
}

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * IPv4 addresses, prefixes and sets of prefixes. A struct in_addr is always in network order;
 * a plain uint32_t is in host order.
 */
#ifndef COMMON_ADDR_H
#define COMMON_ADDR_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct addr_prefix {
	struct in_addr addr; /* host bits are zero */
	uint8_t len;         /* 0..32 */
};

/** Prefixes in which an address is looked up. Zero-initialised is the empty set. */
struct addr_set {
	struct addr_prefix *prefixes; /* owned */
	size_t cnt;
};

/** Text of an address or prefix; lives as long as the full expression that made it. */
struct addr_text {
	char s[sizeof("255.255.255.255/32")];
};

static inline uint32_t addr_host(struct in_addr a)
{
	return ntohl(a.s_addr);
}

static inline struct in_addr addr_from_host(uint32_t host)
{
	return (struct in_addr){ .s_addr = htonl(host) };
}

static inline bool addr_eq(struct in_addr a, struct in_addr b)
{
	return a.s_addr == b.s_addr;
}

static inline bool addr_is_any(struct in_addr a)
{
	return a.s_addr == INADDR_ANY;
}

static inline bool addr_is_broadcast(struct in_addr a)
{
	return a.s_addr == INADDR_BROADCAST;
}

/** 224.0.0.0/4 */
static inline bool addr_is_multicast(struct in_addr a)
{
	return (addr_host(a) >> 28) == 0xe;
}

/** RFC 3927 §2.1: 169.254/16, good on one link and passed on by no router. */
static inline bool addr_is_link_local(struct in_addr a)
{
	return (addr_host(a) >> 16) == 0xa9fe;
}

/** Could a host own it: not 0/8, not 127/8, not 224/4 and up. */
bool addr_is_unicast(struct in_addr a);

/** Dotted quad, nothing else. @retval ERR_INVALID; *ret is written only on success */
int addr_parse(const char *text, struct in_addr *ret);

/** ADDRESS/LENGTH, host bits must be zero. @retval ERR_INVALID; *ret written only on success */
int addr_prefix_parse(const char *text, struct addr_prefix *ret);

/** The prefix of this length that the address is in. */
struct addr_prefix addr_prefix_of(struct in_addr a, uint8_t len);

bool addr_prefix_eq(struct addr_prefix p, struct addr_prefix q);
bool addr_prefix_contains(struct addr_prefix p, struct in_addr a);
/** Does p contain every address of q? It does if they are the same. */
bool addr_prefix_covers(struct addr_prefix p, struct addr_prefix q);
bool addr_prefix_overlaps(struct addr_prefix p, struct addr_prefix q);

/** The subnet-directed broadcast address; the all-ones address for /31 and /32, which have none. */
struct in_addr addr_prefix_broadcast(struct addr_prefix p);

/** printf("%s", addr_text(a).s) */
struct addr_text addr_text(struct in_addr a);
struct addr_text addr_prefix_text(struct addr_prefix p);

/** Adds a prefix; a duplicate is harmless. @retval -ENOMEM */
int addr_set_add(struct addr_set *set, struct addr_prefix p);

/** Is the address inside any prefix? The empty set contains nothing. */
bool addr_set_contains(const struct addr_set *set, struct in_addr a);

/** Is every address inside some prefix, though none need be 0.0.0.0/0? */
bool addr_set_is_all(const struct addr_set *set);

/** Frees the prefixes and leaves the empty set. */
void addr_set_done(struct addr_set *set);

#endif

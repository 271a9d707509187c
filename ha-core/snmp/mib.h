/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * A MIB is a table: groups of columns, each column a field of a row. GET and GETNEXT find their
 * way by the index, seek the row in whatever holds the rows, and read the field. Pure; knows
 * neither net-snmp nor what the rows mean.
 */
#ifndef HA_CORE_SNMP_MIB_H
#define HA_CORE_SNMP_MIB_H

#include "common/agentx.h"

/** How a field of a row is shown. */
enum mib_kind {
	MIB_INTEGER,   /* a number, or its low 32 bits, with a sign: RFC 2006 shows SPIs so */
	MIB_UNSIGNED,  /* Gauge32, Unsigned32 */
	MIB_COUNTER32, /* modulo 2^32 */
	MIB_COUNTER64,
	MIB_TRUTH,     /* bool: TruthValue */
	MIB_DURATION,  /* hundredths of a second: TimeTicks */
	MIB_TICKS,     /* uint32_t, hundredths of a second, monotonic: TimeStamp; 0: never */
	MIB_ADDRESS,   /* struct in_addr: IpAddress */
	MIB_INET,      /* struct in_addr: InetAddress */
	MIB_INET_TYPE, /* InetAddressType ipv4(1), whatever the field */
	MIB_OCTETS,    /* as many as the field has: BITS, and numbers in network order */
	MIB_TEXT,      /* struct mib_text */
	MIB_SECRET,    /* no octets, ever */
};

struct mib_text {
	uint8_t len;
	uint8_t octets[AGENTX_OCTETS_MAX];
};

struct mib_column {
	uint32_t arc; /* the last sub-identifier before the index */
	enum mib_kind kind;
	uint16_t offset, size; /* of the field */
};

#define MIB_COLUMN(arc, kind, type, member)                      \
	{                                                        \
		(arc), (kind), (uint16_t)offsetof(type, member), \
			(uint16_t)sizeof(((type *)0)->member)    \
	}

/** A table, or scalars that have one parent. */
struct mib_group {
	struct agentx_oid entry; /* of which the columns are children */
	unsigned int table;      /* for seek() */
	/**
	 * The shape of an instance, a letter each sub-identifier: 'o' an octet and 'n' a number of
	 * the key, the most significant first; '0', '1', '4' that number. "0" is a scalar's,
	 * "oooon" an IpAddress and a number, "14oooo" an InetAddress.
	 */
	const char *index;
	const struct mib_column *columns; /* arcs ascend */
	size_t column_cnt;
};

/** Groups in the order of their OIDs. */
struct mib {
	const struct mib_group *const *groups;
	size_t group_cnt;
	/**
	 * The row with the smallest key that is `from` or above.
	 * @param ret_row  valid until the next call
	 * @retval 1 found, 0 there is none. @return negative: it could not be found out
	 */
	int (*seek)(void *ctx, unsigned int table, uint64_t from, uint64_t *ret_key,
		    const void **ret_row);
	void *ctx;
};

/** The value of exactly this object. @retval 1, 0 there is none. @return errors of seek() */
int mib_get(const struct mib *mib, const struct agentx_oid *oid, struct agentx_value *out_value);

/** The first object after this OID, which need not be one. Returns as mib_get(). */
int mib_next(const struct mib *mib, const struct agentx_oid *oid, struct agentx_oid *out_oid,
	     struct agentx_value *out_value);

/** The OID of a column's instance. */
void mib_instance(const struct mib_group *group, const struct mib_column *column, uint64_t key,
		  struct agentx_oid *out_oid);

/** What a column shows of a row. */
void mib_value(const struct mib_column *column, const void *row, struct agentx_value *out_value);

/** As memcmp(), in the order of RFC 2578 §7.10. */
int mib_compare(const struct agentx_oid *a, const struct agentx_oid *b);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * An AgentX subagent (RFC 2741) for whoever has objects to show: answers GET and GETNEXT by asking
 * two functions, refuses every SET, sends notifications, and connects again by itself. The only
 * file that sees net-snmp is agentx.c.
 *
 * net-snmp waits inside its calls, and keeps its state in globals: it belongs into a process of its
 * own, which agentx_run() is the life of.
 */
#ifndef COMMON_AGENTX_H
#define COMMON_AGENTX_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AGENTX_OID_MAX    64 /* sub-identifiers; ours are shorter */
#define AGENTX_OCTETS_MAX 255

struct agentx_oid {
	uint32_t ids[AGENTX_OID_MAX];
	size_t len;
};

enum agentx_type {
	AGENTX_INTEGER,   /* number, as int32_t */
	AGENTX_UNSIGNED,  /* Gauge32 and Unsigned32 */
	AGENTX_COUNTER32, /* number, modulo 2^32 */
	AGENTX_COUNTER64,
	AGENTX_DURATION, /* number, in hundredths of a second, modulo 2^32 */
	AGENTX_TICKS,    /* number: when it was, in hundredths of a second, monotonic; 0: never */
	AGENTX_ADDRESS,
	AGENTX_OCTETS,
};

struct agentx_value {
	enum agentx_type type;
	uint64_t number;
	struct in_addr address;
	uint8_t octets[AGENTX_OCTETS_MAX];
	size_t len;
};

/** One object of a notification. */
struct agentx_object {
	struct agentx_oid oid;
	struct agentx_value value;
};

/** Where the objects are. */
struct agentx_conf {
	const char *name;   /* of the program, for the master's table of sessions */
	const char *master; /* a socket's path, or tcp:HOST:PORT */
	const char *context;
	bool in_default_context; /* too, unless a subagent of a lower priority number is there */
	int priority;            /* there; 1..255, RFC 2741 §6.2.3; in context, the default */
	const struct agentx_oid *roots;
	size_t root_cnt;
	/** Its AGENT-CAPABILITIES, for sysORTable; NULL: none. */
	const struct agentx_oid *capabilities;
	const char *capabilities_text;
	unsigned int retry_s; /* between attempts to connect, and between pings */
	/** The value of one object. @retval 1, 0  there is none. @return negative: failed */
	int (*get)(void *ctx, const struct agentx_oid *oid, struct agentx_value *out_value);
	/** The object after one. Returns as get(). */
	int (*next)(void *ctx, const struct agentx_oid *oid, struct agentx_oid *out_oid,
		    struct agentx_value *out_value);
	/** There is a session with the master now, or none any more. */
	void (*connected)(void *ctx, bool is);
	/** The master could not be reached, so at each attempt. @param error  errno, 0 not known */
	void (*unreachable)(void *ctx, int error);
	/**
	 * The master would not take objects of ours: another subagent has them there.
	 * @param is_default  in the default context, else in that of our own
	 */
	void (*refused)(void *ctx, bool is_default);
	int fd; /* watched beside */
	/** fd is readable. @return false: come to the end */
	bool (*readable)(void *ctx);
	/** Called after each wake-up, outside of any request: the place for notifications. */
	void (*turn)(void *ctx);
	void *ctx;
};

/**
 * Serves until readable() says it is enough, and closes the session.
 * @retval -EINVAL  net-snmp would not take the objects
 */
int agentx_run(const struct agentx_conf *conf);

/** Sends a notification; the master knows where to. The objects are copied. */
void agentx_notify(const struct agentx_oid *notification, const struct agentx_object *objects,
		   size_t cnt);

#endif

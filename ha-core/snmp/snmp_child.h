/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The child's end of SNMP: a process that owns net-snmp, and one above it that starts it again.
 */
#ifndef HA_CORE_SNMP_SNMP_CHILD_H
#define HA_CORE_SNMP_SNMP_CHILD_H

#include <stdbool.h>

struct snmp_child_conf {
	const char *name, *agentx, *context;
	bool default_context;
	bool external; /* the role */
	int priority;  /* in the default context */
};

/** The life of the child process; fd is its end of the socketpair. Does not return. */
_Noreturn void snmp_child_run(const struct snmp_child_conf *conf, int fd);

#endif

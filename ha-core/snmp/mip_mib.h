/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The rows of both MIBs: RFC 2006's MIP-MIB, as far as it is a home agent's, and HOME-AGENT-MIB,
 * our own (mibs/HOME-AGENT-MIB.txt). Served by snmp_child.c.
 */
#ifndef HA_CORE_SNMP_MIP_MIB_H
#define HA_CORE_SNMP_MIP_MIB_H

#include "ha-core/snmp/snmp_row.h"

extern const struct mib_group *const mip_mib_groups[];
extern const size_t mip_mib_group_cnt;
extern const struct agentx_oid mip_mib_root; /* mipMIBObjects */

extern const struct mib_group *const home_agent_mib_groups[];
extern const size_t home_agent_mib_group_cnt;
extern const struct agentx_oid home_agent_mib_root; /* heObjects */

/** The AGENT-CAPABILITIES of ihad and xhad: mibs/HOME-AGENT-CAPS-MIB.txt. */
extern const struct agentx_oid home_agent_mib_ihad, home_agent_mib_xhad;

#define MIB_NOTICE_OBJECTS 8

/** A notification's OID and objects. @return how many objects, MIB_NOTICE_OBJECTS at most */
size_t mip_mib_notice(const struct snmp_notice *notice, struct agentx_oid *out_oid,
		      struct agentx_object *out_objects);
size_t home_agent_mib_notice(const struct snmp_notice *notice, struct agentx_oid *out_oid,
			     struct agentx_object *out_objects);

/** heName.0: which home agent it is that notifies. */
void home_agent_mib_name(const struct snmp_notice *notice, struct agentx_object *out_object);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MIP-MIB (RFC 2006, mib-2 44): what it has for a home agent, table by table. The rest of the
 * module is for mobile nodes and foreign agents.
 *
 * Where we leave its text, and why:
 * - Everything is read-only. Its read-write and read-create objects (mipEnable, mipSecAssocTable,
 *   maAdvConfigTable) are configuration, which is in the file that an administrator wrote; and
 *   mipSecAssocTable has no RowStatus to make a row with.
 * - mipSecKey is empty, though its SIZE says 16: keys are never shown.
 * - An index column that the module lets be read (mipSecViolatorAddress is accessible for notify
 *   only, and not among them) is an ordinary column here.
 * - SPIs and the halves of an Identification are Integer32 there: those of 2^31 and above, which
 *   today's timestamps are, appear negative. HOME-AGENT-MIB has them whole.
 * - haRecentServiceDeniedCode ends at 136: a later code appears as reasonUnspecified(128), as does
 *   none at all, which haRecentServiceDeniedTime 0 says. heNodeLastDeniedCode has the true one.
 * - mipEncapsulationSupported: tunnels in UDP (RFC 3519) are other(3).
 * - A mobile node known by its NAI alone has no row anywhere until it has a home address.
 * - Who sends from where nobody is trusted is no violator: heOffenderTable has it.
 * - mipAuthFailure says behind its own objects which home agent it is from: heName.
 * - mipSecViolationTable has a bounded number of rows; who has been quiet for longest goes first.
 */
#include "ha-core/snmp/mip_mib.h"

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

#define GROUP(name, table_, index_, columns_, depth, ...)                        \
	static const struct mib_group name = {                                   \
		.entry = { { 1, 3, 6, 1, 2, 1, 44, __VA_ARGS__ }, 7 + (depth) }, \
		.table = (table_),                                               \
		.index = (index_),                                               \
		.columns = (columns_),                                           \
		.column_cnt = LEN(columns_),                                     \
	}

const struct agentx_oid mip_mib_root = { { 1, 3, 6, 1, 2, 1, 44, 1 }, 8 };

/* --- mipSystem, mipSecurity --- */

#define AGENT(arc, kind, member) MIB_COLUMN(arc, kind, struct snmp_row_agent, member)

static const struct mib_column system_columns[] = {
	AGENT(1, MIB_OCTETS, entities),       /* mipEntities */
	AGENT(2, MIB_INTEGER, enabled),       /* mipEnable */
	AGENT(3, MIB_OCTETS, encapsulations), /* mipEncapsulationSupported */
};
GROUP(mip_system, SNMP_AGENT, "0", system_columns, 2, 1, 1);

#define ASSOC(arc, kind, member) MIB_COLUMN(arc, kind, struct snmp_row_association, member)

static const struct mib_column association_columns[] = {
	ASSOC(3, MIB_INTEGER, algorithm_type), /* mipSecAlgorithmType */
	ASSOC(4, MIB_INTEGER, algorithm_mode), /* mipSecAlgorithmMode */
	ASSOC(5, MIB_SECRET, key),             /* mipSecKey; the row's key is not one */
	ASSOC(6, MIB_INTEGER, replay),         /* mipSecReplayMethod */
};
GROUP(mip_associations, SNMP_ASSOCIATIONS, "oooon", association_columns, 4, 1, 2, 1, 1);

static const struct mib_column security_columns[] = {
	AGENT(2, MIB_COUNTER32, violations), /* mipSecTotalViolations */
};
GROUP(mip_security, SNMP_AGENT, "0", security_columns, 2, 1, 2);

#define VIOLATION(arc, kind, member) MIB_COLUMN(arc, kind, struct snmp_row_violation, member)

static const struct mib_column violation_columns[] = {
	VIOLATION(2, MIB_COUNTER32, cnt),      /* mipSecViolationCounter */
	VIOLATION(3, MIB_INTEGER, spi),        /* mipSecRecentViolationSPI */
	VIOLATION(4, MIB_TICKS, when_cs),      /* mipSecRecentViolationTime */
	VIOLATION(5, MIB_INTEGER, ident_low),  /* mipSecRecentViolationIDLow */
	VIOLATION(6, MIB_INTEGER, ident_high), /* mipSecRecentViolationIDHigh */
	VIOLATION(7, MIB_INTEGER, reason),     /* mipSecRecentViolationReason */
};
GROUP(mip_violations, SNMP_VIOLATIONS, "oooo", violation_columns, 4, 1, 2, 3, 1);

/* --- maAdvertisement --- */

#define ADVERT(arc, kind, member) MIB_COLUMN(arc, kind, struct snmp_row_advertisement, member)

static const struct mib_column advertisement_columns[] = {
	ADVERT(2, MIB_INTEGER, max_registration_s), /* maAdvMaxRegLifetime */
	ADVERT(3, MIB_TRUTH, prefix_lengths),       /* maAdvPrefixLengthInclusion */
	ADVERT(4, MIB_ADDRESS, destination),        /* maAdvAddress */
	ADVERT(5, MIB_INTEGER, max_interval_s),     /* maAdvMaxInterval */
	ADVERT(6, MIB_INTEGER, min_interval_s),     /* maAdvMinInterval */
	ADVERT(7, MIB_INTEGER, lifetime_s),         /* maAdvMaxAdvLifetime */
	ADVERT(8, MIB_TRUTH, solicited_only),       /* maAdvResponseSolicitationOnly */
	ADVERT(9, MIB_INTEGER, status),             /* maAdvStatus */
};
GROUP(ma_advertisements, SNMP_ADVERTISEMENTS, "oooo", advertisement_columns, 5, 1, 4, 2, 1, 1);

static const struct mib_column advertised_columns[] = {
	AGENT(2, MIB_COUNTER32, stats.advertisements_sent),    /* maAdvertisementsSent */
	AGENT(3, MIB_COUNTER32, stats.solicitations_answered), /* maAdvsSentForSolicitation */
	AGENT(4, MIB_COUNTER32, stats.solicitations_received), /* maSolicitationsReceived */
};
GROUP(ma_advertised, SNMP_AGENT, "0", advertised_columns, 3, 1, 4, 2);

/* --- haRegistration --- */

#define BINDING(arc, kind, member) MIB_COLUMN(arc, kind, struct snmp_row_binding, member)

static const struct mib_column binding_columns[] = {
	BINDING(1, MIB_ADDRESS, home_addr),    /* haMobilityBindingMN */
	BINDING(2, MIB_ADDRESS, care_of),      /* haMobilityBindingCOA */
	BINDING(3, MIB_ADDRESS, src),          /* haMobilityBindingSourceAddress */
	BINDING(4, MIB_OCTETS, flags),         /* haMobilityBindingRegFlags */
	BINDING(5, MIB_INTEGER, ident_low),    /* haMobilityBindingRegIDLow */
	BINDING(6, MIB_INTEGER, ident_high),   /* haMobilityBindingRegIDHigh */
	BINDING(7, MIB_INTEGER, lifetime_s),   /* haMobilityBindingTimeGranted */
	BINDING(8, MIB_UNSIGNED, remaining_s), /* haMobilityBindingTimeRemaining */
};
GROUP(ha_bindings, SNMP_BINDINGS, "oooooooo", binding_columns, 5, 1, 6, 3, 1, 1);

#define NODE(arc, kind, member) MIB_COLUMN(arc, kind, struct snmp_row_node, member)

static const struct mib_column node_columns[] = {
	NODE(2, MIB_COUNTER32, accepted),  /* haServiceRequestsAccepted */
	NODE(3, MIB_COUNTER32, denied),    /* haServiceRequestsDenied */
	NODE(4, MIB_UNSIGNED, service_s),  /* haOverallServiceTime */
	NODE(5, MIB_TICKS, accepted_cs),   /* haRecentServiceAcceptedTime */
	NODE(6, MIB_TICKS, denied_cs),     /* haRecentServiceDeniedTime */
	NODE(7, MIB_INTEGER, denied_code), /* haRecentServiceDeniedCode */
};
GROUP(ha_counters, SNMP_NODES, "oooo", node_columns, 5, 1, 6, 3, 2, 1);

static const struct mib_column registration_columns[] = {
	AGENT(3, MIB_COUNTER32, accepted_simple),                /* haRegistrationAccepted */
	AGENT(4, MIB_COUNTER32, accepted_single),                /* haMultiBindingUnsupported */
	AGENT(5, MIB_COUNTER32, stats.denied_128),               /* haReasonUnspecified */
	AGENT(6, MIB_COUNTER32, stats.denied_129),               /* haAdmProhibited */
	AGENT(7, MIB_COUNTER32, stats.denied_130),               /* haInsufficientResource */
	AGENT(8, MIB_COUNTER32, stats.denied_131),               /* haMNAuthenticationFailure */
	AGENT(9, MIB_COUNTER32, stats.denied_132),               /* haFAAuthenticationFailure */
	AGENT(10, MIB_COUNTER32, stats.denied_133),              /* haIDMismatch */
	AGENT(11, MIB_COUNTER32, stats.denied_134),              /* haPoorlyFormedRequest */
	AGENT(12, MIB_COUNTER32, stats.denied_135),              /* haTooManyBindings */
	AGENT(13, MIB_COUNTER32, stats.denied_136),              /* haUnknownHA */
	AGENT(14, MIB_COUNTER32, stats.gratuitous_arps_sent),    /* haGratuitiousARPsSent */
	AGENT(15, MIB_COUNTER32, stats.proxy_arps_sent),         /* haProxyARPsSent */
	AGENT(16, MIB_COUNTER32, requests),                      /* haRegRequestsReceived */
	AGENT(17, MIB_COUNTER32, stats.deregistration_requests), /* haDeRegRequestsReceived */
	AGENT(18, MIB_COUNTER32, stats.replies_sent),            /* haRegRepliesSent */
	AGENT(19, MIB_COUNTER32, stats.deregistration_replies),  /* haDeRegRepliesSent */
};
GROUP(ha_registration, SNMP_AGENT, "0", registration_columns, 3, 1, 6, 3);

const struct mib_group *const mip_mib_groups[] = {
	&mip_system,    &mip_associations, &mip_security, &mip_violations,  &ma_advertisements,
	&ma_advertised, &ha_bindings,      &ha_counters,  &ha_registration,
};
const size_t mip_mib_group_cnt = LEN(mip_mib_groups);

/* --- mipAuthFailure --- */

static void add_object(struct agentx_object *object, const struct mib_column *column,
		       const struct snmp_row_violation *row)
{
	mib_instance(&mip_violations, column, row->key, &object->oid);
	mib_value(column, row, &object->value);
}

size_t mip_mib_notice(const struct snmp_notice *notice, struct agentx_oid *out_oid,
		      struct agentx_object *out_objects)
{
	static const struct agentx_oid auth_failure = { { 1, 3, 6, 1, 2, 1, 44, 2, 0, 1 }, 10 };
	static const struct mib_column violator = VIOLATION(1, MIB_ADDRESS, peer);

	*out_oid = auth_failure;
	add_object(&out_objects[0], &violator, &notice->who); /* mipSecViolatorAddress */
	add_object(&out_objects[1], &violation_columns[1], &notice->who); /* SPI */
	add_object(&out_objects[2], &violation_columns[3], &notice->who); /* IDLow */
	add_object(&out_objects[3], &violation_columns[4], &notice->who); /* IDHigh */
	add_object(&out_objects[4], &violation_columns[5], &notice->who); /* Reason */
	/*
	 * SNMPv2c tells a manager no context, and two home agents may share a host. RFC 3416
	 * §4.2.6 lets us add what the notification's OBJECTS do not have, behind those.
	 */
	home_agent_mib_name(notice, &out_objects[5]);
	return 6;
}

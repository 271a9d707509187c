/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HOME-AGENT-MIB: what RFC 2006 has no place for. mibs/HOME-AGENT-MIB.txt is the text, in the same
 * order; test/lint/mibs.sh holds the two against each other. An arc, once given, stays; a new
 * counter is added at the end of its group.
 *
 * The module has no index for the home agent: each daemon has an AgentX context of its own, so a
 * manager asks the one or the other (see snmp_child.c).
 */
#include "ha-core/snmp/mip_mib.h"

/* The one constant to change when a number is assigned, here and in the module (RFC 5612). */
#define HE_ROOT     1, 3, 6, 1, 4, 1, 32473, 5265
#define HE_ROOT_LEN 8

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

#define GROUP(name, table_, index_, columns_, depth, ...)                     \
	static const struct mib_group name = {                                \
		.entry = { { HE_ROOT, __VA_ARGS__ }, HE_ROOT_LEN + (depth) }, \
		.table = (table_),                                            \
		.index = (index_),                                            \
		.columns = (columns_),                                        \
		.column_cnt = LEN(columns_),                                  \
	}

const struct agentx_oid home_agent_mib_root = { { HE_ROOT, 1 }, HE_ROOT_LEN + 1 };
const struct agentx_oid home_agent_mib_ihad = { { HE_ROOT, 3, 1 }, HE_ROOT_LEN + 2 };
const struct agentx_oid home_agent_mib_xhad = { { HE_ROOT, 3, 2 }, HE_ROOT_LEN + 2 };

#define AGENT(arc, kind, member) MIB_COLUMN(arc, kind, struct snmp_row_agent, member)

static const struct mib_column system_columns[] = {
	AGENT(1, MIB_TEXT, name),                 /* heName */
	AGENT(2, MIB_INTEGER, role),              /* heRole */
	AGENT(3, MIB_TEXT, version),              /* heVersion */
	AGENT(4, MIB_INET_TYPE, address),         /* heAddressType */
	AGENT(5, MIB_INET, address),              /* heAddress */
	AGENT(6, MIB_UNSIGNED, port),             /* hePort */
	AGENT(7, MIB_TICKS, up_since_cs),         /* heUpSince */
	AGENT(8, MIB_COUNTER32, reloads),         /* heReloads */
	AGENT(9, MIB_COUNTER32, reloads_refused), /* heReloadsRefused */
	AGENT(10, MIB_OCTETS, features),          /* heFeatures */
	AGENT(11, MIB_UNSIGNED, nodes),           /* heMobileNodes */
	AGENT(12, MIB_TRUTH, draining),           /* heDraining */
	AGENT(13, MIB_TEXT, data_path),           /* heDataPath */
	AGENT(14, MIB_TEXT, device),              /* heDevice */
	AGENT(15, MIB_DURATION, up_cs),           /* heUpTime */
};
GROUP(he_system, SNMP_AGENT, "0", system_columns, 2, 1, 1);

static const struct mib_column trust_columns[] = {
	AGENT(1, MIB_UNSIGNED, trusted_networks),    /* heTrustedNetworks */
	AGENT(2, MIB_INET_TYPE, last_offender),      /* heLastOffenderAddressType */
	AGENT(3, MIB_INET, last_offender.address),   /* heLastOffenderAddress */
	AGENT(4, MIB_UNSIGNED, last_offender.port),  /* heLastOffenderPort */
	AGENT(5, MIB_INET, last_offender.home_addr), /* heLastOffenderHomeAddress */
	AGENT(6, MIB_INET, last_offender.care_of),   /* heLastOffenderCareOf */
	AGENT(7, MIB_TICKS, last_offender.when_cs),  /* heLastOffenderTime */
};
GROUP(he_trust, SNMP_AGENT, "0", trust_columns, 2, 1, 2);

#define TRUSTED(arc, kind, member) MIB_COLUMN(arc, kind, struct snmp_row_trusted, member)

static const struct mib_column trusted_columns[] = {
	TRUSTED(5, MIB_COUNTER64, requests), /* heTrustedRequests */
	TRUSTED(6, MIB_TICKS, used_cs),      /* heTrustedLastUsed */
};
GROUP(he_trusted, SNMP_TRUSTED, "14ooooo", trusted_columns, 4, 1, 2, 10, 1);

#define OFFENDER(arc, kind, member) MIB_COLUMN(arc, kind, struct snmp_row_violation, member)

static const struct mib_column offender_columns[] = {
	OFFENDER(3, MIB_COUNTER32, cnt),  /* heOffenderRequests */
	OFFENDER(4, MIB_INTEGER, reason), /* heOffenderReason */
	OFFENDER(5, MIB_UNSIGNED, port),  /* heOffenderPort */
	OFFENDER(6, MIB_INET, home_addr), /* heOffenderHomeAddress */
	OFFENDER(7, MIB_INET, care_of),   /* heOffenderCareOf */
	OFFENDER(8, MIB_TICKS, first_cs), /* heOffenderFirst */
	OFFENDER(9, MIB_TICKS, when_cs),  /* heOffenderLast */
};
GROUP(he_offenders, SNMP_OFFENDERS, "14oooo", offender_columns, 4, 1, 2, 11, 1);

static const struct mib_column bindings_columns[] = {
	AGENT(1, MIB_UNSIGNED, bindings),      /* heBindings */
	AGENT(2, MIB_UNSIGNED, bindings_peak), /* heBindingsPeak */
};
GROUP(he_binding_totals, SNMP_AGENT, "0", bindings_columns, 2, 1, 3);

#define BINDING(arc, kind, member) MIB_COLUMN(arc, kind, struct snmp_row_binding, member)

static const struct mib_column binding_columns[] = {
	BINDING(5, MIB_TEXT, nai),                /* heBindingNai */
	BINDING(6, MIB_INET, home_agent),         /* heBindingHomeAgent */
	BINDING(7, MIB_INET, src),                /* heBindingSource */
	BINDING(8, MIB_UNSIGNED, src_port),       /* heBindingSourcePort */
	BINDING(9, MIB_INET, peer),               /* heBindingPeer */
	BINDING(10, MIB_UNSIGNED, peer_port),     /* heBindingPeerPort */
	BINDING(11, MIB_INTEGER, encapsulation),  /* heBindingEncapsulation */
	BINDING(12, MIB_TRUTH, udp),              /* heBindingUdp */
	BINDING(13, MIB_TRUTH, forced),           /* heBindingUdpForced */
	BINDING(14, MIB_TRUTH, half_bound),       /* heBindingHalfBound */
	BINDING(15, MIB_TRUTH, reverse),          /* heBindingReverseTunnel */
	BINDING(16, MIB_TRUTH, from_fa),          /* heBindingForeignAgent */
	BINDING(17, MIB_TRUTH, revocable),        /* heBindingRevocable */
	BINDING(18, MIB_UNSIGNED, keepalive_s),   /* heBindingKeepalive */
	BINDING(19, MIB_UNSIGNED, lifetime_s),    /* heBindingLifetime */
	BINDING(20, MIB_UNSIGNED, remaining_s),   /* heBindingRemaining */
	BINDING(21, MIB_UNSIGNED, spi),           /* heBindingSpi */
	BINDING(22, MIB_INTEGER, algorithm),      /* heBindingAlgorithm */
	BINDING(23, MIB_OCTETS, ident),           /* heBindingIdentification */
	BINDING(24, MIB_COUNTER64, packets_to),   /* heBindingPacketsToNode */
	BINDING(25, MIB_COUNTER64, bytes_to),     /* heBindingOctetsToNode */
	BINDING(26, MIB_COUNTER64, packets_from), /* heBindingPacketsFromNode */
	BINDING(27, MIB_COUNTER64, bytes_from),   /* heBindingOctetsFromNode */
	BINDING(28, MIB_COUNTER32, keepalives),   /* heBindingKeepalives */
};
GROUP(he_bindings, SNMP_BINDINGS, "14oooo14oooo", binding_columns, 4, 1, 3, 10, 1);

#define NODE(arc, kind, member) MIB_COLUMN(arc, kind, struct snmp_row_node, member)

static const struct mib_column node_columns[] = {
	NODE(3, MIB_TEXT, nai),           /* heNodeNai */
	NODE(4, MIB_UNSIGNED, bindings),  /* heNodeBindings */
	NODE(5, MIB_UNSIGNED, last_code), /* heNodeLastDeniedCode */
};
GROUP(he_nodes, SNMP_NODES, "14oooo", node_columns, 4, 1, 3, 11, 1);

static const struct mib_column counter_columns[] = {
	AGENT(1, MIB_COUNTER64, stats.requests_received),          /* heRequestsReceived */
	AGENT(2, MIB_COUNTER64, stats.requests_accepted),          /* heRequestsAccepted */
	AGENT(3, MIB_COUNTER64, stats.requests_denied),            /* heRequestsDenied */
	AGENT(4, MIB_COUNTER64, stats.requests_discarded),         /* heRequestsDiscarded */
	AGENT(5, MIB_COUNTER64, stats.requests_dropped_untrusted), /* heRequestsDroppedUntrusted */
	AGENT(6, MIB_COUNTER64, stats.requests_dropped_inside),    /* heRequestsDroppedInside */
	AGENT(7, MIB_COUNTER64, stats.requests_malformed),         /* heRequestsMalformed */
	AGENT(8, MIB_COUNTER64, stats.messages_unknown_type),      /* heMessagesUnknownType */
	AGENT(9, MIB_COUNTER64, stats.unknown_extensions),         /* heUnknownExtensions */
	AGENT(10, MIB_COUNTER64, stats.missing_authentication),    /* heMissingAuthentication */
	AGENT(11, MIB_COUNTER64, stats.unknown_mobile_nodes),      /* heUnknownMobileNodes */
	AGENT(12, MIB_COUNTER64, stats.unknown_spis),              /* heUnknownSpis */
	AGENT(13, MIB_COUNTER64, stats.auth_failures),             /* heAuthFailures */
	AGENT(14, MIB_COUNTER64,
	      stats.foreign_agent_auth_failures),                  /* heForeignAgentAuthFailures */
	AGENT(15, MIB_COUNTER64, stats.replay_failures),           /* heReplayFailures */
	AGENT(16, MIB_COUNTER64, stats.denials_unanswered),        /* heDenialsUnanswered */
	AGENT(17, MIB_COUNTER64, stats.leases_taken_over),         /* heLeasesTakenOver */
	AGENT(18, MIB_COUNTER64, stats.deregistrations),           /* heDeregistrations */
	AGENT(19, MIB_COUNTER64, stats.deregistration_requests),   /* heDeregistrationRequests */
	AGENT(20, MIB_COUNTER64, stats.bindings_expired),          /* heBindingsExpired */
	AGENT(21, MIB_COUNTER64, stats.replies_sent),              /* heRepliesSent */
	AGENT(22, MIB_COUNTER64, stats.deregistration_replies),    /* heDeregistrationReplies */
	AGENT(23, MIB_COUNTER64, stats.reply_send_failures),       /* heReplySendFailures */
	AGENT(24, MIB_COUNTER64, stats.replies_with_tnc),          /* heRepliesWithTnc */
	AGENT(25, MIB_COUNTER64, stats.gratuitous_arps_sent),      /* heGratuitousArpsSent */
	AGENT(26, MIB_COUNTER64, stats.proxy_arps_sent),           /* heProxyArpsSent */
	AGENT(27, MIB_COUNTER64, stats.advertisements_sent),       /* heAdvertisementsSent */
	AGENT(28, MIB_COUNTER64, stats.solicitations_received),    /* heSolicitationsReceived */
	AGENT(29, MIB_COUNTER64, stats.solicitations_answered),    /* heSolicitationsAnswered */
	AGENT(30, MIB_COUNTER64, stats.revocations_sent),          /* heRevocationsSent */
	AGENT(31, MIB_COUNTER64, stats.revocations_acknowledged),  /* heRevocationsAcknowledged */
	AGENT(32, MIB_COUNTER64, stats.revocations_abandoned),     /* heRevocationsAbandoned */
	AGENT(33, MIB_COUNTER64, stats.revocations_received),      /* heRevocationsReceived */
	AGENT(34, MIB_COUNTER64, stats.revocations_accepted),      /* heRevocationsAccepted */
	AGENT(35, MIB_COUNTER64, stats.revocations_ignored),       /* heRevocationsIgnored */
	AGENT(36, MIB_COUNTER64, stats.udp_tunnels_granted),       /* heUdpTunnelsGranted */
	AGENT(37, MIB_COUNTER64, stats.udp_tunnels_declined),      /* heUdpTunnelsDeclined */
	AGENT(38, MIB_COUNTER64, stats.packets_to_nodes),          /* hePacketsToNodes */
	AGENT(39, MIB_COUNTER64, stats.bytes_to_nodes),            /* heBytesToNodes */
	AGENT(40, MIB_COUNTER64, stats.packets_from_nodes),        /* hePacketsFromNodes */
	AGENT(41, MIB_COUNTER64, stats.bytes_from_nodes),          /* heBytesFromNodes */
	AGENT(42, MIB_COUNTER64, stats.keepalives),                /* heKeepalives */
	AGENT(43, MIB_COUNTER64, stats.no_binding_drops),          /* heDropsNoBinding */
	AGENT(44, MIB_COUNTER64, stats.tunnel_malformed_drops),    /* heDropsTunnelMalformed */
	AGENT(45, MIB_COUNTER64, stats.tunnel_no_binding_drops),   /* heDropsTunnelNoBinding */
	AGENT(46, MIB_COUNTER64, stats.tunnel_wrong_source_drops), /* heDropsTunnelWrongSource */
	AGENT(47, MIB_COUNTER64,
	      stats.tunnel_wrong_encapsulation_drops), /* heDropsTunnelWrongEncapsulation */
	AGENT(48, MIB_COUNTER64, stats.tunnel_no_reverse_drops),  /* heDropsTunnelNoReverse */
	AGENT(49, MIB_COUNTER64, stats.tunnel_signalling_drops),  /* heDropsTunnelSignalling */
	AGENT(50, MIB_COUNTER64, stats.tunnel_destination_drops), /* heDropsTunnelDestination */
	AGENT(51, MIB_COUNTER64, stats.tunnel_ttl_drops),         /* heDropsTunnelTtl */
	AGENT(52, MIB_COUNTER64, stats.tunnel_too_big_drops),     /* heDropsTunnelTooBig */
	AGENT(53, MIB_COUNTER64, stats.tunnel_loop_drops),        /* heDropsTunnelLoop */
	AGENT(54, MIB_COUNTER64, stats.tunnel_half_bound_drops),  /* heDropsTunnelHalfBound */
	AGENT(55, MIB_COUNTER64, stats.tunnel_send_failures),     /* heDropsTunnelSendFailure */
	AGENT(56, MIB_COUNTER64, stats.filter_drops),             /* heDropsFilter */
	AGENT(57, MIB_COUNTER64, stats.broadcasts_to_nodes),      /* heBroadcastsToNodes */
	AGENT(58, MIB_COUNTER64, stats.broadcasts_limited),       /* heBroadcastsLimited */
	AGENT(59, MIB_COUNTER64, stats.mss_clamped),              /* heMssClamped */
	AGENT(60, MIB_COUNTER64, stats.tunnel_errors),            /* heTunnelErrors */
	AGENT(61, MIB_COUNTER64, stats.tunnel_errors_relayed),    /* heTunnelErrorsRelayed */
	AGENT(62, MIB_COUNTER64, stats.tunnel_errors_unknown),    /* heTunnelErrorsUnknown */
	AGENT(63, MIB_COUNTER64, stats.tunnel_errors_port),    /* heTunnelErrorsPortUnreachable */
	AGENT(64, MIB_COUNTER64, stats.tunnel_mtu_lowered),    /* heTunnelMtuLowered */
	AGENT(65, MIB_COUNTER64, stats.icmp_errors_sent),      /* heIcmpErrorsSent */
	AGENT(66, MIB_COUNTER64, stats.icmp_errors_limited),   /* heIcmpErrorsLimited */
	AGENT(67, MIB_COUNTER64, stats.networks_granted),      /* heMobileNetworksGranted */
	AGENT(68, MIB_COUNTER64, stats.networks_refused),      /* heMobileNetworksRefused */
	AGENT(69, MIB_COUNTER64, stats.tunnel_ecn_drops),      /* heDropsTunnelEcn */
	AGENT(70, MIB_COUNTER64, stats.tunnel_ecn_unexpected), /* heTunnelEcnUnexpected */
	AGENT(71, MIB_COUNTER64, stats.replies_withheld),      /* heRepliesWithheld */
	AGENT(72, MIB_COUNTER64, stats.state_commits),         /* heStateCommits */
	AGENT(73, MIB_COUNTER64, stats.state_commit_failures), /* heStateCommitFailures */
	AGENT(74, MIB_COUNTER64, stats.requests_over_share),   /* heRequestsDroppedOverShare */
	AGENT(75, MIB_COUNTER64, stats.fast_path_packets),     /* heFastPathPackets */
	AGENT(76, MIB_COUNTER64, stats.fast_path_drops),       /* heFastPathDrops */
	AGENT(77, MIB_COUNTER64, stats.fast_path_left),        /* heFastPathLeft */
	AGENT(78, MIB_COUNTER64, stats.fast_path_refusals),    /* heFastPathRefusals */
	AGENT(79, MIB_COUNTER64, stats.filter_options_drops),  /* heDropsFilterIpOptions */
	AGENT(80, MIB_COUNTER64, stats.filter_icmp_drops),     /* heDropsFilterIcmpError */
	AGENT(81, MIB_COUNTER64, stats.filter_peer_drops),     /* heDropsFilterNotAGateway */
	AGENT(82, MIB_COUNTER64, stats.filter_protocol_drops), /* heDropsFilterProtocol */
	AGENT(83, MIB_COUNTER64, stats.filter_port_drops),     /* heDropsFilterPort */
	AGENT(84, MIB_COUNTER64, stats.filter_length_drops),   /* heDropsFilterLength */
	AGENT(85, MIB_COUNTER64, stats.filter_fragment_drops), /* heDropsFilterFragment */
	AGENT(86, MIB_COUNTER64, stats.filter_unsolicited_drops), /* heDropsFilterUnsolicited */
	AGENT(87, MIB_COUNTER64, stats.requests_dropped_standby), /* heRequestsDroppedStandby */
	AGENT(88, MIB_COUNTER64, stats.batches_unconfirmed),      /* heReplyBatchesUnconfirmed */
};
GROUP(he_counters, SNMP_AGENT, "0", counter_columns, 2, 1, 4);

#define CODE(arc, kind, member) MIB_COLUMN(arc, kind, struct snmp_row_code, member)

static const struct mib_column code_columns[] = {
	CODE(2, MIB_COUNTER64, cnt), /* heReplyCodeCount */
};
GROUP(he_codes, SNMP_CODES, "n", code_columns, 4, 1, 5, 1, 1);

static const struct mib_column load_columns[] = {
	AGENT(1, MIB_COUNTER64, processing_us),    /* heProcessingTime */
	AGENT(2, MIB_UNSIGNED, processing_max_us), /* heProcessingTimeMaximum */
	AGENT(3, MIB_UNSIGNED, rate),              /* heRequestRate */
	AGENT(4, MIB_UNSIGNED, rate_peak),         /* heRequestRatePeak */
};
GROUP(he_load, SNMP_AGENT, "0", load_columns, 2, 1, 6);

static const struct mib_column notifying_columns[] = {
	AGENT(1, MIB_COUNTER64, notices),            /* heNotificationsSent */
	AGENT(2, MIB_COUNTER64, notices_suppressed), /* heNotificationsSuppressed */
};
GROUP(he_notifying, SNMP_AGENT, "0", notifying_columns, 2, 1, 7);

static const struct mib_column store_columns[] = {
	AGENT(1, MIB_INTEGER, store.state),            /* heStoreState */
	AGENT(2, MIB_TEXT, store.error),               /* heStoreError */
	AGENT(3, MIB_COUNTER64, store.changes),        /* heStoreChanges */
	AGENT(4, MIB_COUNTER64, store.octets),         /* heStoreOctets */
	AGENT(5, MIB_UNSIGNED, store.unsynced),        /* heStoreUnsyncedOctets */
	AGENT(6, MIB_UNSIGNED, store.segments),        /* heStoreSegments */
	AGENT(7, MIB_COUNTER64, store.merges),         /* heStoreMerges */
	AGENT(8, MIB_COUNTER64, store.sync_failures),  /* heStoreSyncFailures */
	AGENT(9, MIB_COUNTER64, store.merge_failures), /* heStoreMergeFailures */
};
GROUP(he_store, SNMP_AGENT, "0", store_columns, 2, 1, 8);

static const struct mib_column cluster_columns[] = {
	AGENT(1, MIB_INTEGER, cluster.state),          /* heClusterState */
	AGENT(2, MIB_INTEGER, cluster.role),           /* heClusterRole */
	AGENT(3, MIB_TEXT, cluster.error),             /* heClusterError */
	AGENT(4, MIB_UNSIGNED, cluster.peers),         /* heClusterPeers */
	AGENT(5, MIB_UNSIGNED, cluster.lag_entries),   /* heClusterLagEntries */
	AGENT(6, MIB_UNSIGNED, cluster.lag_ms),        /* heClusterLag */
	AGENT(7, MIB_UNSIGNED, cluster.queued),        /* heClusterQueued */
	AGENT(8, MIB_COUNTER64, cluster.sent),         /* heClusterChangesSent */
	AGENT(9, MIB_COUNTER64, cluster.applied),      /* heClusterChangesRead */
	AGENT(10, MIB_COUNTER64, cluster.outages),     /* heClusterOutages */
	AGENT(11, MIB_COUNTER64, cluster.scans),       /* heClusterScans */
	AGENT(12, MIB_COUNTER64, cluster.unconfirmed), /* heClusterUnconfirmed */
};
GROUP(he_cluster, SNMP_AGENT, "0", cluster_columns, 2, 1, 10);

#define INTERFACE(arc, kind, member) MIB_COLUMN(arc, kind, struct snmp_row_interface, member)

static const struct mib_column interface_columns[] = {
	INTERFACE(2, MIB_TEXT, name),       /* heInterfaceName */
	INTERFACE(3, MIB_INTEGER, tier),    /* heInterfaceTier */
	INTERFACE(4, MIB_TEXT, why),        /* heInterfaceReason */
	INTERFACE(5, MIB_COUNTER64, drops), /* heInterfaceDrops */
};
GROUP(he_interfaces, SNMP_INTERFACES, "n", interface_columns, 4, 1, 9, 1, 1);

const struct mib_group *const home_agent_mib_groups[] = {
	&he_system,    &he_trust, &he_trusted,    &he_offenders, &he_binding_totals,
	&he_bindings,  &he_nodes, &he_counters,   &he_codes,     &he_load,
	&he_notifying, &he_store, &he_interfaces, &he_cluster,
};
const size_t home_agent_mib_group_cnt = LEN(home_agent_mib_groups);

/* --- notifications --- */

/* The objects are scalars of some group, their values fields of the notice. */
static void add_object(struct agentx_object *object, const struct mib_group *group, uint32_t arc,
		       enum mib_kind kind, const void *field, size_t size)
{
	const struct mib_column column = { arc, kind, 0, (uint16_t)size };

	mib_instance(group, &column, 0, &object->oid);
	mib_value(&column, field, &object->value);
}

#define OBJECT(group, arc, kind, field) \
	add_object(&out_objects[cnt++], &(group), (arc), (kind), &(field), sizeof(field))

static size_t untrusted_objects(const struct snmp_notice *n, size_t cnt,
				struct agentx_object *out_objects)
{
	OBJECT(he_trust, 2, MIB_INET_TYPE, n->who.peer); /* heLastOffenderAddressType */
	OBJECT(he_trust, 3, MIB_INET, n->who.peer);      /* heLastOffenderAddress */
	OBJECT(he_trust, 4, MIB_UNSIGNED, n->who.port);  /* heLastOffenderPort */
	OBJECT(he_trust, 5, MIB_INET, n->who.home_addr); /* heLastOffenderHomeAddress */
	OBJECT(he_trust, 6, MIB_INET, n->who.care_of);   /* heLastOffenderCareOf */
	OBJECT(he_notifying, 3, MIB_UNSIGNED, n->suppressed);
	return cnt;
}

static size_t limit_objects(const struct snmp_notice *n, size_t cnt,
			    struct agentx_object *out_objects)
{
	OBJECT(he_notifying, 4, MIB_UNSIGNED, n->code);           /* heLimitCode */
	OBJECT(he_notifying, 5, MIB_INET_TYPE, n->who.home_addr); /* heLimitHomeAddressType */
	OBJECT(he_notifying, 6, MIB_INET, n->who.home_addr);      /* heLimitHomeAddress */
	OBJECT(he_notifying, 3, MIB_UNSIGNED, n->suppressed);     /* heSuppressed */
	return cnt;
}

void home_agent_mib_name(const struct snmp_notice *n, struct agentx_object *out_object)
{
	add_object(out_object, &he_system, 1, MIB_TEXT, &n->name, sizeof(n->name));
}

size_t home_agent_mib_notice(const struct snmp_notice *n, struct agentx_oid *out_oid,
			     struct agentx_object *out_objects)
{
	static const struct agentx_oid notifications = { { HE_ROOT, 0 }, HE_ROOT_LEN + 1 };
	size_t cnt = 0;

	*out_oid = notifications;
	out_oid->ids[out_oid->len++] = n->what + 1; /* heUntrustedRequest is the first */
	home_agent_mib_name(n, &out_objects[cnt++]);
	switch ((enum snmp_notice_kind)n->what) {
	case SNMP_NOTICE_UNTRUSTED:
		return untrusted_objects(n, cnt, out_objects);
	case SNMP_NOTICE_BINDING_LIMIT:
		return limit_objects(n, cnt, out_objects);
	case SNMP_NOTICE_DEGRADED:
		OBJECT(he_system, 13, MIB_TEXT, n->text); /* heDataPath */
		return cnt;
	case SNMP_NOTICE_STORE:
		OBJECT(he_store, 1, MIB_INTEGER, n->state);           /* heStoreState */
		OBJECT(he_store, 2, MIB_TEXT, n->text);               /* heStoreError */
		OBJECT(he_notifying, 3, MIB_UNSIGNED, n->suppressed); /* heSuppressed */
		return cnt;
	case SNMP_NOTICE_CLUSTER:
		OBJECT(he_cluster, 1, MIB_INTEGER, n->state);         /* heClusterState */
		OBJECT(he_cluster, 3, MIB_TEXT, n->text);             /* heClusterError */
		OBJECT(he_notifying, 3, MIB_UNSIGNED, n->suppressed); /* heSuppressed */
		return cnt;
	case SNMP_NOTICE_TRUSTED_EMPTY:
	case SNMP_NOTICE_AUTH_FAILURE: /* another module's */
	case SNMP_NOTICE_CNT:
		break;
	}
	return cnt;
}

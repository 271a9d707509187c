/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * One counter per outcome and drop, under the name operators see. Counted before anything is
 * logged or answered, and never limited.
 */
#ifndef HA_CORE_STATS_H
#define HA_CORE_STATS_H

#include <stdint.h>

/* X(member, "operators-name") */
#define STATS_COUNTERS(X)                                                                      \
	X(requests_received, "requests-received") /* whatever became of them */                \
	X(requests_accepted, "requests-accepted")                                              \
	X(requests_denied, "requests-denied")                                                  \
	X(requests_discarded, "requests-discarded") /* in silence, for whatever reason */      \
	X(requests_dropped_untrusted, "requests-dropped-untrusted")                            \
	X(requests_dropped_inside, "requests-dropped-inside")                                  \
	X(requests_dropped_standby, "requests-dropped-standby")                                \
	X(batches_unconfirmed, "reply-batches-unconfirmed") /* and not sent */                 \
	X(requests_malformed, "requests-malformed")                                            \
	X(messages_unknown_type, "messages-unknown-type")                                      \
	X(unknown_extensions, "unknown-extensions") /* discards for types below 128 */         \
	X(missing_authentication, "missing-authentication")                                    \
	X(unknown_mobile_nodes, "unknown-mobile-nodes")                                        \
	X(unknown_spis, "unknown-spis")                                                        \
	X(auth_failures, "auth-failures") /* the mobile node's authenticator */                \
	X(foreign_agent_auth_failures, "foreign-agent-auth-failures")                          \
	X(replay_failures, "replay-failures")                                                  \
	X(requests_over_share, "requests-dropped-over-share") /* unread, under overload */     \
	X(replies_withheld, "replies-withheld")     /* the store did not take the change */    \
	X(denials_unanswered, "denials-unanswered") /* beyond registration.max-denials */      \
	X(leases_taken_over, "leases-taken-over")   /* idle, of an exhausted pool */           \
	X(deregistrations, "deregistrations")       /* accepted, Lifetime 0 */                 \
	X(deregistration_requests, "deregistration-requests") /* whatever became of them */    \
	X(bindings_expired, "bindings-expired")                                                \
	X(replies_sent, "replies-sent")                                                        \
	X(deregistration_replies, "deregistration-replies") /* of replies-sent */              \
	X(reply_send_failures, "reply-send-failures")                                          \
	X(state_commits, "state-commits")                                                      \
	X(state_commit_failures, "state-commit-failures")                                      \
	X(replies_with_tnc, "replies-with-tnc")                                                \
	X(gratuitous_arps_sent, "gratuitous-arps-sent") /* retransmissions included */         \
	X(proxy_arps_sent, "proxy-arps-sent")                                                  \
	X(advertisements_sent, "advertisements-sent")                                          \
	X(solicitations_received, "solicitations-received")                                    \
	X(solicitations_answered, "solicitations-answered")                                    \
	X(revocations_sent, "revocations-sent")                                                \
	X(revocations_acknowledged, "revocations-acknowledged")                                \
	X(revocations_abandoned, "revocations-abandoned")                                      \
	X(revocations_received, "revocations-received")                                        \
	X(revocations_accepted, "revocations-accepted")                                        \
	X(revocations_ignored, "revocations-ignored") /* or acknowledgements */                \
	X(udp_tunnels_granted, "udp-tunnels-granted")                                          \
	X(udp_tunnels_declined, "udp-tunnels-declined")                                        \
	X(networks_granted, "mobile-networks-granted") /* acknowledged, renewals included */   \
	X(networks_refused, "mobile-networks-refused")                                         \
	X(accepted_1, "accepted-1-no-simultaneous-bindings") /* of requests-accepted */        \
	X(denied_128, "denied-128-reason-unspecified")                                         \
	X(denied_129, "denied-129-administratively-prohibited")                                \
	X(denied_130, "denied-130-insufficient-resources")                                     \
	X(denied_131, "denied-131-mobile-node-failed-authentication")                          \
	X(denied_132, "denied-132-foreign-agent-failed-authentication")                        \
	X(denied_133, "denied-133-identification-mismatch")                                    \
	X(denied_134, "denied-134-poorly-formed")                                              \
	X(denied_135, "denied-135-too-many-bindings")                                          \
	X(denied_136, "denied-136-unknown-home-agent")                                         \
	X(denied_137, "denied-137-reverse-tunnel-unavailable")                                 \
	X(denied_138, "denied-138-reverse-tunnel-mandatory")                                   \
	X(denied_139, "denied-139-encapsulation-unavailable")                                  \
	X(denied_140, "denied-140-unknown-vendor-extension-of-mobile-node")                    \
	X(denied_141, "denied-141-unknown-vendor-extension-of-foreign-agent")                  \
	X(denied_142, "denied-142-udp-encapsulation-unavailable")                              \
	X(denied_143, "denied-143-redirected")                                                 \
	X(denied_147, "denied-147-mobile-network-error")                                       \
	X(denied_148, "denied-148-mobile-router-disallowed")                                   \
	X(denied_151, "denied-151-service-unauthorized")                                       \
	X(packets_to_nodes, "packets-to-nodes")                                                \
	X(bytes_to_nodes, "bytes-to-nodes") /* inner octets */                                 \
	X(packets_from_nodes, "packets-from-nodes")                                            \
	X(bytes_from_nodes, "bytes-from-nodes")                                                \
	X(keepalives, "keepalives")             /* answered */                                 \
	X(no_binding_drops, "drops-no-binding") /* to a home address without one */            \
	X(tunnel_malformed_drops, "drops-tunnel-malformed")                                    \
	X(tunnel_no_binding_drops, "drops-tunnel-no-binding") /* inner source has none */      \
	X(tunnel_wrong_source_drops, "drops-tunnel-wrong-source")                              \
	X(tunnel_wrong_encapsulation_drops, "drops-tunnel-wrong-encapsulation")                \
	X(tunnel_no_reverse_drops, "drops-tunnel-no-reverse")   /* T was not granted */        \
	X(tunnel_signalling_drops, "drops-tunnel-signalling")   /* port 434 inside a tunnel */ \
	X(tunnel_destination_drops, "drops-tunnel-destination") /* inner one is no host's */   \
	X(tunnel_ttl_drops, "drops-tunnel-ttl")                                                \
	X(tunnel_ecn_drops, "drops-tunnel-ecn")                                                \
	X(tunnel_ecn_unexpected, "tunnel-ecn-unexpected")                                      \
	X(tunnel_too_big_drops, "drops-tunnel-too-big") /* answered with ICMP */               \
	X(tunnel_loop_drops, "drops-tunnel-loop")                                              \
	X(tunnel_half_bound_drops, "drops-tunnel-half-bound") /* peer port not yet known */    \
	X(tunnel_send_failures, "drops-tunnel-send-failure")                                   \
	X(filter_drops, "drops-filter") /* forwarding.policy; of these: */                     \
	X(filter_options_drops, "drops-filter-ip-options")                                     \
	X(filter_icmp_drops, "drops-filter-icmp-error") /* about no such flow */               \
	X(filter_peer_drops, "drops-filter-not-a-gateway")                                     \
	X(filter_protocol_drops, "drops-filter-protocol") /* nor ESP, nor UDP */               \
	X(filter_port_drops, "drops-filter-port")                                              \
	X(filter_length_drops, "drops-filter-length")     /* UDP's own is wrong */             \
	X(filter_fragment_drops, "drops-filter-fragment") /* without its first */              \
	X(filter_unsolicited_drops, "drops-filter-unsolicited")                                \
	X(broadcasts_to_nodes, "broadcasts-to-nodes") /* copies */                             \
	X(broadcasts_limited, "broadcasts-limited")   /* too many a second */                  \
	X(mss_clamped, "mss-clamped")     /* TCP connections told of a smaller segment */      \
	X(tunnel_errors, "tunnel-errors") /* ICMP from inside a tunnel, all kinds */           \
	X(tunnel_errors_relayed, "tunnel-errors-relayed")                                      \
	X(tunnel_errors_unknown, "tunnel-errors-unknown") /* about no live tunnel */           \
	X(tunnel_errors_port, "tunnel-errors-port-unreachable")                                \
	X(tunnel_mtu_lowered, "tunnel-mtu-lowered")                                            \
	X(icmp_errors_sent, "icmp-errors-sent")                                                \
	X(icmp_errors_limited, "icmp-errors-limited")                                          \
	X(fast_path_packets, "fast-path-packets")   /* of packets-to/from-nodes */             \
	X(fast_path_drops, "fast-path-drops")       /* of drops-tunnel-*, drops-filter */      \
	X(fast_path_left, "fast-path-left")         /* nodes' packets left to tun */           \
	X(fast_path_refusals, "fast-path-refusals") /* changes not taken: tun carries */

struct stats {
#define X(member, name) uint64_t member;
	STATS_COUNTERS(X)
#undef X
};

/** Calls fn for each counter, in the order above. */
static inline void stats_for_each(const struct stats *s,
				  void (*fn)(void *ctx, const char *name, uint64_t value),
				  void *ctx)
{
#define X(member, name) fn(ctx, name, s->member);
	STATS_COUNTERS(X)
#undef X
}

#endif

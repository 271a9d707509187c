/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of what can become of a request: an event for the log, and a sentence for a person. */
#include "ha-core/engine/ha_policy.h"

static const struct {
	const char *name;
	const char *text;
} reasons[REG_REASON_CNT] = {
	[REG_REASON_REGISTERED] = { "registered", "registered" },
	[REG_REASON_RENEWED] = { "renewed", "registration renewed" },
	[REG_REASON_CHANGED] = { "tunnel-changed", "registration renewed with another tunnel" },
	[REG_REASON_MOVED] = { "moved", "registered at a new care-of address" },
	[REG_REASON_DEREGISTERED] = { "deregistered", "deregistered" },
	[REG_REASON_REVOKED] = { "revoked", "binding revoked by its foreign agent" },
	[REG_REASON_REVOCATION_ACKNOWLEDGED] = { "revocation-acknowledged",
						 "revocation acknowledged" },
	[REG_REASON_UNTRUSTED] = { "untrusted-rrq", "Registration Request from outside the trusted "
						    "networks dropped" },
	[REG_REASON_INSIDE] = { "inside-rrq",
				"Registration Request from inside the enterprise dropped" },
	[REG_REASON_MALFORMED] = { "malformed", "malformed Registration Request discarded" },
	[REG_REASON_TOO_MANY_EXTENSIONS] = { "too-many-extensions",
					     "request with more than 64 extensions discarded" },
	[REG_REASON_UNKNOWN_TYPE] = { "unknown-message-type", "unknown message type discarded" },
	[REG_REASON_UNKNOWN_EXTENSION] = { "unknown-extension",
					   "request with an unknown extension discarded" },
	[REG_REASON_NO_AUTHENTICATION] = { "missing-authentication",
					   "request without Mobile-Home Authentication discarded" },
	[REG_REASON_UNKNOWN_NODE] = { "unknown-mobile-node",
				      "request of an unknown mobile node discarded" },
	[REG_REASON_UNKNOWN_SPI] = { "unknown-spi", "request under an unknown SPI refused" },
	[REG_REASON_AUTH_FAILURE] = { "auth-failure", "authenticator does not verify" },
	[REG_REASON_UNEXPECTED_FHAE] = { "unexpected-foreign-home-auth",
					 "Foreign-Home Authentication of an unknown agent" },
	[REG_REASON_REVOCATION_MALFORMED] = { "revocation-malformed",
					      "malformed revocation message ignored" },
	[REG_REASON_REVOCATION_AUTH] = { "revocation-auth-failure", "revocation message without a "
								    "good authenticator ignored" },
	[REG_REASON_REVOCATION_REFLECTED] = { "revocation-reflected",
					      "revocation in the name of a home agent ignored" },
	[REG_REASON_REVOCATION_REPLAY] = { "revocation-replay",
					   "revocation that is not newer than the last ignored" },
	[REG_REASON_REVOCATION_UNEXPECTED] = { "revocation-unexpected",
					       "revocation message out of the blue ignored" },
	[REG_REASON_REPLAY] = { "replay", "Identification is not newer than the last one" },
	[REG_REASON_CLOCK_SKEW] = { "clock-skew", "Identification is too far from our clock" },
	[REG_REASON_STALE_NONCE] = { "stale-nonce", "Identification does not hold our nonce" },
	[REG_REASON_FA_AUTH_FAILURE] = { "foreign-agent-auth-failure",
					 "foreign agent failed authentication" },
	[REG_REASON_NOT_UNICAST] = { "home-agent-discovery",
				     "request to a broadcast address: told our own" },
	[REG_REASON_POORLY_FORMED] = { "poorly-formed",
				       "request is out of order or contradicts itself" },
	[REG_REASON_REPEATED_EXTENSION] = { "repeated-extension",
					    "an extension is there twice that there is one of" },
	[REG_REASON_EXTENSION_FORM] = { "malformed-extension",
					"an extension has a length that it cannot have" },
	[REG_REASON_WRONG_HOME_AGENT] = { "wrong-home-agent", "request for another home agent" },
	[REG_REASON_HOME_ADDRESS] = { "home-address", "home address cannot be served" },
	[REG_REASON_CARE_OF_ADDRESS] = { "care-of-address", "care-of address cannot be used" },
	[REG_REASON_BEHIND_TUNNEL] = { "care-of-behind-tunnel",
				       "care-of address lies behind one of our own tunnels" },
	[REG_REASON_ENCAPSULATION] = { "encapsulation", "requested encapsulation is not offered" },
	[REG_REASON_TOO_MANY_BINDINGS] = { "too-many-bindings", "too many simultaneous bindings" },
	[REG_REASON_RESOURCES] = { "resources", "out of resources" },
	[REG_REASON_TOO_MANY_NETWORKS] = { "too-many-mobile-networks",
					   "more than 32 mobile networks in one request" },
	[REG_REASON_REVERSE_MANDATORY] = { "reverse-tunnel-mandatory",
					   "a reverse tunnel is required and was not asked for" },
	[REG_REASON_REVERSE_UNAVAILABLE] = { "reverse-tunnel-unavailable",
					     "reverse tunnels are disabled" },
	[REG_REASON_NAT_REFUSED] = { "udp-tunnel-refused", "UDP tunnelling is not allowed" },
	[REG_REASON_UDP_ENCAPSULATION] = { "udp-encapsulation",
					   "requested UDP encapsulation is not offered" },
	[REG_REASON_DRAINING] = { "draining", "draining: new registrations are refused" },
	[REG_REASON_REVOCATION_REQUIRED] = { "revocation-required",
					     "no Revocation Support in the request" },
	[REG_REASON_VENDOR_EXTENSION] = { "vendor-extension",
					  "request with a critical vendor extension" },
	[REG_REASON_FA_VENDOR_EXTENSION] = { "foreign-agent-vendor-extension",
					     "critical vendor extension of a foreign agent" },
	[REG_REASON_REDIRECTED] = { "redirected", "sent to another home agent" },
	[REG_REASON_MOBILE_NETWORKS] = { "mobile-networks",
					 "none of the mobile networks can be served" },
	[REG_REASON_NO_ROUTER] = { "no-mobile-router",
				   "mobile networks of a node that is no router" },
	[REG_REASON_SERVICE] = { "service", "service is not authorized" },
	[REG_REASON_NO_SERVICE] = { "service-missing",
				    "no service is named, and the default one is not authorized" },
};

const char *reg_reason_name(enum reg_reason reason)
{
	return reasons[reason].name;
}

const char *reg_reason_text(enum reg_reason reason)
{
	return reasons[reason].text;
}

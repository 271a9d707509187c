/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * What a daemon adds to the home agent: its policy, as a table of hooks. ihad fills admits()
 * (trusted networks) and extend_reply() (TNC); xhad fills admits() (nothing from inside) and
 * filter() (IPsec only).
 */
#ifndef HA_CORE_ENGINE_HA_POLICY_H
#define HA_CORE_ENGINE_HA_POLICY_H

#include "common/addr.h"
#include "ha-core/wire/reg.h"

#include <net/if.h>

struct tunnel_filter;

/** Where a datagram came from; addresses of its outermost IP header. */
struct reg_origin {
	struct in_addr src, dst;
	uint16_t src_port, dst_port; /* host order */
	char interface[IF_NAMESIZE]; /* it came in by; "": see is_unnamed, or a binding's source */
	bool is_unnamed;             /* it came in by one whose name could not be told */
};

enum reg_verdict { REG_ACCEPT, REG_DENY, REG_DISCARD };

/** Why; names the counter and the event of the log line. See reg_reason_name(). */
enum reg_reason {
	REG_REASON_REGISTERED,
	REG_REASON_RENEWED,
	REG_REASON_CHANGED, /* renewed, but its tunnel is another one now */
	REG_REASON_MOVED,
	REG_REASON_DEREGISTERED,
	REG_REASON_REVOKED,                 /* by a foreign agent; acknowledged */
	REG_REASON_REVOCATION_ACKNOWLEDGED, /* ours, by its peer */
	/* silence */
	REG_REASON_UNTRUSTED,
	REG_REASON_INSIDE,
	REG_REASON_MALFORMED,
	REG_REASON_TOO_MANY_EXTENSIONS,
	REG_REASON_UNKNOWN_TYPE,
	REG_REASON_UNKNOWN_EXTENSION,
	REG_REASON_NO_AUTHENTICATION,
	REG_REASON_UNKNOWN_NODE,
	REG_REASON_UNKNOWN_SPI,
	REG_REASON_AUTH_FAILURE, /* or Code 131 where a foreign agent vouches */
	REG_REASON_UNEXPECTED_FHAE,
	REG_REASON_REVOCATION_MALFORMED,
	REG_REASON_REVOCATION_AUTH,
	REG_REASON_REVOCATION_REFLECTED,
	REG_REASON_REVOCATION_REPLAY,
	REG_REASON_REVOCATION_UNEXPECTED, /* nobody agreed to it, or nothing was sent */
	/* codes */
	REG_REASON_REPLAY,              /* 133 */
	REG_REASON_CLOCK_SKEW,          /* 133 */
	REG_REASON_STALE_NONCE,         /* 133 */
	REG_REASON_FA_AUTH_FAILURE,     /* 132 */
	REG_REASON_NOT_UNICAST,         /* 136 */
	REG_REASON_POORLY_FORMED,       /* 134 */
	REG_REASON_REPEATED_EXTENSION,  /* 134 */
	REG_REASON_EXTENSION_FORM,      /* 134 */
	REG_REASON_WRONG_HOME_AGENT,    /* 136 */
	REG_REASON_HOME_ADDRESS,        /* 129 */
	REG_REASON_CARE_OF_ADDRESS,     /* 129 */
	REG_REASON_BEHIND_TUNNEL,       /* 129 */
	REG_REASON_ENCAPSULATION,       /* 139 */
	REG_REASON_TOO_MANY_BINDINGS,   /* 135 */
	REG_REASON_RESOURCES,           /* 130 */
	REG_REASON_TOO_MANY_NETWORKS,   /* 130 */
	REG_REASON_REVERSE_MANDATORY,   /* 138 */
	REG_REASON_REVERSE_UNAVAILABLE, /* 137 */
	REG_REASON_NAT_REFUSED,         /* 129 */
	REG_REASON_UDP_ENCAPSULATION,   /* 142 */
	REG_REASON_DRAINING,            /* 129 */
	REG_REASON_REVOCATION_REQUIRED, /* 129 */
	REG_REASON_VENDOR_EXTENSION,    /* 140 */
	REG_REASON_FA_VENDOR_EXTENSION, /* 141 */
	REG_REASON_REDIRECTED,          /* 143 */
	REG_REASON_MOBILE_NETWORKS,     /* 147 */
	REG_REASON_NO_ROUTER,           /* 148 */
	REG_REASON_SERVICE,             /* 151 */
	REG_REASON_NO_SERVICE,          /* 151 */
	REG_REASON_CNT
};

struct reg_outcome {
	enum reg_verdict verdict;
	uint8_t code; /* enum reg_code; of a reply */
	enum reg_reason reason;
};

/** "auth-failure"; the event of a log line. */
const char *reg_reason_name(enum reg_reason reason);

/** A sentence's worth of the same. */
const char *reg_reason_text(enum reg_reason reason);

/** What an accepted request gets. */
struct reg_grant {
	uint16_t lifetime_s;
	uint8_t encap; /* enum encap_mode */
	bool reverse;
	bool udp;        /* tunnel in UDP */
	bool udp_forced; /* ... because F was set and no NAT was seen */
	bool half_bound; /* ... to a port that the first keepalive will show (R) */
	bool udp_reply;  /* the request asked: answer with a UDP Tunnel Reply */
	bool from_fa;    /* it was the foreign agent that asked */
	uint16_t keepalive_s;
};

/** What a daemon decides. Any hook may be NULL: the core's default then applies. */
struct ha_policy {
	/**
	 * May this source send us signalling? Asked before anything else is looked at.
	 * @retval REG_REASON_REGISTERED  admitted
	 * @return another reason: dropped in silence, counted and logged under it
	 */
	enum reg_reason (*admits)(const void *ctx, const struct reg_origin *from);
	/** Adds extensions to every reply, ahead of its authentication extension. */
	void (*extend_reply)(const void *ctx, struct wire_writer *w);
	/** Inner traffic that may pass a tunnel; NULL means all. */
	const struct tunnel_filter *(*filter)(const void *ctx);
};

#endif

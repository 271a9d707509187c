/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Internal network detection of a mobile node (RFC 5265 §3.2, §3.3): on which side of the VPN is
 * this interface, and may user data pass? Pure: events and the time go in, requests to be sent
 * come out. One struct detect an interface (§3.2.1).
 */
#ifndef TEST_MN_DETECT_H
#define TEST_MN_DETECT_H

#include <stdbool.h>
#include <stdint.h>

#define DETECT_RETRY_MIN_MS 1000 /* between two requests to one agent, RFC 5944 §3.6.3 */
#define DETECT_RETRY_MAX_MS 16000
#define DETECT_NEVER        UINT64_MAX

enum detect_state {
	DETECT_DOWN,              /* no care-of address, or told to stop */
	DETECT_UNKNOWN,           /* both agents have been asked, no user data passes */
	DETECT_TENTATIVE_OUTSIDE, /* the external agent answered, the internal one may yet */
	DETECT_INSIDE,            /* the internal agent vouched for this network: plain data */
	DETECT_OUTSIDE,           /* plain data never; the external tunnel carries the VPN */
};

enum detect_agent {
	DETECT_INTERNAL, /* asked in the clear */
	DETECT_EXTERNAL,
	DETECT_VPN, /* the internal agent again, asked through the VPN */
	DETECT_AGENT_CNT,
};

/** IPsec as far as it matters here. */
enum detect_vpn { DETECT_VPN_DOWN, DETECT_VPN_CONNECTING, DETECT_VPN_UP };

/** Why the state is what it is; for the log and the event stream. */
enum detect_reason {
	DETECT_NO_REASON,
	DETECT_LINK_DOWN,   /* no care-of address */
	DETECT_LINK_CHANGE, /* connection status change: address, link or route */
	DETECT_EXTERNAL_ANSWERED,
	DETECT_TRUSTED,          /* internal success with the TNC extension */
	DETECT_NOT_TRUSTED,      /* internal success without it */
	DETECT_PERIOD_OVER,      /* the internal agent stayed silent */
	DETECT_SAME_AGENT,       /* both agents have one address (§3.5) */
	DETECT_T_MONITOR,        /* inside, and no fresh success in time */
	DETECT_DENIED,           /* inside, and a re-registration failed */
	DETECT_EXTERNAL_EXPIRED, /* outside, and the external registration ran out */
};

struct detect_conf {
	bool has_external;
	bool same_agent;       /* one address for both: assume outside */
	bool has_vpn;          /* outside, user data goes through it */
	uint32_t t_monitor_ms; /* §3.2.4 */
	uint32_t grace_ms;     /* re-register that long before T_MONITOR or a lifetime ends */
	uint32_t period_ms;    /* how long the internal agent may answer after the external one */
};

/** An authenticated reply to our latest request to an agent. */
struct detect_reply {
	bool accepted;       /* and, unless dereg, for some time */
	bool dereg;          /* it answers a deregistration */
	bool tnc;            /* Trusted Networks Configured, under the authenticator */
	bool correctable;    /* denied, but we now know what to say instead (codes 133, 136) */
	uint16_t lifetime_s; /* granted; 0xffff: for ever */
	uint64_t sent_ms;    /* when the request left */
};

/** What is to be done now. */
struct detect_todo {
	bool request[DETECT_AGENT_CNT];
	bool dereg_external;
	bool vpn_connect;
	bool vpn_disconnect;
	bool changed; /* the state, or the same state anew: see detect.reason */
};

/** The conversation with one agent. */
struct detect_track {
	uint64_t due_ms;      /* next request; DETECT_NEVER: none */
	uint32_t interval_ms; /* from that one to its retransmission */
	bool was_sent;
	uint64_t sent_ms;         /* last request or deregistration */
	uint64_t valid_until_ms;  /* the registration holds until then; 0: none */
	unsigned int corrections; /* denials answered at once since the last success */
};

struct detect {
	struct detect_conf conf;
	enum detect_state state;
	enum detect_reason reason;
	uint64_t since_ms;      /* when the state was entered */
	uint64_t begun_ms;      /* the last status change: older requests prove nothing */
	uint64_t period_end_ms; /* of asking the internal agent; DETECT_NEVER: no end */
	struct detect_track track[DETECT_AGENT_CNT];
	uint64_t dereg_due_ms;
	uint32_t dereg_interval_ms;
	unsigned int dereg_left; /* tries */
	enum detect_vpn vpn;
};

void detect_init(struct detect *d, const struct detect_conf *conf);

/**
 * Connection status change (§3.2.2): user data stops, detection starts over.
 * @param usable  there is a care-of address to send from
 */
void detect_change(struct detect *d, bool usable, uint64_t now_ms, struct detect_todo *out_todo);

/** A reply that passed every check of RFC 5944 §3.6.2.1. */
void detect_reply(struct detect *d, enum detect_agent agent, const struct detect_reply *reply,
		  uint64_t now_ms, struct detect_todo *out_todo);

/** Registers again with an agent that we hold a registration with (keepalives went unanswered). */
void detect_renew(struct detect *d, enum detect_agent agent, uint64_t now_ms,
		  struct detect_todo *out_todo);

/** The VPN is up with a new inner address; or it is down, after being up or instead of it. */
void detect_vpn(struct detect *d, bool up, uint64_t now_ms, struct detect_todo *out_todo);

/** Time passed; to be called no later than detect_deadline(). */
void detect_tick(struct detect *d, uint64_t now_ms, struct detect_todo *out_todo);

/** When detect_tick() is next due; DETECT_NEVER: not before another event. */
uint64_t detect_deadline(const struct detect *d);

/** May user data of the internal home address pass, in or out, without a VPN? */
bool detect_permits_plain(const struct detect *d, uint64_t now_ms);

/** Is the tunnel to the external agent up? */
bool detect_permits_external(const struct detect *d, uint64_t now_ms);

/** May user data of the internal home address pass through the VPN? */
bool detect_permits_vpn(const struct detect *d, uint64_t now_ms);

/** "tentative-outside", "t-monitor-expired": what operators see. */
const char *detect_state_name(enum detect_state state);
const char *detect_reason_name(enum detect_reason reason);

#endif

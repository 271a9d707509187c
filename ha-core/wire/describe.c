/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages in words, for "hactl trace". Each kind of message and of extension is one function over
 * the codecs; an extension that no function knows is told by its number, name and length. It only
 * reads: what a message means is decided elsewhere.
 *
 * The names are those of RFC 5944 §3.3 to §3.5 and of the documents that ext.h cites.
 */
#include "ha-core/wire/describe.h"

#include "common/addr.h"
#include "common/err.h"
#include "ha-core/wire/mobile_network.h"
#include "ha-core/wire/reg.h"
#include "ha-core/wire/revocation.h"
#include "ha-core/wire/udp_tunnel.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define TRUSTED_NETWORKS_LEN 2

/** Appends; what does not fit is left out, and so is all that follows. */
struct text {
	char *at, *end;
};

static void put(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *t, const char *fmt, ...)
{
	size_t room = (size_t)(t->end - t->at);
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(t->at, room, fmt, args);
	va_end(args);
	if (len < 0 || (size_t)len >= room) {
		*t->at = '\0';
		t->end = t->at + 1; /* full */
		return;
	}
	t->at += len;
}

static void put_octets(struct text *t, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] >= 0x20 && p[i] < 0x7f && p[i] != '\\')
			put(t, "%c", p[i]);
		else
			put(t, "\\x%02x", p[i]);
	}
}

/* ---- Extensions ---- */

static void describe_auth(struct text *t, const uint8_t *msg, const struct ext *ext)
{
	struct reg_auth auth;

	if (reg_auth_decode(msg, ext, &auth) < 0)
		put(t, "malformed");
	else
		put(t, "SPI %" PRIu32 ", authenticator of %zu octets", auth.spi, auth.mac_len);
}

static void describe_udp_request(struct text *t, const uint8_t *msg, const struct ext *ext)
{
	struct udp_tunnel_request req;

	(void)msg;
	if (udp_tunnel_request_decode(ext, &req) < 0)
		put(t, "malformed, or of a kind that is not understood");
	else
		put(t, "F %d, R %d, Encapsulation %u", req.forced, req.registered_fa,
		    req.encapsulation);
}

static void describe_udp_reply(struct text *t, const uint8_t *msg, const struct ext *ext)
{
	struct udp_tunnel_reply reply;

	(void)msg;
	if (udp_tunnel_reply_decode(ext, &reply) < 0)
		put(t, "malformed");
	else
		put(t, "Reply Code %u (%s), F %d, Keepalive Interval %u s", reply.code,
		    reply.code < UDP_TUNNEL_REPLY_DECLINE ? "will do tunneling"
							  : "tunneling declined",
		    reply.forced, reply.keepalive_s);
}

static void describe_support(struct text *t, const uint8_t *msg, const struct ext *ext)
{
	struct revocation_support support;

	(void)msg;
	if (revocation_support_decode(ext, &support) < 0)
		put(t, "malformed");
	else
		put(t, "I %d, Timestamp %" PRIu32, support.inform, support.timestamp);
}

static void describe_network(struct text *t, const uint8_t *msg, const struct ext *ext)
{
	static const char *const kinds[] = { "requested", "acknowledged",
					     "acknowledged, implicit" };
	struct mobile_network net;

	(void)msg;
	if (mobile_network_decode(ext, &net) < 0 || net.type > MOBILE_NETWORK_IMPLICIT_ACK)
		put(t, "malformed, or of a kind that is not understood");
	else if (net.type == MOBILE_NETWORK_REQUEST)
		put(t, "%s, %s/%u", kinds[net.type], addr_text(net.prefix).s, net.prefix_len);
	else
		put(t, "%s, %s/%u, Code %u", kinds[net.type], addr_text(net.prefix).s,
		    net.prefix_len, net.code);
}

static void describe_text(struct text *t, const uint8_t *msg, const struct ext *ext)
{
	(void)msg;
	put_octets(t, ext->data, ext->len);
}

static void describe_message_string(struct text *t, const uint8_t *msg, const struct ext *ext)
{
	(void)msg;
	if (ext->len > 0)
		put_octets(t, ext->data + 1, ext->len - 1);
}

static void describe_trusted(struct text *t, const uint8_t *msg, const struct ext *ext)
{
	(void)msg;
	put(t, ext->len == TRUSTED_NETWORKS_LEN
		       ? "this network is trusted: the mobile node is inside"
		       : "malformed");
}

static const struct ext_row {
	uint8_t type;
	const char *name;
	void (*describe)(struct text *t, const uint8_t *msg, const struct ext *ext);
} ext_rows[] = {
	{ EXT_MOBILE_HOME_AUTH, "Mobile-Home Authentication", describe_auth },
	{ EXT_MOBILE_FOREIGN_AUTH, "Mobile-Foreign Authentication", describe_auth },
	{ EXT_FOREIGN_HOME_AUTH, "Foreign-Home Authentication", describe_auth },
	{ EXT_CRITICAL_VENDOR, "Critical Vendor/Organization Specific", NULL },
	{ EXT_UDP_TUNNEL_REPLY, "UDP Tunnel Reply", describe_udp_reply },
	{ EXT_FA_ERROR, "FA Error", NULL },
	{ EXT_NAI, "Mobile Node NAI", describe_text },
	{ EXT_CHALLENGE, "MN-FA Challenge", NULL },
	{ EXT_NORMAL_VENDOR, "Normal Vendor/Organization Specific", NULL },
	{ EXT_REVOCATION_SUPPORT, "Revocation Support", describe_support },
	{ EXT_DYNAMIC_HA, "Dynamic Home Agent", NULL },
	{ EXT_UDP_TUNNEL_REQUEST, "UDP Tunnel Request", describe_udp_request },
	{ EXT_MESSAGE_STRING, "Message String", describe_message_string },
	{ EXT_MOBILE_NETWORK, "Mobile Network", describe_network },
	{ EXT_TRUSTED_NETWORKS, "Trusted Networks Configured", describe_trusted },
	{ EXT_SERVICE, "Service Selection", describe_text },
};

static void describe_ext(struct text *t, const uint8_t *msg, const struct ext *ext)
{
	const struct ext_row *row = NULL;

	for (size_t i = 0; i < sizeof(ext_rows) / sizeof(ext_rows[0]); i++)
		if (ext_rows[i].type == ext->type)
			row = &ext_rows[i];
	put(t, "\n%s Extension (%u)", row ? row->name : "Another", ext->type);
	put(t, ": ");
	if (row && row->describe)
		row->describe(t, msg, ext);
	else
		put(t, "Length %zu", ext->len);
}

static void describe_exts(struct text *t, const uint8_t *msg, struct wire_reader *r)
{
	struct ext ext;
	int rc;

	while ((rc = ext_next(r, &ext)) > 0)
		if (ext.type != EXT_PADDING)
			describe_ext(t, msg, &ext);
	if (rc == ERR_UNKNOWN_EXT)
		put(t, "\nAn extension of an unknown type below 128: the message is discarded");
	else if (rc < 0)
		put(t, "\nAn extension that runs past the end of the message");
}

/* ---- Messages ---- */

static void describe_flags(struct text *t, uint8_t flags)
{
	static const char *const names[] = {
		"S (simultaneous bindings)",
		"B (broadcast datagrams)",
		"D (decapsulation by mobile node)",
		"M (minimal encapsulation)",
		"G (GRE encapsulation)",
		"r (reserved)",
		"T (reverse tunneling requested)",
		"x (reserved)",
	};
	const char *gap = "";

	put(t, "Bits: ");
	for (int i = 0; i < 8; i++) {
		if (!(flags & (0x80 >> i)))
			continue;
		put(t, "%s%s", gap, names[i]);
		gap = ", ";
	}
	if (!*gap)
		put(t, "none");
}

static void describe_lifetime(struct text *t, uint16_t lifetime_s, const char *zero)
{
	put(t, "\nLifetime: ");
	if (lifetime_s == 0)
		put(t, "0 (%s)", zero);
	else if (lifetime_s == REG_LIFETIME_INFINITE)
		put(t, "65535 (infinity)");
	else
		put(t, "%u s", lifetime_s);
}

static void describe_addr(struct text *t, const char *name, struct in_addr addr)
{
	put(t, "\n%s: %s", name, addr_text(addr).s);
}

static int describe_request(struct text *t, struct wire_reader *r)
{
	struct reg_request req;
	int rc = reg_request_decode(r, &req);

	if (rc < 0)
		return rc;
	describe_flags(t, req.flags);
	describe_lifetime(t, req.lifetime_s, "deregistration");
	describe_addr(t, "Home Address", req.home_addr);
	describe_addr(t, "Home Agent", req.home_agent);
	describe_addr(t, "Care-of Address", req.care_of);
	put(t, "\nIdentification: 0x%016" PRIx64, req.ident);
	return 0;
}

static int describe_reply(struct text *t, struct wire_reader *r)
{
	struct reg_reply reply;
	int rc = reg_reply_decode(r, &reply);

	if (rc < 0)
		return rc;
	put(t, "Code: %u (%s)", reply.code, reg_code_text(reply.code));
	describe_lifetime(t, reply.lifetime_s, "no binding");
	describe_addr(t, "Home Address", reply.home_addr);
	describe_addr(t, "Home Agent", reply.home_agent);
	put(t, "\nIdentification: 0x%016" PRIx64, reply.ident);
	return 0;
}

static int describe_revocation(struct text *t, struct wire_reader *r)
{
	struct revocation_message m;
	int rc = revocation_message_decode(r, &m);

	if (rc < 0)
		return rc;
	put(t, "Bits: A %d (from the %s agent), I %d", m.from_home_agent,
	    m.from_home_agent ? "home" : "foreign", m.inform);
	describe_addr(t, "Home Address", m.home_addr);
	describe_addr(t, "Home Domain Address", m.home_domain);
	describe_addr(t, "Foreign Domain Address", m.foreign_domain);
	put(t, "\nRevocation Identifier: %" PRIu32, m.ident);
	return 0;
}

static int describe_ack(struct text *t, struct wire_reader *r)
{
	struct revocation_ack ack;
	int rc = revocation_ack_decode(r, &ack);

	if (rc < 0)
		return rc;
	put(t, "Bits: I %d", ack.inform);
	describe_addr(t, "Home Address", ack.home_addr);
	put(t, "\nRevocation Identifier: %" PRIu32, ack.ident);
	return 0;
}

static const struct message_row {
	uint8_t type;
	const char *name;
	int (*describe)(struct text *t, struct wire_reader *r);
} message_rows[] = {
	{ REG_MSG_REQUEST, "Registration Request", describe_request },
	{ REG_MSG_REPLY, "Registration Reply", describe_reply },
	{ REG_MSG_REVOCATION, "Registration Revocation", describe_revocation },
	{ REG_MSG_REVOCATION_ACK, "Registration Revocation Acknowledgment", describe_ack },
};

static const struct message_row *message_row(uint8_t type)
{
	for (size_t i = 0; i < sizeof(message_rows) / sizeof(message_rows[0]); i++)
		if (message_rows[i].type == type)
			return &message_rows[i];
	return NULL;
}

const char *describe_message_name(uint8_t type)
{
	const struct message_row *row = message_row(type);

	return row ? row->name : NULL;
}

size_t describe_message(const uint8_t *msg, size_t len, char *out, size_t size)
{
	const struct message_row *row = len > 0 ? message_row(msg[0]) : NULL;
	struct wire_reader r = wire_reader(msg, len);
	struct text t = { out, out + size };

	if (!row)
		put(&t, "No message of Mobile IP that is known here");
	else if (row->describe(&t, &r) < 0)
		put(&t, "Shorter than its fixed part");
	else
		describe_exts(&t, msg, &r);
	return (size_t)(t.at - out);
}

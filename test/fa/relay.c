/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a foreign agent looks at in a Registration Request and in its Reply, what it takes off and
 * what it puts on (RFC 5944 §3.7.2, §3.7.3).
 *
 * All that the mobile node signed passes as it is, down to padding. What stands behind is for us
 * and goes no further: a request gains our UDP Tunnel Request (RFC 3519 §4.5) and then the
 * Foreign-Home Authentication; a reply loses the same two.
 */
#include "test/fa/relay.h"

#include "common/err.h"

#define EXT_DELIVERY_STYLE 130 /* RFC 3024 §3.3: encapsulating delivery */
#define REQUEST_TTL        255

int relay_read_request(const uint8_t *message, size_t len, struct relay_request *ret_request)
{
	struct wire_reader r = wire_reader(message, len);
	struct relay_request req = { 0 };
	struct ext ext;
	int rc;

	rc = reg_request_decode(&r, &req.reg);
	if (rc < 0)
		return rc;
	while ((rc = ext_next(&r, &ext)) > 0) {
		if (ext.type == EXT_MOBILE_HOME_AUTH)
			req.signed_len = (size_t)(r.pos - message);
		if (ext.type == EXT_NAI && req.signed_len == 0)
			req.has_nai = true;
		if (ext.type == EXT_DELIVERY_STYLE && req.signed_len > 0)
			req.encapsulating_delivery = true;
	}
	if (rc == ERR_UNKNOWN_EXT)
		return rc;
	if (rc < 0)
		req.signed_len = 0; /* no telling where one ends */
	*ret_request = req;
	return 0;
}

static enum relay_code judge_reverse_tunnel(const struct relay_conf *conf,
					    const struct relay_request *req, uint8_t ttl)
{
	if (!(req->reg.flags & REG_FLAG_T))
		return conf->reverse == RELAY_REVERSE_REQUIRED && !reg_is_dereg(&req->reg)
			       ? RELAY_REVERSE_TUNNEL_MANDATORY
			       : RELAY_PASS;
	if (conf->reverse == RELAY_REVERSE_DISABLED)
		return RELAY_REVERSE_TUNNEL_UNAVAILABLE;
	if (ttl != REQUEST_TTL)
		return RELAY_TOO_DISTANT;
	return req->encapsulating_delivery ? RELAY_DELIVERY_STYLE_UNSUPPORTED : RELAY_PASS;
}

enum relay_code relay_judge_request(const struct relay_conf *conf, const struct relay_request *req,
				    uint8_t ttl)
{
	const struct reg_request *reg = &req->reg;
	bool co_located = reg->flags & REG_FLAG_D;

	if (conf->prohibited)
		return RELAY_ADMINISTRATIVELY_PROHIBITED;
	if (req->signed_len == 0)
		return RELAY_POORLY_FORMED_REQUEST;
	if (addr_is_any(reg->home_agent))
		return RELAY_NONZERO_HOME_AGENT_REQUIRED;
	if (!addr_is_unicast(reg->home_agent) || addr_eq(reg->home_agent, conf->care_of))
		return RELAY_INVALID_HOME_AGENT;
	if (reg->lifetime_s > conf->lifetime_max_s)
		return RELAY_LIFETIME_TOO_LONG;
	if (!co_located && !reg_is_dereg(reg)) {
		if (!addr_eq(reg->care_of, conf->care_of))
			return RELAY_INVALID_CARE_OF;
		if (reg->flags & (REG_FLAG_M | REG_FLAG_G))
			return RELAY_ENCAPSULATION_UNAVAILABLE;
	}
	return judge_reverse_tunnel(conf, req, ttl);
}

/* A home address as care-of address is a deregistration here, whatever its Lifetime (§3.5.4). */
static bool leaves(const struct reg_request *req)
{
	return reg_is_dereg(req) || addr_eq(req->home_addr, req->care_of);
}

/*
 * §3.5.4 forbids our authenticator on a deregistration, and on a request whose care-of address is
 * not one of ours; §3.7.2.2 demands it of the latter.
 */
bool relay_vouches(const struct relay_conf *conf, const struct reg_request *req)
{
	if (!conf->mac || conf->vouch == RELAY_VOUCH_ABSENT ||
	    !addr_eq(req->home_agent, conf->partner) || leaves(req))
		return false;
	return conf->vouch_co_located || addr_eq(req->care_of, conf->care_of);
}

static int put_authenticator(struct wire_writer *w, const struct relay_conf *conf)
{
	size_t auth_len = mac_len(mac_algorithm(conf->mac));
	size_t covered;
	uint8_t *out;

	ext_put_header(w, EXT_FOREIGN_HOME_AUTH, (uint8_t)(sizeof(conf->spi) + auth_len));
	wire_put_u32(w, conf->spi);
	covered = wire_len(w);
	out = wire_room(w, auth_len);
	if (!out)
		return ERR_NO_SPACE;
	mac_sign(conf->mac, w->start, covered, out);
	if (conf->vouch == RELAY_VOUCH_BAD)
		out[0] ^= 1;
	return 0;
}

int relay_build_request(const struct relay_conf *conf, const uint8_t *message,
			const struct relay_request *req, uint8_t *out)
{
	struct wire_writer w = wire_writer(out, RELAY_MESSAGE_MAX);
	const struct udp_tunnel_request udp = { .forced = conf->udp_forced };
	int err;

	wire_put_bytes(&w, message, req->signed_len);
	if (conf->udp && !leaves(&req->reg) && addr_eq(req->reg.care_of, conf->care_of))
		udp_tunnel_request_encode(&w, &udp);
	if (relay_vouches(conf, &req->reg)) {
		err = put_authenticator(&w, conf);
		if (err < 0)
			return err;
	}
	return w.failed ? ERR_NO_SPACE : (int)wire_len(&w);
}

/* Sorts one extension of a reply: what follows the mobile node's authenticator is for us. */
static int note_extension(struct relay_reply *reply, const uint8_t *message, const struct ext *ext)
{
	bool for_us = reply->signed_len > 0;
	int err;

	switch (ext->type) {
	case EXT_MOBILE_HOME_AUTH:
		reply->signed_len = (size_t)(ext->data + ext->len - message);
		return 0;
	case EXT_FOREIGN_HOME_AUTH:
		err = reg_auth_decode(message, ext, &reply->fhae);
		if (err < 0)
			return err;
		reply->fhae_cnt++;
		return 0;
	case EXT_NAI:
		reply->has_nai = !for_us;
		return 0;
	case EXT_UDP_TUNNEL_REPLY:
		if (for_us)
			reply->has_udp = udp_tunnel_reply_decode(ext, &reply->udp) == 0;
		return 0;
	default:
		return 0;
	}
}

int relay_read_reply(const uint8_t *message, size_t len, struct relay_reply *ret_reply)
{
	struct wire_reader r = wire_reader(message, len);
	struct relay_reply reply = { 0 };
	struct ext ext;
	int rc;

	rc = reg_reply_decode(&r, &reply.reg);
	if (rc < 0)
		return rc;
	while ((rc = ext_next(&r, &ext)) > 0) {
		rc = note_extension(&reply, message, &ext);
		if (rc < 0)
			break;
	}
	if (rc == ERR_UNKNOWN_EXT)
		return rc;
	if (rc < 0)
		reply.signed_len = 0;
	*ret_reply = reply;
	return 0;
}

static bool is_vouched_for(const struct relay_conf *conf, const uint8_t *message,
			   const struct relay_reply *reply)
{
	return reply->fhae_cnt == 1 && reply->fhae.spi == conf->spi &&
	       mac_verify(conf->mac, message, reply->fhae.covered_len, reply->fhae.mac,
			  reply->fhae.mac_len) == 0;
}

/*
 * §3.7.3.1 wants an authenticator in every reply of a home agent that shares an association with
 * us; §3.5.4 wants none where the request could have none. The reply mirrors the request.
 */
enum relay_code relay_judge_reply(const struct relay_conf *conf, const uint8_t *message,
				  const struct relay_reply *reply,
				  const struct relay_request *request)
{
	if (reply->signed_len == 0)
		return RELAY_POORLY_FORMED_REPLY;
	if (conf->mac && addr_eq(reply->reg.home_agent, conf->partner) &&
	    (relay_vouches(conf, &request->reg) || reply->fhae_cnt > 0) &&
	    !is_vouched_for(conf, message, reply))
		return RELAY_HA_FAILED_AUTH;
	if (addr_is_any(reply->reg.home_agent))
		return RELAY_MISSING_HOME_AGENT;
	if (addr_is_any(request->reg.home_addr) && !reply->has_nai)
		return RELAY_MISSING_NAI;
	if (addr_is_any(reply->reg.home_addr))
		return RELAY_MISSING_HOME_ADDRESS;
	return RELAY_PASS;
}

size_t relay_build_denial(const struct relay_conf *conf, enum relay_code code,
			  const struct reg_request *req, uint8_t *out)
{
	struct wire_writer w = wire_writer(out, RELAY_MESSAGE_MAX);

	reg_reply_encode(&w, &(struct reg_reply){
				     .code = (uint8_t)code,
				     .lifetime_s = code == RELAY_LIFETIME_TOO_LONG
							   ? conf->lifetime_max_s
							   : req->lifetime_s,
				     .home_addr = req->home_addr,
				     .home_agent = req->home_agent,
				     .ident = req->ident,
			     });
	return wire_len(&w);
}

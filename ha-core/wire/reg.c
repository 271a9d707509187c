/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registration Request and Reply: the fixed parts (RFC 5944 §3.3, §3.4) and the authentication
 * extensions (§3.5.2-3.5.4). Octets are read in the order in which they stand.
 */
#include "ha-core/wire/reg.h"

#include "common/err.h"

int reg_request_decode(struct wire_reader *r, struct reg_request *ret_req)
{
	struct reg_request req;
	uint8_t type;

	type = wire_u8(r);
	req.flags = wire_u8(r);
	req.lifetime_s = wire_u16(r);
	req.home_addr = wire_addr(r);
	req.home_agent = wire_addr(r);
	req.care_of = wire_addr(r);
	req.ident = wire_u64(r);
	if (r->failed)
		return ERR_TRUNCATED;
	if (type != REG_MSG_REQUEST)
		return ERR_INVALID;
	*ret_req = req;
	return 0;
}

int reg_reply_decode(struct wire_reader *r, struct reg_reply *ret_reply)
{
	struct reg_reply reply;
	uint8_t type;

	type = wire_u8(r);
	reply.code = wire_u8(r);
	reply.lifetime_s = wire_u16(r);
	reply.home_addr = wire_addr(r);
	reply.home_agent = wire_addr(r);
	reply.ident = wire_u64(r);
	if (r->failed)
		return ERR_TRUNCATED;
	if (type != REG_MSG_REPLY)
		return ERR_INVALID;
	*ret_reply = reply;
	return 0;
}

void reg_request_encode(struct wire_writer *w, const struct reg_request *req)
{
	wire_put_u8(w, REG_MSG_REQUEST);
	wire_put_u8(w, req->flags);
	wire_put_u16(w, req->lifetime_s);
	wire_put_addr(w, req->home_addr);
	wire_put_addr(w, req->home_agent);
	wire_put_addr(w, req->care_of);
	wire_put_u64(w, req->ident);
}

void reg_reply_encode(struct wire_writer *w, const struct reg_reply *reply)
{
	wire_put_u8(w, REG_MSG_REPLY);
	wire_put_u8(w, reply->code);
	wire_put_u16(w, reply->lifetime_s);
	wire_put_addr(w, reply->home_addr);
	wire_put_addr(w, reply->home_agent);
	wire_put_u64(w, reply->ident);
}

int reg_auth_decode(const uint8_t *message, const struct ext *ext, struct reg_auth *ret_auth)
{
	struct wire_reader r = wire_reader(ext->data, ext->len);
	struct reg_auth auth;

	auth.spi = wire_u32(&r);
	auth.mac_len = wire_left(&r);
	auth.mac = r.pos;
	if (r.failed || auth.mac_len == 0)
		return ERR_TRUNCATED;
	auth.covered_len = (size_t)(ext->start - message) + REG_AUTH_HEADER_LEN;
	*ret_auth = auth;
	return 0;
}

const char *reg_code_text(uint8_t code)
{
	switch ((enum reg_code)code) {
	case REG_ACCEPTED:
		return "registration accepted";
	case REG_ACCEPTED_NO_SIMULTANEOUS:
		return "registration accepted, simultaneous bindings unsupported";
	case REG_REASON_UNSPECIFIED:
		return "reason unspecified";
	case REG_ADMINISTRATIVELY_PROHIBITED:
		return "administratively prohibited";
	case REG_INSUFFICIENT_RESOURCES:
		return "insufficient resources";
	case REG_MN_FAILED_AUTH:
		return "mobile node failed authentication";
	case REG_FA_FAILED_AUTH:
		return "foreign agent failed authentication";
	case REG_IDENT_MISMATCH:
		return "registration Identification mismatch";
	case REG_POORLY_FORMED:
		return "poorly formed Request";
	case REG_TOO_MANY_BINDINGS:
		return "too many simultaneous mobility bindings";
	case REG_UNKNOWN_HOME_AGENT:
		return "unknown home agent address";
	case REG_REVERSE_TUNNEL_UNAVAILABLE:
		return "requested reverse tunnel unavailable";
	case REG_REVERSE_TUNNEL_MANDATORY:
		return "reverse tunnel is mandatory and 'T' bit not set";
	case REG_ENCAPSULATION_UNAVAILABLE:
		return "requested encapsulation unavailable";
	case REG_UNKNOWN_VENDOR_EXT_OF_MN:
		return "unsupported vendor extension sent by the mobile node";
	case REG_UNKNOWN_VENDOR_EXT_OF_FA:
		return "unsupported vendor extension sent by the foreign agent";
	case REG_UDP_ENCAPSULATION_UNAVAILABLE:
		return "requested UDP tunnel encapsulation unavailable";
	case REG_REDIRECTED:
		return "register with the redirected home agent";
	case REG_MOBILE_NETWORK_ERROR:
		return "mobile network error";
	case REG_MOBILE_ROUTER_DISALLOWED:
		return "mobile router operation not permitted";
	case REG_SERVICE_UNAUTHORIZED:
		return "service authorization failed";
	}
	return "unknown code";
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP Tunnel Request and Reply (RFC 3519 §3.1, §3.2). What they mean is decided in engine/nat.c.
 */
#include "ha-core/wire/udp_tunnel.h"

#include "common/err.h"

#define DATA_LEN  6 /* after Type and Length */
#define REQUEST_F 0x80
#define REQUEST_R 0x40
#define REPLY_F   0x8000

int udp_tunnel_request_decode(const struct ext *ext, struct udp_tunnel_request *ret_req)
{
	struct wire_reader r = wire_reader(ext->data, ext->len);
	uint8_t subtype, flags, encapsulation;
	uint16_t reserved3;

	if (ext->len != DATA_LEN)
		return ERR_MALFORMED;
	subtype = wire_u8(&r);
	(void)wire_u8(&r); /* Reserved 1: ignored on reception */
	flags = wire_u8(&r);
	encapsulation = wire_u8(&r);
	reserved3 = wire_u16(&r);
	if (subtype != 0 || reserved3 != 0)
		return ERR_UNSUPPORTED;
	ret_req->forced = flags & REQUEST_F;
	ret_req->registered_fa = flags & REQUEST_R;
	ret_req->encapsulation = encapsulation;
	return 0;
}

int udp_tunnel_reply_decode(const struct ext *ext, struct udp_tunnel_reply *ret_reply)
{
	struct wire_reader r = wire_reader(ext->data, ext->len);
	uint8_t subtype, code;
	uint16_t flags;

	if (ext->len != DATA_LEN)
		return ERR_MALFORMED;
	subtype = wire_u8(&r);
	code = wire_u8(&r);
	flags = wire_u16(&r);
	if (subtype != 0)
		return ERR_UNSUPPORTED;
	ret_reply->code = code;
	ret_reply->forced = flags & REPLY_F;
	ret_reply->keepalive_s = wire_u16(&r);
	return 0;
}

void udp_tunnel_request_encode(struct wire_writer *w, const struct udp_tunnel_request *req)
{
	ext_put_header(w, EXT_UDP_TUNNEL_REQUEST, DATA_LEN);
	wire_put_u8(w, 0);
	wire_put_u8(w, 0);
	wire_put_u8(w, (uint8_t)((req->forced ? REQUEST_F : 0) |
				 (req->registered_fa ? REQUEST_R : 0)));
	wire_put_u8(w, req->encapsulation);
	wire_put_u16(w, 0);
}

void udp_tunnel_reply_encode(struct wire_writer *w, const struct udp_tunnel_reply *reply)
{
	ext_put_header(w, EXT_UDP_TUNNEL_REPLY, DATA_LEN);
	wire_put_u8(w, 0);
	wire_put_u8(w, reply->code);
	wire_put_u16(w, reply->forced ? REPLY_F : 0);
	wire_put_u16(w, reply->keepalive_s);
}

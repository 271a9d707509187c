/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Revocation Support (RFC 3543 §3.2), Registration Revocation (§3.3) and its acknowledgement
 * (§3.4). What they mean is decided in engine/revocation.c.
 */
#include "ha-core/wire/revocation.h"

#include "common/err.h"
#include "ha-core/wire/reg.h"

#define SUPPORT_LEN 6 /* after Type and Length */
#define SUPPORT_I   0x8000
#define MESSAGE_A   0x8000
#define MESSAGE_I   0x4000
#define ACK_I       0x8000

int revocation_support_decode(const struct ext *ext, struct revocation_support *ret_support)
{
	struct wire_reader r = wire_reader(ext->data, ext->len);
	struct revocation_support support;

	support.inform = wire_u16(&r) & SUPPORT_I;
	support.timestamp = wire_u32(&r);
	if (r.failed)
		return ERR_TRUNCATED;
	*ret_support = support;
	return 0;
}

void revocation_support_encode(struct wire_writer *w, const struct revocation_support *support)
{
	ext_put_header(w, EXT_REVOCATION_SUPPORT, SUPPORT_LEN);
	wire_put_u16(w, support->inform ? SUPPORT_I : 0);
	wire_put_u32(w, support->timestamp);
}

int revocation_message_decode(struct wire_reader *r, struct revocation_message *ret_message)
{
	struct revocation_message message;
	uint16_t flags;
	uint8_t type;

	type = wire_u8(r);
	(void)wire_u8(r); /* Reserved */
	flags = wire_u16(r);
	message.from_home_agent = flags & MESSAGE_A;
	message.inform = flags & MESSAGE_I;
	message.home_addr = wire_addr(r);
	message.home_domain = wire_addr(r);
	message.foreign_domain = wire_addr(r);
	message.ident = wire_u32(r);
	if (r->failed)
		return ERR_TRUNCATED;
	if (type != REG_MSG_REVOCATION)
		return ERR_INVALID;
	*ret_message = message;
	return 0;
}

int revocation_ack_decode(struct wire_reader *r, struct revocation_ack *ret_ack)
{
	struct revocation_ack ack;
	uint8_t type;

	type = wire_u8(r);
	(void)wire_u8(r); /* Reserved */
	ack.inform = wire_u16(r) & ACK_I;
	ack.home_addr = wire_addr(r);
	ack.ident = wire_u32(r);
	if (r->failed)
		return ERR_TRUNCATED;
	if (type != REG_MSG_REVOCATION_ACK)
		return ERR_INVALID;
	*ret_ack = ack;
	return 0;
}

void revocation_message_encode(struct wire_writer *w, const struct revocation_message *message)
{
	wire_put_u8(w, REG_MSG_REVOCATION);
	wire_put_u8(w, 0);
	wire_put_u16(w, (uint16_t)((message->from_home_agent ? MESSAGE_A : 0) |
				   (message->inform ? MESSAGE_I : 0)));
	wire_put_addr(w, message->home_addr);
	wire_put_addr(w, message->home_domain);
	wire_put_addr(w, message->foreign_domain);
	wire_put_u32(w, message->ident);
}

void revocation_ack_encode(struct wire_writer *w, const struct revocation_ack *ack)
{
	wire_put_u8(w, REG_MSG_REVOCATION_ACK);
	wire_put_u8(w, 0);
	wire_put_u16(w, ack->inform ? ACK_I : 0);
	wire_put_addr(w, ack->home_addr);
	wire_put_u32(w, ack->ident);
}

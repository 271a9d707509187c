/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Type 148 in its two layouts: a request is Sub-Type, Prefix Length, Prefix (RFC 5177 §4.1), an
 * acknowledgement Sub-Type, Code, Prefix Length, Reserved, Prefix (§4.2). What a prefix length
 * may be is for the home agent to judge, who has a Code for it.
 */
#include "ha-core/wire/mobile_network.h"

#include "common/err.h"

#define REQUEST_LEN 6
#define ACK_LEN     8

int mobile_network_decode(const struct ext *ext, struct mobile_network *ret)
{
	struct wire_reader r = wire_reader(ext->data, ext->len);
	struct mobile_network net = { .type = wire_u8(&r) };

	if (r.failed)
		return ERR_INVALID;
	if (net.type > MOBILE_NETWORK_IMPLICIT_ACK)
		return ERR_UNKNOWN_EXT;
	if (net.type != MOBILE_NETWORK_REQUEST)
		net.code = wire_u8(&r);
	net.prefix_len = wire_u8(&r);
	if (net.type != MOBILE_NETWORK_REQUEST)
		(void)wire_u8(&r); /* Reserved */
	net.prefix = wire_addr(&r);
	if (r.failed || wire_left(&r) > 0)
		return ERR_INVALID;
	*ret = net;
	return 0;
}

void mobile_network_encode(struct wire_writer *w, const struct mobile_network *net)
{
	bool is_ack = net->type != MOBILE_NETWORK_REQUEST;

	ext_put_header(w, EXT_MOBILE_NETWORK, is_ack ? ACK_LEN : REQUEST_LEN);
	wire_put_u8(w, net->type);
	if (is_ack)
		wire_put_u8(w, net->code);
	wire_put_u8(w, net->prefix_len);
	if (is_ack)
		wire_put_u8(w, 0);
	wire_put_addr(w, net->prefix);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The extension walk and every extension that is read (RFC 5944 §1.8 to §1.11 and those of ext.h):
 * the walk ends, stays within the message and skips nothing; what a decoder takes, its encoder
 * gives back.
 *
 * Input: extensions, one after the other, as they stand behind a message's fixed part.
 */
#include "common/err.h"
#include "ha-core/wire/dynamic_ha.h"
#include "ha-core/wire/mobile_network.h"
#include "ha-core/wire/reg.h"
#include "ha-core/wire/revocation.h"
#include "ha-core/wire/udp_tunnel.h"
#include "ha-core/wire/vendor.h"
#include "test/fuzz/fuzz.h"

/* The extension that a writer holds. */
static struct ext written(const struct wire_writer *w)
{
	struct wire_reader r = wire_reader(w->start, wire_len(w));
	struct ext ext;

	FUZZ_CHECK(!w->failed);
	FUZZ_CHECK(ext_next(&r, &ext) == 1 && wire_left(&r) == 0);
	return ext;
}

static void check_auth(const uint8_t *message, const struct ext *ext, size_t size)
{
	struct reg_auth auth;

	if (reg_auth_decode(message, ext, &auth) < 0)
		return;
	FUZZ_CHECK(auth.mac_len > 0 && auth.mac + auth.mac_len == ext->data + ext->len);
	FUZZ_CHECK(message + auth.covered_len == auth.mac && auth.covered_len <= size);
}

static void check_udp_request(const struct ext *ext)
{
	struct udp_tunnel_request req, again;
	uint8_t buf[32];
	struct wire_writer w = wire_writer(buf, sizeof(buf));
	struct ext second;

	if (udp_tunnel_request_decode(ext, &req) < 0)
		return;
	udp_tunnel_request_encode(&w, &req);
	second = written(&w);
	FUZZ_CHECK(second.type == EXT_UDP_TUNNEL_REQUEST);
	FUZZ_CHECK(udp_tunnel_request_decode(&second, &again) == 0);
	FUZZ_CHECK(again.forced == req.forced && again.registered_fa == req.registered_fa &&
		   again.encapsulation == req.encapsulation);
}

static void check_udp_reply(const struct ext *ext)
{
	struct udp_tunnel_reply reply, again;
	uint8_t buf[32];
	struct wire_writer w = wire_writer(buf, sizeof(buf));
	struct ext second;

	if (udp_tunnel_reply_decode(ext, &reply) < 0)
		return;
	udp_tunnel_reply_encode(&w, &reply);
	second = written(&w);
	FUZZ_CHECK(udp_tunnel_reply_decode(&second, &again) == 0);
	FUZZ_CHECK(again.code == reply.code && again.forced == reply.forced &&
		   again.keepalive_s == reply.keepalive_s);
}

static void check_dynamic_ha(const struct ext *ext)
{
	struct dynamic_ha ha, again;
	uint8_t buf[32];
	struct wire_writer w;
	struct ext second;
	int drawn;

	if (dynamic_ha_decode(ext, &ha) < 0)
		return;
	for (drawn = 0; drawn < 2; drawn++) {
		w = wire_writer(buf, sizeof(buf));
		dynamic_ha_encode(&w, &ha, drawn);
		second = written(&w);
		FUZZ_CHECK(dynamic_ha_decode(&second, &again) == 0);
		FUZZ_CHECK(again.type == ha.type && again.addr.s_addr == ha.addr.s_addr);
	}
}

static void check_mobile_network(const struct ext *ext)
{
	struct mobile_network net, again;
	uint8_t buf[32];
	struct wire_writer w = wire_writer(buf, sizeof(buf));
	struct ext second;

	if (mobile_network_decode(ext, &net) < 0)
		return;
	mobile_network_encode(&w, &net);
	second = written(&w);
	FUZZ_CHECK(mobile_network_decode(&second, &again) == 0);
	FUZZ_CHECK(again.type == net.type && again.prefix_len == net.prefix_len &&
		   again.prefix.s_addr == net.prefix.s_addr);
	FUZZ_CHECK(again.type == MOBILE_NETWORK_REQUEST || again.code == net.code);
}

static void check_support(const struct ext *ext)
{
	struct revocation_support support, again;
	uint8_t buf[32];
	struct wire_writer w = wire_writer(buf, sizeof(buf));
	struct ext second;

	if (revocation_support_decode(ext, &support) < 0) {
		FUZZ_CHECK(ext->len < 6);
		return;
	}
	revocation_support_encode(&w, &support);
	second = written(&w);
	FUZZ_CHECK(revocation_support_decode(&second, &again) == 0);
	FUZZ_CHECK(again.inform == support.inform && again.timestamp == support.timestamp);
}

static void check_vendor(const struct ext *ext)
{
	struct vendor_ext v;

	if (vendor_ext_decode(ext, &v) < 0)
		return;
	FUZZ_CHECK(v.value >= ext->data && v.value + v.value_len == ext->data + ext->len);
}

static void check_ext(const uint8_t *message, const struct ext *ext, size_t size)
{
	switch (ext->type) {
	case EXT_MOBILE_HOME_AUTH:
	case EXT_MOBILE_FOREIGN_AUTH:
	case EXT_FOREIGN_HOME_AUTH:
		check_auth(message, ext, size);
		break;
	case EXT_CRITICAL_VENDOR:
	case EXT_NORMAL_VENDOR:
		check_vendor(ext);
		break;
	case EXT_UDP_TUNNEL_REPLY:
		check_udp_reply(ext);
		break;
	case EXT_UDP_TUNNEL_REQUEST:
		check_udp_request(ext);
		break;
	case EXT_REVOCATION_SUPPORT:
		check_support(ext);
		break;
	case EXT_DYNAMIC_HA:
		check_dynamic_ha(ext);
		break;
	case EXT_MOBILE_NETWORK:
		check_mobile_network(ext);
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *message = fuzz_copy(data, size);
	struct wire_reader r = wire_reader(message, size);
	const uint8_t *at = message;
	struct ext ext;
	int err;

	for (;;) {
		err = ext_next(&r, &ext);
		if (err != 1)
			break;
		FUZZ_CHECK(ext.start == at && r.pos > at && r.pos <= message + size);
		FUZZ_CHECK(ext.type == *at);
		FUZZ_CHECK(ext.type == EXT_PADDING || ext.data + ext.len == r.pos);
		at = r.pos;
		check_ext(message, &ext, size);
	}
	FUZZ_CHECK(err == 0 || err == ERR_TRUNCATED || err == ERR_UNKNOWN_EXT);
	FUZZ_CHECK(err != 0 || at == message + size);
	free(message);
	return 0;
}

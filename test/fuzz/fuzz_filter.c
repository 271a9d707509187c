/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ipsec-only lets pass (filter.c under xhad's own rows): a second, slower judge that knows
 * the rule and not the code has to agree. Nothing but IKE, ESP and errors about them, and none of
 * it with anybody but a gateway.
 *
 * Input: direction and bits (1), then the inner packet.
 */
#include "ha-core/tunnel/fragments.h"
#include "ha-core/tunnel/tunnel.h"
#include "test/fuzz/packet.h"
#include "xhad/conf.h"
#include "xhad/xhad_policy.h"

#define BIT_FROM_NODE 0x01
#define BIT_AS_IS     0x02

static struct xhad_conf conf;
static const struct tunnel_filter *filter;
static struct fragments fragments;
static struct binding node; /* it has sent to the gateway */

static const struct in_addr gateway = { .s_addr = 0x0a6433c6 }; /* 198.51.100.10 */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	conf.forwarding.policy = XHAD_CONF_IPSEC_ONLY;
	if (addr_set_add(&conf.forwarding.vpn_gateways,
			 (struct addr_prefix){ .addr = gateway, .len = 32 }) < 0)
		abort();
	filter = xhad_policy_filter(&conf);
	FUZZ_CHECK(filter && !filter->pass_all);
	FUZZ_CHECK(fragments_init(&fragments, 1) == 0 && binding_add_contact(&node, gateway) == 0);
	return 0;
}

/* Packets as such, or as quoted in an error: then their direction is the other one. */
static bool is_ipsec(const uint8_t *p, size_t len, bool from_node)
{
	size_t header_len = ipv4_header_len(p);
	uint16_t port;

	if (!addr_eq(from_node ? ipv4_dst(p) : ipv4_src(p), gateway))
		return false;
	if (p[IPV4_PROTOCOL] == IPPROTO_ESP)
		return true;
	if (p[IPV4_PROTOCOL] != IPPROTO_UDP)
		return false;
	if (ipv4_is_later_fragment(p))
		return true;
	if (len < header_len + 4)
		return false;
	port = ipv4_get16(p + header_len + (from_node ? 2 : 0));
	return port == 500 || port == 4500;
}

static bool is_error_about_ipsec(const uint8_t *p, size_t len, bool from_node)
{
	const uint8_t *quote = p + IPV4_HEADER_MIN + 8;
	uint8_t type;

	if (p[IPV4_PROTOCOL] != IPPROTO_ICMP || ipv4_is_later_fragment(p) ||
	    len < 2 * IPV4_HEADER_MIN + 8)
		return false;
	type = p[IPV4_HEADER_MIN];
	if (type != 3 && type != 4 && type != 11 && type != 12)
		return false;
	len -= IPV4_HEADER_MIN + 8;
	if (quote[0] >> 4 != 4 || ipv4_header_len(quote) < IPV4_HEADER_MIN ||
	    ipv4_header_len(quote) > len)
		return false;
	if (!addr_eq(ipv4_src(quote), ipv4_dst(p)))
		return false;
	if (from_node && !addr_eq(ipv4_dst(quote), ipv4_src(p)))
		return false;
	return is_ipsec(quote, len, !from_node);
}

/* A packet as a whole, or the first piece of one: UDP says how long it is. A later one is alone. */
static bool is_as_long_as_it_says(const uint8_t *p, size_t len)
{
	size_t here = len - ipv4_header_len(p), said;

	if (ipv4_is_later_fragment(p))
		return false;
	if (p[IPV4_PROTOCOL] != IPPROTO_UDP)
		return true;
	if (here < 8)
		return false;
	said = ipv4_get16(p + ipv4_header_len(p) + 4);
	return ipv4_is_fragment(p) ? said > here : said == here;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool from_node, should, does;
	uint8_t *packet;
	size_t len;

	if (size < 1 + IPV4_HEADER_MIN)
		return 0;
	len = size - 1;
	packet = fuzz_copy(data + 1, len);
	from_node = data[0] & BIT_FROM_NODE;
	if (!(data[0] & BIT_AS_IS))
		packet_fit(packet, len);
	if (encap_check_ipv4(packet, len) == (int)len) {
		const struct tunnel_filter_packet p = {
			.data = packet,
			.len = len,
			.direction = from_node ? TUNNEL_FROM_NODE : TUNNEL_TO_NODE,
			.first = &node,
		};

		does = tunnel_filter_judge(filter, &fragments, &p, 1) == TUNNEL_FILTER_PASSES;
		if (ipv4_is_fragment(packet)) /* every input begins anew */
			memset(fragments.entries, 0, FRAGMENTS_CNT * sizeof(*fragments.entries));
		should =
			ipv4_header_len(packet) == IPV4_HEADER_MIN &&
			((is_ipsec(packet, len, from_node) && is_as_long_as_it_says(packet, len)) ||
			 is_error_about_ipsec(packet, len, from_node));
		FUZZ_CHECK(does == should);
	}
	free(packet);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP (icmp.h, icmp_quote.h, soft_state.h): errors built about any packet are sound and never too
 * long, echo replies answer, a quote is read within what was quoted, and what errors teach about a
 * path keeps its bounds whatever they say and whenever.
 *
 * Input: bits (1), milliseconds that pass (2), then an IPv4 packet. What it teaches is remembered
 * over the steps of one input: [length (2), packet] as often as there is room.
 */
#include "common/addr.h"
#include "common/err.h"
#include "ha-core/tunnel/icmp.h"
#include "ha-core/tunnel/icmp_quote.h"
#include "ha-core/tunnel/soft_state.h"
#include "test/fuzz/packet.h"

#define BIT_AS_IS  0x01
#define STEPS_MAX  16
#define PATH_MOST  1500
#define LOCAL_PORT 434

static const struct in_addr local = { .s_addr = 0x020200c0 }; /* 192.0.2.2 */

static void check_error(const uint8_t *packet, size_t len, enum icmp_error error)
{
	uint8_t *out = malloc(ICMP_ERROR_MAX);
	size_t out_len;

	if (!out)
		abort();
	out_len = icmp_build_error(out, error, error == ICMP_ERROR_TOO_BIG ? 1400 : 0, local,
				   packet, len);
	FUZZ_CHECK(out_len <= ICMP_ERROR_MAX);
	if (out_len > 0) {
		FUZZ_CHECK(!icmp_is_error(packet, len));
		FUZZ_CHECK(encap_check_ipv4(out, out_len) == (int)out_len);
		FUZZ_CHECK(addr_eq(ipv4_dst(out), ipv4_src(packet)));
		FUZZ_CHECK(addr_is_unicast(ipv4_dst(out)));
		FUZZ_CHECK(ipv4_sum_is_right(out + IPV4_HEADER_MIN, out_len - IPV4_HEADER_MIN));
		FUZZ_CHECK(icmp_is_error(out, out_len));
	}
	free(out);
}

static void check_echo(const uint8_t *packet, size_t len)
{
	uint8_t *copy = fuzz_copy(packet, len), *reply;
	size_t reply_len, header_len = ipv4_header_len(packet);

	if (icmp_is_echo_request(copy, len)) {
		reply_len = icmp_echo_reply(copy, len, 7, &reply);
		FUZZ_CHECK(reply >= copy && reply + reply_len == copy + len);
		FUZZ_CHECK(encap_check_ipv4(reply, reply_len) == (int)reply_len);
		FUZZ_CHECK(addr_eq(ipv4_dst(reply), ipv4_src(packet)));
		FUZZ_CHECK(addr_eq(ipv4_src(reply), ipv4_dst(packet)));
		FUZZ_CHECK(memcmp(reply + IPV4_HEADER_MIN + 4, packet + header_len + 4,
				  len - header_len - 4) == 0);
	}
	free(copy);
}

static void check_quote(struct soft_state *soft, const uint8_t *packet, size_t len, uint64_t now_ms)
{
	uint8_t *copy = fuzz_copy(packet, len);
	uint32_t before, after;
	struct icmp_quote q;
	int meaning;

	if (icmp_quote_decode(copy, len, local, LOCAL_PORT, &q) == 0) {
		FUZZ_CHECK(q.type == 3 || q.type == 11);
		FUZZ_CHECK(q.mode == 0 || q.mode == ENCAP_IPIP || q.mode == ENCAP_GRE ||
			   q.mode == ENCAP_MINIMAL);
		FUZZ_CHECK(q.mode != 0 || q.udp);
		if (q.inner) {
			FUZZ_CHECK(q.inner >= copy && q.inner + q.inner_len <= copy + len);
			FUZZ_CHECK(q.inner_len >= IPV4_HEADER_MIN &&
				   ipv4_header_len(q.inner) <= q.inner_len);
			FUZZ_CHECK(addr_eq(ipv4_dst(q.inner), q.home_addr));
		}
		meaning = icmp_quote_meaning(q.type, q.code);
		if (meaning != ICMP_QUOTE_NOT_RELAYED && q.inner)
			check_error(q.inner, q.inner_len, (enum icmp_error)meaning);
		if (meaning == ICMP_ERROR_TOO_BIG) {
			before = soft_state_mtu(soft, q.peer, PATH_MOST, now_ms);
			after = soft_state_too_big(soft, q.peer, PATH_MOST, q.mtu, q.len, now_ms);
			FUZZ_CHECK(after <= before && after >= SOFT_STATE_MTU_FLOOR);
			FUZZ_CHECK(soft_state_mtu(soft, q.peer, PATH_MOST, now_ms) == after);
			FUZZ_CHECK(soft_state_mtu(soft, q.peer, PATH_MOST,
						  now_ms + SOFT_STATE_MTU_MS) == PATH_MOST);
		} else if (meaning != ICMP_QUOTE_NOT_RELAYED) {
			soft_state_unreachable(soft, q.peer, now_ms);
			FUZZ_CHECK(soft_state_is_unreachable(soft, q.peer, now_ms));
			FUZZ_CHECK(!soft_state_is_unreachable(soft, q.peer,
							      now_ms + SOFT_STATE_UNREACHABLE_MS));
		}
	}
	free(copy);
}

static void one_packet(struct soft_state *soft, const uint8_t *data, size_t len, uint8_t how,
		       uint64_t now_ms)
{
	static const enum icmp_error errors[] = { ICMP_ERROR_NET_UNREACHABLE,
						  ICMP_ERROR_HOST_UNREACHABLE, ICMP_ERROR_TOO_BIG,
						  ICMP_ERROR_TIME_EXCEEDED };
	uint8_t *packet = fuzz_copy(data, len);
	size_t i;

	if (len >= IPV4_HEADER_MIN && !(how & BIT_AS_IS)) {
		packet_fit(packet, len);
		packet_mend_payload(packet, len);
	}
	check_quote(soft, packet, len, now_ms);
	if (encap_check_ipv4(packet, len) == (int)len) {
		for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
			check_error(packet, len, errors[i]);
		check_echo(packet, len);
		if (how & 0x02)
			soft_state_heard(soft, ipv4_src(packet), now_ms);
	}
	free(packet);
}

static struct soft_state soft;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return soft_state_init(&soft, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_reader r = wire_reader(data, size);
	struct icmp_limit limit = { .per_second = 10, .burst = 3 };
	uint8_t how = wire_u8(&r);
	uint16_t step_ms = wire_u16(&r);
	uint64_t now_ms = 1;
	unsigned int i, allowed = 0;
	const uint8_t *packet;
	size_t len;

	/* Emptied by hand: a calloc() of 100 KB for each input would be most of the work. */
	if (soft.until_ms > 0)
		memset(soft.entries, 0, SOFT_STATE_CNT * sizeof(*soft.entries));
	soft.until_ms = 0;
	for (i = 0; i < STEPS_MAX && wire_left(&r) > 2; i++) {
		len = wire_u16(&r);
		if (len > wire_left(&r))
			len = wire_left(&r);
		packet = wire_bytes(&r, len);
		one_packet(&soft, packet, len, how, now_ms);
		allowed += icmp_limit_allows(&limit, now_ms);
		FUZZ_CHECK(allowed <= 3 + (now_ms * 10 + 999) / 1000);
		now_ms += step_ms;
	}
	return 0;
}

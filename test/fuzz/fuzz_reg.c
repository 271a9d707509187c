/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The codecs of registration and revocation messages (RFC 5944 §3.3, §3.4; RFC 3543 §3.3, §3.4):
 * what one reads, the other writes again octet for octet, reserved bits aside.
 *
 * Input: the message.
 */
#include "common/err.h"
#include "ha-core/wire/reg.h"
#include "ha-core/wire/revocation.h"
#include "test/fuzz/fuzz.h"

/* Bits of the third and fourth octet of a revocation message that mean something: A and I. */
#define REVOCATION_BITS 0xc000

static void check_request(const uint8_t *msg, size_t size)
{
	struct wire_reader r = wire_reader(msg, size);
	uint8_t again[REG_REQUEST_LEN];
	struct wire_writer w = wire_writer(again, sizeof(again));
	struct reg_request req;
	int err = reg_request_decode(&r, &req);

	if (err < 0) {
		FUZZ_CHECK(err == ERR_TRUNCATED || err == ERR_INVALID);
		FUZZ_CHECK(size < REG_REQUEST_LEN || msg[0] != REG_MSG_REQUEST);
		return;
	}
	FUZZ_CHECK(r.pos == msg + REG_REQUEST_LEN);
	reg_request_encode(&w, &req);
	FUZZ_CHECK(!w.failed && wire_len(&w) == REG_REQUEST_LEN);
	FUZZ_CHECK(memcmp(again, msg, sizeof(again)) == 0);
}

static void check_reply(const uint8_t *msg, size_t size)
{
	struct wire_reader r = wire_reader(msg, size);
	uint8_t again[REG_REPLY_LEN];
	struct wire_writer w = wire_writer(again, sizeof(again));
	struct reg_reply reply;
	int err = reg_reply_decode(&r, &reply);

	if (err < 0) {
		FUZZ_CHECK(err == ERR_TRUNCATED || err == ERR_INVALID);
		FUZZ_CHECK(size < REG_REPLY_LEN || msg[0] != REG_MSG_REPLY);
		return;
	}
	reg_reply_encode(&w, &reply);
	FUZZ_CHECK(!w.failed && wire_len(&w) == REG_REPLY_LEN);
	FUZZ_CHECK(memcmp(again, msg, sizeof(again)) == 0);
	FUZZ_CHECK(reg_code_text(reply.code) != NULL);
}

/* Of what is read, everything is written again; what is reserved is written as zero. */
static void check_revocation(const uint8_t *msg, size_t size)
{
	struct wire_reader r = wire_reader(msg, size);
	uint8_t again[REVOCATION_LEN], clean[REVOCATION_LEN];
	struct wire_writer w = wire_writer(again, sizeof(again));
	struct revocation_message m;
	int err = revocation_message_decode(&r, &m);

	if (err < 0) {
		FUZZ_CHECK(err == ERR_TRUNCATED || err == ERR_INVALID);
		FUZZ_CHECK(size < REVOCATION_LEN || msg[0] != REG_MSG_REVOCATION);
		return;
	}
	revocation_message_encode(&w, &m);
	FUZZ_CHECK(!w.failed && wire_len(&w) == REVOCATION_LEN);
	memcpy(clean, msg, sizeof(clean));
	clean[1] = 0;
	clean[2] &= REVOCATION_BITS >> 8;
	clean[3] = 0;
	FUZZ_CHECK(memcmp(again, clean, sizeof(again)) == 0);
}

static void check_ack(const uint8_t *msg, size_t size)
{
	struct wire_reader r = wire_reader(msg, size);
	uint8_t again[REVOCATION_ACK_LEN];
	struct wire_writer w = wire_writer(again, sizeof(again));
	struct revocation_ack ack, second;
	int err = revocation_ack_decode(&r, &ack);

	if (err < 0) {
		FUZZ_CHECK(err == ERR_TRUNCATED || err == ERR_INVALID);
		FUZZ_CHECK(size < REVOCATION_ACK_LEN || msg[0] != REG_MSG_REVOCATION_ACK);
		return;
	}
	revocation_ack_encode(&w, &ack);
	FUZZ_CHECK(!w.failed && wire_len(&w) == REVOCATION_ACK_LEN);
	r = wire_reader(again, sizeof(again));
	FUZZ_CHECK(revocation_ack_decode(&r, &second) == 0);
	FUZZ_CHECK(second.inform == ack.inform && second.ident == ack.ident &&
		   second.home_addr.s_addr == ack.home_addr.s_addr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *msg = fuzz_copy(data, size);

	check_request(msg, size);
	check_reply(msg, size);
	check_revocation(msg, size);
	check_ack(msg, size);
	free(msg);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "state import": a line of JSON, from the control socket to the engine. Text of any kind; and,
 * because no mutation finds a checksum, lines put together here from a key and a record.
 *
 * Input: how (1: LINE_*). LINE_TEXT: the line. LINE_MADE: length of the key (1), key, record.
 */
#include "common/crc32c.h"
#include "test/fuzz/asked.h"

enum { LINE_TEXT, LINE_MADE, LINE_CNT };

#define RECORD_MAX 4096
#define LINE_MAX_  16000
#define PREFIX     "ctl/1 state import "

/* As hactl would send it: one word, what would end it escaped. */
static size_t put_word(char *out, size_t at, const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len && at + 8 < LINE_MAX_; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c > ' ' && c != '\\' && c < 0x7f)
			out[at++] = (char)c;
		else
			at += (size_t)sprintf(out + at, "\\x%02x", c);
	}
	return at;
}

static size_t put_hex(char *out, size_t at, const uint8_t *octets, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		at += (size_t)sprintf(out + at, "%02x", octets[i]);
	return at;
}

static size_t make_line(char *out, struct wire_reader *r)
{
	size_t key_len = wire_u8(r), at, len;
	const uint8_t *key = wire_bytes(r, key_len), *record;

	len = wire_left(r);
	record = wire_bytes(r, len);
	if (!key || !record || len > RECORD_MAX)
		return 0;
	at = (size_t)sprintf(out, "{\"home-agent\":\"10.0.0.2\",\"crc\":%u,\"key\":\"",
			     crc32c(crc32c(0, key, key_len), record, len));
	at = put_hex(out, at, key, key_len);
	at += (size_t)sprintf(out + at, "\",\"record\":\"");
	at = put_hex(out, at, record, len);
	return at + (size_t)sprintf(out + at, "\"}");
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	asked_open();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char line[LINE_MAX_ + 16], made[LINE_MAX_];
	struct wire_reader r = wire_reader(data, size);
	const char *text, *answer;
	size_t len, at;

	if (wire_u8(&r) % LINE_CNT == LINE_MADE) {
		len = make_line(made, &r);
		text = made;
	} else {
		len = wire_left(&r);
		text = (const char *)r.pos;
	}
	if (len == 0)
		return 0;
	at = (size_t)sprintf(line, PREFIX);
	at = put_word(line, at, text, len);
	line[at++] = '\n';
	answer = asked((const uint8_t *)line, at);
	FUZZ_CHECK(strncmp(answer, "ctl/1\terror\t", 12) == 0 ||
		   strncmp(answer, "ctl/1\tusage\t", 12) == 0 ||
		   strncmp(answer, "ctl/1\trecord\nrow\tbindings:", 26) == 0);
	return 0;
}

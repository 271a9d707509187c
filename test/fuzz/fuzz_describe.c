/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What hactl trace shows of a message: text of one line a field, printable, terminated, never
 * longer than the room it gets, and never an authenticator.
 *
 * Input: the message.
 */
#include "ha-core/wire/describe.h"
#include "test/fuzz/fuzz.h"

static void check_text(const char *text, size_t len, size_t size)
{
	size_t i;

	FUZZ_CHECK(len < size);
	FUZZ_CHECK(text[len] == '\0');
	for (i = 0; i < len; i++)
		FUZZ_CHECK(text[i] == '\n' || (text[i] >= ' ' && text[i] <= '~'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t sizes[] = { 1, 80, DESCRIBE_MAX };
	uint8_t *msg = fuzz_copy(data, size);
	size_t i, len = 0;
	char *text;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		text = malloc(sizes[i]);
		if (!text)
			abort();
		len = describe_message(msg, size, text, sizes[i]);
		check_text(text, len, sizes[i]);
		free(text);
	}
	if (size > 0)
		(void)describe_message_name(msg[0]);
	free(msg);
	return 0;
}

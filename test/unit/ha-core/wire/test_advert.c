/* SPDX-License-Identifier: BSD-2-Clause */
/* What advertisements count by: RFC 5944 §2.3.2. */
#include "ha-core/wire/advert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void sequence_numbers_go_from_0xffff_to_256(void **state)
{
	uint16_t sequence = 0;
	unsigned long sent;

	(void)state;
	for (sent = 1; sent <= 0xffff; sent++) {
		sequence = advert_next_sequence(sequence);
		assert_int_equal(sequence, sent);
	}
	assert_int_equal(advert_next_sequence(sequence), 256);
	assert_int_equal(advert_next_sequence(256), 257);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequence_numbers_go_from_0xffff_to_256),
	};

	return cmocka_run_group_tests_name("agent advertisements", tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vici's encoding against octets written down from its description.
 */
#include "test/mn/vici.h"

#include "common/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Event "e": up=yes, section corp { local-vips = [10.8.0.1], child-sas { x { k=v } } } */
static const uint8_t event[] = "\7\1e"
			       "\3\2up\0\3yes"
			       "\1\4corp"
			       "\4\12local-vips\5\0\10"
			       "10.8.0.1\6"
			       "\1\11child-sas\1\1x\3\1k\0\1v\2\2"
			       "\2";

static void a_request_is_its_length_type_name_and_values(void **state)
{
	static const uint8_t wanted[] = "\0\0\0\21\0\10initiate\3\1a\0\2bc";
	struct vici_writer w;

	(void)state;
	vici_begin(&w, VICI_REQUEST, "initiate");
	vici_put(&w, "a", "bc");
	assert_int_equal(vici_end(&w), sizeof(wanted) - 1);
	assert_memory_equal(w.octets, wanted, sizeof(wanted) - 1);
}

static void a_request_that_does_not_fit_is_not_sent(void **state)
{
	char value[600];
	struct vici_writer w;

	(void)state;
	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = 0;
	vici_begin(&w, VICI_REQUEST, "initiate");
	vici_put(&w, "a", value);
	assert_int_equal(vici_end(&w), 0);
}

static void an_event_is_read_value_by_value(void **state)
{
	struct vici_reader r;

	(void)state;
	assert_int_equal(vici_read(&r, event, sizeof(event) - 1), 0);
	assert_int_equal(r.type, VICI_EVENT);
	assert_string_equal(r.name, "e");
	assert_int_equal(vici_next(&r), 1);
	assert_int_equal(r.item.depth, 0);
	assert_string_equal(r.item.value, "yes");
	assert_int_equal(vici_next(&r), 1);
	assert_int_equal(r.item.depth, 1);
	assert_string_equal(r.item.section[0], "corp");
	assert_string_equal(r.item.key, "local-vips");
	assert_string_equal(r.item.value, "10.8.0.1");
	assert_int_equal(vici_next(&r), 1);
	assert_int_equal(r.item.depth, 3);
	assert_string_equal(r.item.section[2], "x");
	assert_int_equal(vici_next(&r), 0);
	assert_int_equal(r.item.depth, 0);
}

/* Each read from memory of its own, so that the sanitizer sees one octet too far. */
static void a_truncated_event_is_never_read_beyond_its_end(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(event) - 1; len++) {
		uint8_t *copy = test_malloc(len + 1);
		struct vici_reader r;
		int ret;

		memcpy(copy + 1, event, len);
		ret = vici_read(&r, copy + 1, len);
		while (ret >= 0 && (ret = vici_next(&r)) > 0)
			;
		assert_true(ret == 0 || ret == ERR_TRUNCATED);
		test_free(copy);
	}
}

static void sections_are_bounded_and_balanced(void **state)
{
	uint8_t deep[2 + 3 * (VICI_DEPTH_MAX + 1)] = { VICI_RESPONSE };
	static const uint8_t unbalanced[] = { VICI_RESPONSE, 2 }, stray_item[] = { 1, 5, 0, 0 };
	struct vici_reader r;

	(void)state;
	for (size_t i = 0; i <= VICI_DEPTH_MAX; i++)
		memcpy(deep + 1 + 3 * i, "\1\1s", 3);
	assert_int_equal(vici_read(&r, deep, sizeof(deep) - 1), 0);
	assert_int_equal(vici_next(&r), ERR_INVALID);
	assert_int_equal(vici_read(&r, unbalanced, sizeof(unbalanced)), 0);
	assert_int_equal(vici_next(&r), ERR_INVALID);
	assert_int_equal(vici_read(&r, stray_item, sizeof(stray_item)), 0);
	assert_int_equal(vici_next(&r), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_its_length_type_name_and_values),
		cmocka_unit_test(a_request_that_does_not_fit_is_not_sent),
		cmocka_unit_test(an_event_is_read_value_by_value),
		cmocka_unit_test(a_truncated_event_is_never_read_beyond_its_end),
		cmocka_unit_test(sections_are_bounded_and_balanced),
	};

	return cmocka_run_group_tests_name("vici", tests, NULL, NULL);
}

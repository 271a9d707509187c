/* SPDX-License-Identifier: BSD-2-Clause */
/* Arenas and slabs: objects are zeroed, aligned, apart from each other, and used again. */
#include "common/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MANY 20000

static bool is_zero(const void *p, size_t size)
{
	const uint8_t *at = p;

	while (size-- > 0)
		if (*at++ != 0)
			return false;
	return true;
}

static void objects_are_zeroed_aligned_and_apart(void **state)
{
	static uint8_t *objects[MANY];
	struct arena a = { 0 };
	size_t i, size;

	(void)state;
	for (i = 0; i < MANY; i++) {
		size = 1 + i % 97;
		objects[i] = arena_get(&a, size);
		assert_non_null(objects[i]);
		assert_int_equal((uintptr_t)objects[i] % sizeof(uint64_t), 0);
		assert_true(is_zero(objects[i], size));
		memset(objects[i], (int)(i % 255 + 1), size);
	}
	for (i = 0; i < MANY; i++) {
		assert_int_equal(objects[i][0], i % 255 + 1);
		assert_int_equal(objects[i][i % 97], i % 255 + 1);
	}
	arena_done(&a);
	assert_null(a.chunks);
}

static void an_object_larger_than_any_chunk_is_had(void **state)
{
	struct arena a = { 0 };
	uint8_t *large = arena_get(&a, (size_t)3 << 20), *small = arena_get(&a, 8);

	(void)state;
	assert_non_null(large);
	assert_non_null(small);
	memset(large, 1, (size_t)3 << 20);
	assert_true(is_zero(small, 8));
	arena_done(&a);
}

static void what_was_put_back_is_zeroed_and_used_again(void **state)
{
	struct slab s = { .size = 40 };
	void *a = slab_get(&s), *b = slab_get(&s), *again;

	(void)state;
	memset(a, 0xff, 40);
	memset(b, 0xff, 40);
	slab_put(&s, a);
	slab_put(&s, b);
	again = slab_get(&s);
	assert_ptr_equal(again, b);
	assert_true(is_zero(again, 40));
	again = slab_get(&s);
	assert_ptr_equal(again, a);
	assert_true(is_zero(again, 40));
	assert_ptr_not_equal(slab_get(&s), a);
	slab_done(&s);
}

static void an_arena_gives_again_what_is_of_the_same_size(void **state)
{
	struct arena a = { 0 };
	uint8_t *small = arena_get(&a, 20), *large = arena_get(&a, 48), *again;

	(void)state;
	memset(small, 0xff, 20);
	arena_put(&a, small, 20);
	arena_put(&a, NULL, 20);
	arena_put(&a, large, 48);
	again = arena_get(&a, 24); /* rounded up both times */
	assert_ptr_equal(again, small);
	assert_true(is_zero(again, 24));
	again = arena_get(&a, 41);
	assert_ptr_equal(again, large);
	assert_ptr_not_equal(arena_get(&a, 24), small);
	arena_put(&a, arena_get(&a, ARENA_PUT_MAX + 1), ARENA_PUT_MAX + 1);
	assert_non_null(arena_get(&a, ARENA_PUT_MAX + 1));
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_zeroed_aligned_and_apart),
		cmocka_unit_test(an_object_larger_than_any_chunk_is_had),
		cmocka_unit_test(what_was_put_back_is_zeroed_and_used_again),
		cmocka_unit_test(an_arena_gives_again_what_is_of_the_same_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

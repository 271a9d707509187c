/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of two records is newer, as numbers here and as text on the server. */
#include "ha-core/cluster/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void the_text_has_the_order_of_the_numbers(void **state)
{
	static const struct cluster_rank ranks[] = {
		{ 0, 0 },          { 0, 1 },
		{ 0, UINT64_MAX }, { 9, 0 },
		{ 10, 5 },         { UINT64_C(0x8000000000000000), 1 },
		{ UINT64_MAX, 0 }, { UINT64_MAX, UINT64_MAX },
	};
	char a[CLUSTER_RANK_LEN + 1], b[CLUSTER_RANK_LEN + 1];
	struct cluster_rank back;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(ranks) / sizeof(ranks[0]); i++) {
		cluster_rank_put(&ranks[i], a);
		assert_int_equal(strlen(a), CLUSTER_RANK_LEN);
		assert_true(cluster_rank_get(a, strlen(a), &back));
		assert_int_equal(cluster_rank_compare(&back, &ranks[i]), 0);
		if (i == 0)
			continue;
		cluster_rank_put(&ranks[i - 1], b);
		assert_true(strcmp(b, a) < 0);
		assert_true(cluster_rank_compare(&ranks[i - 1], &ranks[i]) < 0);
		assert_true(cluster_rank_compare(&ranks[i], &ranks[i - 1]) > 0);
	}
}

static void what_is_no_rank_is_refused(void **state)
{
	static const char *const texts[] = { "", "0123456789abcdef0123456789abcde",
					     "0123456789abcdef0123456789abcdeF",
					     "0123456789abcdef 123456789abcdef" };
	struct cluster_rank rank;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(cluster_rank_get(texts[i], strlen(texts[i]), &rank));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_has_the_order_of_the_numbers),
		cmocka_unit_test(what_is_no_rank_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

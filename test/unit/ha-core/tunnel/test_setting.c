/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Settings of the network that a daemon borrows and gives back, across a kill: a note in a file
 * says that one was off before. Real settings, in a network namespace of the test's own.
 */
#include "ha-core/tunnel/setting.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "test/unit/common/workdir.h"

#define FORWARDING "ipv4/ip_forward"

static int setup(void **state)
{
	(void)state;
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	return setting_write(NULL, FORWARDING, 0); /* some hosts' namespaces begin with it on */
}

static int teardown(void **state)
{
	(void)state;
	(void)unlink("f");
	(void)unlink("nodes");
	return 0;
}

static bool is_on(void)
{
	return setting_read(NULL, FORWARDING, 7) == 1;
}

static void what_is_not_there_is_told_or_read_as_said(void **state)
{
	(void)state;
	assert_int_equal(setting_read("nobody", "forwarding", 7), 7);
	assert_int_equal(setting_write("nobody", "forwarding", 1), -ENOENT);
	assert_int_equal(setting_borrow("f", "ipv4/nothing"), -ENOENT);
	assert_int_equal(access("f", F_OK), -1); /* nothing was borrowed */
	assert_int_equal(setting_give_back("f", "ipv4/nothing"), -ENOENT);
}

static void what_was_off_is_borrowed_and_given_back(void **state)
{
	(void)state;
	assert_int_equal(setting_borrow("f", FORWARDING), 1);
	assert_true(is_on());
	assert_int_equal(setting_borrow("f", FORWARDING), 1); /* after a kill: still ours */
	assert_true(setting_is_borrowed("f", FORWARDING));
	assert_int_equal(setting_give_back("f", FORWARDING), 0);
	assert_false(is_on());
	assert_int_equal(access("f", F_OK), -1);
	assert_false(setting_is_borrowed("f", FORWARDING));
}

static void what_was_on_is_somebody_elses(void **state)
{
	(void)state;
	assert_int_equal(setting_write(NULL, FORWARDING, 1), 0);
	assert_int_equal(setting_borrow("f", FORWARDING), 0);
	assert_int_equal(access("f", F_OK), -1);
	assert_true(is_on());
}

/* The run directory of a container may be that of its host. */
static void a_note_of_another_namespace_is_not_ours(void **state)
{
	(void)state;
	assert_int_equal(setting_borrow("f", FORWARDING), 1);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(setting_write(NULL, FORWARDING, 1), 0);
	assert_false(setting_is_borrowed("f", FORWARDING));
	assert_int_equal(setting_borrow("f", FORWARDING), 0);
}

static void a_note_that_was_cut_or_is_a_link_is_none(void **state)
{
	(void)state;
	assert_int_equal(setting_borrow("f", FORWARDING), 1);
	assert_int_equal(truncate("f", 5), 0);
	assert_false(setting_is_borrowed("f", FORWARDING));
	assert_int_equal(setting_write(NULL, FORWARDING, 0), 0);
	assert_int_equal(setting_borrow("nodes", FORWARDING), 1);
	assert_int_equal(unlink("f"), 0);
	assert_int_equal(symlink("nodes", "f"), 0);
	assert_true(setting_is_borrowed("nodes", FORWARDING));
	assert_false(setting_is_borrowed("f", FORWARDING));
}

/* It is switched on all the same: a daemon that is killed then leaves it so. */
static void without_a_place_for_the_note_it_is_borrowed_unnoted(void **state)
{
	(void)state;
	assert_int_equal(setting_borrow("nowhere/f", FORWARDING), 1);
	assert_true(is_on());
	assert_false(setting_is_borrowed("nowhere/f", FORWARDING));
	assert_int_equal(setting_give_back("nowhere/f", FORWARDING), 0);
	assert_false(is_on());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_not_there_is_told_or_read_as_said),
		TEST(what_was_off_is_borrowed_and_given_back),
		TEST(what_was_on_is_somebody_elses),
		TEST(a_note_of_another_namespace_is_not_ours),
		TEST(a_note_that_was_cut_or_is_a_link_is_none),
		TEST(without_a_place_for_the_note_it_is_borrowed_unnoted),
	};

	if (unshare(CLONE_NEWNET) < 0) {
		print_message("skipped: no network namespace (%s)\n", strerror(errno));
		return 77;
	}
	return cmocka_run_group_tests(tests, workdir_setup, workdir_teardown);
}

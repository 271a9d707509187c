/* SPDX-License-Identifier: BSD-2-Clause */
/** An address of its text, which the test knows to be one. Include after cmocka.h. */
#ifndef TEST_UNIT_COMMON_ADDR_OF_H
#define TEST_UNIT_COMMON_ADDR_OF_H

#include <arpa/inet.h>

static struct in_addr addr(const char *text)
{
	struct in_addr a;

	assert_int_equal(inet_pton(AF_INET, text, &a), 1);
	return a;
}

#endif

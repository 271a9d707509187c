/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests on the control socket: any octets, to all the commands of a home agent. Every request
 * gets one whole answer, and no answer has a key in it (asked.c).
 *
 * Input: the octets that a client sends before it says no more.
 */
#include "test/fuzz/asked.h"

#define REQUEST_MAX 32768 /* more than the daemon takes, less than a socket holds */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	asked_open();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size <= REQUEST_MAX)
		(void)asked(data, size);
	return 0;
}

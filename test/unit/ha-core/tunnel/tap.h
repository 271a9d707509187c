/* SPDX-License-Identifier: BSD-2-Clause */
/** A TAP device of a test in a network namespace of its own. Include after cmocka.h. */
#ifndef TEST_UNIT_HA_CORE_TUNNEL_TAP_H
#define TEST_UNIT_HA_CORE_TUNNEL_TAP_H

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>

/** An Ethernet link, down: it goes when the descriptor is closed. */
static inline int tap_open(const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	return fd;
}

#endif

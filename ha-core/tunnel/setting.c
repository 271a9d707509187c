/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's settings under /proc/sys/net, as far as tunnels depend on them. CAP_NET_ADMIN is enough
 * to write them.
 */
#include "ha-core/tunnel/setting.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int setting_open(const char *link, const char *name, int flags)
{
	char path[128];

	if (link)
		(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/%s", link, name);
	else
		(void)snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	return open(path, flags | O_CLOEXEC);
}

int setting_write(const char *link, const char *name, int value)
{
	int fd = setting_open(link, name, O_WRONLY), err = 0;

	if (fd < 0)
		return -errno;
	if (dprintf(fd, "%d\n", value) < 0)
		err = -errno;
	(void)close(fd);
	return err;
}

int setting_read(const char *link, const char *name, int otherwise)
{
	int fd = setting_open(link, name, O_RDONLY);
	char text[16] = "";
	ssize_t len;

	if (fd < 0)
		return otherwise;
	len = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	return len > 0 ? atoi(text) : otherwise;
}

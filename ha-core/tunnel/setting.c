/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's settings under /proc/sys/net, as far as tunnels depend on them. CAP_NET_ADMIN is
 * enough to write them. Where one is to be put back in the end, a note of it outlives a kill.
 */
#include "ha-core/tunnel/setting.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOTE_SIZE 80 /* a boot's UUID and a number */

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

/* --- what was found --- */

/* Which network namespace of which boot it is. @return octets */
static size_t here(char text[NOTE_SIZE])
{
	int boot = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	char uuid[40] = "";

	if (boot >= 0) {
		if (read(boot, uuid, sizeof(uuid) - 1) > 0)
			uuid[strcspn(uuid, "\n")] = '\0';
		(void)close(boot);
	}
	if (fd >= 0) {
		(void)getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len);
		(void)close(fd);
	}
	return (size_t)snprintf(text, NOTE_SIZE, "%s %" PRIu64 "\n", uuid, cookie);
}

static bool is_noted(const char *note)
{
	char ours[NOTE_SIZE], found[NOTE_SIZE];
	const size_t len = here(ours);
	int fd = open(note, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool noted;

	if (fd < 0)
		return false;
	noted = read(fd, found, sizeof(found)) == (ssize_t)len && memcmp(found, ours, len) == 0;
	(void)close(fd);
	return noted;
}

static void write_note(const char *note)
{
	char text[NOTE_SIZE];
	const size_t len = here(text);
	int fd;

	(void)unlink(note);
	fd = open(note, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return; /* we know, but nobody after a kill */
	if (write(fd, text, len) != (ssize_t)len)
		(void)unlink(note);
	(void)close(fd);
}

bool setting_is_borrowed(const char *note, const char *name)
{
	return setting_read(NULL, name, 0) != 0 && is_noted(note);
}

int setting_borrow(const char *note, const char *name)
{
	int err;

	if (setting_read(NULL, name, 0) != 0)
		return setting_is_borrowed(note, name);
	write_note(note); /* first: a kill may come between */
	err = setting_write(NULL, name, 1);
	if (err < 0)
		(void)unlink(note);
	return err < 0 ? err : 1;
}

int setting_give_back(const char *note, const char *name)
{
	int err = setting_write(NULL, name, 0);

	if (err == 0)
		(void)unlink(note);
	return err;
}

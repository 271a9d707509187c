/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): one datagram an entry, one
 * FIELD=VALUE a line, which is all it takes because a text here has no newline. Written by hand
 * because libsystemd's call may wait for the journal, and a log must not stall the daemon.
 *
 * The message keeps its pairs, so that whoever reads the journal as text sees what stderr would
 * show. Fields are prefixed, so that no pair can pass for one of the journal's own.
 */
#include "common/log_journal.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PREFIX       "HA_"
#define ENTRY_SIZE   8192 /* a line and its pairs once more */
#define NAME_MAX_LEN 61   /* the journal takes 64 octets */

const char *log_journal_socket = "/run/systemd/journal/socket";

struct entry {
	char s[ENTRY_SIZE];
	size_t len;
};

static void put(struct entry *e, const char *text, size_t len)
{
	if (len > sizeof(e->s) - e->len)
		len = sizeof(e->s) - e->len;
	memcpy(e->s + e->len, text, len);
	e->len += len;
}

/* "home-address" and its value; whole, or not at all. */
static void put_field(struct entry *e, const char *key, size_t key_len, const char *value,
		      size_t value_len)
{
	char name[NAME_MAX_LEN + 1];

	if (key_len > NAME_MAX_LEN ||
	    sizeof(PREFIX) + key_len + value_len + 2 > sizeof(e->s) - e->len)
		return;
	for (size_t i = 0; i < key_len; i++)
		name[i] = key[i] == '-' ? '_' : (char)toupper((unsigned char)key[i]);
	put(e, PREFIX, sizeof(PREFIX) - 1);
	put(e, name, key_len);
	put(e, "=", 1);
	put(e, value, value_len);
	put(e, "\n", 1);
}

/* The pairs of a line: blank, key, '=', value. Words without '=' are the message's. */
static void put_pairs(struct entry *e, const char *text)
{
	const char *p = text, *value;
	size_t key_len, value_len;

	while ((p = strchr(p, ' '))) {
		p++;
		key_len = strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789-");
		if (key_len == 0 || p[key_len] != '=')
			continue;
		value = p + key_len + 1;
		if (*value == '"') {
			value++;
			value_len = strcspn(value, "\"");
		} else {
			value_len = strcspn(value, " ");
		}
		put_field(e, p, key_len, value, value_len);
		p = value + value_len;
	}
}

int log_journal_write(const char *program, int priority, const char *text)
{
	static int fd = -1;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct entry e = { .len = 0 };

	if (fd < 0)
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", log_journal_socket);
	e.len = (size_t)snprintf(e.s, sizeof(e.s),
				 "PRIORITY=%d\nSYSLOG_IDENTIFIER=%.64s\nMESSAGE=", priority,
				 program);
	put(&e, text, strlen(text));
	put(&e, "\n", 1);
	put_pairs(&e, text);
	/* Not connected: the journal may have been started anew. */
	return sendto(fd, e.s, e.len, MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&addr,
		      sizeof(addr)) < 0
		       ? -errno
		       : 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * What a daemon may do: as few users, capabilities and system calls as its work takes. Both steps
 * write to the log what was kept. The only door to libcap-ng and libseccomp is privs.c.
 */
#ifndef COMMON_PRIVS_H
#define COMMON_PRIVS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** A directory that the user we become needs; made, with what leads to it, if it is missing. */
struct privs_dir {
	const char *path; /* not absolute: none */
	mode_t mode;      /* 0: not made */
	bool is_own;      /* all that is in it is the daemon's, which must be able to use it */
	/**
	 * NULL, or gets a descriptor (O_PATH, the caller's) by which /proc/self/fd leads there even
	 * where the new user may not enter what leads to it; -1 where there is none, or no need.
	 */
	int *out_fd;
};

struct privs_conf {
	/** Whom to become when started as root; NULL: "home-agent", if this host knows it. */
	const char *user;
	/** Joined besides the user's own groups, so that files can be given to it; NULL: none. */
	const char *group;
	bool bpf;         /* keep what loading BPF programs takes */
	const char *file; /* read again later: a warning if that will not be possible; or NULL */
	const struct privs_dir *dirs;
	size_t dir_cnt;
};

/**
 * The first step, before anything is opened and any thread or child is started: another user (if we
 * are root), the few capabilities of those that we have, none that could come back.
 *
 * Keeps CAP_NET_ADMIN (devices, routes, settings of the network), CAP_NET_RAW (ARP, router
 * advertisements), CAP_NET_BIND_SERVICE (port 434) and, with conf->bpf, CAP_BPF and CAP_PERFMON.
 *
 * @retval ERR_NOT_FOUND  there is no user or group of this name
 * @retval -EACCES        a directory of conf->dirs is not the user's: what to do is in the log
 * @retval -errno         the system refuses; the process is to end, as it may be half way. Logged.
 */
int privs_drop(const struct privs_conf *conf);

/** A process of ours that needs no privilege at all, a child: gives up what is left. As above. */
int privs_drop_all(void);

/**
 * The second step, once everything is set up: from now on, in all threads, the kernel answers what
 * is not on our list of system calls with ENOSYS, and ends a process that tries what only an
 * intruder would (execve, ptrace, mount, ...).
 *
 * @param bpf  bpf(2) is on the list
 * @retval -errno  logged
 */
int privs_filter(bool bpf);

/**
 * The same for a child that needs no privilege: a shorter list, on which no file can be written.
 * Also after privs_filter(), which a child inherits: both hold.
 */
int privs_filter_child(void);

#endif

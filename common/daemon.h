/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * What every daemon of the suite does the same way: options, exit codes, readiness, signals.
 */
#ifndef COMMON_DAEMON_H
#define COMMON_DAEMON_H

#include <stdbool.h>

/** Exit codes; part of the interface. */
enum daemon_exit {
	DAEMON_EXIT_DONE = 0,
	DAEMON_EXIT_CONFIG = 1, /* bad configuration or a refused request */
	DAEMON_EXIT_USAGE = 2,  /* bad command line */
	DAEMON_EXIT_SYSTEM = 3, /* the system refused something needed */
};

struct daemon_info {
	const char *name;           /* "ihad" */
	const char *title;          /* "internal home agent" */
	const char *default_config; /* path */
};

struct daemon_options {
	const char *config; /* path; points into argv or the default */
	bool check;         /* --check: read the configuration, print its faults, touch nothing */
	bool remove; /* --remove-data-path: take away what one that is gone left forwarding */
};

/**
 * Reads the command line: -c/--config FILE, --check, -V/--version, -h/--help.
 *
 * @return -1 to go on with *ret_opts, or an exit code (help and version printed, or a usage
 *         error told on stderr)
 */
int daemon_options(const struct daemon_info *info, int argc, char **argv,
		   struct daemon_options *ret_opts);

/** Tells the service manager (sd_notify); nothing where there is none. */
void daemon_ready(const char *status); /* READY=1 */
void daemon_reloading(void);           /* RELOADING=1, to be followed by daemon_ready() */
void daemon_stopping(void);            /* STOPPING=1 */
void daemon_alive(void);               /* WATCHDOG=1, if it waits for that */

#endif

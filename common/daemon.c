/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line that all daemons of the suite have, and what they tell the service manager. The
 * only user of libsystemd; without WITH_SYSTEMD nothing is told to anybody.
 */
#include "common/daemon.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#ifdef WITH_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

static void print_help(const struct daemon_info *info)
{
	printf("%s, the %s.\n"
	       "Serves mobile nodes by Mobile IPv4 (RFC 5944).\n"
	       "\n"
	       "Usage: %s [-c FILE] [--check]\n"
	       "\n"
	       "  -c, --config FILE  configuration; by default\n"
	       "                     %s\n"
	       "      --check        print the configuration's faults, and warnings\n"
	       "      --remove-data-path  take away what a daemon that is gone left forwarding\n"
	       "  -V, --version      print name and version\n"
	       "  -h, --help         print this\n"
	       "\n"
	       "Runs in the foreground and logs to stderr. SIGHUP reads the configuration again,\n"
	       "SIGTERM or SIGINT ends it. Look inside with hactl. The manual is %s(8).\n"
	       "\n"
	       "Exit codes: 0 done, 1 bad configuration, 2 bad command line, 3 the system\n"
	       "refused something needed (socket, device, privilege).\n",
	       info->name, info->title, info->name, info->default_config, info->name);
}

static int usage_error(const struct daemon_info *info)
{
	fprintf(stderr, "Try '%s --help'.\n", info->name);
	return DAEMON_EXIT_USAGE;
}

int daemon_options(const struct daemon_info *info, int argc, char **argv,
		   struct daemon_options *ret_opts)
{
	enum { OPT_CHECK = 256, OPT_REMOVE };
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, OPT_CHECK },
		{ "remove-data-path", no_argument, NULL, OPT_REMOVE },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct daemon_options opts = { .config = info->default_config };
	int opt;

	optind = 0; /* GNU: begin anew */
	while ((opt = getopt_long(argc, argv, "c:Vh", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			opts.config = optarg;
			break;
		case OPT_CHECK:
			opts.check = true;
			break;
		case OPT_REMOVE:
			opts.remove = true;
			break;
		case 'V':
			printf("%s %s\n", info->name, HOME_AGENT_VERSION);
			return DAEMON_EXIT_DONE;
		case 'h':
			print_help(info);
			return DAEMON_EXIT_DONE;
		default: /* getopt_long() has said what is wrong */
			return usage_error(info);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "%s: unexpected argument '%s'\n", info->name, argv[optind]);
		return usage_error(info);
	}
	*ret_opts = opts;
	return -1;
}

#ifdef WITH_SYSTEMD

void daemon_ready(const char *status)
{
	(void)sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void daemon_reloading(void)
{
	struct timespec now;

	/* Type=notify-reload wants to know when, to tell this reload from an earlier one. */
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
			 (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

void daemon_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}

void daemon_alive(void)
{
	if (sd_watchdog_enabled(0, NULL) > 0)
		(void)sd_notify(0, "WATCHDOG=1");
}

#else

void daemon_ready(const char *status)
{
	(void)status;
}

void daemon_reloading(void)
{
}

void daemon_stopping(void)
{
}

void daemon_alive(void)
{
}

#endif

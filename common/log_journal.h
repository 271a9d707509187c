/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Log lines as entries of systemd's journal, each pair a field: "journalctl HA_EVENT=auth-failure".
 * By the journal's native protocol, which is a datagram of FIELD=VALUE lines.
 */
#ifndef COMMON_LOG_JOURNAL_H
#define COMMON_LOG_JOURNAL_H

/** The journal's socket; a test sets another. */
extern const char *log_journal_socket;

/**
 * Sends one entry, and never waits.
 * @param program   its SYSLOG_IDENTIFIER
 * @param priority  of syslog(3)
 * @param text      "message key=value ...", printable ASCII; a value may stand in double quotes
 * @retval -errno  the journal did not take it, or there is none
 */
int log_journal_write(const char *program, int priority, const char *text);

#endif

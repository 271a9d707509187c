/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two processes. The upper one was forked by the daemon; it does nothing but start the worker, and
 * start it again a second after it died. The worker is an AgentX subagent (common/agentx.h) whose
 * rows come from the daemon: it asks for a page of a table from some key on, waits for it, and
 * answers the master from that page for a moment (FRESH_MS). A walk so asks once for many rows,
 * and what a manager reads is as fresh as he can tell.
 *
 * Both daemons may be subagents of one master, and both have all of the objects, which RFC 2741
 * allows in one context to one of them only. Each therefore has a context of its own, named after
 * the program; MIP-MIB has no index that could tell them apart, which decides it. Because few
 * managers name a context, each also serves the default one, ihad with the better priority:
 * the only one on a host is found there, and of two the internal one is. Where two have one name
 * for their contexts, the master refuses the second, which says so.
 *
 * The daemon's notices come by the same socket. Those that come while there is no session with the
 * master are kept, a few, until there is.
 */
#include "ha-core/snmp/snmp_child.h"

#include "common/agentx.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "ha-core/snmp/mip_mib.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FD         3 /* of the socket, in the child: all above are closed */
#define RESTART_MS 1000
#define ANSWER_MS  2000 /* a daemon that takes longer is not asked again for this object */
#define FRESH_MS   50
#define PAGE_SLOTS 8
#define NOTICE_MAX 16 /* kept while there is no master */
#define RETRY_S    2  /* pings, and attempts to connect */
#define GROUP_MAX  32

struct slot {
	uint64_t got_ms; /* 0: empty */
	struct snmp_page page;
};

struct worker {
	const struct snmp_child_conf *conf;
	int fd;
	uint32_t seq;
	struct slot *slots; /* PAGE_SLOTS */
	struct mib mib;
	const struct mib_group *groups[GROUP_MAX];
	bool connected;                  /* there is a session with the master */
	bool is_taken, is_default_taken; /* our own context, the default one: another subagent's */
	bool is_said;                    /* how it is at first; from now on what changes is */
	uint32_t told;                   /* enum snmp_link_state that the daemon knows of */
	struct snmp_notice notices[NOTICE_MAX]; /* waiting, the oldest first */
	size_t notice_cnt;
	union {
		uint32_t kind;
		struct snmp_page page;
		struct snmp_notice notice;
	} in; /* the message that was read last */
};

/* --- pages --- */

static uint64_t row_key(const struct snmp_page *page, size_t i)
{
	uint64_t key;

	memcpy(&key, page->rows + i * snmp_row_size((enum snmp_table)page->table), sizeof(key));
	return key;
}

/* The first row of the page with this key or above; cnt: none. */
static size_t find_row(const struct snmp_page *page, uint64_t from)
{
	size_t low = 0, high = page->cnt, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (row_key(page, mid) < from)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Does the page know what comes at this key? It does if it begins there or before, and goes on. */
static bool covers(const struct slot *slot, uint32_t table, uint64_t from, uint64_t now_ms)
{
	const struct snmp_page *page = &slot->page;

	return slot->got_ms != 0 && now_ms - slot->got_ms <= FRESH_MS && page->table == table &&
	       page->from <= from && (!page->more || find_row(page, from) < page->cnt);
}

static void keep_notice(struct worker *w, const struct snmp_notice *notice)
{
	if (w->notice_cnt < NOTICE_MAX)
		w->notices[w->notice_cnt++] = *notice;
}

/* Reads one message. @retval 1 read, 0 none yet. @return negative: the daemon is gone */
static int receive(struct worker *w)
{
	ssize_t n = recv(w->fd, &w->in, sizeof(w->in), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n < (ssize_t)sizeof(w->in.kind))
		return -EPIPE;
	if (w->in.kind == SNMP_NOTICE && n == (ssize_t)sizeof(w->in.notice))
		keep_notice(w, &w->in.notice);
	return 1;
}

/* Waits for the page that was asked for; an older one, which came too late, is passed over. */
static int await_page(struct worker *w)
{
	const uint64_t ends_ms = clock_read().mono_ms + ANSWER_MS;
	struct pollfd pfd = { .fd = w->fd, .events = POLLIN };
	uint64_t now_ms;
	int rc;

	for (;;) {
		now_ms = clock_read().mono_ms;
		if (now_ms >= ends_ms)
			return -ETIMEDOUT;
		(void)poll(&pfd, 1, (int)(ends_ms - now_ms));
		rc = receive(w);
		if (rc < 0)
			_exit(0); /* the daemon has ended, and so do we */
		if (rc > 0 && w->in.kind == SNMP_PAGE && w->in.page.seq == w->seq)
			return 0;
	}
}

static struct slot *oldest_slot(struct worker *w)
{
	struct slot *oldest = &w->slots[0];
	size_t i;

	for (i = 1; i < PAGE_SLOTS; i++)
		if (w->slots[i].got_ms < oldest->got_ms)
			oldest = &w->slots[i];
	return oldest;
}

static int ask(struct worker *w, uint32_t table, uint64_t from, struct slot **ret_slot)
{
	const struct snmp_ask msg = {
		.kind = SNMP_ASK, .seq = ++w->seq, .table = table, .from = from
	};
	struct slot *slot = oldest_slot(w);
	int rc;

	if (send(w->fd, &msg, sizeof(msg), MSG_NOSIGNAL) != (ssize_t)sizeof(msg))
		return -EPIPE;
	rc = await_page(w);
	if (rc < 0)
		return rc;
	memcpy(&slot->page, &w->in.page,
	       offsetof(struct snmp_page, rows) +
		       w->in.page.cnt * snmp_row_size((enum snmp_table)table));
	slot->got_ms = clock_read().mono_ms;
	*ret_slot = slot;
	return 0;
}

static int seek(void *ctx, unsigned int table, uint64_t from, uint64_t *ret_key,
		const void **ret_row)
{
	struct worker *w = ctx;
	const uint64_t now_ms = clock_read().mono_ms;
	struct slot *slot = NULL;
	size_t i;
	int rc;

	for (i = 0; i < PAGE_SLOTS && !slot; i++)
		if (covers(&w->slots[i], table, from, now_ms))
			slot = &w->slots[i];
	if (!slot) {
		rc = ask(w, table, from, &slot);
		if (rc < 0)
			return rc;
	}
	i = find_row(&slot->page, from);
	if (i == slot->page.cnt)
		return 0;
	*ret_key = row_key(&slot->page, i);
	*ret_row = slot->page.rows + i * snmp_row_size((enum snmp_table)table);
	return 1;
}

/* --- the subagent --- */

static int on_get(void *ctx, const struct agentx_oid *oid, struct agentx_value *out_value)
{
	const struct worker *w = ctx;

	return mib_get(&w->mib, oid, out_value);
}

static int on_next(void *ctx, const struct agentx_oid *oid, struct agentx_oid *out_oid,
		   struct agentx_value *out_value)
{
	const struct worker *w = ctx;

	return mib_next(&w->mib, oid, out_oid, out_value);
}

static void send_notices(struct worker *w)
{
	struct agentx_object objects[MIB_NOTICE_OBJECTS];
	struct agentx_oid oid;
	size_t i, cnt;

	for (i = 0; i < w->notice_cnt; i++) {
		if (w->notices[i].what == SNMP_NOTICE_AUTH_FAILURE)
			cnt = mip_mib_notice(&w->notices[i], &oid, objects);
		else
			cnt = home_agent_mib_notice(&w->notices[i], &oid, objects);
		agentx_notify(&oid, objects, cnt);
	}
	w->notice_cnt = 0;
}

static void on_connected(void *ctx, bool is)
{
	struct worker *w = ctx;

	if (is == w->connected)
		return;
	w->connected = is;
	w->is_said = true;
	if (!is)
		w->is_taken = w->is_default_taken = false;
	if (is)
		log_info("connected to the SNMP master agent", "event=snmp-connected agentx=%s",
			 w->conf->agentx);
	else
		log_notice("the SNMP master agent is gone; it is tried again",
			   "event=snmp-disconnected agentx=%s", w->conf->agentx);
}

/* A host's name that is not found leaves no errno: it is asked for once more. */
static const char *why_unreachable(const char *agentx, int error)
{
	const struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	char host[256];
	int rc;

	if (sscanf(agentx, "tcp:%255[^:]", host) != 1)
		return err_text(-error);
	rc = getaddrinfo(host, NULL, &hints, &found);
	if (rc != 0)
		return gai_strerror(rc);
	freeaddrinfo(found);
	return err_text(-error);
}

/* None since we started: a host without one tries for ever, and is told of it once. */
static void on_unreachable(void *ctx, int error)
{
	struct worker *w = ctx;

	if (w->is_said)
		return;
	w->is_said = true;
	log_notice("the SNMP master agent cannot be reached; it is tried again",
		   "event=snmp-unreachable agentx=%s error=\"%s\"", w->conf->agentx,
		   why_unreachable(w->conf->agentx, error));
}

static void on_refused(void *ctx, bool is_default)
{
	struct worker *w = ctx;
	bool *taken = is_default ? &w->is_default_taken : &w->is_taken;

	if (*taken)
		return;
	*taken = true;
	if (is_default)
		log_warning("another subagent answers managers that name no SNMP context",
			    "event=snmp-default-context-taken context=%s remedy=\"set "
			    "snmp.default-context to false in all home agents of a kind but one, "
			    "and restart them\"",
			    w->conf->context);
	else
		log_warning("another subagent has the SNMP context of this home agent",
			    "event=snmp-context-taken context=%s remedy=\"give each home agent "
			    "of this host an snmp.context of its own, and restart it\"",
			    w->conf->context);
}

/* Tells the daemon how we stand, for those who ask it. */
static void tell_link(struct worker *w)
{
	const struct snmp_link link = { .kind = SNMP_LINK,
					.state = !w->connected         ? SNMP_LINK_NO_MASTER
						 : w->is_taken         ? SNMP_LINK_TAKEN
						 : w->is_default_taken ? SNMP_LINK_DEFAULT_TAKEN
								       : SNMP_LINK_CONNECTED };

	if (link.state != w->told &&
	    send(w->fd, &link, sizeof(link), MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(link))
		w->told = link.state;
}

static bool on_readable(void *ctx)
{
	struct worker *w = ctx;

	return receive(w) >= 0;
}

static void on_turn(void *ctx)
{
	struct worker *w = ctx;

	tell_link(w);
	if (w->connected && w->notice_cnt > 0)
		send_notices(w);
}

/* Those of MIP-MIB come first: 1.3.6.1.2 before 1.3.6.1.4. */
static void set_groups(struct worker *w)
{
	size_t i, cnt = 0;

	for (i = 0; i < mip_mib_group_cnt && cnt < GROUP_MAX; i++)
		w->groups[cnt++] = mip_mib_groups[i];
	for (i = 0; i < home_agent_mib_group_cnt && cnt < GROUP_MAX; i++)
		w->groups[cnt++] = home_agent_mib_groups[i];
	w->mib = (struct mib){ .groups = w->groups, .group_cnt = cnt, .seek = seek, .ctx = w };
}

static int work(const struct snmp_child_conf *conf, int fd)
{
	const struct agentx_oid roots[] = { mip_mib_root, home_agent_mib_root };
	struct worker *w = calloc(1, sizeof(*w));
	struct agentx_conf agentx = {
		.name = conf->name,
		.master = conf->agentx,
		.context = conf->context,
		.in_default_context = conf->default_context,
		.priority = conf->priority,
		.roots = roots,
		.root_cnt = 2,
		.capabilities = conf->external ? &home_agent_mib_xhad : &home_agent_mib_ihad,
		.capabilities_text = conf->external ? "An external home agent (RFC 5265)"
						    : "An internal home agent (RFC 5265)",
		.retry_s = RETRY_S,
		.get = on_get,
		.next = on_next,
		.connected = on_connected,
		.unreachable = on_unreachable,
		.refused = on_refused,
		.fd = fd,
		.readable = on_readable,
		.turn = on_turn,
		.ctx = w,
	};
	int rc;

	if (!w)
		return -ENOMEM;
	w->conf = conf;
	w->fd = fd;
	w->slots = calloc(PAGE_SLOTS, sizeof(*w->slots));
	if (!w->slots) {
		free(w);
		return -ENOMEM;
	}
	set_groups(w);
	rc = agentx_run(&agentx);
	if (rc < 0)
		log_error("the SNMP subagent cannot start", "event=snmp-failed error=\"%s\"",
			  err_text(rc));
	return rc;
}

/* --- the two processes --- */

/* Nothing of the daemon's but its end of the socket, and stderr for the log. */
static void leave_home(const char *name, int fd)
{
	char title[16];

	(void)snprintf(title, sizeof(title), "%s-snmp", name);
	(void)prctl(PR_SET_NAME, title);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (fd != FD)
		(void)dup2(fd, FD);
	(void)close_range(FD + 1, ~0U, 0);
	/* What is for the daemon alone: it tells us to end by ending. */
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
}

/* Waits for the time to pass. @return false: the daemon has ended meanwhile */
static bool pause_before_restart(void)
{
	struct pollfd pfd = { .fd = FD, .events = 0 };

	return poll(&pfd, 1, RESTART_MS) == 0;
}

_Noreturn void snmp_child_run(const struct snmp_child_conf *conf, int fd)
{
	const pid_t self = getpid();
	pid_t worker;
	int status;

	leave_home(conf->name, fd);
	do {
		worker = fork();
		if (worker == 0) {
			if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != self)
				_exit(1);
			_exit(work(conf, FD) < 0);
		}
		status = 0;
		if (worker > 0)
			while (waitpid(worker, &status, 0) < 0 && errno == EINTR)
				;
		if (WIFSIGNALED(status))
			log_warning("the SNMP subagent died and is started again",
				    "event=snmp-restarted signal=%d", WTERMSIG(status));
	} while (pause_before_restart());
	_exit(0);
}

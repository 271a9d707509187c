/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two connections to charon. One is kept: it hears of SAs that come and go, and takes down; what
 * it asked is answered in order, so an end that we ordered is told from one that happened. The
 * other is made for each attempt to bring the VPN up, and its answer is the attempt's outcome. That
 * says no more than that it failed; why, is in the last telling line of the log that charon sends
 * beside it.
 *
 * Owned by node.c. Nothing here waits; a charon that goes away is tried for once a second.
 */
#include "test/mn/vpn.h"

#include "common/err.h"
#include "common/log.h"
#include "test/mn/vici.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RETRY_MS   1000
#define PACKET_MAX 65536

/* A connection to charon. */
struct channel {
	struct vpn *vpn;
	int fd; /* -1: none */
	struct loop_fd *watch;
	void (*packet)(struct vpn *v, struct vici_reader *r);
	void (*lost)(struct vpn *v);
	size_t len;
	uint8_t octets[PACKET_MAX];
};

struct vpn {
	struct vpn_conf conf;
	struct vpn_hooks hooks;
	struct channel events, attempt;
	struct loop_timer *retry;
	char reason[VICI_NAME_MAX + 1]; /* of the attempt's log; "": none so far */
	unsigned int ending;            /* terminations ordered and not answered */
	bool wanted;                    /* when those are */
	bool up;
};

static void tell(struct vpn *v, struct in_addr inner, const char *why)
{
	v->hooks.changed(v->hooks.ctx, inner, why);
}

/* ---- Channels ---- */

static void channel_close(struct channel *c)
{
	c->watch = loop_fd_free(c->watch);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->len = 0;
}

static void channel_lose(struct channel *c)
{
	channel_close(c);
	c->lost(c->vpn);
}

static size_t packet_len(const struct channel *c)
{
	size_t len = 0;

	for (size_t i = 0; i < VICI_LENGTH_LEN; i++)
		len = len << 8 | c->octets[i];
	return len;
}

static void on_channel(void *ctx, int events)
{
	struct channel *c = ctx;
	struct vici_reader r;
	ssize_t got = recv(c->fd, c->octets + c->len, sizeof(c->octets) - c->len, MSG_DONTWAIT);

	(void)events;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		channel_lose(c);
		return;
	}
	c->len += (size_t)got;
	while (c->len >= VICI_LENGTH_LEN) {
		size_t len = packet_len(c), whole = VICI_LENGTH_LEN + len;

		if (whole > sizeof(c->octets)) {
			channel_lose(c);
			return;
		}
		if (c->len < whole)
			return;
		if (vici_read(&r, c->octets + VICI_LENGTH_LEN, len) == 0)
			c->packet(c->vpn, &r);
		if (c->fd < 0)
			return; /* it was the last one wanted */
		c->len -= whole;
		memmove(c->octets, c->octets + whole, c->len);
	}
}

static int channel_open(struct channel *c)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const struct vpn_conf *conf = &c->vpn->conf;

	if (strlen(conf->socket) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	memcpy(sun.sun_path, conf->socket, strlen(conf->socket));
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return -errno;
	if (connect(c->fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		int err = -errno;

		channel_close(c);
		return err;
	}
	c->watch = loop_fd_new(conf->loop, c->fd, LOOP_READ, on_channel, c);
	if (!c->watch) {
		channel_close(c);
		return -ENOMEM;
	}
	return 0;
}

static int channel_send(struct channel *c, struct vici_writer *w)
{
	size_t len = vici_end(w);

	if (len == 0)
		return ERR_NO_SPACE;
	if (c->fd < 0)
		return -ENOTCONN;
	return send(c->fd, w->octets, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -EIO;
}

/* ---- Bringing up ---- */

static void attempt_over(struct vpn *v, const char *why)
{
	channel_close(&v->attempt);
	if (why && !v->up)
		tell(v, (struct in_addr){ 0 }, why);
}

/* Does this line of charon's log say why nothing came of an attempt? */
static bool is_telling(const char *line)
{
	static const char *const words[] = { " notify", "giving up", "failed",      "mismatched",
					     "unable",  "not found", "unacceptable" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(line, words[i]))
			return true;
	return false;
}

/* control-log: of the attempt's own SA. What is said of encodings and sockets is left out. */
static void on_attempt_log(struct vpn *v, struct vici_reader *r)
{
	char group[VICI_NAME_MAX + 1] = "", line[VICI_NAME_MAX + 1] = "";

	while (vici_next(r) > 0) {
		if (strcmp(r->item.key, "group") == 0)
			memcpy(group, r->item.value, sizeof(group));
		else if (strcmp(r->item.key, "msg") == 0)
			memcpy(line, r->item.value, sizeof(line));
	}
	if (strcmp(group, "ENC") == 0 || strcmp(group, "NET") == 0 || !is_telling(line))
		return;
	for (char *p = line; (p = strchr(p, '"'));)
		*p = '\''; /* it goes into why="" */
	memcpy(v->reason, line, sizeof(line));
}

static void attempt_failed(struct vpn *v, const char *errmsg)
{
	char why[2 * sizeof(v->reason) + 32];

	snprintf(why, sizeof(why), "%s: %s", errmsg,
		 v->reason[0] ? v->reason : "charon's log may say why");
	attempt_over(v, why);
}

static void on_attempt_packet(struct vpn *v, struct vici_reader *r)
{
	char why[VICI_NAME_MAX + 1] = "";
	bool success = false;

	if (r->type == VICI_EVENT)
		on_attempt_log(v, r);
	if (r->type != VICI_RESPONSE)
		return; /* EVENT_CONFIRM; an old charon without control-log: EVENT_UNKNOWN */
	while (vici_next(r) > 0) {
		if (strcmp(r->item.key, "success") == 0)
			success = strcmp(r->item.value, "yes") == 0;
		else if (strcmp(r->item.key, "errmsg") == 0)
			memcpy(why, r->item.value, sizeof(why));
	}
	if (success)
		attempt_over(v, NULL);
	else
		attempt_failed(v, why);
}

static void on_attempt_lost(struct vpn *v)
{
	attempt_over(v, "charon has gone");
}

static void start_attempt(struct vpn *v)
{
	struct vici_writer w;
	int err;

	v->wanted = false;
	channel_close(&v->attempt);
	v->reason[0] = '\0';
	err = channel_open(&v->attempt);
	if (err == 0) {
		vici_begin(&w, VICI_EVENT_REGISTER, "control-log");
		err = channel_send(&v->attempt, &w);
	}
	if (err == 0) {
		vici_begin(&w, VICI_REQUEST, "initiate");
		vici_put(&w, "ike", v->conf.ike);
		vici_put(&w, "child", v->conf.child);
		err = channel_send(&v->attempt, &w);
	}
	if (err < 0)
		attempt_over(v, err_text(err));
}

void vpn_connect(struct vpn *v)
{
	v->wanted = true;
	if (v->ending == 0)
		start_attempt(v);
}

/* ---- Taking down, and hearing ---- */

static void terminate(struct vpn *v)
{
	struct vici_writer w;

	vici_begin(&w, VICI_REQUEST, "terminate");
	vici_put(&w, "ike", v->conf.ike);
	vici_put(&w, "force", "yes");
	if (channel_send(&v->events, &w) == 0)
		v->ending++;
}

void vpn_disconnect(struct vpn *v)
{
	v->wanted = v->up = false;
	channel_close(&v->attempt);
	terminate(v);
}

/* child-updown: whether up, and the first address that the gateway gave our connection. */
static void on_updown(struct vpn *v, struct vici_reader *r)
{
	struct in_addr inner = { 0 };
	bool up = false, ours = false;

	while (vici_next(r) > 0) {
		const struct vici_item *item = &r->item;

		if (item->depth == 0) {
			up |= strcmp(item->key, "up") == 0 && strcmp(item->value, "yes") == 0;
			continue;
		}
		if (strcmp(item->section[0], v->conf.ike) != 0)
			continue;
		ours = true;
		if (item->depth == 1 && strcmp(item->key, "local-vips") == 0 && inner.s_addr == 0)
			(void)inet_pton(AF_INET, item->value, &inner);
	}
	if (!ours || v->ending > 0 || up == v->up)
		return;
	if (up && inner.s_addr == 0) {
		log_warning("the VPN gave us no inner address", "event=vpn-no-address");
		return;
	}
	v->up = up;
	tell(v, up ? inner : (struct in_addr){ 0 },
	     up ? "child-updown" : "it ended: charon's log says why");
}

static void on_event_packet(struct vpn *v, struct vici_reader *r)
{
	if (r->type == VICI_RESPONSE) {
		if (v->ending > 0 && --v->ending == 0 && v->wanted)
			start_attempt(v);
	} else if (r->type == VICI_EVENT && strcmp(r->name, "child-updown") == 0) {
		on_updown(v, r);
	} else if (r->type == VICI_EVENT && strcmp(r->name, "ike-update") == 0) {
		v->hooks.moved(v->hooks.ctx);
	}
}

static void on_events_lost(struct vpn *v)
{
	bool was_up = v->up;

	v->ending = 0;
	v->up = false;
	loop_timer_start(v->retry, RETRY_MS, 0);
	if (was_up)
		tell(v, (struct in_addr){ 0 }, "charon has gone");
}

static void on_retry(void *ctx)
{
	static const char *const names[] = { "child-updown", "ike-update" };
	struct vpn *v = ctx;
	struct vici_writer w;
	int err = channel_open(&v->events);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && err == 0; i++) {
		vici_begin(&w, VICI_EVENT_REGISTER, names[i]);
		err = channel_send(&v->events, &w);
	}
	if (err < 0) {
		channel_close(&v->events);
		loop_timer_start(v->retry, RETRY_MS, 0);
		return;
	}
	terminate(v);
}

/* ---- Opening and closing ---- */

int vpn_open(const struct vpn_conf *conf, const struct vpn_hooks *hooks, struct vpn **ret_vpn)
{
	struct vpn *v = calloc(1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	v->conf = *conf;
	v->hooks = *hooks;
	v->events.vpn = v->attempt.vpn = v;
	v->events.fd = v->attempt.fd = -1;
	v->events.packet = on_event_packet;
	v->events.lost = on_events_lost;
	v->attempt.packet = on_attempt_packet;
	v->attempt.lost = on_attempt_lost;
	v->retry = loop_timer_new(conf->loop, on_retry, v);
	if (!v->retry) {
		vpn_close(v);
		return -ENOMEM;
	}
	on_retry(v);
	*ret_vpn = v;
	return 0;
}

struct vpn *vpn_close(struct vpn *v)
{
	if (!v)
		return NULL;
	channel_close(&v->events);
	channel_close(&v->attempt);
	loop_timer_free(v->retry);
	free(v);
	return NULL;
}

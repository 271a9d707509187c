/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thin coat over libev, and its only user. What it adds: handles that are freed by one call,
 * milliseconds, and a clock that is read at most once per wake-up, so that everything done in one
 * turn of the loop happens at one time.
 *
 * libev allows a watcher to be stopped and freed in its own callback, or in that of another whose
 * event is pending; so does this.
 */
#include "common/loop.h"

#include <ev.h>
#include <stdlib.h>

struct loop {
	struct ev_loop *ev;
	ev_prepare before_wait;
	struct clock now;
	bool running;
	bool fresh; /* now was read in this wake-up */
};

struct loop_fd {
	ev_io io; /* first: libev hands back its address */
	struct loop *loop;
	loop_fd_fn *fn;
	void *ctx;
};

struct loop_timer {
	ev_timer timer; /* first */
	struct loop *loop;
	loop_fn *fn;
	void *ctx;
};

struct loop_signal {
	ev_signal signal; /* first */
	struct loop *loop;
	loop_fn *fn;
	void *ctx;
};

static void on_before_wait(struct ev_loop *ev, ev_prepare *w, int revents)
{
	struct loop *l = w->data;

	(void)ev;
	(void)revents;
	l->fresh = false;
}

struct loop *loop_new(void)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (!l->ev) {
		free(l);
		return NULL;
	}
	/* Being a watcher, it also keeps the loop alive when there is no other. */
	ev_prepare_init(&l->before_wait, on_before_wait);
	l->before_wait.data = l;
	ev_prepare_start(l->ev, &l->before_wait);
	return l;
}

struct loop *loop_free(struct loop *l)
{
	if (!l)
		return NULL;
	ev_prepare_stop(l->ev, &l->before_wait);
	ev_loop_destroy(l->ev);
	free(l);
	return NULL;
}

void loop_run(struct loop *l)
{
	l->running = true;
	ev_run(l->ev, 0);
	l->running = false;
}

void loop_stop(struct loop *l)
{
	ev_break(l->ev, EVBREAK_ALL);
}

const struct clock *loop_now(struct loop *l)
{
	/* Outside loop_run() there are no wake-ups: starting up may take a while. */
	if (!l->running || !l->fresh) {
		l->now = clock_read();
		l->fresh = true;
	}
	return &l->now;
}

static int events_to_ev(int events)
{
	return (events & LOOP_READ ? EV_READ : 0) | (events & LOOP_WRITE ? EV_WRITE : 0);
}

static void on_fd(struct ev_loop *ev, ev_io *io, int revents)
{
	struct loop_fd *w = (struct loop_fd *)io;

	(void)ev;
	/* EV_ERROR: libev could not watch it; the owner finds out why when it reads or writes. */
	if (revents & EV_ERROR)
		revents |= EV_READ | EV_WRITE;
	w->fn(w->ctx, (revents & EV_READ ? LOOP_READ : 0) | (revents & EV_WRITE ? LOOP_WRITE : 0));
}

struct loop_fd *loop_fd_new(struct loop *l, int fd, int events, loop_fd_fn *fn, void *ctx)
{
	struct loop_fd *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->loop = l;
	w->fn = fn;
	w->ctx = ctx;
	ev_io_init(&w->io, on_fd, fd, events_to_ev(events));
	if (events)
		ev_io_start(l->ev, &w->io);
	return w;
}

void loop_fd_set(struct loop_fd *w, int events)
{
	int fd = w->io.fd;

	ev_io_stop(w->loop->ev, &w->io);
	ev_io_set(&w->io, fd, events_to_ev(events));
	if (events)
		ev_io_start(w->loop->ev, &w->io);
}

struct loop_fd *loop_fd_free(struct loop_fd *w)
{
	if (w) {
		ev_io_stop(w->loop->ev, &w->io);
		free(w);
	}
	return NULL;
}

static void on_timer(struct ev_loop *ev, ev_timer *timer, int revents)
{
	struct loop_timer *t = (struct loop_timer *)timer;

	(void)ev;
	(void)revents;
	t->fn(t->ctx);
}

struct loop_timer *loop_timer_new(struct loop *l, loop_fn *fn, void *ctx)
{
	struct loop_timer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->loop = l;
	t->fn = fn;
	t->ctx = ctx;
	ev_timer_init(&t->timer, on_timer, 0., 0.);
	return t;
}

void loop_timer_start(struct loop_timer *t, uint64_t delay_ms, uint64_t repeat_ms)
{
	struct ev_loop *ev = t->loop->ev;

	ev_timer_stop(ev, &t->timer);
	/* libev counts from its last wake-up, which may be long ago if it does not run yet. */
	if (!t->loop->running)
		ev_now_update(ev);
	/* One more millisecond: our clock is cut to whole ones, and early is worse than late. */
	ev_timer_set(&t->timer, (double)(delay_ms + 1) / 1000., (double)repeat_ms / 1000.);
	ev_timer_start(ev, &t->timer);
}

void loop_timer_stop(struct loop_timer *t)
{
	ev_timer_stop(t->loop->ev, &t->timer);
}

struct loop_timer *loop_timer_free(struct loop_timer *t)
{
	if (t) {
		loop_timer_stop(t);
		free(t);
	}
	return NULL;
}

static void on_signal(struct ev_loop *ev, ev_signal *signal, int revents)
{
	struct loop_signal *s = (struct loop_signal *)signal;

	(void)ev;
	(void)revents;
	s->fn(s->ctx);
}

struct loop_signal *loop_signal_new(struct loop *l, int signum, loop_fn *fn, void *ctx)
{
	struct loop_signal *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->loop = l;
	s->fn = fn;
	s->ctx = ctx;
	ev_signal_init(&s->signal, on_signal, signum);
	ev_signal_start(l->ev, &s->signal);
	return s;
}

struct loop_signal *loop_signal_free(struct loop_signal *s)
{
	if (s) {
		ev_signal_stop(s->loop->ev, &s->signal);
		free(s);
	}
	return NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One thread, one eventfd: written to when the work is done, read in the loop. Joining the thread
 * is what makes its writes visible, and happens before done() is called.
 */
#include "common/task.h"

#include "common/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct task {
	loop_fn *work, *done;
	void *ctx;
	int fd;
	struct loop_fd *watch;
	pthread_t thread;
	bool is_running;
};

static void *run(void *arg)
{
	const struct task *t = arg;

	thread_give_way();
	t->work(t->ctx);
	while (eventfd_write(t->fd, 1) < 0 && errno == EINTR)
		;
	return NULL;
}

static void join(struct task *t)
{
	if (t->is_running)
		(void)pthread_join(t->thread, NULL);
	t->is_running = false;
	t->watch = loop_fd_free(t->watch);
}

static void on_done(void *ctx, int events)
{
	struct task *t = ctx;

	(void)events;
	join(t);
	t->done(t->ctx);
}

int task_start(struct loop *l, loop_fn *work, loop_fn *done, void *ctx, struct task **ret_task)
{
	struct task *t = calloc(1, sizeof(*t));
	int rc = -ENOMEM;

	if (!t)
		return rc;
	*t = (struct task){ .work = work, .done = done, .ctx = ctx };
	t->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->fd < 0) {
		rc = -errno;
		free(t);
		return rc;
	}
	t->watch = loop_fd_new(l, t->fd, LOOP_READ, on_done, t);
	if (t->watch)
		rc = thread_start(&t->thread, run, t);
	t->is_running = rc == 0;
	if (rc < 0) {
		task_free(t);
		return rc;
	}
	*ret_task = t;
	return 0;
}

struct task *task_free(struct task *t)
{
	if (!t)
		return NULL;
	join(t);
	(void)close(t->fd);
	free(t);
	return NULL;
}

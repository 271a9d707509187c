/* SPDX-License-Identifier: BSD-2-Clause */
/* The registration socket over the loopback: batches, the commit before the replies, overload. */
#include "ha-core/io/reg_socket.h"

#include "common/log.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define ADDRESS     0x7f05f0a1 /* 127.5.240.161: the host's own, and nobody else's */
#define PORT        434
#define QUIET       0x7f000002
#define LOUD        0x7f000003
#define FLOOD       (30 * REG_SOCKET_BATCH)
#define DEADLINE_MS 20000
#define UNLIMITED   16 /* batches that are not asked about */
#define ROOM        62 /* broadcast addresses that have a socket */

static struct loop *loop;
static struct reg_socket *sock;
static int client, loud;
static unsigned int handled, commits, asked, wanted, withheld;
static int commit_result;
static bool answers, sends_between;

static int client_new(uint32_t addr)
{
	const struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr = addr_from_host(addr) };
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_addr = addr_from_host(ADDRESS),
		.sin_port = htons(PORT),
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static unsigned int received(void)
{
	unsigned int cnt = 0;
	char buf[16];

	while (recv(client, buf, sizeof(buf), 0) > 0)
		cnt++;
	return cnt;
}

static void handle(void *ctx, const struct reg_datagram *dgram)
{
	(void)ctx;
	handled++;
	if (answers)
		reg_socket_reply(sock, &dgram->from, (const uint8_t *)"yes", 3);
	if (sends_between) {
		reg_socket_send(sock, dgram->from.src, dgram->from.src_port,
				(const uint8_t *)"more", 4);
		assert_int_equal(received(), 1); /* it has left alone: the answer waits */
	}
	if (handled == wanted)
		loop_stop(loop);
}

static int commit(void *ctx)
{
	(void)ctx;
	commits++;
	if (answers)
		assert_int_equal(received(), 0); /* nobody has heard yes yet */
	return commit_result;
}

static bool is_heard(void *ctx, const uint8_t *data, size_t len, struct in_addr src)
{
	(void)ctx;
	assert_true(data && len > 0);
	asked++;
	return !addr_eq(src, addr_from_host(LOUD));
}

static void send_failed(void *ctx, struct in_addr dst, const uint8_t *msg, int err)
{
	(void)ctx;
	(void)dst;
	(void)msg;
	fail_msg("a message could not be sent: %d", err);
}

static void note_withheld(void *ctx, const uint8_t *msg)
{
	(void)ctx;
	assert_memory_equal(msg, "yes", 3);
	withheld++;
}

static int open_all(void **state)
{
	struct reg_socket_conf conf = {
		.address = addr_from_host(ADDRESS),
		.port = PORT,
		.handle = handle,
		.commit = commit,
		.heard = is_heard,
		.address_floats = true,
		.send_failed = send_failed,
		.withheld = note_withheld,
	};

	(void)state;
	handled = commits = asked = withheld = 0;
	commit_result = 0;
	answers = true;
	sends_between = false;
	loop = loop_new();
	if (!loop)
		return -1;
	conf.loop = loop;
	if (reg_socket_open(&conf, &sock) < 0) {
		print_message("skipped: port 434 of a loopback address is not to be had\n");
		loop = loop_free(loop);
		return 0;
	}
	client = client_new(QUIET);
	loud = client_new(LOUD);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	if (!loop)
		return 0;
	close(client);
	close(loud);
	reg_socket_close(sock);
	loop = loop_free(loop);
	return 0;
}

static void send_many(int fd, unsigned int cnt)
{
	while (cnt-- > 0)
		assert_int_equal(send(fd, "request", 7, 0), 7);
}

static void stop(void *ctx)
{
	loop_stop(ctx);
}

static void run_until_handled(unsigned int cnt)
{
	struct loop_timer *deadline = loop_timer_new(loop, stop, loop);

	assert_non_null(deadline);
	loop_timer_start(deadline, DEADLINE_MS, 0);
	wanted = cnt;
	loop_run(loop); /* to the end of the batch, its answers included */
	loop_timer_free(deadline);
	assert_true(handled >= cnt);
}

static void a_batch_is_committed_once_and_before_its_answers(void **state)
{
	(void)state;
	if (!loop)
		skip();
	send_many(client, 10);
	run_until_handled(10);
	assert_int_equal(commits, 1);
	assert_int_equal(received(), 10);
}

static void what_was_not_committed_is_not_answered(void **state)
{
	(void)state;
	if (!loop)
		skip();
	commit_result = -1;
	send_many(client, 10);
	run_until_handled(10);
	assert_int_equal(received(), 0);
	commit_result = 0; /* and the next batch does not bring it after all */
	send_many(client, 1);
	run_until_handled(11);
	assert_int_equal(received(), 1);
}

static void a_message_of_its_own_does_not_let_answers_out(void **state)
{
	(void)state;
	if (!loop)
		skip();
	sends_between = true;
	send_many(client, 3);
	run_until_handled(3);
	assert_int_equal(received(), 3);
}

static void what_is_kept_leaves_when_it_is_released_the_oldest_first(void **state)
{
	(void)state;
	if (!loop)
		skip();
	commit_result = 1;
	send_many(client, 3);
	run_until_handled(3);
	send_many(client, 2);
	run_until_handled(5);
	assert_int_equal(received(), 0);
	reg_socket_release(sock, 1, true);
	assert_int_equal(received(), 3);
	reg_socket_release(sock, 5, true);
	assert_int_equal(received(), 2);
	commit_result = 0;
	send_many(client, 1);
	run_until_handled(6);
	assert_int_equal(received(), 1);
	assert_int_equal(withheld, 0);
}

static void what_is_kept_can_be_dropped(void **state)
{
	(void)state;
	if (!loop)
		skip();
	commit_result = 1;
	send_many(client, 3);
	run_until_handled(3);
	reg_socket_release(sock, 1, false);
	assert_int_equal(withheld, 3);
	reg_socket_release(sock, 1, true);
	assert_int_equal(received(), 0);
}

static void who_floods_is_dropped_under_overload_and_others_are_not(void **state)
{
	(void)state;
	if (!loop)
		skip();
	answers = false;
	send_many(loud, FLOOD / 2);
	send_many(client, 5);
	send_many(loud, FLOOD / 2);
	run_until_handled(UNLIMITED * REG_SOCKET_BATCH + 5);
	assert_int_equal(handled, UNLIMITED * REG_SOCKET_BATCH + 5);
	assert_in_range(asked, 1, FLOOD - UNLIMITED * REG_SOCKET_BATCH + 5);
}

static void a_burst_is_no_overload(void **state)
{
	(void)state;
	if (!loop)
		skip();
	answers = false;
	send_many(loud, UNLIMITED * REG_SOCKET_BATCH);
	run_until_handled(UNLIMITED * REG_SOCKET_BATCH);
	assert_int_equal(asked, 0);
}

/* Broadcast addresses in a row. @return how many of them the log says are not listened on */
static unsigned int refused_of(uint32_t first, size_t cnt)
{
	static char text[16384];
	struct in_addr addresses[ROOM + 3];
	int out = memfd_create("stderr", 0), saved = dup(STDERR_FILENO);
	unsigned int refused = 0;
	const char *at = text;
	ssize_t n;
	size_t i;

	assert_in_range(cnt, 0, ROOM + 3);
	for (i = 0; i < cnt; i++)
		addresses[i] = addr_from_host(first + (uint32_t)i);
	assert_true(out >= 0 && saved >= 0);
	assert_int_equal(dup2(out, STDERR_FILENO), STDERR_FILENO);
	unsetenv("JOURNAL_STREAM");
	log_open("ihad", LOG_LEVEL_INFO);
	reg_socket_set_broadcasts(sock, addresses, cnt);
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = pread(out, text, sizeof(text) - 1, 0);
	close(out);
	assert_in_range(n, 0, sizeof(text) - 2);
	text[n] = '\0';
	while ((at = strstr(at, "event=broadcast-refused"))) {
		refused++;
		at++;
	}
	return refused;
}

static void a_broadcast_address_that_finds_no_socket_is_told(void **state)
{
	(void)state;
	if (!loop)
		skip();
	assert_int_equal(refused_of(ADDRESS + 1, ROOM + 3), 3);
	assert_int_equal(refused_of(ADDRESS + 4, ROOM), 0); /* three are listened on no more */
}

/* Those of virtual home networks. */
static void broadcast_addresses_of_no_link_take_no_socket(void **state)
{
	(void)state;
	if (!loop)
		skip();
	assert_int_equal(refused_of(0xcb007100, ROOM + 1), 0); /* in 203.0.113.0/24 */
}

#define SOCKET_TEST(t) cmocka_unit_test_setup_teardown(t, open_all, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SOCKET_TEST(a_batch_is_committed_once_and_before_its_answers),
		SOCKET_TEST(what_was_not_committed_is_not_answered),
		SOCKET_TEST(a_message_of_its_own_does_not_let_answers_out),
		SOCKET_TEST(what_is_kept_leaves_when_it_is_released_the_oldest_first),
		SOCKET_TEST(what_is_kept_can_be_dropped),
		SOCKET_TEST(who_floods_is_dropped_under_overload_and_others_are_not),
		SOCKET_TEST(a_burst_is_no_overload),
		SOCKET_TEST(a_broadcast_address_that_finds_no_socket_is_told),
		SOCKET_TEST(broadcast_addresses_of_no_link_take_no_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection by TLS, over a pair of sockets that hold little, to a server by OpenSSL in the same
 * thread: what is said where, in which order, and what becomes of a direction that has to wait.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/err.h"
#include "ha-core/cluster/tls.h"
#include "test/unit/ha-core/cluster/pem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BULK      ((size_t)1 << 20)
#define TURNS_MAX 100000

static struct {
	int client_fd, server_fd;
	SSL_CTX *context;
	SSL *server;
	struct tls *tls;
	char why[TLS_WHY_SIZE];
} t;

static struct in_addr address_of(const char *text)
{
	return (struct in_addr){ .s_addr = inet_addr(text) };
}

static int open_client(const char *name, const char *address)
{
	const struct tls_conf conf = { .ca_file = "cert", .name = name };

	return tls_open(&conf, t.client_fd, address_of(address), &t.tls, t.why);
}

static void set_up_for(const char *names)
{
	const int little = 4096;
	int fds[2];

	memset(&t, 0, sizeof(t));
	pem_write("cert", "key", names);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	t.client_fd = fds[0];
	t.server_fd = fds[1];
	assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &little, sizeof(little)), 0);
	assert_int_equal(setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &little, sizeof(little)), 0);
	t.context = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate_file(t.context, "cert", SSL_FILETYPE_PEM), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(t.context, "key", SSL_FILETYPE_PEM), 1);
}

static int setup(void **state)
{
	(void)state;
	set_up_for("DNS:store.corp.example,IP:192.0.2.1");
	return 0;
}

static void start_server(int version)
{
	assert_int_equal(SSL_CTX_set_max_proto_version(t.context, version), 1);
	t.server = SSL_new(t.context);
	assert_int_equal(SSL_set_fd(t.server, t.server_fd), 1);
	SSL_set_accept_state(t.server);
	SSL_set_mode(t.server, SSL_MODE_ENABLE_PARTIAL_WRITE);
}

static int teardown(void **state)
{
	(void)state;
	t.tls = tls_close(t.tls);
	SSL_free(t.server);
	SSL_CTX_free(t.context);
	(void)close(t.client_fd);
	if (t.server_fd >= 0)
		(void)close(t.server_fd);
	assert_int_equal(ERR_peek_error(), 0);
	return 0;
}

/* What the server can do now. @return octets of the client's, 0: none */
static size_t serve(void *octets, size_t size)
{
	size_t len = 0;

	(void)SSL_read_ex(t.server, octets, size, &len);
	ERR_clear_error(); /* it is one thread for both */
	return len;
}

/* Until the client has an answer that is not "later". @return as tls_recv() */
static ssize_t recv_in_the_end(void *octets, size_t size)
{
	char drop[64];
	ssize_t len = -EAGAIN;

	for (int i = 0; i < TURNS_MAX && len == -EAGAIN; i++) {
		len = tls_recv(t.tls, octets, size);
		(void)serve(drop, sizeof(drop));
	}
	return len;
}

static void shake_hands(void)
{
	char drop[64];

	for (int i = 0; i < TURNS_MAX && !tls_is_up(t.tls); i++) {
		assert_int_equal(tls_recv(t.tls, drop, sizeof(drop)), -EAGAIN);
		assert_int_equal(serve(drop, sizeof(drop)), 0);
	}
	assert_true(tls_is_up(t.tls));
}

/* Much in both directions at once, in pieces that neither side's socket holds. */
static void exchange(const uint8_t *bulk, uint8_t *at_server, uint8_t *at_client, bool renews_key)
{
	size_t up = 0, up_seen = 0, down = 0, down_seen = 0, len;
	uint8_t *moved;
	ssize_t rc;

	for (int i = 0; i < TURNS_MAX && (up_seen < BULK || down_seen < BULK); i++) {
		rc = tls_recv(t.tls, at_client + down_seen, BULK - down_seen + 1);
		assert_true(rc > 0 || rc == -EAGAIN);
		down_seen += rc > 0 ? (size_t)rc : 0;
		if (up < BULK) {
			moved = malloc(BULK - up); /* as it is when more is put behind */
			assert_non_null(moved);
			memcpy(moved, bulk + up, BULK - up);
			rc = tls_send(t.tls, moved, BULK - up);
			free(moved);
			assert_true(rc > 0 || rc == -EAGAIN);
			up += rc > 0 ? (size_t)rc : 0;
		}
		if (renews_key && i % 32 == 31)
			(void)SSL_key_update(t.server, SSL_KEY_UPDATE_REQUESTED);
		up_seen += serve(at_server + up_seen, BULK - up_seen + 1);
		len = 0;
		if (down < BULK)
			(void)SSL_write_ex(t.server, bulk + down, BULK - down, &len);
		ERR_clear_error();
		down += len;
	}
	assert_int_equal(up_seen, BULK);
	assert_int_equal(down_seen, BULK);
	assert_memory_equal(at_server, bulk, BULK);
	assert_memory_equal(at_client, bulk, BULK);
}

static void much_goes_both_ways(int version, bool renews_key)
{
	uint8_t *bulk = malloc(BULK), *at_server = malloc(BULK + 1), *at_client = malloc(BULK + 1);

	assert_true(bulk && at_server && at_client);
	for (size_t i = 0; i < BULK; i++)
		bulk[i] = (uint8_t)(i * 2654435761u >> 13);
	start_server(version);
	assert_int_equal(open_client(NULL, "192.0.2.1"), 0);
	exchange(bulk, at_server, at_client, renews_key);
	free(bulk);
	free(at_server);
	free(at_client);
}

static void much_goes_both_ways_by_tls_1_3_while_keys_are_renewed(void **state)
{
	(void)state;
	much_goes_both_ways(TLS1_3_VERSION, true);
}

static void much_goes_both_ways_by_tls_1_2(void **state)
{
	(void)state;
	much_goes_both_ways(TLS1_2_VERSION, false);
}

static void an_older_tls_is_none(void **state)
{
	char drop[64];

	(void)state;
	(void)SSL_CTX_set_cipher_list(t.context, "ALL:@SECLEVEL=0");
	(void)SSL_CTX_set_min_proto_version(t.context, TLS1_VERSION);
	start_server(TLS1_1_VERSION);
	assert_int_equal(open_client(NULL, "192.0.2.1"), 0);
	assert_int_equal(recv_in_the_end(drop, sizeof(drop)), ERR_CRYPTO);
	assert_non_null(strstr(tls_why(t.tls), "protocol version"));
}

static void a_certificate_is_for_the_name_that_was_asked_for(void **state)
{
	static const struct {
		const char *name, *address;
		bool is_good;
	} cases[] = {
		{ NULL, "192.0.2.1", true },
		{ NULL, "192.0.2.2", false },
		{ "store.corp.example", "192.0.2.2", true },
		{ "STORE.corp.example", "192.0.2.2", true },
		{ "192.0.2.1", "192.0.2.2", true },
		{ "192.0.2.2", "192.0.2.1", false },
		{ "corp.example", "192.0.2.1", false },
		{ "other.store.corp.example", "192.0.2.1", false },
	};
	char drop[64];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(i == 0 ? 0 : setup(state), 0);
		start_server(TLS1_3_VERSION);
		assert_int_equal(open_client(cases[i].name, cases[i].address), 0);
		if (cases[i].is_good) {
			shake_hands();
		} else {
			assert_int_equal(recv_in_the_end(drop, sizeof(drop)), ERR_CRYPTO);
			assert_non_null(strstr(tls_why(t.tls), "is for another name than"));
			assert_false(tls_is_up(t.tls));
		}
		if (i + 1 < sizeof(cases) / sizeof(cases[0]))
			assert_int_equal(teardown(state), 0);
	}
}

static void the_subject_of_a_certificate_counts_for_nothing(void **state)
{
	char drop[64];

	assert_int_equal(teardown(state), 0);
	set_up_for("IP:192.0.2.1");
	start_server(TLS1_3_VERSION);
	assert_int_equal(open_client("test", "192.0.2.1"), 0);
	assert_int_equal(recv_in_the_end(drop, sizeof(drop)), ERR_CRYPTO);
	assert_string_equal(tls_why(t.tls),
			    "the server's certificate is for another name than test");
}

/* Nothing that is sent can be read before the server is known to be the right one. */
static void nothing_is_sent_to_a_server_that_is_not_verified(void **state)
{
	char got[64];
	ssize_t rc = -EAGAIN;

	(void)state;
	start_server(TLS1_3_VERSION);
	assert_int_equal(open_client(NULL, "192.0.2.2"), 0);
	for (int i = 0; i < TURNS_MAX && rc == -EAGAIN; i++) {
		rc = tls_send(t.tls, "AUTH secret", 11);
		assert_int_equal(serve(got, sizeof(got)), 0);
	}
	assert_int_equal(rc, ERR_CRYPTO);
	assert_int_equal(serve(got, sizeof(got)), 0);
}

/* Otherwise a loop that is woken for it would spin until the server has spoken. */
static void what_waits_to_be_sent_waits_for_the_server_while_hands_are_shaken(void **state)
{
	char drop[64];

	(void)state;
	start_server(TLS1_3_VERSION);
	assert_int_equal(open_client(NULL, "192.0.2.1"), 0);
	assert_int_equal(tls_send(t.tls, "a", 1), -EAGAIN);
	assert_true(tls_send_waits_to_read(t.tls));
	(void)serve(drop, sizeof(drop));
	shake_hands(); /* by tls_recv() */
	assert_false(tls_send_waits_to_read(t.tls));
	assert_int_equal(tls_send(t.tls, "a", 1), 1);
	assert_int_equal(serve(drop, sizeof(drop)), 1);
}

/* A record has 16 KiB, and the socket has nothing more when the first octets of it are read. */
static void what_is_read_already_is_told_of(void **state)
{
	char octets[64];

	(void)state;
	start_server(TLS1_3_VERSION);
	assert_int_equal(open_client(NULL, "192.0.2.1"), 0);
	shake_hands();
	assert_int_equal(SSL_write(t.server, "0123456789", 10), 10);
	assert_int_equal(tls_recv(t.tls, octets, 4), 4);
	assert_true(tls_has_more(t.tls));
	assert_int_equal(tls_recv(t.tls, octets, sizeof(octets)), 6);
	assert_false(tls_has_more(t.tls));
}

static void a_server_that_goes_has_closed_the_connection(void **state)
{
	char drop[64];

	(void)state;
	for (int i = 0; i < 2; i++) { /* by an alert, or without a word */
		assert_int_equal(i == 0 ? 0 : setup(state), 0);
		start_server(TLS1_3_VERSION);
		assert_int_equal(open_client(NULL, "192.0.2.1"), 0);
		shake_hands();
		if (i == 0)
			(void)SSL_shutdown(t.server);
		(void)close(t.server_fd);
		t.server_fd = -1;
		assert_int_equal(tls_send(t.tls, "a", 1),
				 -EAGAIN); /* no signal; why, is to be read */
		assert_int_equal(tls_recv(t.tls, drop, sizeof(drop)), 0);
		if (i == 0)
			assert_int_equal(teardown(state), 0);
	}
}

static void a_server_that_goes_while_hands_are_shaken_has_closed_the_connection(void **state)
{
	char drop[64];

	(void)state;
	assert_int_equal(open_client(NULL, "192.0.2.1"), 0);
	assert_int_equal(tls_send(t.tls, "a", 1), -EAGAIN);
	assert_int_equal(recv(t.server_fd, drop, sizeof(drop), 0), sizeof(drop));
	(void)shutdown(t.server_fd, SHUT_WR);
	assert_int_equal(tls_recv(t.tls, drop, sizeof(drop)), 0);
}

static void a_server_is_told_that_nothing_more_comes(void **state)
{
	char drop[64];

	(void)state;
	start_server(TLS1_3_VERSION);
	assert_int_equal(open_client(NULL, "192.0.2.1"), 0);
	shake_hands();
	tls_say_goodbye(t.tls);
	assert_int_equal(serve(drop, sizeof(drop)), 0);
	assert_true(SSL_get_shutdown(t.server) & SSL_RECEIVED_SHUTDOWN);
}

static void a_key_with_a_passphrase_asks_nobody(void **state)
{
	const struct tls_conf conf = { .ca_file = "cert",
				       .certificate = "cert",
				       .key_file = "locked" };
	EVP_PKEY *key = EVP_EC_gen("P-256");
	FILE *f = pem_file("locked", 0600);

	(void)state;
	assert_int_equal(PEM_write_PrivateKey(f, key, EVP_aes_128_cbc(),
					      (const unsigned char *)"pass", 4, NULL, NULL),
			 1);
	assert_int_equal(fclose(f), 0);
	EVP_PKEY_free(key);
	assert_int_equal(tls_check(&conf, t.why), ERR_CRYPTO);
	assert_memory_equal(t.why, "locked: ", 8);
}

static char workdir[] = "/tmp/home-agent-test.XXXXXX";

static int enter(void **state)
{
	(void)state;
	return mkdtemp(workdir) && chdir(workdir) == 0 ? 0 : -1;
}

static int leave(void **state)
{
	(void)state;
	(void)unlink("cert");
	(void)unlink("key");
	(void)unlink("locked");
	return chdir("/") == 0 && rmdir(workdir) == 0 ? 0 : -1;
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(much_goes_both_ways_by_tls_1_3_while_keys_are_renewed),
		TEST(much_goes_both_ways_by_tls_1_2),
		TEST(an_older_tls_is_none),
		TEST(a_certificate_is_for_the_name_that_was_asked_for),
		TEST(the_subject_of_a_certificate_counts_for_nothing),
		TEST(nothing_is_sent_to_a_server_that_is_not_verified),
		TEST(what_waits_to_be_sent_waits_for_the_server_while_hands_are_shaken),
		TEST(what_is_read_already_is_told_of),
		TEST(a_server_that_goes_has_closed_the_connection),
		TEST(a_server_that_goes_while_hands_are_shaken_has_closed_the_connection),
		TEST(a_server_is_told_that_nothing_more_comes),
		TEST(a_key_with_a_passphrase_asks_nobody),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}

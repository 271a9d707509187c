/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS 1.2 (RFC 5246) or 1.3 (RFC 8446) to the server of the shared state, by OpenSSL. redis.c opens
 * one of these on each of its sockets once that is connected, and sends and receives through it.
 *
 * The server is verified always, and by its subjectAltName alone (RFC 9525 §6): by the address that
 * we have connected to, or by the name that the configuration gives. There is no other way in: what
 * cannot be verified ends the connection before a command leaves. No renegotiation, no compression,
 * no session that is resumed.
 *
 * A context is made for each connection and belongs to it: the files are read anew each time.
 * Octets go to the socket by a BIO of our own, for OpenSSL's own writes by write(2), where a server
 * that is gone is a SIGPIPE. OpenSSL's queue of errors is the thread's: it is emptied before each
 * call, for SSL_get_error() looks at it, and after, for nobody else does.
 *
 * Either direction may need the other one: a handshake that tls_send() makes waits for what comes,
 * and tls_recv() may have a key update (RFC 8446 §4.6.3) to answer. The caller tries to receive
 * first and to send then, whatever the socket is ready for, and asks here what to wait for.
 */
#include "ha-core/cluster/tls.h"

#include "common/err.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct tls {
	SSL *ssl;
	BIO_METHOD *method;
	int fd;
	int err; /* of the socket's last call; 0: it worked */
	bool has_failed, recv_waits_to_write, send_waits_to_read;
	char name[256]; /* for sentences */
	char why[TLS_WHY_SIZE];
};

/* --- the files --- */

/* The first error is the cause; those behind it tell who passed it on. */
static int refuse(char *out_why, const char *what)
{
	const unsigned long e = ERR_peek_error();
	const char *reason =
		ERR_SYSTEM_ERROR(e) ? strerror(ERR_GET_REASON(e)) : ERR_reason_error_string(e);

	(void)snprintf(out_why, TLS_WHY_SIZE, "%s: %s", what, reason ? reason : "of no use");
	ERR_clear_error();
	return ERR_CRYPTO;
}

/* A key that asks for a passphrase asks in vain, and not a terminal. */
static int no_passphrase(char *out, int size, int is_written, void *ctx)
{
	(void)out;
	(void)size;
	(void)is_written;
	(void)ctx;
	return -1;
}

static int read_files(SSL_CTX *context, const struct tls_conf *conf, char *out_why)
{
	if (SSL_CTX_load_verify_file(context, conf->ca_file) != 1)
		return refuse(out_why, conf->ca_file);
	if (!conf->certificate)
		return 0;
	if (SSL_CTX_use_certificate_chain_file(context, conf->certificate) != 1)
		return refuse(out_why, conf->certificate);
	if (SSL_CTX_use_PrivateKey_file(context, conf->key_file, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(context) != 1)
		return refuse(out_why, conf->key_file);
	return 0;
}

static int make_context(const struct tls_conf *conf, SSL_CTX **ret_context, char *out_why)
{
	SSL_CTX *context;
	int rc;

	ERR_clear_error();
	context = SSL_CTX_new(TLS_client_method());
	if (!context)
		return refuse(out_why, "TLS");
	(void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
						   SSL_OP_NO_TICKET);
	(void)SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
						SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
						SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_default_passwd_cb(context, no_passphrase);
	rc = SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1
		     ? read_files(context, conf, out_why)
		     : refuse(out_why, "TLS 1.2");
	if (rc < 0) {
		SSL_CTX_free(context);
		return rc;
	}
	*ret_context = context;
	return 0;
}

int tls_check(const struct tls_conf *conf, char *out_why)
{
	SSL_CTX *context = NULL;
	int rc = make_context(conf, &context, out_why);

	if (rc == 0)
		SSL_CTX_free(context);
	return rc;
}

/* --- the socket --- */

static int done(BIO *bio, ssize_t len, bool may_retry, void (*set_retry)(BIO *bio))
{
	struct tls *tls = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	tls->err = len < 0 ? errno : 0;
	if (len < 0 && (may_retry || errno == EAGAIN || errno == EINTR))
		set_retry(bio);
	return (int)len;
}

static void set_retry_read(BIO *bio)
{
	BIO_set_retry_read(bio);
}

static void set_retry_write(BIO *bio)
{
	BIO_set_retry_write(bio);
}

static int bio_read(BIO *bio, char *octets, int size)
{
	struct tls *tls = BIO_get_data(bio);

	return done(bio, recv(tls->fd, octets, (size_t)size, 0), false, set_retry_read);
}

/*
 * A server that refuses us says so and resets the connection: what it said is read first, and tells
 * more than the reset, which the read comes upon next. So once hands are shaken, and only then, as
 * tls_recv() would otherwise have to write first.
 */
static int bio_write(BIO *bio, const char *octets, int len)
{
	const struct tls *tls = BIO_get_data(bio);
	ssize_t sent = send(tls->fd, octets, (size_t)len, MSG_NOSIGNAL);
	bool is_reset = sent < 0 && (errno == EPIPE || errno == ECONNRESET);

	return done(bio, sent, is_reset && SSL_is_init_finished(tls->ssl), set_retry_write);
}

static long bio_ctrl(BIO *bio, int command, long number, void *data)
{
	(void)bio;
	(void)number;
	(void)data;
	return command == BIO_CTRL_FLUSH;
}

static bool open_bio(struct tls *tls)
{
	BIO *bio;

	tls->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "socket");
	if (!tls->method || BIO_meth_set_read(tls->method, bio_read) != 1 ||
	    BIO_meth_set_write(tls->method, bio_write) != 1 ||
	    BIO_meth_set_ctrl(tls->method, bio_ctrl) != 1)
		return false;
	bio = BIO_new(tls->method);
	if (!bio)
		return false;
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	SSL_set_bio(tls->ssl, bio, bio);
	return true;
}

/* --- whom we talk to --- */

/* RFC 9525 §6.3: what a certificate's subject says counts for nothing, nor half a label. */
static bool expect(struct tls *tls, const char *name, struct in_addr server)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);
	const struct addr_text text = addr_text(server);
	struct in_addr address = server;

	(void)snprintf(tls->name, sizeof(tls->name), "%s", name ? name : text.s);
	if (!name || addr_parse(name, &address) == 0)
		return X509_VERIFY_PARAM_set1_ip(param, (const unsigned char *)&address,
						 sizeof(address)) == 1;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
						       X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(tls->ssl, name) == 1 && SSL_set_tlsext_host_name(tls->ssl, name) == 1;
}

int tls_open(const struct tls_conf *conf, int fd, struct in_addr server, struct tls **ret_tls,
	     char *out_why)
{
	struct tls *tls = calloc(1, sizeof(*tls));
	SSL_CTX *context = NULL;
	int rc;

	if (!tls) {
		(void)snprintf(out_why, TLS_WHY_SIZE, "%s", err_text(-ENOMEM));
		return ERR_CRYPTO;
	}
	tls->fd = fd;
	rc = make_context(conf, &context, out_why);
	if (rc < 0) {
		free(tls);
		return rc;
	}
	tls->ssl = SSL_new(context);
	SSL_CTX_free(context); /* the connection has it */
	if (!tls->ssl || !open_bio(tls) || !expect(tls, conf->name, server)) {
		rc = refuse(out_why, "TLS");
		(void)tls_close(tls);
		return rc;
	}
	SSL_set_connect_state(tls->ssl);
	*ret_tls = tls;
	return 0;
}

void tls_say_goodbye(struct tls *tls)
{
	if (!tls || tls->has_failed || !SSL_is_init_finished(tls->ssl))
		return;
	(void)SSL_shutdown(tls->ssl);
	ERR_clear_error();
}

struct tls *tls_close(struct tls *tls)
{
	if (!tls)
		return NULL;
	SSL_free(tls->ssl);
	BIO_meth_free(tls->method);
	free(tls);
	return NULL;
}

/* --- octets --- */

static void explain_certificate(struct tls *tls)
{
	const long result = SSL_get_verify_result(tls->ssl);

	if (result == X509_V_ERR_HOSTNAME_MISMATCH || result == X509_V_ERR_IP_ADDRESS_MISMATCH)
		(void)snprintf(tls->why, sizeof(tls->why),
			       "the server's certificate is for another name than %.128s",
			       tls->name);
	else
		(void)snprintf(tls->why, sizeof(tls->why), "certificate verify failed: %s",
			       X509_verify_cert_error_string(result));
}

static int explain(struct tls *tls)
{
	const int reason = ERR_GET_REASON(ERR_peek_error());

	if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		ERR_clear_error();
		return 0; /* what it cuts short is no answer, and so not believed */
	}
	if (SSL_get_verify_result(tls->ssl) != X509_V_OK)
		explain_certificate(tls);
	else if (reason == SSL_R_WRONG_VERSION_NUMBER)
		(void)snprintf(tls->why, sizeof(tls->why), "the server does not speak TLS");
	else
		return refuse(tls->why, "TLS");
	ERR_clear_error();
	return ERR_CRYPTO;
}

/* @return 0: closed; -EAGAIN, ERR_CRYPTO, -errno */
static int failure(struct tls *tls, int rc)
{
	const int error = SSL_get_error(tls->ssl, rc);

	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	tls->has_failed = true;
	if (error == SSL_ERROR_ZERO_RETURN)
		return 0;
	if (error == SSL_ERROR_SYSCALL) {
		ERR_clear_error();
		return -tls->err;
	}
	return explain(tls);
}

ssize_t tls_recv(struct tls *tls, void *octets, size_t size)
{
	size_t len = 0;
	int rc;

	ERR_clear_error();
	rc = SSL_read_ex(tls->ssl, octets, size, &len);
	tls->recv_waits_to_write = rc != 1 && SSL_want_write(tls->ssl);
	tls->send_waits_to_read = false; /* it may have got what that has waited for */
	return rc == 1 ? (ssize_t)len : failure(tls, rc);
}

ssize_t tls_send(struct tls *tls, const void *octets, size_t len)
{
	size_t sent = 0;
	int rc;

	ERR_clear_error();
	rc = SSL_write_ex(tls->ssl, octets, len, &sent);
	tls->send_waits_to_read = rc != 1 && SSL_want_read(tls->ssl);
	if (rc == 1)
		return (ssize_t)sent;
	rc = failure(tls, rc);
	return rc == 0 ? -EPIPE : rc; /* closed while hands were shaken */
}

bool tls_has_more(const struct tls *tls)
{
	return SSL_pending(tls->ssl) > 0;
}

bool tls_recv_waits_to_write(const struct tls *tls)
{
	return tls->recv_waits_to_write;
}

bool tls_send_waits_to_read(const struct tls *tls)
{
	return tls->send_waits_to_read;
}

bool tls_is_up(const struct tls *tls)
{
	return SSL_is_init_finished(tls->ssl);
}

const char *tls_why(const struct tls *tls)
{
	return tls->why;
}

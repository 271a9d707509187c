/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The client's end of TLS over a connected socket that does not block. tls.c is the one door to
 * libssl. Nothing is ever sent or believed before the server's certificate is verified: from an
 * authority of conf.ca_file, valid today, and for the name or address that was asked for.
 */
#ifndef HA_CORE_CLUSTER_TLS_H
#define HA_CORE_CLUSTER_TLS_H

#include "common/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define TLS_WHY_SIZE 256

/** Paths of PEM files; read by each tls_open(), so that a renewed one is used from then on. */
struct tls_conf {
	const char *ca_file;     /* NULL: no TLS */
	const char *certificate; /* ours, its chain behind it; NULL: none */
	const char *key_file;    /* of the certificate */
	const char *name;        /* in the server's certificate; NULL: the address that it has */
};

struct tls;

/**
 * Are the files what they should be?
 * @param out_why      a sentence, if not; of TLS_WHY_SIZE octets
 * @retval ERR_CRYPTO
 */
int tls_check(const struct tls_conf *conf, char *out_why);

/**
 * Begins: tls_send() and tls_recv() shake hands first.
 * @param fd       stays the caller's, and open as long as the connection is used
 * @param out_why  as of tls_check()
 * @retval ERR_CRYPTO
 */
int tls_open(const struct tls_conf *conf, int fd, struct in_addr server, struct tls **ret_tls,
	     char *out_why);

/** Tells the server that nothing more comes, if it will hear it. Takes NULL. */
void tls_say_goodbye(struct tls *tls);
/** Takes NULL, returns NULL. */
struct tls *tls_close(struct tls *tls);

/**
 * As recv(2) and send(2), the error as -errno. After ERR_CRYPTO, whose sentence tls_why() has, and
 * after all but -EAGAIN the connection is of no use any more.
 * @retval 0        of tls_recv(): the server has closed the connection
 * @retval -EAGAIN  try again when the socket is ready: see tls_send_waits_to_read()
 */
ssize_t tls_recv(struct tls *tls, void *octets, size_t size);
/** What is tried again may have moved, and have grown. */
ssize_t tls_send(struct tls *tls, const void *octets, size_t len);

/** Octets that no readiness of the socket will announce: they are read already. */
bool tls_has_more(const struct tls *tls);
/** The last tls_recv() waits for the socket to take something. */
bool tls_recv_waits_to_write(const struct tls *tls);
/** The last tls_send() waits for the socket to have something. */
bool tls_send_waits_to_read(const struct tls *tls);
/** The certificate is verified, and commands are under way. */
bool tls_is_up(const struct tls *tls);

/** Lives as long as the connection. */
const char *tls_why(const struct tls *tls);

#endif

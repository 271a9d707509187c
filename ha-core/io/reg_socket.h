/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * UDP port 434 in batches: what came in one wake-up is handed over together, and the answers to
 * it leave together (recvmmsg, sendmmsg). Sockets are bound to the home agent's own address, so
 * that answers leave from it and another home agent may have another address of this host, and
 * to the broadcast addresses that home agent discovery uses (RFC 5944 §3.8.2.1).
 */
#ifndef HA_CORE_IO_REG_SOCKET_H
#define HA_CORE_IO_REG_SOCKET_H

#include "common/loop.h"
#include "ha-core/engine/ha_policy.h"

#define REG_SOCKET_BATCH   64
#define REG_SOCKET_MSG_MAX 65536

struct reg_socket;

/** A datagram; `data` has ENCAP_HEADROOM octets before it and is the handler's to change. */
struct reg_datagram {
	uint8_t *data;
	size_t len;
	uint8_t tos;
	struct reg_origin from;
};

/**
 * Handles one datagram of a batch. It may queue one answer with reg_socket_reply(); the answers
 * of a batch leave together, after its last datagram was handled and the batch was committed.
 */
typedef void reg_socket_fn(void *ctx, const struct reg_datagram *dgram);

struct reg_socket_conf {
	struct loop *loop;
	struct in_addr address;
	uint16_t port;
	const struct in_addr *broadcasts; /* subnet broadcasts to listen on, where they are ours */
	size_t broadcast_cnt;
	/**
	 * Told of each datagram of a batch before any is handled, fetch_steps times, one step for
	 * all before the next: to have their memory closer by then. NULL: there is nothing to do.
	 */
	void (*fetch)(void *ctx, const uint8_t *data, size_t len, unsigned int step);
	unsigned int fetch_steps;
	reg_socket_fn *handle;
	/**
	 * Makes lasting what the datagrams handled so far have changed: called before the answers
	 * to them leave. Negative: those answers are not sent. 1: they are kept until
	 * reg_socket_release(). NULL: there is nothing to do.
	 */
	int (*commit)(void *ctx);
	/**
	 * May this datagram of a source be heard while more comes than can be handled? False: it is
	 * dropped unread. NULL: every one may.
	 */
	bool (*heard)(void *ctx, const uint8_t *data, size_t len, struct in_addr src);
	/** A message could not be sent. */
	void (*send_failed)(void *ctx, struct in_addr dst, const uint8_t *msg, int err);
	/** One that was kept is not sent: see reg_socket_release(). */
	void (*withheld)(void *ctx, const uint8_t *msg);
	void *ctx;
	bool address_floats; /* it need not be an address of this host yet */
};

/**
 * @retval -EADDRINUSE     another home agent has the address
 * @retval -EADDRNOTAVAIL  the address is not one of this host
 * @retval -errno
 */
int reg_socket_open(const struct reg_socket_conf *conf, struct reg_socket **ret_socket);
struct reg_socket *reg_socket_close(struct reg_socket *s);

/**
 * Listens on these subnet broadcasts from now on, where they are ours, and on no others; one that
 * it cannot listen on is logged. Not from within a handler.
 */
void reg_socket_set_broadcasts(struct reg_socket *s, const struct in_addr *broadcasts, size_t cnt);

/** Queues a reply to where a request came from. The octets are copied. */
void reg_socket_reply(struct reg_socket *s, const struct reg_origin *to, const uint8_t *reply,
		      size_t len);

/** Of the batches of answers that commit() kept, the oldest `cnt` leave; or conf.withheld(). */
void reg_socket_release(struct reg_socket *s, size_t cnt, bool send);

/**
 * Sends a message that answers none, at once; at any time, a batch being handled or not. Answers
 * queued meanwhile stay where they are: they wait for the commit.
 */
void reg_socket_send(struct reg_socket *s, struct in_addr dst, uint16_t port, const uint8_t *msg,
		     size_t len);

#endif

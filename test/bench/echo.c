/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bare UDP echo: what the kernel and the batch calls cost without a home agent behind them. The
 * same recvmmsg and sendmmsg in the same batches, with the same options, as io/reg_socket.c. It
 * also takes the same way round: it waits in epoll, reads one batch, and waits again.
 */
#include "common/addr.h"
#include "ha-core/io/reg_socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE_MAX 1500
#define CONTROL_MAX (CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(int)))

static struct mmsghdr msgs[REG_SOCKET_BATCH];
static struct iovec iov[REG_SOCKET_BATCH];
static struct sockaddr_in peers[REG_SOCKET_BATCH];
static uint8_t data[REG_SOCKET_BATCH][MESSAGE_MAX];
static uint8_t control[REG_SOCKET_BATCH][CONTROL_MAX];

static int open_socket(const char *address, uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
	const int on = 1, size = 16 << 20;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || addr_parse(address, &sa.sin_addr) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return fd;
}

static void echo_batch(int fd)
{
	int i, n, done = 0;

	for (i = 0; i < REG_SOCKET_BATCH; i++) {
		iov[i] = (struct iovec){ data[i], MESSAGE_MAX };
		msgs[i].msg_hdr = (struct msghdr){
			.msg_name = &peers[i],
			.msg_namelen = sizeof(peers[i]),
			.msg_iov = &iov[i],
			.msg_iovlen = 1,
			.msg_control = control[i],
			.msg_controllen = CONTROL_MAX,
		};
	}
	n = recvmmsg(fd, msgs, REG_SOCKET_BATCH, MSG_DONTWAIT, NULL);
	for (i = 0; i < n; i++) {
		iov[i].iov_len = msgs[i].msg_len;
		msgs[i].msg_hdr.msg_control = NULL;
		msgs[i].msg_hdr.msg_controllen = 0;
	}
	while (done < n) {
		i = sendmmsg(fd, msgs + done, (unsigned int)(n - done), MSG_DONTWAIT);
		if (i < 0 && errno == EINTR)
			continue;
		done += i > 0 ? i : 1;
	}
}

int main(int argc, char **argv)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd, ep;

	if (argc != 3) {
		fputs("Usage: echo ADDRESS PORT\n", stderr);
		return 2;
	}
	fd = open_socket(argv[1], (uint16_t)atoi(argv[2]));
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (fd < 0 || ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event) < 0) {
		perror("echo");
		return 3;
	}
	for (;;)
		if (epoll_wait(ep, &event, 1, -1) > 0)
			echo_batch(fd);
}

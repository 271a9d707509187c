/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The broadcasts of a home link. The kernel routes none of them, so they are taken off the link by
 * a packet socket, with a filter in the kernel: a busy link wakes us for broadcasts alone.
 */
#include "ha-core/tunnel/tun/tun_link.h"

#include "ha-core/tunnel/broadcast.h"
#include "ha-core/tunnel/encap.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OFFSET_DST 16

static int set_filter(int fd, struct addr_prefix prefix, bool limited)
{
	const uint32_t subnet = addr_host(addr_prefix_broadcast(prefix));
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, OFFSET_DST),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, subnet, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, limited ? INADDR_BROADCAST : subnet, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = {
		.len = sizeof(code) / sizeof(code[0]),
		.filter = code,
	};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno
											   : 0;
}

int tun_link_open(const char *interface, struct addr_prefix prefix, bool limited, int *ret_fd)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = (int)if_nametoindex(interface),
	};
	int fd, err = 0, yes = 1;

	if (addr.sll_ifindex == 0)
		return -errno;
	/* Protocol 0: nothing comes before the filter and the link are set. */
	fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = set_filter(fd, prefix, limited);
	if (err == 0 && setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &yes, sizeof(yes)) < 0)
		err = -errno;
	if (err == 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		err = -errno;
	if (err < 0) {
		(void)close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

static bool lacks_checksum(struct msghdr *msg)
{
	struct tpacket_auxdata aux;
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		return aux.tp_status & TP_STATUS_CSUMNOTREADY;
	}
	return false;
}

int tun_link_read(int fd, uint8_t *packet, size_t size)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec iov = { .iov_base = packet, .iov_len = size };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t len = recvmsg(fd, &msg, 0);
	int total;

	if (len < 0)
		return -errno;
	total = encap_check_ipv4(packet, (size_t)len);
	if (total < 0)
		return total;
	if (lacks_checksum(&msg))
		broadcast_finish_udp(packet, (size_t)total);
	return total;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A gratuitous ARP request, broadcast: sender and target are the home address, the hardware address
 * is ours, so that every neighbour forgets the home agent's (RFC 5944 §4.6). node.c calls it on
 * the home link, before the deregistration.
 */
#include "test/mn/arp.h"

#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <netpacket/packet.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int hardware_address(int fd, unsigned int ifindex, uint8_t out[ETH_ALEN])
{
	struct ifreq req = { 0 };

	if (!if_indextoname(ifindex, req.ifr_name) || ioctl(fd, SIOCGIFHWADDR, &req) < 0)
		return -errno;
	if (req.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return -EPFNOSUPPORT;
	memcpy(out, req.ifr_hwaddr.sa_data, ETH_ALEN);
	return 0;
}

int arp_announce(unsigned int ifindex, struct in_addr addr)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ARP),
		.sll_ifindex = (int)ifindex,
		.sll_halen = ETH_ALEN,
	};
	struct ether_arp arp = {
		.ea_hdr = {
			.ar_hrd = htons(ARPHRD_ETHER),
			.ar_pro = htons(ETH_P_IP),
			.ar_hln = ETH_ALEN,
			.ar_pln = sizeof(addr),
			.ar_op = htons(ARPOP_REQUEST),
		},
	};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	memset(to.sll_addr, 0xff, ETH_ALEN);
	memcpy(arp.arp_spa, &addr, sizeof(addr));
	memcpy(arp.arp_tpa, &addr, sizeof(addr));
	err = hardware_address(fd, ifindex, arp.arp_sha);
	if (err == 0 && sendto(fd, &arp, sizeof(arp), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		err = -errno;
	close(fd);
	return err;
}

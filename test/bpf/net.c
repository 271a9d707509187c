/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network for program tests, over rtnetlink: one request at a time, on a socket of its own. It is
 * set up once, and goes with the process.
 */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_SIZE 4096

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

int net_enter(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	return write_file("/proc/sys/net/ipv4/ip_forward", "1");
}

static struct nlmsghdr *request(char *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	nlh->nlmsg_seq = 1;
	return nlh;
}

static void talk(struct nlmsghdr *nlh, const char *what)
{
	struct mnl_socket *nl = mnl_socket_open(NETLINK_ROUTE);
	char buf[BUFFER_SIZE];
	ssize_t len;

	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		fail(what);
	len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (len < 0 || mnl_cb_run(buf, (size_t)len, 1, mnl_socket_get_portid(nl), NULL, NULL) < 0)
		fail(what);
	mnl_socket_close(nl);
}

static void put_end(struct nlmsghdr *nlh, const char *name, uint8_t last, uint32_t mtu)
{
	const uint8_t mac[6] = { 2, 0, 0, 0, 0, last };

	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(mac), mac);
	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
}

static void set_up(const char *name)
{
	char buf[BUFFER_SIZE];
	struct nlmsghdr *nlh = request(buf, RTM_NEWLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	ifi->ifi_index = (int)if_nametoindex(name);
	ifi->ifi_flags = ifi->ifi_change = IFF_UP;
	talk(nlh, name);
}

unsigned int net_pair(const char *name, uint8_t mac, uint32_t mtu)
{
	char buf[BUFFER_SIZE], peer[IF_NAMESIZE];
	struct nlmsghdr *nlh = request(buf, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	struct nlattr *info, *data, *other;

	(void)mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	(void)snprintf(peer, sizeof(peer), "%sp", name);
	put_end(nlh, name, mac, mtu);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	other = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
	(void)mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	put_end(nlh, peer, (uint8_t)(mac + 1), mtu);
	mnl_attr_nest_end(nlh, other);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	talk(nlh, name);
	set_up(name);
	set_up(peer);
	return if_nametoindex(name);
}

void net_address(unsigned int ifindex, struct in_addr addr, uint8_t prefix_len)
{
	char buf[BUFFER_SIZE];
	struct nlmsghdr *nlh = request(buf, RTM_NEWADDR, NLM_F_CREATE);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));

	ifa->ifa_family = AF_INET;
	ifa->ifa_prefixlen = prefix_len;
	ifa->ifa_index = ifindex;
	mnl_attr_put_u32(nlh, IFA_LOCAL, addr.s_addr);
	talk(nlh, "address");
}

void net_route(struct in_addr dst, uint8_t prefix_len, struct in_addr gateway, unsigned int ifindex)
{
	char buf[BUFFER_SIZE];
	struct nlmsghdr *nlh = request(buf, RTM_NEWROUTE, NLM_F_CREATE);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

	rtm->rtm_family = AF_INET;
	rtm->rtm_dst_len = prefix_len;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = RTPROT_STATIC;
	rtm->rtm_type = RTN_UNICAST;
	rtm->rtm_scope = gateway.s_addr ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	mnl_attr_put_u32(nlh, RTA_DST, dst.s_addr);
	if (gateway.s_addr)
		mnl_attr_put_u32(nlh, RTA_GATEWAY, gateway.s_addr);
	mnl_attr_put_u32(nlh, RTA_OIF, ifindex);
	talk(nlh, "route");
}

void net_neighbour(unsigned int ifindex, struct in_addr addr, const uint8_t mac[6])
{
	char buf[BUFFER_SIZE];
	struct nlmsghdr *nlh = request(buf, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(nlh, sizeof(*nd));

	nd->ndm_family = AF_INET;
	nd->ndm_ifindex = (int)ifindex;
	nd->ndm_state = NUD_PERMANENT;
	mnl_attr_put_u32(nlh, NDA_DST, addr.s_addr);
	mnl_attr_put(nlh, NDA_LLADDR, 6, mac);
	talk(nlh, "neighbour");
}

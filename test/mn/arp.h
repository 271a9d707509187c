/* SPDX-License-Identifier: BSD-2-Clause */
/** Gratuitous ARP of a mobile node that has come home (RFC 5944 §4.6). */
#ifndef TEST_MN_ARP_H
#define TEST_MN_ARP_H

#include <netinet/in.h>

/** Tells an Ethernet link that addr is at this interface's hardware address. @retval -errno */
int arp_announce(unsigned int ifindex, struct in_addr addr);

#endif

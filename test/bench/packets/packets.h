/* SPDX-License-Identifier: BSD-2-Clause */
/** What the bench's programs in the kernel are told. Both sides include it. */
#ifndef TEST_BENCH_PACKETS_PACKETS_H
#define TEST_BENCH_PACKETS_PACKETS_H

#include <linux/types.h>

#define PACKETS_HEADERS   92 /* written anew each time: frames are recycled as they come back */
#define PACKETS_FRAME_MIN 60

/**
 * What is sent: `headers`, with the addresses of node 0. To node i, or from it, i is added to some
 * of them and taken into account in the checksums (given here as sums, not yet complemented).
 */
struct packets_plan {
	__u8 headers[PACKETS_HEADERS];
	__u32 node_cnt;    /* each packet is a random one's */
	__u32 ifindex;     /* where it goes */
	__u32 node_at;     /* offset of the home address */
	__u32 care_of_at;  /* and of the care-of address; 0: none */
	__be32 node_first; /* the addresses of node 0 */
	__be32 care_of_first;
	__u32 ip_check_at;     /* checksum of the header that holds the home address */
	__u32 outer_check_at;  /* and of the one with the care-of address */
	__u32 udp_check_at;    /* inner UDP's; 0: it is no UDP */
	__u32 tunnel_check_at; /* of a tunnel in UDP; 0: none */
	__u32 ip_sum, outer_sum, udp_sum, tunnel_sum; /* without the two addresses */
};

#endif

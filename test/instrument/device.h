/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * A TUN device: what the kernel routes into it is read from a descriptor, and the other way round.
 */
#ifndef TEST_INSTRUMENT_DEVICE_H
#define TEST_INSTRUMENT_DEVICE_H

/**
 * Makes a TUN device without a packet information header; it goes when the descriptor is closed.
 * @return a non-blocking descriptor, one IPv4 packet a read or write, or -errno
 */
int device_open(const char *name);

#endif

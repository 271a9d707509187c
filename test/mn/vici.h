/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The messages of vici, strongSwan's control protocol, as its own README has them: a type, perhaps
 * a name, then sections, lists and values. Octets in, octets out: no socket.
 */
#ifndef TEST_MN_VICI_H
#define TEST_MN_VICI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VICI_LENGTH_LEN 4 /* of the length, network order, before each packet */
#define VICI_NAME_MAX   255
#define VICI_DEPTH_MAX  8

enum vici_packet {
	VICI_REQUEST,
	VICI_RESPONSE,
	VICI_REQUEST_UNKNOWN,
	VICI_EVENT_REGISTER,
	VICI_EVENT_UNREGISTER,
	VICI_EVENT_CONFIRM,
	VICI_EVENT_UNKNOWN,
	VICI_EVENT,
};

/** A packet being written: the length first, filled in at the end. */
struct vici_writer {
	uint8_t octets[512];
	size_t len;
	bool failed; /* sticky: it did not fit */
};

void vici_begin(struct vici_writer *w, enum vici_packet type, const char *name);
void vici_put(struct vici_writer *w, const char *key, const char *value);
/** @return octets to send, or 0: it did not fit */
size_t vici_end(struct vici_writer *w);

/** A value or the item of a list, with the names of the sections around it. */
struct vici_item {
	char section[VICI_DEPTH_MAX][VICI_NAME_MAX + 1];
	size_t depth;
	char key[VICI_NAME_MAX + 1];   /* of the value, or of the list */
	char value[VICI_NAME_MAX + 1]; /* cut where longer */
};

/** A packet without its length, being read. */
struct vici_reader {
	const uint8_t *pos, *end;
	uint8_t type;
	char name[VICI_NAME_MAX + 1]; /* of an event; else "" */
	struct vici_item item;
	bool in_list;
};

/** @retval ERR_TRUNCATED */
int vici_read(struct vici_reader *r, const uint8_t *packet, size_t len);
/**
 * The next value: r->item.
 * @retval 1  there is one
 * @retval 0  the end
 * @retval ERR_TRUNCATED, ERR_INVALID  not what vici sends
 */
int vici_next(struct vici_reader *r);

#endif

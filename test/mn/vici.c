/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vici's encoding. A packet is its length (32 bits), its type, for some types a name (8-bit
 * length), and a message: a sequence of elements, each a type octet and what that calls for. Names
 * have an 8-bit length, values a 16-bit one. vpn.c owns the sockets.
 */
#include "test/mn/vici.h"

#include "common/err.h"

#include <string.h>

enum element {
	SECTION_START = 1,
	SECTION_END,
	KEY_VALUE,
	LIST_START,
	LIST_ITEM,
	LIST_END,
};

static void put(struct vici_writer *w, const void *octets, size_t len)
{
	if (len > sizeof(w->octets) - w->len) {
		w->failed = true;
		return;
	}
	memcpy(w->octets + w->len, octets, len);
	w->len += len;
}

static void put_name(struct vici_writer *w, uint8_t type, const char *name)
{
	size_t len = strlen(name);
	const uint8_t head[] = { type, (uint8_t)len };

	w->failed |= len > VICI_NAME_MAX;
	put(w, head, sizeof(head));
	put(w, name, len);
}

void vici_begin(struct vici_writer *w, enum vici_packet type, const char *name)
{
	*w = (struct vici_writer){ .len = VICI_LENGTH_LEN };
	put_name(w, (uint8_t)type, name);
}

void vici_put(struct vici_writer *w, const char *key, const char *value)
{
	size_t len = strlen(value);
	const uint8_t head[] = { (uint8_t)(len >> 8), (uint8_t)len };

	put_name(w, KEY_VALUE, key);
	put(w, head, sizeof(head));
	put(w, value, len);
}

size_t vici_end(struct vici_writer *w)
{
	size_t len = w->len - VICI_LENGTH_LEN;

	for (size_t i = 0; i < VICI_LENGTH_LEN; i++)
		w->octets[i] = (uint8_t)(len >> (8 * (VICI_LENGTH_LEN - 1 - i)));
	return w->failed ? 0 : w->len;
}

/* A text with a length of so many octets before it; what is too long for us is cut. */
static int take_text(struct vici_reader *r, size_t length_len, char out[VICI_NAME_MAX + 1])
{
	size_t len = 0, kept;

	if ((size_t)(r->end - r->pos) < length_len)
		return ERR_TRUNCATED;
	for (size_t i = 0; i < length_len; i++)
		len = len << 8 | *r->pos++;
	if ((size_t)(r->end - r->pos) < len)
		return ERR_TRUNCATED;
	kept = len < VICI_NAME_MAX ? len : VICI_NAME_MAX;
	memcpy(out, r->pos, kept);
	out[kept] = '\0';
	r->pos += len;
	return 0;
}

int vici_read(struct vici_reader *r, const uint8_t *packet, size_t len)
{
	*r = (struct vici_reader){ .pos = packet, .end = packet + len };
	if (len == 0)
		return ERR_TRUNCATED;
	r->type = *r->pos++;
	return r->type == VICI_EVENT ? take_text(r, 1, r->name) : 0;
}

static int enter_section(struct vici_reader *r)
{
	struct vici_item *item = &r->item;

	if (item->depth == VICI_DEPTH_MAX)
		return ERR_INVALID;
	return take_text(r, 1, item->section[item->depth++]);
}

/* @return 1: r->item is a new one; 0: go on */
static int element(struct vici_reader *r, uint8_t type)
{
	struct vici_item *item = &r->item;
	int err;

	if (r->in_list != (type == LIST_ITEM || type == LIST_END))
		return ERR_INVALID;
	switch (type) {
	case SECTION_START:
		return enter_section(r);
	case SECTION_END:
		if (item->depth == 0)
			return ERR_INVALID;
		item->depth--;
		return 0;
	case KEY_VALUE:
		err = take_text(r, 1, item->key);
		if (err == 0)
			err = take_text(r, 2, item->value);
		return err < 0 ? err : 1;
	case LIST_START:
		r->in_list = true;
		return take_text(r, 1, item->key);
	case LIST_ITEM:
		err = take_text(r, 2, item->value);
		return err < 0 ? err : 1;
	case LIST_END:
		r->in_list = false;
		return 0;
	default:
		return ERR_INVALID;
	}
}

int vici_next(struct vici_reader *r)
{
	int ret = 0;

	while (ret == 0 && r->pos < r->end) {
		uint8_t type = *r->pos++;

		ret = element(r, type);
	}
	return ret;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Bounds-checked cursors over octets from and for the network. A failure sticks: reads then give
 * zeros and writes do nothing, and the caller asks once, at the end. Fields are big-endian; an
 * address stays in network order.
 */
#ifndef HA_CORE_WIRE_WIRE_H
#define HA_CORE_WIRE_WIRE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** Invariant: pos <= end. */
struct wire_reader {
	const uint8_t *pos, *end;
	bool failed;
};

/** Invariant: start <= pos <= end. */
struct wire_writer {
	uint8_t *start, *pos, *end;
	bool failed;
};

static inline struct wire_reader wire_reader(const void *data, size_t len)
{
	const uint8_t *p = data;

	return (struct wire_reader){ .pos = p, .end = p + len };
}

static inline size_t wire_left(const struct wire_reader *r)
{
	return (size_t)(r->end - r->pos);
}

/** The next len octets in place, or NULL and failed. */
static inline const uint8_t *wire_bytes(struct wire_reader *r, size_t len)
{
	const uint8_t *p = r->pos;

	if (r->failed || len > wire_left(r)) {
		r->failed = true;
		return NULL;
	}
	r->pos += len;
	return p;
}

static inline uint8_t wire_u8(struct wire_reader *r)
{
	const uint8_t *p = wire_bytes(r, 1);

	return p ? p[0] : 0;
}

static inline uint16_t wire_u16(struct wire_reader *r)
{
	const uint8_t *p = wire_bytes(r, 2);

	return (uint16_t)(p ? p[0] << 8 | p[1] : 0);
}

static inline uint32_t wire_u32(struct wire_reader *r)
{
	const uint8_t *p = wire_bytes(r, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

static inline uint64_t wire_u64(struct wire_reader *r)
{
	uint64_t high = wire_u32(r);

	return high << 32 | wire_u32(r);
}

static inline struct in_addr wire_addr(struct wire_reader *r)
{
	struct in_addr a = { 0 };
	const uint8_t *p = wire_bytes(r, sizeof(a.s_addr));

	if (p)
		memcpy(&a.s_addr, p, sizeof(a.s_addr));
	return a;
}

static inline struct wire_writer wire_writer(void *buf, size_t size)
{
	uint8_t *p = buf;

	return (struct wire_writer){ .start = p, .pos = p, .end = p + size };
}

/** Octets written so far. */
static inline size_t wire_len(const struct wire_writer *w)
{
	return (size_t)(w->pos - w->start);
}

/** Room for len octets that the caller fills, or NULL and failed. */
static inline uint8_t *wire_room(struct wire_writer *w, size_t len)
{
	uint8_t *p = w->pos;

	if (w->failed || len > (size_t)(w->end - w->pos)) {
		w->failed = true;
		return NULL;
	}
	w->pos += len;
	return p;
}

static inline void wire_put_u8(struct wire_writer *w, uint8_t v)
{
	uint8_t *p = wire_room(w, 1);

	if (p)
		p[0] = v;
}

static inline void wire_put_u16(struct wire_writer *w, uint16_t v)
{
	uint8_t *p = wire_room(w, 2);

	if (!p)
		return;
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void wire_put_u32(struct wire_writer *w, uint32_t v)
{
	wire_put_u16(w, (uint16_t)(v >> 16));
	wire_put_u16(w, (uint16_t)v);
}

static inline void wire_put_u64(struct wire_writer *w, uint64_t v)
{
	wire_put_u32(w, (uint32_t)(v >> 32));
	wire_put_u32(w, (uint32_t)v);
}

static inline void wire_put_addr(struct wire_writer *w, struct in_addr a)
{
	uint8_t *p = wire_room(w, sizeof(a.s_addr));

	if (p)
		memcpy(p, &a.s_addr, sizeof(a.s_addr));
}

static inline void wire_put_bytes(struct wire_writer *w, const void *data, size_t len)
{
	uint8_t *p = wire_room(w, len);

	if (p && len > 0)
		memcpy(p, data, len);
}

#endif

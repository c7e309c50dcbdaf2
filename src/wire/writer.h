// SPDX-License-Identifier: Apache-2.0
/*
 * writer: puts Kafka's primitive types into a growing buffer.
 *
 * The first thing that goes wrong sets `error`; from then on nothing is written,
 * so a caller may write a whole message and look once at the end.
 *
 * Records may stay where they are: a hole stands for bytes that go onto the
 * socket between two parts of the buffer (buffer | file range | buffer). The
 * lengths in the buffer count them.
 *
 * A counting writer keeps no bytes and only adds up sizes.
 *
 * Thread: whoever owns the writer.
 * Limits: size_max covers buffer and holes together.
 */
#ifndef WIRE_WRITER_H
#define WIRE_WRITER_H

#include "base/bytes.h"
#include "base/err.h"
#include "wire/message.h"

struct wire_hole {
    uint32_t pos; /* the hole's bytes go before the buffer's byte at this position */
    int32_t len;
    void *ref; /* as in struct wire_records; borrowed */
    const uint8_t *data;
};

struct wire_writer {
    uint8_t *data;
    uint32_t size;
    uint32_t capacity;
    uint32_t size_max;
    uint32_t hole_bytes;
    struct wire_hole *holes; /* by position */
    uint32_t hole_count;
    uint32_t hole_capacity;
    bool is_counting;
    enum err error; /* ERR_OK so far */
};

/* A place where a length of four bytes will be filled in. */
struct wire_mark {
    uint32_t pos;
    uint32_t hole_bytes;
};

/* Allocates nothing yet. size_max is at most INT32_MAX. */
void wire_writer_init(struct wire_writer *w, uint32_t size_max);

/* Counts only; nothing to free afterwards. */
void wire_writer_init_counting(struct wire_writer *w);

void wire_writer_deinit(struct wire_writer *w);

/* Empties it for another message; keeps the buffer. */
void wire_writer_clear(struct wire_writer *w);

/* The buffer becomes the caller's (mem_free); the writer is empty afterwards.
 * Holes, if any, have to be looked at before: they are gone. */
uint8_t *wire_writer_take(struct wire_writer *w, uint32_t *size);

void wire_writer_fail(struct wire_writer *w, enum err e);

/* Buffer and holes. */
static inline uint32_t wire_writer_total(const struct wire_writer *w)
{
    return w->size + w->hole_bytes;
}

/* Out of line: grows, counts or fails. */
uint8_t *wire_writer_grow(struct wire_writer *w, uint32_t size);

/* `size` fresh bytes to fill; NULL when counting or failed. */
static inline uint8_t *wire_writer_space(struct wire_writer *w, uint32_t size)
{
    if (__builtin_expect(size > w->capacity - w->size, 0))
        return wire_writer_grow(w, size);
    uint8_t *p = w->data + w->size;
    w->size += size;
    return p;
}

static inline void wire_write_u8(struct wire_writer *w, uint8_t v)
{
    uint8_t *p = wire_writer_space(w, 1);
    if (p != NULL)
        *p = v;
}

static inline void wire_write_i8(struct wire_writer *w, int8_t v)
{
    wire_write_u8(w, (uint8_t)v);
}

static inline void wire_write_u16(struct wire_writer *w, uint16_t v)
{
    uint8_t *p = wire_writer_space(w, 2);
    if (p != NULL)
        bytes_store_u16(p, v);
}

static inline void wire_write_i16(struct wire_writer *w, int16_t v)
{
    wire_write_u16(w, (uint16_t)v);
}

static inline void wire_write_u32(struct wire_writer *w, uint32_t v)
{
    uint8_t *p = wire_writer_space(w, 4);
    if (p != NULL)
        bytes_store_u32(p, v);
}

static inline void wire_write_i32(struct wire_writer *w, int32_t v)
{
    wire_write_u32(w, (uint32_t)v);
}

static inline void wire_write_u64(struct wire_writer *w, uint64_t v)
{
    uint8_t *p = wire_writer_space(w, 8);
    if (p != NULL)
        bytes_store_u64(p, v);
}

static inline void wire_write_i64(struct wire_writer *w, int64_t v)
{
    wire_write_u64(w, (uint64_t)v);
}

static inline void wire_write_f64(struct wire_writer *w, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    wire_write_u64(w, bits);
}

void wire_write_raw(struct wire_writer *w, const void *data, uint32_t size);

static inline void wire_write_uuid(struct wire_writer *w, struct uuid u)
{
    wire_write_raw(w, u.bytes, sizeof(u.bytes));
}

void wire_write_uvarlong(struct wire_writer *w, uint64_t v);

static inline void wire_write_uvarint(struct wire_writer *w, uint32_t v)
{
    if (v < 0x80)
        wire_write_u8(w, (uint8_t)v);
    else
        wire_write_uvarlong(w, v);
}

static inline void wire_write_varint(struct wire_writer *w, int32_t v)
{
    wire_write_uvarint(w, ((uint32_t)v << 1) ^ (uint32_t)(v >> 31));
}

static inline void wire_write_varlong(struct wire_writer *w, int64_t v)
{
    wire_write_uvarlong(w, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

/* Null when len is -1. Texts above 32,767 bytes fail with ERR_INVALID. */
void wire_write_str(struct wire_writer *w, struct wire_str s, bool compact);
void wire_write_bytes(struct wire_writer *w, struct wire_bytes b, bool compact);

/* With a ref: the length, and a hole where the bytes would be. */
void wire_write_records(struct wire_writer *w, struct wire_records records, bool compact);

/* -1 for null. */
void wire_write_count(struct wire_writer *w, int32_t count, bool compact);

/* Four bytes whose value, the size of all that follows, is set by the end call. */
struct wire_mark wire_write_size_begin(struct wire_writer *w);
void wire_write_size_end(struct wire_writer *w, struct wire_mark mark);

/* Puts the size of what was written since `pos`, as a varint, in front of it. No holes there. */
void wire_write_uvarint_size_before(struct wire_writer *w, uint32_t pos);

#endif

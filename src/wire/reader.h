// SPDX-License-Identifier: Apache-2.0
/*
 * reader: takes Kafka's primitive types from a borrowed range of bytes.
 *
 * Every read is checked. The first one that does not fit sets `failed`; from
 * then on nothing moves and every read gives zero, so a caller may read a whole
 * struct and look once at the end. Numbers are big-endian, varints at most five
 * (32 bit) or ten (64 bit) bytes.
 *
 * Thread: whoever owns the reader.
 */
#ifndef WIRE_READER_H
#define WIRE_READER_H

#include "base/bytes.h"
#include "wire/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_reader {
    const uint8_t *pos;
    const uint8_t *end;
    bool failed;
};

static inline struct wire_reader wire_reader_of(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    return (struct wire_reader){bytes, size > 0 ? bytes + size : bytes,
                                false}; /* NULL may be empty */
}

/* Bytes not read yet; 0 once it failed. */
static inline size_t wire_left(const struct wire_reader *r)
{
    return (size_t)(r->end - r->pos);
}

static inline void wire_fail(struct wire_reader *r)
{
    r->failed = true;
    r->end = r->pos;
}

/* The next `size` bytes, in place; NULL when they are not there. */
static inline const uint8_t *wire_read_raw(struct wire_reader *r, size_t size)
{
    if (__builtin_expect(size > wire_left(r), 0)) {
        wire_fail(r);
        return NULL;
    }
    const uint8_t *p = r->pos;
    r->pos += size;
    return p;
}

static inline void wire_skip(struct wire_reader *r, size_t size)
{
    (void)wire_read_raw(r, size);
}

static inline uint8_t wire_read_u8(struct wire_reader *r)
{
    const uint8_t *p = wire_read_raw(r, 1);
    return p != NULL ? *p : 0;
}

static inline int8_t wire_read_i8(struct wire_reader *r)
{
    return (int8_t)wire_read_u8(r);
}

static inline bool wire_read_bool(struct wire_reader *r)
{
    return wire_read_u8(r) != 0;
}

static inline uint16_t wire_read_u16(struct wire_reader *r)
{
    const uint8_t *p = wire_read_raw(r, 2);
    return p != NULL ? bytes_load_u16(p) : 0;
}

static inline int16_t wire_read_i16(struct wire_reader *r)
{
    return (int16_t)wire_read_u16(r);
}

static inline uint32_t wire_read_u32(struct wire_reader *r)
{
    const uint8_t *p = wire_read_raw(r, 4);
    return p != NULL ? bytes_load_u32(p) : 0;
}

static inline int32_t wire_read_i32(struct wire_reader *r)
{
    return (int32_t)wire_read_u32(r);
}

static inline uint64_t wire_read_u64(struct wire_reader *r)
{
    const uint8_t *p = wire_read_raw(r, 8);
    return p != NULL ? bytes_load_u64(p) : 0;
}

static inline int64_t wire_read_i64(struct wire_reader *r)
{
    return (int64_t)wire_read_u64(r);
}

static inline double wire_read_f64(struct wire_reader *r)
{
    uint64_t bits = wire_read_u64(r);
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static inline struct uuid wire_read_uuid(struct wire_reader *r)
{
    struct uuid u = {{0}};
    const uint8_t *p = wire_read_raw(r, sizeof(u.bytes));
    if (p != NULL)
        memcpy(u.bytes, p, sizeof(u.bytes));
    return u;
}

/* Out of line: the forms of more than one byte. */
uint64_t wire_read_uvarint_long(struct wire_reader *r, unsigned bits);

static inline uint32_t wire_read_uvarint(struct wire_reader *r)
{
    if (__builtin_expect(r->pos < r->end && *r->pos < 0x80, 1))
        return *r->pos++;
    return (uint32_t)wire_read_uvarint_long(r, 32);
}

static inline uint64_t wire_read_uvarlong(struct wire_reader *r)
{
    return wire_read_uvarint_long(r, 64);
}

/* Zigzag: as in records and in control messages. */
static inline int32_t wire_read_varint(struct wire_reader *r)
{
    uint32_t v = wire_read_uvarint(r);
    return (int32_t)((v >> 1) ^ (0u - (v & 1)));
}

static inline int64_t wire_read_varlong(struct wire_reader *r)
{
    uint64_t v = wire_read_uvarlong(r);
    return (int64_t)((v >> 1) ^ (0u - (v & 1)));
}

/* A text: length in two bytes, or compact (a varint of length + 1). Null only if
 * `may_be_null`. Kafka has no text above 32,767 bytes in either form. */
struct wire_str wire_read_str(struct wire_reader *r, bool compact, bool may_be_null);

/* Bytes: length in four bytes, or compact. */
struct wire_bytes wire_read_bytes(struct wire_reader *r, bool compact, bool may_be_null);

/* An array's count, -1 for null. Refuses a count that the remaining bytes cannot
 * hold at `item_bytes_min` each, so that four hostile bytes never become a
 * gigabyte; with 0 there the arena's limit is what bounds it. */
int32_t wire_read_count(struct wire_reader *r, bool compact, bool may_be_null,
                        uint32_t item_bytes_min);

/* The tagged fields of something whose tags we do not know. */
void wire_skip_tagged(struct wire_reader *r);

#endif

// SPDX-License-Identifier: Apache-2.0
/*
 * message: how a Kafka message looks in memory, and the tables that describe it.
 *
 * tools/gen/codec.py makes a C struct and a table for every message of schema/;
 * wire/codec.h walks the tables. The structs point into the frame (strings,
 * bytes, records) and into an arena (arrays, nullable structs): they own nothing
 * and live as long as those two.
 *
 * A text is not NUL-terminated. A length or count of -1 means null; `data` and
 * `items` may be NULL whenever there is nothing to point at.
 *
 * Thread: any; the tables are constant.
 */
#ifndef WIRE_MESSAGE_H
#define WIRE_MESSAGE_H

#include "base/uuid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct wire_str {
    const char *data;
    int32_t len;
};

struct wire_bytes {
    const uint8_t *data;
    int32_t len;
};

/* Record batches. When `ref` is set the bytes are somewhere else (a file range,
 * another buffer): the writer then leaves a hole, see wire/writer.h. */
struct wire_records {
    const uint8_t *data;
    int32_t len;
    void *ref;
};

/* Any array, and those of values that are no structs. */
struct wire_array {
    void *items;
    int32_t count;
};

struct wire_i8_array {
    int8_t *items;
    int32_t count;
};

struct wire_i16_array {
    int16_t *items;
    int32_t count;
};

struct wire_i32_array {
    int32_t *items;
    int32_t count;
};

struct wire_i64_array {
    int64_t *items;
    int32_t count;
};

struct wire_str_array {
    struct wire_str *items;
    int32_t count;
};

struct wire_uuid_array {
    struct uuid *items;
    int32_t count;
};

/* A literal or another NUL-terminated text, borrowed. NULL gives null. */
static inline struct wire_str wire_str_of(const char *text)
{
    if (text == NULL)
        return (struct wire_str){NULL, -1};
    return (struct wire_str){text, (int32_t)strlen(text)};
}

static inline bool wire_str_is_null(struct wire_str s)
{
    return s.len < 0;
}

/* Null equals null only. */
static inline bool wire_str_equal(struct wire_str a, struct wire_str b)
{
    return a.len == b.len && (a.len <= 0 || memcmp(a.data, b.data, (size_t)a.len) == 0);
}

static inline bool wire_str_is(struct wire_str a, const char *text)
{
    return wire_str_equal(a, wire_str_of(text));
}

/* For sorting, as memcmp: by bytes, the shorter one first, null before empty. 0: they are equal. */
static inline int wire_str_compare(struct wire_str a, struct wire_str b)
{
    int32_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.data, b.data, (size_t)len) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* ---- the tables */

enum wire_kind {
    WIRE_BOOL,
    WIRE_I8,
    WIRE_I16,
    WIRE_U16,
    WIRE_I32,
    WIRE_U32,
    WIRE_I64,
    WIRE_F64,
    WIRE_UUID,
    WIRE_STR,
    WIRE_BYTES,
    WIRE_RECORDS,
    WIRE_STRUCT, /* in place, or behind a pointer when WIRE_POINTER is set */
};

enum wire_field_flag {
    WIRE_ARRAY = 1,     /* `kind` is that of the items */
    WIRE_POINTER = 2,   /* a struct that may be null */
    WIRE_IGNORABLE = 4, /* may be lost when a version does not have it */
    WIRE_KEY = 8,       /* tells the items of its array apart */
    WIRE_PLAIN = 16,    /* never compact */
};

#define WIRE_NO_TAG (-1)

struct wire_struct;

struct wire_field {
    uint16_t at; /* position in the C struct */
    uint8_t kind;
    uint8_t flags;
    uint8_t since, until;           /* versions that have the field */
    uint8_t null_since, null_until; /* versions that allow null; never: since > until */
    int32_t tag;
    const struct wire_struct *sub; /* of WIRE_STRUCT */
    const char *name;              /* Kafka's */
};

struct wire_struct {
    const char *name;
    const void *defaults;            /* one C struct; NULL: all zero */
    const struct wire_field *fields; /* the tagged ones last, by tag */
    const uint8_t *size_min;         /* encoded bytes at least, by version */
    uint16_t size;                   /* of the C struct */
    uint16_t plain_count;            /* fields without a tag */
    uint16_t field_count;
};

#define WIRE_NEVER_FLEXIBLE INT16_MAX

struct wire_message {
    const char *name;
    const struct wire_struct *body;
    int16_t version_min, version_max;
    int16_t flexible_from;
};

/* The kinds of record that a log of ours holds. The C struct of a record is a
 * uint32_t type, then a union of the bodies at `body_at`. */
struct wire_record_set {
    const char *name;
    const struct wire_message *const *messages; /* by type; [0] is NULL */
    uint16_t message_count;
    uint16_t body_at;
    uint16_t size;
};

static inline bool wire_message_is_flexible(const struct wire_message *m, int16_t version)
{
    return version >= m->flexible_from;
}

static inline bool wire_message_has_version(const struct wire_message *m, int16_t version)
{
    return version >= m->version_min && version <= m->version_max;
}

static inline bool wire_field_is_in(const struct wire_field *f, int16_t version)
{
    return version >= f->since && version <= f->until;
}

static inline bool wire_field_may_be_null(const struct wire_field *f, int16_t version)
{
    return version >= f->null_since && version <= f->null_until;
}

#endif

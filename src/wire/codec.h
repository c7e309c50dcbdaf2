// SPDX-License-Identifier: Apache-2.0
/*
 * codec: turns bytes into messages and back, by walking the generated tables.
 *
 * One interpreter for all messages: bounds checks, limits, random messages,
 * comparison and dumps exist once. It knows types, versions and null; it does
 * not know what a message means.
 *
 * Steps of a request: wire_header_read, wire_decode; of an answer: wire_defaults,
 * fill in, wire_encode. Recursion goes along the tables, whose depth is fixed at
 * build time (no struct contains itself), never along the bytes.
 *
 * Thread: any; all state is in the arguments.
 * Limits: a decoded message takes at most what its arena allows; an encoded one
 *         what its writer allows.
 */
#ifndef WIRE_CODEC_H
#define WIRE_CODEC_H

#include "base/arena.h"
#include "base/err.h"
#include "wire/message.h"
#include "wire/reader.h"
#include "wire/writer.h"

/* Reads one message that takes all that is left in `r`. `out` is the message's C
 * struct; a field that the version does not have gets its default, a tagged field
 * that we do not know is skipped. Strings and bytes point into the reader's range.
 * ERR_UNSUPPORTED: no such version. ERR_CORRUPT: malformed, cut short, or bytes
 * left over. ERR_NO_MEMORY: over the arena's limit. `out` is garbage then. */
enum err wire_decode(const struct wire_message *m, int16_t version, struct wire_reader *r,
                     struct arena *a, void *out) MUST_USE;

/* The same, but more may follow in `r`. */
enum err wire_decode_part(const struct wire_message *m, int16_t version, struct wire_reader *r,
                          struct arena *a, void *out) MUST_USE;

/* ERR_UNSUPPORTED: no such version, or it lacks a field that has a value and may not be lost.
 * ERR_INVALID: null where the version has none, or a text that is too long.
 * ERR_TOO_LARGE, ERR_NO_MEMORY: the writer's. What was written before an error stays. */
enum err wire_encode(const struct wire_message *m, int16_t version, struct wire_writer *w,
                     const void *in) MUST_USE;

/* The size that wire_encode would write, holes included; `out` untouched on errors. */
enum err wire_encoded_size(const struct wire_message *m, int16_t version, const void *in,
                           uint32_t *out) MUST_USE;

/* Every field gets Kafka's default. */
void wire_defaults(const struct wire_struct *s, void *out);

/* `count` items with defaults into *array (any of the generated array structs).
 * ERR_NO_MEMORY leaves *array as it was. */
enum err wire_array_new(struct arena *a, const struct wire_struct *s, int32_t count, void *array)
    MUST_USE;

/* All fields of both, whatever the version. Records with a ref are equal when the refs are. */
bool wire_equal(const struct wire_struct *s, const void *a, const void *b);

/* Whether this field of the struct at `in` has its default. */
bool wire_field_is_default(const struct wire_struct *s, const struct wire_field *f, const void *in);

/* Bytes of one value in memory, be it an item of an array or a field. */
size_t wire_value_size(const struct wire_field *f);

/* Generated array structs have the layout of struct wire_array. */
static inline struct wire_array wire_array_at(const void *field)
{
    struct wire_array array;
    memcpy(&array, field, sizeof(array));
    return array;
}

#endif

// SPDX-License-Identifier: Apache-2.0
/*
 * record: one record inside a version 2 batch.
 *
 *   size            varint   of the body, what follows
 *   attributes      int8     unused by all
 *   timestamp delta varlong  to the batch's base timestamp, ms
 *   offset delta    varint   to the batch's base offset
 *   key             varint length (-1: null), bytes
 *   value           varint length (-1: null), bytes
 *   headers         varint count, then for each: varint length and bytes of the
 *                   name, varint length (-1: null) and bytes of the value
 *
 * varint and varlong are zigzag encoded, seven bits a byte, low bits first, in at
 * most 5 and 10 bytes.
 *
 * Records come out of a source: bytes in memory, or a decoder that gives the
 * content of a compressed batch chunk by chunk, with records across the borders.
 * This module does not know batch headers, offsets or clients.
 *
 * Thread: whoever owns the source.
 */
#ifndef WIRE_RECORD_H
#define WIRE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct batch_buffer;
struct compress_decoder;

/* Borrowed bytes. */
struct record_bytes {
    const uint8_t *data;
    int32_t len; /* -1: null, which is not the same as empty */
};

struct record {
    int64_t timestamp; /* ms; when read: what a consumer sees */
    int32_t offset_delta;
    struct record_bytes key;
    struct record_bytes value;
    int32_t header_count;
    struct record_bytes headers; /* as on the wire, without the count; see record_header_next */
};

struct record_header {
    struct record_bytes name; /* never null */
    struct record_bytes value;
};

/* ---- a source */

struct record_source {
    const uint8_t *pos;
    const uint8_t *end;               /* of the bytes at hand */
    struct compress_decoder *decoder; /* NULL: no more come */
    uint64_t passed_bytes;            /* before `end` */
    enum err err;                     /* sticky; ERR_CORRUPT: also when bytes were missing */
};

/* Plain bytes, borrowed while the source is used. */
void record_source_init(struct record_source *s, const uint8_t *data, size_t len);

/* The content of a stream that compress_decoder_start began. */
void record_source_init_decoder(struct record_source *s, struct compress_decoder *decoder);

/* Whether nothing is left and, in a stream, its end is whole. Sets s->err as
 * reading does (the end of a compressed stream may turn out to be broken). */
bool record_source_is_at_end(struct record_source *s);

/* ---- without looking at keys and values */

struct record_brief {
    int64_t timestamp_delta;
    int32_t offset_delta;
    int32_t body_size; /* bytes behind the size field */
    bool has_key;
};

/*
 * Passes over one record, checking its whole structure. Touches only lengths
 * and, in a compressed stream, what decoding touches; allocates nothing itself.
 * False: s->err says why, *why a few words (a static string).
 */
bool record_skip(struct record_source *s, int32_t body_size_max, struct record_brief *out,
                 const char **why);

/* ---- whole records */

/*
 * Reads one record; its slices point into the source's bytes, or into `gather`
 * when the record lies across chunks, and are valid until the next read.
 * out->timestamp is the delta. A body over body_size_max: ERR_TOO_LARGE.
 */
enum err record_read(struct record_source *s, int32_t body_size_max, struct batch_buffer *gather,
                     struct record *out) MUST_USE;

/* Walks r->headers: takes one off the front of *rest (start with r->headers).
 * False when none is left. Only for records that record_read gave. */
bool record_header_next(struct record_bytes *rest, struct record_header *out);

/* ---- writing */

/* Appends one header to bytes that become r->headers. The length of its name and
 * value must be >= 0 and >= -1. Errors as batch_buffer_add. */
enum err record_header_write(struct batch_buffer *out, const struct record_header *h) MUST_USE;

/* Appends `r` with its size before it; `timestamp_delta` stands for r->timestamp.
 * Errors as batch_buffer_add; ERR_TOO_LARGE also for a body of 2 GiB or more. */
enum err record_write(struct batch_buffer *out, const struct record *r, int64_t timestamp_delta)
    MUST_USE;

#endif

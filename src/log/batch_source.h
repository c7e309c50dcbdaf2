// SPDX-License-Identifier: Apache-2.0
/*
 * batch_source: reads a sealed segment from its begin to its end in large pieces and gives
 * whole batches, with their checksum verified and their offsets in order.
 *
 * Thread: whoever owns it; blocks.
 * Limits: its buffer grows to the largest batch.
 */
#ifndef LOG_BATCH_SOURCE_H
#define LOG_BATCH_SOURCE_H

#include "base/err.h"
#include "log/segment.h"
#include "wire/batch.h"

struct batch_source {
    struct env_file *file; /* one reference; NULL: not begun */
    int64_t pos;           /* of the next batch */
    int64_t end;
    int64_t next_offset; /* the least that the next batch may begin at */
    int64_t offset_end;  /* no batch may reach it */
    int64_t bytes_read;  /* since it was made */
    uint8_t *buffer;
    size_t capacity;
    int64_t buffer_pos;
    size_t buffer_len;
};

/* `capacity` to begin with. ERR_NO_MEMORY. */
enum err batch_source_init(struct batch_source *s, size_t capacity) MUST_USE;
void batch_source_deinit(struct batch_source *s);

/* Goes to the begin of a segment of `size` bytes whose offsets lie below `offset_end`. */
enum err batch_source_open(struct batch_source *s, struct segment *seg, int64_t size,
                           int64_t offset_end) MUST_USE;

/* The next batch, valid until the next call. ERR_NOT_FOUND: that was all. ERR_CORRUPT: s->pos is
 * where. ERR_NO_MEMORY, ERR_IO. */
enum err batch_source_next(struct batch_source *s, struct batch_header *header,
                           const uint8_t **data) MUST_USE;

#endif

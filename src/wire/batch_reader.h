// SPDX-License-Identifier: Apache-2.0
/*
 * batch_reader: the records of one batch, compressed or not, one after another.
 *
 * For whoever looks into batches that are already in a log: lookups by time,
 * compaction, people who print a log. Memory is bounded by the largest single
 * record; a record whose bytes lie together is not copied at all.
 *
 * Does not judge: batch_validate does, before a batch enters a log. Gaps between
 * offsets (compaction) are normal here. Still, no byte is trusted.
 *
 * Thread: a reader belongs to one thread at a time and is made to be reused.
 */
#ifndef WIRE_BATCH_READER_H
#define WIRE_BATCH_READER_H

#include "wire/batch.h"
#include "wire/batch_buffer.h"
#include "wire/record.h"

struct batch_reader {
    struct compress_decoder *decoder; /* made when it is first needed */
    struct batch_buffer gather;
    int32_t record_bytes_max;
    struct batch_header header;
    struct record_source source;
    int32_t records_left;
};

/* `record_bytes_max` is max.decompressed.message.bytes or less: no record in a compressed
 * batch may be larger. */
void batch_reader_init(struct batch_reader *r, int32_t record_bytes_max);
void batch_reader_deinit(struct batch_reader *r);

/*
 * Begins with one whole batch (as batch_next gave it); `data` is borrowed until
 * the last record was read or the next start. r->header is its header.
 * ERR_CORRUPT (also: no such codec), ERR_NO_MEMORY.
 */
enum err batch_reader_start(struct batch_reader *r, const uint8_t *data, size_t len) MUST_USE;

/*
 * The next record; out->timestamp is absolute, and the batch's when the broker
 * sets the time. Slices are valid until the next call.
 * ERR_NOT_FOUND: all were read. ERR_CORRUPT, ERR_NO_MEMORY, ERR_TOO_LARGE (a record
 * over the limit): the batch is over.
 */
enum err batch_reader_next(struct batch_reader *r, struct record *out) MUST_USE;

struct batch_time {
    int64_t offset; /* absolute */
    int64_t timestamp;
};

/* The first record of the batch whose time is `timestamp` or later. Keys and values are
 * passed over. ERR_NOT_FOUND: none; otherwise as start and next. */
enum err batch_find_time(struct batch_reader *r, const uint8_t *data, size_t len, int64_t timestamp,
                         struct batch_time *out) MUST_USE;

/* The first record of the batch that has the greatest time. Errors as batch_find_time;
 * ERR_NOT_FOUND: there are no records. */
enum err batch_find_max_time(struct batch_reader *r, const uint8_t *data, size_t len,
                             struct batch_time *out) MUST_USE;

#endif

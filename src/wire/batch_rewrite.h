// SPDX-License-Identifier: Apache-2.0
/*
 * batch_rewrite: what compaction leaves of a batch: some of its records, or none.
 *
 * Base offset, last offset, leader epoch, producer, epoch, sequence, timestamp type and
 * codec stay, so that offsets and a producer's sequence can still be told; records keep
 * their offset deltas. The largest timestamp and the checksum are made anew. A delete
 * horizon (KIP-534) takes the place of the base timestamp.
 *
 * Does not decide which records stay.
 *
 * Thread: a rewriter belongs to one thread at a time and is made to be reused.
 */
#ifndef WIRE_BATCH_REWRITE_H
#define WIRE_BATCH_REWRITE_H

#include "wire/batch.h"
#include "wire/batch_buffer.h"
#include "wire/record.h"

struct batch_rewriter {
    struct compress_encoder *encoder; /* made when it is first needed */
    struct batch_buffer records;      /* written, not compressed */
    struct batch_header header;       /* of the batch that comes out */
};

enum { BATCH_NO_HORIZON = -1 };

/* The horizon in the header, or BATCH_NO_HORIZON. */
int64_t batch_delete_horizon(const struct batch_header *h);

void batch_rewriter_init(struct batch_rewriter *w);
void batch_rewriter_deinit(struct batch_rewriter *w);

/* Begins with the header of the batch whose records are kept in part. */
void batch_rewriter_start(struct batch_rewriter *w, const struct batch_header *original,
                          int64_t delete_horizon_ms);

/* A record as batch_reader_next gave it. ERR_NO_MEMORY, ERR_TOO_LARGE. */
enum err batch_rewriter_add(struct batch_rewriter *w, const struct record *r) MUST_USE;

/* Appends the batch to `out`; at least one record was added. ERR_NO_MEMORY, ERR_TOO_LARGE: `out`
 * is as it was. */
enum err batch_rewriter_finish(struct batch_rewriter *w, struct batch_buffer *out) MUST_USE;

/* The batch without any record: BATCH_HEADER_BYTES of it go to `out`; *empty is its header. */
void batch_write_empty(const struct batch_header *original, uint8_t *out,
                       struct batch_header *empty);

/* A batch that says nothing but that there is nothing from the first to the last offset. */
void batch_write_filler(int64_t first_offset, int64_t last_offset, int32_t leader_epoch,
                        uint8_t *out, struct batch_header *filler);

#endif

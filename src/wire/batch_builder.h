// SPDX-License-Identifier: Apache-2.0
/*
 * batch_builder: records into a batch, and a batch into another codec.
 *
 * For batches of our own (internal topics, the command line, tests) and for
 * topics whose compression.type is not the producer's.
 *
 * Thread: a builder belongs to one thread at a time and is made to be reused.
 */
#ifndef WIRE_BATCH_BUILDER_H
#define WIRE_BATCH_BUILDER_H

#include "wire/batch.h"
#include "wire/batch_buffer.h"
#include "wire/record.h"

struct batch_options {
    enum compress_codec codec;
    int level;            /* COMPRESS_LEVEL_DEFAULT, or one that compress_level_is_valid */
    int64_t base_offset;  /* a producer sends 0 */
    int32_t leader_epoch; /* a producer sends -1 */
    int64_t producer_id;  /* -1: none */
    int16_t producer_epoch;
    int32_t base_sequence; /* -1: none */
    bool is_transactional;
    bool is_control;
    size_t size_max; /* of the batch: 0 means 2 GiB */
};

/* No codec, no producer, offset 0. */
struct batch_options batch_options_default(void);

struct batch_builder {
    struct batch_options options;
    struct batch_buffer records;      /* written, not compressed */
    struct compress_encoder *encoder; /* made when it is first needed */
    int32_t record_count;
    int32_t last_offset_delta; /* -1 before the first record */
    int64_t base_timestamp;
    int64_t max_timestamp;
};

void batch_builder_init(struct batch_builder *b);
void batch_builder_deinit(struct batch_builder *b);

/* Begins a batch; what was added before and not finished is gone. */
void batch_builder_start(struct batch_builder *b, const struct batch_options *options);

/* Adds a record behind the last one; r->offset_delta is not looked at.
 * ERR_NO_MEMORY, ERR_TOO_LARGE (over 2 GiB of records): the builder is as it was. */
enum err batch_builder_add(struct batch_builder *b, const struct record *r) MUST_USE;

/* The same at r->offset_delta, which must be greater than the last one's: for what
 * compaction keeps. */
enum err batch_builder_add_at(struct batch_builder *b, const struct record *r) MUST_USE;

/* Bytes that the batch would have now without compression, header included. */
size_t batch_builder_size(const struct batch_builder *b);

/* Appends the batch to `out`. At least one record must have been added. Afterwards start
 * must be called. ERR_NO_MEMORY, ERR_TOO_LARGE (over size_max): `out` is as it was. */
enum err batch_builder_finish(struct batch_builder *b, struct batch_buffer *out) MUST_USE;

struct batch_target {
    enum compress_codec codec;
    int level;
    uint64_t decoded_bytes_max; /* of the batch that comes in; 0: compress_decoded_bytes_max() */
};

/* Made empty; what it needs is made when it is first needed. */
struct batch_recoder {
    struct compress_decoder *decoder;
    struct compress_encoder *encoder;
};

void batch_recoder_deinit(struct batch_recoder *r);

/*
 * Appends to `out` the batch `data` with its records under another codec: the
 * records' bytes, their count, offsets, times, producer and sequence stay.
 * Decodes and encodes chunk by chunk.
 * ERR_CORRUPT, ERR_NO_MEMORY, ERR_TOO_LARGE (over out->size_max): `out` is as it was.
 */
enum err batch_recompress(struct batch_recoder *r, const uint8_t *data, size_t len,
                          const struct batch_target *target, struct batch_buffer *out) MUST_USE;

#endif

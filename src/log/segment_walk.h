// SPDX-License-Identifier: Apache-2.0
/*
 * segment_walk: goes from batch to batch through a part of a .log file by their
 * headers. Small batches are read many at a time, of large ones only the header.
 *
 * Thread: whoever owns the walk; with ENV_WAIT it blocks.
 */
#ifndef LOG_SEGMENT_WALK_H
#define LOG_SEGMENT_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "env/env.h"
#include "wire/batch.h"

enum { SEGMENT_WALK_BUFFER = 4096 };

struct segment_walk {
    struct env_file *file; /* borrowed */
    enum env_read_mode mode;
    bool reads_all;  /* the bodies are wanted too: always fill the whole buffer */
    int64_t pos;     /* of the next batch */
    int64_t end;     /* bytes from here on are not looked at */
    uint8_t *buffer; /* of the caller */
    size_t capacity; /* at least BATCH_HEADER_BYTES */
    int64_t buffer_pos;
    size_t buffer_len;
    int64_t last_size; /* of the batch before; a guess about the next */
};

void segment_walk_init(struct segment_walk *walk, struct env_file *file, int64_t pos, int64_t end,
                       enum env_read_mode mode);
/* The buffer is the caller's; a walk without one cannot move. */
void segment_walk_use(struct segment_walk *walk, uint8_t *buffer, size_t capacity);

/* The next batch and where it is. ERR_NOT_FOUND: exactly at the end. ERR_CORRUPT: no version 2
 * batch, or one that does not end before `end`. ERR_AGAIN, ERR_IO. On failure nothing moved. */
enum err segment_walk_next(struct segment_walk *walk, struct batch_header *header, int64_t *pos)
    MUST_USE;

/* `len` bytes at `pos`, at most the capacity, valid until the next call. ERR_RANGE: they pass the
 * walk's end or the file's. */
enum err segment_walk_bytes(struct segment_walk *walk, int64_t pos, size_t len, const uint8_t **out)
    MUST_USE;

/* The checksum over the batch at `pos`, computed piece by piece. Errors as segment_walk_bytes. */
enum err segment_walk_crc(struct segment_walk *walk, int64_t pos, const struct batch_header *header,
                          uint32_t *out) MUST_USE;

/* Could this be a batch's header, with `left` bytes from its start on? Structure only. */
bool batch_header_is_plausible(const struct batch_header *header, int64_t left);

#endif

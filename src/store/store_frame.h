// SPDX-License-Identifier: Apache-2.0
/*
 * store_frame: how entries lie in the files of the metadata log (docs/formats.md).
 *
 * A frame is a header of 28 bytes and the payload. `synced` is the index up to which the
 * log was known to be on disk when the frame was written. With it a torn tail and rot can
 * be told apart: behind a bad frame there may be good ones of the same unfinished write,
 * but none that was written when the bad one was already on disk.
 *
 * Knows bytes in memory, no files.
 *
 * Thread: any.
 */
#ifndef STORE_STORE_FRAME_H
#define STORE_STORE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"

enum { STORE_FRAME_HEADER_BYTES = 28 };

enum store_frame_kind {
    STORE_FRAME_ENTRY,          /* of the log: index and synced as they say */
    STORE_FRAME_SNAPSHOT_CHUNK, /* index: number of the chunk from 1; synced: position */
    STORE_FRAME_SNAPSHOT_END,   /* index: number of chunks; synced: position; no payload */
};

struct store_frame {
    enum store_frame_kind kind;
    uint32_t size;
    int64_t index;
    int64_t synced;
    const uint8_t *data;
};

/* Fills STORE_FRAME_HEADER_BYTES; the payload goes behind them. */
void store_frame_header(const struct store_frame *frame, uint8_t *out);

/* The frame at the start of these bytes; false: there is no good one. */
bool store_frame_read(const uint8_t *data, size_t size, struct store_frame *out);

static inline size_t store_frame_bytes(const struct store_frame *frame)
{
    return STORE_FRAME_HEADER_BYTES + (size_t)frame->size;
}

struct store_log_scan {
    int64_t first;  /* index of the first entry; 0: none */
    int64_t head;   /* index of the last good entry; 0: none */
    size_t end;     /* bytes up to its end; what is behind is a torn tail */
    size_t covered; /* bytes up to the end of the entry at the snapshot's position */
};

/* Looks through a log whose snapshot stands for everything up to `snapshot_position` (0: none).
 * ERR_CORRUPT: something that was on disk is not readable; `why` gets a line with the position. */
enum err store_log_scan(const uint8_t *data, size_t size, int64_t snapshot_position,
                        struct strbuf *why, struct store_log_scan *out) MUST_USE;

/* Looks through a snapshot. ERR_CORRUPT unless all of it is good. */
enum err store_snapshot_scan(const uint8_t *data, size_t size, struct strbuf *why,
                             int64_t *position) MUST_USE;

#endif

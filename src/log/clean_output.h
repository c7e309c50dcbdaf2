// SPDX-License-Identifier: Apache-2.0
/*
 * clean_output: a segment that compaction makes: N.log.cleaned with its indexes, and a
 * .txnindex where aborted transactions have batches in it. It ends where the
 * segments end that it stands for: when their last batches are gone, a batch without
 * records says so (docs/formats.md).
 *
 * Thread: whoever owns it; blocks.
 * Crash:  .cleaned files are removed at open.
 */
#ifndef LOG_CLEAN_OUTPUT_H
#define LOG_CLEAN_OUTPUT_H

#include "log/clean_txns.h"
#include "log/segment.h"
#include "wire/batch_buffer.h"

struct clean_output {
    struct segment *segment; /* one reference; its files are the .cleaned ones */
    struct env_file *file;   /* the .log */
    int64_t index_interval_bytes;
    int64_t flushed; /* bytes of the .log that are written */
    size_t flush_bytes;
    struct batch_buffer log; /* behind them */
    struct batch_buffer index;
    struct batch_buffer timeindex;
    struct batch_buffer txnindex;
    int64_t bytes_written; /* of all files */
};

void clean_output_init(struct clean_output *out, size_t flush_bytes, int64_t index_interval_bytes);

/* Removes what is not finished. */
void clean_output_deinit(struct clean_output *out);

/* Makes the files. */
enum err clean_output_begin(struct clean_output *out, struct log_home *home, int64_t base_offset,
                            int64_t created_ms) MUST_USE;

/* A whole batch behind the last one; borrowed. ERR_TOO_LARGE: the segment would pass 2^31 bytes. */
enum err clean_output_add(struct clean_output *out, const struct batch_header *header,
                          const uint8_t *data) MUST_USE;
enum err clean_output_add_aborted(struct clean_output *out, const struct aborted_txn *txn) MUST_USE;

/* What a batch without records stands for, where the segment does not end at `end_offset` by
 * itself. */
struct clean_gap {
    int64_t first_offset; /* behind the last batch */
    int64_t end_offset;
    int32_t leader_epoch; /* of what was at the first offset */
};

/* Fills the gap, writes the rest, syncs all files and their names. The segment is the caller's
 * then. */
enum err clean_output_finish(struct clean_output *out, const struct clean_gap *gap,
                             struct segment **segment) MUST_USE;

/* Removes the files: nothing comes of it. */
enum err clean_output_drop(struct clean_output *out) MUST_USE;

/* Removes the .cleaned files that an earlier try left in the directory, because they could not be
 * removed then. While one is there nothing may be put in place: at open a .swap file at or behind
 * it counts as a part of a try that did not end. */
enum err clean_output_remove_left(struct log_home *home) MUST_USE;

#endif

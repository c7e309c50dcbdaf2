// SPDX-License-Identifier: Apache-2.0
/*
 * segment_index: finds entries in the sorted .index and .timeindex files with small
 * reads, the last 4 KiB first (readers are mostly near the end), and judges such
 * files when a log is opened. Preallocated zeros behind the entries are normal.
 *
 * Thread: any; with ENV_WAIT it blocks.
 */
#ifndef LOG_SEGMENT_INDEX_H
#define LOG_SEGMENT_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "env/env.h"

struct index_entry {
    uint32_t relative_offset;
    uint32_t pos;
};

struct timeindex_entry {
    int64_t timestamp;
    uint32_t relative_offset;
};

/* The last of the first `count` entries that is not above the wanted one. ERR_NOT_FOUND: all are.
 * ERR_AGAIN, ERR_IO; ERR_CORRUPT: the file is shorter than `count` entries. */
enum err index_find(struct env_file *file, uint32_t count, uint32_t relative_offset,
                    enum env_read_mode mode, struct index_entry *out) MUST_USE;
enum err timeindex_find(struct env_file *file, uint32_t count, int64_t timestamp,
                        enum env_read_mode mode, struct timeindex_entry *out) MUST_USE;

/* How many entries are in the file and what the last one says (zeros when there is none; timestamp
 * -1). ERR_CORRUPT: the size is no multiple, or the end is not in order: make it anew. */
enum err index_examine(struct env_file *file, int64_t log_size, uint32_t *count,
                       struct index_entry *last) MUST_USE;
enum err timeindex_examine(struct env_file *file, uint32_t *count, struct timeindex_entry *last)
    MUST_USE;

#endif

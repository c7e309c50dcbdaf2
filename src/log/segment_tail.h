// SPDX-License-Identifier: Apache-2.0
/*
 * segment_tail: how far a segment is filled, and what the next batch does to its
 * indexes. Pure arithmetic: the same steps are taken when a batch gets its place
 * (under the lock), when it is written, and when a segment is read again after a
 * crash, and must come to the same.
 *
 * Kafka's rules. Once more than index.interval.bytes of batches lie behind the
 * last entry, the next batch gets one: (its last offset, its position), and with
 * it the largest timestamp so far, if that is larger than the last time entry's.
 *
 * Thread: any.
 */
#ifndef LOG_SEGMENT_TAIL_H
#define LOG_SEGMENT_TAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/batch.h"

enum {
    INDEX_ENTRY_BYTES = 8,
    TIMEINDEX_ENTRY_BYTES = 12,
    SEGMENT_BYTES_MAX = INT32_MAX, /* positions are 31 bits in Kafka's index */
};

struct segment_tail {
    int64_t size;                 /* bytes of batches */
    int64_t next_offset;          /* behind the last batch; the base offset when there is none */
    int64_t first_timestamp;      /* largest timestamp of the first batch; -1: none */
    int64_t max_timestamp;        /* -1: none */
    int64_t max_timestamp_offset; /* last offset of the batch that has it */
    int64_t last_time_entry;      /* timestamp of the last entry in the time index; -1: none */
    int64_t bytes_since_index;
    uint32_t index_count;
    uint32_t time_count;
};

/* What a batch adds to the index files. */
struct segment_entry {
    bool has_index;
    bool has_time;
    uint32_t relative_offset;
    uint32_t pos;
    int64_t timestamp;
    uint32_t time_relative_offset;
};

void segment_tail_init(struct segment_tail *tail, int64_t base_offset);
void segment_tail_check(const struct segment_tail *tail, int64_t base_offset);

/* The batch comes next. Its last offset fits (segment_tail_has_room). */
void segment_tail_step(struct segment_tail *tail, int64_t base_offset,
                       const struct batch_header *batch, int64_t index_interval_bytes,
                       struct segment_entry *entry);

/* The final time entry of a segment that is sealed. False: it has it already. */
bool segment_tail_seal(struct segment_tail *tail, int64_t base_offset, struct segment_entry *entry);

/* Can a batch with this last offset be told relative to the base, and this size be reached? */
bool segment_tail_has_room(const struct segment_tail *tail, int64_t base_offset,
                           int64_t last_offset, int64_t size);

/* The entries' bytes. */
void segment_entry_write_index(const struct segment_entry *entry, uint8_t *out);
void segment_entry_write_time(const struct segment_entry *entry, uint8_t *out);

#endif

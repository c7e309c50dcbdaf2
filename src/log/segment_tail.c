// SPDX-License-Identifier: Apache-2.0
/* segment_tail: see segment_tail.h. Thread: any. */
#include "log/segment_tail.h"

#include "base/assert.h"
#include "base/bytes.h"

void segment_tail_init(struct segment_tail *tail, int64_t base_offset)
{
    ASSERT(base_offset >= 0);
    *tail = (struct segment_tail){
        .next_offset = base_offset,
        .first_timestamp = -1,
        .max_timestamp = -1,
        .max_timestamp_offset = base_offset,
        .last_time_entry = -1,
    };
}

void segment_tail_check(const struct segment_tail *tail, int64_t base_offset)
{
    ASSERT(tail->size >= 0 && tail->size <= SEGMENT_BYTES_MAX);
    ASSERT(tail->next_offset >= base_offset);
    ASSERT(tail->next_offset - base_offset <= (int64_t)INT32_MAX + 1);
    ASSERT(tail->max_timestamp_offset >= base_offset);
    ASSERT(tail->last_time_entry <= tail->max_timestamp);
    ASSERT(tail->size > 0 || tail->index_count == 0);
}

static void time_entry(struct segment_tail *tail, int64_t base_offset, struct segment_entry *entry)
{
    entry->has_time = tail->max_timestamp > tail->last_time_entry;
    if (!entry->has_time)
        return;
    entry->timestamp = tail->max_timestamp;
    entry->time_relative_offset = (uint32_t)(tail->max_timestamp_offset - base_offset);
    tail->last_time_entry = tail->max_timestamp;
    tail->time_count++;
}

void segment_tail_step(struct segment_tail *tail, int64_t base_offset,
                       const struct batch_header *batch, int64_t index_interval_bytes,
                       struct segment_entry *entry)
{
    int64_t last_offset = batch_last_offset(batch);
    int64_t size = (int64_t)batch_size(batch);
    ASSERT(batch->base_offset >= tail->next_offset);
    ASSERT(last_offset >= batch->base_offset);
    ASSERT(segment_tail_has_room(tail, base_offset, last_offset, size));
    *entry = (struct segment_entry){0};
    if (tail->size == 0)
        tail->first_timestamp = batch->max_timestamp;
    if (batch->max_timestamp > tail->max_timestamp) {
        tail->max_timestamp = batch->max_timestamp;
        tail->max_timestamp_offset = last_offset;
    }
    if (tail->bytes_since_index > index_interval_bytes) {
        entry->has_index = true;
        entry->relative_offset = (uint32_t)(last_offset - base_offset);
        entry->pos = (uint32_t)tail->size;
        tail->index_count++;
        tail->bytes_since_index = 0;
        time_entry(tail, base_offset, entry);
    }
    tail->size += size;
    tail->bytes_since_index += size;
    tail->next_offset = last_offset + 1;
}

bool segment_tail_seal(struct segment_tail *tail, int64_t base_offset, struct segment_entry *entry)
{
    *entry = (struct segment_entry){0};
    time_entry(tail, base_offset, entry);
    return entry->has_time;
}

bool segment_tail_has_room(const struct segment_tail *tail, int64_t base_offset,
                           int64_t last_offset, int64_t size)
{
    ASSERT(last_offset >= base_offset);
    return last_offset - base_offset <= INT32_MAX && size <= SEGMENT_BYTES_MAX - tail->size;
}

void segment_entry_write_index(const struct segment_entry *entry, uint8_t *out)
{
    ASSERT(entry->has_index);
    bytes_store_u32(out, entry->relative_offset);
    bytes_store_u32(out + 4, entry->pos);
}

void segment_entry_write_time(const struct segment_entry *entry, uint8_t *out)
{
    ASSERT(entry->has_time);
    bytes_store_u64(out, (uint64_t)entry->timestamp);
    bytes_store_u32(out + 8, entry->time_relative_offset);
}

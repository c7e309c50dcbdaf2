// SPDX-License-Identifier: Apache-2.0
/*
 * log_time: from a time to a record (ListOffsets): the time index gives a place to begin,
 * the batch headers' largest timestamps the batch, its records the answer.
 *
 * Thread: any, on what log_segments holds; blocks.
 * Limits: a batch is read whole; what a compressed one holds is bounded by
 *         compress_decoded_bytes_max().
 */
#include "base/assert.h"
#include "base/mem.h"
#include "log/log_segment_view.h"
#include "log/partition_log.h"
#include "log/segment_index.h"
#include "log/segment_walk.h"
#include "wire/compress.h"
#include "wire/record.h"

struct time_search {
    const struct log_segments *segments;
    int64_t timestamp_ms; /* the first record at or after it... */
    bool wants_largest;   /* ... or of a batch the first of those with the largest */
    struct log_time_match match;
};

static bool is_readable(const struct time_search *search, int64_t offset)
{
    return offset >= search->segments->log_start && offset < search->segments->limit.offset;
}

/* ---- inside a batch */

static enum err match_records(struct time_search *search, const struct batch_header *header,
                              struct record_source *source)
{
    ASSERT(search->match.offset < 0);
    for (int32_t i = 0; i < header->record_count; i++) {
        struct record_brief brief;
        const char *why;
        if (!record_skip(source, INT32_MAX, &brief, &why))
            return source->err;
        int64_t timestamp =
            batch_is_log_append_time(header)
                ? header->max_timestamp
                : (int64_t)((uint64_t)header->base_timestamp + (uint64_t)brief.timestamp_delta);
        int64_t offset = header->base_offset + brief.offset_delta;
        if (timestamp < search->timestamp_ms || !is_readable(search, offset))
            continue;
        if (search->wants_largest && search->match.offset >= 0 &&
            timestamp <= search->match.timestamp_ms)
            continue;
        search->match = (struct log_time_match){
            .offset = offset, .timestamp_ms = timestamp, .leader_epoch = header->leader_epoch};
        if (!search->wants_largest)
            break;
    }
    return ERR_OK;
}

static enum err match_compressed(struct time_search *search, const struct batch_header *header,
                                 const uint8_t *data, size_t len)
{
    struct compress_decoder *decoder = compress_decoder_new();
    enum err e = compress_decoder_start(decoder, batch_codec(header), data, len,
                                        compress_decoded_bytes_max(len));
    if (e == ERR_OK) {
        struct record_source source;
        record_source_init_decoder(&source, decoder);
        e = match_records(search, header, &source);
    }
    compress_decoder_free(decoder);
    return e;
}

static enum err match_batch(struct time_search *search, struct env_file *file,
                            const struct batch_header *header, int64_t pos)
{
    size_t size = batch_size(header) - BATCH_HEADER_BYTES;
    ASSERT(pos >= 0);
    uint8_t *data = mem_try(size);
    if (data == NULL)
        return ERR_NO_MEMORY;
    size_t got = 0;
    enum err e = env_file_read(file, data, size, pos + BATCH_HEADER_BYTES, ENV_WAIT, &got);
    if (e == ERR_OK && got < size)
        e = ERR_CORRUPT;
    if (e == ERR_OK && batch_codec(header) == COMPRESS_NONE) {
        struct record_source source;
        record_source_init(&source, data, size);
        e = match_records(search, header, &source);
    } else if (e == ERR_OK && batch_codec(header) < COMPRESS_COUNT) {
        e = match_compressed(search, header, data, size);
    } else if (e == ERR_OK) {
        e = ERR_CORRUPT;
    }
    mem_free(data);
    return e;
}

/* ---- inside a segment */

/* A place at or before the first batch with so late a record. */
static enum err begin_of(const struct log_segment_view *item, int64_t timestamp_ms, int64_t *pos)
{
    *pos = 0;
    if (item->tail.time_count == 0 || item->tail.index_count == 0)
        return ERR_OK;
    struct env_file *file = NULL;
    struct timeindex_entry entry = {.timestamp = -1};
    enum err e = segment_file(item->segment, LOG_FILE_TIMEINDEX, ENV_WAIT, &file);
    if (e == ERR_OK)
        e = timeindex_find(file, item->tail.time_count, timestamp_ms, ENV_WAIT, &entry);
    env_file_unref(file);
    if (e != ERR_OK) /* without the time index, or while it is made anew: from the begin */
        return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? ERR_OK : e;
    struct segment_place place;
    e = segment_locate(item->segment, item->segment->base_offset + entry.relative_offset,
                       item->tail.index_count, item->end_pos, ENV_WAIT, &place);
    if (e == ERR_OK)
        *pos = place.pos;
    ASSERT(*pos <= item->end_pos);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err search_batches(struct time_search *search, const struct log_segment_view *item,
                               struct env_file *file, int64_t pos)
{
    uint8_t buffer[SEGMENT_WALK_BUFFER];
    struct segment_walk walk;
    segment_walk_init(&walk, file, pos, item->end_pos, ENV_WAIT);
    segment_walk_use(&walk, buffer, sizeof(buffer));
    for (;;) {
        struct batch_header header;
        int64_t at;
        enum err e = segment_walk_next(&walk, &header, &at);
        if (e != ERR_OK)
            return e == ERR_NOT_FOUND ? ERR_OK : e;
        if (header.base_offset >= search->segments->limit.offset)
            return ERR_OK;
        if (header.max_timestamp < search->timestamp_ms ||
            batch_last_offset(&header) < search->segments->log_start)
            continue;
        e = match_batch(search, file, &header, at);
        if (e != ERR_OK || search->match.offset >= 0)
            return e;
    }
}

static enum err search_segment(struct time_search *search, const struct log_segment_view *item)
{
    struct env_file *file = NULL;
    enum err e = segment_file(item->segment, LOG_FILE_LOG, ENV_WAIT, &file);
    if (e != ERR_OK)
        return e;
    int64_t pos = 0;
    e = begin_of(item, search->timestamp_ms, &pos);
    if (e == ERR_OK)
        e = search_batches(search, item, file, pos);
    env_file_unref(file);
    return e;
}

static const struct log_time_match no_match = {
    .offset = -1, .timestamp_ms = -1, .leader_epoch = -1};

/* Was something cut off since the views were made? Then what was read may be anything. */
static bool was_cut(const struct log_segments *segments)
{
    for (uint32_t i = 0; i < segments->count; i++) {
        const struct log_segment_view *item = &segments->items[i];
        if (atomic_load_explicit(&item->segment->cuts, memory_order_relaxed) != item->cuts)
            return true;
    }
    return false;
}

static enum err find_time(struct time_search *search)
{
    const struct log_segments *segments = search->segments;
    for (uint32_t i = 0; i < segments->count && search->match.offset < 0; i++) {
        if (segments->items[i].tail.max_timestamp < search->timestamp_ms)
            continue;
        enum err e = search_segment(search, &segments->items[i]);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

enum err log_segments_find_time(const struct log_segments *segments, int64_t timestamp_ms,
                                struct log_time_match *out)
{
    struct time_search search = {
        .segments = segments, .timestamp_ms = timestamp_ms, .match = no_match};
    enum err e = find_time(&search);
    if (was_cut(segments))
        return ERR_STALE;
    ASSERT(search.match.offset < segments->limit.offset);
    if (e == ERR_OK)
        *out = search.match;
    return e;
}

/* ---- the largest timestamp */

/* Of the batches that may be read; what the tail says counts only if that batch is one of them.
 * `only_whole`: not of the batch in which the log start lies. */
static enum err max_of_segment(const struct log_segments *segments,
                               const struct log_segment_view *item, bool only_whole,
                               int64_t *max_timestamp)
{
    const struct segment_tail *tail = &item->tail;
    ASSERT(item->end_pos <= tail->size);
    *max_timestamp = tail->max_timestamp;
    bool may_be_split = only_whole && item->segment->base_offset < segments->log_start;
    if (!may_be_split && tail->max_timestamp_offset >= segments->log_start &&
        tail->max_timestamp_offset < segments->limit.offset)
        return ERR_OK;
    *max_timestamp = -1;
    struct env_file *file = NULL;
    enum err e = segment_file(item->segment, LOG_FILE_LOG, ENV_WAIT, &file);
    if (e != ERR_OK)
        return e;
    uint8_t buffer[SEGMENT_WALK_BUFFER];
    struct segment_walk walk;
    segment_walk_init(&walk, file, 0, item->end_pos, ENV_WAIT);
    segment_walk_use(&walk, buffer, sizeof(buffer));
    struct batch_header header;
    int64_t at;
    while ((e = segment_walk_next(&walk, &header, &at)) == ERR_OK) {
        if (header.base_offset >= segments->limit.offset)
            break;
        int64_t first = only_whole ? header.base_offset : batch_last_offset(&header);
        if (first >= segments->log_start)
            *max_timestamp = MAX(*max_timestamp, header.max_timestamp);
    }
    env_file_unref(file);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err max_of_segments(const struct log_segments *segments, bool only_whole,
                                int64_t *largest)
{
    *largest = -1;
    for (uint32_t i = 0; i < segments->count; i++) {
        int64_t max_timestamp;
        enum err e = max_of_segment(segments, &segments->items[i], only_whole, &max_timestamp);
        if (e != ERR_OK)
            return e;
        *largest = MAX(*largest, max_timestamp);
    }
    return ERR_OK;
}

/* Of the records that are left of the batch in which the log start lies. */
static enum err match_split_batch(struct time_search *search)
{
    const struct log_segments *segments = search->segments;
    struct env_file *file = NULL;
    enum err e = segment_file(segments->items[0].segment, LOG_FILE_LOG, ENV_WAIT, &file);
    if (e != ERR_OK)
        return e;
    uint8_t buffer[SEGMENT_WALK_BUFFER];
    struct segment_walk walk;
    segment_walk_init(&walk, file, 0, segments->items[0].end_pos, ENV_WAIT);
    segment_walk_use(&walk, buffer, sizeof(buffer));
    struct batch_header header;
    int64_t at;
    do
        e = segment_walk_next(&walk, &header, &at);
    while (e == ERR_OK && batch_last_offset(&header) < segments->log_start);
    if (e == ERR_OK && header.base_offset < segments->log_start)
        e = match_batch(search, file, &header, at);
    env_file_unref(file);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* The largest time belongs to a record below the log start, in a batch that reaches over it. */
static enum err find_max_of_rest(const struct log_segments *segments, struct log_time_match *out)
{
    struct time_search split = {.segments = segments, .wants_largest = true, .match = no_match};
    int64_t largest = -1;
    enum err e = match_split_batch(&split);
    if (e == ERR_OK)
        e = max_of_segments(segments, true, &largest);
    if (was_cut(segments))
        return ERR_STALE;
    if (e == ERR_OK && largest > split.match.timestamp_ms)
        return log_segments_find_time(segments, largest, out);
    if (e == ERR_OK)
        *out = split.match;
    return e;
}

enum err log_segments_find_max_time(const struct log_segments *segments, struct log_time_match *out)
{
    int64_t largest = -1;
    struct log_time_match match = no_match;
    enum err e = max_of_segments(segments, false, &largest);
    if (e != ERR_OK)
        return was_cut(segments) ? ERR_STALE : e;
    if (largest >= 0)
        e = log_segments_find_time(segments, largest, &match);
    if (e == ERR_OK && largest >= 0 && match.offset < 0)
        return find_max_of_rest(segments, out);
    if (e == ERR_OK)
        *out = match;
    return e;
}

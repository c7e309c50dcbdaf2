// SPDX-License-Identifier: Apache-2.0
/*
 * log_read: from an offset to a range of a file, in two steps: a view of one segment under
 * the lock, then the search in it without. Readers near the end need no search: the
 * last batches' places are remembered. Who reads batch after batch needs no index: where
 * each such reader goes on is remembered in the segment (docs/decisions/007).
 *
 * Thread: marked at each function in partition_log.h.
 */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "log/log_segment_view.h"
#include "log/partition_log_private.h"
#include "log/segment_behind.h"
#include "log/segment_walk.h"

/* Readable bytes of a segment below a limit; *seeks: only a bound, the limit's place is not known.
 */
static int64_t readable_end(const struct segment *seg, const struct log_position *limit,
                            bool *seeks)
{
    *seeks = false;
    if (limit->offset >= seg->tail.next_offset)
        return seg->tail.size;
    if (limit->pos >= 0 && limit->segment_base == seg->base_offset)
        return MIN(limit->pos, seg->tail.size);
    *seeks = true;
    return seg->tail.size;
}

static void give_hint(const struct partition_log *log, int64_t offset, struct log_view *view)
{
    view->hint = (struct log_position){.offset = -1, .segment_base = -1, .pos = -1};
    if (log->recent == NULL || log->recent->segment_base != view->segment->base_offset)
        return;
    const struct recent_batch *batch = recent_batches_find(log->recent, offset);
    if (batch == NULL || (int64_t)batch->pos + batch->size > view->end_pos)
        return;
    view->hint = (struct log_position){
        .offset = batch->offset, .segment_base = view->segment->base_offset, .pos = batch->pos};
    view->hint_bytes = batch->size;
    ASSERT(offset <= batch->offset + batch->last_offset_delta);
}

/* A view ends where the bytes begin that are held, or begins there. */
static void end_before_held(const struct partition_log *log, int64_t offset,
                            const struct log_position *limit, struct log_view *view)
{
    const struct log_held *held = &log->held;
    if (view->segment == log_last_segment(log))
        view->index_count = MIN(view->index_count, held->index_count);
    if (held->at.segment_base != view->segment->base_offset || offset >= held->at.offset)
        return;
    view->is_filed = true;
    view->end_pos = MIN(view->end_pos, held->at.pos);
    if (limit->offset < held->at.offset)
        return;
    view->end_offset = held->at.offset;
    view->seeks_end = false;
    view->is_last = view->is_last && limit->offset == held->at.offset;
}

enum err partition_log_view(struct partition_log *log, int64_t offset,
                            const struct log_position *limit, struct log_view *out)
{
    ASSERT(limit->offset <= log->written.offset);
    if (offset < log->log_start || offset > limit->offset)
        return ERR_RANGE;
    struct log_view view = {.is_last = true};
    if (offset == limit->offset) {
        view.end_offset = offset;
        *out = view;
        return ERR_OK;
    }
    uint32_t index = log_segment_index(log, offset);
    while (index + 1 < log->segment_count && offset >= log->segments[index]->tail.next_offset)
        index++; /* a hole between two segments, left by compaction */
    struct segment *seg = log->segments[index];
    view.end_pos = readable_end(seg, limit, &view.seeks_end);
    view.end_offset = MIN(limit->offset, seg->tail.next_offset);
    view.is_last =
        index + 1 == log->segment_count || log->segments[index + 1]->base_offset >= limit->offset;
    ASSERT(view.end_pos >= 0 && view.end_pos <= seg->tail.size);
    ASSERT(view.end_offset > offset && view.end_offset <= log->written.offset);
    view.may_have_hole = index + 1 < log->segment_count;
    view.index_count = seg->tail.index_count;
    view.cuts = atomic_load_explicit(&seg->cuts, memory_order_relaxed);
    view.segment = segment_ref(seg);
    end_before_held(log, offset, limit, &view);
    view.resume_pos = segment_resume_find(seg, offset);
    if (view.resume_pos >= view.end_pos)
        view.resume_pos = 0; /* a damaged header misled the one who came there */
    give_hint(log, offset, &view);
    *out = view;
    return ERR_OK;
}

void log_view_release(struct log_view *view)
{
    segment_unref(view->segment);
    *view = (struct log_view){0};
}

struct log_position partition_log_locate(const struct partition_log *log, int64_t offset)
{
    if (offset == log->written.offset)
        return log->written;
    if (offset == log->durable.offset)
        return log->durable;
    struct log_position place = {.offset = offset, .segment_base = -1, .pos = -1};
    if (log->recent == NULL)
        return place;
    const struct recent_batch *batch = recent_batches_find(log->recent, offset);
    if (batch != NULL && batch->offset == offset) {
        place.segment_base = log->recent->segment_base;
        place.pos = batch->pos;
    }
    return place;
}

/* ---- without the lock */

static enum err find_first(const struct log_view *view, int64_t offset, enum env_read_mode mode,
                           struct segment_place *out)
{
    if (view->hint_bytes > 0) {
        ASSERT(view->hint.segment_base == view->segment->base_offset);
        *out = (struct segment_place){
            .pos = view->hint.pos,
            .size = view->hint_bytes,
            .base_offset = view->hint.offset,
            .last_offset = -1,
        };
        return ERR_OK;
    }
    if (view->resume_pos > 0) {
        enum err e =
            segment_locate_from(view->segment, offset, view->resume_pos, view->end_pos, mode, out);
        if (e != ERR_CORRUPT)
            return e;
    }
    return segment_locate(view->segment, offset, view->index_count, view->end_pos, mode, out);
}

static enum err find_end(const struct log_view *view, enum env_read_mode mode, int64_t *end_pos)
{
    *end_pos = view->end_pos;
    if (!view->seeks_end)
        return ERR_OK;
    ASSERT(view->end_offset > view->segment->base_offset);
    struct segment_place behind;
    enum err e = segment_locate(view->segment, view->end_offset, view->index_count, view->end_pos,
                                mode, &behind);
    if (e == ERR_OK || e == ERR_NOT_FOUND)
        *end_pos = behind.pos;
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err find_range(const struct log_view *view, int64_t offset, enum env_read_mode mode,
                           struct segment_place *first, int64_t *end_pos)
{
    enum err e = find_end(view, mode, end_pos);
    if (e == ERR_OK)
        e = find_first(view, offset, mode, first);
    if (e == ERR_OK && first->pos + first->size > *end_pos)
        e = ERR_NOT_FOUND; /* the batch goes beyond what this reader may see */
    return e;
}

static bool was_cut_since(const struct log_view *view)
{
    return atomic_load(&view->segment->cuts) != view->cuts;
}

struct log_wanted {
    int64_t offset;
    int64_t bytes_max;
    bool whole_first;
};

/* ---- in what is held */

/* What of it this reader may see, when the limit's place is not known: the batches that end at or
 * below it. */
static size_t held_end(const struct log_view *view, const uint8_t *data, size_t len)
{
    struct batch_walk walk = {.pos = data, .left = len};
    struct batch_header header;
    const uint8_t *batch;
    while (view->seeks_end && batch_next(&walk, &header, &batch) == ERR_OK) {
        if (batch_last_offset(&header) >= view->end_offset)
            return (size_t)(batch - data);
    }
    return len;
}

/* ERR_NOT_FOUND: it lies before, in the file. */
static enum err find_held(const struct log_view *view, const struct segment_held *held,
                          int64_t offset, struct log_range *out)
{
    int64_t readable = MIN((int64_t)held->bytes.len, view->end_pos - held->pos);
    if (readable <= 0)
        return ERR_NOT_FOUND;
    const uint8_t *data = held->bytes.data;
    struct batch_header header;
    if (batch_header_read(data, (size_t)readable, &header) && header.base_offset > offset)
        return ERR_NOT_FOUND;
    size_t end = held_end(view, data, (size_t)readable);
    struct batch_walk walk = {.pos = data, .left = end};
    const uint8_t *batch;
    while (batch_next(&walk, &header, &batch) == ERR_OK) {
        if (batch_last_offset(&header) < offset)
            continue;
        *out = (struct log_range){
            .pos = held->pos + (batch - data),
            .len = (int64_t)end - (batch - data),
            .first_batch_bytes = (int64_t)batch_size(&header),
            .base_offset = header.base_offset,
            .next_offset = -1,
        };
        return ERR_OK;
    }
    *out = (struct log_range){.base_offset = -1, .next_offset = -1};
    return view->seeks_end ? ERR_OK : ERR_CORRUPT; /* none that is wholly below the limit */
}

static int64_t fitting(const struct log_range *range, const struct log_wanted *wanted)
{
    int64_t len = MIN(wanted->bytes_max, range->len);
    if (len < range->first_batch_bytes)
        len = wanted->whole_first ? range->first_batch_bytes : 0;
    return len;
}

/* ERR_NOT_FOUND: the file has it; *filed is the view of that. */
static enum err find_behind(const struct log_view *view, const struct log_wanted *wanted,
                            struct log_view *filed, struct log_range *out)
{
    struct segment_held held;
    *filed = *view;
    if (view->is_filed || !segment_is_behind(view->segment))
        return ERR_NOT_FOUND;
    segment_held_take(view->segment, &held);
    if (held.bytes.len == 0)
        return ERR_NOT_FOUND;
    enum err e = find_held(view, &held, wanted->offset, out);
    if (e == ERR_OK && out->len > 0) {
        out->len = fitting(out, wanted);
        if (out->len > 0)
            out->held = iobuf_slice(held.bytes.buf, held.bytes.data + (out->pos - held.pos),
                                    (size_t)out->len);
    }
    filed->end_pos = MIN(view->end_pos, held.pos);
    filed->index_count = MIN(view->index_count, held.index_count);
    if (filed->resume_pos >= filed->end_pos)
        filed->resume_pos = 0;
    iobuf_slice_release(&held.bytes);
    return e;
}

/* ---- in the file */

static enum err find_filed(const struct log_view *view, const struct log_wanted *wanted,
                           enum env_read_mode mode, struct log_range *out)
{
    struct segment_place first;
    int64_t end_pos;
    enum err e = find_range(view, wanted->offset, mode, &first, &end_pos);
    if (e != ERR_OK)
        return e;
    struct log_range range = {
        .pos = first.pos,
        .len = end_pos - first.pos,
        .first_batch_bytes = first.size,
        .base_offset = first.base_offset,
        .next_offset = -1,
    };
    range.len = fitting(&range, wanted);
    int64_t sound = segment_sound_bytes(view->segment, range.pos, MAX(range.len, (int64_t)1));
    if (sound == 0)
        return ERR_CORRUPT; /* as the scrub found out */
    range.len = MIN(range.len, sound);
    ASSERT(range.len >= 0 && range.pos + range.len <= end_pos);
    if (range.len == first.size && first.last_offset >= 0)
        range.next_offset = first.last_offset + 1;
    if (range.len > 0)
        e = segment_file_as_is(view->segment, LOG_FILE_LOG, mode, &range.file);
    if (e == ERR_OK)
        *out = range;
    return e;
}

enum err log_view_find(const struct log_view *view, int64_t offset, int64_t bytes_max,
                       bool whole_first, enum env_read_mode mode, struct log_range *out)
{
    ASSERT(view->segment != NULL);
    ASSERT(bytes_max >= 0);
    ASSERT(offset < view->end_offset);
    struct log_view filed;
    struct log_range range = {0};
    const struct log_wanted wanted = {offset, bytes_max, whole_first};
    enum err e = find_behind(view, &wanted, &filed, &range);
    if (e == ERR_NOT_FOUND)
        e = find_filed(&filed, &wanted, mode, &range);
    if (was_cut_since(view) && e != ERR_AGAIN) {
        log_range_release(&range); /* under this name there may be another file by now */
        return ERR_STALE;
    }
    if (e == ERR_NOT_FOUND && (view->seeks_end || view->may_have_hole)) {
        *out =
            (struct log_range){.base_offset = -1, .next_offset = -1, .is_hole = !view->seeks_end};
        return ERR_OK;
    }
    if (e == ERR_NOT_FOUND)
        return ERR_CORRUPT;
    if (e == ERR_OK)
        *out = range;
    return e;
}

void log_range_release(struct log_range *range)
{
    env_file_unref(range->file);
    iobuf_slice_release(&range->held);
    *range = (struct log_range){0};
}

enum err log_range_read(const struct log_range *range, uint8_t *out, size_t len, size_t *got)
{
    len = MIN(len, (size_t)range->len);
    if (range->file != NULL)
        return env_file_read(range->file, out, len, range->pos, ENV_WAIT, got);
    memcpy(out, range->held.data, len);
    *got = len;
    return ERR_OK;
}

enum err log_range_empty_part(const struct log_range *range, enum env_read_mode mode,
                              int64_t *bytes, int64_t *next_offset)
{
    uint8_t buffer[SEGMENT_WALK_BUFFER];
    struct segment_walk walk;
    struct batch_header header;
    int64_t pos;
    *bytes = 0;
    *next_offset = range->base_offset;
    if (range->file == NULL || range->first_batch_bytes != BATCH_HEADER_BYTES)
        return ERR_OK;
    segment_walk_init(&walk, range->file, range->pos, range->pos + range->len, mode);
    segment_walk_use(&walk, buffer, sizeof(buffer));
    enum err e = segment_walk_next(&walk, &header, &pos);
    while (e == ERR_OK && header.record_count == 0) {
        *bytes = pos + BATCH_HEADER_BYTES - range->pos;
        *next_offset = batch_last_offset(&header) + 1;
        e = segment_walk_next(&walk, &header, &pos);
    }
    return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? ERR_OK : e; /* the range may end in a batch */
}

/* Safe though it lies outside the lock for a moment: the segment is the one that was searched, held
 * by the view, and a border that was found before a cut has the cuts of the view, which no later
 * view of the segment has. Bytes below a border never change without a cut. */
void log_view_remember(const struct log_view *view, const struct log_range *range)
{
    ASSERT(range->next_offset > range->base_offset);
    ASSERT(range->pos + range->len <= view->end_pos);
    struct segment_resume border = {
        .offset = range->next_offset,
        .pos = (uint32_t)(range->pos + range->len),
        .cuts = view->cuts,
    };
    segment_resume_add(view->segment, &border);
}

/* ---- many segments at once */

void partition_log_segments(struct partition_log *log, const struct log_position *limit,
                            struct log_segments *out)
{
    ASSERT(limit->offset <= log->written.offset);
    struct log_segments found = {.log_start = log->log_start, .limit = *limit};
    uint32_t first = log_segment_index(log, log->log_start);
    found.items = mem_alloc((log->segment_count - first) * sizeof(*found.items));
    for (uint32_t i = first; i < log->segment_count; i++) {
        struct segment *seg = log->segments[i];
        if (seg->base_offset >= limit->offset)
            break;
        struct log_segment_view *item = &found.items[found.count++];
        item->segment = segment_ref(seg);
        item->tail = seg->tail;
        item->cuts = atomic_load_explicit(&seg->cuts, memory_order_relaxed);
        item->end_pos = readable_end(seg, limit, &item->seeks_end);
    }
    *out = found;
}

void partition_log_hold_segments(struct partition_log *log, struct log_segments *out)
{
    ASSERT(log->segment_count > 0);
    struct log_segments found = {.log_start = log->log_start, .limit = log->written};
    found.items = mem_alloc(log->segment_count * sizeof(*found.items));
    for (; found.count < log->segment_count; found.count++)
        found.items[found.count].segment = segment_ref(log->segments[found.count]);
    *out = found;
}

void log_segments_release(struct log_segments *segments)
{
    for (uint32_t i = 0; i < segments->count; i++)
        segment_unref(segments->items[i].segment);
    mem_free(segments->items);
    *segments = (struct log_segments){0};
}

void log_segments_end(const struct log_segments *segments)
{
    static const int64_t nothing[SEGMENT_FILES];
    for (uint32_t i = 0; i < segments->count; i++) {
        segment_drop_behind(segments->items[i].segment, nothing);
        segment_close_files(segments->items[i].segment);
    }
}

// SPDX-License-Identifier: Apache-2.0
/*
 * partition_read: how far a reader may read, and where those bytes lie.
 *
 * Under the monitor only the segment and the limits are taken; the search inside the
 * segment's index and file runs without it, on the caller's thread when the page cache
 * has what is needed, else on a worker.
 *
 * Thread: any; ENV_WAIT only on workers.
 */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "replica/partition_private.h"

enum { READ_TRIES = 8 };

enum { NO_EPOCH = -1 };

/* KIP-320: an older epoch than ours is fenced, a newer one is not known here yet. */
static enum kerr check_epoch(const struct partition *p, int32_t current_leader_epoch)
{
    enum kerr refusal = partition_refusal(p);
    if (refusal != KERR_NONE || current_leader_epoch == NO_EPOCH)
        return refusal;
    if (current_leader_epoch < p->leader_epoch)
        return KERR_FENCED_LEADER_EPOCH;
    if (current_leader_epoch > p->leader_epoch)
        return KERR_UNKNOWN_LEADER_EPOCH;
    return KERR_NONE;
}

/* KIP-595: the reader's last record has an epoch that ends here before the reader's position. Where
 * that epoch, or any before it, is not known at all, there is no place to send the reader back to:
 * its offset is out of range, as Kafka has it. */
static bool has_diverged(const struct partition *p, const struct partition_read *read,
                         struct partition_read_result *result)
{
    if (read->last_fetched_epoch < 0)
        return false;
    int32_t epoch;
    int64_t end_offset;
    partition_log_epoch_end(p->log, read->last_fetched_epoch, &epoch, &end_offset);
    if (epoch == read->last_fetched_epoch && end_offset >= read->offset)
        return false;
    if (epoch < 0)
        result->error = KERR_OFFSET_OUT_OF_RANGE;
    result->diverging_epoch = epoch;
    result->diverging_end_offset = end_offset;
    return true;
}

/* [monitor] Fills offsets and the view; a view without a segment means there is nothing to send. */
static void read_begin(struct partition *p, const struct partition_read *read,
                       struct partition_read_result *result, struct log_view *view)
{
    result->error = check_epoch(p, read->current_leader_epoch);
    result->high_watermark = p->high_watermark.offset;
    result->last_stable_offset = p->high_watermark.offset;
    result->log_start_offset = partition_log_start_offset(p->log);
    if (result->error != KERR_NONE || has_diverged(p, read, result))
        return;
    struct log_position limit = p->high_watermark;
    struct log_position written = partition_log_written(p->log);
    if (read->reader == PARTITION_READER_FOLLOWER)
        limit = written;
    /* Between high watermark and end there is nothing to read yet, but the offset exists. */
    if (read->offset > limit.offset && read->offset <= partition_log_assigned(p->log))
        return;
    enum err e = partition_log_view(p->log, read->offset, &limit, view);
    if (e != ERR_OK)
        result->error = e == ERR_RANGE ? KERR_OFFSET_OUT_OF_RANGE : kerr_from_err(e);
}

/* A row with an error tells no offsets, as Kafka's. */
static void hide_offsets(struct partition_read_result *result)
{
    if (result->error == KERR_NONE)
        return;
    result->high_watermark = -1;
    result->last_stable_offset = -1;
    result->log_start_offset = -1;
}

/* Batches without records, which compaction leaves, are passed over where more lies behind them. A
 * consumer has nothing from them, and clients take an answer that brings no record for one that was
 * cut off: they ask for more and more bytes. Followers need them, and who comes to the end learns
 * from them where that is. */
static enum err pass_empty(const struct log_view *view, enum env_read_mode mode,
                           struct log_range *range, int64_t *hole_end)
{
    int64_t bytes;
    int64_t next_offset;
    enum err e = log_range_empty_part(range, mode, &bytes, &next_offset);
    bool is_rest = range->pos + bytes == view->end_pos;
    if (e == ERR_OK && (bytes == 0 || view->seeks_end || (is_rest && view->is_last)))
        return ERR_OK;
    *hole_end = is_rest ? view->end_offset : next_offset;
    log_range_release(range);
    return e;
}

struct reading {
    struct partition *p;
    enum env_read_mode mode;
    bool passes_empty;
};

/* One try in one segment. ERR_STALE: the segment was cut or deleted between the view and the
 * search. *hole_end: nothing lies from the offset to there; -1: there is no hole. */
static enum err read_segment(const struct reading *reading, const struct partition_read *read,
                             struct partition_read_result *found, int64_t *hole_end)
{
    struct partition *p = reading->p;
    struct log_view view = {0};
    *hole_end = -1;
    *found = (struct partition_read_result){
        .diverging_epoch = -1, .diverging_end_offset = -1, .hole_end = -1};
    monitor_enter(&p->monitor);
    read_begin(p, read, found, &view);
    monitor_leave(&p->monitor);
    bool wants_bytes = read->bytes_max > 0 || read->whole_first;
    if (view.segment == NULL || !wants_bytes) { /* then no file need be opened */
        log_view_release(&view);
        return ERR_OK;
    }
    enum err e = log_view_find(&view, read->offset, read->bytes_max, read->whole_first,
                               reading->mode, &found->range);
    if (e == ERR_OK && found->range.next_offset >= 0) {
        monitor_enter(&p->monitor);
        log_view_remember(&view, &found->range);
        monitor_leave(&p->monitor);
    }
    if (e == ERR_OK && found->range.is_hole)
        *hole_end = view.end_offset;
    else if (e == ERR_OK && reading->passes_empty)
        e = pass_empty(&view, reading->mode, &found->range, hole_end);
    found->has_more = e == ERR_OK && found->range.len > 0 && !view.is_last;
    log_view_release(&view);
    return e;
}

/* The same, going on behind holes that compaction left. */
static enum err read_behind_holes(const struct reading *reading, const struct partition_read *read,
                                  struct partition_read_result *found)
{
    struct partition_read from = *read;
    int64_t hole_end;
    enum err e = read_segment(reading, &from, found, &hole_end);
    while (e == ERR_OK && hole_end >= 0) {
        ASSERT(hole_end > from.offset);
        from.offset = hole_end;
        from.last_fetched_epoch = -1; /* it was looked at */
        e = read_segment(reading, &from, found, &hole_end);
        found->hole_end = from.offset;
    }
    return e;
}

/* Up to what is damaged a consumer is led, so that it is told of the right offset. */
static enum err read_once(struct partition *p, const struct partition_read *read,
                          enum env_read_mode mode, struct partition_read_result *found)
{
    struct reading reading = {p, mode, read->reader == PARTITION_READER_CONSUMER};
    enum err e = read_behind_holes(&reading, read, found);
    if (e != ERR_CORRUPT || !reading.passes_empty)
        return e;
    reading.passes_empty = false;
    return read_behind_holes(&reading, read, found);
}

/* What blocks may open files: a round closes them again when nobody uses them. */
static void note_open_files(struct partition *p)
{
    monitor_enter(&p->monitor);
    bool is_news = partition_touch(p);
    monitor_leave(&p->monitor);
    if (is_news)
        partition_tell_touched(p);
}

enum err partition_read(struct partition *p, const struct partition_read *read,
                        enum env_read_mode mode, struct partition_read_result *result)
{
    ASSERT(read->bytes_max >= 0);
    struct partition_read_result found;
    enum err e = read_once(p, read, mode, &found);
    for (int again = 0; e == ERR_STALE && again < READ_TRIES; again++)
        e = read_once(p, read, mode, &found);
    if (mode == ENV_WAIT)
        note_open_files(p);
    if (e == ERR_AGAIN) {
        ASSERT(mode == ENV_NOWAIT);
        return ERR_AGAIN;
    }
    /* No descriptors or no memory just now: nothing to send, try again. Of what is damaged clients
     * can tell people, who may pass over it. */
    if (e != ERR_OK && !err_may_pass(e))
        found.error = e == ERR_CORRUPT ? KERR_CORRUPT_MESSAGE : KERR_KAFKA_STORAGE_ERROR;
    hide_offsets(&found);
    *result = found;
    return ERR_OK;
}

enum kerr partition_check_epoch(struct partition *p, int32_t current_leader_epoch)
{
    monitor_enter(&p->monitor);
    enum kerr error = check_epoch(p, current_leader_epoch);
    monitor_leave(&p->monitor);
    return error;
}

enum kerr partition_epoch_end(struct partition *p, int32_t current_leader_epoch, int32_t epoch,
                              int32_t *found_epoch, int64_t *end_offset)
{
    monitor_enter(&p->monitor);
    enum kerr error = check_epoch(p, current_leader_epoch);
    if (error == KERR_NONE)
        partition_log_epoch_end(p->log, epoch, found_epoch, end_offset);
    monitor_leave(&p->monitor);
    return error;
}

enum kerr partition_find_time(struct partition *p, int64_t timestamp_ms, struct log_time_match *out)
{
    struct log_segments segments = {0};
    monitor_enter(&p->monitor);
    enum kerr error = partition_refusal(p);
    if (error == KERR_NONE)
        partition_log_segments(p->log, &p->high_watermark, &segments);
    monitor_leave(&p->monitor);
    if (error != KERR_NONE)
        return error;
    struct log_time_match found = {.offset = -1, .timestamp_ms = -1, .leader_epoch = -1};
    enum err e = timestamp_ms == PARTITION_TIME_MAX
                     ? log_segments_find_max_time(&segments, &found)
                     : log_segments_find_time(&segments, timestamp_ms, &found);
    log_segments_release(&segments);
    note_open_files(p);
    if (e != ERR_OK)
        return kerr_from_err(e);
    *out = found;
    return KERR_NONE;
}

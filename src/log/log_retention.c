// SPDX-License-Identifier: Apache-2.0
/*
 * log_retention: what retention no longer wants leaves the log, oldest first: by the largest
 * timestamp of a segment, by size, by the log start. Its files are renamed to .deleted
 * and unlinked later, so that readers who hold them can finish.
 *
 * Thread: marked at each function in partition_log.h.
 * Crash:  names change oldest first and are durable before anything is unlinked.
 */
#include <stdio.h>

#include "base/assert.h"
#include "base/canary.h"
#include "base/mem.h"
#include "log/partition_log_private.h"

/* [lock] The base offset of what follows the segment at this index. */
static int64_t end_of_segment(const struct partition_log *log, uint32_t index)
{
    return index + 1 < log->segment_count ? log->segments[index + 1]->base_offset
                                          : log->segments[index]->tail.next_offset;
}

static bool is_expired(const struct partition_log *log, const struct segment *seg, int64_t now_ms)
{
    if (!log->config.cleanup_delete || log->config.retention_ms < 0)
        return false;
    int64_t newest_ms = CANARY(EARLY_RETENTION) ? seg->tail.first_timestamp
                                                : segment_newest_ms(&seg->tail, seg->created_ms);
    return now_ms - newest_ms > log->config.retention_ms;
}

/* As Kafka: a segment goes when what is left without it still reaches retention.bytes. */
static bool is_too_much(const struct partition_log *log, const struct segment *seg,
                        int64_t bytes_left)
{
    if (!log->config.cleanup_delete || log->config.retention_bytes < 0)
        return false;
    return bytes_left - seg->tail.size >= log->config.retention_bytes;
}

static uint32_t count_unwanted(const struct partition_log *log, int64_t now_ms,
                               int64_t high_watermark, bool needs_room)
{
    int64_t bytes_left = log->size_bytes;
    uint32_t count = 0;
    for (; count < log->segment_count; count++) {
        const struct segment *seg = log->segments[count];
        int64_t end = end_of_segment(log, count);
        bool is_last = count + 1 == log->segment_count;
        if (end > high_watermark || (is_last && seg->tail.size == 0))
            break;
        bool is_before_start = (!is_last || needs_room) && end <= log->log_start;
        if (!is_before_start && !is_expired(log, seg, now_ms) && !is_too_much(log, seg, bytes_left))
            break;
        bytes_left -= seg->tail.size;
    }
    return count;
}

uint32_t partition_log_retire(struct partition_log *log, int64_t now_ms, int64_t high_watermark,
                              bool needs_room, struct list *retired)
{
    ASSERT(high_watermark <= log->written.offset);
    uint32_t count = count_unwanted(log, now_ms, high_watermark, needs_room);
    if (count == log->segment_count) {
        log->wants_roll = true; /* the last one goes once another has begun */
        count--;
    }
    ASSERT(count < log->segment_count);
    for (uint32_t i = 0; i < count; i++) {
        struct segment *seg = log->segments[i];
        ASSERT(seg != log_last_segment(log));
        log->size_bytes -= seg->tail.size;
        list_push_back(retired, &seg->link); /* the reference moves */
    }
    log->segment_count -= count;
    for (uint32_t i = 0; i < log->segment_count; i++)
        log->segments[i] = log->segments[i + count];
    ASSERT(log->segment_count > 0 && log->size_bytes >= 0);
    partition_log_raise_start(log, log->segments[0]->base_offset);
    if (log->durable.offset < log->log_start) {
        /* Deleted bytes need no sync; what is left begins with this segment. */
        log->durable = (struct log_position){.offset = log->segments[0]->base_offset,
                                             .segment_base = log->segments[0]->base_offset};
    }
    log->synced = MAX(log->synced, MIN(log->segments[0]->base_offset, log->durable.offset));
    partition_log_check(log);
    return count;
}

static int64_t later(int64_t ms, int64_t by_ms)
{
    return by_ms >= 0 && ms > INT64_MAX - by_ms ? INT64_MAX : ms + by_ms;
}

/* The oldest segment decides: none goes before it. */
static int64_t retention_due_ms(const struct partition_log *log, int64_t now_ms)
{
    const struct segment *oldest = log->segments[0];
    bool is_last = log->segment_count == 1;
    if (is_last && oldest->tail.size == 0)
        return INT64_MAX;
    bool is_before_start = !is_last && end_of_segment(log, 0) <= log->log_start;
    if (is_before_start || is_expired(log, oldest, now_ms) ||
        is_too_much(log, oldest, log->size_bytes))
        return INT64_MIN;
    if (!log->config.cleanup_delete || log->config.retention_ms < 0)
        return INT64_MAX;
    int64_t newest_ms = segment_newest_ms(&oldest->tail, oldest->created_ms);
    return later(later(newest_ms, log->config.retention_ms), 1);
}

int64_t partition_log_upkeep_due_ms(const struct partition_log *log, int64_t now_ms)
{
    int64_t producers_ms =
        producer_state_due_ms(&log->producers, log->config.producer_expiration_ms);
    return MIN(retention_due_ms(log, now_ms), producers_ms);
}

bool partition_log_wants_roll(const struct partition_log *log)
{
    return log->wants_roll;
}

void partition_log_raise_start(struct partition_log *log, int64_t offset)
{
    ASSERT(offset <= log->written.offset);
    if (offset <= log->log_start)
        return;
    log->log_start = offset;
    leader_epochs_cut_start(&log->epochs, offset);
}

enum err partition_log_delete_segments(struct partition_log *log, struct list *retired)
{
    LIST_FOR_EACH (node, retired) {
        struct segment *seg = container_of(node, struct segment, link);
        enum err e = segment_rename_all(seg, LOG_STAGE_LIVE, LOG_STAGE_DELETED);
        if (e != ERR_OK) {
            log_fault_note(log, LOG_STEP_DELETE, e,
                           &(struct log_position){-1, seg->base_offset, -1});
            return e;
        }
    }
    /* Before any of them is unlinked: else a crash could bring an old one back and not its
     * successor, which leaves a hole. */
    return env_dir_sync(log->env, log->home->dir);
}

static void unlink_retired(struct segment *seg)
{
    list_remove(&seg->link);
    enum err ignored = segment_unlink_all(seg, LOG_STAGE_DELETED);
    (void)ignored; /* found and removed at the next open */
    segment_unref(seg);
}

void partition_log_unlink_retired(struct env *env, struct list *retired)
{
    (void)env;
    LIST_FOR_EACH_SAFE (node, retired)
        unlink_retired(container_of(node, struct segment, link));
}

void partition_log_retired_at(struct list *retired, int64_t unlink_ms)
{
    LIST_FOR_EACH (node, retired)
        container_of(node, struct segment, link)->unlink_ms = unlink_ms;
}

int64_t partition_log_unlink_due(struct list *retired, int64_t now_ms)
{
    int64_t next_ms = INT64_MAX;
    LIST_FOR_EACH_SAFE (node, retired) {
        struct segment *seg = container_of(node, struct segment, link);
        if (seg->unlink_ms <= now_ms)
            unlink_retired(seg);
        else
            next_ms = MIN(next_ms, seg->unlink_ms);
    }
    return next_ms;
}

/* ---- the whole log */

enum err partition_log_doom_dir(struct env *env, const char *dir, char *renamed)
{
    enum err e = log_file_suffixed(env, dir, "-delete", renamed)
                     ? env_path_rename(env, dir, renamed)
                     : ERR_TOO_LARGE;
    if (e != ERR_OK)
        renamed[0] = '\0';
    if (e != ERR_OK)
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    return log_file_sync_parent(env, dir);
}

/* ---- producers */

uint32_t partition_log_producer_count(const struct partition_log *log)
{
    return (uint32_t)log->producers.by_id.count;
}

uint32_t partition_log_producers(const struct partition_log *log, struct producer_info *out,
                                 uint32_t room)
{
    uint32_t count = 0;
    MAP_FOR_EACH (node, &log->producers.by_id) {
        const struct producer_entry *entry = container_of(node, struct producer_entry, node);
        if (count == room)
            break;
        out[count++] = (struct producer_info){
            .producer_id = entry->producer_id,
            .epoch = entry->epoch,
            .last_sequence = producer_entry_last_sequence(entry),
            .last_timestamp_ms = entry->last_timestamp_ms,
            .current_txn_first_offset = entry->txn_first_offset,
        };
    }
    return count;
}

void partition_log_expire_producers(struct partition_log *log, int64_t now_ms)
{
    size_t before = log->producers.by_id.count;
    producer_state_expire(&log->producers, now_ms, log->config.producer_expiration_ms);
    if (log->producers.by_id.count != before)
        log->is_as_stopped = false; /* the snapshot still has them */
}

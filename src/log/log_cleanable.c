// SPDX-License-Identifier: Apache-2.0
/* log_cleanable: see log_cleanable.h; the rules are those of Kafka's LogCleanerManager. Thread: see
 * log_cleanable.h. */
#include "log/log_cleanable.h"

#include "base/assert.h"
#include "base/mem.h"
#include "log/partition_log_private.h"
#include "log/segment_walk.h"

/* A transaction that is open, or may be, keeps what lies behind its begin from being looked at. */
static int64_t first_open(const struct partition_log *log, int64_t end)
{
    MAP_FOR_EACH (node, &log->producers.by_id) {
        const struct producer_entry *entry = container_of(node, struct producer_entry, node);
        if (entry->txn_first_offset >= 0)
            end = MIN(end, entry->txn_first_offset);
    }
    return end;
}

static int64_t end_of(const struct partition_log *log, uint32_t index)
{
    ASSERT(index + 1 < log->segment_count);
    return log->segments[index + 1]->base_offset;
}

static bool is_too_young(const struct partition_log *log, const struct segment *seg, int64_t now_ms)
{
    int64_t lag_ms = log->config.min_compaction_lag_ms;
    return lag_ms > 0 && segment_newest_ms(&seg->tail, seg->created_ms) > now_ms - lag_ms;
}

/* Looks at one dirty sealed segment; false: it and what lies behind it must wait. */
static bool take_dirty(const struct partition_log *log, uint32_t index, int64_t now_ms,
                       struct log_cleanable *out)
{
    struct segment *seg = log->segments[index];
    bool is_first = out->dirty_bytes == 0;
    if (seg->tail.size > 0 && seg->tail.first_timestamp > 0)
        out->oldest_dirty_ms = MIN(out->oldest_dirty_ms, seg->tail.first_timestamp);
    else if (seg->tail.size > 0 && is_first && out->unknown == NULL)
        out->unknown = segment_ref(seg);
    return !is_too_young(log, seg, now_ms);
}

void partition_log_cleanable(const struct partition_log *log, const struct log_clean_query *query,
                             struct log_cleanable *out)
{
    *out = (struct log_cleanable){.first_dirty = query->first_dirty, .oldest_dirty_ms = INT64_MAX};
    const struct segment *active = log_last_segment(log);
    if (out->first_dirty < log->log_start || out->first_dirty > active->base_offset)
        out->first_dirty = log->log_start;
    int64_t whole_bound = MIN(query->high_watermark, partition_log_recovery_point(log));
    int64_t bound = first_open(log, INT64_MAX); /* may lie inside a segment */
    out->end = out->first_dirty;
    bool may_go_on = true;
    for (uint32_t i = 0; i + 1 < log->segment_count; i++) {
        const struct segment *seg = log->segments[i];
        int64_t end = end_of(log, i);
        if (end <= out->first_dirty) {
            out->clean_bytes += seg->tail.size;
            continue;
        }
        may_go_on = take_dirty(log, i, query->now_ms, out) && may_go_on;
        if (!may_go_on || end > whole_bound || seg->base_offset >= bound)
            break;
        out->end = MAX(MIN(end, bound), out->first_dirty);
        out->dirty_bytes += seg->tail.size;
    }
    if (out->end == out->first_dirty)
        out->dirty_bytes = 0;
}

enum err log_cleanable_find_oldest(struct log_cleanable *cleanable)
{
    struct segment *seg = cleanable->unknown;
    if (seg == NULL)
        return ERR_OK;
    cleanable->unknown = NULL;
    struct env_file *file = NULL;
    uint8_t bytes[BATCH_HEADER_BYTES];
    size_t got = 0;
    enum err e = segment_file(seg, LOG_FILE_LOG, ENV_WAIT, &file);
    if (e == ERR_OK)
        e = env_file_read(file, bytes, sizeof(bytes), 0, ENV_WAIT, &got);
    struct batch_header header;
    if (e == ERR_OK && batch_header_read(bytes, got, &header) && header.max_timestamp > 0)
        cleanable->oldest_dirty_ms = MIN(cleanable->oldest_dirty_ms, header.max_timestamp);
    env_file_unref(file);
    segment_close_files(seg);
    segment_unref(seg);
    return e == ERR_STALE ? ERR_OK : e;
}

double log_cleanable_ratio(const struct log_cleanable *cleanable)
{
    int64_t total = cleanable->clean_bytes + cleanable->dirty_bytes;
    return total > 0 ? (double)cleanable->dirty_bytes / (double)total : 0;
}

/* ---- a plan */

enum err partition_log_plan_cleaning(struct partition_log *log,
                                     const struct log_cleanable *cleanable,
                                     const struct log_clean_query *query,
                                     struct log_clean_plan *out)
{
    ASSERT(cleanable->end > cleanable->first_dirty);
    ASSERT(cleanable->end <= log_last_segment(log)->base_offset);
    struct log_clean_plan plan = {
        .generation = log->generation,
        .first_dirty = cleanable->first_dirty,
        .end = cleanable->end,
        .now_ms = query->now_ms,
        .config = log->config,
    };
    enum err e = clean_producers_take(&log->producers, query->high_watermark, &plan.producers);
    if (e != ERR_OK)
        return e;
    plan.inputs = mem_alloc(log->segment_count * sizeof(*plan.inputs));
    for (uint32_t i = 0; i + 1 < log->segment_count; i++) {
        struct segment *seg = log->segments[i];
        if (seg->base_offset >= plan.end)
            break;
        plan.inputs[plan.count++] = (struct clean_input){
            .segment = segment_ref(seg), .tail = seg->tail, .next_base = end_of(log, i)};
    }
    plan.home = log_home_ref(log->home);
    *out = plan;
    return ERR_OK;
}

void log_clean_plan_free(struct log_clean_plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++)
        segment_unref(plan->inputs[i].segment);
    mem_free(plan->inputs);
    clean_producers_free(&plan->producers);
    log_home_unref(plan->home);
    *plan = (struct log_clean_plan){0};
}

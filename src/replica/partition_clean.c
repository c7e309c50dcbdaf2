// SPDX-License-Identifier: Apache-2.0
/* partition_clean: see partition_clean.h. Thread: marked at each function. */
#include "replica/partition_clean.h"

#include "base/assert.h"
#include "log/segment.h"
#include "replica/partition_private.h"

/* [monitor] */
static struct log_clean_query query_of(const struct partition *p, int64_t first_dirty,
                                       int64_t now_ms)
{
    return (struct log_clean_query){
        .first_dirty = first_dirty, .high_watermark = p->high_watermark.offset, .now_ms = now_ms};
}

enum err partition_cleanable(struct partition *p, int64_t first_dirty, int64_t now_ms,
                             struct log_cleanable *out)
{
    enum err e = ERR_CLOSED;
    bool needs_age = false;
    monitor_enter(&p->monitor);
    if (p->state == PARTITION_LEADING) {
        struct log_clean_query query = query_of(p, first_dirty, now_ms);
        partition_log_cleanable(p->log, &query, out);
        needs_age = partition_log_config(p->log)->max_compaction_lag_ms != INT64_MAX;
        e = ERR_OK;
    }
    monitor_leave(&p->monitor);
    if (e != ERR_OK)
        return e;
    if (needs_age)
        return log_cleanable_find_oldest(out);
    segment_unref(out->unknown);
    out->unknown = NULL;
    return ERR_OK;
}

enum err partition_plan_cleaning(struct partition *p, int64_t first_dirty, int64_t now_ms,
                                 struct log_clean_plan *out)
{
    enum err e = ERR_CLOSED;
    struct log_cleanable cleanable = {0};
    monitor_enter(&p->monitor);
    if (p->state == PARTITION_LEADING) {
        struct log_clean_query query = query_of(p, first_dirty, now_ms);
        partition_log_cleanable(p->log, &query, &cleanable);
        e = cleanable.dirty_bytes == 0
                ? ERR_NOT_FOUND
                : partition_log_plan_cleaning(p->log, &cleanable, &query, out);
    }
    monitor_leave(&p->monitor);
    segment_unref(cleanable.unknown);
    return e;
}

void partition_swap_in(struct partition *p, struct partition_swap *swap)
{
    monitor_enter(&p->monitor);
    ASSERT(p->swap == NULL);
    p->swap = swap;
    bool submit = partition_job_claim(p);
    monitor_leave(&p->monitor);
    if (submit)
        partition_job_submit(p, NULL);
}

/* [job] The old files' names go later, as those that retention took out. */
static void unlink_later(struct partition *p, struct list *retired)
{
    int64_t now_ms = env_wall_ms(p->env);
    monitor_enter(&p->monitor);
    int64_t delay_ms = partition_log_config(p->log)->file_delete_delay_ms;
    monitor_leave(&p->monitor);
    int64_t due_ms = now_ms + MIN(delay_ms, INT64_MAX - now_ms); /* a client set it */
    partition_log_retired_at(retired, due_ms);
    list_splice_back(&p->retired, retired);
    p->retired_due_ms = MIN(p->retired_due_ms, due_ms);
    if (p->retired_due_ms != INT64_MAX)
        p->owner.due(p->owner.arg, p, p->retired_due_ms);
}

static enum err swap_in(struct partition *p, struct log_swap *swap)
{
    monitor_enter(&p->monitor);
    bool leads = p->state == PARTITION_LEADING;
    bool is_valid = leads && partition_log_swap_is_valid(p->log, swap);
    monitor_leave(&p->monitor);
    if (!is_valid)
        return leads ? ERR_STALE : ERR_CLOSED;
    enum err e = partition_log_swap_begin(p->log, swap);
    if (e != ERR_OK)
        return e;
    monitor_enter(&p->monitor);
    partition_log_swap_publish(p->log, swap);
    monitor_leave(&p->monitor);
    e = partition_log_swap_finish(p->log, swap);
    unlink_later(p, &swap->retired);
    return e;
}

void partition_swap_run(struct partition *p)
{
    monitor_enter(&p->monitor);
    struct partition_swap *swap = p->swap;
    p->swap = NULL;
    monitor_leave(&p->monitor);
    ASSERT(swap != NULL);
    swap->result = swap_in(p, swap->swap);
    if (swap->result == ERR_IO)
        p->owner.storage_failed(p->owner.arg, p, ERR_IO);
    swap->done(swap);
}

// SPDX-License-Identifier: Apache-2.0
/* log_swap: see log_swap.h. Thread: marked there. */
#include "log/log_swap.h"

#include "base/assert.h"
#include "base/mem.h"
#include "log/partition_log_private.h"

/* The .log comes last: while it has the old name, what was done so far is done again. */
static const enum log_file_kind in_order[] = {LOG_FILE_INDEX, LOG_FILE_TIMEINDEX, LOG_FILE_TXNINDEX,
                                              LOG_FILE_LOG};

static uint32_t first_index(const struct partition_log *log, const struct log_swap *swap)
{
    return log_segment_index(log, swap->olds[0]->base_offset);
}

bool partition_log_swap_is_valid(const struct partition_log *log, const struct log_swap *swap)
{
    ASSERT(swap->old_count > 0 && swap->made->base_offset == swap->olds[0]->base_offset);
    if (log->is_broken || log->generation != swap->generation)
        return false;
    uint32_t first = first_index(log, swap);
    if (first + swap->old_count >= log->segment_count)
        return false;
    for (uint32_t i = 0; i < swap->old_count; i++) {
        if (log->segments[first + i] != swap->olds[i])
            return false;
    }
    bool is_valid = log->segments[first + swap->old_count]->base_offset == swap->end_offset;
    /* No journal writes into them any more. */
    ASSERT(!is_valid || swap->end_offset <= partition_log_recovery_point(log));
    return is_valid;
}

static enum err rename_in_order(const struct segment *seg, enum log_file_stage from,
                                enum log_file_stage to)
{
    for (size_t i = 0; i < ARRAY_COUNT(in_order); i++) {
        enum err e = segment_rename(seg, in_order[i], from, to);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

enum err partition_log_swap_begin(struct partition_log *log, struct log_swap *swap)
{
    ASSERT(!swap->is_published && swap->made->tail.next_offset == swap->end_offset);
    if (log->is_broken)
        return ERR_IO;
    enum err e = rename_in_order(swap->made, LOG_STAGE_CLEANED, LOG_STAGE_SWAP);
    if (e == ERR_OK)
        e = env_dir_sync(log->env, log->home->dir);
    if (e != ERR_OK) {
        log->is_broken = true; /* which of the two is there after a crash, nobody can tell */
        return ERR_IO;
    }
    segment_set_stage(swap->made, LOG_STAGE_SWAP);
    return ERR_OK;
}

void partition_log_swap_publish(struct partition_log *log, struct log_swap *swap)
{
    ASSERT(partition_log_swap_is_valid(log, swap));
    uint32_t first = first_index(log, swap);
    list_init(&swap->retired);
    for (uint32_t i = 0; i < swap->old_count; i++) {
        struct segment *old = log->segments[first + i];
        atomic_fetch_add(&old->cuts, 1);
        log->size_bytes -= old->tail.size;
        list_push_back(&swap->retired, &old->link); /* the log's reference moves */
        if (log->recent != NULL && log->recent->segment_base == old->base_offset)
            recent_batches_clear(log->recent);
    }
    log->segments[first] = segment_ref(swap->made);
    log->size_bytes += swap->made->tail.size;
    uint32_t gone = swap->old_count - 1;
    log->segment_count -= gone;
    for (uint32_t i = first + 1; i < log->segment_count; i++)
        log->segments[i] = log->segments[i + gone];
    swap->is_published = true;
    ASSERT(log->size_bytes >= 0);
    partition_log_check(log);
}

/* The snapshot at the begin of the first is one of the new segment too. */
static enum err set_old_aside(const struct segment *old, bool is_first)
{
    if (!is_first)
        return segment_rename_all(old, LOG_STAGE_LIVE, LOG_STAGE_DELETED);
    return rename_in_order(old, LOG_STAGE_LIVE, LOG_STAGE_DELETED);
}

static enum err finish(struct partition_log *log, struct log_swap *swap)
{
    bool is_first = true;
    LIST_FOR_EACH (node, &swap->retired) {
        enum err e = set_old_aside(container_of(node, struct segment, link), is_first);
        if (e != ERR_OK)
            return e;
        is_first = false;
    }
    enum err e = env_dir_sync(log->env, log->home->dir);
    if (e == ERR_OK)
        e = rename_in_order(swap->made, LOG_STAGE_SWAP, LOG_STAGE_LIVE);
    if (e != ERR_OK)
        return e;
    segment_set_stage(swap->made, LOG_STAGE_LIVE);
    return env_dir_sync(log->env, log->home->dir);
}

enum err partition_log_swap_finish(struct partition_log *log, struct log_swap *swap)
{
    ASSERT(swap->is_published);
    enum err e = finish(log, swap);
    if (e == ERR_OK)
        return ERR_OK;
    log->is_broken = true;
    return ERR_IO;
}

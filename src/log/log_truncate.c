// SPDX-License-Identifier: Apache-2.0
/*
 * log_truncate: cuts off the end of a log, down to a batch border, in three steps: find,
 * publish, finish. Segments behind go, the one that holds the border becomes the last,
 * its indexes are made anew, producers and epochs are as they were there.
 *
 * Thread: marked at each function in partition_log.h.
 * Crash:  before the last step has ended the log may come back with its old end, or with
 *         any border between: segments are unlinked newest first. A follower then cuts again.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "log/log_recovery.h"
#include "log/log_replay.h"
#include "log/partition_log_private.h"
#include "log/segment_behind.h"
#include "log/segment_walk.h"

/* ---- finding. [writer] */

/* The segment's tail with only the batches before `offset`. */
static enum err tail_before(struct partition_log *log, struct segment *seg, int64_t offset,
                            uint8_t *buffer, struct segment_tail *tail)
{
    struct env_file *file = NULL;
    enum err e = segment_file(seg, LOG_FILE_LOG, ENV_WAIT, &file);
    if (e != ERR_OK)
        return e;
    struct segment_walk walk;
    segment_walk_init(&walk, file, 0, seg->tail.size, ENV_WAIT);
    segment_walk_use(&walk, buffer, RECOVERY_BUFFER);
    segment_tail_init(tail, seg->base_offset);
    for (;;) {
        struct batch_header header;
        struct segment_entry entry;
        int64_t pos;
        e = segment_walk_next(&walk, &header, &pos);
        if (e != ERR_OK || batch_last_offset(&header) >= offset)
            break;
        segment_tail_step(tail, seg->base_offset, &header, log->config.index_interval_bytes,
                          &entry);
    }
    env_file_unref(file);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err find_producers(struct partition_log *log, int64_t end, uint8_t *buffer,
                               struct producer_state *out)
{
    struct log_names names = {0};
    enum err e = log_names_list(&names, log->home);
    struct log_replay replay = {
        .log = log, .producers = out, .end = end, .names = &names, .buffer = buffer};
    if (e == ERR_OK)
        e = log_replay_producers(&replay);
    log->dir_is_unsynced = log->dir_is_unsynced || names.is_changed;
    log_names_deinit(&names);
    return e;
}

enum err partition_log_truncate_find(struct partition_log *log, int64_t offset,
                                     struct log_truncation *cut)
{
    ASSERT(list_is_empty(&log->pending) && !log->is_taken);
    list_init(&cut->removed);
    producer_state_init(&cut->producers);
    cut->end = log->written;
    cut->is_needed = offset < log->written.offset;
    if (!cut->is_needed)
        return ERR_OK;
    log->is_as_stopped = false;
    if (offset < log->log_start)
        return ERR_RANGE;
    if (log->is_broken)
        return ERR_IO;
    uint8_t *buffer = mem_try(RECOVERY_BUFFER);
    if (buffer == NULL)
        return ERR_NO_MEMORY;
    struct segment *seg = log->segments[log_segment_index(log, offset)];
    enum err e = tail_before(log, seg, offset, buffer, &cut->tail);
    if (e == ERR_OK && cut->tail.next_offset < log->log_start)
        e = ERR_RANGE; /* the batch that holds the log start would go */
    if (e == ERR_OK)
        e = find_producers(log, cut->tail.next_offset, buffer, &cut->producers);
    mem_free(buffer);
    if (e != ERR_OK) {
        producer_state_deinit(&cut->producers);
        return e;
    }
    cut->end = (struct log_position){
        .offset = cut->tail.next_offset, .segment_base = seg->base_offset, .pos = cut->tail.size};
    return ERR_OK;
}

/* ---- publishing. [lock] */

static void make_stale(struct segment *seg)
{
    atomic_fetch_add_explicit(&seg->cuts, 1, memory_order_relaxed);
}

static void swap_producers(struct producer_state *a, struct producer_state *b)
{
    struct producer_state kept = *a;
    *a = *b;
    *b = kept;
}

void partition_log_truncate_publish(struct partition_log *log, struct log_truncation *cut)
{
    ASSERT(list_is_empty(&log->pending) && !log->is_taken);
    if (!cut->is_needed)
        return;
    ASSERT(cut->end.offset >= log->log_start && cut->end.offset <= log->written.offset);
    while (log_last_segment(log)->base_offset > cut->end.segment_base) {
        struct segment *seg = log->segments[--log->segment_count];
        log->size_bytes -= seg->tail.size;
        make_stale(seg);
        list_push_back(&cut->removed, &seg->link); /* newest first; the reference moves */
    }
    struct segment *last = log_last_segment(log);
    ASSERT(last->base_offset == cut->end.segment_base);
    make_stale(last);
    log->size_bytes -= last->tail.size - cut->tail.size;
    last->tail = cut->tail;
    log->written = cut->end;
    if (log->durable.offset > cut->end.offset)
        log->durable = cut->end;
    log->synced = MIN(log->synced, log->durable.offset);
    log->sync_claimed = MIN(log->sync_claimed, log->durable.offset);
    log->held = log_nothing_held;
    log->generation++;
    if (log->recent != NULL)
        recent_batches_clear(log->recent);
    leader_epochs_cut_end(&log->epochs, cut->end.offset);
    swap_producers(&log->producers, &cut->producers);
    log_reset_layout(log);
    partition_log_check(log);
}

/* ---- cutting. [writer] */

static void forget_unsynced(struct segment *seg)
{
    if (!list_is_linked(&seg->unsynced_link))
        return;
    list_remove(&seg->unsynced_link);
    segment_unref(seg);
}

static enum err unlink_removed(struct partition_log *log, struct log_truncation *cut)
{
    enum err e = ERR_OK;
    for (struct list *node; (node = list_pop_front(&cut->removed)) != NULL;) {
        struct segment *seg = container_of(node, struct segment, link);
        forget_unsynced(seg);
        segment_drop_behind(seg, (const int64_t[SEGMENT_FILES]){0});
        segment_close_files(seg);
        if (e == ERR_OK)
            e = segment_unlink_all(seg, LOG_STAGE_LIVE);
        segment_unref(seg);
    }
    return e == ERR_OK ? env_dir_sync(log->env, log->home->dir) : e;
}

static enum err cut_last(struct partition_log *log, const struct log_truncation *cut)
{
    struct env_file *file = NULL;
    enum err e = segment_file(log->active, LOG_FILE_LOG, ENV_WAIT, &file);
    if (e == ERR_OK)
        e = env_file_truncate(file, cut->tail.size);
    env_file_unref(file);
    if (e != ERR_OK)
        return e;
    uint8_t *buffer = mem_try(RECOVERY_BUFFER);
    if (buffer == NULL)
        return ERR_NO_MEMORY;
    struct leader_epochs epochs; /* those of the log are known */
    struct log_open_report report = {0};
    struct segment_tail tail = {0};
    leader_epochs_init(&epochs);
    struct log_recovery r = {.env = log->env,
                             .home = log->home,
                             .report = &report,
                             .epochs = &epochs,
                             .recovery_point = INT64_MAX,
                             .index_interval_bytes = log->config.index_interval_bytes,
                             .buffer = buffer};
    e = recovery_scan_into(&r, log->active, false, &tail);
    leader_epochs_deinit(&epochs);
    mem_free(buffer);
    if (e == ERR_OK && (tail.size != cut->tail.size || tail.index_count != cut->tail.index_count))
        e = ERR_CORRUPT; /* it was read twice and differed */
    return e;
}

enum err partition_log_truncate_finish(struct partition_log *log, struct log_truncation *cut)
{
    producer_state_deinit(&cut->producers);
    if (!cut->is_needed)
        return ERR_OK;
    struct segment *last = log_last_segment(log);
    if (last != log->active) {
        segment_unref(log->active);
        log->active = segment_ref(last);
    }
    forget_unsynced(last);
    log->active_tail = cut->tail;
    log->writer_held = log_nothing_held; /* finding the place wrote what was held before it */
    ASSERT(!segment_is_behind(last));
    enum err e = unlink_removed(log, cut);
    if (e == ERR_OK)
        e = cut_last(log, cut);
    if (e == ERR_OK)
        e = log_write_epochs(log);
    if (e == ERR_OK)
        e = env_dir_sync(log->env, log->home->dir);
    if (e != ERR_OK) {
        log->is_broken = true;
        return ERR_IO;
    }
    log->active_is_unsynced = false;
    log->dir_is_unsynced = false;
    log->needs_cut = false;
    return ERR_OK;
}

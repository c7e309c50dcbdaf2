// SPDX-License-Identifier: Apache-2.0
/* log_move: see log_move.h. Thread: marked there. */
#include "log/log_move.h"

#include "base/assert.h"
#include "base/macros.h"
#include "base/mem.h"
#include "log/log_segment_view.h"
#include "log/partition_log_private.h"
#include "log/segment_behind.h"

void partition_log_copy_source(struct partition_log *log, struct log_segments *out)
{
    partition_log_hold_segments(log, out);
    for (uint32_t i = 0; i < out->count; i++) {
        struct log_segment_view *item = &out->items[i];
        item->tail = item->segment->tail;
        item->end_pos = item->tail.size;
        item->cuts = atomic_load_explicit(&item->segment->cuts, memory_order_relaxed);
        item->seeks_end = false;
    }
}

void partition_log_epochs_text(struct partition_log *log, struct strbuf *out)
{
    bool is_dirty = log->epochs.is_dirty; /* the file where the log is says what it said */
    leader_epochs_write(&log->epochs, out);
    log->epochs.is_dirty = is_dirty;
}

static struct segment *stand_in(struct log_home *home, const struct segment *old)
{
    struct segment *made = segment_new(home, old->base_offset, old->created_ms);
    made->tail = old->tail;
    struct segment_rot rots[SEGMENT_ROT_MAX];
    size_t count = MIN(segment_list_rot(old, rots, SEGMENT_ROT_MAX), (size_t)SEGMENT_ROT_MAX);
    for (size_t i = 0; i < count; i++)
        segment_mark_rot(made, &rots[i]);
    return made;
}

void partition_log_move_prepare(struct partition_log *log, const char *dir, struct log_moving *out)
{
    *out = (struct log_moving){.home = log_home_new(log->env, log->home->files, dir),
                               .count = log->segment_count};
    out->made = mem_alloc(out->count * sizeof(struct segment *));
    out->olds = mem_alloc(out->count * sizeof(struct segment *));
    for (uint32_t i = 0; i < out->count; i++) {
        out->olds[i] = log->segments[i];
        out->made[i] = stand_in(out->home, log->segments[i]);
    }
}

/* All that was written is synced in the new place. */
static void forget_unsynced(struct partition_log *log)
{
    for (struct list *node; (node = list_pop_front(&log->unsynced)) != NULL;)
        segment_unref(container_of(node, struct segment, unsynced_link));
    log->active_is_unsynced = false;
    log->dir_is_unsynced = false;
    log->was_taken_back = false;
    log->needs_cut = false; /* what is behind the end was not copied */
    log->is_as_stopped = false;
}

void partition_log_move_publish(struct partition_log *log, struct log_moving *moving)
{
    ASSERT(moving->count == log->segment_count && !log->is_taken);
    ASSERT(!partition_log_is_journaled(log) && !segment_is_behind(log->active));
    for (uint32_t i = 0; i < moving->count; i++) {
        ASSERT(log->segments[i] == moving->olds[i]);
        ASSERT(log->segments[i]->tail.size == moving->made[i]->tail.size);
        atomic_fetch_add(&log->segments[i]->cuts, 1);
        log->segments[i] = moving->made[i];
    }
    mem_free(moving->made);
    moving->made = NULL;
    if (log->recent != NULL)
        recent_batches_clear(log->recent);
    forget_unsynced(log);
    segment_unref(log->active);
    log->active = segment_ref(log_last_segment(log));
    struct log_home *old = log->home;
    log->home = moving->home;
    moving->home = old;
    struct log_position end = log->written;
    partition_log_publish_sealed(log, &end);
    partition_log_check(log);
}

void log_moving_release(struct log_moving *moving)
{
    ASSERT(moving->made == NULL);
    for (uint32_t i = 0; i < moving->count; i++) {
        segment_close_files(moving->olds[i]);
        segment_unref(moving->olds[i]);
    }
    mem_free(moving->olds);
    log_home_unref(moving->home);
    *moving = (struct log_moving){0};
}

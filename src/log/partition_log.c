// SPDX-License-Identifier: Apache-2.0
/* partition_log: giving batches their place, taking them for a commit, publishing what the writer
 * did. The writer's part is in log_writer.c, reading in log_read.c, opening in log_open.c.
 * Thread: everything here is [lock]. */
#include "log/partition_log.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "log/partition_log_private.h"

void partition_log_check(const struct partition_log *log)
{
    ASSERT(log->segment_count > 0 && log->segment_count <= log->segment_capacity);
    ASSERT(log->durable.offset <= log->written.offset);
    ASSERT(log->synced <= log->durable.offset);
    ASSERT(log->written.offset <= log->layout.tail.next_offset);
    ASSERT(log->log_start <= log->layout.tail.next_offset);
    ASSERT(log->segments[0]->base_offset <= log->log_start);
    const struct segment *last = log_last_segment(log);
    ASSERT(log->written.segment_base == last->base_offset);
    ASSERT(log->written.pos == last->tail.size);
    ASSERT(log->written.offset == last->tail.next_offset);
    ASSERT(log->layout.base_offset >= last->base_offset);
    ASSERT(log->held.at.offset < log->written.offset);
    ASSERT(log->held.at.offset < 0 ||
           (log->held.at.segment_base == last->base_offset && log->held.at.pos < last->tail.size));
    segment_tail_check(&last->tail, last->base_offset);
    segment_tail_check(&log->layout.tail, log->layout.base_offset);
}

void partition_log_set_config(struct partition_log *log, const struct log_config *config)
{
    log->config = *config;
}

const struct log_config *partition_log_config(const struct partition_log *log)
{
    return &log->config;
}

/* ---- where a batch lies */

/* As Kafka: by the batches' own times where the first one has any, else by our clock. */
static int64_t layout_age_ms(const struct log_layout *layout, int64_t batch_ms, int64_t now_ms)
{
    if (layout->tail.first_timestamp >= 0 && batch_ms >= 0)
        return batch_ms - layout->tail.first_timestamp;
    return now_ms - layout->created_ms;
}

static bool indexes_are_full(const struct log_layout *layout, const struct log_config *config)
{
    int64_t time_entries_max = config->segment_index_bytes / TIMEINDEX_ENTRY_BYTES - 1;
    return (int64_t)layout->tail.index_count >= config->segment_index_bytes / INDEX_ENTRY_BYTES ||
           (int64_t)layout->tail.time_count >= MAX(time_entries_max, 1);
}

static bool wants_roll_before(const struct partition_log *log, const struct batch_header *batch,
                              int64_t now_ms)
{
    const struct log_layout *layout = &log->layout;
    const struct log_config *config = &log->config;
    if (layout->tail.size == 0)
        return false;
    int64_t size = (int64_t)batch_size(batch);
    int64_t last_offset = layout->tail.next_offset + batch->last_offset_delta;
    return log->wants_roll || layout->tail.size > config->segment_bytes - size ||
           layout_age_ms(layout, batch->max_timestamp, now_ms) >
               config->segment_ms - layout->jitter_ms ||
           indexes_are_full(layout, config) ||
           !segment_tail_has_room(&layout->tail, layout->base_offset, last_offset, size);
}

enum err log_plan_roll(struct partition_log *log, const struct batch_header *batch, int64_t now_ms,
                       struct log_roll **out)
{
    bool is_wanted = batch != NULL ? wants_roll_before(log, batch, now_ms)
                                   : log->wants_roll && log->layout.tail.size > 0;
    if (!is_wanted) {
        *out = NULL;
        return ERR_OK;
    }
    size_t size = producer_snapshot_size(&log->producers);
    struct log_roll *roll = mem_try(sizeof(*roll) + size);
    if (roll == NULL)
        return ERR_NO_MEMORY;
    roll->base_offset = log->layout.tail.next_offset;
    roll->created_ms = now_ms;
    roll->snapshot_size = size;
    producer_snapshot_write(&log->producers, roll->snapshot, size);
    *out = roll;
    return ERR_OK;
}

static int64_t draw_jitter_ms(struct partition_log *log)
{
    int64_t bound = MIN(log->config.segment_jitter_ms, log->config.segment_ms);
    return bound > 0 ? (int64_t)prng_below(&log->jitter, (uint64_t)bound) : 0;
}

void log_apply_roll(struct partition_log *log, const struct log_roll *roll)
{
    ASSERT(roll->base_offset == log->layout.tail.next_offset);
    ASSERT(roll->base_offset > log->layout.base_offset);
    log->layout.base_offset = roll->base_offset;
    log->layout.created_ms = roll->created_ms;
    log->layout.jitter_ms = draw_jitter_ms(log);
    log->wants_roll = false;
    segment_tail_init(&log->layout.tail, roll->base_offset);
}

void log_reset_layout(struct partition_log *log)
{
    const struct segment *last = log_last_segment(log);
    log->layout.base_offset = last->base_offset;
    log->layout.created_ms = last->created_ms;
    log->layout.jitter_ms = draw_jitter_ms(log);
    log->layout.tail = last->tail;
}

/* ---- appending */

struct producer_check partition_log_check_producer(const struct partition_log *log,
                                                   const struct batch_header *batch, int64_t now_ms)
{
    (void)now_ms;
    return producer_state_check(&log->producers, batch);
}

enum err partition_log_assign(struct partition_log *log, struct log_append *append,
                              int32_t leader_epoch, int64_t now_ms)
{
    ASSERT(append->bytes.len == batch_size(&append->header));
    ASSERT(append->header.last_offset_delta >= 0);
    struct log_roll *roll = NULL;
    enum err e = log_plan_roll(log, &append->header, now_ms, &roll);
    if (e != ERR_OK)
        return e;
    int64_t first_offset = log->layout.tail.next_offset;
    struct batch_header stamped = append->header;
    stamped.base_offset = first_offset;
    stamped.leader_epoch = leader_epoch;
    e = producer_state_add(&log->producers, &stamped, now_ms, &append->undo);
    if (e != ERR_OK) {
        mem_free(roll);
        return e;
    }
    if (roll != NULL)
        log_apply_roll(log, roll);
    struct segment_entry entry; /* the writer comes to the same */
    append->roll = roll;
    append->segment_base = log->layout.base_offset;
    append->pos = log->layout.tail.size;
    segment_tail_step(&log->layout.tail, log->layout.base_offset, &stamped,
                      log->config.index_interval_bytes, &entry);
    append->header = stamped;
    append->first_offset = first_offset;
    append->last_offset = batch_last_offset(&stamped);
    batch_stamp(append->bytes.data, first_offset, leader_epoch);
    list_push_back(&log->pending, &append->link);
    ASSERT(append->last_offset + 1 == log->layout.tail.next_offset);
    return ERR_OK;
}

/* Bytes that no commit on its way will sync. */
static bool has_unclaimed_bytes(const struct partition_log *log)
{
    return log->written.offset > MAX(log->durable.offset, log->sync_claimed);
}

static bool sync_is_due(const struct partition_log *log, int64_t end_offset, int64_t now_ms)
{
    if (log->config.ack_disk)
        return true;
    int64_t records = end_offset - log->durable.offset;
    return records >= log->config.flush_messages ||
           (log->written.offset > log->durable.offset &&
            now_ms - log->first_unsynced_ms >= log->config.flush_ms);
}

bool partition_log_has_pending(const struct partition_log *log)
{
    if (!list_is_empty(&log->pending) || log->wants_roll)
        return true;
    return has_unclaimed_bytes(log) && sync_is_due(log, log->written.offset, env_wall_ms(log->env));
}

int64_t partition_log_next_due_ms(const struct partition_log *log)
{
    if (!has_unclaimed_bytes(log) || log->config.flush_ms > INT64_MAX - log->first_unsynced_ms)
        return INT64_MAX;
    return log->first_unsynced_ms + log->config.flush_ms;
}

/* Moves appends over until a bound is reached; at least one. */
static void take_appends(struct partition_log *log, struct log_commit *commit)
{
    int64_t bytes = 0;
    uint32_t count = 0;
    while (!list_is_empty(&log->pending) && count < LIMIT_COMMIT_BATCHES) {
        struct log_append *append = container_of(log->pending.next, struct log_append, link);
        if (count > 0 && bytes + (int64_t)append->bytes.len > LIMIT_COMMIT_BYTES)
            break;
        list_remove(&append->link);
        list_push_back(&commit->appends, &append->link);
        bytes += (int64_t)append->bytes.len;
        commit->end_offset = append->last_offset + 1;
        commit->sync = commit->sync || append->wants_sync;
        count++;
    }
}

/* A roll that housekeeping asked for, when no append did it. */
static void take_roll(struct partition_log *log, struct log_commit *commit, int64_t now_ms)
{
    if (!log->wants_roll || !list_is_empty(&log->pending))
        return;
    struct log_roll *roll = NULL;
    enum err e = log_plan_roll(log, NULL, now_ms, &roll);
    if (e == ERR_OK && roll != NULL)
        log_apply_roll(log, roll);
    log->wants_roll = false; /* without memory housekeeping will ask again */
    commit->roll_at_end = roll;
}

static void take_epochs(struct partition_log *log, struct log_commit *commit)
{
    if (!log->epochs.is_dirty)
        return;
    struct strbuf text;
    strbuf_init(&text);
    leader_epochs_write(&log->epochs, &text);
    commit->epochs_text = mem_strdup(strbuf_text(&text));
    commit->epochs_size = text.len;
    strbuf_deinit(&text);
}

void log_commit_init(struct log_commit *commit)
{
    *commit = (struct log_commit){0};
    list_init(&commit->appends);
    list_init(&commit->new_segments);
}

void partition_log_take(struct partition_log *log, struct log_commit *commit, bool force_sync,
                        int64_t now_ms)
{
    ASSERT(!log->is_taken);
    ASSERT(list_is_empty(&commit->appends) && list_is_empty(&commit->new_segments));
    commit->end_offset = log->written.offset;
    commit->generation = log->generation;
    commit->config = log->config;
    commit->taken_ms = now_ms;
    commit->sync = force_sync;
    commit->follows_durable = log->written.offset == log->durable.offset;
    take_appends(log, commit);
    take_roll(log, commit, now_ms);
    take_epochs(log, commit);
    ASSERT(commit->end_offset >= log->written.offset);
    bool has_news = commit->end_offset > log->durable.offset || commit->roll_at_end != NULL;
    if (has_news && sync_is_due(log, commit->end_offset, now_ms))
        commit->sync = true;
    if (commit->sync)
        log->sync_claimed = MAX(log->sync_claimed, commit->end_offset);
    if (log->written.offset == log->durable.offset)
        log->first_unsynced_ms = now_ms;
    commit->is_taken = true;
    log->is_taken = true;
}

/* ---- publishing */

uint32_t log_segment_index(const struct partition_log *log, int64_t offset)
{
    uint32_t low = 0;
    uint32_t high = log->segment_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (log->segments[middle]->base_offset <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

void log_push_segment(struct partition_log *log, struct segment *take_seg)
{
    ASSERT(!list_is_linked(&take_seg->link));
    ASSERT(log->segment_count == 0 || log_last_segment(log)->base_offset < take_seg->base_offset);
    if (log->segment_count == log->segment_capacity) {
        log->segment_capacity = MAX(2 * log->segment_capacity, 2u);
        log->segments =
            mem_realloc(log->segments, log->segment_capacity * sizeof(struct segment *));
    }
    log->segments[log->segment_count++] = take_seg;
}

/* The last batches of the commit, oldest first. */
static void remember_recent(struct partition_log *log, struct log_commit *commit)
{
    if (list_is_empty(&commit->appends))
        return;
    struct list *node = &commit->appends;
    for (int i = 0; i < RECENT_BATCHES && node->prev != &commit->appends; i++)
        node = node->prev;
    for (; node != &commit->appends; node = node->next) {
        const struct log_append *append = container_of(node, struct log_append, link);
        struct recent_batch batch = {
            .offset = append->first_offset,
            .pos = (uint32_t)append->pos,
            .size = (uint32_t)batch_size(&append->header),
            .last_offset_delta = append->header.last_offset_delta,
        };
        recent_batches_add(&log->recent, append->segment_base, &batch);
    }
}

static void commit_free_internals(struct log_commit *commit)
{
    mem_free(commit->epochs_text);
    commit->epochs_text = NULL;
    mem_free(commit->roll_at_end);
    commit->roll_at_end = NULL;
}

void partition_log_publish_written(struct partition_log *log, struct log_commit *commit)
{
    ASSERT(commit->is_taken && !commit->is_published && log->is_taken);
    ASSERT(commit->generation == log->generation);
    ASSERT(commit->written.offset == commit->end_offset);
    ASSERT(commit->sealed_tail.size >= log_last_segment(log)->tail.size);
    log_last_segment(log)->tail = commit->sealed_tail;
    for (struct list *node; (node = list_pop_front(&commit->new_segments)) != NULL;)
        log_push_segment(log, container_of(node, struct segment, link));
    remember_recent(log, commit);
    LIST_FOR_EACH (node, &commit->appends) {
        struct log_append *append = container_of(node, struct log_append, link);
        producer_state_keep(&append->undo);
        mem_free(append->roll);
        append->roll = NULL;
    }
    log->written = commit->written;
    log->held = commit->held;
    log->size_bytes += commit->written_bytes;
    log->is_taken = false;
    commit->is_published = true;
    commit_free_internals(commit);
    partition_log_check(log);
}

void partition_log_publish_durable(struct partition_log *log, struct log_commit *commit)
{
    ASSERT(commit->is_published);
    ASSERT(commit->generation <= log->generation);
    if (commit->generation != log->generation || commit->durable.offset < log->durable.offset)
        return;
    log->durable = commit->durable;
    log->synced = MAX(log->synced, commit->durable.offset);
    log->first_unsynced_ms = commit->taken_ms;
    partition_log_check(log);
}

/* ---- with a journal */

bool partition_log_commit_is_brief(const struct log_commit *commit)
{
    if (commit->roll_at_end != NULL || commit->epochs_text != NULL)
        return false;
    size_t bytes = 0;
    LIST_FOR_EACH (node, &commit->appends) {
        const struct log_append *append = container_of(node, struct log_append, link);
        bytes += append->bytes.len;
        if (append->roll != NULL || bytes >= LIMIT_JOURNAL_COMMIT_BYTES)
            return false;
    }
    return true;
}

void partition_log_publish_journaled(struct partition_log *log, struct log_commit *commit,
                                     uint64_t generation)
{
    ASSERT(commit->is_published && commit->follows_durable && generation > 0);
    ASSERT(commit->generation <= log->generation);
    if (commit->generation != log->generation)
        return;
    struct log_journaled *journaled = &log->journaled[generation % 2];
    if (journaled->generation != generation)
        *journaled = (struct log_journaled){generation, log->durable.offset};
    log->durable = commit->written;
    log->first_unsynced_ms = commit->taken_ms;
    partition_log_check(log);
}

void partition_log_journal_released(struct partition_log *log, uint64_t generation)
{
    struct log_journaled *journaled = &log->journaled[generation % 2];
    if (journaled->generation == generation)
        *journaled = (struct log_journaled){0};
}

bool partition_log_is_journaled(const struct partition_log *log)
{
    return log->journaled[0].generation != 0 || log->journaled[1].generation != 0;
}

void partition_log_publish_sealed(struct partition_log *log, const struct log_position *durable)
{
    ASSERT(durable->offset <= log->written.offset);
    if (durable->offset > log->durable.offset)
        log->durable = *durable;
    log->synced = MAX(log->synced, durable->offset);
    if (durable->offset == log->written.offset)
        log->held = log_nothing_held;
    partition_log_check(log);
}

/* ---- failing */

static void give_back(struct partition_log *log, struct list *appends)
{
    for (struct list *node = appends->prev; node != appends; node = node->prev) {
        struct log_append *append = container_of(node, struct log_append, link);
        producer_state_undo(&log->producers, &append->undo);
        mem_free(append->roll);
        append->roll = NULL;
    }
}

void partition_log_fail(struct partition_log *log, struct log_commit *commit)
{
    ASSERT(list_is_empty(&commit->new_segments)); /* the writer took them back */
    ASSERT(!log->is_taken || commit->is_taken);
    give_back(log, &log->pending);
    if (!commit->is_published)
        give_back(log, &commit->appends);
    list_splice_back(&commit->appends, &log->pending);
    if (commit->epochs_text != NULL)
        log->epochs.is_dirty = true;
    if (commit->is_taken && !commit->is_published)
        log->is_taken = false;
    commit_free_internals(commit);
    log->sync_claimed = MIN(log->sync_claimed, log->durable.offset);
    log_reset_layout(log);
    leader_epochs_lower(&log->epochs, log->written.offset);
    partition_log_check(log);
}

/* ---- what is there */

int64_t partition_log_start_offset(const struct partition_log *log)
{
    return log->log_start;
}

int64_t partition_log_assigned(const struct partition_log *log)
{
    return log->layout.tail.next_offset;
}

struct log_position partition_log_written(const struct partition_log *log)
{
    return log->written;
}

struct log_position partition_log_durable(const struct partition_log *log)
{
    return log->durable;
}

int64_t partition_log_unsynced_since_ms(const struct partition_log *log)
{
    return log->written.offset > log->durable.offset ? log->first_unsynced_ms : -1;
}

int64_t partition_log_size_bytes(const struct partition_log *log)
{
    return log->size_bytes;
}

uint32_t partition_log_segment_count(const struct partition_log *log)
{
    return log->segment_count;
}

int64_t partition_log_recovery_point(const struct partition_log *log)
{
    int64_t point = log->synced;
    for (size_t i = 0; i < ARRAY_COUNT(log->journaled); i++) {
        if (log->journaled[i].generation != 0)
            point = MIN(point, log->journaled[i].first_offset);
    }
    return point;
}

int64_t partition_log_synced(const struct partition_log *log)
{
    return log->synced;
}

void partition_log_begin_epoch(struct partition_log *log, int32_t epoch)
{
    leader_epochs_begin(&log->epochs, epoch, partition_log_assigned(log));
}

void partition_log_epoch_end(const struct partition_log *log, int32_t epoch, int32_t *found_epoch,
                             int64_t *end_offset)
{
    leader_epochs_end_of(&log->epochs, epoch, partition_log_assigned(log), found_epoch, end_offset);
}

int32_t partition_log_last_epoch(const struct partition_log *log)
{
    return leader_epochs_last(&log->epochs);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * check_log: a partition is what its segments say. Its .log files alone, read from their begin to
 * their end into another log, without indexes, snapshots, checkpoints: the same offsets, segments,
 * leader epochs and producers have to come out as the broker has in memory, after a start of any
 * kind and while it is at rest.
 *
 * What retention has deleted the files no longer tell: producers and epochs from below their begin
 * are the broker's alone. Compaction keeps the newest batch of each producer, and an epoch may
 * begin with a later batch.
 *
 * Thread: one.
 */
#include "check_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "broker/broker_private.h"
#include "check.h"
#include "env/mem_env.h"
#include "log/partition_log_private.h"
#include "log/segment_behind_private.h"
#include "replica/partition_private.h"

#define CHECKER "the log equals its segments"

enum { NAME_BYTES = 512 };

struct log_check {
    struct history *history;
    struct sim_disk *disk;
    const struct partition *p;
};

static void fail(const struct log_check *c, const char *what, int64_t replayed, int64_t live)
{
    history_fail(c->history, CHECKER,
                 "%s of %s-%d: the segments say %" PRId64 ", the broker %" PRId64, what,
                 c->p->topic, c->p->index, replayed, live);
}

/* ---- the segments, in a world of their own */

static bool is_log(const char *name)
{
    size_t len = strlen(name);
    return len > 4 && strcmp(name + len - 4, ".log") == 0;
}

/* What the last segment holds back belongs to it. */
static const struct held *held_of(const struct log_check *c, const char *name)
{
    const struct segment *last = c->p->log->active;
    struct segment_behind *behind = atomic_load(&last->behind);
    struct log_file_name is = {.offset = last->base_offset, .kind = LOG_FILE_LOG};
    char text[LOG_NAME_SIZE];
    if (behind == NULL || strcmp(log_file_name_format(text, &is), name) != 0 ||
        behind->files[LOG_FILE_LOG].len == 0)
        return NULL;
    return &behind->files[LOG_FILE_LOG];
}

static void put_log(const struct log_check *c, struct mem_env *m, const char *name,
                    const struct sim_inode *file)
{
    char path[NAME_BYTES];
    const struct held *held = held_of(c, name);
    size_t size = (size_t)file->size;
    snprintf(path, sizeof(path), "t-0/%s", name);
    if (held == NULL) {
        mem_env_put_file(m, path, file->cache, size);
        return;
    }
    if (held->pos > file->size)
        fail(c, "the place of what is held", file->size, held->pos);
    size = MAX(size, (size_t)held->pos + held->len);
    uint8_t *bytes = mem_alloc(size);
    memcpy(bytes, file->cache, (size_t)file->size);
    memcpy(bytes + held->pos, held->buf->data + held->start, held->len);
    mem_env_put_file(m, path, bytes, size);
    mem_free(bytes);
}

static bool copy_logs(const struct log_check *c, struct mem_env *m)
{
    char path[NAME_BYTES];
    snprintf(path, sizeof(path), "%s/%s-%d", log_dir_path(c->p->dir), c->p->topic, c->p->index);
    const struct sim_inode *dir = sim_disk_find(c->disk, path);
    bool has_any = false;
    if (dir == NULL)
        return false;
    enum err e = env_dir_make(&m->env, "t-0");
    ASSERT(e == ERR_OK);
    for (size_t i = 0; i < dir->names.count; i++) {
        const struct sim_inode *file = dir->names.items[i].value;
        if (file->is_dir || !is_log(dir->names.items[i].name))
            continue;
        put_log(c, m, dir->names.items[i].name, file);
        has_any = true;
    }
    return has_any;
}

/* ---- comparing */

static void compare_segments(const struct log_check *c, const struct partition_log *replay)
{
    const struct partition_log *live = c->p->log;
    uint32_t gone = replay->segment_count - MIN(replay->segment_count, live->segment_count);
    if (replay->segment_count < live->segment_count) {
        fail(c, "the number of segments", replay->segment_count, live->segment_count);
        return;
    }
    for (uint32_t i = 0; i < live->segment_count; i++) { /* what was retired may still be there */
        const struct segment *ours = live->segments[i];
        const struct segment *theirs = replay->segments[gone + i];
        if (theirs->base_offset != ours->base_offset)
            fail(c, "the begin of a segment", theirs->base_offset, ours->base_offset);
        if (theirs->tail.size != ours->tail.size)
            fail(c, "the size of a segment", theirs->tail.size, ours->tail.size);
        if (theirs->tail.next_offset != ours->tail.next_offset)
            fail(c, "the end of a segment", theirs->tail.next_offset, ours->tail.next_offset);
        if (theirs->tail.max_timestamp != ours->tail.max_timestamp)
            fail(c, "the newest time of a segment", theirs->tail.max_timestamp,
                 ours->tail.max_timestamp);
    }
    if (replay->written.offset != live->written.offset)
        fail(c, "the end", replay->written.offset, live->written.offset);
    if (live->log_start < replay->segments[0]->base_offset)
        fail(c, "the begin", replay->segments[0]->base_offset, live->log_start);
}

static bool is_compacted(const struct log_check *c)
{
    return c->p->config.cleanup_compact;
}

static void compare_epochs(const struct log_check *c, const struct partition_log *replay)
{
    const struct partition_log *live = c->p->log;
    for (uint32_t i = 0; i < replay->epochs.count; i++) {
        const struct leader_epoch *theirs = &replay->epochs.entries[i];
        int64_t end =
            i + 1 < replay->epochs.count ? theirs[1].start_offset : replay->written.offset;
        if (end <= live->log_start)
            continue;
        int64_t start = -1;
        for (uint32_t k = 0; k < live->epochs.count; k++) {
            if (live->epochs.entries[k].epoch == theirs->epoch)
                start = live->epochs.entries[k].start_offset;
        }
        int64_t found = MAX(theirs->start_offset, live->log_start);
        if (is_compacted(c) && start >= 0 && found > start)
            continue; /* its first batches are gone */
        if (start != found)
            fail(c, "the begin of an epoch", theirs->start_offset, start);
    }
}

static const struct producer_batch *batch_back(const struct producer_entry *entry, uint8_t back)
{
    unsigned at = (entry->next + 2u * PRODUCER_BATCHES_KEPT - 1u - back) % PRODUCER_BATCHES_KEPT;
    return &entry->batches[at];
}

/* Newest first; an older epoch's batches are no repeats of anything. */
static void compare_batches(const struct log_check *c, const struct producer_entry *theirs,
                            const struct producer_entry *ours)
{
    for (uint8_t i = 0; i < theirs->count && batch_back(theirs, i)->epoch == theirs->epoch; i++) {
        const struct producer_batch *batch = batch_back(theirs, i);
        if (i > 0 && is_compacted(c))
            return; /* only the newest has to be there */
        if (i >= ours->count) {
            fail(c, "a batch of a producer", batch->last_sequence, -1);
            return;
        }
        const struct producer_batch *known = batch_back(ours, i);
        if (known->last_sequence != batch->last_sequence)
            fail(c, "a sequence of a producer", batch->last_sequence, known->last_sequence);
        if (known->last_offset != batch->last_offset)
            fail(c, "an offset of a producer", batch->last_offset, known->last_offset);
        if (known->offset_delta != batch->offset_delta)
            fail(c, "a batch's offsets of a producer", batch->offset_delta, known->offset_delta);
    }
}

static void compare_producers(const struct log_check *c, const struct partition_log *replay)
{
    MAP_FOR_EACH (node, &replay->producers.by_id) {
        const struct producer_entry *theirs = container_of(node, struct producer_entry, node);
        const struct producer_entry *ours =
            producer_state_find(&c->p->log->producers, theirs->producer_id);
        if (ours == NULL)
            fail(c, "a producer", theirs->producer_id, -1);
        else if (ours->epoch != theirs->epoch)
            fail(c, "the epoch of a producer", theirs->epoch, ours->epoch);
        else
            compare_batches(c, theirs, ours);
    }
    MAP_FOR_EACH (node, &c->p->log->producers.by_id) {
        const struct producer_entry *ours = container_of(node, struct producer_entry, node);
        const struct producer_batch *last = producer_entry_last(ours);
        if (last != NULL && last->last_offset >= replay->segments[0]->base_offset &&
            producer_state_find(&replay->producers, ours->producer_id) == NULL)
            fail(c, "a producer", -1, ours->producer_id);
    }
}

static void compare(const struct log_check *c, struct mem_env *m)
{
    struct log_config config = *partition_log_config(c->p->log);
    struct log_open_report report;
    struct partition_log *replay = NULL;
    struct log_open_options options = {.dir = "t-0", .config = &config};
    enum err e = partition_log_open(&m->env, &options, &report, &replay);
    if (e != ERR_OK || report.cut_bytes > 0) {
        history_fail(c->history, CHECKER, "%s-%d: a replay ends with %s, %" PRId64 " bytes cut: %s",
                     c->p->topic, c->p->index, err_name(e), report.cut_bytes, report.detail);
    } else {
        compare_segments(c, replay);
        compare_epochs(c, replay);
        compare_producers(c, replay);
    }
    partition_log_free(replay);
}

static void check_one(void *arg, struct partition *p)
{
    struct log_check *c = arg;
    c->p = p;
    for (uint32_t i = 0; i < c->history->partition_count; i++) {
        const struct history_partition *known = &c->history->partitions[i];
        if (known->is_rotten && known->index == p->index && strcmp(known->topic, p->topic) == 0)
            return;
    }
    /* Of groups the shards write as soon as they are loaded. */
    if (p->state != PARTITION_LEADING || strncmp(p->topic, "__", 2) == 0 || p->is_job_busy ||
        !list_is_empty(&p->log->pending))
        return;
    struct mem_env *m = mem_alloc(sizeof(*m));
    mem_env_init(m);
    mem_env_jump_wall_ms(m, env_wall_ms(p->env) - env_wall_ms(&m->env));
    if (copy_logs(c, m))
        compare(c, m);
    m->is_leaky = true;
    mem_env_deinit(m);
    mem_free(m);
}

void check_log_all(struct history *h, struct sim_disk *disk, struct broker *broker)
{
    struct log_check c = {.history = h, .disk = disk};
    replica_set_each(broker->replicas, check_one, &c);
}

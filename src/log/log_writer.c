// SPDX-License-Identifier: Apache-2.0
/*
 * log_writer: carries a commit out: batches, index entries, rolls, the epoch file;
 * then the syncs. The place of every batch was decided when it was assigned.
 *
 * Thread: everything here is [writer].
 * Crash:  batches first, index entries behind them; nothing is synced before
 *         partition_log_sync, which syncs sealed segments, the last one and the
 *         directory. A failed write is taken back, so that what lies behind the
 *         published end is never mistaken for a batch; when that cannot be done, or
 *         a sync failed, the log takes no more writes.
 *
 * With a journal (log/journal.h) a small commit is written here and made durable there;
 * partition_log_flush syncs the segment later. Most are not even written, but held
 * (log/segment_behind.h), until there is enough for one write or somebody opens a file.
 */
#include <string.h>

#include "base/assert.h"
#include "base/canary.h"
#include "base/mem.h"
#include "log/partition_log_private.h"
#include "log/segment_behind.h"

enum {
    ENTRY_BUFFER = 256, /* index entries gathered for one write */
    HELD_PART = 3,      /* a commit is held when so many of its size could be */
    OPEN_TRIES = 10000, /* to sync a file: ten seconds */
    OPEN_PAUSE_NS = 1000000,
};

struct log_write_run {
    struct partition_log *log;
    struct log_commit *commit;
    struct segment *seg;
    struct segment_tail tail; /* the segment's, as far as batches were taken into the run */
    int64_t pos;              /* where the gathered buffers go */
    int64_t begin_offset;     /* of the first of them */
    int iov_count;
    struct iovec iov[LIMIT_COMMIT_BUFFERS];
    uint32_t index_first; /* number of the first gathered entry */
    uint32_t time_first;
    uint32_t index_gathered;
    uint32_t time_gathered;
    uint8_t index[ENTRY_BUFFER * INDEX_ENTRY_BYTES];
    uint8_t time[ENTRY_BUFFER * TIMEINDEX_ENTRY_BYTES];
};

/* ---- gathering and writing */

static void run_begin_segment(struct log_write_run *run, struct segment *seg,
                              const struct segment_tail *tail)
{
    run->seg = seg;
    run->tail = *tail;
    run->pos = tail->size;
    run->begin_offset = tail->next_offset;
    run->iov_count = 0;
    run->index_first = tail->index_count;
    run->time_first = tail->time_count;
    run->index_gathered = 0;
    run->time_gathered = 0;
}

/* Nobody takes the writer's files away. */
static enum err gone_is_error(enum err e)
{
    return e == ERR_STALE ? ERR_IO : e;
}

static enum err write_to(struct segment *seg, enum log_file_kind kind,
                         const struct segment_bytes *bytes)
{
    if (bytes->count == 0)
        return ERR_OK;
    struct env_file *file = NULL;
    enum err e = segment_file(seg, kind, ENV_WAIT, &file);
    if (e != ERR_OK)
        return gone_is_error(e);
    e = env_file_write(file, bytes->iov, bytes->count, bytes->pos);
    env_file_unref(file);
    return e;
}

/* What was gathered for each file; `entries` is where it points to. */
static void run_gathered(struct log_write_run *run, struct iovec entries[2],
                         struct segment_bytes out[SEGMENT_FILES])
{
    entries[0] = (struct iovec){run->index, (size_t)run->index_gathered * INDEX_ENTRY_BYTES};
    entries[1] = (struct iovec){run->time, (size_t)run->time_gathered * TIMEINDEX_ENTRY_BYTES};
    out[LOG_FILE_LOG] = (struct segment_bytes){run->iov, run->iov_count, run->pos};
    out[LOG_FILE_INDEX] = (struct segment_bytes){&entries[0], run->index_gathered > 0,
                                                 (int64_t)run->index_first * INDEX_ENTRY_BYTES};
    out[LOG_FILE_TIMEINDEX] = (struct segment_bytes){
        &entries[1], run->time_gathered > 0, (int64_t)run->time_first * TIMEINDEX_ENTRY_BYTES};
}

static void run_forget_gathered(struct log_write_run *run)
{
    run->iov_count = 0;
    run->pos = run->tail.size;
    run->begin_offset = run->tail.next_offset;
    run->index_first += run->index_gathered;
    run->time_first += run->time_gathered;
    run->index_gathered = 0;
    run->time_gathered = 0;
}

static bool run_hold_once(struct log_write_run *run,
                          const struct segment_bytes bytes[SEGMENT_FILES])
{
    bool begins = false;
    if (!segment_hold(run->seg, bytes, run->commit->held_max, &begins))
        return false;
    if (begins)
        run->log->writer_held.at =
            (struct log_position){run->begin_offset, run->seg->base_offset, run->pos};
    run->commit->is_held = true;
    return true;
}

/* What does not fit beside what is held gets the place of that, which is written. What is large
 * enough to be worth a write of its own gets one. */
static enum err run_hold(struct log_write_run *run, const struct segment_bytes bytes[SEGMENT_FILES],
                         bool *is_held)
{
    int64_t size = run->tail.size - run->pos;
    *is_held = false;
    if (size == 0 || size * HELD_PART > (int64_t)run->commit->held_max)
        return ERR_OK;
    *is_held = run_hold_once(run, bytes);
    if (*is_held || !segment_is_behind(run->seg))
        return ERR_OK;
    enum err e = segment_settle_batches(run->seg);
    if (e == ERR_OK)
        *is_held = run_hold_once(run, bytes);
    return gone_is_error(e);
}

/* Batches first: an entry never speaks of bytes that were not written. */
static enum err run_flush(struct log_write_run *run)
{
    struct iovec entries[2];
    struct segment_bytes bytes[SEGMENT_FILES];
    bool is_held;
    run_gathered(run, entries, bytes);
    enum err e = run_hold(run, bytes, &is_held);
    for (int kind = 0; kind < SEGMENT_FILES && e == ERR_OK && !is_held; kind++)
        e = write_to(run->seg, (enum log_file_kind)kind, &bytes[kind]);
    run_forget_gathered(run);
    ASSERT(run->index_first == run->tail.index_count);
    ASSERT(run->time_first == run->tail.time_count);
    return e;
}

static void run_gather_entry(struct log_write_run *run, const struct segment_entry *entry)
{
    if (entry->has_index)
        segment_entry_write_index(entry,
                                  run->index + (size_t)run->index_gathered++ * INDEX_ENTRY_BYTES);
    if (entry->has_time)
        segment_entry_write_time(entry,
                                 run->time + (size_t)run->time_gathered++ * TIMEINDEX_ENTRY_BYTES);
}

static enum err run_add(struct log_write_run *run, const struct log_append *append)
{
    ASSERT(append->segment_base == run->seg->base_offset);
    ASSERT(append->pos == run->tail.size);
    if (run->iov_count == LIMIT_COMMIT_BUFFERS || run->index_gathered == ENTRY_BUFFER - 1 ||
        run->time_gathered == ENTRY_BUFFER - 1) {
        enum err e = run_flush(run);
        if (e != ERR_OK)
            return e;
    }
    run->iov[run->iov_count++] = (struct iovec){append->bytes.data, append->bytes.len};
    struct segment_entry entry;
    segment_tail_step(&run->tail, run->seg->base_offset, &append->header,
                      run->commit->config.index_interval_bytes, &entry);
    run_gather_entry(run, &entry);
    run->commit->written_bytes += (int64_t)append->bytes.len;
    return ERR_OK;
}

/* ---- rolling */

enum err log_write_snapshot(const struct partition_log *log, int64_t offset, const void *data,
                            size_t size)
{
    struct log_file_name name = {.offset = offset, .kind = LOG_FILE_SNAPSHOT};
    char text[LOG_NAME_SIZE];
    char path[LOG_PATH_SIZE];
    if (!log_file_path(path, log->home->dir, log_file_name_format(text, &name)))
        return ERR_TOO_LARGE;
    struct env_file *file = NULL;
    enum err e = env_file_open(log->env, path, ENV_WRITE | ENV_CREATE | ENV_TRUNCATE, &file);
    if (e != ERR_OK)
        return e;
    struct iovec iov = {(void *)(uintptr_t)data, size};
    e = env_file_write(file, &iov, 1, 0);
    if (e == ERR_OK)
        e = env_file_sync(file);
    env_file_unref(file);
    return e;
}

/* To this size, unless it is shorter: what is held may not be there yet. */
static enum err cut_file(struct segment *seg, enum log_file_kind kind, int64_t size)
{
    struct env_file *file = NULL;
    int64_t now = 0;
    enum err e = segment_file_as_is(seg, kind, ENV_WAIT, &file);
    if (e != ERR_OK)
        return e;
    e = env_file_size(file, &now);
    if (e == ERR_OK && now > size)
        e = env_file_truncate(file, size);
    env_file_unref(file);
    return e;
}

static enum err run_seal(struct log_write_run *run)
{
    struct segment_entry entry;
    if (segment_tail_seal(&run->tail, run->seg->base_offset, &entry))
        run_gather_entry(run, &entry);
    enum err e = gone_is_error(segment_settle(run->seg, ENV_WAIT));
    if (e == ERR_OK)
        e = run_flush(run);
    if (e == ERR_OK) /* it may have been preallocated, whatever the topic wants now */
        e = cut_file(run->seg, LOG_FILE_LOG, run->tail.size);
    return e;
}

/* A segment of this commit: the one that was the last keeps its tail in the commit until that is
 * published, new ones are not seen by anybody yet. */
static void run_store_tail(struct log_write_run *run)
{
    if (list_is_linked(&run->seg->link))
        run->seg->tail = run->tail;
    else
        run->commit->sealed_tail = run->tail;
}

enum err log_preallocate(const struct log_config *config, struct segment *seg)
{
    if (!config->preallocate)
        return ERR_OK;
    struct env_file *file = NULL;
    enum err e = segment_file(seg, LOG_FILE_LOG, ENV_WAIT, &file);
    if (e != ERR_OK)
        return e;
    e = env_file_allocate(file, 0, MIN(config->segment_bytes, (int64_t)SEGMENT_BYTES_MAX));
    env_file_unref(file);
    return e;
}

static enum err run_roll(struct log_write_run *run, const struct log_roll *roll)
{
    struct partition_log *log = run->log;
    ASSERT(roll->base_offset == run->tail.next_offset);
    enum err e = run_seal(run);
    if (e != ERR_OK)
        return e;
    run_store_tail(run);
    struct segment *seg = segment_new(log->home, roll->base_offset, roll->created_ms);
    list_push_back(&run->commit->new_segments,
                   &seg->link); /* its reference; taken back on errors */
    log->dir_is_unsynced = true;
    e = segment_create(seg);
    if (e == ERR_OK)
        e = log_write_snapshot(log, roll->base_offset, roll->snapshot, roll->snapshot_size);
    if (e == ERR_OK)
        e = log_preallocate(&run->commit->config, seg);
    struct segment_tail tail;
    segment_tail_init(&tail, seg->base_offset);
    run_begin_segment(run, seg, &tail);
    return e;
}

/* ---- the commit */

static enum err run_all(struct log_write_run *run)
{
    struct log_commit *commit = run->commit;
    LIST_FOR_EACH (node, &commit->appends) {
        struct log_append *append = container_of(node, struct log_append, link);
        enum err e = append->roll != NULL ? run_roll(run, append->roll) : ERR_OK;
        if (e == ERR_OK)
            e = run_add(run, append);
        if (e != ERR_OK)
            return e;
    }
    enum err e = run_flush(run);
    if (e == ERR_OK && commit->roll_at_end != NULL)
        e = run_roll(run, commit->roll_at_end);
    return e;
}

/* The last segment's files end where the log does. */
static enum err cut_back(struct partition_log *log)
{
    enum err e = ERR_OK;
    const struct segment_tail *tail = &log->active_tail;
    segment_tail_check(tail, log->active->base_offset);
    int64_t sizes[SEGMENT_FILES] = {
        [LOG_FILE_LOG] = tail->size,
        [LOG_FILE_INDEX] = (int64_t)tail->index_count * INDEX_ENTRY_BYTES,
        [LOG_FILE_TIMEINDEX] = (int64_t)tail->time_count * TIMEINDEX_ENTRY_BYTES,
    };
    segment_drop_behind(log->active, sizes);
    for (int kind = 0; kind < SEGMENT_FILES && e == ERR_OK; kind++)
        e = cut_file(log->active, (enum log_file_kind)kind, sizes[kind]);
    log->needs_cut = e != ERR_OK;
    return e;
}

/* Before anything else is done with the last segment: what could not be cut off is, then what is
 * held is written. */
static enum err settle(struct partition_log *log)
{
    enum err e = log->needs_cut ? cut_back(log) : ERR_OK;
    if (e == ERR_OK)
        e = segment_settle(log->active, ENV_WAIT);
    return gone_is_error(e);
}

/* Takes back what a failed commit may have left: whole batches behind the published end would be
 * taken for records after a crash, and a segment or snapshot that comes back with its name, too.
 * Without descriptors just now the next call does it. */
static enum err take_back(struct partition_log *log, struct log_commit *commit)
{
    enum err e = ERR_OK;
    bool had_segments = !list_is_empty(&commit->new_segments);
    for (struct list *node; (node = list_pop_front(&commit->new_segments)) != NULL;) {
        struct segment *seg = container_of(node, struct segment, link);
        segment_close_files(seg);
        enum err unlinked = segment_unlink_all(seg, LOG_STAGE_LIVE);
        if (e == ERR_OK)
            e = unlinked;
        segment_unref(seg);
    }
    enum err cut = cut_back(log);
    if (e == ERR_OK && cut != ERR_FULL && cut != ERR_NO_MEMORY)
        e = cut;
    if (e == ERR_OK && had_segments)
        e = env_dir_sync(log->env, log->home->dir);
    log->was_taken_back = true;
    commit->written_bytes = 0;
    return e;
}

/* Whatever was sealed waits for its sync; the last segment is the one to write to from now on. */
static void adopt(struct partition_log *log, struct log_write_run *run)
{
    struct log_commit *commit = run->commit;
    run_store_tail(run);
    if (!list_is_empty(&commit->new_segments)) {
        list_push_back(&log->unsynced, &log->active->unsynced_link); /* its reference */
        LIST_FOR_EACH (node, &commit->new_segments) {
            struct segment *seg = container_of(node, struct segment, link);
            if (seg != run->seg)
                list_push_back(&log->unsynced, &segment_ref(seg)->unsynced_link);
        }
        log->active = segment_ref(run->seg);
        log->active_is_unsynced = false;
    }
    if (run->tail.size > 0 && commit->written_bytes > 0)
        log->active_is_unsynced = true;
    segment_tail_check(&run->tail, log->active->base_offset);
    ASSERT(run->tail.next_offset >= log->active_tail.next_offset);
    log->active_tail = run->tail;
    commit->written = (struct log_position){.offset = run->tail.next_offset,
                                            .segment_base = run->seg->base_offset,
                                            .pos = run->tail.size};
}

static enum err write_failed(struct partition_log *log, struct log_commit *commit, enum err e,
                             const struct log_position *at)
{
    log_fault_note(log, LOG_STEP_WRITE, e, at);
    enum err back = take_back(log, commit);
    log->is_broken = back != ERR_OK || !err_may_pass(e);
    return log->is_broken ? ERR_IO : e;
}

static void note_held(struct partition_log *log, struct log_commit *commit)
{
    struct segment_filed filed;
    segment_filed_look(log->active, &filed);
    if (filed.has_all_batches)
        log->writer_held = log_nothing_held;
    log->writer_held.index_count = filed.index_count;
    commit->held = log->writer_held;
}

enum err partition_log_write(struct partition_log *log, struct log_commit *commit)
{
    ASSERT(commit->is_taken && !commit->is_published);
    if (log->is_broken)
        return ERR_IO;
    log->is_as_stopped = false;
    enum err e = ERR_OK;
    if (commit->epochs_text != NULL) {
        e = log_file_replace(log->env, log->home->dir, "leader-epoch-checkpoint",
                             commit->epochs_text, commit->epochs_size);
        log->dir_is_unsynced = true;
    }
    struct log_write_run run;
    run.log = log;
    run.commit = commit;
    run_begin_segment(&run, log->active, &log->active_tail);
    commit->tail_before = log->active_tail;
    if (e == ERR_OK && commit->held_max == 0)
        e = settle(log);
    if (e == ERR_OK)
        e = run_all(&run);
    if (e != ERR_OK)
        return write_failed(log, commit, e,
                            &(struct log_position){-1, run.seg->base_offset, run.pos});
    adopt(log, &run);
    note_held(log, commit);
    ASSERT(commit->written.offset == commit->end_offset);
    return ERR_OK;
}

enum err partition_log_unhold(struct partition_log *log, struct log_commit *commit)
{
    ASSERT(commit->is_taken && !commit->is_published);
    struct log_position at = {-1, log->active->base_offset, commit->tail_before.size};
    enum err e = settle(log);
    commit->is_held = false;
    note_held(log, commit);
    if (e == ERR_OK)
        return ERR_OK;
    ASSERT(list_is_empty(&commit->new_segments)); /* it was brief: else nothing was held */
    log->active_tail = commit->tail_before;
    return write_failed(log, commit, e, &at);
}

/* ---- syncing */

/* A moment in which others hold all descriptors must not look like a bad disk: it is waited for,
 * and who waits for this commit with it. */
static enum err open_to_sync(struct segment *seg, enum log_file_kind kind, struct env_file **out)
{
    enum err e = segment_file(seg, kind, ENV_WAIT, out);
    for (int tries = 1; (e == ERR_FULL || e == ERR_NO_MEMORY) && tries < OPEN_TRIES; tries++) {
        env_pause(seg->home->env, OPEN_PAUSE_NS);
        e = segment_file(seg, kind, ENV_WAIT, out);
    }
    return e;
}

static enum err sync_file(struct segment *seg, enum log_file_kind kind)
{
    struct env_file *file = NULL;
    enum err e = open_to_sync(seg, kind, &file);
    if (e != ERR_OK)
        return e;
    e = env_file_sync(file);
    env_file_unref(file);
    return e;
}

static enum err sync_sealed(struct segment *seg)
{
    enum err e = ERR_OK;
    for (int kind = 0; kind < SEGMENT_FILES && e == ERR_OK; kind++)
        e = sync_file(seg, (enum log_file_kind)kind);
    return e == ERR_STALE ? ERR_OK : e; /* retention was quicker: nothing to keep */
}

/* All sealed segments and the directory. */
static enum err sync_all_sealed(struct partition_log *log)
{
    while (!list_is_empty(&log->unsynced)) {
        struct segment *seg = container_of(log->unsynced.next, struct segment, unsynced_link);
        enum err e = sync_sealed(seg);
        if (e != ERR_OK)
            return e;
        list_remove(&seg->unsynced_link);
        segment_close_files(seg); /* cold from now on; readers open it when they need it */
        segment_unref(seg);
    }
    bool wants_dir = log->dir_is_unsynced && !CANARY(ROLL_WITHOUT_NAME);
    enum err e = wants_dir ? env_dir_sync(log->env, log->home->dir) : ERR_OK;
    if (e == ERR_OK)
        log->dir_is_unsynced = false;
    return e;
}

static enum err sync_unsynced(struct partition_log *log)
{
    enum err e = sync_all_sealed(log);
    if (e == ERR_OK && (log->active_is_unsynced || log->was_taken_back))
        e = sync_file(log->active, LOG_FILE_LOG);
    if (e == ERR_OK) {
        log->active_is_unsynced = false;
        log->was_taken_back = false;
    }
    return e;
}

enum err partition_log_sync(struct partition_log *log, struct log_commit *commit)
{
    ASSERT(commit->is_published);
    if (log->is_broken)
        return ERR_IO;
    if (log_fault_note_sync(log, sync_unsynced(log)) != ERR_OK) {
        log->is_broken = true; /* what the kernel dropped cannot be had back: never again */
        return ERR_IO;
    }
    commit->durable = (struct log_position){.offset = log->active_tail.next_offset,
                                            .segment_base = log->active->base_offset,
                                            .pos = log->active_tail.size};
    ASSERT(commit->durable.offset >= commit->written.offset);
    return ERR_OK;
}

bool partition_log_may_journal(const struct partition_log *log, const struct log_commit *commit)
{
    return commit->sync && commit->follows_durable && !list_is_empty(&commit->appends) &&
           !log->was_taken_back && list_is_empty(&log->unsynced) && !log->dir_is_unsynced &&
           partition_log_commit_is_brief(commit);
}

bool partition_log_may_hold(const struct partition_log *log, const struct log_commit *commit)
{
    bool may_hold = commit->config.ack_disk;
    LIST_FOR_EACH (node, &commit->appends)
        may_hold = may_hold && container_of(node, struct log_append, link)->wants_sync;
    return may_hold && partition_log_may_journal(log, commit);
}

enum err partition_log_flush(struct partition_log *log, struct log_position *durable)
{
    if (log->is_broken)
        return ERR_IO;
    enum err e = CANARY(SYNC_LEAVES_HELD) ? ERR_OK : settle(log);
    if (err_may_pass(e)) {
        log_fault_note(
            log, LOG_STEP_WRITE, e,
            &(struct log_position){-1, log->active->base_offset, log->writer_held.at.pos});
        return e;
    }
    if (e == ERR_OK)
        e = sync_unsynced(log);
    if (log_fault_note_sync(log, e) != ERR_OK) {
        log->is_broken = true;
        return ERR_IO;
    }
    *durable = (struct log_position){.offset = log->active_tail.next_offset,
                                     .segment_base = log->active->base_offset,
                                     .pos = log->active_tail.size};
    return ERR_OK;
}

enum err partition_log_sync_sealed(struct partition_log *log, struct log_position *durable)
{
    struct log_position end = {.offset = -1, .segment_base = -1, .pos = -1};
    if (log->is_broken)
        return ERR_IO;
    if (!list_is_empty(&log->unsynced)) {
        if (log_fault_note_sync(log, sync_all_sealed(log)) != ERR_OK) {
            log->is_broken = true;
            return ERR_IO;
        }
        end.offset = log->active->base_offset;
        end.segment_base = log->active->base_offset;
        end.pos = 0;
    }
    *durable = end;
    return ERR_OK;
}

/* ---- a clean stop */

enum err log_write_epochs(struct partition_log *log)
{
    if (!log->epochs.is_dirty)
        return ERR_OK;
    struct strbuf text;
    strbuf_init(&text);
    leader_epochs_write(&log->epochs, &text);
    enum err e = log_file_replace(log->env, log->home->dir, "leader-epoch-checkpoint",
                                  strbuf_text(&text), text.len);
    log->epochs.is_dirty = e != ERR_OK;
    log->dir_is_unsynced = true;
    strbuf_deinit(&text);
    return e;
}

static enum err write_own_snapshot(struct partition_log *log)
{
    size_t size = producer_snapshot_size(&log->producers);
    uint8_t *data = mem_try(size);
    if (data == NULL)
        return ERR_NO_MEMORY;
    producer_snapshot_write(&log->producers, data, size);
    enum err e = log_write_snapshot(log, log->active_tail.next_offset, data, size);
    mem_free(data);
    log->dir_is_unsynced = true;
    return e;
}

/* The last segment gets its final time entry, as if it were sealed; later appends go on behind it.
 */
static enum err finish_active(struct partition_log *log)
{
    struct log_commit nothing = {.config = log->config}; /* nobody changes it any more */
    struct log_write_run run;
    run.log = log;
    run.commit = &nothing;
    run_begin_segment(&run, log->active, &log->active_tail);
    enum err e = run_seal(&run);
    if (e != ERR_OK)
        return e;
    log->active_tail = run.tail;
    if (run.tail.index_count > 0) /* one without entries has no bytes to lose */
        e = sync_file(log->active, LOG_FILE_INDEX);
    if (e == ERR_OK && run.tail.time_count > 0)
        e = sync_file(log->active, LOG_FILE_TIMEINDEX);
    return e;
}

enum err partition_log_close_clean(struct partition_log *log, int64_t *recovery_point)
{
    ASSERT(list_is_empty(&log->pending) && !log->is_taken);
    if (log->is_broken)
        return ERR_IO;
    /* An epoch that began since, and holds no record, need not be kept: the next start begins a
     * higher one at the same offset. */
    bool is_synced = list_is_empty(&log->unsynced) && !log->active_is_unsynced;
    if (log->is_as_stopped && is_synced && !log->dir_is_unsynced) {
        *recovery_point = log->active_tail.next_offset;
        return ERR_OK;
    }
    enum err e = settle(log);
    if (e == ERR_OK)
        e = log_write_epochs(log);
    if (e == ERR_OK)
        e = write_own_snapshot(log);
    if (e == ERR_OK)
        e = finish_active(log);
    if (e == ERR_OK)
        e = sync_unsynced(log);
    if (e != ERR_OK) {
        log->is_broken = true;
        return e;
    }
    log->is_as_stopped = true;
    *recovery_point = log->active_tail.next_offset;
    return ERR_OK;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * partition_journal: a partition and the journal of its log directory (log/journal.h).
 *
 * A small commit is written into the segment, or held for it, and added to the journal's group; the
 * job is parked until the journal tells that it is durable, and goes on from there. The journal may
 * tell before the job is parked: who comes second goes on. Later the journal asks for a flush of
 * the segment, so that its half can be filled again, and releases the partition, which it has held
 * since the first entry.
 *
 * Thread: the partition's job; the journal's calls come on a disk worker.
 */
#include "base/assert.h"
#include "base/canary.h"
#include "replica/partition_private.h"

enum { ROOM_AGAIN_MS = 1000 };

/* [job] The commit is durable, or nothing is any more. True: the job has rested. */
static bool finish(struct partition *p, enum err e)
{
    bool rests = false;
    if (e == ERR_OK)
        partition_commit_durable(p, p->journal_entry.generation, &rests);
    else
        partition_commit_failed(p, e);
    return rests;
}

static void on_done(struct journal_entry *entry, enum err e)
{
    struct partition *p = container_of(entry, struct partition, journal_entry);
    monitor_enter(&p->monitor);
    bool is_parked = p->is_parked;
    p->is_parked = false;
    p->has_journal_result = !is_parked;
    p->journal_result = e;
    monitor_leave(&p->monitor);
    if (!is_parked)
        return;
    if (!finish(p, e))
        partition_job_submit(p, NULL);
    partition_unref(p); /* the parked job's; one that was submitted has its own */
}

bool partition_journal_add(struct partition *p)
{
    bool begins_cover = false;
    if (p->journal == NULL || atomic_load(&p->leaves_journal) ||
        !partition_log_may_journal(p->log, &p->commit))
        return false;
    if (!journal_add(p->journal, &p->journal_entry, &p->commit, &begins_cover)) {
        journal_note_small(p->journal);
        if (journal_has_failed(p->journal))
            p->owner.storage_failed(p->owner.arg, p, ERR_IO);
        return false;
    }
    if (begins_cover) {
        partition_ref(p); /* dropped by on_released */
        if (p->owner.journal_used != NULL)
            p->owner.journal_used(p->owner.arg);
    }
    return true;
}

size_t partition_journal_held_max(const struct partition *p)
{
    if (p->journal == NULL || atomic_load(&p->leaves_journal) ||
        disk_room_is_low(log_dir_room(p->dir)) || !partition_log_may_hold(p->log, &p->commit))
        return 0;
    return journal_held_max(p->journal);
}

bool partition_journal_park(struct partition *p)
{
    monitor_enter(&p->monitor);
    bool is_told = p->has_journal_result;
    p->has_journal_result = false;
    p->is_parked = !is_told;
    enum err e = p->journal_result;
    monitor_leave(&p->monitor);
    if (!is_told)
        return true;
    if (e == ERR_OK)
        partition_commit_durable(p, p->journal_entry.generation, NULL);
    else
        partition_commit_failed(p, e);
    return false;
}

/* ---- flushing and releasing */

static void on_flush(struct journal_client *client)
{
    struct partition *p = container_of(client, struct partition, journal_client);
    bool submit = false;
    monitor_enter(&p->monitor);
    bool is_over = p->state == PARTITION_CLOSED;
    if (!is_over) {
        p->wants_flush = true;
        submit = partition_job_claim(p);
    }
    monitor_leave(&p->monitor);
    if (submit)
        partition_job_submit(p, NULL);
    if (is_over)
        journal_flushed(p->journal, client, INT64_MAX);
}

/* What is held has no place in the segment: the journal keeps it. */
static void wait_for_room(struct partition *p, enum err e)
{
    partition_note_failure(p, e);
    if (e == ERR_NO_SPACE) {
        disk_room_wrote(log_dir_room(p->dir), env_mono_ns(p->env), 0, e);
        partition_note_disk_full(p, true);
    }
    monitor_enter(&p->monitor);
    p->flush_lacks_room = true;
    monitor_leave(&p->monitor);
    p->owner.due(p->owner.arg, p, env_wall_ms(p->env) + ROOM_AGAIN_MS);
}

void partition_journal_flush(struct partition *p)
{
    struct log_position durable = {0};
    monitor_enter(&p->monitor);
    int64_t synced = partition_log_synced(p->log);
    bool is_needed = synced < partition_log_written(p->log).offset && !CANARY(JOURNAL_EARLY_VOID);
    p->wants_flush = false;
    monitor_leave(&p->monitor);
    if (is_needed) {
        enum err e = partition_log_flush(p->log, &durable);
        if (err_may_pass(e)) {
            wait_for_room(p, e);
            return;
        }
        if (e != ERR_OK) {
            partition_note_failure(p, e);
            p->owner.storage_failed(p->owner.arg, p, e);
            return;
        }
        partition_note_disk_full(p, false);
        monitor_enter(&p->monitor);
        partition_log_publish_sealed(p->log, &durable);
        synced = durable.offset;
        monitor_leave(&p->monitor);
    }
    journal_flushed(p->journal, &p->journal_client,
                    CANARY(JOURNAL_EARLY_VOID) ? INT64_MAX : synced);
}

static void on_released(struct journal_client *client, uint64_t generation)
{
    struct partition *p = container_of(client, struct partition, journal_client);
    monitor_enter(&p->monitor);
    partition_log_journal_released(p->log, generation);
    monitor_leave(&p->monitor);
    partition_unref(p);
}

void partition_journal_init(struct partition *p)
{
    p->journal = log_dir_journal(p->dir);
    atomic_store(&p->leaves_journal, false);
    p->journal_client = (struct journal_client){
        .topic_id = p->topic_id, .partition = p->index, .flush = on_flush, .released = on_released};
    journal_client_init(&p->journal_client);
    p->journal_entry = (struct journal_entry){.client = &p->journal_client, .done = on_done};
    list_init(&p->journal_entry.link);
}

void partition_journal_opened(struct partition *p)
{
    if (p->journal != NULL && journal_replayed(p->journal, &p->journal_client))
        partition_ref(p);
}

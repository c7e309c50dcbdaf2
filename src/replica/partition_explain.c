// SPDX-License-Identifier: Apache-2.0
/* partition_explain: see partition_explain.h. Thread: any; those marked [job]: the job. */
#include "replica/partition_explain.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "replica/partition_private.h"
#include "replica/replica_set_private.h"

/* ---- remembering */

void partition_note_failure(struct partition *p, enum err e)
{
    struct log_fault fault = {.step = LOG_STEP_JOURNAL, .error = e, .at = {-1, -1, -1}};
    bool is_logs = partition_log_take_fault(p->log, &fault);
    ASSERT(e != ERR_OK && (is_logs || fault.step == LOG_STEP_JOURNAL));
    struct partition_failure failure = {
        .step = fault.step, .error = fault.error, .at_ms = env_wall_ms(p->env), .at = fault.at};
    monitor_enter(&p->monitor);
    if (p->failure == NULL)
        p->failure = mem_alloc(sizeof(*p->failure));
    *p->failure = failure;
    monitor_leave(&p->monitor);
}

void partition_note_full(struct partition *p, bool is_full)
{
    int64_t since_ms = atomic_load_explicit(&p->full_since_ms, memory_order_relaxed);
    if (is_full == (since_ms != 0))
        return;
    atomic_store_explicit(&p->full_since_ms, is_full ? env_wall_ms(p->env) : 0,
                          memory_order_relaxed);
}

void partition_note_sync_begins(struct partition *p)
{
    atomic_store_explicit(&p->sync_began_ms, env_wall_ms(p->env), memory_order_relaxed);
}

void partition_note_sync_ended(struct partition *p, bool is_done)
{
    if (is_done)
        atomic_store_explicit(&p->synced_ms, env_wall_ms(p->env), memory_order_relaxed);
    atomic_store_explicit(&p->sync_began_ms, 0, memory_order_relaxed);
}

/* ---- telling */

static enum partition_condition condition_of(const struct partition *p)
{
    switch ((enum partition_state)p->state) {
    case PARTITION_LEADING:
        return PARTITION_IS_SERVING;
    case PARTITION_OFFLINE:
        return PARTITION_IS_OFFLINE;
    case PARTITION_CLOSING:
    case PARTITION_CLOSED:
    case PARTITION_STATE_COUNT:
        break;
    }
    return PARTITION_IS_CLOSING;
}

void partition_explain(struct partition *p, struct partition_explanation *out)
{
    partition_offsets(p, &out->at);
    monitor_enter(&p->monitor);
    const struct log_config *config = partition_log_config(p->log);
    out->condition = condition_of(p);
    out->flush_messages = config->flush_messages;
    out->flush_ms = config->flush_ms;
    out->is_ack_disk = config->ack_disk;
    out->unsynced_since_ms = partition_log_unsynced_since_ms(p->log);
    if (p->failure != NULL)
        out->failure = *p->failure;
    out->rot_count = partition_log_list_rot(p->log, out->rot, PARTITION_ROT_TOLD);
    monitor_leave(&p->monitor);
    out->sync_began_ms = atomic_load_explicit(&p->sync_began_ms, memory_order_relaxed);
    out->synced_ms = atomic_load_explicit(&p->synced_ms, memory_order_relaxed);
    out->full_since_ms = atomic_load_explicit(&p->full_since_ms, memory_order_relaxed);
    if (out->full_since_ms == 0) /* it is refused before it is tried */
        out->full_since_ms = atomic_load(&log_dir_room(p->dir)->low_since_ms);
}

static void explain_unopened(struct partition_explanation *out)
{
    out->condition = out->open_error != ERR_OK ? PARTITION_IS_UNOPENED : PARTITION_IS_OPENING;
    out->at = (struct partition_offsets){.log_start = -1,
                                         .high_watermark = -1,
                                         .last_stable = -1,
                                         .written = -1,
                                         .durable = -1,
                                         .assigned = -1,
                                         .recovery_point = -1,
                                         .size_bytes = -1,
                                         .leader_epoch = -1};
    out->unsynced_since_ms = -1;
}

void replica_note_uncleanable(struct replica *replica, const char *why)
{
    char *copy = why != NULL ? mem_strdup(why) : NULL;
    monitor_enter(&replica->set->monitor);
    char *before = replica->uncleanable;
    replica->uncleanable = copy;
    replica->uncleanable_ms = env_wall_ms(replica->set->env);
    monitor_leave(&replica->set->monitor);
    mem_free(before);
}

static void explain_room(const struct disk_room *room, struct partition_explanation *out)
{
    if (!disk_room_is_low(room))
        return;
    out->dir_low_since_ms = atomic_load_explicit(&room->low_since_ms, memory_order_relaxed);
    out->dir_reserve_bytes = atomic_load_explicit(&room->reserve_bytes, memory_order_relaxed);
}

bool replica_set_explain(struct replica_set *set, struct uuid topic_id, int32_t index,
                         struct partition_explanation *out)
{
    struct partition *partition = NULL;
    *out = (struct partition_explanation){.dir = SIZE_MAX};
    monitor_enter(&set->monitor);
    const struct replica *replica = replica_set_lookup(set, topic_id, index);
    if (replica != NULL) {
        out->dir = replica->dir;
        out->opened_ms = replica->opened_ms;
        out->open_error = replica->error;
        if (replica->opened_ms != 0 &&
            replica->report != NULL) /* else a worker may be filling it */
            out->report = *replica->report;
        if (replica->uncleanable != NULL) {
            out->uncleanable_ms = replica->uncleanable_ms;
            snprintf(out->uncleanable, sizeof(out->uncleanable), "%s", replica->uncleanable);
        }
        out->is_tried_again = err_may_pass(replica->error);
        if (replica->dir != SIZE_MAX)
            explain_room(log_dir_room(set->options.dirs[replica->dir]), out);
        if (replica->dir != SIZE_MAX && set->dir_failures[replica->dir] != NULL)
            out->dir_failure = *set->dir_failures[replica->dir];
        partition = replica->partition != NULL ? partition_ref(replica->partition) : NULL;
    }
    monitor_leave(&set->monitor);
    if (partition != NULL)
        partition_explain(partition, out);
    else
        explain_unopened(out);
    partition_unref(partition);
    return replica != NULL;
}

static void note(struct replica_set *set, size_t dir, struct log_dir_failure *take_failure)
{
    monitor_enter(&set->monitor);
    ASSERT(dir < set->options.dir_count);
    if (set->dir_failures[dir] == NULL) {
        set->dir_failures[dir] = take_failure;
        take_failure = NULL;
    }
    monitor_leave(&set->monitor);
    mem_free(take_failure);
}

void replica_set_note_dir_error(struct replica_set *set, size_t dir, enum err e, const char *what)
{
    struct log_dir_failure *failure = mem_alloc(sizeof(*failure));
    *failure = (struct log_dir_failure){
        .at_ms = env_wall_ms(set->env), .index = -1, .failure = {.error = e}};
    snprintf(failure->topic, sizeof(failure->topic), "%s", what);
    note(set, dir, failure);
}

void replica_set_note_dir_failure(struct replica_set *set, size_t dir, struct partition *p)
{
    struct log_dir_failure *failure = mem_alloc(sizeof(*failure));
    struct partition_explanation told = {.dir = dir};
    partition_explain(p, &told);
    *failure = (struct log_dir_failure){
        .at_ms = env_wall_ms(set->env), .index = partition_index(p), .failure = told.failure};
    snprintf(failure->topic, sizeof(failure->topic), "%s", partition_topic(p));
    note(set, dir, failure);
}

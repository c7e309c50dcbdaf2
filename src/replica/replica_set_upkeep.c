// SPDX-License-Identifier: Apache-2.0
/*
 * replica_set_upkeep: what the set does besides following updates: the one timer for what falls
 * due (due_queue), checkpoints, failed directories.
 *
 * A round of upkeep visits the partitions that something happened to since the last one, and
 * those whose retention has a date that has come; never all of them. With nothing to visit
 * and no open file there are no rounds.
 *
 * Thread: the set's loop; replica_storage_failed and replica_due: any; checkpoints are written
 * on a worker.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/logger.h"
#include "log/journal.h"
#include "replica/replica_set_private.h"

/* One that has room is better than one that is low; then the fewer partitions the better. */
static bool is_better_dir(const struct replica_set *set, size_t dir, size_t than)
{
    bool is_low = disk_room_is_low(log_dir_room(set->options.dirs[dir]));
    bool other_is_low = disk_room_is_low(log_dir_room(set->options.dirs[than]));
    if (is_low != other_is_low)
        return other_is_low;
    return set->dir_partitions[dir] < set->dir_partitions[than];
}

size_t replica_set_pick_dir(struct replica_set *set)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < set->options.dir_count; i++) {
        if (replica_set_dir_is_offline(set, i))
            continue;
        if (best == SIZE_MAX || is_better_dir(set, i, best))
            best = i;
    }
    return best;
}

bool replica_set_dir_is_offline(struct replica_set *set, size_t index)
{
    ASSERT(index < set->options.dir_count);
    monitor_enter(&set->monitor);
    bool is_offline = set->dir_is_offline[index];
    monitor_leave(&set->monitor);
    return is_offline;
}

/* ---- the timer */

enum {
    WAIT_MS_MAX = INT32_MAX,     /* a round too many in 24 days does no harm */
    VISITS_PER_TURN = 256,       /* then the loop gets its turn */
    CHECKPOINT_GATHER_MS = 1000, /* values that change together are written together */
};

static int64_t mono_ms(const struct replica_set *set)
{
    return env_mono_ns(set->env) / 1000000;
}

static int64_t round_interval_ms(const struct replica_set *set)
{
    return MIN(set->options.retention_check_ms, MAX(set->options.checkpoint_ms, (int64_t)1));
}

/* In milliseconds; WAIT_MS_MAX where nothing is to come. */
static int64_t wait_ms(struct replica_set *set)
{
    bool wants_round = false;
    int64_t now_ms = mono_ms(set);
    int64_t wait = WAIT_MS_MAX;
    int64_t due_ms = due_queue_next(&set->due, &wants_round);
    if (set->round_goes_on)
        return 1;
    if (due_ms != DUE_NEVER)
        wait = MIN(wait, due_ms - env_wall_ms(set->env));
    /* With dates a round, too, since the calendar may jump. */
    if (wants_round || due_ms != DUE_NEVER || file_cache_is_used(set->files))
        wait = MIN(wait, MAX(set->next_round_ms - now_ms, (int64_t)1));
    if (atomic_load(&set->wants_checkpoints))
        wait = MIN(wait, set->next_checkpoint_ms - now_ms);
    return MAX(wait, (int64_t)1);
}

static void arm_timer(struct replica_set *set)
{
    loop_timer_start(set->options.loop, &set->timer,
                     env_mono_ns(set->env) + wait_ms(set) * 1000000);
}

/* From any thread: something may be due earlier than the timer knows. */
static void wake_timer(struct replica_set *set)
{
    if (!atomic_exchange(&set->due_is_posted, true))
        loop_post(set->options.loop, &set->due_task);
}

static void start_checkpoints(struct replica_set *set);

/* Who waited for the checkpoint that was written now is told. */
static void tell_saved(struct replica_set *set)
{
    struct list told;
    list_init(&told);
    list_splice_back(&told, &set->saving_now);
    for (struct list *node; (node = list_pop_front(&told)) != NULL;) {
        struct partition_trim *trim = container_of(node, struct partition_trim, link);
        enum err e = ERR_IO;
        for (size_t i = 0; i < set->options.dir_count; i++) {
            if (set->options.dirs[i] == partition_dir(trim->partition))
                e = set->dir_saved[i];
        }
        partition_start_saved(trim, e);
    }
}

static bool has_more_to_save(struct replica_set *set)
{
    monitor_enter(&set->monitor);
    bool has_more = !list_is_empty(&set->saving);
    monitor_leave(&set->monitor);
    return has_more || replica_set_moves_are_announced(set) ||
           (set->is_following && !list_is_empty(&set->follow.stale));
}

/* Those of which the checkpoints name no other any more, or could not be written. */
static bool free_names(struct replica_set *set)
{
    if (!set->is_following || list_is_empty(&set->follow.stale_now))
        return false;
    list_splice_back(&set->follow.to_open, &set->follow.stale_now);
    return true;
}

static void checkpoint_written(struct loop_task *task)
{
    struct replica_set *set = container_of(task, struct replica_set, checkpoint_task);
    set->checkpoint_is_busy = false;
    tell_saved(set);
    replica_set_moves_saved(set);
    if (set->stop_is_written) {
        replica_set_follow_end(set);
        return;
    }
    bool opens = free_names(set);
    bool goes_on = set->checkpoint_again || has_more_to_save(set);
    if (goes_on)
        start_checkpoints(set);
    else if (atomic_load(&set->wants_checkpoints) && !set->is_closed)
        arm_timer(set); /* they could not be written, and whoever changes one wakes nobody again */
    if (opens || (!goes_on && set->is_closed && set->is_following))
        replica_set_follow_step(set); /* it waited for this */
}

/* What waits goes with the checkpoint that begins now. */
static void begin_checkpoint(struct replica_set *set, bool (*write)(struct env_job *job),
                             enum env_queue queue)
{
    ASSERT(!set->checkpoint_is_busy && list_is_empty(&set->saving_now));
    set->checkpoint_is_busy = true;
    set->checkpoint_again = false;
    atomic_store(&set->wants_checkpoints, false);
    monitor_enter(&set->monitor);
    list_splice_back(&set->saving_now, &set->saving);
    monitor_leave(&set->monitor);
    if (set->is_following)
        list_splice_back(&set->follow.stale_now, &set->follow.stale);
    replica_set_moves_saving(set);
    set->checkpoint_task = (struct loop_task){.run = checkpoint_written};
    set->checkpoint_job = (struct env_job){.run = write, .queue = queue};
    env_submit(set->env, &set->checkpoint_job);
}

static bool write_checkpoints(struct env_job *job)
{
    struct replica_set *set = container_of(job, struct replica_set, checkpoint_job);
    for (size_t i = 0; i < set->options.dir_count; i++) {
        set->dir_saved[i] = ERR_IO;
        if (replica_set_dir_is_offline(set, i))
            continue;
        enum err e = log_dir_checkpoint_write(set->options.dirs[i]);
        set->dir_saved[i] = e;
        if (e != ERR_OK)
            atomic_store(&set->wants_checkpoints, true);
        if (e != ERR_OK)
            log_warn(set->env, "checkpoints of %s could not be written: %s",
                     log_dir_path(set->options.dirs[i]), err_text(e));
        if (err_is_of_disk(log_dir_judge(set->options.dirs[i], e)))
            replica_set_dir_failed(set, i, e, "its checkpoints");
    }
    loop_post(set->options.loop, &set->checkpoint_task);
    return false;
}

static void start_checkpoints(struct replica_set *set)
{
    if (set->checkpoint_is_busy) {
        set->checkpoint_again = true;
        return;
    }
    begin_checkpoint(set, write_checkpoints,
                     has_more_to_save(set) ? ENV_QUEUE_WRITE : ENV_QUEUE_BACKGROUND);
}

void replica_set_checkpoint_now(struct replica_set *set)
{
    start_checkpoints(set);
}

static void save_wanted(struct loop_task *task)
{
    struct replica_set *set = container_of(task, struct replica_set, save_task);
    atomic_store(&set->save_is_posted, false);
    if (has_more_to_save(set))
        start_checkpoints(set);
}

void replica_save_start(void *arg, struct partition_trim *trim)
{
    struct replica_set *set = arg;
    monitor_enter(&set->monitor);
    list_push_back(&set->saving, &trim->link);
    monitor_leave(&set->monitor);
    if (!atomic_exchange(&set->save_is_posted, true))
        loop_post(set->options.loop, &set->save_task);
}

/* ---- open files that nobody uses */

static void idle_closed(struct loop_task *task)
{
    struct replica_set *set = container_of(task, struct replica_set, idle_task);
    set->idle_is_busy = false;
    if (set->is_closed && set->is_following)
        replica_set_follow_step(set); /* the stop may have waited for this */
    else if (!set->is_closed)
        arm_timer(set);
}

static bool close_idle(struct env_job *job)
{
    struct replica_set *set = container_of(job, struct replica_set, idle_job);
    (void)file_cache_close_idle(set->files);
    loop_post(set->options.loop, &set->idle_task);
    return false;
}

static void start_closing_idle(struct replica_set *set)
{
    if (set->idle_is_busy || !file_cache_is_used(set->files))
        return;
    set->idle_is_busy = true;
    set->idle_task = (struct loop_task){.run = idle_closed};
    set->idle_job = (struct env_job){.run = close_idle, .queue = ENV_QUEUE_BACKGROUND};
    env_submit(set->env, &set->idle_job);
}

/* ---- rounds */

struct visit {
    struct partition *partition; /* one reference */
};

static void hold(void *arg, struct due_place *place)
{
    ((struct visit *)arg)->partition = partition_ref(partition_of_due_place(place));
}

/* True: there are more. */
static bool visit_some(struct replica_set *set, bool in_round)
{
    int64_t now_ms = env_wall_ms(set->env);
    struct visit visit;
    for (int i = 0; i < VISITS_PER_TURN; i++) {
        if (!due_queue_take(&set->due, now_ms, in_round, hold, &visit))
            return false;
        partition_housekeep(visit.partition);
        partition_unref(visit.partition);
    }
    return true;
}

static void timer_fired(struct loop_timer *timer)
{
    struct replica_set *set = container_of(timer, struct replica_set, timer);
    int64_t now_ms = mono_ms(set);
    bool begins = !set->round_goes_on && now_ms >= set->next_round_ms;
    if (begins) {
        set->next_round_ms = now_ms + MIN(round_interval_ms(set), INT64_MAX - now_ms);
        due_queue_begin_round(&set->due);
        start_closing_idle(set);
    }
    set->round_goes_on = visit_some(set, begins || set->round_goes_on);
    if (atomic_load(&set->wants_checkpoints) && now_ms >= set->next_checkpoint_ms) {
        set->next_checkpoint_ms = now_ms + MIN(set->options.checkpoint_ms, INT64_MAX - now_ms);
        start_checkpoints(set);
    }
    arm_timer(set);
}

static void due_changed(struct loop_task *task)
{
    struct replica_set *set = container_of(task, struct replica_set, due_task);
    atomic_store(&set->due_is_posted, false);
    int64_t now_ms = mono_ms(set);
    if (atomic_load(&set->wants_checkpoints) && set->next_checkpoint_ms <= now_ms)
        set->next_checkpoint_ms =
            now_ms + MIN(set->options.checkpoint_ms, (int64_t)CHECKPOINT_GATHER_MS);
    if (!set->is_closed && set->timer.fire != NULL)
        arm_timer(set);
}

void replica_due(void *arg, struct partition *p, int64_t wall_ms)
{
    struct replica_set *set = arg;
    if (due_queue_exact(&set->due, partition_due_place(p), wall_ms))
        wake_timer(set);
}

void replica_round(void *arg, struct partition *p, int64_t wall_ms)
{
    struct replica_set *set = arg;
    if (due_queue_round(&set->due, partition_due_place(p), wall_ms))
        wake_timer(set);
}

void replica_checkpoints_changed(void *arg)
{
    struct replica_set *set = arg;
    if (!atomic_exchange(&set->wants_checkpoints, true))
        wake_timer(set);
}

void replica_set_timer_start(struct replica_set *set)
{
    set->timer = (struct loop_timer){.fire = timer_fired};
    set->due_task = (struct loop_task){.run = due_changed};
    set->save_task = (struct loop_task){.run = save_wanted};
    int64_t now_ms = mono_ms(set);
    set->next_round_ms = now_ms + MIN(round_interval_ms(set), INT64_MAX - now_ms);
    set->next_checkpoint_ms = now_ms;
    arm_timer(set);
}

void replica_set_timer_stop(struct replica_set *set)
{
    if (set->timer.fire != NULL)
        loop_timer_stop(set->options.loop, &set->timer);
}

/* ---- the end */

/* A directory is clean when every partition in it was closed cleanly. */
static bool write_stop(struct env_job *job)
{
    struct replica_set *set = container_of(job, struct replica_set, checkpoint_job);
    for (size_t i = 0; i < set->options.dir_count; i++) {
        set->dir_saved[i] = ERR_IO;
        if (replica_set_dir_is_offline(set, i))
            continue;
        enum err e = log_dir_checkpoint_write(set->options.dirs[i]);
        set->dir_saved[i] = e;
        if (e == ERR_OK && set->follow.error == ERR_OK)
            e = log_dir_mark_clean(set->options.dirs[i]);
        if (e != ERR_OK)
            set->follow.error = e;
    }
    loop_post(set->options.loop, &set->checkpoint_task);
    return false;
}

void replica_set_finish_stop(struct replica_set *set)
{
    ASSERT(set->follow.is_stopping);
    bool looks = !replica_set_rooms_stop(set);
    bool scrubs = !replica_set_scrub_stop(set);
    if (set->checkpoint_is_busy || set->idle_is_busy || set->doomed_is_busy ||
        replica_cleaner_is_busy(set->cleaner) || set->stop_is_written || looks || scrubs)
        return; /* its end comes back here */
    if (!set->journals_are_closed) {
        replica_set_close_journals(set);
        return;
    }
    set->stop_is_written = true;
    begin_checkpoint(set, write_stop, ENV_QUEUE_WRITE);
}

/* ---- failures */

struct failing {
    struct replica_set *set;
    struct log_dir *dir;
};

static void fail_if_inside(void *arg, struct partition *p)
{
    const struct failing *failing = arg;
    if (partition_dir(p) == failing->dir)
        partition_fail(p);
}

static void all_failed(struct loop_task *task)
{
    struct replica_set *set = container_of(task, struct replica_set, failed_task);
    set->options.all_dirs_failed(set->options.arg);
}

void replica_storage_failed(void *arg, struct partition *p, enum err e)
{
    struct replica_set *set = arg;
    char what[PARTITION_TOPIC_NAME_SIZE + 16];
    snprintf(what, sizeof(what), "%s-%d", partition_topic(p), partition_index(p));
    for (size_t i = 0; i < set->options.dir_count; i++) {
        if (set->options.dirs[i] != partition_dir(p))
            continue;
        replica_set_note_dir_failure(set, i, p); /* the first counts */
        replica_set_dir_failed(set, i, e, what);
    }
}

void replica_set_dir_failed(struct replica_set *set, size_t index, enum err e, const char *what)
{
    struct log_dir *dir = set->options.dirs[index];
    bool is_any_left = false;
    atomic_store(&set->has_failed, true);
    monitor_enter(&set->monitor);
    bool is_new = !set->dir_is_offline[index];
    set->dir_is_offline[index] = true;
    for (size_t i = 0; i < set->options.dir_count; i++)
        is_any_left |= !set->dir_is_offline[i];
    monitor_leave(&set->monitor);
    if (!is_new)
        return;
    replica_set_note_dir_error(set, index, e, what);
    if (log_dir_journal(dir) != NULL)
        journal_fail(log_dir_journal(dir));
    log_error(set->env, "log directory %s goes offline: %s at %s; nothing there is retried",
              log_dir_path(dir), err_text(e), what);
    struct failing failing = {set, dir};
    replica_set_each(set, fail_if_inside, &failing);
    if (is_any_left || atomic_exchange(&set->failed_is_posted, true))
        return;
    set->failed_task = (struct loop_task){.run = all_failed};
    loop_post(set->options.loop, &set->failed_task);
}

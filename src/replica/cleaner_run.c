// SPDX-License-Identifier: Apache-2.0
/*
 * cleaner_run: one compaction of one partition: small steps on a disk worker, a pause on the
 * loop where the rate is limited, the partition's job for each swap, and an end on the loop.
 *
 * Thread: start, stop and the end: the set's loop; steps: a worker. `cleaning` is the step's.
 */
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/logger.h"
#include "log/log_cleaning.h"
#include "replica/cleaner_private.h"
#include "replica/partition_clean.h"

enum { PAUSE_NS_MIN = 20000000 }; /* shorter ones are saved up */

struct cleaner_run {
    struct replica_cleaner *cleaner;
    struct cleaner_entry *entry;
    struct partition *partition; /* one reference */
    struct env_job job;
    struct loop_task paused;
    struct loop_task ended;
    struct loop_timer timer;
    struct partition_swap swap;
    struct log_cleaning *cleaning;
    struct log_cleaning_options options; /* as they were when it began */
    struct log_cleaning_stats counted;   /* what the stats have of it */
    int64_t first_dirty;
    bool is_swapping; /* the job comes back with swap.result */
    bool is_paused;
    atomic_bool wants_stop;
    enum err error;
    int64_t end;
    char why[256];
};

/* ---- on a worker */

static void count(struct cleaner_run *run)
{
    struct cleaner_stats *stats = &run->cleaner->stats;
    const struct log_cleaning_stats *now = log_cleaning_stats(run->cleaning);
    struct log_cleaning_stats *before = &run->counted;
    atomic_fetch_add_explicit(&stats->read_bytes, (uint64_t)(now->bytes_read - before->bytes_read),
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&stats->written_bytes,
                              (uint64_t)(now->bytes_written - before->bytes_written),
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&stats->map_bytes, (uint64_t)(now->map_bytes - before->map_bytes),
                              memory_order_relaxed);
    *before = *now;
}

static void end_on_worker(struct cleaner_run *run, enum err e)
{
    run->error = e;
    if (run->cleaning != NULL) {
        snprintf(run->why, sizeof(run->why), "%s", log_cleaning_why(run->cleaning));
        if (e == ERR_OK)
            run->end = log_cleaning_end(run->cleaning);
        log_cleaning_free(run->cleaning);
        run->cleaning = NULL;
    }
    if (run->why[0] == '\0')
        snprintf(run->why, sizeof(run->why), "%s", err_text(e));
    loop_post(run->cleaner->set->options.loop, &run->ended);
}

static void swapped(struct partition_swap *swap)
{
    struct cleaner_run *run = container_of(swap, struct cleaner_run, swap);
    env_submit(run->cleaner->set->env, &run->job);
}

static enum err begin(struct cleaner_run *run)
{
    struct env *env = run->cleaner->set->env;
    struct log_clean_plan plan;
    enum err e = partition_plan_cleaning(run->partition, run->first_dirty, env_wall_ms(env), &plan);
    return e == ERR_OK ? log_cleaning_new(env, &plan, &run->options, &run->cleaning) : e;
}

/* One step of the cleaning; ERR_AGAIN: it goes on later by itself. */
static enum err step(struct cleaner_run *run, enum log_cleaning_next *next)
{
    if (run->is_swapping) {
        run->is_swapping = false;
        if (run->swap.result != ERR_OK)
            return run->swap.result;
        log_cleaning_swapped(run->cleaning);
    }
    if (atomic_load(&run->wants_stop))
        return ERR_CLOSED;
    enum err e = log_cleaning_step(run->cleaning, next);
    count(run);
    if (e != ERR_OK || *next != CLEANING_SWAP)
        return e;
    run->is_swapping = true;
    run->swap = (struct partition_swap){.swap = log_cleaning_swap(run->cleaning), .done = swapped};
    partition_swap_in(run->partition, &run->swap);
    return ERR_AGAIN;
}

static bool run_step(struct env_job *job)
{
    struct cleaner_run *run = container_of(job, struct cleaner_run, job);
    enum log_cleaning_next next = CLEANING_MORE;
    enum err e = run->cleaning == NULL ? begin(run) : ERR_OK;
    int64_t done_before = run->counted.bytes_read + run->counted.bytes_written;
    if (e == ERR_OK)
        e = step(run, &next);
    if (e == ERR_AGAIN)
        return false; /* the run is the partition's job's now */
    if (e != ERR_OK || next == CLEANING_DONE) {
        end_on_worker(run, e);
        return false;
    }
    int64_t done = run->counted.bytes_read + run->counted.bytes_written - done_before;
    if (pacer_owe(&run->cleaner->pacer, done, env_mono_ns(run->cleaner->set->env)) < PAUSE_NS_MIN)
        return true;
    loop_post(run->cleaner->set->options.loop, &run->paused);
    return false;
}

/* ---- on the loop */

static void resume(struct loop_timer *timer)
{
    struct cleaner_run *run = container_of(timer, struct cleaner_run, timer);
    run->is_paused = false;
    env_submit(run->cleaner->set->env, &run->job);
}

static void wait_until_paid(struct cleaner_run *run)
{
    loop_timer_start(run->cleaner->set->options.loop, &run->timer,
                     pacer_paid_until_ns(&run->cleaner->pacer));
}

static void pause_on_loop(struct loop_task *task)
{
    struct cleaner_run *run = container_of(task, struct cleaner_run, paused);
    if (atomic_load(&run->wants_stop)) {
        env_submit(run->cleaner->set->env, &run->job);
        return;
    }
    run->is_paused = true;
    wait_until_paid(run);
}

void cleaner_run_paid(struct cleaner_run *run)
{
    if (run->is_paused)
        wait_until_paid(run);
}

void cleaner_run_stop(struct cleaner_run *run)
{
    atomic_store(&run->wants_stop, true);
    if (!run->is_paused)
        return;
    loop_timer_stop(run->cleaner->set->options.loop, &run->timer);
    resume(&run->timer);
}

static void ended_on_loop(struct loop_task *task)
{
    struct cleaner_run *run = container_of(task, struct cleaner_run, ended);
    struct replica_cleaner *cleaner = run->cleaner;
    struct cleaner_stats *stats = &cleaner->stats;
    const struct log_cleaning_stats *done = &run->counted;
    atomic_fetch_sub_explicit(&stats->map_bytes, (uint64_t)done->map_bytes, memory_order_relaxed);
    if (run->error == ERR_OK) {
        int64_t freed = MAX(done->bytes_before - done->bytes_after, 0);
        atomic_fetch_add_explicit(&stats->freed_bytes, (uint64_t)freed, memory_order_relaxed);
        atomic_fetch_add_explicit(&stats->rounds, 1, memory_order_relaxed);
        atomic_store_explicit(&stats->last_end_ms, env_wall_ms(cleaner->set->env),
                              memory_order_relaxed);
        log_debug(cleaner->set->env, "%s-%d: compacted to offset %lld: %lld bytes became %lld",
                  partition_topic(run->partition), partition_index(run->partition),
                  (long long)run->end, (long long)done->bytes_before, (long long)done->bytes_after);
    }
    struct cleaner_entry *entry = run->entry;
    struct cleaner_outcome outcome = {run->error, run->end, run->why};
    entry->run = NULL;
    partition_unref(run->partition);
    replica_cleaner_run_ended(cleaner, entry, &outcome);
    mem_free(run);
}

void cleaner_run_start(struct replica_cleaner *cleaner, struct cleaner_entry *entry)
{
    ASSERT(entry->run == NULL && entry->replica != NULL);
    struct cleaner_run *run = mem_alloc(sizeof(*run));
    run->cleaner = cleaner;
    run->entry = entry;
    run->partition = partition_ref(entry->replica->partition);
    run->first_dirty = entry->first_dirty;
    run->job = (struct env_job){.run = run_step, .queue = ENV_QUEUE_BACKGROUND};
    run->paused = (struct loop_task){.run = pause_on_loop};
    run->ended = (struct loop_task){.run = ended_on_loop};
    run->timer = (struct loop_timer){.fire = resume};
    run->options = cleaner->settings.cleaning;
    atomic_init(&run->wants_stop, false);
    entry->run = run;
    env_submit(cleaner->set->env, &run->job);
}

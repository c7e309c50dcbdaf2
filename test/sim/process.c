// SPDX-License-Identifier: Apache-2.0
/*
 * process: the broker of a world: what its main does at start and at a clean stop.
 *
 * Thread: one. Crash: the whole struct is abandoned with its machine.
 */
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "broker_counts.h"
#include "check_log.h"
#include "world.h"

enum { SETS_MAX = 25, SET_SIZE = 96 };

struct broker_process {
    struct world *world;
    struct sim_env *env;
    enum process_state state;
    struct server_config *config;
    struct broker *broker;
    struct loop *loops[SIM_LOOPS_MAX];
    struct loop_task stop_task;
    struct loop_task free_task;
    char sets[SETS_MAX][SET_SIZE];
    const char *set_list[SETS_MAX + 1];
    int set_count;
    int64_t disk_errors_before;
};

enum process_state process_state(const struct broker_process *p)
{
    return p->state;
}

struct sim_env *process_env(struct broker_process *p)
{
    return p->env;
}

struct broker *process_broker(const struct broker_process *p)
{
    return p->broker;
}

void process_check_logs(struct broker_process *p)
{
    ASSERT(p->state == PROCESS_READY);
    check_log_all(&p->world->history, p->world->disk, p->broker);
}

/* ---- start */

static void add_set(struct broker_process *p, const char *key, long long value)
{
    ASSERT(p->set_count < SETS_MAX);
    snprintf(p->sets[p->set_count], SET_SIZE, "%s=%lld", key, value);
    p->set_list[p->set_count] = p->sets[p->set_count];
    p->set_count++;
}

static void fail(struct broker_process *p, const char *what, const char *why)
{
    history_fail(&p->world->history, "the broker starts", "%s: %s", what, why);
}

static bool load_config(struct broker_process *p)
{
    struct strbuf why;
    strbuf_init(&why);
    p->set_list[p->set_count++] = "listeners=PLAINTEXT://0.0.0.0:9092";
    static const char *const dirs[] = {"log.dirs=/data", "log.dirs=/data,/data-2",
                                       "log.dirs=/data,/data-2,/data-3"};
    ASSERT(p->world->swarm.log_dirs >= 1 && p->world->swarm.log_dirs <= ARRAY_COUNT(dirs));
    unsigned dir_count = p->world->swarm.log_dirs - p->world->lacks_dir;
    p->set_list[p->set_count++] = dirs[dir_count - 1];
    add_set(p, "klamm.disk.workers", p->env->worker_count);
    add_set(p, "klamm.reactors", p->env->loop_count);
    add_set(p, "klamm.journal.bytes", p->world->swarm.journal_bytes);
    add_set(p, "klamm.journal.after.commits", p->world->swarm.journal_after_commits);
    add_set(p, "klamm.journal.held.bytes", p->world->swarm.journal_held_bytes);
    add_set(p, "log.retention.check.interval.ms", p->world->swarm.retention_check_ms);
    add_set(p, "log.flush.offset.checkpoint.interval.ms", p->world->swarm.retention_check_ms);
    add_set(p, "klamm.open.files.max", p->world->swarm.open_files);
    const struct swarm_groups *groups = &p->world->swarm.groups;
    if (groups->offsets_partitions > 0) {
        add_set(p, "offsets.topic.num.partitions", groups->offsets_partitions);
        add_set(p, "group.initial.rebalance.delay.ms", groups->initial_delay_ms);
        add_set(p, "offsets.retention.check.interval.ms", groups->retention_check_ms);
        add_set(p, "group.min.session.timeout.ms", groups->member.session_timeout_ms);
    }
    const struct swarm_cleaner *cleaner = &p->world->swarm.cleaner;
    if (cleaner->backoff_ms > 0) {
        add_set(p, "log.cleaner.backoff.ms", cleaner->backoff_ms);
        add_set(p, "log.cleaner.threads", cleaner->threads);
        add_set(p, "log.cleaner.io.max.bytes.per.second", cleaner->bytes_per_second);
    }
    const struct swarm_scrub *scrub = &p->world->swarm.scrub;
    if (scrub->interval_ms > 0) {
        add_set(p, "klamm.scrub.interval.ms", scrub->interval_ms);
        add_set(p, "klamm.scrub.bytes.per.second", scrub->bytes_per_second);
    }
    struct server_config_input input = {.sets = p->set_list};
    enum err e = server_config_load(&input, &why, &p->config);
    if (e != ERR_OK)
        fail(p, "configuration", strbuf_text(&why));
    strbuf_deinit(&why);
    return e == ERR_OK;
}

static void on_ready(void *arg)
{
    struct broker_process *p = arg;
    sim_trace(p->env->sim, "broker ready", p->env->id, 0, 0);
    if (p->state == PROCESS_STARTING)
        p->state = PROCESS_READY;
}

static void on_failed(void *arg, const char *why)
{
    struct broker_process *p = arg;
    if (p->env->sim->faults[SIM_FAULT_DISK_ERROR] == p->disk_errors_before)
        fail(p, "failed", why);
    else if (p->state == PROCESS_STARTING || p->state == PROCESS_READY)
        p->state = PROCESS_FAILED;
}

/* On a fiber: opening blocks. */
static void run_main(void *arg)
{
    struct broker_process *p = arg;
    struct strbuf why;
    strbuf_init(&why);
    if (load_config(p)) {
        struct broker_events events = {.arg = p, .ready = on_ready, .failed = on_failed};
        struct broker_options options = {
            .env = &p->env->env,
            .loops = p->loops,
            .loop_count = p->env->loop_count,
            .config = p->config,
            .events = events,
        };
        enum err e = broker_new(&options, &why, &p->broker);
        if (e == ERR_OK)
            e = broker_start(p->broker, &why);
        if (e != ERR_OK)
            on_failed(p, strbuf_text(&why));
    }
    strbuf_deinit(&why);
}

struct broker_process *process_start(struct world *w)
{
    struct broker_process *p = mem_alloc(sizeof(*p));
    p->world = w;
    p->disk_errors_before = w->sim->faults[SIM_FAULT_DISK_ERROR];
    p->env = sim_env_new(w->sim, &(struct sim_env_options){.ip = "10.0.0.1",
                                                           .disk = w->disk,
                                                           .workers = w->swarm.workers,
                                                           .loops = w->swarm.loops});
    p->env->wall_offset_ms = w->jumped_ms;
    for (unsigned i = 0; i < w->swarm.loops; i++)
        p->loops[i] = sim_env_loop(p->env, i);
    sim_env_run_main(p->env, run_main, p);
    return p;
}

/* ---- the end */

void process_count(struct broker_process *p)
{
    if (p->broker == NULL)
        return;
    struct broker_counts counts;
    broker_count(p->broker, &counts);
    p->env->sim->faults[SIM_FAULT_JOURNAL_ROTATION] += counts.journal_rotations;
    p->env->sim->faults[SIM_FAULT_JOURNAL_REPLAY] += counts.journal_replays;
    p->env->sim->faults[SIM_FAULT_HELD] += counts.journal_held;
    p->env->sim->faults[SIM_FAULT_COMPACTION] += counts.compactions;
}

int64_t process_moves(const struct broker_process *p)
{
    struct broker_counts counts;
    broker_count(p->broker, &counts);
    return counts.moves;
}

int64_t process_offline(const struct broker_process *p)
{
    struct broker_counts counts;
    broker_count(p->broker, &counts);
    return counts.offline;
}

static void free_all(struct loop_task *task)
{
    struct broker_process *p = container_of(task, struct broker_process, free_task);
    process_count(p);
    broker_free(p->broker);
    p->broker = NULL;
    server_config_free(p->config);
    if (p->env->open_files != 0)
        history_fail(&p->world->history, "a clean stop", "%d files are still open",
                     p->env->open_files);
    p->state = PROCESS_STOPPED;
}

static void on_stopped(void *arg, bool is_clean)
{
    struct broker_process *p = arg;
    sim_trace(p->env->sim, "broker stopped", p->env->id, is_clean, 0);
    if (!is_clean && p->world->phase == WORLD_STOP) /* a slow disk may be too slow for it */
        history_fail(&p->world->history, "a clean stop", "the logs were not closed cleanly");
    p->free_task.run = free_all;
    loop_post(p->loops[0], &p->free_task);
}

static void run_stop(struct loop_task *task)
{
    struct broker_process *p = container_of(task, struct broker_process, stop_task);
    broker_stop(p->broker, on_stopped, p);
}

void process_stop(struct broker_process *p)
{
    ASSERT(p->state == PROCESS_READY);
    p->state = PROCESS_STOPPING;
    sim_count(p->env->sim, SIM_FAULT_CLEAN_STOP);
    p->stop_task.run = run_stop;
    loop_post(p->loops[0], &p->stop_task);
}

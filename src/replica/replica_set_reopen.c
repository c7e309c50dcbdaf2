// SPDX-License-Identifier: Apache-2.0
/* replica_set_reopen: see replica_set_reopen.h. Thread: see there. */
#include "replica/replica_set_reopen.h"

#include "base/assert.h"
#include "base/mem.h"
#include "env/logger.h"
#include "replica/replica_set_private.h"

enum { WAIT_MS_MIN = 1000, WAIT_MS_MAX = 30000 };

struct replica_reopen {
    struct list link; /* linked while no job has it */
    struct replica *replica;
    struct topic_config config; /* the newest */
    int32_t leader_epoch;
    bool is_busy;
    bool is_given_up;
    /* The job's, while it is busy: */
    struct env_job job;
    struct loop_task task;
    struct topic_config open_config;
    int32_t open_epoch;
    struct log_open_report report;
    struct partition *partition;
    enum err error;
};

void replica_set_reopen_init(struct replica_set *set)
{
    list_init(&set->reopening.waiting);
    set->reopening.wait_ms = WAIT_MS_MIN;
}

static void try_all(struct loop_timer *timer);

static void arm(struct replica_set *set, int64_t wait_ms)
{
    struct replica_set_reopening *r = &set->reopening;
    if (r->is_stopped || r->busy > 0 || list_is_empty(&r->waiting))
        return;
    r->timer.fire = try_all;
    loop_timer_start(set->options.loop, &r->timer, env_mono_ns(set->env) + wait_ms * 1000000);
}

void replica_set_reopen_add(struct replica_set *set, struct replica *replica)
{
    ASSERT(replica->reopen == NULL && replica->partition == NULL);
    ASSERT(err_may_pass(replica->error));
    struct replica_reopen *reopen = mem_alloc(sizeof(*reopen));
    reopen->replica = replica;
    reopen->config = replica->config;
    reopen->leader_epoch = replica->leader_epoch;
    replica->reopen = reopen;
    bool is_first = list_is_empty(&set->reopening.waiting);
    list_push_back(&set->reopening.waiting, &reopen->link);
    if (is_first) {
        set->reopening.wait_ms = WAIT_MS_MIN;
        arm(set, WAIT_MS_MIN);
    }
}

static void reopen_free(struct replica_reopen *reopen)
{
    ASSERT(!reopen->is_busy);
    list_remove(&reopen->link);
    reopen->replica->reopen = NULL;
    mem_free(reopen);
}

/* ---- one try */

static bool open_on_worker(struct env_job *job)
{
    struct replica_reopen *reopen = container_of(job, struct replica_reopen, job);
    struct replica_set *set = reopen->replica->set;
    reopen->error = replica_open(reopen->replica, &reopen->open_config, reopen->open_epoch,
                                 &reopen->report, &reopen->partition);
    loop_post(set->options.loop, &reopen->task);
    return false;
}

/* It serves from here on. */
static void come_online(struct replica_set *set, struct replica_reopen *reopen)
{
    struct replica *replica = reopen->replica;
    struct partition *partition = reopen->partition;
    partition_set_config(partition, &reopen->config);
    partition_lead(partition, reopen->leader_epoch);
    monitor_enter(&set->monitor);
    ASSERT(set->offline_count > 0);
    set->offline_count--;
    replica->partition = partition;
    replica->error = ERR_OK;
    set->recovered_bytes += reopen->report.scanned_bytes;
    set->cut_bytes += reopen->report.cut_bytes;
    bool has_failed = set->dir_is_offline[replica->dir]; /* while it was not in the table */
    monitor_leave(&set->monitor);
    set->reopening.has_opened = true;
    replica_cleaner_follow(set->cleaner, replica, reopen->config.cleanup_compact);
    reopen_free(reopen);
    if (has_failed) {
        partition_fail(partition);
        return;
    }
    log_info(set->env, "%s-%d is online: it could be opened now", replica->topic, replica->index);
    replica_set_moves_reopened(set, replica);
    if (set->options.partition_reopened != NULL)
        set->options.partition_reopened(set->options.arg);
}

/* Its disk is bad, and nothing was ever in it: it may begin elsewhere. False: nowhere. */
static bool place_elsewhere(struct replica_set *set, struct replica *replica, enum err e)
{
    replica_give_up_dir(replica, e);
    size_t dir = replica_set_pick_dir(set);
    if (dir == SIZE_MAX)
        return false;
    set->dir_partitions[replica->dir]--;
    set->dir_partitions[dir]++;
    monitor_enter(&set->monitor);
    replica->dir = dir;
    monitor_leave(&set->monitor);
    return true;
}

static void stay_offline(struct replica_set *set, struct replica_reopen *reopen, enum err e)
{
    struct replica *replica = reopen->replica;
    if (e == ERR_AGAIN && !replica->is_placed && set->has_lost_dir)
        e = ERR_IO; /* what was here is another's, and its own may lie in what is lost */
    bool is_begun = e == ERR_AGAIN ||
                    (err_is_of_disk(e) && replica->is_placed && place_elsewhere(set, replica, e));
    if (e == ERR_AGAIN) {
        replica->is_placed = true; /* nothing of it is here yet */
        replica_set_checkpoint_now(set);
    }
    if (!is_begun) {
        monitor_enter(&set->monitor);
        replica->error = e;
        monitor_leave(&set->monitor);
    }
    if (is_begun || err_may_pass(e)) {
        list_push_back(&set->reopening.waiting, &reopen->link);
        return;
    }
    log_error(set->env, "%s-%d stays offline: %s%s%s", replica->topic, replica->index, err_text(e),
              reopen->report.detail[0] != '\0' ? ": " : "", reopen->report.detail);
    reopen_free(reopen);
}

/* Somebody wants it closed since: as if it had been opened so from the beginning. */
static void close_instead(struct replica_set *set, struct replica_reopen *reopen)
{
    struct replica *replica = reopen->replica;
    replica->partition = reopen->partition;
    replica->error = reopen->error;
    reopen_free(reopen);
    replica_set_close_now(set, replica);
}

static void tried(struct loop_task *task)
{
    struct replica_reopen *reopen = container_of(task, struct replica_reopen, task);
    struct replica_set *set = reopen->replica->set;
    struct replica_set_reopening *r = &set->reopening;
    ASSERT(reopen->is_busy && r->busy > 0);
    ASSERT((reopen->error == ERR_OK) == (reopen->partition != NULL));
    reopen->is_busy = false;
    r->busy--;
    if (reopen->is_given_up)
        close_instead(set, reopen);
    else if (reopen->error == ERR_OK)
        come_online(set, reopen);
    else
        stay_offline(set, reopen, reopen->error);
    if (r->busy > 0)
        return;
    r->wait_ms = r->has_opened ? WAIT_MS_MIN : MIN(r->wait_ms * 2, (int64_t)WAIT_MS_MAX);
    arm(set, r->has_opened ? 0 : r->wait_ms);
}

static void try_one(struct replica_set *set, struct replica_reopen *reopen)
{
    reopen->is_busy = true;
    reopen->partition = NULL;
    reopen->report = (struct log_open_report){0};
    reopen->open_config = reopen->config;
    reopen->open_epoch = reopen->leader_epoch;
    reopen->task = (struct loop_task){.run = tried};
    reopen->job = (struct env_job){.run = open_on_worker, .queue = ENV_QUEUE_READ};
    set->reopening.busy++;
    env_submit(set->env, &reopen->job);
}

/* So many at a time as at a start; those behind them get their turn in the next round, which
 * begins at once when one of these could be opened. */
static void try_all(struct loop_timer *timer)
{
    struct replica_set *set = container_of(timer, struct replica_set, reopening.timer);
    struct replica_set_reopening *r = &set->reopening;
    ASSERT(r->busy == 0 && !r->is_stopped);
    r->has_opened = false;
    uint32_t most = MAX(set->options.opening_max, 1u);
    for (struct list *node; r->busy < most && (node = list_pop_front(&r->waiting)) != NULL;) {
        struct replica_reopen *reopen = container_of(node, struct replica_reopen, link);
        if (replica_set_dir_is_offline(set, reopen->replica->dir))
            stay_offline(set, reopen, ERR_IO);
        else
            try_one(set, reopen);
    }
}

/* ---- from outside */

void replica_reopen_config(struct replica *replica, const struct topic_config *config)
{
    if (replica->reopen != NULL)
        replica->reopen->config = *config;
}

void replica_reopen_lead(struct replica *replica, int32_t leader_epoch)
{
    if (replica->reopen != NULL)
        replica->reopen->leader_epoch = MAX(replica->reopen->leader_epoch, leader_epoch);
}

bool replica_reopen_give_up(struct replica *replica)
{
    struct replica_reopen *reopen = replica->reopen;
    if (reopen == NULL)
        return true;
    reopen->is_given_up = true;
    if (reopen->is_busy)
        return false;
    reopen_free(reopen);
    return true;
}

void replica_set_reopen_now(struct replica_set *set)
{
    set->reopening.wait_ms = WAIT_MS_MIN;
    arm(set, 0);
}

void replica_set_reopen_stop(struct replica_set *set)
{
    set->reopening.is_stopped = true;
    if (set->reopening.timer.fire != NULL)
        loop_timer_stop(set->options.loop, &set->reopening.timer);
}

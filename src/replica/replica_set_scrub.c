// SPDX-License-Identifier: Apache-2.0
/* replica_set_scrub: see replica_set_scrub.h. Thread: see there. */
#include "replica/replica_set_scrub.h"

#include "base/assert.h"
#include "base/mem.h"
#include "env/logger.h"
#include "log/scrub.h"
#include "replica/partition_private.h"
#include "replica/replica_set_private.h"

enum {
    FIRST_MS_MAX = 3600000,
    PIECE_BYTES = 256 * 1024,
    LOOKS_MAX = 200, /* partitions without anything to read, before others have their turn */
    LOOK_BYTES = 64, /* what such a look counts as */
};

struct scrub_part {
    struct uuid topic_id;
    int32_t index;
};

struct replica_set_scrub {
    struct replica_set *set;
    struct loop_timer timer;
    int64_t began_ns; /* of the round under way, or the last */
    bool is_running;  /* a round is under way */
    bool is_busy;     /* a worker has it */
    bool is_stopped;
    /* The round; the worker's while it is busy: */
    size_t dir;
    struct scrub_part *parts; /* of the directory in work; NULL: none is */
    size_t part_count;
    size_t at;
    int64_t from_offset; /* in parts[at] */
    struct scrub piece;
    int64_t step_bytes; /* that the last step read */
    uint64_t round_bytes;
    uint64_t round_rot;
    struct env_job job;
    struct loop_task task;
};

static void fire(struct loop_timer *timer);

static void arm(struct replica_set_scrub *scrub, int64_t at_ns)
{
    if (scrub->is_stopped)
        return;
    scrub->timer.fire = fire;
    loop_timer_start(scrub->set->options.loop, &scrub->timer, at_ns);
}

static int64_t later_ns(int64_t from_ns, int64_t ms)
{
    return from_ns + MIN(ms, (INT64_MAX - from_ns) / 1000000) * 1000000;
}

/* ---- on the worker */

static void tell(struct replica_set_scrub *scrub, const struct partition *p,
                 const struct scrub_find *found)
{
    struct scrub_stats *stats = &scrub->set->scrub_stats;
    const struct segment_rot *rot = &found->rot;
    if (found->is_known)
        return;
    scrub->round_rot++;
    atomic_fetch_add_explicit(&stats->rot, 1, memory_order_relaxed);
    log_error(scrub->set->env,
              "%s-%d: %s is damaged at position %lld (%s): offsets %lld to %lld, %lld bytes%s, "
              "cannot be read; the others can",
              p->topic, p->index, found->path, (long long)rot->pos, err_text(rot->error),
              (long long)rot->offset, (long long)rot->end_offset - 1,
              (long long)(rot->end - rot->pos), found->is_to_end ? " (to the segment's end)" : "");
}

static bool next_target(struct partition *p, int64_t from_offset, struct scrub_target *out)
{
    monitor_enter(&p->monitor);
    bool has_more =
        p->state == PARTITION_LEADING && partition_log_scrub_next(p->log, from_offset, out);
    monitor_leave(&p->monitor);
    return has_more;
}

static bool is_current(struct partition *p, const struct scrub_target *target)
{
    monitor_enter(&p->monitor);
    bool is_current =
        p->state == PARTITION_LEADING && partition_log_scrub_is_current(p->log, target);
    monitor_leave(&p->monitor);
    return is_current;
}

/* A piece of parts[at]. False: there is no more of it. */
static bool step_part(struct replica_set_scrub *scrub, struct partition *p)
{
    struct scrub_target target;
    struct scrub_find found;
    if (scrub->piece.target.segment == NULL) {
        if (!next_target(p, scrub->from_offset, &target))
            return false;
        scrub->from_offset = target.next_offset;
        scrub_begin(&scrub->piece, scrub->set->env, &target);
    }
    int64_t read_bytes = 0;
    enum scrub_result result = scrub_step(&scrub->piece, PIECE_BYTES, &read_bytes, &found);
    scrub->step_bytes += read_bytes;
    if (result == SCRUB_ROT && is_current(p, &scrub->piece.target))
        tell(scrub, p, &found);
    else if (result == SCRUB_DONE)
        scrub_end(&scrub->piece);
    return true;
}

static bool step(struct env_job *job)
{
    struct replica_set_scrub *scrub = container_of(job, struct replica_set_scrub, job);
    struct replica_set *set = scrub->set;
    scrub->step_bytes = 0;
    int64_t looks = 0;
    while (scrub->at < scrub->part_count && scrub->step_bytes == 0 && looks < LOOKS_MAX) {
        const struct scrub_part *part = &scrub->parts[scrub->at];
        enum kerr error;
        struct partition *p = replica_set_find(set, part->topic_id, part->index, &error);
        if (p == NULL || !step_part(scrub, p)) {
            scrub_end(&scrub->piece);
            scrub->at++;
            scrub->from_offset = 0;
        }
        partition_unref(p);
        looks++;
    }
    scrub->round_bytes += (uint64_t)scrub->step_bytes;
    atomic_fetch_add_explicit(&set->scrub_stats.bytes, (uint64_t)scrub->step_bytes,
                              memory_order_relaxed);
    scrub->step_bytes += looks * LOOK_BYTES;
    loop_post(set->options.loop, &scrub->task);
    return false;
}

/* ---- the round */

static void drop_parts(struct replica_set_scrub *scrub)
{
    scrub_end(&scrub->piece);
    mem_free(scrub->parts);
    scrub->parts = NULL;
    scrub->part_count = scrub->at = 0;
    scrub->from_offset = 0;
}

/* The partitions of this directory, as they are now. */
static void gather_parts(struct replica_set_scrub *scrub)
{
    struct replica_set *set = scrub->set;
    drop_parts(scrub);
    monitor_enter(&set->monitor);
    scrub->parts = mem_alloc((set->table.count + 1) * sizeof(scrub->parts[0]));
    MAP_FOR_EACH (node, &set->table) {
        const struct replica *replica = container_of(node, struct replica, node);
        if (replica->dir == scrub->dir && replica->partition != NULL)
            scrub->parts[scrub->part_count++] =
                (struct scrub_part){replica->topic_id, replica->index};
    }
    monitor_leave(&set->monitor);
}

static void end_round(struct replica_set_scrub *scrub)
{
    struct replica_set *set = scrub->set;
    drop_parts(scrub);
    scrub->is_running = false;
    atomic_fetch_add_explicit(&set->scrub_stats.rounds, 1, memory_order_relaxed);
    log_info(set->env, "scrub: %llu MiB read again in %lld s, %llu damaged places found",
             (unsigned long long)(scrub->round_bytes >> 20),
             (long long)((env_mono_ns(set->env) - scrub->began_ns) / 1000000000),
             (unsigned long long)scrub->round_rot);
    int64_t next_ns = later_ns(scrub->began_ns, set->options.scrub_interval_ms);
    arm(scrub, MAX(next_ns, env_mono_ns(set->env) + 1000000));
}

/* The next piece, directory or round. */
static void go_on(struct replica_set_scrub *scrub)
{
    struct replica_set *set = scrub->set;
    while (scrub->at == scrub->part_count) {
        if (scrub->parts != NULL)
            scrub->dir++;
        if (scrub->dir == set->options.dir_count) {
            end_round(scrub);
            return;
        }
        gather_parts(scrub);
    }
    scrub->is_busy = true;
    scrub->job = (struct env_job){.run = step, .queue = ENV_QUEUE_BACKGROUND};
    env_submit(set->env, &scrub->job);
}

/* So long that the rate is kept. */
static void stepped(struct loop_task *task)
{
    struct replica_set_scrub *scrub = container_of(task, struct replica_set_scrub, task);
    struct replica_set *set = scrub->set;
    scrub->is_busy = false;
    if (scrub->is_stopped) {
        drop_parts(scrub);
        if (set->is_closed && set->is_following && !set->stop_is_written)
            replica_set_follow_step(set); /* the stop waited for this */
        return;
    }
    int64_t rate = set->options.scrub_bytes_per_second;
    int64_t wait_ns = (int64_t)((double)scrub->step_bytes * 1e9 / (double)rate);
    arm(scrub, env_mono_ns(set->env) + MAX(wait_ns, (int64_t)1));
}

static void fire(struct loop_timer *timer)
{
    struct replica_set_scrub *scrub = container_of(timer, struct replica_set_scrub, timer);
    ASSERT(!scrub->is_busy && !scrub->is_stopped);
    if (!scrub->is_running) {
        scrub->is_running = true;
        scrub->began_ns = env_mono_ns(scrub->set->env);
        scrub->dir = 0;
        scrub->round_bytes = scrub->round_rot = 0;
        ASSERT(scrub->parts == NULL);
    }
    go_on(scrub);
}

/* ---- life */

struct replica_set_scrub *replica_set_scrub_new(struct replica_set *set)
{
    struct replica_set_scrub *scrub = mem_alloc(sizeof(*scrub));
    scrub->set = set;
    scrub->task = (struct loop_task){.run = stepped};
    return scrub;
}

void replica_set_scrub_free(struct replica_set_scrub *scrub)
{
    if (scrub == NULL)
        return;
    ASSERT(!scrub->is_busy);
    drop_parts(scrub);
    mem_free(scrub);
}

void replica_set_scrub_start(struct replica_set *set)
{
    if (set->options.scrub_bytes_per_second <= 0)
        return;
    int64_t first_ms = MIN(set->options.scrub_interval_ms, (int64_t)FIRST_MS_MAX);
    arm(set->scrub, later_ns(env_mono_ns(set->env), first_ms));
}

bool replica_set_scrub_stop(struct replica_set *set)
{
    struct replica_set_scrub *scrub = set->scrub;
    scrub->is_stopped = true;
    if (scrub->timer.fire != NULL)
        loop_timer_stop(set->options.loop, &scrub->timer);
    return !scrub->is_busy;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * replica_set_doomed: directories of partitions that are gone. They were renamed to "-delete" when
 * the metadata forgot them, so nobody finds them any more; their files go
 * log.segment.delete.delay.ms later, as in Kafka, whose tools and readers may still hold them.
 * Where the disk has little room they go at once.
 *
 * Thread: the set's loop; remove_next: a worker.
 * Crash:  what is left is removed at the next start (log_dir_sweep).
 */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/logger.h"
#include "log/log_file.h"
#include "metadata/config.h"
#include "replica/replica_set_private.h"

enum { NS_PER_MS = 1000000, LITTLE_ROOM_SHARE = 20 }; /* less than a twentieth is free */

struct doomed_dir {
    struct list link;
    int64_t since_ns; /* monotonic */
    bool is_urgent;
    char path[];
};

struct doomed_dir *replica_set_doomed_new(struct env *env, const char *path)
{
    int64_t free_bytes = 0, total_bytes = 0;
    size_t size = strlen(path) + 1;
    struct doomed_dir *doomed = mem_alloc(sizeof(*doomed) + size);
    memcpy(doomed->path, path, size);
    doomed->since_ns = env_mono_ns(env);
    doomed->is_urgent = env_disk_space(env, path, &free_bytes, &total_bytes) != ERR_OK ||
                        free_bytes < total_bytes / LITTLE_ROOM_SHARE;
    return doomed;
}

static struct doomed_dir *first_of(const struct list *list)
{
    return container_of(list->next, struct doomed_dir, link);
}

static int64_t due_ns(const struct replica_set *set, const struct doomed_dir *doomed)
{
    int64_t delay_ms = config_layers_long(&set->layers, CONFIG_BROKER_LOG_SEGMENT_DELETE_DELAY_MS);
    int64_t bound_ms = (INT64_MAX - doomed->since_ns) / NS_PER_MS;
    return doomed->is_urgent ? 0 : doomed->since_ns + MIN(delay_ms, bound_ms) * NS_PER_MS;
}

/* One directory a step. */
static bool remove_next(struct env_job *job)
{
    struct replica_set *set = container_of(job, struct replica_set, doomed_job);
    if (!list_is_empty(&set->doomed_now) && !atomic_load(&set->doomed_stops)) {
        struct doomed_dir *doomed = first_of(&set->doomed_now);
        list_remove(&doomed->link);
        enum err e = log_file_remove_dir(set->env, doomed->path);
        if (e != ERR_OK && e != ERR_NOT_FOUND)
            log_warn(set->env, "%s could not be removed: %s; the next start tries again",
                     doomed->path, err_text(e));
        mem_free(doomed);
        return true;
    }
    loop_post(set->options.loop, &set->doomed_task);
    return false;
}

static void removed(struct loop_task *task)
{
    struct replica_set *set = container_of(task, struct replica_set, doomed_task);
    set->doomed_is_busy = false;
    if (set->is_closed && set->is_following)
        replica_set_follow_step(set); /* the stop waited for this */
    else
        replica_set_doomed_arm(set);
}

static void due(struct loop_timer *timer)
{
    struct replica_set *set = container_of(timer, struct replica_set, doomed_timer);
    int64_t now_ns = env_mono_ns(set->env);
    ASSERT(!set->doomed_is_busy && list_is_empty(&set->doomed_now));
    while (!list_is_empty(&set->doomed) && due_ns(set, first_of(&set->doomed)) <= now_ns)
        list_push_back(&set->doomed_now, list_pop_front(&set->doomed));
    if (list_is_empty(&set->doomed_now)) {
        replica_set_doomed_arm(set); /* the delay has become longer meanwhile */
        return;
    }
    set->doomed_is_busy = true;
    set->doomed_task = (struct loop_task){.run = removed};
    set->doomed_job = (struct env_job){.run = remove_next, .queue = ENV_QUEUE_BACKGROUND};
    env_submit(set->env, &set->doomed_job);
}

void replica_set_doomed_arm(struct replica_set *set)
{
    if (set->is_closed || set->doomed_is_busy)
        return;
    set->doomed_timer.fire = due;
    loop_timer_stop(set->options.loop, &set->doomed_timer);
    if (!list_is_empty(&set->doomed))
        loop_timer_start(set->options.loop, &set->doomed_timer,
                         due_ns(set, first_of(&set->doomed)));
}

void replica_set_doomed_hurry(struct replica_set *set)
{
    LIST_FOR_EACH (node, &set->doomed)
        container_of(node, struct doomed_dir, link)->is_urgent = true;
    replica_set_doomed_arm(set);
}

void replica_set_doomed_add(struct replica_set *set, struct doomed_dir *take_doomed)
{
    bool is_first = take_doomed->is_urgent || list_is_empty(&set->doomed);
    if (is_first)
        list_push_front(&set->doomed, &take_doomed->link);
    else
        list_push_back(&set->doomed, &take_doomed->link);
    if (is_first)
        replica_set_doomed_arm(set);
}

void replica_set_doomed_stop(struct replica_set *set)
{
    atomic_store(&set->doomed_stops, true);
    if (set->doomed_timer.fire != NULL)
        loop_timer_stop(set->options.loop, &set->doomed_timer);
}

void replica_set_doomed_free(struct replica_set *set)
{
    ASSERT(!set->doomed_is_busy);
    list_splice_back(&set->doomed, &set->doomed_now);
    for (struct list *node; (node = list_pop_front(&set->doomed)) != NULL;)
        mem_free(container_of(node, struct doomed_dir, link));
}

// SPDX-License-Identifier: Apache-2.0
/* replica_set_room: see replica_set_room.h. Thread: see there. */
#include "replica/replica_set_room.h"

#include "base/assert.h"
#include "base/mem.h"
#include "env/logger.h"
#include "replica/replica_set_private.h"

enum { LOW_LOOK_NS = 1000000000 };

struct room_watch {
    struct replica_set *set;
    struct log_dir *dir;
    struct env_job job;
    struct loop_task task;
    enum disk_room_change change; /* the job's, then the task's */
};

struct replica_set_rooms {
    struct replica_set *set;
    struct loop_timer timer; /* runs while a directory is low */
    bool is_armed;
    atomic_uint busy; /* looks asked for and not over */
    atomic_bool is_stopped;
    size_t count;
    struct room_watch watches[];
};

static void tell_low(const struct room_watch *watch)
{
    const struct disk_room *room = log_dir_room(watch->dir);
    log_error(watch->set->env,
              "log directory %s has %lld MiB left, and %lld are kept back: producers are refused "
              "until there is more; reads, groups, deletions and retention go on",
              log_dir_path(watch->dir), (long long)atomic_load(&room->free_bytes) >> 20,
              (long long)atomic_load(&room->reserve_bytes) >> 20);
}

static void tell_back(const struct room_watch *watch)
{
    const struct disk_room *room = log_dir_room(watch->dir);
    log_info(watch->set->env, "log directory %s has %lld MiB left: producers are served again",
             log_dir_path(watch->dir), (long long)atomic_load(&room->free_bytes) >> 20);
}

static void clean_if_inside(void *arg, struct partition *p)
{
    if (partition_dir(p) == arg)
        partition_housekeep(p);
}

static void arm(struct replica_set_rooms *rooms)
{
    struct replica_set *set = rooms->set;
    bool is_any_low = false;
    for (size_t i = 0; i < rooms->count; i++)
        is_any_low |= disk_room_is_low(log_dir_room(rooms->watches[i].dir));
    if (!is_any_low || rooms->is_armed || atomic_load(&rooms->is_stopped))
        return;
    /* Not again and again: looks at one that is written to must not put off those at the others. */
    rooms->is_armed = true;
    loop_timer_start(set->options.loop, &rooms->timer, env_mono_ns(set->env) + LOW_LOOK_NS);
}

/* ---- one look */

static void wants_look(void *arg, struct disk_room *room);

static void looked(struct loop_task *task)
{
    struct room_watch *watch = container_of(task, struct room_watch, task);
    struct replica_set *set = watch->set;
    struct disk_room *room = log_dir_room(watch->dir);
    enum disk_room_change change = watch->change;
    if (disk_room_look_is_over(room)) /* the task may be posted again */
        wants_look(watch, room);
    if (change == DISK_ROOM_IS_LOW_NOW) {
        tell_low(watch);
        replica_set_each(set, clean_if_inside, watch->dir);
        replica_set_doomed_hurry(set);
    } else if (change == DISK_ROOM_IS_BACK) {
        tell_back(watch);
        replica_set_reopen_now(set);
    }
    arm(set->rooms);
    unsigned before = atomic_fetch_sub(&set->rooms->busy, 1);
    ASSERT(before > 0);
    if (before == 1 && set->is_closed && set->is_following && !set->stop_is_written)
        replica_set_follow_step(set); /* the stop waited for this */
}

static bool look(struct env_job *job)
{
    struct room_watch *watch = container_of(job, struct room_watch, job);
    struct replica_set *set = watch->set;
    watch->change = disk_room_look(log_dir_room(watch->dir), set->env, log_dir_path(watch->dir));
    loop_post(set->options.loop, &watch->task);
    return false;
}

static void wants_look(void *arg, struct disk_room *room)
{
    struct room_watch *watch = arg;
    struct replica_set_rooms *rooms = watch->set->rooms;
    ASSERT(log_dir_room(watch->dir) == room);
    atomic_fetch_add(&rooms->busy, 1);
    if (atomic_load(&rooms->is_stopped)) { /* is_looking stays: nobody asks again */
        atomic_fetch_sub(&rooms->busy, 1);
        return;
    }
    watch->task = (struct loop_task){.run = looked};
    watch->job = (struct env_job){.run = look, .queue = ENV_QUEUE_READ};
    env_submit(watch->set->env, &watch->job);
}

/* While a directory is low nobody writes much, and others may give room back. */
static void look_again(struct loop_timer *timer)
{
    struct replica_set_rooms *rooms = container_of(timer, struct replica_set_rooms, timer);
    rooms->is_armed = false;
    for (size_t i = 0; i < rooms->count; i++) {
        struct room_watch *watch = &rooms->watches[i];
        struct disk_room *room = log_dir_room(watch->dir);
        if (disk_room_is_low(room) && !atomic_exchange(&room->is_looking, true))
            wants_look(watch, room);
    }
    arm(rooms);
}

/* ---- life */

struct replica_set_rooms *replica_set_rooms_new(struct replica_set *set)
{
    size_t count = set->options.dir_count;
    struct replica_set_rooms *rooms = mem_alloc(sizeof(*rooms) + count * sizeof(rooms->watches[0]));
    rooms->set = set;
    rooms->count = count;
    rooms->timer = (struct loop_timer){.fire = look_again};
    for (size_t i = 0; i < count; i++) {
        struct room_watch *watch = &rooms->watches[i];
        struct disk_room *room = log_dir_room(set->options.dirs[i]);
        watch->set = set;
        watch->dir = set->options.dirs[i];
        disk_room_set_owner(room, set->options.reserve_bytes, wants_look, watch);
        if (disk_room_look(room, set->env, log_dir_path(watch->dir)) == DISK_ROOM_IS_LOW_NOW)
            tell_low(watch);
    }
    return rooms;
}

void replica_set_rooms_free(struct replica_set_rooms *rooms)
{
    if (rooms == NULL)
        return;
    ASSERT(atomic_load(&rooms->busy) == 0);
    for (size_t i = 0; i < rooms->count; i++)
        log_dir_room(rooms->watches[i].dir)->wants_look = NULL;
    mem_free(rooms);
}

void replica_set_rooms_start(struct replica_set *set)
{
    arm(set->rooms);
}

bool replica_set_rooms_stop(struct replica_set *set)
{
    if (!atomic_exchange(&set->rooms->is_stopped, true))
        loop_timer_stop(set->options.loop, &set->rooms->timer);
    return atomic_load(&set->rooms->busy) == 0;
}

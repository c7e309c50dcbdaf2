// SPDX-License-Identifier: Apache-2.0
/* disk_room: see disk_room.h. Thread: see there. */
#include "log/disk_room.h"

#include "base/assert.h"

enum {
    MIB = 1024 * 1024,
    RESERVE_MIB_MAX = 256,
    RESERVE_PART = 100, /* 1% of the disk */
    SMALL_DISK_PART = 10,
    BACK_PART = 4, /* of the reserve: so much more must be free before clients are let in again */
    LOOK_PART = 4, /* of what is free above the reserve may be written before the next look */
    LOOK_NS_MAX = 1000000000,
};

void disk_room_init(struct disk_room *room)
{
    *room = (struct disk_room){.reserve_wanted = DISK_ROOM_RESERVE_DEFAULT};
    atomic_store(&room->free_bytes, INT64_MAX);
    atomic_store(&room->left, INT64_MAX);
}

void disk_room_set_owner(struct disk_room *room, int64_t reserve_wanted,
                         void (*wants_look)(void *arg, struct disk_room *room), void *arg)
{
    ASSERT(room->wants_look == NULL && wants_look != NULL);
    room->reserve_wanted = reserve_wanted;
    room->arg = arg;
    room->wants_look = wants_look;
}

int64_t disk_room_reserve_of(int64_t reserve_wanted, int64_t total_bytes)
{
    ASSERT(total_bytes >= 0);
    if (reserve_wanted >= 0)
        return reserve_wanted;
    int64_t part = MIN(total_bytes / RESERVE_PART, (int64_t)RESERVE_MIB_MAX * MIB);
    return MIN(MAX(part, (int64_t)MIB), total_bytes / SMALL_DISK_PART);
}

void disk_room_wrote(struct disk_room *room, int64_t now_mono_ns, int64_t bytes, enum err e)
{
    ASSERT(bytes >= 0);
    if (room->wants_look == NULL)
        return;
    bool is_full = e == ERR_NO_SPACE;
    if (is_full)
        atomic_store(&room->found_full, true);
    int64_t before = atomic_fetch_sub_explicit(&room->left, bytes, memory_order_relaxed);
    int64_t age_ns = now_mono_ns - atomic_load_explicit(&room->looked_ns, memory_order_relaxed);
    bool is_due = is_full || before <= bytes || age_ns >= LOOK_NS_MAX;
    if (is_due && !atomic_exchange(&room->is_looking, true))
        room->wants_look(room->arg, room);
}

/* With room for less than this a write that found none is believed. */
static int64_t least_of(const struct disk_room *room, bool found_full)
{
    int64_t reserve = atomic_load(&room->reserve_bytes);
    int64_t total = atomic_load(&room->total_bytes);
    int64_t least = MIN((int64_t)MIB, total / SMALL_DISK_PART);
    return found_full ? MAX(reserve, least) : reserve;
}

static enum disk_room_change judge(struct disk_room *room, int64_t free_bytes, bool found_full)
{
    int64_t least = least_of(room, found_full);
    int64_t enough = least_of(room, true);
    enough += enough / BACK_PART;
    bool was_low = atomic_load(&room->is_low);
    if (!was_low && free_bytes < least) {
        atomic_store(&room->is_low, true);
        return DISK_ROOM_IS_LOW_NOW;
    }
    if (was_low && free_bytes >= enough) {
        atomic_store(&room->is_low, false);
        return DISK_ROOM_IS_BACK;
    }
    return DISK_ROOM_AS_BEFORE;
}

enum disk_room_change disk_room_look(struct disk_room *room, struct env *env, const char *path)
{
    int64_t free_bytes = 0;
    int64_t total_bytes = 0;
    bool found_full = atomic_exchange(&room->found_full, false);
    enum disk_room_change change = DISK_ROOM_AS_BEFORE;
    enum err e = env_disk_space(env, path, &free_bytes, &total_bytes);
    if (e == ERR_OK && total_bytes > 0) { /* some file systems know no size */
        int64_t reserve = disk_room_reserve_of(room->reserve_wanted, total_bytes);
        atomic_store(&room->free_bytes, free_bytes);
        atomic_store(&room->total_bytes, total_bytes);
        atomic_store(&room->reserve_bytes, reserve);
        change = judge(room, free_bytes, found_full);
        if (change != DISK_ROOM_AS_BEFORE)
            atomic_store(&room->low_since_ms, disk_room_is_low(room) ? env_wall_ms(env) : 0);
        atomic_store(&room->left, MAX((free_bytes - reserve) / LOOK_PART, (int64_t)MIB));
    }
    atomic_store(&room->looked_ns, env_mono_ns(env));
    return change;
}

bool disk_room_look_is_over(struct disk_room *room)
{
    atomic_store(&room->is_looking, false);
    return atomic_load(&room->found_full) && !atomic_exchange(&room->is_looking, true);
}

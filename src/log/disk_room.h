// SPDX-License-Identifier: Apache-2.0
/*
 * disk_room: how much room the disk under a log directory has left, and whether clients may
 * still write there.
 *
 * A reserve is kept back from clients. When less than that is free, the directory is low: what
 * clients produce is refused, so that what is left serves commits of groups, metadata,
 * checkpoints and deletions. It ends when somewhat more than the reserve is free again.
 *
 * Nobody asks the disk at each write. Whoever writes says how much; once a part of what was free
 * at the last look is spent, or the last look is a second ago, the owner is asked for another.
 * Without writes there are no looks, except by the owner while the directory is low.
 *
 * Thread: any; the owner looks on a worker, one look at a time.
 */
#ifndef LOG_DISK_ROOM_H
#define LOG_DISK_ROOM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "env/env.h"

enum { DISK_ROOM_RESERVE_DEFAULT = -1 }; /* of the disk's size: see disk_room_reserve_of */

struct disk_room {
    /* [fixed] once the owner is set. Asks for a look, soon and on a worker: that is
     * disk_room_look. Any thread, no monitor held. NULL: nobody looks. */
    void (*wants_look)(void *arg, struct disk_room *room);
    void *arg;
    int64_t reserve_wanted; /* bytes, or DISK_ROOM_RESERVE_DEFAULT */

    atomic_bool is_low;
    atomic_bool is_looking;       /* a look was asked for and is not over */
    atomic_bool found_full;       /* a write found no room since the last look began */
    _Atomic int64_t left;         /* bytes to be written until the next look */
    _Atomic int64_t looked_ns;    /* monotonic */
    _Atomic int64_t low_since_ms; /* by the calendar; 0: it is not */
    _Atomic int64_t free_bytes;
    _Atomic int64_t total_bytes;
    _Atomic int64_t reserve_bytes;
};

void disk_room_init(struct disk_room *room);

/* Before anybody writes. */
void disk_room_set_owner(struct disk_room *room, int64_t reserve_wanted,
                         void (*wants_look)(void *arg, struct disk_room *room), void *arg);

/* What is kept back of a disk of this size. */
int64_t disk_room_reserve_of(int64_t reserve_wanted, int64_t total_bytes);

/* So many bytes were written below the directory; `e` is how it went. Cheap. */
void disk_room_wrote(struct disk_room *room, int64_t now_mono_ns, int64_t bytes, enum err e);

/* May clients write no more? */
static inline bool disk_room_is_low(const struct disk_room *room)
{
    return atomic_load_explicit(&room->is_low, memory_order_relaxed);
}

enum disk_room_change { DISK_ROOM_AS_BEFORE, DISK_ROOM_IS_LOW_NOW, DISK_ROOM_IS_BACK };

/* Asks the disk under `path`. Where it cannot tell, all stays. Blocks. */
enum disk_room_change disk_room_look(struct disk_room *room, struct env *env, const char *path);

/* The owner may be asked again from now on. True: it is to look once more at once. */
bool disk_room_look_is_over(struct disk_room *room) MUST_USE;

#endif

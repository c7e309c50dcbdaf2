// SPDX-License-Identifier: Apache-2.0
/*
 * replica_set_room: looks at the room that the log directories have left (log/disk_room.h), and
 * what follows when one has little: it is told, once each way; retention runs at once in its
 * partitions, and what they retire is unlinked at once; partitions that could not be opened are
 * tried again when there is room.
 *
 * Thread: the set's loop; looks are done on a disk worker and asked for from anywhere.
 */
#ifndef REPLICA_REPLICA_SET_ROOM_H
#define REPLICA_REPLICA_SET_ROOM_H

#include <stdbool.h>

#include "base/macros.h"

struct replica_set;
struct replica_set_rooms;

/* Looks at each directory. Blocks: at start. */
struct replica_set_rooms *replica_set_rooms_new(struct replica_set *set);
void replica_set_rooms_free(struct replica_set_rooms *rooms);

/* The loop runs now. */
void replica_set_rooms_start(struct replica_set *set);

/* No more looks; nobody writes any more. False: one is under way; then replica_set_follow_step is
 * called at its end. */
bool replica_set_rooms_stop(struct replica_set *set) MUST_USE;

#endif

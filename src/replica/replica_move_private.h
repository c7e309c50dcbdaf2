// SPDX-License-Identifier: Apache-2.0
/* replica_move_private: what replica_set_move.c and replica_set_placing.c share. Thread: the set's
 * loop. */
#ifndef REPLICA_REPLICA_MOVE_PRIVATE_H
#define REPLICA_REPLICA_MOVE_PRIVATE_H

#include "base/pacer.h"
#include "replica/replica_set_move.h"
#include "replica/replica_set_private.h"

struct replica_set_moves {
    struct list all; /* [set->monitor] of struct replica_move, as they came */
    uint32_t running;
    struct pacer pacer;   /* of all bytes that are copied */
    struct map preferred; /* of struct preferred_dir */
    struct list found;    /* of struct found_copy */
};

/* The replica has a partition, and no move. `found_path`: where a copy was begun before the start;
 * NULL: a new place. */
void replica_move_start(struct replica_set *set, struct replica *replica, size_t to,
                        const char *found_path);

#endif

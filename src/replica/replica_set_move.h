// SPDX-License-Identifier: Apache-2.0
/*
 * replica_set_move: partitions on their way from one log directory of this broker to another
 * (AlterReplicaLogDirs, KIP-113). What they have is copied in pieces, by a rate, into a directory
 * "topic-N.<id>-future"; when only a little is missing the partition's job copies that, the new
 * directory takes the partition's name, and the old one goes as that of a deleted topic does.
 * Clients notice nothing. A move that a stop or a crash interrupts begins anew at the next start.
 *
 * Thread: as marked.
 * Crash:  at any point the partition has one directory with all that was acknowledged
 *         (docs/formats.md).
 */
#ifndef REPLICA_REPLICA_SET_MOVE_H
#define REPLICA_REPLICA_SET_MOVE_H

#include "replica/replica_set.h"

struct replica_move_request {
    const char *topic;
    struct uuid topic_id; /* zeros: the metadata does not know it */
    int32_t index;
    const char *dir; /* the path of a log directory, as log_dir_path says it */
};

/* Begins a move; to where it is: ends the one under way. One that is not here yet will be made
 * there.
 * INVALID_TOPIC_EXCEPTION (the name leaves no room for "-future"), LOG_DIR_NOT_FOUND,
 * KAFKA_STORAGE_ERROR (some log directory, or the partition, is offline),
 * NOT_LEADER_OR_FOLLOWER and UNKNOWN_TOPIC_OR_PARTITION (not here). Thread: the loop. */
enum kerr replica_set_move(struct replica_set *set, const struct replica_move_request *request);

/* A move that is under way or waits for its turn. */
struct replica_move_view {
    const char *topic;
    struct uuid topic_id;
    int32_t index;
    size_t to;          /* the number of its directory */
    int64_t size_bytes; /* of what is there */
    int64_t lag;        /* offsets that it lacks */
};

/* No monitor is held meanwhile. Thread: any. */
void replica_set_each_move(struct replica_set *set,
                           void (*each)(void *arg, const struct replica_move_view *move),
                           void *arg);

#endif

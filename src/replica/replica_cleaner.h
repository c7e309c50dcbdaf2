// SPDX-License-Identifier: Apache-2.0
/*
 * replica_cleaner: compacts the logs of a set, the dirtiest first, a few at a time.
 *
 * Only partitions whose topic is compacted are known to it; while there are none it has no
 * timer and costs nothing. Every log.cleaner.backoff.ms, and at once after a round that found
 * work, a worker looks how dirty each is; those are compacted whose dirty share is above
 * min.cleanable.dirty.ratio, or that hold something older than max.compaction.lag.ms. One that
 * is damaged is left alone until the next start.
 *
 * Thread: the set's loop, but for the stats. The work is done on disk workers.
 * Limits: log.cleaner.threads, .dedupe.buffer.size, .io.buffer.size, .io.max.bytes.per.second,
 * which may change at any time.
 */
#ifndef REPLICA_REPLICA_CLEANER_H
#define REPLICA_REPLICA_CLEANER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct replica;
struct replica_cleaner;
struct replica_set;

/* Relaxed atomics; any thread. */
struct cleaner_stats {
    _Atomic uint64_t partitions; /* compacted ones */
    _Atomic uint64_t uncleanable;
    _Atomic uint64_t rounds;
    _Atomic uint64_t read_bytes;
    _Atomic uint64_t written_bytes;
    _Atomic uint64_t freed_bytes;   /* segments before less segments after */
    _Atomic uint64_t map_bytes;     /* held now */
    _Atomic int64_t last_end_ms;    /* wall time; 0: never */
    _Atomic uint32_t dirty_max_ppm; /* the largest dirty share at the last look, of a million */
};

struct replica_cleaner *replica_cleaner_new(struct replica_set *set);
void replica_cleaner_free(struct replica_cleaner *cleaner);

/* The set's layers are others now. A run under way is as fast as the new rate lets it; all else
 * holds for those that begin later, and whether one may begin is looked at now. */
void replica_cleaner_configure(struct replica_cleaner *cleaner);

/* The replica was opened, or its topic's configuration is another. */
void replica_cleaner_follow(struct replica_cleaner *cleaner, struct replica *replica,
                            bool compacts);

/* The replica is about to be closed. True: go on. False: replica_set_close_released is called when
 * it may be. */
bool replica_cleaner_release(struct replica_cleaner *cleaner, struct replica *replica);

/* The replica moves to another directory (replica->move): is no worker at it? None will be until
 * then. False: replica_set_moves_cleaned is called when it is so. */
bool replica_cleaner_pause(struct replica_cleaner *cleaner, struct replica *replica);
/* It lives in replica->dir now. */
void replica_cleaner_moved(struct replica_cleaner *cleaner, struct replica *replica);

/* Is something of it still on a worker? Its end goes on with the update under way. */
bool replica_cleaner_is_busy(const struct replica_cleaner *cleaner);

const struct cleaner_stats *replica_cleaner_stats(const struct replica_cleaner *cleaner);

#endif

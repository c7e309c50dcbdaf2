// SPDX-License-Identifier: Apache-2.0
/*
 * group_stats: what the coordinators of one broker count, for the metrics page: what there is now,
 * moved with every change so that nobody has to walk over the groups, and what has happened since
 * the start. Relaxed atomics: a page shows each number as it was at some moment.
 *
 * The groups of a shard that loads count as they come; those of one that failed are gone.
 *
 * Thread: any.
 */
#ifndef COORDINATOR_GROUP_STATS_H
#define COORDINATOR_GROUP_STATS_H

#include "base/histogram.h"
#include "coordinator/group.h"

/* Kafka's words for the states of a partition of __consumer_offsets. */
enum group_partition_state {
    GROUP_PARTITION_LOADING,
    GROUP_PARTITION_ACTIVE,
    GROUP_PARTITION_FAILED,
    GROUP_PARTITION_STATE_COUNT
};

struct group_stats {
    _Atomic int64_t groups[GROUP_STATE_COUNT]; /* dead: removed, and a write still speaks of it */
    _Atomic int64_t offsets;
    _Atomic int64_t partitions[GROUP_PARTITION_STATE_COUNT];
    _Atomic uint64_t offsets_committed;
    _Atomic uint64_t offsets_expired;
    _Atomic uint64_t offsets_deleted; /* by OffsetDelete */
    _Atomic uint64_t rebalances;      /* whose assignment was committed */
    struct time_histogram load_time;  /* of a partition, from its start until it serves */
};

static inline void group_stats_move(_Atomic int64_t *gauge, int64_t by)
{
    atomic_fetch_add_explicit(gauge, by, memory_order_relaxed);
}

static inline void group_stats_add(_Atomic uint64_t *counter, uint64_t count)
{
    atomic_fetch_add_explicit(counter, count, memory_order_relaxed);
}

#endif

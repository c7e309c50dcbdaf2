// SPDX-License-Identifier: Apache-2.0
/*
 * replica_set_scrub: all sealed, synced segments of the set are read again, one directory after
 * another, at a bounded rate, and what is damaged is told.
 *
 * A round begins an hour after the start, the next a week after that began (or as
 * klamm.scrub.interval.ms says). Between rounds there is one timer. During a round the partitions
 * of the directory in work are remembered by their ids, not held, and a worker is busy only while
 * it reads a piece.
 *
 * Thread: the set's loop; pieces are read on a worker.
 */
#ifndef REPLICA_REPLICA_SET_SCRUB_H
#define REPLICA_REPLICA_SET_SCRUB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

struct replica_set;
struct replica_set_scrub;

/* Relaxed atomics. */
struct scrub_stats {
    _Atomic uint64_t bytes;
    _Atomic uint64_t rot; /* batches found to be damaged */
    _Atomic uint64_t rounds;
};

struct replica_set_scrub *replica_set_scrub_new(struct replica_set *set);
void replica_set_scrub_free(struct replica_set_scrub *scrub);

/* The loop runs now. */
void replica_set_scrub_start(struct replica_set *set);

/* No more pieces. False: one is being read; then replica_set_follow_step is called at its end. */
bool replica_set_scrub_stop(struct replica_set *set) MUST_USE;

#endif

// SPDX-License-Identifier: Apache-2.0
/*
 * partition_clean: what the cleaner asks of a partition: how dirty its log is, a plan, and
 * to put a compacted segment in its place, which the partition's job does between commits.
 *
 * Thread: any; no monitor held.
 */
#ifndef REPLICA_PARTITION_CLEAN_H
#define REPLICA_PARTITION_CLEAN_H

#include "log/log_cleanable.h"
#include "log/log_swap.h"
#include "replica/partition.h"

/* ERR_CLOSED: it does not lead (any more). */
enum err partition_cleanable(struct partition *p, int64_t first_dirty, int64_t now_ms,
                             struct log_cleanable *out) MUST_USE;

/* As partition_log_plan_cleaning; ERR_NOT_FOUND: there is nothing to do. */
enum err partition_plan_cleaning(struct partition *p, int64_t first_dirty, int64_t now_ms,
                                 struct log_clean_plan *out) MUST_USE;

/* One swap on its way. Owned by the caller, who keeps a reference to the partition. */
struct partition_swap {
    struct log_swap *swap;
    void (*done)(struct partition_swap *swap); /* exactly once, on a worker */
    enum err result; /* ERR_STALE: the log has changed; ERR_CLOSED; ERR_IO: the owner was told */
};

/* One at a time. */
void partition_swap_in(struct partition *p, struct partition_swap *swap);

#endif

// SPDX-License-Identifier: Apache-2.0
/*
 * log_cleanable: what of a log compaction may work on, and how much of it is dirty.
 *
 * Clean is what lies below `first_dirty`: all of it was compacted together once, so there a
 * key has one value. From there to `end` everything may be compacted: sealed segments,
 * synced, below the high watermark and below the first transaction that is open, whose records
 * are older than min.compaction.lag.ms.
 *
 * Thread: [lock] as in partition_log.h; what a plan holds may be used by any.
 */
#ifndef LOG_LOG_CLEANABLE_H
#define LOG_LOG_CLEANABLE_H

#include "log/batch_filter.h"
#include "log/partition_log.h"

struct log_clean_query {
    int64_t first_dirty; /* as it was left the last time; 0: never */
    int64_t high_watermark;
    int64_t now_ms;
};

struct log_cleanable {
    int64_t first_dirty; /* corrected: at least the log start, or that when it made no sense */
    int64_t end;         /* at least first_dirty */
    int64_t clean_bytes;
    int64_t dirty_bytes;     /* that may be compacted */
    int64_t oldest_dirty_ms; /* of the first batches of dirty sealed segments, also of those that
                                may not be compacted yet; INT64_MAX: none, or not known */
    struct segment *unknown; /* one reference: the first dirty sealed segment, where the time of its
                                first batch is not known; else NULL */
};

/* [lock] Costs a look at every segment. */
void partition_log_cleanable(const struct partition_log *log, const struct log_clean_query *query,
                             struct log_cleanable *out);

/* Blocks: reads what is not known. Releases `unknown`. */
enum err log_cleanable_find_oldest(struct log_cleanable *cleanable) MUST_USE;

/* 0 to 1: how much of clean and dirty is dirty. */
double log_cleanable_ratio(const struct log_cleanable *cleanable);

struct clean_input {
    struct segment *segment; /* one reference */
    struct segment_tail tail;
    int64_t next_base; /* where the next segment begins */
};

struct log_clean_plan {
    struct log_home *home; /* one reference */
    struct clean_input *inputs;
    uint32_t count;
    uint32_t generation;
    int64_t first_dirty;
    int64_t end;
    int64_t now_ms;
    struct log_config config;
    struct clean_producers producers;
};

/* [lock] All segments from the first on that begin below cleanable->end. ERR_NO_MEMORY. */
enum err partition_log_plan_cleaning(struct partition_log *log,
                                     const struct log_cleanable *cleanable,
                                     const struct log_clean_query *query,
                                     struct log_clean_plan *out) MUST_USE;
void log_clean_plan_free(struct log_clean_plan *plan);

#endif

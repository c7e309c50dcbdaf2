// SPDX-License-Identifier: Apache-2.0
/*
 * histogram: how long something took, counted into the buckets of schema/metrics.table.
 *
 * Thread: any; relaxed atomics.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/metric_table.h"

struct time_histogram {
    _Atomic uint64_t buckets[METRIC_BUCKETS_TIME + 1]; /* the last: everything above */
    _Atomic uint64_t sum_ns;
};

/* A negative time (a clock's whim) counts as none. */
void time_histogram_add(struct time_histogram *h, int64_t ns);

#endif

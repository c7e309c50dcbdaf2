// SPDX-License-Identifier: Apache-2.0
/* histogram: see histogram.h. Thread: any. */
#include "base/histogram.h"

void time_histogram_add(struct time_histogram *h, int64_t ns)
{
    if (ns < 0)
        ns = 0;
    double seconds = (double)ns / 1e9;
    uint32_t bucket = 0;
    while (bucket < METRIC_BUCKETS_TIME && seconds > metric_buckets_time[bucket])
        bucket++;
    atomic_fetch_add_explicit(&h->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_ns, (uint64_t)ns, memory_order_relaxed);
}

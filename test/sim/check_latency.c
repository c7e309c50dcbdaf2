// SPDX-License-Identifier: Apache-2.0
/*
 * check_latency: a record that is alone in the world is acknowledged within a round trip
 * and two syncs (and the small change of a calm world). Waiting for a timer, or a wakeup
 * that is lost until the next request, breaks it.
 *
 * Thread: one.
 */
#include "check.h"

void check_latency_on_lone_ack(struct history *h, int64_t took_ns, int64_t bound_ns)
{
    if (took_ns > bound_ns)
        history_fail(h, "a lone record is acknowledged soon", "it took %lld us, the bound is %lld",
                     (long long)(took_ns / 1000), (long long)(bound_ns / 1000));
}

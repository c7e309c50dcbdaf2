// SPDX-License-Identifier: Apache-2.0
/*
 * check_stable: what a consumer has seen is never different or gone later. A power cut
 * takes what was seen of topics that acknowledge from the page cache (the history forgets
 * it), and of no other.
 *
 * Thread: one.
 */
#include "check.h"

#define CHECKER "what was seen stays"

void check_stable_on_read(struct history *h, uint32_t partition, int64_t offset, int32_t record)
{
    const struct history_partition *p = &h->partitions[partition];
    if (offset < p->seen_count && p->seen[offset] >= 0 && p->seen[offset] != record)
        history_fail(h, CHECKER, "offset %lld of %s-%d was record %d and is record %d now",
                     (long long)offset, p->topic, p->index, p->seen[offset], record);
}

void check_stable_at_end(struct history *h)
{
    for (uint32_t i = 0; i < h->partition_count; i++) {
        const struct history_partition *p = &h->partitions[i];
        if (p->key_count > 0)
            continue; /* gone is what compaction does */
        for (int64_t offset = p->log_start; p->audit_end >= 0 && offset < p->seen_count; offset++) {
            if (p->seen[offset] >= 0 && offset >= p->audit_count)
                history_fail(h, CHECKER, "offset %lld of %s-%d was record %d and is gone",
                             (long long)offset, p->topic, p->index, p->seen[offset]);
        }
    }
}

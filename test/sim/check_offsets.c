// SPDX-License-Identifier: Apache-2.0
/*
 * check_offsets: a reader finds the offset it expects next, or a later one where it is compacted;
 * high watermark, log start and leader epoch never go back behind what was known when the request
 * left; nothing is deleted from the front that nobody asked for.
 *
 * Thread: one.
 */
#include "check.h"

#define CHECKER "offsets"

void check_offsets_on_read(struct history *h, uint32_t partition, int64_t expected, int64_t offset)
{
    const struct history_partition *p = &h->partitions[partition];
    if (expected >= 0 && offset > expected && p->key_count > 0)
        return;
    if (expected >= 0 && offset != expected)
        history_fail(h, CHECKER, "%s-%d: after offset %lld comes %lld", p->topic, p->index,
                     (long long)expected - 1, (long long)offset);
}

static void check_one(struct history *h, const struct history_partition *p, const char *what,
                      int64_t floor, int64_t value)
{
    if (value >= 0 && value < floor)
        history_fail(h, CHECKER, "the %s of %s-%d went back from %lld to %lld", what, p->topic,
                     p->index, (long long)floor, (long long)value);
}

void check_offsets_on_told(struct history *h, uint32_t partition, const struct history_floor *floor,
                           const struct history_offsets *offsets)
{
    const struct history_partition *p = &h->partitions[partition];
    if (p->is_rotten)
        return;
    check_one(h, p, "high watermark", floor->high_watermark, offsets->high_watermark);
    if (!p->has_retention || floor->starts == h->starts)
        check_one(h, p, "log start", floor->log_start, offsets->log_start);
    if (!p->has_retention && offsets->log_start > p->trim_asked)
        history_fail(h, CHECKER, "%s-%d starts at %lld, and only what lies below %lld was to go",
                     p->topic, p->index, (long long)offsets->log_start, (long long)p->trim_asked);
    check_one(h, p, "leader epoch", floor->leader_epoch, offsets->leader_epoch);
    if (offsets->high_watermark >= 0 && offsets->log_start > offsets->high_watermark)
        history_fail(h, CHECKER, "%s-%d starts at %lld, above its high watermark %lld", p->topic,
                     p->index, (long long)offsets->log_start, (long long)offsets->high_watermark);
}

/* The auditor was told where the end is and has to get there, without a hole. */
void check_offsets_at_end(struct history *h)
{
    for (uint32_t i = 0; i < h->partition_count; i++) {
        const struct history_partition *p = &h->partitions[i];
        if (p->audit_end < 0 || p->key_count > 0)
            continue;
        if (p->audit_count != p->audit_end && p->audit_end > p->log_start)
            history_fail(h, CHECKER, "%s-%d ends at %lld, but only %lld offsets could be read",
                         p->topic, p->index, (long long)p->audit_end, (long long)p->audit_count);
        for (int64_t offset = p->log_start; offset < p->audit_count; offset++) {
            if (p->audit[offset] < 0)
                history_fail(h, CHECKER, "%s-%d has nothing at offset %lld", p->topic, p->index,
                             (long long)offset);
        }
    }
}

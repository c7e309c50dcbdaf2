// SPDX-License-Identifier: Apache-2.0
/*
 * check_retention: what retention wants to keep is kept, and what it wants gone goes.
 *
 * Kept: where retention.ms is set, no record that was promised lies below the log start before it
 * is that old, unless somebody asked for its deletion; where retention.bytes is, as many bytes as
 * that are left. Gone: long after the last record, by the names of files on the broker's disk.
 *
 * Only in worlds whose calendar does not jump: a record's age is that of the world.
 *
 * Thread: one.
 */
#include "check.h"

#define CHECKER "retention"

enum { NS_PER_MS = 1000000, OVERHEAD_MAX = 140 }; /* of a record in a batch of its own */

void check_retention_on_told(struct history *h, uint32_t partition, int64_t log_start)
{
    struct history_partition *p = &h->partitions[partition];
    if (p->retention_ms <= 0 || h->now_ns == NULL)
        return;
    int64_t now_ms = *h->now_ns / NS_PER_MS;
    int64_t from = MAX(p->retention_checked, p->trim_asked);
    int64_t end = MIN(log_start, p->promised_count);
    for (int64_t offset = from; offset < end; offset++) {
        int32_t record = p->promised[offset];
        if (record < 0)
            continue;
        int64_t age_ms = now_ms - h->records[record].created_ns / NS_PER_MS;
        if (age_ms < p->retention_ms)
            history_fail(h, CHECKER, "%s-%d starts at %lld, and offset %lld is but %lld ms old",
                         p->topic, p->index, (long long)log_start, (long long)offset,
                         (long long)age_ms);
    }
    p->retention_checked = MAX(p->retention_checked, log_start);
}

void check_retention_at_end(struct history *h)
{
    for (uint32_t i = 0; i < h->partition_count; i++) {
        const struct history_partition *p = &h->partitions[i];
        bool is_cut = p->log_start > p->trim_asked;
        bool has_lost = !p->is_durable && p->generation > 0; /* what it had counted */
        if (p->retention_bytes <= 0 || p->audit_end < 0 || !is_cut || has_lost)
            continue;
        int64_t bytes = 0;
        for (int64_t offset = p->log_start; offset < p->audit_count; offset++) {
            if (p->audit[offset] >= 0)
                bytes += h->records[p->audit[offset]].bytes + OVERHEAD_MAX;
        }
        if (bytes < p->retention_bytes)
            history_fail(h, CHECKER, "%s-%d keeps at most %lld bytes of %lld", p->topic, p->index,
                         (long long)bytes, (long long)p->retention_bytes);
    }
}

void check_retention_on_files(struct history *h, uint32_t partition,
                              const struct history_files *files)
{
    const struct history_partition *p = &h->partitions[partition];
    if (files->deleted_count > 0)
        history_fail(h, CHECKER, "%s-%d: %u deleted files are still there", p->topic, p->index,
                     files->deleted_count);
    if (files->count == 0) {
        history_fail(h, CHECKER, "%s-%d has no segment", p->topic, p->index);
        return;
    }
    if (files->count > 1 && files->items[1].base_offset <= p->log_start)
        history_fail(h, CHECKER, "%s-%d starts at %lld, and a segment that ends at %lld is there",
                     p->topic, p->index, (long long)p->log_start,
                     (long long)files->items[1].base_offset);
    int64_t last = files->items[files->count - 1].base_offset;
    if (p->retention_ms > 0 && (files->count > 1 || last != p->audit_end))
        history_fail(h, CHECKER, "%s-%d: %u segments, the last at %lld, long after the end at %lld",
                     p->topic, p->index, files->count, (long long)last, (long long)p->audit_end);
    int64_t sealed = 0; /* the last may have its room in advance */
    for (uint32_t i = 1; i + 1 < files->count; i++)
        sealed += files->items[i].size;
    if (p->retention_bytes > 0 && sealed >= p->retention_bytes)
        history_fail(h, CHECKER, "%s-%d has %lld bytes behind its first segment, and wants %lld",
                     p->topic, p->index, (long long)sealed, (long long)p->retention_bytes);
}

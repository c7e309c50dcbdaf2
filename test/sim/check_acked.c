// SPDX-License-Identifier: Apache-2.0
/*
 * check_acked: an acknowledged record is never lost, and lies where the answer said.
 *
 * A record stays acknowledged through power cuts when it was promised (acks=all on a topic
 * that acknowledges from disk); the others do through process deaths only.
 *
 * Thread: one.
 */
#include "base/assert.h"
#include "check.h"

#define CHECKER "acked is never lost"

/* Somebody may have read this offset before its answer arrived. */
void check_acked_on_ack(struct history *h, uint32_t record)
{
    const struct history_record *r = &h->records[record];
    const struct history_partition *p = &h->partitions[r->partition];
    if (r->acked_offset < 0) {
        history_fail(h, CHECKER, "record %u was acknowledged at offset %lld", record,
                     (long long)r->acked_offset);
        return;
    }
    if (r->acked_offset < p->seen_count && p->seen[r->acked_offset] >= 0 &&
        p->seen[r->acked_offset] != (int32_t)record)
        history_fail(h, CHECKER,
                     "record %u was acknowledged at offset %lld of %s-%d, where record %d was read",
                     record, (long long)r->acked_offset, p->topic, p->index,
                     p->seen[r->acked_offset]);
}

/* The record that was read is another one than was acknowledged there: found at the end, because
 * only the end knows all offsets; here only the record itself is looked at. */
void check_acked_on_read(struct history *h, uint32_t partition, int64_t offset, int32_t record)
{
    const struct history_partition *p = &h->partitions[partition];
    if (record < 0) {
        history_fail(h, CHECKER, "%s-%d holds at offset %lld what nobody sent", p->topic, p->index,
                     (long long)offset);
        return;
    }
    const struct history_record *r = &h->records[record];
    if (r->partition != partition)
        history_fail(h, CHECKER, "record %d of another partition was read from %s-%d", record,
                     p->topic, p->index);
    else if (r->state == RECORD_ACKED && r->instance >= 0 && r->acked_offset != offset)
        history_fail(h, CHECKER, "record %d was acknowledged at %lld and read at %lld of %s-%d",
                     record, (long long)r->acked_offset, (long long)offset, p->topic, p->index);
    else if (r->state == RECORD_REFUSED)
        history_fail(h, CHECKER, "record %d was refused and read at %lld of %s-%d", record,
                     (long long)offset, p->topic, p->index);
}

void check_acked_at_end(struct history *h)
{
    for (uint32_t i = 0; i < h->record_count; i++) {
        const struct history_record *r = &h->records[i];
        const struct history_partition *p = &h->partitions[r->partition];
        if (r->state != RECORD_ACKED || p->audit_end < 0 || r->acked_offset < p->log_start ||
            p->key_count > 0)
            continue;
        if (r->acked_offset >= p->audit_count || p->audit[r->acked_offset] != (int32_t)i)
            history_fail(h, CHECKER,
                         "record %u was acknowledged at offset %lld of %s-%d; in the end %s there",
                         i, (long long)r->acked_offset, p->topic, p->index,
                         r->acked_offset >= p->audit_count ? "nothing is" : "another is");
    }
}

// SPDX-License-Identifier: Apache-2.0
/*
 * check_order: no gap, no double, no disorder for idempotent producers.
 *
 * A producer that gave up on a batch begins anew with another producer id (another
 * instance): between instances there is no order, but no record may be there twice.
 * Gaps are check_acked's: an acknowledged record is at its offset.
 *
 * Thread: one.
 */
#include <string.h>

#include "base/mem.h"
#include "check.h"

#define CHECKER "no gap, no double, in order"

struct last_number {
    int32_t instance; /* one more than it is; 0: none yet */
    uint32_t number;
};

static void check_partition(struct history *h, uint32_t partition, uint8_t *found)
{
    const struct history_partition *p = &h->partitions[partition];
    size_t producers = h->producer_count;
    struct last_number *last = mem_alloc(producers * sizeof(*last) + 1);
    for (int64_t offset = 0; offset < p->audit_count; offset++) {
        int32_t record = p->audit[offset];
        if (record < 0)
            continue;
        const struct history_record *r = &h->records[record];
        if (r->instance < 0) {
            h->repeats_read += found[record];
            found[record] = 1;
            continue;
        }
        if (found[record])
            history_fail(h, CHECKER, "record %d is twice in %s-%d, the second time at %lld", record,
                         p->topic, p->index, (long long)offset);
        found[record] = 1;
        struct last_number *before = &last[r->producer];
        if (before->instance == r->instance + 1 && before->number >= r->number)
            history_fail(h, CHECKER,
                         "in %s-%d at %lld record number %u of producer %u comes behind number %u",
                         p->topic, p->index, (long long)offset, r->number, r->producer,
                         before->number);
        *before = (struct last_number){r->instance + 1, r->number};
    }
    mem_free(last);
}

void check_order_at_end(struct history *h)
{
    uint8_t *found = mem_alloc((size_t)h->record_count + 1);
    for (uint32_t i = 0; i < h->partition_count; i++)
        check_partition(h, i, found);
    mem_free(found);
}

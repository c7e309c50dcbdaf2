// SPDX-License-Identifier: Apache-2.0
/* refused_batches: see refused_batches.h. Thread: see there. */
#include "replica/refused_batches.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "wire/batch.h"

void refused_batches_deinit(struct refused_batches *refused)
{
    mem_free(refused->items);
    refused->items = NULL;
    refused->count = 0;
}

static struct refused_batch *find(const struct refused_batches *refused, int64_t producer_id)
{
    for (uint32_t i = 0; i < refused->count; i++) {
        if (refused->items[i].producer_id == producer_id)
            return &refused->items[i];
    }
    return NULL;
}

static void drop_at(struct refused_batches *refused, uint32_t index)
{
    ASSERT(index < refused->count);
    refused->count--;
    memmove(&refused->items[index], &refused->items[index + 1],
            (refused->count - index) * sizeof(refused->items[0]));
    if (refused->count == 0)
        refused_batches_deinit(refused);
}

/* Sequences go on from 2^31-1 to 0. */
static bool is_before(int32_t a, int32_t b)
{
    uint32_t ahead = ((uint32_t)b - (uint32_t)a) & INT32_MAX;
    return ahead > 0 && ahead < 1u << 30;
}

void refused_batches_note(struct refused_batches *refused, const struct batch_header *batch,
                          int64_t now_ms)
{
    if (batch->producer_id < 0)
        return;
    struct refused_batch *known = find(refused, batch->producer_id);
    if (known != NULL && known->epoch == batch->producer_epoch) {
        if (is_before(batch->base_sequence, known->sequence))
            known->sequence = batch->base_sequence; /* it was pending while the later was refused */
        return;
    }
    if (known != NULL)
        drop_at(refused, (uint32_t)(known - refused->items));
    if (refused->items == NULL)
        refused->items = mem_alloc(REFUSED_BATCHES_MAX * sizeof(refused->items[0]));
    if (refused->count == REFUSED_BATCHES_MAX)
        drop_at(refused, 0);
    refused->items[refused->count++] = (struct refused_batch){.producer_id = batch->producer_id,
                                                              .at_ms = now_ms,
                                                              .sequence = batch->base_sequence,
                                                              .epoch = batch->producer_epoch};
}

void refused_batches_strict(struct refused_batches *refused, int64_t now_ms)
{
    refused->strict_until_ms = now_ms + REFUSED_BATCHES_MS;
}

bool refused_batches_allow(const struct refused_batches *refused, const struct batch_header *batch,
                           bool is_unknown, int64_t now_ms)
{
    if (is_unknown && batch->base_sequence != 0 && now_ms < refused->strict_until_ms)
        return false;
    if (refused->count == 0 || batch->producer_id < 0)
        return true;
    const struct refused_batch *known = find(refused, batch->producer_id);
    return known == NULL || known->epoch != batch->producer_epoch ||
           known->sequence == batch->base_sequence || now_ms - known->at_ms > REFUSED_BATCHES_MS;
}

void refused_batches_drop(struct refused_batches *refused, const struct batch_header *batch)
{
    if (refused->count == 0 || batch->producer_id < 0)
        return;
    const struct refused_batch *known = find(refused, batch->producer_id);
    if (known != NULL)
        drop_at(refused, (uint32_t)(known - refused->items));
}

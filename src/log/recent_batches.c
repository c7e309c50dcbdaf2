// SPDX-License-Identifier: Apache-2.0
/* recent_batches: see recent_batches.h. Thread: whoever owns it. */
#include "log/recent_batches.h"

#include <stddef.h>

#include "base/assert.h"
#include "base/macros.h"
#include "base/mem.h"

enum { FIRST_CAPACITY = 2, GROWTH = 4 }; /* 2, 8, 32 */

/* By age: 0 is the oldest. */
static const struct recent_batch *item_at(const struct recent_batches *recent, uint32_t index)
{
    ASSERT(index < recent->count);
    return &recent->items[(recent->next + recent->capacity - recent->count + index) %
                          recent->capacity];
}

static int64_t last_offset_of(const struct recent_batch *batch)
{
    return batch->offset + batch->last_offset_delta;
}

void recent_batches_clear(struct recent_batches *recent)
{
    recent->count = 0;
    recent->next = 0;
}

/* Room for one more, where there may be more. */
static void make_room(struct recent_batches **recent)
{
    struct recent_batches *old = *recent;
    uint32_t capacity = old != NULL ? old->capacity : 0;
    if (old != NULL && (old->count < capacity || capacity == RECENT_BATCHES))
        return;
    capacity = MIN(MAX(capacity * GROWTH, (uint32_t)FIRST_CAPACITY), (uint32_t)RECENT_BATCHES);
    struct recent_batches *grown =
        mem_alloc(sizeof(*grown) + capacity * sizeof(struct recent_batch));
    grown->capacity = capacity;
    for (uint32_t i = 0; old != NULL && i < old->count; i++)
        grown->items[grown->next++] = *item_at(old, i);
    grown->count = grown->next;
    grown->segment_base = old != NULL ? old->segment_base : 0;
    ASSERT(grown->count < capacity);
    mem_free(old);
    *recent = grown;
}

void recent_batches_add(struct recent_batches **at, int64_t segment_base,
                        const struct recent_batch *batch)
{
    ASSERT(batch->size > 0 && batch->last_offset_delta >= 0);
    make_room(at);
    struct recent_batches *recent = *at;
    ASSERT(recent->count <= recent->capacity && recent->next < recent->capacity);
    if (recent->count > 0) {
        const struct recent_batch *last = item_at(recent, recent->count - 1);
        bool follows = segment_base == recent->segment_base &&
                       batch->pos == last->pos + last->size && batch->offset > last_offset_of(last);
        if (!follows)
            recent_batches_clear(recent);
    }
    recent->segment_base = segment_base;
    recent->items[recent->next] = *batch;
    recent->next = (recent->next + 1) % recent->capacity;
    if (recent->count < recent->capacity)
        recent->count++;
}

const struct recent_batch *recent_batches_find(const struct recent_batches *recent, int64_t offset)
{
    uint32_t low = 0;
    uint32_t high = recent->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (last_offset_of(item_at(recent, middle)) < offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == recent->count)
        return NULL;
    const struct recent_batch *found = item_at(recent, low);
    return low > 0 || found->offset <= offset ? found : NULL;
}

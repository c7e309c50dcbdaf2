// SPDX-License-Identifier: Apache-2.0
/* producer_state: see producer_state.h. Thread: whoever owns it. */
#include "log/producer_state.h"

#include <string.h>

#include "base/assert.h"
#include "base/macros.h"
#include "base/mem.h"

void producer_state_init(struct producer_state *state)
{
    map_init(&state->by_id);
}

void producer_state_deinit(struct producer_state *state)
{
    MAP_FOR_EACH (node, &state->by_id) {
        struct producer_entry *entry = container_of(node, struct producer_entry, node);
        map_remove(&state->by_id, node);
        mem_free(entry);
    }
    map_deinit(&state->by_id);
}

static void entry_check(const struct producer_entry *entry)
{
    ASSERT(entry->count <= PRODUCER_BATCHES_KEPT);
    ASSERT(entry->next < PRODUCER_BATCHES_KEPT);
    ASSERT(entry->producer_id >= 0);
}

struct producer_entry *producer_state_find(const struct producer_state *state, int64_t producer_id)
{
    uint64_t hash = hash_u64((uint64_t)producer_id);
    for (struct map_node *node = map_first(&state->by_id, hash); node != NULL;
         node = map_next_same(node)) {
        struct producer_entry *entry = container_of(node, struct producer_entry, node);
        if (entry->producer_id == producer_id)
            return entry;
    }
    return NULL;
}

const struct producer_batch *producer_entry_last(const struct producer_entry *entry)
{
    entry_check(entry);
    if (entry->count == 0)
        return NULL;
    return &entry->batches[(entry->next + PRODUCER_BATCHES_KEPT - 1) % PRODUCER_BATCHES_KEPT];
}

int32_t producer_entry_last_sequence(const struct producer_entry *entry)
{
    const struct producer_batch *last = producer_entry_last(entry);
    return last != NULL && last->epoch == entry->epoch ? last->last_sequence : -1;
}

static int32_t last_sequence_of(const struct batch_header *batch)
{
    if (batch->base_sequence < 0 || batch->last_offset_delta < 0)
        return -1;
    return batch_sequence_add(batch->base_sequence, batch->last_offset_delta);
}

static const struct producer_batch *find_repeated(const struct producer_entry *entry,
                                                  const struct batch_header *batch)
{
    int32_t last_sequence = last_sequence_of(batch);
    for (uint8_t i = 0; i < entry->count; i++) {
        const struct producer_batch *kept = &entry->batches[i];
        if (kept->epoch == batch->producer_epoch && kept->last_sequence == last_sequence &&
            kept->offset_delta == batch->last_offset_delta)
            return kept;
    }
    return NULL;
}

/* The sequence that must come next: 0 in a new epoch and after one of which nothing is kept. */
static bool is_in_sequence(const struct producer_entry *entry, const struct batch_header *batch)
{
    int32_t last = producer_entry_last_sequence(entry);
    if (batch->producer_epoch != entry->epoch || last < 0)
        return batch->base_sequence == 0;
    return batch->base_sequence == batch_sequence_add(last, 1);
}

struct producer_check producer_state_check(const struct producer_state *state,
                                           const struct batch_header *batch)
{
    struct producer_check check = {
        .verdict = PRODUCER_NEW, .first_offset = -1, .last_offset = -1, .timestamp_ms = -1};
    if (batch->producer_id < 0)
        return check;
    const struct producer_entry *entry = producer_state_find(state, batch->producer_id);
    check.is_unknown = entry == NULL && batch->producer_id >= 0;
    if (entry == NULL)
        return check; /* its state was lost to retention or expiry: any sequence will do */
    const struct producer_batch *kept =
        batch->producer_epoch == entry->epoch ? find_repeated(entry, batch) : NULL;
    if (kept != NULL) {
        check.verdict = PRODUCER_REPEAT;
        check.first_offset = kept->last_offset - kept->offset_delta;
        check.last_offset = kept->last_offset;
        check.timestamp_ms = kept->append_time_ms;
    } else if (batch->producer_epoch < entry->epoch) {
        check.verdict = PRODUCER_FENCED;
    } else if (!is_in_sequence(entry, batch)) {
        check.verdict = PRODUCER_OUT_OF_ORDER;
    }
    return check;
}

static struct producer_entry *entry_new(struct producer_state *state, int64_t producer_id)
{
    struct producer_entry *entry = mem_try(sizeof(*entry));
    if (entry == NULL)
        return NULL;
    *entry = (struct producer_entry){.producer_id = producer_id,
                                     .last_timestamp_ms = -1,
                                     .txn_first_offset = -1,
                                     .coordinator_epoch = -1,
                                     .epoch = -1};
    map_insert(&state->by_id, &entry->node, hash_u64((uint64_t)producer_id));
    return entry;
}

static void push_batch(struct producer_entry *entry, const struct batch_header *batch)
{
    bool is_append_time = batch_is_log_append_time(batch);
    entry->batches[entry->next] = (struct producer_batch){
        .last_offset = batch_last_offset(batch),
        .append_time_ms = is_append_time ? batch->max_timestamp : -1,
        .last_sequence = last_sequence_of(batch),
        .offset_delta = batch->last_offset_delta,
        .epoch = batch->producer_epoch,
    };
    entry->next = (uint8_t)((entry->next + 1) % PRODUCER_BATCHES_KEPT);
    if (entry->count < PRODUCER_BATCHES_KEPT)
        entry->count++;
}

static void save_undo(const struct producer_entry *entry, bool is_new, struct producer_undo *undo)
{
    *undo = (struct producer_undo){
        .replaced = entry->batches[entry->next],
        .last_timestamp_ms = entry->last_timestamp_ms,
        .seen_ms = entry->seen_ms,
        .txn_first_offset = entry->txn_first_offset,
        .epoch = entry->epoch,
        .count = entry->count,
        .was_new = is_new,
    };
}

enum err producer_state_add(struct producer_state *state, const struct batch_header *batch,
                            int64_t now_ms, struct producer_undo *undo)
{
    if (undo != NULL)
        *undo = (struct producer_undo){0};
    if (batch->producer_id < 0)
        return ERR_OK;
    struct producer_entry *entry = producer_state_find(state, batch->producer_id);
    bool is_new = entry == NULL;
    if (is_new)
        entry = entry_new(state, batch->producer_id);
    if (entry == NULL)
        return ERR_NO_MEMORY;
    if (undo != NULL) {
        ASSERT(!batch_is_control(batch)); /* markers are replayed, or come with their own path */
        save_undo(entry, is_new, undo);
        undo->entry = entry;
        entry->pending++;
    }
    entry->epoch = batch->producer_epoch;
    entry->seen_ms = now_ms;
    entry->last_timestamp_ms = batch->max_timestamp;
    if (batch_is_control(batch)) {
        entry->txn_first_offset = -1;
    } else {
        push_batch(entry, batch);
        if (batch_is_transactional(batch) && entry->txn_first_offset < 0)
            entry->txn_first_offset = batch->base_offset;
    }
    entry_check(entry);
    return ERR_OK;
}

void producer_state_keep(struct producer_undo *undo)
{
    if (undo->entry == NULL)
        return;
    ASSERT(undo->entry->pending > 0);
    undo->entry->pending--;
    undo->entry = NULL;
}

void producer_state_undo(struct producer_state *state, struct producer_undo *undo)
{
    struct producer_entry *entry = undo->entry;
    if (entry == NULL)
        return;
    undo->entry = NULL;
    ASSERT(entry->pending > 0);
    entry->pending--;
    if (undo->was_new) {
        ASSERT(entry->pending == 0);
        map_remove(&state->by_id, &entry->node);
        mem_free(entry);
        return;
    }
    entry->next = (uint8_t)((entry->next + PRODUCER_BATCHES_KEPT - 1) % PRODUCER_BATCHES_KEPT);
    entry->batches[entry->next] = undo->replaced;
    entry->count = undo->count;
    entry->epoch = undo->epoch;
    entry->last_timestamp_ms = undo->last_timestamp_ms;
    entry->seen_ms = undo->seen_ms;
    entry->txn_first_offset = undo->txn_first_offset;
    entry_check(entry);
}

void producer_state_expire(struct producer_state *state, int64_t now_ms, int64_t expiration_ms)
{
    MAP_FOR_EACH (node, &state->by_id) {
        struct producer_entry *entry = container_of(node, struct producer_entry, node);
        if (entry->pending > 0 || entry->txn_first_offset >= 0)
            continue;
        if (entry->seen_ms > now_ms)
            entry->seen_ms = now_ms; /* the clock was set back: count from now */
        if (now_ms - entry->seen_ms < expiration_ms)
            continue;
        map_remove(&state->by_id, node);
        mem_free(entry);
    }
}

int64_t producer_state_due_ms(const struct producer_state *state, int64_t expiration_ms)
{
    int64_t due_ms = INT64_MAX;
    MAP_FOR_EACH (node, &state->by_id) {
        const struct producer_entry *entry = container_of(node, struct producer_entry, node);
        bool may_go = entry->pending == 0 && entry->txn_first_offset < 0;
        if (may_go && entry->seen_ms <= INT64_MAX - expiration_ms)
            due_ms = MIN(due_ms, entry->seen_ms + expiration_ms);
    }
    return due_ms;
}

// SPDX-License-Identifier: Apache-2.0
/* clean_txns: see clean_txns.h; the rules are those of Kafka's CleanedTransactionMetadata. Thread:
 * whoever owns it. */
#include "log/clean_txns.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/macros.h"
#include "base/mem.h"

struct clean_txn {
    struct map_node node;
    int64_t producer_id;
    int64_t first_offset;
    const struct aborted_txn *aborted; /* NULL: it was, or will be, committed */
    bool has_batches;                  /* some were seen */
};

void aborted_txn_write(const struct aborted_txn *txn, uint8_t out[TXNINDEX_ENTRY_BYTES])
{
    bytes_store_u16(out, 0); /* version */
    bytes_store_u64(out + 2, (uint64_t)txn->producer_id);
    bytes_store_u64(out + 10, (uint64_t)txn->first_offset);
    bytes_store_u64(out + 18, (uint64_t)txn->last_offset);
    bytes_store_u64(out + 26, (uint64_t)txn->last_stable_offset);
}

void clean_txns_init(struct clean_txns *t)
{
    *t = (struct clean_txns){0};
    map_init(&t->open);
}

static void forget_open(struct clean_txns *t)
{
    MAP_FOR_EACH (node, &t->open) {
        struct clean_txn *txn = container_of(node, struct clean_txn, node);
        map_remove(&t->open, node);
        mem_free(txn);
    }
}

void clean_txns_deinit(struct clean_txns *t)
{
    forget_open(t);
    map_deinit(&t->open);
    mem_free(t->aborted);
    *t = (struct clean_txns){0};
}

static struct clean_txn *find(const struct clean_txns *t, int64_t producer_id)
{
    struct map_node *node = map_first(&t->open, hash_u64((uint64_t)producer_id));
    for (; node != NULL; node = map_next_same(node)) {
        struct clean_txn *txn = container_of(node, struct clean_txn, node);
        if (txn->producer_id == producer_id)
            return txn;
    }
    return NULL;
}

static enum err add(struct clean_txns *t, int64_t producer_id, int64_t first_offset,
                    struct clean_txn **out)
{
    struct clean_txn *txn = mem_try(sizeof(*txn));
    if (txn == NULL)
        return ERR_NO_MEMORY;
    *txn = (struct clean_txn){.producer_id = producer_id, .first_offset = first_offset};
    map_insert(&t->open, &txn->node, hash_u64((uint64_t)producer_id));
    *out = txn;
    return ERR_OK;
}

static void drop(struct clean_txns *t, struct clean_txn *txn)
{
    if (txn == NULL)
        return;
    map_remove(&t->open, &txn->node);
    mem_free(txn);
}

/* ---- learning */

int64_t clean_txns_stable_end(const struct clean_txns *t, int64_t end)
{
    MAP_FOR_EACH (node, &t->open)
        end = MIN(end, container_of(node, struct clean_txn, node)->first_offset);
    return end;
}

static enum err learn_abort(struct clean_txns *t, const struct batch_header *batch,
                            int64_t first_offset)
{
    if (t->aborted_count == t->aborted_capacity) {
        size_t capacity = MAX(2 * t->aborted_capacity, (size_t)16);
        struct aborted_txn *grown = mem_try_realloc(t->aborted, capacity * sizeof(*grown));
        if (grown == NULL)
            return ERR_NO_MEMORY;
        t->aborted = grown;
        t->aborted_capacity = capacity;
    }
    int64_t last_offset = batch_last_offset(batch);
    t->aborted[t->aborted_count++] = (struct aborted_txn){
        .producer_id = batch->producer_id,
        .first_offset = first_offset,
        .last_offset = last_offset,
        .last_stable_offset = clean_txns_stable_end(t, last_offset + 1),
    };
    return ERR_OK;
}

enum err clean_txns_learn(struct clean_txns *t, const struct batch_header *batch,
                          enum clean_marker marker)
{
    if (!batch_is_transactional(batch) && !batch_is_control(batch))
        return ERR_OK;
    struct clean_txn *txn = find(t, batch->producer_id);
    if (!batch_is_control(batch))
        return txn != NULL ? ERR_OK : add(t, batch->producer_id, batch->base_offset, &txn);
    if (marker != CLEAN_MARKER_ABORT && marker != CLEAN_MARKER_COMMIT)
        return ERR_OK;
    if (txn == NULL)
        return ERR_OK;
    int64_t first_offset = txn->first_offset;
    drop(t, txn);
    return marker == CLEAN_MARKER_ABORT ? learn_abort(t, batch, first_offset) : ERR_OK;
}

/* ---- telling */

static int by_first_offset(const void *a, const void *b)
{
    int64_t first_a = ((const struct aborted_txn *)a)->first_offset;
    int64_t first_b = ((const struct aborted_txn *)b)->first_offset;
    return (first_a > first_b) - (first_a < first_b);
}

void clean_txns_begin(struct clean_txns *t, int64_t from)
{
    forget_open(t);
    if (t->aborted_count > 0)
        qsort(t->aborted, t->aborted_count, sizeof(*t->aborted), by_first_offset);
    t->next = 0;
    t->from = from;
}

/* Aborted transactions that begin at or below the offset are under way now. */
static enum err begin_up_to(struct clean_txns *t, int64_t offset)
{
    while (t->next < t->aborted_count && t->aborted[t->next].first_offset <= offset) {
        const struct aborted_txn *aborted = &t->aborted[t->next++];
        if (aborted->last_offset < t->from)
            continue; /* it ended before the telling began */
        struct clean_txn *txn = find(t, aborted->producer_id);
        if (txn == NULL) {
            enum err e = add(t, aborted->producer_id, aborted->first_offset, &txn);
            if (e != ERR_OK)
                return e;
        }
        txn->aborted = aborted;
        txn->has_batches = false;
    }
    return ERR_OK;
}

enum err clean_txns_data(struct clean_txns *t, const struct batch_header *batch, bool *is_aborted)
{
    ASSERT(!batch_is_control(batch));
    *is_aborted = false;
    enum err e = begin_up_to(t, batch_last_offset(batch));
    if (e != ERR_OK || !batch_is_transactional(batch))
        return e;
    struct clean_txn *txn = find(t, batch->producer_id);
    if (txn == NULL)
        e = add(t, batch->producer_id, batch->base_offset, &txn);
    if (e != ERR_OK)
        return e;
    txn->has_batches = true;
    *is_aborted = txn->aborted != NULL;
    return ERR_OK;
}

enum err clean_txns_marker(struct clean_txns *t, const struct batch_header *batch,
                           enum clean_marker marker, bool *is_spent,
                           const struct aborted_txn **aborted)
{
    ASSERT(batch_is_control(batch));
    *aborted = NULL;
    *is_spent = marker == CLEAN_MARKER_NONE;
    enum err e = begin_up_to(t, batch_last_offset(batch));
    if (e != ERR_OK || (marker != CLEAN_MARKER_ABORT && marker != CLEAN_MARKER_COMMIT))
        return e;
    struct clean_txn *txn = find(t, batch->producer_id);
    *is_spent = txn == NULL || !txn->has_batches;
    if (!*is_spent && marker == CLEAN_MARKER_ABORT)
        *aborted = txn->aborted;
    drop(t, txn);
    return ERR_OK;
}

// SPDX-License-Identifier: Apache-2.0
/* batch_filter: see batch_filter.h. The rules are those of Kafka's Cleaner and
 * MemoryRecords.filterTo. Thread: whoever owns it. */
#include "log/batch_filter.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/canary.h"
#include "base/macros.h"
#include "base/mem.h"

/* ---- producers */

static int by_id(const void *a, const void *b)
{
    int64_t id_a = ((const struct clean_producer *)a)->producer_id;
    int64_t id_b = ((const struct clean_producer *)b)->producer_id;
    return (id_a > id_b) - (id_a < id_b);
}

/* The newest batches that cannot be taken back any more: with a state that is made from what is
 * left of the log each is still known when it is sent again. */
static void keep_committed(const struct producer_entry *entry, int64_t committed,
                           struct clean_producer *out)
{
    bool may_change = entry->pending > 0;
    for (uint8_t i = 0; i < entry->count; i++) {
        const struct producer_batch *batch = &entry->batches[i];
        if (batch->epoch != entry->epoch)
            continue;
        may_change = true;
        if (batch->last_offset < committed)
            out->last_offsets[out->count++] = batch->last_offset;
    }
    if (out->count > 0)
        out->keep = CLEAN_KEEP_BATCHES;
    else
        out->keep = may_change ? CLEAN_KEEP_ALL : CLEAN_KEEP_MARKER;
}

enum err clean_producers_take(const struct producer_state *state, int64_t committed,
                              struct clean_producers *out)
{
    *out = (struct clean_producers){0};
    size_t count = state->by_id.count;
    if (count == 0)
        return ERR_OK;
    struct clean_producer *items = mem_try(count * sizeof(*items));
    if (items == NULL)
        return ERR_NO_MEMORY;
    MAP_FOR_EACH (node, &state->by_id) {
        const struct producer_entry *entry = container_of(node, struct producer_entry, node);
        ASSERT(out->count < count);
        struct clean_producer *item = &items[out->count++];
        *item = (struct clean_producer){.producer_id = entry->producer_id, .epoch = entry->epoch};
        keep_committed(entry, committed, item);
    }
    out->items = items;
    return ERR_OK;
}

void clean_producers_sort(struct clean_producers *producers)
{
    if (producers->count > 0)
        qsort(producers->items, producers->count, sizeof(*producers->items), by_id);
}

void clean_producers_free(struct clean_producers *producers)
{
    mem_free(producers->items);
    *producers = (struct clean_producers){0};
}

/* Of a transaction that has ended nothing is sent again: the newest stays, as in Kafka. */
static bool is_listed(const struct clean_producer *producer, const struct batch_header *batch)
{
    int64_t newest = -1;
    bool is_there = false;
    for (uint8_t i = 0; i < producer->count; i++) {
        newest = MAX(newest, producer->last_offsets[i]);
        is_there |= producer->last_offsets[i] == batch_last_offset(batch);
    }
    return batch_is_transactional(batch) ? batch_last_offset(batch) == newest : is_there;
}

static bool is_kept_for_producer(const struct clean_producers *producers,
                                 const struct batch_header *batch)
{
    if (batch->producer_id < 0 || producers->count == 0)
        return false;
    struct clean_producer wanted = {.producer_id = batch->producer_id};
    const struct clean_producer *found =
        bsearch(&wanted, producers->items, producers->count, sizeof(wanted), by_id);
    if (found == NULL)
        return false;
    switch (found->keep) {
    case CLEAN_KEEP_ALL:
        return true;
    case CLEAN_KEEP_MARKER:
        return batch_is_control(batch) && batch->producer_epoch == found->epoch;
    case CLEAN_KEEP_BATCHES:
        break;
    }
    return is_listed(found, batch);
}

/* ---- the filter */

void batch_filter_init(struct batch_filter *f)
{
    *f = (struct batch_filter){0};
    batch_reader_init(&f->reader, INT32_MAX);
    batch_rewriter_init(&f->rewriter);
    batch_buffer_init(&f->out, SIZE_MAX);
}

void batch_filter_deinit(struct batch_filter *f)
{
    batch_reader_deinit(&f->reader);
    batch_rewriter_deinit(&f->rewriter);
    batch_buffer_deinit(&f->out);
}

enum err batch_filter_marker(struct batch_reader *reader, const struct batch_header *header,
                             const uint8_t *data, enum clean_marker *out)
{
    *out = CLEAN_MARKER_NONE;
    if (header->record_count == 0)
        return ERR_OK;
    struct record record;
    enum err e = batch_reader_start(reader, data, batch_size(header));
    if (e == ERR_OK)
        e = batch_reader_next(reader, &record);
    if (e != ERR_OK)
        return e == ERR_NOT_FOUND ? ERR_CORRUPT : e;
    if (record.key.len < 4)
        return ERR_CORRUPT;
    switch (bytes_load_u16(record.key.data + 2)) {
    case 0:
        *out = CLEAN_MARKER_ABORT;
        break;
    case 1:
        *out = CLEAN_MARKER_COMMIT;
        break;
    default:
        *out = CLEAN_MARKER_OTHER;
    }
    return ERR_OK;
}

/* The last value of its key, and not a tombstone whose time has come. */
static bool record_stays(const struct batch_filter *f, const struct batch_header *header,
                         const struct record *record)
{
    int64_t offset = header->base_offset + record->offset_delta;
    if (batch_is_control(header) || offset >= f->end)
        return true;
    if (record->key.len < 0)
        return false; /* nobody can tell what it replaces; a compacted topic takes none */
    bool is_near = CANARY(OLDER_VALUE_STAYS) && record->offset_delta > 0;
    if (offset < key_map_get(f->map, record->key.data, (size_t)record->key.len) && !is_near)
        return false;
    if (record->value.len >= 0 || CANARY(TOMBSTONE_STAYS))
        return true;
    int64_t horizon = batch_delete_horizon(header);
    return horizon == BATCH_NO_HORIZON ? !CANARY(EARLY_TOMBSTONE) : f->now_ms < horizon;
}

struct kept {
    int32_t count;
    bool has_tombstones;
};

/* Those that stay go to the rewriter, under this horizon. */
static enum err gather(struct batch_filter *f, const struct batch_header *header,
                       const uint8_t *data, int64_t horizon, struct kept *kept)
{
    *kept = (struct kept){0};
    batch_rewriter_start(&f->rewriter, header, horizon);
    enum err e = batch_reader_start(&f->reader, data, batch_size(header));
    while (e == ERR_OK) {
        struct record record;
        e = batch_reader_next(&f->reader, &record);
        if (e == ERR_NOT_FOUND)
            return ERR_OK;
        if (e == ERR_OK &&
            (record.offset_delta < 0 || record.offset_delta > header->last_offset_delta))
            e = ERR_CORRUPT;
        if (e != ERR_OK || !record_stays(f, header, &record))
            continue;
        kept->count++;
        kept->has_tombstones |= record.value.len < 0;
        e = batch_rewriter_add(&f->rewriter, &record);
    }
    return e;
}

static enum err leave_empty(struct batch_filter *f, struct batch_header *header,
                            const uint8_t **data, enum batch_fate *fate)
{
    if (!is_kept_for_producer(f->producers, header)) {
        *fate = BATCH_GOES;
        return ERR_OK;
    }
    f->out.len = 0;
    enum err e = batch_buffer_reserve(&f->out, BATCH_HEADER_BYTES);
    if (e != ERR_OK)
        return e;
    *fate = header->record_count == 0 ? BATCH_STAYS : BATCH_CHANGES;
    if (*fate == BATCH_STAYS)
        return ERR_OK;
    struct batch_header empty;
    batch_write_empty(header, f->out.data, &empty);
    *header = empty;
    *data = f->out.data;
    return ERR_OK;
}

static enum err filter_records(struct batch_filter *f, struct batch_header *header,
                               const uint8_t **data, bool is_spent_marker, enum batch_fate *fate)
{
    struct kept kept;
    int64_t horizon = batch_delete_horizon(header);
    enum err e = gather(f, header, *data, horizon, &kept);
    if (e != ERR_OK)
        return e;
    f->records_kept += (uint64_t)kept.count;
    if (kept.count == 0)
        return leave_empty(f, header, data, fate);
    bool wants_horizon = horizon == BATCH_NO_HORIZON && (kept.has_tombstones || is_spent_marker);
    *fate = kept.count == header->record_count && !wants_horizon ? BATCH_STAYS : BATCH_CHANGES;
    if (*fate == BATCH_STAYS)
        return ERR_OK;
    if (wants_horizon) {
        int64_t last_ms = INT64_MAX - MAX(f->now_ms, 0);
        e = gather(f, header, *data, f->now_ms + MIN(f->delete_retention_ms, last_ms), &kept);
    }
    f->out.len = 0;
    if (e == ERR_OK)
        e = batch_rewriter_finish(&f->rewriter, &f->out);
    if (e != ERR_OK)
        return e;
    *header = f->rewriter.header;
    *data = f->out.data;
    return ERR_OK;
}

enum err batch_filter_run(struct batch_filter *f, struct batch_header *header, const uint8_t **data,
                          enum batch_fate *fate)
{
    ASSERT(f->map != NULL && f->txns != NULL && f->producers != NULL);
    f->aborted = NULL;
    *fate = BATCH_STAYS;
    if (header->base_offset >= f->end) {
        f->records_kept += (uint64_t)header->record_count;
        f->records_read += (uint64_t)header->record_count;
        return ERR_OK;
    }
    f->records_read += (uint64_t)header->record_count;
    bool goes = false;
    bool is_spent = false;
    enum err e;
    if (batch_is_control(header)) {
        enum clean_marker marker;
        e = batch_filter_marker(&f->reader, header, *data, &marker);
        if (e == ERR_OK)
            e = clean_txns_marker(f->txns, header, marker, &is_spent, &f->aborted);
        int64_t horizon = batch_delete_horizon(header);
        goes = is_spent && horizon != BATCH_NO_HORIZON && horizon <= f->now_ms;
    } else {
        e = clean_txns_data(f->txns, header, &goes);
    }
    if (e != ERR_OK)
        return e;
    return goes ? leave_empty(f, header, data, fate)
                : filter_records(f, header, data, is_spent, fate);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * producer_snapshot: the content of Kafka's .snapshot files, version 1: docs/formats.md,
 * "Producer snapshots". Kafka writes the newest batch of each producer. We write an entry for
 * each of the five that a producer may repeat, the newest last: Kafka's reader, too, lets a later
 * entry of an id replace an earlier one.
 *
 * Thread: whoever owns the state.
 */
#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "log/producer_state.h"
#include "wire/crc32c.h"

enum {
    SNAPSHOT_VERSION = 1,
    SNAPSHOT_CRC_END = 6, /* the checksum covers what lies behind it */
    SNAPSHOT_HEAD_BYTES = 10,
    SNAPSHOT_ENTRY_BYTES = 46,
};

/* The kept batches of the present epoch, oldest first: those that may be repeated. */
static uint8_t repeatable(const struct producer_entry *entry,
                          const struct producer_batch *out[PRODUCER_BATCHES_KEPT])
{
    uint8_t count = 0;
    for (uint8_t i = 0; i < entry->count; i++) {
        uint8_t place = (uint8_t)((entry->next + PRODUCER_BATCHES_KEPT - entry->count + i) %
                                  PRODUCER_BATCHES_KEPT);
        if (entry->batches[place].epoch == entry->epoch && entry->batches[place].last_sequence >= 0)
            out[count++] = &entry->batches[place];
    }
    return count;
}

size_t producer_snapshot_size(const struct producer_state *state)
{
    size_t entries = 0;
    const struct producer_batch *batches[PRODUCER_BATCHES_KEPT];
    MAP_FOR_EACH (node, &state->by_id) {
        uint8_t count = repeatable(container_of(node, struct producer_entry, node), batches);
        entries += MAX(count, 1);
    }
    return SNAPSHOT_HEAD_BYTES + entries * SNAPSHOT_ENTRY_BYTES;
}

/* `batch` NULL: only the epoch of this producer is known. */
static void write_entry(uint8_t *out, const struct producer_entry *entry,
                        const struct producer_batch *batch)
{
    bytes_store_u64(out, (uint64_t)entry->producer_id);
    bytes_store_u16(out + 8, (uint16_t)entry->epoch);
    bytes_store_u32(out + 10, batch != NULL ? (uint32_t)batch->last_sequence : UINT32_MAX);
    bytes_store_u64(out + 14, batch != NULL ? (uint64_t)batch->last_offset : UINT64_MAX);
    bytes_store_u32(out + 22, batch != NULL ? (uint32_t)batch->offset_delta : 0);
    bytes_store_u64(out + 26, (uint64_t)entry->last_timestamp_ms);
    bytes_store_u32(out + 34, (uint32_t)entry->coordinator_epoch);
    bytes_store_u64(out + 38, (uint64_t)entry->txn_first_offset);
}

void producer_snapshot_write(const struct producer_state *state, uint8_t *out, size_t size)
{
    ASSERT(size == producer_snapshot_size(state));
    bytes_store_u16(out, SNAPSHOT_VERSION);
    bytes_store_u32(out + SNAPSHOT_CRC_END,
                    (uint32_t)((size - SNAPSHOT_HEAD_BYTES) / SNAPSHOT_ENTRY_BYTES));
    uint8_t *at = out + SNAPSHOT_HEAD_BYTES;
    MAP_FOR_EACH (node, &state->by_id) {
        const struct producer_entry *entry = container_of(node, struct producer_entry, node);
        const struct producer_batch *batches[PRODUCER_BATCHES_KEPT] = {NULL};
        uint8_t count = repeatable(entry, batches);
        for (uint8_t i = 0; i < MAX(count, 1); i++) {
            write_entry(at, entry, batches[i]);
            at += SNAPSHOT_ENTRY_BYTES;
        }
    }
    ASSERT(at == out + size);
    bytes_store_u32(out + 2, crc32c(0, out + SNAPSHOT_CRC_END, size - SNAPSHOT_CRC_END));
}

static struct producer_entry *entry_of(struct producer_state *state, int64_t producer_id)
{
    struct producer_entry *entry = producer_state_find(state, producer_id);
    if (entry != NULL)
        return entry;
    entry = mem_try(sizeof(*entry));
    if (entry == NULL)
        return NULL;
    *entry = (struct producer_entry){.producer_id = producer_id};
    map_insert(&state->by_id, &entry->node, hash_u64((uint64_t)producer_id));
    return entry;
}

/* What is not of a batch is as the last entry of the producer says. */
static enum err read_entry(struct producer_state *state, const uint8_t *data, int64_t now_ms)
{
    int64_t producer_id = (int64_t)bytes_load_u64(data);
    struct producer_entry *entry = producer_id >= 0 ? entry_of(state, producer_id) : NULL;
    if (entry == NULL)
        return producer_id >= 0 ? ERR_NO_MEMORY : ERR_CORRUPT;
    entry->epoch = (int16_t)bytes_load_u16(data + 8);
    entry->last_timestamp_ms = (int64_t)bytes_load_u64(data + 26);
    entry->coordinator_epoch = (int32_t)bytes_load_u32(data + 34);
    entry->txn_first_offset = (int64_t)bytes_load_u64(data + 38);
    entry->seen_ms = now_ms;
    struct producer_batch batch = {
        .last_sequence = (int32_t)bytes_load_u32(data + 10),
        .last_offset = (int64_t)bytes_load_u64(data + 14),
        .offset_delta = (int32_t)bytes_load_u32(data + 22),
        .append_time_ms = -1,
        .epoch = entry->epoch,
    };
    if (batch.last_offset < 0 || batch.last_sequence < 0)
        return ERR_OK;
    entry->batches[entry->next] = batch;
    entry->next = (uint8_t)((entry->next + 1) % PRODUCER_BATCHES_KEPT);
    entry->count = (uint8_t)MIN(entry->count + 1, PRODUCER_BATCHES_KEPT);
    return ERR_OK;
}

enum err producer_snapshot_read(struct producer_state *state, const uint8_t *data, size_t size,
                                int64_t now_ms)
{
    ASSERT(state->by_id.count == 0);
    if (size < SNAPSHOT_HEAD_BYTES)
        return ERR_CORRUPT;
    if (bytes_load_u16(data) != SNAPSHOT_VERSION)
        return ERR_UNSUPPORTED;
    uint32_t count = bytes_load_u32(data + SNAPSHOT_CRC_END);
    if (bytes_load_u32(data + 2) != crc32c(0, data + SNAPSHOT_CRC_END, size - SNAPSHOT_CRC_END) ||
        (size - SNAPSHOT_HEAD_BYTES) % SNAPSHOT_ENTRY_BYTES != 0 ||
        count != (size - SNAPSHOT_HEAD_BYTES) / SNAPSHOT_ENTRY_BYTES)
        return ERR_CORRUPT;
    enum err e = ERR_OK;
    for (uint32_t i = 0; i < count && e == ERR_OK; i++)
        e = read_entry(state, data + SNAPSHOT_HEAD_BYTES + (size_t)i * SNAPSHOT_ENTRY_BYTES,
                       now_ms);
    if (e != ERR_OK) {
        producer_state_deinit(state);
        producer_state_init(state);
    }
    return e;
}

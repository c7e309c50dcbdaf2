// SPDX-License-Identifier: Apache-2.0
/*
 * producer_snapshot: the content of Kafka's .snapshot files, version 1: docs/formats.md,
 * "Producer snapshots". Only the newest batch of each producer is in it.
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

size_t producer_snapshot_size(const struct producer_state *state)
{
    return SNAPSHOT_HEAD_BYTES + state->by_id.count * SNAPSHOT_ENTRY_BYTES;
}

/* A producer of which only a new epoch is known has no last batch in the file: -1s. */
static void write_entry(uint8_t *out, const struct producer_entry *entry)
{
    const struct producer_batch *last = producer_entry_last(entry);
    if (last != NULL && last->epoch != entry->epoch)
        last = NULL;
    bytes_store_u64(out, (uint64_t)entry->producer_id);
    bytes_store_u16(out + 8, (uint16_t)entry->epoch);
    bytes_store_u32(out + 10, last != NULL ? (uint32_t)last->last_sequence : UINT32_MAX);
    bytes_store_u64(out + 14, last != NULL ? (uint64_t)last->last_offset : UINT64_MAX);
    bytes_store_u32(out + 22, last != NULL ? (uint32_t)last->offset_delta : 0);
    bytes_store_u64(out + 26, (uint64_t)entry->last_timestamp_ms);
    bytes_store_u32(out + 34, (uint32_t)entry->coordinator_epoch);
    bytes_store_u64(out + 38, (uint64_t)entry->txn_first_offset);
}

void producer_snapshot_write(const struct producer_state *state, uint8_t *out, size_t size)
{
    ASSERT(size == producer_snapshot_size(state));
    bytes_store_u16(out, SNAPSHOT_VERSION);
    bytes_store_u32(out + SNAPSHOT_CRC_END, (uint32_t)state->by_id.count);
    uint8_t *at = out + SNAPSHOT_HEAD_BYTES;
    MAP_FOR_EACH (node, &state->by_id) {
        write_entry(at, container_of(node, struct producer_entry, node));
        at += SNAPSHOT_ENTRY_BYTES;
    }
    ASSERT(at == out + size);
    bytes_store_u32(out + 2, crc32c(0, out + SNAPSHOT_CRC_END, size - SNAPSHOT_CRC_END));
}

static enum err read_entry(struct producer_state *state, const uint8_t *data, int64_t now_ms)
{
    int64_t producer_id = (int64_t)bytes_load_u64(data);
    if (producer_id < 0 || producer_state_find(state, producer_id) != NULL)
        return ERR_CORRUPT;
    struct producer_entry *entry = mem_try(sizeof(*entry));
    if (entry == NULL)
        return ERR_NO_MEMORY;
    *entry = (struct producer_entry){
        .producer_id = producer_id,
        .epoch = (int16_t)bytes_load_u16(data + 8),
        .last_timestamp_ms = (int64_t)bytes_load_u64(data + 26),
        .coordinator_epoch = (int32_t)bytes_load_u32(data + 34),
        .txn_first_offset = (int64_t)bytes_load_u64(data + 38),
        .seen_ms = now_ms,
    };
    struct producer_batch last = {
        .last_sequence = (int32_t)bytes_load_u32(data + 10),
        .last_offset = (int64_t)bytes_load_u64(data + 14),
        .offset_delta = (int32_t)bytes_load_u32(data + 22),
        .append_time_ms = -1,
        .epoch = entry->epoch,
    };
    if (last.last_offset >= 0 && last.last_sequence >= 0) {
        entry->batches[0] = last;
        entry->next = 1;
        entry->count = 1;
    }
    map_insert(&state->by_id, &entry->node, hash_u64((uint64_t)producer_id));
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

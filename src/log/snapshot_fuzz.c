// SPDX-License-Identifier: Apache-2.0
/*
 * snapshot_fuzz: foreign bytes as a .snapshot file; the checksum is made right for every second
 * input, so that what lies behind it is reached.
 *
 * Thread: main.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "log/producer_state.h"
#include "wire/crc32c.h"

int fuzz_snapshot(const uint8_t *data, size_t size);

enum { HEAD_BYTES = 10, ENTRY_BYTES = 46 };

/* What was read is written and read again: as many producers. */
static void read_twice(const uint8_t *data, size_t size)
{
    struct producer_state known;
    producer_state_init(&known);
    if (producer_snapshot_read(&known, data, size, 1) == ERR_OK) {
        size_t copy_size = producer_snapshot_size(&known);
        uint8_t *copy = mem_alloc(copy_size);
        producer_snapshot_write(&known, copy, copy_size);
        struct producer_state again;
        producer_state_init(&again);
        enum err e = producer_snapshot_read(&again, copy, copy_size, 2);
        ASSERT(e == ERR_OK && again.by_id.count == known.by_id.count);
        producer_state_expire(&again, 100, 98);
        producer_state_deinit(&again);
        mem_free(copy);
    }
    producer_state_deinit(&known);
}

int fuzz_snapshot(const uint8_t *data, size_t size)
{
    read_twice(data, size);
    size_t entries = size / ENTRY_BYTES;
    size_t made_size = HEAD_BYTES + entries * ENTRY_BYTES;
    uint8_t *made = mem_alloc(made_size);
    if (entries > 0)
        memcpy(made + HEAD_BYTES, data, entries * ENTRY_BYTES);
    bytes_store_u16(made, 1);
    bytes_store_u32(made + 6, (uint32_t)entries);
    bytes_store_u32(made + 2, crc32c(0, made + 6, made_size - 6));
    read_twice(made, made_size);
    mem_free(made);
    return 0;
}

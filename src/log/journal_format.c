// SPDX-License-Identifier: Apache-2.0
/* journal_format: see journal_format.h. Thread: any. */
#include "log/journal_format.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "wire/crc32c.h"

enum {
    FILE_VERSION = 1,
    FILE_CRC_POS = 12,
    FILE_CRC_FROM = 16,
    FILE_CRC_END = 44,
    GROUP_CRC_POS = 4,
    GROUP_CRC_FROM = 8,
};

static const uint8_t file_magic[8] = {'k', 'l', 'a', 'm', 'm', 'j', 'n', 'l'};
static const uint8_t group_magic[4] = {'K', 'L', 'J', 'G'};

/* ---- header pages */

void journal_file_header_write(const struct journal_file_header *header,
                               uint8_t out[JOURNAL_PAGE_BYTES])
{
    ASSERT(header->size > 0);
    memset(out, 0, JOURNAL_PAGE_BYTES);
    memcpy(out, file_magic, sizeof(file_magic));
    bytes_store_u32(out + 8, FILE_VERSION);
    memcpy(out + 16, header->directory_id.bytes, sizeof(header->directory_id.bytes));
    bytes_store_u32(out + 32, header->half);
    bytes_store_u64(out + 36, (uint64_t)header->size);
    bytes_store_u32(out + FILE_CRC_POS,
                    crc32c(0, out + FILE_CRC_FROM, FILE_CRC_END - FILE_CRC_FROM));
}

bool journal_file_header_read(const uint8_t page[JOURNAL_PAGE_BYTES],
                              struct journal_file_header *out)
{
    if (memcmp(page, file_magic, sizeof(file_magic)) != 0 ||
        bytes_load_u32(page + 8) != FILE_VERSION ||
        bytes_load_u32(page + FILE_CRC_POS) !=
            crc32c(0, page + FILE_CRC_FROM, FILE_CRC_END - FILE_CRC_FROM))
        return false;
    memcpy(out->directory_id.bytes, page + 16, sizeof(out->directory_id.bytes));
    out->half = bytes_load_u32(page + 32);
    out->size = (int64_t)bytes_load_u64(page + 36);
    return true;
}

/* ---- groups */

void journal_group_seal(const struct journal_group_header *header, uint8_t *data)
{
    ASSERT(header->size >= JOURNAL_GROUP_HEADER_BYTES + JOURNAL_ENTRY_HEADER_BYTES);
    ASSERT(header->count > 0);
    memcpy(data, group_magic, sizeof(group_magic));
    bytes_store_u32(data + 8, header->size);
    bytes_store_u32(data + 12, header->count);
    bytes_store_u64(data + 16, header->generation);
    bytes_store_u64(data + 24, header->number);
    bytes_store_u64(data + 32, header->salt);
    bytes_store_u32(data + GROUP_CRC_POS,
                    crc32c(0, data + GROUP_CRC_FROM, header->size - GROUP_CRC_FROM));
}

bool journal_group_read(const uint8_t *data, struct journal_group_header *out)
{
    if (memcmp(data, group_magic, sizeof(group_magic)) != 0)
        return false;
    struct journal_group_header header = {
        .size = bytes_load_u32(data + 8),
        .count = bytes_load_u32(data + 12),
        .generation = bytes_load_u64(data + 16),
        .number = bytes_load_u64(data + 24),
        .salt = bytes_load_u64(data + 32),
    };
    if (header.size < JOURNAL_GROUP_HEADER_BYTES + JOURNAL_ENTRY_HEADER_BYTES ||
        header.count == 0 || header.generation == 0 || header.generation > INT64_MAX)
        return false;
    *out = header;
    return true;
}

bool journal_group_is_whole(const uint8_t *data, uint32_t size)
{
    ASSERT(size >= JOURNAL_GROUP_HEADER_BYTES);
    return bytes_load_u32(data + GROUP_CRC_POS) ==
           crc32c(0, data + GROUP_CRC_FROM, size - GROUP_CRC_FROM);
}

/* ---- entries */

void journal_item_write(const struct journal_item *item, uint8_t *out)
{
    memset(out, 0, JOURNAL_ENTRY_HEADER_BYTES);
    out[0] = (uint8_t)item->kind;
    bytes_store_u32(out + 4, item->size);
    bytes_store_u32(out + 8, (uint32_t)item->partition);
    bytes_store_u32(out + 12, (uint32_t)item->leader_epoch);
    memcpy(out + 16, item->topic_id.bytes, sizeof(item->topic_id.bytes));
    bytes_store_u64(out + 32, (uint64_t)item->first);
    bytes_store_u64(out + 40, (uint64_t)item->end_offset);
    bytes_store_u64(out + 48, (uint64_t)item->segment_base);
    bytes_store_u64(out + 56, (uint64_t)item->pos);
}

static bool is_valid(const struct journal_item *item)
{
    if (item->partition < 0 || item->first < 0)
        return false;
    switch (item->kind) {
    case JOURNAL_APPEND:
        return item->size > 0 && item->end_offset > item->first && item->segment_base >= 0 &&
               item->segment_base <= item->first && item->pos >= 0 && item->pos <= INT32_MAX;
    case JOURNAL_CUT:
    case JOURNAL_VOID:
    case JOURNAL_GONE:
        return item->size == 0;
    }
    return false;
}

bool journal_item_read(const uint8_t *data, size_t left, struct journal_item *out)
{
    if (left < JOURNAL_ENTRY_HEADER_BYTES)
        return false;
    struct journal_item item = {
        .kind = (enum journal_kind)data[0],
        .size = bytes_load_u32(data + 4),
        .partition = (int32_t)bytes_load_u32(data + 8),
        .leader_epoch = (int32_t)bytes_load_u32(data + 12),
        .first = (int64_t)bytes_load_u64(data + 32),
        .end_offset = (int64_t)bytes_load_u64(data + 40),
        .segment_base = (int64_t)bytes_load_u64(data + 48),
        .pos = (int64_t)bytes_load_u64(data + 56),
    };
    memcpy(item.topic_id.bytes, data + 16, sizeof(item.topic_id.bytes));
    if (!is_valid(&item) || item.size > left - JOURNAL_ENTRY_HEADER_BYTES)
        return false;
    *out = item;
    return true;
}

// SPDX-License-Identifier: Apache-2.0
/* batch: see batch.h. Thread: any. */
#include "wire/batch.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "wire/crc32c.h"

enum field_pos {
    AT_BASE_OFFSET = 0,
    AT_LENGTH = 8,
    AT_LEADER_EPOCH = 12,
    AT_MAGIC = 16,
    AT_CRC = 17,
    AT_ATTRIBUTES = 21,
    AT_LAST_OFFSET_DELTA = 23,
    AT_BASE_TIMESTAMP = 27,
    AT_MAX_TIMESTAMP = 35,
    AT_PRODUCER_ID = 43,
    AT_PRODUCER_EPOCH = 51,
    AT_BASE_SEQUENCE = 53,
    AT_RECORD_COUNT = 57,
};

bool batch_header_read(const uint8_t *data, size_t len, struct batch_header *out)
{
    if (len < BATCH_HEADER_BYTES)
        return false;
    *out = (struct batch_header){
        .base_offset = (int64_t)bytes_load_u64(data + AT_BASE_OFFSET),
        .length = (int32_t)bytes_load_u32(data + AT_LENGTH),
        .leader_epoch = (int32_t)bytes_load_u32(data + AT_LEADER_EPOCH),
        .magic = (int8_t)data[AT_MAGIC],
        .crc = bytes_load_u32(data + AT_CRC),
        .attributes = bytes_load_u16(data + AT_ATTRIBUTES),
        .last_offset_delta = (int32_t)bytes_load_u32(data + AT_LAST_OFFSET_DELTA),
        .base_timestamp = (int64_t)bytes_load_u64(data + AT_BASE_TIMESTAMP),
        .max_timestamp = (int64_t)bytes_load_u64(data + AT_MAX_TIMESTAMP),
        .producer_id = (int64_t)bytes_load_u64(data + AT_PRODUCER_ID),
        .producer_epoch = (int16_t)bytes_load_u16(data + AT_PRODUCER_EPOCH),
        .base_sequence = (int32_t)bytes_load_u32(data + AT_BASE_SEQUENCE),
        .record_count = (int32_t)bytes_load_u32(data + AT_RECORD_COUNT),
    };
    return true;
}

void batch_header_write(uint8_t *data, const struct batch_header *h)
{
    bytes_store_u64(data + AT_BASE_OFFSET, (uint64_t)h->base_offset);
    bytes_store_u32(data + AT_LENGTH, (uint32_t)h->length);
    bytes_store_u32(data + AT_LEADER_EPOCH, (uint32_t)h->leader_epoch);
    data[AT_MAGIC] = (uint8_t)h->magic;
    bytes_store_u32(data + AT_CRC, h->crc);
    bytes_store_u16(data + AT_ATTRIBUTES, h->attributes);
    bytes_store_u32(data + AT_LAST_OFFSET_DELTA, (uint32_t)h->last_offset_delta);
    bytes_store_u64(data + AT_BASE_TIMESTAMP, (uint64_t)h->base_timestamp);
    bytes_store_u64(data + AT_MAX_TIMESTAMP, (uint64_t)h->max_timestamp);
    bytes_store_u64(data + AT_PRODUCER_ID, (uint64_t)h->producer_id);
    bytes_store_u16(data + AT_PRODUCER_EPOCH, (uint16_t)h->producer_epoch);
    bytes_store_u32(data + AT_BASE_SEQUENCE, (uint32_t)h->base_sequence);
    bytes_store_u32(data + AT_RECORD_COUNT, (uint32_t)h->record_count);
}

size_t batch_size(const struct batch_header *h)
{
    ASSERT(h->length >= BATCH_HEADER_BYTES - BATCH_LENGTH_END);
    return (size_t)h->length + BATCH_LENGTH_END;
}

int64_t batch_last_offset(const struct batch_header *h)
{
    return (int64_t)((uint64_t)h->base_offset + (uint64_t)(int64_t)h->last_offset_delta);
}

enum compress_codec batch_codec(const struct batch_header *h)
{
    return (enum compress_codec)(h->attributes & BATCH_CODEC_MASK);
}

bool batch_is_transactional(const struct batch_header *h)
{
    return (h->attributes & BATCH_TRANSACTIONAL) != 0;
}

bool batch_is_control(const struct batch_header *h)
{
    return (h->attributes & BATCH_CONTROL) != 0;
}

bool batch_is_log_append_time(const struct batch_header *h)
{
    return (h->attributes & BATCH_LOG_APPEND_TIME) != 0;
}

uint32_t batch_crc(const uint8_t *data, size_t len)
{
    ASSERT(len >= BATCH_HEADER_BYTES);
    return crc32c(0, data + AT_ATTRIBUTES, len - AT_ATTRIBUTES);
}

enum err batch_next(struct batch_walk *walk, struct batch_header *header, const uint8_t **batch)
{
    if (walk->left == 0)
        return ERR_NOT_FOUND;
    if (walk->left < BATCH_MAGIC_END)
        return ERR_AGAIN;
    int32_t length = (int32_t)bytes_load_u32(walk->pos + AT_LENGTH);
    if (walk->pos[AT_MAGIC] != BATCH_MAGIC || length < BATCH_HEADER_BYTES - BATCH_LENGTH_END ||
        length > INT32_MAX - BATCH_LENGTH_END)
        return ERR_CORRUPT;
    size_t size = (size_t)length + BATCH_LENGTH_END;
    if (size > walk->left || !batch_header_read(walk->pos, walk->left, header))
        return ERR_AGAIN;
    *batch = walk->pos;
    walk->pos += size;
    walk->left -= size;
    return ERR_OK;
}

void batch_stamp(uint8_t *data, int64_t base_offset, int32_t leader_epoch)
{
    ASSERT(base_offset >= 0);
    bytes_store_u64(data + AT_BASE_OFFSET, (uint64_t)base_offset);
    bytes_store_u32(data + AT_LEADER_EPOCH, (uint32_t)leader_epoch);
}

bool batch_stamp_max_timestamp(uint8_t *data, size_t len, bool is_log_append_time,
                               int64_t timestamp_ms)
{
    ASSERT(len >= BATCH_HEADER_BYTES);
    unsigned old = bytes_load_u16(data + AT_ATTRIBUTES);
    unsigned attributes =
        is_log_append_time ? old | BATCH_LOG_APPEND_TIME : old & ~(unsigned)BATCH_LOG_APPEND_TIME;
    if (attributes == old && bytes_load_u64(data + AT_MAX_TIMESTAMP) == (uint64_t)timestamp_ms)
        return false;
    bytes_store_u16(data + AT_ATTRIBUTES, (uint16_t)attributes);
    bytes_store_u64(data + AT_MAX_TIMESTAMP, (uint64_t)timestamp_ms);
    bytes_store_u32(data + AT_CRC, batch_crc(data, len));
    return true;
}

int32_t batch_sequence_add(int32_t sequence, int32_t count)
{
    ASSERT(sequence >= 0 && count >= 0);
    return (int32_t)(((uint32_t)sequence + (uint32_t)count) & INT32_MAX);
}

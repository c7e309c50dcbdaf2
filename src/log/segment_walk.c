// SPDX-License-Identifier: Apache-2.0
/* segment_walk: see segment_walk.h. Thread: whoever owns the walk. */
#include "log/segment_walk.h"

#include "base/assert.h"
#include "base/macros.h"
#include "wire/crc32c.h"

enum { CRC_COVERS_FROM = 21 };

/* No log gets there; leaves room for sums. */
#define BASE_OFFSET_MAX ((int64_t)1 << 61)

void segment_walk_init(struct segment_walk *walk, struct env_file *file, int64_t pos, int64_t end,
                       enum env_read_mode mode)
{
    ASSERT(pos >= 0);
    *walk = (struct segment_walk){.file = file, .mode = mode, .pos = pos, .end = end};
}

void segment_walk_use(struct segment_walk *walk, uint8_t *buffer, size_t capacity)
{
    ASSERT(capacity >= BATCH_HEADER_BYTES);
    walk->buffer = buffer;
    walk->capacity = capacity;
    walk->buffer_len = 0;
}

static bool is_in_buffer(const struct segment_walk *walk, int64_t pos, size_t len)
{
    return pos >= walk->buffer_pos &&
           pos - walk->buffer_pos <= (int64_t)walk->buffer_len - (int64_t)len;
}

enum err segment_walk_bytes(struct segment_walk *walk, int64_t pos, size_t len, const uint8_t **out)
{
    ASSERT(walk->buffer != NULL);
    ASSERT(len <= walk->capacity && pos >= 0);
    if (pos > walk->end || (int64_t)len > walk->end - pos)
        return ERR_RANGE;
    if (!is_in_buffer(walk, pos, len)) {
        bool wants_much = walk->reads_all || walk->last_size <= (int64_t)walk->capacity / 2;
        size_t want = wants_much ? (size_t)MIN((int64_t)walk->capacity, walk->end - pos) : len;
        size_t got = 0;
        walk->buffer_len = 0;
        enum err e = env_file_read(walk->file, walk->buffer, want, pos, walk->mode, &got);
        if (e != ERR_OK)
            return e;
        walk->buffer_pos = pos;
        walk->buffer_len = got;
        if (got < len)
            return ERR_RANGE;
    }
    *out = walk->buffer + (pos - walk->buffer_pos);
    return ERR_OK;
}

bool batch_header_is_plausible(const struct batch_header *header, int64_t left)
{
    return header->magic == BATCH_MAGIC && header->base_offset >= 0 &&
           header->length >= BATCH_HEADER_BYTES - BATCH_LENGTH_END &&
           header->length <= INT32_MAX - BATCH_LENGTH_END &&
           (int64_t)header->length + BATCH_LENGTH_END <= left && header->last_offset_delta >= 0 &&
           header->base_offset <= BASE_OFFSET_MAX && header->record_count >= 0;
}

enum err segment_walk_next(struct segment_walk *walk, struct batch_header *header, int64_t *pos)
{
    if (walk->pos >= walk->end)
        return ERR_NOT_FOUND;
    const uint8_t *data;
    enum err e = segment_walk_bytes(walk, walk->pos, BATCH_HEADER_BYTES, &data);
    if (e != ERR_OK)
        return e == ERR_RANGE ? ERR_CORRUPT : e;
    struct batch_header read;
    bool is_whole = batch_header_read(data, BATCH_HEADER_BYTES, &read);
    ASSERT(is_whole);
    if (!batch_header_is_plausible(&read, walk->end - walk->pos))
        return ERR_CORRUPT;
    *header = read;
    *pos = walk->pos;
    walk->last_size = (int64_t)batch_size(&read);
    walk->pos += walk->last_size;
    return ERR_OK;
}

enum err segment_walk_crc(struct segment_walk *walk, int64_t pos, const struct batch_header *header,
                          uint32_t *out)
{
    int64_t at = pos + CRC_COVERS_FROM;
    int64_t end = pos + (int64_t)batch_size(header);
    uint32_t crc = 0;
    while (at < end) {
        const uint8_t *data;
        /* What the buffer still holds first, so that small batches are read once. */
        int64_t held = walk->buffer_pos + (int64_t)walk->buffer_len - at;
        if (at < walk->buffer_pos || held <= 0)
            held = (int64_t)walk->capacity;
        size_t len = (size_t)MIN(held, end - at);
        enum err e = segment_walk_bytes(walk, at, len, &data);
        if (e != ERR_OK)
            return e;
        crc = crc32c(crc, data, len);
        at += (int64_t)len;
    }
    *out = crc;
    return ERR_OK;
}

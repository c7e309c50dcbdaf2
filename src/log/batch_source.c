// SPDX-License-Identifier: Apache-2.0
/* batch_source: see batch_source.h. Thread: whoever owns it. */
#include "log/batch_source.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "log/segment_walk.h"

enum err batch_source_init(struct batch_source *s, size_t capacity)
{
    ASSERT(capacity >= BATCH_HEADER_BYTES);
    *s = (struct batch_source){.buffer = mem_try(capacity), .capacity = capacity};
    return s->buffer != NULL ? ERR_OK : ERR_NO_MEMORY;
}

void batch_source_deinit(struct batch_source *s)
{
    env_file_unref(s->file);
    mem_free(s->buffer);
    *s = (struct batch_source){0};
}

enum err batch_source_open(struct batch_source *s, struct segment *seg, int64_t size,
                           int64_t offset_end)
{
    ASSERT(size >= 0 && offset_end > seg->base_offset);
    env_file_unref(s->file);
    s->file = NULL;
    s->pos = 0;
    s->end = size;
    s->next_offset = seg->base_offset;
    s->offset_end = offset_end;
    s->buffer_pos = 0;
    s->buffer_len = 0;
    return segment_file(seg, LOG_FILE_LOG, ENV_WAIT, &s->file);
}

/* At least `need` bytes from s->pos on into the buffer. */
static enum err fill(struct batch_source *s, size_t need)
{
    size_t offset = (size_t)(s->pos - s->buffer_pos);
    size_t held = s->buffer_len > offset ? s->buffer_len - offset : 0;
    if (held >= need)
        return ERR_OK;
    if (need > s->capacity) {
        uint8_t *grown = mem_try_realloc(s->buffer, need);
        if (grown == NULL)
            return ERR_NO_MEMORY;
        s->buffer = grown;
        s->capacity = need;
    }
    memmove(s->buffer, s->buffer + offset, held);
    s->buffer_pos = s->pos;
    s->buffer_len = held;
    size_t want = (size_t)MIN((int64_t)(s->capacity - held), s->end - s->pos - (int64_t)held);
    size_t got = 0;
    enum err e =
        env_file_read(s->file, s->buffer + held, want, s->pos + (int64_t)held, ENV_WAIT, &got);
    if (e != ERR_OK)
        return e;
    s->buffer_len += got;
    s->bytes_read += (int64_t)got;
    return s->buffer_len >= need ? ERR_OK : ERR_CORRUPT;
}

enum err batch_source_next(struct batch_source *s, struct batch_header *header,
                           const uint8_t **data)
{
    ASSERT(s->file != NULL);
    if (s->pos >= s->end)
        return ERR_NOT_FOUND;
    if (s->end - s->pos < BATCH_HEADER_BYTES)
        return ERR_CORRUPT;
    enum err e = fill(s, BATCH_HEADER_BYTES);
    if (e != ERR_OK)
        return e;
    struct batch_header read;
    bool is_whole =
        batch_header_read(s->buffer + (s->pos - s->buffer_pos), BATCH_HEADER_BYTES, &read);
    ASSERT(is_whole);
    if (!batch_header_is_plausible(&read, s->end - s->pos) || read.base_offset < s->next_offset ||
        batch_last_offset(&read) >= s->offset_end || batch_codec(&read) >= COMPRESS_COUNT)
        return ERR_CORRUPT;
    size_t size = batch_size(&read);
    e = fill(s, size);
    if (e != ERR_OK)
        return e;
    const uint8_t *at = s->buffer + (s->pos - s->buffer_pos);
    if (batch_crc(at, size) != read.crc)
        return ERR_CORRUPT;
    s->pos += (int64_t)size;
    s->next_offset = batch_last_offset(&read) + 1;
    *header = read;
    *data = at;
    return ERR_OK;
}

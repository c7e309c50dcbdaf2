// SPDX-License-Identifier: Apache-2.0
/* batch_reader: see batch_reader.h. Thread: whoever owns the reader. */
#include "wire/batch_reader.h"

#include "base/assert.h"

void batch_reader_init(struct batch_reader *r, int32_t record_bytes_max)
{
    ASSERT(record_bytes_max > 0);
    *r = (struct batch_reader){.record_bytes_max = record_bytes_max};
    batch_buffer_init(&r->gather, (size_t)record_bytes_max);
}

void batch_reader_deinit(struct batch_reader *r)
{
    compress_decoder_free(r->decoder);
    r->decoder = NULL;
    batch_buffer_deinit(&r->gather);
}

enum err batch_reader_start(struct batch_reader *r, const uint8_t *data, size_t len)
{
    struct batch_header h;
    r->records_left = 0;
    if (!batch_header_read(data, len, &h))
        return ERR_CORRUPT;
    const uint8_t *body = data + BATCH_HEADER_BYTES;
    size_t body_size = len - BATCH_HEADER_BYTES;
    enum compress_codec codec = batch_codec(&h);
    if (h.magic != BATCH_MAGIC || codec >= COMPRESS_COUNT || h.record_count < 0)
        return ERR_CORRUPT;
    r->header = h;
    /* Compaction may leave a batch without records, and then nothing to decode. */
    if (codec == COMPRESS_NONE || h.record_count == 0) {
        record_source_init(&r->source, body, body_size);
    } else {
        if (r->decoder == NULL)
            r->decoder = compress_decoder_new();
        /* No limit over all: Kafka had none when it stored this, and only a chunk is held. */
        enum err e = compress_decoder_start(r->decoder, codec, body, body_size, UINT64_MAX);
        if (e != ERR_OK)
            return e == ERR_TOO_LARGE ? ERR_CORRUPT : e;
        record_source_init_decoder(&r->source, r->decoder);
    }
    r->records_left = h.record_count;
    return ERR_OK;
}

static int32_t body_size_max(const struct batch_reader *r)
{
    return batch_codec(&r->header) == COMPRESS_NONE ? INT32_MAX : r->record_bytes_max;
}

static int64_t absolute_time(const struct batch_header *h, int64_t delta)
{
    if (batch_is_log_append_time(h))
        return h->max_timestamp;
    return (int64_t)((uint64_t)h->base_timestamp + (uint64_t)delta);
}

static int64_t absolute_offset(const struct batch_header *h, int32_t delta)
{
    return (int64_t)((uint64_t)h->base_offset + (uint64_t)(int64_t)delta);
}

enum err batch_reader_next(struct batch_reader *r, struct record *out)
{
    if (r->records_left == 0)
        return ERR_NOT_FOUND;
    struct record record;
    enum err e = record_read(&r->source, body_size_max(r), &r->gather, &record);
    if (e != ERR_OK) {
        r->records_left = 0;
        return e;
    }
    r->records_left--;
    record.timestamp = absolute_time(&r->header, record.timestamp);
    *out = record;
    return ERR_OK;
}

static enum err next_brief(struct batch_reader *r, struct batch_time *out)
{
    struct record_brief brief;
    const char *why;
    if (r->records_left == 0)
        return ERR_NOT_FOUND;
    if (!record_skip(&r->source, body_size_max(r), &brief, &why)) {
        r->records_left = 0;
        return r->source.err;
    }
    r->records_left--;
    out->timestamp = absolute_time(&r->header, brief.timestamp_delta);
    out->offset = absolute_offset(&r->header, brief.offset_delta);
    return ERR_OK;
}

enum err batch_find_time(struct batch_reader *r, const uint8_t *data, size_t len, int64_t timestamp,
                         struct batch_time *out)
{
    struct batch_time at = {0};
    enum err e = batch_reader_start(r, data, len);
    while (e == ERR_OK) {
        e = next_brief(r, &at);
        if (e == ERR_OK && at.timestamp >= timestamp) {
            *out = at;
            return ERR_OK;
        }
    }
    return e;
}

enum err batch_find_max_time(struct batch_reader *r, const uint8_t *data, size_t len,
                             struct batch_time *out)
{
    struct batch_time best = {0}, at = {0};
    bool is_found = false;
    enum err e = batch_reader_start(r, data, len);
    while (e == ERR_OK) {
        e = next_brief(r, &at);
        if (e == ERR_OK && (!is_found || at.timestamp > best.timestamp)) {
            best = at;
            is_found = true;
        }
    }
    if (e != ERR_NOT_FOUND || !is_found)
        return e;
    *out = best;
    return ERR_OK;
}

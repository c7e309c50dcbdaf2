// SPDX-License-Identifier: Apache-2.0
/* batch_rewrite: see batch_rewrite.h. Thread: whoever owns the rewriter. */
#include "wire/batch_rewrite.h"

#include "base/assert.h"

enum { NO_TIMESTAMP = -1 };

int64_t batch_delete_horizon(const struct batch_header *h)
{
    return (h->attributes & BATCH_DELETE_HORIZON) != 0 ? h->base_timestamp : BATCH_NO_HORIZON;
}

void batch_rewriter_init(struct batch_rewriter *w)
{
    *w = (struct batch_rewriter){0};
    batch_buffer_init(&w->records, INT32_MAX - BATCH_HEADER_BYTES);
}

void batch_rewriter_deinit(struct batch_rewriter *w)
{
    batch_buffer_deinit(&w->records);
    compress_encoder_free(w->encoder);
    w->encoder = NULL;
}

void batch_rewriter_start(struct batch_rewriter *w, const struct batch_header *original,
                          int64_t delete_horizon_ms)
{
    ASSERT(batch_codec(original) < COMPRESS_COUNT);
    ASSERT(delete_horizon_ms >= 0 || delete_horizon_ms == BATCH_NO_HORIZON);
    w->records.len = 0;
    w->header = *original;
    w->header.record_count = 0;
    if (!batch_is_log_append_time(original))
        w->header.max_timestamp = NO_TIMESTAMP;
    if (delete_horizon_ms != BATCH_NO_HORIZON) {
        w->header.attributes |= BATCH_DELETE_HORIZON;
        w->header.base_timestamp = delete_horizon_ms;
    }
}

enum err batch_rewriter_add(struct batch_rewriter *w, const struct record *r)
{
    struct batch_header *h = &w->header;
    ASSERT(r->offset_delta <= h->last_offset_delta);
    int64_t delta = (int64_t)((uint64_t)r->timestamp - (uint64_t)h->base_timestamp);
    enum err e = record_write(&w->records, r, delta);
    if (e != ERR_OK)
        return e;
    h->record_count++;
    if (!batch_is_log_append_time(h))
        h->max_timestamp = MAX(h->max_timestamp, r->timestamp);
    return ERR_OK;
}

static void seal(uint8_t *start, size_t size, struct batch_header *h)
{
    h->length = (int32_t)(size - BATCH_LENGTH_END);
    batch_header_write(start, h);
    h->crc = batch_crc(start, size);
    batch_header_write(start, h);
}

enum err batch_rewriter_finish(struct batch_rewriter *w, struct batch_buffer *out)
{
    ASSERT(w->header.record_count > 0);
    size_t start = out->len;
    if (w->encoder == NULL)
        w->encoder = compress_encoder_new();
    enum err e = batch_buffer_reserve(out, BATCH_HEADER_BYTES);
    if (e == ERR_OK)
        e = batch_buffer_advance(out, BATCH_HEADER_BYTES);
    if (e == ERR_OK)
        e = compress_encoder_start(w->encoder, batch_codec(&w->header), COMPRESS_LEVEL_DEFAULT,
                                   w->records.len, out);
    if (e == ERR_OK)
        e = compress_encoder_add(w->encoder, w->records.data, w->records.len);
    if (e == ERR_OK)
        e = compress_encoder_finish(w->encoder);
    if (e == ERR_OK && out->len - start > INT32_MAX)
        e = ERR_TOO_LARGE;
    if (e != ERR_OK) {
        out->len = start;
        return e;
    }
    seal(out->data + start, out->len - start, &w->header);
    return ERR_OK;
}

void batch_write_empty(const struct batch_header *original, uint8_t *out,
                       struct batch_header *empty)
{
    *empty = *original;
    empty->attributes &= BATCH_LOG_APPEND_TIME | BATCH_TRANSACTIONAL | BATCH_CONTROL;
    empty->base_timestamp = NO_TIMESTAMP;
    empty->record_count = 0;
    seal(out, BATCH_HEADER_BYTES, empty);
}

void batch_write_filler(int64_t first_offset, int64_t last_offset, int32_t leader_epoch,
                        uint8_t *out, struct batch_header *filler)
{
    ASSERT(last_offset >= first_offset && last_offset - first_offset <= INT32_MAX);
    *filler = (struct batch_header){
        .base_offset = first_offset,
        .leader_epoch = leader_epoch,
        .magic = BATCH_MAGIC,
        .last_offset_delta = (int32_t)(last_offset - first_offset),
        .base_timestamp = NO_TIMESTAMP,
        .max_timestamp = NO_TIMESTAMP,
        .producer_id = -1,
        .producer_epoch = -1,
        .base_sequence = -1,
    };
    seal(out, BATCH_HEADER_BYTES, filler);
}

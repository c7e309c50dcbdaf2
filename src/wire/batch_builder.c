// SPDX-License-Identifier: Apache-2.0
/*
 * batch_builder: see batch_builder.h. Records are kept as they will be encoded,
 * so that the size is known at any time; codecs run once, at the end.
 *
 * Thread: whoever owns the builder.
 */
#include "wire/batch_builder.h"

#include "base/assert.h"

struct batch_options batch_options_default(void)
{
    return (struct batch_options){
        .level = COMPRESS_LEVEL_DEFAULT,
        .leader_epoch = -1,
        .producer_id = -1,
        .producer_epoch = -1,
        .base_sequence = -1,
    };
}

void batch_builder_init(struct batch_builder *b)
{
    *b = (struct batch_builder){.last_offset_delta = -1};
    batch_buffer_init(&b->records, INT32_MAX - BATCH_HEADER_BYTES);
}

void batch_builder_deinit(struct batch_builder *b)
{
    batch_buffer_deinit(&b->records);
    compress_encoder_free(b->encoder);
    b->encoder = NULL;
}

void batch_builder_start(struct batch_builder *b, const struct batch_options *options)
{
    ASSERT(compress_level_is_valid(options->codec, options->level));
    b->options = *options;
    b->records.len = 0;
    b->record_count = 0;
    b->last_offset_delta = -1;
    b->base_timestamp = 0;
    b->max_timestamp = -1;
}

enum err batch_builder_add(struct batch_builder *b, const struct record *r)
{
    struct record next = *r;
    if (b->last_offset_delta == INT32_MAX - 1)
        return ERR_TOO_LARGE;
    next.offset_delta = b->last_offset_delta + 1;
    return batch_builder_add_at(b, &next);
}

enum err batch_builder_add_at(struct batch_builder *b, const struct record *r)
{
    ASSERT(r->offset_delta > b->last_offset_delta);
    bool is_first = b->record_count == 0;
    int64_t base = is_first ? r->timestamp : b->base_timestamp;
    int64_t delta = (int64_t)((uint64_t)r->timestamp - (uint64_t)base);
    enum err e = record_write(&b->records, r, delta);
    if (e != ERR_OK)
        return e;
    b->base_timestamp = base;
    b->max_timestamp = MAX(b->max_timestamp, r->timestamp);
    b->last_offset_delta = r->offset_delta;
    b->record_count++;
    return ERR_OK;
}

size_t batch_builder_size(const struct batch_builder *b)
{
    return BATCH_HEADER_BYTES + b->records.len;
}

/* The header in front of the body that is behind `start` already, and the checksum. */
static void seal(uint8_t *start, size_t size, struct batch_header *h)
{
    h->length = (int32_t)(size - BATCH_LENGTH_END);
    batch_header_write(start, h);
    h->crc = batch_crc(start, size);
    batch_header_write(start, h);
}

/* Room for a header at the end of `out`. */
static enum err begin(struct batch_buffer *out)
{
    enum err e = batch_buffer_reserve(out, BATCH_HEADER_BYTES);
    return e != ERR_OK ? e : batch_buffer_advance(out, BATCH_HEADER_BYTES);
}

static enum err finish_size(const struct batch_buffer *out, size_t start, size_t size_max)
{
    size_t limit = size_max != 0 ? MIN(size_max, INT32_MAX) : INT32_MAX;
    return out->len - start > limit ? ERR_TOO_LARGE : ERR_OK;
}

enum err batch_builder_finish(struct batch_builder *b, struct batch_buffer *out)
{
    ASSERT(b->record_count > 0);
    const struct batch_options *o = &b->options;
    size_t start = out->len;
    if (b->encoder == NULL)
        b->encoder = compress_encoder_new();
    enum err e = begin(out);
    if (e == ERR_OK)
        e = compress_encoder_start(b->encoder, o->codec, o->level, b->records.len, out);
    if (e == ERR_OK)
        e = compress_encoder_add(b->encoder, b->records.data, b->records.len);
    if (e == ERR_OK)
        e = compress_encoder_finish(b->encoder);
    if (e == ERR_OK)
        e = finish_size(out, start, o->size_max);
    if (e != ERR_OK) {
        out->len = start;
        return e;
    }
    unsigned attributes = (unsigned)o->codec | (o->is_transactional ? BATCH_TRANSACTIONAL : 0u) |
                          (o->is_control ? BATCH_CONTROL : 0u);
    struct batch_header h = {
        .base_offset = o->base_offset,
        .leader_epoch = o->leader_epoch,
        .magic = BATCH_MAGIC,
        .attributes = (uint16_t)attributes,
        .last_offset_delta = b->last_offset_delta,
        .base_timestamp = b->base_timestamp,
        .max_timestamp = b->max_timestamp,
        .producer_id = o->producer_id,
        .producer_epoch = o->producer_epoch,
        .base_sequence = o->base_sequence,
        .record_count = b->record_count,
    };
    seal(out->data + start, out->len - start, &h);
    return ERR_OK;
}

/* ---- into another codec */

void batch_recoder_deinit(struct batch_recoder *r)
{
    compress_decoder_free(r->decoder);
    compress_encoder_free(r->encoder);
    *r = (struct batch_recoder){0};
}

static enum err recode(struct batch_recoder *r, struct batch_buffer *out,
                       const struct batch_target *target, uint64_t content_size)
{
    enum err e =
        compress_encoder_start(r->encoder, target->codec, target->level, content_size, out);
    while (e == ERR_OK) {
        const uint8_t *chunk = NULL;
        size_t len = 0;
        e = compress_decoder_next(r->decoder, &chunk, &len);
        if (e == ERR_OK && len == 0)
            return compress_encoder_finish(r->encoder);
        if (e == ERR_OK)
            e = compress_encoder_add(r->encoder, chunk, len);
    }
    return e;
}

enum err batch_recompress(struct batch_recoder *r, const uint8_t *data, size_t len,
                          const struct batch_target *target, struct batch_buffer *out)
{
    struct batch_header h;
    size_t start = out->len;
    if (!batch_header_read(data, len, &h) || h.magic != BATCH_MAGIC ||
        (h.attributes & BATCH_CODEC_MASK) >= COMPRESS_COUNT)
        return ERR_CORRUPT;
    if (r->decoder == NULL)
        r->decoder = compress_decoder_new();
    if (r->encoder == NULL)
        r->encoder = compress_encoder_new();
    size_t body_size = len - BATCH_HEADER_BYTES;
    uint64_t limit = target->decoded_bytes_max != 0 ? target->decoded_bytes_max
                                                    : compress_decoded_bytes_max(body_size);
    enum err e = compress_decoder_start(r->decoder, batch_codec(&h), data + BATCH_HEADER_BYTES,
                                        body_size, limit);
    if (e == ERR_OK)
        e = begin(out);
    uint64_t content_size = batch_codec(&h) == COMPRESS_NONE ? body_size : COMPRESS_SIZE_UNKNOWN;
    if (e == ERR_OK)
        e = recode(r, out, target, content_size);
    if (e == ERR_OK)
        e = finish_size(out, start, 0);
    if (e != ERR_OK) {
        out->len = start;
        return e;
    }
    h.attributes = (uint16_t)((h.attributes & ~(unsigned)BATCH_CODEC_MASK) | target->codec);
    seal(out->data + start, out->len - start, &h);
    return ERR_OK;
}

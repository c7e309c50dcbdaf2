// SPDX-License-Identifier: Apache-2.0
/*
 * batch_fuzz: hostile bytes as what a client sends for a partition, and what
 * must hold for those that are let in.
 *
 * The input's first byte says what the rest is: bytes as they are; a batch whose
 * length and checksum are put right first, so that what lies behind them is
 * reached; or the records of a batch whose header is ours, under one of the
 * codecs. The second byte picks the rules. Work is bounded by CONTENT_BYTES_MAX.
 *
 * Thread: main.
 */
#include <string.h>

#include "base/assert.h"
#include "base/macros.h"
#include "base/mem.h"
#include "wire/batch_builder.h"
#include "wire/batch_reader.h"
#include "wire/batch_validate.h"

enum { CONTENT_BYTES_MAX = 256 * 1024, RECORDS_READ_MAX = 2000, NOW = 1700000000 };

int fuzz_batch(const uint8_t *data, size_t size);

static void put_right(struct batch_buffer *b)
{
    struct batch_header h;
    if (!batch_header_read(b->data, b->len, &h))
        return;
    h.length = (int32_t)(b->len - BATCH_LENGTH_END);
    batch_header_write(b->data, &h);
    h.crc = batch_crc(b->data, b->len);
    batch_header_write(b->data, &h);
}

/* A header of ours, the input behind it as records. */
static void wrap(struct batch_buffer *b, uint8_t how, const uint8_t *data, size_t size)
{
    struct compress_encoder *c = compress_encoder_new();
    enum compress_codec codec = (enum compress_codec)(how % COMPRESS_COUNT);
    int32_t count = size > 0 ? 1 + data[0] % 64 : 1;
    struct batch_header h = {.magic = BATCH_MAGIC,
                             .attributes = (uint16_t)codec,
                             .last_offset_delta = count - 1,
                             .base_timestamp = NOW,
                             .max_timestamp = NOW,
                             .producer_id = -1,
                             .base_sequence = -1,
                             .record_count = count};
    uint8_t header[BATCH_HEADER_BYTES] = {0};
    enum err e = batch_buffer_add(b, header, sizeof(header));
    ASSERT(e == ERR_OK);
    e = compress_encoder_start(c, codec, COMPRESS_LEVEL_DEFAULT, COMPRESS_SIZE_UNKNOWN, b);
    ASSERT(e == ERR_OK);
    e = size > 0 ? compress_encoder_add(c, data + 1, size - 1) : ERR_OK;
    ASSERT(e == ERR_OK);
    e = compress_encoder_finish(c);
    ASSERT(e == ERR_OK);
    batch_header_write(b->data, &h);
    put_right(b);
    compress_encoder_free(c);
}

/* Any bytes may stand in a log; nothing of this may do harm. */
static int32_t read_all(const uint8_t *data, size_t size)
{
    struct batch_reader reader;
    struct record r;
    struct batch_time at;
    int32_t count = 0;
    batch_reader_init(&reader, CONTENT_BYTES_MAX);
    enum err e = batch_reader_start(&reader, data, size);
    while (e == ERR_OK && count < RECORDS_READ_MAX) {
        e = batch_reader_next(&reader, &r);
        if (e != ERR_OK)
            break;
        count++;
        struct record_header h;
        int32_t headers = 0;
        for (struct record_bytes rest = r.headers; record_header_next(&rest, &h);)
            headers++;
        ASSERT(headers == r.header_count);
    }
    e = batch_find_time(&reader, data, size, NOW, &at);
    ASSERT(e != ERR_AGAIN);
    batch_reader_deinit(&reader);
    return count;
}

/* What is let in can be read, has the times that the report says, and is let in again
 * under another codec. */
static void check_valid(const struct batch_rules *rules, struct batch_buffer *b,
                        const struct batch_report *report, struct compress_decoder *decoder)
{
    struct batch_reader reader;
    struct batch_time max;
    struct batch_recoder recoder = {0};
    struct batch_report again;
    struct batch_buffer other;
    struct batch_target target = {.codec = COMPRESS_LZ4, .level = COMPRESS_LEVEL_DEFAULT};
    ASSERT(read_all(b->data, b->len) == MIN(report->header.record_count, RECORDS_READ_MAX));
    batch_reader_init(&reader, CONTENT_BYTES_MAX);
    enum err e = batch_find_max_time(&reader, b->data, b->len, &max);
    ASSERT(e == ERR_OK);
    ASSERT(report->max_timestamp == -1 || max.timestamp == report->max_timestamp);
    ASSERT(report->max_timestamp == -1 || max.offset == report->max_timestamp_delta);
    batch_reader_deinit(&reader);
    batch_buffer_init(&other, INT32_MAX);
    e = batch_recompress(&recoder, b->data, b->len, &target, &other);
    ASSERT(e == ERR_OK);
    struct batch_rules roomy = *rules; /* lz4 may be larger than what came in */
    roomy.batch_bytes_max = INT32_MAX;
    enum batch_verdict v = batch_validate(&roomy, other.data, other.len, decoder, &again);
    ASSERT(v == BATCH_OK);
    ASSERT(again.max_timestamp == report->max_timestamp &&
           again.content_bytes == report->content_bytes);
    batch_buffer_deinit(&other);
    batch_recoder_deinit(&recoder);
}

int fuzz_batch(const uint8_t *data, size_t size)
{
    struct batch_buffer b;
    struct batch_report report;
    if (size < 2)
        return 0;
    batch_buffer_init(&b, SIZE_MAX);
    uint8_t how = data[0], flags = data[1];
    if (how >= 0x80) {
        wrap(&b, how, data + 2, size - 2);
    } else {
        enum err e = batch_buffer_add(&b, data + 2, size - 2);
        ASSERT(e == ERR_OK);
        if (how >= 0x10)
            put_right(&b);
    }
    struct batch_rules rules = batch_rules_default(NOW);
    rules.is_compacted = (flags & 1) != 0;
    rules.is_log_append_time = (flags & 2) != 0;
    rules.is_zstd_allowed = (flags & 4) == 0;
    rules.timestamp_before_max_ms = (flags & 8) != 0 ? 1000 : INT64_MAX;
    rules.timestamp_after_max_ms = INT64_MAX;
    rules.decoded_bytes_max = CONTENT_BYTES_MAX;
    rules.record_bytes_max = CONTENT_BYTES_MAX;

    struct compress_decoder *decoder = compress_decoder_new();
    uint8_t *copy = mem_alloc(b.len); /* exactly as long, for the sanitizer */
    if (b.len > 0)
        memcpy(copy, b.data, b.len);
    enum batch_verdict v = batch_validate(&rules, copy, b.len, decoder, &report);
    ASSERT(v != BATCH_NO_MEMORY);
    if (v == BATCH_OK)
        check_valid(&rules, &b, &report, decoder);
    else
        read_all(copy, b.len);
    mem_free(copy);
    compress_decoder_free(decoder);
    batch_buffer_deinit(&b);
    return 0;
}

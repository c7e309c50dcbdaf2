// SPDX-License-Identifier: Apache-2.0
/*
 * batch_probe: what we make of record batches, as lines for KafkaBatches.java.
 *
 *   batch_probe judge SEED COUNT   batches, whole and broken, with our verdict:
 *       judge VERSION COMPACT LOGTIME BEFORE AFTER BYTES RECORD NOW HEX
 *             KERR REASON ERRORS RESULT-HEX
 *     (one line; BYTES and RECORD are the two size limits; REASON has _ for
 *     blanks, ERRORS is index:kerr,... or -, RESULT-HEX is what would be stored)
 *   batch_probe recode SEED COUNT  batches and the same under another codec:
 *       recode HEX HEX
 *
 * The same seed gives the same lines. Knows nothing of what Kafka will say.
 *
 * Thread: main.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/prng.h"
#include "wire/batch_builder.h"
#include "wire/batch_validate.h"
#include "wire/compress.h"

enum { NOW_MS = 1700000000, OFFSET = 1000, EPOCH = 7, FIELD_COUNT = 13 };

static const int64_t now_ms = (int64_t)NOW_MS * 1000;

struct maker {
    struct prng prng;
    struct batch_builder builder;
    struct compress_encoder *encoder;
    struct batch_buffer plain; /* the batch before its codec */
    struct batch_buffer body;  /* what goes behind the header */
    struct batch_buffer batch; /* the bytes to be judged */
    struct batch_buffer headers;
    uint8_t value[128 * 1024];
};

static void must(enum err e)
{
    ASSERT(e == ERR_OK);
}

static void print_hex(const uint8_t *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    if (len == 0)
        putchar('-');
    for (size_t i = 0; i < len; i++) {
        putchar(digits[data[i] >> 4]);
        putchar(digits[data[i] & 15]);
    }
}

/* ---- making */

static struct record_bytes some_bytes(struct maker *m, int32_t len_max)
{
    struct prng *p = &m->prng;
    if (prng_chance(p, 1, 6))
        return (struct record_bytes){.len = -1};
    int32_t len = (int32_t)prng_below(p, (uint64_t)len_max + 1);
    static const char text[] = "klamm runs narrow and fast, narrow and fast, and fast again. ";
    size_t at = prng_below(p, sizeof(m->value) - (size_t)len_max);
    for (int32_t i = 0; i < len; i++)
        m->value[at + (size_t)i] = (uint8_t)text[i % (int32_t)(sizeof(text) - 1)];
    return (struct record_bytes){.data = m->value + at, .len = len};
}

static void add_record(struct maker *m, int32_t value_max)
{
    struct prng *p = &m->prng;
    struct record r = {.timestamp = now_ms + prng_range(p, -5000, 5000)};
    if (prng_chance(p, 1, 20))
        r.timestamp = prng_chance(p, 1, 2) ? -1 : prng_range(p, -10, now_ms * 2);
    r.key = some_bytes(m, 20);
    r.value = some_bytes(m, value_max);
    m->headers.len = 0;
    for (uint64_t n = prng_chance(p, 1, 3) ? prng_below(p, 4) : 0; n > 0; n--) {
        struct record_header h = {.name = {.data = (const uint8_t *)"name", .len = 4},
                                  .value = some_bytes(m, 9)};
        must(record_header_write(&m->headers, &h));
        r.header_count++;
    }
    r.headers = (struct record_bytes){.data = m->headers.data, .len = (int32_t)m->headers.len};
    must(batch_builder_add(&m->builder, &r));
}

/* An uncompressed batch of ours that is right. */
static void make_plain(struct maker *m)
{
    struct prng *p = &m->prng;
    struct batch_options o = batch_options_default();
    if (prng_chance(p, 1, 2)) {
        o.producer_id = prng_range(p, 0, 100000);
        o.producer_epoch = 3;
        o.base_sequence = (int32_t)prng_below(p, INT32_MAX);
        o.is_transactional = prng_chance(p, 1, 3);
    }
    batch_builder_start(&m->builder, &o);
    int32_t value_max = prng_chance(p, 1, 12) ? 70000 : 200;
    for (uint64_t n = 1 + prng_below(p, prng_chance(p, 1, 10) ? 60 : 6); n > 0; n--)
        add_record(m, value_max);
    m->plain.len = 0;
    must(batch_builder_finish(&m->builder, &m->plain));
}

/* Changes, drops or adds a few bytes. */
static void damage(struct prng *p, struct batch_buffer *b, size_t from)
{
    static const uint8_t edges[] = {0, 1, 2, 3, 0x7f, 0x80, 0xff, 0x81};
    for (uint64_t n = 1 + prng_below(p, 3); n > 0 && b->len > from; n--) {
        size_t span = prng_chance(p, 1, 2) ? 40 : b->len;
        size_t at = from + prng_below(p, MIN(b->len - from, span));
        switch (prng_below(p, 5)) {
        case 0:
            b->data[at] ^= (uint8_t)(1u << prng_below(p, 8));
            break;
        case 1:
        case 2:
            b->data[at] = edges[prng_below(p, sizeof(edges))];
            break;
        case 3:
            memmove(b->data + at, b->data + at + 1, b->len - at - 1);
            b->len--;
            break;
        default:
            must(batch_buffer_add(b, "\x02", 1));
            memmove(b->data + at + 1, b->data + at, b->len - at - 1);
            b->data[at] = (uint8_t)prng_below(p, 256);
            break;
        }
    }
}

static int64_t edge_number(struct prng *p, int64_t near_to)
{
    static const int64_t edges[] = {0,         1,         -1,        -2, INT32_MAX,
                                    INT32_MIN, INT64_MAX, INT64_MIN, 13, 49};
    if (prng_chance(p, 1, 2))
        return (int64_t)((uint64_t)near_to + (uint64_t)prng_range(p, -2, 2));
    return edges[prng_below(p, ARRAY_COUNT(edges))];
}

static void damage_header(struct prng *p, struct batch_header *h)
{
    switch (prng_below(p, FIELD_COUNT)) {
    case 0:
        h->base_offset = edge_number(p, h->base_offset);
        break;
    case 1:
        h->length = (int32_t)edge_number(p, h->length);
        break;
    case 2:
        h->leader_epoch = (int32_t)edge_number(p, h->leader_epoch);
        break;
    case 3:
        h->magic = (int8_t)edge_number(p, h->magic);
        break;
    case 4:
    case 5:
        h->attributes ^= (uint16_t)(1u << prng_below(p, prng_chance(p, 4, 5) ? 7 : 16));
        break;
    case 6:
        h->last_offset_delta = (int32_t)edge_number(p, h->last_offset_delta);
        break;
    case 7:
        h->base_timestamp = edge_number(p, h->base_timestamp);
        break;
    case 8:
        h->max_timestamp = edge_number(p, h->max_timestamp);
        break;
    case 9:
        h->producer_id = edge_number(p, h->producer_id);
        break;
    case 10:
        h->producer_epoch = (int16_t)edge_number(p, h->producer_epoch);
        break;
    case 11:
        h->base_sequence = (int32_t)edge_number(p, h->base_sequence);
        break;
    default:
        h->record_count = (int32_t)edge_number(p, h->record_count);
        break;
    }
}

static void make_batch(struct maker *m)
{
    struct prng *p = &m->prng;
    struct batch_header h;
    make_plain(m);
    if (prng_chance(p, 1, 4))
        damage(p, &m->plain, BATCH_HEADER_BYTES);
    bool is_read = batch_header_read(m->plain.data, m->plain.len, &h);
    ASSERT(is_read);
    enum compress_codec codec = (enum compress_codec)prng_below(p, COMPRESS_COUNT);
    m->body.len = 0;
    must(compress_encoder_start(m->encoder, codec, COMPRESS_LEVEL_DEFAULT, COMPRESS_SIZE_UNKNOWN,
                                &m->body));
    must(compress_encoder_add(m->encoder, m->plain.data + BATCH_HEADER_BYTES,
                              m->plain.len - BATCH_HEADER_BYTES));
    must(compress_encoder_finish(m->encoder));
    if (prng_chance(p, 1, 10))
        damage(p, &m->body, 0);
    h.attributes |= (uint16_t)codec;
    h.length = (int32_t)(BATCH_HEADER_BYTES - BATCH_LENGTH_END + m->body.len);
    if (prng_chance(p, 1, 3))
        damage_header(p, &h);
    m->batch.len = 0;
    must(batch_buffer_add(&m->batch, m->plain.data, BATCH_HEADER_BYTES));
    must(batch_buffer_add(&m->batch, m->body.data, m->body.len));
    batch_header_write(m->batch.data, &h);
    if (prng_chance(p, 19, 20))
        h.crc = batch_crc(m->batch.data, m->batch.len);
    batch_header_write(m->batch.data, &h);
    if (prng_chance(p, 1, 25))
        m->batch.len = prng_below(p, m->batch.len + 1);
    else if (prng_chance(p, 1, 25))
        must(batch_buffer_add(&m->batch, m->plain.data, prng_below(p, m->plain.len)));
}

/* ---- judging */

static void print_errors(const struct batch_report *report)
{
    putchar(' ');
    if (report->record_error_count == 0)
        putchar('-');
    for (int32_t i = 0; i < report->record_error_count; i++)
        printf("%s%d:%d", i > 0 ? "," : "", report->record_errors[i].index,
               (int)batch_verdict_kerr(report->record_errors[i].verdict));
    putchar(' ');
}

static void judge_one(struct maker *m, struct compress_decoder *decoder,
                      struct batch_report *report)
{
    struct prng *p = &m->prng;
    make_batch(m);
    struct batch_rules rules = batch_rules_default(now_ms);
    int version = (int)prng_range(p, 3, 12);
    rules.is_zstd_allowed = version >= 7;
    rules.is_compacted = prng_chance(p, 1, 5);
    rules.is_log_append_time = prng_chance(p, 1, 5);
    if (prng_chance(p, 1, 4))
        rules.timestamp_before_max_ms = 4000;
    if (prng_chance(p, 1, 4))
        rules.timestamp_after_max_ms = 4000;
    if (prng_chance(p, 1, 20))
        rules.batch_bytes_max = (int32_t)prng_below(p, 300);
    if (prng_chance(p, 1, 10))
        rules.record_bytes_max = (int32_t)prng_below(p, 300);
    printf("judge %d %d %d %lld %lld %d %d %lld ", version, rules.is_compacted,
           rules.is_log_append_time, (long long)rules.timestamp_before_max_ms,
           (long long)rules.timestamp_after_max_ms, rules.batch_bytes_max, rules.record_bytes_max,
           (long long)now_ms);
    print_hex(m->batch.data, m->batch.len);

    uint8_t *data = mem_alloc(m->batch.len); /* so that reading past it is noticed */
    if (m->batch.len > 0)
        memcpy(data, m->batch.data, m->batch.len);
    enum batch_verdict verdict = batch_validate(&rules, data, m->batch.len, decoder, report);
    printf(" %d ", (int)batch_verdict_kerr(verdict));
    for (const char *c = verdict == BATCH_OK ? "-" : report->reason; *c != 0; c++)
        putchar(*c == ' ' ? '_' : *c);
    print_errors(report);
    if (verdict == BATCH_OK) {
        batch_stamp(data, OFFSET, EPOCH);
        batch_stamp_max_timestamp(data, m->batch.len, rules.is_log_append_time,
                                  rules.is_log_append_time ? now_ms : report->max_timestamp);
        print_hex(data, m->batch.len);
    } else {
        putchar('-');
    }
    putchar('\n');
    mem_free(data);
}

static int random_level(struct prng *p, enum compress_codec codec)
{
    int level = (int)prng_range(p, -3, 22);
    return compress_level_is_valid(codec, level) ? level : COMPRESS_LEVEL_DEFAULT;
}

static void recode_one(struct maker *m, struct batch_recoder *recoder)
{
    struct prng *p = &m->prng;
    struct batch_target first = {.codec = (enum compress_codec)prng_below(p, COMPRESS_COUNT)};
    struct batch_target second = {.codec = (enum compress_codec)prng_below(p, COMPRESS_COUNT)};
    first.level = random_level(p, first.codec);
    second.level = random_level(p, second.codec);
    make_plain(m);
    m->body.len = 0;
    m->batch.len = 0;
    must(batch_recompress(recoder, m->plain.data, m->plain.len, &first, &m->body));
    must(batch_recompress(recoder, m->body.data, m->body.len, &second, &m->batch));
    printf("recode ");
    print_hex(m->body.data, m->body.len);
    putchar(' ');
    print_hex(m->batch.data, m->batch.len);
    putchar('\n');
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: batch_probe judge|recode SEED COUNT\n");
        return 2;
    }
    struct maker *m = mem_alloc(sizeof(*m));
    struct batch_report *report = mem_alloc(sizeof(*report));
    struct compress_decoder *decoder = compress_decoder_new();
    struct batch_recoder recoder = {0};
    struct batch_buffer *buffers[] = {&m->plain, &m->body, &m->batch, &m->headers};
    for (size_t i = 0; i < ARRAY_COUNT(buffers); i++)
        batch_buffer_init(buffers[i], INT32_MAX);
    batch_builder_init(&m->builder);
    m->encoder = compress_encoder_new();
    prng_seed(&m->prng, strtoull(argv[2], NULL, 10));
    for (long count = strtol(argv[3], NULL, 10); count > 0; count--) {
        if (strcmp(argv[1], "judge") == 0)
            judge_one(m, decoder, report);
        else
            recode_one(m, &recoder);
    }
    for (size_t i = 0; i < ARRAY_COUNT(buffers); i++)
        batch_buffer_deinit(buffers[i]);
    batch_builder_deinit(&m->builder);
    batch_recoder_deinit(&recoder);
    compress_encoder_free(m->encoder);
    compress_decoder_free(decoder);
    mem_free(report);
    mem_free(m);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * batch_validate_test: each rule broken on its own, in every codec; what it
 * says about time; bombs; memory that fails. (The golden batches and those that
 * Kafka judges too are in batch_golden_test.c and test/batch.)
 *
 * Thread: main.
 */
#include "wire/batch_validate.h"

#include <string.h>

#include "base/macros.h"
#include "base/mem.h"
#include "base/testing.h"
#include "wire/batch_builder.h"
#include "wire/batch_reader.h"

enum { NOW = 1000000 };

/* A batch as a producer sends it, and all that judging it needs. */
struct fixture {
    struct batch_rules rules;
    struct batch_buffer batch;
    struct compress_decoder *decoder;
    struct batch_report report;
};

static void setup(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    f->rules = batch_rules_default(NOW);
    f->decoder = compress_decoder_new();
    batch_buffer_init(&f->batch, SIZE_MAX);
}

static void teardown(struct fixture *f)
{
    compress_decoder_free(f->decoder);
    batch_buffer_deinit(&f->batch);
}

static struct record_bytes text(const char *s)
{
    return (struct record_bytes){.data = (const uint8_t *)s,
                                 .len = s == NULL ? -1 : (int32_t)strlen(s)};
}

/* Three records; the second has `key`, and is `age_ms` old. */
static void make(struct fixture *f, enum compress_codec codec, const char *key, int64_t age_ms)
{
    struct batch_builder b;
    struct batch_options o = batch_options_default();
    o.codec = codec;
    batch_builder_init(&b);
    batch_builder_start(&b, &o);
    for (int i = 0; i < 3; i++) {
        struct record r = {.timestamp = NOW - (i == 1 ? age_ms : 10 - i),
                           .key = text(i == 1 ? key : "k"),
                           .value = text("value value value")};
        CHECK_EQUAL(batch_builder_add(&b, &r), ERR_OK);
    }
    f->batch.len = 0;
    CHECK_EQUAL(batch_builder_finish(&b, &f->batch), ERR_OK);
    batch_builder_deinit(&b);
}

/* A batch of one record whose body is these bytes, under a codec. */
static void make_body(struct fixture *f, enum compress_codec codec, const void *body, size_t len)
{
    struct compress_encoder *c = compress_encoder_new();
    struct batch_header h = {.magic = BATCH_MAGIC,
                             .attributes = (uint16_t)codec,
                             .base_timestamp = NOW,
                             .max_timestamp = NOW,
                             .producer_id = -1,
                             .producer_epoch = -1,
                             .base_sequence = -1,
                             .record_count = 1};
    uint8_t header[BATCH_HEADER_BYTES] = {0};
    f->batch.len = 0;
    CHECK_EQUAL(batch_buffer_add(&f->batch, header, sizeof(header)), ERR_OK);
    CHECK_EQUAL(compress_encoder_start(c, codec, COMPRESS_LEVEL_DEFAULT, len, &f->batch), ERR_OK);
    CHECK_EQUAL(compress_encoder_add(c, body, len), ERR_OK);
    CHECK_EQUAL(compress_encoder_finish(c), ERR_OK);
    h.length = (int32_t)(f->batch.len - BATCH_LENGTH_END);
    batch_header_write(f->batch.data, &h);
    h.crc = batch_crc(f->batch.data, f->batch.len);
    batch_header_write(f->batch.data, &h);
    compress_encoder_free(c);
}

static struct batch_header header(struct fixture *f)
{
    struct batch_header h;
    CHECK(batch_header_read(f->batch.data, f->batch.len, &h));
    return h;
}

/* Puts another header in front, with a checksum that fits. */
static void set_header(struct fixture *f, struct batch_header h)
{
    batch_header_write(f->batch.data, &h);
    h.crc = batch_crc(f->batch.data, f->batch.len);
    batch_header_write(f->batch.data, &h);
}

static enum batch_verdict judge_len(struct fixture *f, size_t len)
{
    uint8_t *copy = mem_alloc(len); /* exactly as long: a sanitizer sees a read past it */
    memcpy(copy, f->batch.data, len);
    enum batch_verdict v = batch_validate(&f->rules, copy, len, f->decoder, &f->report);
    CHECK((v == BATCH_OK) == (f->report.reason == NULL));
    CHECK(memcmp(copy, f->batch.data, len) == 0);
    mem_free(copy);
    return v;
}

static enum batch_verdict judge(struct fixture *f)
{
    return judge_len(f, f->batch.len);
}

TEST(batch_validate_takes_what_is_right_and_says_what_is_in_it)
{
    struct fixture f;
    setup(&f);
    for (unsigned codec = 0; codec < COMPRESS_COUNT; codec++) {
        make(&f, (enum compress_codec)codec, "k", -77);
        CHECK_EQUAL(judge(&f), BATCH_OK);
        CHECK_EQUAL(f.report.first_timestamp, NOW - 10);
        CHECK_EQUAL(f.report.max_timestamp, NOW + 77);
        CHECK_EQUAL(f.report.max_timestamp_delta, 1);
        CHECK(!f.report.is_max_timestamp_wrong);
        CHECK_EQUAL(f.report.header.record_count, 3);
        CHECK_EQUAL(batch_needs_decoding(f.batch.data, f.batch.len), codec != COMPRESS_NONE);
        make(&f, (enum compress_codec)codec, "k", 8); /* two have the greatest time */
        CHECK_EQUAL(judge(&f), BATCH_OK);
        CHECK_EQUAL(f.report.max_timestamp, NOW - 8);
        CHECK_EQUAL(f.report.max_timestamp_delta, 1);
        make(&f, (enum compress_codec)codec, "k", -77);
        struct batch_header h = header(&f);
        h.max_timestamp = 5;
        set_header(&f, h);
        CHECK_EQUAL(judge(&f), BATCH_OK);
        CHECK(f.report.is_max_timestamp_wrong);
        CHECK_EQUAL(f.report.max_timestamp, NOW + 77);
    }
    teardown(&f);
}

TEST(batch_validate_notices_every_cut)
{
    struct fixture f;
    setup(&f);
    for (unsigned codec = 0; codec < COMPRESS_COUNT; codec++) {
        make(&f, (enum compress_codec)codec, "k", 0);
        for (size_t len = 0; len < f.batch.len; len++)
            CHECK_EQUAL(judge_len(&f, len), BATCH_INVALID);
        /* Cut, with a length and a checksum that say that it is whole. */
        size_t size = f.batch.len;
        for (size_t len = BATCH_HEADER_BYTES; len < size; len++) {
            make(&f, (enum compress_codec)codec, "k", 0);
            struct batch_header h = header(&f);
            h.length = (int32_t)(len - BATCH_LENGTH_END);
            f.batch.len = len;
            set_header(&f, h);
            CHECK_EQUAL(judge(&f), BATCH_INVALID);
        }
    }
    teardown(&f);
}

TEST(batch_validate_notices_every_flipped_bit)
{
    struct fixture f;
    setup(&f);
    make(&f, COMPRESS_LZ4, "k", 0);
    for (size_t bit = 8 * 8; bit < f.batch.len * 8; bit++) {
        if (bit / 8 >= 12 && bit / 8 < 16)
            continue; /* the leader epoch: ours to set, and not covered */
        f.batch.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(judge(&f) != BATCH_OK);
        f.batch.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    CHECK_EQUAL(judge(&f), BATCH_OK);
    teardown(&f);
}

static enum batch_verdict with_header(struct fixture *f, struct batch_header h)
{
    make(f, COMPRESS_NONE, "k", 0);
    set_header(f, h);
    return judge(f);
}

TEST(batch_validate_refuses_each_absurd_header_field)
{
    static const int32_t numbers[] = {INT32_MIN, -1, 0, 1, 2, 4, 48, 49, INT32_MAX - 1, INT32_MAX};
    struct fixture f;
    setup(&f);
    make(&f, COMPRESS_NONE, "k", 0);
    struct batch_header right = header(&f), h;
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        int32_t n = numbers[i];
        h = right;
        h.base_offset = n;
        CHECK_EQUAL(with_header(&f, h), n == 0 ? BATCH_OK : BATCH_INVALID);
        h = right;
        h.length = n;
        CHECK_EQUAL(with_header(&f, h), n < 49 ? BATCH_CORRUPT : BATCH_INVALID);
        h = right;
        h.last_offset_delta = n;
        CHECK_EQUAL(with_header(&f, h), n == 2 ? BATCH_OK : BATCH_INVALID);
        h = right;
        h.record_count = n;
        CHECK_EQUAL(with_header(&f, h), BATCH_INVALID);
        h = right; /* the two agree, and the records do not */
        h.record_count = n;
        h.last_offset_delta = (int32_t)((uint32_t)n - 1);
        CHECK_EQUAL(with_header(&f, h), BATCH_INVALID);
        h = right;
        h.producer_id = 5;
        h.base_sequence = n;
        CHECK_EQUAL(with_header(&f, h), n >= 0 ? BATCH_OK : BATCH_INVALID);
        h = right;
        h.leader_epoch = n;
        h.base_sequence = n;
        h.producer_epoch = (int16_t)n;
        CHECK_EQUAL(with_header(&f, h), BATCH_OK);
    }
    for (int magic = -128; magic < 128; magic++) {
        h = right;
        h.magic = (int8_t)magic;
        enum batch_verdict want = magic == 2                 ? BATCH_OK
                                  : magic == 0 || magic == 1 ? BATCH_INVALID
                                                             : BATCH_CORRUPT;
        CHECK_EQUAL(with_header(&f, h), want);
    }
    h = right;
    h.length = 13; /* less than any version ever had, whatever is missing */
    make(&f, COMPRESS_NONE, "k", 0);
    set_header(&f, h);
    CHECK_EQUAL(judge_len(&f, BATCH_LENGTH_END), BATCH_CORRUPT);
    h.length = 14;
    set_header(&f, h);
    CHECK_EQUAL(judge_len(&f, BATCH_LENGTH_END), BATCH_INVALID);
    h = right;
    h.crc++;
    make(&f, COMPRESS_NONE, "k", 0);
    batch_header_write(f.batch.data, &h);
    CHECK_EQUAL(judge(&f), BATCH_CORRUPT);
    teardown(&f);
}

TEST(batch_validate_knows_the_attributes)
{
    struct fixture f;
    setup(&f);
    make(&f, COMPRESS_NONE, "k", 0);
    struct batch_header right = header(&f);
    for (unsigned bit = 0; bit < 16; bit++) {
        struct batch_header h = right;
        h.attributes = (uint16_t)(1u << bit);
        enum batch_verdict want = bit == 4 ? BATCH_OK : bit == 3 ? BATCH_BAD_TIME : BATCH_INVALID;
        CHECK_EQUAL(with_header(&f, h), want);
    }
    for (unsigned codec = COMPRESS_COUNT; codec < 8; codec++) {
        struct batch_header h = right;
        h.attributes = (uint16_t)codec;
        CHECK_EQUAL(with_header(&f, h), BATCH_UNKNOWN_CODEC);
    }
    /* Our own coordinators write markers, and the log's time. */
    f.rules.is_from_client = false;
    struct batch_header h = right;
    h.attributes = BATCH_CONTROL | BATCH_TRANSACTIONAL | BATCH_LOG_APPEND_TIME;
    h.producer_id = 7;
    h.base_offset = 12;
    CHECK_EQUAL(with_header(&f, h), BATCH_OK);
    /* zstd is too new for an old Produce; nothing else is. */
    f.rules.is_from_client = true;
    f.rules.is_zstd_allowed = false;
    for (unsigned codec = 0; codec < COMPRESS_COUNT; codec++) {
        make(&f, (enum compress_codec)codec, "k", 0);
        CHECK_EQUAL(judge(&f), codec == COMPRESS_ZSTD ? BATCH_UNKNOWN_CODEC : BATCH_OK);
    }
    teardown(&f);
}

TEST(batch_validate_takes_one_batch_only)
{
    struct fixture f;
    setup(&f);
    for (unsigned codec = 0; codec < COMPRESS_COUNT; codec++) {
        make(&f, (enum compress_codec)codec, "k", 0);
        size_t size = f.batch.len;
        for (size_t more = 1; more <= size; more++) {
            f.batch.len = size;
            uint8_t *again = mem_alloc(more);
            memcpy(again, f.batch.data, more);
            CHECK_EQUAL(batch_buffer_add(&f.batch, again, more), ERR_OK);
            mem_free(again);
            CHECK_EQUAL(judge(&f), BATCH_INVALID);
        }
    }
    teardown(&f);
}

TEST(batch_validate_holds_the_size_against_the_topic)
{
    struct fixture f;
    setup(&f);
    make(&f, COMPRESS_GZIP, "k", 0);
    f.rules.batch_bytes_max = (int32_t)f.batch.len;
    CHECK_EQUAL(judge(&f), BATCH_OK);
    f.rules.batch_bytes_max--;
    f.batch.data[30] ^= 1; /* the size comes before the checksum, as in Kafka */
    CHECK_EQUAL(judge(&f), BATCH_TOO_LARGE);
    teardown(&f);
}

TEST(batch_validate_lists_the_records_that_a_topic_refuses)
{
    struct fixture f;
    setup(&f);
    f.rules.is_compacted = true;
    for (unsigned codec = 0; codec < COMPRESS_COUNT; codec++) {
        make(&f, (enum compress_codec)codec, "", 0); /* empty is a key */
        CHECK_EQUAL(judge(&f), BATCH_OK);
        make(&f, (enum compress_codec)codec, NULL, 0);
        CHECK_EQUAL(judge(&f), BATCH_INVALID);
        CHECK_EQUAL(f.report.record_error_count, 1);
        CHECK_EQUAL(f.report.record_errors[0].index, 1);
        CHECK_EQUAL(f.report.record_errors[0].verdict, BATCH_INVALID);
    }
    /* Times too: then the answer is about time, and the list holds both. */
    f.rules.timestamp_before_max_ms = 8;
    make(&f, COMPRESS_NONE, NULL, 0);
    CHECK_EQUAL(judge(&f), BATCH_BAD_TIME);
    CHECK_EQUAL(f.report.record_error_count, 2);
    CHECK_EQUAL(f.report.record_errors[0].index, 0);
    CHECK_EQUAL(f.report.record_errors[0].verdict, BATCH_BAD_TIME);
    CHECK_EQUAL(f.report.record_errors[1].verdict, BATCH_INVALID);
    CHECK(strcmp(batch_record_error_text(BATCH_INVALID), batch_record_error_text(BATCH_BAD_TIME)));
    teardown(&f);
}

TEST(batch_validate_lists_no_more_than_an_answer_carries)
{
    struct fixture f;
    struct batch_builder b;
    struct batch_options o = batch_options_default();
    struct record r = {.timestamp = NOW, .key.len = -1, .value.len = -1};
    setup(&f);
    batch_builder_init(&b);
    batch_builder_start(&b, &o);
    for (int i = 0; i < 3 * LIMIT_RECORD_ERRORS_PER_BATCH; i++)
        CHECK_EQUAL(batch_builder_add(&b, &r), ERR_OK);
    CHECK_EQUAL(batch_builder_finish(&b, &f.batch), ERR_OK);
    f.rules.is_compacted = true;
    CHECK_EQUAL(judge(&f), BATCH_INVALID);
    CHECK_EQUAL(f.report.record_error_count, LIMIT_RECORD_ERRORS_PER_BATCH);
    CHECK_EQUAL(f.report.record_errors_in_all, 3 * LIMIT_RECORD_ERRORS_PER_BATCH);
    batch_builder_deinit(&b);
    teardown(&f);
}

TEST(batch_validate_holds_times_against_the_topic)
{
    struct fixture f;
    setup(&f);
    f.rules.timestamp_before_max_ms = 5000;
    f.rules.timestamp_after_max_ms = 300;
    static const struct {
        int64_t age_ms;
        enum batch_verdict verdict;
    } cases[] = {{5000, BATCH_OK},           {5001, BATCH_BAD_TIME},
                 {-300, BATCH_OK},           {-301, BATCH_BAD_TIME},
                 {NOW + 1, BATCH_OK}, /* a time of -1: none */
                 {NOW + 2, BATCH_BAD_TIME},  {INT64_MIN + NOW + 5, BATCH_BAD_TIME},
                 {INT64_MAX, BATCH_BAD_TIME}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        for (unsigned codec = 0; codec < COMPRESS_COUNT; codec++) {
            make(&f, (enum compress_codec)codec, "k", cases[i].age_ms);
            f.rules.is_log_append_time = false;
            CHECK_EQUAL(judge(&f), cases[i].verdict);
            f.rules.is_log_append_time = true; /* then a producer's time says nothing */
            CHECK_EQUAL(judge(&f), BATCH_OK);
        }
    }
    teardown(&f);
}

/* A reader judges less, but a record that is broken is none for it either; what lies behind
 * the last one it does not see. */
static void read_back(struct fixture *f, bool is_right)
{
    struct batch_reader reader;
    struct record r;
    batch_reader_init(&reader, INT32_MAX);
    enum err e = batch_reader_start(&reader, f->batch.data, f->batch.len);
    if (e == ERR_OK)
        e = batch_reader_next(&reader, &r);
    const char *reason = f->report.reason != NULL ? f->report.reason : "";
    bool is_behind = strcmp(reason, "bytes behind the last record") == 0;
    CHECK_EQUAL(e, is_right || is_behind ? ERR_OK : ERR_CORRUPT);
    batch_reader_deinit(&reader);
}

/* size, attributes, time, offset, key, value, headers; varints are zigzag. */
TEST(batch_validate_refuses_each_broken_record)
{
#define BODY(bytes, want)                                                                          \
    {                                                                                              \
        bytes, sizeof(bytes) - 1, want                                                             \
    }
    static const struct {
        const char *body;
        size_t len;
        enum batch_verdict want;
    } cases[] = {
        BODY("\x0c\0\0\0\x01\x01\0", BATCH_OK),                      /* null key, null value */
        BODY("\x10\0\0\0\x02k\x02v\0", BATCH_OK),                    /* a byte each */
        BODY("\x12\0\0\0\x01\x01\x02\x02n\x01", BATCH_OK),           /* a header without a value */
        BODY("\x10\0\0\0\x01\x01\x02\0\0", BATCH_OK),                /* an empty header */
        BODY("\x8c\x80\x80\x80\0\0\0\0\x01\x01\0", BATCH_OK),        /* a size in five bytes */
        BODY("", BATCH_INVALID),                                     /* nothing */
        BODY("\x01\0\0\0\x01\x01\0", BATCH_INVALID),                 /* size -1 */
        BODY("\x0a\0\0\0\x01\x01\0", BATCH_INVALID),                 /* size too small */
        BODY("\x0e\0\0\0\x01\x01\0", BATCH_INVALID),                 /* size too large */
        BODY("\xfe\xff\xff\xff\x0f\0\0\0\x01\x01\0", BATCH_INVALID), /* size 2^31-1 */
        BODY("\x8c\x80\x80\x80\x80\0\0\0\0\x01\x01\0", BATCH_INVALID), /* six bytes */
        BODY("\x8c\x80\x80\x80\x10\0\0\0\x01\x01\0", BATCH_INVALID),   /* bits beyond 32 */
        BODY("\x0c\0\0\x02\x01\x01\0", BATCH_INVALID),                 /* offset delta 1 */
        BODY("\x0c\0\0\x01\x01\x01\0", BATCH_INVALID),                 /* offset delta -1 */
        BODY("\x0c\0\0\0\x03\x01\0", BATCH_INVALID),                   /* key length -2 */
        BODY("\x0c\0\0\0\x01\x03\0", BATCH_INVALID),                   /* value length -2 */
        BODY("\x0c\0\0\0\x08\x01\0", BATCH_INVALID),                   /* a key beyond the record */
        BODY("\x14\0\0\0\xfe\xff\xff\xff\x0f\x01\0", BATCH_INVALID),   /* a key of 2^31-1 */
        BODY("\x0c\0\0\0\x01\x01\x01", BATCH_INVALID),                 /* header count -1 */
        BODY("\x0c\0\0\0\x01\x01\x02", BATCH_INVALID), /* a header that is not there */
        BODY("\x14\0\0\0\x01\x01\xfe\xff\xff\xff\x0f", BATCH_INVALID), /* 2^31-1 headers */
        BODY("\x10\0\0\0\x01\x01\x02\x01\0", BATCH_INVALID),           /* a header without a name */
        BODY("\x10\0\0\0\x01\x01\x02\0\x03", BATCH_INVALID),           /* header value length -2 */
        BODY("\x10\0\0\0\x01\x01\x02\0\x08", BATCH_INVALID), /* a header value beyond it */
        BODY("\x0e\0\0\0\x01\x01\0\0", BATCH_INVALID),       /* a byte too many inside */
        BODY("\x0c\0\0\0\x01\x01\0\0", BATCH_INVALID),       /* a byte behind */
        BODY("\x0c\0\0\0\x01\x01\0\x0c\0\0\x02\x01\x01\0", BATCH_INVALID), /* a record behind */
        BODY("\x1e\0\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02\0\x01\x01\0", BATCH_INVALID),
        BODY("\x20\0\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\0\0\x01\x01\0", BATCH_INVALID),
    };
#undef BODY
    struct fixture f;
    setup(&f);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        for (unsigned codec = 0; codec < COMPRESS_COUNT; codec++) {
            make_body(&f, (enum compress_codec)codec, cases[i].body, cases[i].len);
            enum batch_verdict v = judge(&f);
            if (v != cases[i].want)
                print_error("case %zu, codec %u: %s\n", i, codec, f.report.reason);
            CHECK_EQUAL(v, cases[i].want);
            if (strstr(f.report.reason != NULL ? f.report.reason : "", "offset deltas") == NULL)
                read_back(&f, cases[i].want == BATCH_OK);
        }
    }
    teardown(&f);
}

TEST(batch_validate_refuses_what_holds_too_much)
{
    struct fixture f;
    enum { VALUE_BYTES = 8 << 20 };
    struct batch_builder b;
    struct batch_options o = batch_options_default();
    setup(&f);
    batch_builder_init(&b);
    uint8_t *zeros = mem_alloc(VALUE_BYTES);
    for (unsigned codec = COMPRESS_GZIP; codec < COMPRESS_COUNT; codec++) {
        o.codec = (enum compress_codec)codec;
        batch_builder_start(&b, &o);
        struct record r = {.timestamp = NOW, .key.len = -1, .value = {zeros, VALUE_BYTES}};
        CHECK_EQUAL(batch_builder_add(&b, &r), ERR_OK);
        f.batch.len = 0;
        CHECK_EQUAL(batch_builder_finish(&b, &f.batch), ERR_OK);
        CHECK_EQUAL(judge(&f), BATCH_OK);
        f.rules.decoded_bytes_max = 1 << 20;
        CHECK_EQUAL(judge(&f), BATCH_INVALID);
        f.rules.decoded_bytes_max = 0;
        f.rules.record_bytes_max = VALUE_BYTES; /* the record is a little larger */
        CHECK_EQUAL(judge(&f), BATCH_INVALID);
        f.rules.record_bytes_max = VALUE_BYTES + 20;
        CHECK_EQUAL(judge(&f), BATCH_OK);
    }
    mem_free(zeros);
    batch_builder_deinit(&b);
    teardown(&f);
}

TEST(batch_validate_survives_each_failed_allocation)
{
    for (unsigned codec = COMPRESS_GZIP; codec < COMPRESS_COUNT; codec++) {
        bool failed = true;
        for (int fail_at = 1; failed; fail_at++) {
            struct fixture f;
            setup(&f);
            make(&f, (enum compress_codec)codec, "k", 0);
            mem_fail_at(fail_at);
            enum batch_verdict v = judge(&f);
            mem_fail_at(0);
            failed = v != BATCH_OK;
            if (failed)
                CHECK_EQUAL(v, BATCH_NO_MEMORY);
            CHECK_EQUAL(judge(&f), BATCH_OK);
            teardown(&f);
        }
    }
}

TEST(batch_validate_verdicts_have_kafka_codes)
{
    CHECK_EQUAL(batch_verdict_kerr(BATCH_OK), KERR_NONE);
    CHECK_EQUAL(batch_verdict_kerr(BATCH_CORRUPT), KERR_CORRUPT_MESSAGE);
    CHECK_EQUAL(batch_verdict_kerr(BATCH_INVALID), KERR_INVALID_RECORD);
    CHECK_EQUAL(batch_verdict_kerr(BATCH_TOO_LARGE), KERR_MESSAGE_TOO_LARGE);
    CHECK_EQUAL(batch_verdict_kerr(BATCH_BAD_TIME), KERR_INVALID_TIMESTAMP);
    CHECK_EQUAL(batch_verdict_kerr(BATCH_UNKNOWN_CODEC), KERR_UNSUPPORTED_COMPRESSION_TYPE);
    CHECK(batch_verdict_kerr(BATCH_NO_MEMORY) != KERR_NONE);
}

// SPDX-License-Identifier: Apache-2.0
/* batch_test: headers, walking over several batches, stamping, building, recompressing. Thread:
 * main. */
#include "wire/batch.h"

#include <string.h>

#include "base/macros.h"
#include "base/mem.h"
#include "base/prng.h"
#include "base/testing.h"
#include "wire/batch_builder.h"
#include "wire/batch_reader.h"
#include "wire/batch_validate.h"

static struct record_bytes text(const char *s)
{
    return (struct record_bytes){.data = (const uint8_t *)s,
                                 .len = s == NULL ? -1 : (int32_t)strlen(s)};
}

/* `count` records with times 1000, 1001, ... */
static void add_batch(struct batch_buffer *out, struct batch_options options, int count)
{
    struct batch_builder b;
    batch_builder_init(&b);
    batch_builder_start(&b, &options);
    for (int i = 0; i < count; i++) {
        struct record r = {
            .timestamp = 1000 + i, .key = text("key"), .value = text("a value, a value")};
        CHECK_EQUAL(batch_builder_add(&b, &r), ERR_OK);
    }
    size_t plain = batch_builder_size(&b), before = out->len;
    CHECK_EQUAL(batch_builder_finish(&b, out), ERR_OK);
    if (options.codec == COMPRESS_NONE)
        CHECK_EQUAL(out->len - before, plain);
    batch_builder_deinit(&b);
}

TEST(batch_header_is_read_as_it_was_written)
{
    struct batch_header h = {
        .base_offset = 0x0102030405060708,
        .length = 0x11121314,
        .leader_epoch = 0x21222324,
        .magic = 2,
        .crc = 0xf1f2f3f4,
        .attributes = 0x3132,
        .last_offset_delta = 0x41424344,
        .base_timestamp = 0x5152535455565758,
        .max_timestamp = 0x6162636465666768,
        .producer_id = -2,
        .producer_epoch = -3,
        .base_sequence = -4,
        .record_count = 0x71727374,
    };
    uint8_t bytes[BATCH_HEADER_BYTES];
    struct batch_header back;
    memset(bytes, 0xaa, sizeof(bytes));
    batch_header_write(bytes, &h);
    CHECK_EQUAL(bytes[0], 1);
    CHECK_EQUAL(bytes[7], 8);
    CHECK_EQUAL(bytes[8], 0x11);
    CHECK_EQUAL(bytes[16], 2);
    CHECK_EQUAL(bytes[17], 0xf1);
    CHECK_EQUAL(bytes[60], 0x74);
    CHECK(!batch_header_read(bytes, sizeof(bytes) - 1, &back));
    CHECK(batch_header_read(bytes, sizeof(bytes), &back));
    CHECK_EQUAL(back.base_offset, h.base_offset);
    CHECK_EQUAL(back.length, h.length);
    CHECK_EQUAL(back.leader_epoch, h.leader_epoch);
    CHECK_EQUAL(back.crc, h.crc);
    CHECK_EQUAL(back.attributes, h.attributes);
    CHECK_EQUAL(back.last_offset_delta, h.last_offset_delta);
    CHECK_EQUAL(back.base_timestamp, h.base_timestamp);
    CHECK_EQUAL(back.max_timestamp, h.max_timestamp);
    CHECK_EQUAL(back.producer_id, -2);
    CHECK_EQUAL(back.producer_epoch, -3);
    CHECK_EQUAL(back.base_sequence, -4);
    CHECK_EQUAL(back.record_count, h.record_count);
}

TEST(batch_next_walks_over_batches_and_stops_where_they_are_cut)
{
    struct batch_buffer out;
    size_t ends[3];
    batch_buffer_init(&out, SIZE_MAX);
    for (int i = 0; i < 3; i++) {
        struct batch_options o = batch_options_default();
        o.base_offset = i * 100;
        o.codec = i == 1 ? COMPRESS_ZSTD : COMPRESS_NONE;
        add_batch(&out, o, i + 2);
        ends[i] = out.len;
    }
    for (size_t len = 0; len <= out.len; len++) {
        struct batch_walk walk = {.pos = out.data, .left = len};
        struct batch_header h;
        const uint8_t *batch = NULL;
        int whole = 0;
        enum err e;
        while ((e = batch_next(&walk, &h, &batch)) == ERR_OK) {
            CHECK_EQUAL(h.base_offset, whole * 100);
            CHECK_EQUAL(batch_last_offset(&h), whole * 100 + whole + 1);
            CHECK(batch + batch_size(&h) == out.data + ends[whole]);
            whole++;
        }
        CHECK_EQUAL(whole, len < ends[0] ? 0 : len < ends[1] ? 1 : len < ends[2] ? 2 : 3);
        bool is_even = len == 0 || len == ends[0] || len == ends[1] || len == ends[2];
        CHECK_EQUAL(e, is_even ? ERR_NOT_FOUND : ERR_AGAIN);
    }
    static uint8_t zeros[100]; /* a preallocated tail */
    struct batch_walk walk = {.pos = zeros, .left = sizeof(zeros)};
    struct batch_header h;
    const uint8_t *batch;
    CHECK_EQUAL(batch_next(&walk, &h, &batch), ERR_CORRUPT);
    CHECK(walk.left == sizeof(zeros));
    static const int32_t lengths[] = {-1, 0, 48, INT32_MIN, INT32_MAX, INT32_MAX - 11};
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        CHECK(batch_header_read(out.data, out.len, &h));
        h.length = lengths[i];
        batch_header_write(out.data, &h);
        walk = (struct batch_walk){.pos = out.data, .left = out.len};
        CHECK_EQUAL(batch_next(&walk, &h, &batch), ERR_CORRUPT);
    }
    batch_buffer_deinit(&out);
}

TEST(batch_stamping_keeps_the_checksum_right)
{
    struct batch_buffer out;
    struct batch_header h;
    const char *reason;
    batch_buffer_init(&out, SIZE_MAX);
    add_batch(&out, batch_options_default(), 3);
    uint32_t crc = batch_crc(out.data, out.len);
    batch_stamp(out.data, INT64_MAX - 5, 77);
    CHECK_EQUAL(batch_check(out.data, out.len, &h, &reason), BATCH_OK);
    CHECK_EQUAL(h.base_offset, INT64_MAX - 5);
    CHECK_EQUAL(h.leader_epoch, 77);
    CHECK_EQUAL(h.crc, crc);
    CHECK(!batch_stamp_max_timestamp(out.data, out.len, false, 1002));
    CHECK(batch_stamp_max_timestamp(out.data, out.len, true, 1002));
    CHECK(batch_stamp_max_timestamp(out.data, out.len, true, 5000));
    CHECK(!batch_stamp_max_timestamp(out.data, out.len, true, 5000));
    CHECK_EQUAL(batch_check(out.data, out.len, &h, &reason), BATCH_OK);
    CHECK(batch_is_log_append_time(&h));
    CHECK_EQUAL(h.max_timestamp, 5000);
    CHECK(batch_stamp_max_timestamp(out.data, out.len, false, 1002));
    CHECK_EQUAL(batch_crc(out.data, out.len), crc);
    out.data[out.len - 1] ^= 1;
    CHECK_EQUAL(batch_check(out.data, out.len, &h, &reason), BATCH_CORRUPT);
    CHECK_EQUAL(batch_check(out.data, out.len - 1, &h, &reason), BATCH_CORRUPT);
    batch_buffer_deinit(&out);
}

TEST(batch_sequences_wrap_to_zero)
{
    CHECK_EQUAL(batch_sequence_add(5, 3), 8);
    CHECK_EQUAL(batch_sequence_add(INT32_MAX, 1), 0);
    CHECK_EQUAL(batch_sequence_add(INT32_MAX - 1, 5), 3);
    CHECK_EQUAL(batch_sequence_add(INT32_MAX, 0), INT32_MAX);
}

TEST(batch_of_what_compaction_keeps_has_gaps)
{
    struct batch_builder b;
    struct batch_buffer out;
    struct batch_reader reader;
    struct record r = {.timestamp = 50, .key = text("k"), .value = text(NULL)};
    static const int32_t deltas[] = {3, 4, 900000};
    batch_builder_init(&b);
    batch_buffer_init(&out, SIZE_MAX);
    struct batch_options o = batch_options_default();
    o.base_offset = 10;
    batch_builder_start(&b, &o);
    for (size_t i = 0; i < ARRAY_COUNT(deltas); i++) {
        r.offset_delta = deltas[i];
        r.timestamp = i == 1 ? -1 : 50 - (int64_t)i;
        CHECK_EQUAL(batch_builder_add_at(&b, &r), ERR_OK);
    }
    CHECK_EQUAL(batch_builder_finish(&b, &out), ERR_OK);
    batch_reader_init(&reader, INT32_MAX);
    CHECK_EQUAL(batch_reader_start(&reader, out.data, out.len), ERR_OK);
    CHECK_EQUAL(batch_last_offset(&reader.header), 900010);
    CHECK_EQUAL(reader.header.max_timestamp, 50);
    for (size_t i = 0; i < ARRAY_COUNT(deltas); i++) {
        CHECK_EQUAL(batch_reader_next(&reader, &r), ERR_OK);
        CHECK_EQUAL(r.offset_delta, deltas[i]);
        CHECK_EQUAL(r.timestamp, i == 1 ? -1 : 50 - (int64_t)i);
        CHECK_EQUAL(r.value.len, -1);
    }
    CHECK_EQUAL(batch_reader_next(&reader, &r), ERR_NOT_FOUND);
    batch_reader_deinit(&reader);
    batch_builder_deinit(&b);
    batch_buffer_deinit(&out);
}

TEST(batch_is_found_by_time_in_every_codec)
{
    struct batch_reader reader;
    batch_reader_init(&reader, INT32_MAX);
    for (unsigned codec = 0; codec < COMPRESS_COUNT; codec++) {
        struct batch_buffer out;
        struct batch_time at = {.offset = -7};
        struct batch_options o = batch_options_default();
        o.codec = (enum compress_codec)codec;
        o.base_offset = 500;
        batch_buffer_init(&out, SIZE_MAX);
        add_batch(&out, o, 9); /* times 1000 to 1008 */
        CHECK_EQUAL(batch_find_time(&reader, out.data, out.len, 0, &at), ERR_OK);
        CHECK(at.offset == 500 && at.timestamp == 1000);
        CHECK_EQUAL(batch_find_time(&reader, out.data, out.len, 1005, &at), ERR_OK);
        CHECK(at.offset == 505 && at.timestamp == 1005);
        CHECK_EQUAL(batch_find_time(&reader, out.data, out.len, 1009, &at), ERR_NOT_FOUND);
        CHECK(at.offset == 505);
        CHECK_EQUAL(batch_find_max_time(&reader, out.data, out.len, &at), ERR_OK);
        CHECK(at.offset == 508 && at.timestamp == 1008);
        batch_stamp_max_timestamp(out.data, out.len, true, 7000);
        CHECK_EQUAL(batch_find_max_time(&reader, out.data, out.len, &at), ERR_OK);
        CHECK(at.offset == 500 && at.timestamp == 7000);
        batch_buffer_deinit(&out);
    }
    batch_reader_deinit(&reader);
}

/* Compaction leaves these: the header of a batch whose records are all gone. */
TEST(batch_without_records_is_read)
{
    uint8_t bytes[BATCH_HEADER_BYTES];
    struct batch_reader reader;
    struct record r;
    struct batch_time at;
    struct batch_header h = {.length = BATCH_HEADER_BYTES - BATCH_LENGTH_END,
                             .magic = BATCH_MAGIC,
                             .attributes = COMPRESS_ZSTD,
                             .last_offset_delta = 8};
    batch_header_write(bytes, &h);
    batch_reader_init(&reader, 1000);
    CHECK_EQUAL(batch_reader_start(&reader, bytes, sizeof(bytes)), ERR_OK);
    CHECK_EQUAL(batch_reader_next(&reader, &r), ERR_NOT_FOUND);
    CHECK_EQUAL(batch_find_max_time(&reader, bytes, sizeof(bytes), &at), ERR_NOT_FOUND);
    CHECK_EQUAL(batch_reader_start(&reader, bytes, sizeof(bytes) - 1), ERR_CORRUPT);
    batch_reader_deinit(&reader);
}

TEST(batch_recompress_keeps_the_records)
{
    struct batch_recoder recoder = {0};
    struct batch_buffer plain;
    batch_buffer_init(&plain, SIZE_MAX);
    add_batch(&plain, batch_options_default(), 2000);
    for (unsigned a = 0; a < COMPRESS_COUNT; a++) {
        for (unsigned b = 0; b < COMPRESS_COUNT; b++) {
            struct batch_buffer first, second, third;
            struct batch_target to_a = {.codec = (enum compress_codec)a,
                                        .level = COMPRESS_LEVEL_DEFAULT};
            struct batch_target to_b = {.codec = (enum compress_codec)b,
                                        .level = COMPRESS_LEVEL_DEFAULT};
            struct batch_target to_none = {.level = COMPRESS_LEVEL_DEFAULT};
            batch_buffer_init(&first, SIZE_MAX);
            batch_buffer_init(&second, SIZE_MAX);
            batch_buffer_init(&third, SIZE_MAX);
            CHECK_EQUAL(batch_recompress(&recoder, plain.data, plain.len, &to_a, &first), ERR_OK);
            CHECK_EQUAL(batch_recompress(&recoder, first.data, first.len, &to_b, &second), ERR_OK);
            CHECK_EQUAL(batch_recompress(&recoder, second.data, second.len, &to_none, &third),
                        ERR_OK);
            CHECK_EQUAL(third.len, plain.len);
            CHECK(memcmp(third.data, plain.data, plain.len) == 0);
            third.len = 5;
            third.size_max = 4096; /* max.message.bytes: nothing stays of the attempt */
            CHECK_EQUAL(batch_recompress(&recoder, second.data, second.len, &to_none, &third),
                        ERR_TOO_LARGE);
            CHECK_EQUAL(third.len, 5);
            if (a != COMPRESS_NONE) {
                first.data[first.len - 5] ^= 0x55;
                third.size_max = SIZE_MAX;
                enum err e = batch_recompress(&recoder, first.data, first.len - 1, &to_b, &third);
                CHECK_EQUAL(e, ERR_CORRUPT);
                CHECK_EQUAL(third.len, 5);
            }
            batch_buffer_deinit(&first);
            batch_buffer_deinit(&second);
            batch_buffer_deinit(&third);
        }
    }
    batch_recoder_deinit(&recoder);
    batch_buffer_deinit(&plain);
}

TEST(batch_builder_survives_each_failed_allocation)
{
    struct batch_options o = batch_options_default();
    o.codec = COMPRESS_ZSTD;
    struct record r = {.timestamp = 1, .key = text("k"), .value = text("some value")};
    bool failed = true;
    for (int fail_at = 1; failed; fail_at++) {
        struct batch_builder b;
        struct batch_buffer out;
        batch_builder_init(&b);
        batch_buffer_init(&out, SIZE_MAX);
        batch_builder_start(&b, &o);
        mem_fail_at(fail_at);
        enum err e = ERR_OK;
        for (int i = 0; e == ERR_OK && i < 300; i++) {
            e = batch_builder_add(&b, &r);
            CHECK_EQUAL(b.record_count, e == ERR_OK ? i + 1 : i);
        }
        if (e == ERR_OK)
            e = batch_builder_finish(&b, &out);
        mem_fail_at(0);
        failed = e != ERR_OK;
        if (failed) {
            CHECK_EQUAL(e, ERR_NO_MEMORY);
            CHECK_EQUAL(out.len, 0);
        }
        batch_builder_deinit(&b);
        batch_buffer_deinit(&out);
    }
}

TEST(batch_builder_keeps_its_size_limit)
{
    struct batch_options o = batch_options_default();
    struct batch_builder b;
    struct batch_buffer out;
    struct record r = {.timestamp = 1, .value = text("0123456789")};
    r.key.len = -1;
    o.size_max = 100;
    batch_builder_init(&b);
    batch_buffer_init(&out, SIZE_MAX);
    batch_builder_start(&b, &o);
    while (batch_builder_size(&b) <= 100)
        CHECK_EQUAL(batch_builder_add(&b, &r), ERR_OK);
    CHECK_EQUAL(batch_builder_finish(&b, &out), ERR_TOO_LARGE);
    CHECK_EQUAL(out.len, 0);
    batch_builder_deinit(&b);
    batch_buffer_deinit(&out);
}

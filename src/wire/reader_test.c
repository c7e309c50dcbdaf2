// SPDX-License-Identifier: Apache-2.0
/* reader_test: each primitive there and back, at its edges, cut short, and hostile lengths. Thread:
 * main. */
#include "wire/reader.h"

#include "base/macros.h"
#include "base/testing.h"
#include "wire/writer.h"

static const int64_t numbers[] = {0,         1,         -1,        63,        64,        -64,
                                  -65,       127,       128,       255,       256,       INT16_MAX,
                                  INT16_MIN, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, 16383,
                                  16384,     2097151,   2097152,   268435455, 268435456};

TEST(reader_numbers_come_back)
{
    struct wire_writer w;
    wire_writer_init(&w, 1024);
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        int64_t n = numbers[i];
        wire_writer_clear(&w);
        wire_write_i8(&w, (int8_t)n);
        wire_write_i16(&w, (int16_t)n);
        wire_write_u16(&w, (uint16_t)n);
        wire_write_i32(&w, (int32_t)n);
        wire_write_u32(&w, (uint32_t)n);
        wire_write_i64(&w, n);
        wire_write_f64(&w, (double)n);
        wire_write_uvarint(&w, (uint32_t)n);
        wire_write_uvarlong(&w, (uint64_t)n);
        wire_write_varint(&w, (int32_t)n);
        wire_write_varlong(&w, n);
        CHECK_EQUAL(w.error, ERR_OK);
        struct wire_reader r = wire_reader_of(w.data, w.size);
        CHECK_EQUAL(wire_read_i8(&r), (int8_t)n);
        CHECK_EQUAL(wire_read_i16(&r), (int16_t)n);
        CHECK_EQUAL(wire_read_u16(&r), (uint16_t)n);
        CHECK_EQUAL(wire_read_i32(&r), (int32_t)n);
        CHECK_EQUAL(wire_read_u32(&r), (uint32_t)n);
        CHECK_EQUAL(wire_read_i64(&r), n);
        CHECK(wire_read_f64(&r) == (double)n);
        CHECK_EQUAL(wire_read_uvarint(&r), (uint32_t)n);
        CHECK(wire_read_uvarlong(&r) == (uint64_t)n);
        CHECK_EQUAL(wire_read_varint(&r), (int32_t)n);
        CHECK_EQUAL(wire_read_varlong(&r), n);
        CHECK(!r.failed);
        CHECK_EQUAL(wire_left(&r), 0);
    }
    wire_writer_deinit(&w);
}

/* Known bytes, so that writer and reader cannot be wrong together. */
TEST(reader_knows_the_bytes)
{
    static const uint8_t bytes[] = {0x12, 0x34, 0x80, 0x00, 0x00, 0x00,
                                    0x96, 0x01, 0x03, 0xac, 0x02};
    struct wire_reader r = wire_reader_of(bytes, sizeof(bytes));
    CHECK_EQUAL(wire_read_i16(&r), 0x1234);
    CHECK_EQUAL(wire_read_i32(&r), INT32_MIN);
    CHECK_EQUAL(wire_read_uvarint(&r), 150);
    CHECK_EQUAL(wire_read_varint(&r), -2);
    CHECK_EQUAL(wire_read_varint(&r), 150);
    CHECK_EQUAL(wire_left(&r), 0);
    CHECK(!r.failed);
}

TEST(reader_failure_sticks)
{
    static const uint8_t bytes[] = {1, 2, 3};
    struct wire_reader r = wire_reader_of(bytes, sizeof(bytes));
    CHECK_EQUAL(wire_read_u32(&r), 0);
    CHECK(r.failed);
    CHECK_EQUAL(wire_left(&r), 0);
    CHECK_EQUAL(wire_read_u8(&r), 0);
    CHECK_EQUAL(wire_read_u16(&r), 0);
    CHECK_EQUAL(wire_read_i64(&r), 0);
    CHECK_EQUAL(wire_read_uvarint(&r), 0);
    CHECK(uuid_is_zero(wire_read_uuid(&r)));
    CHECK_EQUAL(wire_read_str(&r, true, true).len, 0);
    CHECK_EQUAL(wire_read_bytes(&r, false, true).len, 0);
    CHECK_EQUAL(wire_read_count(&r, false, true, 1), 0);
    CHECK(wire_read_raw(&r, 1) == NULL);
}

TEST(reader_refuses_varints_that_are_too_long)
{
    static const uint8_t over_32[] = {0xff, 0xff, 0xff, 0xff, 0x10};
    static const uint8_t endless[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                      0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
    static const uint8_t over_64[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
    static const uint8_t most[] = {0xff, 0xff, 0xff, 0xff, 0x0f};
    struct wire_reader r = wire_reader_of(over_32, sizeof(over_32));
    wire_read_uvarint(&r);
    CHECK(r.failed);
    r = wire_reader_of(endless, sizeof(endless));
    wire_read_uvarint(&r);
    CHECK(r.failed);
    r = wire_reader_of(endless, sizeof(endless));
    wire_read_uvarlong(&r);
    CHECK(r.failed);
    r = wire_reader_of(over_64, sizeof(over_64));
    wire_read_uvarlong(&r);
    CHECK(r.failed);
    r = wire_reader_of(most, 4);
    wire_read_uvarint(&r);
    CHECK(r.failed);
    r = wire_reader_of(most, sizeof(most));
    CHECK_EQUAL(wire_read_uvarint(&r), UINT32_MAX);
    CHECK(!r.failed);
}

struct length_case {
    uint8_t bytes[5];
    uint8_t size;
    bool compact;
    bool may_be_null;
    bool fails;
    int32_t len;
};

static void check_texts(const struct length_case *c, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct wire_reader r = wire_reader_of(c[i].bytes, c[i].size);
        struct wire_str s = wire_read_str(&r, c[i].compact, c[i].may_be_null);
        CHECK_EQUAL(r.failed, c[i].fails);
        CHECK_EQUAL(s.len, c[i].fails ? 0 : c[i].len);
    }
}

TEST(reader_texts)
{
    static const struct length_case cases[] = {
        {{0, 0}, 2, false, false, false, 0},
        {{0, 2, 'a', 'b'}, 4, false, false, false, 2},
        {{0, 3, 'a', 'b'}, 4, false, false, true, 0},
        {{0xff, 0xff}, 2, false, true, false, -1},
        {{0xff, 0xff}, 2, false, false, true, 0},
        {{0xff, 0xfe}, 2, false, true, true, 0},
        {{0x80, 0x00}, 2, false, true, true, 0},
        {{0}, 1, false, true, true, 0},
        {{0}, 1, true, true, false, -1},
        {{0}, 1, true, false, true, 0},
        {{1}, 1, true, false, false, 0},
        {{3, 'a', 'b'}, 3, true, false, false, 2},
        {{4, 'a', 'b'}, 3, true, false, true, 0},
        {{0xff, 0xff, 0xff, 0xff, 0x0f}, 5, true, true, true, 0},
        {{0x80}, 1, true, true, true, 0},
    };
    check_texts(cases, ARRAY_COUNT(cases));
}

TEST(reader_refuses_compact_texts_above_the_limit)
{
    static uint8_t bytes[40000];
    struct wire_reader r = wire_reader_of(bytes, sizeof(bytes));
    bytes[0] = 0x80, bytes[1] = 0x80, bytes[2] = 0x02; /* 32768 - 1 */
    CHECK_EQUAL(wire_read_str(&r, true, false).len, INT16_MAX);
    CHECK(!r.failed);
    bytes[0] = 0x81;
    r = wire_reader_of(bytes, sizeof(bytes));
    wire_read_str(&r, true, false);
    CHECK(r.failed);
}

TEST(reader_bytes_and_counts)
{
    static const uint8_t eight[] = {0, 0, 0, 3, 1, 2, 3, 4};
    static const uint8_t null[] = {0xff, 0xff, 0xff, 0xff};
    static const uint8_t below[] = {0xff, 0xff, 0xff, 0xfe};
    static const uint8_t most[] = {0x7f, 0xff, 0xff, 0xff};
    struct wire_reader r = wire_reader_of(eight, 8);
    struct wire_bytes b = wire_read_bytes(&r, false, false);
    CHECK_EQUAL(b.len, 3);
    CHECK(b.data == eight + 4);
    r = wire_reader_of(null, 4);
    CHECK_EQUAL(wire_read_bytes(&r, false, true).len, -1);
    r = wire_reader_of(below, 4);
    wire_read_bytes(&r, false, true);
    CHECK(r.failed);
    r = wire_reader_of(most, 4);
    wire_read_bytes(&r, false, true);
    CHECK(r.failed);

    r = wire_reader_of(eight, 8);
    CHECK_EQUAL(wire_read_count(&r, false, false, 1), 3);
    r = wire_reader_of(eight, 8);
    CHECK_EQUAL(wire_read_count(&r, false, false, 2), 0);
    CHECK(r.failed);
    r = wire_reader_of(most, 4);
    CHECK_EQUAL(wire_read_count(&r, false, false, 0), INT32_MAX);
    r = wire_reader_of(null, 4);
    CHECK_EQUAL(wire_read_count(&r, false, true, 1), -1);
    r = wire_reader_of(null, 4);
    CHECK_EQUAL(wire_read_count(&r, false, false, 1), 0);
    CHECK(r.failed);
}

TEST(reader_skips_tagged_fields)
{
    static const uint8_t two[] = {2, 0, 1, 0xaa, 5, 0, 0x77};
    static const uint8_t lying[] = {0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0};
    struct wire_reader r = wire_reader_of(two, sizeof(two));
    wire_skip_tagged(&r);
    CHECK(!r.failed);
    CHECK_EQUAL(wire_read_u8(&r), 0x77);
    r = wire_reader_of(lying, sizeof(lying));
    wire_skip_tagged(&r);
    CHECK(r.failed);
}

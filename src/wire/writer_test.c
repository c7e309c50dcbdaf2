// SPDX-License-Identifier: Apache-2.0
/* writer_test: limits, holes, sizes in front, failing allocations. Thread: main. */
#include "wire/writer.h"

#include "base/mem.h"
#include "base/testing.h"

TEST(writer_stops_at_its_limit)
{
    struct wire_writer w;
    wire_writer_init(&w, 10);
    wire_write_u64(&w, 1);
    wire_write_u16(&w, 1);
    CHECK_EQUAL(w.error, ERR_OK);
    wire_write_u8(&w, 1);
    CHECK_EQUAL(w.error, ERR_TOO_LARGE);
    CHECK_EQUAL(w.size, 10);
    wire_write_u8(&w, 1);
    CHECK_EQUAL(w.size, 10);
    wire_writer_clear(&w);
    CHECK_EQUAL(w.error, ERR_OK);
    wire_write_u8(&w, 1);
    CHECK_EQUAL(w.size, 1);
    wire_writer_deinit(&w);
}

TEST(writer_counts_holes_in_its_limit)
{
    struct wire_writer w;
    int file;
    wire_writer_init(&w, 1000);
    wire_write_records(&w, (struct wire_records){NULL, 990, &file}, false);
    CHECK_EQUAL(w.error, ERR_OK);
    CHECK_EQUAL(w.size, 4);
    CHECK_EQUAL(wire_writer_total(&w), 994);
    wire_write_u64(&w, 1);
    CHECK_EQUAL(w.error, ERR_TOO_LARGE);
    wire_writer_clear(&w);
    wire_write_records(&w, (struct wire_records){NULL, 997, &file}, false);
    CHECK_EQUAL(w.error, ERR_TOO_LARGE);
    wire_writer_deinit(&w);
}

TEST(writer_many_holes)
{
    struct wire_writer w;
    int file;
    wire_writer_init(&w, 100000);
    for (int i = 0; i < 100; i++)
        wire_write_records(&w, (struct wire_records){NULL, i, &file}, true);
    CHECK_EQUAL(w.error, ERR_OK);
    CHECK_EQUAL(w.hole_count, 99); /* the empty one needs none */
    CHECK_EQUAL(w.hole_bytes, 99 * 100 / 2);
    CHECK_EQUAL(w.holes[98].pos, w.size);
    wire_writer_deinit(&w);
}

TEST(writer_counting_says_what_writing_takes)
{
    struct wire_writer w, counting;
    wire_writer_init(&w, 100000);
    wire_writer_init_counting(&counting);
    struct wire_writer *both[] = {&w, &counting};
    for (int i = 0; i < 2; i++) {
        struct wire_mark mark = wire_write_size_begin(both[i]);
        wire_write_u8(both[i], 7);
        wire_write_str(both[i], wire_str_of("some text"), true);
        wire_write_str(both[i], wire_str_of(NULL), false);
        wire_write_uvarlong(both[i], UINT64_MAX);
        uint32_t pos = both[i]->size;
        uint8_t block[200] = {0};
        wire_write_raw(both[i], block, sizeof(block));
        wire_write_uvarint_size_before(both[i], pos);
        wire_write_size_end(both[i], mark);
        CHECK_EQUAL(both[i]->error, ERR_OK);
    }
    CHECK_EQUAL(counting.size, w.size);
    CHECK(counting.data == NULL);
    CHECK_EQUAL(bytes_load_u32(w.data), w.size - 4);
    wire_writer_deinit(&w);
}

TEST(writer_refuses_what_has_no_form)
{
    static char text[40000];
    struct wire_writer w;
    wire_writer_init(&w, 100000);
    wire_write_str(&w, (struct wire_str){text, INT16_MAX}, true);
    CHECK_EQUAL(w.error, ERR_OK);
    wire_write_str(&w, (struct wire_str){text, INT16_MAX + 1}, true);
    CHECK_EQUAL(w.error, ERR_INVALID);
    wire_writer_clear(&w);
    wire_write_str(&w, (struct wire_str){text, -2}, false);
    CHECK_EQUAL(w.error, ERR_INVALID);
    wire_writer_clear(&w);
    wire_write_count(&w, INT32_MAX, true);
    CHECK_EQUAL(w.error, ERR_INVALID);
    wire_writer_deinit(&w);
}

TEST(writer_gives_its_buffer_away)
{
    struct wire_writer w;
    wire_writer_init(&w, 1000);
    wire_write_u32(&w, 0x01020304);
    uint32_t size;
    uint8_t *data = wire_writer_take(&w, &size);
    CHECK_EQUAL(size, 4);
    CHECK_EQUAL(data[3], 4);
    wire_write_u8(&w, 9);
    CHECK_EQUAL(w.size, 1);
    CHECK_EQUAL(data[0], 1);
    mem_free(data);
    wire_writer_deinit(&w);
}

TEST(writer_survives_each_failed_allocation)
{
    int file;
    bool failed = true;
    for (int n = 1; failed; n++) {
        struct wire_writer w;
        wire_writer_init(&w, 100000);
        mem_fail_at(n);
        for (int i = 0; i < 200; i++) {
            wire_write_u64(&w, 1);
            wire_write_records(&w, (struct wire_records){NULL, 10, &file}, false);
        }
        mem_fail_at(0);
        failed = w.error != ERR_OK;
        CHECK(!failed || w.error == ERR_NO_MEMORY);
        CHECK(failed || w.size == 200 * 12);
        wire_writer_deinit(&w);
    }
}

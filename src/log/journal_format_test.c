// SPDX-License-Identifier: Apache-2.0
/* Header pages, groups and entries of a journal as bytes. Thread: the test's. */
#include <string.h>

#include "base/bytes.h"
#include "base/testing.h"
#include "log/journal_format.h"

enum { GROUP_BYTES = JOURNAL_GROUP_HEADER_BYTES + JOURNAL_ENTRY_HEADER_BYTES + 5 };

TEST(a_header_page_comes_back_and_a_damaged_one_is_refused)
{
    uint8_t page[JOURNAL_PAGE_BYTES];
    struct journal_file_header in = {{{1, 2, 3}}, 1, 131072};
    struct journal_file_header out;
    journal_file_header_write(&in, page);
    CHECK(journal_file_header_read(page, &out));
    CHECK(uuid_equals(out.directory_id, in.directory_id));
    CHECK_EQUAL(out.half, 1);
    CHECK_EQUAL(out.size, 131072);
    for (size_t i = 0; i < 44; i++) { /* all that means something */
        page[i] ^= 0x10;
        CHECK(!journal_file_header_read(page, &out));
        page[i] ^= 0x10;
    }
    CHECK(journal_file_header_read(page, &out));
}

static struct journal_item an_append(void)
{
    return (struct journal_item){.kind = JOURNAL_APPEND,
                                 .size = 5,
                                 .partition = 3,
                                 .leader_epoch = 8,
                                 .topic_id = {{4, 5}},
                                 .first = 100,
                                 .end_offset = 102,
                                 .segment_base = 90,
                                 .pos = 4000};
}

static void build_group(uint8_t data[GROUP_BYTES])
{
    struct journal_item item = an_append();
    memset(data, 0, GROUP_BYTES);
    journal_item_write(&item, data + JOURNAL_GROUP_HEADER_BYTES);
    memcpy(data + GROUP_BYTES - 5, "bytes", 5);
    struct journal_group_header header = {
        .size = GROUP_BYTES, .count = 1, .generation = 7, .number = 2, .salt = 99};
    journal_group_seal(&header, data);
}

TEST(a_group_comes_back_and_every_damaged_byte_is_seen)
{
    uint8_t data[GROUP_BYTES];
    struct journal_group_header out;
    build_group(data);
    CHECK(journal_group_read(data, &out));
    CHECK_EQUAL(out.size, GROUP_BYTES);
    CHECK_EQUAL(out.count, 1);
    CHECK_EQUAL(out.generation, 7);
    CHECK_EQUAL(out.number, 2);
    CHECK_EQUAL(out.salt, 99);
    CHECK(journal_group_is_whole(data, GROUP_BYTES));
    for (size_t i = 0; i < GROUP_BYTES; i++) {
        data[i] ^= 0x40;
        CHECK(!journal_group_read(data, &out) || !journal_group_is_whole(data, GROUP_BYTES));
        data[i] ^= 0x40;
    }
}

TEST(a_group_that_holds_nothing_or_is_of_no_generation_is_none)
{
    uint8_t data[GROUP_BYTES];
    struct journal_group_header out;
    build_group(data);
    bytes_store_u32(data + 8, JOURNAL_GROUP_HEADER_BYTES + JOURNAL_ENTRY_HEADER_BYTES - 1);
    CHECK(!journal_group_read(data, &out));
    build_group(data);
    bytes_store_u32(data + 12, 0);
    CHECK(!journal_group_read(data, &out));
    build_group(data);
    bytes_store_u64(data + 16, 0);
    CHECK(!journal_group_read(data, &out));
    bytes_store_u64(data + 16, UINT64_MAX);
    CHECK(!journal_group_read(data, &out));
    bytes_store_u64(data + 16, 7);
    CHECK(journal_group_read(data, &out));
}

static bool reads(const struct journal_item *in, size_t left)
{
    uint8_t data[JOURNAL_ENTRY_HEADER_BYTES];
    struct journal_item out;
    journal_item_write(in, data);
    return journal_item_read(data, left, &out);
}

TEST(an_entry_comes_back_and_one_that_cannot_be_is_refused)
{
    uint8_t data[JOURNAL_ENTRY_HEADER_BYTES];
    struct journal_item in = an_append();
    struct journal_item out;
    journal_item_write(&in, data);
    CHECK(journal_item_read(data, sizeof(data) + in.size, &out));
    CHECK_EQUAL(out.kind, JOURNAL_APPEND);
    CHECK_EQUAL(out.size, 5);
    CHECK_EQUAL(out.partition, 3);
    CHECK_EQUAL(out.leader_epoch, 8);
    CHECK(uuid_equals(out.topic_id, in.topic_id));
    CHECK_EQUAL(out.first, 100);
    CHECK_EQUAL(out.end_offset, 102);
    CHECK_EQUAL(out.segment_base, 90);
    CHECK_EQUAL(out.pos, 4000);
    CHECK(!journal_item_read(data, sizeof(data) + in.size - 1, &out));
    CHECK(!journal_item_read(data, sizeof(data) - 1, &out));
    const struct journal_item bad[] = {
        {.kind = (enum journal_kind)0},
        {.kind = (enum journal_kind)5},
        {.kind = JOURNAL_CUT, .first = -1},
        {.kind = JOURNAL_CUT, .size = 1},
        {.kind = JOURNAL_GONE, .partition = -1},
        {.kind = JOURNAL_APPEND, .end_offset = 1},
        {.kind = JOURNAL_APPEND, .size = 1, .first = 5, .end_offset = 5},
        {.kind = JOURNAL_APPEND, .size = 1, .end_offset = 5, .segment_base = 1},
        {.kind = JOURNAL_APPEND, .size = 1, .end_offset = 5, .pos = -1},
        {.kind = JOURNAL_APPEND, .size = 1, .end_offset = 5, .pos = (int64_t)INT32_MAX + 1},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(!reads(&bad[i], sizeof(data) + 100));
}

// SPDX-License-Identifier: Apache-2.0
/* check_compacted_test: the checker of compaction is shown good readings, and bad ones that it has
 * to flag. Thread: main. */
#include <string.h>

#include "base/testing.h"
#include "check.h"

enum { STAY_NS = 1000 };

struct compacted {
    struct history h;
    uint32_t partition;
};

static uint32_t put(struct compacted *f, int32_t key, bool is_tombstone, int64_t offset)
{
    uint32_t record = history_add_record(
        &f->h,
        &(struct history_new_record){
            .partition = f->partition, .bytes = 30, .key = key, .is_tombstone = is_tombstone});
    history_sent(&f->h, record);
    if (offset >= 0)
        history_acked(&f->h, record, offset, true);
    return record;
}

static struct compacted compacted_new(void)
{
    struct compacted f;
    history_init(&f.h);
    f.partition = history_add_partition(&f.h, history_add_topic(&f.h, "t"), 0, true);
    history_set_compacted(&f.h, f.partition, 2, STAY_NS);
    return f;
}

/* Ends it. */
static void expect(struct compacted *f, const char *checker)
{
    CHECK(f->h.has_failed);
    CHECK(strncmp(f->h.failure, checker, strlen(checker)) == 0);
    history_deinit(&f->h);
}

/* A reading that finds of key 1 what lies at this offset (-1: nothing), and ends at 100. */
static void pass(struct compacted *f, uint32_t record, int64_t offset, int64_t took_ns)
{
    struct history_pass reading;
    history_pass_begin(&f->h, f->partition, 0, &reading);
    if (offset >= 0)
        history_pass_found(&f->h, &reading, offset, (int32_t)record);
    history_pass_end(&f->h, f->partition, took_ns, 100, &reading);
}

TEST(check_compacted_wants_the_last_value_of_each_key)
{
    struct compacted f = compacted_new();
    uint32_t old = put(&f, 1, false, 5);
    uint32_t last = put(&f, 1, false, 9);
    pass(&f, last, 9, 0);
    put(&f, 1, false, 200); /* behind the end that was told */
    f.h.partitions[f.partition].keys[0].offset = 9;
    pass(&f, last, 9, 0);
    CHECK(!f.h.has_failed);
    pass(&f, old, 5, 0);
    expect(&f, "no value goes backwards");

    f = compacted_new();
    put(&f, 1, false, 9);
    uint32_t unknown = put(&f, 1, true, -1);
    pass(&f, 0, -1, 0); /* that tombstone may have been there */
    CHECK(!f.h.has_failed);
    history_refused(&f.h, unknown);
    pass(&f, 0, -1, 0);
    expect(&f, "the last value of a key stays");
}

TEST(check_compacted_counts_with_more_copies_of_a_tombstone_that_was_sent_again)
{
    struct compacted f = compacted_new();
    uint32_t tombstone = put(&f, 1, true, 5);
    put(&f, 1, false, 9);
    f.h.records[tombstone].instance = -1;
    history_sent(&f.h, tombstone);
    pass(&f, 0, -1, 0);
    CHECK(!f.h.has_failed);
    f.h.records[tombstone].instance = 0; /* of an idempotent producer there is one */
    pass(&f, 0, -1, 0);
    expect(&f, "the last value of a key stays");
}

TEST(check_compacted_lets_tombstones_go_in_their_time)
{
    struct compacted f = compacted_new();
    uint32_t old = put(&f, 1, false, 5);
    put(&f, 1, true, 9);
    pass(&f, 0, -1, 0);
    pass(&f, old, 5, STAY_NS); /* a slow reader may have missed it */
    CHECK(!f.h.has_failed);
    pass(&f, old, 5, STAY_NS / 2 - 1);
    expect(&f, "no value goes backwards");
}

/* ---- what was compacted together, below offset 10, tombstones below 8 due */

static struct compacted clean_new(void)
{
    struct compacted f = compacted_new();
    f.h.partitions[f.partition].clean_end = 10;
    f.h.partitions[f.partition].due_end = 8;
    return f;
}

TEST(check_clean_wants_one_record_of_a_key)
{
    struct compacted f = clean_new();
    uint32_t old = put(&f, 1, false, 5);
    uint32_t last = put(&f, 1, false, 9);
    uint32_t behind = put(&f, 1, false, 12);
    struct history_pass reading;
    history_pass_begin(&f.h, f.partition, 0, &reading);
    history_pass_found(&f.h, &reading, 9, (int32_t)last);
    history_pass_found(&f.h, &reading, 12, (int32_t)behind);
    history_pass_end(&f.h, f.partition, 0, 100, &reading);
    CHECK(!f.h.has_failed);
    history_pass_begin(&f.h, f.partition, 0, &reading);
    history_pass_found(&f.h, &reading, 5, (int32_t)old);
    CHECK(!f.h.has_failed);
    history_pass_found(&f.h, &reading, 9, (int32_t)last);
    expect(&f, "compaction leaves one of a key");
}

/* A later one above the end is no reason for it to be gone. */
TEST(check_clean_wants_the_last_record_below_the_end)
{
    for (int is_tombstone = 0; is_tombstone < 2; is_tombstone++) {
        struct compacted f = clean_new();
        put(&f, 1, is_tombstone == 1, 9);
        uint32_t behind = put(&f, 1, false, 12);
        pass(&f, behind, 12, 0);
        CHECK(f.h.has_failed == (is_tombstone == 0));
        history_deinit(&f.h);
    }
}

TEST(check_clean_flags_an_older_record_where_the_last_is_gone)
{
    struct compacted f = clean_new();
    uint32_t old = put(&f, 1, false, 5);
    put(&f, 1, true, 9);
    f.h.partitions[f.partition].keys[0].offset = 5; /* for the other checker */
    pass(&f, old, 5, 0);
    expect(&f, "compaction leaves one of a key");
}

TEST(check_clean_flags_a_tombstone_that_is_due)
{
    for (int64_t offset = 7; offset < 9; offset++) {
        struct compacted f = clean_new();
        uint32_t record = put(&f, 1, true, offset);
        pass(&f, record, offset, 0);
        CHECK(f.h.has_failed == (offset == 7));
        history_deinit(&f.h);
    }
}

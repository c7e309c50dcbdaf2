// SPDX-License-Identifier: Apache-2.0
/* What a journal gives back after a crash, and what it must not. Thread: the test's. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/testing.h"
#include "log/journal_fixture.h"
#include "log/journal_format.h"
#include "log/log_fixture.h"

struct place {
    struct mem_env m;
    struct bench b;
};

static const char segment_name[] = "t-1/00000000000000000000.log";

/* The journal's first half has groups of member 1 alone, one a commit. */
static void begin(struct place *s, int commits)
{
    mem_env_init(&s->m);
    bench_init(&s->b, &s->m.env, s->m.jobs, 2);
    CHECK_EQUAL(bench_open(&s->b), ERR_OK);
    CHECK_EQUAL(member_put(&s->b.members[0], 1, 10), WAY_STRAIGHT);
    for (int i = 0; i < commits; i++)
        CHECK_EQUAL(member_put(&s->b.members[1], 1, 100), WAY_JOURNAL);
}

static void reopen(struct place *s)
{
    memset(s->m.log_lines, 0, sizeof(s->m.log_lines));
    CHECK_EQUAL(bench_open(&s->b), ERR_OK);
    bench_run(&s->b);
}

static void end(struct place *s)
{
    bench_drop(&s->b);
    mem_env_deinit(&s->m);
}

/* What a power cut leaves of what was not synced. */
static void lose(struct place *s, int64_t from, int64_t len)
{
    size_t size;
    uint8_t *bytes = mem_env_file_bytes(&s->m, segment_name, &size);
    CHECK(bytes != NULL && (size_t)(from + len) <= size);
    memset(bytes + from, 0, (size_t)len);
}

static int64_t segment_size(struct place *s)
{
    size_t size;
    CHECK(mem_env_file_bytes(&s->m, segment_name, &size) != NULL);
    return (int64_t)size;
}

/* The used half. */
static uint8_t *half_bytes(struct place *s)
{
    size_t size;
    uint8_t *bytes = mem_env_file_bytes(&s->m, "klamm.journal.1", &size);
    CHECK(bytes != NULL && size == BENCH_JOURNAL_BYTES / 2);
    return bytes;
}

/* A copy of member 1's segment. */
static uint8_t *keep_segment(struct place *s, int64_t *size)
{
    size_t got;
    const uint8_t *bytes = mem_env_file_bytes(&s->m, segment_name, &got);
    uint8_t *kept = mem_alloc(got);
    memcpy(kept, bytes, got);
    *size = (int64_t)got;
    return kept;
}

static void check_segment(struct place *s, uint8_t *take_kept, int64_t size)
{
    size_t got;
    const uint8_t *bytes = mem_env_file_bytes(&s->m, segment_name, &got);
    CHECK_EQUAL(got, size);
    CHECK(memcmp(bytes, take_kept, got) == 0);
    mem_free(take_kept);
}

static int64_t end_of(struct place *s, int member)
{
    return partition_log_written(s->b.members[member].log).offset;
}

/* ---- what is given back */

TEST(commits_that_the_segment_lacks_are_written_and_others_left)
{
    struct place s;
    begin(&s, 5);
    bench_drop(&s.b);
    int64_t size;
    uint8_t *kept = keep_segment(&s, &size);
    lose(&s, size / 5 * 2, size / 5);           /* the third */
    lose(&s, size / 5 * 4 + 20, size / 5 - 20); /* the fifth, torn */
    reopen(&s);
    CHECK_EQUAL(end_of(&s, 1), 5);
    CHECK_EQUAL(s.b.members[1].report.replayed, 2);
    check_segment(&s, kept, size);
    CHECK(journal_is_ready(s.b.journal));
    end(&s);
}

TEST(a_crash_in_the_middle_of_a_replay_leaves_it_to_the_next)
{
    struct place s;
    begin(&s, 5);
    bench_drop(&s.b);
    int64_t size = segment_size(&s);
    lose(&s, 0, size);
    CHECK_EQUAL(bench_open_journal(&s.b), ERR_OK);
    CHECK_EQUAL(member_open(&s.b.members[1]), ERR_OK); /* the other one is not opened */
    bench_drop(&s.b);
    lose(&s, size / 5, size / 5 * 2);
    reopen(&s);
    CHECK_EQUAL(end_of(&s, 1), 5);
    end(&s);
}

TEST(below_the_recovery_point_nothing_is_written)
{
    struct place s;
    begin(&s, 5);
    bench_drop(&s.b);
    lose(&s, 0, segment_size(&s));
    s.b.members[1].checkpoint = 5;
    CHECK_EQUAL(bench_open_journal(&s.b), ERR_OK);
    (void)member_open(&s.b.members[1]); /* rot */
    CHECK_EQUAL(s.b.stats.replayed, 0);
    end(&s);
}

TEST(a_cut_inside_an_entry_leaves_what_is_before)
{
    struct place s;
    begin(&s, 1);
    struct member *m = &s.b.members[1];
    for (int i = 0; i < 3; i++)
        CHECK_EQUAL(member_append(m, 1, 100), ERR_OK);
    CHECK_EQUAL(member_commit(m), WAY_JOURNAL);
    bench_run(&s.b);
    CHECK_EQUAL(member_cut(m, 2), ERR_OK);
    CHECK_EQUAL(member_put(m, 2, 30), WAY_JOURNAL);
    bench_drop(&s.b);
    lose(&s, 0, segment_size(&s));
    reopen(&s);
    CHECK_EQUAL(end_of(&s, 1), 4);
    bench_drop(&s.b);
    CHECK_EQUAL(bench_open(&s.b), ERR_OK);
    end(&s);
}

TEST(an_append_further_back_is_a_cut_though_its_group_is_damaged)
{
    struct place s;
    begin(&s, 4);
    struct member *m = &s.b.members[1];
    CHECK_EQUAL(member_cut(m, 1), ERR_OK); /* the fifth group */
    m->leader_epoch++;
    CHECK_EQUAL(member_put(m, 1, 300), WAY_JOURNAL);
    CHECK_EQUAL(member_put(m, 1, 20), WAY_JOURNAL);
    bench_drop(&s.b);
    int64_t size;
    uint8_t *kept = keep_segment(&s, &size);
    half_bytes(&s)[5 * JOURNAL_PAGE_BYTES + 10] ^= 1;
    lose(&s, 0, size);
    reopen(&s);
    CHECK_EQUAL(end_of(&s, 1), 3);
    check_segment(&s, kept, size);
    CHECK(!s.b.members[1].report.found_rot);
    CHECK_EQUAL(s.m.log_lines[LOG_ERROR], 1);
    end(&s);
}

TEST(what_left_the_directory_is_not_given_back)
{
    struct place s;
    begin(&s, 4);
    journal_gone(s.b.journal, &s.b.members[1].client);
    bench_run(&s.b);
    CHECK(journal_is_noticed(s.b.journal, &s.b.members[1].client));
    bench_drop(&s.b);
    lose(&s, 0, segment_size(&s));
    reopen(&s);
    CHECK_EQUAL(end_of(&s, 1), 0);
    end(&s);
}

TEST(what_is_void_is_not_given_back)
{
    struct place s;
    begin(&s, 4);
    journal_rotate(s.b.journal);
    bench_run(&s.b);
    CHECK_EQUAL(member_put(&s.b.members[0], 1, 10), WAY_JOURNAL);
    bench_drop(&s.b);
    lose(&s, 0, segment_size(&s));
    reopen(&s);
    CHECK_EQUAL(end_of(&s, 1), 0);
    CHECK_EQUAL(end_of(&s, 0), 2);
    end(&s);
}

/* ---- partitions that are not there */

TEST(entries_of_partitions_that_are_not_known_are_dropped_and_told)
{
    struct place s;
    begin(&s, 4);
    bench_drop(&s.b);
    s.b.member_count = 1;
    reopen(&s);
    CHECK_EQUAL(s.m.log_lines[LOG_WARN], 1);
    CHECK(journal_is_ready(s.b.journal));
    bench_drop(&s.b);
    lose(&s, 0, segment_size(&s));
    s.b.member_count = 2;
    reopen(&s);
    CHECK_EQUAL(end_of(&s, 1), 0);
    end(&s);
}

TEST(a_partition_that_cannot_be_opened_keeps_its_entries_and_the_journal_waits)
{
    struct place s;
    begin(&s, 4);
    CHECK_EQUAL(member_put(&s.b.members[0], 1, 10), WAY_JOURNAL);
    bench_drop(&s.b);
    lose(&s, 0, segment_size(&s));
    for (int kill = 0; kill < 2; kill++) {
        CHECK_EQUAL(bench_open_journal(&s.b), ERR_OK);
        CHECK_EQUAL(member_open(&s.b.members[0]), ERR_OK);
        s.m.fail_at = 3;
        CHECK(member_open(&s.b.members[1]) != ERR_OK);
        bench_settle(&s.b);
        bench_run(&s.b);
        CHECK(!journal_is_ready(s.b.journal));
        CHECK_EQUAL(member_put(&s.b.members[0], 1, 10), WAY_STRAIGHT);
        if (kill == 0)
            bench_drop(&s.b);
    }
    /* What is cut in the meantime does not come back. */
    CHECK_EQUAL(member_cut(&s.b.members[0], 1), ERR_OK);
    CHECK_EQUAL(member_open(&s.b.members[1]), ERR_OK);
    CHECK_EQUAL(end_of(&s, 1), 4);
    bench_run(&s.b);
    CHECK(journal_is_ready(s.b.journal));
    bench_drop(&s.b);
    reopen(&s);
    CHECK_EQUAL(end_of(&s, 0), 1);
    end(&s);
}

/* After a kill, and the other's entries wait. */
static void begin_with_one_open(struct place *s)
{
    begin(s, 4);
    bench_drop(&s->b);
    lose(s, 0, segment_size(s));
    CHECK_EQUAL(bench_open_journal(&s->b), ERR_OK);
    CHECK_EQUAL(member_open(&s->b.members[0]), ERR_OK);
}

TEST(a_clean_stop_while_one_waits_keeps_its_entries)
{
    struct place s;
    begin_with_one_open(&s);
    s.m.fail_at = 3;
    CHECK(member_open(&s.b.members[1]) != ERR_OK);
    bench_settle(&s.b);
    CHECK(bench_close(&s.b) != ERR_OK);
    bench_drop(&s.b);
    reopen(&s);
    CHECK_EQUAL(end_of(&s, 1), 4);
    end(&s);
}

TEST(a_partition_that_is_deleted_before_it_could_be_opened_is_not_waited_for)
{
    struct place s;
    begin_with_one_open(&s);
    bench_settle(&s.b);
    bench_settle(&s.b);
    CHECK(journal_waits(s.b.journal));
    CHECK_EQUAL(s.m.log_lines[LOG_WARN], 1); /* told once */
    s.b.member_count = 1;
    bench_settle(&s.b);
    bench_run(&s.b);
    CHECK(!journal_waits(s.b.journal) && journal_is_ready(s.b.journal));
    CHECK_EQUAL(bench_close(&s.b), ERR_OK);
    bench_drop(&s.b);
    end(&s);
}

TEST(a_cut_while_another_waits_is_durable)
{
    struct place s;
    begin(&s, 4);
    CHECK_EQUAL(member_put(&s.b.members[0], 1, 10), WAY_JOURNAL);
    bench_drop(&s.b);
    CHECK_EQUAL(bench_open_journal(&s.b), ERR_OK);
    CHECK_EQUAL(member_open(&s.b.members[0]), ERR_OK);
    CHECK_EQUAL(member_cut(&s.b.members[0], 1), ERR_OK);
    bench_drop(&s.b);
    reopen(&s);
    CHECK_EQUAL(end_of(&s, 0), 1);
    CHECK_EQUAL(end_of(&s, 1), 4);
    end(&s);
}

/* ---- damage */

TEST(a_torn_last_group_is_ignored_and_written_over)
{
    struct place s;
    begin(&s, 4);
    bench_drop(&s.b);
    half_bytes(&s)[4 * JOURNAL_PAGE_BYTES + 200] ^= 1;
    lose(&s, 0, segment_size(&s));
    reopen(&s);
    CHECK_EQUAL(end_of(&s, 1), 3);
    CHECK_EQUAL(s.m.log_lines[LOG_ERROR], 0);
    (void)member_put(&s.b.members[1], 1, 10);
    CHECK_EQUAL(member_put(&s.b.members[1], 1, 10), WAY_JOURNAL);
    bench_drop(&s.b);
    reopen(&s);
    CHECK_EQUAL(end_of(&s, 1), 5);
    end(&s);
}

TEST(rot_in_the_middle_is_told_and_what_follows_is_given_back)
{
    struct place s;
    begin(&s, 4);
    bench_drop(&s.b);
    half_bytes(&s)[2 * JOURNAL_PAGE_BYTES + 200] ^= 1;
    int64_t size = segment_size(&s);
    lose(&s, size / 4 * 2, size / 2);
    reopen(&s);
    CHECK_EQUAL(end_of(&s, 1), 4); /* the segment has the one that is damaged */
    CHECK_EQUAL(s.m.log_lines[LOG_ERROR], 1);
    end(&s);
}

TEST(a_half_whose_first_group_is_bad_is_told)
{
    struct place s;
    begin(&s, 4);
    bench_drop(&s.b);
    half_bytes(&s)[JOURNAL_PAGE_BYTES + 200] ^= 1;
    reopen(&s);
    CHECK_EQUAL(end_of(&s, 1), 4); /* nothing else was lost */
    CHECK_EQUAL(s.m.log_lines[LOG_ERROR], 1);
    end(&s);
}

/* The header page of these halves (bits) is damaged. */
static void damage_headers(struct place *s, unsigned halves)
{
    for (unsigned half = 0; half < 2; half++) {
        char name[32];
        size_t size;
        snprintf(name, sizeof(name), "klamm.journal.%u", half);
        uint8_t *bytes = mem_env_file_bytes(&s->m, name, &size);
        CHECK(bytes != NULL);
        bytes[20] ^= halves >> half & 1;
    }
}

TEST(a_half_whose_header_is_damaged_is_replayed_and_mended)
{
    for (unsigned half = 1; half <= 2; half++) {
        struct place s;
        begin(&s, 4);
        bench_drop(&s.b);
        lose(&s, 0, segment_size(&s));
        damage_headers(&s, half);
        reopen(&s);
        CHECK_EQUAL(end_of(&s, 1), 4);
        CHECK_EQUAL(s.m.log_lines[LOG_ERROR], 1);
        CHECK_EQUAL(member_put(&s.b.members[1], 1, 10), WAY_STRAIGHT);
        CHECK_EQUAL(member_put(&s.b.members[1], 1, 10), WAY_JOURNAL);
        bench_drop(&s.b);
        reopen(&s);
        CHECK_EQUAL(end_of(&s, 1), 6);
        CHECK_EQUAL(s.m.log_lines[LOG_ERROR], 0);
        end(&s);
    }
}

TEST(halves_whose_headers_are_both_damaged_or_of_unlike_sizes_are_not_replayed)
{
    for (int is_short = 0; is_short < 2; is_short++) {
        struct place s;
        begin(&s, 4);
        bench_drop(&s.b);
        lose(&s, 0, segment_size(&s));
        damage_headers(&s, is_short ? 1 : 3);
        if (is_short)
            mem_env_put_file(&s.m, "klamm.journal.0", "", 0);
        reopen(&s);
        CHECK_EQUAL(end_of(&s, 1), 0);
        CHECK(s.m.log_lines[LOG_ERROR] > 0);
        end(&s);
    }
}

/* A producer knows all but the salt. */
TEST(a_group_with_another_salt_is_not_taken)
{
    for (int is_right = 0; is_right < 2; is_right++) {
        struct place s;
        begin(&s, 3);
        bench_drop(&s.b);
        struct journal_group_header header;
        uint8_t *next = half_bytes(&s) + 4 * JOURNAL_PAGE_BYTES;
        CHECK(journal_group_read(next - JOURNAL_PAGE_BYTES, &header));
        memset(next, 0, JOURNAL_PAGE_BYTES);
        struct journal_item cut = {
            .kind = JOURNAL_CUT, .partition = 1, .topic_id = s.b.members[1].topic_id, .first = 1};
        journal_item_write(&cut, next + JOURNAL_GROUP_HEADER_BYTES);
        header.number++;
        header.count = 1;
        header.size = JOURNAL_GROUP_HEADER_BYTES + JOURNAL_ENTRY_HEADER_BYTES;
        header.salt += is_right ? 0 : 1;
        journal_group_seal(&header, next);
        lose(&s, 0, segment_size(&s));
        reopen(&s);
        CHECK_EQUAL(end_of(&s, 1), is_right ? 1 : 3);
        end(&s);
    }
}

TEST(a_half_of_another_directory_or_an_impossible_size_is_not_used)
{
    struct place s;
    begin(&s, 3);
    bench_drop(&s.b);
    s.b.options.directory_id.bytes[0]++;
    reopen(&s);
    CHECK_EQUAL(s.b.members[1].covers, 0);
    bench_drop(&s.b);
    s.b.options.directory_id.bytes[0]--;
    for (unsigned half = 0; half < 2; half++) {
        char name[32];
        uint8_t page[JOURNAL_PAGE_BYTES];
        struct journal_file_header header = {s.b.options.directory_id, half, sizeof(page)};
        journal_file_header_write(&header, page);
        snprintf(name, sizeof(name), "klamm.journal.%u", half);
        mem_env_put_file(&s.m, name, page, sizeof(page));
    }
    reopen(&s);
    CHECK_EQUAL(s.m.log_lines[LOG_ERROR], 1);
    end(&s);
}

/* ---- somebody else has written into the segment */

/* A batch of one record at this place of member 1's segment, in a file as large as it was. */
static void put_foreign(struct place *s, int64_t pos, int64_t offset, size_t payload,
                        int32_t leader_epoch)
{
    struct fixture_batch batch = {
        .records = 1, .payload = payload, .timestamp_ms = 77, .producer_id = -1};
    struct iobuf_slice bytes = fixture_bytes(&batch);
    batch_stamp(bytes.data, offset, leader_epoch);
    int64_t size = segment_size(s);
    uint8_t *file = mem_alloc((size_t)size);
    size_t got;
    memcpy(file, mem_env_file_bytes(&s->m, segment_name, &got), (size_t)size);
    CHECK(pos + (int64_t)bytes.len <= size);
    memset(file + pos, 0, (size_t)(size - pos));
    memcpy(file + pos, bytes.data, bytes.len);
    mem_env_put_file(&s->m, segment_name, file, (size_t)size);
    mem_free(file);
    iobuf_slice_release(&bytes);
}

TEST(what_another_program_wrote_is_left_with_all_behind_it)
{
    /* As large as one of ours, smaller, across two, and inside of an entry. */
    static const size_t payloads[] = {100, 10, 300, 100};
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        struct place s;
        begin(&s, 1);
        struct member *m = &s.b.members[1];
        for (int n = 0; n < 2; n++)
            CHECK_EQUAL(member_append(m, 1, 100), ERR_OK);
        CHECK_EQUAL(member_commit(m), WAY_JOURNAL);
        bench_run(&s.b);
        for (int n = 0; n < 3; n++)
            CHECK_EQUAL(member_put(m, 1, 100), WAY_JOURNAL);
        bench_drop(&s.b);
        int64_t size = segment_size(&s) / 6;
        int64_t at = i == 3 ? 2 : 1;
        put_foreign(&s, at * size, at, payloads[i], 2);
        reopen(&s);
        CHECK_EQUAL(end_of(&s, 1), at + 1);
        CHECK(!s.b.members[1].report.found_rot);
        CHECK_EQUAL(s.b.stats.replayed, 0);
        CHECK_EQUAL(s.m.log_lines[LOG_WARN], 1);
        end(&s);
    }
}

TEST(what_a_write_that_was_taken_back_left_is_written_over)
{
    struct place s;
    begin(&s, 4);
    bench_drop(&s.b);
    int64_t size;
    uint8_t *kept = keep_segment(&s, &size);
    put_foreign(&s, size / 4, 1, 100, 1);
    reopen(&s);
    CHECK_EQUAL(end_of(&s, 1), 4);
    check_segment(&s, kept, size);
    end(&s);
}

TEST(a_batch_of_which_only_the_head_is_lost_is_no_other)
{
    for (int bytes = 1; bytes < 21; bytes += 4) { /* the checksum is over what follows */
        struct place s;
        begin(&s, 4);
        bench_drop(&s.b);
        int64_t size;
        uint8_t *kept = keep_segment(&s, &size);
        lose(&s, size / 4, bytes);
        lose(&s, size / 4 * 2, bytes);
        reopen(&s);
        CHECK_EQUAL(end_of(&s, 1), 4);
        check_segment(&s, kept, size);
        end(&s);
    }
}

TEST(what_another_program_wrote_across_the_place_of_an_entry_is_left)
{
    struct place s;
    begin(&s, 0);
    struct member *m = &s.b.members[1];
    m->leader_epoch = 2;
    CHECK_EQUAL(member_put(m, 1, 66000), WAY_STRAIGHT);
    for (int i = 0; i < 3; i++)
        CHECK_EQUAL(member_put(m, 1, 100), WAY_JOURNAL);
    bench_drop(&s.b);
    put_foreign(&s, 0, 0, 66100, 3);
    reopen(&s);
    CHECK_EQUAL(end_of(&s, 1), 1);
    CHECK(!s.b.members[1].report.found_rot);
    CHECK_EQUAL(s.b.stats.replayed, 0);
    end(&s);
}

// SPDX-License-Identifier: Apache-2.0
/* Ways through errors that no other test of this folder goes. Thread: the test's. */
#include <stdio.h>
#include <string.h>

#include "base/testing.h"
#include "log/log_fixture.h"
#include "log/segment.h"

enum { BATCHES = 12, RECORDS = 2, END = BATCHES * RECORDS };

#define LAST_LOG "t-0/00000000000000000016.log"

/* Segments at 0, 8 and 16 of four batches each. */
static void build(struct fixture *f)
{
    fixture_init(f);
    f->config.segment_bytes = 600;
    f->config.index_interval_bytes = 150;
    CHECK_EQUAL(fixture_open(f), ERR_OK);
    fixture_fill(f, BATCHES, RECORDS, 24);
    CHECK_EQUAL(partition_log_segment_count(f->log), 3);
}

static void stop(struct fixture *f)
{
    CHECK_EQUAL(partition_log_close_clean(f->log, &f->recovery_point), ERR_OK);
    fixture_free(f);
    f->was_clean = true;
}

/* Whatever failed: files close, and the next open finds a log that begins at some segment's begin.
 */
TEST(retention_survives_each_io_failure)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        struct fixture f;
        struct list retired;
        build(&f);
        list_init(&retired);
        partition_log_raise_start(f.log, 17);
        CHECK_EQUAL(partition_log_retire(f.log, 0, END, false, &retired), 2);
        f.m.fail_at = n;
        enum err e = partition_log_delete_segments(f.log, &retired);
        failed = f.m.fail_at == 0;
        CHECK(failed == (e != ERR_OK));
        f.m.fail_at = 0;
        if (e == ERR_OK)
            partition_log_unlink_retired(&f.m.env, &retired);
        for (struct list *node; (node = list_pop_front(&retired)) != NULL;)
            segment_unref(container_of(node, struct segment, link));
        fixture_free(&f);
        CHECK_EQUAL(f.m.open_fds, 0);
        CHECK_EQUAL(fixture_open(&f), ERR_OK);
        int64_t start = partition_log_start_offset(f.log);
        CHECK(start == 16 || (failed && (start == 8 || start == 0)));
        CHECK_EQUAL(partition_log_written(f.log).offset, END);
        fixture_deinit(&f);
    }
}

TEST(a_search_by_time_survives_each_io_failure)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        struct fixture f;
        struct log_segments segments;
        struct log_time_match match;
        build(&f);
        struct log_position end = partition_log_written(f.log);
        partition_log_segments(f.log, &end, &segments);
        f.m.fail_at = n;
        enum err e = log_segments_find_time(&segments, 0, &match);
        if (e == ERR_OK)
            e = log_segments_find_max_time(&segments, &match);
        failed = f.m.fail_at == 0;
        CHECK(failed == (e != ERR_OK));
        f.m.fail_at = 0;
        log_segments_release(&segments);
        fixture_deinit(&f);
    }
}

/* Rot that there is no room to keep is cut all the same, and the report says so. */
TEST(rot_on_a_full_disk_is_cut_and_told)
{
    struct fixture f;
    build(&f);
    fixture_free(&f);
    size_t size;
    mem_env_file_bytes(&f.m, LAST_LOG, &size)[70] ^= 1;
    f.recovery_point = 16;
    f.m.space_bytes = f.m.used_bytes;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK(f.report.found_rot);
    CHECK(strstr(f.report.detail, "no space to keep the") != NULL);
    CHECK_EQUAL(partition_log_written(f.log).offset, 16);
    fixture_deinit(&f);
}

TEST(after_a_clean_stop_nothing_is_cut)
{
    for (int has_checkpoint = 0; has_checkpoint < 2; has_checkpoint++) {
        struct fixture f;
        build(&f);
        stop(&f);
        if (!has_checkpoint)
            f.recovery_point = 0;
        size_t size;
        uint8_t *bytes = mem_env_file_bytes(&f.m, LAST_LOG, &size);
        size_t before = size;
        bytes[size - size / 4 + 16] ^= 1; /* the last batch's magic */
        CHECK_EQUAL(fixture_open(&f), ERR_CORRUPT);
        CHECK(strstr(f.report.detail, "after a clean stop") != NULL);
        CHECK(mem_env_file_bytes(&f.m, LAST_LOG, &size) != NULL && size == before);
        fixture_deinit(&f);
    }
}

/* More than are gathered before they are written. */
TEST(an_index_of_many_entries_is_made_anew)
{
    enum { MANY = 700 };
    struct fixture f;
    fixture_init(&f);
    f.config.index_interval_bytes = 1;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    fixture_fill(&f, MANY, 1, 10);
    fixture_free(&f);
    size_t size = 0;
    mem_env_put_file(&f.m, "t-0/00000000000000000000.index", "", 0);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK(fixture_file(&f, "00000000000000000000.index", &size) != NULL);
    CHECK_EQUAL(size, (MANY - 1) * 8);
    for (int64_t offset = 0; offset < MANY; offset += 13)
        CHECK_EQUAL(fixture_read(&f, offset), offset);
    fixture_deinit(&f);
}

TEST(a_log_that_reaches_into_the_next_one_is_refused)
{
    struct fixture f;
    build(&f);
    stop(&f);
    mem_env_put_file(&f.m, "t-0/00000000000000000003.log", "", 0);
    CHECK_EQUAL(fixture_open(&f), ERR_CORRUPT);
    CHECK_TEXT(f.report.detail, "00000000000000000000.log goes up to offset 7, the next segment "
                                "begins with 3");
    fixture_deinit(&f);
}

TEST(epochs_that_cannot_be_read_are_made_anew)
{
    struct fixture f;
    build(&f);
    fixture_free(&f);
    mem_env_put_file(&f.m, "t-0/leader-epoch-checkpoint", "noise\n", 6);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK_TEXT(f.report.detail, "leader-epoch-checkpoint cannot be read");
    CHECK_EQUAL(partition_log_written(f.log).offset, END);
    fixture_deinit(&f);
}

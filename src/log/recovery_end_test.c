// SPDX-License-Identifier: Apache-2.0
/* Sealed segments below the recovery point that have lost their end. Thread: the test's. */
#include <stdio.h>
#include <string.h>

#include "base/testing.h"
#include "log/log_fixture.h"

enum { BATCHES = 12, RECORDS = 2, END = BATCHES * RECORDS };

#define FIRST "t-0/00000000000000000000"

/* Segments at 0, 8 and 16 of four batches each; closed cleanly. */
static void build(struct fixture *f, bool is_compacted, int64_t interval, int64_t time_step)
{
    fixture_init(f);
    f->config.segment_bytes = 600;
    f->config.index_interval_bytes = interval;
    f->config.cleanup_compact = is_compacted;
    CHECK_EQUAL(fixture_open(f), ERR_OK);
    for (int i = 0; i < BATCHES; i++) {
        struct fixture_batch batch = {.records = RECORDS,
                                      .payload = 24,
                                      .timestamp_ms = 1000 + time_step * i,
                                      .producer_id = -1};
        CHECK_EQUAL(fixture_append(f, &batch), ERR_OK);
        CHECK_EQUAL(fixture_commit(f, false), ERR_OK);
    }
    CHECK_EQUAL(partition_log_segment_count(f->log), 3);
    int64_t recovery_point = -1;
    CHECK_EQUAL(partition_log_close_clean(f->log, &recovery_point), ERR_OK);
    fixture_free(f);
    f->was_clean = true;
    f->recovery_point = recovery_point;
}

static int64_t file_size(struct fixture *f, const char *path)
{
    size_t size = 0;
    CHECK(mem_env_file_bytes(&f->m, path, &size) != NULL);
    return (int64_t)size;
}

static void cut(struct fixture *f, const char *path, int64_t size)
{
    struct env_file *file;
    CHECK_EQUAL(env_file_open(&f->m.env, path, ENV_READ | ENV_WRITE, &file), ERR_OK);
    CHECK_EQUAL(env_file_truncate(file, size), ERR_OK);
    env_file_unref(file);
}

/* Whatever was lost, and as often as it is opened. */
TEST(a_sealed_segment_that_ends_too_early_is_refused)
{
    for (int interval = 0; interval <= 10000; interval = interval * 3 + 100) {
        for (int64_t lost = 1;; lost++) {
            struct fixture f;
            build(&f, false, interval, 10);
            int64_t size = file_size(&f, FIRST ".log");
            if (lost > size) {
                fixture_deinit(&f);
                break;
            }
            cut(&f, FIRST ".log", size - lost);
            for (int again = 0; again < 3; again++) {
                f.was_clean = again != 2;
                CHECK_EQUAL(fixture_open(&f), ERR_CORRUPT);
                CHECK(f.report.cut_below_recovery_point);
                CHECK(strstr(f.report.detail, "00000000000000000000.log") != NULL);
                CHECK_EQUAL(file_size(&f, FIRST ".log"), size - lost);
            }
            fixture_deinit(&f);
        }
    }
}

/* Where times do not rise the indexes do not name the last batch: no proof, but it is told. */
TEST(offsets_that_nothing_names_are_reported)
{
    for (int is_compacted = 0; is_compacted < 2; is_compacted++) {
        struct fixture f;
        build(&f, is_compacted, 100000, 0);
        int64_t size = file_size(&f, FIRST ".log");
        cut(&f, FIRST ".log", size - size / 4);
        CHECK_EQUAL(fixture_open(&f), ERR_OK);
        CHECK_EQUAL(f.report.missing_offsets, is_compacted ? 0 : RECORDS);
        CHECK_TEXT(f.report.detail, is_compacted ? ""
                                                 : "00000000000000000000.log ends before offset 6, "
                                                   "the next segment begins with 8");
        CHECK_EQUAL(partition_log_written(f.log).offset, END);
        CHECK_EQUAL(fixture_read(&f, 4), 4);
        fixture_deinit(&f);
    }
}

/* An index that names what it cannot know is worth nothing; it is made anew. */
TEST(an_index_of_nonsense_condemns_no_segment)
{
    static const char *const names[] = {FIRST ".index", FIRST ".timeindex"};
    for (int i = 0; i < 2; i++) {
        struct fixture f;
        uint8_t nonsense[12] = {0, 0, 0, 5, 0, 0, 0, 60, 0, 0, 0, 99};
        build(&f, false, 150, 10);
        mem_env_put_file(&f.m, names[i], nonsense, i == 0 ? 8 : 12);
        CHECK_EQUAL(fixture_open(&f), ERR_OK);
        CHECK_EQUAL(f.report.missing_offsets, 0);
        for (int64_t offset = 0; offset < END; offset++)
            CHECK_EQUAL(fixture_read(&f, offset), offset - offset % RECORDS);
        fixture_deinit(&f);
    }
}

TEST(looking_at_ends_survives_each_io_failure)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        struct fixture f;
        build(&f, false, 150, 10);
        mem_env_put_file(&f.m, FIRST ".index", "", 0);
        f.m.fail_at = n;
        enum err e = fixture_open(&f);
        failed = f.m.fail_at == 0;
        CHECK(failed == (e != ERR_OK));
        fixture_free(&f);
        CHECK_EQUAL(f.m.open_fds, 0);
        f.m.fail_at = 0;
        CHECK_EQUAL(fixture_open(&f), ERR_OK);
        CHECK_EQUAL(partition_log_written(f.log).offset, END);
        fixture_deinit(&f);
    }
}

/* Checkpoints, indexes and one small read for each segment, however many bytes it holds. */
TEST(a_clean_start_reads_ends_only)
{
    enum { SEGMENT_BYTES = 400000, BATCH_BYTES = 1000 };
    struct fixture f;
    fixture_init(&f);
    f.config.segment_bytes = SEGMENT_BYTES;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    fixture_fill(&f, 5 * SEGMENT_BYTES / BATCH_BYTES, 1, BATCH_BYTES);
    uint32_t segments = partition_log_segment_count(f.log);
    int64_t size = partition_log_size_bytes(f.log);
    CHECK(segments >= 5);
    CHECK_EQUAL(partition_log_close_clean(f.log, &f.recovery_point), ERR_OK);
    fixture_free(&f);
    f.was_clean = true;
    int64_t bytes_before = f.m.read_bytes;
    int opens_before = f.m.opens;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK_EQUAL(f.report.scanned_bytes, 0);
    int64_t bytes = f.m.read_bytes - bytes_before;
    int opens = f.m.opens - opens_before;
    CHECK(bytes < (int64_t)segments * (f.config.index_interval_bytes + 3 * BATCH_BYTES));
    CHECK(bytes < size / 20);
    CHECK(opens <= 3 * (int)segments + 3); /* a partition has three files more */
    fixture_deinit(&f);
}

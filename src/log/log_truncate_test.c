// SPDX-License-Identifier: Apache-2.0
/* Cutting the end off. Thread: the test's. */
#include <string.h>

#include "base/testing.h"
#include "log/log_fixture.h"

enum { BATCHES = 14, RECORDS = 3 };

/* Several segments, two producers, a new epoch every five batches. */
static void build(struct fixture *f)
{
    fixture_init(f);
    f->config.segment_bytes = 600;
    f->config.index_interval_bytes = 150;
    CHECK_EQUAL(fixture_open(f), ERR_OK);
    for (int i = 0; i < BATCHES; i++) {
        f->leader_epoch = i / 5;
        partition_log_begin_epoch(f->log, f->leader_epoch);
        struct fixture_batch batch = {.records = RECORDS,
                                      .payload = 20,
                                      .timestamp_ms = 1000 + 10 * i,
                                      .producer_id = i % 2,
                                      .sequence = RECORDS * (i / 2)};
        CHECK_EQUAL(fixture_append(f, &batch), ERR_OK);
        CHECK_EQUAL(fixture_commit(f, false), ERR_OK);
    }
    CHECK(partition_log_segment_count(f->log) > 3);
}

static enum err truncate_to(struct fixture *f, int64_t offset)
{
    struct log_truncation cut = {0};
    enum err e = partition_log_truncate_find(f->log, offset, &cut);
    if (e != ERR_OK)
        return e;
    partition_log_truncate_publish(f->log, &cut);
    return partition_log_truncate_finish(f->log, &cut);
}

/* Offsets, epochs and producers are those of the first so many batches. */
static void check_is(struct fixture *f, int batches)
{
    int64_t end = RECORDS * batches;
    CHECK_EQUAL(partition_log_written(f->log).offset, end);
    CHECK_EQUAL(partition_log_assigned(f->log), end);
    CHECK_EQUAL(partition_log_durable(f->log).offset, end);
    for (int64_t offset = 0; offset < end; offset++)
        CHECK_EQUAL(fixture_read(f, offset), offset - offset % RECORDS);
    CHECK_EQUAL(fixture_read(f, end), -1);
    CHECK_EQUAL(partition_log_last_epoch(f->log), batches == 0 ? -1 : (batches - 1) / 5);
    CHECK_EQUAL(partition_log_producer_count(f->log), batches < 2 ? batches : 2);
    struct producer_info info[2];
    uint32_t count = partition_log_producers(f->log, info, 2);
    for (uint32_t i = 0; i < count; i++) {
        int own = (batches + 1 - (int)info[i].producer_id) / 2;
        CHECK_EQUAL(info[i].last_sequence, RECORDS * own - 1);
    }
}

TEST(a_log_is_cut_at_every_offset)
{
    for (int64_t offset = 0; offset <= BATCHES * RECORDS + 1; offset++) {
        int batches = offset / RECORDS < BATCHES ? (int)(offset / RECORDS) : BATCHES;
        struct fixture f;
        build(&f);
        CHECK_EQUAL(truncate_to(&f, offset), ERR_OK);
        check_is(&f, batches);
        int64_t size = partition_log_size_bytes(f.log);
        fixture_free(&f);
        CHECK_EQUAL(fixture_open(&f), ERR_OK);
        CHECK_TEXT(f.report.detail, "");
        CHECK_EQUAL(partition_log_size_bytes(f.log), size);
        check_is(&f, batches);
        CHECK_EQUAL(truncate_to(&f, offset), ERR_OK); /* again: nothing to do */
        check_is(&f, batches);
        fixture_fill(&f, 8, RECORDS, 20);
        for (int64_t at = 0; at < RECORDS * (batches + 8); at++)
            CHECK_EQUAL(fixture_read(&f, at), at - at % RECORDS);
        fixture_deinit(&f);
    }
}

TEST(below_the_log_start_nothing_is_cut)
{
    struct fixture f;
    build(&f);
    partition_log_raise_start(f.log, 10);
    CHECK_EQUAL(truncate_to(&f, 9), ERR_RANGE);
    CHECK_EQUAL(truncate_to(&f, 10), ERR_RANGE); /* its batch begins at 9 */
    CHECK_EQUAL(partition_log_written(f.log).offset, BATCHES * RECORDS);
    CHECK_EQUAL(truncate_to(&f, 12), ERR_OK);
    CHECK_EQUAL(partition_log_written(f.log).offset, 12);
    fixture_deinit(&f);
}

TEST(views_from_before_are_stale_and_syncs_count_for_nothing)
{
    struct fixture f;
    build(&f);
    struct log_position end = partition_log_written(f.log);
    struct log_view views[2];
    CHECK_EQUAL(partition_log_view(f.log, 13, &end, &views[0]), ERR_OK);
    CHECK_EQUAL(partition_log_view(f.log, 40, &end, &views[1]), ERR_OK);
    struct log_commit commit;
    log_commit_init(&commit);
    partition_log_take(f.log, &commit, true, 0);
    CHECK_EQUAL(partition_log_write(f.log, &commit), ERR_OK);
    partition_log_publish_written(f.log, &commit);
    CHECK_EQUAL(partition_log_sync(f.log, &commit), ERR_OK);
    CHECK_EQUAL(truncate_to(&f, 12), ERR_OK);
    partition_log_publish_durable(f.log, &commit); /* its completion came late */
    CHECK_EQUAL(partition_log_durable(f.log).offset, 12);
    for (int i = 0; i < 2; i++) {
        struct log_range range;
        CHECK_EQUAL(log_view_find(&views[i], i == 0 ? 13 : 40, 100, true, ENV_WAIT, &range),
                    ERR_STALE);
        log_view_release(&views[i]);
    }
    fixture_deinit(&f);
}

/* A producer may put into a record what looks like a batch. Where one began before the cut such
 * bytes must not be taken for it, whether a reader's border there was remembered before the cut or,
 * because he was slow, after it. */
static void check_border(bool is_late)
{
    enum { ASKED = 60, BIG_RECORDS = 200 };
    struct fixture f;
    fixture_init(&f);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    fixture_fill(&f, 60, RECORDS, 20); /* more than are remembered as recent */
    struct log_position end = partition_log_written(f.log);
    struct log_view view;
    struct log_range range;
    uint8_t header[BATCH_HEADER_BYTES];
    size_t got;
    CHECK_EQUAL(partition_log_view(f.log, ASKED, &end, &view), ERR_OK);
    CHECK_EQUAL(log_view_find(&view, ASKED, 1, true, ENV_WAIT, &range), ERR_OK);
    int64_t border = range.pos + range.len;
    CHECK_EQUAL(range.next_offset, ASKED + RECORDS);
    CHECK_EQUAL(env_file_read(range.file, header, sizeof(header), border, ENV_WAIT, &got), ERR_OK);
    if (!is_late)
        log_view_remember(&view, &range);
    CHECK_EQUAL(truncate_to(&f, 0), ERR_OK);
    fixture_fill(&f, 1, BIG_RECORDS, 100);
    fixture_fill(&f, 60, RECORDS, 20);
    struct iovec iov = {header, sizeof(header)};
    CHECK_EQUAL(env_file_write(range.file, &iov, 1, border), ERR_OK);
    if (is_late)
        log_view_remember(&view, &range);
    CHECK_EQUAL(fixture_read(&f, ASKED + RECORDS), 0);
    log_range_release(&range);
    log_view_release(&view);
    fixture_deinit(&f);
}

TEST(a_border_from_before_a_cut_is_none)
{
    check_border(false);
    check_border(true);
}

TEST(cutting_survives_each_io_failure)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        struct fixture f;
        build(&f);
        f.m.fail_at = n;
        enum err e = truncate_to(&f, 20);
        failed = f.m.fail_at == 0;
        CHECK(failed == (e != ERR_OK));
        f.m.fail_at = 0;
        fixture_free(&f);
        CHECK_EQUAL(f.m.open_fds, 0);
        CHECK_EQUAL(fixture_open(&f), ERR_OK);
        CHECK(partition_log_written(f.log).offset >= 18);
        CHECK_EQUAL(truncate_to(&f, 20), ERR_OK);
        check_is(&f, 6);
        fixture_deinit(&f);
    }
}

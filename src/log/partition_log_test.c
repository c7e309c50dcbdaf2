// SPDX-License-Identifier: Apache-2.0
/* Appending, committing, rolling, failing. Thread: the test's. */
#include "log/partition_log.h"

#include <string.h>

#include "base/mem.h"
#include "base/testing.h"
#include "log/log_fixture.h"
#include "log/partition_log_private.h"

static struct fixture_batch plain(int32_t records, size_t payload)
{
    return (struct fixture_batch){
        .records = records, .payload = payload, .timestamp_ms = 1000, .producer_id = -1};
}

TEST(a_new_log_is_empty_and_durable)
{
    struct fixture f;
    fixture_init(&f);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK_EQUAL(partition_log_assigned(f.log), 0);
    CHECK_EQUAL(partition_log_start_offset(f.log), 0);
    CHECK_EQUAL(partition_log_durable(f.log).offset, 0);
    CHECK_EQUAL(partition_log_segment_count(f.log), 1);
    CHECK(!partition_log_has_pending(f.log));
    CHECK_EQUAL(fixture_read(&f, 0), -1);
    CHECK_EQUAL(fixture_read(&f, 1), -2);
    size_t size;
    CHECK(fixture_file(&f, "partition.metadata", &size) != NULL);
    CHECK(fixture_file(&f, "00000000000000000000.log", &size) != NULL);
    CHECK(fixture_file(&f, "00000000000000000000.index", &size) != NULL);
    CHECK(fixture_file(&f, "00000000000000000000.timeindex", &size) != NULL);
    CHECK_EQUAL(f.m.open_fds, 0); /* a log that rests holds no file */
    fixture_deinit(&f);
}

TEST(a_commit_moves_written_then_durable)
{
    struct fixture f;
    fixture_init(&f);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    struct fixture_batch batch = plain(3, 10);
    CHECK_EQUAL(fixture_append(&f, &batch), ERR_OK);
    CHECK_EQUAL(fixture_append(&f, &batch), ERR_OK);
    CHECK_EQUAL(partition_log_assigned(f.log), 6);
    CHECK_EQUAL(partition_log_written(f.log).offset, 0);
    struct log_commit commit;
    log_commit_init(&commit);
    partition_log_take(f.log, &commit, false, 0);
    CHECK(commit.sync);
    CHECK(!partition_log_has_pending(f.log));
    int writes = f.m.writes;
    CHECK_EQUAL(partition_log_write(f.log, &commit), ERR_OK);
    CHECK_EQUAL(f.m.writes - writes, 1); /* both in one call */
    partition_log_publish_written(f.log, &commit);
    fixture_free_appends(&commit.appends);
    CHECK_EQUAL(partition_log_written(f.log).offset, 6);
    CHECK_EQUAL(partition_log_durable(f.log).offset, 0);
    CHECK(!partition_log_has_pending(f.log)); /* its sync is on its way */
    CHECK_EQUAL(partition_log_sync(f.log, &commit), ERR_OK);
    partition_log_publish_durable(f.log, &commit);
    CHECK_EQUAL(partition_log_durable(f.log).offset, 6);
    CHECK_EQUAL(fixture_read(&f, 4), 3);
    size_t size;
    const uint8_t *bytes = fixture_file(&f, "00000000000000000000.log", &size);
    struct batch_header header;
    CHECK(batch_header_read(bytes, size, &header));
    CHECK_EQUAL(header.base_offset, 0);
    CHECK_EQUAL(header.leader_epoch, 7);
    CHECK_EQUAL(batch_crc(bytes, batch_size(&header)), header.crc);
    CHECK_EQUAL(partition_log_size_bytes(f.log), size);
    fixture_deinit(&f);
}

TEST(cache_topics_sync_by_flush_settings_only)
{
    struct fixture f;
    fixture_init(&f);
    f.config.ack_disk = false;
    f.config.flush_messages = 5;
    f.config.flush_ms = 1000;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    fixture_fill(&f, 1, 2, 10);
    CHECK_EQUAL(partition_log_durable(f.log).offset, 0);
    CHECK(!partition_log_has_pending(f.log));
    CHECK_EQUAL(partition_log_next_due_ms(f.log), env_wall_ms(&f.m.env) + 1000);
    fixture_fill(&f, 1, 3, 10); /* five records: flush.messages */
    CHECK_EQUAL(partition_log_durable(f.log).offset, 5);
    CHECK_EQUAL(partition_log_next_due_ms(f.log), INT64_MAX);
    fixture_fill(&f, 1, 2, 10);
    mem_env_advance_ms(&f.m, 1001);
    CHECK(partition_log_has_pending(f.log)); /* flush.ms */
    CHECK_EQUAL(fixture_commit(&f, false), ERR_OK);
    CHECK_EQUAL(partition_log_durable(f.log).offset, 7);
    f.config.ack_disk = true; /* what was written before is synced too when the topic changes */
    fixture_fill(&f, 1, 1, 10);
    CHECK_EQUAL(partition_log_durable(f.log).offset, 7);
    partition_log_set_config(f.log, &f.config);
    CHECK(partition_log_has_pending(f.log));
    CHECK_EQUAL(fixture_commit(&f, false), ERR_OK);
    CHECK_EQUAL(partition_log_durable(f.log).offset, 8);
    fixture_deinit(&f);
}

TEST(segments_roll_by_size_inside_a_commit)
{
    struct fixture f;
    fixture_init(&f);
    f.config.segment_bytes = 1000;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    struct fixture_batch batch = plain(2, 100);
    for (int i = 0; i < 10; i++)
        CHECK_EQUAL(fixture_append(&f, &batch), ERR_OK);
    CHECK_EQUAL(fixture_commit(&f, false), ERR_OK);
    CHECK_EQUAL(partition_log_durable(f.log).offset, 20);
    CHECK(partition_log_segment_count(f.log) >= 3);
    for (int64_t offset = 0; offset < 20; offset++)
        CHECK_EQUAL(fixture_read(&f, offset), offset - offset % 2);
    size_t size;
    CHECK(fixture_file(&f, "00000000000000000006.log", &size) != NULL);
    CHECK(size <= 1000);
    CHECK(fixture_file(&f, "00000000000000000006.snapshot", &size) != NULL);
    CHECK(fixture_file(&f, "00000000000000000000.timeindex", &size) != NULL);
    CHECK_EQUAL(size, TIMEINDEX_ENTRY_BYTES); /* the final entry of a sealed segment */
    fixture_deinit(&f);
}

TEST(segments_roll_by_the_batches_time_and_on_demand)
{
    struct fixture f;
    fixture_init(&f);
    f.config.segment_ms = 5000;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    struct fixture_batch batch = plain(1, 10);
    CHECK_EQUAL(fixture_append(&f, &batch), ERR_OK);
    batch.timestamp_ms = 6000; /* exactly segment.ms later: not yet */
    CHECK_EQUAL(fixture_append(&f, &batch), ERR_OK);
    batch.timestamp_ms = 6001;
    CHECK_EQUAL(fixture_append(&f, &batch), ERR_OK);
    CHECK_EQUAL(fixture_commit(&f, false), ERR_OK);
    CHECK_EQUAL(partition_log_segment_count(f.log), 2);
    struct list retired;
    list_init(&retired);
    mem_env_jump_wall_ms(&f.m, 864000000);
    CHECK_EQUAL(partition_log_retire(f.log, env_wall_ms(&f.m.env), 3, false, &retired), 1);
    CHECK(partition_log_has_pending(f.log)); /* the last one rolls first */
    CHECK_EQUAL(fixture_commit(&f, false), ERR_OK);
    CHECK(!partition_log_has_pending(f.log));
    CHECK_EQUAL(partition_log_segment_count(f.log), 2);
    CHECK_EQUAL(partition_log_retire(f.log, env_wall_ms(&f.m.env), 3, false, &retired), 1);
    CHECK_EQUAL(partition_log_segment_count(f.log), 1);
    CHECK_EQUAL(partition_log_start_offset(f.log), 3);
    CHECK_EQUAL(partition_log_size_bytes(f.log), 0);
    CHECK_EQUAL(partition_log_delete_segments(f.log, &retired), ERR_OK);
    partition_log_unlink_retired(&f.m.env, &retired);
    fixture_deinit(&f);
}

/* How long after its first batch each of `rolls` segments is closed, by the batches' times. */
static void roll_ages(int64_t jitter_ms, uint32_t rolls, int64_t *least_ms, int64_t *most_ms)
{
    struct fixture f;
    fixture_init(&f);
    f.config.segment_ms = 1000;
    f.config.segment_jitter_ms = jitter_ms;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    struct fixture_batch batch = plain(1, 10);
    int64_t first_ms = batch.timestamp_ms;
    *least_ms = INT64_MAX;
    *most_ms = 0;
    for (uint32_t segments = 1; segments <= rolls; batch.timestamp_ms += 10) {
        CHECK_EQUAL(fixture_append(&f, &batch), ERR_OK);
        CHECK_EQUAL(fixture_commit(&f, false), ERR_OK);
        if (partition_log_segment_count(f.log) == segments)
            continue;
        *least_ms = MIN(*least_ms, batch.timestamp_ms - first_ms);
        *most_ms = MAX(*most_ms, batch.timestamp_ms - first_ms);
        first_ms = batch.timestamp_ms;
        segments++;
    }
    fixture_deinit(&f);
}

TEST(segments_roll_earlier_by_jitter)
{
    int64_t least_ms, most_ms;
    roll_ages(0, 3, &least_ms, &most_ms);
    CHECK(least_ms == 1010 && most_ms == 1010);
    roll_ages(600, 50, &least_ms, &most_ms); /* another draw for each */
    CHECK(least_ms > 400 && least_ms < 700);
    CHECK(most_ms > 700 && most_ms <= 1010);
}

TEST(index_entries_follow_the_interval)
{
    struct fixture_batch batch = plain(1, 43);
    struct iobuf_slice bytes = fixture_bytes(&batch);
    int64_t batch_bytes = (int64_t)bytes.len;
    iobuf_slice_release(&bytes);
    for (int more = 0; more < 2; more++) {
        struct fixture f;
        fixture_init(&f);
        /* More than the interval must lie between: exactly as much is not enough. */
        f.config.index_interval_bytes = 3 * batch_bytes - more;
        CHECK_EQUAL(fixture_open(&f), ERR_OK);
        for (int i = 0; i < 20; i++)
            CHECK_EQUAL(fixture_append(&f, &batch), ERR_OK);
        CHECK_EQUAL(fixture_commit(&f, false), ERR_OK);
        size_t size;
        fixture_file(&f, "00000000000000000000.index", &size);
        CHECK_EQUAL(size, 19 / (4 - more) * INDEX_ENTRY_BYTES);
        fixture_deinit(&f);
    }
}

TEST(a_full_disk_gives_offsets_back_and_later_goes_on)
{
    struct fixture f;
    fixture_init(&f);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    fixture_fill(&f, 3, 2, 100);
    struct fixture_batch batch = plain(2, 100);
    batch.producer_id = 5;
    CHECK_EQUAL(fixture_append(&f, &batch), ERR_OK);
    CHECK_EQUAL(partition_log_producer_count(f.log), 1);
    f.m.fail_at = 1;
    f.m.fail_with = ERR_NO_SPACE;
    int64_t size = partition_log_size_bytes(f.log);
    CHECK_EQUAL(fixture_commit(&f, false), ERR_NO_SPACE);
    CHECK_EQUAL(partition_log_assigned(f.log), 6);
    CHECK_EQUAL(partition_log_producer_count(f.log), 0);
    CHECK_EQUAL(partition_log_size_bytes(f.log), size);
    fixture_fill(&f, 1, 4, 10);
    CHECK_EQUAL(partition_log_durable(f.log).offset, 10);
    fixture_free(&f);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK_EQUAL(partition_log_durable(f.log).offset, 10);
    CHECK_EQUAL(f.report.cut_bytes, 0);
    fixture_deinit(&f);
}

/* The batch is written and seen, and not durable yet. */
static void write_one(struct fixture *f, const struct fixture_batch *batch, bool force_sync,
                      struct log_commit *commit)
{
    CHECK_EQUAL(fixture_append(f, batch), ERR_OK);
    log_commit_init(commit);
    partition_log_take(f->log, commit, force_sync, 0);
    CHECK_EQUAL(partition_log_write(f->log, commit), ERR_OK);
    partition_log_publish_written(f->log, commit);
    fixture_free_appends(&commit->appends);
}

TEST(after_a_failed_sync_nothing_is_written_any_more)
{
    struct fixture f;
    fixture_init(&f);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    fixture_fill(&f, 1, 2, 100);
    struct fixture_batch batch = plain(1, 10);
    struct log_commit commit;
    write_one(&f, &batch, false, &commit);
    CHECK_EQUAL(fixture_append(&f, &batch), ERR_OK); /* came meanwhile */
    f.m.fail_at = 1;
    CHECK_EQUAL(partition_log_sync(f.log, &commit), ERR_IO);
    partition_log_fail(f.log, &commit);
    CHECK(!list_is_empty(&commit.appends));
    fixture_free_appends(&commit.appends);
    CHECK_EQUAL(partition_log_assigned(f.log), 3); /* what was written stays */
    CHECK_EQUAL(partition_log_durable(f.log).offset, 2);
    CHECK_EQUAL(fixture_append(&f, &batch), ERR_OK);
    CHECK_EQUAL(fixture_commit(&f, false), ERR_IO);
    fixture_deinit(&f);
}

/* Each call fails once in its turn, with a full disk and with an error: whatever happens, what was
 * durable is there after a restart, and nothing that was given back. */
static bool survive(enum err kind, int fail_at)
{
    struct fixture f;
    fixture_init(&f);
    f.config.segment_bytes = 700;
    f.config.index_interval_bytes = 100;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    fixture_fill(&f, 4, 2, 60);
    int64_t durable = partition_log_durable(f.log).offset;
    partition_log_begin_epoch(f.log, 9);
    for (int i = 0; i < 6; i++) {
        struct fixture_batch batch = plain(2, 60);
        batch.producer_id = 1 + i % 2;
        batch.sequence = 2 * (i / 2);
        CHECK_EQUAL(fixture_append(&f, &batch), ERR_OK);
    }
    f.m.fail_at = fail_at;
    f.m.fail_with = kind;
    enum err e = fixture_commit(&f, false);
    bool failed = f.m.fail_at == 0;
    f.m.fail_at = 0;
    int64_t assigned = partition_log_assigned(f.log);
    int64_t written = partition_log_written(f.log).offset;
    CHECK_EQUAL(assigned, written);
    if (e == ERR_OK)
        CHECK_EQUAL(partition_log_durable(f.log).offset, durable + 12);
    else if (written == durable)
        CHECK_EQUAL(partition_log_producer_count(f.log), 0);
    for (int64_t offset = 0; offset < written; offset++)
        CHECK_EQUAL(fixture_read(&f, offset), offset - offset % 2);
    if (e == ERR_NO_SPACE)
        fixture_fill(&f, 1, 2, 10);
    int64_t kept = partition_log_durable(f.log).offset;
    fixture_free(&f);
    CHECK_EQUAL(f.m.open_fds, 0);
    f.recovery_point = kept;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK(partition_log_durable(f.log).offset >= kept);
    CHECK(partition_log_durable(f.log).offset <= written + 2);
    for (int64_t offset = 0; offset < kept; offset++)
        CHECK_EQUAL(fixture_read(&f, offset), offset - offset % 2);
    fixture_deinit(&f);
    return failed;
}

TEST(a_commit_survives_each_io_failure)
{
    int n = 1;
    while (survive(ERR_NO_SPACE, n))
        n++;
    CHECK(n > 10);
    for (n = 1; survive(ERR_IO, n);)
        n++;
}

TEST(memory_that_cannot_be_had_changes_nothing)
{
    struct fixture f;
    fixture_init(&f);
    f.config.segment_bytes = 300;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    fixture_fill(&f, 2, 1, 50);
    struct log_append append = {0};
    struct fixture_batch batch = plain(1, 150);
    batch.producer_id = 3;
    list_init(&append.link);
    append.bytes = fixture_bytes(&batch);
    CHECK(batch_header_read(append.bytes.data, append.bytes.len, &append.header));
    for (int n = 1; n <= 2; n++) { /* the roll, then the producer */
        mem_fail_at(n);
        CHECK_EQUAL(partition_log_assign(f.log, &append, 1, 0), ERR_NO_MEMORY);
        mem_fail_at(0);
        CHECK_EQUAL(partition_log_assigned(f.log), 2);
        CHECK_EQUAL(partition_log_producer_count(f.log), 0);
    }
    iobuf_slice_release(&append.bytes);
    fixture_fill(&f, 1, 1, 150);
    CHECK_EQUAL(partition_log_segment_count(f.log), 2);
    fixture_deinit(&f);
}

/* Its file was closed since it was written, and cannot be opened so often, then it can. */
static enum err sync_without_descriptors(enum err why, int tries)
{
    struct fixture f;
    fixture_init(&f);
    f.config.segment_bytes = 600;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    fixture_fill(&f, 1, 1, 400);
    struct fixture_batch batch = plain(1, 400);
    struct log_commit commit;
    write_one(&f, &batch, true, &commit);
    CHECK_EQUAL(partition_log_segment_count(f.log), 2);
    segment_close_files(f.log->segments[0]);
    f.m.fail_at = 1;
    f.m.fail_more = tries - 1;
    f.m.fail_with = why;
    enum err e = partition_log_sync(f.log, &commit);
    f.m.fail_at = 0;
    if (e == ERR_OK) {
        partition_log_publish_durable(f.log, &commit);
        fixture_fill(&f, 1, 1, 150);
    }
    fixture_deinit(&f);
    return e;
}

TEST(a_sync_waits_for_a_descriptor)
{
    CHECK_EQUAL(sync_without_descriptors(ERR_FULL, 1), ERR_OK);
    CHECK_EQUAL(sync_without_descriptors(ERR_FULL, 400), ERR_OK);
    CHECK_EQUAL(sync_without_descriptors(ERR_NO_MEMORY, 3), ERR_OK);
    CHECK_EQUAL(sync_without_descriptors(ERR_FULL, 100000), ERR_IO); /* not for ever */
    CHECK_EQUAL(sync_without_descriptors(ERR_IO, 1), ERR_IO);
}

TEST(epochs_begin_at_the_assigned_end_and_come_back)
{
    struct fixture f;
    fixture_init(&f);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    partition_log_begin_epoch(f.log, f.leader_epoch = 3);
    fixture_fill(&f, 2, 2, 10);
    partition_log_begin_epoch(f.log, f.leader_epoch = 5);
    partition_log_begin_epoch(f.log, 4); /* lower: no change */
    fixture_fill(&f, 1, 2, 10);
    fixture_free(&f);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK_EQUAL(partition_log_last_epoch(f.log), 5);
    int32_t epoch;
    int64_t end;
    partition_log_epoch_end(f.log, 3, &epoch, &end);
    CHECK_EQUAL(epoch, 3);
    CHECK_EQUAL(end, 4);
    partition_log_epoch_end(f.log, 99, &epoch, &end);
    CHECK_EQUAL(epoch, -1);
    fixture_deinit(&f);
}

TEST(sealed_segments_of_cache_topics_are_synced_by_housekeeping)
{
    struct fixture f;
    fixture_init(&f);
    f.config.ack_disk = false;
    f.config.segment_bytes = 1000;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    fixture_fill(&f, 10, 2, 100);
    CHECK_EQUAL(partition_log_durable(f.log).offset, 0);
    struct log_position durable;
    CHECK_EQUAL(partition_log_sync_sealed(f.log, &durable), ERR_OK);
    partition_log_publish_sealed(f.log, &durable);
    CHECK_EQUAL(partition_log_durable(f.log).offset, 18); /* where the last segment begins */
    CHECK_EQUAL(partition_log_recovery_point(f.log), 18);
    CHECK_EQUAL(partition_log_sync_sealed(f.log, &durable), ERR_OK);
    CHECK_EQUAL(durable.offset, -1);
    partition_log_publish_sealed(f.log, &durable);
    CHECK_EQUAL(partition_log_durable(f.log).offset, 18);
    fixture_fill(&f, 10, 2, 100);
    f.m.fail_at = 1;
    CHECK_EQUAL(partition_log_sync_sealed(f.log, &durable), ERR_IO);
    struct fixture_batch batch = plain(1, 10);
    CHECK_EQUAL(fixture_append(&f, &batch), ERR_OK);
    CHECK_EQUAL(fixture_commit(&f, false), ERR_IO);
    fixture_deinit(&f);
}

TEST(a_log_that_rests_lets_its_files_go)
{
    struct fixture f;
    fixture_init(&f);
    f.config.segment_bytes = 1000;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    fixture_fill(&f, 10, 2, 100);
    CHECK_EQUAL(fixture_read(&f, 0), 0);
    CHECK(f.m.open_fds > 3);
    struct log_segments all;
    partition_log_hold_segments(f.log, &all);
    log_segments_end(&all);
    log_segments_release(&all);
    CHECK_EQUAL(f.m.open_fds, 0);
    fixture_fill(&f, 10, 2, 100);
    for (int64_t offset = 0; offset < 40; offset++)
        CHECK_EQUAL(fixture_read(&f, offset), offset - offset % 2);
    fixture_deinit(&f);
}

static void stop_clean(struct fixture *f)
{
    int64_t recovery_point = -1;
    CHECK_EQUAL(partition_log_close_clean(f->log, &recovery_point), ERR_OK);
    CHECK_EQUAL(recovery_point, partition_log_assigned(f->log));
    f->recovery_point = recovery_point;
    f->was_clean = true;
    fixture_free(f);
}

TEST(a_stop_of_what_did_not_change_touches_nothing)
{
    struct fixture f;
    fixture_init(&f);
    for (int start = 0; start < 6; start++) {
        CHECK_EQUAL(fixture_open(&f), ERR_OK);
        partition_log_begin_epoch(f.log, f.leader_epoch + start);
        f.leader_epoch += start;
        bool is_written = start == 1 || start == 4;
        if (is_written)
            fixture_fill(&f, 3, 2, 100);
        int calls = f.m.io_calls;
        stop_clean(&f);
        CHECK_EQUAL(f.m.io_calls != calls, is_written);
    }
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    for (int64_t offset = 0; offset < 12; offset++)
        CHECK_EQUAL(fixture_read(&f, offset), offset - offset % 2);
    fixture_deinit(&f);
}

/* The last segment's files were closed since, and cannot be opened just now. */
static enum err write_without_files(enum err why)
{
    struct fixture f;
    fixture_init(&f);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    fixture_fill(&f, 1, 1, 400);
    struct fixture_batch batch = plain(1, 400);
    CHECK_EQUAL(fixture_append(&f, &batch), ERR_OK);
    struct log_commit commit;
    log_commit_init(&commit);
    partition_log_take(f.log, &commit, true, 0);
    segment_close_files(f.log->active);
    f.m.fail_at = 1;
    f.m.fail_more = 1000;
    f.m.fail_with = why;
    enum err e = partition_log_write(f.log, &commit);
    f.m.fail_at = f.m.fail_more = 0;
    partition_log_fail(f.log, &commit);
    fixture_free_appends(&commit.appends);
    fixture_deinit(&f);
    return e;
}

TEST(a_write_that_finds_no_descriptor_or_no_memory_may_be_repeated)
{
    CHECK_EQUAL(write_without_files(ERR_FULL), ERR_FULL);
    CHECK_EQUAL(write_without_files(ERR_NO_MEMORY), ERR_NO_MEMORY);
}

// SPDX-License-Identifier: Apache-2.0
/* Opening logs: after clean stops, crashes, tears, rot and interrupted deletions. Thread: the
 * test's. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/testing.h"
#include "log/log_fixture.h"

enum { BATCHES = 12, RECORDS = 2 };

/* Segments at 0, 8 and 16; twelve batches of two records, one producer. */
static void build(struct fixture *f)
{
    fixture_init(f);
    f->config.segment_bytes = 600;
    f->config.index_interval_bytes = 150;
    CHECK_EQUAL(fixture_open(f), ERR_OK);
    for (int i = 0; i < BATCHES; i++) {
        struct fixture_batch batch = {.records = RECORDS,
                                      .payload = 24,
                                      .timestamp_ms = 1000 + 10 * i,
                                      .producer_id = 9,
                                      .sequence = RECORDS * i};
        CHECK_EQUAL(fixture_append(f, &batch), ERR_OK);
        CHECK_EQUAL(fixture_commit(f, false), ERR_OK);
    }
    CHECK_EQUAL(partition_log_segment_count(f->log), 3);
}

#define FIRST_LOG  "t-0/00000000000000000000.log"
#define MIDDLE_LOG "t-0/00000000000000000008.log"
#define LAST_LOG   "t-0/00000000000000000016.log"

static void check_readable(struct fixture *f, int64_t end)
{
    CHECK_EQUAL(partition_log_written(f->log).offset, end);
    for (int64_t offset = partition_log_start_offset(f->log); offset < end; offset++)
        CHECK_EQUAL(fixture_read(f, offset), offset - offset % RECORDS);
}

static void truncate_file(struct fixture *f, const char *path, int64_t size)
{
    struct env_file *file;
    CHECK_EQUAL(env_file_open(&f->m.env, path, ENV_READ | ENV_WRITE, &file), ERR_OK);
    CHECK_EQUAL(env_file_truncate(file, size), ERR_OK);
    env_file_unref(file);
}

static void write_file(struct fixture *f, const char *path, const void *data, size_t size,
                       int64_t pos)
{
    struct env_file *file;
    CHECK_EQUAL(env_file_open(&f->m.env, path, ENV_READ | ENV_WRITE | ENV_CREATE, &file), ERR_OK);
    uint8_t copy[2048];
    CHECK(size <= sizeof(copy));
    memcpy(copy, data, size);
    struct iovec iov = {copy, size};
    CHECK_EQUAL(env_file_write(file, &iov, 1, pos), ERR_OK);
    env_file_unref(file);
}

static bool file_is_there(struct fixture *f, const char *path)
{
    size_t size;
    return mem_env_file_bytes(&f->m, path, &size) != NULL;
}

/* The indexes of the last segment, to be compared with those made anew. */
static size_t copy_file(struct fixture *f, const char *path, uint8_t *out, size_t room)
{
    size_t size;
    const uint8_t *bytes = mem_env_file_bytes(&f->m, path, &size);
    CHECK(bytes != NULL && size <= room);
    memcpy(out, bytes, size);
    return size;
}

TEST(a_crash_is_scanned_from_the_recovery_point_only)
{
    struct fixture f;
    build(&f);
    int64_t size = partition_log_size_bytes(f.log);
    int64_t producers = partition_log_producer_count(f.log);
    fixture_free(&f);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK_EQUAL(f.report.scanned_bytes, size);
    CHECK_EQUAL(f.report.cut_bytes, 0);
    CHECK_TEXT(f.report.detail, "");
    CHECK_EQUAL(partition_log_size_bytes(f.log), size);
    CHECK_EQUAL(partition_log_producer_count(f.log), producers);
    check_readable(&f, BATCHES * RECORDS);
    fixture_free(&f);
    f.recovery_point = 20; /* in the last segment: that one only */
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK_EQUAL(f.report.scanned_bytes, size / 3);
    check_readable(&f, BATCHES * RECORDS);
    fixture_fill(&f, 1, 2, 24);
    check_readable(&f, BATCHES * RECORDS + 2);
    fixture_deinit(&f);
}

TEST(a_clean_stop_scans_nothing_and_goes_on)
{
    struct fixture f;
    build(&f);
    uint8_t index[512];
    uint8_t time[512];
    int64_t recovery_point = -1;
    CHECK_EQUAL(partition_log_close_clean(f.log, &recovery_point), ERR_OK);
    CHECK_EQUAL(recovery_point, BATCHES * RECORDS);
    fixture_free(&f);
    size_t index_size = copy_file(&f, "t-0/00000000000000000016.index", index, sizeof(index));
    size_t time_size = copy_file(&f, "t-0/00000000000000000016.timeindex", time, sizeof(time));
    CHECK(index_size > 0 && time_size > 0);
    f.was_clean = true;
    f.recovery_point = recovery_point;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK_EQUAL(f.report.scanned_bytes, 0);
    check_readable(&f, BATCHES * RECORDS);
    struct producer_info info;
    CHECK_EQUAL(partition_log_producers(f.log, &info, 1), 1);
    CHECK_EQUAL(info.last_sequence, BATCHES * RECORDS - 1);
    fixture_fill(&f, 5, 2, 24);
    check_readable(&f, BATCHES * RECORDS + 10);
    fixture_free(&f);
    f.was_clean = false;
    f.recovery_point = 0;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK_TEXT(f.report.detail, "");
    check_readable(&f, BATCHES * RECORDS + 10);
    fixture_deinit(&f);
}

/* The file is cut at every byte: what is left is the whole batches before it. */
TEST(a_tear_at_every_byte)
{
    struct fixture f;
    build(&f);
    int64_t size = partition_log_size_bytes(f.log) / 3;
    fixture_deinit(&f);
    int64_t batch = size / 4;
    for (int64_t cut = 0; cut <= size; cut++) {
        build(&f);
        fixture_free(&f);
        truncate_file(&f, LAST_LOG, cut);
        CHECK_EQUAL(fixture_open(&f), ERR_OK);
        check_readable(&f, 16 + cut / batch * RECORDS);
        /* The first bytes of an offset are zeros, as preallocated space is. */
        CHECK_EQUAL(f.report.cut_bytes, cut % batch <= 7 ? 0 : cut % batch);
        CHECK(!f.report.found_rot);
        CHECK_EQUAL(partition_log_producer_count(f.log), 1);
        struct producer_info info;
        CHECK_EQUAL(partition_log_producers(f.log, &info, 1), 1);
        CHECK_EQUAL(info.last_sequence, partition_log_written(f.log).offset - 1);
        fixture_fill(&f, 1, 2, 24);
        check_readable(&f, 16 + cut / batch * RECORDS + 2);
        fixture_deinit(&f);
    }
}

static bool side_file_is(struct fixture *f, int64_t pos, size_t expected)
{
    char path[64];
    size_t size;
    snprintf(path, sizeof(path), "t-0/00000000000000000016-%lld.rot", (long long)pos);
    return mem_env_file_bytes(&f->m, path, &size) != NULL && size == expected;
}

/* One bit anywhere in the last segment: the batches before it stay; when there are others behind
 * it, it is rot, and the bytes are kept. */
TEST(a_flipped_bit_at_every_byte)
{
    struct fixture f;
    build(&f);
    int64_t size = partition_log_size_bytes(f.log) / 3;
    fixture_deinit(&f);
    int64_t batch = size / 4;
    for (int64_t at = 0; at < size; at++) {
        bool is_checked = at % batch >= 12 + 4 && at % batch != 8; /* magic, CRC and behind */
        build(&f);
        fixture_free(&f);
        size_t file_size;
        mem_env_file_bytes(&f.m, LAST_LOG, &file_size)[at] ^= (uint8_t)(1 << at % 8);
        CHECK_EQUAL(fixture_open(&f), ERR_OK);
        int64_t kept = at / batch;
        int64_t end = partition_log_written(f.log).offset;
        CHECK(end >= 16 + kept * RECORDS);
        for (int64_t offset = 0; offset < 16 + kept * RECORDS; offset++)
            CHECK_EQUAL(fixture_read(&f, offset), offset - offset % RECORDS);
        if (is_checked) {
            check_readable(&f, 16 + kept * RECORDS);
            CHECK_EQUAL(f.report.cut_bytes, size - kept * batch);
            CHECK_EQUAL(f.report.found_rot, kept < 3);
            CHECK_EQUAL(side_file_is(&f, kept * batch, (size_t)(size - kept * batch)), kept < 3);
            CHECK(strstr(f.report.detail, "00000000000000000016.log") != NULL);
        }
        fixture_deinit(&f);
    }
}

TEST(a_bad_batch_below_the_recovery_point_is_refused)
{
    struct fixture f;
    build(&f);
    fixture_free(&f);
    f.recovery_point = 22;
    size_t size;
    uint8_t *bytes = mem_env_file_bytes(&f.m, LAST_LOG, &size);
    bytes[16] = 9; /* the magic of the first batch */
    CHECK_EQUAL(fixture_open(&f), ERR_CORRUPT);
    CHECK(strstr(f.report.detail, "00000000000000000016.log: bad batch at 0") != NULL);
    CHECK(f.report.cut_below_recovery_point);
    size_t after;
    CHECK(mem_env_file_bytes(&f.m, LAST_LOG, &after) != NULL);
    CHECK_EQUAL(after, size); /* nothing was cut */
    bytes[16] = 2;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    check_readable(&f, BATCHES * RECORDS);
    fixture_deinit(&f);
}

TEST(an_end_below_the_recovery_point_is_told)
{
    struct fixture f;
    build(&f);
    fixture_free(&f);
    f.recovery_point = 24;
    truncate_file(&f, LAST_LOG, 0);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK(f.report.cut_below_recovery_point);
    check_readable(&f, 16);
    fixture_deinit(&f);
}

TEST(zeros_behind_the_end_are_preallocated_space)
{
    struct fixture f;
    build(&f);
    fixture_free(&f);
    size_t size;
    CHECK(mem_env_file_bytes(&f.m, LAST_LOG, &size) != NULL);
    truncate_file(&f, LAST_LOG, (int64_t)size + 5000);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK_EQUAL(f.report.cut_bytes, 0);
    CHECK_TEXT(f.report.detail, "");
    check_readable(&f, BATCHES * RECORDS);
    fixture_deinit(&f);
    fixture_init(&f);
    f.config.preallocate = true;
    f.config.segment_bytes = 2000;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    fixture_fill(&f, 30, 2, 100);
    check_readable(&f, 60);
    fixture_free(&f);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK_EQUAL(f.report.cut_bytes, 0);
    check_readable(&f, 60);
    fixture_deinit(&f);
}

/* The power went after the roll and before its sync: all records are durable, the size is not. */
TEST(a_segment_sealed_at_the_recovery_point_is_not_trusted)
{
    struct fixture f;
    build(&f);
    fixture_free(&f);
    f.recovery_point = 16;
    static const char path[] = "t-0/00000000000000000008.log";
    size_t before;
    CHECK(mem_env_file_bytes(&f.m, path, &before) != NULL);
    truncate_file(&f, path, (int64_t)before + 5000);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    size_t after;
    CHECK(mem_env_file_bytes(&f.m, path, &after) != NULL);
    CHECK_EQUAL(after, before);
    CHECK_EQUAL(f.report.cut_bytes, 0);
    check_readable(&f, BATCHES * RECORDS);
    fixture_deinit(&f);
}

/* As compaction leaves it. */
TEST(a_segment_sealed_at_the_recovery_point_may_end_before_it)
{
    struct fixture f;
    build(&f);
    fixture_free(&f);
    f.recovery_point = 16;
    static const char path[] = "t-0/00000000000000000008.log";
    size_t size;
    CHECK(mem_env_file_bytes(&f.m, path, &size) != NULL);
    truncate_file(&f, path, (int64_t)size / 2); /* two of its four batches */
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK_EQUAL(fixture_read(&f, 10), 10);
    CHECK_EQUAL(fixture_read(&f, 22), 22);
    fixture_deinit(&f);
}

/* A sealed segment is trusted by its size. */
TEST(a_sealed_segment_is_trimmed_though_its_topic_preallocates_no_more)
{
    struct fixture f;
    fixture_init(&f);
    f.config.preallocate = true;
    f.config.segment_bytes = 1000;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    fixture_fill(&f, 2, 1, 300);
    f.config.preallocate = false;
    partition_log_set_config(f.log, &f.config);
    fixture_fill(&f, 4, 1, 300);
    CHECK(partition_log_segment_count(f.log) > 1);
    size_t size;
    uint8_t *bytes = fixture_file(&f, "00000000000000000000.log", &size);
    struct batch_walk walk = {bytes, size};
    struct batch_header header;
    const uint8_t *batch;
    enum err e;
    while ((e = batch_next(&walk, &header, &batch)) == ERR_OK)
        continue;
    CHECK_EQUAL(e, ERR_NOT_FOUND); /* batches to the end */
    fixture_deinit(&f);
}

/* A sealed segment lost its end, the one behind it did not: not silently joined. */
TEST(a_hole_between_segments_ends_the_log)
{
    struct fixture f;
    build(&f);
    int64_t batch = partition_log_size_bytes(f.log) / BATCHES;
    fixture_free(&f);
    truncate_file(&f, MIDDLE_LOG, 2 * batch);
    f.recovery_point = 14;
    CHECK_EQUAL(fixture_open(&f), ERR_CORRUPT);
    CHECK(f.report.cut_below_recovery_point);
    f.recovery_point = 10;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK(f.report.found_rot);
    check_readable(&f, 12);
    CHECK(file_is_there(&f, "t-0/00000000000000000016-0.rot"));
    CHECK(!file_is_there(&f, LAST_LOG));
    CHECK(!file_is_there(&f, "t-0/00000000000000000016.index"));
    fixture_fill(&f, 3, 2, 24);
    check_readable(&f, 18);
    fixture_deinit(&f);
}

/* The first segment again, with this behind it, and a crash. */
static void append_to_first(struct fixture *f, const uint8_t *batch, size_t size)
{
    size_t end;
    CHECK(mem_env_file_bytes(&f->m, FIRST_LOG, &end) != NULL);
    write_file(f, FIRST_LOG, batch, size, (int64_t)end);
    f->recovery_point = 0;
}

static size_t first_batch_of(struct fixture *f, const char *path, uint8_t *out, size_t room)
{
    size_t size;
    struct batch_header header;
    const uint8_t *bytes = mem_env_file_bytes(&f->m, path, &size);
    CHECK(bytes != NULL && batch_header_read(bytes, size, &header));
    CHECK(batch_size(&header) <= room);
    memcpy(out, bytes, batch_size(&header));
    return batch_size(&header);
}

/* A write that found no room was cut off, then the next segment was begun, without a sync as the
 * topic wants none; a power cut brings the cut bytes back. */
TEST(what_lies_behind_the_begin_of_the_next_segment_is_cut)
{
    struct fixture f;
    uint8_t batch[512];
    build(&f);
    fixture_free(&f);
    size_t size = first_batch_of(&f, MIDDLE_LOG, batch, sizeof(batch));
    append_to_first(&f, batch, size);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK_EQUAL(partition_log_segment_count(f.log), 3);
    CHECK_EQUAL(f.report.cut_bytes, (int64_t)size);
    CHECK_EQUAL(f.report.missing_offsets, 0);
    check_readable(&f, BATCHES * RECORDS);
    fixture_free(&f);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK_EQUAL(f.report.cut_bytes, 0);
    fixture_deinit(&f);
}

/* It ends in the middle of the next segment, which has a snapshot for its begin: what follows is
 * set aside, the snapshots too. */
TEST(a_segment_that_reaches_into_the_next_one_ends_the_log)
{
    struct fixture f;
    uint8_t batch[512];
    struct batch_header header;
    build(&f);
    fixture_free(&f);
    size_t first_size;
    const uint8_t *first = mem_env_file_bytes(&f.m, FIRST_LOG, &first_size);
    size_t at = 0, last = 0;
    for (; at < first_size && batch_header_read(first + at, first_size - at, &header);
         at += batch_size(&header))
        last = at;
    memcpy(batch, first + last, first_size - last);
    batch_stamp(batch, header.base_offset + 1, header.leader_epoch);
    write_file(&f, FIRST_LOG, batch, first_size - last, (int64_t)last);
    f.recovery_point = 0;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK_EQUAL(partition_log_segment_count(f.log), 1);
    CHECK_EQUAL(partition_log_written(f.log).offset, header.base_offset + 1 + RECORDS);
    CHECK(f.report.cut_bytes > 0);
    CHECK(!file_is_there(&f, MIDDLE_LOG) && !file_is_there(&f, LAST_LOG));
    fixture_fill(&f, 1, 2, 24);
    fixture_deinit(&f);
}

TEST(indexes_that_are_missing_or_wrong_are_made_anew)
{
    static const char *const damaged[] = {
        "t-0/00000000000000000000.index", "t-0/00000000000000000000.timeindex",
        "t-0/00000000000000000016.index", "t-0/00000000000000000016.timeindex"};
    for (size_t i = 0; i < ARRAY_COUNT(damaged); i++) {
        for (int how = 0; how < 4; how++) {
            struct fixture f;
            build(&f);
            int64_t recovery_point;
            CHECK_EQUAL(partition_log_close_clean(f.log, &recovery_point), ERR_OK);
            fixture_free(&f);
            uint8_t before[512];
            size_t size = copy_file(&f, damaged[i], before, sizeof(before));
            CHECK(size >= 8);
            if (how == 0)
                CHECK_EQUAL(env_path_unlink(&f.m.env, damaged[i]), ERR_OK);
            else if (how == 1)
                truncate_file(&f, damaged[i], (int64_t)size - 1);
            else if (how == 2)
                write_file(&f, damaged[i], "\xff\xff\xff\xff\xff\xff\xff\xff", 8,
                           (int64_t)size - 8);
            else
                truncate_file(&f, damaged[i], 1200); /* zeros, as Kafka preallocates: fine */
            f.was_clean = true;
            f.recovery_point = recovery_point;
            CHECK_EQUAL(fixture_open(&f), ERR_OK);
            check_readable(&f, BATCHES * RECORDS);
            uint8_t after[2048];
            size_t new_size = copy_file(&f, damaged[i], after, sizeof(after));
            bool is_last = i >= 2;
            if (how < 3)
                CHECK(f.report.scanned_bytes > 0);
            /* A sealed one keeps its zeros; the final time entry of the last one comes at its end.
             */
            if (how < 3 && !is_last)
                CHECK(new_size == size && memcmp(before, after, size) == 0);
            if (how == 3 && is_last)
                CHECK_EQUAL(new_size, size);
            fixture_fill(&f, 6, 2, 24);
            check_readable(&f, BATCHES * RECORDS + 12);
            fixture_deinit(&f);
        }
    }
}

TEST(the_indexes_made_anew_are_those_that_were_written)
{
    struct fixture f;
    fixture_init(&f);
    f.config.index_interval_bytes = 1000;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    for (int i = 0; i < 200; i++) {
        struct fixture_batch batch = {.records = 1 + i % 7,
                                      .payload = (size_t)(10 + i * 37 % 400),
                                      .timestamp_ms = 5000 + i * 13 % 300,
                                      .producer_id = -1};
        CHECK_EQUAL(fixture_append(&f, &batch), ERR_OK);
        if (i % 5 == 0)
            CHECK_EQUAL(fixture_commit(&f, false), ERR_OK);
    }
    CHECK_EQUAL(fixture_commit(&f, false), ERR_OK);
    fixture_free(&f);
    uint8_t index[2][4096];
    uint8_t time[2][4096];
    size_t index_size[2];
    size_t time_size[2];
    for (int i = 0; i < 2; i++) {
        index_size[i] = copy_file(&f, "t-0/00000000000000000000.index", index[i], sizeof(index[i]));
        time_size[i] =
            copy_file(&f, "t-0/00000000000000000000.timeindex", time[i], sizeof(time[i]));
        if (i == 0) {
            CHECK_EQUAL(fixture_open(&f), ERR_OK);
            fixture_free(&f);
        }
    }
    CHECK(index_size[0] > 100 && time_size[0] > 24);
    CHECK_EQUAL(index_size[0], index_size[1]);
    CHECK_EQUAL(time_size[0], time_size[1]);
    CHECK(memcmp(index[0], index[1], index_size[0]) == 0);
    CHECK(memcmp(time[0], time[1], time_size[0]) == 0);
    fixture_deinit(&f);
}

TEST(interrupted_deletions_and_compactions_are_finished)
{
    struct fixture f;
    build(&f);
    fixture_free(&f);
    CHECK_EQUAL(env_path_rename(&f.m.env, FIRST_LOG, FIRST_LOG ".deleted"), ERR_OK);
    write_file(&f, "t-0/00000000000000000099.index", "x", 1, 0);
    write_file(&f, "t-0/00000000000000000003.log.cleaned", "x", 1, 0);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK_EQUAL(partition_log_start_offset(f.log), 8);
    check_readable(&f, BATCHES * RECORDS);
    CHECK(!file_is_there(&f, FIRST_LOG ".deleted"));
    CHECK(!file_is_there(&f, "t-0/00000000000000000000.index"));
    CHECK(!file_is_there(&f, "t-0/00000000000000000099.index"));
    CHECK(!file_is_there(&f, "t-0/00000000000000000003.log.cleaned"));
    fixture_deinit(&f);

    build(&f); /* the first two were compacted into one: here simply the first again */
    fixture_free(&f);
    CHECK_EQUAL(env_path_rename(&f.m.env, FIRST_LOG, FIRST_LOG ".swap"), ERR_OK);
    f.recovery_point = 16;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    check_readable(&f, BATCHES * RECORDS);
    CHECK(!file_is_there(&f, FIRST_LOG ".swap"));
    fixture_deinit(&f);
}

TEST(producers_come_from_the_newest_snapshot_that_can_be_read)
{
    struct fixture f;
    build(&f);
    fixture_free(&f);
    size_t size;
    uint8_t *snapshot = mem_env_file_bytes(&f.m, "t-0/00000000000000000016.snapshot", &size);
    CHECK(snapshot != NULL);
    snapshot[size - 1] ^= 1;
    write_file(&f, "t-0/00000000000000000500.snapshot", "x", 1, 0); /* of a future that was lost */
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    struct producer_info info;
    CHECK_EQUAL(partition_log_producers(f.log, &info, 1), 1);
    CHECK_EQUAL(info.last_sequence, BATCHES * RECORDS - 1);
    CHECK(!file_is_there(&f, "t-0/00000000000000000016.snapshot"));
    CHECK(!file_is_there(&f, "t-0/00000000000000000500.snapshot"));
    CHECK(file_is_there(&f, "t-0/00000000000000000008.snapshot"));
    fixture_deinit(&f);
}

/* Nine batches: the last segment has one, its snapshot only the newest before it. */
TEST(repeats_of_the_last_five_are_known_across_a_roll)
{
    struct fixture f;
    fixture_init(&f);
    f.config.segment_bytes = 600;
    f.config.index_interval_bytes = 150;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    for (int i = 0; i < 9; i++) {
        struct fixture_batch batch = {.records = RECORDS,
                                      .payload = 24,
                                      .timestamp_ms = 1000,
                                      .producer_id = 9,
                                      .sequence = RECORDS * i};
        CHECK_EQUAL(fixture_append(&f, &batch), ERR_OK);
        CHECK_EQUAL(fixture_commit(&f, false), ERR_OK);
    }
    CHECK_EQUAL(partition_log_segment_count(f.log), 3);
    fixture_free(&f);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    for (int i = 0; i < 9; i++) {
        struct batch_header header = {.producer_id = 9,
                                      .base_sequence = RECORDS * i,
                                      .last_offset_delta = RECORDS - 1,
                                      .record_count = RECORDS};
        struct producer_check check = partition_log_check_producer(f.log, &header, 1000);
        CHECK_EQUAL(check.verdict, i >= 4 ? PRODUCER_REPEAT : PRODUCER_OUT_OF_ORDER);
        CHECK_EQUAL(check.first_offset, i >= 4 ? RECORDS * i : -1);
    }
    fixture_deinit(&f);
}

TEST(a_full_disk_does_not_keep_a_log_from_opening)
{
    struct fixture f;
    build(&f);
    fixture_free(&f);
    truncate_file(&f, "t-0/00000000000000000016.index", 0);
    truncate_file(&f, "t-0/00000000000000000016.timeindex", 0);
    f.recovery_point = 16;
    f.m.space_bytes = f.m.used_bytes;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    check_readable(&f, BATCHES * RECORDS);
    f.m.space_bytes = INT64_MAX;
    fixture_fill(&f, 8, 2, 24);
    check_readable(&f, BATCHES * RECORDS + 16);
    fixture_free(&f);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK_TEXT(f.report.detail, "");
    check_readable(&f, BATCHES * RECORDS + 16);
    fixture_deinit(&f);
}

TEST(another_topics_directory_is_refused)
{
    struct fixture f;
    build(&f);
    fixture_free(&f);
    struct log_open_options options = {
        .dir = "t-0", .topic_id = {{9}}, .config = &f.config, .was_clean = false};
    CHECK_EQUAL(partition_log_open(&f.m.env, &options, &f.report, &f.log), ERR_CONFLICT);
    write_file(&f, "t-0/partition.metadata", "version: 7", 10, 0);
    CHECK_EQUAL(fixture_open(&f), ERR_CORRUPT);
    fixture_deinit(&f);
}

TEST(checkpoints_of_another_log_hide_nothing)
{
    struct fixture f;
    build(&f);
    fixture_free(&f);
    f.log_start = 1000;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK_EQUAL(partition_log_start_offset(f.log), 0);
    check_readable(&f, BATCHES * RECORDS);
    fixture_free(&f);
    f.log_start = 9;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    CHECK_EQUAL(partition_log_start_offset(f.log), 9);
    CHECK_EQUAL(fixture_read(&f, 8), -2);
    CHECK_EQUAL(fixture_read(&f, 9), 8);
    fixture_deinit(&f);
}

/* Each call fails once; then the same directory opens as if nothing had been. */
TEST(opening_survives_each_io_failure)
{
    for (int kind = 0; kind < 3; kind++) {
        bool failed = true;
        for (int n = 1; failed; n++) {
            struct fixture f;
            if (kind == 2)
                fixture_init(&f); /* a new log */
            else
                build(&f);
            fixture_free(&f);
            if (kind == 1) {
                size_t size;
                mem_env_file_bytes(&f.m, LAST_LOG, &size)[200] ^= 1; /* rot */
                write_file(&f, "t-0/00000000000000000002.log.deleted", "x", 1, 0);
            }
            f.m.fail_at = n;
            enum err e = fixture_open(&f);
            failed = f.m.fail_at == 0;
            CHECK(failed == (e != ERR_OK));
            CHECK((f.log != NULL) == (e == ERR_OK));
            fixture_free(&f);
            CHECK_EQUAL(f.m.open_fds, 0);
            f.m.fail_at = 0;
            CHECK_EQUAL(fixture_open(&f), ERR_OK);
            check_readable(&f, kind == 2 ? 0 : kind == 1 ? 18 : BATCHES * RECORDS);
            fixture_deinit(&f);
        }
    }
}

TEST(a_clean_stop_survives_each_io_failure)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        struct fixture f;
        build(&f);
        f.m.fail_at = n;
        int64_t recovery_point = -1;
        enum err e = partition_log_close_clean(f.log, &recovery_point);
        failed = f.m.fail_at == 0;
        CHECK(failed == (e != ERR_OK));
        CHECK(failed == (recovery_point == -1));
        f.m.fail_at = 0;
        fixture_free(&f);
        CHECK_EQUAL(fixture_open(&f), ERR_OK);
        check_readable(&f, BATCHES * RECORDS);
        fixture_deinit(&f);
    }
}

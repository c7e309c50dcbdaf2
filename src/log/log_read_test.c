// SPDX-License-Identifier: Apache-2.0
/* Finding batches by offset and by time, against a plain list of what was appended. Thread: the
 * test's. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/prng.h"
#include "base/testing.h"
#include "log/log_fixture.h"
#include "log/segment.h"
#include "log/segment_index.h"

enum { MODEL_MAX = 400 };

struct model_batch {
    int64_t base_offset;
    int64_t last_offset;
    int64_t size;
    int64_t timestamp_ms; /* of the first record; they rise or fall by one */
    bool times_fall;
};

struct model {
    struct fixture f;
    struct prng p;
    struct model_batch batches[MODEL_MAX];
    int count;
};

static void model_append(struct model *model)
{
    static const enum compress_codec codecs[] = {COMPRESS_NONE, COMPRESS_NONE, COMPRESS_LZ4,
                                                 COMPRESS_GZIP, COMPRESS_ZSTD, COMPRESS_SNAPPY};
    struct fixture_batch batch = {
        .records = (int32_t)prng_range(&model->p, 1, 9),
        .payload = prng_chance(&model->p, 1, 20) ? 6000 : prng_below(&model->p, 200),
        .timestamp_ms = prng_range(&model->p, 1000, 3000),
        .producer_id = -1,
        .times_fall = model->count % 3 == 0,
        .codec = codecs[prng_below(&model->p, ARRAY_COUNT(codecs))],
    };
    struct model_batch *known = &model->batches[model->count++];
    known->base_offset = partition_log_assigned(model->f.log);
    known->last_offset = known->base_offset + batch.records - 1;
    known->timestamp_ms = batch.timestamp_ms;
    known->times_fall = batch.times_fall;
    struct iobuf_slice bytes = fixture_bytes(&batch);
    known->size = (int64_t)bytes.len;
    iobuf_slice_release(&bytes);
    CHECK_EQUAL(fixture_append(&model->f, &batch), ERR_OK);
}

static void model_build(struct model *model, uint64_t seed, int batches)
{
    *model = (struct model){0};
    prng_seed(&model->p, seed);
    fixture_init(&model->f);
    model->f.config.segment_bytes = prng_range(&model->p, 500, 40000);
    model->f.config.index_interval_bytes = prng_range(&model->p, 0, 3000);
    CHECK_EQUAL(fixture_open(&model->f), ERR_OK);
    for (int i = 0; i < batches; i++) {
        model_append(model);
        if (prng_chance(&model->p, 1, 3))
            CHECK_EQUAL(fixture_commit(&model->f, false), ERR_OK);
    }
    CHECK_EQUAL(fixture_commit(&model->f, false), ERR_OK);
}

static const struct model_batch *model_find(const struct model *model, int64_t offset)
{
    for (int i = 0; i < model->count; i++) {
        if (model->batches[i].last_offset >= offset)
            return &model->batches[i];
    }
    return NULL;
}

/* The bytes of the range are batches, the first is the wanted one, none passes the limit. */
static void check_range(struct model *model, const struct log_range *range,
                        const struct model_batch *first, int64_t limit)
{
    CHECK_EQUAL(range->base_offset, first->base_offset);
    CHECK_EQUAL(range->first_batch_bytes, first->size);
    uint8_t *bytes = mem_alloc((size_t)range->len);
    size_t got;
    CHECK_EQUAL(env_file_read(range->file, bytes, (size_t)range->len, range->pos, ENV_WAIT, &got),
                ERR_OK);
    CHECK_EQUAL(got, range->len);
    struct batch_walk walk = {bytes, got};
    struct batch_header header;
    const uint8_t *batch;
    const struct model_batch *expected = first;
    while (batch_next(&walk, &header, &batch) == ERR_OK) {
        CHECK_EQUAL(header.base_offset, expected->base_offset);
        CHECK(batch_last_offset(&header) < limit);
        CHECK_EQUAL(batch_crc(batch, batch_size(&header)), header.crc);
        expected++;
    }
    CHECK(expected > first);
    mem_free(bytes);
}

static void check_offset(struct model *model, int64_t offset, const struct log_position *limit)
{
    struct log_view view;
    CHECK_EQUAL(partition_log_view(model->f.log, offset, limit, &view), ERR_OK);
    if (offset == limit->offset) {
        CHECK(view.segment == NULL);
        return;
    }
    int64_t bytes_max = prng_range(&model->p, 1, 9000);
    bool whole_first = prng_chance(&model->p, 1, 2);
    const struct model_batch *first = model_find(model, offset);
    struct log_range range;
    CHECK_EQUAL(log_view_find(&view, offset, bytes_max, whole_first, ENV_WAIT, &range), ERR_OK);
    if (!whole_first && first->size > bytes_max) {
        CHECK_EQUAL(range.len, 0);
    } else {
        CHECK(range.len <= bytes_max || (whole_first && range.len == first->size));
        check_range(model, &range, first, limit->offset);
    }
    if (range.next_offset >= 0) {
        CHECK_EQUAL(range.next_offset, first->last_offset + 1);
        log_view_remember(&view, &range);
    }
    log_range_release(&range);
    log_view_release(&view);
}

static void check_all(struct model *model)
{
    struct log_position end = partition_log_written(model->f.log);
    for (int64_t offset = 0; offset <= end.offset; offset++) {
        check_offset(model, offset, &end);
        /* A limit inside, where its place is known from recent appends, and where it is not. */
        const struct model_batch *border =
            &model->batches[prng_below(&model->p, (uint64_t)model->count)];
        struct log_position limit = partition_log_locate(model->f.log, border->base_offset);
        if (offset < limit.offset)
            check_offset(model, offset, &limit);
        limit = (struct log_position){border->base_offset, -1, -1};
        if (offset < limit.offset)
            check_offset(model, offset, &limit);
    }
}

TEST(every_offset_is_found_as_in_a_plain_list)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct model model;
        model_build(&model, seed, 100);
        check_all(&model); /* with what is remembered of the last batches */
        fixture_free(&model.f);
        model.f.was_clean = seed % 2 == 0;
        CHECK_EQUAL(fixture_open(&model.f), ERR_OK);
        check_all(&model); /* by the indexes alone */
        for (int i = 0; i < 20; i++)
            model_append(&model);
        CHECK_EQUAL(fixture_commit(&model.f, false), ERR_OK);
        check_all(&model);
        fixture_deinit(&model.f);
    }
}

/* ---- by time */

static int64_t time_in(const struct model_batch *batch, int64_t offset)
{
    int64_t index = offset - batch->base_offset;
    return batch->timestamp_ms + (batch->times_fall ? -index : index);
}

static struct log_time_match model_time(const struct model *model, int64_t time, int64_t start,
                                        int64_t limit)
{
    for (int i = 0; i < model->count; i++) {
        const struct model_batch *batch = &model->batches[i];
        for (int64_t offset = batch->base_offset; offset <= batch->last_offset; offset++) {
            int64_t timestamp = time_in(batch, offset);
            if (timestamp >= time && offset >= start && offset < limit)
                return (struct log_time_match){offset, timestamp, 7};
        }
    }
    return (struct log_time_match){-1, -1, -1};
}

static void check_time(struct model *model, int64_t time, const struct log_position *limit)
{
    struct log_segments segments;
    partition_log_segments(model->f.log, limit, &segments);
    struct log_time_match match;
    CHECK_EQUAL(log_segments_find_time(&segments, time, &match), ERR_OK);
    struct log_time_match expected =
        model_time(model, time, partition_log_start_offset(model->f.log), limit->offset);
    CHECK_EQUAL(match.offset, expected.offset);
    CHECK_EQUAL(match.timestamp_ms, expected.timestamp_ms);
    CHECK_EQUAL(match.leader_epoch, expected.leader_epoch);
    log_segments_end(&segments);
    log_segments_release(&segments);
}

static void check_max_time(struct model *model, const struct log_position *limit)
{
    int64_t start = partition_log_start_offset(model->f.log);
    int64_t largest = -1;
    for (int64_t offset = start; offset < limit->offset; offset++) {
        const struct model_batch *batch = model_find(model, offset);
        largest = MAX(largest, time_in(batch, offset));
    }
    struct log_time_match expected = largest < 0 ? (struct log_time_match){-1, -1, -1}
                                                 : model_time(model, largest, start, limit->offset);
    struct log_segments segments;
    partition_log_segments(model->f.log, limit, &segments);
    struct log_time_match match;
    CHECK_EQUAL(log_segments_find_max_time(&segments, &match), ERR_OK);
    CHECK_EQUAL(match.offset, expected.offset);
    CHECK_EQUAL(match.timestamp_ms, expected.timestamp_ms);
    log_segments_release(&segments);
}

TEST(times_are_found_as_in_a_plain_list)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct model model;
        model_build(&model, 100 + seed, 60);
        for (int round = 0; round < 3; round++) {
            struct log_position end = partition_log_written(model.f.log);
            for (int i = 0; i < 60; i++)
                check_time(&model, prng_range(&model.p, 990, 3020), &end);
            check_max_time(&model, &end);
            const struct model_batch *border = &model.batches[30];
            struct log_position limit = {border->base_offset, -1, -1};
            if (limit.offset >= partition_log_start_offset(model.f.log)) {
                for (int i = 0; i < 30; i++)
                    check_time(&model, prng_range(&model.p, 990, 3020), &limit);
                check_max_time(&model, &limit);
            }
            if (round == 0)
                partition_log_raise_start(model.f.log, model.batches[20].base_offset);
            model.f.log_start = partition_log_start_offset(model.f.log);
            if (round == 1) {
                fixture_free(&model.f);
                CHECK_EQUAL(fixture_open(&model.f), ERR_OK);
            }
        }
        fixture_deinit(&model.f);
    }
}

/* Also where the start lies inside a batch, and the largest time of that batch is below it. */
TEST(times_are_found_whatever_was_deleted)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct model model;
        model_build(&model, 200 + seed, 20);
        struct log_position end = partition_log_written(model.f.log);
        for (int64_t start = 0; start <= end.offset; start++) {
            partition_log_raise_start(model.f.log, start);
            check_max_time(&model, &end);
            check_time(&model, prng_range(&model.p, 990, 3020), &end);
        }
        fixture_deinit(&model.f);
    }
}

TEST(an_empty_log_has_no_times)
{
    struct model model;
    model_build(&model, 1, 0);
    struct log_position end = partition_log_written(model.f.log);
    check_time(&model, 0, &end);
    check_max_time(&model, &end);
    fixture_deinit(&model.f);
}

/* ---- who reads */

TEST(a_reader_that_may_not_wait_is_told_so)
{
    struct model model;
    model_build(&model, 5, 100);
    fixture_free(&model.f);
    CHECK_EQUAL(fixture_open(&model.f), ERR_OK);
    struct log_position end = partition_log_written(model.f.log);
    struct log_view view;
    struct log_range range;
    CHECK_EQUAL(partition_log_view(model.f.log, 50, &end, &view), ERR_OK);
    CHECK_EQUAL(log_view_find(&view, 50, 100, true, ENV_NOWAIT, &range), ERR_AGAIN); /* not open */
    CHECK_EQUAL(log_view_find(&view, 50, 100, true, ENV_WAIT, &range), ERR_OK);
    log_range_release(&range);
    CHECK_EQUAL(log_view_find(&view, 50, 100, true, ENV_NOWAIT, &range), ERR_OK);
    log_range_release(&range);
    model.f.m.is_cold = true;
    CHECK_EQUAL(log_view_find(&view, 50, 100, true, ENV_NOWAIT, &range), ERR_AGAIN);
    log_view_release(&view);
    fixture_deinit(&model.f);
}

TEST(readers_at_the_end_touch_no_file)
{
    struct model model;
    model_build(&model, 6, 40);
    struct log_position end = partition_log_written(model.f.log);
    const struct model_batch *last = &model.batches[model.count - 1];
    struct log_view view;
    struct log_range range;
    CHECK_EQUAL(partition_log_view(model.f.log, last->last_offset, &end, &view), ERR_OK);
    int calls = model.f.m.io_calls;
    CHECK_EQUAL(log_view_find(&view, last->last_offset, 1 << 20, true, ENV_NOWAIT, &range), ERR_OK);
    CHECK_EQUAL(model.f.m.io_calls, calls);
    check_range(&model, &range, last, end.offset);
    log_range_release(&range);
    log_view_release(&view);
    fixture_deinit(&model.f);
}

/* Finds one batch and remembers where its reader goes on, which it returns. */
static int64_t read_one(struct model *model, int64_t offset)
{
    struct log_position end = partition_log_written(model->f.log);
    struct log_view view;
    struct log_range range;
    CHECK_EQUAL(partition_log_view(model->f.log, offset, &end, &view), ERR_OK);
    CHECK_EQUAL(log_view_find(&view, offset, 1, true, ENV_WAIT, &range), ERR_OK);
    CHECK_EQUAL(range.base_offset, model_find(model, offset)->base_offset);
    int64_t next = range.next_offset;
    CHECK_EQUAL(next, model_find(model, offset)->last_offset + 1);
    log_view_remember(&view, &range);
    log_range_release(&range);
    log_view_release(&view);
    return next;
}

TEST(readers_that_go_on_read_one_header_a_batch)
{
    struct model model = {0};
    prng_seed(&model.p, 11);
    fixture_init(&model.f);
    model.f.config.index_interval_bytes = 1000;
    CHECK_EQUAL(fixture_open(&model.f), ERR_OK);
    for (int i = 0; i < 300; i++)
        model_append(&model);
    CHECK_EQUAL(fixture_commit(&model.f, false), ERR_OK);
    int64_t at[SEGMENT_RESUMES];
    for (int i = 0; i < SEGMENT_RESUMES; i++)
        at[i] = read_one(&model, 200 * i); /* by the index */
    for (int step = 0; step < 20; step++) {
        for (int i = 0; i < SEGMENT_RESUMES; i++) {
            int calls = model.f.m.io_calls;
            at[i] = read_one(&model, at[i]);
            CHECK_EQUAL(model.f.m.io_calls, calls + 1);
        }
    }
    fixture_deinit(&model.f);
}

/* Its length grown by the two batches behind it: their begin is taken for its reader's next. */
TEST(a_damaged_header_leads_no_reader_beyond_his_limit)
{
    enum { ASKED = 60, RECORDS = 3 };
    struct fixture f;
    fixture_init(&f);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    fixture_fill(&f, 60, RECORDS, 20); /* more than are remembered as recent */
    struct log_position end = partition_log_written(f.log);
    struct log_view view;
    struct log_range range;
    CHECK_EQUAL(partition_log_view(f.log, ASKED, &end, &view), ERR_OK);
    CHECK_EQUAL(log_view_find(&view, ASKED, 1, true, ENV_WAIT, &range), ERR_OK);
    int64_t size = range.len;
    uint8_t length[4];
    bytes_store_u32(length, (uint32_t)(3 * size - 12));
    struct iovec iov = {length, sizeof(length)};
    CHECK_EQUAL(env_file_write(range.file, &iov, 1, range.pos + 8), ERR_OK);
    log_range_release(&range);
    CHECK_EQUAL(log_view_find(&view, ASKED, 1, true, ENV_WAIT, &range), ERR_OK);
    CHECK_EQUAL(range.len, 3 * size);
    log_view_remember(&view, &range);
    struct log_position limit = {ASKED + 2 * RECORDS, 0, range.pos + 2 * size};
    log_range_release(&range);
    log_view_release(&view);
    CHECK_EQUAL(partition_log_view(f.log, ASKED + RECORDS, &limit, &view), ERR_OK);
    CHECK_EQUAL(log_view_find(&view, ASKED + RECORDS, 1, true, ENV_WAIT, &range), ERR_CORRUPT);
    log_view_release(&view);
    fixture_deinit(&f);
}

TEST(a_held_segment_stays_readable_while_it_is_deleted)
{
    struct model model;
    model_build(&model, 7, 100);
    struct log_position end = partition_log_written(model.f.log);
    CHECK(partition_log_segment_count(model.f.log) > 2);
    struct log_view held[2];
    CHECK_EQUAL(partition_log_view(model.f.log, 0, &end, &held[0]), ERR_OK);
    CHECK_EQUAL(partition_log_view(model.f.log, 0, &end, &held[1]), ERR_OK);
    struct list retired;
    list_init(&retired);
    mem_env_jump_wall_ms(&model.f.m, 2 * model.f.config.retention_ms);
    uint32_t count =
        partition_log_retire(model.f.log, env_wall_ms(&model.f.m.env), end.offset, false, &retired);
    CHECK(count > 0);
    CHECK(partition_log_start_offset(model.f.log) > 0);
    CHECK_EQUAL(fixture_read(&model.f, 0), -2);
    CHECK_EQUAL(partition_log_delete_segments(model.f.log, &retired), ERR_OK);
    struct log_range range;
    CHECK_EQUAL(log_view_find(&held[0], 0, 100, true, ENV_WAIT, &range),
                ERR_OK); /* by its new name */
    check_range(&model, &range, &model.batches[0], end.offset);
    partition_log_unlink_retired(&model.f.m.env, &retired);
    check_range(&model, &range, &model.batches[0], end.offset); /* it is open */
    log_range_release(&range);
    log_view_release(&held[0]);
    log_view_release(&held[1]);
    fixture_free(&model.f);
    CHECK_EQUAL(fixture_open(&model.f), ERR_OK);
    CHECK(partition_log_start_offset(model.f.log) > 0);
    CHECK_TEXT(model.f.report.detail, "");
    fixture_deinit(&model.f);
}

TEST(retention_by_size_keeps_at_least_so_much)
{
    struct model model;
    model_build(&model, 8, 150);
    int64_t size = partition_log_size_bytes(model.f.log);
    model.f.config.retention_ms = -1;
    model.f.config.retention_bytes = size / 2;
    partition_log_set_config(model.f.log, &model.f.config);
    struct list retired;
    list_init(&retired);
    int64_t end = partition_log_written(model.f.log).offset;
    CHECK_EQUAL(partition_log_retire(model.f.log, 0, 0, false, &retired),
                0); /* above the high watermark */
    CHECK(partition_log_retire(model.f.log, 0, end, false, &retired) > 0);
    int64_t left = partition_log_size_bytes(model.f.log);
    CHECK(left >= size / 2);
    CHECK(left < size / 2 + model.f.config.segment_bytes + 7000);
    CHECK_EQUAL(partition_log_delete_segments(model.f.log, &retired), ERR_OK);
    partition_log_unlink_retired(&model.f.m.env, &retired);
    for (int64_t offset = partition_log_start_offset(model.f.log); offset < end; offset++)
        CHECK_EQUAL(fixture_read(&model.f, offset), model_find(&model, offset)->base_offset);
    partition_log_raise_start(model.f.log, end); /* DeleteRecords up to the end */
    CHECK(partition_log_retire(model.f.log, 0, end, false, &retired) > 0 ||
          partition_log_segment_count(model.f.log) == 1);
    CHECK_EQUAL(partition_log_segment_count(model.f.log), 1);
    CHECK_EQUAL(partition_log_delete_segments(model.f.log, &retired), ERR_OK);
    partition_log_unlink_retired(&model.f.m.env, &retired);
    fixture_deinit(&model.f);
}

TEST(reading_survives_each_io_failure)
{
    struct model model;
    model_build(&model, 9, 100);
    struct log_position end = partition_log_written(model.f.log);
    bool failed = true;
    for (int n = 1; failed; n++) {
        fixture_free(&model.f);
        CHECK_EQUAL(fixture_open(&model.f), ERR_OK);
        struct log_view view;
        struct log_range range;
        struct log_segments segments;
        struct log_time_match match;
        CHECK_EQUAL(partition_log_view(model.f.log, 100, &end, &view), ERR_OK);
        partition_log_segments(model.f.log, &end, &segments);
        model.f.m.fail_at = n;
        enum err e = log_view_find(&view, 100, 1000, true, ENV_WAIT, &range);
        if (e == ERR_OK) {
            log_range_release(&range);
            e = log_segments_find_time(&segments, 2900, &match);
        }
        failed = model.f.m.fail_at == 0;
        CHECK(failed == (e != ERR_OK));
        model.f.m.fail_at = 0;
        log_segments_release(&segments);
        log_view_release(&view);
    }
    fixture_deinit(&model.f);
}

/* ---- the index files by themselves */

TEST(index_searches_agree_with_a_plain_search)
{
    struct mem_env m;
    mem_env_init(&m);
    struct prng p;
    prng_seed(&p, 3);
    for (uint32_t count = 0; count < 3000; count = count * 2 + 1 + (uint32_t)prng_below(&p, 5)) {
        struct env_file *file;
        CHECK_EQUAL(
            env_file_open(&m.env, "index", ENV_READ | ENV_WRITE | ENV_CREATE | ENV_TRUNCATE, &file),
            ERR_OK);
        uint32_t offset = 0;
        uint32_t *offsets = mem_alloc((count + 1) * sizeof(*offsets));
        for (uint32_t i = 0; i < count; i++) {
            offset += 1 + (uint32_t)prng_below(&p, 10);
            offsets[i] = offset;
            struct segment_entry entry = {
                .has_index = true, .relative_offset = offset, .pos = 100 * (i + 1)};
            uint8_t bytes[INDEX_ENTRY_BYTES];
            segment_entry_write_index(&entry, bytes);
            struct iovec iov = {bytes, sizeof(bytes)};
            CHECK_EQUAL(env_file_write(file, &iov, 1, (int64_t)i * INDEX_ENTRY_BYTES), ERR_OK);
        }
        for (uint32_t wanted = 0; wanted <= offset + 3; wanted++) {
            struct index_entry entry = {0};
            enum err e = index_find(file, count, wanted, ENV_WAIT, &entry);
            uint32_t n = 0;
            while (n < count && offsets[n] <= wanted)
                n++;
            CHECK_EQUAL(e, n == 0 ? ERR_NOT_FOUND : ERR_OK);
            CHECK_EQUAL(entry.pos, 100 * n);
            if (offset > 2000)
                wanted += (uint32_t)prng_below(&p, 20);
        }
        mem_free(offsets);
        env_file_unref(file);
    }
    mem_env_deinit(&m);
}

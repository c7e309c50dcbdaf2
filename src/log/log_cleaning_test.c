// SPDX-License-Identifier: Apache-2.0
/* Compaction of one log: what stays, what goes, and how it fails. Thread: the test's. */
#include "log/log_cleaning.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/prng.h"
#include "base/testing.h"
#include "log/clean_fixture.h"
#include "log/partition_log_private.h"
#include "log/scrub.h"

enum { DAY_MS = 86400000 };

struct world {
    struct fixture f;
    struct clean_env c;
    struct clean_model model;
    struct clean_model found;
};

static void world_open(struct world *w)
{
    CHECK_EQUAL(fixture_open(&w->f), ERR_OK);
    w->c.log = w->f.log;
}

static struct world *world_new(void)
{
    struct world *w = mem_alloc(sizeof(*w));
    fixture_init(&w->f);
    w->f.config.cleanup_compact = true;
    w->f.config.cleanup_delete = false;
    w->f.config.segment_bytes = 600;
    w->f.config.index_interval_bytes = 100;
    w->f.config.delete_retention_ms = DAY_MS;
    w->c = (struct clean_env){.env = &w->f.m.env, .now_ms = 1000000};
    world_open(w);
    return w;
}

static void world_free(struct world *w)
{
    fixture_deinit(&w->f);
    mem_free(w);
}

/* As a new process finds it. */
static void world_reopen(struct world *w, bool was_clean, int64_t recovery_point)
{
    if (was_clean) {
        int64_t ignored;
        CHECK_EQUAL(partition_log_close_clean(w->f.log, &ignored), ERR_OK);
    }
    fixture_free(&w->f);
    w->f.was_clean = was_clean;
    w->f.recovery_point = recovery_point;
    world_open(w);
}

static void check_left(struct world *w, bool has_tombstones)
{
    CHECK_EQUAL(clean_read(&w->c, partition_log_start_offset(w->c.log), &w->found), ERR_OK);
    CHECK(clean_matches(&w->model, &w->found, w->c.first_dirty, has_tombstones));
}

static void put_many(struct world *w, int count, int keys, int from)
{
    for (int i = 0; i < count; i++)
        clean_put(&w->c, &w->model, i % keys, from + i);
}

TEST(the_last_value_of_each_key_stays_with_its_offset)
{
    struct world *w = world_new();
    put_many(w, 60, 7, 0);
    uint32_t segments = partition_log_segment_count(w->c.log);
    CHECK_EQUAL(clean_run(&w->c), ERR_OK);
    CHECK(w->c.first_dirty > 50);
    check_left(w, true);
    CHECK_EQUAL(partition_log_segment_count(w->c.log), segments); /* full ones are no group */
    CHECK(w->c.stats.bytes_after < w->c.stats.bytes_before);
    CHECK_EQUAL(clean_run(&w->c), ERR_NOT_FOUND);
    put_many(w, 30, 11, 1000);
    CHECK_EQUAL(clean_run(&w->c), ERR_OK);
    check_left(w, true);
    CHECK(partition_log_segment_count(w->c.log) < segments);
    world_free(w);
}

TEST(a_compacted_log_is_the_same_after_every_kind_of_start)
{
    struct world *w = world_new();
    put_many(w, 60, 7, 0);
    CHECK_EQUAL(clean_run(&w->c), ERR_OK);
    int64_t end = partition_log_written(w->c.log).offset;
    int64_t size = partition_log_size_bytes(w->c.log);
    /* Also with a recovery point that is far behind: what compaction left has no holes at ends. */
    for (int64_t recovery_point = 0; recovery_point <= end; recovery_point++) {
        world_reopen(w, false, recovery_point);
        CHECK_EQUAL(partition_log_written(w->c.log).offset, end);
        CHECK_EQUAL(partition_log_size_bytes(w->c.log), size);
        CHECK_EQUAL(w->f.report.cut_bytes, 0);
        check_left(w, true);
    }
    world_reopen(w, true, end);
    check_left(w, true);
    world_free(w);
}

TEST(every_offset_of_a_compacted_log_can_be_asked_for)
{
    struct world *w = world_new();
    put_many(w, 60, 3, 0);
    CHECK_EQUAL(clean_run(&w->c), ERR_OK);
    for (int64_t from = 0; from < 60; from++) {
        CHECK_EQUAL(clean_read(&w->c, from, &w->found), ERR_OK);
        CHECK(w->found.count > 0 || from > w->model.records[59].offset);
    }
    world_free(w);
}

static int scrubbed; /* segments */

static void scrub_all(struct clean_env *c)
{
    struct scrub_target target;
    for (int64_t from = 0; partition_log_scrub_next(c->log, from, &target); scrubbed++) {
        struct scrub scrub = {0};
        struct scrub_find found;
        enum scrub_result result = SCRUB_MORE;
        from = target.next_offset;
        scrub_begin(&scrub, c->env, &target);
        while (result == SCRUB_MORE) {
            int64_t read_bytes;
            result = scrub_step(&scrub, 1000, &read_bytes, &found);
        }
        CHECK_EQUAL(result, SCRUB_DONE);
        scrub_end(&scrub);
    }
}

TEST(a_scrub_in_a_swap_does_not_take_the_old_file_for_the_new_segment)
{
    struct world *w = world_new();
    w->c.in_swap = scrub_all;
    put_many(w, 60, 7, 0);
    CHECK_EQUAL(clean_run(&w->c), ERR_OK);
    CHECK(scrubbed > 0);
    scrub_all(&w->c);
    check_left(w, true);
    world_free(w);
}

TEST(tombstones_stay_for_their_time_and_then_go)
{
    struct world *w = world_new();
    for (int i = 0; i < 10; i++)
        clean_put(&w->c, &w->model, i, i);
    for (int i = 0; i < 5; i++)
        clean_put(&w->c, &w->model, i, CLEAN_TOMBSTONE);
    put_many(w, 30, 3, 100);
    CHECK_EQUAL(clean_run(&w->c), ERR_OK);
    check_left(w, true);
    w->c.now_ms += DAY_MS - 1;
    put_many(w, 30, 3, 200);
    CHECK_EQUAL(clean_run(&w->c), ERR_OK);
    check_left(w, true);
    w->c.now_ms += 2;
    put_many(w, 30, 3, 300);
    CHECK_EQUAL(clean_run(&w->c), ERR_OK);
    check_left(w, false);
    world_free(w);
}

TEST(young_segments_and_open_transactions_wait)
{
    struct world *w = world_new();
    w->f.config.min_compaction_lag_ms = 5000;
    partition_log_set_config(w->c.log, &w->f.config);
    put_many(w, 30, 3, 0);
    CHECK_EQUAL(clean_run(&w->c), ERR_NOT_FOUND);
    w->c.now_ms += 6000;
    CHECK_EQUAL(clean_run(&w->c), ERR_OK);
    check_left(w, true);
    struct clean_record record = {0, 99, 1};
    struct clean_batch open = {.options = batch_options_default(),
                               .records = &record,
                               .count = 1,
                               .timestamp_ms = w->c.now_ms};
    open.options.producer_id = 5;
    open.options.producer_epoch = 0;
    open.options.base_sequence = 0;
    open.options.is_transactional = true;
    int64_t first = partition_log_assigned(w->c.log);
    CHECK_EQUAL(clean_append(&w->c, &open, 7), ERR_OK);
    record.offset = first;
    w->model.records[w->model.count++] = record;
    put_many(w, 30, 3, 100);
    w->c.now_ms += 6000;
    CHECK_EQUAL(clean_run(&w->c), ERR_OK);
    CHECK_EQUAL(w->c.first_dirty, first);
    check_left(w, true);
    CHECK_EQUAL(clean_run(&w->c), ERR_NOT_FOUND);
    world_free(w);
}

TEST(a_map_that_is_full_compacts_a_part)
{
    struct world *w = world_new();
    put_many(w, 60, 20, 0);
    w->c.map_bytes = (size_t)9 * KEY_SLOT_BYTES;
    int64_t before = 0;
    while (clean_run(&w->c) == ERR_OK) {
        CHECK(w->c.first_dirty > before);
        CHECK(w->c.stats.map_bytes <= w->c.map_bytes);
        before = w->c.first_dirty;
    }
    w->c.map_bytes = 0;
    CHECK_EQUAL(clean_run(&w->c), ERR_NOT_FOUND);
    CHECK_EQUAL(clean_read(&w->c, 0, &w->found), ERR_OK);
    /* Each part knew only its own keys, and all before it. */
    CHECK(w->found.count < 60);
    w->c.first_dirty = 0;
    CHECK_EQUAL(clean_run(&w->c), ERR_OK);
    check_left(w, true);
    world_free(w);
}

TEST(a_map_without_room_for_one_batch_is_said_so)
{
    struct world *w = world_new();
    struct clean_record records[8];
    for (int i = 0; i < 8; i++)
        records[i] = (struct clean_record){0, i, i};
    struct clean_batch batch = {.options = batch_options_default(), .records = records, .count = 8};
    for (int i = 0; i < 4; i++)
        CHECK_EQUAL(clean_append(&w->c, &batch, 7), ERR_OK);
    w->c.map_bytes = (size_t)4 * KEY_SLOT_BYTES;
    CHECK_EQUAL(clean_run(&w->c), ERR_FULL);
    CHECK(strstr(w->c.why, "log.cleaner.dedupe.buffer.size") != NULL);
    world_free(w);
}

/* The batch as it lies at this offset. */
static struct batch_header header_at(struct world *w, int64_t offset)
{
    struct log_position limit = partition_log_written(w->c.log);
    struct log_view view;
    struct log_range range;
    uint8_t bytes[BATCH_HEADER_BYTES];
    struct batch_header header = {0};
    size_t got = 0;
    CHECK_EQUAL(partition_log_view(w->c.log, offset, &limit, &view), ERR_OK);
    CHECK_EQUAL(log_view_find(&view, offset, 1, true, ENV_WAIT, &range), ERR_OK);
    CHECK(range.len >= BATCH_HEADER_BYTES);
    CHECK_EQUAL(env_file_read(range.file, bytes, sizeof(bytes), range.pos, ENV_WAIT, &got), ERR_OK);
    CHECK(batch_header_read(bytes, got, &header));
    log_range_release(&range);
    log_view_release(&view);
    return header;
}

TEST(a_batch_that_is_kept_in_part_keeps_its_identity)
{
    for (int codec = 0; codec < COMPRESS_COUNT; codec++) {
        struct world *w = world_new();
        struct clean_record records[20];
        for (int i = 0; i < 20; i++)
            records[i] = (struct clean_record){i, i, i};
        struct clean_batch batch = {.options = batch_options_default(),
                                    .records = records,
                                    .count = 20,
                                    .timestamp_ms = 5000};
        batch.options.codec = (enum compress_codec)codec;
        batch.options.producer_id = 42;
        batch.options.producer_epoch = 3;
        batch.options.base_sequence = 17;
        CHECK_EQUAL(clean_append(&w->c, &batch, 7), ERR_OK);
        memcpy(w->model.records, records, sizeof(records));
        w->model.count = 20;
        struct batch_header before = header_at(w, 0);
        for (int i = 10; i < 20; i++)
            clean_put(&w->c, &w->model, i, 100 + i);
        put_many(w, 30, 2, 200);
        CHECK_EQUAL(clean_run(&w->c), ERR_OK);
        check_left(w, true);
        struct batch_header after = header_at(w, 0);
        CHECK_EQUAL(after.base_offset, 0);
        CHECK_EQUAL(after.last_offset_delta, 19);
        CHECK_EQUAL(after.leader_epoch, before.leader_epoch);
        CHECK_EQUAL(after.attributes, before.attributes);
        CHECK_EQUAL(after.producer_id, 42);
        CHECK_EQUAL(after.producer_epoch, 3);
        CHECK_EQUAL(after.base_sequence, 17);
        CHECK_EQUAL(after.base_timestamp, before.base_timestamp);
        CHECK_EQUAL(after.record_count, 8); /* 2 to 9 */
        CHECK_EQUAL(after.max_timestamp, 5009);
        world_free(w);
    }
}

TEST(the_newest_batches_of_a_producer_stay_without_records)
{
    enum { BATCHES = 8 };
    struct world *w = world_new();
    for (int i = 0; i < BATCHES; i++) {
        struct clean_record record = {0, 1, i};
        struct clean_batch batch = {.options = batch_options_default(),
                                    .records = &record,
                                    .count = 1,
                                    .timestamp_ms = 1000};
        batch.options.producer_id = 42;
        batch.options.producer_epoch = 3;
        batch.options.base_sequence = i;
        CHECK_EQUAL(clean_append(&w->c, &batch, 7), ERR_OK);
    }
    put_many(w, 40, 2, 100);
    CHECK_EQUAL(clean_run(&w->c), ERR_OK);
    for (int i = BATCHES - PRODUCER_BATCHES_KEPT; i < BATCHES; i++) {
        struct batch_header kept = header_at(w, i);
        CHECK_EQUAL(kept.base_offset, i);
        CHECK_EQUAL(kept.record_count, 0);
        CHECK_EQUAL(kept.base_sequence, i);
        CHECK_EQUAL(kept.producer_id, 42);
    }
    CHECK(header_at(w, 2).base_offset != 2); /* the others are gone */
    /* From the log alone, without any snapshot. */
    for (int64_t offset = 0; offset < 50; offset++) {
        char name[64];
        snprintf(name, sizeof(name), "t-0/%020d.snapshot", (int)offset);
        enum err ignored = env_path_unlink(&w->f.m.env, name);
        (void)ignored;
    }
    world_reopen(w, false, 40 + BATCHES);
    for (int i = 0; i < BATCHES; i++) {
        struct batch_header again = {
            .producer_id = 42, .producer_epoch = 3, .base_sequence = i, .record_count = 1};
        struct producer_check check = partition_log_check_producer(w->c.log, &again, 1000);
        bool is_known = i >= BATCHES - PRODUCER_BATCHES_KEPT;
        CHECK_EQUAL(check.verdict, is_known ? PRODUCER_REPEAT : PRODUCER_OUT_OF_ORDER);
        CHECK_EQUAL(check.first_offset, is_known ? i : -1);
    }
    world_free(w);
}

static void append_txn(struct world *w, int64_t producer_id, int key, int value, int sequence)
{
    struct clean_record record = {partition_log_assigned(w->c.log), key, value};
    struct clean_batch batch = {.options = batch_options_default(),
                                .records = &record,
                                .count = 1,
                                .timestamp_ms = w->c.now_ms};
    batch.options.producer_id = producer_id;
    batch.options.producer_epoch = 0;
    batch.options.base_sequence = sequence;
    batch.options.is_transactional = true;
    CHECK_EQUAL(clean_append(&w->c, &batch, 7), ERR_OK);
}

/* The write path of markers comes with transactions: here the bytes are put behind the log's end,
 * and the log is opened again. */
static void append_marker(struct world *w, int64_t producer_id, int marker)
{
    struct clean_batch batch = {
        .options = batch_options_default(), .timestamp_ms = w->c.now_ms, .marker = marker};
    batch.options.producer_id = producer_id;
    batch.options.producer_epoch = 0;
    batch.options.is_transactional = true;
    batch.options.is_control = true;
    struct iobuf_slice bytes = clean_bytes(&batch);
    struct log_position end = partition_log_written(w->c.log);
    batch_stamp(bytes.data, end.offset, 7);
    char path[64];
    snprintf(path, sizeof(path), "t-0/%020d.log", (int)end.segment_base);
    fixture_free(&w->f);
    struct env_file *file = NULL;
    CHECK_EQUAL(env_file_open(&w->f.m.env, path, ENV_READ | ENV_WRITE, &file), ERR_OK);
    struct iovec iov = {bytes.data, bytes.len};
    CHECK_EQUAL(env_file_write(file, &iov, 1, end.pos), ERR_OK);
    env_file_unref(file);
    iobuf_slice_release(&bytes);
    w->f.was_clean = false;
    w->f.recovery_point = 0;
    world_open(w);
}

static bool has_batch(struct world *w, int64_t offset)
{
    return header_at(w, offset).base_offset == offset;
}

TEST(aborted_records_go_and_markers_wait_for_them)
{
    struct world *w = world_new();
    clean_put(&w->c, &w->model, 1, 10); /* 0 */
    append_txn(w, 70, 1, 666, 0);       /* 1: aborted, replaces nothing */
    append_txn(w, 71, 2, 20, 0);        /* 2: committed */
    append_marker(w, 70, 0);            /* 3 */
    append_marker(w, 71, 1);            /* 4 */
    append_txn(w, 70, 3, 30, 1);        /* 5: the same producer, committed */
    append_marker(w, 70, 1);            /* 6 */
    w->model.records[w->model.count++] = (struct clean_record){2, 2, 20};
    w->model.records[w->model.count++] = (struct clean_record){5, 3, 30};
    put_many(w, 30, 1, 100); /* of key 0 */
    CHECK_EQUAL(clean_run(&w->c), ERR_OK);
    check_left(w, true);
    size_t size = 0;
    uint8_t *txnindex = fixture_file(&w->f, "00000000000000000000.txnindex", &size);
    CHECK(txnindex != NULL);
    CHECK_EQUAL(size, TXNINDEX_ENTRY_BYTES);
    static const uint8_t entry[TXNINDEX_ENTRY_BYTES] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 70, 0, 0,
                                                        0, 0, 0, 0, 0, 1, 0, 0, 0, 0,  0, 0,
                                                        0, 3, 0, 0, 0, 0, 0, 0, 0, 2};
    CHECK(memcmp(txnindex, entry, sizeof(entry)) == 0);
    CHECK(!has_batch(w, 1));
    CHECK(has_batch(w, 3) && has_batch(w, 4) && has_batch(w, 6));
    /* The batches of 70's abort are gone: its marker gets a horizon now, and goes behind it. */
    put_many(w, 30, 1, 200);
    CHECK_EQUAL(clean_run(&w->c), ERR_OK);
    CHECK(has_batch(w, 3));
    CHECK(batch_delete_horizon(&(struct batch_header){.attributes = BATCH_DELETE_HORIZON,
                                                      .base_timestamp = 5}) == 5);
    struct batch_header marker = header_at(w, 3);
    CHECK_EQUAL(batch_delete_horizon(&marker), w->c.now_ms + DAY_MS);
    w->c.now_ms += DAY_MS + 1;
    put_many(w, 30, 1, 300);
    CHECK_EQUAL(clean_run(&w->c), ERR_OK);
    CHECK(!has_batch(w, 3));
    CHECK(has_batch(w, 4) && has_batch(w, 6)); /* their records are there */
    check_left(w, true);
    world_free(w);
}

TEST(a_transaction_without_its_marker_is_not_touched)
{
    struct world *w = world_new();
    clean_put(&w->c, &w->model, 1, 10); /* 0 */
    append_txn(w, 70, 1, 11, 0);        /* 1: its marker lies in the active segment */
    w->model.records[w->model.count++] = (struct clean_record){1, 1, 11};
    put_many(w, 30, 1, 100);
    append_marker(w, 70, 0);
    CHECK_EQUAL(clean_run(&w->c), ERR_OK);
    CHECK_EQUAL(w->c.first_dirty, 1);
    check_left(w, true);
    world_free(w);
}

TEST(damage_is_found_and_said_and_nothing_changes)
{
    struct world *w = world_new();
    put_many(w, 60, 7, 0);
    size_t size;
    uint8_t *bytes = fixture_file(&w->f, "00000000000000000000.log", &size);
    CHECK(bytes != NULL);
    bytes[BATCH_HEADER_BYTES + 20] ^= 1;
    int64_t before = partition_log_size_bytes(w->c.log);
    CHECK_EQUAL(clean_run(&w->c), ERR_CORRUPT);
    CHECK_TEXT(w->c.why, "00000000000000000000.log is damaged at position 0");
    CHECK_EQUAL(partition_log_size_bytes(w->c.log), before);
    CHECK_EQUAL(w->c.first_dirty, 0);
    bytes = fixture_file(&w->f, "00000000000000000000.log.cleaned", &size);
    CHECK(bytes == NULL);
    world_free(w);
}

/* Segments are merged up to segment.bytes and no further. */
TEST(groups_fit_into_one_segment)
{
    struct world *w = world_new();
    put_many(w, 200, 200, 0); /* all stay */
    uint32_t segments = partition_log_segment_count(w->c.log);
    CHECK_EQUAL(clean_run(&w->c), ERR_OK);
    CHECK_EQUAL(partition_log_segment_count(w->c.log), segments);
    CHECK_EQUAL(w->c.stats.bytes_after, 0); /* nothing was put in place: nothing changed */
    w->f.config.segment_bytes = 1300;
    partition_log_set_config(w->c.log, &w->f.config);
    w->c.first_dirty = 0;
    CHECK_EQUAL(clean_run(&w->c), ERR_OK);
    CHECK(partition_log_segment_count(w->c.log) <= segments / 2 + 1);
    check_left(w, true);
    size_t size;
    CHECK(fixture_file(&w->f, "00000000000000000000.log", &size) != NULL);
    CHECK(size > 650 && size <= 1300);
    world_free(w);
}

TEST(a_reader_of_the_old_segments_gets_the_new_ones)
{
    struct world *w = world_new();
    put_many(w, 60, 7, 0);
    struct log_position limit = partition_log_written(w->c.log);
    struct log_view view;
    struct log_range range;
    CHECK_EQUAL(partition_log_view(w->c.log, 3, &limit, &view), ERR_OK);
    CHECK_EQUAL(log_view_find(&view, 3, 1, true, ENV_WAIT, &range), ERR_OK);
    CHECK_EQUAL(clean_run(&w->c), ERR_OK);
    /* What was handed out stays good, though its file has lost its name. */
    int64_t next_offset = 3;
    uint8_t bytes[BATCH_HEADER_BYTES];
    size_t got = 0;
    CHECK_EQUAL(env_file_read(range.file, bytes, sizeof(bytes), range.pos, ENV_WAIT, &got), ERR_OK);
    struct batch_header header;
    CHECK(batch_header_read(bytes, got, &header) && header.base_offset == next_offset);
    log_range_release(&range);
    CHECK_EQUAL(log_view_find(&view, 3, 1, true, ENV_WAIT, &range), ERR_STALE);
    log_view_release(&view);
    world_free(w);
}

TEST(a_swap_is_off_when_retention_was_quicker)
{
    struct world *w = world_new();
    put_many(w, 60, 7, 0);
    struct log_clean_query query = {.high_watermark = 60, .now_ms = w->c.now_ms};
    struct log_cleanable cleanable;
    partition_log_cleanable(w->c.log, &query, &cleanable);
    struct log_clean_plan plan;
    CHECK_EQUAL(partition_log_plan_cleaning(w->c.log, &cleanable, &query, &plan), ERR_OK);
    struct log_cleaning_options options = {.map_bytes_max = 10000, .map_load = 1, .io_bytes = 512};
    struct log_cleaning *cleaning = NULL;
    CHECK_EQUAL(log_cleaning_new(w->c.env, &plan, &options, &cleaning), ERR_OK);
    enum log_cleaning_next next = CLEANING_MORE;
    while (next == CLEANING_MORE)
        CHECK_EQUAL(log_cleaning_step(cleaning, &next), ERR_OK);
    CHECK_EQUAL(next, CLEANING_SWAP);
    CHECK(partition_log_swap_is_valid(w->c.log, log_cleaning_swap(cleaning)));
    partition_log_raise_start(w->c.log, 20);
    struct list retired;
    list_init(&retired);
    CHECK(partition_log_retire(w->c.log, w->c.now_ms, 60, false, &retired) > 0);
    CHECK_EQUAL(partition_log_delete_segments(w->c.log, &retired), ERR_OK);
    partition_log_unlink_retired(w->c.env, &retired);
    CHECK(!partition_log_swap_is_valid(w->c.log, log_cleaning_swap(cleaning)));
    log_cleaning_free(cleaning);
    size_t size;
    CHECK(fixture_file(&w->f, "00000000000000000000.log.cleaned", &size) == NULL);
    CHECK_EQUAL(clean_read(&w->c, 20, &w->found), ERR_OK);
    CHECK_EQUAL(w->found.count, 40);
    world_free(w);
}

/* Some in one batch, some alone, with all codecs, compacted and opened again and again. */
TEST(random_logs_keep_the_last_value_of_each_key)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct world *w = world_new();
        struct prng prng;
        prng_seed(&prng, seed);
        w->f.config.segment_bytes = 300 + (int64_t)prng_below(&prng, 2000);
        partition_log_set_config(w->c.log, &w->f.config);
        int keys = 1 + (int)prng_below(&prng, 40);
        for (int round = 0; round < 12; round++) {
            int batches = (int)prng_below(&prng, 30);
            for (int i = 0; i < batches; i++) {
                struct clean_record records[10];
                struct clean_batch batch = {.options = batch_options_default(),
                                            .records = records,
                                            .count = 1 + (int)prng_below(&prng, 10),
                                            .timestamp_ms = w->c.now_ms};
                batch.options.codec = (enum compress_codec)prng_below(&prng, COMPRESS_COUNT);
                for (int k = 0; k < batch.count; k++) {
                    records[k].offset = partition_log_assigned(w->c.log) + k;
                    records[k].key = (int)prng_below(&prng, (uint64_t)keys);
                    records[k].value =
                        prng_below(&prng, 5) == 0 ? CLEAN_TOMBSTONE : w->model.count + k;
                    if (w->model.count + k < CLEAN_RECORDS_MAX)
                        w->model.records[w->model.count + k] = records[k];
                }
                w->model.count += batch.count;
                CHECK(w->model.count <= CLEAN_RECORDS_MAX);
                CHECK_EQUAL(clean_append(&w->c, &batch, 7), ERR_OK);
            }
            enum err e = clean_run(&w->c);
            CHECK(e == ERR_OK || e == ERR_NOT_FOUND);
            check_left(w, true);
            if (prng_below(&prng, 3) == 0)
                world_reopen(w, prng_below(&prng, 2) == 0, partition_log_durable(w->c.log).offset);
            check_left(w, true);
        }
        world_free(w);
    }
}

/* Every record that is the last of its key. */
static void check_last_values(struct world *w)
{
    int at = 0;
    CHECK_EQUAL(clean_read(&w->c, 0, &w->found), ERR_OK);
    for (int i = 0; i < w->model.count; i++) {
        while (at < w->found.count && w->found.records[at].offset < w->model.records[i].offset)
            at++;
        bool is_there =
            at < w->found.count && w->found.records[at].offset == w->model.records[i].offset;
        bool is_last = true;
        for (int k = i + 1; k < w->model.count; k++)
            is_last = is_last && w->model.records[k].key != w->model.records[i].key;
        CHECK(is_there || !is_last);
    }
}

/* Whatever fails, all the last values are there, and so they are after a new start. */
static void fail_once(int io, int memory, bool *has_failed)
{
    struct world *w = world_new();
    w->f.m.is_leaky = false;
    put_many(w, 40, 7, 0);
    clean_put(&w->c, &w->model, 3, CLEAN_TOMBSTONE);
    put_many(w, 20, 7, 100);
    w->f.m.fail_at = io;
    mem_fail_at(memory);
    enum err e = clean_run(&w->c);
    mem_fail_at(0);
    *has_failed = e != ERR_OK || (io > 0 && w->f.m.fail_at == 0); /* some do not matter */
    w->f.m.fail_at = 0;
    CHECK(e == ERR_OK || e == (memory > 0 ? ERR_NO_MEMORY : ERR_IO));
    for (int start = 0; start < 2; start++) {
        check_last_values(w);
        world_reopen(w, false, partition_log_durable(w->c.log).offset);
        CHECK_EQUAL(partition_log_written(w->c.log).offset, w->model.count);
    }
    w->c.first_dirty = 0;
    CHECK_EQUAL(clean_run(&w->c), ERR_OK);
    check_left(w, true);
    world_free(w);
}

TEST(each_failing_call_leaves_all_last_values)
{
    bool has_failed = true;
    for (int nth = 1; has_failed; nth++)
        fail_once(nth, 0, &has_failed);
    has_failed = true;
    for (int nth = 1; has_failed; nth++)
        fail_once(0, nth, &has_failed);
}

/* ---- what another try has left */

static int crash_at;          /* the nth call between a swap's publishing and its end */
static bool is_first_pending; /* no call has failed before */

static void crash_in_swap(struct clean_env *c)
{
    struct mem_env *m = container_of(c->env, struct mem_env, env);
    is_first_pending |= m->fail_at > 0;
    m->fail_at = crash_at;
    m->fail_with = ERR_IO;
}

/* The first segments stay as they are, so the first swap is behind them. */
static struct world *world_with_a_late_swap(void)
{
    struct world *w = world_new();
    for (int i = 0; i < 20; i++)
        clean_put(&w->c, &w->model, 100 + i, i);
    put_many(w, 40, 7, 0);
    return w;
}

/* True: it crashed in a swap. */
static bool clean_and_crash(struct world *w)
{
    w->c.in_swap = crash_in_swap;
    enum err e = clean_run(&w->c);
    bool has_crashed = e == ERR_IO && w->f.m.fail_at == 0;
    w->f.m.fail_at = 0;
    w->c.in_swap = NULL;
    world_reopen(w, false, 0);
    CHECK_EQUAL(partition_log_written(w->c.log).offset, w->model.count);
    check_last_values(w);
    return has_crashed;
}

/* Groups were others then: no file of this round has the name of what is left. */
TEST(what_an_earlier_round_left_does_not_speak_against_a_swap)
{
    static const char *const left[] = {
        "t-0/00000000000000000001.log.cleaned", "t-0/00000000000000000001.index.cleaned",
        "t-0/00000000000000000000.timeindex.cleaned", "t-0/00000000000000000001.txnindex.cleaned"};
    for (size_t i = 0; i < ARRAY_COUNT(left); i++) {
        bool has_crashed = true;
        for (crash_at = 1; has_crashed; crash_at++) {
            struct world *w = world_with_a_late_swap();
            mem_env_put_file(&w->f.m, left[i], "left", 4);
            has_crashed = clean_and_crash(w);
            CHECK(has_crashed || crash_at > 5);
            world_free(w);
        }
    }
}

/* Neither does what this round could not remove: it ends there. */
TEST(what_cannot_be_removed_ends_the_round)
{
    for (crash_at = 1; crash_at <= 8; crash_at++) {
        is_first_pending = false;
        for (int nth = 1; !is_first_pending; nth++) {
            struct world *w = world_with_a_late_swap();
            mem_env_put_file(&w->f.m, "t-0/00000000000000000001.log.cleaned", "left", 4);
            w->f.m.fail_at = nth;
            w->f.m.fail_with = ERR_DENIED;
            clean_and_crash(w);
            world_free(w);
        }
    }
}

/* The nth call finds no descriptor; false: there are fewer. */
static bool cleaned_without_a_descriptor(int nth)
{
    struct world *w = world_new();
    put_many(w, 120, 50, 0);
    for (uint32_t i = 0; i < partition_log_segment_count(w->c.log); i++)
        segment_close_files(w->c.log->segments[i]);
    w->f.m.fail_at = nth;
    w->f.m.fail_with = ERR_FULL;
    enum err e = clean_run(&w->c);
    bool was_reached = w->f.m.fail_at == 0;
    w->f.m.fail_at = 0;
    CHECK(w->c.first_dirty <= partition_log_written(w->c.log).offset);
    CHECK(e == ERR_OK || w->c.first_dirty == 0); /* it is not taken for a map that is full */
    check_last_values(w);
    world_free(w);
    return was_reached;
}

TEST(without_a_descriptor_a_round_ends_and_says_nothing_of_what_is_clean)
{
    int nth = 1;
    while (cleaned_without_a_descriptor(nth))
        nth++;
    CHECK(nth > 50);
}

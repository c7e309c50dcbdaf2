// SPDX-License-Identifier: Apache-2.0
/* partition_reasons_test: what a broker in memory says of partitions whose disk fails, is full or
 * slow. Thread: main. */
#include "broker/partition_reasons.h"

#include <string.h>

#include "broker/broker_fixture.h"
#include "wire/batch_builder.h"
#include "wire/codec.h"
#include "wire/kerr.h"
#include "wire/produce.h"

enum { PRODUCE = 0, PRODUCE_VERSION = 11, DESCRIBE_LOG_DIRS = 35, DIRS_VERSION = 4 };

typedef struct describe_log_dirs_response_explained_partition explained;

static void say_produce(struct broker_fixture *f, int32_t index, int16_t acks)
{
    struct batch_builder builder;
    struct batch_options options = batch_options_default();
    struct record record = {.timestamp = env_wall_ms(&f->m.env),
                            .value = {(const uint8_t *)"v", 1}};
    struct batch_buffer batch;
    batch_builder_init(&builder);
    batch_builder_start(&builder, &options);
    CHECK_EQUAL(batch_builder_add(&builder, &record), ERR_OK);
    batch_buffer_init(&batch, 1000);
    CHECK_EQUAL(batch_builder_finish(&builder, &batch), ERR_OK);
    struct produce_request_partition_produce_data partition = {
        .index = index, .records = {.data = batch.data, .len = (int32_t)batch.len}};
    struct produce_request_topic_produce_data topic = {.name = wire_str_of("t"),
                                                       .partition_data = {&partition, 1}};
    struct produce_request request = {.transactional_id = wire_str_of(NULL),
                                      .acks = acks,
                                      .timeout_ms = 1000,
                                      .topic_data = {&topic, 1}};
    fixture_send(f->peer, PRODUCE, PRODUCE_VERSION, &request);
    batch_buffer_deinit(&batch);
    batch_builder_deinit(&builder);
}

static int16_t produce(struct broker_fixture *f, int32_t index)
{
    say_produce(f, index, -1);
    mem_env_run_until_idle(&f->m);
    const struct produce_response *response = fixture_receive(f, f->peer, PRODUCE, PRODUCE_VERSION);
    CHECK(response != NULL);
    return response->responses.items[0].partition_responses.items[0].error_code;
}

static const struct describe_log_dirs_response *ask(struct broker_fixture *f, bool is_explained)
{
    int32_t indexes[] = {1, 0, 1, 7};
    struct describe_log_dirs_request_describable_log_dir_topic topics[] = {
        {wire_str_of("t"), {indexes, 4}}, {wire_str_of("nope"), {indexes, 1}}};
    struct describe_log_dirs_request request = {.topics = {topics, 2},
                                                .include_explanation = is_explained};
    const struct describe_log_dirs_response *response =
        fixture_ask(f, DESCRIBE_LOG_DIRS, DIRS_VERSION, &request);
    CHECK(response != NULL);
    return response;
}

/* What is said of t-0 and t-1, whatever is asked besides. */
static const explained *explain(struct broker_fixture *f, int32_t index)
{
    const struct describe_log_dirs_response *response = ask(f, true);
    CHECK(response->explanation != NULL);
    CHECK_EQUAL(response->explanation->partitions.count, 2);
    const explained *row = &response->explanation->partitions.items[index];
    CHECK_EQUAL(row->partition_index, index);
    return row;
}

static const struct describe_log_dirs_response_reason *find(const explained *row,
                                                            enum partition_reason kind)
{
    for (int32_t i = 0; i < row->reasons.count; i++) {
        if (row->reasons.items[i].kind == (int16_t)kind)
            return &row->reasons.items[i];
    }
    return NULL;
}

TEST(who_does_not_ask_is_told_no_reasons)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    fixture_create(&f, "t", 2);
    CHECK(ask(&f, false)->explanation == NULL);
    CHECK(ask(&f, true)->explanation != NULL);
    CHECK_EQUAL(ask(&f, true)->results.items[0].topics.items[0].partitions.count, 2);
    struct describe_log_dirs_request all = {.topics = {NULL, -1}, .include_explanation = true};
    const struct describe_log_dirs_response *response =
        fixture_ask(&f, DESCRIBE_LOG_DIRS, DIRS_VERSION, &all);
    CHECK(response != NULL && response->explanation == NULL); /* it names no partitions */
    fixture_stop(&f);
}

TEST(a_partition_that_is_well_tells_its_offsets)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    fixture_create(&f, "t", 2);
    CHECK_EQUAL(produce(&f, 0), KERR_NONE);
    const explained *row = explain(&f, 0);
    CHECK_EQUAL(row->state, PARTITION_IS_SERVING);
    CHECK_EQUAL(row->reasons.count, 0);
    CHECK(row->written_offset == 1 && row->durable_offset == 1 && row->high_watermark == 1);
    CHECK(row->log_start_offset == 0 && row->recovery_point <= 1 && row->assigned_offset == 1);
    CHECK(row->synced_ms > 0 && row->unsynced_since_ms == -1 && row->opened_ms > 0);
    CHECK_EQUAL(explain(&f, 1)->synced_ms, -1);
    fixture_stop(&f);
}

TEST(a_full_disk_is_told_until_there_is_room)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    fixture_create(&f, "t", 2);
    CHECK_EQUAL(produce(&f, 0), KERR_NONE);
    int64_t free_bytes = 0, all = 0;
    CHECK_EQUAL(env_disk_space(&f.m.env, "data", &free_bytes, &all), ERR_OK);
    f.m.space_bytes = all - free_bytes + 10; /* less than a batch */
    CHECK_EQUAL(produce(&f, 0), KERR_KAFKA_STORAGE_ERROR);
    const explained *row = explain(&f, 0);
    CHECK_EQUAL(row->state, PARTITION_IS_SERVING);
    const struct describe_log_dirs_response_reason *full = find(row, PARTITION_REASON_FULL);
    CHECK(full != NULL && full->since_ms > 0 && full->amount == 10);
    const struct describe_log_dirs_response_reason *failed = find(row, PARTITION_REASON_FAILED);
    CHECK(failed != NULL && failed->step == PARTITION_AT_WRITE);
    CHECK(find(explain(&f, 1), PARTITION_REASON_FULL) != NULL); /* its disk is the same */
    f.m.space_bytes = INT64_MAX;
    mem_env_advance_ms(&f.m, 2000); /* it is looked for every second */
    CHECK_EQUAL(produce(&f, 0), KERR_NONE);
    CHECK_EQUAL(explain(&f, 0)->reasons.count, 0);
    fixture_stop(&f);
}

TEST(a_disk_of_which_only_the_reserve_is_left_is_told)
{
    static const char *const sets[] = {"klamm.log.dir.reserve.bytes=100000", NULL};
    struct broker_fixture f;
    int64_t free_bytes = 0, all = 0;
    fixture_start(&f, sets);
    fixture_create(&f, "t", 2);
    CHECK_EQUAL(env_disk_space(&f.m.env, "data", &free_bytes, &all), ERR_OK);
    f.m.space_bytes = all - free_bytes + 50000;
    mem_env_advance_ms(&f.m, 2000);
    CHECK_EQUAL(produce(&f, 0), KERR_NONE); /* the one after which the disk is looked at */
    const explained *row = explain(&f, 1);
    CHECK_EQUAL(row->state, PARTITION_IS_SERVING);
    const struct describe_log_dirs_response_reason *low = find(row, PARTITION_REASON_RESERVE);
    CHECK(low != NULL && low->since_ms > 0 && low->position == 100000);
    CHECK(low->amount > 0 && low->amount < 50000);
    f.m.space_bytes = all;
    mem_env_advance_ms(&f.m, 3000);
    CHECK(find(explain(&f, 1), PARTITION_REASON_RESERVE) == NULL);
    fixture_stop(&f);
}

/* One of two directories fails; partitions are spread over both. */
TEST(a_directory_that_fails_is_told_with_file_and_position)
{
    static const char *const sets[] = {"log.dirs=d1,d2", NULL};
    struct broker_fixture f;
    fixture_start(&f, sets);
    fixture_create(&f, "t", 2);
    CHECK_EQUAL(produce(&f, 0), KERR_NONE);
    f.m.fail_at = 1;
    CHECK_EQUAL(produce(&f, 0), KERR_KAFKA_STORAGE_ERROR);
    const explained *row = explain(&f, 0);
    CHECK_EQUAL(row->state, PARTITION_IS_OFFLINE);
    const struct describe_log_dirs_response_reason *dir = find(row, PARTITION_REASON_DIR_OFFLINE);
    CHECK(dir != NULL && dir->since_ms > 0 && wire_str_is(dir->detail, "t-0"));
    CHECK(wire_str_is(dir->error, "input/output error"));
    const struct describe_log_dirs_response_reason *failed = find(row, PARTITION_REASON_FAILED);
    CHECK(failed != NULL && failed->step == PARTITION_AT_WRITE && failed->position > 0);
    CHECK(wire_str_is(failed->file, row->dir == 0 ? "d1/t-0/00000000000000000000.log"
                                                  : "d2/t-0/00000000000000000000.log"));
    CHECK_EQUAL(explain(&f, 1)->state, PARTITION_IS_SERVING);
    CHECK_EQUAL(explain(&f, 1)->reasons.count, 0);
    fixture_stop(&f);
}

/* After a crash amid a move, where one of the numbers that tell the two apart is of no use. */
TEST(a_partition_in_two_directories_is_offline_where_nobody_can_tell_which_counts)
{
    static const char *const sets[] = {"log.dirs=d1,d2", NULL};
    static const char junk[1000];
    struct broker_fixture f;
    fixture_start(&f, sets);
    fixture_create(&f, "t", 2);
    CHECK_EQUAL(produce(&f, 0), KERR_NONE);
    CHECK_EQUAL(env_dir_make(&f.m.env, "d1/t-1"), env_dir_make(&f.m.env, "d2/t-0"));
    mem_env_put_file(&f.m, "d2/t-0/klamm.moved", junk, sizeof(junk));
    fixture_restart(&f, sets);
    CHECK_EQUAL(produce(&f, 0), KERR_KAFKA_STORAGE_ERROR);
    const explained *row = explain(&f, 0);
    CHECK_EQUAL(row->state, PARTITION_IS_UNOPENED);
    const struct describe_log_dirs_response_reason *why = find(row, PARTITION_REASON_UNOPENED);
    CHECK(why != NULL && wire_str_is(why->error, "input/output error"));
    CHECK(memmem(why->detail.data, (size_t)why->detail.len, "more than one log directory", 27) !=
          NULL);
    fixture_stop(&f);
}

TEST(files_that_are_gone_are_told)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    fixture_create(&f, "t", 2);
    for (int i = 0; i < 3; i++)
        CHECK_EQUAL(produce(&f, 0), KERR_NONE);
    fixture_halt(&f);
    CHECK_EQUAL(env_path_unlink(&f.m.env, "data/t-0/00000000000000000000.log"), ERR_OK);
    int errors = f.m.log_lines[LOG_ERROR];
    fixture_go_on(&f, NULL);
    CHECK(f.m.log_lines[LOG_ERROR] > errors);
    const explained *row = explain(&f, 0);
    CHECK_EQUAL(row->state, PARTITION_IS_SERVING);
    const struct describe_log_dirs_response_reason *lost = find(row, PARTITION_REASON_LOST);
    CHECK(lost != NULL && lost->detail.len > 0);
    CHECK_EQUAL(explain(&f, 1)->reasons.count, 0);
    fixture_restart(&f, NULL); /* it is told once */
    CHECK_EQUAL(explain(&f, 0)->reasons.count, 0);
    fixture_stop(&f);
}

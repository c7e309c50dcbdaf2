// SPDX-License-Identifier: Apache-2.0
/* disk_full_test: a whole broker in memory whose disk is full or whose descriptors have run out
 * when partitions are made, and what becomes of them when that is over. Thread: main. */
#include "base/macros.h"
#include "base/mem.h"
#include "broker/broker_fixture.h"
#include "broker/broker_private.h"
#include "wire/codec.h"
#include "wire/create_topics.h"
#include "wire/delete_records.h"
#include "wire/fetch.h"
#include "wire/find_coordinator.h"
#include "wire/join_group.h"
#include "wire/kerr.h"
#include "wire/produce.h"

enum {
    PRODUCE = 0,
    FETCH = 1,
    FIND_COORDINATOR = 10,
    JOIN_GROUP = 11,
    CREATE_TOPICS = 19,
    DELETE_RECORDS = 21,
    RESERVE = 100000,
    VALUE_BYTES = 5000,
};

/* How each partition stands. */
static enum kerr state_of(struct broker_fixture *f, const char *name, int32_t index)
{
    struct image *image = image_slot_get(&f->broker->image);
    const struct topic_image *topic = image_topic(image, name, strlen(name));
    enum kerr error = KERR_UNKNOWN_TOPIC_OR_PARTITION;
    struct partition *p = topic != NULL ? broker_partition(f->broker, topic, index, &error) : NULL;
    if (p != NULL) {
        struct partition_offsets offsets;
        partition_offsets(p, &offsets);
        error = offsets.error;
    }
    partition_unref(p);
    image_unref(image);
    return error;
}

/* With the nth call failing so. True: none of them was reached. */
static bool partitions_come_online_after(int fail_at, enum err fail_with, uint32_t *offline_seen)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    f.m.fail_at = fail_at;
    f.m.fail_with = fail_with;
    int16_t error = fixture_try_create(&f, "t", 3);
    bool is_through = f.m.fail_at > 0;
    f.m.fail_at = 0;
    f.m.fail_with = ERR_IO;
    *offline_seen += fixture_offline(&f);
    if (error == KERR_NONE) {
        mem_env_advance_ms(&f.m, 2000);
        CHECK_EQUAL(fixture_offline(&f), 0);
        for (int32_t i = 0; i < 3; i++)
            CHECK_EQUAL(state_of(&f, "t", i), KERR_NONE);
    }
    fixture_stop(&f);
    return is_through;
}

TEST(a_partition_that_found_no_room_or_descriptor_comes_online_by_itself)
{
    static const enum err errors[] = {ERR_NO_SPACE, ERR_FULL, ERR_NO_MEMORY};
    for (size_t i = 0; i < ARRAY_COUNT(errors); i++) {
        uint32_t offline_seen = 0;
        int fail_at = 1;
        while (!partitions_come_online_after(fail_at, errors[i], &offline_seen))
            fail_at++;
        CHECK(fail_at > 20);
        CHECK(offline_seen > 10);
    }
}

/* The same without memory at the nth allocation. What the client is told is another matter. */
static uint32_t offline_without_memory(int nth)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    struct create_topics_request_creatable_topic topic = {
        .name = wire_str_of("t"), .num_partitions = 1, .replication_factor = 1};
    struct create_topics_request request = {.topics = {&topic, 1}, .timeout_ms = 1000};
    fixture_send(f.peer, CREATE_TOPICS, 7, &request);
    mem_fail_at(nth);
    mem_env_run_until_idle(&f.m);
    mem_fail_at(0);
    uint32_t seen = fixture_offline(&f);
    mem_env_advance_ms(&f.m, 2000);
    CHECK_EQUAL(fixture_offline(&f), 0);
    fixture_stop(&f);
    return seen;
}

TEST(a_partition_that_found_no_memory_comes_online_by_itself)
{
    uint32_t seen = 0;
    for (int nth = 1; nth < 40; nth++)
        seen += offline_without_memory(nth);
    CHECK(seen > 0);
}

TEST(partitions_made_on_a_full_disk_are_tried_again_less_and_less_often)
{
    enum { PARTITIONS = 30 };
    struct broker_fixture f;
    fixture_start(&f, NULL);
    f.m.space_bytes = f.m.used_bytes + 2000; /* for the metadata, and some of them */
    CHECK_EQUAL(fixture_try_create(&f, "t", PARTITIONS), KERR_NONE);
    f.m.space_bytes = f.m.used_bytes;
    mem_env_advance_ms(&f.m, 3000);
    uint32_t failed = fixture_offline(&f);
    CHECK(failed > 5 && failed < PARTITIONS);
    int calls = f.m.io_calls;
    mem_env_advance_ms(&f.m, 600000);
    CHECK(f.m.io_calls > calls);
    CHECK(f.m.io_calls - calls < 600000 / 30000 * PARTITIONS * 20);
    CHECK_EQUAL(fixture_offline(&f), failed);
    f.m.space_bytes = INT64_MAX;
    mem_env_advance_ms(&f.m, 31000);
    CHECK_EQUAL(fixture_offline(&f), 0);
    calls = f.m.io_calls;
    mem_env_advance_ms(&f.m, 60000); /* nothing is left to try */
    CHECK_EQUAL(f.m.io_calls, calls);
    fixture_stop(&f);
}

/* Deletion at every step of the try that is under way. */
TEST(a_topic_that_waits_for_room_can_be_deleted_and_made_again)
{
    for (int steps = 0; steps < 40; steps++) {
        struct broker_fixture f;
        fixture_start(&f, NULL);
        f.m.fail_at = 8;
        f.m.fail_with = ERR_NO_SPACE;
        CHECK_EQUAL(fixture_try_create(&f, "t", 3), KERR_NONE);
        CHECK(f.m.fail_at == 0 && fixture_offline(&f) == 1);
        f.m.now_ns += 1100 * INT64_C(1000000);
        mem_env_run_loops(&f.m);
        for (int i = 0; i < steps; i++)
            mem_env_run_one_job_step(&f.m);
        CHECK_EQUAL(fixture_delete(&f, "t"), KERR_NONE);
        CHECK_EQUAL(fixture_offline(&f), 0);
        CHECK_EQUAL(fixture_try_create(&f, "t", 3), KERR_NONE);
        CHECK_EQUAL(fixture_offline(&f), 0);
        for (int32_t i = 0; i < 3; i++)
            CHECK_EQUAL(state_of(&f, "t", i), KERR_NONE);
        fixture_stop(&f);
    }
}

TEST(a_stop_comes_while_partitions_are_tried_again)
{
    for (int steps = 0; steps < 10; steps++) {
        struct broker_fixture f;
        fixture_start(&f, NULL);
        f.m.fail_at = 8;
        f.m.fail_with = ERR_NO_SPACE;
        CHECK_EQUAL(fixture_try_create(&f, "t", 3), KERR_NONE);
        f.m.now_ns += 1100 * INT64_C(1000000);
        mem_env_run_loops(&f.m);
        for (int i = 0; i < steps; i++)
            mem_env_run_one_job_step(&f.m);
        fixture_stop(&f);
    }
}

/* ---- groups */

static void find_coordinator(struct broker_fixture *f)
{
    struct find_coordinator_request request;
    wire_defaults(&find_coordinator_request_layout, &request);
    request.key = wire_str_of("orders");
    CHECK(fixture_ask(f, FIND_COORDINATOR, 3, &request) != NULL);
    mem_env_run_until_idle(&f->m);
}

static int16_t join(struct broker_fixture *f, int64_t wait_ms)
{
    struct join_group_request_protocol protocol = {.name = wire_str_of("range")};
    struct join_group_request request;
    wire_defaults(&join_group_request_layout, &request);
    request.group_id = wire_str_of("orders");
    request.session_timeout_ms = 10000;
    request.rebalance_timeout_ms = 10000;
    request.protocol_type = wire_str_of("consumer");
    request.protocols = (__typeof__(request.protocols)){&protocol, 1};
    fixture_send(f->peer, JOIN_GROUP, 3, &request);
    mem_env_advance_ms(&f->m, wait_ms); /* group.initial.rebalance.delay.ms */
    const struct join_group_response *response = fixture_receive(f, f->peer, JOIN_GROUP, 3);
    CHECK(response != NULL);
    return response->error_code;
}

TEST(groups_follow_when_their_partition_comes_online)
{
    static const char *const sets[] = {"offsets.topic.num.partitions=1", NULL};
    struct broker_fixture f;
    fixture_start(&f, sets);
    f.m.fail_at = 8;
    f.m.fail_with = ERR_NO_SPACE;
    find_coordinator(&f);
    CHECK(f.m.fail_at == 0 && fixture_offline(&f) == 1);
    CHECK_EQUAL(join(&f, 100), KERR_NOT_COORDINATOR);
    mem_env_advance_ms(&f.m, 1000);
    CHECK_EQUAL(fixture_offline(&f), 0);
    CHECK_EQUAL(join(&f, 5000), KERR_NONE);
    fixture_stop(&f);
}

/* ---- little room */

static const char *const with_reserve[] = {"klamm.log.dir.reserve.bytes=100000",
                                           "offsets.topic.num.partitions=1", NULL};

static void say_produce(struct broker_fixture *f, struct sock *peer, int16_t acks)
{
    static const uint8_t value[VALUE_BYTES];
    struct record r = {
        .timestamp = env_wall_ms(&f->m.env), .key = {NULL, -1}, .value = {value, sizeof(value)}};
    fixture_say_produce(peer, &r, acks);
    mem_env_run_until_idle(&f->m);
}

static const struct produce_response *produce(struct broker_fixture *f)
{
    say_produce(f, f->peer, -1);
    return fixture_receive(f, f->peer, PRODUCE, 12);
}

static int16_t error_of(const struct produce_response *response)
{
    CHECK(response != NULL);
    return response->responses.items[0].partition_responses.items[0].error_code;
}

static int16_t produce_error(struct broker_fixture *f)
{
    return error_of(produce(f));
}

static void free_is(struct broker_fixture *f, int64_t bytes)
{
    f->m.space_bytes = f->m.used_bytes + bytes;
}

/* The next write asks the disk. */
static void make_low(struct broker_fixture *f)
{
    free_is(f, RESERVE);
    mem_env_advance_ms(&f->m, 1000);
    CHECK_EQUAL(produce_error(f), KERR_NONE);
    CHECK(disk_room_is_low(log_dir_room(f->broker->dirs[0])));
}

TEST(producers_are_refused_and_throttled_while_there_is_little_room)
{
    struct broker_fixture f;
    fixture_start(&f, with_reserve);
    CHECK_EQUAL(fixture_try_create(&f, "t", 1), KERR_NONE);
    free_is(&f, 2 * RESERVE);
    while (!disk_room_is_low(log_dir_room(f.broker->dirs[0]))) {
        const struct produce_response *good = produce(&f);
        CHECK_EQUAL(error_of(good), KERR_NONE);
        CHECK_EQUAL(good->throttle_time_ms, 0);
        mem_env_advance_ms(&f.m, 1000);
    }
    CHECK(f.m.space_bytes - f.m.used_bytes > RESERVE - 3 * VALUE_BYTES);
    int64_t used = f.m.used_bytes;
    const struct produce_response *refused = produce(&f);
    CHECK_EQUAL(error_of(refused), KERR_KAFKA_STORAGE_ERROR);
    CHECK_EQUAL(refused->throttle_time_ms, 1000);
    CHECK_EQUAL(f.m.used_bytes, used);
    /* The next is not looked at before that time is over. */
    CHECK(produce(&f) == NULL);
    mem_env_advance_ms(&f.m, 999);
    CHECK(fixture_receive(&f, f.peer, PRODUCE, 12) == NULL);
    mem_env_advance_ms(&f.m, 1);
    CHECK_EQUAL(error_of(fixture_receive(&f, f.peer, PRODUCE, 12)), KERR_KAFKA_STORAGE_ERROR);
    /* Room comes: within a second or so all is as before. */
    f.m.space_bytes = INT64_MAX;
    mem_env_advance_ms(&f.m, 1000);
    CHECK_EQUAL(produce_error(&f), KERR_NONE);
    CHECK(!disk_room_is_low(log_dir_room(f.broker->dirs[0])));
    int calls = f.m.io_calls;
    mem_env_advance_ms(&f.m, 10000);
    CHECK_EQUAL(f.m.io_calls, calls); /* nobody asks the disk any more */
    fixture_stop(&f);
}

TEST(one_line_is_logged_each_way)
{
    struct broker_fixture f;
    fixture_start(&f, with_reserve);
    CHECK_EQUAL(fixture_try_create(&f, "t", 1), KERR_NONE);
    int errors = f.m.log_lines[LOG_ERROR];
    make_low(&f);
    CHECK_EQUAL(f.m.log_lines[LOG_ERROR], errors + 1);
    CHECK(strstr(f.m.last_line, "producers are refused") != NULL);
    int lines = f.m.log_lines[LOG_INFO];
    mem_env_advance_ms(&f.m, 60000);
    CHECK_EQUAL(f.m.log_lines[LOG_INFO], lines);
    f.m.space_bytes = INT64_MAX;
    mem_env_advance_ms(&f.m, 60000);
    CHECK_EQUAL(f.m.log_lines[LOG_ERROR], errors + 1);
    CHECK_EQUAL(f.m.log_lines[LOG_INFO], lines + 1);
    CHECK(strstr(f.m.last_line, "served again") != NULL);
    fixture_stop(&f);
}

TEST(groups_and_changes_go_on_while_there_is_little_room)
{
    struct broker_fixture f;
    fixture_start(&f, with_reserve);
    CHECK_EQUAL(fixture_try_create(&f, "t", 1), KERR_NONE);
    find_coordinator(&f);
    make_low(&f);
    CHECK_EQUAL(join(&f, 5000), KERR_NONE);
    CHECK_EQUAL(fixture_try_create(&f, "another", 2), KERR_NONE);
    CHECK_EQUAL(fixture_offline(&f), 0);
    CHECK_EQUAL(fixture_delete(&f, "another"), KERR_NONE);
    CHECK(disk_room_is_low(log_dir_room(f.broker->dirs[0])));
    fixture_stop(&f);
}

static int64_t deleted_up_to(struct broker_fixture *f)
{
    struct delete_records_request_delete_records_partition partition = {.offset = -1};
    struct delete_records_request_delete_records_topic topic = {.name = wire_str_of("t"),
                                                                .partitions = {&partition, 1}};
    struct delete_records_request request = {.topics = {&topic, 1}, .timeout_ms = 1000};
    const struct delete_records_response *response = fixture_ask(f, DELETE_RECORDS, 2, &request);
    CHECK(response != NULL && response->topics.count == 1);
    CHECK_EQUAL(response->topics.items[0].partitions.items[0].error_code, KERR_NONE);
    return response->topics.items[0].partitions.items[0].low_watermark;
}

/* Though file.delete.delay.ms is a minute; also where all is in one segment, which is written to.
 */
TEST(records_that_are_deleted_while_there_is_little_room_free_it_at_once)
{
    static const char *const small[] = {"klamm.log.dir.reserve.bytes=100000",
                                        "log.segment.bytes=1048576", NULL};
    static const char *const large[] = {"klamm.log.dir.reserve.bytes=100000", NULL};
    for (int is_one = 0; is_one < 2; is_one++) {
        struct broker_fixture f;
        fixture_start(&f, is_one ? large : small);
        CHECK_EQUAL(fixture_try_create(&f, "t", 1), KERR_NONE);
        for (int i = 0; i < 230; i++)
            CHECK_EQUAL(produce_error(&f), KERR_NONE);
        make_low(&f);
        int64_t used = f.m.used_bytes;
        CHECK_EQUAL(deleted_up_to(&f), 231);
        mem_env_advance_ms(&f.m, 2000);
        CHECK(f.m.used_bytes < used - 1000000);
        CHECK_EQUAL(produce_error(&f), KERR_NONE);
        fixture_restart(&f, is_one ? large : small);
        CHECK_EQUAL(fixture_offline(&f), 0);
        CHECK_EQUAL(produce_error(&f), KERR_NONE);
        fixture_stop(&f);
    }
}

/* With room it stays, as with Kafka. */
TEST(an_active_segment_of_which_all_is_deleted_stays_while_there_is_room)
{
    struct broker_fixture f;
    fixture_start(&f, with_reserve);
    CHECK_EQUAL(fixture_try_create(&f, "t", 1), KERR_NONE);
    for (int i = 0; i < 10; i++)
        CHECK_EQUAL(produce_error(&f), KERR_NONE);
    int64_t used = f.m.used_bytes;
    CHECK_EQUAL(deleted_up_to(&f), 10);
    mem_env_advance_ms(&f.m, 200000);
    CHECK(f.m.used_bytes >= used);
    CHECK_EQUAL(fixture_count_names(&f, "data/t-0", ".log"), 1);
    fixture_stop(&f);
}

/* The next check by the clock is five minutes away. */
TEST(retention_runs_at_once_when_there_is_little_room)
{
    static const char *const sets[] = {"klamm.log.dir.reserve.bytes=100000",
                                       "log.segment.bytes=1048576", "log.retention.ms=1000", NULL};
    struct broker_fixture f;
    fixture_start(&f, sets);
    CHECK_EQUAL(fixture_try_create(&f, "t", 1), KERR_NONE);
    for (int i = 0; i < 230; i++)
        CHECK_EQUAL(produce_error(&f), KERR_NONE);
    mem_env_advance_ms(&f.m, 10000);
    int64_t used = f.m.used_bytes;
    free_is(&f, RESERVE);
    CHECK_EQUAL(produce_error(&f), KERR_NONE);
    mem_env_advance_ms(&f.m, 1000);
    CHECK(f.m.used_bytes < used - 1000000);
    CHECK_EQUAL(produce_error(&f), KERR_NONE);
    fixture_stop(&f);
}

TEST(a_new_partition_goes_where_there_is_room)
{
    static const char *const sets[] = {"log.dirs=data,other", NULL};
    struct broker_fixture f;
    fixture_start(&f, sets);
    atomic_store(&log_dir_room(f.broker->dirs[0])->is_low, true);
    CHECK_EQUAL(fixture_try_create(&f, "t", 4), KERR_NONE);
    enum kerr error;
    struct image *image = image_slot_get(&f.broker->image);
    for (int32_t i = 0; i < 4; i++) {
        struct partition *p = broker_partition(f.broker, image_topic(image, "t", 1), i, &error);
        CHECK(p != NULL && partition_dir(p) == f.broker->dirs[1]);
        partition_unref(p);
    }
    image_unref(image);
    fixture_stop(&f);
}

/* The disk of one is asked at nearly every write, that of the other by nobody but the timer. */
TEST(a_directory_that_nobody_writes_to_is_looked_at_though_others_are_all_the_time)
{
    static const char *const sets[] = {"log.dirs=data,other", "klamm.log.dir.reserve.bytes=100000",
                                       NULL};
    struct broker_fixture f;
    fixture_start(&f, sets);
    struct disk_room *busy = log_dir_room(f.broker->dirs[0]);
    struct disk_room *quiet = log_dir_room(f.broker->dirs[1]);
    f.m.space_bytes = f.m.used_bytes;
    disk_room_wrote(busy, env_mono_ns(&f.m.env), 0, ERR_NO_SPACE);
    disk_room_wrote(quiet, env_mono_ns(&f.m.env), 0, ERR_NO_SPACE);
    mem_env_run_until_idle(&f.m);
    CHECK(disk_room_is_low(busy) && disk_room_is_low(quiet));
    f.m.space_bytes = INT64_MAX;
    for (int i = 0; i < 20; i++) {
        disk_room_wrote(busy, env_mono_ns(&f.m.env), 0, ERR_NO_SPACE);
        mem_env_advance_ms(&f.m, 100);
    }
    CHECK(!disk_room_is_low(quiet));
    fixture_stop(&f);
}

TEST(a_stop_comes_while_the_disk_is_looked_at)
{
    for (int steps = 0; steps < 10; steps++) {
        struct broker_fixture f;
        fixture_start(&f, with_reserve);
        CHECK_EQUAL(fixture_try_create(&f, "t", 1), KERR_NONE);
        make_low(&f);
        f.m.now_ns += 1000000000;
        mem_env_run_loops(&f.m);
        for (int i = 0; i < steps; i++)
            mem_env_run_one_job_step(&f.m);
        fixture_stop(&f);
    }
}

/* ---- a start without room */

static int32_t epoch_of(struct broker_fixture *f)
{
    struct image *image = image_slot_get(&f->broker->image);
    enum kerr error;
    struct partition_offsets offsets;
    struct partition *p = broker_partition(f->broker, image_topic(image, "t", 1), 0, &error);
    CHECK(p != NULL);
    partition_offsets(p, &offsets);
    partition_unref(p);
    image_unref(image);
    return offsets.leader_epoch;
}

static const struct fetch_response_partition_data *fetch(struct broker_fixture *f)
{
    struct fetch_request_fetch_partition partition = {.current_leader_epoch = -1,
                                                      .last_fetched_epoch = -1,
                                                      .log_start_offset = -1,
                                                      .partition_max_bytes = 100000};
    struct fetch_request_fetch_topic topic = {.topic = wire_str_of("t"),
                                              .partitions = {&partition, 1}};
    struct fetch_request request = {.cluster_id = wire_str_of(NULL),
                                    .replica_id = -1,
                                    .replica_state = {.replica_id = -1, .replica_epoch = -1},
                                    .min_bytes = 1,
                                    .max_bytes = 1000000,
                                    .session_epoch = -1,
                                    .topics = {&topic, 1}};
    const struct fetch_response *response = fixture_ask(f, FETCH, 12, &request);
    CHECK(response != NULL && response->responses.count == 1);
    return &response->responses.items[0].partitions.items[0];
}

/* With so many bytes free: whatever the start could write, the broker is there and can be read; and
 * once there is room it takes records, with a new epoch. */
static void check_restart(int64_t free_bytes, bool *was_owed)
{
    struct broker_fixture f;
    fixture_start(&f, with_reserve);
    CHECK_EQUAL(fixture_try_create(&f, "t", 3), KERR_NONE);
    CHECK_EQUAL(produce_error(&f), KERR_NONE);
    find_coordinator(&f);
    CHECK_EQUAL(join(&f, 5000), KERR_NONE);
    int32_t epoch = epoch_of(&f);
    free_is(&f, free_bytes);
    fixture_restart(&f, with_reserve);
    *was_owed = epoch_of(&f) == epoch;
    CHECK_EQUAL(fetch(&f)->error_code, KERR_NONE);
    CHECK(fetch(&f)->records.len > VALUE_BYTES);
    CHECK_EQUAL(fetch(&f)->high_watermark, 1);
    CHECK_EQUAL(produce_error(&f), KERR_KAFKA_STORAGE_ERROR);
    mem_env_advance_ms(&f.m, 60000);
    CHECK_EQUAL(fixture_offline(&f), 0);
    /* Room comes. What is answered then was written with an epoch of this start. */
    f.m.space_bytes = INT64_MAX;
    enum kerr error = KERR_KAFKA_STORAGE_ERROR;
    for (int i = 0; i < 3000 && error != KERR_NONE; i++) {
        mem_env_advance_ms(&f.m, 1);
        struct sock *peer = mem_env_connect(&f.m, 9092, NULL); /* others are not throttled */
        CHECK(peer != NULL);
        say_produce(&f, peer, -1);
        error = (enum kerr)error_of(fixture_receive(&f, peer, PRODUCE, 12));
        sock_close(peer);
    }
    CHECK_EQUAL(error, KERR_NONE);
    CHECK_EQUAL(epoch_of(&f), epoch + 1);
    CHECK_EQUAL(join(&f, 5000), KERR_NONE);
    CHECK_EQUAL(fixture_try_create(&f, "u", 1), KERR_NONE);
    CHECK_EQUAL(state_of(&f, "u", 0), KERR_NONE);
    fixture_stop(&f);
}

TEST(a_broker_starts_whatever_is_left_of_its_disk)
{
    int owed = 0;
    for (int64_t free_bytes = 0; free_bytes < 1000; free_bytes += 40) {
        bool was_owed;
        check_restart(free_bytes, &was_owed);
        owed += was_owed;
    }
    CHECK(owed > 1 && owed < 1000 / 40);
}

TEST(a_broker_that_waits_for_room_for_its_start_can_be_stopped)
{
    struct broker_fixture f;
    fixture_start(&f, with_reserve);
    CHECK_EQUAL(fixture_try_create(&f, "t", 3), KERR_NONE);
    free_is(&f, 0);
    for (int i = 0; i < 3; i++) {
        fixture_restart(&f, with_reserve);
        mem_env_advance_ms(&f.m, 1500 * i);
    }
    CHECK_EQUAL(epoch_of(&f), 0);
    fixture_stop(&f);
}

/* What is written before the epoch rises could not be told from what another start wrote. */
TEST(nothing_is_written_before_the_start_is_in_the_metadata)
{
    static const char *const sets[] = {"klamm.log.dir.reserve.bytes=0", NULL};
    struct broker_fixture f;
    fixture_start(&f, sets);
    CHECK_EQUAL(fixture_try_create(&f, "t", 1), KERR_NONE);
    CHECK_EQUAL(produce_error(&f), KERR_NONE);
    free_is(&f, 0);
    fixture_restart(&f, sets);
    f.m.space_bytes = INT64_MAX;
    CHECK(!disk_room_is_low(log_dir_room(f.broker->dirs[0])));
    CHECK_EQUAL(produce_error(&f), KERR_KAFKA_STORAGE_ERROR);
    CHECK_EQUAL(epoch_of(&f), 0);
    mem_env_advance_ms(&f.m, 1000);
    CHECK_EQUAL(epoch_of(&f), 1);
    CHECK_EQUAL(produce_error(&f), KERR_NONE);
    CHECK_EQUAL(fixture_delete(&f, "t"), KERR_NONE);
    CHECK_EQUAL(fixture_try_create(&f, "t", 1), KERR_NONE);
    CHECK_EQUAL(produce_error(&f), KERR_NONE);
    fixture_stop(&f);
}

// SPDX-License-Identifier: Apache-2.0
/* scrub_test: a whole broker in memory whose sealed segments rot: it is found, told once, and only
 * what is damaged cannot be read. Thread: main. */
#include <stdio.h>

#include "base/macros.h"
#include "broker/broker_fixture.h"
#include "broker/broker_private.h"
#include "wire/create_topics.h"
#include "wire/delete_records.h"
#include "wire/delete_topics.h"
#include "wire/describe_log_dirs.h"
#include "wire/fetch.h"
#include "wire/kerr.h"
#include "wire/partition_reason.h"
#include "wire/produce.h"

enum {
    PRODUCE = 0,
    FETCH = 1,
    CREATE_TOPICS = 19,
    DELETE_TOPICS = 20,
    DELETE_RECORDS = 21,
    DESCRIBE_LOG_DIRS = 35,
    BATCHES = 20, /* three to a segment */
    VALUE_BYTES = 5000,
    ROUND_MS = 1000,
};

static const char *const often[] = {"klamm.scrub.interval.ms=1000",
                                    "klamm.scrub.bytes.per.second=100000000", NULL};

static void create(struct broker_fixture *f)
{
    struct create_topics_request_creatable_topic_config config = {
        .name = wire_str_of("internal.segment.bytes"), .value = wire_str_of("16000")};
    struct create_topics_request_creatable_topic topic = {.name = wire_str_of("t"),
                                                          .num_partitions = 1,
                                                          .replication_factor = 1,
                                                          .configs = {&config, 1}};
    struct create_topics_request request = {.topics = {&topic, 1}, .timeout_ms = 1000};
    const struct create_topics_response *response = fixture_ask(f, CREATE_TOPICS, 7, &request);
    CHECK(response != NULL && response->topics.items[0].error_code == KERR_NONE);
}

/* The size of a batch. */
static size_t produce(struct broker_fixture *f)
{
    static const uint8_t value[VALUE_BYTES];
    struct record r = {
        .timestamp = env_wall_ms(&f->m.env), .key = {NULL, -1}, .value = {value, sizeof(value)}};
    size_t size = fixture_say_produce(f->peer, &r, -1);
    mem_env_run_until_idle(&f->m);
    const struct produce_response *response = fixture_receive(f, f->peer, PRODUCE, 12);
    CHECK(response != NULL);
    CHECK_EQUAL(response->responses.items[0].partition_responses.items[0].error_code, KERR_NONE);
    return size;
}

static const struct fetch_response_partition_data *fetch(struct broker_fixture *f, int64_t offset)
{
    struct fetch_request_fetch_partition partition = {.fetch_offset = offset,
                                                      .current_leader_epoch = -1,
                                                      .last_fetched_epoch = -1,
                                                      .log_start_offset = -1,
                                                      .partition_max_bytes = 1000000};
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

static int fetch_error(struct broker_fixture *f, int64_t offset)
{
    return fetch(f, offset)->error_code;
}

static size_t start_with(struct broker_fixture *f, const char *const *sets)
{
    size_t size = 0;
    fixture_start(f, sets);
    create(f);
    for (int i = 0; i < BATCHES; i++)
        size = produce(f);
    return size;
}

static size_t start(struct broker_fixture *f)
{
    return start_with(f, often);
}

static void damage_bits(struct broker_fixture *f, int64_t segment, size_t pos, uint8_t bits)
{
    char path[64];
    size_t size = 0;
    snprintf(path, sizeof(path), "data/t-0/%020lld.log", (long long)segment);
    uint8_t *bytes = mem_env_file_bytes(&f->m, path, &size);
    CHECK(bytes != NULL && pos < size);
    bytes[pos] ^= bits;
}

static void damage(struct broker_fixture *f, int64_t segment, size_t pos)
{
    damage_bits(f, segment, pos, 4);
}

static uint64_t found(struct broker_fixture *f)
{
    return atomic_load(&replica_set_scrub_stats(f->broker->replicas)->rot);
}

TEST(a_batch_that_rots_is_found_and_costs_only_itself)
{
    struct broker_fixture f;
    size_t size = start(&f);
    mem_env_advance_ms(&f.m, 3 * ROUND_MS);
    CHECK_EQUAL(found(&f), 0);
    CHECK(atomic_load(&replica_set_scrub_stats(f.broker->replicas)->rounds) >= 2);
    CHECK(atomic_load(&replica_set_scrub_stats(f.broker->replicas)->bytes) >= 2 * 18 * size);
    int errors = f.m.log_lines[LOG_ERROR];
    damage(&f, 3, size + 100);
    CHECK_EQUAL(fetch_error(&f, 4), KERR_NONE); /* nobody knows yet */
    mem_env_advance_ms(&f.m, 5 * ROUND_MS);
    CHECK_EQUAL(found(&f), 1);
    CHECK_EQUAL(f.m.log_lines[LOG_ERROR], errors + 1);
    CHECK_EQUAL(fetch_error(&f, 4), KERR_CORRUPT_MESSAGE);
    CHECK_EQUAL(fetch_error(&f, 3), KERR_NONE);
    CHECK_EQUAL(fetch(&f, 3)->records.len, size); /* up to what is damaged */
    for (int64_t offset = 5; offset < BATCHES; offset++)
        CHECK_EQUAL(fetch_error(&f, offset), KERR_NONE);
    CHECK_EQUAL(produce(&f), size);
    fixture_stop(&f);
}

/* ---- who asks why */

static const struct describe_log_dirs_response_reason_array *reasons(struct broker_fixture *f)
{
    int32_t index = 0;
    struct describe_log_dirs_request_describable_log_dir_topic topic = {wire_str_of("t"),
                                                                        {&index, 1}};
    struct describe_log_dirs_request request = {.topics = {&topic, 1}, .include_explanation = true};
    const struct describe_log_dirs_response *response =
        fixture_ask(f, DESCRIBE_LOG_DIRS, 4, &request);
    CHECK(response != NULL && response->explanation != NULL);
    CHECK_EQUAL(response->explanation->partitions.count, 1);
    return &response->explanation->partitions.items[0].reasons;
}

static void delete_before(struct broker_fixture *f, int64_t offset)
{
    struct delete_records_request_delete_records_partition partition = {.offset = offset};
    struct delete_records_request_delete_records_topic topic = {wire_str_of("t"), {&partition, 1}};
    struct delete_records_request request = {.topics = {&topic, 1}, .timeout_ms = 1000};
    const struct delete_records_response *response = fixture_ask(f, DELETE_RECORDS, 2, &request);
    CHECK(response != NULL);
    CHECK_EQUAL(response->topics.items[0].partitions.items[0].error_code, KERR_NONE);
}

TEST(what_is_damaged_is_told_until_it_is_given_up)
{
    struct broker_fixture f;
    size_t size = start(&f);
    mem_env_advance_ms(&f.m, ROUND_MS);
    CHECK_EQUAL(reasons(&f)->count, 0);
    damage(&f, 3, size + 100);
    int64_t damaged_ms = env_wall_ms(&f.m.env);
    mem_env_advance_ms(&f.m, 3 * ROUND_MS);
    int64_t found_ms = env_wall_ms(&f.m.env);
    CHECK_EQUAL(reasons(&f)->count, 1);
    mem_env_advance_ms(&f.m, 5 * ROUND_MS);
    CHECK_EQUAL(reasons(&f)->count, 1);
    const struct describe_log_dirs_response_reason *r = reasons(&f)->items;
    CHECK_EQUAL(r->kind, PARTITION_REASON_SCRUB);
    CHECK(wire_str_is(r->file, "data/t-0/00000000000000000003.log"));
    CHECK(r->position == (int64_t)size && r->amount == (int64_t)size);
    CHECK(r->offset == 4 && r->end_offset == 5);
    CHECK(r->since_ms >= damaged_ms && r->since_ms <= found_ms); /* the first time */
    CHECK(wire_str_is(r->error, "damaged data") && r->detail.len < 0);
    delete_before(&f, 4);
    CHECK_EQUAL(reasons(&f)->count, 1);
    delete_before(&f, 5);
    CHECK_EQUAL(reasons(&f)->count, 0);
    fixture_stop(&f);
}

TEST(of_many_damaged_places_the_first_are_told)
{
    struct broker_fixture f;
    size_t size = start(&f);
    for (int64_t offset = 0; offset < 10; offset++)
        damage(&f, offset - offset % 3, (size_t)(offset % 3) * size + 100);
    mem_env_advance_ms(&f.m, 4 * ROUND_MS);
    CHECK_EQUAL(found(&f), 10);
    CHECK_EQUAL(reasons(&f)->count, 8);
    for (int32_t i = 0; i < 8; i++)
        CHECK_EQUAL(reasons(&f)->items[i].offset, i);
    CHECK(wire_str_is(reasons(&f)->items[7].detail, "2 more places"));
    fixture_stop(&f);
}

TEST(a_length_that_rots_costs_the_rest_of_its_segment)
{
    struct broker_fixture f;
    size_t size = start(&f);
    damage(&f, 6, size + 9); /* by 2^18 */
    mem_env_advance_ms(&f.m, 3 * ROUND_MS);
    CHECK_EQUAL(found(&f), 1);
    const struct describe_log_dirs_response_reason *r = reasons(&f)->items;
    CHECK(r->offset == 7 && r->end_offset == 9 && r->amount == 2 * (int64_t)size);
    CHECK_EQUAL(fetch_error(&f, 6), KERR_NONE);
    CHECK_EQUAL(fetch_error(&f, 7), KERR_CORRUPT_MESSAGE);
    CHECK_EQUAL(fetch_error(&f, 8), KERR_CORRUPT_MESSAGE);
    CHECK_EQUAL(fetch_error(&f, 9), KERR_NONE);
    fixture_stop(&f);
}

TEST(every_damaged_batch_of_a_segment_is_found_at_every_byte)
{
    for (size_t pos = 21; pos < 200; pos += 7) {
        struct broker_fixture f;
        size_t size = start(&f);
        damage(&f, 0, pos);
        damage(&f, 0, 2 * size + pos);
        damage(&f, 15, 2 * size + pos); /* sealed last */
        mem_env_advance_ms(&f.m, 2 * ROUND_MS);
        CHECK_EQUAL(found(&f), 3);
        CHECK_EQUAL(fetch_error(&f, 0), KERR_CORRUPT_MESSAGE);
        CHECK_EQUAL(fetch_error(&f, 1), KERR_NONE);
        CHECK_EQUAL(fetch(&f, 1)->records.len, size);
        CHECK_EQUAL(fetch_error(&f, 2), KERR_CORRUPT_MESSAGE);
        fixture_stop(&f);
    }
}

/* No checksum covers it. */
TEST(of_batches_whose_offsets_cross_the_damaged_one_is_told)
{
    for (int64_t batch = 0; batch < 3; batch++) {
        for (int bit = 0; bit < 64; bit++) {
            struct broker_fixture f;
            size_t size = start(&f);
            damage_bits(&f, 3, (size_t)batch * size + 7 - (size_t)bit / 8, (uint8_t)(1 << bit % 8));
            mem_env_advance_ms(&f.m, 3 * ROUND_MS);
            CHECK_EQUAL(found(&f), 1);
            CHECK_EQUAL(reasons(&f)->items[0].position, batch * (int64_t)size);
            CHECK_EQUAL(reasons(&f)->items[0].amount, size);
            fixture_stop(&f);
        }
    }
}

/* Who reads what lies behind it comes by it, for want of an index. */
TEST(a_header_that_rots_costs_only_its_batch)
{
    enum { LENGTH = 8, EPOCH = 12, MAGIC = 16, HEADER_END = 61 };
    static const char *const sets[] = {"klamm.scrub.interval.ms=1000",
                                       "klamm.scrub.bytes.per.second=100000000",
                                       "log.index.interval.bytes=1000000", NULL};
    for (size_t pos = 0; pos < HEADER_END; pos++) {
        if (pos >= LENGTH && pos < MAGIC)
            continue; /* the length is a test of its own; nothing shows that an epoch is another */
        for (uint8_t bits = 1; bits != 0; bits = (uint8_t)(bits << 3)) {
            struct broker_fixture f;
            size_t size = start_with(&f, sets);
            damage_bits(&f, 3, size + pos, bits);
            mem_env_advance_ms(&f.m, 3 * ROUND_MS);
            CHECK_EQUAL(found(&f), 1);
            for (int64_t offset = 0; offset < BATCHES; offset++)
                CHECK_EQUAL(fetch_error(&f, offset),
                            offset == 4 ? KERR_CORRUPT_MESSAGE : KERR_NONE);
            CHECK_EQUAL(fetch(&f, 3)->records.len, size);
            CHECK_EQUAL(fetch(&f, 5)->records.len, size);
            fixture_stop(&f);
        }
    }
}

TEST(the_last_segment_is_not_looked_at)
{
    struct broker_fixture f;
    start(&f);
    damage(&f, 18, 100);
    mem_env_advance_ms(&f.m, 3 * ROUND_MS);
    CHECK_EQUAL(found(&f), 0);
    fixture_stop(&f);
}

/* Whatever fails, nothing is said to be damaged that is not; or it could indeed not be read. */
TEST(the_scrub_survives_each_io_failure)
{
    for (int fail_at = 1; fail_at < 40; fail_at++) {
        struct broker_fixture f;
        start(&f);
        f.m.fail_at = fail_at;
        f.m.fail_with = fail_at % 2 == 0 ? ERR_FULL : ERR_NOT_FOUND;
        mem_env_advance_ms(&f.m, 2 * ROUND_MS);
        f.m.fail_at = 0;
        CHECK(found(&f) <= 1);
        fixture_stop(&f);
    }
}

TEST(a_topic_goes_or_the_broker_stops_while_it_is_read)
{
    for (int steps = 0; steps < 12; steps++) {
        for (int what = 0; what < 2; what++) {
            struct broker_fixture f;
            start(&f);
            f.m.now_ns += ROUND_MS * INT64_C(1000000);
            for (int i = 0; i < steps; i++) {
                mem_env_run_loops(&f.m);
                mem_env_run_one_job_step(&f.m);
                f.m.now_ns += 3000000;
            }
            if (what == 0) {
                struct delete_topics_request_delete_topic_state t = {.name = wire_str_of("t")};
                struct delete_topics_request request = {.topics = {&t, 1}, .timeout_ms = 1000};
                CHECK(fixture_ask(&f, DELETE_TOPICS, 6, &request) != NULL);
                mem_env_advance_ms(&f.m, 3 * ROUND_MS);
                CHECK_EQUAL(found(&f), 0);
            }
            fixture_stop(&f);
        }
    }
}

TEST(without_a_rate_nothing_is_read)
{
    static const char *const sets[] = {"klamm.scrub.interval.ms=1000",
                                       "klamm.scrub.bytes.per.second=0", NULL};
    struct broker_fixture f;
    fixture_start(&f, sets);
    create(&f);
    for (int i = 0; i < BATCHES; i++)
        produce(&f);
    mem_env_advance_ms(&f.m, 100 * ROUND_MS);
    CHECK_EQUAL(atomic_load(&replica_set_scrub_stats(f.broker->replicas)->bytes), 0);
    fixture_stop(&f);
}

/* 18 batches at a batch a second. */
TEST(the_rate_is_kept)
{
    static const char *const sets[] = {"klamm.scrub.interval.ms=1000",
                                       "klamm.scrub.bytes.per.second=5000", NULL};
    struct broker_fixture f;
    fixture_start(&f, sets);
    create(&f);
    for (int i = 0; i < BATCHES; i++)
        produce(&f);
    mem_env_advance_ms(&f.m, 10000);
    uint64_t bytes = atomic_load(&replica_set_scrub_stats(f.broker->replicas)->bytes);
    CHECK(bytes > 0 && bytes <= 10 * 5000 + 3 * 6000);
    mem_env_advance_ms(&f.m, 15000);
    CHECK_EQUAL(atomic_load(&replica_set_scrub_stats(f.broker->replicas)->rounds), 1);
    fixture_stop(&f);
}

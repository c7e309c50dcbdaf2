// SPDX-License-Identifier: Apache-2.0
/* disk_failed_test: a whole broker in memory with two log directories, one of which fails: when it
 * starts, when partitions are made, when checkpoints are written. Thread: main. */
#include "base/macros.h"
#include "broker/broker_fixture.h"
#include "broker/broker_private.h"
#include "wire/create_topics.h"
#include "wire/describe_log_dirs.h"
#include "wire/kerr.h"

enum { CREATE_TOPICS = 19, DESCRIBE_LOG_DIRS = 35, PARTITIONS = 4 };

static const char *const two_dirs[] = {"log.dirs=data,other", NULL};

static int16_t create(struct broker_fixture *f, const char *name)
{
    struct create_topics_request_creatable_topic topic = {
        .name = wire_str_of(name), .num_partitions = PARTITIONS, .replication_factor = 1};
    struct create_topics_request request = {.topics = {&topic, 1}, .timeout_ms = 1000};
    const struct create_topics_response *response = fixture_ask(f, CREATE_TOPICS, 7, &request);
    CHECK(response != NULL && response->topics.count == 1);
    return response->topics.items[0].error_code;
}

/* Each partition serves just when its directory does; how many do. */
static int serving(struct broker_fixture *f, const char *name)
{
    int count = 0;
    struct image *image = image_slot_get(&f->broker->image);
    const struct topic_image *topic = image_topic(image, name, strlen(name));
    CHECK(topic != NULL);
    for (int32_t i = 0; i < PARTITIONS; i++) {
        enum kerr error;
        struct partition *p = broker_partition(f->broker, topic, i, &error);
        if (p == NULL) {
            CHECK_EQUAL(error, KERR_KAFKA_STORAGE_ERROR);
            continue;
        }
        struct partition_offsets offsets;
        partition_offsets(p, &offsets);
        bool is_bad =
            replica_set_dir_is_offline(f->broker->replicas, partition_dir(p) == f->broker->dirs[1]);
        CHECK_EQUAL(offsets.error, is_bad ? KERR_KAFKA_STORAGE_ERROR : KERR_NONE);
        count += offsets.error == KERR_NONE;
        partition_unref(p);
    }
    image_unref(image);
    return count;
}

/* What DescribeLogDirs says of each; how many have failed. */
static int told_offline(struct broker_fixture *f)
{
    struct describe_log_dirs_request request = {.topics = {NULL, -1}};
    const struct describe_log_dirs_response *response =
        fixture_ask(f, DESCRIBE_LOG_DIRS, 4, &request);
    CHECK(response != NULL && response->results.count == 2);
    int count = 0;
    for (int32_t i = 0; i < 2; i++) {
        int16_t error = response->results.items[i].error_code;
        bool is_bad = replica_set_dir_is_offline(f->broker->replicas, (size_t)i);
        CHECK_EQUAL(error, is_bad ? KERR_KAFKA_STORAGE_ERROR : KERR_NONE);
        CHECK(wire_str_is(response->results.items[i].log_dir, i == 0 ? "data" : "other"));
        count += is_bad;
    }
    return count;
}

/* True: the nth call was not reached. */
static bool creation_survives(enum err with, int fail_at, int *failures)
{
    struct broker_fixture f;
    fixture_start(&f, two_dirs);
    CHECK_EQUAL(create(&f, "old"), KERR_NONE);
    f.m.fail_at = fail_at;
    f.m.fail_with = with;
    int16_t error = create(&f, "t");
    bool is_through = f.m.fail_at > 0;
    f.m.fail_at = 0;
    f.m.fail_with = ERR_IO;
    int bad = told_offline(&f);
    CHECK_EQUAL(serving(&f, "old"), bad > 0 ? PARTITIONS / 2 : PARTITIONS);
    if (error == KERR_NONE) { /* else the metadata log failed */
        CHECK(serving(&f, "t") >= PARTITIONS - bad);
        CHECK_EQUAL(create(&f, "u"), KERR_NONE);
        CHECK_EQUAL(serving(&f, "u"), PARTITIONS);
    }
    *failures += bad;
    fixture_stop(&f);
    return is_through;
}

TEST(a_partition_goes_to_another_directory_where_the_disk_of_the_first_fails)
{
    static const enum err errors[] = {ERR_IO, ERR_READ_ONLY};
    for (size_t i = 0; i < ARRAY_COUNT(errors); i++) {
        int failures = 0;
        int fail_at = 1;
        while (!creation_survives(errors[i], fail_at, &failures))
            fail_at++;
        CHECK(fail_at > 20);
        CHECK(failures > 10);
    }
}

/* Somebody removed it while the broker runs. */
TEST(a_partition_goes_to_another_directory_where_one_is_gone)
{
    struct broker_fixture f;
    fixture_start(&f, two_dirs);
    CHECK_EQUAL(create(&f, "old"), KERR_NONE);
    CHECK_EQUAL(env_path_rename(&f.m.env, "other", "gone"), ERR_OK);
    CHECK_EQUAL(create(&f, "t"), KERR_NONE);
    CHECK_EQUAL(told_offline(&f), 1);
    CHECK_EQUAL(serving(&f, "t"), PARTITIONS);
    CHECK_EQUAL(serving(&f, "old"), PARTITIONS / 2);
    fixture_stop(&f);
}

/* A name that is taken by something else, or that may not be used, is no fault of the disk. */
TEST(a_partition_that_alone_cannot_be_made_is_offline_alone)
{
    static const enum err errors[] = {ERR_NOT_FOUND, ERR_DENIED, ERR_INVALID};
    for (size_t i = 0; i < ARRAY_COUNT(errors); i++) {
        int offline = 0;
        int fail_at = 1;
        for (bool is_through = false; !is_through; fail_at++) {
            struct broker_fixture f;
            fixture_start(&f, two_dirs);
            f.m.fail_at = fail_at;
            f.m.fail_with = errors[i];
            int16_t error = create(&f, "t");
            is_through = f.m.fail_at > 0;
            f.m.fail_at = 0;
            f.m.fail_with = ERR_IO;
            if (error == KERR_NONE) { /* else the metadata log failed */
                CHECK_EQUAL(told_offline(&f), 0);
                CHECK(fixture_offline(&f) <= 1);
                offline += fixture_offline(&f) == 1;
                CHECK_EQUAL(create(&f, "u"), KERR_NONE);
                CHECK_EQUAL(serving(&f, "u"), PARTITIONS);
            }
            fixture_stop(&f);
        }
        CHECK(offline > 3);
    }
}

TEST(a_checkpoint_that_cannot_be_written_takes_its_directory_offline)
{
    static const char *const sets[] = {"log.dirs=data,other",
                                       "log.retention.check.interval.ms=1000", NULL};
    struct broker_fixture f;
    fixture_start(&f, sets);
    CHECK_EQUAL(create(&f, "t"), KERR_NONE);
    mem_env_advance_ms(&f.m, 500);
    struct log_dir_checkpoint values = {.log_start = 1}; /* what changed is written soon */
    log_dir_checkpoint_set(f.broker->dirs[0], "t", 0, &values);
    f.m.fail_at = 1;
    mem_env_advance_ms(&f.m, 3000);
    CHECK_EQUAL(f.m.fail_at, 0);
    CHECK_EQUAL(told_offline(&f), 1);
    CHECK_EQUAL(serving(&f, "t"), PARTITIONS / 2);
    fixture_stop(&f);
}

/* ---- at the start */

struct starting {
    struct broker_fixture f;
    bool has_failed;
};

static void on_ready(void *arg)
{
    ((struct starting *)arg)->f.is_ready = true;
}

static void on_failed(void *arg, const char *why)
{
    ((struct starting *)arg)->has_failed = true;
}

static void on_stopped(void *arg, bool is_clean)
{
    ((struct starting *)arg)->f.is_stopped = true;
}

static void stop(struct starting *s)
{
    broker_stop(s->f.broker, on_stopped, s);
    for (int i = 0; i < 1000 && !s->f.is_stopped; i++)
        mem_env_advance_ms(&s->f.m, 10);
    CHECK(s->f.is_stopped);
    broker_free(s->f.broker);
    s->f.is_ready = s->f.is_stopped = s->has_failed = false;
}

/* False: it does not start. */
static bool start(struct starting *s)
{
    struct loop *loop = mem_env_loop(&s->f.m, 0);
    struct broker_options options = {
        .env = &s->f.m.env,
        .loops = &loop,
        .loop_count = 1,
        .config = s->f.config,
        .events = {.arg = s, .ready = on_ready, .failed = on_failed},
    };
    struct strbuf why;
    strbuf_init(&why);
    enum err e = broker_new(&options, &why, &s->f.broker);
    CHECK((e == ERR_OK) == (why.len == 0));
    strbuf_deinit(&why);
    if (e != ERR_OK)
        return false;
    strbuf_init(&why);
    CHECK_EQUAL(broker_start(s->f.broker, &why), ERR_OK);
    strbuf_deinit(&why);
    mem_env_run_until_idle(&s->f.m);
    if (!s->f.is_ready)
        stop(s);
    return s->f.is_ready;
}

/* However the last start went, the second directory is missed when it is left out. */
static void check_missed(struct starting *s)
{
    static const char *const one_dir[] = {"log.dirs=data", NULL};
    struct server_config *both = s->f.config;
    int open = 0;
    fixture_load_config(&s->f, one_dir);
    CHECK(start(s));
    struct image *image = image_slot_get(&s->f.broker->image);
    const struct topic_image *topic = image_topic(image, "t", 1);
    for (int32_t i = 0; i < PARTITIONS; i++) {
        enum kerr error;
        struct partition *p = broker_partition(s->f.broker, topic, i, &error);
        open += p != NULL;
        partition_unref(p);
    }
    image_unref(image);
    CHECK_EQUAL(open, PARTITIONS / 2);
    stop(s);
    server_config_free(s->f.config);
    s->f.config = both;
}

/* True: the start did not reach the nth call. */
static bool start_survives(enum err with, int fail_at, int *lost)
{
    struct starting s = {0};
    mem_env_init(&s.f.m);
    arena_init(&s.f.arena, 64 * 1024 * 1024);
    fixture_load_config(&s.f, two_dirs);
    CHECK(start(&s));
    s.f.peer = mem_env_connect(&s.f.m, 9092, NULL);
    CHECK_EQUAL(create(&s.f, "t"), KERR_NONE);
    sock_close(s.f.peer);
    stop(&s);
    s.f.m.fail_at = fail_at;
    s.f.m.fail_with = with;
    bool is_up = start(&s);
    bool is_through = s.f.m.fail_at > 0;
    s.f.m.fail_at = 0;
    s.f.m.fail_with = ERR_IO;
    if (is_up) {
        s.f.peer = mem_env_connect(&s.f.m, 9092, NULL);
        int bad = told_offline(&s.f);
        *lost += bad;
        /* What lies in the directory that failed is not begun anew in the other. */
        int up = serving(&s.f, "t");
        CHECK(bad > 0 ? up == PARTITIONS / 2 : up >= PARTITIONS - 1);
        if (create(&s.f, "u") == KERR_NONE)
            CHECK_EQUAL(serving(&s.f, "u"), PARTITIONS);
        sock_close(s.f.peer);
        stop(&s);
    }
    check_missed(&s);
    CHECK(start(&s)); /* the disk is well again: all is there */
    CHECK_EQUAL(serving(&s.f, "t"), PARTITIONS);
    stop(&s);
    server_config_free(s.f.config);
    arena_deinit(&s.f.arena);
    mem_env_deinit(&s.f.m);
    return is_through;
}

TEST(a_broker_starts_without_a_directory_whose_disk_fails)
{
    static const enum err errors[] = {ERR_IO, ERR_READ_ONLY, ERR_DENIED};
    for (size_t i = 0; i < ARRAY_COUNT(errors); i++) {
        int lost = 0;
        int fail_at = 1;
        while (!start_survives(errors[i], fail_at, &lost))
            fail_at++;
        CHECK(fail_at > 50);
        CHECK(lost > 5);
    }
}

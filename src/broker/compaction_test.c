// SPDX-License-Identifier: Apache-2.0
/*
 * Compaction in a whole broker in memory: that it comes by itself, is as slow as it was told to be,
 * and gets out of the way of a deletion, another policy, and a stop. Thread: main.
 */
#include <stdio.h>
#include <string.h>

#include "broker/broker_fixture.h"
#include "broker/broker_private.h"
#include "broker/broker_stats.h"
#include "replica/replica_set.h"
#include "wire/create_topics.h"
#include "wire/describe_log_dirs.h"
#include "wire/incremental_alter_configs.h"
#include "wire/kerr.h"
#include "wire/partition_reason.h"
#include "wire/produce.h"

enum { PRODUCE = 0, CREATE_TOPICS = 19, ALTER_CONFIGS = 44, DESCRIBE_LOG_DIRS = 35 };

static void create_partitions(struct broker_fixture *f, const char *policy, int32_t partitions)
{
    struct create_topics_request_creatable_topic_config configs[] = {
        {wire_str_of("cleanup.policy"), wire_str_of(policy)},
        {wire_str_of("internal.segment.bytes"), wire_str_of("1000")},
        {wire_str_of("delete.retention.ms"), wire_str_of("60000")},
    };
    struct create_topics_request_creatable_topic topic = {
        .name = wire_str_of("t"),
        .num_partitions = partitions,
        .replication_factor = 1,
        .configs = {configs, ARRAY_COUNT(configs)}};
    struct create_topics_request request = {.topics = {&topic, 1}, .timeout_ms = 1000};
    const struct create_topics_response *response = fixture_ask(f, CREATE_TOPICS, 7, &request);
    CHECK(response != NULL && response->topics.count == 1);
    CHECK_EQUAL(response->topics.items[0].error_code, KERR_NONE);
}

static void create(struct broker_fixture *f, const char *policy)
{
    create_partitions(f, policy, 1);
}

/* NULL: a tombstone. */
static struct record record_of(struct broker_fixture *f, const char *key, const char *value)
{
    struct record r = {.timestamp = env_wall_ms(&f->m.env)};
    r.key = (struct record_bytes){(const uint8_t *)key, (int32_t)strlen(key)};
    r.value =
        (struct record_bytes){(const uint8_t *)value, value != NULL ? (int32_t)strlen(value) : -1};
    return r;
}

static void take_answer(struct broker_fixture *f)
{
    mem_env_run_until_idle(&f->m);
    const struct produce_response *response = fixture_receive(f, f->peer, PRODUCE, 12);
    CHECK(response != NULL);
    CHECK_EQUAL(response->responses.items[0].partition_responses.items[0].error_code, KERR_NONE);
}

static void produce_text(struct broker_fixture *f, int32_t partition, const char *key,
                         const char *value)
{
    struct record r = record_of(f, key, value);
    fixture_say_produce_to(f->peer, partition, &r, -1);
    take_answer(f);
}

static void produce_to(struct broker_fixture *f, int32_t partition, int number)
{
    char key[16];
    char value[64];
    snprintf(key, sizeof(key), "k%d", number % 5);
    snprintf(value, sizeof(value), "value %d", number);
    produce_text(f, partition, key, value);
}

static void produce(struct broker_fixture *f, int number)
{
    produce_to(f, 0, number);
}

static void begin(struct broker_fixture *f, const char *const *sets, const char *policy)
{
    fixture_start(f, sets);
    create(f, policy);
    for (int i = 0; i < 100; i++)
        produce(f, i);
}

static const struct cleaner_stats *stats_of(const struct broker_fixture *f)
{
    return replica_set_cleaner_stats(broker_replicas(f->broker));
}

static size_t size_of(struct broker_fixture *f, const char *name)
{
    char path[128];
    size_t size = 0;
    snprintf(path, sizeof(path), "data/%s", name);
    return mem_env_file_bytes(&f->m, path, &size) != NULL ? size : SIZE_MAX;
}

TEST(a_compacted_topic_is_compacted_by_itself)
{
    struct broker_fixture f;
    begin(&f, NULL, "compact");
    size_t before = size_of(&f, "t-0/00000000000000000000.log");
    CHECK(before > 800 && before <= 1000);
    mem_env_advance_ms(&f.m, 14000);
    CHECK_EQUAL(stats_of(&f)->rounds, 0);
    mem_env_advance_ms(&f.m, 2000);
    CHECK(stats_of(&f)->rounds >= 1);
    CHECK(stats_of(&f)->freed_bytes > 5000);
    CHECK_EQUAL(stats_of(&f)->partitions, 1);
    CHECK_EQUAL(stats_of(&f)->map_bytes, 0);
    CHECK(size_of(&f, "t-0/00000000000000000000.log") < 100);
    CHECK_EQUAL(size_of(&f, "t-0/00000000000000000000.log.deleted"), before);
    size_t size = 0;
    const uint8_t *text = mem_env_file_bytes(&f.m, "data/cleaner-offset-checkpoint", &size);
    CHECK(text != NULL && size > 8 && memcmp(text, "0\n1\nt 0 ", 8) == 0);
    mem_env_advance_ms(&f.m, 400000); /* file.delete.delay.ms, and a round of housekeeping */
    CHECK_EQUAL(size_of(&f, "t-0/00000000000000000000.log.deleted"), SIZE_MAX);
    uint64_t rounds = stats_of(&f)->rounds;
    for (int i = 0; i < 100; i++)
        produce(&f, i);
    mem_env_advance_ms(&f.m, 16000);
    CHECK(stats_of(&f)->rounds > rounds);
    fixture_stop(&f);
}

/* What a reader gets first, from the log's begin. */
static struct partition_read_result read_first(struct broker_fixture *f, enum partition_reader who)
{
    struct partition_read read = {
        .bytes_max = 1 << 20, .reader = who, .current_leader_epoch = -1, .last_fetched_epoch = -1};
    struct partition_read_result result;
    enum kerr error;
    struct image *image = image_slot_get(&f->broker->image);
    struct partition *p = broker_partition(f->broker, image_topic(image, "t", 1), 0, &error);
    image_unref(image);
    CHECK(p != NULL);
    CHECK_EQUAL(partition_read(p, &read, ENV_WAIT, &result), ERR_OK);
    CHECK_EQUAL(result.error, KERR_NONE);
    partition_unref(p);
    return result;
}

TEST(a_consumer_passes_by_a_segment_of_which_compaction_left_no_record)
{
    struct broker_fixture f;
    begin(&f, NULL, "compact");
    mem_env_advance_ms(&f.m, 16000);
    CHECK_EQUAL(size_of(&f, "t-0/00000000000000000000.log"), BATCH_HEADER_BYTES);
    struct partition_read_result result = read_first(&f, PARTITION_READER_CONSUMER);
    CHECK(result.range.len > BATCH_HEADER_BYTES && result.range.base_offset > 0);
    CHECK(result.hole_end > 0 && result.hole_end <= result.range.base_offset);
    log_range_release(&result.range);
    result = read_first(&f, PARTITION_READER_FOLLOWER);
    CHECK_EQUAL(result.range.len, BATCH_HEADER_BYTES);
    CHECK_EQUAL(result.range.base_offset, 0);
    log_range_release(&result.range);
    fixture_stop(&f);
}

/* What is remembered of producers stays in batches without records: many in a segment, before those
 * that have some. */
TEST(a_consumer_passes_by_batches_that_have_no_record_any_more)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    create(&f, "compact");
    for (int id = 0; id < 60; id++) {
        struct record r = record_of(&f, id % 20 == 7 ? "kept" : "key", "a value of some length");
        fixture_say_produce_by(f.peer, 1000 + id, &r);
        take_answer(&f);
    }
    mem_env_advance_ms(&f.m, 16000);
    CHECK(stats_of(&f)->rounds >= 1);
    struct partition_read_result result = read_first(&f, PARTITION_READER_FOLLOWER);
    CHECK_EQUAL(result.range.base_offset, 0);
    CHECK(result.range.len >= 5 * BATCH_HEADER_BYTES);
    CHECK_EQUAL(result.range.first_batch_bytes, BATCH_HEADER_BYTES);
    log_range_release(&result.range);
    result = read_first(&f, PARTITION_READER_CONSUMER);
    CHECK_EQUAL(result.range.base_offset, 47); /* the last of this key */
    CHECK(result.range.first_batch_bytes > BATCH_HEADER_BYTES);
    CHECK(result.range.len >= result.range.first_batch_bytes);
    log_range_release(&result.range);
    fixture_stop(&f);
}

TEST(without_compacted_topics_there_is_nothing_to_do)
{
    struct broker_fixture f;
    begin(&f, NULL, "delete");
    mem_env_advance_ms(&f.m, 60000);
    CHECK_EQUAL(stats_of(&f)->partitions, 0);
    CHECK_EQUAL(stats_of(&f)->rounds, 0);
    fixture_stop(&f);
    static const char *const off[] = {"log.cleaner.enable=false", NULL};
    begin(&f, off, "compact");
    mem_env_advance_ms(&f.m, 60000);
    CHECK(stats_of(&f) == NULL);
    CHECK(size_of(&f, "t-0/00000000000000000000.log") > 800);
    fixture_stop(&f);
}

TEST(what_is_older_than_the_largest_lag_is_compacted_though_little_is_dirty)
{
    static const char *const sets[] = {"log.cleaner.min.cleanable.ratio=1",
                                       "log.cleaner.max.compaction.lag.ms=60000", NULL};
    struct broker_fixture f;
    begin(&f, sets, "compact");
    mem_env_advance_ms(&f.m, 58000); /* all of it is dirty, but not more than all */
    CHECK_EQUAL(stats_of(&f)->rounds, 0);
    CHECK_EQUAL(stats_of(&f)->dirty_max_ppm, 1000000);
    mem_env_advance_ms(&f.m, 20000);
    CHECK_EQUAL(stats_of(&f)->rounds, 1);
    fixture_stop(&f);
}

static const char *const slow[] = {"log.cleaner.io.max.bytes.per.second=2000", NULL};

TEST(compaction_is_as_slow_as_it_was_told_to_be)
{
    struct broker_fixture f;
    begin(&f, slow, "compact");
    mem_env_advance_ms(&f.m, 18000); /* 100 records of some 80 bytes, read three times */
    CHECK_EQUAL(stats_of(&f)->rounds, 0);
    CHECK(stats_of(&f)->read_bytes > 0);
    mem_env_advance_ms(&f.m, 60000);
    CHECK(stats_of(&f)->rounds >= 1);
    uint64_t done = stats_of(&f)->read_bytes + stats_of(&f)->written_bytes;
    CHECK(done > 16000 && done < 2000 * 80);
    fixture_stop(&f);
}

TEST(a_topic_can_be_deleted_while_it_is_compacted_and_made_again)
{
    struct broker_fixture f;
    begin(&f, slow, "compact");
    mem_env_advance_ms(&f.m, 18000);
    CHECK_EQUAL(stats_of(&f)->rounds, 0);
    CHECK_EQUAL(fixture_delete(&f, "t"), KERR_NONE);
    CHECK_EQUAL(stats_of(&f)->partitions, 0);
    CHECK_EQUAL(size_of(&f, "t-0/00000000000000000000.log"), SIZE_MAX);
    create(&f, "compact");
    for (int i = 0; i < 100; i++)
        produce(&f, i);
    mem_env_advance_ms(&f.m, 120000);
    CHECK(stats_of(&f)->rounds >= 1);
    fixture_stop(&f);
}

enum { OF_TOPIC = 2, OF_BROKER = 4 };

static void set_config(struct broker_fixture *f, int8_t type, const char *of, const char *name,
                       const char *value)
{
    struct incremental_alter_configs_request_alterable_config config = {
        .name = wire_str_of(name), .value = wire_str_of(value)};
    struct incremental_alter_configs_request_alter_configs_resource resource = {
        .resource_type = type, .resource_name = wire_str_of(of), .configs = {&config, 1}};
    struct incremental_alter_configs_request request = {.resources = {&resource, 1}};
    const struct incremental_alter_configs_response *response =
        fixture_ask(f, ALTER_CONFIGS, 1, &request);
    CHECK(response != NULL);
    CHECK_EQUAL(response->responses.items[0].error_code, KERR_NONE);
}

static void set_policy(struct broker_fixture *f, const char *policy)
{
    set_config(f, OF_TOPIC, "t", "cleanup.policy", policy);
}

static const char rate[] = "log.cleaner.io.max.bytes.per.second";

TEST(a_compaction_under_way_takes_a_new_rate_at_once)
{
    struct broker_fixture f;
    begin(&f, slow, "compact");
    mem_env_advance_ms(&f.m, 16000);
    uint64_t read = stats_of(&f)->read_bytes;
    CHECK(read > 0);
    set_config(&f, OF_BROKER, "1", rate, "1");
    mem_env_advance_ms(&f.m, 300000); /* by the old rate it would have ended long ago */
    CHECK_EQUAL(stats_of(&f)->rounds, 0);
    CHECK(stats_of(&f)->read_bytes + stats_of(&f)->written_bytes < read + 4000);
    set_config(&f, OF_BROKER, "1", rate, "1e9");
    mem_env_advance_ms(&f.m, 1000);
    CHECK(stats_of(&f)->rounds >= 1);
    fixture_stop(&f);
}

TEST(a_shorter_backoff_of_the_cleaner_counts_at_once)
{
    struct broker_fixture f;
    static const char *const hour[] = {"log.cleaner.backoff.ms=3600000", NULL};
    begin(&f, hour, "compact");
    mem_env_advance_ms(&f.m, 60000);
    CHECK_EQUAL(stats_of(&f)->rounds, 0);
    set_config(&f, OF_BROKER, "", "log.cleaner.backoff.ms", "1000");
    mem_env_run_until_idle(&f.m);
    uint64_t rounds = stats_of(&f)->rounds;
    CHECK(rounds >= 1);
    for (int i = 0; i < 100; i++)
        produce(&f, i);
    mem_env_advance_ms(&f.m, 1500);
    CHECK(stats_of(&f)->rounds > rounds);
    fixture_stop(&f);
}

/* Each reads a segment, and waits for long. */
TEST(more_threads_of_the_cleaner_compact_more_logs_at_once)
{
    struct broker_fixture f;
    static const char *const slower[] = {"log.cleaner.io.max.bytes.per.second=1", NULL};
    fixture_start(&f, slower);
    create_partitions(&f, "compact", 3);
    for (int32_t partition = 0; partition < 3; partition++) {
        for (int i = 0; i < 100; i++)
            produce_to(&f, partition, i);
    }
    mem_env_advance_ms(&f.m, 18000);
    uint64_t read = stats_of(&f)->read_bytes;
    CHECK(read > 0);
    set_config(&f, OF_BROKER, "1", "log.cleaner.threads", "2");
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(stats_of(&f)->read_bytes, 2 * read);
    set_config(&f, OF_BROKER, "1", "log.cleaner.threads", "1");
    set_config(&f, OF_BROKER, "1", rate, "1e9");
    mem_env_advance_ms(&f.m, 60000);
    CHECK(stats_of(&f)->rounds >= 3);
    fixture_stop(&f);
}

TEST(another_policy_ends_compaction_and_begins_it)
{
    struct broker_fixture f;
    begin(&f, slow, "compact");
    mem_env_advance_ms(&f.m, 18000);
    set_policy(&f, "delete");
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(stats_of(&f)->partitions, 0);
    mem_env_advance_ms(&f.m, 120000);
    CHECK_EQUAL(stats_of(&f)->rounds, 0);
    set_policy(&f, "compact,delete");
    CHECK_EQUAL(stats_of(&f)->partitions, 1);
    mem_env_advance_ms(&f.m, 120000);
    CHECK(stats_of(&f)->rounds >= 1);
    fixture_stop(&f);
}

TEST(a_stop_does_not_wait_for_a_slow_compaction)
{
    struct broker_fixture f;
    static const char *const slower[] = {"log.cleaner.io.max.bytes.per.second=1", NULL};
    begin(&f, slower, "compact");
    mem_env_advance_ms(&f.m, 18000);
    CHECK(stats_of(&f)->read_bytes > 0);
    fixture_stop(&f); /* within ten seconds, with no file left open */
}

/* Of t-0, to who asks why. */
static bool is_told_uncleanable(struct broker_fixture *f)
{
    int32_t index = 0;
    struct describe_log_dirs_request_describable_log_dir_topic topic = {wire_str_of("t"),
                                                                        {&index, 1}};
    struct describe_log_dirs_request request = {.topics = {&topic, 1}, .include_explanation = true};
    const struct describe_log_dirs_response *response =
        fixture_ask(f, DESCRIBE_LOG_DIRS, 4, &request);
    CHECK(response != NULL && response->explanation != NULL);
    CHECK_EQUAL(response->explanation->partitions.count, 1);
    const struct describe_log_dirs_response_reason_array *reasons =
        &response->explanation->partitions.items[0].reasons;
    for (int32_t i = 0; i < reasons->count; i++) {
        if (reasons->items[i].kind == PARTITION_REASON_UNCLEANABLE)
            return reasons->items[i].detail.len > 0 && reasons->items[i].since_ms > 0;
    }
    return false;
}

TEST(a_damaged_log_is_left_alone_and_that_is_said)
{
    struct broker_fixture f;
    begin(&f, NULL, "compact");
    size_t size = 0;
    uint8_t *bytes = mem_env_file_bytes(&f.m, "data/t-0/00000000000000000000.log", &size);
    CHECK(bytes != NULL);
    bytes[size - 1] ^= 1;
    int errors = f.m.log_lines[LOG_ERROR];
    mem_env_advance_ms(&f.m, 60000);
    CHECK_EQUAL(f.m.log_lines[LOG_ERROR], errors + 1);
    CHECK_EQUAL(stats_of(&f)->uncleanable, 1);
    CHECK_EQUAL(stats_of(&f)->rounds, 0);
    produce(&f, 1); /* all else goes on */
    CHECK(is_told_uncleanable(&f));
    set_policy(&f, "delete");
    mem_env_run_until_idle(&f.m);
    CHECK(!is_told_uncleanable(&f));
    fixture_stop(&f);
}

/* ---- the name was another topic's: what was clean of that one says nothing */

static const char checkpoint[] = "cleaner-offset-checkpoint";
static const char *const no_cleaner[] = {"log.cleaner.enable=false", NULL};

static void begin_old(struct broker_fixture *f)
{
    begin(f, NULL, "compact");
    mem_env_advance_ms(&f->m, 17000);
    CHECK(stats_of(f)->rounds >= 1);
    CHECK(size_of(f, checkpoint) > 8);
}

/* As if the directory were of a topic that the metadata does not know. */
static void make_foreign(struct broker_fixture *f)
{
    static const char id[] = "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAEQ";
    mem_env_put_file(&f->m, "data/t-0/partition.metadata", id, strlen(id));
}

/* A kill before the directory was renamed: it is found under the new topic's name. */
static void renew_in_place(struct broker_fixture *f)
{
    make_foreign(f);
    fixture_restart(f, NULL);
    CHECK_EQUAL(fixture_count_names(f, "data", "-stray"), 1);
}

/* The same, before anything was written of the deletion; it is made again after the next start. */
static void renew_a_stray(struct broker_fixture *f)
{
    char line[64];
    size_t size = 0;
    const uint8_t *text = mem_env_file_bytes(&f->m, "data/cleaner-offset-checkpoint", &size);
    CHECK(text != NULL && size < sizeof(line));
    memcpy(line, text, size);
    CHECK_EQUAL(fixture_delete(f, "t"), KERR_NONE);
    mem_env_put_file(&f->m, "data/cleaner-offset-checkpoint", line, size);
    CHECK_EQUAL(env_dir_make(&f->m.env, "data/t-0"), ERR_OK);
    make_foreign(f);
    fixture_restart(f, NULL);
    CHECK_EQUAL(fixture_count_names(f, "data", "-stray"), 1);
    create(f, "compact");
}

static void renew_without_a_cleaner(struct broker_fixture *f)
{
    fixture_restart(f, no_cleaner);
    CHECK_EQUAL(fixture_delete(f, "t"), KERR_NONE);
    create(f, "compact");
}

static void renew_plainly(struct broker_fixture *f)
{
    CHECK_EQUAL(fixture_delete(f, "t"), KERR_NONE);
    create(f, "compact");
}

/* A value and its deletion below what the old topic was clean up to. */
static void check_deleted_stays_deleted(struct broker_fixture *f)
{
    size_t size = 0;
    produce_text(f, 0, "ghost", "value of the ghost");
    produce_text(f, 0, "ghost", NULL);
    for (int i = 0; i < 400; i++)
        produce(f, i);
    mem_env_advance_ms(&f->m, 17000);
    mem_env_advance_ms(&f->m, 70000); /* delete.retention.ms is over */
    for (int i = 0; i < 900; i++)
        produce(f, i);
    mem_env_advance_ms(&f->m, 60000);
    CHECK(stats_of(f)->rounds >= 2);
    const uint8_t *bytes = mem_env_file_bytes(&f->m, "data/t-0/00000000000000000000.log", &size);
    CHECK(bytes != NULL);
    CHECK(size == 0 || memmem(bytes, size, "ghost", 5) == NULL);
}

TEST(what_was_clean_of_a_topic_that_is_gone_is_not_believed)
{
    static void (*const ways[])(struct broker_fixture * f) = {
        renew_plainly, renew_in_place, renew_a_stray, renew_without_a_cleaner};
    for (size_t i = 0; i < ARRAY_COUNT(ways); i++) {
        struct broker_fixture f;
        begin_old(&f);
        ways[i](&f);
        fixture_restart(&f, NULL);
        check_deleted_stays_deleted(&f);
        fixture_stop(&f);
    }
}

static bool renewed_with_a_full_disk_at(int nth)
{
    struct broker_fixture f;
    begin_old(&f);
    f.m.fail_at = nth;
    f.m.fail_with = ERR_NO_SPACE;
    int16_t error = fixture_delete(&f, "t");
    bool was_reached = f.m.fail_at == 0;
    f.m.fail_at = 0;
    f.m.fail_with = ERR_IO;
    if (error == KERR_NONE) {
        create(&f, "compact");
        fixture_restart(&f, NULL);
        check_deleted_stays_deleted(&f);
    }
    fixture_stop(&f);
    return was_reached;
}

TEST(what_was_clean_of_a_topic_that_went_on_a_full_disk_is_not_believed)
{
    int nth = 1;
    while (renewed_with_a_full_disk_at(nth))
        nth++;
    CHECK(nth > 5);
}

/* The file is of another log, or the log lost its end. */
TEST(what_lies_beyond_the_end_of_a_log_is_not_believed_when_it_has_grown)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    create(&f, "compact");
    fixture_restart(&f, NULL); /* the file is there, and has nothing to be written */
    mem_env_put_file(&f.m, "data/cleaner-offset-checkpoint", "0\n1\nt 0 96\n", 11);
    fixture_restart(&f, NULL);
    mem_env_advance_ms(&f.m, 17000); /* it is looked at */
    fixture_restart(&f, NULL);
    check_deleted_stays_deleted(&f);
    fixture_stop(&f);
}

/* The same, where the log grows before the cleaner's first look. */
TEST(what_lies_beyond_the_end_of_a_log_is_not_believed_when_it_grows_at_once)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    create(&f, "compact");
    fixture_restart(&f, NULL);
    mem_env_put_file(&f.m, "data/cleaner-offset-checkpoint", "0\n1\nt 0 96\n", 11);
    fixture_restart(&f, NULL);
    check_deleted_stays_deleted(&f);
    fixture_stop(&f);
}

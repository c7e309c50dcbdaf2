// SPDX-License-Identifier: Apache-2.0
/*
 * config_topic_test: which of several values is in force, and what is said
 * about it. Thread: main.
 */
#include "metadata/config_topic.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/testing.h"

static void put(struct config_set *set, int key, const char *text)
{
    CHECK(config_set_put(set, key, text, strlen(text)) == ERR_OK);
}

TEST(config_set_keeps_its_keys_in_order)
{
    struct config_set set, copy;
    config_set_init(&set);
    config_set_init(&copy);
    for (int i = 0; i < 100; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%d", i * 37 % 100);
        put(&set, i * 37 % 100, text);
    }
    put(&set, 50, "fifty");
    CHECK_EQUAL(set.count, 100);
    CHECK_TEXT(config_set_get(&set, 50), "fifty");
    CHECK_TEXT(config_set_get(&set, 99), "99");
    CHECK(config_set_get(&set, 100) == NULL);
    config_set_remove(&set, 50);
    config_set_remove(&set, 50);
    CHECK(config_set_get(&set, 50) == NULL);
    CHECK_EQUAL(set.count, 99);
    for (int i = 1; i < set.count; i++)
        CHECK(set.entries[i - 1].key < set.entries[i].key);
    CHECK(config_set_copy(&set, &copy) == ERR_OK);
    CHECK_EQUAL(copy.count, 99);
    CHECK_TEXT(config_set_get(&copy, 49), "49");
    config_set_deinit(&set);
    config_set_deinit(&copy);
}

TEST(config_set_survives_each_allocation_failure)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        struct config_set set;
        config_set_init(&set);
        mem_fail_at(n);
        failed = false;
        int added = 0;
        for (int i = 0; i < 6 && !failed; i++) {
            failed = config_set_put(&set, i, "x", 1) != ERR_OK;
            added += !failed;
        }
        mem_fail_at(0);
        CHECK_EQUAL(set.count, added);
        CHECK(n < 100);
        config_set_deinit(&set);
    }
}

TEST(config_topic_defaults_are_kafkas)
{
    struct config_layers layers;
    config_layers_init(&layers);
    struct topic_config c;
    config_topic_compute(NULL, &layers, &c);
    CHECK_EQUAL(c.retention_ms, 604800000);
    CHECK_EQUAL(c.retention_bytes, -1);
    CHECK_EQUAL(c.segment_bytes, 1073741824);
    CHECK_EQUAL(c.segment_ms, 604800000);
    CHECK_EQUAL(c.segment_jitter_ms, 0);
    CHECK_EQUAL(c.index_interval_bytes, 4096);
    CHECK_EQUAL(c.segment_index_bytes, 10485760);
    CHECK_EQUAL(c.max_message_bytes, 1048588);
    CHECK_EQUAL(c.max_decompressed_bytes, 2147483639);
    CHECK_EQUAL(c.flush_messages, INT64_MAX);
    CHECK_EQUAL(c.flush_ms, INT64_MAX);
    CHECK_EQUAL(c.file_delete_delay_ms, 60000);
    CHECK_EQUAL(c.timestamp_before_max_ms, INT64_MAX);
    CHECK_EQUAL(c.timestamp_after_max_ms, 3600000);
    CHECK_EQUAL(c.min_insync_replicas, 1);
    CHECK_EQUAL(c.timestamp_type, TOPIC_CREATE_TIME);
    CHECK_EQUAL(c.compression, TOPIC_COMPRESSION_PRODUCER);
    CHECK(c.gzip_level == -1 && c.lz4_level == 9 && c.zstd_level == 3);
    CHECK(c.cleanup_delete && !c.cleanup_compact && !c.preallocate && c.ack_disk);
    config_layers_deinit(&layers);
}

TEST(config_topic_values_beat_the_brokers)
{
    struct config_layers layers;
    struct config_set topic;
    config_layers_init(&layers);
    config_set_init(&topic);
    put(&layers.fixed, CONFIG_BROKER_LOG_RETENTION_HOURS, "2");
    put(&layers.fixed, CONFIG_BROKER_LOG_ROLL_JITTER_HOURS, "1");
    put(&layers.fixed, CONFIG_BROKER_LOG_FLUSH_SCHEDULER_INTERVAL_MS, "7777");
    put(&layers.fixed, CONFIG_BROKER_LOG_CLEANUP_POLICY, "compact,delete");
    put(&layers.fixed, CONFIG_BROKER_KLAMM_ACK, "cache");
    put(&topic, CONFIG_TOPIC_COMPRESSION_TYPE, "zstd");
    put(&topic, CONFIG_TOPIC_MESSAGE_TIMESTAMP_TYPE, "LogAppendTime");
    struct topic_config c;
    config_topic_compute(&topic, &layers, &c);
    CHECK_EQUAL(c.retention_ms, 7200000);
    CHECK_EQUAL(c.segment_jitter_ms, 3600000);
    CHECK_EQUAL(c.flush_ms, 7777);
    CHECK(c.cleanup_compact && c.cleanup_delete);
    CHECK_EQUAL(c.compression, TOPIC_COMPRESSION_ZSTD);
    CHECK_EQUAL(c.timestamp_type, TOPIC_LOG_APPEND_TIME);
    CHECK(!c.ack_disk);
    config_topic_compute_internal(&topic, &layers, &c);
    CHECK(c.ack_disk);

    put(&layers.fixed, CONFIG_BROKER_LOG_RETENTION_MINUTES, "3");
    config_topic_compute(&topic, &layers, &c);
    CHECK_EQUAL(c.retention_ms, 180000);
    put(&layers.fixed, CONFIG_BROKER_LOG_RETENTION_MS, "-1");
    config_topic_compute(&topic, &layers, &c);
    CHECK_EQUAL(c.retention_ms, -1);
    put(&topic, CONFIG_TOPIC_RETENTION_MS, "5");
    put(&topic, CONFIG_TOPIC_KLAMM_ACK, "disk");
    put(&topic, CONFIG_TOPIC_CLEANUP_POLICY, "");
    put(&topic, CONFIG_TOPIC_INTERNAL_SEGMENT_BYTES, "4096");
    config_topic_compute(&topic, &layers, &c);
    CHECK_EQUAL(c.retention_ms, 5);
    CHECK_EQUAL(c.segment_bytes, 4096);
    CHECK(c.ack_disk && !c.cleanup_delete && !c.cleanup_compact);
    config_set_deinit(&topic);
    config_layers_deinit(&layers);
}

TEST(config_negative_hours_mean_for_ever)
{
    struct config_layers layers;
    config_layers_init(&layers);
    put(&layers.fixed, CONFIG_BROKER_LOG_RETENTION_HOURS, "-1");
    struct topic_config c;
    config_topic_compute(NULL, &layers, &c);
    CHECK_EQUAL(c.retention_ms, -1);
    put(&layers.fixed, CONFIG_BROKER_LOG_RETENTION_HOURS, "-5");
    put(&layers.fixed, CONFIG_BROKER_LOG_RETENTION_BYTES, "-5");
    config_topic_compute(NULL, &layers, &c);
    CHECK(c.retention_ms == -1 && c.retention_bytes == -1);
    struct arena arena;
    struct config_described d;
    arena_init(&arena, 4096);
    CHECK(config_topic_describe(NULL, &layers, CONFIG_TOPIC_RETENTION_MS, &arena, &d) == ERR_OK);
    CHECK_TEXT(d.text, "-1");
    arena_deinit(&arena);
    put(&layers.fixed, CONFIG_BROKER_LOG_RETENTION_HOURS, "2147483647");
    config_topic_compute(NULL, &layers, &c);
    CHECK_EQUAL(c.retention_ms, INT64_C(2147483647) * 3600000);
    config_layers_deinit(&layers);
}

TEST(config_layers_go_from_broker_to_default)
{
    struct config_layers layers;
    config_layers_init(&layers);
    enum config_source source;
    int key = CONFIG_BROKER_MESSAGE_MAX_BYTES;
    CHECK_TEXT(config_layers_get(&layers, key, &source), "1048588");
    CHECK_EQUAL(source, CONFIG_SOURCE_DEFAULT);
    put(&layers.fixed, key, "1");
    put(&layers.broker_default, key, "2");
    CHECK_TEXT(config_layers_get(&layers, key, &source), "2");
    CHECK_EQUAL(source, CONFIG_SOURCE_BROKER_DEFAULT);
    put(&layers.broker, key, "3");
    CHECK_TEXT(config_layers_get(&layers, key, &source), "3");
    CHECK_EQUAL(source, CONFIG_SOURCE_BROKER);
    CHECK(config_layers_get(&layers, CONFIG_BROKER_LOG_RETENTION_MS, &source) == NULL);
    CHECK_EQUAL(source, CONFIG_SOURCE_DEFAULT);
    config_layers_deinit(&layers);
}

TEST(config_topic_default_is_that_of_the_broker_keys)
{
    struct config_layers layers;
    config_layers_init(&layers);
    for (int key = 0; key < CONFIG_TOPIC_COUNT; key++) {
        const struct config_def *def = &config_topic_defs[key];
        for (int i = 0; i < def->synonym_count; i++) {
            const char *text = config_broker_defs[def->synonyms[i].broker_key].default_text;
            int64_t theirs, ours;
            if (text == NULL)
                continue;
            if (config_parse_long(text, &theirs) == ERR_OK) {
                CHECK(config_parse_long(def->default_text, &ours) == ERR_OK);
                CHECK_EQUAL(ours, theirs * def->synonyms[i].factor);
            } else {
                CHECK_TEXT(def->default_text, text);
            }
        }
    }
    config_layers_deinit(&layers);
}

TEST(config_describe_names_the_value_in_force_first)
{
    struct config_layers layers;
    struct config_set topic;
    struct arena arena;
    struct config_described d;
    config_layers_init(&layers);
    config_set_init(&topic);
    arena_init(&arena, 65536);
    put(&layers.fixed, CONFIG_BROKER_LOG_SEGMENT_BYTES, "2097152");
    put(&layers.fixed, CONFIG_BROKER_LOG_RETENTION_HOURS, "100");
    put(&topic, CONFIG_TOPIC_FLUSH_MESSAGES, " 7");

    CHECK(config_topic_describe(&topic, &layers, CONFIG_TOPIC_FLUSH_MESSAGES, &arena, &d) ==
          ERR_OK);
    CHECK_TEXT(d.text, "7");
    CHECK_EQUAL(d.source, CONFIG_SOURCE_TOPIC);
    CHECK_EQUAL(d.synonym_count, 2);
    CHECK_TEXT(d.synonyms[0].name, "flush.messages");
    CHECK_TEXT(d.synonyms[1].name, "log.flush.interval.messages");
    CHECK_EQUAL(d.synonyms[1].source, CONFIG_SOURCE_DEFAULT);

    CHECK(config_topic_describe(&topic, &layers, CONFIG_TOPIC_SEGMENT_BYTES, &arena, &d) == ERR_OK);
    CHECK_TEXT(d.text, "2097152");
    CHECK_EQUAL(d.source, CONFIG_SOURCE_STATIC);
    CHECK_EQUAL(d.synonym_count, 2);
    CHECK_TEXT(d.synonyms[1].text, "1073741824");

    CHECK(config_topic_describe(&topic, &layers, CONFIG_TOPIC_RETENTION_MS, &arena, &d) == ERR_OK);
    CHECK_TEXT(d.text, "360000000");
    CHECK_EQUAL(d.source, CONFIG_SOURCE_STATIC);
    CHECK_EQUAL(d.synonym_count, 1);
    CHECK_TEXT(d.synonyms[0].name, "log.retention.hours");
    CHECK_TEXT(d.synonyms[0].text, "100");

    CHECK(config_topic_describe(NULL, &layers, CONFIG_TOPIC_SEGMENT_MS, &arena, &d) == ERR_OK);
    CHECK_TEXT(d.text, "604800000");
    CHECK_EQUAL(d.source, CONFIG_SOURCE_DEFAULT);
    CHECK_EQUAL(d.synonym_count, 0);

    int internal = CONFIG_TOPIC_INTERNAL_SEGMENT_BYTES;
    CHECK(config_topic_describe(NULL, &layers, internal, &arena, &d) == ERR_OK);
    CHECK(d.text == NULL && d.def->is_internal);
    arena_deinit(&arena);
    config_set_deinit(&topic);
    config_layers_deinit(&layers);
}

/* As Kafka, which has no definition of such a key among its broker's. */
TEST(config_describe_shows_no_default_of_a_key_that_is_only_dynamic)
{
    const int key = CONFIG_BROKER_REPLICA_ALTER_LOG_DIRS_IO_MAX_BYTES_PER_SECOND;
    struct config_layers layers;
    struct arena arena;
    struct config_described d;
    config_layers_init(&layers);
    arena_init(&arena, SIZE_MAX);
    CHECK_EQUAL(config_layers_long(&layers, key), INT64_MAX);
    CHECK(config_broker_describe(&layers, key, &arena, &d) == ERR_OK);
    CHECK(d.source == CONFIG_SOURCE_DEFAULT && d.def->is_internal && d.synonym_count == 0);
    put(&layers.broker_default, key, "77");
    put(&layers.broker, key, "5");
    CHECK(config_broker_describe(&layers, key, &arena, &d) == ERR_OK);
    CHECK_TEXT(d.text, "5");
    CHECK_EQUAL(d.synonym_count, 2);
    CHECK_TEXT(d.synonyms[1].text, "77");
    arena_deinit(&arena);
    config_layers_deinit(&layers);
}

TEST(config_describe_hides_secrets_and_fails_when_the_arena_is_full)
{
    struct config_layers layers;
    struct arena arena;
    struct config_described d = {.synonym_count = 99};
    config_layers_init(&layers);
    put(&layers.fixed, CONFIG_BROKER_SSL_KEY_PASSWORD, "secret");
    arena_init(&arena, 1);
    CHECK(config_broker_describe(&layers, CONFIG_BROKER_LISTENERS, &arena, &d) == ERR_NO_MEMORY);
    CHECK_EQUAL(d.synonym_count, 99);
    CHECK(config_broker_describe(&layers, CONFIG_BROKER_SSL_KEY_PASSWORD, &arena, &d) == ERR_OK);
    CHECK(d.text == NULL && d.synonym_count == 1 && d.synonyms[0].text == NULL);
    arena_deinit(&arena);
    config_layers_deinit(&layers);
}

static enum err put_topic(struct config_set *set, const char *name, const char *text,
                          struct strbuf *why)
{
    return config_topic_put(set, name, strlen(name), text, strlen(text), why);
}

TEST(config_topic_put_checks_what_clients_send)
{
    struct config_layers layers;
    struct config_set topic;
    struct strbuf why;
    config_layers_init(&layers);
    config_set_init(&topic);
    strbuf_init(&why);
    CHECK(put_topic(&topic, "retention.ms", "1000", &why) == ERR_OK);
    CHECK_EQUAL(why.len, 0);
    CHECK(put_topic(&topic, "retention.ms", "ten", &why) == ERR_INVALID);
    CHECK_TEXT(strbuf_text(&why), "retention.ms=ten is not a whole number of 64 bits");
    CHECK_TEXT(config_set_get(&topic, CONFIG_TOPIC_RETENTION_MS), "1000");
    strbuf_clear(&why);
    CHECK(put_topic(&topic, "retention.hour", "1", &why) == ERR_INVALID);
    CHECK(strstr(strbuf_text(&why), "retention.hour is not a topic config") != NULL);
    CHECK(config_topic_put(&topic, "preallocate", 11, "true\0", 5, &why) == ERR_INVALID);
    strbuf_clear(&why);
    CHECK(config_topic_check(&topic, &layers, &why) == ERR_OK);
    CHECK(put_topic(&topic, "max.compaction.lag.ms", "5", &why) == ERR_OK);
    CHECK(put_topic(&topic, "min.compaction.lag.ms", "10", &why) == ERR_OK);
    CHECK(config_topic_check(&topic, &layers, &why) == ERR_INVALID);
    CHECK(strstr(strbuf_text(&why), "min.compaction.lag.ms=10") != NULL);
    mem_fail_at(1);
    CHECK(put_topic(&topic, "preallocate", "true", &why) == ERR_NO_MEMORY);
    mem_fail_at(2);
    CHECK(put_topic(&topic, "preallocate", "true", &why) == ERR_NO_MEMORY);
    mem_fail_at(0);
    CHECK(config_set_get(&topic, CONFIG_TOPIC_PREALLOCATE) == NULL);
    strbuf_deinit(&why);
    config_set_deinit(&topic);
    config_layers_deinit(&layers);
}

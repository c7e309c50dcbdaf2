// SPDX-License-Identifier: Apache-2.0
/*
 * config_test: the keys, and which values they take. The verdicts on values and
 * how a value is shown were seen from Kafka 4.4's own LogConfig.
 *
 * Thread: main.
 */
#include "metadata/config.h"

#include <string.h>

#include "base/testing.h"

TEST(config_keys_are_found_by_their_names)
{
    CHECK_EQUAL(config_broker_find("log.retention.ms", 16), CONFIG_BROKER_LOG_RETENTION_MS);
    CHECK_EQUAL(config_broker_find("log.retention.ms", 15), -1);
    CHECK_EQUAL(config_broker_find("", 0), -1);
    CHECK_EQUAL(config_topic_find("retention.ms and more", 12), CONFIG_TOPIC_RETENTION_MS);
    CHECK_EQUAL(config_topic_find("log.retention.ms", 16), -1);
    CHECK_EQUAL(config_topic_find("retention.ms\0x", 14), -1);
    CHECK_EQUAL(config_topic_find("\0", 1), -1);
    for (int i = 0; i < CONFIG_BROKER_COUNT; i++) {
        const char *name = config_broker_defs[i].name;
        CHECK_EQUAL(config_broker_find(name, strlen(name)), i);
    }
    for (int i = 0; i < CONFIG_TOPIC_COUNT; i++) {
        const char *name = config_topic_defs[i].name;
        CHECK_EQUAL(config_topic_find(name, strlen(name)), i);
    }
}

/* Every sentence says something, and those of keys that do not work end in `standing`. */
static void check_docs(const struct config_def *defs, int count, enum config_status status,
                       const char *standing)
{
    for (int i = 0; i < count; i++) {
        CHECK(defs[i].doc != NULL && strlen(defs[i].doc) > 10);
        size_t len = strlen(defs[i].doc), end = strlen(standing);
        bool has = len > end && strcmp(defs[i].doc + len - end, standing) == 0;
        CHECK_EQUAL(has, defs[i].status == status);
    }
}

TEST(config_keys_say_what_they_do_and_how_they_stand)
{
    static const char kept[] = " (kept, without effect yet)";
    check_docs(config_topic_defs, CONFIG_TOPIC_COUNT, CONFIG_LATER, kept);
    check_docs(config_group_defs, CONFIG_GROUP_COUNT, CONFIG_LATER, kept);
    check_docs(config_broker_defs, CONFIG_BROKER_COUNT, CONFIG_LATER,
               " (without effect in this build)");
    check_docs(config_broker_defs, CONFIG_BROKER_COUNT, CONFIG_IGNORED,
               " (means nothing to this broker)");
    check_docs(config_broker_defs, CONFIG_BROKER_COUNT, CONFIG_SECURITY,
               " (not built: with anything but the default the broker does not start)");
}

TEST(config_nearest_name_is_the_one_meant)
{
    CHECK_TEXT(config_broker_nearest("log.retention.hour"), "log.retention.hours");
    CHECK_TEXT(config_broker_nearest("listner"), "listeners");
    CHECK_TEXT(config_broker_nearest("advertised.listener"), "advertised.listeners");
    CHECK_TEXT(config_broker_nearest("klamm.akc"), "klamm.ack");
    CHECK_TEXT(config_topic_nearest("retention.m"), "retention.ms");
    CHECK(config_broker_nearest("the.quick.brown.fox") == NULL);
    CHECK(config_broker_nearest("") == NULL);
    char longest[200];
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    CHECK(config_broker_nearest(longest) == NULL);
}

static void check_value(const char *key, const char *text, const char *shown)
{
    int number = config_topic_find(key, strlen(key));
    CHECK(number >= 0);
    const struct config_def *def = &config_topic_defs[number];
    struct strbuf why, out;
    strbuf_init(&why);
    strbuf_init(&out);
    enum err e = config_check(def, text, &why);
    if ((e == ERR_OK) != (shown != NULL))
        print_error("%s=[%s]: %s\n", key, text, strbuf_text(&why));
    CHECK_EQUAL(e, shown != NULL ? ERR_OK : ERR_INVALID);
    CHECK_EQUAL(config_check(def, text, NULL), e);
    if (e == ERR_OK) {
        config_canonical(def, text, &out);
        CHECK_TEXT(strbuf_text(&out), shown);
        CHECK_EQUAL(why.len, 0);
    } else {
        CHECK(strstr(strbuf_text(&why), key) == strbuf_text(&why));
        CHECK(strchr(strbuf_text(&why), '\n') == NULL);
    }
    strbuf_deinit(&why);
    strbuf_deinit(&out);
}

TEST(config_numbers_are_read_as_kafka_reads_them)
{
    check_value("retention.ms", "0", "0");
    check_value("retention.ms", "-1", "-1");
    check_value("retention.ms", "-2", NULL);
    check_value("retention.ms", "+5", "5");
    check_value("retention.ms", " 5 ", "5");
    check_value("retention.ms", "", NULL);
    check_value("retention.ms", "5.0", NULL);
    check_value("retention.ms", "5 6", NULL);
    check_value("retention.ms", "9223372036854775807", "9223372036854775807");
    check_value("retention.ms", "9223372036854775808", NULL);
    check_value("retention.bytes", "-5", "-5");
    check_value("retention.bytes", "0x10", NULL);
    check_value("segment.bytes", "1000", NULL);
    check_value("segment.bytes", "1048576", "1048576");
    check_value("segment.bytes", "2147483648", NULL);
    check_value("internal.segment.bytes", "100", "100");
    check_value("compression.gzip.level", "0", NULL);
    check_value("compression.gzip.level", "-1", "-1");
    check_value("compression.gzip.level", "9", "9");
    check_value("compression.gzip.level", "10", NULL);
    check_value("compression.zstd.level", "-131072", "-131072");
    check_value("compression.zstd.level", "-131073", NULL);
    check_value("compression.zstd.level", "23", NULL);
    check_value("compression.lz4.level", "0", NULL);
    check_value("max.decompressed.message.bytes", "2147483640", NULL);
    check_value("flush.ms", "0", "0");
    check_value("flush.messages", "0", NULL);
}

TEST(config_doubles_are_shown_as_java_shows_them)
{
    check_value("min.cleanable.dirty.ratio", "0.5", "0.5");
    check_value("min.cleanable.dirty.ratio", "5e-1", "0.5");
    check_value("min.cleanable.dirty.ratio", "1", "1.0");
    check_value("min.cleanable.dirty.ratio", "0", "0.0");
    check_value("min.cleanable.dirty.ratio", ".5", "0.5");
    check_value("min.cleanable.dirty.ratio", "0.5d", "0.5");
    check_value("min.cleanable.dirty.ratio", "0.000001", "1.0E-6");
    check_value("min.cleanable.dirty.ratio", "0.1234567890123456789", "0.12345678901234568");
    check_value("min.cleanable.dirty.ratio", "1.01", NULL);
    check_value("min.cleanable.dirty.ratio", "half", NULL);
    check_value("min.cleanable.dirty.ratio", "", NULL);
    struct strbuf out;
    strbuf_init(&out);
    const struct config_def *rate =
        &config_broker_defs[CONFIG_BROKER_LOG_CLEANER_IO_MAX_BYTES_PER_SECOND];
    CHECK(config_is_default(rate, rate->default_text));
    config_canonical(rate, "12345678", &out);
    CHECK_TEXT(strbuf_text(&out), "1.2345678E7");
    strbuf_clear(&out);
    config_canonical(rate, "1234567.25", &out);
    CHECK_TEXT(strbuf_text(&out), "1234567.25");
    strbuf_deinit(&out);
}

TEST(config_words_and_lists_are_read_as_kafka_reads_them)
{
    check_value("cleanup.policy", "", "");
    check_value("cleanup.policy", "delete,delete", "delete");
    check_value("cleanup.policy", "compact,delete", "compact,delete");
    check_value("cleanup.policy", " compact , delete ", "compact,delete");
    check_value("cleanup.policy", "compact,", NULL);
    check_value("cleanup.policy", ",", NULL);
    check_value("cleanup.policy", "Delete", NULL);
    check_value("compression.type", "none", NULL);
    check_value("compression.type", "GZIP", NULL);
    check_value("compression.type", " gzip ", "gzip");
    check_value("compression.type", "gzip,zstd", NULL);
    check_value("message.timestamp.type", "createtime", NULL);
    check_value("message.timestamp.type", "LogAppendTime", "LogAppendTime");
    check_value("preallocate", "TRUE", "true");
    check_value("preallocate", " false ", "false");
    check_value("preallocate", "yes", NULL);
    check_value("preallocate", "", NULL);
    check_value("leader.replication.throttled.replicas", "*", "*");
    check_value("leader.replication.throttled.replicas", "", "");
    check_value("leader.replication.throttled.replicas", "0:1, 1:2", "0:1,1:2");
    check_value("leader.replication.throttled.replicas", "0:1,0:1", "0:1,0:1");
    check_value("leader.replication.throttled.replicas", "0:1,x", NULL);
    check_value("leader.replication.throttled.replicas", "*,0:1", NULL);
    check_value("leader.replication.throttled.replicas", "*,*", NULL);
    check_value("leader.replication.throttled.replicas", "*, ", "*,");
    check_value("leader.replication.throttled.replicas", "0:1,,1:2", "0:1,,1:2");
    check_value("leader.replication.throttled.replicas", "none", NULL);
    check_value("klamm.ack", "cache", "cache");
    check_value("klamm.ack", "memory", NULL);
}

TEST(config_defaults_are_valid_values)
{
    for (int i = 0; i < CONFIG_BROKER_COUNT; i++) {
        const struct config_def *def = &config_broker_defs[i];
        if (def->default_text == NULL)
            continue;
        if (config_check(def, def->default_text, NULL) != ERR_OK ||
            !config_is_default(def, def->default_text))
            print_error("%s=%s\n", def->name, def->default_text);
        CHECK(config_check(def, def->default_text, NULL) == ERR_OK);
        CHECK(config_is_default(def, def->default_text));
    }
}

TEST(config_refusals_do_not_show_secrets_nor_floods)
{
    struct strbuf why;
    strbuf_init(&why);
    char flood[2000];
    memset(flood, '9', sizeof(flood) - 1);
    flood[sizeof(flood) - 1] = '\0';
    flood[5] = '\n';
    CHECK(config_check(&config_topic_defs[CONFIG_TOPIC_RETENTION_MS], flood, &why) == ERR_INVALID);
    CHECK(why.len < 220);
    CHECK(strchr(strbuf_text(&why), '\n') == NULL);
    CHECK(config_is_sensitive(&config_broker_defs[CONFIG_BROKER_SSL_KEY_PASSWORD]));
    CHECK(!config_is_sensitive(&config_broker_defs[CONFIG_BROKER_SSL_PROTOCOL]));
    strbuf_deinit(&why);
}

TEST(config_lists_are_walked_without_their_blanks)
{
    const char *item;
    size_t pos = 0, len;
    CHECK(config_list_next(" a ,b", &pos, &item, &len) && len == 1 && item[0] == 'a');
    CHECK(config_list_next(" a ,b", &pos, &item, &len) && len == 1 && item[0] == 'b');
    CHECK(!config_list_next(" a ,b", &pos, &item, &len));
    CHECK(config_list_has("compact, delete", "delete"));
    CHECK(!config_list_has("compact, delete", "del"));
    CHECK(!config_list_has("", ""));
}

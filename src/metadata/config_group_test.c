// SPDX-License-Identifier: Apache-2.0
/*
 * config_group_test: which of several values of a group's key is in force and what is said about
 * it; values that the broker does not allow. test/tables/run.sh compares many more with Kafka's.
 * Thread: main.
 */
#include "metadata/config_group.h"

#include <string.h>

#include "base/mem.h"
#include "base/testing.h"
#include "wire/record_set.h"
#include "wire/writer.h"

enum { SESSION = CONFIG_GROUP_CONSUMER_SESSION_TIMEOUT_MS };

static void put(struct config_set *set, int key, const char *text)
{
    CHECK(config_set_put(set, key, text, strlen(text)) == ERR_OK);
}

TEST(config_of_a_group_is_its_own_the_brokers_or_the_default)
{
    struct config_set set;
    struct config_layers layers;
    struct config_described d;
    struct arena arena;
    config_set_init(&set);
    config_layers_init(&layers);
    arena_init(&arena, 1 << 16);
    CHECK_EQUAL(config_group_describe(&set, &layers, SESSION, &arena, &d), ERR_OK);
    CHECK_TEXT(d.text, "45000");
    CHECK_EQUAL(d.source, CONFIG_SOURCE_DEFAULT);
    CHECK_EQUAL(d.synonym_count, 1);
    CHECK_TEXT(d.synonyms[0].name, "group.consumer.session.timeout.ms");
    put(&layers.fixed, CONFIG_BROKER_GROUP_CONSUMER_SESSION_TIMEOUT_MS, "46000");
    put(&set, SESSION, " 50000 ");
    CHECK_EQUAL(config_group_describe(&set, &layers, SESSION, &arena, &d), ERR_OK);
    CHECK_TEXT(d.text, "50000");
    CHECK_EQUAL(d.source, CONFIG_SOURCE_GROUP);
    CHECK_EQUAL(d.synonym_count, 3);
    CHECK_TEXT(d.synonyms[0].name, "consumer.session.timeout.ms");
    CHECK_TEXT(d.synonyms[1].text, "46000");
    CHECK_EQUAL(d.synonyms[1].source, CONFIG_SOURCE_STATIC);
    config_set_remove(&set, SESSION);
    CHECK_EQUAL(config_group_describe(&set, &layers, SESSION, &arena, &d), ERR_OK);
    CHECK_TEXT(d.text, "46000");
    CHECK_EQUAL(d.source, CONFIG_SOURCE_STATIC);
    /* One that the broker has no key for. */
    int key = CONFIG_GROUP_SHARE_ISOLATION_LEVEL;
    CHECK_EQUAL(config_group_describe(&set, &layers, key, &arena, &d), ERR_OK);
    CHECK_EQUAL(d.synonym_count, 1);
    CHECK_TEXT(d.synonyms[0].name, "share.isolation.level");
    CHECK(strstr(d.def->doc, "without effect") != NULL);
    arena_deinit(&arena);
    config_layers_deinit(&layers);
    config_set_deinit(&set);
}

/* What config_group_check says of one value, by config_group_put. */
static void check_one(const struct config_layers *layers, const char *key, const char *value,
                      const char *says)
{
    struct config_set set;
    struct strbuf why;
    config_set_init(&set);
    strbuf_init(&why);
    enum err e = config_group_put(&set, key, strlen(key), value, strlen(value), &why);
    if (e == ERR_OK)
        e = config_group_check(&set, layers, &why);
    CHECK_EQUAL(e, says[0] != '\0' ? ERR_INVALID : ERR_OK);
    CHECK_TEXT(strbuf_text(&why), says);
    strbuf_deinit(&why);
    config_set_deinit(&set);
}

TEST(config_of_a_group_is_what_the_broker_allows)
{
    struct config_layers layers;
    config_layers_init(&layers);
    check_one(&layers, "consumer.session.timeout.ms", "45000", "");
    check_one(
        &layers, "consumer.session.timeout.ms", "44999",
        "consumer.session.timeout.ms=44999 is below group.consumer.min.session.timeout.ms=45000");
    check_one(&layers, "streams.num.warmup.replicas", "21",
              "streams.num.warmup.replicas=21 is above group.streams.max.warmup.replicas=20");
    check_one(&layers, "streams.assignor.name", "x",
              "streams.assignor.name=x is none of group.streams.assignors=sticky");
    check_one(&layers, "streams.rack.aware.assignment.tags", "a,b, a",
              "streams.rack.aware.assignment.tags has a tag twice");
    check_one(&layers, "errors.deadletterqueue.topic.name", " __x",
              "errors.deadletterqueue.topic.name must not begin with __");
    check_one(&layers, "consumer.sesion.timeout.ms", "1",
              "consumer.sesion.timeout.ms is not a config of groups; the nearest is "
              "consumer.session.timeout.ms");
    put(&layers.fixed, CONFIG_BROKER_GROUP_SHARE_MIN_SESSION_TIMEOUT_MS, "1000");
    check_one(&layers, "share.session.timeout.ms", "5000",
              "share.session.timeout.ms=5000 is not above share.heartbeat.interval.ms=5000");
    config_layers_deinit(&layers);
}

TEST(config_durations_are_javas)
{
    static const char *const good[] = {"PT1H",
                                       "p1d",
                                       "P1DT2H3M4.5S",
                                       "PT1H-59M",
                                       "PT1,5s",
                                       "-P-1D",
                                       "PT0S",
                                       "-PT0S",
                                       "P1DT-86400S",
                                       "PT1.S",
                                       "p1dt",
                                       "+P+1D",
                                       "PT9223372036854775807S"};
    static const char *const bad[] = {"",
                                      "P",
                                      "PT",
                                      "P1DT",
                                      "1D",
                                      "PT1",
                                      "-PT1S",
                                      "PT-1S",
                                      "PT-0.5S",
                                      "P1W",
                                      "P1Y",
                                      "PT1M1H",
                                      "PT1H1D",
                                      "PT.5S",
                                      "PT1.5H",
                                      " PT1S",
                                      "PT1S ",
                                      "PT1.1234567890S",
                                      "PT9223372036854775808S",
                                      "P106751991167301D",
                                      "-PT-9223372036854775808S"};
    for (size_t i = 0; i < ARRAY_COUNT(good); i++)
        CHECK(config_duration_is_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        CHECK(!config_duration_is_valid(bad[i], strlen(bad[i])));
}

TEST(config_of_a_group_comes_whole_or_not_at_all)
{
    struct wire_writer w;
    struct image *image = image_new_empty(), *next = NULL;
    wire_writer_init(&w, 1 << 16);
    struct metadata_record record;
    wire_record_init(&metadata_record_set, METADATA_CONFIG, &record);
    record.config.resource_type = RESOURCE_GROUP;
    record.config.resource_name = wire_str_of("g");
    for (int i = 0; i < 3; i++) {
        static const char *const keys[] = {"consumer.session.timeout.ms", "of.another.version",
                                           "share.isolation.level"};
        record.config.key = wire_str_of(keys[i]);
        record.config.value = wire_str_of(i == 0 ? "50000" : "x"); /* x: no level of ours */
        CHECK_EQUAL(wire_record_encode(&metadata_record_set, &w, &record), ERR_OK);
    }
    struct image_entry entry = {w.data, w.size};
    CHECK_EQUAL(image_apply(image, &entry, 1, NULL, NULL, &next), ERR_OK);
    enum err e = ERR_NO_MEMORY;
    for (int fail_at = 1; e != ERR_OK; fail_at++) {
        struct config_set set;
        config_set_init(&set);
        mem_fail_at(fail_at);
        e = config_group_of_image(next, "g", 1, &set);
        mem_fail_at(0);
        CHECK_EQUAL(set.count, e == ERR_OK ? 1 : 0);
        config_set_deinit(&set);
    }
    image_unref(next);
    image_unref(image);
    wire_writer_deinit(&w);
}

/* Some eight thousand words: the work must not be their square. */
TEST(a_long_list_is_looked_through_once)
{
    struct strbuf text, shown;
    strbuf_init(&text);
    strbuf_init(&shown);
    for (int i = 0; i < 8000; i++)
        strbuf_printf(&text, "%st%d", i > 0 ? "," : "", i);
    CHECK(!config_list_has_repeat(strbuf_text(&text)));
    const struct config_def *def =
        &config_group_defs[CONFIG_GROUP_STREAMS_RACK_AWARE_ASSIGNMENT_TAGS];
    config_canonical(def, strbuf_text(&text), &shown);
    CHECK_TEXT(strbuf_text(&shown), strbuf_text(&text));
    strbuf_puts(&text, ",t4711");
    CHECK(config_list_has_repeat(strbuf_text(&text)));
    strbuf_deinit(&text);
    strbuf_deinit(&shown);
    CHECK(config_list_has_repeat("a,b,a") && !config_list_has_repeat("a,ab,b") &&
          !config_list_has_repeat(""));
}

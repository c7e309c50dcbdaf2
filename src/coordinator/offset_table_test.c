// SPDX-License-Identifier: Apache-2.0
/* offset_table_test: offsets by topic and partition. Thread: main. */
#include "coordinator/offset_table.h"

#include "base/mem.h"
#include "base/prng.h"
#include "base/testing.h"

static bool put(struct offset_table *table, const char *topic, int32_t partition, int64_t offset)
{
    return offset_table_put(table, &(struct offset_put){.topic = wire_str_of(topic),
                                                        .partition = partition,
                                                        .leader_epoch = 3,
                                                        .offset = offset,
                                                        .commit_ms = 10,
                                                        .expire_ms = -1,
                                                        .metadata = wire_str_of("m")});
}

/* -1: none. */
static int64_t get(const struct offset_table *table, const char *topic, int32_t partition)
{
    const struct offset_topic *found = offset_table_topic(table, wire_str_of(topic));
    const struct committed_offset *offset =
        found != NULL ? offset_table_find(table, found, partition) : NULL;
    return offset != NULL ? offset->offset : -1;
}

TEST(what_is_put_is_found_and_replaced)
{
    struct offset_table table;
    offset_table_init(&table, 11);
    CHECK(put(&table, "a", 0, 5) && put(&table, "a", 7, 6) && put(&table, "b", 0, 7));
    CHECK(put(&table, "a", 0, 8));
    CHECK_EQUAL(get(&table, "a", 0), 8);
    CHECK_EQUAL(get(&table, "a", 7), 6);
    CHECK_EQUAL(get(&table, "b", 0), 7);
    CHECK_EQUAL(get(&table, "b", 7), -1);
    CHECK_EQUAL(get(&table, "", 0), -1);
    CHECK_EQUAL(table.offsets.count, 3);
    const struct offset_topic *topic = offset_table_topic(&table, wire_str_of("a"));
    const struct committed_offset *offset = offset_table_find(&table, topic, 0);
    CHECK_EQUAL(offset->leader_epoch, 3);
    CHECK_EQUAL(offset->commit_ms, 10);
    CHECK_EQUAL(offset->expire_ms, -1);
    CHECK_TEXT(offset->metadata, "m");
    offset_table_deinit(&table);
}

TEST(a_topic_goes_with_its_last_offset)
{
    struct offset_table table;
    offset_table_init(&table, 11);
    CHECK(put(&table, "a", 0, 5) && put(&table, "a", 1, 6));
    offset_table_remove(&table, wire_str_of("a"), 0);
    CHECK_EQUAL(get(&table, "a", 1), 6);
    offset_table_remove(&table, wire_str_of("a"), 2);
    offset_table_remove(&table, wire_str_of("b"), 0);
    CHECK_EQUAL(table.topics_by_name.count, 1);
    offset_table_remove(&table, wire_str_of("a"), 1);
    CHECK_EQUAL(table.topics_by_name.count, 0);
    CHECK(list_is_empty(&table.topics));
    offset_table_deinit(&table);
}

TEST(a_put_without_memory_changes_nothing)
{
    for (int is_new = 0; is_new < 2; is_new++) {
        bool failed = true;
        for (int n = 1; failed; n++) {
            struct offset_table table;
            offset_table_init(&table, 11);
            CHECK(put(&table, "a", 0, 5));
            mem_fail_at(n);
            failed = !put(&table, is_new ? "b" : "a", 0, 6);
            mem_fail_at(0);
            CHECK_EQUAL(get(&table, "a", 0), failed || is_new ? 5 : 6);
            CHECK_EQUAL(get(&table, "b", 0), is_new && !failed ? 6 : -1);
            CHECK_EQUAL(table.topics_by_name.count, is_new && !failed ? 2 : 1);
            offset_table_deinit(&table);
        }
    }
}

TEST(a_random_table_equals_a_plain_array)
{
    enum { TOPICS = 5, PARTITIONS = 7 };
    int64_t model[TOPICS][PARTITIONS];
    struct offset_table table;
    struct prng prng;
    prng_seed(&prng, 20);
    offset_table_init(&table, 11);
    memset(model, 0xff, sizeof(model));
    for (int i = 0; i < 5000; i++) {
        uint64_t t = prng_below(&prng, TOPICS), p = prng_below(&prng, PARTITIONS);
        char name[] = {'t', (char)('0' + t), '\0'};
        if (prng_chance(&prng, 1, 2)) {
            CHECK(put(&table, name, (int32_t)p, i));
            model[t][p] = i;
        } else {
            offset_table_remove(&table, wire_str_of(name), (int32_t)p);
            model[t][p] = -1;
        }
        CHECK_EQUAL(get(&table, name, (int32_t)p), model[t][p]);
    }
    size_t count = 0;
    for (int t = 0; t < TOPICS; t++) {
        for (int p = 0; p < PARTITIONS; p++) {
            char name[] = {'t', (char)('0' + t), '\0'};
            CHECK_EQUAL(get(&table, name, p), model[t][p]);
            count += model[t][p] >= 0;
        }
    }
    CHECK_EQUAL(table.offsets.count, count);
    offset_table_deinit(&table);
}

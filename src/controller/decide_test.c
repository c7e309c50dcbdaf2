// SPDX-License-Identifier: Apache-2.0
/* Tests of the decisions: a row per error, and what the good ones make of the image.
 * Thread: main. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/prng.h"
#include "base/testing.h"
#include "controller/decide_private.h"
#include "metadata/config_dynamic.h"
#include "wire/alter_configs.h"
#include "wire/create_partitions.h"
#include "wire/create_topics.h"
#include "wire/delete_topics.h"
#include "wire/incremental_alter_configs.h"

struct cluster {
    struct image *image;
    struct config_layers layers;
    struct prng prng;
    struct arena arena;
    int brokers;
    uint32_t record_count; /* of the last decision */
};

static void prng_bytes(void *arg, void *out, size_t len)
{
    prng_fill(arg, out, len);
}

static void decide_begin(struct cluster *c, struct decision *d)
{
    decision_init(d, LIMIT_METADATA_APPEND_BYTES);
    d->image = c->image;
    d->layers = &c->layers;
    d->random = prng_bytes;
    d->random_arg = &c->prng;
}

/* Applies what was decided. */
static void decide_commit(struct cluster *c, struct decision *d)
{
    c->record_count = d->record_count;
    CHECK((d->record_count == 0) == (d->records.size == 0));
    if (d->record_count > 0) {
        struct image_entry entry = {d->records.data, d->records.size};
        struct image *next = NULL;
        CHECK_EQUAL(image_apply(c->image, &entry, 1, NULL, NULL, &next), ERR_OK);
        image_check(next);
        image_unref(c->image);
        c->image = next;
    }
    decision_deinit(d);
}

static void start_broker(struct cluster *c, int32_t node_id)
{
    struct listener_image listener = {.name = "PLAINTEXT", .host = "h", .port = 9092};
    struct broker_start start = {
        .node_id = node_id, .listeners = &listener, .listener_count = 1, .is_controller = true};
    struct decision d;
    decide_begin(c, &d);
    CHECK_EQUAL(decide_broker_start(&d, &start), ERR_OK);
    decide_commit(c, &d);
}

static void cluster_open(struct cluster *c, int brokers)
{
    *c = (struct cluster){.brokers = brokers};
    c->image = image_new_empty();
    prng_seed(&c->prng, 1);
    config_layers_init(&c->layers);
    arena_init(&c->arena, 64 << 20);
    for (int32_t n = 0; n < brokers; n++)
        start_broker(c, n + 1);
}

static void cluster_close(struct cluster *c)
{
    image_unref(c->image);
    config_layers_deinit(&c->layers);
    arena_deinit(&c->arena);
}

static void set_broker_config(struct cluster *c, int key, const char *value)
{
    CHECK_EQUAL(config_set_put(&c->layers.fixed, key, value, strlen(value)), ERR_OK);
}

/* ---- CreateTopics */

static struct create_topics_request_creatable_topic row_of(const char *name, int32_t partitions,
                                                           int16_t factor)
{
    struct create_topics_request_creatable_topic row = {
        .name = wire_str_of(name), .num_partitions = partitions, .replication_factor = factor};
    return row;
}

static struct create_topics_response create(struct cluster *c,
                                            struct create_topics_request_creatable_topic *rows,
                                            int count, bool validate_only)
{
    struct create_topics_request request = {.topics = {rows, count},
                                            .validate_only = validate_only};
    struct create_topics_response response;
    struct decision d;
    decide_begin(c, &d);
    CHECK_EQUAL(decide_create_topics(&d, &request, &c->arena, &response), ERR_OK);
    decide_commit(c, &d);
    return response;
}

static int create_one(struct cluster *c, const char *name, int32_t partitions, int16_t factor)
{
    struct create_topics_request_creatable_topic row = row_of(name, partitions, factor);
    struct create_topics_response r = create(c, &row, 1, false);
    CHECK_EQUAL(r.topics.count, 1);
    CHECK((r.topics.items[0].error_code == 0) == (r.topics.items[0].error_message.len < 0));
    CHECK((r.topics.items[0].error_code == 0) == (c->record_count > 0));
    return r.topics.items[0].error_code;
}

static const struct topic_image *topic_named(const struct cluster *c, const char *name)
{
    return image_topic(c->image, name, strlen(name));
}

TEST(create_topics_makes_partitions_and_answers_with_configs)
{
    struct cluster c;
    cluster_open(&c, 1);
    set_broker_config(&c, CONFIG_BROKER_NUM_PARTITIONS, "3");
    struct create_topics_request_creatable_topic_config configs[2] = {
        {.name = wire_str_of("retention.ms"), .value = wire_str_of("1000")},
        {.name = wire_str_of("cleanup.policy"), .value = wire_str_of("compact")},
    };
    struct create_topics_request_creatable_topic rows[2] = {row_of("a", -1, -1),
                                                            row_of("b", 70, 1)};
    rows[1].configs.items = configs;
    rows[1].configs.count = 2;
    struct create_topics_response r = create(&c, rows, 2, false);
    CHECK_EQUAL(r.topics.count, 2);
    CHECK_EQUAL(r.topics.items[0].error_code, 0);
    CHECK_EQUAL(r.topics.items[0].num_partitions, 3);
    CHECK_EQUAL(r.topics.items[0].replication_factor, 1);
    const struct topic_image *b = topic_named(&c, "b");
    CHECK_EQUAL(topic_partition_count(b), 70);
    CHECK(uuid_equals(topic_id(b), r.topics.items[1].topic_id));
    CHECK_TEXT(config_pairs_find(topic_configs(b), "cleanup.policy"), "compact");
    CHECK_EQUAL(topic_partition(b, 69)->leader, 1);
    CHECK_EQUAL(topic_partition(b, 69)->members->isr_count, 1);
    int seen = 0;
    for (int32_t i = 0; i < r.topics.items[1].configs.count; i++) {
        struct create_topics_response_creatable_topic_configs *row =
            &r.topics.items[1].configs.items[i];
        if (wire_str_is(row->name, "retention.ms")) {
            CHECK(wire_str_is(row->value, "1000"));
            CHECK_EQUAL(row->config_source, CONFIG_SOURCE_TOPIC);
            seen++;
        } else if (wire_str_is(row->name, "segment.bytes")) {
            CHECK_EQUAL(row->config_source, CONFIG_SOURCE_DEFAULT);
            seen++;
        }
    }
    CHECK_EQUAL(seen, 2);
    cluster_close(&c);
}

TEST(create_topics_says_no)
{
    struct cluster c;
    cluster_open(&c, 1);
    CHECK_EQUAL(create_one(&c, "a.b", 1, 1), 0);
    CHECK_EQUAL(create_one(&c, "a.b", 1, 1), KERR_TOPIC_ALREADY_EXISTS);
    CHECK_EQUAL(create_one(&c, "a_b", 1, 1), KERR_INVALID_TOPIC_EXCEPTION);
    CHECK_EQUAL(create_one(&c, "", 1, 1), KERR_INVALID_TOPIC_EXCEPTION);
    CHECK_EQUAL(create_one(&c, "..", 1, 1), KERR_INVALID_TOPIC_EXCEPTION);
    CHECK_EQUAL(create_one(&c, "a/b", 1, 1), KERR_INVALID_TOPIC_EXCEPTION);
    CHECK_EQUAL(create_one(&c, "c", 0, 1), KERR_INVALID_PARTITIONS);
    CHECK_EQUAL(create_one(&c, "c", -2, 1), KERR_INVALID_PARTITIONS);
    CHECK_EQUAL(create_one(&c, "c", 1, 0), KERR_INVALID_REPLICATION_FACTOR);
    CHECK_EQUAL(create_one(&c, "c", 0, 0), KERR_INVALID_REPLICATION_FACTOR);
    CHECK_EQUAL(create_one(&c, "c", 1, -2), KERR_INVALID_REPLICATION_FACTOR);
    CHECK_EQUAL(create_one(&c, "c", 1, 2), KERR_INVALID_REPLICATION_FACTOR);
    CHECK_EQUAL(create_one(&c, "c", LIMIT_PARTITIONS_PER_CREATE + 1, 1), KERR_POLICY_VIOLATION);
    CHECK_EQUAL(create_one(&c, "c", INT32_MAX, 1), KERR_POLICY_VIOLATION);
    CHECK_EQUAL(create_one(&c, "c", LIMIT_PARTITIONS_PER_CREATE, 1), 0);
    set_broker_config(&c, CONFIG_BROKER_DEFAULT_REPLICATION_FACTOR, "3");
    CHECK_EQUAL(create_one(&c, "d", 1, -1), KERR_INVALID_REPLICATION_FACTOR);
    cluster_close(&c);
}

static int create_with_config(struct cluster *c, const char *key, const char *value)
{
    struct create_topics_request_creatable_topic_config config = {wire_str_of(key),
                                                                  wire_str_of(value)};
    struct create_topics_request_creatable_topic row = row_of("x", 1, 1);
    row.configs.items = &config;
    row.configs.count = 1;
    struct create_topics_response r = create(c, &row, 1, true);
    CHECK_EQUAL(c->record_count, 0);
    return r.topics.items[0].error_code;
}

TEST(create_topics_checks_configs_and_can_only_validate)
{
    struct cluster c;
    cluster_open(&c, 1);
    CHECK_EQUAL(create_with_config(&c, "retention.ms", "5"), 0);
    CHECK(topic_named(&c, "x") == NULL);
    CHECK_EQUAL(create_with_config(&c, "retention.ms", "soon"), KERR_INVALID_CONFIG);
    CHECK_EQUAL(create_with_config(&c, "retention.ms", NULL), KERR_INVALID_CONFIG);
    CHECK_EQUAL(create_with_config(&c, "no.such.key", "1"), KERR_INVALID_CONFIG);
    cluster_close(&c);
}

TEST(create_topics_answers_a_repeated_name_once)
{
    struct cluster c;
    cluster_open(&c, 1);
    struct create_topics_request_creatable_topic rows[4] = {row_of("a", 1, 1), row_of("b", 1, 1),
                                                            row_of("a", 2, 1), row_of("b.c", 1, 1)};
    struct create_topics_response r = create(&c, rows, 4, false);
    CHECK_EQUAL(r.topics.count, 3);
    CHECK_EQUAL(r.topics.items[0].error_code, 0);
    CHECK_EQUAL(r.topics.items[1].error_code, 0);
    CHECK_EQUAL(r.topics.items[2].error_code, KERR_INVALID_REQUEST);
    CHECK(wire_str_is(r.topics.items[2].name, "a"));
    CHECK(topic_named(&c, "a") == NULL);
    CHECK(topic_named(&c, "b") != NULL);
    struct create_topics_request_creatable_topic both[2] = {row_of("x.y", 1, 1),
                                                            row_of("x_y", 1, 1)};
    r = create(&c, both, 2, false);
    CHECK_EQUAL(r.topics.items[0].error_code, 0);
    CHECK_EQUAL(r.topics.items[1].error_code, KERR_INVALID_TOPIC_EXCEPTION);
    cluster_close(&c);
}

struct place {
    int32_t index;
    int32_t nodes[3];
    int32_t count;
};

static int create_at(struct cluster *c, struct place *places, int count, int32_t partitions)
{
    struct create_topics_request_creatable_replica_assignment assignments[4];
    for (int i = 0; i < count; i++) {
        assignments[i].partition_index = places[i].index;
        assignments[i].broker_ids.items = places[i].nodes;
        assignments[i].broker_ids.count = places[i].count;
    }
    struct create_topics_request_creatable_topic row = row_of("placed", partitions, -1);
    row.assignments.items = assignments;
    row.assignments.count = count;
    return create(c, &row, 1, false).topics.items[0].error_code;
}

TEST(create_topics_follows_an_assignment)
{
    struct cluster c;
    cluster_open(&c, 3);
    CHECK_EQUAL(create_at(&c, (struct place[]){{0, {1}, 1}}, 1, 1), KERR_INVALID_REQUEST);
    CHECK_EQUAL(create_at(&c, (struct place[]){{1, {1}, 1}}, 1, -1),
                KERR_INVALID_REPLICA_ASSIGNMENT);
    CHECK_EQUAL(create_at(&c, (struct place[]){{0, {1}, 1}, {0, {2}, 1}}, 2, -1),
                KERR_INVALID_REPLICA_ASSIGNMENT);
    CHECK_EQUAL(create_at(&c, (struct place[]){{0, {1}, 0}}, 1, -1),
                KERR_INVALID_REPLICA_ASSIGNMENT);
    CHECK_EQUAL(create_at(&c, (struct place[]){{0, {9}, 1}}, 1, -1),
                KERR_INVALID_REPLICA_ASSIGNMENT);
    CHECK_EQUAL(create_at(&c, (struct place[]){{0, {1, 1}, 2}}, 1, -1),
                KERR_INVALID_REPLICA_ASSIGNMENT);
    CHECK_EQUAL(create_at(&c, (struct place[]){{0, {1, 2}, 2}, {1, {2}, 1}}, 2, -1),
                KERR_INVALID_REPLICA_ASSIGNMENT);
    CHECK_EQUAL(create_at(&c, (struct place[]){{1, {3, 1}, 2}, {0, {2, 3}, 2}}, 2, -1), 0);
    const struct topic_image *topic = topic_named(&c, "placed");
    CHECK_EQUAL(topic_partition(topic, 0)->leader, 2);
    CHECK_EQUAL(topic_partition(topic, 1)->leader, 3);
    CHECK_EQUAL(topic_partition(topic, 1)->members->replicas[1], 1);
    cluster_close(&c);
}

TEST(replicas_go_round_all_brokers)
{
    for (int brokers = 1; brokers <= 5; brokers++) {
        struct cluster c;
        cluster_open(&c, brokers);
        for (int16_t factor = 1; factor <= brokers; factor++) {
            char name[16];
            snprintf(name, sizeof(name), "t%d", factor);
            CHECK_EQUAL(create_one(&c, name, brokers * 4, factor), 0);
            int leads[8] = {0}, has[8] = {0};
            const struct topic_image *topic = topic_named(&c, name);
            for (int32_t i = 0; i < topic_partition_count(topic); i++) {
                const struct partition_image *p = topic_partition(topic, i);
                CHECK_EQUAL(p->members->replica_count, factor);
                CHECK_EQUAL(p->members->isr_count, factor);
                CHECK_EQUAL(p->leader, p->members->replicas[0]);
                leads[p->leader]++;
                for (int32_t r = 0; r < factor; r++) {
                    has[p->members->replicas[r]]++;
                    for (int32_t s = 0; s < r; s++)
                        CHECK(p->members->replicas[r] != p->members->replicas[s]);
                }
            }
            for (int node = 1; node <= brokers; node++) {
                CHECK_EQUAL(leads[node], 4);
                CHECK_EQUAL(has[node], 4 * factor);
            }
        }
        cluster_close(&c);
    }
}

TEST(create_ten_thousand_topics_at_once)
{
    struct cluster c;
    cluster_open(&c, 1);
    static struct create_topics_request_creatable_topic rows[10000];
    static char names[10000][16];
    for (int i = 0; i < 10000; i++) {
        snprintf(names[i], sizeof(names[i]), "many.%d", i);
        rows[i] = row_of(names[i], 1, 1);
    }
    struct create_topics_response r = create(&c, rows, 10000, false);
    CHECK_EQUAL(r.topics.count, 10000);
    CHECK_EQUAL(image_topic_count(c.image), 10000);
    r = create(&c, rows, 10000, false);
    CHECK_EQUAL(r.topics.items[9999].error_code, KERR_TOPIC_ALREADY_EXISTS);
    cluster_close(&c);
}

TEST(auto_topic_is_made_once)
{
    struct cluster c;
    cluster_open(&c, 1);
    struct auto_topic topic = {
        .name = "auto", .name_len = 4, .partition_count = -1, .replication_factor = -1};
    for (int round = 0; round < 2; round++) {
        struct decision d;
        decide_begin(&c, &d);
        enum kerr result = KERR_UNKNOWN_SERVER_ERROR;
        CHECK_EQUAL(decide_auto_topic(&d, &topic, &result), ERR_OK);
        CHECK_EQUAL(result, KERR_NONE);
        decide_commit(&c, &d);
        CHECK_EQUAL(c.record_count, round == 0 ? 2 : 0);
    }
    topic.name = "a b";
    topic.name_len = 3;
    struct decision d;
    decide_begin(&c, &d);
    enum kerr result = KERR_NONE;
    CHECK_EQUAL(decide_auto_topic(&d, &topic, &result), ERR_OK);
    CHECK_EQUAL(result, KERR_INVALID_TOPIC_EXCEPTION);
    decide_commit(&c, &d);
    CHECK_EQUAL(c.record_count, 0);
    cluster_close(&c);
}

/* ---- DeleteTopics */

static struct delete_topics_response delete (struct cluster *c,
                                             struct delete_topics_request_delete_topic_state *rows,
                                             int count)
{
    struct delete_topics_request request = {.topics = {rows, count}};
    struct delete_topics_response response;
    struct decision d;
    decide_begin(c, &d);
    CHECK_EQUAL(decide_delete_topics(&d, &request, &c->arena, &response), ERR_OK);
    decide_commit(c, &d);
    CHECK(response.responses.count <= count);
    return response;
}

TEST(delete_topics_by_name_and_by_id)
{
    struct cluster c;
    cluster_open(&c, 1);
    for (int i = 0; i < 5; i++)
        CHECK_EQUAL(create_one(&c, (const char *[]){"a", "b", "c", "d", "e"}[i], 2, 1), 0);
    struct uuid id_b = topic_id(topic_named(&c, "b"));
    struct uuid id_d = topic_id(topic_named(&c, "d"));
    struct wire_str none = wire_str_of(NULL);
    struct delete_topics_request_delete_topic_state rows[12] = {
        {.name = wire_str_of("a")},
        {.name = none, .topic_id = id_b},
        {.name = wire_str_of("nobody")},
        {.name = none, .topic_id = {{9}}},
        {.name = wire_str_of("c"), .topic_id = id_b},
        {.name = none},
        {.name = none, .topic_id = id_d}, /* the row of its name speaks for it */
        {.name = wire_str_of("d")},
        {.name = wire_str_of("e")},
        {.name = wire_str_of("e")}, /* one row for both */
        {.name = none, .topic_id = {{8}}},
        {.name = none, .topic_id = {{8}}}, /* one row for both */
    };
    struct delete_topics_response r = delete (&c, rows, 12);
    const int expected[9] = {
        KERR_NONE,
        KERR_NONE,
        KERR_UNKNOWN_TOPIC_OR_PARTITION,
        KERR_UNKNOWN_TOPIC_ID,
        KERR_INVALID_REQUEST,
        KERR_INVALID_REQUEST,
        KERR_INVALID_REQUEST,
        KERR_INVALID_REQUEST,
        KERR_INVALID_REQUEST,
    };
    CHECK_EQUAL(r.responses.count, 9);
    for (int i = 0; i < 9; i++)
        CHECK_EQUAL(r.responses.items[i].error_code, expected[i]);
    CHECK(wire_str_is(r.responses.items[6].name, "d"));
    CHECK(uuid_equals(r.responses.items[6].topic_id, id_d));
    CHECK(topic_named(&c, "a") == NULL);
    CHECK(topic_named(&c, "b") == NULL);
    CHECK(topic_named(&c, "c") != NULL);
    CHECK(topic_named(&c, "d") != NULL);
    CHECK(topic_named(&c, "e") != NULL);
    rows[0] = (struct delete_topics_request_delete_topic_state){.name = none, .topic_id = id_d};
    r = delete (&c, rows, 1);
    CHECK_EQUAL(r.responses.items[0].error_code, 0);
    CHECK(wire_str_is(r.responses.items[0].name, "d"));
    CHECK(topic_named(&c, "d") == NULL);
    CHECK_EQUAL(create_one(&c, "d", 1, 1), 0);
    CHECK(!uuid_equals(topic_id(topic_named(&c, "d")), id_d));

    set_broker_config(&c, CONFIG_BROKER_DELETE_TOPIC_ENABLE, "false");
    rows[0] = (struct delete_topics_request_delete_topic_state){.name = wire_str_of("d")};
    CHECK_EQUAL(delete (&c, rows, 1).responses.items[0].error_code, KERR_TOPIC_DELETION_DISABLED);
    CHECK(topic_named(&c, "d") != NULL);
    cluster_close(&c);
}

TEST(delete_topics_in_the_old_form)
{
    struct cluster c;
    cluster_open(&c, 1);
    CHECK_EQUAL(create_one(&c, "a", 1, 1), 0);
    struct wire_str names[2] = {wire_str_of("a"), wire_str_of("b")};
    struct delete_topics_request request = {.topic_names = {names, 2}};
    struct delete_topics_response response;
    struct decision d;
    decide_begin(&c, &d);
    CHECK_EQUAL(decide_delete_topics(&d, &request, &c.arena, &response), ERR_OK);
    decide_commit(&c, &d);
    CHECK_EQUAL(response.responses.items[0].error_code, 0);
    CHECK_EQUAL(response.responses.items[1].error_code, KERR_UNKNOWN_TOPIC_OR_PARTITION);
    CHECK_EQUAL(image_topic_count(c.image), 0);
    cluster_close(&c);
}

/* ---- CreatePartitions */

static struct create_partitions_response
grow(struct cluster *c, struct create_partitions_request_create_partitions_topic *rows, int count,
     bool validate_only)
{
    struct create_partitions_request request = {.topics = {rows, count},
                                                .validate_only = validate_only};
    struct create_partitions_response response;
    struct decision d;
    decide_begin(c, &d);
    CHECK_EQUAL(decide_create_partitions(&d, &request, &c->arena, &response), ERR_OK);
    decide_commit(c, &d);
    return response;
}

static struct create_partitions_request_create_partitions_topic growth_of(const char *name,
                                                                          int32_t count)
{
    return (struct create_partitions_request_create_partitions_topic){
        .name = wire_str_of(name), .count = count, .assignments = {NULL, -1}};
}

static int grow_one(struct cluster *c, const char *name, int32_t count)
{
    struct create_partitions_request_create_partitions_topic row = growth_of(name, count);
    struct create_partitions_response r = grow(c, &row, 1, false);
    CHECK_EQUAL(r.results.count, 1);
    CHECK(wire_str_is(r.results.items[0].name, name));
    CHECK((r.results.items[0].error_code == 0) == (r.results.items[0].error_message.len < 0));
    CHECK((r.results.items[0].error_code == 0) == (c->record_count > 0));
    return r.results.items[0].error_code;
}

TEST(create_partitions_only_grows)
{
    struct cluster c;
    cluster_open(&c, 3);
    CHECK_EQUAL(create_one(&c, "t", 2, 2), 0);
    CHECK_EQUAL(grow_one(&c, "t", 2), KERR_INVALID_PARTITIONS);
    CHECK_EQUAL(grow_one(&c, "t", 1), KERR_INVALID_PARTITIONS);
    CHECK_EQUAL(grow_one(&c, "t", -1), KERR_INVALID_PARTITIONS);
    CHECK_EQUAL(grow_one(&c, "t", INT32_MIN), KERR_INVALID_PARTITIONS);
    CHECK_EQUAL(grow_one(&c, "t", INT32_MAX), KERR_POLICY_VIOLATION);
    CHECK_EQUAL(grow_one(&c, "u", 3), KERR_UNKNOWN_TOPIC_OR_PARTITION);
    CHECK_EQUAL(grow_one(&c, "", 3), KERR_UNKNOWN_TOPIC_OR_PARTITION);
    CHECK_EQUAL(grow_one(&c, "t", 70), 0);
    CHECK_EQUAL(c.record_count, 68);
    const struct topic_image *topic = topic_named(&c, "t");
    CHECK_EQUAL(topic_partition_count(topic), 70);
    int led[4] = {0};
    for (int32_t i = 2; i < 70; i++) {
        CHECK_EQUAL(topic_partition(topic, i)->members->replica_count, 2);
        CHECK_EQUAL(topic_partition(topic, i)->leader, topic_partition(topic, i)->members->isr[0]);
        led[topic_partition(topic, i)->leader]++;
    }
    CHECK(led[1] >= 22 && led[2] >= 22 && led[3] >= 22);
    CHECK_EQUAL(grow_one(&c, "t", 70 + LIMIT_PARTITIONS_PER_CREATE + 1), KERR_POLICY_VIOLATION);
    CHECK_EQUAL(grow_one(&c, "t", 70 + LIMIT_PARTITIONS_PER_CREATE), 0);
    cluster_close(&c);
}

TEST(create_partitions_answers_each_name_once)
{
    struct cluster c;
    cluster_open(&c, 1);
    CHECK_EQUAL(create_one(&c, "a", 1, 1), 0);
    CHECK_EQUAL(create_one(&c, "b", 1, 1), 0);
    struct create_partitions_request_create_partitions_topic rows[5] = {
        growth_of("a", 3), growth_of("none", 3), growth_of("b", 3), growth_of("a", 4),
        growth_of("none", 3)};
    struct create_partitions_response r = grow(&c, rows, 5, true);
    CHECK_EQUAL(c.record_count, 0); /* only asked */
    r = grow(&c, rows, 5, false);
    CHECK_EQUAL(r.results.count, 3);
    CHECK_EQUAL(r.results.items[0].error_code, KERR_INVALID_REQUEST);
    CHECK_EQUAL(r.results.items[1].error_code, KERR_INVALID_REQUEST);
    CHECK_EQUAL(r.results.items[2].error_code, 0);
    CHECK_EQUAL(topic_partition_count(topic_named(&c, "a")), 1);
    CHECK_EQUAL(topic_partition_count(topic_named(&c, "b")), 3);
    r = grow(&c, rows, 0, false);
    CHECK_EQUAL(r.results.count, 0);
    cluster_close(&c);
}

TEST(create_partitions_at_given_places)
{
    struct cluster c;
    cluster_open(&c, 3);
    CHECK_EQUAL(create_one(&c, "t", 1, 2), 0);
    int32_t nodes[3][3] = {{3, 2, 1}, {1, 3, 1}, {9, 1, 1}};
    struct create_partitions_request_create_partitions_assignment places[2];
    struct create_partitions_request_create_partitions_topic row = growth_of("t", 3);
    const struct {
        int first[2]; /* row of nodes, number of them */
        int second[2];
        int count;
        int code;
    } cases[] = {
        {{0, 2}, {0, 2}, 1, KERR_INVALID_REPLICA_ASSIGNMENT},
        {{0, 2}, {0, 2}, 0, KERR_INVALID_REPLICA_ASSIGNMENT},
        {{0, 2}, {0, 3}, 2, KERR_INVALID_REPLICA_ASSIGNMENT},
        {{0, 2}, {0, 0}, 2, KERR_INVALID_REPLICA_ASSIGNMENT},
        {{0, 2}, {2, 2}, 2, KERR_INVALID_REPLICA_ASSIGNMENT},
        {{1, 3}, {0, 2}, 2, KERR_INVALID_REPLICA_ASSIGNMENT},
        {{0, 2}, {1, 2}, 2, KERR_NONE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        places[0].broker_ids = (struct wire_i32_array){nodes[cases[i].first[0]], cases[i].first[1]};
        places[1].broker_ids =
            (struct wire_i32_array){nodes[cases[i].second[0]], cases[i].second[1]};
        row.assignments.items = places;
        row.assignments.count = cases[i].count;
        struct create_partitions_response r = grow(&c, &row, 1, false);
        CHECK_EQUAL(r.results.items[0].error_code, cases[i].code);
        CHECK_EQUAL(topic_partition_count(topic_named(&c, "t")),
                    cases[i].code == KERR_NONE ? 3 : 1);
    }
    const struct topic_image *topic = topic_named(&c, "t");
    CHECK_EQUAL(topic_partition(topic, 1)->leader, 3);
    CHECK_EQUAL(topic_partition(topic, 2)->members->replicas[1], 3);
    cluster_close(&c);
}

/* ---- IncrementalAlterConfigs */

enum { SET, DELETE, APPEND, SUBTRACT };

struct alter {
    const char *key;
    int8_t op;
    const char *value;
};

static int alter_resource(struct cluster *c, int8_t type, const char *name,
                          const struct alter *alters, int count)
{
    struct incremental_alter_configs_request_alterable_config configs[4];
    for (int i = 0; i < count; i++)
        configs[i] = (struct incremental_alter_configs_request_alterable_config){
            wire_str_of(alters[i].key), alters[i].op, wire_str_of(alters[i].value)};
    struct incremental_alter_configs_request_alter_configs_resource resource = {
        .resource_type = type, .resource_name = wire_str_of(name), .configs = {configs, count}};
    struct incremental_alter_configs_request request = {.resources = {&resource, 1}};
    struct incremental_alter_configs_response response;
    struct decision d;
    decide_begin(c, &d);
    CHECK_EQUAL(decide_incremental_alter_configs(&d, &request, &c->arena, &response), ERR_OK);
    decide_commit(c, &d);
    CHECK_EQUAL(response.responses.count, 1);
    CHECK(wire_str_is(response.responses.items[0].resource_name, name));
    return response.responses.items[0].error_code;
}

static int alter(struct cluster *c, const char *key, int8_t op, const char *value)
{
    struct alter one = {key, op, value};
    return alter_resource(c, RESOURCE_TOPIC, "t", &one, 1);
}

static const char *config_now(const struct cluster *c, const char *key)
{
    const char *value = config_pairs_find(topic_configs(topic_named(c, "t")), key);
    return value != NULL ? value : "(none)";
}

TEST(alter_configs_sets_and_deletes)
{
    struct cluster c;
    cluster_open(&c, 1);
    CHECK_EQUAL(create_one(&c, "t", 1, 1), 0);
    CHECK_EQUAL(alter(&c, "retention.ms", SET, "7"), 0);
    CHECK_TEXT(config_now(&c, "retention.ms"), "7");
    CHECK_EQUAL(alter(&c, "retention.ms", SET, "7"), 0);
    CHECK_EQUAL(c.record_count, 0); /* as it was */
    CHECK_EQUAL(alter(&c, "retention.ms", SET, "x"), KERR_INVALID_CONFIG);
    CHECK_EQUAL(alter(&c, "no.such.key", SET, "x"), KERR_INVALID_CONFIG);
    CHECK_EQUAL(alter(&c, "retention.ms", SET, NULL), KERR_INVALID_REQUEST);
    CHECK_EQUAL(alter(&c, "", SET, "1"), KERR_INVALID_CONFIG);
    CHECK_EQUAL(alter(&c, "retention.ms", 9, "1"), KERR_INVALID_REQUEST);
    CHECK_EQUAL(alter(&c, "retention.ms", APPEND, "1"), KERR_INVALID_CONFIG);
    CHECK_TEXT(config_now(&c, "retention.ms"), "7");
    CHECK_EQUAL(alter(&c, "retention.ms", DELETE, NULL), 0);
    CHECK_TEXT(config_now(&c, "retention.ms"), "(none)");
    struct alter two[2] = {{"retention.ms", SET, "8"}, {"segment.bytes", SET, "-5"}};
    CHECK_EQUAL(alter_resource(&c, RESOURCE_TOPIC, "t", two, 2), KERR_INVALID_CONFIG);
    CHECK_TEXT(config_now(&c, "retention.ms"), "(none)"); /* both or none */
    two[1] = (struct alter){"retention.ms", DELETE, NULL};
    CHECK_EQUAL(alter_resource(&c, RESOURCE_TOPIC, "t", two, 2), KERR_INVALID_REQUEST);
    CHECK_EQUAL(alter_resource(&c, RESOURCE_TOPIC, "u", two, 1), KERR_UNKNOWN_TOPIC_OR_PARTITION);
    CHECK_EQUAL(alter_resource(&c, RESOURCE_TOPIC, "u/", two, 1), KERR_INVALID_TOPIC_EXCEPTION);
    CHECK_EQUAL(alter_resource(&c, RESOURCE_TOPIC, "", two, 1), KERR_INVALID_REQUEST);
    CHECK_EQUAL(alter_resource(&c, RESOURCE_BROKER, "1", two, 1), KERR_INVALID_REQUEST);
    cluster_close(&c);
}

TEST(alter_configs_appends_and_subtracts)
{
    struct cluster c;
    cluster_open(&c, 1);
    CHECK_EQUAL(create_one(&c, "t", 1, 1), 0);
    CHECK_EQUAL(alter(&c, "cleanup.policy", APPEND, "compact"), 0);
    CHECK_TEXT(config_now(&c, "cleanup.policy"), "delete,compact"); /* onto the default */
    CHECK_EQUAL(alter(&c, "cleanup.policy", APPEND, "compact"), 0);
    CHECK_EQUAL(c.record_count, 0);
    CHECK_EQUAL(alter(&c, "cleanup.policy", SUBTRACT, "delete,other"), 0);
    CHECK_TEXT(config_now(&c, "cleanup.policy"), "compact");
    CHECK_EQUAL(alter(&c, "cleanup.policy", APPEND, "nonsense"), KERR_INVALID_CONFIG);
    CHECK_EQUAL(alter(&c, "no.such.key", APPEND, "x"), KERR_INVALID_CONFIG);
    CHECK_EQUAL(alter(&c, "no.such.key", DELETE, NULL), 0);
    CHECK_TEXT(config_now(&c, "cleanup.policy"), "compact");
    CHECK_EQUAL(alter(&c, "cleanup.policy", SUBTRACT, "compact"), 0);
    CHECK_TEXT(config_now(&c, "cleanup.policy"), ""); /* as in Kafka 4.4 */
    cluster_close(&c);
}

/* "0:1,1:1,..." */
static void throttled(char *out, size_t size, int first, int count)
{
    size_t len = 0;
    for (int i = first; i < first + count; i++)
        len += (size_t)snprintf(out + len, size - len, "%s%d:1", i > first ? "," : "", i);
}

/* With work that grows with the square, and more, this takes minutes. */
TEST(alter_configs_appends_and_subtracts_thousands)
{
    enum { COUNT = 2000, SIZE = 32000 };
    static const char key[] = "leader.replication.throttled.replicas";
    static char words[SIZE], half[SIZE], all[SIZE];
    struct cluster c;
    cluster_open(&c, 1);
    CHECK_EQUAL(create_one(&c, "t", 1, 1), 0);
    throttled(words, SIZE, 0, COUNT);
    throttled(half, SIZE, COUNT / 2, COUNT);
    throttled(all, SIZE, 0, COUNT + COUNT / 2);
    CHECK_EQUAL(alter(&c, key, APPEND, words), 0);
    CHECK_TEXT(config_now(&c, key), words);
    CHECK_EQUAL(alter(&c, key, APPEND, half), 0);
    CHECK_TEXT(config_now(&c, key), all);
    CHECK_EQUAL(alter(&c, key, SUBTRACT, half), 0);
    throttled(half, SIZE, 0, COUNT / 2);
    CHECK_TEXT(config_now(&c, key), half);
    CHECK_EQUAL(alter(&c, key, SUBTRACT, words), 0);
    CHECK_TEXT(config_now(&c, key), "");
    cluster_close(&c);
}

static int alter_broker(struct cluster *c, const char *node, const char *key, int8_t op,
                        const char *value)
{
    struct alter one = {key, op, value};
    return alter_resource(c, RESOURCE_BROKER, node, &one, 1);
}

/* What is in force for a key of broker 1. */
static const char *broker_config_now(struct cluster *c, int key, enum config_source *source)
{
    static char text[64];
    struct config_layers layers;
    CHECK_EQUAL(config_layers_of_image(c->image, 1, &c->layers.fixed, &layers), ERR_OK);
    const char *value = config_layers_get(&layers, key, source);
    snprintf(text, sizeof(text), "%s", value != NULL ? value : "(none)");
    config_layers_release(&layers);
    return text;
}

TEST(alter_configs_of_one_broker_and_of_all)
{
    struct cluster c;
    enum config_source source;
    enum { KEY = CONFIG_BROKER_LOG_SEGMENT_BYTES };
    cluster_open(&c, 2);
    set_broker_config(&c, KEY, "1111111");
    CHECK_TEXT(broker_config_now(&c, KEY, &source), "1111111");
    CHECK_EQUAL(source, CONFIG_SOURCE_STATIC);
    CHECK_EQUAL(alter_broker(&c, "2", "log.segment.bytes", SET, "2222222"), 0);
    CHECK_TEXT(broker_config_now(&c, KEY, &source), "1111111"); /* another's */
    CHECK_EQUAL(alter_broker(&c, "", "log.segment.bytes", SET, "3333333"), 0);
    CHECK_TEXT(broker_config_now(&c, KEY, &source), "3333333");
    CHECK_EQUAL(source, CONFIG_SOURCE_BROKER_DEFAULT);
    CHECK_EQUAL(alter_broker(&c, "1", "log.segment.bytes", SET, "4444444"), 0);
    CHECK_TEXT(broker_config_now(&c, KEY, &source), "4444444");
    CHECK_EQUAL(source, CONFIG_SOURCE_BROKER);
    CHECK_EQUAL(alter_broker(&c, "1", "log.segment.bytes", SET, "4444444"), 0);
    CHECK_EQUAL(c.record_count, 0); /* as it was */
    CHECK_EQUAL(alter_broker(&c, "1", "log.segment.bytes", DELETE, NULL), 0);
    CHECK_TEXT(broker_config_now(&c, KEY, &source), "3333333");
    CHECK_EQUAL(alter_broker(&c, "1", "log.cleanup.policy", APPEND, "compact"), 0);
    CHECK_TEXT(broker_config_now(&c, CONFIG_BROKER_LOG_CLEANUP_POLICY, NULL), "delete,compact");
    cluster_close(&c);
}

/* As far as Kafka lets them in one change: from half to double, at least one. */
TEST(threads_of_the_cleaner_change_by_steps)
{
    static const char key[] = "log.cleaner.threads";
    static const struct {
        const char *from;
        const char *to;
        int code;
    } cases[] = {
        {"1", "0", KERR_INVALID_REQUEST},
        {"1", "1", KERR_NONE},
        {"1", "2", KERR_NONE},
        {"1", "3", KERR_INVALID_REQUEST},
        {"3", "1", KERR_NONE},
        {"4", "1", KERR_INVALID_REQUEST},
        {"4", "2", KERR_NONE},
        {"4", "8", KERR_NONE},
        {"4", "9", KERR_INVALID_REQUEST},
        {"0", "1", KERR_INVALID_REQUEST},
        {"0", "0", KERR_NONE},
    };
    struct cluster c;
    cluster_open(&c, 1);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        set_broker_config(&c, CONFIG_BROKER_LOG_CLEANER_THREADS, cases[i].from);
        CHECK_EQUAL(alter_broker(&c, "1", key, SET, cases[i].to), cases[i].code);
        CHECK_EQUAL(alter_broker(&c, "", key, SET, cases[i].to), cases[i].code);
        CHECK_EQUAL(alter_broker(&c, "1", key, DELETE, NULL), KERR_NONE);
        CHECK_EQUAL(alter_broker(&c, "", key, DELETE, NULL), KERR_NONE);
    }
    set_broker_config(&c, CONFIG_BROKER_LOG_CLEANER_ENABLE, "false");
    CHECK_EQUAL(alter_broker(&c, "1", key, SET, "5"), KERR_NONE);
    cluster_close(&c);
}

TEST(each_thread_of_the_cleaner_has_more_than_a_mebibyte)
{
    static const char key[] = "log.cleaner.dedupe.buffer.size";
    struct cluster c;
    cluster_open(&c, 1);
    CHECK_EQUAL(alter_broker(&c, "1", key, SET, "1048576"), KERR_INVALID_REQUEST);
    CHECK_EQUAL(alter_broker(&c, "1", key, SET, "1048577"), KERR_NONE);
    set_broker_config(&c, CONFIG_BROKER_LOG_CLEANER_THREADS, "2");
    CHECK_EQUAL(alter_broker(&c, "", key, SET, "2097153"),
                KERR_INVALID_REQUEST); /* divided first */
    CHECK_EQUAL(alter_broker(&c, "", key, SET, "2097154"), KERR_NONE);
    cluster_close(&c);
}

TEST(alter_configs_of_brokers_says_what_is_wrong)
{
    struct cluster c;
    cluster_open(&c, 1);
    static const struct {
        const char *node;
        struct alter alter;
        int code;
    } cases[] = {
        {"2", {"log.retention.ms", SET, "5"}, KERR_INVALID_REQUEST},
        {"x", {"log.retention.ms", SET, "5"}, KERR_INVALID_REQUEST},
        {"01", {"log.retention.ms", SET, "5"}, KERR_INVALID_REQUEST},
        {"-1", {"log.retention.ms", SET, "5"}, KERR_INVALID_REQUEST},
        {"1", {"log.retention.ms", SET, "x"}, KERR_INVALID_REQUEST},
        {"1", {"log.retention.ms", SET, "0"}, KERR_INVALID_REQUEST},
        {"1", {"log.roll.ms", SET, "0"}, KERR_INVALID_REQUEST},
        {"1", {"log.roll.jitter.ms", SET, "-1"}, KERR_INVALID_REQUEST},
        {"1", {"log.retention.ms", SET, NULL}, KERR_INVALID_REQUEST},
        {"1", {"log.retention.ms", APPEND, "5"}, KERR_INVALID_CONFIG},
        {"1", {"log.dirs", SET, "d"}, KERR_INVALID_REQUEST},
        {"1", {"log.dirs", APPEND, "d"}, KERR_INVALID_REQUEST},
        {"1", {"num.io.threads", SET, "3"}, KERR_INVALID_REQUEST}, /* here only a start can */
        {"", {"retention.ms", SET, "5"}, KERR_INVALID_REQUEST},
        {"", {"no.such.key", SET, "5"}, KERR_INVALID_REQUEST},
        {"", {"no.such.key", DELETE, NULL}, KERR_NONE},
        {"", {"log.dirs", DELETE, NULL}, KERR_NONE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_EQUAL(alter_resource(&c, RESOURCE_BROKER, cases[i].node, &cases[i].alter, 1),
                    cases[i].code);
        CHECK_EQUAL(c.record_count, 0);
    }
    struct alter none = {"x", SET, "y"};
    CHECK_EQUAL(alter_resource(&c, RESOURCE_CLIENT_METRICS, "m", &none, 0), KERR_INVALID_REQUEST);
    CHECK_EQUAL(alter_resource(&c, RESOURCE_BROKER, "1", &none, 0), KERR_NONE);
    cluster_close(&c);
}

static int alter_group(struct cluster *c, const char *id, const char *key, int8_t op,
                       const char *value)
{
    struct alter one = {key, op, value};
    return alter_resource(c, RESOURCE_GROUP, id, &one, 1);
}

TEST(alter_configs_of_groups)
{
    struct cluster c;
    cluster_open(&c, 1);
    static const char key[] = "consumer.session.timeout.ms";
    static const char tags[] = "streams.rack.aware.assignment.tags";
    CHECK_EQUAL(alter_group(&c, "of nobody", key, SET, " 50000 "), 0);
    struct config_pairs pairs = image_configs(c.image, RESOURCE_GROUP, "of nobody");
    CHECK_TEXT(config_pairs_find(pairs, key), " 50000 ");
    CHECK_EQUAL(alter_group(&c, "of nobody", key, SET, "44999"), KERR_INVALID_CONFIG);
    CHECK_EQUAL(alter_group(&c, "of nobody", "no.such.key", SET, "1"), KERR_INVALID_CONFIG);
    CHECK_EQUAL(alter_group(&c, "of nobody", "no.such.key", DELETE, NULL), 0);
    CHECK_EQUAL(alter_group(&c, "of nobody", key, SET, NULL), KERR_INVALID_REQUEST);
    CHECK_EQUAL(alter_group(&c, "of nobody", tags, SET, "a,b"), 0);
    CHECK_EQUAL(alter_group(&c, "of nobody", tags, APPEND, "c"), KERR_INVALID_CONFIG);
    CHECK_EQUAL(alter_group(&c, "", key, SET, "50000"), KERR_INVALID_REQUEST);
    CHECK_EQUAL(c.record_count, 0);
    CHECK_EQUAL(alter_group(&c, "of nobody", tags, DELETE, NULL), 0);
    CHECK_EQUAL(alter_group(&c, "of nobody", key, DELETE, NULL), 0);
    CHECK_EQUAL(image_configs(c.image, RESOURCE_GROUP, "of nobody").count, 0);
    /* What the broker allows it is asked for, not what it had by itself. */
    set_broker_config(&c, CONFIG_BROKER_GROUP_CONSUMER_MIN_SESSION_TIMEOUT_MS, "1000");
    CHECK_EQUAL(alter_group(&c, "g", key, SET, "44999"), 0);
    CHECK_EQUAL(alter_group(&c, "g", key, SET, "5000"), KERR_INVALID_CONFIG); /* a heartbeat */
    cluster_close(&c);
}

TEST(layers_of_an_image_come_whole_or_not_at_all)
{
    struct cluster c;
    cluster_open(&c, 1);
    CHECK_EQUAL(alter_broker(&c, "", "log.segment.bytes", SET, "3333333"), 0);
    CHECK_EQUAL(alter_broker(&c, "1", "log.roll.ms", SET, "5"), 0);
    enum err e = ERR_NO_MEMORY;
    for (int fail_at = 1; e != ERR_OK; fail_at++) {
        struct config_layers layers = {.broker = {.count = -1}};
        mem_fail_at(fail_at);
        e = config_layers_of_image(c.image, 1, &c.layers.fixed, &layers);
        mem_fail_at(0);
        CHECK_EQUAL(layers.broker.count, e == ERR_OK ? 1 : -1);
        if (e == ERR_OK)
            config_layers_release(&layers);
    }
    cluster_close(&c);
}

TEST(alter_configs_in_the_old_form_replaces_all)
{
    struct cluster c;
    cluster_open(&c, 1);
    CHECK_EQUAL(create_one(&c, "t", 1, 1), 0);
    CHECK_EQUAL(alter(&c, "retention.ms", SET, "7"), 0);
    struct alter_configs_request_alterable_config config = {wire_str_of("retention.bytes"),
                                                            wire_str_of("9")};
    struct alter_configs_request_alter_configs_resource resource = {.resource_type = RESOURCE_TOPIC,
                                                                    .resource_name =
                                                                        wire_str_of("t"),
                                                                    .configs = {&config, 1}};
    struct alter_configs_request request = {.resources = {&resource, 1}};
    struct alter_configs_response response;
    struct decision d;
    decide_begin(&c, &d);
    CHECK_EQUAL(decide_alter_configs(&d, &request, &c.arena, &response), ERR_OK);
    decide_commit(&c, &d);
    CHECK_EQUAL(response.responses.items[0].error_code, 0);
    CHECK_TEXT(config_now(&c, "retention.ms"), "(none)");
    CHECK_TEXT(config_now(&c, "retention.bytes"), "9");
    cluster_close(&c);
}

/* ---- starts and producer ids */

TEST(broker_start_raises_leader_epochs)
{
    struct cluster c;
    cluster_open(&c, 1);
    CHECK_EQUAL(strlen(image_cluster_id(c.image)), 22);
    CHECK_EQUAL(create_one(&c, "t", 3, 1), 0);
    CHECK_EQUAL(topic_partition(topic_named(&c, "t"), 2)->leader_epoch, 0);
    start_broker(&c, 1);
    CHECK_EQUAL(topic_partition(topic_named(&c, "t"), 2)->leader_epoch, 1);
    CHECK_EQUAL(image_broker(c.image, 1)->epoch, image_position(c.image));
    CHECK_EQUAL(image_controller_epoch(c.image), 2);
    start_broker(&c, 2);
    CHECK_EQUAL(topic_partition(topic_named(&c, "t"), 2)->leader_epoch, 1);
    CHECK_EQUAL(image_controller_id(c.image), 2);
    cluster_close(&c);
}

TEST(producer_ids_come_in_blocks)
{
    struct cluster c;
    cluster_open(&c, 1);
    for (int block = 0; block < 3; block++) {
        struct decision d;
        int64_t first = -1;
        decide_begin(&c, &d);
        CHECK_EQUAL(decide_producer_ids(&d, 1, &first), ERR_OK);
        decide_commit(&c, &d);
        CHECK_EQUAL(first, block * PRODUCER_ID_BLOCK);
    }
    cluster_close(&c);
}

TEST(decisions_fail_as_a_whole_when_memory_is_short)
{
    struct cluster c;
    cluster_open(&c, 1);
    struct create_topics_request_creatable_topic row = row_of("t.x", 200, 1);
    struct create_topics_request request = {.topics = {&row, 1}};
    bool failed = true;
    for (int fail_at = 1; failed; fail_at++) {
        struct decision d;
        struct create_topics_response response;
        struct arena arena;
        arena_init(&arena, 1 << 20);
        decide_begin(&c, &d);
        mem_fail_at(fail_at);
        enum err e = decide_create_topics(&d, &request, &arena, &response);
        mem_fail_at(0);
        failed = e != ERR_OK || response.topics.items[0].error_code != 0;
        CHECK((d.records.size == 0) == failed);
        decision_deinit(&d);
        arena_deinit(&arena);
    }
    cluster_close(&c);
}

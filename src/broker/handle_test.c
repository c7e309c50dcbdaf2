// SPDX-License-Identifier: Apache-2.0
/*
 * Tests of the handlers in a whole broker in memory: what a real client cannot bring about. How the
 * answers compare with Kafka's: test/clients/test_against_kafka.py.
 *
 * Thread: main.
 */
#include <string.h>

#include "base/mem.h"
#include "broker/broker_fixture.h"
#include "broker/broker_private.h"
#include "broker/request.h"
#include "wire/codec_random.h"
#include "wire/create_topics.h"
#include "wire/delete_topics.h"
#include "wire/describe_cluster.h"
#include "wire/describe_configs.h"
#include "wire/describe_log_dirs.h"
#include "wire/describe_topic_partitions.h"
#include "wire/incremental_alter_configs.h"
#include "wire/init_producer_id.h"
#include "wire/list_offsets.h"
#include "wire/metadata.h"

enum {
    LIST_OFFSETS = 2,
    METADATA = 3,
    CREATE_TOPICS = 19,
    DELETE_TOPICS = 20,
    INIT_PRODUCER_ID = 22,
    DESCRIBE_CONFIGS = 32,
    INCREMENTAL_ALTER_CONFIGS = 44,
    DESCRIBE_LOG_DIRS = 35,
    DESCRIBE_CLUSTER = 60,
    DESCRIBE_TOPIC_PARTITIONS = 75,
};

static const struct metadata_response *ask_topic(struct broker_fixture *f, const char *name,
                                                 bool may_make)
{
    struct metadata_request_topic topic = {.name = wire_str_of(name)};
    struct metadata_request request = {.topics = {&topic, 1},
                                       .allow_auto_topic_creation = may_make};
    const struct metadata_response *response = fixture_ask(f, METADATA, 12, &request);
    CHECK(response != NULL && response->topics.count == 1);
    return response;
}

static int16_t topic_error(struct broker_fixture *f, const char *name, bool may_make)
{
    return ask_topic(f, name, may_make)->topics.items[0].error_code;
}

/* ---- which address */

static void check_told(struct broker_fixture *f, uint16_t port, const char *host, int32_t told)
{
    struct sock *peer = mem_env_connect(&f->m, port, NULL);
    CHECK(peer != NULL);
    struct metadata_request nothing = {0};
    fixture_send(peer, METADATA, 12, &nothing);
    mem_env_run_until_idle(&f->m);
    const struct metadata_response *metadata = fixture_receive(f, peer, METADATA, 12);
    CHECK(metadata != NULL && metadata->brokers.count == 1);
    CHECK(wire_str_is(metadata->brokers.items[0].host, host));
    CHECK_EQUAL(metadata->brokers.items[0].port, told);
    struct describe_cluster_request cluster = {.endpoint_type = 1};
    fixture_send(peer, DESCRIBE_CLUSTER, 1, &cluster);
    mem_env_run_until_idle(&f->m);
    const struct describe_cluster_response *described =
        fixture_receive(f, peer, DESCRIBE_CLUSTER, 1);
    CHECK(described != NULL && described->brokers.count == 1);
    CHECK(wire_str_is(described->brokers.items[0].host, host));
    CHECK_EQUAL(described->brokers.items[0].port, told);
    sock_close(peer);
}

static void check_registered(struct broker_fixture *f, const char *name, const char *host,
                             uint16_t port)
{
    struct image *image = image_slot_get(&f->broker->image);
    const struct broker_image *self = image_broker(image, broker_node_id(f->broker));
    const struct listener_image *listener = broker_listener(self, name);
    CHECK(listener != NULL);
    CHECK_TEXT(listener->host, host);
    CHECK_EQUAL(listener->port, port);
    image_unref(image);
}

/* By the listener's name, whatever the order; one that is not advertised: the address reached. */
TEST(handlers_tell_the_advertised_address_of_the_listener)
{
    static const char *const sets[] = {
        "listeners=A://127.0.0.1:9092,B://127.0.0.1:9093,C://127.0.0.1:9094",
        "listener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT,C:PLAINTEXT",
        "inter.broker.listener.name=A",
        "advertised.listeners=B://b.example:7777,A://a.example:1234",
        NULL,
    };
    struct broker_fixture f;
    fixture_start(&f, sets);
    check_told(&f, 9092, "a.example", 1234);
    check_told(&f, 9093, "b.example", 7777);
    check_told(&f, 9094, "127.0.0.1", 9094);
    check_registered(&f, "A", "a.example", 1234);
    check_registered(&f, "B", "b.example", 7777);
    check_registered(&f, "C", "127.0.0.1", 9094);
    fixture_stop(&f);
}

TEST(handlers_tell_the_address_that_was_reached)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    check_told(&f, 9092, "127.0.0.1", 9092);
    fixture_stop(&f);
}

/* ---- auto-creation */

TEST(metadata_makes_a_topic_only_where_both_sides_want_it)
{
    static const char *const off[] = {"auto.create.topics.enable=false", NULL};
    struct broker_fixture f;
    fixture_start(&f, off);
    CHECK_EQUAL(topic_error(&f, "t", true), KERR_UNKNOWN_TOPIC_OR_PARTITION);
    fixture_stop(&f);
    fixture_start(&f, NULL);
    CHECK_EQUAL(topic_error(&f, "t", false), KERR_UNKNOWN_TOPIC_OR_PARTITION);
    CHECK_EQUAL(topic_error(&f, "t", true), KERR_NONE);
    CHECK_EQUAL(topic_error(&f, "t", false), KERR_NONE);
    CHECK_EQUAL(topic_error(&f, "no/name", true), KERR_INVALID_TOPIC_EXCEPTION);
    CHECK_EQUAL(topic_error(&f, "__consumer_offsets", true), KERR_UNKNOWN_TOPIC_OR_PARTITION);
    fixture_stop(&f);
}

TEST(metadata_says_why_a_topic_could_not_be_made)
{
    static const char *const sets[] = {"default.replication.factor=3", NULL};
    struct broker_fixture f;
    fixture_start(&f, sets);
    CHECK_EQUAL(topic_error(&f, "t", true), KERR_INVALID_REPLICATION_FACTOR);
    fixture_stop(&f);
}

/* ---- the metadata log fails */

static void break_the_store(struct broker_fixture *f)
{
    f->m.fail_at = 1;
    CHECK_EQUAL(topic_error(f, "breaks", true), KERR_LEADER_NOT_AVAILABLE);
    f->m.fail_at = 0;
}

static void check_create_fails(struct broker_fixture *f)
{
    struct create_topics_request_creatable_topic topics[2] = {
        {.name = wire_str_of("x"), .num_partitions = 1, .replication_factor = 1},
        {.name = wire_str_of("y"), .num_partitions = 1, .replication_factor = 1}};
    struct create_topics_request request = {.topics = {topics, 2}, .timeout_ms = 1000};
    const struct create_topics_response *response = fixture_ask(f, CREATE_TOPICS, 7, &request);
    CHECK(response != NULL && response->topics.count == 2);
    for (int i = 0; i < 2; i++) {
        CHECK(wire_str_equal(response->topics.items[i].name, topics[i].name));
        CHECK_EQUAL(response->topics.items[i].error_code, KERR_KAFKA_STORAGE_ERROR);
    }
}

static void check_delete_fails(struct broker_fixture *f, const char *name)
{
    struct delete_topics_request_delete_topic_state state = {.name = wire_str_of(name)};
    struct delete_topics_request request = {.topics = {&state, 1}, .timeout_ms = 1000};
    const struct delete_topics_response *response = fixture_ask(f, DELETE_TOPICS, 6, &request);
    CHECK(response != NULL && response->responses.count == 1);
    CHECK(wire_str_is(response->responses.items[0].name, name));
    CHECK_EQUAL(response->responses.items[0].error_code, KERR_KAFKA_STORAGE_ERROR);
}

static void check_alter_fails(struct broker_fixture *f, const char *name)
{
    struct incremental_alter_configs_request_alterable_config config = {
        .name = wire_str_of("retention.ms"), .value = wire_str_of("5")};
    struct incremental_alter_configs_request_alter_configs_resource resources[3] = {
        {.resource_type = 8, .resource_name = wire_str_of("1")},
        {.resource_type = 2, .resource_name = wire_str_of(name), .configs = {&config, 1}},
        {.resource_type = 4, .resource_name = wire_str_of("1"), .configs = {&config, 1}},
    };
    struct incremental_alter_configs_request request = {.resources = {resources, 3}};
    const struct incremental_alter_configs_response *response =
        fixture_ask(f, INCREMENTAL_ALTER_CONFIGS, 1, &request);
    CHECK(response != NULL && response->responses.count == 3);
    for (int i = 0; i < 3; i++) /* how much is logged is not written anywhere */
        CHECK_EQUAL(response->responses.items[i].error_code,
                    response->responses.items[i].resource_type == 8 ? KERR_NONE
                                                                    : KERR_KAFKA_STORAGE_ERROR);
}

TEST(handlers_answer_though_the_metadata_log_fails)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    fixture_create(&f, "kept", 2);
    break_the_store(&f);
    check_create_fails(&f);
    check_delete_fails(&f, "kept");
    check_alter_fails(&f, "kept");
    struct init_producer_id_request init = {
        .transactional_id = wire_str_of(NULL), .producer_id = -1, .producer_epoch = -1};
    const struct init_producer_id_response *id = fixture_ask(&f, INIT_PRODUCER_ID, 4, &init);
    CHECK(id != NULL && id->producer_id == -1);
    CHECK_EQUAL(id->error_code, KERR_COORDINATOR_LOAD_IN_PROGRESS);
    const struct metadata_response *metadata = ask_topic(&f, "kept", false);
    CHECK_EQUAL(metadata->topics.items[0].error_code, KERR_NONE);
    CHECK_EQUAL(metadata->topics.items[0].partitions.count, 2);
    fixture_stop(&f);
}

TEST(delete_topics_can_be_turned_off)
{
    static const char *const sets[] = {"delete.topic.enable=false", NULL};
    struct broker_fixture f;
    fixture_start(&f, sets);
    fixture_create(&f, "t", 1);
    struct wire_str name = wire_str_of("t");
    struct delete_topics_request request = {.topic_names = {&name, 1}, .timeout_ms = 1000};
    for (int16_t version = 1; version <= 5; version++) {
        const struct delete_topics_response *response =
            fixture_ask(&f, DELETE_TOPICS, version, &request);
        CHECK(response != NULL && response->responses.count == 1);
        CHECK_EQUAL(response->responses.items[0].error_code,
                    version < 3 ? KERR_INVALID_REQUEST : KERR_TOPIC_DELETION_DISABLED);
    }
    CHECK_EQUAL(topic_error(&f, "t", false), KERR_NONE);
    fixture_stop(&f);
}

/* ---- what would take too much */

/* A small frame may not make an answer of any size. */
TEST(describe_configs_is_bounded)
{
    enum { COUNT = 20000 };
    static const char *const sets[] = {"klamm.memory.max=33554432", NULL};
    struct broker_fixture f;
    fixture_start(&f, sets);
    fixture_create(&f, "t", 1);
    struct describe_configs_request request = {.include_synonyms = true};
    CHECK_EQUAL(wire_array_new(&f.arena, &describe_configs_request_describe_configs_resource_layout,
                               COUNT, &request.resources),
                ERR_OK);
    for (int i = 0; i < COUNT; i++) {
        request.resources.items[i].resource_type = 2;
        request.resources.items[i].resource_name = wire_str_of("t");
        request.resources.items[i].configuration_keys.count = -1;
    }
    CHECK(fixture_ask(&f, DESCRIBE_CONFIGS, 4, &request) == NULL);
    request.resources.count = 10;
    const struct describe_configs_response *response =
        fixture_ask(&f, DESCRIBE_CONFIGS, 4, &request);
    CHECK(response != NULL && response->results.count == 10);
    CHECK(response->results.items[9].configs.count >= 37);
    fixture_stop(&f);
}

/* ---- from the disk */

TEST(list_offsets_by_time_goes_to_the_disk_and_comes_back)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    fixture_create(&f, "t", 2);
    struct list_offsets_request_list_offsets_partition partitions[3] = {
        {.partition_index = 1, .current_leader_epoch = -1, .timestamp = 5},
        {.partition_index = 0, .current_leader_epoch = -1, .timestamp = -2},
        {.partition_index = 2, .current_leader_epoch = -1, .timestamp = 5}};
    struct list_offsets_request_list_offsets_topic topic = {wire_str_of("t"), {partitions, 3}};
    struct list_offsets_request request = {.replica_id = -1, .topics = {&topic, 1}};
    fixture_send(f.peer, LIST_OFFSETS, 8, &request);
    mem_env_run_loops(&f.m);
    CHECK_EQUAL(mem_sock_unread(f.peer), 0); /* a worker has it */
    mem_env_run_until_idle(&f.m);
    const struct list_offsets_response *response = fixture_receive(&f, f.peer, LIST_OFFSETS, 8);
    CHECK(response != NULL && response->topics.count == 1);
    static const int16_t errors[] = {KERR_NONE, KERR_NONE, KERR_UNKNOWN_TOPIC_OR_PARTITION};
    static const int64_t offsets[] = {-1, 0, -1};
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(response->topics.items[0].partitions.items[i].error_code, errors[i]);
        CHECK_EQUAL(response->topics.items[0].partitions.items[i].offset, offsets[i]);
    }
    fixture_stop(&f);
}

/* ---- anything */

/* Whatever a client says in the right form is answered or closes its connection. */
TEST(handlers_answer_random_requests)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    fixture_create(&f, "t", 1);
    struct prng p;
    prng_seed(&p, 4);
    int answered = 0;
    for (int round = 0; round < 30; round++) {
        for (uint16_t i = 0; i < broker_handler_count; i++) {
            const struct wire_api *api = wire_api_find(broker_handlers[i].key);
            int16_t last = handler_version_max(api);
            for (int16_t v = handler_version_min(api); v <= last; v++) {
                struct arena arena;
                arena_init(&arena, 1024 * 1024);
                void *request = arena_alloc(&arena, api->request->body->size);
                if (wire_random(api->request, v, &p, &arena, request) == ERR_OK)
                    answered += fixture_ask(&f, api->key, v, request) != NULL ? 1 : 0;
                arena_deinit(&arena);
                mem_env_advance_ms(&f.m, 40000);
                arena_deinit(&f.arena);
            }
        }
    }
    CHECK(answered > 30 * broker_handler_count);
    fixture_stop(&f);
}

/* One random request, some of its bytes changed. */
static void say_damaged(struct broker_fixture *f, struct sock *peer, struct prng *p)
{
    const struct handler *handler = &broker_handlers[prng_below(p, broker_handler_count)];
    const struct wire_api *api = wire_api_find(handler->key);
    int16_t version = (int16_t)prng_range(p, handler_version_min(api), handler_version_max(api));
    void *request = arena_alloc(&f->arena, api->request->body->size);
    if (wire_random(api->request, version, p, &f->arena, request) != ERR_OK)
        return;
    struct wire_writer w;
    fixture_write(&w, api->key, version, request);
    for (uint64_t i = prng_below(p, 4) + 1; i > 0; i--) {
        uint32_t at = 4 + (uint32_t)prng_below(p, w.size - 4); /* the length stays */
        w.data[at] = (uint8_t)prng_u64(p);
    }
    mem_sock_say(peer, w.data, w.size);
    wire_writer_deinit(&w);
}

/* Damaged ones too; what was there before is still served. */
TEST(handlers_survive_damaged_requests)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    fixture_create(&f, "t", 1);
    struct prng p;
    prng_seed(&p, 5);
    for (int i = 0; i < 5000; i++) {
        struct sock *peer = mem_env_connect(&f.m, 9092, NULL);
        say_damaged(&f, peer, &p);
        mem_env_run_until_idle(&f.m);
        sock_close(peer);
        mem_env_run_until_idle(&f.m);
        arena_deinit(&f.arena);
    }
    CHECK_EQUAL(topic_error(&f, "t", false), KERR_NONE);
    fixture_stop(&f);
}

/* ---- pages of topics */

/* Walks all topics from the start; returns the pages, and counts the partitions. */
static int walk_pages(struct broker_fixture *f, int32_t limit, int *partitions)
{
    struct describe_topic_partitions_request_cursor cursor;
    struct describe_topic_partitions_request request = {.response_partition_limit = limit};
    int pages = 0;
    *partitions = 0;
    do {
        const struct describe_topic_partitions_response *page =
            fixture_ask(f, DESCRIBE_TOPIC_PARTITIONS, 0, &request);
        CHECK(page != NULL);
        for (int32_t t = 0; t < page->topics.count; t++)
            *partitions += page->topics.items[t].partitions.count;
        request.cursor = NULL;
        if (page->next_cursor != NULL) {
            cursor.topic_name = page->next_cursor->topic_name;
            cursor.partition_index = page->next_cursor->partition_index;
            request.cursor = &cursor;
        }
        pages++;
    } while (request.cursor != NULL);
    return pages;
}

TEST(describe_topic_partitions_goes_on_where_a_page_ended)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    int partitions = -1;
    CHECK_EQUAL(walk_pages(&f, 10, &partitions), 1);
    CHECK_EQUAL(partitions, 0);
    fixture_create(&f, "a", 3);
    fixture_create(&f, "b", 1);
    fixture_create(&f, "c", 6);
    static const struct {
        int32_t limit;
        int pages;
    } cases[] = {{10, 1}, {INT32_MAX, 1}, {9, 2},  {3, 4},
                 {2, 5},  {1, 10},        {0, 10}, {INT32_MIN, 10}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        CHECK_EQUAL(walk_pages(&f, cases[i].limit, &partitions), cases[i].pages);
        CHECK_EQUAL(partitions, 10);
    }
    fixture_stop(&f);
}

/* ---- log directories */

TEST(describe_log_dirs_tells_each_partition_once)
{
    static const char *const sets[] = {"log.dirs=d1,d2,d3", NULL};
    struct broker_fixture f;
    fixture_start(&f, sets);
    fixture_create(&f, "a", 5);
    fixture_create(&f, "b", 70);
    struct describe_log_dirs_request request = {.topics = {NULL, -1}};
    for (int16_t version = 1; version <= 5; version++) {
        const struct describe_log_dirs_response *response =
            fixture_ask(&f, DESCRIBE_LOG_DIRS, version, &request);
        CHECK(response != NULL && response->results.count == 3);
        int seen = 0;
        for (int32_t i = 0; i < 3; i++) {
            const struct describe_log_dirs_response_describe_log_dirs_result *dir =
                &response->results.items[i];
            CHECK_EQUAL(dir->error_code, KERR_NONE);
            CHECK_EQUAL(dir->topics.count, 2);
            CHECK((dir->total_bytes > 0) == (version >= 4));
            for (int32_t t = 0; t < 2; t++)
                seen += dir->topics.items[t].partitions.count;
        }
        CHECK_EQUAL(seen, 75);
    }
    fixture_stop(&f);
}

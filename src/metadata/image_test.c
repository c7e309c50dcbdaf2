// SPDX-License-Identifier: Apache-2.0
/* Tests of the image: a brute-force model, old images that must stay, snapshots, hostile records,
 * many topics. Thread: main. */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/prng.h"
#include "base/testing.h"
#include "metadata/config_keys.h"
#include "metadata/image.h"
#include "wire/record_set.h"

/* ---- helpers: records into one entry */

static struct metadata_record record_of(enum metadata_record_type type)
{
    struct metadata_record record;
    wire_record_init(&metadata_record_set, type, &record);
    return record;
}

static void put(struct wire_writer *w, const struct metadata_record *record)
{
    CHECK_EQUAL(wire_record_encode(&metadata_record_set, w, record), ERR_OK);
}

static void put_topic(struct wire_writer *w, const char *name, struct uuid id)
{
    struct metadata_record r = record_of(METADATA_TOPIC);
    r.topic.name = wire_str_of(name);
    r.topic.topic_id = id;
    put(w, &r);
}

static void put_partition(struct wire_writer *w, struct uuid id, int32_t index, int32_t leader)
{
    int32_t nodes[2] = {leader, leader + 1};
    struct metadata_record r = record_of(METADATA_PARTITION);
    r.partition = (struct partition_record){
        .topic_id = id,
        .index = index,
        .replicas = {nodes, 2},
        .isr = {nodes, 1},
        .leader = leader,
    };
    put(w, &r);
}

static void put_config(struct wire_writer *w, int8_t type, const char *name, const char *key,
                       const char *value)
{
    struct metadata_record r = record_of(METADATA_CONFIG);
    r.config.resource_type = type;
    r.config.resource_name = wire_str_of(name);
    r.config.key = wire_str_of(key);
    r.config.value = wire_str_of(value);
    put(w, &r);
}

static void put_broker(struct wire_writer *w, int32_t node_id)
{
    struct register_broker_record_listener listener = {
        .name = wire_str_of("PLAINTEXT"), .host = wire_str_of("h"), .port = 9092};
    struct metadata_record r = record_of(METADATA_REGISTER_BROKER);
    r.register_broker.node_id = node_id;
    r.register_broker.listeners.items = &listener;
    r.register_broker.listeners.count = 1;
    r.register_broker.rack = node_id % 2 == 0 ? wire_str_of("r1") : wire_str_of(NULL);
    put(w, &r);
}

static void put_start(struct wire_writer *w, int32_t node_id, int64_t epoch)
{
    struct metadata_record r = record_of(METADATA_BROKER_START);
    r.broker_start.node_id = node_id;
    r.broker_start.epoch = epoch;
    put(w, &r);
}

static struct uuid uuid_of(uint32_t n)
{
    struct uuid id = {{1}};
    memcpy(&id.bytes[1], &n, sizeof(n));
    return id;
}

/* Applies what the writer has as one entry and empties it. */
static enum err apply(struct image **image, struct wire_writer *w, struct image_delta *delta)
{
    struct image_entry entry = {w->data, w->size};
    struct image *next = NULL;
    enum err e = image_apply(*image, &entry, 1, delta, NULL, &next);
    if (e == ERR_OK) {
        image_check(next);
        image_unref(*image);
        *image = next;
    } else {
        CHECK(next == NULL);
    }
    wire_writer_clear(w);
    return e;
}

struct bytes {
    uint8_t *data;
    size_t size;
};

static enum err bytes_add(void *arg, const uint8_t *data, size_t size)
{
    struct bytes *b = arg;
    b->data = mem_realloc(b->data, b->size + size);
    memcpy(b->data + b->size, data, size);
    b->size += size;
    return ERR_OK;
}

/* All that an image says. */
static struct bytes dump(const struct image *image)
{
    struct bytes b = {NULL, 0};
    CHECK_EQUAL(image_snapshot(image, 0, 1000, bytes_add, &b), ERR_OK);
    return b;
}

static void check_snapshot(const struct image *image)
{
    struct bytes b = dump(image);
    struct image_entry chunk = {b.data, b.size};
    struct image *copy = NULL;
    CHECK_EQUAL(image_from_snapshot(&chunk, 1, NULL, &copy), ERR_OK);
    image_check(copy);
    CHECK(image_equals(image, copy));
    CHECK(image_equals(copy, image));
    image_unref(copy);
    mem_free(b.data);
}

/* ---- the model */

enum { MODEL_TOPICS = 90, MODEL_PARTITIONS = 150, MODEL_IMAGES = 60, NODES = 3 };

struct model_topic {
    bool exists;
    struct uuid id;
    int32_t count;
    int32_t leader[MODEL_PARTITIONS];
    int32_t leader_epoch[MODEL_PARTITIONS];
    int32_t epoch[MODEL_PARTITIONS];
    int config; /* 0: not set */
};

struct model {
    struct prng p;
    struct model_topic topics[MODEL_TOPICS];
    uint32_t next_id;
    int64_t starts;
};

static char *topic_text(int number, char out[16])
{
    snprintf(out, 16, "t%d.x", number * 7919 % 1000);
    return out;
}

static void model_create(struct model *m, int t, struct wire_writer *w)
{
    struct model_topic *topic = &m->topics[t];
    char name[16];
    *topic = (struct model_topic){.exists = true, .id = uuid_of(++m->next_id)};
    put_topic(w, topic_text(t, name), topic->id);
    topic->count = (int32_t)prng_range(&m->p, 1, prng_chance(&m->p, 1, 5) ? MODEL_PARTITIONS : 3);
    for (int32_t i = 0; i < topic->count; i++) {
        topic->leader[i] = (int32_t)prng_below(&m->p, NODES);
        put_partition(w, topic->id, i, topic->leader[i]);
    }
}

static void model_grow(struct model *m, struct model_topic *topic, struct wire_writer *w)
{
    for (int n = 5; n > 0 && topic->count < MODEL_PARTITIONS; n--) {
        int32_t i = topic->count++;
        topic->leader[i] = (int32_t)prng_below(&m->p, NODES);
        put_partition(w, topic->id, i, topic->leader[i]);
    }
}

static void model_change(struct model *m, struct model_topic *topic, struct wire_writer *w)
{
    int32_t i = (int32_t)prng_below(&m->p, (uint64_t)topic->count);
    topic->leader[i] = (int32_t)prng_below(&m->p, NODES);
    topic->leader_epoch[i]++;
    topic->epoch[i]++;
    struct metadata_record r = record_of(METADATA_PARTITION_CHANGE);
    r.partition_change.topic_id = topic->id;
    r.partition_change.index = i;
    r.partition_change.partition_epoch = topic->epoch[i];
    r.partition_change.leader = topic->leader[i];
    r.partition_change.leader_epoch = topic->leader_epoch[i];
    put(w, &r);
}

static void model_start(struct model *m, struct wire_writer *w)
{
    int32_t node = (int32_t)prng_below(&m->p, NODES);
    put_start(w, node, ++m->starts);
    for (int t = 0; t < MODEL_TOPICS; t++) {
        for (int32_t i = 0; m->topics[t].exists && i < m->topics[t].count; i++) {
            if (m->topics[t].leader[i] != node)
                continue;
            m->topics[t].leader_epoch[i]++;
            m->topics[t].epoch[i]++;
        }
    }
}

static void model_step(struct model *m, struct wire_writer *w)
{
    int t = (int)prng_below(&m->p, MODEL_TOPICS);
    struct model_topic *topic = &m->topics[t];
    char name[16], value[16];
    uint64_t what = prng_below(&m->p, 100);
    if (what == 0) {
        model_start(m, w);
    } else if (!topic->exists) {
        model_create(m, t, w);
    } else if (what < 20) {
        struct metadata_record r = record_of(METADATA_REMOVE_TOPIC);
        r.remove_topic.topic_id = topic->id;
        put(w, &r);
        topic->exists = false;
    } else if (what < 40) {
        topic->config = (int)prng_below(&m->p, 4);
        snprintf(value, sizeof(value), "%d", topic->config);
        put_config(w, RESOURCE_TOPIC, topic_text(t, name), "retention.ms",
                   topic->config > 0 ? value : NULL);
    } else if (what < 60) {
        model_grow(m, topic, w);
    } else {
        model_change(m, topic, w);
    }
}

static void model_check(const struct model *m, const struct image *image)
{
    size_t count = 0;
    for (int t = 0; t < MODEL_TOPICS; t++) {
        const struct model_topic *topic = &m->topics[t];
        char name[16], value[16];
        topic_text(t, name);
        const struct topic_image *found = image_topic(image, name, strlen(name));
        CHECK((found != NULL) == topic->exists);
        if (found == NULL)
            continue;
        count++;
        CHECK(found == image_topic_by_id(image, topic->id));
        CHECK_EQUAL(topic_partition_count(found), topic->count);
        for (int32_t i = 0; i < topic->count; i++) {
            const struct partition_image *p = topic_partition(found, i);
            CHECK_EQUAL(p->leader, topic->leader[i]);
            CHECK_EQUAL(p->leader_epoch, topic->leader_epoch[i]);
            CHECK_EQUAL(p->partition_epoch, topic->epoch[i]);
            CHECK_EQUAL(p->members->replica_count, 2);
        }
        const char *set = config_pairs_find(topic_configs(found), "retention.ms");
        snprintf(value, sizeof(value), "%d", topic->config);
        CHECK((set != NULL) == (topic->config > 0));
        if (set != NULL)
            CHECK_TEXT(set, value);
        const char *by_key = config_set_get(topic_config_set(found), CONFIG_TOPIC_RETENTION_MS);
        CHECK(set == by_key);
    }
    CHECK_EQUAL(count, image_topic_count(image));
}

/* The delta must name every topic that differs, and every partition in it. */
static void delta_check(const struct image *before, const struct image *after,
                        const struct image_delta *delta)
{
    for (size_t i = 0; i < delta->topic_count; i++) {
        const struct topic_delta *d = &delta->topics[i];
        CHECK(d->before == NULL || image_topic_by_id(before, topic_id(d->before)) == d->before);
        CHECK(d->after == NULL || image_topic_by_id(after, topic_id(d->after)) == d->after);
    }
    struct topic_cursor cursor;
    const struct topic_image *topic = topic_cursor_first(&cursor, after);
    for (; topic != NULL; topic = topic_cursor_next(&cursor)) {
        const struct topic_image *old = image_topic_by_id(before, topic_id(topic));
        if (old == topic)
            continue;
        const struct topic_delta *d = NULL;
        for (size_t i = 0; i < delta->topic_count; i++) {
            if (delta->topics[i].after == topic)
                d = &delta->topics[i];
        }
        CHECK(d != NULL && d->before == old);
        int32_t next = topic_delta_next_partition(d, 0);
        for (int32_t i = 0; i < topic_partition_count(topic); i++) {
            const struct partition_image *was = old != NULL ? topic_partition(old, i) : NULL;
            const struct partition_image *is = topic_partition(topic, i);
            bool differs = was == NULL || was->partition_epoch != is->partition_epoch;
            CHECK((next == i) == differs);
            if (differs)
                next = topic_delta_next_partition(d, i + 1);
        }
        CHECK_EQUAL(next, -1);
    }
}

TEST(image_follows_a_model_and_old_images_stay)
{
    struct model *m = mem_alloc(sizeof(*m));
    prng_seed(&m->p, 3);
    struct wire_writer w;
    wire_writer_init(&w, 1 << 24);
    struct image *images[MODEL_IMAGES];
    struct bytes dumps[MODEL_IMAGES];
    struct image *image = image_new_empty();
    for (int32_t node = 0; node < NODES; node++)
        put_broker(&w, node);
    CHECK_EQUAL(apply(&image, &w, NULL), ERR_OK);
    for (int n = 0; n < MODEL_IMAGES; n++) {
        images[n] = image_ref(image);
        dumps[n] = dump(image);
        for (uint64_t steps = prng_below(&m->p, 30) + 1; steps > 0; steps--)
            model_step(m, &w);
        struct image_delta delta;
        image_delta_init(&delta);
        CHECK_EQUAL(apply(&image, &w, &delta), ERR_OK);
        CHECK_EQUAL(image_position(image), n + 2);
        delta_check(images[n], image, &delta);
        size_t told = delta.topic_count;
        image_delta_deinit(&delta);
        image_delta_between(&delta, images[n], image);
        delta_check(images[n], image, &delta);
        CHECK_EQUAL(delta.topic_count, told);
        image_delta_deinit(&delta);
        image_delta_between(&delta, images[n / 2], image);
        delta_check(images[n / 2], image, &delta);
        image_delta_deinit(&delta);
        model_check(m, image);
        check_snapshot(image);
    }
    for (int n = 0; n < MODEL_IMAGES; n++) {
        struct bytes again = dump(images[n]);
        CHECK(again.size == dumps[n].size && memcmp(again.data, dumps[n].data, again.size) == 0);
        CHECK(!image_equals(images[n], image));
        mem_free(again.data);
        mem_free(dumps[n].data);
        image_unref(images[n]);
    }
    image_unref(image);
    wire_writer_deinit(&w);
    mem_free(m);
}

TEST(image_holds_brokers_and_other_facts)
{
    struct wire_writer w;
    wire_writer_init(&w, 1 << 20);
    struct image *image = image_new_empty();
    struct metadata_record r = record_of(METADATA_CLUSTER_ID);
    r.cluster_id.cluster_id = wire_str_of("abcdefghijklmnopqrstuv");
    put(&w, &r);
    r = record_of(METADATA_FEATURE_LEVEL);
    r.feature_level.name = wire_str_of("group.version");
    r.feature_level.level = 1;
    put(&w, &r);
    r = record_of(METADATA_CONTROLLER);
    r.controller.node_id = 7;
    r.controller.epoch = 1;
    put(&w, &r);
    r = record_of(METADATA_PRODUCER_IDS);
    r.producer_ids.next_producer_id = 1000;
    put(&w, &r);
    put_broker(&w, 7);
    put_broker(&w, 4);
    put_start(&w, 4, 12);
    put_config(&w, RESOURCE_BROKER, "", "log.retention.ms", "5");
    put_config(&w, RESOURCE_BROKER, "7", "log.retention.ms", "6");
    struct image_delta delta;
    image_delta_init(&delta);
    CHECK_EQUAL(apply(&image, &w, &delta), ERR_OK);
    CHECK(delta.brokers_changed && delta.configs_changed && delta.cluster_changed);
    CHECK_EQUAL(delta.topic_count, 0);
    image_delta_deinit(&delta);

    CHECK_TEXT(image_cluster_id(image), "abcdefghijklmnopqrstuv");
    CHECK_EQUAL(image_feature(image, "group.version"), 1);
    CHECK_EQUAL(image_feature(image, "group"), 0);
    CHECK_EQUAL(image_controller_id(image), 7);
    CHECK_EQUAL(image_next_producer_id(image), 1000);
    CHECK_EQUAL(image_broker_count(image), 2);
    const struct broker_image *broker = image_broker_at_least(image, 0);
    CHECK_EQUAL(broker->node_id, 4);
    CHECK_EQUAL(broker->epoch, 12);
    CHECK(!broker->is_fenced);
    CHECK_TEXT(broker->rack, "r1");
    CHECK_EQUAL(broker_listener(broker, "PLAINTEXT")->port, 9092);
    CHECK(broker_listener(broker, "SSL") == NULL);
    broker = image_broker_at_least(image, 5);
    CHECK(broker->node_id == 7 && broker->is_fenced && broker->rack == NULL);
    CHECK(image_broker_at_least(image, 8) == NULL);
    CHECK_TEXT(config_pairs_find(image_configs(image, RESOURCE_BROKER, "7"), "log.retention.ms"),
               "6");
    CHECK_EQUAL(image_configs(image, RESOURCE_BROKER, "8").count, 0);
    check_snapshot(image);

    put_config(&w, RESOURCE_BROKER, "7", "log.retention.ms", NULL);
    CHECK_EQUAL(apply(&image, &w, NULL), ERR_OK);
    CHECK_EQUAL(image_configs(image, RESOURCE_BROKER, "7").count, 0);
    check_snapshot(image);
    image_unref(image);
    wire_writer_deinit(&w);
}

TEST(names_of_one_type_are_walked)
{
    struct wire_writer w;
    wire_writer_init(&w, 1 << 20);
    struct image *image = image_new_empty();
    static const char *const names[] = {"a", "b", "c", "d"};
    put_config(&w, RESOURCE_BROKER, "", "log.retention.ms", "5");
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        put_config(&w, RESOURCE_GROUP, names[i], "share.isolation.level", "read_committed");
    put_config(&w, RESOURCE_GROUP, "c", "share.isolation.level", NULL);
    CHECK_EQUAL(apply(&image, &w, NULL), ERR_OK);
    struct resource_cursor cursor;
    CHECK_TEXT(resource_cursor_first(&cursor, image, RESOURCE_GROUP), "a");
    CHECK_TEXT(resource_cursor_next(&cursor), "b");
    CHECK_TEXT(resource_cursor_next(&cursor), "d");
    CHECK(resource_cursor_next(&cursor) == NULL);
    CHECK_TEXT(resource_cursor_first(&cursor, image, RESOURCE_BROKER), "");
    CHECK(resource_cursor_next(&cursor) == NULL);
    CHECK(resource_cursor_first(&cursor, image, RESOURCE_CLIENT_METRICS) == NULL);
    CHECK_EQUAL(image_configs_of(image, RESOURCE_GROUP, "a and more", 1).count, 1);
    CHECK_EQUAL(image_configs_of(image, RESOURCE_GROUP, "a and more", 2).count, 0);
    check_snapshot(image);
    image_unref(image);
    wire_writer_deinit(&w);
}

/* ---- what contradicts the image is refused, and nothing of it stays */

static void check_refused(struct image **image, struct wire_writer *w)
{
    struct bytes before = dump(*image);
    CHECK_EQUAL(apply(image, w, NULL), ERR_CORRUPT);
    struct bytes after = dump(*image);
    CHECK(before.size == after.size && memcmp(before.data, after.data, before.size) == 0);
    mem_free(before.data);
    mem_free(after.data);
}

TEST(image_refuses_records_that_contradict_it)
{
    struct wire_writer w;
    wire_writer_init(&w, 1 << 20);
    struct image *image = image_new_empty();
    put_topic(&w, "a", uuid_of(1));
    put_partition(&w, uuid_of(1), 0, 1);
    CHECK_EQUAL(apply(&image, &w, NULL), ERR_OK);

    put_topic(&w, "b", uuid_of(2)); /* good, but goes with what follows */
    put_topic(&w, "a", uuid_of(3));
    check_refused(&image, &w);
    put_topic(&w, "c", uuid_of(1));
    check_refused(&image, &w);
    put_topic(&w, "../c", uuid_of(4));
    check_refused(&image, &w);
    put_partition(&w, uuid_of(1), 2, 1);
    check_refused(&image, &w);
    put_partition(&w, uuid_of(9), 0, 1);
    check_refused(&image, &w);
    put_config(&w, RESOURCE_TOPIC, "nobody", "retention.ms", "1");
    check_refused(&image, &w);
    put_start(&w, 5, 1);
    check_refused(&image, &w);
    struct metadata_record r = record_of(METADATA_REMOVE_TOPIC);
    r.remove_topic.topic_id = uuid_of(9);
    put(&w, &r);
    check_refused(&image, &w);
    r = record_of(METADATA_PARTITION_CHANGE);
    r.partition_change.topic_id = uuid_of(1);
    put(&w, &r); /* the same partition epoch as now */
    check_refused(&image, &w);
    r = record_of(METADATA_SNAPSHOT_HEADER);
    put(&w, &r);
    check_refused(&image, &w);
    r = record_of(METADATA_BEGIN);
    put(&w, &r);
    put_topic(&w, "d", uuid_of(5));
    check_refused(&image, &w); /* no End */
    r = record_of(METADATA_BEGIN);
    put(&w, &r);
    put_topic(&w, "d", uuid_of(5));
    r = record_of(METADATA_END);
    r.end.record_count = 1;
    put(&w, &r);
    CHECK_EQUAL(apply(&image, &w, NULL), ERR_OK);
    image_unref(image);
    wire_writer_deinit(&w);
}

TEST(image_survives_any_cut_and_any_byte)
{
    struct wire_writer w;
    wire_writer_init(&w, 1 << 20);
    struct image *image = image_new_empty();
    put_broker(&w, 1);
    put_topic(&w, "a", uuid_of(1));
    put_partition(&w, uuid_of(1), 0, 1);
    put_config(&w, RESOURCE_TOPIC, "a", "retention.ms", "1");
    put_start(&w, 1, 3);
    uint8_t *copy = mem_alloc(w.size);
    for (uint32_t at = 0; at < w.size; at++) {
        for (int value = -1; value < 256; value += 17) {
            memcpy(copy, w.data, w.size);
            if (value >= 0)
                copy[at] = (uint8_t)value;
            struct image_entry entry = {copy, value < 0 ? at : w.size};
            struct image *next = NULL;
            struct strbuf why;
            strbuf_init(&why);
            if (image_apply(image, &entry, 1, NULL, &why, &next) == ERR_OK)
                image_check(next);
            else
                CHECK(next == NULL && why.len > 0);
            image_unref(next);
            strbuf_deinit(&why);
        }
    }
    mem_free(copy);
    wire_writer_deinit(&w);
    image_unref(image);
}

/* ---- size */

static struct image *image_of_topics(int count, struct wire_writer *w)
{
    struct image *image = image_new_empty();
    for (int t = 0; t < count; t++) {
        char name[24];
        snprintf(name, sizeof(name), "topic-%d", t);
        put_topic(w, name, uuid_of((uint32_t)t + 1));
        put_partition(w, uuid_of((uint32_t)t + 1), 0, 1);
    }
    CHECK_EQUAL(apply(&image, w, NULL), ERR_OK);
    return image;
}

TEST(image_of_ten_thousand_topics)
{
    struct wire_writer w;
    wire_writer_init(&w, 1 << 24);
    struct image *image = image_of_topics(10000, &w);
    CHECK_EQUAL(image_topic_count(image), 10000);
    CHECK_EQUAL(image_partition_count(image), 10000);
    struct topic_cursor cursor;
    size_t walked = 0;
    for (const struct topic_image *t = topic_cursor_first(&cursor, image); t != NULL;
         t = topic_cursor_next(&cursor))
        walked++;
    CHECK_EQUAL(walked, 10000);
    check_snapshot(image);
    /* All of them again one by one, each in an image of its own. */
    for (int t = 0; t < 10000; t++) {
        struct metadata_record r = record_of(METADATA_REMOVE_TOPIC);
        r.remove_topic.topic_id = uuid_of((uint32_t)t + 1);
        put(&w, &r);
        struct image_entry entry = {w.data, w.size};
        struct image *next = NULL;
        CHECK_EQUAL(image_apply(image, &entry, 1, NULL, NULL, &next), ERR_OK);
        image_unref(image);
        image = next;
        wire_writer_clear(&w);
    }
    CHECK_EQUAL(image_topic_count(image), 0);
    image_check(image);
    image_unref(image);
    wire_writer_deinit(&w);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * image_snapshot: an image as records, and back.
 *
 * Brokers come before topics, so that the records of their starts raise no leader epochs;
 * each topic is followed by its partitions and its configs.
 *
 * Thread: any; the image is constant.
 */
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "metadata/image_private.h"
#include "wire/record_set.h"

struct emitter {
    struct wire_writer writer;
    uint32_t chunk_bytes;
    int64_t record_count;
    enum err (*put)(void *arg, const uint8_t *data, size_t size);
    void *arg;
    enum err error;
};

static void flush(struct emitter *em)
{
    if (em->error == ERR_OK && em->writer.size > 0)
        em->error = em->put(em->arg, em->writer.data, em->writer.size);
    wire_writer_clear(&em->writer);
}

static void emit(struct emitter *em, const struct metadata_record *record)
{
    if (em->error != ERR_OK)
        return;
    em->error = wire_record_encode(&metadata_record_set, &em->writer, record);
    em->record_count++;
    if (em->writer.size >= em->chunk_bytes)
        flush(em);
}

static struct wire_str text_of(const char *text, size_t len)
{
    return (struct wire_str){text, (int32_t)len};
}

static void start_record(struct metadata_record *record, enum metadata_record_type type)
{
    wire_record_init(&metadata_record_set, type, record);
}

static void emit_cluster(struct emitter *em, const struct image *image)
{
    struct metadata_record record;
    if (image->cluster_id[0] != '\0') {
        start_record(&record, METADATA_CLUSTER_ID);
        record.cluster_id.cluster_id = wire_str_of(image->cluster_id);
        emit(em, &record);
    }
    struct image_tree_cursor cursor;
    struct image_item *item = image_tree_seek(&image->features, NULL, &cursor);
    for (; item != NULL; item = image_tree_next(&cursor)) {
        struct feature_item *feature = container_of(item, struct feature_item, item);
        start_record(&record, METADATA_FEATURE_LEVEL);
        record.feature_level.name = text_of(feature->name, feature->name_len);
        record.feature_level.level = feature->level;
        emit(em, &record);
    }
    if (image->controller_epoch > 0) {
        start_record(&record, METADATA_CONTROLLER);
        record.controller.node_id = image->controller_id;
        record.controller.epoch = image->controller_epoch;
        emit(em, &record);
    }
    start_record(&record, METADATA_PRODUCER_IDS);
    record.producer_ids.next_producer_id = image->next_producer_id;
    record.producer_ids.node_id = image->controller_id;
    emit(em, &record);
}

static void emit_broker(struct emitter *em, const struct broker_image *broker)
{
    struct register_broker_record_listener *listeners =
        mem_alloc(((size_t)broker->listener_count + 1) * sizeof(*listeners));
    for (int32_t i = 0; i < broker->listener_count; i++) {
        listeners[i] = (struct register_broker_record_listener){
            .name = wire_str_of(broker->listeners[i].name),
            .host = wire_str_of(broker->listeners[i].host),
            .port = broker->listeners[i].port,
            .security_protocol = broker->listeners[i].security_protocol,
        };
    }
    struct metadata_record record;
    start_record(&record, METADATA_REGISTER_BROKER);
    record.register_broker.node_id = broker->node_id;
    record.register_broker.incarnation_id = broker->incarnation_id;
    record.register_broker.log_dirs.items = (struct uuid *)(uintptr_t)broker->log_dirs;
    record.register_broker.log_dirs.count = broker->log_dir_count;
    record.register_broker.listeners.items = listeners;
    record.register_broker.listeners.count = broker->listener_count;
    record.register_broker.rack = wire_str_of(broker->rack);
    emit(em, &record);
    mem_free(listeners);
    if (!broker->is_fenced) {
        start_record(&record, METADATA_BROKER_START);
        record.broker_start.node_id = broker->node_id;
        record.broker_start.epoch = broker->epoch;
        emit(em, &record);
    }
}

static void emit_configs(struct emitter *em, int8_t type, struct wire_str name,
                         const struct config_block *block)
{
    struct metadata_record record;
    for (size_t i = 0; block != NULL && i < block->count; i++) {
        start_record(&record, METADATA_CONFIG);
        record.config.resource_type = type;
        record.config.resource_name = name;
        record.config.key = wire_str_of(block->pairs[i].key);
        record.config.value = wire_str_of(block->pairs[i].value);
        emit(em, &record);
    }
}

static void emit_topic(struct emitter *em, const struct topic_image *topic)
{
    struct metadata_record record;
    start_record(&record, METADATA_TOPIC);
    record.topic.name = text_of(topic->name, topic->name_len);
    record.topic.topic_id = topic->id;
    emit(em, &record);
    for (int32_t i = 0; i < topic->partition_count; i++) {
        const struct partition_image *partition = topic_partition(topic, i);
        const struct partition_members *m = partition->members;
        start_record(&record, METADATA_PARTITION);
        record.partition = (struct partition_record){
            .topic_id = topic->id,
            .index = i,
            .replicas = {(int32_t *)(uintptr_t)m->replicas, m->replica_count},
            .isr = {(int32_t *)(uintptr_t)m->isr, m->isr_count},
            .leader = partition->leader,
            .leader_epoch = partition->leader_epoch,
            .partition_epoch = partition->partition_epoch,
            .directories = {(struct uuid *)(uintptr_t)m->directories, m->directory_count},
        };
        emit(em, &record);
    }
    emit_configs(em, RESOURCE_TOPIC, text_of(topic->name, topic->name_len), topic->configs);
}

static void emit_all(struct emitter *em, const struct image *image)
{
    emit_cluster(em, image);
    struct image_tree_cursor cursor;
    struct image_item *item = image_tree_seek(&image->brokers, NULL, &cursor);
    for (; item != NULL; item = image_tree_next(&cursor))
        emit_broker(em, &container_of(item, struct broker_item, item)->broker);
    item = image_tree_seek(&image->configs, NULL, &cursor);
    for (; item != NULL; item = image_tree_next(&cursor)) {
        struct resource_item *resource = container_of(item, struct resource_item, item);
        emit_configs(em, resource->type, text_of(resource->name, resource->name_len),
                     resource->configs);
    }
    item = image_tree_seek(&image->topics_by_name, NULL, &cursor);
    for (; item != NULL && em->error == ERR_OK; item = image_tree_next(&cursor))
        emit_topic(em, container_of(item, struct topic_image, item));
}

enum err image_snapshot(const struct image *image, int64_t now_ms, uint32_t chunk_bytes,
                        enum err (*put)(void *arg, const uint8_t *data, size_t size), void *arg)
{
    ASSERT(chunk_bytes > 0);
    struct emitter em = {.chunk_bytes = chunk_bytes, .put = put, .arg = arg};
    wire_writer_init(&em.writer, chunk_bytes + LIMIT_METADATA_RECORD_BYTES);
    struct metadata_record record;
    start_record(&record, METADATA_SNAPSHOT_HEADER);
    record.snapshot_header.position = image->position;
    record.snapshot_header.timestamp_ms = now_ms;
    emit(&em, &record);
    emit_all(&em, image);
    start_record(&record, METADATA_SNAPSHOT_FOOTER);
    record.snapshot_footer.record_count = em.record_count + 1;
    emit(&em, &record);
    flush(&em);
    wire_writer_deinit(&em.writer);
    return em.error;
}

enum err image_from_snapshot(const struct image_entry *chunks, size_t count, struct strbuf *why,
                             struct image **out)
{
    struct image *empty = image_new_empty();
    struct image_build build = {chunks, count, IMAGE_FROM_SNAPSHOT};
    enum err e = image_build(empty, &build, NULL, why, out);
    image_unref(empty);
    return e;
}

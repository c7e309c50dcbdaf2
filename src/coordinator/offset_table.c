// SPDX-License-Identifier: Apache-2.0
/* offset_table: see offset_table.h. Thread: the shard's loop, or the one that loads it. */
#include "coordinator/offset_table.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

static uint64_t hash_of_topic(const struct offset_table *table, struct wire_str name)
{
    return hash_bytes(table->hash_seed, name.data, (size_t)name.len);
}

static uint64_t hash_of_offset(const struct offset_topic *topic, int32_t partition)
{
    return hash_u64(topic->node.hash ^ (uint64_t)(uint32_t)partition << 32);
}

void offset_table_init(struct offset_table *table, uint64_t hash_seed)
{
    table->hash_seed = hash_seed;
    list_init(&table->topics);
    map_init(&table->topics_by_name);
    map_init(&table->offsets);
    table->total = NULL;
}

static void count(struct offset_table *table, int64_t by)
{
    if (table->total != NULL)
        atomic_fetch_add_explicit(table->total, by, memory_order_relaxed);
}

static void topic_free_if_empty(struct offset_table *table, struct offset_topic *topic)
{
    if (!list_is_empty(&topic->partitions))
        return;
    map_remove(&table->topics_by_name, &topic->node);
    list_remove(&topic->link);
    mem_free(topic);
}

static void offset_free(struct offset_table *table, struct committed_offset *offset)
{
    count(table, -1);
    map_remove(&table->offsets, &offset->node);
    list_remove(&offset->link);
    mem_free(offset->metadata);
    mem_free(offset);
}

void offset_table_deinit(struct offset_table *table)
{
    LIST_FOR_EACH_SAFE (node, &table->topics) {
        struct offset_topic *topic = container_of(node, struct offset_topic, link);
        LIST_FOR_EACH_SAFE (inner, &topic->partitions)
            offset_free(table, container_of(inner, struct committed_offset, link));
        topic_free_if_empty(table, topic);
    }
    map_deinit(&table->topics_by_name);
    map_deinit(&table->offsets);
}

struct offset_topic *offset_table_topic(const struct offset_table *table, struct wire_str name)
{
    for (struct map_node *node = map_first(&table->topics_by_name, hash_of_topic(table, name));
         node != NULL; node = map_next_same(node)) {
        struct offset_topic *topic = container_of(node, struct offset_topic, node);
        if (wire_str_equal((struct wire_str){topic->name, topic->name_len}, name))
            return topic;
    }
    return NULL;
}

struct committed_offset *offset_table_find(const struct offset_table *table,
                                           const struct offset_topic *topic, int32_t partition)
{
    for (struct map_node *node = map_first(&table->offsets, hash_of_offset(topic, partition));
         node != NULL; node = map_next_same(node)) {
        struct committed_offset *offset = container_of(node, struct committed_offset, node);
        if (offset->topic == topic && offset->partition == partition)
            return offset;
    }
    return NULL;
}

static struct offset_topic *topic_new(struct offset_table *table, struct wire_str name)
{
    struct offset_topic *topic = mem_try_zeroed(sizeof(*topic) + (size_t)name.len + 1);
    if (topic == NULL)
        return NULL;
    topic->name_len = name.len;
    list_init(&topic->partitions);
    if (name.len > 0)
        memcpy(topic->name, name.data, (size_t)name.len);
    map_insert(&table->topics_by_name, &topic->node, hash_of_topic(table, name));
    list_push_back(&table->topics, &topic->link);
    return topic;
}

static struct committed_offset *offset_new(struct offset_table *table, struct offset_topic *topic,
                                           int32_t partition)
{
    struct committed_offset *offset = mem_try_zeroed(sizeof(*offset));
    if (offset == NULL)
        return NULL;
    offset->topic = topic;
    offset->partition = partition;
    map_insert(&table->offsets, &offset->node, hash_of_offset(topic, partition));
    list_push_back(&topic->partitions, &offset->link);
    count(table, 1);
    return offset;
}

static char *copy_text(struct wire_str text)
{
    char *copy = mem_try_zeroed((size_t)text.len + 1);
    if (copy != NULL && text.len > 0)
        memcpy(copy, text.data, (size_t)text.len);
    return copy;
}

bool offset_table_put(struct offset_table *table, const struct offset_put *put)
{
    ASSERT(put->topic.len >= 0 && put->metadata.len >= 0);
    struct offset_topic *topic = offset_table_topic(table, put->topic);
    if (topic == NULL)
        topic = topic_new(table, put->topic);
    if (topic == NULL)
        return false;
    char *metadata = copy_text(put->metadata);
    struct committed_offset *offset = offset_table_find(table, topic, put->partition);
    if (offset == NULL && metadata != NULL)
        offset = offset_new(table, topic, put->partition);
    if (offset == NULL || metadata == NULL) {
        mem_free(metadata);
        topic_free_if_empty(table, topic);
        return false;
    }
    topic->topic_id = put->topic_id;
    mem_free(offset->metadata);
    offset->metadata = metadata;
    offset->metadata_len = put->metadata.len;
    offset->leader_epoch = put->leader_epoch;
    offset->offset = put->offset;
    offset->commit_ms = put->commit_ms;
    offset->expire_ms = put->expire_ms;
    return true;
}

void offset_table_remove(struct offset_table *table, struct wire_str name, int32_t partition)
{
    struct offset_topic *topic = offset_table_topic(table, name);
    struct committed_offset *offset =
        topic != NULL ? offset_table_find(table, topic, partition) : NULL;
    if (offset == NULL)
        return;
    offset_free(table, offset);
    topic_free_if_empty(table, topic);
}

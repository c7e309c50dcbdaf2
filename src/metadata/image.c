// SPDX-License-Identifier: Apache-2.0
/*
 * image: an image's life and what can be asked of it. See image.h.
 *
 * Thread: any.
 */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "metadata/image_private.h"

struct image *image_new_empty(void)
{
    struct image *image = mem_alloc(sizeof(*image));
    atomic_init(&image->refs, 1);
    image->controller_id = IMAGE_NO_NODE;
    image_tree_init(&image->topics_by_name, topic_name_compare);
    image_tree_init(&image->topics_by_id, topic_id_compare);
    image_tree_init(&image->brokers, broker_item_compare);
    image_tree_init(&image->configs, resource_item_compare);
    image_tree_init(&image->features, feature_item_compare);
    return image;
}

struct image *image_ref(struct image *image)
{
    uint32_t before = atomic_fetch_add_explicit(&image->refs, 1, memory_order_relaxed);
    ASSERT(before > 0 && before < UINT32_MAX);
    return image;
}

void image_unref(struct image *image)
{
    if (image == NULL)
        return;
    uint32_t before = atomic_fetch_sub_explicit(&image->refs, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before > 1)
        return;
    image_tree_deinit(&image->topics_by_name);
    image_tree_deinit(&image->topics_by_id);
    image_tree_deinit(&image->brokers);
    image_tree_deinit(&image->configs);
    image_tree_deinit(&image->features);
    mem_free(image);
}

/* ---- the cluster */

int64_t image_position(const struct image *image)
{
    return image->position;
}

const char *image_cluster_id(const struct image *image)
{
    return image->cluster_id;
}

int32_t image_controller_id(const struct image *image)
{
    return image->controller_id;
}

int32_t image_controller_epoch(const struct image *image)
{
    return image->controller_epoch;
}

int64_t image_next_producer_id(const struct image *image)
{
    return image->next_producer_id;
}

int16_t image_feature(const struct image *image, const char *name)
{
    struct image_name key = {name, strlen(name)};
    struct image_item *item = image_tree_find(&image->features, &key);
    return item != NULL ? container_of(item, struct feature_item, item)->level : 0;
}

size_t image_feature_count(const struct image *image)
{
    return image->features.count;
}

struct feature_image image_feature_at(const struct image *image, size_t index)
{
    ASSERT(index < image->features.count);
    struct image_tree_cursor cursor;
    struct image_item *item = image_tree_seek(&image->features, NULL, &cursor);
    for (size_t i = 0; i < index; i++)
        item = image_tree_next(&cursor);
    struct feature_item *feature = container_of(item, struct feature_item, item);
    return (struct feature_image){feature->name, feature->level};
}

/* ---- brokers */

size_t image_broker_count(const struct image *image)
{
    return image->brokers.count;
}

const struct broker_image *image_broker(const struct image *image, int32_t node_id)
{
    struct image_item *item = image_tree_find(&image->brokers, &node_id);
    return item != NULL ? &container_of(item, struct broker_item, item)->broker : NULL;
}

const struct broker_image *image_broker_at_least(const struct image *image, int32_t node_id)
{
    struct image_tree_cursor cursor;
    struct image_item *item = image_tree_seek(&image->brokers, &node_id, &cursor);
    return item != NULL ? &container_of(item, struct broker_item, item)->broker : NULL;
}

const struct listener_image *broker_listener(const struct broker_image *broker, const char *name)
{
    for (int32_t i = 0; i < broker->listener_count; i++) {
        if (strcmp(broker->listeners[i].name, name) == 0)
            return &broker->listeners[i];
    }
    return NULL;
}

/* ---- configs */

struct config_pairs image_configs(const struct image *image, int8_t resource_type, const char *name)
{
    return image_configs_of(image, resource_type, name, strlen(name));
}

struct config_pairs image_configs_of(const struct image *image, int8_t resource_type,
                                     const char *name, size_t len)
{
    ASSERT(resource_type != RESOURCE_TOPIC);
    struct resource_key key = {resource_type, {name, len}};
    struct image_item *item = image_tree_find(&image->configs, &key);
    if (item == NULL)
        return (struct config_pairs){NULL, 0};
    struct config_block *block = container_of(item, struct resource_item, item)->configs;
    return (struct config_pairs){block->pairs, block->count};
}

static const char *resource_at(const struct resource_cursor *cursor, struct image_item *item)
{
    if (item == NULL)
        return NULL;
    const struct resource_item *resource = container_of(item, struct resource_item, item);
    return resource->type == cursor->type ? resource->name : NULL;
}

const char *resource_cursor_first(struct resource_cursor *cursor, const struct image *image,
                                  int8_t resource_type)
{
    ASSERT(resource_type != RESOURCE_TOPIC);
    struct resource_key key = {resource_type, {"", 0}};
    cursor->type = resource_type;
    return resource_at(cursor, image_tree_seek(&image->configs, &key, &cursor->tree));
}

const char *resource_cursor_next(struct resource_cursor *cursor)
{
    return resource_at(cursor, image_tree_next(&cursor->tree));
}

const char *config_pairs_find(struct config_pairs pairs, const char *key)
{
    size_t low = 0;
    size_t high = pairs.count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(pairs.items[middle].key, key);
        if (order == 0)
            return pairs.items[middle].value;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* ---- topics */

static const struct topic_image *topic_of(struct image_item *item)
{
    return item != NULL ? container_of(item, struct topic_image, item) : NULL;
}

size_t image_topic_count(const struct image *image)
{
    return image->topics_by_name.count;
}

int64_t image_partition_count(const struct image *image)
{
    return image->partition_count;
}

const struct topic_image *image_topic(const struct image *image, const char *name, size_t len)
{
    struct image_name key = {name, len};
    return topic_of(image_tree_find(&image->topics_by_name, &key));
}

const struct topic_image *image_topic_by_id(const struct image *image, struct uuid id)
{
    return topic_of(image_tree_find(&image->topics_by_id, &id));
}

const struct topic_image *image_topic_at_least(const struct image *image, const char *name,
                                               size_t len)
{
    struct image_name key = {name, len};
    struct image_tree_cursor cursor;
    return topic_of(image_tree_seek(&image->topics_by_name, &key, &cursor));
}

const struct topic_image *image_topic_after(const struct image *image, const char *name, size_t len)
{
    struct image_name key = {name, len};
    struct image_tree_cursor cursor;
    const struct topic_image *topic =
        topic_of(image_tree_seek(&image->topics_by_name, &key, &cursor));
    if (topic != NULL && topic_name_compare(&topic->item, &key) == 0)
        return topic_of(image_tree_next(&cursor));
    return topic;
}

const struct topic_image *topic_cursor_first(struct topic_cursor *cursor, const struct image *image)
{
    return topic_of(image_tree_seek(&image->topics_by_name, NULL, &cursor->tree));
}

const struct topic_image *topic_cursor_next(struct topic_cursor *cursor)
{
    return topic_of(image_tree_next(&cursor->tree));
}

/* ---- checks */

void image_check(const struct image *image)
{
    image_tree_check(&image->topics_by_name);
    image_tree_check(&image->topics_by_id);
    image_tree_check(&image->brokers);
    image_tree_check(&image->configs);
    image_tree_check(&image->features);
    ASSERT(image->topics_by_name.count == image->topics_by_id.count);
    ASSERT(image->position >= 0 && image->next_producer_id >= 0);
    int64_t partitions = 0;
    struct topic_cursor cursor;
    const struct topic_image *last = NULL;
    for (const struct topic_image *topic = topic_cursor_first(&cursor, image); topic != NULL;
         topic = topic_cursor_next(&cursor)) {
        ASSERT(last == NULL || strcmp(last->name, topic->name) < 0);
        ASSERT(image_topic_by_id(image, topic->id) == topic);
        ASSERT(topic->edit <= image->edit);
        partitions += topic->partition_count;
        last = topic;
    }
    ASSERT(partitions == image->partition_count);
}

static bool topic_equals(const struct topic_image *a, const struct topic_image *b)
{
    if (a == b)
        return true;
    if (strcmp(a->name, b->name) != 0 || !uuid_equals(a->id, b->id) ||
        a->partition_count != b->partition_count || !config_block_equals(a->configs, b->configs))
        return false;
    for (int32_t i = 0; i < a->partition_count; i++) {
        if (!partition_equals(topic_partition(a, i), topic_partition(b, i)))
            return false;
    }
    return true;
}

static bool broker_items_equal(const struct image_item *a, const struct image_item *b)
{
    return broker_equals(&((const struct broker_item *)(const void *)a)->broker,
                         &((const struct broker_item *)(const void *)b)->broker);
}

static bool topic_items_equal(const struct image_item *a, const struct image_item *b)
{
    return topic_equals((const struct topic_image *)(const void *)a,
                        (const struct topic_image *)(const void *)b);
}

static bool resource_items_equal(const struct image_item *a, const struct image_item *b)
{
    const struct resource_item *x = (const struct resource_item *)(const void *)a;
    const struct resource_item *y = (const struct resource_item *)(const void *)b;
    return x->type == y->type && strcmp(x->name, y->name) == 0 &&
           config_block_equals(x->configs, y->configs);
}

static bool feature_items_equal(const struct image_item *a, const struct image_item *b)
{
    const struct feature_item *x = (const struct feature_item *)(const void *)a;
    const struct feature_item *y = (const struct feature_item *)(const void *)b;
    return x->level == y->level && strcmp(x->name, y->name) == 0;
}

static bool trees_equal(const struct image_tree *a, const struct image_tree *b,
                        bool (*items_equal)(const struct image_item *, const struct image_item *))
{
    if (a->count != b->count)
        return false;
    struct image_tree_cursor at_a, at_b;
    struct image_item *x = image_tree_seek(a, NULL, &at_a);
    struct image_item *y = image_tree_seek(b, NULL, &at_b);
    while (x != NULL && y != NULL) {
        if (x != y && !items_equal(x, y))
            return false;
        x = image_tree_next(&at_a);
        y = image_tree_next(&at_b);
    }
    return x == NULL && y == NULL;
}

bool image_equals(const struct image *a, const struct image *b)
{
    return a->position == b->position && a->next_producer_id == b->next_producer_id &&
           a->controller_id == b->controller_id && a->controller_epoch == b->controller_epoch &&
           strcmp(a->cluster_id, b->cluster_id) == 0 &&
           trees_equal(&a->topics_by_name, &b->topics_by_name, topic_items_equal) &&
           trees_equal(&a->brokers, &b->brokers, broker_items_equal) &&
           trees_equal(&a->configs, &b->configs, resource_items_equal) &&
           trees_equal(&a->features, &b->features, feature_items_equal);
}

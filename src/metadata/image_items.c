// SPDX-License-Identifier: Apache-2.0
/*
 * image_items: the small things of an image: blocks of configs, brokers, features. Each is
 * one allocation with its texts in it, and constant once made.
 *
 * Thread: any.
 */
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "metadata/config.h"
#include "metadata/image_private.h"

/* Fills one allocation from front to back. */
struct carver {
    char *pos;
    const char *end;
};

static void *carve(struct carver *c, size_t size)
{
    size_t rounded = (size + 7) & ~(size_t)7;
    ASSERT(rounded <= (size_t)(c->end - c->pos));
    void *p = c->pos;
    c->pos += rounded;
    return p;
}

static char *carve_text(struct carver *c, const char *text, size_t len)
{
    char *copy = carve(c, len + 1);
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

static size_t carved_size(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

int image_name_compare(const char *text, size_t len, const struct image_name *key)
{
    size_t common = MIN(len, key->len);
    int order = common > 0 ? memcmp(text, key->text, common) : 0; /* an empty text may be NULL */
    if (order != 0)
        return order;
    return len < key->len ? -1 : len > key->len;
}

/* ---- configs */

/* The keys that this program knows, which are numbered in order of their names. */
static void block_fill_set(struct config_block *block, struct config_entry *entries)
{
    block->set.entries = entries;
    for (size_t i = 0; i < block->count; i++) {
        const struct config_pair *pair = &block->pairs[i];
        int key = config_topic_find(pair->key, strlen(pair->key));
        if (key < 0)
            continue;
        char *text = (char *)(uintptr_t)pair->value; /* nobody changes a set that is constant */
        ASSERT(block->set.count == 0 || entries[block->set.count - 1].key < key);
        entries[block->set.count++] = (struct config_entry){key, text};
    }
    block->set.capacity = block->set.count;
}

struct config_block *config_block_with(const struct config_block *old, struct image_name key,
                                       const struct image_name *value)
{
    size_t old_count = old != NULL ? old->count : 0;
    size_t size = carved_size(sizeof(struct config_block)) +
                  carved_size((old_count + 1) * sizeof(struct config_pair)) +
                  carved_size((old_count + 1) * sizeof(struct config_entry)) +
                  carved_size(key.len + 1) + (value != NULL ? carved_size(value->len + 1) : 0);
    for (size_t i = 0; i < old_count; i++)
        size += carved_size(strlen(old->pairs[i].key) + 1) +
                carved_size(strlen(old->pairs[i].value) + 1);

    char *memory = mem_alloc(size);
    struct carver c = {memory, memory + size};
    struct config_block *block = carve(&c, sizeof(*block));
    atomic_init(&block->refs, 1);
    block->pairs = carve(&c, (old_count + 1) * sizeof(struct config_pair));
    bool is_placed = value == NULL;
    for (size_t i = 0; i <= old_count; i++) {
        int order = 1;
        if (i < old_count)
            order = image_name_compare(old->pairs[i].key, strlen(old->pairs[i].key), &key);
        if (order >= 0 && !is_placed) {
            block->pairs[block->count++] = (struct config_pair){
                carve_text(&c, key.text, key.len), carve_text(&c, value->text, value->len)};
            is_placed = true;
        }
        if (i < old_count && order != 0)
            block->pairs[block->count++] = (struct config_pair){
                carve_text(&c, old->pairs[i].key, strlen(old->pairs[i].key)),
                carve_text(&c, old->pairs[i].value, strlen(old->pairs[i].value))};
    }
    if (block->count == 0) {
        mem_free(block);
        return NULL;
    }
    block_fill_set(block, carve(&c, (old_count + 1) * sizeof(struct config_entry)));
    return block;
}

struct config_block *config_block_ref(struct config_block *block)
{
    if (block != NULL)
        atomic_fetch_add_explicit(&block->refs, 1, memory_order_relaxed);
    return block;
}

void config_block_unref(struct config_block *block)
{
    if (block == NULL)
        return;
    uint32_t before = atomic_fetch_sub_explicit(&block->refs, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before == 1)
        mem_free(block);
}

bool config_block_equals(const struct config_block *a, const struct config_block *b)
{
    if (a == b)
        return true;
    if (a == NULL || b == NULL || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->pairs[i].key, b->pairs[i].key) != 0 ||
            strcmp(a->pairs[i].value, b->pairs[i].value) != 0)
            return false;
    }
    return true;
}

static void resource_item_free(struct image_item *item)
{
    struct resource_item *resource = container_of(item, struct resource_item, item);
    config_block_unref(resource->configs);
    mem_free(resource);
}

struct resource_item *resource_item_new(const struct resource_key *key,
                                        struct config_block *take_configs)
{
    ASSERT(take_configs != NULL);
    struct resource_item *resource = mem_alloc(sizeof(*resource) + key->name.len + 1);
    image_item_init(&resource->item, resource_item_free);
    resource->configs = take_configs;
    resource->type = key->type;
    resource->name_len = key->name.len;
    memcpy(resource->name, key->name.text, key->name.len);
    resource->name[key->name.len] = '\0';
    return resource;
}

int resource_item_compare(const struct image_item *item, const void *key)
{
    const struct resource_item *resource = (const struct resource_item *)(const void *)item;
    const struct resource_key *k = key;
    if (resource->type != k->type)
        return resource->type < k->type ? -1 : 1;
    return image_name_compare(resource->name, resource->name_len, &k->name);
}

/* ---- brokers */

static void plain_item_free(struct image_item *item)
{
    mem_free(item);
}

static size_t broker_size(const struct broker_image *view)
{
    size_t size = carved_size(sizeof(struct broker_item)) +
                  carved_size((size_t)view->log_dir_count * sizeof(struct uuid)) +
                  carved_size((size_t)view->listener_count * sizeof(struct listener_image));
    if (view->rack != NULL)
        size += carved_size(strlen(view->rack) + 1);
    for (int32_t i = 0; i < view->listener_count; i++)
        size += carved_size(strlen(view->listeners[i].name) + 1) +
                carved_size(strlen(view->listeners[i].host) + 1);
    return size;
}

struct broker_item *broker_item_new(const struct broker_image *view)
{
    ASSERT(view->node_id >= 0);
    ASSERT(view->log_dir_count >= 0 && view->listener_count >= 0);
    size_t size = broker_size(view);
    char *memory = mem_alloc(size);
    struct carver c = {memory, memory + size};
    struct broker_item *item = carve(&c, sizeof(*item));
    image_item_init(&item->item, plain_item_free);
    item->broker = *view;
    if (view->rack != NULL)
        item->broker.rack = carve_text(&c, view->rack, strlen(view->rack));
    if (view->log_dir_count > 0) {
        struct uuid *dirs = carve(&c, (size_t)view->log_dir_count * sizeof(*dirs));
        memcpy(dirs, view->log_dirs, (size_t)view->log_dir_count * sizeof(*dirs));
        item->broker.log_dirs = dirs;
    }
    struct listener_image *listeners = carve(&c, (size_t)view->listener_count * sizeof(*listeners));
    for (int32_t i = 0; i < view->listener_count; i++) {
        const struct listener_image *from = &view->listeners[i];
        listeners[i] = *from;
        listeners[i].name = carve_text(&c, from->name, strlen(from->name));
        listeners[i].host = carve_text(&c, from->host, strlen(from->host));
    }
    item->broker.listeners = listeners;
    return item;
}

int broker_item_compare(const struct image_item *item, const void *key)
{
    const struct broker_item *broker = (const struct broker_item *)(const void *)item;
    int32_t node_id = *(const int32_t *)key;
    if (broker->broker.node_id == node_id)
        return 0;
    return broker->broker.node_id < node_id ? -1 : 1;
}

static bool listener_equals(const struct listener_image *a, const struct listener_image *b)
{
    return a->port == b->port && a->security_protocol == b->security_protocol &&
           strcmp(a->name, b->name) == 0 && strcmp(a->host, b->host) == 0;
}

bool broker_equals(const struct broker_image *a, const struct broker_image *b)
{
    if (a->node_id != b->node_id || a->epoch != b->epoch || a->is_fenced != b->is_fenced ||
        !uuid_equals(a->incarnation_id, b->incarnation_id) ||
        a->log_dir_count != b->log_dir_count || a->listener_count != b->listener_count ||
        (a->rack == NULL) != (b->rack == NULL))
        return false;
    if (a->rack != NULL && strcmp(a->rack, b->rack) != 0)
        return false;
    for (int32_t i = 0; i < a->log_dir_count; i++) {
        if (!uuid_equals(a->log_dirs[i], b->log_dirs[i]))
            return false;
    }
    for (int32_t i = 0; i < a->listener_count; i++) {
        if (!listener_equals(&a->listeners[i], &b->listeners[i]))
            return false;
    }
    return true;
}

/* ---- features */

struct feature_item *feature_item_new(struct image_name name, int16_t level)
{
    struct feature_item *feature = mem_alloc(sizeof(*feature) + name.len + 1);
    image_item_init(&feature->item, plain_item_free);
    feature->level = level;
    feature->name_len = name.len;
    memcpy(feature->name, name.text, name.len);
    return feature;
}

int feature_item_compare(const struct image_item *item, const void *key)
{
    const struct feature_item *feature = (const struct feature_item *)(const void *)item;
    return image_name_compare(feature->name, feature->name_len, key);
}
